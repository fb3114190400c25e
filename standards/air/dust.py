"""Dust: hours that look like it, for somebody to confirm (domain/air.md §4.2, D-). Nothing is deducted by itself."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from standards import dated
from standards.air.rules import POLLUTANTS, Bools, Ints
from standards.fixed import MISSING

_PM10: Final = POLLUTANTS.index("PM10")
_PM25: Final = POLLUTANTS.index("PM2.5")


@cache
def _of(what: str) -> int:
    return dated.load("air_dust")[0].row(what=what).integer("value")


def hours_before() -> int:
    """How many hours before an hour its comparison needs."""
    return _of("before")


def dust_hours(hours: Ints) -> Bools:
    """Hours of an area that look like dust, exact.

    It begins when PM10 is at least twice its mean of the six hours before and above 150 µg/m³, and PM2.5/PM10 at most
    half of that mean's ratio; it ends when PM10 is back within 10 % of the mean before it began.

    Args:
        hours: int64[H, 6] thousandths of consecutive area hours, MISSING where there is none. The first six only serve
            as what was before.

    Returns:
        bool[H].
    """
    least, span = _of("least_pm10") * 1000, _of("before")
    found = np.zeros(len(hours), np.bool_)
    begun: tuple[int, int] | None = None  # sum and count of PM10 before it began
    for at in range(span, len(hours)):
        coarse, fine = int(hours[at, _PM10]), int(hours[at, _PM25])
        if coarse == MISSING:
            continue
        if begun is not None:
            total, count = begun
            if coarse * count * 100 <= total * (100 + _of("back_within")):
                begun = None
            found[at] = begun is not None
            continue
        if fine == MISSING or coarse <= least:
            continue
        before = hours[at - span : at]
        there = (before[:, _PM10] != MISSING) & (before[:, _PM25] != MISSING)
        count = int(there.sum())
        if not count:
            continue
        total, fine_total = int(before[there, _PM10].sum()), int(before[there, _PM25].sum())
        rises = coarse * count * 100 >= total * _of("rise")
        if rises and fine * total * 100 <= coarse * fine_total * _of("ratio_at_most"):
            begun = (total, count)
            found[at] = True
    return found
