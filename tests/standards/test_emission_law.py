"""Edges that follow from the document by hand: budgets, gaps, water days, shares of time, the permit."""

from __future__ import annotations

import datetime
from fractions import Fraction

import numpy as np
import pytest

from standards.emission import gas, marks, rates, substitution, totals, water
from standards.emission.exact import constant, from_numbers, of, texts
from standards.emission.hours import (
    EXCEED,
    EXEMPT,
    NO_LIMIT,
    OK,
    REASONS,
    UNUSABLE,
    VERDICTS,
    Hours,
    contradicts,
    judge,
    measure,
    together,
)
from standards.emission.rules import minimum
from standards.fixed import MISSING

START, SHUTDOWN, FAULT, ACCIDENT = (marks.bits([name]) for name in ("START", "SHUTDOWN", "FAULT", "ACCIDENT"))


def label(text: str) -> int:
    """The hour that ends at a Beijing time."""
    return int(np.datetime64(text, "h").astype(np.int64))


def run(first: str, *marked: int) -> tuple[np.ndarray, np.ndarray]:
    return label(first) + np.arange(len(marked)), np.array(marked, dtype=np.int64)


def test_a_start_of_a_power_boiler_exempts_its_first_four_hours_of_nox() -> None:
    hours, marked = run("2026-11-22T03", 0, *[START] * 6, 0, START)
    found = marks.within_budget("power", "NOx", hours, marked)
    assert found.tolist() == [False] + [True] * 4 + [False] * 3 + [True]
    assert not marks.within_budget("power", "SO2", hours, marked).any()
    assert not marks.within_budget(None, "NOx", hours, marked).any()
    extended = {"extended": np.arange(9) < 7}
    assert marks.within_budget("power", "NOx", hours, marked, variants=extended).tolist() == [False] + [True] * 6 + [
        False, True,
    ]  # fmt: skip


def test_an_event_ends_with_a_missing_hour_and_with_another_mark() -> None:
    hours, marked = run("2026-11-22T01", *[SHUTDOWN] * 3)
    assert marks.within_budget("power", "NOx", hours, marked).tolist() == [True, False, False]
    assert marks.within_budget("power", "NOx", np.append(hours[:2], hours[2] + 1), marked).tolist() == [
        True,
        False,
        True,
    ]
    hours, marked = run("2026-11-22T01", SHUTDOWN, START, SHUTDOWN)
    assert marks.within_budget("power", "NOx", hours, marked).all()


def test_hot_and_cold_starts_of_a_kiln() -> None:
    hours, marked = run("2026-11-22T01", *[START] * 40)
    cold = marks.within_budget("cement_kiln", "SO2", hours, marked)
    hot = marks.within_budget("cement_kiln", "SO2", hours, marked, variants={"hot": np.ones(40, np.bool_)})
    assert (cold.sum(), hot.sum()) == (36, 8)
    assert cold[:36].all() and hot[:8].all()
    assert not marks.within_budget("cement_kiln", "PM", hours, marked).any()


def test_the_yearly_pool_of_an_incinerator_is_shared_and_begins_anew() -> None:
    hours, marked = run("2026-03-01T01", *[START, SHUTDOWN] * 29, *[0] * 10, *[ACCIDENT] * 5)
    found = marks.within_budget("incinerator", "NOx", hours, marked)
    assert np.flatnonzero(found).tolist() == [*range(58), 68, 69]  # 60 hours in all
    hours, marked = run("2026-12-29T13", *[START] * 62)  # the 60th ends at 00:00 of 1 January: still the old year
    assert hours[59] == label("2027-01-01T00")
    assert marks.within_budget("incinerator", "NOx", hours, marked).all()
    hours, marked = run("2026-12-29T12", *[START] * 62)
    assert np.flatnonzero(~marks.within_budget("incinerator", "NOx", hours, marked)).tolist() == [60]


def test_each_fault_of_an_incinerator_has_four_hours() -> None:
    hours, marked = run("2026-03-01T01", *[FAULT] * 5, 0, *[FAULT] * 4)
    assert np.flatnonzero(~marks.within_budget("incinerator", "PM", hours, marked)).tolist() == [4, 5]


