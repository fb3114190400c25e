"""4 企业排放: outlets of an enterprise now, one outlet against its limits, amounts, power, suspicions, rates."""

from __future__ import annotations

from typing import Any

from grafana.boards.emission_levels import (
    WASTE_WATER,
    factor_mappings,
    permit_thresholds,
    ratio_thresholds,
    rule_mappings,
    some_thresholds,
    transmission_thresholds,
    ultra_low_thresholds,
)
from grafana.boards.levels import air_levels, alert_colours, alert_mappings, edges
from grafana.boards.panels import (
    BARS,
    BLUE,
    GREY,
    INSTANT,
    MOMENT,
    UNITS,
    Board,
    choice,
    column,
    dashboard,
    named,
    plain,
    variable,
    words,
)
from grafana.boards.queries import Json, ask, last, names
from schemas import measurements as m

VERDICTS = {
    "OK": "达标", "EXCEED": "超标", "EXEMPT": "豁免", "INVALID": "无效", "NOT_APPLICABLE": "不适用",
    "NO_LIMIT": "无限值",
}  # fmt: skip
LIMITS = {
    "legal": ("国家或地方标准限值", "#E02F44"), "permit": ("排污许可限值", "#FF9830"),
    "ultra_low": ("超低排放限值", "#73BF69"), "temporary": ("临时限值（管控）", "#B877D9"),
}  # fmt: skip
STATES = {"began": "开始", "continues": "持续", "ended": "结束"}
PERIODS = {"month": "本月", "year": "本年"}
NOW_SPAN = "3h"
SPANS = (("A", "hour", last(NOW_SPAN), "小时"), ("B", "day", last("50h"), "日均"))
"""What is judged now: hours, and the last day, an hour after its end."""
SPAN_NAMES = {span: name for _, span, _, name in SPANS}
FACTOR = "/^$factor$/"
ENTERPRISE, OUTLET = {"enterprise": "$enterprise"}, {"outlet": "$outlet"}
OF_ENTERPRISE = {"of": "= '$enterprise'"}
OUTLET_LINK = [
    {
        "title": "只看 ${__value.text}",
        "url": "/d/envstream-outlets?var-enterprise=$enterprise&var-outlet=${__value.raw}&${__url_time_range}",
    }
]
DAILY = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 0, "showPoints": "always", "pointSize": 6,
         "spanNulls": False}  # fmt: skip
"""Of several factors: bars would hide each other."""
LINE = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "spanNulls": False}


def board() -> Json:
    """The dashboard 企业排放."""
    made = Board()
    _now(made)
    _against_limits(made)
    _beside(made)
    _amounts(made)
    _suspects(made)
    _rates(made)
    _minutes(made)
    of = " WHERE \"enterprise\" = '$enterprise'"
    return dashboard(
        "outlets",
        "4 企业排放",
        "所选企业各排口现在的判定，所选排口与国家或地方标准、排污许可、超低排放限值的比较，含氧量、流量、"
        "排放量与许可量、生产与治理用电、疑似问题、传输有效率和分钟数据。",
        made,
        [
            choice("enterprise", "企业", "看哪一家企业", "enterprise"),
            choice("outlet", "排口", "看该企业的哪一个排口", "outlet", OF_ENTERPRISE),
            variable(
                "factor", "因子", "曲线和排放量看哪些因子", m.OUTLET_JUDGED, f"{of} AND \"outlet\" = '$outlet'",
                every=True, many=True,
            ),
        ],
        since="now-7d",
    )  # fmt: skip


