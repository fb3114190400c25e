"""Names of Kafka topics, what they keep, and which partition a group has.

One number of partitions for every topic: partition p of ``readings-*`` leads to partition p of
``cells`` and ``verdicts``, so what is judged together never crosses a partition (design §3).
"""

from __future__ import annotations

from dataclasses import dataclass

PACKETS = "packets"
READINGS_AIR = "readings-air"
READINGS_WATER = "readings-water"
READINGS_EMISSION = "readings-emission"
CELLS = "cells"
VERDICTS = "verdicts"
REVISIONS = "revisions"
CONDITIONS = "conditions"
EPISODES = "episodes"
NOTICES = "notices"
"""The outbox: what somebody has to be told (:mod:`schemas.alerts`)."""
DELIVERIES = "deliveries"
ACTIONS = "actions"
"""What people decided (:mod:`schemas.actions`): the record, beside the message in ``readings-*``."""
REGISTRY = "registry"
CLOCK_KEY, REGISTRY_KEY = b"clock", b"registry"
"""Keys in the topic ``registry``: what clock the log has (live or virtual), and the registry in force."""
STATE_AIR = "state-air"
STATE_WATER = "state-water"
STATE_EMISSION = "state-emission"
DEAD = "dead"
INGEST = "ingest"
"""Readings as JSON (:mod:`schemas.ingest`), put there by others."""
HEALTH = "health"
"""What the running parts say of themselves (:mod:`schemas.health`)."""

READINGS_OF = {"air": READINGS_AIR, "water": READINGS_WATER, "emission": READINGS_EMISSION}
"""Topic of the readings of a kind of source (``schemas.registry``)."""
READINGS = tuple(READINGS_OF.values())

AGENTS_GROUP = "envstream-agents"
SINK_GROUP = "envstream-sink"
INGEST_GROUP = "envstream-ingest"

EMBEDDED_PARTITIONS = 4  # what librdkafka's own broker gives a topic on first use; it cannot be told otherwise

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
FOREVER = -1


@dataclass(frozen=True)
class Topic:
    """A topic and how long Kafka keeps it."""

    name: str
    retention_ms: int = FOREVER
    compacted: bool = False

    def config(self) -> dict[str, str]:
        """Settings for an admin client."""
        if self.compacted and self.name.startswith("state-"):
            # A recovery takes rows as they were at the checkpoint, so versions of the last hours must be kept; and
            # segments must end, for the last one is never compacted and would be read whole.
            return {
                "cleanup.policy": "compact",
                "min.compaction.lag.ms": str(6 * _HOUR_MS),
                "segment.ms": str(_HOUR_MS),
                "segment.bytes": str(64 * 1024 * 1024),
                "min.cleanable.dirty.ratio": "0.1",
            }
        if self.compacted:
            return {"cleanup.policy": "compact"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}


TOPICS: tuple[Topic, ...] = (
    Topic(PACKETS, FOREVER),  # the legal evidence
    Topic(READINGS_AIR, 14 * _DAY_MS),
    Topic(READINGS_WATER, 14 * _DAY_MS),
    Topic(READINGS_EMISSION, 14 * _DAY_MS),
    Topic(CELLS, compacted=True),
    Topic(VERDICTS, compacted=True),
    Topic(REVISIONS, FOREVER),
    Topic(CONDITIONS, 90 * _DAY_MS),
    Topic(EPISODES, compacted=True),
    Topic(NOTICES, 90 * _DAY_MS),
    Topic(DELIVERIES, 90 * _DAY_MS),
    Topic(ACTIONS, FOREVER),
    Topic(REGISTRY, FOREVER),
    Topic(STATE_AIR, compacted=True),
    Topic(STATE_WATER, compacted=True),
    Topic(STATE_EMISSION, compacted=True),
    Topic(DEAD, 90 * _DAY_MS),
    Topic(INGEST, 14 * _DAY_MS),
    Topic(HEALTH, 2 * _DAY_MS),  # InfluxDB keeps it longer
)

JUDGED = (READINGS_AIR, READINGS_WATER, READINGS_EMISSION)
"""Topics that agents judge today."""

SUNK = (CELLS, VERDICTS, CONDITIONS, EPISODES, DELIVERIES, REGISTRY)
"""Topics whose messages become points in InfluxDB, or lines of the spool; they are kept for ever."""
SUNK_RECENT = (*READINGS, DEAD, HEALTH)
"""Those whose points InfluxDB alone keeps, and for weeks."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's own murmur2 (32 bit, seed 0x9747b28c).

    Computed here and always set explicitly, because librdkafka's default partitioner is another one
    (54 of 200 keys agreed).
    """
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    tail = data[whole:]
    if tail:
        h ^= int.from_bytes(tail, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    h ^= h >> 15
    return h


def partition_of(group: str, partitions: int) -> int:
    """The partition of a group, as Kafka's Java client would choose it for the group as key."""
    return (murmur2(group.encode()) & 0x7FFFFFFF) % partitions
