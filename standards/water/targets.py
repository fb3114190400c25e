"""Target judgement (达标) with its overrides, drinking-water sources, and shares of sections (water.md §3.1)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from standards import fixed
from standards.fixed import MISSING, Ints
from standards.water.indicators import Floats, class_limits, has, multiples
from standards.water.items import constant, item_set
from standards.water.ladders import BODIES, NO_CLASS, NO_LIMIT, Classes, Ladders, groundwater, source_limits, surface
from standards.water.readings import Bools


@dataclass(frozen=True, slots=True)
class Target:
    """What a section owes in a year, from its responsibility contract.

    ``target_class`` 1 … 6. ``limits``: item-specific limits instead of the class limit, in the item's scale ("NH3-N
    below 3 mg/L"); an item outside the class (total nitrogen of a lake) may have one. ``excluded``: items not judged at
    this section, or natural-background items excluded on approval.
    """

    target_class: int
    limits: Mapping[str, int] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TargetVerdicts:
    """Judgement of samples against their target.

    ``exceeds``: bool (items, n). ``undecided``: bool (items, n), below a detection limit that is above the limit:
    cannot be judged, not "exceeds". ``multiples``: float64 (items, n), of the target limit, NaN where there is none
    (pH, DO) or nothing is exceeded. ``meets``: int8 (n,), 1 yes, 0 no, -1 cannot be judged.
    """

    exceeds: Bools
    undecided: Bools
    multiples: Floats
    meets: Classes


def judge(
    wanted: tuple[str, ...],
    values: Ints,
    lake: Bools | bool,
    target: Target,
    *,
    below: Bools | None = None,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> TargetVerdicts:
    """Judge samples of one section against its target: every participating item within the target's limit.

    Without overrides that is the same as section class <= target class (water.md §3.1 [B]).

    Args:
        wanted: ids of the rows. One without class limits for the body takes part by its
            override alone.
        values: int64 (items, n), MISSING allowed: a missing item is ignored.
        lake: bool (n,) or one for all.
        target: class and overrides.
        below: bool (items, n), below detection.
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Raises:
        ValueError: target class outside 1 … 6, or an override for pH, which is a band.
        LookupError: an item without limits, or an override for an item that does not take part, or for one no standard
            says of whether it is to stay below or above.
    """
    high, low = target_limits(wanted, lake, target, values.shape[1], date=date, edition=edition)
    return _against(wanted, values, high, low, target.excluded, below, item_set("no_multiple", date))


def target_limits(
    wanted: tuple[str, ...],
    lake: Bools | bool,
    target: Target,
    count: int,
    *,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> tuple[Ints, Ints]:
    """Upper and lower limits a target sets, its overrides among them: two int64 (items, count), as ``class_limits``.

    Raises:
        ValueError, LookupError: as ``judge``.
    """
    worst = constant("worst_class", date)
    if not 1 <= target.target_class <= worst:
        raise ValueError(f"目标类别 target {target.target_class}: must be 1 … {worst}")
    if missing := [name for name in target.limits if name not in wanted]:
        raise LookupError(f"目标限值 limit of {', '.join(missing)}: the item does not take part in the judgement")
    of_class = [row for row, name in enumerate(wanted) if name not in target.limits]
    names = tuple(wanted[row] for row in of_class)
    high, low = class_limits(names, lake, target.target_class, count, date=date, edition=edition)
    if target.limits:
        own, high, low = (high, low), np.full((len(wanted), count), NO_LIMIT), np.full((len(wanted), count), -NO_LIMIT)
        high[of_class], low[of_class] = own
    for name, limit in target.limits.items():
        side = limited_side(name)
        if side == "band":
            raise ValueError(f"目标限值 limit of {name}: a band can't be replaced by one limit; exclude the item")
        if not side:
            raise LookupError(f"目标限值 limit of {name}: {NO_SIDE}")
        (high if side == "high" else low)[wanted.index(name)] = limit
    return high, low


def judge_groundwater(
    wanted: tuple[str, ...],
    values: Ints,
    target_class: int,
    *,
    below: Bools | None = None,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> TargetVerdicts:
    """Judge groundwater samples against a class of GB/T 14848: every item within its limit (water.md §6).

    Args:
        wanted: ids of the rows.
        values: int64 (items, n), MISSING allowed: a missing item is ignored.
        target_class: 1 … 5; the last has no limits.
        below: bool (items, n), below detection. Where the class is "not detected", that is within.
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Raises:
        ValueError: target class outside 1 … 5.
        LookupError: an item without limits.
    """
    worst = constant("groundwater_worst_class", date)
    if not 1 <= target_class <= worst:
        raise ValueError(f"目标类别 target {target_class}: must be 1 … {worst}")
    ladders = groundwater(date, edition=edition).select(wanted)
    beyond = np.full((len(wanted), 1), NO_LIMIT, dtype=np.int64)
    at = slice(target_class - 1, target_class)
    high, low = (
        np.broadcast_to(np.hstack([limits, last])[:, at], values.shape)
        for limits, last in ((ladders.high, beyond), (ladders.low, -beyond))
    )
    if below is not None:
        high = np.where(below & ladders.not_detected_first[:, None], NO_LIMIT, high)
    return _against(wanted, values, high, low, frozenset(), below, item_set("groundwater_no_multiple", date))


NO_SIDE: Final = "没有标准说明应低于还是高于 no standard says whether it is to stay below or above"
"""Why an override can't be judged."""


