"""The district's registry: areas, groups, stations, their units, and the port that receives them.

One TOML file per district, checked at once with all its errors. Every judged property has
``valid_from``: a station that changes is written again with a later date, and the past keeps what was
true then. Verdicts carry the registry's digest. Format 1 is described in ``districts/README.md``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1

AIR_FACTORS = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")
"""The six of HJ 633, in its order."""

AIR_UNITS: dict[str, dict[str, int]] = {
    # decimal places to move the point left to reach the published unit
    **{factor: {"ug/m3": 0, "mg/m3": -3} for factor in AIR_FACTORS if factor != "CO"},
    "CO": {"mg/m3": 0, "ug/m3": 3},
}
PUBLISHED_UNIT = {factor: "mg/m3" if factor == "CO" else "ug/m3" for factor in AIR_FACTORS}

# Identifiers become parts of message keys and tags of points: no blank, comma, equals sign or "|".
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MN = re.compile(r"[0-9A-Za-z_]{1,24}")
STATION_KINDS = ("city", "regional", "background", "traffic", "pollution")


class RegistryError(ValueError):
    """A registry file with errors; the text lists all of them, one a line."""


@dataclass(frozen=True)
class Group:
    """What is judged together and therefore travels in one partition."""

    id: str
    name: str


@dataclass(frozen=True)
class Area:
    """A city, district or township whose air is judged as one."""

    id: str
    name: str
    name_en: str
    group: str


@dataclass(frozen=True)
class Station:
    """An air station as it is from ``valid_from`` on. Only ``city`` stations count for their area."""

    id: str
    name: str
    area: str
    mn: str
    kind: str
    valid_from: dt.date
    valid_to: dt.date | None
    units: dict[str, str] = field(default_factory=dict)

    def shift(self, factor: str) -> int:
        """Places the decimal point moves left from what the logger sends to the published unit."""
        return AIR_UNITS[factor][self.units.get(factor, PUBLISHED_UNIT[factor])]


@dataclass(frozen=True)
class Receive:
    """Where loggers are received, and where a replay may set the clock (loopback only)."""

    host: str
    port: int
    control_port: int


@dataclass(frozen=True)
class Registry:
    """A checked registry."""

    name: str
    name_en: str
    receive: Receive
    groups: tuple[Group, ...]
    areas: tuple[Area, ...]
    stations: tuple[Station, ...]
    digest: str
    text: str
    _counted: dict[tuple[str, dt.date], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def area(self, area_id: str) -> Area:
        """The area of that id."""
        return next(a for a in self.areas if a.id == area_id)

    def station_at(self, station_id: str, date: dt.date) -> Station | None:
        """The station as it is on that date, or None when it does not exist then."""
        return _latest((s for s in self.stations if s.id == station_id), date)

    def by_mn(self, mn: str, date: dt.date) -> Station | None:
        """The station whose logger has that MN on that date."""
        found = _latest((s for s in self.stations if s.mn == mn), date)
        # the MN may have moved to another station, or the station to another MN
        return found if found is not None and self.station_at(found.id, date) == found else None

    def knows_mn(self, mn: str) -> bool:
        """Whether the MN stands in the registry at any date."""
        return any(s.mn == mn for s in self.stations)

    def station_ids(self) -> tuple[str, ...]:
        """Every station id once, in the order of the file."""
        return tuple(dict.fromkeys(s.id for s in self.stations))

    def city_stations(self, area_id: str, date: dt.date) -> tuple[str, ...]:
        """Ids of the stations that count for an area on that date, in the order of the file."""
        found = self._counted.get((area_id, date))  # asked for every hour of every packet: looked up once a day
        if found is None:
            at = [(i, self.station_at(i, date)) for i in self.station_ids()]
            found = tuple(i for i, s in at if s is not None and s.area == area_id and s.kind == "city")
            self._counted[area_id, date] = found
        return found


def _latest(candidates: Any, date: dt.date) -> Station | None:
    best: Station | None = None
    for s in candidates:
        if s.valid_from <= date and (best is None or s.valid_from >= best.valid_from):
            best = s
    if best is not None and best.valid_to is not None and date > best.valid_to:
        return None
    return best


def load(path: Path) -> Registry:
    """Read and check a registry file.

    Raises:
        RegistryError: not readable, not TOML, or with errors; all of them are listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RegistryError(f"{path}: {reason}: give the district's registry with --district") from None
    return parse(text, str(path))


