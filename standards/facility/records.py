"""R12, R21 to R23, R25: drift, load and history, removal, reference measurements, marks (emission.md §5)."""

from __future__ import annotations

import datetime
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from standards.emission.exact import Bools, Whole, product
from standards.facility.inputs import DAY, HOUR, Drift, Manual
from standards.facility.scope import Found, Lacks, Scope, Which, pct, shown, shown_float
from standards.facility.signals import Signal, Tri, certain, tri
from standards.fixed import Ints

_EPOCH = datetime.date(1970, 1, 1)


def drift_used(at: Scope, factor: str) -> Found:
    """R12: the newest check found too much drift, and the data go on as valid."""
    drifts = [each for each in at.events.drifts or () if each.factor == factor]
    if not drifts:
        raise Lacks(
            "drifts", f"缺 {factor} 零点、量程漂移检查记录", f"needs records of zero and span checks of {factor}"
        )
    value = at.signal("hours", factor)
    most, window = at.p("drift_pct"), at.i("window_days") * DAY
    starts = at.begin + HOUR * np.arange(at.count)
    spoiled = np.zeros(at.count, dtype=np.bool_)
    newest: list[tuple[list[_Checked], Ints]] = []
    for part in (0, 1):  # a good span check says nothing of the zero
        checked = [_NO_CHECK, *_checked(drifts, part, most)]
        times = np.array([each.at for each in checked], dtype=np.int64)
        place = np.searchsorted(times, starts, side="right") - 1
        place[starts - times[place] > window] = 0
        spoiled |= np.array([each.bad for each in checked], dtype=np.bool_)[place]
        newest.append((checked, place))
    state = tri(spoiled, value.known)  # without a valid value nothing is used

    def figures(slot: int) -> dict[str, str]:
        zero, span = (shown(checked[place[slot]].pct) or "—" for checked, place in newest)
        return {"zero_pct": zero, "span_pct": span}

    return Found(state, figures)


class _Checked(NamedTuple):
    """What a check said of the zero, or of the span."""

    at: int
    bad: bool
    pct: Fraction | None


_NO_CHECK = _Checked(-(10**12), False, None)


def _checked(drifts: list[Drift], part: int, most: Fraction) -> list[_Checked]:
    """The checks that speak of a part, by time; at one instant a bad one outweighs. Without a number both are meant."""
    found = []
    for each in drifts:
        pct = (each.zero_pct, each.span_pct)[part]
        if pct is not None:
            found.append(_Checked(each.at, abs(pct) > most, pct))
        elif each.zero_pct is None and each.span_pct is None:
            found.append(_Checked(each.at, not each.passed, None))
    return sorted(found, key=lambda one: (one.at, one.bad))


def low_at_high_load(at: Scope, factor: str) -> Found:
    """R21: less than the hours of the same load class in the days before have, by so many standard deviations."""
    name = at.shown_name("hours", factor)
    value, load = at.signal("hours", name), at.load("hours")
    width, sigmas, days = at.share("class_pct"), at.p("sigmas"), at.i("history_days")
    classes = _classes(load, width)
    high = load.above(at.share("load_pct"))
    yes, known = np.zeros(at.count, dtype=np.bool_), np.zeros(at.count, dtype=np.bool_)
    usual: dict[int, tuple[Fraction, Fraction]] = {}
    most = 0
    for day, part in at.by_day():
        past = at.between(day - days * DAY, days * DAY)
        fit = ~(past.flag("hours", "standstill") | past.flag("hours", "condition"))
        old, old_load = past.signal("hours", name).only(fit), past.load("hours")
        old_classes = np.where(old.known & old_load.known, _classes(old_load, width), -1)
        stats: dict[int, tuple[int, Fraction, Fraction]] = {}
        for slot in range(part.start, part.stop):
            if not (value.known[slot] and high.yes[slot]):
                continue
            place = int(classes[slot])
            if place not in stats:
                stats[place] = _sample(old.num[old_classes == place])
            n, mean, variance = stats[place]
            most = max(most, n)
            if n < max(2, at.i("least_h")):
                continue
            gap = mean - int(value.num[slot])
            known[slot] = True
            yes[slot] = gap > 0 and gap * gap > sigmas * sigmas * variance
            usual[slot] = (mean / value.den, variance / value.den**2)
    if not known.any() and high.yes.any():
        raise Lacks(
            "history",
            f"同负荷段历史需 {at.i('least_h')} 小时，现有 {most} 小时",
            f"needs {at.i('least_h')} hours of its load class in the last {days} days, has {most}",
        )

    def figures(slot: int) -> dict[str, str]:
        mean, variance = usual[slot]
        return {
            "value": shown(value.at(slot)), "load_found_pct": pct(load.at(slot)), "mean": shown(mean),
            "deviation": shown_float(float(variance) ** 0.5, 3),
        }  # fmt: skip

    return Found(Tri(yes, (known & ~yes) | high.no), figures)


