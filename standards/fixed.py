"""Exact decimals in numpy: fixed-point int64, half-even rounding of rationals, and text in and out.

The standards round (GB/T 8170: half to even, on the exact decimal), so nothing here is ever a binary float. A quantity
is an int64 count of 10**-places of its unit; with the default ``places=3`` that is thousandths. A mean is a pair
``(num, den)`` of integers and is rounded once, when the rule says so.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MISSING: Final = -(2**63)
"""No value: the smallest int64, which no measured quantity can be."""

LARGEST: Final = 10**15
"""Magnitudes above this are refused when text is read; nothing that is measured comes near, and sums stay in int64."""

_MANY: Final = 256
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)


class NotANumber(ValueError):
    """A text that is not a finite decimal number, or too large, or too fine to be kept exactly."""


def parse(text: str, places: int = 3, *, shift: int = 0, excess: Literal["refuse", "sticky"] = "refuse") -> int:
    """Read a decimal text exactly.

    Args:
        text: ``"12"``, ``"-0.5"``, ``"1e2"``, ``".5"``; spaces around it are ignored.
        places: decimals kept; the result counts 10**-places of the unit.
        shift: power of ten the number is multiplied with first: ``-3`` reads µg as mg, exactly.
        excess: what to do with digits finer than ``places``. ``refuse`` raises. ``sticky`` cuts them off, but a value
            that lost something never ends in 0 or 5 (as ``decimal.ROUND_05UP``), so that rounding this one value to
            fewer places gives what rounding the full text once would have given (GB/T 8170 forbids rounding twice).
            That holds for a value, not for sums and means of several: count what was cut where those are made.

    Returns:
        The integer count of 10**-places.

    Raises:
        NotANumber: empty, not a number, NaN or infinite, beyond ``LARGEST``, or too fine with ``excess="refuse"``.
    """
    stripped = text.strip()
    match = _NUMBER.fullmatch(stripped)
    if match is None or not (match[2] or match[3]) or len(stripped) > 60:
        raise NotANumber(f"{text[:60]!r} is not a number")
    fraction = match[3] or ""
    digits = int(match[2] + fraction)
    exponent: int = int(match[4] or 0) + shift + places - len(fraction)
    if exponent >= 0:
        if digits and exponent + len(str(digits)) > 17:
            raise NotANumber(f"{text!r} is absurdly large")
        value = digits * int(10**exponent)
    else:
        value, lost = divmod(digits, int(10**-exponent))
        if lost:
            if excess == "refuse":
                raise NotANumber(f"{text!r} has more than {places - shift} decimals")
            value += value % 5 == 0
    if value > LARGEST:
        raise NotANumber(f"{text!r} is absurdly large")
    return -value if match[1] == "-" else value


def text_of(value: int, places: int = 3, *, at_least: int = 0) -> str:
    """The shortest decimal text of a fixed-point value, with at least ``at_least`` decimals; ``""`` for MISSING."""
    if value == MISSING:
        return ""
    whole, rest = divmod(abs(int(value)), 10**places)
    decimals = f"{rest:0{places}d}" if places else ""
    kept = decimals.rstrip("0")
    if len(kept) < at_least:
        kept = decimals[:at_least].ljust(at_least, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{kept}" if kept else f"{sign}{whole}"


def half_even(num: Ints | int, den: Ints | int) -> Ints:
    """Round the rationals ``num / den`` to the nearest integer, halves to even (GB/T 8170), elementwise.

    Args:
        num: int64, any shape; must not contain MISSING (mask before or after).
        den: int64, positive, broadcastable to ``num``; below 2**62.

    Returns:
        int64, the broadcast shape.
    """
    over = np.asarray(num, dtype=np.int64)
    by: Ints | int = den
    if isinstance(den, np.ndarray) and den.size > _MANY and (den == den.flat[0]).all():
        by = int(den.flat[0])  # dividing by one number is several times faster
    quotient = np.floor_divide(over, by)
    twice = (over - quotient * by) * 2
    rounded: Ints = quotient + ((twice > by) | ((twice == by) & (quotient & 1 == 1)))
    return rounded


def half_even_int(num: int, den: int) -> int:
    """As ``half_even`` for Python integers of any size; ``den`` positive."""
    quotient, remainder = divmod(num, den)
    return quotient + (2 * remainder > den or (2 * remainder == den and quotient % 2 == 1))


def round_places(num: Ints | int, den: Ints | int, keep: Ints | int, places: int = 3) -> Ints:
    """Round fixed-point rationals to fewer decimals, once, half-even; the result stays in 10**-places.

    Args:
        num: int64 numerators in units of 10**-places.
        den: int64 positive denominators.
        keep: decimals kept, 0 … ``places``, an integer or an array broadcastable to ``num``.
        places: decimals of the fixed-point unit.

    Returns:
        int64 in units of 10**-places: ``round_places(47500, 1, 0)`` is 48000.

    Raises:
        ValueError: ``keep`` outside 0 … ``places``.
    """
    kept = np.asarray(keep, dtype=np.int64)
    if ((kept < 0) | (kept > places)).any():
        raise ValueError(f"cannot keep {keep} of {places} decimals")
    step = 10 ** (places - kept)
    return half_even(num, den * step) * step


def refuse_beyond(values: Ints, largest: int, what: str) -> None:
    """Raise when a value that is not MISSING is beyond ±``largest``: sums of it could leave int64.

    Raises:
        ValueError: naming ``what`` and the first such value.
    """
    beyond = (np.abs(values) > largest) & (values != MISSING)
    if beyond.any():
        raise ValueError(f"{what}: {int(values[beyond][0])} is beyond ±{largest}")
