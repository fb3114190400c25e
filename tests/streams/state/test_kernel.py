"""The kernel on librdkafka's own broker, with Faust messages that are none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import topics
from streams.state import kernel as kernels
from streams.state.kernel import BEFORE_HEADER, OFFSET_HEADER, POSITION_KEY, Kernel, KernelError
from tests.services.embedded import Broker
from tests.streams.state import toy, traffic
from tests.streams.state.toy import Toy

READINGS, STATE = topics.READINGS_AIR, topics.STATE_AIR
BASE = 1_000_000_020


@dataclass
class Message:
    """What the kernel asks of a Faust message."""

    offset: int
    value: bytes
    partition: int = 0
    acknowledged: list[int] = field(default_factory=list)

    def ack(self, _consumer: Any) -> None:
        self.acknowledged.append(self.offset)


class Killed(Exception):
    """The process is no more."""


class Recorder:
    """Stands before a producer: writes down what is done, and dies at a given message."""

    def __init__(self, kernel: Kernel, killed_at: int | None = None) -> None:
        self._producer, self._left = kernel._producer, killed_at
        self.done: list[tuple[Any, ...]] = []
        kernel._producer = self

    def produce(self, topic: str, value: bytes | None, key: bytes, partition: int, **more: Any) -> None:
        if self._left is not None:
            if self._left == 0:
                raise Killed
            self._left -= 1
        self.done.append((topic, key, value))
        self._producer.produce(topic, value, key, partition, **more)

    def flush(self, seconds: float) -> int:
        left = self._producer.flush(seconds)
        self.done.append(("flushed",))
        return left

    def __len__(self) -> int:
        return len(self._producer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


@pytest.fixture
def broker() -> Iterator[Broker]:
    found = Broker()
    for topic in topics.TOPICS:  # appears on first use
        Producer({"bootstrap.servers": found.bootstrap, "log_level": 0}).list_topics(topic.name, timeout=5)
    yield found
    found.close()


def kernel_of(
    broker: Broker, make: Callable[[int, int], Any] = Toy, *, state: str | None = STATE, **more: Any
) -> Kernel:
    return Kernel(bootstrap=broker.bootstrap, topic=READINGS, state_topic=state, make_judge=make, **more)


def run(steps: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(steps, 60))


def log_of(broker: Broker, messages: list[bytes], partition: int = 0) -> list[Message]:
    """Put a log into the broker and hand it out as Faust would."""
    broker.send(((READINGS, None, message) for message in messages), partition)
    return [Message(n, message, partition) for n, message in enumerate(messages)]


def read(broker: Broker, topic: str, partition: int = 0) -> list[Any]:
    """Everything in a partition."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "look", "enable.partition.eof": True, "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    found = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.append(message)
    consumer.close()
    return found


def said(broker: Broker) -> dict[tuple[str, bytes], bytes]:
    """The last message per key."""
    return {
        (topic, message.key()): message.value()
        for topic in (topics.CELLS, topics.CONDITIONS, topics.DEAD)
        for message in read(broker, topic)
    }


SHORT = [
    toy.registry_message(),
    toy.block(0, (BASE, BASE * 1000, 5, "1")),
    toy.block(1, (BASE + 20, BASE * 1000 + 20_000, 6, "2")),
    toy.tick((BASE + 1_000) * 1000),  # a condition begins, and the bucket is forgotten
]


def test_outputs_then_rows_then_position_then_acknowledgement(broker: Broker) -> None:
    messages = log_of(broker, SHORT)
    kernel = kernel_of(broker)
    done: list[tuple[Any, ...]] = []

    async def steps() -> None:
        await kernel.recover({0})
        recorder = Recorder(kernel)
        recorder.done = done
        for message in messages[:3]:
            message.ack = lambda _, message=message: done.append(("ack", message.offset))  # type: ignore[method-assign]
            await kernel.take(message)
        assert not any(one[0] == "ack" for one in done)
        await kernel.checkpoint()

    run(steps())
    kinds = [
        "row" if one[0] == STATE and one[1] != POSITION_KEY else one[1] if one[0] == STATE else one[0] for one in done
    ]
    assert kinds == [
        topics.CELLS, topics.CELLS, topics.REVISIONS, "flushed", "row", "row", "flushed", POSITION_KEY, "flushed",
        "ack", "ack", "ack",
    ]  # fmt: skip
    assert [one[1] for one in done if one[0] == "ack"] == [0, 1, 2]
    state = {message.key(): message for message in read(broker, STATE)}
    assert msgspec.json.decode(state[POSITION_KEY].value()) == {"next": 3, "now": BASE * 1000 + 20_000, "v": 2}
    assert all(dict(message.headers())[OFFSET_HEADER] == b"3" for message in state.values())


