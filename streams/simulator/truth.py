"""What must be concluded from a scenario: written by hand from the norm, never computed by the law it tests.

A scenario file has ``[[truth]]`` rows. A row speaks of one subject and one period; it may hold only for strengths
above or below a number, or only where the packets carry minutes. What kinds there are, and what each expects:
:data:`KINDS`. Durations and instants in rows are relative to the run, in :class:`Truth` they are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from schemas import times

KINDS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    # what the row says, and the keys that must stand in ``expected``
    "air_day": ("every day of an area in the period: good or not, category, primary", frozenset({"edition", "good"})),
    "dust_day": ("a day somebody should be asked to confirm as a dust day", frozenset({"proposed"})),
    "outlet_hours": (
        "every hour of an outlet's factor: OK, EXCEED, EXEMPT, INVALID or NOT_APPLICABLE (emission.md §4.3), and the"
        " level of the alert",
        frozenset({"factor", "verdict"}),
    ),
    "suspected": ("a rule of emission.md §5 suspects the subject, or does not", frozenset({"rule", "suspected"})),
    "section": ("every new result of an item at a section: within its target or not", frozenset({"item", "meets"})),
    "arrival": (
        "what reaches a section from upstream; the period is the window of the arrival (water.md §5)",
        frozenset({"item", "source"}),
    ),
    "missing": ("hour packets that are not there half an hour after their hour", frozenset({"missing"})),
    "silent": ("a source says nothing", frozenset({"silent"})),
    "backfilled": ("hours that came later", frozenset({"hours"})),
    "unchanged": ("the final verdicts are those without this scenario", frozenset({"verdicts"})),
    "corrected": ("exactly these hours, and what rests on them, are replaced", frozenset({"hours"})),
    "clock_drift": ("the logger's clock is wrong", frozenset({"off"})),
    "dead": ("packets that cannot be used, by the reason they are refused for", frozenset({"reason", "packets"})),
}


@dataclass(frozen=True)
class Truth:
    """One thing that must be concluded.

    Attributes:
        scenario: name of the file without its ending.
        kind: one of :data:`KINDS`.
        subject: id of an area, station, section or outlet.
        start_s, end_s: the period, epoch seconds.
        expected: by the keys of the kind; decimals are texts.
        because: the clause and the arithmetic.
    """

    scenario: str
    kind: str
    subject: str
    start_s: int
    end_s: int
    expected: Mapping[str, Any]
    because: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the period in Beijing time."""
        return {
            "scenario": self.scenario,
            "kind": self.kind,
            "subject": self.subject,
            "from": times.text(self.start_s),
            "to": times.text(self.end_s),
            "expected": dict(self.expected),
            "because": self.because,
        }

    def __str__(self) -> str:
        """One line for a person."""
        expected = ", ".join(f"{name} {_word(value)}" for name, value in self.expected.items())
        period = f"{times.text(self.start_s)[:16]} – {times.text(self.end_s)[:16]}"
        return f"{self.kind:13} {self.subject:24} {period}  {expected}  [{self.because}]"


@dataclass(frozen=True)
class Row:
    """A row of a scenario file: a truth relative to the run, and when it holds."""

    kind: str
    subject: str
    start_min: int
    end_min: int
    expected: Mapping[str, Any]
    because: str
    above: Decimal | None = None
    below: Decimal | None = None
    full_only: bool = False

    def holds(self, strength: Decimal, full: bool) -> bool:
        """Whether it is true at this strength; ``full``: the period has realtime and minute packets."""
        return (
            (self.above is None or strength > self.above)
            and (self.below is None or strength < self.below)
            and (full or not self.full_only)
        )

    def at(self, scenario: str, start_s: int) -> Truth:
        """The truth of a run that starts then."""
        begin, end = start_s + 60 * self.start_min, start_s + 60 * self.end_min
        return Truth(scenario, self.kind, self.subject, begin, end, self.expected, self.because)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "、".join(map(str, value))
    return str(value)
