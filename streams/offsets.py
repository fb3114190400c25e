"""How far logs reach and how far groups have come, asked from outside: it needs no reader, and disturbs none.

A reader's own idea of where a log ends comes with what it fetches: of one that fetches nothing, because it hangs or
waits for its store, it stands still, and so would its lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

Place = tuple[str, int]
"""A topic and a partition of it."""

ANSWER_S = 2.0
"""Kafka answers such questions in milliseconds; while it is away ``/metrics`` takes so long, and health checks wait
three seconds for that."""


class OffsetsError(RuntimeError):
    """Kafka does not answer, or refuses; the text is its words."""


class Span(NamedTuple):
    """Of a partition: the first offset that is kept, and the one the next message will have."""

    low: int
    high: int


class Offsets:
    """Asks one Kafka. May be used by several threads; connects with the first question."""

    def __init__(self, bootstrap: str, config: Mapping[str, Any] | None = None, *, answer_s: float = ANSWER_S) -> None:
        """``config`` goes to librdkafka; no question takes longer than ``answer_s`` seconds."""
        self._config = {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "socket.timeout.ms": max(10, int(answer_s * 1000)),
            **(config or {}),
        }
        self._answer_s = answer_s
        self._client: AdminClient | None = None
        self._readers: dict[str, Consumer] = {}

    @property
    def admin(self) -> AdminClient:
        """The client that asks."""
        client = self._client  # another thread may give it up meanwhile
        if client is None:
            client = self._client = AdminClient(self._config)
        return client

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset the next message of each partition will have; a partition that has no leader now is left out.

        Raises:
            OffsetsError: nothing is known of any of them.
        """
        return self._list(places, OffsetSpec.latest())

    def spans(self, places: Iterable[Place]) -> dict[Place, Span]:
        """What is kept of each partition; one that has no leader now is left out.

        Raises:
            OffsetsError: nothing is known of any of them.
        """
        wanted = list(places)
        lows, highs = self._list(wanted, OffsetSpec.earliest()), self._list(wanted, OffsetSpec.latest())
        return {place: Span(lows[place], highs[place]) for place in wanted if place in lows and place in highs}

    def since(self, places: Iterable[Place], epoch_ms: int) -> dict[Place, int]:
        """The first offset of each partition whose message has that Kafka time or a later one; -1 where none has.

        Raises:
            OffsetsError: nothing is known of any of them.
        """
        return self._list(places, OffsetSpec.for_timestamp(epoch_ms))

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Where a group goes on, of those partitions it has committed an offset of.

        Raises:
            OffsetsError: Kafka does not answer.
        """
        wanted = [TopicPartition(topic, number) for topic, number in places]
        if not wanted:
            return {}
        try:
            found = self._reader(group).committed(wanted, timeout=self._answer_s)
        except KafkaException as error:
            raise OffsetsError(error.args[0].str()) from None
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.error is None and tp.offset >= 0}

    def _reader(self, group: str) -> Consumer:
        """One that asks in the name of a group and never joins it.

        Not the admin client: Kafka that goes away while its question of a group is under way ends the whole process
        (librdkafka 2.16, its issues 3663 and 4605).
        """
        reader = self._readers.get(group)
        if reader is None:
            config = {**self._config, "group.id": group, "enable.auto.commit": False}
            reader = self._readers.setdefault(group, Consumer(config))
        return reader

    def _list(self, places: Iterable[Place], spec: OffsetSpec) -> dict[Place, int]:
        wanted = {TopicPartition(topic, number): spec for topic, number in places}
        fresh = self._client is None
        found, words = self._list_once(wanted)
        if words and not fresh:
            # It keeps the leaders it learned, for minutes: after a restart of Kafka every answer of it was "Leader
            # epoch is older than broker epoch" (librdkafka 2.16, measured). Another one asks for them.
            self._client = None
            again, words = self._list_once(wanted)
            found |= again
        if words:
            self._client = None
        if wanted and not found:
            raise OffsetsError(words)
        return found

    def _list_once(self, wanted: dict[TopicPartition, OffsetSpec]) -> tuple[dict[Place, int], str]:
        """What was answered, and the words of what was not."""
        found, words = {}, ""
        for place, future in (
            self.admin.list_offsets(wanted, request_timeout=self._answer_s) if wanted else {}
        ).items():
            try:
                found[place.topic, place.partition] = int(self._result(future).offset)
            except OffsetsError as error:
                words = str(error)
        return found, words

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result(self._answer_s + 1.0)
        except KafkaException as error:
            raise OffsetsError(error.args[0].str()) from None
        except TimeoutError:
            raise OffsetsError("no answer") from None
