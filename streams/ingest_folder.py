"""Readings as CSV files dropped into a folder.

A file is taken when its size and time of change stood still for two seconds, line by line, and then moved: to
``done``, or with a text of all reasons to ``failed`` when anything in it was refused. A crash before the move reads it
again; its values keep the version they had, the file's time of change, so that this changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from schemas import times
from streams.ingest import AT_ONCE, MOST_RAW_BYTES, Ingest, reason
from streams.ingest_csv import CsvFile, FileRefused, Line, read, shown
from streams.intake import OK, Arrival

log = logging.getLogger("envstream.ingest.folder")

WAY = "folder"
DONE, FAILED = "done", "failed"
LOOK_S = 1.0
STILL_S = 2.0
LINES_AT_ONCE = 500
MOST_AHEAD_S = 600.0
KEPT_BYTES = 4096
"""Of a file of which nothing can be used, as evidence; the file itself is in ``failed``."""

_State = tuple[int, int]


class IngestFolderError(RuntimeError):
    """The folder cannot be used; the text is one line with the cure."""


@dataclass
class _Outcome:
    """Lines of a file that were taken, and why others were not."""

    taken: int = 0
    reasons: list[str] = field(default_factory=list)


def make(folder: Path) -> None:
    """Make a folder and its ``done`` and ``failed`` where they are missing.

    Raises:
        IngestFolderError: it cannot be made, read or written.
    """
    try:
        for each in (folder, folder / DONE, folder / FAILED):
            each.mkdir(parents=True, exist_ok=True)
            if not os.access(each, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise IngestFolderError(f"{folder}: {error.strerror}: give a folder that can be written") from None


class IngestFolder:
    """Watches one folder, which belongs to one process."""

    def __init__(self, ingest: Ingest, folder: Path) -> None:
        """Make the folder where it is missing.

        Raises:
            IngestFolderError: it cannot be made, read or written.
        """
        self._ingest = ingest
        self.folder = folder
        self._seen: dict[str, tuple[_State, float]] = {}
        self._stuck: dict[str, _State] = {}  # taken, and could not be moved
        make(folder)

    async def run(self) -> None:
        """Look for files until cancelled."""
        told = ""
        while True:
            try:
                for path, state in await asyncio.to_thread(self._ready):
                    await self._take(path, state)
                told = ""
            except OSError as error:  # a share that is away comes back
                if told != str(error):
                    told = str(error)
                    log.error("%s: %s: looking again", self.folder, error.strerror)
            await asyncio.sleep(LOOK_S)

    def _ready(self) -> list[tuple[Path, _State]]:
        """Files that stand still, the one changed first first."""
        now, seen = time.monotonic(), {}
        found: list[tuple[int, str]] = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name.endswith(".part") or not entry.is_file(follow_symlinks=False):
                    continue
                state = _state(entry)
                before = self._seen.get(name)
                since = before[1] if before is not None and before[0] == state else now
                seen[name] = (state, since)
                if now - since >= STILL_S and self._stuck.get(name) != state:
                    found.append((state[1], name))
        self._seen = seen
        return [(self.folder / name, seen[name][0]) for _, name in sorted(found)]

    async def _take(self, path: Path, state: _State) -> None:
        """Take a file and move it. Whatever goes wrong with it costs this file, never the process."""
        if not await asyncio.to_thread(_is_still, path, state):
            return
        name, outcome = shown(path), _Outcome()
        try:
            await self._use(path, state, outcome)
            if not await asyncio.to_thread(_is_still, path, state):
                return  # something was added meanwhile: read again
            if outcome.reasons:
                log.warning(
                    "%s: %d refused, %d taken: %s", name, len(outcome.reasons), outcome.taken, outcome.reasons[0]
                )
            else:
                log.info("%s: %d lines taken", name, outcome.taken)
            await asyncio.to_thread(_move, path, outcome)
        except Exception as error:  # noqa: BLE001 - it is said and left alone
            self._stuck[path.name] = state
            log.error("%s: %d lines taken, and cannot be moved: %s: move it away", name, outcome.taken, _why(error))

    async def _use(self, path: Path, state: _State, outcome: _Outcome) -> None:
        """Put all of a file into the log; ``outcome`` grows with it."""
        name = shown(path)
        try:
            file = await asyncio.to_thread(_read, path, state[1])
            if await asyncio.to_thread(_is_still, path, state):
                await self._append(name, file, outcome)
            return
        except FileRefused as error:
            why = str(error)
        except Exception as error:  # nobody foresaw it
            log.exception("%s: cannot be used", name)
            why = f"{name}: 无法处理 cannot be used ({_why(error)}): report it"
        if not await asyncio.to_thread(_is_still, path, state):
            return  # torn while it was read
        await self._ingest.room()
        start = await asyncio.to_thread(_start, path)
        await self._ingest.put(WAY, self._ingest.refused(start, f"file {name}", f"file: {why}"))
        outcome.reasons.append(why)

    async def _append(self, name: str, file: CsvFile, outcome: _Outcome) -> None:
        lines = file.lines()
        while True:
            await self._ingest.room()
            arrivals: list[Arrival] = []
            while len(arrivals) < LINES_AT_ONCE and (chunk := list(islice(lines, AT_ONCE))):
                arrivals += [arrival for line in chunk for arrival in self._arrivals(name, line)]
                await asyncio.sleep(0)  # others have their turn
            if not arrivals:
                return
            await self._ingest.put(WAY, arrivals)
            outcome.taken += sum(arrival.verdict == OK for arrival in arrivals)
            outcome.reasons += [f"{_place(a)}: {reason(a)}" for a in arrivals if a.verdict != OK]

    def _arrivals(self, name: str, line: Line) -> list[Arrival]:
        peer = f"file {name}:{line.number}"
        if isinstance(line.said, str):
            return self._ingest.refused(line.raw, peer, f"line: {line.said}")
        if len(line.raw) > MOST_RAW_BYTES:
            return self._ingest.refused(line.raw, peer, f"size: a line has at most {MOST_RAW_BYTES} bytes")
        return [self._ingest.arrival(line.raw, peer, line.said)]


def _state(entry: os.DirEntry[str] | Path) -> _State:
    status = entry.stat(follow_symlinks=False)
    return status.st_size, status.st_mtime_ns


def _is_still(path: Path, state: _State) -> bool:
    try:
        return _state(path) == state
    except OSError:
        return False


def _place(arrival: Arrival) -> str:
    number = arrival.peer.rpartition(":")[2]
    return f"第{number}行 line {number}"


def _why(error: Exception) -> str:
    """An error in one line that can be written; it may quote a name as Python holds it."""
    said = error.strerror if isinstance(error, OSError) else f"{type(error).__name__} {error}"
    return " ".join(str(said).split()).encode("utf-8", "backslashreplace").decode()


def _read(path: Path, mtime_ns: int) -> CsvFile:
    name = shown(path)
    if not path.name.lower().endswith((".csv", ".csv.gz")):
        raise FileRefused(f"{name}: 不是CSV文件 not a CSV file: name it .csv or .csv.gz")
    if mtime_ns / 1e9 > time.time() + MOST_AHEAD_S:
        # it would win over every correction until then
        raise FileRefused(f"{name}: 修改时间在将来 changed in the future: look at the clock it was written by")
    return read(path, f"{times.stamp(mtime_ns // 10**9)}{mtime_ns // 10**6 % 1000:03d}")


def _start(path: Path) -> bytes:
    """The first bytes of a file, or its name where it has none."""
    try:
        with path.open("rb") as file:
            return file.read(KEPT_BYTES) or shown(path).encode()
    except OSError:
        return shown(path).encode()


def _move(path: Path, outcome: _Outcome) -> None:
    taken, reasons = outcome.taken, outcome.reasons
    folder = path.parent / (FAILED if reasons else DONE)
    target, number = folder / path.name, 1
    while target.exists():  # a name that came before
        number += 1
        target = folder / f"{path.name}.{number}"
    if reasons:
        head = f"{shown(path)}: 采用 {taken} 行，拒收 {len(reasons)} · {taken} lines taken, {len(reasons)} refused"
        text = "\n".join([head, *reasons, ""])
        target.with_name(f"{target.name}.reason.txt").write_bytes(text.encode("utf-8", "backslashreplace"))
    path.rename(target)
