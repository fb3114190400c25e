"""When the air agent publishes, and how its rows are named."""

from __future__ import annotations

from typing import Final

from schemas import times

GRACE_S: Final = 3600
"""An area hour or day is published so long after its end at the latest (HJ 633 5.1)."""
MINUTES_GRACE_S: Final = 300
"""An hour that only has minutes waits so long for the last of them."""
COMPLETE_S: Final = 11 * 3600 + 1800
"""By 11:30 of the next day the daily report must be complete: it is published before 12:00 (HJ 633-2026 5.2)."""
WARM_DAYS: Final = 2
"""Days whose hours stay in the arrays; older rows are bytes until somebody speaks of them."""
VERSION_DAYS: Final = 61
"""Days after which no hour packet is judged any more (design §5): what competes with what is forgotten."""


def last_closed(now_s: int) -> int:
    """The last day whose end lies at least the grace before now."""
    return times.day_of(now_s - GRACE_S + 1) - 1


def hour_label(end: int) -> str:
    """``2015-12-01T24``: the hour by its end, 01 to 24."""
    return f"{times.date_of(times.day_of(end)).isoformat()}T{times.hour_index(end) + 1:02d}"


def name_of(subject: str, number: int) -> str:
    """Name of a row: a station or area, and a day number or the end of an hour."""
    return f"{subject}|{number}"


def split(name: str) -> tuple[str, int]:
    """Subject and number of a row's name."""
    subject, _, number = name.rpartition("|")
    return subject, int(number)
