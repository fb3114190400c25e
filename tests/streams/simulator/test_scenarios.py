"""Every scenario: what it changes and what not, that its truth is in its packets, and what is refused."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from schemas import times
from schemas.registry import Registry
from standards.air import rules_aqi
from streams import hj212
from streams.simulator import fitting, scenarios, truth
from streams.simulator.events import CUT, END, MARKS, Event, Mark
from streams.simulator.scenarios import Scenario, ScenarioError
from tests.streams.simulator.district import (
    DAY_MS,
    EITHER,
    FOLDER,
    HOUR_MS,
    MINUTE_MS,
    NAMES,
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

CITY = ("air-luhua", "air-chengjiachuan", "air-dianshang", "air-zhaidian")
RIVER = ("dianshang-bridge", "shihui-bridge", "shiliang", "huangniuti-ferry", "xinan-out")
BYSTANDERS = ("air-weizi", "weizi-mouth", "shilu-mill", "qinghe-wastewater")


def registry_of(scenario: Scenario) -> Registry:
    """Who a scenario concerns, and some it does not."""
    return only([*scenario.where, *CITY, *(RIVER if scenario.kind == "water_level" else ()), *BYSTANDERS])


def days_of(scenario: Scenario) -> int:
    """Days a run needs to hold the scenario and its aftermath."""
    return -(-scenario.end_min // 1440) + 2


def mns_of(registry: Registry, *ids: str) -> set[str]:
    """The loggers of sources, and those of their meters."""
    return {s.mn for s in registry.sources if s.id in ids} | {m.mn for m in registry.meters if m.outlet in ids and m.mn}


# --- what a scenario touches -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_its_sources_in_its_window_and_nothing_else(name: str) -> None:
    (scenario,) = scenarios.load([name], FOLDER)
    registry, days = registry_of(scenario), days_of(scenario)
    fitting.check([scenario], registry, START, days)
    full = [scenario.start_min // 1440 + 1] if len(registry.outlets) < 6 and name != "clipped" else []
    before = simulated(registry, days, full=full)
    after = simulated(registry, days, full=full, chosen=[scenario])
    assert before[-1] == after[-1]
    changed = [*(Counter(before) - Counter(after)), *(Counter(after) - Counter(before))]
    assert changed
    where = {
        "air_level": CITY,
        "water_level": RIVER if scenario.settings.get("travels") else scenario.where,
    }.get(scenario.kind, scenario.where)
    allowed = mns_of(registry, *where)
    begin_ms = START_MS + scenario.start_min * MINUTE_MS
    end_ms = START_MS + scenario.end_min * MINUTE_MS
    if scenario.kind == "water_level":
        end_ms += 28 * HOUR_MS * bool(scenario.settings["travels"]) + 6 * HOUR_MS  # its way, and carried forward
    for item in changed:
        assert item.mn in allowed
        if isinstance(item, Mark):
            assert (item.what, item.at_ms) == (CUT, begin_ms)
            continue
        # Nothing before it, but that an instant lies between two minutes; afterwards only what speaks of it.
        assert item.at_ms >= begin_ms - 30_000
        pieces = hj212.Framer(lambda mn: EITHER).feed(item.data)
        if scenario.kind == "garbage":
            assert item.at_ms < end_ms
        elif scenario.kind == "shuffled":
            assert item.at_ms <= end_ms
        else:
            (frame,) = pieces
            assert isinstance(frame, hj212.Frame)
            read = hj212.parse(frame)
            start_ms = times.parse_stamp(read.data_time or "") * 1000
            ahead_ms = 8 * HOUR_MS if scenario.kind == "clock_off" else 0
            day_ms = DAY_MS if read.cn == "2031" else 0
            assert begin_ms - ahead_ms - HOUR_MS - day_ms <= start_ms <= end_ms


@pytest.mark.parametrize("name", NAMES)
def test_every_truth_says_why(name: str) -> None:
    (scenario,) = load_scenario(name, district(), 7)
    told = list(scenario.truth(START_MS // 1000, frozenset(range(1, 8))))
    assert told, "at its own strength something must be concluded"
    for each in told:
        assert each.because
        assert each.start_s < each.end_s
        json.dumps(each.as_dict())
        assert each.subject in str(each)


# --- air: the truth against the law ----------------------------------------------------------------


def area_days(name: str, days: int) -> list[dict[str, str]]:
    """What the city stations say of each day, as exact means of the area; O3 as the mean of the greatest 8 hours."""
    registry = only(CITY)
    items = simulated(registry, days, chosen=load_scenario(name, registry, days))
    codes = {
        "SO2": "a21026", "NO2": "a21004", "CO": "a21005", "O3": "a05024", "PM10": "a34002", "PM2.5": "a34004",
    }  # fmt: skip
    found = []
    for day in range(days):
        date = times.stamp(START_MS // 1000 + day * 86_400)[:8]
        means: dict[str, list[Fraction]] = defaultdict(list)
        for station in registry.sources_at(START):
            hours = hours_of(items, station.mn)
            for factor, code in codes.items():
                values = [Fraction(hours[f"{date}{h:02d}0000"][code]["Avg"]) for h in range(24)]
                assert len(values) == 24
                if factor == "O3":
                    means[factor].append(max(sum(values[end - 8 : end], Fraction()) / 8 for end in range(8, 25)))
                else:
                    means[factor].append(sum(values, Fraction()) / 24)
        area = {factor: sum(each, Fraction()) / len(each) for factor, each in means.items()}
        found.append({f: str(Decimal(v.numerator) / Decimal(v.denominator)) for f, v in area.items()})
    return found


@pytest.mark.parametrize(
    ("name", "strengths"),
    [
        ("episode", (0.99, 1.01, 1.9, 2.2, 2.6)),
        ("dust", (0.99, 1.01, 2.1, 3.0)),
        ("ozone", (0.99, 1.01, 1.25, 1.4)),
    ],
)
def test_air_days_are_what_the_truth_says(name: str, strengths: tuple[float, ...]) -> None:
    for strength in strengths:
        (scenario,) = load_scenario(f"{name}@{strength}", district(), 7)
        days = scenario.end_min // 1440
        conc = area_days(f"{name}@{strength}", days)
        (told,) = [t for t in scenario.truth(START_MS // 1000, frozenset()) if t.kind == "air_day"]
        for day in range(scenario.start_min // 1440, days):
            line = json.dumps({"id": name, "conc": conc[day]})
            (verdict,) = rules_aqi([line], told.expected["edition"], "daily")
            assert verdict["category"] == told.expected["category"], (strength, conc[day], verdict)
            assert verdict["primary"] == told.expected["primary"]
            assert (verdict["aqi"] <= 100) is told.expected["good"]


# --- outlets ---------------------------------------------------------------------------------------


def zs_hours(name: str, outlet: str, code: str, days: int) -> dict[str, dict[str, str]]:
    """The hours of a factor of an outlet, by DataTime."""
    registry = only([outlet])
    items = simulated(registry, days, chosen=load_scenario(name, registry, days))
    mn = next(o.mn for o in registry.outlets)
    return {time: values[code] for time, values in hours_of(items, mn).items()}


@pytest.mark.parametrize(("strength", "above"), [("0.99", False), ("1.01", True), ("1.3", True)])
def test_exceeding_hours_are_just_those_of_the_window(strength: str, above: bool) -> None:
    hours = zs_hours(f"exceedance@{strength}", "lanfeng-sinter-head", "a21002", 2)
    inside = {f"20260407{h:02d}0000" for h in (9, 10, 11, 12)}
    for time, values in hours.items():
        assert values["Flag"] in ("N", "D")
        value = Decimal(values["ZsAvg"])
        if time in inside:
            assert values["Flag"] == "N"
            assert (value > 50) is above
            assert abs(value / 50 - Decimal(strength)) < Decimal("0.02")
        else:
            assert value <= 50
    assert len({hours[time]["ZsAvg"] for time in inside}) > 1, "equal hours would look like a stuck analyser"


def test_treatment_off_leaves_production_on() -> None:
    registry = only(["yunqi-pushing"])
    mn = registry.outlets[0].mn
    for strength, off in (("0", True), ("0.99", True), ("1.01", False)):
        chosen = load_scenario(f"treatment-off@{strength}", registry, 3)
        minutes = hours_of(simulated(registry, 3, chosen=chosen, full=[3]), mn, "2011")
        inside = {t: v for t, v in minutes.items() if "20260408100100" <= t < "20260408112900"}
        assert len(inside) == 88
        for values in inside.values():
            assert Decimal(values["d20401"]["Rtd"]) > Decimal(310) / 5
            assert (Decimal(values["d30401"]["Rtd"]) < 80) is off  # a tenth of the rated 800 kW


def test_a_flat_line_is_flat_and_production_is_not() -> None:
    registry = only(["baiyuan-kiln-tail"])
    mn = registry.outlets[0].mn
    chosen = load_scenario("flat-line@1.5", registry, 3)  # 90 minutes
    minutes = hours_of(simulated(registry, 3, chosen=chosen, full=[3]), mn, "2011")
    inside = [v for t, v in sorted(minutes.items()) if "20260408080100" <= t < "20260408092900"]
    assert len({v["a21026"]["Rtd"] for v in inside}) == 1
    power = [Decimal(v["d20401"]["Rtd"]) for v in inside]
    assert max(power) / min(power) > Decimal("1.1")
    after = [v["a21026"]["Rtd"] for t, v in sorted(minutes.items()) if "20260408093100" <= t < "20260408103000"]
    assert len(set(after)) > 5


@pytest.mark.parametrize(("strength", "suspected"), [("0.97", False), ("1.01", True), ("1.5", True)])
def test_a_share_of_the_values_lies_just_under_the_limit(strength: str, suspected: bool) -> None:
    hours = zs_hours(f"clipped@{strength}", "qinghe-boiler", "a21026", 7)
    values = [Decimal(v["ZsAvg"]) for v in hours.values()]
    assert len(values) == 168
    assert max(values) < 35
    share = Fraction(sum(Decimal("33.25") <= value for value in values), 168)
    assert (share >= Fraction(30, 100)) is suspected
    assert abs(float(share) - 0.3 * float(strength)) < 0.01


@pytest.mark.parametrize(("strength", "above"), [("0.99", False), ("1.01", True), ("1.2", True)])
def test_diluted_oxygen_hides_nothing_but_shows(strength: str, above: bool) -> None:
    registry = only(["yunqi-stack"])
    mn = registry.outlets[0].mn
    chosen = load_scenario(f"diluted-o2@{strength}", registry, 4)
    plain = hours_of(simulated(registry, 4), mn)
    thin = hours_of(simulated(registry, 4, chosen=chosen), mn)
    for hour in ("2026040909", "2026040910"):
        values = thin[f"{hour}0000"]
        assert (Decimal(values["a19001"]["Avg"]) > 14) is above
        assert (Decimal(values["a19001"]["Min"]) > 14) is above
        assert Decimal(values["a21002"]["Avg"]) < Decimal(plain[f"{hour}0000"]["a21002"]["Avg"])
        ratio = Decimal(values["a21002"]["ZsAvg"]) / Decimal(plain[f"{hour}0000"]["a21002"]["ZsAvg"])
        assert abs(ratio - 1) < Decimal("0.01")
    steps = hours_of(simulated(registry, 4, chosen=chosen, full=[4]), mn, "2011")
    oxygen = [Decimal(v["a19001"]["Rtd"]) for t, v in sorted(steps.items()) if v.get("a19001", {}).get("Flag") == "N"]
    assert max(abs(b - a) for a, b in zip(oxygen, oxygen[5:], strict=False)) < 3, "a step would give it away"


# --- rivers ----------------------------------------------------------------------------------------


def items_of(name: str, section: str, code: str, days: int) -> dict[str, Decimal]:
    """An item of a section by DataTime."""
    registry = only([*RIVER, "xinan-spring-1"])
    items = simulated(registry, days, chosen=load_scenario(name, registry, days) if name else ())
    mn = next(s.mn for s in registry.sections if s.id == section)
    return {time: Decimal(values[code]["Avg"]) for time, values in hours_of(items, mn).items()}


def test_a_wave_comes_down_the_river_with_the_water() -> None:
    base, wave = (
        {section: items_of(name, section, "w21003", 4) for section in RIVER} for name in ("", "upstream-wave")
    )
    (scenario,) = load_scenario("upstream-wave", district(), 4)
    windows = {t.subject: t for t in scenario.truth(START_MS // 1000, frozenset()) if t.kind == "arrival"}
    assert set(windows) == set(RIVER[1:])
    for nth, section in enumerate(RIVER):
        peak = Decimal("1.8") * Decimal("0.9") ** nth
        assert abs(max(wave[section].values()) - peak) < Decimal("0.002"), section
        first = min(time for time in wave[section] if wave[section][time] > base[section][time] + Decimal("0.05"))
        if section in windows:
            window = windows[section]
            at = times.parse_stamp(first)
            assert window.start_s - 4 * 3600 <= at <= window.end_s + 6 * 3600  # a cycle and its publication
    over = [time for time, value in wave["dianshang-bridge"].items() if value > 1]
    assert min(over)[:10] in ("2026040704", "2026040705")
    assert max(over)[:10] in ("2026040811", "2026040812", "2026040813")


@pytest.mark.parametrize(("strength", "meets"), [("0.99", True), ("1.01", False), ("1.6", False)])
def test_the_spring_after_rain(strength: str, meets: bool) -> None:
    name = f"spring-bypass@{strength}"
    for code, limit in (("w01003", "3"), ("w21003", "0.50"), ("w01019", "3.0")):
        values = items_of(name, "xinan-spring-1", code, 5)
        inside = [value for time, value in values.items() if "2026040914" <= time < "2026041000"]
        assert inside
        if code != "w01003":  # one decimal: 2.97 NTU is printed as 3.0, 3.03 as well
            assert {value <= Decimal(limit) for value in inside} == {meets}
        assert abs(inside[-1] - Decimal(limit) * Decimal(strength)) <= Decimal("0.05")


# --- how packets are sent --------------------------------------------------------------------------


def both(name: str, days: int, full: tuple[int, ...] = ()) -> tuple[list[Event], list[Event], list[Mark], Scenario]:
    """What the scenario's source sends without it and with it, and the marks."""
    (scenario,) = load_scenario(name, district(), days)
    registry = only(scenario.where)
    (mn,) = (s.mn for s in registry.sources_at(START))
    before = [e for e in said(simulated(registry, days, full=full)) if e.mn == mn]
    items = simulated(registry, days, full=full, chosen=[scenario])
    return before, [e for e in said(items) if e.mn == mn], [m for m in items if isinstance(m, Mark)], scenario


