"""R9 to R15: values that are too constant, too flat, too alike or too round (emission.md §5)."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from standards.emission.exact import Bools, Whole, product
from standards.facility.inputs import DAY, HOUR
from standards.facility.scope import Cache, Found, Lacks, Scope, Which, cut, pct, rows, shown, shown_float
from standards.facility.signals import (
    Moments,
    Signal,
    Tri,
    correlation,
    correlation_above,
    count_in,
    digit_square,
    last_true,
    moments,
    next_true,
    range_in,
    sum_in,
    tri,
    variation,
    variation_below,
    weighted,
)
from standards.fixed import MISSING, Ints


def _production_moved(at: Scope, which: Which, width: int) -> tuple[Tri, Whole, Whole, int]:
    """Whether production varied by more than a share of its greatest value over the last ``width`` slots.

    Returns:
        The condition, and least and greatest share of the rating as whole numbers over one denominator.
    """
    back = (width - 1) * at.series(which).step
    name = at.load_name(which)
    key = ("moved", which, name, width, at.begin, at.count * at.check.step, at.p("production_move_pct"))
    if key not in at.cache.moves:
        share = at.share_of(which, name, back)
        signals = [share, share]
        if len(at.series(which).all_of(name)) == 1:  # least and greatest of several machines do not add up
            rating = at.rated(at.track(which, name), name)
            for place, end in enumerate(("Min", "Max")):
                if at.has(which, f"{name}-{end}"):
                    signals[place] = weighted([at.signal(which, f"{name}-{end}", back)], [1 / rating])
        den = math.lcm(share.den, *(each.den for each in signals))
        on_one = [Signal(product(each.num, den // each.den), den, each.known) for each in (share, *signals)]
        (low, high, there), (least, _, some), (_, most, any_) = (range_in(each, width) for each in on_one)
        low = np.where(some, np.minimum(low, least), low)
        high = np.where(any_, np.maximum(high, most), high)
        move = at.share("production_move_pct")
        varied = np.asarray(product(high - low, move.denominator) > product(high, move.numerator), dtype=np.bool_)
        at.cache.moves[key] = (tri(varied & there, there), low, high, den)
    return at.cache.moves[key]


def constant_minutes(at: Scope, factor: str) -> Found:
    """R9: no value of the window differs, while production varies."""
    width = at.i("window_min")
    back = width - 1
    value = at.counts(factor, at.signal("minutes", factor, back))
    n = len(value.known)
    index = np.arange(n)
    before = np.concatenate([[-1], last_true(value.known)[:-1]])
    changed = value.known & (before >= 0) & np.asarray(value.num != value.num[np.maximum(before, 0)], dtype=np.bool_)
    changes = np.cumsum(changed)
    first = next_true(value.known)[: at.count]
    early: Bools = np.asarray(first - index[: at.count] <= min(at.i("edge_min"), width - 1), dtype=np.bool_)
    there: Bools = np.asarray(first < n, dtype=np.bool_)
    same = there & (changes[back:] - changes[np.minimum(first, n - 1)] == 0)
    samples = count_in(value.known, width) // at.track("minutes", factor).cadence
    enough = samples >= at.i("least_samples")
    moved, low, high, level = _production_moved(at, "minutes", width)
    here = value.known[back:]
    # a value that differs is a no; equal ones that are too few say nothing yet
    state = Tri(same & enough & early & here, ~same & here) & moved

    def figures(slot: int) -> dict[str, str]:
        return {
            "value": shown(value.at(slot + back)), "samples": str(int(samples[slot])),
            "load_from_pct": pct(Fraction(int(low[slot]), level)), "load_to_pct": pct(Fraction(int(high[slot]), level)),
        }  # fmt: skip

    return Found(state, figures)


def constant_hours(at: Scope, factor: str) -> Found:
    """R9: hourly means of the window do not differ, while production varies."""
    width = at.i("window_h")
    back = (width - 1) * HOUR
    value = at.counts(factor, at.signal("hours", factor, back))
    low, high, _ = range_in(value, width)
    whole = count_in(value.known, width) == width
    moved, least, most, level = _production_moved(at, "hours", width)
    same, here = np.asarray(low == high, dtype=np.bool_), value.known[width - 1 :]
    state = Tri(whole & same & here, ~same & here) & moved
    return Found(
        state,
        lambda slot: {
            "value": shown(value.at(slot + width - 1)),
            "load_from_pct": pct(Fraction(int(least[slot]), level)),
            "load_to_pct": pct(Fraction(int(most[slot]), level)),
        },
    )  # fmt: skip


def hardly_varies(at: Scope, factor: str) -> Found:
    """R9: the coefficient of variation of the minutes of a day is smaller than any process has."""
    width = at.i("window_h")
    back = (width - 1) * HOUR
    still = at.flag("minutes", "standstill", back)
    value = at.counts(factor, at.signal("minutes", factor, back).only(~still)).blocks(HOUR)
    each = moments(value.num, value.num, value.known)
    sums = Moments(*(sum_in(part, width) for part in (each.n, each.x, each.y, each.xx, each.yy, each.xy)))
    there = np.asarray(value.known.any(axis=1), dtype=np.bool_)[width - 1 :]
    state = tri(
        variation_below(sums, at.share("variation_pct")), np.asarray(sums.n >= at.i("least_min"), np.bool_) & there
    )
    return Found(
        state,
        lambda slot: {
            "variation_found_pct": shown_float(100 * variation(sums, slot), 3),
            "mean": shown(Fraction(int(sums.x[slot]), int(sums.n[slot]) * value.den)), "minutes": str(sums.n[slot]),
        },
    )  # fmt: skip


def flat_top(at: Scope, factor: str) -> Found:
    """R10: too many hours of a week just below the limit, and none at or above it."""
    limit = at.plant.limits.get(factor)
    if limit is None:
        raise Lacks("limit", f"{factor} 无限值", f"{factor} has no limit")
    days = at.i("window_days")
    back = (days - 1) * DAY
    value = at.signal("hours", at.shown_name("hours", factor), back)
    value = value.only(~at.flag("hours", "standstill", back))
    near = ~value.below(limit * at.p("from_share"))
    over = ~value.below(limit)
    n, close, above = (_days(mask, days) for mask in (value.known, near.yes & ~over.yes, over.yes))
    share = at.share("share_pct")
    top = (close * share.denominator >= n * share.numerator) & (above == 0)
    state = tri(np.asarray(top, dtype=np.bool_), n >= at.i("least_h"))
    return Found(
        state,
        lambda slot: {
            "hours": str(int(n[slot])), "near_limit": str(int(close[slot])),
            "share_found_pct": pct(Fraction(int(close[slot]), int(n[slot]))), "limit": shown(limit),
        },
    )  # fmt: skip


def _days(mask: Bools, days: int) -> Ints:
    """Counts over the last ``days`` days of hours, per day."""
    return sum_in(mask.reshape(-1, 24).sum(axis=1).astype(np.int64), days)


def at_range(at: Scope, factor: str) -> Found:
    """R10: stuck at the end of the instrument's range."""
    full = at.plant.ranges.get(factor)
    if full is None:
        raise Lacks("range", f"{factor} 无量程", f"{factor} has no range")
    value = at.signal("minutes", factor)
    return Found(
        ~value.below(full * at.share("range_pct")),
        lambda slot: {"value": shown(value.at(slot)), "range": shown(full)},
    )


