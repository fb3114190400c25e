"""What production needs before its parts start: Kafka's topics, and what :mod:`streams.influx_admin` makes.

Topics are made by an admin client with the retention and compaction of :mod:`schemas.topics`, never by
first use. Running it again changes nothing but settings that differ; the number of partitions of a log
is fixed, because it decides where a group's history is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import TOPICS
from streams import influx_admin
from streams.influx import InfluxError, InfluxSettings

_WAIT_S = 30.0


class AdminError(Exception):
    """Topics or InfluxDB are not as they must be; the text is one line: what, where, cure."""


def initialise(
    bootstrap: str, partitions: int, replication: int, env: Mapping[str, str], tokens: Path | None = None
) -> Iterator[str]:
    """Topics, and buckets and tokens when ``ENVSTREAM_INFLUX_URL`` is set; one line per thing for a person.

    Args:
        bootstrap: Kafka.
        partitions: of each topic.
        replication: of each topic.
        env: where InfluxDB is, and ``ENVSTREAM_INFLUX_ADMIN_TOKEN`` or ``_FILE``.
        tokens: folder for the files of the tokens; None to make none.

    Raises:
        AdminError: Kafka or InfluxDB does not answer in half a minute, or what exists does not fit.
    """
    yield from create_topics(bootstrap, partitions, replication)
    if not env.get("ENVSTREAM_INFLUX_URL"):
        yield "InfluxDB: ENVSTREAM_INFLUX_URL is not set, nothing done"
        return
    try:
        yield from influx_admin.prepare(InfluxSettings.from_env(env, influx_admin.ADMIN_TOKEN), tokens)
    except InfluxError as error:
        raise AdminError(str(error)) from None


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