def window(scenario: Scenario) -> tuple[int, int]:
    """Of a scenario, epoch ms."""
    return START_MS + scenario.start_min * MINUTE_MS, START_MS + scenario.end_min * MINUTE_MS


def test_late_packets_are_the_same_bytes_three_hours_later() -> None:
    before, after, _, scenario = both("late", 3, (3,))
    begin, end = window(scenario)
    expected = [e._replace(at_ms=e.at_ms + 3 * HOUR_MS) if begin <= e.at_ms < end else e for e in before]
    assert sorted(after) == sorted(expected)
    assert [e.at_ms for e in after] == sorted(e.at_ms for e in after)


def test_copies_are_the_same_bytes_and_then_a_new_qn() -> None:
    before, after, _, scenario = both("duplicated", 2)
    begin, end = window(scenario)
    inside = [e for e in before if begin <= e.at_ms < end]
    assert len(after) == len(before) + 2 * len(inside)
    by_data = Counter(e.data for e in after)
    for event in inside:
        content = event.data.split(b"&&")[1]
        copies = [e for e in after if content in e.data]
        assert [e.at_ms - event.at_ms for e in copies] == [0, 5_000, 10_000]
        assert copies[1].data == event.data
        assert by_data[event.data] == 2
        assert copies[2].qn > event.qn
        assert copies[2].data != event.data


