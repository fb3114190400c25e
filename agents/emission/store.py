"""Slots of sources that measure different things: one :class:`Slots` per number of columns, rows that know theirs.

What a source's columns are stands in the registry and may change; a row keeps those it was made with, by a short name
of their list, and the list is a row of the state too. So a registry never makes a row unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from streams.state.judge import Judge, digest_of
from streams.state.shelf import Shelf
from streams.state.slots import Codes, Ints, Slots

Columns = tuple[str, ...]


class Place(NamedTuple):
    """A row: the slots it lies in, its number there, and what its columns are."""

    slots: Slots
    row: int
    columns: Columns


def _decode(row: bytes) -> Columns:
    return tuple(msgspec.msgpack.decode(row, type=list[str]))


class ColumnLists:
    """Lists of columns by their short names."""

    def __init__(self, judge: Judge) -> None:
        self._rows: Shelf[Columns] = judge.keep(Shelf("c", _decode, lambda columns: msgspec.msgpack.encode(columns)))
        self._tags: dict[Columns, str] = {}

    def tag(self, columns: Columns) -> str:
        """The short name of a list, which is remembered from now on."""
        found = self._tags.get(columns)
        if found is None:
            found = self._tags[columns] = digest_of(*columns)[:8]
            if found not in self._rows:
                self._rows.put(found, columns)
        return found

    def columns(self, tag: str) -> Columns:
        """The list of a short name."""
        found = self._rows.get(tag)
        if found is None:  # its row was of a first checkpoint that was cut short: the log says it all again
            raise KeyError(tag)
        return found


class Store:
    """Rows of ``periods`` × the columns of a source, by source and number (a day, or the end of an hour)."""

    def __init__(self, judge: Judge, prefix: str, periods: int, lists: ColumnLists) -> None:
        """Begin empty.

        Args:
            judge: whose state it is.
            prefix: one letter; the rows' keys begin with it and the number of columns.
            periods: of every row.
            lists: of columns, shared by the stores of a judge.
        """
        self.prefix, self.periods = prefix, periods
        self._judge, self._lists = judge, lists
        self._slots: dict[int, Slots] = {}
        self._tag_of: dict[tuple[str, int], tuple[int, str]] = {}  # (source, number): width and tag of its row
        self._numbers: dict[str, set[int]] = {}

    def of_width(self, width: int) -> Slots:
        """The slots of rows with so many columns."""
        found = self._slots.get(width)
        if found is None:
            found = self._slots[width] = self._judge.keep(Slots(f"{self.prefix}{width}", self.periods, width))
        return found

    def restored(self, width: int, name: str) -> None:
        """A row of the last checkpoint is in its slots."""
        source, number, tag = name.rsplit("|", 2)
        try:
            self._lists.columns(tag)
        except KeyError:
            self.of_width(width).drop(name)
            return
        self._remember(source, int(number), width, tag)

    def _remember(self, source: str, number: int, width: int, tag: str) -> None:
        self._tag_of[source, number] = width, tag
        self._numbers.setdefault(source, set()).add(number)

    def __contains__(self, at: tuple[str, int]) -> bool:
        return at in self._tag_of

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Source and number of every row, in order."""
        return iter(sorted(self._tag_of))

    def numbers(self, source: str) -> set[int]:
        """Numbers of a source's rows; not to be written."""
        return self._numbers.get(source, set())

    def find(self, source: str, number: int) -> Place | None:
        """A row, warmed if it was cold; None where nobody spoke of it."""
        known = self._tag_of.get((source, number))
        if known is None:
            return None
        width, tag = known
        slots = self.of_width(width)
        row = slots.find(f"{source}|{number}|{tag}")
        assert row is not None
        return Place(slots, row, self._lists.columns(tag))

    def place(self, source: str, number: int, columns: Callable[[], Columns]) -> Place:
        """A row, made with these columns when it is first spoken of."""
        found = self.find(source, number)
        if found is None:
            names = columns()
            slots, tag = self.of_width(len(names)), self._lists.tag(names)
            self._remember(source, number, len(names), tag)
            found = Place(slots, slots.row(f"{source}|{number}|{tag}"), names)
        return found

    def _named(self, source: str, number: int) -> tuple[Slots, str]:
        width, tag = self._tag_of[source, number]
        return self.of_width(width), f"{source}|{number}|{tag}"

    def cool(self, source: str, number: int) -> None:
        """Keep a row as its bytes."""
        slots, name = self._named(source, number)
        slots.cool(name)

    def settle(self, source: str, number: int) -> None:
        """Nothing can compete with this row any more."""
        slots, name = self._named(source, number)
        slots.settle(name)

    def drop(self, source: str, number: int) -> None:
        """Forget a row."""
        slots, name = self._named(source, number)
        slots.drop(name)
        del self._tag_of[source, number]
        self._numbers[source].discard(number)


class Offers:
    """Readings on their way into a store: gathered over many blocks, offered at once."""

    def __init__(self) -> None:
        self._slots: dict[int, Slots] = {}
        self._parts: dict[int, list[tuple[Ints, Ints, Ints, Ints, Ints, Ints, Codes]]] = {}
        self._few: dict[int, list[tuple[int, int, int, int, int, int, int]]] = {}
        self.count = 0

    def say(self, slots: Slots, reading: tuple[int, int, int, int, int, int, int]) -> None:
        """Take one reading: row, period, column, value, version, received, meta."""
        held = self._few.get(slots.columns)
        if held is None:
            self._slots[slots.columns] = slots
            held = self._few[slots.columns] = []
        held.append(reading)
        self.count += 1

    def add(
        self, slots: Slots, row: Ints, period: Ints, column: Ints, value: Ints, version: Ints, received: Ints,
        meta: Codes,
    ) -> None:  # fmt: skip
        """Take readings that belong into some slots; all arrays have one length."""
        if len(row):
            self._slots[slots.columns] = slots
            self._parts.setdefault(slots.columns, []).append((row, period, column, value, version, received, meta))
            self.count += len(row)

    def flush(self) -> None:
        """Offer them. Order does not matter: the later version wins whichever comes first."""
        for width, few in self._few.items():
            if few:
                table = np.array(few, np.int64).T
                row, period, column, value, version, received = table[:6]
                part = row, period, column, value, version, received, table[6].astype(np.uint32)
                self._parts.setdefault(width, []).append(part)
        self._few = {}
        for width, parts in self._parts.items():
            row, period, column, value, version, received, meta = (
                each[0] if len(parts) == 1 else np.concatenate(each) for each in zip(*parts, strict=True)
            )
            self._slots[width].offer(row, period, column, value=value, version=version, received=received, meta=meta)
        self._parts, self.count = {}, 0
