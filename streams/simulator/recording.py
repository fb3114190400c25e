"""Recordings: what loggers said and when, as a file that can be replayed.

JSON lines, UTF-8, gzip when the name ends in ``.gz``. The first line is a :class:`Header`; each other line is
``{"at":epoch ms,"mn":"…","raw":"…"}``, ``raw`` being the bytes as Latin-1 text with their line end, or a mark
``{"at":…,"mark":"cut","mn":"…"}`` (:class:`streams.simulator.events.Mark`).

The evidence of a system is read as a recording too: the ``packets`` of an embedded one from its journal, those of a
production one from Kafka. There the gateway has taken the line ends off, and they are put on again; every packet is
sent at the instant at which it was received then.
"""

from __future__ import annotations

import errno
import gzip
import heapq
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas import topics
from schemas.messages import Packets
from schemas.registry import Registry
from streams import hj212, journal
from streams.simulator.events import MARKS, Event, Mark
from streams.source_index import SourceIndex

FORMAT: Final = "envstream-recording"
VERSION: Final = 1
STEP_MS: Final = 10_000
MOST_MS: Final = 7_289_568_000_000
"""The end of 2200: a wrong instant would carry the clock of a log there for good."""
_LINE_END = b"\r\n"
_EITHER = hj212.Device(crc_mode="either")
_PATIENCE_S = 10.0


class RecordingError(Exception):
    """A recording that cannot be read or written; the text is one line: the place, what is wrong, what to do."""


class Header(msgspec.Struct, kw_only=True):
    """The first line. ``step_ms``: packets of how long are sent under one setting of the clock; 0: each instant."""

    format: str = ""
    v: int = VERSION
    step_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = STEP_MS
    about: str = ""


class _Line(msgspec.Struct, omit_defaults=True):
    at: Annotated[int, msgspec.Meta(ge=0, lt=MOST_MS)]
    mn: str = ""
    raw: str = ""
    mark: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


class Writer:
    """Writes a recording; ``with`` closes it."""

    def __init__(self, path: Path, header: Header) -> None:
        """Create the file, and write the first line.

        Raises:
            RecordingError: it cannot be written.
        """
        self.path = path
        try:
            raw: IO[bytes] = open(path, "wb", buffering=1 << 20)  # noqa: SIM115 - closed by close
            if path.suffix == ".gz":  # without a time and a name in it: the same recording is the same file
                self._files: tuple[IO[bytes], ...] = (gzip.GzipFile("", "wb", 6, raw, mtime=0), raw)  # type: ignore[assignment]
            else:
                self._files = (raw,)
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror}: give a file that can be written with --to") from None
        header.format = FORMAT
        self._put(_encode(header))

    def write(self, item: Event | Mark) -> None:
        """Add what happens next."""
        if isinstance(item, Event):
            line = _Line(item.at_ms, item.mn, item.data.decode("latin-1"))
        else:
            line = _Line(item.at_ms, item.mn, mark=item.what)
            if item.seconds:
                line.seconds = item.seconds
        self._put(_encode(line))

    def _put(self, line: bytes) -> None:
        try:
            self._files[0].write(line + b"\n")
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}: {_cure(error)}") from None

    def close(self) -> None:
        """Write what is left."""
        try:
            for file in self._files:
                file.close()
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}: {_cure(error)}") from None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cure(error: OSError) -> str:
    return (
        "free the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "look at what reads it, or write elsewhere"
    )


class Answers:
    """Tells what a gateway of this registry owes a packet."""

    def __init__(self, registry: Registry) -> None:
        self._index = SourceIndex(registry)

    def event(self, at_ms: int, mn: str, data: bytes) -> Event:
        """The event of sending these bytes.

        What is enciphered counts as owed nothing: who replays needs no keys, and an answer more does no harm.
        """
        framer = hj212.Framer(lambda mn: _EITHER)
        pieces = framer.feed(data)
        last = pieces[-1] if pieces else None
        if framer.buffered or not isinstance(last, hj212.Frame):
            return Event(at_ms, mn, data, "", False)
        try:
            packet = hj212.parse(last)
        except hj212.PacketError:
            return Event(at_ms, mn, data, "", False)
        owed = packet.answer_wanted and self._index.of(packet, at_ms) is not None
        return Event(at_ms, mn or packet.mn, data, packet.qn, owed)


def is_recording(path: Path) -> bool:
    """Whether a file begins like a recording, or like one without its first line."""
    try:
        with _open(path) as file:
            head = file.read(200)
            return FORMAT.encode() in head or head.startswith(b"{")  # CSV does not; a lost first line is told as one
    except (OSError, EOFError, zlib.error):
        return False


