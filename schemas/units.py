"""Units loggers send in, and the exact ratio between two units of one quantity.

Only ratios: a temperature in kelvin or a gas in ppm by volume needs more than a factor and is no unit here. Units of
different quantities are never converted; asking for it is an error that names both.
"""

from __future__ import annotations

import functools
from fractions import Fraction

_QUANTITIES: dict[str, dict[str, str]] = {
    # how many of the first unit of its line one unit is
    "mass per volume": {
        "mg/m3": "1", "ug/m3": "1/1000", "ng/m3": "1/1000000", "g/m3": "1000", "kg/m3": "1000000",
        "mg/L": "1000", "ug/L": "1", "ng/L": "1/1000", "g/L": "1000000",
    },
    "volume flow": {
        "m3/s": "1", "m3/min": "1/60", "m3/h": "1/3600", "m3/d": "1/86400",
        "L/s": "1/1000", "L/min": "1/60000", "L/h": "1/3600000",
    },
    "mass": {"kg": "1", "g": "1/1000", "mg": "1/1000000", "t": "1000"},
    "volume": {"m3": "1", "L": "1/1000"},
    "speed": {"m/s": "1", "cm/s": "1/100", "km/h": "5/18"},
    "pressure": {"kPa": "1", "Pa": "1/1000", "hPa": "1/10", "MPa": "1000"},
    "share": {"%": "1", "ppm": "1/10000"},
    "length": {"m": "1", "cm": "1/100", "mm": "1/1000"},
    "area": {"m2": "1", "cm2": "1/10000"},
    "voltage": {"V": "1", "mV": "1/1000", "kV": "1000"},
    "current": {"A": "1", "mA": "1/1000", "kA": "1000"},
    "power": {"kW": "1", "W": "1/1000", "MW": "1000"},
    "energy": {"kWh": "1", "Wh": "1/1000", "MWh": "1000"},
    "conductivity": {"uS/cm": "1", "mS/cm": "1000", "mS/m": "10", "S/m": "10000"},
    "count per volume": {"1/L": "1", "1/mL": "1000", "1/100mL": "10", "1/m3": "1/1000"},
    "temperature": {"degC": "1"},
    "angle": {"deg": "1"},
    "turbidity": {"NTU": "1"},
    "acidity": {"pH": "1"},
    "number": {"1": "1"},
}  # fmt: skip

_SPELLINGS = {
    "℃": "degC", "°C": "degC", "°": "deg", "Nm3/h": "m3/h", "Nm3/s": "m3/s", "Nm3/min": "m3/min",
    "Nm3/d": "m3/d", "Nm3": "m3", "": "1", "个/L": "1/L",
}  # fmt: skip

_SIZES = {unit: (quantity, Fraction(size)) for quantity, sizes in _QUANTITIES.items() for unit, size in sizes.items()}


class UnitError(ValueError):
    """A unit that is not known, or two of different quantities; the text says which."""


def canonical(unit: str) -> str:
    """The spelling used here: ``ug/m3`` of ``µg/m³``, ``degC`` of ``℃``.

    Raises:
        UnitError: no such unit.
    """
    plain = unit.strip().replace("µ", "u").replace("μ", "u").replace("³", "3").replace("²", "2")
    plain = _SPELLINGS.get(plain, plain)
    if plain not in _SIZES:
        raise UnitError(f"unit {unit!r} is not known: one of {', '.join(_SIZES)}")
    return plain


@functools.cache
def ratio(sent: str, published: str) -> Fraction:
    """What a number in ``sent`` is multiplied by to become one in ``published``: exactly.

    Raises:
        UnitError: not known, or not of one quantity.
    """
    (quantity, size), (other, other_size) = _SIZES[canonical(sent)], _SIZES[canonical(published)]
    if quantity != other:
        raise UnitError(f"{sent!r} is a unit of {quantity}, {published!r} of {other}: nothing converts them")
    return size / other_size


@functools.cache
def decimal_shift(sent: str, published: str) -> int | None:
    """Places the decimal point moves left from ``sent`` to ``published``; None where that is no move of the point.

    From mg/m3 to ug/m3 it is -3; from m3/h to m3/s there is none.

    Raises:
        UnitError: not known, or not of one quantity.
    """
    factor = ratio(sent, published)
    larger, smaller = factor.numerator, factor.denominator
    places = len(str(smaller)) - len(str(larger))
    return places if Fraction(1, 1) == factor * Fraction(10) ** places else None
