"""Scenario files: something that happens in the district, and what must be concluded from it.

A few lines of TOML, one scenario a file, combinable. Times are relative to the run: ``"day 2 09:00"``; numbers stay
decimals. ``strength`` multiplies the threshold the file names, so that a rule can be swept just below and just above
it (``FILE@0.99``). A wrong file is refused with all its reasons; whether it fits a district says
:mod:`streams.simulator.fitting`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from streams.simulator import changes, deliveries, truth
from streams.simulator.changes import Change
from streams.simulator.deliveries import Delivery
from streams.simulator.truth import Row, Truth

FORMAT: Final = 1
FOLDER: Final = "scenarios"
DAY_MIN: Final = 1440
_AT = re.compile(r"day (\d{1,4}) (\d\d):(\d\d)", re.ASCII)
_SPAN = re.compile(r"(-?\d+(?:\.\d+)?) (s|min|h|days?)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}
MOST_STRENGTH: Final = 1_000
MOST_NUMBER: Final = 100_000
"""Beyond these no scenario means anything, and amounts of a day leave the range of whole numbers."""
MOST_DAYS: Final = 400
_COMMON = ("format", "name", "name_en", "kind", "where", "from", "to", "lasts", "strength", "truth")
_TRUTH = ("kind", "subject", "day", "from", "to", "above", "below", "cadence", "expected", "because")


class ScenarioError(ValueError):
    """Scenarios that cannot be used; the text has every reason, one a line."""


# what a setting of a kind is
FACTOR, SPAN, SWITCH = "a factor", "a span of time", "true or false"
NUMBER, NUMBERS = (f"{what} from 0 to {MOST_NUMBER}" for what in ("a number", "a table of numbers"))


@dataclass(frozen=True)
class Kind:
    """A kind of scenario.

    Attributes:
        places: what ``where`` names: ``air`` (areas or stations), ``outlet``, ``section`` or ``source``.
        needs: settings that must be there; may: those that may, with their defaults. By name, what they are.
        change, delivery: what it does: to what is measured, or to how it is sent.
        whole: its window begins and ends at ``day`` or on the ``hour``; "" anywhere.
        lasting: its end may be given as ``lasts``, which ``strength`` multiplies.
        counts: its strength is a whole number.
    """

    places: str
    needs: Mapping[str, str]
    may: Mapping[str, Any]
    change: Change | None = None
    delivery: type[Delivery] | None = None
    whole: str = ""
    lasting: bool = False
    counts: bool = False


KINDS: Final[dict[str, Kind]] = {
    "air_level": Kind("air", {"factor": FACTOR, "threshold": NUMBER}, {"companions": {}, "cap": {}},
                      changes.air_level, whole="day"),
    "outlet_level": Kind("outlet", {"factor": FACTOR, "threshold": NUMBER}, {}, changes.outlet_level, whole="hour"),
    "treatment_off": Kind("outlet", {"threshold": NUMBER}, {}, changes.treatment_off),
    "flat_line": Kind("outlet", {"factor": FACTOR}, {}, changes.flat_line, lasting=True),
    "clipped": Kind("outlet", {"factor": FACTOR, "threshold": NUMBER, "limit": NUMBER}, {},
                    changes.clipped, whole="hour"),
    "diluted_o2": Kind("outlet", {"threshold": NUMBER}, {}, changes.diluted_o2),
    "water_level": Kind("section", {"thresholds": NUMBERS}, {"travels": False, "left": Decimal(1)},
                        changes.water_level),
    "silent": Kind("source", {}, {}, delivery=deliveries.Silent, lasting=True),
    "late": Kind("source", {"by": SPAN}, {}, delivery=deliveries.Late),
    "duplicated": Kind("source", {}, {}, delivery=deliveries.Duplicated, counts=True),
    "shuffled": Kind("source", {"within": SPAN}, {}, delivery=deliveries.Shuffled),
    "corrected": Kind("source", {"factor": FACTOR, "after": SPAN}, {}, delivery=deliveries.Corrected, whole="hour"),
    "clock_off": Kind("source", {"by": SPAN}, {}, delivery=deliveries.ClockOff),
    "garbage": Kind("source", {}, {}, delivery=deliveries.Garbage, counts=True),
}  # fmt: skip
_IS: Final = {"companions": NUMBERS, "cap": NUMBERS, "travels": SWITCH, "left": NUMBER}


@dataclass(frozen=True)
class Scenario:
    """A scenario of a run.

    Attributes:
        name: of its file, without the ending.
        kind: one of :data:`KINDS`.
        where: ids of areas, stations, sections, outlets or other sources.
        start_min, end_min: its window, minutes since the run begins.
        strength: times the threshold.
        settings: those of its kind, complete.
        rows: what must be concluded.
        title, title_en: what it is called.
    """

    name: str
    kind: str
    where: tuple[str, ...]
    start_min: int
    end_min: int
    strength: Decimal
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    title: str = ""
    title_en: str = ""

    def text(self, name: str) -> str:
        """A setting that is a text."""
        return str(self.settings[name])

    def decimal(self, name: str) -> Decimal:
        """A setting that is a number."""
        return Decimal(self.settings[name])

    def decimals(self, name: str) -> Mapping[str, Decimal]:
        """A setting that is a table of numbers."""
        found: Mapping[str, Decimal] = self.settings[name]
        return found

    def flag(self, name: str) -> bool:
        """A setting that is true or false."""
        return bool(self.settings[name])

    def seconds(self, name: str) -> Decimal:
        """A setting that is a span of time."""
        return seconds_of(self.text(name))

    def level(self) -> Decimal:
        """Strength times threshold."""
        return self.strength * self.decimal("threshold")

    @property
    def change(self) -> Change | None:
        """What it does to what is measured."""
        return KINDS[self.kind].change

    @property
    def delivery(self) -> type[Delivery] | None:
        """What it does to how packets are sent."""
        return KINDS[self.kind].delivery

    def truth(self, start_s: int, full: frozenset[int]) -> Iterator[Truth]:
        """What must be concluded in a run that starts then and has these days in full."""
        for row in self.rows:
            days = range(row.start_min // DAY_MIN + 1, -(-row.end_min // DAY_MIN) + 1)
            if row.holds(self.strength, all(day in full for day in days)):
                yield row.at(self.name, start_s)


def seconds_of(text: str) -> Decimal:
    """Seconds of ``"45 min"``, ``"-8 h"``, ``"2 days"``.

    Raises:
        ValueError: not a span, or more than 400 days.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is no span of time: write it as "45 min", "3 h" or "2 days"')
    seconds = Decimal(found[1]) * _SECONDS[found[2]]
    if abs(seconds) > MOST_DAYS * _SECONDS["day"]:
        raise ValueError(f"{text!r} is more than {MOST_DAYS} days")
    return seconds


