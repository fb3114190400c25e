"""Limits of an outlet: dated, of four kinds, and which of them decide (emission.md §2).

What an outlet owes stands in the registry, limit by limit with its dates; ``catalogue`` only fills that in.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from standards import dated

KINDS: Final = ("legal", "permit", "ultra_low", "temporary")
BINDING: Final = ("legal", "permit", "temporary")
"""Above the strictest of these an hour or day exceeds; above ultra_low it is counted against the month's share."""

AVERAGING: Final = ("hour", "day", "instant")
_COLD: Final = "water at most 12 °C"
_WARM: Final = "water above 12 °C"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of one pollutant, inclusive in value and dates.

    ``most``, ``least``: numbers with the decimals they were written with, None where there is none. ``cold``: in place
    of ``most`` while the water has at most 12 °C. ``reference``: O2 in %, None for the value as measured.
    """

    pollutant: str
    kind: str
    most: Decimal | None
    least: Decimal | None = None
    cold: Decimal | None = None
    averaging: str = "hour"
    reference: Decimal | None = None
    basis: str = ""
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None

    def at(self, side: Literal["most", "least"] = "most", cold: bool = False) -> Decimal | None:
        """The number that applies on a side, in cold water or not."""
        if side == "least":
            return self.least
        return self.cold if cold and self.cold is not None else self.most

    def covers(self, date: datetime.date) -> bool:
        """Whether it is in force on a Beijing date."""
        after = self.valid_from is None or self.valid_from <= date
        return after and (self.valid_to is None or date <= self.valid_to)


def in_force(limits: Iterable[Limit], pollutant: str, averaging: str, date: datetime.date) -> tuple[Limit, ...]:
    """The limits of a pollutant on a date."""
    return tuple(
        each for each in limits if (each.pollutant, each.averaging) == (pollutant, averaging) and each.covers(date)
    )


def strictest(
    limits: Iterable[Limit],
    kinds: tuple[str, ...] = BINDING,
    *,
    side: Literal["most", "least"] = "most",
    cold: bool = False,
) -> Limit | None:
    """The one of some kinds that decides: the lowest ``most`` or the highest ``least``, the first of equals.

    Args:
        limits: of one pollutant, averaging and reference O2: others are not comparable.
        kinds: which count.
        side: upper limits, or lower ones (pH).
        cold: whether the water has at most 12 °C, so that ``cold`` stands in.

    Returns:
        The limit; None where there is none.

    Raises:
        ValueError: different pollutants, averaging times or reference O2.
    """
    found = [(each, each.at(side, cold)) for each in limits if each.kind in kinds]
    if len({(each.pollutant, each.averaging, each.reference) for each, at in found if at is not None}) > 1:
        raise ValueError("limits 限值: of different pollutants, averaging times or reference O2: judge each by itself")
    numbers = [(-at if side == "least" else at, each) for each, at in found if at is not None]
    return min(numbers, key=lambda pair: pair[0])[1] if numbers else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A limit of a standard or an order. ``condition``: when it holds ("" always); ``unit`` as published."""

    industry: str
    process: str
    condition: str
    limit: Limit
    unit: str
    confidence: str


def catalogue(date: datetime.date | None = None) -> Iterator[Listed]:
    """The limits of standards and orders in force on a date (None: all), as ``emission_limits`` has them.

    NH3-N of sewage plants is one limit with its value for cold water.
    """
    for edition in dated.load("emission_limits"):
        if date is None or edition.covers(date):
            for row in edition.rows:
                if row.cells.get("when") != _COLD:
                    yield _listed(edition, row)


def _listed(edition: dated.Edition, row: dated.Row) -> Listed:
    when = row.text("when") if "when" in row else ""
    cold = None
    if when == _WARM:
        same = {name: row.text(name) for name in ("industry", "process", "pollutant", "averaging")}
        cold = edition.row(**same, when=_COLD).number("limit")
    limit = Limit(
        pollutant=row.text("pollutant"),
        kind=row.text("kind"),
        most=_number(row, "limit"),
        least=_number(row, "least"),
        cold=cold,
        averaging=row.text("averaging"),
        reference=_number(row, "ref_o2"),
        basis=edition.source,
        valid_from=edition.valid_from,
        valid_to=edition.valid_to,
    )
    confidence = row.text("confidence") if "confidence" in row else edition.confidence
    return Listed(
        row.text("industry"), row.text("process"), "" if when == _WARM else when, limit, row.text("unit"), confidence
    )


def _number(row: dated.Row, column: str) -> Decimal | None:
    return row.number(column) if column in row else None
