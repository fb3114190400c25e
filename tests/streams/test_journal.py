"""The journal gives back whole records in order after any cut, and refuses what it cannot trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import journal
from streams.journal import Journal, JournalError, Record

RECORDS = [Record("readings-air", n % 4, None if n % 3 else b"k", bytes([n]) * (n * 7)) for n in range(1, 40)]


def written(folder: Path) -> Path:
    """A journal with RECORDS."""
    opened = Journal(folder)
    opened.begin("virtual")
    opened.append(RECORDS[:20], sync=True)
    opened.append(RECORDS[20:], sync=False)
    opened.close()
    return folder / "00000001.log"


def test_records_come_back_in_order(tmp_path: Path) -> None:
    written(tmp_path)
    opened = Journal(tmp_path)
    assert list(opened.records()) == RECORDS
    assert opened.clock == "virtual"
    opened.append([Record("dead", 0, b"x", b"y")], sync=True)
    assert list(journal.read(tmp_path)) == [*RECORDS, Record("dead", 0, b"x", b"y")]
    opened.close()


def test_an_append_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    wholes = {0: 0, 20: 0, len(RECORDS): 0}  # how many cuts leave as many records
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        opened = Journal(tmp_path)
        kept = list(opened.records())
        assert kept == RECORDS[: len(kept)]
        wholes[len(kept)] += 1  # nothing but the borders of the two appends
        opened.append([Record("dead", 0, None, b"after")], sync=True)
        assert list(opened.records()) == [*kept, Record("dead", 0, None, b"after")]
        opened.close()
    assert wholes[0] and wholes[20]


@pytest.mark.parametrize("tail", [b"\0" * 3_000, b"\xff" * 700, b"\x05\0\0\0"])
def test_a_tail_that_a_power_cut_left_is_cut(tail: bytes, tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    opened = Journal(tmp_path)
    assert list(opened.records()) == RECORDS
    opened.close()


def test_damage_with_entries_behind_it_is_refused_and_nothing_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    for at in (0, 5, 100):  # in the length, the checksum, the payload of the first append
        broken = bytearray(data)
        broken[at] ^= 1
        path.write_bytes(broken)
        with pytest.raises(JournalError, match="damaged at byte 0, with good entries behind it"):
            Journal(tmp_path)
        assert path.read_bytes() == broken


def test_damage_before_the_last_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1_000)
    opened = Journal(tmp_path)
    for record in RECORDS:
        opened.append([record], sync=False)
    opened.close()
    assert len(list(tmp_path.glob("*.log"))) > 2
    assert list(journal.read(tmp_path)) == RECORDS
    first = tmp_path / "00000001.log"
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    again = Journal(tmp_path)
    with pytest.raises(JournalError, match=r"00000001\.log: damaged at byte"):
        list(again.records())
    again.close()


def test_two_writers_are_refused(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    with pytest.raises(JournalError, match="in use by another"):
        Journal(tmp_path)
    first.close()
    Journal(tmp_path).close()


def test_another_format_and_a_lost_header_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    header = tmp_path / journal.HEADER
    header.write_text('{"format": 2, "clock": null}')
    with pytest.raises(JournalError, match=r"format 2.*upgrade"):
        Journal(tmp_path)
    header.unlink()
    with pytest.raises(JournalError, match="missing beside its records"):
        Journal(tmp_path)
