"""How fast people are told: packet to robot, ten thousand open alerts on the desk, a storm of five thousand.

Run: ``python -m benchmarks alerts`` (about four minutes; on a real Kafka, ``make services``). ``--only path`` runs
one part, ``--seconds`` and ``--open`` make it shorter, ``--docs`` writes the section of docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.agents import kafka
from benchmarks.alerts import document, open_alerts, path, storm

PARTS = ("path", "desk", "storm")


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks alerts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--seconds", type=int, default=60, help="of packets over the limit")
    parser.add_argument("--open", type=int, default=10_000, help="alerts on the desk")
    parser.add_argument("--docs", action="store_true", help="write the section of docs/performance.md anew")
    asked = parser.parse_args(words)
    if asked.seconds < 1 or asked.open < 1:
        parser.error("--seconds, --open: give one at least")
    if asked.docs and asked.only:
        parser.error("--docs writes all parts: leave --only out")
    load = os.getloadavg()[0]
    parts = (asked.only,) if asked.only else PARTS
    told = shown = None
    try:
        if parts != ("storm",):
            with tempfile.TemporaryDirectory(prefix="envstream-bench-") as name:
                folder = Path(name)
                with kafka.running(folder / "kafka") as broker:
                    if "path" in parts:
                        told = path.measure(broker, folder, asked.seconds)
                        document.show_path(told)
                    if "desk" in parts:
                        shown = open_alerts.measure(broker, folder, asked.open)
                        document.show_desk(shown)
    except kafka.KafkaMissing as error:
        print(f"alerts: {error}")
        return 1
    found = storm.measure() if "storm" in parts else None
    if found is not None:
        document.show_storm(found)
    if asked.docs:
        assert told is not None
        assert shown is not None
        assert found is not None
        document.write(told, shown, found, load, os.getloadavg()[0])
    lost = (told.lost if told is not None else 0) + (len(found.missing) + len(found.loose) if found is not None else 0)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
