"""The one writer: appends to the log, and what it says is appended is there after any crash.

On Kafka: produce and wait for the acknowledgement. On the embedded broker also the journal: first
synced there, then produced; and it paces itself, because that broker drops the oldest of a partition
beyond about 5 MB without a word.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas import blocks, topics
from schemas.messages import Packets
from streams.journal import Journal, Record

log = logging.getLogger("envstream.writer")

INPUT_ROOM_BYTES = 512 * 1024
"""Unread bytes of a ``readings-*`` partition that somebody reads. A reading becomes a cell of about four times its
bytes in the block, so half a megabyte of input and the room below stay far from the 5 MB that are kept."""
OUTPUT_ROOM_MESSAGES = 3_000
"""Unread messages per partition of a topic that is written from readings; a cell is about 500 bytes."""
EPISODES_ROOM_MESSAGES = 1_000
"""Of ``episodes``: each carries its whole history, some kilobytes."""

READERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (topics.AGENTS_GROUP, topics.JUDGED),
    (topics.SINK_GROUP, topics.SUNK),
)


class WriterError(RuntimeError):
    """The log cannot be written; nothing may be answered for any more."""


class Writer:
    """Appends records. Used by one event loop; deliveries are reported from librdkafka's thread."""

    def __init__(
        self, bootstrap: str, *, name: str, journal: Journal | None, extra_readers: tuple[Any, ...] = ()
    ) -> None:
        """Connect.

        Args:
            bootstrap: the broker.
            name: of this writer, part of every packet's identity.
            journal: the journal of the embedded default, or None on Kafka.
            extra_readers: further ``(group, topics)`` that pacing waits for on the embedded broker.
        """
        self.name = name
        self.journal = journal
        self.bootstrap = bootstrap
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "queue.buffering.max.messages": 1_000_000,
                "message.timeout.ms": 0,  # for ever: while Kafka is away nothing is answered, and nothing is lost
                "log_level": 0,
            }
        )
        self.partitions = self._count_partitions()
        self._pacer = Pacer(bootstrap, self.partitions, READERS + extra_readers) if journal is not None else None
        self._failed: str | None = None
        self._order = asyncio.Lock()  # journal and broker must hold everything in one order, or a rebuild differs
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._poller.start()

    def _count_partitions(self) -> int:
        try:
            metadata = self._producer.list_topics(topics.READINGS_AIR, timeout=30)
        except KafkaException as error:
            raise WriterError(f"broker {self.bootstrap}: {error.args[0].str()}: is Kafka up?") from None
        counts = set()
        for name in (*topics.READINGS, topics.ACTIONS):
            found = (metadata if name in metadata.topics else self._producer.list_topics(name, timeout=30)).topics[name]
            if found.error is not None or not found.partitions:
                raise WriterError(f"broker {self.bootstrap} has no topic {name}: run envstream init first")
            counts.add(len(found.partitions))
        if len(counts) > 1:  # partition p of every topic holds the same groups
            raise WriterError(
                f"broker {self.bootstrap}: topics readings-* and actions differ in partitions: make them anew"
            )
        return counts.pop()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.2)

    @property
    def busy(self) -> bool:
        """Whether something is being appended, or Kafka has not acknowledged it yet."""
        return self._order.locked() or len(self._producer) > 0

    # ---- appending

    async def append(self, records: list[Record], *, wait: bool = True, keep: bool = True) -> None:
        """Append in order: journal (synced), Kafka, and with ``wait`` until Kafka has acknowledged all.

        ``keep=False`` leaves them out of the journal: ticks that a rebuild does not need.

        Raises:
            WriterError: not appended, or not known to be; the caller must not answer.
            JournalError: the disk refused it.
        """
        loop = asyncio.get_running_loop()
        if self._pacer is not None:
            await self._pacer.room()
        async with self._order:
            if self.journal is not None:
                if wait:
                    await loop.run_in_executor(None, lambda: self.journal.append(records, sync=True))  # type: ignore[union-attr]
                elif keep:
                    self.journal.append(records, sync=False)
            done = self._produce(records, loop if wait else None)
        if done is not None:
            await done
        if self._failed is not None:
            raise WriterError(self._failed)

    def _produce(self, records: list[Record], loop: asyncio.AbstractEventLoop | None) -> asyncio.Future[None] | None:
        future: asyncio.Future[None] | None = loop.create_future() if loop is not None and records else None
        left = len(records)

        def delivered(error: Any, message: Any) -> None:
            nonlocal left
            if error is not None:
                self._failed = f"{message.topic()}/{message.partition()}: {error.str()}"
            left -= 1
            if left == 0 and future is not None and loop is not None:
                loop.call_soon_threadsafe(_resolve, future)

        for record in records:
            while True:
                try:
                    self._producer.produce(
                        record.topic, record.value, record.key, record.partition, on_delivery=delivered
                    )
                    break
                except BufferError:
                    self._producer.poll(0.01)
                except KafkaException as error:
                    raise WriterError(f"{record.topic}: {error.args[0].str()}") from None
            if self._pacer is not None:
                self._pacer.appended(record)
        return future

    async def rebuild(self) -> Recovered:
        """Append the whole journal to a fresh broker, as fast as its readers take it."""
        assert self.journal is not None
        found = Recovered()
        batch: list[Record] = []
        size = 0
        for record in self.journal.records():
            found.see(record)
            batch.append(record)
            size += len(record.value)
            if size > 64 * 1024 or len(batch) >= 1_000:
                await self._feed(batch)
                batch, size = [], 0
        await self._feed(batch)
        await asyncio.get_running_loop().run_in_executor(None, self._producer.flush, 60.0)
        if self._failed is not None:
            raise WriterError(self._failed)
        return found

    async def _feed(self, batch: list[Record]) -> None:
        assert self._pacer is not None
        await self._pacer.room()
        self._produce(batch, None)
        await asyncio.sleep(0)

    def close(self) -> None:
        """Deliver what is in flight and stop."""
        self._producer.flush(10.0)
        self._stop.set()
        self._poller.join(2.0)
        if self._pacer is not None:
            self._pacer.close()
        if self.journal is not None:
            self.journal.close()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Recovered:
    """What a journal says about where its writer was."""

    def __init__(self) -> None:
        self.packets = 0
        self.now_ms: int | None = None
        self.registry: str | None = None
        self.records = 0

    def see(self, record: Record) -> None:
        """Take note of one record."""
        self.records += 1
        if record.topic == topics.PACKETS:
            evidence = msgspec.json.decode(record.value, type=Packets)
            self.packets = max(self.packets, evidence.first + len(evidence.raw))
        elif record.topic in topics.READINGS:
            message = blocks.decode(record.value)
            if isinstance(message, blocks.Tick):
                self._at(message.now)
            elif isinstance(message, blocks.Block) and message.received:
                self._at(max(message.received))
            elif isinstance(message, blocks.Action):
                self._at(message.received)
            elif isinstance(message, blocks.RegistryVersion):
                self.registry = message.digest

    def _at(self, now_ms: int) -> None:
        self.now_ms = now_ms if self.now_ms is None else max(self.now_ms, now_ms)


