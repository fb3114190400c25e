"""What the gateway promises on the wire: whatever it answered for is in the log, whatever happens to the parts.

Five hundred loggers say one packet a second each. ``ENVSTREAM_WIRE_SECONDS=120`` is the long form.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas import topics
from streams import journal
from streams.logger_client import Address, Timing
from tests.e2e import system
from tests.e2e.loggers import Crowd, district, look_through
from tests.e2e.test_kafka import Parts, parts

__all__ = ["parts"]

pytestmark = pytest.mark.whole

LOGGERS = 500
SECONDS = float(os.environ.get("ENVSTREAM_WIRE_SECONDS", "15"))
FROZEN_S = SECONDS / 6
TIMING = Timing(over_time_s=FROZEN_S / 10, re_count=3, patience_s=120.0)
"""So short that everybody resends and connects again while the broker stands still."""

Disturb = Callable[[], Awaitable[None]]


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """The registry of all loggers, as a file."""
    path = tmp_path / "wire.toml"
    path.write_text(district(LOGGERS), encoding="utf-8")
    return path


def talk(port: int, disturb: Disturb, show: pytest.CaptureFixture[str]) -> Crowd:
    """All loggers talk to that port while something is done to the parts in the middle; what they said."""

    async def main() -> Crowd:
        crowd = Crowd(LOGGERS, Address("127.0.0.1", port), TIMING)
        try:
            await crowd.open()
            talking = asyncio.create_task(crowd.talk(SECONDS, LOGGERS))
            await asyncio.sleep((SECONDS - FROZEN_S) / 2)
            await disturb()
            await talking
            await crowd.finish()
        finally:
            crowd.close()
        return crowd

    crowd = asyncio.run(main())
    assert len(crowd.said) == len(crowd.waits) == int(LOGGERS * SECONDS)
    percent = statistics.quantiles(crowd.waits, n=100)
    with show.disabled():
        print(
            f"\n{LOGGERS} loggers, {SECONDS:g} s: {len(crowd.waits)} packets answered,"
            f" p50 {percent[49] * 1e3:.1f} ms, p99 {percent[98] * 1e3:.0f} ms,"
            f" longest {max(crowd.waits):.1f} s; {crowd.counts.resent} resent, {crowd.counts.reconnects} reconnects;"
            f" the loggers took {crowd.cpu_share:.0%} of a core, at worst {crowd.worst_lag_s * 1e3:.0f} ms late"
        )
    return crowd


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still, and goes on whatever happens here."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def freeze(pid: int) -> None:
    """Let a process stand still for a while."""
    with stopped(pid):
        await asyncio.sleep(FROZEN_S)


# ---- the embedded default


def in_journal(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Messages of the journal."""
    return ((record.topic, record.value) for record in journal.read(folder / "journal"))


def test_the_broker_stands_still(tmp_path: Path, registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    with system.up(folder, "--district", str(registry)) as running:
        crowd = talk(running.told()["port"], lambda: freeze(running.pid("broker")), capsys)
        assert crowd.counts.resent > LOGGERS  # nobody was answered meanwhile
    look_through(in_journal(folder), crowd)


def test_kill_9_of_the_gateway(tmp_path: Path, registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    with system.up(folder, "--district", str(registry)) as running:
        crowd = talk(running.told()["port"], lambda: asyncio.to_thread(running.kill, "gateway"), capsys)
    assert "gateway was killed (SIGKILL)" in (folder / "up.err").read_text()
    assert crowd.counts.reconnects >= LOGGERS
    look_through(in_journal(folder), crowd)


# ---- a real Kafka


def in_kafka(bootstrap: str) -> Iterator[tuple[str, bytes]]:
    """Messages of evidence and readings."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-look", "enable.partition.eof": True})
    places = [TopicPartition(name, p, 0) for name in (topics.PACKETS, *topics.READINGS) for p in range(4)]
    consumer.assign(places)
    ended: set[tuple[str | None, int | None]] = set()  # a partition ends again after each tick
    while len(ended) < len(places):
        message = consumer.poll(10)
        assert message is not None
        if error := message.error():
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended.add((message.topic(), message.partition()))
        else:
            yield message.topic() or "", message.value() or b""
    consumer.close()


def start_gateway(parts: Parts, registry: Path) -> None:
    """A live gateway for all loggers."""
    words = ("--port", str(parts.port), "--control-port", str(parts.control), "--clock", "live")
    parts.start("gateway", *words, "--district", str(registry))


@pytest.mark.needs_kafka
def test_kafka_stands_still(parts: Parts, registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "ENVSTREAM_TEST_KAFKA" in os.environ:
        pytest.skip("Kafka was not started by the tests, so they do not freeze it")
    port = int(parts.bootstrap.rpartition(":")[2])
    (pid,) = {c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port}
    assert pid is not None
    start_gateway(parts, registry)
    crowd = talk(parts.port, lambda: freeze(pid), capsys)
    assert crowd.counts.resent > LOGGERS
    look_through(in_kafka(parts.bootstrap), crowd)


@pytest.mark.needs_kafka
def test_kill_9_of_the_gateway_on_kafka(parts: Parts, registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def kill() -> None:
        parts.kill("gateway")
        await asyncio.to_thread(start_gateway, parts, registry)

    start_gateway(parts, registry)
    crowd = talk(parts.port, kill, capsys)
    assert crowd.counts.reconnects >= LOGGERS
    look_through(in_kafka(parts.bootstrap), crowd)
