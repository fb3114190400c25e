"""Rules of facility supervision on quiet days and in scenarios; an outlet that has them switched off or tuned."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from agents import rule_rates
from agents.emission import EmissionJudge
from agents.rejudge import rejudge
from agents.rule_rates import Rates, RatesError, Tally, checks, put_into, quiet, table
from agents.scenario_check import spans
from agents.scenario_run import simulate
from schemas import topics
from streams.simulator.timeline import Plan
from tests.streams.simulator.district import EXAMPLE, START, district, load_scenario, only

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rules-facility.md"
CLEAN = ("mingzhang-power",)


def committed() -> str:
    return DOCUMENT.read_text(encoding="utf-8").partition(rule_rates.BEGIN)[2].partition(rule_rates.END)[0]


def test_the_committed_table_has_every_rule_and_no_alarm_of_a_hard_one() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in committed().splitlines() if "|" in line]
    named = {row[0].partition(".")[0] for row in rows}
    assert {f"R{n}" for n in range(1, 26)} <= named
    hard = {check.name for check in checks(hard=True)}
    counted = [row for row in rows if len(row) == 9 and row[0] in hard]
    assert {row[0] for row in counted} == hard
    assert [row for row in counted if row[4] != "0" or row[5] != "0"] == []


def test_every_scenario_makes_its_rule_speak() -> None:
    part = committed().partition("规则 × 情景")[2]
    head, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if "|" in line]
    spoken = {name: {row[0] for row in rows if row[n] != "–"} for n, name in enumerate(head) if n}
    assert "R1" in spoken["treatment-off"]
    assert "R5.ceiling" in spoken["diluted-o2"]
    assert "R10.top" in spoken["clipped"]
    assert any(check.startswith("R9") for check in spoken["flat-line"])


def test_a_few_quiet_days_again() -> None:
    found = quiet(EXAMPLE, district(), days=3, seed=1, full=False, enterprises=CLEAN)
    hard = {check.name for check in checks(hard=True)}
    assert {check: found.said[check] for check in hard if found.said[check]} == {}
    assert found.days["R5.ceiling"] == 2 * 3, "two outlets that burn something, three days"
    assert found.series["R21"] > found.days["R21"] > 0, "it is asked of each factor"
    assert found.runs == [(1, 3, CLEAN)]
    assert Rates(found, Tally(), {}).ok


def test_an_alarm_of_a_hard_rule_is_told() -> None:
    tally = Tally(runs=[(1, 1, ())])
    tally.days["R1"] = tally.series["R1"] = tally.said["R1"] = tally.alarms["R1"] = 1
    assert not Rates(tally, Tally(), {}).ok
    statistical = Tally(runs=[(1, 1, ())])
    statistical.said["R14"] = statistical.alarms["R14"] = 1
    rates = Rates(statistical, Tally(), {"R1": {"treatment-off": "red"}})
    assert rates.ok
    text = table(rates)
    assert re.search(r"^\| R14 \| 统计 statistical \| 0 \| 0 \| 1 \| 1 \| 未问 not asked ", text, re.M)
    assert re.search(r"^\| R1 \| red \|", text, re.M)


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(RatesError, match="no place for the tables"):
        put_into("# 表", "x")
    document = f"a\n{rule_rates.BEGIN}\nold\n{rule_rates.END}\nb\n"
    assert put_into(put_into(document, "x\n"), "y\n") == document.replace("old", "y")


@pytest.mark.parametrize(
    ("rules", "checks_that_speak"),
    [
        ("{}", {"R5.ceiling"}),
        ('{ "R5.ceiling" = false }', set()),
        ('{ R5 = { enabled = false }, "R5.ceiling" = true }', {"R5.ceiling"}),
        ('{ "R5.ceiling" = { ceiling_pct = "20" } }', set()),
    ],
)
def test_an_outlet_switches_and_tunes_its_rules(rules: str, checks_that_speak: set[str]) -> None:
    (scenario,) = load_scenario("diluted-o2", district(), 4)
    (outlet,) = scenario.where
    registry = only([outlet])
    place = f'[[outlet]]\nid = "{outlet}"\n'
    assert registry.text.count(place) == 1
    registry = dataclasses.replace(registry, text=registry.text.replace(place, f"{place}rules = {rules}\n"))
    run = simulate(registry, Plan(START, 4, 5, (scenario,), frozenset()), kinds={"emission"})
    run.__dict__["judged"] = rejudge(run.records, judges={topics.READINGS_EMISSION: EmissionJudge})
    said = {span.first.detail["check"] for span in spans(run, "suspect") if span.first.now < run.plan.end_s * 1000}
    assert {check for check in said if check.startswith("R5")} == checks_that_speak
