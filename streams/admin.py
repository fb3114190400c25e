"""What production needs before its parts start: Kafka's topics, and InfluxDB's bucket.

Topics are made by an admin client with the retention and compaction of :mod:`schemas.topics`, never by
first use. Running it again changes nothing but settings that differ; the number of partitions of a log
is fixed, because it decides where a group's history is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import urllib3.exceptions
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from influxdb_client import BucketRetentionRules, InfluxDBClient
from influxdb_client.rest import ApiException

from schemas.topics import TOPICS
from streams.influx import InfluxError, InfluxSettings, server_words

_WAIT_S = 30.0


class AdminError(Exception):
    """Topics or bucket are not as they must be; the text is one line: what, where, cure."""


def initialise(bootstrap: str, partitions: int, replication: int, env: Mapping[str, str]) -> Iterator[str]:
    """Topics, and the bucket when ``ENVSTREAM_INFLUX_URL`` is set; one line per thing for a person.

    Raises:
        AdminError: Kafka or InfluxDB does not answer in half a minute, or what exists does not fit.
    """
    yield from create_topics(bootstrap, partitions, replication)
    if not env.get("ENVSTREAM_INFLUX_URL"):
        yield "InfluxDB: ENVSTREAM_INFLUX_URL is not set, nothing done"
        return
    try:
        settings = InfluxSettings.from_env(env)
    except InfluxError as error:
        raise AdminError(str(error)) from None
    yield ensure_bucket(settings)


def create_topics(bootstrap: str, partitions: int, replication: int, *, wait_s: float = _WAIT_S) -> list[str]:
    """Create the topics that are missing and set what differs; one line per topic.

    Raises:
        AdminError: Kafka does not answer, refuses, or a topic has another number of partitions.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    there = _existing(admin, bootstrap, wait_s)
    wrong = [f"{t.name} has {there[t.name]}" for t in TOPICS if there.get(t.name, partitions) != partitions]
    if wrong:
        raise AdminError(
            f"Kafka at {bootstrap}: {partitions} partitions wanted, but {', '.join(wrong)}: the number is fixed when a "
            f"log is created; give --partitions as it is, or rebuild the log from `packets`"
        )
    created = set()
    new = [NewTopic(t.name, partitions, replication, config=t.config()) for t in TOPICS if t.name not in there]
    for name, future in (admin.create_topics(new, operation_timeout=wait_s) if new else {}).items():
        try:
            future.result(wait_s)
            created.add(name)
        except KafkaException as error:  # made a moment ago by another: metadata came too late to know it
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise AdminError(f"Kafka at {bootstrap}: topic {name}: {error.args[0].str()}") from None
        except TimeoutError:
            raise AdminError(
                f"Kafka at {bootstrap}: topic {name}: no reply in {wait_s:.0f} s: is it an Apache Kafka? the embedded"
                " broker of `envstream up` needs no init"
            ) from None
    changed = _align(admin, bootstrap, {t.name: t.config() for t in TOPICS if t.name not in created}, wait_s)
    told = []
    for topic in TOPICS:
        kept = "compacted" if topic.compacted else _kept(topic.retention_ms)
        state = "created" if topic.name in created else "changed" if topic.name in changed else "is there"
        told.append(f"topic {topic.name}: {state} ({partitions} partitions, {kept})")
    return told


def _kept(retention_ms: int) -> str:
    return "kept for ever" if retention_ms < 0 else f"kept {retention_ms // 86_400_000} days"


def _existing(admin: AdminClient, bootstrap: str, wait_s: float) -> dict[str, int]:
    until = time.monotonic() + wait_s
    while True:
        try:
            return {name: len(t.partitions) for name, t in admin.list_topics(timeout=2).topics.items()}
        except KafkaException as error:
            if time.monotonic() > until:
                raise AdminError(
                    f"Kafka at {bootstrap}: {error.args[0].str()}: is it running, and is this its address?"
                ) from None


def _align(admin: AdminClient, bootstrap: str, wanted: dict[str, dict[str, str]], wait_s: float) -> set[str]:
    """Set what differs on existing topics; returns the names of those changed."""
    if not wanted:
        return set()
    try:
        changes = []
        for resource, future in admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
        ).items():
            now = future.result(wait_s)
            entries = [
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                for key, value in wanted[resource.name].items()
                if now[key].value != value
            ]
            if entries:
                changes.append(ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=entries))
        if changes:
            for future in admin.incremental_alter_configs(changes).values():
                future.result(wait_s)
    except KafkaException as error:
        raise AdminError(f"Kafka at {bootstrap}: settings of topics: {error.args[0].str()}") from None
    return {resource.name for resource in changes}


def ensure_bucket(settings: InfluxSettings, *, wait_s: float = _WAIT_S) -> str:
    """Make the bucket unless it is there; Grafana's InfluxQL finds it by name (virtual DBRP mapping).

    Raises:
        AdminError: InfluxDB does not answer, the token may not do this, or there is no such organisation.
    """
    until = time.monotonic() + wait_s
    with InfluxDBClient(url=settings.url, token=settings.token, org=settings.org, timeout=5_000) as client:
        while True:
            try:
                return _ensure_bucket(client, settings)
            except ApiException as error:
                if error.status in (401, 403):
                    cure = "set ENVSTREAM_INFLUX_TOKEN to a token that may read and make buckets"
                    raise AdminError(f"{settings.place()} answers {error.status}: {cure}") from None
                if time.monotonic() > until or (error.status or 500) < 500:
                    raise AdminError(f"{settings.place()} answers {error.status} {server_words(error)}") from None
            except (urllib3.exceptions.HTTPError, OSError):
                if time.monotonic() > until:
                    cure = "is it running, and is ENVSTREAM_INFLUX_URL its address?"
                    raise AdminError(f"{settings.place()} does not answer: {cure}") from None
            time.sleep(0.5)


def _ensure_bucket(client: InfluxDBClient, settings: InfluxSettings) -> str:
    orgs = client.organizations_api().find_organizations(org=settings.org)  # an unknown one is a 404
    buckets = client.buckets_api()
    try:
        if buckets.find_buckets(name=settings.bucket, org=settings.org).buckets:
            return f"{settings.place()}: bucket is there"
    except ApiException as error:  # measured: an unknown name with an organisation is a 404, not an empty list
        if error.status != 404:
            raise
    rule = BucketRetentionRules(type="expire", every_seconds=0)  # verdicts are kept for ever
    buckets.create_bucket(bucket_name=settings.bucket, org_id=orgs[0].id, retention_rules=rule)
    return f"{settings.place()}: bucket created, kept for ever"
