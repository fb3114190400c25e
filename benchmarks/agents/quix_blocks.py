"""Quix Streams on blocks, keyed by the group of the partition; the open hour of all its stations is one state row.

A block is decoded with msgspec and added up with numpy, as by the others; the row is bytes, so that nothing is
converted to JSON and back. Settings as in ``quix_readings``.
"""

from __future__ import annotations

import msgspec
from quixstreams import State

from benchmarks.agents import arithmetic, told
from benchmarks.agents.quix_readings import application
from schemas import blocks

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(arithmetic.Sums).decode


def take(data: bytes, state: State) -> list[tuple[str, bytes]]:
    """Add a block to its hour; what is published because an hour is over."""
    told.ready()
    message = blocks.decode(data)
    if not isinstance(message, blocks.Block):
        return []
    kept = state.get_bytes("hour")
    hour = arithmetic.SummedHour(None if kept is None else _unpack(kept))
    out = hour.take(message)
    state.set_bytes("hour", _pack(hour.kept()))
    return out


def main() -> None:
    """Run until killed."""
    app = application()
    readings = app.topic(told.INPUT, value_deserializer="bytes")
    hours = app.topic(told.OUTPUT, value_serializer="bytes")
    published = app.dataframe(readings).apply(take, stateful=True, expand=True)
    published.apply(lambda pair: pair[1]).to_topic(hours)
    app.run()


if __name__ == "__main__":
    main()
