"""A worker with defects on demand, for the watchdog: its event loop stands while HANG is a file, and its second
recovery takes SLOW seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from agents import worker
from agents.air import AirJudge
from agents.water import WaterJudge
from envstream import set_up_logging
from schemas import topics

HANG, SLOW_S = Path(os.environ["HANG"]), float(os.environ["SLOW"])


class Hanging(AirJudge):
    """Judges of the air that stand, and the event loop with them."""

    def steps(self, message: bytes, place: str) -> Generator[None, None, Any]:
        while HANG.exists():
            time.sleep(0.05)
        return super().steps(message, place)


class Slow(WaterJudge):
    """Judges of water that take long to come back, while those of the air wait for them."""

    def restored(self, now_ms: int | None) -> None:
        time.sleep(SLOW_S)
        super().restored(now_ms)


def main() -> None:
    """Words: the broker, and the watchdog's patience in seconds."""
    set_up_logging("info")
    worker.JUDGES = (  # type: ignore[misc]
        (topics.READINGS_AIR, topics.STATE_AIR, Hanging),
        (topics.READINGS_WATER, topics.STATE_WATER, Slow),
    )
    code = worker.run_worker(
        bootstrap=sys.argv[1], instance="one", session_s=6, embedded=False, log_level="info",
        on_ready=lambda: print("ready", flush=True), watchdog_s=float(sys.argv[2]),
    )  # fmt: skip
    sys.exit(code)


if __name__ == "__main__":
    main()
