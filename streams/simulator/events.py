"""What happens on the wire at a virtual instant: a packet is sent, or something is done to the sending itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

PAUSE: Final = "pause"
CUT: Final = "cut"
END: Final = "end"
MARKS: Final = (PAUSE, CUT, END)


class Event(NamedTuple):
    """Bytes a logger sends.

    Attributes:
        at_ms: when, epoch ms of virtual time.
        mn: the logger's number; "" when nobody knows it (bytes that are no packet, from evidence).
        data: the bytes, with their line end if they have one.
        qn: request number, "" when the packet has none.
        answered: whether the gateway owes a 9014.
    """

    at_ms: int
    mn: str
    data: bytes
    qn: str
    answered: bool


class Mark(NamedTuple):
    """Something that is done to the sending.

    Attributes:
        at_ms: when, epoch ms of virtual time.
        what: ``pause`` waits ``seconds`` on the wall clock, with everything before it in the log; ``cut`` ends the
            connection of ``mn`` without goodbye, as a power cut does; ``end``: the clock goes on to here and nothing
            comes after.
        mn: of ``cut``.
        seconds: of ``pause``.
    """

    at_ms: int
    what: str
    mn: str = ""
    seconds: float = 0.0


def steps(items: Iterable[Event | Mark], step_ms: int) -> Iterator[tuple[int, list[Event | Mark]]]:
    """Group what happens into steps: the end of the step (epoch ms) and what happens in it, in order.

    Args:
        items: in order of time; one that is late counts for the present step, because a clock never goes back.
        step_ms: a step ends at every multiple of this; 0: each instant is a step of its own.
    """
    end = -1
    batch: list[Event | Mark] = []
    for item in items:
        if item.at_ms > end:
            if batch:
                yield end, batch
            batch = []
            end = -(-item.at_ms // step_ms) * step_ms if step_ms else item.at_ms
        batch.append(item)
    if batch:
        yield end, batch
