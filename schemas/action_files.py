"""Actions as people write them: a table of a TOML file, a row of a CSV file, words of a command.

Each has ``what``, ``subject``, ``from``, ``to``, ``by``, ``why``, ``withdrawn`` and, beside them, the keys that its
kind asks for (:data:`schemas.actions.KINDS`). Format 1; ``docs/actions.md`` describes it for people.

Times are Beijing times. ``from`` and ``to`` are instants (``2026-03-12T09:00``, ``T24:00`` too), days or months; a day
or month begins with its first instant and ends with its last, so ``from = 2026-03-01, to = 2026-03-02`` are two whole
days, and ``to`` may be left out for a single one. An hour is named by both its ends: 09:00 to 10:00.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas import times
from schemas.actions import KINDS, draft
from schemas.blocks import Action
from schemas.registry.tables import Page, decimal_text, shown

OWN: Final = ("what", "subject", "from", "to", "by", "why", "withdrawn")
"""Columns of every action; all others are its data."""
YES, NO = ("yes", "true", "1", "是"), ("", "no", "false", "0", "否")
TABLE: Final = "action"

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH: Final = re.compile(r"\d{4}-\d\d", re.ASCII)
_MIDNIGHT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ]24:00(:00)?", re.ASCII)
_ONE_DAY = dt.timedelta(days=1)


class ActionsError(ValueError):
    """Actions that cannot be read; the text lists every error, one a line."""


class Placed(NamedTuple):
    """An action and where it was written, for the errors of those who check it."""

    place: str
    action: Action


def period(begin: str, end: str = "") -> tuple[int, int]:
    """Begin and end, in epoch seconds, of a period as people write it.

    Args:
        begin: an instant, a day or a month.
        end: the same; "" after a day or a month: that one.

    Raises:
        ActionsError: no such time, or an instant alone.
    """
    begin, end = begin.strip(), end.strip()
    first, _ = _span(begin, "from")
    if not end and not (_DAY.fullmatch(begin) or _MONTH.fullmatch(begin)):
        raise ActionsError(f"to is missing: from = {begin} is an instant; write when the period ends")
    _, last = _span(end or begin, "to")
    return first, last


def _span(text: str, name: str) -> tuple[int, int]:
    """First and last instant of a day or month; twice the same of an instant."""
    try:
        if _MONTH.fullmatch(text):
            month = dt.date.fromisoformat(f"{text}-01")
            after = (month.replace(day=28) + 4 * _ONE_DAY).replace(day=1)
            return _midnight(month), _midnight(after)
        if _DAY.fullmatch(text):
            day = dt.date.fromisoformat(text)
            return _midnight(day), _midnight(day + _ONE_DAY)
        if found := _MIDNIGHT.fullmatch(text):
            instant = _midnight(dt.date.fromisoformat(found[1]) + _ONE_DAY)
        else:
            instant = times.parse_text(text)
    except (ValueError, OverflowError):
        said = f"{name} = {text!r}" if text else f"{name} is missing"
        raise ActionsError(f"{said}: write it as 2026-03-12, 2026-03-12T09:00 or 2026-03") from None
    return instant, instant


def _midnight(day: dt.date) -> int:
    return times.day_start(times.day_number(day))


def of_row(row: Mapping[str, Any]) -> Action:
    """An action from what is written in one row: columns and values, empty ones left out.

    Nothing is said of its kind, subject and data: that is :func:`schemas.actions.check`.

    Raises:
        ActionsError: a value that is no text, number, date or time; no period; no yes or no.
    """
    errors: list[str] = []
    said: dict[str, str] = {}
    for key, value in row.items():
        text = _text(value)
        if text is None:
            errors.append(f"{key} = {shown(value)}: a text, a number, a date or a time")
        elif text:
            said[str(key).strip()] = text
    begin = end = 0
    try:
        begin, end = period(said.get("from", ""), said.get("to", ""))
    except ActionsError as error:
        errors.append(str(error))
    withdrawn = said.get("withdrawn", "").lower()
    if withdrawn not in YES + NO:
        errors.append(f"withdrawn = {said['withdrawn']}: yes or no")
    if errors:
        raise ActionsError("\n".join(errors))
    return draft(
        said.get("what", ""),
        said.get("subject", ""),
        begin,
        end,
        by=said.get("by", ""),
        why=said.get("why", ""),
        data={key: text for key, text in said.items() if key not in OWN},
        withdrawn=withdrawn in YES,
    )


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, str):
        return value.strip()
    return decimal_text(value)


def read_file(path: Path) -> list[Placed]:
    """The actions of a file, ``.toml`` (tables ``[[action]]``) or ``.csv`` (a header row), with their places.

    Raises:
        ActionsError: not readable, or with errors; all of them, with their lines.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ActionsError(f"{path}: 不是UTF-8 not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise ActionsError(f"{path}: {error.strerror}") from None
    if path.suffix not in (".toml", ".csv"):
        raise ActionsError(f"{path}: 不是TOML或CSV neither .toml nor .csv")
    rows = list((_toml if path.suffix == ".toml" else _csv)(text, path))
    found: list[Placed] = []
    errors: list[str] = []
    for place, row in rows:
        try:
            found.append(Placed(place, of_row(row)))
        except ActionsError as error:
            errors += [f"{place}: {line}" for line in str(error).splitlines()]
    if errors:
        raise ActionsError("\n".join(errors))
    if not found:
        raise ActionsError(f"{path}: 没有记录 holds no action")
    return found


def _toml(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ActionsError(f"{path}: not TOML: {error}") from None
    tables = document.get(TABLE, [])
    if strange := [key for key in document if key not in (TABLE, "format")]:
        raise ActionsError(f"{path}: {strange[0]} is not known here: write every action as [[{TABLE}]]")
    if document.get("format", 1) != 1 or isinstance(document.get("format"), bool):
        raise ActionsError(f"{path}: format is {document['format']!r}, this program reads format = 1")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ActionsError(f"{path}: must be written as [[{TABLE}]]")
    page = Page(str(path), text)
    for n, table in enumerate(tables):
        line, _ = page.lines_of(TABLE, n, len(tables))
        yield f"{path}:{line}" if line is not None else f"{path} [[{TABLE}]] {n + 1}", table


def _csv(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in ("what", "subject", "from", "by", "why") if name not in header]:
            raise ActionsError(f"{path}:1: no column {', '.join(missing)}")
        if twice := [name for name in header if name and header.count(name) > 1]:
            raise ActionsError(f"{path}:1: column {twice[0]} stands twice")
        line = reader.line_num + 1
        for values in reader:
            if any(value.strip() for value in values):
                place = f"{path}:{line}"
                if len(values) > len(header):
                    raise ActionsError(f"{place}: more values than columns")
                if unnamed := [v for name, v in zip(header, values, strict=False) if not name and v.strip()]:
                    raise ActionsError(f"{place}: {shown(unnamed[0])} stands in a column without a name")
                yield place, {name: value for name, value in zip(header, values, strict=False) if name}
            line = reader.line_num + 1
    except csv.Error as error:
        raise ActionsError(f"{path}:{reader.line_num}: 不是CSV not CSV ({error})") from None


def written(action: Action) -> str:
    """The period of an action, for people: days as days, everything else by its two instants."""
    kind = KINDS.get(action.what)
    if kind is not None and kind.grain in ("day", "month"):
        first, last = times.civil(action.begin).date(), times.civil(action.end - 1).date()
        return str(first) if first == last else f"{first} … {last}"
    begin, end = times.text(action.begin)[:16], times.text(action.end)[:16]
    return f"{begin} … {end[11:] if begin[:10] == end[:10] else end}"
