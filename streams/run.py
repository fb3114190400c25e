"""``envstream up``: the parts of the embedded default under one parent, and a replay through them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from confluent_kafka import KafkaException

from schemas.messages import AirPeriod
from schemas.registry import Registry
from streams.account import taken_in
from streams.ports import PortBusy, listen_on
from streams.spool import count_lines
from streams.summary import summary_text
from streams.supervisor import Supervisor, SupervisorError, stop_process
from streams.view import READER, Behind, View
from streams.writer import READERS

QUIET_S = 600.0
"""Longest wait for the readers after a replay; a rebuild of a year takes seconds."""


class RunError(RuntimeError):
    """``up`` cannot run; the text is one line with the cure."""


@dataclass(frozen=True)
class UpPlan:
    """What to run.

    Attributes:
        folder: of journal, spool and logs.
        district: the registry's file, for the parts.
        registry: the same, checked.
        host: address loggers connect to.
        port: their port, 0 for any.
        control_port: of the control connection, 0 for any.
        feed: words of the command that sends through it (``replay FILE…``, ``simulate --days 7``), then end with a
            summary; none: run until Ctrl-C.
        metrics: where Prometheus finds the gateway, ``HOST:PORT``; None for nowhere.
        ingest_http: where the gateway takes readings by HTTP too, ``HOST:PORT``; None for nowhere.
        ingest_folder: from which it takes CSV files too; None for none.
        as_json: the summary as JSON.
        people: further parts for people, by name: words of a command that takes ``--bootstrap``, ``--embedded`` and
            the gateway's ``--control``.
        welcome: called once the folder is ours: lines for the person at the terminal.
    """

    folder: Path
    district: Path
    registry: Registry
    host: str
    port: int
    control_port: int
    feed: tuple[str, ...] = ()
    metrics: str | None = None
    ingest_http: str | None = None
    ingest_folder: Path | None = None
    as_json: bool = False
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    welcome: Callable[[], Sequence[str]] | None = None


def run_up(plan: UpPlan) -> int:
    """Run everything; the exit code.

    Raises:
        RunError: with one line for a person.
    """
    with _own(plan.folder):
        for address, number in ((plan.host, plan.port), ("127.0.0.1", plan.control_port)):
            if number:
                try:
                    listen_on(address, number).close()
                except PortBusy as error:
                    raise RunError(str(error)) from None
        return asyncio.run(_Run(plan).run())


def check_file(file: Path) -> None:
    """Refuse a replay that cannot begin before anything is started.

    Raises:
        RunError: the file is missing, unreadable or lacks a column.
    """
    from streams.air_csv import AirFileError, read_air_csv

    try:
        read_air_csv(file)
    except AirFileError as error:
        raise RunError(str(error)) from None


class _own:  # noqa: N801 - reads as a phrase
    """A folder for this process alone; a second ``up`` is told who has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self.folder / "up.lock", "a+", encoding="utf-8")
        except OSError as error:
            raise RunError(f"{self.folder}: {error.strerror}: give a folder that can be written with --data") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            who = self._file.read().strip() or "another envstream up"
            raise RunError(f"{self.folder} is in use by {who}: stop it, or give another folder with --data") from None
        self._file.truncate(0)
        self._file.write(f"envstream up (pid {os.getpid()})")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


