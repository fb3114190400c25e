"""What a condition sees: series cut to the slots asked about, with as much before them as it says it needs.

A slot is judged from its own window alone, so that it does not matter where the series at hand begin, as long as they
reach back that far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from standards.emission.exact import Bools, Whole, text
from standards.facility.inputs import DAY, METERS, Events, Plant, Series, Track
from standards.facility.signals import Signal, Tri, certain, weighted
from standards.facility.table import Check, Settings
from standards.fixed import MISSING, Ints

Which = Literal["minutes", "hours"]
Figures = Callable[[int], dict[str, str]]

GOOD: Final = Fraction(100)


class Lacks(Exception):
    """A check that cannot be asked here: what it needs, in Chinese and English."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        self.code, self.zh, self.en = code, zh, en
        super().__init__(en)

    @classmethod
    def history(cls, least: int, days: int, has: int) -> Lacks:
        """Too few days of history."""
        return cls(
            "history",
            f"需要最近 {days} 天中 {least} 天的历史，现有 {has} 天",
            f"needs {least} of the last {days} days of history, has {has}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A condition per slot, and the figures of a slot as decimal texts."""

    state: Tri
    figures: Figures


@dataclass(slots=True, eq=False)
class Cache:
    """Signals of one review that several checks ask for."""

    signals: dict[tuple[object, ...], Signal] = field(default_factory=dict)
    others: dict[tuple[object, ...], object] = field(default_factory=dict)
    moves: dict[tuple[object, ...], tuple[Tri, Whole, Whole, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """One check of one outlet over ``count`` slots from minute ``begin`` on."""

    check: Check
    settings: Settings
    minutes: Series
    hours: Series
    events: Events
    begin: int
    count: int
    cache: Cache

    def between(self, begin: int, minutes: int) -> Scope:
        """The same over other slots."""
        return replace(self, begin=begin, count=minutes // self.check.step)

    # ---- numbers

    @property
    def plant(self) -> Plant:
        """What the registry says."""
        return self.settings.plant

    def p(self, name: str) -> Fraction:
        """A number of the check."""
        return self.check.params[name]

    def i(self, name: str) -> int:
        """A whole number of the check."""
        return self.check.whole(name)

    def share(self, name: str) -> Fraction:
        """A percentage of the check as a share."""
        return self.check.params[name] / GOOD

    # ---- series

    def series(self, which: Which) -> Series:
        """Minutes or hours."""
        return self.minutes if which == "minutes" else self.hours

    def has(self, which: Which, name: str) -> bool:
        """Whether there is such a track."""
        return name in self.series(which).tracks

    def groups(self, which: Which, name: str) -> list[str]:
        """``treatment`` and every ``treatment:line``."""
        return [each for each in self.series(which).tracks if each.partition(":")[0] == name]

    def track(self, which: Which, name: str) -> Track:
        """The (first) track of a name."""
        return self.series(which).all_of(name)[0]

    def _cut(self, values: Ints, series: Series, back: int) -> Ints:
        """Slots of a series from ``back`` minutes before the first on; MISSING where it has none."""
        return cut(values, series, self.begin - back, self.check.step * self.count + back, MISSING)

    def machines(self, which: Which, name: str, back: int = 0) -> list[Signal]:
        """Every track of a name as a signal, in slots of its series, from ``back`` minutes before on."""
        series = self.series(which)
        found = []
        for at, track in enumerate(series.all_of(name)):
            key = (which, name, at, self.begin, self.count * self.check.step, back)
            if key not in self.cache.signals:
                values = self._cut(track.values, series, back)
                known = values != MISSING
                if name.partition(":")[0].partition("-")[0] not in METERS:
                    for state in ("device", "calibrating"):
                        known &= ~self.flag(which, state, back)
                self.cache.signals[key] = Signal(np.where(known, values, 0), 10**track.places, known)
            found.append(self.cache.signals[key])
        return found

    def signal(self, which: Which, name: str, back: int = 0) -> Signal:
        """The one track of a name (of several, the first)."""
        return self.machines(which, name, back)[0]

    def flag(self, which: Which, state: str, back: int = 0) -> Bools:
        """A state of the series, False where it has none."""
        series = self.series(which)
        values = getattr(series, state)
        n = (self.check.step * self.count + back) // series.step
        if values is None:
            return np.zeros(n, dtype=np.bool_)
        return cut(values, series, self.begin - back, self.check.step * self.count + back, False)

    # ---- machines

    def on(self, which: Which, name: str, share: Fraction, back: int = 0) -> Tri:
        """Whether any machine of a name is above its share of the rating (``on_share`` of the registry goes first)."""
        return self._machines(which, name, share, back, any_of=True)

    def off(self, which: Which, name: str, share: Fraction, back: int = 0, *, own: bool = True) -> Tri:
        """Whether all machines of a name are below; ``own`` False: by the rule's share, whatever the registry says."""
        return self._machines(which, name, share, back, any_of=False, own=own)

    def _machines(self, which: Which, name: str, share: Fraction, back: int, *, any_of: bool, own: bool = True) -> Tri:
        found: Tri | None = None
        for track, signal in zip(self.series(which).all_of(name), self.machines(which, name, back), strict=True):
            level = track.on_share if own and track.on_share is not None else share
            limit = level * self.rated(track, name)
            one = signal.above(limit) if any_of else signal.below(limit)
            found = one if found is None else (found | one if any_of else found & one)
        assert found is not None, f"{self.check.where}: {name} is not among its needs"
        return found

    def rated(self, track: Track, name: str) -> Fraction:
        """The rating of a machine; of ``load`` 100 %.

        Raises:
            Lacks: the registry has none.
        """
        if track.rated is not None:
            return track.rated
        if name.partition(":")[0].partition("-")[0] == "load":
            return GOOD
        raise Lacks("rated", f"{name} 缺额定值", f"{name} has no rating")

    def load(self, which: Which, back: int = 0) -> Signal:
        """The load as a share of the rating: ``load``, else the mean of the production machines' shares."""
        return self.share_of(which, self.load_name(which), back)

    def load_name(self, which: Which) -> str:
        """The track that tells the load.

        Raises:
            Lacks: neither load nor production.
        """
        for name in ("load", "production"):
            if self.has(which, name):
                return name
        word = "分钟" if which == "minutes" else "小时"
        raise Lacks("series", f"缺生产负荷或生产用电{word}序列", f"needs {which} of load or production")

    def share_of(self, which: Which, name: str, back: int = 0) -> Signal:
        """The mean of the machines' shares of their ratings, known where all are."""
        key = ("share", which, name, self.begin, self.count * self.check.step, back)
        if key not in self.cache.signals:
            tracks = self.series(which).all_of(name)
            weights = [1 / (self.rated(track, name) * len(tracks)) for track in tracks]
            self.cache.signals[key] = weighted(self.machines(which, name, back), weights)
        return self.cache.signals[key]

    def running(self, which: Which, share: Fraction, back: int = 0) -> Tri:
        """Whether production is on; where nobody measures it, it is taken as on (standstill is a mark's matter)."""
        if self.has(which, "production"):
            return self.on(which, "production", share, back)
        n = (self.check.step * self.count + back) // self.series(which).step
        return certain(np.ones(n, dtype=np.bool_))

    # ---- factors

    def shown_name(self, which: Which, factor: str) -> str:
        """The converted value where there is one."""
        return f"{factor}-Zs" if self.has(which, f"{factor}-Zs") else factor

    def counts(self, factor: str, signal: Signal, times: str = "detection_times") -> Signal:
        """A signal without what lies below so many detection limits; where that limit is not known, without zeros."""
        limit = self.plant.detection.get(factor)
        if limit is None:
            return signal.only(signal.above(Fraction(0)).yes)
        return signal.only(~signal.below(limit * self.p(times)).yes)

    # ---- days

    def by_day(self) -> list[tuple[int, slice]]:
        """The calendar days (first minute) of the slots, each with its slots."""
        starts = self.begin + self.check.step * np.arange(self.count)
        days = starts // DAY
        edges = np.flatnonzero(np.concatenate([[True], np.diff(days) > 0])).tolist() if self.count else []
        return [
            (int(days[low]) * DAY, slice(low, high))
            for low, high in zip(edges, [*edges[1:], self.count], strict=True)
        ]  # fmt: skip


def cut(values: np.ndarray, series: Series, begin: int, minutes: int, fill: object) -> np.ndarray:
    """The slots of a series' array from a minute on, filled up where it has none; a view where it has all."""
    low = (begin - series.start) // series.step
    n = minutes // series.step
    if low >= 0 and low + n <= series.length:
        return values[low : low + n]
    found = np.full(n, fill, dtype=values.dtype)
    first, last = max(low, 0), min(low + n, series.length)
    if last > first:
        found[first - low : last - low] = values[first:last]
    return found


def pct(value: Fraction | None, places: int = 1) -> str:
    """A share as a percentage."""
    return shown(None if value is None else value * 100, places)


def shown(value: Fraction | None, places: int = 3) -> str:
    """A number as a decimal text without useless zeros; ``""`` where there is none."""
    found = text(value, places)
    if found is None:
        return ""
    return found.rstrip("0").rstrip(".") if "." in found else found


def shown_float(value: float, places: int = 4) -> str:
    """A statistic as a decimal text, for showing only."""
    return "" if value != value else f"{value:.{places}f}"


def rows(signal: Signal, width: int) -> Signal:
    """The last ``width`` slots of each as rows: (n,) gives (n - width + 1, width); views."""
    view = np.lib.stride_tricks.sliding_window_view
    return Signal(view(signal.num, width), signal.den, view(signal.known, width))


def params_text(params: Mapping[str, Fraction]) -> dict[str, str]:
    """The numbers of a check as texts, for the reasons."""
    return {name: shown(value) for name, value in params.items()}
