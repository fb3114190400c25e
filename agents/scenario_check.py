"""What the agents conclude from a simulated scenario beside what its file says must be concluded.

A truth row (``streams/simulator/truth.py``) has a kind, and :data:`CHECKERS` has what in a log proves or refutes each
kind. A new kind of truth is a function and a line there. Conditions that no row explains are false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from agents.scenario_run import Run
from schemas import topics
from schemas.messages import ENDED, Condition
from streams.simulator.truth import Truth


class Explained(NamedTuple):
    """A condition that is as it should be: of this rule and subject, about something in this period (epoch seconds)."""

    rule: str
    subject: str
    start_s: int
    end_s: int


@dataclass(frozen=True)
class Finding:
    """What became of a truth row.

    Attributes:
        concluded: what the agents say, for people.
        ok: whether that is what had to be concluded.
        explains: conditions that are right because the row is true.
    """

    concluded: str
    ok: bool
    explains: tuple[Explained, ...] = ()


@dataclass(frozen=True)
class Case:
    """A run with a scenario, and the same run without it."""

    run: Run
    calm: Run


Checker = Callable[[Truth, Case], Finding]


class Span:
    """A condition from its beginning to its end.

    Attributes:
        first: the message that began it.
        said: all its messages.
    """

    def __init__(self, first: Condition) -> None:
        self.first = first
        self.said = [first]

    @property
    def ended_ms(self) -> int | None:
        """When it ended, epoch ms; None while it is open."""
        return self.said[-1].now if self.said[-1].state == ENDED else None

    @property
    def levels(self) -> list[str]:
        """The levels it had, one after the other."""
        return list(dict.fromkeys(one.level for one in self.said if one.state != ENDED))

    def is_about(self, start_s: int, end_s: int) -> bool:
        """Whether it speaks of anything in a period."""
        last = max(one.until for one in self.said)
        return self.first.since <= end_s and start_s <= max(last, self.first.since)

    def __str__(self) -> str:
        levels = "→".join(level for level in self.levels if level)
        first = self.first
        return f"{first.rule} {first.subject}{' ' + first.factor if first.factor else ''} {levels}".rstrip()


def spans(run: Run, rule: str = "", subject: str = "") -> list[Span]:
    """The conditions of a run, of one rule and subject if named, in the order they began."""
    found: dict[str, Span] = {}
    for output in run.judged.all_of(topics.CONDITIONS):
        condition = msgspec.json.decode(output.value, type=Condition)
        if rule not in ("", condition.rule) or subject not in ("", condition.subject):
            continue
        if condition.id in found:
            found[condition.id].said.append(condition)
        else:
            found[condition.id] = Span(condition)
    return list(found.values())


@dataclass(frozen=True)
class Line:
    """A truth row at one strength and cadence, and what came of it."""

    truth: Truth
    finding: Finding


@dataclass(frozen=True)
class Result:
    """A scenario at one strength and cadence.

    Attributes:
        scenario: its name.
        strength: as a text.
        full: whether its days have minutes.
        start_s: when its first day begins, epoch seconds.
        lines: the truth rows that hold.
        false_alarms: conditions that none of them explains.
    """

    scenario: str
    strength: str
    full: bool
    start_s: int
    lines: tuple[Line, ...]
    false_alarms: tuple[Span, ...]

    @property
    def ok(self) -> bool:
        """No miss and no false alarm."""
        return not self.false_alarms and all(line.finding.ok for line in self.lines)


def judge(case: Case, checkers: Mapping[str, Checker]) -> Result:
    """Hold a run against the truth of its one scenario.

    Args:
        case: the run with it and the one without.
        checkers: by kind of truth.
    """
    (scenario,) = case.run.plan.scenarios
    plan = case.run.plan
    lines = []
    for truth in scenario.truth(plan.start_s, plan.full):
        checker = checkers.get(truth.kind)
        finding = Finding("nobody judges this kind", False) if checker is None else checker(truth, case)
        lines.append(Line(truth, finding))
    explained = [one for line in lines for one in line.finding.explains]
    alarms = tuple(_unexplained(case.run, explained))
    return Result(
        scenario.name, f"{scenario.strength.normalize():f}", bool(plan.full), plan.start_s, tuple(lines), alarms
    )


def false_alarms(run: Run) -> tuple[Span, ...]:
    """All conditions of a run in which nothing happens."""
    return tuple(_unexplained(run, []))


ADVICE: Final = ("suspect", "near-limit", "over-ultra-low")
"""Rules whose conditions up to blue are for somebody to look at, not to be told of: they are no alarm. The statistical
ones among them speak by chance too, at a rate that is known (docs/law-facility.md)."""


def _is_alarm(span: Span) -> bool:
    return span.first.rule not in ADVICE or bool(set(span.levels) - {"", "blue"})


def _unexplained(run: Run, explained: Sequence[Explained]) -> Iterator[Span]:
    """Those that nothing explains; what begins when the simulated days are over says that they are over.

    Sources that were not let speak in this run are silent of course.
    """
    end_ms, registry = run.plan.end_s * 1000, run.registry
    speaking = {source.id for source in registry.sources} | {area.id for area in registry.areas}
    speaking |= {outlet.enterprise for outlet in registry.outlets}
    for span in spans(run):
        first = span.first
        if first.subject not in speaking:
            continue
        if (
            first.now < end_ms
            and _is_alarm(span)
            and not any(
                (one.rule, one.subject) == (first.rule, first.subject) and span.is_about(one.start_s, one.end_s)
                for one in explained
            )
        ):
            yield span


NOTHING: Final = "–"
