"""Hours: whether one can be judged, what is compared with its limit, and what comes of it (emission.md §3, §4.3).

All functions take arrays of hours, of one or of many outlets and pollutants.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from standards.emission import marks
from standards.emission.exact import (
    Bools,
    Bytes,
    Exact,
    constant,
    greater,
    half_step,
    known,
    pack,
    times,
    where,
)
from standards.emission.flags import INVALID, STANDSTILL
from standards.emission.gas import converted
from standards.emission.rules import constant_of, minimum
from standards.fixed import MISSING, Ints

VERDICTS: Final = ("OK", "EXCEED", "EXEMPT", "INVALID", "NOT_APPLICABLE", "NO_LIMIT")
"""Codes of verdicts. NO_LIMIT: the hour is valid, and there is nothing to judge it by."""
OK, EXCEED, EXEMPT, UNUSABLE, NOT_APPLICABLE, NO_LIMIT = range(6)

REASONS: Final = (
    "", "standstill", "device_mark", "flag", "minutes", "no_value", "negative", "no_oxygen", "oxygen_ceiling",
)  # fmt: skip
"""Why an hour is not judged, by code; "" where it is. The first of them that holds counts."""

SOURCES: Final = ("", "avg", "zs", "recomputed")
"""What was compared: the measured mean, the device's converted mean, or our own conversion of mean and O2."""


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Hours as logger and officers give them; every field has the same length (or broadcasts to it).

    ``avg``: measured mean; ``zs``: the device's own converted mean; ``oxygen``: mean O2 where it is valid (% dry); all
    missing where absent. ``use``: of the flag (``flags.uses``). ``minutes``: valid minutes, MISSING where only the hour
    itself is known: then its flag decides. ``marked``: sets of marks (``marks.bits``).
    """

    avg: Exact
    zs: Exact
    oxygen: Exact
    use: Bytes
    minutes: Ints
    marked: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What of hours is compared with limits: ``value``, missing unless ``reason`` is 0; codes of REASONS and SOURCES.

    ``zs_differs``: the device's converted mean and our own differ by more than the tolerance; the device's is used.
    """

    value: Exact
    reason: Bytes
    source: Bytes
    zs_differs: Bools


def measure(
    hours: Hours, reference: Exact, *, ceiling: Fraction | None = None, date: datetime.date | None = None
) -> Measured:
    """Which hours can be judged, and by what value.

    Args:
        hours: n hours.
        reference: reference O2 in %, missing where the limit is for the value as measured.
        ceiling: O2 from which a converted value is unreliable and not judged; None takes the table's.
        date: of the data.

    Raises:
        ValueError: a reference outside 0 … 21, or a ceiling above 21.
    """
    air = constant_of("air_oxygen", date)
    limit = constant_of("oxygen_ceiling", date) if ceiling is None else ceiling
    if limit > air:
        raise ValueError(f"oxygen ceiling 含氧量上限 {float(limit)}: at most {int(air)} %")
    ours = converted(hours.avg, hours.oxygen, reference, date)
    o2_num, o2_den, o2_missing = known(hours.oxygen)
    oxygen = pack(o2_num, o2_den, o2_missing | np.asarray(o2_num < 0))
    needed = ~reference.missing
    given = needed & ~hours.zs.missing
    value = where(given, hours.zs, ours)
    too_high = needed & ~oxygen.missing & ~greater(constant(limit), oxygen)
    reasons: tuple[tuple[str, Bools], ...] = (
        ("oxygen_ceiling", too_high),
        ("no_oxygen", needed & ~given & oxygen.missing),
        ("negative", greater(constant(0), where(given, hours.zs, hours.avg))),
        ("no_value", hours.avg.missing & ~given),
        ("minutes", (hours.minutes != MISSING) & (hours.minutes < minimum("min_minutes_hour", date))),
        ("flag", hours.use == INVALID),
        ("device_mark", hours.marked & marks.bits_of("device", date) != 0),
        ("standstill", (hours.use == STANDSTILL) | (hours.marked & marks.bits_of("standstill", date) != 0)),
    )
    reason = np.zeros(np.broadcast_shapes(value.missing.shape, hours.use.shape, hours.marked.shape), dtype=np.uint8)
    for name, mask in reasons:  # the later ones count first
        np.copyto(reason, np.uint8(REASONS.index(name)), where=mask)
    judged: Bools = reason == 0
    source = np.zeros(reason.shape, dtype=np.uint8)
    for name, mask in (("avg", judged), ("recomputed", judged & needed), ("zs", judged & given)):
        np.copyto(source, np.uint8(SOURCES.index(name)), where=mask)
    differs = np.zeros(reason.shape, dtype=np.bool_)
    at = np.flatnonzero(judged & given & ~oxygen.missing)
    differs[at] = _differs(hours.avg.take(at), hours.zs.take(at), oxygen.take(at), reference.take(at), date)
    num, den, none = known(value)
    return Measured(
        value=pack(num, den, none | ~judged),
        reason=reason,
        source=source,
        zs_differs=differs,
    )


def _differs(avg: Exact, zs: Exact, oxygen: Exact, reference: Exact, date: datetime.date | None) -> Bools:
    """Whether no numbers that could have been rounded to those sent bring both conversions within the tolerance."""
    tolerance = constant_of("zs_tolerance", date) / 100
    low, high = (converted(half_step(avg, sign), half_step(oxygen, sign), reference, date) for sign in (-1, 1))
    below = greater(times(low, 1 - tolerance), half_step(zs, 1))
    return below | greater(half_step(zs, -1), times(high, 1 + tolerance))


def judge(measured: Measured, most: Exact, exempt: Bools | bool = False, *, least: Exact | None = None) -> Bytes:
    """The verdicts of hours against one limit; a value equal to it complies.

    Args:
        measured: n hours.
        most: the limit, (n,) or one for all; missing where there is none.
        exempt: hours with a condition mark within its budget (``marks.within_budget``).
        least: a limit from below (pH), where there is one.

    Returns:
        uint8 (n,), codes of VERDICTS.
    """
    over = greater(measured.value, most)
    none = most.missing
    if least is not None:
        over = over | greater(least, measured.value)
        none = none & least.missing
    found = np.full(measured.reason.shape, OK, dtype=np.uint8)
    masks: tuple[tuple[int, Bools], ...] = (
        (EXCEED, over),
        (EXEMPT, over & exempt),
        (NO_LIMIT, none),
        (UNUSABLE, measured.reason != 0),
        (NOT_APPLICABLE, measured.reason == REASONS.index("standstill")),
    )
    for code, mask in masks:  # the later ones count first
        np.copyto(found, np.uint8(code), where=mask)
    return found


def together(*verdicts: Bytes) -> Bytes:
    """What hours come to under several binding limits: exceeding one exceeds, complying needs one to comply with."""
    found = np.full(verdicts[0].shape, NO_LIMIT, dtype=np.uint8)
    for code in (OK, EXEMPT, EXCEED, UNUSABLE, NOT_APPLICABLE):  # the later ones count first
        for each in verdicts:
            found[each == code] = code
    return found


def contradicts(sent: Exact, own: Exact, percent: Fraction) -> Bools:
    """Whether hours as sent differ from the means of their minutes by more than a share; no where one is missing.

    Half a unit of the last digit sent is not held against it.
    """
    below = greater(times(own, 1 - percent / 100), half_step(sent, 1))
    return below | greater(half_step(sent, -1), times(own, 1 + percent / 100))
