"""Days of an outlet as such: limits on day means, flow-weighted days of waste water, what stands for missing days."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from agents.emission.filled import Filled
from agents.emission.plan import Bound, Plan, strictest
from schemas import times
from schemas.messages_emission import Judged
from standards.emission import gas, water
from standards.emission import hours as law
from standards.emission.exact import Exact, from_numbers, text
from standards.emission.limits import BINDING, KINDS
from standards.emission.rules import constant_of, minimum
from standards.fixed import MISSING, Ints

if TYPE_CHECKING:
    from agents.emission.cells import Hour
    from agents.emission.judge import EmissionJudge

HOURS = 24
FILLED_BY_DAY = 0
"""Rule of a day of waste water that stands for one without value."""


class DayLimits:
    """Judges days."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge
        self._known: dict[tuple[str, int], dict[str, water.WaterDays]] = {}

    def judge(self, plan: Plan, day: int) -> dict[str, Judged]:
        """Verdicts of the factors that have limits on days."""
        bounds = self._bounds(plan, day)
        if not bounds:
            return {}
        hours = self._judge.hours_of(plan.source, day)
        if plan.medium == "water":
            return self._water(plan, bounds, hours, day)
        return {name: self._gas(name, rows, hours) for name, rows in bounds.items()}

    def _bounds(self, plan: Plan, day: int) -> dict[str, list[Bound]]:
        """Limits on days, and orders that hold for the whole day."""
        found: dict[str, list[Bound]] = {}
        orders = self._judge.marks.orders(plan, times.day_end(day))
        start = self._judge.marks.orders(plan, times.day_start(day) + times.HOUR_S)
        for channel in plan.channels:
            rows = [b for b in plan.bounds.get(channel.name, ()) if b.averaging == "day"]
            both = [b for b in orders.get(channel.name, ()) if b in start.get(channel.name, ())]
            rows += [b for b in both if b.averaging == "day"]
            if rows:
                found[channel.name] = rows
        return found

    # ---- gas

    def _gas(self, name: str, bounds: list[Bound], hours: dict[int, Hour]) -> Judged:
        """The mean of the valid hours that are not exempt; too few of them, no mean (F15)."""
        values = [
            hour.value_of(name) if hour is not None and not self._judge.is_exempt(hour, name) else None
            for hour in (hours.get(h) for h in range(HOURS))
        ]
        row = _row(values)
        found = gas.mean(row, ~row.missing, minimum("min_hours_day")).fractions()[0]
        return _against(found, bounds, "" if found is not None else "values")

    # ---- water

    def _water(self, plan: Plan, bounds: dict[str, list[Bound]], hours: dict[int, Hour], day: int) -> dict[str, Judged]:
        temperature = _temperature(hours)
        found = {}
        for name, rows in bounds.items():
            if any(b.least is not None for b in rows):
                found[name] = _range(name, rows, hours)
                continue
            days = self._days(plan, name, [day])
            if not days.discharged[0]:
                found[name] = Judged(law.VERDICTS[law.NOT_APPLICABLE], reason="no-discharge")
                continue
            value = days.mean.fractions()[0]
            found[name] = _against(value, rows, "" if value is not None else "values", temperature)
        return found

    def _days(self, plan: Plan, name: str, days: list[int]) -> water.WaterDays:
        """Days of a factor, flow-weighted; each is derived once and remembered until an hour of it changes."""
        one = [self._day(plan, day)[name] for day in days]
        return water.WaterDays(
            mean=_joined([each.mean for each in one]),
            count=np.concatenate([each.count for each in one]),
            due=np.concatenate([each.due for each in one]),
            volume=_joined([each.volume for each in one]),
            discharged=np.concatenate([each.discharged for each in one]),
            valid=np.concatenate([each.valid for each in one]),
        )

    def _day(self, plan: Plan, day: int) -> dict[str, water.WaterDays]:
        found = self._known.get((plan.source, day))
        if found is None:
            hours = self._judge.hours_of(plan.source, day)
            there = [hours.get(h) for h in range(HOURS)]
            flows = [hour.measured_of("flow") if hour is not None else None for hour in there]
            volume = _row([flow * 18 / 5 if flow is not None else None for flow in flows])  # L/s over an hour: m³ (F12)
            found = self._known[plan.source, day] = {
                c.name: water.days(_row([h.value_of(c.name) if h is not None else None for h in there]), volume, HOURS)
                for c in plan.channels
                if c.weighed
            }
        return found

    def forget(self, outlet: str, day: int) -> None:
        """An hour of a day changed."""
        self._known.pop((outlet, day), None)

    def on_registry(self) -> None:
        """Channels may be others."""
        self._known = {}

    def means(self, plan: Plan, first: int, through: int) -> dict[str, str | None]:
        """Month means of waste water, flow-weighted over valid days (HJ 356)."""
        if plan.medium != "water":
            return {}
        known = [d for d in range(first, through + 1) if d in self._judge.ledger.days(plan.source)]
        found: dict[str, str | None] = {}
        for channel in plan.channels:
            if channel.weighed and channel.name in plan.bounds and known:
                days = self._days(plan, channel.name, known)
                found[channel.name] = text(water.months(days, through - first + 1).mean.fractions()[0], 4)
        return found

    def fill_water(self, plan: Plan, first: int, through: int, amount: Ints, factors: tuple[str, ...]) -> Filled:
        """Discharges of days: the valid mean times all water; one without value takes the largest valid day (§3.2)."""
        count, n = through - first + 1, len(factors)
        total, measured, gaps = (np.zeros((count, n), np.int64) for _ in range(3))
        filled_days = np.zeros((count, n), np.int64)
        for f, name in enumerate(factors):
            if name == "flow":
                own = amount[:, f].reshape(count, HOURS)
                there = own != MISSING
                total[:, f] = measured[:, f] = np.where(there, own, 0).sum(axis=1)
                gaps[:, f] = (~there).sum(axis=1)
                continue
            mass = self._days(plan, name, list(range(first, through + 1))).mass_ug()
            whole = water.fill_days(mass)
            own_day = mass != MISSING
            total[:, f] = np.where(whole != MISSING, whole, 0)
            measured[:, f] = np.where(own_day, mass, 0)
            gaps[:, f] = whole == MISSING
            filled_days[:, f] = ~own_day & (whole != MISSING)
        return Filled(first, through, factors, total, measured, gaps, {FILLED_BY_DAY: filled_days})


