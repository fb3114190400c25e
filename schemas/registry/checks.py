"""What rows say of each other: references, dates, numbers of loggers, rivers, limits, the roster."""

from __future__ import annotations

import datetime as dt
import difflib
import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from schemas import hj212_codes, times, units
from schemas.registry import words
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
    Section,
    Shift,
    Source,
    Station,
    Swap,
    Target,
    Task,
)
from schemas.registry.sources import sources_of
from schemas.registry.tables import Table

Row = TypeVar("Row")
METERED = (hj212_codes.METER, hj212_codes.PROCESS)
"""Media of what production and treatment report."""


@dataclass
class Entry(Generic[Row]):
    """A row and the table it was read from, which knows its line."""

    row: Row
    table: Table


@dataclass
class Tables:
    """The entries of every table, in the order of the file; named as in the registry."""

    groups: list[Entry[Group]]
    areas: list[Entry[Area]]
    stations: list[Entry[Station]]
    loggers: list[Entry[Logger]]
    sections: list[Entry[Section]]
    targets: list[Entry[Target]]
    reaches: list[Entry[Reach]]
    enterprises: list[Entry[Enterprise]]
    permits: list[Entry[Permit]]
    outlets: list[Entry[Outlet]]
    limits: list[Entry[Limit]]
    meters: list[Entry[Meter]]
    persons: list[Entry[Person]]
    shifts: list[Entry[Shift]]
    holidays: list[Entry[Holiday]]
    swaps: list[Entry[Swap]]
    tasks: list[Entry[Task]]

    def rows(self) -> dict[str, Any]:
        """The rows of every table, as the registry holds them."""
        return {name: tuple(rows(entries)) for name, entries in vars(self).items()}

    def sources(self) -> tuple[Source, ...]:
        """The sources as far as their references hold."""
        return sources_of(
            rows(self.stations),
            rows(self.areas),
            rows(self.sections),
            rows(self.outlets),
            rows(self.enterprises),
            rows(self.meters),
        )


def rows(entries: Iterable[Entry[Row]]) -> list[Row]:
    """The rows of entries."""
    return [e.row for e in entries]


def fill_in(tables: Tables) -> None:
    """What a file may leave out because another table says it."""
    districts = {a.row.id: a.row for a in tables.areas if not a.row.within}
    for a in tables.areas:
        if not a.row.group and a.row.within in districts:
            a.row = replace(a.row, group=districts[a.row.within].group)
    groups = {g.row.id for g in tables.groups}
    for e in tables.enterprises:
        if e.row.group == e.row.id and e.row.id and e.row.id not in groups:
            groups.add(e.row.id)
            tables.groups.append(Entry(Group(e.row.id, e.row.name), e.table))
    owner = {o.row.id: o.row.enterprise for o in tables.outlets}
    for m in tables.meters:
        enterprise = owner.get(m.row.outlet, "")
        metered = _metered(m.row.factor)
        m.row = replace(
            m.row,
            enterprise=enterprise,
            source=enterprise if m.row.mn else m.row.outlet,
            unit=m.row.unit or (metered.unit if metered is not None else ""),
        )
    kind_of: dict[str, str] = {}
    for source in tables.sources():
        kind_of.setdefault(source.mn, source.kind)
    for log in tables.loggers:
        kind = kind_of.get(log.row.mn, "emission")
        log.row = replace(
            log.row,
            minute_interval=log.row.minute_interval or words.MINUTE_INTERVAL_OF_KIND[kind],
            hour_within_s=log.row.hour_within_s or words.HOUR_WITHIN_S_OF_KIND[kind],
        )


def check(tables: Tables) -> None:
    """Note every error at its table."""
    for check_some in (_ids, _references, _numbers, _dates, _groups, _factors, _rivers, _limits, _meters, _people):
        check_some(tables)
    _roster(tables)
    _tasks(tables)


# ---- identity


def _ids(tables: Tables) -> None:
    once: tuple[tuple[str, Sequence[Entry[Any]]], ...] = (
        ("group", tables.groups),
        ("area", tables.areas),
        ("enterprise", tables.enterprises),
        ("person", tables.persons),
    )
    for what, entries in once:
        seen: set[str] = set()
        for e in entries:
            if e.row.id and e.row.id in seen:
                e.table.error(f"{what} id {e.row.id!r} is given twice", "id")
            seen.add(e.row.id)
    kinds: dict[str, str] = {}
    sending: tuple[tuple[str, Sequence[Entry[Any]]], ...] = (
        ("station", tables.stations),
        ("section", tables.sections),
        ("outlet", tables.outlets),
        ("enterprise", tables.enterprises),
    )
    for what, entries in sending:
        for e in entries:
            other = kinds.setdefault(e.row.id, what)
            if e.row.id and other != what:
                e.table.error(f"id {e.row.id!r} is that of a [[{other}]] too: ids of sources are unique", "id")


