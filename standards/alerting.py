"""What conditions are as alerts: levels and who is told, rules, lengths of time (emission.md §6, water.md §4.7).

Numbers and roles are those of the dated tables ``alerts_levels``, ``alerts_rules`` and ``alerts_spans``; the machine
that applies them is ``agents/alerts``.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from typing import Final

from standards import dated

LEVELS: Final = ("blue", "yellow", "orange", "red")
_MS: Final = {"min": 60_000, "day": 86_400_000, "1": 1}


@dataclass(frozen=True)
class Level:
    """What a level means; times are milliseconds, 0: never. The columns are described in ``alerts_levels.toml``."""

    name: str
    first: tuple[str, ...]
    escalate_ms: int
    escalate: tuple[str, ...]
    remind_ms: int
    repeat_ms: int
    idle_ms: int


@dataclass(frozen=True)
class Rule:
    """What the conditions of a rule are as alerts; the columns are described in ``alerts_rules.toml``."""

    name: str
    about: str
    of: str
    each: bool
    most: str
    wait_ms: int
    hold_ms: int
    zh: str
    en: str


def rank(level: str) -> int:
    """Place of a level; a condition without one is blue."""
    return LEVELS.index(level) if level in LEVELS else 0


@cache
def level(name: str, date: datetime.date) -> Level:
    """A level as it is on a Beijing date."""
    row = dated.for_date("alerts_levels", date).row(level=name)
    minutes = {column: row.integer(f"{column}_min") * _MS["min"] for column in ("escalate", "remind", "repeat", "idle")}
    return Level(
        name, row.texts("first"), minutes["escalate"], row.texts("escalate"),
        minutes["remind"], minutes["repeat"], minutes["idle"],
    )  # fmt: skip


@cache
def rule(name: str, date: datetime.date) -> Rule:
    """A rule as it is on a Beijing date; one the table does not have may give any level and speaks for itself."""
    for row in dated.for_date("alerts_rules", date).where(rule=name):
        return Rule(
            name, row.text("about") if "about" in row else "", row.text("of"), row.flag("each"), row.text("most"),
            row.integer("wait_min") * _MS["min"], row.integer("hold_min") * _MS["min"], row.text("zh"), row.text("en"),
        )  # fmt: skip
    return Rule(name, "", "subject", False, LEVELS[-1], 0, 0, name, name)


@cache
def span(what: str, date: datetime.date) -> int:
    """A length of time in milliseconds, or a number of things, as it is on a Beijing date."""
    row = dated.for_date("alerts_spans", date).row(what=what)
    return row.integer("value") * _MS[row.text("unit")]
