"""A filled log: an evening in the example district, as its agents and people would have written it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path

from schemas import blocks, times, topics
from schemas.actions import complete, draft
from schemas.alerts import Delivery, Entry, Episode, Member, Notice, Recipient
from schemas.messages import AirBudget, AirPeriod, AirVerdict, encode, key
from schemas.messages_emission import Judged, OutletHour
from schemas.messages_water import WaterVerdict
from schemas.registry import Registry, load

DISTRICT = Path(__file__).resolve().parents[2] / "districts" / "example"
NOW_S = times.parse_text("2026-11-30T20:36")
MINUTE_MS = 60_000

Message = tuple[str, bytes | None, bytes]

LEVELS = (  # as verdicts of HJ 633 carry them
    (50, 1, "优", "#00E400"),
    (100, 2, "良", "#FFFF00"),
    (150, 3, "轻度污染", "#FF7E00"),
    (200, 4, "中度污染", "#FF0000"),
    (300, 5, "重度污染", "#99004C"),
    (500, 6, "严重污染", "#7E0023"),
)


def registry() -> Registry:
    """The example district."""
    return load(DISTRICT)


def message(registry: Registry) -> Message:
    """It, as the log has it."""
    return topics.REGISTRY, b"registry", blocks.encode(blocks.RegistryVersion("gw", registry.digest, registry.text, 0))


def ms(minutes_ago: float) -> int:
    """An instant before now, epoch ms."""
    return int(NOW_S * 1000 - minutes_ago * MINUTE_MS)


def episode(name: str, /, **what: object) -> Episode:
    """An open alert of a sinter head, and what is other."""
    fields: dict[str, object] = {
        "id": name,
        "group": "lanfeng-steel",
        "kind": "emission",
        "subject": "lanfeng-sinter-head",
        "name": "岚峰钢铁 1号烧结机头",
        "about": "NOx",
        "began": NOW_S - 3 * 3600 - 36 * 60,
        "level": "red",
        "state": "open",
        "opened": ms(36),
        "updated": ms(5),
        "rules": ["over-limit"],
        "history": [Entry(ms(36), "opened", level="orange"), Entry(ms(5), "level-raised", level="red")],
    }
    return Episode(**{**fields, **what})  # type: ignore[arg-type]


def of(message: Episode | Notice | Delivery) -> Message:
    """A message of an alert on its topic."""
    if isinstance(message, Episode):
        return topics.EPISODES, message.id.encode(), encode(message)
    if isinstance(message, Notice):
        return topics.NOTICES, message.episode.encode(), encode(message)
    return topics.DELIVERIES, message.notice.encode(), encode(message)


def notice(
    name: str, of_episode: str, reason: str, level: str, minutes: float, to: list[Recipient], title: str
) -> Notice:
    """Something to tell."""
    return Notice(
        name,
        of_episode,
        "g",
        "emission",
        reason,
        level,
        ms(minutes),
        to,
        title,
        title,
        "NOx above its limit",
        "NOx超标",
    )


def delivery(
    of_notice: Notice, person: str, channel: str, attempt: int, state: str, minutes: float, **more: object
) -> Delivery:
    """What became of it."""
    fields: dict[str, object] = {
        "id": f"{of_notice.id}|{person}|{channel}|{attempt}|{state}",
        "notice": of_notice.id,
        "episode": of_notice.episode,
        "group": "g",
        "person": person,
        "channel": channel,
        "attempt": attempt,
        "state": state,
        "at": ms(minutes),
    }
    return Delivery(**{**fields, **more})  # type: ignore[arg-type]


def alerts() -> Iterator[Message]:
    """Seven open alerts and two that are finished."""
    red = episode(
        "ep-nox",
        members=[
            Member(
                "m1",
                "over-limit",
                "lanfeng-sinter-head",
                "1号烧结机头",
                "NOx",
                "red",
                NOW_S - 3 * 3600,
                NOW_S,
                True,
                {"value": "87.5", "limit": "50", "unit": "mg/m3", "hours": "3"},
            ),
            Member(
                "m2",
                "suspect",
                "lanfeng-sinter-head",
                "1号烧结机头",
                "NOx",
                "yellow",
                NOW_S - 7200,
                NOW_S - 900,
                False,
                {"title": "还原剂停供", "title_en": "no reagent", "reason": "氨水流量为零而负荷 92 %"},
            ),
        ],
        rules=["over-limit", "suspect"],
    )
    yield of(red)
    first = notice(
        "n1",
        "ep-nox",
        "first",
        "orange",
        35,
        [Recipient("guo", "duty"), Recipient("wang-chief", "chief")],
        "【橙色】岚峰钢铁 1号烧结机头 NOx 超标 1.4 倍",
    )
    raised = notice(
        "n2",
        "ep-nox",
        "level-raised",
        "red",
        5,
        [Recipient("guo", "duty"), Recipient("zhao-director", "director")],
        "【红色】岚峰钢铁 1号烧结机头 NOx 连续 3 小时超标",
    )
    yield of(first)
    yield of(raised)
    yield of(delivery(first, "guo", "dingtalk", 1, "failed", 34.9, status=200, code="310000", words="sign not match"))
    yield of(delivery(first, "guo", "sms", 1, "sending", 34.8))
    yield of(delivery(first, "guo", "sms", 1, "sent", 34.7, status=200, final=True))
    yield of(delivery(first, "wang-chief", "wecom", 1, "sent", 34.6, status=200, code="0", final=True))
    yield of(delivery(raised, "guo", "dingtalk", 1, "sent", 4.9, status=200, code="0", final=True))
    yield of(delivery(raised, "zhao-director", "sms", 1, "sent", 4.8, status=200, final=True))
    yield of(
        episode(
            "ep-so2",
            subject="lanfeng-sinter-tail",
            name="岚峰钢铁 1号烧结机尾",
            about="PM",
            level="orange",
            state="acknowledged",
            opened=ms(78),
            acknowledged=ms(66),
            acknowledged_by="guo",
            holder="guo",
            history=[
                Entry(ms(78), "opened", level="orange"),
                Entry(ms(66), "acknowledge", "guo", "确认收到，开始核实"),
            ],
        )
    )
    yield of(
        episode(
            "ep-wave",
            group="zhuozhang",
            kind="water",
            subject="shihui-bridge",
            name="史回桥",
            about="NH3N",
            level="orange",
            state="handling",
            opened=ms(190),
            acknowledged=ms(180),
            acknowledged_by="guo",
            holder="guo",
            rules=["water-level"],
            children=["ep-wave-2"],
            history=[
                Entry(ms(190), "opened", level="yellow"),
                Entry(ms(180), "acknowledge", "guo", "确认收到，开始核实"),
                Entry(ms(150), "handle", "guo", "已请店上镇派人到上游巡查"),
            ],
            members=[
                Member(
                    "m3",
                    "water-level",
                    "shihui-bridge",
                    "史回桥",
                    "NH3N",
                    "orange",
                    NOW_S - 11400,
                    NOW_S,
                    True,
                    {"value": "1.62", "limit": "1.0", "unit": "mg/L", "hours": "3"},
                )
            ],
        )
    )
    yield of(
        episode(
            "ep-wave-2",
            group="zhuozhang",
            kind="water",
            subject="shiliang",
            name="石梁",
            about="NH3N",
            level="yellow",
            parent="ep-wave",
            opened=ms(60),
            rules=["water-level"],
        )
    )
    silent = episode(
        "ep-silent",
        subject="lanfeng-hot-stove",
        name="岚峰钢铁 2号高炉热风炉",
        about="silence",
        level="yellow",
        opened=ms(41),
        rules=["offline"],
    )
    yield of(silent)
    told = notice(
        "n3",
        "ep-silent",
        "first",
        "yellow",
        41,
        [Recipient("guo", "duty"), Recipient("lanfeng-contact", "enterprise")],
        "【黄色】离线",
    )
    yield of(told)
    yield of(delivery(told, "guo", "dingtalk", 1, "sent", 40.9, status=200, final=True))
    yield of(
        delivery(
            told, "lanfeng-contact", "wecom", 3, "gave-up", 38, code="93000", words="invalid webhook url", final=True
        )
    )
    yield of(
        episode(
            "ep-pm",
            group="example-air",
            kind="air",
            subject="air-luhua",
            name="潞华中心",
            about="air-day-incomplete:2026-11-29",
            level="blue",
            opened=ms(130),
            rules=["air-day-incomplete"],
        )
    )
    yield of(
        episode(
            "ep-back",
            subject="lanfeng-cast-house",
            name="岚峰钢铁 2号高炉出铁场",
            about="PM",
            level="yellow",
            state="resolved",
            opened=ms(400),
            resolved=ms(90),
            acknowledged=ms(390),
            acknowledged_by="shen",
            holder="shen",
        )
    )
    for n, (state, cause) in enumerate((("closed", "treatment"), ("false-alarm", "instrument"))):
        yield of(
            episode(
                f"ep-old-{n}",
                about="SO2",
                level="yellow",
                state=state,
                opened=ms(1500 + n),
                closed=ms(1300 + n),
                cause=cause,
            )
        )


def verdict(
    kind: str, group: str, area: str, period: str, time: int, aqi: int | None, primary: str = "PM2.5"
) -> AirVerdict:
    """Air of an hour or a day."""
    _, level, category, colour = next(
        (row for row in LEVELS if aqi is not None and aqi <= row[0]), (0, None, None, None)
    )
    return AirVerdict(
        kind,
        group,
        area,
        time,
        period,
        "2026",
        "keep",
        {},
        {},
        aqi,
        level,
        category,
        colour,
        [primary] if aqi is not None and aqi > 50 else [],
        None if aqi is None else aqi <= 100,
        aqi is not None,
        "",
        {},
        3,
        "air-2026",
        "",
        "",
    )


def aqi_of(date: dt.date) -> int | None:
    """A year as northern China has it: ozone in summer, particles in winter, some days missing."""
    day = date.timetuple().tm_yday
    if day in (74, 75, 201):
        return None
    winter = 46 * math.cos(2 * math.pi * (day - 15) / 365)
    summer = 30 * math.exp(-(((day - 175) / 38) ** 2))
    swing = 31 * math.sin(day * 1.7) + 22 * math.sin(day * 0.61)
    return max(
        22,
        round(72 + winter * 0.55 + summer + swing * (1.15 if winter > 20 else 0.72))
        + (140 if day in (66, 67, 320) else 0),
    )


def air(district: Registry) -> Iterator[Message]:
    """The calendar, the budget, the year, and every station's hour."""
    date, good, polluted, invalid = dt.date(2026, 1, 1), 0, 0, 0
    while date < dt.date(2026, 11, 30):
        aqi = aqi_of(date)
        day = verdict(
            "air-day",
            "example-air",
            "example",
            date.isoformat(),
            times.day_start(times.day_number(date)),
            aqi,
            "O3" if 4 < date.month < 10 else "PM2.5",
        )
        yield topics.VERDICTS, key("example-air", "example", "air-day", day.period, "2026", "keep"), encode(day)
        good, polluted, invalid = good + bool(day.good), polluted + (day.good is False), invalid + (aqi is None)
        date += dt.timedelta(days=1)
    valid = good + polluted
    year = AirPeriod(
        "air-year",
        "example-air",
        "example",
        "2026",
        0,
        "2026-11-29",
        "2026",
        "keep",
        good,
        polluted,
        invalid,
        valid,
        333,
        365,
        round(100 * good / valid, 1),
        {},
        {},
        {},
        {},
        {},
        None,
        "",
        "",
        "",
    )
    yield topics.VERDICTS, key("example-air", "example", "air-year", "2026", "date", "keep"), encode(year)
    budget = AirBudget(
        "example-air",
        "example",
        NOW_S // 3600 * 3600,
        "2026-11-30T20",
        "2026",
        "open",
        4,
        {
            "SO2": {"state": "safe", "at_most": None, "ceiling": "150"},
            "NO2": {"state": "safe", "at_most": None, "ceiling": "80"},
            "CO": {"state": "safe", "at_most": None, "ceiling": "4"},
            "O3": {"state": "safe", "at_most": None, "ceiling": "160"},
            "PM10": {"state": "open", "at_most": "238", "ceiling": "150"},
            "PM2.5": {"state": "open", "at_most": "141", "ceiling": "75"},
        },
        {
            "task": "292",
            "good": good,
            "polluted": polluted,
            "days_left": 32,
            "unknown": 0,
            "state": "open",
            "polluted_left": good + 32 - 292,
            "needed": "71.88",
        },
        "air-2026",
        "",
        "",
    )
    yield topics.VERDICTS, key("example-air", "example", "air-budget", "2026-11-30", "2026", "keep"), encode(budget)
    end = NOW_S // 3600 * 3600
    for n, station in enumerate(district.station_ids()):
        hour = verdict(
            "station-hour", "example-air", station, "2026-11-30T20", end, (38, 64, 83, 57, 112, 71, 46, 95)[n % 8]
        )
        yield topics.VERDICTS, key("example-air", station, "station-hour", hour.period, "2026", "keep"), encode(hour)


