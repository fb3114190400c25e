"""Days of sections: means of their valid results, kept as exact fractions; months are derived from them.

A day is closed three hours after its end, when the wet chemistry of its last sample has been published, and derived
again whenever its hours change afterwards.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from agents.water.cells import judged, say_verdict
from agents.water.columns import FACTORS, KNOWN
from agents.water.grades import ASSESSED, target_of
from agents.water.hours import Day, Hours
from agents.water.when import name_of, split
from schemas import times
from schemas.messages_water import DAY
from schemas.registry import Section
from standards.fixed import MISSING
from standards.water.items import item_set, items
from standards.water.means import enough, mean, mean_parts
from standards.water.sampling import planned
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

STATE_VERSION = 1


class Mean(msgspec.Struct, array_like=True):
    """Results of one item on a day.

    Attributes:
        num, den: of the mean, exactly; of pH the mean itself in its scale, and 1.
        count: valid new results.
        below: all of them lie below detection.
        most: the largest, a detection limit where ``below``.
    """

    num: int
    den: int
    count: int
    below: bool
    most: int


class DayRow(msgspec.Struct, array_like=True):
    """A closed day of a section."""

    v: int
    items: dict[str, Mean]
    received: int


def _decode(row: bytes) -> DayRow:
    found = msgspec.msgpack.decode(row, type=DayRow)
    if found.v != STATE_VERSION:
        raise ValueError(f"a day row of format {found.v}, this program reads {STATE_VERSION}")
    return found


class Days:
    """Closed days by section."""

    def __init__(self, judge: WaterJudge, hours: Hours) -> None:
        self._judge, self._hours = judge, hours
        self._rows: Shelf[DayRow] = judge.keep(Shelf("d", _decode, msgspec.msgpack.encode))
        self._of: dict[str, set[int]] | None = None

    def _sections(self) -> dict[str, set[int]]:
        if self._of is None:
            self._of = {}
            for name in self._rows.names():
                section, day = split(name)
                self._of.setdefault(section, set()).add(day)
        return self._of

    def of(self, section: str) -> set[int]:
        """Day numbers of a section that are closed; not to be written."""
        return self._sections().get(section, set())

    def get(self, section: str, day: int) -> DayRow | None:
        """A closed day."""
        return self._rows.get(name_of(section, day))

    def forget_before(self, year: int) -> None:
        """Days of years before are dropped."""
        for section, days in self._sections().items():
            for day in [day for day in days if times.date_of(day).year < year]:
                days.discard(day)
                self._rows.drop(name_of(section, day))

    def derive(self, section: str, day: int) -> bool:
        """Derive a closed day again and say it; whether it is another now."""
        registry = self._judge.the_registry
        at = registry.section_at(section, times.date_of(day))
        if at is None:
            return False
        held = self._hours.day(section, day)
        row = self.row_of(held)
        before = self.get(section, day)
        if before != row:
            self._sections().setdefault(section, set()).add(day)
            self._rows.put(name_of(section, day), row)
        self._say(at, held, row)
        return before is None or before.items != row.items

    def row_of(self, day: Day) -> DayRow:
        """The means of a day: of each item its new, valid results."""
        found: dict[str, Mean] = {}
        usable = day.new & (day.judged != MISSING)
        for c in np.flatnonzero(usable.any(axis=0)).tolist():
            name = FACTORS[c]
            if name in KNOWN:
                at = usable[:, c]
                found[name] = mean_of(name, day.judged[at, c], day.below[at, c], day.date)
        counted = [int(day.received.max())] + [a.received for a in day.audits.values()]
        return DayRow(STATE_VERSION, found, max(counted))

    def _say(self, section: Section, day: Day, row: DayRow) -> None:
        expected = {name: planned(name, day.date) for name in row.items}
        counts = {name: one.count for name, one in row.items.items()}
        readings = valid_means(row, day.date)
        _, target = target_of(self._judge.the_registry, section.id, day.date)
        verdict = judged(section, day.date, readings, target, rounding="assessment", set_name=ASSESSED)
        for name in sorted(set(row.items) - set(readings)):
            few = f"有效数据不足 too few results: {counts[name]} of {expected[name]}"
            verdict.setdefault("not_judged", {})[name] = few
        say_verdict(
            self._judge, DAY, section, day.date.isoformat(), times.day_start(day.number), verdict,
            received=row.received, results=counts, expected=expected,
            through=day.date.isoformat(),
        )  # fmt: skip


def mean_of(name: str, values: np.ndarray, below: np.ndarray, date: dt.date) -> Mean:
    """The exact mean of results of one item."""
    item = items()[name]
    if name in item_set("hydrogen_mean", date):
        return Mean(int(mean(item, values[None], below[None], date=date)[0]), 1, len(values), False, int(values.max()))
    num, den = mean_parts(values[None], below[None], places=item.places)
    return Mean(int(num[0]), int(den[0]), len(values), bool(below.all()), int(values.max()))


def value_of(one: Mean) -> tuple[int, bool]:
    """A mean as the law takes it: cut off and marked, or the detection limit where nothing was detected."""
    if one.below:
        return one.most, True
    whole, rest = divmod(one.num, one.den)
    return whole + (rest > 0 and whole % 5 == 0), False


def valid_means(row: DayRow, date: dt.date) -> dict[str, tuple[int, bool]]:
    """Means of a day of the items that have enough results."""
    return {name: value_of(one) for name, one in row.items.items() if is_enough(name, one, date)}


def is_enough(name: str, one: Mean, date: dt.date) -> bool:
    """Whether a day has enough results of an item (water.md §3.3)."""
    return bool(enough(np.array([one.count]), np.array([planned(name, date)]), "day", date=date)[0])
