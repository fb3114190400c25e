"""Exact rationals in numpy: numbers as sent, means of them, quotients of those; nothing here is ever a binary float.

A number as sent is a whole number over a power of ten, a mean a sum over its count, a converted concentration what
comes out. Arrays are int64; where a product would leave int64 the result is an array of Python integers (dtype object)
instead: slower, never wrong.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from standards.fixed import LARGEST, MISSING, Ints, NotANumber, half_even, half_even_int, text_of

Whole = npt.NDArray[Any]
"""int64, or Python integers of any size (dtype object)."""

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Number = Fraction | Decimal | int

MOST_PLACES: Final = 18
_ROOM: Final = 2**62
_LARGEST: Final = 10**12


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """``num / den`` elementwise, ``den`` positive; ``num`` is MISSING where there is no value.

    Made by the functions of this module, which keep to this: int64 numbers other than MISSING are within ±2**62, so
    that two may be added.
    """

    num: Whole
    den: Whole

    @property
    def missing(self) -> Bools:
        """Where there is no value."""
        found: Bools = np.asarray(self.num == MISSING, dtype=np.bool_)
        return found

    def __getitem__(self, at: Any) -> Exact:
        num, den = np.broadcast_arrays(self.num, self.den)
        return Exact(np.asarray(num[at]), np.asarray(den[at]))

    def take(self, at: npt.NDArray[np.intp]) -> Exact:
        """Some elements, by their places; what is one number for all stays one."""
        return Exact(*(each if each.ndim == 0 else each[at] for each in (self.num, self.den)))

    def fractions(self) -> list[Fraction | None]:
        """The values one by one, in order; None for a missing one."""
        num, den = np.broadcast_arrays(self.num, self.den)
        pairs = zip(num.ravel().tolist(), den.ravel().tolist(), strict=True)
        return [None if n == MISSING else Fraction(n, d) for n, d in pairs]


def of(values: Ints | int, places: Ints | int = 0) -> Exact:
    """Numbers as sent.

    Args:
        values: int64, any shape, MISSING allowed.
        places: decimals of each (or of all), 0 … 18.

    Raises:
        ValueError: a count of decimals outside that.
    """
    decimals = np.asarray(places, dtype=np.int64)
    if decimals.size and not 0 <= decimals.min() <= decimals.max() <= MOST_PLACES:
        raise ValueError(f"places 小数位数: {int(decimals.max())} decimals; 0 … {MOST_PLACES} can be kept exactly")
    nums: Whole = np.asarray(values, dtype=np.int64)
    if nums.size and (nums.max() >= _ROOM or np.where(nums == MISSING, 0, nums).min() <= -_ROOM):
        nums = nums.astype(object)
    return Exact(nums, 10**decimals)


def constant(value: Number | None) -> Exact:
    """One number for all elements; None is missing."""
    if value is None:
        return of(MISSING)
    exact = Fraction(value)
    return Exact(_whole(exact.numerator), _whole(exact.denominator))


def from_numbers(values: Iterable[Number | None]) -> Exact:
    """A row of numbers, each exact; None is missing."""
    found = [None if value is None else Fraction(value) for value in values]
    nums = [MISSING if value is None else value.numerator for value in found]
    dens = [1 if value is None else value.denominator for value in found]
    return Exact(_array(nums), _array(dens))


def decimal(text: str) -> Decimal:
    """A decimal text as it was sent, with its decimals.

    Raises:
        NotANumber: not a plain or scientific decimal, not finite, beyond 10**12, or with more than 18 digits.
    """
    try:
        if not text.isascii() or "_" in text:
            raise InvalidOperation
        found = Decimal(text.strip())
    except InvalidOperation:
        raise NotANumber(f"{text[:60]!r} is not a number") from None
    if not found.is_finite():
        raise NotANumber(f"{text[:60]!r} is not finite")
    if abs(found) > _LARGEST or places_of(found) > MOST_PLACES or len(found.as_tuple().digits) > MOST_PLACES:
        raise NotANumber(f"{text[:60]!r} is absurdly large or fine")
    return found


def places_of(value: Decimal) -> int:
    """Decimals a number was written with: 2 of ``12.50``."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _whole(values: Any) -> Whole:
    """int64, or Python integers where they do not fit."""
    if isinstance(values, int):
        return np.asarray(values, dtype=np.int64 if _fits(values) else object)
    found = np.asarray(values)
    return found if found.dtype in (np.int64, object) else found.astype(np.int64)


def _array(values: list[int]) -> Whole:
    return np.array(values, dtype=np.int64 if all(map(_fits, values)) else object)


def _fits(value: int) -> bool:
    return -_ROOM < value < _ROOM or value == MISSING


def _peak(factor: Whole) -> int:
    return max(abs(int(factor.max())), abs(int(factor.min()))) if factor.size else 0


