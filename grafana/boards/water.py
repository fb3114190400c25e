"""3 水: sections and their classes, the nine parameters of one, warnings and arrivals, months."""

from __future__ import annotations

from grafana.boards.levels import air_levels, alert_colours, alert_mappings, edges
from grafana.boards.panels import (
    BLUE,
    GREY,
    LABELLED,
    MOMENT,
    UNITS,
    Board,
    beside,
    choice,
    column,
    dashboard,
    matrix,
    named,
    plain,
    variable,
    words,
)
from grafana.boards.queries import Json, ask, last, names
from grafana.boards.water_levels import (
    BODIES,
    class_mappings,
    good_thresholds,
    item_mappings,
    items,
    limits,
    worse_thresholds,
)
from schemas import measurements as m

NINE = ("T", "pH", "DO", "EC", "turbidity", "CODMn", "NH3N", "TP", "TN")
"""What an automatic station measures (water.md §4.1)."""
JUDGED = ("pH", "DO", "CODMn", "NH3N", "TP")
"""The five that the class of an hour rests on; the others are shown as they were sent."""
STATES = {"began": "开始", "continues": "持续", "ended": "结束"}
ARRIVALS = {"expected": "预计到达", "carried": "已到达", "attenuated": "已衰减", "withdrawn": "已撤销"}
NOW_SPAN = "8h"
"""Wet chemistry is every four hours and comes one or two late."""
MONTHS = "400d"
SECTION_LINK = [
    {"title": "只看 ${__value.text}", "url": "/d/envstream-water?var-section=${__value.raw}&${__url_time_range}"}
]
"""Of a column of ids."""
NAME_LINK = [
    {"title": "只看 ${__value.text}", "url": "/d/envstream-water?var-section=${__data.fields.编号}&${__url_time_range}"}
]
"""Of a column of names in a row with an id."""
ROW_LINK = [
    {
        "title": "只看 ${__data.fields.名称}",
        "url": "/d/envstream-water?var-section=${__data.fields.编号}&${__url_time_range}",
    }
]
"""Of any column of a row with an id."""
HOUR_WORDS = [
    {
        "type": "regex",
        "options": {"pattern": "/^\\d+-(\\d+-\\d+)T(\\d+)$/", "result": {"text": "$1 $2时", "index": 0}},
    }
]
"""An hour of a message, 2026-03-01T08, for people: 03-01 08时."""
_DAY = "time:YYYY-MM-DD"
_GOOD, _BAD = air_levels()[0]["hex"], alert_colours()["red"]


def _columns(*names: str) -> str:
    """So that a table has these columns and not each tag twice."""
    return ", ".join(f'"{name}"' for name in names)


def board() -> Json:
    """The dashboard 水环境."""
    made = Board()
    _shares(made)
    _sections(made)
    _warnings(made)
    _nine(made)
    _months(made)
    return dashboard(
        "water",
        "3 水",
        "断面类别与目标、所选断面的九项参数与各类限值、水质预警与预计到达、泉水保护、各月类别和优良比例。",
        made,
        [
            choice("group", "流域", "比例和出入境按流域统计", "group", {"body": "=~ /river|lake/"}),
            choice("section", "断面", "九项参数和类别变化看哪一个断面", "section"),
            variable("edition", "标准版本", "每个断面随其日期适用的标准", m.WATER_CLASS, every=True, hidden=True),
        ],
    )


