"""A storm: thousands of conditions within a minute through the judges and the notifier, on the log's own time.

The judges are those of the worker, the log is hour packets of outlets above their limits. The notifier has its table of
limits, a clock that leaps, and fake robots that count as strictly as the real ones.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from agents.rejudge import Rejudged
from benchmarks.alerts import county
from desk.notify import limits as table
from desk.notify.channel_secrets import Secrets
from desk.notify.notifier import LIVE, Notifier
from desk.notify.senders import Senders
from desk.notify.service import with_stand_ins
from schemas import blocks, registry, times, topics
from schemas.alerts import FINAL, Delivery, Episode, Notice
from schemas.messages import BEGAN, Condition
from streams.journal import Record
from tests.agents.emission_log import Packet, block
from tests.desk.notifying import Desk, LeapClock, MemoryLedger
from tests.desk.robots import Robots

ENTERPRISES: Final = 10
OUTLETS: Final = 167
PARTITIONS: Final = 4
END: Final = times.parse_stamp("20260407100000")
"""End of the hour that is above, a Tuesday morning; the packets come in the minute after."""
STORM_S: Final = 60
AFTER_MIN: Final = 60
"""So long nobody does anything. The hour after, which nobody sends any more, is not yet told as missing."""
DIGESTS_MIN: Final = 240
TIMES_OVER: Final = (1.2, 1.2, 1.2, 1.6, 2.5)
RULE: Final = "over-limit"
SCREEN: Final = "blue"
"""Nobody is told of it."""


@dataclass
class Storm:
    """What became of it.

    Attributes:
        conditions, within_s: that began, and the seconds of the log from the first to the last.
        episodes: last message of each, by id; ``megabytes`` of all messages of episodes and notices together.
        missing: conditions that are in no episode, parts whose whole is not there, notices of no episode, alerts of
            which nobody was told.
        notices: all of them.
        cpu_s, calm_s: of the processor in the judges, with the storm and with as many packets below the limits.
        slowest_ms: longest the judge took for one block.
        rows: of deliveries.
        requests: by robot, those accepted; ``refused`` by them.
        loose: notices and persons without a final delivery, or with two.
        notify_cpu_s: of the notifier and the fakes together.
        last_told_s: the longest from a notice to its final delivery, by the log.
    """

    conditions: int = 0
    within_s: float = 0.0
    episodes: dict[str, Episode] = field(default_factory=dict)
    megabytes: float = 0.0
    messages: int = 0
    missing: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    cpu_s: float = 0.0
    calm_s: float = 0.0
    slowest_ms: float = 0.0
    rows: list[Delivery] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    loose: list[str] = field(default_factory=list)
    notify_cpu_s: float = 0.0
    last_told_s: float = 0.0


def text() -> str:
    """The registry."""
    return county.HEAD + "[receive]\nport = 9212\n" + county.enterprises(ENTERPRISES, OUTLETS)


def packets(above: bool) -> list[Packet]:
    """The hour of every outlet, all factors above their limits or all below, spread over a minute."""
    found = []
    places = [(e, n) for n in range(OUTLETS) for e in range(ENTERPRISES)]
    for i, (e, n) in enumerate(places):
        values: dict[str, str | None] = {"O2": f"{county.REF_O2}.0"}
        for f, (_, name, limit) in enumerate(county.FACTORS):
            value = limit * (TIMES_OVER[(i + f) % len(TIMES_OVER)] if above else 0.5)
            values |= {name: f"{value:.1f}", f"{name}-Zs": f"{value:.1f}"}
        received = END * 1000 + 30_000 + i * STORM_S * 1000 // len(places)
        found.append(Packet(county.outlet_of(e, n), END, values, received))
    return found


def of_registry() -> Iterator[Record]:
    """The registry, in every partition."""
    version = blocks.encode(blocks.RegistryVersion("gw", registry.parse(text(), "county.toml").digest, text(), 0))
    for p in range(PARTITIONS):
        yield Record(topics.READINGS_EMISSION, p, None, version)


def of_storm(above: bool) -> Iterator[Record]:
    """The packets a second at a time, as the intake writes them."""
    by_second: dict[int, dict[int, list[Packet]]] = defaultdict(lambda: defaultdict(list))
    for packet in packets(above):
        group = packet.source.partition("-")[0]
        by_second[packet.received // 1000][topics.partition_of(group, PARTITIONS)].append(packet)
    first = 0
    for second, parts in sorted(by_second.items()):
        for p, some in sorted(parts.items()):
            yield Record(topics.READINGS_EMISSION, p, None, block(some, first))
            first += len(some)
        yield from _ticks(second + 1)


def of_hour_after() -> Iterator[Record]:
    """Time passes."""
    for minute in range(2, AFTER_MIN):
        yield from _ticks(END + minute * 60)


def _ticks(now_s: int) -> Iterator[Record]:
    tick = blocks.encode(blocks.Tick("gw", now_s * 1000))
    for p in range(PARTITIONS):
        yield Record(topics.READINGS_EMISSION, p, None, tick)


def judge(above: bool, found: Storm) -> float:
    """Through the judges; seconds of the processor inside them for the minute of the storm."""
    judged = Rejudged(PARTITIONS, keep=(topics.CONDITIONS, topics.EPISODES, topics.NOTICES))
    for record in of_registry():
        judged.take(record)
    spent = 0.0
    for record in list(of_storm(above)):
        begun = time.thread_time()
        judged.take(record)
        took = time.thread_time() - begun
        spent += took
        if above:
            found.slowest_ms = max(found.slowest_ms, took * 1e3)
    if above:
        for record in of_hour_after():
            judged.take(record)
        _look(judged, found)
    return spent


def _look(judged: Rejudged, found: Storm) -> None:
    began: dict[str, Condition] = {}
    for output in judged.every:
        if output.topic == topics.CONDITIONS:
            condition = msgspec.json.decode(output.value, type=Condition)
            if condition.state == BEGAN and condition.rule == RULE:
                began.setdefault(condition.id, condition)
            continue
        found.messages, found.megabytes = found.messages + 1, found.megabytes + len(output.value) / 1e6
        if output.topic == topics.EPISODES:
            found.episodes[output.key.decode()] = msgspec.json.decode(output.value, type=Episode)
        else:
            found.notices.append(msgspec.json.decode(output.value, type=Notice))
    found.conditions = len(began)
    found.within_s = (max(c.now for c in began.values()) - min(c.now for c in began.values())) / 1000
    held = {m.id for e in found.episodes.values() for m in e.members}
    found.missing = [name for name in began if name not in held]
    found.missing += [e.id for e in found.episodes.values() if e.parent and e.parent not in found.episodes]
    found.missing += [n.id for n in found.notices if n.episode not in found.episodes]
    found.missing += [e.id for e in found.episodes.values() if not (e.parent or e.told or e.level == SCREEN)]


class _Office(Desk):
    """The harness of the notifier's tests, with this county, the table as it is, and robots behind HTTP."""

    def __init__(self, robots: str, clock: LeapClock) -> None:
        self.clock, self.ledger = clock, MemoryLedger()
        people = registry.parse(text(), "county.toml")
        self.secrets = with_stand_ins(Secrets({}), people)
        self.limits = table.read()
        self.way = Senders(self.secrets, self.limits, robots)
        self.notifier = Notifier(self.way, self.ledger, self.secrets, self.limits, clock, people, mode=LIVE)
        self.notifier.begin([])


