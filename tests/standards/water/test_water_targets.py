"""Targets with limits of their own, groundwater targets, and class texts as platforms print them."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from standards.water.published import PublishedClasses
from standards.water.verdicts import rules_water


def lake_line(limits: dict[str, Any], items: dict[str, Any], target: int = 3, body: str = "lake") -> dict[str, Any]:
    (found,) = rules_water([json.dumps({"body": body, "target": target, "limits": limits, "items": items})])
    return found


@pytest.mark.parametrize(
    ("body", "name", "value", "limit", "meets"),
    [
        ("lake", "TN", "1.8", "1.5", False),
        ("lake", "TN", "1.5", "1.5", True),
        ("lake", "TN", "1.50000001", "1.5", False),
        ("river", "TN", "9", "10", True),  # rivers have no limit of their own for it
        ("river", "NO3N", "12.5", "10", False),
        ("river", "FC", "30000", "20000", False),
        ("river", "hardness", "500", "450", False),
        ("river", "FC", "<20", "20000", True),
    ],
)
def test_a_target_limit_of_an_item_outside_the_class_is_judged(
    body: str, name: str, value: str, limit: str, meets: bool
) -> None:
    """A contract may limit any item (water.md §3.1); it decides ``meets``, never the class."""
    items = {"DO": "6", "TP": "0.02", name: value}
    found = lake_line({name: limit}, items, body=body)
    assert found["class"] == lake_line({}, items, body=body)["class"] == 2
    assert found["meets"] is meets
    over = {} if meets else {name: float((Fraction(value) - Fraction(limit)) / Fraction(limit))}
    assert found["over_target"] == over
    assert found["judged_by_limit"] == [name]
    assert name not in found.get("not_judged", {})


def test_a_target_limit_that_cannot_be_judged_is_named() -> None:
    found = lake_line({"SD": "1", "TN": "1", "COD": "20"}, {"TP": "0.02", "SD": "0.5", "TN": None})
    assert found["meets"] is True
    assert "judged_by_limit" not in found
    assert "target limit not judged" in found["not_judged"]["SD"]  # transparency: no standard says it must be above
    for name in ("TN", "COD"):
        assert found["not_judged"][name].endswith("a target limit but no reading")
    coarse = lake_line({"TN": "1"}, {"TP": "0.02", "TN": "2L"})
    assert (coarse["meets"], "above the target" in coarse["not_judged"]["TN"]) == (None, True)
    record = {"body": "lake", "target": 3, "limits": {"TN": 1}, "exclude": ["TN"], "items": {"TN": 3, "TP": "0.02"}}
    (found,) = rules_water([json.dumps(record)])
    assert (found["meets"], "its limit is not used" in found["not_judged"]["TN"]) == (True, True)


def test_an_override_of_oxygen_is_a_lower_limit_for_every_target() -> None:
    for target in (4, 5, 6):
        for value, meets in (("3.9", False), ("4", True)):
            assert lake_line({"DO": "4"}, {"DO": value}, target)["meets"] is meets


def test_limits_of_the_five_item_set() -> None:
    line = json.dumps({"body": "river", "target": 3, "limits": {"COD": 25}, "items": {"NH3N": "0.1", "COD": 30}})
    (found,) = rules_water([line], item_set_name="five")
    assert (found["class"], found["meets"], found["over_target"]) == (1, False, {"COD": 0.2})


def test_groundwater_against_its_target() -> None:
    def judged(target: int, **items: str) -> dict[str, Any]:
        (found,) = rules_water([json.dumps({"body": "groundwater", "target": target, "items": items})])
        return found

    found = judged(3, hardness="612", NH3N="0.22", pH="8.6")
    assert (found["class"], found["meets"]) == (4, False)
    assert found["over_target"] == {"hardness": float(Fraction(162, 450)), "pH": None}
    assert judged(4, hardness="650", NH3N="0.22")["meets"] is True
    assert judged(5, hardness="9999")["meets"] is True
    # a detection limit above the target's limit can't be judged, which is not "meets"
    coarse = judged(3, hardness="100", NH3N="1L")
    assert (coarse["class"], coarse["meets"]) == (1, None)
    assert "above the target" in coarse["not_judged"]["NH3N"]
    assert judged(3, hardness="451", NH3N="1L")["meets"] is False
    assert judged(3, hardness="100", NH3N="0.4L")["meets"] is True


PUBLISHED = {
    1: "1 Ⅰ I i Ⅰ类 I类 １ 1.0 一类",
    2: "2 Ⅱ II ii Ⅱ类 II类 ＩＩ ClassII 二类",
    3: "3 Ⅲ III Ⅲ类 III类水质 三类",
    4: "4 Ⅳ IV iv Ⅳ类 ＩＶ类",
    5: "5 Ⅴ V v Ⅴ类 V类 Ｖ",
    6: "6 劣Ⅴ 劣V 劣v 劣Ⅴ类 劣V类 劣Ｖ类 劣五类 inferiorV",
    -1: "-1 －1 -1.0",
    -2: "- -- — / ／",
    -3: "0 7 好 VI Ⅵ 劣 劣IV 类 class IIII 2.5 -2 1类1",
}


@pytest.mark.parametrize(("code", "text"), [(code, each) for code, line in PUBLISHED.items() for each in line.split()])
def test_published_classes_in_every_spelling(code: int, text: str) -> None:
    known = PublishedClasses()
    assert [known[each] for each in (text, f" {text} ", text)] == [code] * 3


def test_published_classes_of_several_words() -> None:
    known = PublishedClasses()
    texts = ["", "  ", "worse than V", "Inferior to V", "劣 V 类", "Class IV", "II 类"]
    assert [known[text] for text in texts] == [-2, -2, 6, 6, 6, 4, 2]


@pytest.mark.parametrize(
    ("date", "known"),
    [
        ("2002-06-01", True),
        ("2002-05-31", False),
        ("2002-05-31T16:00:00Z", True),  # midnight in Beijing
        ("2002-05-31T15:59:59Z", False),
        ("2002-06-01T00:30:00+09:00", False),
        ("2002-06-01 08:00 some remark", True),
    ],
)
def test_the_date_of_a_line_is_a_beijing_date(date: str, known: bool) -> None:
    (found,) = rules_water([json.dumps({"body": "river", "date": date, "items": {"DO": 8}})])
    assert ("error" not in found) is known