def _shares(made: Board) -> None:
    month, of = last("62d"), {"span": "month", "group": "$group"}
    for title, field, thresholds, text in (
        ("优良断面比例（本月）", "good_percent", good_thresholds(),
         "本月至今月均水质为Ⅰ至Ⅲ类的断面占已评价断面的比例（%）。颜色按环办〔2011〕22号河流评价，"
         f"自 {edges(good_thresholds())} 起为良好、优。"),
        ("劣Ⅴ类断面比例（本月）", "worse_percent", worse_thresholds(),
         "本月至今月均水质劣于Ⅴ类的断面占已评价断面的比例（%）。颜色按环办〔2011〕22号河流评价，"
         f"自 {edges(worse_thresholds())} 起为中度、重度污染。"),
        ("断面达标率（本月）", "meeting_percent", plain(BLUE),
        "本月至今达到各自目标类别的断面占有目标断面的比例（%）。"),
    ):  # fmt: skip
        made.stat(title, text, [ask(m.WATER_SECTIONS, {title: f"last({field})"}, fixed=of, time=month)],
                  unit=UNITS["percent"], thresholds=thresholds, decimals=1)  # fmt: skip
    made.stat(
        "已评价断面 / 全部断面", "本月已有类别的断面数，和流域内地表水断面总数（泉按地下水评价，不计入）。",
        [ask(m.WATER_SECTIONS, {"已评价": "last(judged)", "全部": "last(sections)"}, fixed=of, time=month)],
        unit=UNITS["sections"], thresholds=plain(BLUE), names="value_and_name",
    )  # fmt: skip
    quiet = {"mode": "absolute", "steps": [
        {"color": _GOOD, "value": None}, {"color": _BAD, "value": 1},
    ]}  # fmt: skip
    made.stat(
        "未结束的水质预警", "全部断面和泉目前仍在持续的水质预警条数（水质预警与泉水保护）；0 为没有。",
        [
            ask(
                m.CONDITION, {"n": "sum(open)"}, fixed={"rule": "/^(water-level|spring-guard)$/"}, time=last("60d"),
                group='"rule", "group", "subject", "factor"', around='sum("n") AS "预警"',
            )
        ],
        unit=UNITS["conditions"], thresholds=quiet, noValue="0",
    )  # fmt: skip
    made.stat(
        "预计到达下游", "上游预警的水预计到达而尚未到达的下游断面条数；0 为没有。",
        [
            ask(
                m.WATER_ARRIVAL, {"n": "sum(open)"}, follow=(), time=last("7d"),
                group='"group", "section", "factor", "source"', around='sum("n") AS "在途"',
            )
        ],
        unit=UNITS["arrivals"], thresholds=quiet, noValue="0",
    )  # fmt: skip


def _sections(made: Board) -> None:
    hour = {"span": "hour"}
    shown = column("类别", mappings=class_mappings(), custom__displayMode="color-background")
    made.table(
        "各断面现在的水质", f"最近 {NOW_SPAN[:-1]} 小时内各断面最后一个小时的实时类别（五项参数，按原始值评价）、"
        "目标类别、是否达标和主要污染指标（括号内为超Ⅲ类倍数）。泉按 GB/T 14848 评价。"
        "自上游而下；点断面名看其九项参数。",
        [
            names("section"),
            ask(
                m.WATER_CLASS,
                {"类别": "last(class)", "编号": "section", "水质": "rating", "主要污染指标": "main", "小时": "period"},
                fixed=hour, time=last(NOW_SPAN), group='"section"', table=True,
                around=_columns("编号", "类别", "水质", "主要污染指标", "小时"),
            ),
            ask(
                m.WATER_CLASS, {"目标": "last(target)", "编号": "section", "达标": "meets"}, fixed=hour,
                time=last(NOW_SPAN), group='"section"', around=_columns("编号", "目标", "达标"), table=True, ref="B",
            ),
        ],
        width=14, height=10, sort={}, narrow=70, transformations=beside("类别"),
        columns=[
            column("名称", displayName="断面", links=ROW_LINK, custom__minWidth=110),
            column("编号", custom__hidden=True), column("小时", mappings=HOUR_WORDS, custom__minWidth=100),
            column("主要污染指标", custom__minWidth=120),
            shown,
            column("目标", mappings=class_mappings(), custom__displayMode="color-text"),
            column("达标", mappings=words({"1": "达标", "0": "未达标"}, {"1": _GOOD, "0": _BAD}),
                   custom__displayMode="color-text"),
        ],
    )  # fmt: skip
    _conditions(
        made, "水质预警", "water-level",
        "所选时段内开始的水质预警（关注、预警、严重三级，本系统规则），新的在前：对象、指标、级别、状态和最新值。",
        height=10,
    )  # fmt: skip
    made.table(
        "各断面每日水质类别（近 30 天）",
        "每行一个断面（自上游而下）、每列一日，为日均值评价的水质类别，颜色为水质类别颜色；空白为该日没有类别。"
        "截至所选时段的末尾。",
        _classes("日期", "day", "31d"), width=24, height=10, sort={}, narrow=44, empty=" ", mode="color-background",
        thresholds=NO_COLOUR, mappings=class_mappings(),
        transformations=[
            *beside("日期"), *matrix("断面", "日期", "类别", "lastNotNull", order="序"),
            {"id": "renameByRegex", "options": {"regex": r"^\d+-(\d+-\d+)$", "renamePattern": "$1"}},
        ],
        columns=[_along("日期")],
    )  # fmt: skip


NO_COLOUR = plain("transparent")
"""Where nothing is known; what is known is coloured by its class."""


