"""The daily and the hourly report of HJ 633-2026 (Tables 4 and 5), and what differs from the province's values.

Rows are dicts of texts by column, in the order of the columns; the front door writes them as CSV or JSON.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from agents.verdict_log import VerdictLog
from schemas import times
from schemas.actions import NA, NOT_IN_PLAN
from schemas.messages import AirDifference, AirVerdict, key
from schemas.registry import AIR_FACTORS, Registry
from standards import air as law

BOM: Final = "\ufeff"
"""So that Excel takes the file for UTF-8."""
NONE: Final = "—"
"""No primary pollutant: the AQI is at most 50."""
_UNIT: Final = {"CO": "mg/m³"}
_DAILY: Final = {"O3": "O3日最大8小时 O3 daily max 8 h"}
_KINDS: Final = {"district": "区县 district", "township": "乡镇 township", "station": "站点 station"}
CAUSES: Final = {
    "none": "一致 none",
    "dust": "沙尘扣除口径 dust",
    "rounding": "修约次序 rounding",
    "missing": "缺测 missing",
    "audit": "数据审核 audit",
    "unexplained": "原因不明 unexplained",
}

Row = dict[str, str]


class ExportError(Exception):
    """Nothing to export; the text is one line."""


def report(log: VerdictLog, date: dt.date, hour: int | None = None) -> list[Row]:
    """The report of a day, or of one of its hours: a row for each district, township and station.

    Args:
        log: the verdicts.
        date: the day.
        hour: label of the hour, 1 to 24 by its end; None for the day.

    Raises:
        ExportError: nothing was judged then.
    """
    period = date.isoformat() if hour is None else f"{date.isoformat()}T{hour:02d}"
    rows = []
    known = False
    for kind, subject, name, group in _subjects(log.registry, date):
        said = ("station" if kind == "station" else "air") + ("-day" if hour is None else "-hour")
        found = log.verdicts.get(key(group, subject, said, period, law.edition_for(date), "keep"))
        known = known or found is not None
        verdict = None if found is None else msgspec.json.decode(found, type=AirVerdict)
        rows.append(_row(kind, name, period, verdict, hour))
    if not known:
        raise ExportError(
            f"{period}: nothing is judged of it in this log: look at the date, or wait until it is closed"
        )
    return rows


def _subjects(registry: Registry, date: dt.date) -> Iterator[tuple[str, str, str, str]]:
    """Kind, id, name and group of everybody with a row: districts, their townships, then stations."""
    areas = {area.id: area for area in registry.areas}
    for kind in ("district", "township"):
        for area in registry.areas:
            if area.kind == kind:
                yield kind, area.id, _name(area.name, area.name_en), area.group
    for station in registry.station_ids():
        at = registry.station_at(station, date)
        if at is not None:
            yield "station", station, _name(at.name, ""), areas[at.area].group


def _name(chinese: str, english: str) -> str:
    return f"{chinese} {english}".strip()


def columns(hourly: bool) -> list[str]:
    """The columns, in the norm's order of pollutants; Chinese first."""
    found = ["时间 time", "名称 name"]
    for factor in AIR_FACTORS:
        head = factor if hourly else _DAILY.get(factor, factor)
        found += [f"{head} 浓度 {_UNIT.get(factor, 'µg/m³')}", f"{factor} IAQI"]
    return [*found, "AQI", "首要污染物 primary", "级别 level", "类别 category", "颜色 colour", "类型 type", "说明 text"]


def _row(kind: str, name: str, period: str, verdict: AirVerdict | None, hour: int | None) -> Row:
    outside = frozenset(verdict.not_monitored) if verdict is not None else frozenset()
    cells = [period.replace("T", " ") + ("" if hour is None else ":00"), name]
    missing = []
    for factor in AIR_FACTORS:
        conc = verdict.conc[factor] if verdict is not None else None
        iaqi = verdict.iaqi[factor] if verdict is not None else None
        if conc is None and factor not in outside:
            missing.append(factor)
        blank = NOT_IN_PLAN if factor in outside else NA
        cells += [blank if conc is None else conc, blank if iaqi is None else str(iaqi)]
    cells += _published(verdict)
    monitored = [factor for factor in AIR_FACTORS if factor not in outside]
    text = f"监测指标 monitored: {'、'.join(monitored)}；缺测 missing: {'、'.join(missing) or '无 none'}"
    return dict(zip(columns(hour is not None), [*cells, _KINDS[kind], text], strict=True))


def _published(verdict: AirVerdict | None) -> list[str]:
    """AQI, primary pollutant, level, category and colour, all NA where the norm says so (HJ 633-2026 5.3)."""
    if verdict is None or verdict.aqi is None or verdict.level is None:
        return [NA] * 5
    level, category, colour, _ = law.categories(verdict.edition)[verdict.level]
    return [str(verdict.aqi), "、".join(verdict.primary) or NONE, level, category, colour]


# ---- against the province


def differences(log: VerdictLog, month: str) -> list[Row]:
    """Each day of a month that the province published, beside ours, with the cause.

    Args:
        log: the verdicts.
        month: as ``2026-03``.

    Raises:
        ExportError: nothing published is known of it.
    """
    found = [
        msgspec.json.decode(value, type=AirDifference)
        for name, value in log.verdicts.items()
        if name.split(b"|")[2] == b"air-difference" and name.split(b"|")[3].startswith(month.encode())
    ]
    if not found:
        raise ExportError(f"{month}: no published value is in this log: put them there with envstream action publish")
    names = {area.id: _name(area.name, area.name_en) for area in log.registry.areas}
    return [_difference(one, names) for one in sorted(found, key=lambda one: (one.period, one.area, one.dust))]


def _difference(one: AirDifference, names: dict[str, str]) -> Row:
    theirs = one.published_primary
    return {
        "日期 date": one.period,
        "区域 area": names.get(one.area, one.area),
        "沙尘口径 dust": {"keep": "不扣除 keep", "deduct": "扣除 deduct"}[one.dust],
        "本系统AQI ours": NA if one.aqi is None else str(one.aqi),
        "公布AQI published": NA if one.published_aqi is None else str(one.published_aqi),
        "本系统首要污染物 our primary": "、".join(one.primary) or NONE,
        "公布首要污染物 their primary": "" if theirs is None else "、".join(theirs) or NONE,
        "原因 cause": "、".join(CAUSES.get(cause, cause) for cause in one.causes),
        "浓度差异 concentrations": "; ".join(
            f"{factor} {_or_na(ours)} → {_or_na(published)}"
            for factor, (ours, published) in one.factors.items()
            if ours != published
        ),
        "缺测小时 hours missing": str(one.hours_missing),
        "录入人 by": one.by,
    }


def _or_na(value: str | None) -> str:
    return value or NA


def month_of(text: str) -> str:
    """A month as it is written in periods.

    Raises:
        ValueError: no month.
    """
    return times.date_of(times.day_number(dt.date.fromisoformat(f"{text}-01"))).isoformat()[:7]


def as_csv(rows: Sequence[Row]) -> str:
    """CSV with a byte-order mark and its columns' names."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return BOM + out.getvalue()
