"""Waste water: volumes, flow-weighted days and months, NH3-N by temperature (emission.md §3 F12–F14, §3.2, §4.3)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from standards.emission.exact import (
    Bools,
    Exact,
    aligned,
    constant,
    greater,
    known,
    pack,
    product,
    total,
    where,
    whole_ug,
)
from standards.emission.gas import mean
from standards.emission.rules import constant_of, minimum
from standards.fixed import MISSING, Ints


def volume_m3(flow_l_s: Fraction, seconds: int) -> Fraction:
    """F12: what a flow carries in a time."""
    return flow_l_s * seconds / 1000


def mean_flow_l_s(volume: Fraction, seconds: int) -> Fraction:
    """F12 backwards: the mean flow of a volume in m³ over a time."""
    return volume * 1000 / seconds


def mass_kg(concentration_mg_l: Fraction, volume: Fraction) -> Fraction:
    """F13: kg in a volume in m³."""
    return concentration_mg_l * volume / 1000


def mass_ug(concentration: Exact, volume: Exact) -> Ints:
    """F13 for arrays: µg (10⁻⁹ kg) of mg/L and m³, rounded half to even; int64, MISSING as in ``gas.mass_ug``."""
    c, c_den, c_missing = known(concentration)
    d, d_den, d_missing = known(volume)
    nothing = c_missing | d_missing | np.asarray((c < 0) | (d < 0), dtype=np.bool_)
    return whole_ug(pack(product(c, d, 10**6), product(c_den, d_den), nothing))


def usable(concentration: Exact, volume: Exact) -> Bools:
    """Values that are data: not negative, and measured while water flowed (§3.2)."""
    flowing = greater(volume, constant(0))
    return flowing & ~concentration.missing & ~greater(constant(0), concentration)


def flow_weighted(concentration: Exact, volume: Exact) -> Exact:
    """F14: flow-weighted means over the last axis, of the values that are data.

    Args:
        concentration: mg/L, (…, n).
        volume: m³ of each period, the same shape.

    Returns:
        Exact (…) in mg/L, missing where nothing flowed or nothing was measured.
    """
    used = usable(concentration, volume)
    c, c_common = aligned(pack(concentration.num, concentration.den, ~used))
    d, _ = aligned(pack(volume.num, volume.den, ~used))
    volumes = total(d)
    nothing: Bools = np.asarray(volumes == 0, dtype=np.bool_)
    return pack(total(product(c, d)), product(np.where(nothing, 1, volumes), c_common), nothing)


@dataclass(frozen=True, slots=True, eq=False)
class WaterDays:
    """Days of one pollutant, or months from days.

    ``mean``: flow-weighted, missing where not ``valid`` or where nothing flowed. ``count``: values that are data.
    ``due``: how many there should have been while water flowed. ``volume``: m³, all of it. ``discharged``: whether any
    water flowed; a day without is not judged.
    """

    mean: Exact
    count: Ints
    due: Ints
    volume: Exact
    discharged: Bools
    valid: Bools

    def mass_ug(self) -> Ints:
        """What the days discharged: their valid mean times all their water, in µg; 0 without water, else MISSING."""
        return np.where(self.discharged, mass_ug(self.mean, self.volume), 0)


def days(concentration: Exact, volume: Exact, due: Ints | int, date: datetime.date | None = None) -> WaterDays:
    """Valid-day means (HJ 356, §3.2): enough of the due values, flow-weighted.

    Args:
        concentration: mg/L, (days, n), missing where there is no value.
        volume: m³ of each period, the same shape; missing or negative: unknown.
        due: values due in a day of continuous discharge; periods that are known to be without flow owe none.
        date: of the data.
    """
    return _periods(concentration, volume, due, minimum("water_values_day", date))


def months(found: WaterDays, due: int, date: datetime.date | None = None) -> WaterDays:
    """Month means from enough valid days, flow-weighted.

    Args:
        found: the days of one month, (n,).
        due: days of the month; those known to be without discharge owe none.
        date: of the data.
    """
    return _periods(_row(found.mean), _row(found.volume), due, minimum("water_days_month", date))


def _row(value: Exact) -> Exact:
    return Exact(np.atleast_1d(value.num)[None, :], np.atleast_1d(value.den)[None, :])


def _periods(concentration: Exact, volume: Exact, due: Ints | int, percent: int) -> WaterDays:
    flowing = greater(volume, constant(0))
    still = ~flowing & ~volume.missing & ~greater(constant(0), volume)
    owed = np.maximum(np.asarray(due, dtype=np.int64) - still.sum(axis=-1), 0)
    count = usable(concentration, volume).sum(axis=-1)
    discharged: Bools = np.asarray(owed > 0, dtype=np.bool_)
    valid: Bools = discharged & (count > 0) & (100 * count >= percent * owed)
    means = flow_weighted(concentration, volume)
    water, common = aligned(pack(volume.num, volume.den, ~flowing))
    everything = total(water)
    return WaterDays(
        mean=pack(means.num, means.den, means.missing | ~valid),
        count=count,
        due=owed,
        volume=pack(everything, np.full_like(everything, common), np.zeros(np.shape(everything), dtype=np.bool_)),
        discharged=discharged,
        valid=valid,
    )


def limit_at(warm: Exact, cold: Exact, temperature: Exact, date: datetime.date | None = None) -> Exact:
    """The limit that applies at a water temperature: ``cold`` at 12 °C and below, else ``warm`` (NH3-N 5(8)).

    Args:
        warm: the limit, mg/L.
        cold: the one in brackets; missing where there is none.
        temperature: °C, of a day the mean; missing: the stricter ``warm`` applies.
        date: of the data.
    """
    edge = constant(constant_of("cold_water_at_most", date))
    return where(~cold.missing & ~temperature.missing & ~greater(temperature, edge), cold, warm)


def day_temperature(hours: Exact) -> Exact:
    """Mean water temperature over the last axis, of what there is."""
    return mean(hours, ~hours.missing, 1)


def share_exceeds(outside: int, valid: int, date: datetime.date | None = None) -> bool:
    """pH: whether a day exceeds, by its hours outside the range (a project default, §4.3)."""
    return 100 * outside > minimum("ph_hours_day", date) * valid


def manual_samples_suffice(hours: Sequence[Fraction], date: datetime.date | None = None) -> bool:
    """Whether manual samples may stand in for a day (HJ 356, §3.2): enough of them, none too far apart.

    Args:
        hours: when they were taken, hours of the day, in order.
        date: of the data.
    """
    apart = minimum("manual_samples_apart", date)
    close = all(later - earlier <= apart for earlier, later in pairwise(hours))
    return close and len(hours) >= minimum("manual_samples_day", date)


def fill_days(discharges_ug: Ints, calibrated: Ints | None = None) -> Ints:
    """Days without value or manual samples: the largest valid daily discharge since the last qualified calibration.

    Args:
        discharges_ug: int64 (n,), days in order, MISSING where there is nothing.
        calibrated: int64 (n,), for each day the place of the first day after that calibration; None: the first of all.

    Returns:
        int64 (n,), still MISSING where there is no valid day to take.
    """
    found = discharges_ug.copy()
    for at in np.flatnonzero(discharges_ug == MISSING).tolist():
        since = 0 if calibrated is None else int(calibrated[at])
        before = discharges_ug[since:at]
        if (before != MISSING).any():
            found[at] = before.max()  # MISSING is the smallest of all
    return found
