"""All checks of one outlet at once, and how reviews of parts of a log become one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from standards.facility import gas, machines, records, values
from standards.facility.inputs import HOUR, STATES, Events, InputError, Series
from standards.facility.runs import Run, runs
from standards.facility.scope import Cache, Found, Lacks, Scope, Which, params_text
from standards.facility.signals import Tri
from standards.facility.table import LEVELS, LOOK_BACK_S, Check, Settings
from standards.fixed import MISSING

Condition = Callable[[Scope, str], Found]

CONDITIONS: Final[Mapping[str, Condition]] = {
    "R1": machines.treatment_off,
    "R2.late": machines.treatment_late,
    "R2.early": machines.treatment_early,
    "R2.day": machines.treatment_short,
    "R3": machines.treatment_weak,
    "R4.power": machines.emission_without_power,
    "R4.mark": machines.emission_at_standstill,
    "R5.ceiling": gas.o2_above_ceiling,
    "R5.step": gas.o2_step,
    "R5.air": gas.o2_of_air,
    "R6.correlation": gas.o2_co2_apart,
    "R6.line": gas.co2_off_line,
    "R7": gas.flow_off_load,
    "R8": gas.velocity_outside,
    "R9.minutes": values.constant_minutes,
    "R9.hours": values.constant_hours,
    "R9.spread": values.hardly_varies,
    "R10.top": values.flat_top,
    "R10.range": values.at_range,
    "R11.drop": values.drop_after_calibration,
    "R11.count": values.many_calibrations,
    "R12": records.drift_used,
    "R13.profile": values.twin_days,
    "R13.lag": values.repeats_daily,
    "R14": values.alike_outlets,
    "R15": values.round_digits,
    "R16.range": machines.slurry_outside,
    "R16.flat": machines.slurry_flat,
    "R16.change": machines.slurry_jump,
    "R17": machines.pumps_off,
    "R17.hint": machines.pumps_off_so2_unchanged,
    "R18.low": machines.pressure_low,
    "R18.high": machines.pressure_high,
    "R19.reagent": machines.no_reagent,
    "R19.slip": machines.slip,
    "R20": machines.bypass_open,
    "R21": records.low_at_high_load,
    "R22.removal": records.removed_too_well,
    "R22.low": records.outlet_too_low,
    "R23": records.manual_apart,
    "R24": machines.pumps_without_flow,
    "R25.share": records.marks_cover,
    "R25.count": records.marks_follow,
}
"""What each check of the table asks."""

EVENTS: Final[Mapping[str, str]] = {"R12": "drifts", "R23": "manuals", "R25.count": "marks"}
_READ_WORDS: Final = {
    "minutes": ("分钟", "minutes"),
    "hours": ("小时", "hours"),
    "either": ("分钟或小时", "minutes or hours"),
}
_EVENT_WORDS: Final = {
    "R12": ("缺零点、量程漂移检查记录", "needs records of zero and span checks"),
    "R23": ("缺比对监测结果", "needs results of reference measurements"),
    "R25.count": ("缺工况标记开始时刻", "needs when condition marks begin"),
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What one check suspects (疑似) of an outlet over a period; never a proof.

    Attributes:
        rule, check: ``R5``, ``R5.step``.
        subject: factor (``SO2``), line (``treatment:dust``), factor and other outlet (``SO2@other``), or nothing.
        begin: first minute of the period; of a condition over a window, of the first window.
        end: the minute after its last; None while it goes on.
        raised: the minute after the slot that completed the hold time: when it could be known first.
        begin_known: False where the period goes back beyond what was reviewed; ``stitch`` finds its beginning.
        live: False where what completed it arrived as a backfill: no alarm of it (emission.md §6).
        hard: judged by what was measured; False: statistical, see ``noise.rates``.
        score: 0 … 100.
        level: ``blue`` … ``red``; higher where hours above a limit lie in the period.
        figures: of the slot that raised it, decimal texts by name. They do not change while it goes on.
        reason, reason_en: one line each.
        held_from: first minute of the first slot in which the condition held; ``begin`` but for one over a window.
        evidence_from, evidence_to: every series of the outlet between them is evidence; while it goes on, up to an hour
            after what raised it.
    """

    rule: str
    check: str
    subject: str
    begin: int
    end: int | None
    raised: int
    begin_known: bool
    live: bool
    hard: bool
    score: int
    level: str
    title: str
    title_en: str
    figures: Mapping[str, str]
    reason: str
    reason_en: str
    held_from: int
    evidence_from: int
    evidence_to: int

    @property
    def key(self) -> tuple[str, str]:
        """What it is about: check and subject."""
        return self.check, self.subject


