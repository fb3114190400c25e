"""Workers on a real Kafka, a log made for them, and what they must say of it."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.air import AirJudge
from schemas import blocks, times, topics
from schemas.registry import AIR_FACTORS
from streams.admin import create_topics
from streams.view import Behind
from tests.e2e import system

PARTITIONS = 4
SAID = (topics.CELLS, topics.VERDICTS, topics.CONDITIONS, topics.EPISODES, topics.NOTICES)
SESSION_S = 6

# ---- topics


def fresh_topics(bootstrap: str) -> None:
    """All topics empty, no groups: as after ``envstream init`` on a new Kafka."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    names = {topic.name for topic in topics.TOPICS}
    existing = sorted(name for name in admin.list_topics(timeout=10).topics if name in names or "naive" in name)
    if existing:
        for future in admin.delete_topics(existing).values():
            future.result()
        groups = [group.group_id for group in admin.list_consumer_groups().result().valid]
        for future in admin.delete_consumer_groups(groups).values() if groups else []:
            future.exception()
        wait_until(lambda: not names & set(admin.list_topics(timeout=10).topics), 30)
    create_topics(bootstrap, PARTITIONS, 1)


def make_topic(bootstrap: str, name: str) -> None:
    """One more topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1)]).values():
        future.result(30)


def wait_until(what: Callable[[], bool], timeout: float = 60, every: float = 0.1) -> None:
    """Until it is true."""
    until = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(every)


def everything(bootstrap: str, topic: str) -> list[tuple[int, bytes, bytes | None]]:
    """Every message of a topic that is still there: partition, key, value; in the order of its partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test-look", "enable.partition.eof": True, "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    found, ends = [], 0
    while ends < PARTITIONS:
        message = consumer.poll(20)
        assert message is not None, f"no answer about {topic}"
        if message.error():
            ends += 1
        else:
            found.append((message.partition(), message.key() or b"", message.value()))
    consumer.close()
    return found


def written(bootstrap: str, topic: str) -> int:
    """Messages ever written to a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-look", "log_level": 0})
    try:
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(PARTITIONS))
    finally:
        consumer.close()


Versions = dict[str, dict[bytes, list[bytes]]]
"""By topic and key everything that was ever said, in order."""


def said(bootstrap: str) -> Versions:
    """What workers said."""
    return {topic: _by_key((key, value or b"") for _, key, value in everything(bootstrap, topic)) for topic in SAID}


def _by_key(messages: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for key, value in messages:
        found[key].append(value)
    return dict(found)


def differences(got: Versions, truth: Truth) -> list[str]:
    """Last messages that are not those of an undisturbed run, and messages that no prefix of the log leads to."""
    found = []
    for topic, key in sorted({(t, k) for versions in (got, truth.last) for t in versions for k in versions[t]}):
        is_, should = got[topic].get(key, []), truth.last[topic].get(key)
        if is_[-1:] != [should]:
            found.append(f"{topic} {key.decode()}: last {_short(is_[-1:])} instead of {_short([should or b'nothing'])}")
        elif strange := set(is_) - truth.ever[topic].get(key, set()):
            found.append(f"{topic} {key.decode()}: once said {_short(sorted(strange))}")
    return found


def _short(versions: list[bytes]) -> str:
    return versions[-1].decode() if versions else "nothing"


@dataclass
class Truth:
    """What judges say whom nobody disturbs.

    ``ever`` also has what they say of each packet by itself: a block is cut where a timer is due, and which timers are
    set, also such as do nothing, is not the same after a restart. So a cell between two packets of one block may be
    published or not; a cell of a part of the packets that came before may not.
    """

    last: dict[str, dict[bytes, bytes]]
    ever: dict[str, dict[bytes, set[bytes]]]


# ---- workers


@dataclass
class Worker:
    """A worker process."""

    bootstrap: str
    folder: Path
    name: str
    command: Sequence[str] | None = None
    process: subprocess.Popen[str] | None = None
    session_s: int = SESSION_S

    def launch(self) -> None:
        """Start."""
        words = [*system.ENVSTREAM, "worker", "--instance", self.name, "--session", str(self.session_s)]
        with open(self.folder / f"{self.name}.err", "a") as errors:
            self.process = subprocess.Popen(
                [*(self.command or words), "--bootstrap", self.bootstrap], cwd=system.ROOT,
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def start(self) -> float:
        """Start and wait until it says that it is ready; the seconds that took."""
        begin = time.monotonic()
        self.launch()
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        assert '"ready"' in line, self.errors()
        return time.monotonic() - begin

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(30)

    def end(self) -> None:
        """SIGTERM; it must end by itself and cleanly."""
        self.send(signal.SIGTERM)
        assert self.process is not None
        assert self.process.wait(60) == 0, self.errors()

    def ended(self, timeout: float) -> int:
        """Exit code of a worker that ends by itself."""
        assert self.process is not None
        return self.process.wait(timeout)

    def away(self) -> None:
        """Whatever happened: it is not left behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def errors(self) -> str:
        """What it wrote to stderr."""
        return (self.folder / f"{self.name}.err").read_text()[-3_000:]


