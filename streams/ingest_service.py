"""``envstream ingest``: the ways in beside a gateway, as a process of its own on Kafka; live logs only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException

from schemas import blocks, topics
from schemas.registry import Registry, RegistryError
from streams.clock import LIVE, WriterClock
from streams.gateway_metrics import Metrics
from streams.gateway_service import GatewayError, read_log, registry_of
from streams.health import telling
from streams.ingest import Ingest
from streams.ingest_topic import IngestTopicError
from streams.ingest_ways import Ways, WaysError, WaysPlan
from streams.intake import Intake
from streams.journal import Record
from streams.log_follower import LogFollower
from streams.offsets import Offsets
from streams.part_metrics import Lag, of_group
from streams.ports import PortBusy
from streams.writer import Writer, WriterError

log = logging.getLogger("envstream.ingest")


class IngestServiceError(RuntimeError):
    """Ingest cannot start or go on; the text is one line with the cure."""


@dataclass(frozen=True)
class IngestPlan:
    """What an ingest is told at its start.

    Attributes:
        bootstrap: the broker.
        registry: the checked registry of the file; what stands in the log is in force, if there is one.
        ways: which ways in.
        metrics: address and port for Prometheus; None for none.
    """

    bootstrap: str
    registry: Registry
    ways: WaysPlan
    metrics: tuple[str, int] | None = None


async def serve(plan: IngestPlan, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the ports when readings can come.

    Raises:
        IngestServiceError: with one line for a person.
    """
    try:
        ways = Ways(plan.ways)
        name = f"in-{socket.gethostname()}-{time.time_ns() // 1_000_000:x}"
        writer = Writer(plan.bootstrap, name=name, journal=None)
        await _serve(plan, ways, writer, ready)
    except (WaysError, WriterError, GatewayError, IngestTopicError, RegistryError, PortBusy) as error:
        raise IngestServiceError(str(error)) from None
    except KafkaException as error:
        raise IngestServiceError(f"broker {plan.bootstrap}: {error.args[0].str()}: is Kafka up?") from None


async def _serve(plan: IngestPlan, ways: Ways, writer: Writer, ready: Callable[[dict[str, Any]], None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    found, kind = await loop.run_in_executor(None, read_log, writer.bootstrap, writer.partitions)
    if kind not in (None, LIVE):
        raise IngestServiceError(
            f"the log of {writer.bootstrap} is {kind} since its creation: ingest writes to live logs"
        )
    metrics = Metrics()
    registry = plan.registry
    if found.registry is not None and found.registry != registry.digest:
        # A file that was left behind must not put an old registry back into force.
        registry = await loop.run_in_executor(None, registry_of, writer.bootstrap)
        log.warning(
            "in force is the registry of the log (%s), not of the file (%s): `envstream registry apply` changes it",
            registry.digest,
            plan.registry.digest,
        )
    intake = Intake(writer, registry, WriterClock(LIVE), place="ingest")
    intake.on_written = metrics.written
    metrics.watch_intake(intake)
    first = [] if found.registry is not None else intake.registry_records()
    if kind is None:
        first.append(Record(topics.REGISTRY, 0, topics.CLOCK_KEY, LIVE.encode()))
    await writer.append(first)
    follower = LogFollower(
        writer.bootstrap, writer.partitions, loop, lambda topic, value: _follow(intake, topic, value),
        intake.clock.now_ms(),
    )  # fmt: skip
    told = await ways.start(Ingest(intake, metrics), writer.bootstrap)
    if plan.ways.topic:
        offsets = Offsets(plan.bootstrap)
        metrics.registry.register(Lag(offsets, of_group(offsets, topics.INGEST_GROUP, ways.assigned)))
    with telling("ingest", metrics.registry, metrics=plan.metrics, bootstrap=plan.bootstrap) as port:
        if port is not None:
            told["metrics_port"] = port
        ready(told)
        tasks = [asyncio.create_task(work) for work in (intake.run(), intake.tick())]
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, *ways.tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in done if task is not stopped]
        await ways.close()
        for task in [*tasks, stopped]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await loop.run_in_executor(None, follower.close)
        await loop.run_in_executor(None, writer.close)
    for task in failed:
        task.result()  # raises what ended it


def _follow(intake: Intake, topic: str, value: bytes) -> None:
    """A registry that another writer put into the log."""
    if topic != topics.REGISTRY or value[:1] != b"{":
        return
    try:
        intake.adopt(blocks.decode(value))
    except (blocks.BlockError, RegistryError) as error:
        log.error("a registry in the log cannot be used: %s: upgrade this part", str(error).splitlines()[0])
