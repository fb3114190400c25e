"""The good-day budget against the judge itself: keeping to it is good, one step above is not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards import air
from standards.air.budget import ceiling

HARD = (2_620_000, 3_840_000, 150_000, 1_200_000, 10_000_000, 10_000_000)
CLEAN = (6_000, 20_000, 500, 80_000, 35_000, 17_000)
O3, PM10, PM25 = 3, 4, 5


def day(n_stations: int = 1, values: tuple[int, ...] = CLEAN) -> Any:
    return np.tile(np.array(values, np.int64), (n_stations, 24, 1))


def part(budget: air.DayBudget, pollutant: str) -> air.PollutantBudget:
    return next(each for each in budget.pollutants if each.pollutant == pollutant)


def judge(hours: Any, edition: str) -> air.DayVerdicts:
    return air.judge_days(hours[:, None], edition)


@pytest.mark.parametrize(
    ("edition", "ceilings"),
    [
        # 75.5 rounds to 76 and 150.5 to 150: the edge belongs to the even side.
        ("2012", (150_500, 80_500, 4_050, 160_500, 150_500, 75_499)),
        ("2026", (150_500, 80_500, 4_050, 160_500, 120_500, 60_500)),
    ],
)
def test_ceilings(edition: str, ceilings: tuple[int, ...]) -> None:
    assert tuple(ceiling(position, air.rules_for(edition)) for position in range(6)) == ceilings


def test_by_hand() -> None:
    hours = day()
    hours[0, :12, PM25] = 90_000
    budget = air.day_budget(hours, 12, "2026")
    pm25 = part(budget, "PM2.5")
    assert (pm25.state, pm25.at_most) == ("open", 31_000), "(12 * 90 + 12 * 31) / 24 = 60.5, which rounds to 60"
    assert budget.state == "open"
    assert budget.hours_left == 12
    old = part(air.day_budget(hours, 12, "2012"), "PM2.5")
    assert old.at_most == 60_999, "75.5 would round to 76"
    hours[0, 3, PM25] = air.MISSING
    assert part(air.day_budget(hours, 12, "2026"), "PM2.5").at_most == (60_500 * 23 - 90_000 * 11) // 12


def test_certain_states() -> None:
    hours = day()
    hours[0, :20, PM25] = 73_000
    assert part(air.day_budget(hours, 20, "2026"), "PM2.5").state == "lost", "1460 / 24 = 60.8"
    hours[0, :20, PM25] = 72_600
    pm25 = part(air.day_budget(hours, 20, "2026"), "PM2.5")
    assert (pm25.state, pm25.at_most) == ("open", 0), "60.5 exactly, with four hours of nothing"
    done = air.day_budget(day(), 24, "2026")
    assert done.state == "safe"
    assert all(each.at_most is None for each in done.pollutants)
    hours = day()
    hours[0, :5, :] = air.MISSING
    gone = air.day_budget(hours, 23, "2026")
    assert part(gone, "PM2.5").state == "incomplete"
    assert gone.state == "incomplete"
    start = air.day_budget(np.full((3, 24, 6), air.MISSING), 0, "2026")
    assert part(start, "PM2.5").at_most == 60_500
    assert part(start, "O3").at_most == 160_500
    assert start.state == "open"


def test_safe_only_when_nothing_can_change_it() -> None:
    hours = day()
    budget = air.day_budget(hours, 23, "2026")
    assert part(budget, "SO2").state == "safe", "(23 * 6 + 2620) / 24 = 114.9, and more is not credible"
    assert part(budget, "PM2.5").state == "open", "a last hour of 10000 would lose it"


def test_ozone_windows_that_are_over_decide() -> None:
    hours = day()
    hours[0, 8:16, O3] = 165_000
    lost = part(air.day_budget(hours, 16, "2026"), "O3")
    assert (lost.state, lost.at_most) == ("lost", None)
    hours[0, 8:16, O3] = 150_000
    open_ = part(air.day_budget(hours, 16, "2026"), "O3")
    # One hour left in the window would allow 160.5 * 8 - 7 * 150; eight of them only their own mean.
    assert (open_.state, open_.at_most) == ("open", 160_500)
    hours[0, 16:, O3] = 160_500
    assert judge(hours, "2026").good[0]


def test_lost_unless_hours_go_missing() -> None:
    hours = day()
    hours[0, :13, O3] = air.MISSING
    hours[0, 13:18, O3] = 300_000
    ozone = part(air.day_budget(hours, 18, "2026"), "O3")
    assert ozone.state == "lost_if_complete", "five hours of 300 and one of 0 are 250; five and a gap are no window"


def test_plan_and_bad_arguments() -> None:
    budget = air.day_budget(day(), 6, "2026", plan_not_monitored=("CO",))
    assert [each.pollutant for each in budget.pollutants] == ["SO2", "NO2", "O3", "PM10", "PM2.5"]
    with pytest.raises(ValueError, match="after 25 labels"):
        air.day_budget(day(), 25, "2026")
    with pytest.raises(ValueError, match=r"\[S, 24, 6\]"):
        air.day_budget(day()[:, :23], 5, "2026")


hour = st.one_of(st.just(air.MISSING), st.integers(0, 400_000), st.sampled_from([60_500, 75_500, 120_500, 160_500, 0]))


@st.composite
def days_so_far(draw: st.DrawFn) -> tuple[Any, int, str]:
    """Days that may be anything in one pollutant, with gaps; stations differ."""
    elapsed = draw(st.integers(0, 24))
    n_stations = draw(st.integers(1, 4))
    hours = day(n_stations)
    position = draw(st.sampled_from([0, 1, O3, PM10, PM25]))
    level = draw(st.sampled_from([20_000, 60_000, 100_000, 160_000]))
    steady = draw(st.booleans())
    for station in range(n_stations):
        for label in range(24):
            hours[station, label, position] = level if steady and draw(st.integers(0, 9)) else draw(hour)
    return hours, elapsed, draw(st.sampled_from(["2012", "2026"]))


@settings(max_examples=120, deadline=None)
@given(days_so_far(), st.randoms(use_true_random=False))
def test_a_kept_budget_is_good_and_one_step_above_is_not(made: tuple[Any, int, str], rng: Any) -> None:
    hours, elapsed, edition = made
    budget = air.day_budget(hours, elapsed, edition)
    for each in budget.pollutants:
        position = air.POLLUTANTS.index(each.pollutant)
        if each.at_most is None:
            continue
        for extra, good in ((0, True), (1, False)):
            if each.at_most + extra > HARD[position]:
                continue  # would be invalid, not bad
            rest = hours.copy()
            rest[:, elapsed:, position] = each.at_most + extra
            index = int(judge(rest, edition).iaqi[0, position])
            assert (0 <= index <= 100) is good, (each, extra)
        if each.pollutant == "O3":
            rest[:, elapsed:, position] = rng.randint(0, each.at_most)
        else:  # any hours with this mean do, not only equal ones
            left = 24 - elapsed
            swing = rng.randint(0, each.at_most)
            rest[:, elapsed:, position] = each.at_most
            rest[:, elapsed : elapsed + left // 2, position] += swing
            rest[:, 24 - left // 2 :, position] -= swing
        assert 0 <= int(judge(rest, edition).iaqi[0, position]) <= 100


@settings(max_examples=120, deadline=None)
@given(days_so_far(), st.data())
def test_certain_means_certain(made: tuple[Any, int, str], data: st.DataObject) -> None:
    hours, elapsed, edition = made
    budget = air.day_budget(hours, elapsed, edition)
    left = 24 - elapsed
    for _ in range(3):
        end = hours.copy()
        kind = data.draw(st.sampled_from(["zeros", "gaps", "mixed"]))
        for station in range(len(hours)):
            for label in range(elapsed, 24):
                absent = kind == "gaps" or (kind == "mixed" and data.draw(st.booleans()))
                end[station, label] = air.MISSING if absent else 0 if kind == "zeros" else data.draw(hour)
        verdict = judge(end, edition)
        for each in budget.pollutants:
            index = int(verdict.iaqi[0, air.POLLUTANTS.index(each.pollutant)])
            if each.state == "lost":
                assert not 0 <= index <= 100, (each, left)
            if each.state == "safe":
                assert 0 <= index <= 100, (each, left)
        assert budget.state not in ("lost", "incomplete") or not verdict.good[0]
        assert budget.state != "safe" or verdict.good[0]


def test_year_budget() -> None:
    # 365 days, a task of 85 %: 55 polluted days give 84.9 %, 54 give 85.2 %.
    budget = air.year_budget(200, 40, 125, Fraction(85))
    assert (budget.state, budget.polluted_left) == ("open", 14)
    assert budget.needed == Fraction(111 * 100, 125)
    assert air.year_budget(200, 60, 105, Fraction(85)).state == "lost"
    assert air.year_budget(330, 10, 25, Fraction(85)).state == "safe"
    # 84.95 % is published as 85.0: half to even.
    exact = air.year_budget(0, 0, 2000, Fraction(85), reported=False)
    printed = air.year_budget(0, 0, 2000, Fraction(85))
    assert (exact.polluted_left, printed.polluted_left) == (300, 301)
    assert air.year_budget(0, 0, 10_000, Fraction(85)).polluted_left == 1505
    assert air.year_budget(310, 55, 0, Fraction(85)).state == "lost"
    assert air.year_budget(0, 0, 0, Fraction(85)) == air.YearBudget("safe", 0, None)
    with pytest.raises(ValueError, match="not a year"):
        air.year_budget(-1, 0, 5, Fraction(85))


@settings(deadline=None)
@given(st.integers(0, 366), st.integers(0, 366), st.integers(0, 366), st.integers(0, 1000))
def test_year_budget_is_the_edge(good: int, polluted: int, left: int, tenths: int) -> None:
    task = Fraction(tenths, 10)
    budget = air.year_budget(good, polluted, left, task)

    def meets(more: int) -> bool:
        ratio = air.good_ratio(good + left - more, good + polluted + left)
        return ratio is None or ratio >= task

    if budget.polluted_left is None:
        assert not meets(0)
    else:
        assert meets(budget.polluted_left)
        assert budget.polluted_left == left or not meets(budget.polluted_left + 1)


@settings(deadline=None)
@given(st.integers(0, 366), st.integers(0, 366), st.integers(0, 366), st.integers(0, 60))
def test_a_task_in_days_is_decided_when_it_is_decided(good: int, left: int, task: int, unknown: int) -> None:
    budget = air.year_budget_days(good, left, task, unknown=unknown)
    best, worst = good + left + unknown, good
    assert (budget.state == "lost") == (best < task)
    assert (budget.state == "safe") == (worst >= task)
    assert (budget.state == "uncertain") == (unknown > 0 and worst < task <= best)
    if budget.state == "open":
        assert budget.polluted_left is not None
        assert good + left - budget.polluted_left == task
        assert budget.needed == (Fraction(100 * (task - good), left) if left else None)


def test_a_task_in_days_refuses_what_is_no_year() -> None:
    with pytest.raises(ValueError, match="not a year"):
        air.year_budget_days(1, 2, 3, unknown=-1)
