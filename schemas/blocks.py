"""Blocks, ticks, registry versions and actions: what ``readings-*`` carries.

A block is columnar JSON: packets as columns, readings as columns, so that one Kafka message holds what
a writer had at hand (design §4). A value is a whole number and its count of decimals, never a float:
``12.50`` is ``1250`` with ``places`` ``"2"``, so it keeps the decimals it was sent with.

Format 1. Columns of one table have one length; indices point into ``sources`` and ``factors``.
"""

from __future__ import annotations

import msgspec

VERSION = 1
NO_VALUE = "-"
"""In ``places``: the packet named the factor and gave no value."""
NO_FLAG = "_"
"""In ``flags``: the packet gave no flag; judged as N, but known to be assumed."""
PLACES = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Count of decimals as one character."""

UNREADABLE = "?"
"""In ``flags``: the packet gave a value that is no number; kept as no value, and the evidence has what was sent."""
MOST_DIGITS = 18
"""So that every value fits into 64 bits."""

HOUR, MINUTE, REALTIME, DAY, STATE = "h", "m", "r", "d", "s"
"""Periods. A state is what devices report of themselves (HJ 212 CN 2021): running, calibrating, in maintenance."""

PLAIN, BACKFILLED = "_", "R"
"""In ``marks``: as measured; sent later by a logger that had lost its line (HJ 212-2025 RF=1). Backfilled data
enter statistics and raise no alarm of now (emission.md §1.7)."""


class Block(msgspec.Struct, tag_field="kind", tag="block", forbid_unknown_fields=False):
    """Packets for one partition that one writer had at hand.

    ``writer``:``first + i`` is the identity of packet i, the same in ``packets``. ``times`` are ends
    of periods in epoch seconds (HJ 212 names the start of a period; the gateway turns it), ``received``
    epoch milliseconds by the writer's clock. ``counts[i]`` readings of packet i stand next to each
    other in ``factor``, ``values``, ``places`` and ``flags``.

    ``factors`` are names of ``schemas.hj212_codes``: ``SO2`` for the mean or the instant, ``SO2-Zs`` converted to
    reference oxygen, ``SO2-Min``, ``SO2-Max``, ``SO2-Cou`` and so on; a code without a name stands as it was sent.
    Beside each, ``codes`` has the code that was sent (``a21026``, in 2005 ``02``), and ``units`` the unit its values
    stand in where that is not the published one and no move of the decimal point leads there (``m3/h`` of a flow in
    ``m3/s``); "" otherwise. A name that came under two codes or units stands twice. ``marks`` has a letter per packet.
    Writers before version 0.2 left these three out.
    """

    writer: str
    first: int
    sources: list[str]
    factors: list[str]
    source: list[int]
    times: list[int]
    periods: str
    received: list[int]
    qn: list[str]
    counts: list[int]
    factor: list[int]
    values: list[int]
    places: str
    flags: str
    codes: list[str] = msgspec.field(default_factory=list)
    units: list[str] = msgspec.field(default_factory=list)
    marks: str = ""
    v: int = VERSION

    def faults(self) -> str | None:
        """Why the columns do not fit together, or None."""
        n, m = len(self.source), len(self.factor)
        if not (n == len(self.times) == len(self.periods) == len(self.received) == len(self.qn) == len(self.counts)):
            return "packet columns differ in length"
        if not (m == len(self.values) == len(self.places) == len(self.flags) == sum(self.counts)):
            return "reading columns differ in length"
        if n and not (min(self.source) >= 0 and max(self.source) < len(self.sources)):
            return "a packet names a source outside the block"
        if m and not (min(self.factor) >= 0 and max(self.factor) < len(self.factors)):
            return "a reading names a factor outside the block"
        if (self.codes or self.units) and not (len(self.codes) == len(self.units) == len(self.factors)):
            return "codes or units do not stand beside the factors"
        if self.marks and len(self.marks) != n:
            return "marks do not stand beside the packets"
        if n and min(self.counts) < 0:
            return "a packet has a negative count"
        return None


class Tick(msgspec.Struct, tag_field="kind", tag="tick"):
    """The passing of time: no reading of this writer before ``now`` (epoch ms) is still to come."""

    writer: str
    now: int
    v: int = VERSION


class RegistryVersion(msgspec.Struct, tag_field="kind", tag="registry"):
    """A checked registry, in force for this partition from this offset on."""

    writer: str
    digest: str
    text: str
    received: int
    v: int = VERSION


class Action(msgspec.Struct, tag_field="kind", tag="action"):
    """What a person decided: who, when, why. In ``actions`` and, the same bytes, in the ``readings-*`` it concerns.

    ``what`` is a kind of :mod:`schemas.actions`, which says what ``subject`` is, what ``data`` has, and which of two
    actions holds. ``begin`` and ``end`` (epoch seconds) are the period it speaks of: ``(begin, end]`` for hours,
    00:00 of the first day to 24:00 of the last for days. ``id`` is derived from what it says, so a repeated action is
    the same action. ``received`` is epoch ms by the writer's clock. ``withdrawn``: it no longer holds.
    """

    writer: str
    id: str
    what: str
    group: str
    subject: str
    begin: int
    end: int
    by: str
    why: str
    data: dict[str, str]
    received: int
    withdrawn: bool = False
    v: int = VERSION


Reading = Block | Tick | RegistryVersion | Action

_decoder: msgspec.json.Decoder[Block | Tick | RegistryVersion | Action] = msgspec.json.Decoder(
    Block | Tick | RegistryVersion | Action
)
_encoder = msgspec.json.Encoder()


class BlockError(ValueError):
    """A message on ``readings-*`` that this version cannot use; the text says why."""


def encode(message: Reading) -> bytes:
    """JSON bytes of a message."""
    return _encoder.encode(message)


def decode(data: bytes) -> Reading:
    """A message from its JSON bytes.

    Raises:
        BlockError: not JSON, not of this format, a newer version, or columns that do not fit.
    """
    try:
        message = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BlockError(f"not a message of format {VERSION}: {error}") from None
    if message.v != VERSION:
        raise BlockError(f"format {message.v}, this program reads {VERSION}: upgrade it before the writers")
    if isinstance(message, Block) and (fault := message.faults()):
        raise BlockError(fault)
    return message


def number(text: str, shift: int = 0) -> tuple[int, int]:
    """Whole number and count of decimals of a decimal text; ``shift`` moves the point left (units).

    ``number("12.50")`` is ``(1250, 2)``; ``number("300", 3)`` is ``(300, 3)``, 0.300.

    Raises:
        ValueError: not a plain decimal, or more digits than a block can carry.
    """
    body = text[1:] if text[:1] == "-" else text
    whole, point, decimals = body.partition(".")
    digits = whole + decimals
    if not (digits.isascii() and digits.isdigit()) or not whole or (point and not decimals):
        raise ValueError(f"{text!r} is not a plain decimal number")
    places = len(decimals) + shift
    if places < 0:  # a larger unit than the published one: mg/m3 sent where ug/m3 is meant
        digits += "0" * -places
        places = 0
    if len(digits) > MOST_DIGITS or places >= len(PLACES):
        raise ValueError(f"{text!r} has more digits than a reading can have")
    return (-int(digits) if text[:1] == "-" else int(digits)), places


def decimal_text(value: int, places: int) -> str:
    """The decimal text of a value, with the decimals it was sent with."""
    if places == 0:
        return str(value)
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    digits = digits.rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
