"""Demo data: what stands in the store is what the judges last said; scenarios are where the calendar puts them."""

from __future__ import annotations

import datetime as dt
import re
import threading
from functools import partial
from pathlib import Path

import msgspec
import pytest

from agents import demo_data
from agents.emission import EmissionJudge
from agents.rejudge import JUDGES, MakeJudge, Rejudged
from agents.scenario_run import simulate
from desk.notify import on_log_time
from schemas import alerts, registry, times, topics
from schemas.alerts import Notice
from schemas.messages import Condition
from streams.journal import Record
from streams.line_protocol import lines
from streams.simulator.timeline import Plan
from streams.target import BadLine, Batch
from tests.services import samples

DISTRICT = Path(__file__).parents[2] / "districts" / "example"
UNTIL = dt.date(2026, 6, 20)


@pytest.fixture(scope="module")
def district() -> registry.Registry:
    return registry.load(DISTRICT)


def points(texts: list[str]) -> dict[str, str]:
    """The last line of every series and time, as InfluxDB keeps it."""
    found = {}
    for line in texts:
        series, rest = line.split(" ", 1)
        fields, stamp = rest.rsplit(" ", 1)
        found[f"{series} {stamp}"] = fields
    return found


def test_the_store_has_what_was_said_last_and_the_people_were_told(district: registry.Registry, tmp_path: Path) -> None:
    demo = demo_data.Demo(DISTRICT, UNTIL, 2, tmp_path, full_days=0)
    (part,) = [each for each in demo_data.parts(district) if each.name == "air"]
    made = demo_data.make_part(demo, part)
    said = Rejudged(4, judges={topics.READINGS_AIR: JUDGES[topics.READINGS_AIR]}, keep=())
    plan = demo_data.plan(demo, district)
    silent = tuple(s for s in plan.scenarios if s.name == "silent-air")
    assert silent, "a station is off line at the end"
    alone = Plan(plan.start, plan.days, plan.seed, silent)
    simulate(
        district, alone, kinds=("air",), step_ms=60_000, stop_ms=demo.stop_ms,
        keep=lambda records: [said.take(record) for record in records],
    )  # fmt: skip
    stored = points(
        [line for file in tmp_path.rglob("*.lp") for line in file.read_text().splitlines() if not line.startswith("#")]
    )
    for topic in (topics.CELLS, topics.VERDICTS):  # nobody's actions change these
        for line, fields in points([each for value in said.last(topic).values() for each in lines(value)]).items():
            assert stored[line] == fields
    assert made.notices, "somebody was told of the silence"
    told = on_log_time.deliveries(made.notices, district)
    wanted = {(notice.id, to.person) for notice in made.notices for to in notice.to}
    finals = [(row.notice, row.person) for row in told if row.final]
    assert wanted <= set(finals) and len(finals) == len(set(finals))


class ForgetsOne:
    """A target that keeps all but one line of a batch, which is older than what it keeps."""

    def position(self, topic: str, partition: int) -> int | None:
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        batch.left_out = 1
        return []

    def close(self) -> None:
        pass


def test_what_the_store_left_out_is_not_counted_as_stored() -> None:
    store = demo_data.Store(ForgetsOne(), topics.SUNK)
    ((_, key, value), *_) = (sample for sample in samples.days(1) if sample[0] == topics.CELLS)
    store.say(topics.CELLS, key, value)
    store.close()
    assert store.lines == len(lines(value)) - 1


def test_every_enterprise_is_judged_once_and_nobody_is_silent_for_speaking_elsewhere(
    district: registry.Registry, tmp_path: Path
) -> None:
    shares = [part for part in demo_data.parts(district) if part.kinds == ("emission",)]
    assert sorted(each for part in shares for each in part.enterprises) == sorted(e.id for e in district.enterprises)
    smallest = min(shares, key=lambda part: sum(outlet.enterprise in part.enterprises for outlet in district.outlets))
    demo_data.make_part(demo_data.Demo(DISTRICT, UNTIL, 1, tmp_path, full_days=0), smallest)
    written = "".join(file.read_text() for file in tmp_path.rglob("*.lp"))
    about = set(re.findall(r"(?:enterprise|group)=([\w-]+)", written))
    assert about == set(smallest.enterprises)
    assert set(re.findall(r"about=silence,group=([\w-]+)", written)) <= {"jingyuan-energy"}, "by its scenario"


