"""Actions on their way into the log: through a gateway in one order with its packets, or straight into Kafka."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest

from schemas import blocks, times, topics
from schemas.action_files import Placed, period
from schemas.actions import KINDS, Action, complete, draft
from schemas.registry import Registry
from schemas.topics import CLOCK_KEY
from streams import action_writer, journal
from streams.account import taken_in
from streams.action_list import line, listed, of_journal
from streams.actions import MOST_AT_ONCE, action_records
from streams.ask import AskError, ask_actions
from streams.clock import LIVE, WriterClock
from streams.intake import Intake
from streams.writer import Recovered
from tests.services.embedded import Broker, read
from tests.streams.served import Served, found, serve
from tests.streams.test_gateway_devices import START, STATION, district, said

AIR = "DataTime=20261122080000;a21026-Avg=9,a21026-Flag=N"
END_MS = (START + 3600) * 1000


class Wall:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.ms = END_MS

    def clock(self) -> WriterClock:
        return WriterClock(LIVE, wall_ms=lambda: self.ms, since_boot_ms=lambda: 0)


def sent(what: str, subject: str, first: str, last: str = "", **more: Any) -> dict[str, Any]:
    """An item of the operation ``actions``."""
    begin, end = period(first, last)
    data = more.pop("data", {})
    who = {"by": "张三", "why": "总站 2026-11-23 通报"}
    return {"what": what, "subject": subject, "begin": begin, "end": end, "data": data, **who, **more}


def placed(item: dict[str, Any], place: str = "") -> Placed:
    named = {key: value for key, value in item.items() if key not in ("what", "subject", "begin", "end")}
    return Placed(place, draft(item["what"], item["subject"], item["begin"], item["end"], **named))


HOUR = ("2026-11-22T08:00", "2026-11-22T09:00")
CORRECTION = sent("correction", "station", *HOUR, data={"SO2": "12"})


def readings(records: list[journal.Record], topic: str = topics.READINGS_AIR) -> list[tuple[int, blocks.Reading]]:
    """What stands in a topic: partition and message, in the order of the log."""
    return [(r.partition, blocks.decode(r.value)) for r in records if r.topic == topic]


def test_an_action_between_two_packets_stands_between_them(tmp_path: Path) -> None:
    wall = Wall()
    ids: list[str] = []

    async def use(served: Served) -> None:
        await served.say(said("2061", AIR, mn=STATION, st="22"), answers=1)
        wall.ms += 1_000
        reply = await served.ask(op="actions", items=[CORRECTION])
        assert reply["ok"], reply
        ids.extend(reply["ids"])
        wall.ms += 1_000
        await served.say(said("2061", AIR, mn=STATION, st="22", qn="20261122090000002"), answers=1)

    records = serve(tmp_path, district(), use, clock=wall.clock())
    home = topics.partition_of("air", topics.EMBEDDED_PARTITIONS)
    assert {p for p, _ in readings(records)} == {home}
    one, action, two = (message for _, message in readings(records))
    assert isinstance(one, blocks.Block) and isinstance(two, blocks.Block) and isinstance(action, Action)
    assert max(one.received) < action.received < min(two.received)
    assert [action.id] == ids and action.writer == "gw" and action.group == "air"
    # the record in `actions`: the same bytes, in the same append
    (record,) = [r for r in records if r.topic == topics.ACTIONS]
    assert blocks.decode(record.value) == action and record.partition == home
    begin, end = period(*HOUR)
    assert record.key == f"air|station|correction|{begin}|{end}".encode()


def test_what_waits_is_written_first(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        intake = served.gateway.intake
        await intake._log.acquire()  # a batch is being written
        _reader, writer = await served.connect()
        writer.write(said("2061", AIR, mn=STATION, st="22"))
        while not intake.waiting:
            await asyncio.sleep(0.01)
        asked = asyncio.create_task(served.ask(op="actions", items=[CORRECTION]))
        await asyncio.sleep(0.2)
        intake._log.release()
        assert (await asked)["ok"]
        writer.close()

    records = serve(tmp_path, district(), use, clock=Wall().clock())
    assert [type(message) for _, message in readings(records)] == [blocks.Block, Action]


def test_an_action_stands_only_where_it_is_judged(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        mark = sent("mark", "stack", "2026-11-22T07:00", "2026-11-22T09:30", data={"mark": "停运"})
        assert (await served.ask(op="actions", items=[mark, CORRECTION]))["ok"]

    records = serve(tmp_path, district(), use, clock=Wall().clock())
    assert [type(m) for _, m in readings(records, topics.READINGS_EMISSION)] == [Action]
    assert [type(m) for _, m in readings(records)] == [Action]
    assert not readings(records, topics.READINGS_WATER)
    assert [m["what"] for m in found(records, topics.ACTIONS)] == ["mark", "correction"]


def test_refused_ones_leave_nothing_and_every_error_has_its_place(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        items = [
            CORRECTION,
            sent("dust-day", "A", "2026-11-22", place="a.csv:3"),
            sent("dust-day", "a", "2026-11-22", place="a.csv:4", by="", data={"x": "1"}),
            sent("dust-day", "a", "2027-11-22", place="a.csv:5"),
        ]
        reply = await served.ask(op="actions", items=items)
        assert not reply["ok"]
        lines = reply["error"].splitlines()
        assert [line.partition(": ")[0] for line in lines] == ["a.csv:3", "a.csv:4", "a.csv:4", "a.csv:5"]
        assert "subject 'A' is no area" in lines[0] and "has not begun" in lines[3]
        assert (await served.ask(op="actions", items=[CORRECTION], check=True))["ok"]
        for broken in ([{}], [{**CORRECTION, "begin": "x"}], [{**CORRECTION, "more": 1}], 5, None):
            reply = await served.ask(op="actions", items=broken)
            assert not reply["ok"] and "\n" not in reply["error"], reply
        too_many = [CORRECTION] * (MOST_AT_ONCE + 1)
        assert "at most 500" in (await served.ask(op="actions", items=too_many))["error"]

    assert not serve(tmp_path, district(), use, clock=Wall().clock())


def test_a_log_without_time_takes_none(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        reply = await served.ask(op="actions", items=[CORRECTION])
        assert not reply["ok"] and "no time yet" in reply["error"]
        await served.ask(op="clock", to=END_MS, sent={})
        assert (await served.ask(op="actions", items=[CORRECTION]))["ok"]
        await served.ask(op="clock", to=END_MS + 500, sent={})
        assert (await served.ask(op="actions", items=[{**CORRECTION, "withdrawn": True, "data": {}}]))["ok"]

    records = serve(tmp_path, district(), use, clock=WriterClock(None))
    assert [m["received"] for m in found(records, topics.ACTIONS)] == [END_MS, END_MS + 500]


def test_a_clock_that_leapt_takes_none(tmp_path: Path) -> None:
    wall = Wall()

    async def use(served: Served) -> None:
        wall.ms += 3_600_000
        reply = await served.ask(op="actions", items=[CORRECTION])
        assert not reply["ok"] and "envstream clock" in reply["error"]
        await served.ask(op="confirm", confirm=True)
        assert (await served.ask(op="actions", items=[CORRECTION]))["ok"]

    assert len(serve(tmp_path, district(), use, clock=wall.clock())) == 2


def test_what_is_decided_now_is_not_earlier_than_what_is_written(tmp_path: Path) -> None:
    wall = Wall()

    async def use(served: Served) -> None:
        await served.say(said("2061", AIR, mn=STATION, st="22"), answers=1)
        wall.ms -= 120_000  # somebody set the clock right
        assert (await served.ask(op="actions", items=[CORRECTION]))["ok"]

    records = serve(tmp_path, district(), use, clock=wall.clock())
    assert [m["received"] for m in found(records, topics.ACTIONS)] == [END_MS]


def test_a_repeated_action_is_the_same_action(tmp_path: Path) -> None:
    wall = Wall()

    async def use(served: Served) -> None:
        first = await served.ask(op="actions", items=[CORRECTION])
        wall.ms += 1_000
        assert (await served.ask(op="actions", items=[CORRECTION]))["ids"] == first["ids"]

    records = serve(tmp_path, district(), use, clock=wall.clock())
    one, two = found(records, topics.ACTIONS)
    assert one["id"] == two["id"] and one["received"] < two["received"]


def test_a_journal_with_actions_is_rebuilt_and_counted_as_without(tmp_path: Path) -> None:
    wall = Wall()

    async def use(served: Served) -> None:
        await served.say(said("2061", AIR, mn=STATION, st="22"), answers=1)
        wall.ms += 5_000
        assert (await served.ask(op="actions", items=[CORRECTION]))["ok"]

    records = serve(tmp_path, district(), use, clock=wall.clock())
    recovered = Recovered()
    for record in records:
        recovered.see(record)
    assert recovered.now_ms == END_MS + 5_000 and recovered.packets == 1
    account = taken_in(tmp_path)
    assert (account.packets, account.lines, dict(account.readings)) == (1, 0, {"air": 1})

    fed: list[tuple[str, int, bytes]] = []

    async def again(served: Served) -> None:
        found = await served.gateway.writer.rebuild()
        assert found.records == len(records)
        fed.extend((m.topic(), m.partition(), m.value()) for m in read(served.gateway.writer.bootstrap, "actions", 1))

    assert serve(tmp_path, district(), again, clock=wall.clock()) == records
    assert fed == [(r.topic, r.partition, r.value) for r in records if r.topic == topics.ACTIONS]


def test_an_action_of_the_whole_district_enters_every_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dataclasses.replace(KINDS["maintenance"], subjects={"district": ("air", "water", "emission")})
    monkeypatch.setitem(KINDS, "maintenance", everywhere)  # type: ignore[arg-type]
    begin, end = period("2026-11-22")
    here = district()
    action = complete(draft("maintenance", "", begin, end, by="a", why="b"), here, "gw", 1)
    records = action_records(action, here, 4)
    assert action.group == "" and {r.value for r in records} == {blocks.encode(action)}
    assert [r.topic for r in records].count(topics.ACTIONS) == 1
    assert {(r.topic, r.partition) for r in records[1:]} == set(itertools.product(topics.READINGS, range(4)))


def test_more_than_fit_at_once_are_all_checked_first(tmp_path: Path) -> None:
    days = [sent("dust-day", "a", str(times.date_of(20_000 - n))) for n in range(MOST_AT_ONCE + 20)]
    many = [placed(day, f"a.csv:{n}") for n, day in enumerate(days)]
    wrong = [*many[:-1], placed(sent("dust-day", "b", "2026-01-01"), "a.csv:last")]

    async def use(served: Served) -> None:
        at = ("127.0.0.1", served.control_port)
        with pytest.raises(AskError, match=r"^a\.csv:last: dust-day: subject 'b'"):
            await asyncio.to_thread(ask_actions, *at, wrong)
        assert not list(journal.read(tmp_path))
        assert len(set(await asyncio.to_thread(ask_actions, *at, many))) == len(many)

    records = serve(tmp_path, district(), use, clock=Wall().clock())
    assert sum(r.topic == topics.ACTIONS for r in records) == len(many)


# ---- read back


def test_they_are_listed_with_who_when_why_and_whether_they_hold(tmp_path: Path) -> None:
    wall = Wall()

    async def use(served: Served) -> None:
        day = sent("dust-day", "a", "2026-11-22")
        for item in (CORRECTION, {**CORRECTION, "data": {"SO2": "13"}}, day, {**day, "withdrawn": True}):
            wall.ms += 1_000
            assert (await served.ask(op="actions", items=[item]))["ok"]

    serve(tmp_path, district(), use, clock=wall.clock())
    told = listed(of_journal(tmp_path))
    assert [(one["what"], one["holds"]) for one in told] == [
        ("correction", False), ("correction", True), ("dust-day", False), ("dust-day", False),
    ]  # fmt: skip
    json.dumps(told)
    assert line(told[1]) == (
        "2026-11-22 09:00:02  张三  数据审核更正 correction station 2026-11-22 08:00 … 09:00 SO2=13"
        "  [有效 holds]  总站 2026-11-23 通报"
    )
    assert "[撤回 withdraws]" in line(told[3])


# ---- straight into Kafka (librdkafka's own broker speaks the protocol)


def log_of(broker: Broker, here: Registry, kind: str | None, now_ms: int | None = None) -> None:
    """A log as a gateway on Kafka begins it."""
    version = blocks.RegistryVersion("gw", here.digest, here.text, 0)
    broker.send([(topics.REGISTRY, b"registry", blocks.encode(version))])
    if kind is not None:
        broker.send([(topics.REGISTRY, CLOCK_KEY, kind.encode())])
    for topic in topics.READINGS:
        tick = blocks.Tick("gw", now_ms or time.time_ns() // 1_000_000)
        broker.send([(topic, None, blocks.encode(tick))])


def test_an_action_goes_straight_into_a_live_log_under_its_registry() -> None:
    broker, here = Broker(), district()
    log_of(broker, here, LIVE)
    (action,) = action_writer.write(broker.bootstrap, [placed(sent("dust-day", "a", "2026-03-12"))])
    home = topics.partition_of("air", topics.EMBEDDED_PARTITIONS)
    for topic, many in ((topics.ACTIONS, 1), (topics.READINGS_AIR, 2)):
        (message,) = [m for m in read(broker.bootstrap, topic, many) if b'"kind":"action"' in m.value()]
        assert message.partition() == home and blocks.decode(message.value()) == action
    assert action.writer.startswith("act-") and abs(action.received - time.time() * 1000) < 60_000
    (told,) = listed(action_writer.read(broker.bootstrap))
    assert told["id"] == action.id and told["holds"]
    broker.close()


@pytest.mark.parametrize(
    ("kind", "now_ms", "said"),
    [
        ("virtual", None, "is virtual, its clock is its gateway's: use the control connection"),
        (None, None, "has no clock of a gateway on Kafka"),
        (LIVE, 1_700_000_000_000, "is its gateway up, are the clocks right?"),
    ],
)
def test_a_log_with_another_clock_is_refused(kind: str | None, now_ms: int | None, said: str) -> None:
    broker = Broker()
    log_of(broker, district(), kind, now_ms)
    with pytest.raises(action_writer.ActionWriterError) as refused:
        action_writer.write(broker.bootstrap, [placed(sent("dust-day", "a", "2026-03-12"))])
    assert said in str(refused.value) and "--control" in str(refused.value) and "\n" not in str(refused.value)
    assert not list(read(broker.bootstrap, topics.ACTIONS, 1, 0.5))
    broker.close()


def test_wrong_ones_are_refused_before_kafka_has_any() -> None:
    broker = Broker()
    log_of(broker, district(), LIVE)
    wrong = [placed(sent("dust-day", subject, "2026-03-12"), f"a.csv:{n}") for n, subject in enumerate("abc")]
    with pytest.raises(action_writer.ActionWriterError) as refused:
        action_writer.write(broker.bootstrap, wrong)
    assert [text.partition(": ")[0] for text in str(refused.value).splitlines()] == ["a.csv:1", "a.csv:2"]
    assert not read(broker.bootstrap, topics.ACTIONS, 1, 0.5)
    broker.close()


def test_an_action_of_another_writer_does_not_change_an_intake(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        intake: Intake = served.gateway.intake
        before = intake.registry
        intake.adopt(complete(placed(CORRECTION).action, before, "other", 1))
        assert intake.registry is before

    serve(tmp_path, district(), use, clock=Wall().clock())
