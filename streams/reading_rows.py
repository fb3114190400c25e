"""From what a source said to the columns of a block: periods, factors, units, flags."""

from __future__ import annotations

import msgspec

from schemas import blocks, hj212_codes, times, units
from schemas.registry import Logger
from streams.hj212 import Packet
from streams.source_index import Origin

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Outside of these a DataTime is a broken clock; HJ/T 212 is of 2005, and InfluxDB's time ends in 2262."""

_NOT_READINGS = frozenset(("Flag", "EFlag", "Info", "SN", "SampleTime", "CompleteTime"))
"""Suffixes that say something about the readings beside them, or are no numbers."""

_MEANS = {"Rtd": "Avg", "ZsRtd": "ZsAvg"}
"""An instant beside the mean it would share a column with is left to the evidence."""


class PacketUnusable(ValueError):
    """A packet that is well formed and cannot be read as data; the text says why."""


class TimeUnusable(PacketUnusable):
    """A time where no period of its kind begins, or no time at all."""


class Column(msgspec.Struct, gc=False):  # a hundred thousand a second, none in a cycle
    """One value: its name in a block, the code and unit it came under, and the value with its decimals."""

    name: str
    code: str
    unit: str
    value: int
    places: str
    flag: str


class Reading(msgspec.Struct, gc=False):
    """What one packet says of one source at one time."""

    origin: Origin
    end_s: int
    period: str
    qn: str
    backfilled: bool
    columns: list[Column]


def is_data(packet: Packet) -> bool:
    """Whether it carries readings; else it belongs to the dialogue or is kept as evidence alone."""
    return packet.cn in hj212_codes.PERIOD_OF_CN


def read_packet(packet: Packet, origin: Origin) -> Reading:
    """What a data packet says.

    Raises:
        PacketUnusable: no usable time, or not a data packet.
    """
    period = hj212_codes.PERIOD_OF_CN.get(packet.cn)
    if period is None:
        raise PacketUnusable(f"CN {packet.cn}: not a data upload")
    return Reading(
        origin=origin,
        end_s=end_of(packet.data_time, period, origin.logger.minute_interval),
        period=period,
        qn=packet.qn,
        backfilled=packet.rf,
        columns=_columns(packet, origin),
    )


def end_of(data_time: str | None, period: str, minute_interval: int) -> int:
    """End of the period, epoch seconds.

    HJ 212 names the start of a mean and the instant of a realtime value (emission.md §1.7).

    Raises:
        TimeUnusable: not a time, or not where a period of that kind begins.
    """
    try:
        start = times.parse_stamp(data_time or "")
    except ValueError as error:
        raise TimeUnusable(f"DataTime: {error}") from None
    return start + length_of(start, period, minute_interval, f"DataTime {data_time}")


def length_of(start_s: int, period: str, minute_interval: int, said: str) -> int:
    """Seconds of the period that begins there; 0 of an instant. ``said`` is the time as it was sent, for people.

    Raises:
        TimeUnusable: no period of that kind begins there.
    """
    try:
        civil = times.civil(start_s)
    except (ValueError, OverflowError, OSError):  # the year 1: what some programs say for "no time"
        raise TimeUnusable(f"{said}: not of this century: look at the sender's clock") from None
    if not FIRST_YEAR <= civil.year <= LAST_YEAR:
        raise TimeUnusable(f"{said}: not of this century: look at the sender's clock")
    if period == blocks.HOUR:
        if start_s % times.HOUR_S:
            raise TimeUnusable(f"{said}: an hour begins on the full hour")
        return times.HOUR_S
    if period == blocks.DAY:
        if start_s % times.HOUR_S or civil.hour:
            raise TimeUnusable(f"{said}: a day begins at 00:00")
        return times.DAY_S
    return 60 * minute_interval if period == blocks.MINUTE else 0


def _columns(packet: Packet, origin: Origin) -> list[Column]:
    columns: list[Column] = []
    logger, kind = origin.logger, origin.source.kind
    medium = kind if kind in ("air", "water") else hj212_codes.MEDIUM_OF_ST.get(packet.st, "")
    for code, fields in packet.readings:
        flag = (fields.get("Flag") or blocks.NO_FLAG)[:1]
        count = len(columns)
        for suffix, text in fields.items():
            if suffix in _NOT_READINGS or _MEANS.get(suffix) in fields:
                continue
            name, unit, shift = _meaning(logger, medium, code, suffix)
            columns.append(column_of(name, code, unit, shift, text, flag))
        if len(columns) == count and "Info" not in fields:  # a factor with only a flag
            name, unit, _ = _meaning(logger, medium, code, "Avg")
            columns.append(Column(name, code, unit, 0, blocks.NO_VALUE, flag))
    return columns


