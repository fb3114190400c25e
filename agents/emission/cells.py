"""Hour cells: what was said of an hour, whether it counts, and why not; the values the law judges.

The logger's own hour counts first, else the mean of its minutes. Both are kept, and what does not fit together is
named: a cell never averages something away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from agents.emission.ledger import Means
from agents.emission.plan import COU, ZS, Plan
from agents.emission.readings import BACKFILLED_BIT, TIMELY, exact, has_value, sent_text, shown_flag, unit_of, uses_of
from agents.emission.store import Place, Store
from schemas import blocks, times
from standards.emission import flags, gas, incoming, water
from standards.emission import hours as law
from standards.emission.exact import Exact, from_numbers, greater, pack
from standards.emission.rules import minimum
from standards.fixed import MISSING
from streams.state.columns import timeliness
from streams.state.slots import EMPTY, Codes, Ints

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

Bools = npt.NDArray[np.bool_]

CHECKS: Final = ("zs-differs", "minutes-differ", "over-range", "off-clock", "flag-assumed")
"""What deserves a look although the value counts, by bit. off-clock: its request number lies minutes from its receipt:
it was sent again, or by a wrong clock."""
ZS_DIFFERS, MINUTES_DIFFER, OVER_RANGE, OFF_CLOCK, FLAG_ASSUMED = (1 << n for n in range(len(CHECKS)))

REASONS: Final = (
    *("missing" if word == "no_value" else word.replace("_", "-") for word in law.REASONS),
    *("late", "future", "unreadable", "unit", "unit-1000", "unit-3600", "oxygen-21", "unregistered"),
)
"""Why a value does not count: the law's own reasons, then what is wrong with how it was sent."""
_LAW: Final = len(law.REASONS)
_OF: Final = {word: code for code, word in enumerate(REASONS)}
_NO_VALUE, _NEGATIVE = _OF["missing"], _OF["negative"]
AMOUNT_STANDS: Final = (0, _OF["no-oxygen"], _OF["oxygen-ceiling"])
"""Reasons under which an amount stands: it is made of the measured value, never of the converted one (F9)."""
STANDSTILL: Final = _OF["standstill"]
_SIGNED: Final = frozenset(("degC", "kPa", "Pa", "hPa"))
"""Units of which a negative value is nothing wrong: gauge pressure, frost."""
_OWN, _MEAN, _NONE = "LM-"


@dataclass(eq=False)
class Hour:
    """One hour of one source as it was said; lists are by channel and meter, in the order of the plan's factors.

    ``reason``: codes of REASONS; ``checks``: bits of CHECKS; ``value``: what is judged, None where not; ``measured``:
    the mean where it counts for amounts; ``came``: whether anything of it came that may be judged; ``minutes``:
    (normal, abnormal, still) periods per column.
    """

    source: str
    end: int
    plan: Plan
    reason: list[int]
    checks: list[int]
    origin: list[str]
    source_of: list[str]
    value: list[Fraction | None]
    measured: list[Fraction | None]
    minutes: list[tuple[int, int, int]]
    possible: list[int]
    sent: list[str | None]
    sent_zs: list[str | None]
    sent_amount: list[str | None]
    units: list[str]
    flags: str
    extra: list[tuple[str, str | None, str, str]]  # name, value, flag, unit of factors the registry does not know
    backfilled: bool
    came: bool
    received: int
    packets: list[str]
    parts: int
    marked: int
    means: Means | None

    def value_of(self, name: str) -> Fraction | None:
        """The judged value of a factor, None where it does not count or is not there."""
        return self.value[self.plan.factors.index(name)] if name in self.plan.factors else None

    def measured_of(self, name: str) -> Fraction | None:
        """The measured mean of a factor where it counts."""
        return self.measured[self.plan.factors.index(name)] if name in self.plan.factors else None


