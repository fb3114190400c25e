"""What a registry says, on which date: against what a person reads in the file."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas import registry
from schemas.registry import Logger, Quiet, Tls
from tests.schemas.registries import FULL, changed, full

D = dt.date


@pytest.mark.parametrize(
    ("mn", "date", "source"),
    [
        ("A1", D(2019, 12, 31), None),
        ("A1", D(2020, 1, 1), ("school", "air", "air")),
        ("A1", D(2026, 2, 28), ("school", "air", "air")),
        ("A1", D(2026, 3, 1), None),  # the station got another logger that day
        ("A2", D(2026, 2, 28), None),
        ("A2", D(2026, 3, 1), ("school", "air", "air")),
        ("W1", D(2024, 5, 1), ("up", "water", "river")),
        ("W3", D(2024, 5, 1), ("well", "water", "spring")),
        ("E1", D(2024, 5, 1), ("stack", "emission", "works")),
        ("E1", D(2019, 5, 1), None),
        ("D1", D(2024, 5, 1), ("works", "emission", "works")),  # meters with a logger of their own
        ("ZZ", D(2024, 5, 1), None),
    ],
)
def test_whose_logger_it_is(mn: str, date: dt.date, source: tuple[str, str, str] | None) -> None:
    found = full().source_by_mn(mn, date)
    assert (None if found is None else (found.id, found.kind, found.group)) == source


def test_spans_of_a_logger_end_where_the_next_begins() -> None:
    spans = [(s.mn, s.valid_from, s.valid_to) for s in full().sources if s.id == "school"]
    assert spans == [("A1", D(2020, 1, 1), D(2026, 2, 28)), ("A2", D(2026, 3, 1), None)]


def test_an_mn_that_moves_to_another_source_is_whose_it_is_on_that_date() -> None:
    text = changed('mn = "A3"\n', 'mn = "A1"\n').replace(
        "valid_from = 2020-01-01\n\n[[section]]", "valid_from = 2026-03-01\n\n[[section]]", 1
    )
    found = registry.parse(text, "x.toml")
    before, after = found.source_by_mn("A1", D(2026, 2, 28)), found.source_by_mn("A1", D(2026, 3, 1))
    assert before is not None and before.id == "school"
    assert after is not None and after.id == "village"


def test_sources_of_a_day_and_groups_of_a_kind() -> None:
    found = full()
    assert [s.id for s in found.sources_at(D(2024, 5, 1))] == [
        *("school", "village", "up", "down", "well", "stack", "drain", "works")
    ]
    assert [s.id for s in found.sources_at(D(2019, 5, 1))] == ["works"]  # its meters have no date
    assert [g.id for g in found.groups] == ["air", "river", "spring", "works"]
    assert [[g.id for g in found.groups_of(kind)] for kind in ("air", "water", "emission")] == [
        ["air"],
        ["river", "spring"],
        ["works"],
    ]
    assert found.knows_mn("A1") and found.knows_mn("D1") and not found.knows_mn("ZZ")


def test_by_mn_is_of_air_stations_only() -> None:
    found = full()
    station = found.by_mn("A2", D(2026, 3, 1))
    assert station is not None and station.name == "一中新址"
    assert found.by_mn("W1", D(2026, 3, 1)) is None and found.by_mn("A1", D(2026, 3, 1)) is None


def test_who_counts_for_district_and_township() -> None:
    found = full()
    day = D(2026, 3, 1)
    assert found.city_stations("county", day) == ("school",)
    assert found.city_stations("east", day) == ("school", "village")
    assert found.areas_of("school", day) == ("county", "east")
    assert found.areas_of("village", day) == ("east",)
    assert found.areas_of("village", D(2019, 1, 1)) == () == found.areas_of("nobody", day)
    assert found.area("east").group == "air"  # its district's, unless written


def test_loggers_have_defaults_by_kind_of_source() -> None:
    found = full()
    day = D(2026, 5, 1)
    assert found.logger("W1", day) == Logger("W1", minute_interval=10, hour_within_s=10_800, expects="hour")
    assert found.logger("E2", day) == Logger("E2", minute_interval=10, hour_within_s=1_800, expects="hour")
    assert found.logger("A3", day) == Logger("A3", minute_interval=1, hour_within_s=1_800, expects="hour")
    assert found.logger("A2", day).units == {"CO": "ug/m3"}  # written at the station
    assert found.logger("ZZ", day) == Logger("ZZ", expects="hour")
    written = found.logger("W2", day)
    assert (written.over_time_s, written.re_count, written.hour_within_s) == (20, 5, 10_800)
    assert found.logger("A1", D(2024, 1, 1)).commands == ("1012", "3011")
    assert found.logger("A1", D(2024, 1, 1)).minute_interval == 1


def test_a_logger_that_was_replaced() -> None:
    found = full()
    old, new = found.logger("E1", D(2026, 5, 31)), found.logger("E1", D(2026, 6, 1))
    assert (old.crc_mode, old.edition, old.units, old.sm4) == ("modbus", 2005, {"flow": "m3/h"}, False)
    assert [old.scale_shift(f) for f in ("SO2", "NOx", "PM")] == [1, -1, 0]
    assert (new.crc_mode, new.edition, new.units, new.sm4, new.password) == ("hj212", 2025, {}, True, True)
    assert new.realtime_s == 30


def test_receive_and_tls() -> None:
    receive = full().receive
    assert (receive.idle_s, receive.most_connections, receive.most_per_address) == (600, 5000, 1000)
    assert receive.tls == Tls(9443, "server.pem", "server.key", "")


def test_water_targets_and_reaches_by_date() -> None:
    found = full()
    assert [found.target("down", D(y, 1, 1)).target_class for y in (2020, 2025, 2026)] == [4, 4, 3]  # type: ignore[union-attr]
    target = found.target("down", D(2026, 7, 1))
    assert target is not None and target.limits == {"TP": "0.25", "NH3N": "1.2"} and target.excluded == ("TN",)
    up = found.target("up", D(2026, 7, 1))
    assert up is not None and up.target_class == 4 and found.target("well", D(2026, 7, 1)) is None
    section = found.section_at("down", D(2026, 7, 1))
    assert section is not None and (section.border, section.control, section.body) == ("out", "national", "river")
    assert len(section.factors) == 9 and "TN" in section.factors
    assert found.section_at("down", D(2019, 7, 1)) is None


def test_travel_times_of_a_reach() -> None:
    (reach,) = full().reaches_at(D(2026, 7, 1))
    assert (reach.upper, reach.lower) == ("up", "down")
    # water.md §5: 8.4 km at 0.15 / 0.35 / 0.8 m/s is 15.56 / 6.67 / 2.92 h
    assert [f"{s / 3600:.2f}" for s in reach.travel_s()] == ["2.92", "6.67", "15.56"]
    off = registry.parse(changed("v_high = 0.80", "v_high = 0.80\nenabled = false"), "x.toml")
    assert off.reaches_at(D(2026, 7, 1)) == () and len(off.reaches) == 1


def test_limits_by_date() -> None:
    found = full()

    def of(date: dt.date) -> dict[tuple[str, str], str]:
        return {(m.kind, m.factor): m.limit for m in found.limits_at("stack", date)}

    legal = {("legal", "PM"): "40", ("legal", "SO2"): "180", ("legal", "NOx"): "300"}
    assert of(D(2015, 1, 1)) == legal
    assert of(D(2025, 12, 31)) == legal | {("permit", "NOx"): "150"}
    assert of(D(2026, 1, 1)) == legal | {("permit", "NOx"): "50"}
    assert of(D(2026, 6, 10)) == of(D(2026, 6, 30)) == legal | {("permit", "NOx"): "50", ("temporary", "NOx"): "35"}
    assert of(D(2026, 7, 1)) == of(D(2026, 6, 9)) == of(D(2026, 1, 1))
    drain = {(m.factor, m.side): (m.limit, m.cold_limit, m.averaging) for m in found.limits_at("drain", D(2026, 1, 1))}
    assert drain == {
        ("COD", "most"): ("50", None, "day"),
        ("NH3N", "most"): ("5", "8", "day"),
        ("pH", "most"): ("9", None, "day"),
        ("pH", "least"): ("6", None, "day"),
    }
    assert found.limits_at("nobody", D(2026, 1, 1)) == ()


def test_outlets_meters_permits() -> None:
    found = full()
    day = D(2026, 1, 1)
    stack = found.outlet_at("stack", day)
    assert stack is not None and (stack.medium, stack.ref_o2_pct, stack.duct_area_m2) == ("gas", "16", "12.57")
    assert (stack.normal_flow, stack.ranges, stack.detection) == ("88.0", {"SO2": "200"}, {"SO2": "0.5"})
    assert stack.main and found.outlet_at("stack", D(2019, 1, 1)) is None
    power, pump = found.meters_at("stack", day)
    assert (power.id, power.enterprise, power.source, power.unit) == (
        "stack.production_power_01",
        "works",
        "works",
        "kW",
    )
    assert (pump.id, pump.source, pump.unit, pump.on_share) == ("pump", "stack", "A", "0.1")
    assert found.meter_of("works", "production_power_01", day) == power
    assert found.meter_of("stack", "circulation_pump_current_01", day) == pump
    assert found.meter_of("stack", "production_power_01", day) is None
    assert (
        found.permit_tonnes("works", 2026) == {"SO2": "120", "COD": "4.60"} and found.permit_tonnes("works", 2024) == {}
    )
    assert found.enterprise("works").contact == "han"


def test_people_and_tasks() -> None:
    found = full()
    assert [c.secret for c in found.person("guo").channels] == ["DUTY_ROBOT", "SMS_GUO"]
    assert found.person("wang").quiet == (Quiet(1320, 420, "yellow"),)
    assert [(t.kind, t.value, t.subject, t.factor, t.to_class) for t in found.tasks_of(2026)] == [
        ("good_days", "292", "county", "", None),
        ("section_share", "83.3", "river", "", 3),
        ("tonnes", "1980", "all", "SO2", None),
    ]
    assert found.tasks_of(2025) == ()


def test_amounts_are_the_texts_of_the_file() -> None:
    # 0.30000000000000004 has no double, 88.0 keeps its decimal
    text = changed("length_km = 8.4", "length_km = 0.300000000000004")
    assert registry.parse(text, "x.toml").reaches[0].length_km == "0.300000000000004"


def test_the_digest_is_of_the_text() -> None:
    assert full().digest == registry.parse(FULL, "elsewhere").digest
    assert full().digest != registry.parse(FULL + "# \n", "x.toml").digest
    assert full().text == FULL
