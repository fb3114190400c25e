"""The checks of the rules and their numbers, from the dated tables, as an outlet has set them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final

from standards.facility.inputs import DAY, HOUR, InputError, Plant
from standards.water.editions import choose

STEP: Final[Mapping[str, int]] = {"minute": 1, "hour": HOUR, "day": DAY}
"""Minutes of a slot of each grid."""

_UNITS: Final[Mapping[str, int]] = {"min": 1, "h": HOUR, "days": DAY}
ENABLED: Final = "enabled"
LEVELS: Final = ("blue", "yellow", "orange", "red")


class SettingsError(InputError):
    """Settings that name what is not there; the text lists what is."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a rule, with the numbers that hold for an outlet.

    Attributes:
        name: ``R5.step``; of a rule with one condition the rule itself.
        rule: ``R5``.
        grid: ``minute``, ``hour`` or ``day``: the slots it is judged in.
        hard: judged by what was measured; else statistical: noise alone gives one now and then (``noise.rates``).
        medium: ``gas``, ``water`` or ``any``.
        needs: what it says nothing without: ``minutes:production``, ``hours:load|production`` (one of them),
            ``states:minutes.calibrating``.
        each: what it is asked of: ``outlet``, ``factor``, ``line`` (a group of machines), ``neighbour``.
        over: the factors, or the name of the lines.
        reads: the series whose slots tell whether data came live, ``minutes``, ``hours`` or ``either``.
        suppress: states in which it is not in force (``standstill``, ``condition``, ``excused``).
        params: its numbers by name.
        minutes_back, hours_back: minutes of each series before a slot that may matter for it.
        lead: minutes before the end of the first slot at which a suspicion begins, for conditions over a window.
        score: 0 … 100, how much one of it says by itself.
        level, level_with_exceedance: of emission.md §6.
        title, title_en, reason, reason_en: for people; the reasons are templates over figures and params.
        enabled: whether the outlet has it switched on.
        where: file and line of its row.
    """

    name: str
    rule: str
    grid: str
    hard: bool
    medium: str
    needs: tuple[str, ...]
    each: str
    over: tuple[str, ...]
    reads: str
    suppress: frozenset[str]
    params: Mapping[str, Fraction]
    minutes_back: int
    hours_back: int
    lead: int
    evidence_min: int
    score: int
    level: str
    level_with_exceedance: str
    title: str
    title_en: str
    reason: str
    reason_en: str
    enabled: bool
    where: str

    @property
    def step(self) -> int:
        """Minutes of a slot."""
        return STEP[self.grid]

    @property
    def hold(self) -> int:
        """Hold time in slots, at least 1."""
        return max(1, -(-self.whole("hold_min") // self.step))

    @property
    def gap(self) -> int:
        """Unknown slots that are bridged."""
        return self.whole("gap_min") // self.step

    @property
    def settle_min(self) -> int:
        """Minutes before an instant whose slots say which suspicions stand there: hold time, a gap before and after."""
        return (self.hold + 2 * self.gap) * self.step

    @property
    def look_back_min(self) -> int:
        """Minutes before an instant whose input may matter for what is said of it."""
        return max(self.minutes_back, self.hours_back) + self.settle_min + self.step

    def whole(self, name: str) -> int:
        """A number that counts slots, minutes, hours or days.

        Raises:
            SettingsError: it was set to a fraction.
        """
        value = self.params[name]
        if value.denominator != 1:
            raise SettingsError(f"{self.name}.{name} = {value}: a whole number is needed")
        return int(value)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of one outlet: its plant, and every check with its numbers. Made by ``settings``."""

    plant: Plant = field(default_factory=Plant)
    checks: tuple[Check, ...] = ()
    processes: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    accuracy: Mapping[str, tuple[tuple[Fraction, str, Fraction], ...]] = field(default_factory=dict)

    def check(self, name: str) -> Check:
        """One check by its name.

        Raises:
            LookupError: no such check.
        """
        for each in self.checks:
            if each.name == name:
                return each
        raise LookupError(f"{name!r}: no check; there are {', '.join(c.name for c in self.checks)}")

    @property
    def look_back_s(self) -> dict[str, int]:
        """As ``LOOK_BACK_S``, with the numbers of this outlet."""
        return _look_back(self.checks)


Change = bool | int | Decimal | Fraction | str


def settings(
    plant: Plant | None = None,
    changes: Mapping[str, Mapping[str, Change]] | None = None,
    date: datetime.date | None = None,
) -> Settings:
    """The checks of an outlet.

    Args:
        plant: what the registry says of it.
        changes: by rule (``R5``) or check (``R5.step``): ``enabled``, and numbers by name; what stands under a check
            wins over its rule. A number may be text (``"0.5"``, ``"1/3"``); binary floats are refused.
        date: of the data, for the edition of the tables; None takes the newest.

    Raises:
        SettingsError: a rule, check or number that is not there, or a value that cannot be; with what may stand.
    """
    return _build(plant or Plant(), {name: dict(each) for name, each in (changes or {}).items()}, date)


