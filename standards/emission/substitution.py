"""Missing hourly amounts of gas, and the capture rate that decides how they are filled (HJ 75-2017, emission.md §3.1).

Only amounts are filled, never concentrations. Standstill hours are 0 and no gaps.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from standards.emission.exact import Bools
from standards.fixed import MISSING, Ints
from standards.water.editions import choose

FAILED: Final = -1
"""Rule of an hour whose quarter fails: nothing is put for it, other accounting is needed."""
NO_HISTORY: Final = -2
"""Rule of an hour before which there is no valid hour to take."""


def capture_rate(hours: int, invalid: int, standstill: int) -> Fraction | None:
    """The share of valid hours of a quarter, of those the plant ran: ``(H − Hinvalid − Hstop) / (H − Hstop)``.

    Returns:
        An exact share, None where the plant never ran.

    Raises:
        ValueError: counts that are no part of the quarter.
    """
    if min(hours, invalid, standstill) < 0 or invalid + standstill > hours:
        raise ValueError(f"{hours} hours, {invalid} invalid, {standstill} at a standstill: not a quarter")
    ran = hours - standstill
    return Fraction(ran - invalid, ran) if ran else None


@cache
def look_back(rate: Fraction, gap_hours: int, date: datetime.date | None = None) -> int | None:
    """How many of the last valid hours the largest amount is taken of: 180, 720 or 2160; None if the quarter fails."""
    for row in choose("emission_substitution", date).rows:
        fits = "gap_up_to" not in row or gap_hours <= row.integer("gap_up_to")
        if 100 * rate >= row.integer("capture_from") and fits:
            return row.integer("valid_hours")
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """Hourly amounts of a quarter.

    ``amounts``: int64 (n,), MISSING where nothing could be put. ``rule``: int16 (n,): 0 as measured or standstill, 180,
    720 or 2160 where filled, FAILED, NO_HISTORY.
    """

    amounts: Ints
    rule: npt.NDArray[np.int16]

    def totals(self) -> tuple[int, int, int]:
        """The sum with what was filled, the sum without, and how many hours are still missing."""
        there = self.amounts != MISSING
        measured = there & (self.rule == 0)
        return int(self.amounts[there].sum()), int(self.amounts[measured].sum()), int((~there).sum())


def fill(
    amounts: Ints,
    standstill: Bools,
    rate: Fraction | None,
    *,
    start: int = 0,
    until: Ints | None = None,
    date: datetime.date | None = None,
) -> Filled:
    """Fill the missing hours of a quarter.

    Args:
        amounts: int64 (n,), hourly amounts in the order of time in any unit (µg), MISSING where there is no valid one:
            the hours before the quarter that may be looked back on, then those of the quarter.
        standstill: bool (n,), hours of approved standstill; they end a gap, and are no valid hours to look back on.
        rate: ``capture_rate`` of the quarter; None where the plant never ran.
        start: place of the quarter's first hour. A gap that began before it is measured whole.
        until: int64 (n,), where data were out of control: for each hour the place of the first hour after the last
            successful calibration, up to which valid hours count. None: up to the gap.
        date: of the data.

    Returns:
        Filled, of the hours from ``start`` on.
    """
    gap = (amounts == MISSING) & ~standstill
    valid = np.flatnonzero(~gap & ~standstill)
    found = np.where(standstill, 0, amounts)
    rule = np.zeros(len(amounts), dtype=np.int16)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gap, [False]]).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2).tolist():
        back = None if rate is None else look_back(rate, end - begin, date)
        if back is None:
            rule[begin:end] = FAILED
            continue
        known_until = begin if until is None else min(begin, int(until[begin]))
        last = valid[: np.searchsorted(valid, known_until)][-back:]
        if len(last):
            found[begin:end] = amounts[last].max()
            rule[begin:end] = back
        else:
            rule[begin:end] = NO_HISTORY
    return Filled(found[start:], rule[start:])