def _references(tables: Tables) -> None:
    def needs(entries: Sequence[Entry[Any]], key: str, target: str, known: set[str], name: str = "") -> None:
        for e in entries:
            value = getattr(e.row, name or key)
            for one in (value,) if isinstance(value, str) else value:
                if one and one not in known:
                    near = difflib.get_close_matches(one, known, 1)
                    cure = f": did you mean {near[0]}?" if near else ""
                    e.table.error(f"{key} {one!r} is no [[{target}]] of this file{cure}", key)

    groups, areas, sections, enterprises, outlets, persons, shifts = (
        {e.row.id for e in entries}
        for entries in (
            *(tables.groups, tables.areas, tables.sections, tables.enterprises, tables.outlets),
            *(tables.persons, tables.shifts),
        )
    )
    townships = {a.row.id for a in tables.areas if a.row.kind == "township"}
    needs(tables.areas, "group", "group", groups)
    needs(tables.areas, "within", "area", areas)
    needs(tables.stations, "area", "area", areas)
    needs(tables.sections, "group", "group", groups)
    needs(tables.enterprises, "group", "group", groups)
    for entries in (tables.stations, tables.sections, tables.enterprises):
        needs(entries, "township", "area with kind = 'township'", townships)
    needs(tables.targets, "section", "section", sections)
    needs(tables.reaches, "from", "section", sections, "upper")
    needs(tables.reaches, "to", "section", sections, "lower")
    needs(tables.outlets, "enterprise", "enterprise", enterprises)
    needs(tables.permits, "enterprise", "enterprise", enterprises)
    needs(tables.limits, "outlet", "outlet", outlets)
    needs(tables.meters, "outlet", "outlet", outlets)
    needs(tables.persons, "enterprise", "enterprise", enterprises)
    needs(tables.enterprises, "contact", "person", persons)
    needs(tables.shifts, "persons", "person", persons)
    needs(tables.swaps, "shift", "shift", shifts)
    needs(tables.swaps, "person", "person", persons)
    needs(tables.swaps, "substitute", "person", persons)
    _nesting(tables)


def _nesting(tables: Tables) -> None:
    areas = {a.row.id: a.row for a in tables.areas}
    for a in tables.areas:
        over = areas.get(a.row.within)
        if a.row.kind == "township" and not a.row.within:
            a.table.error("kind = 'township' needs within = its district", "kind")
        if a.row.kind == "district" and a.row.within:
            a.table.error("within: a district lies in no other area: write kind = 'township'", "within")
        if over is not None and over.kind == "township":
            a.table.error(f"within {over.id!r}: that is a township itself: name the district", "within")
        elif over is not None and a.row.group != over.group:
            a.table.error(
                f"group {a.row.group!r} is not that of {over.id!r}, {over.group!r}: one line of data", "group"
            )
    for s in tables.stations:
        area, township = areas.get(s.row.area), areas.get(s.row.township)
        if s.row.kind == "township" and not s.row.township:
            s.table.error("kind = 'township' needs township = the area it counts for", "kind")
        if area is not None and township is not None and township.within != area.id:
            s.table.error(f"township {township.id!r} does not lie within {area.id!r}: correct one of them", "township")


def _numbers(tables: Tables) -> None:
    places: dict[tuple[str, str], Table] = {}
    for entries in (tables.stations, tables.sections, tables.outlets):
        for e in entries:
            places[e.row.id, e.row.mn] = e.table
    for m in tables.meters:
        places[m.row.enterprise, m.row.mn] = m.table
    by_mn: dict[str, list[Source]] = {}
    for s in tables.sources():
        if s.mn:
            by_mn.setdefault(s.mn, []).append(s)
    far = dt.date.max
    for mn, found in by_mn.items():
        for n, s in enumerate(found):
            for o in found[:n]:
                together = s.valid_from <= (o.valid_to or far) and o.valid_from <= (s.valid_to or far)
                if s.id != o.id and together:
                    places[s.id, mn].error(f"mn: has the MN {mn} of {o.id!r} ({o.name}) at the same time", "mn")
    for log in tables.loggers:
        if log.row.mn and log.row.mn not in by_mn:
            log.table.error(f"mn {log.row.mn}: no station, section, outlet or meter of this file has it", "mn")


