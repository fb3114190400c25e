"""Recordings: what is written is read, evidence is read as it came, damage is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from schemas import topics
from schemas.messages import Packets, encode
from streams import hj212
from streams.journal import Journal, Record
from streams.logger_client import Address
from streams.player import AFTER_LAST_DAY_S, ReplayPlan, after_last_day, record
from streams.simulator import recording, scenarios
from streams.simulator.events import CUT, END, PAUSE, Event, Mark
from streams.simulator.recording import Answers, Header, RecordingError, Writer
from tests.streams.simulator.district import FOLDER, START_MS, district, only, simulated

ANSWERS = Answers(district())
NOWHERE = Address("127.0.0.1", 1)


def write(path: Path, items: list[Event | Mark], **header: int) -> Path:
    with Writer(path, Header(**header)) as writer:
        for item in items:
            writer.write(item)
    return path


@pytest.mark.parametrize("name", ["week.jsonl", "week.jsonl.gz"])
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    chosen = scenarios.load(["silent", "garbage", "duplicated"], FOLDER)
    registry = only(["jingyuan-furnace", "yunqi-quenching", "weilan-outlet", "baiyuan-kiln-tail", "songquan-stack"])
    items = simulated(registry, 2, chosen=chosen)
    items.insert(5, Mark(items[4].at_ms, PAUSE, seconds=1.5))
    file = write(tmp_path / name, items)
    assert recording.is_recording(file)
    assert recording.read_header(file).step_ms == 10_000
    read = list(recording.read(file, ANSWERS))
    broken = [e for e in items if isinstance(e, Event) and not e.qn]
    assert len(broken) == 24 * 9
    # Of broken packets some read as packets after all: an unreadable number, a DataTime that is none.
    assert [e[:3] for e in read] == [e[:3] for e in items]
    for was, now in zip(items, read, strict=True):
        if not (isinstance(was, Event) and not was.qn):
            assert was == now


def test_the_same_recording_is_the_same_file(tmp_path: Path) -> None:
    items = simulated(only(["shilu-mill"]))
    one, two = (write(tmp_path / name, items).read_bytes() for name in ("a.gz", "b.gz"))
    assert one == two


def test_who_is_owed_an_answer() -> None:
    listed, wants_none, unlisted, sealed = (
        hj212.data_packet(
            st="31", cn="2061", mn=mn, data_time="20260406000000", readings=[("a21026", {"Avg": "1" * 40})],
            qn="20260406010000000", pw="123456", answer=answer, edition=edition, sm4_key=key,
        )[0]
        for mn, answer, edition, key in (
            ("0A1E0000000000000000C017", True, "2017", None),
            ("0A1E0000000000000000C017", False, "2017", None),
            ("NOBODY", True, "2017", None),
            ("0A1E0000000000000000C020", True, "2025", bytes(16)),
        )
    )  # fmt: skip
    assert ANSWERS.event(START_MS, "x", listed) == Event(START_MS, "x", listed, "20260406010000000", True)
    assert not ANSWERS.event(START_MS, "x", wants_none).answered
    assert not ANSWERS.event(START_MS, "x", unlisted).answered
    assert not ANSWERS.event(START_MS, "x", sealed).answered
    assert ANSWERS.event(START_MS, "x", b"##noise\r\n") == Event(START_MS, "x", b"##noise\r\n", "", False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"hello":1}\n', "line 1 is no head of a recording"),
        (b"\xff\xfe", "line 1 is no head of a recording"),
        (b'{"format":"envstream-recording","v":9}\n', "format 9, this program reads 1"),
        (b'{"format":"envstream-recording","v":1}\n{"at":1,"mn":"a","raw":"x"}\n{"at":2,"mn"', "line 3 is damaged"),
        (b'{"format":"envstream-recording","v":1}\n{"at":1,"mark":"dance"}\n', "line 2: mark 'dance'"),
        (b'{"format":"envstream-recording","v":1}\n{"at":1,"mn":"a","raw":"\xe6\xb1\x89"}\n', "line 2 is damaged"),
    ],
)
def test_damage_is_named_with_its_line(text: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(text)
    with pytest.raises(RecordingError, match=reason) as caught:
        list(recording.read(file, ANSWERS))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_and_one_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path / "r.gz", simulated(only(["shilu-mill"])))
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(RecordingError, match="it is not whole"):
        list(recording.read(file, ANSWERS))
    with pytest.raises(RecordingError, match="No such file"):
        list(recording.read(tmp_path / "none", ANSWERS))
    with pytest.raises(RecordingError, match="--to"):
        Writer(tmp_path / "no" / "r", Header())
    assert not recording.is_recording(tmp_path / "none")


# --- evidence --------------------------------------------------------------------------------------


def packets(first: int, *rows: tuple[int, str, str, bytes]) -> bytes:
    """A message of the topic, of (received, peer, mn, raw)."""
    received, peer, mn, raw = zip(*rows, strict=True)
    return encode(
        Packets(
            "gw", first, list(received), list(peer), list(mn), ["ok"] * len(rows), [r.decode("latin-1") for r in raw]
        )
    )


def test_evidence_comes_out_in_the_order_it_came_in(tmp_path: Path) -> None:
    mn = "0A1E0000000000000000C017"
    good = [
        hj212.build(st="31", cn="2061", mn=mn, qn=f"2026040601000000{n}", flag=5, content="DataTime=20260406000000")
        for n in range(3)
    ]
    journal = Journal(tmp_path / "data" / "journal")
    journal.begin("virtual")
    bare = [data[:-2] for data in good]
    journal.append(
        [  # one append: partition after partition
            Record(topics.PACKETS, 1, None, packets(7, (100, "a:1", mn, bare[0]))),
            Record(topics.PACKETS, 1, None, packets(9, (100, "a:1", mn, bare[1]))),
            Record(topics.PACKETS, 0, None, packets(8, (100, "a:1", "", b"##12noise"))),
            Record(topics.PACKETS, 0, None, packets(10, (101, "b:2", "", b"GET /"))),
        ],
        sync=False,
    )
    journal.append([Record(topics.READINGS_AIR, 0, None, b"{}")], sync=False)
    journal.append(
        [
            Record(topics.PACKETS, 0, None, packets(11, (200, "c:3", "station", b'{"source":"station"}'))),
            Record(topics.PACKETS, 1, None, packets(12, (200, "a:1", mn, bare[2]))),
        ],
        sync=False,
    )
    journal.close()
    expected = [
        Event(100, mn, good[0], "20260406010000000", True),
        Event(100, mn, b"##12noise\r\n", "", False),  # where its connection spoke: the same bytes in the same order
        Event(100, mn, good[1], "20260406010000001", True),
        Event(101, "", b"GET /\r\n", "", False),
        Event(200, mn, good[2], "20260406010000002", True),  # what came by ingest is no packet of a logger
    ]
    assert list(recording.read_journal(tmp_path / "data", ANSWERS)) == expected
    assert list(recording.read_journal(tmp_path / "data" / "journal", ANSWERS)) == expected
    with pytest.raises(RecordingError, match="holds no journal"):
        list(recording.read_journal(tmp_path, ANSWERS))

    plan = ReplayPlan([tmp_path / "data"], district(), NOWHERE)
    assert record(plan, tmp_path / "evidence.jsonl") == 5
    lines = (tmp_path / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "format": "envstream-recording",
        "v": 1,
        "step_ms": 0,
        "about": "",
    }  # fmt: skip  each instant as it was
    assert list(recording.read(tmp_path / "evidence.jsonl", ANSWERS)) == expected


def test_recordings_of_one_time_play_together(tmp_path: Path) -> None:
    one = write(tmp_path / "a", [Event(5, "m", b"a", "", False), Mark(20, CUT, "m"), Mark(30, END)])
    two = write(tmp_path / "b.gz", [Event(1, "n", b"b", "", False), Event(25, "n", b"c", "", False)])
    assert record(ReplayPlan([one, two], district(), NOWHERE), tmp_path / "both") == 3
    assert [item[:3] for item in recording.read(tmp_path / "both", ANSWERS)] == [
        (1, "n", b"b"), (5, "m", b"a"), (20, CUT, "m"), (25, "n", b"c"), (30, END, ""),
    ]  # fmt: skip
    with gzip.open(two) as file:
        assert json.loads(file.readline())["format"] == "envstream-recording"


def test_the_clock_goes_on_until_the_last_day_is_closed() -> None:
    assert after_last_day(START_MS + 1) == START_MS + (24 * 3600 + AFTER_LAST_DAY_S) * 1000
    assert after_last_day(START_MS) == START_MS + AFTER_LAST_DAY_S * 1000  # 00:00 is still the day before


@pytest.mark.parametrize(
    "line",
    ['{"at":-5,"mn":"a","raw":"b"}', '{"at":9000000000000000000,"mn":"a","raw":"b"}',
     '{"at":99999999999999999999,"mn":"a","raw":"b"}', '{"at":1775404900000,"mark":"pause","seconds":-3}'],
)  # fmt: skip
def test_instants_and_pauses_that_cannot_be_are_damage(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"format":"envstream-recording","v":1}}\n{line}\n', encoding="utf-8")
    with pytest.raises(RecordingError, match="line 2 is damaged"):
        list(recording.read(path, recording.Answers(district())))


def test_a_recording_that_lost_its_head_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"at":5,"mn":"a","raw":"b"}\n', encoding="utf-8")
    assert recording.is_recording(path)
    with pytest.raises(RecordingError, match="line 1 is no head"):
        recording.read_header(path)
