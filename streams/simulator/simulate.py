"""A simulated district sent somewhere: into a recording, to a gateway, or straight into Kafka.

Into Kafka means through a gateway of its own beside it, on loopback: what arrives is packed, judged for its verdict and
counted by the same code as everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas import times
from schemas.registry import Registry
from streams.logger_client import Address, ReplayError, Timing
from streams.simulator.driver import Driver
from streams.simulator.events import Event, Mark, steps
from streams.simulator.recording import STEP_MS, Header, Writer
from streams.simulator.scenarios import FOLDER
from streams.simulator.timeline import Plan, Timeline
from streams.simulator.world import World
from streams.supervisor import stop_process

REMEMBERED: Final = 200
"""Packets a logger keeps for a platform that asks for the past."""
WALL_STEP_MS: Final = 1_000
READY_S: Final = 60.0
Progress = Callable[[int, int], None]
"""Told hours done and hours in all."""


@dataclass(frozen=True)
class Kafka:
    """A broker as a target: its address, and the registry's file for the gateway beside it."""

    bootstrap: str
    district: Path


@dataclass(frozen=True)
class Simulation:
    """What to simulate, and where it goes.

    Attributes:
        registry: the district.
        plan: days, seed, scenarios, which days in full.
        to: a file of a recording, a gateway, or Kafka.
        control: the gateway's control port; None for the registry's, on loopback.
        speed: virtual seconds per second; None for as fast as it goes.
        wall: instants are those of the wall clock, and the gateway keeps its own; what lies before now is left out.
        step_ms: packets of how long are sent under one setting of the gateway's clock.
        timing: patience of loggers and control connection.
    """

    registry: Registry
    plan: Plan
    to: Path | Address | Kafka
    control: Address | None = None
    speed: float | None = None
    wall: bool = False
    step_ms: int = STEP_MS
    timing: Timing = field(default_factory=Timing)


def folder_of(district: Path) -> Path:
    """Where a district's scenarios are."""
    return (district if district.is_dir() else district.parent) / FOLDER


def truth_of(plan: Plan) -> list[dict[str, Any]]:
    """What must be concluded from a run."""
    return [each.as_dict() for scenario in plan.scenarios for each in scenario.truth(plan.start_s, plan.full)]


def run(simulation: Simulation, progress: Progress | None = None) -> dict[str, Any]:
    """Simulate; the report.

    Raises:
        RecordingError: the file cannot be written.
        ReplayError: the gateway cannot be reached, refuses, or did not answer while patience lasted.
    """
    progress = progress or (lambda done, total: None)
    if not isinstance(simulation.to, Path):
        return asyncio.run(simulate(simulation, progress))
    # Not in an event loop, which would keep Ctrl-C to itself.
    started, timeline, items = _begin(simulation, progress)
    return _report(simulation, timeline, _into_file(simulation.to, items, simulation), started)


async def simulate(simulation: Simulation, progress: Progress) -> dict[str, Any]:
    """As :func:`run`, to a gateway or into Kafka, inside an event loop."""
    started, timeline, items = _begin(simulation, progress)
    if isinstance(simulation.to, Kafka):
        async with _gateway_beside(simulation.to) as (to, control):
            sent = await _to_gateway(simulation, to, control, items)
    else:
        assert isinstance(simulation.to, Address)
        sent = await _to_gateway(simulation, simulation.to, simulation.control, items)
    return _report(simulation, timeline, sent, started)


def _begin(simulation: Simulation, progress: Progress) -> tuple[float, Timeline, Iterator[Event | Mark]]:
    timeline = Timeline(World(simulation.registry, simulation.plan.seed), simulation.registry, simulation.plan)
    items = _telling(timeline.events(), simulation.plan, progress)
    if simulation.wall:
        now_ms = time.time_ns() // 1_000_000
        items = (item for item in items if item.at_ms >= now_ms)
    return time.perf_counter(), timeline, items


