"""All agents in one worker on a real Kafka, killed at random moments: what they say last is what the judges say.

The log is a simulated district, two days of it, with all stations and sections, three enterprises and what people
decided about them; the truth is :func:`agents.rejudge.rejudge` of the same records, which nobody disturbs. Every key's
last cell, verdict and condition must be the same bytes.

``ENVSTREAM_CHAOS_SEEDS`` says how many seeds; ``make chaos`` takes twenty. ``-s`` shows how long restarts took.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from agents.rejudge import Rejudged, rejudge
from agents.scenario_run import simulate
from schemas import actions, blocks, times, topics
from schemas.registry import Registry, load
from streams.journal import Record
from streams.simulator import scenarios
from streams.simulator.planning import DEFAULT_START
from streams.simulator.simulate import folder_of
from streams.simulator.timeline import Plan
from tests.e2e import system, workers
from tests.e2e.workers import Worker

pytestmark = [pytest.mark.whole, pytest.mark.needs_kafka]

SEEDS = int(os.environ.get("ENVSTREAM_CHAOS_SEEDS", "3"))
KILLS = 5
AHEAD = 0.04
"""Of the log, so much is let through beyond the moment of a kill."""
PAUSE_S = 0.1
READY_S = 20
EXAMPLE = system.ROOT / "districts" / "example"
STATES = (topics.STATE_AIR, topics.STATE_WATER, topics.STATE_EMISSION)

DAYS = 2
BY_HOURS = ("lanfeng-steel", "weilan-sewage")
BY_MINUTES = "jingyuan-energy"
"""Its second day is of full cadence; no other enterprise that speaks is in its partition."""
SCENARIOS = ("upstream-wave", "exceedance", "silent-air@2", "shuffled", "duplicated")
OF_MINUTES = ("silent",)
FACTOR_OF = {"lanfeng-sinter-head": "NOx", "weilan-outlet": "COD", "jingyuan-furnace": "CO"}


# ---- the log


def make_records(seed: int) -> list[Record]:
    """What is in ``readings-*`` when the district has been simulated and people have decided this and that."""
    registry = load(EXAMPLE)
    folder = folder_of(EXAMPLE)
    plan = Plan(DEFAULT_START, DAYS, seed, scenarios.load(SCENARIOS, folder))
    all_ = simulate(registry, plan, kinds=("air", "water", "emission"), enterprises=BY_HOURS)
    full = Plan(DEFAULT_START, DAYS, seed, scenarios.load(OF_MINUTES, folder), frozenset((DAYS,)))
    one = simulate(registry, full, kinds=("emission",), enterprises=(BY_MINUTES,))
    place = topics.READINGS_EMISSION, topics.partition_of(_group(registry, BY_MINUTES), workers.PARTITIONS)
    assert not any(topics.partition_of(_group(registry, e), workers.PARTITIONS) == place[1] for e in BY_HOURS)
    records = [r for r in all_.records if r.topic in topics.READINGS and (r.topic, r.partition) != place]
    # a partition is all that is in order, so those of the one may stand anywhere between the others
    records = list(_mixed(records, [r for r in one.records if (r.topic, r.partition) == place]))
    records = list(_with_actions(records, registry, _decided(plan.start_s, seed)))
    last = plan.end_s * 1000
    return records + [
        Record(topic, partition, None, blocks.encode(blocks.Tick("gw", last + after_h * times.HOUR_S * 1000)))
        for after_h in (3, 7, 26)
        for topic in topics.READINGS
        for partition in range(workers.PARTITIONS)
    ]


def _group(registry: Registry, enterprise: str) -> str:
    return registry.enterprise(enterprise).group


def _mixed(some: Sequence[Record], others: Sequence[Record]) -> Iterator[Record]:
    """Two logs of different partitions side by side."""
    given = 0
    for n, record in enumerate(some):
        yield record
        upto = len(others) * (n + 1) // len(some)
        yield from others[given:upto]
        given = upto


def _decided(start_s: int, seed: int) -> list[tuple[int, blocks.Action]]:
    """Actions and when they come, epoch seconds; the first ones in every log, the others by chance."""
    chance = random.Random(f"actions-{seed}")
    hour, day = times.HOUR_S, times.DAY_S
    second = start_s + day

    def of(what: str, subject: str, begin: int, end: int, data: dict[str, str]) -> blocks.Action:
        return actions.draft(what, subject, begin, end, by="张三", why="复核", data=data)

    month = times.parse_stamp("20260401000000")
    march = times.parse_stamp("20260301000000")
    found = [
        # the mark of the furnace's start comes a day late
        (second + 9 * hour, of("mark", "lanfeng-sinter-head", start_s + 8 * hour, start_s + 12 * hour,
                               {"mark": "START"})),
        (second + 15 * hour, of("mark", "jingyuan-furnace", second + 2 * hour, second + 4 * hour, {"mark": "MAINT"})),
        (second + 14 * hour, of("order", "lanfeng-sinter-head", second + 6 * hour, second + 20 * hour,
                                {"factor": "NOx", "limit": "20", "unit": "mg/m3", "averaging": "hour"})),
        (second + 3 * hour, of("correction", "air-luhua", start_s + 9 * hour, start_s + 10 * hour, {"PM2.5": "180"})),
        (second + 8 * hour, of("correction", "dianshang-bridge", second + 4 * hour, second + 5 * hour,
                               {"NH3N": "0.2"})),
        (second + 10 * hour, of("lab", "shiliang", march, month, {"TP": "0.25", "Hg": "<0.00004"})),
        (second + 11 * hour, of("lab", "weizi-mouth", march, month, {"TP": "0.12", "NH3N": "0.6"})),
        (second + 12 * hour, of("qc", "shihui-bridge", second + 6 * hour, second + 7 * hour,
                                {"result": "failed", "factor": "NH3N"})),
        (second + 1 * hour, of("dust-day", "example", start_s, second, {})),
        (second + 16 * hour, of("published", "example", start_s, second, {"aqi": "77", "primary": "PM10"})),
    ]  # fmt: skip
    for _ in range(20):
        begin = start_s + chance.randrange(DAYS * 24) * hour
        end = begin + chance.choice((1, 2, 5)) * hour
        today = times.day_start(times.day_of(begin + 1))
        outlet, factor = chance.choice(sorted(FACTOR_OF.items()))
        station = chance.choice(("air-luhua", "air-zhaidian", "air-shihui", "air-weizi"))
        section = chance.choice(("dianshang-bridge", "shihui-bridge", "shiliang", "xinan-out"))
        said = chance.choice(
            (
                of("correction", station, begin, begin + hour, {"O3": str(chance.randrange(1, 300))}),
                of("correction", station, begin, end, {"SO2": chance.choice(("invalid", "valid"))}),
                of("correction", section, begin, end, {"NH3N": chance.choice(("invalid", "valid"))}),
                of("correction", section, begin, begin + hour, {"TP": f"0.{chance.randrange(1, 90):02d}"}),
                of("mark", outlet, begin, end, {"mark": chance.choice(("FAULT", "MAINT", "SHUTDOWN", "STANDBY_STOP"))}),
                of("maintenance", chance.choice((outlet, station, section)), begin, end, {}),
                of("qc", section, begin, end, {"result": chance.choice(("passed", "failed")), "factor": "NH3N"}),
                of("order", outlet, begin, end,
                   {"factor": factor, "limit": "15", "unit": "mg/L" if factor == "COD" else "mg/m3",
                    "averaging": "hour"}),
                of("plan-exception", station, today, today + day, {"not_monitored": "CO", "clean": "no"}),
            )
        )  # fmt: skip
        at = max(end, today + day if said.what == "plan-exception" else 0) + chance.randrange(30) * hour
        found.append((at, said))
        if chance.random() < 0.3:
            again = actions.draft(
                said.what, said.subject, said.begin, said.end, by="李四", why="撤回", data=said.data, withdrawn=True
            )
            found.append((at + chance.randrange(6) * hour, again))
    return found


def _with_actions(
    records: Sequence[Record], registry: Registry, decided: Sequence[tuple[int, blocks.Action]]
) -> Iterator[Record]:
    """A log with actions in the partitions they concern, each after the tick it came with; the last ones at the end."""
    waiting: dict[tuple[str, int], list[tuple[int, blocks.Action]]] = {}
    for at, action in sorted(decided, key=lambda each: each[0]):
        assert actions.check(action, registry, at * 1000) == []
        found = actions.find(action, registry)
        assert isinstance(found, actions.Subject)
        place = topics.READINGS_OF[found.enters[0]], topics.partition_of(found.group, workers.PARTITIONS)
        waiting.setdefault(place, []).append((at * 1000, action))
    now: dict[tuple[str, int], int] = {}

    def due(place: tuple[str, int], upto_ms: float) -> Iterator[Record]:
        mine = waiting.get(place, [])
        while mine and mine[0][0] <= upto_ms:
            whole = actions.complete(mine.pop(0)[1], registry, "gw", now[place])
            yield Record(*place, whole.group.encode(), blocks.encode(whole))

    for record in records:
        yield record
        if b'"kind":"tick"' in record.value[:40]:
            tick = blocks.decode(record.value)
            assert isinstance(tick, blocks.Tick)
            place = record.topic, record.partition
            now[place] = max(now.get(place, 0), tick.now)
            yield from due(place, now[place])
    for place in waiting:
        yield from due(place, float("inf"))


# ---- the worker


class Feeder:
    """Puts records into Kafka up to a gate that the test moves: what is killed always has something before it.

    Without a gate a quick machine has judged a backlog whole before anybody sees that it was begun.
    """

    def __init__(self, bootstrap: str, records: Sequence[Record], pause_s: float) -> None:
        """Take the records, and how long to pause after every twenty: 0 makes a backlog as far as the gate."""
        settings = {"bootstrap.servers": bootstrap, "linger.ms": 2, "enable.idempotence": True, "log_level": 0}
        self._producer = Producer(settings)
        self._records, self._pause_s, self._gate = records, pause_s, 0
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        for n, record in enumerate(self._records):
            with self._moved:
                if n >= self._gate:
                    self._producer.flush(30)
                    self._moved.wait_for(lambda n=n: n < self._gate)  # type: ignore[misc]
            self._producer.produce(record.topic, record.value, record.key, record.partition)
            if n % 20 == 0:
                self._producer.poll(0)
                time.sleep(self._pause_s)
        assert self._producer.flush(30) == 0

    def open(self, upto: float) -> None:
        """Let so many records through."""
        with self._moved:
            self._gate = max(self._gate, int(upto))
            self._moved.notify()

    def wait(self) -> None:
        """Until all of it is in Kafka."""
        self.open(len(self._records))
        self._thread.join(120)
        assert not self._thread.is_alive()


@pytest.fixture
def worker(kafka: str, tmp_path: Path) -> Iterator[Worker]:
    """A worker on a Kafka with empty topics, not yet started; it is not left behind."""
    workers.fresh_topics(kafka)
    one = Worker(kafka, tmp_path, "all")
    yield one
    one.away()


class Account:
    """How far the worker has come: messages of all kinds that it has acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topics.AGENTS_GROUP, "log_level": 0})
        self._places = [TopicPartition(t, p) for t in topics.READINGS for p in range(workers.PARTITIONS)]

    def judged(self) -> int:
        """Acknowledged; -1 while Kafka cannot say."""
        try:
            return sum(max(place.offset, 0) for place in self._consumer.committed(self._places, timeout=5))
        except KafkaException:
            return -1

    def wait(self, judged: float, worker: Worker, timeout_s: float = 120) -> None:
        """Until it has come so far."""
        until = time.monotonic() + timeout_s
        while self.judged() < judged:
            assert time.monotonic() < until, f"{self.judged()} of {judged} judged: {worker.errors()}"
            time.sleep(0.05)

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


