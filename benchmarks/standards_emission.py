"""Speed of the emission law: against the obvious Decimal implementation, row by row, in the same run.

Run: ``.venv/bin/python benchmarks/standards_emission.py``. Prints what it measured; asserts that both ways agree.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from standards.emission import flags, gas, marks, substitution, water
from standards.emission.exact import constant, of
from standards.emission.hours import VERDICTS, Hours, judge, measure
from standards.emission.verdicts import rules_emission
from standards.fixed import MISSING
from tests.standards import emission_reference as reference

ROWS = 1_000_000
SAMPLE = 5_000
BLOCK = 20_000  # hours judged at once
DAYS = 20_000
QUARTER = 2_208
LETTERS = "NNNNNNNNNNNNNNNNNFMC"
LIMIT, REFERENCE_O2 = 50, 6


def best(work: Callable[[], Any], times: int = 3) -> float:
    """Fastest of some runs, seconds: the machine is shared."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def line(name: str, n_ours: int, ours: float, n_plain: int, plain: float) -> None:
    vector, slow = n_ours / ours, n_plain / plain
    print(f"{name:<44}{vector:>13,.0f} /s   plain Decimal {slow:>9,.0f} /s   ratio {vector / slow:,.0f}")


def hours(rng: np.random.Generator) -> None:
    """Hours of NOx around their limit as blocks carry them, whole numbers with decimals and a letter.

    Half come with the device's own conversion, sometimes a wrong one; 2 % without mean, 2 % without O2.
    """
    avg = rng.integers(0, 9_000, ROWS)
    oxygen = rng.integers(30, 205, ROWS)
    zs = np.where(rng.random(ROWS) < 0.5, avg * rng.integers(145, 155, ROWS) // (210 - oxygen), MISSING)
    avg[rng.random(ROWS) < 0.02] = MISSING
    oxygen[rng.random(ROWS) < 0.02] = MISSING
    letters = "".join(rng.choice(list(LETTERS), ROWS).tolist())
    minutes = rng.integers(40, 61, ROWS)
    marked = np.where(rng.random(ROWS) < 0.03, marks.bits(["START"]), 0)
    exempt = marked != 0

    def ours(count: int = ROWS) -> list[tuple[str, bool]]:
        found: list[tuple[Any, Any]] = []
        for start in range(0, count, BLOCK):
            at = slice(start, min(start + BLOCK, count))
            block = Hours(
                avg=of(avg[at], 2),
                zs=of(zs[at], 2),
                oxygen=of(oxygen[at], 1),
                use=flags.uses(letters[at]),
                minutes=minutes[at],
                marked=marked[at],
            )
            measured = measure(block, constant(REFERENCE_O2))
            found.append((judge(measured, constant(LIMIT), exempt[at]), measured.zs_differs))
        codes, differs = found[0]
        return [(VERDICTS[code], yes) for code, yes in zip(codes.tolist(), differs.tolist(), strict=True)][:SAMPLE]

    columns = [each[:SAMPLE].tolist() for each in (avg, zs, oxygen, minutes, exempt)]
    ref, limit = Decimal(REFERENCE_O2), Decimal(LIMIT)

    def plain() -> list[tuple[str, bool]]:
        return [
            plain_hour(letter, ref, limit, *row)
            for letter, row in zip(letters, zip(*columns, strict=True), strict=False)
        ]

    assert ours(SAMPLE) == plain()
    line("hours judged, conversion checked", ROWS, best(ours), SAMPLE, best(plain))


def plain_hour(
    letter: str, ref: Decimal, limit: Decimal, avg: int, zs: int, oxygen: int, minutes: int, start: bool
) -> tuple[str, bool]:
    """Verdict of an hour, and whether the device's conversion differs by more than 5 %, as one would write it first."""
    c = None if avg == MISSING else Decimal(avg).scaleb(-2)
    z = None if zs == MISSING else Decimal(zs).scaleb(-2)
    o2 = None if oxygen == MISSING else Decimal(oxygen).scaleb(-1)
    verdict = reference.judge(
        minutes=minutes, flag=letter, marks={"START"} if start else set(), avg=c, zs=z, o2=o2, ref=ref, limit=limit,
        exempt=start,
    )  # fmt: skip
    if verdict in ("INVALID", "NOT_APPLICABLE") or c is None or z is None or o2 is None:
        return verdict, False
    half, half_oxygen = Decimal("0.005"), Decimal("0.05")
    low = (c - half) * (21 - ref) / (21 - o2 + half_oxygen)
    high = (c + half) * (21 - ref) / (21 - o2 - half_oxygen)
    return verdict, z + half < low * Decimal("0.95") or z - half > high * Decimal("1.05")


def means(rng: np.random.Generator) -> None:
    """Hours from sixty minutes, and flow-weighted days from 24 hours."""
    minutes = rng.integers(0, 90_000, (ROWS // 60, 60))
    valid = rng.random(minutes.shape) < 0.9
    values = of(minutes, 3)

    def plain_mean(row: list[int], oks: list[bool]) -> Decimal | None:
        known = [Decimal(each).scaleb(-3) for each, ok in zip(row, oks, strict=True) if ok]
        return sum(known, Decimal(0)) / len(known) if len(known) >= 45 else None

    rows, oks = minutes[:500].tolist(), valid[:500].tolist()
    for ours, wanted in zip(gas.mean(values, valid, 45)[:500].fractions(), map(plain_mean, rows, oks), strict=True):
        assert (ours is None) == (wanted is None)
        assert ours is None or wanted is None or abs(ours - Fraction(wanted)) < Fraction(1, 10**20)
    line(
        "hour means of 60 minutes", len(minutes), best(lambda: gas.mean(values, valid, 45)),
        len(rows), best(lambda: list(map(plain_mean, rows, oks))),
    )  # fmt: skip
    c, d = (rng.integers(0, high, (DAYS, 24)) for high in (800, 2_000))

    def plain_day(concentrations: list[int], volumes: list[int]) -> Decimal | None:
        pairs = zip(concentrations, volumes, strict=True)
        kept = [(Decimal(x).scaleb(-1), Decimal(y).scaleb(-1)) for x, y in pairs if y > 0]
        volume = sum((y for _, y in kept), Decimal(0))
        return sum((x * y for x, y in kept), Decimal(0)) / volume if volume and 4 * len(kept) >= 3 * 24 else None

    days, volumes = c[:500].tolist(), d[:500].tolist()
    line(
        "flow-weighted days of 24 hours", DAYS, best(lambda: water.days(of(c, 1), of(d, 1), 24)),
        len(days), best(lambda: list(map(plain_day, days, volumes))),
    )  # fmt: skip


def filling(rng: np.random.Generator) -> None:
    """A quarter with its look-back of another, 3 % of the hours missing."""
    amounts = rng.integers(10**9, 10**10, 2 * QUARTER)
    amounts[rng.random(len(amounts)) < 0.03] = MISSING
    still = np.zeros(len(amounts), np.bool_)
    rate = Fraction(95, 100)
    plain = [None if value == MISSING else value for value in amounts.tolist()]
    found = substitution.fill(amounts, still, rate)
    assert list(zip(found.amounts.tolist(), found.rule.tolist(), strict=True)) == reference.fill(
        plain, still.tolist(), rate
    )
    line(
        "hours of a quarter filled", len(amounts), best(lambda: substitution.fill(amounts, still, rate)),
        len(amounts), best(lambda: reference.fill(plain, still.tolist(), rate), 1),
    )  # fmt: skip


def lines() -> None:
    text = json.dumps(
        {"id": 1, "flag": "N", "minutes": 60, "o2": "8.7", "ref_o2": 6, "items": {"NOx": {"avg": "50", "zs": "61.0"}},
         "limits": {"NOx": {"legal": 100, "permit": 60, "ultra_low": 50}}}
    )  # fmt: skip
    count = 500
    seconds = best(lambda: list(rules_emission([text] * count)))
    print(f"rules emission: {count / seconds:,.0f} lines/s")


def main() -> None:
    load = os.getloadavg()[0]
    print(f"{platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} CPUs, load {load:.1f}")
    rng = np.random.default_rng(2026)
    hours(rng)
    means(rng)
    filling(rng)
    lines()


if __name__ == "__main__":
    main()
