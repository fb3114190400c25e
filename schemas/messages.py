"""What agents and gateways publish: packets, cells, verdicts, revisions, conditions, dead letters.

Every message carries ``v``. Keys of compacted topics are made by :func:`key`; the last message of a key
is the truth about it. Nothing in a message depends on how often it was published.
"""

from __future__ import annotations

from typing import Any

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
    each factor ``ok`` or why it is not judged. ``origins`` has a letter per factor for where the value comes from:
    ``L`` the logger's own hour, ``M`` the mean of its minutes, ``A`` an audited correction, ``-`` none. Both are kept:
    ``means`` and ``minutes`` are what the minutes alone give, and how many of ``expected`` minutes were valid;
    ``sent`` is what the logger's hour said, where an audit replaced it. ``packets`` are the packets that spoke of this
    hour, sorted; all but one are duplicates. ``received`` is the newest of what counts (epoch ms), and ``revision``
    names this state of it.
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
    origins: str = ""
    means: list[str | None] = msgspec.field(default_factory=list)
    minutes: list[int] = msgspec.field(default_factory=list)
    expected: int = 60
    sent: dict[str, str | None] = msgspec.field(default_factory=dict)
    ruleset: str = ""
    registry: str = ""
    kind: str = "hour"
    v: int = VERSION


class AirVerdict(msgspec.Struct, omit_defaults=False):
    """Air quality of an area or station in an hour or on a day, under one edition and dust caliber.

    ``conc`` are the rounded concentrations the IAQI was taken from, as decimal texts; null is NA. ``aqi``,
    ``level`` and ``category`` are null where the norm says NA; then ``reason`` says why.
    """

    kind: str  # of an area "air-hour", "air-day"; of a station "station-hour", "station-day"
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
    hours: dict[str, int] = msgspec.field(default_factory=dict)  # of a day: valid station hours per factor
    expected: int = 1  # hours that each station should have
    not_monitored: list[str] = msgspec.field(default_factory=list)  # outside the plan: shown as "/"
    v: int = VERSION


class AirPeriod(msgspec.Struct):
    """Good-air days of a month, quarter or year so far, derived from the day verdicts.

    ``statistics`` has for each factor ``days`` (with a value), ``mean`` and ``percentile`` as reported (decimal texts,
    null where the period knows none), ``enough`` (validity minima met) and ``attains`` (null when not enough).
    ``days`` are the days of the period so far, ``expected`` all of it.
    """

    kind: str  # "air-month", "air-quarter", "air-year"
    group: str
    area: str
    period: str  # "2026-03", "2026-Q1", "2026"
    time: int  # 00:00 of its first day
    through: str  # last day judged
    edition: str
    dust: str
    good: int
    polluted: int
    invalid: int
    valid: int
    days: int
    expected: int
    ratio: float | None  # percent, rounded to one decimal by the law
    by_category: dict[str, int]
    primary: dict[str, int]
    index: dict[str, float | None]
    provisional: dict[str, float | None]  # what the index would be without the validity minima
    statistics: dict[str, dict[str, Any]]
    attains: bool | None
    ruleset: str
    registry: str
    revision: str
    v: int = VERSION


class AirBudget(msgspec.Struct):
    """What the rest of the day, and of the year, may still bring an area that owes good-air days.

    ``pollutants``: per factor ``state``, ``at_most`` (highest value of all remaining hours, decimal text, null unless
    open) and ``ceiling``. ``year``: the ``task`` in days, ``good``, ``polluted``, ``days_left``, ``unknown`` (days of
    the year before the first judged one), ``state``, ``polluted_left`` (days that may still not be good) and
    ``needed`` (percent of the remaining days, two decimals).
    """

    group: str
    area: str
    time: int  # end of the hour
    period: str  # its label
    edition: str
    state: str
    hours_left: int
    pollutants: dict[str, dict[str, str | None]]
    year: dict[str, Any]
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-budget"
    v: int = VERSION


