"""Beijing time against the standard library's calendar."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from schemas import times


@given(st.integers(min_value=0, max_value=4_000_000_000).map(lambda n: n // 3600 * 3600))
def test_an_hour_belongs_to_the_day_its_end_closes(end: int) -> None:
    just_before = dt.datetime.fromtimestamp(end, times.BEIJING) - dt.timedelta(microseconds=1)
    assert times.date_of(times.day_of(end)) == just_before.date()
    assert times.hour_index(end) == just_before.hour
    assert times.day_start(times.day_of(end)) + (times.hour_index(end) + 1) * 3600 == end


def test_midnight_is_label_24_of_the_day_before() -> None:
    end = times.parse_stamp("20151202000000")
    assert times.date_of(times.day_of(end)) == dt.date(2015, 12, 1)
    assert times.hour_index(end) == 23
    assert times.stamp(end) == "20151202000000"
    assert times.parse_stamp("20151202000000123") == end
