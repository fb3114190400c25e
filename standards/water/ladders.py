"""The ladders: limits of the classes, and which class a value is in (GB 3838-2002 Table 1, GB/T 14848-2017).

Limits are inclusive; where neighbouring classes have equal limits the better class is taken. A ladder with upper
limits, one with lower limits (oxygen) and a band (pH) are the same thing: a class is one more than the number of limits
that are passed, on the worse side.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from standards import dated
from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import items
from standards.water.readings import Bools

Classes = npt.NDArray[np.int8]

NO_CLASS: Final = -1
"""Nothing to judge: missing, or below a detection limit that is too coarse. The platform's code for "no data"."""

NO_LIMIT: Final = 2**62
"""In a table of upper limits: none (its negative in lower limits)."""

BODIES: Final = ("river", "lake")

_PLACES_OF_UNIT: Final = {("µg/L", "mg/L"): 3, ("ng/L", "mg/L"): 6}


@dataclass(frozen=True, slots=True, eq=False)
class Ladders:
    """The limits of several items.

    ``high``, ``low``: int64 (items, classes) in each item's own scale, NO_LIMIT or -NO_LIMIT where there is none.
    ``not_detected_first``: bool (items,), class I is "not detected", whatever the detection limit.
    """

    edition: str
    items: tuple[str, ...]
    high: Ints
    low: Ints
    not_detected_first: Bools

    def classes(self, values: Ints, below: Bools | None = None) -> Classes:
        """The class of every value.

        Args:
            values: int64 (items, n), MISSING allowed.
            below: bool (items, n), the value is a detection limit that was not reached.

        Returns:
            int8 (items, n): 1 best, one more than the last class past all limits, NO_CLASS where missing. Below
            detection: class I if the detection limit is within it, else NO_CLASS: it cannot be judged, which is not the
            same as exceeding (water.md §4.6 [B]).
        """
        passed = _passed(values, self.high, np.greater)
        banded = np.flatnonzero((self.low != -NO_LIMIT).any(axis=1))
        if len(banded):
            passed[banded] = np.maximum(passed[banded], _passed(values[banded], self.low[banded], np.less))
        classes = passed
        classes += 1
        np.copyto(classes, NO_CLASS, where=values == MISSING)
        if below is not None and below.any():
            classes[below & (classes > 1)] = NO_CLASS
            classes[below & self.not_detected_first[:, None]] = 1
        return classes

    def select(self, wanted: tuple[str, ...]) -> Ladders:
        """The ladders of these items, in this order.

        Raises:
            LookupError: an item has no ladder here.
        """
        missing = [each for each in wanted if each not in self.items]
        if missing:
            raise LookupError(f"{self.edition}: no limits for {', '.join(missing)}")
        at = [self.items.index(each) for each in wanted]
        return Ladders(self.edition, wanted, self.high[at], self.low[at], self.not_detected_first[at])


def _passed(values: Ints, limits: Ints, beyond: np.ufunc) -> Classes:
    count = np.zeros(values.shape, dtype=np.int8)
    mask = np.empty(values.shape, dtype=np.bool_)
    for limit in limits.T:
        beyond(values, limit[:, None], out=mask)
        count += mask.view(np.int8)
    return count


@lru_cache(maxsize=1024)
def surface(
    body: str, date: datetime.date | None = None, *, edition: str | None = None, wanted: tuple[str, ...] | None = None
) -> Ladders:
    """The ladders of surface water (GB 3838 Table 1), classes I … V.

    Args:
        body: ``river`` or ``lake``: a property of the section that is configured, never guessed (water.md §0).
        date: of the data; None for the newest edition.
        edition: forces one by name.
        wanted: these items in this order; None for all that have limits for the body.

    Raises:
        LookupError: unknown body, edition or item, or no edition on the date.
    """
    if body not in BODIES:
        raise LookupError(f"水体类型 body {body!r}: must be river or lake")
    found = choose("water_surface", date, name=edition)
    ladders = _build(found, [row for row in found.rows if row.text("body") in (body, "both")])
    return ladders if wanted is None else ladders.select(wanted)


@cache
def groundwater(date: datetime.date | None = None, *, edition: str | None = None) -> Ladders:
    """The ladders of groundwater (GB/T 14848), classes I … IV; past the last is V.

    Raises:
        LookupError: unknown edition, or none on the date.
    """
    found = choose("water_groundwater", date, name=edition)
    return _build(found, list(found.rows))


@cache
def source_limits(date: datetime.date | None = None, *, edition: str | None = None) -> Ladders:
    """The single limits of drinking-water sources (GB 3838 Tables 2, 3): class 1 passes, 2 fails; never in a class.

    Raises:
        LookupError: unknown edition, or none on the date.
    """
    found = choose("water_source_limits", date, name=edition)
    return _build(found, list(found.rows))


def _build(edition: dated.Edition, rows: list[dated.Row]) -> Ladders:
    high = [_limits(row, "high") for row in rows]
    low = [_limits(row, "low") for row in rows]
    steps = max(len(each) for each in high + low)
    ladders = Ladders(
        edition=edition.name,
        items=tuple(row.text("item") for row in rows),
        high=np.array([each + [NO_LIMIT] * (steps - len(each)) for each in high], dtype=np.int64),
        low=np.array([each + [-NO_LIMIT] * (steps - len(each)) for each in low], dtype=np.int64),
        not_detected_first=np.array([each[:1] == [0] for each in high], dtype=np.bool_),
    )
    for array in (ladders.high, ladders.low, ladders.not_detected_first):
        array.flags.writeable = False
    return ladders


def _limits(row: dated.Row, column: str) -> list[int]:
    if column not in row:
        if column == "high" and "limit" in row:
            return _scaled(row, (row.number("limit"),))
        return []
    limits = _scaled(row, row.numbers(column))
    ordered = sorted(limits, reverse=column == "low")
    if limits != ordered:
        raise dated.TableError(
            [f"{row.where}: {column} limits of {row.text('item')} must get wider from class to class"]
        )
    return limits


def _scaled(row: dated.Row, numbers: tuple[Decimal, ...]) -> list[int]:
    item = items().get(row.text("item"))
    if item is None:
        raise dated.TableError([f"{row.where}: {row.text('item')!r} is no item of water_items"])
    shift = 0 if row.text("unit") == item.unit else _PLACES_OF_UNIT.get((row.text("unit"), item.unit), None)
    if shift is None:
        raise dated.TableError([f"{row.where}: unit {row.text('unit')}, but {item.id} is kept in {item.unit}"])
    scaled = [number.scaleb(item.places - shift) for number in numbers]
    # one decimal to spare: a value that was cut off (fixed.parse "sticky") never ends in 0, so it can't meet a limit
    if any(each != int(each) or int(each) % 10 for each in scaled):
        raise dated.TableError([f"{row.where}: {item.id} has a limit finer than {item.places - 1} decimals"])
    return [int(each) for each in scaled]
