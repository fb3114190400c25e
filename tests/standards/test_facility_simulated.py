"""The simulated district: what its scenarios say must be suspected is, at and around their thresholds.

The truths are those written by hand in ``districts/example/scenarios``; instruments read, and hours are meant, as the
simulator's loggers do it. With minutes and hours (``full``), and with hours alone, as on most days of a recording.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from schemas.registry import Outlet
from schemas.units import ratio
from standards.facility.engine import Review, review
from standards.facility.inputs import DAY, HOUR, Plant, Series, Track
from standards.facility.table import settings
from standards.fixed import MISSING
from streams.simulator.changes import Run
from streams.simulator.instruments import PLACES
from streams.simulator.scenarios import Scenario
from streams.simulator.world import (
    CALIBRATING,
    EXTRACTED,
    MAINTAINING,
    RUNNING,
    STANDSTILL,
    STARTING,
    STOPPING,
    World,
)
from tests.streams.simulator.district import START, district, load_scenario, only

T0 = (START - dt.date(1970, 1, 1)).days * DAY
PUMPS = {"circulation_pump_current": "circulation_pump"}


def plant_of(outlet: Outlet, date: dt.date) -> Plant:
    """What the registry says, with the binding hourly limits."""
    limits: dict[str, Fraction] = {}
    for limit in district().limits_at(outlet.id, date):
        if limit.averaging == "hour" and limit.side == "most" and limit.kind != "ultra_low":
            level = Fraction(limit.limit)
            limits[limit.factor] = min(level, limits.get(limit.factor, level))
    return Plant(
        process=outlet.process,
        medium=outlet.medium,
        normal_flow=None if outlet.normal_flow is None else Fraction(outlet.normal_flow),
        limits=limits,
        ranges={name: Fraction(value) for name, value in outlet.ranges.items()},
        detection={name: Fraction(value) for name, value in outlet.detection.items()},
    )


def measured(outlet_id: str, days: int, scenario: Scenario | None, seed: int, start: dt.date = START) -> Any:
    """Minutes and hours of an outlet as its loggers have them."""
    registry = only([outlet_id])
    world = World(registry, seed)
    run = Run(registry, world, start)
    parts: dict[str, list[np.ndarray]] = {}
    states: list[np.ndarray] = []
    for number in range(days):
        day = world.day(start + dt.timedelta(days=number))
        if scenario is not None:
            assert scenario.change is not None
            scenario.change(scenario, day, run)
        states.append(day.state[outlet_id])
        for name, values in day.outlets[outlet_id].items():
            parts.setdefault(name, []).append(values)
    outlet = registry.outlet_at(outlet_id, start)
    assert outlet is not None
    state = np.concatenate(states)
    meters = {meter.factor: meter for meter in registry.meters_at(outlet_id, start)}
    minutes: dict[str, Any] = {}
    hours: dict[str, Any] = {}
    grams: dict[str, np.ndarray] = {}
    for name, pieces in parts.items():
        places = PLACES.get(name, 2)
        counts = np.rint(np.concatenate(pieces) * 10**places).astype(np.int64)
        touched = np.isin(state, (CALIBRATING, MAINTAINING)) & (name in EXTRACTED)
        touched |= (state == MAINTAINING) & (name == "PM")
        counts = np.where(touched, MISSING, counts)
        grams[name] = counts
        rated = None
        if name in meters:
            meter = meters[name]
            rated = None if meter.rated is None else Fraction(meter.rated)
            kind = name.rsplit("_", 1)[0]
            name = PUMPS.get(kind, "slurry_ph" if meter.measures == "slurry_ph" else meter.measures)
        minutes[name] = Track(counts, places, rated=rated)
        hours[name] = Track(hourly(counts, places), places + 1, rated=rated)
        if name == "production":
            for end, of in (("Min", np.min), ("Max", np.max)):
                hours[f"production-{end}"] = Track(of(counts.reshape(-1, HOUR), axis=1), places, rated=rated)
    if outlet.ref_o2_pct is not None:
        for name in ("SO2", "NOx", "PM"):
            minutes[f"{name}-Zs"], hours[f"{name}-Zs"] = converted(grams, name, Fraction(outlet.ref_o2_pct))
    still = state == STANDSTILL
    return (
        Series(T0, minutes, 1, standstill=still, condition=np.isin(state, (STARTING, STOPPING)),
               calibrating=state == CALIBRATING, device=state == MAINTAINING),
        Series(T0, hours, HOUR, standstill=still.reshape(-1, HOUR).sum(axis=1) >= 45,
               condition=np.isin(state, (STARTING, STOPPING)).reshape(-1, HOUR).any(axis=1)),
        plant_of(outlet, start), state,
    )  # fmt: skip


def hourly(counts: np.ndarray, places: int) -> np.ndarray:
    """Means of the known minutes, with a decimal more, where at least 45 are known."""
    rows = counts.reshape(-1, HOUR)
    known = rows != MISSING
    n = known.sum(axis=1)
    sums = np.where(known, rows, 0).sum(axis=1) * 10
    means = np.floor_divide(2 * sums + np.maximum(n, 1), 2 * np.maximum(n, 1))
    return np.where(n >= 45, means, MISSING).astype(np.int64)


def converted(counts: dict[str, np.ndarray], name: str, reference: Fraction) -> tuple[Track, Track]:
    """C · (21 - ref) / (21 - O2), of minutes and their means."""
    if name not in counts:
        empty = np.full(len(counts["O2"]), MISSING, dtype=np.int64)
        return Track(empty), Track(empty[::HOUR].copy())
    c, o2 = counts[name], counts["O2"]
    places = PLACES.get(name, 2)
    known = (c != MISSING) & (o2 != MISSING) & (o2 < 2100)
    value = np.where(known, c, 0) * float(21 - reference) / (21 - np.where(known, o2, 0) / 100)
    zs = np.where(known, np.rint(value * 10), MISSING).astype(np.int64)
    return Track(zs, places + 1), Track(hourly(zs, places + 1), places + 2)


def asked(minutes: Series | None, hours: Series, plant: Plant, days: int) -> Review:
    empty = Series(T0, {}, 1)
    return review(empty if minutes is None else minutes, hours, settings(plant), T0, T0 + days * DAY)


CASES = [
    ("treatment-off", 4, ("0", "0.5", "0.98", "1.01", "2"), (True,)),
    ("flat-line", 4, ("0.9", "1.05", "3", "4.99", "6"), (True, False)),
    ("diluted-o2", 6, ("0.9", "0.97", "1.02", "1.2"), (True, False)),
    ("clipped", 7, ("0.5", "0.97", "1.01", "1.5"), (True, False)),
]


@pytest.mark.parametrize(
    ("name", "days", "strength", "full"),
    [
        (name, days, strength, full)
        for name, days, strengths, fulls in CASES
        for strength in strengths
        for full in fulls
    ],
)
def test_the_truths_of_the_scenarios_hold(name: str, days: int, strength: str, full: bool) -> None:
    registry = district()
    (scenario,) = load_scenario(f"{name}@{strength}", registry, days)
    (outlet_id,) = scenario.where
    minutes, hours, plant, _ = measured(outlet_id, days, scenario, 7)
    found = asked(minutes if full else None, hours, plant, days)
    start_s = T0 * 60 - 8 * 3600
    truths = [
        truth
        for truth in scenario.truth(start_s, frozenset(range(1, days + 1)) if full else frozenset())
        if truth.kind == "suspected"
    ]
    for truth in truths:
        begin, end = ((second + 8 * 3600) // 60 for second in (truth.start_s, truth.end_s))
        mine = [
            each
            for each in found.suspicions
            if each.rule == truth.expected["rule"] and each.begin < end and (each.end is None or each.end > begin)
        ]
        assert bool(mine) is truth.expected["suspected"], (truth, [each.reason_en for each in mine])


@pytest.mark.parametrize("outlet_id", ["mingzhang-boiler-1", "baiyuan-kiln-tail", "yunqi-stack", "lanfeng-sinter-head"])
def test_a_simulated_plant_that_does_nothing_wrong(outlet_id: str) -> None:
    """docs/simulator-plausibility.md: none of the rules on treatment, oxygen, load and flow finds anything."""
    minutes, hours, plant, state = measured(outlet_id, 5, None, 3)
    assert (state == RUNNING).any()
    found = asked(minutes, hours, plant, 5)
    assert [
        each.reason_en for each in found.suspicions if each.rule in ("R1", "R3", "R4", "R5", "R6", "R7", "R9")
    ] == []


def test_units_of_the_example_are_those_the_rules_expect() -> None:
    assert ratio("m3/s", "m3/s") == 1