def all_taken(bootstrap: str) -> bool:
    """Whether everything written so far is acknowledged."""
    behind = Behind(bootstrap, ((topics.AGENTS_GROUP, (topics.READINGS_AIR,)),))
    try:
        return not any(behind.messages().values())
    except KafkaException:
        return False
    finally:
        behind.close()


def caught_up(bootstrap: str, timeout: float = 120) -> None:
    """Until the workers have acknowledged everything, three times in a row."""
    behind = Behind(bootstrap, ((topics.AGENTS_GROUP, (topics.READINGS_AIR,)),))
    quiet, until = 0, time.monotonic() + timeout
    while quiet < 3:
        try:
            quiet = quiet + 1 if not any(behind.messages().values()) else 0
        except KafkaException:
            quiet = 0
        assert time.monotonic() < until, behind.messages()
        time.sleep(0.2)
    behind.close()


class Feeder:
    """Puts a log into Kafka over some seconds, all partitions side by side."""

    def __init__(self, bootstrap: str, log: Log, seconds: float) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "log_level": 0})
        self._log, self._seconds = log, seconds
        self.thread = threading.Thread(target=self._feed, daemon=True)
        self.thread.start()

    def _feed(self) -> None:
        total = sum(map(len, self._log.partitions.values()))
        begin, done = time.monotonic(), 0
        for row in itertools.zip_longest(*self._log.partitions.values()):
            for partition, message in zip(self._log.partitions, row, strict=True):
                if message is not None:
                    self._producer.produce(topics.READINGS_AIR, message, partition=partition)
                    done += 1
            self._producer.poll(0)
            time.sleep(max(0.0, begin + self._seconds * done / total - time.monotonic()))
        assert self._producer.flush(30) == 0

    def wait(self) -> None:
        """Until all of it is in Kafka."""
        self.thread.join(120)
        assert not self.thread.is_alive()


# ---- a log


@dataclass
class Log:
    """Messages of ``readings-air`` by partition."""

    registry: str
    partitions: dict[int, list[bytes]] = field(default_factory=dict)

    def truth(self) -> Truth:
        """What judges say that nobody disturbs, of the log as it is and of its packets one by one."""
        truth = Truth({topic: {} for topic in SAID}, {topic: defaultdict(set) for topic in SAID})
        for partition, messages in self.partitions.items():
            for cut in (True, False):
                judge = AirJudge(partition, PARTITIONS)
                judge.restored(None)
                for n, message in enumerate(messages):
                    for part in _packets(message) if cut else [message]:
                        for one in judge.take(part, f"{topics.READINGS_AIR}/{partition}/{n}"):
                            if one.topic in SAID:
                                truth.ever[one.topic][one.key].add(one.value)
                                if not cut:
                                    truth.last[one.topic][one.key] = one.value
        return truth


