"""The whole district judged again: every reading of the simulated one through the judges of the worker, without Kafka.

Run: ``python -m benchmarks district``, a month at full cadence; ``--days 2`` is the short form, ``--docs`` writes the
section of docs/performance.md, ``--profile emission`` prints where an agent's time goes instead.

Devices, gateway and intake are in a process of their own, whose log comes through a pipe. Only the time inside the
judges counts, and the memory is that of the judging process.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import datetime as dt
import multiprocessing
import os
import platform
import pstats
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from agents.rejudge import JUDGES
from agents.scenario_run import simulate
from benchmarks import report
from schemas import blocks, times, topics
from schemas.registry import load
from streams.journal import Record
from streams.simulator.timeline import Plan
from streams.state.judge import Judge

DISTRICT: Final = report.ROOT / "districts" / "example"
START: Final = dt.date(2026, 4, 1)
MONTH: Final = 30
PARTITIONS: Final = topics.EMBEDDED_PARTITIONS
KIND_OF: Final = {topic: kind for kind, topic in topics.READINGS_OF.items()}
WEEK: Final = 7

WHAT = """\
`python -m benchmarks district` (`--days 2` is the short form; `--docs` writes this section): the example district
simulated for {days} days at full cadence (instants, minutes, hours, days; {readings} readings in {packets} packets and
{blocks} blocks), judged again as `agents/rejudge.py` does: the judges of the worker on {partitions} partitions, one
process, one thread, without Kafka and without checkpoints. Run on {date}: {machine}, {shared}."""

HOW = """\
Rates and times are of one core: the seconds of the processor inside the judges. By the clock the judges took {wall} for
these {days} days, {per_day} a day of the district: judging again is {times} times as fast as living it. Peak memory of
the process {peak} MiB, {before} MiB of it before the first reading."""


@dataclass
class Spent:
    """What an agent took.

    Attributes:
        blocks, packets, readings: it was given.
        messages: it published.
        cpu_s, wall_s: inside its judges.
    """

    blocks: int = 0
    packets: int = 0
    readings: int = 0
    messages: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def add(self, other: Spent) -> None:
        """Together with another."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Judged:
    """What a run took.

    Attributes:
        days: of the district.
        by_kind: air, water, emission.
        cpu_by_day: seconds of the processor by day of the log's now.
        before_mib, peak_mib: resident memory before the first record, and the most of it.
    """

    days: int
    by_kind: dict[str, Spent]
    cpu_by_day: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    before_mib: float = 0.0
    peak_mib: float = 0.0

    @property
    def together(self) -> Spent:
        """All agents."""
        found = Spent()
        for spent in self.by_kind.values():
            found.add(spent)
        return found


def tell_log(pipe: Connection, days: int) -> None:
    """Simulate, and send the records of readings as they are written; the evidence of the gateway is not sent."""

    def keep(records: list[Record]) -> None:
        if wanted := [record for record in records if record.topic in JUDGES]:
            pipe.send_bytes(msgspec.msgpack.encode(wanted))

    plan = Plan(START, days, 1, (), frozenset(range(1, days + 1)))
    simulate(load(DISTRICT), plan, kinds={"air", "water", "emission"}, keep=keep)
    pipe.close()


