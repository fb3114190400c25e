"""Which edition of a water table applies: the one of a date, one by name, or the newest."""

from __future__ import annotations

import datetime

from standards import dated


def choose(
    subject: str, date: datetime.date | None = None, *, name: str | None = None, series: str = ""
) -> dated.Edition:
    """The edition of a table.

    Args:
        subject: the table.
        date: Beijing calendar date of the data; None takes the newest edition (no clock is read here).
        name: forces an edition, to judge old data again.
        series: a profile of a doubtful rule, as named in docs/law-water.md.

    Raises:
        LookupError: no such edition or series, or none in force on the date.
    """
    if name is not None:
        return dated.by_name(subject, name)
    if date is not None:
        return dated.for_date(subject, date, series)
    found = [each for each in dated.load(subject) if each.series == series]
    if not found:
        known = sorted({each.series for each in dated.load(subject)} - {""})
        raise LookupError(f"{subject}: no profile {series!r}; there are {', '.join(known) or 'none'}")
    return found[-1]
