"""The whole path: two months of twelve stations over TCP through broker, worker and sink, and what a rebuild takes.

Run: ``python -m benchmarks.whole_path``. Beside it, in the same run, what a user would do without a stream:
``envstream assess air`` of the same file.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import ROOT, SAMPLE, YEAR, cpu_seconds, heading, line, median_seconds, peak_mib
from streams import journal
from streams.view import READER, Behind
from streams.writer import READERS

ENVSTREAM = [sys.executable, "-m", "envstream"]
EACH_S = 0.05
PATIENCE_S = 90
READY_S = 40


class Watch:
    """Peak memory and CPU seconds of every process of an ``envstream up``, looked at from outside."""

    def __init__(self, folder: Path, up: subprocess.Popen[str]) -> None:
        self.folder, self.up = folder, up
        self.memory: dict[str, float] = {}
        self.cpu: dict[str, dict[int, float]] = {}

    def look(self) -> None:
        """Sample once."""
        for name, pid in self._pids().items():
            try:
                self.memory[name] = max(self.memory.get(name, 0.0), peak_mib(pid))
                self.cpu.setdefault(name, {})[pid] = cpu_seconds(pid)
            except OSError:
                continue  # it has ended

    def _pids(self) -> dict[str, int]:
        try:
            pids = dict(json.loads((self.folder / "up.json").read_text())["pids"])
        except (OSError, ValueError):
            pids = {"up": self.up.pid}
        try:
            for child in psutil.Process(self.up.pid).children():
                if "replay" in child.cmdline():
                    pids["replay"] = child.pid
        except psutil.Error:
            pass
        return pids

    def show(self, rows: int) -> None:
        """Print a line per process."""
        for name, memory in self.memory.items():
            seconds = sum(self.cpu[name].values())
            line(name, f"{memory:6.0f} MiB peak", f"{seconds:6.2f} s CPU", f"{seconds / rows * 1e6:6.0f} µs a row")
        cpu = sum(sum(each.values()) for each in self.cpu.values())
        line("all", f"{sum(self.memory.values()):6.0f} MiB", f"{cpu:11.2f} s CPU", f"{cpu / rows * 1e6:6.0f} µs a row")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """``envstream up`` on any free ports."""
    return subprocess.Popen(
        [*ENVSTREAM, "up", "--data", str(folder), "--port", "0", "--control-port", "0", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def replay(folder: Path) -> dict[str, Any]:
    """Run the sample through the whole path, print it, and give the summary."""
    begun = time.monotonic()
    up = start(folder, "--once", "--json", "--replay", str(SAMPLE))
    watch = Watch(folder, up)
    while up.poll() is None:
        watch.look()
        time.sleep(EACH_S)
        if time.monotonic() - begun > PATIENCE_S:
            end(up)
            sys.exit(f"whole_path: the replay was not through after {PATIENCE_S} s")
    whole = time.monotonic() - begun
    assert up.stdout is not None
    text = up.stdout.read()
    if up.returncode:
        sys.exit(f"whole_path: envstream up ended with exit code {up.returncode}")
    summary: dict[str, Any] = json.loads(text)
    rows, seconds = summary["replay"]["rows"], summary["replay"]["seconds"]
    line("rows, virtual hours", f"{rows:,}", f"{summary['replay']['instants']:,}")
    line("replay: sent, answered, journal synced", f"{seconds:.1f} s", f"{rows / seconds:,.0f} rows/s")
    line("whole command: start, replay, all stored, end", f"{whole:.1f} s", f"{rows / whole:,.0f} rows/s")
    line("restarts", str(len(summary["restarts"])))
    watch.show(rows)
    summary["whole"] = whole
    return summary


def without_stream(summary: dict[str, Any]) -> None:
    """The same file through ``assess air``, as a command and as a function."""
    from agents.assess_air import assess_air

    command = [*ENVSTREAM, "assess", "air", str(SAMPLE), "--json"]
    wall = median_seconds(lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL), 3)
    alone = median_seconds(lambda: assess_air([SAMPLE]), 5)
    found = assess_air([SAMPLE])["years"]["2015"]
    streamed = summary["air"]["years"]["2015"]
    same = all(found[name] == streamed[name] for name in ("good", "polluted", "invalid"))
    line("assess air, whole command (median of 3)", f"{wall:.2f} s", f"up takes {summary['whole'] / wall:.0f} x")
    line(
        "assess air, after imports (median of 5)",
        f"{alone:.3f} s",
        f"the replay takes {summary['replay']['seconds'] / alone:.0f} x",
    )
    line("same good, polluted and invalid days", "yes" if same else "NO")


def year() -> None:
    """``assess air`` of a year of twelve stations."""
    from agents.assess_air import assess_air

    if not YEAR.exists():
        line("assess air, a year", "the file of the year is not on this machine")
        return
    rows = assess_air([YEAR])["rows"]
    seconds = median_seconds(lambda: assess_air([YEAR]), 5)
    line(
        "assess air, a year, after imports (of 5)",
        f"{seconds:.2f} s",
        f"{rows:,} rows",
        f"{rows / seconds:,.0f} rows/s",
    )


def ready_after(folder: Path) -> tuple[float, float, str] | None:
    """Seconds from the start of ``up`` to ready, from there until its readers have taken everything, and its log."""
    (folder / "up.json").unlink(missing_ok=True)
    begun = time.monotonic()
    up = start(folder)
    try:
        while not (folder / "up.json").exists():
            if up.poll() is not None or time.monotonic() - begun > READY_S:
                return None
            time.sleep(0.01)
        ready = time.monotonic() - begun
        time.sleep(0.05)  # the file is being written
        behind = Behind(json.loads((folder / "up.json").read_text())["bootstrap"], (*READERS, READER))
        caught_up, quiet = ready, 0
        while quiet < 3 and time.monotonic() - begun < PATIENCE_S:
            quiet = 0 if any(behind.messages().values()) else quiet + 1
            caught_up = time.monotonic() - begun if quiet == 1 else caught_up
            time.sleep(0.1)
        behind.close()
    finally:
        end(up)
    return ready, max(caught_up - ready, 0.0), (folder / "logs" / "gateway.log").read_text(errors="replace")


def end(up: subprocess.Popen[str]) -> None:
    """Ctrl-C, and after a while not so kindly."""
    if up.poll() is None:
        os.kill(up.pid, signal.SIGINT)
        try:
            up.wait(20)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def rebuild(folder: Path, empty: Path) -> None:
    """The journal of the replay into a fresh ``up``, against one with nothing in it."""
    records = list(journal.read(folder / "journal"))
    size = sum(path.stat().st_size for path in (folder / "journal").glob("*.log"))
    line("journal", f"{len(records):,} records", f"{size / 1e6:.1f} MB")
    bare, found = ready_after(empty), ready_after(folder)
    if bare is None or found is None:
        line("up on that journal", f"NOT READY after {READY_S} s")
        return
    ready, behind, log = found
    line("up on a new folder: start to ready", f"{bare[0]:.1f} s")
    line("up on that journal: start to ready", f"{ready:.1f} s", f"and {behind:.1f} s more until all is taken")
    told = re.findall(r"rebuilt \d+ records from the journal in ([\d.]+) s", log)
    line("of that the gateway feeding the broker", f"{told[-1] if told else '?'} s")
    line("records/s, start to all taken", f"{len(records) / (ready + behind):,.0f}")
    more = max(ready + behind - bare[0], 0.1)
    line("records/s beyond an empty start", f"{len(records) / more:,.0f}", f"{more:.1f} s")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="envstream-bench-") as temporary:
        folder = Path(temporary) / "run"
        heading(f"envstream up --once --replay {SAMPLE.name}")
        summary = replay(folder)
        heading("the same without a stream")
        without_stream(summary)
        year()
        heading("rebuild from the journal")
        rebuild(folder, Path(temporary) / "empty")


if __name__ == "__main__":
    main()
