"""`envstream doctor` with nothing there, with everything there, and with one thing after another broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas import blocks, topics
from schemas.health import Health, Sample
from schemas.messages import Dead, encode
from schemas.registry import load
from streams import doctor, doctor_http, doctor_kafka, influx_admin
from streams.admin import create_topics
from streams.doctor import FAIL, OK, WARN, Finding
from streams.influx import InfluxSettings
from tests.e2e import system
from tests.services.embedded import wait_for
from tests.services.fixtures import InfluxDB, free_port

DISTRICT = load(system.ROOT / "districts" / "example")
PARTITIONS = 2


def told(
    words: tuple[str, ...], env: dict[str, str], code: int
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = system.run("doctor", "--json", *words, code=code, env={**os.environ, **env})
    return done, json.loads(done.stdout)


def by(findings: list[Finding], check: str) -> list[Finding]:
    return [one for one in findings if one.check == check]


def states(findings: list[Finding], check: str) -> set[str]:
    return {one.state for one in by(findings, check)}


def test_with_nothing_running_each_thing_is_one_failed_line(tmp_path: Path) -> None:
    nowhere = {name: f"http://127.0.0.1:{free_port()}" for name in ("ENVSTREAM_INFLUX_URL", "ENVSTREAM_GRAFANA_URL")}
    env = {**nowhere, "ENVSTREAM_INFLUX_TOKEN": "secret-of-the-test"}
    words = ("--bootstrap", f"127.0.0.1:{free_port()}", "--data", str(tmp_path))
    done, found = told(words, env, 1)
    assert [(one["check"], one["state"]) for one in found["findings"]][:3] == [
        ("kafka", FAIL), ("influxdb", FAIL), ("grafana", FAIL),
    ]  # fmt: skip
    assert found["failed"] >= 3 and all(one["cure"] for one in found["findings"] if one["state"] == FAIL)
    text = system.run("doctor", *words, code=1, env={**os.environ, **env})
    assert "[故障 fail] kafka 127.0.0.1:" in text.stdout and "无应答" in text.stdout
    for each in (done.stderr, text.stdout, text.stderr):
        assert "Traceback" not in each and "secret-of-the-test" not in each
    _, found = told(("--control", f"127.0.0.1:{free_port()}", "--data", str(tmp_path / "none")), {}, 1)
    assert [(one["check"], one["state"]) for one in found["findings"]] == [
        ("gateway", FAIL), ("up", FAIL), ("disk", FAIL),
    ]  # fmt: skip


def test_a_check_that_raises_is_one_failed_line_and_the_next_is_made() -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("no\nidea")

    checks: list[tuple[str, str, Callable[[], Any]]] = [
        ("log", "here", broken), ("disk", "x", lambda: [Finding("disk", OK, "x", "好", "good")]),
    ]  # fmt: skip
    first, second = doctor.examine(checks)
    assert first.state == FAIL and "no idea" in first.zh and "\n" not in first.line() and second.state == OK


def test_clocks_that_differ_are_told_and_then_wrong() -> None:
    found = [doctor.skew("x", ahead).state for ahead in (0.0, 2.0, -2.0, 10.0, -10.0, 100.0, -100.0)]
    assert found == [OK, OK, OK, WARN, WARN, FAIL, FAIL]
    assert "慢 10 秒" in doctor.skew("x", -10.0).zh and "快 10 秒" in doctor.skew("x", 10.0).zh


class Log:
    """What is put into a Kafka for the doctor to find."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})

    def put(self, topic: str, value: bytes, *, key: bytes | None = None, partition: int = 0, at: float = 0.0) -> None:
        self._producer.produce(topic, value, key, partition, timestamp=int(at * 1000))
        assert self._producer.flush(20) == 0

    def ticks(self, age_s: float) -> None:
        tick = blocks.encode(blocks.Tick("gw", int((time.time() - age_s) * 1000)))
        for topic in topics.READINGS:
            for partition in range(PARTITIONS):
                self.put(topic, tick, partition=partition)

    def take(self, group: str, *names: str, left: int = 0) -> None:
        """As a group that has taken all but some of each partition, and has gone."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 0})
        places = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
        for place in places:
            place.offset = max(consumer.get_watermark_offsets(place, timeout=10)[1] - left, 0)
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    def examined(self) -> list[Finding]:
        return list(doctor.examine(doctor_kafka.checks(self.bootstrap, DISTRICT)))


@pytest.mark.needs_kafka
def test_a_kafka_with_one_thing_after_another_broken(fresh: str) -> None:
    log = Log(fresh)
    found = log.examined()
    assert states(found, "kafka") == {OK} and states(found, "topic") == {FAIL}
    assert {one.place for one in by(found, "topic")} == {topic.name for topic in topics.TOPICS}
    assert not [one for one in found if "无法检查" in one.zh and one.check not in ("tick", "lag", "part", "dead")]

    create_topics(fresh, PARTITIONS, 1)
    wait_for(lambda: states(log.examined(), "topic") == {OK}, 20)
    found = log.examined()
    assert states(found, "log") == {WARN} and states(found, "tick") == {WARN}
    assert {one.place for one in by(found, "group")} == {topics.AGENTS_GROUP, topics.SINK_GROUP}, "ingest is not used"

    version = blocks.RegistryVersion("gw", DISTRICT.digest, DISTRICT.text, int(time.time() * 1000))
    log.put(topics.REGISTRY, b"live", key=topics.CLOCK_KEY)
    log.put(topics.REGISTRY, blocks.encode(version), key=topics.REGISTRY_KEY)
    log.ticks(0)
    found = log.examined()
    assert states(found, "log") == {OK} and not by(found, "registry") and states(found, "tick") == {OK}
    assert len(by(found, "tick")) == len(topics.READINGS)
    other = msgspec.structs.replace(version, digest="0123456789ab")
    log.put(topics.REGISTRY, blocks.encode(other), key=topics.REGISTRY_KEY)
    (wrong,) = by(log.examined(), "registry")
    assert wrong.state == FAIL and "0123456789ab" in wrong.zh and "registry apply" in wrong.cure

    log.take(topics.AGENTS_GROUP, *topics.JUDGED)
    (lag,) = [one for one in by(log.examined(), "lag") if one.place == topics.AGENTS_GROUP]
    assert lag.state == OK and "积压 0 条" in lag.zh
    for age_s, state in ((10, OK), (300, WARN), (3_000, FAIL)):
        log.put(topics.READINGS_AIR, blocks.encode(blocks.Tick("gw", int(time.time() * 1000))), at=time.time() - age_s)
        log.take(topics.AGENTS_GROUP, *topics.JUDGED)
        log.take(topics.AGENTS_GROUP, topics.READINGS_AIR, left=1)
        lags = [one for one in by(log.examined(), "lag") if one.place == topics.AGENTS_GROUP]
        assert [one.state for one in lags] == [state], age_s

    now = int(time.time() * 1000)
    for part, age_ms in (("gateway", 0), ("worker", 200_000)):
        said = Health(part, "here", now - age_ms, [Sample("lag", "cells", 3.0)])
        log.put(topics.HEALTH, encode(said), at=(now - age_ms) / 1000)
    parts = {one.place: one.state for one in by(log.examined(), "part")}
    assert parts == {"gateway here": OK, "worker here": WARN, "sink": WARN}

    assert states(log.examined(), "dead") == {OK}
    log.put(topics.DEAD, b"{}", at=time.time() - 2 * 86_400)
    log.put(topics.DEAD, b"{}", at=time.time() - 3600)
    (dead,) = by(log.examined(), "dead")
    assert dead.state == WARN and "死信 1 封" in dead.zh and "dead list" in dead.cure
    letter = Dead("cells/0/1/0", "cells/0/1", "422", "x", 0)
    for said in (letter, letter, Dead("", "", "", "", 0, retried=1)):
        log.put(topics.DEAD, encode(said), at=time.time())
    (dead,) = by(log.examined(), "dead")
    assert dead.state == WARN and "死信 1 封" in dead.zh, "each once, and none that another try settled"
    log.put(topics.DEAD, encode(msgspec.structs.replace(letter, retried=1)), at=time.time())
    assert states(log.examined(), "dead") == {OK}

    admin = AdminClient({"bootstrap.servers": fresh})
    change = ConfigEntry("retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)
    for future in admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, topics.PACKETS, incremental_configs=[change])]
    ).values():
        future.result(10)
    for future in admin.delete_topics([topics.NOTICES]).values():
        future.result(10)
    wait_for(lambda: len(by(log.examined(), "topic")) == 2, 20)
    assert {(one.place, one.state) for one in by(log.examined(), "topic")} == {("packets", WARN), ("notices", FAIL)}

    log.ticks(-3_600)  # later than what is there
    assert states(log.examined(), "tick") == {OK}


@pytest.mark.needs_kafka
def test_a_log_without_ticks_for_minutes_is_late_unless_it_is_a_replay(fresh: str) -> None:
    create_topics(fresh, PARTITIONS, 1)
    log = Log(fresh)
    version = blocks.RegistryVersion("gw", DISTRICT.digest, DISTRICT.text, int(time.time() * 1000))
    log.put(topics.REGISTRY, blocks.encode(version), key=topics.REGISTRY_KEY)
    log.put(topics.REGISTRY, b"live", key=topics.CLOCK_KEY)
    log.ticks(300)
    (first, *_) = by(log.examined(), "tick")
    assert first.state == FAIL and "没有时间信号" in first.zh and first.place.startswith("readings-air/")
    log.put(topics.REGISTRY, b"virtual", key=topics.CLOCK_KEY)
    assert states(log.examined(), "tick") == {OK}


def influx_env(place: InfluxSettings, token: str) -> dict[str, str]:
    return {
        "ENVSTREAM_INFLUX_URL": place.url, "ENVSTREAM_INFLUX_ORG": place.org, "ENVSTREAM_INFLUX_BUCKET": place.bucket,
        "ENVSTREAM_INFLUX_TOKEN": token,
    }  # fmt: skip


def seen(env: dict[str, str]) -> list[tuple[str, str]]:
    return [(one.check, one.state) for one in doctor.examine(doctor_http.checks(env))]


@pytest.mark.needs_influxdb
def test_an_influxdb_with_one_thing_after_another_broken(influxdb: InfluxDB, tmp_path: Path) -> None:
    place = InfluxSettings(influxdb.url, influxdb.token, influxdb.org, f"doctor-{time.time_ns()}")
    well = [("influxdb", OK), ("clock", OK)]
    assert seen(influx_env(place, influxdb.token)) == [*well, *[("bucket", FAIL)] * 2, *[("influxql", FAIL)] * 2]
    influx_admin.prepare(place, tmp_path)
    good = [*well, ("bucket", OK), ("bucket", OK)]
    assert seen(influx_env(place, influxdb.token)) == [*good, ("influxql", OK), ("influxql", OK)]
    reads, writes = ((tmp_path / f"{who}.token").read_text().strip() for who in ("grafana", "sink"))
    assert seen(influx_env(place, reads)) == [*good, ("influxql", OK), ("influxql", OK)]
    assert seen(influx_env(place, writes)) == good, "it may not ask, but it can write"
    assert seen(influx_env(place, "wrong")) == [*well, ("token", FAIL)]
    other = {**influx_env(place, influxdb.token), "ENVSTREAM_INFLUX_RECENT_DAYS": "30"}
    assert seen(other)[2:4] == [("bucket", OK), ("bucket", FAIL)]
    ((_, _, check),) = doctor_http.checks(other)
    words = [one.line() for one in check()]
    assert any("保留 90 天，应保留 30 天" in line for line in words) and not any(
        influxdb.token in line for line in words
    )
    assert seen({"ENVSTREAM_INFLUX_URL": place.url}) == [("influxdb", FAIL)], "no token"
    assert seen({}) == [("influxdb", WARN)]


@pytest.mark.whole
def test_the_embedded_default_and_what_of_it_has_ended(tmp_path: Path) -> None:
    control, data = free_port(), tmp_path / "data"
    command = [
        *system.ENVSTREAM,
        "up",
        "--data",
        str(data),
        "--port",
        "0",
        "--control-port",
        str(control),
        "--no-people",
    ]
    with open(tmp_path / "up.err", "w") as errors:
        process = subprocess.Popen(command, cwd=system.ROOT, stderr=errors, start_new_session=True)
    words = ("--control", f"127.0.0.1:{control}", "--data", str(data))
    try:
        wait_for(lambda: (data / "up.json").exists(), 60)
        _, found = told(words, {}, 0)
        assert [(one["check"], one["state"]) for one in found["findings"]][:3] == [
            ("gateway", OK), ("loggers", OK), ("up", OK),
        ]  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    _, found = told(words, {}, 1)
    assert [(one["check"], one["state"]) for one in found["findings"]][:2] == [("gateway", FAIL), ("up", FAIL)]
