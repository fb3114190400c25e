"""Ingest: what others than loggers send, turned into arrivals of the log.

By HTTP, from the topic ``ingest`` or as CSV files: every way in makes a :class:`Measured` of what it got, and here it
becomes evidence and columns of a block, by the same names, units and periods as a packet of a logger.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from schemas import blocks, hj212_codes, ingest, times, units
from schemas.registry import Registry
from streams.gateway_metrics import Metrics
from streams.intake import OK, Arrival, Intake
from streams.reading_rows import Column, Reading, TimeUnusable, column_of, length_of, unit_of
from streams.source_index import Origin, SourceIndex

log = logging.getLogger("envstream.ingest")

MOST_RAW_BYTES = 64 * 1024
"""Of one reading. A message on Kafka carries whole arrivals and must stay below 1 MB; see ``intake.MOST_BYTES``."""
MOST_VERDICT = 500
"""Characters; a verdict may quote what was sent."""
MOST_READINGS = 5_000
"""Of a request or a message."""
MOST_VALUES = 200
"""Of a reading."""
MOST_COMMAS = 200_000
"""Of a request or a message. 1 MiB of readings has less: a value takes six bytes. Taking more apart costs up to 50 ms
before it is known how many readings there are, and nobody else is answered meanwhile."""
AT_ONCE = 100
AT_ONCE_BYTES = 16 * 1024
"""Readings looked at, and their bytes, before others have their turn: about 5 ms, in which no logger is answered."""
ROOM_S = 0.1

_TIME = re.compile(
    r"2[01]\d\d-\d\d-\d\d[T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)  # fromisoformat reads much more, and not the same in every Python
_LINE = re.compile(rb"\S[^\r\n]*")
TOO_MANY = f"size: at most {MOST_READINGS} readings of at most {MOST_VALUES} values at once: send several"
_MEDIA_OF_METERS = (hj212_codes.METER, hj212_codes.PROCESS)


class Refused(ValueError):
    """A reading that cannot be used; the text is its verdict, ``word: why``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What somebody sent of one source, before anybody looked whose it is.

    Attributes:
        source: id, MN or name.
        period: a period of :mod:`schemas.blocks`.
        said: the time as it was sent, for people.
        start_s: when the period begins, or the instant; or None, and then …
        end_s: … when it ends, or the instant.
        values: plain decimal texts by factor, "" for none.
        flags: by factor.
        units: by factor.
        version: later wins.
        backfilled: not for alarms of now.
        lenient: a value that is no number costs only itself.
    """

    source: str
    period: str
    said: str
    start_s: int | None
    end_s: int | None
    values: Mapping[str, str]
    flags: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    backfilled: bool = False
    lenient: bool = False

    def date(self) -> dt.date:
        """The day it belongs to the source of that day: where the period begins."""
        if self.start_s is not None:
            return times.civil(self.start_s).date()
        assert self.end_s is not None
        return times.civil(self.end_s - (self.period != blocks.REALTIME)).date()


class Ingest:
    """Makes arrivals and hands them to the intake; shared by all ways in of a process."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self.intake = intake
        self.metrics = metrics
        self._sources = SourceNames(intake.index)
        self._said_held = False

    # ---- when

    def busy(self) -> str:
        """Why nothing may be taken now; "" when it may."""
        if self.intake.full:
            return "too much is waiting to be written"
        held = self.intake.clock.held
        if held and not self._said_held:
            log.error("the wall clock leapt ahead: nothing is taken until it is set back, or this part is restarted")
        self._said_held = held
        return "the wall clock leapt ahead and nobody confirmed it" if held else ""

    async def room(self) -> None:
        """Return when something may be taken."""
        while self.busy():
            await asyncio.sleep(ROOM_S)

    async def put(self, way: str, arrivals: Sequence[Arrival]) -> None:
        """Return when the log has all of them, acknowledged; ``way`` is counted."""
        if not arrivals:
            return
        loop = asyncio.get_running_loop()
        begun, left, done = loop.time(), len(arrivals), loop.create_future()

        def written(_: Arrival) -> None:
            nonlocal left
            left -= 1
            if not left and not done.done():  # else nobody waits any more
                done.set_result(None)

        for arrival in arrivals:
            arrival.written = written
        self.intake.take(list(arrivals))
        await done
        self.metrics.latency.observe(loop.time() - begun)
        accepted = sum(a.verdict == OK for a in arrivals)
        self.metrics.posts.labels(way, "accepted").inc(accepted)
        self.metrics.posts.labels(way, "rejected").inc(len(arrivals) - accepted)

    # ---- what

    def message(self, raw: bytes, peer: str) -> list[Arrival]:
        """What one reading in JSON (:mod:`schemas.ingest`) becomes; more than one arrival only if it is refused."""
        if len(raw) > MOST_RAW_BYTES:
            return self.refused(raw, peer, f"size: a reading has at most {MOST_RAW_BYTES} bytes")
        try:
            measured = _measured(raw)
        except (ingest.IngestError, Refused) as error:
            return self.refused(raw, peer, str(error))
        return [self.arrival(raw, peer, measured)]

    async def messages(self, raws: Sequence[bytes], peer: str) -> list[list[Arrival]]:
        """What each of them becomes; others in this process get their turn on the way."""
        taken, size = [], 0
        for number, raw in enumerate(raws):
            size += len(raw)
            if number % AT_ONCE == 0 or size > AT_ONCE_BYTES:
                await asyncio.sleep(0)
                size = 0
            taken.append(self.message(raw, peer))
        return taken

    def arrival(self, raw: bytes, peer: str, measured: Measured) -> Arrival:
        """What something measured becomes."""
        arrival = Arrival(raw, peer, measured.source[:64], self.intake.clock.now_ms(), OK, None, "", _nothing)
        date = measured.date()
        origin = self._names().at(measured.source, date)
        if origin is None:
            arrival.verdict = "unlisted"
            arrival.cure = f"{measured.source[:64]!r} is no source of the registry on {date}: give its id or its MN"
            return arrival
        arrival.group = origin.source.group
        self.intake.begin_live()
        try:
            arrival.reading = reading_of(measured, origin, self.intake.registry)
        except (Refused, TimeUnusable) as error:
            said = f"time: {error}" if isinstance(error, TimeUnusable) else str(error)
            arrival.verdict = said[:MOST_VERDICT]
        return arrival

    def refused(self, raw: bytes, peer: str, verdict: str) -> list[Arrival]:
        """Evidence of something nobody can use, in pieces that Kafka takes; none of nothing."""
        received = self.intake.clock.now_ms()
        return [
            Arrival(raw[at : at + MOST_RAW_BYTES], peer, "", received, verdict[:MOST_VERDICT], None, "", _nothing)
            for at in range(0, len(raw), MOST_RAW_BYTES)
        ]

    def _names(self) -> SourceNames:
        if self._sources.index is not self.intake.index:  # another registry is in force
            self._sources = SourceNames(self.intake.index)
        return self._sources


