"""Which row holds on a date: of one key, the latest begun, until it ends or the next begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class _HasDates(Protocol):
    @property
    def valid_from(self) -> dt.date: ...

    @property
    def valid_to(self) -> dt.date | None: ...


Row = TypeVar("Row", bound=_HasDates)
_DAY = dt.timedelta(days=1)


class Dated(Generic[Row]):
    """Rows by key and date. A look-up is one of a dictionary and a walk over the few rows of a key."""

    def __init__(self, rows: Iterable[Row], key: Callable[[Row], Hashable]) -> None:
        found: dict[Hashable, list[Row]] = {}
        for row in rows:
            found.setdefault(key(row), []).append(row)
        self._spans = {k: _spans(v) for k, v in found.items()}

    def at(self, key: Hashable, date: dt.date) -> Row | None:
        """The row that holds on the date, or None."""
        for first, last, row in self._spans.get(key, ()):
            if first <= date:
                return row if date <= last else None
        return None

    def all_at(self, date: dt.date) -> Iterator[Row]:
        """The rows of all keys that hold on the date, in the order of the file."""
        return (row for key in self._spans if (row := self.at(key, date)) is not None)

    def __iter__(self) -> Iterator[Hashable]:
        """Every key, in the order of the file."""
        return iter(self._spans)

    def spans(self, key: Hashable) -> tuple[tuple[dt.date, dt.date, Row], ...]:
        """First day, last day (``date.max``: open) and row, the latest first."""
        return self._spans.get(key, ())


def _spans(rows: list[Row]) -> tuple[tuple[dt.date, dt.date, Row], ...]:
    found = []
    last = dt.date.max
    for row in sorted(rows, key=lambda r: r.valid_from, reverse=True):
        found.append((row.valid_from, min(row.valid_to or dt.date.max, last), row))
        last = row.valid_from - _DAY if row.valid_from > dt.date.min else dt.date.min
    return tuple(found)
