"""What loggers say of a day: dialects, units, cadence, flags, conversions, amounts; by hand and against Decimal."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import times
from streams import hj212
from streams.simulator.devices import Device, OutletDevice, devices
from streams.simulator.events import Event
from streams.simulator.instruments import rounded, rounded_fraction, texts
from streams.simulator.timeline import Plan, events
from streams.simulator.world import CALIBRATING, MAINTAINING, RUNNING, STANDSTILL, Day, World
from tests.streams.simulator.district import (
    HOUR_MS,
    START,
    START_MS,
    district,
    hours_of,
    load_scenario,
    only,
    packet,
    said,
    simulated,
)

WHOLE = st.integers(-(10**15) + 1, 10**15 - 1)


# --- arithmetic ------------------------------------------------------------------------------------


@given(WHOLE, st.integers(1, 10**9))
def test_quotients_round_half_to_even(top: int, bottom: int) -> None:
    exact = Fraction(top, bottom)
    assert int(rounded(np.array([top], np.int64), bottom)[0]) == round(exact)  # Python rounds fractions so


@given(WHOLE, st.integers(0, 9))
def test_texts_are_the_digits(value: int, places: int) -> None:
    assert Decimal(texts(np.array([value], np.int64), places)[0]) == Decimal(value).scaleb(-places)


@given(st.integers(0, 10**12), st.fractions(min_value="1/1000000", max_value=10**6, max_denominator=10**6))
def test_amounts_are_exact(value: int, factor: Fraction) -> None:
    got = int(rounded_fraction([value], factor)[0])
    exact = Decimal(value) * Decimal(factor.numerator) / Decimal(factor.denominator)
    assert abs(got - exact) <= Decimal("0.5")
    if (value * factor).denominator == 1:
        assert got == value * factor


# --- the whole district ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full_day() -> list[tuple[Event, hj212.Packet]]:
    """Every packet of a day in full: that each reads as exactly one is checked here."""
    return [(event, packet(event.data)) for event in said(simulated(district(), full=[1]))]


def test_every_packet_is_one_and_fits(full_day: list[tuple[Event, hj212.Packet]]) -> None:
    mns = {source.mn for source in district().sources_at(START)}
    spoke = set()
    for event, read in full_day:
        assert int(event.data[2:6]) <= 1024
        assert event.data.endswith(b"\r\n")
        assert read.mn == event.mn
        assert event.mn in mns
        assert (read.qn, read.answer_wanted, event.answered) == (event.qn, True, True)
        spoke.add(event.mn)
    assert spoke == mns


def test_qns_are_unique_and_rise_per_logger(full_day: list[tuple[Event, hj212.Packet]]) -> None:
    qns = defaultdict(list)
    for event, _ in full_day:
        qns[event.mn].append(event.qn)
    for mn, found in qns.items():
        assert found == sorted(set(found)), mn
    at = [event.at_ms for event, _ in full_day]
    assert at == sorted(at)


def test_cadence_of_a_full_day(full_day: list[tuple[Event, hj212.Packet]]) -> None:
    count: Counter[tuple[str, str, str]] = Counter()
    parts: Counter[tuple[str, str, str]] = Counter()
    for event, read in full_day:
        if read.pno in (None, 1):
            count[event.mn, read.st, read.cn] += 1
        parts[event.mn, read.st, read.cn] += 1
    for source in district().sources_at(START):
        each = {(st, cn): n for (mn, st, cn), n in count.items() if mn == source.mn}
        if source.kind == "air":
            assert each == {("22", "2051"): 1440, ("22", "2061"): 24}
        elif source.kind == "water":
            assert each == {("21", "2061"): 24, ("21", "2062"): 1, ("21", "2065"): 1, ("21", "2066"): 1}
        else:
            logger = district().logger(source.mn, START)
            expected = {"2011": 86_400 // logger.realtime_s, "2051": 1440 // logger.minute_interval, "2061": 24}
            for st in {st for st, _ in each}:
                day = {"2031": 1} if st in ("31", "32") else {}
                assert {cn: n for (its, cn), n in each.items() if its == st} == expected | day
    incinerator = next(o for o in district().outlets if o.id == "jingyuan-furnace")
    assert parts[incinerator.mn, "31", "2061"] == 48, "twelve factors do not fit into one packet"


def test_a_day_of_hours_has_no_instants_and_no_minutes() -> None:
    assert {packet(e.data).cn for e in said(simulated(district()))} == {"2061", "2031", "2062", "2065", "2066"}


def test_hours_come_shortly_after_their_hour(full_day: list[tuple[Event, hj212.Packet]]) -> None:
    for event, read in full_day:
        if read.cn == "2061":
            end_ms = times.parse_stamp(read.data_time or "") * 1000 + HOUR_MS
            assert 0 < event.at_ms - end_ms < 5 * 60_000


def test_checks_of_water_stations_are_no_readings(full_day: list[tuple[Event, hj212.Packet]]) -> None:
    for _, read in full_day:
        if read.cn in ("2062", "2065", "2066"):
            flag = {"2062": "sc", "2065": "dz", "2066": "lc"}[read.cn]
            for _, values in read.readings:
                assert values["Flag"] == flag
                assert set(values) == {"SampleRd", "StandardValue", "ResultType", "Flag"}


def test_wet_chemistry_is_published_late_and_carried_forward() -> None:
    registry = only(["dianshang-bridge", "shiliang"])
    world = World(registry, 1)
    items = simulated(registry, 2)
    lags = set()
    for section in registry.sections:
        hours = hours_of(items, section.mn)
        shown = [hours[key]["w01019"]["Avg"] for key in sorted(hours)]  # CODMn
        before, first, second = (world.day(START.replace(day=d)).water[section.id]["CODMn"][::4] for d in (5, 6, 7))
        samples = [f"{value:.2f}" for value in (before[-1], *first, *second)]
        changes = [n for n in range(1, 48) if shown[n] != shown[n - 1]]
        assert len({n % 4 for n in changes}) == 1  # once in a cycle of four hours
        lag = (changes[0] % 4) + 1  # hour n is published at n+1, the sample was drawn at a multiple of four
        lags.add(lag)
        expected = [samples[(n + 1 - lag) // 4 + 1] for n in range(48)]
        assert shown == expected
    assert lags <= {1, 2}


# --- one outlet, by hand ---------------------------------------------------------------------------


def flat(outlet: str, **values: float) -> tuple[Device, Day]:
    """An outlet's logger, and a day on which it runs and everything has one value."""
    day = World(district(), 1).day(START)
    for factor, array in day.outlets[outlet].items():
        array[:] = values.get(factor, array[0])
    day.state[outlet][:] = RUNNING
    return next(d for d in devices(district(), START) if d.source.id == outlet), day


