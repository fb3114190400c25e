"""From rounded concentrations to AQI, level, primary pollutants: what hours and days share (HJ 633-2026 4.2, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from standards.air.rules import POLLUTANTS, SCALE, Bools, Ints, Rules, Shorts
from standards.fixed import MISSING, half_even

Bytes = npt.NDArray[np.uint8]

REASONS: Final = ("ok", "no_data", "incomplete")
"""Why there is no AQI: nothing was valid, or a needed pollutant is missing and the others do not exceed 100 (5.3)."""


_CHUNK: Final = 1 << 14
"""Rows judged at once: what stays in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What is published for n hours or days."""

    iaqi: Shorts
    """int16[n, 6]; -1 is NA."""
    aqi: Shorts
    """int16[n]; -1 is NA."""
    level: Bytes
    """uint8[n]; 1 … 6, 0 is NA."""
    primary: Bools
    """bool[n, 6]: all with the largest IAQI when the AQI is above 50."""
    valid: Bools
    """bool[n]: the AQI is published."""
    reason: Bytes
    """uint8[n]: index into REASONS."""


def planned(plan_not_monitored: tuple[str, ...]) -> Bools:
    """bool[6]: the pollutants of the monitoring plan; the others show ``/`` (5.3). What blocks, ``required`` says.

    Raises:
        ValueError: an unknown name.
    """
    unknown = [name for name in plan_not_monitored if name not in POLLUTANTS]
    if unknown:
        raise ValueError(f"not a pollutant: {', '.join(unknown)}; they are {', '.join(POLLUTANTS)}")
    return np.array([name not in plan_not_monitored for name in POLLUTANTS])


def required(in_plan: Bools, rules: Rules) -> Bools:
    """The pollutants without which a day or hour is not complete: bool of the shape of ``in_plan``.

    Being outside the plan (``/``) and not blocking publication are two things: HJ 633-2026 5.3 rule 4 lets a pollutant
    outside the plan not block only if in three consecutive years of record it never was the primary pollutant of a
    lightly-polluted-or-worse day; else rule 3 applies to it (``Switches.unmonitored_clean``).
    """
    if rules.switches.incomplete == "all_six" or not rules.switches.unmonitored_clean:
        return np.ones_like(in_plan)
    return in_plan


def steps_of(num: Ints, den: Ints | int, rules: Rules) -> Ints:
    """Exact means rounded for the index, in steps of 1 µg/m³ (CO 0.1 mg/m³): int64[..., 6], half-even (GB/T 8170)."""
    return half_even(num * rules.steps_per_unit, den * SCALE)


def count_points(hours: Ints, registered: Bools | None) -> Ints:
    """int64[n, 1]: the stations that count in each hour or day, valid or not."""
    if registered is None:
        return np.full((hours.shape[1], 1), hours.shape[0], np.int64)
    counted: Ints = registered.sum(axis=0, dtype=np.int64)[:, None]
    return counted


def enough_stations(n_valid: Ints, n_points: Ints, rules: Rules) -> Bools:
    """Whether the share of valid stations suffices (HJ 663-2013 6.1: 75 %; of fewer than four points 50 %)."""
    few = n_points < rules.validity["few_stations_below"]
    share = np.where(few, rules.validity["few_stations_share"], rules.validity["station_share"])
    return (n_valid > 0) & (n_valid * 100 >= share * n_points)


def publish(iaqi: Shorts, measured: Bools, needed: Bools, rules: Rules) -> Published:
    """AQI, level and primary pollutants of n rows.

    Args:
        iaqi: int16[n, 6], -1 where there is none.
        measured: bool[n, 6], a valid concentration exists (it may be one the edition gives no index for).
        needed: bool[6] or bool[n, 6]: what must be measured for the row to be complete, see ``required``.
        rules: the edition.
    """
    highest = np.maximum.reduce([iaqi[..., at] for at in range(iaqi.shape[-1])])
    any_index = highest >= 0
    valid = any_index
    if rules.switches.incomplete != "from_the_rest":
        there = measured | ~needed
        complete = np.logical_and.reduce([there[..., at] for at in range(there.shape[-1])])
        if rules.switches.incomplete == "above_100":
            complete |= highest > rules.validity["publish_incomplete_above"]
        valid = any_index & complete
    aqi = np.where(valid, highest, np.int16(-1))
    level = (np.searchsorted(rules.level_tops[:-1], aqi) + 1).astype(np.uint8) * valid
    primary = (iaqi == aqi[..., None]) & (aqi > rules.validity["primary_above"])[..., None]
    reason = np.where(valid, np.uint8(0), np.where(any_index, np.uint8(2), np.uint8(1)))
    return Published(iaqi, aqi, level, primary, valid, reason)


def judge_means(
    values: Ints, rules: Rules, period: Literal["daily", "hourly"], plan_not_monitored: tuple[str, ...] = ()
) -> Published:
    """AQI of given concentrations: they are rounded for the index first.

    Args:
        values: int64[n, 6] thousandths, MISSING where absent; not negative, below 10**12.
        rules: the edition.
        period: ``daily`` (ozone is the daily maximum 8-hour mean) or ``hourly``.
        plan_not_monitored: pollutants outside the monitoring plan.

    Returns:
        Published, of n rows.

    Raises:
        ValueError: wrong shape, or an unknown pollutant.
    """
    if values.ndim != 2 or values.shape[1] != len(POLLUTANTS):
        raise ValueError(f"values have the shape {values.shape}; needed is [n, 6]")
    look_up = rules.daily if period == "daily" else rules.hourly
    in_plan = planned(plan_not_monitored)
    needed = required(in_plan, rules)
    parts = []
    for start in range(0, max(len(values), 1), _CHUNK):
        part = values[start : start + _CHUNK]
        measured = (part != MISSING) & in_plan
        iaqi = look_up.index(steps_of(np.where(measured, part, 0), 1, rules), measured)
        parts.append(publish(iaqi, measured, needed, rules))
    if len(parts) == 1:
        return parts[0]
    return Published(*(np.concatenate([getattr(part, name) for part in parts]) for name in Published.__slots__))
