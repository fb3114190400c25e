"""Judges rows of many days at once, each by the editions in force on its day: limits, rounding, ranges, sets."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from standards.fixed import Ints
from standards.water.credibility import RULES, broken_rules
from standards.water.editions import choose
from standards.water.ladders import NO_CLASS, Classes
from standards.water.means import assessed
from standards.water.readings import Bools
from standards.water.section import item_classes
from standards.water.targets import Target, judge

Groups = list[tuple[datetime.date, slice | npt.NDArray[np.intp]]]
"""Rows judged by the same editions, and a date at which those are in force."""


class RowLaw:
    """The switches of an assessment, and what they make of rows.

    ``items``: ids of the rows of every matrix. ``rounding``: None or ``assessment``. ``edition``: forces one of GB
    3838, the other tables still go by the day. ``ph_decimals``: profile of doubt 4. ``editions``: names of the editions
    of GB 3838 that were used so far.
    """

    def __init__(self, items: tuple[str, ...], rounding: str | None, edition: str | None, ph_decimals: str) -> None:
        self.items = items
        self.rounding = rounding
        self.edition = edition
        self.ph_decimals = ph_decimals
        self.editions: set[str] = set()
        self._dates: dict[int, datetime.date] = {}
        self._first: dict[tuple[str, ...], datetime.date] = {}

    def groups(self, days: Ints) -> Groups:
        """Rows by the editions in force on their day.

        Args:
            days: int64 (n,), ``date.toordinal`` of the Beijing day, 0 where unknown: of no use to anybody.

        Raises:
            LookupError: no edition is in force on a day.
        """
        by_date: dict[datetime.date, list[int]] = {}
        for day in np.unique(days[days > 0]).tolist():
            if day not in self._dates:
                self._dates[day] = self._date_of(datetime.date.fromordinal(day))
            by_date.setdefault(self._dates[day], []).append(day)
        if len(by_date) == 1:
            return [(date, slice(None)) for date in by_date]
        return [(date, np.flatnonzero(np.isin(days, of_date))) for date, of_date in by_date.items()]

    def _date_of(self, date: datetime.date) -> datetime.date:
        limits = choose("water_surface", date, name=self.edition).name
        others = [choose(subject, date).name for subject in ("water_decimals", "water_range", "water_sets")]
        others += [choose("water_decimals", date, series=self.ph_decimals).name, choose("water_indicators", date).name]
        self.editions.add(limits)
        return self._first.setdefault((limits, *others), date)

    def assessed(self, values: Ints, below: Bools, groups: Groups) -> Ints:
        """The values as they are judged; a detection limit is a property of the method and is not rounded."""
        if self.rounding is None:
            return values
        found = values.copy()
        for date, at in groups:
            for row, name in enumerate(self.items):
                found[row, at] = assessed(name, values[row, at], ph=self.ph_decimals, date=date)
        return np.where(below, values, found)

    def classify(self, values: Ints, below: Bools, lake: Bools, groups: Groups) -> Classes:
        """Class of every item of every row: int8 (items, n), as ``section.item_classes``."""
        found = np.full(values.shape, NO_CLASS, dtype=np.int8)
        masked = below if below.any() else None
        for date, at in groups:
            part = None if masked is None else masked[:, at]
            found[:, at] = item_classes(
                self.items, values[:, at], lake[at], below=part, date=date, edition=self.edition
            )
        return found

    def broken(
        self, texts: Mapping[str, Sequence[str]], values: Ints, below: Bools, refused: Bools, groups: Groups
    ) -> dict[str, Bools]:
        """Rows that break each rule of credibility: bool (n,) by rule id."""
        found = {rule: np.zeros(values.shape[1], dtype=np.bool_) for rule in RULES}
        for date, at in groups:
            for rule, mask in broken_rules(self.items, texts, values, below, refused, date).items():
                found[rule][at] = mask[at]
        return found

    def meets(self, owed: Ints, values: Ints, below: Bools, lake: Bools, groups: Groups) -> Classes:
        """Whether each row meets the class it owes (water.md §3.1).

        Args:
            owed: int64 (n,), 0 where it owes none.
            values: int64 (items, n), as they are judged.
            below: bool (items, n).
            lake: bool (n,).
            groups: of the rows.

        Returns:
            int8 (n,): 1 yes, 0 no, -1 owes none or can't be judged.
        """
        met = np.full(len(owed), NO_CLASS, dtype=np.int8)
        if not owed.any():
            return met
        for date, at in groups:
            here = np.zeros(len(owed), dtype=np.bool_)
            here[at] = True
            for target in sorted(set(owed[at].tolist()) - {0}):
                of = np.flatnonzero(here & (owed == target))
                met[of] = judge(
                    self.items,
                    values[:, of],
                    lake[of],
                    Target(target),
                    below=below[:, of],
                    date=date,
                    edition=self.edition,
                ).meets
        return met
