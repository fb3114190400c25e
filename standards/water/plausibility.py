"""Plausibility of one reading: hard range and items that bound each other (water.md §4.5, defaults [E]).

A suspect value is kept and flagged, never dropped. Supersaturated oxygen (algae) and night-time oxygen dips are normal.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from functools import cache

import numpy as np

from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import items
from standards.water.readings import Bools
from standards.water.section import saturation_percent, saturation_reaches


@cache
def hard_range(item: str, date: datetime.date | None = None) -> tuple[int, int, bool] | None:
    """Lowest and highest plausible value in the item's scale, and whether exactly 0 is suspect; None without a rule."""
    for row in choose("water_range", date).where(item=item):
        places = items()[item].places
        zero = "zero_suspect" in row and row.flag("zero_suspect")
        return row.fixed("low", places), row.fixed("high", places), zero
    return None


def outside_range(item: str, values: Ints, date: datetime.date | None = None) -> Bools:
    """Values outside the hard range: suspect, and often a wrong unit. int64 any shape; MISSING is False."""
    limits = hard_range(item, date)
    if limits is None:
        return np.zeros(values.shape, dtype=np.bool_)
    found: Bools = (values != MISSING) & ((values < limits[0]) | (values > limits[1]))
    return found


def suspect_zero(item: str, values: Ints, date: datetime.date | None = None) -> Bools:
    """Exact zeros of wet chemistry: suspect. int64 any shape."""
    limits = hard_range(item, date)
    if limits is None or not limits[2]:
        return np.zeros(values.shape, dtype=np.bool_)
    found: Bools = values == 0
    return found


def cross_checks(values: Mapping[str, Ints], date: datetime.date | None = None) -> dict[str, Bools]:
    """Items that contradict each other, in samples where all of a check's items are present.

    Args:
        values: int64 (n,) by item id, each in its scale (8 decimals for all that take part); others are not looked at.
        date: of the data.

    Returns:
        bool (n,) by check id, suspect where True; checks whose items are not all given are left out. X1 NH3-N above TN
        by more than 10 %; X2 the nitrogen forms reach TN; X3, X4 CODMn, BOD5 reach COD; X5 oxygen above 200 % of
        saturation.
    """
    found: dict[str, Bools] = {}
    for row in choose("water_cross", date).rows:
        names = (row.text("whole"), *row.texts("part"))
        if not all(name in values for name in names):
            continue
        whole = values[names[0]]
        present = whole != MISSING
        total = np.zeros(whole.shape, dtype=np.int64)
        for name in names[1:]:
            present = present & (values[name] != MISSING)
            total += np.where(values[name] != MISSING, values[name], 0)
        # sum <= whole * (1 + tolerance), in whole percent
        allowed = np.where(present, whole, 0) * int(Decimal(100) + row.number("tolerance"))
        beyond = total * 100 >= allowed if row.flag("strict") else total * 100 > allowed
        found[row.text("id")] = present & beyond
    if "DO" in values and "T" in values:
        percent = saturation_percent("suspect_above", date)
        found["X5"] = saturation_reaches(values["DO"], values["T"], percent, strictly=True, date=date)
    return found
