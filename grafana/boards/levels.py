"""Levels and colours of HJ 633, from the table of the standard."""

from __future__ import annotations

import tomllib
from pathlib import Path

from grafana.boards.queries import Json

TABLES = Path(__file__).parents[2] / "standards/tables"


def air_levels() -> list[Json]:
    """The six levels: category, colour and last AQI. Both editions have the same."""
    rows: list[Json] = tomllib.loads((TABLES / "air_levels.toml").read_text(encoding="utf-8"))["edition"][-1]["rows"]
    return rows


def aqi_thresholds(*, blank: bool = False) -> Json:
    """Thresholds in the colours of HJ 633. ``blank``: what has no number has no colour, for cells of a calendar."""
    rows = air_levels()
    starts = [0 if blank else None, *(row["aqi_to"] + 1 for row in rows[:-1])]
    steps = [{"color": row["hex"], "value": start} for row, start in zip(rows, starts, strict=True)]
    nothing = [{"color": "transparent", "value": None}] if blank else []
    return {"mode": "absolute", "steps": [*nothing, *steps]}


AIR_LIMITS = "2026"
"""The edition whose limits are drawn: GB 3095-2026, transition columns, until 2030; hourly ones are those of 2012."""


def hourly_limits() -> dict[str, float]:
    """Hourly limit of grade II by pollutant, in its published unit; PM has none (GB 3095, Table 1)."""
    editions = tomllib.loads((TABLES / "air_limits.toml").read_text(encoding="utf-8"))["edition"]
    rows = next(edition["rows"] for edition in editions if edition["name"] == AIR_LIMITS)
    return {row["item"]: row["grade2"] for row in rows if row["averaging"] == "1h"}


def category_mappings() -> list[Json]:
    """Names of categories in their colours."""
    options = {
        row["category"]: {"color": row["hex"], "index": i, "text": row["category"]}
        for i, row in enumerate(air_levels())
    }
    return [{"type": "value", "options": options}]


def table(subject: str) -> list[Json]:
    """The rows of a table of standards, of its newest edition that nobody has to choose."""
    editions = tomllib.loads((TABLES / f"{subject}.toml").read_text(encoding="utf-8"))["edition"]
    rows: list[Json] = [edition for edition in editions if "series" not in edition][-1]["rows"]
    return rows


def alert_colours() -> dict[str, str]:
    """Colour by level of an alert: blue, yellow, orange, red."""
    return {row["level"]: row["hex"] for row in table("alerts_colours")}


def alert_mappings() -> list[Json]:
    """Chinese names of the levels of alerts in their colours."""
    rows = table("alerts_colours")
    return [
        {
            "type": "value",
            "options": {
                row["level"]: {"color": row["hex"], "index": i, "text": row["name"]} for i, row in enumerate(rows)
            },
        }
    ]


def edges(thresholds: Json) -> str:
    """Where the steps begin, for a sentence."""
    return "、".join(f"{step['value']:g}" for step in thresholds["steps"][1:])