class Cells:
    """Derives hours from slots."""

    def __init__(self, judge: EmissionJudge, hours: Store, means: Store) -> None:
        self._judge, self._hours, self._means = judge, hours, means

    def derive(self, touched: Iterable[tuple[str, int]]) -> list[Hour]:
        """Hours as they are now, those that are known to the registry on their day."""
        wanted = [(source, end, self._judge.plans.at(source, times.day_of(end))) for source, end in touched]
        return _Batch(self, [each for each in wanted if each[2].group]).hours() if wanted else []

    # ---- what a batch asks

    def own(self, source: str, end: int, plan: Plan) -> tuple[Ints, Codes, Ints, Ints, Place | None]:
        """The logger's own hour: value, meta, version and received of 3 × factors (value, converted, amount)."""
        place = self._hours.find(source, times.day_of(end))
        size = 3 * len(plan.factors)
        if place is None:
            nothing = np.zeros(size, np.int64)
            return nothing, np.zeros(size, np.uint32), np.full(size, EMPTY, np.int64), nothing, None
        at, there = _columns(plan, place.columns)
        slots, row, h = place.slots, place.row, times.hour_index(end)
        version = np.where(there, slots.versions(row)[h][at], EMPTY)
        return slots.values(row)[h][at], slots.metas(row)[h][at], version, slots.received(row)[h][at], place

    def minutes(self, source: str, end: int, plan: Plan) -> tuple[list[tuple[int, int, int]], Means] | None:
        """Periods that came and their means, per channel; of hours whose minutes are gone what the ledger kept."""
        place = self._means.find(source, end)
        if place is not None:
            return _means_of(place, plan)
        day = self._judge.ledger.get(source, times.day_of(end)) if plan.outlet is not None else None
        if day is None or day.factors != tuple(c.name for c in plan.channels):
            return None
        h = times.hour_index(end)
        counts = list(zip(day.normal[h].tolist(), day.abnormal[h].tolist(), day.still[h].tolist(), strict=True))
        if not any(map(any, counts)):
            return None
        nothing: list[tuple[int, int] | None] = [None] * len(counts)
        return counts, day.means.get(h) or Means(nothing, list(nothing), 0)


