"""What proves each kind of truth that speaks of any source: its silence, its hours, its clock, what it broke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from agents.emission.clocks import CLOCK_OFF
from agents.scenario_check import NOTHING, Case, Checker, Explained, Finding, spans
from agents.scenario_run import Run
from schemas import blocks, times, topics
from schemas.messages import ENDED, HOUR_MISSING, OFFLINE, Dead, Revision
from streams.simulator.truth import Truth

HOUR_WITHIN_S: Final = 1800
"""An hour packet that comes later than this was missing (emission.md §4.4)."""
_LEVELS: Final = ("", "blue", "yellow", "orange", "red")


def missing(truth: Truth, case: Case) -> Finding:
    """Hours whose packet was due in the period and did not come in time; ``labels`` names them all.

    ``incomplete`` has the numbers of the run's days that stay incomplete because of it: that is an alarm, too.
    """
    owed = sorted(
        one.until
        for span in spans(case.run, HOUR_MISSING, truth.subject)
        for one in span.said
        if one.state != ENDED and truth.start_s <= one.until < truth.end_s
    )
    labels = [times.hour_index(end) + 1 for end in owed]
    ok = bool(owed) == truth.expected["missing"] and labels == truth.expected.get("labels", labels)
    explains = [Explained(HOUR_MISSING, truth.subject, truth.start_s, truth.end_s - 1)]
    said = f"{len(labels)} owed: {_joined(labels)}" if labels else "none owed"
    for day in truth.expected.get("incomplete", ()):
        start_s = case.run.plan.start_s + (day - 1) * times.DAY_S
        rule = next((s for s in spans(case.run) if s.first.rule == DAY_INCOMPLETE and s.first.since == start_s), None)
        ok = ok and rule is not None and truth.subject in rule.first.detail
        said += f"; day {day} {'incomplete' if rule is not None else 'complete'}"
        if rule is not None:
            explains.append(Explained(DAY_INCOMPLETE, rule.first.subject, start_s + 1, start_s + times.DAY_S - 1))
    return Finding(said, ok, tuple(explains) if truth.expected["missing"] else ())


DAY_INCOMPLETE: Final = "air-day-incomplete"


def silent(truth: Truth, case: Case) -> Finding:
    """A source is off-line in the period; ``level`` is the worst it comes to."""
    found = [s for s in spans(case.run, OFFLINE, truth.subject) if s.is_about(truth.start_s, truth.end_s)]
    worst = max((level for span in found for level in span.levels), key=_LEVELS.index, default="")
    ok = bool(found) == truth.expected["silent"] and worst == truth.expected.get("level", worst)
    explains = (Explained(OFFLINE, truth.subject, truth.start_s, truth.end_s),) if truth.expected["silent"] else ()
    return Finding(f"off-line, {worst}" if found else "not off-line", ok, explains)


def backfilled(truth: Truth, case: Case) -> Finding:
    """Hours of the period (start, end] that came too late to be on time; ``rf``: said to be backfilled."""
    found: dict[int, bool] = {}
    for block, i in _packets(case.run, truth.subject):
        end = block.times[i]
        late = block.received[i] > (end + HOUR_WITHIN_S) * 1000
        if block.periods[i] == blocks.HOUR and truth.start_s < end <= truth.end_s and late:
            found[end] = bool(block.marks) and block.marks[i] == blocks.BACKFILLED
    labels = [times.hour_index(end) + 1 for end in sorted(found)]
    ok = len(labels) == truth.expected["hours"] and labels == truth.expected.get("labels", labels)
    ok = ok and all(rf == truth.expected.get("rf", rf) for rf in found.values())
    return Finding(f"{len(labels)} hours later: {_joined(labels)}" if labels else "none later", ok)


def unchanged(truth: Truth, case: Case) -> Finding:
    """The final verdicts are those of the run without the scenario: one kind of the subject's days, or all."""
    wanted = truth.expected["verdicts"]

    def verdicts(run: Run) -> dict[bytes, bytes]:
        last = run.judged.last(topics.VERDICTS)
        if wanted == "all":
            return dict(last)
        return {key: value for key, value in last.items() if _is_of(key, wanted, truth)}

    with_it, without = verdicts(case.run), verdicts(case.calm)
    differ = sorted(key.decode() for key in with_it.keys() | without if with_it.get(key) != without.get(key))
    if differ:
        return Finding(f"{len(differ)} of {len(without)} differ: {differ[0].replace('|', ' ')}", False)
    return Finding(f"{len(without)} verdicts, none differs", bool(without))


