"""Who has the duty: the turns of every day out of shifts, holidays and swaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from schemas import times
from schemas.registry.dated import Dated
from schemas.registry.rows import Holiday, Shift, Swap

_DAY = dt.timedelta(days=1)
_MINUTES = 1_440


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


class Roster:
    """The turns of any day; a pure function of the registry."""

    def __init__(self, shifts: Iterable[Shift], holidays: Iterable[Holiday], swaps: Iterable[Swap]) -> None:
        self._shifts = Dated(shifts, lambda s: s.id)
        self._work_on = {h.date: h.work for h in holidays}
        self._swaps: dict[tuple[str, str], list[Swap]] = {}
        for swap in swaps:
            self._swaps.setdefault((swap.shift, swap.person), []).append(swap)

    def is_workday(self, date: dt.date) -> bool:
        """Monday to Friday but holidays, and weekend days that are worked (调休)."""
        return self._work_on.get(date, date.weekday() < 5)

    def turns_of(self, date: dt.date) -> tuple[Duty, ...]:
        """The turns that begin on a date, in the order of the file."""
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
