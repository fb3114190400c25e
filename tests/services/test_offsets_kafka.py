"""Kafka goes away while it is asked how far a group has come: a real one, and a process of its own that asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.services.fixtures import KafkaProcess

ROOT = Path(__file__).parents[2]
# Several at a time, as fast as they are answered: that one is under way when Kafka goes is then certain.
ASKS = """
import sys, threading
from streams.offsets import Offsets, OffsetsError

offsets, over = Offsets(sys.argv[1]), threading.Event()
places = [("cells", partition) for partition in range(4)]


def ask():
    said = None
    while not over.is_set():
        try:
            now = sorted(offsets.committed("a-group", places).items())
        except OffsetsError:
            now = "away"
        if now != said:  # a full pipe would make it wait
            print(now, flush=True)
        said = now


threads = [threading.Thread(target=ask) for _ in range(4)]
[thread.start() for thread in threads]
sys.stdin.read()
over.set()
[thread.join() for thread in threads]
"""


def test_a_part_that_asks_how_far_it_has_come_outlives_kafka(own_kafka: KafkaProcess) -> None:
    bootstrap = own_kafka.bootstrap
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("cells", 4, 1)])["cells"].result(20)
    group = Consumer({"bootstrap.servers": bootstrap, "group.id": "a-group"})
    group.commit(offsets=[TopicPartition("cells", 2, 7)], asynchronous=False)
    group.close()
    command = [sys.executable, "-c", ASKS, bootstrap]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asks:
        try:
            assert asks.stdin is not None and asks.stdout is not None
            right = str([(("cells", 2), 7)])
            next(line for line in asks.stdout if line.strip() == right)  # the coordinator is found
            own_kafka.stop()
            next(line for line in asks.stdout if line.strip() == "away")
            own_kafka.start()
            next(line for line in asks.stdout if line.strip() == right)
            asks.communicate("", timeout=30)
            assert asks.returncode == 0
        finally:
            asks.kill()
