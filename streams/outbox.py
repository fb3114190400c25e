"""What ``notify`` writes down, as records of the log: notices of its own, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import topics
from schemas.alerts import Delivery, Notice
from schemas.messages import encode
from streams.journal import Record


def records(deliveries: Sequence[Delivery], notices: Sequence[Notice], partitions: int) -> list[Record]:
    """Notices first, then what became of them; each in the partition of its group."""
    said: list[tuple[str, str, Delivery | Notice]] = [
        *((topics.NOTICES, notice.episode, notice) for notice in notices),
        *((topics.DELIVERIES, row.notice, row) for row in deliveries),
    ]
    return [
        Record(topic, topics.partition_of(message.group, partitions), name.encode(), encode(message))
        for topic, name, message in said
    ]
