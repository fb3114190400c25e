"""The sink on the embedded broker: committed only when stored, stored exactly once, nothing lost unseen."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas import messages, topics
from streams.line_protocol import lines
from streams.sink import GapError
from streams.spool import Spool, SpoolError, count_lines
from streams.target import BadLine, Batch, Busy, SinkError
from tests.services import samples, samples_told
from tests.services.embedded import Broker, RunningSink, committed, read, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


class Store:
    """A target that keeps lines in order, and fails as told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fail: list[Exception] = []
        self.bad: set[str] = set()
        self.tries = 0
        self.sizes: list[int] = []
        self.closed = False

    def position(self, topic: str, partition: int) -> int | None:
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        self.tries += 1
        self.sizes.append(batch.messages)
        if self.fail:
            raise self.fail.pop(0)
        bad = []
        for part in batch.parts.values():
            for i, line in enumerate(part.lines):
                if line in self.bad:
                    bad.append(part.bad(i, "field type conflict"))
                else:
                    self.lines.append(line)
        return bad

    def close(self) -> None:
        self.closed = True


def hours(count: int, first: int = 0, **changes: object) -> list[tuple[str, bytes, bytes]]:
    cells = [samples.cell(1_448_899_200 + 3600 * n, n=n, **changes) for n in range(first, first + count)]
    return [("cells", samples.key_of(c), messages.encode(c)) for c in cells]


def all_lines(sent: list[tuple[str, bytes, bytes]]) -> list[str]:
    return [line for _, _, value in sent for line in lines(value)]


def spooled(folder: Path) -> list[str]:
    return [
        line
        for path in sorted(folder.glob("*.lp"))
        for line in path.read_text().splitlines()
        if not line.startswith("#")
    ]


def test_everything_is_stored_then_committed_within_a_second(broker: Broker, tmp_path: Path) -> None:
    sent = samples.days(5) + samples.conditions(5)
    sink = RunningSink(broker.bootstrap, Spool(tmp_path, epoch="e1"))
    assert sink.ready.wait(5), "topics need not exist before the sink"
    begin = time.monotonic()
    for partition in range(topics.EMBEDDED_PARTITIONS):
        broker.send(sent[partition::4], partition)
    by_topic = {t: [sum(x[0] == t for x in sent[p::4]) for p in range(4)] for t in topics.SUNK}
    wait_for(lambda: all(max(broker.committed(t, p), 0) == n for t, ns in by_topic.items() for p, n in enumerate(ns)))
    assert time.monotonic() - begin < 3
    assert sink.end() < 1.0
    assert sink.error is None
    assert sorted(spooled(tmp_path)) == sorted(all_lines(sent))
    assert sum(count_lines(tmp_path).values()) == sink.stats.lines == len(all_lines(sent))


def test_a_lone_message_waits_for_nobody(broker: Broker) -> None:
    store = Store()
    sink = RunningSink(broker.bootstrap, store)
    broker.send(hours(1))
    wait_for(lambda: bool(store.lines))
    begin = time.monotonic()
    broker.send(hours(1, 1))
    wait_for(lambda: len(store.lines) == 12)
    assert time.monotonic() - begin < 1.0
    wait_for(lambda: broker.committed("cells") == 2, 1.0)
    sink.end()


def test_at_stop_what_is_at_hand_is_stored_and_committed(broker: Broker) -> None:
    store = Store()
    sink = RunningSink(broker.bootstrap, store, embedded_linger_s=60)
    assert sink.ready.wait(5)
    broker.send(hours(10))
    time.sleep(1.0)
    assert store.lines == []
    assert sink.end() < 1.0
    assert len(store.lines) == 60 and broker.committed("cells") == 10 and store.closed


def test_nothing_is_committed_while_the_store_is_busy_and_nothing_is_lost(broker: Broker) -> None:
    store = Store()
    store.fail = [Busy(0.1, "503")] * 4
    sink = RunningSink(broker.bootstrap, store)
    sent = hours(50)
    broker.send(sent[:25])
    wait_for(lambda: store.tries == 2)
    assert broker.committed("cells") < 0
    broker.send(sent[25:])
    wait_for(lambda: broker.committed("cells") == 50)
    sink.end()
    assert store.lines == all_lines(sent), "in order, each once"
    assert sink.stats.waits == 4


