"""Where things stand in the drawings: the map of the district, the months of the calendar, sections along a river."""

from __future__ import annotations

import calendar
import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from desk.view import DayOf
from desk.web.words import GREY, colour, ink_on
from schemas.registry import Reach, Section

WIDTH: Final = 1_000.0
"""Of the map, in its own units; the height follows."""
_MARGIN: Final = 70.0
_LEAST_HEIGHT, _MOST_HEIGHT = 420.0, 1_000.0


class Spot(NamedTuple):
    """A place on the map."""

    x: float
    y: float


class Projection:
    """Latitude and longitude to map units: a degree of longitude is as short as it is at the district's middle."""

    def __init__(self, places: Iterable[tuple[float, float]]) -> None:
        """Fit all ``(lat, lon)`` into the map."""
        known = list(places)
        lats, lons = [lat for lat, _ in known] or [0.0], [lon for _, lon in known] or [0.0]
        self._north, self._west = max(lats), min(lons)
        self._short = math.cos(math.radians((min(lats) + max(lats)) / 2))
        wide = max((max(lons) - self._west) * self._short, 1e-6)
        tall = max(self._north - min(lats), 1e-6)
        self._scale = min((WIDTH - 2 * _MARGIN) / wide, (_MOST_HEIGHT - 2 * _MARGIN) / tall)
        self._left = (WIDTH - wide * self._scale) / 2
        self.height = max(_LEAST_HEIGHT, tall * self._scale + 2 * _MARGIN)
        self._top = (self.height - tall * self._scale) / 2
        self.km = self._scale / 111.19
        """Map units a kilometre (a degree of a great circle is 111.19 km)."""

    def spot(self, lat: float, lon: float) -> Spot:
        """Where a place is."""
        return Spot(
            round(self._left + (lon - self._west) * self._short * self._scale, 1),
            round(self._top + (self._north - lat) * self._scale, 1),
        )


class Label(NamedTuple):
    """Where the name of a place stands."""

    x: float
    y: float
    anchor: str


_SIGN, _LETTER, _LINE = 17.0, 12.0, 14.0
"""Half a sign, a Chinese letter and a line, map units."""


def labels(places: Iterable[tuple[str, Spot, str]]) -> dict[str, Label]:
    """Names beside their signs: below, above, right or left, wherever they cover least.

    Args:
        places: id, spot and name of each.
    """
    known = list(places)
    taken = [(s.x - _SIGN, s.y - _SIGN, s.x + _SIGN, s.y + _SIGN) for _, s, _ in known]
    found: dict[str, Label] = {}
    for name, spot, text in known:
        half = sum(_LETTER if ord(letter) > 0x2E80 else _LETTER * 0.55 for letter in text) / 2
        beside = _SIGN + 2
        tries = (
            (Label(spot.x, spot.y + _SIGN + _LINE - 2, "middle"), spot.x - half, spot.y + _SIGN),
            (Label(spot.x, spot.y - _SIGN - 3, "middle"), spot.x - half, spot.y - _SIGN - _LINE),
            (Label(spot.x + beside, spot.y + 4, "start"), spot.x + beside, spot.y - _LINE / 2),
            (Label(spot.x - beside, spot.y + 4, "end"), spot.x - beside - 2 * half, spot.y - _LINE / 2),
        )
        boxes = [(label, (x, y, x + 2 * half, y + _LINE)) for label, x, y in tries]
        label, box = min(boxes, key=lambda b: sum(_overlap(b[1], other) for other in taken))
        found[name] = label
        taken.append(box)
    return found


_Box = tuple[float, float, float, float]


def _overlap(a: _Box, b: _Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


class Cell(NamedTuple):
    """A day of the calendar."""

    day: int
    column: int
    row: int
    date: str
    colour: str
    ink: str
    text: str


class Month(NamedTuple):
    """A month of the calendar; weeks begin on Monday."""

    month: int
    rows: int
    cells: list[Cell]
    good: int
    valid: int


def months_of(year: int, days: Mapping[str, DayOf]) -> list[Month]:
    """A year of days; of those that are not judged the text is empty."""
    found = []
    for month in range(1, 13):
        first, count = calendar.monthrange(year, month)
        cells = []
        good = valid = 0
        for day in range(1, count + 1):
            date = dt.date(year, month, day).isoformat()
            judged = days.get(date)
            fill = GREY if judged is None else colour(judged.colour)
            text = "" if judged is None else "—" if judged.aqi is None else str(judged.aqi)
            place = first + day - 1
            cells.append(Cell(day, place % 7, place // 7, date, fill, ink_on(fill), text))
            good += bool(judged and judged.valid and judged.good)
            valid += bool(judged and judged.valid)
        found.append(Month(month, (first + count - 1) // 7 + 1, cells, good, valid))
    return found


class Step(NamedTuple):
    """A section in the order of the water, and the reach that leads on from it."""

    section: Section
    depth: int  # 0 on the main stem, more on what flows into it
    onward: Reach | None


def along(sections: Iterable[Section], reaches: Iterable[Reach]) -> list[Step]:
    """Sections from the springs to the border; a tributary stands before the section it flows into, indented.

    The main stem of a confluence is the longer way. What no reach joins comes last.
    """
    by_id = {section.id: section for section in sections}
    onward = {r.upper: r for r in reaches if r.upper in by_id and r.lower in by_id}
    into: dict[str, list[str]] = {}
    for reach in onward.values():
        into.setdefault(reach.lower, []).append(reach.upper)
    length: dict[str, float] = {}

    def far(name: str, seen: tuple[str, ...] = ()) -> float:
        if name not in length:
            above = [far(u, (*seen, name)) + float(onward[u].length_km) for u in into.get(name, ()) if u not in seen]
            length[name] = max(above, default=0.0)
        return length[name]

    found: list[Step] = []
    done: set[str] = set()

    def walk(name: str, depth: int) -> None:
        if name in done:
            return
        done.add(name)
        above = sorted(into.get(name, ()), key=lambda u: -(far(u) + float(onward[u].length_km)))
        for n, upper in enumerate(above):
            walk(upper, depth + (1 if n else 0))
        found.append(Step(by_id[name], depth, onward.get(name)))

    for name in by_id:
        if name not in onward and name in into:
            walk(name, 0)
    for name in by_id:
        if name not in done:
            done.add(name)
            found.append(Step(by_id[name], 0, None))
    return found
