"""A judge that is killed again and again, also half-way through a checkpoint; the same for every agent."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Sequence

from streams.state.judge import Judge
from streams.state.kernel import POSITION_KEY, Output, Versions


def crashed(
    make: Callable[[int], Judge],
    topic: str,
    messages: Sequence[bytes],
    chance: random.Random,
    compared: Collection[str],
) -> dict[str, dict[bytes, bytes]]:
    """The last messages per topic and key of a judge over the messages of partition 0 of a topic."""
    outputs: list[Output] = []
    written: list[tuple[bytes, int, bytes | None]] = []  # the state topic
    judge = make(0)
    judge.restored(None)
    at = 0
    while at < len(messages):
        outputs += judge.take(messages[at], f"{topic}/0/{at}")
        at += 1
        killed = chance.random() < 0.05
        if chance.random() < 0.1:
            rows = judge.changed_rows()
            if killed:  # these were delivered, the others and the position no more
                rows = [row for row in rows if chance.random() < 0.5]
            written += [(key, at, row) for key, row in rows]
            if not killed:
                written.append((POSITION_KEY, at, json.dumps([at, judge.now_ms]).encode()))
        if killed:
            versions = Versions()
            for key, offset, row in written:
                versions.see(key, offset, row)
            found = versions.rows()
            at, now = json.loads(found.pop(POSITION_KEY, b"[0, null]"))
            judge = make(0)
            for key, row in found.items():
                judge.restore(key, row)
            judge.restored(now)
    return {name: {o.key: o.value for o in outputs if o.topic == name} for name in compared}
