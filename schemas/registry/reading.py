"""From the tables of a file to rows: each field of each table, alone; what rows say of each other is in ``checks``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from schemas.registry import words
from schemas.registry.rows import (
    Area,
    Channel,
    Enterprise,
    Group,
    Holiday,
    Limit,
    Logger,
    Meter,
    Outlet,
    Permit,
    Person,
    Quiet,
    Reach,
    Receive,
    Section,
    Shift,
    Station,
    Swap,
    Target,
    Task,
    Tls,
)
from schemas.registry.tables import REQUIRED, Page, Table

NINE = ("T", "pH", "DO", "EC", "turbidity", "CODMn", "NH3N", "TP", "TN")
FACTORS_OF_BODY = {"river": NINE, "lake": (*NINE, "chla", "algae"), "spring": ("T", "pH", "EC", "turbidity", "NO3N")}
"""What a station measures unless its section says otherwise (water.md §3.2, §4.1, §6)."""


def receive(page: Page, values: Mapping[str, Any]) -> Receive:
    """``[receive]`` and ``[receive.tls]``."""
    t = Table(page, values, "receive")
    port = t.whole("port", 1, 65_535, 9212)
    found = Receive(
        host=t.text("host", "127.0.0.1"),
        port=port,
        control_port=t.whole("control_port", 1, 65_535, min(port + 1, 65_535)),
        idle_s=t.whole("idle_s", 1, 86_400, 600),
        most_connections=t.whole("most_connections", 1, 1_000_000, 5_000),
        most_per_address=t.whole("most_per_address", 1, 1_000_000, 1_000),
        tls=_tls(t.table("tls", "receive.tls")),
        expects=t.choice("expects", words.EXPECTS, "hour"),
    )
    if found.port == found.control_port:
        t.error(f"port and control_port are both {found.port}", "control_port")
    if found.tls is not None and found.tls.port in (found.port, found.control_port):
        t.error(f"tls: port {found.tls.port} is taken by port or control_port: each needs its own", "tls")
    t.finish()
    return found


def _tls(t: Table | None) -> Tls | None:
    if t is None:
        return None
    found = Tls(t.whole("port", 1, 65_535), t.text("cert"), t.text("key"), t.text("client_ca", ""))
    t.finish()
    return found


def group(t: Table) -> Group:
    """``[[group]]``."""
    t.label = t.identifier("id")
    return Group(t.label, t.text("name", ""))


def area(t: Table) -> Area:
    """``[[area]]``; the group of a township without one is its district's, filled in by ``checks``."""
    t.label = t.identifier("id")
    within = t.identifier("within", "")
    lat, lon = t.coordinates()
    return Area(
        id=t.label,
        name=t.text("name"),
        name_en=t.text("name_en", ""),
        group=t.identifier("group", "" if within else REQUIRED),
        kind=t.choice("kind", words.AREA_KINDS, "district"),
        within=within,
        lat=lat,
        lon=lon,
    )


def station(t: Table) -> Station:
    """``[[station]]``."""
    t.label = t.identifier("id")
    first, last = t.span()
    lat, lon = t.coordinates()
    units = t.units("units")
    for factor, unit in list(units.items()):
        if factor not in words.AIR_UNITS:
            t.error(f"units.{factor}: the factors are {', '.join(words.AIR_FACTORS)}", "units")
        elif unit not in words.AIR_UNITS[factor]:
            t.error(f"units.{factor} = {unit!r}: one of {', '.join(words.AIR_UNITS[factor])}", "units")
        else:
            continue
        del units[factor]
    return Station(
        id=t.label,
        name=t.text("name"),
        area=t.identifier("area"),
        mn=t.mn(),
        kind=t.choice("kind", words.STATION_KINDS, "city"),
        valid_from=first,
        valid_to=last,
        units=units,
        township=t.identifier("township", ""),
        lat=lat,
        lon=lon,
    )