@cache
def limited_side(name: str) -> str:
    """Where the standards limit an item: ``high``, ``low`` (oxygen), ``band`` (pH), or ``""`` where none does.

    That does not change with an edition, nor with the body: total nitrogen has a limit in lakes only, and an override
    for a river is an upper limit too.
    """
    for ladders in (*(surface(body) for body in BODIES), source_limits(), groundwater()):
        if name in ladders.items:
            row = ladders.items.index(name)
            above, under = (ladders.high[row] != NO_LIMIT).any(), (ladders.low[row] != -NO_LIMIT).any()
            return "band" if above and under else "high" if above else "low"
    return ""


def _against(
    wanted: tuple[str, ...],
    values: Ints,
    high: Ints,
    low: Ints,
    excluded: frozenset[str],
    below: Bools | None,
    no_multiple: tuple[str, ...],
) -> TargetVerdicts:
    judged = (values != MISSING) & ~has(wanted, tuple(excluded))[:, None]
    below = np.zeros(values.shape, dtype=np.bool_) if below is None else below
    over = judged & ((values > high) | (values < low))
    exceeds = over & ~below
    undecided = over & below
    found = np.full(values.shape, np.nan)
    counted = exceeds & ~has(wanted, no_multiple)[:, None]
    found[counted] = multiples(values[counted], high[counted])
    failed, unsure = exceeds.any(axis=0), undecided.any(axis=0)
    meets = np.where(failed, 0, np.where(unsure | ~judged.any(axis=0), -1, 1)).astype(np.int8)
    return TargetVerdicts(exceeds, undecided, found, meets)


def over_single_limits(ladders: Ladders, values: Ints, below: Bools | None = None) -> tuple[Classes, Floats]:
    """Drinking-water sources: GB 3838 Tables 2 and 3, pass or fail, never a class (water.md §1 [B]).

    Args:
        ladders: ``ladders.source_limits(...)``, perhaps ``.select(...)``.
        values: int64 (items, n).
        below: bool (items, n).

    Returns:
        int8 (items, n): 1 within, 2 over, NO_CLASS missing or undecidable; and multiples, NaN where not over.
    """
    classes = ladders.classes(values, below)
    found = multiples(values, np.broadcast_to(ladders.high[:, :1], values.shape))
    found[classes != 2] = np.nan
    return classes, found


def shares(classes: Classes, date: datetime.date | None = None) -> tuple[int, int, int]:
    """Judged sections, sections in classes I–III (优良), and sections worse than V (劣Ⅴ), of int8 (n,) classes."""
    judged = classes != NO_CLASS
    good = judged & (classes <= constant("good_up_to_class", date))
    return int(judged.sum()), int(good.sum()), int((classes == constant("worst_class", date)).sum())


def percent_text(part: int, of: int, date: datetime.date | None = None) -> str:
    """A share in percent with one decimal, half to even (water.md §3.1); ``""`` of nothing.

    Also the compliance rate: months or sections that meet, of those judged (not dry, frozen or without data).
    """
    if of == 0:
        return ""
    decimals = constant("share_decimals", date)
    return fixed.text_of(fixed.half_even_int(part * 100 * 10**decimals, of), decimals, at_least=decimals)
