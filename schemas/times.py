"""Beijing time: hours labelled by their end, days of labels 01 to 24.

Times in messages are integers: seconds since the Unix epoch for what is measured, milliseconds for
when something was received. Beijing time is +08:00 all year (no DST since 1991), so civil time is
plain integer arithmetic and no time-zone database is asked.
"""

from __future__ import annotations

import datetime as dt
import functools

BEIJING = dt.timezone(dt.timedelta(hours=8), "+08:00")
OFFSET_S = 8 * 3600
HOUR_S = 3600
DAY_S = 86_400


def day_of(end_s: int) -> int:
    """Day number (days since 1970-01-01 in Beijing) that the period ending at ``end_s`` belongs to.

    Windows are ``(start, end]``: 00:00 is label 24 of the day before (air.md §5).
    """
    return (end_s + OFFSET_S - 1) // DAY_S


def day_start(day: int) -> int:
    """Epoch seconds of 00:00 Beijing time on that day number."""
    return day * DAY_S - OFFSET_S


def day_end(day: int) -> int:
    """Epoch seconds of 24:00 Beijing time on that day number."""
    return day_start(day + 1)


def hour_index(end_s: int) -> int:
    """Index 0..23 of the hour ending at ``end_s`` within its day: label 01 is 0, label 24 is 23."""
    return ((end_s + OFFSET_S - 1) % DAY_S) // HOUR_S


@functools.lru_cache(maxsize=4096)
def date_of(day: int) -> dt.date:
    """Calendar date of a day number."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=day)


def day_number(date: dt.date) -> int:
    """Day number of a calendar date."""
    return (date - dt.date(1970, 1, 1)).days


def civil(epoch_s: int) -> dt.datetime:
    """Aware Beijing time of an instant."""
    return dt.datetime.fromtimestamp(epoch_s, BEIJING)


def text(epoch_s: int) -> str:
    """``2015-12-01 08:00:00`` in Beijing time, for people."""
    return civil(epoch_s).strftime("%Y-%m-%d %H:%M:%S")


def stamp(epoch_s: int) -> str:
    """``20151201080000`` in Beijing time, as HJ 212 writes it."""
    return civil(epoch_s).strftime("%Y%m%d%H%M%S")


def parse_stamp(digits: str) -> int:
    """Epoch seconds of an HJ 212 time, 14 digits or 17 with milliseconds.

    Raises:
        ValueError: not 14 or 17 digits, or no such time.
    """
    if len(digits) not in (14, 17) or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"time {digits!r} is not YYYYMMDDhhmmss")
    return _seconds_of(digits[:14])


@functools.lru_cache(maxsize=4096)  # a district says the same minute a hundred times over
def _seconds_of(digits: str) -> int:
    moment = dt.datetime(
        int(digits[:4]), int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12]), int(digits[12:14]),
        tzinfo=BEIJING,
    )  # fmt: skip
    return int(moment.timestamp())


def parse_text(written: str) -> int:
    """Epoch seconds of ``2026-11-22T08:00`` (seconds optional, a blank for T), Beijing time unless it says another.

    Raises:
        ValueError: no such time.
    """
    moment = dt.datetime.fromisoformat(written)
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=BEIJING)).timestamp())
