"""Small worlds for the tests of facility supervision: series written by hand, in decimal texts.

Times are minutes from ``T0``, the first minute of a calendar month (2026-11-01), unless a test says otherwise.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from standards.facility.engine import Review, Suspicion, review
from standards.facility.inputs import Events, Plant, Series, Track
from standards.facility.table import Settings, settings
from standards.fixed import MISSING

T0 = (datetime.date(2026, 11, 1) - datetime.date(1970, 1, 1)).days * 1440
HOUR, DAY = 60, 1440
RATED = {
    "production": 1000, "treatment": 500, "treatment:dust": 200, "circulation_pump": 60, "reagent": 32, "valve": 90,
    "lift_pump": 80,
}  # fmt: skip
PLANT: dict[str, Any] = {
    "process": "coal_boiler",
    "normal_flow": Fraction(100),
    "limits": {"SO2": Fraction(35), "NOx": Fraction(50), "PM": Fraction(10)},
    "ranges": {"SO2": Fraction(300)},
    "detection": {"SO2": Fraction(2)},
    "denitration": "SCR",
}


def thousandths(value: object) -> int:
    """A number as a count of 0.001, or MISSING for None."""
    if value is None:
        return MISSING
    scaled = Decimal(str(value)) * 1000
    assert scaled == int(scaled), value
    return int(scaled)


def track(name: str, values: Iterable[object], **more: Any) -> Track:
    """Thousandths of these values; the rating of ``RATED``."""
    rated = more.pop("rated", RATED.get(name))
    return Track(
        np.array([thousandths(each) for each in values], dtype=np.int64),
        3,
        rated=None if rated is None else Fraction(rated),
        **more,
    )


def line(length: int, base: object, *pieces: tuple[int, int, object]) -> list[object]:
    """``base`` everywhere, and another value in each piece [from, to)."""
    found: list[object] = [base] * length
    for begin, end, value in pieces:
        found[begin:end] = [value] * (min(end, length) - begin)
    return found


def flags(length: int, *pieces: tuple[int, int]) -> np.ndarray:
    found = np.zeros(length, dtype=np.bool_)
    for begin, end in pieces:
        found[begin:end] = True
    return found


def series(step: int, tracks: Mapping[str, Any], *, start: int = T0, **states: Any) -> Series:
    """Tracks of lists of numbers, or tracks as they are."""
    made = {
        name: each if isinstance(each, Track | tuple) else track(name, each) for name, each in tracks.items()
    }  # fmt: skip
    return Series(start, made, step, **states)


def plant(**changes: Any) -> Plant:
    return Plant(**{**PLANT, **changes})


def asked(changes: Mapping[str, Mapping[str, Any]] | None = None, **of_plant: Any) -> Settings:
    return settings(plant(**of_plant), changes)


def look(
    minutes: Series | None = None,
    hours: Series | None = None,
    *,
    start: int | None = None,
    end: int | None = None,
    events: Events | None = None,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    **of_plant: Any,
) -> Review:
    """A review of all there is."""
    series_m = minutes or Series(T0, {}, 1)
    series_h = hours or Series(T0, {}, 60)
    spans = [each for each in (series_m, series_h) if each.length]
    return review(
        series_m,
        series_h,
        asked(changes, **of_plant),
        min(each.start for each in spans) if start is None else start,
        max(each.end for each in spans) if end is None else end,
        events,
    )


def of(found: Review, check: str, subject: str | None = None) -> list[Suspicion]:
    return [each for each in found.suspicions if each.check == check and subject in (None, each.subject)]


def checks(found: Review) -> set[str]:
    return {each.check for each in found.suspicions}


def periods(found: Sequence[Suspicion]) -> list[tuple[int, int | None]]:
    """Begin and end from T0."""
    return [(each.begin - T0, None if each.end is None else each.end - T0) for each in found]


def test_thousandths_are_exact() -> None:
    assert [thousandths(each) for each in ("0.1", 5, None)] == [100, 5000, MISSING]
