"""One verdict per JSON line: what ``envstream rules water`` prints (design §11)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from standards import fixed
from standards.dated import load
from standards.fixed import MISSING, Ints
from standards.water import groundwater as underground
from standards.water.indicators import Floats, class_limits, has, indicator_text, main_indicators, multiples
from standards.water.items import constant, item_set
from standards.water.ladders import NO_CLASS, Classes, groundwater, source_limits
from standards.water.means import assessed, assessment_decimals
from standards.water.plausibility import outside_range, suspect_zero
from standards.water.readings import Bools, parse
from standards.water.samples import GROUNDWATER, Sample, identity, record, sample
from standards.water.section import (
    class_words,
    deciding,
    item_classes,
    saturation_percent,
    saturation_reaches,
    section_class,
)
from standards.water.targets import (
    NO_SIDE,
    Target,
    TargetVerdicts,
    judge,
    judge_groundwater,
    limited_side,
    over_single_limits,
)

ROUNDINGS: Final = (None, "assessment")

_TOO_COARSE = "检出限高于Ⅰ类限值，无法判定 detection limit above class I: can't be judged"
_ABOVE_TARGET = "检出限高于目标限值，无法判定 detection limit above the target: can't be judged"
_NO_LIMIT_SET = "未检出，未给检出限 not detected, detection limit not given (rule: form)"
_NO_READING = "有目标限值而无读数 a target limit but no reading"
_EXCLUDED = "不参加达标评价，目标限值不用 excluded from the target: its limit is not used"
_OUTSIDE = "超出常见范围，核对单位 outside the plausible range, check the unit (rule: range)"
_ZERO = "化学项目为零存疑 exactly zero is suspect (rule: zero)"


def rules_water(
    lines: Iterable[str | bytes],
    *,
    rounding: str | None = None,
    item_set_name: str = "basic_21",
    edition: str | None = None,
    date: datetime.date | None = None,
    ph_decimals: str = "",
    oxygen_saturation: bool = False,
    negative_is_limit: bool = False,
) -> Iterator[dict[str, Any]]:
    """Judge water samples, one JSON object per line.

    In: ``{"id", "body": "river"|"lake"|"groundwater", "target": 1..6, "items": {"pH": 7.8, "TP": "0.025L", …}}``;
    numbers or texts, null is missing. Optional: ``date`` (picks the edition), ``limits`` {item: limit instead of the
    target class's; of an item outside the class too, then listed in ``judged_by_limit``}, ``exclude`` [items not judged
    against the target], ``background`` [natural-background items: a second class without them], ``source`` true
    (drinking-water source: single limits too). Unknown keys are ignored.

    Out: ``{"id", "class": 1..6 or -1, "rating", "items": {item: class}, "main": [[item, class, multiple]], "meets",
    "over_target": {item: multiple}, …}``; multiples unrounded, null where the rule has none (pH, DO); ``meets`` null
    without a target or where nothing can be judged. ``not_judged`` and ``flags`` say what did not take part and what is
    suspect. A line that can't be judged gives ``{"id", "error"}`` naming item, value and rule. Blank lines are skipped.

    Args:
        lines: texts or UTF-8 bytes.
        rounding: None judges the values as sent (as the platform does); ``assessment`` rounds them first (§3.3).
        item_set_name: which items take part: ``basic_21`` or ``five`` (``water_sets``).
        edition: forces a GB 3838 (or GB/T 14848) edition.
        date: of lines that have none; None takes the newest edition.
        ph_decimals: profile of assessment rounding for pH: ``""`` (none), ``ph_1``, ``ph_2`` (doubt 4).
        oxygen_saturation: also give class I at 90 % saturation, where ``T`` is present; off as on the platform (§0).
        negative_is_limit: read a negative value as the negative of its detection limit (old tables).

    Raises:
        ValueError: unknown rounding.
        LookupError: unknown set, edition or profile.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding {rounding!r}: assessment or None")
    if edition is not None and edition not in editions():
        raise LookupError(f"edition {edition!r}: there are {', '.join(editions())}")
    assessment_decimals("pH", ph=ph_decimals)
    law = _Law(rounding, item_set(item_set_name), item_set_name, edition, date, ph_decimals, oxygen_saturation)
    return _verdicts(law, lines, negative_is_limit)


def judge_sample(
    given: Sample, *, rounding: str | None = None, item_set_name: str = "basic_21", ph_decimals: str = ""
) -> dict[str, Any]:
    """Judge one sample under the editions of its date: what ``rules_water`` answers, without the id.

    Args:
        given: of whatever source; its date picks the editions.
        rounding: None judges the values as sent, ``assessment`` rounds them first (§3.3).
        item_set_name: which items take part.
        ph_decimals: profile of assessment rounding for pH.
    """
    law = _Law(rounding, item_set(item_set_name, given.date), item_set_name, None, None, ph_decimals, False)
    return law.verdict(given)


def editions() -> tuple[str, ...]:
    """Names of the editions ``rules_water`` can be told to judge by."""
    return tuple(each.name for subject in ("water_surface", "water_groundwater") for each in load(subject))


def _verdicts(law: _Law, lines: Iterable[str | bytes], negative_is_limit: bool) -> Iterator[dict[str, Any]]:
    read = partial(parse, negative_is_limit=negative_is_limit)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name: Any = None
        try:
            found = record(number, line)
            name = identity(found.get("id"))
            yield {"id": name, **law.verdict(sample(found, read))}
        except (ValueError, LookupError) as error:  # LineError, ReadingError, UnknownItem, no edition on the date
            yield {"id": name, "error": str(error)}


@dataclass(frozen=True, slots=True)
class _Readings:
    """The readings of one sample by item id, one column wide."""

    items: tuple[str, ...]
    values: Ints
    below: Bools

    def select(self, wanted: Iterable[str]) -> _Readings:
        names = tuple(name for name in wanted if name in self.items)
        at = [self.items.index(name) for name in names]
        return _Readings(names, self.values[at], self.below[at])


@dataclass(frozen=True, slots=True)
class _Law:
    """The switches of ``rules_water``, and what they make of a sample."""

    rounding: str | None
    taking_part: tuple[str, ...]
    set_name: str
    edition: str | None
    date: datetime.date | None
    ph_decimals: str
    oxygen_saturation: bool

    def verdict(self, given: Sample) -> dict[str, Any]:
        date = given.date or self.date
        names = tuple(item.id for item in given.readings)
        pairs = list(given.readings.values())
        values = np.array([value for value, _ in pairs], dtype=np.int64).reshape(len(pairs), 1)
        below = np.array([each for _, each in pairs], dtype=np.bool_).reshape(len(pairs), 1)
        if self.rounding == "assessment":
            for row, name in enumerate(names):
                # a detection limit is a property of the method, not a result: it is not rounded
                if not below[row, 0]:
                    values[row] = assessed(name, values[row], ph=self.ph_decimals, date=date)
        readings = _Readings(names, values, below)
        not_judged = dict.fromkeys(given.unknown, "未知项目，未评价 unknown item, not judged")
        if given.body == GROUNDWATER:
            found = self.groundwater(given, readings, date, not_judged)
        else:
            found = self.surface(given, readings, date, not_judged)
        if not_judged:
            found["not_judged"] = not_judged
        if flags := _suspects(given, date):
            found["flags"] = flags
        return found

    def surface(
        self, given: Sample, readings: _Readings, date: datetime.date | None, not_judged: dict[str, str]
    ) -> dict[str, Any]:
        lake = given.body == "lake"
        part = readings.select(self.taking_part)
        separate = readings.select(item_set("separate_lake" if lake else "separate_river", date))
        source = readings.select(source_limits(date).items if given.source else ())
        for name in readings.items:
            if name not in part.items and name not in separate.items and name not in source.items:
                not_judged[name] = f"不在评价项目集 not in the item set {self.set_name}"
        classes = item_classes(
            part.items,
            part.values,
            lake,
            below=part.below,
            saturated=self.saturated(readings, date),
            date=date,
            edition=self.edition,
        )
        section = int(section_class(classes)[0])
        words = class_words(date).get(section)
        found: dict[str, Any] = {
            "class": section,
            "rating": words.rating if words else None,
            "items": {name: int(each) for name, each in zip(part.items, classes[:, 0], strict=True)},
            "main": self.main(part, classes, lake, date),
            "meets": None,
            "over_target": {},
        }
        _note(not_judged, part, (classes == NO_CLASS) & part.below, _TOO_COARSE)
        if given.target is not None:
            found |= self.against_target(given, readings, part, lake, date, not_judged)
        found["main_text"] = "、".join(indicator_text(name, multiple, date) for name, _, multiple in found["main"])
        if words:
            found |= {"roman": words.roman, "rating_en": words.rating_en, "colour": words.colour, "hex": words.hex}
            if section > min(given.target or constant("worst_class", date), constant("worse_than_class", date)):
                found["deciding"] = [n for n, each in zip(part.items, deciding(classes)[:, 0], strict=True) if each]
        # beside the class, never inside it (water.md §2.1, §3.5)
        if separate.items:
            beside = item_classes(
                separate.items, separate.values, lake, below=separate.below, date=date, edition=self.edition
            )
            found["separate"] = {name: int(each) for name, each in zip(separate.items, beside[:, 0], strict=True)}
        if given.background:
            kept = ~has(part.items, tuple(given.background))
            found["class_without_background"] = int(section_class(classes[kept])[0])
        if given.source:
            judged, over = over_single_limits(
                source_limits(date).select(source.items), source.values, source.below
            )  # fmt: skip
            found["source_over"] = _over(source.items, judged == 2, over)
            _note(not_judged, source, (judged == NO_CLASS) & source.below, _ABOVE_TARGET)
        return found

    def saturated(self, readings: _Readings, date: datetime.date | None) -> Bools | None:
        pair = readings.select(("DO", "T"))
        if not self.oxygen_saturation or len(pair.items) < 2:
            return None
        percent = saturation_percent("class_1_at_least", date)
        return saturation_reaches(pair.values[0], pair.values[1], percent, date=date)

    def main(self, part: _Readings, classes: Classes, lake: bool, date: datetime.date | None) -> list[list[Any]]:
        rows = main_indicators(part.items, part.values, classes, lake, date=date, edition=self.edition)[:, 0]
        rows = rows[rows >= 0]
        if not len(rows):
            return []
        worst = constant("worse_than_class", date)
        high, _ = class_limits(part.items, lake, worst, 1, date=date, edition=self.edition)
        found = multiples(part.values, high)
        found[has(part.items, item_set("no_multiple", date))] = np.nan
        return [[part.items[row], int(classes[row, 0]), _or_null(found[row, 0])] for row in rows]

    def against_target(
        self,
        given: Sample,
        readings: _Readings,
        part: _Readings,
        lake: bool,
        date: datetime.date | None,
        not_judged: dict[str, str],
    ) -> dict[str, Any]:
        limits = {}
        for name, limit in given.limits.items():
            if name not in readings.items or readings.select((name,)).values[0, 0] == MISSING:
                not_judged.setdefault(name, _NO_READING)
            elif name in given.excluded:
                not_judged[name] = _EXCLUDED
            elif name not in part.items and not limited_side(name):
                not_judged[name] = f"目标限值未评价 target limit not judged: {NO_SIDE}"
            else:
                limits[name] = limit
        alone = tuple(name for name in limits if name not in part.items)
        judged_items = readings.select((*part.items, *alone))
        for name in alone:
            not_judged.pop(name, None)
        target = Target(given.target or constant("worst_class", date), limits, given.excluded)
        judged = judge(
            judged_items.items,
            judged_items.values,
            lake,
            target,
            below=judged_items.below,
            date=date,
            edition=self.edition,
        )
        found = _target_words(judged_items, judged, not_judged)
        return found | {"judged_by_limit": list(alone)} if alone else found

    def groundwater(
        self, given: Sample, readings: _Readings, date: datetime.date | None, not_judged: dict[str, str]
    ) -> dict[str, Any]:
        part = readings.select(groundwater(date, edition=self.edition).items)
        for name in readings.items:
            if name not in part.items:
                not_judged[name] = "地下水标准无限值 no limit for groundwater"
        judged = underground.classify(part.items, part.values, below=part.below, date=date, edition=self.edition)
        _note(not_judged, part, (judged.item_classes == NO_CLASS) & part.below, _TOO_COARSE)
        found = int(judged.classes[0])
        against: dict[str, Any] = {"meets": None, "over_target": {}}
        if given.target is not None:
            target = judge_groundwater(
                part.items, part.values, given.target, below=part.below, date=date, edition=self.edition
            )
            against = _target_words(part, target, not_judged)
        return {
            "class": found,
            "rating": None,
            "items": {name: int(each) for name, each in zip(part.items, judged.item_classes[:, 0], strict=True)},
            "main": [],
            **against,
            "over_3": _over(part.items, judged.over_3, judged.multiples),
        }


