"""What the platform asks of loggers: hours and minutes it misses, and commands the registry allows.

A request goes out, the logger answers 9011 (heard), sends the data as ordinary packets, and ends with 9012 (done), all
with the request's QN (emission.md §1.7). One request at a time per logger; no 9011 in time: the same request again,
OverTime and ReCount from the registry. What a logger that is not connected should send waits until it is.

No clock is read here; whoever owns the event loop says what time it is, in seconds of a steady clock.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas import times
from schemas.hj212_codes import CN_HOUR, CN_MINUTE, CN_REQUEST_ANSWER, CN_RESULT
from streams.hj212 import Packet
from streams.source_index import Origin

log = logging.getLogger("envstream.requests")

LONGEST_S = {CN_HOUR: 24 * times.HOUR_S, CN_MINUTE: 3 * times.HOUR_S}
"""Of one request; longer ranges are asked in pieces, newest first, so that live data get through between them."""
MOST_WAITING = 200
"""Pieces that wait per logger: eight days of hours; the oldest beyond are given up."""
ATTEMPTS = 3
"""Times a piece is asked for, over as many connections, before it is given up."""
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
        state: ``waiting``, ``asked`` or ``running``.
    """

    mn: str
    cn: str
    begin_s: int | None
    end_s: int | None
    parameters: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    state: str = "waiting"
    qn: str = ""
    data: bytes = b""
    tries: int = 0
    deadline: float = 0.0
    packets: int = 0

    def text(self) -> str:
        """For people: ``2061 2026-11-22 08:00 to 2026-11-22 11:00``."""
        if self.begin_s is None or self.end_s is None:
            return f"CN {self.cn}"
        return f"CN {self.cn} from {times.text(self.begin_s)} to {times.text(self.end_s)}"


class Requests:
    """The open requests of all loggers.

    Attributes:
        outcomes: how many requests ended how.
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
        self._queues: dict[str, deque[Request]] = {}
        self._open: dict[str, Request] = {}

    def want(self, mn: str, cn: str, begin_s: int, end_s: int) -> int:
        """Ask for periods that start from ``begin_s`` to ``end_s``, both inclusive; the pieces that makes."""
        longest = LONGEST_S.get(cn, 24 * times.HOUR_S)
        known = self._pieces(mn)
        pieces = 0
        last = end_s
        while last >= begin_s:
            first = max(begin_s, last - longest + (times.HOUR_S if cn == CN_HOUR else 60))
            piece = Request(mn, cn, first, last)
            if not any(k.cn == cn and k.begin_s == first and k.end_s == last for k in known):
                self._enqueue(piece)
                pieces += 1
            last = first - (times.HOUR_S if cn == CN_HOUR else 60)
        return pieces

    def unwant(self, mn: str, cn: str, begin_s: int, end_s: int) -> None:
        """What came by itself need not be asked for."""
        queue = self._queues.get(mn)
        if queue:
            kept = [r for r in queue if not (r.cn == cn and r.begin_s == begin_s and r.end_s == end_s)]
            self._queues[mn] = deque(kept)

    def command(self, mn: str, cn: str, parameters: dict[str, str]) -> None:
        """Send a command; whether the registry allows it is the caller's to know."""
        self._enqueue(Request(mn, cn, None, None, parameters, attempts=ATTEMPTS - 1))

    def _enqueue(self, request: Request) -> None:
        queue = self._queues.setdefault(request.mn, deque())
        queue.append(request)
        if len(queue) > MOST_WAITING:
            self._end(queue.popleft(), "given up")

    def _pieces(self, mn: str) -> list[Request]:
        current = self._open.get(mn)
        return [*self._queues.get(mn, ()), *([current] if current else [])]

    @property
    def waiting(self) -> int:
        """Requests not ended."""
        return sum(map(len, self._queues.values())) + len(self._open)

    def next(self, mn: str, now: float, origin: Origin | None) -> None:
        """Send the logger its next request, if it is connected and none is open."""
        queue = self._queues.get(mn)
        if not queue or mn in self._open or origin is None:
            return
        request = queue[0]
        data = self._write(request)
        if data is None or not self._send(mn, data):
            return
        queue.popleft()
        request.data, request.state = data, "asked"
        request.attempts += 1
        request.tries = 1
        request.deadline = now + origin.logger.over_time_s
        self._open[mn] = request
        log.info("asked logger %s: %s", mn, request.text())

    def heard(self, packet: Packet, now: float) -> None:
        """A packet of a logger that may belong to its open request."""
        request = self._open.get(packet.mn)
        if request is None:
            return
        if packet.cn == CN_REQUEST_ANSWER and packet.qn == request.qn:
            code = packet.meta.get("QnRtn", "100")
            if code != "1":
                self._end(request, QN_RETURNS.get(code, f"QnRtn {code}"))
                return
            request.state = "running"
        elif packet.cn == CN_RESULT and packet.qn == request.qn:
            code = packet.meta.get("ExeRtn", "2")
            self._end(request, EXE_RETURNS.get(code, f"ExeRtn {code}"))
            return
        elif request.state == "running" and packet.cn == request.cn:
            request.packets += 1
        else:
            return
        request.deadline = now + WHILE_RUNNING_S

    def lost(self, mn: str) -> None:
        """The connection of a logger ended: its request is asked again on the next one, or given up."""
        request = self._open.pop(mn, None)
        if request is not None:
            self._again_or_end(request, "connection lost")

    def check(self, now: float, origin_of: Callable[[str], Origin | None]) -> None:
        """Look at the deadlines, and send what waits."""
        for request in [r for r in self._open.values() if now > r.deadline]:
            origin = origin_of(request.mn)
            if (
                request.state == "asked"
                and origin is not None
                and request.tries <= origin.logger.re_count
                and self._send(request.mn, request.data)
            ):
                request.tries += 1
                request.deadline = now + origin.logger.over_time_s
            else:
                del self._open[request.mn]
                self._again_or_end(request, "no 9011" if request.state == "asked" else "no 9012")
        for mn in [mn for mn, queue in self._queues.items() if queue and mn not in self._open]:
            self.next(mn, now, origin_of(mn))

    def _again_or_end(self, request: Request, why: str) -> None:
        if request.attempts < ATTEMPTS:
            request.state = "waiting"
            self._queues.setdefault(request.mn, deque()).append(request)  # behind the others: they may fare better
        else:
            self._end(request, why)

    def _end(self, request: Request, outcome: str) -> None:
        if self._open.get(request.mn) is request:
            del self._open[request.mn]
        self.outcomes[outcome] += 1
        self.last[request.mn] = f"{request.text()}: {outcome}, {request.packets} packets"
        (log.info if outcome in ("done", "no data") else log.warning)(
            "logger %s: %s: %s after %d packets", request.mn, request.text(), outcome, request.packets
        )

    def as_dict(self, mn: str) -> dict[str, Any]:
        """For people who ask how a logger fares."""
        current = self._open.get(mn)
        return {
            "asked": current.text() if current else None,
            "waiting": [r.text() for r in list(self._queues.get(mn, ()))[:5]],
            "last_request": self.last.get(mn),
        }