def _build(plant: Plant, changes: dict[str, dict[str, Change]], date: datetime.date | None) -> Settings:
    base = _table(date)
    _refuse_unknown(base, changes)
    checks = []
    for each in base:
        mine = {**changes.get(each.rule, {}), **changes.get(each.name, {})}
        checks.append(_changed(each, mine, date) if mine else each)
    processes = {
        row.text("process"): {
            name: Fraction(row.number(name)) for name in ("o2_ceiling", "co2_max") if name in row
        } | ({"combustion": Fraction(1)} if row.flag("combustion") else {})
        for row in choose("facility_processes", date).rows
    }  # fmt: skip
    accuracy: dict[str, list[tuple[Fraction, str, Fraction]]] = {}
    for row in choose("facility_accuracy", date).rows:
        entry = (Fraction(row.number("from")), row.text("kind"), Fraction(row.number("most")))
        accuracy.setdefault(row.text("factor"), []).append(entry)
    return Settings(plant, tuple(checks), processes, {name: tuple(rows) for name, rows in accuracy.items()})


def _refuse_unknown(base: tuple[Check, ...], changes: Mapping[str, Mapping[str, Change]]) -> None:
    for name, wanted in changes.items():
        mine = [each for each in base if name in (each.rule, each.name)]
        if not mine:
            rules = ", ".join(dict.fromkeys(each.rule for each in base))
            raise SettingsError(f"settings 参数: {name!r} is no rule and no check; rules are {rules}")
        known = sorted({param for each in mine for param in each.params})
        for param in wanted:
            if param != ENABLED and param not in known:
                raise SettingsError(
                    f"settings 参数: {name} has no number {param!r}; it has {', '.join([ENABLED, *known])}"
                )


def _changed(check: Check, wanted: Mapping[str, Change], date: datetime.date | None) -> Check:
    params = dict(check.params)
    enabled = check.enabled
    for name, value in wanted.items():
        if name == ENABLED:
            if not isinstance(value, bool):
                raise SettingsError(f"settings 参数: {check.name}.enabled = {value!r}: true or false is needed")
            enabled = value
        elif name in params:  # a number of another check of the rule is not meant for this one
            params[name] = _number(f"{check.name}.{name}", value)
    return _make(_row_of(check.name, date), params, enabled)


def _number(name: str, value: Change) -> Fraction:
    if isinstance(value, bool | float):
        raise SettingsError(f"settings 参数: {name} = {value!r}: an exact number is needed, as text or a whole number")
    try:
        found = Fraction(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise SettingsError(f"settings 参数: {name} = {value!r} is not a number") from None
    unit = name.rsplit("_", 1)[-1]
    if unit in _UNITS and (found.denominator != 1 or found < 0):
        raise SettingsError(f"settings 参数: {name} = {value!r}: a whole number from 0 on is needed")
    return found


@cache
def _table(date: datetime.date | None) -> tuple[Check, ...]:
    numbers: dict[str, dict[str, Fraction]] = {}
    for row in choose("facility_thresholds", date).rows:
        numbers.setdefault(row.text("check"), {})[row.text("name")] = Fraction(row.number("value"))
    rows = choose("facility_checks", date).rows
    return tuple(_make(_Row.of(row.cells, row.where), numbers.get(row.text("check"), {}), True) for row in rows)


@cache
def _row_of(name: str, date: datetime.date | None) -> _Row:
    row = choose("facility_checks", date).row(check=name)
    return _Row.of(row.cells, row.where)


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of a check's row."""

    cells: Mapping[str, object]
    where: str

    @classmethod
    def of(cls, cells: Mapping[str, object], where: str) -> _Row:
        return cls(cells, where)

    def text(self, name: str) -> str:
        value = self.cells.get(name, "")
        assert isinstance(value, str), f"{self.where}: {name} is not text"
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.cells.get(name, ())
        assert isinstance(value, list | tuple), f"{self.where}: {name} is not a list"
        return tuple(map(str, value))

    def integer(self, name: str) -> int:
        value = self.cells[name]
        assert isinstance(value, int), f"{self.where}: {name} is not an integer"
        return value


def _make(row: _Row, params: Mapping[str, Fraction], enabled: bool) -> Check:
    def minutes(names: Iterable[str]) -> int:
        return sum(int(-(-params[name] // 1)) * _UNITS[name.rsplit("_", 1)[-1]] for name in names)

    step = STEP[row.text("grid")]
    return Check(
        name=row.text("check"), rule=row.text("check").partition(".")[0], grid=row.text("grid"),
        hard=row.text("kind") == "hard", medium=row.text("medium"), needs=row.texts("needs"),
        each=row.text("each"), over=row.texts("over"), reads=row.text("reads"),
        suppress=frozenset(row.texts("suppress")), params=dict(params),
        # a window of so many minutes before the slot; whole slots, and one more where history is by calendar day
        minutes_back=minutes(row.texts("minutes_back")) + step,
        hours_back=minutes(row.texts("hours_back")) + max(step, HOUR)
        + (DAY if any(name.endswith("_days") for name in row.texts("hours_back")) else 0),
        lead=minutes(row.texts("lead")), evidence_min=row.integer("evidence_min"), score=row.integer("score"),
        level=row.text("level"), level_with_exceedance=row.text("with_exceedance") or row.text("level"),
        title=row.text("title"), title_en=row.text("title_en"), reason=row.text("reason"),
        reason_en=row.text("reason_en"), enabled=enabled, where=row.where,
    )  # fmt: skip


def _look_back(checks: Iterable[Check]) -> dict[str, int]:
    found: dict[str, int] = {}
    for check in checks:
        for name in (check.name, check.rule):
            found[name] = max(found.get(name, 0), 60 * check.look_back_min)
    return found


LOOK_BACK_S: Final[Mapping[str, int]] = _look_back(_table(None))
"""By rule and by check: seconds before an instant whose input may matter for what is said of it (newest edition)."""
