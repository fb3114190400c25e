"""Trophic level index of lakes and reservoirs (环办〔2011〕22号; water.md §2.6 [A], weights [C])."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from standards.water.editions import choose
from standards.water.indicators import Floats


@dataclass(frozen=True, slots=True)
class TrophicIndex:
    """Trophic level of samples.

    ``parts``: float64 (5, n) in the order of ``trophic_items``. ``index``: float64 (n,). ``state``: int8 (n,), index
    into ``states``, -1 where an item is missing.
    """

    parts: Floats
    index: Floats
    state: npt.NDArray[np.int8]


@cache
def trophic_items(date: datetime.date | None = None) -> tuple[str, ...]:
    """Ids of the five items, in the order of the table: chla, TP, TN, SD, CODMn."""
    return tuple(row.text("item") for row in choose("water_trophic", date).rows)


@cache
def states(date: datetime.date | None = None) -> tuple[tuple[str, str], ...]:
    """Chinese and English words of the states, best first."""
    return tuple((row.text("state"), row.text("state_en")) for row in choose("water_trophic_states", date).rows)


def trophic_index(values: Floats, *, date: datetime.date | None = None, chla_unit: str = "mg/m³") -> TrophicIndex:
    """TLI = Σ W_j · 10·(a_j + b_j·ln x_j), W_j = r_j² / Σ r².

    Args:
        values: float64 (5, n) in the order of ``trophic_items``: chl-a in ``chla_unit``, SD in m, others mg/L (means in
            time, then in space: ``means.mean_floats``); NaN where missing.
        date: of the data.
        chla_unit: ``mg/m³``, or ``mg/L`` as the platform publishes it.

    Returns:
        Parts, index and state; NaN and -1 where an item is missing.

    Raises:
        ValueError: a value not above zero or infinite, wrong shape, or unknown unit.

    Logarithms are irrational, so an index never lies on a boundary of the states; the float error is below 1e-12. A
    state is judged by the unrounded index.
    """
    rows = choose("water_trophic", date).rows
    if values.shape[0] != len(rows):
        raise ValueError(f"营养状态 values {values.shape}: one row for each of {', '.join(trophic_items(date))}")
    if chla_unit not in ("mg/m³", "mg/L"):
        raise ValueError(f"叶绿素a chla_unit {chla_unit!r}: mg/m³ or mg/L")
    for row, each in zip(rows, values, strict=True):
        if (each <= 0).any() or np.isinf(each).any():
            raise ValueError(f"营养状态 {row.text('item')}: every value must be above zero (logarithm)")
    scale = np.array([1000.0 if row.text("item") == "chla" and chla_unit == "mg/L" else 1.0 for row in rows])
    a, b, r = (np.array([float(row.number(name)) for row in rows])[:, None] for name in ("a", "b", "r"))
    parts: Floats = 10 * (a + b * np.log(values * scale[:, None]))
    weights = r**2 / (r**2).sum()
    index: Floats = (weights * parts).sum(axis=0)
    return TrophicIndex(parts, index, _states_of(index, date))


def _states_of(index: Floats, date: datetime.date | None) -> npt.NDArray[np.int8]:
    found = np.zeros(index.shape, dtype=np.int8)
    for row in choose("water_trophic_states", date).rows:
        if "below" in row:
            found += index >= float(row.number("below"))
        elif "at_most" in row:
            found += index > float(row.number("at_most"))
    found[np.isnan(index)] = -1
    return found
