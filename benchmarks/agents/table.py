"""From runs to rows: medians, ratios to the first contestant, wrong hour means; printed, and for the document."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.agents.measure import Killed, Straight
from benchmarks.agents.plan import Found, stations_between
from benchmarks.report import heading, line

NOTHING = "–"
NOISE_MIB = 5.0
"""Bytewax with a thousand stations had 76 to 87 MiB in three runs."""


@dataclass(frozen=True)
class Row:
    """Figures of one contestant; None where they were not taken."""

    name: str
    failed: str = ""
    per_core: float | None = None
    per_second: float | None = None
    memory_mib: float | None = None
    back_s: float | None = None
    wrong: int | None = None
    wrong_killed: int | None = None
    of: int = 0
    of_killed: int = 0


def row_of(found: Found) -> Row:
    """Medians of its runs; of the wrong hour means the most."""
    name = found.contestant.name
    if found.failed:
        return Row(name, found.failed)
    came_back = [run.back_s for run in found.killed if run.back_s is not None]
    return Row(
        name,
        per_core=_median(found.straight, lambda run: run.readings / run.cpu_s),
        per_second=_median(found.straight, lambda run: run.readings / run.wall_s),
        memory_mib=_memory(found),
        back_s=statistics.median(came_back) if came_back else None,
        wrong=_most(found.straight),
        wrong_killed=_most(found.killed),
        of=max((run.means for run in found.straight), default=0),
        of_killed=max((run.means for run in found.killed), default=0),
    )


def _median(runs: list[Straight], figure: Callable[[Straight], float]) -> float | None:
    figures = [figure(run) for run in runs if run.complete]
    return statistics.median(figures) if figures else None


def _memory(found: Found) -> float | None:
    """MiB that a thousand more stations take."""
    if not found.many:
        return None
    many, few = (statistics.median(run.memory_mib for run in runs) for runs in (found.many, found.few))
    return (many - few) / stations_between(found.contestant) * 1_000


def _most(runs: list[Straight] | list[Killed]) -> int | None:
    return max((run.differing for run in runs), default=None)


def show(rows: list[Row]) -> None:
    """Print the rows, with ratios to the first."""
    base = rows[0]
    heading("readings per second of one core, and on the clock; ratio to the first")
    for row in rows:
        line(
            row.name,
            *_or_failed(
                row, [rate(row.per_core), ratio(row.per_core, base.per_core), f"{rate(row.per_second)} by the clock"]
            ),
        )
    if any(row.memory_mib is not None for row in rows):
        heading("resident memory of a thousand more stations")
        for row in rows:
            line(row.name, *_or_failed(row, [mib(row.memory_mib), ratio(_sound(row), _sound(base))]))
    heading("kill -9 in the middle: until the first new message is in hand")
    for row in rows:
        line(row.name, *_or_failed(row, [seconds(row.back_s), ratio(row.back_s, base.back_s)]))
    heading("hour means that are not the true ones: undisturbed, and after a kill -9")
    for row in rows:
        line(row.name, *_or_failed(row, [wrong(row.wrong, row.of), wrong(row.wrong_killed, row.of_killed)]))


def _sound(row: Row) -> float | None:
    """Memory that is more than noise."""
    return row.memory_mib if row.memory_mib is not None and row.memory_mib >= NOISE_MIB else None


def _or_failed(row: Row, figures: list[str]) -> list[str]:
    return [row.failed] if row.failed else [f"{figure:>16}" for figure in figures]


def markdown(rows: list[Row]) -> str:
    """The table of the document."""
    base = rows[0]
    lines = [
        "| | readings/s of a core | ratio | by the clock | MiB per 1 000 stations | kill -9 to next message "
        "| wrong hour means: undisturbed | after a kill |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.failed:
            lines.append(f"| {row.name} | {row.failed} | | | | | | |")
            continue
        cells = [
            row.name, rate(row.per_core), ratio(row.per_core, base.per_core), rate(row.per_second),
            mib(row.memory_mib), seconds(row.back_s),
            wrong(row.wrong, row.of), wrong(row.wrong_killed, row.of_killed),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rate(value: float | None) -> str:
    """Two digits, as more are not repeatable: ``420 000``."""
    if value is None:
        return NOTHING
    return f"{round(value, 2 - len(str(int(value)))):,.0f}".replace(",", " ")


def ratio(value: float | None, base: float | None) -> str:
    """To the first contestant."""
    if value is None or not base:
        return NOTHING
    found = value / base
    return f"{rate(found)} x" if found >= 10 else f"{found:.1f} x" if found >= 1 else f"{found:.2f} x"


def mib(value: float | None) -> str:
    """Memory; no figure where it would be noise."""
    if value is None:
        return NOTHING
    return f"under {NOISE_MIB:.0f} MiB" if value < NOISE_MIB else f"{value:.0f} MiB"


def seconds(value: float | None) -> str:
    """A time."""
    return NOTHING if value is None else f"{value:.1f} s"


def wrong(value: int | None, of: int) -> str:
    """Wrong of how many."""
    return NOTHING if value is None else f"{value:,} of {of:,}".replace(",", " ")
