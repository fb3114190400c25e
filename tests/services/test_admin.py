"""`envstream init` against a real Kafka and a real InfluxDB."""

from __future__ import annotations

import time

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import TOPICS
from streams.admin import AdminError, create_topics, ensure_bucket, initialise
from streams.influx import InfluxSettings
from tests.services.fixtures import InfluxDB, free_port


@pytest.mark.needs_kafka
def test_topics_are_made_once_with_their_retention_and_mended(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    existing = admin.list_topics(timeout=5).topics
    first = create_topics(kafka, 4, 1)
    assert len(first) == len(TOPICS)
    assert "topic verdicts: created (4 partitions, compacted)" in first or "verdicts" in existing
    assert "topic readings-air: created (4 partitions, kept 14 days)" in first or "readings-air" in existing
    again = create_topics(kafka, 4, 1)
    assert all(": is there (" in line for line in again), again
    described = admin.describe_configs([ConfigResource(ResourceType.TOPIC, t.name) for t in TOPICS])
    settings = {resource.name: future.result() for resource, future in described.items()}
    for topic in TOPICS:
        for name, value in topic.config().items():
            assert settings[topic.name][name].value == value, (topic.name, name)
    with pytest.raises(AdminError, match="8 partitions wanted, but packets has 4"):
        create_topics(kafka, 8, 1)


@pytest.mark.needs_kafka
def test_a_topic_made_by_hand_gets_its_retention(kafka: str) -> None:
    create_topics(kafka, 4, 1)
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_topics(["cells"]).values():
        future.result(10)
    deadline = time.monotonic() + 10
    while "cells" in admin.list_topics(timeout=5).topics and time.monotonic() < deadline:
        time.sleep(0.1)
    for future in admin.create_topics([NewTopic("cells", 4, 1)]).values():
        future.result(10)
    told = create_topics(kafka, 4, 1)
    assert "topic cells: changed (4 partitions, compacted)" in told


@pytest.mark.needs_kafka
def test_a_replication_that_cannot_be_is_told(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    create_topics(kafka, 4, 1)
    for future in admin.delete_topics(["dead"]).values():
        future.result(10)
    deadline = time.monotonic() + 10
    while "dead" in admin.list_topics(timeout=5).topics and time.monotonic() < deadline:
        time.sleep(0.1)
    with pytest.raises(AdminError, match=r"topic dead: .*replication factor"):
        create_topics(kafka, 4, 3)
    create_topics(kafka, 4, 1)


def test_no_kafka_is_one_line() -> None:
    place = f"127.0.0.1:{free_port()}"
    with pytest.raises(AdminError, match="is it running") as caught:
        create_topics(place, 4, 1, wait_s=0.1)
    assert place in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.needs_influxdb
def test_a_bucket_is_made_once_and_found_by_influxql(influxdb: InfluxDB) -> None:
    place = InfluxSettings(influxdb.url, influxdb.token, influxdb.org, f"init-{time.time_ns()}")
    assert ensure_bucket(place).endswith("bucket created, kept for ever")
    assert ensure_bucket(place).endswith("bucket is there")
    assert influxdb.query(place.bucket, "SHOW MEASUREMENTS") == [], "the virtual mapping, without an error"


@pytest.mark.needs_influxdb
def test_what_keeps_a_bucket_from_being_made_is_one_line(influxdb: InfluxDB) -> None:
    good = InfluxSettings(influxdb.url, influxdb.token, influxdb.org, "x")
    cases = [
        (InfluxSettings(good.url, "wrong", good.org, "x"), "401.*ENVSTREAM_INFLUX_TOKEN"),
        (InfluxSettings(good.url, good.token, "no-such-org", "x"), "no-such-org"),
        (InfluxSettings(f"http://127.0.0.1:{free_port()}", "t", "o", "x"), "does not answer.*ENVSTREAM_INFLUX_URL"),
    ]
    for place, words in cases:
        with pytest.raises(AdminError, match=words) as caught:
            ensure_bucket(place, wait_s=0.1)
        assert "\n" not in str(caught.value) and good.token not in str(caught.value)


@pytest.mark.needs_kafka
@pytest.mark.needs_influxdb
def test_init_tells_each_thing(kafka: str, influxdb: InfluxDB) -> None:
    told = list(initialise(kafka, 4, 1, {}))
    assert len(told) == len(TOPICS) + 1 and "ENVSTREAM_INFLUX_URL is not set" in told[-1]
    env = {"ENVSTREAM_INFLUX_URL": influxdb.url, "ENVSTREAM_INFLUX_TOKEN": influxdb.token,
           "ENVSTREAM_INFLUX_ORG": influxdb.org, "ENVSTREAM_INFLUX_BUCKET": f"init-{time.time_ns()}"}  # fmt: skip
    assert list(initialise(kafka, 4, 1, env))[-1].endswith("bucket created, kept for ever")
    with pytest.raises(AdminError, match="TOKEN is not set"):
        list(initialise(kafka, 4, 1, {"ENVSTREAM_INFLUX_URL": influxdb.url}))