def test_shuffled_packets_are_the_same_in_another_order() -> None:
    before, after, _, scenario = both("shuffled", 2, (2,))
    begin, end = window(scenario)
    assert Counter(e.data for e in after) == Counter(e.data for e in before)
    for nth in range(6):
        first, last = begin + nth * 4 * HOUR_MS, begin + (nth + 1) * 4 * HOUR_MS
        block = [e for e in after if first < e.at_ms < last]
        assert {e.data for e in block} == {e.data for e in before if first <= e.at_ms < last}
        assert min(e.at_ms for e in block) > last - 10_000
        assert [e.qn for e in block] != sorted(e.qn for e in block)
    assert end == begin + DAY_MS


def test_a_silent_logger_of_2025_backfills_newest_first() -> None:
    before, after, marks, scenario = both("silent", 2, (2,))
    begin, end = window(scenario)
    assert (end - begin) == 3 * HOUR_MS
    assert [(m.what, m.at_ms, m.mn) for m in marks[:-1]] == [(CUT, begin, after[0].mn)]
    assert marks[-1].what == END
    assert [e for e in after if begin <= e.at_ms < end] == []
    missed = [packet(e.data) for e in before if begin <= e.at_ms < end]
    late = [(e, packet(e.data)) for e in after if b";RF=1;" in e.data]
    assert {p.rf for _, p in late} == {True}
    assert min(e.at_ms for e, _ in late) >= end + 20_000
    assert max(e.at_ms for e, _ in late) < end + 10 * MINUTE_MS
    kept = [p for p in missed if p.cn != "2011"]
    assert sum(p.cn == "2061" for p in kept) >= 3
    key = [(p.st, p.cn, p.data_time, list(p.readings)) for _, p in late]
    assert sorted(map(str, key)) == sorted(str((p.st, p.cn, p.data_time, list(p.readings))) for p in kept)
    hours = [p.data_time for _, p in late if p.cn == "2061" and p.st == "31" and p.pno in (None, 1)]
    assert hours == ["20260407140000", "20260407130000", "20260407120000"]
    assert [e.qn for e, _ in late] == sorted({e.qn for e, _ in late})
    assert [e for e in after if e.at_ms < begin] == [e for e in before if e.at_ms < begin]


