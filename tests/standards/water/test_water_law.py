"""The law against the obvious Decimal implementation (``reference``), and what must hold for any sample."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards import fixed
from standards.fixed import MISSING
from standards.water.indicators import main_indicators, multiple_text
from standards.water.items import item, item_set
from standards.water.ladders import surface
from standards.water.section import item_classes, saturation_reaches, section_class
from standards.water.targets import Target, judge
from standards.water.verdicts import rules_water

from . import reference

ITEMS = tuple(reference.ORDER)


def limits_of(name: str) -> list[Decimal]:
    if name == "pH":
        return [Decimal(6), Decimal(9)]
    if name == "DO":
        return [Decimal(each) for each in reference.OXYGEN.split()]
    return sorted({*reference.ladder(name, lake=False), *reference.ladder(name, lake=True)})


@st.composite
def readings(draw: st.DrawFn, name: str) -> Decimal:
    """A value of an item: on, just beside, or far from its limits; six decimals at most."""
    limit = draw(st.sampled_from(limits_of(name)))
    step = Decimal(1).scaleb(-draw(st.integers(1, 6)))
    value = limit + draw(st.integers(-3, 3)) * step
    if draw(st.booleans()):
        value = limit * Decimal(draw(st.integers(0, 3000))) / 1000
    value = max(value, Decimal(0)).quantize(Decimal("0.000001"))
    return min(value, Decimal(14)) if name == "pH" else value


@st.composite
def samples(draw: st.DrawFn, least: int = 1) -> dict[str, Decimal]:
    names = draw(st.lists(st.sampled_from(ITEMS), unique=True, min_size=least, max_size=len(ITEMS)))
    return {name: draw(readings(name)) for name in ITEMS if name in names}


def verdict(sample: dict[str, Decimal], lake: bool, target: int, **switches: Any) -> dict[str, Any]:
    body = "lake" if lake else "river"
    line = {"id": "s", "body": body, "target": target, "items": {name: str(each) for name, each in sample.items()}}
    (found,) = rules_water([json.dumps(line)], **switches)
    assert "error" not in found
    return found


@given(samples(), st.booleans(), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_equals_the_reference(sample: dict[str, Decimal], lake: bool, target: int) -> None:
    found = verdict(sample, lake, target)
    assert found["items"] == {name: reference.item_class(name, each, lake) for name, each in sample.items()}
    assert found["class"] == reference.section(sample, lake)
    main = reference.main(sample, lake)
    assert [each[:2] for each in found["main"]] == [[name, graded] for name, graded, _ in main]
    assert [each[2] for each in found["main"]] == [None if each is None else float(each) for _, _, each in main]
    over = reference.over_target(sample, lake, target)
    assert found["over_target"] == {name: None if each is None else float(each) for name, each in over.items()}
    # meets if and only if the section class is the target or better
    assert found["meets"] == (not over) == (found["class"] <= target)


@given(samples(), st.booleans(), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_assessment_rounding_equals_the_reference(sample: dict[str, Decimal], lake: bool, target: int) -> None:
    rounded = {name: reference.assessed(name, each) for name, each in sample.items()}
    found = verdict(sample, lake, target, rounding="assessment")
    assert found["items"] == {name: reference.item_class(name, each, lake) for name, each in rounded.items()}
    over = reference.over_target(rounded, lake, target)
    assert found["over_target"] == {name: None if each is None else float(each) for name, each in over.items()}


@given(samples(), st.booleans(), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_order_never_matters(sample: dict[str, Decimal], lake: bool, target: int, shuffle: random.Random) -> None:
    names = list(sample)
    shuffle.shuffle(names)
    assert verdict({name: sample[name] for name in names}, lake, target) == verdict(sample, lake, target)


@given(samples(), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_worse_value_never_improves_a_class(sample: dict[str, Decimal], lake: bool, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(sample)))
    by = data.draw(st.decimals(min_value=0, max_value=30, places=4, allow_nan=False))
    value = sample[name]
    if name == "pH":
        worse = value + by if value > Decimal("7.5") else value - by
        worse = min(max(worse, Decimal(0)), Decimal(14))
    elif name == "DO":
        worse = max(value - by, Decimal(0))
    else:
        worse = value + by
    before, after = verdict(sample, lake, 3), verdict({**sample, name: worse}, lake, 3)
    assert after["class"] >= before["class"]
    assert not after["meets"] or before["meets"]
    # and one more item never improves it either
    fewer = verdict({key: each for key, each in sample.items() if key != name}, lake, 3)
    assert fewer["class"] <= before["class"]


@given(st.text("0123456789", min_size=1, max_size=12), st.integers(0, 5), st.booleans())
@settings(max_examples=200, deadline=None)
def test_digits_beyond_the_scale_still_decide(tail: str, which: int, below: bool) -> None:
    """A spreadsheet's 0.30000000000000004 is above 0.3, and 0.29999999999999999 is not."""
    limit = limits_of("NH3N")[which % 5]
    text = f"{limit - Decimal('0.01')}99999999{tail}" if below else f"{limit}00000000{tail}"
    (found,) = rules_water([json.dumps({"body": "river", "items": {"NH3N": text}})])
    assert found["class"] == reference.item_class("NH3N", Decimal(text), lake=False)


