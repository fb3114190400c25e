"""From HJ 212 packets to the columns of a block: sources, periods, factors, units, flags."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas import blocks, hj212_codes, times
from schemas.registry import AIR_FACTORS, Registry, Station
from streams.hj212 import Packet

_VALUE_SUFFIXES = ("Avg", "Rtd")
_AIR = set(AIR_FACTORS)
MOST_REMEMBERED = 100_000
FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Outside of these a DataTime is a broken clock; HJ/T 212 is of 2005, and InfluxDB's time ends in 2262."""


class PacketUnusable(ValueError):
    """A packet that is well formed and cannot be read as data; the text says why."""


@dataclass(frozen=True)
class Source:
    """A registered source and the group it is judged in."""

    station: Station
    group: str


class SourceIndex:
    """Finds the source of a packet; asked for every packet, so it remembers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._found: dict[tuple[str, dt.date], Source | None] = {}

    def of(self, packet: Packet, today: dt.date) -> Source | None:
        """Whose logger sent it: by the date of what it measured, else of today; None when unlisted then."""
        date = today
        digits = (packet.data_time or "")[:8]
        if len(digits) == 8 and digits.isdigit():
            try:
                date = dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
            except ValueError:
                date = today
        if (packet.mn, date) not in self._found:
            if len(self._found) > MOST_REMEMBERED:  # somebody invents numbers
                self._found.clear()
            station = self._registry.by_mn(packet.mn, date)
            group = self._registry.area(station.area).group if station is not None else ""
            self._found[packet.mn, date] = Source(station, group) if station is not None else None
        return self._found[packet.mn, date]


class ReadingRows:
    """Gathers packets of one partition into a block; more than one where packet numbers have holes."""

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._done: list[blocks.Block] = []
        self._block: blocks.Block | None = None
        self._places: list[str] = []
        self._flags: list[str] = []
        self._next = -1

    def add(self, number: int, source: Source, packet: Packet, received: int) -> None:
        """Add a packet under its number.

        Raises:
            PacketUnusable: not air data, or without a usable time; nothing was added.
        """
        period = hj212_codes.PERIOD_OF_CN.get(packet.cn)
        if period is None:
            raise PacketUnusable(f"CN {packet.cn}: not a data upload this version reads")
        end = _end_of(packet, period)
        if self._block is None or number != self._next:
            self._close()
            self._block = blocks.Block(self._writer, number, [], [], [], [], "", [], [], [], [], [], "", "")
        block = self._block
        self._next = number + 1
        block.source.append(_index(block.sources, source.station.id))
        block.times.append(end)
        block.periods += period
        block.received.append(received)
        block.qn.append(packet.qn)
        count = 0
        for code, fields in packet.readings:
            factor = hj212_codes.AIR_FACTOR_OF_CODE.get(code, code)
            shift = source.station.shift(factor) if factor in _AIR else 0
            value, places, flag = _value(fields, shift)
            block.factor.append(_index(block.factors, factor))
            block.values.append(value)
            self._places.append(places)
            self._flags.append(flag)
            count += 1
        block.counts.append(count)

    def blocks(self) -> list[blocks.Block]:
        """The blocks gathered; the rows are empty afterwards."""
        self._close()
        done, self._done = self._done, []
        return done

    def _close(self) -> None:
        if self._block is not None:
            self._block.places, self._block.flags = "".join(self._places), "".join(self._flags)
            self._done.append(self._block)
        self._block, self._places, self._flags = None, [], []


def _index(names: list[str], name: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        names.append(name)
        return len(names) - 1


def _end_of(packet: Packet, period: str) -> int:
    """End of the period; HJ 212 names its start (emission.md §1.7)."""
    try:
        start = times.parse_stamp(packet.data_time or "")
    except ValueError as error:
        raise PacketUnusable(f"DataTime: {error}") from None
    if not FIRST_YEAR <= times.civil(start).year <= LAST_YEAR:
        raise PacketUnusable(f"DataTime {packet.data_time}: not of this century: look at the logger's clock")
    if period != blocks.HOUR:
        return start
    if start % times.HOUR_S:
        raise PacketUnusable(f"DataTime {packet.data_time}: an hour begins on the full hour")
    return start + times.HOUR_S


def _value(fields: dict[str, str], shift: int) -> tuple[int, str, str]:
    flag = fields.get("Flag", "") or blocks.NO_FLAG
    text = next((fields[s] for s in _VALUE_SUFFIXES if s in fields), None)
    if text is None or text == "":
        return 0, blocks.NO_VALUE, flag[:1]
    try:
        value, places = blocks.number(text, shift)
    except ValueError:
        return 0, blocks.NO_VALUE, blocks.UNREADABLE
    return value, blocks.PLACES[places], flag[:1]
