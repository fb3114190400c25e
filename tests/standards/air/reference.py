"""The obvious way: one value at a time, Decimal and Fraction, breakpoints straight from the tables of air.md §2.1.

Written from the rules, independently of ``standards``; slow and plain on purpose. Tests compare with it and the
benchmark measures against it.
"""

from __future__ import annotations

import csv
import math
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
POLLUTANTS = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")
LEVELS = ((50, 1), (100, 2), (150, 3), (200, 4), (300, 5))


def breakpoints() -> dict[str, list[tuple[int, int]]]:
    """Column of the norm's table -> [(concentration, index), …], e.g. ``"SO2 1 h"``."""
    with (DATA / "air_breakpoints.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {
        name: [(int(row[at]), int(row[0])) for row in rows[1:] if row[at] != "–"]
        for at, name in enumerate(rows[0])
        if at
    }


TABLE = breakpoints()


def table_of(edition: str, period: str, pollutant: str) -> list[tuple[int, int]]:
    if pollutant in ("PM10", "PM2.5"):
        points = list(TABLE[f"{pollutant} day"])
        if edition == "2012":
            points[2] = (150 if pollutant == "PM10" else 75, 100)
        return points
    if pollutant == "O3":
        return TABLE["O3 8 h" if period == "daily" else "O3 1 h"]
    return TABLE[f"{pollutant} {'day' if period == 'daily' else '1 h'}"]


@cache
def points_of(edition: str, period: str, pollutant: str) -> list[tuple[int, int]]:
    return table_of(edition, period, pollutant)


@cache
def half_even(value: Fraction, places: int) -> Decimal:
    """Round an exact fraction half to even: enough digits for Decimal to see which side of a half it is on."""
    scaled = value * 10**places
    below = scaled.numerator // scaled.denominator
    rest = scaled - below
    if rest == 0:
        tail = Decimal(0)
    elif rest == Fraction(1, 2):
        tail = Decimal("0.5")
    else:
        tail = Decimal("0.6") if rest > Fraction(1, 2) else Decimal("0.4")
    rounded = (Decimal(below) + tail).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return rounded.scaleb(-places)


@cache
def iaqi(edition: str, period: str, pollutant: str, concentration: Decimal | Fraction) -> int | None:
    """The individual index of one concentration, not rounded first; None where the edition gives none."""
    points = points_of(edition, period, pollutant)
    value = Fraction(concentration)
    for (low, index_low), (high, index_high) in pairwise(points):
        if low <= value <= high:
            return math.ceil(Fraction(index_high - index_low, high - low) * (value - low) + index_low)
    if points[-1][1] == 500:
        return 500
    return None if edition == "2012" else points[-1][1]


def rounded_iaqi(edition: str, period: str, pollutant: str, mean: Fraction | None) -> int | None:
    if mean is None:
        return None
    return iaqi(edition, period, pollutant, half_even(mean, 1 if pollutant == "CO" else 0))


def daily_mean(hours: list[Decimal | None]) -> Fraction | None:
    known = [Fraction(value) for value in hours if value is not None]
    return sum(known, Fraction(0)) / len(known) if len(known) >= 20 else None


def ozone_day(hours: list[Decimal | None]) -> Fraction | None:
    windows = []
    for label in range(8, 25):
        known = [Fraction(value) for value in hours[label - 8 : label] if value is not None]
        if len(known) >= 6:
            windows.append(sum(known, Fraction(0)) / len(known))
    if not windows:
        return None
    return max(windows) if len(windows) >= 14 or half_even(max(windows), 0) > 160 else None


def area(values: list[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    needed = Fraction(75, 100) if len(values) >= 4 else Fraction(50, 100)
    return sum(known, Fraction(0)) / len(known) if known and Fraction(len(known), len(values)) >= needed else None


def day(edition: str, stations: list[dict[str, list[Decimal | None]]]) -> dict[str, object]:
    """An area's day from its stations' 24 hours: values, IAQI, AQI, level, primary pollutants."""
    values = {
        pollutant: area([
            ozone_day(hours[pollutant]) if pollutant == "O3" else daily_mean(hours[pollutant]) for hours in stations
        ])
        for pollutant in POLLUTANTS
    }  # fmt: skip
    return {"values": values, **published(edition, "daily", values)}


def published(edition: str, period: str, values: dict[str, Fraction | None]) -> dict[str, object]:
    indices = {pollutant: rounded_iaqi(edition, period, pollutant, values[pollutant]) for pollutant in POLLUTANTS}
    known = {pollutant: index for pollutant, index in indices.items() if index is not None}
    highest = max(known.values(), default=None)
    complete = all(values[pollutant] is not None for pollutant in POLLUTANTS)
    aqi = highest if highest is not None and (complete or highest > 100) else None
    primary = [p for p, index in known.items() if index == aqi] if aqi is not None and aqi > 50 else []
    level = None if aqi is None else next((level for top, level in LEVELS if aqi <= top), 6)
    return {"iaqi": indices, "aqi": aqi, "level": level, "primary": primary}


def percentile(values: list[Fraction], rank: int) -> Fraction:
    ordered = sorted(values)
    k = 1 + (len(ordered) - 1) * Fraction(rank, 100)
    below = math.floor(k)
    if k == below:
        return ordered[below - 1]
    return ordered[below - 1] + (ordered[below] - ordered[below - 1]) * (k - below)
