"""Starts a gateway: recovers the log's clock and registry, writes the registry, opens the ports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas import blocks, topics
from schemas.registry import Registry
from streams.clock import VIRTUAL, WriterClock
from streams.control import Control
from streams.gateway import Gateway, _Connection
from streams.journal import Journal, JournalError, Record
from streams.ports import PortBusy, listen_on
from streams.writer import Recovered, Writer, WriterError

log = logging.getLogger("envstream.gateway")

CLOCK_KEY = b"clock"
LOCK_PATIENCE_S = 30.0
"""A gateway whose parent was killed ends by itself within half of this."""


class GatewayError(RuntimeError):
    """The gateway cannot start or go on; the text is one line with the cure."""


async def serve(
    *,
    bootstrap: str,
    registry: Registry,
    host: str,
    port: int,
    control_port: int,
    journal_folder: Path | None,
    clock: str,
    ready: Callable[[dict[str, Any]], None],
    extra_readers: tuple[Any, ...] = (),
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        bootstrap: the broker.
        registry: the checked registry; written to the log when it is not the last one there.
        host: address loggers connect to.
        port: their port; 0 for any.
        control_port: loopback port of the control connection; 0 for any.
        journal_folder: of the embedded default; None on Kafka.
        clock: ``live``, ``virtual`` or ``auto`` (whoever speaks first).
        ready: told the ports when loggers can connect.
        extra_readers: further consumer groups the embedded pacing waits for.

    Raises:
        GatewayError: with one line for a person.
    """
    try:
        journal = Journal(journal_folder, patience_s=LOCK_PATIENCE_S) if journal_folder is not None else None
        sockets = listen_on(host, port), listen_on("127.0.0.1", control_port)
    except (JournalError, PortBusy) as error:
        raise GatewayError(str(error)) from None
    name = "gw" if journal is not None else f"gw-{socket.gethostname()}-{time.time_ns() // 1_000_000:x}"
    try:
        writer = Writer(bootstrap, name=name, journal=journal, extra_readers=extra_readers)
        await _serve(writer, registry, sockets, clock, ready)
    except (WriterError, JournalError) as error:
        raise GatewayError(str(error)) from None


async def _serve(
    writer: Writer,
    registry: Registry,
    sockets: tuple[socket.socket, socket.socket],
    clock: str,
    ready: Callable[..., None],
) -> None:
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
        found, kind = await loop.run_in_executor(None, _read_log, writer.bootstrap, writer.partitions)
    kind = _agree(kind, clock)
    writer_clock = WriterClock(kind, found.now_ms)
    gateway = Gateway(writer, registry, writer_clock, first_packet=found.packets if writer.journal is not None else 0)
    if found.registry != registry.digest:
        await writer.append(_registry_records(writer, registry, writer_clock))
    if writer.journal is None and kind is not None:
        await writer.append([Record(topics.REGISTRY, 0, CLOCK_KEY, kind.encode())])
    server = await loop.create_server(lambda: _Connection(gateway), sock=sockets[0])
    control = await asyncio.start_server(Control(gateway).serve, sock=sockets[1], limit=4 * 1024 * 1024)
    ready({"port": sockets[0].getsockname()[1], "control_port": sockets[1].getsockname()[1], "log": kind})
    tasks = [asyncio.create_task(work) for work in (gateway.run(), gateway.tick(), gateway.flush_silent())]
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    server.close()
    control.close()
    for task in [*tasks, stopped]:
        task.cancel()
        if task not in done:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await loop.run_in_executor(None, writer.close)
    for task in done & set(tasks):
        task.result()  # raises what ended it


def _agree(kind: str | None, wanted: str) -> str | None:
    if wanted == "auto":
        return kind
    if kind is not None and kind != wanted:
        raise WriterError(f"this log is {kind} since its creation, not {wanted}: give a new log, or leave --clock out")
    return wanted


def _registry_records(writer: Writer, registry: Registry, clock: WriterClock) -> list[Record]:
    """The registry version for every partition; it takes effect at its offset."""
    received = clock.virtual_ms if clock.kind in (VIRTUAL, None) else clock.now_ms()
    version = blocks.RegistryVersion(writer.name, registry.digest, registry.text, received or 0)
    message = blocks.encode(version)
    records = [Record(topics.READINGS_AIR, p, None, message) for p in range(writer.partitions)]
    return [*records, Record(topics.REGISTRY, 0, b"registry", message)]


def _read_log(bootstrap: str, partitions: int) -> tuple[Recovered, str | None]:
    """What Kafka knows of earlier writers: the log's clock, its last registry, and how late it is there."""
    found, kind = Recovered(), None
    for key, value in _messages(
        bootstrap, [TopicPartition(topics.REGISTRY, p, OFFSET_BEGINNING) for p in range(partitions)]
    ):
        if key == CLOCK_KEY:
            kind = value.decode()
        elif key == b"registry":
            found.registry = msgspec.json.decode(value, type=blocks.RegistryVersion).digest
    if kind == VIRTUAL:
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "envstream-log-reader", "log_level": 0})
        tails = []
        for p in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topics.READINGS_AIR, p), timeout=10)
            if high > low:
                tails.append(TopicPartition(topics.READINGS_AIR, p, max(low, high - 100)))
        consumer.close()
        for _, value in _messages(bootstrap, tails):
            found.see(Record(topics.READINGS_AIR, 0, None, value))
    return found, kind


def _messages(bootstrap: str, places: list[TopicPartition]) -> list[tuple[bytes | None, bytes]]:
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
