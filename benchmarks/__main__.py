"""All benchmarks, one after the other, each in a process of its own: ``make bench``, or with names only those."""

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


def main(names: list[str]) -> int:
    """Run them; 1 when one of them failed."""
    begun = time.monotonic()
    print(report.machine())
    failed = []
    for name in names or ORDER:
        if not (report.ROOT / "benchmarks" / f"{name}.py").exists():
            print(f"\n# {name}: not here")
            continue
        print(f"\n# {name}", flush=True)
        try:
            code = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"], cwd=report.ROOT, timeout=LONGEST_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
            print(f"{name}: took longer than {LONGEST_S} s and was ended")
        if code:
            failed.append(name)
    print(f"\n{time.monotonic() - begun:.0f} s in all; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