def test_many_samples_at_once_equal_one_by_one() -> None:
    rng = random.Random(5)
    names = ITEMS[:7]
    columns = [
        {
            name: rng.choice(limits_of(name)) * rng.choice([1, 1, 1, 2, 3]) + Decimal(rng.randint(-2, 2)) / 1000
            for name in names
        }
        for _ in range(3_000)
    ]
    columns = [{name: min(max(each, Decimal(0)), Decimal(14)) for name, each in column.items()} for column in columns]
    values = np.array([[fixed.parse(str(column[name]), 8) for column in columns] for name in names])
    lake = np.array([rng.random() < 0.3 for _ in columns])
    gone = np.array([[rng.random() < 0.2 for _ in columns] for _ in names])
    values = np.where(gone, MISSING, values)
    classes = item_classes(names, values, lake)
    main = main_indicators(names, values, classes, lake)
    section = section_class(classes)
    for at, column in enumerate(columns):
        kept = {name: column[name] for row, name in enumerate(names) if not gone[row, at]}
        assert section[at] == reference.section(kept, bool(lake[at]))
        expected = [name for name, _, _ in reference.main(kept, bool(lake[at]))]
        assert [names[row] for row in main[:, at] if row >= 0] == expected


def test_equal_multiples_stay_in_the_order_of_the_table() -> None:
    # COD 30/20 and NH3-N 1.5/1.0 and BOD5 6/4: all exactly 0.5, class IV
    found = verdict({"NH3N": Decimal("1.5"), "BOD5": Decimal(6), "COD": Decimal(30)}, lake=False, target=3)
    assert [each[0] for each in found["main"]] == ["COD", "BOD5", "NH3N"]
    # a hair above wins, however small
    found = verdict({"NH3N": Decimal("1.50000001"), "BOD5": Decimal(6), "COD": Decimal(30)}, lake=False, target=3)
    assert found["main"][0][0] == "NH3N"


def test_toxic_items_are_configurable() -> None:
    names = ("NH3N", "F")
    values = np.array([[fixed.parse("3", 8)], [fixed.parse("1.2", 8)]])
    classes = item_classes(names, values, lake=False)
    assert main_indicators(names, values, classes, lake=False)[:, 0].tolist() == [0, 1, -1]
    assert main_indicators(names, values, classes, lake=False, toxic=("F",))[:, 0].tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("multiple", "text"),
    [(1.2, "1.2"), (0.25, "0.2"), (0.35, "0.4"), (0.05, "0.05"), (0.0017, "0.002"), (5.35, "5.4"), (0.04, "0.04")],
)
def test_multiples_show_one_decimal_or_one_digit(multiple: float, text: str) -> None:
    assert multiple_text(multiple) == text


