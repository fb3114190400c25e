"""The one reader of hourly air CSV: for ``assess air`` and for the replay.

Columns are found by name: ``station``, ``hour_start`` or ``hour_end`` (Beijing time), ``so2_ug_m3``, ``no2_ug_m3``,
``co_ug_m3`` or ``co_mg_m3``, ``o3_ug_m3``, ``pm10_ug_m3``, ``pm25_ug_m3``; others are ignored. Plain or gzip, UTF-8.
A line is one record. A line whose time, station or number of fields is wrong cannot be used, nor one with a word where
a number belongs (its columns are not what the header says): it is kept with its number and the reason, never dropped
silently. A value that is not finite or absurdly large costs only itself: its field is missing and has a note with the
text and the rule; so has a value with more digits than are kept.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_05UP, Context, Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

Label = Literal["start", "end"]

MISSING: Final = -(2**63)
"""No value, as in ``standards.fixed``: pipes do not import the law."""

FIRST_YEAR, LAST_YEAR = 1970, 2199  # outside is a damaged line; InfluxDB's time ends in 2262
BEIJING_S: Final = 8 * 3600
COLUMNS: Final = ("so2_ug_m3", "no2_ug_m3", "co_mg_m3", "o3_ug_m3", "pm10_ug_m3", "pm25_ug_m3")
"""The order of HJ 633, as ``standards.air.POLLUTANTS``; CO may come as ``co_ug_m3`` instead."""

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.0+)?)?(\+08:00|\+0800)?", re.ASCII
)  # no other offset: the files are Beijing time
_ABSENT = re.compile(r"|na|n/a|null|none|-|—|–|/|-99+(\.0*)?", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?(s?nan|inf(inity)?|1\.#(inf|ind|[qs]nan)\d*)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_ABSURD: Final = 10**12
_LONGEST: Final = 60
_EXACT: Final = Context(prec=2000)

T = TypeVar("T")


class AirFileError(Exception):
    """The whole file cannot be used; the text is one line: the file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that was not used."""

    line: int
    raw: str
    reason: str


@dataclass(frozen=True, slots=True)
class ValueNote:
    """What happened to a value that is not simply kept."""

    kind: Literal["not_finite", "absurd", "finer"]
    """``not_finite``, ``absurd``: refused, the field is missing; ``finer``: used without digits beyond a thousandth."""
    text: str
    """As the file has it, in the column's own unit."""
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class AirRows:
    """The usable lines of one file, column by column, in file order."""

    path: Path
    label: Label
    line: npt.NDArray[np.int64]
    """int64[N]: line numbers of the file, the header being 1."""
    stations: tuple[str, ...]
    """Station names, in order of first appearance."""
    station: npt.NDArray[np.int64]
    """int64[N]: index into ``stations``."""
    end: npt.NDArray[np.int64]
    """int64[N]: end of the hour, seconds since the Unix epoch; label 24 of a day is 00:00 of the next."""
    values: npt.NDArray[np.int64]
    """int64[N, 6]: thousandths of the published unit (µg/m³; CO mg/m³), MISSING where absent."""
    texts: tuple[list[str], ...]
    """Six lists of N texts in the published unit with the decimals they had; empty where absent."""
    rejected: tuple[RejectedLine, ...]
    notes: tuple[ValueNote, ...] = ()
    """Each different note once."""
    note: npt.NDArray[np.int32] = field(default_factory=lambda: np.full((0, len(COLUMNS)), -1, np.int32))
    """int32[N, 6]: index into ``notes`` by value, -1 for none."""

    def __len__(self) -> int:
        return len(self.line)


def read_air_csv(path: str | Path, *, label: Label | None = None) -> AirRows:
    """Read one file of hourly air values.

    Args:
        path: plain or gzip, told apart by the first bytes.
        label: how the time column is read; by default as its name says (``hour_start``, ``hour_end``).

    Returns:
        AirRows. Numbers finer than a thousandth of the published unit (CO in µg/m³ with decimals is) lose the digits
        beyond it and have a note. Their last digit is sticky (``decimal.ROUND_05UP``): one such value is still rounded
        as its full text would be, but a mean of several may be off by up to a thousandth.

    Raises:
        AirFileError: not readable, empty, not a table, or a column is missing.
    """
    path = Path(path)
    lines = _lines(path)
    header = [name.strip().lower() for name in _split(lines[0]) or []]
    columns = _Columns(path, header, label)
    flat, numbers, rejected = _fields(lines, len(header))
    if not numbers and not rejected:
        raise AirFileError(f"{path}: has no line of data after the column names")
    return columns.rows(flat, numbers, lines, rejected)


