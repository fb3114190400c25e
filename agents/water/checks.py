"""Quality checks of a section's instruments (actions ``qc``): by the law where they have numbers, else as said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from schemas import blocks
from schemas.action_kinds import SECTION_CHECKS
from standards import fixed
from standards.fixed import Ints
from standards.water import instruments

_PLACES: Final = 6
_MOST: Final = 10**15
"""Beyond it 64 bits do not hold a percentage; no instrument shows that."""

Check = Callable[[str, list[Ints], dt.date], instruments.Checks]
LAW: Final[Mapping[str, Check]] = {
    "zero_drift": lambda item, n, date: instruments.zero_drift(item, n[0], n[1], n[2], date),
    "span_drift": lambda item, n, date: instruments.span_drift(item, n[0], n[1], n[2], date),
    "span": lambda item, n, date: instruments.span_check(item, n[0], n[1], date),
    "recovery": lambda item, n, date: instruments.recovery(item, n[0], n[1], n[2], date),
}


def passed(action: blocks.Action, date: dt.date) -> bool:
    """Whether a check passed on a date: what its numbers come to (water.md §4.4), else the word it was told with."""
    data = action.data
    check = data.get("check", "")
    said = data.get("result") == "passed"
    if check not in LAW:
        return said
    try:
        numbers = [fixed.parse(data[name], _PLACES, excess="sticky") for name in SECTION_CHECKS[check]]
    except (KeyError, fixed.NotANumber):
        return said
    if max(map(abs, numbers)) > _MOST or numbers[-1] <= 0:
        return said
    found = LAW[check](data.get("factor", ""), [np.array([each], np.int64) for each in numbers], date)
    return bool(found.passed[0])