class _Run:
    def __init__(self, plan: UpPlan) -> None:
        self.plan = plan
        self.folder, self.registry, self.feed = plan.folder, plan.registry, plan.feed
        self.port, self.control_port = plan.port, plan.control_port
        if plan.people and not self.control_port:  # they are told where it is before the gateway has found it
            with contextlib.closing(listen_on("127.0.0.1", 0)) as free:
                self.control_port = free.getsockname()[1]
        self.begun = time.monotonic()
        self.stop = asyncio.Event()
        self.supervisor = Supervisor(plan.folder, say, self._commands)
        self.view: View | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        for line in self.plan.welcome() if self.plan.welcome is not None else ():
            say(line)
        say(f"starting broker, worker, sink{''.join(f', {name}' for name in self.plan.people)} and gateway …")
        try:
            summary = await self.supervisor.run(self.stop, self._once if self.feed else None, self._started)
        except SupervisorError as error:
            raise RunError(str(error)) from None
        finally:
            if self.view is not None:
                self.view.close()
        if summary is None:
            say("stopped; the next `envstream up` on this folder goes on from here")
            return 130 if self.feed else 0
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2) if self.plan.as_json else summary_text(summary))
        return 0 if summary["accounting"]["balanced"] else 1

    def _interrupt(self) -> None:
        if self.stop.is_set():  # asked twice: no more patience
            for pid in self.supervisor.pids().values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        say("stopping …")
        self.stop.set()

    def _commands(self, bootstrap: str, epoch: str) -> dict[str, list[str]]:
        # The gateway rebuilds no faster than every reader takes it; the view is one of them and must be there first.
        if self.view is not None:
            self.view.close()
        self.view = View(bootstrap)
        kafka = ["--bootstrap", bootstrap]
        control = ["--control", f"127.0.0.1:{self.control_port}"]
        return {
            **{name: [*words, *kafka, *control, "--embedded"] for name, words in self.plan.people.items()},
            "worker": ["worker", *kafka, "--embedded"],
            "sink": ["sink", *kafka, "--embedded", "--epoch", epoch, "--spool", str(self.folder / "spool")],
            "gateway": [
                "gateway",
                *kafka,
                "--district",
                str(self.plan.district),
                "--host",
                self.plan.host,
                "--port",
                str(self.port),
                "--control-port",
                str(self.control_port),
                "--clock",
                "auto",
                "--journal",
                str(self.folder / "journal"),
                *(["--metrics", self.plan.metrics] if self.plan.metrics else []),
                *(["--ingest-http", self.plan.ingest_http] if self.plan.ingest_http else []),
                *(["--ingest-folder", str(self.plan.ingest_folder)] if self.plan.ingest_folder else []),
                *(["--waits-for-desk"] if "desk" in self.plan.people else []),
            ],
        }

    def _started(self) -> None:
        # A restart keeps the ports that were found first, so that loggers and players find them again.
        self.port = self.supervisor.gateway["port"]
        self.control_port = self.supervisor.gateway["control_port"]
        (self.folder / "up.json").write_text(
            json.dumps(
                {
                    "port": self.port,
                    "control_port": self.control_port,
                    "bootstrap": self.supervisor.bootstrap,
                    "pids": {"up": os.getpid(), **self.supervisor.pids()},
                },
            )
        )
        kind = self.supervisor.gateway["log"]
        told = {None: "new log: the first logger makes it live, a replay makes it virtual"}.get(kind, f"{kind} log")
        say(f"ready: loggers connect to {self.plan.host}:{self.port}; {told}")
        if not self.feed:
            say(f"replay: envstream replay FILE --to hj212://{self.plan.host}:{self.port}    stop: Ctrl-C")

    # ---- a replay, and what came of it

    async def _once(self) -> dict[str, Any]:
        report = await self._send()
        while True:
            epoch = await self._quiet()
            summary = await asyncio.get_running_loop().run_in_executor(None, self._summary, report)
            if self.supervisor.running == epoch:  # else a part died meanwhile, and this was half a log
                return summary

    async def _send(self) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "envstream",
            *self.feed,
            "--to",
            f"hj212://{self.plan.host}:{self.port}",
            "--control",
            f"127.0.0.1:{self.control_port}",
            "--district",
            str(self.plan.district),
            "--json",
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, _ = await process.communicate()
        except asyncio.CancelledError:
            if process.returncode is None:  # as by Ctrl-C: it gives the terminal back its cursor
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 5)
            await stop_process(process)
            raise
        if process.returncode:
            raise RunError(f"{self.feed[0]} ended with exit code {process.returncode}; see above")
        report: dict[str, Any] = json.loads(out)
        return report

    async def _quiet(self) -> str:
        """Wait until worker, sink and view have taken everything, twice in a row; the epoch in which that was."""
        loop = asyncio.get_running_loop()
        until = time.monotonic() + QUIET_S
        behind: dict[str, int] = {}
        quiet, quiet_in = 0, ""
        while quiet < 2 or quiet_in != self.supervisor.running:
            if self.supervisor.running != quiet_in:
                quiet, quiet_in = 0, self.supervisor.running
            if quiet_in:
                try:
                    behind = await loop.run_in_executor(None, _behind, self.supervisor.bootstrap)
                    quiet = quiet + 1 if not any(behind.values()) else 0
                except KafkaException:  # the broker died while we asked; the supervisor sees it too
                    quiet = 0
            if time.monotonic() > until:
                raise RunError(f"not everything was taken within {QUIET_S:.0f} s: {behind}; see {self.folder / 'logs'}")
            await asyncio.sleep(0.2)
        return quiet_in

    def _summary(self, report: dict[str, Any]) -> dict[str, Any]:
        assert self.view is not None
        counts = self.view.counts()
        if self.view.gap is not None:
            raise RunError(f"{self.view.gap}: the account would be wrong; run `envstream up` on this folder again")
        taken = taken_in(self.folder / "journal")
        years = self.view.years()
        areas: dict[str, dict[str, Any]] = {}
        for year in years:
            areas.setdefault(year.area, {})[year.period] = year_shape(year)
        stations = len({s.id for s in self.registry.stations if s.kind == "city"})
        districts = [a.id for a in self.registry.areas if a.kind == "district" and a.id in areas]
        first = next(iter(districts), None)
        return {
            "replay": report,
            "accounting": {
                "in": taken.total,
                **msgspec.to_builtins(counts),
                "unjudged": taken.unjudged,
                "balanced": taken.total == counts.stored + counts.duplicates + counts.dead + taken.unjudged,
            },
            "taken_in": taken.as_dict(),
            "backfilled": taken.backfilled,
            "dead_reasons": self.view.dead_reasons(),
            "air": {
                "years": areas[first] if first is not None else {},
                "edition": "auto",
                "stations": stations,
                "rows": report.get("rows", report["packets"]) + report.get("rejected", 0),
            },
            "areas": areas,
            "districts": districts,
            "lines_written": sum(count_lines(self.folder / "spool").values()),
            "spool": str(self.folder / "spool"),
            "restarts": self.supervisor.deaths,
            "seconds": round(time.monotonic() - self.begun, 1),
        }


def year_shape(year: AirPeriod) -> dict[str, Any]:
    """A year tally in the shape of ``assess air`` (design §11)."""
    names = ("good", "polluted", "invalid", "valid", "ratio", "by_category", "primary", "index", "provisional")
    return {name: getattr(year, name) for name in names}


def _behind(bootstrap: str) -> dict[str, int]:
    behind = Behind(bootstrap, (*READERS, READER))
    try:
        return behind.messages()
    finally:
        behind.close()


def say(text: str) -> None:
    """To the person at the terminal."""
    click.echo(f"envstream: {text}", err=True)
