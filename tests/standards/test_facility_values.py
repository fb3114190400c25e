"""Rules on windows, days and months, just below and just above each of their numbers (emission.md §5).

The truths are counted by hand or computed with ``statistics`` and ``Fraction``, which share no code with the rules.
"""

from __future__ import annotations

import datetime
import itertools
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from standards.facility.engine import Suspicion
from standards.facility.inputs import Drift, Events, Manual, Series
from tests.standards.test_facility_worlds import DAY, HOUR, T0, flags, line, look, of, periods, series, track

LENGTH = 400
AT = 200
ON = "500"


def goes_on(found: list[Suspicion]) -> bool:
    """Whether the last slot is one of a suspicion."""
    return any(each.end is None for each in found)


# ---- R5: steps of oxygen


def step_world(to: str = "11.001", over: int = 5, load: str = ON) -> Any:
    """O2 goes from 8 to ``to`` over so many minutes, in equal parts of the way (rounded)."""
    rise = [Fraction("8") + (Fraction(to) - 8) * n / over for n in range(1, over)]
    o2 = ["8"] * AT + [f"{float(each):.3f}" for each in rise] + [to] * (LENGTH - AT - over + 1)
    production = line(LENGTH, ON, (AT, LENGTH, load))
    return series(1, {"O2": o2, "production": production})


@pytest.mark.parametrize(
    ("to", "over", "load", "suspected"),
    [
        ("11.001", 5, ON, True), ("11", 5, ON, False), ("4.999", 5, ON, True), ("5", 5, ON, False),
        ("11.4", 6, ON, False),  # 3.4 over 6 minutes: 2.83 in any 5
        ("12", 1, "600", True), ("12", 1, "600.001", False), ("12", 1, "400", True), ("12", 1, "399.999", False),
    ],
)  # fmt: skip
def test_a_step_of_oxygen(to: str, over: int, load: str, suspected: bool) -> None:
    assert bool(of(look(step_world(to, over, load)), "R5.step")) is suspected


def test_a_step_lasts_as_long_as_its_window_and_needs_production() -> None:
    assert periods(of(look(step_world("12", 1)), "R5.step")) == [(AT, AT + 5)]
    for level, suspected in (("200.001", True), ("200", False)):
        made = series(1, {"O2": line(LENGTH, "8", (AT, LENGTH, "12")), "production": line(LENGTH, level)})
        assert bool(of(look(made), "R5.step")) is suspected
    # a longer window sees a slower rise
    assert of(look(step_world("11.4", 6), changes={"R5.step": {"within_min": 6}}), "R5.step")


# ---- R6: correlation


def mirror(r_pair: tuple[float, float], hours: int = 24, known: int = 24) -> tuple[Any, float]:
    """O2 and CO2 of a day with noise of two sizes; and the r that ``statistics`` finds for what is known."""
    rng = np.random.default_rng(4)
    o2 = 6.5 + r_pair[0] * rng.standard_normal(hours)
    co2 = 13.0 - 0.9 * (o2 - 6.5) + r_pair[1] * rng.standard_normal(hours)
    a = [f"{each:.2f}" for each in o2]
    b: list[Any] = [f"{each:.2f}" for each in co2]
    r = statistics.correlation([float(each) for each in a[-known:]], [float(each) for each in b[-known:]])
    b[: hours - known] = [None] * (hours - known)
    return series(60, {"O2": a, "CO2": b}), r


def test_oxygen_and_carbon_dioxide_mirror_each_other() -> None:
    seen = set()
    for noise in np.linspace(0.0, 1.2, 25):
        made, r = mirror((0.5, float(noise)))
        assert goes_on(of(look(None, made), "R6.correlation")) is (r > -0.8), r
        seen.add(r > -0.8)
        if r > -0.8:
            limit = Fraction(r).limit_denominator(10**6)
            for shift, suspected in ((Fraction(-1, 10**5), True), (Fraction(1, 10**5), False)):
                found = look(None, made, changes={"R6.correlation": {"above": limit + shift}})
                assert goes_on(of(found, "R6.correlation")) is suspected
    assert seen == {True, False}


def test_the_limit_of_the_correlation_is_minus_four_fifths() -> None:
    """Twenty hours that mirror each other and four that go along: r from below to above, computed for each height."""
    near = []
    for height in range(1, 400):
        o2 = [f"{6 + n % 5}" for n in range(20)] + ["6", "7", "9", "10"]
        co2 = [f"{16 - n % 5}" for n in range(20)] + [f"{each + height / 40:.3f}" for each in (16, 15, 13, 12)]
        r = statistics.correlation([float(each) for each in o2], [float(each) for each in co2])
        assert goes_on(of(look(None, series(60, {"O2": o2, "CO2": co2})), "R6.correlation")) is (r > -0.8)
        near.append(r)
    assert any(-0.803 < r < -0.8 for r in near)
    assert any(-0.8 < r < -0.797 for r in near)


def test_the_day_of_a_correlation() -> None:
    for known, suspected in ((18, True), (17, False)):
        made, r = mirror((0.5, 3.0), known=known)
        assert r > -0.8
        assert bool(of(look(None, made), "R6.correlation")) is suspected
    # it begins with its window, and is told when the day is over
    found = of(look(None, mirror((0.5, 3.0))[0]), "R6.correlation")
    assert found[-1].end is None
    assert found[0].held_from - found[0].begin == 23 * HOUR


@pytest.mark.parametrize(("high", "suspected"), [("8.501", True), ("8.5", False)])
def test_oxygen_must_have_moved(high: str, suspected: bool) -> None:
    """Range of O2 above 0.5 points; CO2 goes along with it, r = 1."""
    o2 = ["8.0", high] * 12
    co2 = ["9.0", "9.3"] * 12
    assert bool(of(look(None, series(60, {"O2": o2, "CO2": co2})), "R6.correlation")) is suspected


def test_a_shorter_window_of_correlation() -> None:
    made, _ = mirror((0.5, 3.0), hours=12)
    assert not of(look(None, made), "R6.correlation")
    assert of(look(None, made, changes={"R6": {"window_h": 12, "least_h": 12}}), "R6.correlation")


def test_the_line_needs_the_fuel_of_the_process_or_a_number() -> None:
    made = series(60, {"O2": line(24, "8.36"), "CO2": line(24, "7")})
    found = look(None, made, process="coke_stack")
    assert not of(found, "R6.line")
    assert [each.code for each in found.inapplicable if each.check == "R6.line"] == ["process"]
    # 20 · 0.6 = 12, 20 % off: below 9.6
    for value, suspected in (("9.599", True), ("9.6", False)):
        made = series(60, {"O2": line(24, "8.36"), "CO2": line(24, value)})
        more = {"R6.line": {"co2_max_pct": 20}}
        assert bool(of(look(None, made, process="coke_stack", changes=more), "R6.line")) is suspected
        # with air at 21: 20 · 12.64 / 21 = 12.038, so 9.6 is more than 20 % off
        more = {"R6.line": {"co2_max_pct": 20, "air_o2_pct": 21}}
        assert of(look(None, made, process="coke_stack", changes=more), "R6.line")


