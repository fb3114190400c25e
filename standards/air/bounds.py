"""What a pollutant's area value of a day can still become, whatever arrives or goes missing: exact bounds.

A claim about a day is made only when these prove it. Two worlds are looked at: any of the remaining hours may come or
go missing (``complete=False``), or all of them come. A remaining hour has any value from 0 to ``most``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from standards.air.rules import HOURS, OZONE, Ints, LookUp, Rules
from standards.fixed import MISSING, half_even_int


def ceiling(position: int, rules: Rules) -> int:
    """The highest value, in thousandths, that rounds to a concentration with a daily IAQI ≤ 100."""
    return edge_of(rules.daily, position, rules, rules.validity["good_at_most"])


def edge_of(look_up: LookUp, position: int, rules: Rules, at_most: int) -> int:
    """The highest value, in thousandths, that rounds to a concentration whose IAQI is at most ``at_most``."""
    first = int(look_up.start[position])
    column = look_up.flat[first : first + int(look_up.last[position]) + 1]
    step = int(rules.step[position])
    top = int(np.flatnonzero((column >= 0) & (column <= at_most))[-1])
    edge = top * step + step // 2
    return edge if half_even_int(edge, step) == top else edge - 1


@dataclass(frozen=True, slots=True)
class _Reach:
    """One station's day value: what it can be if it is valid at all."""

    low: Fraction
    low_if_valid: Fraction
    """As ``low``, knowing that a value of too few ozone windows only counts when it exceeds the limit."""
    high: Fraction
    sure: bool
    """It will be valid."""
    possible: bool
    """It may be valid."""


