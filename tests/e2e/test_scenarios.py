"""A scenario of the air by the way a user goes, ``up --once``, against the way through memory and its truths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.air import AirJudge
from agents.rejudge import rejudge_journal
from agents.scenario_check import Case, judge, spans
from agents.scenario_run import Run
from agents.scenario_sweep import CHECKERS, SEED, Sweep
from schemas import topics
from schemas.registry import load
from streams import journal
from tests.e2e import system

pytestmark = pytest.mark.whole
EXAMPLE = system.ROOT / "districts" / "example"


def test_the_whole_path_leaves_the_log_that_memory_leaves(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = system.run(
        "up", "--once", "--json", "--data", data, "--port", "0", "--control-port", "0",
        "--simulate", "2", "--seed", str(SEED), "--scenario", "silent-air",
    )  # fmt: skip
    assert json.loads(done.stdout)["accounting"]["balanced"]
    runs = Sweep(EXAMPLE, load(EXAMPLE), days=2)
    calm = runs.calm(frozenset(("air",)), False)
    memory = runs.run(frozenset(("air",)), False, "silent-air")
    whole = Run(memory.registry, memory.plan, list(journal.read(data / "journal")))
    result = judge(Case(whole, calm), CHECKERS)
    assert result.ok, result
    again = rejudge_journal(data, judges={topics.READINGS_AIR: AirJudge})
    for judged in (whole.judged, again):
        assert judged.last(topics.VERDICTS) == memory.judged.last(topics.VERDICTS)
    assert [str(span) for span in spans(whole)] == [str(span) for span in spans(memory)]
    # what the worker published is what a log judged again gives
    stored = system.verdicts(data)
    days = [k for k in again.last(topics.VERDICTS) if b"|air-day|" in k]
    assert len([k for k in stored if k.startswith("air_day,") and "dust=keep" in k]) == len(days)
    rows = json.loads(system.run("export", "air", "2026-04-07", "--data", data, "--json").stdout)
    assert len(rows) == 1 + 8 + 8