def groups(device: Device, day: Day, cn: str, nth: int = 0, full: bool = False) -> dict[str, dict[str, str]]:
    """What its ``nth`` packet of that CN and its own system type says, by code."""
    found = [each for each in device.said(day, full) if each.cn == cn and each.st in ("31", "32")]
    result = {}
    for group in found[nth].groups:
        items = [item.partition("=")[::2] for item in group.split(",")]
        result[items[0][0].rpartition("-")[0]] = {name.rpartition("-")[2]: value for name, value in items}
    return result


def test_means_conversion_and_amounts_of_flue_gas() -> None:
    device, day = flat("yunqi-stack", SO2=35.0, NOx=100.0, PM=6.25, O2=9.0, flow=50.0)
    hour = groups(device, day, "2061")
    # reference 8 %: x (21-8)/(21-9) = 13/12
    assert hour["a21026"] == {
        "Min": "35.00",
        "Avg": "35.000",
        "Max": "35.00",
        "ZsMin": "37.917",
        "ZsAvg": "37.917",
        "ZsMax": "37.917",
        "Cou": "6.300",
        "Flag": "N",
    }  # fmt: skip  35 mg/m3 x 50 m3/s x 3600 s = 6.3 kg
    assert hour["a34013"]["ZsAvg"] == "6.771"  # 6.25 x 13/12 = 6.770833
    assert hour["a00000"] == {
        "Min": "50.000", "Avg": "50.0000", "Max": "50.000", "Cou": "180000.0", "Flag": "N",
    }  # fmt: skip
    assert set(hour["a19001"]) == {"Min", "Avg", "Max", "Flag"}
    assert groups(device, day, "2051", full=True)["a21026"]["Cou"] == "1.050"  # ten minutes
    assert groups(device, day, "2031")["a21002"]["Cou"] == "432.000"  # 100 x 50 x 86400 / 1e6
    assert groups(device, day, "2011", full=True)["a21026"] == {"Rtd": "35.00", "ZsRtd": "37.917", "Flag": "N"}


