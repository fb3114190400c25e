"""Rules of facility supervision on quiet days and in scenarios; an outlet that has them switched off or tuned."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from agents import rule_rates
from agents.emission import EmissionJudge
from agents.rejudge import rejudge
from agents.rule_rates import Rates, RatesError, Spoke, Tally, checks, put_into, quiet, table
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
    counted = [row for row in rows if len(row) == 10 and row[0] in hard]
    assert {row[0] for row in counted} == hard
    assert [row for row in counted if row[5] != "0"] == []
    assert [row for row in counted if row[2] == "0" and not row[9]] == [], "what was not asked says why"


def test_every_scenario_makes_its_rule_speak() -> None:
    part = committed().partition("规则 × 情景")[2]
    head, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if "|" in line]
    spoken = {name: {row[0] for row in rows if row[n] != "–"} for n, name in enumerate(head) if n}
    assert "R1" in spoken["treatment-off"]
    assert "R5.ceiling" in spoken["diluted-o2"]
    assert "R10.top" in spoken["clipped"]
    assert any(check.startswith("R9") for check in spoken["flat-line"])


def test_a_few_quiet_days_again() -> None:
    found = quiet(EXAMPLE, district(), days=3, seed=1, enterprises=CLEAN)
    hard = {check.name for check in checks(hard=True)}
    assert {check: found.said(check) for check in hard if found.said(check)} == {}
    assert found.days["R5.ceiling"] == 2 * 3, "two outlets that burn something, three days"
    assert found.series["R21"] > found.days["R21"] > 0, "it is asked of each factor"
    assert found.runs == [(1, 3, 0, CLEAN)]
    assert list(found.lacking["R1"]) == ["缺分钟序列 production needs minutes of production"]
    assert Rates(found, {}).ok


def test_with_minutes_the_digits_and_the_slurry_are_asked_and_say_nothing() -> None:
    found = quiet(EXAMPLE, district(), days=2, seed=3, full_days=1, enterprises=CLEAN)
    assert (found.days["R16.flat"], found.series["R15"]) == (2, 6), "two boilers; PM, SO2 and NOx of each"
    assert found.days["R5.ceiling"] == 4, "hours are of both days"
    assert found.spoke == []


def test_the_record_is_the_same_however_often_an_outlet_is_reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    (scenario,) = load_scenario("diluted-o2", district(), 4)
    run = simulate(only(scenario.where), Plan(START, 4, 5, (scenario,), frozenset([4])), kinds={"emission"})
    told = []
    for hours in (1, 6):
        monkeypatch.setattr(rule_rates, "REVIEW_EVERY_H", hours)
        run.__dict__["judged"] = rejudge(run.records, judges={topics.READINGS_EMISSION: rule_rates.Watch().judge})
        told.append(
            {
                (span.first.detail["check"], span.first.subject, span.first.since, span.said[-1].until, span.levels[-1])
                for span in spans(run, "suspect")
                if span.said[-1].state == "ended"
            }
        )
    assert told[0] == told[1]
    assert "R5.ceiling" in {check for check, *_ in told[0]}


def spoke(check: str, level: str) -> Spoke:
    return Spoke(1, check, "somewhere", "", 0, level, "why")


def test_an_alarm_of_a_hard_rule_is_told() -> None:
    tally = Tally({"R1": 1}, {"R1": 1}, [spoke("R1", "orange")], runs=[(1, 1, 0, ())])
    assert not Rates(tally, {}).ok
    assert Rates(Tally(spoke=[spoke("R8", "blue")]), {}).ok, "blue is no alarm"
    statistical = Tally(
        spoke=[spoke("R14", "yellow")], lacking={"R14": {"缺甲 needs a": 2, "缺乙 needs b": 3}}, runs=[(1, 1, 0, ())]
    )
    rates = Rates(statistical, {"R1": {"treatment-off": "red"}})
    assert rates.ok
    text = table(rates)
    assert re.search(r"^\| R14 \| 统计 statistical \| 0 \| 0 \| 1 \| 1 \| – \| – .*\| 缺乙 needs b \|$", text, re.M)
    assert re.search(r"^\| R1 \| red \|", text, re.M)


def test_runs_that_are_finished_are_taken_from_where_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"days": 1, "seeds": [1, 2], "full_days": 0, "scenarios": (), "keep": tmp_path}
    made_of = rule_rates._made_of(district())
    monkeypatch.setattr(rule_rates, "_made_of", lambda _registry: made_of)
    once = rule_rates.count(EXAMPLE, district(), enterprises=CLEAN, **asked)
    assert [seed for seed, *_ in once.quiet.runs] == [1, 2]

    def another(*_args: Any, **_named: Any) -> Tally:
        raise RatesError("run anew")

    monkeypatch.setattr(rule_rates, "quiet", another)
    again = rule_rates.count(EXAMPLE, district(), enterprises=CLEAN, **asked)
    assert table(again) == table(once)
    with pytest.raises(RatesError, match="run anew"):  # another plan
        rule_rates.count(EXAMPLE, district(), enterprises=CLEAN, **asked | {"days": 2})
    monkeypatch.setattr(rule_rates, "_made_of", lambda _registry: "other code")
    with pytest.raises(RatesError, match="run anew"):
        rule_rates.count(EXAMPLE, district(), enterprises=CLEAN, **asked)


@pytest.mark.parametrize("asked", [{"seeds": []}, {"days": 0, "full_days": 0}, {"days": 2, "full_days": 3}])
def test_what_cannot_be_counted_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(RatesError, match="at least one seed and one day"):
        rule_rates.count(EXAMPLE, district(), **asked)


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(RatesError, match="no place for the table"):
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
