"""Fixed-point decimals against ``decimal``: reading, rounding, writing."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standards.fixed import MISSING, NotANumber, half_even, half_even_int, parse, refuse_beyond, round_places, text_of
from tests.standards.air.reference import DATA


@pytest.mark.parametrize("unit", [1, 100, 1000])
def test_half_even_of_every_mean_of_1_to_24_hours(unit: int) -> None:
    for count in range(1, 25):
        sums = np.arange(-unit, 2 * count * unit)  # every residue modulo twice the count times the unit
        ours = half_even(sums, count * unit).tolist()
        # A quotient that is no half differs from one by far more than the 28 digits Decimal keeps.
        divisor = Decimal(count * unit)
        wanted = [int((Decimal(n) / divisor).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) for n in sums.tolist()]
        assert ours == wanted, (count, unit)


def test_half_even_vectors_of_the_norm() -> None:
    text = (DATA / "air_half_even.txt").read_text(encoding="utf-8")
    vectors = [
        (int(places), pair)
        for places, pairs in re.findall(r"(\d) places?: ([^:]*?)(?=\.\s|\.$)", text)
        for pair in pairs.split(", ")
    ]
    assert len(vectors) == 14
    for places, pair in vectors:
        exact, wanted = pair.split("→")
        assert text_of(int(round_places(np.array(parse(exact)), 1, places))) == text_of(parse(wanted)), pair


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_half_even_int_agrees_with_the_vector_and_decimal(num: int, den: int) -> None:
    assert int(half_even(np.array([num]), den)[0]) == half_even_int(num, den)
    assert half_even_int(num, 1000) == int((Decimal(num) / 1000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@settings(deadline=None)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3))
def test_text_and_number_are_each_other(number: Decimal) -> None:
    value = parse(str(number))
    assert value == int(number * 1000)
    assert Decimal(text_of(value)) == number
    assert parse(text_of(value)) == value


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=1000, places=9), st.integers(0, 2))
def test_a_sticky_last_digit_rounds_as_the_full_text(number: Decimal, keep: int) -> None:
    value = parse(f"{number:f}", excess="sticky")
    wanted = number.quantize(Decimal(1).scaleb(-keep), rounding=ROUND_HALF_EVEN)
    assert Decimal(text_of(int(round_places(np.array(value), 1, keep)))) == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12000), (" 0.5 ", 500), ("-.5", -500), ("5.", 5000), ("1e2", 100000), ("+1.250", 1250), ("0", 0)],
)
def test_parse(text: str, value: int) -> None:
    assert parse(text) == value


def test_parse_shifts_the_point_exactly() -> None:
    assert parse("800", shift=-3) == 800
    assert parse("12345", shift=-3) == 12345
    with pytest.raises(NotANumber, match="decimals"):
        parse("800.5", shift=-3)


@pytest.mark.parametrize(
    "text",
    ["", " ", "nan", "inf", "-Infinity", "1,5", "12a", "--1", "1e999", "1e16", "9" * 70, "１２", "0x10", ".", "1.2.3"],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(NotANumber):
        parse(text)


def test_parse_refuses_what_it_cannot_keep() -> None:
    with pytest.raises(NotANumber, match=r"0\.0001.*3 decimals"):
        parse("0.0001")


def test_text_of() -> None:
    assert [text_of(v) for v in (0, 500, -500, 12000, 12340, MISSING)] == ["0", "0.5", "-0.5", "12", "12.34", ""]
    assert text_of(12000, at_least=1) == "12.0"
    assert text_of(7, 0) == "7"


def test_refuse_beyond_names_the_value() -> None:
    refuse_beyond(np.array([MISSING, 5, -5]), 5, "NH3N")
    with pytest.raises(ValueError, match="NH3N: -6 is beyond ±5"):
        refuse_beyond(np.array([1, -6]), 5, "NH3N")


def test_round_places_refuses_other_decimals() -> None:
    with pytest.raises(ValueError, match="cannot keep 4"):
        round_places(np.array([1]), 1, 4)
