"""Versions of the registry to lines: what people call the ids that stand in the tags of everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from schemas import blocks
from schemas import measurements as m
from schemas.registry import Outlet, Reach, Registry, RegistryError, Section, Station, parse
from streams.line_builder import LAST_SECOND, Builder, LineError

_NS_OF_MS = 1_000_000
_builder = Builder(m.PLACE)
_Row = TypeVar("_Row", Station, Section, Outlet)


class Place(NamedTuple):
    """What a registry says of an id; the fields of the measurement ``place``."""

    kind: str
    id: str
    name: str
    of: str = ""
    body: str = ""


def place_lines(data: bytes) -> list[str]:
    """The lines of a message of the topic ``registry``: one for each place. None of a clock's kind.

    Raises:
        LineError: not a registry this version can read.
    """
    if not data.startswith(b"{"):
        return []  # what stands under CLOCK_KEY
    try:
        version = blocks.decode(data)
        if not isinstance(version, blocks.RegistryVersion):
            raise LineError("no version of a registry")
        registry = parse(version.text, f"registry {version.digest}")
    except (blocks.BlockError, RegistryError) as error:
        raise LineError(str(error).partition("\n")[0]) from None  # of a registry the first of its errors
    if not 0 <= version.received < LAST_SECOND * 1000:
        raise LineError(f"time {version.received} is outside what InfluxDB can hold")
    last_ns = version.received * _NS_OF_MS + _NS_OF_MS - 1
    return [
        _builder.line_at(
            last_ns - order,
            (place.id, place.kind),
            place.name,
            f"{place.name} ({place.id})",
            place.of,
            place.body,
            order,
            True,
        )
        for order, place in enumerate(places(registry), 1)
    ]


def places(registry: Registry) -> Iterator[Place]:
    """Whatever has an id and a name, once, as its last row has it: in the order people list it."""
    for group in registry.groups:
        bodies = dict.fromkeys(s.body for s in registry.sections if s.group == group.id)
        yield Place("group", group.id, group.name, body=",".join(bodies))
    for area in registry.areas:
        yield Place(area.kind, area.id, area.name, area.within)
    for station in _last(registry.stations):
        yield Place("station", station.id, station.name, station.area)
    for section in downstream(_last(registry.sections), registry.reaches):
        yield Place("section", section.id, section.name, section.group, section.body)
    for enterprise in registry.enterprises:
        yield Place("enterprise", enterprise.id, enterprise.name)
    for outlet in _last(registry.outlets):
        yield Place("outlet", outlet.id, outlet.name, outlet.enterprise)
    for person in registry.persons:
        yield Place("person", person.id, person.name, person.enterprise)


def downstream(sections: Sequence[Section], reaches: Iterable[Reach]) -> list[Section]:
    """Sections so that none comes before one upstream of it; otherwise as they stand in the file."""
    upper: dict[str, set[str]] = {}
    for reach in reaches:
        upper.setdefault(reach.lower, set()).add(reach.upper)
    found: list[Section] = []
    left = list(sections)
    while left:
        waiting = {section.id for section in left}
        free = (section for section in left if not upper.get(section.id, set()) & waiting - {section.id})
        following = next(free, left[0])  # reaches of different years may make a ring
        left.remove(following)
        found.append(following)
    return found


def _last(rows: Iterable[_Row]) -> list[_Row]:
    """The row of each id that is valid last, where its first stands."""
    found: dict[str, _Row] = {}
    for row in rows:
        if row.id not in found or row.valid_from >= found[row.id].valid_from:
            found[row.id] = row
    return list(found.values())
