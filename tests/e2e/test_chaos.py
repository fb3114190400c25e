"""Whatever happens to workers on a real Kafka, they say what judges say that nobody disturbs, byte for byte.

The log is made by ``workers.py``; the truth is the same judge in this process, from the first message to the last. A
key's last message must be the same bytes, and whatever was ever said under it must be what the undisturbed judge says
after some packet: nothing is missing, and nothing was concluded from half an hour that was read again.

``ENVSTREAM_CHAOS_SEEDS`` says how many seeds; ``make chaos`` takes twenty. ``-s`` shows how long restarts took.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas import topics
from tests.e2e import naive, workers
from tests.e2e.workers import SESSION_S, Feeder, Worker

pytestmark = [pytest.mark.whole, pytest.mark.needs_kafka]

SEEDS = int(os.environ.get("ENVSTREAM_CHAOS_SEEDS", "3"))
FEW = 1 + SEEDS // 7  # of the longer tests
KILLS = 4
FEED_S = 8.0

Start = Callable[..., Worker]


@pytest.fixture
def fresh(kafka: str) -> str:
    """A Kafka with empty topics."""
    workers.fresh_topics(kafka)
    return kafka


@pytest.fixture
def start(fresh: str, tmp_path: Path) -> Iterator[Start]:
    """Starts workers; none is left behind."""
    found: list[Worker] = []

    def begin(name: str, command: list[str] | None = None) -> Worker:
        worker = Worker(fresh, tmp_path, name, command)
        found.append(worker)
        worker.start()
        return worker

    yield begin
    for worker in found:
        worker.away()


class Restarts:
    """How long it took from a kill until the worker was ready, and until it had written a checkpoint again."""

    def __init__(self) -> None:
        self.ready: list[float] = []
        self.checkpoint: list[float] = []

    def kill(self, worker: Worker) -> None:
        """Kill a worker and start it again; where it had work, wait for its next checkpoint."""
        killed = time.monotonic()
        worker.kill()
        before = workers.written(worker.bootstrap, topics.STATE_AIR)
        worker.start()
        self.ready.append(time.monotonic() - killed)
        while workers.written(worker.bootstrap, topics.STATE_AIR) <= before:
            if workers.all_taken(worker.bootstrap):  # on a slow machine the log is judged before the kills are over
                return
            assert time.monotonic() - killed < 60, "ready, and nothing more is judged"
            time.sleep(0.02)
        self.checkpoint.append(time.monotonic() - killed)

    def show(self, title: str) -> None:
        """A table."""
        for what, seconds in (("ready", self.ready), ("first checkpoint", self.checkpoint)):
            if not seconds:
                continue
            told = f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s of {len(seconds)}"
            print(f"{title:<28} kill to {what:<16} {told}")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kill_9_at_random_moments(seed: int, start: Start, fresh: str) -> None:
    log, truth = workers.make_log(seed)
    chance = random.Random(f"kill-{seed}")
    worker = start("one")
    feeder = Feeder(fresh, log, seconds=FEED_S * (seed % 2))  # a backlog, or as it comes
    restarts = Restarts()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.9))
        restarts.kill(worker)
    feeder.wait()
    workers.caught_up(fresh)
    worker.end()
    restarts.show(f"seed {seed}")
    assert workers.differences(workers.said(fresh), truth) == []
    assert all(seconds < 20 for seconds in restarts.ready), restarts.ready


@pytest.mark.parametrize("seed", range(FEW))
def test_the_naive_agent_is_wrong(seed: int, start: Start, fresh: str) -> None:
    """Else the test above would prove nothing."""
    log, _ = workers.make_log(seed)
    truth = workers.packets_of(log)
    calm = counted_by_naive(fresh, start, log, kills=[])
    assert calm == truth, "undisturbed it counts right"
    workers.fresh_topics(fresh)
    chance = random.Random(f"naive-{seed}")
    got = counted_by_naive(fresh, start, log, kills=[chance.uniform(0.5, 2.5) for _ in range(KILLS)])
    wrong = {name: got.get(name, 0) - count for name, count in truth.items() if got.get(name) != count}
    error = sum(wrong.values())
    print(
        f"seed {seed}: the naive agent counted {error:+d} of {sum(truth.values())} packets, {len(wrong)} sources wrong"
    )
    assert wrong


def counted_by_naive(bootstrap: str, start: Start, log: workers.Log, kills: list[float]) -> dict[str, int]:
    """Packets per source as the naive agent has them last."""
    command = [sys.executable, "-m", "tests.e2e.naive", "--partitions", str(workers.PARTITIONS)]
    workers.make_topic(bootstrap, naive.OUTPUT)
    worker = start("naive", command)
    feeder = Feeder(bootstrap, log, seconds=FEED_S)
    for after in kills:
        time.sleep(after)
        worker.kill()
        worker.start()
    feeder.wait()
    # its commits say nothing of its sends: it is done when it has said nothing for a while
    quiet, before = 0, -1
    while quiet < 25:
        now = workers.written(bootstrap, naive.OUTPUT)
        quiet, before = (quiet + 1, now) if now == before and now else (0, now)
        time.sleep(0.2)
    worker.end()
    return {
        key.decode(): json.loads(value or b"{}")["packets"]
        for _, key, value in workers.everything(bootstrap, naive.OUTPUT)
    }


@pytest.mark.parametrize("other", ["itself", "another"])
def test_a_worker_that_stood_still_longer_than_its_session(other: str, start: Start, fresh: str) -> None:
    """It ends by its fence, and what it may still write changes nothing."""
    log, truth = workers.make_log(0)
    first = start("one")
    second = start("two") if other == "another" else None
    feeder = Feeder(fresh, log, seconds=4)
    time.sleep(1.5)
    first.send(signal.SIGSTOP)
    time.sleep(SESSION_S + 3)
    first.send(signal.SIGCONT)
    assert first.ended(SESSION_S * 2) == 70, first.errors()
    assert "stood still for" in first.errors()
    if second is None:
        first.start()
    feeder.wait()
    workers.caught_up(fresh)
    (second or first).end()
    assert workers.differences(workers.said(fresh), truth) == []
    # and whoever recovers from what both wrote has the right state: he says nothing anew, and ends like the others
    third = start("three")
    workers.caught_up(fresh)
    third.end()
    assert workers.differences(workers.said(fresh), truth) == []


@pytest.mark.parametrize("seed", range(FEW))
def test_two_workers_share_the_partitions_and_one_takes_over(seed: int, start: Start, fresh: str) -> None:
    log, truth = workers.make_log(seed)
    chance = random.Random(f"two-{seed}")
    pair = [start("one"), start("two")]
    feeder = Feeder(fresh, log, seconds=FEED_S)
    time.sleep(chance.uniform(1, 3))
    killed = time.monotonic()
    victim = pair.pop(chance.randrange(2))
    victim.kill()
    feeder.wait()
    workers.caught_up(fresh)
    print(f"seed {seed}: all caught up {time.monotonic() - killed:.1f} s after one of two was killed")
    time.sleep(chance.uniform(0, 1))
    third = start("three")  # and a rebalance in peace
    workers.caught_up(fresh)
    for worker in (*pair, third):
        worker.end()
    got = workers.said(fresh)
    assert workers.differences(got, truth) == []
    # the account: every packet of an hour stands in the last cells once
    packets = Counter(p for versions in got[topics.CELLS].values() for p in json.loads(versions[-1])["packets"])
    assert packets == workers.hour_packets_of(log)


def test_compaction_while_workers_are_killed(start: Start, fresh: str) -> None:
    chance = random.Random(5)
    log, truth = workers.make_log(1)
    admin = AdminClient({"bootstrap.servers": fresh, "log_level": 0})
    # a lag longer than a restart, as in production; all else as hasty as Kafka allows
    hasty = {"segment.ms": "200", "min.compaction.lag.ms": "6000", "min.cleanable.dirty.ratio": "0.001"}
    alter(admin, ConfigResource(ResourceType.TOPIC, topics.STATE_AIR), hasty)
    broker = str(next(iter(admin.list_topics(timeout=10).brokers)))
    alter(admin, ConfigResource(ResourceType.BROKER, broker), {"log.cleaner.backoff.ms": "200"})
    try:
        worker = start("one")
        feeder = Feeder(fresh, log, seconds=25)
        restarts = Restarts()
        for _ in range(4):
            time.sleep(chance.uniform(0.5, 6))
            restarts.kill(worker)
        feeder.wait()
        workers.caught_up(fresh)
        worker.end()
    finally:
        alter(admin, ConfigResource(ResourceType.BROKER, broker), {"log.cleaner.backoff.ms": None})
    left, all_ = len(workers.everything(fresh, topics.STATE_AIR)), workers.written(fresh, topics.STATE_AIR)
    print(f"compaction left {left} of {all_} state rows")
    assert left < all_ * 0.9, "nothing was compacted"
    assert workers.differences(workers.said(fresh), truth) == []


def alter(admin: AdminClient, resource: ConfigResource, settings: dict[str, str | None]) -> None:
    """Set or delete settings."""
    for name, value in settings.items():
        operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=operation))
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
