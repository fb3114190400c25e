"""The engine as a whole: cuts of the log, the future, quiet plants, settings, what is lacking, and its tables."""

from __future__ import annotations

import datetime
import functools
import statistics
import string
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as runs_of
from hypothesis import strategies as st

from schemas.registry.words import PROCESSES
from standards import dated
from standards.facility import noise
from standards.facility.engine import (
    CONDITIONS,
    LOOK_BACK_S,
    Review,
    Suspicion,
    needed,
    outlet_score,
    review,
    stitch,
)
from standards.facility.inputs import STATES, Drift, Events, InputError, Manual, Plant, Series, Track
from standards.facility.runs import runs
from standards.facility.signals import Tri, median
from standards.facility.table import LEVELS, SettingsError, settings
from standards.fixed import MISSING
from tests.standards.test_facility_worlds import DAY, HOUR, PLANT, RATED, T0, flags, line, look, of, series, track

RULES = [f"R{number}" for number in range(1, 26)]
GAS = ("SO2", "NOx", "PM", "NH3", "O2", "CO2", "flow", "velocity")
MACHINES = ("production", "treatment", "circulation_pump", "reagent", "valve", "slurry_ph", "pressure_drop")


# ---- a lively world: whatever can happen, happens somewhere


@functools.cache
def wild(seed: int, days: int, past: int = 32) -> tuple[Series, Series, Events]:
    """Minutes of some days and hours of those and of the days before, with all kinds of mischief, gaps and states."""
    rng = np.random.default_rng(seed)
    n = days * DAY

    def walk(mean: float, spread: float, width: int) -> np.ndarray:
        steps = rng.standard_normal(n + width)
        return mean + spread * np.convolve(steps, np.ones(width) / np.sqrt(width), "valid")[:n]

    load = np.clip(walk(0.78, 0.12, 300), 0.3, 1.05)
    values = {
        "production": 1000 * load, "treatment": 500 * (0.3 + 0.5 * load), "SO2": walk(18, 4, 60),
        "NOx": walk(30, 5, 60),
        "PM": walk(5, 0.8, 60), "NH3": walk(1.6, 0.5, 90), "O2": walk(7, 0.6, 90), "flow": 100 * load,
        "velocity": 14 * load, "circulation_pump": 50 + 0 * load, "reagent": 14 * load, "valve": 0.6 + 0 * load,
        "slurry_ph": 5.6 + 0.2 * rng.standard_normal(n), "pressure_drop": walk(1100, 120, 60),
    }  # fmt: skip
    values["CO2"] = 19.5 * (20.9 - values["O2"]) / 20.9
    loud = {
        "production": (0.0, 30.0, 900.0), "treatment": (0.0, 40.0), "SO2": (0.5, 34.0, 300.0, 12.3),
        "O2": (20.9, 13.0, 9.9),
        "CO2": (1.0, 16.0), "flow": (0.0, 99.0, 30.0), "velocity": (3.0, 33.0), "circulation_pump": (0.0, 29.0),
        "reagent": (0.0,), "valve": (45.0,), "slurry_ph": (4.5, 6.5, 5.6), "pressure_drop": (100.0, 2500.0),
        "NH3": (4.0,), "NOx": (30.0, 49.0), "PM": (9.8, 0.1),
    }  # fmt: skip
    for name, choices in loud.items():
        for _ in range(int(rng.integers(1, 3 * days))):
            begin, length = int(rng.integers(0, n)), int(rng.choice([3, 9, 11, 31, 61, 130, 300, 700]))
            values[name][begin : begin + length] = rng.choice(choices)
    states = {
        name: np.zeros(n, dtype=np.bool_) for name in ("standstill", "condition", "device", "calibrating", "backfilled")
    }
    for mask in states.values():
        for _ in range(int(rng.integers(0, 2 * days))):
            begin, length = int(rng.integers(0, n)), int(rng.choice([5, 12, 40, 200]))
            mask[begin : begin + length] = True
    tracks, hourly = {}, {}
    for name, each in values.items():
        counts = np.rint(each * 1000).astype(np.int64)
        for _ in range(int(rng.integers(0, 2 * days))):
            begin, length = int(rng.integers(0, n)), int(rng.choice([1, 4, 7, 40, 200]))
            counts[begin : begin + length] = MISSING
        rated = Fraction(RATED[name]) if name in RATED else None
        step = 100 if name in ("SO2", "PM") else 1
        tracks[name] = Track(counts // step * step if step > 1 else counts, 3, step=step, rated=rated)
        known = counts.reshape(-1, HOUR) != MISSING
        sums = np.where(known, counts.reshape(-1, HOUR), 0).sum(axis=1)
        means = np.where(known.sum(axis=1) >= 45, sums // np.maximum(known.sum(axis=1), 1), MISSING)
        old = np.rint(1000 * values[name].mean() * (1 + 0.1 * rng.standard_normal(24 * past))).astype(np.int64)
        hourly[name] = Track(np.concatenate([old, means]), 3, rated=rated)
    minutes = Series(T0, tracks, 1, **states)
    length = 24 * (past + days)
    over = flags(length, *[(24 * past + int(at), 24 * past + int(at) + 2) for at in rng.integers(0, 24 * days, 3)])
    hours = Series(
        T0 - past * DAY, hourly, HOUR, over=over, condition=rng.random(length) < 0.05,
        standstill=rng.random(length) < 0.02, backfilled=rng.random(length) < 0.1,
    )  # fmt: skip
    other = Series(T0 - past * DAY, {**hourly, "production": track("production", line(length, "400"))}, HOUR)
    events = Events(
        drifts=(
            Drift(T0 + 300, "SO2", Fraction(7)), Drift(T0 + DAY, "SO2", Fraction(1)),
            Drift(T0 + 900, "NOx", None, Fraction(9)),
        ),
        manuals=(Manual(T0 + 500, T0 + 560, "SO2", Fraction(90)), Manual(T0 + 700, T0 + 745, "NOx", Fraction(30))),
        marks=tuple(int(T0 + each) for each in rng.integers(0, n, 12)),
        neighbours={"other": other},
    )  # fmt: skip
    return minutes, hours, events


def part(of_series: Series, begin: int, end: int) -> Series:
    """What an agent still has of a series: from ``begin`` on, and up to ``end``."""
    step = of_series.step
    low = max(0, -(-(begin - of_series.start) // step))
    high = min(of_series.length, max(low, (end - of_series.start) // step))
    tracks = {}
    for name in of_series.tracks:
        one = of_series.all_of(name)[0]
        tracks[name] = Track(one.values[low:high], one.places, one.cadence, one.step, one.rated, one.on_share)
    states = {name: getattr(of_series, name)[low:high] for name in STATES if getattr(of_series, name) is not None}
    return Series(of_series.start + low * step, tracks, step, **states)


PLANT_OF = Plant(**PLANT)
LENIENT: dict[str, dict[str, Any]] = {
    # so that statistical rules speak up, too
    "R6.correlation": {"above": "-0.95"}, "R9.spread": {"variation_pct": 20},
    "R13.profile": {"equal_pct": 10, "least_h": 8},
    "R13.lag": {"above": "0.05", "least_h": 40, "window_days": 3}, "R14": {"above": "0.5"}, "R15": {"chi_square": 8},
    "R21": {"sigmas": "0.5", "hold_min": 60}, "R10.top": {"share_pct": 1, "least_h": 40, "window_days": 3},
    "R9.minutes": {"production_move_pct": 1}, "R9.hours": {"window_h": 2, "production_move_pct": 0},
    "R7": {"off_pct": 15}, "R2.day": {"short_min": 5, "least_min": 100}, "R11.drop": {"ratio": 1},
    "R25.count": {"most_a_month": 0},
}  # fmt: skip


ASKED = settings(PLANT_OF, LENIENT)


@functools.cache
def whole(seed: int, end: int = T0 + 4 * DAY) -> list[Suspicion]:
    """The suspicions of a wild world of four days, reviewed at once."""
    minutes, hours, events = wild(seed, 4)
    return list(review(minutes, hours, ASKED, T0, end, events).suspicions)


@pytest.mark.parametrize("seed", range(6))
def test_the_wild_world_is_wild(seed: int) -> None:
    assert len({each.rule for each in whole(seed)}) >= 10


def test_all_rules_speak_in_some_wild_world() -> None:
    seen: set[str] = set()
    for seed in range(6):
        seen |= {each.rule for each in whole(seed)}
    assert seen >= set(RULES) - {"R22", "R24", "R3"}  # two are of water; R3 depends on the draw


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cuts", [[1440 * 2], [700, 2000, 2001, 3500], [*range(175, 4 * DAY, 175)]])
def test_the_same_log_in_other_cuts_gives_the_same_suspicions(seed: int, cuts: list[int]) -> None:
    minutes, hours, events = wild(seed, 4)
    expected, asked = whole(seed), ASKED
    record: list[Suspicion] = []
    last = T0
    for cut in [*cuts, 4 * DAY]:
        now = T0 + cut
        # an agent that keeps no more than is needed
        from_minutes, from_hours = needed(asked, last)
        found = review(part(minutes, from_minutes, now), part(hours, from_hours, now), asked, last, now, events)
        record = stitch(record, found)
        last = now
    assert [each.key for each in record] == [each.key for each in expected]
    for one, other in zip(record, expected, strict=True):
        assert one == other


@given(st.integers(0, 3), st.integers(200, 4 * DAY - 1), st.integers(1, 2000))
@runs_of(max_examples=15, deadline=None)
def test_the_future_changes_nothing_that_has_ended(seed: int, cut: int, more: int) -> None:
    early = whole(seed, T0 + cut)
    late = whole(seed, T0 + min(cut + more, 4 * DAY))
    for each in early:
        if each.end is not None:
            assert each in late
        else:  # it goes on, or has ended since: the same in all else
            same = [one for one in late if one.key == each.key and one.held_from == each.held_from]
            assert len(same) == 1
            assert (same[0].raised, same[0].figures, same[0].begin) == (each.raised, each.figures, each.begin)


@given(st.integers(0, 3), st.integers(0, 4 * DAY - 300), st.sampled_from(GAS + MACHINES), st.integers(1, 200))
@runs_of(max_examples=12, deadline=None)
def test_what_comes_late_changes_only_what_its_look_back_reaches(seed: int, at: int, name: str, length: int) -> None:
    """Minutes that were missing at first: reviewing from them on, over the look-back, gives the whole truth."""
    minutes, hours, events = wild(seed, 4)
    asked = ASKED
    known = minutes.all_of(name)[0]
    lost = known.values.copy()
    lost[at : at + length] = MISSING
    before = Series(
        T0, {**minutes.tracks, name: Track(lost, 3, 1, known.step, known.rated)}, 1,
        **{state: getattr(minutes, state) for state in STATES},
    )  # fmt: skip
    end = minutes.end
    first = list(review(before, hours, asked, T0, end, events).suspicions)
    again = review(minutes, hours, asked, T0 + at, end, events)
    assert stitch(first, again) == whole(seed)
    # and nothing that began later than the look-back after it is another
    for each in again.suspicions:
        if each.held_from - asked.check(each.check).look_back_min > T0 + at + length:
            assert each in first, each


# ---- quiet plants


def calm(seed: int, days: int = 2) -> tuple[Series, Series]:
    """A well run plant: everything moves a little, nothing is wrong."""
    rng = np.random.default_rng(seed)
    n = days * DAY
    t = np.arange(n)
    load = 0.8 + 0.08 * np.sin(t / 200.0 + seed) + 0.01 * rng.standard_normal(n)
    o2 = 6.5 + 0.5 * np.sin(t / 90.0) + 0.02 * rng.standard_normal(n)
    values = {
        "production": 1000 * load, "treatment": 500 * (0.35 + 0.5 * load), "O2": o2, "CO2": 19.5 * (20.9 - o2) / 20.9,
        "SO2": 17 + 3 * np.sin(t / 70.0) + rng.standard_normal(n),
        "NOx": 28 + 4 * np.sin(t / 60.0) + rng.standard_normal(n),
        "PM": 4 + 0.5 * np.sin(t / 50.0) + 0.2 * rng.standard_normal(n), "NH3": 1 + 0.2 * rng.standard_normal(n),
        "flow": 100 * load, "velocity": 14 * load, "circulation_pump": 50 + rng.standard_normal(n),
        "reagent": 15 * load, "valve": 0.6 + 0.05 * rng.standard_normal(n),
        "slurry_ph": 5.6 + 0.15 * rng.standard_normal(n).clip(-3, 3),
        "pressure_drop": 1100 + 30 * rng.standard_normal(n), "lift_pump": 40 + rng.standard_normal(n),
    }  # fmt: skip
    tracks, hourly = {}, {}
    for name, each in values.items():
        counts = np.rint(each * 1000).astype(np.int64)
        rated = Fraction(RATED[name]) if name in RATED else None
        tracks[name] = Track(counts, 3, rated=rated)
        hourly[name] = Track(counts.reshape(-1, HOUR).sum(axis=1) // HOUR, 3, rated=rated)
    some = np.zeros(n, dtype=np.bool_)
    some[180:192] = True
    nothing = np.zeros(n // HOUR, dtype=np.bool_)
    return (
        Series(T0, tracks, 1, calibrating=some),
        Series(T0, hourly, HOUR, over=nothing, condition=nothing),
    )


@given(st.integers(0, 10**6))
@runs_of(max_examples=15, deadline=None)
def test_a_quiet_plant_gives_nothing_by_the_hard_rules(seed: int) -> None:
    minutes, hours = calm(seed)
    events = Events(drifts=(), manuals=(), marks=())
    found = look(minutes, hours, events=events)
    assert [each for each in found.suspicions if each.hard] == []


@given(
    st.lists(st.sampled_from("yn?"), min_size=1, max_size=60), st.integers(1, 8), st.integers(0, 4), st.integers(0, 60)
)
@runs_of(max_examples=300, deadline=None)
def test_runs_by_walking(slots: list[str], hold: int, gap: int, cut: int) -> None:
    """The vectorised runs are those of somebody who walks from slot to slot."""
    state = Tri(np.array([each == "y" for each in slots]), np.array([each == "n" for each in slots]))
    expected: list[tuple[int, int, int, bool]] = []
    first = last = raised = -1
    for at, each in enumerate([*slots, "end"]):
        over = first >= 0 and (each == "n" or (each == "y" and at - last - 1 > gap) or each == "end")
        if over:
            if raised >= 0:
                still = each == "end" and at - 1 - last <= gap
                expected.append((first, last, raised, still))
            first = last = raised = -1
        if each == "y":
            first, last = (at if first < 0 else first), at
            if raised < 0 and at - first + 1 >= hold:
                raised = at
    assert [(r.first, r.last, r.raised, r.open) for r in runs(state, hold, gap)] == expected
    assert cut >= 0


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)), min_size=1, max_size=30), st.booleans())
@runs_of(max_examples=200, deadline=None)
def test_medians_are_those_of_fractions(pairs: list[tuple[int, int]], crowd: bool) -> None:
    if crowd:  # many that no float can tell apart
        pairs = [(10**12 + n % 7, 10**12 - n % 3) for n in range(len(pairs))]
    nums, dens = (np.array(each, dtype=np.int64) for each in zip(*pairs, strict=True))
    assert median(nums, dens) == statistics.median(Fraction(num, den) for num, den in pairs)


# ---- what a suspicion says


def off_world(**states: Any) -> Series:
    tracks = {"production": line(400, "500"), "treatment": line(400, "250", (200, 230, "3.456"))}
    return series(1, tracks, **states)


def test_a_suspicion_says_what_it_rests_on() -> None:
    (found,) = of(look(off_world()), "R1")
    assert (found.rule, found.subject, found.hard, found.score, found.level) == ("R1", "treatment", True, 70, "orange")
    assert found.figures == {"production_found_pct": "50", "treatment_found_pct": "0.7"}
    assert found.reason == "生产功率为额定的 50 %，治理为 0.7 %（低于 10 %），持续 10 min"
    assert found.reason_en == "production at 50 % of its rating, treatment at 0.7 % (below 10 %) for 10 min"
    assert (found.evidence_from - T0, found.evidence_to - T0) == (200 - 60, 230 + 60)  # one hour to either side
    assert found.live and found.begin_known


def test_an_exceedance_in_the_period_raises_the_level() -> None:
    for hour, level in ((2, "orange"), (3, "red"), (4, "orange")):  # minutes 200 to 230 end in hour 3
        tracks = {"production": line(400, "500"), "treatment": line(400, "250", (180, 240, "0"))}
        hours = series(60, {"SO2": line(7, "12")}, over=flags(7, (hour, hour + 1)))
        assert of(look(series(1, tracks), hours), "R1")[0].level == level


def test_what_came_as_a_backfill_is_no_live_alarm() -> None:
    assert of(look(off_world(backfilled=flags(400, (100, 209)))), "R1")[0].live  # the minute that raised it came live
    assert not of(look(off_world(backfilled=flags(400, (209, 210)))), "R1")[0].live


def test_a_period_that_goes_back_beyond_the_series_says_so() -> None:
    tracks = {"production": line(100, "500"), "treatment": line(100, "0", (90, 100, "250"))}
    (found,) = of(look(series(1, tracks)), "R1")
    assert not found.begin_known


def test_scores_add_up_by_what_the_others_leave() -> None:
    (one,) = of(look(off_world()), "R1")
    assert outlet_score([]) == 0
    assert outlet_score([one, one]) == 70
    other = Suspicion(**{**{name: getattr(one, name) for name in one.__slots__}, "rule": "R5", "score": 50})
    assert outlet_score([one, other]) == 85  # 1 - 0.3 · 0.5
    assert outlet_score([other, one]) == outlet_score([one, other])


# ---- what is lacking


def test_a_rule_without_its_series_says_so_once() -> None:
    found = look(series(1, {"production": line(100, "500")}))
    lacking = {(each.check, each.subject): each for each in found.inapplicable}
    assert len(lacking) == len(found.inapplicable)
    assert lacking["R1", ""].reason_en == "needs minutes of treatment"
    assert lacking["R1", ""].reason == "缺分钟序列 treatment"
    assert lacking["R12", ""].code == "drifts"
    # every check of gas either speaks, is silent for good reasons, or says what it lacks
    gas = {each.name for each in settings().checks if each.medium != "water"}
    assert {each.check for each in found.inapplicable} == gas


def test_an_empty_series_is_none() -> None:
    empty = series(1, {"production": line(100, None), "treatment": line(100, None)})
    assert "R1" in {each.check for each in look(empty).inapplicable}


def test_a_line_without_hours_is_told_and_the_others_are_asked() -> None:
    tracks = {"production": line(400, "800"), "treatment": line(400, "300"), "treatment:dust": line(400, "100")}
    hours = series(60, {"production": line(720, "800"), "treatment": line(720, "300")}, start=T0 - 30 * DAY)
    found = look(series(1, tracks), hours, start=T0)
    lacks = [(each.subject, each.reason_en) for each in found.inapplicable if each.rule == "R3"]
    assert lacks == [("treatment:dust", "needs hours of treatment:dust")]


def test_what_cannot_be_asked_any_more_stands() -> None:
    """A suspicion that goes on is not taken back because its history, or its series, is gone."""
    (found,) = of(look(off_world(), end=T0 + 215), "R1")
    assert found.end is None
    later = look(series(1, {"production": line(20, "500")}, start=T0 + 215))
    assert stitch([found], later) == [found]


def test_what_was_not_asked_for_a_while_ends_where_it_is_seen_again() -> None:
    (found,) = of(look(off_world(), end=T0 + 215), "R1")
    later = series(1, {"production": line(300, "500"), "treatment": line(300, "250")}, start=T0 + 2000)
    (ended,) = stitch([found], look(later, start=T0 + 2100))
    assert (ended.begin, ended.end) == (found.begin, T0 + 2100 - 5)


def test_an_hour_is_judged_when_it_is_over() -> None:
    """Where no hour was closed, checks of hours are not asked again, and what is known of them stands."""
    hours = series(60, {"O2": line(10, "13")})
    first = look(None, hours, end=T0 + 200)
    (known,) = of(first, "R5.ceiling")
    later = look(None, hours, start=T0 + 200, end=T0 + 230)
    assert "R5.ceiling" not in later.reach and later.suspicions == ()
    assert stitch([known], later) == [known]
    assert "R5.ceiling" in look(None, hours, start=T0 + 200, end=T0 + 240).reach


def test_a_meter_without_its_rating_is_told() -> None:
    made = series(1, {"production": track("production", line(100, "5"), rated=None), "treatment": line(100, "0")})
    (found,) = [each for each in look(made).inapplicable if each.check == "R1"]
    assert (found.code, found.reason_en) == ("rated", "production has no rating")


def test_water_is_not_asked_about_flue_gas() -> None:
    found = look(series(1, {"flow": line(100, "5")}), medium="water")
    assert {each.rule for each in found.inapplicable} == {"R1", "R2", "R3", "R22", "R24", "R25"}


# ---- settings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"R99": {"enabled": False}}, "'R99' is no rule and no check; rules are R1, R2, R3"),
        ({"R5.nothing": {}}, "'R5.nothing' is no rule"),
        ({"R5": {"ceilling_pct": 12}}, "R5 has no number 'ceilling_pct'; it has enabled, ceiling_pct"),
        ({"R5": {"enabled": 1}}, "true or false"),
        ({"R1": {"hold_min": "1.5"}}, "whole number from 0 on"),
        ({"R1": {"hold_min": -1}}, "whole number from 0 on"),
        ({"R1": {"treatment_pct": 0.5}}, "exact number"),
        ({"R1": {"treatment_pct": "much"}}, "is not a number"),
        ({"R1": {"treatment_pct": "1/0"}}, "is not a number"),
    ],
)
def test_settings_that_cannot_be(changes: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("(", r"\(")):
        settings(PLANT_OF, changes)


def test_settings_of_a_check_go_before_those_of_its_rule() -> None:
    asked = settings(
        PLANT_OF, {"R5": {"production_pct": 30, "enabled": False}, "R5.step": {"production_pct": "40", "enabled": True}}
    )
    assert asked.check("R5.step").params["production_pct"] == 40 and asked.check("R5.step").enabled
    assert asked.check("R5.air").params["production_pct"] == 30 and not asked.check("R5.air").enabled
    assert settings(PLANT_OF).check("R5.air").params["production_pct"] == 20  # no state is left behind
    with pytest.raises(LookupError, match="there are R1"):
        asked.check("R0")


def test_a_longer_hold_reaches_farther_back() -> None:
    plain, changed = settings(PLANT_OF), settings(PLANT_OF, {"R1": {"hold_min": 1000}})
    assert plain.look_back_s == dict(LOOK_BACK_S)
    assert changed.look_back_s["R1"] - plain.look_back_s["R1"] == 990 * 60
    assert needed(changed, T0)[0] <= needed(plain, T0)[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Track(np.zeros(3)), "int64"),
        (lambda: Track(np.zeros(3, dtype=np.int64), 19), "0 … 18"),
        (lambda: Track(np.zeros(3, dtype=np.int64), rated=Fraction(0)), "above 0"),
        (lambda: Series(T0 + 1, {}, 60), "multiple"),
        (lambda: Series(T0, {}, 10), "1 or 60"),
        (lambda: series(1, {"a": [1, 2, 3]}, standstill=flags(4)), "same length"),
        (lambda: Series(T0, {"a": ()}), "leave the name out"),
        (lambda: review(Series(T0, {}), Series(T0, {}, 60), settings(), 5, 4), "before start"),
        (lambda: look(events=Events(neighbours={"n": Series(T0, {}, 1)}), start=T0, end=T0), "hours are needed"),
        (lambda: review(Series(T0, {}, 60), Series(T0, {}, 60), settings(), 4, 5), "1 and 60"),
    ],
)  # fmt: skip
def test_input_that_cannot_be(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


def test_absurd_values_stop_nothing() -> None:
    values = np.array([10**15, -(10**15), MISSING, 5], dtype=np.int64)
    assert Track(values).values.tolist() == [MISSING, MISSING, MISSING, 5]
    minutes, hours, events = wild(1, 2)
    huge = {
        name: Track(
            np.where(np.arange(2 * DAY) % 7 == 0, 10**12, minutes.all_of(name)[0].values), 0, rated=Fraction(1, 7)
        )
        for name in minutes.tracks
    }
    assert isinstance(look(Series(T0, huge), hours, events=events), Review)


def test_nothing_at_all_is_answered() -> None:
    found = review(Series(T0, {}), Series(T0, {}, 60), settings(), T0, T0 + 100)  # fmt: skip
    assert found.suspicions == ()
    assert {each.rule for each in found.inapplicable} == set(RULES) - {"R22", "R24"}


# ---- the tables


def test_every_rule_of_the_note_is_there() -> None:
    names = [each.name for each in settings().checks]
    assert list(dict.fromkeys(each.partition(".")[0] for each in names)) == RULES
    assert set(names) == set(CONDITIONS)
    assert set(LOOK_BACK_S) == set(names) | set(RULES)


def test_reasons_name_figures_and_numbers_that_exist() -> None:
    """Every template can be filled: what it names is a number of the check or a figure some wild world gives."""
    figures: dict[str, set[str]] = {}
    for seed in range(6):
        for each in whole(seed):
            figures.setdefault(each.check, set()).update(each.figures)
    for check in settings().checks:
        names = {name for _, name, _, _ in string.Formatter().parse(check.reason) if name}
        english = {name for _, name, _, _ in string.Formatter().parse(check.reason_en) if name}
        assert names <= english | set(check.params) or names == english, check.name
        if check.name in figures:
            assert names | english <= figures[check.name] | set(check.params), check.name
            assert not figures[check.name] & set(check.params), check.name


def test_the_table_is_sound() -> None:
    for check in settings().checks:
        assert check.level in LEVELS and check.level_with_exceedance in LEVELS
        assert LEVELS.index(check.level_with_exceedance) >= LEVELS.index(check.level)
        assert 0 < check.score <= 100
        assert check.evidence_min >= 60, "emission.md §5: evidence of an hour to either side"
        assert check.hold >= 1 and check.gap >= 0
        assert check.suppress <= {"standstill", "condition", "excused"}
        assert check.title and check.title_en and check.reason and check.reason_en
    named = {row.text("check") for row in dated.load("facility_thresholds")[-1].rows}
    assert named == set(CONDITIONS)
    for row in dated.load("facility_processes")[-1].rows:
        assert row.text("process") in PROCESSES


def test_levels_are_those_of_the_note() -> None:
    """emission.md §6: yellow R2, R3; orange R1, R4; red R5 and R9 together with an exceedance."""
    level = {each.name: (each.level, each.level_with_exceedance) for each in settings().checks}
    for name, (plain, worse) in level.items():
        rule = name.partition(".")[0]
        if rule in ("R2", "R3"):
            assert plain == "yellow"
        if rule in ("R1", "R4"):
            assert plain == "orange"
        if rule in ("R5", "R9"):
            assert worse == "red" and plain != "red"


def test_old_editions_hold_for_old_data() -> None:
    assert settings(PLANT_OF, date=datetime.date(2020, 1, 1)).checks == settings(PLANT_OF).checks


# ---- rates by chance


def test_every_statistical_rule_has_a_rate() -> None:
    rates = noise.rates()
    assert {each.check for each in rates} == {each.name for each in settings().checks if not each.hard}
    assert all(0.0 <= each.chance <= 1.0 and each.per_day >= 0.0 for each in rates)
    assert noise.table().count("\n") == len(rates) + 1


def test_the_share_above_chi_square_is_that_of_printed_tables() -> None:
    """9 degrees of freedom: 14.684 at 0.1, 16.919 at 0.05, 21.666 at 0.01, 27.877 at 0.001."""
    for square, share in ((14.684, 0.1), (16.919, 0.05), (21.666, 0.01), (27.877, 0.001), (4.168, 0.9)):
        assert abs(noise.above_chi_square_9(square) / share - 1) < 2e-3
    assert abs(noise.above_normal(1.959964) - 0.025) < 1e-6


def rate_of(check: str, changes: dict[str, Any], **model: float) -> float:
    asked = settings(PLANT_OF, {check: changes})
    return next(each.per_day for each in noise.rates(asked, noise.Noise(**model)) if each.check == check)


def within(found: int, expected: float) -> bool:
    """Within five standard deviations of a count, and a few for models that are approximations."""
    return abs(found - expected) <= 5 * expected**0.5 + 0.05 * expected + 1


def test_digits_of_noise_are_suspected_as_often_as_stated() -> None:
    """R15 at p = 0.1 and at the note's p = 0.001 on uniform digits: 400 days."""
    rng = np.random.default_rng(11)
    days = 400
    values = rng.integers(2000, 9000, days * DAY)
    made = Series(T0, {"SO2": Track(values.astype(np.int64), 2)})
    for square in ("14.684", "27.88"):
        found = look(made, changes={"R15": {"chi_square": square}, "R9": {"enabled": False}})
        hits = sum((each.end or made.end) - each.held_from for each in of(found, "R15")) // DAY
        expected = noise.above_chi_square_9(float(square)) * days
        assert within(hits, expected), (hits, expected)
    assert rate_of("R15", {}) == pytest.approx(0.001 * 0.999, rel=0.02)


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_low_emission_of_noise_is_suspected_as_often_as_stated(memory: float) -> None:
    """R21 on hours of one load class: with 2 deviations and one hour, and with one deviation and three."""
    rng = np.random.default_rng(12)
    days = 150
    hours = 24 * (days + 30)
    wander = [0.0]
    for push in rng.standard_normal(hours) * (1 - memory**2) ** 0.5:
        wander.append(memory * wander[-1] + push)
    so2 = np.rint(1000 * (20 + 2 * np.array(wander[1:]))).astype(np.int64)
    made = series(60, {"SO2": Track(so2, 3), "production": line(hours, "850")}, start=T0 - 30 * DAY)
    for changes in ({"sigmas": 2, "hold_min": 60}, {"sigmas": 1, "hold_min": 180}):
        found = len(of(look(None, made, start=T0, changes={"R21": changes}), "R21"))
        expected = rate_of("R21", changes, hour_memory=memory) * days
        assert within(found, expected), (found, expected)


def test_hours_in_a_row_are_low_as_often_as_a_great_sample_has_them() -> None:
    """Independent hours multiply; of remembering ones, four million are counted."""
    once = noise.above_normal(1.0)
    assert noise.low_run(1.0, 3, 0.0) == pytest.approx(once**3, rel=1e-3)
    rng = np.random.default_rng(15)
    chains = np.empty((3, 4_000_000))
    chains[0] = rng.standard_normal(chains.shape[1])
    for hour in (1, 2):
        chains[hour] = 0.8 * chains[hour - 1] + 0.6 * rng.standard_normal(chains.shape[1])
    assert noise.low_run(1.0, 3, 0.8) == pytest.approx(float((chains < -1.0).all(axis=0).mean()), rel=0.01)
    assert noise.low_run(2.0, 3, 0.8) == pytest.approx(float((chains < -2.0).all(axis=0).mean()), rel=0.03)


def test_slurry_of_noise_is_suspected_as_often_as_stated() -> None:
    """R16: an independent window an hour; pH of deviation 0.11, whose variance is 0.0121."""
    rng = np.random.default_rng(13)
    days = 40
    ph = np.rint(1000 * (5.6 + 0.11 * rng.standard_normal(days * DAY))).astype(np.int64)
    made = Series(T0, {"slurry_ph": Track(ph, 3)})
    hits = 0
    n = days * 24
    values = ph.reshape(-1, 60) / 1000
    hits = int((values.var(axis=1, ddof=1) < 0.01).sum())
    model = next(each for each in noise.rates(None, noise.Noise(ph_deviation=0.11)) if each.check == "R16.flat")
    assert within(hits, model.chance * n)
    # windows overlap, so periods are fewer than windows and more than independent ones
    begins = len(of(look(made), "R16.flat"))
    assert within(begins, rate_of("R16.flat", {}, ph_deviation=0.11) * days), begins


def test_twins_and_mirrors_of_noise() -> None:
    """R13 and R6 with thresholds loose enough to be counted."""
    rng = np.random.default_rng(14)
    days = 300
    so2 = np.rint(1000 * (20 + rng.standard_normal(days * 24))).astype(np.int64)
    made = series(60, {"SO2": Track(so2, 3)})
    loose = {"equal_pct": 2, "least_h": 11, "window_days": 1}
    found = look(None, made, changes={"R13.profile": loose})
    hits = sum((each.end or made.end) - each.held_from for each in of(found, "R13.profile")) // DAY
    asked = settings(PLANT_OF, {"R13.profile": loose})
    chance = next(e.chance for e in noise.rates(asked, noise.Noise(variation=0.05)) if e.check == "R13.profile")
    assert within(hits, chance * days), (hits, chance * days)

    o2 = 7 + rng.standard_normal(days * 24) * 0.5
    co2 = 13 - (o2 - 7) + 0.4 * rng.standard_normal(days * 24)
    true = -0.5 / (0.5**2 + 0.4**2) ** 0.5
    tracks = {name: Track(np.rint(1000 * each).astype(np.int64), 3) for name, each in (("O2", o2), ("CO2", co2))}
    found = look(None, Series(T0, tracks, 60), changes={"R6.correlation": {"above": "-0.6"}})
    hours = sum((each.end or T0 + days * DAY) - each.held_from for each in of(found, "R6.correlation")) // 60
    asked = settings(PLANT_OF, {"R6.correlation": {"above": "-0.6"}})
    chance = next(e.chance for e in noise.rates(asked, noise.Noise(r=true)) if e.check == "R6.correlation")
    # windows overlap by 23 of 24 hours: the share of hours is right on average, its scatter is that of days
    assert 0.3 < hours / (chance * days * 24) < 2.0, (hours, chance * days * 24)


def test_the_document_says_what_the_tables_say() -> None:
    words = (Path(__file__).parents[2] / "docs" / "law-facility.md").read_text(encoding="utf-8")
    assert noise.table() in words
    for check in settings().checks:
        (row,) = [each for each in words.splitlines() if each.startswith(f"| {check.name} | {check.title} |")]
        grid, kind, score, level = (cell.strip() for cell in row.split("|")[4:8])
        assert (grid, kind == "s", int(score)) == (check.grid, not check.hard, check.score)
        assert level.split(" → ")[0] == check.level
        assert level.split(" → ")[-1] == check.level_with_exceedance
    minutes, hours = needed(settings(), 0)
    assert (-minutes, -hours) == (2 * DAY + 15, 34 * DAY), "docs/law-facility.md §2 tells how much an agent keeps"


def test_decimal_settings_are_exact() -> None:
    asked = settings(PLANT_OF, {"R1": {"treatment_pct": Decimal("9.99")}})
    assert asked.check("R1").params["treatment_pct"] == Fraction(999, 100)