class _Batch:
    """Hours at hand, as flat arrays: an entry for each channel or meter of each hour."""

    def __init__(self, cells: Cells, wanted: list[tuple[str, int, Plan]]) -> None:
        self._cells, self._judge = cells, cells._judge
        self.wanted = wanted
        self.size = [len(plan.factors) for _, _, plan in wanted]
        self.first = np.cumsum([0, *self.size]).tolist()
        own = [cells.own(*each) for each in wanted]
        self.places = [each[4] for each in own]
        wide = [(v.reshape(3, -1), m.reshape(3, -1), e.reshape(3, -1), r.reshape(3, -1)) for v, m, e, r, _ in own]
        nothing = np.zeros((3, 0), np.int64)
        self.value: Ints = np.concatenate([nothing, *(each[0] for each in wide)], axis=1)
        self.meta: Codes = np.concatenate([nothing.astype(np.uint32), *(each[1] for each in wide)], axis=1)
        self.version: Ints = np.concatenate([nothing, *(each[2] for each in wide)], axis=1)
        self.received: Ints = np.concatenate([nothing, *(each[3] for each in wide)], axis=1)
        self.minutes = [cells.minutes(*each) if each[2].channels else None for each in wanted]

    def hours(self) -> list[Hour]:
        """The hours, in order."""
        if not self.wanted:
            return []
        self._read()
        self._judge_values()
        return [self._hour(n) for n in range(len(self.wanted))]

    # ---- values

    def _read(self) -> None:
        """Numbers of the own hours, and why some cannot be read."""
        count = self.first[-1]
        self.published = [
            unit for _, _, plan in self.wanted for unit in (*(c.unit for c in plan.channels), *_meter_units(plan))
        ]
        self.own_reason = np.zeros(count, np.int64)
        self.checks = np.zeros(count, np.int64)
        spoken = self.version != EMPTY
        judged = spoken & (self.version >= 0)
        known = judged & has_value(self.meta, self.version)
        self.avg, lost = exact(self.value[0], self.meta[0], known[0], self.published)
        self.zs, _ = exact(self.value[1], self.meta[1], known[1], self.published)
        self.use = uses_of(self.meta[0])
        self.definite = judged[0] & (known[0] | (self.use != flags.VALID))
        letters = self.meta[0] >> np.uint32(6)
        self._why(spoken[0] & ~judged[0], "late")
        self._why(judged[0] & ~known[0] & ((letters & np.uint32(0x1FFFFF)) == ord(blocks.UNREADABLE)), "unreadable")
        self._why(lost, "unit")
        for n in np.flatnonzero(self.own_reason == _OF["late"]).tolist():
            which = int(np.searchsorted(self.first, n, side="right")) - 1
            why = timeliness(self.wanted[which][1], int(self.received[0, n])) or "late"
            self.own_reason[n] = _OF[why]
        self.checks[known[0] & (self.version[0] < TIMELY)] |= OFF_CLOCK
        self.checks[known[0] & ((letters & np.uint32(0x1FFFFF)) == ord(blocks.NO_FLAG))] |= FLAG_ASSUMED
        self._from_minutes()

    def _why(self, mask: Bools, reason: str) -> None:
        self.own_reason[mask & (self.own_reason == 0)] = _OF[reason]

    def _from_minutes(self) -> None:
        """Counts of minutes, their means beside the own hour, and the means in its place where it has none."""
        count = self.first[-1]
        self.counts: list[tuple[int, int, int]] = [(0, 0, 0)] * count
        self.possible = np.full(count, MISSING, np.int64)
        self.by_minutes = np.zeros(count, np.bool_)
        avg: list[Fraction | None] = [None] * count
        zs: list[Fraction | None] = [None] * count
        whole = np.zeros(count, np.bool_)
        for n, found in enumerate(self.minutes):
            if found is None:
                continue
            counts, means = found
            plan, end = self.wanted[n][2], self.wanted[n][1]
            date = times.date_of(times.day_of(end))
            length, due = plan.minutes, 60 // plan.minutes
            medium: incoming.Medium = "water" if plan.medium == "water" else "gas"
            for c, (normal, abnormal, still) in enumerate(counts):
                at = self.first[n] + c
                self.counts[at] = counts[c]
                if not normal + abnormal + still:
                    continue
                own = bool(self.definite[at])
                unheard = max(0, due - normal - abnormal - still) if own else 0
                possible = normal * length
                if own:
                    possible = incoming.possible_minutes(normal, abnormal + still, unheard, length, medium, date)
                self.possible[at] = possible
                avg[at] = _fraction(means.avg[c])
                zs[at] = _fraction(means.zs[c])
                whole[at] = normal >= due
                if not own and not self.own_reason[at]:
                    self.by_minutes[at] = True
                    most = minimum("min_minutes_hour", date)
                    self.use[at] = flags.STANDSTILL if still * length >= most else flags.VALID
        self.mean, self.mean_zs = from_numbers(avg), from_numbers(zs)
        if self.by_minutes.any():
            self.avg = _choose(self.by_minutes, self.mean, self.avg)
            self.zs = _choose(self.by_minutes, self.mean_zs, self.zs)
        signed = np.array([unit in _SIGNED for unit in self.published], np.bool_)  # a share of frost means nothing
        plain = whole & ~self.by_minutes & ~signed
        compare = np.flatnonzero(plain & (self.own_reason == 0) & (self.use == flags.VALID))
        if len(compare):
            tolerance = Fraction(incoming.number_of("minutes_tolerance"))
            differ = law.contradicts(self.avg.take(compare), self.mean.take(compare), tolerance)
            self.checks[compare[differ]] |= MINUTES_DIFFER

    def _judge_values(self) -> None:
        """What the law makes of the entries: whether they can be judged, and by what value."""
        count = self.first[-1]
        every = [_facts(plan) for _, _, plan in self.wanted]
        reference, usual, tops = (_joined(parts) for parts in zip(*(each.numbers for each in every), strict=True))
        marked = np.zeros(count, np.int64)
        self.marked = []
        oxygen_at = np.full(count, -1, np.int64)
        signed = np.zeros(count, np.bool_)
        is_oxygen = np.zeros(count, np.bool_)
        for n, (_, end, plan) in enumerate(self.wanted):
            facts = every[n]
            begin, stop = self.first[n], self.first[n + 1]
            bits = self._judge.mark_bits(plan, end) if plan.outlet is not None else 0
            self.marked.append(bits)
            marked[begin : begin + len(plan.channels)] = bits
            signed[begin:stop] = facts.signed
            if facts.oxygen >= 0:
                oxygen_at[begin:stop] = begin + facts.oxygen
                is_oxygen[begin + facts.oxygen] = True
        spread = incoming.slips(self.avg, usual)
        standing = (self.use == flags.STANDSTILL) | (marked != 0)
        slipped = (spread != 0) & (self.own_reason == 0) & ~standing
        for size in np.unique(np.abs(spread[slipped])).tolist():
            self._why(slipped & (np.abs(spread) == size), f"unit-{size}")
        too_much = greater(self.avg, tops) & (self.use == flags.VALID)
        self.checks[too_much & (self.own_reason == 0)] |= OVER_RANGE
        bad = self.own_reason != 0
        num = np.where(
            self.avg.missing | bad, MISSING, np.where(signed & ~self.avg.missing, abs(self.avg.num), self.avg.num)
        )
        avg = Exact(num, self.avg.den)
        zs = pack(self.zs.num, self.zs.den, self.zs.missing | bad)
        good_oxygen = is_oxygen & ~bad & (self.use == flags.VALID)
        at = np.where(oxygen_at >= 0, oxygen_at, 0)
        none = (oxygen_at < 0) | ~good_oxygen[at]
        o2 = Exact(np.where(none, MISSING, self.avg.num[at]), np.broadcast_to(self.avg.den, self.avg.num.shape)[at])
        asked = law.Hours(avg, zs, o2, self.use, self.possible, marked)
        self.measured = law.measure(asked, reference)
        self.checks[self.measured.zs_differs] |= ZS_DIFFERS
        reason = self.measured.reason.astype(np.int64)
        own = bad & ((reason == _NO_VALUE) | (reason == 0))
        reason[own] = self.own_reason[own]
        air = Exact(np.int64(21) * np.ones((), np.int64), np.ones((), np.int64))
        reason[is_oxygen & (reason == 0) & ~greater(air, self.avg)] = _OF["oxygen-21"]
        self.reason = reason
        self._values = self.measured.value.fractions()
        self._avg = avg.fractions()

    # ---- one hour

    def _hour(self, n: int) -> Hour:
        source, end, plan = self.wanted[n]
        begin, stop = self.first[n], self.first[n + 1]
        part = slice(begin, stop)
        said = [
            list(
                zip(
                    self.value[k, part].tolist(),
                    self.meta[k, part].tolist(),
                    self.version[k, part].tolist(),
                    strict=True,
                )
            )
            for k in range(3)
        ]
        place = self.places[n]
        h = times.hour_index(end)
        packets, parts = _spoke(place.slots.who_spoke(place.row, h)) if place is not None else ([], 0)
        found = self.minutes[n]
        own = self.version[0, part] != EMPTY
        newest = self.received[:, part].max(initial=0)
        newest = max(int(newest), found[1].received if found is not None else 0)
        reason = self.reason[part].tolist()
        values = [v if not r else None for v, r in zip(self._values[part], reason, strict=True)]
        by_minutes = self.by_minutes[part].tolist()
        timely = bool((self.version[0, part] >= 0).any())
        channels = len(plan.channels)
        return Hour(
            source=source,
            end=end,
            plan=plan,
            reason=reason,
            checks=self.checks[part].tolist(),
            origin=[_MEAN if m else _OWN if o else _NONE for m, o in zip(by_minutes, own.tolist(), strict=True)],
            source_of=[law.SOURCES[code] for code in self.measured.source[part].tolist()],
            value=values,
            measured=[v if r in AMOUNT_STANDS else None for v, r in zip(self._avg[part], reason, strict=True)],
            minutes=self.counts[begin : begin + channels],
            possible=[-1 if p == MISSING else p for p in self.possible[part].tolist()],
            sent=[
                _shown(self.mean.fractions()[begin + c]) if by_minutes[c] else sent_text(*each)
                for c, each in enumerate(said[0])
            ]
            if any(by_minutes)
            else [sent_text(*each) for each in said[0]],
            sent_zs=[sent_text(*each) for each in said[1]],
            sent_amount=[sent_text(*each) for each in said[2]],
            units=["" if v == EMPTY else _unit_text(m) for _, m, v in said[0]],
            flags="".join(shown_flag(m, v) for _, m, v in said[0]),
            extra=self._judge.extras.of(source, end),
            backfilled=_backfilled(said[0]),
            came=timely or any(p >= minimum("min_minutes_hour") for p in self.possible[part].tolist()),
            received=newest,
            packets=packets,
            parts=parts,
            marked=self.marked[n],
            means=found[1] if found is not None and any(by_minutes) else None,
        )