def read_header(path: Path) -> Header:
    """The first line of a recording.

    Raises:
        RecordingError: it cannot be read, or is none.
    """
    try:
        with _open(path) as file:
            line = file.readline()
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.MsgspecError:
        header = Header()
    if header.format != FORMAT:
        raise RecordingError(f"{path}: line 1 is no head of a recording: give one that `simulate --to FILE` wrote")
    if header.v != VERSION:
        raise RecordingError(f"{path}: recording of format {header.v}, this program reads {VERSION}: upgrade envstream")
    return header


def read(path: Path, answers: Answers) -> Iterator[Event | Mark]:
    """What a recording holds, in its order.

    Raises:
        RecordingError: it cannot be read, or a line is damaged; what stands before the line has come out.
    """
    read_header(path)
    number = 1
    try:
        with _open(path) as file:
            file.readline()
            for number, text in enumerate(file, 2):
                line = _decode(text)
                if line.mark:
                    if line.mark not in MARKS:
                        raise RecordingError(f"{path}: line {number}: mark {line.mark!r}: one of {', '.join(MARKS)}")
                    yield Mark(line.at, line.mark, line.mn, line.seconds)
                else:
                    yield answers.event(line.at, line.mn, line.raw.encode("latin-1"))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise RecordingError(f"{path}: line {number} is damaged ({error}): record it again") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None


def _open(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]


def _unreadable(path: Path, error: Exception) -> RecordingError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not whole"
    return RecordingError(f"{path}: cannot be read ({why}): check the name, or copy it again")


# ---- evidence


def journal_of(folder: Path) -> Path | None:
    """The journal in a folder, which may be that of `envstream up`; None when there is none."""
    return next((each for each in (folder, folder / "journal") if (each / journal.HEADER).is_file()), None)


def read_journal(folder: Path, answers: Answers) -> Iterator[Event]:
    """The packets of an embedded system, from its journal.

    Raises:
        RecordingError: there is no journal.
    """
    found = journal_of(folder)
    if found is None:
        raise RecordingError(f"{folder}: holds no journal: give the --data folder of an `envstream up`")

    def messages() -> Iterator[_Evidence]:
        run: list[_Evidence] = []  # the records of one append stand together, a partition after the other
        for record in journal.read(found):
            if record.topic == topics.PACKETS:
                run += _evidence(record.value)
            elif run:
                yield from sorted(run)
                run = []
        yield from sorted(run)

    yield from _events(messages(), answers)


def read_kafka(bootstrap: str, answers: Answers) -> Iterator[Event]:
    """The packets of a production system, as many as there are now.

    Raises:
        RecordingError: no broker answers there, or it has no topic ``packets``.
    """
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "envstream-evidence",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "queued.max.messages.kbytes": 4096,
        "log_level": 0,
    }
    asking = Consumer(settings)
    try:
        found = asking.list_topics(topics.PACKETS, timeout=_PATIENCE_S).topics[topics.PACKETS]
        if found.error is not None:
            raise RecordingError(f"Kafka {bootstrap}: has no topic {topics.PACKETS}: is it one of envstream?")
        partitions = sorted(found.partitions)
    except KafkaException as error:
        raise RecordingError(f"Kafka {bootstrap}: {error.args[0].str()}: is it up?") from None
    finally:
        asking.close()

    def messages(partition: int) -> Iterator[_Evidence]:
        consumer = Consumer(settings)
        try:
            consumer.assign([TopicPartition(topics.PACKETS, partition, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(_PATIENCE_S)
                if message is None:
                    raise RecordingError(f"Kafka {bootstrap}: no answer in {_PATIENCE_S:g} s: is it up?")
                if message.error() is not None:
                    return
                yield from _evidence(message.value() or b"")
        finally:
            consumer.close()

    yield from _events(heapq.merge(*map(messages, partitions)), answers)


_Evidence = tuple[int, str, int, str, str, bytes]
"""Received, writer, number, peer, MN, bytes."""


def _evidence(value: bytes) -> list[_Evidence]:
    message = msgspec.json.decode(value, type=Packets)
    return [
        (received, message.writer, message.first + i, peer, mn, raw.encode("latin-1") + _LINE_END)
        for i, (received, peer, mn, raw) in enumerate(
            zip(message.received, message.peer, message.mn, message.raw, strict=True)
        )
        if not mn or raw.startswith("##")  # else it came by `ingest`, which no logger can repeat
    ]


def _events(messages: Iterable[_Evidence], answers: Answers) -> Iterator[Event]:
    """What was no packet goes out where its connection spoke last: a framer then sees what it saw before."""
    last_of_peer: dict[str, str] = {}
    for received, _, _, peer, mn, data in messages:
        if mn:
            last_of_peer[peer] = mn
            yield answers.event(received, mn, data)
        else:
            yield Event(received, last_of_peer.get(peer, ""), data, "", False)