def _calibrations(at: Scope, back: int, gap: int) -> list[tuple[int, int]]:
    """First slot and the one after the last of every calibration; parts that are not far apart are one."""
    at_cal = np.flatnonzero(at.flag("minutes", "calibrating", back))
    if not len(at_cal):
        return []
    split = np.diff(at_cal) - 1 > gap
    firsts = at_cal[np.concatenate([[True], split])]
    lasts = at_cal[np.concatenate([split, [True]])]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def drop_after_calibration(at: Scope, factor: str) -> Found:
    """R11: the hour after a calibration has far less than the hour before, at unchanged load; told at its end."""
    beside, longest, least = at.i("beside_min"), at.i("longest_min"), at.i("least_min")
    back = 2 * beside + longest
    value = at.signal("minutes", factor, back)
    load = at.load("minutes", back)
    yes, no = np.zeros(at.count, dtype=np.bool_), np.ones(at.count, dtype=np.bool_)
    found: dict[int, dict[str, str]] = {}
    for begin, end in _calibrations(at, back, 0):
        slot = end + beside - 1 - back
        if not 0 <= slot < at.count or end - begin > longest or begin < beside:
            continue
        parts = [slice(begin - beside, begin), slice(end, end + beside)]
        means = [_mean(value, part, least) for part in parts]
        loads = [_mean(load, part, least) for part in parts]
        if None in means or None in loads:
            no[slot] = False
            continue
        (one, other), (load_one, load_other) = means, loads
        assert one is not None
        assert other is not None
        assert load_one is not None
        assert load_other is not None
        floor = at.plant.detection.get(factor, Fraction(0)) * at.p("detection_times")
        if (
            one > 0
            and one >= floor
            and other < at.p("ratio") * one
            and abs(load_one - load_other) <= at.share("load_change_pct")
        ):
            yes[slot], no[slot] = True, False
            found[slot] = {
                "before": shown(one), "after": shown(other), "load_before_pct": pct(load_one),
                "load_after_pct": pct(load_other),
            }  # fmt: skip
    return Found(Tri(yes, no), lambda slot: found[slot])


def _mean(signal: Signal, part: slice, least: int) -> Fraction | None:
    n = int(signal.known[part].sum())
    return Fraction(int(signal.num[part].sum()), n * signal.den) if n >= max(1, least) else None


def many_calibrations(at: Scope, _subject: str) -> Found:
    """R11: more calibrations began in a calendar day than are needed."""
    apart = at.i("apart_min")
    # a part at the day's first minutes belongs to a calibration that began before midnight
    back = apart + 1
    counts = np.zeros(at.count, dtype=np.int64)
    for begin, _end in _calibrations(at, back, apart):
        if begin >= back:
            counts[(begin - back) // DAY] += 1
    return Found(
        tri(counts > at.i("most_a_day"), np.ones(at.count, dtype=np.bool_)), lambda slot: {"count": str(counts[slot])}
    )


def _usable(at: Scope, factor: str, back: int) -> Signal:
    """Hours of a factor while the plant runs, without those near the detection limit."""
    value = at.signal("hours", factor, back)
    return at.counts(factor, value.only(~at.flag("hours", "standstill", back)))


def _moves(low: Whole, high: Whole, least: Fraction) -> Bools:
    """Whether ``high - low`` is above a share of ``high``."""
    left, right = product(high - low, least.denominator), product(high, least.numerator)
    return np.asarray(left > right, dtype=np.bool_)


def twin_days(at: Scope, factor: str) -> Found:
    """R13: the hourly profile of a day equals that of one before it."""
    days, least = at.i("window_days"), at.i("least_h")
    value = _usable(at, factor, days * DAY).blocks(24)
    tolerance, move = at.share("equal_pct"), at.share("least_move_pct")
    yes = np.zeros(at.count, dtype=np.bool_)
    found: dict[int, dict[str, str]] = {}
    today = value[days:]
    most = np.where(today.known, today.num, -1).max(axis=1, initial=-1)
    fewest = -np.where(today.known, -today.num, -(10**13)).max(axis=1, initial=-(10**13))
    lively = _moves(fewest, most, move)
    for ago in range(1, days + 1):
        then = value[days - ago : len(value.num) - ago]
        gap = product(np.abs(today.num - then.num), tolerance.denominator)
        near = np.asarray(gap <= product(np.abs(then.num), tolerance.numerator), dtype=np.bool_)
        equal = (near & today.known & then.known).sum(axis=1)
        alike = (equal >= least) & lively & ~yes
        for slot in np.flatnonzero(alike).tolist():
            found[slot] = {"equal_h": str(int(equal[slot])), "days_ago": str(ago)}
        yes |= alike
    state = tri(yes, today.known.sum(axis=1) >= least)
    return Found(state, lambda slot: found[slot])


def repeats_daily(at: Scope, factor: str) -> Found:
    """R13: the hours of a week follow those a day before them too closely."""
    days = at.i("window_days")
    value = _usable(at, factor, days * DAY)
    x, y = value[24:], value[:-24]
    pairs = [rows(each, days * 24) for each in (x, y)]
    x, y = (Signal(each.num[::24], each.den, each.known[::24]) for each in pairs)
    both = x.known & y.known
    sums = moments(x.num, y.num, both)
    n = both.sum(axis=1)
    high = np.where(both, x.num, -1).max(axis=1, initial=-1)
    low = -np.where(both, -x.num, -(10**13)).max(axis=1, initial=-(10**13))
    enough = (n >= at.i("least_h")) & both[:, -24:].any(axis=1)
    state = tri(correlation_above(sums, at.p("above")) & _moves(low, high, at.share("least_move_pct")), enough)
    return Found(state, lambda slot: {"r": shown_float(correlation(sums, slot)), "hours": str(int(n[slot]))})


def alike_outlets(at: Scope, factor: str) -> Found:
    """R14: two outlets whose hours follow each other too closely at different loads; ``factor@outlet``."""
    name, _, other = factor.partition("@")
    series = at.events.neighbours[other]
    width = at.i("window_h")
    back = (width - 1) * HOUR
    there = replace(at, hours=series, cache=Cache())
    mine, theirs = (
        rows(scope.signal("hours", name, back).only(~scope.flag("hours", "standstill", back)), width)
        for scope in (at, there)
    )
    floor = at.plant.detection.get(name, Fraction(0)) * at.p("detection_times")
    both = mine.known & theirs.known & ~mine.below(floor).yes
    sums = moments(mine.num, theirs.num, both)
    n = both.sum(axis=1)
    try:
        load = there.load("hours", back)
    except Lacks as lack:
        raise Lacks(lack.code, f"{other}：{lack.zh}", f"{other}: {lack.en}") from None
    one, two = (rows(each, width) for each in (at.load("hours", back), load))
    pair = one.known & two.known
    m = pair.sum(axis=1)
    den = one.den * two.den
    gaps = np.where(pair, np.abs(product(one.num, two.den) - product(two.num, one.den)), 0)
    apart = np.asarray([sum(map(int, row)) for row in gaps], dtype=object)
    limit = at.share("load_apart_pct")
    differ = np.asarray(apart * limit.denominator > m.astype(object) * den * limit.numerator, dtype=np.bool_)
    enough = (n >= at.i("least_h")) & (m >= at.i("least_h")) & both[:, -1]
    state = tri(correlation_above(sums, at.p("above")) & differ, enough)

    def figures(slot: int) -> dict[str, str]:
        mean = Fraction(int(apart[slot]), int(m[slot]) * den) if m[slot] else None
        return {"r": shown_float(correlation(sums, slot)), "other": other, "load_apart_found_pct": pct(mean)}

    return Found(state, figures)


def round_digits(at: Scope, factor: str) -> Found:
    """R15: the last digits of the day's values are not equally frequent."""
    track = at.track("minutes", factor)
    series = at.minutes
    values = cut(track.values, series, at.begin, at.count * DAY, MISSING)
    known = values != MISSING
    for state in ("device", "calibrating", "standstill"):
        known = known & ~at.flag("minutes", state)
    steps = np.where(known, values // track.step, 0).reshape(-1, DAY)[:, :: track.cadence]
    known = known.reshape(-1, DAY)[:, :: track.cadence]
    n = known.sum(axis=1)
    squares: list[Fraction | None] = []
    for row, there in zip(steps, known, strict=True):
        squares.append(digit_square(np.bincount(np.abs(row[there]) % 10, minlength=10)))
    pair = known[:, 1:] & known[:, :-1]
    moves = (np.abs(np.diff(steps, axis=1)) * pair).sum(axis=1)
    least = at.p("least_move_steps")
    fine = np.asarray(moves * least.denominator >= pair.sum(axis=1) * least.numerator, dtype=np.bool_) & pair.any(
        axis=1
    )
    enough = (n >= at.i("least_samples")) & fine
    level = at.p("chi_square")
    over = np.array([square is not None and square > level for square in squares], dtype=np.bool_)
    return Found(
        tri(over, enough), lambda slot: {"chi_square_found": shown(squares[slot], 2), "values": str(int(n[slot]))}
    )
