"""Builds the dashboards: ``python grafana/build.py`` writes ``grafana/dashboards/*.json``.

Queries come from :mod:`schemas.measurements`, so a field that is not there cannot be asked for and its
guard is never forgotten; levels and colours come from ``standards/tables/air_levels.toml``. Classic JSON,
schemaVersion 37: Grafana 9.4 reads it and later ones migrate it at load. A test holds the committed files
equal to what this writes.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from schemas import measurements as m
from schemas.registry import AIR_FACTORS, PUBLISHED_UNIT

HERE = Path(__file__).parent
DATASOURCE = {"type": "influxdb", "uid": "envstream-influxdb"}
UNITS = {"ug/m3": "conμgm3", "mg/m3": "conmgm3", "index": "none", "days": "suffix: 天", "percent": "percent"}
FACTOR_NAMES = {
    "SO2": "SO₂ 二氧化硫",
    "NO2": "NO₂ 二氧化氮",
    "CO": "CO 一氧化碳",
    "O3": "O₃ 臭氧",
    "PM10": "PM₁₀",
    "PM2.5": "PM₂.₅",
}
FACTOR_COLOURS = {
    "SO2": "#B877D9", "NO2": "#FF9830", "CO": "#8F8F8F", "O3": "#5794F2", "PM10": "#CA95A5", "PM2.5": "#E0B400",
}  # fmt: skip
NOW = "${__to}ms"  # the end of the chosen range, so that a past year can be looked at as it was
Json = dict[str, Any]


def levels() -> list[Json]:
    """The six levels of HJ 633: category, colour and last AQI. Both editions have the same."""
    table = tomllib.loads((HERE.parent / "standards/tables/air_levels.toml").read_text(encoding="utf-8"))
    rows: list[Json] = table["edition"][-1]["rows"]
    return rows


def select(
    measurement: m.Measurement, parts: dict[str, str], *, where: str = "", time: str = "$timeFilter", group: str = ""
) -> str:
    """An InfluxQL query: ``parts`` maps a column's name to ``last(aqi)`` or ``aqi``; every guard is added.

    Raises:
        KeyError: a field the measurement does not have.
    """
    columns, guards = [], {"valid"}
    for name, expression in parts.items():
        function, _, field = expression.rstrip(")").rpartition("(")
        if field not in measurement.fields:
            raise KeyError(f"{measurement.name} has no field {field}")
        guards.add(measurement.guards.get(field, "valid"))
        columns.append((f'{function}("{field}")' if function else f'"{field}"') + f' AS "{name}"')
    # A tally has the edition of no single day. A day or hour has that of its date; all of them unless one is chosen.
    edition = f"\"edition\" = '{m.BY_DATE}'" if measurement is m.AIR_YEAR else '"edition" =~ /^$edition$/'
    conditions = ["\"area\" = '$area'", edition, "\"dust\" = '$dust'"]
    conditions += [f'"{guard}" = true' for guard in sorted(guards)]
    if where:
        conditions.append(where)
    wanted = " AND ".join([*conditions, time])
    query = f'SELECT {", ".join(columns)} FROM "{measurement.name}" WHERE {wanted}'  # noqa: S608  names of schemas
    return f"{query}{f' GROUP BY {group}' if group else ''} tz('Asia/Shanghai')"


def target(query: str, *, ref: str = "A", alias: str = "$col", result: str = "time_series") -> Json:
    """A raw query of a panel."""
    return {
        "refId": ref, "datasource": DATASOURCE, "rawQuery": True, "query": query,
        "resultFormat": result, "alias": alias,
    }  # fmt: skip


def aqi_thresholds() -> Json:
    """Thresholds in the colours of HJ 633."""
    rows = levels()
    starts = [None, *(row["aqi_to"] + 1 for row in rows[:-1])]
    return {
        "mode": "absolute",
        "steps": [{"color": row["hex"], "value": start} for row, start in zip(rows, starts, strict=True)],
    }


def category_mappings() -> list[Json]:
    """Names of categories in their colours."""
    options = {
        row["category"]: {"color": row["hex"], "index": i, "text": row["category"]} for i, row in enumerate(levels())
    }
    return [{"type": "value", "options": options}]


def plain(colour: str) -> Json:
    """One colour, whatever the value."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": None}]}


