"""Units: ratios by hand, and refusals that name both."""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas import blocks
from schemas.units import UnitError, canonical, decimal_shift, ratio


@pytest.mark.parametrize(
    ("sent", "published", "expected"),
    [
        ("mg/m3", "ug/m3", Fraction(1000)),
        ("ug/m3", "mg/m3", Fraction(1, 1000)),
        ("ug/L", "mg/L", Fraction(1, 1000)),
        ("mg/L", "g/m3", Fraction(1)),
        ("mg/m3", "ug/L", Fraction(1)),
        ("m3/h", "m3/s", Fraction(1, 3600)),
        ("m3/h", "L/s", Fraction(5, 18)),
        ("m3/d", "m3/h", Fraction(1, 24)),
        ("Pa", "kPa", Fraction(1, 1000)),
        ("hPa", "kPa", Fraction(1, 10)),
        ("km/h", "m/s", Fraction(5, 18)),
        ("t", "kg", Fraction(1000)),
        ("mS/m", "uS/cm", Fraction(10)),
        ("mS/cm", "uS/cm", Fraction(1000)),
        ("1/mL", "1/L", Fraction(1000)),
        ("1/100mL", "1/L", Fraction(10)),
        ("ppm", "%", Fraction(1, 10_000)),
        ("MW", "kW", Fraction(1000)),
        ("%", "%", Fraction(1)),
    ],
)
def test_ratio(sent: str, published: str, expected: Fraction) -> None:
    assert ratio(sent, published) == expected
    assert ratio(published, sent) == 1 / expected


@pytest.mark.parametrize(
    ("sent", "published", "places"),
    [
        ("mg/m3", "ug/m3", -3),
        ("ug/m3", "mg/m3", 3),
        ("mg/m3", "mg/m3", 0),
        ("ng/m3", "mg/m3", 6),
        ("hPa", "kPa", 1),
        ("ppm", "%", 4),
        ("m3/h", "m3/s", None),
        ("km/h", "m/s", None),
        ("m3/min", "m3/h", None),
    ],
)
def test_decimal_shift(sent: str, published: str, places: int | None) -> None:
    assert decimal_shift(sent, published) == places


def test_the_shift_is_what_blocks_move() -> None:
    shift = decimal_shift("mg/m3", "ug/m3")
    assert shift is not None
    assert blocks.number("0.0123", shift) == (123, 1)  # 12.3 ug/m3
    assert blocks.number("12", decimal_shift("ug/L", "mg/L") or 0) == (12, 3)  # 0.012 mg/L


@pytest.mark.parametrize(
    ("text", "unit"),
    [("µg/m³", "ug/m3"), ("μg/m³", "ug/m3"), ("℃", "degC"), ("°C", "degC"), ("Nm³/h", "m3/h"), ("µS/cm", "uS/cm"),
     ("个/L", "1/L"), (" mg/L ", "mg/L"), ("", "1")],
)  # fmt: skip
def test_spellings(text: str, unit: str) -> None:
    assert canonical(text) == unit


def test_what_cannot_be_converted() -> None:
    with pytest.raises(UnitError, match="'mg/m3' is a unit of mass per volume, 'm3/s' of volume flow"):
        ratio("mg/m3", "m3/s")
    with pytest.raises(UnitError, match="'furlong' is not known: one of mg/m3"):
        decimal_shift("furlong", "m")
    with pytest.raises(UnitError):
        ratio("K", "degC")
