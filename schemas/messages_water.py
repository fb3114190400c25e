"""What the water agent publishes: hour cells of sections, classes, days, months, shares, arrivals, the border.

Every message names its group, subject, period, time, rule set, registry and revision, and depends on nothing but the
data it stands on. Concentrations are decimal texts in the units of ``standards/tables/water_items.toml``; classes are
1 … 6 (6: worse than V; of a spring 1 … 5), null where there is none.
"""

from __future__ import annotations

import msgspec

from schemas.messages import VERSION

CELL = "section-hour"
HOUR, DAY, MONTH, YEAR = "water-hour", "water-day", "water-month", "water-year"
SECTIONS_DAY, SECTIONS_MONTH, ARRIVAL, BORDER = (
    "water-sections-day", "water-sections-month", "water-arrival", "water-border",
)  # fmt: skip
"""Kinds of messages: in ``kind`` and as the third part of their keys."""

RESULT_NEW, RESULT_CARRIED, RESULT_NONE = "N", "C", "-"
"""Of a value of an hour: a new result, the last one said again, nothing that counts."""


class WaterCell(msgspec.Struct):
    """A finished hour of one section, all its factors.

    As :class:`schemas.messages.Cell`; key ``group|section|section-hour|period``. ``results`` has a letter per factor:
    ``N`` a new result, ``C`` the last result carried forward, ``-`` none. ``drawn`` is when the water of the value was
    drawn, epoch seconds, null where there is none. ``below``: factors whose value is a detection limit that was not
    reached. ``checks`` are what plausibility finds, ``[factor, check]``: nothing is taken out because of them.
    ``valid`` of ``expected`` factors are judged.
    """

    group: str
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
    results: str
    drawn: list[int | None]
    valid: int
    expected: int
    below: list[str] = msgspec.field(default_factory=list)
    checks: list[tuple[str, str]] = msgspec.field(default_factory=list)
    sent: dict[str, str | None] = msgspec.field(default_factory=dict)
    ruleset: str = ""
    registry: str = ""
    kind: str = CELL
    v: int = VERSION


class WaterVerdict(msgspec.Struct, omit_defaults=False):
    """Class of a section in an hour, on a day, in a month or a year.

    ``kind``: ``water-hour`` is the real-time class, values as sent; ``water-day``, ``water-month`` and ``water-year``
    are means with assessment rounding. ``conc``: what was classified. ``items``: class by item. ``main``: main
    pollution indicators, ``[item, class, multiple of the class III limit]``. ``over_target``: multiple of the target
    limit by item that is worse than the target, null where the item has none. ``meets``: null without a target or where
    nothing can be judged. ``beside``: what is judged beside the class, never inside it: class by item, and
    ``source_over``: items of drinking-water sources past their single limit, with their multiples. ``origins``: by item
    ``A`` automatic station, ``L`` laboratory. ``results`` of ``expected``: valid results (day), days (month) or months
    (year) by item. ``enough``: items with enough of them; the others do not take part in ``class_`` of a month or year.
    ``valid``: a class was given. ``through``: last day it stands on. ``factors``: every item that could take part, also
    those that are not there now: what an earlier message said of them is withdrawn.
    """

    kind: str
    group: str
    section: str
    period: str
    time: int
    edition: str
    body: str
    class_: int | None = msgspec.field(name="class")
    roman: str | None
    rating: str | None
    colour: str | None
    conc: dict[str, str]
    items: dict[str, int]
    deciding: list[str]
    main: list[tuple[str, int, float | None]]
    main_text: str
    target: int | None
    meets: bool | None
    over_target: dict[str, float | None]
    valid: bool
    ruleset: str
    registry: str
    revision: str
    beside: dict[str, int] = msgspec.field(default_factory=dict)
    source_over: dict[str, float | None] = msgspec.field(default_factory=dict)
    not_judged: dict[str, str] = msgspec.field(default_factory=dict)
    origins: dict[str, str] = msgspec.field(default_factory=dict)
    results: dict[str, int] = msgspec.field(default_factory=dict)
    expected: dict[str, int] = msgspec.field(default_factory=dict)
    through: str = ""
    complete: bool = True
    factors: list[str] = msgspec.field(default_factory=list)
    v: int = VERSION


class WaterSections(msgspec.Struct):
    """Shares of the sections of a group on a day or in a month: good (I to III), worse than V, meeting their target.

    Percentages are texts with one decimal, "" of nothing. Springs are groundwater and do not count. ``rating`` of the
    river is given from five sections on; ``indicators`` are then ``[item, percent of sections worse than III]``.
    """

    group: str
    period: str
    time: int
    edition: str
    sections: int
    judged: int
    good: int
    worse: int
    with_target: int
    meeting: int
    good_percent: str
    worse_percent: str
    meeting_percent: str
    rating: str | None
    indicators: list[tuple[str, float]]
    classes: dict[str, int | None]
    ruleset: str
    registry: str
    revision: str
    kind: str = SECTIONS_MONTH  # or SECTIONS_DAY
    v: int = VERSION


class WaterArrival(msgspec.Struct):
    """What a warning upstream means for a section downstream.

    ``state``: ``expected``; ``carried``, a warning of the section belongs to it (``linked`` is its condition);
    ``attenuated``, the window has passed and nothing was seen; ``withdrawn``, the warning upstream no longer stands.
    ``eta_from``, ``eta_probable`` and ``eta_to`` are epoch seconds, counted from the sample that began the warning.
    """

    group: str
    section: str
    item: str
    source: str
    period: str
    time: int
    state: str
    since: int
    eta_from: int
    eta_probable: int
    eta_to: int
    earliest_s: int
    probable_s: int
    latest_s: int
    through: list[str]
    condition: str
    linked: str
    value: str
    ruleset: str
    registry: str
    revision: str
    edition: str = ""
    kind: str = ARRIVAL
    v: int = VERSION


class WaterBorder(msgspec.Struct):
    """Inflow against outflow of a group in a month: what the district did to the water.

    ``balance`` and ``items``: ``added``, ``imported``, ``improved``, ``clean`` or ``unknown``, for the section class
    and for each item; ``values`` are ``[in, out]``.
    """

    group: str
    inflow: str
    outflow: str
    period: str
    time: int
    edition: str
    class_in: int | None
    class_out: int | None
    balance: str
    balance_zh: str
    items: dict[str, str]
    values: dict[str, tuple[str | None, str | None]]
    ruleset: str
    registry: str
    revision: str
    kind: str = BORDER
    v: int = VERSION
