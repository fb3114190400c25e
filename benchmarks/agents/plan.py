"""How much everybody is given, and the rounds of a run. A round goes through all, so that a busy minute hits all."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.agents.contestants import NAIVE, READINGS, Contestant
from benchmarks.agents.data import Workload
from benchmarks.agents.measure import Bench, Killed, Straight, killed, straight
from benchmarks.agents.process import Ended

HOURS_OF_BLOCKS = Workload(200, 12 * 60)
HOURS_OF_READINGS = Workload(100, 3 * 60)
HOUR_FOR_NAIVE = Workload(40, 60)
"""Slower ones get fewer minutes of the same kind; a rate does not depend on how many."""

MANY, FEW = Workload(1_000, 60), Workload(25, 24 * 60)
MANY_READINGS, FEW_READINGS = Workload(1_000, 2, begin=58), Workload(25, 119)
"""For memory: many stations, and as many readings (within a factor of two) of few. Blocks bring a whole hour of a
thousand stations, because slots grow with the minutes; sums do not, so readings bring three minutes."""

KILL_AFTER_S = (1.0, 1.2, 1.4)
"""After ready, by round."""


@dataclass
class Found:
    """What was found out about a contestant."""

    contestant: Contestant
    straight: list[Straight] = field(default_factory=list)
    many: list[Straight] = field(default_factory=list)
    few: list[Straight] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)
    failed: str = ""


@dataclass(frozen=True)
class Plan:
    """Rounds of each measure."""

    straight: int
    killed: int
    memory: int


FULL, QUICK = Plan(3, 3, 2), Plan(1, 1, 0)


def run(
    bench: Bench, plan: Plan, contestants: list[Contestant], missing: str, tell: Callable[[str], None]
) -> list[Found]:
    """Run the plan. A contestant that fails is left out from there on, and its row says so."""
    found = [Found(c, failed=f"not installed: {missing}" if c.peer and missing else "") for c in contestants]
    for n in range(max(plan.straight, plan.killed, plan.memory)):
        for each in found:
            if not each.failed:
                tell(f"round {n + 1}: {each.contestant.name}")
                try:
                    _round(bench, plan, each, n)
                except (Ended, TimeoutError, RuntimeError, subprocess.SubprocessError) as error:
                    each.failed = str(error).splitlines()[0]
                    tell(f"{each.contestant.name}: {each.failed}")
    return found


def _round(bench: Bench, plan: Plan, found: Found, n: int) -> None:
    contestant = found.contestant
    whole, fed, many, few = _works(contestant)
    if n < plan.straight:
        found.straight.append(straight(bench, contestant, whole))
    if n < plan.memory:
        found.many.append(straight(bench, contestant, many))
        found.few.append(straight(bench, contestant, few))
    if n < plan.killed:
        found.killed.append(killed(bench, contestant, fed, KILL_AFTER_S[n]))


def _works(contestant: Contestant) -> tuple[Workload, Workload, Workload, Workload]:
    if contestant is NAIVE:
        return HOUR_FOR_NAIVE, HOUR_FOR_NAIVE, MANY_READINGS, FEW_READINGS
    if contestant.takes == READINGS:
        return HOURS_OF_READINGS, HOURS_OF_READINGS, MANY_READINGS, FEW_READINGS
    return HOURS_OF_BLOCKS, HOURS_OF_BLOCKS, MANY, FEW


def stations_between(contestant: Contestant) -> int:
    """By how many stations the two runs for memory differ."""
    _, _, many, few = _works(contestant)
    return many.stations - few.stations
