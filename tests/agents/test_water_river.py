"""Warnings (water.md §4.7), waves down the river (§5), the spring (§6), and the simulated district's own truth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from agents import scenario_water
from agents.rejudge import Rejudged, rejudge
from agents.scenario_check import Case, Finding, false_alarms
from agents.scenario_check import judge as hold
from agents.scenario_run import Run, simulate
from agents.water import WaterJudge
from schemas import registry as registries
from schemas import times, topics
from standards.water import travel
from streams.simulator import scenarios
from streams.simulator.timeline import Plan
from streams.state.kernel import Output
from tests.streams.simulator.district import EXAMPLE, FOLDER

from .water_blocks import (
    CALM,
    DAY_S,
    HOUR_S,
    START,
    action,
    block,
    cells,
    conditions,
    judge,
    of_kind,
    registry_message,
    replay,
    results,
    said,
)

BASE = ["0.32"] * 12
"""Two calm days."""


MUDDY = {**CALM, "CODMn": "5.00"}
"""A section that is class III anyway, so that class IV is no fall of two classes."""


def levels(outputs: list[Any], section: str = "upper", factor: str = "NH3N") -> list[tuple[str, str, str]]:
    """What was said of an item: state, level word, rules."""
    return [
        (c["state"], c["detail"]["level"], c["detail"]["rules"])
        for c in conditions(outputs)
        if (c["subject"], c["factor"]) == (section, factor)
    ]


def nh3n(values: list[str], until_h: int = 0, **more: Any) -> list[Any]:
    packets = results("upper", "NH3N", [*BASE, *values], **more)
    return replay(packets, packets[-1].end + (until_h or 1) * HOUR_S)


# ---- levels


def test_once_over_the_target_is_a_watch_and_twice_a_warning() -> None:
    once = levels(nh3n(["1.10"], calm=MUDDY))
    assert [level for _, level, _ in once] == ["watch"] and once[0][0] == "began"
    twice = levels(nh3n(["1.10", "1.20"], calm=MUDDY))
    assert [(state, level) for state, level, _ in twice] == [("began", "watch"), ("continues", "warning")]
    assert "over-again" in twice[-1][2]
    # the same result said again for four hours is one result
    assert len(once) == 1


def test_two_results_within_the_target_end_it_and_one_does_not() -> None:
    outputs = nh3n(["1.10", "1.20", "0.60", "1.10", "0.50", "0.40"])
    assert [state for state, _, _ in levels(outputs)] == ["began", "continues", "continues", "ended"]
    last = conditions(outputs)[-1]
    drawn = START + 2 * DAY_S
    assert (last["since"], last["until"]) == (drawn, drawn + 5 * 4 * HOUR_S)
    assert last["detail"]["worst"] == "1.2" and last["id"] == f"river|upper|water-level|NH3N|{drawn}"


def test_an_exceed_multiple_of_one_is_serious_at_once() -> None:
    assert levels(nh3n(["1.99"]))[-1][1] == "warning", "class V beside a median of II"
    found = levels(nh3n(["2.00"]))
    assert found[-1][1] == "serious" and "multiple" in found[-1][2]


def test_worse_than_class_v_is_serious_when_the_next_result_confirms_it() -> None:
    packets = results("upper", "NH3N", [*BASE])
    acid = {**CALM, "pH": "9.10"}
    packets += [said("upper", START + 2 * DAY_S + (h + 1) * HOUR_S, acid) for h in range(2)]
    found = levels(replay(packets, packets[-1].end + HOUR_S), factor="pH")
    assert found[0][1] != "serious" and found[-1][1] == "serious"
    assert "worse-than-V" in found[-1][2]


def test_oxygen_takes_three_hours_to_warn_and_three_to_recover() -> None:
    calm = MUDDY
    packets = results("upper", "CODMn", ["5.00"] * 12, calm=calm)
    for h, oxygen in enumerate(("4.9", "4.8", "4.7", "6", "6.1", "4.9", "6", "6.1", "6.2")):
        packets.append(said("upper", START + 2 * DAY_S + (h + 1) * HOUR_S, {**calm, "DO": oxygen}))
    found = levels(replay(packets, packets[-1].end + HOUR_S), factor="DO")
    assert [level for _, level, _ in found] == ["watch", "watch", "warning", "warning", "warning"]
    assert [state for state, _, _ in found] == ["began", "continues", "continues", "continues", "ended"]


def test_rising_near_the_target_is_a_watch() -> None:
    found = levels(nh3n(["0.80", "0.92", "0.95", "0.98"]))
    assert ("watch", "rising") in [(level, rules) for _, level, rules in found] or "rising" in found[-1][2]
    assert not any("rising" in rules for _, _, rules in levels(nh3n(["0.80", "0.85", "0.88", "0.89"])))


def test_a_fall_by_two_classes_against_the_week_is_a_warning() -> None:
    found = levels(nh3n(["1.30"]))  # class IV beside a median of II
    assert found[0][1] == "warning" and "class-drop" in found[0][2]
    assert levels(nh3n(["1.30"], calm=MUDDY))[0][1] == "watch"


def test_a_late_result_can_make_and_unmake_a_warning() -> None:
    packets = results("upper", "NH3N", [*BASE, "1.10", "0.90", "1.20"], calm=MUDDY)
    judge_ = WaterJudge(0)
    messages = [registry_message(), *(block([p], n) for n, p in enumerate(packets))]
    before = judge(messages, judge_)
    assert [level for _, level, _ in levels(before)] == ["watch"] * len(levels(before))
    wrong = packets[52:56]  # the 0.90 was a mistake: its hours are said again
    again = [said("upper", p.end, {**p.values, "NH3N": "1.15"}, after_s=20 * HOUR_S) for p in wrong]
    after = judge([block([p], 100 + n) for n, p in enumerate(again)], judge_, len(messages))
    assert levels(after)[-1][1] == "warning"
    final = [said("upper", p.end, {**p.values, "NH3N": "0.30"}, after_s=30 * HOUR_S) for p in packets[48:]]
    ended = judge([block(final, 200)], judge_, 300)
    assert levels(ended)[-1][0] == "ended" and conditions(ended)[-1]["detail"]["reason"] == "withdrawn"


def test_an_episode_longer_than_what_is_looked_at_keeps_its_beginning() -> None:
    outputs = nh3n(["1.10"] * 6 * 12)
    assert {c["id"] for c in conditions(outputs)} == {f"river|upper|water-level|NH3N|{START + 2 * DAY_S}"}


def test_what_is_doubted_or_flagged_raises_no_warning_but_above_range_does() -> None:
    for flag, text, warns in (("D", "1.50", False), ("T", "1.50", True), ("N", "60", False)):
        packets = results("upper", "NH3N", BASE)
        values = {**CALM, "NH3N": text}
        packets += [said("upper", START + 2 * DAY_S + (h + 1) * HOUR_S, values, flags={"NH3N": flag}) for h in range(8)]
        outputs = replay(packets, packets[-1].end + HOUR_S)
        assert bool(levels(outputs)) == warns, flag
        if text == "60":
            assert ["NH3N", "range"] in cells(outputs)["upper", packets[-1].end]["checks"]


# ---- the river (water.md §5)


def wave(lower: list[str], until_h: int = 1, **late: Any) -> list[Any]:
    """A warning of 1.20, 1.30 upstream from 00:00 of the third day on, and what comes 8.4 km below."""
    packets = results("upper", "NH3N", [*BASE, "1.20", "1.30", "0.30", "0.30", "0.30", "0.30"])
    packets += results("lower", "NH3N", [*BASE, *lower])
    packets.sort(key=lambda p: (p.received, p.section))
    return replay(packets, packets[-1].end + until_h * HOUR_S)


def test_the_window_of_the_vector() -> None:
    """8.4 km at 0.15 / 0.35 / 0.8 m/s -> 15.56 / 6.67 / 2.92 h (water.md §5)."""
    found = of_kind(wave(["0.30"] * 3), "water-arrival")
    (one,) = found.values()
    assert (one["section"], one["source"], one["item"], one["state"]) == ("lower", "upper", "NH3N", "expected")
    assert (one["earliest_s"], one["probable_s"], one["latest_s"]) == (10_500, 24_000, 56_000)
    assert [round(one[name] / HOUR_S, 2) for name in ("latest_s", "probable_s", "earliest_s")] == [15.56, 6.67, 2.92]
    since = START + 2 * DAY_S  # when the first sample above the target was drawn
    assert (one["since"], one["eta_from"], one["eta_to"]) == (since, since + 10_500, since + 56_000)
    assert round(float(travel.leading_edge()) * one["probable_s"] / HOUR_S, 2) == 5.93


def test_a_warning_in_the_window_is_carried_and_one_outside_is_local() -> None:
    carried = wave(["0.30", "0.30", "1.10", "1.15"])
    (one,) = of_kind(carried, "water-arrival").values()
    below = [c for c in conditions(carried) if c["subject"] == "lower"]
    assert one["state"] == "carried" and one["linked"] == below[-1]["id"]
    assert below[-1]["detail"]["origin"] == "carried" and below[-1]["detail"]["from"] == "upper"
    local = wave(["1.10", "1.15"])  # drawn at the same hour as upstream: no water is that quick
    (one,) = of_kind(local, "water-arrival").values()
    below = [c for c in conditions(local) if c["subject"] == "lower"]
    assert one["state"] == "expected" and below[-1]["detail"]["origin"] == "local"


def test_a_window_that_passes_closes_as_attenuated() -> None:
    calm = ["0.30"] * 6
    due = 56_000 + travel.late_s() + travel.lateness_s()
    hours_after = (due - 24 * HOUR_S) // HOUR_S
    assert [a["state"] for a in of_kind(wave(calm, hours_after), "water-arrival").values()] == ["expected"]
    assert [a["state"] for a in of_kind(wave(calm, hours_after + 2), "water-arrival").values()] == ["attenuated"]


def test_an_arrival_of_a_warning_that_is_taken_back_is_withdrawn() -> None:
    packets = results("upper", "NH3N", [*BASE, "1.20", "1.30"])
    judge_ = WaterJudge(0)
    messages = [registry_message(), *(block([p], n) for n, p in enumerate(packets))]
    judge(messages, judge_)
    end = packets[-1].end
    begin = START + 2 * DAY_S
    failed = action("qc", "upper", begin, begin + 6 * HOUR_S, {"result": "failed"}, end * 1000)
    outputs = judge([failed], judge_, len(messages))
    assert [a["state"] for a in of_kind(outputs, "water-arrival").values()] == ["withdrawn"]
    assert conditions(outputs)[-1]["detail"]["reason"] == "withdrawn"


def test_sections_whose_window_is_too_long_are_not_told() -> None:
    reaches = [
        ("a", "b", travel.travel("22", "0.1", "0.35", "0.8")),
        ("b", "c", travel.travel("8.4", "0.15", "0.35", "0.8")),
    ]
    found = travel.ways("a", reaches)
    assert set(found) == {"b"}, "61 h and 77 h"
    assert round(found["b"].travel.probable / HOUR_S, 2) == 17.46
    assert set(travel.ways("b", reaches)) == {"c"}


def test_two_ways_to_one_section_make_one_window() -> None:
    slow, quick = travel.Travel(4, 40, 400), travel.Travel(1, 10, 100)
    found = travel.ways("a", [("a", "b", quick), ("a", "c", slow), ("b", "d", quick), ("c", "d", quick)])
    assert found["d"].travel == travel.Travel(2, 20, 500) and found["d"].through == ("b", "d")


def test_estimates_of_the_note() -> None:
    """Mixing, decay and Jobson's velocities (water.md §5)."""
    assert travel.mixed({"a": 6.0, "b": 2.0}, {"a": 2.4, "b": 0.5}) == pytest.approx(1.925)
    assert travel.decayed(1.925, 6.67 * HOUR_S, 0.15) == pytest.approx(1.8464, abs=1e-4)
    assert travel.jobson(500e6, 5, 3, 0.001) == pytest.approx((0.327, 0.575), abs=5e-4)
    assert travel.jobson(1500e6, 12, 30, 0.002) == pytest.approx((0.794, 1.230), abs=5e-4)


