"""The air agent against the assessment of the same hours as a file, whatever the log does to them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import assess_air
from agents.air import AirJudge
from schemas import blocks, times, topics
from tests.agents import crashes

REGISTRY = """
format = 1
[[group]]
id = "g"
[[area]]
id = "town"
name = "镇"
group = "g"
[[station]]
id = "one"
name = "一"
area = "town"
mn = "A1"
valid_from = 2015-01-01
[[station]]
id = "two"
name = "二"
area = "town"
mn = "A2"
valid_from = 2015-01-01
"""
FACTORS = ["SO2", "NO2", "CO", "O3", "PM10", "PM2.5"]
COLUMNS = ["so2_ug_m3", "no2_ug_m3", "co_mg_m3", "o3_ug_m3", "pm10_ug_m3", "pm25_ug_m3"]
START = times.parse_stamp("20151130000000")
DAYS = 2
COMPARED = (topics.CELLS, topics.VERDICTS, topics.CONDITIONS)


@dataclass(frozen=True)
class Packet:
    """One hour of one station as a logger says it."""

    station: str
    end: int
    values: tuple[str | None, ...]
    qn: str
    received: int
    number: int = 0


def block(packets: list[Packet], first: int) -> bytes:
    """A block of consecutive packets."""
    sources = sorted({p.station for p in packets})
    values, places, factor = [], "", []
    for p in packets:
        for f, text in enumerate(p.values):
            factor.append(f)
            if text is None:
                values.append(0)
                places += blocks.NO_VALUE
            else:
                value, n = blocks.number(text)
                values.append(value)
                places += blocks.PLACES[n]
    return blocks.encode(
        blocks.Block(
            writer="gw", first=first, sources=sources, factors=FACTORS,
            source=[sources.index(p.station) for p in packets],
            times=[p.end for p in packets], periods="h" * len(packets), received=[p.received for p in packets],
            qn=[p.qn for p in packets], counts=[6] * len(packets), factor=factor, values=values, places=places,
            flags="N" * len(values),
        )
    )  # fmt: skip


def registry_message() -> bytes:
    return blocks.encode(blocks.RegistryVersion("gw", "digest", REGISTRY, 0))


def tick(now_s: int) -> bytes:
    return blocks.encode(blocks.Tick("gw", now_s * 1000))


def judge(messages: list[bytes], judge_: AirJudge | None = None) -> list[Any]:
    """Every output of a judge over these messages."""
    judge_ = judge_ or AirJudge(0)
    return [output for n, m in enumerate(messages) for output in judge_.take(m, f"readings-air/0/{n}")]


def last(outputs: list[Any], topic: str = topics.VERDICTS) -> dict[bytes, bytes]:
    """The last message per key of a topic."""
    return {o.key: o.value for o in outputs if o.topic == topic}


def of_areas(outputs: list[Any]) -> dict[bytes, bytes]:
    """The verdicts of areas alone, without those of single stations."""
    return {k: v for k, v in last(outputs).items() if k.split(b"|")[2].startswith(b"air-") and b"-checks" not in k}


def hours(seed: int, holes: float = 0.1) -> list[Packet]:
    """Two stations, two days: dirty enough that days differ, with holes."""
    chance = random.Random(seed)
    packets = []
    for h in range(24 * DAYS):
        for station in ("one", "two"):
            end = START + (h + 1) * 3600
            values = tuple(
                None if chance.random() < holes else f"{chance.uniform(0, top):.{d}f}"
                for top, d in ((60, 0), (120, 0), (4, 1), (260, 0), (250, 0), (160, 1))
            )
            packets.append(Packet(station, end, values, times.stamp(end) + "000", end * 1000))
    return packets


def truth(packets: list[Packet], folder: Path) -> list[dict[str, Any]]:
    """The day table of the winning versions, by the way of a file."""
    won: dict[tuple[str, int], Packet] = {}
    for p in sorted(packets, key=lambda p: (p.qn, p.received)):
        won[p.station, p.end] = p
    file = folder / "hours.csv"
    lines = [",".join(["hour_end", "station", *COLUMNS])]
    for p in won.values():
        stamp = times.text(p.end)
        lines.append(",".join([stamp, p.station, *("" if v is None else v for v in p.values)]))
    file.write_text("\n".join(lines) + "\n")
    return assess_air.day_table(assess_air.judge_area(assess_air.read_area([file]), "auto"))


def days_of(outputs: list[Any]) -> dict[str, dict[str, Any]]:
    """Day verdicts by date."""
    found = [json.loads(v) for k, v in last(outputs).items() if b"|air-day|" in k]
    return {d["period"]: d for d in found}


def end_tick() -> bytes:
    return tick(START + DAYS * 86_400 + 2 * 3600)


@pytest.mark.parametrize("seed", range(6))
def test_days_equal_the_file(seed: int, tmp_path: Path) -> None:
    packets = hours(seed, holes=0.02 * seed)
    outputs = judge([registry_message(), *(block([p], n) for n, p in enumerate(packets)), end_tick()])
    said = days_of(outputs)
    expected = truth(packets, tmp_path)
    assert len(said) == len(expected) == DAYS
    for day in expected:
        verdict = said[str(day["date"])]
        assert (
            verdict["aqi"] == day["aqi"] and verdict["primary"] == day["primary"] and verdict["valid"] == day["valid"]
        )
        assert list(verdict["iaqi"].values()) == list(day["iaqi"].values())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_repetition_and_blocks_change_nothing(seed: int, data: st.DataObject) -> None:
    packets = hours(seed % 7)
    calm = judge([registry_message(), block(packets, 0), end_tick()])
    chance = random.Random(seed)
    # each packet comes once to three times, up to three days late: within the sixty days that are allowed
    sent = [
        replace(p, received=p.received + chance.randrange(0, 3 * 86_400_000))
        for p in packets
        for _ in range(chance.choice((1, 1, 1, 2, 3)))
    ]
    if data.draw(st.booleans(), label="also in any order of arrival"):
        chance.shuffle(sent)
    else:
        sent.sort(key=lambda p: p.received)
    messages, at = [registry_message()], 0
    while at < len(sent):
        size = chance.choice((1, 2, 7, 40))
        messages.append(block(sent[at : at + size], at))
        at += size
        if chance.random() < 0.3:
            messages.append(tick(sent[min(at, len(sent)) - 1].received // 1000))
    messages.append(tick(START + 10 * 86_400))
    wild = judge(messages)
    days, calm_days = days_of(wild), days_of(calm)
    for date in calm_days:
        assert days[date] == calm_days[date]
    hours_calm = {k: v for k, v in last(calm).items() if b"|air-hour|" in k}
    assert {k: v for k, v in last(wild).items() if b"|air-hour|" in k} == hours_calm
    for key, value in last(wild, topics.CELLS).items():
        cell, other = json.loads(value), json.loads(last(calm, topics.CELLS)[key])
        assert (cell["values"], cell["reasons"], cell["revision"]) == (
            other["values"],
            other["reasons"],
            other["revision"],
        )
    # the account: every packet is one hour's, the first or a duplicate
    cells = last(wild, topics.CELLS)
    assert sum(len(json.loads(v)["packets"]) for v in cells.values()) == len(sent)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000))
def test_a_crash_at_any_point_changes_nothing(seed: int) -> None:
    """Rows of a later moment than the position are what a crash between the two leaves behind."""
    chance = random.Random(seed)
    packets = hours(seed % 5)
    sent = [replace(p, received=p.received + chance.choice((0, 0, 0, 90_000_000))) for p in packets]
    sent.sort(key=lambda p: p.received)
    messages = [registry_message()]
    for n, p in enumerate(sent):
        messages.append(block([p], n))
        if n % 5 == 0:
            messages.append(tick(p.received // 1000))
    messages.append(tick(START + 5 * 86_400))
    assert crashed(messages, chance) == {topic: last(judge(messages), topic) for topic in COMPARED}


def crashed(messages: list[bytes], chance: random.Random) -> dict[str, dict[bytes, bytes]]:
    """The last messages per key of a judge that is killed again and again, also half-way through a checkpoint."""
    return crashes.crashed(AirJudge, "readings-air", messages, chance, COMPARED)


def test_a_late_reading_revises_its_day_and_year_and_nothing_else() -> None:
    packets = [replace(p, values=("10", "20", "0.5", "60", "40", "20.0")) for p in hours(0)]
    late = packets[60]  # in the second day; comes after its close with a value that spoils it
    messages = [registry_message(), *(block([p], n) for n, p in enumerate(packets)), end_tick()]
    judge_ = AirJudge(0)
    before = judge(messages, judge_)
    again = replace(
        late,
        values=(*late.values[:4], "9000", "20.0"),
        qn=late.qn[:-1] + "9",
        received=(START + DAYS * 86_400 + 2 * 3600) * 1000,
    )
    after = judge([block([again], len(packets))], judge_)
    changed = {k for k, v in last(after).items() if last(before).get(k) != v}
    periods = {b"air-month", b"air-quarter", b"air-year"}
    assert {key.split(b"|")[2] for key in changed} == {
        *periods, b"air-hour", b"air-day", b"station-hour", b"station-day", b"air-checks",
    }  # fmt: skip
    assert all(b"2015-12-01" in key or key.split(b"|")[2] in periods for key in changed)
    revised = {key.split(b"|")[2] for key in last(after, topics.REVISIONS)}
    assert revised == {b"air-hour", b"air-day", b"station-hour", b"station-day"}  # the periods grow anyway
    assert days_of(before)["2015-12-01"]["good"] is True
    assert days_of(after)["2015-12-01"]["good"] is False


@pytest.mark.parametrize(
    ("shift_s", "reason"), [(601, "future"), (-60 * 86_400 - 1, "late"), (600, "ok"), (-60 * 86_400, "ok")]
)
def test_time_against_received_decides(shift_s: int, reason: str) -> None:
    packet = hours(0, holes=0)[0]
    wrong = replace(packet, received=(packet.end - shift_s) * 1000)
    cells = last(judge([registry_message(), block([wrong], 0)]), topics.CELLS)
    (cell,) = (json.loads(v) for v in cells.values())
    assert set(cell["reasons"]) == {reason}


def test_a_reading_from_the_future_never_takes_the_place_of_a_timely_one() -> None:
    packet = hours(0, holes=0)[0]
    early = replace(packet, received=packet.received - 86_400_000, qn="9" * 17, values=("1",) * 6)
    for order in ((early, packet), (packet, early)):
        cells = last(judge([registry_message(), *(block([p], n) for n, p in enumerate(order))]), topics.CELLS)
        (cell,) = (json.loads(v) for v in cells.values())
        assert cell["values"] == list(packet.values) and set(cell["reasons"]) == {"ok"}
        assert len(cell["packets"]) == 2


def test_flags_and_negative_values_are_kept_and_not_judged() -> None:
    packet = replace(hours(0, holes=0)[0], values=("-1", "2", "0.3", "4", "5", "6"))
    message = blocks.decode(block([packet], 0))
    assert isinstance(message, blocks.Block)
    message.flags = "NNNCNN"
    cells = last(judge([registry_message(), blocks.encode(message)]), topics.CELLS)
    (cell,) = (json.loads(v) for v in cells.values())
    assert cell["reasons"] == ["negative", "ok", "ok", "flag-C", "ok", "ok"]
    assert cell["values"][0] == "-1" and cell["values"][3] == "4"


def test_silence_closes_hours_and_days_by_ticks_alone() -> None:
    packets = [p for p in hours(1, holes=0) if p.station == "one"]  # the other station never speaks
    judge_ = AirJudge(0)
    outputs = judge([registry_message(), *(block([p], n) for n, p in enumerate(packets[:1]))], judge_)
    assert not of_areas(outputs), "an hour that a station still owes waits"
    outputs = judge([tick(packets[0].end + 3600)], judge_)
    assert [k.split(b"|")[3] for k in of_areas(outputs)] == [b"2015-11-30T01"]
    # days of silence: each of them is a day, and invalid
    outputs = judge([tick(START + 4 * 86_400 + 3600)], judge_)
    said = days_of(outputs)
    assert list(said) == ["2015-11-30", "2015-12-01", "2015-12-02", "2015-12-03"]
    assert not any(day["valid"] for day in said.values())


def test_what_cannot_be_read_is_a_dead_letter_with_its_place() -> None:
    outputs = judge([b"{", registry_message(), b'{"kind":"block","v":9}'])
    letters = [json.loads(o.value) for o in outputs if o.topic == topics.DEAD]
    assert [letter["place"] for letter in letters] == ["readings-air/0/0", "readings-air/0/2"]
    early = judge([block(hours(0)[:1], 0)])
    assert "before any registry" in json.loads(early[0].value)["reason"]


@pytest.mark.parametrize("text", ["9" * 18, "-" + "9" * 18, "999999999999999.999", "0." + "0" * 16 + "1"])
def test_no_value_that_a_block_can_carry_stops_the_judge(text: str) -> None:
    packet = replace(hours(0, holes=0)[0], values=("1", "2", "0.3", "4", "5", text))
    outputs = judge([registry_message(), block([packet], 0), end_tick()])
    (cell,) = (json.loads(v) for v in last(outputs, topics.CELLS).values())
    assert cell["values"][5] == text
    assert cell["reasons"][5] == {"-": "negative", "9": "hard_range", "0": "ok"}[text[0]]


def test_an_area_that_leaves_the_registry_with_an_open_hour() -> None:
    packets = hours(0, holes=0)
    other = REGISTRY.replace('"town"', '"city"')
    judge_ = AirJudge(0)
    judge([registry_message(), block(packets[:1], 0)], judge_)
    changed = blocks.encode(blocks.RegistryVersion("gw", "other", other, packets[0].received))
    outputs = judge([changed, block(packets[1:], 1), end_tick()], judge_)
    assert {key.split(b"|")[1] for key in of_areas(outputs)} == {b"city"}
    assert len(days_of(outputs)) == DAYS
