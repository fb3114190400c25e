"""Every query of every panel and variable against a real InfluxDB, filled through the sink's own line builder."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest

from grafana.boards import queries
from schemas import blocks, messages, times, topics
from schemas import measurements as m
from schemas.registry import AIR_FACTORS
from streams.line_protocol import lines
from tests.grafana import alarms, scene
from tests.grafana.test_dashboards import BOARDS, PANELS
from tests.services import samples, samples_told
from tests.services.fixtures import InfluxDB

pytestmark = pytest.mark.needs_influxdb

DAYS = 30
TO = times.day_end(samples.DAY) + 600  # ten minutes past the last hour
CHOSEN = {
    "area": samples.AREA, "edition": "(2012|GB 3838-2002|GB\\/T 14848-2017)", "dust": "keep", "profile": "ci_2026_u",
    "source": "(s1|s2)", "group": scene.GROUP, "section": scene.SECTION, "enterprise": scene.ENTERPRISE,
    "outlet": scene.OUTLET, "factor": "(NOx|PM|SO2)", "kind": ".*",
}  # fmt: skip
"""What is chosen of each variable, as Grafana puts it into a query; several are ``(a|b)``, All is ``.*``."""
DISTRICT = tomllib.loads(samples_told.DISTRICT.read_text(encoding="utf-8"))
LISTED = {
    "area": ["example"],
    "edition": ["2012"],
    "dust": ["keep"],
    "profile": list(samples.PROFILES),
    "source": ["s1", "s2"],
    "group": [scene.GROUP],  # that of the spring has no shares of sections
    "section": [
        "dianshang-bridge",
        "shihui-bridge",
        "zhaidian-reservoir",
        "weizi-mouth",
        scene.SECTION,
        "huangniuti-ferry",
        "xinan-out",
        scene.SPRING,
    ],
    "enterprise": [e["id"] for e in DISTRICT["enterprise"]],
    "outlet": [o["id"] for o in DISTRICT["outlet"] if o["enterprise"] == scene.ENTERPRISE],
    "kind": ["emission", "water"],
    "factor": ["COD", "NOx", "PM", "SO2"],
}
"""What each variable offers; places as the registry has them, sections along the river."""
NAMES = {
    row["id"]: row["name"]
    for kind in ("area", "group", "section", "enterprise", "outlet", "person")
    for row in DISTRICT[kind]
}
LISTED_ON = {"water.json": {"edition": ["GB 3838-2002", "GB/T 14848-2017"]}}
"""Where a board's variable is another's."""
TOWNSHIP = "a-township"
"""Before the district in the alphabet."""
BUCKET_OF = {source["uid"]: bucket for bucket, source in queries.DATASOURCES.items()}


def store(influxdb: InfluxDB, made: Iterable[bytes | tuple[str, bytes]]) -> str:
    """Put messages into a fresh pair of buckets, each line where its measurement belongs.

    Args:
        influxdb: where.
        made: messages, with their topic where they do not say themselves what they are.

    Returns:
        The name of the bucket that keeps for ever.
    """
    place = influxdb.make_bucket()
    parts: dict[str, list[str]] = {place.bucket: [], place.recent_bucket: []}
    for said in made:
        for line in lines(said) if isinstance(said, bytes) else lines(said[1], said[0]):
            recent = m.MEASUREMENTS[line.partition(",")[0]].bucket == m.RECENT
            parts[place.recent_bucket if recent else place.bucket].append(line)
    for bucket, found in parts.items():
        for at in range(0, len(found), 5000):
            body = "\n".join(found[at : at + 5000]).encode()
            influxdb.call("POST", f"/api/v2/write?org={influxdb.org}&bucket={bucket}&precision=ns", body)
    return place.bucket


@pytest.fixture(scope="module")
def bucket(influxdb: InfluxDB) -> str:
    """A month of messages, and beside it what must not be seen: invalid points, another edition, another area."""
    made: list[bytes | tuple[str, bytes]] = [value for _, _, value in samples.days(DAYS)]
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
    made += [(topic, value) for topic, _, value in samples.every_message()]
    made += [*scene.made(samples.DAY), *alarms.made(samples.DAY)]
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
    return store(influxdb, made)


def fill_in(query: str, chosen: dict[str, str] = CHOSEN, to: int = TO) -> str:
    """A query as Grafana sends it: a month up to ``to``, and a value for each variable (``.*`` for All)."""
    query = query.replace("$timeFilter", f"time >= {(to - DAYS * 86_400) * 1000}ms and time <= {to * 1000}ms")
    query = query.replace("${__to}", str(to * 1000)).replace("$__interval", "1h")
    query = re.sub(r"\$\{?([a-z]\w*)(?::\w+)?\}?", lambda found: chosen[found[1]], query)
    assert "$" not in query.replace("$/", "/")
    return query


def answer(influxdb: InfluxDB, bucket: str, target: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Rows of a query of a panel, asked of the bucket its datasource stands for."""
    part = BUCKET_OF[target["datasource"]["uid"]]
    return influxdb.rows(bucket if part == m.MAIN else f"{bucket}_{part}", fill_in(target["query"], **more))


def rows_of(influxdb: InfluxDB, bucket: str, panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of every query of a panel but that of names."""
    return [row for target in judged_by(panel) for row in answer(influxdb, bucket, target)]


def judged_by(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Queries of a panel that do not just ask for names."""
    return [target for target in panel.get("targets", ()) if f'FROM "{m.PLACE.name}"' not in target["query"]]


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_has_rows_and_shows_nothing_that_is_not_valid(
    influxdb: InfluxDB, bucket: str, name: str, panel: dict[str, Any]
) -> None:
    if panel["type"] == "text":
        return
    rows = rows_of(influxdb, bucket, panel)
    values = [v for r in rows for k, v in r.items() if k not in ("time", "factor") and v is not None]
    assert values, panel["title"]
    as_sent = any(f'FROM "{m.READING.name}"' in target["query"] for target in panel["targets"])
    least = float("-inf") if as_sent else 0
    everybody = name == "overview.json" and any(m.OUTLET_JUDGED.name in target["query"] for target in panel["targets"])
    foreign = () if everybody else range(495, 500)
    assert not any(isinstance(v, int | float) and (v < least or v in foreign) for v in values)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_list_what_is_there(influxdb: InfluxDB, bucket: str, name: str) -> None:
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            listed = answer(influxdb, bucket, variable)
            offered = LISTED_ON.get(name, {}).get(variable["name"], LISTED[variable["name"]])
            if variable["regex"]:
                split = [label_of(row["label"]) for row in listed]
                assert split == [(NAMES[each], each) for each in offered], variable["name"]
            else:
                assert [row["value"] for row in listed] == offered, variable["name"]


def label_of(label: str) -> tuple[str, str]:
    """Text and value of a label, as Grafana splits it."""
    found = re.search(m.PLACE_LABEL.strip("/").replace("(?<", "(?P<"), label)
    assert found is not None, label
    return found["text"], found["value"]


def test_a_place_has_the_name_of_its_newest_registry_and_keeps_one_when_it_is_gone(influxdb: InfluxDB) -> None:
    text = samples_told.DISTRICT.read_text(encoding="utf-8")
    said = [
        (at, text.replace(old, new))
        for at, old, new in (
            (2000, '"石梁"', '"石梁 (新) 断面"'), (1000, '"石梁"', '"旧名"'), (500, '"辛安桥"\n', '"辛安桥下"\n'),
        )
    ]  # fmt: skip
    place = store(
        influxdb,
        [(topics.REGISTRY, blocks.encode(blocks.RegistryVersion("gw", str(at), changed, at))) for at, changed in said],
    )
    gone = 'place,id=gone,kind=section name="走了",label="走了 (gone)",of="",body="river",order=1i,valid=true 300000000'
    influxdb.call("POST", f"/api/v2/write?org={influxdb.org}&bucket={place}&precision=ns", gone.encode())
    (section,) = [v for v in BOARDS["water.json"]["templating"]["list"] if v["name"] == "section"]
    listed = [label_of(row["label"]) for row in answer(influxdb, place, section)]
    assert [value for _, value in listed] == [*LISTED["section"], "gone"]
    assert {value: text for text, value in listed}["shiliang"] == "石梁 (新) 断面"
    rows = influxdb.rows(place, fill_in(queries.names("section")["query"]))
    assert [(row["名称"], row["编号"]) for row in rows] == listed


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_every_id_on_a_panel_has_a_name(influxdb: InfluxDB, bucket: str, name: str, panel: dict[str, Any]) -> None:
    """Of the subjects of the example district; the samples invent some, such as townships ``east`` and ``west``."""
    asked = [target for target in panel.get("targets", ()) if target not in judged_by(panel)]
    if not asked:
        return
    (target,) = asked
    rows = answer(influxdb, bucket, target)
    of, name = ("人员编号", "姓名") if "人员编号" in rows[0] else ("编号", "名称")
    assert len({row[of] for row in rows}) == len(rows)
    assert all(row[name] == NAMES.get(row[of], row[name]) and row[name] != row[of] for row in rows)


def test_a_range_over_a_change_of_edition_has_no_hole(influxdb: InfluxDB) -> None:
    """Until 2026-02-28 one edition, then the next: without a choice both are shown, as one line."""
    editions = ("2012", "2012", "2026")
    place = store(
        influxdb,
        [
            messages.encode(
                samples.verdict("air-day", times.day_start(samples.DAY - 2 + n), edition=edition, aqi=60 + n)
            )
            for n, edition in enumerate(editions)
        ],
    )
    (target,) = panel_of("每日 AQI")["targets"]
    for edition, shown in ((".*", [60, 61, 62]), ("2026", [62])):
        rows = answer(influxdb, place, target, chosen=CHOSEN | {"edition": edition})
        assert [row["日 AQI"] for row in rows] == shown


def panel_of(title: str, board: str = "air.json") -> dict[str, Any]:
    return next(p for p in BOARDS[board]["panels"] if p["title"] == title)


def test_the_numbers_on_the_wall_are_those_of_the_messages(influxdb: InfluxDB, bucket: str) -> None:
    (days,) = rows_of(influxdb, bucket, panel_of("今年天数"))
    assert (days["优良"], days["污染"], days["无效"]) == (180, 172, 13)
    (ratio,) = rows_of(influxdb, bucket, panel_of("优良率"))
    assert (ratio["优良率"], ratio["统计截至"]) == (51.1, "2015-12-31")
    last = samples.verdict("air-hour", times.day_end(samples.DAY), samples.DAY * 24 + 24)
    (now,) = rows_of(influxdb, bucket, panel_of("当前小时 AQI"))
    assert now["当前小时 AQI"] == last.aqi
    (words,) = rows_of(influxdb, bucket, panel_of("当前级别与首要污染物"))
    assert (words["当前级别"], words["首要污染物"]) == (last.category, "、".join(last.primary))
    iaqi = {r["factor"]: r["IAQI"] for r in rows_of(influxdb, bucket, panel_of("当前六项污染物分指数（IAQI）"))}
    assert iaqi == last.iaqi and set(iaqi) == set(AIR_FACTORS)
    at_hour = samples.verdict("station-hour", times.day_end(samples.DAY), samples.DAY * 24 + 24)
    assert {r["站点"]: r["AQI"] for r in rows_of(influxdb, bucket, panel_of("各站当前 AQI"))} == {"s1": at_hour.aqi}
    days = rows_of(influxdb, bucket, panel_of("每日 AQI"))
    assert len(days) == DAYS - 1, "the range begins ten minutes into its first day"
    assert all((r["time"] + 8 * 3600) % 86_400 == 0 for r in days), "stamped at 00:00 Beijing time"
    primary = {r["factor"]: r["天数"] for r in rows_of(influxdb, bucket, panel_of("今年首要污染物天数"))}
    assert primary == {**dict.fromkeys(AIR_FACTORS, 0), "PM2.5": 100}


def test_the_calendar_has_each_day_at_its_place(influxdb: InfluxDB, bucket: str) -> None:
    rows = rows_of(influxdb, bucket, panel_of("日历：最近十二个月每日 AQI"))
    shown = {f"{r['月']}-{r['日']}": r["AQI"] for r in rows}
    days = range(samples.DAY - DAYS + 1, samples.DAY + 1)
    assert shown == {times.date_of(day).isoformat(): samples.verdict("air-day", 0, day).aqi for day in days}
    assert len(shown) == len(rows) and "2015-11-30" in shown and "2015-12-01" in shown


def test_hours_of_the_day_and_of_the_week(influxdb: InfluxDB, bucket: str) -> None:
    """Hour 24 belongs to the day it ends, and to its weekday."""
    rows = rows_of(influxdb, bucket, panel_of("周变化：一周各时刻的平均 AQI（近 13 周）"))
    assert len(rows) == 24 * DAYS
    for row in rows:
        ends = dt.datetime.fromtimestamp(row["time"], dt.UTC) + dt.timedelta(hours=8)
        began = ends - dt.timedelta(hours=1)
        assert (row["星期"], row["时"]) == (str(began.weekday() + 1), f"{began.hour + 1:02d}")
    by_factor = rows_of(influxdb, bucket, panel_of("日变化：各污染物各时刻的平均分指数（近 30 天）"))
    assert {(r["污染物"], r["时"]) for r in by_factor} == {(f, f"{h:02d}") for f in AIR_FACTORS for h in range(1, 25)}


def test_the_budget_on_the_wall(influxdb: InfluxDB, bucket: str) -> None:
    today = samples.budget(times.day_end(samples.DAY) + 3600)
    (state,) = rows_of(influxdb, bucket, panel_of("今日能否优良"))
    assert (state["今日"], state["剩余"]) == (today.state, today.hours_left) == ("open", 23), "and not yesterday's"
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
    end = times.day_end(samples.DAY)
    story = [("began", end, "s1"), ("began", end, "s2"), ("continues", end + 3600, "s2"), ("ended", end + 7200, "s1")]
    said = [
        samples.condition(state, end, until, end, id=f"g|{subject}|hour-missing||{end}", subject=subject)
        for state, until, subject in story
    ]
    place = store(influxdb, [messages.encode(message) for message in said])
    (row,) = influxdb.rows(place, 'SELECT sum("open") AS n, count("open") AS m FROM condition WHERE valid = true')
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
