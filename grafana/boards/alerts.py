"""5 告警值班: what is open and who has it, how soon it was taken, why it was, and who was told."""

from __future__ import annotations

from typing import Any

from desk.web.words import ABOUT, CHANNELS, KIND, MUTED, RULES
from grafana.boards.emission_levels import GAS, WASTE_WATER, named_factor
from grafana.boards.levels import air_levels, alert_colours, alert_mappings
from grafana.boards.panels import (
    BARS,
    BLUE,
    GREY,
    MOMENT,
    UNITS,
    Board,
    column,
    dashboard,
    named,
    of_words,
    plain,
    words,
)
from grafana.boards.queries import PERSON, Json, ask, last, names
from grafana.boards.water_levels import items
from schemas import measurements as m
from schemas.alerts import CAUSE_ZH, DELIVERY_ZH, FAILED, GAVE_UP, LEVEL_ZH, LEVELS, STATE_ZH
from schemas.names import name_zh
from schemas.registry import AIR_FACTORS
from schemas.registry.words import MEASURES_ZH

DESK = "http://localhost:8088"
"""Where the browser of whoever looks finds the duty desk; ``docs/dashboards.md`` says how to change it."""
ALERT_LINK = [
    {"title": "在值班台打开", "url": f"{DESK}/alert?id=${{__data.fields.编号:percentencode}}", "targetBlank": True}
]
DESK_LINK = [{"title": "值班台", "url": f"{DESK}/", "targetBlank": True}]
STANDING = "400d"
"""An alert stands at the time it was opened; one that is still open may have been for long."""
FOLLOW = ("kind",)
FALLING = tuple(reversed(LEVELS))
"""Red first."""


def board() -> Json:
    """The dashboard 告警值班."""
    made = Board()
    _open(made)
    _times(made)
    _why(made)
    _told(made)
    _all(made)
    return dashboard(
        "alerts",
        "5 告警值班",
        "未结告警和处置人、确认与恢复用时、每日告警数、原因、推送结果。处置在值班台进行。",
        made,
        [
            of_words(
                "kind", "类别", "空气、水、企业排放，或监测系统自身；All 为全部",
                {kind: zh for kind, (zh, _) in KIND.items()}, every=True,
            ),
        ],
    )  # fmt: skip


def about_mappings() -> list[Json]:
    """What an alert may be about, in Chinese: a factor, a rule, or a word for several."""
    factors = dict.fromkeys((*AIR_FACTORS, *items(), *GAS, *WASTE_WATER))
    names = {factor: named_factor(factor, name_zh(factor)) for factor in factors}
    return words({**names, **MEASURES_ZH, **{word: zh for word, (zh, _) in {**RULES, **ABOUT}.items()}})


def by_level(parts: dict[str, str], also: dict[str, str] | None = None, **more: Any) -> list[Json]:
    """The same question for each level, red first: the level is a field, for it may rise.

    A column that is named ``$`` has the name of the level.
    """
    return [
        ask(
            m.ALERT, {LEVEL_ZH[level] if name == "$" else name: said for name, said in parts.items()},
            also={**(also or {}), "level": f"= '{level}'"}, ref=ref, **more,
        )
        for ref, level in zip("ABCD", FALLING, strict=True)
    ]  # fmt: skip


def open_by_level(board: Board, *, width: int, links: list[Json] | None = None, follow: tuple[str, ...] = ()) -> None:
    """How many alerts of each level are open."""
    colours = alert_colours()
    steps = {
        level: {"mode": "absolute", "steps": [{"color": GREY, "value": None}, {"color": colours[level], "value": 1}]}
        for level in LEVELS
    }
    board.stat(
        "未结告警", "目前还没有处置完的告警，每个级别多少件（红最高；蓝只在屏上提示，不推送）。灰色为没有。",
        by_level({"$": "sum(active)"}, time=last(STANDING), follow=follow),
        width=width, unit=UNITS["episodes"], thresholds=plain(GREY), names="value_and_name", mode="background",
        noValue="无", overrides=[column(LEVEL_ZH[level], thresholds=steps[level]) for level in FALLING], links=links,
    )  # fmt: skip


