"""The obvious implementation of emission.md, one hour at a time in Decimal or Fraction.

It shares nothing with ``standards.emission``: numbers and words are written again from the document.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

Number = Any
"""Decimal (the benchmark) or Fraction (the tests)."""

STANDSTILL = {"STANDBY_STOP"}
CONDITION = {"START", "SHUTDOWN", "BANKED", "FAULT", "ACCIDENT"}
DEVICE = {"MAINT", "CALIB", "CHECK", "DEV_FAULT", "COMM_LOST", "MISSING"}


def judge(
    *,
    minutes: int | None,
    flag: str,
    marks: set[str],
    avg: Number | None,
    zs: Number | None,
    o2: Number | None,
    ref: Number | None,
    limit: Number,
    exempt: bool,
) -> str:
    """§4.3, with the edge rules of §3."""
    if marks & STANDSTILL or flag == "F":
        return "NOT_APPLICABLE"
    if marks & DEVICE or flag != "N" or (minutes is not None and minutes < 45):
        return "INVALID"
    if o2 is not None and o2 < 0:
        o2 = None
    if ref is None:
        if avg is None or avg < 0:
            return "INVALID"
        over = avg > limit
    else:
        if o2 is not None and o2 >= 20:
            return "INVALID"
        if zs is not None:
            if zs < 0:
                return "INVALID"
            over = zs > limit
        elif avg is None or avg < 0 or o2 is None:
            return "INVALID"
        else:
            over = avg * (21 - ref) > limit * (21 - o2)
    if not over:
        return "OK"
    return "EXEMPT" if exempt and marks & CONDITION else "EXCEED"


def converted(c: Fraction, o2: Fraction, ref: Fraction) -> Fraction | None:
    if not 0 <= o2 < 21:
        return None
    return c * (Fraction(21) / (21 - o2)) / (Fraction(21) / (21 - ref))


def fill(amounts: list[int | None], standstill: list[bool], rate: Fraction) -> list[tuple[int | None, int]]:
    """§3.1, hour by hour: value and 0, 180, 720, 2160, or None and -1 (the quarter fails), -2 (no history)."""
    found: list[tuple[int | None, int]] = []
    for at, (amount, stop) in enumerate(zip(amounts, standstill, strict=True)):
        if stop:
            found.append((0, 0))
            continue
        if amount is not None:
            found.append((amount, 0))
            continue
        begin = end = at
        while begin and amounts[begin - 1] is None and not standstill[begin - 1]:
            begin -= 1
        while end < len(amounts) and amounts[end] is None and not standstill[end]:
            end += 1
        if rate < Fraction(3, 4):
            found.append((None, -1))
            continue
        count = 2160 if rate < Fraction(9, 10) else 180 if end - begin <= 24 else 720
        valid = [a for a, s in zip(amounts[:begin], standstill, strict=False) if a is not None and not s]
        found.append((max(valid[-count:]), count) if valid else (None, -2))
    return found


def flow_weighted(pairs: list[tuple[Fraction | None, Fraction | None]]) -> Fraction | None:
    """F14 of (concentration, volume); zero flow and negative values are not data."""
    kept = [(c, d) for c, d in pairs if c is not None and d is not None and c >= 0 and d > 0]
    volume = sum((d for _, d in kept), Fraction())
    return sum((c * d for c, d in kept), Fraction()) / volume if volume else None


def value(text: str) -> Decimal | None:
    return Decimal(text) if text else None
