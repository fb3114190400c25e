"""The same plan says the same bytes, on every machine; another seed says others; memory does not grow."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from streams.simulator import fitting, scenarios
from streams.simulator.events import END, Event, Mark, steps
from streams.simulator.timeline import Plan, Timeline
from streams.simulator.world import World
from tests.streams.simulator.district import (
    DAY_MS,
    FOLDER,
    HOUR_MS,
    ROOT,
    START,
    START_MS,
    district,
    only,
    packet,
    said,
    simulated,
)

FEW = ("air-luhua", "dianshang-bridge", "songquan-stack", "jingyuan-furnace", "qingyi-outlet")

# changes with every change of models, devices, scenarios or the example; never with the machine or the day it runs.
# A new one: python -c "from tests.streams.simulator.test_timeline import digest; print(digest())"
KNOWN = "6a9638a1e6a3dd9a6bb7117ee5e09b7da2d1404d45d15075623b87f44550bb59"


def digest() -> str:
    """SHA-256 of two days of the example, one of them in full, with three scenarios; run in a subprocess too."""
    chosen = scenarios.load(["exceedance", "silent", "garbage"], FOLDER)
    fitting.check(chosen, district(), START, 2)
    found = hashlib.sha256()
    for item in simulated(district(), 2, seed=20260406, chosen=chosen, full=[2]):
        found.update(repr(tuple(item)).encode())
    return found.hexdigest()


PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from tests.streams.simulator.test_timeline import digest
print(digest())
"""


@pytest.mark.parametrize("wide", [True, False])
def test_the_bytes_are_those_of_every_machine(wide: bool) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "1" if wide else "2"}
    if not wide:
        simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload]
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(simd.get("found", []))
    program = PROGRAM.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == KNOWN


def test_other_seeds_say_other_values_of_the_same_kind() -> None:
    registry = only(FEW)
    one, two = (said(simulated(registry, 2, seed=seed)) for seed in (1, 2))
    same = {event.data for event in one} & {event.data for event in two}
    assert {packet(data).cn for data in same} <= {"2062", "2065", "2066"}  # zero gas is zero gas
    head = [Counter((e.mn, packet(e.data).cn, packet(e.data).st) for e in each) for each in (one, two)]
    assert abs(head[0].total() - head[1].total()) < 10  # another number of parts, never of packets
    assert set(head[0]) == set(head[1])


def test_a_run_is_part_of_a_longer_one() -> None:
    registry = only(FEW)
    short, long = simulated(registry, 2), simulated(registry, 3)
    end = START_MS + 2 * DAY_MS
    assert [e for e in short if e.at_ms < end] == [e for e in long if e.at_ms < end]
    assert short[-1] == Mark(end + 2 * HOUR_MS, END)


def test_the_account_is_of_what_was_said() -> None:
    registry = only(FEW)
    chosen = scenarios.load(["silent"], FOLDER)
    timeline = Timeline(World(registry, 1), registry, Plan(START, 2, 1, chosen, frozenset([2])))
    items = said(timeline.events())
    assert timeline.packets == Counter(packet(e.data).cn for e in items)
    assert sum(timeline.sources.values()) == len(items)
    assert set(timeline.sources) == {"air", "water", "outlet"}


def test_steps_end_where_they_should() -> None:
    items = [Event(at, "m", b"", str(at), True) for at in (1, 9_999, 10_000, 10_001, 5, 30_000, 99_000)]
    assert [(end, [item.at_ms for item in batch]) for end, batch in steps(items, 10_000)] == [
        (10_000, [1, 9_999, 10_000]),
        (20_000, [10_001, 5]),  # what is late does not turn the clock back
        (30_000, [30_000]),
        (100_000, [99_000]),
    ]
    assert [end for end, _ in steps(items, 0)] == [1, 9_999, 10_000, 10_001, 30_000, 99_000]
    assert list(steps([], 0)) == []


GROWTH = """
import resource, sys
sys.path.insert(0, {root!r})
from tests.streams.simulator.district import START, district
from streams.simulator.timeline import Plan, events
from streams.simulator.world import World
count = sum(1 for _ in events(World(district(), 1), district(), Plan(START, int(sys.argv[1]), 1)))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_after_thirty_days_is_that_after_one() -> None:
    found = []
    for days in (1, 30):
        program = [sys.executable, "-c", GROWTH.format(root=str(ROOT)), str(days)]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
        found.append([int(word) for word in done.stdout.split()])
    (few, after_one), (many, after_thirty) = found
    assert many > 25 * few
    assert after_thirty <= 1.1 * after_one
