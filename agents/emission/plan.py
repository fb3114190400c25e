"""What the registry says of a source on a day: factors and their columns, limits, meters, whose marking rules hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Final

from schemas import blocks, hj212_codes, times, units
from schemas.registry import PROCESSES, Limit, Meter, Outlet, Registry
from standards.emission import marks
from standards.emission.limits import BINDING, KINDS

ZS, COU = "-Zs", "-Cou"
_SUFFIXES: Final = frozenset(
    ("Zs", "Cou", "Min", "Max", "ZsMin", "ZsMax", "ZsCou", "RawAvg", "RawMin", "RawMax", "DayData", "NightData")
)
_SUFFIXES_AS_SENT: Final = frozenset(("ValidNum", "TotalNum", "Data", "SampleRd", "StandardValue", "ResultType"))
METERS: Final = "meter"
"""Medium of a source that has meters alone."""


@dataclass(frozen=True)
class Channel:
    """A factor of an outlet.

    Attributes:
        name: of the factor.
        unit: published.
        converts: whether it is judged at reference oxygen.
        amount: whether an amount is made of it: a concentration beside a flow.
        weighed: whether its means of waste water are weighed by the flow (F14).
    """

    name: str
    unit: str
    converts: bool
    amount: bool
    weighed: bool


@dataclass(frozen=True)
class Bound:
    """A limit in the published unit of its factor, exact; as ``schemas.registry.Limit`` has it in its own."""

    kind: str
    averaging: str
    most: Fraction | None
    least: Fraction | None
    cold: Fraction | None
    text: str
    places: int


@dataclass(frozen=True)
class Plan:
    """A source on a day.

    Attributes:
        source: its id.
        group: whose partition has it, "" where nobody lists it on that day.
        enterprise: whose it is.
        medium: gas, water or meter.
        outlet: as the registry has it; None of meters alone.
        channels: its factors.
        meters: whose readings come under it.
        bounds: limits by factor, without orders.
        reference: O2 in % it converts to, None where it does not.
        plant: whose marking rules hold, None: no mark exempts.
        minutes: of a mean the logger sends.
        judged: whether it has limits at all: an inlet has none, and its amounts are no emission.
    """

    source: str
    group: str
    enterprise: str
    medium: str
    outlet: Outlet | None
    channels: tuple[Channel, ...]
    meters: tuple[Meter, ...]
    bounds: dict[str, tuple[Bound, ...]]
    reference: Fraction | None
    plant: str | None
    minutes: int
    judged: bool
    names: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """Names of the channels, then of the meters: the columns of a cell."""
        return (*(c.name for c in self.channels), *dict.fromkeys(m.factor for m in self.meters))

    @cached_property
    def of_hours(self) -> tuple[str, ...]:
        """Columns of an hour packet."""
        zs = tuple(c.name + ZS for c in self.channels if c.converts)
        moves = tuple(m.factor + s for m in self.meters if m.measures == "production" for s in ("-Min", "-Max"))
        return (*self.factors, *zs, *(c.name + COU for c in self.channels if c.amount or c.name == "flow"), *moves)

    @cached_property
    def of_means(self) -> tuple[str, ...]:
        """Columns of a mean of minutes."""
        return (*self.factors, *(c.name + ZS for c in self.channels if c.converts))

    @cached_property
    def of_instants(self) -> tuple[str, ...]:
        """Columns of an instant."""
        return self.factors

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Factors whose hours count for the transmission-effective rate: those with a limit; without any, all."""
        owed = tuple(c.name for c in self.channels if c.name in self.bounds)
        return owed or tuple(c.name for c in self.channels)

    def usual_of(self, factor: str) -> Fraction | None:
        """What is usual of a factor, to find slipped units by: the normal flow, or the strictest limit."""
        if self.outlet is None:
            return None
        if factor == "flow":
            return Fraction(self.outlet.normal_flow) if self.outlet.normal_flow else None
        found = [b.most for b in self.bounds.get(factor, ()) if b.most is not None]
        return min(found) if found and factor != "pH" else None


def base_of(name: str) -> str | None:
    """The factor of a column that is not its plain value (``SO2`` of ``SO2-Max``); None where it is the value."""
    base, dash, suffix = name.rpartition("-")
    return base if dash and suffix in _SUFFIXES | _SUFFIXES_AS_SENT else None


