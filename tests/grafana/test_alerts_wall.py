"""What the board of alerts and the overview show of alerts, against the alerts themselves, in a real InfluxDB."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from schemas import alerts, times
from tests.grafana import alarms
from tests.grafana.test_queries import panel_of, rows_of, store
from tests.services import samples
from tests.services.fixtures import InfluxDB

pytestmark = pytest.mark.needs_influxdb

MADE = alarms.episodes(samples.DAY)


@pytest.fixture(scope="module")
def bucket(influxdb: InfluxDB) -> str:
    return store(influxdb, alarms.made(samples.DAY))


def shown(influxdb: InfluxDB, bucket: str, title: str, board: str = "alerts.json") -> list[dict[str, Any]]:
    return rows_of(influxdb, bucket, panel_of(title, board))


@pytest.mark.parametrize("board", ["alerts.json", "overview.json"])
def test_what_is_open_is_counted_by_level_and_listed_with_red_first(
    influxdb: InfluxDB, bucket: str, board: str
) -> None:
    counted = {k: v for row in shown(influxdb, bucket, "未结告警", board) for k, v in row.items() if k != "time"}
    active = [e for e in MADE if e.state in alerts.ACTIVE]
    assert counted == {
        zh: sum(e.level == level for e in active) for level, zh in alerts.LEVEL_ZH.items()
    } == {"蓝色": 1, "黄色": 1, "橙色": 1, "红色": 1}  # fmt: skip
    listed = shown(influxdb, bucket, "未结告警清单", board)
    assert [row["级别"] for row in listed] == ["red", "orange", "yellow", "blue"]
    at = (times.day_end(samples.DAY) + 600) * 1000
    for row, episode in zip(listed, sorted(active, key=lambda e: -alerts.LEVELS.index(e.level)), strict=True):
        assert (row["编号"], row["名称"], row["事项"]) == (episode.id, episode.name, episode.about)
        assert (row["状态"], row["处置人"]) == (episode.state, episode.holder)
        assert row["已持续"] == pytest.approx((at - episode.began * 1000) / 3_600_000)


def test_who_took_it_and_how_soon(influxdb: InfluxDB, bucket: str) -> None:
    (waiting,) = shown(influxdb, bucket, "待确认")
    assert waiting["待确认"] == sum(e.state == alerts.OPEN for e in MADE) == 3
    (taken,) = shown(influxdb, bucket, "确认用时")
    minutes = [(e.acknowledged - e.opened) / 60_000 for e in MADE if e.acknowledged]
    assert taken["中位数"] == median(minutes) == 21 and taken["九成以内"] == max(minutes)
    (over,) = shown(influxdb, bucket, "恢复用时")
    assert over["中位数"] == median([(e.resolved - e.opened) / 60_000 for e in MADE if e.resolved]) == 75


def test_how_many_why_and_of_whom(influxdb: InfluxDB, bucket: str) -> None:
    days = shown(influxdb, bucket, "每日新告警（按级别）")
    assert {r["time"] for r in days} == {times.day_start(samples.DAY)}, "a day of Beijing time"
    counted = {k: v for row in days for k, v in row.items() if k != "time"}
    assert counted == {"红色": 1, "橙色": 2, "黄色": 2, "蓝色": 1}
    causes = {k: v for row in shown(influxdb, bucket, "告警原因") for k, v in row.items() if k != "time"}
    assert causes == {"监测仪器": 1, "未填写": 5}
    subjects = {r["subject"]: (r["名称"], r["告警数"]) for r in shown(influxdb, bucket, "告警最多的对象")}
    assert subjects["lanfeng-steel"] == ("蓝风钢铁", 1) and sum(n for _, n in subjects.values()) == len(MADE)
    abouts = {r["about"]: r["告警数"] for r in shown(influxdb, bucket, "告警最多的事项")}
    assert abouts == {"SO2": 1, "PM": 1, "NOx": 1, "early": 1, "silence": 1, "water-level": 1}


def test_what_was_sent_and_what_was_not(influxdb: InfluxDB, bucket: str) -> None:
    channels = {r["channel"]: (r["送达"], r["失败"], r["全部失败"]) for r in shown(influxdb, bucket, "各渠道推送结果")}
    assert channels == {"dingtalk": (1, 0, 0), "wecom": (0, 1, 0), "sms": (0, 0, 1)}
    lost = {r["渠道"]: (r["人员"], r["结果"], r["代码"]) for r in shown(influxdb, bucket, "未送达的推送")}
    assert lost == {"wecom": ("wang", "failed", "45009"), "sms": ("wang", "gave-up", "0")}


def test_a_plant_that_is_off_line_is_on_the_overview(influxdb: InfluxDB, bucket: str) -> None:
    (silent,) = shown(influxdb, bucket, "离线企业", "overview.json")
    assert silent["离线企业"] == 1


def test_nobody_is_taken_for_open_who_is_over(influxdb: InfluxDB, bucket: str) -> None:
    history = {r["编号"]: (r["状态"], r["原因"]) for r in shown(influxdb, bucket, "告警记录")}
    assert history == {e.id: (e.state, e.cause) for e in MADE}
