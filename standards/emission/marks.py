"""Marks of hours and their budgets (emission.md §4.2): what is exempt, and for how long.

The marks of an hour are a set, kept as bits of an int64. Device marks make its data invalid, condition marks tell the
state of the plant: the data stay valid, and what exceeds is exempt within the time the rule of that plant allows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from standards import dated
from standards.emission.exact import Bools
from standards.emission.rules import minimum
from standards.fixed import Ints
from standards.water.editions import choose


@cache
def marks(date: datetime.date | None = None) -> Mapping[str, int]:
    """Every mark with its bit; NORMAL is 0."""
    return {
        row.text("mark"): 1 << row.integer("bit") if row.text("kind") != "normal" else 0
        for row in choose("emission_marks", date).rows
    }


@cache
def bits_of(kind: str, date: datetime.date | None = None) -> int:
    """The marks of a kind (``standstill``, ``condition``, ``device``) as bits."""
    rows = choose("emission_marks", date).where(kind=kind)
    return sum(marks(date)[row.text("mark")] for row in rows)


def bits(names: Iterable[str], plant: str | None = None, date: datetime.date | None = None) -> int:
    """A set of marks, by our names, Chinese names or what enterprises of that plant call them.

    Raises:
        LookupError: a mark that nobody knows.
    """
    found = 0
    for name in names:
        found |= marks(date)[mark_of(name, plant, date)]
    return found


def mark_of(name: str, plant: str | None = None, date: datetime.date | None = None) -> str:
    """The mark that a name means: ``START``, ``启动``, or ``点火`` of a cement kiln.

    Raises:
        LookupError: a name that nobody knows.
    """
    for row in choose("emission_mark_names", date).where(name=name):
        if "plant" not in row or row.text("plant") == plant:
            return row.text("mark")
    for row in choose("emission_marks", date).rows:
        if name in (row.text("mark"), row.text("name")):
            return row.text("mark")
    raise LookupError(f"未知标记 unknown mark {name!r}: one of {', '.join(marks(date))}")


def marks_hour(mark: str, minutes: int, date: datetime.date | None = None) -> bool:
    """Whether a mark over so many minutes of an hour is one of the hour (HJ 75, emission.md §4.1).

    Standstill where at least the minutes of a valid hour are so; a device mark where more than the abnormal minutes
    are, because with fewer the hour is valid without them; a condition mark from its first minute on: what is partly
    marked counts whole.
    """
    bit = marks(date)[mark]
    if bit & bits_of("standstill", date):
        return minutes >= minimum("min_minutes_hour", date)
    if bit & bits_of("device", date):
        return minutes > minimum("abnormal_minutes_hour", date)
    return minutes > 0 and bit != 0


def plant_of(industry: str, process: str, date: datetime.date | None = None) -> str | None:
    """Whose marking rules an outlet follows, by industry and process of the registry; None: no rule exempts it."""
    for row in choose("emission_plants", date).rows:
        if process in row.texts("processes") and ("industries" not in row or industry in row.texts("industries")):
            return row.text("plant")
    return None


def plants(date: datetime.date | None = None) -> tuple[str, ...]:
    """The plants that have marking rules."""
    return tuple(row.text("plant") for row in choose("emission_plants", date).rows)


def cap_of(plant: str, pollutant: str, date: datetime.date | None = None) -> dated.Row | None:
    """The concentration above which marked hours of a plant are exempt for no pollutant, or None."""
    return next(choose("emission_caps", date).where(plant=plant, pollutant=pollutant), None)


def exempts(plant: str, pollutant: str, marked: int, date: datetime.date | None = None) -> bool:
    """Whether a rule of the plant exempts a pollutant under one of these marks at all, its budget aside."""
    rows = choose("emission_budgets", date).where(plant=plant)
    return any(_concerns(row, pollutant) and marked & marks(date)[row.text("mark")] for row in rows)


def _concerns(row: dated.Row, pollutant: str) -> bool:
    return "pollutants" not in row or pollutant in row.texts("pollutants")


def within_budget(
    plant: str | None,
    pollutant: str,
    hours: Ints,
    marked: Ints,
    *,
    variants: Mapping[str, Bools] | None = None,
    capped: Bools | None = None,
    date: datetime.date | None = None,
) -> Bools:
    """Which marked hours of one outlet lie within a budget of their mark.

    Every marked hour uses its budget up, in the order of time, whether something exceeds in it or not; an hour that is
    partly marked counts whole. An event is a run of consecutive hours with the mark. A year is that of Beijing time.

    Args:
        plant: of ``plant_of``; None exempts nothing.
        pollutant: its name.
        hours: int64 (n,), ends of hours in hours since 1970-01-01 00:00 Beijing time, increasing; from 1 January on,
            or the year's budget is not counted right.
        marked: int64 (n,), sets of marks.
        variants: hours of events of another kind (``hot``, ``extended``); the others are as the rule says of all.
        capped: hours above ``cap_of``: not within, and not counted.
        date: of the data.

    Returns:
        bool (n,).

    Raises:
        ValueError: hours that do not increase.
    """
    if (np.diff(hours) <= 0).any():
        raise ValueError("hours 小时: must increase; sort them and keep one of each")
    found = np.zeros(len(hours), dtype=np.bool_)
    free = np.ones(len(hours), dtype=np.bool_) if capped is None else ~capped
    special = variants or {}
    rows = list(choose("emission_budgets", date).where(plant=plant))
    for row in rows:
        if not _concerns(row, pollutant):
            continue
        bit = marks(date)[row.text("mark")]
        here = (marked & bit != 0) & free
        if "variant" in row:
            here &= special.get(row.text("variant"), np.zeros_like(here))
        else:  # an event of another kind has a row of its own, if the rule knows that kind
            own = [r.text("variant") for r in rows if "variant" in r and r.text("mark") == row.text("mark")]
            for name in own:
                here &= ~special.get(name, np.zeros_like(here))
        within = here.copy()
        if "event_hours" in row:
            within &= _hour_of_event(hours, marked & bit != 0) <= row.integer("event_hours")
        if "pool" in row:
            pool = sum({marks(date)[r.text("mark")] for r in rows if r.cells.get("pool") == row.text("pool")})
            within &= _used_of_year(hours, (marked & pool != 0) & free) <= row.integer("year_hours")
        found |= within
    return found


def _hour_of_event(hours: Ints, here: Bools) -> Ints:
    """1 for the first hour of each run of consecutive hours, 2 for the second …; 0 elsewhere."""
    found = np.zeros(len(hours), dtype=np.int64)
    at = np.flatnonzero(here)
    if len(at):
        place = np.arange(len(at))
        begins = np.concatenate([[True], np.diff(hours[at]) != 1])
        found[at] = place - np.maximum.accumulate(np.where(begins, place, 0)) + 1
    return found


def _used_of_year(hours: Ints, here: Bools) -> Ints:
    """How many hours of the calendar year were used up to and with each hour."""
    year = (hours - 1).astype("datetime64[h]").astype("datetime64[Y]").astype(np.int64)  # 00:00 ends the day before
    used = np.cumsum(here)
    first = np.concatenate([[True], np.diff(year) != 0]) if len(year) else np.zeros(0, dtype=np.bool_)
    before = np.where(first, used - here, 0)
    return used - np.maximum.accumulate(before)
