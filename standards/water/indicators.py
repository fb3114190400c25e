"""Main pollution indicators (主要污染指标) and exceed multiples (环办〔2011〕22号; water.md §2.4)."""

from __future__ import annotations

import datetime
import math
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from standards.fixed import MISSING, Ints
from standards.water.items import constant, item_set
from standards.water.items import item as find_item
from standards.water.ladders import NO_LIMIT, Classes, surface
from standards.water.readings import Bools

Floats = npt.NDArray[np.float64]


def class_limits(
    wanted: tuple[str, ...],
    lake: Bools | bool,
    target: Classes | int,
    count: int,
    *,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> tuple[Ints, Ints]:
    """Upper and lower limits of a class per item and sample.

    Args:
        wanted: ids of the rows.
        lake: bool (n,) or one for all.
        target: the class 1 … 6, one for all or (n,); 6 has no limits.
        count: n.
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Returns:
        Two int64 (items, n): the value may be at most, at least; NO_LIMIT and -NO_LIMIT where there is none.
    """
    lakes, at = np.asarray(lake, dtype=np.bool_), np.asarray(target, dtype=np.int64) - 1
    if lakes.ndim == 0 and at.ndim == 0:  # one column of limits for all
        pair = _limits_with_none("lake" if lakes else "river", wanted, date, edition)
        high, low = (np.broadcast_to(side[:, at : at + 1], (len(wanted), count)) for side in pair)
        return high, low
    lakes, at = np.broadcast_to(lakes, (count,)), np.broadcast_to(at, (count,))
    river, still = (_limits_with_none(body, wanted, date, edition) for body in ("river", "lake"))
    high, low = (np.where(lakes, still[side][:, at], river[side][:, at]) for side in (0, 1))
    return high, low


@lru_cache(maxsize=1024)
def _limits_with_none(
    body: str, wanted: tuple[str, ...], date: datetime.date | None, edition: str | None
) -> tuple[Ints, Ints]:
    """Upper and lower limits of classes 1 … 6, the sixth being none."""
    ladders = surface(body, date, edition=edition, wanted=wanted)
    beyond = np.full((len(wanted), 1), NO_LIMIT, dtype=np.int64)
    return np.hstack([ladders.high, beyond]), np.hstack([ladders.low, -beyond])


def multiples(values: Ints, limits: Ints) -> Floats:
    """Exceed multiple (C - S) / S, unrounded: float64, the correctly rounded quotient of two exact integers.

    Args:
        values: int64, any shape, MISSING allowed.
        limits: int64 of the same shape, in the same scales.

    Returns:
        NaN where there is no value, no limit or a limit of zero.
    """
    known = (values != MISSING) & (np.abs(limits) < NO_LIMIT) & (limits > 0)
    found = np.full(np.broadcast(values, limits).shape, np.nan)
    np.divide(values - limits, limits, out=found, where=known)
    return found


def main_indicators(
    wanted: tuple[str, ...],
    values: Ints,
    classes: Classes,
    lake: Bools | bool,
    *,
    toxic: tuple[str, ...] | None = None,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> Classes:
    """The main pollution indicators of every sample (water.md §2.4 [C]).

    Candidates are worse than class III. Cyanide and heavy metals come first, then the worst class, then the largest
    multiple of the class III limit, compared exactly; items without a multiple (pH, oxygen) behind those with one
    [E, doubt 5]; then the order of the table.

    Args:
        wanted: ids of the rows.
        values: int64 (items, n).
        classes: int8 (items, n) of ``section.item_classes``.
        lake: bool (n,) or one for all.
        toxic: ids that go first; None takes the set ``toxic_first`` [C].
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Returns:
        int8 (3, n): rows of the first, second and third indicator, -1 where there is none.
    """
    count = values.shape[1]
    at_most = constant("at_most", date)
    threshold = constant("worse_than_class", date)
    found = np.full((at_most, count), -1, dtype=np.int8)
    polluted = np.flatnonzero((classes > threshold).any(axis=0))
    if not len(polluted):
        return found
    where = np.asarray(lake, dtype=np.bool_)
    lakes = where[polluted] if where.ndim else where
    part, graded = values[:, polluted], classes[:, polluted]
    river, still = _multiple_factors(wanted, threshold, date, edition)
    factors = np.where(lakes, still, river) if lakes.ndim else (still if lakes else river)
    candidate = graded > threshold
    counted = candidate & (factors > 0)
    first = has(wanted, item_set("toxic_first", date) if toxic is None else toxic)[:, None]
    # one number per item: toxic, class, whether it has a multiple, and then the multiple; the largest goes first
    rank = (first * np.int64(8) + graded) * 2 + counted
    rank <<= _MULTIPLE_BITS
    rank += _comparable(np.where(counted, part, 0), factors)
    np.copyto(rank, -1, where=~candidate)
    columns = np.arange(len(polluted))
    for place in range(min(at_most, len(wanted))):
        row = rank.argmax(axis=0)  # of equals the first: the order of the table
        found[place, polluted] = np.where(rank[row, columns] < 0, -1, row)
        rank[row, columns] = -1
    return found


_MULTIPLE_BITS: Final = 57


@lru_cache(maxsize=1024)
def _multiple_factors(
    wanted: tuple[str, ...], threshold: int, date: datetime.date | None, edition: str | None
) -> tuple[Ints, Ints]:
    """Over a common denominator C/S is C·factor: whole factors of the items, (items, 1), in rivers and in lakes.

    0 for an item without a multiple.
    """
    plain = has(wanted, item_set("no_multiple", date))
    limits = []
    for body in ("river", "lake"):
        high = surface(body, date, edition=edition, wanted=wanted).high[:, threshold - 1]
        limits.append(
            [0 if none or limit == NO_LIMIT else limit for limit, none in zip(high.tolist(), plain, strict=True)]
        )
    common = math.lcm(*(limit for column in limits for limit in column if limit))
    factors = [[common // limit if limit else 0 for limit in column] for column in limits]
    river, still = (np.array(column, dtype=np.int64)[:, None] for column in factors)
    return river, still


def has(wanted: tuple[str, ...], names: tuple[str, ...]) -> Bools:
    """Which rows are among these items: bool (items,)."""
    return np.array([each in names for each in wanted], dtype=np.bool_)


def _comparable(values: Ints, factors: Ints) -> Ints:
    """Whole numbers below 2**57 in the exact order of ``values * factors``, (items, n).

    That is the product itself, or its rank should it leave 57 bits (absurd magnitudes).
    """
    if int(values.max(initial=0)) * int(factors.max(initial=0)) < 2**_MULTIPLE_BITS:
        return values * factors
    exact = values.astype(object) * factors.astype(object)
    ranks = {each: rank for rank, each in enumerate(sorted(set(exact.ravel())))}
    return np.array([ranks[each] for each in exact.ravel()], dtype=np.int64).reshape(exact.shape)


@cache
def _step(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)


def multiple_text(multiple: float, date: datetime.date | None = None) -> str:
    """A multiple as bulletins show it: one decimal, half to even; one significant digit where that would be 0.0 [E].

    The shortest decimal of the float is rounded: where the quotient ends in a 5 at the edge, that is the quotient.
    """
    exact = Decimal(repr(multiple))
    shown = exact.quantize(_step(constant("multiple_decimals", date)), ROUND_HALF_EVEN)
    if shown == 0 and exact > 0:
        shown = exact.quantize(_step(-exact.adjusted()), ROUND_HALF_EVEN)
    return f"{shown:f}"


def indicator_text(item: str, multiple: float | None, date: datetime.date | None = None) -> str:
    """An indicator as bulletins show it: ``氨氮(1.2)``; the name alone where there is no multiple."""
    name = find_item(item).name
    return name if multiple is None else f"{name}({multiple_text(multiple, date)})"
