"""The kernel: what makes a judge survive a crash at any moment. Knows no domain.

One judge per partition takes the messages of ``readings-*`` in order. The kernel keeps these promises (design §6; the
order of steps is the one that held in every crash test, docs/kernel.md, docs/decisions/0003-kernel.md):

* outputs are acknowledged by Kafka, then the judge's changed rows and tombstones, then the row ``@`` with the next
  offset and the log's now, and only then is a message acknowledged, strictly in offset order;
* after a crash the rows of the state topic are read before Faust seeks, and reading goes on at exactly the offset of
  row ``@``. Every row carries the offset it stands for, and of each key the newest that is not newer than ``@`` is
  taken: so the judge is what it was at ``@``, whatever a checkpoint cut short or a zombie still wrote;
* who stood still, or could not write, for half a session ends, and sends nothing any more;
* never on over a gap in the offsets.

On the embedded broker there is no state topic: the journal is the state, and every start is a rebuild
from offset 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

log = logging.getLogger("envstream.kernel")

STATE_VERSION = 2
POSITION_KEY = b"@"
OFFSET_HEADER = "o"
"""Header of a state row: the offset after the last message it knows of."""
BEFORE_HEADER = "b"
"""Header of a state row whose key had a row before."""

CHECKPOINT_S = 0.25
"""Longest time a taken message waits for its checkpoint. At 0.5 s commits a kill repeated 470 of 500 ids a
second, at 2.8 s 2 000; a checkpoint costs one flush (1-2 ms on loopback)."""
CHECKPOINT_MESSAGES = 500
CHECKPOINT_SHARE = 4
CHECKPOINT_MOST_S = 2.0
"""A checkpoint that took long is followed by that many times its own time of judging: while a backlog is worked off
thousands of rows change at once, and written every quarter of a second they took a third of the time."""


SETTLE_S = 10.0
"""Faust resumes partitions before it seeks: after a rebalance messages may come that it fetched where it was before.
They come again in their turn; only when the message that is due has not come for so long it is a gap."""

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

    Of each key the newest version that does not stand for more of the log than ``@`` does; a key whose versions are all
    newer did not exist yet. Kafka keeps the versions of the last hours (``min.compaction.lag.ms``); where compaction
    took an older one all the same, the oldest of the newer ones is taken, which knows some messages already that will
    be taken again: to slots that is no harm.
    """

    def __init__(self) -> None:
        self._at = -1
        self._position: bytes | None = None
        self._seen: dict[bytes, list[Version]] = {}
        self._last: dict[bytes, Version] = {}  # of each key what compaction will keep

    def see(self, key: bytes, offset: int, value: bytes | None, *, had_before: bool = False) -> None:
        """A message of the state topic, in its order.

        Args:
            key: of the row.
            offset: what it stands for.
            value: of the row; None for a tombstone.
            had_before: whether the key had a row when this one was written.
        """
        self._last[key] = version = Version(offset, value, had_before)
        if key == POSITION_KEY:
            if offset >= self._at:  # else a zombie wrote it after it had lost the partition
                self._at, self._position = offset, value
            return
        versions = self._seen.setdefault(key, [])
        versions.append(version)
        if len(versions) > 1:
            self._seen[key] = self._needed(versions)

    def _needed(self, versions: list[Version]) -> list[Version]:
        old = [version for version in versions if version.offset <= self._at]
        new = [version for version in versions if version.offset > self._at]
        return [max(reversed(old), key=_offset), *new] if old else new

    @property
    def is_new(self) -> bool:
        """Whether there is no row ``@``."""
        return self._position is None

    def rows(self) -> dict[bytes, bytes]:
        """The rows, ``@`` among them, without those that were dropped; none without ``@``."""
        if self._position is None:  # a first checkpoint was cut short: the log is taken from its beginning
            return {}
        found = {key: row for key in self._seen if (row := self._chosen(key).value) is not None}
        found[POSITION_KEY] = self._position
        return found

    def overtaken(self) -> list[tuple[bytes, Version]]:
        """Versions to be written again, because they are not the last of their key, and compaction keeps the last.

        A zombie may have written an older one after them, ``@`` itself included, or a checkpoint that was cut short a
        newer one; of a key that did not exist yet a tombstone comes after what was written too early.
        """
        if self._position is None:
            return []
        chosen = [(key, self._chosen(key)) for key in sorted(self._seen)]
        chosen.append((POSITION_KEY, Version(self._at, self._position, True)))
        return [(key, one) for key, one in chosen if self._last[key][:2] != one[:2]]

    def _chosen(self, key: bytes) -> Version:
        needed = self._needed(self._seen[key])
        if needed[0].offset <= self._at:
            return needed[0]
        oldest = min(needed, key=_offset)
        return oldest if oldest.had_before else Version(self._at, None, False)


