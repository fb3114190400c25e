"""Yearly amounts against the permit: the projection, and what is told about it (emission.md §3.3)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from standards.emission.rules import of_totals

Level = Literal["", "yellow", "orange", "red"]
UG_PER_T = 10**12
"""µg (10⁻⁹ kg), in which amounts are kept, in a tonne."""


def tonnes(ug: int) -> Fraction:
    """An amount in tonnes."""
    return Fraction(ug, UG_PER_T)


def mean_per_day(days_ug: Sequence[int], short: bool = False, date: datetime.date | None = None) -> Fraction | None:
    """The mean of the last full days in tonnes, of all there are when they are fewer; None of none.

    Args:
        days_ug: full days in order, what was filled included.
        short: the week's view in place of the month's.
        date: of the data.
    """
    last = days_ug[-of_totals("mean_days_short" if short else "mean_days", date) :]
    return tonnes(sum(last)) / len(last) if last else None


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a year ends.

    ``exceeds_on``: the first day whose end total is strictly above the permit if days go on like this, also in a later
    year; None if never, or if it is already. ``year_end``: tonnes by 31 December. ``used`` and ``of_year``: shares of
    the permit and of the year's days gone. ``level``: what is told.
    """

    exceeds_on: datetime.date | None
    already: bool
    this_year: bool
    year_end: Fraction
    used: Fraction
    of_year: Fraction
    level: Level

    @property
    def pace(self) -> Fraction | None:
        """Share of the permit used per share of the year gone; above 1 it is used too fast. None on 1 January."""
        return self.used / self.of_year if self.of_year else None


def project(permit: Fraction, used: Fraction, daily: Fraction, start: datetime.date) -> Projection:
    """When a permit is used up.

    Args:
        permit: tonnes of the year, above 0.
        used: tonnes up to the end of the day before ``start``, what was filled included.
        daily: tonnes per day to go on with (``mean_per_day``).
        start: the first day not yet counted; its year is the permit's.

    Raises:
        ValueError: a permit that is not above 0.
    """
    if permit <= 0:
        raise ValueError(f"permit 许可排放量 {float(permit)} t: must be above 0")
    end = datetime.date(start.year, 12, 31)
    days_left = (end - start).days + 1
    already = used > permit
    exceeds_on = None
    if daily > 0 and not already:
        days = (permit - used) // daily
        exceeds_on = start + datetime.timedelta(days=days) if days < (datetime.date.max - start).days else None
    this_year = already or (exceeds_on is not None and exceeds_on <= end)
    length = (end - datetime.date(start.year, 1, 1)).days + 1
    return Projection(
        exceeds_on=exceeds_on,
        already=already,
        this_year=this_year,
        year_end=used + daily * days_left,
        used=used / permit,
        of_year=Fraction(length - days_left, length),
        level=_level(100 * used / permit, this_year, start),
    )


def _level(percent: Fraction, this_year: bool, date: datetime.date) -> Level:
    if percent >= of_totals("used_red", date):
        return "red"
    if percent >= of_totals("used_orange", date):
        return "orange"
    return "yellow" if this_year or percent >= of_totals("used_yellow", date) else ""
