"""Sources: one view of everything that sends, with the days on which an MN is whose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TypeVar

from schemas.registry.dated import Dated
from schemas.registry.rows import Area, Enterprise, Meter, Outlet, Section, Source, Station

Sending = TypeVar("Sending", Station, Section, Outlet)


def sources_of(
    stations: Iterable[Station],
    areas: Iterable[Area],
    sections: Iterable[Section],
    outlets: Iterable[Outlet],
    enterprises: Iterable[Enterprise],
    meters: Iterable[Meter],
) -> tuple[Source, ...]:
    """One row per source, MN and span of days, in the order of the file; rows of unknown references are left out."""
    area = {a.id: a.group for a in areas}
    by_id = {e.id: e for e in enterprises}
    found = _sources("air", stations, lambda s: area.get(s.area, ""))
    found += _sources("water", sections, lambda s: s.group)
    found += _sources("emission", outlets, lambda o: of.group if (of := by_id.get(o.enterprise)) else "")
    return (*found, *_meter_sources(meters, by_id))


def _sources(kind: str, rows: Iterable[Sending], group_of: Callable[[Sending], str]) -> list[Source]:
    dated = Dated(rows, lambda row: row.id)
    return [
        Source(row.id, kind, group_of(row), row.mn, row.name, first, _open(last))
        for key in dated
        for first, last, row in reversed(dated.spans(key))
        if group_of(row)
    ]


def _meter_sources(meters: Iterable[Meter], enterprise: dict[str, Enterprise]) -> list[Source]:
    """The meters of an enterprise with one MN are one source, from the first that begins to the last that ends."""
    spans: dict[tuple[str, str], tuple[dt.date, dt.date]] = {}
    dated = Dated(meters, lambda m: m.id)
    for first, last, m in (span for key in dated for span in dated.spans(key)):
        if m.mn and m.enterprise in enterprise:
            begun, ended = spans.get((m.enterprise, m.mn), (first, last))
            spans[m.enterprise, m.mn] = (min(begun, first), max(ended, last))
    return [
        Source(e, "emission", enterprise[e].group, mn, f"{enterprise[e].name} 工况用电", first, _open(last))
        for (e, mn), (first, last) in spans.items()
    ]


def _open(last: dt.date) -> dt.date | None:
    return None if last == dt.date.max else last
