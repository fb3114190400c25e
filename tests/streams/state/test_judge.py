"""The frame of a judge, with a judge that can be seen through."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import blocks, topics
from schemas.messages import Condition, Dead
from streams.state.kernel import POSITION_KEY, Output, Versions
from tests.streams.state import toy, traffic
from tests.streams.state.toy import Toy


def run(messages: list[bytes], judge: Toy | None = None) -> list[Output]:
    judge = judge or Toy()
    return [one for n, message in enumerate(messages) for one in judge.take(message, f"readings-air/0/{n}")]


def received(message: bytes) -> list[int]:
    """The instants a message is about, in its order."""
    try:
        found = blocks.decode(message)
    except blocks.BlockError:
        return []
    if isinstance(found, blocks.Tick):
        return [found.now]
    return list(found.received) if isinstance(found, blocks.Block) else [found.received]


@settings(max_examples=100, deadline=None)
@given(traffic.SEEDS)
def test_any_ticks_between_two_messages_change_nothing(seed: int) -> None:
    """From none to one every second: neither what is said nor the order in which it is said."""
    chance = random.Random(seed)
    messages = traffic.messages(seed)
    ticked, now = [messages[0]], 0
    for message in messages[1:]:
        to = max(now, *received(message)[:1], 0)
        if now and to > now:
            ticked += [toy.tick(chance.randint(now - 5_000, to)) for _ in range(chance.choice((0, 1, 1, 5)))]
        if now and chance.random() < 0.2:
            ticked += [toy.tick(instant) for instant in range(now, to, max(1_000, (to - now) // 200))]
        ticked.append(message)
        now = max(now, *received(message), 0)
    assert toy.without_place(run(ticked)) == toy.without_place(run(messages))


@settings(max_examples=100, deadline=None)
@given(traffic.SEEDS)
def test_cutting_blocks_into_packets_changes_nothing(seed: int) -> None:
    messages = traffic.messages(seed)
    cut = []
    for message in messages:
        try:
            found = blocks.decode(message)
        except blocks.BlockError:
            found = blocks.Tick("", 0)
        if not isinstance(found, blocks.Block):
            cut.append(message)
            continue
        for i in range(len(found.source)):
            packet = (found.times[i], found.received[i], found.values[i], found.qn[i])
            cut.append(toy.block(found.first + i, packet))
    assert toy.last(run(cut), topics.CELLS) == toy.last(run(messages), topics.CELLS)


@settings(max_examples=150, deadline=None)
@given(traffic.SEEDS, st.floats(0.02, 0.4), st.floats(0.05, 1))
def test_a_crash_at_any_point_says_the_same_last_messages(seed: int, kills: float, checkpoints: float) -> None:
    messages = traffic.messages(seed)
    calm = run(messages)
    assert toy.last(crashed(messages, random.Random(seed), kills, checkpoints)) == toy.last(calm)


def test_a_crash_at_every_point_between_all_rows() -> None:
    messages = traffic.messages(7, length=25)
    calm = toy.last(run(messages))
    for at in range(len(messages)):
        for rows in range(4):
            assert toy.last(crashed_once(messages, at, rows)) == calm, (at, rows)


def crashed(messages: list[bytes], chance: random.Random, kills: float, checkpoints: float) -> list[Output]:
    """Everything a judge says that is killed again and again, also half-way through a checkpoint."""
    outputs: list[Output] = []
    topic: list[tuple[bytes, int, bytes | None, bool]] = []
    judge, at, keys = recovered(topic)
    while at < len(messages):
        outputs += judge.take(messages[at], f"readings-air/0/{at}")
        at += 1
        killed = chance.random() < kills
        if chance.random() < checkpoints:
            written = rows_of(judge, at, keys)
            topic += written[: chance.randrange(len(written))] if killed else written
        if killed:
            kills *= 0.9  # so that it ends
            judge, at, keys = recovered(topic)
    return outputs


def crashed_once(messages: list[bytes], at: int, rows: int) -> list[Output]:
    """Everything a judge says that is killed after ``at`` messages, so many rows into its checkpoint."""
    topic: list[tuple[bytes, int, bytes | None, bool]] = []
    judge, _, keys = recovered(topic)
    outputs = []
    for n in range(at + 1):
        outputs += judge.take(messages[n], f"readings-air/0/{n}")
        written = rows_of(judge, n + 1, keys) if n % 3 == 0 or n == at else []
        topic += written[:rows] if n == at else written
    judge, begin, _ = recovered(topic)
    for n in range(begin, len(messages)):
        outputs += judge.take(messages[n], f"readings-air/0/{n}")
    return outputs


def rows_of(judge: Toy, at: int, keys: set[bytes]) -> list[tuple[bytes, int, bytes | None, bool]]:
    rows = [(key, at, row, key in keys) for key, row in judge.changed_rows()]
    for key, _, row, _ in rows:
        (keys.discard if row is None else keys.add)(key)
    return [*rows, (POSITION_KEY, at, msgspec.json.encode([at, judge.now_ms]), True)]


def recovered(topic: list[tuple[bytes, int, bytes | None, bool]]) -> tuple[Toy, int, set[bytes]]:
    versions = Versions()
    for key, offset, value, had_before in topic:
        versions.see(key, offset, value, had_before=had_before)
    rows = versions.rows()
    at, now = msgspec.json.decode(rows.pop(POSITION_KEY, b"[0, null]"))
    judge = Toy()
    for key, row in rows.items():
        judge.restore(key, row)
    judge.restored(now)
    return judge, at, set(rows)


# ---- time


class Timed(Toy):
    """Tells what fires when; a timer touches what a later one must find derived."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int, int]] = []
        self.changed = self.derived = 0

    def on_timer(self, key: tuple[str, ...], due_ms: int) -> None:
        assert self.derived == self.changed, "what an earlier timer changed was not derived"
        assert self.now_ms == due_ms
        self.changed += 1
        self.seen.append((key[0], due_ms, self.now_ms))
        if key[0] == "again" and due_ms < 100_000:
            self.timers.set(("again",), due_ms + 30_000)
            self.timers.set(("between",), due_ms + 10_000)

    def derive(self) -> None:
        self.derived = self.changed


