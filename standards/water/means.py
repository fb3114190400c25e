"""Means and assessment rounding of water data (环办监测函〔2020〕82号, 环办〔2011〕22号; water.md §2.2, §3.3, §4.6).

A mean is kept "sticky" (``fixed.parse``): cut off at the item's scale, and when something was cut off the last digit
is never 0 or 5. Limits and rounding steps have a decimal less than the scale (``ladders`` checks), so comparing and
rounding a sticky mean gives what the exact rational would have given, and plain int64 arrays suffice.
"""

from __future__ import annotations

import datetime
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from functools import cache

import numpy as np

from standards import fixed
from standards.fixed import MISSING, Ints
from standards.water.editions import choose
from standards.water.indicators import Floats
from standards.water.items import Item, item_set
from standards.water.items import item as find_item
from standards.water.readings import Bools

_LARGEST_COUNT = 4_000  # samples of one mean: 4 000 · 2 · fixed.LARGEST stays in int64


def mean_parts(values: Ints, below: Bools | None = None, *, places: int = 8) -> tuple[Ints, Ints]:
    """Sums and counts of means, doubled so that half a detection limit is whole.

    Args:
        values: int64 (groups, samples), MISSING allowed; the detection limit where ``below``.
        below: bool of the same shape: counts as half the detection limit (water.md §4.6 [C]).
        places: scale, only named in errors.

    Returns:
        Two int64 (groups,): numerator in 10**-places and denominator; 0 and 0 where a group is empty.

    Raises:
        ValueError: more than 4 000 samples, a value beyond ``fixed.LARGEST``, or a not-detected without its limit.
    """
    if values.shape[-1] > _LARGEST_COUNT:
        raise ValueError(f"a mean of {values.shape[-1]} samples: at most {_LARGEST_COUNT}; take means of parts first")
    fixed.refuse_beyond(values, fixed.LARGEST, f"a value in 10**-{places}")
    known = values != MISSING
    doubled = np.where(known, values, 0) * 2
    if below is not None:
        if (below & (values == 0)).any():
            raise ValueError(
                "未检出缺检出限 not detected without its detection limit: half of it can't be taken (§4.6)"
            )
        doubled = np.where(below & known, values, doubled)
    return doubled.sum(axis=-1), 2 * known.sum(axis=-1)


def _sticky(num: Ints, den: Ints) -> Ints:
    some = den > 0
    quotient, rest = np.divmod(num, np.where(some, den, 1))
    quotient += (rest > 0) & (quotient % 5 == 0)
    found: Ints = np.where(some, quotient, MISSING)
    return found


def mean(item: Item, values: Ints, below: Bools | None = None, *, date: datetime.date | None = None) -> Ints:
    """Means of groups of results of one item: of hydrogen ion for pH, arithmetic for all others (water.md §2.2).

    Args:
        item: whose scale the values have.
        values: int64 (groups, samples), MISSING allowed.
        below: bool of the same shape, half the detection limit is taken.
        date: of the data; None for the newest edition.

    Returns:
        int64 (groups,), sticky; MISSING where a group is empty.

    Raises:
        ValueError: see ``mean_parts``.
    """
    if item.id in item_set("hydrogen_mean", date):
        return ph_mean(values, places=item.places)
    return _sticky(*mean_parts(values, below, places=item.places))


def mean_of_means(item: Item, sums: Ints, counts: Ints, *, date: datetime.date | None = None) -> Ints:
    """Mean of means (a month from its days), exactly: the days' rationals are added as fractions.

    Args:
        item: any but pH, whose days are averaged with ``mean`` again.
        sums: int64 (groups, parts) as ``mean_parts`` gives them.
        counts: the same; a part with count 0 is not there.
        date: of the data; None for the newest edition.

    Returns:
        int64 (groups,), sticky; MISSING where a group has no part.

    Raises:
        ValueError: for pH.
    """
    if item.id in item_set("hydrogen_mean", date):
        raise ValueError(f"{item.label}: a mean of hydrogen ion can't be taken from sums; use mean")
    found = []
    for row_sums, row_counts in zip(sums.tolist(), counts.tolist(), strict=True):
        parts = [Fraction(s, c) for s, c in zip(row_sums, row_counts, strict=True) if c]
        if not parts:
            found.append(MISSING)
            continue
        exact = sum(parts, Fraction()) / len(parts)
        whole, rest = divmod(exact.numerator, exact.denominator)
        found.append(whole + (rest > 0 and whole % 5 == 0))
    return np.array(found, dtype=np.int64)


def ph_mean(values: Ints, *, places: int = 8) -> Ints:
    """Mean pH of groups by hydrogen ion: -log10(mean(10**-pH)) (water.md §2.2 [B]).

    Args:
        values: int64 (groups, samples) in 10**-places, MISSING allowed.
        places: the scale.

    Returns:
        int64 (groups,), sticky; MISSING where a group is empty.

    Floats are used where they can't be wrong: their error here is below 1e-12, so they decide the digits unless the
    mean is within 1e-11 of a multiple of 10**-places. Those few are done again with 50 decimal digits, where a result
    within 1e-30 of such a multiple is that multiple (all readings equal, or ten readings of b+1 and one of b-1).
    """
    known = values != MISSING
    counts = known.sum(axis=-1)
    some = counts > 0
    ph = np.where(known, values, 0) / 10.0**places
    ions = np.where(known, 10.0**-ph, 0.0).sum(axis=-1)
    with np.errstate(divide="ignore"):
        exact = -np.log10(np.where(some, ions / np.maximum(counts, 1), 1.0)) * 10.0**places
    whole = np.floor(exact)
    found = whole.astype(np.int64)
    found += found % 5 == 0
    close = some & (np.abs(exact - np.rint(exact)) < 1e-11 * 10.0**places)
    for at in np.flatnonzero(close):
        found[at] = _ph_mean_decimal([v for v in values[at].tolist() if v != MISSING], places)
    return np.where(some, found, MISSING)