# ---- R9: constant values


def constant_world(
    run: int, *, value: object = "12.3", low: str = "400", high: str = "500",
    unknown: list[tuple[int, int]] | None = None, cadence: int = 1,
) -> Any:  # fmt: skip
    """SO2 alternates, then repeats ``value`` for so many minutes; production swings between two levels."""
    so2 = (
        [("12.3", "12.4")[n // cadence % 2] for n in range(AT)]
        + [value] * run
        + [("14.1", "14.3")[n % 2] for n in range(LENGTH - AT - run)]
    )
    for begin, end in unknown or []:
        so2[begin:end] = [None] * (end - begin)
    so2[AT - 1] = "13"
    production = [(low, high)[n // 10 % 2] for n in range(LENGTH)]
    return series(1, {"SO2": track("SO2", so2, cadence=cadence), "production": production})


@pytest.mark.parametrize(
    ("world", "suspected"),
    [
        ({"run": 60}, True), ({"run": 59}, False),
        ({"run": 60, "low": "450"}, False), ({"run": 60, "low": "449.999"}, True),  # 10 % of 500
        ({"run": 60, "value": "4"}, True), ({"run": 60, "value": "3.999"}, False),  # 2 · detection limit 2
        ({"run": 60, "unknown": [(AT + 5, AT + 35)]}, True),  # 30 samples
        ({"run": 60, "unknown": [(AT + 5, AT + 36)]}, False),
        ({"run": 60, "unknown": [(AT, AT + 5)]}, True), ({"run": 60, "unknown": [(AT, AT + 6)]}, False),
        ({"run": 120, "cadence": 2}, True),
        ({"run": 120, "cadence": 3}, False),  # 20 samples in any 60 minutes
    ],
)  # fmt: skip
def test_constant_realtime_values(world: dict[str, Any], suspected: bool) -> None:
    found = of(look(constant_world(**world)), "R9.minutes", "SO2")
    assert bool(found) is suspected
    if found:
        assert found[0].begin == T0 + AT  # it begins with the run, not with its hour
        assert found[0].end == T0 + AT + world["run"]


def test_the_window_of_constant_values_can_be_set() -> None:
    assert of(look(constant_world(45), changes={"R9": {"window_min": 45}}), "R9.minutes")
    assert not of(look(constant_world(44), changes={"R9": {"window_min": 45}}), "R9.minutes")
    assert not of(look(constant_world(60), changes={"R9": {"least_samples": 61}}), "R9.minutes")


def hour_world(run: int, *, value: str = "12.3", ends: tuple[str, str] | None = None, high: str = "560") -> Any:
    so2 = [f"{12 + n % 7}" for n in range(48)]
    so2[20 : 20 + run] = [value] * run
    tracks: dict[str, Any] = {"SO2": so2, "production": [("500", high)[n % 2] for n in range(48)]}
    if ends:
        tracks["production-Min"], tracks["production-Max"] = ([each] * 48 for each in ends)
    return series(60, tracks)


@pytest.mark.parametrize(
    ("run", "more", "suspected"),
    [
        (4, {}, True), (3, {}, False),
        (4, {"high": "555.556"}, True), (4, {"high": "555.555"}, False),  # 500 is 90 % of 555.5556
        (4, {"high": "500", "ends": ("450", "500")}, False),
        (4, {"high": "500", "ends": ("449.999", "500")}, True),  # within the hours it moved
        (4, {"high": "500", "ends": ("490", "544.45")}, True), (4, {"high": "500", "ends": ("490", "544.444")}, False),
        (4, {"value": "4"}, True), (4, {"value": "3.999"}, False),
    ],
)  # fmt: skip
def test_constant_hourly_means(run: int, more: dict[str, Any], suspected: bool) -> None:
    found = of(look(None, hour_world(run, **more)), "R9.hours", "SO2")
    assert bool(found) is suspected
    if found:
        assert periods(found) == [(20 * HOUR, (20 + run) * HOUR)]


def test_an_hour_that_has_not_come_yet_leaves_it_open() -> None:
    for missing, goes in ((1, True), (2, False)):
        so2 = [f"{12 + n % 7}" for n in range(20)] + ["12.3"] * 5 + [None] * missing
        production = [("500", "560")[n % 2] for n in range(25 + missing)]
        found = of(look(None, series(60, {"SO2": so2, "production": production})), "R9.hours")
        assert goes_on(found) is goes
        assert len(found) == 1


def test_the_window_of_hourly_means_can_be_set() -> None:
    for run, suspected in ((6, True), (5, False)):
        found = look(None, hour_world(run), changes={"R9.hours": {"window_h": 6}})
        assert bool(of(found, "R9.hours")) is suspected


def spread_world(amplitude: str, *, base: str = "20", length: int = DAY) -> Any:
    values = [float(Fraction(base) + (-1) ** n * Fraction(amplitude)) for n in range(length)]
    return series(1, {"SO2": [f"{each:.3f}" for each in values]}), values


@pytest.mark.parametrize(("amplitude", "suspected"), [("0.099", True), ("0.101", False)])
def test_hardly_any_variation(amplitude: str, suspected: bool) -> None:
    """0.5 % of 20 is 0.1; of values that alternate, the standard deviation is the amplitude · √(n / (n - 1))."""
    made, values = spread_world(amplitude)
    assert (statistics.stdev(values) / statistics.mean(values) < 0.005) is suspected
    assert bool(of(look(made), "R9.spread", "SO2")) is suspected


def test_the_day_of_variation() -> None:
    made, _ = spread_world("0.01", length=720)
    assert of(look(made), "R9.spread")  # 720 known minutes
    assert not of(look(spread_world("0.01", length=660)[0]), "R9.spread")
    one_less = series(1, {"SO2": line(720, "20", (0, 1, None))})
    assert not of(look(one_less), "R9.spread")
    # an hour of 30 before: 24 hours later it has left the window, not a minute before
    burst = series(1, {"SO2": line(30 * HOUR, "20", (0, HOUR, "30"))})
    (found,) = of(look(burst), "R9.spread")
    assert found.held_from == T0 + 24 * HOUR
    assert not of(look(made, changes={"R9.spread": {"least_min": 721}}), "R9.spread")
    assert not of(look(made, changes={"R9.spread": {"window_h": 11, "least_min": 661}}), "R9.spread")
    for base, suspected in (("4", True), ("3.998", False)):  # 2 · detection limit
        assert bool(of(look(spread_world("0.001", base=base)[0]), "R9.spread")) is suspected
    calm = spread_world("0.01", length=DAY)[0]
    still = Series(T0, calm.tracks, 1, standstill=flags(DAY, (0, DAY - 700)))
    assert not of(look(still), "R9.spread")


# ---- R10: flat top


def top_world(
    near: int, *, of_hours: int = 168, top: str = "34.9", least: str = "33.25", converted: bool = False
) -> Any:
    values: list[Any] = [None] * (168 - of_hours) + ["20"] * of_hours
    values[168 - near :] = [(least, top)[n % 2] for n in range(near)]
    tracks: dict[str, Any] = {"SO2-Zs" if converted else "SO2": values}
    if converted:
        tracks["SO2"] = ["12"] * 168
    return series(60, tracks)


@pytest.mark.parametrize(
    ("near", "more", "suspected"),
    [
        (51, {}, True), (50, {}, False),  # 30 % of 168 is 50.4
        (36, {"of_hours": 120}, True), (35, {"of_hours": 120}, False), (36, {"of_hours": 119}, False),
        (60, {"least": "33.25"}, True), (60, {"least": "33.249"}, False),  # 0.95 of 35; half of 60 is less than 50.4
        (60, {"top": "34.999"}, True), (60, {"top": "35"}, False),
        (60, {"converted": True}, True),
    ],
)  # fmt: skip
def test_values_clipped_under_the_limit(near: int, more: dict[str, Any], suspected: bool) -> None:
    found = of(look(None, top_world(near, **more)), "R10.top", "SO2")
    assert bool(found) is suspected
    if found:
        assert periods(found) == [(0, None)]


def test_the_week_of_the_flat_top() -> None:
    made = top_world(51)
    assert not of(look(None, made, end=T0 + 7 * DAY - 1), "R10.top")  # the seventh day must be over
    made = top_world(48)
    assert not of(look(None, made), "R10.top")
    assert of(look(None, made, changes={"R10.top": {"window_days": 5}}), "R10.top")
    made = top_world(60)
    assert not of(look(None, made, changes={"R10.top": {"share_pct": 36}}), "R10.top")
    assert of(look(None, made, limits={"NOx": Fraction(50)}), "R10.top") == []
    codes = [each.code for each in look(None, made, limits={}).inapplicable if each.check == "R10.top"]
    assert codes == ["limit"]


# ---- R11: calibrations


def calibration_world(
    after: str, *, before: str = "20", length: int = 12, load: str = ON, known: int = 60
) -> Any:  # fmt: skip
    so2: list[Any] = [before] * AT + ["250"] * length + [after] * (LENGTH - AT - length)
    so2[AT + length : AT + length + 60 - known] = [None] * (60 - known)
    production = line(LENGTH, ON, (AT + length, LENGTH, load))
    return series(1, {"SO2": so2, "production": production}, calibrating=flags(LENGTH, (AT, AT + length)))


@pytest.mark.parametrize(
    ("after", "more", "suspected"),
    [
        ("9.999", {}, True), ("10", {}, False),
        ("9", {"load": "600"}, True), ("9", {"load": "600.001"}, False), ("9", {"load": "399.999"}, False),
        ("9", {"known": 30}, True), ("9", {"known": 29}, False),
        ("9", {"length": 120}, True), ("9", {"length": 121}, False),
        ("1", {"before": "4"}, True), ("1", {"before": "3.999"}, False),  # 2 · detection limit
    ],
)  # fmt: skip
def test_a_drop_after_a_calibration(after: str, more: dict[str, Any], suspected: bool) -> None:
    found = of(look(calibration_world(after, **more)), "R11.drop", "SO2")
    assert bool(found) is suspected
    if found:
        end = AT + more.get("length", 12) + 60
        assert periods(found) == [(end - 60, end)]  # the hour after it


def test_the_hours_beside_a_calibration_can_be_set() -> None:
    made = calibration_world("9")
    assert not of(look(made, end=T0 + AT + 12 + 59), "R11.drop")
    assert of(look(made, end=T0 + AT + 12 + 30, changes={"R11.drop": {"beside_min": 30}}), "R11.drop")


@pytest.mark.parametrize(
    ("pieces", "suspected"),
    [
        ([(100, 110), (300, 310), (500, 510)], True), ([(100, 110), (300, 310)], False),
        ([(100, 110), (300, 310), (325, 330)], False),  # 15 minutes apart: one calibration
        ([(100, 110), (300, 310), (326, 331)], True),
        ([(0, 10), (300, 310), (500, 510)], True),
    ],
)  # fmt: skip
def test_many_calibrations_in_a_day(pieces: list[tuple[int, int]], suspected: bool) -> None:
    made = series(1, {"SO2": line(DAY, "12")}, calibrating=flags(DAY, *pieces))
    assert bool(of(look(made), "R11.count")) is suspected


def test_a_calibration_belongs_to_the_day_it_began_in() -> None:
    pieces = [(DAY - 5, DAY + 5), (DAY + 300, DAY + 310), (DAY + 500, DAY + 510)]
    made = series(1, {"SO2": line(2 * DAY, "12")}, calibrating=flags(2 * DAY, *pieces))
    assert not of(look(made), "R11.count")
    assert not of(look(made, start=T0 + DAY), "R11.count")


# ---- R12: drift


@pytest.mark.parametrize(
    ("zero", "span", "suspected"),
    [("5.001", None, True), ("5", None, False), (None, "-5.001", True), (None, "-5", False), ("1", "6", True)],
)
def test_drift_that_is_not_corrected(zero: str | None, span: str | None, suspected: bool) -> None:
    drift = Drift(T0 + 600, "SO2", *(None if each is None else Fraction(each) for each in (zero, span)))
    good = Drift(T0 + 1200, "SO2", Fraction(1), Fraction(1))
    made = series(60, {"SO2": line(48, "12")})
    found = of(look(None, made, events=Events(drifts=(good, drift))), "R12")
    assert periods(found) == ([(600, 1200)] if suspected else [])


def test_one_hour_of_drift_is_enough() -> None:
    drifts = (Drift(T0 + 600, "SO2", Fraction(9)), Drift(T0 + 660, "SO2", Fraction(1)))
    found = of(look(None, series(60, {"SO2": line(48, "12")}), events=Events(drifts=drifts)), "R12")
    assert periods(found) == [(600, 660)]


def test_drift_counts_while_the_data_are_used() -> None:
    drift = Drift(T0 + 600, "SO2", Fraction(9))
    made = series(60, {"SO2": line(48, "12", (15, 48, None))})
    assert periods(of(look(None, made, events=Events(drifts=(drift,))), "R12")) == [(600, 900)]
    days = series(60, {"SO2": line(24 * 20, "12")})
    found = of(look(None, days, events=Events(drifts=(drift,))), "R12")
    assert periods(found) == [(600, 600 + 15 * DAY + 60)]  # a check speaks for 15 days
    found = look(None, made)
    assert [each.code for each in found.inapplicable if each.check == "R12"] == ["drifts"]
    assert not of(look(None, made, events=Events(drifts=())), "R12")


# ---- R13: repeats


def profile(seed: int, spread: float = 3.0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [f"{each:.2f}" for each in 20 + spread * rng.standard_normal(24)]


def days_of(*each: list[str]) -> Any:
    return series(60, {"SO2": [value for day in each for value in day]})


@pytest.mark.parametrize(("equal", "suspected"), [(24, True), (20, True), (19, False)])
def test_two_days_of_one_profile(equal: int, suspected: bool) -> None:
    first = profile(1)
    second = first[:equal] + [f"{float(each) + 1:.2f}" for each in first[equal:]]
    found = of(look(None, days_of(first, profile(2), second)), "R13.profile")
    assert bool(found) is suspected
    if found:
        assert periods(found) == [(2 * DAY, None)]
        assert found[0].figures == {"equal_h": str(equal), "days_ago": "2"}


@pytest.mark.parametrize(("shift", "suspected"), [("0.2", True), ("0.201", False)])
def test_days_equal_within_a_thousandth(shift: str, suspected: bool) -> None:
    """0.1 % of 200 is 0.2; the other hours are 300 or more and equal anyway, 19 of them."""
    first = ["200.000"] * 5 + [f"{300 + n}" for n in range(19)]
    second = [f"{200 + float(shift):.3f}"] * 5 + first[5:]
    assert bool(of(look(None, days_of(first, second)), "R13.profile")) is suspected


def test_how_far_back_a_twin_is_looked_for() -> None:
    for between, suspected in ((6, True), (7, False)):
        days = [profile(1), *(profile(10 + n) for n in range(between)), profile(1)]
        assert bool(of(look(None, days_of(*days)), "R13.profile")) is suspected


@pytest.mark.parametrize(("high", "suspected"), [("20.203", True), ("20.202", False)])
def test_days_that_do_not_move_are_another_rule(high: str, suspected: bool) -> None:
    """1 % of 20.2021 is 0.20202: below that the day is constant, which R9 sees."""
    day = ["20"] * 12 + [high] * 12
    assert bool(of(look(None, days_of(day, day)), "R13.profile")) is suspected
    low = ["3.9"] * 24
    assert not of(look(None, days_of(low, low)), "R13.profile")


@pytest.mark.parametrize(("low", "suspected"), [("4", True), ("3.999", False)])
def test_days_near_the_detection_limit_are_not_compared(low: str, suspected: bool) -> None:
    """Twenty equal hours, one of them at twice the detection limit; and a week whose 140th pair is such an hour."""
    first, second = ([low] + [f"{10 + n}" for n in range(19)] + [f"{base + n}" for n in range(4)] for base in (30, 50))
    assert bool(of(look(None, days_of(first, second)), "R13.profile")) is suspected
    week: list[Any] = [value for _ in range(8) for value in profile(3)]
    week[:24] = [None] * 24
    week[-4:] = [None] * 4
    week[24] = low  # without it two pairs less: 24 hours later, and none before
    found = of(look(None, series(60, {"SO2": week}), changes={"R13.lag": {"above": "0.5"}}), "R13.lag")
    assert goes_on(found) is suspected


@pytest.mark.parametrize(("last", "suspected"), [(4, True), (5, False)])
def test_the_pairs_of_a_week(last: int, suspected: bool) -> None:
    """168 pairs, 24 less for the first day and so many for the last: 140 or 139."""
    week: list[Any] = [value for _ in range(8) for value in profile(3)]
    week[:24] = [None] * 24
    week[-last:] = [None] * last
    assert goes_on(of(look(None, series(60, {"SO2": week})), "R13.lag")) is suspected


@pytest.mark.parametrize(("high", "suspected"), [("20.203", True), ("20.202", False)])
def test_a_week_that_does_not_move_is_another_rule(high: str, suspected: bool) -> None:
    week = days_of(*[["20"] * 12 + [high] * 12] * 8)
    assert bool(of(look(None, week), "R13.lag")) is suspected


def test_a_week_that_repeats() -> None:
    rng = np.random.default_rng(7)
    base = 30 + np.array([float(each) for each in profile(3, 6.0)])
    seen = set()
    for noise in (0.05, 0.3, 0.5, 0.6, 0.8, 1.5):
        hours = np.concatenate([base + noise * rng.standard_normal(24) for _ in range(8)])
        texts = [f"{each:.3f}" for each in hours]
        values = [float(each) for each in texts]
        r = statistics.correlation(values[24:], values[:-24])
        made = series(60, {"SO2": texts})
        assert goes_on(of(look(None, made), "R13.lag")) is (r > 0.99), (noise, r)
        seen.add(r > 0.99)
        limit = Fraction(r).limit_denominator(10**6)
        for shift, suspected in ((Fraction(-1, 10**5), True), (Fraction(1, 10**5), False)):
            found = look(None, made, changes={"R13.lag": {"above": limit + shift}})
            assert goes_on(of(found, "R13.lag")) is suspected
    assert seen == {True, False}


def test_the_week_of_repeats() -> None:
    week = days_of(*[profile(3)] * 8)
    assert periods(of(look(None, week), "R13.lag")) == [(0, None)]  # 144 pairs after seven days
    assert not of(look(None, days_of(*[profile(3)] * 6)), "R13.lag")  # 120 pairs of 140
    assert of(look(None, days_of(*[profile(3)] * 7), changes={"R13.lag": {"window_days": 6}}), "R13.lag")
    assert not of(look(None, days_of(*[profile(3)] * 8), changes={"R13.lag": {"least_h": 169}}), "R13.lag")
    # 140 pairs are known, or 139
    for unknown, suspected in ((28, True), (29, False)):
        values: list[Any] = [value for _ in range(8) for value in profile(3)]
        values[24 : 24 + unknown] = [None] * unknown
        # what is missing on day 2 lacks as x and as y; on days 2 and 3 every pair once
        pairs = sum(values[n] is not None and values[n - 24] is not None for n in range(24, 192))
        more = {"R13.lag": {"least_h": pairs if suspected else pairs + 1}}
        assert bool(of(look(None, series(60, {"SO2": values}), changes=more), "R13.lag")) is suspected


# ---- R14: other outlets


def two_outlets(noise: float, *, apart: str = "601", hours: int = 24) -> tuple[Any, Events, float]:
    rng = np.random.default_rng(9)
    mine = [f"{each:.2f}" for each in 20 + 3 * rng.standard_normal(hours)]
    theirs = [f"{0.7 * float(each) + noise * rng.standard_normal():.2f}" for each in mine]
    r = statistics.correlation([float(each) for each in mine], [float(each) for each in theirs])
    one = series(60, {"SO2": mine, "production": line(hours, "500")})
    other = series(60, {"SO2": theirs, "production": line(hours, apart)})
    return one, Events(neighbours={"kiln-2": other}), r


def test_outlets_that_are_alike() -> None:
    seen, near = set(), []
    for noise in np.linspace(0.0, 1.0, 101).tolist():
        one, events, r = two_outlets(noise)
        near.append(r)
        assert bool(of(look(None, one, events=events), "R14")) is (r > 0.99), (noise, r)
        seen.add(r > 0.99)
    assert seen == {True, False}
    assert any(0.988 < r < 0.99 for r in near)
    assert any(0.99 < r < 0.992 for r in near)
    one, events, _ = two_outlets(0.0)
    found = of(look(None, one, events=events), "R14")
    assert found[0].subject == "SO2@kiln-2"


def test_the_day_of_two_outlets() -> None:
    """An hour that is nothing alike, then 30 that are: suspected when it has left the window of 24."""
    one, events, _ = two_outlets(0.0, hours=31)
    mine = one.all_of("SO2")[0].values.copy()
    mine[0] = 900_000
    made = series(60, {"SO2": track("SO2", (f"{each / 1000:.3f}" for each in mine)), "production": line(31, "500")})
    (found,) = of(look(None, made, events=events), "R14")
    assert found.held_from == T0 + 24 * HOUR
    # twenty hours, one of them at twice the detection limit
    for low, suspected in (("4", True), ("3.999", False)):
        one, events, _ = two_outlets(0.0, hours=20)
        counts = [f"{each / 1000:.3f}" for each in one.all_of("SO2")[0].values]
        at = int(np.argmin(one.all_of("SO2")[0].values))
        counts[at] = low
        theirs = [f"{0.7 * float(each):.3f}" for each in counts]
        made = series(60, {"SO2": counts, "production": line(20, "500")})
        other = Events(neighbours={"kiln-2": series(60, {"SO2": theirs, "production": line(20, "700")})})
        assert bool(of(look(None, made, events=other), "R14")) is suspected


@pytest.mark.parametrize(("apart", "suspected"), [("600.001", True), ("600", False), ("399.999", True), ("400", False)])
def test_outlets_of_one_load_may_be_alike(apart: str, suspected: bool) -> None:
    one, events, _ = two_outlets(0.0, apart=apart)
    assert bool(of(look(None, one, events=events), "R14")) is suspected


def test_the_hours_of_two_outlets() -> None:
    for hours, suspected in ((20, True), (19, False)):
        one, events, _ = two_outlets(0.0, hours=hours)
        assert bool(of(look(None, one, events=events), "R14")) is suspected
    one, events, _ = two_outlets(0.0, hours=12)
    more = {"R14": {"window_h": 12, "least_h": 12}}
    assert of(look(None, one, events=events, changes=more), "R14")
    low = look(None, one, events=events, changes=more, detection={"SO2": Fraction(20)})
    assert not of(low, "R14")
    assert [each.code for each in look(None, one).inapplicable if each.check == "R14"] == ["neighbours"]


# ---- R15: digits


def digits_world(counts: list[int], *, move: int = 10, cadence: int = 1) -> tuple[Any, Fraction]:
    """Values whose last digit (0.1) comes so often, in an order that goes up and down by tens of steps."""
    digits = [digit for digit, count in enumerate(counts) for _ in range(count)]
    rng = np.random.default_rng(3)
    rng.shuffle(digits)
    values: list[Any] = []
    for n, digit in enumerate(digits):
        values.extend([f"{20 + n % 2 * move / 10 + digit / 10:.1f}"] * cadence)
    total = len(digits)
    square = sum(Fraction((count - Fraction(total, 10)) ** 2) / Fraction(total, 10) for count in counts)
    values += [None] * (DAY - len(values))
    return series(1, {"SO2": track("SO2", values, step=100, cadence=cadence)}), square


LOW_SQUARE, HIGH_SQUARE = (
    [47, 28, 22, 20, 20, 20, 20, 20, 20, 20],
    [47, 29, 28, 20, 20, 20, 20, 20, 20, 20],
)  # 27.852 and 27.885


@pytest.mark.parametrize(
    ("counts", "suspected"),
    [
        ([66, 6, 6, 6, 6, 36, 6, 6, 6, 62], True),
        ([20] * 10, False),
        ([43, 20, 20, 20, 20, 20, 20, 20, 20, 20], False),  # 223: 21.3
        ([47, 20, 20, 20, 20, 20, 20, 20, 20, 20], True),  # 227: 28.9
        ([46, 20, 20, 20, 20, 20, 20, 20, 20, 20], False),  # 226: 26.9
        (LOW_SQUARE, False),
        (HIGH_SQUARE, True),
        ([65, 15, 15, 15, 15, 15, 15, 15, 15, 14], False),  # 199 values are too few
        ([65, 15, 15, 15, 15, 15, 15, 15, 15, 15], True),
    ],
)
def test_last_digits(counts: list[int], suspected: bool) -> None:
    made, square = digits_world(counts)
    assert (square > Fraction("27.88") and sum(counts) >= 200) is suspected
    assert bool(of(look(made), "R15")) is suspected
    for shift, over in (("-0.001", True), ("0.001", False)):
        more = {"R15": {"chi_square": square + Fraction(shift), "least_samples": 1}}
        assert bool(of(look(made, changes=more), "R15")) is over
    with_equal = {"R15": {"chi_square": square, "least_samples": 1}}
    assert not of(look(made, changes=with_equal), "R15")  # above, not at


def test_the_instrument_must_be_fine_enough() -> None:
    made, _ = digits_world([150, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    values = [int(each) // 100 for each in made.all_of("SO2")[0].values if each > 0]
    move = Fraction(sum(abs(b - a) for a, b in itertools.pairwise(values)), len(values) - 1)
    for shift, suspected in ((Fraction(0), True), (Fraction(1, 1000), False)):
        assert bool(of(look(made, changes={"R15": {"least_move_steps": move + shift}}), "R15")) is suspected


@pytest.mark.parametrize(("still", "suspected"), [(0, True), (1, False)])
def test_values_must_move_by_four_digits(still: int, suspected: bool) -> None:
    """They alternate by 4 last digits, or once do not move."""
    values = [("20", "20.4")[n % 2] for n in range(300)]
    values = values[: 100 + still] + values[100:]
    made = series(1, {"SO2": track("SO2", values + [None] * (DAY - len(values)), step=100)})
    assert bool(of(look(made), "R15")) is suspected


def test_a_value_that_stands_for_minutes_is_one_value() -> None:
    made, _ = digits_world([120, 10, 10, 10, 10, 10, 10, 10, 10, 10], cadence=5)
    assert of(look(made), "R15")[0].figures["values"] == "210"
    made, _ = digits_world([65, 15, 15, 15, 15, 15, 15, 15, 15, 14], cadence=5)
    assert not of(look(made), "R15")


# ---- R16: slurry


@pytest.mark.parametrize(("amplitude", "suspected"), [("0.099", True), ("0.1", False)])
def test_slurry_that_hardly_varies(amplitude: str, suspected: bool) -> None:
    """Values that alternate by ±a: variance of 60 is a² · 60/59; of 0.1 0.01017, of 0.099 0.00997."""
    values = [float(Fraction("5.6") + (-1) ** n * Fraction(amplitude)) for n in range(LENGTH)]
    assert (statistics.variance(values[:60]) < 0.01) is suspected
    made = series(1, {"slurry_ph": [f"{each:.3f}" for each in values]})
    found = of(look(made), "R16.flat")
    assert bool(found) is suspected
    if found:
        assert found[0].held_from == T0 + 50  # of fewer than 51 values it is 0.00980 · n / (n - 1) > 0.01
        assert found[0].begin == T0 - 9


def test_the_window_of_slurry() -> None:
    calm = line(LENGTH, "5.1", (AT, AT + 60, "5.6"))
    calm[:AT] = [("5.1", "5.9")[n % 2] for n in range(AT)]
    calm[AT + 60 :] = [("5.1", "5.9")[n % 2] for n in range(LENGTH - AT - 60)]
    made = series(1, {"slurry_ph": calm, "production": line(LENGTH, ON)})
    small = [n for n in range(59, LENGTH) if statistics.variance(map(float, calm[n - 59 : n + 1])) < 0.01]
    assert small == list(range(small[0], small[-1] + 1))
    assert periods(of(look(made), "R16.flat")) == [(small[0] - 59, small[-1] + 1)]
    for level, suspected in (("200.001", True), ("200", False)):
        made = series(1, {"slurry_ph": calm, "production": line(LENGTH, level)})
        assert bool(of(look(made), "R16.flat")) is suspected
    made = series(1, {"slurry_ph": line(LENGTH, None, (AT, AT + 45, "5.6"))})
    assert of(look(made), "R16.flat")
    made = series(1, {"slurry_ph": line(LENGTH, None, (AT, AT + 44, "5.6"))})
    assert not of(look(made), "R16.flat")


@pytest.mark.parametrize(
    ("to", "after", "suspected"), [("6.001", 60, True), ("6", 60, False), ("6.001", 61, False), ("1.999", 1, True)]
)
def test_slurry_that_jumps(to: str, after: int, suspected: bool) -> None:
    """From 4 at minute 200, through 5 (1 away from both), to ``to`` so many minutes later."""
    values = line(LENGTH, "5", (0, AT + 1, "4"), (AT + after, LENGTH, to))
    if to == "1.999":
        values = line(LENGTH, "4", (AT, LENGTH, to))
    made = series(1, {"slurry_ph": values})
    assert bool(of(look(made), "R16.change")) is suspected
    for level, expected in (("200.001", suspected), ("200", False)):
        made = series(1, {"slurry_ph": values, "production": line(LENGTH, level)})
        assert bool(of(look(made), "R16.change")) is expected


# ---- R17: the hint


def hint_world(after: str, *, pump: str = "10", load: str = ON, before: str = "20", stopped: int = 100) -> Any:
    tracks = {
        "circulation_pump": line(LENGTH, "50", (AT, AT + stopped, pump)),
        "production": line(LENGTH, load),
        "SO2": line(LENGTH, before, (AT, LENGTH, after)),
    }
    return series(1, tracks)


@pytest.mark.parametrize(
    ("after", "more", "suspected"),
    [
        ("22", {}, True), ("18", {}, True),  # 10 % of 20
        ("22", {"pump": "30"}, False), ("22", {"pump": "29.999"}, True),
        ("22", {"load": "400"}, False), ("22", {"load": "400.001"}, True),
        ("22", {"stopped": 30}, True), ("22", {"stopped": 29}, False),
        ("4", {"before": "4"}, True), ("3.999", {"before": "4"}, False),
    ],
)  # fmt: skip
def test_pumps_off_and_nothing_changes(after: str, more: dict[str, Any], suspected: bool) -> None:
    assert bool(of(look(hint_world(after, **more)), "R17.hint")) is suspected


@pytest.mark.parametrize(("after", "suspected"), [("22.001", False), ("17.999", False)])
def test_pumps_off_and_so2_moves(after: str, suspected: bool) -> None:
    """Before and after are the 30 minutes on each side: with the pumps off for 30 minutes exactly."""
    found = look(hint_world(after, stopped=30))
    assert bool(of(found, "R17.hint")) is suspected
    assert of(look(hint_world("22", stopped=30)), "R17.hint")


def test_the_half_hours_of_the_hint() -> None:
    """Looked at as long as at least 20 of the 30 minutes before were with pumps: 30 to 40 minutes after."""
    assert periods(of(look(hint_world("20")), "R17.hint")) == [(AT, AT + 40)]
    found = look(hint_world("20"), changes={"R17.hint": {"beside_min": 40}})
    assert periods(of(found, "R17.hint")) == [(AT, AT + 60)]
    found = look(hint_world("20"), changes={"R17.hint": {"least_min": 30}})
    assert periods(of(found, "R17.hint")) == [(AT, AT + 30)]
    assert not of(look(hint_world("20"), changes={"R17.hint": {"least_min": 31}}), "R17.hint")
    assert of(look(hint_world("23"), changes={"R17": {"unchanged_pct": 15}}), "R17.hint")


@pytest.mark.parametrize(("missing", "count"), [(5, 1), (6, 2)])
def test_the_gap_of_the_hint(missing: int, count: int) -> None:
    """Between 30 and 40 minutes after the pumps stopped, minutes whose load is not known."""
    tracks = {
        "circulation_pump": line(LENGTH, "50", (AT, LENGTH, "10")),
        "production": line(LENGTH, ON, (AT + 31, AT + 31 + missing, None)),
        "SO2": line(LENGTH, "20"),
    }
    assert len(of(look(series(1, tracks)), "R17.hint")) == count


# ---- R21: high load, low emission


def load_world(value: str, *, hours: int = 3, load: str = "850", past: int = 48, past_load: str = "820") -> Any:
    """The class from 80 to 90 % has alternately 18 and 22; then some hours have ``value``."""
    old = [("18", "22")[n % 2] for n in range(past)]
    today = [value] * hours + ["20"] * (24 - hours)
    fill = 24 * (-(-past // 24)) - past
    tracks = {
        "SO2": ["20"] * fill + old + today,
        "production": ["300"] * fill + [past_load] * past + [load] * 24,
    }
    return series(60, tracks, start=T0 - 60 * (fill + past))


MEAN, DEVIATION = 20, statistics.stdev([18, 22] * 24)  # 2.0212


@pytest.mark.parametrize(
    ("value", "more", "suspected"),
    [
        ("15.957", {}, True), ("15.958", {}, False),  # 20 - 2 · 2.0212 = 15.9576
        ("15", {"hours": 2}, False),
        ("15", {"load": "800.001"}, True), ("15", {"load": "800"}, False),
        ("15", {"past": 47}, False),
        ("15", {"past_load": "899.999"}, True), ("15", {"past_load": "900"}, False),
        ("15", {"past_load": "799.999"}, False),
    ],
)  # fmt: skip
def test_high_load_and_low_emission(value: str, more: dict[str, Any], suspected: bool) -> None:
    assert abs(DEVIATION - 2.0212) < 1e-4
    found = look(None, load_world(value, **more), start=T0)
    assert bool(of(found, "R21", "SO2")) is suspected
    if more.get("past") == 47:
        words = [each.reason_en for each in found.inapplicable if each.check == "R21"]
        assert words == ["needs 48 hours of its load class in the last 30 days, has 47"]


def test_the_classes_and_days_of_r21() -> None:
    made = load_world("15", past_load="760")
    assert not of(look(None, made, start=T0), "R21")
    assert of(look(None, made, start=T0, changes={"R21": {"class_pct": 20, "load_pct": 60}}), "R21") == []
    assert of(look(None, made, start=T0, changes={"R21": {"class_pct": 25}}), "R21")  # 75 to 100 %
    assert not of(look(None, load_world("15"), start=T0, changes={"R21": {"history_days": 1}}), "R21")
    assert not of(look(None, load_world("15"), start=T0, changes={"R21": {"sigmas": 3}}), "R21")


# ---- R22: removal


@pytest.mark.parametrize(
    ("out", "hours", "suspected"), [("9.999", 24, True), ("10", 24, False), ("9", 12, True), ("9", 11, False)]
)
def test_removal_that_is_too_good(out: str, hours: int, suspected: bool) -> None:
    """95 % of 200 leaves 10."""
    made = series(60, {"COD": line(24, out, (hours, 24, None)), "inlet_COD": line(24, "200")})
    assert bool(of(look(None, made, medium="water"), "R22.removal")) is suspected


def low_world(out: str, *, inlet: str = "200", days: int = 20, hours: int = 12) -> Any:
    total = 24 * (days + 1)
    tracks = {
        "COD": line(total, "30", (24 * days, total, None), (24 * days, 24 * days + hours, out)),
        "inlet_COD": line(total, "200", (24 * days, total, inlet)),
    }
    return look(None, series(60, tracks, start=T0 - DAY * days), start=T0, medium="water")


@pytest.mark.parametrize(
    ("out", "more", "suspected"),
    [
        ("9.999", {}, True), ("10", {}, False),  # a third of 30
        ("9", {"inlet": "240"}, True), ("9", {"inlet": "240.001"}, False),
        ("9", {"inlet": "160"}, True), ("9", {"inlet": "159.999"}, False),
        ("9", {"days": 19}, False), ("9", {"hours": 11}, False),
    ],
)  # fmt: skip
def test_an_outlet_far_below_its_norm(out: str, more: dict[str, Any], suspected: bool) -> None:
    found = low_world(out, **more)
    assert bool(of(found, "R22.low")) is suspected
    if more.get("days") == 19:
        words = [each.reason_en for each in found.inapplicable if each.check == "R22.low"]
        assert words == ["needs 20 of the last 30 days of history, has 19"]


def test_the_norm_is_that_of_thirty_days() -> None:
    total = 24 * 61
    tracks = {"COD": line(total, "30", (0, 24 * 30, "90"), (24 * 60, total, "15")), "inlet_COD": line(total, "200")}
    made = series(60, tracks, start=T0 - DAY * 60)
    assert not of(look(None, made, start=T0, medium="water"), "R22.low")
    more = {"R22.low": {"history_days": 60}}  # 60 on average
    assert of(look(None, made, start=T0, medium="water", changes=more), "R22.low")


# ---- R23: reference measurements


@pytest.mark.parametrize(
    ("manual", "online", "suspected"),
    [
        # 100 mg/m³ of SO2: 30 % or less is right (HJ 75: 57 to 143 mg/m³ ± 30 %)
        ("100", "130", False), ("100", "130.001", True), ("100", "69.999", True), ("100", "70", False),
        # 200: 30 % would be 60, HJ 75 allows 57; 20: 30 % are 6, HJ 75 allows 17
        ("200", "260", False), ("200", "260.001", True), ("20", "37", False), ("20", "37.001", True),
        ("1000", "1300", False), ("1000", "1300.001", True),
    ],
)  # fmt: skip
def test_reference_and_online(manual: str, online: str, suspected: bool) -> None:
    made = series(1, {"SO2": line(LENGTH, online)})
    events = Events(manuals=(Manual(T0 + 100, T0 + 160, "SO2", Fraction(manual)),))
    found = of(look(made, events=events), "R23")
    assert periods(found) == ([(159, 160)] if suspected else [])


def test_the_minutes_of_a_reference_measurement() -> None:
    def found(unknown: int, length: int = 60) -> bool:
        made = series(1, {"SO2": line(LENGTH, "150", (100, 100 + unknown, None))})
        events = Events(manuals=(Manual(T0 + 100, T0 + 100 + length, "SO2", Fraction(100)),))
        return bool(of(look(made, events=events), "R23"))

    assert found(15)  # 45 of 60: 75 %
    assert not found(16)
    assert found(0, 240)
    assert not found(0, 241)
    made = series(1, {"SO2": line(LENGTH, "150")})
    assert [each.code for each in look(made).inapplicable if each.check == "R23"] == ["manuals"]


# ---- gaps of conditions over windows: unknown slots that are bridged, and one more


def gap_world(check: str, gap: int) -> Any:
    """A world in which the check holds for long, without a value in so many slots in its middle."""
    hole = (AT, AT + gap)
    many = 500
    swing = [("400", "500")[n // 10 % 2] for n in range(many)]
    if check == "R9.minutes":
        return look(series(1, {"SO2": line(many, "12.3", (*hole, None)), "production": swing}))
    if check == "R16.flat":
        return look(series(1, {"slurry_ph": line(many, "5.6", (*hole, None))}))
    if check == "R16.change":
        ph = [("4.5", "6.9")[n // 30 % 2] for n in range(many)]
        ph[hole[0] : hole[1]] = [None] * gap
        return look(series(1, {"slurry_ph": ph}))
    return None


HOURLY_GAPS = {"R6.correlation": 2, "R9.spread": 2, "R12": 2, "R14": 2, "R21": 1}


@pytest.mark.parametrize(("check", "gap"), [("R9.minutes", 15), ("R16.flat", 5), ("R16.change", 5)])
def test_gaps_of_windows_of_minutes(check: str, gap: int) -> None:
    assert len(of(gap_world(check, gap), check)) == 1
    assert len(of(gap_world(check, gap + 1), check)) == 2


@pytest.mark.parametrize("check", HOURLY_GAPS)
def test_gaps_of_windows_of_hours(check: str) -> None:
    """Forty hours of it, with hours in the middle that have no value."""
    for gap, count in ((HOURLY_GAPS[check], 1), (HOURLY_GAPS[check] + 1, 2)):
        rng = np.random.default_rng(5)
        hole = (60, 60 + gap)
        noise: list[Any] = [f"{each:.2f}" for each in 20 + 2 * rng.standard_normal(100)]
        noise[hole[0] : hole[1]] = [None] * gap
        events = None
        if check == "R6.correlation":
            made = series(60, {"O2": noise, "CO2": noise})
        elif check == "R12":
            made = series(60, {"SO2": noise})
            events = Events(drifts=(Drift(T0, "SO2", Fraction(9)),))
        elif check == "R14":
            made = series(60, {"SO2": noise, "production": line(100, "500")})
            events = Events(neighbours={"n": series(60, {"SO2": noise, "production": line(100, "900")})})
        elif check == "R21":
            old = [("18", "22")[n % 2] for n in range(48)]
            low = line(52, "12", (12, 12 + gap, None))
            made = series(60, {"SO2": old + low, "production": line(100, "850")}, start=T0)
        else:
            values = line(6000, "20", (hole[0] * HOUR, hole[1] * HOUR, None))
            assert len(of(look(series(1, {"SO2": values})), check)) == count
            continue
        assert len(of(look(None, made, events=events), check)) == count, gap


@pytest.mark.parametrize(("missing", "count"), [(4, 1), (5, 2)])
def test_the_gap_of_a_step(missing: int, count: int) -> None:
    """O2 rises by a point a minute; a load that is missing takes itself and the minute 5 later, so 5 of it make 10."""
    o2 = ["8"] * AT + [str(9 + n) for n in range(30)] + ["38"] * (LENGTH - AT - 30)
    production = line(LENGTH, ON, (AT + 10, AT + 10 + missing, None))
    assert len(of(look(series(1, {"O2": o2, "production": production})), "R5.step")) == count


# ---- R25: marks

MONTH = 30 * 24  # November


@pytest.mark.parametrize(("covered", "suspected"), [(36, False), (37, True)])
def test_marked_exceedances_of_a_month(covered: int, suspected: bool) -> None:
    """5 % of 720 running hours is 36."""
    made = series(
        60, {"SO2": line(MONTH, "12")}, over=flags(MONTH, (100, 100 + covered)), condition=flags(MONTH, (90, 200))
    )
    found = of(look(None, made), "R25.share")
    assert periods(found) == ([(29 * DAY, None)] if suspected else [])
    assert not of(look(None, made, end=T0 + 30 * DAY - 1), "R25.share")
    # standstill is no running hour: 5 % of 719 is 35.95
    made = series(
        60, {"SO2": line(MONTH, "12")}, over=flags(MONTH, (100, 136)), condition=flags(MONTH, (90, 200)),
        standstill=flags(MONTH, (700, 701)),
    )  # fmt: skip
    assert of(look(None, made), "R25.share")
    # not marked: an exceedance of its own, no abuse of marks
    made = series(60, {"SO2": line(MONTH, "12")}, over=flags(MONTH, (300, 400)), condition=flags(MONTH, (90, 200)))
    assert not of(look(None, made), "R25.share")


def test_the_longest_month_fits() -> None:
    start = (datetime.date(2026, 12, 1) - datetime.date(1970, 1, 1)).days * DAY
    for first, suspected in ((0, True), (-38, False)):  # of December, or of November
        over = flags(31 * 24 + 40, (40 + first, 40 + first + 38))  # 5 % of 744 is 37.2
        made = series(
            60, {"SO2": line(31 * 24 + 40, "12")}, over=over, condition=np.ones_like(over), start=start - 40 * HOUR
        )
        assert bool([each for each in of(look(None, made), "R25.share") if each.held_from > start]) is suspected


@pytest.mark.parametrize(
    ("offset", "close"), [(-10, True), (-11, False), (0, True), (59, True), (70, True), (71, False)]
)
def test_marks_that_begin_with_exceedances(offset: int, close: bool) -> None:
    """Hours 10, 20, 30, 40 are above the limit; marks begin so many minutes from each one's first."""
    over = flags(100, *[(hour, hour + 1) for hour in (10, 20, 30, 40)])
    marks = tuple(T0 + hour * HOUR + offset for hour in (10, 20, 30, 40))
    made = series(60, {"SO2": line(100, "12")}, over=over)
    found = of(look(None, made, events=Events(marks=marks)), "R25.count")
    assert bool(found) is close
    # three are allowed
    assert not of(look(None, made, events=Events(marks=marks[:3])), "R25.count")
    if close:
        assert found[0].held_from == T0 + (41 if offset > 60 else 40) * HOUR  # the hour that makes the fourth known
        assert found[0].figures == {"count": "4"}


def test_marks_are_counted_by_the_month() -> None:
    over = flags(48, (20, 28))
    made = series(60, {"SO2": line(48, "12")}, over=over, start=T0 - DAY)
    marks = tuple(T0 - DAY + hour * HOUR for hour in (22, 23, 24, 25, 26))  # two of October, three of November
    assert not of(look(None, made, events=Events(marks=marks)), "R25.count")
    assert of(look(None, made, events=Events(marks=(*marks, T0 + 3 * HOUR))), "R25.count")