def open_table(
    board: Board, *, width: int, height: int, short: bool = False, links: list[Json] | None = None,
    follow: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """What is open, red first, then the newest."""
    hidden = ("编号", "分组", "对象", *(("类别", "状态", "通知人数") if short else ()))
    parts = {
        "级别": "level", "名称": "name", "事项": "about", "类别": "kind", "状态": "state", "处置人": "holder",
        "已持续": "age(began)", "通知人数": "told", "对象": "subject", "分组": "group", "编号": "id",
    }  # fmt: skip
    board.table(
        "未结告警清单", "还没有处置完的告警，按级别从高到低、同级新的在前。已持续：从发生到所选时段末尾的小时数；"
        "处置人为空表示还没有人确认。点名称到值班台处置。",
        [
            *by_level(
                parts, also={"active": "= 1"}, time=last(STANDING), follow=follow, order="time DESC LIMIT 100",
                table=True,
            ),
            names("person", called=PERSON),
        ],
        width=width, height=height, sort={}, narrow=60, noValue="没有未结告警", keep_time=True,
        columns=[
            column("Time", displayName="发现时间", unit=MOMENT, custom__hidden=short),
            *standing(), column("已持续", unit=UNITS["hours"], decimals=1),
            *(column(name, custom__hidden=True) for name in hidden),
        ],
        transformations=[*named("处置人", called=PERSON), {"id": "merge", "options": {}}], links=links,
    )  # fmt: skip


def standing() -> list[Json]:
    """Columns of an alert as it stands."""
    return [
        column("级别", mappings=alert_mappings(), custom__displayMode="color-background", custom__width=70),
        column("名称", links=ALERT_LINK, custom__minWidth=210),
        column("事项", mappings=about_mappings(), custom__minWidth=120),
        column("类别", mappings=words({kind: zh for kind, (zh, _) in KIND.items()})),
        column("状态", mappings=words(STATE_ZH)),
        column("通知人数", unit=UNITS["people"]),
    ]


def _open(made: Board) -> None:
    good, bad = air_levels()[0]["hex"], alert_colours()["orange"]
    open_by_level(made, width=10, links=DESK_LINK, follow=FOLLOW)
    made.stat(
        "待确认", "已发现而还没有人确认的告警件数；0 为全部有人负责。",
        [ask(m.ALERT, {"待确认": "sum(unacknowledged)"}, time=last(STANDING), follow=FOLLOW)],
        unit=UNITS["episodes"], noValue="无", mode="background", links=DESK_LINK,
        thresholds={"mode": "absolute", "steps": [{"color": good, "value": None}, {"color": bad, "value": 1}]},
    )  # fmt: skip
    for title, field, text in (
        ("确认用时", "to_acknowledge", "所选时段内发现的告警，从发现到有人确认用了多少分钟"),
        ("恢复用时", "to_resolve", "所选时段内发现的告警，从发现到恢复或关闭用了多少分钟"),
    ):
        text += "：一半在中位数以内，九成在第二个数以内。"
        parts = {"中位数": f"median({field})", "九成以内": f"percentile({field}, 90)"}
        made.stat(
            title, text, [ask(m.ALERT, parts, follow=FOLLOW)], width=5, unit=UNITS["min"], thresholds=plain(BLUE),
            names="value_and_name", decimals=0,
        )  # fmt: skip
    open_table(made, width=24, height=10, follow=FOLLOW)


def _times(made: Board) -> None:
    colours = alert_colours()
    made.lines(
        "每日新告警（按级别）", "所选时段内每天发现的告警件数，颜色为最高达到的级别；蓝色只在屏上提示，不推送。",
        by_level({"$": "count(told)"}, follow=FOLLOW, group="time(1d) fill(none)"),
        unit=UNITS["episodes"], legend=True, min=0, decimals=0, interval="1d",
        style={**BARS, "stacking": {"mode": "normal", "group": "A"}},
        overrides=[
            column(LEVEL_ZH[level], color={"mode": "fixed", "fixedColor": colours[level]}) for level in FALLING
        ],
    )  # fmt: skip
    made.lines(
        "每日确认用时中位数", "每天发现并已确认的告警，从发现到确认的分钟数的中位数：越低，值班响应越快。",
        [ask(m.ALERT, {"确认用时": "median(to_acknowledge)"}, follow=FOLLOW, group="time(1d) fill(none)")],
        unit=UNITS["min"], colour=BLUE, min=0, interval="1d", style=BARS,
    )  # fmt: skip


def _why(made: Board) -> None:
    causes = {**CAUSE_ZH, "": "未填写"}
    made.bars(
        "告警原因", "所选时段内发现的告警由值班员判定的原因，各多少件；未填写的尚未关闭或没有判定。",
        [
            ask(m.ALERT, {zh: "count(told)"}, also={"cause": f"= '{cause}'"}, follow=FOLLOW, ref=ref)
            for ref, (cause, zh) in zip("ABCDEFG", causes.items(), strict=True)
        ],
        unit=UNITS["episodes"], thresholds=plain(BLUE), min=0, noValue="无",
    )  # fmt: skip
    count = {"告警数": "count(told)", "推送的": "sum(loud)"}
    blue = {"mode": "fixed", "fixedColor": BLUE}
    bar = column("告警数", unit=UNITS["episodes"], custom__displayMode="gradient-gauge", min=0, color=blue)
    loud = column("推送的", unit=UNITS["episodes"])
    made.table(
        "告警最多的事项",
        "所选时段内各事项（因子、规则或数据缺失）的告警件数；推送的：通知了人的，其余只在屏上提示或并入其他。",
        [ask(m.ALERT, count, group='"about"', follow=FOLLOW, table=True)], width=8, sort={"告警数": True}, narrow=70,
        columns=[column("about", displayName="事项", mappings=about_mappings()), bar, loud],
    )  # fmt: skip
    made.table(
        "告警最多的对象",
        "所选时段内各排口、断面、站点或企业的告警件数；推送的：通知了人的，其余只在屏上提示或并入其他。",
        [ask(m.ALERT, {"名称": "mode(name)", **count}, group='"subject"', follow=FOLLOW, table=True)], width=8,
        sort={"告警数": True}, narrow=70, columns=[
            column("subject", custom__hidden=True), column("名称", custom__minWidth=210), bar, loud,
        ],
    )  # fmt: skip


def _told(made: Board) -> None:
    good, red = air_levels()[0]["hex"], alert_colours()["red"]
    channels = words({name: zh for name, (zh, _) in CHANNELS.items()})
    made.table(
        "各渠道推送结果", "所选时段内各推送渠道的次数：送达以渠道应答成功为准；失败的换下一渠道再试；"
        "全部失败表示这个人哪条渠道都没有收到。",
        [
            ask(
                m.DELIVERY, {"送达": "sum(sent)", "失败": "sum(failed)", "全部失败": "sum(gave_up)"},
                group='"channel"', table=True,
            )
        ],
        width=8, sort={"送达": True}, narrow=60, noValue="无",
        columns=[
            column("channel", displayName="渠道", mappings=channels),
            *(
                column(
                    name, unit=UNITS["deliveries"], custom__displayMode="color-text",
                    thresholds={"mode": "absolute", "steps": [
                        {"color": GREY, "value": None}, {"color": colour, "value": 1},
                    ]},
                )
                for name, colour in (("送达", good), ("失败", alert_colours()["orange"]), ("全部失败", red))
            ),
        ],
    )  # fmt: skip
    made.table(
        "未送达的推送", "所选时段内失败的推送，新的在前：渠道、人员、服务商返回的代码和说明。",
        [
            ask(
                m.DELIVERY,
                {
                    "渠道": "channel", "人员": "person", "分组": "group", "结果": "state", "状态码": "status",
                    "代码": "code", "说明": "words",
                },
                also={"state": f"=~ /^({FAILED}|{GAVE_UP})$/"}, order="time DESC LIMIT 100", table=True,
            ),
            names("person", called=PERSON),
        ],
        width=16, sort={}, narrow=70, keep_time=True, noValue="没有失败的推送",
        transformations=named("人员", called=PERSON),
        columns=[
            column("Time", displayName="时间", unit=MOMENT), column("渠道", mappings=channels),
            column("结果", mappings=words(DELIVERY_ZH)), column("分组", custom__hidden=True),
            column("说明", custom__minWidth=320),
        ],
    )  # fmt: skip


def _all(made: Board) -> None:
    parts = {
        "级别": "level", "名称": "name", "事项": "about", "类别": "kind", "状态": "state", "处置人": "holder",
        "原因": "cause", "静默": "muted", "通知人数": "told", "对象": "subject", "分组": "group", "编号": "id",
    }  # fmt: skip
    made.table(
        "告警记录", "所选时段内发现的最近 500 件告警及其现状；静默的没有通知人。点名称到值班台看全部经过。",
        [ask(m.ALERT, parts, follow=FOLLOW, order="time DESC LIMIT 500", table=True), names("person", called=PERSON)],
        width=24, height=12, sort={}, narrow=60, keep_time=True, transformations=named("处置人", called=PERSON),
        columns=[
            column("Time", displayName="发现时间", unit=MOMENT), *standing(),
            column("原因", mappings=words(CAUSE_ZH)),
            column("静默", mappings=words({word: zh for word, (zh, _) in MUTED.items()})),
            *(column(name, custom__hidden=True) for name in ("编号", "对象", "分组")),
        ],
    )  # fmt: skip
