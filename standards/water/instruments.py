"""Checks of the instruments: zero, span, drift, recovery, and what a failed check invalidates (water.md §4.4)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from standards import dated
from standards.fixed import Ints
from standards.water.editions import choose
from standards.water.indicators import Floats
from standards.water.items import items
from standards.water.readings import Bools


@dataclass(frozen=True, slots=True)
class Checks:
    """``value``: float64 (n,), in % (zero check: the item's unit), to show. ``passed``: bool (n,), compared exactly."""

    value: Floats
    passed: Bools


def _row(check: str, item: str, series: str, date: datetime.date | None) -> dated.Row:
    edition = choose("water_instrument_qc", date, series=series)
    found = next(edition.where(check=check, item=item), None)
    return found or edition.row(check=check, item="any")


def zero_check(
    item: str, result: Ints, standard: Ints, *, profile: str = "", date: datetime.date | None = None
) -> Checks:
    """Daily zero check: result - zero standard, absolute.

    Args:
        item: its id.
        result: int64 (n,) in the item's scale.
        standard: int64 (n,), what the zero standard should give.
        profile: ``""``, or ``wide_zero`` for the wider limits of other sources.
        date: of the check.

    Raises:
        LookupError: an item without a zero check.
    """
    row, places = _row("zero", item, profile, date), items()[item].places
    off = result - standard
    passed: Bools = (off >= row.fixed("low", places)) & (off <= row.fixed("high", places))
    return Checks(off / 10.0**places, passed)


def _relative(check: str, item: str, num: Ints, den: Ints, date: datetime.date | None) -> Checks:
    row = _row(check, item, "", date)
    if (den <= 0).any():
        raise ValueError(f"{items()[item].label}: {check}: 分母 span, standard or added amount must be above zero")
    low, high = Fraction(row.number("low")), Fraction(row.number("high"))
    above = 100 * num * low.denominator >= low.numerator * den
    under = 100 * num * high.denominator <= high.numerator * den
    return Checks(100 * num / den, above & under)


def zero_drift(item: str, now: Ints, before: Ints, span: Ints, date: datetime.date | None = None) -> Checks:
    """24 h zero drift: (result - previous) / span · 100 %. int64 (n,) in the item's scale."""
    return _relative("zero_drift", item, now - before, span, date)


def span_check(item: str, result: Ints, standard: Ints, date: datetime.date | None = None) -> Checks:
    """Daily span check: (result - standard) / standard · 100 %. int64 (n,) in the item's scale."""
    return _relative("span", item, result - standard, standard, date)


def span_drift(item: str, now: Ints, before: Ints, span: Ints, date: datetime.date | None = None) -> Checks:
    """24 h span drift: (result - previous) / span · 100 %. int64 (n,) in the item's scale."""
    return _relative("span_drift", item, now - before, span, date)


def recovery(item: str, spiked: Ints, unspiked: Ints, added: Ints, date: datetime.date | None = None) -> Checks:
    """Spike recovery: (spiked - unspiked) / added · 100 %. int64 (n,) in the item's scale."""
    return _relative("recovery", item, spiked - unspiked, added, date)


def invalidated(times: Ints, check_times: Ints, passed: Bools) -> Bools:
    """Results a failed zero or span check makes invalid (water.md §4.4 [C]).

    A failed check invalidates back to the last passed check and on until the next pass. So a result is invalid when the
    last check at or before it failed, or the first check after it failed.

    Args:
        times: int64 (n,), of the results.
        check_times: int64 (m,), increasing.
        passed: bool (m,).

    Returns:
        bool (n,). Nothing is invalid before a first check that passed or after a last one that passed.
    """
    after = np.searchsorted(check_times, times, side="right")
    padded = np.concatenate([[True], passed, [True]])
    found: Bools = ~padded[after] | ~padded[after + 1]
    return found


def invalidated_by_checks(times: Ints, checks: list[tuple[int, bool]], date: datetime.date | None = None) -> Bools:
    """As :func:`invalidated`, for checks as they are recorded: in any order, several at one instant, none before.

    A failed check with no check on record before it reaches back one daily interval (``reach`` of
    ``water_instrument_qc``), not to the beginning of time.

    Args:
        times: int64 (n,), of the results.
        checks: when, and whether it passed; at one instant a failed one outweighs.
        date: of the data.
    """
    if not checks:
        return np.zeros(times.shape, dtype=np.bool_)
    by_time: dict[int, bool] = {}
    for at, passed in checks:
        by_time[at] = by_time.get(at, True) and passed
    first = min(by_time)
    if not by_time[first]:
        reach_h = int(choose("water_instrument_qc", date).row(check="reach", item="any").number("high"))
        by_time[first - 3600 * reach_h] = True
    ordered = sorted(by_time)
    return invalidated(times, np.array(ordered, dtype=np.int64), np.array([by_time[at] for at in ordered], np.bool_))