def _classes(name: str, span: str, back: str) -> list[Json]:
    """Classes of every section in every period of a span, and the sections along the river."""
    return [
        ask(
            m.WATER_CLASS, {name: "period", "编号": "section", "类别": "class"}, fixed={"span": span},
            time=last(back), order="time ASC", table=True,
        ),
        names("section", more={"断面": "label", "序": "order"}),
    ]  # fmt: skip


def _along(name: str) -> Json:
    """The column of the sections' names; rows are told apart by their labels, two sections may share a name."""
    return column(
        f"断面\\{name}", custom__displayMode="auto", custom__width=120, custom__align="left", mappings=LABELLED
    )


def _conditions(made: Board, title: str, rule: str, text: str, *, height: int) -> None:
    """What the system found on its own, the newest first."""
    made.table(
        title, text,
        [
            ask(
                m.CONDITION,
                {
                    "对象": "name", "指标": "factor", "级别": "level", "状态": "state", "最新值": "measured",
                    "编号": "subject", "流域": "group",
                },
                fixed={"rule": rule}, order="time DESC", table=True,
            )
        ],
        width=10, height=height, sort={"开始时间": True}, keep_time=True, narrow=70, noValue="没有",
        columns=[
            column("Time", displayName="开始时间", unit=MOMENT, custom__width=110),
            column("对象", links=NAME_LINK, custom__minWidth=110),
            column("指标", mappings=item_mappings(), custom__minWidth=110),
            column("级别", mappings=alert_mappings(), custom__displayMode="color-background"),
            column("状态", mappings=words(STATES)), column("最新值", custom__minWidth=90),
            column("编号", custom__hidden=True), column("流域", custom__hidden=True),
        ],
    )  # fmt: skip


def _warnings(made: Board) -> None:
    made.table(
        "预计到达", "上游预警的水何时到达下游断面：最早、最可能、最晚到达时间按河段流速推算（72 小时以内），"
        "数值为上游最差值。",
        [
            ask(
                m.WATER_ARRIVAL,
                {
                    "下游断面": "section", "来自": "source", "指标": "factor", "状态": "state",
                    "最可能到达": "eta_probable", "最早": "eta_from", "最晚": "eta_to", "上游最差值": "value",
                },
                fixed={"group": "$group"}, follow=(), time=last("30d"), order="time DESC", table=True,
            ),
            names("section"),
        ],
        sort={"最可能到达": True}, width=14, height=7, narrow=70, noValue="没有",
        transformations=named("下游断面", "来自"),
        columns=[
            column("指标", mappings=item_mappings()), column("状态", mappings=words(ARRIVALS)),
            column("下游断面", links=SECTION_LINK),
            column("来自", links=SECTION_LINK),
            *(column(name, unit=MOMENT, custom__minWidth=105) for name in ("最可能到达", "最早", "最晚")),
        ],
    )  # fmt: skip
    _conditions(
        made, "泉水保护", "spring-guard",
        "所选时段内泉水出现的异常：浊度、电导率、硝酸盐、硫酸盐偏离近一周中位数，或接近Ⅲ类限值（本系统规则）。",
        height=7,
    )  # fmt: skip


def _nine(made: Board) -> None:
    line = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 0, "showPoints": "never", "spanNulls": False}
    banded = {**line, "thresholdsStyle": {"mode": "dashed+area"}}
    for item in NINE:
        row = items()[item]
        unit, written = UNITS[row["unit"]], "无量纲" if item == "pH" else row["unit"]
        title = "酸碱度 pH" if item == "pH" else f"{row['name']}（{written}）"
        if item in JUDGED:
            made.lines(
                f"${{section:text}}：{title}", f"所选断面的{row['name']}小时结果（{written}）。"
                "底色和虚线为各类别的限值（颜色为水质类别颜色），河流、湖库按 GB 3838，泉按 GB/T 14848；"
                "时段较长时取每段内的平均值，仅供看趋势。",
                [
                    ask(
                        m.WATER_FACTOR, {row["name"]: "mean(value)"},
                        fixed={"section": "$section", "factor": item, "span": "hour"},
                        group='time($__interval), "body" fill(null)', alias="$tag_body",
                    )
                ],
                unit=unit, width=8, height=7, style=banded, colour=BLUE, interval="1h",
                overrides=[
                    column(body, displayName=f"{row['name']}（{zh}）", thresholds=bands)
                    for body, zh in BODIES.items()
                    if (bands := limits(item, body))
                ],
            )  # fmt: skip
        else:
            made.lines(
                f"${{section:text}}：{title}",
                f"所选断面的{row['name']}小时值（{written}），站点上报的有效值；不参加小时类别评价，因此不画类别限值。"
                "时段较长时取每段内的平均值，仅供看趋势。",
                [
                    ask(
                        m.WATER_HOUR, {row["name"]: "mean(value)"}, fixed={"section": "$section", "factor": item},
                        group="time($__interval) fill(null)",
                    )
                ],
                unit=unit, width=8, height=7, style=line, colour=GREY, interval="1h",
            )  # fmt: skip


