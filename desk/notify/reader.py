"""Reads the log for the notifier: what was delivered, then what there is to tell, and whether time still passes.

Partitions are assigned by hand and nothing is committed: which notice is done for whom stands in ``deliveries``, and
every start reads both again from some days ago. So a retry that waits holds nothing up, and a crash needs no care.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from schemas import blocks, topics
from schemas.alerts import Delivery, Notice
from schemas.registry import Registry, RegistryError, parse
from streams import by_hand

log = logging.getLogger("envstream.notify")

GROUP = "envstream-notify"
_POLL_S = 0.2
_ASK_KAFKA_S = 10.0
_TICK = b'{"kind":"tick"'


class _MissingTopicError(Exception):
    """A topic is not there yet."""


@dataclass
class Begun:
    """What the log had when it was read to its end."""

    rows: list[Delivery] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    registry: Registry | None = None
    kind: str = ""  # live or virtual, "" not known from Kafka


class Reader:
    """A thread. Everything it hears is told in the event loop."""

    def __init__(
        self,
        bootstrap: str,
        loop: asyncio.AbstractEventLoop,
        *,
        since_ms: int,
        embedded: bool,
        begun: Callable[[Begun], None],
        heard: Callable[[Notice | Registry | str | None], None],
    ) -> None:
        """Begin to read.

        Args:
            bootstrap: the broker.
            loop: where ``begun`` and ``heard`` are called.
            since_ms: deliveries and notices from then on (epoch ms of the broker); the embedded one has all of them.
            embedded: whether it is librdkafka's own broker.
            begun: told once, what there was.
            heard: told each notice and registry that comes, the log's clock as a text, and None for a tick.
        """
        self._bootstrap, self._loop, self._since_ms, self._embedded = bootstrap, loop, since_ms, embedded
        self._begun, self._heard = begun, heard
        self.taken: dict[tuple[str, int], int] = {}  # offset of the notice to take next, by topic and partition
        self._stop = threading.Event()
        self._answered_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._thread.start()

    def kafka_silent_s(self) -> float:
        """Seconds since Kafka was last heard."""
        return time.monotonic() - self._answered_at

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(5.0)

    # ---- the thread

    def _run(self) -> None:
        consumer = by_hand.consumer(
            self._bootstrap,
            GROUP,
            embedded=self._embedded,
            more={"fetch.error.backoff.ms": 100, "fetch.wait.max.ms": 100},
        )
        said = ""
        try:
            while not self._stop.is_set():
                try:
                    self._follow(consumer)
                except (KafkaException, _MissingTopicError) as error:
                    words = error.args[0].str() if isinstance(error, KafkaException) else str(error)
                    if words != said:
                        said = words
                        log.warning("Kafka at %s: %s; going on by itself when this is over", self._bootstrap, said)
                    self._stop.wait(1.0)
        finally:
            consumer.close()

    def _follow(self, consumer: Consumer) -> None:
        begun = Begun()
        at: dict[tuple[str, int], int] = {}
        for topic in (topics.DELIVERIES, topics.REGISTRY, topics.NOTICES):  # rows before the notices they are about
            for message in self._all(consumer, topic, at):
                self._note(begun, message)
        self._answered_at = time.monotonic()
        self._tell(self._begun, begun)
        self.taken = {place: offset for place, offset in at.items() if place[0] == topics.NOTICES}
        ticks = [TopicPartition(topic, 0, OFFSET_END) for topic in topics.READINGS]  # every partition has all ticks
        tails = [TopicPartition(topic, p, offset) for (topic, p), offset in at.items() if topic != topics.DELIVERIES]
        consumer.assign(tails + ticks)
        asked = time.monotonic()
        while not self._stop.is_set():
            for message in consumer.consume(500, _POLL_S):
                if message.error() is None:
                    self._answered_at = time.monotonic()
                    self._hear(message)
            now = time.monotonic()
            if now - max(self._answered_at, asked) > _ASK_KAFKA_S:
                asked = now
                self._ask(consumer)

    def _ask(self, consumer: Consumer) -> None:
        try:
            consumer.list_topics(topics.NOTICES, timeout=5)
        except KafkaException:
            return
        self._answered_at = time.monotonic()

    def _all(self, consumer: Consumer, topic: str, at: dict[tuple[str, int], int]) -> list[Message]:
        """Every message of a topic up to its end of now; ``at`` gets where to go on."""
        if self._embedded:
            numbers = list(range(topics.EMBEDDED_PARTITIONS))
        else:
            numbers = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            if not numbers:
                raise _MissingTopicError(f"there is no topic {topic}: run envstream init")
        places = [TopicPartition(topic, p) for p in numbers]
        ends = {}
        for place in places:
            low, high = consumer.get_watermark_offsets(place, timeout=10)
            ends[place.partition] = (low, high)
            at[topic, place.partition] = high
        starts = {p: low for p, (low, _) in ends.items()}
        if not self._embedded and topic != topics.REGISTRY:
            asked = [TopicPartition(topic, p, self._since_ms) for p in numbers]
            for found in consumer.offsets_for_times(asked, timeout=10):
                starts[found.partition] = found.offset if found.offset >= 0 else ends[found.partition][1]
        left = {p for p, (_, high) in ends.items() if starts[p] < high}
        if not left:
            return []
        consumer.assign([TopicPartition(topic, p, starts[p] or OFFSET_BEGINNING) for p in sorted(left)])
        messages: list[Message] = []
        while left and not self._stop.is_set():
            for message in consumer.consume(1_000, _POLL_S):
                if message.error() is not None:
                    continue
                messages.append(message)
                if (message.offset() or 0) + 1 >= ends[message.partition() or 0][1]:
                    left.discard(message.partition() or 0)
        return messages

    def _note(self, begun: Begun, message: Message) -> None:
        heard = self._read(message)
        if isinstance(heard, Delivery):
            begun.rows.append(heard)
        elif isinstance(heard, Notice):
            begun.notices.append(heard)
        elif isinstance(heard, Registry):
            begun.registry = heard
        elif isinstance(heard, str):
            begun.kind = heard

    def _hear(self, message: Message) -> None:
        value = message.value() or b""
        if message.topic() in topics.READINGS:
            if value.startswith(_TICK):
                self._tell(self._heard, None)
            return
        heard = self._read(message)
        if heard is not None:
            self._tell(self._heard, heard)
        if message.topic() == topics.NOTICES:
            self.taken[topics.NOTICES, message.partition() or 0] = (message.offset() or 0) + 1

    def _read(self, message: Message) -> Any:
        """A message as what it is; None for what is not for us, said in the log."""
        topic, value = message.topic(), message.value() or b""
        try:
            if topic == topics.DELIVERIES:
                return msgspec.json.decode(value, type=Delivery)
            if topic == topics.NOTICES:
                return msgspec.json.decode(value, type=Notice)
            if message.key() == topics.CLOCK_KEY:
                return value.decode()
            found = blocks.decode(value)
            return parse(found.text, "registry of the log") if isinstance(found, blocks.RegistryVersion) else None
        except (msgspec.MsgspecError, blocks.BlockError, RegistryError, UnicodeDecodeError) as error:
            log.error("%s/%s@%s: not readable: %.200s", topic, message.partition(), message.offset(), error)
            return None

    def _tell(self, what: Callable[[Any], None], heard: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, heard)
        except RuntimeError:  # the loop has ended
            self._stop.set()
