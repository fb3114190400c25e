"""What a person on call asks of a gateway or an ingest, for Prometheus."""

from __future__ import annotations

import collections
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from streams.intake import ALIVE, Arrival, Intake
from streams.part_metrics import new_registry

LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_OF_PACKETS = ("unlisted", "password", "crc", "length", "cut off", "header", "sealed", "DataTime")
_OF_INGEST = ("not JSON", "field", "value", "unit", "time", "size", "line", "file")
_CLASSES = frozenset(("ok", "kept", "dialogue", *_OF_PACKETS, *_OF_INGEST))


def verdict_class(verdict: str) -> str:
    """The word before the colon, of a closed set: labels must not grow with what strangers send."""
    word = verdict.partition(":")[0].partition(" ")[0] if verdict.startswith("DataTime") else verdict.partition(":")[0]
    return word if word in _CLASSES else "other"


class Metrics:
    """Counters of one process (:mod:`streams.health` tells them)."""

    def __init__(self) -> None:
        r = self.registry = new_registry()
        self.packets = Counter("envstream_packets", "Arrivals in the log, by verdict", ["verdict"], registry=r)
        self.dead = Counter("envstream_dead", "Dead letters written", registry=r)
        self.bytes = Counter("envstream_bytes", "Bytes of arrivals in the log", registry=r)
        self.answers = Counter("envstream_answers", "Answers sent, by CN", ["cn"], registry=r)
        self.latency = Histogram(
            "envstream_acknowledged_seconds",
            "From receipt until Kafka has acknowledged",
            buckets=LATENCY_S,
            registry=r,
        )
        self.joined = Counter("envstream_resends_joined", "Resends of a packet still being written", registry=r)
        self.refused = Counter("envstream_connections_refused", "Connections not admitted", ["reason"], registry=r)
        self.closed = Counter("envstream_connections_closed", "Connections closed by us", ["reason"], registry=r)
        self.accepted = Counter("envstream_connections_accepted", "Connections admitted", registry=r)
        self.requests = Counter(
            "envstream_requests", "Requests to loggers (backfill, commands), by how they ended", ["outcome"], registry=r
        )
        self.posts = Counter("envstream_ingest", "Deliveries to ingest, by way", ["way", "result"], registry=r)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge that is asked for its value when somebody looks."""
        Gauge(name, what, registry=self.registry).set_function(value)

    def written(self, batch: list[Arrival]) -> None:
        """Count arrivals that are in the log now."""
        for verdict, count in collections.Counter(verdict_class(a.verdict) for a in batch).items():
            self.packets.labels(verdict).inc(count)
        self.bytes.inc(sum(len(a.raw) for a in batch))
        self.dead.inc(sum(a.verdict not in ALIVE for a in batch))

    def watch_intake(self, intake: Intake) -> None:
        """What is at hand and not yet written, and whether more is taken."""
        self.watch("envstream_waiting", "Arrivals not yet written", lambda: intake.waiting)
        self.watch("envstream_reading_paused", "1 while nothing more is taken", lambda: float(intake.full))
        self.watch("envstream_clock_held", "1 while the wall clock is not believed", lambda: float(intake.clock.held))
