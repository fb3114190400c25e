"""Whose packet is it: by the MN it names and the date of what it measured."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas import times
from schemas.registry import Logger, Registry, Source
from streams.hj212 import Packet

MOST_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Origin:
    """A registered source and the logger that speaks for it."""

    source: Source
    logger: Logger


class SourceIndex:
    """Finds the origin of a packet; asked for every packet, so it remembers."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._found: dict[tuple[str, dt.date], Origin | None] = {}
        self._by_text: dict[tuple[str, str], Origin | None] = {}

    def of(self, packet: Packet, received_ms: int) -> Origin | None:
        """By the date of what it measured, else of its receipt; None when nobody has that MN then."""
        said = (packet.mn, (packet.data_time or "")[:8])
        try:
            return self._by_text[said]
        except KeyError:
            pass
        date = _date(packet.data_time)
        if date is None:
            return self.at(packet.mn, times.civil(received_ms // 1000).date())
        if len(self._by_text) > MOST_REMEMBERED:
            self._by_text.clear()
        found = self._by_text[said] = self.at(packet.mn, date)
        return found

    def at(self, mn: str, date: dt.date) -> Origin | None:
        """Whose MN it is on a date."""
        key = (mn, date)
        try:
            return self._found[key]
        except KeyError:
            pass
        if len(self._found) > MOST_REMEMBERED:  # somebody invents numbers
            self._found.clear()
        source = self.registry.source_by_mn(mn, date)
        self._found[key] = None if source is None else Origin(source, self.registry.logger(mn, date))
        return self._found[key]


def _date(data_time: str | None) -> dt.date | None:
    digits = (data_time or "")[:8]
    if len(digits) < 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
