"""What a person on call asks of a worker: how far behind it is, how old its now is, how long checkpoints take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas import topics
from streams.offsets import Offsets, Place
from streams.part_metrics import Lag, new_registry
from streams.state.kernel import Kernel


class _Kernels(Collector):
    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._kernels = kernels

    def collect(self) -> Iterable[Metric]:
        age = GaugeMetricFamily(
            "envstream_tick_age_seconds",
            "Wall clock minus the log's now; of a live log some seconds",
            labels=["topic", "partition"],
        )
        taken = CounterMetricFamily("envstream_judged", "Messages judged", labels=["topic"])
        count = CounterMetricFamily("envstream_checkpoints", "Checkpoints written", labels=["topic"])
        last = GaugeMetricFamily("envstream_checkpoint_seconds", "Length of the last checkpoint", labels=["topic"])
        recovery = GaugeMetricFamily("envstream_recovery_seconds", "Length of the last recovery", labels=["topic"])
        dead = CounterMetricFamily("envstream_dead", "Dead letters written")
        for kernel in self._kernels:
            for partition, (_, now_ms) in sorted(kernel.positions().items()):
                if now_ms is not None:
                    age.add_metric([kernel.topic, str(partition)], time.time() - now_ms / 1000)
            taken.add_metric([kernel.topic], kernel.taken)
            count.add_metric([kernel.topic], kernel.checkpoints)
            last.add_metric([kernel.topic], kernel.checkpoint_s)
            recovery.add_metric([kernel.topic], kernel.recovered_s)
        dead.add_metric([], sum(kernel.sent[topics.DEAD] for kernel in self._kernels))
        return (age, taken, count, last, recovery, dead)


def next_offsets(kernels: Iterable[Kernel]) -> dict[Place, int]:
    """The offset to judge next of every assigned partition."""
    return {(kernel.topic, number): at for kernel in kernels for number, (at, _) in kernel.positions().items()}


def worker_registry(kernels: Sequence[Kernel], offsets: Offsets) -> CollectorRegistry:
    """The numbers of a worker."""
    registry = new_registry()
    registry.register(_Kernels(kernels))
    registry.register(Lag(offsets, lambda: next_offsets(kernels)))
    return registry
