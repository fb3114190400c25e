"""A year of twelve stations through the air judge, against the file judged directly; one partition against four."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import assess_air
from agents.air import AirJudge
from schemas import blocks, times, topics
from schemas.registry import AIR_FACTORS, Registry, load, parse
from streams.air_csv import AirRows, read_air_csv
from tests.e2e.system import ROOT, SAMPLE, YEAR

BEIJING = ROOT / "districts" / "beijing.toml"


def hourly(rows: AirRows, registry: Registry) -> list[bytes]:
    """The registry, then a block an hour, received when it is over."""
    version = blocks.RegistryVersion("gw", registry.digest, registry.text, 0)
    messages = [blocks.encode(version)]
    order = np.lexsort((rows.station, rows.end))
    first = 0
    for part in np.split(order, np.flatnonzero(np.diff(rows.end[order])) + 1):
        stations, factors = list(rows.stations), list(AIR_FACTORS)
        block = blocks.Block("gw", first, stations, factors, [], [], "", [], [], [], [], [], "", "")
        places = ""
        for row in part.tolist():
            end = int(rows.end[row])
            block.source.append(int(rows.station[row]))
            block.times.append(end)
            block.received.append(end * 1000)
            block.qn.append(f"{times.stamp(end)}000")
            block.counts.append(len(AIR_FACTORS))
            for factor, texts in enumerate(rows.texts):
                value, n = blocks.number(texts[row]) if texts[row] else (0, -1)
                block.factor.append(factor)
                block.values.append(value)
                places += blocks.PLACES[n] if n >= 0 else blocks.NO_VALUE
        block.periods, block.places = blocks.HOUR * len(part), places
        block.flags = "N" * len(places)
        messages.append(blocks.encode(block))
        first += len(part)
    last_s = int(rows.end.max())
    messages.append(blocks.encode(blocks.Tick("gw", (last_s + 2 * times.HOUR_S) * 1000)))
    return messages


def verdicts(messages: list[bytes], partition: int = 0, partitions: int = 1) -> dict[str, dict[bytes, bytes]]:
    """The last message of every key, by topic."""
    judge = AirJudge(partition, partitions)
    found: dict[str, dict[bytes, bytes]] = {}
    for n, message in enumerate(messages):
        for output in judge.take(message, f"readings-air/{partition}/{n}"):
            found.setdefault(output.topic, {})[output.key] = output.value
    return found


def equals_the_file(file: Any) -> int:
    """Every day and every year, as the agent and as ``assess air`` have it; how many days."""
    said = verdicts(hourly(read_air_csv(file), load(BEIJING)))[topics.VERDICTS]
    of_area = {key.decode().split("|")[2:4][1]: json.loads(value) for key, value in said.items()
               if key.startswith(b"beijing-air|beijing|air-day|")}  # fmt: skip
    area = assess_air.read_area([file])
    expected = assess_air.day_table(assess_air.judge_area(area))
    assert list(of_area) and sorted(of_area) == [day["date"] for day in expected]
    for day in expected:
        verdict = of_area[day["date"]]
        for name in ("edition", "aqi", "primary", "valid", "level", "category", "iaqi"):
            assert verdict[name] == day[name], (day["date"], name)
        assert bool(verdict["good"]) == day["good"]
    years = {key.decode().split("|")[3]: json.loads(value) for key, value in said.items()
             if key.startswith(b"beijing-air|beijing|air-year|") and key.endswith(b"|keep")}  # fmt: skip
    tallies = assess_air.assess_air([file])["years"]
    for year, tally in tallies.items():
        for name in ("good", "polluted", "invalid", "valid", "ratio", "by_category", "primary", "index"):
            assert years[year][name] == tally[name], (year, name)
    return len(expected)


def test_two_months_equal_the_file() -> None:
    assert equals_the_file(SAMPLE) == 61


@pytest.mark.whole
def test_the_year_2015_equals_the_file() -> None:
    if not YEAR.is_file():
        pytest.skip(f"{YEAR.name} is not here")
    assert equals_the_file(YEAR) >= 365


# ---- one partition or four

GROUPS = ("north", "south", "east", "west", "middle")
TOWNS = "format = 1\n" + "".join(
    f"""
[[group]]
id = "{group}"
[[area]]
id = "{group}-town"
name = "镇"
group = "{group}"
[[station]]
id = "{group}-one"
name = "一"
area = "{group}-town"
mn = "{group}1"
valid_from = 2026-01-01
[[station]]
id = "{group}-two"
name = "二"
area = "{group}-town"
mn = "{group}2"
valid_from = 2026-01-01
"""
    for group in GROUPS
)
START = times.parse_stamp("20260310000000")


def packets(chance: random.Random) -> list[tuple[str, int, int, list[int | None]]]:
    """Group and station, end, received, values: two days with gaps, late, repeated and shuffled packets."""
    found = []
    for group in GROUPS:
        for name in ("one", "two"):
            for h in range(1, 49):
                end = START + h * times.HOUR_S
                if chance.random() < 0.05:
                    continue
                values = [None if chance.random() < 0.05 else chance.randrange(1, 300) for _ in AIR_FACTORS]
                late = chance.choice((60, 60, 60, 60, 4_000, 90_000))
                for _ in range(chance.choice((1, 1, 1, 2))):
                    found.append((f"{group}-{name}", end, (end + late) * 1000, values))
    chance.shuffle(found)
    found.sort(key=lambda packet: packet[2])
    return found


def test_groups_are_spread_over_partitions() -> None:
    assert len({topics.partition_of(group, 4) for group in GROUPS}) > 1


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000))
def test_one_partition_and_four_say_the_same(seed: int) -> None:
    registry = parse(TOWNS, "towns")
    version = blocks.encode(blocks.RegistryVersion("gw", registry.digest, registry.text, 0))
    chance = random.Random(seed)
    alone: list[bytes] = [version]
    apart: list[list[bytes]] = [[version] for _ in range(4)]
    for number, (station, end, received, values) in enumerate(packets(chance)):
        message = blocks.encode(
            blocks.Block(
                "gw", number, [station], list(AIR_FACTORS), [0], [end], "h", [received], [f"{times.stamp(end)}000"],
                [6], list(range(6)), [value or 0 for value in values],
                "".join(blocks.NO_VALUE if value is None else "0" for value in values), "N" * 6,
            )
        )  # fmt: skip
        alone.append(message)
        apart[topics.partition_of(station.partition("-")[0], 4)].append(message)
        if chance.random() < 0.05:  # ticks of one partition say nothing to the others
            tick = blocks.encode(blocks.Tick("gw", received))
            chance.choice((alone, *apart)).append(tick)
    end_tick = blocks.encode(blocks.Tick("gw", (START + 6 * times.DAY_S) * 1000))
    one = verdicts([*alone, end_tick])
    four: dict[str, dict[bytes, bytes]] = {}
    for p, messages in enumerate(apart):
        for topic, said in verdicts([*messages, end_tick], p, 4).items():
            assert not four.get(topic, {}).keys() & said.keys()
            four.setdefault(topic, {}).update(said)
    for topic in (topics.CELLS, topics.VERDICTS, topics.REVISIONS):
        assert four[topic] == one[topic], topic