def test_hours_above_the_cap_are_not_exempt_and_not_counted() -> None:
    cap = marks.cap_of("incinerator", "PM")
    assert cap is not None and cap.integer("limit") == 150
    assert marks.cap_of("power", "PM") is None
    hours, marked = run("2026-03-01T01", *[START] * 62)
    capped = np.arange(62) == 10
    found = marks.within_budget("incinerator", "NOx", hours, marked, capped=capped)
    assert np.flatnonzero(~found).tolist() == [10, 61]


def test_hours_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="increase"):
        marks.within_budget("power", "NOx", np.array([2, 1]), np.array([0, 0]))


def one_hour(avg: str = "50", zs: str | None = None, oxygen: str | None = "8.7", places: int = 2) -> Hours:
    def number(text: str | None) -> object:
        return of(np.array([MISSING if text is None else int(Fraction(text) * 10**places)]), places)

    parts = (number(avg), number(zs), number(oxygen))
    return Hours(*parts, np.zeros(1, np.uint8), np.array([MISSING]), np.zeros(1, np.int64))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zs", "differs"),
    [
        # 50 · 15 / 12.3 = 60.9756: 5 % are 57.927 and 64.024; half a hundredth of avg, o2 and zs is let pass
        ("60.98", False), ("57.93", False), ("57.80", True), ("64.02", False), ("64.20", True),
    ],
)  # fmt: skip
def test_the_device_s_conversion_is_checked_and_used(zs: str, differs: bool) -> None:
    found = measure(one_hour(zs=zs), constant(6))
    assert bool(found.zs_differs[0]) is differs
    assert found.value.fractions() == [Fraction(zs)]


def test_the_check_works_without_oxygen_in_the_flue() -> None:
    # 50 · 15 / 21 = 35.71; half a hundredth below 0 % is no reason to give up
    found = [bool(measure(one_hour(zs=zs, oxygen="0"), constant(6)).zs_differs[0]) for zs in ("35.7", "33.8", "37.6")]
    assert found == [False, True, True]


def test_the_largest_numbers_of_64_bits_do_not_wrap_around() -> None:
    least = of(np.array([-(2**63) + 1]), 17)
    assert gas.converted(constant(1), least, constant(6)).fractions() == [15 / (21 + Fraction(2**63 - 1, 10**17))]


def test_rounding_of_small_numbers_is_no_contradiction() -> None:
    # 0.14 was sent as 0.1 and its conversion 0.17 as 0.2
    assert not measure(one_hour("0.1", "0.2", places=1), constant(6)).zs_differs[0]
    assert measure(one_hour("0.10", "0.20", places=2), constant(6)).zs_differs[0]


@pytest.mark.parametrize(
    ("hour", "reason"),
    [
        (one_hour("-0.1"), "negative"),
        (one_hour(zs="-0.1"), "negative"),
        (one_hour(oxygen="-1"), "no_oxygen"),
        (one_hour(oxygen=None), "no_oxygen"),
        (one_hour(oxygen="20"), "oxygen_ceiling"),
        (one_hour(oxygen="20", zs="40"), "oxygen_ceiling"),
        (one_hour(oxygen="21"), "oxygen_ceiling"),
        (one_hour(oxygen="25"), "oxygen_ceiling"),
        (one_hour(oxygen="19.99"), ""),
        (one_hour(oxygen=None, zs="40"), ""),
    ],
)
def test_why_an_hour_is_not_judged(hour: Hours, reason: str) -> None:
    found = measure(hour, constant(6))
    assert REASONS[found.reason[0]] == reason
    verdict = VERDICTS[judge(found, constant(10**6))[0]]
    assert verdict == ("INVALID" if reason else "OK")


def test_a_missing_mean_is_no_zero() -> None:
    hour = one_hour()
    empty = Hours(of(np.array([MISSING])), hour.zs, hour.oxygen, hour.use, hour.minutes, hour.marked)
    for reference in (constant(6), constant(None)):
        assert REASONS[measure(empty, reference).reason[0]] == "no_value"


def test_the_ceiling_can_be_set_up_to_air() -> None:
    assert measure(one_hour(oxygen="20.5"), constant(16), ceiling=Fraction("20.9")).reason[0] == 0
    with pytest.raises(ValueError, match="ceiling"):
        measure(one_hour(), constant(16), ceiling=Fraction(22))
    for reference in (21, -1):
        with pytest.raises(ValueError, match="reference"):
            measure(one_hour(), constant(reference))