def test_timers_set_by_timers_fire_in_order_each_at_its_own_time() -> None:
    judge = Timed()
    judge.take(toy.registry_message(1_000), "p/0/0")
    for key, due in (("b", 50_000), ("a", 50_000), ("again", 40_000), ("late", 10**9)):
        judge.timers.set((key,), due)
    judge.take(toy.tick(200_000), "p/0/1")
    assert [(name, due) for name, due, _ in judge.seen] == [
        ("again", 40_000), ("a", 50_000), ("b", 50_000), ("between", 50_000), ("again", 70_000), ("between", 80_000),
        ("again", 100_000),
    ]  # fmt: skip
    assert judge.now_ms == 200_000 and judge.timers.next_due == 10**9


def test_now_never_goes_back() -> None:
    judge = Toy()
    run([toy.registry_message(), toy.tick(5_000), toy.tick(4_000)], judge)
    assert judge.now_ms == 5_000
    judge.take(toy.block(0, (1, 3_000, 7, "1")), "p/0/3")
    assert judge.now_ms == 5_000


def test_a_long_message_pauses_after_every_timer() -> None:
    judge = Timed()
    judge.take(toy.registry_message(1_000), "p/0/0")
    for n in range(50):
        judge.timers.set((str(n),), 2_000 + n)
    steps = judge.steps(toy.tick(10_000), "p/0/1")
    assert sum(1 for _ in steps) == 50


# ---- registry, actions, what cannot be used


def dead(outputs: list[Output]) -> list[Dead]:
    return [msgspec.json.decode(one.value, type=Dead) for one in outputs if one.topic == topics.DEAD]


def test_a_registry_that_cannot_be_read_is_dead_and_the_one_before_stays() -> None:
    judge = Toy()
    run([toy.registry_message()], judge)
    before = judge.registry
    judge.changed_rows()
    broken = blocks.encode(blocks.RegistryVersion("gw", "digest", "format = 99", 5_000))
    (letter,) = dead(judge.take(broken, "readings-air/0/9"))
    assert letter.place == "readings-air/0/9" and "format" in letter.reason and letter.text == broken.decode()
    assert judge.registry is before and before is not None
    assert judge.now_ms == 5_000  # its time counts all the same
    assert [key for key, _ in judge.changed_rows()] == []


def test_the_letter_of_a_long_message_is_short() -> None:
    """Kafka refuses a message beyond 1 MB, and a letter that cannot be delivered ends the worker, again and again."""
    (letter,) = dead(Toy().take(b"\x00\x80" * 400_000, "readings-air/0/9"))
    assert letter.text == "\x00\x80" * 1_000 and len(letter.reason) <= 2_000


