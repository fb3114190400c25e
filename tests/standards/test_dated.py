"""The loader of dated tables: what it refuses, all at once, with file and line; and that the shipped tables hold."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from standards import dated

GOOD = """\
format = 1
subject = "pond"
key = ["item"]

[columns]
item = "text"
limit = "number"
unit = "unit"
note = "text?"

[[edition]]
name = "old"
valid_from = "open"
valid_to = 2025-12-31
source = "a norm"
clause = "Table 1"
confidence = "B"
rows = [
  {item = "NH3N", limit = 0.150, unit = "mg/L"},
  {item = "TP", limit = 1, unit = "mg/L", note = "lakes", confidence = "D-"},
]

[[edition]]
name = "new"
valid_from = 2026-01-01
valid_to = "open"
source = "a norm"
clause = "Table 1"
confidence = "A"
rows = [
  {item = "NH3N", limit = 0.1, unit = "mg/L"},
]
"""


def read(tmp_path: Path, text: str) -> tuple[dated.Edition, ...]:
    path = tmp_path / "pond.toml"
    path.write_text(text, encoding="utf-8")
    return dated.read(path)


def problems(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(dated.TableError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def test_reads_editions_rows_and_exact_numbers(tmp_path: Path) -> None:
    old, new = read(tmp_path, GOOD)
    assert (old.name, old.valid_from, old.valid_to) == ("old", None, datetime.date(2025, 12, 31))
    assert new.covers(datetime.date(2026, 1, 1)) and not new.covers(datetime.date(2025, 12, 31))
    assert old.row(item="NH3N").number("limit") == Decimal("0.150")
    assert old.row(item="NH3N").fixed("limit") == 150
    assert "note" not in old.row(item="NH3N") and old.row(item="TP").text("note") == "lakes"
    with pytest.raises(LookupError):
        old.row(item="COD")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("format = 1", "format = 2"), ["pond.toml:1: format is 2, this program reads 1"]),
        (('subject = "pond"', 'subject = "lake"'), ["pond.toml:2: subject is not the file's name 'pond'"]),
        (('key = ["item"]', 'key = ["thing"]'), ["pond.toml:3: key names 'thing', which is no column"]),
        (('key = ["item"]', "color = 1"), ["pond.toml:3: unknown key 'color'"]),
        (('note = "text?"', 'note = "prose"'), ["pond.toml:9: column 'note' has the unknown kind 'prose'"]),
        (('clause = "Table 1"\n', ""), ["pond.toml:11: an edition needs 'clause'"]),
        (('confidence = "B"', 'confidence = "F"'), ["pond.toml:17: confidence 'F' is not one of A … E"]),
        (('unit = "mg/L"}', 'unit = "mg/l"}'), ["pond.toml:19: unit is the unknown unit 'mg/l'"]),
        (("limit = 0.150", "limit = nan"), ["pond.toml:19: limit is NaN, not a finite number"]),
        (("limit = 0.150", 'limit = "0.15"'), ["pond.toml:19: limit is '0.15', not a number"]),
        (("limit = 0.150", "limits = 0.1"), ["pond.toml:19: unknown key 'limits'", ":19: the row has no 'limit'"]),
        (('item = "TP"', 'item = "NH3N"'), ["pond.toml:20: NH3N is already in line 19"]),
        (("valid_from = 2026-01-01", "valid_from = 2026-01-02"), ["there is a gap after 'old', which ends 2025-12-31"]),
        (("valid_from = 2026-01-01", "valid_from = 2025-12-31"), ["pond.toml:25: edition 'new' overlaps 'old'"]),
        (("valid_to = 2025-12-31", 'valid_to = "open"'), ["pond.toml:25: edition 'new' overlaps 'old'"]),
        (("valid_to = 2025-12-31", "valid_to = 2025"), ['pond.toml:14: valid_to is neither a date nor "open"']),
        (('name = "new"', 'name = "old"'), ["pond.toml:24: a second edition is named 'old'"]),
        (("valid_from = 2026-01-01", "valid_from = 2026-01-"), ["pond.toml:25"]),
    ],
)  # fmt: skip
def test_says_what_is_wrong_and_where(tmp_path: Path, change: tuple[str, str], wanted: list[str]) -> None:
    found = problems(tmp_path, change)
    assert len(found) == len(wanted)
    for reason, ours in zip(wanted, found, strict=True):
        assert reason in ours


def test_says_everything_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ('unit = "mg/L"}', 'unit = "mg/l"}'),
        ('confidence = "B"', 'confidence = "F"'),
        ("limit = 0.1,", "limit = true,"),
    )
    assert [problem.split(":")[1] for problem in found] == ["17", "19", "31"]


@pytest.mark.parametrize("path", sorted(dated.TABLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_table_loads(path: Path) -> None:
    editions = dated.load(path.stem)
    assert editions and all(edition.rows and edition.source and edition.clause for edition in editions)


def test_for_date_and_by_name() -> None:
    assert dated.for_date("air_limits", datetime.date(2026, 2, 28)).name == "2012"
    assert dated.for_date("air_limits", datetime.date(2026, 3, 1)).name == "2026"
    with pytest.raises(LookupError, match="there are 2012, 2026, 2031"):
        dated.by_name("air_limits", "2025")
    with pytest.raises(LookupError, match="no edition of series 'weighted' is in force on 2025-12-31"):
        dated.for_date("air_index", datetime.date(2025, 12, 31), "weighted")
