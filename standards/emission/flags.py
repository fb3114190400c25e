"""Data flags: what each makes of a value, and an hour's flag from those of its minutes (emission.md §1.8, §4.1)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

import numpy as np

from standards.emission.exact import Bytes
from standards.emission.rules import minimum
from standards.fixed import Ints
from standards.water.editions import choose

VALID: Final = 0
STANDSTILL: Final = 1
INVALID: Final = 2
_USES: Final = {"valid": VALID, "standstill": STANDSTILL, "invalid": INVALID}


@cache
def _table(scheme: str, manual: bool, date: datetime.date | None) -> Mapping[str, int]:
    found = {}
    for row in choose("emission_flags", date).where(scheme=scheme):
        use = row.text("use")
        found[row.text("flag")] = _USES["valid" if manual else "invalid"] if use == "manual" else _USES[use]
    if not found:
        raise LookupError(f"emission_flags has no scheme {scheme!r}")
    return found


@cache
def _letters(scheme: str, manual: bool, date: datetime.date | None) -> Bytes:
    found = np.full(256, INVALID, dtype=np.uint8)
    for flag, use in _table(scheme, manual, date).items():
        if len(flag) == 1:
            found[ord(flag)] = use
    return found


def use_of(flag: str, *, manual: bool = False, scheme: str = "hj212", date: datetime.date | None = None) -> int:
    """VALID, STANDSTILL (not missing, not judged) or INVALID; an unknown flag is invalid, none at all is valid.

    Args:
        flag: as it came.
        manual: whether values set by hand (S) are valid here.
        scheme: ``hj212`` or ``hj75``: the letter B means something else in each.
        date: of the data.

    Raises:
        LookupError: an unknown scheme.
    """
    return VALID if flag == "" else _table(scheme, manual, date).get(flag, INVALID)


def uses(
    flags: Iterable[str], *, manual: bool = False, scheme: str = "hj212", date: datetime.date | None = None
) -> Bytes:
    """As ``use_of``, for a string of letters or a list of flags: uint8 (n,)."""
    if isinstance(flags, str):  # a letter each, as blocks carry them
        return _letters(scheme, manual, date)[np.frombuffer(flags.encode("latin-1", "replace"), dtype=np.uint8)]
    table = {"": VALID, **_table(scheme, manual, date)}
    return np.array([table.get(flag, INVALID) for flag in flags], dtype=np.uint8)


@cache
def minute_flags(date: datetime.date | None = None) -> tuple[str, ...]:
    """The minute flags of HJ 75 in the order of the columns of ``hour_flags``; the last is "missing"."""
    return tuple(row.text("flag") for row in choose("emission_flags", date).where(scheme="hj75"))


def hour_flags(minutes: Ints, date: datetime.date | None = None) -> Bytes:
    """The flag of hours from the minutes they have of each flag (HJ 75, emission.md §4.1).

    Standstill, a state of the plant or normal where at least the minutes of a valid hour are so; else over range,
    calibration, maintenance or fault where more than the abnormal minutes are; else missing.

    Args:
        minutes: int64 (n, flags) in the order of ``minute_flags``.
        date: of the data.

    Returns:
        uint8 (n,): places in ``minute_flags``.
    """
    most, some = minimum("min_minutes_hour", date), minimum("abnormal_minutes_hour", date)
    rows = list(choose("emission_flags", date).where(scheme="hj75"))
    found = np.full(len(minutes), len(rows) - 1, dtype=np.uint8)
    for place, row in reversed(list(enumerate(rows))):
        if "hour" in row:
            enough = minutes[:, place] >= most if row.text("hour") == "most" else minutes[:, place] > some
            found[enough] = place
    return found


def mark_of_flag(flag: str, date: datetime.date | None = None) -> str:
    """The mark that a flag of HJ 75 tells of the plant (``START`` of ``St``), or ``NORMAL``."""
    for row in choose("emission_flags", date).where(scheme="hj75", flag=flag):
        return row.text("mark") if "mark" in row else "NORMAL"
    return "NORMAL"
