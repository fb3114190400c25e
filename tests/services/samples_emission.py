"""Messages as the emission agent publishes them, for tests of what stands behind the log."""

from __future__ import annotations

from typing import Any

from schemas import messages, times
from schemas.messages_emission import (
    MONTH,
    YEAR,
    Amount,
    EmissionCell,
    EnterpriseDay,
    EnterpriseYear,
    Judged,
    OutletDay,
    OutletHour,
    OutletPeriod,
    Projected,
)

GROUP, OUTLET = "lanfeng-steel", "lanfeng-sinter-head"
Sample = EmissionCell | OutletHour | OutletDay | OutletPeriod | EnterpriseDay | EnterpriseYear
KINDS = (EmissionCell, OutletHour, OutletDay, OutletPeriod, EnterpriseDay, EnterpriseYear)
_MADE: dict[str, Any] = {"ruleset": "emission-2022", "registry": "0" * 16, "revision": "r"}
_WHOSE: dict[str, Any] = {"group": GROUP, "enterprise": GROUP}
AMOUNTS = {
    "NOx": Amount(total=543_429_655_188, measured=520_000_000_000, filled={"180": 2}, gaps=1),
    "flow": Amount(total=25_893_056_160, measured=25_893_056_160),
}


def cell(end: int) -> EmissionCell:
    """An hour of an outlet: a value above its limit, a flagged one, a flow in another unit, a missing one."""
    return EmissionCell(
        **_WHOSE, source=OUTLET, period="2015-12-01T24", time=end, medium="gas", factors=["NOx", "SO2", "flow", "O2"],
        values=["50.0", "12", "316800", None], units=["", "", "m3/h", ""], zs=["61.0", None, None, None],
        amounts=["15.8", None, None, None], flags="NDN_", origins="LLL-", reasons=["ok", "flag", "ok", "missing"],
        minutes=[60, 60, 60, -1], checks=[["zs-differs"], [], [], []], packets=["gw:1", "gw:2"], parts=2,
        backfilled=False, received=end * 1000, **_MADE,
    )  # fmt: skip


def hour(end: int) -> OutletHour:
    """Its judgement."""
    items = {
        "NOx": Judged("EXCEED", "61.0", "50", "1.220", "zs", "", {"permit": "EXCEED"}, {"permit": "50"}, "orange"),
        "SO2": Judged("INVALID", reason="flag"),
    }
    return OutletHour(
        **_WHOSE, outlet=OUTLET, period="2015-12-01T24", time=end, verdict="EXCEED", items=items, marks=["START"],
        exempt=[], backfilled=False, maintained=False, received=end * 1000, **_MADE,
    )  # fmt: skip


def day(start: int) -> OutletDay:
    """A day."""
    items = {"COD": Judged("OK", "41.8", "50", "0.837", limits={"legal": "OK"}, numbers={"legal": "50"})}
    return OutletDay(
        **_WHOSE, outlet=OUTLET, period="2015-12-01", time=start, amounts=AMOUNTS, items=items,
        hours={"NOx": {"OK": 23, "EXCEED": 1}}, online_minutes=1430, minutes=1440, **_MADE,
    )  # fmt: skip


def period(kind: str, start: int, label: str) -> OutletPeriod:
    """A month or year."""
    return OutletPeriod(
        kind=kind, **_WHOSE, outlet=OUTLET, period=label, time=start, through="2015-12-01", amounts=AMOUNTS, hours=720,
        standstill=0, received=706, valid=690, transmission="98.056", effective="97.734", product="95.833", meets=True,
        ultra_low={"NOx": (700, 35, "95.000", True), "PM": (0, 0, None, None)}, verdicts={"NOx": {"OK": 690}}, means={},
        captured={"NOx": "95.830"}, online_minutes=43_000, minutes=43_200, **_MADE,
    )  # fmt: skip


def every_kind(number: int) -> list[Sample]:
    """One of each, of a day."""
    start, end = times.day_start(number), times.day_end(number)
    permit = Projected(
        "120.000000", "80.000000", "0.500000", "0.520000", "141.000000", "66.667", "66.575", "2026-11-20", False, True,
        "yellow",
    )  # fmt: skip
    return [
        cell(end),
        hour(end),
        day(start),
        period(MONTH, start, "2015-12"),
        period(YEAR, start, "2015"),
        EnterpriseDay(**_WHOSE, period="2015-12-01", time=start, amounts=AMOUNTS, outlets=[OUTLET], **_MADE),
        EnterpriseYear(
            **_WHOSE, period="2015", time=start, through="2015-12-01", amounts=AMOUNTS, permits={"NOx": permit},
            outlets=[OUTLET], **_MADE,
        ),
    ]  # fmt: skip


def key_of(message: Sample) -> bytes:
    """The compaction key."""
    subject = getattr(message, "outlet", getattr(message, "source", message.enterprise))
    return messages.key(message.group, subject, message.kind, message.period)