def logger(t: Table) -> Logger:
    """``[[logger]]``; intervals that are not given are filled in by ``checks``, by the kind of source: 0 here."""
    t.label = t.mn()
    first, last = t.span(required=False)
    scale = t.decimals("scale", {}, above="0")
    for factor, text in list(scale.items()):
        if Decimal(text).normalize().as_tuple().digits != (1,):
            t.error(f"scale.{factor} = {text}: a power of ten such as 0.1", "scale")
            del scale[factor]
    found = Logger(
        mn=t.label,
        crc_mode=t.choice("crc_mode", words.CRC_MODES, "hj212"),
        password=t.flag("password"),
        sm4=t.flag("sm4"),
        commands=tuple(str(cn) for cn in t.wholes("commands", words.COMMANDS)),
        over_time_s=t.whole("over_time_s", 1, 99, 10),
        re_count=t.whole("re_count", 1, 99, 3),
        realtime_s=t.whole("realtime_s", 5, 3_600, 60),
        minute_interval=t.choice("minute_interval", words.MINUTE_INTERVALS, 10) if "minute_interval" in t else 0,
        hour_within_s=t.whole("hour_within_s", 60, 86_400) if "hour_within_s" in t else 0,
        edition=t.choice("edition", words.EDITIONS, 2017),
        units=t.units("units"),
        scale=scale,
        expects=t.choice("expects", words.EXPECTS) if "expects" in t else "",
        valid_from=first,
        valid_to=last,
    )
    if found.sm4 and found.edition != 2025:
        t.error("sm4 = true: encryption belongs to HJ 212-2025: write edition = 2025", "sm4")
    return found


def section(t: Table) -> Section:
    """``[[section]]``."""
    t.label = t.identifier("id")
    first, last = t.span()
    lat, lon = t.coordinates()
    body = t.choice("body", words.BODIES, "river")
    return Section(
        id=t.label,
        name=t.text("name"),
        mn=t.mn(),
        group=t.identifier("group"),
        body=body,
        river=t.text("river", ""),
        factors=t.texts("factors", FACTORS_OF_BODY[body]),
        valid_from=first,
        valid_to=last,
        border=t.choice("border", words.BORDERS, ""),
        control=t.choice("control", words.CONTROLS, "district"),
        drinking_source=t.flag("drinking_source"),
        standalone=t.flag("standalone"),
        township=t.identifier("township", ""),
        lat=lat,
        lon=lon,
    )


def targets(t: Table) -> Iterator[Target]:
    """``[[target]]``: one row for each of its sections."""
    sections = t.identifiers("section")
    t.label = ", ".join(sections)
    first, last = t.span()
    target_class = t.whole("class", 1, 5)
    limits = t.decimals("limits", {}, above="0")
    excluded = t.texts("excluded", ())
    for one in sections:
        yield Target(one, target_class, limits, excluded, first, last)


def reach(t: Table) -> Reach:
    """``[[reach]]``."""
    upper, lower = t.identifier("from"), t.identifier("to")
    t.label = f"{upper} → {lower}"
    first, last = t.span(required=False)
    v = [t.decimal(key, above="0", most="20") for key in ("v_low", "v_mid", "v_high")]
    if "0" not in v and not Decimal(v[0]) <= Decimal(v[1]) <= Decimal(v[2]):
        t.error(f"v_low {v[0]}, v_mid {v[1]}, v_high {v[2]}: must not fall from low to high", "v_low")
    return Reach(
        upper=upper,
        lower=lower,
        length_km=t.decimal("length_km", above="0", most="10000"),
        v_low_m_s=v[0],
        v_mid_m_s=v[1],
        v_high_m_s=v[2],
        enabled=t.flag("enabled", True),
        valid_from=first,
        valid_to=last,
    )


def enterprise(t: Table) -> Enterprise:
    """``[[enterprise]]``; without a group it is a group of its own, named by its id."""
    t.label = t.identifier("id")
    lat, lon = t.coordinates()
    return Enterprise(
        id=t.label,
        name=t.text("name"),
        industry=t.choice("industry", words.INDUSTRIES),
        group=t.identifier("group", t.label),
        contact=t.identifier("contact", ""),
        township=t.identifier("township", ""),
        lat=lat,
        lon=lon,
    )