def test_rows_tell_whether_there_was_one_before_and_tombstones_come_before_the_position(broker: Broker) -> None:
    messages = log_of(broker, SHORT)

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        for message in messages[:2]:
            await kernel.take(message)
            await kernel.checkpoint()
        kernel = kernel_of(broker)  # which keys have rows is known again after a restart
        await kernel.recover({0})
        for message in messages[2:]:
            await kernel.take(message)
            await kernel.checkpoint()

    run(steps())
    rows = [(m.key(), m.value() is None, BEFORE_HEADER in dict(m.headers())) for m in read(broker, STATE)]
    bucket = f"t|one|{BASE // 60}".encode()
    few = f"few|one|{BASE // 60}".encode()
    assert rows == [
        (b"registry|", False, False), (POSITION_KEY, False, False),
        (bucket, False, False), (POSITION_KEY, False, False),
        (bucket, False, True), (POSITION_KEY, False, False),
        (few, True, False), (bucket, True, True), (POSITION_KEY, False, False),
    ]  # fmt: skip


def test_a_kill_at_every_message_the_kernel_sends(broker: Broker) -> None:
    messages = log_of(broker, traffic.messages(3, length=6))
    truth = {}

    async def undisturbed() -> None:
        calm = Toy()
        for n, message in enumerate(messages):
            truth.update(toy.last(calm.take(message.value, f"{READINGS}/0/{n}")))

    async def steps() -> int:
        kills = 0
        while True:
            kernel = kernel_of(broker)
            begin = (await kernel.recover({0}))[0]
            Recorder(kernel, killed_at=kills)  # later each time, so that each message of a checkpoint is the last once
            try:
                for message in messages[begin:]:
                    await kernel.take(message)
                    if message.offset % 2:
                        await kernel.checkpoint()
                await kernel.checkpoint()
            except Killed:
                kernel._producer.flush(5)  # what was handed over arrives, as of a process that is killed after sending
                kills += 1
                continue
            return kills

    run(undisturbed())
    assert run(steps()) > 5
    assert said(broker) == truth


def test_below_the_position_only_acknowledged_and_never_on_over_a_gap(broker: Broker) -> None:
    messages = log_of(broker, SHORT)

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        for message in messages[:2]:
            await kernel.take(message)
        await kernel.checkpoint()
        taken = kernel.taken
        cells = len(read(broker, topics.CELLS))
        kernel = kernel_of(broker)
        assert await kernel.recover({0}) == {0: 2}
        again = [Message(n, SHORT[n]) for n in range(2)]
        for message in again:
            await kernel.take(message)
        assert kernel.taken == 0 and taken == 2 and not again[0].acknowledged
        await kernel.checkpoint()
        assert [m.acknowledged for m in again] == [[0], [1]]
        assert len(read(broker, topics.CELLS)) == cells
        await kernel.take(messages[2])
        with pytest.raises(KernelError, match=rf"{READINGS}/0: offset 4 came where 3 was due: .*retention"):
            await kernel.take(Message(4, b""))
        stranger = Message(0, b"", partition=3)  # revoked while it waited in the queue
        await kernel.take(stranger)
        await kernel.checkpoint()
        assert not stranger.acknowledged

    run(steps())


