"""Bad input: a clear error or flag naming item, value and rule; nothing is silently dropped."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from standards import dated
from standards.fixed import MISSING
from standards.water.items import item, items
from standards.water.ladders import _build, groundwater, source_limits, surface
from standards.water.readings import Reader, ReadingError, column, parse
from standards.water.verdicts import rules_water


def one(items: Any, **more: Any) -> dict[str, Any]:
    (found,) = rules_water([json.dumps({"id": "x", "body": "river", "items": items, **more})])
    return found


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ({"NH3N": float("nan")}, ["氨氮 NH3N", "NaN", "not finite", "rule: number"]),
        ({"NH3N": float("inf")}, ["氨氮 NH3N", "Infinity", "not finite"]),
        ({"NH3N": "-inf"}, ["氨氮 NH3N", "-inf", "not finite"]),
        ({"NH3N": -0.1}, ["氨氮 NH3N", "-0.1", "negative", "rule: range"]),
        ({"NH3N": "abc"}, ["氨氮 NH3N", "abc", "not a number"]),
        ({"NH3N": "1,5"}, ["氨氮 NH3N", "1,5", "not a number"]),
        ({"NH3N": True}, ["氨氮 NH3N", "true", "not a number"]),
        ({"NH3N": [1]}, ["氨氮 NH3N", "[", "not a number"]),
        ({"NH3N": 1e300}, ["氨氮 NH3N", "1e+300", "impossible", "rule: magnitude"]),
        ({"NH3N": 2e6}, ["氨氮 NH3N", "2000000", "impossible", "check the unit"]),
        ({"pH": 15}, ["pH", "15", "impossible"]),
        ({"pH": "7L"}, ["pH", "7L", "no detection limit"]),
        ({"DO": "<0.2"}, ["溶解氧 DO", "<0.2", "no detection limit"]),
        ({"NH3N": "0L"}, ["氨氮 NH3N", "0L", "detection limit"]),
        ({"NH3N": "L"}, ["氨氮 NH3N", "'L'", "not a number"]),
        ({"NH3N": 1, "氨氮": 2}, ["氨氮 NH3N", "given twice"]),
        ({"NH3N": 1, "w21003": 1}, ["氨氮 NH3N", "given twice"]),
        ([1], ["items", "must be an object"]),
        (None, ["items", "must be an object"]),
    ],
)
def test_bad_readings_are_named(items: Any, words: list[str]) -> None:
    found = one(items)
    assert set(found) == {"id", "error"}
    assert found["id"] == "x"
    for word in words:
        assert word in found["error"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"body": "sea"}, "'sea'"),
        ({"body": None}, "must be river, lake or groundwater"),
        ({"target": 7}, "'7'"),
        ({"target": 0}, "'0'"),
        ({"target": "III"}, "III"),
        ({"target": 2.5}, "2.5"),
        ({"date": "yesterday"}, "YYYY-MM-DD"),
        ({"date": "1999-01-01"}, "no edition"),
        ({"target": 3, "exclude": "DO"}, "must be a list"),
        ({"target": 3, "exclude": ["foo"]}, "foo"),
        ({"target": 3, "limits": {"NH3N": "x"}}, "氨氮 NH3N"),
        ({"target": 3, "limits": {"NH3N": None}}, "a number is needed"),
        ({"target": 3, "limits": [3]}, "must be an object"),
        ({"target": 6, "body": "groundwater"}, "1 … 5"),
        ({"limits": {"NH3N": 3}}, "needs a target"),
        ({"exclude": ["DO"], "body": "groundwater"}, "surface water only"),
    ],
)
def test_bad_lines_are_named(more: dict[str, Any], word: str) -> None:
    found = one({"NH3N": 1}, **more)
    assert set(found) == {"id", "error"}
    assert word in found["error"]


def test_lines_that_are_no_json_do_not_stop_the_others() -> None:
    good = '{"id": 3, "body": "river", "items": {"DO": 8}}'
    lines = ["{", "", "   ", "[]", '{"id": 1, "id": 2}', b"\xff\xfe", good.encode(), "[" * 100_000]
    found = list(rules_water(lines))
    assert len(found) == 6
    assert [("error" in each) for each in found] == [True, True, True, True, False, True]
    assert found[0]["error"].startswith("第1行 line 1")
    assert found[4] == next(rules_water([good]))
    assert found[4]["id"] == 3


def test_unit_mistakes_are_flagged_and_judged() -> None:
    found = one({"NH3N": 320})  # µg/L sent as mg/L
    assert found["class"] == 6
    assert "check the unit" in found["flags"][0]
    assert "氨氮 NH3N = 320 mg/L" in found["flags"][0]
    assert "exactly zero" in one({"TP": 0})["flags"][0]


def test_unknown_items_are_shown_and_unknown_keys_ignored() -> None:
    found = one({"NH3N": 1, "foo": "whatever"}, colour="green")
    assert found["class"] == 3
    assert "foo" in found["not_judged"]


def test_missing_items_are_ignored_but_shown() -> None:
    found = one({"NH3N": None, "TP": "", "DO": "/", "pH": 7})
    assert found["items"] == {"NH3N": -1, "TP": -1, "DO": -1, "pH": 1}
    assert found["class"] == 1
    assert one({"NH3N": None})["class"] == -1
    assert one({"NH3N": None}, target=3)["meets"] is None


def test_numbers_and_texts_are_the_same() -> None:
    assert one({"NH3N": 1.0}) == one({"NH3N": "1.0"}) == one({"氨氮": " 1.000 "}) == one({"w21003": 1})
    assert one({"TP": 2e-1})["class"] == 3
    assert one({"TP": 0.30000000000000004})["class"] == 5  # 0.1 + 0.2 in binary: above 0.3, and says so


def test_switches_are_checked_before_the_first_line() -> None:
    with pytest.raises(ValueError, match="rounding"):
        rules_water([], rounding="up")
    with pytest.raises(LookupError, match="GB 3838-1988"):
        rules_water([], edition="GB 3838-1988")
    with pytest.raises(LookupError, match="profile"):
        rules_water([], ph_decimals="ph_9")
    with pytest.raises(LookupError):
        rules_water([], item_set_name="all")


def test_negative_of_the_detection_limit_in_old_tables() -> None:
    line = '{"body": "river", "items": {"NH3N": -0.025}}'
    assert "error" in next(rules_water([line]))
    assert next(rules_water([line], negative_is_limit=True))["items"] == {"NH3N": 1}


def test_the_five_item_set() -> None:
    line = '{"body": "river", "items": {"NH3N": 0.1, "COD": 60}}'
    assert next(rules_water([line]))["class"] == 6
    found = next(rules_water([line], item_set_name="five"))
    assert found["class"] == 1
    assert "five" in found["not_judged"]["COD"]


def test_editions_by_date() -> None:
    assert surface("river", dt.date(2002, 6, 1)).edition == "GB 3838-2002"
    with pytest.raises(LookupError):
        surface("river", dt.date(2002, 5, 31))
    with pytest.raises(LookupError, match="river or lake"):
        surface("pond")
    assert groundwater(dt.date(2018, 5, 1)).edition == "GB/T 14848-2017"
    assert "benzo(a)pyrene" in source_limits().items


def test_columns() -> None:
    reader = Reader(item("NH3N"))
    found = reader.read(["0.1", "", "0.025L", "x", "0.1"])
    assert found.values.tolist() == [10_000_000, MISSING, 2_500_000, MISSING, 10_000_000]
    assert found.below.tolist() == [False, False, True, False, False]
    assert found.refused.tolist() == [False, False, False, True, False]
    assert "'x'" in reader.reasons["x"]
    with pytest.raises(ReadingError, match="'x'"):
        column(item("NH3N"), ["1", "x"])
    assert parse(item("T"), "-0.5") == (-50_000_000, False)
    assert parse(item("odour"), "无") == (0, False)
    assert parse(item("FC"), "24000000")[0] == 2_400_000_000
    with pytest.raises(ReadingError, match="a number in mg/L"):
        parse(item("NH3N"), "无")


def test_every_table_loads_and_knows_its_items() -> None:
    names = [path.stem for path in dated.TABLES.glob("water_*.toml")]
    assert len(names) > 20
    for name in names:
        for edition in dated.load(name):
            for row in edition.rows:
                if "item" in row and row.text("item") not in ("any", "others"):
                    assert row.text("item") in items(), row.where
                if "items" in row:
                    assert set(row.texts("items")) <= set(items()), row.where
    assert len(surface("lake").items) == 24 - 1  # Table 1 without temperature
    assert np.all(surface("river").high[:, 0] > 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{item = "NH3N", unit = "mg/L", high = [1, 0.5]}', "must get wider"),
        ('{item = "NH3N", unit = "NTU", high = [1]}', "unit NTU, but NH3N is kept in mg/L"),
        ('{item = "XYZ", unit = "mg/L", high = [1]}', "'XYZ' is no item"),
        ('{item = "NH3N", unit = "mg/L", high = [0.00000001]}', "finer than 7 decimals"),
    ],
)
def test_wrong_limits_are_refused_with_their_line(tmp_path: Path, row: str, reason: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(
        'format = 1\nsubject = "limits"\n[columns]\nitem = "text"\nunit = "unit"\nhigh = "numbers"\n'
        '[[edition]]\nname = "1"\nvalid_from = "open"\nvalid_to = "open"\n'
        'source = "s"\nclause = "c"\nconfidence = "A"\n'
        f"rows = [\n  {row},\n]\n",
        encoding="utf-8",
    )
    (edition,) = dated.read(file)
    with pytest.raises(dated.TableError, match=r"limits\.toml:15") as caught:
        _build(edition, list(edition.rows))
    assert reason in str(caught.value)
