"""6 系统运行: do the parts live, do they keep up, and what could not be used."""

from __future__ import annotations

from typing import Any

from grafana.boards.emission_levels import some_thresholds
from grafana.boards.levels import air_levels, alert_colours
from grafana.boards.panels import BARS, BLUE, INSTANT, UNITS, Board, column, dashboard, plain, words
from grafana.boards.queries import Json, ask, last
from schemas import measurements as m
from schemas.health import HEALTH, PART_ZH

ALIVE = "up_since"
"""What every part says each half minute."""
SILENT = "没有部件报告"
SERIES = '"part", "instance", "about"'
LINE = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "never", "spanNulls": 180_000}


def board() -> Json:
    """The dashboard 系统运行."""
    made = Board()
    _now(made)
    _parts(made)
    _keeping_up(made)
    _rates(made)
    _resources(made)
    for panel in made.panels:
        defaults = panel["fieldConfig"]["defaults"]
        if defaults["noValue"] == "无数据":
            defaults["noValue"] = SILENT
    _letters(made)
    return dashboard(
        "pipeline",
        "6 系统运行",
        "各部件是否在运行、是否跟得上（积压、时钟滞后、速率）、入库等待、内存和重启，以及无法使用的数据（死信）。"
        "各部件每半分钟报告一次。",
        made,
        [],
        since="now-6h",
        refresh="30s",
    )


def _now(made: Board) -> None:
    made.stat(
        "在线部件", "最近两分钟内报告过的部件数（同一部件的多个实例分别计）。少于平时，看下面的心跳图是哪一个无声。",
        [
            ask(m.PIPELINE, {"n": "count(value)"}, fixed={"name": ALIVE}, time=last("2m"), group=SERIES,
                around='count("n") AS "在线"')
        ],
        unit="none", thresholds=plain(BLUE),
    )  # fmt: skip
    for name, how, thresholds, text in (
        ("lag", "sum", plain(BLUE), "各部件尚未取走的消息合计（条）。持续增长说明有部件跟不上或停了。"),
        ("tick_age", "max", plain(BLUE), "墙上时钟减日志的“现在”（秒），取最大的分区。"
        "实时日志超过 120 秒说明没有写入者（docs/kernel.md）。"),
    ):  # fmt: skip
        number = HEALTH[name]
        made.stat(
            number.zh, text,
            [
                ask(m.PIPELINE, {"n": "last(value)"}, fixed={"name": name}, time=last("2m"), group=SERIES,
                    around=f'{how}("n") AS "{number.zh}"')
            ],
            unit=UNITS[number.unit], thresholds=thresholds,
        )  # fmt: skip
    made.stat(
        "死信（24 小时）", "最近 24 小时内无法使用而写入死信的数据条数；0 为没有。最近的死信见页尾，处理："
        "envstream dead list、retry。",
        [ask(m.DEAD_LETTER, {"n": "sum(letters)"}, time=last("24h"), group='"topic"', around='sum("n") AS "死信"')],
        unit=UNITS["letters"], thresholds=some_thresholds("yellow"), noValue="0",
    )  # fmt: skip
    made.stat(
        "重启次数", "所选时段内各部件的进程又启动了几次：启动时刻变了一次即一次。0 为没有。新增的实例不算。",
        [
            ask(m.PIPELINE, {"n": "count(distinct(value))"}, fixed={"name": ALIVE}, group=SERIES,
                around='sum("n") - count("n") AS "重启"')
        ],
        unit="none", thresholds=some_thresholds("yellow"),
    )  # fmt: skip
    number = HEALTH["memory"]
    made.stat(
        f"{number.zh}（合计）", "各部件常驻内存合计。",
        [
            ask(m.PIPELINE, {"n": "last(value)"}, fixed={"name": "memory"}, time=last("2m"), group=SERIES,
                around=f'sum("n") AS "{number.zh}"')
        ],
        unit=UNITS[number.unit], thresholds=plain(BLUE),
    )  # fmt: skip


def _parts(made: Board) -> None:
    made.timeline(
        "心跳", "各部件在相邻两段时间内是否报告过：绿为报告过，红为无声（停了、卡死，或日志不可写）。名称后为实例。",
        [
            ask(m.PIPELINE, {"报告": "moving_average(count(value), 2)"}, fixed={"name": ALIVE}, group=
            f"time($__interval), {SERIES} fill(0)",
                alias="$tag_part $tag_instance")
        ],
        width=14, height=9, unit="none", interval="2m", names=False,
        mappings=[
            {"type": "value", "options": {"0": {"index": 0, "text": "无声", "color": alert_colours()["red"]}}},
            {"type": "range", "options": {
                "from": 0.01, "to": None, "result": {"index": 1, "text": "在线", "color": air_levels()[0]["hex"]},
            }},
        ],
        transformations=_names(),
    )  # fmt: skip
    made.table(
        "部件", "最近一天内报告过的部件和实例：最后一次报告的时刻（正常在半分钟左右以前），进程到那时已运行多久。",
        [
            ask(
                m.PIPELINE, {"n": "last(value)"}, fixed={"name": ALIVE}, time=last("1d"), group=SERIES,
                around='(${__to} / 1000 - "n") / 3600 AS "运行时长"', around_group='"part", "instance"', table=True,
            )
        ],
        width=10, height=9, sort={"部件": False}, keep_time=True,
        columns=[
            column("Time", displayName="最后报告", unit="time:MM-DD HH:mm:ss"),
            column("part", displayName="部件", mappings=words(PART_ZH)), column("instance", displayName="实例"),
            column("运行时长", unit=UNITS["hours"], decimals=1),
        ],
    )  # fmt: skip


