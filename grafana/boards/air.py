"""2 空气: days of the year, now, today's budget, stations and townships, the six pollutants."""

from __future__ import annotations

from typing import Any

from grafana.boards.levels import air_levels, aqi_thresholds, category_mappings, hourly_limits
from grafana.boards.panels import (
    BARS,
    BLUE,
    GREY,
    LINE,
    UNITS,
    Board,
    choice,
    column,
    dashboard,
    matrix,
    named,
    of_words,
    plain,
    variable,
    words,
)
from grafana.boards.queries import Json, ask, last, names
from schemas import measurements as m
from schemas.registry import AIR_FACTORS, PUBLISHED_UNIT

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
DUST_NAMES = {"keep": "不扣除沙尘", "deduct": "扣除沙尘"}
TODAY_NAMES = {"open": "仍可优良", "safe": "已可确保"}
"""What says more of a day than of a year."""


def state_mappings(names: dict[str, str] | None = None) -> list[Json]:
    """States of a budget in Chinese, coloured as the level they stand for; some may have ``names`` of their own."""
    rows = air_levels()
    colours = {state: c if isinstance(c, str) else rows[c]["hex"] for state, (_, c) in STATES.items()}
    return words({state: text for state, (text, _) in STATES.items()} | (names or {}), colours)


def board() -> Json:
    """The dashboard 空气."""
    made = Board()
    year(made)
    now(made)
    budget(made)
    calendar(made)
    places(made)
    courses(made)
    periods(made)
    habits(made)
    tables(made)
    return dashboard(
        "air",
        "2 空气",
        "优良天数与年度任务、当前与每日 AQI、今日预算、日历、六项污染物、综合指数、乡镇排名、日变化。HJ 633 颜色。",
        made,
        variables(),
    )


IN_AREA = " WHERE \"area\" = '$area'"


def variables() -> list[Json]:
    """Of this dashboard."""
    return [
        area(),
        edition(),
        of_words("dust", "沙尘口径", "小时、日和各项统计是否扣除沙尘影响", DUST_NAMES, first="keep"),
        of_words("profile", "综合指数口径", "乡镇排名所用的综合指数口径", PROFILE_NAMES, first=DEFAULT_PROFILE),
        variable("source", "站点", "区域内的站点", m.AIR_HOUR, IN_AREA, every=True, many=True, hidden=True),
    ]


def area() -> Json:
    """The district, and no township."""
    return choice("area", "区域", "评价区域（区县）", "district")


def edition(*, hidden: bool = False) -> Json:
    """The edition of hours and days."""
    text = "小时与日评价所用的标准版本；All 为每日按其日期适用的版本"
    return variable("edition", "标准版本", text, m.AIR_DAY, IN_AREA, every=True, hidden=hidden)


THIS_YEAR = "366d"
"""Back to the first day of the year and to no earlier one; on 1 January, before a day of it is judged, to the last."""


def year(board: Board) -> None:
    """Days of the year so far."""
    so_far = last(THIS_YEAR)
    days = {"优良": "last(good_days)", "污染": "last(polluted_days)", "无效": "last(invalid_days)"}
    rows = air_levels()
    colours = {"优良": rows[0]["hex"], "污染": rows[3]["hex"], "无效": GREY}
    board.stat(
        "今年天数", "本年度至今优良天（AQI ≤ 100）、污染天（AQI > 100）和因数据不足不能评价的无效天各多少天；"
        "每日按其日期适用的标准版本评价。", [ask(m.AIR_YEAR, days, time=so_far)],
        width=7, unit=UNITS["days"], thresholds=plain(GREY), names="value_and_name",
        overrides=[column(name, color={"mode": "fixed", "fixedColor": c}) for name, c in colours.items()],
    )  # fmt: skip
    board.stat(
        "优良率", "优良天数 ÷ 有效天数 × 100%，保留一位小数；以及年度统计中最后一个已评价的日期。",
        [ask(m.AIR_YEAR, {"优良率": "last(ratio)", "统计截至": "last(through)"}, time=so_far, table=True)],
        width=6, unit="string", thresholds=plain(BLUE), names="value_and_name", fields="/^(优良率|统计截至)$/",
        overrides=[column("优良率", unit=UNITS["percent"], decimals=1)],
    )  # fmt: skip


