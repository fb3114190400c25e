"""When a source that says nothing is off-line, and how bad that is (domain/emission.md §4.4, §6)."""

from __future__ import annotations

from functools import cache
from typing import Final

from standards import dated

LEVELS: Final = ("blue", "yellow", "orange", "red")
"""From the moment a source is off-line; each of the others from its own length of silence on."""


@cache
def _count(what: str) -> int:
    return dated.load("silence")[0].row(what=what).integer("value")


def _seconds(what: str) -> int:
    return 60 * _count(what)


def offline_after(interval_s: int) -> int:
    """Seconds without a word after which a source is off-line: three missed intervals, at least ten minutes.

    Args:
        interval_s: how often it must say something.
    """
    return max(_count("missed_intervals") * interval_s, _seconds("least"))


@cache
def steps(interval_s: int) -> tuple[tuple[int, str], ...]:
    """Lengths of silence in seconds and the level each begins; the first is when the source is off-line.

    A level is exceeded, not reached (§6: "> 30 min"), so it begins a second later; of levels that begin together the
    worst holds.
    """
    first = offline_after(interval_s)
    found = {first: LEVELS[0]}
    for level in LEVELS[1:]:
        found[max(first, _seconds(level) + 1)] = level
    return tuple(sorted(found.items()))
