"""Panels in rows, and a dashboard around them: classic JSON, schemaVersion 37.

Grafana 9.4 reads it and later ones migrate it at load; no panel type or option stands here that 9.4 lacks.
"""

from __future__ import annotations

import json
from typing import Any

from grafana.boards.queries import DATASOURCES, ID_AND_NAME, Json, choices
from schemas import measurements as m

BLUE, GREY = "#5794F2", "#8F8F8F"
UNITS = {
    "ug/m3": "conμgm3", "mg/m3": "conmgm3", "index": "none", "place": "none", "days": "suffix: 天",
    "hours": "suffix: 小时", "percent": "percent", "min": "suffix: 分钟", "episodes": "suffix: 件",
    "people": "suffix: 人", "conditions": "suffix: 条", "deliveries": "suffix: 次", "points": "suffix: 个百分点",
    "1": "none", "count": "none", "class": "none", "sections": "none", "items": "none", "arrivals": "suffix: 条",
    "kg": "suffix: kg", "t": "suffix: t", "mg/L": "suffix: mg/L", "°C": "celsius", "pH": "none", "NTU": "suffix: NTU",
    "µS/cm": "suffix: µS/cm", "kW": "suffix: kW", "s": "suffix: 秒", "bytes": "bytes", "messages": "suffix: 条",
    "packets": "suffix: 包", "lines": "suffix: 行", "letters": "suffix: 封",
}  # fmt: skip
"""Grafana's name of a unit of ``schemas``; not those of its own that turn 204000 kg into 204 Mg or 90 s into mins."""

INSTANT = "time:YYYY-MM-DD HH:mm"
"""Unit of an instant: of a time, or of epoch ms in a field."""
MOMENT = "time:MM-DD HH:mm"
"""The same where the year goes without saying."""
LABELLED: list[Json] = [
    {"type": "regex", "options": {"pattern": "/^(.*) \\([^()]*\\)$/", "result": {"text": "$1", "index": 0}}}
]
"""A label of a place, 店上桥 (dianshang-bridge), shown as its name."""

UID = "envstream-"
LINE: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
BARS: Json = {"drawStyle": "bars", "fillOpacity": 100, "lineWidth": 0, "barAlignment": 1, "showPoints": "never"}


