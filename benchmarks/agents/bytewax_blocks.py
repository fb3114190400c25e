"""Bytewax on blocks, keyed by partition; the open hour of all its stations is one state in numpy.

Set here: batches of 20 blocks (60 000 readings); recovery as in ``bytewax_readings``.
"""

from __future__ import annotations

from collections.abc import Iterable

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic

from benchmarks.agents import arithmetic, told
from schemas import blocks


def decode(messages: list[KafkaSourceMessage]) -> Iterable[tuple[str, blocks.Block]]:
    """Blocks of a batch by partition."""
    told.ready()
    found = [(str(message.partition), blocks.decode(message.value)) for message in messages]
    return [(partition, block) for partition, block in found if isinstance(block, blocks.Block)]


class Partition(StatefulBatchLogic):
    """The open hour of a partition's stations."""

    def __init__(self, kept: arithmetic.Sums | None) -> None:
        self.open = arithmetic.SummedHour(kept)

    def on_batch(self, values: list[blocks.Block]) -> tuple[Iterable[tuple[str, bytes]], bool]:
        """Add blocks; what is published because hours are over."""
        return [message for block in values for message in self.open.take(block)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> arithmetic.Sums:
        """The state; bytes of arrays, copied."""
        return self.open.kept()


flow = Dataflow("hours_of_blocks")
source = op.input("in", flow, KafkaSource([told.BOOTSTRAP], [told.INPUT], batch_size=20))
hours = op.stateful_batch("hour", op.flat_map_batch("decode", source, decode), Partition)
messages = op.map("message", hours, lambda pair: KafkaSinkMessage(pair[1][0].encode(), pair[1][1]))
op.output("out", messages, KafkaSink([told.BOOTSTRAP], told.OUTPUT))