@dataclass(frozen=True, slots=True)
class Inapplicable:
    """A check that could not be asked, once per check and subject: what it lacks, by code and in words."""

    rule: str
    check: str
    subject: str
    code: str
    reason: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Review:
    """What was found of [start, end).

    Attributes:
        suspicions: those that go on, or ended at ``reach`` of their check or later, by begin, check and subject.
        inapplicable: what could not be asked.
        reach: by check that was asked: what ended before this minute was not looked at, and stands. A check of hours or
            days is not asked, and not here, where no hour or day was closed in the period.
        asked: check and subject of what was asked.
    """

    start: int
    end: int
    suspicions: tuple[Suspicion, ...]
    inapplicable: tuple[Inapplicable, ...]
    reach: Mapping[str, int]
    asked: frozenset[tuple[str, str]]


def review(
    series: Series, history: Series, settings: Settings, start: int, end: int, events: Events | None = None
) -> Review:
    """What the rules suspect of one outlet in [start, end).

    A pure function. A slot of a check is judged once its end is not after ``end``, from what lies at most its look-back
    before it (``LOOK_BACK_S``); what was not given counts as never measured. So give minutes and hours that reach back
    from ``start`` as far as ``Check.minutes_back`` and ``hours_back`` with ``settle_min`` say (``needed``).

    Args:
        series: minutes of the recent days.
        history: hours of the recent days and of the history.
        settings: of ``settings``.
        start: first minute of the period, since 1970-01-01 00:00 Beijing time.
        end: the minute after its last: now. What is after it is not looked at.
        events: what is recorded beside the series.

    Raises:
        InputError: ``end`` before ``start``, or series of another grid.
    """
    if end < start:
        raise InputError(f"end {end} is before start {start}")
    if series.step != 1 or history.step != HOUR:
        raise InputError(f"series of {series.step} and history of {history.step} minutes: 1 and 60 are needed")
    happened = events or Events()
    for name, other in happened.neighbours.items():
        if other.step != HOUR:
            raise InputError(f"neighbours 其他排口 {name}: slots of {other.step} minutes; hours are needed")
    there = {"minutes": _there(series), "hours": _there(history), "states": _states(series, history)}
    cache = Cache()
    found: list[Suspicion] = []
    lacking: list[Inapplicable] = []
    reach: dict[str, int] = {}
    asked: set[tuple[str, str]] = set()
    for check in settings.checks:
        if not check.enabled or check.medium not in ("any", settings.plant.medium):
            continue
        begin, count = _slots(check, series, history, start, end)
        scope = Scope(check, settings, series, history, happened, begin, count, cache)
        try:
            subjects = _subjects(check, there, happened)
        except Lacks as lack:
            lacking.append(Inapplicable(check.rule, check.name, "", lack.code, lack.zh, lack.en))
            continue
        if not count or end // check.step == start // check.step:  # no slot was closed: what is known of it stands
            continue
        # what was open at ``start`` had its last slot before it; a gap may have followed
        reach[check.name] = start // check.step * check.step - check.gap * check.step
        for subject in subjects:
            try:
                answer = CONDITIONS[check.name](scope, subject)
            except Lacks as lack:
                lacking.append(Inapplicable(check.rule, check.name, subject, lack.code, lack.zh, lack.en))
                if lack.code == EVENTS.get(check.name):  # nothing is on record: what rested on it goes on no more
                    asked.add((check.name, subject))
                continue
            asked.add((check.name, subject))
            found.extend(_suspicions(scope, subject, answer, reach[check.name]))
    found.sort(key=lambda each: (each.begin, LEVELS.index(each.level), each.check, each.subject))
    return Review(start, end, tuple(found), tuple(lacking), reach, frozenset(asked))


def needed(settings: Settings, start: int) -> tuple[int, int]:
    """From which minute on ``review`` wants minutes and hours for a review that begins at ``start``."""
    asked = [each for each in settings.checks if each.enabled and each.medium in ("any", settings.plant.medium)]
    minutes = max((each.settle_min + each.minutes_back for each in asked), default=0)
    hours = max((each.settle_min + each.hours_back for each in asked), default=0)
    return start - minutes, start - hours


