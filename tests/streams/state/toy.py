"""A judge without a domain, small enough to be seen through, with everything a judge may keep.

Readings fall into buckets of a minute and slots of ten seconds. A bucket's sum is published whenever it changes. Half a
minute after its end a bucket with fewer than three values begins a condition, which ends with the third; ten minutes
after its end the bucket is forgotten. An action ``correction`` adds to the buckets of its period.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from schemas import blocks, topics
from schemas.messages import BEGAN, ENDED, Condition
from streams.state.columns import columns, readings_of
from streams.state.judge import Judge, digest_of
from streams.state.kernel import Output
from streams.state.shelf import Shelf
from streams.state.slots import EMPTY, Slots, version_of
from streams.state.timers import Key

BUCKET_S, SLOT_S, FEW_AFTER_S, FORGET_AFTER_S, ENOUGH = 60, 10, 30, 600, 3
REGISTRY = """
format = 1
[[group]]
id = "g"
[[area]]
id = "town"
name = "镇"
group = "g"
[[station]]
id = "one"
name = "一"
area = "town"
mn = "A1"
valid_from = 2015-01-01
"""


class Total(msgspec.Struct):
    """What is published of a bucket."""

    bucket: str
    total: int
    count: int
    packets: list[str]


class Toy(Judge):
    """See the module."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        super().__init__(partition, partitions)
        self.slots: Slots = self.keep(Slots("t", BUCKET_S // SLOT_S, 1))
        self.few: Shelf[bool] = self.keep(Shelf("few", msgspec.json.decode, msgspec.json.encode))
        self._touched: set[str] = set()
        self._recalled: set[str] = set()

    def on_registry(self) -> None:
        """Nothing depends on it."""

    def begin(self) -> None:
        for name in self.slots.names():
            self._set_timers(name)

    def _set_timers(self, name: str) -> None:
        for what, due in self._timers_of(name):
            if due > self.now_ms:  # type: ignore[operator]
                self.timers.set((what, name), due)

    def _timers_of(self, name: str) -> list[tuple[str, int]]:
        end = (int(name.rpartition("|")[2]) + 1) * BUCKET_S
        return [("few", (end + FEW_AFTER_S) * 1000), ("forget", (end + FORGET_AFTER_S) * 1000)]

    def on_block(self, block: blocks.Block) -> None:
        found = columns(block)
        for i, received in enumerate(block.received):
            self.advance(received)
            at = block.times[i]
            if at * 1000 < received - FORGET_AFTER_S * 1000 // 2:
                continue  # its bucket may be forgotten
            name = f"{block.sources[block.source[i]]}|{at // BUCKET_S}"
            if name not in self.slots:
                self._set_timers(name)
            self._recall(name)
            row = self.slots.row(name)
            period = at % BUCKET_S // SLOT_S
            self.slots.spoke(row, period, f"{block.writer}:{block.first + i}")
            which, _ = readings_of(found.start, np.array([i]))
            n = len(which)
            self.slots.offer(
                np.full(n, row), np.full(n, period), np.zeros(n, np.int64),
                value=found.value[which], version=np.full(n, version_of(block.qn[i], True)),
                received=np.full(n, received), meta=found.meta[which],
            )  # fmt: skip
            self._touched.add(name)

    def _recall(self, name: str) -> None:
        if name not in self._recalled:
            self._recalled.add(name)
            if name in self.slots:
                was, self.quiet = self.quiet, True
                self._say(name)
                self.quiet = was

    def before_action(self, action: blocks.Action) -> None:
        self._touched |= self._of(action)

    def on_action(self, action: blocks.Action) -> None:
        self._touched |= self._of(action)

    def _of(self, action: blocks.Action) -> set[str]:
        names = [name for name in self.slots.names() if action.begin < self._end(name) <= action.end]
        return {name for name in names if name.startswith(f"{action.subject}|")}

    def _end(self, name: str) -> int:
        return (int(name.rpartition("|")[2]) + 1) * BUCKET_S

    def on_timer(self, key: Key, due_ms: int) -> None:
        what, name = key
        if what == "forget":
            self.slots.drop(name)
            self.few.drop(name)
            self._touched.discard(name)
            self._recalled.discard(name)
        elif self._count(name) < ENOUGH:
            self.few.put(name, True)
            self._tell(name, BEGAN, due_ms)

    def _count(self, name: str) -> int:
        return int((self.slots.versions(self.slots.row(name)) != EMPTY).sum())

    def derive(self) -> None:
        touched, self._touched = sorted(self._touched), set()
        for name in touched:
            self._recalled.add(name)
            self._say(name)
            if self.few.get(name) and self._count(name) >= ENOUGH:
                self.few.put(name, False)
                self._tell(name, ENDED, int(self.slots.received(self.slots.row(name)).max()))

    def _say(self, name: str) -> None:
        row = self.slots.row(name)
        spoken = self.slots.versions(row) != EMPTY
        corrected = sum(
            int(action.data["PM10"])
            for _, action in self.decisions("correction")
            if action.begin < self._end(name) <= action.end and name.startswith(f"{action.subject}|")
        )
        packets = [p for period in self.slots.periods_spoken(row) for p in self.slots.who_spoke(row, period)]
        said = Total(name, int(self.slots.values(row)[spoken].sum()) + corrected, int(spoken.sum()), packets)
        key = f"g|{name}".encode()
        digest = digest_of(msgspec.json.encode(said).decode())
        self.revise(key, self.say(topics.CELLS, key, digest, lambda: said), digest, "late readings", 0)

    def _tell(self, name: str, state: str, at_ms: int) -> None:
        self.condition(
            Condition(
                id=f"g|{name}|few", state=state, rule="few", group="g", subject=name, factor="", since=self._end(name),
                now=at_ms, origin="",
            )
        )  # fmt: skip


def registry_message(received: int = 0) -> bytes:
    return blocks.encode(blocks.RegistryVersion("gw", "digest", REGISTRY, received))


def tick(now_ms: int) -> bytes:
    return blocks.encode(blocks.Tick("gw", now_ms))


def block(first: int, *packets: tuple[int, int, int, str]) -> bytes:
    """A block of packets ``(time s, received ms, value, QN)`` of source ``one``."""
    n = len(packets)
    return blocks.encode(
        blocks.Block(
            writer="gw", first=first, sources=["one"], factors=["PM10"], source=[0] * n, times=[p[0] for p in packets],
            periods="h" * n, received=[p[1] for p in packets], qn=[p[3] for p in packets], counts=[1] * n,
            factor=[0] * n, values=[p[2] for p in packets], places="0" * n, flags="N" * n,
        )
    )  # fmt: skip


def correction(number: int, begin: int, end: int, by: int, received: int, *, withdrawn: bool = False) -> bytes:
    """An action that adds to what ends in a period."""
    return blocks.encode(
        blocks.Action(
            writer="gw", id=f"id{number}", what="correction", group="g", subject="one", begin=begin, end=end, by="张三",
            why="", data={"PM10": str(by)}, received=received, withdrawn=withdrawn,
        )
    )  # fmt: skip


def last(outputs: list[Output], *of: str) -> dict[tuple[str, bytes], bytes]:
    """The last message per key of some topics, by default of those that tell how things stand."""
    wanted = of or (topics.CELLS, topics.CONDITIONS, topics.DEAD)
    return {(o.topic, o.key): o.value for o in outputs if o.topic in wanted}


def without_place(outputs: list[Output]) -> list[Any]:
    """Outputs without the offset of what caused them."""
    found = []
    for one in outputs:
        message = msgspec.json.decode(one.value)
        for name in ("origin", "place", "id") if one.topic == topics.DEAD else ("origin",):
            message.pop(name, None)
        found.append((one.topic, None if one.topic == topics.DEAD else one.key, message))
    return found
