"""The driver between a simulated district and a gateway: a small one that answers, and a real one."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from streams.clock import VIRTUAL, WriterClock
from streams.logger_client import Address, Timing
from streams.player import ReplayPlan, ReplayReport, replay
from streams.simulator import scenarios
from streams.simulator.driver import Driver
from streams.simulator.events import CUT, END, PAUSE, Mark
from streams.simulator.recording import Header, Writer
from streams.simulator.simulate import Simulation, simulate
from streams.simulator.timeline import Plan
from tests.streams import test_player
from tests.streams.served import Served, found, rows, serve
from tests.streams.simulator.district import FOLDER, HOUR_MS, START, START_MS, only, said, simulated
from tests.streams.test_player import FakeGateway, within

QUICK = Timing(over_time_s=0.2, re_count=2, patience_s=20.0)
FEW = ("air-luhua", "dianshang-bridge", "jingyuan-furnace", "baiyuan-kiln-tail")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    monkeypatch.setattr(test_player, "LISTED", {s.mn for s in only(FEW).sources})
    return FakeGateway()


def play(gateway: FakeGateway, file: Path, **more: Any) -> ReplayReport:
    """Replay a recording into it."""

    async def run() -> ReplayReport:
        await gateway.start()
        return await replay(ReplayPlan([file], only(FEW), gateway.to, gateway.control, timing=QUICK, **more))

    return within(run())


def test_a_recording_is_sent_in_steps_and_ends_where_it_says(gateway: FakeGateway, tmp_path: Path) -> None:
    # the fake reads HJ 212 checksums alone
    registry = only([*FEW[:3]])
    items = simulated(registry)
    with Writer(tmp_path / "day", Header()) as writer:
        for item in items:
            writer.write(item)
    report = play(gateway, tmp_path / "day")
    events = said(items)
    assert report.answered == report.packets == report.rows == len(events)
    assert Counter(p.raw + b"\r\n" for p, _ in gateway.packets) == Counter(e.data for e in events)
    at = {e.data: e.at_ms for e in events}
    for packet, clock in gateway.packets:
        assert clock == -(-at[packet.raw + b"\r\n"] // 10_000) * 10_000  # the end of its step
    assert gateway.clock == items[-1].at_ms == START_MS + 26 * HOUR_MS
    assert report.loggers == len({e.mn for e in events})


def test_marks_of_a_recording(gateway: FakeGateway, tmp_path: Path) -> None:
    mn = next(s.mn for s in only(FEW).sources if s.id == "air-luhua")
    events = [e for e in said(simulated(only(["air-luhua"]))) if e.mn == mn][:3]
    items = [events[0], Mark(events[0].at_ms, CUT, mn), events[1], Mark(events[1].at_ms, PAUSE, seconds=0.3), events[2]]
    end = Mark(START_MS + 10 * HOUR_MS, END)
    with Writer(tmp_path / "marks", Header()) as writer:
        for item in [*items, end]:
            writer.write(item)
    report = play(gateway, tmp_path / "marks")
    assert (report.answered, report.loggers, report.reconnects) == (3, 1, 0)
    assert gateway.connections == 2  # the first one was left without a word, and nobody closed it
    assert report.seconds >= 0.3
    assert gateway.clock == end.at_ms


def test_everybody_is_waited_for_before_the_clock_goes_on(gateway: FakeGateway) -> None:
    dropped: list[str] = []

    def behave(packet: Any, times_seen: int) -> str:
        if times_seen == 1:
            dropped.append(packet.qn)
            return test_player.DROP
        return test_player.ANSWER

    gateway.behave = behave
    events = said(simulated(only(FEW[:2])))[:12]

    async def run() -> int:
        await gateway.start()
        driver = Driver(gateway.to, control=gateway.control, timing=QUICK)
        await driver.open()
        clocks = []
        for number, event in enumerate(events):
            await driver.step((number + 1) * 10_000, [event])
            clocks.append(gateway.clock)
        driver.close()
        assert clocks == [(n + 1) * 10_000 for n in range(len(events))]
        return driver.counts.answered

    assert within(run()) == len(events)
    assert len(dropped) == len(events)


def test_by_the_wall_clock_nobody_waits(gateway: FakeGateway) -> None:
    slow = next(s.mn for s in only(FEW).sources if s.id == "air-luhua")
    gateway.behave = lambda packet, seen: (
        test_player.DROP if packet.mn == slow and seen < 3 else test_player.ANSWER  # 0.4 s late
    )
    events = said(simulated(only(FEW[:2])))
    mine = [next(e for e in events if (e.mn == slow) is wanted) for wanted in (True, False)]

    async def run() -> None:
        await gateway.start()
        driver = Driver(gateway.to, control=None, timing=QUICK, wall=True)
        await driver.open()
        started = asyncio.get_running_loop().time()
        for event in mine:
            await driver.step(0, [event])
        assert asyncio.get_running_loop().time() - started < 0.3
        await driver.drain()
        driver.close()
        assert driver.counts.answered == 2
        assert gateway.operations == []

    within(run())


# --- a real gateway, and evidence through another one --------------------------------------------------


def test_a_simulated_day_and_its_evidence_leave_the_same_log(tmp_path: Path) -> None:
    registry = only([*FEW, "yunqi-quenching"])
    chosen = scenarios.load(["garbage", "silent", "late"], FOLDER)
    told: dict[str, Any] = {}

    async def simulation(served: Served) -> None:
        control = Address("127.0.0.1", served.control_port)
        to = Address("127.0.0.1", served.port)
        plan = Plan(START, 3, 1, chosen)
        told.update(await simulate(Simulation(registry, plan, to, control), lambda done, total: None))

    first = serve(tmp_path / "one", registry, simulation, clock=WriterClock(VIRTUAL))
    assert told["answered"] == told["packets"]
    assert told["unlisted"] == told["broken"] == 24 * 9
    assert told["rows"] == told["packets"] + told["broken"]
    dead = Counter(letter["reason"].partition(",")[0].partition(":")[0] for letter in found(first, topics.DEAD))
    truth = {t["expected"]["reason"]: t["expected"]["packets"] for t in told["truth"] if t["kind"] == "dead"}
    assert dead == {
        "crc": truth["crc"], "header": truth["header"], "DataTime": truth["DataTime"],
        "no MN in the header": truth["no MN"], "no CP=&&…&& in the segment": truth["no CP"],
    }  # fmt: skip

    async def again(served: Served) -> None:
        control, to = Address("127.0.0.1", served.control_port), Address("127.0.0.1", served.port)
        await replay(ReplayPlan([tmp_path / "one"], registry, to, control))

    second = serve(tmp_path / "two", registry, again, clock=WriterClock(VIRTUAL))

    def evidence(records: Any) -> Counter[Any]:
        messages = found(records, topics.PACKETS)
        return Counter(
            each for m in messages for each in zip(m["received"], m["mn"], m["verdict"], m["raw"], strict=True)
        )

    assert evidence(first) == evidence(second)
    for topic in (topics.READINGS_AIR, topics.READINGS_OF["water"], topics.READINGS_OF["emission"]):
        assert Counter(rows(first, topic)) == Counter(rows(second, topic))
        assert rows(first, topic)
