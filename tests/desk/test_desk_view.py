"""What the desk keeps of a log, what stands where, and words that two rooms must share."""

from __future__ import annotations

import asyncio
import math
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from desk import view as desk_view
from desk.view import Follower, View
from desk.web import drawing, forms, pages, words
from desk.web.access import Pace
from desk.web.tokens import Tokens, TokensError, issue
from desk.web.writing import ByControl
from schemas import blocks, times, topics
from schemas.action_kinds import KINDS, Subject
from schemas.alerts import SENDING, SENT, Episode
from schemas.messages import encode, key
from schemas.registry import Reach
from streams.embedded_broker import EmbeddedBroker
from tests.desk import scene
from tests.services.embedded import Broker, wait_for

TABLES = Path(__file__).resolve().parents[2] / "standards" / "tables"


def put(view: View, *messages: scene.Message) -> None:
    for topic, name, value in messages:
        view.see(topic, name or b"", value)


# ---- what is kept


def test_the_last_message_of_an_alert_is_the_truth() -> None:
    view = View()
    put(view, scene.of(scene.episode("a")), scene.of(scene.episode("a", state="acknowledged", holder="guo")))
    (found,) = view.open_episodes()
    assert (found.state, found.holder) == ("acknowledged", "guo")
    put(view, scene.of(scene.episode("a", state="closed", closed=5)))
    assert view.open_episodes() == []
    assert [e.id for e in view.closed_episodes()] == ["a"]
    put(view, scene.of(scene.episode("a", state="open")))  # opened again
    assert [e.id for e in view.open_episodes()] == ["a"]
    assert view.closed_episodes() == []


def test_the_most_urgent_comes_first() -> None:
    view = View()
    rows = [
        ("old-yellow", "yellow", "open", 500), ("red", "red", "handling", 1), ("orange", "orange", "open", 30),
        ("older-orange", "orange", "acknowledged", 60), ("gone", "red", "resolved", 900), ("blue", "blue", "open", 999),
    ]  # fmt: skip
    for name, level, state, minutes in rows:
        put(view, scene.of(scene.episode(name, level=level, state=state, opened=scene.ms(minutes))))
    assert [e.id for e in view.open_episodes()] == ["red", "older-orange", "orange", "old-yellow", "blue", "gone"]
    assert view.counts() == {"red": 1, "orange": 2, "yellow": 1, "blue": 1}


def test_a_part_stands_in_its_whole_only_while_that_is_open_told_and_as_bad() -> None:
    view = View()
    part = scene.episode("part", level="red", parent="whole")
    for whole, alone in (
        (scene.episode("whole", level="red"), False),
        (scene.episode("whole", level="orange"), True),  # worse than the whole: it was told by itself
        (scene.episode("whole", level="red", muted="maintenance"), True),
        (scene.episode("whole", level="red", state="closed", closed=5), True),
    ):
        put(view, scene.of(whole), scene.of(part))
        assert ("part" in [e["e"].id for e in pages.alerts_page(view, words.say_of("zh"), {})["going"]]) == alone
        assert ("part" in [e["e"].id for e in pages.handover_page(view, words.say_of("zh"))["list"]]) == alone
        assert ("part" in view.unanswered("red")) == alone
        assert view.counts()["red"] == alone + (whole.level == "red" and whole.state == "open")


def test_finished_alerts_are_bounded_and_open_ones_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_view, "MOST_CLOSED", 10)
    view = View()
    for n in range(100):
        one = scene.episode(f"e{n}", state="closed" if n % 2 else "open", closed=n)
        told = scene.notice(f"n{n}", one.id, "first", "red", 1, [], "t")
        put(view, scene.of(one), scene.of(told))
    assert len(view.open_episodes()) == 50
    assert {e.id for e in view.closed_episodes()} == {f"e{n}" for n in range(81, 100, 2)}
    assert view.notices("e1") == []
    assert view.notices("e0") != []


def test_an_attempt_is_shown_by_its_last_state_in_whatever_order() -> None:
    told = scene.notice("n", "e", "first", "red", 1, [], "t")
    sending, sent = (scene.delivery(told, "guo", "sms", 1, state, 1) for state in (SENDING, SENT))
    other = scene.delivery(told, "guo", "dingtalk", 1, SENDING, 2)
    for order in ([sending, sent, other], [sent, sending, other], [sent, other, sending, sent]):
        view = View()
        put(view, *map(scene.of, order))
        assert [(d.channel, d.state) for d in view.deliveries("e")] == [("sms", SENT), ("dingtalk", SENDING)]


