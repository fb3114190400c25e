"""The way of water from section to section: travel times, arrival windows, mixing and decay (water.md §5).

Windows are whole seconds, computed exactly from the decimals of the registry. Mixing, decay and Jobson's velocities are
estimates for people, in floats.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from standards.water.editions import choose

HOUR = 3600


@cache
def _number(name: str, date: datetime.date | None) -> Fraction:
    return Fraction(choose("water_travel", date).row(name=name).number("value"))


def level_at_least(date: datetime.date | None = None) -> int:
    """The warning level from which on sections downstream expect an arrival."""
    return int(_number("level_at_least", date))


def leading_edge(date: datetime.date | None = None) -> Fraction:
    """Travel of the leading edge as a share of that of the peak (USGS [B])."""
    return _number("leading_edge", date)


def late_s(date: datetime.date | None = None) -> int:
    """Seconds after a window in which a sample, or its publication, may still belong to it: one cycle and its delay."""
    return int((_number("sampling_cycle", date) + _number("publication", date)) * HOUR)


def lateness_s(date: datetime.date | None = None) -> int:
    """Seconds that rows of the window may be late before it closes."""
    return int(_number("lateness", date) * HOUR)


@dataclass(frozen=True, slots=True)
class Travel:
    """Seconds the water takes: at high, middle and low water."""

    earliest: int
    probable: int
    latest: int

    def __add__(self, other: Travel) -> Travel:
        """One reach after the other."""
        return Travel(self.earliest + other.earliest, self.probable + other.probable, self.latest + other.latest)


@dataclass(frozen=True, slots=True)
class Way:
    """How water gets from one section to another: travel, and the sections it passes, the last being the goal."""

    travel: Travel
    through: tuple[str, ...]


def travel(length_km: str, v_low: str, v_mid: str, v_high: str) -> Travel:
    """Whole seconds for a reach, ``L / v`` (velocities in m/s, decimal texts), rounded half to even."""
    metres = Fraction(length_km) * 1_000
    earliest, probable, latest = (round(metres / Fraction(v)) for v in (v_high, v_mid, v_low))
    return Travel(earliest, probable, latest)


def ways(start: str, reaches: Iterable[tuple[str, str, Travel]], date: datetime.date | None = None) -> dict[str, Way]:
    """Every section downstream that a wave reaches within the longest window, by its id.

    Where two ways lead to one section the window spans both, and the probable time is that of the quicker one.

    Args:
        start: the section upstream.
        reaches: upper, lower, travel; without a circle.
        date: of the data.
    """
    below: dict[str, list[tuple[str, Travel]]] = {}
    for upper, lower, takes in reaches:
        below.setdefault(upper, []).append((lower, takes))
    most = _number("window_at_most", date) * HOUR
    found: dict[str, Way] = {}
    queue = [(start, Way(Travel(0, 0, 0), ()))]
    while queue:
        upper, so_far = queue.pop(0)
        for lower, takes in below.get(upper, ()):
            way = Way(so_far.travel + takes, (*so_far.through, lower))
            known = found.get(lower)
            merged = way if known is None else _either(known, way)
            if merged.travel.latest <= most and merged != known:
                found[lower] = merged
                queue.append((lower, merged))
    return found


def _either(a: Way, b: Way) -> Way:
    quicker = min((a, b), key=lambda way: (way.travel.probable, way.through))
    return Way(
        Travel(
            min(a.travel.earliest, b.travel.earliest),
            quicker.travel.probable,
            max(a.travel.latest, b.travel.latest),
        ),
        quicker.through,
    )


def belongs(begin_s: int, since_s: int, way: Travel, date: datetime.date | None = None) -> bool:
    """Whether a warning downstream whose water was drawn at ``begin_s`` is carried from one upstream at ``since_s``.

    Inside the window, plus one sampling cycle and the delay of its publication (water.md §5.2).
    """
    return since_s + way.earliest <= begin_s <= since_s + way.latest + late_s(date)


def mixed(flows: Mapping[str, float], values: Mapping[str, float]) -> float:
    """Concentration below a confluence, ``ΣQC / ΣQ``.

    Raises:
        ValueError: no water.
    """
    total = sum(flows.values())
    if total <= 0:
        raise ValueError("流量 flow: some water is needed")
    return sum(flows[name] * values[name] for name in flows) / total


def decayed(value: float, seconds: float, per_day: float) -> float:
    """What is left after so long, ``C·exp(-k·t)``, k per day (water.md §5 [D])."""
    return value * math.exp(-per_day * seconds / 86_400)


def jobson(area_m2: float, mean_flow: float, flow: float, slope: float) -> tuple[float, float]:
    """Probable and greatest velocity in m/s where little is known (Jobson, USGS WRIR 96-4013 [C]).

    Args:
        area_m2: drainage area, m².
        mean_flow: mean annual flow, m³/s.
        flow: flow now, m³/s.
        slope: of the reach, m/m.
    """
    size = area_m2**1.25 * math.sqrt(9.8) / mean_flow
    x = size**0.919 * (flow / mean_flow) ** -0.469 * slope**0.159 * flow / area_m2
    return 0.094 + 0.0143 * x, 0.25 + 0.02 * x
