"""The worker: one Faust app around the kernels, with a judge for each kind of source."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer

from agents.air import AirJudge
from agents.emission import EmissionJudge
from agents.water import WaterJudge
from schemas import topics
from streams.faust_app import make_app
from streams.health import telling
from streams.offsets import Offsets
from streams.ports import PortBusy
from streams.state.kernel import Kernel, MakeJudge
from streams.watchdog import Standing, Watchdog
from streams.worker_metrics import next_offsets, worker_registry

log = logging.getLogger("envstream.worker")

PATIENCE_S = 120.0
WATCHDOG_S = 120.0
"""How long consumption may stand still while there is something to take."""

JUDGES: tuple[tuple[str, str, MakeJudge], ...] = (
    (topics.READINGS_AIR, topics.STATE_AIR, AirJudge),
    (topics.READINGS_WATER, topics.STATE_WATER, WaterJudge),
    (topics.READINGS_EMISSION, topics.STATE_EMISSION, EmissionJudge),
)
"""Topic of readings, topic of state, and the judge of each kind of source."""


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
    metrics: tuple[str, int] | None = None,
    watchdog_s: float = WATCHDOG_S,
) -> int:
    """Judge until SIGTERM; the exit code.

    Args:
        bootstrap: the broker.
        instance: a name that stays the same over restarts: of the static member, and of the health that is told.
        session_s: seconds until Kafka gives the partitions of a worker that died to another.
        embedded: the broker is the embedded one: it is paced, told nothing, and not watched.
        log_level: of the program.
        on_ready: called when the partitions are recovered.
        metrics: address and port for Prometheus; None for none.
        watchdog_s: seconds after which a worker that takes nothing although it could ends with exit code 75; 0: never.

    Raises:
        WorkerError: no broker, no topics.
    """
    wait_for_broker(bootstrap)
    import faust

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    kernels = [
        Kernel(
            bootstrap=bootstrap,
            topic=topic,
            state_topic=None if embedded else state,
            make_judge=make,
            session_s=session_s,
        )
        for topic, state, make in JUDGES
    ]
    app = make_app(kernels, group=topics.AGENTS_GROUP, instance=instance, embedded=embedded, on_ready=on_ready)
    worker = faust.Worker(app, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False, loop=loop)
    worker.spinner = None  # for a terminal; into a log it writes escape codes
    for name in ("aiokafka", "kafka", "faust", "mode"):  # while a broker is away they log thousands of lines a second
        logging.getLogger(name).setLevel(logging.ERROR if log_level != "debug" else logging.INFO)
    if log_level != "debug":  # and aiokafka a hundred errors a second, of what it tries again or raises
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    offsets = Offsets(bootstrap)
    try:
        with telling(
            "worker",
            worker_registry(kernels, offsets),
            metrics=metrics,
            bootstrap=None if embedded else bootstrap,
            instance=instance,
        ):
            if watchdog_s and not embedded:
                Watchdog(watchdog_s, offsets, lambda: _standing(kernels))
            return _run(worker)
    except PortBusy as error:
        raise WorkerError(str(error)) from None
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _standing(kernels: Sequence[Kernel]) -> Standing:
    turns = {kernel.topic: kernel.turns for kernel in kernels}
    # They recover one after the other, and a recovery may take longer than anybody's patience.
    recovering = any(kernel.recovering for kernel in kernels)
    return Standing({} if recovering else next_offsets(kernels), turns)


def _run(worker: Any) -> int:
    worker.execute_from_commandline()
    return 0