def reason(arrival: Arrival) -> str:
    """Why an arrival was refused, for its sender."""
    return f"{arrival.verdict}: {arrival.cure}" if arrival.cure else arrival.verdict


def _nothing(_: Arrival) -> None:
    pass


class SourceNames:
    """Finds sources by id, by MN, or by a name that only one of them has."""

    def __init__(self, index: SourceIndex) -> None:
        self.index = index
        self._mns: dict[str, dict[str, None]] = {}
        self._ids: dict[str, set[str]] = {}
        for source in index.registry.sources:
            self._mns.setdefault(source.id, {})[source.mn] = None
            self._ids.setdefault(source.name, set()).add(source.id)

    def at(self, text: str, date: dt.date) -> Origin | None:
        """Whose it is on a date."""
        named = self._ids.get(text, set())
        for source_id in (text, *(named if len(named) == 1 else ())):
            for mn in self._mns.get(source_id, ()):
                origin = self.index.at(mn, date)
                if origin is not None and origin.source.id == source_id:
                    return origin
        return self.index.at(text, date)


def time_of(text: str) -> int:
    """Epoch seconds of ``2026-11-22T08:00:00+08:00``; seconds and offset may be missing, Beijing time then.

    Raises:
        Refused: no such time.
    """
    if not _TIME.fullmatch(text):
        raise Refused(f"time: {text[:64]!r} is no time: write it as 2026-11-22T08:00:00+08:00")
    try:
        return times.parse_text(text)
    except ValueError as error:
        raise Refused(f"time: {text!r}: {error}") from None


def _measured(raw: bytes) -> Measured:
    sent, values = ingest.decode(raw)
    if len(values) > MOST_VALUES:
        raise Refused(f"size: a reading has at most {MOST_VALUES} values, here are {len(values)}: send several")
    return Measured(
        source=sent.source,
        period=ingest.PERIODS[sent.period],
        said=f"start {sent.start}" if sent.start is not None else f"end {sent.end}",
        start_s=None if sent.start is None else time_of(sent.start),
        end_s=None if sent.end is None else time_of(sent.end),
        values=values,
        flags=sent.flags,
        units=sent.units,
        version=sent.version,
        backfilled=sent.backfilled,
    )