def plain(colour: str) -> Json:
    """One colour, whatever the value."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": None}]}


def words(texts: dict[str, str], colours: dict[str, str] | None = None) -> list[Json]:
    """Names for values, in colours where they have one."""
    options = {
        value: {"index": i, "text": text, **({"color": colours[value]} if colours else {})}
        for i, (value, text) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def column(name: str, **properties: Any) -> Json:
    """What is particular about a column or series; ``custom__hidden`` stands for ``custom.hidden``."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def matrix(rows: str, columns: str, value: str, how: str, *, order: str = "") -> list[Json]:
    """Transformations to a table of ``value`` with what one column says as rows and what another says as columns.

    What has the same row and column is made one by ``how`` (``mean``, ``lastNotNull``). That comes first also where
    there is one of each: InfluxDB's frames carry a name to display, which every column of the matrix would take over,
    and what is grouped has none. Grafana sorts by one column and keeps the order of equals: columns before, rows after;
    or rows first of all by another column, ``order``: those without the first column of the matrix then come last.
    """
    by = {"operation": "groupby", "aggregations": []}
    fields = {rows: by, columns: by, value: {"operation": "aggregate", "aggregations": [how]}}
    keys = {"columnField": columns, "rowField": rows, "valueField": f"{value} ({how})"}
    by_name = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": f"{rows}\\{columns}", "desc": False}]}}
    by_order = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": order, "desc": False}]}}
    return [
        *([by_order] if order else []),
        {"id": "groupBy", "options": {"fields": fields}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": columns, "desc": False}]}},
        {"id": "groupingToMatrix", "options": keys},
        *([] if order else [by_name]),
    ]


def named(*columns: str, ref: str = "N", called: tuple[str, str] = ID_AND_NAME) -> list[Json]:
    """Transformations: columns of ids show names instead, those of the query ``ref`` (``queries.names``).

    A value mapping that is asked for: the value stays the id, which a link passes on as ``${__value.raw}``. Without
    an answer the ids are shown. Once a panel: what comes out has forgotten its query. Where the names are the only
    answer, they come out themselves: so rows with an 编号, or what it is ``called``, go.
    """
    mappings = [
        {"fieldName": name, "handlerKey": f"mappings.{key}", "reducerId": "allValues"}
        for name, key in zip(called, ("value", "text"), strict=True)
    ]
    matcher = {"id": "byRegexp", "options": f"/^({'|'.join(columns)})$/"}
    return [
        {"id": "configFromData", "options": {"configRefId": ref, "mappings": mappings, "applyTo": matcher}},
        _rows("exclude", called[0]),
        _without(*called),
    ]


def _rows(what: str, column: str) -> Json:
    """Transformation that includes or excludes the rows with something in a column."""
    known = {"fieldName": column, "config": {"id": "isNotNull", "options": {}}}
    return {"id": "filterByValue", "options": {"type": what, "match": "all", "filters": [known]}}


def _without(*columns: str) -> Json:
    return {"id": "filterFieldsByName", "options": {"exclude": {"names": list(columns)}}}


def beside(known: str) -> list[Json]:
    """Transformations: queries that share the column 编号 and no other become one table, a row for each id.

    The rows stand as those of the first query; a row is left out where nothing stands in the column ``known``. Time
    would be a second common column, and goes.
    """
    return [_without("Time"), {"id": "merge", "options": {}}, _rows("include", known)]


class Board:
    """A dashboard's panels, left to right and downwards, in 24 columns; what does not fit begins a row."""

    def __init__(self) -> None:
        self.panels: list[Json] = []
        self._x = self._y = self._height = 0

    def add(
        self, kind: str, title: str, text: str, targets: list[Json], *, width: int, height: int, unit: str,
        options: Json, thresholds: Json, color: Json | None = None, overrides: list[Json] | None = None,
        interval: str = "", transformations: list[Json] | None = None, links: list[Json] | None = None,
        relative: str = "", **defaults: Any,
    ) -> None:  # fmt: skip
        """The next panel. ``defaults`` are of its field configuration (``min``, ``decimals``, ``mappings``, …)."""
        if self._x + width > 24:
            self._x, self._y = 0, self._y + self._height
        panel: Json = {
            "id": len(self.panels) + 1,
            "type": kind,
            "title": title,
            "description": text,
            "datasource": targets[0]["datasource"],
            "gridPos": {"x": self._x, "y": self._y, "w": width, "h": height},
            "fieldConfig": {
                "defaults": {
                    "unit": unit, "noValue": "无数据", "color": color or {"mode": "thresholds"},
                    "thresholds": thresholds, "mappings": [],
                    **defaults,
                },
                "overrides": overrides or [],
            },
            "options": options,
            "targets": targets,
        }  # fmt: skip
        if interval:
            panel["interval"] = interval
        if transformations:
            panel["transformations"] = transformations
        if links:
            panel["links"] = links
        if relative:
            panel["timeFrom"] = relative
        self.panels.append(panel)
        self._x += width
        self._height = height

    def stat(
        self, title: str, text: str, targets: list[Json], *, unit: str, thresholds: Json, width: int = 4,
        height: int = 5, mode: str = "value", names: str = "auto", fields: str = "", **more: Any,
    ) -> None:  # fmt: skip
        """A last value, large. ``mode``: value, background or none coloured; ``fields``: a regular expression."""
        self.add(
            "stat", title, text, targets, width=width, height=height, unit=unit, thresholds=thresholds,
            options={
                "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": fields}, "orientation": "auto",
                "textMode": names, "colorMode": mode, "graphMode": "none", "justifyMode": "center",
            },
            **more,
        )  # fmt: skip

    def bars(
        self, title: str, text: str, targets: list[Json], *, unit: str, thresholds: Json, width: int = 8,
        height: int = 8, rows: bool = False, **more: Any,
    ) -> None:  # fmt: skip
        """Values beside each other. ``rows``: a bar for each row of a table instead of each series."""
        self.add(
            "bargauge", title, text, targets, width=width, height=height, unit=unit, thresholds=thresholds,
            options={
                "reduceOptions": {"values": rows, "calcs": ["lastNotNull"], "fields": ""}, "orientation": "horizontal",
                "displayMode": "basic", "showUnfilled": True, "minVizWidth": 0, "minVizHeight": 10,
            },
            **more,
        )  # fmt: skip

    def lines(
        self, title: str, text: str, targets: list[Json], *, unit: str, thresholds: Json | None = None, width: int = 12,
        height: int = 8, legend: bool = False, style: Json | None = None, colour: str = "", **more: Any,
    ) -> None:  # fmt: skip
        """Values over time. One ``colour``, or by thresholds, or (neither) one of Grafana's own for each series."""
        color = (
            {"mode": "fixed", "fixedColor": colour}
            if colour
            else {"mode": "thresholds"} if thresholds else {"mode": "palette-classic"}
        )  # fmt: skip
        self.add(
            "timeseries", title, text, targets, width=width, height=height, unit=unit, color=color,
            thresholds=thresholds or plain(colour or GREY), custom=style or LINE,
            options={
                "legend": {
                    "displayMode": "list" if legend else "hidden", "placement": "bottom", "showLegend": legend,
                    "calcs": [],
                },
                "tooltip": {"mode": "multi" if legend else "single", "sort": "none"},
            },
            **more,
        )  # fmt: skip

    def table(
        self, title: str, text: str, targets: list[Json], *, sort: dict[str, bool], columns: list[Json],
        width: int = 12, height: int = 8, keep_time: bool = False, mode: str = "auto", thresholds: Json | None = None,
        narrow: int = 0, empty: str = "–", **more: Any,
    ) -> None:  # fmt: skip
        """Rows. ``sort``: a column, and whether it descends. The time column is left out unless it is wanted.

        ``mode``: what cells are, unless their column says otherwise: ``auto``, ``color-background``.
        ``narrow``: columns may become as narrow as so many pixels, instead of 150. ``empty``: what stands in a cell
        without a value or with an empty text, where Grafana would put the panel's own words for no data.
        """
        hidden = [] if keep_time else [column("Time", custom__hidden=True)]
        self.add(
            "table", title, text, targets, width=width, height=height, unit="none",
            thresholds=thresholds or plain(GREY),
            options={
                "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
                "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort.items()],
            },
            custom={
                "align": "center" if narrow else "auto", "displayMode": mode, "inspect": False,
                **({"minWidth": narrow} if narrow else {}),
            },
            overrides=[
                {
                    "matcher": {"id": "byRegexp", "options": "/.*/"},
                    "properties": [{"id": "noValue", "value": empty}],
                },
                *hidden, *columns,
            ],
            **more,
        )  # fmt: skip

    def timeline(
        self, title: str, text: str, targets: list[Json], *, unit: str, mappings: list[Json], width: int = 12,
        height: int = 8, names: bool = True, **more: Any,
    ) -> None:  # fmt: skip
        """States over time, a row for each series; ``mappings`` name and colour them.

        Not coloured by thresholds: Grafana would then show the thresholds instead of the names.
        """
        self.add(
            "state-timeline", title, text, targets, width=width, height=height, unit=unit, thresholds=plain(GREY),
            color={"mode": "fixed", "fixedColor": GREY}, mappings=mappings,
            options={
                "mergeValues": True, "showValue": "auto" if names else "never", "alignValue": "center",
                "rowHeight": 0.9,
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                "tooltip": {"mode": "single", "sort": "none"},
            },
            custom={"lineWidth": 0, "fillOpacity": 85}, **more,
        )  # fmt: skip


