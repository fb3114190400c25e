"""Chance without memory: every random number is a function of (seed, name, index), so any day can be made alone.

Numbers are the same to the last bit on every machine: only additions, multiplications, divisions, square roots,
whole numbers and comparisons are used, one array operation at a time. ``exp``, ``log``, ``sin`` and powers of numpy
differ in the last bit between processors with and without wide vectors; where the models need such curves they use
the tables here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_UNIT: Final = 2.0**-53
_WORD: Final = np.uint64(0xFFFF)
_MIDDLE: Final = 2.0 * 65535.0
_BELL_SCALE: Final = math.sqrt(3.0) / 65536.0
_SPLINE_SCALE: Final = 1.4434  # a cubic B-spline of independent knots has variance 0.46 to 0.50; this makes it about 1


class Chance:
    """The numbers of one seed.

    Args:
        seed: any integer; other seeds give other numbers of the same kind.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._keys: dict[str, np.uint64] = {}

    def _key(self, name: str) -> np.uint64:
        found = self._keys.get(name)
        if found is None:
            digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
            found = self._keys[name] = np.uint64(int.from_bytes(digest, "little"))
        return found

    def _mixed(self, name: str, index: npt.ArrayLike) -> npt.NDArray[np.uint64]:
        """64 random bits per index (splitmix64)."""
        mixed = np.atleast_1d(np.asarray(index, np.int64)).view(np.uint64) * _GOLDEN + self._key(name)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
        found: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
        return found

    def uniform(self, name: str, index: npt.ArrayLike) -> Floats:
        """Uniform numbers in [0, 1), one per index (integers of either sign), in the shape of ``index``."""
        found: Floats = (self._mixed(name, index) >> np.uint64(11)).astype(np.float64) * _UNIT
        return found

    def one(self, name: str, index: int = 0) -> float:
        """One uniform number in [0, 1)."""
        return float(self.uniform(name, index)[0])

    def between(self, name: str, low: float, high: float, index: int = 0) -> float:
        """One uniform number in [low, high)."""
        return low + (high - low) * self.one(name, index)

    def bell(self, name: str, index: npt.ArrayLike) -> Floats:
        """Bell-shaped numbers of mean 0 and variance 1, within ±3.5: the sum of four uniforms of 16 bits."""
        mixed = self._mixed(name, index)
        total = (mixed & _WORD) + ((mixed >> np.uint64(16)) & _WORD)
        total = total + ((mixed >> np.uint64(32)) & _WORD) + (mixed >> np.uint64(48))
        found: Floats = (total.astype(np.float64) - _MIDDLE) * _BELL_SCALE
        return found

    def noise(self, name: str, hours: Floats, step_h: float) -> Floats:
        """Smooth noise of mean 0 and variance about 1 that forgets itself within about two steps.

        Args:
            name: whose noise.
            hours: float64[N], the times, hours; ascending.
            step_h: distance of the knots, hours.
        """
        at = hours / step_h + self.one(name + "/phase")
        whole = np.floor(at)
        part = at - whole
        knot = whole.astype(np.int64)
        first, last = int(knot[0]) - 1, int(knot[-1]) + 2
        knots = self.bell(name, np.arange(first, last + 1))
        knot = knot - first
        # per piece between two knots the spline is a cubic in ``part``; its four coefficients come from four knots
        a, b, c, d = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
        zero, one = (a + 4.0 * b + c)[knot - 1], (3.0 * (c - a))[knot - 1]
        two, three = (3.0 * (a - 2.0 * b + c))[knot - 1], (d - a + 3.0 * (b - c))[knot - 1]
        return (((three * part + two) * part + one) * part + zero) * (_SPLINE_SCALE / 6.0)

    def layers(self, name: str, hours: Floats, layers: Sequence[tuple[float, float]]) -> Floats:
        """A sum of noises: pairs of (step in hours, amplitude)."""
        total = np.zeros(len(hours))
        for step_h, amplitude in layers:
            total = total + amplitude * self.noise(f"{name}/{step_h:g}", hours, step_h)
        return total


@cache
def _growth() -> Floats:
    """e**x from -8 to 8 in steps of 1/64, by multiplication alone."""
    half = 8 * 64
    step = 1.0157477085866857  # e**(1/64)
    up = np.multiply.accumulate(np.full(half + 1, step)) / step
    return np.concatenate([1.0 / up[:0:-1], up])


def grow(exponent: Floats) -> Floats:
    """e**exponent within 0.004 %, the same bits everywhere; exponents beyond ±7.9 are cut."""
    at = (np.minimum(np.maximum(exponent, -7.9), 7.9) + 8.0) * 64.0
    whole = np.floor(at)
    part = at - whole
    nth = whole.astype(np.int64)
    table = _growth()
    found: Floats = table[nth] * (1.0 - part) + table[nth + 1] * part
    return found


def around(table: Sequence[float], place: Floats) -> Floats:
    """A closed table read at a place: ``len(table)`` is one turn, entry n stands at n, linear between.

    The tables of hours stand at 0:00, 1:00 …; those of months at the middle of January, February ….
    """
    values = np.asarray(table, np.float64)
    size = len(values)
    turned = place - np.floor(place / size) * size
    whole = np.floor(turned)
    part = turned - whole
    nth = whole.astype(np.int64) % size  # a place just below a turn may round up to it
    found: Floats = values[nth] * (1.0 - part) + values[(nth + 1) % size] * part
    return found


def smooth(share: Floats) -> Floats:
    """From 0 to 1 without a kink; below 0 and above 1 it stays."""
    inside = np.minimum(np.maximum(share, 0.0), 1.0)
    found: Floats = inside * inside * (3.0 - 2.0 * inside)
    return found


def at_least(values: Floats, low: Floats | float, bend: float) -> Floats:
    """Values with a soft floor: far above ``low`` unchanged, never below it, bending within ``bend`` of it."""
    above = values - low
    found: Floats = low + 0.5 * (above + np.sqrt(above * above + bend * bend))
    return found


def at_most(values: Floats, high: Floats | float, bend: float) -> Floats:
    """Values with a soft ceiling: never above ``high``."""
    return -at_least(-values, -high, bend)
