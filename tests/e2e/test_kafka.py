"""The parts as in production: gateway, worker and sink as processes of their own on a real Apache Kafka."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas import topics
from streams.view import Behind
from streams.writer import READERS
from tests.e2e import system
from tests.services.fixtures import InfluxDB, free_port

pytestmark = [pytest.mark.whole, pytest.mark.needs_kafka]

SEEDS = int(os.environ.get("ENVSTREAM_CHAOS_SEEDS", "1"))


class Parts:
    """Starts and ends parts on one Kafka; their output goes to files."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.port, self.control = free_port(), free_port()

    def start(self, part: str, *words: str, env: dict[str, str] | None = None) -> None:
        """Start and wait until it says that it is ready."""
        with open(self.folder / f"{part}.err", "a") as errors:
            process = subprocess.Popen(
                [*system.ENVSTREAM, part, "--bootstrap", self.bootstrap, *words], cwd=system.ROOT,
                stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **(env or {})},
            )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert '"ready"' in line, (self.folder / f"{part}.err").read_text()
        self.processes[part] = process

    def start_gateway(self) -> None:
        """The gateway, with a virtual log."""
        self.start(
            "gateway", "--port", str(self.port), "--control-port", str(self.control), "--clock", "virtual"
        )  # fmt: skip

    def start_worker(self) -> None:
        """A worker with a name of its own: after a kill nobody waits for the dead one."""
        self.start("worker", "--instance", "one", "--session", "6")

    def kill(self, part: str) -> None:
        """SIGKILL."""
        process = self.processes.pop(part)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """SIGTERM to all; each must end by itself."""
        for part, process in list(self.processes.items()):
            process.terminate()
            assert process.wait(30) == 0, f"{part}: {(self.folder / f'{part}.err').read_text()[-2000:]}"
        self.processes = {}

    def replay(self, file: Path, *words: str) -> dict[str, Any]:
        """``envstream replay``."""
        to = f"hj212://127.0.0.1:{self.port}"
        done = system.run("replay", file, "--to", to, "--control", f"127.0.0.1:{self.control}", "--json", *words)
        return json.loads(done.stdout)

    def caught_up(self) -> None:
        """Wait until worker and sink have taken everything."""
        behind = Behind(self.bootstrap, READERS)
        until = time.monotonic() + 120
        quiet = 0
        while quiet < 3:
            quiet = quiet + 1 if not any(behind.messages().values()) else 0
            assert time.monotonic() < until, behind.messages()
            time.sleep(0.3)
        behind.close()


