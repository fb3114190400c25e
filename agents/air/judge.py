"""The air judge: takes what was said into slots, and says which periods to derive again.

A pure function of the messages of one partition. Time is what the messages say. Every level is derived from the one
below when that changes, so late, repeated and corrected readings need no special case; nothing is ever counted up.

When something is published:

* a cell, and the station's AQI of the hour, as soon as a packet spoke of its hour; from minutes alone five minutes
  after the hour's end; and again whenever it changes afterwards;
* an area hour when every station that counts has spoken of it, else 60 minutes after its end (HJ 633: the report
  comes within the hour), and again whenever it changes; with it the budget of the day and the year;
* an area day 60 minutes after its end, and again whenever it changes; with it its month, quarter and year, what they
  are against last year, the ranking of the townships, and the difference to what the province published.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from agents.air.areas import Areas
from agents.air.cells import FACTOR_INDEX, FLAG_UNIT, SIX, Cells
from agents.air.days import Days
from agents.air.periods import Periods
from agents.air.published import Published
from agents.air.when import COMPLETE_S, GRACE_S, MINUTES_GRACE_S, VERSION_DAYS, WARM_DAYS, last_closed, name_of, split
from agents.alerts import AlertingJudge, Alerts
from agents.silence import Silence
from schemas import blocks, times
from schemas.registry import Area
from streams.state.columns import (
    MINUTE_PAST_MS,
    NO_VALUE,
    Columns,
    columns,
    readings_of,
    timeliness,
)
from streams.state.slots import Slots, version_of
from streams.state.timers import Key

_HOUR, _MINUTES, _DAY, _COMPLETE = "air-hour", "air-minutes", "air-day", "air-complete"


class AirJudge(AlertingJudge):
    """Judges the air of the groups of one partition. Driven by :class:`streams.state.kernel.Kernel`."""

    def __init__(self, partition: int, partitions: int = 1) -> None:
        super().__init__(partition, partitions)
        self.hours: Slots = self.keep(Slots("h", 24, SIX))
        self.minutes: Slots = self.keep(Slots("m", 60, SIX))
        self.cells = Cells(self, self.hours, self.minutes)
        self.days = Days(self)
        self.areas = Areas(self, self.cells, self.days)
        self.periods = Periods(self, self.days)
        self.published = Published(self, self.cells, self.days)
        self.silence = Silence(self, "air", self.cells.there)
        self.alerts = Alerts(self, "air")
        self._touched: set[tuple[str, int]] = set()  # (station, end of hour) to derive
        self._minute_hours: dict[int, set[str]] = defaultdict(set)  # open hours by end, and who sends minutes of them
        self._recalled: set[tuple[str, int]] = set()  # what was said of these is remembered
        self._stood: set[tuple[str, int]] = set()  # touched ones that had come, and counted, before

    # ---- hooks

    def on_registry(self) -> None:
        """Another registry is in force."""
        assert self.registry is not None
        self.cells.on_registry()
        self.areas.on_registry({area.id for area in self.registry.areas if self.is_mine(area.group)})
        self.silence.on_registry()

    def begin(self) -> None:
        """Set the timers, and derive again what is open; it was said before."""
        now_s = self._now_s()
        self.alerts.begin()
        self.silence.begin()
        today = times.day_of(now_s)
        last = last_closed(now_s)
        self.timers.set((_DAY,), (times.day_end(last + 1) + GRACE_S) * 1000)
        complete = times.day_of(now_s - COMPLETE_S + 1) - 1
        self.timers.set((_COMPLETE,), (times.day_end(complete + 1) + COMPLETE_S) * 1000)
        for name in self.hours.names():
            station, day = split(name)
            if day >= today - 1:
                row = self.hours.row(name)
                self._touched |= {
                    (station, times.day_start(day) + (h + 1) * times.HOUR_S) for h in self.hours.periods_spoken(row)
                }
        for name in self.minutes.names():
            station, end = split(name)
            self._minutes_of(station, end)
        self._recalled = set(self._touched)
        was, self.quiet = self.quiet, True
        self.derive()
        for end, stations in self._minute_hours.items():
            for station in stations:
                self.cells.unsay(station, end)
        self.areas.close_up_to(last)
        self.quiet = was

    def before_action(self, action: blocks.Action) -> None:
        """Say again, quietly, what the action may replace."""
        if action.what == "correction":
            self._touched |= {at for at in self.cells.corrected(action) if self.cells.spoken(*at)}
        elif action.what in ("dust-day", "plan-exception"):
            self.areas.decided(action)

    def on_action(self, action: blocks.Action) -> None:
        """A person decided something: what rests on it is derived again."""
        if self.alerts.on_action(action):
            return
        if action.what == "correction":
            self._touched |= self.cells.corrected(action)
        elif action.what in ("dust-day", "plan-exception"):
            self.areas.decided(action)
        elif action.what == "published":
            self.published.told(action)

    def on_timer(self, key: Key, due_ms: int) -> None:
        """A timer fires."""
        if self.silence.on_timer(key, due_ms) or self.alerts.on_timer(key, due_ms):
            return
        due_s = due_ms // 1000
        if key[0] == _MINUTES:
            self._touched |= {(station, int(key[1])) for station in self._minute_hours.pop(int(key[1]), ())}
        elif key[0] == _HOUR:
            self.derive()
            self.areas.hour_due(int(key[1]))
        elif key[0] == _DAY:
            self.derive()
            day = times.day_of(due_s - GRACE_S)
            self.areas.close_up_to(day)
            self.timers.set((_DAY,), (times.day_end(day + 1) + GRACE_S) * 1000)
            self._grow_old(day)
        elif key[0] == _COMPLETE:
            self.derive()
            day = times.day_of(due_s - COMPLETE_S)
            self.areas.check_complete(day, due_ms)
            self.timers.set((_COMPLETE,), (times.day_end(day + 1) + COMPLETE_S) * 1000)

    def derive(self) -> None:
        """Everything that stands on the hours that changed."""
        if self._touched:
            touched, self._touched = sorted(self._touched), set()
            stood, self._stood = self._stood, set()
            self._recalled.update(touched)
            derived = self.cells.derive(touched)
            for hour in derived:
                if not self.quiet and self.cells.there(hour.station, hour.end):
                    self.silence.came(hour.station, hour.end, hour.received)
            # Said once more with the values that are known, an hour changes its cell alone.
            self.areas.changed([hour for hour in derived if not (hour.same and (hour.station, hour.end) in stood)])
        self.areas.derive()
        self.periods.derive()
        self.published.derive()

    # ---- readings

    def on_block(self, block: blocks.Block) -> None:
        """Take the packets of a block; where a timer is due between two of them, it fires between them."""
        found = columns(block)
        column = np.array([FACTOR_INDEX.get(name, -1) for name in block.factors], np.int64)
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
        """Offer the readings of packets ``begin`` to ``end`` to their slots."""
        of_hours: list[tuple[int, int, int, int]] = []  # packet, row, period, version
        of_minutes: list[tuple[int, int, int, int]] = []
        self._recall(block, begin, end)
        oldest = times.day_of(self._now_s()) - VERSION_DAYS
        for i in range(begin, end):
            kind = block.periods[i]
            if kind == blocks.HOUR:
                station, at = block.sources[block.source[i]], block.times[i]
                day = times.day_of(at)
                name = name_of(station, day)
                if day < oldest and name not in self.hours:
                    continue  # too old for any report, and nobody keeps that day any more: it stays in `packets`
                row, hour = self.hours.row(name), times.hour_index(at)
                if self._is_said(station, at) and self.cells.in_time(station, at) and self.cells.there(station, at):
                    self._stood.add((station, at))
                self.hours.spoke(row, hour, f"{block.writer}:{block.first + i}")
                judged = timeliness(at, block.received[i]) == ""
                of_hours.append((i, row, hour, version_of(block.qn[i], judged)))
                self._touched.add((station, at))
            elif kind == blocks.MINUTE:
                station, at = block.sources[block.source[i]], block.times[i]
                if at * 1000 < block.received[i] - MINUTE_PAST_MS or timeliness(at, block.received[i]):
                    continue  # its hour changes by an hour packet or a correction alone (design §6)
                hour_end = -(-at // times.HOUR_S) * times.HOUR_S
                row = self.minutes.row(name_of(station, hour_end))
                minute = (at - hour_end + times.HOUR_S - 1) // 60
                of_minutes.append((i, row, minute, version_of(block.qn[i], True)))
                self._minutes_of(station, hour_end)
        for slots, packets in ((self.hours, of_hours), (self.minutes, of_minutes)):
            if packets:
                _offer(slots, block, found, column, np.array(packets, np.int64))

    def _minutes_of(self, station: str, hour_end: int) -> None:
        """Minutes of an hour: derived when it is over, at once when it is over already."""
        due = (hour_end + MINUTES_GRACE_S) * 1000
        if due > (self.now_ms or 0):
            self._minute_hours[hour_end].add(station)
            self.timers.set((_MINUTES, str(hour_end)), due)
        else:
            self._touched.add((station, hour_end))

    def _is_said(self, station: str, end: int) -> bool:
        """Whether an hour is as it was said last: no minutes came since that wait for their hour to be over."""
        return station not in self._minute_hours.get(end, ())

    def _recall(self, block: blocks.Block, begin: int, end: int) -> None:
        """Before hours change that were said and may be forgotten: derive what was said, so that it can be revised.

        At once for all packets, and for the whole day of each station: who speaks of one hour of a day that is long
        past speaks of the others next.
        """
        spoken_of = {
            (block.sources[block.source[i]], -(-block.times[i] // times.HOUR_S) * times.HOUR_S)
            for i in range(begin, end)
            if block.periods[i] in (blocks.HOUR, blocks.MINUTE)
        }
        days = {
            (station, times.day_of(end)) for station, end in spoken_of - self._recalled if self._is_said(station, end)
        }
        said = set()
        for station, day in days:
            for end in range(times.day_start(day) + times.HOUR_S, times.day_end(day) + 1, times.HOUR_S):
                if (station, end) not in self._recalled and self._is_said(station, end):
                    self._recalled.add((station, end))
                    if self.cells.spoken(station, end):
                        said.add((station, end))
        if said:
            before, self._touched = self._touched, said
            self.quiet = True
            self.derive()
            self.quiet = False
            self._touched = before

    # ---- growing old

    def _grow_old(self, day: int) -> None:
        """A day is closed: what nobody can speak of any more is forgotten, what few will is kept as bytes."""
        minutes_from = times.day_end(day) + GRACE_S - MINUTE_PAST_MS // 1000 - times.HOUR_S
        for name in self.minutes.names():
            _, end = split(name)
            if end < minutes_from:
                self.minutes.drop(name)
            elif end < times.day_end(day) - times.HOUR_S:
                self.minutes.cool(name)
        year = times.date_of(day).year
        for name in self.hours.names():
            _, of = split(name)
            if times.date_of(of).year < year - 1 or of > day + VERSION_DAYS:
                self.hours.drop(name)
            elif of == day - VERSION_DAYS:
                self.hours.settle(name)
            elif of <= day - WARM_DAYS:
                self.hours.cool(name)
        self.cells.forget_before(day - WARM_DAYS)
        self._recalled = {(s, end) for s, end in self._recalled if end > times.day_start(day - WARM_DAYS)}
        self.areas.forget_before(day - WARM_DAYS, year - 1)

    def _now_s(self) -> int:
        assert self.now_ms is not None
        return self.now_ms // 1000

    def set_hour_timer(self, end: int) -> bool:
        """Whether an area hour is still to be waited for; then its timer is set."""
        due = (end + GRACE_S) * 1000
        if due <= (self.now_ms or 0):
            return False
        self.timers.set((_HOUR, f"{end:012d}"), due)
        return True

    def area_of_mine(self) -> list[Area]:
        """Areas judged in this partition, in the order of the file."""
        assert self.registry is not None
        return [area for area in self.registry.areas if self.is_mine(area.group)]


def _offer(slots: Slots, block: blocks.Block, found: Columns, column: np.ndarray, packets: np.ndarray) -> None:
    which, row, period, version = packets.T
    readings, whose = readings_of(found.start, which)
    at = column[found.factor[readings]]
    known = at >= 0
    readings, whose, at = readings[known], whose[known], at[known]
    received = np.array([block.received[i] for i in which.tolist()], np.int64)
    slots.offer(
        row[whose], period[whose], at,
        value=found.value[readings], version=version[whose], received=received[whose], meta=found.meta[readings],
    )  # fmt: skip
