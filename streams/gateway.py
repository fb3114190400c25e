"""The HJ 212 gateway: takes what loggers say over TCP, appends it to the log, and only then answers.

One event loop, one writer. Packets that are at hand when the sockets hold nothing more become one block
per partition; while that is being written the next ones gather, so a packet alone waits for nobody and
many share one write (design §4). ``packets`` keeps every byte as evidence, ``readings-air`` what is judged,
``dead`` what cannot be used and why.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from schemas import blocks, times, topics
from schemas.messages import Dead, Packets, encode
from schemas.registry import Registry
from streams import hj212
from streams.clock import LIVE, VIRTUAL, WriterClock
from streams.journal import Record
from streams.reading_rows import PacketUnusable, ReadingRows, Source, SourceIndex
from streams.writer import Writer

log = logging.getLogger("envstream.gateway")

MOST_IN_BLOCK = 500
MOST_BYTES = 128 * 1024
"""Raw bytes of a batch. A NUL takes six bytes as JSON, and Kafka refuses messages beyond 1 MB."""
MOST_WAITING = 5_000
"""Packets in memory; beyond this the gateway stops reading from its sockets until they are written."""

DEAD_BYTES = 200
"""Of a packet that stand in its dead letter, for people; ``packets`` has all of them. The embedded broker keeps 5 MB,
and pacing leaves 3 000 letters unread."""
SILENT_S = 30.0
"""Idle time after which the rest of a packet is given up (emission.md §1.2)."""

UNLISTED = "unlisted"
OK = "ok"


@dataclass(slots=True)
class _Arrived:
    connection: _Connection
    raw: bytes
    packet: hj212.Packet | None
    verdict: str
    received: int


class _Connection(asyncio.Protocol):
    """One logger's connection."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.framer = hj212.Framer()
        self.transport: asyncio.Transport | None = None
        self.peer = "?"
        self.port = 0
        self.bytes_in = 0
        self.heard = 0.0
        self.waiting = 0  # packets taken from this connection and not yet in the log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        address = transport.get_extra_info("peername")
        self.peer, self.port = f"{address[0]}:{address[1]}", address[1]
        self.gateway.connections.add(self)
        if self.gateway.paused:
            transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        self.heard = asyncio.get_running_loop().time()
        self.gateway.arrived(self, self.framer.feed(data))

    def pause_writing(self) -> None:
        """A logger that does not read its answers is not read either: memory stays bounded."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None and not self.transport.is_closing() and not self.gateway.paused:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gateway.arrived(self, self.framer.flush())
        self.transport = None
        if not self.waiting:
            self.gateway.forget(self)

    def answer(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)


class Gateway:
    """Receives loggers. ``run`` serves until cancelled."""

    def __init__(self, writer: Writer, registry: Registry, clock: WriterClock, *, first_packet: int = 0) -> None:
        self.writer = writer
        self.registry = registry
        self.clock = clock
        self.connections: set[_Connection] = set()
        self._sources = SourceIndex(registry)
        self._next_packet = first_packet
        self._waiting: list[_Arrived] = []
        self._something = asyncio.Event()
        self._written = asyncio.Condition()
        self.paused = False
        self._partition_of_group = {g.id: topics.partition_of(g.id, writer.partitions) for g in registry.groups}

    # ---- sockets

    def arrived(self, connection: _Connection, pieces: list[Any]) -> None:
        """Take framed pieces of a connection."""
        if not pieces:
            return
        received = self.clock.now_ms()
        for piece in pieces:
            packet: hj212.Packet | None = None
            verdict = OK
            if isinstance(piece, hj212.Rejected):
                verdict = piece.reason
            else:
                try:
                    packet = hj212.parse(piece)
                    self._first_words(packet, received)
                except hj212.PacketError as error:
                    verdict = str(error)
            self._waiting.append(_Arrived(connection, piece.raw, packet, verdict, received))
            connection.waiting += 1
        self._something.set()
        if len(self._waiting) > MOST_WAITING and not self.paused:
            self._set_reading(False)

    def _set_reading(self, reading: bool) -> None:
        self.paused = not reading
        for connection in self.connections:
            if connection.transport is not None and not connection.transport.is_closing():
                (connection.transport.resume_reading if reading else connection.transport.pause_reading)()

    def forget(self, connection: _Connection) -> None:
        """A closed connection with nothing left to write."""
        self.connections.discard(connection)

    async def settled(self, sent: dict[int, int]) -> None:
        """Return when all bytes that were sent on these connections (by the peer's port) are in the log."""

        def done() -> bool:
            # Two hosts may use one port; the player's connection is the one that has all its bytes.
            for port, count in sent.items():
                found = [c for c in self.connections if c.port == port]
                if found and not any(c.bytes_in >= count and not c.waiting for c in found):
                    return False
            return True

        while not done():
            try:
                async with self._written:
                    await asyncio.wait_for(self._written.wait(), 0.05)
            except TimeoutError:
                continue  # bytes may have come that made no packet

    # ---- time

    async def set_clock(self, to_ms: int) -> int:
        """Set the clock of a virtual log, and tell every partition."""
        now = self.clock.set(to_ms)
        if self.writer.journal is not None and self.writer.journal.clock is None:
            self.writer.journal.begin(VIRTUAL)
        await self.writer.append(self._ticks(now), wait=False)
        return now

    async def flush_silent(self) -> None:
        """What a silent connection left unfinished will not be finished: half a packet, or one behind a wrong LEN."""
        while True:
            await asyncio.sleep(SILENT_S / 4)
            now = asyncio.get_running_loop().time()
            for connection in list(self.connections):
                if connection.framer.buffered and now - connection.heard > SILENT_S:
                    self.arrived(connection, connection.framer.flush())

    async def tick(self) -> None:
        """Once a second in a live log: time passes also when nobody speaks."""
        seconds = 0
        while True:
            await asyncio.sleep(1.0)
            if self.clock.kind == LIVE:
                # In the journal once a minute is enough: packets carry their own time, and no result depends on
                # how far apart ticks are. Every second it would be 24 MB a day.
                await self.writer.append(self._ticks(self.clock.now_ms()), wait=False, keep=seconds % 60 == 0)
                seconds += 1

    def _ticks(self, now_ms: int) -> list[Record]:
        message = blocks.encode(blocks.Tick(self.writer.name, now_ms))
        return [Record(topics.READINGS_AIR, p, None, message) for p in range(self.writer.partitions)]

    def _first_words(self, packet: hj212.Packet, received: int) -> None:
        """A registered logger that comes before any player makes a new log live; a port scan does not."""
        if self.clock.kind is None and self._source_of(packet, received) is not None:
            self.clock.kind = LIVE
            if self.writer.journal is not None and self.writer.journal.clock is None:
                self.writer.journal.begin(LIVE)

    # ---- the log

    async def run(self) -> None:
        """Write what arrives, for ever."""
        while True:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(0)  # let every socket that is ready now be read first
            while self._waiting:
                await self._write(self._take_batch())
            if self.paused:
                self._set_reading(True)

    def _take_batch(self) -> list[_Arrived]:
        size = count = 0
        for arrived in self._waiting[:MOST_IN_BLOCK]:
            size += len(arrived.raw)
            if size > MOST_BYTES and count:
                break
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    async def _write(self, batch: list[_Arrived]) -> None:
        records, answered = self._pack(batch)
        await self.writer.append(records)
        # Only now: Kafka has acknowledged what these answers stand for.
        for arrived in answered:
            assert arrived.packet is not None
            arrived.connection.answer(hj212.answer_9014(arrived.packet))
        for arrived in batch:
            arrived.connection.waiting -= 1
            if arrived.connection.transport is None and not arrived.connection.waiting:
                self.forget(arrived.connection)
        async with self._written:
            self._written.notify_all()

    def _pack(self, batch: list[_Arrived]) -> tuple[list[Record], list[_Arrived]]:
        """The records of a batch, and the packets to answer when they are written."""
        answered: list[_Arrived] = []
        dead: list[Record] = []
        rows: dict[int, ReadingRows] = defaultdict(lambda: ReadingRows(self.writer.name))
        evidence: dict[int, list[tuple[int, _Arrived, str]]] = defaultdict(list)
        for arrived in batch:
            number, partition, verdict = self._next_packet, 0, arrived.verdict
            self._next_packet += 1
            if arrived.packet is not None:
                source = self._source_of(arrived.packet, arrived.received)
                if source is None:
                    verdict = UNLISTED
                else:
                    partition = self._partition_of_group[source.group]
                    if arrived.packet.answer_wanted:  # an unusable one too: it is kept, resending cures nothing
                        answered.append(arrived)
                    try:
                        rows[partition].add(number, source, arrived.packet, arrived.received)
                    except PacketUnusable as error:
                        verdict = str(error)
            if verdict != OK:
                dead.append(self._dead(number, arrived, verdict))
            evidence[partition].append((number, arrived, verdict))
        records = [self._evidence(partition, run) for partition, found in evidence.items() for run in _runs(found)]
        for partition, found in rows.items():
            records += [Record(topics.READINGS_AIR, partition, None, blocks.encode(block)) for block in found.blocks()]
        return records + dead, answered

    def _source_of(self, packet: hj212.Packet, received: int) -> Source | None:
        return self._sources.of(packet, times.civil(received // 1000).date())

    def _evidence(self, partition: int, run: list[tuple[int, _Arrived, str]]) -> Record:
        message = Packets(
            writer=self.writer.name,
            first=run[0][0],
            received=[a.received for _, a, _ in run],
            peer=[a.connection.peer for _, a, _ in run],
            mn=[a.packet.mn if a.packet is not None else "" for _, a, _ in run],
            verdict=[verdict for _, _, verdict in run],
            raw=[a.raw.decode("latin-1") for _, a, _ in run],
        )
        return Record(topics.PACKETS, partition, None, encode(message))

    def _dead(self, number: int, arrived: _Arrived, reason: str) -> Record:
        name = f"{self.writer.name}:{number}"
        mn = arrived.packet.mn if arrived.packet is not None else ""
        text = (
            reason
            if reason != UNLISTED
            else f"unlisted: MN {mn} is in no registry: add its station, or look at the logger"
        )
        dead = Dead(
            id=name,
            place=f"gateway {arrived.connection.peer}",
            reason=text,
            text=arrived.raw[:DEAD_BYTES].decode("latin-1"),
            received=arrived.received,
        )
        return Record(topics.DEAD, 0, name.encode(), encode(dead))


def _runs(found: list[tuple[int, _Arrived, str]]) -> list[list[tuple[int, _Arrived, str]]]:
    """Split where the numbers have a hole: a message names only its first packet."""
    runs: list[list[tuple[int, _Arrived, str]]] = []
    for item in found:
        if runs and runs[-1][-1][0] + 1 == item[0]:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs
