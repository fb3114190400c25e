"""Warning levels of a section, result by result, and the episodes they make (water.md §4.7 [E]).

A level rests on new results alone: the same result said again for four hours is one result. Everything here is a pure
function of a series; nothing is remembered between calls.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from standards.fixed import Ints
from standards.water.editions import choose
from standards.water.ladders import NO_CLASS, Classes
from standards.water.readings import Bools

OVER, JUMP, RISING, OVER_AGAIN, CLASS_DROP, WORST, MULTIPLE, TOXIC = (
    "over", "jump", "rising", "over-again", "class-drop", "worse-than-V", "multiple", "toxic",
)  # fmt: skip
RULES: Final = (OVER, JUMP, RISING, OVER_AGAIN, CLASS_DROP, WORST, MULTIPLE, TOXIC)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; counts are 0 where the table has none."""

    rule: str
    name: str
    name_en: str
    level: int
    colour: str
    results: int
    hours: int
    percent: int
    multiple: int
    classes: int
    days: int

    def count(self, hourly: bool) -> int:
        """How many consecutive results it takes."""
        return self.hours if hourly else self.results


@cache
def rules(date: datetime.date | None = None) -> dict[str, Rule]:
    """Every rule, and ``recover``, by its name."""
    numbers = ("results", "hours", "percent", "multiple", "classes", "days")
    return {
        row.text("rule"): Rule(
            row.text("rule"), row.text("name"), row.text("name_en"), row.integer("level"),
            row.text("colour") if "colour" in row else "",
            *(row.integer(name) if name in row else 0 for name in numbers),
        )
        for row in choose("water_warnings", date).rows
    }  # fmt: skip


@cache
def level_word(level: int, date: datetime.date | None = None) -> str:
    """``watch``, ``warning`` or ``serious``; "" of level 0."""
    return choose("water_levels", date).row(level=level).text("word") if level else ""


@dataclass(frozen=True, slots=True)
class Results:
    """New results of one item in time order; every array has one length.

    ``times``: int64, when the water was drawn, seconds. ``values``: int64 in the item's scale. ``over``: worse than the
    target. ``worst``: worse than the last class. ``doubled``: the exceed multiple reaches ``multiple`` of the rule.
    ``near``: past the share of the target limit that ``rising`` names. ``jump``: a step of grade watch or worse.
    """

    times: Ints
    values: Ints
    over: Bools
    worst: Bools
    doubled: Bools
    near: Bools
    jump: Bools


@dataclass(frozen=True, slots=True)
class Episode:
    """One run of results that somebody should know of.

    ``begin``: when the water of its first result was drawn. ``until``: of the newest result that had a level.
    ``ended``: of the result that ended it, 0 while it is open. ``level``: the highest so far, since ``since_level``.
    ``rules``: every rule that held, in the order of the table. ``count``: results that were worse than the target.
    """

    begin: int
    until: int
    ended: int
    level: int
    since_level: int
    rules: tuple[str, ...]
    count: int

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return not self.ended


def _runs(mask: Bools, linked: Bools, count: int) -> Bools:
    """Where at least so many results in a row are true, from the one on that makes it so many."""
    found = mask.copy()
    run = mask
    for _ in range(1, count):
        before = np.zeros_like(run)
        before[1:] = run[:-1]
        run = mask & before & linked
        found = run
    return found


def levels(
    results: Results, *, hourly: bool, gap_s: int, toxic: bool, date: datetime.date | None = None
) -> dict[str, Bools]:
    """Which rules hold at every result.

    Args:
        results: of one item.
        hourly: measured every hour, not in cycles.
        gap_s: a longer silence between two results breaks a row (``rhythm.Rhythm.gap``).
        toxic: one of the items that go first (``toxic_first``).
        date: of the data.
    """
    table = rules(date)
    linked = np.ones(len(results.times), dtype=np.bool_)
    linked[1:] = np.diff(results.times) <= gap_s
    up = np.zeros(len(results.times), dtype=np.bool_)
    up[1:] = (np.diff(results.values) > 0) & results.near[:-1]
    steps = max(table[RISING].count(hourly) - 1, 1)
    rising = results.near & _runs(results.near & up, linked, steps)
    found = {
        OVER: results.over,
        JUMP: results.jump,
        RISING: rising & ~results.over,
        OVER_AGAIN: _runs(results.over, linked, table[OVER_AGAIN].count(hourly)),
        WORST: _runs(results.worst, linked, table[WORST].count(hourly)),
        MULTIPLE: results.doubled,
    }
    if toxic:
        found[TOXIC] = results.over
    return found


def episodes(
    times: Ints, held: dict[str, Bools], over: Bools, *, hourly: bool, date: datetime.date | None = None
) -> list[Episode]:
    """Fold the rules that held into episodes: from the first result with a level until enough without one.

    Args:
        times: int64 (n,), when the water was drawn, not falling.
        held: bool (n,) by rule, of :func:`levels`.
        over: bool (n,), worse than the target.
        hourly: measured every hour.
        date: of the data.
    """
    table = rules(date)
    level = np.zeros(len(times), dtype=np.int8)
    for rule, mask in held.items():
        level = np.maximum(level, np.where(mask, table[rule].level, 0)).astype(np.int8)
    if not level.any():
        return []
    needed = table["recover"].count(hourly)
    found: list[Episode] = []
    begin, last, top, since, calm, count, seen = -1, 0, 0, 0, 0, 0, set[str]()
    for at in range(int(np.flatnonzero(level)[0]), len(times)):
        now, time = int(level[at]), int(times[at])
        if now:
            if begin < 0:
                begin, top, count, seen = time, 0, 0, set()
            calm, last, count = 0, time, count + bool(over[at])
            seen |= {rule for rule, mask in held.items() if mask[at]}
            if now > top:
                top, since = now, time
        elif begin >= 0:
            calm += 1
            if calm >= needed:
                found.append(_episode(begin, last, time, top, since, seen, count))
                begin = -1
    if begin >= 0:
        found.append(_episode(begin, last, 0, top, since, seen, count))
    return found


def _episode(begin: int, until: int, ended: int, level: int, since: int, seen: set[str], count: int) -> Episode:
    return Episode(begin, until, ended, level, since, tuple(rule for rule in RULES if rule in seen), count)


def colour(episode: Episode, date: datetime.date | None = None) -> str:
    """Colour of an episode: of its rules the worst (emission.md §6)."""
    order = ("", "blue", "yellow", "orange", "red")
    return max((rules(date)[rule].colour for rule in episode.rules), key=order.index)


def class_drops(classes: Classes, per_day: int = 24, date: datetime.date | None = None) -> Bools:
    """Samples whose class is much worse than the median of the days before.

    Args:
        classes: int8 (n,) of a section on a regular grid, NO_CLASS where there is none.
        per_day: samples in a day.
        date: of the data.

    Returns:
        bool (n,). The median is the better one of two; with less than a day's samples nothing is compared.
    """
    rule = rules(date)[CLASS_DROP]
    width = rule.days * per_day
    kinds = np.arange(1, 7, dtype=np.int8)
    counts = np.zeros((len(classes) + 1, len(kinds)), dtype=np.int64)
    np.cumsum(classes[:, None] == kinds, axis=0, out=counts[1:])
    at = np.arange(len(classes))
    before = counts[at] - counts[np.maximum(at - width, 0)]
    total = before.sum(axis=1)
    half = np.cumsum(before, axis=1) * 2 >= total[:, None]
    median = np.argmax(half, axis=1) + 1
    found: Bools = (classes != NO_CLASS) & (total >= per_day) & (classes >= median + rule.classes)
    return found
