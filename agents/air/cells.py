"""Hour cells of a station: its logger's own hour first, else the mean of its minutes, an audit before both.

All three are kept; the cell says which one counts and why a factor does not.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.air.when import hour_label, name_of
from agents.values import scaled
from schemas import blocks, times, topics
from schemas.messages import AirVerdict, Cell, key
from schemas.registry import AIR_FACTORS
from standards import air as law
from standards import fixed
from streams.state.columns import NO_VALUE, decimals_of, flag_codes, flag_of, text_of, timeliness
from streams.state.slots import EMPTY, Codes, Ints, Slots

if TYPE_CHECKING:
    from agents.air.judge import AirJudge

FACTORS: Final = AIR_FACTORS
SIX: Final = len(FACTORS)
FACTOR_INDEX: Final = {factor: i for i, factor in enumerate(FACTORS)}
Bools = npt.NDArray[np.bool_]

_text3 = functools.lru_cache(maxsize=65_536)(fixed.text_of)  # a district's values repeat; each text is made once
_categories = functools.lru_cache(maxsize=16)(law.categories)

_UNIT = "!"
FLAG_UNIT: Final = ord(_UNIT) << 6
"""Put in place of the flag of a value whose unit does not lead to the published one by a move of the decimal point."""
INVALID, VALID = "invalid", "valid"
"""Words of a correction in place of a value: judged invalid by audit; what was sent stands although it is flagged."""

LATER: Final = "late or corrected readings"
"""Why a verdict replaces another, unless a person decided something."""

_LOGGER, _MINUTES, _AUDIT, _NOTHING = "LMA-"


class Derived(NamedTuple):
    """An hour of a station that was derived again.

    Attributes:
        station: its id.
        end: of the hour.
        received: when the newest of it was received, epoch ms.
        same: whether exactly the values may be judged that could be judged before.
    """

    station: str
    end: int
    received: int
    same: bool


class Cells:
    """Derives hour cells, and holds what of them may be judged."""

    def __init__(self, judge: AirJudge, hours: Slots, minutes: Slots) -> None:
        self.judge, self._hours, self._minutes = judge, hours, minutes
        self.judged: dict[tuple[str, int], Ints] = {}  # (station, day): int64[24, 6] thousandths, MISSING
        self._places: dict[tuple[str, int], tuple[str, str]] = {}  # (station, day): area and group
        self._audits: dict[str, list[tuple[str, blocks.Action]]] | None = None  # station: factor, correction

    def on_registry(self) -> None:
        """Look-ups of the old registry no longer hold."""
        self._places = {}

    # ---- what others ask

    def spoken(self, station: str, end: int) -> bool:
        """Whether packets of hours or minutes spoke of an hour."""
        if name_of(station, end) in self._minutes:
            return True
        name = name_of(station, times.day_of(end))
        if name not in self._hours:
            return False
        return times.hour_index(end) in self._hours.periods_spoken(self._hours.row(name))

    def in_time(self, station: str, end: int) -> bool:
        """Whether anything that may be judged was said of an hour, so that it opens its hour and day."""
        if name_of(station, end) in self._minutes:
            return True
        row = self._hours.find(name_of(station, times.day_of(end)))
        return row is not None and bool((self._hours.versions(row)[times.hour_index(end)] >= 0).any())

    def there(self, station: str, end: int) -> bool:
        """Whether an hour has come: by its own packet, or enough minutes of some factor."""
        row = self._hours.find(name_of(station, times.day_of(end)))
        if row is not None and times.hour_index(end) in self._hours.periods_spoken(row):
            return True
        if name_of(station, end) not in self._minutes:
            return False
        return bool((self.day(station, times.day_of(end))[times.hour_index(end)] != fixed.MISSING).any())

    def day(self, station: str, day: int) -> Ints:
        """int64[24, 6] thousandths of a station's day that may be judged, MISSING elsewhere; not to be written."""
        found = self.judged.get((station, day))
        if found is None:
            ends = [times.day_start(day) + (h + 1) * times.HOUR_S for h in range(24)]
            spoken = [(station, end) for end in ends if self.spoken(station, end) or self.audit_of(station, end)]
            found = self.judged[station, day] = np.full((24, SIX), fixed.MISSING, np.int64)
            if spoken:
                made = _Hours(self, spoken)
                found[[times.hour_index(end) for _, end in spoken]] = made.judged
        return found

    def place(self, station: str, day: int) -> tuple[str, str]:
        """Area and group of a station on a day, both empty when it is not listed then; looked up once a day."""
        found = self._places.get((station, day))
        if found is None:
            registry = self.judge.registry
            assert registry is not None
            at = registry.station_at(station, times.date_of(day))
            area = at.area if at is not None else ""
            found = self._places[station, day] = (area, registry.area(area).group if area else "")
        return found

    def forget_before(self, day: int) -> None:
        """Older days are derived again when they are asked for."""
        self.judged = {at: held for at, held in self.judged.items() if at[1] >= day}
        self._places = {at: held for at, held in self._places.items() if at[1] >= day}

    def unsay(self, station: str, end: int) -> None:
        """Minutes of an hour came since it was said: what was said cannot be derived again, so it is said anew."""
        registry = self.judge.registry
        assert registry is not None
        date = times.date_of(times.day_of(end))
        edition, label = law.edition_for(date), hour_label(end)
        group = self.place(station, times.day_of(end))[1]
        self.judge.forget(key(group, station, "hour", label))
        self.judge.forget(key(group, station, "station-hour", label, edition, "keep"))
        for area in registry.areas_of(station, date):
            self.judge.forget(key(registry.area(area).group, area, "air-hour", label, edition, "keep"))

    # ---- audited corrections

    def corrected(self, action: blocks.Action) -> set[tuple[str, int]]:
        """The hours a correction speaks of."""
        self._audits = None
        first = -(-(action.begin + 1) // times.HOUR_S) * times.HOUR_S
        return {(action.subject, end) for end in range(first, action.end + 1, times.HOUR_S)}

    def audit_of(self, station: str, end: int) -> dict[str, blocks.Action]:
        """By factor the correction of an hour that holds: the last one received."""
        if self._audits is None:
            self._audits = {}
            held = sorted(self.judge.decisions("correction"), key=lambda one: (one[1].received, one[1].id))
            for about, action in held:
                self._audits.setdefault(about.subject, []).append((about.part[0], action))
        return {
            factor: action
            for factor, action in self._audits.get(station, ())
            if action.begin < end <= action.end and factor in FACTOR_INDEX
        }

    # ---- deriving

    def derive(self, touched: list[tuple[str, int]]) -> list[Derived]:
        """Derive hours again and publish their cells."""
        made = _Hours(self, touched)
        same = [False] * len(touched)
        for n, (station, end) in enumerate(touched):
            day, hour = times.day_of(end), times.hour_index(end)
            if (station, day) in self.judged:
                held = self.judged[station, day]
                same[n] = bool((held[hour] == made.judged[n]).all())
                held[hour] = made.judged[n]
            else:
                self.day(station, day)
        changed = [n for n in range(len(touched)) if made.say(n)]
        if changed:
            self._say_stations(made, changed)
        return [Derived(*touched[n], made.newest(n), same[n]) for n in range(len(touched))]

    def _say_stations(self, made: _Hours, changed: list[int]) -> None:
        """The AQI of each station in the hour."""
        by_edition: dict[str, list[int]] = {}
        for n in changed:
            if made.area(n) and made.in_time[n]:
                by_edition.setdefault(law.edition_for(times.date_of(times.day_of(made.ends[n]))), []).append(n)
        for edition, these in sorted(by_edition.items()):
            said = law.judge_hours(made.judged[None, these], edition)
            for at, n in enumerate(these):
                say_verdict(
                    self.judge, "station-hour", made.group(n), made.stations[n], hour_label(made.ends[n]),
                    made.ends[n], said, at, stations=1, received=made.newest(n),
                )  # fmt: skip

    # ---- what _Hours asks

    def rows(self, hours: list[tuple[str, int]]) -> tuple[Ints, Codes, Ints, Ints]:
        """Own hours of the loggers: value, meta, version (EMPTY: nothing said), received; each [n, 6]."""
        shape = (len(hours), SIX)
        value, received = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        version, meta = np.full(shape, EMPTY, np.int64), np.zeros(shape, np.uint32)
        slots = self._hours
        for n, (station, end) in enumerate(hours):
            row = slots.find(name_of(station, times.day_of(end)))
            if row is not None:
                h = times.hour_index(end)
                value[n], meta[n] = slots.values(row)[h], slots.metas(row)[h]
                version[n], received[n] = slots.versions(row)[h], slots.received(row)[h]
        return value, meta, version, received

    def packets(self, station: str, end: int) -> list[str]:
        """Hour packets that spoke of an hour."""
        row = self._hours.find(name_of(station, times.day_of(end)))
        return [] if row is None else self._hours.who_spoke(row, times.hour_index(end))

    def minute_means(
        self, hours: list[tuple[str, int]], schemes: list[str]
    ) -> tuple[list[int], Ints, Ints, Bools, Ints]:
        """Hours that have minutes: which, their means, valid minutes, whether enough, newest received; each [k, 6]."""
        which = [n for n, (station, end) in enumerate(hours) if name_of(station, end) in self._minutes]
        if not which:
            nothing = np.zeros((0, SIX), np.int64)
            return which, nothing, nothing, nothing.astype(np.bool_), nothing
        slots, registry = self._minutes, self.judge.registry
        assert registry is not None
        rows = [slots.row(name_of(*hours[n])) for n in which]
        value, version = np.stack([slots.values(r) for r in rows]), np.stack([slots.versions(r) for r in rows])
        meta, received = np.stack([slots.metas(r) for r in rows]), np.stack([slots.received(r) for r in rows])
        minutes = scaled(value.ravel(), meta.ravel()).reshape(value.shape)
        usable = (version != EMPTY) & _flags_fine(meta, [schemes[n] for n in which])
        fine, _ = law.screen_hours(np.where(usable, minutes, fixed.MISSING))
        covers = np.array([self._covers(*hours[n]) for n in which], np.int64)
        mean, count, enough = law.hour_of_minutes(np.where(fine, minutes, fixed.MISSING), covers)
        return which, mean, count, enough, received.max(axis=1)

    def _covers(self, station: str, end: int) -> int:
        registry = self.judge.registry
        assert registry is not None
        date = times.date_of(times.day_of(end))
        at = registry.station_at(station, date)
        return registry.logger(at.mn, date).minute_interval if at is not None else 1

    def scheme(self, station: str, end: int) -> str:
        """Which flags its logger uses: those of 2005 are digits."""
        registry = self.judge.registry
        assert registry is not None
        date = times.date_of(times.day_of(end))
        at = registry.station_at(station, date)
        return "hjt212_2005" if at is not None and registry.logger(at.mn, date).edition == 2005 else "hj212_2017"


class _Hours:
    """Hours at hand: chosen values, why some do not count, and their cells."""

    def __init__(self, cells: Cells, hours: list[tuple[str, int]]) -> None:
        self._cells, self._judge = cells, cells.judge
        self.hours = hours
        self.stations = [station for station, _ in hours]
        self.ends = [end for _, end in hours]
        schemes = [cells.scheme(station, end) for station, end in hours]
        self.value, self.meta, self.version, self.received = cells.rows(hours)
        spoken = self.version != EMPTY
        own = np.where(spoken, scaled(self.value.ravel(), self.meta.ravel()).reshape(self.value.shape), fixed.MISSING)
        definite = spoken & (self.version >= 0) & ((own != fixed.MISSING) | _flagged(self.meta))
        which, mean, count, enough, newest = cells.minute_means(hours, schemes)
        self.minutes = np.full(own.shape, -1, np.int64)
        self.means = np.full(own.shape, fixed.MISSING, np.int64)
        few = np.zeros(own.shape, np.bool_)
        by_minutes = np.zeros(own.shape, np.bool_)
        self._minutes_received = np.zeros(own.shape, np.int64)
        if which:
            self.minutes[which], self.means[which] = count, mean
            few[which], by_minutes[which] = ~enough, ~definite[which] & (count > 0)
            self._minutes_received[which] = newest
        self.by_minutes = by_minutes
        self.chosen = np.where(by_minutes, self.means, own)
        self.in_time = (spoken & (self.version >= 0)).any(axis=1) | (self.minutes >= 0).any(axis=1)
        valid, codes = law.screen_hours(self.chosen)
        self.reasons = [[law.REASONS[code] for code in row] for row in codes.tolist()]
        self._refuse(valid, few, schemes)
        self.audits = [cells.audit_of(station, end) for station, end in hours]
        newest_of_all = np.maximum(self.received.max(axis=1), self._minutes_received.max(axis=1))
        self._newest: list[int] = newest_of_all.tolist()
        self._places = [cells.place(station, times.day_of(end)) for station, end in hours]
        self._content = np.concatenate((self.value, self.minutes, self.means, self.meta.astype(np.int64)), axis=1)
        for n, audit in enumerate(self.audits):
            if audit:
                self._apply(n, audit, own, valid)
        self.judged = np.where(valid, self.chosen, fixed.MISSING)

    def _refuse(self, valid: Bools, few: Bools, schemes: list[str]) -> None:
        """Take out what its time, its flag, its unit or too few minutes keep from being judged."""
        doubtful = ~self.by_minutes & (self.version != EMPTY)
        doubtful &= (self.version < 0) | _flagged(self.meta)
        for n, f in np.argwhere(doubtful | (self.by_minutes & few)).tolist():
            why = "few-minutes" if self.by_minutes[n, f] else self._why(n, f, schemes[n])
            if why:
                valid[n, f], self.reasons[n][f] = False, why

    def _why(self, n: int, f: int, scheme: str) -> str:
        meta = int(self.meta[n, f])
        if self.version[n, f] < 0:
            return timeliness(self.ends[n], int(self.received[n, f])) or "late"
        flag = flag_of(meta)
        if flag == blocks.UNREADABLE:
            return "unreadable"
        if meta & NO_VALUE == NO_VALUE:
            return ""  # it is missing, flagged or not
        return "unit" if flag == _UNIT else "" if _flag_fine(flag, scheme) else f"flag-{flag}"

    def _apply(self, n: int, audit: dict[str, blocks.Action], own: Ints, valid: Bools) -> None:
        """Corrections: an audited value, judged invalid, or what was sent stands."""
        for factor, action in audit.items():
            f, word = FACTOR_INDEX[factor], action.data[factor]
            if word == INVALID:
                valid[n, f], self.reasons[n][f] = False, "audit"
                continue
            if word != VALID:
                self.chosen[n, f] = fixed.parse(word, excess="sticky")
            elif own[n, f] != fixed.MISSING:
                self.chosen[n, f] = own[n, f]
            fine, code = law.screen_hours(self.chosen[n])
            valid[n, f], self.reasons[n][f] = bool(fine[f]), law.REASONS[int(code[f])]
            self.in_time[n] = True

    # ---- saying

    def area(self, n: int) -> str:
        """Area of the station then; "" when it is not listed."""
        return self._places[n][0]

    def group(self, n: int) -> str:
        """Its group."""
        return self._places[n][1]

    def newest(self, n: int) -> int:
        """When the newest of what counts was received, epoch ms; 0 without anything."""
        audit = self.audits[n]
        if not audit:
            return self._newest[n]
        return max(self._newest[n], *(action.received for action in audit.values()))

    def say(self, n: int) -> bool:
        """Publish a cell unless it was said; whether it is new."""
        station, end = self.hours[n]
        packets = self._cells.packets(station, end)
        content = hashlib.blake2b(self._content[n].tobytes(), digest_size=8)
        content.update("|".join(self.reasons[n]).encode())
        for factor, action in sorted(self.audits[n].items()):
            content.update(f"{factor}{action.id}".encode())
        revision = content.hexdigest()[:12]
        content.update(",".join(packets).encode())
        digest = content.hexdigest()
        label = hour_label(end)
        message_key = key(self.group(n), station, "hour", label)
        before = self._judge.say(topics.CELLS, message_key, digest, lambda: self._cell(n, label, packets, revision))
        return before != digest

    def _cell(self, n: int, label: str, packets: list[str], revision: str) -> Cell:
        station, end = self.hours[n]
        audit = self.audits[n]
        values: list[str | None] = []
        origins = ""
        sent: dict[str, str | None] = {}
        said = list(zip(self.version[n].tolist(), self.value[n].tolist(), self.meta[n].tolist(), strict=True))
        for f, factor in enumerate(FACTORS):
            own = None if said[f][0] == EMPTY else text_of(said[f][1], said[f][2])
            if factor in audit:
                word = audit[factor].data[factor]
                sent[factor] = own
                value = own if word in (INVALID, VALID) else word
                origin = _AUDIT
            elif self.by_minutes[n, f]:
                value, origin = _text3(int(self.means[n, f])) or None, _MINUTES
            else:
                value, origin = own, _LOGGER if own is not None else _NOTHING
            values.append(value)
            origins += origin
        has_minutes = bool((self.minutes[n] >= 0).any())
        registry = self._judge.registry
        assert registry is not None
        return Cell(
            group=self.group(n),
            area=self.area(n),
            source=station,
            period=label,
            time=end,
            factors=list(FACTORS),
            values=values,
            flags="".join(blocks.NO_FLAG if version == EMPTY else flag_of(meta) for version, _, meta in said),
            reasons=self.reasons[n],
            packets=packets,
            received=self.newest(n),
            revision=revision,
            origins=origins,
            means=[_text3(m) or None for m in self.means[n].tolist()] if has_minutes else [],
            minutes=np.maximum(self.minutes[n], 0).tolist() if has_minutes else [],
            sent=sent,
            ruleset=f"air-{law.edition_for(times.date_of(times.day_of(end)))}",
            registry=registry.digest,
        )


def _flagged(meta: Codes) -> Bools:
    """Flags that are not N and not absent."""
    codes = flag_codes(meta)
    found: Bools = (codes != ord("N")) & (codes != ord(blocks.NO_FLAG)) & (codes != 0)
    return found


@functools.lru_cache(maxsize=256)
def _flag_fine(flag: str, scheme: str) -> bool:
    """Whether a value with this flag may be judged; 2005 loggers also send the letters."""
    if flag in ("N", blocks.NO_FLAG, "\0"):
        return True
    return law.mark_of(flag, scheme)[0]


def _flags_fine(meta: Codes, schemes: list[str]) -> Bools:
    """Bool of the shape of ``meta`` [k, 60, 6]."""
    fine = ~_flagged(meta)
    for n, m, f in np.argwhere(~fine & (decimals_of(meta) != NO_VALUE)).tolist():
        fine[n, m, f] = _flag_fine(flag_of(int(meta[n, m, f])), schemes[n])
    return fine


# ---- verdicts of one hour or day


def say_verdict(
    judge: AirJudge,
    kind: str,
    group: str,
    subject: str,
    period: str,
    time: int,
    said: law.HourVerdicts | law.DayVerdicts,
    n: int,
    *,
    stations: int,
    received: int,
    dust: str = "keep",
    cause: str = LATER,
    not_monitored: tuple[str, ...] = (),
) -> None:
    """Publish row n of hour or day verdicts unless it was said; when it replaces another, the revision too.

    Args:
        judge: who says it.
        kind: air-hour, air-day, station-hour, station-day.
        group: of the subject.
        subject: an area or station.
        period: its label.
        time: end of the hour, or 00:00 of the day.
        said: what the law said.
        n: which row of it.
        stations: that should count.
        received: when the newest of what it rests on was received, epoch ms.
        dust: caliber.
        cause: why it may differ from what was said before.
        not_monitored: outside the plan.
    """
    edition = said.edition if isinstance(said.edition, str) else str(said.edition[n])
    is_day = isinstance(said, law.DayVerdicts)
    parts = [said.rounded[n].tobytes(), said.iaqi[n].tobytes(), said.n_stations[n].tobytes(), said.primary[n].tobytes()]
    if isinstance(said, law.DayVerdicts):
        parts.append(said.n_hours[n].tobytes())
    parts += [said.aqi[n].tobytes(), bytes((int(said.level[n]), bool(said.valid[n]), int(said.reason[n])))]
    parts.append(f"{stations}|{','.join(not_monitored)}".encode())
    digest = hashlib.blake2b(b"".join(parts), digest_size=6).hexdigest()
    message_key = key(group, subject, kind, period, edition, dust)

    def make() -> AirVerdict:
        level = int(said.level[n])
        name = _categories(edition)[level] if level else (None, None, None, None)
        valid = bool(said.valid[n])
        registry = judge.registry
        assert registry is not None
        return AirVerdict(
            kind=kind,
            group=group,
            area=subject,
            time=time,
            period=period,
            edition=edition,
            dust=dust,
            conc=dict(zip(FACTORS, [_text3(c) or None for c in said.rounded[n].tolist()], strict=True)),
            iaqi=dict(zip(FACTORS, [None if i < 0 else i for i in said.iaqi[n].tolist()], strict=True)),
            aqi=_or_none(int(said.aqi[n])),
            level=level or None,
            category=name[1],
            colour=name[3],
            primary=[f for f, first in zip(FACTORS, said.primary[n].tolist(), strict=True) if first],
            good=bool(said.good[n]) if valid and isinstance(said, law.DayVerdicts) else None,
            valid=valid,
            reason=law.DAY_REASONS[int(said.reason[n])],
            stations_valid=dict(zip(FACTORS, said.n_stations[n].tolist(), strict=True)),
            stations=stations,
            ruleset=f"air-{edition}",
            registry=registry.digest,
            revision=digest,
            hours=dict(zip(FACTORS, said.n_hours[n].tolist(), strict=True))
            if isinstance(said, law.DayVerdicts)
            else {},
            expected=24 if is_day else 1,
            not_monitored=list(not_monitored),
        )

    before = judge.say(topics.VERDICTS, message_key, digest, make)
    judge.revise(message_key, before, digest, cause, received)


def _or_none(number: int) -> int | None:
    return None if number < 0 else number
