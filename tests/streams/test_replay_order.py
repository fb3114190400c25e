"""When rows are sent, and who says them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import registry
from schemas.times import DAY_S, HOUR_S
from streams.replay_order import backbone, instants
from streams.voices import Voices, sent_text

DAY_H = DAY_S // HOUR_S


def clock(*files: list[int], stations: list[list[int]] | None = None) -> list[int]:
    """Instants in hours for hours of rows."""
    columns = [
        (np.array(hours, np.int64) * HOUR_S, np.array(stations[i] if stations else [0] * len(hours), np.int64))
        for i, hours in enumerate(files)
    ]
    return [int(instant) // HOUR_S for instant in instants(columns)]


def test_rows_in_order_are_sent_at_their_hour() -> None:
    assert clock([1, 1, 2, 3, 3, 5]) == [1, 1, 2, 3, 3, 5]


def test_a_late_row_does_not_move_the_clock() -> None:
    assert clock([1, 2, 3, 4, 2, 5, 6]) == [1, 2, 3, 4, 4, 5, 6]


def test_a_row_from_the_future_does_not_move_the_clock() -> None:
    assert clock([1, 2, 9, 3, 4, 5]) == [1, 2, 2, 3, 4, 5]


def test_a_row_from_the_future_at_the_beginning_waits_for_nothing() -> None:
    assert clock([99, 1, 2, 3]) == [1, 1, 2, 3]


def test_of_equally_long_backbones_the_lower_counts() -> None:
    assert clock([1, 2, 3, 9, 4]) == [1, 2, 3, 3, 4]


def test_a_far_jump_needs_a_day_of_hours_beyond_it() -> None:
    far = 31 * DAY_H + 4
    assert clock([1, 2, 3, far, far + 1]) == [1, 2, 3, 3, 3]
    few = [far + i for i in range(23)]
    assert clock([1, 2, 3, *few]) == [1, 2, 3] + [3] * 23
    assert clock([1, 2, 3, *few, *few[-1:] * 50]) == [1, 2, 3] + [3] * 73  # hours count once
    enough = [far + i for i in range(24)]
    assert clock([1, 2, 3, *enough]) == [1, 2, 3, *enough]


def test_a_gap_of_31_days_is_followed() -> None:
    assert clock([1, 2, 2 + 31 * DAY_H]) == [1, 2, 2 + 31 * DAY_H]


def test_files_play_together() -> None:
    assert clock([1, 2, 3], [2, 3, 1]) == [1, 2, 3, 2, 3, 3]


def test_a_file_of_another_month_given_first() -> None:
    assert clock([50, 51], [1, 2]) == [50, 51, 1, 2]


def test_a_single_row_of_the_far_future_in_a_file_of_its_own() -> None:
    assert clock([1, 2, 3], [900_000]) == [1, 2, 3, 3]


def test_a_file_sorted_by_station() -> None:
    hours = [1, 2, 3, 4, 1, 2, 9, 4, 1, 2, 3, 1]
    stations = [[0] * 4 + [1] * 4 + [2] * 4]
    assert clock(hours, stations=stations) == [1, 2, 3, 4, 1, 2, 2, 4, 1, 2, 3, 3]


def test_nothing_to_send() -> None:
    assert clock() == []
    assert clock([]) == []
    assert clock([], [1]) == [1]


@given(st.lists(st.integers(0, 30), max_size=40))
def test_the_backbone_is_longest(hours: list[int]) -> None:
    on = backbone(np.array(hours, np.int64))
    chosen = [hour for hour, chosen in zip(hours, on, strict=True) if chosen]
    assert chosen == sorted(chosen)
    longest = [1] * len(hours)
    for i, hour in enumerate(hours):
        longest[i] = 1 + max((longest[k] for k in range(i) if hours[k] <= hour), default=0)
    assert len(chosen) == max(longest, default=0)


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_the_clock_never_goes_back_in_a_file_in_order(hours: list[int]) -> None:
    on = backbone(np.array(hours, np.int64))
    if on.sum() >= 0.75 * len(hours):
        sent = clock(hours)
        assert sent == sorted(sent)
        assert set(sent) <= set(hours)


# --- voices --------------------------------------------------------------------------------------

DISTRICT = """
format = 1
name = "试验"
[[group]]
id = "g"
name = "g"
[[area]]
id = "a"
name = "a"
group = "g"
[[station]]
id = "north"
name = "北站"
area = "a"
mn = "MN1"
valid_from = 2015-01-01
[[station]]
id = "south"
name = "南站"
area = "a"
mn = "MN2"
valid_from = 2015-01-01
valid_to = 2015-05-31
units = { CO = "ug/m3", SO2 = "mg/m3" }
[[station]]
id = "east"
name = "东站"
area = "a"
mn = "MN2"
valid_from = 2015-06-01
"""


@pytest.fixture
def voices() -> Voices:
    """Voices of a district where a logger moved from the south to the east."""
    return Voices(registry.parse(DISTRICT, "test"))


def test_a_station_by_id_or_name(voices: Voices) -> None:
    for station in ("north", "北站"):
        voice = voices.of(station, dt.date(2015, 3, 1))
        assert (voice.mn, voice.answered) == ("MN1", True)


def test_a_station_before_its_first_day_is_not_answered(voices: Voices) -> None:
    voice = voices.of("north", dt.date(2014, 12, 31))
    assert (voice.mn, voice.answered) == ("MN1", False)


def test_a_number_that_moved_does_not_speak_for_the_old_station(voices: Voices) -> None:
    assert voices.of("south", dt.date(2015, 5, 31)).mn == "MN2"
    assert voices.of("east", dt.date(2015, 6, 1)).mn == "MN2"
    old = voices.of("south", dt.date(2015, 6, 1))
    assert not old.answered
    assert old.mn.startswith("UNLISTED")
    assert voices.of("east", dt.date(2015, 5, 31)).mn.startswith("UNLISTED")


def test_an_unknown_station_has_a_number_of_its_own(voices: Voices) -> None:
    voice, other = (voices.of(name, dt.date(2015, 3, 1)) for name in ("nowhere", "elsewhere"))
    assert not voice.answered
    assert len(voice.mn) == 24
    assert voice.mn != other.mn
    assert voice == Voices(registry.parse(DISTRICT, "test")).of("nowhere", dt.date(2016, 1, 1))


def test_values_in_the_units_of_the_logger(voices: Voices) -> None:
    texts = ["12.5", "-3", "0.300", "", "7", "8"]
    assert voices.of("south", dt.date(2015, 3, 1)).readings(texts) == {
        "SO2": "0.0125", "NO2": "-3", "CO": "300", "O3": None, "PM10": "7", "PM2.5": "8",
    }  # fmt: skip
    assert voices.of("north", dt.date(2015, 3, 1)).readings(texts)["CO"] == "0.300"


@pytest.mark.parametrize(
    ("text", "shift", "expected"),
    [("1.50", 0, "1.50"), ("+5", 0, "5"), (".5", 0, "0.5"), ("5.", 0, "5"), ("0.3", 3, "300"),
     ("-1.2345", 3, "-1234.5"), ("12", -3, "0.012"), ("0", 3, "0")],
)  # fmt: skip
def test_sent_text(text: str, shift: int, expected: str) -> None:
    assert sent_text(text, shift) == expected
