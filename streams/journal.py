"""The journal of the embedded default: what one writer appended, in order, in files.

The embedded broker forgets; the journal is the log. Before an answer goes out, what it answers for is
written here and synced. After any death everything is rebuilt by appending the journal to a fresh
broker (decision 0004). Format 1:

* files ``00000001.log``, ``00000002.log`` … of at most 64 MiB;
* an entry is ``<length u32><crc32 u32>`` and that many bytes of msgpack ``[[topic, partition, key, value], …]``: the
  records of one append, which are there together or not at all;
* ``log.json`` says the format and, once somebody has spoken, the clock: ``live`` or ``virtual``, for ever.

An entry cut short by a crash can only be the last one and was never answered for: it is cut off. Damage with whole
entries behind it is no crash's doing: it is named and refused, and a person decides.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

FORMAT = 1
HEADER = "log.json"
SEGMENT_BYTES = 64 * 1024 * 1024

_HEAD = struct.Struct("<II")
_encode = msgspec.msgpack.Encoder().encode
_MAX_ENTRY = 64 * 1024 * 1024


class JournalError(RuntimeError):
    """The journal's folder cannot be used; the text is one line with the cure."""


class Record(NamedTuple):
    """One message: where it goes and what it is."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes


_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Header(msgspec.Struct):
    """What the log is: its format, and its clock, ``live`` or ``virtual`` (design §5); null: nobody has spoken yet."""

    clock: str | None = None
    format: int = FORMAT


class Journal:
    """A folder of records, owned by one process."""

    def __init__(self, folder: Path, *, patience_s: float = 0.0) -> None:
        """Open or create.

        Args:
            folder: of the journal.
            patience_s: how long to wait for another owner, such as a gateway whose parent was killed and that ends.

        Raises:
            JournalError: not writable, in use by another process, or of another format.
        """
        self.folder = folder
        self.header = Header()
        self._file: IO[bytes] | None = None
        self._size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(folder / "lock", "a+b")  # noqa: SIM115 - held as long as the process lives
        except OSError as error:
            raise JournalError(f"{folder}: {error.strerror}: give a folder that can be written with --data") from None
        until = time.monotonic() + patience_s
        while not _locked(self._lock):
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            self._lock.close()
            raise JournalError(
                f"{folder}: in use by another envstream: stop it, or give another folder with --data"
            ) from None
        self.header = self._read_header()
        self._cut_torn_tail()

    @property
    def clock(self) -> str | None:
        """``live``, ``virtual``, or None when nobody has spoken yet."""
        return self.header.clock

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.log"))

    def _read_header(self) -> Header:
        path = self.folder / HEADER
        if not path.exists():
            if self._segments():
                raise JournalError(f"{path} is missing beside its records: restore it from a copy")
            self._write_header(Header())
            return Header()
        try:
            header = msgspec.json.decode(path.read_bytes(), type=Header)
        except msgspec.DecodeError as error:
            raise JournalError(f"{path}: {error}: this is not a journal of envstream, or it is damaged") from None
        if header.format != FORMAT:
            raise JournalError(f"{path}: format {header.format}, this program reads {FORMAT}: upgrade envstream")
        return header

    def _write_header(self, header: Header) -> None:
        """Whole or not at all: written aside, synced, renamed."""
        path, aside = self.folder / HEADER, self.folder / (HEADER + ".new")
        try:
            with open(aside, "wb") as file:
                file.write(msgspec.json.encode(header))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}: free or mount the disk") from None

    def begin(self, clock: str) -> None:
        """Fix the clock of a new log: ``live`` or ``virtual``, for ever."""
        self._write_header(Header(clock))
        self.header = Header(clock)

    def append(self, records: Iterable[Record], *, sync: bool) -> None:
        """Write records in order; with ``sync`` they are on the disk when this returns.

        Raises:
            JournalError: the disk is full or gone; nothing may be answered for then.
        """
        payload = _encode(list(records))
        data = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            if self._file is None or self._size > SEGMENT_BYTES:
                self._open_next()
            assert self._file is not None
            if self._file.write(data) != len(data):  # a full disk takes what fits, and says so in no other way
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += len(data)
            if sync:
                os.fdatasync(self._file.fileno())
        except OSError as error:
            self._take_back()
            raise JournalError(
                f"{self.folder}: cannot write the journal: {error.strerror}: free or mount the disk"
            ) from None

    def _take_back(self) -> None:
        """Cut off what a failed append left, so that nothing ever stands behind half an entry."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)

    def _open_next(self) -> None:
        if self._file is not None:
            os.fdatasync(self._file.fileno())
            self._file.close()
        segments = self._segments()
        number = 1 if not segments else int(segments[-1].stem)
        if segments and segments[-1].stat().st_size > SEGMENT_BYTES:
            number += 1
        path = self.folder / f"{number:08d}.log"
        created = not path.exists()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - kept open between appends
        self._size = self._file.tell()
        if created:  # the name must survive a power cut too
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def records(self) -> Iterator[Record]:
        """Every record from the beginning.

        Raises:
            JournalError: a damaged record that is not the torn end of the last file.
        """
        for path in self._segments():
            with open(path, "rb") as file:
                yield from _read(file, path)

    def _cut_torn_tail(self) -> None:
        segments = self._segments()
        if not segments:
            return
        path = segments[-1]
        with open(path, "rb") as file:
            good = sum(_HEAD.size + len(payload) for payload in _payloads(file))
            file.seek(good)
            rest = file.read()
        if not rest:
            return
        if _holds_an_entry(rest):
            raise JournalError(f"{path}: damaged at byte {good}, with good entries behind it: restore it from a copy")
        with open(path, "r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())

    def close(self) -> None:
        """Sync and let go of the folder."""
        if self._file is not None:
            os.fdatasync(self._file.fileno())
            self._file.close()
            self._file = None
        self._lock.close()


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read(folder: Path) -> Iterator[Record]:
    """Every record of a journal, without owning it (a running writer's unfinished tail is left out)."""
    for path in sorted(folder.glob("[0-9]*.log")):
        with open(path, "rb") as file:
            for payload in _payloads(file):
                yield from _decode(payload)


def _payloads(file: IO[bytes]) -> Iterator[bytes]:
    """Payloads of the whole entries from the beginning of a file."""
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, crc = _HEAD.unpack(head)
        if not 0 < length <= _MAX_ENTRY:  # eight zero bytes would be an empty entry with a good checksum
            return
        payload = file.read(length)
        if len(payload) < length or zlib.crc32(payload) != crc:
            return
        yield payload


def _holds_an_entry(rest: bytes) -> bool:
    """Whether a whole entry begins anywhere in bytes that do not begin with one."""
    for at in range(1, len(rest) - _HEAD.size):
        length, crc = _HEAD.unpack_from(rest, at)
        begin = at + _HEAD.size
        if 0 < length <= len(rest) - begin and zlib.crc32(rest[begin : begin + length]) == crc:
            return True
    return False


def _read(file: IO[bytes], path: Path) -> Iterator[Record]:
    good = 0
    for payload in _payloads(file):
        good += _HEAD.size + len(payload)
        yield from _decode(payload)
    if good < os.fstat(file.fileno()).st_size:
        raise JournalError(f"{path}: damaged at byte {good}: restore this file from a copy")
