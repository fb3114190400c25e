"""A folder of line protocol: where the sink writes when there is no InfluxDB.

One append-only file per topic partition, ``cells-0.lp``, that ``influx write --file`` can load. A batch is
its lines and then one comment line

    # next cells 0 4711 epoch 5f0c lines 28266

written together and synced: the next offset to read, the log it belongs to, and the lines of the file so
far. The spool is its own offset store: at start a file is cut after its last complete comment and reading
goes on at that offset, so every line is there exactly once whatever was killed when. Another epoch (the
embedded broker was built anew and counts from 0 again) begins the file anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import threading
from pathlib import Path
from typing import NamedTuple

from streams.target import BadLine, Batch, Part, SinkError

_MARK = re.compile(rb"# next (\S+) (\d+) (\d+) epoch (\S+) lines (\d+)\n")
_NAME = re.compile(r"([A-Za-z0-9._-]+)-(\d+)\.lp")
_EPOCH = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_CHUNK = 1 << 20
_LONGEST_MARK = 600  # bytes; a topic has at most 249, an epoch 100
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SpoolError(SinkError):
    """The spool folder cannot be used; the text names it and the cure."""


def _failed(path: Path | str, error: OSError) -> SpoolError:
    cure = (
        "free some space, then start again: nothing is lost"
        if error.errno in _FULL
        else "give a folder this user can write"
    )
    return SpoolError(f"spool {path}: {error.strerror}: {cure}")


class Mark(NamedTuple):
    """The last complete comment of a spool file."""

    topic: str
    partition: int
    next: int
    epoch: str
    lines: int
    end: int  # bytes of the file up to and including the comment


def last_mark(path: Path) -> Mark | None:
    """The last complete comment of a spool file, or None. Reads from the end: a file may be gigabytes."""
    with path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        tail = b""
        while start > 0:
            size = min(_CHUNK, start)
            start -= size
            file.seek(start)
            tail = file.read(size) + tail
            at = len(tail)
            while (at := tail.rfind(b"# next ", 0, at)) >= 0:
                found = _MARK.match(tail, at)
                if found and (tail[at - 1 : at] == b"\n" or start + at == 0):
                    topic, partition, following, epoch, lines = found.groups()
                    return Mark(
                        topic.decode(), int(partition), int(following), epoch.decode(), int(lines), start + found.end()
                    )
            tail = tail[:_LONGEST_MARK]  # a comment may straddle two chunks
    return None


def count_lines(folder: Path) -> dict[str, int]:
    """Lines per topic that are complete in a spool folder; read-only, also while a sink writes."""
    counts: dict[str, int] = {}
    for path in sorted(folder.glob("*.lp")):
        if mark := last_mark(path):
            counts[mark.topic] = counts.get(mark.topic, 0) + mark.lines
    return counts


class Spool:
    """A spool folder as a target of the sink."""

    def __init__(self, folder: Path, *, epoch: str = "kafka") -> None:
        """Open or make the folder; ``epoch`` names the log the offsets belong to.

        Raises:
            SpoolError: the folder cannot be made or written, is in use, or is damaged.
        """
        if not _EPOCH.fullmatch(epoch):
            raise SpoolError(f"spool {folder}: epoch {epoch!r}: letters, digits, '.', '_', ':' and '-' only")
        self.folder = folder
        self.epoch = epoch
        self._files: dict[tuple[str, int], int] = {}
        self._marks: dict[tuple[str, int], Mark] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _failed(folder, error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SpoolError(f"spool {folder}: another sink writes here: stop it, or give another folder") from None
        try:
            self._recover()
        except OSError as error:
            self.close()
            raise _failed(error.filename or folder, error) from None

    def _recover(self) -> None:
        for path in sorted(self.folder.glob("*.lp")):
            named = _NAME.fullmatch(path.name)
            if not named:
                continue
            key = (named[1], int(named[2]))
            mark = last_mark(path)
            if mark is not None and ((mark.topic, mark.partition) != key or mark.epoch != self.epoch):
                mark = None
            end = mark.end if mark else 0
            file = self._open(key)
            if os.fstat(file).st_size != end:
                os.ftruncate(file, end)
                os.fsync(file)
            if mark:
                self._marks[key] = mark

    def _open(self, key: tuple[str, int]) -> int:
        file = self._files.get(key)
        if file is None:
            path = self.folder / f"{key[0]}-{key[1]}.lp"
            fresh = not path.exists()
            file = self._files[key] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            if fresh:  # a file's name survives a power cut only when its folder is synced
                folder = os.open(self.folder, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        return file

    def position(self, topic: str, partition: int) -> int | None:
        """Next offset to read; 0 when nothing of this epoch is here."""
        mark = self._marks.get((topic, partition))
        return mark.next if mark else 0

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        """Append a batch and sync it. No line is ever bad here.

        Raises:
            SpoolError: the disk is full or gone; the files are as they were before, part by part.
        """
        for part in batch.parts.values():
            self._append(part)
        return []

    def _append(self, part: Part) -> None:
        key = (part.topic, part.partition)
        before = self._marks.get(key) or Mark(*key, 0, self.epoch, 0, 0)
        if part.next <= before.next:
            return  # an earlier try of the same batch stored this part
        lines = before.lines + len(part.lines)
        comment = f"# next {part.topic} {part.partition} {part.next} epoch {self.epoch} lines {lines}\n"
        data = "\n".join((*part.lines, comment)).encode()
        file = -1
        try:
            file = self._open(key)
            rest = memoryview(data)
            while rest:  # a full disk takes a part and says so only the next time
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError as error:
            if file >= 0:
                with contextlib.suppress(OSError):  # the next start cuts it
                    os.ftruncate(file, before.end)
            raise _failed(self.folder / f"{key[0]}-{key[1]}.lp", error) from None
        self._marks[key] = Mark(*key, part.next, self.epoch, lines, before.end + len(data))

    def close(self) -> None:
        """Close the files and free the folder for another sink."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        os.close(self._lock)
