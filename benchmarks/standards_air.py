"""Speed of the air law: verdicts per second against the obvious Decimal implementation, in the same run.

Run: ``.venv/bin/python benchmarks/standards_air.py [CSV]``. Prints what it measured; asserts only that both ways agree.
"""

from __future__ import annotations

import math
import os
import platform
import sys
import time
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from agents.assess_air import assess_air
from standards import air
from tests.standards.air import reference

YEAR = Path(__file__).resolve().parents[2] / "shared" / "data" / "air" / "beijing_2015_hourly.csv.gz"
ROWS = 1_000_000
DAYS = 3650
STATIONS = 12
EDITION = "2026"
TABLES = {(p, period): reference.table_of(EDITION, period, p) for p in air.POLLUTANTS for period in ("daily", "hourly")}


def plain_index(pollutant: str, period: str, value: Decimal) -> int:
    """One IAQI as one would write it first: round, find the segment, interpolate, round up."""
    rounded = value.quantize(Decimal("0.1") if pollutant == "CO" else Decimal(1), rounding=ROUND_HALF_EVEN)
    points = TABLES[pollutant, period]
    for (low, index_low), (high, index_high) in pairwise(points):
        if rounded <= high:
            rise = Decimal(index_high - index_low) * (rounded - low) / (high - low)
            return int((rise + index_low).quantize(Decimal(1), rounding=ROUND_CEILING))
    return points[-1][1]


def plain_row(values: list[Decimal | None], period: str) -> tuple[int | None, int | None, list[str]]:
    """AQI, level and primary pollutants of six concentrations, None for missing (HJ 633-2026 5.3)."""
    indices = {
        p: plain_index(p, period, value) for p, value in zip(air.POLLUTANTS, values, strict=True) if value is not None
    }
    highest = max(indices.values(), default=0)
    if not indices or (len(indices) < 6 and highest <= 100):
        return None, None, []
    level = next((level for top, level in reference.LEVELS if highest <= top), 6)
    return highest, level, [p for p, index in indices.items() if index == highest] if highest > 50 else []


def plain_mean(values: list[Decimal | None], least: int) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) / len(known) if len(known) >= least else None


def plain_day(stations: list[list[list[Decimal | None]]]) -> tuple[int | None, int | None, list[str]]:
    """The same of an area's day: hours[station][pollutant][label]."""
    values: list[Decimal | None] = []
    for position, pollutant in enumerate(air.POLLUTANTS):
        each: list[Decimal | None] = []
        for hours in stations:
            if pollutant == "O3":
                means = [plain_mean(hours[position][end - 8 : end], 6) for end in range(8, 25)]
                known = [mean for mean in means if mean is not None]
                enough = len(known) >= 14 or (known and max(known) > Decimal("160.5"))
                each.append(max(known) if enough else None)
            else:
                each.append(plain_mean(hours[position], 20))
        values.append(plain_mean(each, math.ceil(Decimal("0.75") * len(stations))))
    return plain_row(values, "daily")


def said(verdicts: Any, at: int) -> tuple[int | None, int | None, list[str]]:
    """Our verdict in the same words."""
    primary = [p for p, yes in zip(air.POLLUTANTS, verdicts.primary[at], strict=True) if yes]
    return (int(verdicts.aqi[at]), int(verdicts.level[at]), primary) if verdicts.valid[at] else (None, None, [])


def decimals(values: Any) -> list[Decimal | None]:
    return [None if value == air.MISSING else Decimal(int(value)) / 1000 for value in values]


def best_of(work: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def line(name: str, n_ours: int, ours: float, n_plain: int, plain: float) -> None:
    ratio = (n_ours / ours) / (n_plain / plain)
    print(f"{name:<34}{n_ours / ours:>14,.0f} /s   plain Decimal {n_plain / plain:>9,.0f} /s   {ratio:>7,.0f} x")


def rows(rng: np.random.Generator) -> None:
    """Rows of six concentrations, as ``rules aqi`` has them: daily, 2 % of the values missing."""
    made = rng.integers(0, 300_000, (ROWS, 6))
    made[:, 2] //= 20
    made[rng.random(made.shape) < 0.02] = air.MISSING
    rules = air.rules_for(EDITION)
    ours, found = best_of(lambda: air.judge_means(made, rules, "daily"))
    sample = [decimals(row) for row in made[:3000]]
    plain, wanted = best_of(lambda: [plain_row(row, "daily") for row in sample])
    assert wanted == [said(found, at) for at in range(3000)]
    line("AQI of a row, six pollutants", ROWS, ours, 3000, plain)


def days(rng: np.random.Generator) -> None:
    """Days of an area of twelve stations from their hours, 2 % of them missing."""
    made = rng.integers(0, 120_000, (STATIONS, DAYS, 24, 6))
    made[..., 2] //= 20
    made[rng.random(made.shape) < 0.02] = air.MISSING
    ours, found = best_of(lambda: air.judge_days(made, EDITION))
    sample = [[[decimals(made[s, d, :, p]) for p in range(6)] for s in range(STATIONS)] for d in range(60)]
    plain, wanted = best_of(lambda: [plain_day(day) for day in sample])
    assert wanted == [said(found, at) for at in range(60)]
    line(f"AQI of a day, {STATIONS} stations x 24 hours", DAYS, ours, 60, plain)
    one = made[:, :1]
    live, _ = best_of(lambda: [air.judge_days(one, EDITION) for _ in range(500)])
    hour, _ = best_of(lambda: [air.judge_hours(one[:, 0, :1], EDITION) for _ in range(500)])
    screen, _ = best_of(lambda: [air.screen_hours(one[:, 0, 0]) for _ in range(500)])
    budget, _ = best_of(lambda: [air.day_budget(made[:, 0], 15, EDITION) for _ in range(20)])
    print(f"live, one call: day {live * 2:.2f} ms, hour {hour * 2:.2f} ms, screen {screen * 2:.3f} ms, ", end="")
    print(f"budget {budget * 50:.1f} ms")


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else YEAR
    print(
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cpus"
    )
    rng = np.random.default_rng(2026)
    rows(rng)
    days(rng)
    if source.exists():
        seconds, result = best_of(lambda: assess_air([source], edition=EDITION))
        print(f"assess air {source.name}: {result['rows']:,} rows in {seconds:.2f} s, best of three")


if __name__ == "__main__":
    main()