def test_means_are_of_the_normal_minutes_and_least_and_most_are_theirs() -> None:
    device, day = flat("yunqi-stack", SO2=30.0, O2=9.0, flow=50.0)
    so2 = day.outlets["yunqi-stack"]["SO2"]
    so2[:20], so2[20:40], so2[40:50] = 10.0, 20.01, 999.0
    day.state["yunqi-stack"][40:50] = CALIBRATING
    hour = groups(device, day, "2061")["a21026"]
    # 20 x 10, 20 x 20.01, 10 x 30 over 50 minutes
    assert (hour["Min"], hour["Avg"], hour["Max"], hour["Flag"]) == ("10.00", "18.004", "30.00", "N")


def test_a_calibration_takes_nothing_from_the_amount() -> None:
    device, day = flat("yunqi-stack", SO2=35.0, O2=9.0, flow=50.0)
    state, so2 = day.state["yunqi-stack"], day.outlets["yunqi-stack"]["SO2"]
    state[:12], so2[:12] = CALIBRATING, 160.0
    state[60:90], so2[60:90] = MAINTAINING, 0.4
    # 35 mg/m3 x 50 m3/s x 3600 s = 6.3 kg of an hour with 48 normal minutes; with 30 the hour is D and has half of it
    assert [groups(device, day, "2061", hour)["a21026"]["Cou"] for hour in (0, 1, 2)] == ["6.300", "3.150", "6.300"]
    assert groups(device, day, "2031")["a21026"]["Cou"] == "148.050"  # 23 x 6.3 + 3.15
    tens = [groups(device, day, "2051", ten, full=True)["a21026"]["Cou"] for ten in (0, 1, 2)]
    assert tens == ["0.000", "1.050", "1.050"]  # 8 of 10 minutes are enough


def test_no_conversion_without_good_oxygen() -> None:
    device, day = flat("yunqi-stack", SO2=30.0, O2=21.0)
    hour = groups(device, day, "2061")["a21026"]
    assert set(hour) == {"Min", "Avg", "Max", "Cou", "Flag"}
    assert groups(device, day, "2011", full=True)["a21026"] == {"Rtd": "30.00", "Flag": "N"}


@pytest.mark.parametrize(
    ("state", "minutes", "of_gas", "of_dust"),
    [
        (CALIBRATING, 15, "N", "N"),  # 45 of 60 are normal: 75 %
        (CALIBRATING, 16, "D", "N"),  # dust meters are not calibrated with gas
        (MAINTAINING, 16, "D", "D"),
        (STANDSTILL, 60, "F", "F"),
        (STANDSTILL, 44, "D", "D"),
        (CALIBRATING, 60, "C", "N"),
    ],
)
def test_flags_of_flue_gas_need_three_quarters(state: int, minutes: int, of_gas: str, of_dust: str) -> None:
    device, day = flat("yunqi-stack", O2=9.0)
    day.state["yunqi-stack"][:minutes] = state
    hour = groups(device, day, "2061")
    assert (hour["a21026"]["Flag"], hour["a34013"]["Flag"]) == (of_gas, of_dust)
    assert groups(device, day, "2061", 1)["a21026"]["Flag"] == "N"


def test_one_abnormal_minute_spoils_a_period_of_waste_water() -> None:
    device, day = flat("weilan-outlet", flow=100.0, COD=30.0)
    day.state["weilan-outlet"][7] = MAINTAINING
    assert [groups(device, day, "2061", hour)["w01018"]["Flag"] for hour in (0, 1)] == ["M", "N"]
    assert [groups(device, day, "2051", ten, full=True)["w01018"]["Flag"] for ten in (0, 1)] == ["M", "N"]


