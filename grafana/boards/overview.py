"""1 总览: the whole bureau in one screen; each panel leads to its own board."""

from __future__ import annotations

from grafana.boards.air import (
    INDEX,
    PROFILES,
    PROVISIONAL,
    THIS_YEAR,
    TODAY,
    TODAY_NAMES,
    area,
    edition,
    state_mappings,
)
from grafana.boards.alerts import open_by_level, open_table
from grafana.boards.emission_levels import factor_mappings, permit_thresholds, some_thresholds
from grafana.boards.levels import air_levels, alert_mappings, aqi_thresholds, category_mappings
from grafana.boards.outlets import SPAN_NAMES, SPANS
from grafana.boards.panels import BARS, BLUE, GREY, MOMENT, UNITS, Board, beside, column, dashboard, named, plain, words
from grafana.boards.queries import Json, ask, last, names
from grafana.boards.water_levels import class_mappings
from schemas import measurements as m

AIR_LINK = [{"title": "空气看板", "url": "/d/envstream-air?${area:queryparam}&${__url_time_range}"}]
WATER_LINK = [{"title": "水看板", "url": "/d/envstream-water?${__url_time_range}"}]
OUTLETS_LINK = [{"title": "企业排放看板", "url": "/d/envstream-outlets?${__url_time_range}"}]
ALERTS_LINK = [{"title": "告警值班看板", "url": "/d/envstream-alerts?${__url_time_range}"}]
SECTION = [
    {
        "title": "看断面 ${__data.fields.名称}",
        "url": "/d/envstream-water?var-section=${__data.fields.编号}&${__url_time_range}",
    }
]
PLANT = [
    {"title": "看 ${__value.text}", "url": "/d/envstream-outlets?var-enterprise=${__value.raw}&${__url_time_range}"}
]
KEEP = {"dust": "keep"}


def board() -> Json:
    """The dashboard 总览."""
    made = Board()
    _air(made)
    _now(made)
    _lists(made)
    _tasks(made)
    return dashboard(
        "overview",
        "1 总览",
        "优良天数与年度任务、今日能否优良、断面达标、排口超标、未结告警、离线企业、年度许可排放量。点面板标题进入各看板。",
        made,
        [area(), edition(hidden=True)],
    )


def _air(made: Board) -> None:
    good, today, lately = air_levels()[0]["hex"], last(TODAY), last("3d")
    made.stat(
        "优良天数与年度任务", "本年度至今的优良天数（AQI ≤ 100），和年度任务要求的优良天数。没有任务的区域无数据。",
        [ask(m.AIR_BUDGET, {"优良天数": "last(good_days)", "年度任务": "last(task_days)"}, time=lately)],
        width=7, unit=UNITS["days"], names="value_and_name", thresholds=plain(good), links=AIR_LINK,
    )  # fmt: skip
    made.stat(
        "年度任务状态", "年度优良天数任务：已确保、进行中，或余下各日全部优良也不能完成（已失去）。",
        [ask(m.AIR_BUDGET, {"年度任务": "last(year_state)"}, time=lately, table=True)], unit="string",
        mode="background", names="value", fields="/^年度任务$/", thresholds=plain(GREY), mappings=state_mappings(),
        links=AIR_LINK,
    )  # fmt: skip
    made.stat(
        "还可有的非优良天数",
        "余下各日中最多还可有几天不优良（含无效天）而仍完成年度任务；任务已失去或没有任务时不适用。",
        [ask(m.AIR_BUDGET, {"还可有的非优良天数": "last(polluted_left)"}, time=lately)], unit=UNITS["days"],
        thresholds=plain(air_levels()[2]["hex"]), noValue="不适用", links=AIR_LINK,
    )  # fmt: skip
    made.stat(
        "今日能否优良", "按已过小时推算今日成为优良天的可能，和今日剩余的小时数；各污染物余下小时的上限见空气看板。",
        [ask(m.AIR_BUDGET, {"今日": "last(state)", "剩余": "last(hours_left)"}, time=today, table=True)],
        width=5, unit="string", mode="background", names="value_and_name", fields="/^(今日|剩余)$/",
        thresholds=plain(GREY), mappings=state_mappings(TODAY_NAMES),
        overrides=[column("剩余", unit=UNITS["hours"])],
        links=AIR_LINK,
    )  # fmt: skip
    made.stat(
        "当前空气质量", "最近 6 小时内最后一个有效小时的 AQI 和级别，颜色按 HJ 633 级别。",
        [
            ask(
                m.AIR_AQI_HOUR, {"AQI": "last(aqi)", "级别": "last(category)"}, fixed=KEEP, time=last("6h"),
                table=True,
            )
        ],
        unit=UNITS["index"], mode="background", names="value", fields="/^(AQI|级别)$/", thresholds=aqi_thresholds(),
        mappings=category_mappings(), links=AIR_LINK,
    )  # fmt: skip


