"""CSV files dropped into a folder: real files, a real journal, the embedded broker."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import blocks, times, topics
from streams import ingest_csv, ingest_folder, journal
from streams.ingest import Ingest
from streams.ingest_ways import WaysPlan
from tests.streams.test_ingest import START, serve

AIR = "station,hour_start,so2_ug_m3,no2_ug_m3,co_ug_m3,o3_ug_m3,pm10_ug_m3,pm25_ug_m3\n"
WATER = "section,time,ph,do_mg_l,codmn_mg_l,nh3n_mg_l,published_class\n"
CHANGED = times.parse_stamp("20261122103000")
VERSION = "20261122103000000"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_folder, "LOOK_S", 0.05)
    monkeypatch.setattr(ingest_folder, "STILL_S", 0.5)


class Drop:
    """The folder, and what came out of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "drop"
        self.journal = folder
        self.records: list[journal.Record] = []

    def put(self, name: str, text: str | bytes, changed: int = CHANGED) -> Path:
        """A file that nobody changes any more."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (changed, changed))
        return path

    def run(self, until: Callable[[], bool]) -> None:
        """Watch until something has happened; then everything in the journal stands in ``records``."""

        async def use(door: Ingest, ports: dict[str, Any]) -> None:
            end = time.monotonic() + 30
            while not until():
                assert time.monotonic() < end, sorted(str(p) for p in self.folder.rglob("*"))
                await asyncio.sleep(0.05)

        self.records = serve(self.journal, WaysPlan(folder=self.folder), use)

    def gone(self, *names: str) -> Callable[[], bool]:
        """Whether none of these stands in the folder any more."""
        return lambda: not any((self.folder / name).exists() for name in names)

    def names(self, under: str) -> list[str]:
        return sorted(path.name for path in (self.folder / under).iterdir())

    def reasons(self, name: str) -> list[str]:
        return (self.folder / "failed" / f"{name}.reason.txt").read_text(encoding="utf-8").splitlines()

    def rows(self, topic: str) -> list[tuple[Any, ...]]:
        """Source, end, period, version, name, value, places, flag."""
        found = []
        for record in self.records:
            block = blocks.decode(record.value) if record.topic == topic else None
            if isinstance(block, blocks.Block):
                at = 0
                for i, count in enumerate(block.counts):
                    head = (block.sources[block.source[i]], block.times[i], block.periods[i], block.qn[i])
                    for j in range(at, at + count):
                        cell = (block.factors[block.factor[j]], block.values[j], block.places[j], block.flags[j])
                        found.append((*head, *cell))
                    at += count
        return found

    def evidence(self) -> list[tuple[str, str, str]]:
        """Peer, verdict, raw."""
        messages = [json.loads(r.value) for r in self.records if r.topic == topics.PACKETS]
        return [row for m in messages for row in zip(m["peer"], m["verdict"], m["raw"], strict=True)]


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


def test_hours_of_the_air(drop: Drop) -> None:
    line = "school,2026-11-22 08:00,12.50,7,300,,NA,1e400"
    drop.put("hours.csv", AIR + line + "\n")
    drop.run(drop.gone("hours.csv"))
    hour = ("school", START + 3600, "h", VERSION)
    assert drop.rows(topics.READINGS_AIR) == [
        (*hour, "SO2", 1250, "2", "_"),
        (*hour, "NO2", 7, "0", "_"),
        (*hour, "CO", 300, "3", "_"),  # the column says ug/m3, and so it is whatever the registry says of the logger
        (*hour, "O3", 0, "-", "_"),
        (*hour, "PM10", 0, "-", "_"),
        (*hour, "PM2.5", 0, "-", "?"),
    ]
    assert drop.evidence() == [("file hours.csv:2", "ok", line)]
    assert (drop.names("done"), drop.names("failed")) == (["hours.csv"], [])


def test_sections_of_a_river(drop: Drop) -> None:
    lines = [
        "店上桥,2026-11-22 09:00,7.80,8.2,1.90,<0.025,2",
        "bridge,2026-11-22 13:47,7.9,,0.5L,—,",
    ]
    drop.put("water.CSV.GZ", gzip.compress(("\ufeff" + WATER + "\r\n".join(lines)).encode()))
    drop.run(drop.gone("water.CSV.GZ"))
    assert drop.rows(topics.READINGS_WATER) == [
        ("bridge", START + 3600, "h", VERSION, "pH", 780, "2", "_"),
        ("bridge", START + 3600, "h", VERSION, "DO", 82, "1", "_"),
        ("bridge", START + 3600, "h", VERSION, "CODMn", 190, "2", "_"),
        ("bridge", START + 3600, "h", VERSION, "NH3N", 25, "3", "L"),
        ("bridge", START + 20_820, "r", VERSION, "pH", 79, "1", "_"),
        ("bridge", START + 20_820, "r", VERSION, "DO", 0, "-", "_"),
        ("bridge", START + 20_820, "r", VERSION, "CODMn", 5, "1", "L"),
        ("bridge", START + 20_820, "r", VERSION, "NH3N", 0, "-", "_"),
    ]
    assert [raw.encode("latin-1").decode() for _, _, raw in drop.evidence()] == lines
    assert drop.names("done") == ["water.CSV.GZ"]


def test_bad_lines_do_not_cost_good_ones_and_all_are_named(drop: Drop) -> None:
    good = "school,2026-11-22 08:00,1,2,300,4,5,6"
    bad = [
        "Mars,2026-11-22 08:00,1,2,300,4,5,6",
        "school,2026-11-22 08:30,1,2,300,4,5,6",
        "school,2026-11-22 09:00,1,2,300",
        "school,2026-11-22 09:00,much,2,300,4,5,6",
        "school,1999-11-22 09:00,1,2,300,4,5,6",
        '"school,2026-11-22 09:00,1,2,300,4,5,6',
        "school,2026-11-22 09:00,1,2,300,4,5,6" + ",x" * 40_000,
    ]
    drop.put("hours.csv", AIR + "\n".join([*bad[:2], good, *bad[2:]]))
    drop.run(drop.gone("hours.csv"))
    assert {row[1] for row in drop.rows(topics.READINGS_AIR)} == {START + 3600}
    assert drop.names("failed") == ["hours.csv", "hours.csv.reason.txt"] and drop.names("done") == []
    said = drop.reasons("hours.csv")
    assert "1 lines taken" in said[0]
    assert sorted({line.partition(": ")[0] for line in said[1:]}) == [
        f"第{n}行 line {n}" for n in (2, 3, 5, 6, 7, 8, 9)
    ]
    assert any("'Mars' is no source" in line for line in said) and any("so2_ug_m3" in line for line in said)
    kept: dict[str, str] = {}
    for peer, verdict, raw in drop.evidence():
        kept[peer] = kept.get(peer, "") + raw
        assert (verdict == "ok") == (raw == good)
    assert list(map(kept.__getitem__, sorted(kept))) == [*bad[:2], good, *bad[2:]]
    assert sum(r.topic == topics.DEAD for r in drop.records) == len(said) - 1


def test_bad_water_lines(drop: Drop) -> None:
    good = "bridge,2026-11-22 09:00,7,8,2,0.1,2"
    bad = ["bridge,,7,8,2,0.1,2", ",2026-11-22 09:00,7,8,2,0.1,2", "bridge,2026-11-22 09:00,7,8,two,0.1,2"]
    drop.put("water.csv", WATER + "\n".join([*bad, "", good, ""]))
    drop.run(drop.gone("water.csv"))
    assert len(drop.rows(topics.READINGS_WATER)) == 4
    assert [line.partition(":")[0] for line in drop.reasons("water.csv")[1:]] == [
        f"第{n}行 line {n}" for n in (2, 3, 4)
    ]


def test_files_that_are_none(drop: Drop) -> None:
    ahead = int(time.time()) + 3600
    drop.put("notes.txt", "hello")
    drop.put("empty.csv", "")
    drop.put("columns.csv", "a,b\n1,2\n")
    drop.put("head.csv", AIR)
    drop.put("half.csv", "station,hour_start,so2_ug_m3\nschool,2026-11-22 08:00,1\n")
    drop.put("torn.csv.gz", gzip.compress((AIR + "x" * 5000).encode())[:-20])
    drop.put("gbk.csv", "站点,时间\n第一小学,1\n".encode("gbk"))
    drop.put("ragged.csv", WATER + "bridge,2026-11-22 09:00,7,8,2,0.1,2\nbridge,2026-11-22 10:00,7\n")
    drop.put("broken.csv", WATER + 'bridge,2026-11-22 09:00,7,8,2,0.1,"2\n3"\n')
    drop.put("tomorrow.csv", AIR + "school,2026-11-22 08:00,1,2,300,4,5,6\n", changed=ahead)
    names = [path.name for path in drop.folder.iterdir() if path.is_file()]
    drop.run(drop.gone(*names))
    assert drop.names("failed") == sorted([*names, *(f"{name}.reason.txt" for name in names)])
    for name in names:
        head, why = drop.reasons(name)
        assert "0 lines taken" in head and why.startswith(f"{name}: ") and str(drop.folder) not in why
    assert not any(r.topic in topics.READINGS for r in drop.records)
    assert {peer for peer, _, _ in drop.evidence()} == {f"file {name}" for name in names}
    assert {verdict.partition(":")[0] for _, verdict, _ in drop.evidence()} == {"file"}


def test_only_whole_files_that_stand_still(drop: Drop) -> None:
    line = "school,2026-11-22 %02d:00,1,2,300,4,5,6\n"
    for name in (".hours.csv", "hours.csv.part"):
        drop.put(name, AIR + line % 8)
    drop.put("still.csv", AIR + line % 9)
    (drop.folder / "link.csv").symlink_to(drop.folder / ".hours.csv")
    growing = drop.put("growing.csv", AIR + line % 10)
    begun = time.monotonic()

    def grown() -> bool:
        if time.monotonic() - begun < 1.5:
            with growing.open("a") as file:
                file.write(line % 11)
            return False
        return drop.gone("growing.csv")()

    drop.run(grown)
    assert sorted(drop.names("done")) == ["growing.csv", "still.csv"]
    written = (drop.folder / "done" / "growing.csv").read_text().count("11:00")
    assert sum(row[1] == START + 4 * 3600 for row in drop.rows(topics.READINGS_AIR)) == 6 * written
    left = {path.name for path in drop.folder.iterdir() if not path.is_dir()}
    assert left == {".hours.csv", "hours.csv.part", "link.csv"}


def test_a_name_that_came_before_takes_nothing_away(drop: Drop) -> None:
    drop.put("hours.csv", AIR + "school,2026-11-22 08:00,1,2,300,4,5,6\n")
    drop.run(drop.gone("hours.csv"))
    drop.put("hours.csv", AIR + "school,2026-11-22 09:00,1,2,300,4,5,6\n")
    drop.run(drop.gone("hours.csv"))
    assert drop.names("done") == ["hours.csv", "hours.csv.2"]


def test_read_again_after_a_crash_changes_nothing(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between append and move, and a correction that came meanwhile by another file."""
    first = AIR + "school,2026-11-22 08:00,1,2,300,4,5,6\nschool,2026-11-22 09:00,1,2,300,4,5,6\n"

    crashed: list[float] = []

    class Killed(BaseException):
        """No error that anybody may survive."""

    def crash(*_: Any) -> None:
        crashed.append(time.monotonic())
        raise Killed

    drop.put("first.csv", first)
    with monkeypatch.context() as patched:
        patched.setattr(ingest_folder, "_move", crash)
        with pytest.raises(AssertionError):  # the way in has ended
            drop.run(lambda: bool(crashed) and time.monotonic() > crashed[0] + 0.5)
    drop.put("second.csv", AIR + "school,2026-11-22 08:00,9,2,300,4,5,6\n", changed=CHANGED + 60)
    drop.run(drop.gone("first.csv", "second.csv"))
    rows = drop.rows(topics.READINGS_AIR)
    assert len(rows) == 6 * (2 + 2 + 1)  # at least once …
    judged: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:  # … and the later version wins, in any order
        slot, said = (row[0], row[1], row[4]), (row[3], *row[5:])
        judged[slot] = max(judged.get(slot, said), said)
    assert len(judged) == 12
    assert judged["school", START + 3600, "SO2"] == ("20261122103100000", 9, "0", "_")
    assert judged["school", START + 7200, "SO2"] == (VERSION, 1, "0", "_")


