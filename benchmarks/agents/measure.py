"""Runs of one contestant: through what lies in the topic, and killed in the middle of what is coming in."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agents.arithmetic import SIX
from benchmarks.agents.contestants import READINGS, Contestant, Start
from benchmarks.agents.data import PARTITIONS, Message, Workload
from benchmarks.agents.kafka import Broker, append
from benchmarks.agents.outputs import Outputs
from benchmarks.agents.process import Ended, Running
from schemas import topics

LONGEST_S = 150
LOOK_S = 0.02
FEED_S = 2.5
"""A run with a kill is fed this long from ready on, evenly, so that the kill falls into work and leaves a backlog."""
IDLE_S = 12.0
IDLE_CPU_S = 1.0
"""Who says nothing for longer than a session and uses less of the processor than this meanwhile has ended its work."""


@dataclass
class Straight:
    """A run through a filled topic, from ready until every hour is told; ``complete`` when it is: else no rate."""

    readings: int
    wall_s: float
    cpu_s: float
    memory_mib: float
    differing: int
    means: int
    complete: bool


@dataclass
class Killed:
    """A run with a SIGKILL in the middle. ``back_s`` None: it did not come back."""

    back_s: float | None
    differing: int
    means: int


@dataclass
class Bench:
    """The broker, a folder to work in, the interpreter of the peers."""

    broker: Broker
    folder: Path
    peers: str
    _runs: int = 0

    @contextmanager
    def lane(self, contestant: Contestant, work: Workload, *, fill: bool) -> Iterator[Lane]:
        """Fresh topics and state for one run, with the data in them, or to be fed."""
        self._runs += 1
        name = f"run-{self._runs}"
        folder = self.folder / name
        folder.mkdir()
        before = self.broker.topics()
        if contestant.ours:
            self.broker.forget_group(topics.AGENTS_GROUP)
            self.broker.make_ours()
            lane = Lane(self, contestant, work, topics.READINGS_AIR, topics.CELLS, topics.AGENTS_GROUP, folder)
        else:
            lane = Lane(self, contestant, work, f"{name}-in", f"{name}-out", name, folder)
            self.broker.make(lane.input, lane.output)
            self.broker.make(*[f"{lane.group}-{table}-changelog" for table in contestant.tables], compacted=True)
        if fill:
            self.broker.fill(lane.input, lane.messages())
        try:
            yield lane
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self.broker.drop(self.broker.topics() - before - {"__consumer_offsets"})


@dataclass
class Lane:
    """One run: its topics, its group, its folder."""

    bench: Bench
    contestant: Contestant
    work: Workload
    input: str
    output: str
    group: str
    folder: Path

    def messages(self) -> list[Message]:
        """The data in the shape the contestant takes."""
        return self.work.one_by_one if self.contestant.takes == READINGS else self.work.in_blocks

    def start(self, *, to_be_killed: bool = False, again: bool = False) -> Running:
        """Start the contestant."""
        env = {
            "BENCH_BOOTSTRAP": self.bench.broker.bootstrap,
            "BENCH_INPUT": self.input,
            "BENCH_OUTPUT": self.output,
            "BENCH_GROUP": self.group,
            "BENCH_FOLDER": str(self.folder),
            "ENVSTREAM_BOOTSTRAP": self.bench.broker.bootstrap,
        }
        commands = self.contestant.command(Start(self.bench.peers, self.folder, to_be_killed, again))
        return Running(commands, env, self.folder / "log")

    def outputs(self) -> Outputs:
        """A reader of what it publishes."""
        return Outputs(self.bench.broker.tail(self.output), self.work.truth)

    def committed_all(self) -> bool:
        """Whether its group has committed everything there is."""
        broker = self.bench.broker
        return broker.committed(self.group, self.input) == broker.ends(self.input)

    def done(self, outputs: Outputs) -> bool:
        """Whether every hour is told; envstream may say an hour again, so there everything is committed as well."""
        if self.contestant.ours:
            return self.committed_all()
        return outputs.share == 1


def straight(bench: Bench, contestant: Contestant, work: Workload) -> Straight:
    """Run through a filled topic."""
    with bench.lane(contestant, work, fill=True) as lane:
        outputs = lane.outputs()
        running = lane.start()
        try:
            _until_done(lane, outputs, running)
            ended, cpu = time.monotonic(), running.cpu()
            time.sleep(0.3)
            memory = running.memory_mib()
            outputs.read_all()
            assert running.ready_at is not None
            return Straight(
                work.readings,
                ended - running.ready_at,
                cpu - running.ready_cpu,
                memory,
                outputs.differing(),
                len(work.truth) * SIX,
                complete=outputs.share == 1,
            )
        finally:
            running.end()
            outputs.close()


def _until_done(lane: Lane, outputs: Outputs, running: Running) -> None:
    """Until every hour is told, or nothing more comes though hours are missing."""
    begun = idle_since = time.monotonic()
    cpu = 0.0
    while True:
        said = outputs.read(LOOK_S)
        running.check()
        now = time.monotonic()
        if running.ready_at is not None and lane.done(outputs):
            return
        if said or running.ready_at is None:
            idle_since, cpu = now, running.cpu()
        elif now - idle_since > IDLE_S:
            if running.cpu() - cpu < IDLE_CPU_S:
                return
            idle_since, cpu = now, running.cpu()
        if now - begun > LONGEST_S:
            raise TimeoutError(f"not done after {LONGEST_S} s, {outputs.share:.1%} of the hours told")


def killed(bench: Bench, contestant: Contestant, work: Workload, wait_s: float) -> Killed:
    """Feed, kill it so long after it was ready, start it again, let it end."""
    with bench.lane(contestant, work, fill=False) as lane:
        outputs = lane.outputs()
        running = [lane.start(to_be_killed=True)]
        feeding = threading.Thread(target=_feed, args=(lane, lane.messages(), running[0]), daemon=True)
        try:
            feeding.start()
            _until_ready(running[0])
            time.sleep(wait_s)
            at = time.monotonic()
            running[0].kill()
            before = _checkpoints(lane)
            running.append(lane.start(to_be_killed=True, again=True))
            back = _first_block(lane, running[1], before)
            while feeding.is_alive():
                outputs.read(LOOK_S)
            _until_done(lane, outputs, running[-1])
            outputs.read_all()
            return Killed(back and back - at, outputs.differing(), len(work.truth) * SIX)
        finally:
            running[-1].end()
            feeding.join()
            outputs.close()


def _feed(lane: Lane, messages: list[Message], running: Running) -> None:
    """A few messages to be ready with, then the others evenly."""
    producer = lane.bench.broker.producer()
    for message in messages[:PARTITIONS]:
        append(producer, lane.input, message)
    producer.flush(30)
    try:
        _until_ready(running)
    except (Ended, TimeoutError):
        return  # the run itself says so
    begun = time.monotonic()
    for n, message in enumerate(messages[PARTITIONS:]):
        ahead = begun + FEED_S * n / len(messages) - time.monotonic()
        if ahead > 0.005:
            producer.poll(0)
            time.sleep(ahead)
        append(producer, lane.input, message)
    producer.flush(30)


def _until_ready(running: Running) -> None:
    until = time.monotonic() + LONGEST_S
    while running.ready_at is None:
        running.check()
        if time.monotonic() > until:
            raise TimeoutError(f"not ready after {LONGEST_S} s")
        time.sleep(LOOK_S)


def _checkpoints(lane: Lane) -> int:
    return sum(lane.bench.broker.ends(topics.STATE_AIR)) if lane.contestant.ours else 0


def _first_block(lane: Lane, running: Running, before: int) -> float | None:
    """When the first message after the restart was in hand.

    envstream's own ready comes before that, so for it the first checkpoint that Kafka has after the restart counts;
    this is up to a quarter of a second later than the block.
    """
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        running.check()
        if running.ready_at is not None:
            if not lane.contestant.ours:
                return running.ready_at
            if _checkpoints(lane) > before:
                return time.monotonic()
        time.sleep(0.01)
    return None
