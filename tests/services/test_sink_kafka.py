"""The sink on a real Kafka: in a group, with another sink, over the gaps compaction leaves, over a restart of Kafka."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas import topics
from streams.admin import create_topics
from streams.line_protocol import lines
from streams.spool import Spool, count_lines
from streams.target import BadLine, Batch, Busy
from tests.services import samples
from tests.services.embedded import RunningSink, wait_for

pytestmark = pytest.mark.needs_kafka


class Lines:
    """A target that keeps what it was given; shared by two sinks."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    def position(self, topic: str, partition: int) -> int | None:
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        for part in batch.parts.values():
            self.stored += part.lines
        return []

    def close(self) -> None:
        pass


@pytest.fixture
def topic(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic and a group of this test's own, in place of the sunk ones."""
    name = f"cells-{uuid.uuid4().hex[:6]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_topics([NewTopic(name, 4, 1)]).values():
        future.result(10)
    monkeypatch.setattr(topics, "SUNK", (name,))
    monkeypatch.setattr(topics, "SINK_GROUP", f"sink-{name}")
    return name


def send(bootstrap: str, topic: str, values: list[bytes], **config: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, **config})
    for n, value in enumerate(values):
        producer.produce(topic, value, partition=n % 4)
    assert producer.flush(20) == 0


def values(count: int) -> list[bytes]:
    return [v for t, _, v in samples.days(count) if t == "cells"]


def test_two_sinks_share_the_partitions_and_one_takes_over(kafka: str, topic: str) -> None:
    sent = values(20)
    store = Lines()
    first = RunningSink(kafka, store, embedded=False, linger_s=0.2)
    assert first.ready.wait(15)
    send(kafka, topic, sent[: len(sent) // 2])
    second = RunningSink(kafka, store, embedded=False, linger_s=0.2)
    assert second.ready.wait(15)
    send(kafka, topic, sent[len(sent) // 2 :])
    expected = {line for v in sent for line in lines(v)}
    wait_for(lambda: expected <= set(store.stored), 20)
    assert first.end() < 1.6
    more = values(25)[:200]
    send(kafka, topic, more)
    wait_for(lambda: {line for v in more for line in lines(v)} <= set(store.stored), 20)
    second.end()
    assert first.error is None and second.error is None


class BusyLines(Lines):
    """A store that takes nothing for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = True
        self.asked = 0

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        self.asked += 1
        if self.busy:
            raise Busy(0.1, "not now")
        return super().write(batch, stop)


def test_what_comes_back_in_a_rebalance_while_the_store_is_busy_is_read_again(kafka: str, topic: str) -> None:
    """It was paused, and Kafka's client keeps it paused over the rebalance."""
    sent = values(20)
    store = BusyLines()
    first = RunningSink(kafka, store, embedded=False, linger_s=0.1)
    assert first.ready.wait(15)
    send(kafka, topic, sent[:100])
    wait_for(lambda: store.asked > 1, 20)
    second = RunningSink(kafka, store, embedded=False, linger_s=0.1)
    assert second.ready.wait(15)
    wait_for(lambda: len(first.stats.assigned) == 2, 20)
    store.busy = False
    wait_for(lambda: {line for v in sent[:100] for line in lines(v)} <= set(store.stored), 10)
    first.end()
    second.end()
    assert first.error is None and second.error is None


def test_gaps_are_normal_and_committed_offsets_are_continued(kafka: str, topic: str) -> None:
    """Each transaction leaves a marker in the log: a gap for every reader, as compaction leaves them."""
    sent = values(5)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(20)
    for n in range(0, len(sent), 10):
        producer.begin_transaction()
        for value in sent[n : n + 10]:
            producer.produce(topic, value, partition=0)
        producer.commit_transaction(20)
    for run in range(2):
        store = Lines()
        sink = RunningSink(kafka, store, embedded=False, linger_s=0.2)
        if run == 0:
            wait_for(lambda: len(store.stored) == 6 * len(sent), 20)  # noqa: B023
        else:
            assert sink.ready.wait(15)
            send(kafka, topic, sent[:1])
            wait_for(lambda: len(store.stored) > 0, 20)  # noqa: B023
        sink.end()
        assert sink.error is None
        expected = [line for v in (sent if run == 0 else sent[:1]) for line in lines(v)]
        assert store.stored == expected


def test_a_spool_on_a_real_kafka_goes_on_where_it_was(kafka: str, topic: str, tmp_path: Path) -> None:
    sent = values(4)
    for part in (sent[:100], sent[100:]):
        sink = RunningSink(kafka, Spool(tmp_path), embedded=False, linger_s=0.2)
        assert sink.ready.wait(15)
        send(kafka, topic, part)
        wait_for(lambda: sink.stats.messages == len(part), 20)  # noqa: B023
        sink.end()
    assert count_lines(tmp_path) == {topic: 6 * len(sent)}


def test_init_then_sink_without_a_message_waits(kafka: str) -> None:
    create_topics(kafka, 4, 1)
    sink = RunningSink(kafka, Lines(), embedded=False)
    assert sink.ready.wait(15)
    assert not sink.ended(0.5)
    assert sink.end() < 1.6