def _sample(nums: Whole) -> tuple[int, Fraction, Fraction]:
    """Count, mean and variance (of a sample), exact."""
    values, n = nums.tolist(), len(nums)
    mean = Fraction(sum(values), max(1, n))
    return n, mean, (sum(each * each for each in values) - n * mean * mean) / max(1, n - 1)


def _classes(load: Signal, width: Fraction) -> np.ndarray:
    """The load class of every hour: ``floor(load / width)``."""
    per = width * load.den
    found: np.ndarray = np.asarray(product(load.num, per.denominator) // per.numerator, dtype=np.int64)
    return found


def _day_sums(signal: Signal, mask: Bools) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts of the hours of each day."""
    both = signal.known & mask
    sums = np.where(both, signal.num, 0).reshape(-1, 24).sum(axis=1)
    return sums, both.reshape(-1, 24).sum(axis=1)


def removed_too_well(at: Scope, factor: str) -> Found:
    """R22: more is removed than treatment can, over the hours of a day that have both values."""
    out, inlet = at.signal("hours", factor), at.signal("hours", f"inlet_{factor}")
    both = out.known & inlet.known & ~at.flag("hours", "standstill")
    left, n = _day_sums(out, both)
    came, _ = _day_sums(inlet, both)
    kept = 1 - at.share("removal_pct")
    # left / came < kept
    small = product(left, inlet.den * kept.denominator) < product(came, out.den * kept.numerator)
    state = tri(np.asarray(small, dtype=np.bool_) & (came > 0), (n >= at.i("least_h")) & (came > 0))

    def figures(slot: int) -> dict[str, str]:
        one = Fraction(int(left[slot]), int(n[slot]) * out.den)
        other = Fraction(int(came[slot]), int(n[slot]) * inlet.den)
        return {"outlet": shown(one), "inlet": shown(other), "removal_found_pct": pct(1 - one / other)}

    return Found(state, figures)


def outlet_too_low(at: Scope, factor: str) -> Found:
    """R22: the day's mean far below that of the days before, while the influent is as it was."""
    days, least_h = at.i("history_days"), at.i("least_h")
    back = days * DAY
    still = ~at.flag("hours", "standstill", back)
    out, inlet = at.signal("hours", factor, back), at.signal("hours", f"inlet_{factor}", back)
    yes, known = np.zeros(at.count, dtype=np.bool_), np.zeros(at.count, dtype=np.bool_)
    found: dict[int, dict[str, str]] = {}
    parts = [_day_sums(each, still) for each in (out, inlet)]
    most = 0
    for slot in range(at.count):
        past, today = slice(slot, slot + days), slot + days
        means = []
        for (sums, counts), signal in zip(parts, (out, inlet), strict=True):
            full = counts[past] >= least_h
            most = max(most, int(full.sum()))
            if int(full.sum()) < at.i("least_days") or counts[today] < least_h:
                break
            usual = Fraction(int(sums[past][full].sum()), int(counts[past][full].sum()) * signal.den)
            means.append((Fraction(int(sums[today]), int(counts[today]) * signal.den), usual))
        if len(means) < 2:
            continue
        (here, norm), (came, came_norm) = means
        known[slot] = True
        change = at.share("inlet_change_pct")
        if here * at.p("norm_divisor") < norm and abs(came - came_norm) <= change * came_norm:
            yes[slot] = True
            found[slot] = {
                "outlet": shown(here), "norm": shown(norm), "inlet": shown(came), "inlet_norm": shown(came_norm)
            }  # fmt: skip
    if at.count and not known.any() and most < at.i("least_days"):
        raise Lacks.history(at.i("least_days"), days, most)
    return Found(tri(yes, known), lambda slot: found[slot])


def manual_apart(at: Scope, factor: str) -> Found:
    """R23: a reference measurement differs, by more than the rule and more than the accuracy class allow."""
    manuals = [each for each in at.events.manuals or () if each.factor == factor]
    if not manuals:
        raise Lacks("manuals", f"缺 {factor} 比对监测结果", f"needs results of reference measurements of {factor}")
    longest = at.i("longest_min")
    yes, no = np.zeros(at.count, dtype=np.bool_), np.ones(at.count, dtype=np.bool_)
    found: dict[int, dict[str, str]] = {}
    for manual in manuals:
        slot = manual.end - 1 - at.begin
        if not 0 <= slot < at.count or not 0 < manual.end - manual.begin <= longest:
            continue
        mean = _online(at, "minutes", manual, 1)
        if mean is None:  # minutes are not kept for long, and some loggers send none
            mean = _online(at, "hours", manual, HOUR)
        if mean is None:
            no[slot] = False
            continue
        gap = abs(mean - manual.value)
        if gap > at.share("off_pct") * manual.value and gap > _allowed(at, manual):
            yes[slot], no[slot] = True, False
            found[slot] = {"online": shown(mean), "manual": shown(manual.value), "difference": shown(gap)}
    return Found(Tri(yes, no), lambda slot: found[slot])


def _online(at: Scope, which: Which, manual: Manual, step: int) -> Fraction | None:
    """The mean of what was measured online in the slots that lie in the period whole; None where too few are known."""
    if not at.has(which, manual.factor):
        return None
    low, high = -(-manual.begin // step) * step, manual.end // step * step
    if high <= low:
        return None
    value = at.between(low, high - low).signal(which, manual.factor)
    n = int(value.known.sum())
    if not n or n * step < at.share("least_pct") * (manual.end - manual.begin):
        return None
    return Fraction(int(value.num.sum()), n * value.den)


def _allowed(at: Scope, manual: Manual) -> Fraction:
    """What HJ 75 lets an online value differ by; nothing for a factor it does not name."""
    found = Fraction(0)
    for start, kind, most in at.settings.accuracy.get(manual.factor, ()):
        if manual.value >= start:
            found = most if kind == "absolute" else manual.value * most / 100
    return found


def _month_of(minute: int) -> int:
    """The first minute of the calendar month."""
    date = _EPOCH + datetime.timedelta(days=minute // DAY)
    return (date.replace(day=1) - _EPOCH).days * DAY


def marks_cover(at: Scope, _subject: str) -> Found:
    """R25: marked exceedance hours against the running hours of a calendar month; told on its last day."""
    back = at.i("window_days") * DAY
    over, marked = at.flag("hours", "over", back), at.flag("hours", "condition", back)
    ran = ~at.flag("hours", "standstill", back) & _any_known(at, back)
    yes = np.zeros(at.count, dtype=np.bool_)
    counts: dict[int, tuple[int, int]] = {}
    share = at.share("share_pct")
    for slot in range(at.count):
        end = at.begin + (slot + 1) * DAY
        if _month_of(end) != end:
            continue
        low = (_month_of(end - 1) - at.begin + back) // HOUR
        part = slice(max(0, low), (end - at.begin + back) // HOUR)
        covered, hours = int((over & marked & ran)[part].sum()), int(ran[part].sum())
        yes[slot] = hours > 0 and covered > share * hours
        counts[slot] = (covered, hours)

    def figures(slot: int) -> dict[str, str]:
        covered, hours = counts[slot]
        return {"marked_h": str(covered), "hours": str(hours), "share_found_pct": pct(Fraction(covered, hours))}

    return Found(certain(yes), figures)


def _any_known(at: Scope, back: int) -> Bools:
    """Hours in which anything was measured."""
    found = np.zeros((at.check.step * at.count + back) // HOUR, dtype=np.bool_)
    for name in at.hours.tracks:
        for signal in at.machines("hours", name, back):
            found |= signal.known
    return found


def marks_follow(at: Scope, _subject: str) -> Found:
    """R25: more marks of a calendar month begin close to an exceedance than chance explains."""
    beside = at.i("beside_min")
    back = at.i("window_days") * DAY + HOUR * (-(-beside // HOUR))
    over = at.flag("hours", "over", back)
    hours = at.begin - back + HOUR * np.flatnonzero(over)  # first minutes of hours above the limit
    marks = np.array(sorted(set(at.events.marks or ())), dtype=np.int64)
    if len(hours) and len(marks):
        place = np.searchsorted(hours, marks, side="right")
        before, after = np.maximum(place - 1, 0), np.minimum(place, len(hours) - 1)
        # within the hour, or at most so many minutes outside it
        close = ((place > 0) & (marks - (hours[before] + HOUR) <= beside)) | (
            (hours[after] > marks) & (hours[after] - marks <= beside)
        )
        # what makes it known: the mark's beginning and the end of the exceedance's hour
        near_before = (place > 0) & (marks - (hours[before] + HOUR) <= beside)
        known_at = np.where(near_before, np.maximum(marks + 1, hours[before] + HOUR), hours[after] + HOUR)
        marks, known_at = marks[close], known_at[close]
    else:
        marks, known_at = marks[:0], marks[:0]
    ends = at.begin + HOUR * np.arange(1, at.count + 1)
    counts = np.array(
        [int(((marks >= _month_of(int(end) - 1)) & (marks < end) & (known_at <= end)).sum()) for end in ends],
        dtype=np.int64,
    )
    return Found(certain(counts > at.i("most_a_month")), lambda slot: {"count": str(counts[slot])})
