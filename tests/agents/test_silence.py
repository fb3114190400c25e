"""Silence: off-line at exact instants, hours owed, told by the log's time alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.air import AirJudge
from schemas import blocks, times, topics
from schemas.messages import HOUR_MISSING, OFFLINE
from schemas.registry import AIR_FACTORS, parse

TEXT = """
format = 1
[receive]
expects = "realtime"
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
valid_from = 2025-01-01
"""
TWO = (
    TEXT
    + """
[[station]]
id = "two"
name = "二"
area = "town"
mn = "A2"
valid_from = 2025-01-01
"""
)
START = times.parse_stamp("20260406000000")
HOUR = times.HOUR_S
LEVELS = [
    ("began", "blue", 600),
    ("continues", "yellow", 1801),
    ("continues", "orange", 7201),
    ("continues", "red", 21601),
]
"""realtime: three intervals of a minute are less than ten; a level is exceeded, not reached (emission.md §4.4, §6)."""


class Log:
    """A log that a judge takes as it is written; answers are the conditions of a rule."""

    def __init__(self, text: str = TEXT, start_s: int = START + 60) -> None:
        self.judge = AirJudge(0)
        self.offset = 0
        self.registry(text, start_s)

    def put(self, message: blocks.Reading) -> list[dict[str, Any]]:
        outputs = self.judge.take(blocks.encode(message), f"readings-air/0/{self.offset}")
        self.offset += 1
        return [json.loads(output.value) for output in outputs if output.topic == topics.CONDITIONS]

    def registry(self, text: str, at_s: int) -> list[dict[str, Any]]:
        return self.put(blocks.RegistryVersion("gw", parse(text, "town").digest, text, at_s * 1000))

    def tick(self, now_s: int) -> list[dict[str, Any]]:
        return self.put(blocks.Tick("gw", now_s * 1000))

    def hour(self, end: int, received_s: int, station: str = "one") -> list[dict[str, Any]]:
        return self.put(
            blocks.Block(
                "gw", self.offset, [station], list(AIR_FACTORS), [0], [end], "h", [received_s * 1000],
                [f"{times.stamp(received_s)}000"], [6], list(range(6)), [20] * 6, "0" * 6, "N" * 6,
            )
        )  # fmt: skip

    def instant(self, at_s: int, station: str = "one") -> list[dict[str, Any]]:
        """A realtime packet: nothing that is judged, but a word."""
        return self.put(
            blocks.Block(
                "gw", self.offset, [station], ["SO2"], [0], [at_s], "r", [at_s * 1000], [f"{times.stamp(at_s)}000"],
                [1], [0], [20], "0", "N",
            )
        )  # fmt: skip


def of(rule: str, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in said if one["rule"] == rule]


# ---- off-line


@pytest.mark.parametrize("every_s", [1, 60, 1000, 30_000])
def test_levels_begin_at_exact_instants_however_far_apart_ticks_are(every_s: int) -> None:
    log = Log()
    last = START + 120
    log.instant(last)
    end = last + 22_000
    steps = [*range(last + every_s, end, every_s), end] if every_s > 1 else _around(last, end)
    said = of(OFFLINE, [one for now in steps for one in log.tick(now)])
    assert [(one["state"], one["level"], one["now"] // 1000 - last) for one in said] == LEVELS
    assert {one["id"] for one in said} == {f"g|one|offline||{last}"}
    assert all(one["since"] == last and one["until"] == one["now"] // 1000 for one in said)
    assert all(one["subject"] == "one" and one["detail"]["mn"] == "A1" for one in said)


def _around(last: int, end: int) -> list[int]:
    """Ticks a second before, at and after each level."""
    return [*(last + after + off for _, _, after in LEVELS for off in (-1, 0, 1)), end]


@pytest.mark.parametrize(
    ("expects", "levels"),
    [
        ("minute", [("blue", 600), ("yellow", 1801), ("orange", 7201), ("red", 21601)]),  # every minute at a station
        ("hour", [("orange", 10800), ("red", 21601)]),  # off-line after 3 h, and that is over 2 h
    ],
)
def test_what_a_logger_must_say_decides_when_it_is_off_line(expects: str, levels: list[tuple[str, int]]) -> None:
    log = Log(TEXT.replace("realtime", expects))
    log.instant(START + 120)
    said = of(OFFLINE, log.tick(START + 120 + 22_000))
    assert [(one["level"], one["now"] // 1000 - START - 120) for one in said] == levels


def test_any_word_ends_it_at_the_instant_it_was_received() -> None:
    log = Log()
    log.instant(START + 120)
    (began,) = of(OFFLINE, log.tick(START + 120 + 700))
    (ended,) = of(OFFLINE, log.instant(START + 900))
    assert (ended["id"], ended["state"], ended["now"]) == (began["id"], "ended", (START + 900) * 1000)
    assert not of(OFFLINE, log.instant(START + 960))
    assert not of(OFFLINE, log.tick(START + 960 + 599))
    (again,) = of(OFFLINE, log.tick(START + 960 + 600))
    assert again["state"] == "began" and again["id"] != began["id"]


def test_a_word_just_before_the_instant_is_no_silence() -> None:
    log = Log()
    log.instant(START + 120)
    assert not of(OFFLINE, log.instant(START + 120 + 599))
    assert not of(OFFLINE, log.tick(START + 120 + 599 + 599))


def test_who_never_spoke_is_off_line_by_ticks_alone() -> None:
    log = Log()
    said = of(OFFLINE, log.tick(START + 60 + 22_000))
    assert [(one["state"], one["level"], one["now"] // 1000 - START - 60) for one in said] == LEVELS


# ---- hours owed


def test_an_hour_is_owed_half_an_hour_after_its_end_and_not_a_second_before() -> None:
    log = Log()
    first, second, third = (START + h * HOUR for h in (1, 2, 3))
    assert not of(HOUR_MISSING, log.tick(first + 1799))
    (began,) = of(HOUR_MISSING, log.tick(first + 1800))
    assert (began["id"], began["state"], began["now"]) == (
        f"g|one|hour-missing||{first}", "began", (first + 1800) * 1000,
    )  # fmt: skip
    assert (began["since"], began["until"], began["level"], began["detail"]["hours"]) == (first, first, "yellow", "1")
    two, three = of(HOUR_MISSING, log.tick(third + 1800))
    assert [(one["state"], one["since"], one["until"], one["detail"]["hours"]) for one in (two, three)] == [
        ("continues", first, second, "2"), ("continues", first, third, "3"),
    ]  # fmt: skip
    assert {one["id"] for one in (began, two, three)} == {began["id"]}


def test_it_ends_when_the_last_owed_hour_came_in_any_order() -> None:
    log = Log()
    first, second, third = (START + h * HOUR for h in (1, 2, 3))
    said = of(HOUR_MISSING, log.tick(third + 1800))
    now = third + 2000
    assert not of(HOUR_MISSING, log.hour(third, now))
    assert not of(HOUR_MISSING, log.hour(first, now + 1))
    (ended,) = of(HOUR_MISSING, log.hour(second, now + 2))
    assert (ended["id"], ended["state"], ended["now"]) == (said[0]["id"], "ended", (now + 2) * 1000)
    fourth = START + 4 * HOUR
    (again,) = of(HOUR_MISSING, log.tick(fourth + 1800))
    assert again["id"] == f"g|one|hour-missing||{fourth}" and again["state"] == "began"


def test_an_hour_that_came_in_time_is_never_owed() -> None:
    log = Log()
    for h in range(1, 6):
        end = START + h * HOUR
        assert not of(HOUR_MISSING, log.hour(end, end + 1799))
    assert not of(HOUR_MISSING, log.tick(START + 6 * HOUR + 1799))


def test_of_hours_with_a_hole_only_the_part_that_grew_is_named() -> None:
    log = Log()
    ends = [START + h * HOUR for h in (1, 2, 3, 4)]
    log.tick(ends[0] + 1800)
    log.hour(ends[1], ends[1] + 60)
    (grew,) = of(HOUR_MISSING, log.tick(ends[2] + 1800))
    assert (grew["state"], grew["since"], grew["until"], grew["detail"]["hours"]) == (
        "continues",
        ends[2],
        ends[2],
        "2",
    )


@pytest.mark.parametrize("begun_s", [START + 10 * HOUR, START + 10 * HOUR + 60, START + 10 * HOUR + 1799])
def test_an_hour_that_was_over_before_the_log_began_is_not_owed(begun_s: int) -> None:
    log = Log(start_s=begun_s)
    assert not of(HOUR_MISSING, log.tick(START + 10 * HOUR + 1801))
    (began,) = of(HOUR_MISSING, log.tick(START + 11 * HOUR + 1800))
    assert began["since"] == began["until"] == START + 11 * HOUR


def test_an_hour_too_old_to_be_judged_is_no_longer_owed() -> None:
    log = Log()
    first = START + HOUR
    log.tick(first + 1800)
    said = []
    for h in range(2, 24 * 60 + 4):
        said += of(HOUR_MISSING, log.hour(START + h * HOUR, START + h * HOUR + 60))
    ended = [one for one in said if one["state"] == "ended"]
    assert [(one["id"], one["since"], one["until"]) for one in ended] == [
        (f"g|one|hour-missing||{first}", first, first)
    ]


# ---- the registry


def test_who_leaves_the_registry_owes_nothing_any_more() -> None:
    log = Log(TWO)
    now = START + 2 * HOUR + 1800
    log.tick(now)
    said = log.registry(TEXT, now + 10)
    assert {(one["subject"], one["rule"], one["state"]) for one in said} == {
        ("two", OFFLINE, "ended"), ("two", HOUR_MISSING, "ended"),
    }  # fmt: skip
    assert {one["now"] for one in said} == {(now + 10) * 1000}
    later = log.tick(now + 12 * HOUR)
    assert {one["subject"] for one in later if one["rule"] in (OFFLINE, HOUR_MISSING)} == {"one"}


def test_who_comes_into_the_registry_is_expected_from_then_on() -> None:
    log = Log()
    now = START + 5 * HOUR + 600
    log.tick(now)
    assert not [one for one in log.registry(TWO, now) if one["subject"] == "two"]
    said = [one for one in log.tick(now + 2 * HOUR) if one["subject"] == "two"]
    assert [(one["rule"], one["now"] // 1000) for one in said][:1] == [(OFFLINE, now + 600)]
    owed = of(HOUR_MISSING, said)
    assert owed[0]["until"] == START + 6 * HOUR, "not the hour that was over when it came"


def test_another_registry_with_the_same_source_says_nothing() -> None:
    log = Log()
    log.tick(START + 2 * HOUR + 1800)
    changed = TEXT.replace('name = "一"', 'name = "壹"')
    assert not log.registry(changed, START + 2 * HOUR + 1800)
