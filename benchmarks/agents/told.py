"""What the harness tells a contestant, and how a contestant says that it has begun. Imports nothing but Python."""

from __future__ import annotations

import os
from pathlib import Path

BOOTSTRAP = os.environ.get("BENCH_BOOTSTRAP", "")
INPUT = os.environ.get("BENCH_INPUT", "")
OUTPUT = os.environ.get("BENCH_OUTPUT", "")
GROUP = os.environ.get("BENCH_GROUP", "")
FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))
"""Where a contestant keeps its state; it stays there when the contestant is killed."""

SESSION_S = 10
"""Of every contestant that joins a group: after a kill -9 nobody waits longer than another for Kafka to notice."""
COMMIT_S = 1.0
"""How often peers commit or take a snapshot. envstream's own is shorter (a quarter of a second)."""

READY = '{"ready"'
_said = False


def ready() -> None:
    """The first message is in hand; told once."""
    global _said  # asked for every message, so it is as cheap as can be
    if not _said:
        _said = True
        os.write(1, (READY + ': "contestant"}\n').encode())  # not sys.stdout: a Faust worker takes that for its log
