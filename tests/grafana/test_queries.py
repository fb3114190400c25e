"""Every query of every panel and variable against a real InfluxDB, filled through the sink's own line builder."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from schemas import messages, times
from schemas.registry import AIR_FACTORS
from streams.influx import Influx
from streams.line_protocol import lines
from streams.target import Batch, Origin
from tests.grafana.test_dashboards import BOARDS, PANELS
from tests.services import samples
from tests.services.fixtures import InfluxDB

pytestmark = pytest.mark.needs_influxdb

DAYS = 30
TO = times.day_end(samples.DAY) + 600  # ten minutes past the last hour
CHOSEN = {"area": samples.AREA, "edition": "2012", "dust": "keep", "profile": "ci_2026_u", "source": "(s1|s2)"}
LISTED = {
    "area": [samples.AREA],
    "edition": ["2012"],
    "dust": ["keep"],
    "profile": list(samples.PROFILES),
    "source": ["s1", "s2"],
}
TOWNSHIP = "a-township"
"""Before the district in the alphabet."""


@pytest.fixture(scope="module")
def bucket(influxdb: InfluxDB) -> str:
    """A month of messages, and beside it what must not be seen: invalid points, another edition, another area."""
    place = influxdb.make_bucket()
    made = [value for _, _, value in samples.days(DAYS)]
    last_hour = times.day_end(samples.DAY)
    unknown: dict[str, Any] = {
        "aqi": None,
        "level": None,
        "category": None,
        "primary": [],
        "valid": False,
        "conc": {},
        "iaqi": {},
    }
    made += [messages.encode(message) for message in samples.every_kind()]
    made += [
        messages.encode(samples.budget(last_hour + 3600)),
        messages.encode(samples.verdict("air-day", times.day_start(samples.DAY), area=TOWNSHIP, aqi=496)),
        messages.encode(samples.verdict("station-hour", last_hour, area="s9", aqi=495)),
        messages.encode(samples.ranking("2015-12", times.day_start(samples.DAY), area="elsewhere")),
        messages.encode(samples.verdict("air-hour", last_hour + 300, **unknown)),
        messages.encode(samples.verdict("air-day", times.day_start(samples.DAY + 1), good=None, **unknown)),
        messages.encode(samples.verdict("air-hour", last_hour, edition="2026", aqi=499)),
        messages.encode(samples.verdict("air-hour", last_hour, area="elsewhere", aqi=498)),
        messages.encode(samples.verdict("air-hour", last_hour, dust="deduct", aqi=497)),
    ]
    batch = Batch()
    for offset, value in enumerate(made):
        batch.add(Origin("verdicts", 0, offset, 0), lines(value))
    target = Influx(place)
    assert target.write(batch, threading.Event()) == []
    target.close()
    return place.bucket


def fill_in(query: str, chosen: dict[str, str] = CHOSEN, to: int = TO) -> str:
    """A query as Grafana sends it: a month up to ``to``, and a value for each variable (``.*`` for All)."""
    query = query.replace("$timeFilter", f"time >= {(to - DAYS * 86_400) * 1000}ms and time <= {to * 1000}ms")
    query = query.replace("${__to}", str(to * 1000)).replace("$__interval", "1h")
    for name, value in chosen.items():
        query = query.replace(f"${name}", value)
    assert "$" not in query.replace("$/", "/")
    return query


def rows_of(influxdb: InfluxDB, bucket: str, panel: dict[str, Any]) -> list[dict[str, Any]]:
    return [r for t in panel["targets"] for r in influxdb.rows(bucket, fill_in(t["query"]))]


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_has_rows_and_shows_nothing_that_is_not_valid(
    influxdb: InfluxDB, bucket: str, name: str, panel: dict[str, Any]
) -> None:
    rows = rows_of(influxdb, bucket, panel)
    values = [v for r in rows for k, v in r.items() if k not in ("time", "factor") and v is not None]
    assert values, panel["title"]
    assert not any(isinstance(v, int | float) and (v < 0 or 495 <= v <= 499) for v in values)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_list_what_is_there(influxdb: InfluxDB, bucket: str, name: str) -> None:
    listed = {v["name"]: influxdb.rows(bucket, fill_in(v["query"])) for v in BOARDS[name]["templating"]["list"]}
    assert {k: [r["value"] for r in rows] for k, rows in listed.items()} == LISTED


def test_a_range_over_a_change_of_edition_has_no_hole(influxdb: InfluxDB) -> None:
    """Until 2026-02-28 one edition, then the next: without a choice both are shown, as one line."""
    place = influxdb.make_bucket()
    batch = Batch()
    for n, edition in enumerate(("2012", "2012", "2026")):
        day = samples.verdict("air-day", times.day_start(samples.DAY - 2 + n), edition=edition, aqi=60 + n)
        batch.add(Origin("verdicts", 0, n, 0), lines(messages.encode(day)))
    target = Influx(place)
    assert target.write(batch, threading.Event()) == []
    target.close()
    (panel,) = panel_of("每日 AQI")["targets"]
    assert [r["日 AQI"] for r in influxdb.rows(place.bucket, fill_in(panel["query"], CHOSEN | {"edition": ".*"}))] == [
        60,
        61,
        62,
    ]
    assert [
        r["日 AQI"] for r in influxdb.rows(place.bucket, fill_in(panel["query"], CHOSEN | {"edition": "2026"}))
    ] == [62]


def panel_of(title: str) -> dict[str, Any]:
    return next(p for p in BOARDS["air.json"]["panels"] if p["title"] == title)


def test_the_numbers_on_the_wall_are_those_of_the_messages(influxdb: InfluxDB, bucket: str) -> None:
    shown = {title: rows_of(influxdb, bucket, panel_of(title)) for title in ("今年优良天数", "优良率", "统计截至")}
    assert {k: v[0][k] for k, v in shown.items()} == {"今年优良天数": 180, "优良率": 51.1, "统计截至": "2015-12-31"}
    last = samples.verdict("air-hour", times.day_end(samples.DAY), samples.DAY * 24 + 24)
    (now,) = rows_of(influxdb, bucket, panel_of("当前小时 AQI"))
    assert now["当前小时 AQI"] == last.aqi
    (words,) = rows_of(influxdb, bucket, panel_of("当前级别与首要污染物"))
    assert (words["当前级别"], words["首要污染物"]) == (last.category, "、".join(last.primary))
    iaqi = {r["factor"]: r["IAQI"] for r in rows_of(influxdb, bucket, panel_of("当前六项污染物分指数（IAQI）"))}
    assert iaqi == last.iaqi and set(iaqi) == set(AIR_FACTORS)
    (day,) = rows_of(influxdb, bucket, panel_of("最近一日 AQI"))
    assert day["最近一日 AQI"] == samples.verdict("air-day", 0, samples.DAY).aqi
    at_hour = samples.verdict("station-hour", times.day_end(samples.DAY), samples.DAY * 24 + 24)
    assert {r["source"]: r["AQI"] for r in rows_of(influxdb, bucket, panel_of("各站当前 AQI"))} == {"s1": at_hour.aqi}
    days = rows_of(influxdb, bucket, panel_of("每日 AQI"))
    assert len(days) == DAYS - 1, "the range begins ten minutes into its first day"
    assert all((r["time"] + 8 * 3600) % 86_400 == 0 for r in days), "stamped at 00:00 Beijing time"


def test_the_budget_on_the_wall(influxdb: InfluxDB, bucket: str) -> None:
    today = samples.budget(times.day_end(samples.DAY) + 3600)
    (state,) = rows_of(influxdb, bucket, panel_of("今日能否优良"))
    assert state["今日"] == today.state and state["time"] == times.day_start(samples.DAY + 1), "and not yesterday's"
    (task,) = rows_of(influxdb, bucket, panel_of("优良天数与年度任务"))
    assert (task["优良天数"], task["年度任务"]) == (180, 285)
    rows = rows_of(influxdb, bucket, panel_of("今日各污染物预算"))
    ceilings = {r["污染物"]: r["全日上限"] for r in rows if "全日上限" in r}
    at_most = {r["污染物"]: r["余下小时上限"] for r in rows if "余下小时上限" in r}
    assert set(ceilings) == set(AIR_FACTORS) and set(at_most) == set(AIR_FACTORS) - {"SO2"}


def test_townships_months_and_the_province_on_the_wall(influxdb: InfluxDB, bucket: str) -> None:
    ranked = rows_of(influxdb, bucket, panel_of("乡镇综合指数月排名"))
    assert {(r["名次"], r["乡镇"], r["综合指数"], r["月份"]) for r in ranked} == {
        (1, "east", 5.2, "2015-12"), (2, "west", 6.125, "2015-12"),
    }  # fmt: skip
    months = rows_of(influxdb, bucket, panel_of("各月综合指数（各口径）"))
    assert {(r["口径"], r["综合指数"], r["性质"]) for r in months} == {
        ("ci_2018", 8.21, False), ("ci_2026_u", 8.765, True),
    }  # fmt: skip
    (day,) = rows_of(influxdb, bucket, panel_of("与省级公布值对照"))
    assert (day["日期"], day["我方"], day["差异原因"]) == ("2015-12-01", "152 PM2.5", "missing,audit")


def test_conditions_that_last_can_be_counted(influxdb: InfluxDB) -> None:
    """Two began, one of them ended: InfluxDB holds a point for each, and the sum of ``open`` is what lasts."""
    place = influxdb.make_bucket()
    end = times.day_end(samples.DAY)
    batch = Batch()
    story = [("began", end, "s1"), ("began", end, "s2"), ("continues", end + 3600, "s2"), ("ended", end + 7200, "s1")]
    for n, (state, until, subject) in enumerate(story):
        said = samples.condition(state, end, until, end, id=f"g|{subject}|hour-missing||{end}", subject=subject)
        batch.add(Origin("conditions", 0, n, 0), lines(messages.encode(said)))
    target = Influx(place)
    assert target.write(batch, threading.Event()) == []
    target.close()
    (row,) = influxdb.rows(
        place.bucket, 'SELECT sum("open") AS n, count("open") AS m FROM condition WHERE valid = true'
    )
    assert (row["n"], row["m"]) == (1, 2)


def test_an_hour_is_shown_at_its_own_time(influxdb: InfluxDB, bucket: str) -> None:
    (panel,) = [p for p in BOARDS["air.json"]["panels"] if re.search("'PM2.5'", p["targets"][0]["query"])]
    shown = {r["time"]: r["PM2.5"] for r in rows_of(influxdb, bucket, panel) if r["PM2.5"] is not None}
    end = times.day_end(samples.DAY) - 3 * 3600
    assert shown[end] == float(samples.concentration("PM2.5", samples.DAY * 24 + 21))


def test_an_error_in_the_body_is_not_taken_for_an_answer(influxdb: InfluxDB) -> None:
    """InfluxDB answers 200 to a query of an unknown database (engineering §5): the tests above look into the body."""
    with pytest.raises(RuntimeError, match="database not found"):
        influxdb.query("no-such-bucket", "SELECT aqi FROM air_day")
