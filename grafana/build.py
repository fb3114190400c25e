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
UNITS = {
    "ug/m3": "conμgm3", "mg/m3": "conmgm3", "index": "none", "place": "none", "days": "suffix: 天",
    "hours": "suffix: 小时", "percent": "percent",
}  # fmt: skip
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
BLUE, GREY = "#5794F2", "#8F8F8F"
STATES: dict[str, tuple[str, int | str]] = {  # of a budget: its name, and a colour or whose level's
    "open": ("进行中", BLUE),
    "safe": ("已确保", 0),
    "uncertain": ("未定", 1),
    "lost_if_complete": ("数据齐全则失去", 2),
    "lost": ("已失去", 3),
    "incomplete": ("数据不足", GREY),
}
CAUSES = {
    "none": "一致",
    "dust": "沙尘口径",
    "rounding": "修约次序",
    "dust,rounding": "沙尘口径或修约次序",
    "missing": "本地缺小时",
    "audit": "审核后浓度不同",
    "missing,audit": "本地缺小时，审核后浓度不同",
    "unexplained": "原因不明",
    "withdrawn": "公布值已撤回",
}
PROFILE_NAMES = {
    "ci_2018": "2018 版（求和）",
    "ci_2026_u": "2026 版（求和）",
    "ci_2026_w": "2026 版（加权）",
    "ci_2031_w": "2031 版（加权）",
}
DEFAULT_PROFILE = "ci_2026_u"
NOW = "${__to}ms"  # the end of the chosen range, so that a past year can be looked at as it was
Json = dict[str, Any]


def levels() -> list[Json]:
    """The six levels of HJ 633: category, colour and last AQI. Both editions have the same."""
    table = tomllib.loads((HERE.parent / "standards/tables/air_levels.toml").read_text(encoding="utf-8"))
    rows: list[Json] = table["edition"][-1]["rows"]
    return rows


VARIABLES = {
    "area": "\"area\" = '$area'",
    "edition": '"edition" =~ /^$edition$/',
    "dust": "\"dust\" = '$dust'",
    "source": '"source" =~ /^$source$/',
    "profile": "\"profile\" = '$profile'",
}
"""What each variable of the dashboard asks of the tag of its name."""
TALLIES = (m.AIR_MONTH, m.AIR_QUARTER, m.AIR_YEAR, m.AIR_INDEX, m.AIR_STATISTIC)
"""A tally has the edition of no single day. A day or hour has that of its date; all of them unless one is chosen."""


def select(
    measurement: m.Measurement,
    parts: dict[str, str],
    *,
    fixed: dict[str, str] | None = None,
    time: str = "$timeFilter",
    group: str = "",
    order: str = "",
) -> str:
    """An InfluxQL query with every guard; no two series of the measurement get mixed.

    Args:
        measurement: what is asked.
        parts: a column's name to ``last(aqi)``, ``aqi``, or a tag.
        fixed: tags with one value; the others follow their variable, are a column, or are grouped by.
        time: which time.
        group: GROUP BY.
        order: ORDER BY.

    Raises:
        KeyError: a field or tag the measurement does not have.
        ValueError: a tag that is neither filtered nor told apart.
    """
    columns, guards, apart = [], {"valid"}, set()
    for name, expression in parts.items():
        function, _, field = expression.rstrip(")").rpartition("(")
        if field in measurement.tags:
            apart.add(field)
        elif field not in measurement.fields:
            raise KeyError(f"{measurement.name} has no field {field}")
        else:
            guards.add(measurement.guards.get(field, "valid"))
        columns.append((f'{function}("{field}")' if function else f'"{field}"') + f' AS "{name}"')
    given = ({"edition": m.BY_DATE} if measurement in TALLIES else {}) | (fixed or {})
    if unknown := set(given) - set(measurement.tags):
        raise KeyError(f"{measurement.name} has no tag {', '.join(sorted(unknown))}")
    conditions = []
    for tag in sorted(measurement.tags, key=[*VARIABLES, "factor", "span", "township"].index):
        if tag in given:
            conditions.append(f"\"{tag}\" = '{given[tag]}'")
        elif tag in apart or f'"{tag}"' in group:
            if tag == "source":  # the stations of the area chosen
                conditions.append(VARIABLES[tag])
        elif tag in VARIABLES:
            conditions.append(VARIABLES[tag])
        else:
            raise ValueError(f"{measurement.name}: {tag} is neither filtered nor told apart")
    conditions += [f'"{guard}" = true' for guard in sorted(guards)]
    wanted = " AND ".join([*conditions, time])
    query = f'SELECT {", ".join(columns)} FROM "{measurement.name}" WHERE {wanted}'  # noqa: S608  names of schemas
    query += f" GROUP BY {group}" if group else ""
    query += f" ORDER BY {order}" if order else ""
    return f"{query} tz('Asia/Shanghai')"


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