def _dates(tables: Tables) -> None:
    dated: tuple[tuple[Sequence[Entry[Any]], Callable[[Any], Hashable]], ...] = (
        (tables.stations, lambda s: s.id),
        (tables.loggers, lambda r: r.mn),
        (tables.sections, lambda s: s.id),
        (tables.targets, lambda t: t.section),
        (tables.reaches, lambda r: (r.upper, r.lower)),
        (tables.outlets, lambda o: o.id),
        (tables.limits, lambda m: (m.outlet, m.factor, m.kind, m.averaging, m.side)),
        (tables.meters, lambda m: m.id),
        (tables.shifts, lambda s: s.id),
    )
    for entries, key in dated:
        by_key: dict[Hashable, list[Entry[Any]]] = {}
        for e in entries:
            by_key.setdefault(key(e.row), []).append(e)
        for found in by_key.values():
            found.sort(key=lambda e: e.row.valid_from)
            for before, after in itertools.pairwise(found):
                begins, ends = after.row.valid_from, before.row.valid_to
                what = f" ({after.row.factor})" if isinstance(after.row, Limit) else ""
                if begins == before.row.valid_from:
                    since = "always" if begins == words.ALWAYS else begins
                    after.table.error(f"is given twice from {since}{what}: remove one", "valid_from")
                elif ends is not None and ends >= begins:
                    after.table.error(
                        f"valid_from = {begins}{what}: the row before ends on {ends}: end it a day earlier",
                        "valid_from",
                    )


def _groups(tables: Tables) -> None:
    kinds: dict[str, str] = {}
    tables_of = {e.row.id: e.table for e in tables.groups}
    for s in tables.sources():
        other = kinds.setdefault(s.group, s.kind)
        if other != s.kind and s.group in tables_of:
            tables_of[s.group].error(f"has sources of {other} and of {s.kind} ({s.id!r}): one group each", "id")


# ---- factors


def _factors(tables: Tables) -> None:
    for s in tables.sections:
        for name in s.row.factors:
            _known(s.table, "factors", name, (hj212_codes.WATER,))
    for target in tables.targets:
        for key, names in (("limits", target.row.limits), ("excluded", target.row.excluded)):
            for name in names:
                _known(target.table, key, name, (hj212_codes.WATER,))
    media: dict[str, tuple[str, ...]] = {s.row.mn: (hj212_codes.AIR,) for s in tables.stations}
    media |= {s.row.mn: (hj212_codes.WATER,) for s in tables.sections}
    media |= {m.row.mn: METERED for m in tables.meters if m.row.mn}
    media |= {o.row.mn: (o.row.medium, *METERED) for o in tables.outlets}
    for log in tables.loggers:
        of = media.get(log.row.mn, ())
        for factor in log.row.scale if of else ():
            _known(log.table, "scale", factor, of)
        for factor, unit in log.row.units.items() if of else ():
            if hj212_codes.AIR in of and factor in words.AIR_FACTORS:
                log.table.error(f"units.{factor}: write it at the [[station]]", "units")
            else:
                _convertible(log.table, "units", factor, unit, of)
    for o in tables.outlets:
        _outlet(o)
    for p in tables.permits:
        for name in p.row.tonnes:
            _known(p.table, "tonnes", name, (hj212_codes.GAS, hj212_codes.WATER))


def _outlet(o: Entry[Outlet]) -> None:
    for name in o.row.factors:
        _known(o.table, "factors", name, (o.row.medium,))
    for key, names in (("ranges", o.row.ranges), ("detection", o.row.detection)):
        for name in names:
            if name not in o.row.factors:
                o.table.error(f"{key}.{name}: not among the factors of this outlet", key)
    if o.row.ref_o2_pct is not None and o.row.medium != hj212_codes.GAS:
        o.table.error("ref_o2_pct: only gas is converted to reference oxygen", "ref_o2_pct")
    elif o.row.ref_o2_pct is not None and "O2" not in o.row.factors:
        o.table.error("ref_o2_pct needs O2 among the factors", "ref_o2_pct")
    if o.row.duct_area_m2 is not None and o.row.medium != hj212_codes.GAS:
        o.table.error("duct_area_m2: only gas has a duct", "duct_area_m2")


def _known(table: Table, key: str, name: str, media: Sequence[str]) -> bool:
    if any(hj212_codes.factor_of_name(name, medium) is not None for medium in media):
        return True
    names = [f.name for f in hj212_codes.FACTORS if f.medium in media]
    near = difflib.get_close_matches(name, names, 1, 0.4)
    cure = f": did you mean {near[0]}?" if near else ": see schemas/hj212_codes.toml"
    table.error(f"{key}: {name!r} is no factor of {' or '.join(media)}{cure}", key)
    return False


