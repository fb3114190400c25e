"""The good-day budget: what the rest of today, and of the year, may still bring.

A day is good when its AQI is at most 100. Given the hours so far, each pollutant has a highest value that all
remaining hours may have so that its index stays there. It is found with ``judge_days`` itself, so it is exact at the
rounding edge (60.5 µg/m³ of PM2.5 is still 60; 75.5 under the edition of 2012 is already 76), with missing hours and
several stations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from standards.air.days import judge_days
from standards.air.rules import DEFAULT, HOURS, OZONE, POLLUTANTS, Bools, Ints, Rules, Switches, places_of, rules_for
from standards.air.screen import thresholds
from standards.air.verdict import planned
from standards.fixed import MISSING, half_even_int

State = Literal["open", "safe", "lost", "lost_if_complete", "incomplete"]
"""``open``: keep to ``at_most``. ``safe``, ``lost``: certain whatever the remaining hours bring or fail to bring.
``lost_if_complete``: lost unless hours go missing. ``incomplete``: too few hours are left for a valid value, so there
is no good day to be had (§2.4)."""

_PROBES: Final = 64


@dataclass(frozen=True, slots=True)
class PollutantBudget:
    """One pollutant's part of a day's budget, in thousandths of the published unit."""

    pollutant: str
    state: State
    at_most: int | None
    """The highest value of all remaining hours at every station that keeps IAQI ≤ 100: for the five means this is the
    mean of the remaining hours. It ends at the hard range (Q04): higher values would be invalid. None unless open."""
    ceiling: int
    """The highest area value of the day that still counts as 100: for ozone the 8-hour mean that is allowed."""


@dataclass(frozen=True, slots=True)
class DayBudget:
    """The budget of an area's day."""

    state: State
    hours_left: int
    pollutants: tuple[PollutantBudget, ...]
    """The planned ones, in the order of POLLUTANTS."""


def day_budget(
    hours: Ints, elapsed: int, edition: str, *, switches: Switches = DEFAULT, plan_not_monitored: tuple[str, ...] = ()
) -> DayBudget:
    """What the rest of the day may bring for it to be a good-air day.

    Args:
        hours: int64[S, 24, 6] thousandths by station and label 01 … 24, MISSING where not valid.
        elapsed: how many labels are over; what stands in later ones is ignored.
        edition: ``2012``, ``2026`` or ``2031``.
        switches: see Switches.
        plan_not_monitored: pollutants outside the monitoring plan.

    Returns:
        DayBudget.

    Raises:
        ValueError: wrong shape, ``elapsed`` outside 0 … 24, or as ``judge_days``.
    """
    if hours.ndim != 3 or hours.shape[1:] != (HOURS, len(POLLUTANTS)) or not 0 <= elapsed <= HOURS:
        raise ValueError(f"hours have the shape {hours.shape} after {elapsed} labels; needed are [S, 24, 6] and 0 … 24")
    rules = rules_for(edition, switches)
    in_plan = planned(plan_not_monitored)
    so_far = hours.copy()
    so_far[:, elapsed:] = MISSING
    at_best = _indices(so_far, elapsed, np.zeros((1, 6), np.int64), rules)[0]
    good = rules.validity["good_at_most"]
    highest = _highest(so_far, elapsed, rules, (at_best >= 0) & (at_best <= good))
    budgets = []
    for position in np.flatnonzero(in_plan).tolist():
        fine = 0 <= at_best[position] <= good
        bounds = _Bounds(so_far[:, :, position], elapsed, position, rules)
        state: State = "open" if fine else "incomplete" if at_best[position] < 0 else "lost_if_complete"
        if fine and (elapsed == HOURS or bounds.certainly_safe()):
            state = "safe"
        elif state == "lost_if_complete" and (elapsed == HOURS or bounds.certainly_lost()):
            state = "lost"
        budgets.append(
            PollutantBudget(
                POLLUTANTS[position],
                state,
                int(highest[position]) if state == "open" else None,
                ceiling(position, rules),
            )
        )
    return DayBudget(_together([budget.state for budget in budgets]), HOURS - elapsed, tuple(budgets))


