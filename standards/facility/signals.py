"""Exact series and three-valued conditions: what is not known counts neither for nor against (emission.md §5).

A ``Signal`` is whole numbers over one denominator. A ``Tri`` says of every slot yes, no, or (neither) not known. Means,
variances, correlations are compared by cross-multiplication in whole numbers; no rounding can decide, and a window has
the same sums wherever the array around it begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from standards.emission.exact import Bools, Whole, product
from standards.fixed import Ints

_ROOM = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Tri:
    """Per slot yes or no; neither: not known. Both are bool arrays of one shape, never true together."""

    yes: Bools
    no: Bools

    def __and__(self, other: Tri) -> Tri:
        return Tri(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Tri) -> Tri:
        return Tri(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Tri:
        return Tri(self.no, self.yes)

    @property
    def known(self) -> Bools:
        """Where it is yes or no."""
        found: Bools = self.yes | self.no
        return found

    def __getitem__(self, at: slice) -> Tri:
        return Tri(self.yes[at], self.no[at])


def tri(yes: Bools, known: Bools) -> Tri:
    """Yes where both hold, no where it is known and does not."""
    return Tri(yes & known, known & ~yes)


def certain(yes: Bools) -> Tri:
    """A condition that is known everywhere."""
    return Tri(yes, ~yes)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """``num / den`` per slot; ``num`` is 0 where the value is not ``known``. Any shape; windows are the last axis."""

    num: Whole
    den: int
    known: Bools

    def above(self, limit: Fraction) -> Tri:
        """``value > limit``, exactly."""
        return tri(np.asarray(self.num > math.floor(limit * self.den)), self.known)

    def below(self, limit: Fraction) -> Tri:
        """``value < limit``, exactly."""
        return tri(np.asarray(self.num < math.ceil(limit * self.den)), self.known)

    def at(self, slot: int | tuple[int, ...]) -> Fraction | None:
        """The value of a slot, None where it is not known."""
        return Fraction(int(self.num[slot]), self.den) if self.known[slot] else None

    def only(self, mask: Bools) -> Signal:
        """The same, known only where the mask holds as well."""
        known = self.known & mask
        return Signal(np.where(known, self.num, 0), self.den, known)

    def __getitem__(self, at: slice) -> Signal:
        return Signal(self.num[at], self.den, self.known[at])

    def blocks(self, length: int) -> Signal:
        """Consecutive blocks of ``length`` slots as rows: (n · length,) becomes (n, length)."""
        return Signal(self.num.reshape(-1, length), self.den, self.known.reshape(-1, length))


def weighted(parts: Sequence[Signal], weights: Sequence[Fraction]) -> Signal:
    """``Σ weight · value``, known where all parts are."""
    scaled = [weight / part.den for part, weight in zip(parts, weights, strict=True)]
    den = math.lcm(*(each.denominator for each in scaled))
    known = np.logical_and.reduce([part.known for part in parts])
    num = sum(
        (product(part.num, int(each * den)) for part, each in zip(parts, scaled, strict=True)),
        start=np.zeros(known.shape, dtype=np.int64),
    )
    return Signal(np.where(known, num, 0), den, known)


def combined(*terms: tuple[Signal, Fraction] | Fraction) -> tuple[Whole, Bools]:
    """``Σ factor · signal + Σ constants`` times a common positive number, as whole numbers; and where it is known.

    Two such sums may be compared only when made by one call; compare with 0.
    """
    factors = [
        (term, None) if isinstance(term, Fraction) else (term[1] / term[0].den, term[0]) for term in terms
    ]  # fmt: skip
    den = math.lcm(*(factor.denominator for factor, _ in factors))
    found: Whole | None = None
    known: Bools | None = None
    constant = 0
    for factor, signal in factors:
        if signal is None:
            constant += int(factor * den)
        else:
            part = product(signal.num, int(factor * den))
            found = part if found is None else _plus(found, part)
            known = signal.known if known is None else known & signal.known
    assert found is not None
    assert known is not None
    return _plus(found, constant), known


def _plus(one: Whole, other: Whole | int) -> Whole:
    if one.dtype == object or not -_ROOM < (other if isinstance(other, int) else 0) < _ROOM:
        return np.asarray(one.astype(object) + other)
    if isinstance(other, np.ndarray) and other.dtype == object:
        return np.asarray(one.astype(object) + other)
    return np.asarray(one + other)


# ---- windows: the ``width`` slots that end with each; the result is shorter by ``width - 1``


def count_in(mask: Bools, width: int) -> Ints:
    """How many of the last ``width`` slots hold: (n,) gives (n - width + 1,)."""
    total = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
    found: Ints = total[width:] - total[:-width]
    return found


def sum_in(values: Whole, width: int) -> Whole:
    """Sums of the last ``width`` slots, exact."""
    if values.dtype != object and values.size and int(np.abs(values).max()) * values.size >= _ROOM:
        values = values.astype(object)
    total = np.concatenate([np.zeros(1, dtype=values.dtype), np.cumsum(values)])
    return np.asarray(total[width:] - total[:-width])


def most_in(values: Whole, width: int) -> Whole:
    """Greatest of the last ``width`` slots, by doubling: log₂(width) passes."""
    found, have = values, 1
    while have < width:
        step = min(have, width - have)
        found = np.maximum(found[step:], found[:-step])
        have += step
    return found


def range_in(signal: Signal, width: int) -> tuple[Whole, Whole, Bools]:
    """Least and greatest known value of the last ``width`` slots, and where there is one."""
    far = max(int(np.abs(signal.num).max()), 1) + 1 if signal.num.size else 1
    high = most_in(np.where(signal.known, signal.num, -far), width)
    low = -most_in(np.where(signal.known, -signal.num, -far), width)
    return low, high, np.asarray(high > -far, dtype=np.bool_)


def last_true(mask: Bools) -> Ints:
    """The index of the last true slot up to each, -1 where there is none."""
    at = np.where(mask, np.arange(len(mask)), -1)
    found: Ints = np.maximum.accumulate(at) if len(at) else at
    return found


def next_true(mask: Bools) -> Ints:
    """The index of the first true slot from each on, ``len(mask)`` where there is none."""
    n = len(mask)
    at = np.where(mask, np.arange(n), n)
    found: Ints = np.minimum.accumulate(at[::-1])[::-1] if n else at
    return found


# ---- statistics of rows, in Python integers: (rows, values) arrays of whole numbers and masks


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums of rows of pairs: count, Σx, Σy, Σx², Σy², Σxy, as Python integers (rows,)."""

    n: Whole
    x: Whole
    y: Whole
    xx: Whole
    yy: Whole
    xy: Whole

    @property
    def spread_x(self) -> Whole:
        """``n² ·`` population variance of x."""
        return np.asarray(self.n * self.xx - self.x * self.x)

    @property
    def spread_y(self) -> Whole:
        """``n² ·`` population variance of y."""
        return np.asarray(self.n * self.yy - self.y * self.y)

    @property
    def together(self) -> Whole:
        """``n² ·`` population covariance."""
        return np.asarray(self.n * self.xy - self.x * self.y)


