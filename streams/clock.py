"""The clock of a writer: the wall clock in a live log, the player's in a virtual one (design §5)."""

from __future__ import annotations

import time

LIVE, VIRTUAL = "live", "virtual"


class ClockError(ValueError):
    """A clock of the other kind than the log's."""


class WriterClock:
    """Tells what ``received`` is. The log's kind is fixed by whoever comes first, for ever."""

    def __init__(self, kind: str | None, now_ms: int | None = None) -> None:
        self.kind = kind
        self._virtual_ms = now_ms

    def now_ms(self) -> int:
        """Now, in epoch milliseconds; never goes back in a virtual log, and is 0 there until a player has set it.

        What is received at 0 is from the future: kept, and not judged.
        """
        if self.kind == VIRTUAL:
            return self._virtual_ms or 0
        return time.time_ns() // 1_000_000

    @property
    def virtual_ms(self) -> int | None:
        """Where the player has set the clock, if it has."""
        return self._virtual_ms if self.kind == VIRTUAL else None

    def set(self, to_ms: int) -> int:
        """Set a virtual clock forward; what it is now.

        Raises:
            ClockError: the log is live.
        """
        if self.kind == LIVE:
            raise ClockError("this log is live: a replay needs a virtual one; give another folder, or a new log")
        self.kind = VIRTUAL
        self._virtual_ms = max(to_ms, self._virtual_ms or 0)
        return self._virtual_ms
