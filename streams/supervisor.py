"""One parent for all parts of the embedded default.

There is one way to recover, and it is used for everything: when the broker, the gateway, the worker or the
sink dies, the others are ended too, and after a back-off all start again on a fresh broker, rebuilt from the
journal (decision 0004). What the journal holds was answered for; what it does not hold was not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("envstream.up")

READY_S = 120.0
STOP_S = 15.0
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.5, 30.0
HEALTHY_S = 60.0
LOG_BYTES = 5_000_000
EXIT_USAGE = 2
AFTER_THE_REST = ("notify",)
"""Started when the journal is in the broker: what was told to whom must be known before anybody is told."""


class SupervisorError(RuntimeError):
    """The parts cannot be started; the text is one line with the cure."""


@dataclass
class Part:
    """A child process."""

    name: str
    process: asyncio.subprocess.Process
    ready: asyncio.Future[dict[str, Any]]
    log_path: Path

    def death(self) -> str:
        """How it ended, for people."""
        code = self.process.returncode
        if code is not None and code < 0:
            return f"{self.name} was killed ({signal.Signals(-code).name})"
        return f"{self.name} ended with exit code {code}"

    def last_words(self) -> str:
        """The last line of its log."""
        try:
            lines = [line for line in self.log_path.read_text(errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return lines[-1] if lines else ""


class Supervisor:
    """Starts the parts, notices their deaths, and starts all again."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], commands: Callable[[str, str], dict[str, list[str]]]
    ) -> None:
        """Set up.

        Args:
            folder: of the run: journal, spool, logs.
            say: reports to the person at the terminal.
            commands: ``(bootstrap, epoch)`` to the command lines of worker, sink and gateway, in starting order.
        """
        self.folder = folder
        self.say = say
        self.commands = commands
        self.deaths: list[str] = []
        self.parts: dict[str, Part] = {}
        self.bootstrap = ""
        self.running = ""  # the epoch, while all parts are alive and the journal is in the broker
        self.epoch = ""
        self.gateway: dict[str, Any] = {}
        self._readers: list[asyncio.Future[None]] = []  # held, or asyncio may drop them

    async def run(
        self, stop: asyncio.Event, work: Callable[[], Awaitable[Any]] | None, started: Callable[[], None]
    ) -> Any:
        """Run until ``stop`` is set, or ``work`` is done; returns what it returned.

        ``work`` is told nothing of restarts; ``started`` is called at every start of all parts.

        Raises:
            SupervisorError: a part refuses its configuration, or nothing stays alive.
        """
        backoff, failures = BACKOFF_FIRST_S, 0
        task: asyncio.Task[Any] | None = None
        stopping = asyncio.create_task(stop.wait())
        try:
            while True:
                begun = time.monotonic()
                dead = await self._start(stopping)
                if dead is None and not stopping.done():
                    self.running = self.epoch
                    started()
                    if task is None and work is not None:
                        task = asyncio.ensure_future(work())
                    dead = await self._watch(task, stopping)
                    self.running = ""
                if stopping.done() or (task is not None and task.done()):
                    return task.result() if task is not None and task.done() else None
                assert dead is not None
                await self._stop_all()
                self._refused(dead)
                healthy = time.monotonic() - begun > HEALTHY_S
                backoff, failures = (
                    (BACKOFF_FIRST_S, 0) if healthy else (min(backoff * 2, BACKOFF_MOST_S), failures + 1)
                )
                self.deaths.append(dead.death())
                self.say(
                    f"{dead.death()}: all parts start again from the journal in {backoff:.0f} s (log: {dead.log_path})"
                )
                if failures > 8:
                    raise SupervisorError(f"{dead.name} does not stay alive: {dead.last_words()} (see {dead.log_path})")
                await asyncio.wait([stopping], timeout=backoff)
        finally:
            stopping.cancel()
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=5)
            await self._stop_all()

    def _refused(self, dead: Part) -> None:
        if dead.process.returncode == EXIT_USAGE:
            raise SupervisorError(dead.last_words().removeprefix("envstream: "))

    async def _start(self, stopping: asyncio.Task[Any]) -> Part | None:
        """Start broker, worker, sink and gateway; the part that died before all were ready, if one did."""
        self.epoch = uuid.uuid4().hex[:12]
        broker = await self.spawn("broker", ["broker"])
        dead = await self._await_ready([broker], stopping)
        if dead is not None or stopping.done():
            return dead
        self.bootstrap = broker.ready.result()["bootstrap"]
        lines = self.commands(self.bootstrap, self.epoch)
        parts = [await self.spawn(name, line) for name, line in lines.items() if name not in AFTER_THE_REST]
        dead = await self._await_ready(parts, stopping)
        if dead is None and not stopping.done():
            self.gateway = self.parts["gateway"].ready.result()
            parts = [await self.spawn(name, line) for name, line in lines.items() if name in AFTER_THE_REST]
            dead = await self._await_ready(parts, stopping)
        return dead

    async def _await_ready(self, parts: list[Part], stopping: asyncio.Task[Any]) -> Part | None:
        deaths: dict[asyncio.Future[Any], Part] = {
            asyncio.ensure_future(p.process.wait()): p for p in self.parts.values()
        }
        ready = asyncio.create_task(_all(parts))
        waiters: list[asyncio.Future[Any]] = [*deaths, ready, stopping]
        done, _ = await asyncio.wait(waiters, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        for waiter in deaths:
            if waiter not in done:
                waiter.cancel()
        if ready in done or stopping in done:
            return None
        ready.cancel()
        for waiter, part in deaths.items():
            if waiter in done:
                return part
        late = next(p for p in parts if not p.ready.done())
        late.process.kill()
        await late.process.wait()
        return late

    async def _watch(self, task: asyncio.Task[Any] | None, stopping: asyncio.Task[Any]) -> Part | None:
        deaths = {asyncio.ensure_future(p.process.wait()): p for p in self.parts.values()}
        waiters: list[Any] = [*deaths, stopping] + ([task] if task is not None else [])
        done, _ = await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        for waiter in deaths:
            if waiter not in done:
                waiter.cancel()
        return next((part for waiter, part in deaths.items() if waiter in done), None)

    async def spawn(self, name: str, line: list[str]) -> Part:
        """Start ``envstream LINE`` as a part; it ends by itself should this parent die."""
        path = self.folder / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with open(path, "ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "envstream",
                *line,
                "--leash",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is the parent's; it ends the parts in order
            )
        part = Part(name, process, asyncio.get_running_loop().create_future(), path)
        self.parts[name] = part
        self._readers.append(asyncio.ensure_future(_read_ready(part)))
        return part

    async def _stop_all(self) -> None:
        # Writers first, the broker last, so that nothing dies of a missing broker.
        people = self.parts.keys() - {"gateway", "worker", "sink", "broker"}
        for name in ("gateway", *sorted(people), "worker", "sink", "broker"):
            part = self.parts.get(name)
            if part is not None:
                await stop_process(part.process)
        self.parts = {}

    def pids(self) -> dict[str, int]:
        """Process ids of the parts, for people who want to look or to kill."""
        return {name: part.process.pid for name, part in self.parts.items()}


async def _all(parts: list[Part]) -> None:
    for part in parts:
        await asyncio.shield(part.ready)


async def _read_ready(part: Part) -> None:
    assert part.process.stdout is not None
    while line := await part.process.stdout.readline():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not part.ready.done():
            part.ready.set_result(told)


async def stop_process(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, then SIGKILL after a while."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def leash() -> None:
    """In a part: end when the parent is gone, which closes our standard input."""
    import threading

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_S)
        os._exit(1)

    threading.Thread(target=wait, name="leash", daemon=True).start()
