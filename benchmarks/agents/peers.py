"""The environment of the peers: made once, with exactly the versions of peers.txt, from wheels only."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import ROOT

WANTED = Path(__file__).with_name("peers.txt")
FOLDER = ROOT / ".run" / "peers"
INSTALL_S = 300


@dataclass(frozen=True)
class Peers:
    """Its interpreter and what is in it; ``missing`` says why there is none."""

    python: str
    versions: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def ready() -> Peers:
    """The environment, made when it is not there yet or another was asked for."""
    stamp = FOLDER / "made-of"
    wanted = hashlib.sha256(WANTED.read_bytes() + sys.version.encode()).hexdigest()
    python = FOLDER / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == wanted):
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        try:
            _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
            _run([*pip, "-r", str(WANTED)])
        except (subprocess.SubprocessError, OSError) as error:
            words = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            return Peers(str(python), missing=words[-1] if words else "it could not be installed")
        stamp.write_text(wanted)
    listed = json.loads(_run([str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]))
    return Peers(str(python), {entry["name"].lower(): entry["version"] for entry in listed})


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, timeout=INSTALL_S, check=True, capture_output=True, text=True)
    return done.stdout