def words(texts: dict[str, str], colours: dict[str, str] | None = None) -> list[Json]:
    """Names for values, in colours where they have one."""
    options = {
        value: {"index": i, "text": text, **({"color": colours[value]} if colours else {})}
        for i, (value, text) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def state_mappings() -> list[Json]:
    """States of a budget in Chinese, coloured as the level they stand for."""
    rows = levels()
    colours = {state: c if isinstance(c, str) else rows[c]["hex"] for state, (_, c) in STATES.items()}
    return words({state: text for state, (text, _) in STATES.items()}, colours)


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


def column(name: str, **properties: Any) -> Json:
    """What is particular about a column; ``custom__hidden`` stands for ``custom.hidden``."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def table(board: Board, title: str, text: str, targets: list[Json], *, width: int, sort: dict[str, bool],
          columns: list[Json], **more: Any) -> None:  # fmt: skip
    """A table; ``sort``: a column, and whether it descends. Rows name their period, so the time column is left out."""
    panel = board.add(
        "table", title, text, targets, width=width, height=8, unit="none", thresholds=plain(GREY),
        options={
            "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
            "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort.items()],
        },
        custom={"align": "auto", "displayMode": "auto", "inspect": False},
    )  # fmt: skip
    panel["fieldConfig"]["overrides"] = [column("Time", custom__hidden=True), *columns]
    panel.update(more)


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
    aqi, green, red, grey = aqi_thresholds(), levels()[0]["hex"], levels()[3]["hex"], GREY

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
        options=stat(mode="value"), thresholds=plain(BLUE), decimals=1,
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

    budget(board)
    comparisons(board, hour, aqi)

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
            m.AIR_AREA_HOUR, {factor: "mean(value)"}, fixed={"factor": factor}, group="time($__interval) fill(null)",
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
        "envstream-air",
        "空气质量",
        "优良天数与年度任务、当前与每日 AQI、今日预算、站点与乡镇、六项污染物。HJ 633 级别与颜色。",
        board.panels,
    )


def budget(board: Board) -> None:
    """The rest of today, and the year's task."""
    today = f"time > {NOW} - 24h AND time <= {NOW}"  # the start of today, and of no other day
    lately = f"time > {NOW} - 3d AND time <= {NOW}"
    board.add(
        "stat", "今日能否优良", "按已过小时推算今日成为优良天的可能：进行中表示余下小时不超过上限即为优良。",
        [target(select(m.AIR_BUDGET, {"今日": "last(state)"}, time=today), result="table")], width=4, height=5,
        unit="string", options=stat(text="value", fields="/^今日$/"), thresholds=plain(GREY), mappings=state_mappings(),
    )  # fmt: skip
    board.add(
        "stat", "今日剩余小时", "今日尚未结束的小时数。",
        [target(select(m.AIR_BUDGET, {"今日剩余小时": "last(hours_left)"}, time=today))], width=4, height=5,
        unit=UNITS["hours"], options=stat(mode="value"), thresholds=plain(BLUE),
    )  # fmt: skip
    board.add(
        "stat", "优良天数与年度任务", "本年度至今的优良天数，和年度任务要求的优良天数。没有任务的区域无数据。",
        [target(select(m.AIR_BUDGET, {"优良天数": "last(good_days)", "年度任务": "last(task_days)"}, time=lately))],
        width=8, height=5, unit=UNITS["days"], options=stat(mode="value", text="value_and_name"),
        thresholds=plain(levels()[0]["hex"]),
    )  # fmt: skip
    board.add(
        "stat", "还可有的非优良天数",
        "余下各日中最多还可有几天不优良（含无效天）而仍完成年度任务；任务已失去时无数据。",
        [target(select(m.AIR_BUDGET, {"还可有的非优良天数": "last(polluted_left)"}, time=lately))], width=4, height=5,
        unit=UNITS["days"], options=stat(mode="value"), thresholds=plain(levels()[2]["hex"]),
    )  # fmt: skip
    board.add(
        "stat", "年度任务", "年度优良天数任务的状态：已确保、进行中，或余下各日全部优良也不能完成（已失去）。",
        [target(select(m.AIR_BUDGET, {"年度任务": "last(year_state)"}, time=lately), result="table")], width=4,
        height=5, unit="string", options=stat(text="value", fields="/^年度任务$/"), thresholds=plain(GREY),
        mappings=state_mappings(),
    )  # fmt: skip
    table(
        board, "今日各污染物预算",
        "余下小时上限：余下各小时、各站都不超过此值，该污染物今日分指数即不超过 100。单位 μg/m³，CO 为 mg/m³。"
        "只有进行中的污染物才有余下小时上限。",
        [
            target(
                select(
                    m.AIR_BUDGET_FACTOR, {"污染物": "factor", "状态": "state", "全日上限": "ceiling"}, time=today
                ), result="table",
            ),
            target(
                select(m.AIR_BUDGET_FACTOR, {"污染物": "factor", "余下小时上限": "at_most"}, time=today), ref="B",
                result="table",
            ),
        ],
        width=12, sort={"污染物": False},
        columns=[column("状态", mappings=state_mappings(), custom__displayMode="color-text")],
        transformations=[{"id": "merge", "options": {}}],
    )  # fmt: skip


def comparisons(board: Board, hour: str, aqi: Json) -> None:
    """Stations, townships, months and the province beside each other."""
    months = f"time > {NOW} - 400d AND time <= {NOW}"
    provisional = column("性质", mappings=words({"true": "暂定", "false": "评价"}))
    board.add(
        "bargauge", "各站当前 AQI", "最近 6 小时内各站最后一个有效小时的空气质量指数，颜色按 HJ 633 级别。",
        [
            target(
                select(m.AIR_STATION_HOUR, {"AQI": "last(aqi)"}, fixed={"dust": "keep"}, time=hour, group='"source"'),
                alias="$tag_source",
            )
        ],
        width=12, height=8, unit=UNITS["index"], thresholds=aqi, min=0, max=300,
        options={
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""}, "orientation": "horizontal",
            "displayMode": "basic", "showUnfilled": True, "minVizWidth": 0, "minVizHeight": 10,
        },
    )  # fmt: skip
    table(
        board, "乡镇综合指数月排名",
        "各乡镇按所选口径的综合指数从低到高排名，数值相同名次并列；扣除沙尘。暂定：有效天数尚未达到评价要求，仅供参考。",
        [
            target(
                select(
                    m.AIR_RANKING,
                    {
                        "月份": "period", "名次": "rank", "乡镇": "township", "综合指数": "value",
                        "性质": "provisional", "截至": "through",
                    },
                    fixed={"dust": "deduct", "span": "month"}, time=months, order="time DESC",
                ), result="table",
            )
        ],
        width=12, sort={"月份": True, "名次": False}, columns=[provisional],
    )  # fmt: skip
    table(
        board, "各月综合指数（各口径）",
        "所选区域最近十三个月的综合指数，每种口径一行；不同口径不可相互比较。暂定：有效天数尚未达到评价要求，仅供参考。",
        [
            target(
                select(
                    m.AIR_INDEX,
                    {
                        "月份": "period", "口径": "profile", "综合指数": "value", "性质": "provisional",
                        "截至": "through",
                    },
                    fixed={"span": "month"}, time=months, order="time DESC",
                ), result="table",
            )
        ],
        width=12, sort={"月份": True, "口径": False},
        columns=[provisional, column("口径", mappings=words(PROFILE_NAMES))],
    )  # fmt: skip
    table(
        board, "与省级公布值对照",
        "所选时段内省级已公布的每一日：我方与公布的 AQI 和首要污染物、差异原因，以及本地缺少的站点小时数。",
        [
            target(
                select(
                    m.AIR_DIFFERENCE,
                    {
                        "日期": "period", "我方": "ours", "公布": "published", "差异原因": "cause",
                        "缺测站时": "hours_missing",
                    },
                    order="time DESC",
                ), result="table",
            )
        ],
        width=24, sort={"日期": True},
        columns=[column("差异原因", mappings=words(CAUSES)), column("缺测站时", unit=UNITS["hours"])],
    )  # fmt: skip


def variable(name: str, label: str, text: str, where: str = "", measurement: m.Measurement = m.AIR_DAY) -> Json:
    """A variable that lists the values of a tag."""
    query = f'SHOW TAG VALUES FROM "{measurement.name}" WITH KEY = "{name}"{where}'
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
    # Stations stand in districts: so the first that is listed is one, and no township, which is an area as well.
    area = variable("area", "区域", "评价区域（区县）", measurement=m.AIR_HOUR)
    profile = variable("profile", "综合指数口径", "乡镇排名所用的综合指数口径", in_area, m.AIR_INDEX)
    profile["current"] = {"selected": True, "text": DEFAULT_PROFILE, "value": DEFAULT_PROFILE}
    source = variable("source", "站点", "区域内的站点", in_area, m.AIR_HOUR)
    source |= {
        "multi": True, "includeAll": True, "hide": 2, "current": {"selected": True, "text": "All", "value": "$__all"},
    }  # fmt: skip
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
                area,
                edition,
                variable("dust", "沙尘口径", "keep：不扣除沙尘；deduct：扣除沙尘", in_area),
                profile,
                source,
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