def minutes_at(text: str) -> int:
    """Minutes since the run begins of ``"day 2 09:00"``; a day ends at 24:00.

    Raises:
        ValueError: no such time.
    """
    found = _AT.fullmatch(text)
    day, hour, minute = (int(part) for part in found.groups()) if found else (0, 0, 0)
    if day < 1 or minute > 59 or hour * 60 + minute > DAY_MIN:
        raise ValueError(f'{text!r} is no time of a run: write it as "day 2 09:00", days from 1')
    return (day - 1) * DAY_MIN + hour * 60 + minute


# ---- files


def find(name: str, folder: Path) -> tuple[Path, str | None]:
    """The file of a scenario, which may be named by its path or as one of a folder, and the strength after ``@``."""
    plain, at, strength = name.rpartition("@") if "@" in name else (name, "", "")
    path = Path(plain)
    if not path.suffix and not path.is_file():
        path = folder / f"{plain}.toml"
    return path, strength if at else None


def load(names: Sequence[str], folder: Path) -> tuple[Scenario, ...]:
    """Read scenario files.

    Args:
        names: paths, or names of files of the folder without their ending; ``@1.01`` behind one sets its strength.
        folder: of the district's scenarios.

    Raises:
        ScenarioError: with every reason of every file.
    """
    found: list[Scenario] = []
    errors: list[str] = []
    for name in names:
        path, strength = find(name, folder)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
            errors.append(f"scenario {name}: cannot be read: give a file, or one of {folder}: {known}")
            continue
        reading = _Reading(path, text, strength)
        scenario = reading.scenario()
        errors += reading.errors
        if scenario is not None:
            found.append(scenario)
    if errors:
        raise ScenarioError("\n".join(errors))
    return tuple(found)


