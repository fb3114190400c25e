"""Marks of an outlet's hours, orders and maintenance: what people decided and what devices said of themselves.

Marks of people are actions ``mark``; ``order`` is a temporary limit; ``maintenance`` of an outlet or its enterprise
keeps hours from raising alarms of now and changes no verdict. Of devices: states (HJ 212 CN 2021) of one that
calibrates or is maintained. Budgets are of a calendar year and come from the marks of people alone, because those of
devices exempt nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from agents.emission.ledger import CAPPED, Ledger
from agents.emission.plan import Bound, Plan, bound
from agents.emission.when import hour_of, name_of, split
from schemas import blocks, times, units
from standards.emission import incoming, marks
from streams.state.judge import Judge
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.emission.plan import Plans

Bools = npt.NDArray[np.bool_]
KINDS: Final = ("mark", "order", "maintenance", "qc")
"""Actions this agent heeds."""
_STATE_MARKS: Final = {2: "CALIB", 3: "MAINT"}
"""Values of SBxxx-RS that are marks of the device (emission.md §1.8); the others say nothing of its data."""
_MOST_STATES: Final = 2_000
"""Words of an hour that are remembered; who says more of himself is heard no further."""

Word = tuple[int, str, int, int, int]
"""What a device said of itself: instant, its name, version, received, state."""


def _decode(row: bytes) -> list[Word]:
    return msgspec.msgpack.decode(row, type=list[Word])


class Marks:
    """Looks up what is marked, ordered and maintained."""

    def __init__(self, judge: Judge, ledger: Ledger) -> None:
        self._judge, self._ledger = judge, ledger
        self._states: Shelf[list[Word]] = judge.keep(Shelf("y", _decode, msgspec.msgpack.encode))
        self._held: dict[str, dict[str, list[blocks.Action]]] = {}
        self._budgets: dict[tuple[str, int], dict[str, Bools]] = {}  # (outlet, year): exempt hours by pollutant
        self.plans: Plans | None = None

    # ---- actions

    def decided(self, action: blocks.Action) -> None:
        """An action was taken into the log."""
        self._held.pop(action.what, None)

    def of(self, what: str, subject: str) -> list[blocks.Action]:
        """Actions of a kind that hold on a subject, by the time they were received."""
        held = self._held.get(what)
        if held is None:
            held = self._held[what] = defaultdict(list)
            for _, action in sorted(self._judge.decisions(what), key=lambda pair: (pair[1].received, pair[1].id)):
                held[action.subject].append(action)
        return held.get(subject, [])

    def names_of(self, plan: Plan, end: int) -> list[str]:
        """The marks of an hour by the law's names, of people and of the devices, in the order of the law."""
        date = times.date_of(times.day_of(end))
        minutes: dict[str, int] = defaultdict(int)
        for action in self.of("mark", plan.source):
            seconds = min(end, action.end) - max(end - times.HOUR_S, action.begin)
            if seconds > 0:
                mark = _mark_of(action.data.get("mark", ""), plan.plant, date)
                minutes[mark] += -(-seconds // 60)
        for mark, count in self._of_devices(plan.source, end).items():
            minutes[mark] = max(count, minutes[mark])
        return [m for m in marks.marks(date) if m in minutes and marks.marks_hour(m, minutes[m], date)]

    def kind_of(self, action: blocks.Action, plan: Plan, date: dt.date) -> str:
        """What a mark is of: standstill, condition, device, or "" for none."""
        bit = marks.marks(date)[_mark_of(action.data.get("mark", ""), plan.plant, date)]
        kinds = ("standstill", "condition", "device")
        return next((kind for kind in kinds if bit & marks.bits_of(kind, date)), "")

    def orders(self, plan: Plan, end: int) -> dict[str, list[Bound]]:
        """Temporary limits of an hour by factor: an order holds for hours that lie in it whole."""
        found: dict[str, list[Bound]] = {}
        for action in self.of("order", plan.source):
            if action.begin <= end - times.HOUR_S and end <= action.end:
                channel = next((c for c in plan.channels if c.name == action.data.get("factor")), None)
                if channel is None:
                    continue
                try:
                    ratio = units.ratio(action.data["unit"], channel.unit)
                except units.UnitError:  # of another quantity: nothing can be compared with it
                    continue
                most = Fraction(action.data["limit"]) * ratio
                averaging = action.data["averaging"]
                found.setdefault(channel.name, []).append(bound("temporary", averaging, most, None, None))
        return found

    def maintained(self, plan: Plan, end: int) -> bool:
        """Whether an hour touches an approved maintenance of the outlet or its enterprise."""
        return any(
            action.begin < end and end - times.HOUR_S < action.end
            for subject in (plan.source, plan.enterprise)
            for action in self.of("maintenance", subject)
        )

    # ---- states of devices

    def said(self, source: str, word: Word) -> set[int]:
        """A device said its state; the ends of the hours it may change."""
        end = hour_of(word[0])
        name = name_of(source, end)
        words = self._states.get(name) or []
        for n, held in enumerate(words):
            if held[:2] == word[:2]:
                if word <= held:
                    return set()
                words[n] = word
                break
        else:
            words.append(word)
        words.sort()
        self._states.put(name, words[:_MOST_STATES])
        return {end, end + times.HOUR_S}

    def _of_devices(self, source: str, end: int) -> dict[str, int]:
        """Minutes of an hour in which a device of the source was calibrating or in maintenance."""
        if not len(self._states):
            return {}
        words = [w for at in (end - times.HOUR_S, end) for w in self._states.get(name_of(source, at)) or []]
        if not words:
            return {}
        holds = 60 * incoming.number_of("state_holds", times.date_of(times.day_of(end)))
        busy: dict[str, set[int]] = defaultdict(set)
        by_device: dict[str, list[Word]] = defaultdict(list)
        for word in sorted(words):
            by_device[word[1]].append(word)
        for said in by_device.values():
            for n, (at, _, _, _, state) in enumerate(said):
                until = min(at + holds, said[n + 1][0] if n + 1 < len(said) else at + holds)
                begin, stop = max(at, end - times.HOUR_S), min(until, end)
                if state in _STATE_MARKS and begin < stop:
                    busy[_STATE_MARKS[state]].update(range(begin // 60, -(-stop // 60)))
        return {mark: len(minutes) for mark, minutes in busy.items()}

    def grow_old(self, before: int) -> None:
        """Words of hours that end before an instant are forgotten."""
        for name in self._states.names():
            if split(name)[1] < before:
                self._states.drop(name)

    # ---- budgets

    def exempt(self, plan: Plan, end: int, factor: str) -> bool:
        """Whether a condition mark of an hour lies within its budget for a pollutant."""
        if plan.plant is None or not self.of("mark", plan.source):
            return False
        year, hour = _hour_of_year(end)
        held = self._budgets.setdefault((plan.source, year), {})
        found = held.get(factor)
        if found is None:
            found = held[factor] = self._budget(plan, year, factor)
        return bool(found[hour])

    def _budget(self, plan: Plan, year: int, factor: str) -> Bools:
        first, hours = _span(year)
        sets = self._sets(plan, first, hours)
        found = np.zeros(hours, np.bool_)
        if not sets.any():
            return found
        at = np.flatnonzero(sets)
        ends = (first + times.OFFSET_S) // times.HOUR_S + at + 1
        capped = np.array([self._capped(plan.source, first + (int(n) + 1) * times.HOUR_S) for n in at], np.bool_)
        date = dt.date(year, 12, 31)
        found[at] = marks.within_budget(plan.plant, factor, ends, sets[at], capped=capped, date=date)
        return found

    def _sets(self, plan: Plan, first: int, hours: int) -> npt.NDArray[np.int64]:
        """Sets of condition marks of every hour of a year, of people alone."""
        sets = np.zeros(hours, np.int64)
        for action in self.of("mark", plan.source):
            begin, end = max(action.begin, first), min(action.end, first + hours * times.HOUR_S)
            if begin < end:
                date = times.date_of(times.day_of(begin + 1))
                mark = _mark_of(action.data.get("mark", ""), plan.plant, date)
                bit = marks.marks(date)[mark]
                if bit & marks.bits_of("condition", date):
                    sets[(begin - first) // times.HOUR_S : -(-(end - first) // times.HOUR_S)] |= bit
        return sets

    def _capped(self, outlet: str, end: int) -> bool:
        day = self._ledger.get(outlet, times.day_of(end)) if self._ledger.days(outlet) else None
        return day is not None and bool(day.state[times.hour_index(end)] & CAPPED)

    def rebudget(self, plan: Plan, year: int) -> set[int]:
        """Marks of a year changed: the ends of the hours that were or are exempt and are now otherwise."""
        before = self._budgets.pop((plan.source, year), {})
        first, hours = _span(year)
        changed: set[int] = set()
        for channel in plan.channels:
            now = self._budget(plan, year, channel.name) if plan.plant is not None else np.zeros(hours, np.bool_)
            self._budgets.setdefault((plan.source, year), {})[channel.name] = now
            was = before.get(channel.name)
            if was is None:
                was = self._as_said(plan, first, hours, channel.name)
            changed.update(first + (int(n) + 1) * times.HOUR_S for n in np.flatnonzero(was != now))
        return changed

    def _as_said(self, plan: Plan, first: int, hours: int, factor: str) -> Bools:
        """What the ledger says was exempt."""
        found = np.zeros(hours, np.bool_)
        for n in self._ledger.days(plan.source):
            hour = (times.day_start(n) - first) // times.HOUR_S
            if 0 <= hour < hours:
                day = self._ledger.get(plan.source, n)
                if day is not None and factor in day.factors:
                    found[hour : hour + 24] = day.exempt[:, day.factors.index(factor)] != 0
        return found

    def on_registry(self) -> None:
        """Plants and factors may be others."""
        self._budgets = {}


def _mark_of(name: str, plant: str | None, date: dt.date) -> str:
    try:
        return marks.mark_of(name, plant, date)
    except LookupError:  # a name of another kind of plant: 点火 of a boiler is no mark there
        return "NORMAL"


def _span(year: int) -> tuple[int, int]:
    """Epoch seconds of the beginning of a Beijing year, and its hours."""
    first, after = (times.day_number(dt.date(y, 1, 1)) for y in (year, year + 1))
    return times.day_start(first), (after - first) * 24


def _hour_of_year(end: int) -> tuple[int, int]:
    """Year of an hour by its end, and its place in it."""
    year = times.date_of(times.day_of(end)).year
    return year, (end - _span(year)[0]) // times.HOUR_S - 1


def hours_in(begin: int, end: int) -> list[int]:
    """Ends of the hours a period touches."""
    return list(range(hour_of(begin + 1), hour_of(end) + 1, times.HOUR_S))
