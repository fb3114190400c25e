"""Partitions are those of Kafka's Java clients, not of librdkafka."""

from __future__ import annotations

import pytest

from schemas import topics

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), VECTORS.items())
def test_murmur2_is_that_of_kafka(data: bytes, signed: int) -> None:
    assert topics.murmur2(data) == signed & 0xFFFFFFFF


def test_partition_is_that_of_the_java_client() -> None:
    # toPositive(murmur2(key)) % partitions
    for data, signed in VECTORS.items():
        assert topics.partition_of(data.decode(), 4) == (signed & 0x7FFFFFFF) % 4


def test_compacted_topics_never_expire() -> None:
    for topic in topics.TOPICS:
        config = topic.config()
        assert ("compact" in config["cleanup.policy"]) == topic.compacted
        assert topic.compacted or int(config["retention.ms"]) in (-1, topic.retention_ms)
