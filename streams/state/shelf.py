"""A shelf of state rows of one kind: decoded when first asked for, written when changed, dropped by a tombstone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")

Row = tuple[bytes, bytes | None]
"""Key and bytes of a state row; no bytes: a tombstone."""


class Shelf(Generic[Value]):
    """Values by name. A row that nobody asked for since the restart stays the bytes it was.

    Attributes:
        prefix: first part of the rows' keys, the rest after ``|`` is the name.
    """

    def __init__(self, prefix: str, decode: Callable[[bytes], Value], encode: Callable[[Value], bytes]) -> None:
        self.prefix = prefix
        self._decode, self._encode = decode, encode
        self._warm: dict[str, Value] = {}
        self._cold: dict[str, bytes] = {}
        self._changed: set[str] = set()
        self._dropped: set[str] = set()

    def restore(self, name: str, row: bytes) -> None:
        """Take back a row of the last checkpoint."""
        self._cold[name] = row

    def get(self, name: str) -> Value | None:
        """The value of a name, or None. Who changes it in place says so with :meth:`touch`."""
        found = self._warm.get(name)
        if found is None and name in self._cold:
            found = self._warm[name] = self._decode(self._cold.pop(name))
        return found

    def put(self, name: str, value: Value) -> None:
        """Put a value, to be written at the next checkpoint."""
        self._warm[name] = value
        self._cold.pop(name, None)
        self.touch(name)

    def touch(self, name: str) -> None:
        """The value of this name was changed in place."""
        self._changed.add(name)
        self._dropped.discard(name)

    def drop(self, name: str) -> None:
        """Forget a value; a tombstone goes into the state topic."""
        known = self._warm.pop(name, None) is not None
        if (self._cold.pop(name, None) is not None) or known:
            self._changed.discard(name)
            self._dropped.add(name)

    def cool(self, name: str) -> None:
        """Keep a value as its bytes, which need less memory than the object."""
        if name in self._warm:
            self._cold[name] = self._encode(self._warm.pop(name))

    def __contains__(self, name: str) -> bool:
        return name in self._warm or name in self._cold

    def __len__(self) -> int:
        return len(self._warm) + len(self._cold)

    def names(self) -> list[str]:
        """Every name, in order."""
        return sorted((*self._warm, *self._cold))

    def items(self) -> Iterator[tuple[str, Value]]:
        """Names and values, in the order of names."""
        for name in self.names():
            value = self.get(name)
            assert value is not None
            yield name, value

    def changes(self) -> list[Row]:
        """Rows changed since the last call."""
        rows: list[Row] = []
        for name in sorted(self._changed):
            cold = self._cold.get(name)
            rows.append((self._key(name), cold if cold is not None else self._encode(self._warm[name])))
        rows += [(self._key(name), None) for name in sorted(self._dropped)]
        self._changed, self._dropped = set(), set()
        return rows

    def _key(self, name: str) -> bytes:
        return f"{self.prefix}|{name}".encode()
