"""Months, quarters and years of areas: tallies in both dust calibers, budget, change against last year, ranking."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agents.air.cells import FACTORS
from agents.air.days import Days
from agents.air.when import hour_label, last_closed
from schemas import times, topics
from schemas.measurements import BY_DATE
from schemas.messages import AirBudget, AirChange, AirPeriod, AirRanking, encode, key
from schemas.registry import Area, Task
from standards import air as law
from standards import fixed
from streams.state.judge import digest_of

if TYPE_CHECKING:
    from agents.air.judge import AirJudge

KEEP, DEDUCT = "keep", "deduct"
PERIODS: Final = ("month", "quarter", "year")


class Periods:
    """Derives what rests on closed days."""

    def __init__(self, judge: AirJudge, days: Days) -> None:
        self._judge, self._days = judge, days
        self._changed: dict[str, dict[int, int]] = defaultdict(dict)  # area: day: newest received
        self._passed: set[str] = set()  # areas with an hour that was judged
        self._newest: dict[str, int] = {}  # area: end of the newest of them

    # ---- what changed

    def day_changed(self, area: str, day: int, received: int) -> None:
        """A closed day of an area is new or another."""
        self._changed[area][day] = max(received, self._changed[area].get(day, 0))

    def hour_passed(self, area: str, end: int) -> None:
        """An hour of an area was judged."""
        self._passed.add(area)
        self._newest[area] = max(end, self._newest.get(area, 0))

    # ---- deriving

    def derive(self) -> None:
        """Tallies of the periods whose days changed, and the budget of areas whose hour passed."""
        if self._changed:
            changed, self._changed = self._changed, defaultdict(dict)
            ranked: dict[tuple[str, str], int] = {}
            for area in sorted(changed):
                self._derive_area(self._area(area), changed[area], ranked)
            for district, period in sorted(ranked):
                self._rank(self._area(district), period, ranked[district, period])
        if self._passed:
            passed, self._passed = self._passed, set()
            for area in sorted(passed):
                self._budget(self._area(area), self._newest[area])

    def _area(self, area: str) -> Area:
        assert self._judge.registry is not None
        return self._judge.registry.area(area)

    def _derive_area(self, area: Area, days: dict[int, int], ranked: dict[tuple[str, str], int]) -> None:
        for kind in PERIODS:
            by_period: dict[str, int] = defaultdict(int)
            for day, received in days.items():
                label = label_of(kind, times.date_of(day))
                by_period[label] = max(by_period[label], received)
            for label, received in sorted(by_period.items()):
                self._say_period(area, kind, label, received)
                if kind != "quarter":
                    self._say_change(area, kind, label)
                    if area.kind == "township":
                        ranked[area.within, label] = max(received, ranked.get((area.within, label), 0))

    # ---- tallies

    def _say_period(self, area: Area, kind: str, label: str, received: int) -> None:
        first, last = span_of(label)
        days = self._days.span(area.id, first, last)
        if days is None:
            return
        dust = self._dust(area.id, days)
        kept: dict[str, Any] | None = None
        for caliber in (KEEP, DEDUCT):
            if caliber == KEEP or dust.any() or kept is None:
                found = self._tally(days, kind, dust, caliber)
                kept = found if caliber == KEEP else kept
            else:
                assert kept is not None
                found = kept  # without a dust day both calibers are the same
            self._say_tally(area, kind, label, days, caliber, found, received)

    def _tally(self, days: law.DayVerdicts, kind: str, dust: np.ndarray, caliber: str) -> dict[str, Any]:
        period: Any = kind
        found = law.tally(days, period, dust=dust, ratio_dust=caliber)  # type: ignore[arg-type]
        counted = law.without_dust(days, dust) if dust.any() else days  # PM of dust days never enters means (§4.2)
        said = law.statistics(counted, period, measured=days)
        found["attains"] = law.area_attains(said)
        found["statistics"] = {
            factor: {
                "days": one.n_days,
                "mean": _text(one.reported_mean),
                "percentile": _text(one.reported_percentile),
                "rank": one.rank,
                "enough": one.enough,
                "attains": one.attains,
            }
            for factor, one in said.items()
        }
        return found

    def _say_tally(
        self,
        area: Area,
        kind: str,
        label: str,
        days: law.DayVerdicts,
        caliber: str,
        found: dict[str, Any],
        received: int,
    ) -> None:
        first, last = span_of(label)
        registry = self._judge.registry
        assert registry is not None
        message = AirPeriod(
            kind=f"air-{kind}",
            group=area.group,
            area=area.id,
            period=label,
            time=times.day_start(first),
            through=str(days.date[-1]),
            edition=BY_DATE,
            dust=caliber,
            days=len(days),
            expected=last - first + 1,
            ruleset=f"air-{BY_DATE}",
            registry="",
            revision="",
            **found,
        )
        digest = digest_of(encode(message).hex())
        message.revision, message.registry = digest, registry.digest
        message_key = key(area.group, area.id, message.kind, label, BY_DATE, caliber)
        before = self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)
        if int(days.date[-1].astype(np.int64)) >= last:  # until its last day is closed a period grows: no revision
            self._judge.revise(message_key, before, digest, "late or corrected readings", received)

    def _dust(self, area: str, days: law.DayVerdicts) -> np.ndarray:
        """bool[D]: confirmed dust days."""
        marks = np.zeros(len(days), np.bool_)
        if self._judge.decisions("dust-day"):
            for n, day in enumerate(days.date.astype(np.int64).tolist()):
                marks[n] = self._judge.areas.dust(area, day)[1]
        return marks

    # ---- against last year

    def _say_change(self, area: Area, kind: str, label: str) -> None:
        first, last = span_of(label)
        now = self._days.span(area.id, first, last)
        if now is None:
            return
        through = int(now.date[-1].astype(np.int64))
        before_first, before_through = _year_before(first), _year_before(through)
        if _is_month_end(through):
            before_through = _month_end(before_through)
        before = self._days.span(area.id, before_first, before_through)
        if before is None:
            return
        edition = str(now.edition[-1])
        period: Any = kind
        both = []
        for days in (now, before):
            dust = self._dust(area.id, days)
            same = law.under(days, edition)
            deducted = law.without_dust(same, dust) if dust.any() else same
            good, valid = int(same.good.sum()), int(same.valid.sum())
            indices = {
                p: law.period_index(deducted, period, p, provisional=True, edition=edition) for p in law.PROFILES
            }
            means = {
                f: one.percentile if f in ("CO", "O3") else one.mean
                for f, one in law.statistics(deducted, period, edition=edition).items()
            }
            both.append((good, valid, indices, means))
        (good, valid, indices, means), (good_b, valid_b, indices_b, means_b) = both
        ratio, ratio_b = law.good_ratio(good, valid, edition), law.good_ratio(good_b, valid_b, edition)
        message = AirChange(
            group=area.group, area=area.id, period=label, time=times.day_start(first), through=str(now.date[-1]),
            against=label_of(kind, times.date_of(before_first)), edition=edition, dust=KEEP,
            index={p: _rate(_total(indices[p]), _total(indices_b[p]), edition) for p in law.PROFILES},
            ratio_points=None if ratio is None or ratio_b is None else float(law.points(ratio, ratio_b)),
            concentrations={f: _rate(means[f], means_b[f], edition) for f in FACTORS},
            good=good, good_before=good_b, valid=valid, valid_before=valid_b,
            ruleset=f"air-{edition}", registry="", revision="",
        )  # fmt: skip
        self._say(message, key(area.group, area.id, "air-change", label, BY_DATE, KEEP))

    # ---- townships

    def _rank(self, district: Area, label: str, received: int) -> None:
        """Townships by composite index, those without enough days shown as provisional (§3.4)."""
        registry = self._judge.registry
        assert registry is not None
        first, last = span_of(label)
        townships = [a.id for a in registry.areas if a.within == district.id]
        spans = {t: self._days.span(t, first, last) for t in townships}
        through = max((int(d.date[-1].astype(np.int64)) for d in spans.values() if d is not None), default=first)
        period: Any = "month" if "-" in label else "year"
        for profile in law.PROFILES:
            values: dict[str, Fraction | None] = {}
            certain = True
            for township, days in spans.items():
                if days is None:
                    values[township] = None
                    continue
                dust = self._dust(township, days)
                counted = law.without_dust(days, dust) if dust.any() else days
                values[township] = _total(law.period_index(counted, period, profile, provisional=True))
                certain = certain and law.period_index(counted, period, profile, measured=days) is not None
            places = law.rank(values)
            message = AirRanking(
                group=district.group, area=district.id, period=label, time=times.day_start(first),
                through=times.date_of(through).isoformat(), profile=profile, dust=DEDUCT, provisional=not certain,
                places=[(p.rank, p.name, None if p.value is None else float(p.value)) for p in places],
                ruleset=f"air-{profile}", registry="", revision="",
            )  # fmt: skip
            self._say(message, key(district.group, district.id, "air-ranking", label, profile, DEDUCT))

    def _say(self, message: AirChange | AirRanking | AirBudget, message_key: bytes) -> None:
        digest = digest_of(encode(message).hex())
        registry = self._judge.registry
        assert registry is not None
        message.revision, message.registry = digest, registry.digest
        self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)

    # ---- budget

    def _budget(self, area: Area, end: int) -> None:
        """What the rest of the day and of the year may bring, of an area that owes good-air days."""
        day = times.day_of(end)
        date = times.date_of(day)
        task = self._task(area, date.year)
        now_ms = self._judge.now_ms
        assert now_ms is not None
        if task is None or day < times.day_of(now_ms // 1000 - 7200):  # of a day that is over nobody asks any more
            return
        registry = self._judge.registry
        assert registry is not None
        edition = law.edition_for(date)
        plan, _ = self._judge.areas.plan(area.id, day)
        hours, _, _ = self._judge.areas.hours_of(area.id, day, day)
        elapsed = times.hour_index(end) + 1
        found = law.day_budget(hours[:, 0], elapsed, edition, plan_not_monitored=plan)
        closed = last_closed(now_ms // 1000)
        year_first, year_last = span_of(f"{date.year}")
        days = self._days.span(area.id, year_first, year_last)
        good = 0 if days is None else int(days.good.sum())
        polluted = 0 if days is None else int(days.polluted.sum())
        left = year_last - max(closed, year_first - 1)
        unknown = 0 if days is None else int(days.date[0].astype(np.int64)) - year_first
        if days is None:
            unknown = max(closed, year_first - 1) - year_first + 1
        year = law.year_budget_days(good, left, int(Fraction(task.value)), unknown=unknown)
        message = AirBudget(
            group=area.group, area=area.id, time=end, period=hour_label(end), edition=edition,
            state=found.state, hours_left=found.hours_left,
            pollutants={
                one.pollutant: {
                    "state": one.state,
                    "at_most": None if one.at_most is None else fixed.text_of(one.at_most),
                    "ceiling": fixed.text_of(one.ceiling),
                }
                for one in found.pollutants
            },
            year={
                "task": task.value, "good": good, "polluted": polluted, "days_left": left, "state": year.state,
                "unknown": unknown, "polluted_left": year.polluted_left,
                "needed": None
                if year.needed is None
                else fixed.text_of(fixed.half_even_int(year.needed.numerator * 100, year.needed.denominator), 2),
            },
            ruleset=f"air-{edition}", registry="", revision="",
        )  # fmt: skip
        self._say(message, key(area.group, area.id, "air-budget", date.isoformat(), edition, KEEP))

    def _task(self, area: Area, year: int) -> Task | None:
        registry = self._judge.registry
        assert registry is not None
        for task in registry.tasks_of(year):
            if task.kind == "good_days" and task.subject == area.id:
                return task
        return None


def label_of(kind: str, date: dt.date) -> str:
    """``2026-03``, ``2026-Q1`` or ``2026``."""
    if kind == "month":
        return f"{date.year:04d}-{date.month:02d}"
    return f"{date.year:04d}-Q{(date.month + 2) // 3}" if kind == "quarter" else f"{date.year:04d}"


def span_of(label: str) -> tuple[int, int]:
    """First and last day number of a period by its label."""
    year = int(label[:4])
    if "Q" in label:
        first, length = 3 * int(label[-1]) - 2, 3
    elif "-" in label:
        first, length = int(label[5:]), 1
    else:
        first, length = 1, 12
    after = first + length
    begin = times.day_number(dt.date(year, first, 1))
    end = times.day_number(dt.date(year + (after > 12), (after - 1) % 12 + 1, 1)) - 1
    return begin, end


def _year_before(day: int) -> int:
    date = times.date_of(day)
    leap = date.month == 2 and date.day == 29
    return times.day_number(date.replace(year=date.year - 1, day=28 if leap else date.day))


def _is_month_end(day: int) -> bool:
    return times.date_of(day + 1).day == 1


def _month_end(day: int) -> int:
    """The last day of the month a day is in: the whole of February against the whole of February."""
    return span_of(label_of("month", times.date_of(day)))[1]


def _total(found: law.Composite | None) -> Fraction | None:
    return None if found is None else found.total


def _rate(now: Fraction | None, before: Fraction | None, edition: str) -> float | None:
    if now is None or before is None:
        return None
    rate = law.change_rate(now, before, edition)
    return None if rate is None else float(rate)


def _text(value: Fraction | None) -> str | None:
    """The decimal text of a fraction that is a decimal, as rounded values are."""
    if value is None:
        return None
    return fixed.text_of(fixed.half_even_int(value.numerator * 1000, value.denominator))
