"""From the packet over the limit to the robot that has the request: the real path on a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka import Consumer

from benchmarks.agents.kafka import Broker
from benchmarks.alerts import county
from benchmarks.report import ROOT, cpu_seconds, percentile
from schemas import times, topics
from schemas.alerts import FIRST, Notice
from streams import hj212
from streams.logger_client import Address, Counts, Logger, Outgoing, Timing
from tests.desk.robots import Robots, in_a_thread
from tests.e2e import loggers

SAYERS: Final = 50
PACKETS_PER_S: Final = 50
OVER_PER_S: Final = 4
OF_A_GROUP: Final = 5
"""Alerts of one group that are told by themselves; with the sixth within ten minutes they are a crowd."""
PATIENCE_S: Final = 90.0
LATE_S: Final = 20.0
TIMING: Final = Timing(over_time_s=10.0, re_count=3, patience_s=60.0)
DUTY: Final = "DUTY"


@dataclass
class Told:
    """What was measured; seconds since the packet was sent.

    Attributes:
        packets: of the background, and how many over the limit.
        answered: until the 9014 of each packet over the limit.
        noticed: until its notice was given to Kafka.
        told: until the robot of the enterprise had the request.
        duty: the same of the officer's robot, of those that were told one by one.
        sent: when each packet over the limit was sent, epoch seconds by name of its outlet.
        lost: packets over the limit whose contact was not told.
        lag_s: how late a packet of the background was sent at most.
        cpu: seconds of the processor by part.
        seconds: how long it went.
    """

    packets: int = 0
    over: int = 0
    answered: list[float] = field(default_factory=list)
    noticed: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    duty: list[float] = field(default_factory=list)
    sent: dict[str, float] = field(default_factory=dict)
    lost: int = 0
    lag_s: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@contextlib.contextmanager
def part(folder: Path, name: str, *words: str) -> Iterator[tuple[dict[str, int], int]]:
    """A part of envstream as a process of its own: what it said when it was ready, and its process id."""
    with (
        open(folder / f"{name}.err", "w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "envstream", name, *words, "--log-level", "warning"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            if not line:
                raise RuntimeError(f"{name} did not start: {(folder / f'{name}.err').read_text()[-2000:]}")
            yield json.loads(line), process.pid
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def hour_packet(enterprise: int, number: int, at_s: float, over: str) -> tuple[str, bytes]:
    """The last full hour of an outlet, one factor above its limit, and the packet's QN."""
    begin = int(at_s) // times.HOUR_S * times.HOUR_S - times.HOUR_S
    qn = f"{times.stamp(int(at_s))}{int(at_s * 1000) % 1000:03d}"
    said = [f"DataTime={times.stamp(begin)}"]
    for code, name, limit in county.FACTORS:
        value = f"{limit * 1.2 if name == over else limit * 0.5:.1f}"
        said.append(f"{code}-Avg={value},{code}-ZsAvg={value},{code}-Flag=N")
    said.append(f"a19001-Avg={county.REF_O2}.0,a19001-Flag=N")
    mn = county.mn_of(enterprise, number)
    return qn, hj212.build(st="31", cn="2061", mn=mn, qn=qn, pw="123456", flag=5, content=";".join(said))


class _Outlets:
    """Loggers of the county, each of which says one hour, once."""

    def __init__(self, enterprises: int, to: Address, found: Told) -> None:
        self.sent: dict[str, tuple[float, float]] = {}  # by name of the outlet: monotonic, wall
        self._errors: list[BaseException] = []

        def answered(_: Outgoing, seconds: float) -> None:
            found.answered.append(seconds)

        self.loggers = {
            (e, n): Logger(
                county.mn_of(e, n), to, TIMING, Counts(), failed=self._errors.append, answered=answered, st="31"
            )
            for e in range(enterprises) for n in range(OF_A_GROUP)
        }  # fmt: skip

    async def open(self) -> None:
        for logger in self.loggers.values():
            await logger.open()

    def say(self, enterprise: int, number: int) -> None:
        factor = county.FACTORS[(enterprise + number) % len(county.FACTORS)][1]
        qn, raw = hour_packet(enterprise, number, time.time(), factor)
        self.sent[county.name_of(enterprise, number)] = time.monotonic(), time.time()
        self.loggers[enterprise, number].say([Outgoing(qn, raw, True)])

    def check(self) -> None:
        if self._errors:
            raise self._errors[0]
        for logger in self.loggers.values():
            logger.check(asyncio.get_running_loop().time())

    def close(self) -> None:
        for logger in self.loggers.values():
            logger.close()


