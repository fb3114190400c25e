"""What proves the kinds of truth that speak of plants: hours of outlets against their limits, and what is suspected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agents.emission.facility import SUSPECT
from agents.emission.tracks import NEAR_LIMIT, OVER_LIMIT, OVER_ULTRA_LOW
from agents.scenario_check import Case, Checker, Explained, Finding, Span, spans
from schemas import times, topics
from schemas.messages_emission import HOUR, OutletHour
from standards.emission.alerts import GRADES
from streams.simulator.truth import Truth

_RULES: Final = (OVER_LIMIT, NEAR_LIMIT, OVER_ULTRA_LOW)


def outlet_hours(truth: Truth, case: Case) -> Finding:
    """Every hour of a factor that lies in the period has the verdict; ``level`` is the worst the alarm comes to.

    ``hours`` is how many there are, ``limit`` what binds, ``limit_kind`` the kind of limit that decides.
    """
    expected, factor = truth.expected, truth.expected["factor"]
    said = list(_hours(case, truth))
    items = [one.items[factor] for one in said if factor in one.items]
    about = [s for rule in (OVER_LIMIT, NEAR_LIMIT) for s in spans(case.run, rule, truth.subject)]
    mine = [s for s in about if s.first.factor == factor and s.is_about(truth.start_s + 1, truth.end_s)]
    level = max((level for span in mine for level in span.levels), key=GRADES.index, default="")
    verdicts = {item.verdict for item in items}
    due = (truth.end_s - truth.start_s) // times.HOUR_S
    ok = verdicts == {expected["verdict"]} and len(items) == expected.get("hours", due)
    ok = ok and level == expected.get("level", level)
    ok = ok and all(item.limit == expected.get("limit", item.limit) for item in items)
    kind = expected.get("limit_kind")
    ok = ok and (kind is None or all(item.limits.get(kind) == expected["verdict"] for item in items))
    explains = tuple(Explained(rule, truth.subject, truth.start_s, truth.end_s) for rule in _RULES)
    return Finding(f"{len(items)} h {', '.join(sorted(verdicts))} {level}".rstrip(), ok, explains)


def _hours(case: Case, truth: Truth) -> Iterator[OutletHour]:
    """Verdicts of the hours that lie in a period, in order."""
    found = []
    for key, value in case.run.judged.last(topics.VERDICTS).items():
        if key.split(b"|")[1:3] == [truth.subject.encode(), HOUR.encode()]:
            one = msgspec.json.decode(value, type=OutletHour)
            if truth.start_s < one.time <= truth.end_s:
                found.append(one)
    yield from sorted(found, key=lambda one: one.time)


def suspected(truth: Truth, case: Case) -> Finding:
    """A rule of emission.md §5 suspects the outlet in the period, or does not."""
    rule = truth.expected["rule"]
    found = [s for s in suspicions(case, truth.subject) if s.first.detail["rule"] == rule]
    mine = [s for s in found if s.is_about(truth.start_s, truth.end_s)]
    checks = ", ".join(sorted({s.first.detail["check"] for s in mine}))
    # what is done to a plant may look wrong to other rules as well: they speak of the same hours
    explains = (Explained(SUSPECT, truth.subject, truth.start_s, truth.end_s),)
    return Finding(
        f"suspected by {checks}" if mine else "not suspected", bool(mine) == truth.expected["suspected"], explains
    )


def suspicions(case: Case, subject: str = "") -> list[Span]:
    """What is suspected in a run, of one outlet if named, in the order it was said."""
    return spans(case.run, SUSPECT, subject)


def alarms(found: list[Span]) -> list[Span]:
    """Those of plants somebody is told of at once: limits exceeded, and suspicions above blue."""
    told = [s for s in found if s.first.rule in (OVER_LIMIT, SUSPECT)]
    return [s for s in told if set(s.levels) - {"blue"}]


CHECKERS: Final[Mapping[str, Checker]] = {"outlet_hours": outlet_hours, "suspected": suspected}
