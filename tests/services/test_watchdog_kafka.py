"""The watchdog of a worker on a real Kafka: it ends one that hangs, and leaves every other alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas import blocks, topics
from streams.admin import create_topics
from streams.offsets import Offsets, OffsetsError
from streams.watchdog import EXIT_STANDSTILL
from tests.e2e import system
from tests.services.embedded import wait_for
from tests.services.fixtures import KafkaProcess

pytestmark = pytest.mark.needs_kafka

PARTITIONS = 2
PATIENCE_S = 4.0


class HangingWorker:
    """The process of :mod:`tests.services.hanging_worker`."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.hang, self.errors, self.bootstrap = folder / "hang", folder / "worker.err", bootstrap
        self.process: subprocess.Popen[str] | None = None

    def start(self, slow_s: float = 0.0) -> None:
        command = [sys.executable, "-m", "tests.services.hanging_worker", self.bootstrap, str(PATIENCE_S)]
        env = {**os.environ, "HANG": str(self.hang), "SLOW": str(slow_s)}
        with open(self.errors, "a") as errors:
            self.process = subprocess.Popen(
                command, cwd=system.ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env=env
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.errors.read_text()[-3000:]

    @property
    def code(self) -> int | None:
        assert self.process is not None
        return self.process.poll()


@pytest.fixture
def worker(own_kafka: KafkaProcess, tmp_path: Path) -> Iterator[HangingWorker]:
    create_topics(own_kafka.bootstrap, PARTITIONS, 1)
    found = HangingWorker(tmp_path, own_kafka.bootstrap)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.process.kill()
        found.process.wait(30)


def tick(bootstrap: str, count: int) -> None:
    """Ticks to every partition of the air."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for n in range(count):
        for partition in range(PARTITIONS):
            message = blocks.encode(blocks.Tick("gw", 1_780_000_000_000 + n * 1000))
            producer.produce(topics.READINGS_AIR, message, partition=partition)
    assert producer.flush(30) == 0


def caught_up(bootstrap: str) -> bool:
    kafka, places = Offsets(bootstrap), [(topics.READINGS_AIR, partition) for partition in range(PARTITIONS)]
    try:
        return kafka.committed(topics.AGENTS_GROUP, places) == kafka.ends(places)
    except OffsetsError:  # it has just started
        return False


def test_a_worker_that_hangs_is_ended_and_no_other_is(own_kafka: KafkaProcess, worker: HangingWorker) -> None:
    bootstrap = own_kafka.bootstrap
    worker.start()
    tick(bootstrap, 20)
    wait_for(lambda: caught_up(bootstrap), 30)

    own_kafka.stop()
    time.sleep(3 * PATIENCE_S)
    assert worker.code is None, worker.errors.read_text()[-3000:]
    own_kafka.start()
    tick(bootstrap, 20)
    wait_for(lambda: caught_up(bootstrap), 60)
    assert worker.code is None, "Kafka was away for three times its patience"

    worker.hang.touch()
    tick(bootstrap, 30)
    assert worker.process is not None
    assert worker.process.wait(10 * PATIENCE_S) == EXIT_STANDSTILL
    (line,) = [line for line in worker.errors.read_text().splitlines() if "envstream.watchdog" in line]
    assert "readings-air/0 at 40 of 70" in line and "readings-air/1 at 40 of 70" in line and "code 75" in line
    worker.hang.unlink()

    worker.start(slow_s=PATIENCE_S * 0.75)  # of each partition of water, while those of the air wait with messages
    wait_for(lambda: caught_up(bootstrap), 60)
    assert worker.code is None, "a recovery took twice its patience"
    worker.process.terminate()
    assert worker.process.wait(30) == 0
    assert worker.errors.read_text().count("consumption stands still") == 1
