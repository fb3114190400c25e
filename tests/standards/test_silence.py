"""When a source that says nothing is off-line, and how bad that is (emission.md §4.4, §6)."""

from __future__ import annotations

import pytest

from standards import silence


@pytest.mark.parametrize(("interval_s", "after_s"), [(60, 600), (200, 600), (201, 603), (600, 1800), (3600, 10_800)])
def test_three_missed_intervals_at_least_ten_minutes(interval_s: int, after_s: int) -> None:
    assert silence.offline_after(interval_s) == after_s


def level_at(silent_s: int, interval_s: int) -> str:
    """The level of so long a silence."""
    level = ""
    for after, said in silence.steps(interval_s):
        if silent_s >= after:
            level = said
    return level


@pytest.mark.parametrize(
    ("silent_s", "level"),
    [(599, ""), (600, "blue"), (1800, "blue"), (1801, "yellow"), (7200, "yellow"), (7201, "orange"), (21_601, "red")],
)
def test_levels_by_the_length_of_silence(silent_s: int, level: str) -> None:
    assert level_at(silent_s, 60) == level


def test_who_owes_hours_alone_is_orange_at_once() -> None:
    assert level_at(10_799, 3600) == ""
    assert level_at(10_800, 3600) == "orange"
    assert level_at(21_601, 3600) == "red"
