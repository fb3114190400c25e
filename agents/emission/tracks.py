"""Conditions of outlets: runs of hours above a limit, close to it, or with readings that cannot be (emission.md §6).

A condition is derived from the ledger: hours in a row that have it, with hours that say nothing between them. Its id is
its rule, factor and first hour. So late data, marks and corrections need no case of their own: runs are derived again,
and what differs from what was published is published: begun, raised, ended, or ended because it never was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from agents.emission.cells import CHECKS, REASONS, STANDSTILL
from agents.emission.judging import RULESET
from agents.emission.ledger import BACKFILLED, BINDING_BIT, HOURS, MAINTAINED, NOTHING
from agents.emission.plan import Plan, strictest
from schemas import times
from schemas.messages import BEGAN, CONTINUES, ENDED, Condition
from standards.emission import alerts
from standards.emission.exact import text
from standards.emission.limits import KINDS
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

OVER_LIMIT: Final = "over-limit"
NEAR_LIMIT: Final = "near-limit"
OVER_ULTRA_LOW: Final = "over-ultra-low"
OUTSIDE_RANGE: Final = "outside-range"
UNREGISTERED: Final = "unregistered-factor"
BAD_REASONS: Final = ("negative", "unreadable", "unit", "unit-1000", "unit-3600", "oxygen-21", "future")
BAD_CHECKS: Final = ("zs-differs", "minutes-differ", "over-range")
_LONG: Final = 2
"""Hours of a check that says nothing when it is seen once: a start or stop within one hour bends a mean."""
_BACK_DAYS: Final = 2
_KEPT_S: Final = 62 * times.DAY_S

Bools = npt.NDArray[np.bool_]


class Run(msgspec.Struct, array_like=True):
    """A run of hours: end of its last one, how many, the worst grade, and the end of the hour that ended it (or 0)."""

    last: int
    hours: int
    worst: int
    closed: int
    level: str


@dataclass(eq=False)
class _Series:
    """Hours of a rule and factor: which have it, and which end it; the others say nothing."""

    rule: str
    factor: str
    has: Bools
    ends: Bools
    grade: npt.NDArray[np.uint8]


def _decode(row: bytes) -> dict[str, Run]:
    return msgspec.msgpack.decode(row, type=dict[str, Run])


class Tracks:
    """Derives conditions of outlets."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge
        self._rows: Shelf[dict[str, Run]] = judge.keep(Shelf("e", _decode, msgspec.msgpack.encode))

    def derive(self, outlet: str, ends: set[int], at_ms: int) -> None:
        """Hours of an outlet changed."""
        last = max(self._judge.ledger.days(outlet), default=None)
        if last is None:
            return
        touched = min(ends)
        known = self._rows.get(outlet) or {}
        begun = [_begun(name) for name, run in known.items() if not run.closed or run.closed >= touched]
        first = times.day_of(min(touched, *begun)) - 1 if begun else times.day_of(touched) - 1
        while True:
            series = list(self._series(outlet, first, last))
            if first < min(self._judge.ledger.days(outlet)) or not any(_reaches_back(s) for s in series):
                break
            first -= _BACK_DAYS
        start = times.day_start(first)
        found = {f"{s.rule}|{s.factor}|{begun}": run for s in series if s.has.any() for begun, run in _runs(s, start)}
        self._publish(outlet, found, start, at_ms)

    # ---- series

    def _series(self, outlet: str, first: int, last: int) -> Iterator[_Series]:
        days = [(n, self._judge.ledger.get(outlet, n)) for n in range(first, last + 1)]
        known = [day for _, day in days if day is not None]
        if not known:
            return
        factors = known[-1].factors
        shape = (HOURS * len(days), len(factors))
        reason = np.full(shape, NOTHING, np.uint8)
        grade, over, has, exempt = (np.zeros(shape, np.uint8) for _ in range(4))
        checks = np.zeros(shape, np.int64)
        muted = np.zeros(shape[0], np.bool_)
        for n, (_, day) in enumerate(days):
            if day is None or day.factors != factors:
                continue
            part = slice(HOURS * n, HOURS * (n + 1))
            reason[part], grade[part], over[part], has[part] = day.reason, day.grade, day.over, day.has
            exempt[part], checks[part] = day.exempt, day.checks
            muted[part] = day.bit(BACKFILLED) | day.bit(MAINTAINED)
        yield from _limits(factors, reason, grade, over, has, exempt, muted)
        said = reason != NOTHING
        for word in BAD_REASONS:
            yield from _each(word, factors, reason == REASONS.index(word), said, grade)
        for word in BAD_CHECKS:
            bit = 1 << CHECKS.index(word)
            yield from _each(word, factors, said & (reason == 0) & (checks & bit != 0), said, grade)
        yield from self._unregistered(outlet, first, last)

    def _unregistered(self, outlet: str, first: int, last: int) -> Iterator[_Series]:
        ends = [times.day_start(first) + (n + 1) * times.HOUR_S for n in range(HOURS * (last - first + 1))]
        names = {name for end in ends for name, *_ in self._judge.extras.of(outlet, end)}
        for name in sorted(names):
            has = np.array([any(name == other for other, *_ in self._judge.extras.of(outlet, end)) for end in ends])
            said = np.array([self._judge.there(outlet, end) for end in ends])
            yield _Series(UNREGISTERED, name, has, said & ~has, np.zeros(len(ends), np.uint8))

    # ---- publishing

    def _publish(self, outlet: str, found: dict[str, Run], start: int, at_ms: int) -> None:
        known = self._rows.get(outlet) or {}
        after = dict(known)
        for name, run in sorted(found.items(), key=lambda pair: (pair[1].last, pair[0])):
            before = known.get(name)
            if not run.level or before == run:
                continue
            after[name] = run
            again = before is None or (before.closed and not run.closed)
            if again or not before:
                self._say(outlet, name, run, BEGAN, at_ms)
            elif not run.closed and (before.level, before.hours) != (run.level, run.hours):
                self._say(outlet, name, run, CONTINUES, at_ms)
            if run.closed and (before is None or not before.closed):
                self._say(outlet, name, run, ENDED, at_ms)
        for name, run in sorted(known.items()):
            gone = name not in found or not found[name].level
            if gone and _begun(name) > start:
                del after[name]
                if not run.closed:
                    self._say(outlet, name, run, ENDED, at_ms, why="revised")
            elif run.closed and run.last * 1000 < at_ms - _KEPT_S * 1000:
                del after[name]
        if after != known:
            self._rows.put(outlet, after)

    def _say(self, outlet: str, name: str, run: Run, state: str, at_ms: int, why: str = "") -> None:
        rule, factor, begun = name.split("|")
        plan = self._judge.plans.at(outlet, times.day_of(run.last))
        registry = self._judge.registry
        assert registry is not None
        detail = {"name": plan.outlet.name if plan.outlet is not None else outlet, "hours": str(run.hours)}
        if run.worst:
            detail["worst"] = alerts.GRADES[run.worst]
        if rule in (OVER_LIMIT, NEAR_LIMIT) and state != ENDED:
            detail |= self._measured(plan, factor, run.last)
        if why:
            detail["why"] = why
        self._judge.condition(
            Condition(
                id=f"{plan.group}|{outlet}|{rule}|{factor}|{begun}",
                state=state,
                rule=rule,
                group=plan.group,
                subject=outlet,
                factor=factor,
                since=int(begun) - times.HOUR_S,
                until=run.closed - times.HOUR_S if state == ENDED and run.closed else run.last,
                now=at_ms,
                origin="",
                level=run.level,
                detail=detail,
                valid=run.hours,
                expected=(run.last - int(begun)) // times.HOUR_S + 1,
                ruleset=RULESET,
                registry=registry.digest,
            )
        )

    def _measured(self, plan: Plan, factor: str, end: int) -> dict[str, str]:
        """Value of an hour beside the strictest binding limit, in the published unit; empty where one is not known."""
        hour = self._judge.hour_of(plan.source, end)
        bound = strictest(plan.bounds.get(factor, ()), "hour")
        value = hour.value_of(factor) if hour is not None else None
        said = text(value, bound.places + 1) if bound is not None else None
        if bound is None or said is None:
            return {}
        unit = next((channel.unit for channel in plan.channels if channel.name == factor), "")
        return {"value": said, "limit": bound.text, "unit": unit}