def _fields(lines: list[str], width: int) -> tuple[list[str], list[int], list[RejectedLine]]:
    """All fields of the lines of the right width, end to end (a column is a slice), their numbers, and the other lines.

    A list per line would cost as much as all the rest: it is only made where quotes ask for it.
    """
    if any('"' in line for line in lines):
        split = [_split(line) for line in lines]
        widths = [-1 if fields is None else len(fields) for fields in split]
        flat = [field for fields in split[1:] if fields and len(fields) == width for field in fields]
    else:
        widths = [line.count(",") + 1 for line in lines]
        flat = ",".join(line for line, n in zip(lines[1:], widths[1:], strict=True) if n == width).split(",")
    numbers = [number for number, n in enumerate(widths[1:], start=2) if n == width]
    rejected = [
        RejectedLine(
            number,
            _printable(lines[number - 1]),
            "a quote is not closed" if n < 0 else f"{n} fields, the header has {width}",
        )
        for number, n in enumerate(widths[1:], start=2)
        if n != width and lines[number - 1].strip()
    ]
    return flat if numbers else [], numbers, rejected


class _Columns:
    """Where the columns are, and the turning of texts into numbers: each different text once."""

    def __init__(self, path: Path, header: list[str], label: Label | None) -> None:
        self.path = path
        double = sorted({name for name in header if name and header.count(name) > 1})
        if double:
            raise AirFileError(f"{path}: the column {double[0]} appears twice; rename or remove one")
        times = [name for name in ("hour_end", "hour_start") if name in header]
        carbon = [name for name in ("co_mg_m3", "co_ug_m3") if name in header]
        missing = [name for name in ("station", *COLUMNS) if name not in header and name != "co_mg_m3"]
        missing += [] if times else ["hour_start or hour_end"]
        missing += [] if carbon else ["co_mg_m3 or co_ug_m3"]
        if missing:
            raise AirFileError(f"{path}: no column {', '.join(missing)}; the first line must name the columns")
        if len(carbon) > 1:
            raise AirFileError(f"{path}: both co_mg_m3 and co_ug_m3 are there; remove one")
        preferred = f"hour_{label}"
        self.time = header.index(preferred if preferred in times else times[0])
        self.label: Label = label or ("end" if header[self.time] == "hour_end" else "start")
        self.station = header.index("station")
        self.width = len(header)
        self.shift = (0, 0, 0 if carbon == ["co_mg_m3"] else -3, 0, 0, 0)
        self.names = [carbon[0] if name == "co_mg_m3" else name for name in COLUMNS]
        self.values = [header.index(name) for name in self.names]

    def rows(self, flat: list[str], numbers: list[int], lines: list[str], rejected: list[RejectedLine]) -> AirRows:
        columns = [flat[at :: self.width] for at in (self.time, self.station, *self.values)]
        ends, bad_ends = _each(columns[0], self.end_of)
        names, bad_names = _each(columns[1], _name)
        readings = [
            _each(column, partial(_value, shift, name))
            for column, shift, name in zip(columns[2:], self.shift, self.names, strict=True)
        ]
        wrong: dict[int, str] = {}
        for column, refused in zip(columns, (bad_ends, bad_names, *(bad for _, bad in readings)), strict=True):
            if refused:
                for at, text in enumerate(column):
                    if text in refused:
                        wrong.setdefault(at, refused[text])
        if wrong:
            rejected += [RejectedLine(numbers[at], _printable(lines[numbers[at] - 1]), wrong[at]) for at in wrong]
            columns = [[text for at, text in enumerate(column) if at not in wrong] for column in columns]
            numbers = [number for at, number in enumerate(numbers) if at not in wrong]
        order = {name: at for at, name in enumerate(dict.fromkeys(map(names.__getitem__, columns[1])))}
        values = np.empty((len(numbers), len(COLUMNS)), np.int64)
        note = np.full(values.shape, -1, np.int32)
        texts = []
        notes: list[ValueNote] = []
        for position, ((read, _), column) in enumerate(zip(readings, columns[2:], strict=True)):
            values[:, position] = _array({text: value.thousandths for text, value in read.items()}, column)
            published = {text: value.text for text, value in read.items()}
            texts.append([published[text] for text in column])
            noted: dict[str, int] = {}
            for text, value in read.items():
                if value.note is not None:
                    noted[text] = len(notes)
                    notes.append(value.note)
            if noted:
                note[:, position] = [noted.get(text, -1) for text in column]
        return AirRows(
            path=self.path,
            label=self.label,
            line=np.array(numbers, np.int64),
            stations=tuple(order),
            station=_array({text: order[name] for text, name in names.items() if name in order}, columns[1]),
            end=_array(ends, columns[0]),
            values=values,
            texts=tuple(texts),
            rejected=tuple(sorted(rejected, key=lambda each: each.line)),
            notes=tuple(notes),
            note=note,
        )

    def end_of(self, text: str) -> int:
        """The end of the hour a time text means, in epoch seconds."""
        match = _TIME.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"bad time {text!r}, expected YYYY-MM-DD HH:MM")
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValueError(f"bad time {text!r}: no monitoring data are of that year")
        if minute or second:
            raise ValueError(f"{text!r} is not on a full hour")
        if hour > 24:
            raise ValueError(f"bad time {text!r}: there is no such hour")
        try:
            midnight = datetime.datetime(year, month, day, tzinfo=datetime.UTC)
        except ValueError:
            raise ValueError(f"bad time {text!r}: there is no such day") from None
        # 24:00 is what some platforms print for the last label; as a start it would be the next day's first hour.
        return int(midnight.timestamp()) + (hour + (self.label == "start")) * 3600 - BEIJING_S