def test_without_reference_oxygen_the_measured_value_counts() -> None:
    found = measure(one_hour(zs="61.00", oxygen="20.9"), constant(None))
    assert found.value.fractions() == [50]
    assert judge(found, constant(50)).tolist() == [OK]


def test_ranges_and_missing_limits() -> None:
    hours = Hours(
        from_numbers([Fraction(each) for each in ("5.99", "6", "7", "9", "9.01")]), constant(None), constant(None),
        np.zeros(5, np.uint8), np.full(5, MISSING), np.zeros(5, np.int64),
    )  # fmt: skip
    ph = measure(hours, constant(None))
    assert judge(ph, constant(9), least=constant(6)).tolist() == [EXCEED, OK, OK, OK, EXCEED]
    assert judge(ph, constant(None), least=constant(6)).tolist() == [EXCEED, OK, OK, OK, OK]
    assert judge(ph, constant(None)).tolist() == [NO_LIMIT] * 5


def test_several_binding_limits() -> None:
    codes = [np.array(each, np.uint8) for each in ([OK, OK, NO_LIMIT, UNUSABLE], [OK, EXCEED, NO_LIMIT, UNUSABLE])]
    assert together(*codes).tolist() == [OK, EXCEED, NO_LIMIT, UNUSABLE]
    assert together(np.array([OK], np.uint8), np.array([EXEMPT], np.uint8)).tolist() == [EXEMPT]


def test_an_hour_against_its_minutes() -> None:
    sent, own = of(np.array([500, 530, 470, MISSING]), 1), from_numbers([50, 50, 50, 50])
    assert contradicts(sent, own, Fraction(5)).tolist() == [False, True, True, False]


def test_means_need_enough() -> None:
    assert [minimum(f"min_{what}") for what in ("samples_minute", "minutes_hour", "hours_day")] == [12, 45, 20]
    values = from_numbers([10] * 30 + [40] * 30)
    valid = np.arange(60) < 45
    assert gas.mean(values, valid, 45).fractions() == [20]
    assert gas.mean(values, np.arange(60) < 44, 45).fractions() == [None]
    assert gas.mean(values, np.zeros(60, np.bool_), 0).fractions() == [None]


@pytest.mark.parametrize(
    ("rate", "days"),
    [
        ("0.95", 180), ("0.9", 180), ("0.8999", 2160), ("0.8", 2160), ("0.75", 2160), ("0.7499", None),
    ],
)  # fmt: skip
def test_levels_of_the_capture_rate(rate: str, days: int | None) -> None:
    assert substitution.look_back(Fraction(rate), 24) == days
    assert substitution.look_back(Fraction(rate), 25) == (720 if days == 180 else days)


def test_the_capture_rate_at_its_edges() -> None:
    assert substitution.capture_rate(2160, 216, 0) == Fraction(9, 10)
    assert substitution.look_back(Fraction(1943, 2160), 1) == 2160  # one invalid hour more
    assert substitution.capture_rate(2208, 552, 0) == Fraction(3, 4)
    with pytest.raises(ValueError, match="not a quarter"):
        substitution.capture_rate(100, 60, 50)


def test_standstill_is_zero_ends_a_gap_and_is_no_history() -> None:
    amounts = np.array([7, 9, MISSING, MISSING, 5, MISSING, MISSING, 4], dtype=np.int64)
    still = np.array([0, 1, 0, 1, 0, 0, 0, 0], dtype=np.bool_)
    found = substitution.fill(amounts, still, Fraction(1))
    assert found.amounts.tolist() == [7, 0, 7, 0, 5, 7, 7, 4]
    assert found.rule.tolist() == [0, 0, 180, 0, 0, 180, 180, 0]
    assert found.totals() == (37, 16, 0)


def test_a_gap_that_began_before_the_quarter_is_measured_whole() -> None:
    amounts = np.concatenate([[99], np.full(200, 3), np.full(25, MISSING)]).astype(np.int64)
    still = np.zeros(len(amounts), np.bool_)
    found = substitution.fill(amounts, still, Fraction(1), start=len(amounts) - 5)
    assert (found.amounts.tolist(), found.rule.tolist()) == ([99] * 5, [720] * 5)
    assert substitution.fill(amounts[:-1], still[:-1], Fraction(1)).rule[-1] == 180


