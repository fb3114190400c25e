"""Follows what others write: hours that sources owe (``conditions``), and registries put into the log elsewhere."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from schemas import topics

log = logging.getLogger("envstream.follower")

BACK_MS = 3 * 86_400_000
"""How far back a starting gateway looks for hours still owed."""


class LogFollower:
    """A thread that reads ``conditions`` from some days ago and ``registry`` from now on.

    Every gateway reads all of it, without a consumer group: a logger may be connected to any gateway, and only the one
    it is connected to can ask it. ``heard(topic, value)`` is called in the event loop.
    """

    def __init__(
        self,
        bootstrap: str,
        partitions: int,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[str, bytes], None],
        conditions_from_ms: int | None,
    ) -> None:
        """Begin to read.

        Args:
            bootstrap: the broker.
            partitions: of every topic.
            loop: in which ``heard`` is called.
            heard: told each message.
            conditions_from_ms: since when; None for the beginning (the embedded broker cannot seek a time).
        """
        self._bootstrap, self._partitions = bootstrap, partitions
        self._loop, self._heard, self._from_ms = loop, heard, conditions_from_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "envstream-gateway-follower",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        try:
            while not self._stop.is_set():
                try:
                    consumer.assign(self._begin(consumer))
                    self._read(consumer)
                except KafkaException as error:
                    log.debug("follower: %s", error)
                    self._stop.wait(1.0)
        finally:
            consumer.close()

    def _begin(self, consumer: Consumer) -> list[TopicPartition]:
        registry = TopicPartition(topics.REGISTRY, 0, OFFSET_END)
        if self._from_ms is None:
            conditions = [TopicPartition(topics.CONDITIONS, p, OFFSET_BEGINNING) for p in range(self._partitions)]
            return [registry, *conditions]
        asked = [TopicPartition(topics.CONDITIONS, p, self._from_ms) for p in range(self._partitions)]
        found = list(consumer.offsets_for_times(asked, timeout=10))
        for place in found:
            if place.error is not None or place.offset < 0:
                place.offset = OFFSET_END
        return [registry, *found]

    def _read(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                self._loop.call_soon_threadsafe(self._heard, message.topic(), message.value() or b"")
