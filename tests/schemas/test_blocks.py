"""Blocks keep what was sent, to the decimal, and refuse what does not fit together."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import blocks


def block(**changes: object) -> blocks.Block:
    """A block of one packet with two readings."""
    columns: dict[str, object] = {
        "writer": "gw", "first": 7, "sources": ["Dongsi"], "factors": ["SO2", "CO"], "source": [0], "times": [3600],
        "periods": "h", "received": [3_600_000], "qn": ["1"], "counts": [2], "factor": [0, 1], "values": [12, 50],
        "places": "02", "flags": "N_",
    }  # fmt: skip
    return blocks.Block(**{**columns, **changes})  # type: ignore[arg-type]


def test_a_block_comes_back_as_it_was() -> None:
    assert blocks.decode(blocks.encode(block())) == block()
    tick = blocks.Tick("gw", 12)
    assert blocks.decode(blocks.encode(tick)) == tick


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_a_number_keeps_its_decimals(number: Decimal) -> None:
    text = f"{number:f}"
    value, places = blocks.number(text)
    assert Decimal(value).scaleb(-places) == number
    assert blocks.decimal_text(value, places) == text.replace("-0.0000", "0.0000")


@pytest.mark.parametrize(
    "text", ["", "-", "1e3", "nan", "inf", "1.", ".5", "1,5", "٣", "0x1", " 1", "9" * 19, "1" + "." + "0" * 40]
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|digits"):
        blocks.number(text)


def test_units_move_the_point_exactly() -> None:
    assert blocks.decimal_text(*blocks.number("300", 3)) == "0.300"
    assert blocks.decimal_text(*blocks.number("0.05", 3)) == "0.00005"
    assert blocks.decimal_text(*blocks.number("0.05", -3)) == "50"
    assert blocks.decimal_text(*blocks.number("0.0512", -3)) == "51.2"
    assert blocks.decimal_text(*blocks.number("-2", -3)) == "-2000"


@pytest.mark.parametrize(
    "changes",
    [
        {"times": []},
        {"places": "0"},
        {"counts": [3]},
        {"source": [1]},
        {"factor": [0, 2]},
        {"counts": [-1]},
        {"flags": "N"},
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(blocks.BlockError):
        blocks.decode(blocks.encode(block(**changes)))


def test_a_newer_format_names_the_cure() -> None:
    data = msgspec.json.decode(blocks.encode(block()))
    data["v"] = 2
    with pytest.raises(blocks.BlockError, match=r"format 2.*upgrade"):
        blocks.decode(msgspec.json.encode(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_block_error(data: bytes) -> None:
    with pytest.raises(blocks.BlockError):
        blocks.decode(data)
