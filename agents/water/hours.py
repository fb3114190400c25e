"""Hours of sections as arrays of the law: what was sent, why some of it does not count, what is new of it.

A day of a section is one object, derived from its slots when it is asked for and forgotten when they change. Whether a
value is a new result rests on the day before as well (:data:`RESTS_ON`): a change re-derives both days and no other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from agents.values import scaled
from agents.water.checks import passed
from agents.water.columns import COLUMN, FACTORS, KNOWN, MOST, PLACES, SIGNED, WIDTH
from agents.water.when import name_of
from schemas import blocks, times
from schemas.actions import INVALID, VALID
from schemas.registry import Section
from standards import fixed
from standards.fixed import MISSING
from standards.water import flags as flag_law
from standards.water.instruments import invalidated_by_checks
from standards.water.plausibility import cross_checks, outside_range, suspect_zero
from standards.water.rhythm import jumps, standing_still
from standards.water.sampling import drawn, fresh, is_wet, rhythm_of, shown_since
from streams.state.columns import NO_VALUE, flag_codes, flag_of, text_of, timeliness
from streams.state.slots import EMPTY, Codes, Ints, Slots

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

Bools = npt.NDArray[np.bool_]

UNIT: Final = "!"
FLAG_UNIT: Final = ord(UNIT) << 6
"""Put in place of the flag of a value whose unit does not lead to the published one by a move of the decimal point."""

OK, NO_VALUE_GIVEN, UNREADABLE, WRONG_UNIT, NEGATIVE, IMPOSSIBLE, QC, AUDIT = (
    "ok", "missing", "unreadable", "unit", "negative", "impossible", "qc-failed", "audit",
)  # fmt: skip
RESTS_ON: Final = 1
"""Days before a day that decide what is new in it."""


@dataclass(eq=False)
class Day:
    """A day of a section, hour by hour and column by column.

    ``values``: int64[24, WIDTH] in each column's scale, what was sent and could be read. ``judged``: the same, MISSING
    where it does not count. ``alarm``: as ``judged``, with what is above the instrument's range. ``below``: a detection
    limit. ``new``: a new result. ``drawn``: when its water was drawn. ``reasons``: by hour and column, of what was
    spoken of. ``spoken``: bool[24], a packet spoke of the hour. ``doubted``: outside the hard range or a suspect zero:
    judged and flagged, but no warning rests on it. ``steps``: by column the grade of every hour's step, 1 watch,
    2 suspect (water.md §4.5), where there is one.
    """

    number: int
    date: dt.date
    section: Section | None
    ends: Ints
    spoken: Bools
    in_time: Bools
    said: Bools
    values: Ints
    judged: Ints
    alarm: Ints
    below: Bools
    new: Bools
    drawn: Ints
    doubted: Bools
    reasons: dict[tuple[int, int], str]
    meta: Codes
    raw: Ints
    received: Ints
    audits: dict[tuple[int, int], blocks.Action] = field(default_factory=dict)
    checks: dict[int, list[tuple[str, str]]] | None = None
    steps: dict[int, Ints] = field(default_factory=dict)

    @property
    def columns(self) -> list[int]:
        """Columns of the registry's factors, in its order, then others that were spoken of."""
        of_registry = [COLUMN[f] for f in (self.section.factors if self.section else ()) if f in COLUMN]
        others = [int(c) for c in np.flatnonzero(self.said.any(axis=0)) if c not in of_registry]
        return of_registry + others


