"""Notify on a real Kafka, killed again and again: each notice once, or twice where nobody can know; no secret shown."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from desk.notify import limits as table
from desk.notify import service
from desk.notify.channel_secrets import Secrets
from schemas import blocks, registry, topics
from schemas.alerts import GAVE_UP, SENDING, Notice
from streams.admin import create_topics
from tests.desk.notifying import REGISTRY, TEXTS, notice
from tests.desk.robots import Robots, in_a_thread
from tests.e2e.notifying import Notify, deliveries, finals, tell
from tests.services.embedded import read, wait_for

pytestmark = pytest.mark.needs_kafka

PARTITIONS = 4


@pytest.fixture
def log(fresh: str) -> str:
    """A live log with a registry, as a gateway leaves it."""
    create_topics(fresh, PARTITIONS, 1)
    version = blocks.RegistryVersion("gw", registry.parse(REGISTRY, "people.toml").digest, REGISTRY, 0)
    producer = Producer({"bootstrap.servers": fresh})
    producer.produce(topics.REGISTRY, b"live", topics.CLOCK_KEY, 0)
    producer.produce(topics.REGISTRY, blocks.encode(version), topics.REGISTRY_KEY, 0)
    assert producer.flush(10) == 0
    return fresh


@pytest.fixture
def started() -> Iterator[list[Notify]]:
    """Every notifier a test starts; none is left to tell the next test's notices."""
    found: list[Notify] = []
    yield found
    for each in found:
        if each.process.poll() is None:
            each.kill()


def test_killed_at_random(log: str, tmp_path: Path, started: list[Notify]) -> None:
    rng = random.Random(9)
    env = {f"ENVSTREAM_SECRET_{name}": text for name, text in TEXTS.items()}
    with in_a_thread() as robots:
        robots.secrets = {"ding-token-4711": "SECding-secret-0815"}
        robots.per_minute = dict.fromkeys(robots.per_minute, 10**6)

        def start() -> Notify:
            words = ("--bootstrap", log, "--robots", robots.url, "--log-level", "debug")
            started.append(Notify(tmp_path, *words, env=env))
            return started[-1]

        wanted: list[str] = []
        notify = start()
        for life in range(6):
            now = time.time_ns() // 1_000_000
            mine = [notice(f"{life}-{n}", "guo", level="red", at=now) for n in range(3)]
            wanted += [n.id for n in mine]
            robots.script("dingtalk", *(["500"] if life % 3 == 1 else []))
            tell(log, mine, PARTITIONS)
            time.sleep(rng.uniform(0.0, 0.15))
            notify.kill()
            notify = start()
        wait_for(lambda: {(name, "guo") for name in wanted} <= set(finals(deliveries(log, 1.0))), 120)
        notify.end()
        rows = deliveries(log)
        # killed twice between sending and writing it down: not sent a third time, and the chief is told instead
        unknown = {r.notice for r in rows if r.final and r.state == GAVE_UP and r.person == "guo"}
        assert {key: n for key, n in finals(rows).items() if key[1] == "guo"} == {(name, "guo"): 1 for name in wanted}
        for name in unknown:
            assert sum(r.notice == name and r.state == SENDING and r.person == "guo" for r in rows) >= 2, name
            assert any(r.notice.startswith(f"{name}|unreached") and r.person == "wang" for r in rows), name
        got = Counter(name for t in robots.accepted() for name in set(re.findall(r"超标 (\d-\d)", t.text)))
        assert set(wanted) - unknown <= set(got) <= set(wanted)
        for name, count in got.items():
            said = [r for r in rows if r.notice == name and "may have gone out" in r.words]
            assert count == 1 or (count == 2 and said), name
    everything = "".join(each.errors.read_text() for each in started) + repr(rows)
    for words in TEXTS.values():
        for word in words.split():
            assert word not in everything
    partitions = {p for p in range(PARTITIONS) if _length(log, p)}
    assert partitions == {topics.partition_of("air", PARTITIONS)}


def _length(bootstrap: str, partition: int) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "look"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topics.DELIVERIES, partition), timeout=10)[1])
    finally:
        consumer.close()


def test_a_live_log_that_nobody_told_of_secrets_keeps_everything(
    log: str, tmp_path: Path, started: list[Notify]
) -> None:
    notify = Notify(tmp_path, "--bootstrap", log)
    started.append(notify)
    tell(log, [notice("n", "guo", at=time.time_ns() // 1_000_000)], PARTITIONS)
    wait_for(lambda: len(deliveries(log, 1.0)) == 1, 60)
    (row,) = deliveries(log)
    assert (row.state, row.final) == ("kept", True)
    notify.end()
    assert "ENVSTREAM_SECRET_DUTY" in notify.errors.read_text()


def test_a_live_log_without_ticks_is_told_and_its_recovery_too(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LOOK_S", 0.2)
    soon = replace(table.read(), silent_s=2.0)
    monkeypatch.setattr(service.table, "read", lambda: soon)
    producer = Producer({"bootstrap.servers": log})

    async def run(robots: Robots) -> None:
        stop = asyncio.Event()
        plan = service.NotifyPlan(log, robots=robots.url)
        it = service._Service(plan, Secrets(TEXTS), service._Metrics(), lambda: None)
        running = asyncio.create_task(it.run(stop))
        try:
            until = time.monotonic() + 40
            while len(robots.accepted()) < 2:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            while len(robots.accepted()) < 4:
                assert time.monotonic() < until
                now = time.time_ns() // 1_000_000
                producer.produce(topics.READINGS_AIR, blocks.encode(blocks.Tick("gw", now)), None, 0)
                producer.flush(5)
                await asyncio.sleep(0.2)
        finally:
            stop.set()
            await running
            await it.close()

    with in_a_thread() as robots:
        asyncio.run(run(robots))
        said = [(t.kind, t.text.split("\n")[0]) for t in robots.accepted()]
    assert sorted(said[:2]) == [("dingtalk", "监测流水线中断"), ("wecom", "监测流水线中断")]
    assert sorted(said[2:]) == [("dingtalk", "监测流水线恢复正常"), ("wecom", "监测流水线恢复正常")]
    notices = [msgspec.json.decode(m.value(), type=Notice) for m in read(log, topics.NOTICES, 100, 2.0)]
    assert [(n.kind, n.reason) for n in notices] == [("pipeline", "first"), ("pipeline", "recovered")]
    assert finals(deliveries(log)) == {(n.id, p): 1 for n in notices for p in ("guo", "shen", "wang")}
