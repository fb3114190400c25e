"""Comparisons with the dated limits, value by value (GB 3095; §1.1, §3.6, §4.3).

Never derived from the index: from 2031 an IAQI of 100 is no longer the daily limit of SO2, NO2, PM10 and PM2.5.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from standards.air.days import DayVerdicts
from standards.air.hours import HourVerdicts
from standards.air.index import rounded
from standards.air.rules import DEFAULT, POLLUTANTS, Bools, Ints, Switches, limit_of, places_of
from standards.fixed import MISSING, round_places


def exceeding(num: Ints, den: Ints, present: Bools, averaging: str, edition: str, grade: int = 2) -> Bools:
    """Which values exceed their limit: rounded for the comparison, then strictly greater (HJ 663 Table 3).

    Args:
        num: int64[..., 6] numerators in thousandths.
        den: int64[..., 6] denominators.
        present: bool[..., 6].
        averaging: ``1h``, ``day`` (ozone: its daily maximum 8-hour mean) or ``year``.
        edition: whose limits.
        grade: class of the area.

    Returns:
        bool[..., 6]; False where there is no value or no limit (PM has none for an hour).
    """
    kinds = ["mda8" if averaging == "day" and p == "O3" else averaging for p in POLLUTANTS]
    limits = [limit_of(edition, p, kind, grade) for p, kind in zip(POLLUTANTS, kinds, strict=True)]
    keep = np.array([places_of(edition, "attainment", p) for p in POLLUTANTS], np.int64)
    most = np.array([np.iinfo(np.int64).max if limit is None else limit for limit in limits], np.int64)
    above: Bools = (round_places(np.where(present, num, 0), den, keep) > most) & present
    return above


def exceeding_days(days: DayVerdicts, switches: Switches = DEFAULT) -> Bools:
    """bool[D, 6]: area days above the daily limit of their own edition."""
    result = np.zeros(days.rounded.shape, np.bool_)
    for edition in np.unique(days.edition):
        here = days.edition == edition
        present = days.rounded[here] != MISSING
        result[here] = exceeding(days.num[here], days.den[here], present, "day", str(edition), switches.grade)
    return result


def exceeding_hours(hours: HourVerdicts, switches: Switches = DEFAULT) -> Bools:
    """bool[H, 6]: area hours above the hourly limit; PM has none."""
    return exceeding(hours.num, hours.den, hours.rounded != MISSING, "1h", hours.edition, switches.grade)


def attainment_rate(attained: int, valid: int, edition: str) -> Fraction | None:
    """达标率 in percent, one decimal half-even; None without a valid day (§3.6)."""
    if not valid:
        return None
    return rounded(Fraction(100 * attained, valid), places_of(edition, "report", "attainment_rate"))
