"""Every query of every dashboard on what the real parts made of a simulated district, on real Kafka and InfluxDB.

A plain run has the first two days of a month, the second with the instants and minutes of a few loggers; ``make
test-services`` has seven, the last in full. The log breaks off in the morning after, with something open of every kind.
What the panels show is held against the messages themselves, read back from Kafka.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents import demo_data
from schemas import registry as registries
from schemas import times, topics
from streams.simulator.events import END, Event, Mark
from streams.simulator.recording import Header, Writer
from streams.simulator.timeline import Timeline
from streams.simulator.world import World
from tests.e2e import system, workers
from tests.e2e.test_kafka import Parts
from tests.services.fixtures import InfluxDB

pytestmark = [pytest.mark.whole, pytest.mark.needs_kafka, pytest.mark.needs_influxdb]

DAYS = int(os.environ.get("ENVSTREAM_SERVICES_DAYS", "2"))
IN_FULL = DAYS >= 7
DISTRICT = system.ROOT / "districts" / "example"
FEW = ("yunqi-pushing", "air-luhua")
"""Whose instants and minutes a short run has."""
BOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((system.ROOT / "grafana" / "dashboards").glob("*.json"))
}
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['id']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel.get("targets")
]
MAY_BE_EMPTY = {
    ("air", "与省级公布值对照"): "nobody enters what the province publishes",
    ("air", "还可有的非优良天数"): "so few days of a year may have lost its task",
    ("overview", "还可有的非优良天数"): "so few days of a year may have lost its task",
    ("alerts", "未送达的推送"): "of a virtual log nobody is told, so nothing fails",
    ("alerts", "确认用时"): "nobody sits at the desk",
    ("alerts", "每日确认用时中位数"): "nobody sits at the desk",
}
BY_WALL_CLOCK = ("pipeline", "delivery")
"""Measurements that are stamped by it; all others by the log."""
NOW = re.compile(r'FROM "(\w+)"')


@dataclass
class Scene:
    """What the parts left.

    Attributes:
        influxdb, bucket: where the sink wrote.
        bootstrap: the Kafka with the log.
        to: the last instant of the log, epoch seconds.
        report: of the replay.
        parts: that run.
        hours: a panel shows, up to the end of the log.
    """

    influxdb: InfluxDB
    bucket: str
    bootstrap: str
    to: int
    report: dict[str, Any]
    parts: int
    hours: int = 7 * 24

    def last(self, topic: str) -> list[dict[str, Any]]:
        """The last message of every key, as Kafka has it."""
        found = {key: value for _, key, value in workers.everything(self.bootstrap, topic)}
        return [json.loads(value) for value in found.values() if value]

    def ask(self, uid: str, query: str, chosen: dict[str, str]) -> list[dict[str, Any]]:
        """Rows of a query as Grafana sends it, with a point for each pixel or so."""
        measurement = NOW.search(query)
        assert measurement is not None, query
        to = int(time.time()) if measurement[1] in BY_WALL_CLOCK else self.to
        since = to - self.hours * 3600
        query = query.replace("$timeFilter", f"time >= {since}s and time <= {to}s")
        query = query.replace("${__to}", str(to * 1000)).replace("${__from}", str(since * 1000))
        query = query.replace("$__interval", "30s" if measurement[1] == "pipeline" else f"{self.hours * 60 // 1000}m")
        query = re.sub(r"\$\{?([a-z]\w*)(?::\w+)?\}?", lambda name: chosen[name[1]], query)
        bucket = {"envstream-influxdb": self.bucket, "envstream-influxdb-recent": f"{self.bucket}_recent"}[uid]
        return self.influxdb.rows(bucket, query)

    def answers(self, panel: dict[str, Any], chosen: dict[str, str]) -> list[list[dict[str, Any]]]:
        """Rows of each query of a panel."""
        return [self.ask(target["datasource"]["uid"], target["query"], chosen) for target in panel["targets"]]

    def panel(self, board: str, title: str, chosen: dict[str, str]) -> list[list[dict[str, Any]]]:
        """Rows of each query of the panel with that title; of several the first."""
        found = [one for one in BOARDS[board]["panels"] if one["title"] == title and one.get("targets")]
        assert found, f"{board} has no panel {title}"
        return self.answers(found[0], chosen)

    def choices(self, board: dict[str, Any]) -> Iterator[dict[str, str]]:
        """Values of a board's variables, from their own queries: the first of each and All, then all others."""
        yield from self._choices(board["templating"]["list"], {})

    def _choices(self, variables: list[dict[str, Any]], chosen: dict[str, str]) -> Iterator[dict[str, str]]:
        if not variables:
            yield chosen
            return
        variable, *rest = variables
        name = variable["name"]
        offered = [".*"] if variable.get("includeAll") else []
        for value in offered + self.ask_variable(variable, chosen):
            yield from self._choices(rest, {**chosen, name: re.sub(r"(?<=\w)/(?=\w)", r"\\/", value)})

    def ask_variable(self, variable: dict[str, Any], chosen: dict[str, str]) -> list[str]:
        """What a variable offers."""
        if variable["type"] == "custom":
            return [one["value"] for one in variable["options"] if one["value"] != "$__all"]
        rows = self.ask(variable["datasource"]["uid"], variable["query"], chosen)
        offered = [str(value) for row in rows for value in values([{k: v for k, v in row.items() if k != "key"}])]
        pattern = re.compile((variable.get("regex") or "/^(?<value>.*)$/")[1:-1].replace("(?<", "(?P<"))
        found = [match["value"] for text in offered if (match := pattern.search(text))]
        assert found, f"variable {variable['name']} offers nothing: {variable['query']}"
        return found


def recording(path: Path) -> int:
    """What the loggers say, up to where the log breaks off; when that is, epoch ms."""
    registry = registries.load(DISTRICT)
    this_month = times.civil(int(time.time())).date().replace(day=1)  # at least one month's day is closed, and recent
    first = (this_month - dt.timedelta(days=1)).replace(day=1)
    demo = demo_data.Demo(DISTRICT, first + dt.timedelta(days=DAYS - 1), DAYS, path, full_days=1)
    plan = demo_data.plan(demo, registry)
    few = {logger.mn for logger in registry.loggers} if IN_FULL else set()
    few |= {source.mn for source in registry.sources if source.id in FEW}
    few |= {meter.mn for meter in registry.meters if meter.outlet in FEW}
    with Writer(path, Header(step_ms=60_000)) as writer:
        for item in Timeline(World(registry, plan.seed), registry, plan).events():
            if item.at_ms > demo.stop_ms:
                break
            if isinstance(item, Event) and item.mn not in few and re.search(rb"CN=20[15]1;", item.data):
                continue
            writer.write(item)
        writer.write(Mark(demo.stop_ms, END))  # the clock does not go on to where everybody would be silent
    return demo.stop_ms


@pytest.fixture(scope="module")
def scene(kafka: str, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The parts run until they have taken everything; they still run while the panels are asked."""
    folder = tmp_path_factory.mktemp("services")
    file = folder / "days.jsonl"
    stop_ms = recording(file)
    workers.fresh_topics(kafka)
    bucket = f"services-{os.getpid()}"
    env = {
        "ENVSTREAM_INFLUX_URL": influxdb.url, "ENVSTREAM_INFLUX_TOKEN": influxdb.token,
        "ENVSTREAM_INFLUX_ADMIN_TOKEN": influxdb.token, "ENVSTREAM_INFLUX_ORG": influxdb.org,
        "ENVSTREAM_INFLUX_BUCKET": bucket,
    }  # fmt: skip
    system.run("init", "--bootstrap", kafka, env={**os.environ, **env})
    parts = Parts(folder, kafka)
    try:
        at = ("--district", str(DISTRICT), "--port", str(parts.port), "--control-port", str(parts.control))
        parts.start("gateway", *at, "--clock", "virtual")
        parts.start("sink", env=env)
        parts.start("notify")
        for name in ("one", "two"):
            parts.start("worker", "--instance", name)
            parts.processes[f"worker-{name}"] = parts.processes.pop("worker")
        report = parts.replay(file, "--district", str(DISTRICT))
        parts.caught_up()
        found = Scene(influxdb, bucket, kafka, stop_ms // 1000, report, len(parts.processes))
        workers.wait_until(lambda: heard_twice(found), 120, 1)
        yield found
        parts.stop()
    finally:
        for process in parts.processes.values():
            process.kill()
            process.wait()


def heard_twice(scene: Scene) -> bool:
    """Whether every part has said each of its numbers at least twice, so that there are rates."""
    count = 'SELECT count("value") AS "n" FROM "pipeline" GROUP BY *'
    rows = scene.influxdb.rows(f"{scene.bucket}_recent", count)
    alive = sum(row["name"] == "up_since" for row in rows)
    return alive == scene.parts and all(row["n"] > 1 for row in rows)


def test_everything_that_was_sent_is_in_the_log(scene: Scene) -> None:
    assert scene.report["answered"] > DAYS * 1_000
    assert scene.report["rejected"] == 0


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_shows_something(scene: Scene, name: str, panel: dict[str, Any]) -> None:
    """With the first value of every variable, or All; where that shows nothing, with another. Names are no answer."""
    empty = 0
    for chosen in scene.choices(BOARDS[name]):
        answers = zip(panel["targets"], scene.answers(panel, chosen), strict=True)
        found = [row for target, rows in answers for row in rows if 'FROM "place"' not in target["query"]]
        if any(value is not None for row in found for key, value in row.items() if key != "time"):
            return
        empty += 1
        if (name, panel["title"]) in MAY_BE_EMPTY:
            return
    pytest.fail(f"{panel['title']}: nothing to see for any of {empty} choices")


# ---- what they show, against the log


def newest(messages: list[dict[str, Any]], **like: Any) -> dict[str, Any]:
    """The last in time of the messages that are so."""
    return max((one for one in messages if like.items() <= one.items()), key=lambda one: one["time"])


def values(rows: list[dict[str, Any]]) -> list[Any]:
    """What stands in rows, without their time."""
    return [value for row in rows for name, value in row.items() if name != "time"]


def test_the_air_is_what_the_verdicts_say(scene: Scene) -> None:
    said = scene.last(topics.VERDICTS)
    here = {"area": "example", "dust": "keep"}
    hour = newest(said, kind="air-hour", valid=True, **here)
    year = newest(said, kind="air-year", edition="auto", **here)
    budget = newest(said, kind="air-budget", area="example")["year"]
    days = {
        one["time"]: one["aqi"] for one in said if {"kind": "air-day", "valid": True, **here}.items() <= one.items()
    }
    assert len(days) >= DAYS
    chosen = {"area": "example", "edition": ".*", "dust": "keep", "profile": "ci_2026_u", "source": ".*"}
    (shown,) = scene.panel("air", "当前小时 AQI", chosen)
    assert values(shown) == [hour["aqi"]]
    (shown,) = scene.panel("overview", "当前空气质量", chosen)
    assert values(shown) == [hour["aqi"], hour["category"]]
    (shown,) = scene.panel("air", "今年天数", chosen)
    assert values(shown) == [year["good"], year["polluted"], year["invalid"]]
    (shown,) = scene.panel("overview", "优良天数与年度任务", chosen)
    assert values(shown) == [budget["good"], float(budget["task"])]
    (shown,) = scene.panel("overview", "每日 AQI", chosen)
    since = scene.to - scene.hours * 3600
    assert {row["time"]: value for row in shown for value in values([row])} == {
        time: aqi for time, aqi in days.items() if time >= since
    }


def test_the_rivers_are_what_the_verdicts_say(scene: Scene) -> None:
    said = scene.last(topics.VERDICTS)
    classes = {}
    for one in sorted(
        (one for one in said if one["kind"] == "water-hour" and one["valid"]), key=lambda one: one["time"]
    ):
        if one["time"] > scene.to - 8 * 3600:
            classes[one["section"]] = one["class"]
    month = newest(said, kind="water-sections-month", group="zhuozhang")
    coming = [one for one in said if one["kind"] == "water-arrival" and one["state"] == "expected"]
    assert len(classes) >= 7 and coming, "a wave is on its way"
    chosen = {"group": "zhuozhang", "section": "shihui-bridge", "edition": ".*"}
    names, shown, _ = scene.panel("water", "各断面现在的水质", chosen)
    assert {row["编号"]: row["类别"] for row in shown} == classes
    registry = registries.load(DISTRICT)
    assert {row["编号"]: row["名称"] for row in names} == {section.id: section.name for section in registry.sections}
    (shown,) = scene.panel("water", "优良断面比例（本月）", chosen)
    assert values(shown) == [float(month["good_percent"])]
    (shown,) = scene.panel("water", "断面达标率（本月）", chosen)
    assert values(shown) == [float(month["meeting_percent"])]
    (shown,) = scene.panel("water", "预计到达下游", chosen)
    assert values(shown) == [len(coming)]


def test_the_enterprises_are_what_the_verdicts_say(scene: Scene) -> None:
    said = scene.last(topics.VERDICTS)
    hours = [one for one in said if one["kind"] == "outlet-hour" and one["enterprise"] == "lanfeng-steel"]
    at = newest(hours, outlet="lanfeng-sinter-head")
    nox = at["items"]["NOx"]
    assert nox["verdict"] == "EXCEED" and at["time"] > scene.to - 3600, "the exceedance of the scenario goes on"
    year = newest(said, kind="enterprise-year", enterprise="lanfeng-steel")
    latest: dict[tuple[str, str], str] = {}
    for one in sorted(hours, key=lambda one: one["time"]):
        if one["time"] > scene.to - 3 * 3600:
            latest |= {(one["outlet"], factor): each["verdict"] for factor, each in one["items"].items()}
    chosen = {"enterprise": "lanfeng-steel", "outlet": "lanfeng-sinter-head", "factor": ".*"}
    shown = scene.panel("outlets", "各排口现在", chosen)[0]
    (row,) = [row for row in shown if row["排口"] == "lanfeng-sinter-head" and row["因子"] == "NOx"]
    assert (row["数值"], float(row["最严限值"])) == (float(nox["value"]), float(nox["limit"]))
    shown = scene.panel("outlets", "超标项（全企业）", chosen)[0]
    assert values(shown) == [sum(verdict == "EXCEED" for verdict in latest.values())]
    (shown,) = scene.panel("outlets", "许可量已用", chosen)
    used = {factor: float(one["used_percent"]) for factor, one in year["permits"].items()}
    assert {row["factor"]: value for row in shown for name, value in row.items() if name == "已用"} == used


def test_the_alerts_are_the_episodes(scene: Scene) -> None:
    episodes = scene.last(topics.EPISODES)
    active = [one for one in episodes if one["state"] in ("open", "acknowledged", "handling")]
    levels = Counter(one["level"] for one in active)
    ids = {one["id"] for one in episodes}
    assert levels["red"] and any(one["about"] == "silence" for one in active)
    shown = scene.panel("alerts", "未结告警", {"kind": ".*"})
    assert [sum(values(rows)) for rows in shown] == [levels[level] for level in ("red", "orange", "yellow", "blue")]
    (shown,) = scene.panel("alerts", "待确认", {"kind": ".*"})
    assert values(shown) == [sum(one["state"] == "open" for one in episodes)]
    for board in ("alerts", "overview"):
        listed = scene.panel(board, "未结告警清单", {"kind": ".*", "area": "example", "edition": ".*"})
        assert {value for rows in listed for value in values(rows)} & ids == {one["id"] for one in active}


def lag(scene: Scene) -> float:
    """What the parts say they have not taken yet, each the last time it spoke."""
    said = sorted(
        (json.loads(value) for _, _, value in workers.everything(scene.bootstrap, topics.HEALTH) if value),
        key=lambda one: one["at"],
    )
    newest_of = {(one["part"], one["instance"]): one["samples"] for one in said}
    return sum(value for samples in newest_of.values() for name, _, value in samples if name == "lag")


def test_the_pipeline_is_what_runs_and_what_could_not_be_used(scene: Scene) -> None:
    (shown,) = scene.panel("pipeline", "在线部件", {})
    assert values(shown) == [scene.parts]
    workers.wait_until(lambda: values(scene.panel("pipeline", "积压", {})[0]) == [lag(scene)], 20, 1)
    letters = scene.last(topics.DEAD)
    assert len(letters) >= 24, "a day of garbage"
    (shown,) = scene.panel("pipeline", "最近的死信", {})
    assert set(values(shown)) & {one["id"] for one in letters} == {one["id"] for one in letters}
    since = (scene.to - 86_400) * 1000
    (shown,) = scene.panel("pipeline", "死信（24 小时）", {})
    assert values(shown) == [sum(one["received"] > since for one in letters)]