@pytest.fixture
def parts(kafka: str, tmp_path: Path) -> Iterator[Parts]:
    """Fresh topics and groups, and nothing left running."""
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [topic.name for topic in topics.TOPICS]
    existing = [name for name in names if name in admin.list_topics(timeout=10).topics]
    if existing:
        for future in admin.delete_topics(existing).values():
            future.result()
        groups = [g.group_id for g in admin.list_consumer_groups().result().valid]
        for future in admin.delete_consumer_groups(groups).values() if groups else []:
            future.exception()
        until = time.monotonic() + 30
        while any(name in admin.list_topics(timeout=10).topics for name in names):
            assert time.monotonic() < until
            time.sleep(0.2)
    system.run("init", "--bootstrap", kafka)
    found = Parts(tmp_path, kafka)
    yield found
    for process in found.processes.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def december(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of twelve stations."""
    folder = tmp_path_factory.mktemp("data")
    return system.write_csv(folder / "december.csv.gz", system.sample_rows("2015-12-01", "2015-12-10"))


@pytest.fixture(scope="module")
def undisturbed(december: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The points of an undisturbed run on the embedded broker."""
    folder = tmp_path_factory.mktemp("undisturbed") / "data"
    system.once(folder, december)
    return system.verdicts(folder)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kill_9_of_worker_gateway_and_sink_on_a_real_kafka(
    seed: int, parts: Parts, december: Path, undisturbed: dict[str, str]
) -> None:
    chance = random.Random(seed)
    spool = ("--spool", str(parts.folder / "spool"))
    parts.start_worker()
    parts.start("sink", *spool)
    parts.start_gateway()
    report: dict[str, Any] = {}
    # ten virtual hours a second: ten days take 24 seconds, so that every kill falls into the replay
    player = threading.Thread(target=lambda: report.update(parts.replay(december, "--speed", "36000")))
    player.start()
    for part in ("worker", "gateway", "worker", "sink"):
        time.sleep(chance.uniform(0.2, 0.6))
        assert player.is_alive(), "the replay was over before the kill"
        parts.kill(part)
        if part == "worker":
            parts.start_worker()
        elif part == "gateway":
            parts.start_gateway()
        else:
            parts.start("sink", *spool)
    player.join(300)
    assert report["answered"] == 2_880
    parts.caught_up()
    parts.stop()
    assert system.verdicts(parts.folder) == undisturbed
    ready_lines = (parts.folder / "worker.err").read_text()
    assert "recovered in" in ready_lines


def test_a_worker_reads_its_state_and_not_the_log_again(parts: Parts, december: Path) -> None:
    parts.start_worker()
    parts.start_gateway()
    parts.replay(december)
    behind = Behind(parts.bootstrap, READERS[:1])
    until = time.monotonic() + 60
    while any(behind.messages().values()):
        assert time.monotonic() < until
        time.sleep(0.2)
    cells = high_watermarks(parts.bootstrap, topics.CELLS)
    parts.kill("worker")
    parts.start_worker()
    # two more days arrive late: the ten days before must still count, and nothing of them is said again
    more = system.write_csv(parts.folder / "more.csv", system.sample_rows("2015-12-11", "2015-12-12"))
    parts.replay(more)
    while any(behind.messages().values()):
        assert time.monotonic() < until + 60
        time.sleep(0.2)
    behind.close()
    parts.stop()
    assert high_watermarks(parts.bootstrap, topics.CELLS) - cells == 2 * 24 * 12
    year = last_year(parts.bootstrap)
    expected = system.assess(december, more)["years"]["2015"]
    assert {name: year[name] for name in ("good", "polluted", "invalid", "primary")} == {
        name: expected[name] for name in ("good", "polluted", "invalid", "primary")
    }


def high_watermarks(bootstrap: str, topic: str) -> int:
    """Messages ever written to a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-look"})
    total = sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(4))
    consumer.close()
    return total


def last_year(bootstrap: str) -> dict[str, Any]:
    """The last year tally on the log."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-look", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topics.VERDICTS, p, 0) for p in range(4)])
    found: dict[str, Any] = {}
    ends = 0
    while ends < 4:
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            ends += 1
        elif b"|air-year|" in (message.key() or b""):
            found = json.loads(message.value() or b"{}")
    consumer.close()
    return found


@pytest.mark.needs_influxdb
def test_the_whole_chain_into_influxdb(parts: Parts, december: Path, influxdb: InfluxDB) -> None:
    settings = influxdb.make_bucket()
    env = {
        "ENVSTREAM_INFLUX_URL": settings.url, "ENVSTREAM_INFLUX_TOKEN": settings.token,
        "ENVSTREAM_INFLUX_ORG": settings.org, "ENVSTREAM_INFLUX_BUCKET": settings.bucket,
    }  # fmt: skip
    parts.start_worker()
    parts.start("sink", env=env)
    parts.start_gateway()
    parts.replay(december)
    parts.caught_up()
    parts.stop()
    expected = system.assess(december)["years"]["2015"]
    (year,) = influxdb.rows(settings.bucket, "SELECT * FROM air_year WHERE dust = 'keep'")
    assert (year["good_days"], year["polluted_days"]) == (expected["good"], expected["polluted"])
    days = influxdb.rows(settings.bucket, "SELECT aqi FROM air_day WHERE valid = true tz('Asia/Shanghai')")
    assert [day["aqi"] for day in days] == [d["aqi"] for d in system.assess(december, days=True) if d["valid"]]
    hours = influxdb.rows(settings.bucket, "SELECT count(value) FROM air_hour WHERE valid = true AND factor = 'PM2.5'")
    assert 2_500 < hours[0]["count"] <= 2_880
    assert settings.token not in (parts.folder / "sink.err").read_text()
