"""The state kernel: what makes a judge survive a crash at any moment. Knows no domain.

One judge per partition takes the messages of ``readings-*`` in order. The kernel keeps three promises
(design §6; the order of steps is the one that held in every crash test, docs/decisions/0003-kernel.md):

* outputs are acknowledged by Kafka, then the judge's changed rows, then the row ``@`` with the next
  offset, and only then is a message acknowledged, strictly in offset order;
* after a crash the rows of the state topic are read before Faust seeks, and reading goes on at exactly
  the offset of row ``@``; rows newer than it do no harm, because a judge's rows are slots;
* never on over a gap in the offsets.

On the embedded broker there is no state topic: the journal is the state, and every start is a rebuild
from offset 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

log = logging.getLogger("envstream.kernel")

STATE_VERSION = 1
POSITION_KEY = b"@"

CHECKPOINT_S = 0.25
"""Longest time a taken message waits for its checkpoint. At 0.5 s commits a kill repeated 470 of 500 ids a
second, at 2.8 s 2 000; a checkpoint costs one flush (1-2 ms on loopback)."""
CHECKPOINT_MESSAGES = 500


@dataclass(frozen=True)
class Output:
    """A message to publish: the topic, its key and its bytes. The partition is that of the input."""

    topic: str
    key: bytes
    value: bytes


class Judge(Protocol):
    """What the kernel drives: a pure function of the messages of one partition, with slots for state."""

    def restore(self, key: bytes, row: bytes) -> None:
        """Take back one row of the last checkpoint."""

    def restored(self) -> None:
        """All rows are back; called once, also when there were none."""

    def take(self, message: bytes, place: str) -> list[Output]:
        """Take one message; ``place`` is topic/partition/offset."""

    def changed_rows(self) -> list[tuple[bytes, bytes]]:
        """Rows changed since the last call."""


class MakeJudge(Protocol):
    """Makes the judge of a partition."""

    def __call__(self, partition: int, partitions: int) -> Judge:
        """A fresh judge for one of so many partitions."""


class KernelError(RuntimeError):
    """The kernel cannot go on without breaking a promise; the process must end and be restarted."""


class _Position(msgspec.Struct):
    next: int
    v: int = STATE_VERSION


@dataclass
class _Partition:
    judge: Judge
    next: int | None  # offset to take next; None: wherever the log begins
    held: list[Any] = field(default_factory=list)  # Faust messages taken, not yet acknowledged
    since: float = 0.0  # when the oldest held one was taken


class Kernel:
    """Drives one judge per assigned partition of ``topic``."""

    def __init__(
        self, *, bootstrap: str, topic: str, state_topic: str | None, make_judge: MakeJudge, session_s: float = 10.0
    ) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.state_topic = state_topic
        self.make_judge = make_judge
        self.session_s = session_s
        self._parts: dict[int, _Partition] = {}
        self._lock = asyncio.Lock()
        self._failed: str | None = None
        self._beat = time.monotonic()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,  # keeps the order of rows and outputs over retries
                "linger.ms": 2,
                "compression.type": "none",
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )

    # ---- assignment

    def drop_all(self) -> None:
        """Forget everything: rebalances are eager, so every partition is revoked."""
        self._parts.clear()

    async def release(self) -> None:
        """Give the partitions up: let a checkpoint that has begun end first, so that it overwrites nobody's."""
        async with self._lock:
            self.drop_all()

    async def recover(self, assigned: Iterable[int]) -> dict[int, int]:
        """Rebuild the judges of the assigned partitions; offsets to commit before Faust seeks."""
        self.drop_all()
        started = time.monotonic()
        wanted = sorted(assigned)
        self._parts = await asyncio.get_running_loop().run_in_executor(None, self._rebuild, wanted)
        self._beat = time.monotonic()
        offsets = {number: part.next for number, part in self._parts.items() if part.next is not None}
        log.info("partitions %s recovered in %.2f s, next offsets %s", wanted, self._beat - started, offsets)
        return offsets

    def _rebuild(self, wanted: list[int]) -> dict[int, _Partition]:
        count = len(self._producer.list_topics(self.topic, timeout=10).topics[self.topic].partitions)
        parts = {number: _Partition(self.make_judge(number, count), 0) for number in wanted}
        if self.state_topic is not None and wanted:
            for number, rows in self._last_rows(self.state_topic, wanted).items():
                parts[number].next = self._restore(parts[number].judge, number, rows)
        for part in parts.values():
            part.judge.restored()
        if self.state_topic is not None:
            self._skip_what_is_gone(parts)
        return parts

    def _skip_what_is_gone(self, parts: dict[int, _Partition]) -> None:
        """Retention may have overtaken a worker that was away for weeks: say what is lost, and go on behind it."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "envstream-state-reader", "log_level": 0})
        try:
            for number, part in parts.items():
                low, _ = consumer.get_watermark_offsets(TopicPartition(self.topic, number), timeout=10)
                if part.next is not None and part.next < low:
                    gone = f"{self.topic}/{number}: messages {part.next} to {low - 1}"
                    log.error("%s were deleted by retention before they were judged: replay them from packets", gone)
                    part.next = low
        finally:
            consumer.close()

    def _restore(self, judge: Judge, number: int, rows: dict[bytes, bytes]) -> int | None:
        """Give a judge its rows; the offset to go on at, None when there was no checkpoint."""
        position = rows.pop(POSITION_KEY, None)
        for key, row in rows.items():
            judge.restore(key, row)
        if position is None:
            return None
        found = msgspec.json.decode(position, type=_Position)
        if found.v != STATE_VERSION:
            raise KernelError(
                f"{self.state_topic}/{number} has state of format {found.v}, this program {STATE_VERSION}"
            )
        return found.next

    def _last_rows(self, topic: str, partitions: list[int]) -> dict[int, dict[bytes, bytes]]:
        """The last value of each key of a state topic's partitions."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "envstream-state-reader",  # never joined: the partitions are assigned by hand
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        rows: dict[int, dict[bytes, bytes | None]] = {number: {} for number in partitions}
        try:
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            ends: set[int] = set()
            while len(ends) < len(partitions):
                message = consumer.poll(10.0)
                if message is None:
                    raise KernelError(f"{topic}: no answer from {self.bootstrap} for 10 s")
                error, number = message.error(), message.partition()
                if error is None:
                    rows[number][message.key() or b""] = message.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.add(number)
                else:
                    raise KernelError(f"{topic}/{number}: {error.str()}")
        finally:
            consumer.close()
        return {n: {k: v for k, v in found.items() if v is not None} for n, found in rows.items()}

    # ---- messages

    async def take(self, message: Any) -> None:
        """Take one Faust message of ``topic``."""
        self.fence()
        part = self._parts.get(message.partition)
        if part is None:
            return  # revoked while it waited in the queue: whoever has the partition now reads it again
        offset = message.offset
        if part.next is None:
            part.next = offset
        if offset < part.next:
            self._hold(part, message)  # already in the checkpoint: only acknowledge, in order
            return
        if offset > part.next:
            raise KernelError(
                f"{self.topic}/{message.partition}: offset {offset} came where {part.next} was due: messages are gone; "
                "on Kafka look at the topic's retention, on the embedded broker it is rebuilt from the journal"
            )
        place = f"{self.topic}/{message.partition}/{offset}"
        try:
            outputs = part.judge.take(message.value, place)
        except Exception as error:
            # Going on would judge on half a change. The place tells whom to ask; nothing is lost meanwhile.
            log.exception("the judge failed on %s", place)
            raise KernelError(
                f"the judge failed on {place}: {error!r}: this is a defect, report it with that message"
            ) from error
        part.next = offset + 1
        self._hold(part, message)
        for output in outputs:
            self._send(output.topic, output.key, output.value, message.partition)
        if len(part.held) >= CHECKPOINT_MESSAGES or time.monotonic() - part.since >= CHECKPOINT_S:
            await self.checkpoint()

    def _hold(self, part: _Partition, message: Any) -> None:
        if not part.held:
            part.since = time.monotonic()
        part.held.append(message)

    def _send(self, topic: str, key: bytes, value: bytes, partition: int) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.05)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed = f"{message.topic()}/{message.partition()}: {error.str()}"

    # ---- checkpoint

    async def checkpoint(self) -> None:
        """Outputs, rows, position, acknowledge; in this order, each awaited."""
        async with self._lock:
            # No await between here and the first flush: the snapshot is of one moment.
            work = []
            for number, part in self._parts.items():
                if part.held:
                    rows = part.judge.changed_rows() if self.state_topic is not None else []
                    work.append((number, part, part.held, rows, part.next))
                    part.held = []
            if not work:
                return
            await self._flush()
            if self.state_topic is not None:
                for number, _, _, rows, _ in work:
                    for key, row in rows:
                        self._send(self.state_topic, key, row, number)
                await self._flush()
                for number, _, _, _, position in work:
                    assert position is not None
                    self._send(self.state_topic, POSITION_KEY, msgspec.json.encode(_Position(position)), number)
                await self._flush()
            self.fence()
            for number, part, held, _, _ in work:
                if self._parts.get(number) is part:
                    for message in held:
                        message.ack(self.consumer)

    consumer: Any = None  # Faust's, set when the app has started

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        left = await loop.run_in_executor(None, self._producer.flush, 30.0)
        if self._failed is not None:
            raise KernelError(f"not delivered: {self._failed}")
        if left:
            raise KernelError(f"{left} messages not delivered within 30 s: is the broker {self.bootstrap} alive?")

    # ---- the fence

    def beat(self) -> None:
        """The event loop is alive; called several times a second."""
        self.fence()
        self._beat = time.monotonic()

    def fence(self) -> None:
        """End a process that stood still for half its session: its partitions may be another's by now.

        ``os._exit`` and no clean-up: everything it would still send could overwrite newer state.
        """
        still = time.monotonic() - self._beat
        if still > self.session_s / 2:
            log.error(
                "stood still for %.1f s of a session of %.0f s: ending, another may have taken over",
                still,
                self.session_s,
            )
            os._exit(70)
