"""Another try for dead letters: what a store refused is written again, from the current message of its key.

Never the old bytes: since the letter was written its key may have got a newer message, which is in the store, and old
must not overwrite new. The running sink may store a still newer one between our look at the log and our write; so the
log is looked at again after each write, until nothing newer came: then whatever comes later is stored after ours.

Only topics whose last message under a key says all there is are retried (:data:`streams.dead_list.STATES`). Of all
else the letter says what can be done (:func:`cure`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from schemas import topics
from schemas.messages import encode
from streams import by_hand
from streams.dead_list import FILE, GATEWAY, INGEST, STATES, DeadListError, Letter
from streams.line_builder import LineError
from streams.line_protocol import lines
from streams.offsets import Offsets, OffsetsError
from streams.target import Batch, Busy, Origin, Target

STORED, GONE, REFUSED, BUSY, NEVER = "stored", "gone", "refused", "busy", "never"
SETTLED = (STORED, GONE)
"""After these a letter does not wait any more."""
_CHINESE = {
    STORED: "已写入 stored",
    GONE: "已无此键 the key is gone",
    REFUSED: "仍被拒 refused again",
    BUSY: "暂不可写 not now",
    NEVER: "不能重试 no retry",
}
_AT_ONCE = 500
_MOST_LOOKS = 10
_ACKNOWLEDGED_S = 30.0


class Key(NamedTuple):
    """What a current message is looked for by; the key is bytes as in Kafka."""

    topic: str
    partition: int
    key: bytes


class Current(NamedTuple):
    """The last message of a key; None where it was taken back (a tombstone) or compaction left none."""

    offset: int
    received: int
    value: bytes | None


@dataclass(frozen=True)
class Outcome:
    """What became of a letter: one of the words above, and more for people."""

    letter: Letter
    state: str
    words: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"id": self.letter.dead.id, "from": self.letter.source, "state": self.state, "words": self.words}

    def line(self) -> str:
        """For people."""
        return f"{self.letter.dead.id}  {_CHINESE[self.state]}: {self.words}"


def key_of(letter: Letter) -> Key | None:
    """Of the message whose current version is written again; None where there is no retry."""
    if letter.message is None or letter.source not in STATES or not letter.dead.key:
        return None
    topic, partition, _ = letter.message
    return Key(topic, partition, letter.dead.key.encode("latin-1"))


def cure(letter: Letter) -> str:
    """What a person can do about a letter that has no retry."""
    if letter.source == FILE:
        return "mend the line in its file, then replay the file: what is in the log already stays as it is"
    if letter.source == GATEWAY:
        return (
            "its bytes stay in the topic packets as evidence; mend what the reason names (registry, key, logger), then"
            " let the logger send again: envstream loggers backfill SOURCE --from … --to …"
        )
    if letter.source == INGEST:
        return "mend what the reason names, then let its sender post it again: a reading sent twice is one reading"
    if letter.source in topics.READINGS and not letter.is_of_line:
        return "the message stays in its topic: a program that reads its format judges it when the log is judged again"
    if letter.source in STATES:
        return "its message had no key, so that nothing says which is current: derive the log again"
    return "nothing is judged by it: the topic keeps the message, only a panel lacks a point"


def retry(bootstrap: str, letters: Iterable[Letter], target: Target) -> list[Outcome]:
    """Write the current message of each letter's key into ``target`` and write down what succeeded.

    Args:
        bootstrap: Kafka.
        letters: of :func:`streams.dead_list.read`.
        target: the store; it is asked once, not until it has time.

    Returns:
        An outcome per letter, in their order.

    Raises:
        DeadListError: Kafka does not answer, or did not acknowledge what succeeded.
        SinkError: the store refuses for a reason only a person can remove; nothing is written down.
    """
    letters = list(letters)
    first: dict[Key, int] = {}  # where to look from: the current message is not before the letter's
    for letter in letters:
        key = key_of(letter)
        if key is not None and letter.message is not None:
            first[key] = min(first.get(key, letter.message[2]), letter.message[2])
    try:
        told = _write(bootstrap, first, target) if first else {}
    except KafkaException as error:
        raise DeadListError(f"broker {bootstrap}: {error.args[0].str()}: is Kafka up?") from None
    outcomes = []
    for letter in letters:
        key = key_of(letter)
        outcomes.append(Outcome(letter, NEVER, cure(letter)) if key is None else Outcome(letter, *told[key]))
    write_down(bootstrap, [outcome.letter for outcome in outcomes if outcome.state in SETTLED])
    return outcomes


def _write(bootstrap: str, first: Mapping[Key, int], target: Target) -> dict[Key, tuple[str, str]]:
    told: dict[Key, tuple[str, str]] = {}
    at = _places(first)
    for _ in range(_MOST_LOOKS):
        newer, at = _look(bootstrap, at, first.keys())
        if not newer:
            return told | _not_found(bootstrap, {key: offset for key, offset in first.items() if key not in told})
        keys = sorted(newer)
        for start in range(0, len(keys), _AT_ONCE):
            told |= _store({key: newer[key] for key in keys[start : start + _AT_ONCE]}, target)
    raise DeadListError(f"broker {bootstrap}: {len(first)} keys get newer messages faster than they are written: again")


def _not_found(bootstrap: str, first: Mapping[Key, int]) -> dict[Key, tuple[str, str]]:
    """What became of keys without a message: gone where the log still begins before it, else nobody can know."""
    try:
        spans = Offsets(bootstrap).spans({(key.topic, key.partition) for key in first})
    except OffsetsError as error:
        raise DeadListError(f"broker {bootstrap}: {error}: is Kafka up?") from None
    told = {}
    for key, offset in first.items():
        span = spans.get((key.topic, key.partition))
        if span is not None and span.low <= offset:
            told[key] = GONE, "no message of its key is left, nothing to write"
        else:
            told[key] = NEVER, "its message is no longer kept in the log: it is written when the log is judged again"
    return told


def _places(first: Mapping[Key, int]) -> dict[tuple[str, int], int]:
    at: dict[tuple[str, int], int] = {}
    for key, offset in first.items():
        place = key.topic, key.partition
        at[place] = min(at.get(place, offset), offset)
    return at


def _look(
    bootstrap: str, at: Mapping[tuple[str, int], int], wanted: Iterable[Key]
) -> tuple[dict[Key, Current], dict[tuple[str, int], int]]:
    """The last message of each key from these offsets on, and where to look from next time."""
    wanted, found, after = frozenset(wanted), {}, dict(at)
    places = [TopicPartition(topic, partition, offset) for (topic, partition), offset in at.items()]
    for message in by_hand.to_the_end(bootstrap, places):
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        after[topic, partition] = offset + 1
        key = Key(topic, partition, message.key() or b"")
        if key in wanted:
            found[key] = Current(offset, message.timestamp()[1], message.value())
    return found, after


def _store(current: Mapping[Key, Current], target: Target) -> dict[Key, tuple[str, str]]:
    told: dict[Key, tuple[str, str]] = {}
    batch, made = Batch(), {}
    for key, message in current.items():
        if message.value is None:
            told[key] = GONE, "it was taken back, nothing to write"
            continue
        try:
            made[key] = lines(message.value, key.topic)
        except LineError as error:
            told[key] = REFUSED, str(error)
            continue
        batch.add(Origin(key.topic, key.partition, message.offset, message.received, key.key), made[key])
    try:
        bad = target.write(batch, threading.Event())
    except Busy as busy:
        return told | dict.fromkeys(made, (BUSY, f"the store takes no writes now ({busy}): again later"))
    refused: dict[Key, list[str]] = {}
    for one in bad:
        refused.setdefault(Key(one.origin.topic, one.origin.partition, one.origin.key or b""), []).append(one.reason)
    for key, those in made.items():
        if key in refused:
            told[key] = REFUSED, f"{len(refused[key])} of {len(those)} lines: {refused[key][0]}"
        else:
            offset = current[key].offset
            told[key] = STORED, f"{len(those)} lines of {key.topic}/{key.partition}/{offset}, current of its key"
    return told


def write_down(bootstrap: str, letters: list[Letter]) -> None:
    """Say on ``dead`` that these do not wait any more, in their partitions, so that it follows what it is about.

    Raises:
        DeadListError: not acknowledged; the letters are listed again, and another retry changes nothing.
    """
    if not letters:
        return
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    now_ms = time.time_ns() // 1_000_000
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            refused.append(error)

    for letter in letters:
        data = encode(msgspec.structs.replace(letter.dead, retried=now_ms))
        while True:
            try:
                producer.produce(topics.DEAD, data, letter.dead.id.encode(), letter.partition, on_delivery=delivered)
                break
            except BufferError:  # a hundred thousand are on their way
                producer.poll(0.1)
        producer.poll(0)
    if left := producer.flush(_ACKNOWLEDGED_S) + len(refused):
        raise DeadListError(
            f"broker {bootstrap}: {left} of {len(letters)} letters were stored, but Kafka did not acknowledge that they"
            " are settled: they are listed again, another retry does no harm"
        )