def _now(made: Board) -> None:
    for title, field, thresholds, text in (
        ("超标项（全企业）", "over", some_thresholds("red"),
         "该企业各排口、各因子高于有约束力的限值（标准、许可）且不在豁免内的项数：小时为最近一个小时，"
         "日均为最近一个已评价日（多为废水）；0 为没有。"),
        ("豁免项（全企业）", "exempt", plain(GREY),
         "超过限值但在启停等工况标记的豁免时限内的项数：记录在案，不算超标。小时为最近一个小时，"
         "日均为最近一个已评价日。"),
    ):  # fmt: skip
        made.stat(
            title, text,
            [
                ask(m.OUTLET_JUDGED, {"n": f"last({field})"}, fixed={**ENTERPRISE, "span": span}, time=time,
                    group='"outlet", "factor"', around=f'sum("n") AS "{name}"', ref=ref)
                for ref, span, time, name in SPANS
            ],
            unit=UNITS["count"], thresholds=thresholds, names="value_and_name",
        )  # fmt: skip
    for title, rule, level, text in (
        ("疑似问题", "suspect", "orange",
         "所选排口目前未结束的疑似问题条数：治理设施、监测设备和数据的核查规则 R1 至 R25（见下表）；0 为没有。"
         "疑似不等于认定。"),
        ("缺数、离线", "/^(offline|hour-missing)$/", "yellow",
         "所选排口目前未结束的离线或小时数据缺失条数；0 为没有。"),
    ):  # fmt: skip
        made.stat(
            f"${{outlet:text}}：{title}", text,
            [
                ask(
                    m.CONDITION, {"n": "sum(open)"}, fixed={"rule": rule, "subject": "$outlet"}, time=last("60d"),
                    group='"group", "rule", "factor"', around=f'sum("n") AS "{title}"',
                )
            ],
            unit=UNITS["conditions"], thresholds=some_thresholds(level), noValue="0",
        )  # fmt: skip
    made.stat(
        "${outlet:text}：传输有效率（本月）", "所选排口本月至今的传输有效率＝传输率×有效率（%），扣除停运；"
        f"颜色自 {edges(transmission_thresholds())} 起为达到要求、达到目标。",
        [
            ask(
                m.OUTLET_RATES, {"传输有效率": "last(product)"}, fixed={**ENTERPRISE, **OUTLET, "span": "month"},
                time=last("62d"),
            )
        ],
        unit=UNITS["percent"], thresholds=transmission_thresholds(), decimals=1,
    )  # fmt: skip
    made.stat(
        "许可量已用（最多一项）",
        f"该企业今年各污染物已用许可排放量的百分比中最大的一项；{edges(permit_thresholds())} 分级提醒。",
        [
            ask(
                m.ENTERPRISE_PERMIT, {"n": "last(used_percent)"}, fixed=ENTERPRISE, time=last("366d"),
                group='"factor"', around='max("n") AS "已用"',
            )
        ],
        unit=UNITS["percent"], thresholds=permit_thresholds(), decimals=1,
    )  # fmt: skip
    made.table(
        "各排口现在", f"该企业各排口、各因子最近 {NOW_SPAN[:-1]} 小时内最后一个已判定的小时，"
        "和最近一个已评价日的日均值（多为废水）：与限值比较的数值（废气按规定折算，mg/m³；废水 mg/L）、"
        "最严的有约束力限值、两者之比（1 为限值，从高到低，pH 没有）、判定和级别。停运和无效的不列。点排口名看该排口。",
        [
            ask(
                m.OUTLET_JUDGED,
                {
                    "排口": "outlet", "因子": "factor", "数值": "last(value)", "最严限值": "limit",
                    "判定": "verdict", "级别": "level", "时段": "span",
                },
                fixed={**ENTERPRISE, "span": span}, time=time, group='"outlet", "factor"', table=True, ref=ref,
            )
            for ref, span, time, _ in SPANS
        ]
        + [  # by itself: pH is judged and has no ratio
            ask(
                m.OUTLET_JUDGED, {"排口": "outlet", "因子": "factor", "与限值之比": "last(ratio)"},
                fixed={**ENTERPRISE, "span": span}, time=time, group='"outlet", "factor"', table=True, ref=ref,
            )
            for ref, (_, span, time, _) in zip("CD", SPANS, strict=True)
        ]
        + [names("outlet", also=OF_ENTERPRISE)],
        width=16, height=10, sort={"与限值之比": True}, keep_time=True, narrow=70,
        transformations=[*named("排口"), {"id": "merge", "options": {}}],
        columns=[
            column("Time", displayName="时间", unit=MOMENT, custom__width=110),
            column("outlet", custom__hidden=True), column("factor", custom__hidden=True),
            column("时段", mappings=words(SPAN_NAMES), custom__width=70),
            column("排口", links=OUTLET_LINK, custom__minWidth=140),
            column("因子", mappings=factor_mappings(), custom__minWidth=120),
            column("与限值之比", decimals=2, thresholds=ratio_thresholds(), custom__displayMode="color-text",
                   custom__minWidth=90),
            column("判定", mappings=_verdicts(), custom__displayMode="color-background", custom__width=80),
            column("级别", mappings=alert_mappings(), custom__displayMode="color-text", custom__width=80),
        ],
    )  # fmt: skip
    made.bars(
        "${outlet:text}：数值与最严限值之比",
        "所选排口各因子最近一个小时（或最近一个已评价日的日均值）除以最严的有约束力限值：1 为限值；"
        f"颜色自 {edges(ratio_thresholds())} 起为蓝（接近限值）、黄、橙、红。",
        [
            ask(
                m.OUTLET_JUDGED, {"之比": "last(ratio)"}, fixed={**ENTERPRISE, **OUTLET, "span": span}, time=time,
                group='"factor"', alias=f"$tag_factor（{name}）", ref=ref,
            )
            for ref, span, time, name in SPANS
        ],
        width=8, height=10, unit=UNITS["1"], thresholds=ratio_thresholds(), min=0, max=2, decimals=2,
    )  # fmt: skip


