"""What the sink writes to: the contract between :mod:`streams.sink` and its targets.

A batch is whole messages, per topic and partition, in offset order. A target stores all of it or says
why not: :class:`Busy` to be asked again later, :class:`SinkError` to end with one line for a person.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class SinkError(Exception):
    """The sink cannot go on without a person; the text is one line: what, where, cure."""


class Busy(Exception):
    """Not now: ask again with the same batch after ``delay`` seconds. Nothing is lost, Kafka is the buffer."""

    def __init__(self, delay: float, reason: str) -> None:
        """``reason`` is for the log."""
        super().__init__(reason)
        self.delay = delay


class Stopping(Exception):
    """The sink was told to stop while a batch was being split; it is not stored and not committed."""


class Origin(NamedTuple):
    """The message a line comes from; ``received`` is its Kafka time stamp (epoch ms), no clock is read."""

    topic: str
    partition: int
    offset: int
    received: int
    key: bytes | None = None

    def place(self) -> str:
        """``cells/0/4711``: where to find it."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class BadLine(NamedTuple):
    """A line the store refused for good, and its words."""

    number: int  # of the line within its message, from 0
    origin: Origin
    line: str
    reason: str


@dataclass
class Part:
    """Lines of one topic partition; ``origins[i]`` is the message of ``lines[i]``, ``next`` follows the last one."""

    topic: str
    partition: int
    next: int = 0
    lines: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    def bad(self, i: int, reason: str) -> BadLine:
        """Line ``i`` as one the store refused."""
        return BadLine(i - self.origins.index(self.origins[i]), self.origins[i], self.lines[i], reason)


class Batch:
    """Messages turned into lines, not yet stored.

    ``left_out`` says, after a target has stored it, how many lines it did not: they are older than what it keeps.
    """

    def __init__(self) -> None:
        """Empty."""
        self.parts: dict[tuple[str, int], Part] = {}
        self.lines = 0
        self.messages = 0
        self.left_out = 0
        self.characters = 0

    def add(self, origin: Origin, lines: list[str]) -> None:
        """The lines of the next message; none for a message that makes no line."""
        key = (origin.topic, origin.partition)
        part = self.parts.get(key)
        if part is None:
            part = self.parts[key] = Part(*key)
        part.next = origin.offset + 1
        part.lines += lines
        part.origins += [origin] * len(lines)
        self.lines += len(lines)
        self.messages += 1
        self.characters += sum(map(len, lines))


class Target(Protocol):
    """Where lines go."""

    def position(self, topic: str, partition: int) -> int | None:
        """Next offset to read if the target keeps offsets itself, else None: the group's committed one counts."""

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        """Store a batch; returns the lines that can never be stored. On return all others are safe.

        ``stop`` may be set already: then one quick try and no more.

        Raises:
            Busy: nothing or a part is stored; the same batch must come again (rewriting is harmless).
            SinkError: a person is needed.
            Stopping: the sink was told to stop in between.
        """

    def close(self) -> None:
        """Let go of files and connections."""
