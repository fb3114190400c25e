"""What an officer would get without episodes: a message for every reading above its limit.

A yardstick for ``envstream check week``, nothing else. Every packet's reading is compared by itself: of an outlet the
converted value where the packet has one, else the value as it is, with the strictest legal, permitted or temporary
limit; of a section with the class it owes. No marks, no hold, no merging.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from functools import cache
from typing import Final

from schemas import blocks, times, topics
from schemas.registry import Registry
from standards.water.indicators import class_limits
from standards.water.items import item as find_item
from standards.water.ladders import NO_LIMIT
from streams.journal import Record

_CONVERTED: Final = "-Zs"
_BINDING: Final = ("legal", "permit", "temporary")
_JUDGED: Final = (blocks.REALTIME, blocks.MINUTE, blocks.HOUR)


class NaiveAlarms:
    """Counts messages by source.

    Attributes:
        messages: how many there would have been, by source.
    """

    def __init__(self, registry: Registry) -> None:
        self.messages: Counter[str] = Counter()
        self._registry = registry
        self._outlets = {outlet.id for outlet in registry.outlets}
        self._limits = cache(self._limits_of)

    def take(self, record: Record) -> None:
        """Look at what was written into the log."""
        if record.topic not in (topics.READINGS_EMISSION, topics.READINGS_WATER):
            return
        block = blocks.decode(record.value)
        if not isinstance(block, blocks.Block):
            return
        at = 0
        for packet, source in enumerate(block.source):
            count = block.counts[packet]
            if block.periods[packet] in _JUDGED:
                self._packet(block, block.sources[source], block.times[packet], range(at, at + count))
            at += count

    def _packet(self, block: blocks.Block, source: str, end: int, readings: range) -> None:
        limits = self._limits(source, times.date_of(times.day_of(end)))
        if not limits:
            return
        values = {
            block.factors[block.factor[n]]: Decimal(block.values[n]).scaleb(-blocks.PLACES.index(block.places[n]))
            for n in readings
            if block.places[n] != blocks.NO_VALUE
        }
        for factor, (least, most) in limits.items():
            value = values.get(factor + _CONVERTED, values.get(factor))
            if value is not None and ((most is not None and value > most) or (least is not None and value < least)):
                self.messages[source] += 1

    def _limits_of(self, source: str, date: dt.date) -> dict[str, tuple[Decimal | None, Decimal | None]]:
        """Lowest and highest value by factor."""
        if source in self._outlets:
            return self._of_outlet(source, date)
        return self._of_section(source, date)

    def _of_outlet(self, outlet: str, date: dt.date) -> dict[str, tuple[Decimal | None, Decimal | None]]:
        found: dict[str, tuple[Decimal | None, Decimal | None]] = {}
        for limit in self._registry.limits_at(outlet, date):
            if limit.kind not in _BINDING:
                continue
            least, most = found.get(limit.factor, (None, None))
            value = Decimal(limit.limit)
            if limit.side == "least":
                least = value if least is None else max(least, value)
            else:
                most = value if most is None else min(most, value)
            found[limit.factor] = least, most
        return found

    def _of_section(self, section: str, date: dt.date) -> dict[str, tuple[Decimal | None, Decimal | None]]:
        at, target = self._registry.section_at(section, date), self._registry.target(section, date)
        found: dict[str, tuple[Decimal | None, Decimal | None]] = {}
        if at is None or target is None or at.body not in ("river", "lake"):
            return found
        for factor in at.factors:
            try:
                item = find_item(factor)
                high, low = class_limits((item.id,), at.body == "lake", target.target_class, 1, date=date)
            except LookupError:
                continue  # no item of the law, or one without limits, such as the water's temperature
            most = None if high[0, 0] >= NO_LIMIT else Decimal(int(high[0, 0])).scaleb(-item.places)
            least = None if low[0, 0] <= -NO_LIMIT else Decimal(int(low[0, 0])).scaleb(-item.places)
            if most is not None or least is not None:
                found[factor] = least, most
        return found
