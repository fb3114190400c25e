"""The spring guard: what a karst spring must not do without somebody looking (water.md §6 [E]).

Karst answers rain within hours, so the guard looks at every hour, against the median of the week before it. It warns
before the standard does: a limit of GB/T 14848 that is exceeded is a matter of :mod:`standards.water.warnings`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import constant, items
from standards.water.ladders import NO_LIMIT, groundwater
from standards.water.readings import Bools

MINE_WATER: Final = ("SO4", "hardness", "Fe", "Mn")
SEWAGE: Final = ("NH3N", "NO2N", "CODMn", "coliforms")
"""What rises together in each (water.md §6)."""
_FAR: Final = 2**62


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One rule of the guard."""

    rule: str
    item: str
    name: str
    name_en: str
    value: Decimal
    days: int
    colour: str


@cache
def guard_rules(date: datetime.date | None = None) -> tuple[GuardRule, ...]:
    """Every rule, in the order of the table."""
    return tuple(
        GuardRule(
            row.text("rule"), row.text("item"), row.text("name"), row.text("name_en"), row.number("value"),
            row.integer("days") if "days" in row else 0, row.text("colour"),
        )
        for row in choose("water_spring", date).rows
    )  # fmt: skip


def medians_before(values: Ints, width: int) -> Ints:
    """Median of the ``width`` values before each, the lower of two: int64 (n,), MISSING where there is none.

    Args:
        values: int64 (n,) on a regular grid, MISSING allowed.
        width: how far back.
    """
    padded = np.concatenate([np.full(width, MISSING, dtype=np.int64), values[:-1]]) if len(values) else values
    if not len(padded):
        return values
    windows = np.sort(np.where(sliding_window_view(padded, width) == MISSING, _FAR, sliding_window_view(padded, width)))
    known = (windows != _FAR).sum(axis=1)
    middle = windows[np.arange(len(values)), np.maximum(known - 1, 0) // 2]
    found: Ints = np.where(known >= _LEAST, middle, MISSING)
    return found


_LEAST: Final = 24
"""Values without which a median says nothing: a day of hours."""


def guard(
    values: Mapping[str, Ints], excluded: frozenset[str] = frozenset(), date: datetime.date | None = None
) -> dict[tuple[str, str], Bools]:
    """Which rules hold in every hour of a spring.

    Args:
        values: int64 (n,) hourly by item id, MISSING allowed, as the station shows them.
        excluded: items of natural background, which no limit is held against.
        date: of the data.

    Returns:
        bool (n,) by (rule, item), only those that hold at least once.
    """
    found: dict[tuple[str, str], Bools] = {}
    for rule in guard_rules(date):
        if rule.rule == "near-class-3":
            found |= _near(values, rule, excluded, date)
        elif rule.item in values:
            held = _held(rule, values[rule.item])
            if held.any():
                found[rule.rule, rule.item] = held
    return found


def _held(rule: GuardRule, series: Ints) -> Bools:
    known: Bools = series != MISSING
    if rule.rule == "above":
        return known & (series > int(rule.value.scaleb(items()[rule.item].places)))
    median = medians_before(series, rule.days * 24)
    known = known & (median != MISSING)
    now, usual = np.where(known, series, 0), np.where(known, median, 0)
    share = Fraction(rule.value)
    if rule.rule == "times-median":
        return known & (now * share.denominator > usual * share.numerator)
    off = np.abs(now - usual) if rule.rule == "off-median" else now - usual
    return known & (off * 100 * share.denominator > usual * share.numerator)


def _near(
    values: Mapping[str, Ints], rule: GuardRule, excluded: frozenset[str], date: datetime.date | None
) -> dict[tuple[str, str], Bools]:
    """Past a share of the class III limit of groundwater; a band (pH) has no share."""
    ladders = groundwater(date)
    third = constant("groundwater_worse_than_class", date) - 1
    found = {}
    for name, series in values.items():
        if name not in ladders.items or name in excluded:
            continue
        row = ladders.items.index(name)
        limit = int(ladders.high[row, third])
        if limit >= NO_LIMIT or limit <= 0 or (ladders.low[row] != -NO_LIMIT).any():
            continue
        held = (series != MISSING) & (np.where(series == MISSING, 0, series) * 100 > limit * int(rule.value))
        if held.any():
            found[rule.rule, name] = held
    return found


def fingerprint(held: Mapping[tuple[str, str], bool], measured: frozenset[str]) -> str:
    """``mine-water`` or ``sewage`` when everything of it that is measured rises together, at least two; else ""."""
    risen = {item for (_, item), now in held.items() if now}
    for name, items_of in (("mine-water", MINE_WATER), ("sewage", SEWAGE)):
        present = [item for item in items_of if item in measured]
        if len(present) >= 2 and all(item in risen for item in present):
            return name
    return ""
