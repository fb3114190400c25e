"""What every benchmark prints and how: the machine, medians, the cost of processes."""

from __future__ import annotations

import cProfile
import os
import platform
import pstats
import statistics
import textwrap
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
WIDTH = 120
SAMPLE = ROOT / "districts" / "beijing_2015_11_12.csv.gz"
DISTRICT = ROOT / "districts" / "beijing.toml"
YEAR = ROOT.parent / "shared" / "data" / "air" / "beijing_2015_hourly.csv.gz"
PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "msgspec", "numpy")
_TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Cores, memory, load, versions; no name of a host and no path."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), {memory:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f} before we began, {platform.system()} {platform.release().split('-')[0]}\n"
        f"Python {platform.python_version()}, {packages}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def heading(text: str) -> None:
    """Begin a section."""
    print(f"\n## {text}", flush=True)


def line(what: str, *figures: str) -> None:
    """One measurement."""
    print(f"{what:44} {'   '.join(figures)}", flush=True)


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Median of the wall seconds of some runs."""
    return statistics.median(_seconds(work) for _ in range(times))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def profile(work: Callable[[], object]) -> None:
    """Print where the time goes."""
    profiler = cProfile.Profile()
    profiler.runcall(work)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process so far.

    Raises:
        OSError: there is no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid: int) -> float:
    """Largest resident memory of a process so far, MiB.

    Raises:
        OSError: there is no such process.
    """
    for entry in Path(f"/proc/{pid}/status").read_text().splitlines():
        if entry.startswith("VmHWM:"):
            return int(entry.split()[1]) / 1024
    raise ProcessLookupError(pid)  # it ended and is not yet collected


def filled(text: str, **words: object) -> str:
    """A paragraph of the document with its words put in."""
    return textwrap.fill(text.format(**words), WIDTH, break_long_words=False, break_on_hyphens=False)


def write_section(name: str, section: str) -> None:
    """Write a section of docs/performance.md between its marks; at the end when it is not there yet.

    Raises:
        ValueError: only one of the marks is there.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = DOCUMENT.read_text(encoding="utf-8")
    if (begin in text) != (end in text):
        raise ValueError(f"{DOCUMENT.name} has only one of {begin} and {end}")
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}{end}\n"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{section}\n{end}{after}", encoding="utf-8")
