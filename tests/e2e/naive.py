"""What everybody would write first: a Faust Table and ``+= 1``. ``test_chaos.py`` shows that a kill breaks it.

The agent counts the packets of each source and sums their values. Undisturbed it is right,
its table has a changelog, and it is restarted with static membership like the worker.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from typing import Any

import faust

from schemas import blocks, topics

GROUP = "naive"
OUTPUT = "naive-totals"


def make_app(bootstrap: str, partitions: int, session_s: float) -> Any:
    app = faust.App(
        GROUP, broker=f"kafka://{bootstrap}", store="memory://", datadir=tempfile.mkdtemp(), web_enabled=False,
        topic_disable_leader=True, topic_partitions=partitions, consumer_group_instance_id="one",
        consumer_auto_offset_reset="earliest", broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 4,
    )  # fmt: skip
    readings = app.topic(topics.READINGS_AIR, value_type=bytes, value_serializer="raw", key_serializer="raw")
    totals = app.topic(OUTPUT, value_serializer="raw", key_serializer="raw", partitions=partitions)
    packets = app.Table("packets", default=int, partitions=partitions)
    sums = app.Table("sums", default=int, partitions=partitions)

    @app.agent(readings)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            block = blocks.decode(event.value)
            if not isinstance(block, blocks.Block):
                continue
            begin = 0
            for source, readings in zip(block.source, block.counts, strict=True):
                name = block.sources[source]
                packets[name] += 1
                sums[name] += sum(block.values[begin : begin + readings])
                begin += readings
            for name in block.sources:
                said = json.dumps({"packets": packets[name], "sum": sums[name]}).encode()
                await totals.send(key=name.encode(), value=said, partition=event.message.partition)

    @app.task
    async def ready() -> None:
        print(json.dumps({"ready": "naive"}), flush=True)

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--session", type=float, default=6)
    given = parser.parse_args()
    sys.argv = sys.argv[:1]
    app = make_app(given.bootstrap, given.partitions, given.session)
    faust.Worker(
        app, loglevel="ERROR", quiet=True, redirect_stdouts=False, override_logging=False
    ).execute_from_commandline()


if __name__ == "__main__":
    main()
