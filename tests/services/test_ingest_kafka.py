"""Ingest on a real Kafka: kill -9 between append and commit, the command as a person starts it, the log's registry."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.air import AirJudge
from schemas import blocks, registry, times, topics
from schemas.messages import Packets
from streams.admin import create_topics
from tests.services.embedded import wait_for
from tests.services.fixtures import free_port

pytestmark = pytest.mark.needs_kafka

ROOT = Path(__file__).resolve().parents[2]
DISTRICT = ROOT / "districts" / "beijing.toml"
TOKEN = "t0ken-of-the-platform"
PARTITIONS = 4

# The process ends itself at the worst moment: what it read is acknowledged, and its offsets are not committed.
DIES_BEFORE_COMMIT = """
import os, signal, sys
from streams.ingest_topic import IngestTopic
IngestTopic._commit = lambda self, messages: os.kill(os.getpid(), signal.SIGKILL)
from envstream import main
main(sys.argv[1:])
"""


class Log:
    """A fresh log, and what stands in it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def send(self, topic: str, values: list[bytes], key: bytes | None = None) -> None:
        """Append, spread over all partitions unless there is a key."""
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for n, value in enumerate(values):
            producer.produce(topic, value, key, partition=0 if key else n % PARTITIONS)
            producer.poll(0)
        assert producer.flush(30) == 0

    def read(self, topic: str, partition: int | None = None) -> list[tuple[int, int, bytes]]:
        """Partition, offset and value of everything in a topic, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "look", "enable.partition.eof": True})
        places = range(PARTITIONS) if partition is None else (partition,)
        found = []
        for p in places:
            consumer.assign([TopicPartition(topic, p, 0)])
            while (message := consumer.poll(20)) is not None and message.error() is None:
                found.append((p, message.offset() or 0, message.value() or b""))
            assert message is not None
        consumer.close()
        return found

    def uncommitted(self) -> int:
        """Messages of the topic that the group has not committed."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": topics.INGEST_GROUP})
        places = [TopicPartition(topics.INGEST, p) for p in range(PARTITIONS)]
        left = 0
        for place in consumer.committed(places, timeout=10):
            _, high = consumer.get_watermark_offsets(place, timeout=10)
            left += high - max(place.offset, 0)
        consumer.close()
        return left

    def start(self, *words: str, program: tuple[str, ...] = ("-m", "envstream"), ready: bool = True) -> Any:
        """``envstream ingest``; the process and what it said when it was ready."""
        env = {**os.environ, "ENVSTREAM_INGEST_TOKEN_platform": TOKEN}
        command = [sys.executable, *program, "ingest", "--bootstrap", self.bootstrap, *words]
        with (self.folder / "errors").open("a") as errors:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
        self.processes.append(process)
        if not ready:
            return process, {}
        assert process.stdout is not None
        line = process.stdout.readline()
        assert '"ready": "ingest"' in line, self.errors()
        return process, json.loads(line)

    def errors(self) -> str:
        return (self.folder / "errors").read_text()


@pytest.fixture
def log(kafka: str, tmp_path: Path) -> Iterator[Log]:
    """Fresh topics and group, and nothing left running."""
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [topic.name for topic in topics.TOPICS]
    if existing := [name for name in names if name in admin.list_topics(timeout=10).topics]:
        for future in admin.delete_topics(existing).values():
            future.result()
        for future in admin.delete_consumer_groups([topics.INGEST_GROUP]).values():
            future.exception()
        wait_for(lambda: not set(names) & set(admin.list_topics(timeout=10).topics), 30)
    create_topics(kafka, PARTITIONS, 1)
    found = Log(kafka, tmp_path)
    yield found
    for process in found.processes:
        process.kill()
        process.wait()