def test_a_registry_is_a_row_and_comes_back() -> None:
    judge = Toy()
    run([toy.registry_message(5_000)], judge)
    ((key, row),) = judge.changed_rows()
    assert key == b"registry|" and row is not None
    again = Toy()
    again.restore(key, row)
    again.restored(5_000)
    assert again.registry is not None and judge.registry is not None
    assert again.registry.digest == judge.registry.digest
    assert again.changed_rows() == []


@pytest.mark.parametrize(
    "message", [b"", b"{", b"null", b"\xff\xfe\x00", b'{"kind":"new"}', b'{"kind":"tick"}', b"[" * 5_000]
)
def test_a_bad_message_is_dead_with_its_place_and_bytes_and_changes_nothing(message: bytes) -> None:
    judge = Toy()
    run([toy.registry_message(), toy.tick(5_000)], judge)
    judge.changed_rows()
    (letter,) = dead(judge.take(message, "readings-air/0/2"))
    assert letter.place == letter.id == "readings-air/0/2"
    assert letter.text.encode("latin-1") == message[:2_000] and letter.reason
    assert judge.changed_rows() == [] and judge.now_ms == 5_000


def test_readings_and_actions_before_any_registry_are_dead() -> None:
    messages = [toy.block(0, (1, 1_000, 1, "1")), toy.correction(1, 0, 60, 1, 1_000)]
    letters = dead(run(messages))
    assert len(letters) == 2 and all("before any registry" in letter.reason for letter in letters)
    assert dead(run([toy.tick(1_000), toy.registry_message(), *messages])) == []


def test_actions_stay_in_the_order_of_the_log() -> None:
    judge = Toy()
    registry = toy.registry_message()
    judge.take(registry, "p/0/0")
    for n, offset in enumerate((5, 9, 10, 99, 100, 10**6)):  # not the order of their texts
        judge.take(toy.correction(n, 0, 60, n, 1_000), f"p/0/{offset}")
    judge.take(toy.correction(3, 0, 60, 3, 1_000), "p/0/2000000")  # said again
    assert [a.id for a in judge.ever_decided("correction")] == [*(f"id{n}" for n in range(6)), "id3"]
    again = Toy()
    for key, row in reversed(judge.changed_rows()):
        assert row is not None
        again.restore(key, row)
    again.restored(1_000)
    assert again.ever_decided("correction") == judge.ever_decided("correction")
    assert [action.id for _, action in again.decisions("correction")] == ["id3"]  # of equal times the later in the log


def test_a_row_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"row 'x\|1' is of no kind this program knows"):
        Toy().restore(b"x|1", b"")


# ---- saying


def test_the_same_content_is_said_once_and_what_replaces_it_is_a_revision() -> None:
    base = 1_000_000_000
    outputs = run(
        [
            toy.registry_message(), toy.block(0, (base, base * 1000, 5, "1")), toy.tick(base * 1000 + 1_000),
            toy.block(1, (base, base * 1000 + 2_000, 6, "2")), toy.block(1, (base, base * 1000 + 2_000, 6, "2")),
        ]
    )  # fmt: skip
    assert [one.topic for one in outputs] == [topics.CELLS, topics.CELLS, topics.REVISIONS]


def test_conditions_of_one_message_are_told_apart() -> None:
    base = 1_000_000_020
    messages = [toy.registry_message()]
    messages += [toy.block(n, (base + 60 * n, (base + 60 * n) * 1000, 5, "1")) for n in range(3)]
    outputs = run([*messages[:3], toy.tick((base + 400) * 1000)])
    origins = [
        msgspec.json.decode(one.value, type=Condition).origin for one in outputs if one.topic == topics.CONDITIONS
    ]
    assert len(set(origins)) == len(origins) == 2
    assert all(one.rpartition("/")[0] in {"readings-air/0/2", "readings-air/0/3"} for one in origins)


def test_what_was_said_is_remembered_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.state.judge._SAID_MOST", 10)
    judge = Toy()
    made = itertools.count()
    for n in range(30):
        judge.say(topics.CELLS, b"k%d" % n, "digest", lambda: toy.Total("", next(made), 0, []))
    assert sum(judge.said(b"k%d" % n) is not None for n in range(30)) == 10
    assert judge.said(b"k29") == "digest" and judge.said(b"k0") is None
