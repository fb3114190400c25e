"""Queries of panels: InfluxQL from :mod:`schemas.measurements`.

A field that is not there cannot be asked for, its guard is never forgotten, and two series of a measurement are never
mixed: each tag is filtered, grouped by, or a column.
"""

from __future__ import annotations

import re
from typing import Any

from schemas import measurements as m

Json = dict[str, Any]

DATASOURCES: dict[str, Json] = {
    m.MAIN: {"type": "influxdb", "uid": "envstream-influxdb"},
    m.RECENT: {"type": "influxdb", "uid": "envstream-influxdb-recent"},
}
"""By bucket; ``grafana/provisioning`` has them under the same uids."""

NOW = "${__to}ms"  # the end of the chosen range, so that a past year can be looked at as it was

VARIABLES = {
    "area": "\"area\" = '$area'",
    "edition": '"edition" =~ /^$edition$/',
    "dust": "\"dust\" = '$dust'",
    "source": '"source" =~ /^$source$/',
    "profile": "\"profile\" = '$profile'",
    "kind": '"kind" =~ /^$kind$/',
}
"""What each variable of a dashboard asks of the tag of its name."""

TALLIES = (m.AIR_MONTH, m.AIR_QUARTER, m.AIR_YEAR, m.AIR_INDEX, m.AIR_STATISTIC)
"""A tally has the edition of no single day. A day or hour has that of its date; all of them unless one is chosen."""

EVENTS = (m.ALERT, m.DELIVERY, m.DEAD_LETTER)
"""Each point is something by itself: counts, sums and medians over all series mix nothing."""
AGGREGATES = ("count", "sum", "median", "percentile", "mode")

_AGE = re.compile(r"age\((\w+)\)")
_EXPRESSION = re.compile(r"((?:\w+\()*)(\w+)((?:, ?[\w.-]+)*\)?(?:, ?[\w.-]+)*\)?)")

_DAYS = re.compile(r"\btime\(([^(),]+)\)")
"""Days begin at 00:00 Beijing time, which has no summer time: eight hours before those of UTC.

Said so and not as ``tz('Asia/Shanghai')``: between that slash and a regular expression Grafana 10.3 to 11.5 take
``$__interval`` for a part of the expression and escape it (grafana/grafana#100476).
"""


def last(back: str) -> str:
    """The time of a query: a span (``6h``, ``3d``) that ends with the chosen range."""
    return f"time > {NOW} - {back} AND time <= {NOW}"