def test_a_name_in_gbk_is_shown_as_bytes_and_costs_nobody_else(drop: Drop) -> None:
    """As FTP from a Windows in China leaves it; of 小时数据 the first two happen to be UTF-8, the others are not."""
    gbk = "小时数据".encode("gbk")
    name, text = os.fsdecode(gbk), (AIR + "Mars,2026-11-22 08:00,1,2,300,4,5,6\n")
    names = [f"{name}.csv", f"{name}.txt", f"{name}.csv.gz", "two\nlines.csv", "plain.csv"]
    for each in names[:2]:
        drop.put(each, text)
    drop.put(names[2], gzip.compress(b"station,hour_start\nx,y\n"))
    drop.put(names[3], text)
    drop.put(names[4], AIR + "school,2026-11-22 08:00,1,2,300,4,5,6\n")
    drop.run(drop.gone(*names))
    assert drop.names("done") == ["plain.csv"]
    assert drop.names("failed") == sorted([*names[:4], *(f"{each}.reason.txt" for each in names[:4])])
    printed = gbk[:4].decode() + "".join(f"\\x{byte:02x}" for byte in gbk[4:])
    assert {peer for peer, _, _ in drop.evidence()} == {
        f"file {printed}.csv:2", f"file {printed}.txt", f"file {printed}.csv.gz", "file two\\nlines.csv:2",
        "file plain.csv:2",
    }  # fmt: skip
    for each, said in zip(names, (f"{printed}.csv", f"{printed}.txt", f"{printed}.csv.gz"), strict=False):
        assert drop.reasons(each)[0].startswith(f"{said}: 采用 0 行")
    letters = [json.loads(r.value)["place"] for r in drop.records if r.topic == topics.DEAD]
    assert len(letters) == 4 and all(each.isprintable() for each in letters)


