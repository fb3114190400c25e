"""A real Apache Kafka for one run of the comparison, started by tests/services/kafka.sh, and what is done to it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.agents.data import PARTITIONS, Message
from benchmarks.report import ROOT
from schemas.topics import TOPICS
from streams.admin import create_topics

SCRIPT = ROOT / "tests" / "services" / "kafka.sh"
QUIET = {"log_level": 0}
PATIENCE_S = 30


class KafkaMissing(RuntimeError):
    """There is no Kafka to start; the text says how to get one."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Broker]:
    """A broker of our own on a free port with its data in this folder; stopped at the end."""
    port = _free_port()
    env = {**os.environ, "ENVSTREAM_KAFKA_DATA": str(folder)}

    def script(word: str, timeout: int) -> subprocess.CompletedProcess[bytes]:
        command = [str(SCRIPT), word, "--port", str(port)]
        return subprocess.run(command, env=env, check=False, timeout=timeout, capture_output=True)

    started = script("start", 300)
    if started.returncode:
        told = started.stderr.decode(errors="replace").strip().splitlines()
        raise KafkaMissing(f"no Kafka: {told[-1] if told else 'it did not start'}: tests/services/kafka.sh install")
    try:
        yield Broker(f"127.0.0.1:{port}")
    finally:
        script("stop", 60)


def _free_port() -> int:
    """Two free loopback ports in a row: broker and controller."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
        with contextlib.suppress(OSError), socket.socket() as second:
            second.bind(("127.0.0.1", port + 1))
            return port


class Broker:
    """Topics, groups and offsets of a running broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
        self._reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-reader", **QUIET})
        self._of_group: dict[str, Consumer] = {}

    def topics(self) -> set[str]:
        """Names of the topics there are."""
        return set(self.admin.list_topics(timeout=PATIENCE_S).topics)

    def make(self, *names: str, compacted: bool = False) -> None:
        """New topics."""
        config = {"cleanup.policy": "compact" if compacted else "delete"}
        new = [NewTopic(name, PARTITIONS, 1, config=config) for name in names]
        for future in (self.admin.create_topics(new) if new else {}).values():
            future.result(PATIENCE_S)
        self._until(lambda: set(names) <= self.topics(), "made")

    def drop(self, names: Iterable[str]) -> None:
        """Delete topics, those that are there."""
        gone = self.topics() & set(names)
        for future in (self.admin.delete_topics(list(gone)) if gone else {}).values():
            future.result(PATIENCE_S)
        self._until(lambda: not gone & self.topics(), "deleted")

    def make_ours(self) -> None:
        """envstream's topics, empty, as ``envstream init`` makes them."""
        names = {topic.name for topic in TOPICS}
        self.drop(names)
        create_topics(self.bootstrap, PARTITIONS, 1)
        self._until(lambda: names <= self.topics(), "made")

    @staticmethod
    def _until(reached: Callable[[], bool], word: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not reached():
            if time.monotonic() > until:
                raise RuntimeError(f"topics were not {word} within {PATIENCE_S} s")
            time.sleep(0.05)

    def forget_group(self, group: str) -> None:
        """Delete a group's offsets; a member that was killed is waited for until its session is over."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.admin.delete_consumer_groups([group])[group].result(PATIENCE_S)
                return
            except KafkaException as error:
                if "NOT_FOUND" in error.args[0].name():
                    return
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def fill(self, topic: str, messages: Iterable[Message]) -> list[int]:
        """Append messages; the ends of the partitions."""
        producer = self.producer()
        for message in messages:
            append(producer, topic, message)
        producer.flush(PATIENCE_S)
        return self.ends(topic)

    def producer(self) -> Producer:
        """A producer that keeps order."""
        return Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "enable.idempotence": True, **QUIET})

    def ends(self, topic: str) -> list[int]:
        """The next offset of each partition."""
        return [
            self._reader.get_watermark_offsets(TopicPartition(topic, p), timeout=PATIENCE_S)[1]
            for p in range(PARTITIONS)
        ]

    def committed(self, group: str, topic: str) -> list[int]:
        """What a group has committed of a topic, 0 where nothing; asked without joining it."""
        if group not in self._of_group:
            self._of_group[group] = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, **QUIET})
        asked = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        try:
            return [max(at.offset, 0) for at in self._of_group[group].committed(asked, timeout=PATIENCE_S)]
        except KafkaException:  # its coordinator is not there yet
            return [0] * PARTITIONS

    def tail(self, topic: str) -> Consumer:
        """A reader of a topic from its beginning, in no group."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "bench-tail", **QUIET})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        return consumer


def append(producer: Producer, topic: str, message: Message) -> None:
    """Append one, waiting when the buffer is full."""
    while True:
        try:
            producer.produce(topic, message.value, message.key, message.partition)
            return
        except BufferError:
            producer.poll(0.05)