def test_out_of_control_looks_back_from_the_last_calibration() -> None:
    amounts = np.array([3, 4, 50, 60, MISSING], dtype=np.int64)
    until = np.full(5, 2)
    still = np.zeros(5, np.bool_)
    assert substitution.fill(amounts, still, Fraction(1), until=until).amounts[-1] == 4
    assert substitution.fill(amounts, still, Fraction(1)).amounts[-1] == 60


def test_nothing_to_look_back_on() -> None:
    found = substitution.fill(np.array([MISSING, 3]), np.zeros(2, np.bool_), Fraction(1))
    assert (found.amounts.tolist(), found.rule.tolist()) == ([MISSING, 3], [substitution.NO_HISTORY, 0])
    assert substitution.fill(np.array([MISSING]), np.zeros(1, np.bool_), None).rule.tolist() == [substitution.FAILED]


def test_water_days_by_what_was_due() -> None:
    def day(values: list[int | None], volumes: list[int | None]) -> water.WaterDays:
        return water.days(from_numbers(values)[None, :], from_numbers(volumes)[None, :], len(values))

    three_of_four = day([10, 20, 30, None], [1, 1, 1, 1])
    assert three_of_four.valid[0] and three_of_four.mean.fractions() == [20]
    assert three_of_four.mass_ug().tolist() == [80 * 10**6]  # the mean stands for the water of the missing value
    half = day([10, 20, None, None], [1, 1, 1, 1])
    assert not half.valid[0] and half.mean.fractions() == [None] and half.mass_ug().tolist() == [MISSING]
    # the same two values are enough where no water flowed in the other periods
    assert day([10, 20, None, None], [1, 1, 0, 0]).valid[0]
    dry = day([10, 20], [0, 0])
    assert not dry.discharged[0] and not dry.valid[0] and dry.mass_ug().tolist() == [0]
    # negative values are no data, an unknown volume is not a volume of 0
    assert day([10, -1, 30, 20], [1, 1, 1, 1]).count.tolist() == [3]
    assert day([10, 20], [1, None]).due.tolist() == [2]
    assert day([10, 20], [1, -5]).due.tolist() == [2]


def test_months_need_three_quarters_of_their_days() -> None:
    def month(valid: int) -> water.WaterDays:
        values = from_numbers([10] * valid + [None] * (30 - valid))[:, None]
        found = water.days(values, from_numbers([2] * 30)[:, None], 1)
        return water.months(found, 30)

    assert month(23).valid.tolist() == [True] and month(23).mean.fractions() == [10]
    assert month(22).valid.tolist() == [False]


def test_ammonia_limit_by_temperature() -> None:
    warm, cold = constant(5), from_numbers([8, 8, 8, 8, None])
    temperature = from_numbers([12, Fraction("12.01"), -1, None, 3])
    assert water.limit_at(warm, cold, temperature).fractions() == [8, 5, 8, 5, 5]
    assert water.limit_at(warm, constant(8), from_numbers([13, 14])).fractions() == [5, 5]
    assert water.day_temperature(from_numbers([11, 13, None])).fractions() == [12]


def test_manual_samples() -> None:
    assert water.manual_samples_suffice([Fraction(each) for each in (2, 8, 14, 20)])
    assert not water.manual_samples_suffice([Fraction(each) for each in (2, 8, 14)])
    assert not water.manual_samples_suffice([Fraction(each) for each in (2, 8, 14, Fraction("20.1"))])


def test_days_without_values_take_the_largest_since_the_calibration() -> None:
    days = np.array([9, 5, MISSING, 7, MISSING], dtype=np.int64)
    assert water.fill_days(days).tolist() == [9, 5, 9, 7, 9]
    assert water.fill_days(days, np.array([0, 0, 1, 1, 1])).tolist() == [9, 5, 5, 7, 7]
    assert water.fill_days(np.array([MISSING, 3])).tolist() == [MISSING, 3]