def parse(text: str, place: str) -> Registry:
    """Check a registry's text; ``place`` names it in errors.

    Raises:
        RegistryError: with every error, one a line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(f"{place}: not TOML: {error}") from None
    return _Check(place, text, document).registry()


class _Check:
    """Collects every error of a document before refusing it."""

    def __init__(self, place: str, text: str, document: dict[str, Any]) -> None:
        self.place = place
        self.text = text
        self.document = document
        self.errors: list[str] = []

    def registry(self) -> Registry:
        if self.document.get("format") != FORMAT:
            self.error("format", f"is {self.document.get('format')!r}, this program reads format = {FORMAT}")
        for name in self.document:
            if name not in ("format", "name", "name_en", "receive", "group", "area", "station"):
                self.error(name, "is not known here: remove it, or look for a misspelling")
        receive = self.receive()
        groups = self.unique([self.group(t, w) for t, w in self.tables("group")], "group")
        areas = self.unique([self.area(t, w) for t, w in self.tables("area")], "area")
        stations = [self.station(t, w) for t, w in self.tables("station")]
        self.references(groups, areas, stations)
        if self.errors:
            raise RegistryError("\n".join(self.errors))
        return Registry(
            name=str(self.document.get("name", "")),
            name_en=str(self.document.get("name_en", "")),
            receive=receive,
            groups=tuple(groups),
            areas=tuple(areas),
            stations=tuple(stations),
            digest=hashlib.sha256(self.text.encode()).hexdigest()[:16],
            text=self.text,
        )

    def error(self, where: str, what: str) -> None:
        self.errors.append(f"{self.place}: {where}: {what}")

    def tables(self, name: str) -> list[tuple[dict[str, Any], str]]:
        found = self.document.get(name, [])
        if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
            self.error(name, f"must be written as [[{name}]]")
            return []
        if not found:
            self.error(name, f"none given: write at least one [[{name}]]")
        lines = [n for n, line in enumerate(self.text.splitlines(), 1) if line.split("#")[0].strip() == f"[[{name}]]"]
        return [
            (t, f"line {lines[i]}: [[{name}]]" if i < len(lines) else f"[[{name}]] {i + 1}")
            for i, t in enumerate(found)
        ]

    def get(self, table: dict[str, Any], where: str, name: str, kind: type, default: Any = None) -> Any:
        if name not in table:
            if default is None:
                self.error(where, f"{name} is missing")
                return kind() if kind is not dt.date else dt.date.min
            return default
        value = table[name]
        good = type(value) is kind
        if not good:
            self.error(where, f"{name} = {value!r} must be a {'date' if kind is dt.date else kind.__name__}")
            return kind() if kind is not dt.date else dt.date.min
        return value

    def known(self, table: dict[str, Any], where: str, names: tuple[str, ...]) -> None:
        for name in table:
            if name not in names:
                self.error(where, f"{name} is not known here: remove it, or look for a misspelling")

    def identifier(self, table: dict[str, Any], where: str, name: str = "id") -> str:
        value: str = self.get(table, where, name, str)
        if value and not _ID.fullmatch(value):
            self.error(where, f"{name} = {value!r}: letters, digits, '.', '_' and '-' only, 64 at most")
        return value

    def receive(self) -> Receive:
        table = self.document.get("receive", {})
        where = "[receive]"
        if not isinstance(table, dict):
            self.error("receive", "must be written as [receive]")
            table = {}
        self.known(table, where, ("host", "port", "control_port"))
        host = self.get(table, where, "host", str, "127.0.0.1")
        port = self.get(table, where, "port", int, 9212)
        control = self.get(table, where, "control_port", int, port + 1)
        for name, value in (("port", port), ("control_port", control)):
            if not 1 <= value <= 65_535:
                self.error(where, f"{name} = {value}: a port is 1 to 65535")
        if port == control:
            self.error(where, f"port and control_port are both {port}")
        return Receive(host, port, control)

    def group(self, table: dict[str, Any], where: str) -> Group:
        self.known(table, where, ("id", "name"))
        return Group(self.identifier(table, where), self.get(table, where, "name", str, ""))

    def area(self, table: dict[str, Any], where: str) -> Area:
        self.known(table, where, ("id", "name", "name_en", "group"))
        return Area(
            self.identifier(table, where),
            self.get(table, where, "name", str),
            self.get(table, where, "name_en", str, ""),
            self.identifier(table, where, "group"),
        )

    def station(self, table: dict[str, Any], where: str) -> Station:
        self.known(table, where, ("id", "name", "area", "mn", "kind", "valid_from", "valid_to", "units"))
        mn = self.get(table, where, "mn", str)
        if mn and not _MN.fullmatch(mn):
            self.error(where, f"mn = {mn!r}: 1 to 24 letters or digits (HJ 212)")
        kind = self.get(table, where, "kind", str, "city")
        if kind not in STATION_KINDS:
            self.error(where, f"kind = {kind!r}: one of {', '.join(STATION_KINDS)}")
        valid_from = self.get(table, where, "valid_from", dt.date)
        valid_to = table.get("valid_to")
        if valid_to is not None and (type(valid_to) is not dt.date or valid_to < valid_from):
            self.error(where, f"valid_to = {valid_to}: a date not before valid_from")
            valid_to = None
        units = self.get(table, where, "units", dict, {})
        for factor, unit in units.items():
            if factor not in AIR_UNITS:
                self.error(where, f"units.{factor}: the factors are {', '.join(AIR_FACTORS)}")
            elif unit not in AIR_UNITS[factor]:
                self.error(where, f"units.{factor} = {unit!r}: one of {', '.join(AIR_UNITS[factor])}")
        return Station(
            id=self.identifier(table, where),
            name=self.get(table, where, "name", str),
            area=self.identifier(table, where, "area"),
            mn=mn,
            kind=kind,
            valid_from=valid_from,
            valid_to=valid_to,
            units=units,
        )

    def unique(self, items: list[Any], what: str) -> list[Any]:
        seen: set[str] = set()
        for item in items:
            if item.id and item.id in seen:
                self.error(f"[[{what}]]", f"id {item.id!r} is given twice")
            seen.add(item.id)
        return items

    def references(self, groups: list[Group], areas: list[Area], stations: list[Station]) -> None:
        group_ids = {g.id for g in groups}
        area_ids = {a.id for a in areas}
        for a in areas:
            if a.group not in group_ids:
                self.error(f"area {a.id!r}", f"group {a.group!r} is no [[group]] of this file")
        since: Callable[[Station], tuple[str, dt.date]] = lambda s: (s.id, s.valid_from)  # noqa: E731
        seen: set[tuple[str, dt.date]] = set()
        for s in stations:
            if s.area not in area_ids:
                self.error(f"station {s.id!r}", f"area {s.area!r} is no [[area]] of this file")
            if since(s) in seen:
                self.error(f"station {s.id!r}", f"is given twice from {s.valid_from}")
            seen.add(since(s))
            for other in stations:
                if other.id > s.id and other.mn == s.mn and _overlap(s, other):
                    self.error(f"station {s.id!r}", f"has the MN {s.mn} of station {other.id!r} at the same time")


def _overlap(a: Station, b: Station) -> bool:
    far = dt.date.max
    return a.valid_from <= (b.valid_to or far) and b.valid_from <= (a.valid_to or far)