async def drive(port: int, robots: Robots, seconds: int, enterprises: int, pids: dict[str, int]) -> Told:
    """Speak for so many seconds; what came of it. The first outlet of the last enterprise warms everything up."""
    found = Told(seconds=seconds)
    to = Address("127.0.0.1", port)
    crowd = loggers.Crowd(SAYERS, to, TIMING)
    outlets = _Outlets(enterprises, to, found)
    try:
        await crowd.open()
        await outlets.open()
        await crowd.talk(3.0, PACKETS_PER_S)
        outlets.say(enterprises - 1, 0)
        try:
            await _until(lambda: len(robots.accepted()) >= 2, PATIENCE_S)
        except TimeoutError:
            stages = f"9014 of it: {len(found.answered)}, requests: {[t.accepted for t in robots.taken]}"
            raise RuntimeError(f"the first alert was not told within {PATIENCE_S:.0f} s; {stages}") from None
        outlets.sent.clear()
        found.answered.clear()
        at_first = {name: cpu_seconds(pid) for name, pid in pids.items()}
        talking = asyncio.create_task(crowd.talk(float(seconds), PACKETS_PER_S))
        begun = time.monotonic()
        wanted = [(e, n) for n in range(OF_A_GROUP) for e in range(enterprises - 1)][: seconds * OVER_PER_S]
        for count, (e, n) in enumerate(wanted):
            await asyncio.sleep(max(0.0, begun + (count + 0.37) / OVER_PER_S - time.monotonic()))
            outlets.say(e, n)
            outlets.check()
        await talking
        found.cpu = {name: cpu_seconds(pid) - at_first[name] for name, pid in pids.items()}
        found.packets, found.lag_s, found.over = seconds * PACKETS_PER_S, crowd.worst_lag_s, len(outlets.sent)
        with contextlib.suppress(TimeoutError):
            await _until(lambda: _told(robots, outlets, found) == found.over, LATE_S)
        found.lost = found.over - len(found.told)
        found.sent = {name: wall for name, (_, wall) in outlets.sent.items()}
    finally:
        crowd.close()
        outlets.close()
    return found


def _told(robots: Robots, outlets: _Outlets, found: Told) -> int:
    found.told, found.duty = [], []
    for taken in robots.accepted("dingtalk"):
        named = [name for name in outlets.sent if name in taken.text]
        if len(named) == 1:  # a digest names several
            seconds = taken.at - outlets.sent[named[0]][0]
            (found.duty if taken.token == DUTY else found.told).append(seconds)
    return len(found.told)


async def _until(reached: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.1)


def noticed(broker: Broker, sent: dict[str, float]) -> list[float]:
    """Seconds from a packet to its notice in Kafka, by the time that its producer gave it."""
    consumer: Consumer = broker.tail(topics.NOTICES)
    found = []
    left = sum(broker.ends(topics.NOTICES))
    until = time.monotonic() + LATE_S
    while left and time.monotonic() < until:
        for message in consumer.consume(1_000, 0.2):
            left -= 1
            notice = msgspec.json.decode(message.value() or b"", type=Notice)
            name = next((n for n in sent if n in notice.title), "")
            if name and notice.reason == FIRST:
                found.append(message.timestamp()[1] / 1000 - sent[name])
    consumer.close()
    return found


def measure(broker: Broker, folder: Path, seconds: int) -> Told:
    """The whole of it."""
    broker.make_ours()
    enterprises = -(-seconds * OVER_PER_S // OF_A_GROUP) + 1
    registry = folder / "county.toml"
    registry.write_text(loggers.district(SAYERS) + county.enterprises(enterprises, OF_A_GROUP), encoding="utf-8")
    at = ("--bootstrap", broker.bootstrap)
    with (
        in_a_thread() as robots,
        part(folder, "gateway", *at, "--district", str(registry), "--port", "0", "--control-port", "0") as (told, g),
        part(folder, "worker", *at, "--instance", "one") as (_, w),
        part(folder, "notify", *at, "--robots", robots.url) as (_, n),
    ):
        pids = {"gateway": g, "worker": w, "notify": n}
        try:
            found = asyncio.run(drive(told["port"], robots, seconds, enterprises, pids))
        except RuntimeError as error:
            logs = "".join(f"\n{file.name}: {file.read_text()[-1000:]}" for file in sorted(folder.glob("*.err")))
            ends = {topic: broker.ends(topic) for topic in (topics.READINGS_EMISSION, topics.EPISODES, topics.NOTICES)}
            raise RuntimeError(f"{error}; in Kafka: {ends}{logs}") from None
        found.noticed = noticed(broker, found.sent)
    return found


def p(values: list[float], percent: int) -> str:
    """A percentile in milliseconds."""
    return f"{percentile(values, percent) * 1e3:,.0f} ms" if values else "-"
