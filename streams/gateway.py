"""The HJ 212 gateway: takes what loggers say over TCP, has it appended to the log, and only then answers.

One event loop, one writer. A connection cuts bytes into packets, the gateway says what each one is (whose, allowed,
data or dialogue), the intake writes it, and the answer goes out when Kafka has acknowledged it. What loggers are
asked for (missing hours, a clock to be set) goes through :mod:`streams.requests`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from schemas import blocks, times, topics
from schemas.hj212_codes import (
    CN_ASK_TIME,
    CN_DATA_ANSWER,
    CN_HEARTBEAT,
    CN_HOUR,
    CN_MINUTE,
    CN_NOTICE_ANSWER,
    CN_REGISTER,
    CN_REQUEST_ANSWER,
    CN_RESULT,
    CN_SET_TIME,
    ST_AIR,
    ST_FLUE_GAS,
    ST_SURFACE_WATER,
)
from schemas.messages import HOUR_MISSING, Condition
from schemas.registry import Registry, RegistryError
from streams import hj212
from streams.clock import LIVE, VIRTUAL, WriterClock
from streams.connection import Connection
from streams.device_secrets import DeviceSecrets
from streams.gateway_metrics import Metrics
from streams.intake import ALIVE, DIALOGUE, KEPT, OK, Arrival, Intake
from streams.reading_rows import PacketUnusable, is_data, read_packet
from streams.requests import Request, Requests
from streams.sessions import Session
from streams.source_index import Origin
from streams.writer import Writer

log = logging.getLogger("envstream.gateway")

UNLISTED = "unlisted"
PASSWORD = "password"  # noqa: S105 - a verdict
CHECK_S = 0.5

_NOTICES = frozenset((CN_ASK_TIME, CN_HEARTBEAT, CN_REGISTER))
"""Answered by 9013: a clock request, a heartbeat, and the registration of 2025."""
_DIALOGUE = _NOTICES | {CN_REQUEST_ANSWER, CN_RESULT, CN_NOTICE_ANSWER, CN_DATA_ANSWER}
_ST_OF_KIND = {"air": ST_AIR, "water": ST_SURFACE_WATER, "emission": ST_FLUE_GAS}


@dataclass(slots=True)
class _Said(Arrival):
    """What arrived on a connection; ``came_on`` has it, and those on which it came again meanwhile, the last last."""

    packet: hj212.Packet | None = None
    answered: bool = False
    at: float = 0.0
    came_on: list[Connection] = field(default_factory=list)


class Gateway:
    """Receives loggers. The owner runs ``intake.run``, ``intake.tick`` and :meth:`watch`."""

    def __init__(
        self,
        writer: Writer,
        registry: Registry,
        clock: WriterClock,
        *,
        secrets: DeviceSecrets | None = None,
        metrics: Metrics | None = None,
        first_packet: int = 0,
    ) -> None:
        """Make a gateway without connections.

        Args:
            writer: of the log.
            registry: whom to believe.
            clock: of the log.
            secrets: passwords and SM4 keys.
            metrics: where it counts.
            first_packet: number of its first packet, after those that stand in the log.
        """
        self.writer = writer
        self.clock = clock
        self.secrets = secrets or DeviceSecrets()
        self.metrics = metrics or Metrics()
        self.connections: set[Connection] = set()
        self.sessions: dict[str, Session] = {}
        self.intake = Intake(writer, registry, clock, first_packet=first_packet)
        self.intake.on_full = lambda full: self._read_all(not full)
        self.intake.on_written = self._written_all
        self.intake.on_registry = lambda _: self._devices.clear()
        self.requests = Requests(self._request, self._send)
        self._devices: dict[str, hj212.Device | None] = {}
        self._devices_of = -1  # day number
        self._at: dict[str, Connection] = {}  # the last connection of each logger
        self._addresses: Counter[str] = Counter()
        self._gone: set[Connection] = set()  # closed, with something not yet written
        self._pending: dict[bytes, _Said] = {}
        self._last_qn_ms = 0
        self._was_held = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watched()

    def fail(self, error: BaseException) -> None:
        """The log cannot be written: whoever runs the gateway ends it."""
        if not self.failure.done():
            self.failure.set_exception(error)

    def _watched(self) -> None:
        watch = self.metrics.watch
        watch("envstream_connections", "Open connections", lambda: len(self.connections))
        watch("envstream_sources", "Sources of the registry", lambda: len(self.registry.sources_at(self._today())))
        watch("envstream_loggers_online", "Registered loggers that are connected", lambda: len(self._at))
        watch(
            "envstream_loggers_clock_off",
            "Loggers whose clock is more than five minutes off",
            lambda: sum(s.clock_off for s in self.sessions.values()),
        )
        watch(
            "envstream_realtime_lost",
            "Realtime values that never came, since start",
            lambda: sum(s.lost_realtime for s in self.sessions.values()),
        )
        watch(
            "envstream_split_incomplete",
            "Split packets whose parts did not all come, since start",
            lambda: sum(s.incomplete for s in self.sessions.values()),
        )
        watch("envstream_requests_waiting", "Requests to loggers not ended", lambda: self.requests.waiting)
        self.metrics.watch_intake(self.intake)

    @property
    def registry(self) -> Registry:
        """The registry in force."""
        return self.intake.registry

    # ---- connections

    def device(self, mn: str) -> hj212.Device | None:
        """How the packets of a logger are checked and opened, by the registry of today."""
        day = times.day_of(self.clock.now_ms() // 1000)
        if day != self._devices_of or len(self._devices) > 100_000:  # another day, or somebody invents numbers
            self._devices.clear()
            self._devices_of = day
        if mn not in self._devices:
            logger = self.registry.logger(mn, self._today())
            self._devices[mn] = hj212.Device(
                crc_mode=cast(hj212.CrcMode, logger.crc_mode), sm4_key=self.secrets.sm4_key(mn)
            )
        return self._devices[mn]

    def _today(self) -> dt.date:
        return times.civil(self.clock.now_ms() // 1000).date()

    def admit(self, connection: Connection) -> str | None:
        """Take a new connection, or the reason why not."""
        receive = self.registry.receive
        if len(self.connections) >= receive.most_connections:
            return "all"
        if self._addresses[connection.host] >= receive.most_per_address:
            return "address"
        self.connections.add(connection)
        self._addresses[connection.host] += 1
        self.metrics.accepted.inc()
        if self.intake.full or self.clock_held():
            # not at once: asyncio begins to read after connection_made, whatever was said in it
            asyncio.get_running_loop().call_soon(lambda: connection.read(not (self.intake.full or self._was_held)))
        return None

    def lost(self, connection: Connection) -> None:
        """A connection ended."""
        if connection not in self.connections:
            return  # it was not admitted
        if connection not in self._gone:
            self._gone.add(connection)
            self._addresses[connection.host] -= 1
            if not self._addresses[connection.host]:
                del self._addresses[connection.host]
        for mn in connection.mns:
            if self._at.get(mn) is connection:
                del self._at[mn]
                self.sessions[mn].peer = ""
                self.requests.lost(mn)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection.transport is None and not connection.unfinished:
            self.connections.discard(connection)
            self._gone.discard(connection)

    def _read_all(self, reading: bool) -> None:
        reading = reading and not self.intake.full and not self._was_held
        for connection in self.connections:
            connection.read(reading)

    # ---- packets

    def arrived(self, connection: Connection, pieces: list[hj212.Piece]) -> None:
        """Take framed pieces of a connection."""
        received = self.clock.now_ms()
        now = asyncio.get_running_loop().time()
        taken: list[Arrival] = []
        for piece in pieces:
            if isinstance(piece, hj212.Frame):
                if self._joins(connection, piece):
                    continue
                said = self._packet(connection, piece, received, now)
            else:
                said = self._said(connection, piece.raw, received, now)
                said.verdict = piece.reason
                if isinstance(piece, hj212.Sealed):
                    said.mn, said.group = piece.mn, self._group(piece.mn)
            if said.verdict in ALIVE or said.answered:
                connection.good()
            elif self.clock.kind != VIRTUAL or said.verdict != UNLISTED:  # a replay may have stations nobody listed
                connection.bad(said.raw)
            taken.append(said)
            if said.answered:
                self._pending[said.raw] = said
            connection.waiting += 1
        self.intake.take(taken)

    def _joins(self, connection: Connection, frame: hj212.Frame) -> bool:
        """Whether it is a resend of a packet that is being written; then the one answer goes where it came last."""
        pending = self._pending.get(frame.raw)
        if pending is None:
            return False
        self.metrics.joined.inc()
        came_on = pending.came_on
        if connection in came_on:
            came_on.remove(connection)
        else:
            connection.waiting += 1
        came_on.append(connection)
        return True

    def _packet(self, connection: Connection, frame: hj212.Frame, received: int, now: float) -> _Said:
        """What a packet is, whatever it holds: one that breaks something is evidence like any other."""
        said = self._said(connection, frame.raw, received, now)
        try:
            self._judge(said, frame, connection, received, now)
        except Exception:
            log.exception("%s: a packet that nobody foresaw; it is kept: %.200r", connection.peer, frame.raw)
            said.verdict, said.reading, said.answered = "unforeseen: see the log of the gateway", None, False
        return said

    def _said(self, connection: Connection, raw: bytes, received: int, now: float) -> _Said:
        return _Said(raw, connection.peer, "", received, OK, None, "", self._written, came_on=[connection], at=now)

    def _judge(self, said: _Said, frame: hj212.Frame, connection: Connection, received: int, now: float) -> None:
        try:
            packet = said.packet = hj212.parse(frame)
        except hj212.PacketError as error:
            said.verdict = str(error)
            return
        said.mn = packet.mn
        origin = self.intake.index.of(packet, received)
        today = None if origin is not None else self.intake.index.at(packet.mn, self._today())
        listed = origin or today
        if listed is None:
            said.verdict = UNLISTED
            said.cure = f"MN {packet.mn} is in no registry: add its station, or look at the logger"
            return
        said.group = listed.source.group
        if listed.logger.password and not self.secrets.password_fits(packet.mn, packet.pw):
            said.verdict, said.cure = PASSWORD, f"PW of MN {packet.mn} is not the one given for it"
            return
        self.intake.begin_live()
        self._hear(connection, packet, listed, received, now)
        if origin is None:  # its battery is empty, or it measured before it was listed
            said.verdict = f"DataTime {packet.data_time}: its MN was not listed then: look at the logger's clock"
        elif is_data(packet):
            try:
                said.reading = read_packet(packet, origin)
            except PacketUnusable as error:
                said.verdict = str(error)
        else:
            said.verdict = DIALOGUE if packet.cn in _DIALOGUE else KEPT
        # An unusable one is answered too: it is kept, and resending cures nothing.
        said.answered = packet.answer_wanted and (packet.cn in _NOTICES or packet.cn[:1] in "23")

    def _group(self, mn: str) -> str:
        origin = self.intake.index.at(mn, self._today()) if mn else None
        return origin.source.group if origin is not None else ""

    def _hear(self, connection: Connection, packet: hj212.Packet, origin: Origin, received: int, now: float) -> None:
        mn = packet.mn
        session = self.sessions.get(mn)
        if session is None:
            session = self.sessions[mn] = Session(mn)
        if self._at.get(mn) is not connection:
            self._at[mn] = connection
            connection.mns.add(mn)
            session.peer, session.since_ms = connection.peer, received
            session.pw, session.st = packet.header.get("PW"), ""
        if is_data(packet):
            session.st = packet.st
        session.crc = packet.crc
        session.hear(packet, origin, received)
        self.requests.heard(packet, now)
        if packet.cn == CN_ASK_TIME and CN_SET_TIME in origin.logger.commands and self.clock.kind == LIVE:
            self.requests.command(mn, CN_SET_TIME)

    def _written(self, arrival: Arrival) -> None:
        """The log has it: answer, once, where it was said last."""
        assert isinstance(arrival, _Said)
        if arrival.answered:
            self._pending.pop(arrival.raw, None)
            self._answer(arrival)
        for connection in arrival.came_on:
            connection.done()
            self._forget(connection)

    def _answer(self, said: _Said) -> None:
        assert said.packet is not None
        notice = said.packet.cn in _NOTICES
        try:
            answer = hj212.answer_9013(said.packet) if notice else hj212.answer_9014(said.packet)
        except ValueError as error:
            log.error("logger %s: no answer can be written: %s", said.mn, error)
            return
        if any(connection.send(answer) for connection in reversed(said.came_on)):
            self.metrics.answers.labels(CN_NOTICE_ANSWER if notice else CN_DATA_ANSWER).inc()

    def _written_all(self, batch: list[Arrival]) -> None:
        now = asyncio.get_running_loop().time()
        self.metrics.written(batch)
        for arrival in batch:
            if isinstance(arrival, _Said):
                self.metrics.latency.observe(now - arrival.at)

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
                async with self.intake.written:
                    await asyncio.wait_for(self.intake.written.wait(), 0.05)
            except TimeoutError:
                continue  # bytes may have come that made no packet

    # ---- requests

    def want(self, source: str, cn: str, begin_s: int, end_s: int) -> int:
        """Ask the logger of a source for hours or minutes; how many hours that adds to what it owes.

        Raises:
            ValueError: no such source on that date, nothing that can be asked for, or a virtual log.
        """
        if cn not in (CN_HOUR, CN_MINUTE):
            raise ValueError(f"CN {cn}: backfill asks for {CN_HOUR} (hours) or {CN_MINUTE} (minutes)")
        if self.clock.kind == VIRTUAL:
            raise ValueError("this log is virtual: a replay brings its own backfill")
        now_s = self.clock.now_ms() // 1000
        if not begin_s <= end_s <= now_s:
            raise ValueError("backfill ends at the latest now, and not before it begins")
        mn = self._mn_of(source, times.civil(end_s).date())
        return self.requests.want(mn, cn, begin_s, end_s)

    def command(self, source: str, cn: str) -> None:
        """Send a remote command to the logger of a source.

        Raises:
            ValueError: the registry does not enable it for that logger, or there is no such source.
        """
        mn = self._mn_of(source, self._today())
        allowed = self.registry.logger(mn, self._today()).commands
        if cn not in allowed:
            raise ValueError(
                f"CN {cn} is not enabled for logger {mn} of {source}: write commands = [{cn}] in its [[logger]]"
            )
        if cn != CN_SET_TIME:
            raise ValueError(f"CN {cn}: this version sends 1012 (set clock) alone")
        self.requests.command(mn, cn)

    def follow(self, topic: str, value: bytes) -> None:
        """What others wrote into the log: hours owed, and a registry put there by another gateway."""
        try:
            if topic == topics.REGISTRY:
                if value[:1] == b"{":  # else the log's clock
                    self.intake.adopt(blocks.decode(value))
                return
            condition = msgspec.json.decode(value, type=Condition)
        except (msgspec.DecodeError, blocks.BlockError, RegistryError) as error:
            log.debug("%s: not for us: %s", topic, error)
            return
        if condition.rule == HOUR_MISSING:
            self._owed(condition)

    def _owed(self, condition: Condition) -> None:
        """A source owes hours, or no longer does: its logger is asked for them when it is connected."""
        first, last = condition.since - times.HOUR_S, condition.until - times.HOUR_S  # ends of hours to their starts
        if self.clock.kind == VIRTUAL or last < first:
            return
        try:
            mn = self._mn_of(condition.subject, times.civil(first).date())
        except ValueError:
            return  # it left the registry meanwhile
        if condition.state == "ended":
            self.requests.unwant(mn, CN_HOUR, first, last)
        else:
            self.requests.want(mn, CN_HOUR, first, last)

    def _mn_of(self, source: str, date: dt.date) -> str:
        for found in self.registry.sources_at(date):
            if source in (found.id, found.mn):
                return found.mn
        raise ValueError(f"{source} is no source of the registry on {date}: give its id or its MN")

    def _origin(self, mn: str) -> Origin | None:
        return self.intake.index.at(mn, self._today())

    def _request(self, request: Request) -> bytes | None:
        origin = self._origin(request.mn)
        session = self.sessions.get(request.mn)
        if origin is None or session is None:
            return None
        qn_ms = self._last_qn_ms = max(self.clock.now_ms(), self._last_qn_ms + 1)
        request.qn = f"{times.stamp(qn_ms // 1000)}{qn_ms % 1000:03d}"
        st, pw = session.st or _ST_OF_KIND[origin.source.kind], session.pw or ""
        key = self.secrets.sm4_key(request.mn) if origin.logger.sm4 else None
        if request.cn == CN_SET_TIME:
            return hj212.set_clock(
                st=st, mn=request.mn, qn=request.qn, pw=pw, system_s=qn_ms // 1000, edition=session.edition,
                crc=session.crc,
            )  # fmt: skip
        assert request.begin_s is not None
        assert request.end_s is not None
        return hj212.request(
            st=st, cn=request.cn, mn=request.mn, qn=request.qn, pw=pw, begin_s=request.begin_s, end_s=request.end_s,
            edition=session.edition, crc=session.crc, sm4_key=key,
        )  # fmt: skip

    def _send(self, mn: str, data: bytes) -> bool:
        connection = self._at.get(mn)
        return connection is not None and connection.send(data)

    # ---- time

    def clock_held(self) -> bool:
        """Whether the wall clock leapt and nobody confirmed it yet: nothing is read, answered or written."""
        if self.clock.held and not self._was_held:
            self._was_held = True
            self._read_all(False)
            log.error(
                "the wall clock leapt %.0f minutes ahead: nothing is taken until it is set back, or confirmed with"
                " `envstream clock --confirm`",
                self.clock.jump_ms / 60_000,
            )
        return self._was_held

    def _release(self) -> None:
        self._was_held = False
        log.warning("the wall clock is believed: taking packets again")
        for connection in list(self.connections):
            connection.release()
        self._read_all(True)

    async def watch(self) -> None:
        """Look at what time does to connections, parts and requests, for ever."""
        loop = asyncio.get_running_loop()
        outcomes: Counter[str] = Counter()
        while True:
            await asyncio.sleep(CHECK_S)
            held = self.clock_held()
            if held and not self.clock.held:
                self._release()
            now = loop.time()
            idle_s = float(self.registry.receive.idle_s) if self.clock.kind == LIVE else None
            for connection in list(self.connections):
                connection.check(now, idle_s)
            for session in self.sessions.values():
                session.overdue(self.clock.now_ms())
            if not held:
                self.requests.check(now, self._origin)
            for outcome, count in self.requests.outcomes.items():
                self.metrics.requests.labels(outcome).inc(count - outcomes[outcome])
            outcomes = self.requests.outcomes.copy()

    def loggers(self) -> list[dict[str, Any]]:
        """Every logger that spoke, for people."""
        return [{**s.as_dict(), **self.requests.as_dict(mn)} for mn, s in sorted(self.sessions.items())]
