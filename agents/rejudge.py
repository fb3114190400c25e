"""A log judged again without a broker: the verdicts are a pure function of it (design §2).

Any records will do: a journal of ``envstream up``, what a simulation left in memory. Every partition has its own judge,
as in the worker, and messages keep their order and place; so what comes out is what the worker published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from agents.air import AirJudge
from agents.emission import EmissionJudge
from agents.water import WaterJudge
from schemas import topics
from streams import journal
from streams.journal import Record
from streams.simulator.recording import journal_of
from streams.state.judge import Judge
from streams.state.kernel import Output

MakeJudge = Callable[[int, int], Judge]

JUDGES: Final[Mapping[str, MakeJudge]] = {
    topics.READINGS_AIR: AirJudge,
    topics.READINGS_WATER: WaterJudge,
    topics.READINGS_EMISSION: EmissionJudge,
}
"""By topic of readings. The same judges as the worker's, which imports Faust; a test holds them together."""


class RejudgeError(Exception):
    """There is no log to judge; the text is one line with the cure."""


class Rejudged:
    """Judges a log message by message.

    Attributes:
        every: all outputs of the topics asked for, in the order of the log.
    """

    def __init__(
        self,
        partitions: int,
        *,
        judges: Mapping[str, MakeJudge] = JUDGES,
        keep: Collection[str] = (topics.CONDITIONS, topics.REVISIONS),
        lasts: bool = True,
    ) -> None:
        """Begin with an empty log.

        Args:
            partitions: of the log.
            judges: by topic of readings; records of other topics are passed over.
            keep: topics of which every message is kept, not only the last of a key.
            lasts: whether the last message of every key is kept; a year of them is gigabytes.
        """
        self.every: list[Output] = []
        self._lasts = lasts
        self._keep = frozenset(keep)
        self._judges = {(topic, p): make(p, partitions) for topic, make in judges.items() for p in range(partitions)}
        self._offsets: Counter[tuple[str, int]] = Counter()
        self._last: dict[str, dict[bytes, bytes]] = {}

    def take(self, record: Record) -> list[Output]:
        """Judge a record; what was published because of it."""
        place = record.topic, record.partition
        judge = self._judges.get(place)
        if judge is None:
            return []
        outputs = judge.take(record.value, f"{record.topic}/{record.partition}/{self._offsets[place]}")
        self._offsets[place] += 1
        for output in outputs:
            if self._lasts:
                self._last.setdefault(output.topic, {})[output.key] = output.value
            if output.topic in self._keep:
                self.every.append(output)
        return outputs

    def last(self, topic: str) -> Mapping[bytes, bytes]:
        """The last message of every key of a topic."""
        return self._last.get(topic, {})

    def all_of(self, topic: str) -> list[Output]:
        """Every message of a topic that was to be kept."""
        if topic not in self._keep:
            raise ValueError(f"messages of {topic} were not kept: name it in keep")
        return [output for output in self.every if output.topic == topic]


def rejudge(
    records: Iterable[Record],
    *,
    partitions: int = topics.EMBEDDED_PARTITIONS,
    judges: Mapping[str, MakeJudge] = JUDGES,
    keep: Collection[str] = (topics.CONDITIONS, topics.REVISIONS),
) -> Rejudged:
    """Judge a whole log; the arguments are those of :class:`Rejudged`."""
    judged = Rejudged(partitions, judges=judges, keep=keep)
    for record in records:
        judged.take(record)
    return judged


def rejudge_journal(
    folder: Path,
    *,
    judges: Mapping[str, MakeJudge] = JUDGES,
    keep: Collection[str] = (topics.CONDITIONS, topics.REVISIONS),
) -> Rejudged:
    """Judge the journal of an ``envstream up``; it may be running.

    Raises:
        RejudgeError: the folder has no journal.
    """
    found = journal_of(folder)
    if found is None:
        raise RejudgeError(f"{folder}: no journal of envstream up: give its folder with --data")
    return rejudge(journal.read(found), judges=judges, keep=keep)
