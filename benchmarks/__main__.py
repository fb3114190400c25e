"""All benchmarks, one after the other, each in a process of its own: ``make bench``, or with names only those.

Options follow the names and go to each: ``python -m benchmarks district --days 2``.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks import report

ORDER = (
    "whole_path",
    "gateway",
    "wire",
    "wire_latency",
    "air_agent",
    "standards_air",
    "standards_water",
    "standards_emission",
)
LONGEST_S = 120
LONGER_S = {"agents": 1_800, "alerts": 900, "district": 5_400, "sink": 900}
"""Not among all: three need a real Kafka (``make services``), one judges a month."""


def main(words: list[str]) -> int:
    """Run them; 1 when one of them failed."""
    begun = time.monotonic()
    print(report.machine())
    failed = []
    first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:first], words[first:]
    for name in names or ORDER:
        place = report.ROOT / "benchmarks" / name
        if not (place.is_dir() or place.with_suffix(".py").exists()):
            print(f"\n# {name}: not here")
            continue
        print(f"\n# {name}", flush=True)
        longest = LONGER_S.get(name, LONGEST_S)
        try:
            command = [sys.executable, "-m", f"benchmarks.{name}", *options]
            code = subprocess.run(command, cwd=report.ROOT, timeout=longest, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
            print(f"{name}: took longer than {longest} s and was ended")
        if code:
            failed.append(name)
    print(f"\n{time.monotonic() - begun:.0f} s in all; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
