"""How many were sent of late: sliding windows of a robot or a person."""

from __future__ import annotations

from collections import deque


class Window:
    """At most ``most`` in any ``span_ms``. Instants are epoch milliseconds, given in rising order."""

    def __init__(self, most: int, span_ms: int) -> None:
        self.most, self.span_ms = most, span_ms
        self._at: deque[int] = deque(maxlen=most)  # older ones cannot matter

    def note(self, at_ms: int) -> None:
        """One was sent."""
        self._at.append(max(at_ms, self._at[-1] if self._at else at_ms))

    def room(self, now_ms: int) -> int:
        """How many more may be sent now."""
        return self.most - sum(at + self.span_ms > now_ms for at in self._at)

    def free_at(self, now_ms: int) -> int:
        """When one may be sent: now, or when the oldest leaves the window."""
        return now_ms if self.room(now_ms) > 0 else self._at[0] + self.span_ms
