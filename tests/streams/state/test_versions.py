"""What a recovery takes from a state topic, against what the judge was at row ``@``.

A state is modelled as what a log of changes leads to. Writers write checkpoints of it, are killed at any row, go on as
zombies, and Kafka compacts behind them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.state.kernel import POSITION_KEY, Versions

KEYS = [b"a", b"b", b"c", b"d"]
LENGTH = 60


@dataclass
class Message:
    """One message of a state topic."""

    key: bytes
    offset: int
    value: bytes | None
    had_before: bool = True


class Log:
    """A log of changes: what each message does to each row."""

    def __init__(self, chance: random.Random) -> None:
        self.changes: list[dict[bytes, bytes | None]] = []
        for n in range(LENGTH):
            keys = [key for key in KEYS if chance.random() < 0.3]
            self.changes.append({key: None if chance.random() < 0.25 else b"%s%d" % (key, n) for key in keys})

    def state(self, at: int) -> dict[bytes, bytes]:
        """The rows of a judge that took the first ``at`` messages."""
        found: dict[bytes, bytes] = {}
        for changes in self.changes[:at]:
            for key, value in changes.items():
                found.pop(key, None)
                if value is not None:
                    found[key] = value
        return found

    def checkpoint(self, known: set[bytes], begin: int, end: int) -> list[Message]:
        """What a kernel writes that took ``begin`` to ``end``, in its order; ``known`` are the keys that have rows."""
        now = self.state(end)
        changed = sorted({key for changes in self.changes[begin:end] for key in changes})
        rows = [Message(key, end, now.get(key), key in known) for key in changed]
        known.difference_update(changed)
        known.update(key for key in changed if key in now)
        return [*rows, Message(POSITION_KEY, end, b"%d" % end)]


def recover(topic: list[Message]) -> Versions:
    versions = Versions()
    for message in topic:
        versions.see(message.key, message.offset, message.value, had_before=message.had_before)
    return versions


def position(versions: Versions) -> tuple[int, dict[bytes, bytes]]:
    rows = versions.rows()
    return int(rows.pop(POSITION_KEY, b"0")), rows


def compacted(topic: list[Message], clean: int) -> list[Message]:
    """What Kafka leaves of a topic whose first ``clean`` messages are old enough: of each key the last of them."""
    last = {message.key: n for n, message in enumerate(topic[:clean])}
    return [message for n, message in enumerate(topic) if n >= clean or last[message.key] == n]


def life(
    chance: random.Random, log: Log, topic: list[Message], zombies: list[list[Message]], cut: int | None = None
) -> Iterator[int]:
    """A writer recovers exactly, works for a while and is killed; what it still had in hand may come later.

    Yields after each checkpoint where it is.
    """
    versions = recover(topic)
    at, rows = position(versions)
    assert rows == log.state(at), f"at {at}"
    known = set(rows)
    again = [Message(key, *version) for key, version in versions.overtaken()]
    while at < LENGTH:
        # what is to be repaired waits for no message, but one may be quicker
        end = at if again and chance.random() < 0.5 else min(at + chance.randrange(1, 6), LENGTH)
        written = again + log.checkpoint(known, at, end)
        again = []
        if cut is None:
            killed_after = chance.randrange(len(written) + 1) if chance.random() < 0.25 else None
        else:
            killed_after, cut = (cut, None) if cut <= len(written) else (None, cut - len(written))
        if killed_after is not None:
            topic += written[:killed_after]
            if chance.random() < 0.5:  # the rest comes late, and perhaps another checkpoint: it does not know yet
                further = min(end + chance.randrange(6), LENGTH)
                zombies.append(written[killed_after:] + log.checkpoint(known, end, further))
            return
        topic += written
        at = end
        if zombies and chance.random() < 0.5:
            late = zombies.pop()
            topic += late[: chance.randrange(len(late) + 1)]
        yield at


@pytest.mark.parametrize("cut", range(60))
def test_a_checkpoint_cut_short_at_any_row(cut: int) -> None:
    chance = random.Random(cut // 4)
    log, topic = Log(chance), list[Message]()
    for _ in life(random.Random(cut % 4), log, topic, [], cut):
        pass
    at, rows = position(recover(topic))
    assert rows == log.state(at)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32))
def test_kills_and_zombies_at_any_time(seed: int) -> None:
    chance = random.Random(seed)
    log, topic, zombies = Log(chance), list[Message](), list[list[Message]]()
    for _ in range(8):
        for _ in life(chance, log, topic, zombies):
            pass
    at, rows = position(recover(topic))
    assert rows == log.state(at)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32))
def test_compaction_of_what_is_older_than_the_lag(seed: int) -> None:
    """Older than the lag: before the checkpoint that a recovery may still find cut short, and repaired since.

    The lag is hours, half a session, in which a zombie may still write, seconds. So when something is older than the
    lag its writer has nothing more to say, and who recovered since has taken what zombies had taken before him.
    """
    chance = random.Random(seed)
    log, topic, zombies = Log(chance), list[Message](), list[list[Message]]()
    for _ in range(8):
        recovered = len(topic)
        for at in life(chance, log, topic, zombies):  # its first checkpoint, which repairs what was overtaken, is whole
            if chance.random() < 0.5 and all(message.offset <= at for message in topic[recovered:]):
                topic[:] = compacted(topic, chance.randrange(recovered + 1))
                zombies.clear()
                recovered = 0  # once in a life
    at, rows = position(recover(topic))
    assert rows == log.state(at)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32))
def test_where_compaction_took_too_much_rows_are_of_the_future_and_none_is_missing(seed: int) -> None:
    chance = random.Random(seed)
    log, topic = Log(chance), list[Message]()
    for _ in life(chance, log, topic, [], chance.randrange(60)):
        pass
    topic = compacted(topic, chance.randrange(len(topic) + 1))
    at, rows = position(recover(topic))
    dropped = {message.key for message in topic if message.offset > at and message.value is None}
    for key, value in log.state(at).items():
        if rows.get(key) != value and key not in dropped:
            future = {log.state(message.offset).get(key) for message in topic if message.offset > at}
            assert rows[key] in future


def test_rows_of_a_first_checkpoint_that_was_cut_short_are_none() -> None:
    versions = recover([Message(b"a", 5, b"x", had_before=False), Message(b"b", 5, b"y", had_before=False)])
    assert versions.is_new and versions.rows() == {}


def test_a_row_that_did_not_exist_yet_is_no_row() -> None:
    """A closed day that is known before its close would never be closed again."""
    topic = [
        Message(b"a", 5, b"a5", had_before=False), Message(POSITION_KEY, 5, b"5"),
        Message(b"a", 8, b"a8"), Message(b"day", 8, b"closed", had_before=False),
    ]  # fmt: skip
    assert position(recover(topic)) == (5, {b"a": b"a5"})
    assert position(recover(compacted(topic, 4))) == (5, {b"a": b"a8"})


def test_a_row_dropped_after_the_position_is_still_there() -> None:
    topic = [Message(b"a", 5, b"a5"), Message(POSITION_KEY, 5, b"5"), Message(b"a", 8, None)]
    assert position(recover(topic)) == (5, {b"a": b"a5"})
    assert position(recover([*topic, Message(POSITION_KEY, 8, b"8")])) == (8, {})


def test_what_a_zombie_overtook_is_written_again_before_compaction_can_take_it() -> None:
    topic = [
        Message(b"a", 5, b"a5"), Message(POSITION_KEY, 5, b"5"),
        Message(b"a", 9, b"a9"), Message(b"b", 9, b"b9"), Message(POSITION_KEY, 9, b"9"),
        Message(b"a", 7, b"a7"), Message(b"b", 7, None), Message(POSITION_KEY, 7, b"7"),  # the zombie
    ]  # fmt: skip
    versions = recover(topic)
    assert position(versions) == (9, {b"a": b"a9", b"b": b"b9"})
    repairs = [Message(key, *version) for key, version in versions.overtaken()]
    assert [(m.key, m.offset) for m in repairs] == [(b"a", 9), (b"b", 9), (POSITION_KEY, 9)]
    repaired = [*topic, *repairs]  # before any message was taken
    assert position(recover(compacted(repaired, len(repaired)))) == (9, {b"a": b"a9", b"b": b"b9"})
    repaired.append(Message(POSITION_KEY, 12, b"12"))
    assert position(recover(compacted(repaired, len(repaired)))) == (12, {b"a": b"a9", b"b": b"b9"})
    assert recover(repaired).overtaken() == []


def test_what_a_checkpoint_that_was_cut_short_overtook_is_written_again() -> None:
    """Of a row that is not due again soon compaction would keep what the log has not come to yet: a tombstone, here."""
    topic = [
        Message(b"a", 5, b"a5", had_before=False), Message(b"b", 5, b"b5", had_before=False),
        Message(POSITION_KEY, 5, b"5"),
        Message(b"a", 9, b"a9"), Message(b"b", 9, None), Message(b"day", 9, b"closed", had_before=False),  # cut short
    ]  # fmt: skip
    repairs = [Message(key, *version) for key, version in recover(topic).overtaken()]
    repaired = [*topic, *repairs, Message(POSITION_KEY, 7, b"7")]
    assert position(recover(compacted(repaired, len(repaired)))) == (7, {b"a": b"a5", b"b": b"b5"})


def test_rows_of_before_rows_had_offsets_are_taken() -> None:
    assert position(recover([Message(b"a", -1, b"old"), Message(POSITION_KEY, 7, b"7")])) == (7, {b"a": b"old"})
