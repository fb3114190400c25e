"""A registry is refused with all its errors at once; what it says holds from a date on."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from schemas import registry

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
format = 1
name = "县"
[receive]
port = 9212
[[group]]
id = "g"
[[area]]
id = "a"
name = "县城"
group = "g"
[[station]]
id = "s1"
name = "一"
area = "a"
mn = "A1"
valid_from = 2015-01-01
units = {CO = "ug/m3"}
[[station]]
id = "s2"
name = "二"
area = "a"
mn = "A2"
kind = "traffic"
valid_from = 2015-01-01
valid_to = 2015-06-30
"""


def test_every_district_that_ships_is_good() -> None:
    found = [*(ROOT / "districts").glob("*.toml"), *(p.parent for p in (ROOT / "districts").glob("*/district.toml"))]
    assert len(found) >= 2
    for path in found:
        assert registry.load(path).stations


def test_what_it_says() -> None:
    found = registry.parse(GOOD, "x.toml")
    assert found.receive == registry.Receive("127.0.0.1", 9212, 9213)
    station = found.by_mn("A1", dt.date(2015, 3, 1))
    assert station is not None and station.id == "s1"
    assert station.shift("CO") == 3 and station.shift("SO2") == 0
    assert found.city_stations("a", dt.date(2015, 3, 1)) == ("s1",)
    assert found.by_mn("A2", dt.date(2015, 7, 1)) is None
    assert found.by_mn("A1", dt.date(2014, 12, 31)) is None


def test_all_errors_at_once_with_their_lines() -> None:
    bad = (
        GOOD.replace("format = 1", "format = 9")
        .replace("port = 9212", 'port = "9212"')
        .replace('group = "g"', 'group = "h"')
        .replace('mn = "A2"', 'mn = "A1"')
        .replace('CO = "ug/m3"', 'CO = "ppb"')
        .replace('kind = "traffic"', 'kind = "tram"')
        .replace('name = "二"\n', "")
        + "typo = 1\n"
    )
    with pytest.raises(registry.RegistryError) as caught:
        registry.parse(bad, "x.toml")
    lines = str(caught.value).splitlines()
    text = str(caught.value)
    for what in ("format = 1", "port = '9212'", "group 'h'", "MN A1", "ppb", "tram", "name is missing", "typo"):
        assert what in text, what
    assert all(line.startswith("x.toml: ") for line in lines) and len(lines) >= 8
    second = [n for n, line in enumerate(bad.splitlines(), 1) if line == "[[station]]"][1]
    assert f"line {second}: [[station]]" in text


def test_a_change_holds_from_its_date_and_leaves_the_past() -> None:
    moved = GOOD + '[[station]]\nid = "s1"\nname = "一"\narea = "a"\nmn = "A9"\nvalid_from = 2016-01-01\n'
    found = registry.parse(moved, "x.toml")
    assert found.by_mn("A1", dt.date(2015, 12, 31)) is not None
    assert found.by_mn("A1", dt.date(2016, 1, 1)) is None
    new = found.by_mn("A9", dt.date(2016, 1, 1))
    assert new is not None and new.id == "s1"


@pytest.mark.parametrize("text", ["", "format = 1", "[[station]\n", "station = 3\nformat = 1"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(registry.RegistryError, match=r"x\.toml"):
        registry.parse(text, "x.toml")


def test_a_file_that_is_not_there_names_itself_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(registry.RegistryError, match=r"no\.toml: .*--district"):
        registry.load(tmp_path / "no.toml")


def test_a_folder_is_its_district(tmp_path: Path) -> None:
    (tmp_path / "district.toml").write_text("\ufeff" + GOOD, encoding="utf-8")  # as some editors write it
    assert registry.load(tmp_path).digest == registry.parse(GOOD, "x").digest
    (tmp_path / "nothing").mkdir()
    with pytest.raises(registry.RegistryError, match=r"nothing/district\.toml: .*--district"):
        registry.load(tmp_path / "nothing")


def test_texts_of_the_first_version_still_say_the_same() -> None:
    """What stands in logs: the digest of the text names it for ever."""
    found = registry.parse(GOOD, "registry in the log")
    assert found.digest == hashlib.sha256(GOOD.encode()).hexdigest()[:16]
    assert found.receive.tls is None and found.outlets == () and found.tasks == ()
    assert found.area("a").kind == "district" and found.stations[0].township == ""