def test_while_the_store_is_busy_memory_does_not_grow(broker: Broker) -> None:
    store = Store()
    store.fail = [Busy(0.2, "503")] * 5
    sink = RunningSink(broker.bootstrap, store)
    broker.send(hours(25))
    wait_for(lambda: store.tries == 1)
    broker.send(hours(3000, 25))
    wait_for(lambda: broker.committed("cells") == 3025)
    sink.end()
    assert store.sizes[:6] == [25] * 6, "Kafka is the buffer, not the sink"
    assert store.lines == all_lines(hours(3025))


def test_stopped_while_busy_it_leaves_at_once_and_the_next_one_goes_on(broker: Broker) -> None:
    store = Store()
    store.fail = [Busy(60, "down")]
    sink = RunningSink(broker.bootstrap, store)
    broker.send(hours(5))
    wait_for(lambda: store.tries == 1)
    assert sink.end() < 1.0
    assert broker.committed("cells") < 0
    sink = RunningSink(broker.bootstrap, store)
    wait_for(lambda: len(store.lines) == 30)
    sink.end()
    broker.send(hours(5, 5))
    sink = RunningSink(broker.bootstrap, store)
    wait_for(lambda: len(store.lines) == 60)
    sink.end()
    assert store.lines == all_lines(hours(10)), "from the committed offset, nothing again"


def test_an_error_for_a_person_ends_it_uncommitted(broker: Broker) -> None:
    store = Store()
    store.fail = [SinkError("InfluxDB says 401")]
    sink = RunningSink(broker.bootstrap, store)
    broker.send(hours(5))
    assert sink.ended(5)
    assert str(sink.error) == "InfluxDB says 401" and store.closed
    assert broker.committed("cells") < 0


def test_what_cannot_become_lines_goes_to_dead_and_is_accounted_for(broker: Broker) -> None:
    store = Store()
    good = hours(2)
    store.bad = {lines(good[1][2])[3]}
    sink = RunningSink(broker.bootstrap, store)
    broker.send([good[0], ("cells", b"k|1", b'{"kind":"hour"'), ("cells", b"k", None), good[1]], partition=2)
    wait_for(lambda: broker.committed("cells", 2) == 4)
    sink.end()
    letters = [
        (m.partition(), msgspec.json.decode(m.value(), type=messages.Dead)) for m in read(broker.bootstrap, "dead", 2)
    ]
    assert {p for p, _ in letters} == {2}
    by_id = {d.id: d for _, d in letters}
    assert set(by_id) == {"cells/2/1", "cells/2/3/3"}
    assert by_id["cells/2/1"].text == '{"kind":"hour"' and by_id["cells/2/1"].place == "cells/2/1"
    assert [by_id[i].key for i in ("cells/2/1", "cells/2/3/3")] == ["k|1", good[1][1].decode()]
    assert "not a message" in by_id["cells/2/1"].reason
    assert by_id["cells/2/3/3"].reason == "field type conflict" and by_id["cells/2/3/3"].text.startswith("air_hour,")
    assert (sink.stats.messages, sink.stats.lines, sink.stats.dead) == (4, 11, 2)


@pytest.mark.parametrize(
    ("bound", "sent", "most"),
    [
        ({"batch_lines": 60}, hours(60), 10),
        ({"batch_characters": 250_000}, hours(20, reasons=["r" * 10_000] * 6), 5),
        ({"batch_messages": 7}, [("cells", b"k", None)] * 30, 7),
    ],
)
def test_what_is_at_hand_is_bounded(broker: Broker, bound: dict[str, int], sent: list, most: int) -> None:
    """Lines, what long texts make of them, and messages that make none: all of them are there when the sink comes."""
    store = Store()
    broker.send(sent)
    sink = RunningSink(broker.bootstrap, store, **bound)
    wait_for(lambda: broker.committed("cells") == len(sent))
    sink.end()
    assert sum(store.sizes) == len(sent) and max(store.sizes) == most
    assert store.lines == all_lines([m for m in sent if m[2] is not None])


