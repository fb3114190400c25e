"""The district's registry: who is watched, by which logger, under which limits, and who is told.

One TOML file per district, checked at once with all its errors. Every judged property has
``valid_from``: what changes is written again with a later date, and the past keeps what was
true then. Verdicts carry the registry's digest. Format 1 is described in ``docs/registry.md``.
"""

from schemas.registry.district import Registry
from schemas.registry.parsing import FORMAT, RegistryError, load, parse
from schemas.registry.roster import Duty, OnDuty, Roster, reachable_at
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
    Source,
    Station,
    Swap,
    Target,
    Task,
    Tls,
)
from schemas.registry.words import AIR_FACTORS, AIR_UNITS, PROCESSES, PUBLISHED_UNIT, Process

__all__ = [
    "AIR_FACTORS",
    "AIR_UNITS",
    "FORMAT",
    "PROCESSES",
    "PUBLISHED_UNIT",
    "Area",
    "Channel",
    "Duty",
    "Enterprise",
    "Group",
    "Holiday",
    "Limit",
    "Logger",
    "Meter",
    "OnDuty",
    "Outlet",
    "Permit",
    "Person",
    "Process",
    "Quiet",
    "Reach",
    "Receive",
    "Registry",
    "RegistryError",
    "Roster",
    "Section",
    "Shift",
    "Source",
    "Station",
    "Swap",
    "Target",
    "Task",
    "Tls",
    "load",
    "parse",
    "reachable_at",
]