@dataclass(frozen=True)
class _Facts:
    numbers: tuple[Exact, Exact, Exact]  # reference O2, what is usual, full scale
    signed: Bools
    oxygen: int


def _facts(plan: Plan) -> _Facts:
    """What of a plan every hour needs, made once."""
    held = plan.__dict__.get("_facts")
    if held is None:
        meters = len(plan.factors) - len(plan.channels)
        nothing: list[Fraction | None] = [None] * meters
        ranges = plan.outlet.ranges if plan.outlet is not None else {}
        names = [c.name for c in plan.channels]
        held = _Facts(
            numbers=(
                from_numbers([plan.reference if c.converts else None for c in plan.channels] + nothing),
                from_numbers([plan.usual_of(name) for name in names] + nothing),
                from_numbers([Fraction(ranges[name]) if name in ranges else None for name in names] + nothing),
            ),
            signed=np.array([c.unit in _SIGNED for c in plan.channels] + [True] * meters, np.bool_),
            oxygen=names.index("O2") if "O2" in names else -1,
        )
        plan.__dict__["_facts"] = held
    assert isinstance(held, _Facts)
    return held


_column_maps: dict[tuple[int, tuple[str, ...]], tuple[npt.NDArray[np.intp], Bools, Plan]] = {}


def _columns(plan: Plan, columns: tuple[str, ...]) -> tuple[npt.NDArray[np.intp], Bools]:
    """Places of value, converted value and amount of each factor in a row, and which of them it has."""
    key = (id(plan), columns)
    found = _column_maps.get(key)
    if found is None or found[2] is not plan:
        if len(_column_maps) > 10_000:
            _column_maps.clear()
        index = {name: n for n, name in enumerate(columns)}
        wanted = [name + suffix for suffix in ("", ZS, COU) for name in plan.factors]
        at = np.array([index.get(name, 0) for name in wanted], np.intp)
        found = _column_maps[key] = (at, np.array([name in index for name in wanted], np.bool_), plan)
    return found[0], found[1]


