"""Alerts, deliveries, readings, dead letters, health and limits as lines: against points written by hand."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import alerts, blocks, messages, topics
from schemas import measurements as m
from schemas.health import Sample
from standards.emission import limits
from streams.line_protocol import LineError, lines
from tests.services import samples_emission, samples_told
from tests.streams.test_line_protocol import check_declared

AT = 1_448_930_000  # a second
AT_MS = AT * 1000 + 123
NS = 1_000_000

Point = tuple[str, dict[str, str], dict[str, Any], int]


def points(topic: str, message: Any) -> list[Point]:
    return check_declared(lines(messages.encode(message), topic))


def one(topic: str, message: Any) -> Point:
    (point,) = points(topic, message)
    return point


def test_an_open_alert() -> None:
    name, tags, fields, time = one(topics.EPISODES, samples_told.episode(AT_MS))
    assert (name, tags) == (
        "alert",
        {"about": "NOx", "group": "lanfeng-steel", "kind": "emission", "subject": "lanfeng-sinter-head"},
    )
    assert time // NS == AT_MS
    assert fields == {
        "id": "e0001", "name": "一号烧结机头", "level": "orange", "state": "open", "rules": "over-limit,R9",
        "active": 1, "unacknowledged": 1, "loud": 1, "told": 1, "members": 1, "holder": "", "cause": "", "muted": "",
        "parent": "", "began": (AT - 300) * 1000, "updated": AT_MS, "to_acknowledge": -1.0,
        "to_acknowledge_valid": False, "to_resolve": -1.0, "to_resolve_valid": False, "valid": True,
    }  # fmt: skip


def test_the_end_of_an_alert_overwrites_its_beginning() -> None:
    story = [
        samples_told.episode(AT_MS),
        samples_told.episode(AT_MS, state=alerts.HANDLING, acknowledged=AT_MS + 90_000, holder="li-duty"),
        samples_told.episode(
            AT_MS, state=alerts.RESOLVED, acknowledged=AT_MS + 90_000, resolved=AT_MS + 3_600_000, updated=AT_MS + 1
        ),
        samples_told.episode(
            AT_MS, state=alerts.CLOSED, acknowledged=AT_MS + 90_000, resolved=AT_MS + 3_600_000,
            closed=AT_MS + 7_200_000, cause="treatment",
        ),
    ]  # fmt: skip
    made = [one(topics.EPISODES, said) for said in story]
    assert len({(p[0], *p[1].values(), p[3]) for p in made}) == 1
    assert [(p[2]["active"], p[2]["unacknowledged"]) for p in made] == [(1, 1), (1, 0), (0, 0), (0, 0)]
    assert [(p[2]["to_acknowledge"], p[2]["to_resolve"]) for p in made] == [(-1, -1), (1.5, -1), (1.5, 60), (1.5, 60)]
    closed = one(topics.EPISODES, samples_told.episode(AT_MS, state=alerts.FALSE_ALARM, closed=AT_MS + 60_001))
    assert (closed[2]["to_resolve"], closed[2]["to_resolve_valid"]) == (1.0, True), "nobody saw it recover"


@pytest.mark.parametrize(("change", "loud"), [({"parent": "e0"}, 0), ({"muted": "maintenance"}, 0), ({}, 1)])
def test_what_is_part_of_another_or_muted_is_not_loud(change: dict[str, str], loud: int) -> None:
    assert one(topics.EPISODES, samples_told.episode(AT_MS, **change))[2]["loud"] == loud


def test_two_alerts_of_one_subject_in_one_millisecond_are_two_points() -> None:
    made = {one(topics.EPISODES, samples_told.episode(AT_MS, n))[3] for n in range(100)}
    assert len(made) == 100 and {time // NS for time in made} == {AT_MS}


def test_what_an_alert_does_not_have_is_a_dash() -> None:
    assert one(topics.EPISODES, samples_told.episode(AT_MS, about="", subject=""))[1] == {
        "about": "-", "group": "lanfeng-steel", "kind": "emission", "subject": "-",
    }  # fmt: skip


def test_a_delivery_and_what_became_of_it() -> None:
    name, tags, fields, time = one(topics.DELIVERIES, samples_told.delivery(AT_MS))
    assert (name, tags, time // NS) == (
        "delivery", {"channel": "dingtalk", "group": "lanfeng-steel", "person": "li-duty"}, AT_MS
    )  # fmt: skip
    assert fields == {
        "state": "sent", "sent": 1, "failed": 0, "gave_up": 0, "attempt": 1, "status": 200, "code": "0",
        "words": 'ok "sent"', "notice": "n1", "episode": "e0001", "final": True, "valid": True,
    }  # fmt: skip
    counts = ("sent", "failed", "gave_up")
    sums = {
        state: tuple(one(topics.DELIVERIES, samples_told.delivery(AT_MS, state))[2][count] for count in counts)
        for state in alerts.DELIVERY_ZH
    }
    assert sums == {
        "sending": (0, 0, 0), "sent": (1, 0, 0), "failed": (0, 1, 0), "digested": (0, 0, 0), "gave-up": (0, 0, 1),
        "kept": (0, 0, 0),
    }  # fmt: skip
    nobody = one(topics.DELIVERIES, samples_told.delivery(AT_MS, person="", channel=""))
    assert (nobody[1]["person"], nobody[1]["channel"]) == ("-", "-")


@pytest.mark.parametrize(
    ("place", "topic"),
    [
        ("cells/2/1", "cells"),
        ("readings-air/0/7", "readings-air"),
        ("gateway 10.0.0.1:4000", "-"),
        ("ingest file/x", "-"),
        ("nonsense/1/2", "-"),
        ("", "-"),
    ],
)
def test_a_dead_letter_says_where_it_came_from(place: str, topic: str) -> None:
    name, tags, fields, time = one(topics.DEAD, samples_told.letter(AT_MS, place=place))
    assert (name, tags, time // NS) == ("dead_letter", {"topic": topic}, AT_MS)
    assert fields == {"id": "cells/2/1", "reason": "not a message of format 1", "letters": 1, "valid": True}


def test_a_letter_that_was_retried_is_none_any_more() -> None:
    before = one(topics.DEAD, samples_told.letter(AT_MS))
    after = one(topics.DEAD, samples_told.letter(AT_MS, retried=AT_MS + 9))
    assert (before[0], before[1], before[3]) == (after[0], after[1], after[3])
    assert (after[2]["letters"], after[2]["valid"]) == (0, False)


def test_health_is_a_point_for_each_number() -> None:
    numbers = [*samples_told.health(0).samples, Sample("tick_age", "", 0.25)]
    made = points(topics.HEALTH, samples_told.health(AT_MS, samples=numbers))
    assert {p[3] for p in made} == {AT_MS * NS} and {p[0] for p in made} == {"pipeline"}
    assert [(p[1]["name"], p[1]["about"], p[2]["value"], p[2]["valid"]) for p in made] == [
        ("lag", "readings-air", 17.0, True),
        ("memory", "-", 123456789.0, True),
        ("tick_age", "-", 0.25, True),
    ]
    assert all((p[1]["part"], p[1]["instance"]) == ("worker", "w1") for p in made)


def test_a_block_is_a_point_for_each_reading() -> None:
    made = points(topics.READINGS_EMISSION, samples_told.block(AT))
    assert {p[0] for p in made} == {"reading"} and {p[1]["kind"] for p in made} == {"emission"}
    assert [(p[1]["source"], p[1]["period"], p[1]["factor"], p[3]) for p in made] == [
        ("lanfeng-sinter-head", "m", "NOx", AT * 10**9),
        ("lanfeng-sinter-head", "m", "flow", AT * 10**9),
        ("lanfeng-sinter-head", "m", "O2", AT * 10**9),
        ("lanfeng-power", "r", "NOx", (AT - 60) * 10**9),
    ]
    assert [tuple(p[2].values()) for p in made] == [  # value, unit, flag, backfilled, valid
        (-12.5, "", "", False, True),
        (316800.0, "m3/h", "N", False, True),
        (-1.0, "", "", False, False),
        (7.0, "", "D", True, False),
    ]


def test_a_block_of_a_writer_before_units_and_marks() -> None:
    made = points(topics.READINGS_AIR, samples_told.block(AT, codes=[], units=[], marks=""))
    assert {p[2]["unit"] for p in made} == {""} and not any(p[2]["backfilled"] for p in made)
    assert {p[1]["kind"] for p in made} == {"air"}


def test_a_factor_no_line_can_carry_is_left_out_and_the_others_stay() -> None:
    made = points(topics.READINGS_WATER, samples_told.block(AT, factors=["NOx", "a\nb", "c\\"]))
    assert [p[1]["factor"] for p in made] == ["NOx", "NOx"]


def test_states_of_devices_are_no_readings() -> None:
    made = points(topics.READINGS_EMISSION, samples_told.block(AT, periods="ms"))
    assert {p[1]["period"] for p in made} == {"m"}


@pytest.mark.parametrize(
    "message",
    [
        blocks.Tick("gw", AT_MS),
        blocks.RegistryVersion("gw", "d", "", AT_MS),
        blocks.Action("gw", "i", "note", "g", "s", 0, 0, "li", "", {}, AT_MS),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_no_block_makes_no_line(message: blocks.Reading) -> None:
    assert lines(blocks.encode(message), topics.READINGS_AIR) == []


@pytest.mark.parametrize(
    ("topic", "data", "why"),
    [
        (topics.READINGS_AIR, b"{}", "not a message of format 1"),
        (topics.READINGS_AIR, messages.encode(samples_told.block(AT, marks="_")), "marks do not stand beside"),
        (topics.READINGS_AIR, messages.encode(samples_told.block(AT, places="2?-0")), "no count of decimals"),
        (topics.EPISODES, b"{}", "not a message of format 1"),
        (topics.EPISODES, messages.encode(samples_told.episode(AT_MS, v=2)), "format 2, this program reads 1"),
        (topics.EPISODES, messages.encode(samples_told.episode(10**13)), "outside what InfluxDB can hold"),
        (topics.EPISODES, messages.encode(samples_told.episode(AT_MS, subject="a\n")), "control character"),
        (topics.DELIVERIES, messages.encode(samples_told.delivery(-(10**13))), "outside what InfluxDB can hold"),
        (topics.DEAD, b"\xff", "not a message of format 1"),
        (topics.HEALTH, messages.encode(samples_told.health(10**13)), "outside what InfluxDB can hold"),
        (topics.HEALTH, messages.encode(samples_told.letter(AT_MS)), "not a message of format 1"),
    ],
)
def test_what_cannot_become_lines_says_why(topic: str, data: bytes, why: str) -> None:
    with pytest.raises(LineError, match=re.escape(why)):
        lines(data, topic)


_digits = st.integers(-(10**15), 10**15)
_names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12).filter(
    lambda s: s[-1] != "\\"
)


@given(
    value=_digits,
    places=st.integers(0, 35),
    source=_names,
    factor=_names,
    unit=st.text(st.characters(blacklist_categories=("Cs",)), max_size=8),
    flag=st.characters(blacklist_categories=("Cs",)),
    mark=st.sampled_from("_R"),
    period=st.sampled_from("rmhd"),
    time=st.integers(-(10**9), 10**10 - 10**9),
)
def test_any_reading_survives(
    value: int, places: int, source: str, factor: str, unit: str, flag: str, mark: str, period: str, time: int
) -> None:
    block = blocks.Block(
        "w", 0, [source], [factor], [0], [time], period, [0], [""], [1], [0], [value], blocks.PLACES[places], flag,
        [factor], [unit], mark,
    )  # fmt: skip
    (made,) = lines(blocks.encode(block), topics.READINGS_WATER)
    assert "\n" not in made and not made.startswith("#")
    ((name, tags, fields, stamp),) = check_declared([made])
    assert (name, stamp) == ("reading", time * 10**9)
    assert tags == {"factor": factor, "kind": "water", "period": period, "source": source}
    blank = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
    assert fields == {
        "value": float(Fraction(value, 10**places)),
        "unit": blank.sub(" ", unit),
        "flag": "" if flag == "_" else blank.sub(" ", flag),
        "backfilled": mark == "R",
        "valid": flag in "_N",
    }


def test_each_kind_of_limit_is_written_so_that_one_that_is_gone_is_withdrawn() -> None:
    assert set(m.LIMIT_KINDS) == set(limits.KINDS)
    hour = [p for p in points(topics.VERDICTS, samples_emission.hour(AT)) if p[0] == "outlet_limit"]
    assert {(p[1]["factor"], p[1]["limit"]) for p in hour} == {
        (f, k) for f in ("NOx", "SO2") for k in ("legal", "permit", "ultra_low", "temporary")
    }
    said = {(p[1]["factor"], p[1]["limit"]): p[2] for p in hour}
    assert said.pop(("NOx", "permit")) == {"value": 50.0, "verdict": "EXCEED", "valid": True}
    assert all(fields == {"value": -1.0, "verdict": "", "valid": False} for fields in said.values())
    assert {(p[1]["span"], p[1]["outlet"], p[3]) for p in hour} == {("hour", samples_emission.OUTLET, AT * 10**9)}
    day = [p for p in points(topics.VERDICTS, samples_emission.day(AT)) if p[0] == "outlet_limit"]
    assert {p[1]["span"] for p in day} == {"day"} and sum(p[2]["valid"] for p in day) == 1


def test_a_limit_that_is_a_range_is_no_number() -> None:
    day = samples_emission.day(AT)
    day.items = {"pH": judged("6-9")}
    (legal,) = [p for p in points(topics.VERDICTS, day) if p[1].get("limit") == "legal"]
    assert legal[2] == {"value": -1.0, "verdict": "OK", "valid": False}


def judged(number: str) -> Any:
    return samples_emission.Judged("OK", "7.1", number, None, limits={"legal": "OK"}, numbers={"legal": number})
