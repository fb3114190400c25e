"""Counting days: good-air days and their ratio, categories, primary pollutants, the year's index (§4.1, design §11)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np

from standards.air.days import DayVerdicts, without_dust
from standards.air.index import PROFILES, rounded
from standards.air.periods import Period, check_period, period_index
from standards.air.rules import DEFAULT, POLLUTANTS, Bools, Switches, categories, places_of


def good_ratio(good: int, valid: int, edition: str = "2026") -> Fraction | None:
    """优良天数比例 in percent, one decimal half-even; None without a valid day (§4.1)."""
    return rounded(Fraction(100 * good, valid), places_of(edition, "report", "good_ratio")) if valid else None


def tally_year(
    days: DayVerdicts,
    *,
    dust: Bools | None = None,
    ratio_dust: Literal["keep", "deduct"] = "keep",
    profiles: tuple[str, ...] = PROFILES,
    switches: Switches = DEFAULT,
) -> dict[str, Any]:
    """Count the days of one calendar year; see ``tally``."""
    return tally(days, "year", dust=dust, ratio_dust=ratio_dust, profiles=profiles, switches=switches)


def tally(
    days: DayVerdicts,
    period: Period,
    *,
    dust: Bools | None = None,
    ratio_dust: Literal["keep", "deduct"] = "keep",
    profiles: tuple[str, ...] = PROFILES,
    switches: Switches = DEFAULT,
) -> dict[str, Any]:
    """Count the days of one period.

    Args:
        days: the area's days, dust kept, with dates.
        period: ``year``, ``quarter`` or ``month``.
        dust: bool[D], confirmed dust days. Their PM never enters the index (CNEMC practice, §4.2).
        ratio_dust: whether the counts and the ratio keep dust (national practice) or deduct it.
        profiles: index profiles wanted.
        switches: as the days were judged; ``dust_days_count`` says whether deducted days count for the minima.

    Returns:
        A JSON-safe dict: ``good``, ``polluted``, ``invalid``, ``valid`` (days), ``ratio`` (percent, None without a
        valid day), ``by_category`` (name -> days), ``primary`` (pollutant -> days, ties count for each), ``index``
        (profile -> value, None when a pollutant has too few days), ``provisional`` (the indices that would be without
        the minima).

    Raises:
        ValueError: no days, days without a date, or of more than one period.
    """
    check_period(days, period)
    deducted = days if dust is None else without_dust(days, dust, switches)
    counted = deducted if ratio_dust == "deduct" else days
    edition = str(days.edition[-1])
    good, valid = int(counted.good.sum()), int(counted.valid.sum())
    per_level = np.bincount(counted.level, minlength=7)
    per_pollutant = counted.primary.sum(axis=0)
    names = categories(edition)
    ratio = good_ratio(good, valid, edition)
    measured = days if switches.dust_days_count else deducted
    index = {name: _value(deducted, period, name, measured) for name in profiles}
    return {
        "good": good,
        "polluted": int(counted.polluted.sum()),
        "invalid": len(counted) - valid,
        "valid": valid,
        "ratio": None if ratio is None else float(ratio),
        "by_category": {name[1]: int(per_level[level]) for level, name in names.items()},
        "primary": {pollutant: int(n) for pollutant, n in zip(POLLUTANTS, per_pollutant, strict=True)},
        "index": index,
        "provisional": {name: _value(deducted, period, name, None) for name, value in index.items() if value is None},
    }


def _value(days: DayVerdicts, period: Period, name: str, measured: DayVerdicts | None) -> float | None:
    """An index as a JSON number: at most three decimals, so the shortest text of the float is the exact decimal.

    ``measured``: the days that count for the minima; None for a provisional index, without the minima.
    """
    found = period_index(days, period, name, provisional=measured is None, measured=measured)
    return None if found is None or found.total is None else float(found.total)
