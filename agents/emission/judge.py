"""The emission judge: takes what was said into slots, and says which hours to derive again.

A pure function of the messages of one partition, as the air judge. Every level is derived from the one below when that
changes: hours from slots, the ledger from hours, and budgets, amounts, rates and runs of hours from the ledger.

When something is published:

* a cell and the verdict of an hour as soon as its hour packet came; from minutes alone five minutes after the hour's
  end; and again whenever it changes: late and corrected readings, marks, orders, budgets;
* conditions with the hour that begins, raises or ends them;
* days, months, years, rates, shares and projections an hour after the day's end, and again whenever they change.

What is kept: hour packets (a year and the one before), means of minutes and the last instant of every minute (three
days, for the supervision of facilities), states, the ledger. Of instants no more: an hour is never made of them.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections import defaultdict

import numpy as np

from agents.alerts import AlertingJudge, Alerts
from agents.emission.cells import Cells, Hour
from agents.emission.clocks import CLOCK_OFF, Clocks
from agents.emission.extras import Extras
from agents.emission.facility import REVIEW_AFTER_S, Facility
from agents.emission.judging import LATE, RULESET, Judging
from agents.emission.ledger import Ledger
from agents.emission.marks import KINDS, Marks, hours_in
from agents.emission.plan import Plan, Plans, base_of
from agents.emission.readings import BACKFILLED_BIT, TIMELY, qn_ms, unit_codes
from agents.emission.records import QC
from agents.emission.store import ColumnLists, Offers, Store
from agents.emission.totals import Totals
from agents.emission.tracks import Tracks
from agents.emission.when import (
    DAY_GRACE_S,
    MINUTE_DAYS,
    MINUTES_GRACE_S,
    VERSION_DAYS,
    WARM_DAYS,
    hour_of,
    last_closed,
)
from agents.silence import Silence
from schemas import blocks, times
from schemas.messages import BEGAN, ENDED, Condition
from standards.emission import incoming, marks
from standards.emission.rules import minimum
from streams.state.columns import MINUTE_PAST_MS, NO_VALUE, Columns, columns, readings_of, timeliness
from streams.state.judge import digest_of
from streams.state.shelf import Shelf
from streams.state.slots import EMPTY, Ints, version_of
from streams.state.timers import Key

_MINUTES, _DAY, _CLOCK, _REVIEW = "emission-minutes", "emission-day", "emission-clock", "emission-review"
_MOST_PENDING = 200_000
"""Instants that wait for being offered at once; nobody asks for them sooner than a checkpoint or a review."""
_FEW = 12
"""Packets up to which a block is taken reading by reading."""


class EmissionJudge(AlertingJudge):
    """Judges the outlets and meters of the groups of one partition."""

    def __init__(self, partition: int, partitions: int = 1) -> None:
        super().__init__(partition, partitions)
        lists = ColumnLists(self)
        self.hours = Store(self, "h", 24, lists)
        self.means = Store(self, "m", 60, lists)
        self.instants = Store(self, "r", 60, lists)
        self.extras = Extras(self)
        self.clocks = Clocks(self)
        self.ledger = Ledger(self)
        self.marks = Marks(self, self.ledger)
        self.cells = Cells(self, self.hours, self.means)
        self.judging = Judging(self)
        self.tracks = Tracks(self)
        self.totals = Totals(self)
        self.facility = Facility(self)
        self.silence = Silence(self, "emission", self.there)
        self.alerts = Alerts(self, "emission")
        self.plans: Plans
        self._stores = {store.prefix: store for store in (self.hours, self.means, self.instants)}
        self._to_index: list[tuple[Store, int, str]] = []
        self._pending = Offers()
        self._touched: dict[tuple[str, int], tuple[str, int]] = {}  # hours to derive: why, and when that was received
        self._budgets: set[tuple[str, int]] = set()
        self._made_so: dict[tuple[str, int], int] = {}  # hours derived last: when what made them so was received
        self._minute_hours: dict[int, set[str]] = defaultdict(set)
        self._recent: dict[tuple[str, int], dict[int, Hour]] = {}
        self._online: dict[tuple[str, int], tuple[int, int]] = {}
        self._clocks_off: Shelf[int] = self.keep(Shelf("k", int, lambda since: str(since).encode()))
        """Sources whose clock is told to be wrong, since which hour of receipt."""

    # ---- hooks

    def on_registry(self) -> None:
        """Another registry is in force."""
        assert self.registry is not None
        self.plans = Plans(self.registry)
        self.marks.on_registry()
        self.totals.on_registry()
        self.facility.on_registry()
        self._recent, self._online = {}, {}
        self.silence.on_registry()

    def begin(self) -> None:
        """Set the timers, and derive what waited for them."""
        now_s = self._now_s()
        self.alerts.begin()
        self.silence.begin()
        self.timers.set((_DAY,), (times.day_end(last_closed(now_s) + 1) + DAY_GRACE_S) * 1000)
        self.timers.set((_CLOCK,), (hour_of(now_s + 1)) * 1000)
        for source, end in self.means:
            due = (end + MINUTES_GRACE_S) * 1000
            if due > (self.now_ms or 0):
                self._minute_hours[end].add(source)
                self.timers.set((_MINUTES, str(end)), due)
        reviewed = (now_s - REVIEW_AFTER_S) // times.HOUR_S * times.HOUR_S
        self.timers.set((_REVIEW,), (reviewed + times.HOUR_S + REVIEW_AFTER_S) * 1000)
        hour = hour_of(now_s + 1)
        for source in self.plans.sources():
            if self.clocks.heard(source, hour):
                self.clocks.heard_in.setdefault(hour, set()).add(source)

    def on_action(self, action: blocks.Action) -> None:
        """A person decided something: the hours it speaks of are judged again, and those of its year's budgets."""
        if self.alerts.on_action(action) or action.what not in KINDS:
            return
        self.marks.decided(action)
        if action.what == QC:
            self.facility.decided(action)
            return
        cause = f"{action.what} {action.data.get('mark') or action.data.get('factor') or ''}".strip()
        cause += " withdrawn" if action.withdrawn else ""
        for outlet in self._outlets_of(action.subject):
            for end in hours_in(action.begin, action.end):
                if times.day_of(end) in self.ledger.days(outlet):
                    self._touch(outlet, end, cause, action.received)
            if action.what == "mark":
                for year in range(_year_of(action.begin + 1), _year_of(action.end) + 1):
                    self._rebudget(outlet, year, cause, action.received)

    def on_timer(self, key: Key, due_ms: int) -> None:
        """A timer fires."""
        if self.silence.on_timer(key, due_ms) or self.alerts.on_timer(key, due_ms):
            return
        due_s = due_ms // 1000
        if key[0] == _MINUTES:
            for source in sorted(self._minute_hours.pop(int(key[1]), ())):
                self._touch(source, int(key[1]))
        elif key[0] == _REVIEW:
            self.timers.set((_REVIEW,), due_ms + times.HOUR_S * 1000)
            self.review(due_s - REVIEW_AFTER_S)
        elif key[0] == _CLOCK:
            self.timers.set((_CLOCK,), due_ms + times.HOUR_S * 1000)
            self._check_clocks(due_s)
        elif key[0] == _DAY:
            self.derive()
            day = times.day_of(due_s - DAY_GRACE_S)
            self.totals.close(day)
            self.timers.set((_DAY,), (times.day_end(day + 1) + DAY_GRACE_S) * 1000)
            self._grow_old(day)

    def review(self, now_s: int) -> None:
        """Ask the rules that supervise what they suspect up to a full hour."""
        self.derive()
        self.facility.review(now_s)

    def derive(self) -> None:
        """Everything that stands on the hours that changed."""
        while self._touched or self._budgets:
            touched, self._touched = self._touched, {}
            self._made_so = {}
            if touched:
                self._derive(touched)
            budgets, self._budgets = sorted(self._budgets), set()
            for outlet, year in budgets:
                newest = max((at_ms for (source, _), at_ms in self._made_so.items() if source == outlet), default=0)
                self._rebudget(outlet, year, "cap of marked hours", newest)
        self.totals.derive()

    def _derive(self, touched: dict[tuple[str, int], tuple[str, int]]) -> None:
        hours = self.cells.derive(sorted(touched))
        causes = {at: why for at, why in touched.items() if why[0]}
        for hour in hours:
            self._recent.setdefault((hour.source, times.day_of(hour.end)), {})[times.hour_index(hour.end)] = hour
        changed = self.judging.judge(hours, causes)
        by_outlet: dict[str, dict[int, int]] = defaultdict(dict)
        for hour in hours:
            cause, at_ms = causes.get((hour.source, hour.end), ("", hour.received))
            self._made_so[hour.source, hour.end] = at_ms
            if hour.packets or hour.came:
                self.silence.came(hour.source, hour.end, hour.received)
            if (hour.source, hour.end) in changed:
                by_outlet[hour.source][hour.end] = at_ms
                self.totals.changed(hour.source, times.day_of(hour.end), at_ms, cause or LATE)
                self.facility.changed(hour.source, hour.end - times.HOUR_S)
        for outlet, ends in sorted(by_outlet.items()):
            self.tracks.derive(outlet, set(ends), max(ends.values()))

    # ---- what others ask

    def there(self, source: str, end: int) -> bool:
        """Whether an hour has come: by its own packet, or enough minutes of some factor."""
        place = self.hours.find(source, times.day_of(end))
        if place is not None and times.hour_index(end) in place.slots.periods_spoken(place.row):
            return True
        minutes = self.means.find(source, end)
        if minutes is None:
            return False
        spoken = (minutes.slots.versions(minutes.row) != EMPTY).any(axis=1).sum()
        length = self.plans.at(source, times.day_of(end)).minutes
        return bool(int(spoken) * length >= minimum("min_minutes_hour"))

    def mark_bits(self, plan: Plan, end: int) -> int:
        """The marks of an hour as the law's set."""
        names = self.marks.names_of(plan, end)
        return marks.bits(names) if names else 0

    def is_exempt(self, hour: Hour, factor: str) -> bool:
        """Whether an hour is exempt for a factor and above a limit."""
        row = self.ledger.get(hour.source, times.day_of(hour.end))
        if row is None or factor not in row.factors:
            return False
        h, f = times.hour_index(hour.end), row.factors.index(factor)
        return bool(row.exempt[h, f]) and bool(row.over[h, f])

    def hours_of(self, source: str, day: int) -> dict[int, Hour]:
        """The hours of a day that anything was said of, by their place in it; remembered while the day is young."""
        held = self._recent.get((source, day), {})
        ends = [times.day_start(day) + (h + 1) * times.HOUR_S for h in range(24)]
        lacking = [end for h, end in enumerate(ends) if h not in held and self._spoken(source, end)]
        if lacking:
            held = {**held, **{times.hour_index(h.end): h for h in self.cells.derive([(source, e) for e in lacking])}}
            if day >= times.day_of(self._now_s()) - WARM_DAYS:
                self._recent[source, day] = held
        return held

    def hour_of(self, source: str, end: int) -> Hour | None:
        """An hour that anything was said of; of those derived last without deriving the others of its day."""
        day, h = times.day_of(end), times.hour_index(end)
        return self._recent.get((source, day), {}).get(h) or self.hours_of(source, day).get(h)

    def _spoken(self, source: str, end: int) -> bool:
        return (source, times.day_of(end)) in self.hours or (source, end) in self.means

    def online(self, source: str, day: int, interval_s: int) -> tuple[int, int]:
        """On-line minutes of a closed day and all minutes of it."""
        found = self._online.get((source, day))
        if found is None:
            found = self._online[source, day] = self.clocks.online(source, day, interval_s)
        return found

    def budget_changed(self, outlet: str, year: int) -> None:
        """An hour is above the cap of marked hours, or no more: it uses no budget up."""
        self._budgets.add((outlet, year))

    # ---- changes

    def _touch(self, source: str, end: int, cause: str = "", at_ms: int = 0) -> None:
        before = self._touched.get((source, end), ("", 0))
        self._touched[source, end] = max(before, (cause, at_ms)) if cause else before

    def _rebudget(self, outlet: str, year: int, cause: str, at_ms: int) -> None:
        plan = self.plans.at(outlet, times.day_number(dt.date(year, 12, 31)))
        for end in self.marks.rebudget(plan, year):
            if times.day_of(end) in self.ledger.days(outlet):
                self._touch(outlet, end, cause, at_ms)

    def _outlets_of(self, subject: str) -> list[str]:
        assert self.registry is not None
        ids = dict.fromkeys(o.id for o in self.registry.outlets if subject in (o.id, o.enterprise))
        return [outlet for outlet in ids if self.ledger.days(outlet)]

    # ---- readings

    def on_block(self, block: blocks.Block) -> None:
        """Take the packets of a block; where a timer is due between two of them, it fires between them."""
        begin = 0
        for i, received in enumerate(block.received):
            assert self.now_ms is not None
            if received > self.now_ms:
                due = self.timers.next_due
                if due is not None and due <= received:
                    self._take(block, begin, i)
                    begin = i
                    self.advance(received)
                else:
                    self.now_ms = received
            self.silence.word(block.sources[block.source[i]], received)
        self._take(block, begin, len(block.received))

    def _take(self, block: blocks.Block, begin: int, end: int) -> None:
        """Offer the readings of packets ``begin`` to ``end`` to their slots."""
        taking = _Taking(self, block)
        for i in range(begin, end):
            taking.packet(i)
        taking.offer()

    # ---- clocks

    def _clock_off_since(self, source: str, end: int) -> int:
        """End of the first hour of receipt of those in a row whose packets came by a wrong clock; 0: believed."""
        since = 0
        while self.clocks.off_by(source, end) is not None:
            since, end = end, end - times.HOUR_S
        return since

    def _check_clocks(self, end: int) -> None:
        """An hour of receipt is over: whose clock is wrong, and whose is right again."""
        for source in sorted(self.clocks.heard_in.pop(end, ())):
            apart = self.clocks.off_by(source, end)
            since = self._clocks_off.get(source)
            if apart is not None and since is None:
                since = self._clock_off_since(source, end)
                self._clocks_off.put(source, since)
                self._say_clock(source, since, end, BEGAN, apart)
            elif apart is None and since is not None:
                self._clocks_off.drop(source)
                self._say_clock(source, since, end, ENDED, 0)

    def _say_clock(self, source: str, since: int, end: int, state: str, apart: int) -> None:
        plan = self.plans.at(source, times.day_of(end))
        registry = self.registry
        assert registry is not None
        self.condition(
            Condition(
                id=f"{plan.group}|{source}|{CLOCK_OFF}||{since}",
                state=state,
                rule=CLOCK_OFF,
                group=plan.group,
                subject=source,
                factor="",
                since=since - times.HOUR_S,
                until=end,
                now=end * 1000,
                origin="",
                level="blue",
                detail={"slow_s": str(apart // 1000)} if state == BEGAN else {},
                ruleset=RULESET,
                registry=registry.digest,
            )
        )

    # ---- state

    def restore(self, key: bytes, row: bytes) -> None:
        """Take back one row of the last checkpoint."""
        prefix, _, name = key.decode().partition("|")
        store = self._stores.get(prefix[:1])
        if store is not None and prefix[1:].isdigit():
            store.of_width(int(prefix[1:]))
            self._to_index.append((store, int(prefix[1:]), name))
        super().restore(key, row)

    def restored(self, now_ms: int | None) -> None:
        """All rows are back."""
        for store, width, name in self._to_index:
            store.restored(width, name)
        self._to_index = []
        super().restored(now_ms)

    def changed_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Rows changed since the last call."""
        self._pending.flush()
        return super().changed_rows()

    def flush(self) -> None:
        """Offer the instants that wait."""
        self._pending.flush()

    def _grow_old(self, day: int) -> None:
        """A day is closed: what nobody can speak of any more is forgotten, what few will is kept as bytes."""
        self._pending.flush()
        year = times.date_of(day).year
        gone = times.day_start(day - MINUTE_DAYS)
        for store in (self.means, self.instants):
            for source, end in store:
                if end <= gone:
                    store.drop(source, end)
                elif end <= times.day_end(day) - times.HOUR_S:
                    store.cool(source, end)
        for source, of in self.hours:
            if times.date_of(of).year < year - 1 or of > day + VERSION_DAYS:
                self.hours.drop(source, of)
            elif of == day - VERSION_DAYS:
                self.hours.settle(source, of)
            elif of <= day - WARM_DAYS:
                self.hours.cool(source, of)
        last_year = times.day_number(dt.date(year - 1, 1, 1))
        self.extras.grow_old(times.day_start(day - WARM_DAYS), times.day_start(day - VERSION_DAYS))
        self.clocks.grow_old(day - WARM_DAYS, last_year)
        self.marks.grow_old(times.day_start(last_year))
        self.ledger.grow_old(day - WARM_DAYS, year - 1)
        self.totals.grow_old(year - 1)
        self._recent = {at: held for at, held in self._recent.items() if at[1] > day - WARM_DAYS}
        self._online = {at: held for at, held in self._online.items() if at[1] >= last_year}

    def _now_s(self) -> int:
        assert self.now_ms is not None
        return self.now_ms // 1000


class _Taking:
    """The packets of a block on their way into the stores."""

    def __init__(self, judge: EmissionJudge, block: blocks.Block) -> None:
        self.judge, self.block = judge, block
        self._start = [0, *itertools.accumulate(block.counts)]
        self._units = unit_codes(block.units).tolist() if any(block.units) else []
        self._kinds: dict[str, _Kind] = {
            blocks.HOUR: _Kind(judge.hours, block),
            blocks.MINUTE: _Kind(judge.means, block),
            blocks.REALTIME: _Kind(judge.instants, block),
        }
        now = judge._now_s()
        self._oldest_day = times.day_of(now) - VERSION_DAYS

    def packet(self, i: int) -> None:
        """Hear a packet, and find where its readings belong."""
        block, judge = self.block, self.judge
        period, source, received = block.periods[i], block.sources[block.source[i]], block.received[i]
        live = not block.marks or block.marks[i] != blocks.BACKFILLED
        said = qn_ms(block.qn[i])
        apart = None if said is None else received - said
        judge.clocks.hear(source, received, apart, live)
        if period == blocks.STATE:
            self._states(i, source)
            return
        kind = self._kinds.get(period)
        if kind is None:
            return
        at = block.times[i]
        judged = timeliness(at, received) == ""
        doubtful = apart is not None and live and abs(apart) > 60_000 * incoming.number_of("clock_off")
        version = version_of(block.qn[i], judged)
        if judged and not doubtful:
            version += TIMELY
        if period == blocks.HOUR:
            self._hour(i, kind, source, at, version)
        elif at * 1000 >= received - MINUTE_PAST_MS and judged:
            self._within(i, kind, source, at, version)

    def _hour(self, i: int, kind: _Kind, source: str, end: int, version: int) -> None:
        judge, day = self.judge, times.day_of(end)
        if day < self._oldest_day and (source, day) not in judge.hours:
            return  # too old for any report, and nobody keeps that day any more: it stays in `packets`
        plan = judge.plans.at(source, day)
        place = judge.hours.place(source, day, lambda: plan.of_hours)
        hour = times.hour_index(end)
        names = [self.block.factors[f] for f in self._factors(i)]
        about = "+".join(sorted(names))
        place.slots.spoke(place.row, hour, f"{self.block.writer}:{self.block.first + i}#{_short(about)}")
        kind.add(i, place.slots.columns, place.row, hour, version, place.columns)
        judge._touch(source, end)
        judge.facility.heard(source, end - times.HOUR_S, kind.store, day)
        self._extras(i, source, end, plan, version)

    def _within(self, i: int, kind: _Kind, source: str, at: int, version: int) -> None:
        judge, end = self.judge, hour_of(at)
        plan = judge.plans.at(source, times.day_of(end))
        means = kind.store is judge.means
        place = kind.store.place(source, end, lambda: plan.of_means if means else plan.of_instants)
        minute = (at - end + times.HOUR_S + 59) // 60 - 1
        judge.facility.heard(source, at - 60 * (plan.minutes if means else 1), kind.store, end)
        kind.add(i, place.slots.columns, place.row, minute, version, place.columns)
        if means:
            due = (end + MINUTES_GRACE_S) * 1000
            if due > (judge.now_ms or 0):
                judge._minute_hours[end].add(source)
                judge.timers.set((_MINUTES, str(end)), due)
            else:
                judge._touch(source, end)

    def _factors(self, i: int) -> list[int]:
        return self.block.factor[self._start[i] : self._start[i + 1]]

    def _reading(self, n: int) -> tuple[int, int]:
        """Value and meta of a reading of the block."""
        block = self.block
        place = blocks.PLACES.find(block.places[n])
        meta = (ord(block.flags[n]) << 6) | (place if place >= 0 else NO_VALUE)
        return block.values[n], meta | (self._units[block.factor[n]] if self._units else 0)

    def _extras(self, i: int, source: str, end: int, plan: Plan, version: int) -> None:
        """Values under names that the registry does not know of this source."""
        first = self._start[i]
        for n, f in enumerate(self._factors(i)):
            name = self.block.factors[f]
            if name not in plan.names and base_of(name) is None:
                value, meta = self._reading(first + n)
                self.judge.extras.say(source, end, name, (version, self.block.received[i], value, meta))

    def _states(self, i: int, source: str) -> None:
        """Running states of devices: SB1-RS=2 calibrates, 3 is maintained (HJ 212 CN 2021)."""
        block = self.block
        if timeliness(block.times[i], block.received[i]):
            return
        first = self._start[i]
        for n, f in enumerate(self._factors(i)):
            name = block.factors[f]
            value, meta = self._reading(first + n)
            if name.endswith("-RS") and meta & NO_VALUE == 0:
                state, version = value, version_of(block.qn[i], True)
                word = (block.times[i], name, version, block.received[i], state)
                for end in self.judge.marks.said(source, word):
                    if times.day_of(end) in self.judge.ledger.days(source):
                        self.judge._touch(source, end, f"state {name}", block.received[i])

    def offer(self) -> None:
        """Into the slots; instants wait until somebody needs them."""
        found: Columns | None = None
        for period, kind in self._kinds.items():
            if kind.packets:
                offers = self.judge._pending if period == blocks.REALTIME else Offers()
                if len(kind.packets) <= _FEW:
                    self._say(kind, offers)
                else:
                    found = found or self._columns()
                    kind.gather(offers, found)
                if period != blocks.REALTIME or offers.count > _MOST_PENDING:
                    offers.flush()

    def _columns(self) -> Columns:
        found = columns(self.block)
        if self._units:
            found.meta[:] |= np.array(self._units, np.uint32)[found.factor]
        return found

    def _say(self, kind: _Kind, offers: Offers) -> None:
        """As :meth:`_Kind.gather` of a few packets: live blocks have one or two, for which arrays are slow."""
        block = self.block
        for (i, width, row, period, version), at in zip(kind.packets, kind.list_of, strict=True):
            slots, columns_ = kind.store.of_width(width), kind.columns_of(at)
            received = block.received[i]
            late = BACKFILLED_BIT if block.marks and block.marks[i] == blocks.BACKFILLED else 0
            for n in range(self._start[i], self._start[i + 1]):
                column = columns_[block.factor[n]]
                if column >= 0:
                    value, meta = self._reading(n)
                    offers.say(slots, (row, period, column, value, version, received, meta | late))


class _Kind:
    """Packets of one period."""

    def __init__(self, store: Store, block: blocks.Block) -> None:
        self.store, self.block = store, block
        self.packets: list[tuple[int, int, int, int, int]] = []  # packet, width, row, period, version
        self._lists: dict[tuple[str, ...], int] = {}
        self.list_of: list[int] = []
        self._columns: list[list[int]] = []

    def add(self, i: int, width: int, row: int, period: int, version: int, names: tuple[str, ...]) -> None:
        """A packet and where its readings belong."""
        at = self._lists.get(names)
        if at is None:
            at = self._lists[names] = len(self._columns)
            index = _index_of(names)
            self._columns.append([index.get(name, -1) for name in self.block.factors])
        self.list_of.append(at)
        self.packets.append((i, width, row, period, version))

    def columns_of(self, at: int) -> list[int]:
        """Column of each factor of the block in a list of columns, -1 where it has none."""
        return self._columns[at]

    def gather(self, offers: Offers, found: Columns) -> None:
        """Their readings, by the width of their rows."""
        packets = np.array(self.packets, np.int64)
        which, width, row, period, version = packets.T
        readings, whose = readings_of(found.start, which.astype(np.intp))
        table = np.array(self._columns, np.int64)
        column: Ints = table[np.array(self.list_of)[whose], found.factor[readings]]
        received = np.array([self.block.received[i] for i in which.tolist()], np.int64)
        late = np.zeros(len(which), np.uint32)
        if self.block.marks and blocks.BACKFILLED in self.block.marks:
            late[[self.block.marks[i] == blocks.BACKFILLED for i in which.tolist()]] = BACKFILLED_BIT
        for wide in np.unique(width).tolist():
            at = (column >= 0) & (width[whose] == wide)
            reading, of = readings[at], whose[at]
            offers.add(
                self.store.of_width(wide), row[of], period[of], column[at], found.value[reading], version[of],
                received[of], found.meta[reading] | late[of],
            )  # fmt: skip


@functools.lru_cache(maxsize=4096)
def _index_of(names: tuple[str, ...]) -> dict[str, int]:
    """Places of columns by name; not to be written."""
    return {name: n for n, name in enumerate(names)}


def _short(text: str) -> str:
    """A name for what a packet speaks of."""
    found = _shorts.get(text)
    if found is None:
        if len(_shorts) > 10_000:
            _shorts.clear()
        found = _shorts[text] = digest_of(text)[:6]
    return found


_shorts: dict[str, str] = {}


def _year_of(end: int) -> int:
    return times.date_of(times.day_of(end)).year