def test_what_was_fetched_before_a_rebalance_waits_for_its_turn_and_not_for_ever(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust resumes before it seeks: offset 1 came where 0 was due, and a worker ended at every second rebalance."""
    monkeypatch.setattr(kernels, "SETTLE_S", 0.3)
    messages = log_of(broker, SHORT)

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        await kernel.take(messages[1])
        await kernel.take(messages[2])
        await kernel.checkpoint_if_due()
        assert kernel.taken == 0
        for message in messages[:3]:
            await kernel.take(message)
        await asyncio.sleep(0.4)
        await kernel.checkpoint_if_due()
        assert kernel.taken == 3 and [m.acknowledged for m in messages[:3]] == [[0], [1], [2]]
        kernel = kernel_of(broker)
        await kernel.recover({0})
        await kernel.take(Message(7, b""))
        await asyncio.sleep(0.4)
        with pytest.raises(KernelError, match=rf"{READINGS}/0: offset 7 came where 3 was due"):
            await kernel.checkpoint_if_due()

    run(steps())


def test_without_a_state_topic_every_start_is_from_the_beginning(broker: Broker) -> None:
    messages = log_of(broker, SHORT)

    async def steps() -> None:
        for _ in range(2):
            kernel = kernel_of(broker, state=None)
            assert await kernel.recover({0, 1}) == {0: 0, 1: 0}
            for message in messages:
                await kernel.take(message)
            await kernel.checkpoint()
            assert kernel.positions() == {0: (4, (BASE + 1_000) * 1000), 1: (0, None)}

    run(steps())
    assert read(broker, STATE) == []
    cells = [message.value() for message in read(broker, topics.CELLS)]
    assert len(cells) == 4 and cells[:2] == cells[2:]


def test_without_a_position_the_log_is_taken_from_its_beginning(broker: Broker) -> None:
    """Also where the group committed an offset in another life: the state topic was deleted, as an error advises."""
    log_of(broker, SHORT)
    broker.send([(STATE, b"t|one|1", b"a first checkpoint that was cut short")])
    assert run(kernel_of(broker).recover({0, 2})) == {0: 0, 2: 0}


def test_a_state_of_another_format_names_the_cure(broker: Broker) -> None:
    log_of(broker, SHORT)
    broker.send([(STATE, POSITION_KEY, b'{"next":1,"v":1}')])
    cure = rf"{STATE}/0 has state of format 1, this program 2: delete the topic {STATE}, run envstream init"
    with pytest.raises(KernelError, match=cure):
        run(kernel_of(broker).recover({0}))


@pytest.mark.parametrize(("key", "row"), [(b"x|1", b""), (b"registry|", b"format = 99"), (b"a|1", b"{")])
def test_a_row_that_cannot_be_taken_back_names_the_cure(
    key: bytes, row: bytes, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    log_of(broker, SHORT)
    broker.send([(STATE, key, row), (STATE, POSITION_KEY, b'{"next":1,"v":2}')])

    class Asking(Toy):
        def begin(self) -> None:
            self.decisions("correction")

        def restored(self, now_ms: int | None) -> None:
            self.decisions("correction")
            super().restored(now_ms)

    with (
        caplog.at_level(logging.CRITICAL),
        pytest.raises(KernelError, match=rf"{STATE}/0 cannot be taken back: .*init"),
    ):
        run(kernel_of(broker, Asking).recover({0}))


def test_a_log_that_was_made_anew_names_the_cure(broker: Broker) -> None:
    log_of(broker, SHORT)
    broker.send([(STATE, POSITION_KEY, b'{"next":9,"v":2}')])
    with pytest.raises(
        KernelError, match=rf"knows {READINGS} up to 9, but that ends at 4: .* delete the topic {STATE}"
    ):
        run(kernel_of(broker).recover({0}))


def test_a_judge_that_fails_names_the_message(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Toy):
        def derive(self) -> None:
            raise ZeroDivisionError("of this judge")

    async def steps() -> None:
        kernel = kernel_of(broker, Failing)
        await kernel.recover({0})
        await kernel.take(Message(0, SHORT[0]))

    log_of(broker, SHORT)
    where = rf"the judge failed on {READINGS}/0/0: ZeroDivisionError\('of this judge'\): this is a defect"
    with caplog.at_level(logging.CRITICAL), pytest.raises(KernelError, match=where):
        run(steps())


def test_a_zombie_that_overtook_a_row_is_repaired_at_the_first_checkpoint(broker: Broker) -> None:
    messages = log_of(broker, [*SHORT[:3], toy.tick(BASE * 1000 + 21_000)])
    bucket = f"t|one|{BASE // 60}".encode()

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        rows = []
        for message in messages[:3]:
            await kernel.take(message)
            await kernel.checkpoint()
            rows += [m for m in read(broker, STATE) if m.key() == bucket][-1:]
        zombie = kernel_of(broker)
        zombie._send(STATE, bucket, rows[0].value(), 0, {OFFSET_HEADER: "2", BEFORE_HEADER: ""})
        await zombie._flush()
        kernel = kernel_of(broker)
        await kernel.recover({0})
        await kernel.take(messages[3])
        await kernel.checkpoint()
        last = [m for m in read(broker, STATE) if m.key() == bucket][-1]
        assert last.value() == rows[-1].value() != rows[0].value()
        assert dict(last.headers())[OFFSET_HEADER] == b"3"
        await kernel.checkpoint()

    run(steps())
    assert [m.key() for m in read(broker, STATE)].count(bucket) == 4


def test_giving_partitions_up_waits_until_what_was_sent_has_arrived(broker: Broker) -> None:
    messages = log_of(broker, SHORT)

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        for message in messages[:2]:
            await kernel.take(message)
        await kernel.release()
        assert len(read(broker, topics.CELLS)) == 1 and not len(kernel._producer)
        assert kernel.positions() == {} and not messages[0].acknowledged
        await kernel.checkpoint()  # nothing is left to write
        assert read(broker, STATE) == []

    run(steps())


def test_a_checkpoint_comes_by_itself(broker: Broker) -> None:
    messages = log_of(broker, [SHORT[0], *[toy.tick(n) for n in range(1, kernels.CHECKPOINT_MESSAGES + 1)]])

    async def steps() -> None:
        kernel = kernel_of(broker)
        await kernel.recover({0})
        for message in messages[:-1]:
            await kernel.take(message)
        assert kernel.checkpoints >= 1 and messages[kernels.CHECKPOINT_MESSAGES - 1].acknowledged
        done = kernel.checkpoints
        await kernel.take(messages[-1])
        await kernel.checkpoint_if_due()
        assert not messages[-1].acknowledged
        await asyncio.sleep(kernels.CHECKPOINT_S)
        while not messages[-1].acknowledged:  # rests for as long as the one before took
            await kernel.checkpoint_if_due()
            await asyncio.sleep(0.01)
        assert kernel.checkpoints == done + 1

    run(steps())


def test_a_long_message_lets_the_heartbeat_have_turns_and_no_checkpoint(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "TURN_S", 0.0)
    messages = log_of(broker, SHORT)

    class Slow(Toy):
        def on_timer(self, key: tuple[str, ...], due_ms: int) -> None:
            super().on_timer(key, due_ms)
            for n in range(5):
                if due_ms < (BASE + 900) * 1000:
                    self.timers.set(("few", f"one|{n}"), due_ms + 100_000)

        def _count(self, name: str) -> int:
            return 9

    async def steps() -> None:
        kernel = kernel_of(broker, Slow)
        await kernel.recover({0})
        for message in messages[:3]:
            await kernel.take(message)
        turns = 0

        async def heart() -> None:
            nonlocal turns
            while True:
                turns += 1
                await kernel.checkpoint_if_due()
                await asyncio.sleep(0)

        beating = asyncio.create_task(heart())
        await kernel.take(messages[3])
        beating.cancel()
        assert turns > 3
        await kernel.checkpoint()

    run(steps())
    for message in read(broker, STATE):
        if message.key() == POSITION_KEY:
            at = msgspec.json.decode(message.value())
            assert at["next"] < 4 or at["now"] == (BASE + 1_000) * 1000


# ---- the fence


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[list[int]]:
    """What the process would have ended with."""
    found: list[int] = []

    def leave(code: int) -> None:
        found.append(code)
        raise Killed

    monkeypatch.setattr("os._exit", leave)
    with caplog.at_level(logging.CRITICAL):
        yield found


def test_who_stood_still_for_half_a_session_ends_before_he_takes_or_writes(broker: Broker, exits: list[int]) -> None:
    messages = log_of(broker, SHORT)

    async def steps(what: str) -> None:
        kernel = kernel_of(broker, session_s=10)
        await kernel.recover({0})
        kernel._beat -= 4.9
        await kernel.take(messages[0])
        kernel.beat()
        await kernel.take(messages[1])
        kernel._beat -= 5.1
        if what == "take":
            await kernel.take(messages[2])
        elif what == "write":
            await kernel.checkpoint()
        else:
            kernel.beat()

    for what in ("take", "write", "beat"):
        with pytest.raises(Killed):
            run(steps(what))
    assert exits == [70, 70, 70] and read(broker, STATE) == []


def test_what_cannot_be_delivered_within_half_a_session_ends_the_worker_and_never_arrives(broker: Broker) -> None:
    """Outputs bear no offset: one that a zombie still delivers would be the last of its key."""
    messages = log_of(broker, SHORT)
    kernel = kernel_of(broker, session_s=3)

    async def steps() -> None:
        await kernel.recover({0})
        for message in messages[:2]:
            await kernel.take(message)
        broker.close()
        with pytest.raises(KernelError, match="not delivered"):
            await kernel.checkpoint()

    run(steps())
    assert len(kernel._producer) == 0 and not messages[0].acknowledged
