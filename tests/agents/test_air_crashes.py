"""The air agent on the log of the chaos tests, killed again and again in this process: thousands of kills a minute."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from agents.air import AirJudge
from schemas import blocks, topics
from streams.state.kernel import POSITION_KEY, Output, Versions
from tests.agents.test_air import block, hours, judge, last, registry_message
from tests.e2e import workers

Row = tuple[bytes, int, bytes | None, bool]


@lru_cache(maxsize=4)
def undisturbed(seed: int, partition: int) -> tuple[list[bytes], dict[tuple[str, bytes], bytes]]:
    log = workers.make_messages(seed)
    return log.partitions[partition], _last(_run(AirJudge(partition, 4), log.partitions[partition], 0, partition))


def _run(judge_: AirJudge, messages: list[bytes], begin: int, partition: int) -> list[Output]:
    return [
        one
        for n in range(begin, len(messages))
        for one in judge_.take(messages[n], f"{topics.READINGS_AIR}/{partition}/{n}")
    ]


def _last(outputs: list[Output]) -> dict[tuple[str, bytes], bytes]:
    return {(one.topic, one.key): one.value for one in outputs if one.topic in workers.SAID}


def recovered(topic: list[Row], partition: int) -> tuple[AirJudge, int, set[bytes]]:
    versions = Versions()
    for key, offset, value, had_before in topic:
        versions.see(key, offset, value, had_before=had_before)
    rows = versions.rows()
    at, now = msgspec.json.decode(rows.pop(POSITION_KEY, b"[0, null]"))
    judge_ = AirJudge(partition, 4)
    for key, row in rows.items():
        judge_.restore(key, row)
    judge_.restored(now)
    return judge_, at, set(rows)


@pytest.mark.parametrize("partition", range(4))
@pytest.mark.parametrize("seed", range(2))
def test_kills_at_random_moments_and_rows(seed: int, partition: int) -> None:
    messages, calm = undisturbed(seed, partition)
    chance = random.Random(f"{seed}-{partition}")
    outputs: list[Output] = []
    topic: list[Row] = []
    judge_, at, keys = recovered(topic, partition)
    kills = 0.04
    while at < len(messages):
        outputs += judge_.take(messages[at], f"{topics.READINGS_AIR}/{partition}/{at}")
        at += 1
        killed = chance.random() < kills
        if chance.random() < 0.25:
            rows = [(key, at, row, key in keys) for key, row in judge_.changed_rows()]
            for key, _, row, _ in rows:
                (keys.discard if row is None else keys.add)(key)
            rows.append((POSITION_KEY, at, msgspec.json.encode([at, judge_.now_ms]), True))
            topic += rows[: chance.randrange(len(rows))] if killed else rows
        if killed:
            kills *= 0.97
            judge_, at, keys = recovered(topic, partition)
    got = _last(outputs)
    assert [key for key in calm | got if calm.get(key) != got.get(key)] == []


def test_a_factor_that_a_packet_does_not_name_is_missing_and_not_zero() -> None:
    found: Any = blocks.decode(block(hours(0, holes=0)[:1], 0))
    found.counts = [5]
    for name in ("factor", "values", "places", "flags"):
        setattr(found, name, getattr(found, name)[:5])
    outputs = judge([registry_message(), blocks.encode(found)])
    (cell,) = (json.loads(value) for value in last(outputs, topics.CELLS).values())
    assert (cell["values"][5], cell["reasons"][5]) == (None, "missing")
    (hour,) = (json.loads(value) for key, value in last(outputs).items() if b"|station-hour|" in key)
    assert hour["conc"]["PM2.5"] is None


def test_ticks_between_minutes_and_the_check_for_missing_hours_change_no_condition() -> None:
    """An hour of minutes alone has come five minutes after its end, however far apart ticks are."""
    log = workers.make_messages(1)
    messages = log.partitions[1]
    calm = _conditions(_run(AirJudge(1, 4), messages, 0, 1))
    ticked = []
    now = 0
    for message in messages:
        found = blocks.decode(message)
        to = (
            found.now
            if isinstance(found, blocks.Tick)
            else min(found.received)
            if isinstance(found, blocks.Block)
            else 0
        )
        if now and to > now:
            ticked += [blocks.encode(blocks.Tick("gw", instant)) for instant in range(now + 60_000, to, 60_000)][:300]
        ticked.append(message)
        now = max(now, to)
    assert _conditions(_run(AirJudge(1, 4), ticked, 0, 1)) == calm


def _conditions(outputs: list[Output]) -> list[dict[str, Any]]:
    found = [json.loads(one.value) for one in outputs if one.topic == topics.CONDITIONS]
    for one in found:
        del one["origin"]
    return found
