"""When a source was heard: on-line minutes of its days, and whether its clock can be believed.

Both stand on when packets were received, not on what they say of. A minute is a bit, so hearing a packet again changes
nothing. A clock is wrong when all live packets of an hour of receipt lie minutes from their request numbers by the same
distance, two such hours running: a packet that was held up is late by itself.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from agents.emission.when import name_of, split
from schemas import times
from standards.emission import incoming, rates
from streams.state.judge import Judge
from streams.state.shelf import Shelf

STATE_VERSION: Final = 1
CLOCK_OFF: Final = "clock-off"


class _Heard(msgspec.Struct, array_like=True):
    """A day of receipt: bits of its minutes, by hour; least and greatest distance to the request numbers, ms."""

    v: int
    minutes: list[int]
    least: dict[int, int]
    most: dict[int, int]


def _decode(row: bytes) -> _Heard:
    found = msgspec.msgpack.decode(row, type=_Heard)
    if found.v != STATE_VERSION:
        raise ValueError(f"a row of hearing of format {found.v}, this program reads {STATE_VERSION}")
    return found


class Clocks:
    """Hears packets."""

    def __init__(self, judge: Judge) -> None:
        self._rows: Shelf[_Heard] = judge.keep(Shelf("o", _decode, msgspec.msgpack.encode))
        self._off: dict[tuple[str, int], int | None] = {}  # (source, end of hour of receipt): by how much, derived
        self.heard_in: dict[int, set[str]] = {}
        """Sources that were heard in the open hours of receipt, by their end."""

    def hear(self, source: str, received_ms: int, apart_ms: int | None, live: bool) -> None:
        """A packet came.

        Args:
            source: whose.
            received_ms: when.
            apart_ms: how long after the instant of its request number; None where it names none.
            live: not a backfill.
        """
        second = -(-received_ms // 1000)
        day, hour = times.day_of(second), times.hour_index(second)
        name = name_of(source, day)
        row = self._rows.get(name)
        if row is None:
            row = _Heard(STATE_VERSION, [0] * 24, {}, {})
            self._rows.put(name, row)
        end = times.day_start(day) + (hour + 1) * times.HOUR_S
        before = row.minutes[hour], row.least.get(hour), row.most.get(hour)
        if live:
            row.minutes[hour] |= 1 << ((second - 1 - (end - times.HOUR_S)) // 60)
        if apart_ms is not None and live:
            row.least[hour] = min(apart_ms, row.least.get(hour, apart_ms))
            row.most[hour] = max(apart_ms, row.most.get(hour, apart_ms))
        if (row.minutes[hour], row.least.get(hour), row.most.get(hour)) != before:
            self._rows.touch(name)
        if end not in self.heard_in or source not in self.heard_in[end]:
            self.heard_in.setdefault(end, set()).add(source)

    # ---- clocks

    def _apart(self, source: str, end: int) -> tuple[int, int] | None:
        row = self._rows.get(name_of(source, times.day_of(end)))
        hour = times.hour_index(end)
        if row is None or hour not in row.least:
            return None
        return row.least[hour], row.most[hour]

    def off_by(self, source: str, end: int) -> int | None:
        """By how many ms a clock was slow in an hour of receipt (negative: fast); None where it can be believed."""
        found = self._apart(source, end)
        if found is None:
            return None
        least, most = found
        limit, same = (60_000 * incoming.number_of(name) for name in ("clock_off", "clock_same"))
        if most < -limit:
            return least  # a request of the future is no delay
        if least <= limit or most - least > same:
            return None
        before = self._apart(source, end - times.HOUR_S)
        steady = before is not None and abs(before[0] - least) <= same and before[1] - before[0] <= same
        return least if steady else None

    def heard(self, source: str, end: int) -> bool:
        """Whether a source was heard in an hour of receipt."""
        row = self._rows.get(name_of(source, times.day_of(end)))
        return row is not None and bool(row.minutes[times.hour_index(end)] or times.hour_index(end) in row.least)

    # ---- on-line

    def online(self, source: str, day: int, interval_s: int, through: int = 24) -> tuple[int, int]:
        """On-line minutes of the first hours of a day, and all minutes of them (在线率, emission.md §4.4)."""
        ends: list[int] = []
        back = -(-3 * interval_s // times.HOUR_S)
        for of in range(day - -(-back // 24), day + 1):
            row = self._rows.get(name_of(source, of))
            if row is not None:
                for hour, bits in enumerate(row.minutes):
                    start = times.day_start(of) + hour * times.HOUR_S
                    ends += [start + 60 * (n + 1) for n in range(60) if bits >> n & 1]
        start = times.day_start(day)
        return rates.online_minutes(np.array(ends, np.int64), interval_s, start, start + through * times.HOUR_S)

    def grow_old(self, cool_before: int, drop_before: int) -> None:
        """Days before one become bytes, before another are dropped."""
        for name in self._rows.names():
            day = split(name)[1]
            if day < drop_before:
                self._rows.drop(name)
            elif day < cool_before:
                self._rows.cool(name)
