"""What the budget calls certain, against every completion of the day, judged with plain fractions."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards import air
from tests.standards.air import reference
from tests.standards.air.reference import POLLUTANTS

CLEAN = (6_000, 20_000, 500, 80_000, 35_000, 17_000)
HARD = dict(zip(POLLUTANTS, (2_620_000, 3_840_000, 150_000, 1_200_000, 10_000_000, 10_000_000), strict=True))
O3, PM25 = 3, 5
LIMIT = {1: 100, 2: 160}
NO_INDEX = "no index"


def part(budget: air.DayBudget, pollutant: str) -> air.PollutantBudget:
    return next(each for each in budget.pollutants if each.pollutant == pollutant)


def clean(n_stations: int = 1) -> Any:
    return np.tile(np.array(CLEAN, np.int64), (n_stations, 24, 1))


def is_good(hours: Any, edition: str, switches: air.Switches) -> bool:
    return bool(air.judge_days(hours[:, None], edition, switches=switches).good[0])


# --- the plain second judge of one pollutant --------------------------------------------------------------------------


def past(hours: Any, position: int) -> list[list[Fraction | None]]:
    return [[None if v == air.MISSING else Fraction(int(v), 1000) for v in row[:, position]] for row in hours]


def station(pollutant: str, hours: list[Fraction | None], grade: int) -> Fraction | None:
    if pollutant != "O3":
        return reference.daily_mean(hours)  # type: ignore[arg-type]
    windows = []
    for label in range(8, 25):
        known = [value for value in hours[label - 8 : label] if value is not None]
        if len(known) >= 6:
            windows.append(sum(known, Fraction(0)) / len(known))
    if not windows:
        return None
    enough = len(windows) >= 14 or reference.half_even(max(windows), 0) > LIMIT[grade]
    return max(windows) if enough else None


def outcome(
    edition: str, pollutant: str, area: list[list[Fraction | None]], switches: air.Switches
) -> bool | str | None:
    """Whether the day's value is good; None without a value."""
    days = [station(pollutant, hours, switches.grade) for hours in area]
    if switches.round_station_daily:
        days = [None if day is None else Fraction(reference.half_even(day, int(pollutant == "CO"))) for day in days]
    value = reference.area(days)
    if value is None:
        return None
    index = reference.rounded_iaqi(edition, "daily", pollutant, value)
    if pollutant == "O3" and edition == "2012" and (index is None or switches.o3_daily_uses_1h):
        hours = [[value for value in row if value is not None] for row in area]
        by_hour = reference.area([max(row) if len(row) >= 20 else None for row in hours])
        also = reference.rounded_iaqi(edition, "hourly", "O3", by_hour)
        index = max((each for each in (index, also) if each is not None), default=None)
    if index is None:
        return NO_INDEX  # the edition of 2012 says nothing of it, and the day is that of the others
    return index <= 100


@st.composite
def late_days(draw: st.DrawFn) -> tuple[str, str, Any, int, air.Switches]:
    """Days with few enough hours to come that every completion can be tried; ozone often with too few windows."""
    pollutant = draw(st.sampled_from(["O3", "O3", "O3", "PM2.5", "CO"]))
    n_stations, left = draw(st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (2, 1), (3, 1), (3, 1), (4, 0)]))
    switches = air.Switches(
        grade=draw(st.sampled_from([1, 2, 2])),
        incomplete=draw(st.sampled_from(["above_100", "from_the_rest", "all_six"])),
        round_station_daily=draw(st.booleans()),
        o3_daily_uses_1h=draw(st.sampled_from([False, False, True])),
    )
    top = {"O3": 160_000, "PM2.5": 60_000, "CO": 4_000}[pollutant]
    hours = clean(n_stations)
    position = POLLUTANTS.index(pollutant)
    for at in range(n_stations):
        level = draw(st.sampled_from([50, 80, 95, 99, 100, 101, 105, 150, 700])) * top // 100
        begin = draw(st.sampled_from([0, 0, 2, 4, 5, 9, 12, 15, 16, 17, 24]))
        gaps = draw(st.sets(st.integers(0, 23), max_size=5))
        for label in range(24):
            hours[at, label, position] = air.MISSING if label < begin or label in gaps else level
        if draw(st.booleans()):
            hours[at, draw(st.integers(0, 23)), position] = min(level * 2, HARD[pollutant])
    hours = np.where(hours == air.MISSING, hours, np.minimum(hours, list(HARD.values())))
    return draw(st.sampled_from(["2012", "2026", "2031"])), pollutant, hours, 24 - left, switches


