"""The obvious implementation, one sample at a time in Decimal, with the limits of water.md §8 written again.

It shares nothing with ``standards.water`` but the names of the items.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

AT_MOST = {
    "CODMn": "2 4 6 10 15",
    "COD": "15 15 20 30 40",
    "BOD5": "3 3 4 6 10",
    "NH3N": "0.15 0.5 1.0 1.5 2.0",
    "TP": "0.02 0.1 0.2 0.3 0.4",
    "Cu": "0.01 1.0 1.0 1.0 1.0",
    "Zn": "0.05 1.0 1.0 2.0 2.0",
    "F": "1.0 1.0 1.0 1.5 1.5",
    "Se": "0.01 0.01 0.01 0.02 0.02",
    "As": "0.05 0.05 0.05 0.1 0.1",
    "Hg": "0.00005 0.00005 0.0001 0.001 0.001",
    "Cd": "0.001 0.005 0.005 0.005 0.01",
    "Cr6": "0.01 0.05 0.05 0.05 0.1",
    "Pb": "0.01 0.01 0.05 0.05 0.1",
    "CN": "0.005 0.05 0.2 0.2 0.2",
    "VP": "0.002 0.002 0.005 0.01 0.1",
    "oil": "0.05 0.05 0.05 0.5 1.0",
    "LAS": "0.2 0.2 0.2 0.3 0.3",
    "S2": "0.05 0.1 0.2 0.5 1.0",
}
LAKE_TP = "0.01 0.025 0.05 0.1 0.2"
OXYGEN = "7.5 6 5 3 2"
TOXIC = {"CN", "Hg", "Cd", "Cr6", "Pb", "As"}
ORDER = ["pH", "DO", *AT_MOST]
DECIMALS = {
    "pH": 0, "DO": 1, "CODMn": 1, "COD": 1, "BOD5": 1, "NH3N": 2, "TP": 3, "Cu": 3, "Zn": 3, "F": 3, "Se": 4, "As": 4,
    "Hg": 5, "Cd": 5, "Cr6": 3, "Pb": 3, "CN": 3, "VP": 4, "oil": 2, "LAS": 2, "S2": 3,
}  # fmt: skip

_LADDERS = {item: [Decimal(each) for each in text.split()] for item, text in AT_MOST.items()}
_LAKE_TP = [Decimal(each) for each in LAKE_TP.split()]
_OXYGEN = [Decimal(each) for each in OXYGEN.split()]


def ladder(item: str, lake: bool) -> list[Decimal]:
    return _LAKE_TP if item == "TP" and lake else _LADDERS[item]


def item_class(item: str, value: Decimal, lake: bool) -> int:
    if item == "pH":
        return 1 if Decimal(6) <= value <= Decimal(9) else 6
    if item == "DO":
        for index, limit in enumerate(_OXYGEN):
            if value >= limit:
                return index + 1
        return 6
    for index, limit in enumerate(ladder(item, lake)):
        if value <= limit:
            return index + 1
    return 6


def section(values: dict[str, Decimal], lake: bool) -> int:
    return max((item_class(item, value, lake) for item, value in values.items()), default=-1)


def main(values: dict[str, Decimal], lake: bool) -> list[tuple[str, int, Fraction | None]]:
    found = []
    for item, value in values.items():
        graded = item_class(item, value, lake)
        if graded > 3:
            limit = None if item in ("pH", "DO") else ladder(item, lake)[2]
            multiple = None if limit is None else (Fraction(value) - Fraction(limit)) / Fraction(limit)
            found.append((item, graded, multiple))
    found.sort(
        key=lambda each: (
            each[0] not in TOXIC,
            -each[1],
            each[2] is None,
            -(each[2] or 0),
            list(values).index(each[0]),
        )
    )
    return found[:3]


def over_target(values: dict[str, Decimal], lake: bool, target: int) -> dict[str, Fraction | None]:
    found: dict[str, Fraction | None] = {}
    for item, value in values.items():
        if item_class(item, value, lake) > target:
            limit = None if item in ("pH", "DO") else Fraction(ladder(item, lake)[target - 1])
            found[item] = None if limit is None else (Fraction(value) - limit) / limit
    return found


def assessed(item: str, value: Decimal) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(-DECIMALS[item]), ROUND_HALF_EVEN)
    if rounded == 0 and value > 0:
        rounded = value.quantize(Decimal(1).scaleb(value.adjusted()), ROUND_HALF_EVEN)
    return rounded
