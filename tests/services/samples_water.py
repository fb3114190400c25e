"""Messages as the water agent publishes them, for tests of what stands behind the log."""

from __future__ import annotations

from typing import Any

from schemas import messages, times
from schemas.messages_water import (
    SECTIONS_DAY,
    SECTIONS_MONTH,
    WaterArrival,
    WaterBorder,
    WaterCell,
    WaterSections,
    WaterVerdict,
)

GROUP, SECTION, EDITION = "zhuozhang", "shiliang", "GB 3838-2002"
Sample = WaterCell | WaterVerdict | WaterSections | WaterArrival | WaterBorder
KINDS = (WaterCell, WaterVerdict, WaterSections, WaterArrival, WaterBorder)
_MADE: dict[str, Any] = {"ruleset": f"water-{EDITION}", "registry": "0" * 16, "revision": "r"}


def cell(end: int) -> WaterCell:
    """An hour of a section: a carried result, a detection limit, a flagged value, a missing one."""
    return WaterCell(
        group=GROUP, source=SECTION, period="2015-12-01T24", time=end, factors=["pH", "NH3N", "TP", "CODMn", "DO"],
        values=["7.80", "0.025", "0.080", "3.1", None], flags="NLNDN", reasons=["ok", "ok", "ok", "flag-D", "missing"],
        packets=["gw:1"], received=end * 1000, results="NNC--", drawn=[end, end - 3600, end - 7200, None, None],
        valid=3, expected=5, below=["NH3N"], checks=[("pH", "jump")], **_MADE,
    )  # fmt: skip


def verdict(kind: str, time: int, period: str) -> WaterVerdict:
    """A section worse than its target."""
    return WaterVerdict(
        kind=kind, group=GROUP, section=SECTION, period=period, time=time, edition=EDITION, body="river", class_=4,
        roman="Ⅳ", rating="轻度污染", colour="黄色", conc={"pH": "7.8", "NH3N": "1.2", "Hg": "<0.00004"},
        items={"pH": 1, "NH3N": 4, "Hg": 1}, deciding=["NH3N"], main=[("NH3N", 4, 0.2)], main_text="氨氮(0.2)",
        target=3, meets=False, over_target={"NH3N": 0.2}, valid=True, factors=["pH", "DO", "NH3N"], origins={"Hg": "L"},
        results={"NH3N": 6}, expected={"NH3N": 6}, through="2015-12-01", **_MADE,
    )  # fmt: skip


def sections(kind: str, time: int, period: str) -> WaterSections:
    """Shares of a group."""
    return WaterSections(
        group=GROUP, period=period, time=time, edition=EDITION, sections=7, judged=6, good=5, worse=1, with_target=6,
        meeting=5, good_percent="83.3", worse_percent="16.7", meeting_percent="83.3", rating="良好",
        indicators=[("NH3N", 16.7)], classes={SECTION: 4, "weizi": None}, kind=kind, **_MADE,
    )  # fmt: skip


def arrival(since: int) -> WaterArrival:
    """A wave on its way."""
    return WaterArrival(
        group=GROUP, section=SECTION, item="NH3N", source="shihui", period="2015-12-01T20", time=since,
        state="expected", since=since, eta_from=since + 10_500, eta_probable=since + 24_000, eta_to=since + 56_000,
        earliest_s=10_500, probable_s=24_000, latest_s=56_000, through=[SECTION], condition="c", linked="",
        value="1.8", **_MADE,
    )  # fmt: skip


def border(time: int, period: str) -> WaterBorder:
    """What the district added."""
    return WaterBorder(
        group=GROUP, inflow="in", outflow="out", period=period, time=time, edition=EDITION, class_in=3, class_out=None,
        balance="unknown", balance_zh="无法比较", items={"NH3N": "added"}, values={"NH3N": ("0.9", "1.2")}, **_MADE,
    )  # fmt: skip


def every_kind(day: int) -> list[Sample]:
    """One of each kind, of the day or the periods it is in."""
    date, start, last_hour = times.date_of(day), times.day_start(day), times.day_end(day)
    month = times.day_start(times.day_number(date.replace(day=1)))
    year = times.day_start(times.day_number(date.replace(month=1, day=1)))
    return [
        cell(last_hour),
        verdict("water-hour", last_hour, f"{date}T24"),
        verdict("water-day", start, str(date)),
        verdict("water-month", month, f"{date:%Y-%m}"),
        verdict("water-year", year, f"{date:%Y}"),
        sections(SECTIONS_DAY, start, str(date)),
        sections(SECTIONS_MONTH, month, f"{date:%Y-%m}"),
        arrival(last_hour - 4 * 3600),
        border(month, f"{date:%Y-%m}"),
    ]


def key_of(message: Sample) -> bytes:
    """The compaction key."""
    subject = getattr(message, "section", getattr(message, "source", getattr(message, "inflow", "")))
    return messages.key(message.group, subject, message.kind, message.period)
