"""Where everything that arrives becomes messages of the log: evidence, blocks, dead letters; then it may be answered.

The gateway and ``ingest`` bring arrivals; one loop packs those at hand into one block per partition and topic and
appends them. While that is being written the next ones gather, so an arrival alone waits for nobody and many share
one write (design §4). ``packets`` keeps every byte as evidence, ``readings-*`` what is judged, ``dead`` what
cannot be used and why.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from schemas import blocks, times, topics
from schemas.action_files import Placed
from schemas.messages import Dead, Packets, encode
from schemas.registry import Registry, parse
from streams.actions import prepare, time_of
from streams.clock import LIVE, VIRTUAL, WriterClock
from streams.journal import Record
from streams.reading_rows import Reading, ReadingRows
from streams.source_index import SourceIndex
from streams.writer import Writer

MOST_IN_BLOCK = 500
MOST_BYTES = 128 * 1024
"""Raw bytes of a batch. A NUL takes six bytes as JSON, and Kafka refuses messages beyond 1 MB."""
MOST_WAITING = 5_000
MOST_WAITING_BYTES = 8 * 1024 * 1024
"""Arrivals in memory, and their bytes; beyond this nothing more is read until they are written."""
DEAD_BYTES = 200
"""Of an arrival that stand in its dead letter, for people; ``packets`` has all of them. The embedded broker keeps
5 MB, and pacing leaves 3 000 letters unread."""

_PW = re.compile(rb"PW=[^;,&]*")
"""Of a dead letter, which people look at; the evidence has the packet as it came."""

OK = "ok"
KEPT = "kept"
"""Evidence alone: an upload that says nothing of what is judged."""
DIALOGUE = "dialogue"
"""Part of a conversation between platform and logger."""
ALIVE = frozenset((OK, KEPT, DIALOGUE))
"""Verdicts that are no reason for a dead letter."""


@dataclass(slots=True)
class Arrival:
    """Something that arrived, with what became of it.

    Attributes:
        raw: the bytes, for evidence.
        peer: who sent them.
        mn: number of the logger, or the source an ingest names; "" when unknown.
        received: epoch ms by the writer's clock.
        verdict: one of ``ALIVE``, or why it cannot be used (a word or ``word: more``).
        reading: what is judged of it, if anything.
        group: of its source, "" when unknown.
        written: called when the log has it.
        cure: added to the verdict in the dead letter.
    """

    raw: bytes
    peer: str
    mn: str
    received: int
    verdict: str
    reading: Reading | None
    group: str
    written: Callable[[Arrival], None]
    cure: str = ""


class Intake:
    """Packs arrivals into the log. ``run`` writes until cancelled.

    Attributes:
        place: what dead letters call this writer's post, before the peer.
        index: finds sources; changed by :meth:`apply`.
        full: whether nothing more should be read for now.
        newest_ms: no ``received`` or tick that was written is later, epoch ms.
    """

    def __init__(
        self, writer: Writer, registry: Registry, clock: WriterClock, *, place: str = "gateway", first_packet: int = 0
    ) -> None:
        self.writer = writer
        self.clock = clock
        self.place = place
        self.index = SourceIndex(registry)
        self.full = False
        self.newest_ms = 0
        self.on_full: Callable[[bool], None] = lambda full: None
        self.on_written: Callable[[list[Arrival]], None] = lambda batch: None
        self.on_registry: Callable[[Registry], None] = lambda registry: None
        self.written = asyncio.Condition()
        self._next_packet = first_packet
        self._waiting: list[Arrival] = []
        self._waiting_bytes = 0
        self._something = asyncio.Event()
        self._log = asyncio.Lock()  # what stands in the log in one order: batches, actions and registry versions
        self._hour: int | None = None
        self._partitions: dict[str, int] = {}

    @property
    def registry(self) -> Registry:
        """The registry in force."""
        return self.index.registry

    @property
    def waiting(self) -> int:
        """Arrivals not yet written."""
        return len(self._waiting)

    # ---- arrivals

    def take(self, arrivals: list[Arrival]) -> None:
        """Take what arrived; each one's ``written`` is called when the log has it."""
        self._waiting += arrivals
        self._waiting_bytes += sum(len(a.raw) for a in arrivals)
        self._something.set()
        if not self.full and (len(self._waiting) > MOST_WAITING or self._waiting_bytes > MOST_WAITING_BYTES):
            self.full = True
            self.on_full(True)

    def begin_live(self) -> None:
        """A registered source that speaks before any player makes a new log live."""
        if self.clock.kind is None:
            self.clock.begin_live()
            self._tell_journal(LIVE)

    def _tell_journal(self, kind: str) -> None:
        if self.writer.journal is not None and self.writer.journal.clock is None:
            self.writer.journal.begin(kind)

    async def run(self) -> None:
        """Write what arrives, for ever."""
        while True:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(0)  # let every socket that is ready now be read first
            async with self._log:
                await self._write_all()
            if self.full:
                self.full = False
                self.on_full(False)

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._take_batch()
            await self.writer.append(self._pack(batch))
            self.newest_ms = max(self.newest_ms, *(a.received for a in batch))
            # Only now: Kafka has acknowledged what an answer would stand for.
            for arrival in batch:
                arrival.written(arrival)
            self.on_written(batch)
            async with self.written:
                self.written.notify_all()

    def _take_batch(self) -> list[Arrival]:
        size = count = 0
        for arrival in self._waiting[:MOST_IN_BLOCK]:
            if count and size + len(arrival.raw) > MOST_BYTES:
                break
            size += len(arrival.raw)
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        self._waiting_bytes -= size
        return batch

    # ---- messages

    def _pack(self, batch: list[Arrival]) -> list[Record]:
        dead: list[Record] = []
        rows: dict[tuple[str, int], ReadingRows] = defaultdict(lambda: ReadingRows(self.writer.name))
        evidence: dict[int, list[tuple[int, Arrival]]] = defaultdict(list)
        # A block holds packets of consecutive numbers: numbered as they came, a batch of the whole district falls into
        # blocks of one to three packets, five times as many messages (measured). Within a partition they keep order.
        for arrival in sorted(batch, key=self._lane):
            number = self._next_packet
            self._next_packet += 1
            partition = self._lane(arrival)[0]
            if arrival.reading is not None:
                topic = topics.READINGS_OF[arrival.reading.origin.source.kind]
                rows[topic, partition].add(number, arrival.reading, arrival.received)
            if arrival.verdict not in ALIVE:
                dead.append(self._dead(number, arrival))
            evidence[partition].append((number, arrival))
        records = [self._evidence(partition, run) for partition, found in evidence.items() for run in _runs(found)]
        for (topic, partition), gathered in rows.items():
            records += [Record(topic, partition, None, blocks.encode(block)) for block in gathered.blocks()]
        return records + dead

    def _lane(self, arrival: Arrival) -> tuple[int, str]:
        """The partition of an arrival, and the kind of its source, whose readings have a topic of their own."""
        partition = self._partition(arrival.group) if arrival.group else 0
        return partition, arrival.reading.origin.source.kind if arrival.reading is not None else ""

    def _partition(self, group: str) -> int:
        found = self._partitions.get(group)
        if found is None:
            found = self._partitions[group] = topics.partition_of(group, self.writer.partitions)
        return found

    def _evidence(self, partition: int, run: list[tuple[int, Arrival]]) -> Record:
        message = Packets(
            writer=self.writer.name,
            first=run[0][0],
            received=[a.received for _, a in run],
            peer=[a.peer for _, a in run],
            mn=[a.mn for _, a in run],
            verdict=[a.verdict for _, a in run],
            raw=[a.raw.decode("latin-1") for _, a in run],
        )
        return Record(topics.PACKETS, partition, None, encode(message))

    def _dead(self, number: int, arrival: Arrival) -> Record:
        name = f"{self.writer.name}:{number}"
        dead = Dead(
            id=name,
            place=f"{self.place} {arrival.peer}",
            reason=f"{arrival.verdict}: {arrival.cure}" if arrival.cure else arrival.verdict,
            text=_PW.sub(b"PW=***", arrival.raw[:DEAD_BYTES]).decode("latin-1"),
            received=arrival.received,
        )
        return Record(topics.DEAD, 0, name.encode(), encode(dead))

    # ---- time and registry

    async def set_clock(self, to_ms: int, *, tick: bool = False) -> int:
        """Set the clock of a virtual log. Whenever it passes a full hour, or if asked, every partition is told."""
        now = self.clock.set(to_ms)
        self._tell_journal(VIRTUAL)
        hour = now // (1000 * times.HOUR_S)
        if tick or hour != self._hour:
            self._hour = hour
            await self.append_ticks(now)
        return now

    async def append_ticks(self, now_ms: int, *, keep: bool = True) -> None:
        """Tell every partition what time it is; not waited for."""
        message = blocks.encode(blocks.Tick(self.writer.name, now_ms))
        kinds = [kind for kind in topics.READINGS_OF if self.registry.groups_of(kind)]
        records = [
            Record(topics.READINGS_OF[kind], p, None, message) for kind in kinds for p in range(self.writer.partitions)
        ]
        await self.writer.append(records, wait=False, keep=keep)
        self.newest_ms = max(self.newest_ms, now_ms)

    async def tick(self) -> None:
        """Once a second in a live log: time passes also when nobody speaks."""
        seconds = 0
        while True:
            await asyncio.sleep(1.0)
            # While Kafka is away ticks would only pile up; the first one afterwards says it all.
            if self.clock.kind != LIVE or self.writer.busy:
                continue
            async with self._log:
                if not self.clock.held:
                    # In the journal once a minute is enough: packets carry their own time, and no result depends on
                    # how far apart ticks are. Every second it would be 24 MB a day.
                    await self.append_ticks(self.clock.now_ms(), keep=seconds % 60 == 0)
                    seconds += 1

    async def apply(self, registry: Registry) -> None:
        """Put another registry in force, in the log and here; what arrived before is written before it."""
        async with self._log:
            await self._write_all()
            await self.writer.append(self.registry_records(registry))
            self.index = SourceIndex(registry)  # only what the log has is in force
            self.on_registry(registry)

    async def act(self, placed: list[Placed], *, dry: bool = False) -> list[blocks.Action]:
        """Put what people decided into the log, all of it or none; what arrived before is written before it.

        Args:
            placed: drafts with their places, for errors.
            dry: check them only.

        Returns:
            The actions as they stand in the log, or would.

        Raises:
            ActionsRefused: one of them is wrong under the registry in force, or the log has no time now.
            WriterError: not known to be in the log.
            JournalError: the disk refused it.
        """
        async with self._log:
            if not dry:
                await self._write_all()
            # A wall clock may have been set back a little; what is decided now is not earlier than what is written.
            now_ms = max(time_of(self.clock), self.newest_ms)
            written = prepare(placed, self.registry, self.writer.name, self.writer.partitions, now_ms)
            if not dry:
                await self.writer.append(written.records)
                self.newest_ms = now_ms
            return written.actions

    def adopt(self, message: blocks.Reading) -> None:
        """Another writer put a registry into the log: it holds for us as well.

        Raises:
            RegistryError: a registry this version cannot read.
        """
        if isinstance(message, blocks.RegistryVersion) and message.digest != self.registry.digest:
            registry = parse(message.text, f"registry {message.digest} of {message.writer}")
            self.index = SourceIndex(registry)
            self.on_registry(registry)

    def registry_records(self, registry: Registry | None = None) -> list[Record]:
        """A registry (the one in force) for every partition; it takes effect at its offset."""
        received = self.clock.virtual_ms if self.clock.kind in (VIRTUAL, None) else self.clock.now_ms()
        registry = registry or self.registry
        version = blocks.RegistryVersion(self.writer.name, registry.digest, registry.text, received or 0)
        message = blocks.encode(version)
        records = [Record(topic, p, None, message) for topic in topics.READINGS for p in range(self.writer.partitions)]
        return [*records, Record(topics.REGISTRY, 0, topics.REGISTRY_KEY, message)]


def _runs(found: list[tuple[int, Arrival]]) -> list[list[tuple[int, Arrival]]]:
    """Split where the numbers have a hole: a message names only its first packet."""
    runs: list[list[tuple[int, Arrival]]] = []
    for item in found:
        if runs and runs[-1][-1][0] + 1 == item[0]:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs
