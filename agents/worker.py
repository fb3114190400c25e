"""The worker: one Faust app around the kernel, with the air judge in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, Producer

from agents.air import AirJudge
from schemas import topics
from streams.faust_app import make_app
from streams.kernel import Kernel

log = logging.getLogger("envstream.worker")

PATIENCE_S = 120.0


class WorkerError(RuntimeError):
    """The worker cannot start; the text is one line with the cure."""


def wait_for_broker(bootstrap: str) -> None:
    """Wait in front of a broker that is not there yet; Faust would exit instead.

    Raises:
        WorkerError: nobody answers for two minutes, or the topics are not there.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    until = time.monotonic() + PATIENCE_S
    told = False
    while True:
        try:
            metadata = producer.list_topics(topics.READINGS_AIR, timeout=5)
        except KafkaException:
            if time.monotonic() > until:
                raise WorkerError(f"broker {bootstrap} does not answer: is Kafka up?") from None
            if not told:
                log.warning("waiting for the broker %s", bootstrap)
                told = True
            continue
        if metadata.topics[topics.READINGS_AIR].error is None:
            return
        if time.monotonic() > until:
            raise WorkerError(f"broker {bootstrap} has no topic {topics.READINGS_AIR}: run envstream init first")
        time.sleep(0.5)


def run_worker(
    *,
    bootstrap: str,
    instance: str | None,
    session_s: float,
    embedded: bool,
    log_level: str,
    on_ready: Callable[[], None],
) -> int:
    """Judge until SIGTERM; the exit code.

    Raises:
        WorkerError: no broker, no topics.
    """
    wait_for_broker(bootstrap)
    import faust

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    kernel = Kernel(
        bootstrap=bootstrap,
        topic=topics.READINGS_AIR,
        state_topic=None if embedded else topics.STATE_AIR,
        make_judge=AirJudge,
        session_s=session_s,
    )
    app = make_app(kernel, group=topics.AIR_GROUP, instance=instance, on_ready=on_ready)
    worker = faust.Worker(app, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False, loop=loop)
    for name in ("aiokafka", "kafka", "faust", "mode"):  # while a broker is away they log thousands of lines a second
        logging.getLogger(name).setLevel(logging.ERROR if log_level != "debug" else logging.INFO)
    try:
        return _run(worker)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _run(worker: Any) -> int:
    worker.execute_from_commandline()
    return 0