def split(body: bytes) -> list[bytes] | None:
    """The readings of a JSON text: one object, or a list; None when it is neither.

    Raises:
        Refused: more readings than may come at once.
    """
    try:
        whole = bytes(msgspec.json.decode(body, type=msgspec.Raw))
        if whole[:1] != b"[":
            return [whole] if whole[:1] == b"{" else None
        if whole.count(b",") > MOST_COMMAS:
            raise Refused(TOO_MANY)
        found = msgspec.json.decode(whole, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(found) > MOST_READINGS:
        raise Refused(TOO_MANY)
    return [bytes(each) for each in found]


def split_lines(body: bytes) -> list[bytes]:
    """The lines of a body that are not empty, without blanks before them.

    Raises:
        Refused: more readings than may come at once.
    """
    found = [each[0] for each in islice(_LINE.finditer(body), MOST_READINGS + 1)]
    if len(found) > MOST_READINGS:
        raise Refused(TOO_MANY)
    return found


# ---- columns


def reading_of(measured: Measured, origin: Origin, registry: Registry) -> Reading:
    """What was measured, as a packet of the source's logger would have said it.

    Raises:
        Refused: a unit or a value that cannot be used, or two names of one factor.
        TimeUnusable: no period of its kind is there.
    """
    return Reading(
        origin=origin,
        end_s=_end_of(measured, origin.logger.minute_interval),
        period=measured.period,
        qn=measured.version,
        backfilled=measured.backfilled,
        columns=_columns(measured, origin, _media(origin, registry, measured.date())),
    )


def _end_of(measured: Measured, minute_interval: int) -> int:
    start = measured.start_s
    if start is None:
        assert measured.end_s is not None
        lengths = {blocks.HOUR: times.HOUR_S, blocks.DAY: times.DAY_S, blocks.MINUTE: 60 * minute_interval}
        start = measured.end_s - lengths.get(measured.period, 0)
    return start + length_of(start, measured.period, minute_interval, measured.said)


def _media(origin: Origin, registry: Registry, date: dt.date) -> tuple[str, ...]:
    """Where names of a source are looked up, in this order: an outlet's logger also says what its meters show."""
    if origin.source.kind != "emission":
        return (origin.source.kind,)
    outlet = registry.outlet_at(origin.source.id, date)
    return _MEDIA_OF_METERS if outlet is None else (outlet.medium, *reversed(_MEDIA_OF_METERS))


def _factor(name: str, media: tuple[str, ...]) -> hj212_codes.Factor | None:
    for medium in media:
        found = hj212_codes.factor_of_name(name, medium) or hj212_codes.factor_of_code(name, medium)
        if found is not None and found.medium == medium:
            return found
    return None


def _columns(measured: Measured, origin: Origin, media: tuple[str, ...]) -> list[Column]:
    columns: dict[str, Column] = {}
    for name, text in measured.values.items():
        base, _, suffix = name.partition("-")
        factor = _factor(base, media)
        column = name if factor is None else hj212_codes.column_name(factor.code, suffix) if suffix else factor.name
        if column in columns:
            raise Refused(f"field: {name} and {columns[column].code} are one factor")
        said = _unit(name, factor, suffix, measured.units.get(name, ""))
        unit, shift = unit_of(origin.logger, column, factor, base, suffix, said)
        flag = (measured.flags.get(name) or blocks.NO_FLAG)[:1]
        columns[column] = column_of(column, base, unit, shift, text, flag)
        if columns[column].flag == blocks.UNREADABLE and not measured.lenient:
            raise Refused(f"value: {name}: {text[:64]} has more digits than a reading can have")
    return list(columns.values())


def _unit(name: str, factor: hj212_codes.Factor | None, suffix: str, said: str) -> str:
    """The unit the sender names, in the spelling used here.

    Raises:
        Refused: not known, or of another quantity than the factor.
    """
    if not said:
        return ""
    try:
        unit = units.canonical(said)
        published = "" if factor is None else factor.amount_unit if suffix == "Cou" else factor.unit
        if published:
            units.ratio(unit, published)
    except units.UnitError as error:
        raise Refused(f"unit: {name}: {error}") from None
    return unit
