"""Time for the notifier: the wall clock, or what a test sets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol


class Clock(Protocol):
    """Now, and waiting for something or for a time."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        """Return when the event is set or that time has come; None waits for the event alone."""
        ...


class WallClock:
    """The wall clock."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        """At most a minute at a time, so that a clock somebody sets is seen."""
        left = 60.0 if until_ms is None else min((until_ms - self.now_ms()) / 1000, 60.0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), max(left, 0.001))
