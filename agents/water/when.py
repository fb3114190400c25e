"""When the water agent publishes, how far back it looks, and how its rows are named."""

from __future__ import annotations

import datetime as dt
from typing import Final

from agents.air.when import hour_label, name_of, split
from schemas import times

__all__ = ["hour_label", "last_closed", "month_label", "month_of", "month_span", "name_of", "split"]

GRACE_S: Final = 3 * 3600
"""A day is closed so long after its end: wet chemistry is published one or two hours late (water.md §0)."""
LOOK_BACK_DAYS: Final = 8
"""Days before an hour that its warnings look at: the seven of the median, and the one before of what is new."""
LONGEST_DAYS: Final = 400
"""An episode is followed back so far for its beginning."""
WARM_DAYS: Final = LOOK_BACK_DAYS + 1
"""Days whose hours stay in the arrays."""
VERSION_DAYS: Final = 61
"""Days after which no hour packet is judged any more (design §5)."""


def last_closed(now_s: int) -> int:
    """The last day whose end lies at least the grace before now."""
    return times.day_of(now_s - GRACE_S + 1) - 1


def month_of(day: int) -> int:
    """Months since the year 0, of a day number."""
    date = times.date_of(day)
    return date.year * 12 + date.month - 1


def month_span(month: int) -> tuple[int, int]:
    """First and last day number of a month."""
    following = month + 1
    first = dt.date(month // 12, month % 12 + 1, 1)
    return times.day_number(first), times.day_number(dt.date(following // 12, following % 12 + 1, 1)) - 1


def month_label(month: int) -> str:
    """``2026-04``."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
