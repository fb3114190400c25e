"""The dashboards: ``python -m grafana.boards`` writes ``grafana/dashboards/*.json``.

Queries come from :mod:`schemas.measurements`, words from :mod:`schemas`, levels, colours and limits from the tables of
``standards``. A test holds the committed files equal to what this writes.
"""

from __future__ import annotations

from grafana.boards import air, alerts, outlets, overview, pipeline, water
from grafana.boards.panels import text_of

BOARDS = {
    "overview.json": overview.board,
    "air.json": air.board,
    "water.json": water.board,
    "outlets.json": outlets.board,
    "alerts.json": alerts.board,
    "pipeline.json": pipeline.board,
}
"""By file, in the order of the wall."""

__all__ = ["BOARDS", "text_of"]