def _packets(message: bytes) -> list[bytes]:
    """A message for each packet of a block."""
    block = blocks.decode(message)
    if not isinstance(block, blocks.Block):
        return [message]
    found, begin = [], 0
    for n, count in enumerate(block.counts):
        end = begin + count
        one = {
            name: getattr(block, name)[n : n + 1] for name in ("source", "times", "periods", "received", "qn", "counts")
        }
        readings = {name: getattr(block, name)[begin:end] for name in ("factor", "values", "places", "flags")}
        found.append(blocks.encode(msgspec.structs.replace(block, first=block.first + n, **one, **readings)))
        begin = end
    return found


START = times.parse_stamp("20151130000000")
DAYS = 2
STATIONS = 3


@lru_cache(maxsize=8)
def make_log(seed: int) -> tuple[Log, Truth]:
    """A log, and what is said of it by judges nobody disturbs."""
    log = make_messages(seed)
    return log, log.truth()


@lru_cache(maxsize=8)
def make_messages(seed: int) -> Log:
    """Two days of four districts, one in each partition.

    Hours of every station and minutes of one, some late, some twice, some with another value; corrections, dust days,
    plans and published values, some of them taken back; a tick every virtual hour.
    """
    chance = random.Random(seed)
    groups = [next(g for g in (f"g{n}" for n in itertools.count()) if topics.partition_of(g, PARTITIONS) == p)
              for p in range(PARTITIONS)]  # fmt: skip
    registry = ["format = 1"]
    for group in groups:
        registry.append(f'[[group]]\nid = "{group}"')
        registry.append(f'[[area]]\nid = "{group}-d"\nname = "区"\ngroup = "{group}"')
        registry.append(
            f'[[area]]\nid = "{group}-t"\nname = "镇"\ngroup = "{group}"\nkind = "township"\nwithin = "{group}-d"'
        )
        for n in range(STATIONS):
            area = f"{group}-t" if n == 2 else f"{group}-d"
            registry.append(
                f'[[station]]\nid = "{group}-{n}"\nname = "站"\narea = "{area}"\nmn = "{group.upper()}S{n}"\n'
                "valid_from = 2015-01-01"
            )
    log = Log("\n".join(registry) + "\n")
    for partition, group in enumerate(groups):
        log.partitions[partition] = _messages(group, log.registry, chance)
    return log


def _messages(group: str, registry: str, chance: random.Random) -> list[bytes]:
    events: list[tuple[int, Any]] = []  # received ms, packet or message
    stations = [f"{group}-{n}" for n in range(STATIONS)]
    for h in range(24 * DAYS):
        end = START + (h + 1) * 3600
        for station in stations:
            if chance.random() < 0.06:
                continue  # never sent
            for again in range(chance.choice((1, 1, 1, 1, 2))):
                late = chance.choice((0,) * 8 + (1_800, 7_200, 40_000)) * 1000
                received = end * 1000 + 60_000 + again * chance.choice((1_000, 5_000_000)) + late
                values = [f"{chance.uniform(0, top):.1f}" for top in (60, 120, 4, 260, 250, 160)]
                events.append((received, (station, end, blocks.HOUR, received, values)))
        for minute in range(10, 61, 10):
            at = end - 3600 + minute * 60
            received = at * 1000 + 5_000 + chance.choice((0,) * 9 + (4_000_000,))
            values = [f"{chance.uniform(0, top):.1f}" for top in (60, 120, 4, 260, 250, 160)]
            events.append((received, (stations[h % 2], at, blocks.MINUTE, received, values)))
        events.append(((end + 1) * 1000, blocks.Tick("gw", (end + 1) * 1000)))
    events += _actions(group, stations, chance)
    events.sort(key=lambda event: event[0])
    messages = [blocks.encode(blocks.RegistryVersion("gw", "digest", registry, START * 1000))]
    waiting: list[Any] = []
    number = 0
    for _, event in events:
        if isinstance(event, tuple):
            waiting.append(event)
            if len(waiting) < chance.choice((1, 1, 3, 10)):
                continue
        if waiting:
            messages.append(_block(waiting, number))
            number += len(waiting)
            waiting = []
        if not isinstance(event, tuple):
            messages.append(blocks.encode(event))
    last = START + (DAYS + 2) * 86_400
    return [*messages, *([_block(waiting, number)] if waiting else []), blocks.encode(blocks.Tick("gw", last * 1000))]


