"""Readings that cannot be as they were sent: slipped units, minutes that do not make their hour, wrong clocks.

Nothing here changes a value. It names what is wrong, so that who keeps the reading can say why it does not count.
"""

from __future__ import annotations

import datetime
from fractions import Fraction
from functools import cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from standards.emission.exact import Exact, constant, greater, times
from standards.fixed import Ints
from standards.water.editions import choose

Medium = Literal["gas", "water"]


@cache
def number_of(name: str, date: datetime.date | None = None) -> int:
    """A whole number of ``emission_incoming``, in its unit."""
    return choose("emission_incoming", date).row(name=name).integer("value")


SLIPS: Final = ("slip_volume", "slip_time")
_SURELY_NEAR: Final = 100
"""A value within this many times the usual has not slipped by a thousand: a screen, the tables decide."""


def slips(values: Exact, usual: Exact, date: datetime.date | None = None) -> Ints:
    """By what a value is off when one slip of the unit explains it, and nothing else does.

    A value far outside what is usual, that such a factor leads right into it: m³/h sent for m³/s, µg for mg.

    Args:
        values: as sent, in the published unit.
        usual: the normal flow, or the limit; missing where nobody knows what is usual.
        date: of the data.

    Returns:
        int64 (n,): 1000 or 3600 where the value is so many times too large, negative where too small, else 0. Of two
        that explain it the smaller.
    """
    shape = np.broadcast_shapes(values.missing.shape, usual.missing.shape)
    found = np.zeros(shape, dtype=np.int64)
    far = np.flatnonzero(_far(values, usual, shape))
    if len(far):
        found[far] = _slips(values.take(far), usual.take(far), date)
    return found


def _far(values: Exact, usual: Exact, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which values lie so far from the usual that a slip can explain them; floats, with room to spare."""
    near = np.asarray(values.num, np.float64) / np.asarray(values.den, np.float64)
    by = np.asarray(usual.num, np.float64) / np.asarray(usual.den, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = near / by
    off = (ratio > _SURELY_NEAR) | ((ratio > 0) & (ratio < 1 / _SURELY_NEAR))
    found: npt.NDArray[np.bool_] = np.broadcast_to(off & ~(values.missing | usual.missing), shape)
    return found


def _slips(values: Exact, usual: Exact, date: datetime.date | None) -> Ints:
    low, high = (times(usual, Fraction(number_of(name, date), 100)) for name in ("usual_from", "usual_to"))
    found = np.zeros(values.missing.shape, dtype=np.int64)
    zero = constant(0)
    for name in reversed(SLIPS):
        by = number_of(name, date)
        for sign, back in ((1, Fraction(1, by)), (-1, Fraction(by))):
            moved = times(values, back)
            fits = ~greater(low, moved) & ~greater(moved, high) & greater(values, zero)
            found[fits] = sign * by
    return found


def possible_minutes(
    normal: int, abnormal: int, unheard: int, length: int, medium: Medium, date: datetime.date | None = None
) -> int:
    """How many minutes of an hour may be valid at most, by the periods of ``length`` minutes that came.

    A period that is not normal has fewer normal parts than a normal one needs (HJ 212: 75 % of gas, all of water), so
    some of its minutes may be valid all the same: only of one-minute values this is an exact count.

    Args:
        normal: periods that came with a flag that is normal.
        abnormal: periods that came with another.
        unheard: periods that nobody heard of but that may be valid.
        length: minutes of a period.
        medium: of the outlet.
        date: of the data.
    """
    share = number_of(f"normal_share_{medium}", date)
    most = max(0, -(-share * length // 100) - 1)
    return (normal + unheard) * length + abnormal * most