def permits(t: Table) -> Iterator[Permit]:
    """``[[permit]]``: one row for each of its years."""
    t.label = enterprise_id = t.identifier("enterprise")
    tonnes = t.decimals("tonnes", above="0")
    number = t.text("number", "")
    for year in t.years("year"):
        yield Permit(enterprise_id, year, tonnes, number)


def outlet(t: Table) -> Outlet:
    """``[[outlet]]``."""
    t.label = t.identifier("id")
    first, last = t.span()
    lat, lon = t.coordinates()
    process = t.choice("process", words.PROCESSES)
    medium = words.PROCESSES[process].medium
    said = t.choice("medium", words.MEDIA, medium)
    if said != medium and "medium" in t:
        t.error(f"medium = {said!r}: {process} ({words.PROCESSES[process].name}) is {medium}", "medium")
    return Outlet(
        id=t.label,
        enterprise=t.identifier("enterprise"),
        name=t.text("name"),
        mn=t.mn(),
        medium=medium,
        process=process,
        factors=t.texts("factors"),
        valid_from=first,
        valid_to=last,
        ref_o2_pct=t.decimal("ref_o2_pct", None, above="0", most="20"),
        duct_area_m2=t.decimal("duct_area_m2", None, above="0", most="1000"),
        normal_flow=t.decimal("normal_flow", None, above="0", most="100000"),
        ranges=t.decimals("ranges", {}, above="0"),
        detection=t.decimals("detection", {}, above="0"),
        rules=t.rules("rules", words.FACILITY_CHECKS),
        main=t.flag("main", True),
        lat=lat,
        lon=lon,
    )


def limits(t: Table) -> Iterator[Limit]:
    """``[[limit]]``: one row for each of its outlets and factors."""
    outlets = t.identifiers("outlet")
    kind = t.choice("kind", words.LIMIT_KINDS)
    t.label = f"{', '.join(outlets)} {kind}"
    first, last = t.span()
    if kind == "temporary" and last is None and "valid_to" not in t:
        t.error("a temporary limit ends: write valid_to", "kind")
    basis, averaging = t.text("basis"), t.choice("averaging", words.AVERAGING, "hour")
    unit = t.unit()
    most, least = t.decimals("most", {}, above="0"), t.decimals("least", {}, above="0")
    cold = t.decimals("cold", {}, above="0")
    if not most and not least:
        t.error("has no limit: write most = {SO2 = 35, ...}", "most")
    for factor in cold:
        if factor not in most:
            t.error(f"cold.{factor}: has no most.{factor} for warmer water", "cold")
    for one in outlets:
        for side, rows in (("most", most), ("least", least)):
            for factor, limit in rows.items():
                yield Limit(
                    outlet=one,
                    factor=factor,
                    kind=kind,
                    limit=limit,
                    unit=unit,
                    averaging=averaging,
                    basis=basis,
                    valid_from=first,
                    valid_to=last,
                    side=side,
                    cold_limit=cold.get(factor) if side == "most" else None,
                )


def meter(t: Table) -> Meter:
    """``[[meter]]``; its enterprise and source, and a unit that is not given, are filled in by ``checks``."""
    outlet_id, factor = t.identifier("outlet"), t.text("factor")
    t.label = t.identifier("id", f"{outlet_id}.{factor}" if outlet_id and factor else "")
    first, last = t.span(required=False)
    measures = t.choice("measures", words.MEASURES)
    needs_rated = measures not in words.WITHOUT_RATING
    return Meter(
        id=t.label,
        name=t.text("name", ""),
        outlet=outlet_id,
        enterprise="",
        source="",
        factor=factor,
        measures=measures,
        rated=t.decimal("rated", REQUIRED if needs_rated else None, above="0"),
        unit=t.unit() if "unit" in t else "",
        on_share=t.decimal("on_share", None, above="0", most="1"),
        mn=t.mn("mn", ""),
        valid_from=first,
        valid_to=last,
    )


