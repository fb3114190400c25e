"""Readings from the Kafka topic ``ingest``: an offset is committed when what it became is acknowledged.

A crash between the two reads messages again; that changes nothing that is judged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas import topics
from streams.ingest import MOST_READINGS, Ingest, Refused, split
from streams.intake import Arrival

log = logging.getLogger("envstream.ingest.topic")

WAY = "topic"
MESSAGES_AT_ONCE = 500
POLL_S = 0.2

_FOR_A_PERSON = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._AUTHENTICATION,
)


class IngestTopicError(RuntimeError):
    """The topic cannot be read; the text is one line with the cure."""


class IngestTopic:
    """Reads the topic as one of the group ``envstream-ingest``.

    Attributes:
        assigned: the partitions that it has; another thread may read it.
    """

    def __init__(self, ingest: Ingest, bootstrap: str) -> None:
        self._ingest = ingest
        self._bootstrap = bootstrap
        self.assigned: frozenset[tuple[str, int]] = frozenset()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": topics.INGEST_GROUP,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 10_000,  # blind time after a hard crash
                "log_level": 0,
            }
        )

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            IngestTopicError: no such topic, or no right to read it.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "ingest-topic") as thread:
            try:
                self._consumer.subscribe(
                    [topics.INGEST], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
                )
                while True:
                    await self._ingest.room()
                    messages = await loop.run_in_executor(thread, self._consumer.consume, MESSAGES_AT_ONCE, POLL_S)
                    good = [message for message in messages if self._good(message)]
                    # Partitions are given up inside consume() alone: these are ours until they are committed.
                    await self._put_all(good)
                    if good:
                        await loop.run_in_executor(thread, self._commit, good)
            finally:
                await loop.run_in_executor(thread, self._consumer.close)

    # Eager: all partitions come at once and go at once.

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.assigned = frozenset((tp.topic, tp.partition) for tp in partitions)

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.assigned = frozenset()

    async def _put_all(self, messages: Sequence[Message]) -> None:
        """Return when the log has what they became; never much more of it in memory than one message may hold."""
        gathered: list[Arrival] = []
        for message in messages:
            gathered += await self._arrivals(message)
            if len(gathered) >= MOST_READINGS:
                await self._ingest.put(WAY, gathered)
                await self._ingest.room()
                gathered = []
        await self._ingest.put(WAY, gathered)

    def _good(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in _FOR_A_PERSON:
            raise IngestTopicError(
                f"broker {self._bootstrap}: topic {topics.INGEST}: {error.str()}: run envstream init, or look at rights"
            )
        log.info("%s", error.str())  # librdkafka goes on by itself
        return False

    async def _arrivals(self, message: Message) -> list[Arrival]:
        peer = f"{message.topic()}/{message.partition()}/{message.offset()}"
        value = message.value() or b""
        try:
            readings = split(value)
        except Refused as error:
            return self._ingest.refused(value, peer, str(error))
        if readings is None:
            return self._ingest.refused(value or b" ", peer, "not JSON: no object and no list")
        return [arrival for taken in await self._ingest.messages(readings, peer) for arrival in taken]

    def _commit(self, messages: Sequence[Message]) -> None:
        after: dict[int, int] = {}
        for message in messages:
            after[message.partition() or 0] = (message.offset() or 0) + 1
        offsets = [TopicPartition(topics.INGEST, partition, offset) for partition, offset in after.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:  # given to another meanwhile, or Kafka is away
            log.warning("offsets not committed: %s: what they stand for is read again", error.args[0].str())
