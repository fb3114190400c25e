"""The replay player: recorded hourly air CSV as live traffic, from one logger per station.

Time is data (design §5): at the start of each instant the player sets the gateway's clock to the end of the hour,
which the gateway confirms once everything sent before is in the log; then the rows of that instant go out, each
logger waiting for the answer to one packet before it sends its next, all loggers side by side. When an hour's rows
are sent is decided by :mod:`streams.replay_order`.

A packet's QN is its instant plus a running number of its logger in milliseconds. The same file therefore says the
same QN again: a resend, not new evidence; and of two rows for one hour of a station the later one has the later QN.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from schemas import times
from schemas.registry import Registry
from streams import hj212
from streams.air_csv import AirRows, Label, read_air_csv
from streams.control_client import ControlClient, ControlLost
from streams.logger_client import Address, Backoff, Counts, Logger, Outgoing, ReplayError, Timing
from streams.replay_order import instants
from streams.voices import Voices

__all__ = ["Address", "ReplayError", "ReplayPlan", "ReplayReport", "Timing", "replay"]

AFTER_LAST_DAY_S = 2 * times.HOUR_S
"""How long after its end a day closes at the latest; the replay goes that far, so that its last day is judged."""
_CHECK_S = 0.25
_DEAD_BYTES = 48 * 1024  # a line that a reader with default limits takes (64 KiB)
_DEAD_TEXT = 10_000
PASSWORD = "123456"  # noqa: S105
"""HJ 212's own example. Nobody's secret: a replay talks to a gateway on the same machine."""


@dataclass(frozen=True)
class ReplayPlan:
    """What to replay, and to whom.

    Attributes:
        files: hourly air CSV, plain or gzip; several play together (:mod:`streams.replay_order`).
        registry: gives the loggers' numbers and units.
        to: the gateway.
        control: its control port; None for the registry's, on loopback.
        live: replay without a virtual clock: whatever time it is at the gateway is when the rows were received.
        speed: virtual seconds per second; None for as fast as it goes.
        finish: afterwards move the clock on until the last day is closed.
        label: how the files' time column is read; None for what its name says.
        timing: patience of the loggers and of the control connection.
        password: PW of the packets.
    """

    files: Sequence[Path]
    registry: Registry
    to: Address
    control: Address | None = None
    live: bool = False
    speed: float | None = None
    finish: bool = True
    label: Label | None = None
    timing: Timing = field(default_factory=Timing)
    password: str = PASSWORD


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did. ``rows`` = ``packets`` = ``answered`` + ``unlisted``; resends are counted apart.

    ``unlisted`` packets need no answer: their logger is in no registry on that date. ``rejected`` lines of the files
    could not become packets; they are stored as dead letters (not when live). Instants are Beijing time.
    """

    rows: int
    packets: int
    answered: int
    unlisted: int
    resent: int
    reconnects: int
    rejected: int
    seconds: float
    first_instant: str | None
    last_instant: str | None
    instants: int
    loggers: int

    def as_dict(self) -> dict[str, int | float | str | None]:
        """For JSON."""
        return dataclasses.asdict(self)


async def replay(plan: ReplayPlan, progress: Callable[[int, int], None] | None = None) -> ReplayReport:
    """Replay recorded files.

    Args:
        plan: what and to whom.
        progress: called with rows done and rows in all, after each instant.

    Raises:
        AirFileError: a file cannot be used.
        ReplayError: the gateway cannot be reached, refuses, or did not answer while patience lasted.
    """
    files = [as_sent(read_air_csv(path, label=plan.label)) for path in plan.files]
    player = _Player(plan, files)
    try:
        return await player.play(progress or (lambda done, total: None))
    finally:
        player.close()


def as_sent(rows: AirRows) -> AirRows:
    """Put back what the reader refused (``inf``, ``1e40``): a logger says what it has, and the gateway judges."""
    for number, note in enumerate(rows.notes):
        if note.kind != "finer":
            for row, column in np.argwhere(rows.note == number).tolist():
                rows.texts[column][row] = note.text
    return rows