def test_waste_water_is_weighed_by_its_flow() -> None:
    device, day = flat("weilan-outlet", flow=100.0, COD=30.0)
    water = day.outlets["weilan-outlet"]
    water["flow"][:30], water["COD"][:30] = 300.0, 10.0
    hour = groups(device, day, "2061")
    # (300 x 10 + 100 x 30) / 400 = 15; 200 L/s x 3600 s = 720 m3; 15 mg/L x 720 m3 = 10.8 kg
    assert (hour["w01018"]["Avg"], hour["w01018"]["Cou"]) == ("15.00", "10.800")
    assert (hour["w00000"]["Avg"], hour["w00000"]["Cou"]) == ("200.0000", "720.0")
    water["flow"][60:120] = 0.0
    dry = groups(device, day, "2061", 1)["w01018"]
    assert (set(dry), dry["Cou"]) == ({"Cou", "Flag"}, "0.000")  # no flow, no concentration


def test_beyond_the_range_of_the_analyser() -> None:
    device, day = flat("yunqi-stack", SO2=200.0, O2=9.0)  # full scale 200
    assert groups(device, day, "2061")["a21026"]["Flag"] == "N"
    day.outlets["yunqi-stack"]["SO2"][:] = 200.01
    assert groups(device, day, "2061")["a21026"]["Flag"] == "T"


def test_units_and_scales_of_the_registry() -> None:
    device, day = flat("songquan-stack", flow=50.0, SO2=20.0, O2=8.0)  # 2005, flow in m3/h
    hour = groups(device, day, "2061")
    assert set(hour) == {"01", "02", "03", "S01", "B02", "S02", "S03", "S08", "S05"}
    assert (hour["B02"]["Avg"], hour["B02"]["Cou"]) == ("180000.0", "180000.0")
    assert hour["02"]["Cou"] == "3.600"
    device, day = flat("lanfeng-sinter-head", SO2=16.25, O2=16.0, flow=300.0)  # SO2 in whole tenths
    hour = groups(device, day, "2061")
    assert (hour["a21026"]["Avg"], hour["a21026"]["ZsAvg"]) == ("162", "162")  # 162.5, half to even
    station = next(d for d in devices(district(), START) if d.source.id == "air-huangniuti")  # CO in ug/m3
    day.air["air-huangniuti"]["CO"][:] = 1.2344
    first = next(each for each in station.said(day, False) if each.cn == "2061")
    assert "a21005-Avg=1234,a21005-Flag=N" in first.groups


# --- instants --------------------------------------------------------------------------------------


