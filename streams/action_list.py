"""What people decided, read back from a log for people: who, when, what, why, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from schemas import blocks, times, topics
from schemas.action_files import written
from schemas.actions import KINDS, holding
from streams import journal
from streams.journal import Record


def of_journal(folder: Path) -> list[Record]:
    """The records of actions in a journal, in its order; it may be in use."""
    return [record for record in journal.read(folder) if record.topic == topics.ACTIONS]


def listed(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Actions as JSON objects, by the time they were received; Beijing times beside the numbers.

    ``holds``: it is no withdrawal, and of at least one thing it is about, nothing later was said.

    Raises:
        BlockError: a record that this version cannot read.
    """
    actions = [message for r in records if isinstance(message := blocks.decode(r.value), blocks.Action)]
    actions.sort(key=lambda action: action.received)
    held = {id(action) for action in holding(actions).values()}
    return [
        {
            **msgspec.to_builtins(action),
            "name": KINDS[action.what].zh if action.what in KINDS else "",
            "period": written(action),
            "time": times.text(action.received // 1000),
            "holds": id(action) in held,
        }
        for action in actions
    ]


def line(one: dict[str, Any]) -> str:
    """One of them as a line of text."""
    state = "撤回 withdraws" if one["withdrawn"] else "有效 holds" if one["holds"] else "失效 no longer holds"
    data = " ".join(f"{key}={value}" for key, value in one["data"].items())
    said = " ".join(part for part in (one["subject"] or "*", one["period"], data) if part)
    return f"{one['time']}  {one['by']}  {one['name']} {one['what']} {said}  [{state}]  {one['why']}"
