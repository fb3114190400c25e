"""Who has the duty: the turns of every day out of shifts, holidays and swaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from schemas import times
from schemas.registry.dated import Dated
from schemas.registry.rows import Holiday, Person, Shift, Swap
from schemas.registry.words import LEVELS

_DAY = dt.timedelta(days=1)
_MINUTES = 1_440
_MOST_DAYS_AHEAD = 400
"""How far the next change is looked for: a year, and what a rotation by weeks adds."""
_FALLS_TO = {"officer": ("chief", "director", "officer"), "chief": ("chief",), "director": ("director",)}
"""Whose persons have a duty that nobody has a turn for, in this order. A hole of the officers falls to the chief."""


@dataclass(frozen=True)
class Duty:
    """One turn: ``person`` has the duty from ``start`` until before ``end``, epoch seconds.

    ``instead_of``: whose turn it would have been, "" without a swap.
    """

    shift: str
    role: str
    person: str
    start: int
    end: int
    instead_of: str = ""


@dataclass(frozen=True)
class OnDuty:
    """Who is to be told as officer, chief or director; ``hole``: nobody had the turn, and it fell to these."""

    persons: tuple[str, ...]
    hole: bool = False


class Roster:
    """The turns of any day; a pure function of the registry."""

    def __init__(
        self,
        shifts: Iterable[Shift],
        holidays: Iterable[Holiday],
        swaps: Iterable[Swap],
        persons: Iterable[Person] = (),
    ) -> None:
        self._shifts = Dated(shifts, lambda s: s.id)
        self._roles = {row.role for key in self._shifts for _, _, row in self._shifts.spans(key)}
        self._persons: dict[str, tuple[str, ...]] = {}
        for person in persons:
            self._persons[person.role] = (*self._persons.get(person.role, ()), person.id)
        self._turns: dict[dt.date, tuple[Duty, ...]] = {}
        self._work_on = {h.date: h.work for h in holidays}
        self._swaps: dict[tuple[str, str], list[Swap]] = {}
        for swap in swaps:
            self._swaps.setdefault((swap.shift, swap.person), []).append(swap)

    def is_workday(self, date: dt.date) -> bool:
        """Monday to Friday but holidays, and weekend days that are worked (调休)."""
        return self._work_on.get(date, date.weekday() < 5)

    def turns_of(self, date: dt.date) -> tuple[Duty, ...]:
        """The turns that begin on a date, in the order of the file."""
        found = self._turns.get(date)
        if found is None:
            found = self._turns[date] = self._turns_of(date)
        return found

    def _turns_of(self, date: dt.date) -> tuple[Duty, ...]:
        found = []
        for shift in self._shifts.all_at(date):
            if not shift.persons:
                continue
            if shift.days != "all" and self.is_workday(date) != (shift.days == "workdays"):
                continue
            person = _person_of(shift, date)
            swaps = self._swaps.get((shift.id, person), ())
            substitute = next((s.substitute for s in swaps if s.first <= date <= s.last), "")
            midnight = times.day_start(times.day_number(date))
            end_min = shift.end_min + (_MINUTES if shift.end_min <= shift.start_min else 0)
            found.append(
                Duty(
                    shift=shift.id,
                    role=shift.role,
                    person=substitute or person,
                    start=midnight + shift.start_min * 60,
                    end=midnight + end_min * 60,
                    instead_of=person if substitute else "",
                )
            )
        return tuple(found)

    def duties_at(self, role: str, at_s: int) -> tuple[Duty, ...]:
        """Every turn of a role at an instant (epoch seconds), in the order of the file.

        Two overlap where a registry wants a hand-over, or a second officer.
        """
        today = times.civil(at_s).date()  # no turn is longer than a day: today's and yesterday's are all there are
        both = chain(self.turns_of(today - _DAY), self.turns_of(today))
        order = {key: n for n, key in enumerate(self._shifts)}
        found = [d for d in both if d.role == role and d.start <= at_s < d.end]
        return tuple(sorted(found, key=lambda d: order[d.shift]))

    def duty_at(self, role: str, at_s: int) -> Duty | None:
        """The turn of a role at an instant (epoch seconds): of several the first in the order of the file."""
        return next(iter(self.duties_at(role, at_s)), None)

    def on_duty(self, role: str, at_s: int) -> OnDuty:
        """Who is told as officer, chief or director at an instant (epoch seconds), the first is first in the file.

        Whoever has the turn; for a role without any shift in the registry everybody of that role. Else it is a hole:
        of the officers it falls to the chief, of chief or director to everybody of that role.
        """
        persons = tuple(dict.fromkeys(d.person for d in self.duties_at(role, at_s)))
        if persons:
            return OnDuty(persons)
        if role not in self._roles and role in self._persons:
            return OnDuty(self._persons[role])
        for other in _FALLS_TO[role]:
            persons = self._persons.get(role, ()) if other == role else self.on_duty(other, at_s).persons
            if persons:
                break
        return OnDuty(persons, hole=True)

    def next_change(self, role: str, at_s: int) -> int | None:
        """The next instant (epoch seconds) at which other persons have the duty, or None within 400 days."""
        begin = times.civil(at_s).date() - _DAY
        held = self._held(role, at_s)
        days = (begin + n * _DAY for n in range(_MOST_DAYS_AHEAD))
        bounds: set[int] = set()
        for day in days:
            bounds |= {at for d in self.turns_of(day) if d.role == role for at in (d.start, d.end)}
            midnight = times.day_start(times.day_number(day) + 1)
            for at in sorted(b for b in bounds if at_s < b < midnight):  # the next day's turns begin after it
                if self._held(role, at) != held:
                    return at
            bounds = {b for b in bounds if b >= midnight}
        return None

    def _held(self, role: str, at_s: int) -> tuple[str, ...]:
        return tuple(d.person for d in self.duties_at(role, at_s))

    def holes(self, role: str, first: dt.date, last: dt.date) -> list[tuple[int, int]]:
        """Spans (epoch seconds) without a duty of that role, from the first turn to the end of ``last``."""
        days = (first + n * _DAY for n in range((last - first).days + 1))
        turns = sorted(
            (d.start, d.end) for d in chain.from_iterable(self.turns_of(day) for day in days) if d.role == role
        )
        end = times.day_start(times.day_number(last) + 1)
        found = []
        covered = turns[0][0] if turns else times.day_start(times.day_number(first))
        for start, until in (*turns, (end, end)):
            if start > covered:
                found.append((covered, start))
            covered = max(covered, until)
        return found


def _person_of(shift: Shift, date: dt.date) -> str:
    turn = (date - shift.valid_from).days
    if shift.rotate == "week":
        turn = (turn + shift.valid_from.weekday()) // 7
    return shift.persons[turn % len(shift.persons)]


def reachable_at(person: Person, level: str, at_s: int) -> int | None:
    """When somebody may be told of something of that level: the instant itself, or the end of quiet time.

    Red is told at any time. At the end of a quiet span it is quiet no more; a span whose ends are equal is the whole
    day.

    Args:
        person: with the quiet spans.
        level: blue, yellow, orange or red.
        at_s: epoch seconds.

    Returns:
        Epoch seconds; None when nothing of that level ever reaches this person.
    """
    rank = LEVELS.index(level)
    spans = [q for q in person.quiet if rank <= LEVELS.index(q.up_to)] if level != LEVELS[-1] else []
    at = at_s
    while at < at_s + 2 * times.DAY_S:
        left = max((_left_s(q.start_min, q.end_min, at) for q in spans), default=0)
        if not left:
            return at
        at += left
    return None


def _left_s(start_min: int, end_min: int, at_s: int) -> int:
    """Seconds until a daily span ends, 0 outside it."""
    since = (at_s + times.OFFSET_S - start_min * 60) % times.DAY_S
    length = (end_min - start_min) % _MINUTES * 60 or times.DAY_S
    return max(length - since, 0)