def test_what_nobody_foresaw_costs_one_file(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ingest_folder.read

    def broken(path: Path, version: str) -> Any:
        if path.name == "broken.csv":
            raise IndexError("list index\nout of range \udcca")
        return real(path, version)

    monkeypatch.setattr(ingest_folder, "read", broken)
    good = AIR + "school,2026-11-22 08:00,1,2,300,4,5,6\n"
    drop.put("broken.csv", good, changed=CHANGED - 60)
    drop.put("good.csv", good)
    drop.run(drop.gone("broken.csv", "good.csv"))
    assert drop.names("done") == ["good.csv"] and drop.names("failed") == ["broken.csv", "broken.csv.reason.txt"]
    head, why = drop.reasons("broken.csv")
    assert "0 lines taken" in head and "IndexError list index out of range \\udcca" in why
    assert ("file broken.csv", good) in {(peer, raw) for peer, _, raw in drop.evidence()}


def test_lines_taken_before_something_unforeseen_are_counted(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_folder, "LINES_AT_ONCE", 2)
    monkeypatch.setattr(ingest_folder, "AT_ONCE", 2)
    hours = [f"school,2026-11-22 {hour:02d}:00,1,2,300,4,5,6" for hour in range(4)]
    drop.put("hours.csv", AIR + "\n".join(hours))
    real = ingest_folder.read

    def ends_early(path: Path, version: str) -> Any:
        file = real(path, version)
        del file._raw[-1]  # what a file that shrinks would leave
        return file

    monkeypatch.setattr(ingest_folder, "read", ends_early)
    drop.run(drop.gone("hours.csv"))
    head, why = drop.reasons("hours.csv")
    assert "2 lines taken, 1 refused" in head and "line 5" in why
    assert all(raw for _, _, raw in drop.evidence())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["air", "water"])