def variable(
    name: str, label: str, text: str, measurement: m.Measurement, where: str = "", *, every: bool = False,
    many: bool = False, hidden: bool = False, first: str = "",
) -> Json:  # fmt: skip
    """A variable that lists the values of a tag.

    Args:
        name: of the variable, and of the tag.
        label: what a person reads.
        text: what it is for.
        measurement: whose tag.
        where: what of it: `` WHERE "area" = '$area'``.
        every: All may be chosen and is at first.
        many: several may be chosen.
        hidden: follows the others, nobody chooses.
        first: what is chosen at first.
    """
    query = f'SHOW TAG VALUES FROM "{measurement.name}" WITH KEY = "{name}"{where}'
    chosen = {"selected": True, "text": "All", "value": "$__all"} if every else {}
    if first:
        chosen = {"selected": True, "text": first, "value": first}
    return {
        "type": "query", "name": name, "label": label, "description": text,
        "datasource": DATASOURCES[measurement.bucket], "query": query, "definition": query, "refresh": 1, "sort": 1,
        "multi": many, "includeAll": every, **({"allValue": ".*"} if every and not many else {}),
        "hide": 2 if hidden else 0, "regex": "", "skipUrlSync": False, "options": [], "current": chosen,
    }  # fmt: skip


def of_words(name: str, label: str, text: str, names: dict[str, str], *, first: str = "", every: bool = False) -> Json:
    """A variable whose values are codes of ``schemas``, chosen by what people call them.

    Args:
        name: of the variable, and of the tag.
        label: what a person reads.
        text: what it is for.
        names: by code; without a comma, which divides them.
        first: the code that is chosen at first, where not all are.
        every: All may be chosen and is at first.
    """
    chosen = {"text": "All", "value": "$__all"} if every else {"text": names[first], "value": first}
    offered = [{"text": zh, "value": code} for code, zh in names.items()]
    return {
        "type": "custom", "name": name, "label": label, "description": text,
        "query": ",".join(f"{zh} : {code}" for code, zh in names.items()),
        "multi": False, "includeAll": every, **({"allValue": ".*"} if every else {}), "hide": 0, "skipUrlSync": False,
        "options": [
            {"selected": one == chosen, **one} for one in ([chosen] if every else []) + offered
        ],
        "current": {"selected": True, **chosen},
    }  # fmt: skip


