"""Data flags of automatic stations: what each means and what may be done with the value (water.md §4.3)."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from standards.water.editions import choose
from standards.water.readings import Bools

USES: Final = ("valid", "below", "high", "review", "invalid", "qc")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. ``use``: one of ``USES``; ``known`` is False for a flag no table lists."""

    flag: str
    name: str
    name_en: str
    use: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class FlagColumns:
    """What a column of flags allows, bool (n,) each.

    ``valid``: may enter class and means. ``below``: valid, and a detection limit. ``high``: above the instrument's
    range: an alarm, not in means until reviewed. ``review``: valid once reviewed. ``qc``: a quality-control record,
    never an environmental value. ``unknown``: in no table: invalid, raise a data-quality event, keep the raw value.
    """

    valid: Bools
    below: Bools
    high: Bools
    review: Bools
    qc: Bools
    unknown: Bools


@cache
def flags(date: datetime.date | None = None) -> dict[str, Flag]:
    """Every known flag by its letters."""
    return {
        row.text("flag"): Flag(row.text("flag"), row.text("name"), row.text("name_en"), row.text("use"))
        for row in choose("water_flags", date).rows
    }


def flag(letters: str, date: datetime.date | None = None) -> Flag:
    """One flag; an unknown one is invalid, never an error (water.md §4.3 [E]). Letter case matters."""
    return flags(date).get(letters) or Flag(letters, "未知标识", "unknown flag", "invalid", known=False)


def flag_columns(letters: Collection[str], date: datetime.date | None = None) -> FlagColumns:
    """What every flag of a column allows."""
    found = [flag(each, date) for each in letters]

    def mask(*uses: str) -> Bools:
        return np.array([each.use in uses for each in found], dtype=np.bool_)

    unknown = np.array([not each.known for each in found], dtype=np.bool_)
    return FlagColumns(mask("valid", "below"), mask("below"), mask("high"), mask("review"), mask("qc"), unknown)
