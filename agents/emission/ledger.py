"""The ledger: per outlet and day what its hours came to, small enough that a year of a district is some megabytes.

Budgets, amounts, rates, shares and runs of hours are derived from it. A row is derived from slots whenever one of its
hours changes; beside that it keeps what the minutes of an hour said after they are gone, and the digest of what was
published, so that also the revision of an old verdict knows what it replaces.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from agents.emission.when import name_of, split
from schemas import times
from standards.fixed import MISSING, Ints
from streams.state.judge import Judge
from streams.state.shelf import Shelf

STATE_VERSION: Final = 1
HOURS: Final = 24
NOTHING: Final = 255
"""In ``reason``: nothing was said of the factor in that hour."""
BINDING_BIT: Final = 16
"""In ``over`` and ``has``, beside a bit per kind of limit: the binding limits together."""

CAME, BACKFILLED, MAINTAINED, STANDS, CAPPED = 1, 2, 4, 8, 16
"""Bits of ``state``: a packet or enough minutes came; all of it was sent later than measured; in an approved
maintenance; the plant stands still; above the cap of marked hours."""

Bytes = npt.NDArray[np.uint8]
_BYTES: Final = ("reason", "grade", "over", "has", "exempt", "normal", "abnormal", "still")


class Means(msgspec.Struct, array_like=True):
    """What the minutes of an hour said, per channel: means (numerator and denominator, or None) and their conversions.

    ``received``: the newest of them, epoch ms.
    """

    avg: list[tuple[int, int] | None]
    zs: list[tuple[int, int] | None]
    received: int


class _Row(msgspec.Struct, array_like=True):
    v: int
    factors: list[str]
    body: bytes
    means: dict[int, Means]
    said: dict[str, str]


@dataclass(eq=False)
class Day:
    """A day of an outlet; arrays are by hour and, in the order of ``factors``, by channel.

    Attributes:
        factors: names of the channels.
        reason: code of ``hours.REASONS``, 0 where the value counts; NOTHING.
        grade: of ``alerts.GRADES``, by the binding hourly limits.
        over: bits of the kinds of limits the value is above; has: bits of the kinds there are.
        exempt: whether a condition mark lies within its budget.
        normal, abnormal, still: minutes' periods that came, by what their flag makes of them.
        checks: int64, bits of ``cells.CHECKS``.
        amount: int64 µg, of flow litres; MISSING for a gap.
        state: bits, by hour.
        marks: int64 sets of marks, by hour.
        means: of hours that have minutes alone, once the minutes are gone.
        said: digests of what was published, by hour ("0" … "23") and "day".
    """

    factors: tuple[str, ...]
    reason: Bytes = field(init=False)
    grade: Bytes = field(init=False)
    over: Bytes = field(init=False)
    has: Bytes = field(init=False)
    exempt: Bytes = field(init=False)
    normal: Bytes = field(init=False)
    abnormal: Bytes = field(init=False)
    still: Bytes = field(init=False)
    checks: Ints = field(init=False)
    amount: Ints = field(init=False)
    state: Bytes = field(init=False)
    marks: Ints = field(init=False)
    means: dict[int, Means] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (HOURS, len(self.factors))
        for name in _BYTES:
            setattr(self, name, np.zeros(shape, np.uint8))
        self.reason[:] = NOTHING
        self.checks = np.zeros(shape, np.int64)
        self.amount = np.full(shape, MISSING, np.int64)
        self.state, self.marks = np.zeros(HOURS, np.uint8), np.zeros(HOURS, np.int64)

    def bit(self, bit: int) -> npt.NDArray[np.bool_]:
        """Hours whose state has a bit."""
        found: npt.NDArray[np.bool_] = (self.state & bit) != 0
        return found


def _encode(day: Day) -> bytes:
    parts = [getattr(day, name).tobytes() for name in _BYTES] + [day.state.tobytes()]
    wide = np.concatenate((day.amount.ravel(), day.checks.ravel(), day.marks))
    parts.append(wide.view(np.uint8).reshape(-1, 8).T.tobytes())
    body = zlib.compress(b"".join(parts), 1)
    return msgspec.msgpack.encode(_Row(STATE_VERSION, list(day.factors), body, day.means, day.said))


def _decode(row: bytes) -> Day:
    found = msgspec.msgpack.decode(row, type=_Row)
    if found.v != STATE_VERSION:
        raise ValueError(f"a ledger row of format {found.v}, this program reads {STATE_VERSION}")
    day = Day(tuple(found.factors), means=found.means, said=found.said)
    body, at, size = zlib.decompress(found.body), 0, day.reason.size
    for name in _BYTES:
        setattr(day, name, np.frombuffer(body, np.uint8, size, at).reshape(day.reason.shape).copy())
        at += size
    day.state = np.frombuffer(body, np.uint8, HOURS, at).copy()
    wide = np.frombuffer(body, np.uint8, -1, at + HOURS).reshape(8, -1).T.copy().view(np.int64).ravel()
    day.amount, day.checks = (wide[n * size : (n + 1) * size].reshape(day.reason.shape).copy() for n in (0, 1))
    day.marks = wide[2 * size :].copy()
    return day


class Ledger:
    """Days by outlet."""

    def __init__(self, judge: Judge) -> None:
        self._rows: Shelf[Day] = judge.keep(Shelf("d", _decode, _encode))
        self._days: dict[str, set[int]] = {}
        self._known = False
        self._warm_from = 0

    def _index(self) -> dict[str, set[int]]:
        if not self._known:
            self._known = True
            for name in self._rows.names():
                outlet, day = split(name)
                self._days.setdefault(outlet, set()).add(day)
        return self._days

    def outlets(self) -> list[str]:
        """Outlets that have a row, in order."""
        return sorted(outlet for outlet, days in self._index().items() if days)

    def days(self, outlet: str) -> set[int]:
        """Day numbers of an outlet; not to be written."""
        return self._index().get(outlet, set())

    def get(self, outlet: str, day: int) -> Day | None:
        """A day; who changes it says so with :meth:`touch`."""
        return self._rows.get(name_of(outlet, day))

    def make(self, outlet: str, day: int, factors: tuple[str, ...]) -> Day:
        """A day with these channels, made if there is none; one of other channels becomes one of these."""
        found = self.get(outlet, day)
        if found is None or found.factors != factors:
            fresh = Day(factors)
            if found is not None:
                _move(found, fresh)
            found = fresh
            self._rows.put(name_of(outlet, day), found)
            self._index().setdefault(outlet, set()).add(day)
        return found

    def touch(self, outlet: str, day: int) -> None:
        """A day was changed."""
        self._rows.touch(name_of(outlet, day))

    def rest(self, outlet: str, day: int) -> None:
        """Who looked at a day is done with it: an old one becomes bytes again."""
        if day < self._warm_from:
            self._rows.cool(name_of(outlet, day))

    def grow_old(self, before_day: int, before_year: int) -> None:
        """Days before a day become bytes, those of years before a year are dropped."""
        self._warm_from = before_day
        for outlet, days in self._index().items():
            for day in sorted(days):
                if times.date_of(day).year < before_year:
                    self._rows.drop(name_of(outlet, day))
                    days.discard(day)
                elif day < before_day:
                    self._rows.cool(name_of(outlet, day))


def _move(old: Day, new: Day) -> None:
    """A registry gave an outlet other channels: what is known of those it keeps goes on."""
    kept = [(old.factors.index(name), n) for n, name in enumerate(new.factors) if name in old.factors]
    for one, other in kept:
        for name in (*_BYTES, "checks", "amount"):
            getattr(new, name)[:, other] = getattr(old, name)[:, one]
    new.state, new.marks, new.said = old.state, old.marks, old.said
    nothing = [None] * len(new.factors)
    for hour, means in old.means.items():
        moved = Means(list(nothing), list(nothing), means.received)
        for one, other in kept:
            moved.avg[other], moved.zs[other] = means.avg[one], means.zs[one]
        new.means[hour] = moved