def _verdicts() -> list[Json]:
    colours = {"OK": air_levels()[0]["hex"], "EXCEED": alert_colours()["red"], "EXEMPT": alert_colours()["blue"]}
    return words(VERDICTS, {verdict: colours.get(verdict, GREY) for verdict in VERDICTS})


def _against_limits(made: Board) -> None:
    """A panel for each factor: hours and days, and every kind of limit there is."""
    judged = {**ENTERPRISE, **OUTLET, "factor": FACTOR}
    mean, limit = {"v": "mean(value)"}, {"v": "last(value)"}
    by_factor, by_limit = 'time($__interval), "factor" fill(null)', 'time($__interval), "factor", "limit" fill(none)'
    known = 'time($__interval), "factor" fill(none)'
    step = {"custom.lineInterpolation": "stepAfter", "custom.spanNulls": True}
    overrides = [
        _matching(r"/^pH:/", unit="none"),
        _matching(rf"/^({'|'.join(f for f in WASTE_WATER if f != 'pH')}):/", unit="suffix: mg/L"),
        _matching(r"/:reported$/", displayName="上报的小时值", color=_fixed(GREY)),
        _matching(
            r"/:hour$/", displayName="用于判定的小时值（废气为折算值）", color=_fixed(BLUE), **{"custom.lineWidth": 2}
        ),
        _matching(r"/:day$/", displayName="日均值", color=_fixed("#8AB8FF"), **{**step, "custom.lineWidth": 2}),
    ]
    dashes = {"hour": ("小时", [8, 4]), "day": ("日均", [2, 4])}
    for kind, (name, colour) in LIMITS.items():
        for span, (zh, dash) in dashes.items():
            overrides.append(
                _matching(
                    f"/:{span}:{kind}$/", displayName=f"{name}（{zh}）", color=_fixed(colour), **step,
                    **{"custom.lineStyle": {"fill": "dash", "dash": dash}},
                )
            )  # fmt: skip
    made.lines(
        "${outlet:text} $factor：数值与限值",
        "所选排口该因子的小时值、日均值，和当时有效的各类限值（国家或地方标准、排污许可、"
        "超低排放、临时管控）。废气 mg/m³，废水 mg/L。无效的小时不画；时段较长时小时值取每段内的平均值，仅供看趋势。",
        [
            ask(m.EMISSION_HOUR, mean, fixed={"source": "$outlet", "factor": FACTOR}, group=by_factor, ref="A",
                alias="$tag_factor:reported"),  # Grafana's server takes a blank and a word after a tag for its name
            ask(m.OUTLET_JUDGED, mean, fixed={**judged, "span": "hour"}, group=by_factor, ref="B",
                alias="$tag_factor:hour"),
            ask(m.OUTLET_JUDGED, mean, fixed={**judged, "span": "day"}, group=known, ref="C",
                alias="$tag_factor:day"),
            *(
                ask(m.OUTLET_LIMIT, limit, fixed={**OUTLET, "factor": FACTOR, "span": span}, group=by_limit, ref=ref,
                    alias=f"$tag_factor:{span}:$tag_limit")
                for ref, span in (("D", "hour"), ("E", "day"))
            ),
        ],
        unit=UNITS["mg/m3"], width=24, height=9, style=LINE, legend=True, interval="1h", min=0, overrides=overrides,
    )  # fmt: skip
    made.panels[-1] |= {"repeat": "factor", "repeatDirection": "h", "maxPerRow": 2}