def stitch(known: Iterable[Suspicion], found: Review) -> list[Suspicion]:
    """The record of an outlet after one more review.

    What ended before the review's reach stands, and so does what could not be asked this time; everything later is as
    the review says. What goes back beyond it keeps the beginning, the figures and the raising it had; what was raised
    before the period and is not met again, because it was not asked for a while, ends where the review begins to see.
    """
    kept: list[Suspicion] = []
    replaced: dict[tuple[str, str], list[Suspicion]] = {}
    met: set[int] = set()
    for each in known:
        ended_before = each.end is not None and each.end < found.reach.get(each.check, found.start)
        if ended_before or each.key not in found.asked:
            kept.append(each)
        else:
            replaced.setdefault(each.key, []).append(each)
    for each in found.suspicions:
        earlier = [
            old
            for old in replaced.get(each.key, ())
            if old.held_from <= each.held_from and (old.end is None or old.end >= each.held_from)
        ]
        old = min(earlier, key=lambda one: one.held_from, default=None)
        met.update(id(one) for one in earlier)
        # what was raised after the review's start was raised in it: its slots are all there, and may have changed
        if each.begin_known or old is None or old.raised > found.start:
            kept.append(each)
        else:
            kept.append(_joined(old, each))
    for each in (one for several in replaced.values() for one in several):
        if id(each) not in met and each.raised <= found.start:
            kept.append(replace(each, end=found.reach[each.check]) if each.end is None else each)
    return sorted(kept, key=lambda each: (each.begin, LEVELS.index(each.level), each.check, each.subject))


def _joined(old: Suspicion, new: Suspicion) -> Suspicion:
    level = max(old.level, new.level, key=LEVELS.index)
    to = old.evidence_to if new.end is None else new.evidence_to
    return replace(old, end=new.end, level=level, evidence_to=to)


