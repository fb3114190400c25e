"""A gateway over real sockets, with a real journal and the embedded broker, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import blocks
from schemas.registry import Registry
from streams import journal
from streams.clock import WriterClock
from streams.connection import Connection
from streams.control import MOST_LINE_BYTES, Control
from streams.device_secrets import DeviceSecrets
from streams.embedded_broker import EmbeddedBroker
from streams.gateway import Gateway
from streams.journal import Journal
from streams.writer import Writer


class Served:
    """A gateway with a client's connections."""

    def __init__(self, gateway: Gateway, port: int, control_port: int) -> None:
        self.gateway, self.port, self.control_port = gateway, port, control_port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection as a logger makes it."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes, *, answers: int, settle: bool = True) -> list[bytes]:
        """Send on a connection of its own; that many answers, and that nothing more comes."""
        reader, writer = await self.connect()
        writer.write(data)
        await writer.drain()
        got = [await line(reader) for _ in range(answers)]
        if settle:
            port = writer.get_extra_info("sockname")[1]
            await self.gateway.settled({port: len(data)})
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await asyncio.sleep(0.05)
        return got

    async def ask(self, **operation: Any) -> dict[str, Any]:
        """One operation of the control connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control_port)
        writer.write(json.dumps(operation).encode() + b"\n")
        reply: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), 10))
        writer.close()
        return reply


async def line(reader: asyncio.StreamReader, patience_s: float = 10.0) -> bytes:
    """The next packet from the gateway."""
    return await asyncio.wait_for(reader.readuntil(b"\r\n"), patience_s)


def serve(
    folder: Path,
    district: Registry,
    use: Callable[[Served], Awaitable[None]],
    *,
    clock: WriterClock,
    secrets: DeviceSecrets | None = None,
) -> list[journal.Record]:
    """Run ``use(served)`` against a gateway; the records it left in the journal."""

    async def main() -> None:
        broker = EmbeddedBroker()
        writer = Writer(broker.bootstrap, name="gw", journal=Journal(folder))
        gateway = Gateway(writer, district, clock, secrets=secrets)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(gateway), "127.0.0.1", 0)
        control = await asyncio.start_server(Control(gateway).serve, "127.0.0.1", 0, limit=MOST_LINE_BYTES)
        tasks = [asyncio.create_task(gateway.intake.run()), asyncio.create_task(gateway.watch())]
        try:
            await use(Served(gateway, server.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1]))
            assert not any(task.done() for task in tasks), [t.exception() for t in tasks if t.done()]
        finally:
            server.close()
            control.close()
            for task in tasks:
                task.cancel()
            await loop.run_in_executor(None, writer.close)

    asyncio.run(main())
    return list(journal.read(folder))


def found(records: list[journal.Record], topic: str) -> list[dict[str, Any]]:
    """The messages of a topic."""
    return [json.loads(r.value) for r in records if r.topic == topic]


def rows(records: list[journal.Record], topic: str) -> list[tuple[Any, ...]]:
    """Every reading in the blocks of a topic: source, time, period, name, code, unit, value, places, flag, mark."""
    result = []
    for record in records:
        message = blocks.decode(record.value) if record.topic == topic else None
        if not isinstance(message, blocks.Block):
            continue
        at = 0
        for i, count in enumerate(message.counts):
            for j in range(at, at + count):
                factor = message.factor[j]
                result.append(
                    (
                        message.sources[message.source[i]], message.times[i], message.periods[i],
                        message.factors[factor], message.codes[factor], message.units[factor],
                        message.values[j], message.places[j], message.flags[j], message.marks[i],
                    )
                )  # fmt: skip
            at += count
    return result
