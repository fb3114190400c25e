"""The kind of water body of a section: from the file, from the configuration, or named as assumed; and its target."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from agents.assess_water import assess_water, report
from streams.water_csv import BodiesError, Configured, WaterFileError, bodies_from

from ...test_assess_water import HEAD, REAL, needs_real, row, write


@needs_real
def test_real_file_names_every_section_whose_body_is_assumed() -> None:
    found = assess_water([REAL])
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        names = sorted({each["section"] for each in csv.DictReader(file)})
    assert found["bodies_assumed"] == names
    assert (found["body_assumed"], found["default_body"]) == (len(names), "river")
    assert all(each["body_assumed"] is True and each["body"] == "river" for each in found["sections"].values())
    assert all(name in report(found) for name in names)
    known = assess_water([REAL], bodies=dict.fromkeys(names[1:], "river"))
    assert known["bodies_assumed"] == names[:1]
    assert [name for name, each in known["sections"].items() if each["body_assumed"]] == names[:1]
    assert {key: known[key] for key in ("agree", "by_class")} == {key: found[key] for key in ("agree", "by_class")}
    assert "sections without a body" not in report(assess_water([REAL], bodies=dict.fromkeys(names, "river")))


def test_the_default_body_is_a_visible_choice(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", row(3, TP="0.03"))
    found = assess_water([file], default_body="lake")
    assert (found["agree"], found["default_body"], found["sections"]["甲"]["body"]) == (1, "lake", "lake")
    assert "judged as lake: 1: 甲" in report(found)


def test_a_section_is_not_both_river_and_lake(tmp_path: Path) -> None:
    head = HEAD + ",body"
    for bodies in (["lake", "river"], ["lake", ""], ["", "湖库"]):
        rows = [row(time=f"2026-07-09 0{at}:00") + f",{body}" for at, body in enumerate(bodies)]
        file = write(tmp_path / "a.csv", *rows, head=head)
        with pytest.raises(WaterFileError, match=r"甲.*both river and lake"):
            assess_water([file])
    assert assess_water([file], bodies={"甲": "lake"})["sections"]["甲"]["body"] == "lake"


def test_bodies_and_targets_from_a_file(tmp_path: Path) -> None:
    config = tmp_path / "bodies.toml"
    config.write_text(
        '# 断面\n[[section]]\nname = "甲"\nbody = "lake"\ntarget = 2\n\n[[section]]\nname = " 乙 "\nbody = "river"\n',
        encoding="utf-8-sig",
    )
    configured = bodies_from(config)
    assert configured == {"甲": Configured("lake", 2), "乙": Configured("river", None)}
    file = write(
        tmp_path / "a.csv",
        row(3, TP="0.03"),
        row(2, TP="0.025", time="2026-07-09 22:00"),
        row("", NH3N="0.4L", TP="0.02", time="2026-07-09 23:00"),  # below detection: within class II, whatever it is
        row("", NH3N="0.6L", TP="0.02", time="2026-07-10 00:00"),  # not to be judged against class II
        row(2, TP="0.02", time="昨天"),
        row(2, section=" 乙", TP="0.03"),
    )
    found = assess_water(
        [file],
        bodies={name: each.body for name, each in configured.items()},
        targets={name: each.target for name, each in configured.items() if each.target} | {"丙": 3},
    )
    assert (found["agree"], found["disagree"], found["bodies_assumed"]) == (3, 0, [])
    assert {key: found["sections"]["甲"][key] for key in ("target", "meets", "fails")} == {
        "target": 2,
        "meets": 2,
        "fails": 1,
    }
    assert "target" not in found["sections"]["乙"]
    assert found["targets_unused"] == ["丙"]
    assert "目标 target Ⅱ，达标行 rows that meet 2，不达标 that fail 1" in report(found)
    with pytest.raises(WaterFileError, match="must be 1 … 6"):
        assess_water([file], targets={"甲": 7})


def test_every_problem_of_a_configuration_at_once(tmp_path: Path) -> None:
    config = tmp_path / "bodies.toml"
    lines = [
        '"王家庄" = "river"',
        "[[section]]",
        'name = "甲"',
        'body = "pond"',
        "target = 7",
        "[[section]]",
        'body = "lake"',
        'colour = "blue"',
        "[[section]]",
        'name = "甲"',
        'target = "3"',
        "[[section]]",
        'name = "  "',
        'body = ["lake"]',
        "target = true",
        "[[section]]",
        'name = "乙"',
        'body = "lake"',
    ]
    config.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BodiesError) as caught:
        bodies_from(config)
    problems = [each.removeprefix(f"{config}:") for each in caught.value.problems]
    expected = [
        (1, "[[section]]"),
        (4, "'pond': write river or lake"),
        (5, "target = 7: write a class 1 … 6"),
        (6, "name 缺失 is missing"),
        (8, "colour"),
        (9, "body 缺失 is missing"),
        (10, "already in line 3"),
        (11, "target = '3'"),
        (13, "write the section's name"),
        (14, "write river or lake"),
        (15, "target = True"),
    ]
    assert [int(each.partition(":")[0]) for each in problems] == [line for line, _ in expected]
    for problem, (_, words) in zip(problems, expected, strict=True):
        assert words in problem
        assert "\n" not in problem
    assert str(caught.value).split("\n") == list(caught.value.problems)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "bodies.toml:1: "),
        (b"[[section]]\nname =\n", "bodies.toml:2: "),
        (b"section = 3\n", "write [[section]]"),
        (b"[section]\nname = 'a'\nbody = 'lake'\n", "write [[section]]"),
        ("[[section]]\nname = '甲'".encode("gbk"), "not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_configurations_that_are_none(tmp_path: Path, content: bytes | None, words: str) -> None:
    config = tmp_path / "bodies.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(BodiesError, match=r"bodies\.toml") as caught:
        bodies_from(config)
    assert words in str(caught.value)