class Board:
    """Panels in rows, left to right."""

    def __init__(self) -> None:
        self.panels: list[Json] = []
        self.x = self.y = self.height = 0

    def add(
        self, kind: str, title: str, text: str, targets: list[Json], *, width: int, height: int, unit: str,
        options: Json, thresholds: Json, color: str = "thresholds", **defaults: Any,
    ) -> Json:  # fmt: skip
        """The next panel; it begins a new line when it does not fit."""
        if self.x + width > 24:
            self.x, self.y = 0, self.y + self.height
        panel = {
            "id": len(self.panels) + 1,
            "type": kind,
            "title": title,
            "description": text,
            "datasource": DATASOURCE,
            "gridPos": {"x": self.x, "y": self.y, "w": width, "h": height},
            "fieldConfig": {
                "defaults": {
                    "unit": unit, "noValue": "无数据", "color": {"mode": color}, "thresholds": thresholds,
                    "mappings": [],
                    **defaults,
                },
                "overrides": [],
            },
            "options": options,
            "targets": targets,
        }  # fmt: skip
        self.panels.append(panel)
        self.x += width
        self.height = height
        return panel


def stat(*, mode: str = "background", text: str = "auto", fields: str = "") -> Json:
    """Options of a stat panel that shows the last value."""
    return {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": fields}, "orientation": "auto",
        "textMode": text, "colorMode": mode, "graphMode": "none", "justifyMode": "center",
    }  # fmt: skip


LINE_OPTIONS: Json = {
    "legend": {"displayMode": "hidden", "placement": "bottom", "showLegend": False, "calcs": []},
    "tooltip": {"mode": "single", "sort": "none"},
}


def air() -> Json:
    """The dashboard 空气质量."""
    board = Board()
    year = f"time <= {NOW}"
    day = f"time > {NOW} - 3d AND time <= {NOW}"
    hour = f"time > {NOW} - 6h AND time <= {NOW}"
    aqi, green, red, grey = aqi_thresholds(), levels()[0]["hex"], levels()[3]["hex"], "#8F8F8F"

    for title, field, colour, text in (
        (
            "今年优良天数",
            "good_days",
            green,
            "本年度至今空气质量为优或良（AQI ≤ 100）的天数；每日按其日期适用的标准版本评价。",
        ),
        ("今年污染天数", "polluted_days", red, "本年度至今 AQI > 100 的有效天数。"),
        ("今年无效天数", "invalid_days", grey, "本年度至今因数据不足不能评价的天数，不计入优良率的分母。"),
    ):
        query = select(m.AIR_YEAR, {title: f"last({field})"}, time=year)
        board.add("stat", title, text, [target(query)], width=4, height=5, unit=UNITS["days"],
                  options=stat(mode="value"), thresholds=plain(colour))  # fmt: skip
    board.add(
        "stat", "优良率", "优良天数 ÷ 有效天数 × 100%，保留一位小数。",
        [target(select(m.AIR_YEAR, {"优良率": "last(ratio)"}, time=year))], width=4, height=5, unit=UNITS["percent"],
        options=stat(mode="value"), thresholds=plain("#5794F2"), decimals=1,
    )  # fmt: skip
    board.add(
        "stat", "统计截至", "年度统计中最后一个已评价的日期。",
        [target(select(m.AIR_YEAR, {"统计截至": "last(through)"}, time=year), result="table")], width=8, height=5,
        unit="string", options=stat(mode="none", text="value", fields="/^统计截至$/"), thresholds=plain(grey),
    )  # fmt: skip

    board.add(
        "stat", "当前小时 AQI", "最近 6 小时内最后一个有效小时的空气质量指数，颜色按 HJ 633 级别。",
        [target(select(m.AIR_AQI_HOUR, {"当前小时 AQI": "last(aqi)"}, time=hour))], width=4, height=5,
        unit=UNITS["index"], options=stat(), thresholds=aqi,
    )  # fmt: skip
    now_category = select(m.AIR_AQI_HOUR, {"当前级别": "last(category)", "首要污染物": "last(primary)"}, time=hour)
    board.add(
        "stat", "当前级别与首要污染物", "最近 6 小时内最后一个有效小时的级别；AQI ≤ 50 时没有首要污染物。",
        [target(now_category, result="table")], width=8, height=5, unit="string",
        options=stat(text="value_and_name", fields="/^(当前级别|首要污染物)$/"), thresholds=plain(grey),
        mappings=category_mappings(),
    )  # fmt: skip
    board.add(
        "stat", "最近一日 AQI", "最近三天内最后一个有效日评价（自然日，次日零点后得出），颜色按 HJ 633 级别。",
        [target(select(m.AIR_DAY, {"最近一日 AQI": "last(aqi)"}, time=day))], width=4, height=5,
        unit=UNITS["index"], options=stat(), thresholds=aqi,
    )  # fmt: skip
    board.add(
        "bargauge", "当前六项污染物分指数（IAQI）",
        "最近 6 小时内各污染物最后一个有效小时的空气质量分指数，颜色按 HJ 633 级别；最大者即为 AQI。",
        [target(select(m.AIR_AREA_HOUR, {"IAQI": "last(iaqi)"}, time=hour, group='"factor"'), alias="$tag_factor")],
        width=8, height=5, unit=UNITS["index"], thresholds=aqi, min=0, max=300,
        options={
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""}, "orientation": "horizontal",
            "displayMode": "basic", "showUnfilled": True, "minVizWidth": 0, "minVizHeight": 10,
        },
    )  # fmt: skip

    bars = {
        "drawStyle": "bars", "fillOpacity": 100, "lineWidth": 0, "gradientMode": "scheme", "barAlignment": 1,
        "showPoints": "never",
    }  # fmt: skip
    board.add(
        "timeseries", "每日 AQI", "所选时段内每个有效日的 AQI，颜色按 HJ 633 级别；空缺为无效日。",
        [target(select(m.AIR_DAY, {"日 AQI": "aqi"}))], width=12, height=8, unit=UNITS["index"], options=LINE_OPTIONS,
        thresholds=aqi, min=0, custom=bars,
    )  # fmt: skip
    line = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    board.add(
        "timeseries", "小时 AQI", "所选时段内的小时 AQI；时段较长时取每段内的最大值。无效小时不画。",
        [target(select(m.AIR_AQI_HOUR, {"小时 AQI": "max(aqi)"}, group="time($__interval) fill(null)"))],
        width=12, height=8, unit=UNITS["index"], options=LINE_OPTIONS, thresholds=aqi, min=0,
        custom={**line, "gradientMode": "scheme"},
    )["interval"] = "1h"  # fmt: skip
    for factor in AIR_FACTORS:
        unit = PUBLISHED_UNIT[factor]
        query = select(
            m.AIR_AREA_HOUR, {factor: "mean(value)"}, where=f"\"factor\" = '{factor}'",
            group="time($__interval) fill(null)",
        )  # fmt: skip
        board.add(
            "timeseries", f"{FACTOR_NAMES[factor]}小时浓度",
            f"区域内有效站点的{FACTOR_NAMES[factor]}小时平均浓度（{unit.replace('u', 'μ').replace('3', '³')}）；"
            "时段较长时取每段内的平均值，仅供看趋势，不用于评价。",
            [target(query)], width=8, height=7, unit=UNITS[unit], options=LINE_OPTIONS,
            thresholds=plain(FACTOR_COLOURS[factor]), color="fixed", min=0, custom=line,
        )["interval"] = "1h"  # fmt: skip
        board.panels[-1]["fieldConfig"]["defaults"]["color"]["fixedColor"] = FACTOR_COLOURS[factor]
    return dashboard(
        "envstream-air", "空气质量", "优良天数、当前与每日 AQI、六项污染物。HJ 633 级别与颜色。", board.panels
    )


