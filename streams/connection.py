"""One logger's TCP connection: bytes to packets, and what protects the gateway from peers that are none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from streams import hj212

if TYPE_CHECKING:
    from streams.gateway import Gateway

log = logging.getLogger("envstream.gateway")

PARTIAL_S = 30.0
"""A packet not whole after this is given up (emission.md §1.2): half a packet, one behind a wrong LEN, or a peer that
sends a byte now and then to hold the line."""
MOST_PARTIAL = 3
"""Packets given up in a row before the connection is closed."""
MOST_JUNK_BYTES = 64 * 1024
"""What a peer may say since the last packet of a registered logger that is none of one; each piece of it costs a
message of its own, and counts PIECE_BYTES more than it has."""
PIECE_BYTES = 64
SLICE_BYTES = 16 * 1024
"""Framed at once: what a hostile peer sends costs up to 4 µs a byte, and the others wait that long."""
MOST_FROM_ONE = 500
"""Packets of one connection not yet in the log; beyond this that peer waits, and nobody else."""
STRANGER_S = 60.0
"""Time in which a connection must have said something of a registered logger."""


class Connection(asyncio.Protocol):
    """A peer of the gateway.

    Attributes:
        peer: its address, ``host:port``.
        port: its port alone.
        bytes_in: bytes it sent.
        waiting: packets taken from it that are not yet in the log.
        mns: registered loggers that spoke here.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.framer = hj212.Framer(gateway.device)
        self.transport: asyncio.Transport | None = None
        self.peer = self.host = "?"
        self.port = 0
        self.bytes_in = self.waiting = 0
        self.mns: set[str] = set()
        self._ended = False
        self._heard = self._since = 0.0
        self._partial_since: float | None = None
        self._partials = self._junk = 0
        self._held: list[bytes] = []
        self._wanted = self._writable = self._calm = True

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio: a peer is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        address = transport.get_extra_info("peername") or ("?", 0)
        self.host, self.port = address[0], address[1]
        self.peer = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self._since = self._heard = asyncio.get_running_loop().time()
        if refused := self.gateway.admit(self):
            self.gateway.metrics.refused.labels(refused).inc()
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Of asyncio: bytes."""
        self.bytes_in += len(data)
        self._heard = asyncio.get_running_loop().time()
        if self._held or self.gateway.clock_held():
            self._held.append(data)  # at most what asyncio had read already: reading stopped with the clock
            return
        self._feed(data)

    def release(self) -> None:
        """The clock is believed again: take what came meanwhile, also from peers that are gone by now."""
        held, self._held = self._held, []
        for data in held:
            self._feed(data)
        if self.transport is None:
            self._take(self.framer.flush())
            self.gateway.lost(self)

    def _feed(self, data: bytes) -> None:
        for at in range(0, len(data), SLICE_BYTES):
            if self._ended:
                return
            before = self.framer.handled
            pieces = self.framer.feed(data[at : at + SLICE_BYTES])
            if self.framer.buffered and (self._partial_since is None or self.framer.handled != before):
                self._partial_since = self._heard
            elif not self.framer.buffered:
                self._partial_since = None
            self._take(pieces)

    def _take(self, pieces: list[hj212.Piece]) -> None:
        if not pieces:
            return
        self.gateway.arrived(self, pieces)
        if self._junk > MOST_JUNK_BYTES:
            self.close("junk", "more than 64 KiB that is no packet of a registered logger")
        elif self._calm and self.waiting > MOST_FROM_ONE:
            self._calm = False
            self.read(self._wanted)

    def good(self) -> None:
        """It said a packet of a registered logger."""
        self._junk = self._partials = 0

    def bad(self, raw: bytes) -> None:
        """It said something else."""
        self._junk += len(raw) + PIECE_BYTES

    def done(self) -> None:
        """One of its packets is in the log."""
        self.waiting -= 1
        if not self._calm and self.waiting < MOST_FROM_ONE // 2:
            self._calm = True
            self.read(self._wanted)

    def pause_writing(self) -> None:
        """Of asyncio: a logger that does not read its answers is not read either, so memory stays bounded."""
        self._writable = False
        self.read(self._wanted)

    def resume_writing(self) -> None:
        """Of asyncio: it reads its answers again."""
        self._writable = True
        self.read(self._wanted)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio: it is gone."""
        self.transport = None
        if not self._held:
            self._take(self.framer.flush())
        self.gateway.lost(self)

    # ---- for the gateway

    @property
    def unfinished(self) -> bool:
        """Whether something of it is not yet in the log."""
        return bool(self.waiting or self._held)

    def read(self, reading: bool) -> None:
        """Read from the socket, or let the peer wait."""
        if reading and not self._wanted:  # nobody listened: the silence was ours
            self._heard = self._since = asyncio.get_running_loop().time()
            self._partial_since = self._heard if self.framer.buffered else None
        self._wanted = reading
        if self.transport is not None and not self.transport.is_closing():
            reading = reading and self._writable and self._calm
            (self.transport.resume_reading if reading else self.transport.pause_reading)()

    def send(self, data: bytes) -> bool:
        """Send, if anybody is there."""
        if self.transport is None or self.transport.is_closing():
            return False
        self.transport.write(data)
        return True

    def close(self, reason: str, why: str) -> None:
        """End the connection for a reason that is counted and told."""
        if self.transport is not None and not self.transport.is_closing():
            self._ended = True
            log.warning("%s closed: %s", self.peer, why)
            self.gateway.metrics.closed.labels(reason).inc()
            # not close(): a peer that reads nothing would keep it for ever
            self.transport.abort()

    def check(self, now: float, idle_s: float | None) -> None:
        """Look at the time: what is unfinished for long is given up, who is silent for long is let go.

        ``idle_s`` is None in a virtual log, where silence says nothing.
        """
        if self.transport is None or not self._wanted:
            return
        if self._partial_since is not None and now - self._partial_since > PARTIAL_S:
            self._partial_since = None
            self._partials += 1
            self._take(self.framer.flush())
            if self._partials >= MOST_PARTIAL:
                self.close("slow", f"{MOST_PARTIAL} packets in a row were not whole after {PARTIAL_S:.0f} s each")
        if idle_s is None:
            return
        if now - self._heard > idle_s:
            self.close("idle", f"said nothing for {idle_s:.0f} s")
        elif not self.mns and now - self._since > STRANGER_S:
            self.close("stranger", f"no packet of a registered logger in {STRANGER_S:.0f} s")
