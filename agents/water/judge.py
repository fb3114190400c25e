"""The water judge: takes what was said into slots, and says which hours, days and months to derive again.

A pure function of the messages of one partition, on the frame of :mod:`streams.state.judge`. When something is
published:

* a cell, and the section's real-time class, as soon as a packet spoke of its hour, and again whenever it changes; also
  when the hours before decide otherwise what of it is new;
* warnings and expected arrivals with the results they rest on;
* a day three hours after its end, when its last sample has been published, and again whenever it changes; with it its
  month and year, the shares of the group's sections, and the border;
* ``hour-missing`` and ``offline`` by :class:`agents.silence.Silence`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from agents.alerts import AlertingJudge, Alerts
from agents.silence import Silence
from agents.water.arrivals import Arrivals
from agents.water.cells import Cells
from agents.water.columns import COLUMN, WIDTH
from agents.water.days import Days
from agents.water.grades import Grading
from agents.water.hours import FLAG_UNIT, RESTS_ON, Hours
from agents.water.periods import Periods
from agents.water.warnings import Warnings
from agents.water.when import GRACE_S, VERSION_DAYS, WARM_DAYS, last_closed, name_of, split
from schemas import blocks, times
from schemas.registry import Registry
from streams.state.columns import NO_VALUE, Columns, columns, readings_of, timeliness
from streams.state.slots import Slots, version_of
from streams.state.timers import Key

_DAY: Final = "water-day"


class WaterJudge(AlertingJudge):
    """Judges the sections of the groups of one partition. Driven by :class:`streams.state.kernel.Kernel`."""

    def __init__(self, partition: int, partitions: int = 1) -> None:
        super().__init__(partition, partitions)
        self.slots: Slots = self.keep(Slots("h", 24, WIDTH))
        self.hours = Hours(self, self.slots)
        self.grading = Grading(self)
        self.cells = Cells(self, self.hours)
        self.warnings = Warnings(self, self.hours, self.grading)
        self.arrivals = Arrivals(self, self.warnings)
        self.days = Days(self, self.hours)
        self.periods = Periods(self, self.days)
        self.silence = Silence(self, "water", self.hours.there)
        self.alerts = Alerts(self, "water")
        self._touched: dict[tuple[str, int], int] = {}  # section, end of an hour: what made it so was received then
        self._groups_due: dict[str, int] = {}
        self._recalled: set[tuple[str, int]] = set()
        self._closed = -1  # last day that was closed
        self._newest: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._sections: dict[str, list[str]] | None = None

    # ---- what the parts ask

    @property
    def the_registry(self) -> Registry:
        """The registry in force."""
        assert self.registry is not None
        return self.registry

    @property
    def digest(self) -> str:
        """Of the registry in force."""
        return self.the_registry.digest

    def newest_day(self, section: str) -> int | None:
        """The last day of which a section said something that may be judged."""
        return self._newest.get(section)

    def sections_of(self, group: str) -> list[str]:
        """Ids of the sections of a group, in the order of the file."""
        if self._sections is None:
            self._sections = {}
            for row in self.the_registry.sections:
                held = self._sections.setdefault(row.group, [])
                if row.id not in held:
                    held.append(row.id)
        return self._sections.get(group, [])

    def below(self, section: str, date: object) -> frozenset[str]:
        """Every section downstream."""
        found: set[str] = set()
        queue = [section]
        while queue:
            upper = queue.pop()
            for reach in self.the_registry.reaches:
                if reach.upper == upper and reach.enabled and reach.lower not in found:
                    found.add(reach.lower)
                    queue.append(reach.lower)
        return frozenset(found)

    # ---- hooks

    def on_registry(self) -> None:
        """Another registry is in force."""
        self._sections = None
        self.hours.forget_all()
        self.periods.forget_all()
        self.arrivals.on_registry()
        self.silence.on_registry()
        if self.now_ms is not None:
            here = {s.id for s in self.the_registry.sections if self.is_mine(s.group)}
            for section in self.warnings.known():
                if section not in here:
                    self.warnings.leave(section, self.now_ms)

    def begin(self) -> None:
        """Set the timers, and derive again what is open; it was said before."""
        was, self.quiet = self.quiet, True
        now_s = self._now_s()
        self.alerts.begin()
        self.silence.begin()
        self._closed = last_closed(now_s)
        self.timers.set((_DAY,), (times.day_end(self._closed + 1) + GRACE_S) * 1000)
        today = times.day_of(now_s)
        for name in self.slots.names():
            section, day = split(name)
            if day >= today - 1 and self._is_ahead(name):
                self.slots.drop(name)
                continue
            self._first[section] = min(day, self._first.get(section, day))
            if day > self._newest.get(section, -1) and self._judgeable(name):
                self._newest[section] = day
            if day >= today - 1:
                self._recall(section, day)
        for section in sorted(self._newest):
            self.warnings.derive(section)
        for group in sorted({s.group for s in self.the_registry.sections if self.is_mine(s.group)}):
            self.arrivals.derive(group, self.now_ms or 0)
        for section in sorted(self._newest):
            self.warnings.say(section, self.now_ms or 0)
        self.quiet = was

    def _is_ahead(self, name: str) -> bool:
        """Whether a row came into the state after the position the log is taken from: all of it comes again."""
        row = self.slots.row(name)
        received = self.slots.received(row)
        spoken = received[received > 0]
        return bool(len(spoken)) and int(spoken.min()) > (self.now_ms or 0)

    def _judgeable(self, name: str) -> bool:
        row = self.slots.row(name)
        return bool((self.slots.versions(row) >= 0).any())

    def before_action(self, action: blocks.Action) -> None:
        """Say again, quietly, what the action may replace."""
        for section, end in self._concerned(action):
            self._recall(section, times.day_of(end))
        if action.what == "lab":
            for month in self.periods.months_of_lab(action.begin, action.end):
                self.periods.month_changed(action.subject, month, 0)
            self.periods.derive()

    def on_action(self, action: blocks.Action) -> None:
        """A person decided something: what rests on it is derived again."""
        if self.alerts.on_action(action):
            return
        self.hours.decided()
        for at in self._concerned(action):
            self._touched[at] = action.received
        if action.what == "lab":
            for month in self.periods.months_of_lab(action.begin, action.end):
                self.periods.month_changed(action.subject, month, action.received)

    def _concerned(self, action: blocks.Action) -> set[tuple[str, int]]:
        if action.what == "correction":
            return self.hours.corrected(action)
        if action.what != "qc":
            return set()
        found = set()
        for day in self.hours.days_of_check(action):
            row = self.slots.find(name_of(action.subject, day))
            if row is not None:
                start = times.day_start(day)
                found |= {(action.subject, start + (h + 1) * times.HOUR_S) for h in self.slots.periods_spoken(row)}
        return found

    def on_timer(self, key: Key, due_ms: int) -> None:
        """A timer fires."""
        if self.silence.on_timer(key, due_ms) or self.alerts.on_timer(key, due_ms):
            return
        group = self.arrivals.on_timer(key)
        if group is not None:
            self.derive()
            self._derive_group(group, due_ms)
        elif key[0] == _DAY:
            self.derive()
            day = times.day_of(due_ms // 1000 - GRACE_S)
            self._closed = max(self._closed, day)
            for section in self._of_day(day):
                self._derive_day(section, day)
            self.periods.derive()
            self.timers.set((_DAY,), (times.day_end(day + 1) + GRACE_S) * 1000)
            self._grow_old(day)

    def _of_day(self, day: int) -> list[str]:
        """Sections that exist on a day, and have said something by then."""
        date = times.date_of(day)
        return [
            s.id
            for s in dict.fromkeys(self.the_registry.section_at(row.id, date) for row in self.the_registry.sections)
            if s is not None and self.is_mine(s.group) and self._first.get(s.id, day + 1) <= day
        ]

    # ---- deriving

    def derive(self) -> None:
        """Everything that stands on the hours that changed."""
        if self._touched:
            touched, self._touched = self._touched, {}
            self._derive_hours(touched, warn=True)
        self.periods.derive()

    def _derive_hours(self, touched: dict[tuple[str, int], int], *, warn: bool) -> None:
        by_section: dict[str, dict[int, int]] = {}
        for (section, end), received in touched.items():
            by_section.setdefault(section, {})[end] = received
        groups: dict[str, int] = {}
        changed: dict[str, int] = {}
        for section, ends in sorted(by_section.items()):
            days = sorted({times.day_of(end) for end in ends})
            self.hours.forget(section, days)
            resting = sorted({day + later for day in days for later in range(RESTS_ON + 1)})
            for end in self._spoken_from(section, min(ends), resting) | set(ends):
                self.cells.say(section, end, changed=end in ends)
            for day in resting:
                if day <= self._closed and day >= self._first.get(section, day + 1):
                    self._derive_day(section, day)
            if warn:
                for end in ends:
                    if self.hours.there(section, end):
                        self.silence.came(section, end, ends[end])
                changed[section] = max(ends.values())
                if self.warnings.derive(section):
                    at = self.hours.place(section, self._newest[section])
                    if at is not None:
                        groups[at.group] = max(changed[section], groups.get(at.group, 0))
        for group, received in sorted(groups.items()):
            for section in self.arrivals.derive(group, received):
                changed[section] = max(received, changed.get(section, 0))
        for section, received in sorted(changed.items()):
            self.warnings.say(section, received)

    def _derive_group(self, group: str, due_ms: int) -> None:
        for section in sorted(self.arrivals.derive(group, due_ms)):
            self.warnings.say(section, due_ms)

    def _derive_day(self, section: str, day: int) -> None:
        at = self.the_registry.section_at(section, times.date_of(day))
        if at is not None and self.days.derive(section, day):
            row = self.days.get(section, day)
            self.periods.day_changed(at, day, row.received if row is not None else 0)

    def _spoken_from(self, section: str, first: int, days: list[int]) -> set[int]:
        """Hours of some days that packets spoke of, from one on: what is new of them may be another now."""
        found: set[int] = set()
        for day in days:
            row = self.slots.find(name_of(section, day))
            if row is not None:
                start = times.day_start(day)
                found |= {e for h in self.slots.periods_spoken(row) if (e := start + (h + 1) * times.HOUR_S) >= first}
        return found

    def _recall(self, section: str, day: int) -> None:
        """Before a day changes that was said before a restart: derive what was said, so that it can be revised."""
        if (section, day) in self._recalled:
            return
        self._recalled.add((section, day))
        row = self.slots.find(name_of(section, day))
        start = times.day_start(day)
        hours = [] if row is None else self.slots.periods_spoken(row)
        was, self.quiet = self.quiet, True
        self._derive_hours({(section, start + (h + 1) * times.HOUR_S): 0 for h in hours}, warn=False)
        if day <= self._closed and day in self.days.of(section):
            self._derive_day(section, day)
            at = self.the_registry.section_at(section, times.date_of(day))
            if at is not None:
                self.periods.day_changed(at, day, 0)
            self.periods.derive()
        self.quiet = was

    # ---- readings

    def on_block(self, block: blocks.Block) -> None:
        """Take the packets of a block; where a timer is due between two of them, it fires between them."""
        found = columns(block)
        column = np.array([COLUMN.get(name, -1) for name in block.factors], np.int64)
        if any(block.units):
            odd = np.array([bool(unit) for unit in block.units], np.bool_)[found.factor]
            found.meta[odd] = (found.meta[odd] & NO_VALUE) | FLAG_UNIT
        begin = 0
        for i, received in enumerate(block.received):
            assert self.now_ms is not None
            if received > self.now_ms:
                due = self.timers.next_due
                if due is not None and due <= received:
                    self._take(block, found, column, begin, i)
                    begin = i
                    self.advance(received)
                else:
                    self.now_ms = received
            self.silence.word(block.sources[block.source[i]], received)
        self._take(block, found, column, begin, len(block.received))

    def _take(self, block: blocks.Block, found: Columns, column: np.ndarray, begin: int, end: int) -> None:
        """Offer the hours of packets ``begin`` to ``end`` to their slots; instants and minutes stay in ``packets``."""
        hours: list[tuple[int, int, int, int]] = []  # packet, row, period, version
        oldest = times.day_of(self._now_s()) - VERSION_DAYS
        for i in range(begin, end):
            if block.periods[i] != blocks.HOUR:
                continue
            section, at, received = block.sources[block.source[i]], block.times[i], block.received[i]
            day = times.day_of(at)
            if day < oldest and name_of(section, day) not in self.slots:
                continue  # too old for any report, and nobody keeps that day any more
            for later in range(RESTS_ON + 1):
                self._recall(section, day + later)
            judged = timeliness(at, received) == ""
            row, hour = self.slots.row(name_of(section, day)), times.hour_index(at)
            self.slots.spoke(row, hour, f"{block.writer}:{block.first + i}")
            hours.append((i, row, hour, version_of(block.qn[i], judged)))
            self._touched[section, at] = max(received, self._touched.get((section, at), 0))
            if judged:
                self._newest[section] = max(day, self._newest.get(section, day))
                self._begin_earlier(section, day, received)
        if hours:
            self._offer(block, found, column, np.array(hours, np.int64))

    def _begin_earlier(self, section: str, day: int, received: int) -> None:
        """A section begins with its first day; one that turns up before closes the days in between, as silent."""
        first = self._first.get(section)
        if first is not None and first <= day:
            return
        self._first[section] = day
        for between in range(day, min(first, self._closed + 1) if first is not None else self._closed + 1):
            self._touched.setdefault((section, times.day_end(between)), received)

    def _offer(self, block: blocks.Block, found: Columns, column: np.ndarray, packets: np.ndarray) -> None:
        which, row, period, version = packets.T
        readings, whose = readings_of(found.start, which)
        at = column[found.factor[readings]]
        known = at >= 0
        readings, whose, at = readings[known], whose[known], at[known]
        received = np.array([block.received[i] for i in which.tolist()], np.int64)
        self.slots.offer(
            row[whose], period[whose], at,
            value=found.value[readings], version=version[whose], received=received[whose], meta=found.meta[readings],
        )  # fmt: skip

    # ---- growing old

    def _grow_old(self, day: int) -> None:
        """A day is closed: what nobody can speak of any more is settled, what few will is kept as bytes."""
        year = times.date_of(day).year
        for name in self.slots.names():
            _, of = split(name)
            if times.date_of(of).year < year - 1 or of > day + VERSION_DAYS:
                self.slots.drop(name)
            elif of == day - VERSION_DAYS:
                self.slots.settle(name)
            elif of <= day - WARM_DAYS:
                self.slots.cool(name)
        self.hours.forget_before(day - WARM_DAYS)
        self.grading.forget_before(day - WARM_DAYS)
        self.days.forget_before(year - 1)
        self._recalled = {(s, of) for s, of in self._recalled if of > day - WARM_DAYS}

    def _now_s(self) -> int:
        assert self.now_ms is not None
        return self.now_ms // 1000
