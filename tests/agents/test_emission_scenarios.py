"""What must be concluded from the simulated plants is concluded, just above and just below each threshold."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cache

import pytest

from agents import scenario_emission, scenario_truths
from agents.emission import EmissionJudge
from agents.rejudge import rejudge
from agents.scenario_check import Case, judge, spans
from agents.scenario_run import Run, simulate
from schemas import times, topics
from streams.simulator.timeline import Plan
from tests.streams.simulator.district import START, district, load_scenario, only

CHECKERS = {**scenario_truths.CHECKERS, **scenario_emission.CHECKERS}


def run(outlets: Iterable[str], days: int, name: str = "", *, full: Iterable[int] = (), seed: int = 5) -> Run:
    """Some days of some outlets, judged."""
    registry = only(outlets)
    if full:  # its loggers must say minutes, as those of a run in full do
        text = registry.text.replace("[receive]\n", '[receive]\nexpects = "minute"\n', 1)
        registry = dataclasses.replace(registry, text=text)
    chosen = load_scenario(name, registry, days) if name else ()
    found = simulate(registry, Plan(START, days, seed, chosen, frozenset(full)), kinds={"emission"})
    found.__dict__["judged"] = rejudge(found.records, judges={topics.READINGS_EMISSION: EmissionJudge})
    return found


@cache
def calm(outlet: str, days: int, full: tuple[int, ...]) -> Run:
    """The same days without a scenario."""
    return run([outlet], days, full=full)


@pytest.mark.parametrize(
    ("name", "days", "full"),
    [
        *((f"exceedance@{strength}", 3, ()) for strength in ("1.3", "1.001", "0.999", "0.811")),
        *((f"clipped@{strength}", 7, ()) for strength in ("1.5", "0.9")),
        *((f"flat-line@{strength}", 3, ()) for strength in ("6", "4.995", "0.949")),
        *((f"flat-line@{strength}", 3, (3,)) for strength in ("1.05", "0.949")),
        *((f"diluted-o2@{strength}", 4, ()) for strength in ("1.2", "1.001", "0.999")),
        *((f"treatment-off@{strength}", 3, (3,)) for strength in ("0", "0.999", "1.006")),
        *((f"silent@{strength}", 2, (2,)) for strength in ("6", "1.001", "0.949")),
        ("duplicated@2", 2, ()),
    ],
)
def test_scenarios_come_to_their_truth(name: str, days: int, full: tuple[int, ...]) -> None:
    whole = district()
    (scenario,) = load_scenario(name, whole, 7)
    (outlet,) = scenario.where
    case = Case(run([outlet], days, name, full=full), calm(outlet, days, full))
    result = judge(case, CHECKERS)
    assert result.lines
    for line in result.lines:
        assert line.finding.ok, f"{line.truth}: {line.finding.concluded}"


def test_a_quiet_week_has_no_false_alarm() -> None:
    found = run((o.id for o in district().outlets), 7)
    end_s = times.day_end(times.day_number(START) + 6)
    early = [s for s in spans(found) if s.first.now < end_s * 1000]
    assert [str(s) for s in early if set(s.levels) - {"blue"}] == []
    assert {s.first.rule for s in early} <= {"suspect"}
    assert len(early) < 8, "statistical checks speak by chance now and then (docs/law-facility.md §7)"