def _beside(made: Board) -> None:
    for title, factor, unit, text in (
        ("含氧量（%）", "O2", UNITS["percent"], "所选排口烟气含氧量的小时值（%）：接近 21 % 说明漏风、稀释或停运；"
        "废水排口没有。"),
        ("流量", "flow", "none", "所选排口流量的小时值，单位按上报（通常废气 m³/s、废水 L/s）。"),
    ):  # fmt: skip
        made.lines(
            f"${{outlet:text}}：{title}", text + "时段较长时取每段内的平均值。",
            [
                ask(m.EMISSION_HOUR, {title: "mean(value)"}, fixed={"source": "$outlet", "factor": factor},
                    group="time($__interval) fill(null)", alias=title)
            ],
            unit=unit, width=6, height=8, style=LINE, colour=BLUE, interval="1h",
        )  # fmt: skip
    made.lines(
        "${enterprise:text}：生产与治理用电（kW）",
        "所选排口分表计电的小时平均功率（kW）：生产设施开而治理设施低或停，就要去看。"
        "多条线时各有一条；电表有自己的数采仪时归企业，列出该企业全部，名称前没有排口。",
        [
            ask(m.EMISSION_HOUR, {"功率": "mean(value)"},
                fixed={"source": f"${whose}", "factor": "/^(production|treatment)_power/"},
                group='time($__interval), "factor" fill(null)', alias=f"{before}$tag_factor", ref=ref)
            for ref, whose, before in (("A", "outlet", "${outlet:text} "), ("B", "enterprise", ""))
        ],
        unit=UNITS["kW"], width=12, height=8, style=LINE, legend=True, interval="1h", min=0,
        transformations=[
            {"id": "renameByRegex", "options": {"regex": f"(.*){word}_power_?(.*)", "renamePattern": f"$1{zh} $2"}}
            for word, zh in (("production", "生产用电"), ("treatment", "治理用电"))
        ],
    )  # fmt: skip


def _amounts(made: Board) -> None:
    amount = {"subject": "$outlet", "factor": FACTOR}
    made.lines(
        "${outlet:text}：每日排放量", "所选排口每日排放量（kg），含按 HJ 75、HJ 356 补遗的小时。",
        [ask(m.EMISSION_AMOUNT, {"日排放量": "total"}, fixed={**amount, "span": "day"}, group='"factor"',
             alias="$tag_factor")],
        unit=UNITS["kg"], style=DAILY, legend=True, min=0,
    )  # fmt: skip
    made.table(
        "${outlet:text}：本月、本年累计排放量", "所选排口本月和本年至今的排放量（kg）：合计、其中实测、"
        "补遗的小时（废水为天）和无法补的小时（天）。",
        [
            ask(
                m.EMISSION_AMOUNT,
                {
                    "时段": "span", "因子": "factor", "合计": "last(total)", "其中实测": "measured", "补遗": "filled",
                    "无法补": "gaps",
                },
                fixed={**amount, "span": "/^(month|year)$/"}, time=last("366d"), group='"span", "factor"', table=True,
            )
        ],
        sort={"时段": False, "因子": False}, narrow=70,
        columns=[
            column("span", custom__hidden=True), column("factor", custom__hidden=True),
            column("时段", mappings=words(PERIODS)),
            column("因子", mappings=factor_mappings(), custom__minWidth=120),
            *(column(name, unit=UNITS["kg"], decimals=0) for name in ("合计", "其中实测")),
            *(column(name, unit=UNITS["hours"]) for name in ("补遗", "无法补")),
        ],
    )  # fmt: skip
    made.table(
        "许可排放量与全年预测", "该企业今年各污染物的许可排放量、已用（含补遗）、占许可、全年已过，"
        "按近期日均推算的年末排放量，和今年内将超过许可量的日期（空为今年不超）。",
        [
            ask(
                m.ENTERPRISE_PERMIT,
                {
                    "因子": "factor", "已用": "last(used)", "许可量": "permit", "占许可": "used_percent",
                    "全年已过": "of_year_percent", "近期日均": "daily", "年末预测": "year_end",
                    "预计超许可": "exceeds_on",
                    "级别": "level", "统计到": "through",
                },
                fixed=ENTERPRISE, time=last("366d"), group='"factor"', table=True,
            )
        ],
        width=16, height=7, sort={"占许可": True}, narrow=70,
        columns=[
            column("factor", custom__hidden=True),
            column("因子", mappings=factor_mappings(), custom__minWidth=120),
            column("预计超许可", custom__minWidth=100), column("统计到", custom__minWidth=100),
            column("级别", mappings=alert_mappings(), custom__displayMode="color-text"),
            *(column(name, unit=UNITS["t"], decimals=1) for name in ("已用", "许可量", "年末预测")),
            column("近期日均", unit=UNITS["t"], decimals=3),
            *(column(name, unit=UNITS["percent"], decimals=1) for name in ("占许可", "全年已过")),
        ],
    )  # fmt: skip
    made.bars(
        "许可量已用", f"该企业今年各污染物已用许可排放量的百分比；{edges(permit_thresholds())} 分级。",
        [ask(m.ENTERPRISE_PERMIT, {"已用": "last(used_percent)"}, fixed=ENTERPRISE, time=last("366d"),
             group='"factor"', alias="$tag_factor")],
        width=8, height=7, unit=UNITS["percent"], thresholds=permit_thresholds(), min=0, max=120, decimals=1,
    )  # fmt: skip