def _together(states: list[State]) -> State:
    """The state of a day: one lost pollutant loses it, all must be safe."""
    order: tuple[State, ...] = ("lost", "incomplete", "lost_if_complete", "open", "safe")
    return next((state for state in order if state in states), "safe")


def ceiling(position: int, rules: Rules) -> int:
    """The highest value, in thousandths, that rounds to a concentration with IAQI ≤ 100."""
    look_up = rules.daily
    first = int(look_up.start[position])
    column = look_up.flat[first : first + int(look_up.last[position]) + 1]
    step = int(rules.step[position])
    top = int(np.flatnonzero((column >= 0) & (column <= rules.validity["good_at_most"]))[-1])
    edge = top * step + step // 2
    return edge if half_even_int(edge, step) == top else edge - 1


def _indices(so_far: Ints, elapsed: int, rest: Ints, rules: Rules) -> Ints:
    """int64[n, 6]: IAQI of the day if every remaining hour of every station had the values ``rest`` (int64[n, 6])."""
    days = np.repeat(so_far[:, None], len(rest), axis=1)
    days[:, :, elapsed:] = rest[None, :, None, :]
    return judge_days(days, rules.edition, switches=rules.switches).iaqi.astype(np.int64)


def _highest(so_far: Ints, elapsed: int, rules: Rules, feasible: Bools) -> Ints:
    """int64[6]: the highest feasible value; each round probes 64 values between a feasible and an infeasible one."""
    low = np.zeros(len(POLLUTANTS), np.int64)
    high = thresholds("hard_above") + 1  # a higher value would be invalid (Q04)
    probes = np.arange(_PROBES + 1, dtype=np.int64)[:, None]
    good = rules.validity["good_at_most"]
    while elapsed < HOURS and (feasible & (high - low > 1)).any():
        tried = low + (high - low) * probes // _PROBES
        tried[0], tried[-1] = low, high - 1
        index = _indices(so_far, elapsed, tried, rules)
        fine = (index >= 0) & (index <= good)
        last = np.where(fine.all(axis=0), _PROBES, np.argmin(fine, axis=0) - 1)
        low, high = (
            np.where(feasible, np.take_along_axis(tried, np.maximum(last, 0)[None], 0)[0], low),
            np.where(
                (last == _PROBES) | ~feasible,
                high,
                np.take_along_axis(tried, np.minimum(last + 1, _PROBES)[None], 0)[0],
            ),
        )
    return low