def test_a_silent_logger_of_2017_sends_what_it_kept_in_order(tmp_path: Path) -> None:
    text = (FOLDER / "silent.toml").read_text(encoding="utf-8").replace("jingyuan-furnace", "weilan-outlet")
    (tmp_path / "older.toml").write_text(text, encoding="utf-8")
    (scenario,) = scenarios.load([str(tmp_path / "older.toml")], FOLDER)
    registry = only(["weilan-outlet"])
    items = said(simulated(registry, 2, chosen=[scenario]))
    end = window(scenario)[1]
    late = [packet(e.data) for e in items if end <= e.at_ms < end + MINUTE_MS]
    assert [p.data_time for p in late if p.st == "32"] == ["20260407120000", "20260407130000", "20260407140000"]
    assert not any(p.rf for p in late)


def test_corrected_hours_are_said_again_a_day_later() -> None:
    before, after, _, _ = both("corrected", 4, (2,))
    right = {p.data_time: p for p in map(packet, (e.data for e in before)) if p.cn == "2061"}
    said_hours = defaultdict(list)
    for event in after:
        read = packet(event.data)
        if read.cn == "2061":
            said_hours[read.data_time].append((event, read))
    twice = sorted(t or "" for t, found in said_hours.items() if len(found) == 2)
    assert twice == [f"20260407{h}0000" for h in (10, 11, 12, 13)]
    for time in twice:
        (first, wrong), (second, again) = said_hours[time]
        assert second.at_ms - first.at_ms == 26 * HOUR_MS
        assert second.qn > first.qn
        assert again.readings == right[time].readings
        value = {code: Decimal(v["Avg"]) for code, v in wrong.readings}
        good = {code: Decimal(v["Avg"]) for code, v in again.readings}
        assert abs(value["a34004"] - 2 * good["a34004"]) <= Decimal("0.2")
        assert {c: v for c, v in value.items() if c != "a34004"} == {c: v for c, v in good.items() if c != "a34004"}
    minutes = {p.data_time: p for p in map(packet, (e.data for e in after)) if p.cn == "2051"}
    plain = {p.data_time: p for p in map(packet, (e.data for e in before)) if p.cn == "2051"}
    differ = [t for t in plain if minutes[t].readings != plain[t].readings]
    assert (min(differ), max(differ), len(differ)) == ("20260407100000", "20260407135900", 240)  # type: ignore[type-var]


