"""The sink: what is judged and told, from Kafka to a target, each offset committed once it is stored.

Into InfluxDB also readings, dead letters and the health of the parts (``topics.SUNK_RECENT``).

A plain consumer, no Faust: for a pure sink ``consume()`` and an own batcher are two orders cheaper
(engineering §2). What it re-reads after a crash writes the same points again, which changes nothing.

On the embedded broker it takes its partitions by itself instead of joining the group: there is one sink,
and after ``kill -9`` nobody waits for a dead member's session (6.5 to 9 s measured with the group). That
broker keeps about 5 MB per partition and drops the oldest without a word, so there a gap in the offsets
ends the sink; on Apache Kafka gaps are what compaction leaves.

A message that makes no line becomes a dead letter. Not so a block of readings, of which the worker writes one, and
neither a dead letter nor a word of health, which would become a letter about a letter, nor a registry, which nobody
could mend there: those are told in the log file.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas import topics
from streams.dead_letters import DeadLetters
from streams.embedded_broker import FETCH_WAIT_MS
from streams.line_builder import LineError
from streams.line_protocol import lines
from streams.target import Batch, Busy, Origin, SinkError, Stopping, Target

log = logging.getLogger("envstream.sink")

_POLL_S = 0.1  # SIGTERM is seen after at most this
_MESSAGES_AT_ONCE = 100  # of 200 kB each they are as much as librdkafka may hold beside them
_LEAVE_S = 0.5  # what the last commit and the farewell to the group may take

_FOR_A_PERSON = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
}


_NEVER_DEAD = (topics.DEAD, topics.HEALTH, topics.REGISTRY)
"""Topics of which no message and no line becomes a dead letter."""

_OF_NO_CONSEQUENCE = {
    KafkaError._PARTITION_EOF,
    KafkaError._TRANSPORT,  # one connection; when it was the last one, _ALL_BROKERS_DOWN follows
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # topics of the embedded broker appear on first use
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


class GapError(SinkError):
    """The embedded broker dropped messages before they were stored; everything must be rebuilt."""


@dataclass(frozen=True)
class SinkOptions:
    """How much is written at once: whichever limit is met first."""

    batch_lines: int = 5_000  # InfluxDB 2.7: 5 000 lines took 15 to 18 ms (p50), larger gains nothing
    batch_characters: int = 4_000_000  # 5 000 lines are half a million; a string may have 64 kB
    batch_messages: int = 5_000  # some make no line, and each may become a dead letter
    linger_s: float = 1.0
    embedded_linger_s: float = 0.2  # the gateway paces itself by what this group has committed


@dataclass
class SinkStats:
    """What a sink did since it started; another thread may read it.

    ``left_out`` are lines older than what the target keeps of them, which it did not store.
    """

    messages: int = 0
    lines: int = 0
    dead: int = 0
    batches: int = 0
    waits: int = 0
    assigned: frozenset[tuple[str, int]] = frozenset()  # partitions it has in its group
    left_out: int = 0


def run_sink(
    bootstrap: str,
    target: Target,
    *,
    stop: threading.Event,
    embedded: bool,
    on_ready: Callable[[], None] | None = None,
    stats: SinkStats | None = None,
    options: SinkOptions | None = None,
    config: Mapping[str, Any] | None = None,
    recent: Sequence[str] = (),
) -> SinkStats:
    """Move messages into ``target`` until ``stop`` is set; then finish what is at hand and commit it.

    ``config`` goes to librdkafka unchanged (TLS, SASL, a static member id). ``on_ready`` is called once,
    when partitions are assigned. ``recent`` are topics of ``topics.SUNK_RECENT`` to read beside ``topics.SUNK``; on
    the embedded broker some of their messages may be dropped unseen. The target is closed at the end.

    Raises:
        SinkError: one line for a person; :class:`GapError` when the embedded broker dropped messages.
    """
    names = (*topics.SUNK, *recent)
    sink = _Sink(
        bootstrap, target, stop, embedded, on_ready, stats or SinkStats(), options or SinkOptions(), config, names
    )
    try:
        sink.run()
    finally:
        sink.close()
    return sink.stats


class _Sink:
    def __init__(
        self,
        bootstrap: str,
        target: Target,
        stop: threading.Event,
        embedded: bool,
        on_ready: Callable[[], None] | None,
        stats: SinkStats,
        options: SinkOptions,
        config: Mapping[str, Any] | None,
        names: tuple[str, ...],
    ) -> None:
        self.bootstrap = bootstrap
        self.target = target
        self.names = names
        self.stop = stop
        self.embedded = embedded
        self.on_ready = on_ready
        self.stats = stats
        self.options = options
        self.linger = options.embedded_linger_s if embedded else options.linger_s
        self.waiting: deque[Message] = deque()  # read, not lines yet: lines of a block are some times its size
        self.batch = Batch()
        self.begun = 0.0  # when the first message of the batch came
        self.retry_at: float | None = None
        self.expected: dict[tuple[str, int], int] = {}
        self.uncommitted: dict[tuple[str, int], int] = {}
        self.commit_at = 0.0
        self.said: set[int] = set()
        self.unusable: set[str] = set()  # topics of which something was told in the log file
        self.dead = DeadLetters(bootstrap, config or {})
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": topics.SINK_GROUP,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": embedded,  # the embedded broker makes topics on first use
                "topic.metadata.refresh.interval.ms": 500 if embedded else 10_000,
                "queued.max.messages.kbytes": 16_384,  # librdkafka's 64 MB would be most of this process
                "fetch.error.backoff.ms": 100,
                "fetch.wait.max.ms": FETCH_WAIT_MS if embedded else 500,
                "session.timeout.ms": 10_000,  # blind time after a hard crash
                # A write is not over before its bad lines are found, each by a dozen requests: a slow server may
                # take longer than the 5 minutes after which Kafka would give the partitions away, again and again.
                "max.poll.interval.ms": 3_600_000,
                "log_level": 2,  # librdkafka tells each failed connection, 20 a second; error_cb has it too
                "error_cb": self._on_error,
                "on_commit": self._on_commit,
                **(config or {}),
            },
            logger=log,
        )

    def run(self) -> None:
        if self.embedded:
            self._take_all()
        else:
            self.consumer.subscribe(
                list(self.names), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
        while not self.stop.is_set():
            self.waiting.extend(self.consumer.consume(_MESSAGES_AT_ONCE, _POLL_S))  # none while the target is busy
            while self.waiting and self.retry_at is None and not self.stop.is_set():
                self._take(self.waiting.popleft())
                if self._is_full():
                    self._store()
            now = time.monotonic()
            if self.retry_at is not None:
                if now >= self.retry_at:
                    self._store()
            elif self.batch.messages and now - self.begun >= self.linger:
                self._store()
            if self.uncommitted and now >= self.commit_at:
                self._commit()
        if self.batch.messages and self.retry_at is None:
            self._store()
        self._commit()

    def _is_full(self) -> bool:
        batch, most = self.batch, self.options
        return (
            batch.lines >= most.batch_lines
            or batch.characters >= most.batch_characters
            or batch.messages >= most.batch_messages
        )

    # -- partitions

    def _take_all(self) -> None:
        wanted = [TopicPartition(t, p) for t in self.names for p in range(topics.EMBEDDED_PARTITIONS)]
        positions = [self.target.position(w.topic, w.partition) for w in wanted]
        committed: list[TopicPartition] = wanted
        while any(position is None for position in positions):
            try:
                committed = self.consumer.committed(wanted, timeout=2.0)
                break
            except KafkaException as error:
                self._say(error.args[0])
                if self.stop.wait(_POLL_S):
                    return
        for tp, position, known in zip(wanted, positions, committed, strict=True):
            tp.offset = position if position is not None else max(known.offset, 0)
            self.expected[tp.topic, tp.partition] = tp.offset
        self.consumer.assign(wanted)
        self._ready()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            position = self.target.position(tp.topic, tp.partition)
            if position is not None:
                tp.offset = position
        consumer.assign(partitions)
        consumer.resume(partitions)  # one that comes back is paused as it was when it was taken away
        self.stats.assigned = frozenset((tp.topic, tp.partition) for tp in partitions)
        self._ready()

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Not stored, not committed: whoever gets the partitions reads it again. Eager: all are revoked at once.
        if self.batch.messages:
            log.info("partitions taken away, %d messages at hand are read again", self.batch.messages)
        self.waiting.clear()
        self.batch = Batch()
        self.stats.assigned = frozenset()
        self.dead.settle()
        self.retry_at = None
        for tp in partitions:
            self.uncommitted.pop((tp.topic, tp.partition), None)

    def _ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()
            self.on_ready = None

    # -- messages

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._say(error)
            return
        origin = Origin(  # a message without an error has all four
            cast(str, message.topic()),
            cast(int, message.partition()),
            cast(int, message.offset()),
            message.timestamp()[1],
            message.key(),
        )
        if self.embedded and origin.topic not in topics.SUNK_RECENT:
            self._check_gap(origin)
        if not self.batch.messages:
            self.begun = time.monotonic()
        data = message.value()
        made: list[str] = []
        if data is not None:  # a tombstone says nothing that is not already written
            try:
                made = lines(data, origin.topic)
            except LineError as reason:
                if origin.topic not in topics.READINGS:
                    self._refuse(origin, str(reason), data)
            except Exception as error:  # one message must not end the sink again and again
                log.exception("%s cannot become lines: a defect of this program", origin.place())
                self._refuse(origin, f"defect of this program: {type(error).__name__}: {error}", data)
        self.batch.add(origin, made)

    def _refuse(self, origin: Origin, reason: str, data: bytes, line: int | None = None) -> None:
        if origin.topic not in _NEVER_DEAD:
            self.dead.put(origin, reason, data, line=line)
        elif origin.topic not in self.unusable:
            self.unusable.add(origin.topic)
            log.warning("%s cannot be written: %s; further ones are left out silently", origin.place(), reason)

    def _check_gap(self, origin: Origin) -> None:
        key = (origin.topic, origin.partition)
        expected = self.expected.get(key, 0)
        if origin.offset != expected:
            raise GapError(
                f"{origin.topic} partition {origin.partition}: offset {origin.offset} came where {expected} was due: "
                f"the embedded broker dropped what the sink had not stored yet; everything is rebuilt from the journal"
            )
        self.expected[key] = expected + 1

    # -- storing

    def _store(self) -> None:
        try:
            bad = self.target.write(self.batch, self.stop)
            for b in bad:
                self._refuse(b.origin, b.reason, b.line.encode(), b.number)
            self.dead.deliver(0.2 if self.stop.is_set() else 2.0)
        except Busy as busy:
            self.dead.forget_lines()  # the next try finds them again
            self.stats.waits += 1
            if self.retry_at is None:
                self.consumer.pause(self.consumer.assignment())
            self.retry_at = time.monotonic() + busy.delay
            return
        except Stopping:
            self.dead.forget_lines()
            return
        self.said.clear()
        self.stats.messages += self.batch.messages
        self.stats.lines += self.batch.lines - self.batch.left_out - len(bad)
        self.stats.left_out += self.batch.left_out
        self.stats.dead += self.dead.settle()
        self.stats.batches += 1
        for key, part in self.batch.parts.items():
            self.uncommitted[key] = part.next
        self.batch = Batch()
        if self.retry_at is not None:
            self.retry_at = None
            self.consumer.resume(self.consumer.assignment())
        self._commit()

    def _commit(self) -> None:
        if not self.uncommitted:
            return
        offsets = [TopicPartition(t, p, following) for (t, p), following in self.uncommitted.items()]
        self.commit_at = time.monotonic() + 1.0
        try:
            self.consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._say(error.args[0])

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        if error is not None:
            self._say(error)  # tried again within a second, or read again by whoever has the partition now
            return
        for tp in partitions:
            key = (tp.topic, tp.partition)
            if tp.error is None and self.uncommitted.get(key) == tp.offset:
                del self.uncommitted[key]

    # -- trouble

    def _on_error(self, error: KafkaError) -> None:
        self._say(error)

    def _say(self, error: KafkaError) -> None:
        """Once per kind of trouble: librdkafka repeats itself several times a second.

        Raises:
            SinkError: when waiting cannot help.
        """
        code = error.code()
        if error.fatal() or code in _FOR_A_PERSON:
            raise SinkError(f"Kafka at {self.bootstrap}: {error.str()}: check the listeners, users and rights it has")
        if code in _OF_NO_CONSEQUENCE or code in self.said:
            return
        self.said.add(code)
        log.warning("Kafka at %s: %s; going on by itself when this is over", self.bootstrap, error.str())

    def close(self) -> None:
        """Leave within about half a second, also when the broker is dead."""
        until = time.monotonic() + _LEAVE_S
        with contextlib.suppress(Exception):
            while self.uncommitted and time.monotonic() < until:
                self.consumer.poll(0.02)
        leaving = threading.Thread(target=self.consumer.close, daemon=True)
        leaving.start()
        leaving.join(_LEAVE_S)
        self.target.close()