class _Player:
    """One replay."""

    def __init__(self, plan: ReplayPlan, files: list[AirRows]) -> None:
        self.plan = plan
        self.files = files
        self.counts = Counts()
        self.voices = Voices(plan.registry)
        self.loggers: dict[str, Logger] = {}
        self.loop = asyncio.get_running_loop()
        self.control: ControlClient | None = None
        if not plan.live:
            port = plan.control or Address("127.0.0.1", plan.registry.receive.control_port)
            self.control = ControlClient(port, plan.timing.patience_s)
        self.left = 0  # packets of this instant that are not resolved
        self.all_resolved: asyncio.Future[None] = self.loop.create_future()
        self.error: BaseException | None = None
        self.watchdog: asyncio.Task[None] | None = None
        self.settled: dict[Logger, tuple[int, int]] = {}  # generation and bytes known to be handled

    def close(self) -> None:
        """Let go of every connection."""
        if self.watchdog is not None:
            self.watchdog.cancel()
        if self.all_resolved.done() and not self.all_resolved.cancelled():
            self.all_resolved.exception()  # it was raised, or something else was
        for logger in self.loggers.values():
            logger.close()
        if self.control is not None:
            self.control.close()

    async def play(self, progress: Callable[[int, int], None]) -> ReplayReport:
        started = self.loop.time()
        if self.control is not None:
            await self.control.open()
        self.watchdog = self.loop.create_task(self._watch())
        total = sum(map(len, self.files))
        done = 0
        at: list[int] = []
        first = last = None
        for instant, rows in self._instants():
            last = instant
            if first is None:
                first, began = instant, self.loop.time()
                await self._settle(instant)
                await self._store_rejected()
            else:
                if self.plan.speed is not None:
                    await asyncio.sleep(max(0.0, began + (instant - first) / self.plan.speed - self.loop.time()))
                await self._settle(instant)
            await self._send(instant, rows)
            done += len(rows)
            at.append(done)
            progress(done, total)
        if last is None:
            await self._store_rejected()
        else:
            end = times.day_end(times.day_of(last)) + AFTER_LAST_DAY_S
            await self._settle(end if self.plan.finish else last)
        return ReplayReport(
            rows=total,
            packets=self.counts.packets,
            answered=self.counts.answered,
            unlisted=self.counts.unlisted,
            resent=self.counts.resent,
            reconnects=self.counts.reconnects,
            rejected=sum(len(f.rejected) for f in self.files),
            seconds=round(self.loop.time() - started, 3),
            first_instant=None if first is None else times.text(first),
            last_instant=None if last is None else times.text(last),
            instants=len(at),
            loggers=len(self.loggers),
        )

    # ---- rows

    def _instants(self) -> Iterator[tuple[int, list[tuple[AirRows, int]]]]:
        """Every instant and its rows (file, number in it), in the order they are sent."""
        clock = instants([(f.end, f.station) for f in self.files])
        sequence = np.argsort(clock, kind="stable")
        owner = np.repeat(np.arange(len(self.files)), [len(f) for f in self.files])
        offset = np.concatenate([np.arange(len(f)) for f in self.files] or [np.zeros(0, np.int64)])
        borders = np.flatnonzero(np.diff(clock[sequence])) + 1
        for run in np.split(sequence, borders):
            if len(run):
                rows = zip(owner[run].tolist(), offset[run].tolist(), strict=True)
                yield int(clock[run[0]]), [(self.files[f], row) for f, row in rows]

    async def _send(self, instant: int, rows: list[tuple[AirRows, int]]) -> None:
        """Send the rows of an instant and return when each is answered, or sent if nobody will answer."""
        said: dict[str, list[Outgoing]] = defaultdict(list)
        for file, row in rows:
            end = int(file.end[row])
            voice = self.voices.of(file.stations[file.station[row]], times.date_of(times.day_of(end)))
            packets = said[voice.mn]
            qn = _qn(instant, len(packets))
            readings = voice.readings([texts[row] for texts in file.texts])
            data = hj212.hour_packet(qn, voice.mn, self.plan.password, end - times.HOUR_S, readings)
            packets.append(Outgoing(qn, data, voice.answered))
        self.left = len(rows)
        self.all_resolved = self.loop.create_future()
        for mn in said:
            if mn not in self.loggers:
                await self._open(mn)
        for mn, packets in said.items():
            self.loggers[mn].say(packets)
        if self.error is not None:
            raise self.error
        if self.left:
            await self.all_resolved

    async def _open(self, mn: str) -> None:
        first = not self.loggers
        logger = self.loggers[mn] = Logger(
            mn,
            self.plan.to,
            self.plan.timing,
            self.counts,
            verify=self._verify,
            resolved=self._one_resolved,
            failed=self._failed,
        )
        if first:  # a wrong port is told at once; later the gateway may be away for a moment
            await logger.open()

    def _one_resolved(self) -> None:
        self.left -= 1
        if not self.left and not self.all_resolved.done():
            self.all_resolved.set_result(None)

    def _failed(self, error: BaseException) -> None:
        self.error = self.error or error
        if not self.all_resolved.done():
            self.all_resolved.set_exception(self.error)

    async def _watch(self) -> None:
        pause = min(_CHECK_S, self.plan.timing.over_time_s / 4)
        while True:
            await asyncio.sleep(pause)
            now = self.loop.time()
            for logger in self.loggers.values():
                logger.check(now)

    # ---- the clock

    async def _verify(self) -> None:
        if self.control is not None:
            await self.control.verify()

    async def _settle(self, to_s: int) -> None:
        """Have everything sent so far confirmed, and set the clock."""
        if self.control is None:
            for logger in self.loggers.values():
                logger.confirm()
            return
        backoff = Backoff(self.plan.timing.patience_s)
        while True:
            if self.error is not None:
                raise self.error
            owing = [logger for logger in self.loggers.values() if logger.has_unconfirmed]
            trouble = next((f"gateway {self.plan.to}, logger {each.mn}: lost" for each in owing if not each.ready), "")
            if not trouble:
                sent = {each: (each.generation, each.sent) for each in self.loggers.values() if each.ready}
                news = {each.port: state[1] for each, state in sent.items() if self.settled.get(each) != state}
                try:
                    await self.control.clock(to_s * 1000, news)
                except ControlLost as error:
                    trouble = f"control port {error}"
                else:
                    # Whose connection ended meanwhile may not have arrived whole: it is sent again first.
                    if all(each.ready and each.generation == sent[each][0] for each in owing):
                        break
                    trouble = f"gateway {self.plan.to}: a connection was lost"
            await backoff.pause(trouble)
        for each in owing:
            each.confirm()
        self.settled.update(sent)

    async def _store_rejected(self) -> None:
        """Have the lines stored that cannot become packets."""
        if self.control is None:
            return
        names = [f.path.name for f in self.files]
        batch: list[dict[str, str]] = []
        size = 0
        for file in self.files:
            # The same line must have the same id in every replay, wherever the file lies now.
            name = file.path.name if names.count(file.path.name) == 1 else str(file.path)
            for line in file.rejected:
                item = {"id": f"{name}:{line.line}", "reason": line.reason, "text": line.raw[:_DEAD_TEXT]}
                size += len(msgspec.json.encode(item))
                if batch and size > _DEAD_BYTES:
                    await self.control.dead(batch)
                    batch, size = [], 0
                batch.append(item)
        if batch:
            await self.control.dead(batch)


def _qn(instant: int, number: int) -> str:
    return f"{_stamp(instant + number // 1000)}{number % 1000:03d}"


_stamp = functools.lru_cache(maxsize=64)(times.stamp)
