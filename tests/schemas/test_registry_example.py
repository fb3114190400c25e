"""The example district is the one of the design, and every field it or any other may have is documented."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from pathlib import Path

import pytest

from schemas import registry, times
from schemas.registry.tables import Table
from tests.schemas.registries import FULL

ROOT = Path(__file__).resolve().parents[2]
D = dt.date
DAY = D(2026, 6, 15)


@pytest.fixture(scope="module")
def example() -> registry.Registry:
    return registry.load(ROOT / "districts" / "example")


def test_the_air_of_eight_townships(example: registry.Registry) -> None:
    townships = [a.name for a in example.areas if a.kind == "township"]
    assert townships == ["潞华", "店上", "史回", "成家川", "翟店", "微子", "黄牛蹄", "辛安泉"]
    assert len(example.city_stations("example", DAY)) == 4
    assert sum(s.kind == "air" for s in example.sources_at(DAY)) == 8
    for area in example.areas:
        if area.kind == "township":
            assert len(example.city_stations(area.id, DAY)) == 1, area.id


def test_a_station_moved_and_keeps_its_past(example: registry.Registry) -> None:
    old, new = (example.station_at("air-zhaidian", day) for day in (D(2026, 2, 28), D(2026, 3, 1)))
    assert old is not None and new is not None and old.mn != new.mn and old.lat != new.lat
    assert example.source_by_mn(old.mn, D(2026, 3, 1)) is None
    assert "air-zhaidian" in example.city_stations("zhaidian", D(2026, 2, 28))
    station = example.station_at("air-huangniuti", DAY)
    assert station is not None and station.shift("CO") == 3


def test_the_water(example: registry.Registry) -> None:
    bodies = [s.body for s in example.sections]
    assert [bodies.count(b) for b in ("river", "lake", "spring")] == [6, 1, 1]
    assert {s.border for s in example.sections} == {"in", "out", ""}
    assert all(example.target(s.id, DAY) is not None for s in example.sections)
    entry = [example.target("dianshang-bridge", D(y, 6, 1)) for y in (2025, 2026)]
    assert [t.target_class for t in entry if t is not None] == [4, 3]
    # from the border to the border the water needs one to some days
    days = [sum(r.travel_s()[i] for r in example.reaches_at(DAY) if r.upper != "weizi-mouth") / 86_400 for i in (0, 2)]
    assert 0.3 < days[0] < days[1] < 6


def test_the_enterprises(example: registry.Registry) -> None:
    assert len(example.enterprises) == 12 and len(example.groups) == 15  # design §3: about fifteen groups
    assert 30 <= len({o.id for o in example.outlets}) <= 40
    assert {o.process for o in example.outlets} >= {
        *("sinter_head", "sinter_tail", "coke_stack", "coke_pushing", "cement_kiln_head", "cement_kiln_tail"),
        *("coal_boiler", "process_heater", "sewage_inlet", "sewage_outlet"),
    }
    for e in example.enterprises:
        assert example.person(e.contact).enterprise == e.id and example.permit_tonnes(e.id, 2026), e.id
    for o in example.outlets:
        if o.process != "sewage_inlet":
            measures = {m.measures for m in example.meters_at(o.id, DAY)}
            assert o.id == "lanfeng-wastewater" or measures >= {"production", "treatment"}, o.id


@pytest.mark.parametrize(
    ("outlet", "kind", "factor", "limit", "ref"),
    [
        # emission.md §2, read by hand
        ("lanfeng-sinter-head", "legal", "NOx", "300", "16"),
        ("lanfeng-sinter-head", "ultra_low", "NOx", "50", "16"),
        ("lanfeng-sinter-tail", "ultra_low", "PM", "10", None),
        ("lanfeng-hot-stove", "ultra_low", "NOx", "200", None),
        ("yunqi-stack", "legal", "SO2", "30", "8"),
        ("yunqi-charging", "legal", "SO2", "70", None),
        ("shilu-kiln-tail", "legal", "NOx", "320", "10"),
        ("shilu-kiln-tail", "ultra_low", "NOx", "50", "10"),
        ("shilu-kiln-tail", "temporary", "NOx", "100", "10"),
        ("mingzhang-boiler-1", "legal", "PM", "5", "6"),
        ("qinghe-heater", "legal", "NOx", "100", "3"),
        ("qinghe-boiler", "legal", "SO2", "35", "9"),
        ("nuancheng-boiler", "legal", "PM", "5", "3.5"),
        ("qingyi-outlet", "legal", "NH3N", "2.0", None),
        ("weilan-outlet", "legal", "TP", "0.5", None),
    ],
)
def test_limits(example: registry.Registry, outlet: str, kind: str, factor: str, limit: str, ref: str | None) -> None:
    found = [m.limit for m in example.limits_at(outlet, DAY) if (m.kind, m.factor, m.side) == (kind, factor, "most")]
    at = example.outlet_at(outlet, DAY)
    assert found == [limit] and at is not None and at.ref_o2_pct == ref


def test_a_changed_permit_and_a_limit_of_winter(example: registry.Registry) -> None:
    def permit(day: dt.date) -> list[str]:
        at = example.limits_at("lanfeng-sinter-head", day)
        return [m.limit for m in at if m.kind == "permit" and m.factor == "NOx"]

    assert permit(D(2025, 12, 31)) == ["150"] and permit(D(2026, 1, 1)) == ["50"]
    cold = [m.cold_limit for m in example.limits_at("weilan-outlet", DAY) if m.factor == "NH3N"]
    assert cold == ["8"]


def test_loggers_of_all_editions(example: registry.Registry) -> None:
    loggers = {s.id: example.logger(s.mn, DAY) for s in example.sources_at(DAY)}
    assert {log.edition for log in loggers.values()} == {2005, 2017, 2025}
    assert len(loggers["songquan-stack"].mn) == 14 and loggers["songquan-stack"].edition == 2005
    assert {len(log.mn) for log in loggers.values() if log.edition != 2005} == {24}
    assert loggers["baiyuan-kiln-tail"].crc_mode == "modbus"
    assert loggers["mingzhang-boiler-1"].sm4
    assert loggers["qinghe-heater"].units == {"flow": "m3/h"}
    assert loggers["lanfeng-sinter-head"].scale_shift("SO2") == 1
    assert {s.id for s in example.sources_at(DAY) if s.kind == "emission"} >= {"lanfeng-steel", "mingzhang-power"}
    stack = next(o.mn for o in example.outlets if o.id == "yunqi-stack")
    assert [example.logger(stack, day).edition for day in (D(2026, 5, 31), D(2026, 6, 1))] == [2017, 2025]


def test_everything_is_on_the_map(example: registry.Registry) -> None:
    for thing in (*example.areas, *example.stations, *example.sections, *example.enterprises, *example.outlets):
        assert thing.lat is not None and thing.lon is not None, thing
        assert 36.2 < thing.lat < 36.5 and 113.05 < thing.lon < 113.5, thing


@pytest.mark.parametrize(
    ("date", "workday"),
    [
        (D(2026, 2, 14), True),  # a Saturday that is worked for the Spring Festival
        (D(2026, 2, 17), False),
        (D(2026, 10, 8), True),
        (D(2026, 10, 10), True),
        (D(2026, 10, 11), False),
        (D(2025, 10, 8), False),
    ],
)
def test_somebody_has_the_duty_at_every_hour(example: registry.Registry, date: dt.date, workday: bool) -> None:
    assert example.roster.is_workday(date) is workday
    turns = [d for day in (date - dt.timedelta(1), date) for d in example.roster.turns_of(day)]
    begin = times.day_start(times.day_number(date))
    for hour in range(24):
        at = begin + hour * 3600
        on = [d.role for d in turns if d.start <= at < d.end]
        assert sorted(on) == ["chief", "director", "officer"], hour


def test_the_years_tasks(example: registry.Registry) -> None:
    for year in (2025, 2026):
        kinds = [(t.kind, t.factor) for t in example.tasks_of(year)]
        assert {k for k, _ in kinds} == {"good_days", "composite_index", "section_share", "tonnes"}
        assert {f for k, f in kinds if k == "tonnes"} == {"SO2", "NOx", "COD", "NH3N"}


def test_every_field_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that the reader asks for stands in the documentation, under the heading of its table."""
    asked: dict[str, set[str]] = defaultdict(set)
    finish = Table.finish

    def listen(table: Table) -> None:
        asked[table.name.split(".")[0]] |= set(table.asked)
        finish(table)

    monkeypatch.setattr(Table, "finish", listen)
    registry.parse(FULL, "x.toml")
    del asked[""]  # the file itself: format, name, and the names of the tables
    assert len(asked) == 18
    text = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    chapters = dict(re.findall(r"^## .*?`\[+(\w+)\]+`\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    for name, keys in asked.items():
        missing = [key for key in keys if f"`{key}`" not in chapters[name]]
        assert not missing, (name, missing)