def _now(made: Board) -> None:
    made.stat(
        "断面达标（最近一日）", "最近一个已评价日达到各自目标类别的断面个数，和有目标并已评价的断面个数。",
        [
            ask(
                m.WATER_SECTIONS, {"m": "last(meeting)", "t": "last(with_target)"}, follow=(), fixed={"span": "day"},
                time=last("3d"), group='"group"', around='sum("m") AS "达标", sum("t") AS "有目标"',
            )
        ],
        width=5, unit=UNITS["sections"], names="value_and_name", thresholds=plain(BLUE), links=WATER_LINK,
    )  # fmt: skip
    made.stat(
        "断面达标率（本月）", "本月至今达到各自目标类别的断面占有目标断面的百分比，按月均水质评价。",
        [
            ask(
                m.WATER_SECTIONS, {"m": "last(meeting)", "t": "last(with_target)"}, follow=(), fixed={"span": "month"},
                time=last("62d"), group='"group"', around='sum("m") / sum("t") * 100 AS "达标率"',
            )
        ],
        unit=UNITS["percent"], thresholds=plain(BLUE), decimals=1, links=WATER_LINK,
    )  # fmt: skip
    made.stat(
        "当前超标项",
        "超过有约束力限值（标准、许可）且不在豁免内的排口污染物项数：小时为最近一个小时，"
        "日均为最近一个已评价日（多为废水）；0 为没有。",
        [
            ask(
                m.OUTLET_JUDGED, {"n": "last(over)"}, follow=(), fixed={"span": span}, time=time,
                group='"enterprise", "outlet", "factor"', around=f'sum("n") AS "{name}"', ref=ref,
            )
            for ref, span, time, name in SPANS
        ],
        width=4, unit=UNITS["count"], thresholds=some_thresholds("red"), mode="background", names="value_and_name",
        links=OUTLETS_LINK,
    )  # fmt: skip
    made.stat(
        "离线企业", "目前因离线（监测数据中断）而有未结告警的企业个数；0 为全部在线。",
        [
            ask(
                m.ALERT, {"离线企业": "sum(active)"}, follow=(), fixed={"about": "silence", "kind": "emission"},
                also={"rules": "=~ /offline/"}, time=last("400d"),
            )
        ],
        width=4, unit=UNITS["episodes"], thresholds=some_thresholds("orange"), mode="background", noValue="无",
        links=ALERTS_LINK,
    )  # fmt: skip
    open_by_level(made, width=7, links=ALERTS_LINK)