def variable(name: str, label: str, text: str, where: str = "") -> Json:
    """A variable that lists the values of a tag."""
    query = f'SHOW TAG VALUES FROM "{m.AIR_DAY.name}" WITH KEY = "{name}"{where}'
    return {
        "type": "query", "name": name, "label": label, "description": text, "datasource": DATASOURCE, "query": query,
        "definition": query, "refresh": 1, "sort": 1, "multi": False, "includeAll": False, "hide": 0, "regex": "",
        "skipUrlSync": False, "options": [], "current": {},
    }  # fmt: skip


def dashboard(uid: str, title: str, text: str, panels: list[Json]) -> Json:
    """A classic dashboard around panels."""
    in_area = " WHERE \"area\" = '$area'"
    edition = variable("edition", "标准版本", "小时与日评价所用的标准版本；All 为每日按其日期适用的版本", in_area)
    edition |= {"includeAll": True, "allValue": ".*", "current": {"selected": True, "text": "All", "value": "$__all"}}
    return {
        "uid": uid,
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
        "refresh": "5m",
        "style": "dark",
        "time": {"from": "now-30d", "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                variable("area", "区域", "评价区域"),
                edition,
                variable("dust", "沙尘口径", "keep：不扣除沙尘；deduct：扣除沙尘", in_area),
            ]
        },
        "panels": panels,
    }


def text_of(board: Json) -> str:
    """The file of a dashboard."""
    return json.dumps(board, ensure_ascii=False, indent=1) + "\n"


BOARDS = {"air.json": air}


def main() -> None:
    """Write every dashboard."""
    for name, build in BOARDS.items():
        path = HERE / "dashboards" / name
        path.write_text(text_of(build()), encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
