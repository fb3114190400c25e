"""Classes of water, their colours and limits, and ratings of shares, from the tables of the standards."""

from __future__ import annotations

from grafana.boards.levels import table
from grafana.boards.queries import Json

BODIES = {"river": "河流", "lake": "湖库", "spring": "泉"}
"""Values of the tag ``body``: whose limits."""


def items() -> dict[str, Json]:
    """Rows of the items, by item: name, unit and so on."""
    return {row["item"]: row for row in table("water_items")}


def item_mappings() -> list[Json]:
    """Chinese names of the items."""
    return [{"type": "value", "options": {
        item: {"index": i, "text": row["name"]} for i, (item, row) in enumerate(items().items())
    }}]  # fmt: skip


def class_mappings() -> list[Json]:
    """Roman numbers of the classes in their colours."""
    return [{"type": "value", "options": {
        str(row["class"]): {"color": row["hex"], "index": row["class"] - 1, "text": row["roman"]}
        for row in table("water_classes")
    }}]  # fmt: skip


def limits(item: str, body: str) -> Json | None:
    """The limits of an item as bands in the colours of the classes; None where the body has none.

    Limits are inclusive and a threshold begins at its value, so what lies exactly on a limit is drawn in the better
    class's band only where the limit is the lower end (oxygen); the class itself is judged, not drawn.
    """
    colours = [row["hex"] for row in table("water_classes")]
    if body == "spring":
        rows = [row for row in table("water_groundwater") if row["item"] == item]
    else:
        rows = [row for row in table("water_surface") if row["item"] == item and row["body"] in (body, "both")]
    if not rows:
        return None
    (row,) = rows
    return {"mode": "absolute", "steps": _steps(row.get("high"), row.get("low"), colours)}


def _steps(high: list[float] | None, low: list[float] | None, colours: list[str]) -> list[Json]:
    worst = colours[len(high or low or [])]
    steps: list[Json] = []
    if low:  # from the worst class upwards to the best
        steps.append({"color": worst, "value": None})
        for n in reversed(range(len(low))):
            _step(steps, colours[n], low[n])
    else:
        steps.append({"color": colours[0], "value": None})
    if high:
        for n, limit in enumerate(high):
            _step(steps, colours[n + 1], limit)
    return steps


def _step(steps: list[Json], colour: str, value: float) -> None:
    """A step; where several classes have one limit, the last of them counts."""
    if steps[-1]["value"] == value:
        steps[-1]["color"] = colour
    else:
        steps.append({"color": colour, "value": value})


def good_thresholds() -> Json:
    """Ratings of a river by its share of sections in classes I to III (five sections and more)."""
    return _rated("good_at_least", 3)


def worse_thresholds() -> Json:
    """Ratings of a river by its share of sections worse than class V (five sections and more)."""
    return _rated("worse_at_least", 2)


def _rated(column: str, otherwise: int) -> Json:
    colours = {row["level"]: row["hex"] for row in table("water_classes")}
    rated = sorted((row[column], row["level"]) for row in table("water_rivers") if column in row)
    first: list[Json] = [{"color": colours[otherwise], "value": None}]
    return {"mode": "absolute", "steps": first + [{"color": colours[level], "value": at} for at, level in rated]}