def now(board: Board) -> None:
    """The last hour and the last day."""
    hour = last("6h")
    board.stat(
        "当前小时 AQI", "最近 6 小时内最后一个有效小时的空气质量指数，颜色按 HJ 633 级别。",
        [ask(m.AIR_AQI_HOUR, {"当前小时 AQI": "last(aqi)"}, time=hour)], unit=UNITS["index"],
        thresholds=aqi_thresholds(), mode="background",
    )  # fmt: skip
    category = {"当前级别": "last(category)", "首要污染物": "last(primary)"}
    board.stat(
        "当前级别与首要污染物", "最近 6 小时内最后一个有效小时的级别；AQI ≤ 50 时没有首要污染物。",
        [ask(m.AIR_AQI_HOUR, category, time=hour, table=True)], width=7, unit="string", mode="background",
        names="value_and_name", fields="/^(当前级别|首要污染物)$/", thresholds=plain(GREY),
        mappings=category_mappings(), overrides=[column("首要污染物", mappings=words({"": "无"}))],
    )  # fmt: skip


def budget(board: Board) -> None:
    """The rest of today, and the year's task."""
    lately = last("3d")
    board.stat(
        "今日能否优良",
        "按已过小时推算今日成为优良天的可能，和今日剩余的小时数；仍可优良表示余下小时不超过上限即为优良。",
        [ask(m.AIR_BUDGET, {"今日": "last(state)", "剩余": "last(hours_left)"}, time=last(TODAY), table=True)],
        width=6, unit="string", mode="background", names="value_and_name", fields="/^(今日|剩余)$/",
        thresholds=plain(GREY), mappings=state_mappings(TODAY_NAMES),
        overrides=[column("剩余", unit=UNITS["hours"])],
    )  # fmt: skip
    board.stat(
        "优良天数与年度任务", "本年度至今的优良天数，和年度任务要求的优良天数。没有任务的区域无数据。",
        [ask(m.AIR_BUDGET, {"优良天数": "last(good_days)", "年度任务": "last(task_days)"}, time=lately)],
        width=6, unit=UNITS["days"], names="value_and_name", thresholds=plain(air_levels()[0]["hex"]),
    )  # fmt: skip
    board.stat(
        "还可有的非优良天数",
        "余下各日中最多还可有几天不优良（含无效天）而仍完成年度任务；任务已失去或没有任务时不适用。",
        [ask(m.AIR_BUDGET, {"还可有的非优良天数": "last(polluted_left)"}, time=lately)],
        width=6, unit=UNITS["days"], thresholds=plain(air_levels()[2]["hex"]), noValue="不适用",
    )  # fmt: skip
    board.stat(
        "年度任务", "年度优良天数任务的状态：已确保、进行中，或余下各日全部优良也不能完成（已失去）。",
        [ask(m.AIR_BUDGET, {"年度任务": "last(year_state)"}, time=lately, table=True)], width=6, unit="string",
        mode="background", names="value", fields="/^年度任务$/", thresholds=plain(GREY), mappings=state_mappings(),
    )  # fmt: skip


TODAY = "24h"
"""Back to the start of today, and of no other day."""


def heads(rows: str, columns: str, **more: Any) -> Json:
    """The column of the rows' names."""
    return column(f"{rows}\\{columns}", custom__displayMode="auto", custom__width=90, **more)


def calendar(board: Board) -> None:
    """A month a row, a day a column."""
    board.table(
        "日历：最近十二个月每日 AQI",
        "每行一个月、每列一日，数字为该日的 AQI，颜色按 HJ 633 级别（绿、黄为优良天）；空白为无效日或尚未评价。"
        "截至所选时段的末尾，区域、版本与沙尘口径见上方选项。",
        [ask(m.AIR_DAY, {"月": "month", "日": "day", "AQI": "aqi"}, time=last(THIS_YEAR), table=True)],
        width=24, height=15, sort={}, columns=[heads("月", "日")], mode="color-background-solid", narrow=30,
        thresholds=aqi_thresholds(blank=True), empty=" ", transformations=matrix("月", "日", "AQI", "lastNotNull"),
    )  # fmt: skip


