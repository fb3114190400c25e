"""Months, quarters and years: means and percentiles of area days, their validity, attainment (§1.4, §3.1, §3.3, §4.3).

A period's mean is the mean of the area's daily values, never of hours or months. Everything is exact until it is
rounded once: for the report, for the comparison with a limit, or inside the composite index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from standards.air.days import Dates, DayVerdicts
from standards.air.index import Composite, composite, profile, rounded
from standards.air.rules import DEFAULT, POLLUTANTS, Bools, Ints, Switches, exact_limit, places_of, table, validity_of
from standards.fixed import MISSING

Period = Literal["year", "quarter", "month"]
PERIODS: Final[tuple[Period, ...]] = ("year", "quarter", "month")
_MONTHS: Final = {"year": 12, "quarter": 3, "month": 1}


@dataclass(frozen=True, slots=True)
class Statistic:
    """One pollutant over one period; exact fractions in the published unit, None where there is no day at all."""

    pollutant: str
    n_days: int
    enough: bool
    """The validity minima are met; a statistic without them may be shown as provisional, not evaluated (§1.4)."""
    mean: Fraction | None
    percentile: Fraction | None
    rank: int | None
    """Which percentile; None where the period knows none for the pollutant."""
    reported_mean: Fraction | None
    reported_percentile: Fraction | None
    attains: bool | None
    """Rounded, then compared: mean with the year's limit, percentile with the day's (see ``Switches.attainment``). None
    when not enough days."""


def mean_of(num: Ints, den: Ints) -> Fraction | None:
    """The exact mean of ``num / den`` (int64[n]); None of nothing."""
    values, common = _common(num, den)
    return Fraction(sum(values), common * len(values)) if values else None


def percentile_of(num: Ints, den: Ints, rank: int) -> Fraction | None:
    """The percentile of ``num / den`` (int64[n]) as HJ 663 A.6: k = 1 + (n - 1) p, linear between neighbours.

    Args:
        num: numerators.
        den: denominators, positive.
        rank: 0 … 100.

    Returns:
        The exact value; None of nothing.
    """
    values, common = _common(num, den)
    if not values:
        return None
    values.sort()
    below, rest = divmod((len(values) - 1) * rank, 100)
    step = values[below + 1] - values[below] if rest else 0
    return Fraction(values[below] * 100 + step * rest, common * 100)


def _common(num: Ints, den: Ints) -> tuple[list[int], int]:
    """The numerators over one denominator, as Python integers (a year of them may leave int64)."""
    common = math.lcm(*set(den.tolist())) if den.size else 1
    return [n * (common // d) for n, d in zip(num.tolist(), den.tolist(), strict=True)], common


def enough_days(days: DayVerdicts, present: Bools, period: Period, edition: str) -> bool:
    """Whether a period has enough daily values (GB 3095 Table 4): 324 a year, and 27 (February 25) in every month.

    A quarter needs each of its months (the norm is silent).

    Args:
        days: with dates.
        present: bool[D], the days that have a value.
        period: what ``days`` are a part of.
        edition: the rule set.
    """
    minima = validity_of(edition)
    months = days.date.astype("datetime64[M]").astype(np.int64) % 12
    counts = np.bincount(months[present], minlength=12)
    least = np.full(12, minima["min_days_month"])
    least[1] = minima["min_days_february"]
    full = counts >= least
    if period == "year":
        return bool(full.all() and counts.sum() >= minima["min_days_year"])
    return bool(full[np.unique(months)].all() and len(np.unique(months)) == _MONTHS[period])


def enough_samples(dates: Dates, period: Literal["year", "quarter"], edition: str) -> bool:
    """Whether TSP, BaP or Pb have enough daily means (GB 3095 Table 4): 60 a year or 15 a quarter, 5 in each month.

    Whether they are evenly spread, which the norm also asks, is for people to see: it gives no measure of it.

    Args:
        dates: datetime64[D][n], the different days with a valid daily mean (24 hours of sampling), all of one period.
        period: ``year``, or ``quarter`` (Pb).
        edition: the rule set.

    Raises:
        ValueError: another period, or days of more than one.
    """
    if period not in ("year", "quarter"):
        raise ValueError(f"{period!r} is not year or quarter: there are no minima of TSP, BaP and Pb for it")
    minima = validity_of(edition)
    days = np.unique(np.asarray(dates, "datetime64[D]"))
    months, counts = np.unique(days.astype("datetime64[M]").astype(np.int64), return_counts=True)
    if len(np.unique(months // _MONTHS[period])) > 1:
        raise ValueError(f"the days {days[0]} … {days[-1]} are of more than one {period}")
    every = len(months) == _MONTHS[period] and bool((counts >= minima["min_days_month_sampled"]).all())
    return every and len(days) >= minima[f"min_days_{period}_sampled"]


def statistics(
    days: DayVerdicts,
    period: Period,
    *,
    edition: str | None = None,
    switches: Switches = DEFAULT,
    measured: DayVerdicts | None = None,
) -> dict[str, Statistic]:
    """The statistics of one period by pollutant.

    Args:
        days: the area's days of that one period, with dates; the dust caliber is the caller's (``without_dust``).
        period: ``year``, ``quarter`` or ``month``.
        edition: whose limits and rounding; by default those of the last day.
        switches: ``grade`` and ``attainment`` matter.
        measured: the same days with dust kept: their values count for the validity minima, deducted or not
            (``Switches.dust_days_count``). By default ``days``.

    Returns:
        Statistic by pollutant, in the order of POLLUTANTS.

    Raises:
        ValueError: no days, a day without a date, or days of more than one period.
    """
    check_period(days, period)
    rule_set = edition or str(days.edition[-1])
    asked = table("air_statistics", rule_set)
    result = {}
    for position, pollutant in enumerate(POLLUTANTS):
        row = asked.row(period=period, pollutant=pollutant)
        present = _present(days, position)
        num, den = days.num[present, position], days.den[present, position] * 1000
        rank = row.integer("percentile") if "percentile" in row else None
        mean = mean_of(num, den)
        percentile = None if rank is None else percentile_of(num, den, rank)
        enough = enough_days(days, _present(measured or days, position), period, rule_set)
        by_mean = row.flag("mean") and (switches.attainment == "publicised" or rank is None)
        compared = (
            (mean if row.flag("mean") else None, "year"),
            (None if by_mean else percentile, "mda8" if pollutant == "O3" else "day"),
        )
        places = places_of(rule_set, "statistics", pollutant)
        result[pollutant] = Statistic(
            pollutant, int(present.sum()), enough, mean, percentile, rank,
            None if mean is None else rounded(mean, places),
            None if percentile is None else rounded(percentile, places),
            all(attains(value, pollutant, averaging, rule_set, switches.grade) for value, averaging in compared)
            if enough and present.any() else None,
        )  # fmt: skip
    return result


def area_attains(found: Mapping[str, Statistic]) -> bool | None:
    """Whether an area attains the period: all six do (§3.1). None when one of them has too few days to say."""
    each = [found[pollutant].attains for pollutant in POLLUTANTS]
    return False if False in each else None if None in each else True


def _present(days: DayVerdicts, position: int) -> Bools:
    present: Bools = days.rounded[:, position] != MISSING
    return present


def attains(value: Fraction | None, item: str, averaging: str, edition: str, grade: int = 2) -> bool:
    """Whether a value attains a limit: rounded first, exceeding is strictly greater (§4.3). True without either.

    Args:
        value: exact, in the published unit (µg/m³; CO mg/m³).
        item: one of the six, or TSP, NOx, Pb, BaP.
        averaging: ``1h``, ``day``, ``mda8``, ``quarter`` or ``year``.
        edition: whose limits and rounding.
        grade: class of the area.
    """
    limit = exact_limit(edition, item, averaging, grade)
    if value is None or limit is None:
        return True
    return rounded(value, places_of(edition, "attainment", item)) <= limit


def exceedance_multiple(value: Fraction, item: str, averaging: str, edition: str, grade: int = 2) -> Fraction | None:
    """How far a value is above its limit, (C - S)/S at 2 decimals; None when it attains or there is no limit (§3.6)."""
    limit = exact_limit(edition, item, averaging, grade)
    if limit is None or attains(value, item, averaging, edition, grade):
        return None
    return rounded((value - limit) / limit, places_of(edition, "report", "exceedance_multiple"))


def period_index(
    days: DayVerdicts,
    period: Period,
    name: str,
    *,
    reported: bool = False,
    provisional: bool = False,
    edition: str | None = None,
    measured: DayVerdicts | None = None,
) -> Composite | None:
    """The composite index of a period under a profile.

    Args:
        days: the days of that one period, with dates.
        period: ``year``, ``quarter`` or ``month``.
        name: the profile.
        reported: take the concentrations as reported (rounded) rather than exact; see docs/law-air.md.
        provisional: also without the validity minima.
        edition: whose rounding and minima; by default those of the last day.
        measured: the same days with dust kept, as for ``statistics``.

    Returns:
        Composite, or None when one of the six has too few days.
    """
    check_period(days, period)
    rule_set = edition or str(days.edition[-1])
    wanted = profile(name).statistic
    concentrations: dict[str, Fraction | None] = {}
    for position, pollutant in enumerate(POLLUTANTS):
        present = _present(days, position)
        counted = _present(measured or days, position)
        if not present.any() or not (provisional or enough_days(days, counted, period, rule_set)):
            return None
        num, den = days.num[present, position], days.den[present, position] * 1000
        statistic = wanted[pollutant]
        value = mean_of(num, den) if statistic == "mean" else percentile_of(num, den, int(statistic.removeprefix("p")))
        if reported and value is not None:
            value = rounded(value, places_of(rule_set, "statistics", pollutant))
        concentrations[pollutant] = value
    return composite(concentrations, name)


def check_period(days: DayVerdicts, period: Period) -> None:
    """Refuse days that are not dated or not of one period.

    Raises:
        ValueError: saying which.
    """
    if not len(days) or np.isnat(days.date).any():
        raise ValueError(f"a {period} needs at least one day, and the date of every day: give judge_days the dates")
    if period not in PERIODS:
        raise ValueError(f"{period!r} is not one of {', '.join(PERIODS)}")
    parts = np.unique(days.date.astype("datetime64[M]").astype(np.int64) // _MONTHS[period])
    if len(parts) > 1:
        raise ValueError(f"the days {days.date.min()} … {days.date.max()} are of more than one {period}")
