"""What every running part serves as ``/metrics``: the process, how far behind it is, and numbers of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.offsets import Offsets, OffsetsError, Place
from streams.ports import PortBusy


def new_registry() -> CollectorRegistry:
    """A registry of one part, with memory, CPU time and start of its process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def serve(registry: CollectorRegistry, host: str, port: int) -> int:
    """Serve ``/metrics`` in threads of its own; the port.

    Raises:
        PortBusy: the port cannot be had.
    """
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise PortBusy(f"metrics on {host}:{port}: {error.strerror}: give another --metrics") from None
    found: int = server.server_port
    return found


class Lag(Collector):
    """``envstream_lag{topic,partition}``: messages a part has not taken yet, by what Kafka says when somebody looks.

    While Kafka does not answer there is none: better than an old one.
    """

    def __init__(self, offsets: Offsets, taken: Callable[[], Mapping[Place, int]]) -> None:
        """Watch a part.

        Args:
            offsets: asks Kafka.
            taken: the offset to take next of each partition the part has; it may ask Kafka and raise OffsetsError.
        """
        self._offsets, self._taken = offsets, taken

    def describe(self) -> Iterable[Metric]:
        """Its name, without asking."""
        return (_lag(),)

    def collect(self) -> Iterable[Metric]:
        """Ask."""
        lag = _lag()
        try:
            taken = self._taken()
            for place, span in sorted(self._offsets.spans(taken).items()):
                lag.add_metric([place[0], str(place[1])], max(span.high - max(taken[place], span.low), 0))
        except OffsetsError:
            return (_lag(),)
        return (lag,)


def _lag() -> GaugeMetricFamily:
    return GaugeMetricFamily("envstream_lag", "Messages not taken yet", labels=["topic", "partition"])


def of_group(offsets: Offsets, group: str, assigned: Callable[[], Iterable[Place]]) -> Callable[[], dict[Place, int]]:
    """What a member of a group has taken: what the group has committed of the partitions that it has."""

    def taken() -> dict[Place, int]:
        places = list(assigned())
        return dict.fromkeys(places, 0) | offsets.committed(group, places)

    return taken