def person(t: Table) -> Person:
    """``[[person]]``."""
    t.label = t.identifier("id")

    role = t.choice("role", words.ROLES)
    found = Person(
        id=t.label,
        name=t.text("name"),
        role=role,
        channels=tuple(_channel(inner) for inner in t.tables("channels")),
        quiet=tuple(_quiet(inner) for inner in t.tables("quiet")),
        enterprise=t.identifier("enterprise", REQUIRED if role == "enterprise" else ""),
        rights=_rights(t, role),
    )
    if not found.channels:
        t.error("has no channel: write channels = [{kind = 'wecom', secret = 'NAME'}]", "channels")
    return found


def _rights(t: Table, role: str) -> tuple[str, ...]:
    if "rights" not in t:
        return words.RIGHTS_OF_ROLE.get(role, ())
    found = t.texts("rights", ())
    for right in found:
        if right not in words.RIGHTS:
            t.error(f"rights has {right!r}: of {', '.join(words.RIGHTS)}", "rights")
    if found and role == "enterprise":
        t.error("rights: a person of an enterprise has none at the desk of the bureau", "rights")
    if found and "read" not in found:
        t.error("rights without 'read': who may do something may read, write it too", "rights")
    return found


def _channel(t: Table) -> Channel:
    found = Channel(t.choice("kind", words.CHANNELS), t.secret())
    t.finish()
    return found


def _quiet(t: Table) -> Quiet:
    found = Quiet(t.clock("from"), t.clock("to"), t.choice("up_to", words.LEVELS[:-1]))  # red never waits
    t.finish()
    return found


def shift(t: Table) -> Shift:
    """``[[shift]]``."""
    t.label = t.identifier("id")
    first, last = t.span()
    return Shift(
        id=t.label,
        name=t.text("name"),
        role=t.choice("role", words.ROLES[:-1], "officer"),
        days=t.choice("days", words.SHIFT_DAYS, "all"),
        start_min=t.clock("from"),
        end_min=t.clock("to"),
        persons=t.identifiers("persons"),
        rotate=t.choice("rotate", words.ROTATIONS, "day"),
        valid_from=first,
        valid_to=last,
    )


def holidays(t: Table) -> Iterator[Holiday]:
    """``[[holiday]]``: one row for each of its days."""
    t.label = t.text("name")
    first, last = _days(t)
    work = t.flag("work")
    for n in range((last - first).days + 1):
        yield Holiday(first + dt.timedelta(days=n), t.label, work)


def swap(t: Table) -> Swap:
    """``[[swap]]``."""
    shift_id, one, other = t.identifier("shift"), t.identifier("person"), t.identifier("substitute")
    t.label = f"{one} → {other}"
    first, last = _days(t)
    if one and one == other:
        t.error(f"person and substitute are both {one!r}", "substitute")
    return Swap(shift_id, first, last, one, other)


def _days(t: Table) -> tuple[dt.date, dt.date]:
    first = t.date("date")
    last = t.date("until", first)
    if not 0 <= (last - first).days < 366:
        t.error(f"until = {last}: within a year from date, {first}", "until")
        last = first
    return first, last


def task(t: Table) -> Task:
    """``[[task]]``."""
    kind = t.choice("kind", words.TASK_KINDS)
    years = t.whole("year", 2000, 2100)
    t.label = f"{years} {kind}"
    found = Task(
        year=years,
        kind=kind,
        value=t.decimal("value", above="0"),
        subject=t.identifier("subject"),
        factor=t.text("factor", REQUIRED) if kind == "tonnes" else "",
        to_class=t.whole("class", 1, 5) if kind == "section_share" and "class" in t else None,
    )
    days = Decimal(found.value)
    if kind == "good_days" and (days > 366 or days != int(days)):
        t.error(f"value = {found.value}: whole days of a year", "value")
    if kind == "section_share" and days > 100:
        t.error(f"value = {found.value}: percent", "value")
    return found