def log_of(days: int) -> Iterator[Record]:
    """The log of so many simulated days, from a process of its own.

    Raises:
        RuntimeError: it failed; what it said is on stderr.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=tell_log, args=(theirs, days), daemon=True)
    process.start()
    theirs.close()
    decode = msgspec.msgpack.Decoder(list[Record]).decode
    with contextlib.suppress(EOFError):
        while True:
            yield from decode(ours.recv_bytes())
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the simulation ended with {process.exitcode}: see above")


def judge(days: int, profiler: cProfile.Profile | None = None, profiled: str = "") -> Judged:
    """Judge so many days; with a profiler, watch one kind's judges."""
    judges: dict[tuple[str, int], Judge] = {
        (topic, p): make(p, PARTITIONS) for topic, make in JUDGES.items() for p in range(PARTITIONS)
    }
    offsets: Counter[tuple[str, int]] = Counter()
    found = Judged(days, {KIND_OF[topic]: Spent() for topic in JUDGES}, before_mib=report.peak_mib(os.getpid()))
    begun, told = time.monotonic(), -1
    for record in log_of(days):
        place = record.topic, record.partition
        kind, one = KIND_OF[record.topic], judges[place]
        spent = found.by_kind[kind]
        count(spent, record)
        name = f"{record.topic}/{record.partition}/{offsets[place]}"
        offsets[place] += 1
        watching = profiler if kind == profiled else None
        if watching is not None:
            watching.enable()
        wall, cpu = time.perf_counter(), time.thread_time()
        outputs = one.take(record.value, name)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        if watching is not None:
            watching.disable()
        spent.messages += len(outputs)
        spent.cpu_s += cpu
        spent.wall_s += wall
        day = times.day_of((one.now_ms or 0) // 1000) - times.day_number(START) + 1
        found.cpu_by_day[min(max(day, 1), days)] += cpu
        if day > told:
            told = day
            print(f"{time.monotonic() - begun:5.0f} s  day {day} of {days}", file=sys.stderr, flush=True)
    found.peak_mib = report.peak_mib(os.getpid())
    return found


def count(spent: Spent, record: Record) -> None:
    """What a record holds; ticks and registries count as nothing."""
    block = blocks.decode(record.value)
    if isinstance(block, blocks.Block):
        spent.blocks += 1
        spent.packets += len(block.source)
        spent.readings += len(block.values)


def growth(found: Judged) -> float | None:
    """How much more of the processor the last whole week took than the second one; None where that cannot be said.

    The first week is not asked: nothing of what agents look back to was there yet.
    """
    if found.days < 3 * WEEK:
        return None
    of = [found.cpu_by_day[day] for day in range(1, found.days + 1)]
    return sum(of[-WEEK:]) / sum(of[WEEK : 2 * WEEK])


def show(found: Judged) -> None:
    """Print it."""
    for kind, spent in (*found.by_kind.items(), ("together", found.together)):
        report.heading(kind)
        report.line(
            "given", f"{spent.blocks:,} blocks", f"{spent.packets:,} packets", f"{spent.readings:,} readings",
            f"{spent.messages:,} messages published",
        )  # fmt: skip
        report.line(
            "a core judges",
            f"{spent.packets / spent.cpu_s:,.0f} packets/s",
            f"{spent.readings / spent.cpu_s:,.0f} readings/s",
        )
        report.line(
            "a day of the district",
            f"{spent.cpu_s / found.days:.2f} s of a core",
            f"{spent.wall_s / found.days:.2f} s by the clock",
        )
        month = MONTH / found.days / 60
        report.line(
            f"a month ({MONTH} days){'' if found.days == MONTH else ', reckoned'}",
            f"{spent.cpu_s * month:.1f} min of a core",
            f"{spent.wall_s * month:.1f} min by the clock",
        )
    report.heading("memory and growth")
    report.line("peak memory", f"{found.peak_mib:.0f} MiB", f"{found.before_mib:.0f} before the first reading")
    grown = growth(found)
    if grown is not None:
        report.line("last week against the second", f"{grown:.2f} times")


def section(found: Judged, *, alone: bool) -> str:
    """The section of docs/performance.md."""
    together = found.together
    head = ("agent", "readings", "packets/s", "readings/s", "a day of the district", f"all {found.days} days")
    rows = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|"]
    for kind, spent in (*found.by_kind.items(), ("together", together)):
        rows.append(
            f"| {kind} | {spaced(spent.readings)} | {spaced(two(spent.packets / spent.cpu_s))} "
            f"| {spaced(two(spent.readings / spent.cpu_s))} | {spent.cpu_s / found.days:.2f} s "
            f"| {spent.cpu_s / 60:.1f} min |"
        )
    grown = growth(found)
    what = report.filled(
        WHAT,
        days=found.days,
        readings=spaced(together.readings),
        packets=spaced(together.packets),
        blocks=spaced(together.blocks),
        partitions=PARTITIONS,
        date=dt.datetime.now(times.BEIJING).date().isoformat(),
        machine=f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python {platform.python_version()}",
        shared="alone on them" if alone else "shared with other work",
    )
    how = HOW if grown is None else f"{HOW} The last week took {{grown}} times as long as the second."
    said = report.filled(
        how,
        days=found.days,
        wall=f"{together.wall_s / 60:.1f} min",
        per_day=f"{together.wall_s / found.days:.1f} s",
        times=spaced(two(found.days * times.DAY_S / together.wall_s)),
        peak=f"{found.peak_mib:.0f}",
        before=f"{found.before_mib:.0f}",
        grown=f"{grown or 0:.2f}",
    )
    heading = f"## {'A month' if found.days == MONTH else 'Days'} of the district judged again"
    return "\n\n".join((heading, what, "\n".join(rows), said))


def two(number: float) -> int:
    """To two significant figures: more of them were not the same in the next run."""
    return int(float(f"{number:.2g}"))


def spaced(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}".replace(",", " ")


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks district", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--days", type=int, default=MONTH, help="of the district, at full cadence")
    parser.add_argument("--docs", action="store_true", help="write the section of docs/performance.md anew")
    parser.add_argument(
        "--profile", metavar="KIND", choices=sorted(KIND_OF.values()), help="where an agent's time goes"
    )
    asked = parser.parse_args(words)
    if asked.days < 1:
        parser.error("--days: give one at least")
    alone = os.getloadavg()[0] < 0.5
    profiler = cProfile.Profile() if asked.profile else None
    found = judge(asked.days, profiler, asked.profile or "")
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        return 0
    show(found)
    if asked.docs:
        report.write_section("district", section(found, alone=alone))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
