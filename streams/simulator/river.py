"""The sections of the rivers, the reservoir and the spring, hour by hour.

Rain swells the river at its head and runs down it: a section sees the storm of every section above it after the time
the water travels (length of the reaches by their probable velocity), and its own catchment at once. EC falls and
turbidity rises with the storm; so do, more gently, CODMn, NH3-N, TP and TN. A reservoir lets little of it through. A
karst spring answers rain within hours. Waves without rain (a release, a dry spell) travel the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from streams.simulator.chance import Chance, Floats, around, at_least, at_most, grow
from streams.simulator.weather import MEAN_TEMPERATURE, Weather, day_place, month_place

LOOK_BACK_H: Final = 14 * 24
"""Hours of weather a day needs: the longest way down the river and the longest memory of a reservoir."""
_STORM_MEMORY_H: Final = 120
FADES_H: Final = 60.0  # a wave loses 1/e of its height on this way

HOURLY: Final = frozenset(("T", "pH", "DO", "EC", "turbidity", "chla", "algae", "flow"))
"""Measured every hour; of a spring nitrate too. Everything else is wet chemistry: a result every four hours."""
CYCLE_H: Final = 4

# What water that keeps a class looks like: (usual, never above), by target class I … V. Not limits: habits.
USUAL: Final[Mapping[str, Sequence[tuple[float, float]]]] = {
    "CODMn": ((1.2, 1.75), (2.2, 3.5), (3.5, 5.3), (5.4, 8.8), (8.2, 13.0)),
    "COD": ((7.0, 13.0), (8.5, 13.0), (12.5, 17.6), (19.0, 26.0), (26.0, 35.0)),
    "BOD5": ((1.2, 2.6), (1.5, 2.6), (2.2, 3.5), (3.6, 5.2), (5.6, 8.6)),
    "NH3N": ((0.05, 0.13), (0.13, 0.42), (0.3, 0.85), (0.6, 1.28), (0.9, 1.7)),
    "TP": ((0.009, 0.017), (0.042, 0.086), (0.085, 0.172), (0.14, 0.258), (0.2, 0.345)),
    "TP lake": ((0.005, 0.0086), (0.013, 0.0215), (0.026, 0.043), (0.05, 0.086), (0.1, 0.172)),
    "TN": ((1.2, 2.0), (2.4, 4.2), (3.2, 5.5), (4.4, 7.5), (6.0, 10.0)),
    "TN lake": ((0.12, 0.17), (0.32, 0.43), (0.6, 0.86), (0.95, 1.29), (1.25, 1.72)),
}
DO_FLOOR: Final = (7.0, 6.45, 5.5, 3.7, 2.8)
DO_SWING: Final = (0.03, 0.045, 0.07, 0.11, 0.14)  # of saturation, to either side, on a summer day
# of anything else: usual value; never above twice it
OTHER: Final[Mapping[str, float]] = {
    **{"F": 0.42, "Cu": 0.003, "Zn": 0.012, "As": 0.0014, "Pb": 0.001, "Cd": 0.00007, "Cr6": 0.002, "Hg": 0.000012},
    **{"Se": 0.0005, "CN": 0.001, "VP": 0.0004, "oil": 0.012, "LAS": 0.04, "S2": 0.006, "FC": 420.0, "SD": 1.6},
    **{"SO4": 88.0, "Cl": 22.0, "NO3N": 2.4, "Fe": 0.05, "Mn": 0.02, "TOC": 2.4, "TDS": 430.0, "SS": 12.0, "flow": 9.0},
}
# of a karst spring: usual value and what a full storm adds, as a share; far from every limit of class III
SPRING: Final[Mapping[str, tuple[float, float]]] = {
    **{"T": (14.6, -0.03), "pH": (7.45, -0.015), "EC": (610.0, -0.08), "turbidity": (0.42, 2.2), "DO": (8.3, -0.04)},
    **{"NO3N": (6.6, 0.1), "CODMn": (0.62, 0.4), "NH3N": (0.028, 0.6), "TP": (0.012, 0.5), "TN": (7.2, 0.1)},
    **{"SO4": (92.0, -0.05), "Cl": (19.0, -0.04), "TDS": (396.0, -0.08), "F": (0.34, -0.03), "Fe": (0.03, 0.9)},
    **{"Mn": (0.006, 0.9), "flow": (3.1, 0.35)},
}
SHALLOW: Final = (-0.5, -0.64, -0.77, -0.88, -0.96, -1.0, -0.98, -0.88, -0.68, -0.4, -0.06, 0.3,
                  0.6, 0.83, 0.96, 1.0, 0.97, 0.87, 0.7, 0.48, 0.24, 0.0, -0.19, -0.36)  # fmt: skip
GREEN: Final = (0.06, 0.06, 0.08, 0.25, 0.6, 0.85, 1.0, 1.0, 0.8, 0.45, 0.15, 0.06)


@dataclass(frozen=True)
class Spot:
    """A section as the model sees it.

    ``target``: class 1 … 5. ``above``: every section whose water comes by, with the hours it takes and the share of a
    wave that arrives; itself first, with 0 hours.
    """

    id: str
    body: str
    target: int
    items: tuple[str, ...]
    above: tuple[tuple[str, float, float], ...]


def ways(
    ids: Iterable[str], bodies: Mapping[str, str], edges: Iterable[tuple[str, str, float]]
) -> dict[str, tuple[tuple[str, float, float], ...]]:
    """What comes down to every section.

    Args:
        ids: the sections.
        bodies: ``river``, ``lake`` or ``spring`` by section.
        edges: upper section, lower section, hours between them.

    Returns:
        By section: (section above, hours, share of its wave), nearest first, itself with 0 hours and share 1 where
        nothing is above it, else 0.35: the head of a river is the catchment that matters.
    """
    upper: dict[str, list[tuple[str, float]]] = {}
    for above, below, hours in edges:
        upper.setdefault(below, []).append((above, hours))
    found = {}
    for section in ids:
        own = 0.35 if upper.get(section) else 1.0
        reached: list[tuple[str, float, float]] = [(section, 0.0, own)]
        queue = [(section, 0.0, 1.0)]
        while queue:
            here, hours, share = queue.pop(0)
            if bodies.get(here) == "lake":
                share *= 0.2  # it holds back what comes from above
            for above, way in sorted(upper.get(here, ())):
                later = hours + way
                if later > LOOK_BACK_H - _STORM_MEMORY_H or share < 0.02:
                    continue
                arrives = share * float(grow(np.array([-way / FADES_H]))[0]) / math.sqrt(len(upper[here]))
                if bodies.get(above) == "lake":
                    arrives *= 0.3  # what leaves a reservoir is calm
                head = 1.0 if not upper.get(above) else 0.35
                reached.append((above, later, arrives * head))
                queue.append((above, later, arrives))
        found[section] = tuple(reached)
    return found


class Rivers:
    """All sections of one seed."""

    def __init__(self, chance: Chance, weather: Weather) -> None:
        self.chance = chance
        self.weather = weather

    def day(self, ordinal: int, spots: Sequence[Spot]) -> dict[str, dict[str, Floats]]:
        """Every section's items on a day.

        Args:
            ordinal: of the date.
            spots: the sections.

        Returns:
            By section and item float64[24]: hour h holds the value at h:00; wet chemistry stays for four hours.
        """
        hours = ordinal * 24.0 + np.arange(24.0)
        past = ordinal * 24.0 + np.arange(-LOOK_BACK_H, 25.0)
        sky = self.weather.at(past)
        # rain between two full hours: the mean of four moments, so that a short storm is not missed
        quarters = (past[:, None] + np.array([-0.875, -0.625, -0.375, -0.125])).ravel()
        rain = self.weather.rain(quarters).reshape(-1, 4)
        fallen = (rain[:, 0] + rain[:, 1] + rain[:, 2] + rain[:, 3]) / 4.0
        storms = {
            "river": _response(fallen, rise_h=3.0, fall_h=16.0),
            "lake": _response(fallen, rise_h=14.0, fall_h=40.0),
            "spring": _response(fallen, rise_h=4.0, fall_h=24.0),
        }
        warmth = {"river": _mean_of(sky["air_temperature"], 60), "lake": _mean_of(sky["air_temperature"], 216)}
        sun = 1.0 - 0.6 * _mean_of(sky["cloud"], 12)
        return {
            spot.id: (
                self._spring(spot, hours, storms["spring"])
                if spot.body == "spring"
                else self._surface(spot, hours, storms, warmth[spot.body][-25:-1], sun[-25:-1])
            )
            for spot in spots
        }

    def _storm(self, spot: Spot, hours: Floats, storms: Mapping[str, Floats]) -> Floats:
        """0 … about 1: how much of the water is storm water, from every catchment above and its own."""
        at = (hours - hours[0]) + LOOK_BACK_H
        total = np.zeros(len(hours))
        for section, later, share in spot.above:
            kind = spot.body if section == spot.id else "river"
            size = self.chance.between(f"{section}/catchment", 0.75, 1.25)
            total = total + share * size * _between(storms[kind], at - later)
        found: Floats = total / (total + 3.0)
        return found

    def _wave(self, name: str, spot: Spot, hours: Floats, layers: Sequence[tuple[float, float]]) -> Floats:
        """Noise that travels: what the sections above had, later and lower, and the section's own."""
        total = np.zeros(len(hours))
        square = 0.0
        for section, later, share in spot.above:
            weight = share if section != spot.id else 0.6
            total = total + weight * self.chance.layers(f"{section}/{name}", hours - later, layers)
            square += weight * weight
        found: Floats = total / math.sqrt(max(square, 0.36))
        return found

    def _surface(
        self, spot: Spot, hours: Floats, storms: Mapping[str, Floats], warmth: Floats, sun: Floats
    ) -> dict[str, Floats]:
        chance, name, lake = self.chance, spot.id, spot.body == "lake"
        month, day, nth = month_place(hours), day_place(hours), hours.astype(np.int64)
        storm = self._storm(spot, hours, storms)
        green = around(GREEN, month) * sun
        swing = 0.6 if lake else 1.5
        temperature = at_least(
            2.2
            + 0.93 * (0.55 * warmth + 0.45 * around(MEAN_TEMPERATURE, month))
            + swing * around(SHALLOW, day - 1.5) * (0.4 + 0.6 * green)
            + chance.layers(f"{name}/T", hours, ((30.0, 0.35), (5.0, 0.12)))
            - 1.2 * storm,
            0.7,
            1.0,
        )
        temperature = temperature + 0.1 * chance.bell(f"{name}/T/hour", nth)
        alive = 1.0 - 0.75 * storm
        algae = around(SHALLOW, day - 2.0) * green * alive
        saturated = 468.0 / (31.6 + temperature) * 0.94  # at 900 m
        share = (
            0.99
            - 0.03 * spot.target
            + (0.03 * spot.target + 0.02) * algae * 2.0
            + DO_SWING[spot.target - 1] * algae
            + 0.08 * self._wave("DO", spot, hours, ((50.0, 0.6), (10.0, 0.9)))
            - 0.07 * storm
            + 0.011 * chance.bell(f"{name}/DO/hour", nth)
        )
        oxygen = at_least(share * saturated, DO_FLOOR[spot.target - 1], 0.5)
        ph = (
            8.12
            + chance.between(f"{name}/pH", -0.18, 0.2)
            + (0.1 + 0.015 * spot.target) * algae
            + 0.1 * self._wave("pH", spot, hours, ((50.0, 0.8), (10.0, 0.6)))
            - 0.2 * storm
            + 0.011 * chance.bell(f"{name}/pH/hour", nth)
        )
        salt = (
            chance.between(f"{name}/EC", 560.0, 760.0)
            * (0.8 if lake else 1.0)
            * grow(
                0.07 * self._wave("EC", spot, hours, ((60.0, 0.75), (14.0, 0.65)))
                - (0.18 if lake else 0.42) * storm
                + 0.0035 * chance.bell(f"{name}/EC/hour", nth)
            )
        )
        mud = (
            (5.0 if lake else 14.0)
            * chance.between(f"{name}/turbidity", 0.7, 1.5)
            * grow(
                0.3 * self._wave("turbidity", spot, hours, ((48.0, 0.8), (8.0, 0.6)))
                + (1.6 if lake else 4.4) * storm
                + 0.07 * chance.bell(f"{name}/turbidity/hour", nth)
            )
        )
        found = {"T": temperature, "pH": at_most(ph, 8.78, 0.1), "DO": oxygen, "EC": salt, "turbidity": mud}
        if lake:
            bloom = grow(chance.layers(f"{name}/chla", hours, ((120.0, 0.35), (20.0, 0.15))) + 1.2 * (green - 0.5))
            hour = 1.0 + 0.05 * chance.bell(f"{name}/chla/hour", nth)
            found["chla"] = 4.5 * bloom * hour * (1.0 + 0.12 * algae)
            found["algae"] = 1.9e6 * bloom * (2.0 - hour) * (1.0 + 0.1 * algae)
        cycle = np.floor(hours / CYCLE_H) * CYCLE_H
        storm_then = storm[(np.arange(24) // CYCLE_H) * CYCLE_H]
        drawn = cycle.astype(np.int64) // CYCLE_H
        swells = {"CODMn": 0.42, "COD": 0.4, "BOD5": 0.35, "NH3N": 0.5, "TP": 0.6, "TN": 0.2}
        for item in spot.items:
            if item in found:
                continue
            ladder = USUAL.get(f"{item} lake" if lake else item) or USUAL.get(item)
            usual, most = ladder[spot.target - 1] if ladder else (OTHER.get(item, 1.0), 2.0 * OTHER.get(item, 1.0))
            level = usual * chance.between(f"{name}/{item}", 0.8, 1.2)
            moves = 0.17 * self._wave(item, spot, cycle, ((160.0, 0.7), (18.0, 0.75)))
            moves = moves + 0.042 * chance.bell(f"{name}/{item}/result", drawn) + swells.get(item, 0.1) * storm_then
            found[item] = at_most(level * grow(moves), most, 0.12 * most)
        nitrogen = found.get("TN")
        if nitrogen is not None and "NH3N" in found:
            found["TN"] = np.maximum(nitrogen, found["NH3N"] * 1.25)
        return {item: found[item] for item in spot.items}

    def _spring(self, spot: Spot, hours: Floats, storm: Floats) -> dict[str, Floats]:
        chance, name = self.chance, spot.id
        at = (hours - hours[0]) + LOOK_BACK_H
        swell = _between(storm, at)
        swell = swell / (swell + 2.0)
        cycle = np.floor(hours / CYCLE_H) * CYCLE_H
        swell_then = swell[(np.arange(24) // CYCLE_H) * CYCLE_H]
        found = {}
        for item in spot.items:
            usual, more = SPRING.get(item) or (OTHER.get(item, 1.0) * 0.4, 0.1)
            hourly = item in HOURLY or item == "NO3N"
            when, wet = (hours, swell) if hourly else (cycle, swell_then)
            flutter = {"T": 0.007, "pH": 0.0022, "EC": 0.0025, "DO": 0.012, "NO3N": 0.009}.get(item, 0.035)
            slow = {"T": 0.006, "pH": 0.004, "EC": 0.012, "DO": 0.02, "turbidity": 0.12}.get(item, 0.03)
            moves = slow * chance.layers(f"{name}/{item}", when, ((200.0, 0.8), (30.0, 0.6)))
            moves = moves + flutter * chance.bell(f"{name}/{item}/hour", when.astype(np.int64))
            found[item] = usual * grow(moves) * (1.0 + more * wet)
        return found


def _response(rain: Floats, rise_h: float, fall_h: float) -> Floats:
    """Hourly rain to run-off: each hour's rain rises for ``rise_h`` and fades over ``fall_h``; mm per hour, blurred."""
    lag = np.arange(float(_STORM_MEMORY_H))
    unit = (1.0 - grow(-lag / rise_h)) * grow(-lag / fall_h)
    total = np.zeros(len(rain))
    for hours_ago in range(1, _STORM_MEMORY_H):
        total[hours_ago:] += rain[:-hours_ago] * (unit[hours_ago] * (1.0 - hours_ago / _STORM_MEMORY_H))
    return total * 0.35


def _mean_of(values: Floats, hours: int) -> Floats:
    """Mean of the last so many hours; at the beginning of as many as there are."""
    summed = np.cumsum(values)
    found = summed.copy()
    found[hours:] = summed[hours:] - summed[:-hours]
    mean: Floats = found / np.minimum(np.arange(1.0, len(values) + 1.0), float(hours))
    return mean


def _between(values: Floats, at: Floats) -> Floats:
    """Values at whole places, read between them."""
    whole = np.floor(at)
    part = at - whole
    nth = whole.astype(np.int64)
    last = len(values) - 1
    found: Floats = values[np.minimum(nth, last)] * (1.0 - part) + values[np.minimum(nth + 1, last)] * part
    return found
