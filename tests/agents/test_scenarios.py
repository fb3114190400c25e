"""Scenarios of the air against their truths: the committed table, three of its runs made again, what refutes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from agents import rejudge, scenario_air, scenario_sweep, scenario_truths
from agents.air import AirJudge
from agents.scenario_check import Case, false_alarms, judge
from agents.scenario_run import Run
from agents.scenario_sweep import CHECKERS, Sweep, judged_scenarios, put_into, strengths, table
from agents.scenario_truths import DAY_INCOMPLETE
from schemas import topics
from schemas.registry import load
from streams import journal
from streams.simulator import scenarios
from streams.simulator.simulate import folder_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "districts" / "example"
DOCUMENT = ROOT / "docs" / "scenarios-air.md"
AIR = frozenset(("air",))
KINDS = {*scenario_truths.CHECKERS, *scenario_air.CHECKERS}
"""Kinds of truth that speak of the air."""


@pytest.fixture(scope="module")
def runs() -> Sweep:
    return Sweep(EXAMPLE, load(EXAMPLE))


def pretend(run: Run, name: str) -> Run:
    """The same log, as if another scenario had happened in it."""
    plan = dataclasses.replace(run.plan, scenarios=scenarios.load([name], folder_of(EXAMPLE)))
    other = dataclasses.replace(run, plan=plan)
    other.__dict__["judged"] = run.judged  # judged once
    return other


def committed() -> list[list[str]]:
    """Cells of the rows of the committed table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    inside = text.partition(scenario_sweep.BEGIN)[2].partition(scenario_sweep.END)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in inside.strip().splitlines()[2:]]


def test_the_committed_table_has_every_scenario_no_miss_and_no_false_alarm() -> None:
    rows = committed()
    assert {row[0] for row in rows} == set(judged_scenarios(load(EXAMPLE), EXAMPLE, ["air"]))
    assert {row[8] for row in rows} == {"✓"}
    assert {row[9] for row in rows} <= {"", "–"}
    assert {row[3] for row in rows} == KINDS, "each kind of truth is proved by some scenario"
    assert {row[2] for row in rows} == {"–", "是 yes"}


def test_the_committed_table_has_every_edge() -> None:
    said = {(row[0], row[1], row[2] != "–") for row in committed()}
    for name in judged_scenarios(load(EXAMPLE), EXAMPLE, ["air"]):
        (scenario,) = scenarios.load([name], folder_of(EXAMPLE))
        for strength in strengths(scenario, False):
            if any(row.holds(strength, False) for row in scenario.rows):
                assert (name, f"{strength.normalize():f}", False) in said, (name, strength)


@pytest.mark.parametrize("name", ["late@6", "dust@3", "clock-off-air@1"])
def test_a_run_made_again_gives_its_committed_rows(runs: Sweep, name: str) -> None:
    result = runs.at(name, False)
    assert result.ok, table([result])
    scenario, strength = name.split("@")
    made = [[cell.strip() for cell in line.strip("|").split("|")] for line in table([result]).splitlines()[2:]]
    assert made == [row for row in committed() if row[:3] == [scenario, strength, "–"]]


def test_a_week_in_which_nothing_happens_says_nothing(runs: Sweep) -> None:
    calm = runs.calm(AIR, False)
    assert false_alarms(calm) == ()
    assert not calm.judged.all_of(topics.REVISIONS)


def test_what_is_not_concluded_is_a_miss(runs: Sweep) -> None:
    """The calm week, held against the truths of scenarios that did not happen in it."""
    calm = runs.calm(AIR, False)
    kinds = set()
    for name in ("late", "dust", "corrected", "silent-air", "garbage-air", "clock-off-air", "episode"):
        result = judge(Case(pretend(calm, name), calm), CHECKERS)
        missed = {line.truth.kind for line in result.lines if not line.finding.ok}
        assert missed == {line.truth.kind for line in result.lines} - {"unchanged"}, name
        kinds |= missed
    assert kinds == KINDS - {"unchanged"}


def test_what_changed_is_no_unchanged_and_unexplained_conditions_are_false_alarms(runs: Sweep) -> None:
    calm, off = runs.calm(AIR, False), runs.run(AIR, False, "clock-off-air@1")
    result = judge(Case(pretend(off, "duplicated-air"), calm), CHECKERS)
    assert not result.lines[0].finding.ok and not result.ok
    assert {span.first.rule for span in result.false_alarms} == {"hour-missing", DAY_INCOMPLETE}
    assert "hour-missing air-chengjiachuan yellow" in table([result])


def test_a_kind_nobody_judges_is_a_miss(runs: Sweep) -> None:
    calm = runs.calm(AIR, False)
    (line,) = judge(Case(pretend(calm, "ozone"), calm), {}).lines
    assert not line.finding.ok and "nobody judges" in line.finding.concluded


def test_edges_are_tried_just_inside() -> None:
    (episode,) = scenarios.load(["episode"], folder_of(EXAMPLE))
    found = strengths(episode, False)
    assert episode.strength in found and found == sorted(found)
    for edge in ("0.999", "1.0105095", "1.91808", "1.94194", "4.15584"):
        assert edge in {str(each) for each in found}


def test_a_document_without_markers_is_told() -> None:
    with pytest.raises(scenario_sweep.SweepError, match="scenarios: begin"):
        put_into("# nothing\n", "| |\n")
    text = f"a\n{scenario_sweep.BEGIN}\nold\n{scenario_sweep.END}\nb\n"
    assert put_into(put_into(text, "new\n"), "newer\n") == text.replace("old", "newer")


# ---- a log judged again


def test_the_judges_are_those_of_the_worker() -> None:
    from agents import worker

    assert {topic: make for topic, _, make in worker.JUDGES} == rejudge.JUDGES


def test_a_journal_judged_again_is_the_log_judged(runs: Sweep, tmp_path: Path) -> None:
    calm = runs.calm(AIR, False)
    book = journal.Journal(tmp_path / "data" / "journal")
    for at in range(0, len(calm.records), 500):
        book.append(calm.records[at : at + 500], sync=False)
    book.close()
    again = rejudge.rejudge_journal(
        tmp_path / "data", judges={topics.READINGS_AIR: AirJudge}, keep=(topics.CONDITIONS, topics.VERDICTS)
    )
    for topic in (topics.CELLS, topics.VERDICTS):
        assert again.last(topic) == calm.judged.last(topic)
    assert [o.value for o in again.all_of(topics.CONDITIONS)] == [
        o.value for o in calm.judged.all_of(topics.CONDITIONS)
    ]
    last = {output.key: output.value for output in again.all_of(topics.VERDICTS)}
    assert last == again.last(topics.VERDICTS)
    with pytest.raises(ValueError, match="were not kept"):
        again.all_of(topics.REVISIONS)


def test_a_folder_without_a_journal_is_told(tmp_path: Path) -> None:
    with pytest.raises(rejudge.RejudgeError, match="no journal of envstream up"):
        rejudge.rejudge_journal(tmp_path)


def test_the_document_names_the_command_that_makes_it() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert re.search(r"^    envstream check scenarios --kind air --write docs/scenarios-air\.md$", text, re.MULTILINE)