# ---- quality checks of instruments (water.md §7.8), as the log can say them


def test_the_daily_checks_of_the_simulated_stations_are_evidence_alone() -> None:
    run = quiet()
    found = [value for key, value in run.judged.last(topics.CELLS).items()]
    assert len(found) == 8 * 24 * DAYS
    assert not any(b'"d"' in value or b"dz" in value for value in found)


# ---- the simulated district

DAYS = 5
"""Until the wave has left the district, and the spring is clear again."""
RUN_START = dt.date(2026, 4, 6)
DISTRICT = registries.load(EXAMPLE)


def run_of(*names: str, days: int = DAYS) -> Run:
    """A simulated run of the water alone, judged by the water agent."""
    chosen = scenarios.load(list(names), FOLDER) if names else ()
    run = simulate(DISTRICT, Plan(RUN_START, days, 5, tuple(chosen)), kinds={"water"})
    judged: Rejudged = rejudge(run.records, judges={topics.READINGS_WATER: WaterJudge})
    run.__dict__["judged"] = judged
    return run


@cache
def quiet() -> Run:
    """The same days, in which nothing happens."""
    return run_of()


def test_a_quiet_week_has_no_alarm() -> None:
    assert [str(span) for span in false_alarms(run_of(days=7))] == []


def edges(name: str) -> list[str]:
    """The scenario's own strength, and those just inside the edges of its truths."""
    (scenario,) = scenarios.load([name], FOLDER)
    found = {scenario.strength}
    for row in scenario.rows:  # 0.2 %: an ammonia analyser of the spring shows 0.5005 as 0.500
        found |= {row.above * Decimal("1.002")} if row.above is not None else set()
        found |= {row.below * Decimal("0.998")} if row.below is not None else set()
    return [f"{name}@{strength.normalize():f}" for strength in sorted(found)]


