"""docs/alerts.md shows the levels as the tables have them; the table of rules has those that agents say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from agents.air import areas
from agents.emission import clocks, facility, totals, tracks
from agents.water import warnings
from schemas import messages
from schemas.alerts import LEVEL_ZH, REASONS
from standards import alerting, dated

PAGE = Path(__file__).resolve().parents[3] / "docs" / "alerts.md"
ROLE_ZH = {"duty": "值班员", "enterprise": "企业联系人", "chief": "科长", "director": "分管领导"}
DATE = dt.date(2026, 11, 1)


def levels() -> str:
    """The table of levels, from the tables of the law."""
    lines = [
        "| level | first 首先通知 | not acknowledged 未确认 | reminder 提醒 | acknowledged, nothing done 确认后 |",
        "|---|---|---|---|---|",
    ]
    for name in alerting.LEVELS:
        level = alerting.level(name, DATE)
        first = "、".join(ROLE_ZH[role] for role in level.first) or "screen 仅屏显"
        then = "、".join(ROLE_ZH[role] for role in level.escalate)
        more = f"{level.escalate_ms // 60_000} min → {then}" if then else "–"
        remind = f"every {level.remind_ms // 60_000} min" if level.remind_ms else "–"
        idle = f"open again after {level.idle_ms // 60_000} min" if level.idle_ms else "–"
        lines.append(f"| {LEVEL_ZH[name]} {name} | {first} | {more} | {remind} | {idle} |")
    return "\n".join(lines)


def test_the_page_has_the_levels_of_the_tables_and_every_reason() -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index("<!-- levels -->"), text.index("<!-- /levels -->")
    assert text[begin:end].removeprefix("<!-- levels -->").strip() == levels()
    assert all(f"`{reason}`" in text for reason in REASONS)


def test_every_rule_an_agent_can_say_is_in_the_table_and_no_other() -> None:
    said = {
        tracks.OVER_LIMIT, tracks.NEAR_LIMIT, tracks.OVER_ULTRA_LOW, tracks.OUTSIDE_RANGE, tracks.UNREGISTERED,
        *tracks.BAD_REASONS, *tracks.BAD_CHECKS, totals.PERMIT, clocks.CLOCK_OFF, facility.SUSPECT,
        areas.DAY_INCOMPLETE, areas.DUST_PROPOSED, warnings.WATER_LEVEL, warnings.SPRING_GUARD,
        messages.OFFLINE, messages.HOUR_MISSING,
    }  # fmt: skip
    assert {row.text("rule") for row in dated.for_date("alerts_rules", DATE).rows} == said
