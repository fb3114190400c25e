"""Who has the duty at an instant: a year of the example district beside a roster painted by hand, minute by minute."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path

import pytest

from schemas import registry
from schemas.registry import Person, Quiet, Roster, Shift, reachable_at

D = dt.date
ROOT = Path(__file__).resolve().parents[2]
EPOCH = dt.datetime(2025, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=8)))

# The calendar of the State Council for 2025 and 2026, day by day.
OFF = """
2025: 01-01 01-28 01-29 01-30 01-31 02-01 02-02 02-03 02-04 04-04 04-05 04-06 05-01 05-02 05-03 05-04 05-05 05-31 06-01
06-02 10-01 10-02 10-03 10-04 10-05 10-06 10-07 10-08
2026: 01-01 01-02 01-03 02-15 02-16 02-17 02-18 02-19 02-20 02-21 02-22 02-23 04-04 04-05 04-06 05-01 05-02 05-03 05-04
05-05 06-19 06-20 06-21 09-25 09-26 09-27 10-01 10-02 10-03 10-04 10-05 10-06 10-07
"""
WORKED = "2025: 01-26 02-08 04-27 09-28 10-11 2026: 01-04 02-14 02-28 05-09 09-20 10-10"


def dates(text: str) -> set[str]:
    year, found = "", set()
    for word in text.split():
        if word.endswith(":"):
            year = word
        else:
            found.add(year.replace(":", "-") + word)
    return found


def at(text: str) -> int:
    """Epoch seconds of a Beijing time."""
    return int(dt.datetime.fromisoformat(text + "+08:00").timestamp())


def painted() -> tuple[list[str], list[str], list[str]]:
    """Officer, chief and director of every minute of 2025 and 2026.

    A clerk's way: a wall planner, each shift's names written down day by day in turn, then leave and swaps over it.
    """
    off, worked = dates(OFF), dates(WORKED)
    minutes = (365 + 365) * 1440
    officer, chief = [""] * minutes, [""] * minutes
    day_names = cycle(["guo", "shen", "niu", "chang", "lu", "song"])
    rest_names = cycle(["song", "lu", "chang", "niu", "shen", "guo"])
    night_names = cycle(["niu", "chang", "lu", "song", "guo", "shen"])
    chiefs = cycle(["wang-chief", "li-chief"])
    this_week = next(chiefs)
    for n in range(730):
        date = D(2025, 1, 1) + dt.timedelta(n)
        on_day, on_rest, on_night = next(day_names), next(rest_names), next(night_names)
        if date.isoweekday() == 1:
            this_week = next(chiefs)
        free = (date.isoweekday() > 5 or date.isoformat() in off) and date.isoformat() not in worked
        by_day = on_rest if free else on_day
        if not free and D(2026, 7, 6) <= date <= D(2026, 7, 17) and by_day == "chang":
            by_day = "guo"
        if date == D(2026, 2, 16) and on_night == "song":
            on_night = "niu"
        begin = n * 1440
        for minute in range(begin + 8 * 60 + 30, begin + 17 * 60 + 30):
            officer[minute] = by_day
        for minute in range(begin + 17 * 60 + 30, min(begin + 1440 + 8 * 60 + 30, minutes)):
            officer[minute] = on_night
        for minute in range(begin + 8 * 60 + 30, min(begin + 1440 + 8 * 60 + 30, minutes)):
            chief[minute] = this_week
    return officer, chief, [""] * 510 + ["zhao-director"] * (minutes - 510)


@pytest.fixture(scope="module")
def example() -> Roster:
    return registry.load(ROOT / "districts" / "example").roster


def test_every_boundary_of_two_years_has_who_the_wall_planner_says(example: Roster) -> None:
    officer, chief, director = painted()
    assert officer[(D(2026, 2, 16) - D(2025, 1, 1)).days * 1440 + 18 * 60] == "niu"  # the planner's own swap is there
    epoch = int(EPOCH.timestamp())
    looked = 0
    for role, planner in (("officer", officer), ("chief", chief), ("director", director)):
        for day in range(730):
            for minute in (0, 510, 720, 1050, 1439):  # midnight, 08:30, noon, 17:30, the last minute
                for second in (-1, 0, 1, 59):
                    instant = epoch + day * 86_400 + minute * 60 + second
                    place = (instant - epoch) // 60
                    expected = planner[place] if place >= 0 else ""
                    duty = example.duty_at(role, instant)
                    assert (duty.person if duty else "") == expected, (role, day, minute, second)
                    looked += 1
    assert looked == 3 * 730 * 5 * 4


def test_every_seventh_minute_of_a_year(example: Roster) -> None:
    officer, _, _ = painted()
    epoch = int(EPOCH.timestamp())
    for minute in range(365 * 1440, 730 * 1440, 7):
        assert example.on_duty("officer", epoch + minute * 60 + 30) == registry.OnDuty((officer[minute],)), minute


def test_the_next_change_is_where_the_planner_changes_hands(example: Roster) -> None:
    officer, chief, _ = painted()
    epoch = int(EPOCH.timestamp())
    for role, planner in (("officer", officer), ("chief", chief)):
        changes = [m for m in range(1, len(planner)) if planner[m] != planner[m - 1]]
        for before, after in pairwise(changes):
            for second in (0, 61):
                assert example.next_change(role, epoch + before * 60 + second) == epoch + after * 60, (role, before)
    assert example.next_change("director", at("2026-03-01T12:00")) is None  # there is one


def test_an_officer_who_follows_himself_is_no_change() -> None:
    roster = Roster([shift("day", 510, 1050, ["guo"]), shift("night", 1050, 510, ["guo", "shen"])], [], [])
    assert roster.next_change("officer", at("2026-01-01T09:00")) == at("2026-01-02T17:30")


def shift(name: str, start: int, end: int, persons: list[str], role: str = "officer") -> Shift:
    return Shift(name, name, role, "all", start, end, tuple(persons), "day", D(2026, 1, 1))


def person(name: str, role: str, *quiet: Quiet) -> Person:
    return Person(name, name, role, (), quiet)


PEOPLE = [person("guo", "officer"), person("shen", "officer"), person("wang", "chief"), person("li", "chief"),
          person("zhao", "director"), person("han", "enterprise")]  # fmt: skip


def test_a_hole_falls_to_the_chief_and_says_so() -> None:
    shifts = [shift("day", 510, 1050, ["guo"]), shift("lead", 510, 510, ["wang", "li"], "chief")]
    roster = Roster(shifts, [], [], PEOPLE)
    assert roster.on_duty("officer", at("2026-01-05T17:29:59")) == registry.OnDuty(("guo",))
    assert roster.duty_at("officer", at("2026-01-05T17:30")) is None
    assert roster.on_duty("officer", at("2026-01-05T17:30")) == registry.OnDuty(("wang",), hole=True)
    assert roster.on_duty("officer", at("2026-01-06T08:29:59")) == registry.OnDuty(("wang",), hole=True)
    assert roster.on_duty("officer", at("2026-01-06T08:30")) == registry.OnDuty(("guo",))
    assert roster.holes("officer", D(2026, 1, 5), D(2026, 1, 5)) == [(at("2026-01-05T17:30"), at("2026-01-06T00:00"))]


def test_a_role_without_shifts_is_everybody_of_that_role() -> None:
    roster = Roster([shift("day", 510, 1050, ["guo"])], [], [], PEOPLE)
    assert roster.on_duty("chief", at("2026-01-05T03:00")) == registry.OnDuty(("wang", "li"))
    assert roster.on_duty("director", at("2026-01-05T03:00")) == registry.OnDuty(("zhao",))
    assert roster.on_duty("officer", at("2026-01-05T03:00")) == registry.OnDuty(("wang", "li"), hole=True)
    assert Roster([], [], [], PEOPLE).on_duty("officer", 0) == registry.OnDuty(("guo", "shen"))


def test_somebody_is_told_as_long_as_the_registry_has_anybody() -> None:
    day = [shift("day", 510, 1050, ["guo"])]
    night = at("2026-01-05T23:00")
    assert Roster(day, [], [], PEOPLE[:2] + PEOPLE[4:]).on_duty("officer", night).persons == ("zhao",)
    assert Roster(day, [], [], PEOPLE[:2]).on_duty("officer", night) == registry.OnDuty(("guo", "shen"), hole=True)
    assert Roster(day, [], []).on_duty("officer", night) == registry.OnDuty((), hole=True)
    half = [shift("lead", 510, 1050, ["wang"], "chief")]
    assert Roster(half, [], [], PEOPLE).on_duty("chief", night) == registry.OnDuty(("wang", "li"), hole=True)


def test_two_shifts_at_once_are_both_the_first_of_the_file_first() -> None:
    shifts = [shift("late", 1020, 60, ["shen"]), shift("early", 480, 1080, ["guo"])]
    roster = Roster(shifts, [], [])
    both = at("2026-01-05T17:30")
    assert [d.person for d in roster.duties_at("officer", both)] == ["shen", "guo"]
    assert roster.on_duty("officer", both) == registry.OnDuty(("shen", "guo"))
    assert [d.person for d in roster.duties_at("officer", at("2026-01-06T00:59:59"))] == ["shen"]
    assert roster.next_change("officer", both) == at("2026-01-05T18:00")


NIGHT = Quiet(22 * 60, 7 * 60, "yellow")


@pytest.mark.parametrize(
    ("level", "asked", "told"),
    [
        ("yellow", "2026-01-05T21:59:59", "2026-01-05T21:59:59"),
        ("yellow", "2026-01-05T22:00:00", "2026-01-06T07:00:00"),
        ("yellow", "2026-01-06T00:00:00", "2026-01-06T07:00:00"),
        ("yellow", "2026-01-06T06:59:59", "2026-01-06T07:00:00"),
        ("yellow", "2026-01-06T07:00:00", "2026-01-06T07:00:00"),
        ("blue", "2026-01-05T23:00:00", "2026-01-06T07:00:00"),
        ("orange", "2026-01-05T23:00:00", "2026-01-05T23:00:00"),
        ("red", "2026-01-05T23:00:00", "2026-01-05T23:00:00"),
    ],
)
def test_quiet_time(level: str, asked: str, told: str) -> None:
    assert reachable_at(person("wang", "chief", NIGHT), level, at(asked)) == at(told)


def test_quiet_times_that_touch_and_one_that_is_the_whole_day() -> None:
    noon = Quiet(7 * 60, 12 * 60, "orange")
    wang = person("wang", "chief", noon, NIGHT)
    assert reachable_at(wang, "yellow", at("2026-01-05T23:30")) == at("2026-01-06T12:00")
    assert reachable_at(wang, "orange", at("2026-01-05T23:30")) == at("2026-01-05T23:30")
    assert reachable_at(wang, "orange", at("2026-01-06T08:30")) == at("2026-01-06T12:00")
    always = replace(wang, quiet=(Quiet(0, 0, "orange"),))
    assert reachable_at(always, "orange", at("2026-01-05T23:30")) is None
    assert reachable_at(always, "red", at("2026-01-05T23:30")) == at("2026-01-05T23:30")
