"""The embedded broker (librdkafka's own) for tests of consumers: real protocol, real offsets, in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import topics
from streams.sink import SinkOptions, SinkStats, run_sink
from streams.target import Target


class Broker:
    """Lives as long as this object."""

    def __init__(self) -> None:
        self._broker: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        node = next(iter(self._broker.list_topics(timeout=5).brokers.values()))
        self.bootstrap = f"{node.host}:{node.port}"
        self._producer: Producer | None = Producer(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "linger.ms": 0}
        )

    def send(self, messages: Iterable[tuple[str, bytes | None, bytes | None]], partition: int = 0) -> None:
        """Append ``(topic, key, value)`` to one partition and wait until the broker has them."""
        assert self._producer is not None, "the broker has ended"
        for topic, key, value in messages:
            self._producer.produce(topic, value, key, partition=partition)
            self._producer.poll(0)
        assert self._producer.flush(10) == 0

    def committed(self, topic: str, partition: int = 0) -> int:
        """What the sink has committed; -1001 for nothing."""
        return committed(self.bootstrap, topic, partition)

    def close(self) -> None:
        """End the broker."""
        self._producer = self._broker = None


def committed(bootstrap: str, topic: str, partition: int = 0) -> int:
    """Offset the sink's group has committed."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topics.SINK_GROUP, "log_level": 0})
    try:
        return int(consumer.committed([TopicPartition(topic, partition)], timeout=5)[0].offset)
    finally:
        consumer.close()


def read(bootstrap: str, topic: str, count: int, timeout: float = 5.0) -> list[Any]:
    """The first ``count`` messages of a topic, or fewer when they do not come in time."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test", "log_level": 0, "auto.offset.reset": "earliest",
         "allow.auto.create.topics": True, "topic.metadata.refresh.interval.ms": 200}
    )  # fmt: skip
    partitions = range(topics.EMBEDDED_PARTITIONS)
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    got: list[Any] = []
    until = time.monotonic() + timeout
    while len(got) < count and time.monotonic() < until:
        got += [m for m in consumer.consume(100, 0.1) if m.error() is None]
    consumer.close()
    return got


class RunningSink:
    """A sink in a thread; ``end()`` stops it and returns what it raised."""

    def __init__(
        self, bootstrap: str, target: Target, *, embedded: bool = True, recent: tuple[str, ...] = (), **options: Any
    ) -> None:
        self._recent = recent
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.stats = SinkStats()
        self.error: BaseException | None = None
        self._arguments = (bootstrap, target, embedded, SinkOptions(**options))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        bootstrap, target, embedded, options = self._arguments
        try:
            run_sink(
                bootstrap, target, stop=self.stop, embedded=embedded, on_ready=self.ready.set, stats=self.stats,
                options=options, config={"topic.metadata.refresh.interval.ms": 300}, recent=self._recent,
            )  # fmt: skip
        except BaseException as error:  # the test looks at it
            self.error = error

    def ended(self, timeout: float) -> bool:
        """Whether it ended by itself in that time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def end(self) -> float:
        """Stop it; returns the seconds that took."""
        begin = time.monotonic()
        self.stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive(), "the sink did not stop"
        return time.monotonic() - begin


def wait_for(what: Callable[[], bool], timeout: float = 10.0) -> None:
    """Until it is true."""
    until = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
