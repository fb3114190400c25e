"""The tables of alerts against emission.md §6."""

from __future__ import annotations

import datetime as dt

import pytest

from standards import alerting

DATE = dt.date(2026, 11, 1)
MINUTE = 60_000


@pytest.mark.parametrize(
    ("name", "first", "escalate", "minutes", "remind"),
    [
        ("blue", (), (), 0, 0),
        ("yellow", ("duty", "enterprise"), ("chief",), 30, 0),
        ("orange", ("duty", "enterprise", "chief"), ("director",), 15, 0),
        ("red", ("duty", "enterprise", "chief", "director"), (), 0, 10),
    ],
)
def test_levels(name: str, first: tuple[str, ...], escalate: tuple[str, ...], minutes: int, remind: int) -> None:
    level = alerting.level(name, DATE)
    assert (level.first, level.escalate) == (first, escalate)
    assert (level.escalate_ms, level.remind_ms) == (minutes * MINUTE, remind * MINUTE)
    assert level.repeat_ms == 30 * MINUTE


def test_what_begins_again_within_an_hour_is_the_same() -> None:
    assert alerting.span("reopen", DATE) == 60 * MINUTE


def test_silence_is_of_the_enterprise_and_what_is_unknown_speaks_for_itself() -> None:
    assert {(r.about, r.of) for r in (alerting.rule("offline", DATE), alerting.rule("hour-missing", DATE))} == {
        ("silence", "enterprise")
    }
    new = alerting.rule("something-new", DATE)
    assert (new.about, new.most, new.zh) == ("", "red", "something-new")


def test_data_quality_stays_on_the_screen_and_beside_the_alarms() -> None:
    """water.md §4.7: a separate stream, never mixed with alarms."""
    for name in ("negative", "unit-1000", "clock-off", "zs-differs"):
        assert (alerting.rule(name, DATE).about, alerting.rule(name, DATE).most) == ("quality", "blue")


def test_ranks_rise() -> None:
    assert [alerting.rank(name) for name in ("", "blue", "yellow", "orange", "red")] == [0, 0, 1, 2, 3]
