"""A part says how it fares: every half minute its own numbers go to the topic ``health``, for the bureau's wall.

A thread of its own, with a producer of its own. It never holds the part up and never ends it: what Kafka does not take
in half a minute is forgotten, and the next message says it anew.
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, Producer
from prometheus_client import CollectorRegistry

from schemas import topics
from schemas.health import HEALTH, NOTHING_IN_PARTICULAR, Health, Sample
from schemas.messages import encode
from streams.part_metrics import serve

log = logging.getLogger("envstream.health")

EVERY_S = 30.0
_ANSWER_S = 2.0


def samples(registry: CollectorRegistry) -> list[Sample]:
    """The numbers of :data:`schemas.health.HEALTH` that a registry has now, in the order they stand there."""
    values: dict[str, list[tuple[dict[str, str], float]]] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            values.setdefault(sample.name, []).append((sample.labels, sample.value))
    found = []
    for name, number in HEALTH.items():
        by_about: dict[str, list[float]] = {}
        for labels, value in values.get(number.metric, ()):
            if math.isfinite(value):
                by_about.setdefault(labels.get(number.about) or NOTHING_IN_PARTICULAR, []).append(value)
        found += [Sample(name, about, (max if number.worst else sum)(all_)) for about, all_ in sorted(by_about.items())]
    return found


class HealthReport:
    """Sends the first message at once, then one every ``every_s`` seconds, until it is closed."""

    def __init__(
        self, part: str, instance: str, registry: CollectorRegistry, bootstrap: str, *, every_s: float = EVERY_S
    ) -> None:
        self._part, self._instance, self._registry = part, instance, registry
        self._bootstrap, self._every_s = bootstrap, every_s
        self._partitions = 0
        self._said = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say no more; does not wait for Kafka."""
        self._stop.set()

    def _run(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "queue.buffering.max.messages": 10,
                "message.timeout.ms": int(self._every_s * 1000),
                "log_level": 0,
                "error_cb": self._on_error,
            }
        )
        while not self._stop.is_set():
            try:
                self._report(producer)
                producer.poll(0)
            except Exception as error:  # noqa: BLE001 - a part must not notice
                self._say(str(error))
            self._stop.wait(self._every_s)
        producer.purge()

    def _report(self, producer: Producer) -> None:
        if not self._partitions:
            there = producer.list_topics(timeout=_ANSWER_S).topics.get(topics.HEALTH)
            if there is None or not there.partitions:
                self._say(f"there is no topic {topics.HEALTH}: run envstream init")
                return
            self._partitions = len(there.partitions)
        at = time.time_ns() // 1_000_000
        message = Health(self._part, self._instance, at, samples(self._registry))
        key = f"{self._part}|{self._instance}"
        number = topics.partition_of(key, self._partitions)
        with contextlib.suppress(BufferError):  # Kafka takes nothing; what waits is as good as this
            producer.produce(topics.HEALTH, encode(message), key.encode(), number, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is None:
            self._said = False

    def _on_error(self, error: KafkaError) -> None:
        self._say(error.str())

    def _say(self, words: str) -> None:
        """Once until it works again."""
        if not self._said:
            self._said = True
            log.warning("health is not said in the log of %s for now: %s", self._bootstrap, words)


@contextlib.contextmanager
def telling(
    part: str,
    registry: CollectorRegistry,
    *,
    metrics: tuple[str, int] | None,
    bootstrap: str | None,
    instance: str | None = None,
) -> Iterator[int | None]:
    """While inside, a part says how it fares: ``/metrics`` where it was asked for, and the log; the port or None.

    Args:
        part: one of :data:`schemas.health.PARTS`.
        registry: its numbers.
        metrics: address and port for Prometheus; None for none.
        bootstrap: the Kafka whose log is told; None on the embedded broker, where nobody reads it.
        instance: tells running copies of a part apart; the name of the machine unless given.

    Raises:
        PortBusy: the port cannot be had.
    """
    port = serve(registry, *metrics) if metrics is not None else None
    report = (
        HealthReport(part, instance or socket.gethostname(), registry, bootstrap) if bootstrap is not None else None
    )
    try:
        yield port
    finally:
        if report is not None:
            report.close()
