"""`envstream init` against a real Kafka and a real InfluxDB."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.parse
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import TOPICS
from streams.admin import AdminError, create_topics, initialise
from streams.influx import Influx, InfluxError, InfluxSettings
from streams.influx_admin import prepare
from streams.target import Batch, Origin
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


@pytest.fixture
def place(influxdb: InfluxDB) -> InfluxSettings:
    """Where nothing is yet."""
    return InfluxSettings(influxdb.url, influxdb.token, influxdb.org, f"init-{time.time_ns()}", 90)


def rules(influxdb: InfluxDB, name: str) -> tuple[str, int]:
    """Id and kept seconds of a bucket."""
    (found,) = influxdb.call("GET", f"/api/v2/buckets?name={name}&orgID={influxdb.org_id()}")["buckets"]
    return found["id"], sum(r["everySeconds"] for r in found["retentionRules"])


def tokens_of(influxdb: InfluxDB, description: str) -> list[str]:
    every = influxdb.call("GET", f"/api/v2/authorizations?orgID={influxdb.org_id()}")["authorizations"]
    return [one["token"] for one in every if one["description"] == description]


@pytest.mark.needs_influxdb
def test_two_buckets_are_made_once_with_their_retention_and_mended(influxdb: InfluxDB, place: InfluxSettings) -> None:
    first = prepare(place, None)
    assert [line.partition("): ")[2] for line in first[:4]] == [
        "bucket created, kept for ever", "name for InfluxQL created",
        "bucket created, kept 90 days", "name for InfluxQL created",
    ]  # fmt: skip
    assert "no tokens made" in first[-1]
    (main, forever), (recent, kept) = rules(influxdb, place.bucket), rules(influxdb, place.recent_bucket)
    assert (forever, kept) == (0, 90 * 86_400)
    assert all("is there" in line for line in prepare(place, None)[:4])
    longer = replace(place, recent_days=400)
    assert "bucket changed, kept 400 days" in prepare(longer, None)[2]
    influxdb.call(
        "PATCH", f"/api/v2/buckets/{main}", {"retentionRules": [{"type": "expire", "everySeconds": 14 * 86_400}]}
    )
    assert "bucket changed, kept for ever" in prepare(replace(place, recent_days=1), None)[0]
    assert (rules(influxdb, place.bucket), rules(influxdb, place.recent_bucket)) == ((main, 0), (recent, 86_400))
    listed = influxdb.call("GET", f"/api/v2/dbrps?orgID={influxdb.org_id()}")["content"]
    mapped = {m["database"]: (m["bucketID"], m["retention_policy"], m["default"]) for m in listed if not m["virtual"]}
    assert mapped[place.bucket] == (main, "autogen", True) and mapped[place.recent_bucket] == (recent, "autogen", True)


def status(influxdb: InfluxDB, method: str, path: str, body: bytes | None, token: str) -> int:
    """Of an answer; 200 stands for all that is well."""
    try:
        influxdb.call(method, path, body, token)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.mark.needs_influxdb
def test_each_token_may_do_its_own_and_nothing_else(influxdb: InfluxDB, place: InfluxSettings, tmp_path: Path) -> None:
    prepare(place, tmp_path / "new" / "tokens")
    other = influxdb.make_bucket()
    files = {who: tmp_path / "new" / "tokens" / f"{who}.token" for who in ("sink", "grafana")}
    sink, grafana = (files[who].read_text() for who in ("sink", "grafana"))
    assert {who: path.stat().st_mode & 0o777 for who, path in files.items()} == {"sink": 0o600, "grafana": 0o644}
    may_write, may_read = {}, {}
    for bucket in (place.bucket, place.recent_bucket, other.bucket):
        write = f"/api/v2/write?org={place.org}&bucket={bucket}"
        read = "/query?" + urllib.parse.urlencode({"db": bucket, "q": "SELECT * FROM m"})
        influxdb.call("POST", write, b"m v=1")
        for token in (sink, grafana):
            may_write[bucket, token] = status(influxdb, "POST", write, b"m v=1", token)
            answer = influxdb.call("GET", read, token=token)["results"][0]  # an error comes with a 200
            may_read[bucket, token] = "series" in answer
    assert may_write == {
        (place.bucket, sink): 200, (place.recent_bucket, sink): 200, (other.bucket, sink): 403,
        (place.bucket, grafana): 403, (place.recent_bucket, grafana): 403, (other.bucket, grafana): 403,
    }  # fmt: skip
    assert {key for key, may in may_read.items() if may} == {(place.bucket, grafana), (place.recent_bucket, grafana)}


@pytest.mark.needs_influxdb
def test_tokens_are_made_once_and_their_files_mended(influxdb: InfluxDB, place: InfluxSettings, tmp_path: Path) -> None:
    before = tokens_of(influxdb, "envstream sink")
    told = prepare(place, tmp_path)
    assert told[-2] == f"token envstream sink: created, written to {tmp_path / 'sink.token'}"
    files = {name: (tmp_path / name).read_text() for name in ("sink.token", "grafana.token")}
    assert all(": is there, in " in line for line in prepare(place, tmp_path)[-2:])
    (tmp_path / "sink.token").unlink()
    (tmp_path / "grafana.token").write_text("another")
    assert all(": is there, written to " in line for line in prepare(place, tmp_path)[-2:])
    (tmp_path / "sink.token").chmod(0o666)
    prepare(place, tmp_path)
    assert (tmp_path / "sink.token").stat().st_mode & 0o777 == 0o600
    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert len(tokens_of(influxdb, "envstream sink")) == len(before) + 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grafana.token", "sink.token"]
    # a bucket that was made anew is another bucket, which the old token does not know
    influxdb.call("DELETE", f"/api/v2/buckets/{rules(influxdb, place.recent_bucket)[0]}")
    assert "created" in prepare(place, tmp_path)[-2]
    fresh = (tmp_path / "sink.token").read_text()
    assert fresh != files["sink.token"]
    target = Influx(replace(place, token=fresh))
    batch = Batch()
    batch.add(Origin("health", 0, 0, 0), [f"pipeline,about=-,instance=a,name=lag,part=sink v=1 {time.time_ns()}"])
    assert target.write(batch, threading.Event()) == []
    target.close()


@pytest.mark.needs_influxdb
def test_what_keeps_init_from_its_work_is_one_line(influxdb: InfluxDB, place: InfluxSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    of_buckets = [
        {"action": do, "resource": {"type": "buckets", "orgID": influxdb.org_id()}} for do in ("read", "write")
    ]
    cases = [
        (replace(place, token=influxdb.make_token(of_buckets)), None, "no organisation.*ENVSTREAM_INFLUX_ADMIN_TOKEN"),
        (replace(place, token="wrong"), None, "401.*ENVSTREAM_INFLUX_ADMIN_TOKEN"),
        (replace(place, org="no-such-org"), None, "no-such-org"),
        (replace(place, url=f"http://127.0.0.1:{free_port()}"), None, "does not answer.*ENVSTREAM_INFLUX_URL"),
        (place, tmp_path / "file", "give --tokens a folder"),
    ]
    for wrong, folder, words in cases:
        with pytest.raises(InfluxError, match=words) as caught:
            prepare(wrong, folder, wait_s=0.1)
        assert "\n" not in str(caught.value) and place.token not in str(caught.value)


@pytest.mark.needs_kafka
@pytest.mark.needs_influxdb
def test_init_tells_each_thing(kafka: str, influxdb: InfluxDB, tmp_path: Path) -> None:
    told = list(initialise(kafka, 4, 1, {}))
    assert len(told) == len(TOPICS) + 1 and "ENVSTREAM_INFLUX_URL is not set" in told[-1]
    (tmp_path / "admin").write_text(f"{influxdb.token}\n")
    env = {"ENVSTREAM_INFLUX_URL": influxdb.url, "ENVSTREAM_INFLUX_ADMIN_TOKEN_FILE": str(tmp_path / "admin"),
           "ENVSTREAM_INFLUX_ORG": influxdb.org, "ENVSTREAM_INFLUX_BUCKET": f"init-{time.time_ns()}",
           "ENVSTREAM_INFLUX_RECENT_DAYS": "30"}  # fmt: skip
    told = list(initialise(kafka, 4, 1, env, tmp_path))
    assert len(told) == len(TOPICS) + 6 and told[len(TOPICS) + 2].endswith("bucket created, kept 30 days")
    assert influxdb.token not in "".join(told) and (tmp_path / "sink.token").read_text() not in "".join(told)
    with pytest.raises(AdminError, match="ADMIN_TOKEN is not set"):
        list(initialise(kafka, 4, 1, {"ENVSTREAM_INFLUX_URL": influxdb.url}))