def last_said(bootstrap: str) -> dict[str, dict[bytes, bytes]]:
    """The last message of every key."""
    return {
        topic: {key: versions[-1] for key, versions in found.items()}
        for topic, found in workers.said(bootstrap).items()
    }


def differences(got: dict[str, dict[bytes, bytes]], truth: Rejudged) -> list[str]:
    """Keys whose last message is another one, with both."""
    return [
        f"{topic} {key.decode()}: {got[topic].get(key)!r} instead of {truth.last(topic).get(key)!r}"
        for topic in workers.SAID
        for key in sorted({*got[topic], *truth.last(topic)})
        if got[topic].get(key) != truth.last(topic).get(key)
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kill_9_with_all_agents_in_one_worker(seed: int, worker: Worker, kafka: str) -> None:
    records = make_records(seed)
    truth = rejudge(records, partitions=workers.PARTITIONS)
    spoke = {key.partition(b"|")[0].decode() for key in truth.last(topics.VERDICTS)}
    assert spoke >= {"example-air", "zhuozhang", *BY_HOURS, BY_MINUTES}, "or this would not prove it of all three"
    chance = random.Random(f"all-{seed}")
    # some kills all along the log, and one while the worker has hardly begun again
    moments = sorted(chance.uniform(0, 0.95) * len(records) for _ in range(KILLS - 1))
    moments.insert(chance.randrange(KILLS), 0)
    account = Account(kafka)
    feeder = Feeder(kafka, records, pause_s=PAUSE_S * (seed % 2))  # a backlog, or as it comes
    worker.start()
    ready, at = [], []
    for moment in moments:
        feeder.open(moment + AHEAD * len(records))
        account.wait(moment, worker)
        time.sleep(chance.uniform(0.0, 0.5))
        worker.kill()
        at.append(account.judged())
        ready.append(worker.start())
    feeder.wait()
    account.wait(len(records), worker)
    account.close()
    worker.end()
    told = f"median {statistics.median(ready):.1f} s, longest {max(ready):.1f} s of {len(ready)}"
    print(f"seed {seed}: {len(records)} messages, kill to ready {told}; killed at {at}")
    assert differences(last_said(kafka), truth) == []
    assert all(n < len(records) for n in at), "it was killed when all was done"
    assert all(seconds < READY_S for seconds in ready), ready
