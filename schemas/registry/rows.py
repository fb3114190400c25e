"""What stands in a registry: one dataclass per table of the file.

Amounts are decimal texts as they were written, so that a rule can be exact; coordinates are floats (a map is not
judged). ``valid_from`` and ``valid_to`` are Beijing dates, both inclusive; None: open. A row that changes is written
again with a later ``valid_from`` and ends the row before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from schemas.registry.words import AIR_UNITS, ALWAYS, PUBLISHED_UNIT


@dataclass(frozen=True)
class Tls:
    """A second port of the gateway, for loggers that can do TLS. Paths are relative to the folder it runs in."""

    port: int
    cert: str
    key: str
    client_ca: str = ""


@dataclass(frozen=True)
class Receive:
    """Where loggers are received, and where a replay may set the clock (loopback only).

    ``expects``: of loggers that do not say otherwise.
    """

    host: str
    port: int
    control_port: int
    idle_s: int = 600
    most_connections: int = 5_000
    most_per_address: int = 1_000
    tls: Tls | None = None
    expects: str = "hour"


@dataclass(frozen=True)
class Group:
    """What is judged together and therefore travels in one partition."""

    id: str
    name: str


@dataclass(frozen=True)
class Area:
    """A district or township whose air is judged as one. A township lies ``within`` its district."""

    id: str
    name: str
    name_en: str
    group: str
    kind: str = "district"
    within: str = ""
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Station:
    """An air station as it is from ``valid_from`` on.

    ``area``: the district it stands in; only ``city`` stations count for it. ``township``: "" or the area of that
    kind; ``city`` and ``township`` stations count for it.
    """

    id: str
    name: str
    area: str
    mn: str
    kind: str
    valid_from: dt.date
    valid_to: dt.date | None
    units: Mapping[str, str] = field(default_factory=dict)
    township: str = ""
    lat: float | None = None
    lon: float | None = None

    def shift(self, factor: str) -> int:
        """Places the decimal point moves left from what the logger sends to the published unit."""
        return AIR_UNITS[factor][self.units.get(factor, PUBLISHED_UNIT[factor])]


@dataclass(frozen=True)
class Source:
    """Whatever sends: a station, a section, an outlet, or the electricity meters of an enterprise.

    ``id`` is the id of the station, section or outlet; of the enterprise for meters with an MN of their own.
    ``valid_to`` is the last day this MN is its, also where a later row or the end of the source ended it.
    """

    id: str
    kind: str
    group: str
    mn: str
    name: str
    valid_from: dt.date
    valid_to: dt.date | None


@dataclass(frozen=True)
class Logger:
    """The data logger (数采仪) of an MN: its dialect, its quirks, what may be sent to it.

    ``units``: the unit it sends a factor in, where that is not the published one. ``scale``: what its numbers are to
    be multiplied by, a power of ten as text. ``expects``: hour, minute or realtime, by which its silence is measured;
    "" as ``[receive]`` says.
    """

    mn: str
    crc_mode: str = "hj212"
    password: bool = False
    sm4: bool = False
    commands: tuple[str, ...] = ()
    over_time_s: int = 10
    re_count: int = 3
    realtime_s: int = 60
    minute_interval: int = 10
    hour_within_s: int = 1_800
    edition: int = 2017
    units: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, str] = field(default_factory=dict)
    expects: str = ""
    valid_from: dt.date = ALWAYS
    valid_to: dt.date | None = None

    @property
    def interval_s(self) -> int:
        """How often it must say something, seconds."""
        return {"realtime": self.realtime_s, "minute": 60 * self.minute_interval}.get(self.expects, 3_600)

    def scale_shift(self, factor: str) -> int:
        """Places the decimal point moves left because of ``scale``: 1 for "0.1", -1 for "10"."""
        return -Decimal(self.scale.get(factor, "1")).adjusted()


@dataclass(frozen=True)
class Section:
    """A river section (断面), a point of a lake or reservoir, or a spring.

    ``border``: "in" where the river enters the district, "out" where it leaves. ``factors``: what its station
    measures. ``standalone``: a river section that no reach joins to another.
    """

    id: str
    name: str
    mn: str
    group: str
    body: str
    river: str
    factors: tuple[str, ...]
    valid_from: dt.date
    valid_to: dt.date | None = None
    border: str = ""
    control: str = "district"
    drinking_source: bool = False
    standalone: bool = False
    township: str = ""
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Target:
    """What a section owes: a class 1 … 5, looser or stricter limits of single items, items not judged."""

    section: str
    target_class: int
    limits: Mapping[str, str]
    excluded: tuple[str, ...]
    valid_from: dt.date
    valid_to: dt.date | None = None


@dataclass(frozen=True)
class Reach:
    """The river between two sections; ``upper`` is upstream. Velocities in m/s, decimal texts."""

    upper: str
    lower: str
    length_km: str
    v_low_m_s: str
    v_mid_m_s: str
    v_high_m_s: str
    enabled: bool = True
    valid_from: dt.date = ALWAYS
    valid_to: dt.date | None = None

    def travel_s(self) -> tuple[int, int, int]:
        """Whole seconds the water takes: earliest (v_high), probable (v_mid), latest (v_low)."""
        metres = Fraction(self.length_km) * 1_000
        earliest, probable, latest = (
            round(metres / Fraction(v)) for v in (self.v_high_m_s, self.v_mid_m_s, self.v_low_m_s)
        )
        return earliest, probable, latest


@dataclass(frozen=True)
class Enterprise:
    """A polluter. ``contact`` is the id of a person of the role enterprise, or ""."""

    id: str
    name: str
    industry: str
    group: str
    contact: str = ""
    township: str = ""
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Permit:
    """Tonnes of pollutants an enterprise may emit in a year (排污许可证)."""

    enterprise: str
    year: int
    tonnes: Mapping[str, str]
    number: str = ""


@dataclass(frozen=True)
class Outlet:
    """A stack or a waste-water outlet (排口), or the inlet of a sewage plant.

    ``ref_o2_pct``: None where the measured value is judged. ``normal_flow``: m3/s dry standard of gas, L/s of water,
    at full load. ``ranges`` and ``detection``: full scale and detection limit of an analyser, in the factor's
    published unit. ``rules``: of facility supervision, by rule or check what is other than in the tables: decimal texts
    by name, and ``enabled``. ``main``: 主要排放口 of the permit.
    """

    id: str
    enterprise: str
    name: str
    mn: str
    medium: str
    process: str
    factors: tuple[str, ...]
    valid_from: dt.date
    valid_to: dt.date | None = None
    ref_o2_pct: str | None = None
    duct_area_m2: str | None = None
    normal_flow: str | None = None
    ranges: Mapping[str, str] = field(default_factory=dict)
    detection: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)
    main: bool = True
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True)
class Limit:
    """One limit of one factor at one outlet.

    ``side``: "most", or "least" (pH from 6). ``cold_limit``: in its place while the water has 12 °C or less (NH3-N of
    sewage plants), or None.
    """

    outlet: str
    factor: str
    kind: str
    limit: str
    unit: str
    averaging: str
    basis: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    side: str = "most"
    cold_limit: str | None = None


@dataclass(frozen=True)
class Meter:
    """A signal of production or treatment, reported as ``factor`` by the outlet's logger or by one of its own.

    ``source``: id of the source whose blocks carry it: the outlet, or the enterprise where ``mn`` is given.
    ``on_share``: share of ``rated`` above which it is "on"; None: as the rule says.
    """

    id: str
    name: str
    outlet: str
    enterprise: str
    source: str
    factor: str
    measures: str
    rated: str | None
    unit: str
    on_share: str | None = None
    mn: str = ""
    valid_from: dt.date = ALWAYS
    valid_to: dt.date | None = None


@dataclass(frozen=True)
class Channel:
    """A way to reach a person. ``secret`` is the name under which the secret is kept outside the repository."""

    kind: str
    secret: str


@dataclass(frozen=True)
class Quiet:
    """From ``start_min`` to ``end_min`` (minutes of the day, over midnight if smaller) levels up to ``up_to`` wait."""

    start_min: int
    end_min: int
    up_to: str


@dataclass(frozen=True)
class Person:
    """Somebody who is told; the first channel is tried first. ``rights``: what the desk lets them do."""

    id: str
    name: str
    role: str
    channels: tuple[Channel, ...]
    quiet: tuple[Quiet, ...] = ()
    enterprise: str = ""
    rights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shift:
    """A span of the day somebody has the duty (班次), in turns.

    ``days``: on which it is. ``start_min``, ``end_min``: minutes of the day; the end is on the next day unless it is
    later than the start. The first of ``persons`` has it on ``valid_from`` (by the week: in its week, from Monday).
    """

    id: str
    name: str
    role: str
    days: str
    start_min: int
    end_min: int
    persons: tuple[str, ...]
    rotate: str
    valid_from: dt.date
    valid_to: dt.date | None = None


@dataclass(frozen=True)
class Holiday:
    """A day off, or (``work``) a weekend day that is worked (调休)."""

    date: dt.date
    name: str
    work: bool = False


@dataclass(frozen=True)
class Swap:
    """On these dates ``substitute`` has the turns of ``person`` on that shift."""

    shift: str
    first: dt.date
    last: dt.date
    person: str
    substitute: str


@dataclass(frozen=True)
class Task:
    """What the district owes in a year.

    ``kind``: good_days (of area ``subject``), composite_index (of area ``subject``), section_share (percent of the
    sections of group ``subject`` that are class ``to_class`` or better, or meet their target where None), tonnes (of
    ``factor``, of enterprise ``subject`` or of all with "all").
    """

    year: int
    kind: str
    value: str
    subject: str
    factor: str = ""
    to_class: int | None = None