def completions(pollutant: str, hours: Any, elapsed: int) -> Any:
    """Every way the day can end, over values that matter: nothing, edges of the limits, the most there can be."""
    position, hard = POLLUTANTS.index(pollutant), HARD[pollutant]
    edges = {"O3": [100_501, 160_500, 160_501, 230_000], "PM2.5": [60_500, 61_000], "CO": [4_050, 4_100]}[pollutant]
    values = [None, Fraction(0), *(Fraction(value, 1000) for value in (*edges, hard // 2, hard))]
    begun = past(hours[:, :elapsed], position)
    left = 24 - elapsed
    for chosen in itertools.product(values, repeat=left * len(begun)):
        yield [row + list(chosen[at * left : (at + 1) * left]) for at, row in enumerate(begun)], None not in chosen


@settings(max_examples=250, deadline=None)
@given(late_days())
def test_certain_holds_for_every_completion(made: tuple[str, str, Any, int, air.Switches]) -> None:
    edition, pollutant, hours, elapsed, switches = made
    budget = air.day_budget(hours, elapsed, edition, switches=switches)
    each = part(budget, pollutant)
    strict = switches.incomplete != "from_the_rest"
    for area, complete in completions(pollutant, hours, elapsed):
        good = outcome(edition, pollutant, area, switches)
        note = (each, budget.state, area)
        day_is_good = good or (good is None and not strict)
        if each.state == "safe":
            assert good is True, note
        elif each.state in ("lost", "incomplete"):
            assert not good, note
            assert strict or (good is not None) is (each.state == "lost"), note
        elif each.state == "lost_if_complete" and complete:
            assert not day_is_good, note
        # The other pollutants are clean: the state of the day.
        if budget.state == "safe":
            assert day_is_good, note
        elif budget.state in ("lost", "incomplete") or (budget.state == "lost_if_complete" and complete):
            assert not day_is_good, note
        elif each.state == "open" and complete:
            assert each.at_most is not None
            rest = [value for row in area for value in row[elapsed:]]
            if max(rest) <= Fraction(each.at_most, 1000) and not switches.o3_daily_uses_1h:
                assert good, note


def test_the_second_judge_is_not_ours_but_agrees() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        hours = rng.integers(0, 400_000, (3, 24, 6))
        hours[..., 2] //= 40
        hours[rng.random(hours.shape) < 0.1] = air.MISSING
        for switches in (air.DEFAULT, air.Switches(grade=1, round_station_daily=True)):
            days = air.judge_days(hours[:, None], "2012", switches=switches)
            for position, pollutant in enumerate(POLLUTANTS):
                area = past(hours, position)
                index = days.iaqi[0, position]
                ours = None if days.missing[0, position] else bool(0 <= index <= 100)
                wanted = outcome("2012", pollutant, area, switches)
                assert ours == (False if wanted == NO_INDEX else wanted)


# --- the cases of the review ------------------------------------------------------------------------------------------


def three_stations() -> Any:
    """A complete, B with seven late hours, C without ozone; the last hour decides whether B counts."""
    hours = clean(3)
    hours[..., O3] = 50_000
    hours[1, :16, O3] = air.MISSING
    hours[1, 16:23, O3] = 155_000
    hours[2, :, O3] = air.MISSING
    return hours


def test_a_station_can_become_valid_by_higher_values() -> None:
    hours = three_stations()
    budget = air.day_budget(hours, 23, "2026")
    assert (part(budget, "O3").state, budget.state) == ("uncertain", "uncertain")
    hours[:, 23, O3] = 230_000
    assert is_good(hours, "2026", air.DEFAULT)
    alone = air.day_budget(three_stations()[1:2], 23, "2026")
    assert part(alone, "O3").state == "incomplete", "its own value only counts above 160"


def test_in_class_1_an_exception_can_be_good() -> None:
    hours = clean()
    hours[0, :9, O3] = air.MISSING
    hours[0, 9:20, O3] = 90_000
    first = air.Switches(grade=1)
    assert air.day_budget(hours, 20, "2026", switches=first).state == "uncertain"
    hours[0, 20:, O3] = 130_000
    assert is_good(hours, "2026", first)
    assert air.day_budget(hours, 20, "2026").state == "incomplete"


def test_from_the_rest_a_gap_does_not_lose_the_day() -> None:
    rest = air.Switches(incomplete="from_the_rest")
    hours = clean()
    hours[0, :6, 2] = air.MISSING
    budget = air.day_budget(hours, 20, "2026", switches=rest)
    assert (part(budget, "CO").state, budget.state) == ("incomplete", "open")
    assert is_good(hours, "2026", rest)
    hours = clean()
    hours[0, :20, PM25] = 100_000
    assert air.day_budget(hours, 20, "2026", switches=rest).state == "lost"
    hours[0, 0, PM25] = air.MISSING
    budget = air.day_budget(hours, 20, "2026", switches=rest)
    assert (part(budget, "PM2.5").state, budget.state) == ("lost_if_complete", "lost_if_complete")
    hours[0, 20:, PM25] = air.MISSING
    assert is_good(hours, "2026", rest)
    empty = air.day_budget(np.full((1, 24, 6), air.MISSING), 20, "2026", switches=rest)
    assert empty.state == "incomplete"


def test_the_old_edition_has_no_index_for_much_ozone() -> None:
    hours = clean()
    hours[0, :, O3] = air.MISSING
    hours[0, 10:, O3] = 900_000
    budget = air.day_budget(hours, 24, "2012")
    assert (part(budget, "O3").state, budget.state) == ("uncertain", "uncertain")
    assert is_good(hours, "2012", air.DEFAULT), "14 hours give no largest hour: no index, and the others are good"
    assert air.day_budget(hours, 24, "2026").state == "lost"


@pytest.mark.parametrize("switches", [air.Switches(unmonitored_clean=False), air.Switches(incomplete="all_six")])
def test_a_pollutant_outside_the_plan_that_blocks(switches: air.Switches) -> None:
    budget = air.day_budget(clean(), 12, "2026", switches=switches, plan_not_monitored=("CO",))
    assert budget.state == "incomplete"
    assert air.day_budget(clean(), 12, "2026", switches=switches).state == "open"
    loose = replace(switches, incomplete="from_the_rest", unmonitored_clean=True)
    assert air.day_budget(clean(), 12, "2026", switches=loose, plan_not_monitored=("CO",)).state == "open"


def test_decimal_and_fraction_agree_on_the_edge() -> None:
    assert reference.half_even(Fraction(1605, 10), 0) == Decimal(160)
