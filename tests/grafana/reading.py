"""Reads the InfluxQL of a panel again, independently of what wrote it: measurement, columns, conditions, groups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from schemas import health
from schemas import measurements as m
from schemas.registry import PUBLISHED_UNIT

_BUCKETS = re.compile(r"\btime\(([^()]*)\)")
_SELECT = re.compile(
    r'SELECT (?P<columns>.+?) FROM "(?P<from>\w+)" WHERE (?P<where>.+?)'
    r"(?: GROUP BY (?P<group>.+?))?(?: ORDER BY time (?:A|DE)SC)?(?: LIMIT \d+)?"
)
_COLUMN = re.compile(r'(?P<said>(?:(?! AS ").)+) AS "(?P<name>[^"]+)"(?:, |$)')
_BARE = re.compile(r'(^|, )"([^"]+)"(?=, |$)')
"""A column of a query around another that keeps its name."""


@dataclass(frozen=True)
class Column:
    """A column: what is computed, of which fields or tags, under which name."""

    said: str
    of: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Select:
    """The part of a query that reads a measurement."""

    measurement: m.Measurement
    columns: tuple[Column, ...]
    where: str
    group: str

    @property
    def fields(self) -> set[str]:
        """Fields that are shown."""
        return {name for column in self.columns for name in column.of} - set(self.measurement.tags)

    @property
    def asked(self) -> set[str]:
        """Fields that are shown or compared."""
        compared = set(re.findall(r'"(\w+)" (?:=|!=|<|>|<=|>=|=~|!~) ', self.where)) - set(self.measurement.tags)
        return self.fields | compared

    @property
    def followed(self) -> dict[str, str]:
        """Tags that follow a variable, and which."""
        found = re.findall(r"\"(\w+)\" =~? ['/^(]+\$\{?(\w+)", self.where)
        return {tag: variable for tag, variable in found if tag in self.measurement.tags}

    @property
    def pinned(self) -> dict[str, str]:
        """Tags with one value."""
        pairs = re.findall(r"\"(\w+)\" = '([^$']*)'", self.where)
        return {tag: value for tag, value in pairs if tag in self.measurement.tags}

    @property
    def narrowed(self) -> set[str]:
        """Tags of which some values are left out or let in: that tells nothing apart."""
        return {tag for tag in re.findall(r"\"(\w+)\" (?:=~|!=|!~) ", self.where) if tag in self.measurement.tags}

    @property
    def apart(self) -> set[str]:
        """Tags that are columns or grouped by."""
        columns = {name for column in self.columns for name in column.of}
        return (columns | set(re.findall(r'"(\w+)"', self.group))) & set(self.measurement.tags)


def _inside(query: str) -> tuple[str, str]:
    """Columns of a SELECT around another, and the other; balanced brackets."""
    head, rest = query.split(" FROM (", 1)
    depth = 1
    for at, letter in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return head.removeprefix("SELECT "), rest[:at]
    raise AssertionError(f"brackets: {query}")


def _columns(text: str) -> tuple[Column, ...]:
    found = [Column(c["said"], tuple(re.findall(r'"(\w+)"', c["said"])), c["name"]) for c in _COLUMN.finditer(text)]
    assert ", ".join(f'{c.said} AS "{c.name}"' for c in found) == text, f"columns that cannot be read: {text}"
    return tuple(found)


def read(query: str) -> tuple[Select, dict[str, Column]]:
    """What a query reads, and for each name that reaches the panel the column of the measurement it comes from.

    Raises:
        AssertionError: it cannot be read.
    """
    assert all(re.fullmatch(r"\S+, -(8h|28799s)", said) for said in _BUCKETS.findall(query)), "days of Beijing time"
    assert " tz(" not in query, "a slash behind a regular expression: Grafana 11.3 escapes what is between them"
    around = []
    while " FROM (" in query:
        head, query = _inside(query)
        around.append(_columns(_BARE.sub(r'\1"\2" AS "\2"', head)))
    match = _SELECT.fullmatch(query)
    assert match is not None, f"a query that cannot be read: {query}"
    select = Select(m.MEASUREMENTS[match["from"]], _columns(match["columns"]), match["where"], match["group"] or "")
    shown = {column.name: column for column in select.columns}
    for columns in reversed(around):
        shown = {
            column.name: Column(column.said, shown[name].of, name) if "/" in column.said else shown[name]
            for column in columns for name in column.of if name in shown
        }  # fmt: skip
    return select, shown


def declared_unit(select: Select, column: Column) -> str | None:
    """The unit ``schemas`` declares for a column; None where it has none, is a share, or shows several kinds."""
    fields = [name for name in column.of if name not in select.measurement.tags]
    if (
        not fields
        or ("/" in column.said and "$" not in column.said)
        or column.said.startswith(("count(", "non_negative_derivative(", "derivative(", "moving_average(count("))
    ):
        return None
    unit = select.measurement.fields[fields[0]].unit
    if unit == m.BY_FACTOR:
        return PUBLISHED_UNIT[select.pinned["factor"]] if "factor" in select.pinned else None
    if unit == m.BY_NAME:
        return health.HEALTH[select.pinned["name"]].unit if "name" in select.pinned else None
    return None if unit in (m.BY_ITEM, m.AS_SENT) or (unit and (" or " in unit or ";" in unit)) else unit


def unit_of(panel: dict[str, Any], name: str) -> str:
    """The unit a panel shows a column or series in."""
    config = panel["fieldConfig"]
    for override in config["overrides"]:
        if override["matcher"] == {"id": "byName", "options": name}:
            for one in override["properties"]:
                if one["id"] == "unit":
                    return str(one["value"])
    return str(config["defaults"]["unit"])
