"""Consumers that read by themselves: partitions assigned by hand, no group to join, nothing to share or to wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.embedded_broker import FETCH_WAIT_MS


def consumer(bootstrap: str, group: str, *, embedded: bool = False, more: Mapping[str, Any] | None = None) -> Consumer:
    """A consumer without a subscription.

    Args:
        bootstrap: the broker.
        group: under whose name what was read may be committed.
        embedded: the broker is the embedded one: topics appear on first use, and a fetch that waits is not woken.
        more: settings of librdkafka; they win.
    """
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }
    if embedded:
        config |= {
            "allow.auto.create.topics": True,
            "topic.metadata.refresh.interval.ms": 500,
            "fetch.error.backoff.ms": 100,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
        }
    return Consumer(config | dict(more or {}))


class Gaps:
    """Offsets of partitions that have none left out; the embedded broker drops the oldest without a word."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def dropped(self, topic: str, partition: int, offset: int) -> str:
        """What is missing in front of a message, for people; "" when nothing is."""
        due = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        return (
            f"{topic}/{partition}: the embedded broker dropped messages {due} to {offset - 1}" if offset > due else ""
        )


def to_the_end(bootstrap: str, places: list[TopicPartition], patience_s: float = 10.0) -> Iterator[Message]:
    """Every message from these places (each with its offset) to where the log ends now.

    Raises:
        KafkaException: the broker refuses, or says nothing for ``patience_s``.
    """
    reader = consumer(bootstrap, "envstream-log-reader", more={"enable.partition.eof": True})
    try:
        reader.assign(places)
        ends: set[tuple[str, int]] = set()
        while len(ends) < len(places):
            message = reader.poll(patience_s)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer in {patience_s:.0f} s"))
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ends.add((message.topic(), message.partition()))
            elif not error.retriable():
                raise KafkaException(error)
    finally:
        reader.close()


def partitions_of(bootstrap: str, topic: str, patience_s: float = 10.0) -> list[int]:
    """Numbers of a topic's partitions; none where there is no such topic.

    Raises:
        KafkaException: no broker answers.
    """
    reader = consumer(bootstrap, "envstream-log-reader")
    try:
        return sorted(reader.list_topics(topic, timeout=patience_s).topics[topic].partitions)
    finally:
        reader.close()