def _each(column: list[str], turn: Callable[[str], T]) -> tuple[dict[str, T], dict[str, str]]:
    """Turn every different text of a column once: text -> result, and text -> why it was refused."""
    turned: dict[str, T] = {}
    refused: dict[str, str] = {}
    for text in set(column):
        try:
            turned[text] = turn(text)
        except ValueError as error:
            refused[text] = str(error)
    return turned, refused


def _array(turned: dict[str, int], column: list[str]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(turned.__getitem__, column), np.int64, len(column))


def _name(text: str) -> str:
    name = text.strip()
    if not name:
        raise ValueError("the station is empty")
    if not name.isprintable():
        raise ValueError("the station's name is not readable UTF-8")
    return name


@dataclass(frozen=True, slots=True)
class _Value:
    thousandths: int
    text: str
    note: ValueNote | None = None


def _value(shift: int, column: str, text: str) -> _Value:
    """Thousandths and text in the published unit; the shift from µg to mg moves the decimal point only."""
    stripped = text.strip()
    if _ABSENT.fullmatch(stripped):
        return _Value(MISSING, "")
    if _NOT_FINITE.fullmatch(stripped):
        return _Value(MISSING, "", ValueNote("not_finite", stripped, f"{column}: a finite number is needed"))
    if not _NUMBER.fullmatch(stripped):
        raise ValueError(f"{column}: {_printable(text[:_LONGEST])!r} is not a number")
    if len(stripped) > _LONGEST:
        rule = f"{column}: a number has at most {_LONGEST} characters"
        return _Value(MISSING, "", ValueNote("absurd", stripped[:_LONGEST], rule))
    try:
        number = Decimal(stripped).scaleb(shift, _EXACT)
        if abs(number) > _ABSURD:
            raise InvalidOperation
        exact = number.scaleb(3, _EXACT)
        thousandths = int(exact.to_integral_value(rounding=ROUND_05UP))
    except InvalidOperation:
        return _Value(MISSING, "", ValueNote("absurd", stripped, f"{column}: magnitudes end at 1e12"))
    note = None
    if exact != thousandths:
        unit = "mg/m³" if column.startswith("co_") else "µg/m³"
        note = ValueNote("finer", stripped, f"{column}: digits beyond a thousandth of a {unit} are cut off")
    return _Value(thousandths, f"{number:f}" if shift or "e" in stripped.lower() else stripped, note)


def _split(line: str) -> list[str] | None:
    """The fields of one line; None when a quote is not closed."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _lines(path: Path) -> list[str]:
    """The lines of a file, unpacked and decoded; bytes that are not UTF-8 become lone surrogates, caught per field."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise AirFileError(f"{path}: cannot be read ({error.strerror}); check the name and the permissions") from None
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as error:
            raise AirFileError(f"{path}: is not a whole gzip file ({error}); copy it again") from None
    text = raw.decode("utf-8-sig", errors="surrogateescape")
    if not text.strip():
        raise AirFileError(f"{path}: is empty; expected a line of column names and one line per station and hour")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _printable(text: str) -> str:
    """A text that can be printed whatever it holds."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


def concatenate(files: Sequence[AirRows]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Station names over several files and every row's index into them, in the order of the files."""
    order: dict[str, int] = {}
    for rows in files:
        for name in rows.stations:
            order.setdefault(name, len(order))
    index = [np.array([order[name] for name in rows.stations], np.int64)[rows.station] for rows in files if len(rows)]
    return tuple(order), np.concatenate(index) if index else np.zeros(0, np.int64)