def test_an_outlet_that_is_reviewed_once_a_day_is_suspected_of_the_same(district: registry.Registry) -> None:
    """Of every suspicion that had ended by the last midnight: begin, end and level."""
    demo = demo_data.Demo(DISTRICT, UNTIL, 8, Path(), full_days=0)
    plan = demo_data.plan(demo, district)
    clipped = tuple(s for s in plan.scenarios if s.name == "clipped")
    plan = Plan(plan.start, plan.days, plan.seed, clipped)
    log: list[Record] = []
    simulate(
        district, plan, kinds=("emission",), enterprises=("qinghe-chemical",), step_ms=60_000, keep=log.extend,
        stop_ms=demo.stop_ms,
    )  # fmt: skip
    makes: tuple[MakeJudge, ...] = (EmissionJudge, partial(demo_data.DailyReviews, hourly_from_s=1 << 40))
    hourly, daily = (_suspected(log, make, times.day_end(times.day_number(UNTIL))) for make in makes)
    assert hourly == daily and any("R10" in name for name in daily)


def _suspected(log: list[Record], make: MakeJudge, before_s: int) -> dict[str, tuple[str, int, str]]:
    judged = Rejudged(4, judges={topics.READINGS_EMISSION: make}, keep=(topics.CONDITIONS,))
    for record in log:
        judged.take(record)
    last = {}
    for output in judged.all_of(topics.CONDITIONS):
        condition = msgspec.json.decode(output.value, type=Condition)
        if condition.rule == "suspect" and condition.since < before_s:
            last[condition.id] = condition.state, min(condition.until, before_s), condition.level
    return last


def test_a_year_has_two_scenarios_in_every_season_and_something_open_at_its_end(district: registry.Registry) -> None:
    for hours in (4, 13, 23):
        demo = demo_data.Demo(DISTRICT, dt.date(2026, 11, 30), 365, Path(), breaks_off_h=hours)
        plan = demo_data.plan(demo, district)
        begins = [plan.start + dt.timedelta(minutes=s.start_min) for s in plan.scenarios]
        seasons = [date.month % 12 // 3 for date in begins if date < demo.until - dt.timedelta(days=8)]
        assert min(seasons.count(season) for season in range(4)) >= 2
        now = demo.days * 24 * 60 + hours * 60
        going_on = {s.name for s in plan.scenarios if s.start_min < now <= s.end_min}
        assert {"exceedance", "silent", "silent-air", "treatment-off", "upstream-wave"} <= going_on


def test_a_calendar_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "district"
    folder.mkdir()
    (folder / "district.toml").write_text((DISTRICT / "district.toml").read_text())
    (folder / "demo-year.toml").write_text('[[scenario]]\nname = "episode"\n')
    demo = demo_data.Demo(folder, UNTIL, 10, Path())
    with pytest.raises(demo_data.DemoError, match="cannot be read"):
        demo_data.plan(demo, registry.load(folder))
    (folder / "scenarios").symlink_to(DISTRICT / "scenarios")
    with pytest.raises(demo_data.DemoError, match=r"demo-year\.toml.*write \[\[scenario\]\]"):
        demo_data.plan(demo, registry.load(folder))


def test_a_provider_that_is_out_of_order_is_tried_again(district: registry.Registry) -> None:
    start = times.day_start(times.day_number(UNTIL)) * 1000
    notices = [
        Notice(
            id=f"n{n}", episode=f"e{n}", group="g", kind="air", reason=alerts.FIRST, level="red", at=start + n * 60_000,
            to=[alerts.Recipient(district.persons[0].id, "duty")], title="t", text="t", text_en="t", short="t",
        )
        for n in range(120)
    ]  # fmt: skip
    told = on_log_time.deliveries(notices, district)
    assert {alerts.FAILED, alerts.SENT} <= {row.state for row in told}
    assert sum(row.final for row in told) == len(notices)