def _suspects(made: Board) -> None:
    colour = column("级别", mappings=alert_mappings(), custom__displayMode="color-text")
    state, group = column("状态", mappings=words(STATES)), column("组", custom__hidden=True)
    made.table(
        "${outlet:text}：疑似问题清单",
        "所选排口最近 60 天的疑似问题（核查规则 R1 至 R25：治理设施停运或欠负荷、稀释、数据恒定、"
        "卡限值、校准后陡降等），附依据。疑似不等于认定，需要现场核实。",
        [
            ask(
                m.CONDITION,
                {
                    "规则": "check", "疑似": "title", "因子": "factor", "级别": "level", "状态": "state",
                    "依据": "reason",
                    "组": "group",
                },
                fixed={"rule": "suspect", "subject": "$outlet"}, time=last("60d"), order="time DESC", table=True,
            )
        ],
        width=24, height=8, sort={"开始时间": True}, keep_time=True, noValue="没有疑似问题",
        columns=[
            column("Time", displayName="开始时间", unit=INSTANT, custom__width=150),
            column("规则", custom__width=110), column("疑似", custom__width=200), column("因子", custom__width=120),
            column("级别", mappings=alert_mappings(), custom__displayMode="color-text", custom__width=80),
            column("状态", mappings=words(STATES), custom__width=80), group,
        ],
    )  # fmt: skip
    made.lines(
        "${outlet:text}：每日超标与豁免（小时）", "所选排口所选因子每天超标的小时数和豁免的小时数（各因子相加）。",
        [
            ask(
                m.OUTLET_JUDGED, {"超标": "sum(over)", "豁免": "sum(exempt)"},
                fixed={**ENTERPRISE, **OUTLET, "factor": FACTOR, "span": "hour"},
                group="time(1d, -28799s) fill(none)",  # from a second past midnight: an hour is stamped at its end
            )
        ],
        unit=UNITS["count"], style=BARS, legend=True, min=0,
        overrides=[column("超标", color=_fixed(alert_colours()["red"])), column("豁免", color=_fixed(GREY))],
    )  # fmt: skip
    made.table(
        "${outlet:text}：超标、接近限值与缺数",
        "所选时段内所选排口开始的超标、接近限值、超过超低限值、离线和小时数据缺失，"
        "及其级别和状态。",
        [
            ask(
                m.CONDITION,
                {
                    "事项": "rule", "因子": "factor", "级别": "level", "状态": "state", "最新值": "measured",
                    "组": "group",
                },
                fixed={"rule": "/^(over-limit|near-limit|over-ultra-low|offline|hour-missing)$/", "subject": "$outlet"},
                order="time DESC", table=True,
            )
        ],
        sort={"开始时间": True}, keep_time=True, narrow=70, noValue="没有",
        columns=[
            column("Time", displayName="开始时间", unit=MOMENT, custom__width=110),
            column("事项", mappings=rule_mappings(), custom__minWidth=110),
            column("因子", mappings=factor_mappings(), custom__minWidth=120), colour, state, group,
            column("最新值", custom__minWidth=100),
        ],
    )  # fmt: skip