class AirChange(msgspec.Struct):
    """A period against the same days of last year, which are judged again under this year's edition and caliber.

    Indices and concentrations change in percent (below 0 is better), the ratio of good days in percentage points;
    null where either year does not suffice.
    """

    group: str
    area: str
    period: str
    time: int
    through: str
    against: str  # the same period of last year
    edition: str
    dust: str
    index: dict[str, float | None]
    ratio_points: float | None
    concentrations: dict[str, float | None]
    good: int
    good_before: int
    valid: int
    valid_before: int
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-change"
    v: int = VERSION


class AirRanking(msgspec.Struct):
    """Townships of a district by composite index in a month or year; equal values share a rank (1, 2, 2, 4).

    ``places`` are ``[rank, area, value]`` in order; rank and value null where the data do not suffice.
    ``provisional``: the validity minima of the period are not (yet) met, so the values are shown, not evaluated.
    """

    group: str
    area: str
    period: str
    time: int
    through: str
    profile: str
    dust: str
    provisional: bool
    places: list[tuple[int | None, str, float | None]]
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-ranking"
    v: int = VERSION


class AirDifference(msgspec.Struct):
    """Our verdict of a day beside the one the province published, and why they differ.

    ``causes`` are out of ``none``, ``dust`` (the other dust caliber gives theirs), ``rounding`` (rounding station days
    first gives theirs), ``missing`` (hours are missing here), ``audit`` (their concentrations differ from ours),
    ``unexplained``; ``withdrawn``: what was published was taken back. ``factors``: ours and theirs where both are
    known.
    """

    group: str
    area: str
    period: str
    time: int
    edition: str
    dust: str
    aqi: int | None
    published_aqi: int | None
    primary: list[str]
    published_primary: list[str] | None
    causes: list[str]
    factors: dict[str, tuple[str | None, str | None]]
    hours_missing: int
    by: str
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-difference"
    v: int = VERSION


class AirChecks(msgspec.Struct):
    """What the automatic checks found in a station's day, for people to look at (air.md §6.3); nothing is taken out.

    ``found`` are ``[label, factor, check]``: hour 1 … 24, the factor, Q05 … Q13.
    """

    group: str
    area: str
    source: str
    period: str
    time: int
    found: list[tuple[int, str, str]]
    ruleset: str
    registry: str
    revision: str
    kind: str = "air-checks"
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
    first and the last hour that the source ``subject`` owes, and the gateway asks its logger for them. ``now`` is the
    instant it became so (epoch ms): a due time or a ``received``. ``level`` is a colour of emission.md §6, "" where a
    rule has none; ``detail`` is for people, with texts only.
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
    level: str = ""
    detail: dict[str, str] = msgspec.field(default_factory=dict)
    valid: int = 0
    expected: int = 0
    ruleset: str = ""
    registry: str = ""
    v: int = VERSION


BEGAN, CONTINUES, ENDED = "began", "continues", "ended"
HOUR_MISSING = "hour-missing"
OFFLINE = "offline"
"""Rules every kind of source has: hours that did not come, and no word at all."""


class Dead(msgspec.Struct):
    """What could not be used: where it came from, why, and its bytes as Latin-1 text, of long ones the beginning.

    The last record of an id counts. ``key`` is that of the message it is about, Latin-1 too, "" where it has none.
    ``retried`` is 0 while it waits, then epoch ms by the wall clock: when another try succeeded.
    """

    id: str
    place: str
    reason: str
    text: str
    received: int
    key: str = ""
    retried: int = 0
    v: int = VERSION


DEAD_TEXT = 2_000
"""Characters of a dead letter's text and of its reason. Kafka refuses a message beyond 1 MB, and a letter of a long
message, escaped, would be one: whoever writes it could never go on."""


def key(*parts: str) -> bytes:
    """Message key of a compacted topic: group, subject, kind, period, edition, caliber.

    ``|`` cannot occur in a name of the registry, so keys are unambiguous.
    """
    return "|".join(parts).encode()


_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """JSON bytes of a message."""
    return _encoder.encode(message)