def _meter_units(plan: Plan) -> list[str]:
    return [m.unit for m in {m.factor: m for m in plan.meters}.values()]


def _joined(parts: tuple[Exact, ...]) -> Exact:
    return Exact(np.concatenate([p.num for p in parts]), np.concatenate([p.den for p in parts]))


def _fraction(pair: tuple[int, int] | None) -> Fraction | None:
    return None if pair is None else Fraction(*pair)


def _choose(mask: Bools, one: Exact, other: Exact) -> Exact:
    return Exact(np.where(mask, one.num, other.num), np.where(mask, one.den, other.den))


def _unit_text(meta: int) -> str:
    unit = unit_of(meta)
    return "?" if unit is None else unit


def _backfilled(said: list[tuple[int, int, int]]) -> bool:
    """Whether all that was said of an hour was sent later than measured."""
    late = [bool(meta & BACKFILLED_BIT) for _, meta, version in said if version != EMPTY]
    return bool(late) and all(late)


def _shown(value: Fraction | None) -> str | None:
    """A mean of minutes as a cell shows it: four decimals, for people; what is judged is the fraction."""
    if value is None:
        return None
    whole = round(value * 10_000)
    return blocks.decimal_text(whole, 4)


def _spoke(names: list[str]) -> tuple[list[str], int]:
    """Packets, and how many of them said something of their own."""
    pairs = [name.rpartition("#") for name in names]
    return sorted(packet for packet, _, _ in pairs), len({about for _, _, about in pairs})


def _means_of(place: Place, plan: Plan) -> tuple[list[tuple[int, int, int]], Means]:
    """Periods of an hour by what their flag makes of them, and exact means over the normal ones."""
    slots, row = place.slots, place.row
    used = np.flatnonzero((slots.versions(row) != EMPTY).any(axis=1)).tolist()
    index = {name: n for n, name in enumerate(place.columns)}
    channels = plan.channels
    names = [c.name for c in channels]
    at = np.array([index.get(name, -1) for name in (*names, *(name + ZS for name in names))], np.intp)
    there = at >= 0
    picked = np.ix_(np.array(used, np.intp), np.where(there, at, 0))
    version = np.where(there[None, :], slots.versions(row)[picked], EMPTY)
    value, meta, received = slots.values(row)[picked], slots.metas(row)[picked], slots.received(row)[picked]
    known = has_value(meta, version)
    units = [c.unit for c in channels] * 2
    flat, lost = exact(value.ravel(), meta.ravel(), known.ravel(), units * len(used))
    use = uses_of(meta)
    shape = version.shape
    missing = (flat.missing | lost).reshape(shape)
    normal = (version != EMPTY) & (use == flags.VALID) & ~missing
    still = (version != EMPTY) & (use == flags.STANDSTILL)
    abnormal = (version != EMPTY) & ~normal & ~still
    count = len(channels)
    counts = [
        (int(a), int(b), int(c))
        for a, b, c in zip(
            normal[:, :count].sum(axis=0), abnormal[:, :count].sum(axis=0), still[:, :count].sum(axis=0), strict=True
        )
    ]
    grid = Exact(flat.num.reshape(shape).T, np.broadcast_to(flat.den, flat.num.shape).reshape(shape).T)
    mean = gas.mean(grid, normal.T, 1).fractions()
    if any(c.weighed for c in channels):
        flow = names.index("flow")
        volume = pack(grid.num[flow], grid.den[flow], ~normal.T[flow])
        for c, channel in enumerate(channels):
            if channel.weighed:
                mean[c] = water.flow_weighted(pack(grid.num[c], grid.den[c], ~normal.T[c]), volume).fractions()[0]
    pairs = [None if m is None else (m.numerator, m.denominator) for m in mean]
    newest = int(received[version != EMPTY].max(initial=0)) if received.size else 0
    return counts, Means(pairs[:count], pairs[count:], newest)
