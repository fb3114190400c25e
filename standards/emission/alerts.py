"""How bad an hour above a limit is, and hours in a row (emission.md §6)."""

from __future__ import annotations

import datetime
from functools import cache
from typing import Final

import numpy as np

from standards.emission.exact import Bytes, Exact, constant, greater, times
from standards.emission.hours import Measured
from standards.water.editions import choose

GRADES: Final = ("", "blue", "yellow", "orange", "red")
"""Of one hour: nothing, close to its limit, above it, far above it, very far; places are the codes of ``grades``."""
BLUE, YELLOW, ORANGE, RED = range(1, 5)


@cache
def _rows(date: datetime.date | None) -> tuple[tuple[int, int, bool, int], ...]:
    return tuple(
        (GRADES.index(row.text("level")), row.integer("from"), row.flag("reached"), row.integer("hours"))
        for row in choose("emission_alerts", date).rows
    )


def grades(measured: Measured, most: Exact, *, least: Exact | None = None, date: datetime.date | None = None) -> Bytes:
    """The grade of single hours against their strictest binding limit, exactly; 0 where they are not judged.

    A value outside of a range (pH) has the grade of one above its limit, and never more: a share of it means nothing.
    """
    found = np.zeros(measured.reason.shape, dtype=np.uint8)
    for code, percent, reached, _ in _rows(date):
        at = times(most, percent)
        value = times(measured.value, 100)
        over = greater(value, at)
        if reached:
            over |= ~greater(at, value) & ~at.missing & ~value.missing
        found[over] = code
    if least is not None:
        outside = greater(least, measured.value) | greater(measured.value, most)
        ranged = np.broadcast_to(~least.missing, found.shape)
        found[ranged] = np.where(outside, YELLOW, 0)[ranged]
    found[greater(constant(0), measured.value)] = 0
    return found


def level_of(worst: int, hours: int, date: datetime.date | None = None) -> str:
    """The level of so many hours in a row, the worst of which has a grade; "" while they are too few.

    Args:
        worst: the highest grade among them: BLUE of a run of hours close to the limit, else that of the exceedance.
        hours: how many.
        date: of the last of them.
    """
    found = 0
    for code, _, _, needed in _rows(date):
        if worst == BLUE:
            if code == BLUE and hours >= needed:
                found = BLUE
        elif code > BLUE and (code <= worst or hours >= needed):
            found = code
    return GRADES[found]
