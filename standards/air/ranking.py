"""Ranking of areas and change against the same period of last year (§3.4, §3.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from standards.air.index import rounded
from standards.air.rules import places_of


@dataclass(frozen=True, slots=True)
class Place:
    """One area of a ranking; without rank and value when its data do not suffice."""

    rank: int | None
    name: str
    value: Fraction | None


def rank(values: Mapping[str, Fraction | None]) -> list[Place]:
    """Rank areas, lower is better; equal values share a rank and the next skips (1, 2, 2, 4).

    Args:
        values: by area, rounded as published (ties are ties of what is printed); None is insufficient data.

    Returns:
        The places in order of rank, then of name; areas without a value are named at the end, without a rank.
    """
    known = sorted((value, name) for name, value in values.items() if value is not None)
    ordered = [value for value, _ in known]
    places = [Place(ordered.index(value) + 1, name, value) for value, name in known]
    return places + [Place(None, name, None) for name in sorted(values) if values[name] is None]


def change_rate(now: Fraction, before: Fraction, edition: str = "2026") -> Fraction | None:
    """Change in percent against last year, two decimals half-even: below 0 is better, above 0 worse.

    Both must be of the same profile, limits and dust caliber: recompute last year first (§3.5).

    Returns:
        The rate; None when last year's value is 0.
    """
    if before == 0:
        return None
    return rounded((now - before) / before * 100, places_of(edition, "report", "change_rate"))


def rank_change(
    rates: Mapping[str, Fraction | None], *, attaining: Collection[str] = (), deterioration: bool = False
) -> list[Place]:
    """Rank areas by change: the improvement list ascending, or the deterioration list descending.

    Args:
        rates: change in percent by area; None is insufficient data.
        attaining: areas whose six pollutants all meet class II in the period: left out of the deterioration list.
        deterioration: which list; it holds only areas that became worse.

    Returns:
        The places, ties sharing a rank.
    """
    if not deterioration:
        return rank(rates)
    worse = {
        name: None if rate is None else -rate
        for name, rate in rates.items()
        if name not in attaining and (rate is None or rate > 0)
    }
    return [Place(place.rank, place.name, None if place.value is None else -place.value) for place in rank(worse)]


def points(now: Fraction, before: Fraction) -> Fraction:
    """Change of a ratio in percentage points (个百分点); concentrations and indices change in percent instead."""
    return now - before
