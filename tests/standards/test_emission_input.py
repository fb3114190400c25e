"""``rules emission``: what a line may say, and what is refused by name; the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards.emission.verdicts import WORDS, rules_emission

ROOT = Path(__file__).resolve().parents[2]


def one(**line: Any) -> dict[str, Any]:
    (found,) = rules_emission([json.dumps({"id": "x", **line})])
    assert found["id"] == "x"
    return found


def item(**line: Any) -> dict[str, Any]:
    found = one(**line)
    (name,) = found["items"]
    return found["items"][name]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({}, ["items", "must be an object"]),
        ({"items": {}}, ["items", "must be an object"]),
        ({"items": {"NOx": "abc"}}, ["NOx", "'abc'", "not a number"]),
        ({"items": {"NOx": True}}, ["NOx", "not a number"]),
        ({"items": {"NOx": {"avg": [1]}}}, ["NOx avg", "not a number"]),
        ({"items": {"NOx": float("nan")}}, ["NOx", "not finite"]),
        ({"items": {"NOx": "1_0"}}, ["NOx", "not a number"]),
        ({"items": {"NOx": "１２"}}, ["NOx", "not a number"]),
        ({"items": {"NOx": 1e300}}, ["NOx", "absurdly"]),
        ({"items": {"NOx": 1}, "o2": "x"}, ["o2", "not a number"]),
        ({"items": {"NOx": 1}, "ref_o2": 21}, ["reference oxygen"]),
        ({"items": {"NOx": 1}, "ref_o2": 6, "o2": 3, "o2_ceiling": 22}, ["ceiling"]),
        ({"items": {"NOx": 1}, "minutes": 61}, ["minutes", "61"]),
        ({"items": {"NOx": 1}, "minutes": 44.5}, ["minutes", "44.5"]),
        ({"items": {"NOx": 1}, "flag": 3}, ["flag", "must be a text"]),
        ({"items": {"NOx": 1}, "mark": "SLEEP"}, ["mark", "SLEEP", "START"]),
        ({"items": {"NOx": 1}, "mark": 3}, ["mark"]),
        ({"items": {"NOx": 1}, "plant": "bakery"}, ["plant", "bakery", "cement_kiln"]),
        ({"items": {"NOx": 1}, "period": "week"}, ["period", "week"]),
        ({"items": {"NOx": 1}, "medium": "oil"}, ["medium", "oil"]),
        ({"items": {"NOx": 1}, "date": "soon"}, ["date", "soon"]),
        ({"items": {"NOx": 1}, "limits": 50}, ["limits", "must be an object"]),
        ({"items": {"NOx": 1}, "limits": {"NOx": None}}, ["NOx", "a number is needed"]),
        ({"items": {"NOx": 1}, "limits": {"NOx": {"cold": 8}}}, ["NOx", "a number is needed"]),
        ({"items": {"NOx": 1}, "limits": {"NOx": -1}}, ["NOx", "negative"]),
        ({"items": {"NOx": 1}, "limits": {"NOx": {"legal": 1, "wish": 2}}}, ["NOx", "'wish'"]),
        ({"items": {"COD": 1}, "period": "day"}, ["COD", "must be a list"]),
        ({"items": {"COD": [1]}, "period": "day", "medium": "water"}, ["COD", "volume_m3"]),
    ],
)
def test_bad_lines_are_named_in_one_line(line: dict[str, Any], words: list[str]) -> None:
    found = one(**line)
    assert set(found) == {"id", "error"}
    assert "\n" not in found["error"]
    for word in words:
        assert word in found["error"]


def test_lines_that_are_no_json_do_not_stop_the_others() -> None:
    good = '{"id": 3, "items": {"NOx": 1}}'
    found = list(rules_emission(["{", "", " ", "[]", b"\xff", '{"id":1,"id":2}', "[" * 100_000, good]))
    assert [("error" in each) for each in found] == [True, True, True, True, True, False]
    assert found[0]["error"].startswith("第1行 line 1")
    assert found[-1]["verdict"] == "NO_LIMIT"


def test_numbers_and_texts_are_the_same_and_unknown_keys_are_ignored() -> None:
    line = {"o2": 8.7, "ref_o2": 6, "flag": "N", "items": {"NOx": {"avg": 50}}, "limits": {"NOx": 50}}
    texts = {"o2": "8.7", "ref_o2": "6", "flag": "N", "items": {"NOx": {"avg": " 50 "}}, "limits": {"NOx": "50"}}
    assert one(**line) == one(**texts) == one(**line, weather="fine")


def test_all_limits_at_once() -> None:
    limits = {"NOx": {"legal": 100, "permit": 80, "ultra_low": 50, "temporary": 70}}
    found = item(flag="N", items={"NOx": 60}, limits=limits)
    assert found["verdict"] == "OK"
    assert found["limits"] == {"legal": "OK", "permit": "OK", "ultra_low": "EXCEED", "temporary": "OK"}
    assert (found["limit"], found["ratio"]) == ("70", "0.857")
    found = item(flag="N", items={"NOx": 75}, limits=limits)
    assert (found["verdict"], found["ratio"]) == ("EXCEED", "1.071")
    nothing_allowed = item(flag="N", items={"NOx": 1}, limits={"NOx": {"legal": 50, "permit": 0}})
    assert (nothing_allowed["verdict"], nothing_allowed["limit"], nothing_allowed["ratio"]) == ("EXCEED", "0", None)
    only_a_target = item(flag="N", items={"NOx": 60}, limits={"NOx": {"ultra_low": 50}})
    assert (only_a_target["verdict"], only_a_target["limits"]) == ("NO_LIMIT", {"ultra_low": "EXCEED"})


def test_a_value_is_shown_with_a_decimal_more_than_its_limit() -> None:
    def shown(limit: Any) -> str:
        return item(flag="N", items={"NOx": "60.97561"}, limits={"NOx": limit})["value"]

    assert [shown(limit) for limit in (50, "50.0", "0.05")] == ["61.0", "60.98", "60.976"]
    assert item(flag="N", items={"NOx": "12.25"}, limits={"NOx": 50})["value"] == "12.2"  # half to even


def test_suspicions_are_told() -> None:
    line: dict[str, Any] = {"ref_o2": 6, "items": {"NOx": {"avg": 50, "zs": "61.0"}}, "limits": {"NOx": 50}}
    assert "flag" in item(**line, o2=8.7)["flags"][0]
    assert any("not checked" in each for each in item(**line, flag="N")["flags"])
    assert any("rule: o2" in each for each in item(**line, flag="N", o2=22)["flags"])
    assert any("rule: zs" in each for each in item(**line, flag="N", o2=15)["flags"])
    assert any("rule: budget" in each for each in item(**line, flag="N", o2=8.7, mark="START")["flags"])
    assert "flags" not in item(**line, flag="N", o2=8.7)
    # O2 that is itself being calibrated converts nothing
    del line["items"]["NOx"]["zs"]
    assert item(**line, flag="N", o2=8.7, o2_flag="C")["reason"] == "no_oxygen"


def test_what_a_plant_does_not_exempt() -> None:
    line = {"flag": "N", "mark": "START", "budget_left_h": 3, "items": {"PM": 20}, "limits": {"PM": 10}}
    assert item(**line)["verdict"] == "EXEMPT"
    assert item(**line, plant="power")["verdict"] == "EXCEED"  # nitrogen oxides only
    assert item(**line, plant="ceramic_kiln")["verdict"] == "EXEMPT"


def test_the_worst_item_is_the_verdict_of_the_line() -> None:
    found = one(flag="N", items={"NOx": 60, "SO2": 1, "PM": None}, limits={"NOx": 50, "SO2": 35, "PM": 10, "CO": 9})
    assert found["verdict"] == "EXCEED"
    assert {name: each["verdict"] for name, each in found["items"].items()} == {
        "NOx": "EXCEED", "SO2": "OK", "PM": "INVALID",
    }  # fmt: skip
    assert list(found["not_judged"]) == ["CO"]
    assert found["verdict_zh"] == WORDS["EXCEED"] == "超标"


def test_an_item_may_have_its_own_flag_minutes_and_reference() -> None:
    items = {"NOx": {"avg": 60, "flag": "C"}, "SO2": {"avg": 60, "minutes": 44}, "PM": {"avg": 9, "ref_o2": None}}
    found = one(flag="N", minutes=60, o2=15, ref_o2=6, items=items, limits={"NOx": 50, "SO2": 50, "PM": 10})["items"]
    assert [found[name].get("reason") for name in items] == ["flag", "minutes", None]
    assert (found["PM"]["verdict"], found["PM"]["from"]) == ("OK", "avg")


def test_a_day_of_a_sewage_plant() -> None:
    def day(**more: Any) -> dict[str, Any]:
        line = {"period": "day", "medium": "water", "volume_m3": [120, 60, 0, 180], **more}
        (found,) = one(**line)["items"].values()
        return found

    cod = day(items={"COD": [38, 52, 0, 41]}, limits={"COD": 40})
    assert (cod["verdict"], cod["value"], cod["ratio"], cod["mass_kg"]) == ("EXCEED", "41.8", "1.046", "15.060000")
    assert (cod["valid"], cod["due"], cod["volume_m3"]) == (3, 3, "360.000")
    ammonia: dict[str, Any] = {"items": {"NH3N": [6, 6, None, 6]}, "limits": {"NH3N": {"most": 5, "cold": 8}}}
    assert day(**ammonia, temperature=12)["verdict"] == "OK"
    assert day(**ammonia, temperature=12)["limit"] == "8"
    assert day(**ammonia, temperature=[12, "12.1"])["verdict"] == "EXCEED"
    unknown = day(**ammonia)
    assert (unknown["verdict"], unknown["limit"]) == ("EXCEED", "5") and "rule: cold" in unknown["flags"][0]
    few = day(items={"COD": [38, None, 0, 41]}, limits={"COD": 40})
    assert (few["verdict"], few["reason"], few["valid"], few["due"]) == ("INVALID", "values", 2, 3)
    assert day(items={"COD": [38, 52, 0, 41]}, limits={"COD": 40}, due=24)["verdict"] == "INVALID"
    dry = day(volume_m3=[0, 0, 0, 0], items={"COD": [38, 52, 0, 41]}, limits={"COD": 40})
    assert (dry["verdict"], dry["reason"]) == ("NOT_APPLICABLE", "no_discharge")


def test_a_day_of_ph_goes_by_the_share_of_its_hours() -> None:
    def day(outside: int) -> dict[str, Any]:
        values = ["9.1"] * outside + ["7.5"] * (20 - outside)
        limits = {"pH": {"least": 6, "most": 9}}
        return item(period="day", medium="water", volume_m3=[1] * 20, items={"pH": values}, limits=limits)

    assert (day(2)["verdict"], day(2)["outside"]) == ("OK", 2)
    assert (day(3)["verdict"], day(3)["outside"]) == ("EXCEED", 3)


def test_a_day_of_gas_needs_twenty_hours() -> None:
    def day(count: int) -> dict[str, Any]:
        return item(period="day", items={"NOx": [251] * count + [None] * (24 - count)}, limits={"NOx": 250})

    assert (day(20)["verdict"], day(20)["value"]) == ("EXCEED", "251.0")
    assert (day(19)["verdict"], day(19)["reason"], day(19)["valid"]) == ("INVALID", "values", 19)


def test_ph_of_an_hour() -> None:
    line: dict[str, Any] = {"medium": "water", "flag": "N", "limits": {"pH": {"least": 6, "most": 9}}}
    found = item(**line, items={"pH": "5.99"})
    assert (found["verdict"], found["limit"], found["ratio"], found["value"]) == ("EXCEED", "6-9", None, "6.0")
    assert item(**line, items={"pH": "9.0"})["verdict"] == "OK"


WORDS_OF_JSON = st.sampled_from(["", "N", "START", "1e9", "999999999999", "NOx"])
NAMES = st.sampled_from(["NOx", "legal", "most", "avg"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS_OF_JSON,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(NAMES, each, max_size=3),
    max_leaves=6,
)
KEYS = [
    "period", "medium", "date", "items", "limits", "flag", "minutes", "o2", "o2_flag", "ref_o2", "o2_ceiling", "mark",
    "plant", "budget_left_h", "volume_m3", "temperature", "due",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), st.sampled_from(["hour", "day"]), st.booleans())
def test_whatever_a_line_says_it_is_answered(line: dict[str, Any], period: str, water: bool) -> None:
    sound: dict[str, Any] = {"items": {"NOx": ["999999999999"] * 20 if period == "day" else "999999999999"}}
    sound |= {"volume_m3": ["999999999999"] * 20, "limits": {"NOx": 0}, "medium": "water" if water else "gas"}
    found = one(**{**sound, "period": period, **line})
    assert ("error" in found) != ("verdict" in found)
    json.dumps(found)


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "envstream", "rules", "emission", *words],
        cwd=ROOT, input=given, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_command_answers_each_line() -> None:
    lines = '{"id":1,"flag":"N","items":{"NOx":51},"limits":{"NOx":50}}\n\nnonsense\n'
    done = run("--date", "2026-11-22", given=lines)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["id"], first["verdict"], first["items"]["NOx"]["ratio"]) == (1, "EXCEED", "1.020")
    assert "line 3" in second["error"]
    assert run("--date", "yesterday").returncode == 2


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, runpy\n"
        "sys.argv = ['envstream', 'rules', 'emission', '--help']\n"
        "try:\n    runpy.run_module('envstream', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert not {'numpy', 'standards.emission', 'faust', 'confluent_kafka'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "rules emission" in done.stdout
