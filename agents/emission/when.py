"""When the emission agent publishes, how its rows are named, how long they are kept."""

from __future__ import annotations

from typing import Final

from schemas import times

MINUTES_GRACE_S: Final = 300
"""An hour that only has minutes waits so long for the last of them."""
DAY_GRACE_S: Final = 3600
"""A day is published so long after its end, and again whenever it changes: its last hour has come by then."""
WARM_DAYS: Final = 2
"""Days whose hours stay in the arrays; older rows are bytes until somebody speaks of them."""
VERSION_DAYS: Final = 61
"""Days after which no hour packet is judged any more (design §5)."""
MINUTE_DAYS: Final = 3
"""Days that means and instants are kept."""


def last_closed(now_s: int) -> int:
    """The last day whose end lies at least the grace before now."""
    return times.day_of(now_s - DAY_GRACE_S + 1) - 1


def minute_of(instant_s: int) -> int:
    """Minutes since 1970-01-01 00:00 Beijing time, as the law of facility supervision counts; of an epoch second."""
    return (instant_s + times.OFFSET_S) // 60


def instant_of(minute: int) -> int:
    """The epoch second at which such a minute begins."""
    return minute * 60 - times.OFFSET_S


def hour_label(end: int) -> str:
    """``2026-04-06T24``: the hour by its end, 01 to 24."""
    return f"{times.date_of(times.day_of(end)).isoformat()}T{times.hour_index(end) + 1:02d}"


def hour_of(instant: int) -> int:
    """End of the hour that an instant or the end of a shorter period lies in; windows are ``(start, end]``."""
    return -(-instant // times.HOUR_S) * times.HOUR_S


def name_of(subject: str, number: int) -> str:
    """Name of a row: a source, and a day number or the end of an hour."""
    return f"{subject}|{number}"


def split(name: str) -> tuple[str, int]:
    """Subject and number of a row's name."""
    subject, _, number = name.rpartition("|")
    return subject, int(number)