def test_of_an_hour_the_newest_holds_and_a_late_one_changes_nothing() -> None:
    view = View()
    end = scene.NOW_S // 3600 * 3600
    for time_s, aqi in ((end, 80), (end - 3600, 30), (end, 90)):
        hour = scene.verdict("station-hour", "g", "s", "p", time_s, aqi)
        put(view, (topics.VERDICTS, key("g", "s", "station-hour", "p", "2026", "keep"), encode(hour)))
    assert view.latest("station-hour", "s").aqi == 90


def test_of_a_day_the_caliber_with_dust_is_shown() -> None:
    view = View()
    for caliber, aqi in (("keep", 180), ("deduct", 60)):
        day = scene.verdict("air-day", "g", "a", "2026-03-15", 0, aqi)
        put(view, (topics.VERDICTS, key("g", "a", "air-day", "2026-03-15", "2026", caliber), encode(day)))
    assert view.days("a")["2026-03-15"].aqi == 180


def test_only_a_live_log_can_stand_still() -> None:
    view = View()
    put(view, (topics.READINGS_AIR, b"", blocks.encode(blocks.Tick("gw", int(time.time() * 1000) - 121_000))))
    assert not view.health().bad
    put(view, (topics.REGISTRY, b"clock", b"live"))
    assert view.health().stale
    assert view.health().bad
    put(view, (topics.READINGS_WATER, b"", blocks.encode(blocks.Tick("gw", int(time.time() * 1000)))))
    assert not view.health().bad
    put(view, (topics.REGISTRY, b"clock", b"virtual"))
    assert view.health().age_s is None


class Log:
    """An embedded broker with the topics of a log."""

    def __init__(self) -> None:
        self._broker: EmbeddedBroker | None = EmbeddedBroker()
        self.bootstrap = self._broker.bootstrap
        self._producer: Producer | None = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def send(self, messages: Iterable[scene.Message], partition: int = 0) -> None:
        assert self._producer is not None
        for topic, name, value in messages:
            self._producer.produce(topic, value, name, partition=partition)
        assert self._producer.flush(10) == 0

    def close(self) -> None:
        self._producer = self._broker = None