def water(district: Registry) -> Iterator[Message]:
    """Every section's hour, day and month."""
    names = {1: "Ⅰ", 2: "Ⅱ", 3: "Ⅲ", 4: "Ⅳ", 5: "Ⅴ", 6: "劣Ⅴ"}
    for n, section in enumerate(dict.fromkeys(s.id for s in district.sections)):
        for kind, period, time in (
            ("water-hour", "2026-11-30T20", NOW_S // 3600 * 3600),
            ("water-day", "2026-11-29", NOW_S - 90_000),
            ("water-month", "2026-11", NOW_S - 2_600_000),
        ):
            found = 5 if section == "shihui-bridge" and kind == "water-hour" else (2, 3, 3, 2, 4, 3, 3)[n % 7]
            target = 3
            over = found > target
            said = WaterVerdict(
                kind=kind,
                group="zhuozhang",
                section=section,
                period=period,
                time=time,
                edition="2002",
                body="river",
                class_=found,
                roman=names[found],
                rating=None,
                colour=None,
                conc={},
                items={"NH3N": found},
                deciding=["NH3N"],
                main=[],
                main_text="氨氮（0.6）" if over else "",
                target=target,
                meets=not over,
                over_target={"NH3N": 0.6} if over else {},
                valid=True,
                ruleset="",
                registry="",
                revision="",
            )
            yield topics.VERDICTS, key("zhuozhang", section, kind, period, "2002"), encode(said)


def outlets(district: Registry) -> Iterator[Message]:
    """Every outlet's hour: one over its limit, one standing still, the others within."""
    end = NOW_S // 3600 * 3600
    date = dt.date(2026, 11, 30)
    for n, outlet in enumerate({o.id: o for o in district.outlets}.values()):
        items = {}
        for m, limit in enumerate(district.limits_at(outlet.id, date)):
            if limit.averaging != "hour" or limit.side != "most" or limit.kind not in ("legal", "permit"):
                continue
            over = outlet.id == "lanfeng-sinter-head" and limit.factor == "NOx"
            share = 1.75 if over else (0.31 + 0.13 * ((n * 3 + m * 5) % 5))
            value = f"{float(limit.limit) * share:.1f}"
            known = items.get(limit.factor)
            if known is None or float(limit.limit) < float(known.limit or 0):
                items[limit.factor] = Judged("EXCEED" if over else "OK", value, limit.limit, f"{share:.3f}", "zs")
        still = n == 4
        if still:
            items = {factor: Judged("NOT_APPLICABLE", reason="standstill") for factor in items}
        line = "NOT_APPLICABLE" if still else "EXCEED" if any(i.verdict == "EXCEED" for i in items.values()) else "OK"
        hour = OutletHour(
            outlet.enterprise,
            outlet.enterprise,
            outlet.id,
            "2026-11-30T20",
            end,
            line,
            items,
            ["停运"] if still else [],
            [],
            False,
            False,
            ms(30),
            "",
            "",
            "",
        )
        yield topics.VERDICTS, key(outlet.enterprise, outlet.id, "outlet-hour", hour.period), encode(hour)


def decided(district: Registry) -> Iterator[Message]:
    """What people entered."""
    day = times.day_start(times.day_number(dt.date(2026, 3, 15)))
    for minutes, one in (
        (400_000, draft("dust-day", "example", day, day + 86_400, by="wang-chief", why="总站 2026-03-16 通报")),
        (
            3_000,
            draft(
                "mark",
                "lanfeng-hot-stove",
                NOW_S - 200_000,
                NOW_S - 100_000,
                by="li-chief",
                why="计划检修",
                data={"mark": "停运"},
            ),
        ),
        (
            720,
            draft(
                "take-over",
                "",
                NOW_S - 43_201,
                NOW_S - 43_200,
                by="guo",
                why="交接班：接收 2 项未结告警",
                data={"from": "shen"},
            ),
        ),
    ):
        action = complete(one, district, "gw", ms(minutes))
        yield (
            topics.ACTIONS,
            key(action.group, action.subject, action.what, str(action.begin), str(action.end)),
            blocks.encode(action),
        )


def everything() -> Iterator[Message]:
    """The whole log of the desk."""
    district = registry()
    yield message(district)
    yield from air(district)
    yield from water(district)
    yield from outlets(district)
    yield from decided(district)
    yield from alerts()
    yield topics.READINGS_AIR, None, blocks.encode(blocks.Tick("gw", NOW_S * 1000))
