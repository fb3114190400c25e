"""Every threshold and every hold time of the rules on minutes and hours, just below and just above (emission.md §5).

The numbers here are the note's, written by hand, not read from the table: a table that changes must fail. What each
case should give is arithmetic in the comment or plain to see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from standards.facility.table import settings
from tests.standards.test_facility_worlds import T0, flags, line, look, of, periods, series, track

LENGTH = 400
AT = 200


@dataclass(frozen=True)
class World:
    """A condition of single slots: values when it is quiet, values when it holds, and the note's hold time and gap."""

    quiet: dict[str, Any]
    loud: dict[str, Any]
    hold: int
    gap: int
    edges: tuple[tuple[str, dict[str, Any], bool], ...]  # number swept, values in place of the loud ones, suspected
    plant: dict[str, Any] = field(default_factory=dict)
    states: tuple[str, ...] = ()  # states that hold when it is loud
    step: int = 1


ON, OFF = "500", "0"  # of 1000
WORLDS: dict[str, World] = {
    "R1": World(
        {"production": ON, "treatment": "250"}, {"production": ON, "treatment": OFF}, 10, 5,
        (
            ("treatment_pct", {"treatment": "49.999"}, True), ("treatment_pct", {"treatment": "50"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R4.power": World(
        {"production": ON, "flow": "80", "SO2": "12", "NOx": "4"},
        {"production": "10", "flow": "40", "SO2": "12", "NOx": "4"}, 30, 5,
        (
            ("production_pct", {"production": "49.999"}, True), ("production_pct", {"production": "50"}, False),
            ("flow_pct", {"flow": "20.001"}, True), ("flow_pct", {"flow": "20"}, False),
            ("concentration", {"SO2": "5.001"}, True), ("concentration", {"SO2": "5"}, False),
            ("concentration", {"SO2": "5", "NOx": "5.001"}, True), ("concentration", {"SO2": None, "NOx": "6"}, True),
        ),
    ),
    "R4.mark": World(
        {"O2": "8", "flow": "80"}, {"O2": "12", "flow": "40"}, 30, 5,
        (
            ("o2_pct", {"O2": "18.999"}, True), ("o2_pct", {"O2": "19"}, False),
            ("flow_pct", {"flow": "20.001"}, True), ("flow_pct", {"flow": "20"}, False),
        ),
        states=("standstill",),
    ),
    "R5.air": World(
        {"O2": "8", "production": ON}, {"O2": "20.9", "production": ON}, 10, 5,
        (
            ("o2_pct", {"O2": "20.5"}, True), ("o2_pct", {"O2": "20.499"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R8": World(
        {"velocity": "12", "production": ON}, {"velocity": "3", "production": ON}, 10, 5,
        (
            ("low_m_s", {"velocity": "4.999"}, True), ("low_m_s", {"velocity": "5"}, False),
            ("high_m_s", {"velocity": "30.001"}, True), ("high_m_s", {"velocity": "30"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R10.range": World(
        {"SO2": "12"}, {"SO2": "300"}, 60, 15,
        (("range_pct", {"SO2": "298.5"}, True), ("range_pct", {"SO2": "298.499"}, False)),  # 99.5 % of 300
    ),
    "R16.range": World(
        {"slurry_ph": "5.6", "production": ON}, {"slurry_ph": "4.2", "production": ON}, 30, 5,
        (
            ("low", {"slurry_ph": "4.999"}, True), ("low", {"slurry_ph": "5"}, False),
            ("high", {"slurry_ph": "6.201"}, True), ("high", {"slurry_ph": "6.2"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R17": World(
        {"circulation_pump": "50", "production": ON}, {"circulation_pump": "10", "production": ON}, 10, 5,
        (
            ("pump_pct", {"circulation_pump": "29.999"}, True), ("pump_pct", {"circulation_pump": "30"}, False),
            ("load_pct", {"production": "400.001"}, True), ("load_pct", {"production": "400"}, False),
        ),
    ),
    "R18.low": World(
        {"pressure_drop": "900", "production": ON}, {"pressure_drop": "50", "production": ON}, 10, 5,
        (
            ("pressure_pa", {"pressure_drop": "299.999"}, True), ("pressure_pa", {"pressure_drop": "300"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R18.high": World(
        {"pressure_drop": "900", "production": ON}, {"pressure_drop": "2500", "production": ON}, 10, 5,
        (
            ("pressure_pa", {"pressure_drop": "2000.001"}, True), ("pressure_pa", {"pressure_drop": "2000"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R19.reagent": World(
        {"reagent": "16", "production": ON, "NOx": "30"}, {"reagent": OFF, "production": ON, "NOx": "30"}, 30, 5,
        (
            ("reagent_pct", {"reagent": "0.32"}, True), ("reagent_pct", {"reagent": "0.321"}, False),  # 1 % of 32
            ("load_pct", {"production": "400.001"}, True), ("load_pct", {"production": "400"}, False),
            ("limit", {"NOx": "49.999"}, True), ("limit", {"NOx": "50"}, False),
        ),
    ),
    "R19.slip": World(
        {"NH3": "1"}, {"NH3": "4"}, 60, 15,
        (("scr_mg_m3", {"NH3": "2.501"}, True), ("scr_mg_m3", {"NH3": "2.5"}, False)),
    ),
    "R20": World(
        {"valve": "0.5", "production": ON}, {"valve": "45", "production": ON}, 5, 5,
        (
            ("opening_pct", {"valve": "4.501"}, True), ("opening_pct", {"valve": "4.5"}, False),  # 5 % of 90
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
    ),
    "R24": World(
        {"lift_pump": "40", "flow": "30"}, {"lift_pump": "40", "flow": "0"}, 60, 5,
        (
            ("pump_pct", {"lift_pump": "16.001"}, True), ("pump_pct", {"lift_pump": "16"}, False),  # 20 % of 80
            ("flow", {"flow": "0.001"}, False),
        ),
        plant={"medium": "water"},
    ),
    "R5.ceiling": World(
        {"O2": "8", "production": ON}, {"O2": "13", "production": ON}, 2, 1,
        (
            ("ceiling_pct", {"O2": "12.001"}, True), ("ceiling_pct", {"O2": "12"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
        step=60,
    ),
    "R6.line": World(
        # O2 8.36: 19.5 · (20.9 - 8.36) / 20.9 = 11.7; 20 % off: below 9.36, above 14.04
        {"O2": "8.36", "CO2": "11.7"}, {"O2": "8.36", "CO2": "7"}, 2, 1,
        (
            ("off_pct", {"CO2": "9.359"}, True), ("off_pct", {"CO2": "9.36"}, False),
            ("off_pct", {"CO2": "14.041"}, True), ("off_pct", {"CO2": "14.04"}, False),
            # at O2 19.828 the line is 1.00019 %, at 19.829 it is 0.99926 %: too little to say
            ("least_co2_pct", {"O2": "19.828", "CO2": "0"}, True),
            ("least_co2_pct", {"O2": "19.829", "CO2": "0"}, False),
        ),
        step=60,
    ),
    "R7": World(
        # load 50 %: 50 of 100 m³/s; 30 % off: below 35, above 65
        {"flow": "50", "production": ON}, {"flow": "80", "production": ON}, 3, 1,
        (
            ("off_pct", {"flow": "65.001"}, True), ("off_pct", {"flow": "65"}, False),
            ("off_pct", {"flow": "34.999"}, True), ("off_pct", {"flow": "35"}, False),
            ("production_pct", {"production": "200.001"}, True), ("production_pct", {"production": "200"}, False),
        ),
        step=60,
    ),
}  # fmt: skip


def build(world: World, loud: list[tuple[int, int]], unknown: list[tuple[int, int]], **change: Any) -> Any:
    values = {**world.loud, **change}
    tracks = {
        name: line(
            LENGTH,
            world.quiet[name],
            *[(begin, end, values[name]) for begin, end in loud],
            *[(begin, end, None) for begin, end in unknown],
        )
        for name in world.quiet
    }
    states = {state: flags(LENGTH, *loud, *unknown) for state in world.states}
    made = series(world.step, tracks, **states)
    return look(made, **world.plant) if world.step == 1 else look(None, made, **world.plant)


@pytest.mark.parametrize("check", WORLDS)
def test_the_hold_time_is_sharp(check: str) -> None:
    world = WORLDS[check]
    exact = of(build(world, [(AT, AT + world.hold)], []), check)
    step = world.step
    assert periods(exact) == [(AT * step, (AT + world.hold) * step)]
    assert exact[0].raised - T0 == (AT + world.hold) * step
    assert not of(build(world, [(AT, AT + world.hold - 1)], []), check)
    longer = of(build(world, [(AT, LENGTH)], []), check)
    assert periods(longer) == [(AT * step, None)]
    assert longer[0].raised == exact[0].raised
    assert longer[0].figures == exact[0].figures


@pytest.mark.parametrize("check", WORLDS)
def test_the_gap_is_sharp(check: str) -> None:
    """Unknown slots: a gap that is bridged counts to the period, a longer one ends it."""
    world = WORLDS[check]
    half = (world.hold + 1) // 2
    first, step = (AT, AT + half), world.step
    for gap, bridged in ((world.gap, True), (world.gap + 1, False)):
        second = (AT + half + gap, AT + half + gap + half)
        found = of(build(world, [first, second], [(first[1], second[0])]), check)
        if bridged:
            assert periods(found) == [(AT * step, second[1] * step)]
        elif world.hold > 1:
            assert half < world.hold
            assert not found
    # at the end of the series: open while the gap lasts
    for gap, is_open in ((world.gap, True), (world.gap + 1, False)):
        begin = LENGTH - gap - world.hold
        found = of(build(world, [(begin, LENGTH - gap)], [(LENGTH - gap, LENGTH)]), check)
        assert periods(found) == [(begin * step, None if is_open else (LENGTH - gap) * step)]


EDGES = [
    (check, name, tuple(values.items()), suspected)
    for check, world in WORLDS.items()
    for name, values, suspected in world.edges
]


@pytest.mark.parametrize(("check", "name", "values", "suspected"), EDGES)
def test_the_threshold_is_sharp(check: str, name: str, values: tuple[tuple[str, Any], ...], suspected: bool) -> None:
    world = WORLDS[check]
    found = of(build(world, [(AT, AT + world.hold + 3)], [], **dict(values)), check)
    assert bool(found) is suspected


@pytest.mark.parametrize("check", WORLDS)
def test_quiet_gives_nothing(check: str) -> None:
    assert not of(build(WORLDS[check], [], []), check)


SUPPRESSED = {
    **dict.fromkeys(("R1", "R16.range", "R17", "R18.high", "R20", "R24"), ("standstill", "excused")),
    **dict.fromkeys(("R18.low", "R19.reagent"), ("standstill", "condition", "excused")),
    **dict.fromkeys(("R5.air", "R8", "R5.ceiling", "R6.line", "R7", "R19.slip"), ("standstill", "condition")),
    "R4.power": ("excused",),
    "R4.mark": (),
    "R10.range": ("standstill",),
}


@pytest.mark.parametrize("check", WORLDS)
@pytest.mark.parametrize("state", ["standstill", "condition", "excused"])
def test_states_of_the_plant_suppress(check: str, state: str) -> None:
    """Standstill and marks end it; the part before stands when it was long enough."""
    world = WORLDS[check]
    if state in world.states:
        return
    long = 2 * world.hold + 4
    tracks = {name: line(LENGTH, world.quiet[name], (AT, AT + long, world.loud[name])) for name in world.quiet}
    states = {each: flags(LENGTH, (AT, AT + long)) for each in world.states}
    states[state] = flags(LENGTH, (AT + world.hold + 1, AT + long))
    made = series(world.step, tracks, **states)
    found = of(look(made, **world.plant) if world.step == 1 else look(None, made, **world.plant), check)
    length = world.hold + 1 if state in SUPPRESSED[check] else long
    assert periods(found) == [(AT * world.step, (AT + length) * world.step)]


@pytest.mark.parametrize("check", WORLDS)
@pytest.mark.parametrize("state", ["device", "calibrating"])
def test_what_analysers_say_in_calibration_is_not_known(check: str, state: str) -> None:
    """Rules on analysers see a gap, rules on machines do not mind."""
    world = WORLDS[check]
    meters = {
        "production",
        "treatment",
        "circulation_pump",
        "reagent",
        "valve",
        "lift_pump",
        "slurry_ph",
        "pressure_drop",
    }
    long = 2 * world.hold + world.gap + 4
    middle = (AT + world.hold + 1, AT + world.hold + 2 + world.gap)  # one slot longer than the gap
    tracks = {name: line(LENGTH, world.quiet[name], (AT, AT + long, world.loud[name])) for name in world.quiet}
    states = {each: flags(LENGTH, (AT, AT + long)) for each in world.states}
    states[state] = flags(LENGTH, middle)
    made = series(world.step, tracks, **states)
    found = periods(of(look(made, **world.plant) if world.step == 1 else look(None, made, **world.plant), check))
    whole = [(AT * world.step, (AT + long) * world.step)]
    if set(world.quiet) <= meters:
        assert found == whole
    else:
        assert found[0] == (AT * world.step, middle[0] * world.step)


def test_the_grace_time_of_r1() -> None:
    """Production comes on at 200 without treatment: not counted for 5 minutes, then held for 10."""
    for minutes, suspected in ((15, True), (14, False)):
        production = line(LENGTH, OFF, (AT, AT + minutes, ON))
        found = of(look(series(1, {"production": production, "treatment": line(LENGTH, OFF)})), "R1")
        assert periods(found) == ([(AT + 5, AT + 15)] if suspected else [])


@pytest.mark.parametrize(("value", "suspected"), [("8.001", True), ("8", False)])
def test_slip_of_sncr(value: str, suspected: bool) -> None:
    made = series(1, {"NH3": line(LENGTH, "1", (AT, AT + 60, value))})
    assert bool(of(look(made, denitration="SNCR"), "R19.slip")) is suspected


@pytest.mark.parametrize(
    ("process", "ceiling"),
    [("coal_boiler", "12"), ("cement_kiln_tail", "14"), ("coke_stack", "14"), ("sinter_head", "19.5")],
)
def test_the_ceilings_of_the_processes(process: str, ceiling: str) -> None:
    """emission.md §5 R5: boiler 12, cement kiln 14, coke oven 14, sinter 19.5."""
    for change, suspected in (("0.001", True), ("0", False)):
        value = str(Decimal(ceiling) + Decimal(change))
        made = series(60, {"O2": line(48, "8", (10, 12, value))})
        assert bool(of(look(None, made, process=process), "R5.ceiling")) is suspected


# ---- several machines, ratings and on_share


def test_machines_of_one_name_back_each_other_up_and_lines_do_not() -> None:
    on, off = line(LENGTH, "250"), line(LENGTH, "0")
    both = (track("treatment", off), track("treatment", on))
    made = series(1, {"production": line(LENGTH, ON), "treatment": both})
    assert not of(look(made), "R1")
    made = series(1, {"production": line(LENGTH, ON), "treatment": on, "treatment:dust": off})
    assert [each.subject for each in of(look(made), "R1")] == ["treatment:dust"]
    made = series(1, {"production": line(LENGTH, ON), "treatment": (track("treatment", off), track("treatment", off))})
    assert [each.subject for each in of(look(made), "R1")] == ["treatment"]
    unknown = line(LENGTH, None)
    made = series(
        1, {"production": line(LENGTH, ON), "treatment": (track("treatment", off), track("treatment", unknown))}
    )
    assert not of(look(made), "R1")


@pytest.mark.parametrize(("share", "value", "suspected"), [("0.5", "250", False), ("0.5", "249.999", True)])
def test_the_registry_says_from_which_share_on_a_machine_is_on(share: str, value: str, suspected: bool) -> None:
    cure = track("treatment", line(LENGTH, value), on_share=Fraction(share))
    found = of(look(series(1, {"production": line(LENGTH, ON), "treatment": cure})), "R1")
    assert bool(found) is suspected


# ---- R2


def start_world(delay: int, length: int = 60) -> Any:
    production = line(LENGTH, OFF, (AT, AT + length, ON))
    cure = line(LENGTH, OFF, (AT + delay, AT + length, "250"))
    return series(1, {"production": production, "treatment": cure})


def test_treatment_that_starts_late() -> None:
    """On with production, or 5 minutes later: in time. 6 minutes later: late, until it is on."""
    for delay, expected in ((-3, []), (0, []), (5, []), (6, [(AT + 5, AT + 6)]), (9, [(AT + 5, AT + 9)])):
        assert periods(of(look(start_world(delay)), "R2.late")) == expected
    found = of(look(start_world(9)), "R2.late")
    assert found[0].figures == {"minutes": "6"}
    # 10 % of 500: as for R1
    for value, expected in (("49.999", [(AT + 5, AT + 30)]), ("50", [])):
        cure = line(LENGTH, OFF, (AT, AT + 30, value), (AT + 30, AT + 60, "250"))
        made = series(1, {"production": line(LENGTH, OFF, (AT, AT + 60, ON)), "treatment": cure})
        assert periods(of(look(made), "R2.late")) == expected
    for value, expected in (("200.001", True), ("200", False)):
        made = series(1, {"production": line(LENGTH, OFF, (AT, LENGTH, value)), "treatment": line(LENGTH, OFF)})
        assert bool(of(look(made), "R2.late")) is expected
    # a gap of 5 unknown minutes is bridged, one of 6 is not
    for gap, count in ((5, 1), (6, 2)):
        cure = line(LENGTH, OFF, (AT + 10, AT + 10 + gap, None))
        made = series(1, {"production": line(LENGTH, OFF, (AT, AT + 40, ON)), "treatment": cure})
        assert len(of(look(made), "R2.late")) == count


def test_a_late_start_is_looked_for_so_far_back() -> None:
    made = series(1, {"production": line(700, OFF, (100, 700, ON)), "treatment": line(700, OFF)})
    assert periods(of(look(made), "R2.late")) == [(105, 341)]  # 240 minutes after it came on it is R1's matter
    assert periods(of(look(made, changes={"R2": {"search_min": 120}}), "R2.late")) == [(105, 221)]


@pytest.mark.parametrize(("ahead", "suspected"), [(240, True), (241, False)])
def test_a_stop_that_is_long_ago_is_another_rule(ahead: int, suspected: bool) -> None:
    tracks = {"production": line(700, OFF, (50, 600, ON)), "treatment": line(700, OFF, (50, 600 - ahead, "250"))}
    assert bool(of(look(series(1, tracks)), "R2.early")) is suspected


def day_world(production: int, cure: int, unknown: int = 0) -> Any:
    tracks = {
        "production": line(1440, OFF, (0, production, ON), (1440 - unknown, 1440, None)),
        "treatment": line(1440, OFF, (0, cure, "250")),
    }
    return series(1, tracks)


@pytest.mark.parametrize(
    ("production", "cure", "unknown", "suspected"),
    [
        (600, 570, 0, False), (600, 569, 0, True), (600, 700, 0, False), (600, 500, 360, True), (600, 500, 361, False)
    ],
)  # fmt: skip
def test_the_run_time_of_a_day(production: int, cure: int, unknown: int, suspected: bool) -> None:
    found = of(look(day_world(production, cure, unknown)), "R2.day")
    assert bool(found) is suspected
    if suspected:
        assert found[0].figures == {"production_min": str(production), "treatment_min": str(cure)}


@pytest.mark.parametrize(
    ("name", "level", "cure", "suspected"),
    [
        ("production_pct", "200.001", "0", True), ("production_pct", "200", "0", False),
        ("treatment_pct", ON, "49.999", True), ("treatment_pct", ON, "50", False),
    ],
)  # fmt: skip
def test_what_runs_in_a_day(name: str, level: str, cure: str, suspected: bool) -> None:
    tracks = {"production": line(1440, level), "treatment": line(1440, cure)}
    assert bool(of(look(series(1, tracks)), "R2.day")) is suspected


# ---- R3


def under_run(
    cure: str, *, days: int = 30, production: str = "800", minutes: int = 30, usual: str = "300", **more: Any
) -> Any:
    """Usually 300/500 over 800/1000: a ratio of 0.75; half of it is 0.375, so 150 of 500 at 800 of 1000."""
    hours = series(
        60,
        {"production": line(24 * days, "800"), "treatment": line(24 * days, usual)},
        start=T0 - 1440 * days,
    )
    tracks = {
        "production": line(LENGTH, "800", (AT, AT + minutes, production)),
        "treatment": line(LENGTH, "300", (AT, AT + minutes, cure)),
    }
    return look(series(1, tracks), hours, start=T0, **more)


@pytest.mark.parametrize(
    ("cure", "more", "suspected"),
    [
        ("149.999", {}, True), ("150", {}, False),  # 0.5 of the median
        ("149.999", {"minutes": 29}, False),
        ("60", {"production": "500.001"}, True), ("60", {"production": "500"}, False),  # above 50 %
        ("149.999", {"days": 20}, True),  # 20 of 30 days are enough
        ("180", {"usual": "360"}, False), ("179.999", {"usual": "360"}, True),
    ],
)  # fmt: skip
def test_treatment_under_run(cure: str, more: dict[str, Any], suspected: bool) -> None:
    assert bool(of(under_run(cure, **more), "R3")) is suspected


def test_too_little_history_is_told_once() -> None:
    found = under_run("100", days=19)
    assert not of(found, "R3")
    lacks = [each for each in found.inapplicable if each.rule == "R3"]
    assert [(each.code, each.reason_en) for each in lacks] == [
        ("history", "needs 20 of the last 30 days of history, has 19")
    ]


def test_the_history_is_that_of_thirty_days() -> None:
    """Older hours with twice the ratio do not count; a longer history_days lets them in."""
    hours = series(
        60,
        {
            "production": line(24 * 70, "800"),
            "treatment": line(24 * 70, "300", (0, 24 * 40, "500")),
        },
        start=T0 - 1440 * 70,
    )
    tracks = {"production": line(LENGTH, "800"), "treatment": line(LENGTH, "300", (AT, AT + 30, "200"))}
    assert not of(look(series(1, tracks), hours, start=T0), "R3")
    more = {"R3": {"history_days": 70}}  # median of 40 · 1.25 and 30 · 0.75: 1.25, half of it 0.625: 250 of 500
    assert of(look(series(1, tracks), hours, start=T0, changes=more), "R3")


def test_the_gap_of_r3() -> None:
    for gap, suspected in ((5, True), (6, False)):
        pieces = (AT, AT + 15, "100"), (AT + 15, AT + 15 + gap, None), (AT + 15 + gap, AT + 30 + gap, "100")
        hours = series(
            60, {"production": line(720, "800"), "treatment": line(720, "300")}, start=T0 - 1440 * 30
        )  # fmt: skip
        tracks = {"production": line(LENGTH, "800"), "treatment": line(LENGTH, "300", *pieces)}
        assert bool(of(look(series(1, tracks), hours, start=T0), "R3")) is suspected


# ---- settings: every number can be set


@pytest.mark.parametrize("check", [each for each in WORLDS if WORLDS[each].hold > 1])
def test_the_hold_time_can_be_set(check: str) -> None:
    world = WORLDS[check]
    hold = (world.hold + 7) * world.step
    tracks = {
        name: line(LENGTH, world.quiet[name], (AT, AT + world.hold + 6, world.loud[name])) for name in world.quiet
    }
    states = {each: flags(LENGTH, (AT, AT + world.hold + 6)) for each in world.states}
    made = series(world.step, tracks, **states)
    pair = (made, None) if world.step == 1 else (None, made)
    assert of(look(*pair, **world.plant), check)
    assert not of(look(*pair, changes={check: {"hold_min": hold}}, **world.plant), check)
    assert not of(look(*pair, changes={check: {"enabled": False}}, **world.plant), check)
    rule = check.partition(".")[0]
    assert not of(look(*pair, changes={rule: {"enabled": False}}, **world.plant), check)


def test_the_table_holds_what_the_note_says() -> None:
    """Hold times and gaps of the worlds above are those of the table."""
    for name, world in WORLDS.items():
        check = settings().check(name)
        assert (check.hold, check.gap, check.step) == (world.hold, world.gap, world.step), name