def _limits(
    factors: tuple[str, ...], reason: npt.NDArray[np.uint8], grade: npt.NDArray[np.uint8],
    over: npt.NDArray[np.uint8], has: npt.NDArray[np.uint8], exempt: npt.NDArray[np.uint8], muted: Bools,
) -> Iterator[_Series]:  # fmt: skip
    """The series of limits: an hour that is not judged says nothing, a standstill ends whatever there was."""
    judged = reason == 0
    ends = judged | (reason == STANDSTILL)
    free = exempt == 0
    loud = ~muted[:, None]
    binding, ultra = BINDING_BIT, 1 << KINDS.index("ultra_low")
    exceeds = judged & (over & binding != 0) & free
    warns = judged & (has & binding == 0) & (grade >= alerts.YELLOW)
    early = judged & (over & ultra != 0) & (over & binding == 0) & free
    near = judged & (grade == alerts.BLUE)
    for rule, here in ((OVER_LIMIT, exceeds), (NEAR_LIMIT, near), (OVER_ULTRA_LOW, early), (OUTSIDE_RANGE, warns)):
        if here.any():
            for f in np.flatnonzero(here.any(axis=0)).tolist():
                yield _Series(rule, factors[f], (here & loud)[:, f], ends[:, f] & ~here[:, f], grade[:, f])


def _each(
    rule: str, factors: tuple[str, ...], here: Bools, said: Bools, grade: npt.NDArray[np.uint8]
) -> Iterator[_Series]:
    if here.any():
        for f in np.flatnonzero(here.any(axis=0)).tolist():
            yield _Series(rule, factors[f], here[:, f], said[:, f] & ~here[:, f], np.zeros(len(grade), np.uint8))


def _reaches_back(series: _Series) -> bool:
    """Whether the first run may have begun before the window."""
    at = np.flatnonzero(series.has | series.ends)
    return bool(len(at)) and bool(series.has[at[0]])


def _runs(series: _Series, start: int) -> Iterator[tuple[int, Run]]:
    """Runs by the end of their first hour; ``start``: the beginning of the window."""
    begun, run = 0, None
    for n in np.flatnonzero(series.has | series.ends).tolist():
        end = start + (n + 1) * times.HOUR_S
        if series.has[n]:
            if run is None:
                begun, run = end, Run(end, 0, 0, 0, "")
            run.last, run.hours = end, run.hours + 1
            run.worst = max(run.worst, int(series.grade[n]))
        elif run is not None:
            run.closed = end
            yield begun, _levelled(series.rule, run)
            run = None
    if run is not None:
        yield begun, _levelled(series.rule, run)


def _levelled(rule: str, run: Run) -> Run:
    if rule in (OVER_LIMIT, NEAR_LIMIT):
        run.level = alerts.level_of(run.worst, run.hours)
    else:
        run.level = alerts.GRADES[alerts.BLUE] if rule not in BAD_CHECKS or run.hours >= _LONG else ""
    return run


def _begun(name: str) -> int:
    return int(name.rpartition("|")[2])
