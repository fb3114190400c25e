"""City ranking index CWQI (城市地表水环境质量排名技术规定（试行）, 2017; water.md §3.4).

Floats are used, because the mean pH is irrational and every other term a quotient; an index is rounded once, when it
is shown. The error of a sum of 21 terms is below 1e-12, so ``shown`` first takes the value to 1e-10: an index whose
exact value ends in a 5 at the rounding edge is then rounded half to even as the exact number would be. (An index that
is not at the edge but within 5e-11 of it would be taken for it; means of published values do not come that close.)
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from standards.fixed import Ints
from standards.water.editions import choose
from standards.water.indicators import Floats
from standards.water.items import item as find_item
from standards.water.items import item_set
from standards.water.ladders import Ladders, surface
from standards.water.means import mean_floats
from standards.water.readings import Bools


@dataclass(frozen=True, slots=True)
class Index:
    """An index and how many of the 21 items it has. Fewer: not comparable, label it partial."""

    value: float
    items: int
    of: int

    @property
    def partial(self) -> bool:
        """Whether items are missing."""
        return self.items < self.of

    def label(self) -> str:
        """Chinese and English note for a partial sum; empty for a full one."""
        return f"部分，{self.items}项 partial, {self.items} items" if self.partial else ""


def terms(wanted: tuple[str, ...], means: Floats, lake: bool, *, date: datetime.date | None = None) -> Floats:
    """CWQI_i of every item.

    Args:
        wanted: ids of the rows.
        means: float64 (items, …), mean concentrations, NaN where missing.
        lake: lake limits (total phosphorus).
        date: of the data.

    Returns:
        float64 of the same shape: C/S, S/C for oxygen, the distance from 7 for pH; NaN where missing.

    Raises:
        ValueError: oxygen of zero, or an infinite or negative mean.
    """
    table = choose("water_cwqi", date)
    ladders = surface("lake" if lake else "river", date, wanted=wanted)
    found = np.empty_like(means)
    for row, name in enumerate(wanted):
        rule = next(iter(table.where(item=name)), None) or table.row(item="others")
        at = rule.integer("reference_class") - 1
        each = means[row]
        if (each < 0).any() or np.isinf(each).any():
            raise ValueError(f"{find_item(name).label}: 均值 mean must be a number not below zero")
        if rule.text("form") == "range":
            middle = float(rule.number("middle"))
            low, high = _limit(ladders, "low", row, at), _limit(ladders, "high", row, at)
            found[row] = np.where(each <= middle, (middle - each) / (middle - low), (each - middle) / (high - middle))
        elif rule.text("form") == "under":
            if (each == 0).any():
                raise ValueError(f"{find_item(name).label} = 0: 指数无法计算 the index S/C can't be taken")
            found[row] = _limit(ladders, "low", row, at) / each
        else:
            found[row] = each / _limit(ladders, "high", row, at)
    return found


def _limit(ladders: Ladders, side: str, row: int, at: int) -> float:
    limits = ladders.low if side == "low" else ladders.high
    return int(limits[row, at]) / int(10 ** find_item(ladders.items[row]).places)


def index(
    wanted: tuple[str, ...],
    values: Ints,
    lake: bool,
    *,
    below: Bools | None = None,
    ph: str = "hydrogen",
    date: datetime.date | None = None,
) -> Index:
    """CWQI of all river sections, or of all lake points, of a city: the sum of the terms of the MEAN concentrations.

    Args:
        wanted: ids of the rows; the full index has the 21 of ``basic_21``.
        values: int64 (items, sections), MISSING allowed.
        lake: whether these are lake points.
        below: bool (items, sections), half the detection limit is taken (water.md §3.4 [C]).
        ph: how pH is averaged over sections, ``hydrogen`` or ``arithmetic``: not stated by the rule (doubt 8).
        date: of the data.

    Raises:
        ValueError: as ``terms``; or an item outside the 21.
    """
    full = item_set("basic_21", date)
    foreign = [each for each in wanted if each not in full]
    if foreign:
        raise ValueError(f"CWQI: {', '.join(foreign)} is not of the {len(full)} items")
    each = terms(wanted, mean_floats(wanted, values, below, ph=ph, date=date), lake, date=date)
    present = ~np.isnan(each)
    return Index(float(each[present].sum()), int(present.sum()), len(full))


def city_index(river: float, sections: int, lake: float, points: int) -> float:
    """(river·M + lake·N) / (M + N), M river sections and N lake points (water.md §3.4 [C]); a kind with none counts 0.

    Raises:
        ValueError: neither sections nor points.
    """
    if sections + points == 0:
        raise ValueError("CWQI: 没有断面 neither river sections nor lake points")
    return ((river * sections if sections else 0.0) + (lake * points if points else 0.0)) / (sections + points)


def change_percent(now: float, base: float) -> float:
    """(now - base) / base · 100; negative is improvement (water.md §3.4)."""
    return (now - base) / base * 100


def shown(value: float, date: datetime.date | None = None) -> Decimal:
    """An index as it is shown and ranked: four decimals [D], half to even."""
    decimals = choose("water_cwqi", date).row(item="others").integer("shown_decimals")
    exact = Decimal(value).quantize(Decimal("1e-10"), ROUND_HALF_EVEN)
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)


def ranks(indices: list[Decimal], left_out: list[bool] | None = None) -> list[int | None]:
    """Ranks, the smallest (best) first; equal indices share the better rank.

    Args:
        indices: shown indices, or shown changes.
        left_out: cities that get no rank: in the change ranking those with every section at class II or better that met
            their targets in both years (water.md §3.4 [B]).
    """
    out = left_out or [False] * len(indices)
    ranked = [each for each, gone in zip(indices, out, strict=True) if not gone]
    return [None if gone else 1 + sum(o < each for o in ranked) for each, gone in zip(indices, out, strict=True)]