def _report(simulation: Simulation, timeline: Timeline, sent: dict[str, Any], started: float) -> dict[str, Any]:
    plan = simulation.plan
    seconds = time.perf_counter() - started
    count = sum(timeline.packets.values())
    return {
        "start": plan.start.isoformat(),
        "days": plan.days,
        "seed": plan.seed,
        "full_days": sorted(plan.full),
        "scenarios": [scenario.name for scenario in plan.scenarios],
        "to": _named(simulation.to),
        "packets": count,
        "by_cn": dict(sorted(timeline.packets.items())),
        "by_kind": dict(sorted(timeline.sources.items())),
        "broken": timeline.broken,
        **sent,
        "seconds": round(seconds, 3),
        "packets_per_s": round(count / seconds),
        "virtual_s_per_s": round(plan.days * times.DAY_S / seconds),
        "truth": truth_of(plan),
    }


def _named(to: Path | Address | Kafka) -> str:
    if isinstance(to, Kafka):
        return f"kafka {to.bootstrap}"
    return f"hj212://{to}" if isinstance(to, Address) else str(to)


def _telling(items: Iterator[Event | Mark], plan: Plan, progress: Progress) -> Iterator[Event | Mark]:
    told = 0
    total = plan.days * 24
    for item in items:
        hours = min((item.at_ms // 1000 - plan.start_s) // times.HOUR_S, total)
        if hours > told:
            told = hours
            progress(told, total)
        yield item


def _into_file(path: Path, items: Iterator[Event | Mark], simulation: Simulation) -> dict[str, Any]:
    plan = simulation.plan
    about = f"simulated from {plan.start}, {plan.days} days, seed {plan.seed}"
    names = " ".join(scenario.name for scenario in plan.scenarios)
    with Writer(path, Header(step_ms=simulation.step_ms, about=f"{about}, {names}" if names else about)) as writer:
        count = 0
        for item in items:
            writer.write(item)
            count += isinstance(item, Event)
    return {"written": count}


async def _to_gateway(
    simulation: Simulation, to: Address, control: Address | None, items: Iterator[Event | Mark]
) -> dict[str, Any]:
    if simulation.wall:
        control = None
    elif control is None:
        control = Address("127.0.0.1", simulation.registry.receive.control_port)
    driver = Driver(
        to, control=control, timing=simulation.timing, speed=simulation.speed, wall=simulation.wall,
        remember=REMEMBERED,
    )  # fmt: skip
    end = rows = 0
    try:
        await driver.open()
        for end, batch in steps(items, WALL_STEP_MS if simulation.wall else simulation.step_ms):
            await driver.step(end, batch)
            rows += sum(isinstance(item, Event) for item in batch)
        await driver.drain()
        await driver.settle(end)  # the mark that ends the run says until when
    finally:
        driver.close()
    counts = driver.counts
    return {
        "rows": rows,
        "rejected": 0,
        "answered": counts.answered,
        "unlisted": counts.unlisted,
        "resent": counts.resent,
        "reconnects": counts.reconnects,
        "requests": counts.requests,
        "loggers": len(driver.mns),
    }


@contextlib.asynccontextmanager
async def _gateway_beside(kafka: Kafka) -> AsyncIterator[tuple[Address, Address]]:
    """A gateway in a process of its own that writes to that broker; where its ports are."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "envstream", "gateway", "--bootstrap", kafka.bootstrap, "--district", str(kafka.district),
        "--host", "127.0.0.1", "--port", "0", "--control-port", "0", "--clock", "virtual", "--leash",
        "--log-level", "warning", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), READY_S)
            told = json.loads(line)
        except (TimeoutError, ValueError):
            raise ReplayError(f"Kafka {kafka.bootstrap}: the gateway beside it did not start; see above") from None
        yield Address("127.0.0.1", told["port"]), Address("127.0.0.1", told["control_port"])
    finally:
        await stop_process(process)
