"""The gateway over real sockets, a real journal and the embedded broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schemas import blocks, registry, times, topics
from streams import hj212, journal
from streams.clock import WriterClock
from streams.connection import MOST_JUNK_BYTES
from streams.intake import MOST_BYTES
from tests.streams.served import Served, found
from tests.streams.served import serve as run

ROOT = Path(__file__).resolve().parents[2]
DISTRICT = registry.load(ROOT / "districts" / "beijing.toml")
MN = "BJAIR2013000000000000001"
START = times.parse_stamp("20151201000000")


def serve(folder: Path, use: Any) -> list[journal.Record]:
    """A gateway on a virtual log."""
    return run(folder, DISTRICT, use, clock=WriterClock("virtual", (START + 3600) * 1000))


def packet(qn: str = "20151201010000000", mn: str = MN, flag: int = 5, start: int = START) -> bytes:
    return hj212.hour_packet(qn, mn, "123456", start, {"SO2": "12.50", "CO": "0.3", "PM10": None}, flag=flag)


def test_a_packet_becomes_evidence_a_block_and_one_answer(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        (answer,) = await served.say(packet(), answers=1)
        assert b"QN=20151201010000000;ST=91;CN=9014" in answer and MN.encode() in answer

    records = serve(tmp_path, use)
    (evidence,) = found(records, topics.PACKETS)
    assert evidence["raw"] == [packet().rstrip(b"\r\n").decode()] and evidence["verdict"] == ["ok"]
    (record,) = [r for r in records if r.topic == topics.READINGS_AIR]
    assert record.partition == topics.partition_of("beijing-air", 4)
    block = blocks.decode(record.value)
    assert isinstance(block, blocks.Block)
    assert (block.sources, block.times, block.periods) == (["Aotizhongxin"], [START + 3600], "h")
    said = dict(
        zip([block.factors[f] for f in block.factor], zip(block.values, block.places, strict=True), strict=True)
    )
    assert said == {"SO2": (1250, "2"), "CO": (3, "1"), "PM10": (0, blocks.NO_VALUE)}
    assert not found(records, topics.DEAD)


def test_no_answer_before_the_log_has_it(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        real, gate = served.gateway.writer.append, asyncio.Event()

        async def slow(records: list[journal.Record], **options: Any) -> None:
            await gate.wait()
            await real(records, **options)

        served.gateway.writer.append = slow  # type: ignore[method-assign]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(packet())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        gate.set()
        assert b"CN=9014" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()

    serve(tmp_path, use)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet().replace(b"12.50", b"12.51"), "crc"),
        (b"hello\r\n", "header"),
        (packet(mn="STRANGER"), "unlisted"),
        (packet(start=START + 60), "full hour"),
        (hj212.build(st="22", cn="2061", mn=MN, qn="1", pw="1", flag=4), "DataTime"),
    ],
)
def test_what_cannot_be_judged_is_kept_and_named(data: bytes, reason: str, tmp_path: Path) -> None:
    listed = b"STRANGER" not in data and reason not in ("crc", "header") and b"Flag=5" in data

    async def use(served: Served) -> None:
        # a good packet behind it, on the same connection, always survives
        await served.say(data + packet(), answers=2 if listed else 1)

    records = serve(tmp_path, use)
    letters = found(records, topics.DEAD)
    assert [reason in letter["reason"] for letter in letters] == [True]
    evidence = found(records, topics.PACKETS)
    assert sum(len(e["raw"]) for e in evidence) == 2
    assert "".join(raw for e in evidence for raw in e["raw"]).count("hello") == (data == b"hello\r\n")


def test_without_the_answer_bit_there_is_no_answer(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        assert await served.say(packet(flag=4), answers=0) == []

    assert len(found(serve(tmp_path, use), topics.PACKETS)) == 1


def test_glued_and_chopped_packets(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        several = b"".join(packet(qn=f"2015120101000000{n}") for n in range(5))
        assert len(await served.say(several.replace(b"\r\n", b""), answers=5)) == 5
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for byte in packet(qn="20151201010000009"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert b"CN=9014" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()

    assert sum(len(e["raw"]) for e in found(serve(tmp_path, use), topics.PACKETS)) == 6


def test_junk_never_makes_a_message_that_kafka_refuses(tmp_path: Path) -> None:
    junk, times_said = MOST_JUNK_BYTES - 1, 4 * MOST_BYTES // MOST_JUNK_BYTES

    async def use(served: Served) -> None:
        await asyncio.gather(*[served.say(b"\0" * junk, answers=0, settle=False) for _ in range(times_said)])
        assert len(await served.say(packet(), answers=1)) == 1

    records = serve(tmp_path, use)
    assert max(len(r.value) for r in records) < 1_000_000
    kept = "".join(raw for e in found(records, topics.PACKETS) for raw in e["raw"])
    assert kept.count("\0") == times_said * junk


def test_packets_are_numbered_without_holes(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        for n in range(3):
            await served.say(packet(qn=f"2015120101000000{n}") + b"junk\r\n" + packet(mn="STRANGER"), answers=1)

    evidence = found(serve(tmp_path, use), topics.PACKETS)
    numbers = sorted(n for e in evidence for n in range(e["first"], e["first"] + len(e["raw"])))
    assert numbers == list(range(9))
