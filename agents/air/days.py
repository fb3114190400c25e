"""Day verdicts of areas: what months, years, budgets and comparisons are derived from. About a kilobyte each.

A row is what the law said of a day with dust kept; the other caliber, and every tally, is derived from it.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from agents.air.when import name_of, split
from schemas import times
from standards import air as law
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.air.judge import AirJudge

STATE_VERSION = 1


class _Row(msgspec.Struct, array_like=True):
    v: int
    day: dict[str, Any]


def _decode(row: bytes) -> law.DayVerdicts:
    found = msgspec.msgpack.decode(row, type=_Row)
    if found.v != STATE_VERSION:
        raise ValueError(f"a day row of format {found.v}, this program reads {STATE_VERSION}")
    return law.unpack_days([found.day])


def _encode(day: law.DayVerdicts) -> bytes:
    return msgspec.msgpack.encode(_Row(STATE_VERSION, law.pack_day(day)))


class Days:
    """Closed days by area."""

    def __init__(self, judge: AirJudge) -> None:
        self._rows: Shelf[law.DayVerdicts] = judge.keep(Shelf("d", _decode, _encode))
        self._of: dict[str, set[int]] = {}
        self._months: dict[tuple[str, int], law.DayVerdicts] = {}  # (area, months since 1970): its days, stacked
        self._known = False

    def _areas(self) -> dict[str, set[int]]:
        if not self._known:
            self._known = True
            for name in self._rows.names():
                area, day = split(name)
                self._of.setdefault(area, set()).add(day)
        return self._of

    def of(self, area: str) -> set[int]:
        """Day numbers of an area that are closed; not to be written."""
        return self._areas().get(area, set())

    def get(self, area: str, day: int) -> law.DayVerdicts | None:
        """A closed day."""
        return self._rows.get(name_of(area, day))

    def put(self, area: str, day: int, verdict: law.DayVerdicts) -> None:
        """A day is closed, or changed."""
        self._areas().setdefault(area, set()).add(day)
        self._rows.put(name_of(area, day), verdict)
        self._months.pop((area, _month(day)), None)

    def span(self, area: str, first: int, last: int) -> law.DayVerdicts | None:
        """The closed days of an area from first to last, stacked in order; None without any."""
        parts = []
        for month in range(_month(first), _month(last) + 1):
            whole = self._whole_month(area, month)
            if whole is None:
                continue
            numbers = whole.date.astype("int64")
            parts.append(whole.take((numbers >= first) & (numbers <= last)))
        parts = [part for part in parts if len(part)]
        return law.stack(parts) if parts else None

    def _whole_month(self, area: str, month: int) -> law.DayVerdicts | None:
        found = self._months.get((area, month))
        if found is None:
            first, last = month_span(month)
            closed = self.of(area)
            days = [self.get(area, day) for day in range(first, last + 1) if day in closed]
            if not days:
                return None
            found = self._months[area, month] = law.stack([day for day in days if day is not None])
        return found

    def forget_before(self, year: int) -> None:
        """Days of years before are dropped."""
        for area, days in self._areas().items():
            for day in [day for day in days if times.date_of(day).year < year]:
                days.discard(day)
                self._rows.drop(name_of(area, day))
                self._months.pop((area, _month(day)), None)


@lru_cache(maxsize=8192)
def _month(day: int) -> int:
    date = times.date_of(day)
    return date.year * 12 + date.month - 1


def month_span(month: int) -> tuple[int, int]:
    """First and last day number of a month, counted from year 0."""
    following = month + 1
    first = dt.date(month // 12, month % 12 + 1, 1)
    return times.day_number(first), times.day_number(dt.date(following // 12, following % 12 + 1, 1)) - 1
