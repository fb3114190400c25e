"""The Faust app around the kernels, with the settings that were measured to hold (decision 0003)."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.embedded_broker import FETCH_WAIT_MS
from streams.state.kernel import Kernel, KernelError

log = logging.getLogger("envstream.worker")

FAREWELL_S = 5.0
"""What the end of a worker that cannot go on may take."""
EXIT_RESTART = 70
"""Exit code then: as of the fence, it is to be started again."""


def _end(error: BaseException) -> None:
    """The reason once more: behind what Faust said of its own ending, it is the last line."""
    log.error("%s: ending with exit code %d, to be started again", error, EXIT_RESTART)
    os._exit(EXIT_RESTART)


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust fixes it at 1.5 s, and has no setting for it
        return consumer


class _Consumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _EmbeddedTransport(driver.Transport):  # type: ignore[misc]
    """For the embedded broker, which holds every answer back for the whole wait, also when something arrives.

    One fetch at a time is under way, so the worker would stand idle for half of a replay. Not for Kafka: with the short
    wait a worker missed messages after a rebalance, and ended by its gap check; here there is one worker, and none.
    """

    Consumer = _Consumer


def make_app(
    kernels: Sequence[Kernel],
    *,
    group: str,
    instance: str | None = None,
    embedded: bool = False,
    on_ready: Callable[[], None] | None = None,
) -> Any:
    """A Faust app with one agent per kernel, that hands it every message of its topic.

    Args:
        kernels: drive the judges, each of a topic of its own; all of one broker and session.
        group: the consumer group, which is also the app's id.
        instance: static membership; a restarted worker with the same name is ready in 2 s instead of 10.
        embedded: the broker is the embedded one.
        on_ready: called when the partitions are recovered.
    """
    first = kernels[0]
    app = faust.App(
        group,
        broker=f"kafka://{first.bootstrap}",
        # aiokafka's own partitions only: no leader topic, no declared topics, no tables (they lose messages)
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_group_instance_id=instance,
        stream_wait_empty=False,  # True hangs for ever with held messages
        broker_session_timeout=first.session_s,
        broker_heartbeat_interval=first.session_s / 4,
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
    if embedded:
        app.transport = _EmbeddedTransport(app.conf.broker_consumer, app)

    async def fail(error: BaseException) -> None:
        log.error("%s", error)
        # Without a broker Faust takes a minute to end; whoever restarts the worker should not wait for that.
        end = threading.Timer(FAREWELL_S, _end, (error,))
        end.daemon = True
        end.start()
        await app.crash(error)

    def agent_of(kernel: Kernel) -> None:
        readings = app.topic(kernel.topic, value_serializer="raw", key_serializer="raw", value_type=bytes)

        @app.agent(readings, concurrency=1, name=f"judge-{kernel.topic}")
        async def judge(stream: Any) -> None:
            async for event in stream.noack().events():
                try:
                    await kernel.take(event.message)
                except Exception as error:  # noqa: BLE001 - else Faust restarts the agent, and this message is lost
                    await fail(error)
                    return

    for each in kernels:
        agent_of(each)

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        try:
            for kernel in kernels:
                await kernel.release()
        except KernelError as error:
            await fail(error)

    @app.on_rebalance_complete.connect
    async def recovered(*_: Any, **__: Any) -> None:
        # awaited before Faust seeks: what is committed here is where it goes on
        try:
            consumer: Any = app.consumer
            assignment = consumer.assignment()
            offsets: dict[TP, int] = {}
            for kernel in kernels:
                kernel.consumer = consumer
                found = await kernel.recover({tp.partition for tp in assignment if tp.topic == kernel.topic})
                offsets |= {TP(kernel.topic, p): offset for p, offset in found.items()}
            for kernel in kernels:
                kernel.begin_to_beat()
            if offsets:
                await consumer._commit(offsets)
            if on_ready is not None and assignment:
                on_ready()
        except KernelError as error:
            await fail(error)

    @app.task
    async def checkpoints() -> None:
        while not app.should_stop:
            for kernel in kernels:
                kernel.beat()
            try:
                for kernel in kernels:
                    await kernel.checkpoint_if_due()
            except KernelError as error:
                await fail(error)
                return
            await asyncio.sleep(0.1)

    return app