class Bounds:
    """Bounds on one pollutant's area value; every answer is a proof, ``False`` only means there is none."""

    def __init__(
        self, hours: Ints, elapsed: int, position: int, rules: Rules, *, most: int, complete: bool = False
    ) -> None:
        """Look at the hours so far.

        Args:
            hours: int64[S, 24] thousandths, MISSING where not valid.
            elapsed: how many labels are over; later ones are ignored.
            position: which pollutant.
            rules: the edition.
            most: the highest value a remaining hour can have.
            complete: all remaining hours come.
        """
        self.rules = rules
        self.left = HOURS - elapsed
        self.stations = len(hours)
        self.step = int(rules.step[position])
        self.most = most
        self.complete = complete
        self.top = ceiling(position, rules)
        old_ozone = position == OZONE and rules.edition == "2012"
        self.hour_counts = old_ozone and rules.switches.o3_daily_uses_1h
        past = [[int(value) for value in row[:elapsed]] for row in hours]
        self.each = [self._ozone(row) if position == OZONE else self._mean(row) for row in past]
        # Beyond the 8-hour table of 2012 ozone goes by its largest hour, or has no index at all.
        self.by_hour = [self._hour(row) for row in past] if old_ozone else []
        if old_ozone:
            self.table_top = edge_of(rules.daily, OZONE, rules, int(rules.daily.flat.max()))
            self.hour_top = edge_of(rules.daily_1h, OZONE, rules, rules.validity["good_at_most"])

    def never_valued(self) -> bool:
        """There will be no area value."""
        return sum(each.possible for each in self.each) < self._needed()

    def surely_valued(self) -> bool:
        """There will be an area value."""
        return sum(each.sure for each in self.each) >= self._needed()

    def never_good(self, *, if_valid: bool = False) -> bool:
        """Whatever area value there will be is above the ceiling; ``if_valid``: see ``low_if_valid``."""
        if self.hour_counts and self._hour_is_bad():
            return True
        lows = [
            (self._rounded(each.low_if_valid if if_valid else each.low), each.sure)
            for each in self.each
            if each.possible
        ]
        means = self._means(lows, highest=False)
        return not means or (min(means) > self.top and not self._beyond_the_table())

    def always_good(self) -> bool:
        """There will be an area value, and it will be at or below the ceiling."""
        if not self.surely_valued() or self.hour_counts:
            return False
        highs = [(self._rounded(each.high), each.sure) for each in self.each if each.possible]
        return max(self._means(highs, highest=True)) <= self.top

    def _beyond_the_table(self) -> bool:
        """Edition of 2012: the value may leave the 8-hour table without its hour surely being bad."""
        if not self.by_hour or self._hour_is_bad():
            return False
        highs = [(self._rounded(each.high), each.sure) for each in self.each if each.possible]
        return max(self._means(highs, highest=True)) > self.table_top

    def _hour_is_bad(self) -> bool:
        """The area's largest hour will surely exist and have an IAQI above 100."""
        if sum(each.sure for each in self.by_hour) < self._needed():
            return False
        means = self._means([(each.low, each.sure) for each in self.by_hour if each.possible], highest=False)
        return min(means) > self.hour_top

    def _mean(self, past: Sequence[int]) -> _Reach:
        known = [value for value in past if value != MISSING]
        least, n, total = self.rules.validity["min_hours_day"], len(known), sum(known)
        full = max(n + self.left, 1)
        low = Fraction(total, full)
        high = max(self._reaches(total, n, self.left, least), default=low)
        possible = n + self.left >= least
        return _Reach(low, low, high, possible if self.complete else n >= least, possible)

    def _reaches(self, total: int, n: int, left: int, least: int) -> list[Fraction]:
        """Highest means of ``n`` known hours with as few, or with all, of the ``left`` others at their most."""
        fewest = left if self.complete else max(0, least - n)
        return [Fraction(total + more * self.most, n + more) for more in (fewest, left) if n + more >= max(least, 1)]

    def _ozone(self, past: Sequence[int]) -> _Reach:
        """The largest 8-hour mean: a window counts for sure once six of its hours are there."""
        validity = self.rules.validity
        least = validity["min_hours_8h"]
        low, high, sure, possible = Fraction(0), Fraction(0), 0, 0
        for label in range(validity["first_label_mda8"], HOURS + 1):
            known = [value for value in past[label - 8 : label] if value != MISSING]
            ahead = max(0, label - max(len(past), label - 8))
            n, total = len(known), sum(known)
            if n + ahead < least:
                continue
            possible += 1
            high = max(high, *self._reaches(total, n, ahead, least))
            if self.complete or n >= least:
                sure += 1
                low = max(low, Fraction(total, n + ahead))
        enough = validity["min_windows_mda8"]
        exceeding = self._least_exceeding()
        by_count = possible >= enough
        return _Reach(
            low,
            low if by_count else max(low, exceeding),
            high,
            sure >= enough or low >= exceeding,
            by_count or high >= exceeding,
        )

    def _hour(self, past: Sequence[int]) -> _Reach:
        """The largest hour of a day with enough hours (HJ 633-2012)."""
        known = [value for value in past if value != MISSING]
        least, low = self.rules.validity["min_hours_day"], Fraction(max(known, default=0))
        possible = len(known) + self.left >= least
        return _Reach(low, low, low, possible if self.complete else len(known) >= least, possible)

    def _least_exceeding(self) -> Fraction:
        """The least 8-hour mean that exceeds the limit once rounded; means are multiples of 1 / denominator."""
        unit, limit = self.rules.denominator, self.rules.o3_8h_limit
        edge = (limit + self.step // 2) * unit
        exceeds = half_even_int(edge, unit * self.step) * self.step > limit
        return Fraction(edge + (not exceeds), unit)

    def _needed(self) -> int:
        """The stations an area value needs (HJ 663-2013 6.1)."""
        validity = self.rules.validity
        few = self.stations < validity["few_stations_below"]
        share = validity["few_stations_share" if few else "station_share"]
        return max(1, math.ceil(Fraction(share * self.stations, 100)))

    def _means(self, values: list[tuple[Fraction, bool]], *, highest: bool) -> list[Fraction]:
        """Area means with the sure stations and the 0, 1, 2 … most extreme of the others, as far as they are enough."""
        sure = [value for value, certain in values if certain]
        maybe = sorted((value for value, certain in values if not certain), reverse=highest)
        chosen = [sure + maybe[:count] for count in range(len(maybe) + 1)]
        return [sum(each, Fraction(0)) / len(each) for each in chosen if len(each) >= self._needed()]

    def _rounded(self, value: Fraction) -> Fraction:
        """A station's day as it enters the area mean: rounded first by switch; rounding keeps the order."""
        if not self.rules.switches.round_station_daily:
            return value
        return Fraction(half_even_int(value.numerator, value.denominator * self.step) * self.step)
