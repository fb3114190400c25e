"""``envstream action --bootstrap`` on a real Kafka, beside a gateway that writes to the same log."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas import blocks, topics
from streams.admin import create_topics
from tests.e2e import system
from tests.services.embedded import wait_for

pytestmark = pytest.mark.needs_kafka

DISTRICT = system.ROOT / "districts" / "example"
WHO = ("--by", "张三", "--why", "总站通报")
PARTITIONS = 4


@pytest.fixture
def live(fresh: str) -> Iterator[tuple[str, str]]:
    """A live log with its gateway: Kafka, and the control connection."""
    create_topics(fresh, PARTITIONS, 1)
    words = ("gateway", "--bootstrap", fresh, "--district", str(DISTRICT), "--port", "0", "--control-port", "0")
    command = [sys.executable, "-m", "envstream", *words, "--log-level", "error"]
    with subprocess.Popen(command, cwd=system.ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield fresh, f"127.0.0.1:{told['control_port']}"
        process.terminate()
        assert process.wait(20) == 0


def messages(bootstrap: str, topic: str, partition: int) -> list[blocks.Reading]:
    """Everything in a partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0)])
    found = []
    while (message := consumer.poll(20)) is not None and message.error() is None:
        found.append(blocks.decode(message.value() or b""))
    consumer.close()
    return found


def test_both_ways_lead_into_one_log(live: tuple[str, str]) -> None:
    bootstrap, control = live
    home = topics.partition_of("example-air", PARTITIONS)
    wait_for(lambda: any(isinstance(m, blocks.Tick) for m in messages(bootstrap, topics.READINGS_AIR, home)), 30)
    straight = system.run("action", "dust-day", "example", "2026-03-12", *WHO, "--bootstrap", bootstrap)
    asked = system.run("action", "dust-day", "example", "2026-03-12", *WHO, "--control", control)
    assert straight.stdout == asked.stdout  # the same action, by its id
    stands = [m for m in messages(bootstrap, topics.READINGS_AIR, home) if isinstance(m, blocks.Action)]
    assert stands == messages(bootstrap, topics.ACTIONS, home)
    assert [m.writer[:3] for m in stands] == ["act", "gw-"] and abs(stands[0].received / 1000 - time.time()) < 60
    told = json.loads(system.run("action", "list", "--bootstrap", bootstrap, "--json").stdout)
    assert [one["holds"] for one in told] == [False, True] and {one["by"] for one in told} == {"张三"}
    refused = system.run("action", "dust-day", "exampel", "2026-03-12", *WHO, "--bootstrap", bootstrap, code=2)
    assert "did you mean example?" in refused.stderr and refused.stderr.count("\n") == 1
    assert len(messages(bootstrap, topics.ACTIONS, home)) == 2


def test_a_kafka_without_the_topics_says_what_to_do(fresh: str) -> None:
    done = system.run("action", "dust-day", "example", "2026-03-12", *WHO, "--bootstrap", fresh, code=2)
    assert "run envstream init first" in done.stderr and done.stderr.count("\n") == 1
    done = system.run("action", "list", "--bootstrap", fresh, code=2)
    assert "run envstream init first" in done.stderr


def test_a_log_without_a_gateway_is_refused(fresh: str) -> None:
    create_topics(fresh, PARTITIONS, 1)
    done = system.run("action", "dust-day", "example", "2026-03-12", *WHO, "--bootstrap", fresh, code=2)
    assert "start the gateway first" in done.stderr and done.stderr.count("\n") == 1
    assert not any(messages(fresh, topics.ACTIONS, p) for p in range(PARTITIONS))
