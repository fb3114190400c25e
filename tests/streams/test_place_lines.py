"""Names of the registry as points: against the file itself, read as TOML."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import blocks, topics
from schemas import measurements as m
from schemas.registry import Reach, Section
from streams.line_protocol import LineError, lines
from streams.place_lines import downstream
from tests.services import samples_told
from tests.streams.test_line_protocol import check_declared

AT_MS = 1_448_930_000_123
TEXT = samples_told.DISTRICT.read_text(encoding="utf-8")
FILE = tomllib.loads(TEXT)

Point = tuple[str, dict[str, str], dict[str, Any], int]


def points(text: str = TEXT, at_ms: int = AT_MS) -> list[Point]:
    return check_declared(lines(blocks.encode(samples_told.version(at_ms, text)), topics.REGISTRY))


def of(kind: str, made: list[Point]) -> dict[str, dict[str, Any]]:
    """Fields by id, in the order they are listed in."""
    newest_first = sorted(made, key=lambda point: -point[3])
    return {tags["id"]: fields for _, tags, fields, _ in newest_first if tags["kind"] == kind}


def test_whatever_has_an_id_and_a_name_is_there_as_in_the_file() -> None:
    made = points()
    assert {p[0] for p in made} == {"place"} and {p[1]["kind"] for p in made} == set(m.PLACE_KINDS)
    for kind, table, owner in (("enterprise", "enterprise", ""), ("outlet", "outlet", "enterprise")):
        assert {i: (f["name"], f["of"]) for i, f in of(kind, made).items()} == {
            row["id"]: (row["name"], row.get(owner, "")) for row in FILE[table]
        }
        assert list(of(kind, made)) == [row["id"] for row in FILE[table]]
    areas = {i: (f["name"], f["of"]) for kind in ("district", "township") for i, f in of(kind, made).items()}
    assert areas == {row["id"]: (row["name"], row.get("within", "")) for row in FILE["area"]}
    people = {i: (f["name"], f["of"]) for i, f in of("person", made).items()}
    assert people == {row["id"]: (row["name"], row.get("enterprise", "")) for row in FILE["person"]}
    stations = {row["id"]: row["name"] for row in FILE["station"]}
    assert {i: f["name"] for i, f in of("station", made).items()} == stations
    assert set(of("group", made)) == {row["id"] for row in FILE["group"]} | {row["id"] for row in FILE["enterprise"]}
    assert {i: f["body"] for i, f in of("group", made).items() if f["body"]} == {
        "zhuozhang": "river,lake", "xinan-spring": "spring",
    }  # fmt: skip
    assert all(f["valid"] for _, _, f, _ in made)


def test_sections_stand_along_the_river() -> None:
    """The reservoir's river joins above 石梁, though the file has both behind it."""
    sections = of("section", points())
    assert [f["name"] for f in sections.values()] == [
        "店上桥", "史回桥", "翟店水库", "微子河口", "石梁", "黄牛蹄渡口", "辛安桥", "辛安泉",
    ]  # fmt: skip
    assert [f["order"] for f in sections.values()] == sorted(f["order"] for f in sections.values())
    assert {f["of"] for f in sections.values()} == {"zhuozhang", "xinan-spring"}


def test_newest_first_a_version_is_in_its_own_order_and_before_any_older_one() -> None:
    older, newer = points(), points(at_ms=AT_MS + 1)
    assert [p[3] for p in older] == sorted({p[3] for p in older}, reverse=True), "a stamp for each"
    assert {p[3] // 1_000_000 for p in older} == {AT_MS}
    assert min(p[3] for p in newer) > max(p[3] for p in older)
    assert [p[1] for p in older] == [p[1] for p in newer]


def test_a_name_is_that_of_the_row_that_is_valid_last() -> None:
    rows = [row for row in FILE["station"] if row["id"] == "air-zhaidian"]
    assert len(rows) == 2 and rows[0]["valid_from"] < rows[1]["valid_from"]
    _, second = re.finditer('name = "翟店新区"', TEXT)
    changed = TEXT[: second.start()] + 'name = "翟店 (新) 站"' + TEXT[second.end() :]
    stations = of("station", points(changed))
    assert stations["air-zhaidian"]["name"] == "翟店 (新) 站"
    assert list(stations) == list(of("station", points())), "and where it was"
    split = re.search(m.PLACE_LABEL.strip("/").replace("(?<", "(?P<"), stations["air-zhaidian"]["label"])
    assert split is not None and split.groupdict() == {"text": "翟店 (新) 站", "value": "air-zhaidian"}


def section(name: str) -> Section:
    return Section(name, name, "", "g", "river", "r", (), dt.date(2020, 1, 1))


@given(st.permutations("abcdefg"), st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_no_section_stands_before_one_upstream_of_it(file: list[str], pairs: set[tuple[int, int]]) -> None:
    reaches = [Reach("abcdefg"[i], "abcdefg"[j], "1", "1", "1", "1") for i, j in sorted(pairs) if i < j]
    found = [s.id for s in downstream([section(name) for name in file], reaches)]
    assert sorted(found) == list("abcdefg")
    assert all(found.index(reach.upper) < found.index(reach.lower) for reach in reaches)
    assert reaches or found == list(file)


def test_a_ring_of_reaches_ends() -> None:
    reaches = [Reach(upper, lower, "1", "1", "1", "1") for upper, lower in ("ab", "bc", "ca", "cd")]
    found = [s.id for s in downstream([section(name) for name in "dcba"], reaches)]
    assert sorted(found) == list("abcd")


def test_what_clock_a_log_has_is_no_place() -> None:
    assert lines(b"live", topics.REGISTRY) == lines(b"virtual", topics.REGISTRY) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "not a message of format 1"),
        (b'{"kind":"tick","writer":"gw","now":1}', "no version of a registry"),
        (
            blocks.encode(blocks.RegistryVersion("gw", "d1", "format = 99", 0)),
            "registry d1: line 1: the file: format is 99",
        ),
        (blocks.encode(blocks.RegistryVersion("gw", "d1", TEXT, 10**13)), "outside what InfluxDB can hold"),
        (blocks.encode(blocks.RegistryVersion("gw", "d1", TEXT, 0, 2)), "format 2, this program reads 1"),
    ],
)
def test_a_registry_that_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(LineError, match=re.escape(why)):
        lines(data, topics.REGISTRY)
