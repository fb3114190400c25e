"""The embedded broker: librdkafka's own, inside confluent-kafka, in a process of its own.

In memory, for one worker, about 5 MB kept per partition and the oldest dropped without a word
(measured); so it lives from the writer's journal and is never the only place where anything is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from confluent_kafka import Producer

from schemas import topics

FETCH_WAIT_MS = 100
"""``fetch.wait.max.ms`` of its readers: it holds an answer back for the whole of it, also when something arrives."""


class EmbeddedBroker:
    """A broker on a loopback port, alive as long as this object."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "log_level": 3, "log.queue": False})
        metadata = self._producer.list_topics(timeout=10)
        broker = next(iter(metadata.brokers.values()))
        self.bootstrap = f"{broker.host}:{broker.port}"
        # Topics appear on first use; made here so that no part meets an unknown one.
        for topic in topics.TOPICS:
            self._producer.list_topics(topic.name, timeout=10)


def run(stop: threading.Event, ready: Callable[[str], None]) -> None:
    """Serve until ``stop`` is set; ``ready`` is told the bootstrap address."""
    broker = EmbeddedBroker()
    ready(broker.bootstrap)
    stop.wait()
    del broker
