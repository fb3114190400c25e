"""The clock of a writer: what is believed, and what waits for a person."""

from __future__ import annotations

import pytest

from streams.clock import JUMP_MS, LIVE, VIRTUAL, ClockError, WriterClock


class Hands:
    """A wall clock and a steady one, set by hand."""

    wall, steady = 1_000_000_000, 5_000

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.steady += ms

    def clock(self, kind: str | None = LIVE) -> WriterClock:
        return WriterClock(kind, wall_ms=lambda: self.wall, since_boot_ms=lambda: self.steady)


def test_time_that_passes_is_believed_however_long() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_ms(3 * 86_400_000)  # nobody looked for three days
    assert not clock.held
    assert clock.now_ms() == hands.wall


def test_a_leap_of_more_than_ten_minutes_waits_for_a_person() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += JUMP_MS + 1
    assert clock.held
    hands.pass_ms(60_000)
    assert clock.held, "waiting does not make it right"
    assert clock.confirm() == JUMP_MS + 1
    assert not clock.held
    hands.wall += JUMP_MS
    assert not clock.held, "ten minutes are believed: an NTP step after a long outage"


def test_set_back_it_goes_on_by_itself() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += 86_400_000
    assert clock.held
    hands.wall -= 86_400_000
    assert not clock.held


def test_backward_is_no_leap() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall -= 3_600_000
    assert not clock.held
    hands.wall += 300_000
    assert not clock.held


def test_a_virtual_clock_is_the_players_and_never_goes_back() -> None:
    hands = Hands()
    clock = hands.clock(None)
    assert clock.set(5_000) == 5_000
    assert clock.set(4_000) == 5_000
    hands.wall += 86_400_000
    assert (clock.kind, clock.now_ms(), clock.held) == (VIRTUAL, 5_000, False)
    with pytest.raises(ClockError, match="live"):
        hands.clock(LIVE).set(1)
