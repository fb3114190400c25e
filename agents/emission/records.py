"""What people recorded of an outlet's analysers (actions ``qc``): zero and span checks, reference measurements.

A failed check changes no verdict: whoever finds an analyser out of control marks its hours (``mark``), and R12 suspects
where that was not done. See docs/actions.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from agents.emission.plan import Plan
from agents.emission.when import minute_of
from schemas import blocks, units
from schemas.action_kinds import DRIFTS
from standards.facility.inputs import Drift, Manual

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

QC: Final = "qc"
PASSED: Final = "passed"
REFERENCE: Final = "reference"


class Records:
    """Looks up the quality checks of outlets."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge
        self._recorded: set[tuple[str, bool]] | None = None

    def decided(self) -> None:
        """A quality check was taken into the log."""
        self._recorded = None

    def drifts(self, plan: Plan, since: int) -> tuple[Drift, ...] | None:
        """Zero and span checks of an outlet that were over at a minute or later; None: nobody ever recorded one.

        What was recorded and withdrawn is a record without an entry, so that what rested on it is asked again.
        """
        if not self._ever(plan.source, reference=False):
            return None
        found = []
        for action in self._judge.marks.of(QC, plan.source):
            at = minute_of(action.end)
            if at < since or not _is_drift(action):
                continue
            parts = (Fraction(action.data[name]) if name in action.data else None for name in DRIFTS)
            zero, span = parts
            passed = action.data["result"] == PASSED
            named = action.data.get("factor")
            for factor in (named,) if named else (c.name for c in plan.channels):
                found.append(Drift(at, factor, zero, span, passed))
        return tuple(found)

    def manuals(self, plan: Plan, since: int) -> tuple[Manual, ...] | None:
        """Reference measurements that were over at a minute or later, in published units; None as of ``drifts``."""
        if not self._ever(plan.source, reference=True):
            return None
        found = []
        for action in self._judge.marks.of(QC, plan.source):
            begin, end = minute_of(action.begin), minute_of(action.end)
            channel = next((c for c in plan.channels if c.name == action.data.get("factor")), None)
            if REFERENCE not in action.data or channel is None or end < since:
                continue
            try:
                ratio = units.ratio(action.data["unit"], channel.unit)
            except units.UnitError:  # of another quantity: nothing can be compared with it
                continue
            found.append(Manual(begin, end, channel.name, Fraction(action.data[REFERENCE]) * ratio))
        return tuple(found)

    def _ever(self, outlet: str, *, reference: bool) -> bool:
        if self._recorded is None:
            self._recorded = set()
            for action in self._judge.ever_decided(QC):
                if not action.withdrawn:
                    self._recorded |= {(action.subject, True)} if REFERENCE in action.data else set()
                    self._recorded |= {(action.subject, False)} if _is_drift(action) else set()
        return (outlet, reference) in self._recorded


def _is_drift(action: blocks.Action) -> bool:
    """Whether an action is of a zero or span check: it has a drift, or a bare result."""
    return REFERENCE not in action.data or any(name in action.data for name in DRIFTS)
