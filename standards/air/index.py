"""The composite index (空气质量综合指数) under its dated profiles (§3.4); the numbers are in the table air_index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

from standards import dated
from standards.air.rules import POLLUTANTS
from standards.air.units import exact, published_unit
from standards.fixed import half_even_int

PROFILES: Final = ("ci_2018", "ci_2026_u", "ci_2026_w", "ci_2031_w")
"""``u``: the known plain sum; ``w``: the reported weights. Never mixed in one series, always named on a report."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile; the mappings are by pollutant."""

    name: str
    limit: Mapping[str, Fraction]
    weight: Mapping[str, Fraction]
    statistic: Mapping[str, str]
    """``mean``, ``p95`` or ``p90`` of the daily values of the period."""
    single_places: int
    sum_places: int


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite index; exact, rounded as the profile says (``places`` None: not rounded)."""

    profile: str
    total: Fraction | None
    """None when one of the six is missing: there is no index of five."""
    single: Mapping[str, Fraction]
    weighted: Mapping[str, Fraction]
    highest: tuple[str, ...]
    """The period's primary pollutants: largest weighted single index, ties together (C.2)."""


@cache
def profile(name: str) -> Profile:
    """A profile by name.

    Raises:
        LookupError: no such profile.
    """
    edition = dated.by_name("air_index", name)
    rows = {pollutant: edition.row(part=pollutant) for pollutant in POLLUTANTS}
    return Profile(
        name=name,
        limit={pollutant: exact(row, "limit", published_unit(pollutant)) for pollutant, row in rows.items()},
        weight={pollutant: Fraction(row.number("weight")) for pollutant, row in rows.items()},
        statistic={pollutant: row.text("statistic") for pollutant, row in rows.items()},
        single_places=rows["SO2"].integer("places"),
        sum_places=edition.row(part="sum").integer("places"),
    )


def composite(
    concentrations: Mapping[str, Fraction | None],
    name: str,
    *,
    single_places: int | None = -1,
    sum_places: int | None = -1,
) -> Composite:
    """The composite index of six concentrations (period mean, or percentile for CO and O3) in published units.

    Args:
        concentrations: by pollutant; exact, rounded or not by the caller. None is missing.
        name: the profile.
        single_places: decimals of each single index; -1 as the profile says, None not rounded.
        sum_places: decimals of the sum; likewise.

    Returns:
        Composite.

    Raises:
        LookupError: no such profile.
        ValueError: a negative concentration.
    """
    rule = profile(name)
    each = rule.single_places if single_places == -1 else single_places
    total_places = rule.sum_places if sum_places == -1 else sum_places
    single = {}
    for pollutant in POLLUTANTS:
        concentration = concentrations.get(pollutant)
        if concentration is not None:
            if concentration < 0:
                raise ValueError(f"{pollutant}: a negative concentration")
            single[pollutant] = rounded(concentration / rule.limit[pollutant], each)
    weighted = {pollutant: rule.weight[pollutant] * value for pollutant, value in single.items()}
    total = rounded(sum(weighted.values(), Fraction(0)), total_places) if len(single) == len(POLLUTANTS) else None
    top = max(weighted.values(), default=None)
    return Composite(name, total, single, weighted, tuple(p for p, value in weighted.items() if value == top))


def rounded(value: Fraction, places: int | None) -> Fraction:
    """Half to even at that many decimals (GB/T 8170); unchanged for None."""
    if places is None:
        return value
    scale: int = 10**places
    return Fraction(half_even_int(value.numerator * scale, value.denominator), scale)
