"""Dated tables: every number of the law is read from ``standards/tables/*.toml``, under the dates it is in force.

One file is one subject and has the subject's name. Its head says what the columns are; each ``[[edition]]`` says from
when to when it holds and who says so, and lists its rows, one row per line::

    format = 1
    subject = "air_limits"                       # equals the file's name
    key = ["pollutant", "averaging"]             # no two rows of an edition may agree in all of these

    [columns]                                    # the only keys a row may have; "?" marks an optional one
    pollutant = "text"
    averaging = "text"
    limit = "number"                             # int or decimal, kept exactly (Decimal)
    unit = "unit"                                # must be one of UNITS
    note = "text?"

    [[edition]]
    name = "2012"
    series = ""                                  # optional: tables with parallel timelines (index profiles) name each
    valid_from = "open"                          # a date, or "open" for the first edition of a series
    valid_to = 2026-02-28                        # inclusive; a date, or "open" for the last
    source = "GB 3095-2012"
    clause = "Table 1"
    confidence = "B"                             # A … E with optional + or -, as in domain/air.md §0
    rows = [
      {pollutant = "SO2", averaging = "year", limit = 60, unit = "µg/m³"},
    ]

A row may also carry its own ``source``, ``clause`` and ``confidence`` where they differ from the edition's. Within a
series there is no gap and no overlap. Column kinds: ``text``, ``number``, ``integer``, ``flag``, ``unit``, ``texts``,
``numbers``.

Everything wrong with a file is reported at once, each problem as ``file:line: reason``.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

TABLES: Final = Path(__file__).parent / "tables"

_SPELLINGS: Final = (
    "µg/m³ mg/m³ ng/m³ mg/L µg/L ng/L g/L kg t m³ m³/h m³/s L/s mm cm m km km² µm °C K hPa kPa Pa "
    "min h day month year % %p 1 ppm ppb NTU µS/cm mS/m S/m Bq/L CFU/mL CFU/100mL MPN/100mL MPN/L 个/L 个/mL "
    "km/h m/s kW kWh V A dB(A) Bq/m³ pH"
)
UNITS: Final = frozenset(_SPELLINGS.split())
"""The units a table may use, each in the one spelling we accept; ``1`` is a pure number, ``%p`` percentage points."""

KINDS: Final = ("text", "number", "integer", "flag", "unit", "texts", "numbers")
_EVIDENCE: Final = ("source", "clause", "confidence")
_HEAD: Final = ("format", "subject", "key", "columns", "edition", "notes")
_EDITION: Final = ("name", "series", "valid_from", "valid_to", "rows", "notes", *_EVIDENCE)


class TableError(ValueError):
    """A table that must not be used: ``problems`` holds every ``file:line: reason``, the text all of them, by line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; typed access to its cells. A missing optional cell is absent (``in``), never a default."""

    cells: dict[str, Any]
    where: str

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    def text(self, column: str) -> str:
        """The cell of a ``text`` or ``unit`` column."""
        value = self.cells[column]
        assert isinstance(value, str), f"{self.where}: {column} is not text"
        return value

    def number(self, column: str) -> Decimal:
        """The cell of a ``number`` or ``integer`` column, exact."""
        return Decimal(self.cells[column])

    def integer(self, column: str) -> int:
        """The cell of an ``integer`` column."""
        value = self.cells[column]
        assert isinstance(value, int), f"{self.where}: {column} is not an integer"
        return value

    def fixed(self, column: str, places: int = 3) -> int:
        """A ``number`` as a count of 10**-places; exact or an error.

        Raises:
            TableError: the number is finer than ``places``.
        """
        scaled = self.number(column).scaleb(places)
        if scaled != int(scaled):
            raise TableError([f"{self.where}: {column} = {self.number(column)} has more than {places} decimals"])
        return int(scaled)

    def flag(self, column: str) -> bool:
        """The cell of a ``flag`` column."""
        return bool(self.cells[column])

    def texts(self, column: str) -> tuple[str, ...]:
        """The cell of a ``texts`` column."""
        return tuple(self.cells[column])

    def numbers(self, column: str) -> tuple[Decimal, ...]:
        """The cell of a ``numbers`` column, exact."""
        return tuple(Decimal(number) for number in self.cells[column])


@dataclass(frozen=True, slots=True)
class Edition:
    """One dated edition of a table. ``valid_from`` and ``valid_to`` are inclusive; None is open."""

    subject: str
    name: str
    series: str
    valid_from: datetime.date | None
    valid_to: datetime.date | None
    source: str
    clause: str
    confidence: str
    rows: tuple[Row, ...]

    def covers(self, date: datetime.date) -> bool:
        """Whether the edition is in force on that (Beijing) date."""
        after = self.valid_from is None or self.valid_from <= date
        return after and (self.valid_to is None or date <= self.valid_to)

    def anchor(self) -> datetime.date:
        """A date on which the edition is in force, to find the companion edition of another table."""
        return self.valid_from or self.valid_to or datetime.date.max

    def where(self, **cells: object) -> Iterator[Row]:
        """The rows whose named columns have these values."""
        return (row for row in self.rows if all(row.cells.get(name) == value for name, value in cells.items()))

    def row(self, **cells: object) -> Row:
        """The one row whose named columns have these values.

        Raises:
            LookupError: none, or several.
        """
        found = list(self.where(**cells))
        if len(found) != 1:
            raise LookupError(f"{self.subject} {self.name}: {len(found)} rows with {cells}")
        return found[0]


@cache
def load(name: str) -> tuple[Edition, ...]:
    """The editions of a shipped table, by series and date.

    Raises:
        TableError: the file is wrong; every problem with file and line.
        FileNotFoundError: no such table.
    """
    return read(TABLES / f"{name}.toml")


def for_date(subject: str, date: datetime.date, series: str = "") -> Edition:
    """The edition of a table in force on a date (a Beijing calendar date, +08:00).

    Raises:
        LookupError: no edition of that series covers the date.
    """
    for edition in load(subject):
        if edition.series == series and edition.covers(date):
            return edition
    raise LookupError(f"{subject}: no edition{f' of series {series!r}' if series else ''} is in force on {date}")


def by_name(subject: str, name: str) -> Edition:
    """The edition of a table with that name, whatever the date: to judge an old year again.

    Raises:
        LookupError: no such edition; the message lists those there are.
    """
    for edition in load(subject):
        if edition.name == name:
            return edition
    raise LookupError(f"{subject}: no edition {name!r}; there are {', '.join(each.name for each in load(subject))}")


def read(path: Path) -> tuple[Edition, ...]:
    """Read and check one table file, as ``load`` does, from any place.

    Raises:
        TableError: every problem of the file, each as ``file:line: reason``.
    """
    text = path.read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise TableError([f"{path.name}:{line[1] if line else len(text.splitlines())}: {error}"]) from None
    return _Reader(path, text, table).editions()


class _Reader:
    """Checks one parsed file and builds its editions; collects problems instead of stopping at the first."""

    def __init__(self, path: Path, text: str, table: dict[str, Any]) -> None:
        self.path = path
        self.table = table
        self.lines = _Lines(text)
        self.problems: list[tuple[int, str]] = []
        columns = table.get("columns")
        self.columns: dict[str, str] = columns if isinstance(columns, dict) else {}

    def complain(self, line: int, reason: str) -> None:
        self.problems.append((line, reason))

    def editions(self) -> tuple[Edition, ...]:
        self.check_head()
        entries = self.table.get("edition")
        if not isinstance(entries, list) or not entries:
            self.complain(1, "there is no [[edition]]")
            entries = []
        built = [self.edition(number, entry) for number, entry in enumerate(entries)]
        self.check_timeline([(number, each) for number, each in enumerate(built) if each is not None])
        if self.problems:
            raise TableError(
                [f"{self.path.name}:{line}: {reason}" for line, reason in sorted(self.problems, key=itemgetter(0))]
            )
        found = [each for each in built if each is not None]
        return tuple(sorted(found, key=lambda each: (each.series, each.valid_from or datetime.date.min)))

    def check_head(self) -> None:
        if self.table.get("format") != 1:
            self.complain(self.lines.head("format"), f"format is {self.table.get('format')!r}, this program reads 1")
        if self.table.get("subject") != self.path.stem:
            self.complain(self.lines.head("subject"), f"subject is not the file's name {self.path.stem!r}")
        for key in self.table:
            if key not in _HEAD:
                self.complain(self.lines.head(key), f"unknown key {key!r}")
        if not self.columns:
            self.complain(self.lines.head("columns"), "there is no [columns]")
        for column, kind in list(self.columns.items()):
            if not isinstance(kind, str) or kind.removesuffix("?") not in KINDS:
                self.complain(self.lines.head(column), f"column {column!r} has the unknown kind {kind!r}")
                self.columns[column] = "anything?"
        for column in self.table.get("key", []):
            if column not in self.columns:
                self.complain(self.lines.head("key"), f"key names {column!r}, which is no column")

    def edition(self, number: int, entry: dict[str, Any]) -> Edition | None:
        before = len(self.problems)
        for key in entry:
            if key not in _EDITION:
                self.complain(self.lines.edition(number, key), f"unknown key {key!r}")
        for key in ("name", "valid_from", "valid_to", "rows", *_EVIDENCE):
            if key not in entry:
                self.complain(self.lines.edition(number), f"an edition needs {key!r}")
        for key in ("name", "series", "notes", *_EVIDENCE):
            if not isinstance(entry.get(key, ""), str):
                self.complain(self.lines.edition(number, key), f"{key} is not text")
        self.check_confidence(entry, self.lines.edition(number, "confidence"))
        for key in ("valid_from", "valid_to"):
            if key in entry and entry[key] != "open" and type(entry[key]) is not datetime.date:
                self.complain(self.lines.edition(number, key), f'{key} is neither a date nor "open"')
        rows = entry.get("rows", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.complain(self.lines.edition(number, "rows"), "rows is not a list of tables")
            rows = []
        built = tuple(self.row(number, at, row, len(rows)) for at, row in enumerate(rows))
        self.check_key(number, rows)
        if len(self.problems) > before:
            return None
        start, end = ((None if entry[key] == "open" else entry[key]) for key in ("valid_from", "valid_to"))
        if start and end and end < start:
            self.complain(self.lines.edition(number, "valid_to"), f"valid_to {end} is before valid_from {start}")
            return None
        return Edition(
            self.path.stem, entry["name"], entry.get("series", ""), start, end,
            entry["source"], entry["clause"], entry["confidence"], built,
        )  # fmt: skip

    def check_confidence(self, cells: dict[str, Any], line: int) -> None:
        mark = cells.get("confidence", "A")
        if not isinstance(mark, str) or not re.fullmatch(r"[A-E][+-]?", mark):
            self.complain(line, f"confidence {mark!r} is not one of A … E")

    def row(self, number: int, at: int, cells: dict[str, Any], of: int) -> Row:
        line = self.lines.row(number, at, of)
        for column in cells:
            if column not in self.columns and column not in _EVIDENCE:
                self.complain(line, f"unknown key {column!r}")
        for column, kind in self.columns.items():
            if column in cells:
                if reason := _wrong(cells[column], kind.removesuffix("?")):
                    self.complain(line, f"{column} {reason}")
            elif not kind.endswith("?"):
                self.complain(line, f"the row has no {column!r}")
        self.check_confidence(cells, line)
        return Row(cells, f"{self.path.name}:{line}")

    def check_key(self, number: int, rows: list[dict[str, Any]]) -> None:
        key = [column for column in self.table.get("key", []) if column in self.columns]
        seen: dict[str, int] = {}
        for at, row in enumerate(rows):
            name = ", ".join(str(row.get(column, "")) for column in key)
            if key and name in seen:
                first = self.lines.row(number, seen[name], len(rows))
                self.complain(self.lines.row(number, at, len(rows)), f"{name} is already in line {first}")
            seen.setdefault(name, at)

    def check_timeline(self, numbered: list[tuple[int, Edition]]) -> None:
        names: set[str] = set()
        for number, edition in numbered:
            if edition.name in names:
                self.complain(self.lines.edition(number, "name"), f"a second edition is named {edition.name!r}")
            names.add(edition.name)
        for series in {edition.series for _, edition in numbered}:
            line = [(n, e) for n, e in numbered if e.series == series]
            line.sort(key=lambda pair: pair[1].valid_from or datetime.date.min)
            for (_, earlier), (number, later) in pairwise(line):
                self.check_neighbours(earlier, later, number)

    def check_neighbours(self, earlier: Edition, later: Edition, number: int) -> None:
        here = self.lines.edition(number, "valid_from")
        if later.valid_from is None or earlier.valid_to is None or later.valid_from <= earlier.valid_to:
            self.complain(here, f"edition {later.name!r} overlaps {earlier.name!r}")
        elif later.valid_from != earlier.valid_to + datetime.timedelta(days=1):
            self.complain(here, f"there is a gap after {earlier.name!r}, which ends {earlier.valid_to}")


def _wrong(value: object, kind: str) -> str | None:
    """Why a cell is not of its column's kind, or None."""
    if kind not in KINDS:
        return None
    if kind in ("texts", "numbers"):
        if not isinstance(value, list):
            return f"is {value!r}, not a list"
        return next((reason for each in value if (reason := _wrong(each, kind[:-1]))), None)
    if kind == "flag":
        return None if isinstance(value, bool) else f"is {value!r}, not true or false"
    if kind in ("text", "unit"):
        if not isinstance(value, str) or not value:
            return f"is {value!r}, not a text"
        return f"is the unknown unit {value!r}" if kind == "unit" and value not in UNITS else None
    if isinstance(value, bool) or not isinstance(value, int | (Decimal if kind == "number" else int)):
        return f"is {value!r}, not {'an integer' if kind == 'integer' else 'a number'}"
    return None if Decimal(value).is_finite() else f"is {value}, not a finite number"