def test_a_clock_that_stands_at_utc() -> None:
    before, after, _, scenario = both("clock-off", 3)
    begin, end = window(scenario)
    assert [e.at_ms for e in after] == [e.at_ms for e in before]
    for plain, off in zip(before, after, strict=True):
        if not begin <= plain.at_ms < end:
            assert plain == off
            continue
        was, now = packet(plain.data), packet(off.data)
        assert times.parse_stamp(was.qn) - times.parse_stamp(now.qn) == 8 * 3600
        assert times.parse_stamp(was.data_time or "") - times.parse_stamp(now.data_time or "") == 8 * 3600
        assert was.readings == now.readings
        assert was.qn[14:] == now.qn[14:]


def test_garbage_never_swallows_a_good_packet() -> None:
    before, after, _, scenario = both("garbage", 2)
    framer = hj212.Framer(lambda mn: EITHER)
    pieces = [piece for event in after for piece in framer.feed(event.data)] + framer.flush()
    good = {piece.raw + b"\r\n" for piece in pieces if isinstance(piece, hj212.Frame)}
    assert {e.data for e in before} <= good
    junk = [e for e in after if not e.answered]
    assert len(junk) == 24 * 9
    crc = [p for p in pieces if isinstance(p, hj212.Rejected) and p.reason.startswith("crc")]
    header = [p for p in pieces if isinstance(p, hj212.Rejected) and p.reason.startswith("header")]
    told = {t.expected.get("reason"): t.expected.get("packets") for t in scenario.truth(0, frozenset())}
    assert (len(crc), len(header)) == (told["crc"], told["header"])


