"""Timers of event time: they fire in the order (due, key), so that no result depends on how far apart ticks are."""

from __future__ import annotations

import heapq

Key = tuple[str, ...]


class Timers:
    """At most one timer per key. Times are epoch milliseconds of the log, never of a clock.

    Timers are not stored: a judge derives them again from its rows after a restart.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, Key]] = []
        self._due: dict[Key, int] = {}

    def set(self, key: Key, due_ms: int) -> None:
        """Set a timer, in place of the one this key had."""
        if self._due.get(key) != due_ms:
            self._due[key] = due_ms
            heapq.heappush(self._heap, (due_ms, key))

    def cancel(self, key: Key) -> None:
        """Forget a timer; nothing where there is none."""
        self._due.pop(key, None)

    def due_of(self, key: Key) -> int | None:
        """When a key is due, None where it has no timer."""
        return self._due.get(key)

    @property
    def next_due(self) -> int | None:
        """When the earliest timer is due, None without any."""
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) == due:
                return due
            heapq.heappop(self._heap)  # set anew or cancelled meanwhile
        return None

    def pop(self, up_to_ms: int) -> tuple[int, Key] | None:
        """The earliest timer due at ``up_to_ms`` or before, taken out; None without one."""
        due = self.next_due
        if due is None or due > up_to_ms:
            return None
        _, key = heapq.heappop(self._heap)
        del self._due[key]
        return due, key

    def __len__(self) -> int:
        return len(self._due)