def _names() -> list[Json]:
    """Chinese names of the parts at the beginning of the names of series."""
    return [
        {"id": "renameByRegex", "options": {"regex": f"^{part} (.*)", "renamePattern": f"{zh} $1"}}
        for part, zh in PART_ZH.items()
    ]


def _keeping_up(made: Board) -> None:
    for name, text in (
        ("lag", "各部件在各主题上尚未取走的消息（条）。正常时接近 0；回放或恢复时先升后降；只升不降就要去看那个部件。"),
        ("tick_age", "墙上时钟减各主题日志的“现在”（秒）。实时日志应在两分钟内；回放、仿真的日志没有意义。"),
    ):
        _over_time(made, name, text, width=12)


def _rates(made: Board) -> None:
    for name, text in (
        ("received", "网关和数据接入每分钟写入日志的报文数。"),
        ("judged", "评价部件每分钟评价的消息数，按主题。"),
        ("stored", "入库部件每分钟写入存储的行数。"),
    ):
        _over_time(made, name, text, rate=True)
    for name, text in (
        ("store_waits", "入库部件每分钟因存储忙而等待的次数：持续不为 0 说明 InfluxDB 太慢或停了。"),
        ("waiting", "已收到、尚未写入日志的报文：持续增长说明 Kafka 不可写。"),
        ("checkpoint", "评价部件最近一次检查点的用时（秒），按主题：超过会话的四分之一就要去看（docs/kernel.md）。"),
    ):
        _over_time(made, name, text, rate=name == "store_waits")


def _resources(made: Board) -> None:
    for name, text in (
        ("memory", "各部件的常驻内存。应当平稳；一直升就是泄漏。"),
        ("cpu", "各部件占用的处理器核数（每秒处理器时间）：接近 1 说明单核已满。"),
        ("told", "每分钟推送尝试次数，按结果。"),
    ):
        _over_time(made, name, text, rate=name != "memory")


def _over_time(made: Board, name: str, text: str, *, rate: bool = False, width: int = 8) -> None:
    number = HEALTH[name]
    per = "1s" if name == "cpu" else "1m"
    expression = f"non_negative_derivative(last(value), {per})" if rate else "max(value)"
    title = f"{number.zh}（{'核' if name == 'cpu' else '每分钟'}）" if rate else number.zh
    unit = "none" if name == "cpu" else UNITS[number.unit]
    shown: dict[str, Any] = {"alias": "$tag_part $tag_about $tag_instance"}
    made.lines(
        title, text,
        [
            ask(m.PIPELINE, {number.zh: expression}, fixed={"name": name}, group=
            f"time($__interval), {SERIES} fill(none)",
                **shown)
        ],
        unit=unit, width=width, height=8, style=LINE, legend=True, interval="1m", min=0,
        transformations=[
            *_names(), {"id": "renameByRegex", "options": {"regex": "(.*) - (.*)", "renamePattern": "$1 $2"}},
        ],
    )  # fmt: skip


def _letters(made: Board) -> None:
    made.lines(
        "每小时死信", "每小时无法使用的数据条数，按来自的主题。",
        [
            ask(m.DEAD_LETTER, {"死信": "sum(letters)"}, group='time(1h), "topic" fill(none)', alias="$tag_topic",
                time=last("7d"))
        ],
        unit=UNITS["letters"], width=8, height=9, style=BARS, legend=True, min=0, relative="7d",
    )  # fmt: skip
    made.table(
        "最近的死信", "最近 7 天无法使用的数据：收到时间、来自的主题、原因和编号（envstream dead list、retry 用）。",
        [ask(m.DEAD_LETTER, {"主题": "topic", "原因": "reason", "编号": "id"}, time=last("7d"), order="time DESC",
             table=True)],
        width=16, height=9, sort={"收到时间": True}, keep_time=True,
        columns=[
            column("Time", displayName="收到时间", unit=INSTANT, custom__width=160),
            column("主题", custom__width=140), column("编号", custom__width=220),
        ],
    )  # fmt: skip
