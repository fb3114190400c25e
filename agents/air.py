"""The air agent: hour cells, the area's hours, station days, the area's day, and the year so far.

A pure function of the messages of one partition: it keeps slots, asks the law, publishes. Time is what
the messages say. Every level is derived from the one below when that changes, so late, repeated and
corrected readings need no special case; nothing is ever counted up.

When a verdict is published:

* a cell as soon as a packet spoke of its hour;
* an area hour when every station that counts has spoken of it, else 60 minutes after its end (HJ 633: the
  report comes within the hour), and again whenever it changes afterwards;
* an area day 60 minutes after its end, and again whenever it changes afterwards; with it its year.
"""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict

import numpy as np

from agents.air_slots import FACTOR_INDEX, FACTORS, SIX, HourSlot, Reading, StationDay, timeliness
from schemas import blocks, times, topics
from schemas import registry as registries
from schemas.measurements import BY_DATE
from schemas.messages import AirVerdict, AirYear, Cell, Dead, Revision, encode, key
from schemas.registry import Area, Registry
from standards import air as law
from standards import fixed
from streams.kernel import Output

GRACE_S = 3600
DUST = "keep"  # 优良天数 keeps dust by default (air.md §4.2); the other caliber comes with confirmed dust days
YEAR_EDITION = BY_DATE

_REGISTRY_ROW = b"registry"
_NOW_ROW = b"now"


_SILENT = StationDay()
"""A station nobody spoke of that day; never written."""


