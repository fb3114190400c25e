"""The emission agent on simulated days at full cadence, in one process: readings per second and bytes of state.

python -m benchmarks.emission_agent [DAYS]
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

from agents.emission import EmissionJudge
from agents.rejudge import Rejudged
from agents.scenario_run import simulate
from schemas import blocks, topics
from schemas.registry import load
from streams.simulator.timeline import Plan

DISTRICT = Path(__file__).resolve().parents[1] / "districts" / "example"


def main(days: int = 1) -> None:
    """Simulate, judge, print."""
    plan = Plan(dt.date(2026, 4, 6), days, 1, (), frozenset(range(1, days + 1)))
    records = simulate(load(DISTRICT), plan, kinds={"emission"}).records
    packets = readings = 0
    for record in records:
        if record.topic == topics.READINGS_EMISSION and b'"kind":"block"' in record.value[:20]:
            block = blocks.decode(record.value)
            if isinstance(block, blocks.Block):
                packets, readings = packets + len(block.source), readings + len(block.values)
    judged = Rejudged(topics.EMBEDDED_PARTITIONS, judges={topics.READINGS_EMISSION: EmissionJudge}, keep=())
    begun, cpu = time.perf_counter(), time.process_time()
    for record in records:
        judged.take(record)
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{days} days: {len(records)} records, {packets} packets, {readings} readings")
    print(f"judged in {took:.1f} s ({cpu:.1f} s of CPU): {readings / cpu:,.0f} readings per s of CPU")
    print(f"a month of this: {30 / days * cpu / 60:.1f} min of CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
