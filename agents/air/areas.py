"""Hours and days of districts and townships, and the days of their stations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from agents.air.cells import FACTORS, LATER, SIX, Bools, Cells, Derived, say_verdict
from agents.air.days import Days
from agents.air.when import GRACE_S, hour_label, last_closed
from schemas import blocks, times, topics
from schemas.actions import names
from schemas.messages import BEGAN, CONTINUES, ENDED, AirChecks, Condition, key
from schemas.registry import Area
from standards import air as law
from standards import fixed
from streams.state.judge import digest_of
from streams.state.shelf import Shelf
from streams.state.slots import Ints

if TYPE_CHECKING:
    from agents.air.judge import AirJudge

STATE_VERSION = 1
DAY_INCOMPLETE: Final = "air-day-incomplete"
DUST_PROPOSED: Final = "dust-proposed"
_REVIEW_BACK_H: Final = 48
"""Hours before a day that its checks look at: the longest run that is suspect is 24 hours, and it may begin before."""


class _Area(msgspec.Struct, array_like=True):
    """What is remembered of an area: the first day anybody spoke of in time, and days whose conditions are open."""

    v: int
    first: int
    incomplete: dict[int, str]  # day: digest of what was said to lack
    proposed: list[int]


def _decode(row: bytes) -> _Area:
    found = msgspec.msgpack.decode(row, type=_Area)
    if found.v != STATE_VERSION:
        raise ValueError(f"an area row of format {found.v}, this program reads {STATE_VERSION}")
    return found


class Areas:
    """Derives area hours and days from station hours."""

    def __init__(self, judge: AirJudge, cells: Cells, days: Days) -> None:
        self._judge, self._cells, self._days = judge, cells, days
        self._rows: Shelf[_Area] = judge.keep(Shelf("f", _decode, msgspec.msgpack.encode))
        self._open: dict[int, set[str]] = defaultdict(set)  # hours by end, and areas whose verdict is not due yet
        self._hours: dict[str, dict[int, int]] = defaultdict(dict)  # area: end of hour: newest received, to look at
        self._station_days: dict[tuple[str, int], int] = {}
        self._dirty: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)  # area: day: newest received, cause
        self._plans: dict[tuple[str, int], tuple[tuple[str, ...], bool]] = {}
        self._replanned: dict[str, tuple[list[int], int, str]] = {}  # area: published hours, when and why

    def on_registry(self, mine: set[str]) -> None:
        """An area that left the registry or this partition is judged no further here; what was said stays said."""
        for name in [name for name in self._rows.names() if name not in mine]:
            self._rows.drop(name)
        for table in (self._hours, self._dirty, self._replanned):
            for name in [name for name in table if name not in mine]:
                del table[name]
        for ends in self._open.values():
            ends &= mine

    def forget_before(self, day: int, year: int) -> None:
        """A day was closed: old plans are looked up again, old years are dropped."""
        self._plans = {at: plan for at, plan in self._plans.items() if at[1] >= day}
        self._days.forget_before(year)

    # ---- what changed

    def changed(self, hours: list[Derived]) -> None:
        """Hours of stations changed."""
        registry = self._judge.registry
        assert registry is not None
        for station, end, received, _ in hours:
            day = times.day_of(end)
            if not self._cells.in_time(station, end) and not self._cells.audit_of(station, end):
                continue
            self._station_days[station, day] = max(received, self._station_days.get((station, day), 0))
            for area in registry.areas_of(station, times.date_of(day)):
                self._hours[area][end] = max(received, self._hours[area].get(end, 0))

    def decided(self, action: blocks.Action) -> None:
        """A dust day or an exception of the plan: its days are derived again, of the area and the townships in it.

        What the plan leaves out blocks no hour either (HJ 633-2026 5.3).
        """
        self._plans = {}
        registry = self._judge.registry
        assert registry is not None
        cause = {"dust-day": "dust confirmed", "plan-exception": "monitoring plan"}[action.what]
        cause += " withdrawn" if action.withdrawn else ""
        for area in self._judge.area_of_mine():
            if action.subject in (area.id, area.within):
                days = range(times.day_of(action.begin + 1), times.day_of(action.end) + 1)
                for day in days:
                    if day in self._days.of(area.id):
                        self._dirty[area.id][day] = (action.received, cause)
                if action.what == "plan-exception":
                    self._replanned[area.id] = (list(self._published(area.id, days)), action.received, cause)

    def _published(self, area: str, days: range) -> Iterator[int]:
        """Ends of the hours of an area that are published."""
        registry, row = self._judge.registry, self._rows.get(area)
        if registry is None or row is None or self._judge.now_ms is None:
            return
        now_s = self._judge.now_ms // 1000
        for day in range(max(days.start, row.first), min(days.stop, times.day_of(now_s) + 1)):
            stations = registry.city_stations(area, times.date_of(day))
            for end in range(times.day_start(day) + times.HOUR_S, times.day_end(day) + 1, times.HOUR_S):
                if area not in self._open.get(end, ()) and any(self._cells.in_time(s, end) for s in stations):
                    yield end

    def hour_due(self, end: int) -> None:
        """An hour is published now, whoever has spoken of it."""
        for area in sorted(self._open.pop(end, ())):
            self._judge_hours(area, [end])

    # ---- deriving

    def derive(self) -> None:
        """What stands on the hours that changed."""
        replanned, self._replanned = self._replanned, {}
        for area, (ends, received, cause) in sorted(replanned.items()):
            if ends:
                self._judge_hours(area, ends, received, cause)
        if not self._hours and not self._dirty and not self._station_days:
            return
        changed, self._hours = self._hours, defaultdict(dict)
        stations, self._station_days = self._station_days, {}
        assert self._judge.now_ms is not None
        last = last_closed(self._judge.now_ms // 1000)
        self._say_station_days({at: received for at, received in stations.items() if at[1] <= last})
        for area in sorted(changed):
            self._derive_area(area, changed[area], last)
        self._derive_days()

    def _derive_area(self, area: str, hours: dict[int, int], last: int) -> None:
        ready = []
        for end in sorted(hours):
            if self._complete(area, end) or not self._judge.set_hour_timer(end):
                self._open[end].discard(area)
                ready.append(end)
            else:
                self._open[end].add(area)
        if ready:
            self._judge_hours(area, ready, received=max(hours[end] for end in ready))
        days = {times.day_of(end) for end in hours}
        row = self._rows.get(area)
        if row is None or min(days) < row.first:
            first = min(days)
            if row is None:
                row = _Area(STATE_VERSION, first, {}, [])
            row.first = first
            self._rows.put(area, row)
            for day in set(range(first, last + 1)) - self._days.of(area):  # the days between were silent
                self._dirty[area].setdefault(day, (0, LATER))
        for end, received in hours.items():
            day = times.day_of(end)
            if day <= last:
                before = self._dirty[area].get(day, (0, ""))
                self._dirty[area][day] = (max(received, before[0]), LATER)

    def close_up_to(self, last: int) -> None:
        """Close every day that is due, also days nobody spoke of: a silent day is an invalid day."""
        for area in self._judge.area_of_mine():
            row = self._rows.get(area.id)
            if row is not None:
                for day in set(range(row.first, last + 1)) - self._days.of(area.id):
                    self._dirty[area.id].setdefault(day, (0, ""))
        stations = {
            (station, last): 0
            for station in self._judge.registry.station_ids()  # type: ignore[union-attr]
            if self._judge.is_mine(self._cells.place(station, last)[1]) and self._has_day(station, last)
        }
        self._say_station_days(stations)
        self._derive_days()

    def _has_day(self, station: str, day: int) -> bool:
        return bool((self._cells.day(station, day) != fixed.MISSING).any())

    def _complete(self, area: str, end: int) -> bool:
        registry = self._judge.registry
        assert registry is not None
        stations = registry.city_stations(area, times.date_of(times.day_of(end)))
        return all(self._cells.in_time(station, end) and self._cells.there(station, end) for station in stations)

    # ---- the plan

    def plan(self, area: str, day: int) -> tuple[tuple[str, ...], bool]:
        """Pollutants outside the monitoring plan of an area on a day, and whether their record is clean (§2.4)."""
        found = self._plans.get((area, day))
        if found is None:
            registry = self._judge.registry
            assert registry is not None
            within = registry.area(area).within
            held: blocks.Action | None = None
            for _, action in self._judge.decisions("plan-exception"):
                of_it = action.subject in (area, within) and action.begin < times.day_end(day) <= action.end
                if of_it and (held is None or (action.received, action.id) > (held.received, held.id)):
                    held = action
            if held is None:
                found = ((), True)
            else:
                left_out = names(held.data.get("not_monitored", ""))
                found = (tuple(f for f in FACTORS if f in left_out), held.data.get("clean", "yes") == "yes")
            self._plans[area, day] = found
        return found

    # ---- hours

    def _judge_hours(self, area: str, ends: list[int], received: int = 0, cause: str = LATER) -> None:
        registry = self._judge.registry
        assert registry is not None
        by_day: dict[int, list[int]] = defaultdict(list)
        for end in ends:
            by_day[times.day_of(end)].append(end)
        for day, these in sorted(by_day.items()):
            date = times.date_of(day)
            stations = registry.city_stations(area, date)
            picked = [times.hour_index(end) for end in these]
            hours = np.stack([self._cells.day(station, day)[picked] for station in stations or ("",)])
            marks = None if stations else np.zeros(hours.shape[:2], np.bool_)
            plan, clean = self.plan(area, day)
            said = law.judge_hours(
                hours, law.edition_for(date), registered=marks, plan_not_monitored=plan, switches=_switches(clean)
            )
            group = registry.area(area).group
            for n, end in enumerate(these):
                say_verdict(
                    self._judge, "air-hour", group, area, hour_label(end), end, said, n,
                    stations=len(stations), received=received, cause=cause, not_monitored=plan,
                )  # fmt: skip
        self._judge.periods.hour_passed(area, max(ends))

    def hours_of(self, area: str, first: int, last: int) -> tuple[Ints, Bools, Ints]:
        """Valid hours int64[S, D, 24, 6], which stations count bool[S, D], and how many of them int64[D]."""
        registry = self._judge.registry
        assert registry is not None
        days = range(first, last + 1)
        counted = [registry.city_stations(area, times.date_of(day)) for day in days]
        stations = list(dict.fromkeys(s for day in counted for s in day)) or [""]
        hours = np.full((len(stations), len(counted), 24, SIX), fixed.MISSING, np.int64)
        registered = np.zeros((len(stations), len(counted)), np.bool_)
        for d, day in enumerate(days):
            for s, station in enumerate(stations):
                if station in counted[d]:
                    registered[s, d] = True
                    hours[s, d] = self._cells.day(station, day)
        return hours, registered, registered.sum(axis=0)

    # ---- days

    def _derive_days(self) -> None:
        dirty, self._dirty = self._dirty, defaultdict(dict)
        for area in sorted(dirty):
            days = sorted(dirty[area])
            begin = 0
            for n in range(1, len(days) + 1):
                if (
                    n == len(days)
                    or days[n] != days[n - 1] + 1
                    or n - begin >= 64
                    or self._parts(area, days[begin], days[n])
                ):
                    self._judge_days(area, days[begin], days[n - 1], dirty[area])
                    begin = n

    def _parts(self, area: str, one: int, other: int) -> bool:
        return self.plan(area, one) != self.plan(area, other)

    def _judge_days(self, area: str, first: int, last: int, why: dict[int, tuple[int, str]]) -> None:
        registry = self._judge.registry
        assert registry is not None
        dates = [times.date_of(day) for day in range(first, last + 1)]
        plan, clean = self.plan(area, first)
        hours, registered, stations = self.hours_of(area, first, last)
        said = law.judge_days(
            hours, dates=dates, registered=registered, plan_not_monitored=plan, switches=_switches(clean)
        )
        group = registry.area(area).group
        for n, day in enumerate(range(first, last + 1)):
            received, cause = why[day]
            before = self._days.get(area, day)
            if before is not None and self._judge.said(self._key(group, area, before, dates[n].isoformat())) is None:
                self._say_day(group, area, day, before, 0, int(stations[n]), plan, quiet=True)
            self._days.put(area, day, said.take(slice(n, n + 1)))
            self._say_day(group, area, day, said, n, int(stations[n]), plan, received=received, cause=cause)
            self._judge.periods.day_changed(area, day, received)
            self._judge.published.day_changed(area, day)
            if not self._judge.quiet:  # which conditions are open is a row, not derived
                self._propose(registry.area(area), day)
                self._recheck(area, day, received)

    def _key(self, group: str, area: str, said: law.DayVerdicts, period: str) -> bytes:
        return key(group, area, "air-day", period, str(said.edition[0]), "keep")

    def _say_day(
        self, group: str, area: str, day: int, said: law.DayVerdicts, n: int, stations: int, plan: tuple[str, ...],
        *, received: int = 0, cause: str = "", quiet: bool = False,
    ) -> None:  # fmt: skip
        was = self._judge.quiet
        self._judge.quiet = was or quiet
        period, start = times.date_of(day).isoformat(), times.day_start(day)
        more = {"stations": stations, "received": received, "cause": cause, "not_monitored": plan}
        say_verdict(self._judge, "air-day", group, area, period, start, said, n, **more)  # type: ignore[arg-type]
        touched, confirmed = self.dust(area, day)
        if touched:
            one = said.take(slice(n, n + 1))
            deducted = law.without_dust(one, np.array([confirmed]))
            say_verdict(self._judge, "air-day", group, area, period, start, deducted, 0, dust="deduct", **more)  # type: ignore[arg-type]
        self._judge.quiet = was

    def dust(self, area: str, day: int) -> tuple[bool, bool]:
        """Whether anybody ever spoke of dust on a day of an area, and whether it is confirmed."""
        registry = self._judge.registry
        assert registry is not None
        subjects = (area, registry.area(area).within)

        def of_it(action: blocks.Action) -> bool:
            return action.subject in subjects and action.begin < times.day_end(day) <= action.end

        if not any(of_it(action) for action in self._judge.ever_decided("dust-day")):
            return False, False
        return True, any(of_it(action) for _, action in self._judge.decisions("dust-day"))

    def _say_station_days(self, days: dict[tuple[str, int], int]) -> None:
        """Days of single stations, for the daily report (HJ 633 Table 4), and what the checks found in them."""
        registry = self._judge.registry
        assert registry is not None
        by_edition: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for station, day in sorted(days):
            if self._cells.place(station, day)[0]:
                by_edition[law.edition_for(times.date_of(day))].append((station, day))
        for edition, these in sorted(by_edition.items()):
            hours = np.stack([self._cells.day(*at) for at in these])[None]
            said = law.judge_days(hours, edition, dates=[times.date_of(day) for _, day in these])
            for n, (station, day) in enumerate(these):
                say_verdict(
                    self._judge, "station-day", self._cells.place(station, day)[1], station,
                    times.date_of(day).isoformat(), times.day_start(day), said, n,
                    stations=1, received=days[station, day],
                )  # fmt: skip
        for area, day in sorted({(self._cells.place(s, d)[0], d) for s, d in days if self._cells.place(s, d)[0]}):
            self._review(area, day)

    # ---- checks, for people to look at

    def _review(self, area: str, day: int) -> None:
        registry = self._judge.registry
        assert registry is not None
        date = times.date_of(day)
        stations = [s for s in registry.station_ids() if self._cells.place(s, day)[0] == area]
        back = _REVIEW_BACK_H // 24
        hours = np.stack(
            [np.concatenate([self._cells.day(s, d) for d in range(day - back, day + 1)]) for s in stations]
        )
        flags = law.review(hours)
        group = registry.area(area).group
        for s, station in enumerate(stations):
            found = [
                (h + 1, FACTORS[f], check)
                for check, marks in sorted(flags.items())
                for h, f in np.argwhere(marks[s, back * 24 :]).tolist()
            ]
            found.sort()
            message_key = key(group, station, "air-checks", date.isoformat())
            digest = digest_of(*(f"{h}{f}{c}" for h, f, c in found))
            if not found and self._judge.said(message_key) is None:
                continue
            self._judge.say(
                topics.VERDICTS,
                message_key,
                digest,
                lambda station=station, found=found, digest=digest: AirChecks(  # type: ignore[misc]
                    group=group, area=area, source=station, period=date.isoformat(), time=times.day_start(day),
                    found=found, ruleset="air-checks", registry=registry.digest, revision=digest,
                ),
            )  # fmt: skip

    def _propose(self, area: Area, day: int) -> None:
        """Ask somebody to confirm a dust day, unless it is decided already."""
        if area.kind != "district":
            return
        row = self._rows.get(area.id)
        assert row is not None
        hours, registered, _ = self.hours_of(area.id, day - 1, day)
        flat = hours.reshape(hours.shape[0], -1, SIX)
        marks = np.repeat(registered, 24, axis=1)
        means = law.judge_hours(flat, law.edition_for(times.date_of(day)), registered=marks).value
        looks = bool(law.dust_hours(means)[24:].any())
        is_open = day in row.proposed
        decided = self.dust(area.id, day)[0]
        if (looks and not decided) == is_open:
            return
        (row.proposed.remove if is_open else row.proposed.append)(day)
        self._rows.touch(area.id)
        state = ENDED if is_open else BEGAN
        self._condition(area, DUST_PROPOSED, state, day, (times.day_end(day) + GRACE_S) * 1000, "blue", {})

    # ---- is the daily report complete?

    def check_complete(self, day: int, due_ms: int) -> None:
        """11:30 of the next day: the day's report must be complete (HJ 633-2026 5.2: before 12:00)."""
        for area in self._judge.area_of_mine():
            row = self._rows.get(area.id)
            if area.kind != "district" or row is None or day < row.first:
                continue
            lacks = self._lacks(area.id, day)
            if lacks and day not in row.incomplete:
                row.incomplete[day] = _digest(lacks)
                self._rows.touch(area.id)
                self._condition(area, DAY_INCOMPLETE, BEGAN, day, due_ms, "yellow", lacks)

    def _recheck(self, area: str, day: int, received: int) -> None:
        row = self._rows.get(area)
        if row is None or day not in row.incomplete:
            return
        lacks = self._lacks(area, day)
        registry = self._judge.registry
        assert registry is not None
        if row.incomplete[day] == _digest(lacks):
            return
        if lacks:
            row.incomplete[day] = _digest(lacks)
        else:
            del row.incomplete[day]
        self._rows.touch(area)
        state = CONTINUES if lacks else ENDED
        self._condition(registry.area(area), DAY_INCOMPLETE, state, day, received, "yellow", lacks)

    def _lacks(self, area: str, day: int) -> dict[str, str]:
        """By station, the pollutants without a valid day; the area itself when its AQI is NA. Empty: complete."""
        registry = self._judge.registry
        assert registry is not None
        plan, _ = self.plan(area, day)
        said = self._days.get(area, day)
        lacks = {}
        if said is None or not bool(said.valid[0]):
            lacks[area] = "AQI"
        stations = registry.city_stations(area, times.date_of(day))
        if stations:
            hours = np.stack([self._cells.day(station, day) for station in stations])[None]
            days = law.judge_days(hours, law.edition_for(times.date_of(day)))
            for n, station in enumerate(stations):
                missing = [f for i, f in enumerate(FACTORS) if days.missing[n, i] and f not in plan]
                if missing:
                    lacks[station] = ",".join(missing)
        return lacks

    def _condition(
        self, area: Area, rule: str, state: str, day: int, at_ms: int, level: str, detail: dict[str, str]
    ) -> None:
        registry = self._judge.registry
        assert registry is not None
        self._judge.condition(
            Condition(
                id=f"{area.group}|{area.id}|{rule}||{day}", state=state, rule=rule, group=area.group, subject=area.id,
                factor="", since=times.day_start(day), until=times.day_end(day), now=at_ms, origin="", level=level,
                detail={"name": area.name, "date": times.date_of(day).isoformat(), **detail},
                expected=len(registry.city_stations(area.id, times.date_of(day))),
                valid=max(0, len(registry.city_stations(area.id, times.date_of(day))) - len(detail)),
                ruleset=f"air-{law.edition_for(times.date_of(day))}", registry=registry.digest,
            )
        )  # fmt: skip


def _digest(lacks: dict[str, str]) -> str:
    return digest_of(*(f"{subject}={factors}" for subject, factors in sorted(lacks.items())))


def _switches(clean: bool) -> law.Switches:
    return law.DEFAULT if clean else law.Switches(unmonitored_clean=False)
