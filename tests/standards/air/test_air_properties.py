"""Properties that hold for any hours: the reference agrees, worse never looks better, order does not matter."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from standards import air
from tests.standards.air import reference
from tests.standards.air.reference import POLLUTANTS

EDITIONS = st.sampled_from(["2012", "2026", "2031"])
TOPS = [900_000, 700_000, 40_000, 700_000, 700_000, 450_000]


@st.composite
def areas(draw: st.DrawFn) -> Any:
    """int64[S, 1, 24, 6]: each pollutant at its own level, often near a breakpoint, with gaps and dead stations."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_stations = draw(st.integers(1, 6))
    level = np.array([draw(st.integers(0, top)) for top in TOPS])
    near = draw(st.booleans())
    if near:
        level = np.array([100_500, 80_500, 4_050, 160_500, draw(st.sampled_from([120_500, 150_500])), 60_500])
    spread = draw(st.sampled_from([0, 1, 50, 3_000]))
    hours = level + rng.integers(-spread, spread + 1, (n_stations, 1, 24, 6))
    hours = np.maximum(hours, 0)
    gaps = draw(st.sampled_from([0.0, 0.1, 0.2, 0.5]))
    hours[rng.random(hours.shape) < gaps] = air.MISSING
    hours[rng.random(n_stations) < 0.1] = air.MISSING
    return hours


def as_decimals(hours: Any) -> list[dict[str, list[Decimal | None]]]:
    return [
        {
            pollutant: [
                None if value == air.MISSING else Decimal(int(value)) / 1000 for value in station[0, :, position]
            ]
            for position, pollutant in enumerate(POLLUTANTS)
        }
        for station in hours
    ]


@settings(max_examples=150, deadline=None)
@given(areas(), EDITIONS)
def test_days_agree_with_the_reference(hours: Any, edition: str) -> None:
    days = air.judge_days(hours, edition)
    wanted = reference.day(edition, as_decimals(hours))
    ours = {p: int(i) if i >= 0 else None for p, i in zip(POLLUTANTS, days.iaqi[0], strict=True)}
    assert ours == wanted["iaqi"]
    assert (int(days.aqi[0]) if days.valid[0] else None) == wanted["aqi"]
    assert (int(days.level[0]) or None) == wanted["level"]
    assert [p for p, yes in zip(POLLUTANTS, days.primary[0], strict=True) if yes] == wanted["primary"]
    for position, pollutant in enumerate(POLLUTANTS):
        exact = wanted["values"][pollutant]
        if exact is None:
            assert days.value[0, position] == air.MISSING
        else:
            assert int(days.num[0, position]) == exact * 1000 * int(days.den[0, position])


@settings(max_examples=100, deadline=None)
@given(areas(), EDITIONS, st.randoms(use_true_random=False))
def test_the_order_of_stations_never_matters(hours: Any, edition: str, rng: Any) -> None:
    order = list(range(len(hours)))
    rng.shuffle(order)
    one, other = air.judge_days(hours, edition), air.judge_days(hours[order], edition)
    for name in one.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@settings(max_examples=100, deadline=None)
@given(areas(), EDITIONS, st.randoms(use_true_random=False))
def test_the_order_of_hours_never_matters_but_for_ozone(hours: Any, edition: str, rng: Any) -> None:
    order = list(range(24))
    rng.shuffle(order)
    mixed = hours[:, :, order]
    mixed[..., 3] = hours[..., 3]
    one, other = air.judge_days(hours, edition), air.judge_days(mixed, edition)
    np.testing.assert_array_equal(one.num, other.num)
    np.testing.assert_array_equal(one.aqi, other.aqi)


@settings(max_examples=150, deadline=None)
@given(areas(), EDITIONS, st.data())
def test_a_worse_value_never_improves_anything(hours: Any, edition: str, data: st.DataObject) -> None:
    worse = hours.copy()
    at = tuple(data.draw(st.integers(0, size - 1)) for size in hours.shape)
    if worse[at] != air.MISSING:
        worse[at] += data.draw(st.integers(1, 300_000))
    one, other = air.judge_days(hours, edition), air.judge_days(worse, edition)
    assert (other.num >= one.num)[other.den == one.den].all()
    same = other.n_stations == one.n_stations  # a high ozone hour may make a station's few windows count
    assert (other.iaqi >= one.iaqi)[same].all()
    if same.all():
        assert other.aqi[0] >= one.aqi[0] or not one.valid[0]
        assert other.level[0] >= one.level[0]
        assert not (other.good[0] and one.polluted[0])
    hour, worse_hour = air.judge_hours(hours[:, 0], edition), air.judge_hours(worse[:, 0], edition)
    beyond = (edition == "2012") & (worse_hour.iaqi < 0)  # SO2 above 800 has no hourly index there
    assert ((worse_hour.iaqi >= hour.iaqi) | beyond).all()


@settings(max_examples=60, deadline=None)
@given(areas(), EDITIONS)
def test_judging_days_together_or_one_by_one_is_the_same(hours: Any, edition: str) -> None:
    both = np.concatenate([hours, hours[:, :, ::-1]], axis=1)
    together = air.judge_days(both, edition)
    alone = air.stack([air.judge_days(both[:, at : at + 1], edition) for at in range(2)])
    for name in together.__slots__:
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))


@settings(max_examples=60, deadline=None)
@given(areas(), EDITIONS)
def test_hours_agree_with_the_reference(hours: Any, edition: str) -> None:
    said = air.judge_hours(hours[:, 0], edition)
    stations = as_decimals(hours)
    for label in range(0, 24, 7):
        values = {
            pollutant: reference.area([
                None if station[pollutant][label] is None else Fraction(station[pollutant][label])
                for station in stations
            ])
            for pollutant in POLLUTANTS
        }  # fmt: skip
        wanted = reference.published(edition, "hourly", values)
        ours = {p: int(i) if i >= 0 else None for p, i in zip(POLLUTANTS, said.iaqi[label], strict=True)}
        assert ours == wanted["iaqi"]
        assert (int(said.aqi[label]) if said.valid[label] else None) == wanted["aqi"]