def _convertible(table: Table, key: str, name: str, unit: str, media: Sequence[str]) -> None:
    found = [f for medium in media if (f := hj212_codes.factor_of_name(name, medium)) is not None]
    if not found:
        _known(table, key, name, media)
        return
    try:
        units.ratio(unit, found[0].unit)
    except units.UnitError:
        table.error(f"{key}: {name} in {unit} can't be turned into {found[0].unit}, the published unit", key)


# ---- rivers


def _rivers(tables: Tables) -> None:
    sections = {s.row.id: s.row for s in tables.sections}
    joined = {end for r in tables.reaches for end in (r.row.upper, r.row.lower)}
    below: dict[str, list[str]] = {}
    for r in tables.reaches:
        upper, lower = sections.get(r.row.upper), sections.get(r.row.lower)
        if r.row.upper and r.row.upper == r.row.lower:
            r.table.error("begins and ends at the same section", "to")
        elif upper is not None and lower is not None:
            below.setdefault(upper.id, []).append(lower.id)
            if upper.group != lower.group:
                r.table.error(
                    f"joins group {upper.group!r} and {lower.group!r}: sections joined by reaches are one group", "to"
                )
    for s in tables.sections:
        if s.row.body == "river" and not s.row.standalone and s.row.id not in joined:
            s.table.error(
                "is a river section without a reach: write the [[reach]] to its neighbour, or standalone = true", "id"
            )
    if cycle := _cycle(below):
        first = next(r for r in tables.reaches if (r.row.upper, r.row.lower) == (cycle[-2], cycle[-1]))
        first.table.error(f"the river flows in a circle: {' → '.join(cycle)}: turn or remove a reach", "to")


def _cycle(below: dict[str, list[str]]) -> list[str]:
    """A circle as its sections, the first again at the end; empty where there is none."""
    done: set[str] = set()
    for start in below:
        path: list[str] = []
        stack = [(start, 0)]  # a section to visit, and how many lie above it
        while stack:
            at, depth = stack.pop()
            done.update(path[depth:])
            del path[depth:]
            if at in path:
                return [*path[path.index(at) :], at]
            if at not in done:
                path.append(at)
                stack += [(lower, depth + 1) for lower in below.get(at, ())]
        done.update(path)
    return []


# ---- enterprises


def _limits(tables: Tables) -> None:
    outlets: dict[str, Outlet] = {}
    for o in tables.outlets:
        outlets.setdefault(o.row.id, o.row)
    for m in tables.limits:
        outlet = outlets.get(m.row.outlet)
        if outlet is None:
            continue
        key = m.row.side
        if m.row.factor not in outlet.factors:
            m.table.error(
                f"{key}.{m.row.factor}: {outlet.id!r} does not measure it: its factors are {', '.join(outlet.factors)}",
                key,
            )
        elif m.row.unit:
            _convertible(m.table, "unit", m.row.factor, m.row.unit, (outlet.medium,))
    binding: dict[str, list[Limit]] = {}
    for m in tables.limits:
        if m.row.kind in words.BINDING_LIMITS:
            binding.setdefault(m.row.outlet, []).append(m.row)
    for o in tables.outlets:
        if words.PROCESSES[o.row.process].limited and (day := _unlimited(o.row, binding.get(o.row.id, []))):
            o.table.error(
                f"has no legal or permit limit from {day} on: write a [[limit]] for outlet = {o.row.id!r}", "id"
            )


def _unlimited(outlet: Outlet, limits: list[Limit]) -> dt.date | None:
    day, last = outlet.valid_from, outlet.valid_to or dt.date.max
    while day <= last:
        until = max(
            (m.valid_to or dt.date.max for m in limits if m.valid_from <= day <= (m.valid_to or dt.date.max)),
            default=None,
        )
        if until is None:
            return day
        if until == dt.date.max:
            return None
        day = until + dt.timedelta(days=1)
    return None


def _meters(tables: Tables) -> None:
    known = {o.row.id for o in tables.outlets}
    seen: dict[tuple[str, str], Meter] = {}
    for m in tables.meters:
        if m.row.factor and _metered(m.row.factor) is None:
            _known(m.table, "factor", m.row.factor, METERED)
        elif m.row.unit:
            _convertible(m.table, "unit", m.row.factor, m.row.unit, METERED)
        if m.row.outlet not in known:
            continue
        other = seen.setdefault((m.row.source, m.row.factor), m.row)
        if other.id != m.row.id:
            m.table.error(
                f"factor {m.row.factor} of {m.row.source!r} is meter {other.id!r} already: number them _01, _02",
                "factor",
            )


