"""Slots: per row an array of periods × columns, each with the winning version of what was said of it.

Writing a slot twice, or in another order, changes nothing: the later version wins, by QN, then by ``received``, then
by the value itself (design §6). Nothing is counted up; means and verdicts are derived by whoever asks.

A row is warm (in the arrays) or cold (the packed bytes that also are its row in the state topic): an open hour of a
thousand sources is some megabytes, their sixty days are not. Knows no domain: rows have names, periods and columns
numbers.
"""

from __future__ import annotations

import bisect
import zlib
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from streams.state.shelf import Row

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint32]

STATE_VERSION: Final = 2
EMPTY: Final = np.iinfo(np.int64).min
"""Version of a slot nobody spoke of."""
_NOT_JUDGED: Final = 1 << 62
"""Taken off the version of what is kept but not judged, so that it never takes the place of what is."""

MOST_SPOKE: Final = 1_000
"""Packets remembered by name for a period. Who repeats himself more often than this is counted no further; what he
says still competes for the slot."""
_LEAST_ROWS: Final = 8
_LEVEL: Final = 1  # measured: level 6 is a tenth smaller and takes four times as long


def version_of(qn: str, judged: bool) -> int:
    """The first part of a version: the QN as a number; what is not judged is older than all that is."""
    number = int(qn) if len(qn) <= 18 and qn.isascii() and qn.isdigit() else 0
    return number if judged else number - _NOT_JUDGED


class _Packed(msgspec.Struct, array_like=True):
    v: int
    periods: int
    columns: int
    body: bytes
    spoke: dict[int, list[str]]