class _Bounds:
    """Bounds on what a pollutant's area value can become, whatever arrives or goes missing; exact fractions."""

    def __init__(self, hours: Ints, elapsed: int, position: int, rules: Rules) -> None:
        self.rules = rules
        self.left = HOURS - elapsed
        self.stations = len(hours)
        self.step = int(rules.step[position])
        self.top = ceiling(position, rules) // self.step * self.step
        # Rounding each station's day first can move the area mean by half a step at most.
        self.slack = self.step // 2 if rules.switches.round_station_daily else 0
        self.by_hour_too = position == OZONE and rules.edition == "2012" and rules.switches.o3_daily_uses_1h
        self.most = int(thresholds("hard_above")[position])
        estimate = self._ozone if position == OZONE else self._mean
        self.each = [estimate([int(v) for v in row[:elapsed]]) for row in hours]

    def _mean(self, past: Sequence[int]) -> tuple[Fraction, Fraction, bool, bool]:
        """Lowest and highest station value, whether it is surely valid, whether it can be."""
        known = [value for value in past if value != MISSING]
        least, n = self.rules.validity["min_hours_day"], len(known)
        full = max(n + self.left, 1)
        now = Fraction(sum(known), n) if n else Fraction(0)
        return (
            Fraction(sum(known), full),
            max(now, Fraction(sum(known) + self.left * self.most, full)),
            n >= least,
            n + self.left >= least,
        )

    def _ozone(self, past: Sequence[int]) -> tuple[Fraction, Fraction, bool, bool]:
        """The same for the largest 8-hour mean: a window counts for sure once six of its hours are there."""
        validity = self.rules.validity
        lowest, highest, sure, possible = Fraction(0), Fraction(0), 0, 0
        for label in range(validity["first_label_mda8"], HOURS + 1):
            known = [value for value in past[label - 8 : label] if value != MISSING]
            ahead = max(0, label - max(len(past), label - 8))
            if len(known) + ahead < validity["min_hours_8h"]:
                continue
            possible += 1
            highest = max(highest, Fraction(sum(known) + ahead * self.most, len(known) + ahead))
            if len(known) >= validity["min_hours_8h"]:
                sure += 1
                lowest = max(lowest, Fraction(sum(known), len(known) + ahead))
                highest = max(highest, Fraction(sum(known), len(known)))
        exceeds = self._exceeds(lowest)
        enough = validity["min_windows_mda8"]
        return lowest, highest, sure >= enough or exceeds, possible >= enough or self._exceeds(highest)

    def _exceeds(self, value: Fraction) -> bool:
        step = int(self.rules.step[OZONE])
        return half_even_int(value.numerator, value.denominator * step) * step > self.rules.o3_8h_limit

    def _needed(self) -> int:
        """The stations an area value needs (HJ 663-2013 6.1)."""
        validity = self.rules.validity
        few = self.stations < validity["few_stations_below"]
        share = validity["few_stations_share" if few else "station_share"]
        return max(1, math.ceil(Fraction(share * self.stations, 100)))

    def _means(self, sure: list[Fraction], maybe: list[Fraction]) -> list[Fraction]:
        """Area means with the sure stations and the first 0, 1, 2 … of the others, as far as they are enough."""
        chosen = [sure + maybe[:count] for count in range(len(maybe) + 1)]
        return [sum(each, Fraction(0)) / len(each) for each in chosen if len(each) >= self._needed()]

    def certainly_lost(self) -> bool:
        """Every possible area value is above the ceiling."""
        sure = [low for low, _, certain, _ in self.each if certain]
        maybe = sorted(low for low, _, certain, possible in self.each if possible and not certain)
        means = self._means(sure, maybe)
        return bool(means) and not self._fine(min(means) - self.slack)

    def certainly_safe(self) -> bool:
        """There will be an area value, and every possible one is at or below the ceiling."""
        sure = [high for _, high, certain, _ in self.each if certain]
        maybe = sorted((high for _, high, certain, possible in self.each if possible and not certain), reverse=True)
        if len(sure) < self._needed() or self.by_hour_too:
            return False
        return self._fine(max(self._means(sure, maybe)) + self.slack)

    def _fine(self, mean: Fraction) -> bool:
        return half_even_int(mean.numerator, mean.denominator * self.step) * self.step <= self.top


@dataclass(frozen=True, slots=True)
class YearBudget:
    """The year so far against its task of good days."""

    state: Literal["open", "safe", "lost"]
    polluted_left: int | None
    """How many of the remaining days may be polluted; None when the task is lost."""
    needed: Fraction | None
    """Percent of the remaining days that must be good, exact; None when lost or no day is left."""


def year_budget(
    good: int, polluted: int, days_left: int, task: Fraction, *, reported: bool = True, edition: str = "2026"
) -> YearBudget:
    """How many more polluted days the yearly task allows, if every remaining day is valid.

    Args:
        good: good days so far.
        polluted: polluted days so far; invalid days count nowhere (§4.1).
        days_left: days still to come.
        task: the least ratio of good days, in percent.
        reported: the task is met by the ratio as published (one decimal); else by the exact ratio.
        edition: whose rounding.

    Returns:
        YearBudget.

    Raises:
        ValueError: a negative count, or a task outside 0 … 100.
    """
    if min(good, polluted, days_left) < 0 or not 0 <= task <= 100:
        raise ValueError(f"{good} good, {polluted} polluted, {days_left} left, task {task}: not a year")
    valid = good + polluted + days_left
    scale = 10 ** places_of(edition, "report", "good_ratio")

    def meets(total: int) -> bool:
        if not valid:
            return True
        ratio = Fraction(half_even_int(100 * scale * total, valid), scale) if reported else Fraction(100 * total, valid)
        return ratio >= task

    allowed = next((n for n in range(days_left, -1, -1) if meets(good + days_left - n)), None)
    if allowed is None:
        return YearBudget("lost", None, None)
    needed = Fraction(100 * (days_left - allowed), days_left) if days_left else None
    return YearBudget("safe" if allowed == days_left else "open", allowed, needed)