def _lists(made: Board) -> None:
    made.lines(
        "每日 AQI", "所选时段内每个有效日的 AQI，颜色按 HJ 633 级别（绿、黄为优良天）；空缺为无效日。",
        [ask(m.AIR_DAY, {"日 AQI": "aqi"}, fixed=KEEP)], unit=UNITS["index"], thresholds=aqi_thresholds(), min=0,
        style={**BARS, "gradientMode": "scheme"}, links=AIR_LINK,
    )  # fmt: skip
    open_table(made, width=12, height=8, short=True, links=ALERTS_LINK)
    made.table(
        "各断面最近一日水质",
        "最近三天内各断面最后一个已评价日的水质类别、目标类别和是否达标，自上游而下。点断面名看其九项参数。",
        [
            names("section"),
            ask(
                m.WATER_CLASS, {"类别": "last(class)", "编号": "section", "主要污染指标": "main"}, follow=(),
                fixed={"span": "day"}, time=last("3d"), group='"section"', table=True,
                around='"编号", "类别", "主要污染指标"',
            ),
            ask(
                m.WATER_CLASS, {"目标": "last(target)", "编号": "section", "达标": "meets"}, follow=(),
                fixed={"span": "day"}, time=last("3d"), group='"section"', table=True, ref="B",
                around='"编号", "目标", "达标"',
            ),
        ],
        height=10, sort={}, narrow=70, transformations=beside("类别"), links=WATER_LINK,
        columns=[
            column("名称", displayName="断面", links=SECTION, custom__minWidth=110),
            column("编号", custom__hidden=True),
            column("类别", mappings=class_mappings(), custom__displayMode="color-background"),
            column("目标", mappings=class_mappings(), custom__displayMode="color-text"),
            column("达标", mappings=words({"1": "达标", "0": "未达标"}), custom__displayMode="color-text",
                   thresholds=_good_or_not()),
        ],
    )  # fmt: skip
    parts = {
        "企业": "enterprise", "排口": "outlet", "因子": "factor", "数值": "value", "限值": "limit", "级别": "level",
        "时段": "span",
    }  # fmt: skip
    ratio = {"企业": "enterprise", "排口": "outlet", "因子": "factor", "与限值之比": "ratio"}  # pH has none
    asked = [
        ask(
            m.OUTLET_JUDGED, columns, follow=(), fixed={"span": span}, also={"over": "= 1"}, time=time,
            order="time DESC LIMIT 100", table=True, ref=ref,
        )
        for columns, refs in ((parts, "AB"), (ratio, "CD"))
        for ref, (_, span, time, _) in zip(refs, SPANS, strict=True)
    ]  # fmt: skip
    made.table(
        "最近超标的排口",
        "最近三小时内超过有约束力限值的小时，和最近已评价日超过的日均值（多为废水），新的在前：与限值比较的数值"
        "（废气 mg/m³，废水 mg/L）、限值、数值与最严限值之比（pH 没有）和级别。空表为没有超标。点企业看其排口。",
        [*asked, names("enterprise|outlet")],
        height=10, sort={"时间": True}, narrow=60, keep_time=True, noValue="没有超标", links=OUTLETS_LINK,
        transformations=[*named("企业", "排口"), {"id": "merge", "options": {}}],
        columns=[
            column("Time", displayName="时间", unit=MOMENT, custom__width=100),
            column("企业", links=PLANT, custom__minWidth=150), column("排口", custom__minWidth=110),
            column("因子", mappings=factor_mappings(), custom__minWidth=110),
            column("与限值之比", decimals=2, custom__minWidth=85), column("时段", mappings=words(SPAN_NAMES)),
            column("级别", mappings=alert_mappings(), custom__displayMode="color-background"),
        ],
    )  # fmt: skip


def _good_or_not() -> Json:
    rows = air_levels()
    return {
        "mode": "absolute",
        "steps": [{"color": rows[3]["hex"], "value": None}, {"color": rows[0]["hex"], "value": 1}],
    }


def _tasks(made: Board) -> None:
    of = {"span": "year", **KEEP}
    made.table(
        "年度许可排放量",
        "各企业今年已用的许可排放量（吨，含按规定补充的缺失小时）、占许可量的百分比、今年已过的百分比、按近日排放推算的年末总量和将超许可的日期（空为不超）。点企业看其排口。",
        [
            ask(
                m.ENTERPRISE_PERMIT,
                {
                    "企业": "enterprise", "因子": "factor", "许可量": "permit", "已用": "used",
                    "已用比例": "used_percent", "年度进度": "of_year_percent", "推算年末": "year_end",
                    "将超日期": "exceeds_on",
                },
                follow=(), time=last(THIS_YEAR), table=True,
            ),
            names("enterprise"),
        ],
        width=14, height=9, sort={"已用比例": True}, narrow=70, links=OUTLETS_LINK, transformations=named("企业"),
        columns=[
            column("企业", links=PLANT, custom__minWidth=170),
            column("因子", mappings=factor_mappings(), custom__minWidth=120),
            *(column(name, unit=UNITS["t"], decimals=1) for name in ("许可量", "已用", "推算年末")),
            column("年度进度", unit=UNITS["percent"], decimals=0),
            column("已用比例", unit=UNITS["percent"], decimals=0, custom__displayMode="gradient-gauge", min=0, max=100,
                   custom__minWidth=150,
                   thresholds=permit_thresholds()),
        ],
    )  # fmt: skip
    made.table(
        "今年综合指数与同比",
        "本年度至今各口径的环境空气质量综合指数（越低越好），和与去年同期相比的变化（%，负数为改善）；不同口径不可相互比较。暂定：有效天数尚未达到评价要求，仅供参考。",
        [
            ask(
                m.AIR_INDEX, {"口径": "profile", "综合指数": "value", "性质": "provisional", "截至": "through"},
                fixed=of, time=last(THIS_YEAR), table=True,
            ),
            ask(
                m.AIR_CHANGE_INDEX, {"口径": "profile", "同比": "change"}, fixed=of, time=last(THIS_YEAR), ref="B",
                table=True,
            ),
        ],
        width=10, height=9, sort={"口径": False}, narrow=70, links=AIR_LINK,
        columns=[PROVISIONAL, PROFILES, INDEX, column("同比", unit=UNITS["percent"], decimals=1)],
        transformations=[{"id": "merge", "options": {}}],
    )  # fmt: skip
