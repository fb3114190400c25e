"""Section class, rating and colour: single factor, the worst item decides (环办〔2011〕22号; water.md §2.3 [A])."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache

import numpy as np

from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import items
from standards.water.ladders import NO_CLASS, NO_LIMIT, Classes, surface
from standards.water.readings import Bools

_CHUNK = 1 << 13  # columns judged at once: what they need stays in the processor's cache


@dataclass(frozen=True, slots=True)
class ClassWords:
    """What a bureau reads for a class. ``level`` counts ratings, 1 best (Ⅰ and Ⅱ share one)."""

    roman: str
    rating: str
    rating_en: str
    level: int
    colour: str
    colour_en: str
    hex: str


@cache
def class_words(date: datetime.date | None = None) -> dict[int, ClassWords]:
    """Names, ratings and colours by class code 1 … 6 (6 is 劣Ⅴ)."""
    return {
        row.integer("class"): ClassWords(
            roman=row.text("roman"),
            rating=row.text("rating"),
            rating_en=row.text("rating_en"),
            level=row.integer("level"),
            colour=row.text("colour"),
            colour_en=row.text("colour_en"),
            hex=row.text("hex"),
        )
        for row in choose("water_classes", date).rows
    }


def levels(classes: Classes, date: datetime.date | None = None) -> Classes:
    """Rating level of every class, 1 (优) … 5 (重度污染); NO_CLASS stays. Any shape."""
    words = class_words(date)
    table = np.full(max(words) + 2, NO_CLASS, dtype=np.int8)  # the last place is what -1 indexes
    for code, word in words.items():
        table[code] = word.level
    found: Classes = table[classes]
    return found


def item_classes(
    wanted: tuple[str, ...],
    values: Ints,
    lake: Bools | bool,
    *,
    below: Bools | None = None,
    saturated: Bools | None = None,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> Classes:
    """The class of every item of every sample.

    Args:
        wanted: ids of the rows of ``values``.
        values: int64 (items, n) in each item's scale, MISSING allowed.
        lake: bool (n,) or one for all: judged by the lake ladder (total phosphorus).
        below: bool (items, n), below detection.
        saturated: bool (n,), oxygen at or above the saturation that counts as class I. The clause stands in GB 3838
            Table 1 but the platform does not apply it (water.md §0 [A]): None, the default, leaves it off.
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Returns:
        int8 (items, n): 1 … 6, NO_CLASS.

    Raises:
        LookupError: an item without limits for the body.
        ValueError: shapes that do not fit.
    """
    if values.shape[0] != len(wanted) or (below is not None and below.shape != values.shape):
        raise ValueError(f"{len(wanted)} items, values {values.shape}: one row per item is needed")
    count = values.shape[1]
    in_lake = np.broadcast_to(np.asarray(lake, dtype=np.bool_), (count,))
    classes = np.empty(values.shape, dtype=np.int8)
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        lakes = in_lake[part]
        part_below = None if below is None else below[:, part]
        for body, mask in (("river", ~lakes), ("lake", lakes)):
            if mask.all():
                ladders = surface(body, date, edition=edition, wanted=wanted)
                classes[:, part] = ladders.classes(values[:, part], part_below)
            elif mask.any():
                ladders = surface(body, date, edition=edition, wanted=wanted)
                at = np.flatnonzero(mask) + start
                classes[:, at] = ladders.classes(values[:, at], None if below is None else below[:, at])
    if saturated is not None and "DO" in wanted:
        row = wanted.index("DO")
        classes[row, saturated & (classes[row] != NO_CLASS)] = 1
    return classes


def section_class(classes: Classes) -> Classes:
    """The worst class of each sample (water.md §2.3): int8 (items, n) to int8 (n,); NO_CLASS where nothing was judged.

    A missing item is ignored (water.md §0 [A]).
    """
    if not len(classes):
        return np.full(classes.shape[1], NO_CLASS, dtype=np.int8)
    worst: Classes = classes.max(axis=0)
    return worst


def deciding(classes: Classes) -> Bools:
    """Deciding items (定类因子): every item whose class is the section's class (water.md §2.4 [A]). bool (items, n)."""
    worst = section_class(classes)
    found: Bools = (classes == worst) & (worst != NO_CLASS)
    return found


@cache
def _oxygen(date: datetime.date | None = None) -> tuple[int, int]:
    table = choose("water_oxygen", date)
    places = items()["DO"].places
    return table.row(name="numerator").fixed("value", places), table.row(name="offset").fixed("value", places)


@cache
def saturation_percent(name: str, date: datetime.date | None = None) -> int:
    """A percentage of ``water_oxygen``: ``class_1_at_least`` or ``suspect_above``."""
    return choose("water_oxygen", date).row(name=name).fixed("value", 0)


def saturation_reaches(
    oxygen: Ints, temperature: Ints, percent: int, *, strictly: bool = False, date: datetime.date | None = None
) -> Bools:
    """Whether dissolved oxygen is at least that percentage of saturation, DO_f = 468 / (31.6 + T) (water.md §4.5 [B]).

    Args:
        oxygen: int64 (n,) in the scale of DO; MISSING gives False.
        temperature: int64 (n,) in the scale of T; MISSING gives False.
        percent: whole percent.
        strictly: above that percentage, not at it.
        date: of the data.

    Returns:
        bool (n,): 100·DO·(31.6 + T) >= percent·468, exactly. The products leave int64, so they are compared as
        quotients: for whole DO, DO >= x is DO >= ceil(x), and DO > x is DO >= floor(x) + 1.
    """
    numerator, offset = _oxygen(date)
    places = items()["DO"].places
    # temperature below -31.6 does not exist in water; such rows are not judged
    known = (oxygen != MISSING) & (temperature != MISSING) & (temperature > -offset)
    warmth = np.where(known, temperature + offset, 1)
    # percent·468·10**places / (100·warmth), per distinct temperature in exact integers
    distinct, back = np.unique(warmth, return_inverse=True)
    top = percent * numerator * 10**places
    exact = [top // (100 * each) + 1 if strictly else -(-top // (100 * each)) for each in distinct.tolist()]
    needed = np.array([min(each, NO_LIMIT) for each in exact], dtype=np.int64)[back]
    reached: Bools = known & (oxygen >= needed)
    return reached
