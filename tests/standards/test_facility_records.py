"""Records beside the series: zero and span checks for R12, reference measurements for R23, and what is not there."""

from __future__ import annotations

from fractions import Fraction

import pytest

from standards.facility.engine import Review, stitch
from standards.facility.inputs import Drift, Events, Manual
from tests.standards.test_facility_worlds import DAY, HOUR, T0, line, look, of, periods, series

HOURS = series(60, {"SO2": line(48, "12"), "NOx": line(48, "30")})


def drift(hour: int, zero: str | None = None, span: str | None = None, *, passed: bool = True) -> Drift:
    parts = (None if each is None else Fraction(each) for each in (zero, span))
    return Drift(T0 + hour * HOUR, "SO2", *parts, passed)


def found(*drifts: Drift) -> list[tuple[int, int | None]]:
    """Hours in which R12 suspects SO2."""
    said = periods(of(look(None, HOURS, events=Events(drifts=drifts)), "R12"))
    return [(begin // HOUR, None if end is None else end // HOUR) for begin, end in said]


def test_zero_and_span_are_checks_of_their_own() -> None:
    assert found(drift(10, "9"), drift(20, None, "1")) == [(10, None)]
    assert found(drift(10, "9"), drift(20, "1", None)) == [(10, 20)]
    assert found(drift(10, "9"), drift(15, None, "8"), drift(20, "1", None)) == [(10, None)]
    assert found(drift(10, "9"), drift(15, None, "8"), drift(20, "1", None), drift(25, None, "1")) == [(10, 25)]
    assert found(drift(10, "9", "8"), drift(20, "1", "1")) == [(10, 20)]


def test_a_check_without_a_number_says_whether_it_passed() -> None:
    assert found(drift(10, passed=False)) == [(10, None)]
    assert found(drift(10, passed=False), drift(20)) == [(10, 20)]
    assert found(drift(10, passed=False), drift(20, "1")) == [(10, None)], "nobody has looked at the span again"
    assert found(drift(10, "9"), drift(20)) == [(10, 20)]
    assert found(drift(10, "4.9", passed=False)) == [], "a number goes before the word"
    assert found(drift(10, "5.1", passed=True)) == [(10, None)]


def test_of_two_checks_at_one_instant_the_bad_one_counts() -> None:
    assert found(drift(10, "9"), drift(10, "1")) == found(drift(10, "1"), drift(10, "9")) == [(10, None)]


def test_figures_are_those_of_the_newest_checks() -> None:
    events = Events(drifts=(drift(5, None, "2.5"), drift(10, "-5.001")))
    (said,) = of(look(None, HOURS, events=events), "R12")
    assert said.figures == {"zero_pct": "-5.001", "span_pct": "2.5"}


def lacking(review: Review, rule: str) -> set[tuple[str, str]]:
    return {(each.subject, each.code) for each in review.inapplicable if each.rule == rule}


def test_a_factor_without_a_record_says_so() -> None:
    review = look(
        None, HOURS, events=Events(drifts=(drift(10, "9"),), manuals=(Manual(T0, T0 + 60, "SO2", Fraction(9)),))
    )
    assert lacking(review, "R12") == {("NOx", "drifts")} and lacking(review, "R23") == {("NOx", "manuals")}
    none = look(None, HOURS, events=Events(drifts=(), manuals=()))
    assert lacking(none, "R12") == {("SO2", "drifts"), ("NOx", "drifts")}
    assert lacking(look(None, HOURS), "R12") == {("", "drifts")}


def test_what_rests_on_a_record_goes_with_it() -> None:
    """A suspicion of a check that was withdrawn is none, also when no other check is left."""
    first = look(None, HOURS, events=Events(drifts=(drift(10, "9"),)))
    assert of(first, "R12")
    again = look(None, HOURS, events=Events(drifts=()))
    assert [each.check for each in stitch(first.suspicions, again)] == []
    # what could not be asked for want of a series stands
    blind = look(None, series(60, {"NOx": line(48, "30")}), events=Events(drifts=(drift(10, "9"),)))
    assert [each.check for each in stitch(of(first, "R12"), blind)] == ["R12"]


# ---- R23 where minutes are gone


def measured(begin: int, end: int, hours: list[object], minutes: list[object] | None = None) -> list[Fraction]:
    """Online means that R23 found too far from 100 mg/m³ between two minutes."""
    events = Events(manuals=(Manual(T0 + begin, T0 + end, "SO2", Fraction(100)),))
    made = series(1, {"SO2": minutes}) if minutes else None
    said = of(look(made, series(60, {"SO2": hours}), events=events), "R23")
    assert all(each.end == T0 + end for each in said)
    return [Fraction(each.figures["online"]) for each in said]


@pytest.mark.parametrize(
    ("begin", "end", "mean"),
    [
        (120, 180, 150), (120, 240, 175), (60, 180, None),  # 20 and 150: 85 is within
        (100, 180, 150),  # one whole hour of 80 minutes is three quarters
        (99, 180, None), (121, 179, None), (121, 181, None),
        (240, 480, 150), (240, 481, None),  # four hours at most
    ],
)  # fmt: skip
def test_hours_stand_for_minutes(begin: int, end: int, mean: int | None) -> None:
    hours: list[object] = ["20", "20", "150", "200", *["150"] * 8]
    assert measured(begin, end, hours) == ([] if mean is None else [mean])


def test_minutes_go_first() -> None:
    hours: list[object] = ["20", "20", "150", "200"]
    assert measured(120, 180, hours, line(240, "140")) == [140]
    assert measured(120, 180, hours, line(240, "140", (120, 136, None))) == [150]  # 44 of 60
    assert measured(120, 180, hours, line(240, "100")) == []


def test_a_measurement_of_last_month_has_its_hours() -> None:
    """Minutes of the last four days alone."""
    days = 25
    hours = series(60, {"SO2": line(24 * days, "150")})
    made = series(1, {"SO2": line(4 * DAY, "150")}, start=T0 + (days - 4) * DAY)
    events = Events(manuals=(Manual(T0 + DAY, T0 + DAY + 60, "SO2", Fraction(100)),))
    (said,) = of(look(made, hours, events=events), "R23")
    assert said.end == T0 + DAY + 60 and said.figures["difference"] == "50"
