"""The last message per key, and how far readers are: what a summary or a page is made from.

Reads ``cells``, ``verdicts`` and ``dead`` from the beginning and keeps only what it is asked for, so a year
of cells is some megabytes. Holds no state of its own: a new log is a new view.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas import topics
from schemas.messages import AirPeriod, AirVerdict, Dead
from streams import by_hand

VIEW_GROUP = "envstream-view"
VIEWED = (topics.CELLS, topics.VERDICTS, topics.DEAD)
READER = (VIEW_GROUP, VIEWED)

_NOT_FLAGGED = frozenset(("ok", "missing"))


class Counts(msgspec.Struct):
    """The account of a log. Derived from the last message of every key, so no repetition counts twice."""

    stored: int
    flagged: int
    duplicates: int
    dead: int


class _Counted(msgspec.Struct):
    """What the account needs of a cell, of whatever kind of source."""

    packets: list[str]
    reasons: list[str]
    parts: int = 1  # of them that said something of their own; the others are repetitions


class View:
    """Follows a log in a thread."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._cells: dict[bytes, tuple[int, int, bool]] = {}  # packets, parts, flagged
        self._years: dict[bytes, AirPeriod] = {}
        self._days: dict[bytes, AirVerdict] = {}
        self._dead: dict[str, str] = {}
        self.gap: str | None = None  # where messages were dropped before they were seen
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="view", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        consumer, gaps = by_hand.consumer(self._bootstrap, VIEW_GROUP, embedded=True), by_hand.Gaps()
        places = [TopicPartition(t, p, 0) for t in VIEWED for p in range(topics.EMBEDDED_PARTITIONS)]
        consumer.assign(places)
        while not self._stop.is_set():
            messages = [m for m in consumer.consume(1_000, timeout=0.2) if m.error() is None]
            for message in messages:
                gap = gaps.dropped(message.topic() or "", message.partition() or 0, message.offset() or 0)
                self.gap = self.gap or gap or None
                self._see(message.topic() or "", message.key() or b"", message.value() or b"")
            if messages:
                try:
                    consumer.commit(offsets=consumer.position(places), asynchronous=False)
                except KafkaException:
                    continue  # the broker is gone; the supervisor sees that too
        consumer.close()

    def _see(self, topic: str, key: bytes, value: bytes) -> None:
        with self._lock:
            if topic == topics.CELLS:
                cell = msgspec.json.decode(value, type=_Counted)
                known = len(cell.packets), min(cell.parts, len(cell.packets))
                self._cells[key] = (*known, not _NOT_FLAGGED.issuperset(cell.reasons))
            elif topic == topics.DEAD:
                dead = msgspec.json.decode(value, type=Dead)
                self._dead[dead.id] = dead.reason
            elif b"|air-year|" in key and key.endswith(b"|keep"):
                self._years[key] = msgspec.json.decode(value, type=AirPeriod)
            elif b"|air-day|" in key and key.endswith(b"|keep"):
                self._days[key] = msgspec.json.decode(value, type=AirVerdict)

    def years(self) -> list[AirPeriod]:
        """The year tallies, by area and year."""
        with self._lock:
            return sorted(self._years.values(), key=lambda y: (y.area, y.period))

    def days(self) -> list[AirVerdict]:
        """The day verdicts, by area and date."""
        with self._lock:
            return sorted(self._days.values(), key=lambda d: (d.area, d.period))

    def counts(self) -> Counts:
        """The account so far."""
        with self._lock:
            hours = [cell for cell in self._cells.values() if cell[0]]  # else minutes alone made the hour
            return Counts(
                stored=sum(parts for _, parts, _ in hours),
                flagged=sum(flagged for _, _, flagged in hours),
                duplicates=sum(n - parts for n, parts, _ in hours),
                dead=len(self._dead),
            )

    def dead_reasons(self) -> dict[str, int]:
        """How many dead letters for each reason, its first words."""
        with self._lock:
            reasons: dict[str, int] = {}
            for reason in self._dead.values():
                short = reason.split(":")[0]
                reasons[short] = reasons.get(short, 0) + 1
            return dict(sorted(reasons.items()))

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join(5.0)


class Behind:
    """How many messages the readers of a log have still to take."""

    def __init__(self, bootstrap: str, readers: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        self._readers = readers
        self._consumers: dict[str, Any] = {
            group: Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0}) for group, _ in readers
        }

    def messages(self) -> dict[str, int]:
        """Per group; all zero means that everything written so far has been taken and committed."""
        found: dict[str, int] = {}
        for group, names in self._readers:
            consumer = self._consumers[group]
            places = [TopicPartition(t, p) for t in names for p in range(topics.EMBEDDED_PARTITIONS)]
            behind = 0
            for place in consumer.committed(places, timeout=5):
                low, high = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=5)
                behind += high - max(place.offset, low, 0) if high else 0
            found[group] = behind
        return found

    def close(self) -> None:
        """Let go of the connections."""
        for consumer in self._consumers.values():
            consumer.close()
