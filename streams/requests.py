"""What the platform asks of loggers: hours and minutes it misses, and commands the registry allows.

A request goes out, the logger answers 9011 (heard), sends the data as ordinary packets, and ends with 9012 (done), all
with the request's QN (emission.md §1.7). One request at a time per logger; no 9011 in time: the same request again,
OverTime and ReCount from the registry. What a logger that is not connected should send waits until it is.

No clock is read here; whoever owns the event loop says what time it is, in seconds of a steady clock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas import times
from schemas.hj212_codes import CN_HOUR, CN_MINUTE, CN_REQUEST_ANSWER, CN_RESULT
from streams.hj212 import Packet
from streams.source_index import Origin

log = logging.getLogger("envstream.requests")

LONGEST_HOURS = {CN_HOUR: 24, CN_MINUTE: 3}
"""Of one request; longer ranges are asked in pieces, newest first, so that live data get through between them."""
MOST_HOURS = 60 * 24
"""Hours that wait per logger and kind: sixty days, beyond which a reading is not judged anyway (design §5)."""
ATTEMPTS = 3
"""Times an hour is asked for, over as many connections, before it is given up."""
WHILE_RUNNING_S = 60.0
"""Longest silence between 9011, data and 9012 of one request."""

QN_RETURNS = {
    "1": "ready", "2": "refused", "3": "PW wrong", "4": "MN wrong", "5": "ST wrong", "6": "Flag wrong",
    "7": "QN wrong", "8": "CN wrong", "9": "CRC wrong", "100": "unknown",
}  # fmt: skip
EXE_RETURNS = {
    "1": "done", "2": "failed", "3": "conditions wrong", "4": "timeout", "5": "busy", "6": "system fault",
    "100": "no data",
}  # fmt: skip


@dataclass(slots=True)
class Request:
    """One request to one logger.

    Attributes:
        begin_s: first start of a period it asks for, epoch seconds; None for a command.
        end_s: last start, inclusive.
        hours: starts of the hours it asks for, and how often each was asked for before.
        running: whether the logger said 9011.
        tries: how often it was sent on this connection.
        packets: of data that came of it.
    """

    mn: str
    cn: str
    begin_s: int | None = None
    end_s: int | None = None
    hours: dict[int, int] = field(default_factory=dict)
    qn: str = ""
    data: bytes = b""
    running: bool = False
    tries: int = 1
    deadline: float = 0.0
    packets: int = 0

    def text(self) -> str:
        """For people: ``CN 2061 from 2026-11-22 08:00:00 to 2026-11-22 11:00:00``."""
        if self.begin_s is None or self.end_s is None:
            return f"CN {self.cn}"
        return f"CN {self.cn} from {times.text(self.begin_s)} to {times.text(self.end_s)}"


class Requests:
    """The open requests of all loggers.

    What is owed is kept as hours, so that what is wanted twice is asked once, and what came meanwhile not at all.

    Attributes:
        outcomes: how many requests ended how; a closed set of words.
        last: of each logger, how its last one ended.
    """

    def __init__(self, write: Callable[[Request], bytes | None], send: Callable[[str, bytes], bool]) -> None:
        """Make one without requests.

        Args:
            write: gives a request its QN and the bytes to send; None when that logger is unknown by now.
            send: sends bytes to a logger if it is connected, and says whether it is.
        """
        self.outcomes: Counter[str] = Counter()
        self.last: dict[str, str] = {}
        self._write, self._send = write, send
        self._owed: dict[str, dict[str, dict[int, int]]] = {}  # mn, cn, start of an hour: times it was asked for
        self._commands: dict[str, str] = {}  # one waits at most: a clock is set once, however often it is asked for
        self._open: dict[str, Request] = {}

    def want(self, mn: str, cn: str, begin_s: int, end_s: int) -> int:
        """Ask for periods that start from ``begin_s`` to ``end_s``, both inclusive; how many hours that adds."""
        first, last = begin_s // times.HOUR_S * times.HOUR_S, end_s // times.HOUR_S * times.HOUR_S
        first = max(first, last - (MOST_HOURS - 1) * times.HOUR_S)
        owed = self._owed.setdefault(mn, {}).setdefault(cn, {})
        asked = self._open[mn].hours if mn in self._open and self._open[mn].cn == cn else {}
        new = [hour for hour in range(first, last + 1, times.HOUR_S) if hour not in owed and hour not in asked]
        owed.update(dict.fromkeys(new, 0))
        if excess := sorted(owed)[:-MOST_HOURS]:
            for hour in excess:
                del owed[hour]
            self.outcomes["given up"] += 1
            log.warning("logger %s: %d hours before %s are too many to ask for", mn, len(excess), times.text(min(owed)))
        return len(new)

    def unwant(self, mn: str, cn: str, begin_s: int, end_s: int) -> None:
        """What came by itself need not be asked for."""
        owed = self._owed.get(mn, {}).get(cn, {})
        for hour in [hour for hour in owed if begin_s <= hour <= end_s]:
            del owed[hour]

    def command(self, mn: str, cn: str) -> None:
        """Send a command before anything else; whether the registry allows it is the caller's to know."""
        self._commands[mn] = cn

    @property
    def waiting(self) -> int:
        """Hours and commands that wait, and requests that are open."""
        hours = sum(len(owed) for kinds in self._owed.values() for owed in kinds.values())
        return hours + len(self._commands) + len(self._open)

    def heard(self, packet: Packet, now: float) -> None:
        """A packet of a logger that may belong to its open request."""
        request = self._open.get(packet.mn)
        if request is None:
            return
        if packet.cn == CN_REQUEST_ANSWER and packet.qn == request.qn:
            code = packet.meta.get("QnRtn", "")
            if code != "1":
                self._end(request, QN_RETURNS.get(code, "QnRtn of its own"))
                return
            request.running = True
        elif packet.cn == CN_RESULT and packet.qn == request.qn:
            self._end(request, EXE_RETURNS.get(packet.meta.get("ExeRtn", ""), "ExeRtn of its own"))
            return
        elif request.running and packet.cn == request.cn:
            request.packets += 1
        else:
            return
        request.deadline = now + WHILE_RUNNING_S

    def lost(self, mn: str) -> None:
        """The connection of a logger ended: its request is asked again on the next one, or given up."""
        if mn in self._open:
            self._again_or_end(self._open[mn], "connection lost")

    def check(self, now: float, origin_of: Callable[[str], Origin | None]) -> None:
        """Look at the deadlines, and send what waits."""
        for request in [r for r in self._open.values() if now > r.deadline]:
            origin = origin_of(request.mn)
            if (
                not request.running
                and origin is not None
                and request.tries <= origin.logger.re_count
                and self._send(request.mn, request.data)
            ):
                request.tries += 1
                request.deadline = now + origin.logger.over_time_s
            else:
                self._again_or_end(request, "no 9012" if request.running else "no 9011")
        for mn in [*self._commands, *(mn for mn in self._owed if mn not in self._commands)]:
            if mn not in self._open:
                self._next(mn, now, origin_of(mn))

    def _next(self, mn: str, now: float, origin: Origin | None) -> None:
        """Send the logger its next request, if it is connected."""
        request = self._piece(mn)
        if request is None or origin is None:
            return
        try:
            data = self._write(request)
        except ValueError as error:  # what its own packets say of it does not fit into a packet
            log.error("logger %s: %s cannot be written: %s", mn, request.text(), error)
            self._owed.pop(mn, None)
            self._commands.pop(mn, None)
            self.outcomes["not written"] += 1
            return
        if data is None or not self._send(mn, data):
            return
        if request.begin_s is None:
            del self._commands[mn]
        else:
            for hour in request.hours:
                del self._owed[mn][request.cn][hour]
        request.data, request.deadline = data, now + origin.logger.over_time_s
        self._open[mn] = request
        log.info("asked logger %s: %s", mn, request.text())

    def _piece(self, mn: str) -> Request | None:
        """The command, or the newest hours without a hole that one request may ask for."""
        if mn in self._commands:
            return Request(mn, self._commands[mn])
        kinds = {cn: owed for cn, owed in self._owed.get(mn, {}).items() if owed}
        if not kinds:
            self._owed.pop(mn, None)
            return None
        cn = max(kinds, key=lambda kind: max(kinds[kind]))
        owed = kinds[cn]
        first = last = max(owed)
        while first - times.HOUR_S in owed and (last - first) // times.HOUR_S + 1 < LONGEST_HOURS.get(cn, 24):
            first -= times.HOUR_S
        hours = {hour: owed[hour] for hour in range(first, last + 1, times.HOUR_S)}
        # EndTime is the start of the last period, inclusive: of minutes the last of that hour
        return Request(mn, cn, first, last + (times.HOUR_S - 60 if cn == CN_MINUTE else 0), hours)

    def _again_or_end(self, request: Request, why: str) -> None:
        again = {hour: asked + 1 for hour, asked in request.hours.items() if asked + 1 < ATTEMPTS}
        if not again:
            self._end(request, why)
            return
        del self._open[request.mn]
        self._owed.setdefault(request.mn, {}).setdefault(request.cn, {}).update(again)

    def _end(self, request: Request, outcome: str) -> None:
        del self._open[request.mn]
        self.outcomes[outcome] += 1
        self.last[request.mn] = f"{request.text()}: {outcome}, {request.packets} packets"
        (log.info if outcome in ("done", "no data") else log.warning)(
            "logger %s: %s", request.mn, self.last[request.mn]
        )

    def as_dict(self, mn: str) -> dict[str, Any]:
        """For people who ask how a logger fares."""
        current = self._open.get(mn)
        return {
            "asked": current.text() if current else None,
            "hours_waiting": sum(map(len, self._owed.get(mn, {}).values())),
            "last_request": self.last.get(mn),
        }
