"""The example district, or a few of its sources, and what comes of simulating them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from schemas.registry import Registry, load
from streams import hj212
from streams.simulator import fitting, scenarios
from streams.simulator.events import Event, Mark
from streams.simulator.scenarios import Scenario
from streams.simulator.timeline import Plan, events
from streams.simulator.world import World

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "districts" / "example"
FOLDER = EXAMPLE / "scenarios"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
START = dt.date(2026, 4, 6)
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_775_404_800_000  # 2026-04-06 00:00 Beijing time
EITHER = hj212.Device(crc_mode="either")


@cache
def district() -> Registry:
    """The whole example."""
    return load(EXAMPLE)


def only(ids: Iterable[str]) -> Registry:
    """The example without the outlets, sections and stations that are not named; meters follow their outlets."""
    wanted = set(ids)
    whole = district()
    outlets = tuple(o for o in whole.outlets if o.id in wanted)
    kept = {o.id for o in outlets}
    sections = tuple(s for s in whole.sections if s.id in wanted)
    return dataclasses.replace(
        whole,
        stations=tuple(s for s in whole.stations if s.id in wanted),
        sections=sections,
        reaches=tuple(r for r in whole.reaches if {r.upper, r.lower} <= {s.id for s in sections}),
        outlets=outlets,
        meters=tuple(m for m in whole.meters if m.outlet in kept),
    )


def load_scenario(name: str, registry: Registry, days: int) -> tuple[Scenario, ...]:
    """A checked scenario of the example; ``name`` may have ``@STRENGTH``."""
    found = scenarios.load([name], FOLDER)
    fitting.check(found, registry, START, days)
    return found


def simulated(
    registry: Registry,
    days: int = 1,
    *,
    seed: int = 1,
    chosen: Sequence[Scenario] = (),
    full: Iterable[int] = (),
    start: dt.date = START,
) -> list[Event | Mark]:
    """Everything that happens."""
    plan = Plan(start, days, seed, tuple(chosen), frozenset(full))
    return list(events(World(registry, seed), registry, plan))


def said(items: Iterable[Event | Mark]) -> list[Event]:
    """Of everything, what is bytes."""
    return [item for item in items if isinstance(item, Event)]


def packet(data: bytes) -> hj212.Packet:
    """The one packet these bytes are."""
    pieces = hj212.Framer(lambda mn: EITHER).feed(data)
    assert len(pieces) == 1, pieces
    assert isinstance(pieces[0], hj212.Frame), pieces
    return hj212.parse(pieces[0])


def hours_of(items: Iterable[Event | Mark], mn: str, cn: str = "2061") -> dict[str, dict[str, dict[str, str]]]:
    """By DataTime, then code, what a logger said last; parts of one packet together."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for event in said(items):
        if event.mn == mn and f";CN={cn};".encode() in event.data:
            read = packet(event.data)
            found.setdefault(read.data_time or "", {}).update({code: dict(values) for code, values in read.readings})
    return found