def test_a_file_that_changes_after_it_was_read_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, packed: bool
) -> None:
    rows = {"air": "school,2026-11-22 0%d:00,1,2,300,4,5,6", "water": "bridge,2026-11-22 0%d:00,7,8,2,0.1,2"}[kind]
    lines = [rows % hour for hour in range(1, 6)]
    data = ({"air": AIR, "water": WATER}[kind] + "\n".join(lines)).encode()
    path = tmp_path / ("hours.csv.gz" if packed else "hours.csv")
    reader = f"read_{kind}_csv"
    real = getattr(ingest_csv, reader)
    for later in (b"", AIR.encode(), data + b"\n" + data):
        path.write_bytes(gzip.compress(data) if packed else data)

        def changed(*words: Any, later: bytes = later) -> Any:
            path.write_bytes(later)
            return real(*words)

        monkeypatch.setattr(ingest_csv, reader, changed)
        found = list(ingest_csv.read(path, "v").lines())
        assert [line.raw.decode() for line in found] == lines
        assert all(not isinstance(line.said, str) for line in found)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_too_large_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(ingest_csv, "MOST_BYTES", 1024 * 1024)
    data = AIR.encode() + b"x" * 1024 * 1024
    path = tmp_path / "hours.csv"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(ingest_csv.FileRefused, match=r"^hours.csv: 太大 more than 1 MiB unpacked: split it$"):
        ingest_csv.read(path, "v")


def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    from streams.ingest_ways import WaysError

    (tmp_path / "file").write_text("")

    async def use(door: Ingest, ports: dict[str, Any]) -> None: ...

    with pytest.raises(WaysError, match=r"file/drop: .*: give a folder that can be written"):
        serve(tmp_path, WaysPlan(folder=tmp_path / "file" / "drop"), use)
