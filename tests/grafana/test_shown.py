"""What the boards of water, outlets and the pipeline show: the scene's numbers, limits and words of the norms."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk.web import words
from grafana.boards import emission_levels, levels, outlets, pipeline, water, water_levels
from schemas import health
from schemas import measurements as m
from tests.grafana import scene
from tests.grafana.test_dashboards import BOARDS
from tests.grafana.test_queries import answer, bucket, judged_by
from tests.services.fixtures import InfluxDB

__all__ = ["bucket"]
ROOT = Path(__file__).parents[2]
CLASSES = ["#CCFFFF", "#33CCFF", "#00FF00", "#FFFF00", "#FF9B00", "#FF0000"]
"""Colours of the classes I to worse than V (water.md §2.3)."""

Show = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def show(influxdb: InfluxDB, bucket: str) -> Show:
    """Rows that a panel shows that are not empty, by board and title."""

    def rows(board: str, title: str, number: int = 0) -> list[dict[str, Any]]:
        panel = next(
            p for p in BOARDS[f"{board}.json"]["panels"] if re.sub(r"^\$\{\w+:text\}[： ]", "", p["title"]) == title
        )
        target = judged_by(panel)[number]
        found = answer(influxdb, bucket, target)
        tags = m.MEASUREMENTS[re.search(r'FROM "(\w+)"', target["query"])[1]].tags  # type: ignore[index]
        return [row for row in found if any(v is not None for k, v in row.items() if k not in ("time", *tags))]

    return rows


@pytest.mark.needs_influxdb
def test_water_on_the_wall(show: Show) -> None:
    now = {row["编号"]: (row["类别"], row["主要污染指标"]) for row in show("water", "各断面现在的水质")}
    assert now == {scene.SECTION: (4, "氨氮(0.2)"), scene.SPRING: (2, "")}
    against = {row["编号"]: (row["目标"], row["达标"]) for row in show("water", "各断面现在的水质", 1)}
    assert against == {scene.SECTION: (3, 0), scene.SPRING: (3, 1)}
    assert [row["预警"] for row in show("water", "未结束的水质预警")] == [2], "two of three go on"
    assert [row["在途"] for row in show("water", "预计到达下游")] == [1], "the other has attenuated"
    assert {(r["对象"], r["最新值"], r["状态"]) for r in show("water", "水质预警")} == {
        ("石梁", "1.2 mg/L", "began"), ("名称", "", "ended"),
    }  # fmt: skip
    for item in water.NINE:
        name = (
            "酸碱度 pH"
            if item == "pH"
            else f"{water_levels.items()[item]['name']}（{water_levels.items()[item]['unit']}）"
        )
        shown = {row[water_levels.items()[item]["name"]] for row in show("water", name)}
        assert shown == {float(scene.NINE[item])}, item
    months = {row["月份"]: row["类别"] for row in show("water", "各月水质类别")}
    assert months == {"2015-10": 2, "2015-11": 3, "2015-12": 4}


@pytest.mark.needs_influxdb
def test_outlets_on_the_wall(show: Show) -> None:
    now = {(r["排口"], r["因子"]): (r["数值"], r["判定"]) for r in show("outlets", "各排口现在")}
    assert now == {
        (scene.OUTLET, "NOx"): (61, "EXCEED"), (scene.OUTLET, "PM"): (20, "OK"), (scene.OUTLET, "SO2"): (80, "EXEMPT"),
        (scene.NEIGHBOUR, "PM"): (20, "OK"),
    }, "and nothing of the other enterprise"  # fmt: skip
    days = {(r["排口"], r["因子"]): (r["数值"], r["判定"]) for r in show("outlets", "各排口现在", 1)}
    assert days == {(scene.OUTLET, "PM"): (12, "OK"), (scene.OUTLET, "COD"): (41.8, "OK")}
    assert [list(r.values())[-1] for t in ("超标项（全企业）", "豁免项（全企业）") for r in show("outlets", t)] == [
        1,
        1,
    ]
    assert [list(r.values())[-1] for r in show("outlets", "疑似问题")] == [2], "two of one factor, one is over"
    assert {(r["规则"], r["疑似"], r["状态"]) for r in show("outlets", "疑似问题清单")} == {
        ("R9.hours", "小时均值恒定", "began"), ("R10.top", "数据卡在限值之下", "began"),
        ("R5.air", "生产期间氧含量接近空气", "ended"),
    }  # fmt: skip
    limits = {(r["factor"], r["limit"]): r["v"] for r in show("outlets", "$factor：数值与限值", 3)}
    assert {k: v for (factor, k), v in limits.items() if factor == "NOx"} == {
        "legal": 100,
        "permit": 50,
        "ultra_low": 35,
    }
    assert {r["v"] for r in show("outlets", "$factor：数值与限值", 2)} == {12}, "the day's mean"
    power = {r["factor"]: r["功率"] for r in show("outlets", "生产与治理用电（kW）")}
    assert power == {"production_power_01": 4100, "treatment_power_01": 1500}
    days = show("outlets", "每日超标与豁免（小时）")
    assert [(r["超标"], r["豁免"]) for r in days] == [(12, 12)], "the hour that ends at midnight is of that day"
    rates = {r["排口"]: r["传输有效率"] for r in show("outlets", "各排口各月传输有效率")}
    assert rates == {scene.OUTLET: 95.833, scene.NEIGHBOUR: 99}
    (permit,) = show("outlets", "许可排放量与全年预测")
    assert (permit["许可量"], permit["已用"], permit["年末预测"], permit["预计超许可"]) == (120, 80, 141, "2026-11-20")
    assert {48.0, 52.0} <= {r["分钟值"] for r in show("outlets", "分钟数据（未经判定）")}


@pytest.mark.needs_influxdb
def test_the_pipeline_on_the_wall(show: Show) -> None:
    assert [r["在线"] for r in show("pipeline", "在线部件")] == [3], "notify is silent"
    assert [r["积压"] for r in show("pipeline", "积压")[:1]] == [17 + 5 + 2]
    assert [r["重启"] for r in show("pipeline", "重启次数")] == [1]
    uptime = {r["part"]: r["运行时长"] for r in show("pipeline", "部件")}
    assert uptime["sink"] == pytest.approx(310 / 3600) and uptime["gateway"] == 24
    assert set(uptime) >= {"worker", "notify"}
    assert {r["收到报文"] for r in show("pipeline", "收到报文（每分钟）")} >= {60}, "600 in ten minutes"
    assert {(r["主题"], r["原因"]) for r in show("pipeline", "最近的死信")} >= {("readings-air", "乱码")}


def bands(item: str, body: str) -> list[tuple[float | None, int]]:
    """Where the bands of an item begin, and of which class each is."""
    found = water_levels.limits(item, body)
    assert found is not None
    return [(step["value"], CLASSES.index(step["color"]) + 1) for step in found["steps"]]


def test_bands_are_the_limits_of_the_norms() -> None:
    """GB 3838-2002 Table 1 and GB/T 14848-2017 Table 1, by hand."""
    assert bands("NH3N", "river") == [(None, 1), (0.15, 2), (0.5, 3), (1.0, 4), (1.5, 5), (2.0, 6)]
    assert bands("TP", "river") == [(None, 1), (0.02, 2), (0.1, 3), (0.2, 4), (0.3, 5), (0.4, 6)]
    assert bands("TP", "lake") == [(None, 1), (0.01, 2), (0.025, 3), (0.05, 4), (0.1, 5), (0.2, 6)]
    assert bands("DO", "river") == [(None, 6), (2, 5), (3, 4), (5, 3), (6, 2), (7.5, 1)]
    assert bands("pH", "lake") == [(None, 6), (6, 1), (9, 6)]
    assert bands("COD", "river") == [(None, 1), (15, 3), (20, 4), (30, 5), (40, 6)], "class I and II have one limit"
    assert bands("NH3N", "spring") == [(None, 1), (0.02, 2), (0.1, 3), (0.5, 4), (1.5, 5)]
    assert bands("pH", "spring") == [(None, 5), (5.5, 4), (6.5, 1), (8.5, 4), (9.0, 5)]
    assert water_levels.limits("TN", "river") is None and water_levels.limits("TP", "spring") is None
    drawn = {
        p["title"].removeprefix("${section:text}："): {o["matcher"]["options"] for o in p["fieldConfig"]["overrides"]}
        for p in BOARDS["water.json"]["panels"] if p["type"] == "timeseries"
    }  # fmt: skip
    assert drawn["总磷（mg/L）"] == {"river", "lake"} and drawn["氨氮（mg/L）"] == {"river", "lake", "spring"}


def starts(thresholds: dict[str, Any]) -> list[float | None]:
    """Where the steps begin."""
    return [step["value"] for step in thresholds["steps"]]


def test_shares_and_levels_are_those_of_the_norms() -> None:
    """环办〔2011〕22号; emission.md §3.3, §4.4, §6; 环大气〔2019〕35号."""
    assert starts(water_levels.good_thresholds()) == [None, 75, 90]
    assert starts(water_levels.worse_thresholds()) == [None, 20, 40]
    assert starts(emission_levels.ratio_thresholds()) == [None, 0.8, 1.0, 1.2, 1.5]
    assert starts(emission_levels.permit_thresholds()) == [None, 80, 90, 100]
    assert starts(emission_levels.transmission_thresholds()) == [None, 90, 95]
    assert starts(emission_levels.ultra_low_thresholds()) == [None, 95]
    assert [step["color"] for step in emission_levels.ratio_thresholds()["steps"][1:]] == list(
        levels.alert_colours().values()
    )


def test_alerts_have_the_colours_of_the_desk() -> None:
    css = (ROOT / "desk/web/static/desk.css").read_text(encoding="utf-8")
    for level, colour in levels.alert_colours().items():
        assert re.search(rf"--{level}: ({colour});", css, re.IGNORECASE), level


def test_words_are_complete() -> None:
    assert {verdict: zh for verdict, (zh, _) in words.VERDICTS.items()} == outlets.VERDICTS
    assert tuple(outlets.LIMITS) == m.LIMIT_KINDS
    assert set(pipeline.PART_ZH) == set(health.PARTS)
    sets = tomllib.loads((ROOT / "standards/tables/water_sets.toml").read_text(encoding="utf-8"))["edition"][-1]["rows"]
    of = {row["set"]: row["items"] for row in sets}
    assert set(water.JUDGED) == set(of["five"])
    assert set(water.NINE) == {*of["wet_chemistry"], *of["conventional_five"]}
    assert set(water_levels.BODIES) == {"river", "lake", "spring"}


def test_every_number_of_the_pipeline_is_somewhere_on_its_board() -> None:
    asked = set(re.findall(r"\\\"name\\\" = '(\w+)'", json.dumps(BOARDS["pipeline.json"])))
    assert asked | {"dead"} == set(health.HEALTH), "dead letters are counted as they lie there"
