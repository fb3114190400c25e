"""Starts a gateway: recovers the log's clock and registry, writes the registry, opens the ports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas import blocks, topics
from schemas.registry import Registry, parse
from streams.clock import JUMP_MS, LIVE, VIRTUAL, WriterClock
from streams.connection import Connection
from streams.control import MOST_LINE_BYTES, Control
from streams.device_secrets import DeviceSecrets, SecretsError
from streams.gateway import Gateway
from streams.gateway_metrics import Metrics
from streams.health import telling
from streams.ingest import Ingest
from streams.ingest_ways import Ways, WaysError, WaysPlan
from streams.journal import Journal, JournalError, Record
from streams.log_follower import BACK_MS, LogFollower
from streams.ports import PortBusy, listen_on
from streams.writer import Recovered, Writer, WriterError

log = logging.getLogger("envstream.gateway")

HANDSHAKE_S = 10.0
"""For TLS; until it is done a peer is counted nowhere."""
OWN_FILES = 200
"""Descriptors beside the connections: journal, broker, metrics, TLS peers that shake hands."""
LOCK_PATIENCE_S = 30.0
"""A gateway whose parent was killed ends by itself within half of this."""


class GatewayError(RuntimeError):
    """The gateway cannot start or go on; the text is one line with the cure."""


@dataclass(frozen=True)
class GatewayPlan:
    """What a gateway is told at its start.

    Attributes:
        bootstrap: the broker.
        registry: the checked registry; written to the log when it is not the last one there.
        secrets: passwords and SM4 keys of loggers.
        host: address loggers connect to.
        port: their port; 0 for any.
        control_port: loopback port of the control connection; 0 for any.
        journal_folder: of the embedded default; None on Kafka.
        clock: ``live``, ``virtual`` or ``auto`` (whoever speaks first).
        extra_readers: further consumer groups the embedded pacing waits for.
        metrics: address and port for Prometheus; None for none.
        ingest: further ways in, into the same log: only this process writes to the embedded broker.
    """

    bootstrap: str
    registry: Registry
    secrets: DeviceSecrets
    host: str
    port: int
    control_port: int
    journal_folder: Path | None = None
    clock: str = "live"
    extra_readers: tuple[Any, ...] = ()
    metrics: tuple[str, int] | None = None
    ingest: WaysPlan = field(default_factory=WaysPlan)


async def serve(plan: GatewayPlan, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the ports when loggers can connect.

    Raises:
        GatewayError: with one line for a person.
    """
    _make_room_for(plan.registry.receive.most_connections + OWN_FILES)
    try:
        for note in plan.secrets.check(plan.registry):
            log.warning("%s", note)
        folder = plan.journal_folder
        journal = Journal(folder, patience_s=LOCK_PATIENCE_S) if folder is not None else None
        ports = _listen(plan)
        ways = Ways(plan.ingest)
    except (JournalError, PortBusy, SecretsError, WaysError, OSError, ssl.SSLError) as error:
        raise GatewayError(str(error)) from None
    name = "gw" if journal is not None else f"gw-{socket.gethostname()}-{time.time_ns() // 1_000_000:x}"
    try:
        writer = Writer(plan.bootstrap, name=name, journal=journal, extra_readers=plan.extra_readers)
        await _serve(plan, writer, ports, ways, ready)
    except (WriterError, JournalError, WaysError, PortBusy) as error:
        raise GatewayError(str(error)) from None