class Pacer:
    """Knows how far the readers of the embedded broker are, and lets the writer wait for the slowest."""

    POLL_S = 0.05

    def __init__(self, bootstrap: str, partitions: int, readers: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        self._partitions = partitions
        self._readers = tuple(readers)
        self._read = {name for _, names in self._readers for name in names}
        self._consumers = {
            group: Consumer(
                {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
            )
            for group, _ in self._readers
        }
        self._sent: dict[tuple[str, int], int] = {}  # messages appended; the offset of the next one
        self._bytes: dict[tuple[str, int], deque[tuple[int, int]]] = {}  # (offset, bytes) not yet read
        self._unread: dict[tuple[str, int], int] = {}
        self._full = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()

    def appended(self, record: Record) -> None:
        """A record is on its way."""
        if record.topic not in topics.READINGS or record.topic not in self._read:
            return
        place = (record.topic, record.partition)
        with self._lock:
            offset = self._sent.get(place, 0)
            self._sent[place] = offset + 1
            self._bytes.setdefault(place, deque()).append((offset, len(record.value)))
            self._unread[place] = self._unread.get(place, 0) + len(record.value)

    async def room(self) -> None:
        """Return when the slowest reader has left room."""
        while self._full or any(n > INPUT_ROOM_BYTES for n in self._unread.values()):
            await asyncio.sleep(self.POLL_S / 2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except KafkaException as error:
                log.debug("pacer: %s", error)
            time.sleep(self.POLL_S)

    def _look(self) -> None:
        full = False
        for group, names in self._readers:
            consumer = self._consumers[group]
            places = [TopicPartition(name, p) for name in names for p in range(self._partitions)]
            for place in consumer.committed(places, timeout=5):
                committed = max(place.offset, 0)
                if place.topic in topics.READINGS:
                    self._read_up_to((place.topic, place.partition), committed)
                else:
                    _, high = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=5)
                    room = EPISODES_ROOM_MESSAGES if place.topic == topics.EPISODES else OUTPUT_ROOM_MESSAGES
                    full = full or high - committed > room
        self._full = full

    def _read_up_to(self, place: tuple[str, int], offset: int) -> None:
        with self._lock:
            waiting = self._bytes.get(place)
            while waiting and waiting[0][0] < offset:
                self._unread[place] -= waiting.popleft()[1]

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join(10.0)
        for consumer in self._consumers.values():
            consumer.close()
