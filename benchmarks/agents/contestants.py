"""Who takes part: how each is started, what it reads, how one sees from outside that it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

READINGS, BLOCKS = "readings", "blocks"


@dataclass(frozen=True)
class Start:
    """How it is started: the interpreter of the peers, its folder, whether it will be killed, whether it was."""

    python: str
    folder: Path
    to_be_killed: bool = False
    again: bool = False


Command = Callable[[Start], list[list[str]]]
"""Commands of a start, one after the other; the last one stays."""


@dataclass(frozen=True)
class Contestant:
    """One of them.

    ``takes``: a message per reading, or blocks. ``commits``: its offsets are in Kafka; else in its own files.
    ``tables``: of Faust, which now and then takes a changelog topic that it has just made for one without partitions;
    then its agent dies, and nothing comes out for minutes. So whoever knows Faust makes them before.
    ``ours``: envstream, whose topics and group have their own names and whose cells may be said more than once.
    """

    name: str
    takes: str
    command: Command
    commits: bool = True
    peer: str = ""  # the package it stands on, when that is in the environment of the peers
    ours: bool = False
    tables: tuple[str, ...] = ()  # whose changelog topics are made before it starts


def _module(name: str, *words: str) -> Command:
    return lambda start: [[start.python, "-m", f"benchmarks.agents.{name}", *words]]


def _own(name: str, *words: str) -> Command:
    return lambda start: [[sys.executable, "-m", f"benchmarks.agents.{name}", *words]]


def _bytewax(name: str) -> Command:
    def command(start: Start) -> list[list[str]]:
        recovery = str(start.folder)
        prepare = [] if start.again else [[start.python, "-m", "bytewax.recovery", recovery, "1"]]
        run = ["-m", "bytewax.run", f"benchmarks.agents.{name}:flow", "-r", recovery, "-s", "1", "-b", "0"]
        return [*prepare, [start.python, *run]]

    return command


def _envstream(start: Start) -> list[list[str]]:
    """The product's own command, which is told where Kafka is by its environment (ENVSTREAM_BOOTSTRAP).

    Where it is to be killed it has static membership, as the peers; else not, so that its group is free at once.
    """
    worker = [sys.executable, "-m", "envstream", "worker", "--log-level", "warning"]
    return [[*worker, "--instance", "bench"] if start.to_be_killed else worker]


OURS = Contestant("envstream worker", BLOCKS, _envstream, ours=True)
NAIVE = Contestant(
    "Faust, Tables, += 1",
    READINGS,
    _own("naive_faust", "worker", "-l", "error", "--without-web"),
    tables=("open-hour", "sums", "counts"),
)
CONTESTANTS = (
    NAIVE,
    Contestant("Quix Streams, a message per reading", READINGS, _module("quix_readings"), peer="quixstreams"),
    Contestant("Bytewax, a message per reading", READINGS, _bytewax("bytewax_readings"), commits=False, peer="bytewax"),
    Contestant("Quix Streams, blocks", BLOCKS, _module("quix_blocks"), peer="quixstreams"),
    Contestant("Bytewax, blocks", BLOCKS, _bytewax("bytewax_blocks"), commits=False, peer="bytewax"),
    OURS,
    Contestant("bare aiokafka and numpy, nothing kept", BLOCKS, _own("bare_aiokafka")),
)
