"""Starts the whole system as a user does, by its command line, and looks at it from outside."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "districts" / "beijing_2015_11_12.csv.gz"
YEAR = ROOT.parent / "shared" / "data" / "air" / "beijing_2015_hourly.csv.gz"
ENVSTREAM = [sys.executable, "-m", "envstream"]


def run(*words: str | Path, code: int = 0, timeout: float = 600, **options: Any) -> subprocess.CompletedProcess[str]:
    """``envstream WORDS``, which must end with that exit code."""
    done = subprocess.run(
        [*ENVSTREAM, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=timeout, **options
    )
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def once(folder: Path, *files: Path, district: Path | None = None) -> dict[str, Any]:
    """``up --once --replay FILES --json``."""
    words: list[str | Path] = ["up", "--once", "--json", "--data", folder, "--port", "0", "--control-port", "0"]
    for file in files:
        words += ["--replay", file]
    if district is not None:
        words += ["--district", district]
    return json.loads(run(*words).stdout)


def assess(*files: Path, days: bool = False) -> Any:
    """``assess air FILES --json``."""
    return json.loads(run("assess", "air", *files, *(["--days"] if days else []), "--json").stdout)


class Up:
    """A running ``envstream up``."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def told(self) -> dict[str, Any]:
        """What it says of itself: ports and process ids."""
        return json.loads((self.folder / "up.json").read_text())

    def pid(self, part: str) -> int:
        """Process id of a part."""
        return int(self.told()["pids"][part])

    def kill(self, part: str) -> None:
        """SIGKILL, and wait until the parts have been started again."""
        before = self.told()["pids"]
        os.kill(before[part], signal.SIGKILL)
        until = time.monotonic() + 120
        while self.told()["pids"][part] == before[part]:
            assert self.process.poll() is None, "up ended instead of recovering"
            assert time.monotonic() < until, f"{part} was not started again"
            time.sleep(0.1)

    def replay(self, file: Path) -> dict[str, Any]:
        """``envstream replay`` from another terminal."""
        told = self.told()
        done = run(
            "replay", file, "--to", f"hj212://127.0.0.1:{told['port']}",
            "--control", f"127.0.0.1:{told['control_port']}", "--json",
        )  # fmt: skip
        return json.loads(done.stdout)


@contextlib.contextmanager
def up(folder: Path, *words: str) -> Iterator[Up]:
    """``envstream up`` until the block ends, then Ctrl-C; it must end cleanly and leave no process behind."""
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "up.json"
    told.unlink(missing_ok=True)
    errors = folder / "up.err"
    with open(errors, "w") as err:
        process = subprocess.Popen(
            [*ENVSTREAM, "up", "--no-people", "--data", str(folder), "--port", "0", "--control-port", "0", *words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not told.exists() or not told.read_text():
            assert process.poll() is None, errors.read_text()
            assert time.monotonic() < until, errors.read_text()
            time.sleep(0.1)
        yield Up(process, folder)
        pids = Up(process, folder).told()["pids"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, errors.read_text()
        for part, pid in pids.items():
            assert not alive(pid), f"{part} was left behind"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def verdicts(folder: Path) -> dict[str, str]:
    """What InfluxDB would show after loading the spool: the last line of every series and time.

    Without deliveries, which carry the wall clock: no two runs have the same.
    """
    points: dict[str, str] = {}
    for file in sorted((folder / "spool").glob("*.lp")):
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "delivery,")):
                series, rest = line.split(" ", 1)
                fields, stamp = rest.rsplit(" ", 1)
                points[f"{series} {stamp}"] = fields
    return points


def write_csv(path: Path, rows: list[list[str]]) -> Path:
    """Rows under the header of the Beijing file; ``.gz`` by its name."""
    header = ["hour_start", "station", "so2_ug_m3", "no2_ug_m3", "co_ug_m3", "o3_ug_m3", "pm10_ug_m3", "pm25_ug_m3"]
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def sample_rows(first: str, last: str) -> list[list[str]]:
    """Rows of the sample whose ``hour_start`` lies between two dates, both included."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if first <= row[0][:10] <= last]