def _months(made: Board) -> None:
    made.table(
        "各月水质类别", "最近十三个月各断面的月均水质类别（均值按规范修约后评价，环办〔2011〕22号），"
        "颜色为水质类别颜色；当月为至今。空白为该月没有类别。",
        _classes("月份", "month", MONTHS), width=14, height=10, sort={}, keep_time=True, narrow=60,
        thresholds=NO_COLOUR,
        transformations=[*beside("月份"), *matrix("断面", "月份", "类别", "lastNotNull", order="序")], empty=" ",
        columns=[_along("月份")],
        mappings=class_mappings(), mode="color-background",
    )  # fmt: skip
    made.add(
        "barchart", "各月优良与劣Ⅴ比例", "最近十三个月流域内Ⅰ至Ⅲ类断面和劣Ⅴ类断面的比例（%），按月均水质评价；"
        "当月为至今。",
        [
            ask(
                m.WATER_SECTIONS, {"月份": "period", "优良": "good_percent", "劣Ⅴ": "worse_percent"},
                fixed={"span": "month", "group": "$group"}, time=last(MONTHS), order="time ASC", table=True,
            )
        ],
        width=10, height=10, unit=UNITS["percent"], min=0, max=100, color={"mode": "fixed"}, thresholds=plain(GREY),
        options={
            "orientation": "auto", "xField": "月份", "xTickLabelRotation": -45, "showValue": "auto",
            "stacking": "none",
            "groupWidth": 0.7, "barWidth": 0.9, "barRadius": 0, "fullHighlight": False,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        custom={"fillOpacity": 85, "lineWidth": 0},
        overrides=[
            column("优良", color={"mode": "fixed", "fixedColor": good_thresholds()["steps"][-1]["color"]}),
            column("劣Ⅴ", color={"mode": "fixed", "fixedColor": worse_thresholds()["steps"][-1]["color"]}),
        ],
    )  # fmt: skip
    made.table(
        "出入境比较", "各月入境断面与出境断面的月均类别：区内增加（出境更差）、上游输入（同类且差于Ⅲ类）、"
        "改善或清洁。只列两端都有类别的月份。",
        [
            ask(
                m.WATER_BORDER,
                {
                    "月份": "period", "入境断面": "inflow", "入境类别": "class_in", "出境断面": "outflow",
                    "出境类别": "class_out", "结论": "balance_zh",
                },
                fixed={"group": "$group"}, time=last(MONTHS), order="time DESC", table=True,
            ),
            names("section"),
        ],
        sort={"月份": True}, width=12, height=8, narrow=80, transformations=named("入境断面", "出境断面"),
        columns=[
            column("结论", custom__minWidth=160),
            *(column(name, mappings=class_mappings(), custom__displayMode="color-background")
              for name in ("入境类别", "出境类别")),
        ],
    )  # fmt: skip
    made.table(
        "${section:text}：当日各指标", "所选断面最近一个已评价日各指标的类别、日均值（单位同上）、"
        "是否劣于目标类别，和日内有效结果数与应有数。",
        [
            ask(
                m.WATER_FACTOR,
                {
                    "指标": "factor", "类别": "last(class)", "日均值": "value", "目标": "over", "有效结果": "results",
                    "应有": "expected",
                },
                fixed={"section": "$section", "span": "day"}, time=last("4d"), group='"body", "factor"', table=True,
            )
        ],
        sort={"类别": True}, width=12, height=8, keep_time=True, narrow=70,
        columns=[
            column("Time", displayName="日期", unit=_DAY, custom__width=110),
            column("body", custom__hidden=True), column("factor", custom__hidden=True),
            column("指标", mappings=item_mappings()),
            column("类别", mappings=class_mappings(), custom__displayMode="color-background"),
            column("目标", mappings=words({"0": "达到", "1": "劣于目标"}, {"0": _GOOD, "1": _BAD}),
                   custom__displayMode="color-text"),
        ],
    )  # fmt: skip
