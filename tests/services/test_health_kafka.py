"""All six parts on a real Kafka: what they serve and say is what schemas.health names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import topics
from schemas.health import HEALTH, PARTS
from streams.admin import create_topics
from tests.e2e import system
from tests.services.embedded import wait_for
from tests.services.fixtures import free_port

pytestmark = pytest.mark.needs_kafka

PARTITIONS = 2
LAGGING = ("ingest", "worker", "sink", "notify", "desk")
DISTRICT = str(system.ROOT / "districts" / "example")
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Page:
    """``/metrics`` of a part: samples by name, each with its labels."""

    def __init__(self, port: int) -> None:
        with _OPEN(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        self.samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M):
            found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            self.samples.setdefault(name, []).append((found, float(value)))

    def total(self, name: str, **labels: str) -> float | None:
        found = [v for has, v in self.samples.get(name, []) if labels.items() <= has.items()]
        return sum(found) if found else None


@pytest.fixture
def pages(fresh: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Kafka, and the port of /metrics of each part."""
    create_topics(fresh, PARTITIONS, 1)
    ports = {part: free_port() for part in PARTS}
    words = {
        "gateway": ("--district", DISTRICT, "--port", "0", "--control-port", "0"),
        "ingest": ("--district", DISTRICT, "--topic"),
        "worker": ("--instance", "one"),
        "sink": ("--spool", str(tmp_path / "spool")),
        "notify": (),
        "desk": ("--listen", f"127.0.0.1:{free_port()}", "--tokens", "none.toml"),
    }
    env = {**os.environ, "ENVSTREAM_DESK_TOKEN_GUO": "token-of-guo-0123456789"}
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for part in PARTS:
            command = [*system.ENVSTREAM, part, "--bootstrap", fresh, "--metrics", f"127.0.0.1:{ports[part]}"]
            with open(tmp_path / f"{part}.err", "w") as errors:
                processes[part] = subprocess.Popen(
                    [*command, *words[part]], cwd=system.ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env=env
                )
        for part, process in processes.items():
            assert process.stdout is not None
            assert '"ready"' in process.stdout.readline(), (tmp_path / f"{part}.err").read_text()[-2000:]
        yield fresh, ports
        for process in processes.values():
            process.terminate()
        for part, process in processes.items():
            assert process.wait(30) == 0, f"{part}: {(tmp_path / f'{part}.err').read_text()[-2000:]}"
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(30)


def said(bootstrap: str) -> dict[str, dict[str, Any]]:
    """The last message of health by its key."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topics.HEALTH, p, 0) for p in range(PARTITIONS)])
    found, ends = {}, 0
    while ends < PARTITIONS:
        message = consumer.poll(20)
        assert message is not None
        if message.error():
            ends += 1
        else:
            found[(message.key() or b"").decode()] = json.loads(message.value() or b"")
    consumer.close()
    return found


def test_every_number_is_served_and_every_part_says_how_it_fares(pages: tuple[str, dict[str, int]]) -> None:
    bootstrap, ports = pages
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    producer.produce(topics.INGEST, b"this is no JSON", partition=0)  # one letter
    producer.produce(topics.CELLS, b"nor is this", b"key", partition=0)  # and one of the sink
    assert producer.flush(20) == 0

    def missing() -> list[str]:
        page = {part: Page(port) for part, port in ports.items()}
        wanted = {
            "judged": page["worker"].total("envstream_judged_total"),
            "checkpoint": page["worker"].total("envstream_checkpoint_seconds"),
            "tick age": page["worker"].total("envstream_tick_age_seconds"),
            "letter of ingest": page["ingest"].total("envstream_dead_total"),
            "letter of the sink": page["sink"].total("envstream_dead_total"),
            **{f"lag of {part}": (page[part].total("envstream_lag") is not None) for part in LAGGING},
        }
        return [what for what, value in wanted.items() if not value]

    until = time.monotonic() + 60
    while left := missing():
        assert time.monotonic() < until, left
        time.sleep(0.2)
    page = {part: Page(port) for part, port in ports.items()}
    # deliveries alone have no sample before the first one: tests/streams/test_health.py
    for name, number in HEALTH.items():
        served = [s for p in page.values() for s in p.samples.get(number.metric, [])]
        if number.metric == "envstream_deliveries_total":
            continue
        assert served, name
        assert all(number.about in labels for labels, _ in served if number.about), name
    for part in PARTS:
        assert (page[part].total("process_resident_memory_bytes") or 0) > 1e7, part
    assert page["gateway"].total("envstream_lag") is None, "it takes nothing from the log"
    assert page["ingest"].total("envstream_dead_total") == page["sink"].total("envstream_dead_total") == 1
    assert page["ingest"].total("envstream_lag", topic="ingest") == 0
    assert page["desk"].total("envstream_lag", topic="registry") == 0
    assert page["worker"].total("envstream_tick_age_seconds", topic="readings-air", partition="1") < 60  # type: ignore[operator]

    wait_for(lambda: len(said(bootstrap)) == len(PARTS), 30)
    told = said(bootstrap)
    assert {key.partition("|")[0]: m["part"] for key, m in told.items()} == {part: part for part in PARTS}
    assert told["worker|one"]["instance"] == "one"
    for message in told.values():
        names = {name for name, _, _ in message["samples"]}
        assert {"memory", "cpu", "up_since"} <= names <= set(HEALTH)
