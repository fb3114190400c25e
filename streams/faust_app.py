"""The Faust app around a kernel, with the settings that were measured to hold (decision 0003)."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable
from typing import Any

import faust
from faust.types import TP

from streams.kernel import Kernel, KernelError

log = logging.getLogger("envstream.worker")


def make_app(
    kernel: Kernel, *, group: str, instance: str | None = None, on_ready: Callable[[], None] | None = None
) -> Any:
    """A Faust app with one agent that hands every message of the kernel's topic to it.

    Args:
        kernel: drives the judges.
        group: the consumer group, which is also the app's id.
        instance: static membership; a restarted worker with the same name is ready in 2 s instead of 10.
        on_ready: called when the partitions are recovered.
    """
    app = faust.App(
        group,
        broker=f"kafka://{kernel.bootstrap}",
        # aiokafka's own partitions only: no leader topic, no declared topics, no tables (they lose messages)
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_group_instance_id=instance,
        stream_wait_empty=False,  # True hangs for ever with held messages
        broker_session_timeout=kernel.session_s,
        broker_heartbeat_interval=kernel.session_s / 4,
        broker_commit_interval=0.3,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=4096,
        producer_linger=0,
        web_enabled=False,
        store="memory://",
        datadir=tempfile.gettempdir(),
        value_serializer="raw",
        key_serializer="raw",
    )
    readings = app.topic(kernel.topic, value_serializer="raw", key_serializer="raw", value_type=bytes)

    async def fail(error: BaseException) -> None:
        log.error("%s", error)
        await app.crash(error)

    @app.agent(readings, concurrency=1)
    async def judge(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await kernel.take(event.message)
            except Exception as error:  # noqa: BLE001 - else Faust restarts the agent, and this message is lost
                await fail(error)
                return

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        try:
            await kernel.release()
        except KernelError as error:
            await fail(error)

    @app.on_rebalance_complete.connect
    async def recovered(*_: Any, **__: Any) -> None:
        # awaited before Faust seeks: what is committed here is where it goes on
        try:
            consumer: Any = app.consumer
            kernel.consumer = consumer
            assigned = {tp.partition for tp in consumer.assignment() if tp.topic == kernel.topic}
            offsets = await kernel.recover(assigned)
            if offsets:
                await consumer._commit({TP(kernel.topic, p): offset for p, offset in offsets.items()})
            if on_ready is not None and assigned:
                on_ready()
        except KernelError as error:
            await fail(error)

    @app.task
    async def checkpoints() -> None:
        while not app.should_stop:
            kernel.beat()
            try:
                await kernel.checkpoint()
            except KernelError as error:
                await fail(error)
                return
            await asyncio.sleep(0.1)

    return app