def places(board: Board) -> None:
    """Now: pollutants, stations, and what is left of the day."""
    aqi = aqi_thresholds()
    board.bars(
        "当前六项污染物分指数（IAQI）",
        "最近 6 小时内各污染物最后一个有效小时的空气质量分指数，颜色按 HJ 633 级别；最大者即为 AQI。",
        [ask(m.AIR_AREA_HOUR, {"IAQI": "last(iaqi)"}, time=last("6h"), group='"factor"', alias="$tag_factor")],
        unit=UNITS["index"], thresholds=aqi, min=0, max=300,
    )  # fmt: skip
    board.bars(
        "各站当前 AQI", "最近 6 小时内各站最后一个有效小时的空气质量指数，颜色按 HJ 633 级别。",
        [
            ask(
                m.AIR_STATION_HOUR, {"AQI": "last(aqi)", "站点": "source"}, fixed={"dust": "keep"}, time=last("6h"),
                group='"source"', around='"站点", "AQI"', table=True,
            ),
            names("station"),
        ],
        unit=UNITS["index"], thresholds=aqi, min=0, max=300, rows=True, transformations=named("站点"),
    )  # fmt: skip
    factors = {"污染物": "factor", "状态": "state", "全日上限": "ceiling"}
    board.table(
        "今日各污染物预算",
        "余下小时上限：余下各小时、各站都不超过此值，该污染物今日分指数即不超过 100。单位 μg/m³，CO 为 mg/m³。"
        "只有仍可优良的污染物才有余下小时上限。",
        [
            ask(m.AIR_BUDGET_FACTOR, factors, time=last(TODAY), table=True),
            ask(
                m.AIR_BUDGET_FACTOR, {"污染物": "factor", "余下小时上限": "at_most"}, time=last(TODAY), ref="B",
                table=True,
            ),
        ],
        width=8, sort={"污染物": False}, narrow=70,
        columns=[column("状态", mappings=state_mappings(TODAY_NAMES), custom__displayMode="color-text")],
        transformations=[{"id": "merge", "options": {}}],
    )  # fmt: skip


def courses(board: Board) -> None:
    """Days and hours over the chosen range."""
    aqi = aqi_thresholds()
    board.lines(
        "每日 AQI", "所选时段内每个有效日的 AQI，颜色按 HJ 633 级别；空缺为无效日。",
        [ask(m.AIR_DAY, {"日 AQI": "aqi"})], unit=UNITS["index"], thresholds=aqi, min=0,
        style={**BARS, "gradientMode": "scheme"},
    )  # fmt: skip
    board.lines(
        "小时 AQI", "所选时段内的小时 AQI；时段较长时取每段内的最大值。无效小时不画。",
        [ask(m.AIR_AQI_HOUR, {"小时 AQI": "max(aqi)"}, group="time($__interval) fill(null)")],
        unit=UNITS["index"], thresholds=aqi, min=0, style={**LINE, "gradientMode": "scheme"}, interval="1h",
    )  # fmt: skip
    limits, red = hourly_limits(), air_levels()[3]["hex"]
    for factor in AIR_FACTORS:
        unit = PUBLISHED_UNIT[factor]
        said = f"（{unit.replace('u', 'μ').replace('3', '³')}）"
        limit = limits.get(factor)
        line = f"红线为小时二级限值 {limit:g}（GB 3095-2026，至 2030 年）" if limit else "没有小时限值（GB 3095）"
        board.lines(
            f"{FACTOR_NAMES[factor]}小时浓度",
            f"区域内有效站点的{FACTOR_NAMES[factor]}小时平均浓度{said}；{line}。"
            "时段较长时取每段内的平均值，仅供看趋势，不用于评价。",
            [
                ask(
                    m.AIR_AREA_HOUR, {factor: "mean(value)"}, fixed={"factor": factor},
                    group="time($__interval) fill(null)",
                )
            ],
            width=8, height=7, unit=UNITS[unit], colour=FACTOR_COLOURS[factor], min=0, interval="1h",
            **(limit_line(limit, red) if limit else {}),
        )  # fmt: skip


def limit_line(limit: float, colour: str) -> Json:
    """A limit as a line across a panel of one fixed colour."""
    return {
        "style": {**LINE, "thresholdsStyle": {"mode": "line"}},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": "transparent", "value": None}, {"color": colour, "value": limit}],
        },
    }


