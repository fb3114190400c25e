"""Run the comparison: everybody, or with ``--only WORD`` those whose name has it."""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import report
from benchmarks.agents import document, kafka, peers, plan, table
from benchmarks.agents.contestants import CONTESTANTS
from benchmarks.agents.measure import Bench

PEERS = ("quixstreams", "bytewax", "rocksdict", "confluent-kafka", "numpy", "msgspec", "orjson")

LONGEST_S = 1_700
"""On a machine that others keep busy; alone a full run takes ten minutes."""


def main(words: list[str]) -> int:
    """Measure and print; 1 when somebody failed, 2 when there is no Kafka."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks agents", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, no memory: about two minutes")
    parser.add_argument("--docs", action="store_true", help="write the section of docs/performance.md anew")
    parser.add_argument("--only", metavar="WORD", help="--only=WORD: those whose name has it, and the first")
    asked = parser.parse_args(words)
    for number in (signal.SIGTERM, signal.SIGALRM):  # so that broker and contestants end with us
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    signal.alarm(LONGEST_S)
    load = os.getloadavg()[0]
    there = peers.ready()
    chosen = [c for c in CONTESTANTS if not asked.only or c is CONTESTANTS[0] or asked.only.lower() in c.name.lower()]
    rounds = plan.QUICK if asked.quick else plan.FULL
    of_peers = ", ".join(f"{name} {there.versions[name]}" for name in PEERS if name in there.versions)
    print(f"Apache Kafka {kafka_version()}; peers: {of_peers or there.missing}", flush=True)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="envstream-bench-") as temporary:
        folder = Path(temporary)
        try:
            with kafka.running(folder / "kafka") as broker:
                found = plan.run(Bench(broker, folder, there.python), rounds, chosen, there.missing, tell)
        except kafka.KafkaMissing as error:
            print(f"agents: {error}")
            return 2
    rows = [table.row_of(each) for each in found]
    table.show(rows)
    if asked.docs:
        document.write(
            rows,
            rounds,
            machine=f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python {platform.python_version()}",
            versions=f"Apache Kafka {kafka_version()}, {ours()}; peers with {of_peers or there.missing}",
            alone=load < 0.5,
        )
    return int(any(row.failed for row in rows))


def kafka_version() -> str:
    """Of the broker that is started."""
    found = re.search(r"KAFKA_VERSION:-([\d.]+)", kafka.SCRIPT.read_text())
    return os.environ.get("KAFKA_VERSION") or (found.group(1) if found else "?")


def ours() -> str:
    """Packages envstream and those without a framework stand on."""
    return ", ".join(f"{name} {version(name)}" for name in report.PACKAGES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