class Slots:
    """Rows of ``periods`` × ``columns`` slots by name.

    Attributes:
        prefix: first part of the rows' keys in the state topic.
        periods, columns: of every row.
    """

    def __init__(self, prefix: str, periods: int, columns: int) -> None:
        self.prefix, self.periods, self.columns = prefix, periods, columns
        self.size = periods * columns
        self._value: Ints = np.zeros(0, np.int64)
        self._version: Ints = np.zeros(0, np.int64)
        self._received: Ints = np.zeros(0, np.int64)
        self._meta: Codes = np.zeros(0, np.uint32)
        self._at: dict[str, int] = {}
        self._name: list[str | None] = []
        self._free: list[int] = []
        self._cold: dict[str, bytes] = {}
        self._spoke: dict[int, dict[int, list[str]]] = {}
        self._changed: set[str] = set()
        self._dropped: set[str] = set()

    # ---- rows

    def __contains__(self, name: str) -> bool:
        return name in self._at or name in self._cold

    def __len__(self) -> int:
        return len(self._at) + len(self._cold)

    def names(self) -> list[str]:
        """Names of all rows, in order."""
        return sorted((*self._at, *self._cold))

    @property
    def warm(self) -> list[str]:
        """Names of the rows in the arrays."""
        return list(self._at)

    def find(self, name: str) -> int | None:
        """Number of a row, warmed if it was cold; None where nobody spoke of it."""
        at = self._at.get(name)
        if at is None and name in self._cold:
            at = self._warm(name, self._cold.pop(name))
        return at

    def row(self, name: str) -> int:
        """Number of a row, made when it is first spoken of. Numbers hold until :meth:`cool` or :meth:`drop`."""
        at = self.find(name)
        return self._new(name) if at is None else at

    def name_of(self, row: int) -> str:
        """Name of a warm row."""
        name = self._name[row]
        assert name is not None
        return name

    def _new(self, name: str) -> int:
        if not self._free:
            self._grow()
        at = self._free.pop()
        self._at[name], self._name[at] = at, name
        return at

    def _grow(self) -> None:
        have = len(self._name)
        more = max(have, _LEAST_ROWS)
        for array in ("_value", "_received", "_meta"):
            held = getattr(self, array)
            setattr(self, array, np.concatenate((held, np.zeros(more * self.size, held.dtype))))
        self._version = np.concatenate((self._version, np.full(more * self.size, EMPTY, np.int64)))
        self._name += [None] * more
        self._free += range(have + more - 1, have - 1, -1)

    def _clear(self, name: str) -> None:
        at = self._at.pop(name)
        part = self._part(at)
        self._value[part] = self._received[part] = 0
        self._meta[part] = 0
        self._version[part] = EMPTY
        self._name[at] = None
        self._spoke.pop(at, None)
        self._free.append(at)

    def _part(self, row: int) -> slice:
        return slice(row * self.size, (row + 1) * self.size)

    def values(self, row: int) -> Ints:
        """int64[periods, columns] of a row, a view that holds until the next row is made; read only what is spoken."""
        return self._value[self._part(row)].reshape(self.periods, self.columns)

    def versions(self, row: int) -> Ints:
        """int64[periods, columns]: EMPTY where nobody spoke, negative where it is not judged."""
        return self._version[self._part(row)].reshape(self.periods, self.columns)

    def received(self, row: int) -> Ints:
        """int64[periods, columns]: when the winner was received, epoch milliseconds."""
        return self._received[self._part(row)].reshape(self.periods, self.columns)

    def metas(self, row: int) -> Codes:
        """uint32[periods, columns]: whatever the owner packed beside the value (places, flag)."""
        return self._meta[self._part(row)].reshape(self.periods, self.columns)

    # ---- saying

    def offer(
        self, row: Ints, period: Ints, column: Ints, *, value: Ints, version: Ints, received: Ints, meta: Codes
    ) -> None:
        """Let readings compete for their slots; all arrays have one length, ``row`` as :meth:`row` gave it."""
        if not len(row):
            return
        flat = (row * self.periods + period) * self.columns + column
        order = np.lexsort((meta, value, received, version, flat))
        ordered = flat[order]
        last = np.empty(len(ordered), np.bool_)
        last[-1] = True
        np.not_equal(ordered[1:], ordered[:-1], out=last[:-1])
        best = order[last]
        at = flat[best]
        newer = self._newer(at, version[best], received[best], value[best], meta[best])
        at, best = at[newer], best[newer]
        self._value[at], self._version[at] = value[best], version[best]
        self._received[at], self._meta[at] = received[best], meta[best]
        for number in np.unique(row).tolist():
            self.touch(number)

    def _newer(self, at: Ints, version: Ints, received: Ints, value: Ints, meta: Codes) -> npt.NDArray[np.bool_]:
        newer: npt.NDArray[np.bool_] = meta > self._meta[at]
        for said, held in ((value, self._value[at]), (received, self._received[at]), (version, self._version[at])):
            newer = (said > held) | ((said == held) & newer)
        return newer

    def spoke(self, row: int, period: int, packet: str) -> None:
        """Remember that a packet spoke of a period, once however often it is taken."""
        held = self._spoke.setdefault(row, {}).setdefault(period, [])
        if packet not in held and len(held) < MOST_SPOKE:
            bisect.insort(held, packet)
        self.touch(row)

    def who_spoke(self, row: int, period: int) -> list[str]:
        """The packets that spoke of a period, sorted."""
        return self._spoke.get(row, {}).get(period, [])

    def periods_spoken(self, row: int) -> list[int]:
        """Periods of a row that packets spoke of, in order."""
        return sorted(self._spoke.get(row, {}))

    def touch(self, row: int) -> None:
        """A row was changed."""
        name = self._name[row]
        assert name is not None
        self._changed.add(name)
        self._dropped.discard(name)

    # ---- growing old

    def cool(self, name: str) -> None:
        """Keep a row as its bytes."""
        if name in self._at:
            self._cold[name] = self._pack(self._at[name])
            self._clear(name)

    def settle(self, name: str) -> None:
        """Nothing can compete with this row any more: forget versions and who spoke, keep what won."""
        at = self.find(name)
        if at is None:
            return
        part = self._part(at)
        self._version[part] = np.where(self._version[part] == EMPTY, EMPTY, np.where(self._version[part] < 0, -1, 0))
        self._received[part] = 0
        self._spoke[at] = {period: [] for period in self._spoke.get(at, {})}
        self.touch(at)
        self.cool(name)

    def drop(self, name: str) -> None:
        """Forget a row; a tombstone goes into the state topic."""
        if name not in self:
            return
        if name in self._at:
            self._clear(name)
        self._cold.pop(name, None)
        self._changed.discard(name)
        self._dropped.add(name)

    # ---- state

    def restore(self, name: str, row: bytes) -> None:
        """Take back a row of the last checkpoint."""
        self._cold[name] = row

    def changes(self) -> list[Row]:
        """Rows changed since the last call."""
        rows: list[Row] = []
        for name in sorted(self._changed):
            cold = self._cold.get(name)
            rows.append((self._key(name), cold if cold is not None else self._pack(self._at[name])))
        rows += [(self._key(name), None) for name in sorted(self._dropped)]
        self._changed, self._dropped = set(), set()
        return rows

    def _key(self, name: str) -> bytes:
        return f"{self.prefix}|{name}".encode()

    def _pack(self, at: int) -> bytes:
        """Differences along the row, bytes of one weight side by side: a calm hour becomes some hundred bytes."""
        part = self._part(at)
        planes = [_planes(np.diff(array[part], prepend=0)) for array in (self._value, self._version, self._received)]
        planes.append(_planes(self._meta[part]))
        body = zlib.compress(b"".join(planes), _LEVEL)
        spoke = self._spoke.get(at, {})
        return msgspec.msgpack.encode(_Packed(STATE_VERSION, self.periods, self.columns, body, spoke))

    def _warm(self, name: str, row: bytes) -> int:
        found = msgspec.msgpack.decode(row, type=_Packed)
        if found.v != STATE_VERSION or (found.periods, found.columns) != (self.periods, self.columns):
            raise ValueError(
                f"state row {self.prefix}|{name} has format {found.v} of {found.periods} × {found.columns} slots, this "
                f"program reads {STATE_VERSION} of {self.periods} × {self.columns}: rebuild the state from the log"
            )
        at = self._new(name)
        part, body, wide = self._part(at), zlib.decompress(found.body), 8 * self.size
        for n, array in enumerate((self._value, self._version, self._received)):
            array[part] = np.cumsum(_of_planes(body[n * wide : (n + 1) * wide], np.int64))
        self._meta[part] = _of_planes(body[3 * wide :], np.uint32)
        if found.spoke:
            self._spoke[at] = found.spoke
        return at


def _planes(array: npt.NDArray[np.generic]) -> bytes:
    return array.view(np.uint8).reshape(len(array), array.itemsize).T.tobytes()


def _of_planes(data: bytes, kind: type[np.generic]) -> npt.NDArray[np.generic]:
    wide = np.dtype(kind).itemsize
    return np.frombuffer(data, np.uint8).reshape(wide, -1).T.copy().view(kind).ravel()