class Plans:
    """Looks plans up, a day at a time."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._plans: dict[tuple[str, int], Plan] = {}
        self._same: dict[tuple[object, ...], Plan] = {}  # a plan holds for many days: one object of each

    def at(self, source: str, day: int) -> Plan:
        """What a source is on a day."""
        found = self._plans.get((source, day))
        if found is None:
            date = times.date_of(day)
            outlet = self.registry.outlet_at(source, date)
            meters = tuple(m for m in self.registry.meters if m.source == source and _holds(m, date))
            limits = self.registry.limits_at(source, date) if outlet is not None else ()
            mn = outlet.mn if outlet is not None else meters[0].mn if meters else ""
            minutes = self.registry.logger(mn, date).minute_interval if mn else 10
            known: tuple[object, ...] = (source, id(outlet), tuple(map(id, meters)), tuple(map(id, limits)), minutes)
            if known not in self._same:
                self._same[known] = self._make(source, outlet, meters, limits, minutes)
            found = self._plans[source, day] = self._same[known]
        return found

    def _make(
        self, source: str, outlet: Outlet | None, meters: tuple[Meter, ...], limits: tuple[Limit, ...], minutes: int
    ) -> Plan:
        whose = outlet.enterprise if outlet is not None else meters[0].enterprise if meters else ""
        enterprise = self.registry.enterprise(whose) if whose else None
        channels: tuple[Channel, ...] = ()
        reference = None
        if outlet is not None:
            if outlet.ref_o2_pct is not None and "O2" in outlet.factors:
                reference = Fraction(outlet.ref_o2_pct)
            channels = tuple(_channel(name, outlet, reference is not None) for name in outlet.factors)
        return Plan(
            source=source,
            group=enterprise.group if enterprise is not None else "",
            enterprise=whose,
            medium=outlet.medium if outlet is not None else METERS,
            outlet=outlet,
            channels=channels,
            meters=meters,
            bounds=bounds_of(limits, {c.name: c.unit for c in channels}),
            reference=reference,
            plant=marks.plant_of(enterprise.industry, outlet.process) if outlet is not None and enterprise else None,
            minutes=minutes,
            judged=outlet is not None and PROCESSES[outlet.process].limited,
            names=frozenset((*(c.name for c in channels), *(m.factor for m in meters))),
        )

    def sources(self) -> list[str]:
        """Ids of everything that ever sends emission readings, in the order of the file."""
        return list(dict.fromkeys(s.id for s in self.registry.sources if s.kind == "emission"))

    def outlets(self, day: int) -> list[Outlet]:
        """The outlets there are on a day, in the order of the file."""
        date = times.date_of(day)
        ids = dict.fromkeys(outlet.id for outlet in self.registry.outlets)
        return [found for outlet in ids if (found := self.registry.outlet_at(outlet, date)) is not None]


def _holds(meter: Meter, date: dt.date) -> bool:
    return meter.valid_from <= date and (meter.valid_to is None or date <= meter.valid_to)


def _channel(name: str, outlet: Outlet, converting: bool) -> Channel:
    factor = hj212_codes.factor_of_name(name, outlet.medium)
    unit = factor.unit if factor is not None else ""
    concentration = unit == ("mg/m3" if outlet.medium == "gas" else "mg/L")
    amount = concentration and factor is not None and bool(factor.amount_unit) and "flow" in outlet.factors
    weighed = outlet.medium == "water" and concentration and "flow" in outlet.factors
    return Channel(name, unit, converting and concentration, amount, weighed)


def bounds_of(limits: Iterable[Limit], published: dict[str, str]) -> dict[str, tuple[Bound, ...]]:
    """Limits by factor in its published unit; those of both sides of one kind are one bound."""
    found: dict[str, dict[tuple[str, str], Bound]] = {}
    for limit in limits:
        ratio = units.ratio(limit.unit, published[limit.factor]) if published.get(limit.factor) else Fraction(1)
        value = Fraction(limit.limit) * ratio
        kind = limit.kind, limit.averaging
        before = found.setdefault(limit.factor, {}).get(kind)
        most, least, cold = (before.most, before.least, before.cold) if before else (None, None, None)
        if limit.side == "least":
            least = value
        else:
            most = value
            cold = Fraction(limit.cold_limit) * ratio if limit.cold_limit is not None else None
        found[limit.factor][kind] = bound(limit.kind, limit.averaging, most, least, cold)
    return {factor: tuple(rows.values()) for factor, rows in found.items()}


def bound(kind: str, averaging: str, most: Fraction | None, least: Fraction | None, cold: Fraction | None) -> Bound:
    """A limit with how it is shown."""
    texts = [decimal_text(value) for value in (least, most) if value is not None]
    places = max((len(text.partition(".")[2]) for text in texts), default=0)
    shown = texts[0] if len(texts) == 1 and least is None else "-".join(texts) if len(texts) > 1 else f">={texts[0]}"
    return Bound(kind, averaging, most, least, cold, shown, places)


@lru_cache(maxsize=4096)
def decimal_text(value: Fraction) -> str:
    """The shortest decimal text of a number that has one; limits do."""
    for places in range(blocks.MOST_DIGITS):
        scaled = value * 10**places
        if scaled.denominator == 1:
            return blocks.decimal_text(int(scaled), places)
    return f"{float(value):.6g}"


def strictest(bounds: Iterable[Bound], averaging: str) -> Bound | None:
    """Of the binding limits the one with the lowest upper limit, else the highest lower one."""
    here = [b for b in bounds if b.averaging == averaging and b.kind in BINDING]
    upper = [b for b in here if b.most is not None]
    if upper:
        return min(upper, key=lambda b: (b.most or Fraction(0), KINDS.index(b.kind)))
    lower = [b for b in here if b.least is not None]
    return max(lower, key=lambda b: b.least or Fraction(0)) if lower else None