def instants(outlet: str, code: str, st: str = "31") -> list[tuple[int, str]]:
    """Second of the day and text of what a logger says of a factor at its instants, on a day in full."""
    found = {}
    for event in said(simulated(only([outlet]), full=[1])):
        read = packet(event.data)
        if read.cn == "2011" and read.st == st and (values := dict(read.readings).get(code)):
            found[times.parse_stamp(read.data_time or "") - START_MS // 1000] = values["Rtd"]
    return sorted(found.items())


def test_an_instant_is_what_the_instrument_shows_in_that_minute() -> None:
    shown = instants("yunqi-stack", "a21026")  # once a minute
    truth = World(only(["yunqi-stack"]), 1).day(START).outlets["yunqi-stack"]["SO2"]
    assert len(shown) == 1440
    assert {second % 60 for second, _ in shown} != {0}
    assert [text for _, text in shown] == [f"{truth[second // 60]:.2f}" for second, _ in shown]


def test_two_instants_of_a_minute_are_two_readings() -> None:
    shown = instants("mingzhang-boiler-1", "a21026")  # twice a minute
    assert len(shown) == 2880
    values = np.array([float(text) for _, text in shown]).reshape(1440, 2)
    running = World(only(["mingzhang-boiler-1"]), 1).day(START).state["mingzhang-boiler-1"] == RUNNING
    first, second = values[running].T
    assert 0.9 < second.std() / first.std() < 1.1
    # as far from each other as readings a minute apart, but for what the plant moved; a mean of two comes to a half
    assert 0.75 < (second - first).std() / np.diff(first).std() < 1.1


@pytest.mark.parametrize(
    ("outlet", "code"), [("yunqi-stack", "a21002"), ("mingzhang-boiler-1", "a21002"), ("shilu-kiln-tail", "a21002")]
)
def test_last_digits_of_instants_are_equally_frequent(outlet: str, code: str) -> None:
    digits = Counter(text[-1] for _, text in instants(outlet, code))
    each = sum(digits.values()) / 10
    assert sum((digits[str(n)] - each) ** 2 / each for n in range(10)) < 33.7  # 9 degrees of freedom: one in 10 000


def test_slurry_ph_at_instants_varies_as_the_plant_has_it() -> None:
    registry = only(["mingzhang-boiler-1"])
    (meter,) = [m for m in registry.meters if m.measures == "slurry_ph"]
    logger = next(device for device in devices(registry, START) if device.source.id == meter.source)
    assert isinstance(logger, OutletDevice)
    ((st, channel),) = [how for each, how in logger.meters if each is meter]
    shown = np.array([float(text) for _, text in instants("mingzhang-boiler-1", channel.code, st)])
    hours = shown.reshape(24, -1)
    assert np.median(hours.var(axis=1, ddof=1)) > 0.02  # a deviation of 0.15 from minute to minute


def test_what_is_held_is_said_again_at_every_instant() -> None:
    registry = only(["mingzhang-boiler-1"])
    (scenario,) = load_scenario("flat-line", district(), 3)
    held = dataclasses.replace(scenario, where=("mingzhang-boiler-1",), start_min=480, end_min=540)
    stuck = [
        dict(packet(event.data).readings)["a21026"]["Rtd"]
        for event in said(simulated(registry, 1, chosen=[held], full=[1]))
        if b";ST=31;CN=2011;" in event.data and b"DataTime=2026040608" in event.data
    ]
    assert (len(stuck), len(set(stuck))) == (120, 1)


# --- dialects --------------------------------------------------------------------------------------


def test_every_logger_in_its_dialect() -> None:
    keys = {"0A1E0000000000000000C020": bytes(range(16))}
    plan = Plan(START, 1, 1, keys=keys, passwords={"0A1E0000000000000000C021": "secret"})
    registry = only(["songquan-stack", "baiyuan-kiln-tail", "mingzhang-boiler-1", "mingzhang-boiler-2", "shilu-mill"])
    seen = {}
    for event in said(events(World(registry, 1), registry, plan)):
        if b";CN=2061;" in event.data and event.mn not in seen:
            framer = hj212.Framer(lambda mn: hj212.Device("either", keys.get(mn)))
            (frame,) = framer.feed(event.data)
            assert isinstance(frame, hj212.Frame)
            seen[event.mn] = (frame, hj212.parse(frame))
    by_id = {o.id: seen[o.mn] for o in registry.outlets}
    assert by_id["songquan-stack"][1].flag in (1, 3)
    assert by_id["shilu-mill"][1].flag == 5
    assert by_id["mingzhang-boiler-1"][1].flag in (9, 11)
    assert [by_id[i][0].sealed for i in by_id] == [i == "mingzhang-boiler-1" for i in by_id]
    assert [by_id[i][0].crc for i in by_id] == ["modbus" if i == "baiyuan-kiln-tail" else "hj212" for i in by_id]
    assert by_id["mingzhang-boiler-2"][1].pw == "secret"
    assert by_id["mingzhang-boiler-1"][1].readings[0][0] == "a34013"


def test_a_logger_that_changes_its_edition() -> None:
    registry = only(["yunqi-stack"])  # 2025 from 2026-06-01
    items = said(simulated(registry, 2, start=START.replace(month=5, day=31)))
    flags = {packet(e.data).data_time[:8]: packet(e.data).flag for e in items if b";CN=2061;" in e.data}  # type: ignore[index]
    assert {day: (flag or 0) & ~2 for day, flag in flags.items()} == {"20260531": 5, "20260601": 9}


def test_a_station_that_moved_has_its_new_number() -> None:
    registry = only(["air-zhaidian"])
    items = said(simulated(registry, 2, start=START.replace(month=2, day=28)))
    spoke = {(packet(e.data).data_time or "")[:8]: e.mn for e in items}
    assert spoke == {"20260228": "0A1E0000000000000000A004", "20260301": "0A1E0000000000000000A009"}
