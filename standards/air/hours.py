"""Hours: the area's real-time report from its stations (HJ 633-2026 4.2, 5.3; domain/air.md §3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from standards.air.rules import DEFAULT, PARTICLES, Bools, Ints, Rules, Shorts, Switches, rules_for
from standards.air.screen import check_shape, check_values
from standards.air.verdict import Bytes, Published, count_points, enough_stations, planned, publish, required, steps_of
from standards.fixed import MISSING, half_even


@dataclass(frozen=True, slots=True, eq=False)
class HourVerdicts:
    """The area's real-time report of H hours. Concentrations are int64 thousandths, MISSING where absent."""

    edition: str
    n_stations: Ints
    """int64[H, 6]: stations with a valid value."""
    num: Ints
    """int64[H, 6]: numerator of the exact area mean."""
    den: Ints
    """int64[H, 6]: its denominator, at least 1."""
    value: Ints
    """int64[H, 6]: the mean to the thousandth, for people and charts."""
    rounded: Ints
    """int64[H, 6]: the mean as it enters the index."""
    iaqi: Shorts
    aqi: Shorts
    level: Bytes
    primary: Bools
    valid: Bools
    reason: Bytes
    missing: Bools
    """bool[H, 6]: planned, but without a valid area value."""


def judge_hours(
    hours: Ints,
    edition: str,
    *,
    switches: Switches = DEFAULT,
    plan_not_monitored: tuple[str, ...] = (),
    registered: Bools | None = None,
) -> HourVerdicts:
    """Judge the hours of an area from its stations: mean, rounding, hourly IAQI, AQI (HJ 633-2026; §3.2).

    Args:
        hours: int64[S, H, 6] thousandths by station and consecutive hour, MISSING where not valid.
        edition: ``2012``, ``2026`` or ``2031``.
        switches: see Switches. With ``pm_realtime="24h_sliding"`` (2012 only) PM is the mean of the last 24 hours
            given.
        plan_not_monitored: pollutants outside the monitoring plan; their values are ignored.
        registered: bool[S, H], the stations that count in that hour; all by default.

    Returns:
        HourVerdicts of H hours.

    Raises:
        ValueError: wrong shape, a negative or absurdly large value, an unknown pollutant.
        LookupError: an unknown edition.
    """
    rules = rules_for(edition, switches)
    in_plan = planned(plan_not_monitored)
    check_shape(hours, 3, registered)
    _, present = check_values(hours, len(hours), rules.denominator)
    present &= in_plan
    if registered is not None:
        present &= registered[..., None]
    sliding = switches.pm_realtime == "24h_sliding" and edition == "2012"
    values, unit = (_slide_particles(hours, present, rules), rules.denominator) if sliding else (hours, 1)
    if sliding:
        present = values != MISSING
    n_stations = present.sum(axis=0)
    measured = enough_stations(n_stations, count_points(hours, registered), rules)
    num = np.where(present, values, 0).sum(axis=0)
    den = np.maximum(n_stations, 1) * unit
    steps = steps_of(num, den, rules)
    published = publish(rules.hourly.index(steps, measured), measured, required(in_plan, rules), rules)
    rounded = np.where(measured, steps * rules.step, MISSING)
    return _verdicts(edition, n_stations, num, den, measured, rounded, published, in_plan)


def _verdicts(
    edition: str, n_stations: Ints, num: Ints, den: Ints, measured: Bools, rounded: Ints, said: Published, plan: Bools
) -> HourVerdicts:
    value = np.where(measured, half_even(num, den), MISSING)
    return HourVerdicts(
        edition, n_stations, num, den, value, rounded,
        said.iaqi, said.aqi, said.level, said.primary, said.valid, said.reason, ~measured & plan,
    )  # fmt: skip


def _slide_particles(hours: Ints, present: Bools, rules: Rules) -> Ints:
    """Means as numerators over ``rules.denominator``; PM10 and PM2.5 over the last 24 hours (HJ 633-2012, §5)."""
    values = np.where(present, hours * rules.denominator, MISSING)
    least = rules.validity["min_hours_24h_sliding"]
    for pollutant in PARTICLES:
        there = present[:, :, pollutant]
        sums: Ints = np.cumsum(np.where(there, hours[:, :, pollutant], 0), axis=1)
        counts: Ints = np.cumsum(there, axis=1, dtype=np.int64)
        sums[:, 24:] -= sums[:, :-24].copy()
        counts[:, 24:] -= counts[:, :-24].copy()
        share = rules.day_share[counts]
        values[:, :, pollutant] = np.where((counts >= least) & (share > 0), sums * share, MISSING)
    return values
