"""Time series of one item at one station: new results, jumps, values that stand still, gaps (water.md §0, §4.5 [E]).

Wet chemistry is measured every four hours and repeated in between: means, "two in a row" and constant-value checks must
see each result once. All functions take one station's series in time order, times as int64 seconds.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

from standards import dated
from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import items
from standards.water.readings import Bools

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Hours between new results, longest silence, and equal values (or hours of them) that are suspect."""

    every: int
    gap: int
    constant: int
    constant_span: int


@cache
def rhythm(item: str, date: datetime.date | None = None) -> Rhythm:
    """The rhythm of an item.

    Raises:
        LookupError: an item that automatic stations do not measure.
    """
    row = choose("water_rhythm", date).row(item=item)
    return Rhythm(row.integer("every"), row.integer("gap"), row.integer("constant"), row.integer("constant_span"))


def _in_order(times: Ints) -> None:
    if (np.diff(times) <= 0).any():
        raise ValueError("times 时间: must increase; sort the series and keep one row per time")


def new_results(item: str, times: Ints, values: Ints, date: datetime.date | None = None) -> Bools:
    """Which values are new results, not the last one carried forward.

    A value is new when it differs from the one before it, or when a full cycle has passed since the last new one (an
    equal result of the next cycle can't be told from a repeated one, so it counts). Hourly items: every value.

    Args:
        item: its id.
        times: int64 (n,), seconds, increasing.
        values: int64 (n,), MISSING allowed (never new).
        date: of the data.

    Raises:
        ValueError: times that do not increase.
    """
    _in_order(times)
    cycle = rhythm(item, date).every * HOUR
    known: Bools = values != MISSING
    if cycle <= HOUR:
        return known
    found = np.zeros(values.shape, dtype=np.bool_)
    last_value, last_new = MISSING, 0
    for at in np.flatnonzero(known).tolist():
        value, time = int(values[at]), int(times[at])
        if value != last_value or time - last_new >= cycle:
            found[at] = True
            last_value, last_new = value, time
    return found


@cache
def _jump_rules(item: str, date: datetime.date | None) -> tuple[dated.Row, ...]:
    return tuple(choose("water_jump", date).where(item=item))


def jumps(
    item: str, times: Ints, values: Ints, date: datetime.date | None = None, *, new: Bools | None = None
) -> npt.NDArray[np.int8]:
    """Steps that are too large: 0 none, 1 watch, 2 suspect, at the later value of a pair.

    Hourly items: pairs exactly one hour apart. Wet chemistry: consecutive new results.

    Args:
        item: its id.
        times: int64 (n,), seconds, increasing.
        values: int64 (n,), MISSING allowed.
        date: of the data.
        new: bool (n,) of :func:`new_results` where it is known already.

    Returns:
        int8 (n,); all 0 for an item without a rule.
    """
    _in_order(times)
    grades = np.zeros(values.shape, dtype=np.int8)
    for row in _jump_rules(item, date):
        hourly = row.text("every") == "hour"
        if not hourly and new is None:
            new = new_results(item, times, values, date)
        at = np.flatnonzero(values != MISSING if hourly or new is None else new & (values != MISSING))
        if len(at) < 2:
            continue
        before, after = values[at[:-1]], values[at[1:]]
        step = np.abs(after - before) > 0
        if hourly:
            step &= np.diff(times[at]) == HOUR
        if "difference" in row:
            step &= np.abs(after - before) >= row.fixed("difference", items()[item].places)
        if "ratio" in row:
            ratio = Fraction(row.number("ratio"))
            larger, smaller = np.maximum(before, after), np.minimum(before, after)
            step &= larger * ratio.denominator >= smaller * ratio.numerator
        grade = 2 if row.text("grade") == "suspect" else 1
        grades[at[1:]] = np.maximum(grades[at[1:]], np.where(step, grade, 0))
    return grades


def standing_still(
    item: str, times: Ints, values: Ints, *, sample_times: Ints | None = None, date: datetime.date | None = None
) -> Bools:
    """Values that have not moved for too long, from the value on that makes it too long.

    Hourly items: that many equal values in a row. Wet chemistry: that many equal results, told apart by their sample
    times; without sample times that many hours of an unbroken equal value. A gap breaks a run.

    Args:
        item: its id.
        times: int64 (n,), seconds, increasing.
        values: int64 (n,), MISSING allowed.
        sample_times: int64 (n,), when each value's water was drawn, where the station sends it.
        date: of the data.
    """
    _in_order(times)
    rule = rhythm(item, date)
    found = np.zeros(values.shape, dtype=np.bool_)
    previous, count, start = -1, 0, 0
    for at in np.flatnonzero(values != MISSING).tolist():
        time = int(times[at])
        broken = previous < 0 or values[at] != values[previous] or time - int(times[previous]) > rule.gap * HOUR
        if broken:
            count, start = 1, time
        elif sample_times is None or sample_times[at] != sample_times[previous]:
            count += 1
        if rule.every > 1 and sample_times is None:
            found[at] = time - start >= rule.constant_span * HOUR
        else:
            found[at] = count >= rule.constant
        previous = at
    return found


def gaps(item: str, times: Ints, values: Ints, date: datetime.date | None = None) -> Ints:
    """Silences longer than allowed: int64 (m, 2), times of the last value before and the first after each."""
    _in_order(times)
    heard = times[values != MISSING]
    at = np.flatnonzero(np.diff(heard) > rhythm(item, date).gap * HOUR)
    return np.stack([heard[at], heard[at + 1]], axis=1)
