"""A logger: one TCP connection that sends HJ 212 packets and waits for each answer, as emission.md §1.7 says.

No answer in OverTime: the same bytes again, ReCount times, then a new connection. What becomes of the packet is the
owner's choice:

* it is sent until it is answered or patience ends (replays: a gateway may be killed and come back, nothing is lost);
* ``gives_up``: it is given up as devices do; a logger of 2025 sends it later by itself, newest first, with RF=1.

Packets that nobody will answer (the logger is in no registry) are kept until the owner confirms that they arrived.
It answers what a platform asks: hours, minutes and days of the past (2061, 2051, 2031) from its memory or its owner's
history, and a new clock (1012); of anything else it says that it does not know the command.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from schemas import times
from schemas.hj212_codes import (
    CN_ASK_TIME,
    CN_DATA_ANSWER,
    CN_DAY,
    CN_HEARTBEAT,
    CN_HOUR,
    CN_MINUTE,
    CN_NOTICE_ANSWER,
    CN_REQUEST_ANSWER,
    CN_RESULT,
    CN_SET_TIME,
    ST_AIR,
)
from streams import hj212
from streams.hj212.writing import ANSWER_WANTED, FLAG_2017, FLAG_2025
from streams.logger_memory import History, Memory, Outgoing, for_backfill, with_hours_off, with_qn
from streams.misbehaviour import BadMouth, Misbehaviour

__all__ = ["Address", "Backoff", "Counts", "History", "Logger", "Misbehaviour", "Outgoing", "ReplayError", "Timing"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
MOST_BACKLOG = 10_000
"""Packets that a logger keeps to send later by itself; the oldest is forgotten first."""

CN_HISTORY = (CN_HOUR, CN_MINUTE, CN_DAY)
READY, WRONG_PW, WRONG_MN, WRONG_CN = 1, 3, 4, 8  # QnRtn
DONE, WRONG_CONDITIONS, NO_DATA = 1, 3, 100  # ExeRtn


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
    """What loggers did, added up over all of them.

    ``given_up`` packets were not answered after the last retry; ``backfilled`` ones of these were answered later.
    ``requests`` came from the platform, ``notices`` (heartbeats, questions for the time) were answered by it.
    """

    packets: int = 0
    answered: int = 0
    unlisted: int = 0
    resent: int = 0
    reconnects: int = 0
    given_up: int = 0
    backfilled: int = 0
    requests: int = 0
    notices: int = 0


@dataclass(slots=True, eq=False)
class _Item:
    """A packet on its way. ``owed``: the owner said it and hears what becomes of it."""

    packet: Outgoing
    since: float
    owed: bool = False
    late: bool = False  # given up once, now sent with RF=1
    answer_cn: str = CN_DATA_ANSWER
    sendings: int = 0
    tries: int = 0
    deadline: float = 0.0


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


def wall_ms() -> int:
    """The wall clock, epoch ms."""
    return time.time_ns() // 1_000_000


class Logger(asyncio.Protocol):
    """One logger. Its owner calls :meth:`check` a few times a second; there is no timer per packet.

    Attributes:
        port: Local port of the present connection, 0 when there is none.
        sent: Bytes written on the present connection.
        generation: Count of connections so far.
        clock_off_hours: How far its clock is ahead.
    """

    def __init__(
        self,
        mn: str,
        address: Address,
        timing: Timing,
        counts: Counts,
        *,
        failed: Callable[[BaseException], None],
        verify: Callable[[], Awaitable[None]] | None = None,
        resolved: Callable[[], None] | None = None,
        answered: Callable[[Outgoing, float], None] | None = None,
        gives_up: bool = False,
        remember: int = 0,
        history: History | None = None,
        heartbeat_s: float | None = None,
        st: str = ST_AIR,
        password: str | None = None,
        device: hj212.Device | None = None,
        clock_ms: Callable[[], int] = wall_ms,
        misbehaviour: Misbehaviour | None = None,
    ) -> None:
        """Make a logger without a connection.

        Args:
            mn: its number.
            address: the gateway.
            timing: its patience.
            counts: where it adds what it did.
            failed: called with the error when patience has ended.
            verify: awaited after every connect, before anything is sent: a gateway that was restarted must have its
                clock again before it sees a packet.
            resolved: called for each packet that was answered, or sent if it needs no answer, or given up for good.
            answered: called with each packet of the owner that was answered, and the seconds since it was said.
            gives_up: a packet is given up after its last retry, as devices do; else it is sent until patience ends.
            remember: so many packets that it said are kept for requests of the platform.
            history: what it has for such requests, instead of that memory.
            heartbeat_s: say 9015 that often.
            st: system type (ST) of its notices.
            password: PW of its notices, expected in requests; None: anything goes.
            device: which checksum it computes, and its SM4 key: to read requests, and to say its packets again.
            clock_ms: its clock, epoch ms.
            misbehaviour: what it does wrong.
        """
        self.mn = mn
        self.port = self.sent = self.generation = 0
        self.clock_off_hours = misbehaviour.clock_off_hours if misbehaviour is not None else 0
        self._address, self._timing, self._counts = address, timing, counts
        self._verify, self._resolved, self._failed, self._answered = verify, resolved, failed, answered
        self._gives_up, self._heartbeat_s, self._clock_ms = gives_up, heartbeat_s, clock_ms
        self._st, self._password = st, password
        self._device = device
        self._asks_time = False
        self._memory = Memory(remember, device) if remember else None
        self._history = history or self._memory
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framer = hj212.Framer(self._of)
        self._queue: deque[_Item] = deque()  # what the owner said
        self._dialogue: deque[_Item] = deque()  # notices, and what the platform asked for; ends with the connection
        self._backlog: deque[_Item] = deque()  # given up, to be sent later; the newest is the last
        self._waiting: list[_Item] = []
        self._working: set[str] = set()  # QN of requests that are not executed yet
        self._unconfirmed: list[_Item] = []
        self._ready = False
        self._closed = False
        self._connecting: asyncio.Task[None] | None = None
        self._progress = 0.0  # when something was last resolved, or asked for after silence
        self._next_heartbeat = 0.0
        self._trouble = ""
        self._mouth = (
            None if misbehaviour is None else BadMouth(mn, misbehaviour, address, self._emit, self._hang_up, self.take)
        )

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
        now = self._loop.time()
        if not self._queue and not self._waiting:
            self._progress = now
        self._counts.packets += len(packets)
        for packet in packets:
            said = with_hours_off(packet, self.clock_off_hours, self._device) if self.clock_off_hours else packet
            if self._memory is not None:
                self._memory.add(said)
            self._queue.append(_Item(said, now, owed=True))
        if self._transport is None:
            self._reconnect()
        self._pump()

    def ask_time(self) -> None:
        """Ask the platform for the time (1013), once no other notice waits for its answer."""
        self._asks_time = not self._notice(CN_ASK_TIME, FLAG_2017)

    @property
    def has_unconfirmed(self) -> bool:
        """Whether something was sent that nobody answers and nobody confirmed."""
        return bool(self._unconfirmed)

    @property
    def ready(self) -> bool:
        """Whether it is connected and all it should send again is sent."""
        return self._ready

    @property
    def unanswered(self) -> int:
        """Packets of the owner that are not answered yet, those to be backfilled included."""
        return len(self._queue) + len(self._backlog) + sum(item.owed for item in self._waiting)

    def confirm(self) -> None:
        """What was sent without an answer is known to have arrived."""
        self._unconfirmed.clear()

    def check(self, now: float) -> None:
        """Look at the deadlines; ``now`` is the event loop's time."""
        if self._closed:
            return
        if self._heartbeat_s is not None and now >= self._next_heartbeat:
            self._next_heartbeat = now + self._heartbeat_s
            self._notice(CN_HEARTBEAT, FLAG_2025)
        if self._asks_time:
            self.ask_time()
        if not self.unanswered:
            self._progress = now
        elif now - self._progress > self._timing.patience_s:
            self._fail()
            return
        if not self._ready and self._gives_up:
            life_s = self._timing.over_time_s * (self._timing.re_count + 1)
            while self._queue and now - self._queue[0].since > life_s:
                self._forgo(self._queue.popleft())
        late = [item for item in self._waiting if now > item.deadline] if self._ready and not self._silent else []
        for item in late:
            if item.tries > self._timing.re_count:  # the link counts as down
                if self._gives_up and item.owed:
                    self._waiting.remove(item)
                    self._forgo(item)
                if self._transport is not None:
                    self._transport.abort()
                    self._ready = False
                return
        if late:
            self._trouble = ""
            for item in late:
                item.tries += 1
                item.deadline = now + self._timing.over_time_s
            self._again(late)
        self._pump()  # a silence may be over

    def close(self) -> None:
        """End the connection; what was not answered is forgotten."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._mouth is not None:
            self._mouth.close()
        if self._transport is not None:
            self._transport.close()

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio: a new connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._framer = hj212.Framer(self._of)
        self.port, self.sent = transport.get_extra_info("sockname")[1], 0
        self._counts.reconnects += self.generation > 0
        self.generation += 1
        if self._mouth is not None and self._mouth.how.deaf:
            self._loop.call_soon(transport.pause_reading)  # in here it has no effect before Python 3.12

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio: the connection ended."""
        self._transport, self._ready, self.port = None, False, 0
        self._trouble = f"connection lost ({why(exc) if exc else 'closed by the gateway'})"
        self._waiting = [item for item in self._waiting if item.owed]
        self._dialogue.clear()
        self._working.clear()
        if self._mouth is not None:
            self._mouth.lost()
        if not self._closed:
            self._reconnect()

    @property
    def _silent(self) -> bool:
        return self._mouth is not None and self._mouth.is_silent()

    def _of(self, mn: str) -> hj212.Device | None:
        return self._device

    def data_received(self, data: bytes) -> None:
        """Of asyncio: bytes from the gateway."""
        for piece in self._framer.feed(data):
            self.take(piece)

    def take(self, piece: object) -> None:
        """What the gateway said, as a framer gives it. A packet whose checksum does not fit is discarded."""
        if not isinstance(piece, hj212.Frame):
            return
        try:
            packet = hj212.parse(piece)
        except hj212.PacketError:
            return
        if packet.cn in (CN_DATA_ANSWER, CN_NOTICE_ANSWER):
            for item in self._waiting:
                if (item.packet.qn, item.answer_cn) == (packet.qn, packet.cn):
                    self._waiting.remove(item)
                    self._settled(item)
                    break
        elif packet.cn not in (CN_REQUEST_ANSWER, CN_RESULT):
            self._asked(packet)

    def _settled(self, item: _Item) -> None:
        """It was answered."""
        self._progress = self._loop.time()
        self._counts.notices += item.answer_cn == CN_NOTICE_ANSWER
        self._counts.backfilled += item.late
        self._counts.answered += item.owed
        self._pump()
        if item.owed:
            if self._answered is not None:
                self._answered(item.packet, self._progress - item.since)
            self._resolve()

    def _resolve(self) -> None:
        if self._resolved is not None:
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
                    if self._verify is not None:
                        await self._verify()
                    if self._transport is not None and generation == self.generation:
                        break
                await backoff.pause(self._where())
            self._ready = True
            now = self._loop.time()
            for item in self._waiting:
                item.tries, item.deadline = 1, now + self._timing.over_time_s
            if again := [*self._unconfirmed, *self._waiting]:
                self._again(again)
            self._pump()
        except Exception as error:  # noqa: BLE001 - raised again by who waits for the replay
            self._failed(error)

    # ---- sending

    def _next(self) -> _Item | None:
        """Live packets first, then what was asked for, then the backlog from its newest."""
        if self._queue:
            return self._queue.popleft()
        if self._dialogue:
            return self._dialogue.popleft()
        return self._backlog.pop() if self._backlog else None

    def _pump(self) -> None:
        in_flight = 1 if self._mouth is None else max(1, self._mouth.how.glued)
        while self._ready and not self._waiting and not self._silent:
            batch = [item for item in (self._next() for _ in range(in_flight)) if item is not None]
            if not batch:
                return
            now = self._loop.time()
            for item in batch:
                item.tries, item.deadline = 1, now + self._timing.over_time_s
                if item.packet.answered:
                    self._waiting.append(item)
                elif item.owed and not self._gives_up:
                    self._unconfirmed.append(item)
            self._write(batch)
            for item in batch:
                if not item.packet.answered:
                    self._working.discard(item.packet.qn)  # that was its 9012
                    if item.owed:
                        self._counts.unlisted += 1
                        self._resolve()

    def _again(self, items: list[_Item]) -> None:
        self._counts.resent += len(items)
        self._write(items)

    def _write(self, items: list[_Item]) -> None:
        if self._mouth is None:
            self._emit(b"".join([item.packet.data for item in items]))
            return
        for item in items:
            item.sendings += 1
        self._mouth.say([(item.packet.qn, item.packet.data, item.sendings) for item in items])

    def _emit(self, data: bytes) -> None:
        if self._transport is not None:
            self.sent += len(data)
            self._transport.write(data)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._ready = False

    def _forgo(self, item: _Item) -> None:
        """Not answered after the last retry: 2025 sends it later by itself, earlier editions wait to be asked."""
        self._counts.given_up += not item.late
        later = for_backfill(item.packet, self._device)
        if later is None:
            self._resolve()
        elif item.late:
            self._backlog.appendleft(item)  # the others first, in case it is this one that cannot be answered
        else:
            self._backlog.append(_Item(later, item.since, owed=True, late=True))
            if len(self._backlog) > MOST_BACKLOG:
                self._backlog.popleft()
                self._resolve()

    # ---- the dialogue

    def _notice(self, cn: str, edition: int) -> bool:
        """Say something that 9013 answers, unless one such is on its way; whether it is said."""
        if any(i.answer_cn == CN_NOTICE_ANSWER for i in (*self._waiting, *self._dialogue)):
            return False
        now_ms = self._clock_ms() + self.clock_off_hours * times.HOUR_S * 1000
        qn = f"{times.stamp(now_ms // 1000)}{now_ms % 1000:03d}"
        flag = edition | ANSWER_WANTED
        crc: hj212.Crc = "modbus" if self._device is not None and self._device.crc_mode == "modbus" else "hj212"
        data = hj212.build(qn=qn, st=self._st, cn=cn, pw=self._password, mn=self.mn, flag=flag, crc=crc)
        self._dialogue.appendleft(_Item(Outgoing(qn, data, True), self._loop.time(), answer_cn=CN_NOTICE_ANSWER))
        self._pump()
        return True

    def _asked(self, request: hj212.Packet) -> None:
        """A request of the platform: 9011, data if there are any, 9012, all with its QN."""
        self._counts.requests += 1
        verdict = self._verdict(request)
        if request.answer_wanted or request.flag is None:
            self._say_now(request.qn, hj212.answer_9011(request, verdict))
        if verdict != READY or request.qn in self._working:  # sent again, because our 9011 was lost
            return
        try:
            if request.cn == CN_SET_TIME:
                off_s = times.parse_stamp(request.meta.get("SystemTime", "")) - self._clock_ms() // 1000
                self.clock_off_hours = round(off_s / times.HOUR_S)
                self._say_now(request.qn, hj212.answer_9012(request, DONE))
                return
            begin, end = (times.parse_stamp(request.meta.get(name, "")) for name in ("BeginTime", "EndTime"))
        except ValueError:
            self._say_now(request.qn, hj212.answer_9012(request, WRONG_CONDITIONS))
            return
        packets = [] if self._history is None else [*self._history(request.cn, begin, end)]
        if not packets:
            self._say_now(request.qn, hj212.answer_9012(request, NO_DATA))
            return
        now = self._loop.time()
        self._working.add(request.qn)
        self._dialogue.extend(_Item(with_qn(packet, request.qn, self._device), now) for packet in packets)
        self._dialogue.append(_Item(Outgoing(request.qn, hj212.answer_9012(request, DONE), False), now))
        self._pump()

    def _verdict(self, request: hj212.Packet) -> int:
        """QnRtn of a request."""
        if request.mn != self.mn:
            return WRONG_MN
        if self._password is not None and request.pw != self._password:
            return WRONG_PW
        return READY if request.cn in (*CN_HISTORY, CN_SET_TIME) else WRONG_CN

    def _say_now(self, qn: str, answer: bytes) -> None:
        if self._transport is not None:
            self._write([_Item(Outgoing(qn, answer, False), 0.0)])

    # ---- the end of patience

    def _where(self) -> str:
        return f"gateway {self._address}, logger {self.mn}: {self._trouble or 'no answer'}"

    def _fail(self) -> None:
        self.close()
        owing = [item for item in (*self._waiting, *self._queue, *self._backlog) if item.owed]
        self._failed(
            ReplayError(
                f"{self._where()}; QN {owing[0].packet.qn} not answered in {self._timing.patience_s:g} s: look at the"
                " gateway's log; is its registry the one given here with --district?"
            )
        )


def why(error: BaseException) -> str:
    """What an error of the system says, in a few words."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError) and error.strerror and not error.strerror.startswith("Connect call failed"):
        return error.strerror
    return str(error) or type(error).__name__
