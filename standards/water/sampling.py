"""When the water was drawn that a published hour shows, and how many results a day plans (water.md §0, §4.1).

Wet chemistry is drawn at 00, 04, 08, 12, 16 and 20 h Beijing time and shown one or two hours later; until the next
sample it is said again. What is measured every hour is of the hour itself.
"""

from __future__ import annotations

import datetime
from functools import cache
from typing import Final

import numpy as np

from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.readings import Bools
from standards.water.rhythm import HOUR, Rhythm, new_results, rhythm

_OFFSET_S: Final = 8 * HOUR  # cycles begin at midnight in Beijing
_LEAST_DELAY_S: Final = HOUR  # an hour's end is at least one hour after the sample it shows


@cache
def rhythm_of(item: str, date: datetime.date | None = None) -> Rhythm:
    """The rhythm of any item; one that ``water_rhythm`` does not name has that of the wet chemistry, TN's."""
    for row in choose("water_rhythm", date).where(item=item):
        return rhythm(row.text("item"), date)
    return rhythm("TN", date)


@cache
def _has_rhythm(item: str, date: datetime.date | None) -> bool:
    return next(choose("water_rhythm", date).where(item=item), None) is not None


@cache
def is_wet(item: str, date: datetime.date | None = None) -> bool:
    """Whether an item is measured in cycles and repeated in between."""
    return rhythm_of(item, date).every > 1


def planned(item: str, date: datetime.date | None = None) -> int:
    """Results a day plans: 24 of what is measured hourly, 6 of wet chemistry (water.md §3.3)."""
    return 24 // rhythm_of(item, date).every


def fresh(item: str, times: Ints, values: Ints, date: datetime.date | None = None) -> Bools:
    """As ``rhythm.new_results``, for any item."""
    return new_results(item if _has_rhythm(item, date) else "TN", times, values, date)


def drawn(item: str, times: Ints, date: datetime.date | None = None) -> Ints:
    """When the water of a result was drawn that an hour is the first to show.

    Args:
        item: its id.
        times: int64 (n,), ends of hours, epoch seconds.
        date: of the data.

    Returns:
        int64 (n,): the newest cycle that began at least an hour before the end; of hourly items the end itself.
    """
    every = rhythm_of(item, date).every
    if every <= 1:
        return times
    cycle = every * HOUR
    found: Ints = (times - _LEAST_DELAY_S + _OFFSET_S) // cycle * cycle - _OFFSET_S
    return found


def shown_since(times: Ints, drawn_at: Ints, new: Bools, values: Ints) -> Ints:
    """For every hour the sample time of the result it shows: that of the newest new one.

    Args:
        times: int64 (n,), ends of hours.
        drawn_at: int64 (n,) of :func:`drawn`.
        new: bool (n,), new results.
        values: int64 (n,), MISSING allowed.

    Returns:
        int64 (n,); before the first new result the hour itself.
    """
    at = np.maximum.accumulate(np.where(new, np.arange(len(times)), -1))
    known = (at >= 0) & (values != MISSING)
    found: Ints = np.where(known, drawn_at[np.maximum(at, 0)], times)
    return found