def _actions(group: str, stations: list[str], chance: random.Random) -> list[tuple[int, Any]]:
    found = []
    for n in range(25):
        day = START + chance.randrange(DAYS) * 86_400
        hour = day + chance.randrange(24) * 3600
        received = (max(hour, START + 86_400) + chance.randrange(3 * 86_400)) * 1000
        factor = chance.choice(AIR_FACTORS)
        what, subject, begin, end, data = chance.choice(
            (
                ("correction", chance.choice(stations), hour, hour + 3600, {factor: f"{chance.uniform(1, 300):.0f}"}),
                (
                    "correction",
                    chance.choice(stations),
                    hour,
                    hour + 7200,
                    {factor: chance.choice(("invalid", "valid"))},
                ),
                ("dust-day", f"{group}-d", day, day + 86_400, {}),
                ("plan-exception", f"{group}-d", day, day + 86_400, {"not_monitored": "SO2"}),
                ("published", f"{group}-d", day, day + 86_400, {"aqi": str(chance.randrange(20, 300))}),
            )
        )
        action = blocks.Action(
            "act", f"{group}{n}", what, group, subject, begin, end, "张三", "复核", data, received,
            withdrawn=chance.random() < 0.2,
        )  # fmt: skip
        found.append((received, action))
        if chance.random() < 0.3:
            again = blocks.Action(
                "act", f"{group}{n}w", what, group, subject, begin, end, "张三", "撤回", data, received + 3_600_000,
                withdrawn=True,
            )  # fmt: skip
            found.append((again.received, again))
    return found


def _block(packets: list[Any], first: int) -> bytes:
    sources = sorted({packet[0] for packet in packets})
    values, places = [], ""
    for packet in packets:
        for text in packet[4]:
            value, n = blocks.number(text)
            values.append(value)
            places += blocks.PLACES[n]
    return blocks.encode(
        blocks.Block(
            writer="gw", first=first, sources=sources, factors=list(AIR_FACTORS),
            source=[sources.index(packet[0]) for packet in packets], times=[packet[1] for packet in packets],
            periods="".join(packet[2] for packet in packets), received=[packet[3] for packet in packets],
            qn=[f"{times.stamp(packet[3] // 1000)}000" for packet in packets], counts=[6] * len(packets),
            factor=list(range(6)) * len(packets), values=values, places=places, flags="N" * len(values),
        )
    )  # fmt: skip


def packets_of(log: Log) -> dict[str, int]:
    """Packets per source in a log."""
    found: dict[str, int] = defaultdict(int)
    for messages in log.partitions.values():
        for message in messages:
            block = blocks.decode(message)
            if isinstance(block, blocks.Block):
                for source in block.source:
                    found[block.sources[source]] += 1
    return dict(found)


def hour_packets_of(log: Log) -> Counter[str]:
    """Names of the packets of hours in a log, and in how many partitions a writer counted to that name."""
    found: Counter[str] = Counter()
    for messages in log.partitions.values():
        for message in messages:
            block = blocks.decode(message)
            if isinstance(block, blocks.Block):
                found.update(
                    f"{block.writer}:{block.first + n}" for n, p in enumerate(block.periods) if p == blocks.HOUR
                )
    return found
