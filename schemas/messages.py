"""What agents and gateways publish: packets, cells, verdicts, revisions, conditions, dead letters.

Every message carries ``v``. Keys of compacted topics are made by :func:`key`; the last message of a key
is the truth about it. Nothing in a message depends on how often it was published.
"""

from __future__ import annotations

import msgspec

VERSION = 1


class Packets(msgspec.Struct):
    """Evidence: packets of one partition as received. ``raw`` is Latin-1 text, byte for byte.

    ``verdict`` is ``ok``, ``unlisted`` (its MN is in no registry: kept, not answered, not judged) or why
    the framer or parser refused it.
    """

    writer: str
    first: int
    received: list[int]
    peer: list[str]
    mn: list[str]
    verdict: list[str]
    raw: list[str]
    v: int = VERSION


class Cell(msgspec.Struct):
    """A finished hour of one source, all its factors.

    ``values`` are decimal texts in the unit of the factor, null where none was given; ``reasons`` says for
    each factor ``ok`` or why it is not judged. ``packets`` are the packets that spoke of this hour, sorted;
    all but one are duplicates. ``received`` is the newest of what counts (epoch ms), and ``revision`` names
    this state of it.
    """

    group: str
    area: str
    source: str
    period: str
    time: int
    factors: list[str]
    values: list[str | None]
    flags: str
    reasons: list[str]
    packets: list[str]
    received: int
    revision: str
    kind: str = "hour"
    v: int = VERSION


class AirVerdict(msgspec.Struct, omit_defaults=False):
    """Air quality of an area in an hour or on a day, under one edition and dust caliber.

    ``conc`` are the rounded concentrations the IAQI was taken from, as decimal texts; null is NA. ``aqi``,
    ``level`` and ``category`` are null where the norm says NA; then ``reason`` says why.
    """

    kind: str  # "air-hour" or "air-day"
    group: str
    area: str
    time: int  # end of the hour; 00:00 of the day
    period: str  # "2015-12-01T08" (label, 01..24) or "2015-12-01"
    edition: str
    dust: str
    conc: dict[str, str | None]
    iaqi: dict[str, int | None]
    aqi: int | None
    level: int | None
    category: str | None
    colour: str | None
    primary: list[str]
    good: bool | None
    valid: bool
    reason: str
    stations_valid: dict[str, int]
    stations: int
    ruleset: str
    registry: str
    revision: str
    v: int = VERSION


class AirYear(msgspec.Struct):
    """Good-air days of a year so far, derived from the day verdicts."""

    group: str
    area: str
    year: str
    time: int  # 00:00 of 1 January
    through: str  # last day judged
    edition: str
    dust: str
    good: int
    polluted: int
    invalid: int
    valid: int
    ratio: float | None  # percent, rounded to one decimal by the law
    by_category: dict[str, int]
    primary: dict[str, int]
    index: dict[str, float | None]
    provisional: dict[str, float | None]  # what the index would be without the validity minima
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-year"
    v: int = VERSION


class Revision(msgspec.Struct):
    """A verdict that replaced another, and what caused it."""

    key: str
    old: str
    new: str
    cause: str
    now: int
    v: int = VERSION


class Condition(msgspec.Struct):
    """A condition began, continues or ended. ``id`` is derived from what it is about, never random.

    ``since`` and ``until`` are epoch seconds of event time; of the rule ``hour-missing`` they are the ends of the
    first and the last hour that the source ``subject`` owes, and the gateway asks its logger for them.
    """

    id: str
    state: str  # "began", "continues", "ended"
    rule: str
    group: str
    subject: str
    factor: str
    since: int
    now: int
    origin: str  # topic/partition/offset/index of what caused it
    until: int = 0
    v: int = VERSION


HOUR_MISSING = "hour-missing"


class Dead(msgspec.Struct):
    """What could not be used: where it came from, why, and its bytes as Latin-1 text."""

    id: str
    place: str
    reason: str
    text: str
    received: int
    v: int = VERSION


def key(*parts: str) -> bytes:
    """Message key of a compacted topic: group, subject, kind, period, edition, caliber.

    ``|`` cannot occur in a name of the registry, so keys are unambiguous.
    """
    return "|".join(parts).encode()


_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """JSON bytes of a message."""
    return _encoder.encode(message)