def test_overrides_of_the_guangdong_kind() -> None:
    """Target text: NH3-N below 3 mg/L, TP below 0.35 mg/L, other items class IV (water.md §3.1)."""
    record = {
        "body": "river",
        "target": 4,
        "limits": {"NH3N": "3", "TP": 0.35},
        "items": {"NH3N": "2.9", "TP": "0.36", "CODMn": "9.9", "DO": "2.5"},
    }
    (found,) = rules_water([json.dumps(record)])
    assert found["class"] == 6
    assert found["meets"] is False
    assert found["over_target"] == {"TP": float((Fraction("0.36") - Fraction("0.35")) / Fraction("0.35")), "DO": None}
    (found,) = rules_water([json.dumps(record | {"exclude": ["DO", "总磷"]})])
    assert found["meets"] is True
    (found,) = rules_water([json.dumps(record | {"limits": {"pH": 9}, "items": {"pH": 8}})])
    assert "band" in found["error"]


def test_background_items_give_a_second_class() -> None:
    record = {"body": "river", "items": {"F": "1.6", "NH3N": "0.4"}, "background": ["F"]}
    (found,) = rules_water([json.dumps(record)])
    assert (found["class"], found["class_without_background"]) == (6, 2)


def test_separate_items_stay_outside_the_class() -> None:
    record = {"body": "lake", "source": True, "items": {"TP": "0.01", "TN": "9", "FC": 50000, "NO3N": 12, "T": 20}}
    (found,) = rules_water([json.dumps(record)])
    assert found["class"] == 1
    assert found["separate"] == {"TN": 6, "FC": 6}
    assert found["source_over"] == {"NO3N": 0.2}
    assert list(found["not_judged"]) == ["T"]
    (found,) = rules_water([json.dumps(record | {"body": "river"})])
    assert found["separate"] == {"FC": 6}  # rivers have no limit of total nitrogen
    assert "TN" in found["not_judged"]


def test_below_detection() -> None:
    def judged(target: int, **items: str) -> dict[str, Any]:
        (found,) = rules_water([json.dumps({"body": "river", "target": target, "items": items})])
        return found

    fine = judged(1, NH3N="0.025L", Hg="<0.00004", CN="＜0.004", VP="未检出")
    assert (fine["class"], fine["meets"]) == (1, True)
    assert set(fine["items"].values()) == {1}
    assert len(fine["flags"]) == 1  # a not-detected without its limit
    # flame AAS: copper below 0.05 is I or II: cannot be judged, not "exceeds"; but it keeps a class III target
    coarse = judged(3, Cu="0.05L", DO="8")
    assert (coarse["class"], coarse["items"]["Cu"], coarse["meets"]) == (1, -1, True)
    assert "can't be judged" in coarse["not_judged"]["Cu"]
    strict = judged(1, Cu="0.05L", DO="8")
    assert strict["meets"] is None
    assert judged(1, Cu="0.05L", DO="7")["meets"] is False


def test_saturation_is_off_unless_asked_for() -> None:
    line = json.dumps({"body": "river", "items": {"DO": "7.38", "T": "29.98"}})  # 金溪电站: 97 % of saturation
    (off,), (on,) = rules_water([line]), rules_water([line], oxygen_saturation=True)
    assert (off["class"], on["class"]) == (2, 1)


@given(
    st.integers(0, 3000),
    st.integers(-200, 4500),
    st.integers(50, 250),
)
@settings(max_examples=300, deadline=None)
def test_saturation_is_exact(oxygen: int, temperature: int, percent: int) -> None:
    values = np.array([oxygen * 10**6]), np.array([temperature * 10**6])
    exact = Fraction(oxygen, 100) / (468 / (Fraction("31.6") + Fraction(temperature, 100)))
    assert bool(saturation_reaches(*values, percent)[0]) == (100 * exact >= percent)


def test_judge_equals_class_comparison_for_every_target() -> None:
    names = item_set("basic_21")
    ladders = surface("river", wanted=names)
    for target in range(1, 7):
        for row, name in enumerate(names):
            for limit in {*ladders.high[row].tolist(), *ladders.low[row].tolist()}:
                if abs(limit) > 10**17:
                    continue
                values = np.full((1, 3), limit) + np.array([[-1, 0, 1]])
                classes = item_classes((name,), values, lake=False)[0]
                meets = judge((name,), values, False, Target(target)).meets
                assert (meets == 1).tolist() == (classes <= target).tolist()
                assert item(name).places == 8
