"""Days and hours of an area: ozone's windows, the share rule, rounding once, missing data, dust, editions by date."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from standards import air
from standards.fixed import parse, text_of
from tests.standards.air.reference import DATA, POLLUTANTS

CLEAN = (6_000, 20_000, 500, 80_000, 35_000, 17_000)
O3, PM10, PM25 = 3, 4, 5
OZONE = json.loads((DATA / "air_ozone.json").read_text("utf-8"))
TRAPS = json.loads((DATA / "air_traps.json").read_text("utf-8"))


def flat_hours(n_stations: int = 1, n_days: int = 1, values: tuple[int, ...] = CLEAN) -> Any:
    return np.tile(np.array(values, np.int64), (n_stations, n_days, 24, 1))


def ozone_hours(missing: list[int], plus: int = 0) -> Any:
    hours = flat_hours()
    hours[0, 0, :, O3] = [(int(text) + plus) * 1000 for text in OZONE["hours"].split()]
    hours[0, 0, [label - 1 for label in missing], O3] = air.MISSING
    return hours


@pytest.mark.parametrize("case", OZONE["cases"], ids=lambda case: case["name"])
def test_ozone_windows(case: dict[str, Any]) -> None:
    hours = ozone_hours(case["missing"], case["plus"])
    rules = air.rules_for("2026")
    station = air.station_days(hours, rules)
    assert station.windows[0, 0] == case["windows"]
    assert bool(station.valid[0, 0, O3]) is case["valid"]
    days = air.judge_days(hours, "2026")
    assert (text_of(int(days.value[0, O3])) or None) == case["maximum"]
    assert (int(days.iaqi[0, O3]) if days.iaqi[0, O3] >= 0 else None) == case["iaqi"]


def test_ozone_8_hour_means_as_printed() -> None:
    rules = air.rules_for("2026")
    means, counts = air.eight_hour_means(ozone_hours([])[0, 0, :, O3], rules)
    assert [Fraction(int(mean), rules.denominator) / 1000 for mean in means] == [
        Fraction(text) for text in OZONE["windows"].split()
    ]
    assert counts.tolist() == [8] * 17


def test_few_windows_are_compared_with_the_limit_after_rounding() -> None:
    for value, valid in ((160_500, False), (160_501, True)):
        hours = flat_hours(values=(*CLEAN[:3], value, *CLEAN[4:]))
        hours[0, 0, :9, O3] = air.MISSING
        assert bool(air.station_days(hours, air.rules_for("2026")).valid[0, 0, O3]) is valid


@pytest.mark.parametrize(("n_hours", "valid"), [(20, True), (19, False), (24, True), (0, False)])
def test_a_day_needs_20_hours(n_hours: int, valid: bool) -> None:
    hours = flat_hours()
    hours[0, 0, n_hours:, PM25] = air.MISSING
    days = air.judge_days(hours, "2026")
    assert bool(days.valid[0]) is valid
    assert days.n_hours[0, PM25] == n_hours
    assert air.DAY_REASONS[days.reason[0]] == ("ok" if valid else "incomplete")
    assert bool(days.missing[0, PM25]) is not valid


@pytest.mark.parametrize(("points", "valid", "enough"), TRAPS["station_share"])
def test_share_of_stations(points: int, valid: int, enough: bool) -> None:
    hours = flat_hours(points)
    hours[valid:] = air.MISSING
    assert bool(air.judge_days(hours, "2026").valid[0]) is enough
    assert bool(air.judge_hours(hours[:, 0], "2026").valid[0]) is enough


def test_only_registered_stations_count() -> None:
    hours = flat_hours(4)
    hours[2:] = air.MISSING
    registered = np.array([[True], [True], [False], [True]])
    assert not air.judge_days(hours, "2026").valid[0]
    assert air.judge_days(hours, "2026", registered=registered).valid[0], "two of three points"
    hours[2, ..., PM25] = 500_000
    days = air.judge_days(hours, "2026", registered=registered)
    assert days.value[0, PM25] == CLEAN[PM25]
    assert days.n_stations[0].tolist() == [2] * 6


def station_values(texts: list[str]) -> Any:
    hours = flat_hours(len(texts))
    hours[..., PM25] = np.array([parse(text) for text in texts])[:, None, None]
    return hours


def test_rounding_happens_once() -> None:
    case = TRAPS["station_rounding"]
    hours = station_values(case["stations"])
    once = air.judge_days(hours, "2026")
    assert [once.rounded[0, PM25] // 1000, once.iaqi[0, PM25]] == case["once"]
    first = air.judge_days(hours, "2026", switches=air.Switches(round_station_daily=True))
    assert [first.rounded[0, PM25] // 1000, first.iaqi[0, PM25]] == case["stations_first"]


def test_a_district_is_judged_by_its_mean_not_by_station_indices() -> None:
    case = TRAPS["district_mean"]
    hours = station_values(case["stations"])
    days = air.judge_days(hours, "2026")
    assert Fraction(int(days.num[0, PM25]), int(days.den[0, PM25]) * 1000) == Fraction("179.9") / 3
    assert days.rounded[0, PM25] == case["rounded"] * 1000
    assert days.iaqi[0, PM25] == case["iaqi"]
    assert days.good[0]
    alone = [air.judge_days(hours[at : at + 1], "2026").iaqi[0, PM25] for at in range(3)]
    assert alone == case["station_iaqi"]


def test_the_area_day_is_the_mean_of_station_days_not_of_hours() -> None:
    hours = flat_hours(2)
    hours[0, ..., PM25] = 40_000
    hours[0, 0, 20:, PM25] = air.MISSING
    hours[1, ..., PM25] = 60_000
    assert air.judge_days(hours, "2026").value[0, PM25] == 50_000


def test_missing_pollutants() -> None:
    hours = flat_hours()
    hours[..., 1] = air.MISSING
    days = air.judge_days(hours, "2026")
    assert (days.aqi[0], days.level[0], days.primary[0].any()) == (-1, 0, False)
    assert days.iaqi[0].tolist() == [6, -1, 13, 40, 35, 25]
    assert not days.good[0]
    assert not days.polluted[0]
    hours[..., O3] = 175_000
    days = air.judge_days(hours, "2026")
    assert (days.aqi[0], days.level[0], days.polluted[0]) == (114, 3, True)
    assert air.judge_days(flat_hours(), "2026", plan_not_monitored=("CO",)).valid[0]
    assert air.DAY_REASONS[air.judge_days(np.full((1, 1, 24, 6), air.MISSING), "2026").reason[0]] == "no_data"


def test_not_monitored_values_are_ignored() -> None:
    hours = flat_hours(values=(*CLEAN[:2], 30_000, *CLEAN[3:]))
    assert air.judge_days(hours, "2026").aqi[0] == 250
    days = air.judge_days(hours, "2026", plan_not_monitored=("CO",))
    assert (days.aqi[0], days.iaqi[0, 2], days.missing[0, 2]) == (40, -1, False)
    with pytest.raises(ValueError, match="not a pollutant: NOx"):
        air.judge_days(hours, "2026", plan_not_monitored=("NOx",))


def test_the_date_chooses_the_edition() -> None:
    dates = [datetime.date(2026, 2, 27) + datetime.timedelta(days=at) for at in range(4)]
    hours = flat_hours(2, 4, (*CLEAN[:4], 130_000, 17_000))
    days = air.judge_days(hours, dates=dates)
    assert days.edition.tolist() == ["2012", "2012", "2026", "2026"]
    assert days.iaqi[:, PM10].tolist() == [90, 90, 104, 104]
    assert days.good.tolist() == [True, True, False, False]
    assert air.judge_days(hours, "2026", dates=dates).good.tolist() == [False] * 4
    assert air.judge_days(hours, ["2012"] * 3 + ["2026"]).good.tolist() == [True] * 3 + [False]
    whole = air.judge_days(hours, dates=dates)
    parts = air.stack([air.judge_days(hours[:, at : at + 1], dates=dates[at : at + 1]) for at in range(4)])
    again = air.unpack_days(json.loads(json.dumps([air.pack_day(whole, at) for at in range(4)])))
    for other in (parts, again, whole.take(slice(None))):
        for name in whole.__slots__:
            np.testing.assert_array_equal(getattr(whole, name), getattr(other, name))
            assert getattr(whole, name).dtype == getattr(other, name).dtype, name


def test_ozone_of_2012() -> None:
    hours = flat_hours(values=(*CLEAN[:3], 850_000, *CLEAN[4:]))
    assert air.judge_days(hours, "2026").aqi[0] == 300
    assert air.judge_days(hours, "2012").aqi[0] == 325, "above 800 the hour decides: 300 + 100 * 50 / 200"
    spike = flat_hours()
    spike[0, 0, 14, O3] = 300_000
    # The largest window is (7 * 80 + 300) / 8 = 107.5, to even 108: 50 + 50 * 8 / 60, rounded up.
    assert air.judge_days(spike, "2012").iaqi[0, O3] == 57
    seven = air.Switches(o3_daily_uses_1h=True)
    assert air.judge_days(spike, "2012", switches=seven).iaqi[0, O3] == 150
    assert air.judge_days(spike, "2026", switches=seven).iaqi[0, O3] == 57, "only before 2026-03-01"


def test_dust_is_taken_out_of_one_caliber_only() -> None:
    hours = flat_hours(1, 2, (*CLEAN[:4], 900_000, 300_000))
    days = air.judge_days(hours, "2026")
    other = air.without_dust(days, np.array([True, False]))
    assert other.aqi.tolist() == [40, 500]
    assert other.iaqi[0].tolist() == [6, 25, 13, 40, -1, -1]
    assert other.good.tolist() == [True, False]
    assert (other.rounded[0, [PM10, PM25]] == air.MISSING).all()
    assert days.aqi.tolist() == [500, 500], "the judged days are not changed"
    with pytest.raises(ValueError, match="1 dust marks for 2 days"):
        air.without_dust(days, np.array([True]))


def test_judging_refuses_what_it_cannot_judge() -> None:
    with pytest.raises(ValueError, match="negative"):
        air.judge_days(flat_hours(values=(-1, *CLEAN[1:])), "2026")
    with pytest.raises(ValueError, match="absurd"):
        air.judge_days(flat_hours(values=(10**15, *CLEAN[1:])), "2026")
    with pytest.raises(ValueError, match="int64 with 4 axes"):
        air.judge_days(flat_hours()[0], "2026")
    with pytest.raises(ValueError, match="int64"):
        air.judge_days(flat_hours().astype(float), "2026")
    with pytest.raises(ValueError, match="a day has 23 hours"):
        air.judge_days(flat_hours()[:, :, :23], "2026")
    with pytest.raises(ValueError, match="neither an edition nor dates"):
        air.judge_days(flat_hours())
    with pytest.raises(ValueError, match="2 dates for 1 days"):
        air.judge_days(flat_hours(), dates=[datetime.date(2026, 1, 1)] * 2)
    with pytest.raises(ValueError, match="empty"):
        air.judge_days(np.zeros((0, 1, 24, 6), np.int64), "2026")
    with pytest.raises(ValueError, match="registered"):
        air.judge_days(flat_hours(), "2026", registered=np.ones((2, 1), bool))


def test_hours_of_an_area() -> None:
    hours = flat_hours(2, 1, (820_000, 120_000, 2_000, 90_000, 70_000, 40_000))[:, 0, :1]
    said = air.judge_hours(hours, "2026")
    assert said.iaqi[0].tolist() == [200, 60, 20, 29, 65, 60]
    assert (said.aqi[0], said.level[0], said.primary[0].tolist()) == (200, 4, [True] + [False] * 5)
    old = air.judge_hours(hours, "2012")
    assert (old.iaqi[0, 0], old.aqi[0]) == (-1, 60), "above 800 SO2 has no hourly index in the edition of 2012"
    hours[1, 0, PM25] = 41_000
    assert air.judge_hours(hours, "2026").rounded[0, PM25] == 40_000, "40.5 to even"


def test_particles_can_slide_over_24_hours_before_2026() -> None:
    hours = flat_hours(1, 2)[:, :].reshape(1, 48, 6)
    hours[0, 24:, PM25] = 89_000
    sliding = air.Switches(pm_realtime="24h_sliding")
    said = air.judge_hours(hours, "2012", switches=sliding)
    assert said.iaqi[:19, PM25].tolist() == [-1] * 19, "fewer than 20 hours"
    for at, wanted in ((19, 17_000), (23, 17_000), (24, 20_000), (47, 89_000)):
        assert said.value[at, PM25] == wanted
    assert said.value[24, 1] == CLEAN[1], "gases stay hourly"
    assert air.judge_hours(hours, "2026", switches=sliding).value[24, PM25] == 89_000
    assert air.judge_hours(hours, "2012").value[24, PM25] == 89_000, "the practice is the default"


def test_screen() -> None:
    rows = np.array([CLEAN] * 5, np.int64)
    rows[0, 0] = air.MISSING
    rows[1, 1] = -1
    rows[2, 2] = 100_001
    rows[3, O3] = 1_200_001
    rows[4] = 0
    valid, reason = air.screen_hours(rows)
    named = [[air.REASONS[code] for code in row] for row in reason]
    assert named[0][0] == "missing"
    assert named[1][1] == "negative"
    assert named[2][2] == "unit"
    assert named[3][O3] == "hard_range"
    assert named[4] == ["ok"] * 6
    assert int((~valid).sum()) == 4
    edge = np.array([[2_620_000, 3_840_000, 100_000, 1_200_000, 10_000_000, 10_000_000]])
    assert air.screen_hours(edge)[0].all()
    with pytest.raises(ValueError, match="6 pollutants"):
        air.screen_hours(np.zeros((2, 5), np.int64))
    with pytest.raises(ValueError, match="low_negatives"):
        air.screen_hours(rows, low_negatives="keep")


def test_slightly_negative_values_can_be_substituted() -> None:
    rows = np.array([[-3_000, -4_000, -600, 0, -5_000, -6_000]])
    valid, reason = air.screen_hours(rows, low_negatives="substitute")
    assert valid.tolist() == [[True, False, True, True, True, False]]
    assert air.REASONS[reason[0, 1]] == "detection_limit"
    changed, where = air.substitute_low(rows)
    assert where.tolist() == valid.tolist()
    assert changed[0, [0, 2, 3, 4]].tolist() == [3_000, 300, 2_000, 2_000]


def test_comparison_with_limits_is_not_derived_from_the_index() -> None:
    hours = flat_hours(values=(60_000, 60_000, 500, 80_000, 110_000, 55_000))
    transition, final = air.judge_days(hours, "2026"), air.judge_days(hours, "2031")
    assert transition.aqi[0] == final.aqi[0] == 93
    assert not air.exceeding_days(transition).any()
    assert air.exceeding_days(final)[0].tolist() == [True, True, False, False, True, True]
    edge = air.judge_days(flat_hours(values=(*CLEAN[:5], 60_500)), "2026")
    assert not air.exceeding_days(edge)[0, PM25], "60.5 rounds to 60"
    first = air.Switches(grade=1)
    assert air.exceeding_days(edge, first)[0, PM25]
    hour = air.judge_hours(flat_hours(values=(501_000, *CLEAN[1:5], 900_000))[:, 0], "2026")
    assert air.exceeding_hours(hour)[0].tolist() == [True] + [False] * 5, "PM has no hourly limit"


def test_reference_and_code_name_the_same_things() -> None:
    assert air.POLLUTANTS == POLLUTANTS
    assert Decimal(text_of(CLEAN[2])) == Decimal("0.5")


def test_a_pollutant_outside_the_plan_may_block() -> None:
    hours = flat_hours(2, 3)
    hours[:, 2, :, O3] = 175_000
    for switches in (air.Switches(unmonitored_clean=False), air.Switches(incomplete="all_six")):
        days = air.judge_days(hours, "2026", switches=switches, plan_not_monitored=("CO",))
        above = switches.incomplete != "all_six"
        assert days.valid.tolist() == [False, False, above]
        assert not days.missing[:, 2].any(), "not planned is not missing"
        said = air.judge_hours(hours[:, 2], "2026", switches=switches, plan_not_monitored=("CO",))
        assert not said.valid.any(), "175 of an hour is IAQI 72"
        assert air.judge_days(hours, "2026", switches=switches).valid.all()
        dust = air.without_dust(days, np.array([True, False, False]), switches)
        assert dust.valid.tolist() == [False, False, above], "deducting dust does not make up for CO"


def test_deducted_dust_is_not_missing_when_all_six_are_needed() -> None:
    six = air.Switches(incomplete="all_six")
    days = air.judge_days(flat_hours(1, 1, (*CLEAN[:4], 900_000, 300_000)), "2026", switches=six)
    assert air.without_dust(days, np.array([True]), six).aqi.tolist() == [40]


def test_dust_over_a_change_of_edition_keeps_each_days_rules() -> None:
    dates = [datetime.date(2026, 2, 27) + datetime.timedelta(days=at) for at in range(4)]
    days = air.judge_days(flat_hours(2, 4, (*CLEAN[:4], 130_000, 17_000)), dates=dates)
    other = air.without_dust(days, np.array([False, True, True, False]))
    assert other.edition.tolist() == ["2012", "2012", "2026", "2026"]
    assert other.date.tolist() == dates
    assert other.aqi.tolist() == [90, 40, 40, 104]
