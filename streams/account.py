"""What a journal says came in: the independent side of the account of ``up --once``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from schemas import blocks, topics
from schemas.messages import Packets
from streams import journal
from streams.intake import DIALOGUE, KEPT

KIND_OF_TOPIC = {topic: kind for kind, topic in topics.READINGS_OF.items()}

JUDGED_HOURS = ("air", "water", "emission")
"""Kinds of source whose hour packets each belong to a cell, which names them (``streams/view.py`` counts those)."""


@dataclass
class TakenIn:
    """Counted from the journal.

    Attributes:
        packets: that arrived.
        lines: of files that became no packet.
        aside: packets of the dialogue, and uploads that are evidence alone.
        sources: that said something, by kind.
        periods: packets of readings, by kind and period (``h``, ``m``, ``r``, ``d``, ``s``).
        readings: values, by kind.
        backfilled: packets that were sent later than they were measured.
    """

    packets: int = 0
    lines: int = 0
    aside: int = 0
    sources: dict[str, set[str]] = field(default_factory=dict)
    periods: dict[str, Counter[str]] = field(default_factory=dict)
    readings: Counter[str] = field(default_factory=Counter)
    backfilled: int = 0

    @property
    def total(self) -> int:
        """Everything that came in."""
        return self.packets + self.lines

    @property
    def unjudged(self) -> int:
        """What nobody judges: the dialogue, evidence alone, and so far all data that are no hours."""
        data = sum(sum(counts.values()) for counts in self.periods.values())
        return self.aside + data - sum(self.periods.get(kind, Counter())[blocks.HOUR] for kind in JUDGED_HOURS)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Per kind of source, for JSON: sources, readings and packets by period."""
        names = {"h": "hours", "m": "minutes", "r": "realtime", "d": "days", "s": "states"}
        return {
            kind: {
                "sources": len(self.sources[kind]),
                "readings": self.readings[kind],
                **{names.get(period, period): count for period, count in sorted(counts.items())},
            }
            for kind, counts in self.periods.items()
        }


def taken_in(folder: Path) -> TakenIn:
    """Count a journal."""
    found = TakenIn()
    lines: set[bytes | None] = set()  # a line said again in a second replay is one line
    for record in journal.read(folder):
        if record.topic == topics.PACKETS:
            evidence = msgspec.json.decode(record.value, type=Packets)
            found.packets += len(evidence.raw)
            found.aside += sum(verdict in (DIALOGUE, KEPT) for verdict in evidence.verdict)
        elif record.topic == topics.DEAD and not (record.key or b"").startswith(b"gw:"):
            lines.add(record.key)
        elif record.topic in KIND_OF_TOPIC and b'"kind":"block"' in record.value[:20]:
            block = blocks.decode(record.value)
            if isinstance(block, blocks.Block):
                kind = KIND_OF_TOPIC[record.topic]
                found.sources.setdefault(kind, set()).update(block.sources)
                found.periods.setdefault(kind, Counter()).update(block.periods)
                found.readings[kind] += len(block.values)
                found.backfilled += block.marks.count(blocks.BACKFILLED)
    found.lines = len(lines)
    return found
