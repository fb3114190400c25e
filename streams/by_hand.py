"""Consumers that read by themselves: partitions assigned by hand, no group to join, nothing to share or to wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer

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
