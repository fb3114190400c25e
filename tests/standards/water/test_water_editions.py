"""A second edition of the tables: every row is judged and rounded by that of its own day, never by the newest."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.assess_water import OTHER_BODY, assess_water
from standards import dated
from standards.water.items import item
from standards.water.means import mean
from standards.water.targets import shares

HEAD = "section,time,published_class,ph,do_mg_l,codmn_mg_l,nh3n_mg_l,tp_mg_l"


def forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("standards"):
            for value in list(vars(module).values()):
                getattr(value, "cache_clear", int)()


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = shutil.copytree(dated.TABLES, tmp_path / "tables")
    monkeypatch.setattr(dated, "TABLES", copy)
    forget()
    yield copy
    monkeypatch.undo()
    forget()


def new_edition(tables: Path, subject: str, old: str, new: str) -> None:
    """From 2026-08-01 the first edition of a table has ``new`` instead of ``old``."""
    path = tables / f"{subject}.toml"
    text = path.read_text(encoding="utf-8")
    head, first, *others = text.split("[[edition]]")
    assert first.count(old) == 1
    second = first.replace(old, new).replace('name = "', 'name = "new ', 1)
    lines = [
        'valid_from = 2026-08-01' if line.startswith("valid_from") else line for line in second.splitlines()
    ]  # fmt: skip
    first = first.replace('valid_to = "open"', "valid_to = 2026-07-31", 1)
    path.write_text("[[edition]]".join([head, first, "\n".join(lines) + "\n", *others]), encoding="utf-8")
    forget()


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def test_limits_of_the_day(tables: Path, tmp_path: Path) -> None:
    new_edition(tables, "water_surface", "high = [0.15, 0.5, 1.0, 1.5, 2.0]", "high = [0.15, 0.4, 1.0, 1.5, 2.0]")
    file = write(
        tmp_path / "a.csv",
        "甲,2026-07-31 23:59,2,7,8,1.5,0.45,0.01",
        "甲,2026-08-01 00:00,3,7,8,1.5,0.45,0.01",
        "甲,昨天,3,7,8,1.5,0.45,0.01",
    )
    found = assess_water([file], targets={"甲": 2})
    assert (found["agree"], found["disagree"], found["refused"]["rows"]) == (2, 0, 1)
    assert found["editions"] == ["GB 3838-2002", "new GB 3838-2002"]
    assert (found["sections"]["甲"]["meets"], found["sections"]["甲"]["fails"]) == (1, 1)
    assert assess_water([file], edition="GB 3838-2002")["by_class"]["2"] == 2


def test_rounding_of_the_day(tables: Path, tmp_path: Path) -> None:
    new_edition(tables, "water_decimals", '{item = "NH3N", assessment = 2', '{item = "NH3N", assessment = 3')
    rows = [f"甲,{day} 12:00,{graded},7,8,1.5,1.004,0.01" for day, graded in (("2026-07-31", 3), ("2026-08-01", 4))]
    for order in (rows, rows[::-1]):
        found = assess_water([write(tmp_path / "a.csv", *order)], rounding="assessment")
        assert (found["agree"], found["disagree"]) == (2, 0)


def test_ranges_of_the_day(tables: Path, tmp_path: Path) -> None:
    new_edition(tables, "water_range", 'item = "NH3N", unit = "mg/L", low = 0, high = 50', 'item = "NH3N", unit = "mg/L", low = 0, high = 5')  # fmt: skip # noqa: E501
    file = write(tmp_path / "a.csv", "甲,2026-07-31 12:00,1,7,8,1.5,6.5,0.01", "甲,2026-08-01 12:00,1,7,8,1.5,6.5,0.01")
    found = assess_water([file])
    assert found["credible"]["excluded_by"]["K2"] == 1
    assert [each["reason"][:2] for each in found["disagreements"]] == ["原因", "K2"]


def test_the_other_body_is_tried_with_the_edition_and_rounding_of_the_day(tables: Path, tmp_path: Path) -> None:
    new_edition(tables, "water_surface", "high = [0.01, 0.025, 0.05, 0.1, 0.2]", "high = [0.01, 0.012, 0.05, 0.1, 0.2]")
    new_edition(tables, "water_decimals", '{item = "TP", assessment = 3', '{item = "TP", assessment = 4')
    file = write(
        tmp_path / "a.csv",
        "甲,2026-07-31 12:00,2,7,8,1.5,0.1,0.0154",  # class I as a river, in a lake II until July and III from August
        "甲,2026-08-01 12:00,3,7,8,1.5,0.1,0.0154",
        "甲,2026-07-31 13:00,3,7,8,1.5,0.1,0.0504",  # II as a river, in a lake 0.050 (III) in July, 0.0504 (IV) later
        "甲,2026-08-01 13:00,4,7,8,1.5,0.1,0.0504",
    )
    assert assess_water([file], rounding="assessment")["reasons"] == {OTHER_BODY: 4}
    assert assess_water([file], rounding="assessment", bodies={"甲": "lake"})["agree"] == 4


def test_shares_and_means_take_the_date(tables: Path) -> None:
    classes = np.array([1, 2, 3, 4, 5, 6, -1], dtype=np.int8)
    assert shares(classes) == (6, 3, 1)
    new_edition(tables, "water_indicators", '{name = "good_up_to_class", value = 3', '{name = "good_up_to_class", value = 2')  # fmt: skip # noqa: E501
    new_edition(tables, "water_sets", 'set = "hydrogen_mean", items = ["pH"]', 'set = "hydrogen_mean", items = ["DO"]')
    july, august = dated.by_name("water_sets", "22号").valid_to, dated.by_name("water_sets", "new 22号").valid_from
    assert (shares(classes, july)[1], shares(classes, august)[1]) == (3, 2)
    values = np.array([[700_000_000, 900_000_000]])
    assert mean(item("pH"), values, date=july)[0] // 10**4 == 72_967  # water.md §7.4
    assert mean(item("pH"), values, date=august)[0] == 800_000_000
