"""Factors a source sends that the registry does not know: kept beside the hour and told, never judged."""

from __future__ import annotations

import msgspec

from agents.emission.readings import sent_text, shown_flag, unit_of
from agents.emission.when import name_of, split
from streams.state.judge import Judge
from streams.state.shelf import Shelf

MOST_NAMES = 64
"""Names kept of one hour, the first in their order: somebody may invent codes all day."""

Said = tuple[int, int, int, int]
"""Version, received, value, meta: the largest wins, in whatever order they come."""


def _decode(row: bytes) -> dict[str, Said]:
    return msgspec.msgpack.decode(row, type=dict[str, Said])


class Extras:
    """By source and hour what came under names that are not in its plan."""

    def __init__(self, judge: Judge) -> None:
        self._rows: Shelf[dict[str, Said]] = judge.keep(Shelf("x", _decode, msgspec.msgpack.encode))

    def say(self, source: str, end: int, name: str, said: Said) -> None:
        """A value of an hour under an unknown name."""
        row = self._rows.get(name_of(source, end)) or {}
        if said <= row.get(name, (-(1 << 63), 0, 0, 0)):
            return
        row[name] = said
        while len(row) > MOST_NAMES:
            del row[max(row)]
        self._rows.put(name_of(source, end), row)

    def of(self, source: str, end: int) -> list[tuple[str, str | None, str, str]]:
        """Name, value, flag and unit of what is unknown, by name."""
        if name_of(source, end) not in self._rows:
            return []
        row = self._rows.get(name_of(source, end)) or {}
        return [
            (name, sent_text(value, meta, version), shown_flag(meta, version), unit_of(meta) or "")
            for name, (version, _, value, meta) in sorted(row.items())
        ]

    def grow_old(self, cool_before: int, drop_before: int) -> None:
        """Hours that end before an instant become bytes, those before another are dropped."""
        for name in self._rows.names():
            end = split(name)[1]
            if end < drop_before:
                self._rows.drop(name)
            elif end < cool_before:
                self._rows.cool(name)
