"""Months, quarters and years: percentiles, validity minima, attainment, composite index, ranking, ratios, dust."""

from __future__ import annotations

import csv
import datetime
import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from standards import air
from standards.air.periods import mean_of, percentile_of
from standards.fixed import parse
from tests.standards.air import reference
from tests.standards.air.reference import DATA, POLLUTANTS

PERCENTILES = json.loads((DATA / "air_percentiles.json").read_text("utf-8"))
O3, PM10, PM25 = 3, 4, 5


def year_of_days(values: Any, first: str = "2027-01-01", edition: str = "2026") -> air.DayVerdicts:
    """Days with given values int64[D, 6], judged as one station with 24 equal hours."""
    values = np.asarray(values, np.int64)
    hours = np.repeat(values[None, :, None, :], 24, axis=2)
    dates = np.datetime64(first) + np.arange(len(values))
    return air.judge_days(hours, edition, dates=dates)


def steady(n_days: int, **changes: int) -> Any:
    base = {"SO2": 8_000, "NO2": 26_000, "CO": 800, "O3": 152_000, "PM10": 48_000, "PM2.5": 25_400} | changes
    return np.tile([base[p] for p in POLLUTANTS], (n_days, 1))


@pytest.mark.parametrize("case", PERCENTILES["cases"], ids=lambda case: case["data"][:12])
def test_percentiles_of_the_annex(case: dict[str, Any]) -> None:
    values = np.array([parse(text) for text in case["data"].split()])
    rng = np.random.default_rng(1)
    for rank, wanted in case["results"].items():
        for _ in range(3):
            rng.shuffle(values)
            assert percentile_of(values, np.full(len(values), 1000), int(rank)) == Fraction(wanted)


@pytest.mark.parametrize("case", PERCENTILES["positions"], ids=lambda case: str(case["n"]))
def test_percentile_positions(case: dict[str, Any]) -> None:
    values = np.arange(1, case["n"] + 1) * 1000  # X(k) = k, so that the percentile is the position
    for rank, wanted in case["results"].items():
        assert percentile_of(values, np.full(case["n"], 1000), int(rank)) == Fraction(wanted)


def test_percentiles_agree_with_the_reference() -> None:
    rng = np.random.default_rng(7)
    for n in (1, 2, 3, 31, 365, 366):
        num = rng.integers(0, 10**9, n)
        den = rng.choice([3000, 212520, 212520 * 7], n)
        exact = [Fraction(int(a), int(b)) for a, b in zip(num, den, strict=True)]
        for rank in (0, 50, 90, 95, 98, 100):
            assert percentile_of(num, den, rank) == reference.percentile(exact, rank)
        assert mean_of(num, den) == sum(exact) / n
    assert percentile_of(num[:0], den[:0], 90) is None
    assert mean_of(num[:0], den[:0]) is None


def test_reported_percentiles_are_rounded_once() -> None:
    case = PERCENTILES["cases"][1]
    ozone = [parse(text) for text in case["data"].split()]
    values = steady(30)
    values[:, O3] = ozone
    found = air.statistics(year_of_days(values, "2027-06-01"), "month")
    assert found["O3"].percentile == Fraction("160.2")
    assert found["O3"].reported_percentile == 160
    assert found["O3"].attains is True, "160.2 rounds to 160, which attains"
    assert found["O3"].rank == 90
    assert found["SO2"].rank is None
    assert air.statistics(year_of_days(steady(365)), "year")["SO2"].rank == 98


def test_a_year_needs_324_days_and_27_in_each_month() -> None:
    whole = year_of_days(steady(365))
    assert all(each.enough for each in air.statistics(whole, "year").values())

    def without(*days: int) -> bool:
        values = steady(365)
        values[list(days), PM25] = air.MISSING
        found = air.statistics(year_of_days(values), "year")
        assert found["SO2"].enough
        return found["PM2.5"].enough

    assert without(*range(0, 4))
    assert not without(*range(0, 5)), "26 in January"
    assert without(*range(31, 34))
    assert not without(*range(31, 35)), "24 in February"
    thin = [day for month in range(12) for day in range(month * 30 + 4, month * 30 + 7)]
    assert without(*thin[:36])
    many = [
        day
        for start in np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30]).tolist()
        for day in range(start, start + 3)
    ]
    assert without(*many), "329 days"


def test_a_year_of_324_days_spread_evenly_is_impossible_below_27_a_month() -> None:
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    keep = [27 if n != 28 else 25 for n in lengths]
    drop = [start + at for start, n, k in zip(starts, lengths, keep, strict=True) for at in range(n - k)]
    values = steady(365)
    values[drop, PM25] = air.MISSING
    found = air.statistics(year_of_days(values), "year")["PM2.5"]
    assert found.n_days == 322
    assert not found.enough, "every month has its days, the year has not"


