"""What proves the kinds of truth that speak of water: sections against their targets, and what comes down the river."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agents.scenario_check import Case, Checker, Explained, Finding, Span, spans
from agents.water.warnings import SPRING_GUARD, WATER_LEVEL
from schemas import times, topics
from schemas.messages_water import CELL, WaterArrival, WaterCell, WaterVerdict
from schemas.registry import Registry
from standards.water import travel
from standards.water.sampling import is_wet
from streams.simulator.truth import Truth

_LEVELS: Final = ("", "watch", "warning", "serious")
_ALARM: Final = 2


def section(truth: Truth, case: Case) -> Finding:
    """Every new result of an item in the period is within its target, or every one is not; ``level`` of the warning.

    A result of the wet chemistry is in the period with its sample, an hour with the whole of it. What a wave that
    travels does to the sections downstream is explained by it, for as long as it passes there.
    """
    expected, item = truth.expected, truth.expected["item"]
    over = list(_results(case, truth, item))
    warned = [s for s in spans(case.run, WATER_LEVEL, truth.subject) if s.first.factor == item]
    during = [s for s in warned if s.is_about(truth.start_s, truth.end_s)]
    level = max((_LEVELS.index(one.detail["level"]) for s in during for one in s.said), default=0)
    meets = expected["meets"]
    ok = bool(over) and all(one != meets for one in over)
    ok = ok and (level < _ALARM if meets else level >= _ALARM)
    ok = ok and _LEVELS[level] == expected.get("level", _LEVELS[level])
    if "target" in expected:
        owed = case.run.registry.target(truth.subject, times.date_of(times.day_of(truth.end_s)))
        ok = ok and owed is not None and owed.target_class == expected["target"]
    if "ladder" in expected:
        ok = ok and all(one.edition.startswith(expected["ladder"]) for one in _hours(case, truth.subject))
    said = f"{sum(over)} of {len(over)} results worse than the target, {_LEVELS[level] or 'no warning'}"
    return Finding(said, ok, tuple(_explained(case.run.registry, truth)))


def _results(case: Case, truth: Truth, item: str) -> Iterator[bool]:
    """Of every new result of the period whether it is worse than the target."""
    verdicts = {one.period: one for one in _hours(case, truth.subject)}
    for value in case.run.judged.last(topics.CELLS).values():
        if f'"kind":"{CELL}"'.encode() not in value:
            continue
        cell = msgspec.json.decode(value, type=WaterCell)
        if cell.source != truth.subject or item not in cell.factors:
            continue
        at = cell.factors.index(item)
        drawn = cell.drawn[at]
        if cell.results[at] != "N" or drawn is None:
            continue
        begin = drawn if is_wet(item) else cell.time - times.HOUR_S
        if truth.start_s <= begin and max(drawn, begin) <= truth.end_s:
            yield item in verdicts[cell.period].over_target


def _hours(case: Case, subject: str) -> Iterator[WaterVerdict]:
    for key, value in case.run.judged.last(topics.VERDICTS).items():
        if key.split(b"|")[1:3] == [subject.encode(), b"water-hour"]:
            yield msgspec.json.decode(value, type=WaterVerdict)


def arrival(truth: Truth, case: Case) -> Finding:
    """What reaches a section from upstream: expected in this window, and linked to the warning when it came."""
    expected = truth.expected
    found = [
        one
        for value in case.run.judged.last(topics.VERDICTS).values()
        if b'"kind":"water-arrival"' in value
        for one in (msgspec.json.decode(value, type=WaterArrival),)
        if (one.section, one.item, one.source) == (truth.subject, expected["item"], expected["source"])
    ]
    right = [
        one
        for one in found
        # the file names minutes
        if (one.eta_from // 60 * 60, one.eta_to // 60 * 60) == (truth.start_s, truth.end_s)
        and all(
            getattr(one, name) == expected.get(name, getattr(one, name))
            for name in ("earliest_s", "probable_s", "latest_s")
        )
    ]
    linked = [
        s
        for s in spans(case.run, WATER_LEVEL, truth.subject)
        if s.said[-1].detail.get("from") == expected["source"] and s.first.factor == expected["item"]
    ]
    ok = any(one.state == "carried" for one in right) and bool(linked)
    said = "; ".join(f"{one.state} {times.text(one.eta_from)[5:16]}–{times.text(one.eta_to)[5:16]}" for one in found)
    explains = Explained(WATER_LEVEL, truth.subject, truth.start_s, truth.end_s + travel.late_s())
    return Finding(said or "nothing expected", ok, (explains,))


def _explained(registry: Registry, truth: Truth) -> Iterator[Explained]:
    """Conditions that are right where such water passes: rises and falls take a cycle on either side."""
    edge = travel.late_s()
    for rule in (WATER_LEVEL, SPRING_GUARD):
        yield Explained(rule, truth.subject, truth.start_s - edge, truth.end_s + edge)
    date = times.date_of(times.day_of(truth.start_s + 1))
    reaches = [(r.upper, r.lower, travel.Travel(*r.travel_s())) for r in registry.reaches_at(date)]
    for below, way in travel.ways(truth.subject, reaches, date).items():
        start, end = truth.start_s + way.travel.earliest, truth.end_s + way.travel.latest
        yield Explained(WATER_LEVEL, below, start - edge, end + edge)


def alarms(found: list[Span]) -> list[Span]:
    """Those of the river and the spring somebody is told of: orange and red."""
    return [s for s in found if s.first.rule in (WATER_LEVEL, SPRING_GUARD) and {"orange", "red"} & set(s.levels)]


CHECKERS: Final[Mapping[str, Checker]] = {"section": section, "arrival": arrival}
