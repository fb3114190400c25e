"""The air agent alone: blocks of the sample into ``AirJudge`` without Kafka, and its restart.

Run: ``python -m benchmarks.air_agent``; ``--profile`` prints where the time goes instead. Beside it, in the same
run, the agent one would write first: a message per reading, dicts and ``Decimal``.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import statistics
import sys
import time
from collections import defaultdict
from decimal import Decimal

from agents.air import AirJudge
from benchmarks.report import DISTRICT, SAMPLE, heading, line
from benchmarks.standards_air import plain_mean, plain_row
from schemas import blocks, times
from schemas.registry import AIR_FACTORS, Registry, load
from streams.air_csv import AirRows, read_air_csv

BATCHES = (1, 12, 100, 500)
SIX = len(AIR_FACTORS)
TIMES = 3


def readings_of(rows: AirRows, row: int) -> list[tuple[int, int] | None]:
    """Whole number and decimals of a row's six readings, None where absent."""
    return [blocks.number(texts[row]) if texts[row] else None for texts in rows.texts]


def as_blocks(rows: AirRows, registry: Registry, size: int) -> list[bytes]:
    """The registry, and the rows in blocks of so many packets; each is received when its hour is over."""
    version = blocks.RegistryVersion("gw", registry.digest, registry.text, 0)
    messages = [blocks.encode(version)]
    stations = list(rows.stations)
    for first in range(0, len(rows), size):
        block = blocks.Block("gw", first, stations, list(AIR_FACTORS), [], [], "", [], [], [], [], [], "", "")
        places, flags = [], []
        for row in range(first, min(first + size, len(rows))):
            end = int(rows.end[row])
            block.source.append(int(rows.station[row]))
            block.times.append(end)
            block.received.append(end * 1000)
            block.qn.append(f"{times.stamp(end)}000")
            block.counts.append(SIX)
            for factor, found in enumerate(readings_of(rows, row)):
                block.factor.append(factor)
                block.values.append(0 if found is None else found[0])
                places.append(blocks.NO_VALUE if found is None else blocks.PLACES[found[1]])
                flags.append("B" if found is None else "N")
        block.periods = blocks.HOUR * len(block.source)
        block.places, block.flags = "".join(places), "".join(flags)
        messages.append(blocks.encode(block))
    return messages


def judge(messages: list[bytes]) -> tuple[AirJudge, int]:
    """A fresh judge that took these messages, and how many it published."""
    found = AirJudge(0)
    found.restored(None)
    return found, sum(len(found.take(message, f"readings-air/0/{n}")) for n, message in enumerate(messages))


def one_by_one(rows: AirRows) -> list[bytes]:
    """A message per reading."""
    return [
        json.dumps(
            {
                "station": rows.stations[rows.station[row]],
                "time": times.text(int(rows.end[row])),
                "day": times.day_of(int(rows.end[row])),
                "hour": times.hour_index(int(rows.end[row])),
                "factor": factor,
                "value": rows.texts[f][row] or None,
            }
        ).encode()
        for row in range(len(rows))
        for f, factor in enumerate(AIR_FACTORS)
    ]


class Plain:
    """What one would write first: an AQI per area hour and day; no versions, and nothing is left after a crash."""

    def __init__(self) -> None:
        self.hours: dict[tuple[int, int], dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
        self.now: tuple[int, int] | None = None
        self.published = 0

    def take(self, message: bytes) -> None:
        """A reading."""
        reading = json.loads(message)
        at = reading["day"], reading["hour"]
        if self.now is not None and at > self.now:
            self.close(*self.now, at[0])
        self.now = at
        if reading["value"] is not None:
            value = Decimal(reading["value"])
            self.hours[at][reading["factor"]][reading["station"]] = value
            cell = {"source": reading["station"], "time": reading["time"], "factor": reading["factor"]}
            self.publish({**cell, "value": str(value), "reason": "ok"})

    def close(self, day: int, hour: int, following: int) -> None:
        """An hour is over, and with the last of a day the day."""
        said = self.hours[day, hour]
        self.verdict([plain_mean(list(said[factor].values()), 9) for factor in AIR_FACTORS], "hourly")
        if following == day:
            return
        hours = [self.hours.pop((day, h)) for h in range(24) if (day, h) in self.hours]
        stations = sorted({station for each in hours for factor in each.values() for station in factor})
        area = []
        for factor in AIR_FACTORS:
            means = [plain_mean([each[factor].get(station) for each in hours], 20) for station in stations]
            area.append(plain_mean(means, 9))
        self.verdict(area, "daily")

    def verdict(self, values: list[Decimal | None], period: str) -> None:
        """AQI, level, primary pollutants."""
        aqi, level, primary = plain_row(values, period)
        self.publish({"conc": [str(value) for value in values], "aqi": aqi, "level": level, "primary": primary})

    def publish(self, message: dict[str, object]) -> None:
        """To nowhere."""
        self.published += bool(json.dumps(message))


def plain(messages: list[bytes]) -> Plain:
    """The plain agent, one message per reading."""
    agent = Plain()
    for message in messages:
        agent.take(message)
    return agent


def median(work, setup=lambda: ()) -> float:
    """Median seconds of the processor, so that neighbours do not count; ``setup`` is not measured."""
    found = []
    for _ in range(TIMES):
        given = setup()
        begun = time.process_time()
        work(*given)
        found.append(time.process_time() - begun)
    return statistics.median(found)


def restart(messages: list[bytes]) -> None:
    """Rows of two months into a fresh judge, as after a crash."""
    rows = judge(messages)[0].changed_rows()

    def restored() -> None:
        fresh = AirJudge(0)
        for key, row in rows:
            fresh.restore(key, row)
        fresh.restored()

    seconds = median(restored)
    days = len(rows) - 2  # the registry and now are rows too
    line("rows of the checkpoint", f"{len(rows):,}", f"{sum(len(row) for _, row in rows) / 1e6:.1f} MB")
    line("restored and derived again", f"{seconds:.2f} s", f"{seconds / days * 1e3:.2f} ms a station day")


def main(words: list[str]) -> None:
    """Measure and print."""
    rows, registry = read_air_csv(SAMPLE), load(DISTRICT)
    judge(as_blocks(rows, registry, 500)[:4])  # the tables of the law are made when first asked for
    if "--profile" in words:
        messages = as_blocks(rows, registry, 12)
        profiler = cProfile.Profile()
        profiler.runcall(judge, messages)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        return
    heading("blocks into AirJudge, no Kafka; seconds of the processor, median of 3")
    readings = len(rows) * SIX
    line("packets, readings", f"{len(rows):,}", f"{readings:,}")
    reading_messages = one_by_one(rows)
    by_hand = median(lambda: plain(reading_messages))
    line("plain: a message per reading, dicts, Decimal", f"{readings / by_hand:9,.0f} readings/s")
    messages: list[bytes] = []
    for size in BATCHES:
        messages = as_blocks(rows, registry, size)
        seconds = median(lambda messages=messages: judge(messages))
        line(
            f"AirJudge, blocks of {size}",
            f"{readings / seconds:9,.0f} readings/s",
            f"{len(rows) / seconds:7,.0f} packets/s",
            f"{seconds / len(rows) * 1e6:4.0f} µs a packet",
            f"{by_hand / seconds:4.2f} x plain",
        )
    line("published by it", f"{judge(messages)[1]:,} cells and verdicts")
    heading("restart of AirJudge from its checkpoint")
    restart(messages)


if __name__ == "__main__":
    main(sys.argv[1:])
