"""Rating of rivers and basins, and trends between periods (环办〔2011〕22号; water.md §2.5, §2.7)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from standards import dated
from standards.water.editions import choose
from standards.water.items import constant
from standards.water.ladders import NO_CLASS, Classes
from standards.water.section import class_words
from standards.water.targets import shares


@dataclass(frozen=True, slots=True)
class RiverRating:
    """Rating of a river by shares of sections; ``good`` and ``worse`` are exact percentages."""

    sections: int
    good: Fraction
    worse: Fraction
    level: int
    rating: str
    rating_en: str


def rate_river(classes: Classes, *, profile: str = "", date: datetime.date | None = None) -> RiverRating | None:
    """Rate a river by the shares of its sections in classes I–III and worse than V (water.md §2.5 [B]).

    Args:
        classes: int8 (sections,) of one period; NO_CLASS (dry, frozen, no data) does not count.
        profile: ``""`` 5 sections or more, or ``more_than_5`` (doubt 6).
        date: of the data.

    Returns:
        None with fewer sections: then the mean concentrations of the sections are classified like one section.
    """
    judged, good, worse = shares(classes, date)
    rows = sorted(choose("water_rivers", date, series=profile).rows, key=lambda row: row.integer("order"))
    if judged < rows[0].integer("sections_at_least"):
        return None
    good_share, worse_share = Fraction(100 * good, judged), Fraction(100 * worse, judged)
    for row in rows:
        if ("good_at_least" not in row or good_share >= Fraction(row.number("good_at_least"))) and (
            "worse_at_least" not in row or worse_share >= Fraction(row.number("worse_at_least"))
        ):
            level = row.integer("level")
            words = next(each for each in class_words(date).values() if each.level == level)
            return RiverRating(judged, good_share, worse_share, level, words.rating, words.rating_en)
    raise dated.TableError(["water_rivers: the last row must have no condition"])


def river_indicators(
    wanted: tuple[str, ...], classes: Classes, date: datetime.date | None = None
) -> list[tuple[str, Fraction]]:
    """Main indicators of a river with 5 sections or more: the three items with the highest section exceed rate.

    Args:
        wanted: ids of the rows.
        classes: int8 (items, sections).
        date: of the data.

    Returns:
        Up to three (item, percent of all sections worse than class III for it), highest first; ties in the order of the
        table [E]. Sections without any class are not counted.
    """
    sections = int((classes != NO_CLASS).any(axis=0).sum())
    over = (classes > constant("worse_than_class", date)).sum(axis=1).tolist()
    ranked = sorted(
        ((count, name) for count, name in zip(over, wanted, strict=True) if count), key=lambda each: -each[0]
    )
    return [(name, Fraction(100 * count, sections)) for count, name in ranked[: constant("at_most", date)]]


@dataclass(frozen=True, slots=True)
class Trend:
    """Change between two periods: ``grade`` -2 … 2, positive is better; Chinese and English words."""

    grade: int
    words: str
    words_en: str


def level_trend(before: int, after: int, *, profile: str = "", date: datetime.date | None = None) -> Trend:
    """Trend by rating level, 1 (优) … 5 (重度污染), of ``section.levels`` or ``RiverRating.level`` (water.md §2.7 [C]).

    Args:
        before: level of the earlier period.
        after: level of the later one.
        profile: ``""`` one level is "some", two are "marked"; ``one_level_marked`` is the other reading (doubt 1).
        date: of the later period.

    Raises:
        ValueError: a level that is none of ``water_classes``.
    """
    worst = max(words.level for words in class_words(date).values())
    for level in (before, after):
        if not 1 <= level <= worst:
            raise ValueError(f"水质级别 level {level}: must be 1 … {worst}")
    return _trend("level", Fraction(before - after), profile, date)


def share_trend(
    before: tuple[Fraction, Fraction],
    after: tuple[Fraction, Fraction],
    *,
    profile: str = "",
    date: datetime.date | None = None,
) -> Trend:
    """Trend by shares: x = (G2 - G1) - (W2 - W1) in percentage points (water.md §2.7 [C]).

    Args:
        before: (G, W) of the earlier period, percent in I–III and worse than V, exact.
        after: the same of the later one.
        profile: as ``level_trend``.
        date: of the later period.
    """
    return _trend("share", (after[0] - before[0]) - (after[1] - before[1]), profile, date)


def _trend(by: str, change: Fraction, profile: str, date: datetime.date | None) -> Trend:
    rows = sorted(choose("water_trend", date, series=profile).where(by=by), key=lambda row: row.integer("grade"))
    for row in rows:
        if "at_most" not in row or abs(change) <= Fraction(row.number("at_most")):
            side = "better" if change > 0 else "worse"
            grade = row.integer("grade") if change > 0 else -row.integer("grade")
            return Trend(grade, row.text(side), row.text(f"{side}_en"))
    raise dated.TableError([f"water_trend: the last row of {by} must be open"])


def spearman(values: list[Decimal]) -> Fraction | float:
    """Spearman's rank correlation of several periods with time (water.md §2.7 [B]).

    Args:
        values: one per period, in time order, at least two of them different.

    Returns:
        Exact Fraction 1 - 6·Σd²/(n³ - n) without ties; with ties the correlation of mean ranks as a float.

    Raises:
        ValueError: fewer than two periods, or all values equal.
    """
    count = len(values)
    if count < 2 or len(set(values)) == 1:
        raise ValueError("秩相关 rank correlation: two different values are needed")
    ordered = sorted(values)
    ranks = [Fraction(2 * ordered.index(each) + ordered.count(each) + 1, 2) for each in values]
    if len(set(values)) == count:
        squares = sum((rank - at) ** 2 for at, rank in enumerate(ranks, start=1))
        return 1 - Fraction(6 * squares, count**3 - count)
    return float(np.corrcoef([float(each) for each in ranks], np.arange(1, count + 1))[0, 1])


def significant(correlation: Fraction | float, periods: int, date: datetime.date | None = None) -> bool | None:
    """Whether a rank correlation reaches the critical value (one-sided 0.05, values [D]); None outside the table."""
    for row in choose("water_spearman", date).where(periods=periods):
        return abs(Fraction(correlation)) >= Fraction(row.number("critical"))
    return None
