"""What others than loggers send: the same rows as from a packet, and a reason for everything that is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import blocks, hj212_codes, ingest, registry, times, topics
from streams import hj212, journal
from streams.clock import LIVE, WriterClock
from streams.embedded_broker import EmbeddedBroker
from streams.gateway_metrics import Metrics
from streams.ingest import Ingest, SourceNames, reason
from streams.ingest_topic import IngestTopic
from streams.ingest_ways import Ways, WaysPlan
from streams.intake import OK, Arrival, Intake
from streams.journal import Journal
from streams.reading_rows import Reading, read_packet
from streams.source_index import SourceIndex
from streams.writer import Writer

STATION, MOVED, SECTION, STACK, METERS = "A0001", "A0002", "W0001", "G0001", "M0001"
START = times.parse_stamp("20261122080000")
TEXT = f"""format = 1
[receive]
[[group]]
id = "air"
[[group]]
id = "river"
[[group]]
id = "plant"
[[area]]
id = "a"
name = "a"
group = "air"
[[station]]
id = "school"
name = "第一小学"
area = "a"
mn = "{STATION}"
valid_from = 2020-01-01
valid_to = 2026-11-21
[[station]]
id = "school"
name = "第一小学"
area = "a"
mn = "{MOVED}"
valid_from = 2026-11-22
units = {{ CO = "ug/m3" }}
[[section]]
id = "bridge"
name = "店上桥"
mn = "{SECTION}"
group = "river"
body = "river"
river = "浊漳河"
factors = ["pH", "NH3N"]
standalone = true
valid_from = 2020-01-01
[[target]]
section = "bridge"
class = 3
valid_from = 2020-01-01
[[enterprise]]
id = "works"
name = "蓝峰"
industry = "power"
group = "plant"
[[outlet]]
id = "stack"
enterprise = "works"
name = "1#烟囱"
mn = "{STACK}"
medium = "gas"
process = "coal_boiler"
ref_o2_pct = "6"
factors = ["SO2", "NOx", "PM", "O2", "flow"]
valid_from = 2020-01-01
[[limit]]
outlet = "stack"
kind = "legal"
basis = "test"
averaging = "hour"
unit = "mg/m3"
most = {{ NOx = "50" }}
valid_from = 2020-01-01
[[logger]]
mn = "{STACK}"
units = {{ flow = "m3/h" }}
scale = {{ O2 = "0.1" }}
minute_interval = 5
"""
DISTRICT = registry.parse(TEXT, "test")


def live() -> WriterClock:
    """A live clock that stands an hour after the readings."""
    return WriterClock(LIVE, wall_ms=lambda: (START + 7200) * 1000, since_boot_ms=lambda: 0)


def message(**changed: Any) -> dict[str, Any]:
    """A good reading, with fields changed, or left out by None."""
    whole: dict[str, Any] = {
        "v": 1, "source": "school", "period": "hour", "start": "2026-11-22T08:00:00+08:00", "values": {"SO2": "12.50"},
    }  # fmt: skip
    return {name: value for name, value in (whole | changed).items() if value is not None}


def taken(raw: bytes | dict[str, Any], district: registry.Registry = DISTRICT) -> Arrival:
    """What one message becomes."""
    intake = Intake(None, district, live())  # type: ignore[arg-type] - nothing is written here
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    (arrival,) = Ingest(intake, Metrics()).message(data, "test")
    assert arrival.raw == data
    return arrival


def row_set(reading: Reading | None) -> list[tuple[Any, ...]]:
    """A reading as rows that can be compared: without the code, which is the name where somebody says names."""
    assert reading is not None
    return [
        (reading.origin.source.id, reading.end_s, reading.period, c.name, c.unit, c.value, c.places, c.flag)
        for c in reading.columns
    ]


Use = Callable[[Ingest, dict[str, Any]], Awaitable[None]]


def serve(folder: Path, plan: WaysPlan, use: Use, *, clock: WriterClock | None = None) -> list[journal.Record]:
    """Run ``use(ingest, ports)`` with these ways in; the records they left in the journal."""

    async def main() -> None:
        broker = EmbeddedBroker()
        writer = Writer(broker.bootstrap, name="in", journal=Journal(folder / "journal"))
        intake = Intake(writer, DISTRICT, clock or live(), place="ingest")
        door, ways = Ingest(intake, Metrics()), Ways(plan)
        ports = await ways.start(door, broker.bootstrap)
        run = asyncio.create_task(intake.run())
        try:
            await use(door, ports)
            assert not run.done() and not any(task.done() for task in ways.tasks)
        finally:
            await ways.close()
            run.cancel()
            await asyncio.get_running_loop().run_in_executor(None, writer.close)

    asyncio.run(main())
    return list(journal.read(folder / "journal"))


# ---- the same rows as a packet


decimals = st.decimals(Decimal("0"), Decimal("9999"), places=3).map(str) | st.from_regex(
    r"[1-9][0-9]{0,3}(\.[0-9]{1,4})?", fullmatch=True
)
MEDIA = {MOVED: ("22", "air"), SECTION: ("21", "water"), STACK: ("31", "gas")}
FACTORS = {
    mn: [f for f in hj212_codes.FACTORS if f.medium == medium and f.name != "As"] for mn, (_, medium) in MEDIA.items()
}


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(), mn=st.sampled_from(sorted(MEDIA)), hour=st.integers(0, 15), as_text=st.booleans(), end=st.booleans()
)
def test_json_says_what_the_packet_says(data: st.DataObject, mn: str, hour: int, as_text: bool, end: bool) -> None:
    chosen = data.draw(st.lists(st.sampled_from(FACTORS[mn]), min_size=1, max_size=8, unique=True))
    values = {factor: data.draw(decimals) for factor in chosen}
    start = START + 3600 * hour
    groups = ";".join(f"{factor.code}-Avg={text},{factor.code}-Flag=N" for factor, text in values.items())
    packet = hj212.build(
        st=MEDIA[mn][0], cn="2061", mn=mn, qn="20261122090000001", flag=4,
        content=f"DataTime={times.stamp(start)};{groups}",
    )  # fmt: skip
    (frame,) = hj212.Framer().feed(packet)
    assert isinstance(frame, hj212.Frame)
    parsed = hj212.parse(frame)
    origin = SourceIndex(DISTRICT).of(parsed, (start + 3600) * 1000)
    assert origin is not None

    said = ", ".join(f'"{factor.name}": ' + (f'"{text}"' if as_text else text) for factor, text in values.items())
    flags = json.dumps({factor.name: "N" for factor in values})
    which, at = ("end", start + 3600) if end else ("start", start)
    whole = (
        f'{{"v": 1, "source": "{mn}", "period": "hour", "{which}": "{times.civil(at).isoformat()}",'
        f' "values": {{{said}}}, "flags": {flags}}}'
    )
    arrival = taken(whole.encode())
    assert reason(arrival) == OK
    assert row_set(arrival.reading) == row_set(read_packet(parsed, origin))


def test_numbers_keep_the_decimals_of_the_json_text() -> None:
    # 0.1 + 0.2 and 1e23 are what a binary float would spoil; trailing zeros are what it would lose
    raw = b'{"v":1,"source":"school","period":"hour","start":"2026-11-22T08:00","values":{"SO2":12.50,'
    raw += (
        b'"NO2":"7.0","O3":88,"PM10":null,"PM2.5":0.30000000000000004,"NO":1.20e1,"NOx":-0.0,"x":123456789.123456789}}'
    )
    assert [row[3:] for row in row_set(taken(raw).reading)] == [
        ("SO2", "", 1250, "2", "_"),
        ("NO2", "", 70, "1", "_"),
        ("O3", "", 88, "0", "_"),
        ("PM10", "", 0, "-", "_"),
        ("PM2.5", "", 30000000000000004, "h", "_"),  # 17 decimals
        ("NO", "", 120, "1", "_"),
        ("NOx", "", 0, "1", "_"),
        ("x", "", 123456789123456789, "9", "_"),
    ]


def test_units_of_the_message_the_registry_and_the_table() -> None:
    values = {"flow": "36000", "O2": "87", "SO2": "35.50", "NOx-Zs": "0.0612", "NOx-Cou": "1248", "slurry_pH_01": "5.4"}
    said = taken(message(source="stack", values=values, units={"NOx-Zs": "g/m³", "NOx-Cou": "g"}))
    assert [row[3:7] for row in row_set(said.reading)] == [
        ("flow", "m3/h", 36000, "0"),  # of the logger; 1/3600 is no move of the point
        ("O2", "", 87, "1"),  # the logger's scale 0.1
        ("SO2", "", 3550, "2"),
        ("NOx-Zs", "", 612, "1"),  # 0.0612 g/m3 are 61.2 mg/m3
        ("NOx-Cou", "", 1248, "3"),  # kg
        ("slurry_pH_01", "", 54, "1"),
    ]
    # what the message says itself wins, and then the logger's scale is not meant
    said = taken(message(source="stack", values={"flow": "10.0", "O2": "8.7"}, units={"flow": "m3/s", "O2": "%"}))
    assert [row[3:7] for row in row_set(said.reading)] == [("flow", "", 100, "1"), ("O2", "", 87, "1")]
    # Annex B sends mercury of water in ug/L; the law is written in mg/L
    said = taken(message(source="bridge", values={"Hg": "0.05", "Cd": "0.001"}, units={"Cd": "mg/L"}))
    assert [row[3:7] for row in row_set(said.reading)] == [("Hg", "", 5, "5"), ("Cd", "", 1, "3")]


def test_names_codes_and_what_nobody_knows() -> None:
    values = {"a21026": 1, "NO2-Avg": 2, "CO-Min": "300", "a99999-Max": 4, "臭味": 5}
    said = taken(message(values=values, units={"臭味": "mg/L"}))
    assert said.reading is not None
    assert [(c.name, c.code, c.unit, c.value, c.places) for c in said.reading.columns] == [
        ("SO2", "a21026", "", 1, "0"),
        ("NO2", "NO2", "", 2, "0"),
        ("CO-Min", "CO", "", 300, "3"),  # the station's logger says ug/m3
        ("a99999-Max", "a99999", "", 4, "0"),
        ("臭味", "臭味", "mg/L", 5, "0"),
    ]
    # a code of a stack means another unit at a station, and a name of water nothing at all
    assert [row[3:5] for row in row_set(taken(message(source="stack", values={"a21026": 1})).reading)] == [("SO2", "")]
    assert [row[3:5] for row in row_set(taken(message(values={"NH3N": 1})).reading)] == [("NH3N", "")]


@pytest.mark.parametrize(
    ("period", "when", "end"),
    [
        ("hour", {"start": "2026-11-22T08:00:00+08:00"}, START + 3600),
        ("hour", {"end": "2026-11-22 09:00"}, START + 3600),
        ("hour", {"end": "2026-11-22T01:00:00Z"}, START + 3600),
        ("day", {"start": "2026-11-22T00:00"}, START + 16 * 3600),
        ("day", {"end": "2026-11-23T00:00:00+08:00"}, START + 16 * 3600),
        ("minute", {"start": "2026-11-22T08:00"}, START + 60),
        ("minute", {"end": "2026-11-22T08:01"}, START + 60),
        ("realtime", {"start": "2026-11-22T08:00:30.250"}, START + 30),
        ("realtime", {"end": "2026-11-22T08:00:30"}, START + 30),
    ],
)
def test_times(period: str, when: dict[str, str], end: int) -> None:
    reading = taken(message(**({"start": None, "period": period} | when))).reading
    assert reading is not None
    assert (reading.end_s, reading.period) == (end, period[0])


def test_a_minute_is_as_long_as_the_logger_says() -> None:
    for when in ({"start": "2026-11-22T08:00"}, {"start": None, "end": "2026-11-22T08:05"}):
        reading = taken(message(**({"source": "stack", "period": "minute"} | when))).reading
        assert reading is not None and reading.end_s == START + 300


def test_version_and_backfill_stand_where_a_packet_has_qn_and_rf() -> None:
    reading = taken(message(version="20261122090000001", backfilled=True)).reading
    assert reading is not None and (reading.qn, reading.backfilled) == ("20261122090000001", True)
    reading = taken(message()).reading
    assert reading is not None and (reading.qn, reading.backfilled) == ("", False)


def test_sources_by_id_by_number_and_by_a_name_only_one_has() -> None:
    names = SourceNames(SourceIndex(DISTRICT))
    before, day = dt.date(2026, 11, 21), dt.date(2026, 11, 22)

    def found(text: str, date: dt.date) -> tuple[str, str] | None:
        origin = names.at(text, date)
        return None if origin is None else (origin.source.id, origin.source.mn)

    assert [found("school", d) for d in (before, day)] == [("school", STATION), ("school", MOVED)]
    assert [found("第一小学", d) for d in (before, day)] == [("school", STATION), ("school", MOVED)]
    assert [found(STATION, d) for d in (before, day)] == [("school", STATION), None]
    assert found("school", dt.date(2019, 1, 1)) is None and found("Mars", day) is None
    twice = registry.parse(TEXT.replace('name = "店上桥"', 'name = "第一小学"'), "test")
    assert SourceNames(SourceIndex(twice)).at("第一小学", day) is None
    # the hour that ends at midnight belongs to the day it began
    arrival = taken(message(start=None, end="2026-11-22T00:00"))
    assert arrival.reading is not None and arrival.reading.origin.source.mn == STATION


# ---- a reason for everything


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in message().items() if key != name}


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        (b"SO2=12", "not JSON"),
        (b'{"v":1,', "not JSON"),
        (b'{"v":1,"source":"\xff"}', "not JSON"),
        (b'{"v":1,"values":{"SO2":' + b"[" * 50_000, "not JSON"),
        (json.dumps(message()).replace('"12.50"', "NaN").encode(), "not JSON"),
        (b"[1]", "field"),
        (message(v=2, more="fields"), "field: v 2"),
        (without("v"), "field"),
        (without("source"), "field"),
        (without("values"), "field"),
        (without("start"), "field: one of start and end"),
        (message(end="2026-11-22T09:00"), "field: one of start and end"),
        (message(quality="good"), "field: Object contains unknown field `quality`"),
        (message(source=7), "field"),
        (message(source=""), "field: source"),
        (message(source="Mars"), "unlisted"),
        (message(source=STATION), "unlisted"),  # the station has another number since that day
        (message(period="week"), "field"),
        (message(backfilled=1), "field"),
        (message(values={}), "field: values"),
        (message(values=[12.5]), "field"),
        (message(values={" SO2": 1}), "field: factor"),
        (message(values={"SO2\n": 1}), "field: factor"),
        (message(values={"SO2": 1, "a21026": 1}), "field: a21026 and SO2"),
        (json.dumps(message()).replace('"12.50"', '1, "SO2": 2').encode(), "field: 'SO2' stands twice"),
        (message(values={"SO2": "12,5"}), "value: SO2"),
        (message(values={"SO2": "NaN"}), "value: SO2"),
        (message(values={"SO2": "١٢"}), "value: SO2"),
        (message(values={"SO2": ""}), "value: SO2"),
        (message(values={"SO2": True}), "value: SO2"),
        (message(values={"SO2": {}}), "value: SO2"),
        (message(values={"SO2": 10**18}), "value: SO2"),
        (json.dumps(message()).replace('"12.50"', "1e999999999").encode(), "value: SO2"),
        (message(flags={"NO2": "N"}), "field: flags"),
        (message(flags={"SO2": ""}), "field: flag"),
        (message(flags={"SO2": "?"}), "field: flag"),
        (message(units={"NO2": "mg/m3"}), "field: units"),
        (message(units={"SO2": "ppb"}), "unit: SO2"),
        (message(units={"SO2": "kPa"}), "unit: SO2"),
        (message(version="x" * 65), "field: version"),
        (message(start="2026-11-22"), "time"),
        (message(start="2026-11-22T24:00"), "time"),
        (message(start="2026-11-31T08:00"), "time"),
        (message(start="1526-11-22T08:00"), "time"),
        (message(start="20261122080000"), "time"),
        (message(start="2026-11-22T08:30"), "time: start 2026-11-22T08:30: an hour begins on the full hour"),
        (message(start="2026-11-22T08:00+08:30"), "time"),
        (message(period="day"), "time: start 2026-11-22T08:00:00+08:00: a day begins at 00:00"),
        (b" ", "not JSON"),
    ],
)
def test_what_cannot_be_used_is_evidence_with_a_reason(sent: bytes | dict[str, Any], verdict: str) -> None:
    arrival = taken(sent)
    assert arrival.verdict.startswith(verdict) and arrival.reading is None
    assert "\n" not in reason(arrival) and len(reason(arrival)) < 700


def test_a_reading_too_large_is_kept_in_pieces_that_kafka_takes(tmp_path: Path) -> None:
    raw = b'{"v":1,"source":"' + b"\x01" * 200_000 + b'"}'

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        arrivals = door.message(raw, "test")
        assert {a.verdict.partition(":")[0] for a in arrivals} == {"size"}
        await door.put("test", arrivals)

    records = serve(tmp_path, WaysPlan(), use)
    kept = [r for r in records if r.topic == topics.PACKETS]
    assert "".join(piece for r in kept for piece in json.loads(r.value)["raw"]) == raw.decode("latin-1")
    assert max(len(r.value) for r in records) < 1_000_000


def test_what_was_taken_stands_in_evidence_block_and_dead_letter(tmp_path: Path) -> None:
    good, bad = json.dumps(message()).encode(), json.dumps(message(source="Mars")).encode()

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        await door.put("test", door.message(good, "here") + door.message(bad, "there"))
        count = door.metrics.registry.get_sample_value
        for result in ("accepted", "rejected"):
            assert count("envstream_ingest_total", {"way": "test", "result": result}) == 1

    records = serve(tmp_path, WaysPlan(), use)
    evidence = [json.loads(r.value) for r in records if r.topic == topics.PACKETS]
    assert sorted((e["raw"][0].encode(), e["peer"][0], e["mn"][0], e["verdict"][0]) for e in evidence) == sorted(
        [(good, "here", "school", "ok"), (bad, "there", "Mars", "unlisted")]
    )
    (block,) = [blocks.decode(r.value) for r in records if r.topic == topics.READINGS_AIR]
    assert isinstance(block, blocks.Block)
    assert (block.writer, block.sources, block.times, block.values, block.places) == (
        "in", ["school"], [START + 3600], [1250], "2",
    )  # fmt: skip
    (letter,) = [json.loads(r.value) for r in records if r.topic == topics.DEAD]
    assert (letter["place"], letter["text"].encode()) == ("ingest there", bad)
    assert letter["reason"].startswith("unlisted: 'Mars' is no source of the registry on 2026-11-22")


def test_another_registry_in_force_holds_for_what_comes_next() -> None:
    intake = Intake(None, DISTRICT, live())  # type: ignore[arg-type]
    door = Ingest(intake, Metrics())
    raw = json.dumps(message(source="college")).encode()
    assert door.message(raw, "t")[0].verdict == "unlisted"
    edited = registry.parse(TEXT.replace('id = "school"', 'id = "college"'), "test")
    intake.adopt(blocks.RegistryVersion("gw", edited.digest, edited.text, 0))
    assert door.message(raw, "t")[0].verdict == OK


def test_a_number_written_with_a_power_is_the_number() -> None:
    assert [ingest.plain(text) for text in ("1.50e1", "2E-3", "-0.5e0", "007")] == ["15.0", "0.002", "-0.5", "007"]


@settings(max_examples=300, deadline=None)
@given(
    raw=st.binary(min_size=1, max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["v", "source", "period", "start", "values", "units", "flags", "version", "x"]), inner
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
    | st.sampled_from(["source", "period", "start", "values", "units", "flags", "version", "backfilled"]).flatmap(
        lambda name: (st.text(max_size=8) | st.dictionaries(st.text(max_size=8), st.text(max_size=8))).map(
            lambda value: json.dumps(message(**{name: value})).encode()
        )
    )
)
def test_whatever_is_sent_becomes_evidence_and_never_an_error(raw: bytes) -> None:
    intake = Intake(None, DISTRICT, live())  # type: ignore[arg-type]
    arrivals = Ingest(intake, Metrics()).message(raw, "test")
    assert b"".join(a.raw for a in arrivals) == raw
    for arrival in arrivals:
        assert (arrival.reading is not None) == (arrival.verdict == OK)
        assert reason(arrival).encode() and "\n" not in reason(arrival).strip("\n")


def test_the_example_of_the_manual() -> None:
    manual = (Path(__file__).resolve().parents[2] / "docs" / "ingest.md").read_text(encoding="utf-8")
    example = manual.partition("```json\n")[2].partition("```")[0].strip()
    assert [row[3:] for row in row_set(taken(example.encode()).reading)] == [
        ("SO2", "", 1250, "2", "N"),
        ("O3", "", 88, "0", "_"),
        ("CO", "", 300, "3", "_"),
        ("PM10", "", 0, "-", "_"),
    ]


# ---- the topic


class Kept:
    """Of a message of Kafka what is asked of it here."""

    def __init__(self, value: bytes, offset: int) -> None:
        self._value, self._offset = value, offset

    def value(self) -> bytes:
        return self._value

    def topic(self) -> str:
        return topics.INGEST

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


def test_a_message_of_the_topic_with_too_many_readings_is_dead_and_others_are_not(tmp_path: Path) -> None:
    good = json.dumps([message()] * 3).encode()
    bodies = [good, b"[" + b"0," * 499_999 + b"0]", b"[" + b"0," * 5_000 + b"0]", good]
    put: list[int] = []

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        real = door.put

        async def counted(way: str, arrivals: Any) -> None:
            put.append(len(arrivals))
            await real(way, arrivals)

        door.put = counted  # type: ignore[method-assign]
        topic = IngestTopic(door, door.intake.writer.bootstrap)
        messages: list[Any] = [Kept(body, offset) for offset, body in enumerate(bodies)]
        await topic._put_all(messages)
        full = json.dumps([0] * 5_000).encode()
        await topic._put_all([Kept(full, 8), Kept(full, 9)])  # type: ignore[list-item]

    records = serve(tmp_path, WaysPlan(), use)
    evidence = [json.loads(r.value) for r in records if r.topic == topics.PACKETS]
    said = [row for e in evidence for row in zip(e["peer"], e["verdict"], e["raw"], strict=True)]
    for offset in (1, 2):
        mine = [(verdict, raw) for peer, verdict, raw in said if peer == f"ingest/0/{offset}"]
        assert "".join(raw for _, raw in mine).encode() == bodies[offset]
        assert all(verdict.startswith("size: at most 5000 readings") for verdict, _ in mine)
    assert sum(verdict == OK for _, verdict, _ in said) == 6
    assert max(put) <= 5_000 and put[-3:-1] == [5_000, 5_000]
