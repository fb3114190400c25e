"""What an outside engineer did to the gateway, and what must come of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from schemas import blocks, registry, times, topics
from streams import hj212
from streams.clock import WriterClock
from streams.device_secrets import SecretsError, load
from streams.journal import JournalError
from tests.streams.served import Served, found, line, serve

ROOT = Path(__file__).resolve().parents[2]
AIR = registry.load(ROOT / "districts" / "beijing.toml")
EXAMPLE = registry.load(ROOT / "districts" / "example")
MN = "BJAIR2013000000000000001"
START = times.parse_stamp("20151201000000")


def virtual() -> WriterClock:
    return WriterClock("virtual", (START + 3600) * 1000)


def hour(number: int, mn: str = MN) -> bytes:
    return hj212.hour_packet(f"201512010100{number:05d}", mn, "1", START, {"SO2": "12.50"}, flag=5)


def realtime(qn: str, data_time: str, mn: str = MN, st: str = "22", **more: Any) -> bytes:
    content = f"DataTime={data_time};a21026-Rtd=1"
    return hj212.build(st=st, cn="2011", mn=mn, qn=qn, pw="1", flag=more.pop("flag", 5), content=content, **more)


# ---- critical


def test_a_long_qn_does_not_end_the_gateway(tmp_path: Path) -> None:
    """LEN 9999 without ST: the answer has ST=91 and is longer than a packet may be."""
    rest = f"CN=2011;MN={MN};Flag=5;CP=&&&&".encode()
    long = hj212.frame(b"QN=" + b"2" * (9999 - len(b"QN=;") - len(rest)) + b";" + rest)

    async def use(served: Served) -> None:
        await served.say(long, answers=0, settle=False)
        await asyncio.sleep(0.3)
        assert len(await served.say(hour(1), answers=1)) == 1

    serve(tmp_path, AIR, use, clock=virtual())


def test_a_long_pw_does_not_end_the_gateway_when_it_is_asked_for_hours(tmp_path: Path) -> None:
    rest = f";CN=2011;MN={MN};Flag=4;CP=&&DataTime=20151201000000&&".encode()

    async def use(served: Served) -> None:
        _, writer = await served.connect()
        writer.write(hj212.frame(b"PW=" + b"1" * (9990 - len(rest)) + rest))
        await asyncio.sleep(0.3)
        served.gateway.want(MN, "2061", START, START)
        await asyncio.sleep(1.2)  # serve() asserts that no task died

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_a_date_of_the_year_1_loses_nothing(tmp_path: Path) -> None:
    """0001-01-01 00:00:00 is what .NET says for "no time". The enterprise meters have no valid_from."""
    mn = next(s.mn for s in EXAMPLE.sources if s.valid_from.year == 1)
    good = realtime("20261122090000001", "20261122090000", mn, "31")
    bad = realtime("20261122090000002", "00010101000000", mn, "31")

    async def use(served: Served) -> None:
        _, writer = await served.connect()
        writer.write(good + bad)
        await asyncio.sleep(0.5)
        assert len(await served.say(good, answers=1, settle=False)) == 1  # a resend, on a new connection

    clock = WriterClock("virtual", times.parse_stamp("20261122090000") * 1000)
    evidence = found(serve(tmp_path, EXAMPLE, use, clock=clock), topics.PACKETS)
    assert bad.rstrip().decode() in [raw for e in evidence for raw in e["raw"]]


def test_one_stranger_does_not_become_a_hundred_thousand_dead_letters(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        _, writer = await served.connect()
        writer.write(b"x\n" * 131072)
        await asyncio.sleep(0.5)
        assert len(await served.say(hour(1), answers=1, settle=False)) == 1

    records = serve(tmp_path, AIR, use, clock=virtual())
    letters = [len(r.value) for r in records if r.topic == topics.DEAD]
    assert 0 < len(letters) < 10_000, "of 131 072 lines"
    assert sum(letters) < 8 * 2 * 131_072, "what he makes us keep is a few times what he sends"


# ---- should


def test_backfill_is_no_way_around_the_list_of_commands(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        await served.say(hour(1), answers=1, settle=False)
        reply = await served.ask(op="backfill", source=MN, cn="3011", begin_s=START, end_s=START)
        assert not reply["ok"]

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_a_number_for_cn_does_not_end_the_gateway(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        _, writer = await served.connect()
        writer.write(hour(1))
        await asyncio.sleep(0.3)
        await served.ask(op="backfill", source=MN, cn=2061, begin_s=START, end_s=START)
        await asyncio.sleep(1.2)  # serve() asserts that no task died

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_of_a_long_range_the_newest_pieces_are_kept_and_asked_first(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        last = START + 300 * 86_400
        served.gateway.want(MN, "2061", START, last)
        reader, writer = await served.connect()
        writer.write(hour(1))
        await line(reader)
        asked = await line(reader)
        assert f"EndTime={times.stamp(last)}".encode() in asked

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_connections_survive_the_end_of_a_clock_hold(tmp_path: Path) -> None:
    wall = [int(time.time() * 1000)]
    clock = WriterClock("live", wall_ms=lambda: wall[0], since_boot_ms=lambda: 0)

    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(hour(1))
        await line(reader)
        wall[0] += 3_600_000
        await asyncio.sleep(0.7)
        writer.write(hour(2))  # stays in the socket
        await asyncio.sleep(0.1)
        for connection in served.gateway.connections:
            connection._heard -= 700  # the hold took longer than idle_s
        wall[0] -= 3_600_000
        assert b"CN=9014" in await line(reader)

    serve(tmp_path, AIR, use, clock=clock)


def test_a_connection_made_while_the_intake_catches_up_is_read(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        gateway, real = served.gateway, served.gateway.admit

        def admit(connection: Any) -> str | None:
            gateway.intake.full = True
            refused = real(connection)
            gateway.intake.full = False
            gateway.intake.on_full(False)  # in the same turn of the event loop
            return refused

        gateway.admit = admit  # type: ignore[method-assign]
        reader, writer = await served.connect()
        writer.write(hour(1))
        assert b"CN=9014" in await line(reader, 3)

    serve(tmp_path, AIR, use, clock=virtual())


def test_a_registry_that_the_log_refused_is_not_in_force(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        real, calls = served.gateway.writer.append, [0]

        async def once(records: Any, **options: Any) -> None:
            calls[0] += 1
            if calls[0] == 1:
                raise JournalError("disk full")
            await real(records, **options)

        served.gateway.writer.append = once  # type: ignore[method-assign]
        text = AIR.text + "\n# edited\n"
        with contextlib.suppress(json.JSONDecodeError):
            await served.ask(op="registry", text=text)
        assert served.gateway.failure.exception() is not None, "who runs the gateway ends it"
        assert (await served.ask(op="registry", text=text))["changed"]

    assert found(serve(tmp_path, AIR, use, clock=virtual()), topics.REGISTRY)


def test_a_part_said_again_is_no_incomplete_packet(tmp_path: Path) -> None:
    parts = [realtime(f"2015120100000{n:04d}", "20151201000000", flag=7, pnum=2, pno=n) for n in (1, 2)]

    async def use(served: Served) -> None:
        await served.say(parts[0] + parts[1], answers=2, settle=False)
        await served.say(parts[1], answers=1, settle=False)
        session = served.gateway.sessions[MN]
        assert session.overdue(served.gateway.clock.now_ms() + 61_000) == 0

    serve(tmp_path, AIR, use, clock=virtual())


def test_a_clock_that_was_reset_is_noticed(tmp_path: Path) -> None:
    """A logger with an empty battery says 2000-01-01: before valid_from, so nobody learns that its clock is wrong."""

    async def use(served: Served) -> None:
        await served.say(realtime("20000101000000001", "20000101000000"), answers=1, settle=False)
        assert MN in served.gateway.sessions

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_a_wall_clock_that_leaps_in_steps_is_held() -> None:
    wall = [0]
    clock = WriterClock("live", wall_ms=lambda: wall[0], since_boot_ms=lambda: 0)
    held = []
    for _ in range(20):
        wall[0] += 9 * 60_000
        held.append(clock.held)
    assert any(held)  # three hours ahead by now


def test_joined_resends_count_as_waiting(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        real, gate = served.gateway.writer.append, asyncio.Event()

        async def slow(records: Any, **options: Any) -> None:
            await gate.wait()
            await real(records, **options)

        served.gateway.writer.append = slow  # type: ignore[method-assign]
        _, writer = await served.connect()
        for _ in range(100):
            writer.write(hour(1) * 1000)
            await writer.drain()
        await asyncio.sleep(0.5)
        joined = sum(len(said.came_on) for said in served.gateway._pending.values())
        gate.set()
        assert joined <= 10_000 or served.gateway.intake.full

    serve(tmp_path, AIR, use, clock=virtual())


def test_journal_and_broker_have_one_order(tmp_path: Path) -> None:
    """A tick is not behind the lock of the log: while a batch is being synced it overtakes it on the way to Kafka."""
    journal_order: list[str] = []
    kafka_order: list[str] = []

    def kinds(records: Any) -> list[str]:
        return [
            type(blocks.decode(r.value)).__name__
            for r in records
            if r.topic == topics.READINGS_AIR and r.partition == topics.partition_of("beijing-air", 4)
        ]

    async def use(served: Served) -> None:
        writer = served.gateway.writer
        append, produce = writer.journal.append, writer._produce  # type: ignore[union-attr]

        def slow(records: Any, *, sync: bool) -> None:
            append(records, sync=sync)
            journal_order.extend(kinds(records))
            if sync:
                time.sleep(0.5)  # a disk that takes its time

        def produced(records: Any, loop: Any) -> Any:
            kafka_order.extend(kinds(records))
            return produce(records, loop)

        writer.journal.append, writer._produce = slow, produced  # type: ignore[union-attr,method-assign,assignment]
        reader, out = await served.connect()
        out.write(hour(1))
        await asyncio.sleep(0.2)
        await served.gateway.intake.append_ticks(served.gateway.clock.now_ms())  # as Intake.tick does once a minute
        await line(reader)

    serve(tmp_path, AIR, use, clock=WriterClock("live"))
    assert sorted(journal_order) == ["Block", "Tick"]
    assert journal_order == kafka_order


# ---- nice


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(SecretsError):
        load({f"ENVSTREAM_PW_{MN}": ""})


def test_what_a_device_answers_is_no_label(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(hour(1))
        await line(reader)
        served.gateway.want(MN, "2061", START, START)
        qn = (await line(reader)).split(b"QN=")[1][:17].decode()
        writer.write(hj212.build(st="91", cn="9011", mn=MN, qn=qn, flag=4, content="QnRtn=\x1b[2Jx"))
        await asyncio.sleep(1)
        labels = {s.labels.get("outcome") for f in served.gateway.metrics.requests.collect() for s in f.samples}
        assert not any("\x1b" in (label or "") for label in labels)
        assert "\x1b" not in (await served.ask(op="loggers"))["loggers"][0]["last_request"]

    serve(tmp_path, AIR, use, clock=WriterClock("live"))


def test_a_control_operation_of_a_wrong_shape_is_answered(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        for operation in ({"op": "clock", "to": 1, "sent": []}, {"op": "registry", "text": 5}):
            assert not (await served.ask(**operation))["ok"]
        assert not (await served.ask(op="clock", to=10**300))["ok"]

    serve(tmp_path, AIR, use, clock=virtual())


def test_no_pw_in_dead_letters(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        await served.say(hj212.build(st="22", cn="2061", mn=MN, qn="1", pw="S3CRET", flag=4, content="x=1"), answers=0)

    letters = found(serve(tmp_path, AIR, use, clock=virtual()), topics.DEAD)
    assert letters and "S3CRET" not in letters[0]["text"]


def test_a_part_number_beyond_the_parts_completes_nothing(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        for n in (77, 1):
            await served.say(
                realtime(f"2015120100000{n:04d}", "20151201000000", flag=7, pnum=2, pno=n), answers=1, settle=False
            )
        assert served.gateway.sessions[MN].overdue(served.gateway.clock.now_ms() + 61_000) == 1

    serve(tmp_path, AIR, use, clock=virtual())
