"""The replay player: recorded data as live traffic, one logger per station, over TCP.

What can be replayed: hourly air CSV; recordings of the simulator; the evidence of a system, which is its ``packets``.
Several sources play together, in order of time. How they are sent is :mod:`streams.simulator.driver`.

When a row of CSV is sent is decided by :mod:`streams.replay_order`. The QN of its packet is its instant plus a running
number of its logger in milliseconds. The same file therefore says the same QN again: a resend, not new evidence; and
of two rows for one hour of a station the later one has the later QN.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

import numpy as np

from schemas import times
from schemas.registry import Registry
from streams import hj212
from streams.air_csv import AirRows, Label, read_air_csv
from streams.logger_client import Address, ReplayError, Timing
from streams.replay_order import instants
from streams.simulator import recording
from streams.simulator.driver import Driver
from streams.simulator.events import END, Event, Mark, steps
from streams.simulator.recording import RecordingError
from streams.voices import Voices

__all__ = ["Address", "RecordingError", "ReplayError", "ReplayPlan", "ReplayReport", "Timing", "record", "replay"]

AFTER_LAST_DAY_S = 2 * times.HOUR_S
"""How long after its end a day closes at the latest; the replay goes that far, so that its last day is judged."""
_DEAD_TEXT = 10_000
PASSWORD = "123456"  # noqa: S105
"""HJ 212's own example. Nobody's secret: a replay talks to a gateway on the same machine."""
KAFKA = "kafka://"


@dataclass(frozen=True)
class ReplayPlan:
    """What to replay, and to whom.

    Attributes:
        files: hourly air CSV, plain or gzip (:mod:`streams.replay_order` says how several play together); recordings;
            folders with a journal; or ``kafka://HOST:PORT``.
        registry: gives the loggers' numbers and units, and says whom the gateway will answer.
        to: the gateway.
        control: its control port; None for the registry's, on loopback.
        live: replay without a virtual clock: whatever time it is at the gateway is when the rows were received.
        speed: virtual seconds per second; None for as fast as it goes.
        finish: afterwards move the clock on until the last day is closed.
        label: how the time column of CSV is read; None for what its name says.
        timing: patience of the loggers and of the control connection.
        password: PW of the packets made of rows.
    """

    files: Sequence[Path | str]
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

    A packet that was recorded counts as a row. ``unlisted`` packets need no answer: their logger is in no registry on
    that date, or they want none, or they are none. ``rejected`` lines of the files could not become packets; they are
    stored as dead letters (not when live). Instants are Beijing time.
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
    """Replay recorded data.

    Args:
        plan: what and to whom.
        progress: called with rows done and rows in all (0: nobody knows), after each step.

    Raises:
        AirFileError: a CSV file cannot be used.
        RecordingError: a recording or evidence cannot be used.
        ReplayError: the gateway cannot be reached, refuses, or did not answer while patience lasted.
    """
    sources = _Sources(plan.files, plan.registry, plan.label, plan.password)
    control = None if plan.live else plan.control or Address("127.0.0.1", plan.registry.receive.control_port)
    driver = Driver(plan.to, control=control, timing=plan.timing, speed=plan.speed)
    started = asyncio.get_running_loop().time()
    first = last = None
    number = done = end = 0
    try:
        await driver.open()
        for last, items in steps(sources.items(), sources.step_ms):
            if first is None:
                first = last
                await driver.settle(first)
                await driver.dead(sources.rejected())
            await driver.step(last, items)
            number += 1
            done += sum(isinstance(item, Event) for item in items)
            if progress is not None:
                progress(done, sources.total)
            end = max(end, *(item.at_ms for item in items if isinstance(item, Mark) and item.what == END), 0)
        if last is None:
            await driver.dead(sources.rejected())
        else:
            await driver.settle(end or (after_last_day(last) if plan.finish else last))
    finally:
        driver.close()
    counts = driver.counts
    return ReplayReport(
        rows=done,
        packets=counts.packets,
        answered=counts.answered,
        unlisted=counts.unlisted,
        resent=counts.resent,
        reconnects=counts.reconnects,
        rejected=sum(len(f.rejected) for f in sources.tables),
        seconds=round(asyncio.get_running_loop().time() - started, 3),
        first_instant=None if first is None else times.text(first // 1000),
        last_instant=None if last is None else times.text(last // 1000),
        instants=number,
        loggers=len(driver.mns),
    )


def record(plan: ReplayPlan, path: Path) -> int:
    """Write what would be replayed as a recording instead; the count of packets.

    Raises:
        AirFileError: a CSV file cannot be used.
        RecordingError: a source cannot be used, or the recording not be written.
    """
    for file in plan.files:
        if path.is_file() and Path(file).is_file() and path.samefile(file):
            raise RecordingError(f"--to {path}: is what is replayed: give another file")
    sources = _Sources(plan.files, plan.registry, plan.label, plan.password)
    count = 0
    with recording.Writer(path, recording.Header(step_ms=sources.step_ms)) as writer:
        for item in sources.items():
            writer.write(item)
            count += isinstance(item, Event)
    return count


def after_last_day(last_ms: int) -> int:
    """When the day of the last instant is closed, epoch ms."""
    return (times.day_end(times.day_of(-(-last_ms // 1000))) + AFTER_LAST_DAY_S) * 1000


class _Sources:
    """What is replayed, as one sequence of events.

    Attributes:
        tables: the CSV files.
        step_ms: of the steps they are sent in.
        total: events in all, 0 when only the end will show.
    """

    def __init__(self, files: Sequence[Path | str], registry: Registry, label: Label | None, password: str) -> None:
        self._voices = Voices(registry)
        self._password = password
        answers = recording.Answers(registry)
        self.tables: list[AirRows] = []
        self._recorded: list[Iterator[Event | Mark]] = []
        self.step_ms = 0
        for file in files:
            path = Path(file)
            if str(file).startswith(KAFKA):
                self._recorded.append(recording.read_kafka(str(file).removeprefix(KAFKA), answers))
            elif path.is_dir():
                self._recorded.append(recording.read_journal(path, answers))
            elif recording.is_recording(path):
                if len(files) == 1:
                    self.step_ms = recording.read_header(path).step_ms
                self._recorded.append(recording.read(path, answers))
            else:
                self.tables.append(as_sent(read_air_csv(path, label=label)))
        self.total = 0 if self._recorded else sum(map(len, self.tables))

    def items(self) -> Iterator[Event | Mark]:
        """Everything, in order of time."""
        return heapq.merge(self._rows(), *self._recorded, key=attrgetter("at_ms"))

    def _rows(self) -> Iterator[Event]:
        """The rows of the tables, each at its instant, those of one instant in the order they are sent."""
        clock = instants([(f.end, f.station) for f in self.tables])
        owner = np.repeat(np.arange(len(self.tables)), [len(f) for f in self.tables])
        offset = np.concatenate([np.arange(len(f)) for f in self.tables] or [np.zeros(0, np.int64)])
        now, said = 0, Counter[str]()
        for at in np.argsort(clock, kind="stable").tolist():
            file, row, instant = self.tables[owner[at]], int(offset[at]), int(clock[at])
            if instant != now:
                now, said = instant, Counter()
            end = int(file.end[row])
            voice = self._voices.of(file.stations[file.station[row]], times.date_of(times.day_of(end)))
            qn = _qn(instant, said[voice.mn])
            said[voice.mn] += 1
            readings = voice.readings([texts[row] for texts in file.texts])
            data = hj212.hour_packet(qn, voice.mn, self._password, end - times.HOUR_S, readings)
            yield Event(instant * 1000, voice.mn, data, qn, voice.answered)

    def rejected(self) -> Iterator[dict[str, str]]:
        """Lines of tables that cannot become packets."""
        names = [f.path.name for f in self.tables]
        for file in self.tables:
            # The same line must have the same id in every replay, wherever the file lies now.
            name = file.path.name if names.count(file.path.name) == 1 else str(file.path)
            for line in file.rejected:
                yield {"id": f"{name}:{line.line}", "reason": line.reason, "text": line.raw[:_DEAD_TEXT]}


def as_sent(rows: AirRows) -> AirRows:
    """Put back what the reader refused (``inf``, ``1e40``): a logger says what it has, and the gateway judges."""
    for number, note in enumerate(rows.notes):
        if note.kind != "finer":
            for row, column in np.argwhere(rows.note == number).tolist():
                rows.texts[column][row] = note.text
    return rows


def _qn(instant: int, number: int) -> str:
    return f"{_stamp(instant + number // 1000)}{number % 1000:03d}"


_stamp = functools.lru_cache(maxsize=64)(times.stamp)
