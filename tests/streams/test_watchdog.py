"""What the watchdog decides, by scripts of what it sees; its thread, by a Kafka that is not there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.offsets import Offsets, OffsetsError, Place
from streams.watchdog import EXIT_STANDSTILL, Standing, Standstill, Watchdog

A, B = ("readings-air", 0), ("readings-air", 1)
PATIENCE = 120.0
EVERY = 5.0


def run(script: list[tuple[dict[Place, int], dict[Place, int] | None]], *, turns: bool = False) -> list[float]:
    """When it complained, seconds from the beginning; a look every five seconds."""
    judged, complaints = Standstill(PATIENCE), []
    for n, (positions, ends) in enumerate(script):
        if judged.look(n * EVERY, Standing(positions, {A[0]: n} if turns else {}), ends):
            complaints.append(n * EVERY)
    return complaints


def test_a_worker_that_takes_nothing_while_messages_wait() -> None:
    moving = [({A: n, B: n}, {A: n, B: n}) for n in range(10)]
    hung = [({A: 9, B: 9}, {A: 9 + n, B: 9 + n}) for n in range(1, 40)]
    assert run(moving + hung)[0] == 10 * EVERY + PATIENCE, "counted from when something waited"


def test_one_message_that_waits_is_enough() -> None:
    assert run([({A: 5}, {A: 6})] * 30)[0] == PATIENCE


def test_a_partition_that_nobody_fetches_while_the_others_are_at_their_ends() -> None:
    assert run([({A: 5, B: n}, {A: 50 + n, B: n}) for n in range(30)])[0] == PATIENCE
    judged = Standstill(PATIENCE)
    for n in range(30):
        still = judged.look(n * EVERY, Standing({A: 5, B: n}), {A: 50 + n, B: n})
    assert still == {A: 5}


def test_a_partition_waits_its_turn_while_a_backlog_elsewhere_is_worked_off() -> None:
    busy = [({A: 5, B: n}, {A: 50, B: 10_000}) for n in range(200)]
    assert run(busy) == []
    over = [({A: 5, B: 10_000}, {A: 50, B: 10_000})] * 40
    assert run(busy + over)[0] == 200 * EVERY, "nothing else is left to do, and it waited long enough before"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([({A: 5, B: 5}, {A: 5, B: 5})] * 100, id="nothing to take"),
        pytest.param([({}, {})] * 100, id="no partitions: another worker has them, or it recovers"),
        pytest.param([({A: 5}, None)] * 100, id="Kafka does not answer"),
        pytest.param([({A: 5}, {})] * 100, id="the partition has no leader"),
        pytest.param([({A: n // 20}, {A: 1000}) for n in range(200)], id="slow, but it moves"),
        pytest.param([({A: 5}, None if n % 20 == 0 else {A: 9}) for n in range(200)], id="Kafka comes and goes"),
        pytest.param([({A: 5} if n % 20 else {}, {A: 9}) for n in range(200)], id="it recovers again and again"),
        pytest.param([({A: 5}, {A: 4})] * 100, id="the log was made anew"),
    ],
)
def test_what_is_no_standstill(script: list[tuple[dict[Place, int], dict[Place, int] | None]]) -> None:
    assert run(script) == []


def test_a_message_that_takes_long_is_no_standstill_while_its_judge_gives_turns() -> None:
    script: Any = [({A: 5}, {A: 9})] * 100
    assert run(script, turns=True) == [] and run(script) != []


def test_long_messages_of_one_topic_do_not_hide_that_another_hangs() -> None:
    """Turns every minute in the air, which reaches its end each time; those of water take nothing."""
    water = ("readings-water", 0)
    judged = Standstill(PATIENCE)
    looks = [
        judged.look(n * EVERY, Standing({A: n, water: 5}, {A[0]: n // 12}), {A: n, water: 6 + n}) for n in range(30)
    ]
    assert next(n * EVERY for n, still in enumerate(looks) if still) == PATIENCE
    assert looks[-1] == {water: 5}


def test_a_partition_waits_its_turn_while_a_message_elsewhere_takes_long() -> None:
    water = ("readings-water", 0)
    judged = Standstill(PATIENCE)
    for n in range(100):
        assert not judged.look(n * EVERY, Standing({A: 5, water: 5}, {A[0]: n}), {A: 9, water: 9})


def test_a_machine_that_slept_is_no_standstill() -> None:
    judged = Standstill(PATIENCE)
    assert not judged.look(0.0, Standing({A: 5}), {A: 9})
    assert not judged.look(5_000.0, Standing({A: 5}), {A: 9})
    assert not judged.look(5_000.0 + PATIENCE - EVERY, Standing({A: 5}), {A: 9})


looks = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from([A, B, ("readings-water", 0)]), st.integers(0, 3), max_size=3),
        st.none() | st.dictionaries(st.sampled_from([A, B, ("readings-water", 0)]), st.integers(0, 4), max_size=3),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(looks)
def test_whoever_is_named_stood_there_with_messages_waiting_at_every_look(
    seen: list[tuple[dict[Place, int], dict[Place, int] | None, int]],
) -> None:
    judged = Standstill(4 * EVERY)
    history: list[tuple[Mapping[Place, int], Mapping[Place, int] | None]] = []
    for n, (positions, ends, beyond) in enumerate(seen):
        ends = ends if ends is None else ends | {p: at + beyond for p, at in positions.items() if beyond}
        history.append((positions, ends))
        for place, at in judged.look(n * EVERY, Standing(positions), ends).items():
            last = history[-5:]
            assert len(last) == 5
            assert all(p.get(place) == at and e is not None and e[place] > at for p, e in last)


class Answers(Offsets):
    """A Kafka that answers as it is told."""

    def __init__(self, ends: dict[Place, int] | None) -> None:
        super().__init__("nowhere:1")
        self.now = ends

    def ends(self, places: Any) -> dict[Place, int]:
        if self.now is None:
            raise OffsetsError("no answer")
        return self.now


def test_the_thread_ends_the_process_with_one_line_that_names_the_place(caplog: pytest.LogCaptureFixture) -> None:
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with caplog.at_level(logging.ERROR, "envstream.watchdog"):
        Watchdog(0.4, Answers({A: 9, B: 5}), lambda: Standing({A: 7, B: 5}), end=end)
        assert ended.wait(20)
    assert codes[0] == EXIT_STANDSTILL == 75
    (record,) = caplog.records
    assert "readings-air/0 at 7 of 9" in record.getMessage() and "readings-air/1" not in record.getMessage()


def test_the_thread_lives_through_whatever_it_meets(caplog: pytest.LogCaptureFixture) -> None:
    kafka, ended, asked = Answers(None), threading.Event(), threading.Event()
    calls = 0

    def standing() -> Standing:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("dictionary changed size during iteration")
        if calls > 30:
            asked.set()
        return Standing({A: 7})

    Watchdog(0.4, kafka, standing, end=lambda _: ended.set())
    assert asked.wait(20) and not ended.is_set(), "Kafka is away: no judgement"
    kafka.now = {A: 9}
    assert ended.wait(20)
    assert "dictionary changed size" in caplog.text
