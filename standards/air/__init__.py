"""The air law: hours, days, periods, indices and budgets of a district under the edition of a date.

Pure functions of numpy arrays and dated tables; see docs/law-air.md for the editions, the switches and their defaults.
Concentrations are int64 thousandths of the published unit (µg/m³; CO mg/m³), MISSING where absent.
"""

from standards.air.budget import DayBudget, PollutantBudget, YearBudget, day_budget, year_budget, year_budget_days
from standards.air.checks import CHECKS, review
from standards.air.days import DayVerdicts, StationDays, judge_days, stack, station_days, under, without_dust
from standards.air.dust import dust_hours, hours_before
from standards.air.hours import HourVerdicts, judge_hours
from standards.air.index import PROFILES, Composite, composite
from standards.air.limits import attainment_rate, exceeding_days, exceeding_hours
from standards.air.lines import rules_aqi
from standards.air.minutes import hour_of_minutes
from standards.air.ozone import eight_hour_means
from standards.air.packed import pack_day, unpack_days
from standards.air.periods import (
    Statistic,
    area_attains,
    attains,
    enough_samples,
    exceedance_multiple,
    period_index,
    statistics,
)
from standards.air.ranking import Place, change_rate, points, rank, rank_change
from standards.air.rules import (
    DEFAULT,
    POLLUTANTS,
    UNITS,
    Rules,
    Switches,
    categories,
    edition_for,
    editions,
    exact_limit,
    limit_of,
    rules_for,
)
from standards.air.screen import REASONS, rule_of, screen_hours, substitute_low
from standards.air.states import from_standard, from_volume_share, mark_of, to_reference
from standards.air.tally import good_ratio, tally, tally_year
from standards.air.verdict import REASONS as DAY_REASONS
from standards.air.verdict import judge_means
from standards.fixed import MISSING

__all__ = [
    "CHECKS",
    "DAY_REASONS",
    "DEFAULT",
    "MISSING",
    "POLLUTANTS",
    "PROFILES",
    "REASONS",
    "UNITS",
    "Composite",
    "DayBudget",
    "DayVerdicts",
    "HourVerdicts",
    "Place",
    "PollutantBudget",
    "Rules",
    "StationDays",
    "Statistic",
    "Switches",
    "YearBudget",
    "area_attains",
    "attainment_rate",
    "attains",
    "categories",
    "change_rate",
    "composite",
    "day_budget",
    "dust_hours",
    "edition_for",
    "editions",
    "eight_hour_means",
    "enough_samples",
    "exact_limit",
    "exceedance_multiple",
    "exceeding_days",
    "exceeding_hours",
    "from_standard",
    "from_volume_share",
    "good_ratio",
    "hour_of_minutes",
    "hours_before",
    "judge_days",
    "judge_hours",
    "judge_means",
    "limit_of",
    "mark_of",
    "pack_day",
    "period_index",
    "points",
    "rank",
    "rank_change",
    "review",
    "rule_of",
    "rules_aqi",
    "rules_for",
    "screen_hours",
    "stack",
    "station_days",
    "statistics",
    "substitute_low",
    "tally",
    "tally_year",
    "to_reference",
    "under",
    "unpack_days",
    "without_dust",
    "year_budget",
    "year_budget_days",
]