async def tell(found: Storm) -> None:
    """Every notice to the notifier at its instant; then time passes until everything is told."""
    clock = LeapClock(END * 1000)
    robots = await Robots(clock.now_ms).start()
    office = _Office(robots.url, clock)
    try:
        for notice in found.notices:  # in the order of the log
            if notice.at > clock.now:
                await office.run(notice.at)
            office.notifier.take(notice)
        await office.run(END * 1000 + DIGESTS_MIN * 60_000)
    finally:
        await office.close()
        await robots.stop()
    found.rows = office.ledger.rows
    found.requests = Counter(t.token if t.kind != "sms" else "sms" for t in robots.accepted())
    found.refused = sum(not t.accepted for t in robots.taken)
    finals = Counter((r.notice, r.person) for r in found.rows if r.final)
    wanted = {(n.id, r.person) for n in [*found.notices, *office.ledger.notices] for r in n.to}
    found.loose = [f"{n} {p}: {finals[n, p]}" for n, p in sorted(wanted) if finals[n, p] != 1]
    by_id = {n.id: n for n in found.notices}
    found.last_told_s = max((r.at - by_id[r.notice].at) / 1000 for r in found.rows if r.final and r.notice in by_id)


def open_ones(found: Storm) -> int:
    """Episodes that nobody has finished."""
    return sum(e.state not in FINAL for e in found.episodes.values())


def measure() -> Storm:
    """The whole of it."""
    found = Storm()
    found.calm_s = judge(False, found)
    found.cpu_s = judge(True, found)
    begun = time.process_time()
    asyncio.run(tell(found))
    found.notify_cpu_s = time.process_time() - begun
    return found