def test_months_and_quarters() -> None:
    month = year_of_days(steady(30), "2027-04-01")
    assert air.statistics(month, "month")["CO"].enough
    assert not air.statistics(month.take(slice(0, 26)), "month")["CO"].enough
    assert air.statistics(year_of_days(steady(25), "2027-02-01"), "month")["CO"].enough
    quarter = year_of_days(steady(91), "2027-04-01")
    assert air.statistics(quarter, "quarter")["CO"].enough
    assert not air.statistics(quarter.take(slice(0, 61)), "quarter")["CO"].enough, "June is missing"
    with pytest.raises(ValueError, match="more than one month"):
        air.statistics(quarter, "month")
    with pytest.raises(ValueError, match="needs at least one day, and the date"):
        air.tally_year(air.judge_days(np.zeros((1, 1, 24, 6), np.int64), "2026"))


def test_attainment_is_decided_on_rounded_values() -> None:
    for pm25, attains in ((30_500, True), (30_501, False)):
        found = air.statistics(year_of_days(steady(365, **{"PM2.5": pm25})), "year")["PM2.5"]
        assert found.attains is attains
        assert found.reported_mean == Fraction("30.5")
    peaks = steady(365, **{"PM2.5": 20_000})
    peaks[:40, PM25] = 90_000
    found = air.statistics(year_of_days(peaks), "year")["PM2.5"]
    assert found.mean is not None
    assert found.mean < 30
    assert found.attains is False, "the 95th percentile is above the daily limit"
    assert found.percentile == 90
    assert air.statistics(year_of_days(steady(365)), "year", edition="2031")["NO2"].attains is True
    assert air.statistics(year_of_days(steady(365, NO2=31_000)), "year", edition="2031")["NO2"].attains is False
    assert air.statistics(year_of_days(steady(100)), "year")["NO2"].attains is None


def test_exceedance_multiple() -> None:
    assert air.exceedance_multiple(Fraction(75), "PM2.5", "day", "2026") == Fraction("0.25")
    assert air.exceedance_multiple(Fraction("60.5"), "PM2.5", "day", "2026") is None
    assert air.exceedance_multiple(Fraction(100), "PM2.5", "1h", "2026") is None
    assert air.attainment_rate(27, 31, "2026") == Fraction("87.1")
    assert air.attainment_rate(0, 0, "2026") is None


