"""Shares of time: transmission-effective rate, the ultra-low share of a month, on-line minutes (emission.md §2, §4.4).

Everything is counted in integers and compared without division: 684 of 720 is 95 %.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from standards.emission.exact import Bytes
from standards.emission.hours import EXCEED, EXEMPT, OK
from standards.emission.rules import owed_percent
from standards.fixed import Ints


@dataclass(frozen=True, slots=True)
class Transmission:
    """Transmission rate, effective rate (None when nothing came), their product, and whether the target is met."""

    transmission: Fraction
    effective: Fraction | None
    product: Fraction
    meets: bool
    meets_goal: bool


def transmission(
    hours: int, standstill: int, received: int, valid: int, date: datetime.date | None = None
) -> Transmission | None:
    """传输有效率 of an outlet and month.

    Args:
        hours: hours of the month, times the required factors.
        standstill: approved standstill hours among them.
        received: hours that came, of those that were due.
        valid: valid ones among them.
        date: of the data.

    Returns:
        Transmission; None where nothing was due.

    Raises:
        ValueError: counts that are no part of each other: hours at a standstill that came all the same are not due.
    """
    expected = hours - standstill
    if not 0 <= valid <= received <= expected or standstill < 0:
        raise ValueError(
            f"{hours} hours, {standstill} at a standstill, {received} received, {valid} valid: not a month"
        )
    if not expected:
        return None
    return Transmission(
        transmission=Fraction(received, expected),
        effective=Fraction(valid, received) if received else None,
        product=Fraction(valid, expected),
        meets=100 * valid >= owed_percent("transmission_effective", date) * expected,
        meets_goal=100 * valid >= owed_percent("transmission_effective_goal", date) * expected,
    )


@dataclass(frozen=True, slots=True)
class UltraLow:
    """Hours of a month against the ultra-low limit. ``share``: percent that comply, None without a valid hour."""

    valid: int
    over: int
    share: Fraction | None
    passes: bool | None


def ultra_low(valid: int, over: int, date: datetime.date | None = None) -> UltraLow:
    """Whether enough of the valid hours of a month comply.

    Args:
        valid: valid hours.
        over: those above the ultra-low limit and not exempt.
        date: of the data.

    Raises:
        ValueError: more hours over than valid.
    """
    if not 0 <= over <= valid:
        raise ValueError(f"{over} hours over of {valid} valid: not a month")
    if not valid:
        return UltraLow(0, 0, None, None)
    good = valid - over
    return UltraLow(valid, over, Fraction(100 * good, valid), 100 * good >= owed_percent("ultra_low", date) * valid)


def ultra_low_of(verdicts: Bytes, date: datetime.date | None = None) -> UltraLow:
    """As ``ultra_low``, of the verdicts against that limit; an exempt hour is valid and not over."""
    over = int((verdicts == EXCEED).sum())
    return ultra_low(over + int(((verdicts == OK) | (verdicts == EXEMPT)).sum()), over, date)


def online_minutes(packets: Ints, interval_s: int, start: int, end: int) -> tuple[int, int]:
    """在线率: the minutes with a valid packet within the last three intervals, and all minutes.

    Args:
        packets: int64 (n,), times of valid packets in seconds, in any order.
        interval_s: how often one is due.
        start: first second, on a full minute.
        end: after the last, on a full minute.
    """
    ends = np.arange(start + 60, end + 60, 60, dtype=np.int64)
    ordered = np.sort(packets)
    newest = np.searchsorted(ordered, ends, side="right") - 1
    there = newest >= 0
    age = ends - ordered[np.maximum(newest, 0)] if len(ordered) else ends
    return int((there & (age <= 3 * interval_s)).sum()), len(ends)
