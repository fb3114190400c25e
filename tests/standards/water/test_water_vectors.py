"""Every vector of domain/water.md §7, from files, to the printed precision."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from standards import fixed
from standards.water import cwqi, instruments, rivers, trophic
from standards.water.items import item
from standards.water.means import assessed, mean, mean_floats, rounded
from standards.water.readings import Readings, column, parse
from standards.water.section import class_words, item_classes, section_class
from standards.water.verdicts import rules_water

DATA = Path(__file__).parent.parent / "data"


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))


def rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def printed(value: float, text: str) -> bool:
    """Whether a value is what a document prints: equal when rounded to the decimals of the text."""
    decimals = len(text.partition(".")[2])
    return abs(Fraction(value) - Fraction(text)) <= Fraction(1, 2 * 10**decimals) + Fraction(1, 10**9)


def verdict(body: str, readings: dict[str, str], target: int | None = None, **switches: Any) -> dict[str, Any]:
    line = json.dumps({"id": 7, "body": body, "target": target, "items": readings})
    (found,) = rules_water([line], **switches)
    assert found["id"] == 7
    return found


@pytest.mark.parametrize("case", toml("water_sections")["case"], ids=lambda case: case["id"])
def test_sections(case: dict[str, Any]) -> None:
    found = verdict(case["body"], case["readings"], case["target"], rounding=case.get("rounding"))
    assert {name: each for name, each in found["items"].items() if each != 1} == case["classes"]
    assert set(found["items"]) == set(case["readings"])
    assert (found["class"], found["rating"], found["meets"]) == (case["class"], case["rating"], case["meets"])
    assert [each[:2] for each in found["main"]] == [each[:2] for each in case["main"]]
    for (_, _, multiple), (_, _, text) in zip(found["main"], case["main"], strict=True):
        assert (multiple is None and text == "") or printed(multiple, text)
    if "over" in case:
        assert set(found["over_target"]) == set(case["over"])
        for name, text in case["over"].items():
            multiple = found["over_target"][name]
            assert (multiple is None and text == "") or printed(multiple, text)
    for name, text in case.get("rounded", {}).items():
        value, _ = parse(item(name), case["readings"][name])
        assert int(assessed(name, np.array([value]))[0]) == fixed.parse(text, item(name).places)


@pytest.mark.parametrize(
    "row", list(rows("water_edges")), ids=lambda row: f"{row['body']} {row['item']} {row['value']}"
)
def test_edges(row: dict[str, str]) -> None:
    assert verdict(row["body"], {row["item"]: row["value"]})["items"] == {row["item"]: int(row["class"])}


def test_no_items_is_no_class() -> None:
    assert verdict("river", {})["class"] == -1


@pytest.mark.parametrize("row", list(rows("water_rounding")), ids=lambda row: row["value"])
def test_rounding_units(row: dict[str, str]) -> None:
    value = np.array([fixed.parse(row["value"], 8)])
    assert int(rounded(value, int(row["decimals"]))[0]) == fixed.parse(row["rounded"], 8)


def test_platform_rows() -> None:
    columns = {"pH": "ph", "DO": "do_mg_l", "CODMn": "codmn_mg_l", "NH3N": "nh3n_mg_l", "TP": "tp_mg_l"}
    found = list(rows("water_platform_rows"))
    values = np.stack([column(item(name), [row[text] for row in found]).values for name, text in columns.items()])
    lake = np.array([row["body"] == "lake" for row in found])
    classes = section_class(item_classes(tuple(columns), values, lake))
    assert len(found) == 19
    assert classes.tolist() == [int(row["published_class"]) for row in found]


def cwqi_values(*sections: list[str]) -> np.ndarray:
    names = toml("water_cwqi")["items"]
    return np.stack([column(item(name), texts).values for name, *texts in zip(names, *sections, strict=True)])


def test_cwqi() -> None:
    data = toml("water_cwqi")
    names = tuple(data["items"])
    a = data["a"]
    b = [data["b_changes"].get(name, text) for name, text in zip(names, a, strict=True)]
    lake = [data["lake_changes"].get(name, text) for name, text in zip(names, a, strict=True)]
    terms = cwqi.terms(names, mean_floats(names, cwqi_values(a)), lake=False)
    assert all(printed(term, text) for term, text in zip(terms, data["a_terms"], strict=True))
    terms = dict(zip(names, cwqi.terms(names, mean_floats(names, cwqi_values(b)), lake=False), strict=True))
    assert all(printed(terms[name], text) for name, text in data["b_terms"].items())
    texts = {"a": a, "b": b, "lake": lake}
    alone = {key: cwqi.index(names, cwqi_values(each), lake=key == "lake") for key, each in texts.items()}
    for key, index in alone.items():
        assert printed(index.value, data[f"{key}_index"])
        assert cwqi.shown(index.value) == Decimal(data[f"{key}_index"])
        assert not index.partial
    both = cwqi_values(a, b)
    assert printed(float(mean_floats(names, both)[0]), data["mean_ph"])
    river = cwqi.index(names, both, lake=False).value
    assert printed(river, data["river_index"])
    assert printed(cwqi.index(names, both, lake=False, ph="arithmetic").value, data["river_index_arithmetic"])
    assert printed((alone["a"].value + alone["b"].value) / 2, data["mean_of_indices"])
    city = cwqi.city_index(river, 2, alone["lake"].value, 1)
    assert printed(city, data["city_index"])
    assert printed(cwqi.change_percent(city, data["base"]), data["change"])
    five = tuple(data["partial_items"])
    at = [names.index(name) for name in five]
    for key, each in (("a", a), ("b", b)):
        partial = cwqi.index(five, cwqi_values(each)[at], lake=False)
        assert printed(partial.value, data[f"partial_{key}"])
        assert partial.partial
        assert "partial, 5 items" in partial.label()


@pytest.mark.parametrize(("name", "value", "term"), toml("water_cwqi")["singles"])
def test_cwqi_single_items(name: str, value: str, term: str) -> None:
    assert printed(float(cwqi.terms((name,), np.array([[float(value)]]), lake=False)[0, 0]), term)


def test_cwqi_of_no_oxygen_raises() -> None:
    with pytest.raises(ValueError, match="DO = 0"):
        cwqi.terms(("DO",), np.array([[0.0]]), lake=False)


@pytest.mark.parametrize("case", toml("water_means")["ph"], ids=lambda case: case["mean"])
def test_ph_means(case: dict[str, Any]) -> None:
    values = np.array([[fixed.parse(text, 8) for text in case["values"]]])
    found = mean(item("pH"), values)
    assert fixed.text_of(int(rounded(found, 4)[0]), 8, at_least=4) == case["mean"]
    if "assessed" in case:
        assert int(assessed("pH", found)[0]) == fixed.parse(case["assessed"], 8)


@pytest.mark.parametrize("case", toml("water_means")["below"], ids=lambda case: case["mean"])
def test_means_with_non_detects(case: dict[str, Any]) -> None:
    readings: Readings = column(item(case["item"]), case["values"])
    found = mean(item(case["item"]), readings.values[None, :], readings.below[None, :])
    assert int(found[0]) == fixed.parse(case["mean"], 8)


@pytest.mark.parametrize("case", toml("water_rivers")["river"], ids=lambda case: str(case["classes"]))
def test_river_rating(case: dict[str, Any]) -> None:
    found = rivers.rate_river(np.array(case["classes"], dtype=np.int8))
    if "rating" not in case:
        assert found is None
        return
    assert found is not None
    assert (found.good, found.worse, found.rating) == (case["good"], case["worse"], case["rating"])


@pytest.mark.parametrize("case", toml("water_rivers")["share"], ids=lambda case: str(case["after"]))
def test_share_trend(case: dict[str, Any]) -> None:
    before, after = (tuple(Fraction(each) for each in case[key]) for key in ("before", "after"))
    assert rivers.share_trend(before, after).words == case["words"]


@pytest.mark.parametrize("case", toml("water_rivers")["level"], ids=lambda case: case["after"])
def test_level_trend(case: dict[str, Any]) -> None:
    level = {words.rating: words.level for words in class_words().values()}
    assert rivers.level_trend(level[case["before"]], level[case["after"]]).words == case["words"]


def test_from_class_2_to_1_is_no_change() -> None:
    words = class_words()
    assert rivers.level_trend(words[2].level, words[1].level).words == "无明显变化"


@pytest.mark.parametrize("case", toml("water_trophic")["case"], ids=lambda case: case["state"])
def test_trophic(case: dict[str, Any]) -> None:
    names = trophic.trophic_items()
    found = trophic.trophic_index(np.array([[float(case["values"][name])] for name in names]))
    for row, name in enumerate(names):
        assert printed(float(found.parts[row, 0]), case["parts"][name])
    assert printed(float(found.index[0]), case["index"])
    assert trophic.states()[found.state[0]][0] == case["state"]


@pytest.mark.parametrize("case", toml("water_groundwater")["case"], ids=lambda case: case["id"])
def test_groundwater(case: dict[str, Any]) -> None:
    found = verdict("groundwater", case["readings"])
    assert {name: each for name, each in found["items"].items() if each != 1} == case["classes"]
    assert found["class"] == case["class"]
    assert set(found["over_3"]) == set(case["over"])
    assert all(printed(found["over_3"][name], text) for name, text in case["over"].items())


@pytest.mark.parametrize("row", list(rows("water_instruments")), ids=lambda row: row["check"])
def test_instruments(row: dict[str, str]) -> None:
    numbers = [np.array([fixed.parse(row[key], 8)]) for key in ("first", "second", "third") if row[key]]
    check = {"zero_drift": instruments.zero_drift, "span": instruments.span_check, "recovery": instruments.recovery}
    found = check[row["check"]]("NH3N", *numbers)
    assert printed(float(found.value[0]), row["percent"])
    assert found.passed.tolist() == [row["passed"] == "yes"]