def _make_room_for(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < files:
        log.warning("only %d files may be open: raise it with ulimit -n, or lower [receive] most_connections", wanted)


@dataclass(frozen=True)
class _Ports:
    loggers: socket.socket
    control: socket.socket
    tls: socket.socket | None
    context: ssl.SSLContext | None


def _listen(plan: GatewayPlan) -> _Ports:
    loggers, control = listen_on(plan.host, plan.port), listen_on("127.0.0.1", plan.control_port)
    tls = plan.registry.receive.tls
    if tls is None:
        return _Ports(loggers, control, None, None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.cert, tls.key)
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error
        raise GatewayError(
            f"[receive.tls]: {tls.cert}, {tls.key} {tls.client_ca or ''}: {reason}: name files that can be read"
        ) from None
    return _Ports(loggers, control, listen_on(plan.host, tls.port), context)


async def _serve(plan: GatewayPlan, writer: Writer, ports: _Ports, ways: Ways, ready: Callable[..., None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if writer.journal is not None:
        started = time.monotonic()
        found = await writer.rebuild()
        kind = writer.journal.clock
        if found.records:
            log.info("rebuilt %d records from the journal in %.1f s", found.records, time.monotonic() - started)
    else:
        found, kind = await loop.run_in_executor(None, read_log, writer.bootstrap, writer.partitions)
    kind = _agree(kind, plan.clock)
    clock = WriterClock(kind, found.now_ms)
    ahead_ms = (found.now_ms or 0) - clock.now_ms()
    if kind == LIVE and ahead_ms > JUMP_MS:
        log.error("the log is %.0f minutes ahead of the wall clock: which of them was wrong?", ahead_ms / 60_000)
    metrics = Metrics()
    gateway = Gateway(
        writer,
        plan.registry,
        clock,
        secrets=plan.secrets,
        metrics=metrics,
        first_packet=found.packets if writer.journal is not None else 0,
    )
    intake = gateway.intake
    intake.newest_ms = found.now_ms or 0
    if found.registry != plan.registry.digest:
        if found.registry is not None:
            log.warning(
                "registry: %s of --district takes the place of %s, which was in force; if that was not meant,"
                " `envstream registry apply` the other text",
                plan.registry.digest,
                found.registry,
            )
        await writer.append(intake.registry_records())
    if writer.journal is None and kind is not None:
        await writer.append([Record(topics.REGISTRY, 0, topics.CLOCK_KEY, kind.encode())])
    server = await loop.create_server(lambda: Connection(gateway), sock=ports.loggers)
    servers = [server]
    told = {"port": ports.loggers.getsockname()[1], "control_port": ports.control.getsockname()[1], "log": kind}
    if ports.tls is not None:
        tls = await loop.create_server(
            lambda: Connection(gateway), sock=ports.tls, ssl=ports.context, ssl_handshake_timeout=HANDSHAKE_S
        )
        servers.append(tls)
        told["tls_port"] = ports.tls.getsockname()[1]
    told |= await ways.start(Ingest(intake, metrics), writer.bootstrap)
    control = await asyncio.start_server(Control(gateway).serve, sock=ports.control, limit=MOST_LINE_BYTES)
    back = None if writer.journal is not None else clock.now_ms() - BACK_MS  # the embedded broker cannot seek a time
    follower = LogFollower(writer.bootstrap, writer.partitions, loop, gateway.follow, back)
    kafka = plan.bootstrap if writer.journal is None else None
    with telling("gateway", metrics.registry, metrics=plan.metrics, bootstrap=kafka) as port:
        if port is not None:
            told["metrics_port"] = port
        ready(told)
        tasks = [asyncio.create_task(work) for work in (intake.run(), intake.tick(), gateway.watch())]
        stopped = asyncio.create_task(stop.wait())
        tasks.append(asyncio.ensure_future(gateway.failure))
        done, _ = await asyncio.wait([*tasks, *ways.tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for each in (*servers, control):
            each.close()
        await ways.close()
        for task in [*tasks, stopped]:
            task.cancel()
            if task not in done:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await loop.run_in_executor(None, follower.close)
        await loop.run_in_executor(None, writer.close)
    for task in done - {stopped}:
        task.result()  # raises what ended it


def _agree(kind: str | None, wanted: str) -> str | None:
    if wanted == "auto":
        return kind
    if kind is not None and kind != wanted:
        raise WriterError(f"this log is {kind} since its creation, not {wanted}: give a new log, or leave --clock out")
    return wanted


def read_log(bootstrap: str, partitions: int) -> tuple[Recovered, str | None]:
    """What Kafka knows of earlier writers: the log's clock, its last registry, and how late it is there."""
    found, kind = Recovered(), None
    for key, value in messages_of(
        bootstrap, [TopicPartition(topics.REGISTRY, p, OFFSET_BEGINNING) for p in range(partitions)]
    ):
        if key == topics.CLOCK_KEY:
            kind = value.decode()
        elif key == topics.REGISTRY_KEY:
            found.registry = msgspec.json.decode(value, type=blocks.RegistryVersion).digest
    if kind == VIRTUAL:
        found.now_ms = newest_ms(bootstrap, partitions)
    return found, kind


def newest_ms(bootstrap: str, partitions: int) -> int | None:
    """How late it is in a log on Kafka, epoch ms, by the last messages of ``readings-*``; None for an empty one."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "envstream-log-reader", "log_level": 0})
    tails = []
    for place in (TopicPartition(topic, p) for topic in topics.READINGS for p in range(partitions)):
        low, high = consumer.get_watermark_offsets(place, timeout=10)
        if high > low:
            tails.append(TopicPartition(place.topic, place.partition, max(low, high - 100)))
    consumer.close()
    found = Recovered()
    for _, value in messages_of(bootstrap, tails):
        found.see(Record(topics.READINGS_AIR, 0, None, value))
    return found.now_ms


def registry_of(bootstrap: str) -> Registry:
    """The registry in force at the end of a log on Kafka.

    Raises:
        RegistryError: there is none, or one this version cannot read.
    """
    text = ""
    for key, value in messages_of(bootstrap, [TopicPartition(topics.REGISTRY, 0, OFFSET_BEGINNING)]):
        if key == topics.REGISTRY_KEY:
            text = msgspec.json.decode(value, type=blocks.RegistryVersion).text
    return parse(text, "registry of the log")


def messages_of(bootstrap: str, places: list[TopicPartition]) -> list[tuple[bytes | None, bytes]]:
    """Every message from these places to their ends."""
    if not places:
        return []
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "envstream-log-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    found: list[tuple[bytes | None, bytes]] = []
    try:
        consumer.assign(places)
        ends = 0
        while ends < len(places):
            message = consumer.poll(10.0)
            if message is None:
                raise WriterError(f"broker {bootstrap} does not answer: is Kafka up?")
            if message.error() is not None:
                ends += 1
            else:
                found.append((message.key(), message.value() or b""))
    finally:
        consumer.close()
    return found
