"""What the emission agent publishes: hour cells, verdicts of hours and days, totals of months and years, projections.

Keys are ``group|subject|kind|period`` (:func:`schemas.messages.key`); the last message of a key is the truth about it.
Numbers are decimal texts: of values as they were sent, of ratios and shares rounded once. Amounts are whole micrograms
(10⁻⁹ kg), so that sums of them are exact; 10¹² make a tonne.
"""

from __future__ import annotations

import msgspec

VERSION = 1

CELL = "emission-hour"
HOUR, DAY, MONTH, YEAR = "outlet-hour", "outlet-day", "outlet-month", "outlet-year"
ENTERPRISE_DAY, ENTERPRISE_YEAR = "enterprise-day", "enterprise-year"


class EmissionCell(msgspec.Struct):
    """A finished hour of one source, an outlet or the meters of an enterprise: everything that was said of it.

    Columns stand side by side. ``values`` are as sent, in the published unit unless ``units`` names another; ``zs`` are
    the device's own converted means, ``amounts`` its own amounts (-Cou, kg or m³). ``origins``: ``L`` the logger's own
    hour, ``M`` the mean of its minutes, ``-`` none. ``reasons``: ``ok``, or why the value does not count.
    ``minutes``: valid minutes at most, of ``expected``; -1 where no minutes came. ``checks``: names of what deserves a
    look, per factor; the value counts all the same.

    ``packets`` are those that spoke of this hour, sorted; ``parts`` of them said something of their own (a long segment
    comes in parts, meters under a system type of their own), the others are repetitions.
    """

    group: str
    enterprise: str
    source: str
    period: str
    time: int
    medium: str  # gas, water; meter for the meters of an enterprise alone
    factors: list[str]
    values: list[str | None]
    units: list[str]
    zs: list[str | None]
    amounts: list[str | None]
    flags: str
    origins: str
    reasons: list[str]
    minutes: list[int]
    checks: list[list[str]]
    packets: list[str]
    parts: int
    backfilled: bool
    received: int
    ruleset: str
    registry: str
    revision: str
    expected: int = 60
    kind: str = CELL
    v: int = VERSION


class Judged(msgspec.Struct):
    """One factor of an hour or day against its limits.

    ``verdict`` against the binding ones together (emission.md §4.3); ``limits`` against each kind, ``numbers`` those
    limits. ``value`` is what was compared, with a decimal more than its limit, from ``origin`` (avg, zs, recomputed);
    ``limit`` the strictest that binds and ``ratio`` to it. ``reason`` says why it is not judged.
    """

    verdict: str
    value: str | None = None
    limit: str | None = None
    ratio: str | None = None
    origin: str = ""
    reason: str = ""
    limits: dict[str, str] = msgspec.field(default_factory=dict)
    numbers: dict[str, str] = msgspec.field(default_factory=dict)
    level: str = ""  # of this hour alone: blue close to the limit … red


class OutletHour(msgspec.Struct):
    """The judgement of an hour of an outlet, factor by factor, against all limits at once.

    ``marks`` are the marks of the hour by the law's names, of people and of the log. ``exempt`` names the factors for
    which a condition mark lies within its budget. ``maintained``: in an approved maintenance; ``backfilled``: sent
    later than measured. Neither changes the verdict; no alarm of now begins with such an hour.
    """

    group: str
    enterprise: str
    outlet: str
    period: str
    time: int
    verdict: str
    items: dict[str, Judged]
    marks: list[str]
    exempt: list[str]
    backfilled: bool
    maintained: bool
    received: int
    ruleset: str
    registry: str
    revision: str
    kind: str = HOUR
    v: int = VERSION


class Amount(msgspec.Struct):
    """What was emitted of a factor, µg (of ``flow``: whole m³).

    ``total`` with what was put for missing hours, ``measured`` without; ``filled``: hours by rule (180, 720, 2160, or
    day: the largest day of waste water), ``gaps``: hours (days) for which nothing could be put.
    """

    total: int
    measured: int
    filled: dict[str, int] = msgspec.field(default_factory=dict)
    gaps: int = 0


class OutletDay(msgspec.Struct):
    """A closed day of an outlet: amounts, verdicts of limits on day means, hours by verdict and factor."""

    group: str
    enterprise: str
    outlet: str
    period: str
    time: int
    amounts: dict[str, Amount]
    items: dict[str, Judged]
    hours: dict[str, dict[str, int]]
    online_minutes: int
    minutes: int
    ruleset: str
    registry: str
    revision: str
    kind: str = DAY
    v: int = VERSION


class OutletPeriod(msgspec.Struct):
    """A month or year of an outlet so far: amounts and shares of time, through the last closed day.

    ``hours``: how many there were of all required factors together; ``standstill``, ``received``, ``valid`` among
    them. ``transmission``, ``effective`` and their ``product`` in percent, null where nothing was due. ``ultra_low``:
    per factor valid hours, hours over, percent, whether the month passes. ``means``: of waste water, flow-weighted over
    valid days. ``captured``: of a month, the capture rate of its quarter so far in percent, per factor.
    """

    kind: str
    group: str
    enterprise: str
    outlet: str
    period: str
    time: int
    through: str
    amounts: dict[str, Amount]
    hours: int
    standstill: int
    received: int
    valid: int
    transmission: str | None
    effective: str | None
    product: str | None
    meets: bool | None
    ultra_low: dict[str, tuple[int, int, str | None, bool | None]]
    verdicts: dict[str, dict[str, int]]
    means: dict[str, str | None]
    captured: dict[str, str | None]
    online_minutes: int
    minutes: int
    ruleset: str
    registry: str
    revision: str
    v: int = VERSION


class EnterpriseDay(msgspec.Struct):
    """What the outlets of an enterprise emitted on a closed day together, µg; ``outlets`` that count."""

    group: str
    enterprise: str
    period: str
    time: int
    amounts: dict[str, Amount]
    outlets: list[str]
    ruleset: str
    registry: str
    revision: str
    kind: str = ENTERPRISE_DAY
    v: int = VERSION


class Projected(msgspec.Struct):
    """A permit of a pollutant and where the year ends (emission.md §3.3); tonnes as decimal texts, shares in percent.

    ``daily`` is the mean of the last full days the projection goes on with, ``weekly`` the short view.
    """

    permit_t: str
    used_t: str
    daily_t: str
    weekly_t: str
    year_end_t: str
    used_percent: str
    of_year_percent: str
    exceeds_on: str | None
    already: bool
    this_year: bool
    level: str


class EnterpriseYear(msgspec.Struct):
    """The year of an enterprise so far, its permit, and the projection of each pollutant the permit names."""

    group: str
    enterprise: str
    period: str
    time: int
    through: str
    amounts: dict[str, Amount]
    permits: dict[str, Projected]
    outlets: list[str]
    ruleset: str
    registry: str
    revision: str
    kind: str = ENTERPRISE_YEAR
    v: int = VERSION
