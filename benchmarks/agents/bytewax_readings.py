"""Bytewax with a message per reading: decoded by the batch, keyed by station, a batch of a station at a time.

Set here: ``batch_size`` 10 000 (default 1 000), ``flat_map_batch`` and ``stateful_batch`` instead of the operators
that call Python per item. Recovery is on; a snapshot every second, which the command line says.
"""

from __future__ import annotations

from collections.abc import Iterable

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic

from benchmarks.agents import arithmetic, told

_decode = msgspec.json.Decoder(arithmetic.Reading).decode
Kept = tuple[int, list[int], list[int]]


def decode(messages: list[KafkaSourceMessage]) -> Iterable[tuple[str, arithmetic.Reading]]:
    """Readings of a batch by station."""
    told.ready()
    readings = [_decode(message.value) for message in messages]
    return [(reading.source, reading) for reading in readings]


class Station(StatefulBatchLogic):
    """The open hour of a station."""

    def __init__(self, kept: Kept | None) -> None:
        self.open = arithmetic.ReadHour(*kept) if kept is not None else None

    def on_batch(self, values: list[arithmetic.Reading]) -> tuple[Iterable[bytes], bool]:
        """Add readings; what is published because an hour is over."""
        out = []
        for reading in values:
            hour = arithmetic.hour_of(reading.end)
            if self.open is None or self.open.hour != hour:
                if self.open is not None:
                    out.append(arithmetic.published(reading.source, self.open.hour, self.open.sums, self.open.counts))
                self.open = arithmetic.ReadHour.begin(hour)
            self.open.take(reading)
        return out, StatefulBatchLogic.RETAIN

    def snapshot(self) -> Kept:
        """The state."""
        assert self.open is not None
        return self.open.hour, list(self.open.sums), list(self.open.counts)


flow = Dataflow("hours_of_readings")
source = op.input("in", flow, KafkaSource([told.BOOTSTRAP], [told.INPUT], batch_size=10_000))
hours = op.stateful_batch("hour", op.flat_map_batch("decode", source, decode), Station)
messages = op.map("message", hours, lambda pair: KafkaSinkMessage(pair[0].encode(), pair[1]))
op.output("out", messages, KafkaSink([told.BOOTSTRAP], told.OUTPUT))
