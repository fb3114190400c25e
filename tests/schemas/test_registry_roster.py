"""Whose turn it is, and a roster with a hole."""

from __future__ import annotations

import datetime as dt

from schemas import registry, times
from tests.schemas.registries import FULL, changed, errors_of, full, line_of

D = dt.date


def turns(date: dt.date, role: str = "officer") -> list[tuple[str, str, str, str]]:
    return [
        (d.shift, d.person, times.text(d.start)[5:16], times.text(d.end)[5:16])
        for d in full().roster.turns_of(date)
        if d.role == role
    ]


def test_turns_of_a_holiday_a_worked_sunday_and_a_workday() -> None:
    # the day shift alternates guo, shen from 1 January, by calendar days; the night shift shen, guo
    assert turns(D(2026, 1, 1)) == [
        ("rest", "shen", "01-01 08:30", "01-01 17:30"),
        ("night", "shen", "01-01 17:30", "01-02 08:30"),
    ]
    assert D(2026, 1, 4).weekday() == 6
    assert turns(D(2026, 1, 4)) == [
        ("day", "shen", "01-04 08:30", "01-04 17:30"),
        ("night", "guo", "01-04 17:30", "01-05 08:30"),
    ]
    assert [t[:2] for t in turns(D(2026, 1, 10))] == [("rest", "shen"), ("night", "guo")]  # a Saturday
    assert turns(D(2025, 12, 31)) == []


def test_a_substitute_takes_the_turns_of_one_person_only() -> None:
    def day(date: dt.date) -> tuple[str, str]:
        (found,) = (d for d in full().roster.turns_of(date) if d.shift == "day")
        return found.person, found.instead_of

    assert [day(D(2026, 1, n)) for n in (5, 6, 7, 8, 9)] == [
        ("wang", "guo"),
        ("shen", ""),
        ("wang", "guo"),
        ("shen", ""),
        ("wang", "guo"),
    ]
    assert day(D(2026, 1, 13)) == ("guo", "")


def test_weeks_turn_on_monday() -> None:
    text = changed('persons = ["wang"]', 'persons = ["wang", "guo"]')
    roster = registry.parse(text, "x.toml").roster
    chiefs = [next(d.person for d in roster.turns_of(D(2026, 1, n)) if d.role == "chief") for n in (1, 4, 5, 11, 12)]
    assert chiefs == ["wang", "wang", "guo", "guo", "wang"]  # 1 January 2026 is a Thursday


def test_a_roster_without_holes_is_good_to_the_end_of_its_last_year() -> None:
    assert full().roster.holes("officer", D(2026, 1, 1), D(2026, 12, 31)) == []


def test_a_hole_every_night() -> None:
    text = changed('from = "17:30"\nto = "08:30"', 'from = "18:00"\nto = "08:30"')
    (error,) = errors_of(text)
    line = line_of(text, 'id = "day"')
    assert error == (
        f"x.toml: line {line}: [[shift]] day: the roster has 365 holes up to 2026-12-31, the first from "
        "2026-01-01 17:30 to 2026-01-01 18:00: nobody of the role officer has the duty: add or widen a [[shift]]"
    )


def test_the_holes_of_holidays() -> None:
    # without a shift on days off: 52 Sundays less one worked, 52 Saturdays, 1 and 2 January (the 3rd is a Saturday)
    start, end = FULL.index('[[shift]]\nid = "rest"'), FULL.index('[[shift]]\nid = "night"')
    (error,) = errors_of(FULL[:start] + FULL[end:])
    saturdays = sum((D(2026, 1, 1) + dt.timedelta(n)).weekday() == 5 for n in range(365))
    sundays = sum((D(2026, 1, 1) + dt.timedelta(n)).weekday() == 6 for n in range(365))
    # the roster begins with its first turn, the night of 1 January: that morning is before it
    assert f"has {saturdays + sundays - 1 + 2 - 1} holes up to 2026-12-31" in error
    assert "the first from 2026-01-02 08:30 to 2026-01-02 17:30" in error


def test_a_roster_that_ends_within_the_year_has_a_hole() -> None:
    text = changed(
        'to = "08:30"\npersons = ["shen", "guo"]\n', 'to = "08:30"\npersons = ["shen", "guo"]\nvalid_to = 2026-12-30\n'
    )
    (error,) = errors_of(text)
    assert "has 1 hole up to 2026-12-31, the first from 2026-12-31 17:30 to 2027-01-01 00:00" in error


def test_only_officers_fill_holes() -> None:
    text = FULL.replace('id = "night"\nname = "夜班"\n', 'id = "night"\nname = "夜班"\nrole = "chief"\n')
    assert any("365 holes" in line for line in errors_of(text))


def test_without_shifts_there_is_nothing_to_check() -> None:
    start, end = FULL.index("[[shift]]"), FULL.index("[[task]]")
    assert registry.parse(FULL[:start] + FULL[end:], "x.toml").roster.turns_of(D(2026, 1, 1)) == ()
