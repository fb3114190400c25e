"""Cells of the air tables in the unit the law works in: converted where that is exact, refused where it is another."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from standards import dated

_MICROGRAMS: Final = {"ng/m³": Fraction(1, 1000), "µg/m³": Fraction(1), "mg/m³": Fraction(1000)}


def published_unit(item: str) -> str:
    """The unit an item is published in: CO in mg/m³, all others in µg/m³."""
    return "mg/m³" if item == "CO" else "µg/m³"


def exact(row: dated.Row, column: str, unit: str) -> Fraction:
    """A number of a row in ``unit``; the row's own unit is its column ``unit``.

    Raises:
        TableError: the row has another kind of unit.
    """
    return Fraction(row.number(column)) * _factor(row, unit)


def exact_list(row: dated.Row, column: str, unit: str) -> list[Fraction]:
    """As ``exact``, for a list of numbers."""
    factor = _factor(row, unit)
    return [Fraction(number) * factor for number in row.numbers(column)]


def thousandths(row: dated.Row, column: str, unit: str) -> int:
    """As ``exact``, in thousandths of ``unit``.

    Raises:
        TableError: also when the number is finer.
    """
    value = exact(row, column, unit) * 1000
    if value.denominator != 1:
        raise dated.TableError([f"{row.where}: {column} = {row.number(column)} has more than 3 decimals in {unit}"])
    return value.numerator


def _factor(row: dated.Row, unit: str) -> Fraction:
    given = row.text("unit") if "unit" in row else "none"
    if given == unit:
        return Fraction(1)
    if given in _MICROGRAMS and unit in _MICROGRAMS:
        return _MICROGRAMS[given] / _MICROGRAMS[unit]
    raise dated.TableError([f"{row.where}: the unit is {given}; {unit} is needed"])