def test_a_gateway_that_does_not_answer_is_noticed_and_an_empty_log_has_no_time() -> None:
    view = View()
    asked: list[bytes] = []

    async def until(what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():
                await asyncio.sleep(0.02)

    async def main() -> None:
        said = {"ok": True, "log": None, "now": 1_800_000_000_000, "held": False, "jump_ms": 0}

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.write(msgspec.json.encode(said) + b"\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        following = asyncio.create_task(ByControl("127.0.0.1", port).follow_clock(view, 0.05, 0.05))
        await until(lambda: len(asked) > 2)
        assert (view.health().bad, view.clock, view.now_ms) == (False, None, 0)  # the wall clock is not the log's
        said |= {"log": "virtual", "now": 1_700_000_000_000}
        await until(lambda: view.clock == "virtual")
        assert view.now_ms == 1_700_000_000_000
        server.close()
        await server.wait_closed()
        await until(lambda: not view.health().gateway)
        assert view.health().bad
        following.cancel()

    asyncio.run(main())


def test_a_log_without_topics_says_what_to_do() -> None:
    broker = Broker()
    view = View()
    follower = Follower(broker.bootstrap, view)
    wait_for(lambda: view.health().bad)
    assert "envstream init" in view.health().fault
    follower.close()
    broker.close()


def test_a_log_is_followed_from_its_beginning_and_what_cannot_be_read_is_said() -> None:
    broker = Log()
    broker.send([m for m in scene.alerts() if m[0] == topics.EPISODES], partition=1)
    broker.send([scene.message(scene.registry())])
    heard: list[set[str]] = []
    view = View(heard.append)
    follower = Follower(broker.bootstrap, view, embedded=True)
    wait_for(lambda: view.caught_up and len(view.open_episodes()) == 7, 30)
    assert view.registry is not None
    assert view.health().fault == ""
    broker.send([scene.of(scene.episode("late"))], partition=3)
    wait_for(lambda: view.episode("late") is not None)
    assert {"alerts"} in heard
    broker.send([(topics.EPISODES, b"x", b"{}")])
    wait_for(lambda: view.health().bad)
    assert view.health().fault.startswith("episodes/0/0: ")
    follower.close()
    broker.close()


def test_a_broker_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_view, "PROBE_S", 0.2)
    broker = Log()
    view = View()
    follower = Follower(broker.bootstrap, view, embedded=True)
    wait_for(lambda: view.caught_up, 30)
    assert view.health().broker
    broker.close()
    wait_for(lambda: not view.health().broker, 30)
    assert view.health().bad
    follower.close()


# ---- drawings


def test_a_map_keeps_distances_in_both_directions() -> None:
    """Against the great circle: 10 km to the north and to the east are equally long on the map."""
    lat, lon = 36.33, 113.23
    degree = 111.19492664  # km of a great circle of 6371.0088 km radius
    north, east = lat + 10 / degree, lon + 10 / (degree * math.cos(math.radians(lat)))
    projection = drawing.Projection([(lat, lon), (north, lon), (lat, east)])
    here, up, right = projection.spot(lat, lon), projection.spot(north, lon), projection.spot(lat, east)
    assert here.y - up.y == pytest.approx(right.x - here.x, rel=2e-3)
    assert here.y - up.y == pytest.approx(10 * projection.km, rel=2e-3)
    assert up.x == here.x
    assert right.y == here.y


@pytest.mark.parametrize("places", [[], [(36.0, 113.0)], [(36.0, 113.0), (36.0, 113.0)]])
def test_a_map_of_few_places_is_a_map(places: list[tuple[float, float]]) -> None:
    projection = drawing.Projection(places)
    for lat, lon in places:
        spot = projection.spot(lat, lon)
        assert 0 <= spot.x <= drawing.WIDTH
        assert 0 <= spot.y <= projection.height


def test_the_calendar_has_every_day_once_in_the_column_of_its_weekday() -> None:
    for year, days in ((2026, 365), (2028, 366)):
        cells = [(m.month, c) for m in drawing.months_of(year, {}) for c in m.cells]
        assert len({c.date for _, c in cells}) == len(cells) == days
        for _, cell in cells:
            assert cell.column == scene.dt.date.fromisoformat(cell.date).weekday()
        assert len({(month, c.column, c.row) for month, c in cells}) == days


def test_sections_follow_the_water() -> None:
    district = scene.registry()
    date = scene.dt.date(2026, 11, 30)
    steps = drawing.along(district.sections, district.reaches_at(date))
    order = [step.section.id for step in steps]
    assert sorted(order) == sorted({s.id for s in district.sections})
    for reach in district.reaches_at(date):
        assert order.index(reach.upper) < order.index(reach.lower)
    depth = {step.section.id: step.depth for step in steps}
    assert [depth[s] for s in ("dianshang-bridge", "shihui-bridge", "shiliang", "xinan-out")] == [0, 0, 0, 0]
    assert depth["zhaidian-reservoir"] == depth["weizi-mouth"] == 1  # 17 km of it against 22 of the main stem


def test_a_ring_of_reaches_does_not_hang_a_page() -> None:
    sections = scene.registry().sections[:2]
    ring = [Reach(a.id, b.id, "1", "1", "1", "1") for a, b in (sections, sections[::-1])]
    assert {s.section.id for s in drawing.along(sections, ring)} == {s.id for s in sections}


# ---- words and forms


def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table["edition"][-1]["rows"]
    return found


def test_rules_are_called_as_in_the_table_of_the_alerts() -> None:
    rows = tomllib.loads((TABLES / "alerts_rules.toml").read_text(encoding="utf-8"))
    found = {row["rule"]: (row["zh"], row["en"]) for row in rows_of(rows)}
    assert found == words.RULES


def test_whatever_an_alert_is_about_is_said_in_chinese() -> None:
    rows = tomllib.loads((TABLES / "alerts_rules.toml").read_text(encoding="utf-8"))
    assert {row["about"] for row in rows_of(rows) if "about" in row} <= set(words.ABOUT)
    zh = words.say_of("zh")
    for about, rules, title in (
        ("quality", ["unit-1000"], "烟囱 数据质量 单位疑差一千倍"),
        ("treatment:dust", ["R1"], "烟囱 治理设施:dust 疑似异常"),
        ("silence", ["offline"], "烟囱 无数据"),
        ("air-day-incomplete:2026-04-08", ["air-day-incomplete"], "烟囱 日报不完整 2026-04-08"),
    ):
        episode = Episode(
            id="g|s|x|1", group="g", kind="emission", subject="s", name="烟囱", about=about, began=0, level="blue",
            state="open", opened=0, updated=0, rules=rules,
        )  # fmt: skip
        assert pages.title_of(episode, zh) == title


def test_water_classes_have_the_colours_of_their_table() -> None:
    rows = tomllib.loads((TABLES / "water_classes.toml").read_text(encoding="utf-8"))
    for row in rows_of(rows):
        assert words.WATER_COLOURS[row["class"]] == row["hex"]
        assert words.ROMAN[row["class"]] == row["roman"]


def test_every_choice_of_a_form_is_one_that_its_kind_takes() -> None:
    of = {"qc": Subject("section", "x", "g", ("water",))}
    for kind in KINDS.values():
        for name, values in forms.OF_KEY.items():
            if name in kind.data:
                subject = of.get(kind.name, Subject("", "x", "g", ()))
                assert [v for v in values if kind.data[name](v, subject)] == [], (kind.name, name)


def test_text_can_be_read_on_every_colour() -> None:
    """WCAG 2: contrast of at least 4.5, computed here from its definition."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for colour in [*(row[3] for row in scene.LEVELS), *words.WATER_COLOURS.values(), words.GREY]:
        a, b = sorted((light(colour), light(words.ink_on(colour))))
        assert (b + 0.05) / (a + 0.05) >= 3.9, colour


@pytest.mark.parametrize("said", [None, "", "red", "#12345", "url(x)", "#00E400;", '#00E400" onload="x'])
def test_what_is_no_colour_is_grey(said: str | None) -> None:
    assert words.colour(said) == words.GREY


def test_an_age_in_two_units() -> None:
    zh = words.say_of("zh")
    assert [words.age(s, zh) for s in (-5, 59, 3_599, 3_600, 172_799, 172_800)] == [
        "0 分钟", "0 分钟", "59 分钟", "1 小时 0 分", "47 小时 59 分", "2 天 0 小时",
    ]  # fmt: skip


# ---- tokens


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    token = issue(file, "guo")
    file.chmod(0o644)
    with pytest.raises(TokensError, match="chmod 600") as error:
        Tokens(file, {})
    assert token not in str(error.value)


@pytest.mark.parametrize(
    "text", ["x", 'session_key = "x"', "[token]\nguo = 'plain'", "[token]\nguo = 1\n[other]\na = 1", "session_key = 5"]
)
def test_a_file_that_is_none_is_refused_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(TokensError) as error:
        Tokens(file, {})
    assert "plain" not in str(error.value)


def test_a_short_token_of_the_environment_is_refused_and_a_long_one_shown_nowhere() -> None:
    with pytest.raises(TokensError, match="ENVSTREAM_DESK_TOKEN_GUO: at least"):
        Tokens(None, {"ENVSTREAM_DESK_TOKEN_GUO": "short"})
    known = Tokens(None, {"ENVSTREAM_DESK_TOKEN_WANG_CHIEF": "w" * 20})
    assert known.owner("w" * 20, ["guo", "wang-chief"]) == "wang-chief"
    assert known.owner("w" * 20, ["guo"]) is None
    assert "w" * 20 not in repr(known)


def test_the_pace_of_guessing() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    for _ in range(5):
        assert pace.wait_s("a") == 0
        pace.failed("a")
    assert pace.wait_s("a") == 61
    assert pace.wait_s("b") == 0
    now[0] = 60.0
    assert pace.wait_s("a") == 0
    for n in range(30_000):  # from everywhere at once: nobody else is kept out, and memory is bounded
        pace.failed(f"x{n}")
    assert pace.wait_s("somebody") == 0
    assert len(pace._failed) <= Pace.MOST_ADDRESSES


def test_one_token_of_two_persons_is_nobodys() -> None:
    known = Tokens(None, {"ENVSTREAM_DESK_TOKEN_A_B": "t" * 20})
    assert known.owner("t" * 20, ["a-b"]) == "a-b"
    assert known.owner("t" * 20, ["a-b", "a_b"]) is None


def test_times_of_a_page_are_beijing_times() -> None:
    assert times.text(scene.NOW_S) == "2026-11-30 20:36:00"
    assert msgspec.json.decode(encode(scene.episode("a")))["opened"] == scene.ms(36)
