"""What the law says of every hour of a section: class, worse than the target, near it, and the sample it judges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agents.water.columns import COLUMN, FACTORS, KNOWN, WIDTH
from agents.water.hours import Bools, Day
from schemas.registry import Registry, Section
from schemas.registry import Target as Owed
from standards import fixed
from standards.fixed import MISSING
from standards.water import section as classes_of
from standards.water.items import Item, constant, item_set, items
from standards.water.ladders import NO_CLASS, NO_LIMIT, Classes, groundwater
from standards.water.samples import GROUNDWATER, Sample
from standards.water.targets import Target, judge, judge_groundwater, limited_side, target_limits
from standards.water.warnings import rules as warning_rules

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

SPRING: Final = "spring"
REAL_TIME, ASSESSED = "five", "basic_21"
"""Item sets of the real-time class (the platform's five) and of means (5+X: what of the 21 was measured)."""


@dataclass(frozen=True)
class Grades:
    """Hours of a day, graded as they were sent; bool[24, WIDTH] but for the class.

    ``over``: worse than the target. ``doubled``: by the exceed multiple that is serious. ``near``: past the share of
    the limit that counts as near. ``worst``: worse than class V. ``classes``: int8[24] of the section,
    ``by_item``: int8[24, WIDTH] of each item that takes part in it. ``stirred``: bool[WIDTH], anything
    of the first four holds.
    """

    over: Bools
    doubled: Bools
    near: Bools
    worst: Bools
    classes: Classes
    by_item: Classes
    stirred: Bools


def target_of(registry: Registry, section: str, date: dt.date) -> tuple[Owed | None, Target | None]:
    """What a section owes on a date, in the registry's words and as the law takes it.

    A limit that no standard gives a side, and one for pH, which is a band, can't be judged and are left out.
    """
    owed = registry.target(section, date)
    if owed is None:
        return None, None
    limits = {
        name: fixed.parse(text, items()[name].places, excess="sticky")
        for name, text in owed.limits.items()
        if name in items() and limited_side(name) in ("high", "low")
    }
    return owed, Target(owed.target_class, limits, frozenset(owed.excluded))


def sample_of(
    section: Section, date: dt.date, readings: Mapping[str, tuple[int, bool]], target: Target | None
) -> Sample:
    """What the law judges: readings by item id, ``(value in the item's scale, below detection)``."""
    spring = section.body == SPRING
    known: dict[Item, tuple[int, bool]] = {items()[name]: held for name, held in readings.items() if name in items()}
    return Sample(
        body=GROUNDWATER if spring else section.body,
        date=date,
        readings=known,
        unknown=(),
        target=None if target is None else target.target_class,
        limits={} if target is None or spring else dict(target.limits),
        excluded=frozenset() if target is None or spring else target.excluded,
        background=frozenset(),
        source=section.drinking_source and not spring,
    )


class Grading:
    """Grades of days, derived when they are asked for."""

    def __init__(self, judge_: WaterJudge) -> None:
        self._judge = judge_
        self._held: dict[tuple[str, int], tuple[Day, Grades]] = {}

    def of(self, section: str, day: Day) -> Grades:
        """The grades of a day."""
        held = self._held.get((section, day.number))
        if held is None or held[0] is not day:
            held = self._held[section, day.number] = (day, self._grade(section, day))
        return held[1]

    def forget_before(self, day: int) -> None:
        """Older days are graded again when they are asked for."""
        self._held = {at: held for at, held in self._held.items() if at[1] >= day}

    def _grade(self, section: str, day: Day) -> Grades:
        shape = (24, WIDTH)
        over, doubled, near, worst = (np.zeros(shape, np.bool_) for _ in range(4))
        here = np.flatnonzero((day.alarm != MISSING).any(axis=0)).tolist()
        present = [FACTORS[c] for c in here if FACTORS[c] in KNOWN]
        at = day.section
        if at is None or not present:
            return _nothing()
        registry = self._judge.registry
        assert registry is not None
        _, target = target_of(registry, section, day.date)
        if at.body == SPRING:
            return self._spring(day, present, target)
        lake = at.body == "lake"
        wanted = tuple(n for n in item_set(ASSESSED, day.date) if n in present)
        values, below = _matrix(day, wanted)
        by_item = classes_of.item_classes(wanted, values, lake, below=below, date=day.date)
        worst[:, _columns(wanted)] = (by_item == constant("worst_class", day.date)).T
        if target is not None:
            alone = tuple(n for n in target.limits if n in present and n not in wanted)
            self._against(day, (*wanted, *alone), lake, target, over, doubled, near)
        return _grades(over, doubled, near, worst, *self._real_time(day, lake))

    def _against(
        self, day: Day, wanted: tuple[str, ...], lake: bool, target: Target, over: Bools, doubled: Bools, near: Bools
    ) -> None:
        owed = Target(
            target.target_class, {n: limit for n, limit in target.limits.items() if n in wanted}, target.excluded
        )
        values, below = _matrix(day, wanted)
        judged = judge(wanted, values, lake, owed, below=below, date=day.date)
        high, _ = target_limits(wanted, lake, owed, 24, date=day.date)
        at = _columns(wanted)
        over[:, at] = judged.exceeds.T
        doubled[:, at] = _doubled(judged.multiples, day.date).T
        limited = (high < NO_LIMIT) & (values != MISSING) & ~below
        limited &= ~np.isin(wanted, (*item_set("no_multiple", day.date), *target.excluded))[:, None]
        percent = warning_rules(day.date)["rising"].percent
        near[:, at] = (limited & (np.where(limited, values, 0) * 100 > np.where(limited, high, 1) * percent)).T

    def _real_time(self, day: Day, lake: bool) -> tuple[Classes, Classes]:
        wanted = item_set(REAL_TIME, day.date)
        values = day.judged[:, _columns(wanted)].T
        below = day.below[:, _columns(wanted)].T
        found = classes_of.item_classes(wanted, values, lake, below=below if below.any() else None, date=day.date)
        return classes_of.section_class(found), _spread(found, wanted)

    def _spring(self, day: Day, present: list[str], target: Target | None) -> Grades:
        """A spring is groundwater: its target is a class of GB/T 14848, and nothing is worse than the last class."""
        over, doubled, near, worst = (np.zeros((24, WIDTH), np.bool_) for _ in range(4))
        ladders = groundwater(day.date)
        wanted = tuple(n for n in present if n in ladders.items)
        if not wanted:
            return _nothing()
        values, below = _matrix(day, wanted)
        classes = ladders.select(wanted).classes(values, below)
        if target is not None:
            kept = tuple(n for n in wanted if n not in target.excluded)
            kept_values, kept_below = _matrix(day, kept)
            judged = judge_groundwater(kept, kept_values, target.target_class, below=kept_below, date=day.date)
            over[:, _columns(kept)] = judged.exceeds.T
            doubled[:, _columns(kept)] = _doubled(judged.multiples, day.date).T
        return _grades(over, doubled, near, worst, classes_of.section_class(classes), _spread(classes, wanted))


def _grades(over: Bools, doubled: Bools, near: Bools, worst: Bools, classes: Classes, by_item: Classes) -> Grades:
    stirred: Bools = np.any(over | near | worst, axis=0)
    return Grades(over, doubled, near, worst, classes, by_item, stirred)


def _nothing() -> Grades:
    none = [np.zeros((24, WIDTH), np.bool_) for _ in range(4)]
    return _grades(none[0], none[1], none[2], none[3], np.full(24, NO_CLASS, np.int8), _spread(None, ()))


def _spread(classes: Classes | None, wanted: tuple[str, ...]) -> Classes:
    found = np.full((24, WIDTH), NO_CLASS, np.int8)
    if classes is not None:
        found[:, _columns(wanted)] = classes.T
    return found


def _columns(wanted: tuple[str, ...]) -> list[int]:
    return [COLUMN[name] for name in wanted]


def _matrix(day: Day, wanted: tuple[str, ...]) -> tuple[np.ndarray, Bools]:
    at = _columns(wanted)
    return day.alarm[:, at].T.copy(), day.below[:, at].T.copy()


def _doubled(multiples: np.ndarray, date: dt.date) -> Bools:
    """The quotient is correctly rounded, so comparing it with a whole number is exact."""
    found: Bools = np.nan_to_num(multiples, nan=-1.0) >= warning_rules(date)["multiple"].multiple
    return found