def _ph_mean_decimal(values: list[int], places: int) -> int:
    with localcontext(prec=50):
        total = sum((Decimal(10) ** Decimal(-each).scaleb(-places) for each in values), Decimal(0))
        exact = -(total / len(values)).log10().scaleb(places)
        nearest = exact.to_integral_value()
        if abs(exact - nearest) < Decimal("1e-30"):
            return int(nearest)
        whole = int(exact.to_integral_value(ROUND_FLOOR))
    return whole + (whole % 5 == 0)


@cache
def assessment_decimals(item: str, *, ph: str = "", date: datetime.date | None = None) -> int | None:
    """Decimals an item is assessed with (water.md §3.3 [B]); None for an item without a rule.

    Args:
        item: its id.
        ph: profile of doubt 4: ``""`` no decimal, ``ph_1`` one, ``ph_2`` two.
        date: of the data.
    """
    for series in dict.fromkeys((ph, "")):
        for row in choose("water_decimals", date, series=series).where(item=item):
            return row.integer("assessment")
    return None


def assessed(item: str, values: Ints, *, ph: str = "", date: datetime.date | None = None) -> Ints:
    """Round values or means for assessment: half to even, once, after averaging (water.md §3.3 [A]).

    A result of zero keeps one significant digit [B]: 0.00005 with three decimals stays 0.00005.

    Args:
        item: its id.
        values: int64, any shape, plain or sticky, MISSING allowed.
        ph: profile, see ``assessment_decimals``.
        date: of the data.

    Returns:
        int64 of the same shape and scale; unchanged for an item without a rule.
    """
    decimals = assessment_decimals(item, ph=ph, date=date)
    return values if decimals is None else rounded(values, decimals, places=find_item(item).places)


def rounded(values: Ints, decimals: int, *, places: int = 8) -> Ints:
    """Round to decimals, half to even; a positive value never becomes zero (water.md §3.3).

    Args:
        values: int64, any shape, in 10**-places, plain or sticky, MISSING allowed.
        decimals: kept, fewer than ``places``.
        places: the scale.

    Returns:
        int64 of the same shape and scale.
    """
    known = values != MISSING
    plain = np.where(known, values, 0)
    found = fixed.round_places(plain, 1, decimals, places)
    vanished = (found == 0) & (plain > 0)
    if vanished.any():
        powers = 10 ** np.arange(places + 1, dtype=np.int64)
        step = powers[np.searchsorted(powers, plain[vanished], side="right") - 1]
        found[vanished] = fixed.half_even(plain[vanished], step) * step
    return np.where(known, found, MISSING)


def enough(
    valid: Ints, planned: Ints, period: str, *, frozen: bool = False, date: datetime.date | None = None
) -> Bools:
    """Whether a period has enough valid results for its mean (water.md §2.2 [C], §3.3: 60 % is a default [E], doubt 2).

    Args:
        valid: int64, any shape: results (day), days (month), measurements (season), months (year).
        planned: int64 of the same shape.
        period: ``day``, ``month``, ``season`` or ``year``.
        frozen: the section freezes: fewer months suffice for a year.
        date: of the data.

    Raises:
        LookupError: unknown period.
    """
    row = choose("water_validity", date).row(period=period)
    if "percent" in row:
        percent = row.fixed("percent", 0)
        share: Bools = (100 * valid >= percent * planned) & (planned > 0)
        return share
    needed = row.integer("count_frozen" if frozen and "count_frozen" in row else "count")
    counted: Bools = valid >= needed
    return counted


def mean_floats(
    wanted: tuple[str, ...],
    values: Ints,
    below: Bools | None = None,
    *,
    ph: str = "hydrogen",
    date: datetime.date | None = None,
) -> Floats:
    """Means over sections or points for the index formulas, as floats.

    Args:
        wanted: ids of the items.
        values: int64 (items, samples) of one river, lake or city, MISSING allowed.
        below: bool of the same shape, half the detection limit is taken.
        ph: ``hydrogen`` or ``arithmetic`` (CWQI, doubt 8).
        date: of the data; None for the newest edition.

    Returns:
        float64 (items,), each the correctly rounded quotient of exact integers (pH: within 1e-8); NaN where missing.

    Raises:
        ValueError: unknown ``ph``, or see ``mean_parts``.
    """
    if ph not in ("hydrogen", "arithmetic"):
        raise ValueError(f"ph = {ph!r}: hydrogen or arithmetic")
    found = np.full(len(wanted), np.nan)
    for row, name in enumerate(wanted):
        item = find_item(name)
        masked = None if below is None else below[row][None, :]
        num, den = mean_parts(values[row][None, :], masked, places=item.places)
        if not den[0]:
            continue
        if ph == "hydrogen" and name in item_set("hydrogen_mean", date):
            found[row] = int(ph_mean(values[row][None, :], places=item.places)[0]) / 10**item.places
        else:
            found[row] = int(num[0]) / (int(den[0]) * 10**item.places)
    return found