OWN = ("upstream-wave@1.8", "upstream-wave@0.998", "spring-bypass@1.6")
"""Every time; the other edges of the truths with the slow tests."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in OWN else pytest.mark.whole)
        for name in (*edges("upstream-wave"), *edges("spring-bypass"))
    ],
)
def test_a_scenario_is_what_its_truth_says(name: str) -> None:
    result = hold(Case(run_of(name), quiet()), scenario_water.CHECKERS)
    wrong = [f"{line.truth} — {line.finding.concluded}" for line in result.lines if not line.finding.ok]
    assert result.lines and wrong == []
    assert [str(span) for span in result.false_alarms] == []


def test_sewage_in_the_spring_is_called_by_its_name() -> None:
    outputs = run_of("spring-bypass").judged.all_of(topics.CONDITIONS)
    guard = conditions(outputs, "spring-guard")
    assert {c["subject"] for c in guard} == {"xinan-spring-1"} and "sewage" in {
        c["detail"].get("pattern") for c in guard
    }
    assert {"NH3N", "CODMn", "turbidity"} == {c["factor"] for c in guard}


def test_a_checker_refutes_what_did_not_happen() -> None:
    (scenario,) = scenarios.load(["upstream-wave"], FOLDER)
    truths = scenario.truth(times.day_start(times.day_number(RUN_START)), frozenset())
    findings: Mapping[str, Finding] = {
        kind: scenario_water.CHECKERS[kind](next(t for t in truths if t.kind == kind), Case(quiet(), quiet()))
        for kind in ("section", "arrival")
    }
    assert not any(finding.ok for finding in findings.values())


def test_the_spring_is_judged_as_groundwater_without_its_background() -> None:
    hours = [h for (s, _), h in of_kind(outputs_of(quiet()), "water-hour").items() if s == "xinan-spring-1"]
    assert {h["edition"] for h in hours} == {"GB/T 14848-2017"}
    assert all("SO4" not in h["items"] and "SO4" in h["not_judged"] for h in hours)
    assert all(h["meets"] is True and h["class"] <= 3 for h in hours)


def outputs_of(run: Run) -> list[Any]:
    """The last verdicts as outputs."""
    return [Output(topics.VERDICTS, key, value) for key, value in run.judged.last(topics.VERDICTS).items()]