def test_a_long_message_has_a_short_letter(broker: Broker) -> None:
    """As JSON its bytes would be more than Kafka takes in a message, and the sink could never go on."""
    long = b'{"kind":"hour"' + b"\x00\x80" * 200_000
    store = Store()
    sink = RunningSink(broker.bootstrap, store)
    broker.send([("cells", b"k", long), *hours(1)])
    wait_for(lambda: broker.committed("cells") == 2)
    sink.end()
    (letter,) = [msgspec.json.decode(m.value(), type=messages.Dead) for m in read(broker.bootstrap, "dead", 1)]
    assert letter.text.encode("latin-1") == long[: messages.DEAD_TEXT] and len(store.lines) == 6


def test_a_defect_of_ours_costs_one_message(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = hours(3)

    def broken(data: bytes, topic: str) -> list[str]:
        return {}["x"] if data == sent[1][2] else lines(data, topic)  # type: ignore[return-value]

    monkeypatch.setattr("streams.sink.lines", broken)
    store = Store()
    sink = RunningSink(broker.bootstrap, store)
    broker.send(sent)
    wait_for(lambda: broker.committed("cells") == 3)
    sink.end()
    (letter,) = [msgspec.json.decode(m.value(), type=messages.Dead) for m in read(broker.bootstrap, "dead", 1)]
    assert letter.id == "cells/0/1" and letter.reason.startswith("defect of this program: KeyError")
    assert store.lines == all_lines([sent[0], sent[2]])


def test_a_letter_about_a_letter_is_never_written(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """Neither of a dead letter, of health or a registry, nor of a block: the worker writes the one about that."""
    store = Store()
    told = [message for message in samples_told.every_message(samples.DAY) if message[0] in topics.SUNK_RECENT]
    store.bad = {line for topic, _, value in told for line in lines(value, topic)}
    sink = RunningSink(broker.bootstrap, store, recent=topics.SUNK_RECENT)
    unusable = [(topic, b"k", b"{}") for topic in (*topics.SUNK_RECENT, topics.REGISTRY) for _ in range(3)]
    block = next(message for message in told if message[0] in topics.READINGS)
    broker.send([*unusable, *(message for message in told if message is not block)])
    wait_for(lambda: sink.stats.messages == len(unusable) + 2)
    assert sink.stats.dead == 0
    warned = [r.getMessage() for r in caplog.records if "cannot be written" in r.getMessage()]
    assert sorted(words.split("/")[0] for words in warned) == ["dead", "health", "registry"], "once for each topic"
    broker.send([block])  # the store refuses its lines: that nobody else knows
    wait_for(lambda: sink.stats.dead == 4)
    sink.end()
    letters = read(broker.bootstrap, "dead", 3 + 1 + 4, 2)
    assert sum(b'"place":"readings-emission/' in m.value() for m in letters) == 4


def test_recent_topics_may_have_gaps_on_the_embedded_broker(broker: Broker) -> None:
    """Nobody waits for who reads them there, and that broker drops the oldest."""
    store = Store()
    block = messages.encode(samples_told.block(1_448_899_200, writer="x" * 2000))
    broker.send([("readings-air", b"", block)] * 4_000)
    sink = RunningSink(broker.bootstrap, store, recent=topics.SUNK_RECENT)
    broker.send(hours(1))
    wait_for(lambda: sink.stats.messages > 1_000 and broker.committed("readings-air") == 4_000)
    sink.end()
    assert sink.error is None and sink.stats.messages < 4_000


def test_what_the_broker_dropped_before_the_sink_came_ends_it(broker: Broker) -> None:
    big = hours(1, packets=["x" * 400])[0]
    broker.send([big] * 12_000)
    sink = RunningSink(broker.bootstrap, Store())
    assert sink.ended(10)
    assert isinstance(sink.error, GapError)
    assert "cells partition 0: offset" in str(sink.error) and "where 0 was due" in str(sink.error)


def test_what_the_broker_dropped_while_the_store_was_busy_ends_it(broker: Broker) -> None:
    big = hours(1, packets=["x" * 400])[0]
    store = Store()
    broker.send([big] * 10)
    sink = RunningSink(broker.bootstrap, store)
    wait_for(lambda: broker.committed("cells") == 10)
    sink.end()
    broker.send([big] * 12_000)
    sink = RunningSink(broker.bootstrap, store)
    assert sink.ended(10)
    assert isinstance(sink.error, GapError) and "where 10 was due" in str(sink.error)


def test_a_spool_of_another_log_is_not_continued(broker: Broker, tmp_path: Path) -> None:
    """The supervisor says a new epoch for each fresh broker; forgetting it must not go unseen."""
    sink = RunningSink(broker.bootstrap, Spool(tmp_path, epoch="e1"))
    broker.send(hours(5))
    wait_for(lambda: broker.committed("cells") == 5)
    sink.end()
    fresh = Broker()
    fresh.send(hours(2))
    sink = RunningSink(fresh.bootstrap, Spool(tmp_path, epoch="e1"))
    assert sink.ended(10)
    assert isinstance(sink.error, GapError)
    sink = RunningSink(fresh.bootstrap, Spool(tmp_path, epoch="e2"))
    wait_for(lambda: fresh.committed("cells") == 2)
    sink.end()
    assert spooled(tmp_path) == all_lines(hours(2))
    fresh.close()


def test_a_full_disk_ends_it_with_one_line(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "cells-0.lp").symlink_to("/dev/full")
    sink = RunningSink(broker.bootstrap, Spool(tmp_path, epoch="e1"))
    broker.send(hours(5))
    assert sink.ended(5)
    assert isinstance(sink.error, SpoolError) and broker.committed("cells") < 0
    assert str(sink.error) == (
        f"spool {tmp_path / 'cells-0.lp'}: No space left on device: free some space, then start again: nothing is lost"
    )


def test_without_a_broker_it_still_stops_in_a_second(broker: Broker) -> None:
    store = Store()
    sink = RunningSink(broker.bootstrap, store)
    broker.send(hours(5))
    wait_for(lambda: broker.committed("cells") == 5)
    broker.close()
    time.sleep(0.5)
    assert sink.end() < 1.6
    assert sink.error is None


CHILD = """
import signal, sys, threading
from pathlib import Path
from streams.sink import run_sink
from streams.spool import Spool
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run_sink(sys.argv[1], Spool(Path(sys.argv[2]), epoch="e1"), stop=stop, embedded=True,
         on_ready=lambda: print("ready", flush=True))
"""


def start(broker: Broker, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, broker.bootstrap, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_killed_again_and_again_every_line_is_there_exactly_once(broker: Broker, tmp_path: Path) -> None:
    rng = random.Random(3)
    sent = samples.days(40) + samples.conditions(20)
    per_partition = [sent[p::4] for p in range(4)]
    counts = {(t, p): sum(m[0] == t for m in per_partition[p]) for t in topics.SUNK for p in range(4)}
    at = [0] * 4
    stored_at_kill = set()
    while any(at[p] < len(per_partition[p]) for p in range(4)):
        child = start(broker, tmp_path)
        if rng.random() < 0.8:  # a slow machine would always kill it while it begins
            assert child.stdout is not None and child.stdout.readline()
        until = time.monotonic() + rng.uniform(0.2, 0.8)
        while time.monotonic() < until:
            for p in range(4):
                broker.send(per_partition[p][at[p] : at[p] + 1], p)
                at[p] += 1
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        stored_at_kill.add(sum(count_lines(tmp_path).values()))
    assert len(stored_at_kill) > 3, "too few kills to show anything"
    last = start(broker, tmp_path)
    assert last.stdout is not None and last.stdout.readline() == "ready\n"
    wait_for(lambda: all(max(committed(broker.bootstrap, t, p), 0) == n for (t, p), n in counts.items()), 20)
    os.kill(last.pid, signal.SIGTERM)
    assert last.wait(1.5) == 0
    for p in range(4):
        for topic in topics.SUNK:
            expected = [line for t, _, v in per_partition[p] if t == topic for line in lines(v)]
            path = tmp_path / f"{topic}-{p}.lp"
            stored = path.read_text().splitlines() if path.exists() else []
            assert [x for x in stored if x[0] != "#"] == expected
