"""The minutes everybody gets: a registry of stations, their readings as blocks and one by one, the true hour means.

Four groups, one to a partition, areas of up to 25 stations. Most minutes are valid; in a tenth of the hours of a factor
so many are flagged or missing that the 45 of an hour are in question. Numbers come from a seed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import msgspec
import numpy as np

from benchmarks.agents.arithmetic import HOUR_S, SIX, VALID_MINUTES, Reading, hour_of
from schemas import blocks, hj212_codes, registry, times, topics
from schemas.registry import AIR_FACTORS, Registry
from streams import reading_rows
from streams.source_index import Origin

PARTITIONS = 4
PACKETS_OF_A_BLOCK = 500
STATIONS_OF_AN_AREA = 25
DAY = dt.date(2026, 3, 2)
SEED = 20261123
WRITER = "bench"
PLACES = (1, 1, 3, 1, 0, 2)
"""Decimals of each factor as sent."""
LEAST = (2_000, 10_000, 200, 5_000, 60_000, 5_000)
SPAN = (30_000, 60_000, 2_000, 150_000, 120_000, 50_000)
"""Range of each factor in thousandths: plausible, and PM2.5 below PM10."""
FLAGS = ("D", "M", "")
"""Of minutes that do not count; "" is a minute without a value."""
ARRIVES_AFTER_MS = 2_000

Means = tuple[int | None, ...]
Truth = dict[tuple[str, int], Means]
"""Six means in thousandths of the unit, None below 45 valid minutes, by station and end of hour."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Message:
    """A message of a partition, in the order in which it is written."""

    partition: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Workload:
    """So many stations for so many minutes from a minute of the day on, and one more, which ends the last hour."""

    stations: int
    minutes: int
    begin: int = 0

    @property
    def readings(self) -> int:
        """Readings in it, with those of the last minute."""
        return self.stations * (self.minutes + 1) * SIX

    @cached_property
    def groups(self) -> list[str]:
        """A group of each partition."""
        found: dict[int, str] = {}
        n = 0
        while len(found) < PARTITIONS:
            name = f"air-{n}"
            found.setdefault(topics.partition_of(name, PARTITIONS), name)
            n += 1
        return [found[p] for p in range(PARTITIONS)]

    @cached_property
    def names(self) -> list[str]:
        """Station n is of partition n modulo four."""
        return [f"S{n:04d}" for n in range(self.stations)]

    @cached_property
    def registry(self) -> Registry:
        """The checked registry."""
        parts = ['format = 1\nname = "对照"\nname_en = "Comparison"\n\n[receive]\nhost = "127.0.0.1"\n']
        parts += [f'[[group]]\nid = "{group}"\nname = "{group}"\n' for group in self.groups]
        areas = {self._area(n): self.groups[n % PARTITIONS] for n in range(self.stations)}
        parts += [f'[[area]]\nid = "{area}"\nname = "{area}"\ngroup = "{group}"\n' for area, group in areas.items()]
        for n, name in enumerate(self.names):
            mn = f"BENCHAIR{n:016d}"
            parts.append(
                f'[[station]]\nid = "{name}"\nname = "{name}"\narea = "{self._area(n)}"\nmn = "{mn}"\n'
                f'valid_from = 2013-01-01\n\n[[logger]]\nmn = "{mn}"\nminute_interval = 1\n'
            )
        return registry.parse("\n".join(parts), "registry of the comparison")

    def _area(self, n: int) -> str:
        return f"area-{n % PARTITIONS}-{n // PARTITIONS // STATIONS_OF_AN_AREA}"

    # ---- numbers

    @cached_property
    def begin_s(self) -> int:
        """Start of the first minute."""
        return times.day_start(times.day_number(DAY)) + self.begin * 60

    @cached_property
    def ends(self) -> list[int]:
        """Ends of the minutes."""
        return [self.begin_s + 60 * (m + 1) for m in range(self.minutes + 1)]

    @cached_property
    def values(self) -> np.ndarray:
        """int64[minute, station, factor]: the whole numbers that are sent."""
        random = np.random.default_rng(SEED)
        shape = (self.minutes + 1, self.stations, SIX)
        thousandths = random.integers(0, SPAN, shape) + np.array(LEAST)
        return thousandths // np.array([10 ** (3 - places) for places in PLACES])

    @cached_property
    def flags(self) -> np.ndarray:
        """int8[minute, station, factor]: -1 where valid, else an index into FLAGS."""
        random = np.random.default_rng(SEED + 1)
        hours = self.minutes // 60 + 2
        share = np.where(
            random.random((hours, self.stations, SIX)) < 0.1,
            random.uniform(0.15, 0.35, (hours, self.stations, SIX)),
            0.01,
        )
        of_minute = share[[(self.begin % 60 + m) // 60 for m in range(self.minutes + 1)]]
        bad = random.random(of_minute.shape) < of_minute
        return np.where(bad, random.integers(0, len(FLAGS), of_minute.shape), -1).astype(np.int8)

    @cached_property
    def truth(self) -> Truth:
        """The means of every hour that ended, with whole numbers and fractions alone."""
        sums: dict[tuple[str, int], list[list[int]]] = {}
        values, flags = self.values.tolist(), self.flags.tolist()
        for m, end in enumerate(self.ends[:-1]):
            hour = hour_of(end)
            for n, name in enumerate(self.names):
                slots = sums.setdefault((name, hour), [[] for _ in range(SIX)])
                for f in range(SIX):
                    if flags[m][n][f] < 0:
                        slots[f].append(values[m][n][f] * 10 ** (3 - PLACES[f]))
        return {
            at: tuple(round(Fraction(sum(s), len(s))) if len(s) >= VALID_MINUTES else None for s in slots)
            for at, slots in sums.items()
        }

    # ---- messages

    @cached_property
    def one_by_one(self) -> list[Message]:
        """A message per reading, keyed by its station."""
        return list(self._readings())

    @cached_property
    def in_blocks(self) -> list[Message]:
        """Registry, blocks of up to 500 packets, a tick to every hour, and one that closes the last."""
        return list(self._blocks())

    def _readings(self) -> Iterator[Message]:
        values, flags = self.values.tolist(), self.flags.tolist()
        keys = [name.encode() for name in self.names]
        for m, end in enumerate(self.ends):
            for n, name in enumerate(self.names):
                for f, factor in enumerate(AIR_FACTORS):
                    value, flag = _said(values[m][n][f], flags[m][n][f])
                    reading = Reading(name, factor, end, value, PLACES[f], flag)
                    yield Message(n % PARTITIONS, keys[n], _encode(reading))

    def _blocks(self) -> Iterator[Message]:
        version = blocks.RegistryVersion(WRITER, self.registry.digest, self.registry.text, self.begin_s * 1000)
        for partition in range(PARTITIONS):
            yield self._message(partition, version)
        rows = [reading_rows.ReadingRows(WRITER) for _ in range(PARTITIONS)]
        held = [0] * PARTITIONS
        origins = [Origin(s, self.registry.logger(s.mn, DAY)) for s in self.registry.sources]
        values, flags = self.values.tolist(), self.flags.tolist()
        number = [0] * PARTITIONS
        for m, end in enumerate(self.ends):
            for n, origin in enumerate(origins):
                p = n % PARTITIONS
                said = _packet(origin, end, values[m][n], flags[m][n])
                rows[p].add(number[p], said, end * 1000 + ARRIVES_AFTER_MS)
                number[p] += 1
                held[p] += 1
                if held[p] == PACKETS_OF_A_BLOCK:
                    yield from self._written(p, rows, held)
            if end % HOUR_S == 0 or m == self.minutes:
                for p in range(PARTITIONS):
                    yield from self._written(p, rows, held)
                    yield self._message(p, blocks.Tick(WRITER, end * 1000 + 2 * ARRIVES_AFTER_MS))
        for p in range(PARTITIONS):
            yield self._message(p, blocks.Tick(WRITER, (self.ends[-1] + 2 * HOUR_S) * 1000))

    def _written(self, p: int, rows: list[reading_rows.ReadingRows], held: list[int]) -> Iterator[Message]:
        held[p] = 0
        for block in rows[p].blocks():
            yield self._message(p, block)

    def _message(self, partition: int, message: blocks.Reading) -> Message:
        return Message(partition, self.groups[partition].encode(), blocks.encode(message))


_CODES = [found.code for factor in AIR_FACTORS if (found := hj212_codes.factor_of_name(factor, "air"))]


def _said(value: int, flag: int) -> tuple[int | None, str]:
    if flag < 0:
        return value, "N"
    return (value, FLAGS[flag]) if FLAGS[flag] else (None, "B")


def _packet(origin: Origin, end: int, values: list[int], flags: list[int]) -> reading_rows.Reading:
    """The six minute means of a station as the gateway reads them from a packet (CN 2051)."""
    columns = []
    for f, factor in enumerate(AIR_FACTORS):
        value, flag = _said(values[f], flags[f])
        places = blocks.NO_VALUE if value is None else blocks.PLACES[PLACES[f]]
        columns.append(reading_rows.Column(factor, _CODES[f], "", value or 0, places, flag))
    return reading_rows.Reading(origin, end, blocks.MINUTE, f"{times.stamp(end)}000", False, columns)
