"""The good-day budget: what the rest of today, and of the year, may still bring.

A day is good when its AQI is at most 100. Given the hours so far, each pollutant has a highest value that all
remaining hours may have so that its index stays there. It is found with ``judge_days`` itself, so it is exact at the
rounding edge (60.5 µg/m³ of PM2.5 is still 60; 75.5 under the edition of 2012 is already 76), with missing hours and
several stations.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from standards.air.bounds import Bounds, ceiling
from standards.air.days import judge_days
from standards.air.rules import DEFAULT, HOURS, OZONE, POLLUTANTS, Bools, Ints, Rules, Switches, places_of, rules_for
from standards.air.screen import thresholds
from standards.air.verdict import planned, required
from standards.fixed import MISSING, half_even_int

State = Literal["open", "safe", "lost", "lost_if_complete", "incomplete", "uncertain"]
"""``open``: keep to ``at_most``. ``safe``, ``lost``: certain whatever the remaining hours bring or fail to bring.
``lost_if_complete``: no good value when all hours come; if some go missing there may be none, or another.
``incomplete``: certain that no good value can come, because too few hours are left (§2.4). ``uncertain``: none of
these is proved; hours of nothing would not make a good value, but higher ones may (ozone's exception of fewer than 14
windows), or the edition of 2012 has no index for the value."""

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
    good, valued, index = _outcomes(so_far, elapsed, np.zeros((1, len(POLLUTANTS)), np.int64), rules)
    highest = _highest(so_far, elapsed, rules, good[0])
    budgets = []
    for position in np.flatnonzero(in_plan).tolist():
        if elapsed == HOURS and index[0, position] > rules.validity["good_at_most"]:
            state: State = "lost"  # also by ozone's hour, which the bounds do not always follow
        else:
            at_best = bool(good[0, position]), bool(valued[0, position])
            state = _state(so_far[..., position], elapsed, position, rules, *at_best)
        at_most = int(highest[position]) if state == "open" else None
        if at_most is not None and position == OZONE:
            at_most = _kept(so_far[..., position], elapsed, rules, at_most)
        budgets.append(PollutantBudget(POLLUTANTS[position], state, at_most, ceiling(position, rules)))
    blocked = bool((required(in_plan, rules) & ~in_plan).any())
    return DayBudget(_together([budget.state for budget in budgets], blocked, rules), HOURS - elapsed, tuple(budgets))


def _state(past: Ints, elapsed: int, position: int, rules: Rules, good: bool, valued: bool) -> State:
    """A pollutant's state; ``good`` and ``valued`` say what becomes of it when the remaining hours are all 0."""
    most = int(thresholds("hard_above")[position])
    free = Bounds(past, elapsed, position, rules, most=most)
    if good:
        return "safe" if elapsed == HOURS or free.always_good() else "open"
    if free.never_valued():
        return "incomplete"
    # Under from_the_rest a missing value does not cost the day, so that only a certain value loses it.
    absent_is_fine = rules.switches.incomplete == "from_the_rest"
    if valued and free.never_good() and (free.surely_valued() or not absent_is_fine):
        return "lost"
    if not valued and not absent_is_fine and free.never_good(if_valid=True):
        return "incomplete"
    whole = Bounds(past, elapsed, position, rules, most=most, complete=True)
    if whole.never_good(if_valid=True) and (whole.surely_valued() or not absent_is_fine):
        return "lost_if_complete"
    return "uncertain"


def _together(states: list[State], blocked: bool, rules: Rules) -> State:
    """The state of a day: one lost pollutant loses it, all must be safe.

    ``blocked``: a pollutant that is not measured blocks publication, so that no day can be good.
    """
    from_the_rest = rules.switches.incomplete == "from_the_rest"
    counted = [state for state in states if not (from_the_rest and state == "incomplete")]
    if (blocked and not from_the_rest and "lost" not in counted) or not counted:
        return "incomplete"
    order: tuple[State, ...] = ("lost", "incomplete", "lost_if_complete", "uncertain", "open", "safe")
    return next(state for state in order if state in counted)


def _kept(past: Ints, elapsed: int, rules: Rules, at_most: int) -> int:
    """The highest value up to ``at_most`` so that ozone is good with any hours up to it, not only with equal ones.

    They differ only in class I: there a station of few windows can count, and lower the mean, below the ceiling.
    """

    def holds(most: int) -> bool:
        return Bounds(past, elapsed, OZONE, rules, most=most, complete=True).always_good()

    if rules.o3_8h_limit + int(rules.step[OZONE]) > ceiling(OZONE, rules) or holds(at_most) or not holds(0):
        return at_most
    low, high = 0, at_most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _outcomes(so_far: Ints, elapsed: int, rest: Ints, rules: Rules) -> tuple[Bools, Bools, Ints]:
    """If every remaining hour of every station had the values ``rest``: good, valued and IAQI, each [n, 6]."""
    days = np.repeat(so_far[:, None], len(rest), axis=1)
    days[:, :, elapsed:] = rest[None, :, None, :]
    said = judge_days(days, rules.edition, switches=rules.switches)
    valued = ~said.missing
    good = valued & (said.iaqi >= 0) & (said.iaqi <= rules.validity["good_at_most"])
    return good, valued, said.iaqi.astype(np.int64)


def _highest(so_far: Ints, elapsed: int, rules: Rules, feasible: Bools) -> Ints:
    """int64[6]: the highest feasible value; each round probes 64 values between a feasible and an infeasible one."""
    low = np.zeros(len(POLLUTANTS), np.int64)
    high = thresholds("hard_above") + 1  # a higher value would be invalid (Q04)
    probes = np.arange(_PROBES + 1, dtype=np.int64)[:, None]
    while elapsed < HOURS and (feasible & (high - low > 1)).any():
        tried = low + (high - low) * probes // _PROBES
        tried[0], tried[-1] = low, high - 1
        fine, _, _ = _outcomes(so_far, elapsed, tried, rules)
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


@dataclass(frozen=True, slots=True)
class YearBudget:
    """The year so far against its task of good days."""

    state: Literal["open", "safe", "lost", "uncertain"]
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


def year_budget_days(good: int, days_left: int, task: int, *, unknown: int = 0) -> YearBudget:
    """How many more days that are not good a yearly task of good days allows, invalid ones among them.

    Args:
        good: good days so far.
        days_left: days still to come.
        task: the least number of good days.
        unknown: days of this year before the first one that was judged: any of them may have been good. With such days
            the task is ``uncertain`` unless it is met, or lost, whatever they were.

    Raises:
        ValueError: a negative count.
    """
    if min(good, days_left, task, unknown) < 0:
        raise ValueError(f"{good} good, {days_left} left, {unknown} unknown, task {task}: not a year")
    missing = max(task - good, 0)
    if missing > days_left + unknown:
        return YearBudget("lost", None, None)
    if missing and unknown:
        return YearBudget("uncertain", None, None)
    needed = Fraction(100 * missing, days_left) if days_left else None
    return YearBudget("open" if missing else "safe", days_left - missing, needed)
