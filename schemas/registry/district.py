"""A checked registry and its look-ups, which are asked for every packet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from schemas.registry.dated import Dated
from schemas.registry.roster import Roster
from schemas.registry.rows import (
    Area,
    Enterprise,
    Group,
    Holiday,
    Limit,
    Logger,
    Meter,
    Outlet,
    Permit,
    Person,
    Reach,
    Receive,
    Section,
    Shift,
    Source,
    Station,
    Swap,
    Target,
    Task,
)
from schemas.registry.sources import sources_of
from schemas.registry.words import HOUR_WITHIN_S_OF_KIND, MINUTE_INTERVAL_OF_KIND


@dataclass(frozen=True)
class Registry:
    """A checked registry. The tuples are the tables of the file, in its order."""

    name: str
    name_en: str
    receive: Receive
    groups: tuple[Group, ...]
    areas: tuple[Area, ...]
    stations: tuple[Station, ...]
    digest: str
    text: str
    loggers: tuple[Logger, ...] = ()
    sections: tuple[Section, ...] = ()
    targets: tuple[Target, ...] = ()
    reaches: tuple[Reach, ...] = ()
    enterprises: tuple[Enterprise, ...] = ()
    permits: tuple[Permit, ...] = ()
    outlets: tuple[Outlet, ...] = ()
    limits: tuple[Limit, ...] = ()
    meters: tuple[Meter, ...] = ()
    persons: tuple[Person, ...] = ()
    shifts: tuple[Shift, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    swaps: tuple[Swap, ...] = ()
    tasks: tuple[Task, ...] = ()
    _counted: dict[tuple[str, dt.date], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    # ---- sources

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Whatever sends, one row per source, MN and span of days; air, water, emission, then meters."""
        return sources_of(self.stations, self.areas, self.sections, self.outlets, self.enterprises, self.meters)

    @cached_property
    def _source_by_mn(self) -> Dated[Source]:
        return Dated(self.sources, lambda s: s.mn)

    def source_by_mn(self, mn: str, date: dt.date) -> Source | None:
        """What the logger of that MN speaks for on that date, or None when it is not listed then."""
        return self._source_by_mn.at(mn, date)

    def sources_at(self, date: dt.date) -> tuple[Source, ...]:
        """Every source that exists on the date, in the order of :attr:`sources`."""
        return tuple(s for s in self.sources if s.valid_from <= date and (s.valid_to is None or date <= s.valid_to))

    def knows_mn(self, mn: str) -> bool:
        """Whether the MN stands in the registry at any date."""
        return bool(self._source_by_mn.spans(mn))

    def groups_of(self, kind: str) -> tuple[Group, ...]:
        """The groups that have sources of a kind, "air", "water" or "emission", at any date."""
        ids = {s.group for s in self.sources if s.kind == kind}
        return tuple(g for g in self.groups if g.id in ids)

    # ---- loggers

    @cached_property
    def _loggers(self) -> Dated[Logger]:
        return Dated(self.loggers, lambda row: row.mn)

    @cached_property
    def _loggers_of(self) -> dict[tuple[str, dt.date | None, dt.date | None], Logger]:
        return {}

    def logger(self, mn: str, date: dt.date) -> Logger:
        """The logger of an MN on that date; the defaults of its kind of source where the registry has no row.

        The units of an air station, written at the station, are among its units.
        """
        row, source = self._loggers.at(mn, date), self.source_by_mn(mn, date)
        key = (mn, row.valid_from if row is not None else None, source.valid_from if source is not None else None)
        found = self._loggers_of.get(key)
        if found is None:
            found = self._loggers_of[key] = self._logger(row or Logger(mn), row is None, source)
        return found

    def _logger(self, row: Logger, default: bool, source: Source | None) -> Logger:
        row = replace(row, expects=row.expects or self.receive.expects)
        if source is None:
            return row
        if default:
            row = replace(
                row,
                minute_interval=MINUTE_INTERVAL_OF_KIND[source.kind],
                hour_within_s=HOUR_WITHIN_S_OF_KIND[source.kind],
            )
        station = self.station_at(source.id, source.valid_from) if source.kind == "air" else None
        return replace(row, units={**station.units, **row.units}) if station is not None else row

    # ---- air

    @cached_property
    def _areas(self) -> dict[str, Area]:
        return {a.id: a for a in self.areas}

    @cached_property
    def _stations(self) -> Dated[Station]:
        return Dated(self.stations, lambda s: s.id)

    def area(self, area_id: str) -> Area:
        """The area of that id."""
        return self._areas[area_id]

    def station_at(self, station_id: str, date: dt.date) -> Station | None:
        """The station as it is on that date, or None when it does not exist then."""
        return self._stations.at(station_id, date)

    def by_mn(self, mn: str, date: dt.date) -> Station | None:
        """The air station whose logger has that MN on that date."""
        source = self.source_by_mn(mn, date)
        return self.station_at(source.id, date) if source is not None and source.kind == "air" else None

    def station_ids(self) -> tuple[str, ...]:
        """Every station id once, in the order of the file."""
        return tuple(dict.fromkeys(s.id for s in self.stations))

    def areas_of(self, station_id: str, date: dt.date) -> tuple[str, ...]:
        """Ids of the areas a station counts for on that date: its district, its township, both or none."""
        station = self.station_at(station_id, date)
        if station is None:
            return ()
        district = (station.area,) if station.kind == "city" else ()
        township = (station.township,) if station.township and station.kind in ("city", "township") else ()
        return district + township

    def city_stations(self, area_id: str, date: dt.date) -> tuple[str, ...]:
        """Ids of the stations that count for an area on that date, in the order of the file.

        For a district the city evaluation points in it; for a township those and its own points.
        """
        found = self._counted.get((area_id, date))  # asked for every hour of every packet: looked up once a day
        if found is None:
            found = tuple(i for i in self.station_ids() if area_id in self.areas_of(i, date))
            self._counted[area_id, date] = found
        return found

    # ---- water

    @cached_property
    def _sections(self) -> Dated[Section]:
        return Dated(self.sections, lambda s: s.id)

    @cached_property
    def _targets(self) -> Dated[Target]:
        return Dated(self.targets, lambda t: t.section)

    def section_at(self, section_id: str, date: dt.date) -> Section | None:
        """The section as it is on that date, or None when it does not exist then."""
        return self._sections.at(section_id, date)

    def target(self, section_id: str, date: dt.date) -> Target | None:
        """What a section owes on that date, or None."""
        return self._targets.at(section_id, date)

    @cached_property
    def _reaches(self) -> Dated[Reach]:
        return Dated(self.reaches, lambda r: (r.upper, r.lower))

    def reaches_at(self, date: dt.date) -> tuple[Reach, ...]:
        """The enabled reaches of that date, in the order of the file."""
        return tuple(r for r in self._reaches.all_at(date) if r.enabled)

    # ---- emission

    @cached_property
    def _enterprises(self) -> dict[str, Enterprise]:
        return {e.id: e for e in self.enterprises}

    @cached_property
    def _outlets(self) -> Dated[Outlet]:
        return Dated(self.outlets, lambda o: o.id)

    @cached_property
    def _limits(self) -> dict[str, Dated[Limit]]:
        by_outlet: dict[str, list[Limit]] = {}
        for limit in self.limits:
            by_outlet.setdefault(limit.outlet, []).append(limit)
        return {
            outlet: Dated(rows, lambda m: (m.factor, m.kind, m.averaging, m.side)) for outlet, rows in by_outlet.items()
        }

    @cached_property
    def _limits_on(self) -> dict[tuple[str, dt.date], tuple[Limit, ...]]:
        return {}

    @cached_property
    def _meters(self) -> Dated[Meter]:
        return Dated(self.meters, lambda m: m.id)

    @cached_property
    def _meters_by_factor(self) -> Dated[Meter]:
        return Dated(self.meters, lambda m: (m.source, m.factor))

    @cached_property
    def _permits(self) -> dict[tuple[str, int], Permit]:
        return {(p.enterprise, p.year): p for p in self.permits}

    def enterprise(self, enterprise_id: str) -> Enterprise:
        """The enterprise of that id."""
        return self._enterprises[enterprise_id]

    def outlet_at(self, outlet_id: str, date: dt.date) -> Outlet | None:
        """The outlet as it is on that date, or None when it does not exist then."""
        return self._outlets.at(outlet_id, date)

    def limits_at(self, outlet_id: str, date: dt.date) -> tuple[Limit, ...]:
        """The limits in force at an outlet on that date, in the order of the file."""
        found = self._limits_on.get((outlet_id, date))
        if found is None:
            dated = self._limits.get(outlet_id)
            found = self._limits_on[outlet_id, date] = tuple(dated.all_at(date)) if dated is not None else ()
        return found

    def meters_at(self, outlet_id: str, date: dt.date) -> tuple[Meter, ...]:
        """The meters of an outlet on that date, in the order of the file."""
        return tuple(m for m in self._meters.all_at(date) if m.outlet == outlet_id)

    def meter_of(self, source_id: str, factor: str, date: dt.date) -> Meter | None:
        """The meter that reports as this factor of this source on that date, or None."""
        return self._meters_by_factor.at((source_id, factor), date)

    def permit_tonnes(self, enterprise_id: str, year: int) -> Mapping[str, str]:
        """Tonnes per pollutant an enterprise may emit in a year; empty without a permit."""
        permit = self._permits.get((enterprise_id, year))
        return permit.tonnes if permit is not None else {}

    # ---- people and tasks

    @cached_property
    def roster(self) -> Roster:
        """Whose turns are when."""
        return Roster(self.shifts, self.holidays, self.swaps, self.persons)

    @cached_property
    def _persons(self) -> dict[str, Person]:
        return {p.id: p for p in self.persons}

    def person(self, person_id: str) -> Person | None:
        """The person of that id, or None: people leave."""
        return self._persons.get(person_id)

    def tasks_of(self, year: int) -> tuple[Task, ...]:
        """What the district owes in a year, in the order of the file."""
        return tuple(t for t in self.tasks if t.year == year)