def moments(x: Whole, y: Whole, known: Bools) -> Moments:
    """Sums over the last axis where known."""
    a, b = np.where(known, x, 0), np.where(known, y, 0)
    rows = max(1, a.shape[-1])
    peak = max((int(np.abs(each).max()) if each.size else 0) for each in (a, b))
    if peak * peak * rows >= _ROOM:
        a, b = a.astype(object), b.astype(object)
    sums = [known.sum(axis=-1), *(each.sum(axis=-1) for each in (a, b, a * a, b * b, a * b))]
    return Moments(*(np.asarray(each).astype(object) for each in sums))


def correlation_above(m: Moments, limit: Fraction) -> Bools:
    """Whether Pearson's r is above a limit, exactly; no where it is not defined."""
    num, den = limit.numerator, limit.denominator
    both = m.spread_x * m.spread_y
    # r > t  <=>  c/√(a·b) > t, squared with its sign: c·|c|·q² > p·|p|·a·b
    left = m.together * np.abs(m.together) * den * den
    right = num * abs(num) * both
    return np.asarray((both > 0) & (left > right), dtype=np.bool_)


def correlation(m: Moments, row: int) -> float:
    """Pearson's r of a row, for showing only."""
    both = int(m.spread_x[row]) * int(m.spread_y[row])
    return int(m.together[row]) / math.sqrt(both) if both > 0 else math.nan


def variation_below(m: Moments, limit: Fraction) -> Bools:
    """Whether the coefficient of variation of x (sample standard deviation over mean) is below a limit, exactly."""
    num, den = limit.numerator, limit.denominator
    left = m.n * m.spread_x * den * den
    right = num * num * (m.n - 1) * m.x * m.x
    return np.asarray((m.n > 1) & (m.x > 0) & (left < right), dtype=np.bool_)


def variation(m: Moments, row: int) -> float:
    """The coefficient of variation of a row, for showing only."""
    n, x, spread = int(m.n[row]), int(m.x[row]), int(m.spread_x[row])
    return math.sqrt(n * spread / (n - 1)) / x if n > 1 and x else math.nan


def median(nums: Whole, dens: Whole) -> Fraction | None:
    """The median of fractions with positive denominators; of an even count the mean of the two in the middle.

    Floats only find the neighbours of the middle; which of them it is, fractions say.
    """
    n = len(nums)
    if not n:
        return None
    near = np.asarray(nums / dens, dtype=np.float64)
    ordered = np.sort(near)
    middle = []
    for place in ((n - 1) // 2, n // 2):
        width = abs(float(ordered[place])) * 1e-9
        low = near < ordered[place] - width
        beside = np.flatnonzero(~low & (near <= ordered[place] + width))
        exact = sorted(Fraction(int(nums[at]), int(dens[at])) for at in beside)
        middle.append(exact[place - int(low.sum())])
    return sum(middle, start=Fraction(0)) / 2


def digit_square(counts: Ints) -> Fraction | None:
    """Chi-square of digit counts (…, 10) of one row against equal shares: ``10·Σo²/n - n``; None of no digits."""
    n = int(counts.sum())
    return Fraction(10 * int((counts.astype(object) ** 2).sum()), n) - n if n else None
