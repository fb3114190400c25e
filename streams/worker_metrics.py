"""What a person on call asks of a worker: how far behind it is, how old its now is, how long checkpoints take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.state.kernel import Kernel


class _Kernels(Collector):
    def __init__(self, kernels: Sequence[Kernel], end_of: Callable[[str, int], int | None]) -> None:
        self._kernels, self._end_of = kernels, end_of

    def collect(self) -> Iterable[Metric]:
        lag = GaugeMetricFamily("envstream_lag", "Messages not yet judged", labels=["topic", "partition"])
        age = GaugeMetricFamily(
            "envstream_tick_age_seconds",
            "Wall clock minus the log's now; of a live log some seconds",
            labels=["topic", "partition"],
        )
        taken = CounterMetricFamily("envstream_judged", "Messages judged", labels=["topic"])
        count = CounterMetricFamily("envstream_checkpoints", "Checkpoints written", labels=["topic"])
        last = GaugeMetricFamily("envstream_checkpoint_seconds", "Length of the last checkpoint", labels=["topic"])
        recovery = GaugeMetricFamily("envstream_recovery_seconds", "Length of the last recovery", labels=["topic"])
        for kernel in self._kernels:
            for partition, (at, now_ms) in sorted(kernel.positions().items()):
                where = [kernel.topic, str(partition)]
                end = self._end_of(kernel.topic, partition)
                if end is not None:
                    lag.add_metric(where, max(end - at, 0))
                if now_ms is not None:
                    age.add_metric(where, time.time() - now_ms / 1000)
            taken.add_metric([kernel.topic], kernel.taken)
            count.add_metric([kernel.topic], kernel.checkpoints)
            last.add_metric([kernel.topic], kernel.checkpoint_s)
            recovery.add_metric([kernel.topic], kernel.recovered_s)
        return (lag, age, taken, count, last, recovery)


def serve_metrics(kernels: Sequence[Kernel], app: Any, address: tuple[str, int]) -> int:
    """Serve ``/metrics`` of a worker; the port.

    Raises:
        OSError: the port cannot be had.
    """
    from faust.types import TP

    def end_of(topic: str, partition: int) -> int | None:
        try:
            found = app.consumer.highwater(TP(topic, partition))
        except Exception:  # noqa: BLE001 - not assigned at this moment: nothing to say
            return None
        return None if found is None else int(found)

    registry = CollectorRegistry()
    registry.register(_Kernels(kernels, end_of))
    ProcessCollector(registry=registry)
    server, _ = start_http_server(address[1], addr=address[0], registry=registry)
    port: int = server.server_port
    return port
