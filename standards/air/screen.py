"""The hard screen of hourly station values, and what the judging functions demand of them (domain/air.md §6.3)."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from standards import dated
from standards.air.rules import HOURS, POLLUTANTS, Bools, Ints
from standards.air.units import published_unit, thousandths
from standards.air.verdict import Bytes
from standards.fixed import MISSING, text_of

REASONS: Final = ("ok", "missing", "negative", "unit", "hard_range", "detection_limit")
"""The codes of ``screen_hours``: Q01 missing; below 0; Q03 CO above 100 mg/m³ (µg sent as mg?); Q04 hard range;
Q04 below minus the detection limit (only where slightly negative values are kept)."""

ROOM: Final = 2**62


def screen_hours(values: Ints, *, low_negatives: str = "invalid") -> tuple[Bools, Bytes]:
    """The hard checks of hourly station values, one by one.

    Zero is kept as a valid value. Negative values are invalid by default: the substitutes for slightly negative ones
    are known only from memory (D-). ``low_negatives="substitute"`` keeps those within the detection limit as valid, to
    be passed through ``substitute_low`` (Q06).

    Args:
        values: int64[..., 6] thousandths, MISSING where absent.
        low_negatives: ``invalid`` or ``substitute``.

    Returns:
        valid bool[..., 6] and reason uint8[..., 6], an index into REASONS.

    Raises:
        ValueError: the last axis is not 6, or an unknown ``low_negatives``.
    """
    if values.ndim == 0 or values.shape[-1] != len(POLLUTANTS):
        raise ValueError(f"values have the shape {values.shape}; the last axis must be the 6 pollutants")
    if low_negatives not in ("invalid", "substitute"):
        raise ValueError(f"low_negatives is {low_negatives!r}, not invalid or substitute")
    reason = np.zeros(values.shape, np.uint8)
    reason[values > thresholds("hard_above")] = 4
    reason[values > thresholds("unit_above")] = 3
    if low_negatives == "invalid":
        reason[values < 0] = 2
    else:
        reason[values < -thresholds("detection_limit")] = 5
    reason[values == MISSING] = 1
    return reason == 0, reason


def substitute_low(values: Ints) -> tuple[Ints, Bools]:
    """Q06: put the substitute for values from minus the detection limit to 0 (HJ 817, HJ 818 ch. 7, D-).

    Args:
        values: int64[..., 6] thousandths; the raw values must be kept by the caller.

    Returns:
        the corrected values and where they were corrected.
    """
    low = (values <= 0) & (values >= -thresholds("detection_limit"))
    return np.where(low, thresholds("substitute"), values), low


_OTHER_UNITS: Final = {
    "zero_hours": "h", "constant_hours": "h", "constant_invalid_hours": "h", "inversion_alarm_hours": "h",
    "inversion_percent": "%", "nox_percent": "%", "jump_together": "%", "no_as_no2_ratio": "1", "jump_factor": "1",
    "peer_z": "1", "peer_stations": "1", "periodic_days": "day", "periodic_window": "day", "alarm_after": "min",
    "future_after": "min", "too_old_after": "day",
}  # fmt: skip
"""What the checks that are no concentrations are measured in; a table row in another unit is refused."""


@cache
def thresholds(check: str) -> Ints:
    """int64[6] thousandths (or counts × 1000) of a check; the largest int64 where a pollutant has none.

    Raises:
        LookupError: no such check.
        TableError: a row in a unit that cannot be what the check compares.
    """
    rows = {row.text("item"): threshold(check, row.text("item")) for row in _checks().where(check=check)}
    if not rows:
        raise LookupError(f"air_checks has no check {check!r}")
    return np.array([rows.get(pollutant, np.iinfo(np.int64).max) for pollutant in POLLUTANTS], np.int64)


def threshold(check: str, item: str) -> int:
    """Thousandths (or counts × 1000) of one row of air_checks."""
    unit = _OTHER_UNITS.get(check) or published_unit(item)
    return thousandths(_checks().row(check=check, item=item), "value", unit)


def _checks() -> dated.Edition:
    return dated.load("air_checks")[0]


_RULES: Final = {
    "negative": ("Q06", "below 0; no substitute is put for it", ""),
    "unit": ("Q03", "above {} (µg/m³ sent as mg/m³?)", "unit_above"),
    "hard_range": ("Q04", "above {}", "hard_above"),
    "detection_limit": ("Q04", "below -{}, minus the detection limit", "detection_limit"),
}


def rule_of(reason: str, pollutant: str) -> tuple[str, str]:
    """Which rule took a value out, and its limit in words: ``("Q04", "above 1200 µg/m³")``.

    Args:
        reason: one of REASONS that ``screen_hours`` gives for a value.
        pollutant: whose limit.
    """
    check, words, table = _RULES[reason]
    limit = f"{text_of(threshold(table, pollutant))} {published_unit(pollutant)}" if table else ""
    return check, words.format(limit)


def check_shape(hours: Ints, ndim: int, registered: Bools | None) -> None:
    """Check the form of an array of hours.

    Args:
        hours: int64[S, …, 6].
        ndim: the number of axes it must have.
        registered: bool, the first two axes of ``hours``; None for all.

    Raises:
        ValueError: wrong shape or type, or nothing in it.
    """
    if hours.ndim != ndim or hours.shape[-1] != len(POLLUTANTS) or hours.dtype != np.int64:
        raise ValueError(f"hours are {hours.dtype}{list(hours.shape)}; needed is int64 with {ndim} axes, the last of 6")
    if not hours.size:
        raise ValueError("hours are empty: at least one station and one hour are needed")
    if registered is not None and registered.shape != hours.shape[:2]:
        raise ValueError(f"registered has the shape {registered.shape}, the hours {hours.shape[:2]}")


def check_values(hours: Ints, n_stations: int, room: int) -> tuple[Ints, Bools]:
    """Check values before exact sums.

    Args:
        hours: int64 thousandths, MISSING where absent.
        n_stations: so many days of 24 hours must add up within int64 …
        room: … after being multiplied with this.

    Returns:
        the values with 0 for MISSING, and where there are values.

    Raises:
        ValueError: a negative value, or one so large that a sum could leave int64.
    """
    present: Bools = hours != MISSING
    if ((hours < 0) == present).any():
        raise ValueError("a concentration is negative: pass the hours through screen_hours first")
    values = np.maximum(hours, 0)
    largest = int(values.max())
    if largest * HOURS * n_stations * room >= ROOM:
        raise ValueError(f"{largest} thousandths is an absurd concentration: pass the hours through screen_hours first")
    return values, present
