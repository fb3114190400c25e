"""A simulated run into a log in memory: devices, gateway and intake as they are, no sockets and no broker between them.

Bytes of the simulated loggers go into connections of a real gateway, whose clock is set step by step as a player sets
it; its writer appends to a list. A week of eight air stations takes about a second.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

from agents.rejudge import JUDGES, Rejudged, rejudge
from schemas import topics
from schemas.registry import Registry
from streams.clock import VIRTUAL, WriterClock
from streams.connection import Connection
from streams.gateway import Gateway
from streams.journal import Record
from streams.simulator.events import CUT, Event, steps
from streams.simulator.timeline import Plan, Timeline
from streams.simulator.world import World
from streams.writer import Writer

STEP_MS: Final = 30_000
"""As ``envstream up --simulate`` sends."""
_NAME: Final = "gw"


@dataclass(frozen=True)
class Run:
    """What a simulated district left.

    Attributes:
        registry: of the sources that spoke; the log has the whole one.
        plan: what was simulated.
        records: the log.
        clock_off: when the gateway knew a logger's clock to be wrong, epoch ms, by source.
    """

    registry: Registry
    plan: Plan
    records: list[Record]
    clock_off: Mapping[str, list[int]] = field(default_factory=dict)

    @cached_property
    def judged(self) -> Rejudged:
        """What the agents make of it."""
        kinds = {source.kind for source in self.registry.sources}
        judges = {
            topic: make for kind, topic in topics.READINGS_OF.items() if kind in kinds and (make := JUDGES.get(topic))
        }
        return rejudge(self.records, judges=judges)


def with_only(registry: Registry, kinds: Collection[str], enterprises: Collection[str] = ()) -> Registry:
    """A district whose sources of other kinds say nothing; of enterprises only these, all when none is named."""
    gone: dict[str, Any] = {}
    if "air" not in kinds:
        gone |= {"stations": ()}
    if "water" not in kinds:
        gone |= {"sections": (), "reaches": ()}
    if "emission" not in kinds:
        gone |= {"outlets": (), "meters": ()}
    elif enterprises:
        gone["outlets"] = tuple(outlet for outlet in registry.outlets if outlet.enterprise in enterprises)
        gone["meters"] = tuple(meter for meter in registry.meters if meter.enterprise in enterprises)
    return dataclasses.replace(registry, **gone)


def simulate(
    registry: Registry,
    plan: Plan,
    *,
    kinds: Collection[str],
    enterprises: Collection[str] = (),
    step_ms: int = STEP_MS,
    keep: Callable[[list[Record]], object] | None = None,
    stop_ms: int | None = None,
) -> Run:
    """Simulate a plan into a log.

    Args:
        registry: of the district, as it goes into the log.
        plan: what happens.
        kinds: of sources that speak: air, water, emission.
        enterprises: that speak; all unless given.
        step_ms: packets of how long are received at one instant.
        keep: takes what is written, as it is written; unless given, it is in the run's records.
        stop_ms: the log breaks off at this instant, epoch ms, in the middle of everything; unless given, it goes on
            until everything is said and closed.
    """
    return asyncio.run(_simulate(registry, with_only(registry, kinds, enterprises), plan, step_ms, keep, stop_ms))


async def _simulate(
    registry: Registry,
    speaking: Registry,
    plan: Plan,
    step_ms: int,
    keep: Callable[[list[Record]], object] | None,
    stop_ms: int | None,
) -> Run:
    writer = _Memory(keep)
    gateway = Gateway(cast(Writer, writer), registry, WriterClock(VIRTUAL))
    await writer.append(gateway.intake.registry_records())
    writing = asyncio.create_task(gateway.intake.run())
    lines: dict[str, Connection] = {}
    clock_off: dict[str, list[int]] = {}
    timeline = Timeline(World(speaking, plan.seed), speaking, plan)
    port = 0
    for end_ms, batch in steps(timeline.events(), step_ms):
        if stop_ms is not None and end_ms > stop_ms:
            break
        await gateway.intake.set_clock(end_ms)
        for item in batch:
            if isinstance(item, Event):
                line = lines.get(item.mn)
                if line is None:
                    port += 1
                    line = lines[item.mn] = Connection(gateway)
                    line.connection_made(_Wire(port))
                line.data_received(item.data)
            elif item.what == CUT:
                lines.pop(item.mn, None)
        while gateway.intake.waiting or any(line.waiting for line in lines.values()):
            if writing.done():
                writing.result()  # whoever takes what is written has raised
            await asyncio.sleep(0)
        for session in gateway.sessions.values():
            if session.clock_off:
                clock_off.setdefault(session.source, []).append(end_ms)
    writing.cancel()
    return Run(speaking, plan, writer.records, clock_off)


class _Memory:
    """What a gateway's intake needs of a writer."""

    def __init__(self, keep: Callable[[list[Record]], object] | None) -> None:
        self.name = _NAME
        self.partitions = topics.EMBEDDED_PARTITIONS
        self.journal = None
        self.busy = False
        self.records: list[Record] = []
        self._keep = keep or self.records.extend

    async def append(self, records: list[Record], *, wait: bool = True, keep: bool = True) -> None:
        self._keep(records)


class _Wire(asyncio.Transport):
    """The platform's end of a line that nobody reads."""

    def __init__(self, port: int) -> None:
        super().__init__({"peername": ("127.0.0.1", port)})
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """An answer: the simulated loggers need none, all was written when the step ended."""

    def is_closing(self) -> bool:
        """Of asyncio."""
        return not self._open

    def abort(self) -> None:
        """Of asyncio."""
        self._open = False

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""
