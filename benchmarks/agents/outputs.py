"""The hour means a contestant has published, read beside it, and how they compare with the truth."""

from __future__ import annotations

import msgspec
from confluent_kafka import Consumer

from benchmarks.agents.data import Means, Truth
from schemas import blocks

AT_ONCE = 1_000


class _Cell(msgspec.Struct):
    """What is of interest in a cell of envstream, and in an hour of the others.

    A cell also tells the mean of too few minutes, with the reason why it does not count; the others tell null.
    """

    source: str
    values: list[str | None]
    reasons: list[str] = []
    time: int = 0
    hour: int = 0
    kind: str = "hour"

    def means(self) -> Means:
        """Those that count, in thousandths."""
        counts = [reason == "ok" for reason in self.reasons] or [True] * len(self.values)
        return tuple(thousandths(v) if ok else None for v, ok in zip(self.values, counts, strict=True))


_decode = msgspec.json.Decoder(_Cell | None).decode


class Outputs:
    """The last that was said of every hour."""

    def __init__(self, consumer: Consumer, truth: Truth) -> None:
        self._consumer = consumer
        self.truth = truth
        self.found: dict[tuple[str, int], Means] = {}

    def read(self, wait_s: float) -> int:
        """Read what is there; how many messages."""
        messages = self._consumer.consume(AT_ONCE, wait_s)
        for message in messages:
            if message.error() is None and (cell := _decode(message.value())) is not None and cell.kind == "hour":
                at = cell.source, cell.time or cell.hour
                if at in self.truth:
                    self.found[at] = cell.means()
        return len(messages)

    def read_all(self) -> None:
        """Read until nothing comes for a moment."""
        while self.read(0.3):
            pass

    @property
    def share(self) -> float:
        """Hours told, of those there are."""
        return len(self.found) / len(self.truth)

    def differing(self) -> int:
        """Hour means that are missing or not the true ones; six to an hour."""
        nothing: Means = (-1,) * 6
        return sum(
            said != true
            for at, means in self.truth.items()
            for said, true in zip(self.found.get(at, nothing), means, strict=True)
        )

    def close(self) -> None:
        """Let go of Kafka."""
        self._consumer.close()


def thousandths(text: str | None) -> int | None:
    """Thousandths of a decimal text; finer digits, which no hour mean has, make it differ from any truth."""
    if text is None:
        return None
    value, places = blocks.number(text)
    return value * 10 ** (3 - places) if places <= 3 else -2
