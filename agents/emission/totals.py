"""Amounts and shares of time: days, months and years of outlets, and of enterprises against their permits.

All of it is derived from the ledger. A change re-derives the year of its outlet, and the years after it as far as the
look-back of substitution reaches (2 160 valid hours); what comes out otherwise than before is published again. A period
that still grows replaces itself without a revision; of one that is over each change is a revision with its cause.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from agents.emission.day_limits import DayLimits
from agents.emission.filled import DayFacts, Filled, amount_factors, facts_of
from agents.emission.judging import LATE, RULESET
from agents.emission.plan import Plan
from agents.emission.when import last_closed, split
from schemas import times, topics
from schemas.messages import BEGAN, CONTINUES, ENDED, Condition, key
from schemas.messages_emission import (
    MONTH,
    YEAR,
    Amount,
    EnterpriseDay,
    EnterpriseYear,
    OutletDay,
    OutletPeriod,
    Projected,
)
from standards.emission import rates, substitution, totals
from standards.emission.exact import text
from standards.fixed import MISSING, Ints
from streams.state.judge import digest_of
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

PERMIT: Final = "permit"
HOURS: Final = 24
_LOOK_BACK_H: Final = 2160
"""Valid hours that substitution looks back on at most; twice as many hours are given, for not all of them are valid."""


def _decode(row: bytes) -> str:
    return row.decode()


class Totals:
    """Derives what rests on closed days."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge
        self._said: Shelf[str] = judge.keep(Shelf("t", _decode, str.encode))
        self._permits: Shelf[str] = judge.keep(Shelf("p", _decode, str.encode))  # level of the open condition
        self._years: dict[tuple[str, int], Filled] = {}
        self._dirty: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)  # outlet: day: received, cause
        self._known: dict[tuple[str, int], tuple[tuple[str, ...], DayFacts]] = {}
        self.days = DayLimits(judge)

    def changed(self, outlet: str, day: int, received: int, cause: str) -> None:
        """An hour of a day is another one now."""
        self._known.pop((outlet, day), None)
        self.days.forget(outlet, day)
        before = self._dirty[outlet].get(day, (0, ""))
        self._dirty[outlet][day] = (max(received, before[0]), cause or before[1])

    def on_registry(self) -> None:
        """Limits, permits and channels may be others."""
        self._years, self._known = {}, {}
        self.days.on_registry()

    def derive(self) -> None:
        """Closed days that changed, and what rests on them."""
        if not self._dirty or self._judge.now_ms is None:
            return
        last = last_closed(self._judge.now_ms // 1000)
        ready = {o: {d: why for d, why in days.items() if d <= last} for o, days in self._dirty.items()}
        self._dirty = defaultdict(dict)
        ready = {o: days for o, days in ready.items() if days}
        if ready:
            self._derive(ready, last)

    def close(self, day: int) -> None:
        """A day is over: every outlet has one, also one nobody spoke of."""
        for outlet in self._judge.plans.outlets(day):
            plan = self._judge.plans.at(outlet.id, day)
            if self._judge.is_mine(plan.group) and min(self._judge.ledger.days(outlet.id), default=day + 1) <= day:
                self.changed(outlet.id, day, 0, "")
        self.derive()

    # ---- deriving

    def _derive(self, ready: dict[str, dict[int, tuple[int, str]]], last: int) -> None:
        enterprises: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)
        for outlet in sorted(ready):
            days = ready[outlet]
            for year in self._years_of(min(days), last):
                for day, why in self._outlet_year(outlet, year, days, last).items():
                    whose = self._judge.plans.at(outlet, day).enterprise
                    if whose:
                        enterprises[whose][day] = max(why, enterprises[whose].get(day, (0, "")))
        for enterprise in sorted(enterprises):
            self._enterprise(enterprise, enterprises[enterprise], last)

    def _years_of(self, day: int, last: int) -> list[int]:
        """The year of a day, and those after it that may look back on it."""
        first, end = times.date_of(day).year, times.date_of(last).year
        return list(range(first, end + 1))

    def _outlet_year(
        self, outlet: str, year: int, days: dict[int, tuple[int, str]], last: int
    ) -> dict[int, tuple[int, str]]:
        """Derive a year of an outlet; the days that came out otherwise, and why."""
        known = self._judge.ledger.days(outlet)
        if not known:
            return {}
        begin, end = _span(year)
        first, through = max(begin, min(known)), min(end, last)
        if first > through:
            return {}
        filled = self._fill(outlet, first, through)
        before = self._years.get((outlet, year))
        self._years[outlet, year] = filled
        newest = max(days.values())
        touched: dict[int, tuple[int, str]] = {}
        for day in range(first, through + 1):
            if day in days:
                touched[day] = days[day]
            elif before is None or not before.same_day(filled, day):
                touched[day] = newest
        for day, why in touched.items():
            self._say_day(outlet, filled, day, why)
        months = sorted({_month_of(day) for day in touched})
        for month in months:
            why = max(touched[day] for day in touched if _month_of(day) == month)
            self._say_period(outlet, filled, MONTH, *month, why)
        if touched:
            self._say_period(outlet, filled, YEAR, f"{year:04d}", begin, end, max(touched.values()))
        return touched

    # ---- amounts

    def _fill(self, outlet: str, first: int, through: int) -> Filled:
        plan = self._judge.plans.at(outlet, through)
        back = max(min(self._judge.ledger.days(outlet)), first - 2 * _LOOK_BACK_H // HOURS)
        factors = amount_factors(plan)
        facts = [self._facts(outlet, day, factors) for day in range(back, through + 1)]
        amount, still = (np.concatenate(each) for each in zip(*((one.amount, one.still) for one in facts), strict=True))
        if plan.medium == "water":
            return self.days.fill_water(plan, first, through, amount[(first - back) * HOURS :], factors)
        count, n = through - first + 1, len(factors)
        total, measured, gaps = (np.zeros((count, n), np.int64) for _ in range(3))
        rules: dict[int, Ints] = {}
        captured: dict[int, list[Fraction | None]] = {}
        for begin, end in _quarters(first, through):
            at, stop = (begin - back) * HOURS, (end - back + 1) * HOURS
            rows = slice(begin - first, end - first + 1)
            held: list[Fraction | None] = []
            for f in range(n):
                part, stands = amount[at:stop, f], still[at:stop, f]
                invalid = int(((part == MISSING) & ~stands).sum())
                rate = substitution.capture_rate(stop - at, invalid, int(stands.sum()))
                held.append(rate)
                filled = substitution.fill(amount[:stop, f], still[:stop, f], rate, start=at)
                there = filled.amounts != MISSING
                own = there & (filled.rule == 0)
                by_day = (-1, HOURS)
                total[rows, f] = np.where(there, filled.amounts, 0).reshape(by_day).sum(axis=1)
                measured[rows, f] = np.where(own, filled.amounts, 0).reshape(by_day).sum(axis=1)
                gaps[rows, f] = (~there).reshape(by_day).sum(axis=1)
                for rule in np.unique(filled.rule[filled.rule > 0]).tolist():
                    counts = rules.setdefault(rule, np.zeros((count, n), np.int64))
                    counts[rows, f] = (filled.rule == rule).reshape(by_day).sum(axis=1)
            captured[begin] = held
        return Filled(first, through, factors, total, measured, gaps, rules, captured)

    def _facts(self, outlet: str, day: int, factors: tuple[str, ...]) -> DayFacts:
        """A day of the ledger as totals need it, remembered until an hour of it changes."""
        found = self._known.get((outlet, day))
        if found is None or found[0] != factors:
            row = self._judge.ledger.get(outlet, day) if day in self._judge.ledger.days(outlet) else None
            facts = facts_of(self._judge.plans.at(outlet, day), factors, row)
            self._judge.ledger.rest(outlet, day)
            found = self._known[outlet, day] = factors, facts
        return found[1]

    def amounts_of(self, filled: Filled, first: int, through: int) -> dict[str, Amount]:
        """Amounts over some days."""
        rows = slice(max(first, filled.first) - filled.first, min(through, filled.through) - filled.first + 1)
        found = {}
        for f, name in enumerate(filled.factors):
            by = {rule: int(counts[rows, f].sum()) for rule, counts in sorted(filled.rules.items())}
            found[name] = Amount(
                total=int(filled.total[rows, f].sum()),
                measured=int(filled.measured[rows, f].sum()),
                filled={str(rule) if rule else "day": n for rule, n in by.items() if n},
                gaps=int(filled.gaps[rows, f].sum()),
            )
        return found

    # ---- saying

    def _say(self, message: msgspec.Struct, message_key: bytes, why: tuple[int, str], grows: bool) -> None:
        """Publish what is not what was said; of a period that is over, with a revision."""
        digest = digest_of(repr(message))
        name = message_key.decode()
        before = self._said.get(name)
        if before == digest:
            return
        self._said.put(name, digest)
        registry = self._judge.registry
        assert registry is not None
        message.registry, message.revision = registry.digest, digest  # type: ignore[attr-defined]
        self._judge.publish(topics.VERDICTS, message_key, message)
        if not grows:
            self._judge.revise(message_key, before, digest, why[1] or LATE, why[0])

    def _say_day(self, outlet: str, filled: Filled, day: int, why: tuple[int, str]) -> None:
        plan = self._judge.plans.at(outlet, day)
        if not plan.group:
            return
        label = times.date_of(day).isoformat()
        online = self._online(plan, day)
        message = OutletDay(
            group=plan.group, enterprise=plan.enterprise, outlet=outlet, period=label, time=times.day_start(day),
            amounts=self.amounts_of(filled, day, day), items=self.days.judge(plan, day),
            hours=self._shares(plan, day, day).verdicts, online_minutes=online[0], minutes=online[1], ruleset=RULESET,
            registry="", revision="",
        )  # fmt: skip
        self._say(message, key(plan.group, outlet, message.kind, label), why, grows=False)

    def _say_period(
        self, outlet: str, filled: Filled, kind: str, label: str, first: int, last: int, why: tuple[int, str]
    ) -> None:
        through = min(last, filled.through)
        plan = self._judge.plans.at(outlet, through)
        if not plan.group:
            return
        shares = self._shares(plan, first, through)
        online = [self._online(plan, day) for day in range(max(first, filled.first), through + 1)]
        transmission = rates.transmission(*shares.counts)
        quarter = next((held for begin, held in filled.captured.items() if begin <= through < begin + 92), [])
        message = OutletPeriod(
            kind=kind,
            group=plan.group,
            enterprise=plan.enterprise,
            outlet=outlet,
            period=label,
            time=times.day_start(first),
            through=times.date_of(through).isoformat(),
            amounts=self.amounts_of(filled, first, through),
            hours=shares.counts[0],
            standstill=shares.counts[1],
            received=shares.counts[2],
            valid=shares.counts[3],
            transmission=_percent(transmission.transmission if transmission else None),
            effective=_percent(transmission.effective if transmission else None),
            product=_percent(transmission.product if transmission else None),
            meets=transmission.meets if transmission else None,
            ultra_low=shares.ultra_low,
            verdicts=shares.verdicts,
            means=self.days.means(plan, first, through) if kind == MONTH else {},
            captured={name: _percent(rate) for name, rate in zip(filled.factors, quarter, strict=False)}
            if kind == MONTH and plan.medium != "water"
            else {},
            online_minutes=sum(n for n, _ in online),
            minutes=sum(n for _, n in online),
            ruleset=RULESET,
            registry="",
            revision="",
        )
        self._say(message, key(plan.group, outlet, kind, label), why, grows=through < last)

    # ---- shares of time

    def _online(self, plan: Plan, day: int) -> tuple[int, int]:
        registry = self._judge.registry
        assert registry is not None
        if plan.outlet is None:
            return 0, 0
        interval = registry.logger(plan.outlet.mn, times.date_of(day)).interval_s
        return self._judge.online(plan.source, day, interval)

    def _shares(self, plan: Plan, first: int, through: int) -> _Shares:
        """Hours due, received and valid of the required factors, the ultra-low share of each, hours by verdict."""
        due = [0, 0, 0, 0]
        ultra: dict[str, list[int]] = {}
        verdicts: dict[str, dict[str, int]] = {}
        factors = amount_factors(plan)
        for day in range(max(first, min(self._judge.ledger.days(plan.source))), through + 1):
            facts = self._facts(plan.source, day, factors)
            due = [one + more for one, more in zip(due, facts.due, strict=True)]
            for name, counted in facts.ultra.items():
                held = ultra.setdefault(name, [0, 0])
                held[0], held[1] = held[0] + counted[0], held[1] + counted[1]
            for name, counts in facts.verdicts.items():
                into = verdicts.setdefault(name, {})
                for word, n in counts.items():
                    into[word] = into.get(word, 0) + n
        found: dict[str, tuple[int, int, str | None, bool | None]] = {}
        for name, (count, over) in sorted(ultra.items()):
            share = rates.ultra_low(count, over)
            found[name] = (count, over, None if share.share is None else text(share.share, 3), share.passes)
        return _Shares((due[0], due[1], due[2], due[3]), found, verdicts)

    # ---- enterprises

    def _enterprise(self, enterprise: str, days: dict[int, tuple[int, str]], last: int) -> None:
        for day, why in sorted(days.items()):
            self._say_enterprise_day(enterprise, day, why)
        for year in sorted({times.date_of(day).year for day in days}):
            why = max(w for day, w in days.items() if times.date_of(day).year == year)
            self._say_enterprise_year(enterprise, year, last, why)

    def _counted(self, enterprise: str, day: int) -> list[str]:
        """Outlets whose amounts count: the main ones that emit; an inlet emits nothing."""
        found = []
        for outlet in self._judge.plans.outlets(day):
            if outlet.enterprise == enterprise and outlet.main and self._judge.plans.at(outlet.id, day).judged:
                found.append(outlet.id)
        return found

    def _sum(self, outlets: list[str], year: int, first: int, through: int) -> dict[str, Amount]:
        found: dict[str, Amount] = {}
        for outlet in outlets:
            filled = self._year_of(outlet, year)
            if filled is None or filled.first > through:
                continue
            for name, amount in self.amounts_of(filled, max(first, filled.first), through).items():
                if name == "flow":  # gas and water do not add up
                    continue
                held = found.setdefault(name, Amount(0, 0))
                held.total, held.measured = held.total + amount.total, held.measured + amount.measured
                held.gaps += amount.gaps
                for rule, n in amount.filled.items():
                    held.filled[rule] = held.filled.get(rule, 0) + n
        return found

    def _year_of(self, outlet: str, year: int) -> Filled | None:
        found = self._years.get((outlet, year))
        if found is None and self._judge.ledger.days(outlet) and self._judge.now_ms is not None:
            begin, end = _span(year)
            first = max(begin, min(self._judge.ledger.days(outlet)))
            through = min(end, last_closed(self._judge.now_ms // 1000))
            if first <= through:
                found = self._years[outlet, year] = self._fill(outlet, first, through)
        return found

    def _say_enterprise_day(self, enterprise: str, day: int, why: tuple[int, str]) -> None:
        registry = self._judge.registry
        assert registry is not None
        outlets = self._counted(enterprise, day)
        label, group = times.date_of(day).isoformat(), registry.enterprise(enterprise).group
        amounts = self._sum(outlets, times.date_of(day).year, day, day)
        message = EnterpriseDay(
            group=group, enterprise=enterprise, period=label, time=times.day_start(day), amounts=amounts,
            outlets=outlets, ruleset=RULESET, registry="", revision="",
        )  # fmt: skip
        self._say(message, key(group, enterprise, message.kind, label), why, grows=False)

    def _say_enterprise_year(self, enterprise: str, year: int, last: int, why: tuple[int, str]) -> None:
        registry = self._judge.registry
        assert registry is not None
        begin, end = _span(year)
        through = min(end, last)
        outlets = self._counted(enterprise, through)
        amounts = self._sum(outlets, year, begin, through)
        group, label = registry.enterprise(enterprise).group, f"{year:04d}"
        permits = {}
        for factor, tonnes in sorted(registry.permit_tonnes(enterprise, year).items()):
            if factor in amounts and Fraction(tonnes) > 0:
                permits[factor] = self._project(Fraction(tonnes), factor, amounts, outlets, year, through)
        message = EnterpriseYear(
            group=group, enterprise=enterprise, period=label, time=times.day_start(begin),
            through=times.date_of(through).isoformat(), amounts=amounts, permits=permits, outlets=outlets,
            ruleset=RULESET, registry="", revision="",
        )  # fmt: skip
        self._say(message, key(group, enterprise, message.kind, label), why, grows=through < end)
        for factor, projected in permits.items():
            self._permit_condition(enterprise, group, factor, year, projected, through, why[0])

    def _project(
        self, permit: Fraction, factor: str, amounts: dict[str, Amount], outlets: list[str], year: int, through: int
    ) -> Projected:
        days = self._daily(factor, outlets, year, through)
        used = totals.tonnes(amounts[factor].total)
        daily = totals.mean_per_day(days) or Fraction(0)
        weekly = totals.mean_per_day(days, short=True) or Fraction(0)
        start = times.date_of(through) + dt.timedelta(days=1)
        over = start.year != year  # the year is over: nothing is to come
        found = totals.project(permit, used, Fraction(0) if over else daily, times.date_of(through) if over else start)
        return Projected(
            permit_t=_tonnes(permit),
            used_t=_tonnes(used),
            daily_t=_tonnes(daily),
            weekly_t=_tonnes(weekly),
            year_end_t=_tonnes(found.year_end),
            used_percent=_percent(found.used) or "",
            of_year_percent=_percent(Fraction(1) if over else found.of_year) or "",
            exceeds_on=found.exceeds_on.isoformat() if found.exceeds_on is not None else None,
            already=found.already,
            this_year=found.this_year,
            level=found.level,
        )

    def _daily(self, factor: str, outlets: list[str], year: int, through: int) -> list[int]:
        """What the outlets emitted together on each of the last days, µg; days before the first of all are none."""
        begin = through - 29
        days = np.zeros(30, np.int64)
        known = np.zeros(30, np.bool_)
        for outlet in outlets:
            for of in (year - 1, year):
                filled = self._year_of(outlet, of)
                if filled is None or factor not in filled.factors:
                    continue
                f = filled.factors.index(factor)
                low, high = max(begin, filled.first), min(through, filled.through)
                if low <= high:
                    part = slice(low - begin, high - begin + 1)
                    days[part] += filled.total[low - filled.first : high - filled.first + 1, f]
                    known[part] = True
        return [int(n) for n, there in zip(days.tolist(), known.tolist(), strict=True) if there]

    def _permit_condition(
        self, enterprise: str, group: str, factor: str, year: int, projected: Projected, through: int, at_ms: int
    ) -> None:
        name = f"{enterprise}|{factor}|{year}"
        before = self._permits.get(name) or ""
        if projected.level == before:
            return
        self._permits.put(name, projected.level)
        registry = self._judge.registry
        assert registry is not None
        begin = times.day_start(_span(year)[0])
        detail = {
            "name": registry.enterprise(enterprise).name, "permit_t": projected.permit_t, "used_t": projected.used_t,
            "used_percent": projected.used_percent, "exceeds_on": projected.exceeds_on or "",
        }  # fmt: skip
        self._judge.condition(
            Condition(
                id=f"{group}|{enterprise}|{PERMIT}|{factor}|{begin}",
                state=(CONTINUES if before else BEGAN) if projected.level else ENDED,
                rule=PERMIT,
                group=group,
                subject=enterprise,
                factor=factor,
                since=begin,
                until=times.day_end(through),
                now=max(times.day_end(through) * 1000, at_ms),
                origin="",
                level=projected.level or before,
                detail=detail,
                ruleset=RULESET,
                registry=registry.digest,
            )
        )

    def grow_old(self, before_year: int) -> None:
        """Years before are forgotten."""
        self._years = {at: held for at, held in self._years.items() if at[1] >= before_year}
        for name in self._said.names():
            if int(name.rpartition("|")[2][:4]) < before_year:
                self._said.drop(name)
        for name in self._permits.names():
            if split(name)[1] < before_year:
                self._permits.drop(name)


@dataclass(frozen=True)
class _Shares:
    counts: tuple[int, int, int, int]
    ultra_low: dict[str, tuple[int, int, str | None, bool | None]]
    verdicts: dict[str, dict[str, int]]


def _span(year: int) -> tuple[int, int]:
    """First and last day number of a year."""
    return times.day_number(dt.date(year, 1, 1)), times.day_number(dt.date(year, 12, 31))


def _month_of(day: int) -> tuple[str, int, int]:
    """Label, first and last day number of the month of a day."""
    date = times.date_of(day)
    first = dt.date(date.year, date.month, 1)
    after = dt.date(date.year + date.month // 12, date.month % 12 + 1, 1)
    return f"{date.year:04d}-{date.month:02d}", times.day_number(first), times.day_number(after) - 1


def _quarters(first: int, through: int) -> list[tuple[int, int]]:
    """First and last day of the quarters, or parts of them, from one day to another."""
    found = []
    while first <= through:
        date = times.date_of(first)
        month = (date.month - 1) // 3 * 3 + 4
        after = times.day_number(dt.date(date.year + (month > 12), (month - 1) % 12 + 1, 1))
        found.append((first, min(after - 1, through)))
        first = after
    return found


def _percent(share: Fraction | None) -> str | None:
    return text(None if share is None else 100 * share, 3)


def _tonnes(tonnes: Fraction) -> str:
    return text(tonnes, 6) or "0"