def _target_words(readings: _Readings, judged: TargetVerdicts, not_judged: dict[str, str]) -> dict[str, Any]:
    _note(not_judged, readings, judged.undecided, _ABOVE_TARGET)
    meets = int(judged.meets[0])
    return {
        "meets": None if meets < 0 else bool(meets),
        "over_target": _over(readings.items, judged.exceeds, judged.multiples),
    }


def _or_null(multiple: Any) -> float | None:
    return None if np.isnan(multiple) else float(multiple)


def _over(names: tuple[str, ...], over: Bools, found: Floats) -> dict[str, float | None]:
    return {name: _or_null(found[row, 0]) for row, name in enumerate(names) if over[row, 0]}


def _note(not_judged: dict[str, str], readings: _Readings, which: Bools, why: str) -> None:
    for row in np.flatnonzero(which[:, 0]):
        not_judged[readings.items[row]] = why


def _suspects(given: Sample, date: datetime.date | None) -> list[str]:
    flags = []
    for item, (value, below) in sorted(given.readings.items(), key=lambda each: each[0].id):  # not as they came
        if value == MISSING:
            continue
        one = np.array([value], dtype=np.int64)
        shown = f"{item.label} = {fixed.text_of(value, item.places)} {item.unit}"
        if below:
            if value == 0:
                flags.append(f"{item.label}: {_NO_LIMIT_SET}")
        elif outside_range(item.id, one, date)[0]:
            flags.append(f"{shown}: {_OUTSIDE}")
        elif suspect_zero(item.id, one, date)[0]:
            flags.append(f"{shown}: {_ZERO}")
    return flags
