"""A notifier as its own process, and a log it reads, for tests that kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from schemas import topics
from schemas.alerts import Delivery, Notice
from tests.e2e import system
from tests.services.embedded import read


def tell(bootstrap: str, notices: list[Notice], partitions: int = 4) -> None:
    """Put notices into the outbox, as a judge does."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for notice in notices:
        partition = topics.partition_of(notice.group, partitions)
        producer.produce(topics.NOTICES, msgspec.json.encode(notice), notice.episode, partition)
    assert producer.flush(10) == 0


def deliveries(bootstrap: str, timeout: float = 2.0) -> list[Delivery]:
    """Every row there is."""
    return [msgspec.json.decode(m.value(), type=Delivery) for m in read(bootstrap, topics.DELIVERIES, 10**6, timeout)]


def finals(rows: list[Delivery]) -> Counter[tuple[str, str]]:
    return Counter((r.notice, r.person) for r in rows if r.final)


class Notify:
    """``envstream notify`` until :meth:`kill` or :meth:`end`."""

    def __init__(self, folder: Path, *words: str, env: dict[str, str] | None = None) -> None:
        self.errors = folder / f"notify-{time.monotonic_ns()}.err"
        with open(self.errors, "w") as err:
            self.process = subprocess.Popen(
                [*system.ENVSTREAM, "notify", *words], cwd=system.ROOT, stdout=subprocess.PIPE, stderr=err, text=True,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        assert json.loads(line)["ready"] == "notify"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.errors.read_text()