def column_of(name: str, code: str, unit: str, shift: int, text: str, flag: str) -> Column:
    """A value from its text, "" for none; what is no number is kept as unreadable."""
    if text == "":
        return Column(name, code, unit, 0, blocks.NO_VALUE, flag)
    try:
        value, places = blocks.number(text, shift)
    except ValueError:
        return Column(name, code, unit, 0, blocks.NO_VALUE, blocks.UNREADABLE)
    return Column(name, code, unit, value, blocks.PLACES[places], flag)


_meanings: dict[tuple[int, str, str, str], tuple[str, str, int, Logger]] = {}


def _meaning(logger: Logger, medium: str, code: str, suffix: str) -> tuple[str, str, int]:
    """As :func:`meaning`; asked for every value, so it remembers."""
    key = (id(logger), medium, code, suffix)
    found = _meanings.get(key)
    if found is None:
        if len(_meanings) > 100_000:  # somebody invents codes
            _meanings.clear()
        # The logger stands in the value so that its id cannot be another's while this is remembered.
        found = _meanings[key] = (*meaning(logger, medium, code, suffix), logger)
    return found[0], found[1], found[2]


def meaning(logger: Logger, medium: str, code: str, suffix: str) -> tuple[str, str, int]:
    """Name of a column, its unit where it is not the published one, and places the point moves to that."""
    name = hj212_codes.column_name(code, suffix)
    factor = hj212_codes.factor_of_code(code, medium)
    return (name, *unit_of(logger, name, factor, code, suffix))


def unit_of(
    logger: Logger, name: str, factor: hj212_codes.Factor | None, code: str, suffix: str, said: str = ""
) -> tuple[str, int]:
    """Unit of a column where it is not the published one, and places the point moves to the published one.

    Args:
        logger: whose units and scale hold where the sender says nothing.
        name: of the column.
        factor: what it is of, if that is known.
        code: as it was sent.
        suffix: of HJ 212; "" for the mean or the instant.
        said: the unit the sender names itself, then without the logger's scale; "" when it says nothing.
    """
    if suffix == "Cou":  # an amount has a unit and a scale of its own
        names: tuple[str, ...] = (name,)
        published, sent = factor.amount_unit if factor else "", factor.amount_unit if factor else ""
    else:
        base = factor.name if factor is not None else code
        names = (name, base)
        published, sent = (factor.unit, factor.sent_unit) if factor is not None else ("", "")
    sent = said or next((logger.units[n] for n in names if n in logger.units), sent)
    shift = 0 if said else next((logger.scale_shift(n) for n in names if n in logger.scale), 0)
    if sent == published:
        return "", shift
    try:
        move = units.decimal_shift(sent, published)
    except units.UnitError:  # of another quantity, or of a factor nobody published: said as it is
        move = None
    return (sent, shift) if move is None else ("", shift + move)


class ReadingRows:
    """Gathers packets of one partition into a block; more than one where packet numbers have holes."""

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._done: list[blocks.Block] = []
        self._block: blocks.Block | None = None
        self._sources: dict[str, int] = {}
        self._factors: dict[tuple[str, str, str], int] = {}
        self._text: tuple[list[str], list[str], list[str], list[str]] = ([], [], [], [])
        self._next = -1

    def add(self, number: int, reading: Reading, received_ms: int) -> None:
        """Add what a packet said under the packet's number."""
        if self._block is None or number != self._next:
            self._close()
            self._block = blocks.Block(self._writer, number, [], [], [], [], "", [], [], [], [], [], "", "")
        block = self._block
        periods, marks, places, flags = self._text
        self._next = number + 1
        block.source.append(_index(self._sources, block.sources, reading.origin.source.id))
        block.times.append(reading.end_s)
        block.received.append(received_ms)
        block.qn.append(reading.qn)
        block.counts.append(len(reading.columns))
        periods.append(reading.period)
        marks.append(blocks.BACKFILLED if reading.backfilled else blocks.PLAIN)
        for column in reading.columns:
            key = (column.name, column.code, column.unit)
            at = self._factors.get(key)
            if at is None:
                at = self._factors[key] = len(block.factors)
                block.factors.append(column.name)
                block.codes.append(column.code)
                block.units.append(column.unit)
            block.factor.append(at)
            block.values.append(column.value)
            places.append(column.places)
            flags.append(column.flag)

    def blocks(self) -> list[blocks.Block]:
        """The blocks gathered; the rows are empty afterwards."""
        self._close()
        done, self._done = self._done, []
        return done

    def _close(self) -> None:
        if self._block is not None:
            block = self._block
            block.periods, block.marks, block.places, block.flags = ("".join(column) for column in self._text)
            self._done.append(block)
        self._block, self._text = None, ([], [], [], [])
        self._sources, self._factors = {}, {}


def _index(known: dict[str, int], names: list[str], name: str) -> int:
    at = known.get(name)
    if at is None:
        at = known[name] = len(names)
        names.append(name)
    return at