def composite_cases() -> list[dict[str, str]]:
    with (DATA / "air_composite.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("case", composite_cases(), ids=lambda case: case["case"])
def test_composite_vectors(case: dict[str, str]) -> None:
    order = ("SO2", "NO2", "PM10", "PM2.5", "CO", "O3")
    values = [Fraction(text) for text in case["SO2, NO2, PM10, PM2.5, CO, O3"].split(", ")]
    concentrations = dict(zip(order, values, strict=True))
    checked = 0
    for column, printed in case.items():
        if not column.startswith("ci_") or printed == "–":
            continue
        name, form = column.split(" ")
        places = {"single_places": None, "sum_places": 4} if form == "unrounded" else {}
        found = air.composite(concentrations, name, **places)
        assert found.total == Fraction(printed.split(" ")[0]), column
        checked += 1
    assert checked in (2, 5)


def test_single_and_highest_index() -> None:
    a = {"SO2": "8", "NO2": "26", "PM10": "48", "PM2.5": "25.4", "CO": "0.8", "O3": "152"}
    plain = air.composite({p: Fraction(v) for p, v in a.items()}, "ci_2026_u")
    wanted = {"SO2": ".133", "NO2": ".650", "PM10": ".800", "PM2.5": ".847", "CO": ".200", "O3": ".950"}
    assert plain.single == {p: Fraction(v) for p, v in wanted.items()}
    assert plain.highest == ("O3",)
    weighted = air.composite({p: Fraction(v) for p, v in a.items()}, "ci_2026_w")
    assert weighted.highest == ("PM2.5",)
    assert weighted.weighted["PM2.5"] == Fraction("2.541")
    assert air.composite({"O3": Fraction(138)}, "ci_2026_u").single["O3"] == Fraction("0.862")
    assert air.composite({"O3": Fraction(138)}, "ci_2026_u").total is None, "there is no index of five"
    with pytest.raises(LookupError, match="ci_2018"):
        air.composite({}, "ci_2020")
    with pytest.raises(ValueError, match="negative"):
        air.composite({"O3": Fraction(-1)}, "ci_2018")


def test_index_of_a_period() -> None:
    days = year_of_days(steady(365))
    for name, wanted in (("ci_2018", "3.35"), ("ci_2026_u", "3.580"), ("ci_2026_w", "6.874"), ("ci_2031_w", "8.242")):
        found = air.period_index(days, "year", name)
        assert found is not None
        assert found.total == Fraction(wanted)
    tally = air.tally_year(days)
    assert tally["index"] == {"ci_2018": 3.35, "ci_2026_u": 3.58, "ci_2026_w": 6.874, "ci_2031_w": 8.242}
    few = air.tally_year(days.take(slice(0, 100)))
    assert few["index"] == dict.fromkeys(air.PROFILES)
    assert few["provisional"]["ci_2018"] == 3.35
    reported = air.period_index(year_of_days(steady(365, NO2=26_400)), "year", "ci_2026_u", reported=True)
    exact = air.period_index(year_of_days(steady(365, NO2=26_400)), "year", "ci_2026_u")
    assert reported is not None
    assert exact is not None
    assert (reported.total, exact.total) == (Fraction("3.580"), Fraction("3.590"))


def test_ratio_vectors() -> None:
    text = (DATA / "air_good_ratio.txt").read_text("utf-8")
    vectors = re.findall(r"(\d+)/(\d+) → ([\d.]+) %", text)
    assert len(vectors) == 5
    for good, valid, wanted in vectors:
        assert air.good_ratio(int(good), int(valid)) == Fraction(wanted)
    assert air.good_ratio(0, 0) is None


def test_tally_counts() -> None:
    values = steady(6, O3=60_000)
    values[1, PM25] = 61_000
    values[2, PM25] = 400_000
    values[3, O3] = 160_000
    values[3, PM25] = 60_000
    values[4, 1] = air.MISSING
    values[5] = [6_000, 20_000, 500, 80_000, 35_000, 17_000]
    tally = air.tally_year(year_of_days(values))
    assert {key: tally[key] for key in ("good", "polluted", "invalid", "valid", "ratio")} == {
        "good": 3, "polluted": 2, "invalid": 1, "valid": 5, "ratio": 60.0,
    }  # fmt: skip
    assert tally["by_category"] == {
        "优": 2, "良": 1, "轻度污染": 1, "中度污染": 0, "重度污染": 0, "严重污染": 1,
    }  # fmt: skip
    assert tally["primary"] == {"SO2": 0, "NO2": 0, "CO": 0, "O3": 1, "PM10": 0, "PM2.5": 3}
    assert json.loads(json.dumps(tally)) == tally
    nothing = air.tally_year(year_of_days(np.full((3, 6), air.MISSING)))
    assert (nothing["ratio"], nothing["valid"], nothing["invalid"]) == (None, 0, 3)


def test_dust_stays_out_of_the_index_and_by_choice_out_of_the_ratio() -> None:
    values = steady(365)
    values[10, [PM10, PM25]] = [2_000_000, 300_000]
    days, dust = year_of_days(values), np.arange(365) == 10
    keep = air.tally_year(days, dust=dust)
    deduct = air.tally_year(days, dust=dust, ratio_dust="deduct")
    assert keep["index"] == deduct["index"] == air.tally_year(year_of_days(steady(365)))["index"]
    assert air.tally_year(days)["index"]["ci_2018"] > keep["index"]["ci_2018"]
    assert (keep["polluted"], deduct["polluted"]) == (1, 0)
    assert (keep["valid"], deduct["valid"]) == (365, 365)


def test_ranking_with_ties_and_gaps() -> None:
    values = {"a": Fraction("2.88"), "b": Fraction("2.5"), "c": Fraction("2.88"), "d": Fraction("3"), "e": None}
    assert [(p.rank, p.name) for p in air.rank(values)] == [(1, "b"), (2, "a"), (2, "c"), (4, "d"), (None, "e")]


def test_change() -> None:
    assert air.change_rate(Fraction("4.752"), Fraction("5.939")) == Fraction("-19.99")
    assert air.change_rate(Fraction(3), Fraction(3)) == 0
    assert air.change_rate(Fraction(3), Fraction(0)) is None
    assert air.points(Fraction("83.6"), Fraction("88.1")) == Fraction("-4.5")
    rates = {"a": Fraction(-5), "b": Fraction(3), "c": Fraction(8), "d": None, "e": Fraction(8)}
    assert [(p.rank, p.name) for p in air.rank_change(rates)][:2] == [(1, "a"), (2, "b")]
    worst = air.rank_change(rates, deterioration=True, attaining={"e"})
    assert [(p.rank, p.name, p.value) for p in worst] == [(1, "c", 8), (2, "b", 3), (None, "d", None)]


def test_exact_beyond_int64() -> None:
    num = np.full(366, 10**17)
    den = np.array([212520 * (1 + at % 12) for at in range(366)])
    wanted = sum((Fraction(10**17, int(d)) for d in den), Fraction(0)) / 366
    assert mean_of(num, den) == wanted
    assert math.isfinite(float(wanted))


def test_year_of_both_editions() -> None:
    first = datetime.date(2026, 1, 1)
    hours = np.tile(np.array([6_000, 20_000, 500, 80_000, 130_000, 17_000], np.int64), (1, 365, 24, 1))
    dates = [first + datetime.timedelta(days=at) for at in range(365)]
    mixed = air.tally_year(air.judge_days(hours, dates=dates))
    assert (mixed["good"], mixed["polluted"]) == (59, 306), "59 days under the edition of 2012"
    assert Decimal(str(mixed["ratio"])) == Decimal("16.2")


def april(values: Any) -> air.DayVerdicts:
    return year_of_days(values, "2027-04-01")


def test_deducted_dust_days_were_measured() -> None:
    """Five of the 30 days of April are dust: 25 values are left, but 30 were measured."""
    values = steady(30)
    values[9:14, [PM10, PM25]] = [2_000_000, 300_000]
    days, dust = april(values), np.isin(np.arange(30), np.arange(9, 14))
    assert air.tally(days, "month", dust=dust)["index"]["ci_2018"] == 3.35
    strict = air.Switches(dust_days_count=False)
    found = air.tally(days, "month", dust=dust, switches=strict)
    assert (found["index"]["ci_2018"], found["provisional"]["ci_2018"]) == (None, 3.35)
    deducted = air.without_dust(days, dust)
    each = air.statistics(deducted, "month", measured=days)["PM2.5"]
    assert (each.n_days, each.enough, each.mean, each.attains) == (25, True, Fraction("25.4"), True)
    assert not air.statistics(deducted, "month")["PM2.5"].enough
    year = year_of_days(steady(365))
    assert air.tally_year(year, dust=np.isin(np.arange(365), np.arange(99, 104)))["index"]["ci_2026_u"] == 3.58
    values[20:25, PM25] = air.MISSING  # these were not measured: 25 of 27
    assert air.tally(april(values), "month", dust=dust)["index"]["ci_2018"] is None
    every = air.statistics(air.without_dust(days, np.ones(30, bool)), "month", measured=days)["PM2.5"]
    assert (every.enough, every.mean, every.attains) == (True, None, None), "nothing is left to compare"


def test_two_readings_of_attainment() -> None:
    peaks = steady(365, **{"PM2.5": 20_000})
    peaks[:40, PM25] = 90_000
    days = year_of_days(peaks)
    public = air.Switches(attainment="publicised")
    both, mean = air.statistics(days, "year"), air.statistics(days, "year", switches=public)
    assert (both["PM2.5"].attains, mean["PM2.5"].attains) == (False, True)
    assert (air.area_attains(both), air.area_attains(mean)) == (False, True)
    ozone = year_of_days(steady(365, O3=170_000))
    assert air.statistics(ozone, "year", switches=public)["O3"].attains is False, "ozone has only a percentile"
    above = year_of_days(steady(365, **{"PM2.5": 31_000}))
    assert air.statistics(above, "year", switches=public)["PM2.5"].attains is False
    few = air.statistics(days.take(slice(0, 100)), "year")
    assert air.area_attains(few) is None


def test_enough_samples_of_tsp_lead_and_benzopyrene() -> None:
    def five(months: range, n: int = 5) -> Any:
        return np.array([f"2027-{month:02d}-{1 + 5 * at:02d}" for month in months for at in range(n)], "datetime64[D]")

    year = five(range(1, 13))
    assert air.enough_samples(year, "year", "2026")
    assert not air.enough_samples(year[:-1], "year", "2026")
    assert not air.enough_samples(np.append(year[:-1], year[0]), "year", "2026"), "the same day twice is one day"
    assert not air.enough_samples(np.append(five(range(1, 12), 6), five(range(12, 13), 4)), "year", "2026")
    assert air.enough_samples(five(range(4, 7)), "quarter", "2012")
    assert not air.enough_samples(five(range(4, 6), 6), "quarter", "2026")
    with pytest.raises(ValueError, match="more than one quarter"):
        air.enough_samples(year, "quarter", "2026")
    with pytest.raises(ValueError, match="not year or quarter"):
        air.enough_samples(year, "month", "2026")  # type: ignore[arg-type]


def test_limits_finer_than_a_thousandth_are_exact() -> None:
    assert air.exact_limit("2026", "BaP", "day") == Fraction("0.0025")
    assert air.attains(Fraction("0.00254"), "BaP", "day", "2026"), "rounds to 0.0025"
    assert not air.attains(Fraction("0.00256"), "BaP", "day", "2026")
    assert air.exceedance_multiple(Fraction("0.005"), "BaP", "day", "2026") == 1