def choice(
    name: str, label: str, text: str, kind: str, also: dict[str, str] | None = None,
) -> Json:  # fmt: skip
    """A variable that lists places by their names, in the order of the registry; its value is the id.

    Args:
        name: of the variable.
        label: what a person reads.
        text: what it is for.
        kind: of ``PLACE_KINDS``.
        also: fields that must be so: ``{"of": "= '$enterprise'"}``.
    """
    query = choices(kind, also)
    made = variable(name, label, text, m.PLACE)
    return made | {"query": query, "definition": query, "regex": m.PLACE_LABEL, "sort": 0}


def dashboard(
    name: str, title: str, text: str, board: Board, variables: list[Json], *, since: str = "now-30d",
    refresh: str = "5m",
) -> Json:  # fmt: skip
    """A classic dashboard around panels; its uid is fixed, so that links to it last."""
    return {
        "uid": UID + name,
        "title": title,
        "description": text,
        "tags": ["envstream"],
        "schemaVersion": 37,
        "version": 1,
        "editable": False,
        "timezone": "Asia/Shanghai",
        "weekStart": "monday",
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "liveNow": False,
        "refresh": refresh,
        "style": "dark",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards", "tags": ["envstream"], "title": "看板", "asDropdown": False, "includeVars": False,
                "keepTime": True, "icon": "external link", "tooltip": "", "url": "", "targetBlank": False,
            }
        ],
        "templating": {"list": variables},
        "panels": board.panels,
    }  # fmt: skip


def text_of(made: Json) -> str:
    """The file of a dashboard."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"
