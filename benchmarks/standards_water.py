"""Speed of the water law: verdicts per second against the obvious Decimal implementation, and a file of a million rows.

Run: ``.venv/bin/python benchmarks/standards_water.py [CSV]``. Prints what it measured; asserts that both ways agree.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
import platform
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from agents.assess_water import assess_water
from standards.fixed import MISSING
from standards.water.indicators import main_indicators
from standards.water.items import item
from standards.water.readings import Reader
from standards.water.section import item_classes, section_class
from standards.water.targets import Target, judge
from streams.water_csv import COLUMNS, read_water_csv
from tests.standards.water import reference

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "water" / "shanxi_haihe_2026_07_08.csv.gz"
FIVE = ("pH", "DO", "CODMn", "NH3N", "TP")
MILLION = 1_000_000
BLOCK = 20_000  # samples judged at once, as assess_water does
TARGET = 3


def million(source: Path, folder: Path) -> Path:
    """A file of a million rows: the source repeated, each time 46 days later."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    path = folder / "million.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for at in range(MILLION):
            repeat, nth = divmod(at, len(rows))
            section, when, *rest = rows[nth]
            moment = dt.datetime.fromisoformat(when) + dt.timedelta(days=46 * repeat)
            writer.writerow([section, moment.strftime("%Y-%m-%d %H:%M"), *rest])
    return path


def best(run, times: int = 3) -> float:
    """Fastest of some runs, seconds: the machine is shared."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def verdicts(source: Path) -> None:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [[row[COLUMNS[name]] for row in rows] for name in FIVE]
    values = np.stack([Reader(item(name)).read(column).values for name, column in zip(FIVE, texts, strict=True)])
    decimals = [
        {name: Decimal(text) for name, text in zip(FIVE, row, strict=True) if text} for row in zip(*texts, strict=True)
    ]
    repeats = MILLION // values.shape[1] + 1
    many = np.tile(values, repeats)[:, :MILLION]
    assert (many != MISSING).any(axis=0).mean() > 0.9

    def classes_alone() -> None:
        section_class(item_classes(FIVE, many, lake=False))

    def everything() -> None:
        for start in range(0, MILLION, BLOCK):
            block = many[:, start : start + BLOCK]
            by_item = item_classes(FIVE, block, lake=False)
            section_class(by_item)
            main_indicators(FIVE, block, by_item, lake=False)
            judge(FIVE, block, False, Target(TARGET))

    def decimal_classes() -> None:
        for sample in decimals:
            reference.section(sample, lake=False)

    def decimal_everything() -> None:
        for sample in decimals:
            reference.section(sample, lake=False)
            reference.main(sample, lake=False)
            reference.over_target(sample, lake=False, target=TARGET)

    expected = [reference.section(sample, lake=False) for sample in decimals]
    assert section_class(item_classes(FIVE, values, lake=False)).tolist() == expected
    for name, fast, slow in (
        ("section class", classes_alone, decimal_classes),
        ("class, main indicators, target", everything, decimal_everything),
    ):
        vector = MILLION / best(fast)
        plain = len(decimals) / best(slow)
        print(f"{name}: vectorised {vector:,.0f}/s, Decimal per row {plain:,.0f}/s, ratio {vector / plain:,.0f}")


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL
    load = os.getloadavg()[0]
    print(f"{platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} CPUs, load {load:.1f}")
    verdicts(source)
    with tempfile.TemporaryDirectory() as folder:
        path = million(source, Path(folder))
        size = path.stat().st_size / 1e6

        def read_only() -> None:
            for _ in read_water_csv(path, FIVE):
                pass

        reading = best(read_only, 2)
        start = time.perf_counter()
        found = assess_water([path])
        whole = time.perf_counter() - start
    assert found["rows"] == MILLION
    print(f"assess of {MILLION:,} rows ({size:.0f} MB): {whole:.1f} s, of which reading the file {reading:.1f} s")
    print(
        f"agree {found['agree']:,}, disagree {found['disagree']:,}, credible disagree {found['credible']['disagree']}"
    )


if __name__ == "__main__":
    main()