def _row(values: list[Fraction | None]) -> Exact:
    """One day's hours."""
    row = from_numbers(values)
    return Exact(row.num[None, :], row.den[None, :])


def _joined(parts: list[Exact]) -> Exact:
    """Days one after the other."""
    return Exact(
        *(
            np.concatenate([np.atleast_1d(each) for each in side])
            for side in zip(*((p.num, p.den) for p in parts), strict=True)
        )
    )


def _temperature(hours: dict[int, Hour]) -> Fraction | None:
    """Mean water temperature of a day, of what there is."""
    return water.day_temperature(_row([hours[h].value_of("T") for h in sorted(hours)] or [None])).fractions()[0]


def _against(value: Fraction | None, bounds: list[Bound], reason: str, temperature: Fraction | None = None) -> Judged:
    """A day's value against its limits; NH3-N by the temperature of its water."""
    code = law.UNUSABLE
    kinds: dict[str, str] = {}
    cold = temperature is not None and temperature <= constant_of("cold_water_at_most")
    tight = strictest(bounds, "day")
    limit: Fraction | None = None
    if value is not None:
        code = law.NO_LIMIT
        binding = []
        for b in bounds:
            most = b.cold if cold and b.cold is not None else b.most
            verdict = law.EXCEED if most is not None and value > most else law.OK
            kinds[b.kind] = max(law.VERDICTS[verdict], kinds.get(b.kind, ""), key=_worse)
            if b.kind in BINDING:
                binding.append((verdict, most))
        if binding:
            code = law.EXCEED if any(v == law.EXCEED for v, _ in binding) else law.OK
            limit = min(most for _, most in binding if most is not None)
    places = tight.places + 1 if tight is not None else 4
    return Judged(
        verdict=law.VERDICTS[code],
        value=text(value, places),
        limit=text(limit, tight.places) if limit is not None and tight is not None else tight.text if tight else None,
        ratio=text(value / limit, 3) if value is not None and limit else None,
        reason=reason,
        limits=dict(sorted(kinds.items())),
        numbers={b.kind: b.text for b in sorted(bounds, key=lambda b: KINDS.index(b.kind))},
    )


def _worse(verdict: str) -> int:
    return ("", "OK", "EXCEED").index(verdict)


def _range(name: str, bounds: list[Bound], hours: dict[int, Hour]) -> Judged:
    """pH: a day exceeds by the share of its valid hours that are outside (a project default, §4.3)."""
    values = [v for h in sorted(hours) if (v := hours[h].value_of(name)) is not None]
    if not values:
        return Judged(law.VERDICTS[law.UNUSABLE], reason="values")
    kinds = {}
    for b in bounds:
        outside = sum((b.most is not None and v > b.most) or (b.least is not None and v < b.least) for v in values)
        kinds[b.kind] = "EXCEED" if water.share_exceeds(outside, len(values)) else "OK"
    binding = [kinds[kind] for kind in kinds if kind in BINDING]
    verdict = "EXCEED" if "EXCEED" in binding else "OK" if binding else law.VERDICTS[law.NO_LIMIT]
    return Judged(
        verdict=verdict,
        value=text(sum(values, Fraction()) / len(values), 2),
        limit=bounds[0].text,
        limits=dict(sorted(kinds.items())),
        numbers={b.kind: b.text for b in bounds},
    )