class _Reading:
    """One file, with its errors."""

    def __init__(self, path: Path, text: str, strength: str | None) -> None:
        self.path, self.text, self.strength = path, text, strength
        self.errors: list[str] = []

    def error(self, where: str, what: str) -> None:
        self.errors.append(f"{self.path}: {where}: {what}")

    def scenario(self) -> Scenario | None:
        try:
            table = tomllib.loads(self.text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            self.error("TOML", str(error))
            return None
        if table.get("format") != FORMAT:
            self.error("format", f"is {table.get('format')!r}, this program reads format = {FORMAT}")
        kind = KINDS.get(table.get("kind", ""))
        if kind is None:
            self.error("kind", f"{table.get('kind')!r} is none of {', '.join(KINDS)}")
            return None
        for name in table:
            if name not in (*_COMMON, *kind.needs, *kind.may):
                self.error(name, f"is not known to a scenario of kind {table['kind']}: look for a misspelling")
        strength = self._strength(table, kind)
        start, end = self._window(table, kind, strength)
        settings = {name: self._setting(table, name, what) for name, what in kind.needs.items()}
        settings |= {
            name: self._setting(table, name, _IS[name]) if name in table else default
            for name, default in kind.may.items()
        }
        where = self._where(table)
        rows = tuple(self._row(row, n, where, start, end) for n, row in enumerate(self._rows(table), 1))
        if self.errors:
            return None
        return Scenario(
            name=self.path.stem,
            kind=table["kind"],
            where=where,
            start_min=start,
            end_min=end,
            strength=strength,
            settings=settings,
            rows=tuple(row for row in rows if row is not None),
            title=str(table.get("name", "")),
            title_en=str(table.get("name_en", "")),
        )

    def _strength(self, table: Mapping[str, Any], kind: Kind) -> Decimal:
        given = table.get("strength", 1) if self.strength is None else self.strength
        try:
            strength = Decimal(given)
        except (InvalidOperation, TypeError, ValueError):
            strength = Decimal("NaN")
        if not strength.is_finite() or not 0 <= strength <= MOST_STRENGTH:
            self.error("strength", f"{given}: a number from 0 to {MOST_STRENGTH}")
            return Decimal(1)
        if kind.counts and strength != int(strength):
            self.error("strength", f"{given}: of this kind a whole number, it counts")
        return strength

    def _where(self, table: Mapping[str, Any]) -> tuple[str, ...]:
        where = table.get("where")
        if isinstance(where, str):
            where = [where]
        if not isinstance(where, list) or not where or not all(isinstance(place, str) for place in where):
            self.error("where", "the id of an area, station, section or outlet, or a list of them")
            return ()
        return tuple(where)

    def _at(self, table: Mapping[str, Any], name: str, where: str, default: int) -> int:
        if name not in table:
            return default
        try:
            return minutes_at(table[name] if isinstance(table[name], str) else str(table[name]))
        except ValueError as error:
            self.error(where, str(error))
            return default

    def _window(self, table: Mapping[str, Any], kind: Kind, strength: Decimal) -> tuple[int, int]:
        for name in ("from", *([] if "lasts" in table and kind.lasting else ["to"])):
            if name not in table:
                self.error(name, 'is missing: write it as "day 2 09:00"')
        start = self._at(table, "from", "from", 0)
        end = self._at(table, "to", "to", start + 1)
        if "lasts" in table:
            if not kind.lasting:
                self.error("lasts", "is for kinds whose strength is a length of time: give to")
            elif "to" in table:
                self.error("lasts", "give either to or lasts")
            else:
                try:
                    end = start + round(seconds_of(str(table["lasts"])) * strength / 60)
                except ValueError as error:
                    self.error("lasts", str(error))
        if end <= start:
            self.error("to", "is not after from")
        step = {"day": DAY_MIN, "hour": 60}.get(kind.whole, 1)
        if start % step or end % step:
            self.error("from, to", f"a scenario of this kind begins and ends with the {kind.whole}")
        return start, end

    def _setting(self, table: Mapping[str, Any], name: str, what: str) -> Any:
        value = table.get(name)
        if what == SWITCH and isinstance(value, bool):
            return value
        if what == FACTOR and isinstance(value, str) and value:
            return value
        if what == NUMBER and _is_number(value):
            return Decimal(str(value))
        if what == NUMBERS and isinstance(value, dict) and all(map(_is_number, value.values())):
            return {factor: Decimal(number) for factor, number in value.items()}
        if what == SPAN and isinstance(value, str):
            try:
                seconds_of(value)
            except ValueError as error:
                self.error(name, str(error))
            return value
        self.error(name, "is missing" if value is None else f"{value!r}: {what} is needed")
        return None

    # ---- truth

    def _rows(self, table: Mapping[str, Any]) -> list[Any]:
        rows = table.get("truth")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            self.error("truth", "write at least one [[truth]]: what must be concluded from this?")
            return []
        return rows

    def _row(self, table: Mapping[str, Any], number: int, where: tuple[str, ...], start: int, end: int) -> Row | None:
        place = f"[[truth]] {number}"
        before = len(self.errors)
        for name in table:
            if name not in _TRUTH:
                self.error(place, f"{name} is not known: one of {', '.join(_TRUTH)}")
        kind = truth.KINDS.get(table.get("kind", ""))
        expected = table.get("expected", {})
        if kind is None:
            self.error(place, f"kind {table.get('kind')!r} is none of {', '.join(truth.KINDS)}")
        elif not isinstance(expected, dict) or (missing := sorted(kind[1] - set(expected))):
            self.error(place, f"expected lacks {', '.join(missing) if isinstance(expected, dict) else 'its table'}")
        subject = table.get("subject", where[0] if len(where) == 1 else None)
        if not isinstance(subject, str) or not subject:
            self.error(place, "subject is missing: of several places, which?")
        if not isinstance(table.get("because"), str):
            self.error(place, "because is missing: the clause and the arithmetic")
        if "day" in table:
            day = table["day"]
            if not isinstance(day, int) or day < 1 or "from" in table or "to" in table:
                self.error(place, "day is a number from 1, and stands for from and to")
                day = 1
            start, end = (day - 1) * DAY_MIN, day * DAY_MIN
        start, end = self._at(table, "from", place, start), self._at(table, "to", place, end)
        if end <= start:
            self.error(place, "to is not after from")
        for name in ("above", "below"):
            if name in table and not _is_number(table[name]):
                self.error(place, f"{name} = {table[name]!r}: a strength")
        if table.get("cadence", "full") != "full":
            self.error(place, f'cadence = {table["cadence"]!r}: "full", or leave it out')
        if len(self.errors) > before:
            return None
        return Row(
            kind=table["kind"],
            subject=table.get("subject", where[0] if where else ""),
            start_min=start,
            end_min=end,
            expected={name: str(v) if isinstance(v, Decimal) else v for name, v in expected.items()},
            because=table["because"],
            above=Decimal(table["above"]) if "above" in table else None,
            below=Decimal(table["below"]) if "below" in table else None,
            full_only="cadence" in table,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool) and 0 <= value <= MOST_NUMBER