class _Lines:
    """Where things stand in the text: tomllib does not say, so headers, keys and rows are found by their shape."""

    def __init__(self, text: str) -> None:
        self.heads: dict[str, int] = {}
        self.editions: list[tuple[int, dict[str, int], list[int]]] = []
        for number, line in enumerate(text.splitlines(), start=1):
            stripped = line.strip()
            key = re.match(r'"?([^\s="\[\]{}#]+)"?\s*=', stripped)
            if stripped.startswith("[[edition]]"):
                self.editions.append((number, {}, []))
            elif stripped.startswith("["):
                self.heads.setdefault(stripped.strip("[] "), number)
            elif stripped.startswith("{") and self.editions:
                self.editions[-1][2].append(number)
            elif key and self.editions:
                self.editions[-1][1].setdefault(key[1], number)
            elif key:
                self.heads.setdefault(key[1], number)

    def head(self, key: str) -> int:
        return self.heads.get(key, 1)

    def edition(self, number: int, key: str = "") -> int:
        if number >= len(self.editions):
            return 1
        line, keys, _ = self.editions[number]
        return keys.get(key, line)

    def row(self, number: int, at: int, of: int) -> int:
        if number >= len(self.editions):
            return 1
        _, keys, rows = self.editions[number]
        return rows[at] if len(rows) == of else keys.get("rows", 1)