# --- together --------------------------------------------------------------------------------------


def test_all_scenarios_of_the_example_fit_into_one_week() -> None:
    chosen = scenarios.load(NAMES, FOLDER)
    fitting.check(chosen, district(), START, 7)
    kinds = {scenario.kind for scenario in chosen}
    assert kinds == set(scenarios.KINDS), "a kind that no example shows"


def test_the_document_names_every_kind_and_setting() -> None:
    text = (FOLDER.parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    words = {*scenarios.KINDS, *truth.KINDS, *MARKS}
    for kind in scenarios.KINDS.values():
        words |= {*kind.needs, *kind.may}
    words |= {key for _, keys in truth.KINDS.values() for key in keys}
    assert [word for word in sorted(words) if f"`{word}`" not in text and f'"{word}"' not in text] == []


def test_contradictions_are_refused_all_at_once(tmp_path: Path) -> None:
    for name, old, new in (("dust", "day 5", "day 3"), ("silent", "jingyuan-furnace", "air-luhua")):
        text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").replace(old, new)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "silent.toml").write_text(
        (tmp_path / "silent.toml").read_text(encoding="utf-8").replace("day 2", "day 3").replace("13:00", "09:00")
    )
    names = ["episode", str(tmp_path / "dust.toml"), "late", str(tmp_path / "silent.toml"), "exceedance", "exceedance"]
    with pytest.raises(ScenarioError) as caught:
        fitting.check(scenarios.load(names, FOLDER), district(), START, 7)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("scenarios episode and dust: both change CO of air-chengjiachuan")
    assert lines[1].startswith("scenarios late and silent: both change how packets are sent of air-luhua")
    assert lines[2].startswith("scenarios exceedance and exceedance: both change NOx of lanfeng-sinter-head")


BAD = """
format = 1
kind = "outlet_level"
where = ["yunqi-stack", "nobody"]
from = "day 2 09:30"
to = "day 9 24:30"
factor = "HCl"
threshold = "much"
strength = -1
speed = 3

[[truth]]
kind = "outlet_hours"
expected = { verdict = "EXCEED" }

[[truth]]
kind = "gossip"
subject = "nobody"
because = "?"
"""


def test_a_bad_file_is_refused_with_all_its_reasons(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(BAD, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        scenarios.load([str(file), "unheard-of"], FOLDER)
    text = str(caught.value)
    for part in (
        "speed: is not known", "strength: -1: a number", "threshold: 'much'",
        "'day 9 24:30' is no time of a run", "begins and ends with the hour", "[[truth]] 1: expected lacks factor",
        "[[truth]] 1: subject is missing", "[[truth]] 1: because is missing", "[[truth]] 2: kind 'gossip'",
        "scenario unheard-of: cannot be read",
    ):  # fmt: skip
        assert part in text, part
    assert all(line.startswith((str(file), "scenario ")) for line in text.splitlines())


@pytest.mark.parametrize(
    ("changes", "said_then"),
    [
        ({"lanfeng-sinter-head": "nobody"}, "'nobody' is no outlet on 2026-04-07"),
        ({"lanfeng-sinter-head": "air-luhua"}, "'air-luhua' is no outlet"),
        ({'factor = "NOx"\nthreshold': 'factor = "HCl"\nthreshold'}, "lanfeng-sinter-head does not measure HCl"),
        ({"day 2 13:00": "day 8 13:00"}, "is on day 8 of a run of 7"),
    ],
)
def test_what_does_not_fit_the_district_is_refused(changes: dict[str, str], said_then: str, tmp_path: Path) -> None:
    text = (FOLDER / "exceedance.toml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=said_then):
        fitting.check(scenarios.load([str(tmp_path / "x.toml")], FOLDER), district(), START, 7)