def post(port: int, body: Any) -> dict[str, Any]:
    """What the answer to a POST says."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/readings", json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


def hour(source: str, end: int, so2: str, version: str = "") -> dict[str, Any]:
    return {
        "v": 1, "source": source, "period": "hour", "end": times.civil(end).isoformat(), "values": {"SO2": so2},
        "version": version,
    }  # fmt: skip


def test_kill_9_between_append_and_commit_loses_nothing_and_counts_nothing_twice(log: Log) -> None:
    chance = random.Random(7)
    district = registry.load(DISTRICT)
    last = int(time.time()) // 3600 * 3600
    expected = {
        (s.id, last - 3600 * h): f"{chance.randrange(1, 500)}.{h % 10}" for s in district.stations for h in range(150)
    }
    good = [
        json.dumps(hour(source, end, text, "20260101000000002")).encode() for (source, end), text in expected.items()
    ]
    # older versions of some, and what cannot be used
    older = [
        json.dumps(hour(s, e, "999", "20260101000000001")).encode() for s, e in chance.sample(sorted(expected), 200)
    ]
    bad = [b"no JSON %d" % n for n in range(50)] + [
        json.dumps(hour(f"Mars {n}", last, "1")).encode() for n in range(50)
    ]
    sent = [*good, *older, *bad]
    chance.shuffle(sent)
    words = ("--topic", "--district", str(DISTRICT))
    log.send(topics.INGEST, sent[:1000])

    for _ in range(2):  # appended, and dead before the commit
        process, _ = log.start(*words, program=("-c", DIES_BEFORE_COMMIT))
        assert process.wait(60) == -signal.SIGKILL
    assert log.uncommitted() == 1000
    process, _ = log.start(*words)
    before = len(log.read(topics.PACKETS))
    wait_for(lambda: len(log.read(topics.PACKETS)) > before, 60)
    log.send(topics.INGEST, sent[1000:])
    process.send_signal(signal.SIGKILL)  # wherever it is
    process.wait()
    process, _ = log.start(*words)
    wait_for(lambda: log.uncommitted() == 0, 60)
    process.terminate()
    assert process.wait(20) == 0, log.errors()

    kept = [raw for _, _, value in log.read(topics.PACKETS) for raw in json.loads(value)["raw"]]
    assert set(kept) == {each.decode() for each in sent}
    assert len(kept) > len(sent)  # read again, and kept again
    letters = [json.loads(value) for _, _, value in log.read(topics.DEAD)]
    assert {letter["text"] for letter in letters} == {each.decode() for each in bad}
    writers = {json.loads(value)["writer"] for _, _, value in log.read(topics.PACKETS)}
    assert len(writers) >= 3 and all(writer.startswith("in-") for writer in writers)

    partition = topics.partition_of("beijing-air", PARTITIONS)
    judge = AirJudge(partition, PARTITIONS)
    cells: dict[bytes, dict[str, Any]] = {}
    for _, offset, value in log.read(topics.READINGS_AIR, partition):
        for output in judge.take(value, f"{partition}/{offset}"):
            if output.topic == topics.CELLS:
                assert output.key is not None
                cells[output.key] = json.loads(output.value)
    judged = {(c["source"], c["time"]): c["values"][c["factors"].index("SO2")] for c in cells.values()}
    assert len(cells) == len(expected) and judged == expected


def test_all_ways_at_once_as_a_person_starts_them(log: Log) -> None:
    port, metrics = free_port(), free_port()
    folder = log.folder / "drop"
    process, told = log.start(
        "--http", f"127.0.0.1:{port}", "--topic", "--folder", str(folder), "--metrics", f"127.0.0.1:{metrics}",
        "--district", str(DISTRICT),
    )  # fmt: skip
    assert told == {"ready": "ingest", "http_port": port, "metrics_port": metrics}
    last = int(time.time()) // 3600 * 3600
    assert post(port, [hour("Dongsi", last, "1.50"), hour("Mars", last, "1")])["accepted"] == 1
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/v1/readings", b"{}", {"Authorization": "Bearer x"})
        )
    log.send(topics.INGEST, [json.dumps([hour("Gucheng", last, "2.50"), hour("Guanyuan", last, "3.50")]).encode()])
    label = times.civil(last).strftime("%Y-%m-%d %H:%M")
    (folder / "hours.part").write_text(
        "station,hour_end,so2_ug_m3,no2_ug_m3,co_ug_m3,o3_ug_m3,pm10_ug_m3,pm25_ug_m3\n"
        f"昌平,{label},4.50,,,,,\nChangping,{label},4.50,,,,,\n"
    )
    (folder / "hours.part").rename(folder / "hours.csv")
    wait_for(lambda: (folder / "done" / "hours.csv").exists() and log.uncommitted() == 0, 30)
    said = set()
    ticks = 0
    for _, _, value in log.read(topics.READINGS_AIR):
        block = blocks.decode(value)
        ticks += isinstance(block, blocks.Tick)
        if isinstance(block, blocks.Block):
            assert block.times == [last] * len(block.times)
            at = 0
            for source, count in zip(block.source, block.counts, strict=True):
                said.add((block.sources[source], block.values[at], block.places[at]))
                at += count
    assert said == {("Dongsi", 150, "2"), ("Gucheng", 250, "2"), ("Guanyuan", 350, "2"), ("Changping", 450, "2")}
    assert ticks >= PARTITIONS
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
        text = answer.read().decode()
    for line in (
        'envstream_ingest_total{result="accepted",way="http"} 1.0',
        'envstream_ingest_total{result="rejected",way="http"} 1.0',
        'envstream_ingest_total{result="accepted",way="topic"} 2.0',
        'envstream_ingest_total{result="accepted",way="folder"} 2.0',
        'envstream_packets_total{verdict="unlisted"} 1.0',
    ):
        assert line in text
    process.terminate()
    assert process.wait(20) == 0, log.errors()
    assert TOKEN not in log.errors() and "Traceback" not in log.errors()


def test_the_registry_of_the_log_is_in_force_and_followed(log: Log, tmp_path: Path) -> None:
    def versions() -> list[blocks.RegistryVersion]:
        found = [value for _, _, value in log.read(topics.REGISTRY) if value[:1] == b"{"]
        return [v for v in map(blocks.decode, found) if isinstance(v, blocks.RegistryVersion)]

    port = free_port()
    words = ("--http", f"127.0.0.1:{port}", "--district")
    last = int(time.time()) // 3600 * 3600
    process, _ = log.start(*words, str(DISTRICT))
    first = registry.load(DISTRICT)
    assert [v.digest for v in versions()] == [first.digest]
    process.terminate()
    assert process.wait(20) == 0

    text = DISTRICT.read_text(encoding="utf-8")
    left_behind = tmp_path / "old.toml"
    left_behind.write_text(text.replace('"Dongsi"', '"Xisi"'), encoding="utf-8")
    process, _ = log.start(*words, str(left_behind))
    assert "in force is the registry of the log" in log.errors()
    answer = post(port, [hour("Dongsi", last, "1"), hour("Xisi", last, "1")])
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (1, [1])
    assert [v.digest for v in versions()] == [first.digest]

    applied = registry.parse(text.replace('"Dongsi"', '"Nansi"'), "applied")
    version = blocks.RegistryVersion("gw", applied.digest, applied.text, last * 1000)
    log.send(topics.REGISTRY, [blocks.encode(version)], key=b"registry")
    wait_for(lambda: post(port, hour("Nansi", last, "1"))["accepted"] == 1, 20)
    process.terminate()
    assert process.wait(20) == 0, log.errors()


def test_only_into_a_live_log_that_exists(log: Log) -> None:
    process, _ = log.start("--topic", "--district", str(DISTRICT))
    process.terminate()
    assert process.wait(20) == 0
    assert b"live" in [value for _, _, value in log.read(topics.REGISTRY)]
    log.send(topics.REGISTRY, [b"virtual"], key=b"clock")
    process, _ = log.start("--topic", "--district", str(DISTRICT), ready=False)
    assert process.wait(60) == 2
    assert log.errors().splitlines()[-1].endswith("is virtual since its creation: ingest writes to live logs")
    assert "Traceback" not in log.errors()
    log.send(topics.REGISTRY, [b"live"], key=b"clock")
    admin = AdminClient({"bootstrap.servers": log.bootstrap})
    for future in admin.delete_topics([topics.INGEST]).values():
        future.result()
    wait_for(lambda: topics.INGEST not in admin.list_topics(timeout=10).topics, 30)
    process, _ = log.start("--topic", "--district", str(DISTRICT), ready=False)
    assert process.wait(60) == 2
    assert "topic ingest" in log.errors().splitlines()[-1] and "Traceback" not in log.errors()


def test_packets_of_ingest_are_evidence_like_others(log: Log) -> None:
    port = free_port()
    process, _ = log.start("--http", f"127.0.0.1:{port}", "--district", str(DISTRICT))
    last = int(time.time()) // 3600 * 3600
    post(port, hour("Dongsi", last, "1.50"))
    (evidence,) = [msgspec.json.decode(value, type=Packets) for _, _, value in log.read(topics.PACKETS)]
    assert (evidence.mn, evidence.verdict) == (["Dongsi"], ["ok"])
    assert evidence.peer[0].startswith("http platform 127.0.0.1")
    assert json.loads(evidence.raw[0]) == hour("Dongsi", last, "1.50")
    process.terminate()
    assert process.wait(20) == 0