class Version(NamedTuple):
    """A row of a state topic, or its tombstone."""

    offset: int
    """What it stands for."""
    value: bytes | None
    had_before: bool
    """Whether its key had a row when it was written."""


def _offset(version: Version) -> int:
    return version.offset


@dataclass
class _Partition:
    judge: Judge
    next: int  # offset to take next
    held: list[Any] = field(default_factory=list)  # Faust messages taken, not yet acknowledged
    since: float = 0.0  # when the oldest held one was taken
    keys: set[bytes] = field(default_factory=set)  # that have a row
    settled: bool = False  # whether the message that is due after the recovery has come
    ahead: tuple[int, float] | None = None  # the first that came before it, and when
    again: list[tuple[bytes, Version]] = field(default_factory=list)  # rows to repair in the state topic


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
        self.recovering = False
        self.turns = 0  # given in the middle of long messages: it judges, although no offset moves
        self.taken = 0
        self.sent: Counter[str] = Counter()  # outputs by topic
        self.checkpoints = 0
        self.checkpoint_s = 0.0
        self.recovered_s = 0.0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,  # keeps the order of rows and outputs over retries
                "linger.ms": 2,
                # A message that waits longer is dropped, and the process ends: its partitions may be another's by now,
                # and of outputs the last one counts. librdkafka sends from threads of its own, which no fence of ours
                # stops when a process that stood still goes on.
                "message.timeout.ms": int(session_s * 500),
                "reconnect.backoff.max.ms": 1_000,  # the default of 10 s would be lost of that time when Kafka is back
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
        """Give the partitions up; what was sent arrives before the next owner begins, and overwrites nothing of his."""
        async with self._lock:
            await self._flush()
            self.drop_all()

    async def recover(self, assigned: Iterable[int]) -> dict[int, int]:
        """Rebuild the judges of the assigned partitions; offsets to commit before Faust seeks."""
        self.drop_all()
        started = time.monotonic()
        wanted = sorted(assigned)
        self.recovering = True
        try:
            self._parts = await asyncio.get_running_loop().run_in_executor(None, self._rebuild, wanted)
        except KafkaException as error:
            raise KernelError(f"{self.topic} {wanted} cannot be recovered: {error.args[0].str()}") from error
        finally:
            self.recovering = False
        self._beat = time.monotonic()
        self.recovered_s = self._beat - started
        offsets = {number: part.next for number, part in self._parts.items()}
        log.info("%s %s recovered in %.2f s, next offsets %s", self.topic, wanted, self.recovered_s, offsets)
        return offsets

    def _rebuild(self, wanted: list[int]) -> dict[int, _Partition]:
        count = self._partitions_of(self.topic)
        if self.state_topic is not None and (there := self._partitions_of(self.state_topic)) != count:
            raise KernelError(f"{self.state_topic} has {there} partitions, {self.topic} {count}: {self._afresh()}")
        parts = {number: _Partition(self.make_judge(number, count), 0) for number in wanted}
        found = self._versions(self.state_topic, wanted) if self.state_topic is not None and wanted else {}
        for number, part in parts.items():
            versions = found.get(number, Versions())
            rows = versions.rows()
            part.keys, part.again = set(rows), versions.overtaken()
            self._restore(part, number, rows)
        if self.state_topic is not None:
            self._place_in_the_log(parts, {number for number, versions in found.items() if versions.is_new})
        return parts

    def _partitions_of(self, topic: str) -> int:
        found = self._producer.list_topics(topic, timeout=10).topics[topic]
        if found.error is not None:
            raise KernelError(f"{self.bootstrap} has no topic {topic}: run envstream init")
        return len(found.partitions)

    def _place_in_the_log(self, parts: dict[int, _Partition], new: set[int]) -> None:
        """Begin where the log does what has no checkpoint, whatever its group may have committed in another life.

        Retention may have overtaken a worker that was away for weeks: say what is lost, and go on behind it.
        """
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "envstream-state-reader", "log_level": 0})
        try:
            for number, part in parts.items():
                low, high = consumer.get_watermark_offsets(TopicPartition(self.topic, number), timeout=10)
                if number in new:
                    part.next = low
                if part.next > high:
                    raise KernelError(
                        f"{self.state_topic}/{number} knows {self.topic} up to {part.next}, but that ends at {high}: "
                        f"the log was made anew; delete the topic {self.state_topic} and run envstream init"
                    )
                if part.next < low:
                    gone = f"{self.topic}/{number}: messages {part.next} to {low - 1}"
                    log.error("%s were deleted by retention before they were judged: replay them from packets", gone)
                    part.next = low
        finally:
            consumer.close()

    def _restore(self, part: _Partition, number: int, rows: dict[bytes, bytes]) -> None:
        """Give a judge its rows, and where to go on."""
        position = rows.pop(POSITION_KEY, None)
        at = None
        if position is not None:
            at = msgspec.json.decode(position, type=_Position)
            if at.v != STATE_VERSION:
                raise KernelError(
                    f"{self.state_topic}/{number} has state of format {at.v}, this program {STATE_VERSION}: "
                    f"{self._afresh()}"
                )
        try:
            for key, row in rows.items():
                part.judge.restore(key, row)
            part.judge.restored(at.now if at is not None else None)
        except Exception as error:
            log.exception("the state of %s/%d cannot be taken back", self.state_topic, number)
            raise KernelError(
                f"{self.state_topic}/{number} cannot be taken back: {error!r}: {self._afresh()}; and report it"
            ) from error
        part.next = at.next if at is not None else 0

    def _afresh(self) -> str:
        return (
            f"delete the topic {self.state_topic}, run envstream init, and the readings that are kept are judged again"
        )

    def _versions(self, topic: str, partitions: list[int]) -> dict[int, Versions]:
        """Everything in a state topic's partitions."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "envstream-state-reader",  # never joined: the partitions are assigned by hand
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,  # with the half second of the default, half a second until it sees the end
                "log_level": 0,
            }
        )
        found = {number: Versions() for number in partitions}
        try:
            consumer.list_topics(topic, timeout=10)  # else it looks for the leader only half a second after it began
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            ends: set[int] = set()
            while len(ends) < len(partitions):
                message = consumer.poll(10.0)
                if message is None:
                    raise KernelError(f"{topic}: no answer from {self.bootstrap} for 10 s")
                error, number = message.error(), message.partition()
                if error is None:
                    offset, had_before = _headers_of(message)
                    found[number].see(message.key() or b"", offset, message.value(), had_before=had_before)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.add(number)
                else:
                    raise KernelError(f"{topic}/{number}: {error.str()}")
        finally:
            consumer.close()
        return found

    # ---- messages

    async def take(self, message: Any) -> None:
        """Take one Faust message of ``topic``."""
        self.fence()
        part = self._parts.get(message.partition)
        if part is None:
            return  # revoked while it waited in the queue: whoever has the partition now reads it again
        offset = message.offset
        if offset < part.next:
            self._hold(part, message)  # already in the checkpoint: only acknowledge, in order
            return
        if offset > part.next:
            if part.settled:
                raise self._gap(message.partition, part, offset)
            part.ahead = part.ahead or (offset, time.monotonic())
            return
        part.settled, part.ahead = True, None
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
            self.sent[output.topic] += 1
        now = time.monotonic()
        if len(part.held) >= CHECKPOINT_MESSAGES or (now - part.since >= CHECKPOINT_S and now >= self._rest_until):
            await self.checkpoint()

    def _gap(self, number: int, part: _Partition, offset: int) -> KernelError:
        return KernelError(
            f"{self.topic}/{number}: offset {offset} came where {part.next} was due: messages are gone; "
            "on Kafka look at the topic's retention, on the embedded broker it is rebuilt from the journal"
        )

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
                        self.turns += 1
                        await asyncio.sleep(0)
                        turn = self._beat = time.monotonic()
        except StopIteration as end:
            outputs: list[Output] = end.value
            return outputs

    def _hold(self, part: _Partition, message: Any) -> None:
        if not part.held:
            part.since = time.monotonic()
        part.held.append(message)

    def _send(
        self, topic: str, key: bytes, value: bytes | None, partition: int, headers: dict[str, str] | None = None
    ) -> None:
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
        for number, part in self._parts.items():
            if part.ahead is not None and now - part.ahead[1] > SETTLE_S:
                raise self._gap(number, part, part.ahead[0])
        held = [part.since for part in self._parts.values() if part.held]
        due = bool(held) and now - min(held) >= CHECKPOINT_S and now >= self._rest_until
        if due or any(part.again for part in self._parts.values()):  # what is to be repaired waits for no message
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Outputs, rows and tombstones, position, acknowledge; in this order, each awaited."""
        async with self._lock:
            begun = time.monotonic()
            # No await between here and the first flush: the snapshot is of one moment.
            work = []
            for number, part in self._parts.items():
                if part.held or part.again:
                    rows = part.judge.changed_rows() if self.state_topic is not None and part.held else []
                    work.append((number, part, part.held, rows, _Position(part.next, part.judge.now_ms)))
                    part.held = []
            if not work:
                return
            await self._flush()
            if self.state_topic is not None:
                for number, part, _, rows, at in work:
                    self._send_rows(self.state_topic, number, part, rows, at.next)
                await self._flush()
                for number, _, _, _, at in work:
                    headers = {OFFSET_HEADER: str(at.next)}
                    self._send(self.state_topic, POSITION_KEY, msgspec.json.encode(at), number, headers)
                await self._flush()
            self.fence()
            for number, part, held, _, _ in work:
                if self._parts.get(number) is part:
                    for message in held:
                        message.ack(self.consumer)
            ended = time.monotonic()
            self.checkpoints += 1
            self.checkpoint_s = ended - begun
            self._rest_until = ended + min(CHECKPOINT_SHARE * self.checkpoint_s, CHECKPOINT_MOST_S)

    def _send_rows(
        self, topic: str, number: int, part: _Partition, rows: list[tuple[bytes, bytes | None]], stands_for: int
    ) -> None:
        again, part.again = part.again, []
        written = [*again, *((key, Version(stands_for, row, key in part.keys)) for key, row in rows)]
        for key, version in written:
            headers = {OFFSET_HEADER: str(version.offset)}
            if version.had_before:
                headers[BEFORE_HEADER] = ""
            self._send(topic, key, version.value, number, headers)
        for key, row in rows:
            (part.keys.discard if row is None else part.keys.add)(key)

    async def _flush(self) -> None:
        if not len(self._producer):
            return
        self.fence()
        loop = asyncio.get_running_loop()
        left = await loop.run_in_executor(None, self._producer.flush, self.session_s)
        if self._failed is not None:
            raise KernelError(f"not delivered: {self._failed}")
        if left:
            waited = f"{left} messages not delivered within {self.session_s:.0f} s"
            raise KernelError(f"{waited}: is the broker {self.bootstrap} alive?")

    # ---- how it fares

    def positions(self) -> dict[int, tuple[int, int | None]]:
        """Per assigned partition the offset to take next and the log's now (epoch ms); any thread may ask."""
        return {number: (part.next, part.judge.now_ms) for number, part in list(self._parts.items())}

    # ---- the fence

    def beat(self) -> None:
        """The event loop is alive; called several times a second."""
        self.fence()
        self._beat = time.monotonic()

    def begin_to_beat(self) -> None:
        """All kernels have recovered: the first waited for the last, and at a start nothing beats until then."""
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


def _headers_of(message: Any) -> tuple[int, bool]:
    """The offset a state row stands for (of rows without one, -1), and whether its key had a row before."""
    headers = dict(message.headers() or [])
    return int(headers.get(OFFSET_HEADER, -1)), BEFORE_HEADER in headers
