"""The clock of a writer: the wall clock in a live log, the player's in a virtual one (design §5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger("envstream.clock")

LIVE, VIRTUAL = "live", "virtual"

JUMP_MS = 10 * 60_000
"""A wall clock that leaps further than this is not believed before a person confirms it: "now" of a log never goes
back, so one wrong hour would close days that are not over, for ever."""

DRIFT = 0.01
"""Of the time that passed: what a clock may gain and be believed, 36 s an hour."""
LAST_MS = 4_102_444_800_000
"""1 January 2100: no virtual clock is set beyond, because now never goes back."""


class ClockError(ValueError):
    """A clock of the other kind than the log's, or one that cannot be set now."""


def _since_boot_ms() -> int:
    # CLOCK_BOOTTIME goes on while a machine sleeps; where there is none, a sleep of minutes is a jump.
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1_000_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class WriterClock:
    """Tells what ``received`` is. The log's kind is fixed by whoever comes first, for ever."""

    def __init__(
        self,
        kind: str | None,
        now_ms: int | None = None,
        *,
        wall_ms: Callable[[], int] = _wall_ms,
        since_boot_ms: Callable[[], int] = _since_boot_ms,
    ) -> None:
        """Take up the clock of a log.

        Args:
            kind: of the log, None when it is new.
            now_ms: where a virtual clock stood.
            wall_ms: the wall clock, epoch ms.
            since_boot_ms: a clock nobody sets, to tell a jump of the wall clock from time that passed.
        """
        self.kind = kind
        self._virtual_ms = now_ms
        self._wall, self._steady = wall_ms, since_boot_ms
        self._begin_ms = wall_ms() - since_boot_ms()
        self._believed_ms = 0.0  # how far the wall clock has moved against the steady one, as far as it is believed
        self._looked_ms = since_boot_ms()

    def now_ms(self) -> int:
        """Now, in epoch milliseconds; never goes back in a virtual log, and is 0 there until a player has set it.

        What is received at 0 is from the future: kept, and not judged.
        """
        if self.kind == VIRTUAL:
            return self._virtual_ms or 0
        return self._wall()

    @property
    def jump_ms(self) -> int:
        """How far the wall clock has leapt ahead of the time that passed since it was last believed."""
        if self.kind == VIRTUAL:
            return 0
        steady = self._steady()
        moved = self._wall() - steady - self._begin_ms
        jump = moved - self._believed_ms
        if jump <= 0:
            self._believed_ms = moved  # backward it may always go: nothing is closed by that
        elif jump <= JUMP_MS:
            # Believed at the pace of an honest clock's drift, so that many small leaps are one large one.
            self._believed_ms += min(jump, (steady - self._looked_ms) * DRIFT)
        self._looked_ms = steady
        return round(jump)

    @property
    def held(self) -> bool:
        """Whether nothing may be written, because the wall clock leapt and nobody confirmed it."""
        return self.jump_ms > JUMP_MS

    def confirm(self) -> int:
        """Believe the wall clock as it is now; the jump that was confirmed, in ms."""
        jump = self.jump_ms
        self._believed_ms = self._wall() - self._steady() - self._begin_ms
        return jump

    @property
    def virtual_ms(self) -> int | None:
        """Where the player has set the clock, if it has."""
        return self._virtual_ms if self.kind == VIRTUAL else None

    def begin_live(self) -> None:
        """A new log becomes live."""
        if self.kind is None:
            self.kind = LIVE

    def set(self, to_ms: int) -> int:
        """Set a virtual clock forward; what it is now.

        Raises:
            ClockError: the log is live, or that is no time of this century.
        """
        if to_ms > LAST_MS:
            raise ClockError(f"clock to {to_ms:.3g} ms: beyond the year 2100")
        if self.kind == LIVE:
            raise ClockError("this log is live: a replay needs a virtual one; give another folder, or a new log")
        self.kind = VIRTUAL
        self._virtual_ms = max(to_ms, self._virtual_ms or 0)
        return self._virtual_ms
