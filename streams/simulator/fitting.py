"""Scenarios against a district and a run: what cannot happen is refused with all reasons at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from schemas import hj212_codes
from schemas.registry import AIR_FACTORS, Registry
from streams.simulator import changes
from streams.simulator.processes import HABITS
from streams.simulator.scenarios import DAY_MIN, KINDS, Scenario, ScenarioError

LEAST_O2_BELOW: Final = Decimal(2)
"""Points by which a running plant's oxygen falls below its usual one at most."""


def check(scenarios: Sequence[Scenario], registry: Registry, start: dt.date, days: int) -> None:
    """Refuse what cannot happen in a run.

    Raises:
        ScenarioError: with every reason: times outside the run, places and factors that are not there, levels beyond
            an instrument, truths of nobody, scenarios that contradict each other.
    """
    errors: list[str] = []
    for scenario in scenarios:
        fitting = _Fitting(scenario, registry, start, days)
        fitting.check()
        errors += fitting.errors
    if not errors:  # what a scenario touches is known only where its places are
        errors += _contradictions(scenarios, registry, start)
    if errors:
        raise ScenarioError("\n".join(errors))


class _Fitting:
    """One scenario against a district, on the first and the last day of its window."""

    def __init__(self, scenario: Scenario, registry: Registry, start: dt.date, days: int) -> None:
        self.scenario, self.registry = scenario, registry
        self.days = days
        first, last = scenario.start_min // DAY_MIN, (scenario.end_min - 1) // DAY_MIN
        self.dates = [start + dt.timedelta(days=n) for n in dict.fromkeys((first, last))]
        self.errors: list[str] = []

    def error(self, where: str, what: str) -> None:
        text = f"scenario {self.scenario.name}: {where}: {what}"
        if text not in self.errors:
            self.errors.append(text)

    def check(self) -> None:
        scenario = self.scenario
        if scenario.end_min > self.days * DAY_MIN:
            end = -(-scenario.end_min // DAY_MIN)
            self.error("to", f"is on day {end} of a run of {self.days}: simulate more days, or move it")
        for number, row in enumerate(scenario.rows, 1):
            if not self.errors and row.start_min >= self.days * DAY_MIN:
                self.error(f"[[truth]] {number}", f"begins after a run of {self.days} days: simulate more")
            if not self._is_somebody(row.subject):
                self.error(f"[[truth]] {number}", f"subject {row.subject!r} is nobody in the registry")
        for date in self.dates:
            for place in scenario.where:
                getattr(self, f"_{KINDS[scenario.kind].places}")(place, date)

    def _is_somebody(self, subject: str) -> bool:
        registry = self.registry
        return any(area.id == subject for area in registry.areas) or any(s.id == subject for s in registry.sources)

    def _air(self, place: str, date: dt.date) -> None:
        areas = {a.id for a in self.registry.areas}
        if place in areas:
            if not self.registry.city_stations(place, date):
                self.error("where", f"area {place} has no station that counts for it on {date}")
        elif self.registry.station_at(place, date) is None:
            self.error("where", f"{place!r} is no area and no station on {date}")
        for name in ("factor", "companions", "cap"):
            value = self.scenario.settings[name]
            for factor in [value] if isinstance(value, str) else value:
                if factor not in AIR_FACTORS:
                    self.error(name, f"{factor!r} is none of {', '.join(AIR_FACTORS)}")

    def _outlet(self, place: str, date: dt.date) -> None:
        outlet = self.registry.outlet_at(place, date)
        if outlet is None:
            self.error("where", f"{place!r} is no outlet on {date}")
            return
        factor = self.scenario.settings.get("factor", "O2" if self.scenario.kind == "diluted_o2" else None)
        if factor is not None and factor not in outlet.factors:
            self.error("factor", f"{place} does not measure {factor}: one of {', '.join(outlet.factors)}")
        if self.scenario.kind == "diluted_o2" and self.scenario.level() >= 21:
            self.error("strength", f"O2 of {self.scenario.level()} % is more than air has")
        if self.scenario.kind == "treatment_off":
            measures = {m.measures for m in self.registry.meters_at(place, date) if m.rated is not None}
            if missing := sorted({"production", "treatment"} - measures):
                self.error("where", f"{place} has no meter of {' or '.join(missing)} with a rated value on {date}")
        top = outlet.ranges.get(str(factor))
        if self.scenario.kind == "outlet_level" and top is not None:
            # converted back to the least oxygen the plant is likely to have, minutes above the mean of their hour
            highest = self.scenario.level() * Decimal("1.1")
            if outlet.ref_o2_pct is not None:
                reference = Decimal(outlet.ref_o2_pct)
                usual = Decimal(HABITS[outlet.process].o2)
                least = (reference if abs(usual - reference) > Decimal("2.5") else usual) - LEAST_O2_BELOW
                highest *= (21 - least) / (21 - reference)
            if highest > Decimal(top):
                self.error("strength", f"minutes of {highest:.0f} are beyond the analyser of {place}: it ends at {top}")

    def _section(self, place: str, date: dt.date) -> None:
        section = self.registry.section_at(place, date)
        if section is None:
            self.error("where", f"{place!r} is no section on {date}")
            return
        for item in self.scenario.decimals("thresholds"):
            if item not in section.factors:
                self.error("thresholds", f"{place} does not measure {item}: one of {', '.join(section.factors)}")
        if self.scenario.flag("travels") and not any(r.upper == place for r in self.registry.reaches_at(date)):
            self.error("travels", f"no reach leads away from {place} on {date}")

    def _source(self, place: str, date: dt.date) -> None:
        found = [s for s in self.registry.sources_at(date) if s.id == place]
        if not found:
            self.error("where", f"{place!r} is no station, section, outlet or meter on {date}")
            return
        factor = self.scenario.settings.get("factor")
        if factor is not None and factor not in _factors(self.registry, place, date):
            self.error("factor", f"{place} does not measure {factor}")


def _factors(registry: Registry, place: str, date: dt.date) -> Sequence[str]:
    if registry.station_at(place, date) is not None:
        return AIR_FACTORS
    found = registry.section_at(place, date) or registry.outlet_at(place, date)
    return found.factors if found is not None else ()


def _contradictions(scenarios: Sequence[Scenario], registry: Registry, start: dt.date) -> Iterator[str]:
    touched = [(scenario, *_touches(scenario, registry, start)) for scenario in scenarios]
    for nth, (one, begin, end, mine) in enumerate(touched):
        for other, other_begin, other_end, theirs in touched[nth + 1 :]:
            common = sorted(mine & theirs)
            if common and begin < other_end and other_begin < end:
                place, what = common[0]
                yield (
                    f"scenarios {one.name} and {other.name}: both change {what} of {place} at the same time:"
                    " move one of them, or leave it out"
                )


def _touches(scenario: Scenario, registry: Registry, start: dt.date) -> tuple[int, int, frozenset[tuple[str, str]]]:
    """From when to when a scenario changes something, and what: pairs of place and factor, or how it is sent."""
    date = start + dt.timedelta(days=scenario.start_min // DAY_MIN)
    begin, end = scenario.start_min, scenario.end_min
    found: Iterable[tuple[str, str]]
    if scenario.kind == "air_level":
        found = [(station, f) for station in changes.stations_of(scenario, registry, date) for f in AIR_FACTORS]
    elif scenario.kind == "water_level":
        sections = list(changes.downstream(scenario, registry, date))
        found = [(section, item) for section, _, _ in sections for item in scenario.decimals("thresholds")]
        end += max(lag for _, lag, _ in sections) // 60
    elif scenario.kind == "diluted_o2":
        found = [(place, f) for place in scenario.where for f in ("O2", *_converted(registry, place, date))]
    elif scenario.kind == "treatment_off":
        found = [(place, "treatment") for place in scenario.where]
    elif KINDS[scenario.kind].delivery is not None:
        found = [(place, "how packets are sent") for place in scenario.where]
    else:
        found = [(place, scenario.text("factor")) for place in scenario.where]
    return begin, end, frozenset(found)


def _converted(registry: Registry, place: str, date: dt.date) -> list[str]:
    outlet = registry.outlet_at(place, date)
    assert outlet is not None
    known = ((f, hj212_codes.factor_of_name(f, outlet.medium)) for f in outlet.factors)
    return [name for name, factor in known if factor is not None and factor.unit == "mg/m3"]
