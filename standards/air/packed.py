"""Day verdicts as plain values, for a state or a message, and back: what a year's tally is derived from again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np

from standards.air.days import DayVerdicts

_TYPES: Final = {
    "edition": "U4",
    "date": "datetime64[D]",
    "iaqi": "int16",
    "aqi": "int16",
    "level": "uint8",
    "reason": "uint8",
    "primary": "bool",
    "valid": "bool",
    "good": "bool",
    "polluted": "bool",
    "missing": "bool",
    "planned": "bool",
}


def pack_day(days: DayVerdicts, at: int = 0) -> dict[str, Any]:
    """One day as a dict of JSON-safe values (integers, booleans, texts; the date as ``YYYY-MM-DD`` or None)."""
    plain = {field.name: getattr(days, field.name)[at].tolist() for field in fields(days) if field.name != "date"}
    date = days.date[at]
    return {"date": None if np.isnat(date) else str(date), **plain}


def unpack_days(packed: Sequence[dict[str, Any]]) -> DayVerdicts:
    """The verdicts that ``pack_day`` made plain, in the given order.

    Raises:
        KeyError: a day lacks a field.
    """
    return DayVerdicts(
        **{
            field.name: np.array([day[field.name] for day in packed], _TYPES.get(field.name, "int64"))
            for field in fields(DayVerdicts)
        }
    )
