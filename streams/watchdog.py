"""Ends a worker whose consumption stands still although there is something to take, so that it is started again.

Faust's open complaints of this family (partitions without fetches after a rebalance, consumers that slowly die) have in
common that the process lives on, keeps its partitions by heartbeats from a thread of its own, and takes nothing. So the
watchdog is a thread that shares nothing with the event loop but the positions it reads, and asks Kafka itself where the
logs end. What a restart costs is a recovery; docs/kernel.md promises that nothing else is changed by it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streams.offsets import Offsets, OffsetsError, Place

log = logging.getLogger("envstream.watchdog")

EXIT_STANDSTILL = 75
"""EX_TEMPFAIL of sysexits: try again."""
LOOK_S = 5.0
_LAST_WORDS_S = 3.0


@dataclass(frozen=True)
class Standing:
    """What a worker says of itself at one moment.

    Attributes:
        positions: the offset to take next of each partition it has; none while it recovers.
        turns: by topic, moves on while a message of it that takes long is judged.
    """

    positions: Mapping[Place, int]
    turns: Mapping[str, int] = field(default_factory=dict)


class Standstill:
    """Decides, from what is seen now and then, whether consumption stands still. Reads no clock and no network.

    A partition stands still when its position did not move for ``patience_s`` although messages were waiting in it at
    every look. That is a fault of the worker where everything else it has stands as well or had nothing waiting
    meanwhile. While it works off a backlog elsewhere a partition may wait its turn.
    """

    def __init__(self, patience_s: float) -> None:
        """``patience_s`` in seconds of ``at``."""
        self._patience_s = patience_s
        self._looked: float | None = None
        self._turns: Mapping[str, int] = {}
        self._behind: dict[Place, tuple[int, float]] = {}  # position, and since when it is there with messages waiting
        self._clear: dict[Place, float] = {}  # when nothing was waiting last

    def look(self, at: float, standing: Standing, ends: Mapping[Place, int] | None) -> dict[Place, int]:
        """What stands still by now: the position of each such partition; empty while there is nothing to complain of.

        Args:
            at: seconds of a clock that nobody sets.
            standing: of the worker.
            ends: the offset the next message of each partition will have, asked for before the positions were; None
                while Kafka does not answer, and then nothing is known.
        """
        # A machine that slept, or a process that was stopped: what was before says nothing of what is now.
        slept = self._looked is not None and at - self._looked > self._patience_s / 2 + LOOK_S
        self._looked = at
        if ends is None or slept:
            self._behind.clear()
            self._clear.clear()
        judging = {topic for topic, turns in standing.turns.items() if turns != self._turns.get(topic, 0)}
        self._turns = standing.turns
        for gone in [p for p in self._behind if p not in standing.positions or p[0] in judging]:
            del self._behind[gone]
        for place, position in standing.positions.items():
            end = (ends or {}).get(place)
            if end is None or position >= end:
                self._behind.pop(place, None)
                if end is not None:
                    self._clear[place] = at
            elif self._behind.get(place, (None,))[0] != position:
                self._behind[place] = (position, at)
        still = {
            p: (position, since) for p, (position, since) in self._behind.items() if at - since >= self._patience_s
        }
        if not still:
            return {}
        first = min(since for _, since in still.values())
        busy = any(self._clear.get(p, -1.0) < first for p in standing.positions if p not in still)
        return {} if busy else {place: position for place, (position, _) in still.items()}


class Watchdog:
    """The thread. It ends the process, without a clean-up: all of that would need what hangs."""

    def __init__(
        self,
        patience_s: float,
        offsets: Offsets,
        standing: Callable[[], Standing],
        *,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """Begin to watch.

        Args:
            patience_s: how long consumption may stand still, in seconds.
            offsets: asks Kafka where logs end.
            standing: what the worker says; called in this thread, it must not wait for anything.
            end: ends the process with an exit code.
        """
        self._patience_s, self._offsets, self._standing, self._end = patience_s, offsets, standing, end
        self._every_s = min(LOOK_S, patience_s / 8)
        self._said = ""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def _run(self) -> None:
        judged = Standstill(self._patience_s)
        while True:
            time.sleep(self._every_s)
            try:
                ends = self._ends()
                if still := judged.look(time.monotonic(), self._standing(), ends):
                    self._bark(still, ends or {})
                    return
            except Exception as error:  # a watchdog that died would be missed when it is too late
                if str(error) != self._said:
                    self._said = str(error)
                    log.exception("the watchdog cannot look")

    def _ends(self) -> dict[Place, int] | None:
        places = self._standing().positions
        if not places:
            return {}
        try:
            return self._offsets.ends(places)
        except OffsetsError:
            return None

    def _bark(self, still: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
        # Were it the log itself that hangs (a full pipe), these words must not keep the process.
        last = threading.Timer(_LAST_WORDS_S, self._end, (EXIT_STANDSTILL,))
        last.daemon = True
        last.start()
        where = ", ".join(
            f"{t}/{p} at {position} of {ends.get((t, p), '?')}" for (t, p), position in sorted(still.items())
        )
        log.error(
            "consumption stands still for %.0f s: %s: ending with exit code %d, to be started again",
            self._patience_s, where, EXIT_STANDSTILL,
        )  # fmt: skip
        self._end(EXIT_STANDSTILL)
