"""Texts to exact numbers: what laboratories and stations write, and what must be refused (water.md §4.6).

A reading is a number, below its detection limit (``0.025L``, ``<0.025``, ``未检出``), or missing. Everything else is
refused with a reason that names item, value and rule; nothing becomes a zero.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from standards import fixed
from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.items import Item, item_set

Bools = npt.NDArray[np.bool_]

# Encoded as value * 2 + below, so that one dictionary of texts serves a column; both sentinels are even.
_REFUSED: Final = MISSING + 2
_MEMO_LIMIT: Final = 500_000


class ReadingError(ValueError):
    """A text that is no reading; the message names item, value and rule."""


@dataclass(frozen=True, slots=True)
class Readings:
    """A column of readings of one item.

    ``values``: int64, counts of 10**-places of the item's unit, MISSING where there is none or it was refused; the
    detection limit where ``below``. ``below``, ``refused``: bool. All one-dimensional, of one length.
    """

    values: Ints
    below: Bools
    refused: Bools


@cache
def _forms() -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    rows = choose("water_forms").rows
    whole = {row.text("text"): row.text("meaning") for row in rows if row.text("place") == "whole"}
    prefixes = tuple(row.text("text") for row in rows if row.text("place") == "prefix")
    suffixes = tuple(row.text("text") for row in rows if row.text("place") == "suffix")
    return whole, prefixes, suffixes


def parse(item: Item, text: str, *, negative_is_limit: bool = False) -> tuple[int, bool]:
    """Read one text.

    Args:
        item: whose unit and scale apply.
        text: ``"0.32"``, ``"0.025L"``, ``"<0.025"``, ``"未检出"``, ``""`` (missing) …
        negative_is_limit: old tables write the negative of the detection limit; off by default (water.md §4.6 [B]).

    Returns:
        The count of 10**-places (MISSING if missing; the detection limit, or 0 where none is given, if below), and
        whether it is below detection. Digits finer than the scale are kept as "a little more" (``fixed.parse`` sticky),
        so that comparing with any limit and rounding stay exact.

    Raises:
        ReadingError: not a number, NaN, infinite, negative, or impossible for the item.
    """
    text = text.strip()
    if not text:
        return MISSING, False
    whole, prefixes, suffixes = _forms()
    meaning = whole.get(text)
    if meaning == "missing":
        return MISSING, False
    if meaning == "not_detected":
        return 0, _may_be_below(item, text)
    if meaning in ("none", "present"):
        if item.unit != "1":
            raise ReadingError(f"{item.label} = {text!r}: 需要数值 a number in {item.unit} is needed (rule: number)")
        return (10**item.places if meaning == "present" else 0), False
    number, below = text, False
    if text.startswith(prefixes):
        number, below = text[1:], _may_be_below(item, text)
    elif text.endswith(suffixes):
        number, below = text[:-1], _may_be_below(item, text)
    value = _number(item, text, number)
    if value < 0 and negative_is_limit and not below:
        value, below = -value, _may_be_below(item, text)
    _check(item, text, value)
    if below and value == 0:
        raise ReadingError(f"{item.label} = {text!r}: 检出限不能为零 a detection limit is above zero (rule: form)")
    return value, below


def _number(item: Item, text: str, number: str) -> int:
    try:
        return fixed.parse(number, item.places, excess="sticky")
    except fixed.NotANumber as error:
        if "absurdly" in str(error):
            raise ReadingError(_impossible(item, text)) from None
        infinite = number.strip("+- ").lower() in ("nan", "inf", "infinity")
        why = "不是有限数 not finite" if infinite else "不是数 not a number"
        raise ReadingError(f"{item.label} = {text[:40]!r}: {why} (rule: number)") from None


def _check(item: Item, text: str, value: int) -> None:
    if value < 0 and not item.signed:
        raise ReadingError(f"{item.label} = {text!r}: 负值 negative (rule: range)")
    if abs(value) > item.impossible_above:
        raise ReadingError(_impossible(item, text))


def _impossible(item: Item, text: str) -> str:
    most = fixed.text_of(item.impossible_above, item.places)
    return (
        f"{item.label} = {text[:40]!r}: 超出可能范围，核对单位 impossible, above {most} {item.unit}: check the unit "
        "(rule: magnitude)"
    )


@cache
def _without_detection_limit() -> frozenset[str]:
    # an oxygen, pH, temperature or conductivity "below detection" is a broken instrument, not clean water
    return frozenset(item_set("no_multiple"))


def _may_be_below(item: Item, text: str) -> bool:
    if item.id in _without_detection_limit():
        raise ReadingError(f"{item.label} = {text!r}: 该项目没有检出限 this item has no detection limit (rule: form)")
    return True


class Reader(dict[str, int]):
    """Reads columns of one item; remembers every text it has seen: a million rows cost a dictionary look-up each.

    ``reasons`` maps each refused text to its reason.
    """

    def __init__(self, item: Item, *, negative_is_limit: bool = False) -> None:
        super().__init__()
        self.item = item
        self.negative_is_limit = negative_is_limit
        self.reasons: dict[str, str] = {}

    def __missing__(self, text: str) -> int:
        try:
            value, below = parse(self.item, text, negative_is_limit=self.negative_is_limit)
            code = MISSING if value == MISSING else value * 2 + below
        except ReadingError as error:
            self.reasons[text] = str(error)
            code = _REFUSED
        self[text] = code
        return code

    def read(self, texts: Collection[str]) -> Readings:
        """Read a column. Refused texts are missing in ``values`` and marked in ``refused``; see ``reasons``."""
        if len(self) > _MEMO_LIMIT:
            self.clear()
        codes = np.fromiter(map(self.__getitem__, texts), dtype=np.int64, count=len(texts))
        refused = codes == _REFUSED
        nothing = refused | (codes == MISSING)
        values = np.where(nothing, MISSING, codes >> 1)
        return Readings(values, ((codes & 1) == 1) & ~nothing, refused)


def column(item: Item, texts: Collection[str], *, negative_is_limit: bool = False) -> Readings:
    """Read a column of texts of one item; every one must be a reading.

    Raises:
        ReadingError: for the first text that is none.
    """
    reader = Reader(item, negative_is_limit=negative_is_limit)
    readings = reader.read(texts)
    for reason in reader.reasons.values():
        raise ReadingError(reason)
    return readings
