"""What a person on call asks of a sink: how far behind it is, what it stored, and how often the store was busy."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas import topics
from streams.offsets import Offsets
from streams.part_metrics import Lag, new_registry, of_group
from streams.sink import SinkStats


class _Stats(Collector):
    def __init__(self, stats: SinkStats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        stats = self._stats
        for name, text, value in (
            ("messages", "Messages stored", stats.messages),
            ("lines", "Lines stored", stats.lines),
            ("batches", "Batches stored", stats.batches),
            ("waits", "Times the store was busy", stats.waits),
            ("left_out", "Lines older than the store keeps, not stored", stats.left_out),
        ):
            yield CounterMetricFamily(f"envstream_sink_{name}", text, value)
        yield CounterMetricFamily("envstream_dead", "Dead letters written", stats.dead)


def sink_registry(stats: SinkStats, offsets: Offsets) -> CollectorRegistry:
    """The numbers of a sink in the sinks' group: what is not stored it has not taken."""
    registry = new_registry()
    registry.register(_Stats(stats))
    registry.register(Lag(offsets, of_group(offsets, topics.SINK_GROUP, lambda: stats.assigned)))
    return registry