def _rates(made: Board) -> None:
    made.table(
        "各排口各月传输有效率", "该企业各排口最近十三个月的传输率、有效率及两者之积（%），停运小时和在线分钟；"
        f"颜色自 {edges(transmission_thresholds())} 起为达到要求、达到目标。",
        [
            ask(
                m.OUTLET_RATES,
                {
                    "排口": "outlet", "传输有效率": "product", "传输率": "transmission", "有效率": "effective",
                    "停运小时": "standstill", "在线分钟": "online_minutes",
                },
                fixed={**ENTERPRISE, "span": "month"}, time=last("400d"), order="time DESC", table=True,
            ),
            names("outlet", also=OF_ENTERPRISE),
        ],
        sort={"月份": True, "排口": False}, keep_time=True, narrow=70, transformations=named("排口"),
        columns=[
            column("Time", displayName="月份", unit="time:YYYY-MM", custom__width=90),
            column("排口", links=OUTLET_LINK, custom__minWidth=140),
            column("传输有效率", unit=UNITS["percent"], decimals=1, thresholds=transmission_thresholds(),
                   custom__displayMode="color-background"),
            *(column(name, unit=UNITS["percent"], decimals=1) for name in ("传输率", "有效率")),
            column("停运小时", unit=UNITS["hours"]), column("在线分钟", unit=UNITS["min"]),
        ],
    )  # fmt: skip
    made.table(
        "${outlet:text}：各月超低排放达标率", "所选排口最近十三个月各因子的有效小时中不超过超低排放限值的比例（%）；"
        f"环大气〔2019〕35号要求 {edges(ultra_low_thresholds())} 以上。",
        [
            ask(
                m.OUTLET_ULTRA_LOW,
                {
                    "因子": "factor", "达标率": "percent", "有效小时": "valid_hours", "超出小时": "over",
                    "结论": "passes",
                },
                fixed={**OUTLET, "span": "month"}, time=last("400d"), order="time DESC", table=True,
            )
        ],
        sort={"月份": True, "因子": False}, keep_time=True, narrow=70,
        columns=[
            column("Time", displayName="月份", unit="time:YYYY-MM", custom__width=90),
            column("因子", mappings=factor_mappings(), custom__minWidth=120),
            column("达标率", unit=UNITS["percent"], decimals=1, thresholds=ultra_low_thresholds(),
                   custom__displayMode="color-background"),
            *(column(name, unit=UNITS["hours"]) for name in ("有效小时", "超出小时")),
            column("结论", mappings=words({"true": "达到", "false": "未达到"})),
        ],
    )  # fmt: skip


def _minutes(made: Board) -> None:
    made.lines(
        "${outlet:text}：分钟数据（未经判定）",
        "所选排口所选因子的分钟值，按上报的单位和数值，未经判定和审核；只保留近期。"
        "时段较长时取每段内的平均值。",
        [
            ask(
                m.READING, {"分钟值": "mean(value)"},
                fixed={"kind": "emission", "period": "m", "source": "$outlet", "factor": FACTOR},
                group='time($__interval), "factor" fill(none)', alias="$tag_factor",
            )
        ],
        unit="none", width=24, height=8, style={**LINE, "spanNulls": 3_600_000}, legend=True, interval="1m",
    )  # fmt: skip


def _fixed(colour: str) -> Json:
    return {"mode": "fixed", "fixedColor": colour}


def _matching(pattern: str, **properties: Any) -> Json:
    """What is particular about series whose name matches."""
    return {
        "matcher": {"id": "byRegexp", "options": pattern},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }
