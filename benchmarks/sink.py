"""How fast the sink stores: points a second into a real InfluxDB from one process, beside influxdb-client's own writer.

Run: ``python -m benchmarks sink`` (about three minutes; ``make services`` before it). The points are verdicts and cells
of the air of the example district, judged from simulated hours, so that tags and fields are as they come. Every way
writes the same points into a fresh bucket in a process of its own, and what is stored is counted afterwards.

``--year BUCKET`` also asks every query of every dashboard, five times, of a year that ``envstream demo-data --influx``
left in that bucket of the InfluxDB of the environment. ``--docs`` writes the section of docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision

from agents.rejudge import JUDGES, Rejudged
from agents.scenario_run import simulate
from benchmarks import report
from benchmarks.agents import kafka
from schemas import measurements as m
from schemas import registry, times, topics
from streams.admin import create_topics
from streams.influx import LINES_AT_ONCE, Influx, InfluxSettings
from streams.line_protocol import lines
from streams.simulator.planning import plan_of
from streams.target import Batch, Origin
from streams.view import Behind
from tests.e2e import test_kafka, test_services
from tests.services.fixtures import INFLUXD, InfluxDB, InfluxDBProcess

DISTRICT: Final = report.ROOT / "districts" / "example"
RUNS: Final = 3
ASKED: Final = 5
_PARTITIONS: Final = topics.EMBEDDED_PARTITIONS
_FLUSH_MS: Final = 1_000
_COUNTED: Final = "valid"
"""A field every measurement has."""

Parts = tuple[str, list[tuple[str, str]], list[tuple[str, Any]], int]
"""Of a point: measurement, tags, fields with their types, nanoseconds."""


@dataclass
class Written:
    """What a way of writing took.

    Attributes:
        seconds: of each run, by the clock.
        cpu_s: of the processor, median.
        peak_mib: resident memory of the process, largest.
    """

    seconds: list[float]
    cpu_s: float
    peak_mib: float

    @property
    def median_s(self) -> float:
        """Median of the runs."""
        return statistics.median(self.seconds)


# ---- the points


def messages(days: int) -> list[bytes]:
    """The last message of each key of so many days of the air."""
    district = registry.load(DISTRICT)
    judged = Rejudged(_PARTITIONS, judges={topics.READINGS_AIR: JUDGES[topics.READINGS_AIR]}, keep=())
    plan = plan_of(district, DISTRICT, days=days)
    simulate(district, plan, kinds=("air",), step_ms=60_000, keep=lambda some: [judged.take(each) for each in some])
    return [*judged.last(topics.CELLS).values(), *judged.last(topics.VERDICTS).values()]


def parts_of(line: str) -> Parts:
    """A line taken apart, for those who put points together themselves. No tag here has a blank in it."""
    series, rest = line.split(" ", 1)
    fields, stamp = rest.rsplit(" ", 1)
    name, *tags = series.split(",")
    types = m.MEASUREMENTS[name].fields
    found, at = [], 0
    for field, declared in types.items():
        at += len(field) + 1
        if declared.type == m.STRING:
            end = fields.index('"', at + 1) + 1  # no string here has a quote in it
            value: Any = fields[at + 1 : end - 1]
        else:
            end = fields.find(",", at)
            end = len(fields) if end < 0 else end
            text = fields[at:end]
            value = {"true": True, "false": False}.get(text) if declared.type == m.BOOLEAN else None
            if value is None:
                value = int(text[:-1]) if declared.type == m.INTEGER else float(text)
        found.append((field, value))
        at = end + 1
    return name, [(tag.split("=")[0], tag.split("=")[1]) for tag in tags], found, int(stamp)


# ---- ways of writing them, each in a process of its own


def target_from_messages(place: InfluxSettings, made: list[bytes]) -> None:
    """The sink's line builder and target, without Kafka."""
    _through_target(place, (lines(value) for value in made))


def target_from_lines(place: InfluxSettings, made: list[bytes]) -> Callable[[], None]:
    """The sink's target alone; lines are ready."""
    ready = [lines(value) for value in made]
    return lambda: _through_target(place, iter(ready))


def client_strings(place: InfluxSettings, made: list[bytes]) -> Callable[[], None]:
    """influxdb-client's batching writer, given lines that are ready."""
    ready = [line for value in made for line in lines(value)]
    return lambda: _through_client(place, iter(ready))


def client_points(place: InfluxSettings, made: list[bytes]) -> Callable[[], None]:
    """influxdb-client's batching writer, given Point objects that are made of what is ready."""
    ready = [parts_of(line) for value in made for line in lines(value)]
    return lambda: _through_client(place, (_point(*each) for each in ready))


def _point(name: str, tags: list[tuple[str, str]], fields: list[tuple[str, Any]], stamp: int) -> Point:
    point = Point(name).time(stamp, WritePrecision.NS)
    for tag, value in tags:
        point.tag(tag, value)
    for field, value in fields:
        point.field(field, value)
    return point


def _through_target(place: InfluxSettings, made: Iterator[list[str]]) -> None:
    target, stop, batch = Influx(place), threading.Event(), Batch()
    for offset, some in enumerate(made):
        batch.add(Origin(topics.VERDICTS, 0, offset, 0), some)
        if batch.lines >= LINES_AT_ONCE:
            target.write(batch, stop)
            batch = Batch()
    target.write(batch, stop)
    target.close()


def _through_client(place: InfluxSettings, made: Iterator[Any]) -> None:
    options = WriteOptions(batch_size=LINES_AT_ONCE, flush_interval=_FLUSH_MS)
    with (
        InfluxDBClient(url=place.url, token=place.secret(), org=place.org, enable_gzip=True) as client,
        client.write_api(write_options=options) as writer,
    ):
        for record in made:
            writer.write(bucket=place.bucket, record=record, write_precision=WritePrecision.NS)


WAYS: Final[dict[str, Callable[..., Any]]] = {
    "messages": target_from_messages,
    "lines": target_from_lines,
    "strings": client_strings,
    "points": client_points,
}
READY_BEFORE: Final = ("lines", "strings", "points")


def _alone(way: str, place: InfluxSettings, made: list[bytes], told: Any) -> None:
    work = WAYS[way](place, made) if way in READY_BEFORE else lambda: WAYS[way](place, made)
    cpu, begun = time.process_time(), time.perf_counter()
    work()
    told.send((time.perf_counter() - begun, time.process_time() - cpu, report.peak_mib(os.getpid())))


def in_process(way: str, place: InfluxSettings, made: list[bytes]) -> tuple[float, float, float]:
    """Seconds by the clock, of the processor, and peak memory of a way in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_alone, args=(way, place, made, there))
    process.start()
    there.close()
    try:
        found: tuple[float, float, float] = here.recv()
    finally:
        process.join()
    return found


def the_sink(broker: str, place: InfluxSettings, folder: Path) -> tuple[float, float, float]:
    """``envstream sink`` from its first message to the last commit: seconds, of the processor, peak memory."""
    admin = AdminClient({"bootstrap.servers": broker, "log_level": 0})
    admin.delete_consumer_groups([topics.SINK_GROUP])[topics.SINK_GROUP].exception()
    env = {**os.environ, "ENVSTREAM_INFLUX_URL": place.url, "ENVSTREAM_INFLUX_TOKEN": place.secret()}
    env |= {"ENVSTREAM_INFLUX_ORG": place.org, "ENVSTREAM_INFLUX_BUCKET": place.bucket}
    behind = Behind(broker, ((topics.SINK_GROUP, topics.SUNK),))
    parts = test_kafka.Parts(folder, broker)
    parts.start("sink", "--no-readings", env=env)
    pid = parts.processes["sink"].pid
    cpu, begun = report.cpu_seconds(pid), time.perf_counter()
    while any(behind.messages().values()):
        time.sleep(0.02)
    found = time.perf_counter() - begun, report.cpu_seconds(pid) - cpu, report.peak_mib(pid)
    parts.stop()
    behind.close()
    return found


# ---- measuring


def stored(influxdb: InfluxDB, bucket: str) -> int:
    """Points in a bucket."""
    rows = influxdb.rows(bucket, f'SELECT count("{_COUNTED}") AS "n" FROM /.*/')
    return sum(row["n"] for row in rows)


def measure(days: int, runs: int) -> tuple[int, dict[str, Written]]:
    """Every way, in turn.

    Raises:
        KafkaMissing: there is no Kafka, or no InfluxDB.
        RuntimeError: a way did not store every point.
    """
    if not INFLUXD.exists():
        raise kafka.KafkaMissing("no InfluxDB: tests/services/influxdb.sh install")
    made = messages(days)
    count = sum(len(lines(value)) for value in made)
    took: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("sink", *WAYS)}
    with tempfile.TemporaryDirectory(prefix="envstream-bench-") as name:
        folder = Path(name)
        (folder / "influxdb").mkdir()
        influxdb = InfluxDBProcess(folder / "influxdb")
        try:
            with kafka.running(folder / "kafka") as broker:
                create_topics(broker.bootstrap, _PARTITIONS, 1)
                producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "log_level": 0})
                for n, value in enumerate(made):
                    producer.produce(topics.VERDICTS, value, str(n).encode(), partition=n % _PARTITIONS)
                    if not n % 5_000:
                        producer.flush()
                producer.flush()
                for _ in range(runs):
                    for way, found in took.items():
                        place = influxdb.make_bucket()
                        if way == "sink":
                            found.append(the_sink(broker.bootstrap, place, folder))
                        else:
                            found.append(in_process(way, place, made))
                        there = stored(influxdb, place.bucket)
                        if there != count:
                            raise RuntimeError(f"{way} stored {there} of {count} points")
        finally:
            influxdb.stop(hard=True)
    return count, {
        way: Written([s for s, _, _ in each], statistics.median(c for _, c, _ in each), max(p for _, _, p in each))
        for way, each in took.items()
    }


# ---- the queries of the dashboards


@dataclass
class Wall:
    """The queries of one dashboard.

    Attributes:
        queries: how many.
        slowest: panel, and median milliseconds, over the time the dashboard opens with.
        in_year: the same when it shows a year.
        all_ms: of all its queries one after the other.
    """

    queries: int
    slowest: tuple[str, float]
    in_year: tuple[str, float]
    all_ms: float


def walls(place: InfluxSettings) -> dict[str, Wall]:
    """Every dashboard on what is in a bucket, as its last hour stands there.

    Raises:
        RuntimeError: there is nothing.
    """
    influxdb = InfluxDB(place.url, place.secret(), place.org)
    rows = influxdb.rows(place.bucket, f'SELECT last("{_COUNTED}") FROM "{m.AIR_HOUR.name}"')
    if not rows:
        raise RuntimeError(f"{place.place()} has no air: fill it by `envstream demo-data --influx`")
    scene = test_services.Scene(influxdb, place.bucket, "", rows[0]["time"], {}, 0)
    found = {}
    for board in test_services.BOARDS.values():
        hours = {"h": 1, "d": 24}[board["time"]["from"][-1]] * int(board["time"]["from"][4:-1])
        chosen = next(scene.choices(board))
        asked = [(p["title"], t) for p in board["panels"] for t in p.get("targets", ())]
        spans = [_ask(replace(scene, hours=max(each, 17)), asked, chosen) for each in (hours, 365 * 24)]
        default, year = (max(zip((title for title, _ in asked), ms, strict=True), key=lambda at: at[1]) for ms in spans)
        found[board["title"]] = Wall(len(asked), default, year, sum(spans[0]))
    return found


def _ask(scene: test_services.Scene, asked: list[tuple[str, Any]], chosen: dict[str, str]) -> list[float]:
    return [
        1e3 * report.median_seconds(lambda t=target: scene.ask(t["datasource"]["uid"], t["query"], chosen), ASKED)  # type: ignore[misc]
        for _, target in asked
    ]


# ---- the table

NAMES: Final = {
    "sink": "`envstream sink`, from Kafka",
    "messages": "its line builder and target, from messages",
    "lines": "its target alone, lines ready",
    "strings": "influxdb-client, batching, lines ready",
    "points": "influxdb-client, batching, `Point` objects",
}
_HEAD: Final = "## The sink"
_WHAT: Final = """`python -m benchmarks sink` ({runs} runs each, median): {count} points of {measurements}
measurements (verdicts and cells of the air, {fields} fields a point) into a real InfluxDB 2.7, each
way in a process of its own and into a fresh bucket; batches of {batch} lines, gzip. Run on {date}:
{machine}, shared with InfluxDB, Kafka and other work."""
_SAID: Final = """Of the processor the sink takes {less:.1f} times less than the `Point` objects for the same points,
although it reads Kafka and JSON and they are given values that are ready; by the clock it is
{faster:.1f} times as fast, because InfluxDB needs most of these cores itself and the sink waits for
its answer before it goes on."""
_WALLS: Final = """**The dashboards on a year** of `envstream demo-data`: every query of every panel, median of
{asked}, with the first value of each variable."""


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def table(count: int, took: dict[str, Written]) -> str:
    """Points a second, beside the Point objects."""
    base = took["points"].median_s
    rows = ["| | points/s | against `Point` | µs of the processor a point | peak memory |", "|---|---|---|---|---|"]
    for way, each in took.items():
        rate = int(float(f"{count / each.median_s:.2g}"))
        rows.append(
            f"| {NAMES[way]} | {_spaced(rate)} | {base / each.median_s:.1f} | {1e6 * each.cpu_s / count:.1f} "
            f"| {each.peak_mib:.0f} MiB |"
        )
    return "\n".join(rows)


def wall_table(found: dict[str, Wall]) -> str:
    """The slowest query of each dashboard."""
    rows = [
        "| dashboard | queries | slowest, as it opens | slowest, showing a year | all, as it opens |",
        "|---|---|---|---|---|",
    ]
    for title, wall in found.items():
        rows.append(
            f"| {title} | {wall.queries} | {wall.slowest[1]:.0f} ms, {wall.slowest[0]} "
            f"| {wall.in_year[1]:.0f} ms, {wall.in_year[0]} | {wall.all_ms:.0f} ms |"
        )
    return "\n".join(rows)


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sink", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--days", type=int, default=60, help="of the air, whose points are written")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each way")
    parser.add_argument("--year", metavar="BUCKET", help="with demo data, in the InfluxDB of the environment")
    parser.add_argument("--only-year", action="store_true", help="ask the dashboards' queries alone")
    parser.add_argument("--docs", action="store_true", help="write the section of docs/performance.md anew")
    asked = parser.parse_args(words)
    if asked.docs and (asked.only_year or not asked.year):
        parser.error("--docs writes both parts: give --year BUCKET, and leave --only-year out")
    said = []
    if not asked.only_year:
        try:
            count, took = measure(asked.days, asked.runs)
        except kafka.KafkaMissing as error:
            print(f"sink: {error}")
            return 1
        of = {line.split(",", 1)[0] for value in messages(1) for line in lines(value)}
        fields = statistics.median(len(m.MEASUREMENTS[name].fields) for name in of)
        machine = f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python {platform.python_version()}"
        what = report.filled(
            _WHAT, runs=asked.runs, count=_spaced(count), measurements=len(of), fields=int(fields),
            batch=LINES_AT_ONCE, date=dt.datetime.now(times.BEIJING).date(), machine=machine,
        )  # fmt: skip
        sink, points = took["sink"], took["points"]
        cost = report.filled(_SAID, less=points.cpu_s / sink.cpu_s, faster=points.median_s / sink.median_s)
        said += [_HEAD, what, table(count, took), cost]
    if asked.year:
        place = replace(InfluxSettings.from_env(os.environ), bucket=asked.year)
        said += [report.filled(_WALLS, asked=ASKED), wall_table(walls(place))]
    section = "\n\n".join(said)
    print(section)
    if asked.docs:
        report.write_section("sink", section)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