class AirJudge:
    """Judges the air of the groups of one partition. Driven by :class:`streams.kernel.Kernel`."""

    def __init__(self, partition: int, partitions: int = 1) -> None:
        self.partition, self.partitions = partition, partitions
        self.registry: Registry | None = None
        self.now_ms: int | None = None
        self._stations: dict[tuple[str, int], StationDay] = {}
        self._days: dict[str, dict[int, law.DayVerdicts]] = defaultdict(dict)  # closed days, derived, without a gap
        self._first_day: dict[str, int] = {}  # the first day of an area anybody spoke of in time
        self._quiet = False  # deriving again after a restart: everything was published before
        self._open_hours: dict[str, set[int]] = defaultdict(set)  # spoken of, verdict not yet due
        self._said: dict[bytes, str] = {}  # revision last published under a key
        self._rows: set[tuple[str, int]] = set()  # (station, day) changed since the last checkpoint
        self._registry_changed = False
        self._hours: set[tuple[str, int]] = set()  # (station, end) to derive
        self._places: dict[tuple[str, int], tuple[str, str, bool]] = {}  # (station, day): area, group, counts for it
        self._out: list[Output] = []

    # ---- state

    def restore(self, row_key: bytes, row: bytes) -> None:
        """Take back one row of the last checkpoint."""
        if row_key == _REGISTRY_ROW:
            self.registry = registries.parse(row.decode(), "registry in the log")
            self._places = {}
            return
        if row_key == _NOW_ROW:
            self.now_ms = int(row)
            return
        station, day = row_key.decode().split("|")
        self._stations[station, int(day)] = StationDay.of_row(row)

    def restored(self) -> None:
        """Derive again what is derived; published before, so nothing is said."""
        if self.registry is None or self.now_ms is None:
            return
        self._hours = {
            (station, times.day_start(day) + (h + 1) * times.HOUR_S)
            for (station, day), record in self._stations.items()
            for h in range(24)
            if record.hours[h] is not None
        }
        self._quiet = True
        self._derive(self.now_ms)
        self._close_days(self.now_ms)
        self._publish_due_hours(self.now_ms)
        self._quiet = False
        self._rows = set()
        self._registry_changed = False

    def changed_rows(self) -> list[tuple[bytes, bytes]]:
        """Rows changed since the last call."""
        rows = [(f"{station}|{day}".encode(), self._stations[station, day].row()) for station, day in self._rows]
        if self._registry_changed and self.registry is not None:
            rows.append((_REGISTRY_ROW, self.registry.text.encode()))
        if self.now_ms is not None:
            rows.append((_NOW_ROW, str(self.now_ms).encode()))
        self._rows = set()
        self._registry_changed = False
        return rows

    # ---- messages

    def take(self, message: bytes, place: str) -> list[Output]:
        """Take one message of ``readings-air``; what is to be published because of it."""
        self._out = []
        try:
            found = blocks.decode(message)
        except blocks.BlockError as error:
            self._dead(place, str(error), message)
            return self._out
        if isinstance(found, blocks.RegistryVersion):
            self._advance(found.received)
            try:
                self.registry = registries.parse(found.text, "registry in the log")
                self._places = {}
                self._registry_changed = True
                self._forget_areas({area.id for area in self.registry.areas if self._is_mine(area)})
            except registries.RegistryError as error:
                self._dead(place, str(error), message)
        elif isinstance(found, blocks.Tick):
            self._advance(found.now)
        else:
            self._take_block(found, place, message)
        return self._out

    def _is_mine(self, area: Area) -> bool:
        return topics.partition_of(area.group, self.partitions) == self.partition

    def _forget_areas(self, known: set[str]) -> None:
        """An area that left the registry or this partition is judged no further here; what was said stays said."""
        for table in (self._open_hours, self._days, self._first_day):
            for area_id in [area_id for area_id in table if area_id not in known]:
                del table[area_id]

    def _take_block(self, block: blocks.Block, place: str, message: bytes) -> None:
        if self.registry is None:
            self._dead(place, "readings before any registry: the gateway must write the registry first", message)
            return
        at = 0
        factors = [FACTOR_INDEX.get(name) for name in block.factors]
        for i, source in enumerate(block.source):
            self._advance(block.received[i])
            after = at + block.counts[i]
            if block.periods[i] == blocks.HOUR:
                self._take_packet(block, i, block.sources[source], factors, range(at, after))
            at = after
        assert self.now_ms is not None or not block.source
        if self.now_ms is not None:
            self._derive(self.now_ms)

    def _take_packet(
        self, block: blocks.Block, i: int, station: str, factors: list[int | None], readings: range
    ) -> None:
        end, received = block.times[i], block.received[i]
        judged = timeliness(end, received) == ""
        day = times.day_of(end)
        record = self._stations.get((station, day))
        if record is None:
            record = self._stations[station, day] = StationDay()
        slot = record.slot(times.hour_index(end))
        slot.spoke(f"{block.writer}:{block.first + i}")
        for r in readings:
            factor = factors[block.factor[r]]
            if factor is not None:
                slot.offer(
                    factor, Reading(judged, block.qn[i], received, block.values[r], block.places[r], block.flags[r])
                )
        self._hours.add((station, end))
        self._rows.add((station, day))

    def _dead(self, place: str, reason: str, message: bytes) -> None:
        dead = Dead(id=place, place=place, reason=reason, text=message.decode("latin-1"), received=self.now_ms or 0)
        self._out.append(Output(topics.DEAD, place.encode(), encode(dead)))

    # ---- time

    def _advance(self, now_ms: int) -> None:
        """Move now forward; the timers due on the way fire first, in order, stamped by what they close."""
        before = self.now_ms
        if before is not None and now_ms <= before:
            return
        if before is not None and self.registry is not None:
            self._derive(before)
        self.now_ms = now_ms
        if self.registry is not None:
            self._publish_due_hours(now_ms)
            self._close_days(now_ms)

    def _publish_due_hours(self, now_ms: int) -> None:
        for area, ends in sorted(self._open_hours.items()):
            due = sorted(end for end in ends if (end + GRACE_S) * 1000 <= now_ms)
            if due:
                ends.difference_update(due)
                self._judge_hours(area, due)

    def _close_days(self, now_ms: int) -> None:
        """Close every day that is due, also days nobody spoke of: a silent day is an invalid day."""
        assert self.registry is not None
        last = _last_closed(now_ms)
        for area in self.registry.areas:
            first = self._first_day.get(area.id)
            if first is not None:
                begin = max(self._days[area.id], default=first - 1) + 1
                if begin <= last:
                    self._judge_days(area, list(range(begin, last + 1)))

    # ---- derive

    def _derive(self, now_ms: int) -> None:
        """Everything that stands on the hours that changed."""
        if not self._hours:
            return
        changed, self._hours = sorted(self._hours), set()
        self._derive_cells(changed)
        hours: dict[str, set[int]] = defaultdict(set)
        days: dict[str, set[int]] = defaultdict(set)
        assert self.registry is not None
        for station, end in changed:
            day = times.day_of(end)
            area, _, counts = self._place(station, day)
            if counts and _hour_judged(self._stations[station, day].hours[times.hour_index(end)]):
                hours[area].add(end)
                days[area].add(day)
        for area_id in sorted(hours):
            self._derive_area(area_id, hours[area_id], days[area_id], now_ms)

    def _derive_area(self, area_id: str, hours: set[int], days: set[int], now_ms: int) -> None:
        assert self.registry is not None
        ready = [end for end in hours if (end + GRACE_S) * 1000 <= now_ms or self._complete(area_id, end)]
        waiting = self._open_hours[area_id]
        waiting |= hours
        waiting.difference_update(ready)
        if ready:
            self._judge_hours(area_id, sorted(ready))
        closed = self._days[area_id]
        first = self._first_day[area_id] = min(days | {self._first_day.get(area_id, min(days))})
        last = _last_closed(now_ms)
        due = {day for day in days if day <= last}
        if closed and first < min(closed):  # earlier than any day so far: the days between were silent
            due |= set(range(first, min(closed)))
        if due and not closed:
            due = set(range(first, last + 1))
        if due:
            self._judge_days(self.registry.area(area_id), sorted(due))

    def _complete(self, area_id: str, end: int) -> bool:
        assert self.registry is not None
        day, hour = times.day_of(end), times.hour_index(end)
        for station in self.registry.city_stations(area_id, times.date_of(day)):
            record = self._stations.get((station, day))
            if record is None or not _hour_judged(record.hours[hour]):
                return False
        return True

    def _derive_cells(self, changed: list[tuple[str, int]]) -> None:
        assert self.registry is not None
        slots = [self._slot(station, end) for station, end in changed]
        values = np.array(
            [[fixed.MISSING if r is None else r.thousandths for r in slot.readings] for slot in slots], np.int64
        )
        valid, codes = law.screen_hours(values)
        reasons = [[law.REASONS[code] for code in row] for row in codes.tolist()]
        for n, (_, end) in enumerate(changed):
            for f, reading in enumerate(slots[n].readings):
                if reading is not None and (why := reading.reason(end)):
                    valid[n, f] = False
                    reasons[n][f] = why
        judged = np.where(valid, values, fixed.MISSING)
        for n, (station, end) in enumerate(changed):
            self._stations[station, times.day_of(end)].judged[times.hour_index(end)] = judged[n]
            if not self._quiet:
                self._publish_cell(station, end, slots[n], reasons[n])

    def _place(self, station: str, day: int) -> tuple[str, str, bool]:
        """Area, group, and whether the station counts for it on that day; looked up once a day."""
        found = self._places.get((station, day))
        if found is None:
            assert self.registry is not None
            at = self.registry.station_at(station, times.date_of(day))
            area = at.area if at is not None else ""
            group = self.registry.area(area).group if area else ""
            found = self._places[station, day] = (area, group, at is not None and at.kind == "city")
        return found

    def _slot(self, station: str, end: int) -> HourSlot:
        slot = self._stations[station, times.day_of(end)].hours[times.hour_index(end)]
        assert slot is not None
        return slot

    def _publish_cell(self, station: str, end: int, slot: HourSlot, reasons: list[str]) -> None:
        area, group, _ = self._place(station, times.day_of(end))
        readings = slot.readings
        cell = Cell(
            group=group,
            area=area,
            source=station,
            period=_hour_label(end),
            time=end,
            factors=list(FACTORS),
            values=[_text(r) for r in readings],
            flags="".join(blocks.NO_FLAG if r is None else r.flag for r in readings),
            reasons=reasons,
            packets=slot.packets,
            received=max((r.received for r in readings if r is not None), default=0),
            revision="",
        )
        cell.revision = _digest(*cell.values, cell.flags, *cell.reasons)
        self._out.append(Output(topics.CELLS, key(group, station, "hour", cell.period), encode(cell)))

    def _arrays(self, area_id: str, days: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Valid hours int64[S, D, 24, 6], which stations count bool[S, D], and how many of them int[D]."""
        assert self.registry is not None
        counted = [self.registry.city_stations(area_id, times.date_of(day)) for day in days]
        stations = list(dict.fromkeys(s for day in counted for s in day)) or [""]
        hours = np.full((len(stations), len(days), 24, SIX), fixed.MISSING, np.int64)
        registered = np.zeros((len(stations), len(days)), np.bool_)
        for s, station in enumerate(stations):
            for d, day in enumerate(days):
                registered[s, d] = station in counted[d]
                record = self._stations.get((station, day))
                if record is not None:
                    hours[s, d] = record.judged
        return hours, registered, registered.sum(axis=0)

    def _judge_hours(self, area_id: str, ends: list[int]) -> None:
        assert self.registry is not None
        by_day: dict[int, list[int]] = defaultdict(list)
        for end in ends:
            by_day[times.day_of(end)].append(end)
        for day, hours_of_day in by_day.items():
            date = times.date_of(day)
            picked = [times.hour_index(end) for end in hours_of_day]
            stations = self.registry.city_stations(area_id, date)
            records = [self._stations.get((station, day)) or _SILENT for station in stations] or [_SILENT]
            hours = np.stack([record.judged[picked] for record in records])
            edition = law.edition_for(date)
            marks = None if stations else np.zeros(hours.shape[:2], np.bool_)
            said = law.judge_hours(hours, edition, registered=marks)
            for n, end in enumerate(hours_of_day):
                self._publish("air-hour", area_id, _hour_label(end), end, edition, said, n, len(stations))

    def _judge_days(self, area: Area, days: list[int]) -> None:
        dates = [times.date_of(day) for day in days]
        hours, registered, stations = self._arrays(area.id, days)
        said = law.judge_days(hours, dates=dates, registered=registered)
        for n, day in enumerate(days):
            self._days[area.id][day] = said.take(slice(n, n + 1))
            self._publish(
                "air-day",
                area.id,
                dates[n].isoformat(),
                times.day_start(day),
                str(said.edition[n]),
                said,
                n,
                int(stations[n]),
            )
        for year in sorted({date.year for date in dates}):
            self._publish_year(area, year)

    # ---- publish

    def _publish(
        self,
        kind: str,
        area_id: str,
        period: str,
        time: int,
        edition: str,
        said: law.HourVerdicts | law.DayVerdicts,
        n: int,
        stations: int,
    ) -> None:
        assert self.registry is not None
        group = self.registry.area(area_id).group
        level = int(said.level[n])
        name = law.categories(edition)[level] if level else (None, None, None, None)
        valid = bool(said.valid[n])
        verdict = AirVerdict(
            kind=kind,
            group=group,
            area=area_id,
            time=time,
            period=period,
            edition=edition,
            dust=DUST,
            conc={f: fixed.text_of(int(said.rounded[n, i])) or None for i, f in enumerate(FACTORS)},
            iaqi={f: _or_none(int(said.iaqi[n, i])) for i, f in enumerate(FACTORS)},
            aqi=_or_none(int(said.aqi[n])),
            level=level or None,
            category=name[1],
            colour=name[3],
            primary=[f for i, f in enumerate(FACTORS) if said.primary[n, i]],
            good=bool(said.good[n]) if valid and isinstance(said, law.DayVerdicts) else None,
            valid=valid,
            reason=law.DAY_REASONS[int(said.reason[n])],
            stations_valid={f: int(said.n_stations[n, i]) for i, f in enumerate(FACTORS)},
            stations=stations,
            ruleset=f"air-{edition}",
            registry=self.registry.digest,
            revision="",
        )
        self._say(verdict, key(group, area_id, kind, period, edition, DUST))

    def _publish_year(self, area: Area, year: int) -> None:
        assert self.registry is not None
        closed = self._days[area.id]
        days = [day for day in sorted(closed) if times.date_of(day).year == year]
        if not days:
            return
        tally = law.tally_year(law.stack([closed[day] for day in days]))
        text = f"{year:04d}"
        verdict = AirYear(
            group=area.group,
            area=area.id,
            year=text,
            time=times.day_start(times.day_number(times.date_of(days[0]).replace(month=1, day=1))),
            through=times.date_of(days[-1]).isoformat(),
            edition=YEAR_EDITION,
            dust=DUST,
            ruleset=f"air-{YEAR_EDITION}",
            registry=self.registry.digest,
            revision="",
            **tally,
        )
        self._say(verdict, key(area.group, area.id, "air-year", text, YEAR_EDITION, DUST))

    def _say(self, verdict: AirVerdict | AirYear, message_key: bytes) -> None:
        """Publish unless it was said before; a verdict that replaces another is a revision."""
        verdict.revision = hashlib.sha256(encode(verdict)).hexdigest()[:12]
        before = self._said.get(message_key)
        if before == verdict.revision:
            return
        self._said[message_key] = verdict.revision
        if self._quiet:
            return
        self._out.append(Output(topics.VERDICTS, message_key, encode(verdict)))
        if before is not None and not isinstance(verdict, AirYear):  # a year grows every day; that is no revision
            change = Revision(
                key=message_key.decode(),
                old=before,
                new=verdict.revision,
                cause="late or corrected readings",
                now=self.now_ms or 0,
            )
            self._out.append(Output(topics.REVISIONS, message_key, encode(change)))


def _last_closed(now_ms: int) -> int:
    """The last day whose end lies at least the grace before now."""
    return times.day_of(now_ms // 1000 - GRACE_S + 1) - 1


def _hour_judged(slot: HourSlot | None) -> bool:
    """Whether a packet spoke of the hour in time; one from the future or too old does not open an hour or a day."""
    return slot is not None and slot.judged


@functools.lru_cache(maxsize=4096)
def _hour_label(end: int) -> str:
    """``2015-12-01T24``: the hour by its end, 01 to 24."""
    return f"{times.date_of(times.day_of(end)).isoformat()}T{times.hour_index(end) + 1:02d}"


def _text(reading: Reading | None) -> str | None:
    if reading is None or reading.places == blocks.NO_VALUE:
        return None
    return blocks.decimal_text(reading.value, blocks.PLACES.index(reading.places))


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("|".join([p or "" for p in parts]).encode()).hexdigest()[:12]