def _is_of(key: bytes, kind: str, truth: Truth) -> bool:
    _, subject, found, period, *_ = key.decode().split("|")
    return (subject, found) == (truth.subject, kind) and period in _dates(truth)


def corrected(truth: Truth, case: Case) -> Finding:
    """Exactly these hours of the subject are replaced, and of others only what rests on them."""
    expected = truth.expected
    dates = _dates(truth)
    labels = [f"{date}T{label:02d}" for date in dates for label in expected.get("labels", ())]
    run, calm = (_revised(each) for each in (case.run, case.calm))
    own: set[str] = set()
    beyond: set[str] = set()
    for kind, subject, period in run - calm:
        if subject == truth.subject and kind == "station-hour":
            own.add(period)
        elif period not in (*labels, *dates) or (kind.startswith("station-") and subject != truth.subject):
            beyond.add(f"{kind} {subject} {period}")
    said = f"{len(own)} hours replaced: {_joined(int(period[-2:]) for period in sorted(own))}"
    if beyond:
        said += f"; also {min(beyond)}"
    return Finding(said, len(own) == expected["hours"] and sorted(own) == sorted(labels or own) and not beyond)


def _revised(run: Run) -> set[tuple[str, str, str]]:
    """Verdicts that replaced others: kind, subject and period."""
    found = set()
    for output in run.judged.all_of(topics.REVISIONS):
        _, subject, kind, period, *_ = msgspec.json.decode(output.value, type=Revision).key.split("|")
        found.add((kind, subject, period))
    return found


def clock_drift(truth: Truth, case: Case) -> Finding:
    """The gateway knows in the period that the logger's clock is wrong."""
    off = [at for at in case.run.clock_off.get(truth.subject, ()) if truth.start_s <= at // 1000 <= truth.end_s]
    told = (Explained(CLOCK_OFF, truth.subject, truth.start_s, truth.end_s),) if truth.expected["off"] else ()
    return Finding("clock off" if off else "clock right", bool(off) == truth.expected["off"], told)


def dead(truth: Truth, case: Case) -> Finding:
    """Packets refused for a reason, beyond those without the scenario."""
    reason = truth.expected["reason"]
    count = _dead(case.run, reason, truth) - _dead(case.calm, reason, truth)
    return Finding(f"{count} dead", count == truth.expected["packets"])


def _dead(run: Run, reason: str, truth: Truth) -> int:
    letters = (msgspec.json.decode(r.value, type=Dead) for r in run.records if r.topic == topics.DEAD)
    return sum(
        one.reason.startswith(reason) and truth.start_s <= one.received // 1000 <= truth.end_s for one in letters
    )


def _packets(run: Run, source: str) -> Iterator[tuple[blocks.Block, int]]:
    """Packets of readings of a source in the log: block and number in it."""
    for record in run.records:
        if record.topic in topics.READINGS and source.encode() in record.value:
            block = blocks.decode(record.value)
            if isinstance(block, blocks.Block):
                for i, at in enumerate(block.source):
                    if block.sources[at] == source:
                        yield block, i


def _dates(truth: Truth) -> list[str]:
    """The days of a truth's period."""
    days = range(times.day_of(truth.start_s + 1), times.day_of(truth.end_s) + 1)
    return [times.date_of(day).isoformat() for day in days]


def _joined(labels: Any) -> str:
    """Labels, runs of them as 8–11."""
    runs: list[list[int]] = []
    for label in labels:
        if runs and label == runs[-1][-1] + 1:
            runs[-1].append(label)
        else:
            runs.append([label])
    return "、".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or NOTHING


CHECKERS: Final[Mapping[str, Checker]] = {
    "missing": missing,
    "silent": silent,
    "backfilled": backfilled,
    "unchanged": unchanged,
    "corrected": corrected,
    "clock_drift": clock_drift,
    "dead": dead,
}
