"""A logger: one TCP connection that sends HJ 212 packets and waits for each answer, as emission.md §1.7 says.

No answer in OverTime: the same bytes again, ReCount times, then a new connection and so on, until patience ends.
A gateway may be killed and come back: nothing that was not answered is lost. Packets that nobody will answer (the
logger is in no registry) are kept until the owner confirms that they arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from schemas.hj212_codes import CN_DATA_ANSWER
from streams import hj212

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class ReplayError(Exception):
    """The replay cannot begin or go on; the text is one line: the place, what happened, what to do."""


class Address(NamedTuple):
    """Host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As people write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Timing:
    """How long a logger waits: OverTime and ReCount of HJ 212 (default 10 s, 3), and for how long in all."""

    over_time_s: float = 10.0
    re_count: int = 3
    patience_s: float = 120.0


@dataclass
class Counts:
    """What loggers did, added up over all of them."""

    packets: int = 0
    answered: int = 0
    unlisted: int = 0
    resent: int = 0
    reconnects: int = 0


class Outgoing(NamedTuple):
    """A packet to send, and whether it will be answered."""

    qn: str
    data: bytes
    answered: bool


class Backoff:
    """Pauses between attempts that grow, until patience ends."""

    def __init__(self, patience_s: float) -> None:
        """Begin; patience counts from here."""
        self._patience_s = patience_s
        self._pause_s = FIRST_PAUSE_S
        self._until = asyncio.get_running_loop().time() + patience_s

    async def pause(self, trouble: str) -> None:
        """Wait before the next attempt.

        Raises:
            ReplayError: patience has ended; ``trouble`` says what happened where.
        """
        if asyncio.get_running_loop().time() >= self._until:
            raise ReplayError(f"{trouble}; gave up after {self._patience_s:g} s: start the gateway and replay again")
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