def ask(
    measurement: m.Measurement,
    parts: dict[str, str],
    *,
    fixed: dict[str, str] | None = None,
    follow: tuple[str, ...] = ("source",),
    also: dict[str, str] | None = None,
    time: str = "$timeFilter",
    group: str = "",
    order: str = "",
    around: str = "",
    around_group: str = "",
    ref: str = "A",
    alias: str = "$col",
    table: bool = False,
) -> Json:
    """A query of a panel, with every guard, to the bucket its measurement is in.

    Args:
        measurement: what is asked.
        parts: a column's name to ``last(aqi)``, ``aqi``, ``non_negative_derivative(last(value), 1m)``, or a tag;
            ``age(began)`` are the hours from an epoch in ms to the end of the range.
        fixed: tags with one value, which may be a variable (``$outlet``), or a regular expression (``/^$factor$/``);
            the others follow their variable, are a column, or are grouped by.
        follow: tags that follow their variable although they are a column, grouped by or counted over.
        also: fields that must be so: ``{"active": "= 1"}``.
        time: which time; empty for names, which are not of a time.
        group: GROUP BY.
        order: ORDER BY, with LIMIT.
        around: columns of a query around this one, such as ``sum("n") AS "超标"``, to add up the last of each series.
        around_group: GROUP BY of that.
        ref: letter of the query in its panel.
        alias: name of the series.
        table: rows and columns instead of time series.

    Raises:
        KeyError: a field or tag the measurement does not have.
        ValueError: a tag that is neither filtered nor told apart, or an expression that cannot be read.
    """
    columns, guards, apart = [], {"valid"}, set()
    for name, expression in parts.items():
        if old := _AGE.fullmatch(expression):
            columns.append(f'(${{__to}} - "{old[1]}") / 3600000 AS "{name}"')
            if measurement.fields[old[1]].unit != "ms":
                raise ValueError(f"{measurement.name}: {old[1]} is no instant")
            guards.add(measurement.guards.get(old[1], "valid"))
            continue
        read = _EXPRESSION.fullmatch(expression)
        if read is None:
            raise ValueError(f"{measurement.name}: cannot read {expression!r}")
        before, field, after = read.groups()
        if field in measurement.tags:
            apart.add(field)
        elif field not in measurement.fields:
            raise KeyError(f"{measurement.name} has no field {field}")
        else:
            guards.add(measurement.guards.get(field, "valid"))
        columns.append(f'{before}"{field}"{after} AS "{name}"')
    mixed = measurement in EVENTS and all(e.startswith(tuple(f"{a}(" for a in AGGREGATES)) for e in parts.values())
    given = ({"edition": m.BY_DATE} if measurement in TALLIES else {}) | (fixed or {})
    if unknown := set(given) - set(measurement.tags):
        raise KeyError(f"{measurement.name} has no tag {', '.join(sorted(unknown))}")
    conditions = []
    for tag in sorted(measurement.tags, key=_order):
        if tag in given:
            conditions.append(
                f'"{tag}" =~ {given[tag]}' if given[tag].startswith("/") else f"\"{tag}\" = '{given[tag]}'"
            )
        elif tag in apart or f'"{tag}"' in group:
            if tag in follow:
                conditions.append(VARIABLES[tag])
        elif tag in VARIABLES and not (mixed and tag not in follow):
            conditions.append(VARIABLES[tag])
        elif not mixed:
            raise ValueError(f"{measurement.name}: {tag} is neither filtered nor told apart")
    for field, must in (also or {}).items():
        if field not in measurement.fields:
            raise KeyError(f"{measurement.name} has no field {field}")
        guards.add(measurement.guards.get(field, "valid"))
        conditions.append(f'"{field}" {must}')
    conditions += [f'"{guard}" = true' for guard in sorted(guards)]
    query = (
        f'SELECT {", ".join(columns)} FROM "{measurement.name}" WHERE {" AND ".join(filter(None, [*conditions, time]))}'  # noqa: S608
        + (f" GROUP BY {group}" if group else "")
        + (f" ORDER BY {order}" if order else "")
    )
    if around:
        query = f"SELECT {around} FROM ({query})" + (f" GROUP BY {around_group}" if around_group else "")  # noqa: S608
    return {
        "refId": ref, "datasource": DATASOURCES[measurement.bucket], "rawQuery": True,
        "query": _DAYS.sub(r"time(\1, -8h)", query), "resultFormat": "table" if table else "time_series",
        "alias": alias,
    }  # fmt: skip


ID_AND_NAME = ("编号", "名称")
"""Columns of ids and their names, where the panel has no others of these names."""
PERSON = ("人员编号", "姓名")
"""The same of people."""


def names(
    kind: str, ref: str = "N", *, also: dict[str, str] | None = None, more: dict[str, str] | None = None,
    called: tuple[str, str] = ID_AND_NAME,
) -> Json:  # fmt: skip
    """What people call the ids of a kind, in the order of the registry: columns 编号 and 名称, and ``more``.

    Args:
        kind: of ``PLACE_KINDS``; several are joined by ``|``.
        ref: letter of the query in its panel.
        also: fields that must be so: ``{"of": "= '$enterprise'"}``.
        more: further columns, and their fields.
        called: the two columns.
    """
    asked = {called[1]: "last(name)", called[0]: "id", **(more or {})}
    made = _places(asked, kind, also, around=", ".join(f'"{name}"' for name in asked), table=True, ref=ref)
    return made | {"query": made["query"] + " ORDER BY time DESC"}


def choices(kind: str, also: dict[str, str] | None = None) -> str:
    """Labels of a kind, in the order of the registry, to choose from."""
    made = _places({"label": "last(label)"}, kind, also, around='"label"')
    return str(made["query"]) + " ORDER BY time DESC"


def _places(asked: dict[str, str], kind: str, also: dict[str, str] | None, **more: Any) -> Json:
    kinds = kind.split("|")
    if unknown := set(kinds) - set(m.PLACE_KINDS):
        raise ValueError(f"no place is a {', '.join(sorted(unknown))}")
    asked_of, group = (kind, '"id"') if len(kinds) == 1 else (f"/^({kind})$/", '"kind", "id"')
    return ask(m.PLACE, asked, fixed={"kind": asked_of}, also=also, time="", group=group, **more)


def _order(tag: str) -> tuple[int, str]:
    names = list(VARIABLES)
    return (names.index(tag) if tag in names else len(names), tag)
