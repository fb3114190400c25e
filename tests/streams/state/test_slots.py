"""Slots against a dictionary that keeps the highest version of each slot, in pure Python."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.state.slots import EMPTY, MOST_SPOKE, Slots, version_of

PERIODS, COLUMNS = 3, 2
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
SMALL = st.integers(-3, 3)
Said = tuple[str, int, int, int, int, int, int]  # row, period, column, version, received, value, meta


def said(number: st.SearchStrategy[int]) -> st.SearchStrategy[Said]:
    return st.tuples(
        st.sampled_from([f"r{n}" for n in range(20)]), st.integers(0, PERIODS - 1), st.integers(0, COLUMNS - 1),
        number, number, number, st.integers(0, 3),
    )  # fmt: skip


def offer(slots: Slots, these: list[Said]) -> None:
    rows = np.array([slots.row(one[0]) for one in these], np.int64)
    period, column, version, received, value = (np.array([one[n] for one in these], np.int64) for n in range(1, 6))
    meta = np.array([one[6] for one in these], np.uint32)
    slots.offer(rows, period, column, value=value, version=version, received=received, meta=meta)


def content(slots: Slots) -> dict[str, Any]:
    """Everything that can be asked of all rows."""
    found = {}
    for name in slots.names():
        row = slots.row(name)
        arrays = (slots.versions(row), slots.received(row), slots.values(row), slots.metas(row))
        spoken = {period: list(slots.who_spoke(row, period)) for period in slots.periods_spoken(row)}
        found[name] = ([array.tolist() for array in arrays], spoken)
    return found


def reference(these: list[Said]) -> dict[tuple[str, int, int], tuple[int, ...]]:
    best: dict[tuple[str, int, int], tuple[int, ...]] = {}
    for row, period, column, *version in these:
        at = (row, period, column)
        best[at] = max(tuple(version), best.get(at, tuple(version)))
    return best


@settings(deadline=None)
@given(st.one_of(st.lists(said(SMALL), max_size=40), st.lists(said(INT64), max_size=40)), st.randoms())
def test_any_order_repetition_and_split_keeps_the_highest_version(these: list[Said], chance: random.Random) -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    sent = [one for one in these for _ in range(chance.choice((1, 1, 2)))]
    chance.shuffle(sent)
    while sent:
        size = chance.randrange(1, 9)
        offer(slots, sent[:size])
        sent = sent[size:]
        if chance.random() < 0.3:
            slots.cool(chance.choice(slots.names()))
    won = reference(these)
    for name, (arrays, _) in content(slots).items():
        for period in range(PERIODS):
            for column in range(COLUMNS):
                held = tuple(array[period][column] for array in arrays)
                assert held == won.get((name, period, column), (EMPTY, 0, 0, 0))
    assert set(slots.names()) == {one[0] for one in these}


@settings(deadline=None)
@given(st.lists(said(INT64), max_size=30), st.lists(st.tuples(st.sampled_from(["r1", "r2", "路"]), SMALL, st.text())))
def test_a_row_comes_back_as_it_was_packed(these: list[Said], packets: list[tuple[str, int, str]]) -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    slots.row("nobody spoke of it")
    slots.touch(slots.row("nobody spoke of it"))
    if these:
        offer(slots, these)
    for name, period, packet in packets:
        slots.spoke(slots.row(name), period % PERIODS, packet)
    before = content(slots)
    rows = slots.changes()
    again = Slots("p", PERIODS, COLUMNS)
    for key, row in rows:
        assert row is not None
        again.restore(key.decode().partition("|")[2], row)
    assert content(again) == before
    # cooling and warming changes nothing, and a row packs to the same bytes wherever it stands in the arrays
    for name in slots.names():
        slots.cool(name)
        again.touch(again.row(name))
    assert slots.warm == [] and content(slots) == before
    assert again.changes() == rows


def test_numbers_of_rows_hold_while_the_arrays_grow() -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    numbers = {}
    for n in range(300):
        numbers[n] = slots.row(f"r{n}")
        offer(slots, [(f"r{n}", n % PERIODS, n % COLUMNS, n, n, n, 0)])
    for n in range(300):
        assert slots.row(f"r{n}") == numbers[n] and slots.name_of(numbers[n]) == f"r{n}"
        assert slots.values(numbers[n])[n % PERIODS, n % COLUMNS] == n
    for n in range(0, 300, 2):
        slots.drop(f"r{n}")
    fresh = slots.row("new")  # takes a place that was another's
    assert fresh in {numbers[n] for n in range(0, 300, 2)}
    assert (slots.versions(fresh) == EMPTY).all() and slots.periods_spoken(fresh) == []


def test_what_is_settled_keeps_what_won_and_yields_to_whoever_speaks_again() -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    judged, not_judged = version_of("9" * 17, True), version_of("9" * 17, False)
    assert not_judged < version_of("0", True)
    offer(slots, [("r", 0, 0, judged, 5, 50, 1), ("r", 1, 0, not_judged, 5, 60, 2)])
    slots.spoke(slots.row("r"), 0, "gw:1")
    slots.settle("r")
    assert slots.warm == []
    row = slots.row("r")
    assert slots.values(row)[:2, 0].tolist() == [50, 60] and slots.metas(row)[:2, 0].tolist() == [1, 2]
    assert slots.versions(row)[:, 0].tolist() == [0, -1, EMPTY] and slots.who_spoke(row, 0) == []
    assert slots.periods_spoken(row) == [0]
    ((key, packed),) = slots.changes()
    assert key == b"p|r" and packed is not None
    offer(slots, [("r", 0, 0, 1, 0, 7, 0)])
    assert slots.values(row)[0, 0] == 7


def test_a_dropped_row_is_a_tombstone_once_and_may_be_spoken_of_again() -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    offer(slots, [("r", 0, 0, 1, 1, 1, 0)])
    slots.changes()
    slots.drop("r")
    slots.drop("never heard of")
    assert "r" not in slots and slots.changes() == [(b"p|r", None)] and slots.changes() == []
    slots.drop("r")
    offer(slots, [("r", 0, 0, 2, 2, 2, 0)])
    ((key, row),) = slots.changes()
    assert key == b"p|r" and row is not None


def test_a_row_of_another_format_is_named() -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    offer(slots, [("r", 0, 0, 1, 1, 1, 0)])
    ((_, row),) = slots.changes()
    assert row is not None
    other = Slots("p", PERIODS + 1, COLUMNS)
    other.restore("r", row)
    with pytest.raises(ValueError, match=r"p\|r .* 3 × 2 slots, this program reads 2 of 4 × 2"):
        other.row("r")


def test_who_speaks_without_end_is_counted_to_a_limit_and_still_competes() -> None:
    slots = Slots("p", PERIODS, COLUMNS)
    row = slots.row("r")
    for n in range(MOST_SPOKE + 5):
        slots.spoke(row, 0, f"gw:{n}")
        slots.spoke(row, 0, f"gw:{n}")
        offer(slots, [("r", 0, 0, n, n, n, 0)])
    assert len(slots.who_spoke(row, 0)) == MOST_SPOKE
    assert slots.values(row)[0, 0] == MOST_SPOKE + 4


@pytest.mark.parametrize(
    ("qn", "number"), [("", 0), ("20151201000000000", 20151201000000000), ("x", 0), ("１", 0), ("9" * 19, 0)]
)
def test_a_version_is_the_qn_as_a_number(qn: str, number: int) -> None:
    assert version_of(qn, True) == number and EMPTY < version_of(qn, False) < 0
