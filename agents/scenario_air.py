"""What proves the kinds of truth that speak of air."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agents.air.areas import DUST_PROPOSED
from agents.scenario_check import Case, Checker, Explained, Finding, spans
from schemas import times, topics
from schemas.messages import AirVerdict, key
from streams.simulator.truth import Truth


def air_day(truth: Truth, case: Case) -> Finding:
    """Every day of an area in the period, with dust kept: good or not, category, primary pollutant, AQI."""
    expected = truth.expected
    group = case.run.registry.area(truth.subject).group
    last = case.run.judged.last(topics.VERDICTS)
    said, ok = [], True
    for day in range(times.day_of(truth.start_s + 1), times.day_of(truth.end_s) + 1):
        date = times.date_of(day).isoformat()
        found = last.get(key(group, truth.subject, "air-day", date, expected["edition"], "keep"))
        if found is None:
            return Finding(f"no verdict of {date}", False)
        verdict = msgspec.json.decode(found, type=AirVerdict)
        for name in ("good", "category", "primary", "aqi"):
            ok = ok and getattr(verdict, name) == expected.get(name, getattr(verdict, name))
        aqi = "NA" if verdict.aqi is None else str(verdict.aqi)
        said.append(" ".join((aqi, verdict.category or "NA", *verdict.primary)))
    return Finding("; ".join(said), ok)


def dust_day(truth: Truth, case: Case) -> Finding:
    """Somebody is asked to confirm a dust day."""
    found = [s for s in spans(case.run, DUST_PROPOSED, truth.subject) if s.first.since == truth.start_s]
    explained = Explained(DUST_PROPOSED, truth.subject, truth.start_s + 1, truth.end_s - 1)
    wanted = truth.expected["proposed"]
    return Finding("proposed" if found else "not proposed", bool(found) == wanted, (explained,) if wanted else ())


CHECKERS: Final[Mapping[str, Checker]] = {"air_day": air_day, "dust_day": dust_day}