class Logger(asyncio.Protocol):
    """One logger. Its owner calls :meth:`check` a few times a second; there is no timer per packet.

    Attributes:
        port: Local port of the present connection, 0 when there is none.
        sent: Bytes written on the present connection.
        generation: Count of connections so far.
    """

    def __init__(
        self,
        mn: str,
        address: Address,
        timing: Timing,
        counts: Counts,
        *,
        verify: Callable[[], Awaitable[None]],
        resolved: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Make a logger without a connection.

        Args:
            mn: its number.
            address: the gateway.
            timing: its patience.
            counts: where it adds what it did.
            verify: awaited after every connect, before anything is sent: a gateway that was restarted must have its
                clock again before it sees a packet.
            resolved: called for each packet that was answered, or sent if it needs no answer.
            failed: called with the error when patience has ended.
        """
        self.mn = mn
        self.port = self.sent = self.generation = 0
        self._address, self._timing, self._counts = address, timing, counts
        self._verify, self._resolved, self._failed = verify, resolved, failed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framer = hj212.Framer()
        self._queue: deque[Outgoing] = deque()
        self._waiting: Outgoing | None = None
        self._unconfirmed: list[bytes] = []
        self._ready = False
        self._closed = False
        self._connecting: asyncio.Task[None] | None = None
        self._tries = 0
        self._deadline = 0.0
        self._progress = 0.0  # when something was last resolved, or asked for after silence
        self._trouble = ""

    # ---- for the owner

    async def open(self) -> None:
        """Connect for the first time, without a second try.

        Raises:
            ReplayError: nobody listens there.
        """
        try:
            await self._loop.create_connection(lambda: self, *self._address)
        except OSError as error:
            raise ReplayError(
                f"gateway {self._address}: {why(error)}: start it with `envstream up`, or give its port with --to"
            ) from None
        self._reconnect()

    def say(self, packets: list[Outgoing]) -> None:
        """Send these packets, one after the other."""
        if not self._queue and self._waiting is None:
            self._progress = self._loop.time()
        self._counts.packets += len(packets)
        self._queue.extend(packets)
        if self._transport is None:
            self._reconnect()
        self._pump()

    @property
    def has_unconfirmed(self) -> bool:
        """Whether something was sent that nobody answers and nobody confirmed."""
        return bool(self._unconfirmed)

    @property
    def ready(self) -> bool:
        """Whether it is connected and all it should send again is sent."""
        return self._ready

    def confirm(self) -> None:
        """What was sent without an answer is known to have arrived."""
        self._unconfirmed.clear()

    def check(self, now: float) -> None:
        """Look at the deadlines; ``now`` is the event loop's time."""
        if self._closed or (self._waiting is None and not self._queue):
            return
        if now - self._progress > self._timing.patience_s:
            self._give_up()
        elif self._ready and self._waiting is not None and now > self._deadline:
            if self._tries <= self._timing.re_count:
                self._trouble = ""
                self._tries += 1
                self._again(self._waiting.data)
                self._deadline = now + self._timing.over_time_s
            elif self._transport is not None:
                self._transport.abort()

    def close(self) -> None:
        """End the connection; what was not answered is forgotten."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio: a new connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._framer = hj212.Framer()
        self.port, self.sent = transport.get_extra_info("sockname")[1], 0
        self._counts.reconnects += self.generation > 0
        self.generation += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio: the connection ended."""
        self._transport, self._ready, self.port = None, False, 0
        self._trouble = f"connection lost ({why(exc) if exc else 'closed by the gateway'})"
        if not self._closed:
            self._reconnect()

    def data_received(self, data: bytes) -> None:
        """Of asyncio: bytes from the gateway."""
        for piece in self._framer.feed(data):
            waiting = self._waiting
            if waiting is None or isinstance(piece, hj212.Rejected):
                continue
            try:
                answer = hj212.parse(piece)
            except hj212.PacketError:
                continue
            if answer.cn == CN_DATA_ANSWER and answer.qn == waiting.qn:
                self._waiting = None
                self._counts.answered += 1
                self._progress = self._loop.time()
                self._pump()
                self._resolved()

    def _reconnect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        """Get a connection that may be used, and bring it up to date."""
        try:
            backoff = Backoff(self._timing.patience_s)
            while True:
                if self._transport is None:
                    try:
                        await self._loop.create_connection(lambda: self, *self._address)
                    except OSError as error:
                        self._trouble = why(error)
                generation = self.generation
                if self._transport is not None:
                    await self._verify()
                    if self._transport is not None and generation == self.generation:
                        break
                await backoff.pause(self._where())
            self._ready = True
            for data in self._unconfirmed:
                self._again(data)
            if self._waiting is not None:
                self._again(self._waiting.data)
                self._tries = 1
                self._deadline = self._loop.time() + self._timing.over_time_s
            self._pump()
        except Exception as error:  # noqa: BLE001 - raised again by who waits for the replay
            self._failed(error)

    # ---- sending

    def _pump(self) -> None:
        while self._ready and self._queue and self._waiting is None:
            packet = self._queue.popleft()
            self._write(packet.data)
            if packet.answered:
                self._waiting = packet
                self._tries = 1
                self._deadline = self._loop.time() + self._timing.over_time_s
            else:
                self._unconfirmed.append(packet.data)
                self._counts.unlisted += 1
                self._resolved()

    def _again(self, data: bytes) -> None:
        self._counts.resent += 1
        self._write(data)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self.sent += len(data)
        self._transport.write(data)

    def _where(self) -> str:
        return f"gateway {self._address}, logger {self.mn}: {self._trouble or 'no answer'}"

    def _give_up(self) -> None:
        self.close()
        qn = self._waiting.qn if self._waiting is not None else self._queue[0].qn
        self._failed(
            ReplayError(
                f"{self._where()}; QN {qn} not answered in {self._timing.patience_s:g} s: look at the gateway's log;"
                " is its registry the one given here with --district?"
            )
        )


def why(error: BaseException) -> str:
    """What an error of the system says, in a few words."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError) and error.strerror and not error.strerror.startswith("Connect call failed"):
        return error.strerror
    return str(error) or type(error).__name__
