"""The hour mean of whoever is not envstream: at least 45 valid minutes, half-even in thousandths, published as JSON.

By readings in plain Python, by blocks in numpy. Sums are all that is needed while minutes come once and in order, and
the cheapest thing to keep; slots, which envstream keeps, also bear repetition and correction.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from schemas.blocks import NO_FLAG, PLACES, Block
from schemas.registry import AIR_FACTORS

FACTORS = {factor: f for f, factor in enumerate(AIR_FACTORS)}
SIX = len(AIR_FACTORS)
VALID_MINUTES = 45
VALID_FLAGS = ("N", NO_FLAG)
HOUR_S = 3600

_encode = msgspec.json.Encoder().encode


class Hour(msgspec.Struct):
    """An hour of a station as it is published: its end, and a decimal text or null for each factor."""

    source: str
    hour: int
    values: list[str | None]


class Reading(msgspec.Struct):
    """A message of those who take one reading at a time; ``value`` is a whole number with ``places`` decimals."""

    source: str
    factor: str
    end: int
    value: int | None
    places: int
    flag: str


def hour_of(end: int) -> int:
    """End of the hour that the minute ending then belongs to."""
    return -(-end // HOUR_S) * HOUR_S


def thousandths(value: int | None, places: int, flag: str) -> int | None:
    """A valid reading in thousandths, None when it does not count."""
    if value is None or flag not in VALID_FLAGS:
        return None
    return value * 10 ** (3 - places)


def mean(total: int, count: int) -> int | None:
    """Mean in thousandths, half to even."""
    if count < VALID_MINUTES:
        return None
    whole, left = divmod(total, count)
    return whole + (2 * left > count or (2 * left == count and whole % 2))


def text(value: int | None) -> str | None:
    """Decimal text of thousandths."""
    return None if value is None else f"{value // 1000}.{value % 1000:03d}"


def published(source: str, hour: int, sums: list[int], counts: list[int]) -> bytes:
    """The message of an hour that is over."""
    return _encode(Hour(source, hour, [text(mean(s, n)) for s, n in zip(sums, counts, strict=True)]))


# ---- blocks

_FACTOR_OF_PLACES = np.zeros(128, np.int64)
for _places in range(4):
    _FACTOR_OF_PLACES[ord(PLACES[_places])] = 10 ** (3 - _places)
_FLAG_COUNTS = np.zeros(128, np.bool_)
for _flag in VALID_FLAGS:
    _FLAG_COUNTS[ord(_flag)] = True


class Columns(msgspec.Struct):
    """The valid readings of a block as arrays, one entry per reading."""

    row: np.ndarray  # of its station, in the table that :class:`Stations` keeps
    factor: np.ndarray
    end: np.ndarray
    hour: np.ndarray
    value: np.ndarray  # thousandths


class Stations:
    """Stations of a partition and their rows, in the order in which they were first heard of."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._rows = {name: row for row, name in enumerate(names)}

    def columns(self, block: Block) -> Columns:
        """The valid readings of a block."""
        for name in block.sources:
            if name not in self._rows:
                self._rows[name] = len(self.names)
                self.names.append(name)
        rows = np.array([self._rows[name] for name in block.sources], np.int64)
        factors = np.array([FACTORS.get(name, -1) for name in block.factors], np.int64)
        packet = np.repeat(np.arange(len(block.source)), np.array(block.counts, np.int64))
        factor = factors[np.array(block.factor, np.int64)]
        scale = _FACTOR_OF_PLACES[np.frombuffer(block.places.encode(), np.uint8)]
        valid = _FLAG_COUNTS[np.frombuffer(block.flags.encode(), np.uint8)] & (scale > 0) & (factor >= 0)
        packet = packet[valid]
        end = np.array(block.times, np.int64)[packet]
        return Columns(
            row=rows[np.array(block.source, np.int64)][packet],
            factor=factor[valid],
            end=end,
            hour=-(-end // HOUR_S) * HOUR_S,
            value=(np.array(block.values, np.int64) * scale)[valid],
        )


def means(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means in thousandths, half to even; -1 where there are too few minutes."""
    whole, left = np.divmod(sums, np.maximum(counts, 1))
    whole += (2 * left > counts) | ((2 * left == counts) & (whole % 2 == 1))
    return np.where(counts >= VALID_MINUTES, whole, -1)


def publish_all(names: list[str], hour: int, sums: np.ndarray, counts: np.ndarray) -> list[tuple[str, bytes]]:
    """Key and message of every station of an hour that is over."""
    found = means(sums, counts).tolist()
    return [
        (name, _encode(Hour(name, hour, [None if v < 0 else text(v) for v in row])))
        for name, row in zip(names, found, strict=False)
    ]


class Sums(msgspec.Struct, array_like=True):
    """The open hour of a partition, as it is kept: bytes of int64[stations, 6]."""

    hour: int = 0
    names: list[str] = []
    sums: bytes = b""
    counts: bytes = b""


class SummedHour:
    """The open hour of the stations of a partition as sums and counts."""

    def __init__(self, kept: Sums | None = None) -> None:
        kept = kept or Sums()
        self.hour = kept.hour
        self.stations = Stations(list(kept.names))
        self.sums, self.counts = (
            np.frombuffer(data, np.int64).reshape(-1, SIX).copy() for data in (kept.sums, kept.counts)
        )

    def kept(self) -> Sums:
        """The state."""
        return Sums(self.hour, list(self.stations.names), self.sums.tobytes(), self.counts.tobytes())

    def take(self, block: Block) -> list[tuple[str, bytes]]:
        """Take a block; what is published because an hour is over."""
        columns = self.stations.columns(block)
        self._grow()
        out: list[tuple[str, bytes]] = []
        for hour in np.unique(columns.hour).tolist():
            if hour < self.hour:
                continue  # of an hour that was published
            if hour > self.hour:
                if self.hour:
                    out += publish_all(self.stations.names, self.hour, self.sums, self.counts)
                self.hour = hour
                self.sums[:], self.counts[:] = 0, 0
            of_hour = columns.hour == hour
            at = columns.row[of_hour], columns.factor[of_hour]
            np.add.at(self.sums, at, columns.value[of_hour])
            np.add.at(self.counts, at, 1)
        return out

    def _grow(self) -> None:
        more = len(self.stations.names) - len(self.sums)
        if more:
            self.sums, self.counts = (
                np.concatenate([table, np.zeros((more, SIX), np.int64)]) for table in (self.sums, self.counts)
            )


class SlottedHour:
    """The open hour of the stations of a partition as slots: a minute said twice counts once."""

    MISSING = np.iinfo(np.int64).min

    def __init__(self) -> None:
        self.hour = 0
        self.stations = Stations([])
        self.slots = np.empty((0, 60, SIX), np.int64)

    def take(self, block: Block) -> list[tuple[str, bytes]]:
        """Take a block; what is published because an hour is over."""
        columns = self.stations.columns(block)
        more = len(self.stations.names) - len(self.slots)
        if more:
            self.slots = np.concatenate([self.slots, np.full((more, 60, SIX), self.MISSING)])
        out: list[tuple[str, bytes]] = []
        for hour in np.unique(columns.hour).tolist():
            if hour < self.hour:
                continue
            if hour > self.hour:
                if self.hour:
                    out += self._publish()
                self.hour = hour
                self.slots[:] = self.MISSING
            of_hour = columns.hour == hour
            minute = (columns.end[of_hour] - 1) % HOUR_S // 60
            self.slots[columns.row[of_hour], minute, columns.factor[of_hour]] = columns.value[of_hour]
        return out

    def _publish(self) -> list[tuple[str, bytes]]:
        valid = self.slots != self.MISSING
        sums = np.where(valid, self.slots, 0).sum(axis=1)
        return publish_all(self.stations.names, self.hour, sums, valid.sum(axis=1))


class ReadHour:
    """The open hour of one station for those who take one reading at a time."""

    __slots__ = ("counts", "hour", "sums")

    def __init__(self, hour: int, sums: list[int], counts: list[int]) -> None:
        self.hour, self.sums, self.counts = hour, sums, counts

    @classmethod
    def begin(cls, hour: int) -> ReadHour:
        """Nothing yet."""
        return cls(hour, [0] * SIX, [0] * SIX)

    def take(self, reading: Any) -> None:
        """Add a reading of this hour."""
        value = thousandths(reading.value, reading.places, reading.flag)
        if value is not None:
            f = FACTORS[reading.factor]
            self.sums[f] += value
            self.counts[f] += 1