def test_transmission_of_nothing_and_of_too_much() -> None:
    assert rates.transmission(720, 720, 0, 0) is None
    silent = rates.transmission(720, 0, 0, 0)
    assert silent is not None and silent.effective is None and not silent.meets
    for case in ((720, 0, 721, 0), (720, 0, 10, 11), (720, 700, 21, 0), (720, -1, 0, 0)):
        with pytest.raises(ValueError, match="not a month"):
            rates.transmission(*case)
    at_edge = rates.transmission(720, 0, 720, 648)
    assert at_edge is not None and at_edge.meets and not at_edge.meets_goal
    below = rates.transmission(720, 0, 720, 647)
    assert below is not None and not below.meets


def test_the_ultra_low_month_counts_exempt_hours_as_valid() -> None:
    verdicts = np.array([OK] * 683 + [EXEMPT] + [EXCEED] * 36 + [UNUSABLE] * 24, np.uint8)
    found = rates.ultra_low_of(verdicts)
    assert (found.valid, found.over, found.passes) == (720, 36, True)
    assert rates.ultra_low(0, 0).passes is None
    with pytest.raises(ValueError, match="not a month"):
        rates.ultra_low(10, 11)


def test_online_minutes() -> None:
    # one packet each minute, silent from minute 10 on: three minutes later it is off-line
    packets = np.arange(0, 601, 60)
    assert rates.online_minutes(packets, 60, 0, 1200) == (13, 20)
    assert rates.online_minutes(np.array([], dtype=np.int64), 60, 0, 600) == (0, 10)
    assert rates.online_minutes(np.array([-120, 3000]), 60, 0, 600) == (1, 10)


def test_the_permit() -> None:
    start = datetime.date(2026, 9, 1)
    used_up = totals.project(Fraction(100), Fraction(100), Fraction(1), start)
    assert (used_up.exceeds_on, used_up.already, used_up.level) == (start, False, "red")
    over = totals.project(Fraction(100), Fraction("100.001"), Fraction(1), start)
    assert (over.exceeds_on, over.already, over.this_year, over.level) == (None, True, True, "red")
    assert totals.project(Fraction(100), Fraction(90), Fraction(0), start).level == "orange"
    assert totals.project(Fraction(100), Fraction("89.99"), Fraction(0), start).level == "yellow"
    calm = totals.project(Fraction(100), Fraction(50), Fraction(0), start)
    assert (calm.level, calm.used, calm.of_year) == ("", Fraction(1, 2), Fraction(243, 365))
    assert calm.pace == Fraction(1, 2) / Fraction(243, 365)
    assert totals.project(Fraction(100), Fraction(0), Fraction(1, 10**9), start).exceeds_on is None  # after all dates
    assert totals.project(Fraction(100), Fraction(0), Fraction(0), datetime.date(2026, 1, 1)).pace is None
    with pytest.raises(ValueError, match="permit"):
        totals.project(Fraction(0), Fraction(0), Fraction(0), start)


def test_mean_of_the_last_days() -> None:
    days = [10**12] * 40 + [2 * 10**12] * 20
    assert totals.mean_per_day(days) == Fraction(5, 3)
    assert totals.mean_per_day(days, short=True) == 2
    assert totals.mean_per_day(days[:3]) == 1
    assert totals.mean_per_day([]) is None


def test_negative_and_absurd_flows_have_no_mass() -> None:
    c, flow = from_numbers([50, 50, -50, -50, 10**9, None]), from_numbers([10, -10, 10, -10, 10**9, 1])
    assert gas.mass_ug(c, flow).tolist() == [1_800_000_000, *[MISSING] * 5]
    assert water.mass_ug(c, flow).tolist() == [500_000_000, *[MISSING] * 5]
    assert texts(from_numbers([10**30, None, Fraction(1, 3)]), 1) == [f"{10**30}.0", None, "0.3"]


def test_states_that_cannot_be() -> None:
    for moisture in (Fraction(8), Fraction(1), Fraction(-1, 10)):
        with pytest.raises(ValueError, match="moisture"):
            gas.to_dry(Fraction(1), moisture)
    for state in ((-273, 93000, 0), (20, 100, -100)):
        with pytest.raises(ValueError, match="no state"):
            gas.to_standard(Fraction(1), *map(Fraction, state))
    with pytest.raises(LookupError):
        gas.from_ppm(Fraction(1), "HF")
