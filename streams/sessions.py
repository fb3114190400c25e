"""What the gateway knows of each logger: connection, on-line state, clock, split packets, lost realtime values.

Kept in memory only: nothing here is judged. What agents need of it (a source is silent, its clock is off) they
conclude from the log, where every packet stands with its times.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from schemas import times
from schemas.hj212_codes import CN_REALTIME
from streams.hj212 import Crc, Packet
from streams.source_index import Origin

log = logging.getLogger("envstream.sessions")

CLOCK_OFF_MS = 5 * 60_000
"""A logger whose clock differs by more names wrong minutes; told once each time it goes off."""
PARTS_MS = 60_000
"""How long the parts of a split packet may take (emission.md §1.7); afterwards it counts as incomplete."""
MOST_SPLIT = 100
"""Split packets of one logger that wait for parts; a logger that begins more never finishes any."""
_DRIFTS = 5


@dataclass(slots=True)
class Session:
    """One logger, by its MN.

    Attributes:
        peer: address of its last connection, "" while it has none.
        since_ms: when it last connected, by the wall clock.
        last_ms: ``received`` of its last packet.
        packets: how many it said.
        drift_ms: its clock minus ours, median of its last packets; None while unknown.
        lost_realtime: realtime values missing between those that came.
        incomplete: split packets whose parts did not all come.
        st: ST of its last data packet, for requests.
        pw: PW it says, which requests to it must say too.
        crc: the checksum it speaks.
    """

    mn: str
    source: str = ""
    edition: str = ""
    peer: str = ""
    since_ms: int = 0
    last_ms: int = 0
    packets: int = 0
    lost_realtime: int = 0
    incomplete: int = 0
    clock_off: bool = False
    st: str = ""
    pw: str | None = field(default=None, repr=False)
    crc: Crc = "hj212"
    _drifts: deque[int] = field(default_factory=lambda: deque(maxlen=_DRIFTS))
    _parts: dict[tuple[str, ...], tuple[int, set[int]]] = field(default_factory=dict)
    _whole: dict[tuple[str, ...], int] = field(default_factory=dict)  # whose parts all came, and when the last did
    _realtime_s: int = 0
    _off_run: int = 0

    @property
    def drift_ms(self) -> int | None:
        """Its clock minus ours."""
        return round(median(self._drifts)) if self._drifts else None

    def hear(self, packet: Packet, origin: Origin, received_ms: int) -> None:
        """Take note of a packet of a registered logger."""
        self.source, self.edition = origin.source.id, packet.version
        self.last_ms = received_ms
        self.packets += 1
        if not packet.rf:  # backfill is late by its nature
            self._clock(packet.qn, received_ms)
            if packet.cn == CN_REALTIME:
                self._realtime(packet.data_time, origin.logger.realtime_s, received_ms)
        if packet.pnum is not None and packet.pno is not None and packet.pnum > 1:
            self._part(packet, received_ms)

    def _clock(self, qn: str, received_ms: int) -> None:
        if len(qn) != 17:
            return
        try:
            said_ms = times.parse_stamp(qn[:14]) * 1000 + int(qn[14:])
        except ValueError:
            return
        drift_ms = said_ms - received_ms
        self._drifts.append(drift_ms)
        # One late packet is no wrong clock, and one right packet ends the alarm.
        self._off_run = self._off_run + 1 if abs(drift_ms) > CLOCK_OFF_MS else 0
        if self._off_run == _DRIFTS:
            log.warning("logger %s: its clock is %+.0f s off; set it, or look at its network", self.mn, drift_ms / 1000)
            self.clock_off = True
        elif not self._off_run and self.clock_off:
            log.info("logger %s: its clock is right again", self.mn)
            self.clock_off = False

    def _realtime(self, data_time: str | None, interval_s: int, received_ms: int) -> None:
        """Count the instants between two realtime packets that never came; minutes and hours repair the means."""
        try:
            at = times.parse_stamp(data_time or "")
        except ValueError:
            return
        if at * 1000 > received_ms + CLOCK_OFF_MS:
            return  # of the future: after it nothing would seem to be missing
        gap_s = at - self._realtime_s
        # A gap of more than a day is a clock that was set, or a logger that was away: nobody counts instants then.
        if self._realtime_s and 0 < gap_s <= times.DAY_S and interval_s:
            # Half an interval of play: loggers are not punctual.
            self.lost_realtime += max(0, (gap_s + interval_s // 2) // interval_s - 1)
        self._realtime_s = max(self._realtime_s, at)

    def _part(self, packet: Packet, received_ms: int) -> None:
        assert packet.pnum is not None
        assert packet.pno is not None
        key = (packet.cn, packet.st, packet.data_time or packet.qn[:14], str(packet.pnum))
        if key in self._whole or not 1 <= packet.pno <= packet.pnum:
            return  # a part said again, or no part of it
        _, parts = self._parts.setdefault(key, (received_ms, set()))
        parts.add(packet.pno)
        if len(parts) >= packet.pnum:
            del self._parts[key]
            self._whole[key] = received_ms
            if len(self._whole) > MOST_SPLIT:
                del self._whole[next(iter(self._whole))]
        elif len(self._parts) > MOST_SPLIT:
            self._give_up(next(iter(self._parts)))

    def overdue(self, now_ms: int) -> int:
        """Give up split packets whose parts are overdue; how many."""
        self._whole = {key: at for key, at in self._whole.items() if now_ms - at <= PARTS_MS}
        late = [key for key, (begun, _) in self._parts.items() if now_ms - begun > PARTS_MS]
        for key in late:
            self._give_up(key)
        return len(late)

    def _give_up(self, key: tuple[str, ...]) -> None:
        _, parts = self._parts.pop(key)
        missing = sorted(set(range(1, int(key[3]) + 1)) - parts)[:10]
        log.warning("logger %s: CN %s of %s came without parts %s of %s", self.mn, key[0], key[2], missing, key[3])
        self.incomplete += 1

    def as_dict(self) -> dict[str, Any]:
        """For people who ask who is connected."""
        return {
            "mn": self.mn,
            "source": self.source,
            "edition": self.edition,
            "peer": self.peer,
            "since_ms": self.since_ms if self.peer else None,
            "last_ms": self.last_ms,
            "packets": self.packets,
            "drift_ms": self.drift_ms,
            "lost_realtime": self.lost_realtime,
            "incomplete": self.incomplete,
        }