def product(*factors: Whole | int) -> Whole:
    """The product of arrays of whole numbers, broadcast: int64 where the largest fits, else Python integers."""
    every = [_whole(factor) for factor in factors]
    scale = math.prod(int(each) for each in every if each.ndim == 0)  # one multiplication for all of them
    arrays = [each for each in every if each.ndim]
    if math.prod(map(_peak, arrays)) * abs(scale) >= _ROOM:
        arrays = [each.astype(object) for each in arrays]
    if scale != 1 or not arrays:
        arrays.append(_whole(scale))
    return _whole(functools.reduce(operator.mul, arrays))


def total(values: Whole) -> Whole:
    """Sums over the last axis, exact."""
    if _peak(values) * max(1, values.shape[-1]) >= _ROOM:
        values = values.astype(object)
    return _whole(values.sum(axis=-1))


def known(value: Exact) -> tuple[Whole, Whole, Bools]:
    """Numerators with 0 for what is missing, denominators, and where something is missing."""
    missing = value.missing
    num = np.where(missing, 0, value.num) if missing.any() else value.num
    return num, value.den, missing


def pack(num: Whole, den: Whole, missing: Bools) -> Exact:
    """The opposite of ``known``."""
    return Exact(np.where(missing, MISSING, num) if missing.any() else num, den)


def where(mask: Bools, one: Exact, other: Exact) -> Exact:
    """``one`` where the mask holds, else ``other``."""
    if other.num.shape == mask.shape and not mask.any():
        return other
    return Exact(np.where(mask, one.num, other.num), np.where(mask, one.den, other.den))


def greater(left: Exact, right: Exact) -> Bools:
    """Whether ``left > right``, by cross-multiplication; no where one of them is missing."""
    left_num, left_den, left_missing = known(left)
    right_num, right_den, right_missing = known(right)
    found: Bools = np.asarray(product(left_num, right_den) > product(right_num, left_den), dtype=np.bool_)
    return found & ~(left_missing | right_missing)


def times(value: Exact, by: Number) -> Exact:
    """Every value times one number."""
    factor = Fraction(by)
    num, den, missing = known(value)
    return pack(product(num, factor.numerator), product(den, factor.denominator), missing)


def quotient(left: Exact, right: Exact) -> Exact:
    """``left / right``; missing where one is, or where ``right`` is not above 0."""
    left_num, left_den, left_missing = known(left)
    right_num, right_den, right_missing = known(right)
    none = left_missing | right_missing | np.asarray(right_num <= 0, dtype=np.bool_)
    return pack(product(left_num, right_den), product(left_den, np.where(none, 1, right_num)), none)


def aligned(value: Exact) -> tuple[Whole, int]:
    """Numerators over one common denominator (0 where missing), and that denominator."""
    num, den, _ = known(value)
    if den.ndim == 0:
        return num, int(den)
    common = int(den.max()) if den.size else 1
    if (
        den.size and np.asarray(common % den != 0).any()
    ):  # powers of ten divide the largest of them, other counts may not
        common = math.lcm(*set(den.ravel().tolist()))
    wide = common >= _ROOM or den.dtype == object
    return product(num, common // (den.astype(object) if wide else den)), common


def half_step(value: Exact, sign: int) -> Exact:
    """Values moved by half a unit of their last digit: what was sent may have been rounded by as much."""
    num, den, missing = known(value)
    return pack(product(num, 2) + sign, product(den, 2), missing)


def rounded(value: Exact, places: int) -> Ints:
    """Rounded once, half to even (GB/T 8170), to counts of 10**-places.

    Raises:
        OverflowError: a result that leaves int64.
    """
    num, den, missing = known(value)
    over = product(num, 10**places)
    if over.dtype == object or den.dtype == object or _peak(den) >= _ROOM:
        over, by = np.broadcast_arrays(over, den)
        pairs = zip(over.ravel().tolist(), by.ravel().tolist(), strict=True)
        found = np.array([half_even_int(n, d) for n, d in pairs], dtype=np.int64).reshape(over.shape)
    else:
        found = half_even(over, den)
    return np.where(missing, MISSING, found)


def whole_ug(value: Exact) -> Ints:
    """Amounts rounded to whole µg; MISSING where negative or beyond 1 000 t, which nothing emits in an hour or a day.

    So a year of hours adds up within int64, and no absurd reading makes a total smaller or stops it.
    """
    num, den, missing = known(value)
    absurd = greater(constant(0), value) | greater(value, constant(LARGEST))
    return rounded(pack(num, den, missing | absurd), 0)


def texts(value: Exact, places: int) -> list[str | None]:
    """Every value as ``text`` shows it: of any size, in order; None for a missing one."""
    return [text(each, places) for each in value.fractions()]


def text(value: Fraction | None, places: int) -> str | None:
    """A number rounded half to even and shown with exactly so many decimals; None of None."""
    if value is None:
        return None
    return text_of(half_even_int(value.numerator * 10**places, value.denominator), places, at_least=places)
