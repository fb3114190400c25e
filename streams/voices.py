"""Who says a row: the logger number of a station on a date, whether it is answered, and its units."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.registry import AIR_FACTORS, Registry, Station

_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
MADE_UP: Final = "UNLISTED"


@dataclass(frozen=True)
class Voice:
    """A logger as it speaks on a date.

    ``answered`` is False where the registry does not have the number on that date: the gateway keeps such packets
    as evidence and does not answer them. ``shifts`` are the places the decimal point moves right, per factor, from
    the published unit to the one the logger sends.
    """

    mn: str
    answered: bool
    shifts: tuple[int, ...]

    def readings(self, texts: Sequence[str]) -> dict[str, str | None]:
        """What the logger sends for these texts in published units (order of HJ 633, empty where absent)."""
        return {
            factor: sent_text(text, shift) if text else None
            for factor, text, shift in zip(AIR_FACTORS, texts, self.shifts, strict=True)
        }


@functools.lru_cache(maxsize=65_536)
def sent_text(text: str, shift: int) -> str:
    """The text in the logger's unit, as a plain decimal number with the digits it had."""
    if shift == 0 and _PLAIN.fullmatch(text):
        return text
    return f"{Decimal(text).scaleb(shift):f}"


class Voices:
    """Finds the voice of a station by its id or name; asked for every row, so it remembers."""

    def __init__(self, registry: Registry) -> None:
        """Speak for this registry."""
        self._registry = registry
        self._ids = {s.name: s.id for s in registry.stations} | {s.id: s.id for s in registry.stations}
        self._found: dict[tuple[str, dt.date], Voice] = {}

    def of(self, station: str, date: dt.date) -> Voice:
        """The voice of a station on the date its hour began."""
        found = self._found.get((station, date))
        if found is None:
            found = self._found[station, date] = self._voice(station, date)
        return found

    def _voice(self, name: str, date: dt.date) -> Voice:
        known = self._ids.get(name)
        station = self._registry.station_at(known, date) if known is not None else None
        if station is not None and self._registry.by_mn(station.mn, date) == station:
            return Voice(station.mn, True, _shifts(station))
        # A number that speaks for another station on that date must not speak for this one, nor may the made-up one.
        own = [s for s in self._registry.stations if s.id == known and self._registry.by_mn(s.mn, date) is None]
        if own:
            return Voice(own[-1].mn, False, _shifts(own[-1]))
        return Voice(self._made_up(name), False, (0,) * len(AIR_FACTORS))

    def _made_up(self, name: str) -> str:
        mn, salt = "", 0
        while not mn or self._registry.knows_mn(mn):
            mn = MADE_UP + hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()[:16].upper()
            salt += 1
        return mn


def _shifts(station: Station) -> tuple[int, ...]:
    return tuple(station.shift(factor) for factor in AIR_FACTORS)