def periods(board: Board) -> None:
    """The year: primary pollutants, composite index, townships."""
    of = {"span": "year"}
    board.bars(
        "今年首要污染物天数", "本年度至今各污染物为首要污染物的天数（AQI > 50 的日才有首要污染物，一日可有几项）。",
        [
            ask(
                m.AIR_STATISTIC, {"天数": "last(primary_days)"}, fixed=of, time=last(THIS_YEAR), group='"factor"',
                alias="$tag_factor",
            )
        ],
        unit=UNITS["days"], thresholds=plain(air_levels()[2]["hex"]), min=0,
    )  # fmt: skip
    indices = {"口径": "profile", "综合指数": "value", "性质": "provisional", "截至": "through"}
    board.table(
        "今年综合指数（各口径）与同比",
        "本年度至今各口径的综合指数，和与去年同期相比的变化（%，负数为改善）；不同口径不可相互比较。"
        "暂定：有效天数尚未达到评价要求，仅供参考。",
        [
            ask(m.AIR_INDEX, indices, fixed=of, time=last(THIS_YEAR), table=True),
            ask(
                m.AIR_CHANGE_INDEX, {"口径": "profile", "同比": "change"}, fixed=of, time=last(THIS_YEAR), ref="B",
                table=True,
            ),
        ],
        width=8, sort={"口径": False}, narrow=70,
        columns=[PROVISIONAL, PROFILES, INDEX, column("同比", unit=UNITS["percent"], decimals=1)],
        transformations=[{"id": "merge", "options": {}}],
    )  # fmt: skip
    order = {
        "月份": "period", "名次": "rank", "乡镇": "township", "综合指数": "value", "性质": "provisional",
    }  # fmt: skip
    board.table(
        "乡镇综合指数月排名",
        "各乡镇按所选口径的综合指数从低到高排名，数值相同名次并列；扣除沙尘。暂定：有效天数尚未达到评价要求，仅供参考。",
        [
            ask(
                m.AIR_RANKING, order, fixed={"dust": "deduct", "span": "month"}, time=last(MONTHS), order="time DESC",
                table=True,
            ),
            names("township"),
        ],
        width=8, sort={"月份": True, "名次": False}, columns=[PROVISIONAL, INDEX], narrow=70,
        transformations=named("乡镇"),
    )  # fmt: skip


MONTHS = "400d"
PROVISIONAL = column("性质", mappings=words({"true": "暂定", "false": "评价"}))
PROFILES = column("口径", mappings=words(PROFILE_NAMES))
INDEX = column("综合指数", decimals=3)
"""Three places, as the profiles of 2026 are rounded; Grafana would make 10.070 into 10.1."""


def habits(board: Board) -> None:
    """At which hours, on which days of the week."""
    cells: Json = {
        "width": 24, "height": 9, "sort": {}, "mode": "color-background-solid", "narrow": 38,
        "thresholds": aqi_thresholds(blank=True), "empty": " ", "decimals": 0,
    }  # fmt: skip
    board.table(
        "日变化：各污染物各时刻的平均分指数（近 30 天）",
        "每行一项污染物、每列一个时刻（01 为 00:00 至 01:00），数字为近 30 天该时刻 IAQI 的平均，颜色按 HJ 633 级别，"
        "只供看规律：臭氧多在午后，颗粒物多在夜间和早晨。空白为没有分指数。",
        [ask(m.AIR_AREA_HOUR, {"污染物": "factor", "时": "hour", "IAQI": "iaqi"}, time=last("30d"), table=True)],
        columns=[heads("污染物", "时")], transformations=matrix("污染物", "时", "IAQI", "mean"), **cells,
    )  # fmt: skip
    week = {str(n): f"周{name}" for n, name in enumerate("一二三四五六日", 1)}
    board.table(
        "周变化：一周各时刻的平均 AQI（近 13 周）",
        "每行星期几、每列一个时刻（01 为 00:00 至 01:00），数字为近 13 周该时刻小时 AQI 的平均，颜色按 HJ 633 级别，"
        "只供看规律：工作日与周末、早晚高峰的差别。",
        [ask(m.AIR_AQI_HOUR, {"星期": "weekday", "时": "hour", "AQI": "aqi"}, time=last("91d"), table=True)],
        columns=[heads("星期", "时", mappings=words(week))], transformations=matrix("星期", "时", "AQI", "mean"),
        **cells,
    )  # fmt: skip


def tables(board: Board) -> None:
    """Months, and the province beside us."""
    indices = {"月份": "period", "口径": "profile", "综合指数": "value", "性质": "provisional", "截至": "through"}
    board.table(
        "各月综合指数（各口径）",
        "所选区域最近十三个月的综合指数，每种口径一行；不同口径不可相互比较。暂定：有效天数尚未达到评价要求，仅供参考。",
        [ask(m.AIR_INDEX, indices, fixed={"span": "month"}, time=last(MONTHS), order="time DESC", table=True)],
        sort={"月份": True, "口径": False}, columns=[PROVISIONAL, PROFILES, INDEX], narrow=70,
    )  # fmt: skip
    days = {"日期": "period", "我方": "ours", "公布": "published", "差异原因": "cause", "缺测站时": "hours_missing"}
    board.table(
        "与省级公布值对照",
        "所选时段内省级已公布的每一日：我方与公布的 AQI 和首要污染物、差异原因，以及本地缺少的站点小时数。",
        [ask(m.AIR_DIFFERENCE, days, order="time DESC", table=True)], sort={"日期": True},
        narrow=70, noValue="没有公布值",
        columns=[column("差异原因", mappings=words(CAUSES)), column("缺测站时", unit=UNITS["hours"])],
    )  # fmt: skip