class Hours:
    """The hours of the sections of a partition."""

    def __init__(self, judge: WaterJudge, slots: Slots) -> None:
        self._judge, self._slots = judge, slots
        self._days: dict[tuple[str, int], Day] = {}
        self._raw: dict[tuple[str, int], Day] = {}
        self._checks: dict[str, list[tuple[str, int, bool]]] | None = None  # section: factor or "", when, passed
        self._audits: dict[str, list[tuple[str, blocks.Action]]] | None = None

    # ---- forgetting what is derived

    def forget_all(self) -> None:
        """Another registry."""
        self._days, self._raw = {}, {}

    def forget(self, section: str, days: Iterable[int]) -> None:
        """Days of a section whose slots or decisions changed; those that rest on them go too."""
        for day in days:
            self._raw.pop((section, day), None)
            for later in range(day, day + RESTS_ON + 1):
                self._days.pop((section, later), None)

    def forget_before(self, day: int) -> None:
        """Older days are derived again when they are asked for."""
        self._days = {at: held for at, held in self._days.items() if at[1] >= day}
        self._raw = {at: held for at, held in self._raw.items() if at[1] >= day}

    def decided(self) -> None:
        """Quality checks or corrections are others now."""
        self._checks = self._audits = None

    # ---- what others ask

    def place(self, section: str, day: int) -> Section | None:
        """The section as it is on a day."""
        registry = self._judge.registry
        assert registry is not None
        return registry.section_at(section, times.date_of(day))

    def there(self, section: str, end: int) -> bool:
        """Whether a packet spoke of an hour."""
        name = name_of(section, times.day_of(end))
        if name not in self._slots:
            return False
        return times.hour_index(end) in self._slots.periods_spoken(self._slots.row(name))

    def has(self, section: str, day: int) -> bool:
        """Whether anything is known of a day."""
        return name_of(section, day) in self._slots

    def packets(self, section: str, end: int) -> list[str]:
        """The packets that spoke of an hour."""
        row = self._slots.find(name_of(section, times.day_of(end)))
        return [] if row is None else self._slots.who_spoke(row, times.hour_index(end))

    def day(self, section: str, day: int) -> Day:
        """A day, with what is new in it and what failed checks take out of it."""
        found = self._days.get((section, day))
        if found is None:
            found = self._days[section, day] = self._finished(section, self._read(section, day))
        return found

    # ---- deriving

    def _read(self, section: str, day: int) -> Day:
        """A day as it was sent, each value with its own reason, before its neighbours are looked at."""
        found = self._raw.get((section, day))
        if found is None:
            found = self._raw[section, day] = self._fresh(section, day)
        return found

    def _fresh(self, section: str, day: int) -> Day:
        shape, date = (24, WIDTH), times.date_of(day)
        row = self._slots.find(name_of(section, day))
        ends = times.day_start(day) + np.arange(1, 25, dtype=np.int64) * times.HOUR_S
        spoken = np.zeros(24, np.bool_)
        if row is None:
            version, meta = np.full(shape, EMPTY, np.int64), np.zeros(shape, np.uint32)
            raw, received = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        else:
            slots = self._slots
            version, raw = slots.versions(row).copy(), slots.values(row).copy()
            received, meta = slots.received(row).copy(), slots.metas(row).copy()
            spoken[slots.periods_spoken(row)] = True
        said = version != EMPTY
        values = np.full(shape, MISSING, np.int64)
        for c in np.flatnonzero(said.any(axis=0)).tolist():
            at = said[:, c]
            values[at, c] = scaled(raw[at, c], meta[at, c], int(PLACES[c]))
        found = Day(
            number=day, date=date, section=self.place(section, day), ends=ends, spoken=spoken,
            in_time=(said & (version >= 0)).any(axis=1), said=said, values=values,
            judged=np.full(shape, MISSING, np.int64), alarm=np.full(shape, MISSING, np.int64),
            below=np.zeros(shape, np.bool_), new=np.zeros(shape, np.bool_), drawn=np.zeros(shape, np.int64),
            doubted=np.zeros(shape, np.bool_), reasons={}, meta=meta, raw=raw, received=received,
        )  # fmt: skip
        self._reasons(found, version)
        self._apply_audits(section, found)
        for c in np.flatnonzero((found.judged != MISSING).any(axis=0)).tolist():
            name = FACTORS[c]
            if name in KNOWN:
                column = found.judged[:, c]
                found.doubted[:, c] = outside_range(name, column, date) | (
                    suspect_zero(name, column, date) & ~found.below[:, c]
                )
        return found

    def _reasons(self, day: Day, version: Ints) -> None:
        """Why each value that was spoken of counts or not."""
        plain = day.said & (version >= 0) & (day.values != MISSING)
        codes = flag_codes(day.meta)
        plain &= (codes == ord("N")) | (codes == ord(blocks.NO_FLAG)) | (codes == 0)
        plain &= ((day.values >= 0) | SIGNED) & (np.abs(np.where(plain, day.values, 0)) <= MOST)
        day.judged[plain] = day.values[plain]
        day.alarm[plain] = day.values[plain]
        for h, c in np.argwhere(day.said & ~plain).tolist():
            day.reasons[h, c] = why = self._why(day, h, c, int(version[h, c]))
            if why == OK:
                day.judged[h, c] = day.alarm[h, c] = day.values[h, c]
                day.below[h, c] = flag_of(int(day.meta[h, c])) == "L"
            elif why == "flag-T":
                day.alarm[h, c] = day.values[h, c]

    def _why(self, day: Day, h: int, c: int, version: int) -> str:
        meta = int(day.meta[h, c])
        flag = flag_of(meta)
        if version < 0:
            return timeliness(int(day.ends[h]), int(day.received[h, c])) or "late"
        if flag == blocks.UNREADABLE:
            return UNREADABLE
        if meta & NO_VALUE == NO_VALUE:
            return NO_VALUE_GIVEN
        if flag == UNIT:
            return WRONG_UNIT
        value = int(day.values[h, c])
        if value < 0 and not SIGNED[c]:
            return NEGATIVE
        if abs(value) > int(MOST[c]):
            return IMPOSSIBLE
        if flag in ("N", blocks.NO_FLAG, "\0"):
            return OK
        use = flag_law.flag(flag, day.date).use
        return OK if use == "valid" or (use == "below" and value > 0) else f"flag-{flag}"

    # ---- audited corrections

    def corrected(self, action: blocks.Action) -> set[tuple[str, int]]:
        """The hours a correction speaks of."""
        first = -(-(action.begin + 1) // times.HOUR_S) * times.HOUR_S
        return {(action.subject, end) for end in range(first, action.end + 1, times.HOUR_S)}

    def _audits_of(self, section: str) -> list[tuple[str, blocks.Action]]:
        if self._audits is None:
            self._audits = {}
            held = sorted(self._judge.decisions("correction"), key=lambda one: (one[1].received, one[1].id))
            for about, action in held:
                if about.part and about.part[0] in COLUMN:
                    self._audits.setdefault(about.subject, []).append((about.part[0], action))
        return self._audits.get(section, [])

    def _apply_audits(self, section: str, day: Day) -> None:
        """An audited value, judged invalid, or what was sent stands although it was flagged."""
        for factor, action in self._audits_of(section):
            c = COLUMN[factor]
            for h in np.flatnonzero((day.ends > action.begin) & (day.ends <= action.end)).tolist():
                word = action.data[factor]
                day.audits[h, c] = action
                day.below[h, c] = False
                if word == INVALID:
                    value = MISSING
                elif word == VALID:
                    value = int(day.values[h, c])
                else:
                    value = fixed.parse(word, int(PLACES[c]), excess="sticky")
                day.judged[h, c] = day.alarm[h, c] = value
                day.reasons[h, c] = OK if value != MISSING else AUDIT
                day.in_time[h] |= value != MISSING

    # ---- neighbours

    def _finished(self, section: str, raw: Day) -> Day:
        """What is new, when it was drawn, and what failed checks take out."""
        before = self._read(section, raw.number - 1)
        own = {name: getattr(raw, name).copy() for name in ("judged", "alarm", "new", "drawn", "reasons")}
        day = replace(raw, **own, checks=None, steps={})
        ends = np.concatenate([before.ends, day.ends])
        for c in np.flatnonzero((raw.alarm != MISSING).any(axis=0)).tolist():
            name = FACTORS[c]
            series = np.concatenate([before.alarm[:, c], raw.alarm[:, c]])
            new = series != MISSING
            if is_wet(name, day.date):
                new = fresh(name, ends, series, day.date)
                shown = shown_since(ends, drawn(name, ends, day.date), new, series)
                day.new[:, c], day.drawn[:, c] = new[24:], shown[24:]
            else:
                day.new[:, c], day.drawn[:, c] = new[24:], day.ends
            if name in KNOWN:
                judged = np.concatenate([before.judged[:, c], raw.judged[:, c]])
                step = jumps(name, ends, judged, day.date, new=new)[24:].astype(np.int64)
                if step.any():
                    day.steps[c] = step
            failed = self._failed(section, name, day.drawn[:, c], day.date)
            failed &= raw.alarm[:, c] != MISSING
            if failed.any():
                day.judged[failed, c] = day.alarm[failed, c] = MISSING
                day.new[failed, c] = False
                for h in np.flatnonzero(failed).tolist():
                    day.reasons[h, c] = QC
        return day

    def _failed(self, section: str, factor: str, drawn_at: Ints, date: dt.date) -> Bools:
        """Results a failed quality check takes out (water.md §4.4)."""
        if self._checks is None:
            self._checks = {}
            for about, action in self._judge.decisions("qc"):
                good = passed(action, times.date_of(times.day_of(action.end)))
                checked = (action.data.get("factor", ""), action.end, good)
                self._checks.setdefault(about.subject, []).append(checked)
        checks = [(at, good) for of, at, good in self._checks.get(section, ()) if of in ("", factor)]
        return invalidated_by_checks(drawn_at, checks, date)

    def days_of_check(self, action: blocks.Action) -> range:
        """Days whose results a quality check may take out or give back: to the neighbouring checks, at most sixty."""
        checks = [a.end for _, a in self._judge.decisions("qc") if a.subject == action.subject]
        before = [at for at in checks if at < action.end]
        after = [at for at in checks if at > action.end]
        day = times.day_of(action.end)
        first = times.day_of(max(before)) if before else day - RESTS_ON
        newest = self._judge.newest_day(action.subject)
        last = times.day_of(min(after)) if after else max(day, newest if newest is not None else day)
        return range(first - 1, last + 1)

    # ---- plausibility

    def plausibility(self, section: str, day: Day, hour: int) -> list[tuple[str, str]]:
        """What the automatic checks find in an hour (water.md §4.5): factor and check, nothing is taken out."""
        if day.checks is None:
            day.checks = self._plausibility(section, day)
        return day.checks.get(hour, [])

    def _plausibility(self, section: str, day: Day) -> dict[int, list[tuple[str, str]]]:
        before = self.day_before(section, day)
        ends = np.concatenate([before.ends, day.ends])
        found: dict[int, list[tuple[str, str]]] = {}

        def note(mask: Bools, factor: str, check: str) -> None:
            for h in np.flatnonzero(mask).tolist():
                found.setdefault(h, []).append((factor, check))

        present: dict[str, Ints] = {}
        for c in np.flatnonzero((day.judged != MISSING).any(axis=0)).tolist():
            name = FACTORS[c]
            if name not in KNOWN:
                continue
            present[name] = day.judged[:, c]
            note(day.doubted[:, c] & (day.judged[:, c] != MISSING), name, "range")
            step = day.steps.get(c, _NO_STEPS)
            note(step == 1, name, "jump")
            note(step == 2, name, "jump-suspect")
            series = np.concatenate([before.judged[:, c], day.judged[:, c]])
            still = _still(name, ends, series, day.date)[24:]
            note(still, name, "constant")
        for check, mask in cross_checks(present, day.date).items():
            note(mask, "", check)
        for h, c in sorted(day.reasons):
            if day.reasons[h, c].startswith("flag-") and not known_flag(flag_of(int(day.meta[h, c])), day.date):
                found.setdefault(h, []).append((FACTORS[c], "unknown-flag"))
        return found

    def day_before(self, section: str, day: Day) -> Day:
        """The day before a day."""
        return self._read(section, day.number - 1)

    # ---- for messages

    def value_text(self, day: Day, hour: int, column: int) -> str | None:
        """A value as it was sent, or as an audit put it."""
        audit = day.audits.get((hour, column))
        if audit is not None and audit.data[FACTORS[column]] not in (INVALID, VALID):
            return audit.data[FACTORS[column]]
        return self.sent_text(day, hour, column)

    def sent_text(self, day: Day, hour: int, column: int) -> str | None:
        """A value as it was sent."""
        return text_of(int(day.raw[hour, column]), int(day.meta[hour, column])) if day.said[hour, column] else None


_NO_STEPS: Final = np.zeros(24, np.int64)


def _still(name: str, ends: Ints, series: Ints, date: dt.date) -> Bools:
    if not ((series[1:] == series[:-1]) & (series[1:] != MISSING)).any():
        return np.zeros(len(ends), np.bool_)
    try:
        return standing_still(name, ends, series, date=date)
    except LookupError:  # no rhythm of its own
        return np.zeros(len(ends), np.bool_)


def known_flag(letter: str, date: dt.date) -> bool:
    """Whether a flag is in the table; of flags of two letters a block carries the first (``dz``: ``d``)."""
    return any(known[:1] == letter for known in flag_law.flags(date))


def gap_s(name: str, date: dt.date) -> int:
    """A longer silence breaks a row of results, seconds."""
    return rhythm_of(name, date).gap * times.HOUR_S
