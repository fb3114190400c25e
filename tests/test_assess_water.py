"""``assess water``: the real file against the published class, lakes by configuration, and files that are wrong."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.assess_water import NO_OWN, NO_PUBLISHED, OTHER_BODY, UNEXPLAINED, assess_water, report
from streams import water_csv
from streams.water_csv import COLUMNS, WaterFileError

from .standards.water import reference

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "water" / "shanxi_haihe_2026_07_08.csv.gz"
VECTORS = Path(__file__).parent / "standards" / "data" / "water_platform_rows.csv"
FIVE = ("pH", "DO", "CODMn", "NH3N", "TP")
HEAD = ",".join(["section", "time", "published_class", *COLUMNS.values()])

needs_real = pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here")


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def row(published: int | str = "", *, section: str = "甲", time: str = "2026-07-09 21:00", **items: str) -> str:
    cells = {"ph": "7.5", "do_mg_l": "8", "codmn_mg_l": "1.5", "nh3n_mg_l": "0.1", "tp_mg_l": "0.01"}
    cells |= {COLUMNS[name]: text for name, text in items.items()}
    return ",".join([section, time, str(published), *(cells.get(name, "") for name in HEAD.split(",")[3:])])


@needs_real
def test_real_file_agrees_wherever_the_row_is_credible() -> None:
    found = assess_water([REAL])
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    published = [int(each["published_class"]) for each in rows]
    assert found["rows"] == len(rows) == 10_542
    assert found["agree"] + found["disagree"] == sum(each > 0 for each in published)
    # the rule of docs/law-water.md §1, written again: the only rows it excludes are bare digits
    bare = [
        at for at, each in enumerate(rows) if any(each[COLUMNS[name]].isdigit() for name in ("NH3N", "TP"))
    ]  # fmt: skip
    assert found["credible"] == {
        "agree": sum(each > 0 for each in published) - len(bare),
        "disagree": 0,
        "excluded": len(bare),
        "excluded_by": {"K1": 0, "K2": 0, "K3": 0, "K4": len(bare)},
    }
    assert {each["line"] - 2 for each in found["disagreements"]} <= set(bare)
    assert all(each["reason"].startswith("K4") for each in found["disagreements"])
    assert found["disagree"] == len(found["disagreements"]) == sum(found["reasons"].values())
    assert set(found["sections"]) == {each["section"] for each in rows}
    assert (found["repeated"], found["refused"]["rows"], found["editions"]) == (0, 0, ["GB 3838-2002"])


@needs_real
def test_real_file_equals_the_decimal_reference() -> None:
    found = assess_water([REAL])
    by_class = dict.fromkeys("123456", 0)
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        for each in csv.DictReader(file):
            values = {name: Decimal(each[COLUMNS[name]]) for name in FIVE if each[COLUMNS[name]]}
            if values:
                by_class[str(reference.section(values, lake=False))] += 1
    assert found["by_class"] == by_class
    assert found["classified"] == sum(by_class.values())
    for key in ("rows", "classified", "agree", "disagree"):
        assert sum(each[key] for each in found["sections"].values()) == found[key]


def test_platform_rows_with_their_bodies() -> None:
    found = assess_water([VECTORS])
    assert (found["rows"], found["agree"], found["disagree"], found["body_assumed"]) == (19, 19, 0, 0)


def test_a_lake_section_gets_its_ladder_from_configuration(tmp_path: Path) -> None:
    with VECTORS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lakes = [each["section"] for each in rows if each["body"] == "lake"]
    plain = tmp_path / "plain.csv"
    with plain.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "body"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    as_rivers = assess_water([plain])
    assert as_rivers["body_assumed"] == 19
    # the other two lakes are class III by their oxygen as rivers too
    assert as_rivers["reasons"] == {OTHER_BODY: 2}
    assert {each["section"] for each in as_rivers["disagreements"]} == {"拖山", "五里湖心"} < set(lakes)
    configured = assess_water([plain], bodies=dict.fromkeys([*lakes, "别处"], "lake"))
    assert (configured["agree"], configured["disagree"], configured["bodies_unused"]) == (19, 0, ["别处"])
    assert configured["sections"][lakes[0]]["body"] == "lake"
    assert configured["body_assumed"] == 15


def test_body_of_file_and_configuration_must_not_differ() -> None:
    with pytest.raises(WaterFileError, match="拖山"):
        assess_water([VECTORS], bodies={"拖山": "river"})
    with pytest.raises(WaterFileError, match="pond"):
        assess_water([VECTORS], bodies={"拖山": "pond"})


def test_refused_rows_are_not_compared_and_say_the_true_reason(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        row(5, time="昨天"),
        row(5, time="", NH3N="0"),
        row(5, section=""),
        row(5, section="   "),
        row("好"),
        row(1, time="2026-07-10 00:00"),
        row(5, time="2026-07-10 01:00", NH3N="坏"),
    )
    for path in (file, write(tmp_path / "b.csv", *reversed(file.read_text(encoding="utf-8").split("\n")[1:-1]))):
        found = assess_water([path])
        assert (found["agree"], found["disagree"]) == (1, 1)
        assert found["credible"] == {
            "agree": 1,
            "disagree": 0,
            "excluded": 1,
            "excluded_by": {"K1": 1, "K2": 0, "K3": 0, "K4": 0},
        }
        assert [each["reason"][:2] for each in found["disagreements"]] == ["K1"]
        assert found["refused"]["by_reason"] == {"value": 1, "time": 2, "section": 2, "published_class": 1}
        assert found["refused"]["rows"] == len(found["refused"]["examples"]) == 6
        assert set(found["sections"]) == {"甲"}
        assert found["bodies_assumed"] == ["甲"]
        assert "断面为空 the section is empty" in report(found)


def test_a_bad_time_in_a_chunk_of_its_own_is_a_refused_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.csv", row(1, time="昨天"), row(1), row(1, time="明天"))
    whole = assess_water([file])
    assert (whole["refused"]["rows"], whole["agree"]) == (2, 1)
    monkeypatch.setattr(water_csv, "CHUNK", 1)
    monkeypatch.setattr(water_csv, "_PIECE", 1)
    assert assess_water([file]) == whole


def test_a_time_with_its_zone_is_a_beijing_day(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", row(1, time="2002-05-31T16:30:00Z"))
    assert assess_water([file])["agree"] == 1
    for text in ("2002-06-01T00:30:00+09:00", "2002-05-31T15:59:59Z"):
        with pytest.raises(WaterFileError, match="2002-05-31"):
            assess_water([write(tmp_path / "a.csv", row(1, time=text))])


def test_published_classes_in_plain_letters(tmp_path: Path) -> None:
    texts = ["I", "1", "Ⅰ", "II类", "劣V", "inferior V", "-"]
    rows = [row(text, time=f"2026-07-09 0{at}:00") for at, text in enumerate(texts)]
    found = assess_water([write(tmp_path / "a.csv", *rows)])
    assert (found["agree"], found["disagree"], found["refused"]["rows"]) == (3, 3, 0)
    assert [each["published"] for each in found["disagreements"]] == [2, 6, 6]


def test_disagreements_say_why(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        row(1, NH3N="3"),
        row(1, NH3N="60.5", time="2026-07-09 22:00"),
        row(1, TP="0", time="2026-07-09 23:00"),
        row(-1, time="2026-07-10 00:00"),
        row(2, time="2026-07-10 01:00", pH="", DO="", CODMn="", NH3N="", TP=""),
        row(5, time="2026-07-10 02:00"),
        row(-1, time="2026-07-10 03:00", pH="", DO="", CODMn="", NH3N="", TP=""),
        row("", time="2026-07-10 04:00"),
        row(1, time="2026-07-10 04:00"),
    )
    found = assess_water([file])
    reasons = [(each["line"], each["class"], each["published"], each["reason"][:2]) for each in found["disagreements"]]
    assert reasons == [(2, 6, 1, "K4"), (3, 6, 1, "K2"), (5, 1, -1, "平台"), (6, -1, 2, "五项"), (7, 1, 5, "原因")]
    assert {NO_PUBLISHED, NO_OWN, UNEXPLAINED} <= set(found["reasons"])
    assert (found["agree"], found["disagree"], found["classified"], found["repeated"]) == (2, 5, 7, 1)
    assert found["credible"]["excluded_by"] == {"K1": 0, "K2": 1, "K3": 1, "K4": 2}
    assert found["credible"]["excluded"] == 3  # the zero is K3 and a bare digit too
    assert len(assess_water([file], listed=2)["disagreements"]) == 2
    text = report(found)
    assert "不一致 disagree 5" in text
    assert "K2 超出常见范围" in text


def test_values_that_cannot_be_read_are_named_and_not_classified(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        row(1, NH3N="nan"),
        row(1, NH3N="-0.1"),
        row(1, NH3N="abc", DO="99999"),
        row(1, section=""),
        row(1, time="昨天"),
        row("好"),
        row(2, NH3N="0.025L", time="2026-07-09 20:00", CODMn="3"),
    )
    found = assess_water([file])
    examples = {each["line"]: "; ".join(each["reasons"]) for each in found["refused"]["examples"]}
    assert set(examples) == {2, 3, 4, 5, 6, 7}
    assert found["refused"]["rows"] == 6
    assert "not finite" in examples[2]
    assert "negative" in examples[3]
    assert "abc" in examples[4]
    assert "99999" in examples[4]
    assert "section is empty" in examples[5]
    assert "昨天" in examples[6]
    assert "好" in examples[7]
    assert (found["classified"], found["agree"]) == (2, 1)
    assert found["credible"]["excluded_by"]["K1"] == 3
    assert "拒绝的行 refused rows: 6" in report(found)


def test_rounding_and_roman_classes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", row("Ⅲ", NH3N="1.004"), row("劣Ⅴ类", pH="9.44", time="2026-07-10 21:00"))
    assert assess_water([file])["by_class"] == {"1": 0, "2": 0, "3": 0, "4": 1, "5": 0, "6": 1}
    rounded = assess_water([file], rounding="assessment")
    assert rounded["by_class"] == {"1": 1, "2": 0, "3": 1, "4": 0, "5": 0, "6": 0}
    assert assess_water([file], rounding="assessment", ph_decimals="ph_1")["by_class"]["6"] == 1
    with pytest.raises(ValueError, match="rounding"):
        assess_water([file], rounding="up")
    with pytest.raises(LookupError):
        assess_water([file], edition="GB 3838-1988")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    rows = [row(1 + at % 3, time=f"2026-07-09 {at:02d}:00", NH3N=f"0.{at:02d}") for at in range(20)]
    rows[5] += "\n"  # a blank line in between keeps the line numbers right
    file = write(tmp_path / "a.csv", *rows)
    whole = assess_water([file])
    monkeypatch.setattr(water_csv, "CHUNK", size)
    monkeypatch.setattr(water_csv, "_PIECE", max(1, size // 2))
    assert assess_water([file]) == whole
    lines = file.read_text(encoding="utf-8").split("\n")
    for each in whole["disagreements"]:
        assert each["time"] in lines[each["line"] - 1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", ["a.csv", "empty"]),
        ("a.csv", b"station,hour_end,so2_ug_m3\n", ["a.csv", "missing column section", "station"]),
        ("a.csv", HEAD.replace("nh3n_mg_l", "nh3n_ug_l").encode(), ["missing column nh3n_mg_l", "nh3n_ug_l"]),
        ("a.csv", HEAD.replace("tn_mg_l", "ph").encode(), ["column ph stands twice"]),
        ("a.csv", (HEAD + "\n甲,1\n").encode(), ["line 2", "2 cells", "12"]),
        ("a.csv", (HEAD + "\n" + row(time="7/9/26")).encode(), ["7/9/26", "2026-07-09 21:00"]),
        ("a.csv", (HEAD + "\n" + row()).encode("gbk"), ["not UTF-8"]),
        ("a.csv", b"PK\x03\x04\xff\xfe", ["a.csv"]),
        ("a.csv.gz", HEAD.encode(), ["a.csv.gz", "broken gzip"]),
        ("a.csv.gz", gzip.compress((HEAD + "\n" + row()).encode())[:-9], ["broken gzip"]),
    ],
)
def test_wrong_files_get_one_line(tmp_path: Path, name: str, content: bytes, words: list[str]) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(WaterFileError) as caught:
        assess_water([file])
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(WaterFileError, match="cannot be read") as caught:
            assess_water([path])
        assert str(path) in str(caught.value)


def test_a_date_before_the_first_edition(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", row(1, time="2002-05-31 23:00"))
    with pytest.raises(WaterFileError, match="2002-05-31"):
        assess_water([file])
    assert assess_water([file], edition="GB 3838-2002")["agree"] == 1


def test_unknown_body_in_the_file(tmp_path: Path) -> None:
    head = HEAD + ",body"
    file = write(tmp_path / "a.csv", row() + ",湖库", row(section="乙") + ",水库", head=head)
    with pytest.raises(WaterFileError, match=r"乙.*水库"):
        assess_water([file])
    file = write(tmp_path / "b.csv", row(TP="0.03") + ",湖库", row(section="乙", TP="0.03") + ",", head=head)
    found = assess_water([file], bodies={"乙": "lake"})
    assert found["by_class"]["3"] == 2


def test_byte_order_mark_and_other_column_order(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for nth, encoding in enumerate(("utf-8", "utf-8-sig")):
        names = HEAD.split(",")
        cells = row(1).split(",")
        file = tmp_path / f"{nth}.csv"
        text = ",".join(reversed(names)) + "\r\n" + ",".join(reversed(cells)) + "\r\n"
        file.write_bytes(text.encode(encoding))
        found[encoding] = assess_water([file])
    assert found["utf-8"] == found["utf-8-sig"]
    assert found["utf-8"]["agree"] == 1


def test_no_published_column_and_several_files(tmp_path: Path) -> None:
    names = HEAD.split(",")
    cells = row("").split(",")
    del names[2], cells[2]
    first = write(tmp_path / "a.csv", ",".join(cells), head=",".join(names))
    found = assess_water([first, first])
    assert (found["rows"], found["classified"], found["agree"], found["disagree"]) == (2, 2, 0, 0)
    assert found["repeated"] == 1
    empty = assess_water([write(tmp_path / "b.csv")])
    assert (empty["rows"], empty["by_class"]["1"]) == (0, 0)
    assert "行数 rows 0" in report(empty)