def outlet_score(suspicions: Iterable[Suspicion]) -> int:
    """How much several suspicions say together, 0 … 100: each takes its share of what the others leave.

    Of one rule only the strongest counts: its checks look at the same thing.
    """
    best: dict[str, int] = {}
    for each in suspicions:
        best[each.rule] = max(best.get(each.rule, 0), each.score)
    left, scale = 1, 1
    for score in best.values():
        left, scale = left * (100 - score), scale * 100
    return 100 - (100 * left + scale // 2) // scale


def _there(series: Series) -> frozenset[str]:
    """The names that have any value."""
    return frozenset(
        name for name in series.tracks if any(bool((each.values != MISSING).any()) for each in series.all_of(name))
    )


def _states(series: Series, history: Series) -> frozenset[str]:
    """The states that are told, ``minutes.calibrating``."""
    both = (("minutes", series), ("hours", history))
    return frozenset(f"{name}.{state}" for name, each in both for state in STATES if getattr(each, state) is not None)


def _slots(check: Check, series: Series, history: Series, start: int, end: int) -> tuple[int, int]:
    """First minute and number of the slots to judge."""
    step = check.step
    begin = (start - check.settle_min) // step * step
    read = {"minutes": (series,), "hours": (history,), "either": (series, history)}[check.reads]
    starts = [each.start for each in read if each.length]
    if starts:  # before it there is nothing to judge
        begin = max(begin, min(starts) // step * step)
    return begin, max(0, end // step - begin // step)


def _subjects(check: Check, there: Mapping[str, frozenset[str]], events: Events) -> list[str]:
    for need in check.needs:
        which, _, names = need.partition(":")
        if which == "states":
            if names not in there[which]:
                raise Lacks("state", f"缺状态 {names}", f"needs the state {names}")
            continue
        if not any(_named(there[which], name, lines=name in check.over) for name in names.split("|")):
            word = "分钟" if which == "minutes" else "小时"
            shown = names.replace("|", " 或 "), names.replace("|", " or ")
            raise Lacks("series", f"缺{word}序列 {shown[0]}", f"needs {which} of {shown[1]}")
    if check.name in EVENTS and getattr(events, EVENTS[check.name]) is None:
        raise Lacks(EVENTS[check.name], *_EVENT_WORDS[check.name])
    here = there["minutes"] | there["hours"] if check.reads == "either" else there[check.reads]
    if check.each == "outlet":
        return [""]
    if check.each == "line":
        return sorted(name for name in here if name.partition(":")[0] in check.over)
    wanted = [name for name in check.over if name in here]
    if check.name.startswith("R22"):
        wanted = [name for name in wanted if f"inlet_{name}" in here]
    if not wanted:
        zh, en = _READ_WORDS[check.reads]
        names = ", ".join(check.over)
        extra = ("（及进水）", " and of the inlet") if check.name.startswith("R22") else ("", "")
        raise Lacks("series", f"缺{zh}序列 {names}{extra[0]}", f"needs {en} of one of {names}{extra[1]}")
    if check.each == "factor":
        return wanted
    pairs = [
        f"{name}@{other}"
        for name in wanted
        for other, theirs in sorted(events.neighbours.items())
        if name in theirs.tracks
    ]
    if not pairs:
        raise Lacks("neighbours", "缺其他排口的小时序列", "needs hours of other outlets")
    return pairs


def _named(there: frozenset[str], name: str, *, lines: bool) -> bool:
    return name in there or (lines and any(each.partition(":")[0] == name for each in there))


def _suspicions(scope: Scope, subject: str, found: Found, reach: int) -> Iterable[Suspicion]:
    check = scope.check
    state = _in_force(scope, found.state)
    for run in runs(state, check.hold, check.gap):
        begin_known = run.first > check.gap or bool(state.no[: run.first].any())
        over = None if run.open else scope.begin + (run.last + 1) * check.step
        if over is not None and over < reach:
            continue
        yield _suspicion(scope, subject, found, run, begin_known, over)


def _in_force(scope: Scope, state: Tri) -> Tri:
    """The condition without the slots in which the check is suppressed."""
    check = scope.check
    if not check.suppress or check.grid == "day":
        return state
    which: Which = "minutes" if check.grid == "minute" else "hours"
    calm = np.zeros(scope.count, dtype=np.bool_)
    for each in check.suppress:
        calm |= scope.flag(which, each)
    return Tri(state.yes & ~calm, state.no | calm) if calm.any() else state


def _suspicion(scope: Scope, subject: str, found: Found, run: Run, begin_known: bool, over: int | None) -> Suspicion:
    check = scope.check
    raised = scope.begin + (run.raised + 1) * check.step
    figures = found.figures(run.raised)
    words = {**params_text(check.params), **figures}
    held_from = scope.begin + run.first * check.step
    begin = held_from + check.step - check.lead if check.lead else held_from
    last = scope.begin + (run.last + 1) * check.step
    until = over if over is not None else raised
    return Suspicion(
        rule=check.rule, check=check.name, subject=subject, begin=begin, end=over, raised=raised,
        begin_known=begin_known, live=not _backfilled(scope, run.raised), hard=check.hard, score=check.score,
        level=check.level_with_exceedance if _exceeds(scope, begin, last) else check.level,
        title=check.title, title_en=check.title_en, figures=figures, reason=check.reason.format_map(words),
        reason_en=check.reason_en.format_map(words), held_from=held_from, evidence_from=begin - check.evidence_min,
        evidence_to=until + check.evidence_min,
    )  # fmt: skip


def _backfilled(scope: Scope, slot: int) -> bool:
    which: Which = "hours" if scope.check.reads == "hours" else "minutes"
    flags = scope.flag(which, "backfilled")
    per = max(1, scope.check.step // scope.series(which).step)
    if scope.check.step < scope.series(which).step:
        return False
    return bool(flags[slot * per : (slot + 1) * per].any())


def _exceeds(scope: Scope, begin: int, end: int) -> bool:
    """Whether an hour above a limit lies in the period: it must be over when the period is, to be the same for ever."""
    series, over = scope.hours, scope.hours.over
    if over is None or scope.check.level == scope.check.level_with_exceedance:
        return False
    first = max(0, (begin - series.start) // HOUR)
    last = min(series.length, (end - series.start) // HOUR)
    return bool(over[first:last].any())


__all__ = [
    "CONDITIONS", "LOOK_BACK_S", "Inapplicable", "Review", "Suspicion", "needed", "outlet_score", "review", "stitch",
]  # fmt: skip
