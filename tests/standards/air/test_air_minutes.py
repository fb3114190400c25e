"""An hour of minutes: 45 valid ones, one rounding; and hours that look like dust (air.md §1.4, §4.2)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards import air
from standards.fixed import MISSING, half_even_int

SIX = len(air.POLLUTANTS)
PM10, PM25 = air.POLLUTANTS.index("PM10"), air.POLLUTANTS.index("PM2.5")
ONE = np.ones(1, np.int64)


def minutes_of(values: list[int | None]) -> np.ndarray:
    """int64[1, 60, 6]: the same minutes for every pollutant."""
    column = np.array([MISSING if v is None else v for v in values] + [MISSING] * (60 - len(values)), np.int64)
    return np.repeat(column[None, :, None], SIX, axis=2)


@pytest.mark.parametrize(("valid", "enough"), [(44, False), (45, True), (60, True), (0, False)])
def test_45_valid_minutes_make_an_hour(valid: int, enough: bool) -> None:
    mean, count, is_enough = air.hour_of_minutes(minutes_of([7_000] * valid), ONE)
    assert count[0].tolist() == [valid] * SIX
    assert is_enough[0].tolist() == [enough] * SIX
    assert mean[0].tolist() == [7_000 if valid else MISSING] * SIX


@pytest.mark.parametrize(
    ("covers", "values", "count", "enough"), [(5, 9, 45, True), (5, 8, 40, False), (10, 5, 50, True)]
)
def test_means_of_several_minutes_count_for_all_of_them(covers: int, values: int, count: int, enough: bool) -> None:
    _, minutes, is_enough = air.hour_of_minutes(minutes_of([1_000] * values), np.array([covers], np.int64))
    assert minutes[0, 0] == count
    assert is_enough[0, 0] == enough


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 10_000_000)), min_size=1, max_size=60))
def test_the_mean_is_exact_and_rounded_once(values: list[int | None]) -> None:
    mean, count, _ = air.hour_of_minutes(minutes_of(values), ONE)
    there = [v for v in values if v is not None]
    assert count[0, 0] == len(there)
    exact = Fraction(sum(there), len(there)) if there else None
    assert mean[0, 0] == (MISSING if exact is None else half_even_int(exact.numerator, exact.denominator))


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="needed are"):
        air.hour_of_minutes(np.zeros((1, 59, 6), np.int64), ONE)


def hours_of(coarse: list[int], fine: list[int]) -> np.ndarray:
    """int64[H, 6] thousandths of whole µg/m³."""
    found = np.full((len(coarse), SIX), 10_000, np.int64)
    found[:, PM10], found[:, PM25] = np.array(coarse) * 1000, np.array(fine) * 1000
    return found


@pytest.mark.parametrize(
    ("coarse", "fine", "dusty"),
    [
        (200, 25, True),  # twice the 100 before, and 25/200 is half of the 25/100 before
        (199, 24, False),  # a little less than twice
        (200, 26, False),  # the ratio is not halved
        (300, 30, True),
    ],
)
def test_what_looks_like_dust_begins_at_its_thresholds(coarse: int, fine: int, dusty: bool) -> None:
    hours = hours_of([100] * 6 + [coarse], [25] * 6 + [fine])
    assert air.dust_hours(hours).tolist() == [False] * 6 + [dusty]


def test_little_pm10_is_no_dust() -> None:
    assert not air.dust_hours(hours_of([60] * 6 + [150], [30] * 6 + [10])).any()
    assert air.dust_hours(hours_of([60] * 6 + [151], [30] * 6 + [10]))[6]


def test_it_ends_when_pm10_is_back_within_a_tenth() -> None:
    hours = hours_of([100] * 6 + [400, 111, 110, 200], [50] * 6 + [40, 40, 40, 40])
    assert air.dust_hours(hours).tolist() == [False] * 6 + [True, True, False, False]
    # 200 is not twice the mean of six hours that hold the event itself


def test_last_year_under_this_years_edition() -> None:
    hours = np.full((1, 1, 24, SIX), 20_000, np.int64)
    hours[..., PM25] = 70_000  # IAQI 94 of 2012, 114 of 2026
    hours[..., air.POLLUTANTS.index("CO")] = 500
    said = air.judge_days(hours, "2012")
    again = air.under(said, "2026")
    straight = air.judge_days(hours, "2026")
    assert bool(said.good[0]) and not bool(again.good[0])
    for name in ("aqi", "level", "good", "polluted", "valid", "rounded", "iaqi", "primary", "edition"):
        assert (getattr(again, name) == getattr(straight, name)).all(), name
