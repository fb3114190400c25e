"""The kernel: what makes a judge survive a crash at any moment. Knows no domain.

One judge per partition takes the messages of ``readings-*`` in order. The kernel keeps these promises (design §6; the
order of steps is the one that held in every crash test, docs/kernel.md, docs/decisions/0003-kernel.md):

* outputs are acknowledged by Kafka, then the judge's changed rows, then the row ``@`` with the next offset and the
  log's now, and only then is a message acknowledged, strictly in offset order; tombstones go after ``@``;
* after a crash the rows of the state topic are read before Faust seeks, and reading goes on at exactly the offset of
  row ``@``. Every row carries the offset it stands for, and of each key the newest that is not newer than ``@`` is
  taken: so the judge is what it was at ``@``, whatever a checkpoint cut short or a zombie still wrote;
* never on over a gap in the offsets.

On the embedded broker there is no state topic: the journal is the state, and every start is a rebuild
from offset 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

log = logging.getLogger("envstream.kernel")

STATE_VERSION = 2
POSITION_KEY = b"@"
OFFSET_HEADER = "o"
"""Header of a state row: the offset after the last message it knows of."""

CHECKPOINT_S = 0.25
"""Longest time a taken message waits for its checkpoint. At 0.5 s commits a kill repeated 470 of 500 ids a
second, at 2.8 s 2 000; a checkpoint costs one flush (1-2 ms on loopback)."""
CHECKPOINT_MESSAGES = 500
CHECKPOINT_SHARE = 4
CHECKPOINT_MOST_S = 2.0
"""A checkpoint that took long is followed by that many times its own time of judging: while a backlog is worked off
thousands of rows change at once, and written every quarter of a second they took a third of the time."""


TURN_S = 0.2
"""Longest time of judging one message after which the event loop gets a turn."""


@dataclass(frozen=True)
class Output:
    """A message to publish: the topic, its key and its bytes. The partition is that of the input."""

    topic: str
    key: bytes
    value: bytes


class Judge(Protocol):
    """What the kernel drives: a pure function of the messages of one partition, with slots for state."""

    now_ms: int | None
    """The log's now, epoch ms; None before the first message."""

    def restore(self, key: bytes, row: bytes) -> None:
        """Take back one row of the last checkpoint."""

    def restored(self, now_ms: int | None) -> None:
        """All rows are back; called once, also when there were none. ``now_ms`` is that of the checkpoint."""

    def steps(self, message: bytes, place: str) -> Generator[None, None, list[Output]]:
        """Take one message; ``place`` is topic/partition/offset. Yields where others may have a turn."""

    def changed_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Rows changed since the last call; None for a row that is no longer needed."""


class MakeJudge(Protocol):
    """Makes the judge of a partition."""

    def __call__(self, partition: int, partitions: int) -> Judge:
        """A fresh judge for one of so many partitions."""


class KernelError(RuntimeError):
    """The kernel cannot go on without breaking a promise; the process must end and be restarted."""


class _Position(msgspec.Struct):
    next: int
    now: int | None = None
    v: int = STATE_VERSION


class Versions:
    """The rows of a state topic as they were at row ``@``.

    Of each key the newest version that does not stand for more of the log than ``@`` does. Kafka keeps the versions of
    the last hours (``min.compaction.lag.ms``); where compaction took the older one, the oldest of the newer ones is
    taken, which knows some messages already that will be taken again: a judge's rows are slots, so that is no harm.
    """

    def __init__(self) -> None:
        self._at = -1
        self._position: bytes | None = None
        self._seen: dict[bytes, list[tuple[int, bytes | None]]] = {}

    def see(self, key: bytes, offset: int, value: bytes | None) -> None:
        """A message of the state topic, in its order; ``offset``: what it stands for."""
        if key == POSITION_KEY:
            if offset >= self._at:  # else a zombie wrote it after it had lost the partition
                self._at, self._position = offset, value
            return
        versions = self._seen.setdefault(key, [])
        versions.append((offset, value))
        if len(versions) > 1:
            self._seen[key] = self._needed(versions)

    def _needed(self, versions: list[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
        old = [version for version in versions if version[0] <= self._at]
        new = [version for version in versions if version[0] > self._at]
        return [max(reversed(old), key=_offset), *new] if old else new

    def rows(self) -> dict[bytes, bytes]:
        """The rows, ``@`` among them, without those that were dropped."""
        found: dict[bytes, bytes] = {}
        for key, versions in self._seen.items():
            needed = self._needed(versions)
            value = needed[0][1] if needed[0][0] <= self._at else min(needed, key=_offset)[1]
            if value is not None:
                found[key] = value
        if self._position is not None:
            found[POSITION_KEY] = self._position
        return found


def _offset(version: tuple[int, bytes | None]) -> int:
    return version[0]


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
        self._rest_until = 0.0
        self.consumer: Any = None  # Faust's, set when the app has started
        self.taken = 0
        self.checkpoints = 0
        self.checkpoint_s = 0.0
        self.recovered_s = 0.0
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
        self.recovered_s = self._beat - started
        offsets = {number: part.next for number, part in self._parts.items() if part.next is not None}
        log.info("%s %s recovered in %.2f s, next offsets %s", self.topic, wanted, self.recovered_s, offsets)
        return offsets

    def _rebuild(self, wanted: list[int]) -> dict[int, _Partition]:
        count = len(self._producer.list_topics(self.topic, timeout=10).topics[self.topic].partitions)
        parts = {number: _Partition(self.make_judge(number, count), 0) for number in wanted}
        found = self._last_rows(self.state_topic, wanted) if self.state_topic is not None and wanted else {}
        for number, part in parts.items():
            self._restore(part, number, found.get(number, {}))
        if self.state_topic is not None:
            self._skip_what_is_gone(parts)
        return parts

    def _skip_what_is_gone(self, parts: dict[int, _Partition]) -> None:
        """Retention may have overtaken a worker that was away for weeks: say what is lost, and go on behind it."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "envstream-state-reader", "log_level": 0})
        try:
            for number, part in parts.items():
                low, high = consumer.get_watermark_offsets(TopicPartition(self.topic, number), timeout=10)
                if part.next is not None and part.next > high:
                    raise KernelError(
                        f"{self.state_topic}/{number} knows {self.topic} up to {part.next}, but that ends at {high}: "
                        f"the log was made anew; delete the topic {self.state_topic} and run envstream init"
                    )
                if part.next is not None and part.next < low:
                    gone = f"{self.topic}/{number}: messages {part.next} to {low - 1}"
                    log.error("%s were deleted by retention before they were judged: replay them from packets", gone)
                    part.next = low
        finally:
            consumer.close()

    def _restore(self, part: _Partition, number: int, rows: dict[bytes, bytes]) -> None:
        """Give a judge its rows, and where to go on: None when there was no checkpoint."""
        position = rows.pop(POSITION_KEY, None)
        at = None
        if position is not None:
            at = msgspec.json.decode(position, type=_Position)
            if at.v != STATE_VERSION:
                raise KernelError(
                    f"{self.state_topic}/{number} has state of format {at.v}, this program {STATE_VERSION}: delete the "
                    f"topic {self.state_topic}, run envstream init, and the readings that are kept are judged again"
                )
        # Rows without a position are of a first checkpoint that was cut short: the log is read from its beginning, and
        # slots that know some of it already do no harm.
        for key, row in rows.items():
            part.judge.restore(key, row)
        part.judge.restored(at.now if at is not None else None)
        if self.state_topic is not None:
            part.next = at.next if at is not None else None

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
        found = {number: Versions() for number in partitions}
        try:
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            ends: set[int] = set()
            while len(ends) < len(partitions):
                message = consumer.poll(10.0)
                if message is None:
                    raise KernelError(f"{topic}: no answer from {self.bootstrap} for 10 s")
                error, number = message.error(), message.partition()
                if error is None:
                    found[number].see(message.key() or b"", _offset_of(message), message.value())
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.add(number)
                else:
                    raise KernelError(f"{topic}/{number}: {error.str()}")
        finally:
            consumer.close()
        return {number: versions.rows() for number, versions in found.items()}

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
            outputs = await self._judge(part.judge, message.value, place)
        except KernelError:
            raise
        except Exception as error:
            # Going on would judge on half a change. The place tells whom to ask; nothing is lost meanwhile.
            log.exception("the judge failed on %s", place)
            raise KernelError(
                f"the judge failed on {place}: {error!r}: this is a defect, report it with that message"
            ) from error
        part.next = offset + 1
        self.taken += 1
        self._hold(part, message)
        for output in outputs:
            self._send(output.topic, output.key, output.value, message.partition)
        now = time.monotonic()
        if len(part.held) >= CHECKPOINT_MESSAGES or (now - part.since >= CHECKPOINT_S and now >= self._rest_until):
            await self.checkpoint()

    async def _judge(self, judge: Judge, message: bytes, place: str) -> list[Output]:
        """One message. A long one (a tick after weeks closes every day in between) lets the heartbeat have turns."""
        steps = judge.steps(message, place)
        turn = time.monotonic()
        try:
            while time.monotonic() - turn < TURN_S:
                next(steps)
            async with self._lock:  # no checkpoint of half a message
                while True:
                    next(steps)
                    if time.monotonic() - turn >= TURN_S:
                        self.fence()
                        await asyncio.sleep(0)
                        turn = self._beat = time.monotonic()
        except StopIteration as end:
            outputs: list[Output] = end.value
            return outputs

    def _hold(self, part: _Partition, message: Any) -> None:
        if not part.held:
            part.since = time.monotonic()
        part.held.append(message)

    def _send(self, topic: str, key: bytes, value: bytes | None, partition: int, stands_for: int | None = None) -> None:
        headers = None if stands_for is None else {OFFSET_HEADER: str(stands_for)}
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered, headers=headers)
                return
            except BufferError:
                self._producer.poll(0.05)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed = f"{message.topic()}/{message.partition()}: {error.str()}"

    # ---- checkpoint

    async def checkpoint_if_due(self) -> None:
        """A checkpoint, when nothing came lately to bring one on."""
        now = time.monotonic()
        held = [part.since for part in self._parts.values() if part.held]
        if held and now - min(held) >= CHECKPOINT_S and now >= self._rest_until:
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Outputs, rows, position, tombstones, acknowledge; in this order, each awaited."""
        async with self._lock:
            begun = time.monotonic()
            # No await between here and the first flush: the snapshot is of one moment.
            work = []
            for number, part in self._parts.items():
                if part.held:
                    assert part.next is not None
                    rows = part.judge.changed_rows() if self.state_topic is not None else []
                    position = _Position(part.next, part.judge.now_ms)
                    work.append((number, part, part.held, rows, position))
                    part.held = []
            if not work:
                return
            await self._flush()
            if self.state_topic is not None:
                await self._write_state(self.state_topic, [(n, rows, at) for n, _, _, rows, at in work])
            self.fence()
            for number, part, held, _, _ in work:
                if self._parts.get(number) is part:
                    for message in held:
                        message.ack(self.consumer)
            ended = time.monotonic()
            self.checkpoints += 1
            self.checkpoint_s = ended - begun
            self._rest_until = ended + min(CHECKPOINT_SHARE * self.checkpoint_s, CHECKPOINT_MOST_S)

    async def _write_state(
        self, topic: str, work: list[tuple[int, list[tuple[bytes, bytes | None]], _Position]]
    ) -> None:
        for number, rows, at in work:
            for key, row in rows:
                if row is not None:
                    self._send(topic, key, row, number, at.next)
        await self._flush()
        for number, _, at in work:
            self._send(topic, POSITION_KEY, msgspec.json.encode(at), number, at.next)
        await self._flush()
        for number, rows, at in work:
            for key, row in rows:
                if row is None:
                    self._send(topic, key, None, number, at.next)
        await self._flush()

    async def _flush(self) -> None:
        if not len(self._producer):
            return
        self.fence()
        loop = asyncio.get_running_loop()
        left = await loop.run_in_executor(None, self._producer.flush, 30.0)
        if self._failed is not None:
            raise KernelError(f"not delivered: {self._failed}")
        if left:
            raise KernelError(f"{left} messages not delivered within 30 s: is the broker {self.bootstrap} alive?")

    # ---- how it fares

    def positions(self) -> dict[int, tuple[int, int | None]]:
        """Per assigned partition the offset to take next and the log's now (epoch ms)."""
        return {number: (part.next or 0, part.judge.now_ms) for number, part in self._parts.items()}

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


def _offset_of(message: Any) -> int:
    """The offset a state row stands for; of rows without one, -1."""
    for name, value in message.headers() or []:
        if name == OFFSET_HEADER:
            return int(value)
    return -1