def _metered(name: str) -> hj212_codes.Factor | None:
    found = (hj212_codes.factor_of_name(name, medium) for medium in METERED)
    return next((f for f in found if f is not None), None)


# ---- people and tasks


def _people(tables: Tables) -> None:
    persons = {p.row.id: p.row for p in tables.persons}
    for e in tables.enterprises:
        contact = persons.get(e.row.contact)
        if contact is not None and contact.enterprise != e.row.id:
            e.table.error(
                f"contact {contact.id!r} is not of the role enterprise with enterprise = {e.row.id!r}", "contact"
            )
    for s in tables.shifts:
        for one in s.row.persons:
            if one in persons and persons[one].role == "enterprise":
                s.table.error(f"persons: {one!r} belongs to an enterprise and can't have the bureau's duty", "persons")
    dates: set[dt.date] = set()
    for h in tables.holidays:
        if h.row.date in dates:
            h.table.error(f"{h.row.date} is in two [[holiday]]", "date")
        dates.add(h.row.date)


def _roster(tables: Tables) -> None:
    if not tables.shifts or any(s.row.valid_from == words.ALWAYS or not s.row.persons for s in tables.shifts):
        return  # no roster, or one with errors that were noted already
    shifts, holidays, swaps = rows(tables.shifts), rows(tables.holidays), rows(tables.swaps)
    roster = Roster(shifts, holidays, swaps)
    first = min(s.valid_from for s in shifts)
    years = [s.valid_from.year for s in shifts] + [s.valid_to.year for s in shifts if s.valid_to is not None]
    years += [h.date.year for h in holidays] + [s.last.year for s in swaps]
    last = dt.date(max(years), 12, 31)
    holes = roster.holes("officer", first, last)
    if holes:
        begin, end = (times.civil(t).strftime("%Y-%m-%d %H:%M") for t in holes[0])
        tables.shifts[0].table.error(
            f"the roster has {len(holes)} hole{'s' if len(holes) > 1 else ''} up to {last}, the first from {begin} to "
            f"{end}: nobody of the role officer has the duty: add or widen a [[shift]]",
            "id",
        )
    taken: set[tuple[str, str, dt.date]] = set()
    for swap in tables.swaps:
        days = [swap.row.first + dt.timedelta(days=n) for n in range((swap.row.last - swap.row.first).days + 1)]
        turns = {(d.instead_of or d.person) for day in days for d in roster.turns_of(day) if d.shift == swap.row.shift}
        if swap.row.shift in {s.id for s in shifts} and swap.row.person not in turns:
            having = ", ".join(sorted(turns)) or "nobody"
            swap.table.error(f"{swap.row.person!r} has no turn on shift {swap.row.shift!r} then: {having} has", "date")
        for day in days:
            if (swap.row.shift, swap.row.person, day) in taken:
                swap.table.error(f"{day}: is in two [[swap]] of {swap.row.person!r}", "date")
                break
            taken.add((swap.row.shift, swap.row.person, day))


def _tasks(tables: Tables) -> None:
    areas = {a.row.id for a in tables.areas}
    groups = {s.row.group for s in tables.sections}
    enterprises = {e.row.id for e in tables.enterprises}
    known = {
        "good_days": (areas, "[[area]]"),
        "composite_index": (areas, "[[area]]"),
        "section_share": (groups, "[[group]] with sections"),
        "tonnes": (enterprises | {"all"}, "[[enterprise]] (or 'all')"),
    }
    seen: set[tuple[Any, ...]] = set()
    for t in tables.tasks:
        subjects, what = known[t.row.kind]
        if t.row.subject and t.row.subject not in subjects:
            t.table.error(f"subject {t.row.subject!r} is no {what} of this file", "subject")
        if t.row.factor:
            _known(t.table, "factor", t.row.factor, (hj212_codes.GAS, hj212_codes.WATER))
        key = (t.row.year, t.row.kind, t.row.subject, t.row.factor, t.row.to_class)
        if key in seen:
            t.table.error("is given twice: remove one", "year")
        seen.add(key)
    permits: set[tuple[str, int]] = set()
    for p in tables.permits:
        if (p.row.enterprise, p.row.year) in permits:
            p.table.error(f"year {p.row.year} is given twice for {p.row.enterprise!r}", "year")
        permits.add((p.row.enterprise, p.row.year))
