"""How the production lines run: load by the hour and day, stops, standstills, starts.

A line is what stops together: a sinter machine with head and tail, a kiln, a boiler. A stop lets the fire die over
70 minutes, a start lets it catch over 70; fans and treatment run before and after it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.registry import Outlet, Registry
from streams.simulator.chance import Chance, Floats, around, smooth
from streams.simulator.processes import HABITS, LINE_HEAD, Habit
from streams.simulator.weather import day_place, week_place

RUNNING, STARTING, STOPPING, STANDSTILL, CALIBRATING, MAINTAINING = range(6)
"""What an outlet is doing; in the last two its analysers are, while the plant runs on."""

FIRE_H: Final = 1.17
FANS_FIRST_H: Final = 0.25
IDLE_POWER: Final = 0.013  # lights and heating, of the rated power
IDLE_AIR: Final = 0.01  # natural draught, of the full flow

# share of the usual load by hour, 0:00 first
SHAPES: Final[Mapping[str, Sequence[float]]] = {
    "grid": (0.78, 0.74, 0.72, 0.71, 0.72, 0.76, 0.84, 0.92, 0.98, 1.02, 1.03, 1.02,
             0.98, 0.95, 0.94, 0.96, 1.0, 1.08, 1.13, 1.13, 1.1, 1.03, 0.94, 0.85),
    "night": (1.06, 1.06, 1.06, 1.06, 1.06, 1.06, 1.05, 1.02, 0.97, 0.94, 0.93, 0.93,
              0.95, 0.95, 0.94, 0.94, 0.94, 0.93, 0.93, 0.94, 0.97, 1.02, 1.05, 1.06),
    "town": (0.9, 0.8, 0.72, 0.67, 0.65, 0.67, 0.76, 0.92, 1.06, 1.13, 1.15, 1.14,
             1.13, 1.1, 1.05, 1.02, 1.01, 1.03, 1.1, 1.18, 1.21, 1.18, 1.1, 1.0),
    "shift": (0.8, 0.78, 0.77, 0.77, 0.78, 0.8, 0.86, 0.95, 1.06, 1.12, 1.14, 1.1,
              1.04, 1.07, 1.13, 1.14, 1.12, 1.08, 1.02, 1.0, 0.98, 0.94, 0.88, 0.83),
}  # fmt: skip
SUNDAY: Final[Mapping[str, float]] = {"town": 0.07, "shift": 0.15, "night": 0.04, "grid": 0.05}
"""What is missing on Sundays."""
ONLY_SUNDAY: Final = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2)


@dataclass(frozen=True)
class Course:
    """One line on one day, by minute.

    Attributes:
        state: RUNNING, STARTING, STOPPING or STANDSTILL.
        load: what it would run at, share of the full load.
        power: share of the rated power of production.
        air: share of the full flow.
        fire: 0 cold, 1 burning as it should.
        treated: whether the treatment runs.
    """

    state: npt.NDArray[np.uint8]
    load: Floats
    power: Floats
    air: Floats
    fire: Floats
    treated: npt.NDArray[np.bool_]


def lines_of(registry: Registry) -> dict[str, str]:
    """Line of every outlet: the nth sinter head of an enterprise and its nth tail are one line."""
    found: dict[str, str] = {}
    count: dict[tuple[str, str], int] = {}
    for outlet in registry.outlets:
        if outlet.id not in found:
            key = (outlet.enterprise, outlet.process)
            count[key] = count.get(key, 0) + 1
            head = LINE_HEAD.get(outlet.process, outlet.process)
            found[outlet.id] = f"{outlet.enterprise}/{head}/{count[key]}"
    return found


def course(chance: Chance, line: str, outlet: Outlet, industry: str, hours: Floats, draining: Floats) -> Course:
    """How a line runs.

    Args:
        chance: whose numbers.
        line: its name, as of ``lines_of``.
        outlet: one of its outlets.
        industry: of the enterprise.
        hours: float64[N] as of ``Weather.at``.
        draining: rain that runs into sewers at those times, mm/h.
    """
    head = LINE_HEAD.get(outlet.process, outlet.process)
    habit = HABITS[head]
    load = _load(chance, line, habit, hours, draining)
    state = np.full(len(hours), RUNNING, np.uint8)
    power, air, fire = load, 0.08 + 0.92 * load, np.ones(len(hours))
    treated = np.ones(len(hours), np.bool_)
    for begin, end in _stops(chance, line, habit, _rests(industry, head, hours[0]), hours):
        # begin: the fire is out; end: the fans start
        falling = (hours > begin - habit.stop_h) & (hours <= begin)
        still = (hours > begin) & (hours <= end)
        rising = (hours > end) & (hours <= end + habit.start_h)
        state[falling], state[still], state[rising] = STOPPING, STANDSTILL, STARTING
        lit = end + FANS_FIRST_H
        left = smooth((begin - hours) / habit.stop_h)
        risen = smooth((hours - lit) / max(habit.start_h - FANS_FIRST_H, FIRE_H))
        fire = np.where(falling, smooth((begin - hours) / FIRE_H), fire)
        fire = np.where(rising, smooth((hours - lit) / FIRE_H), np.where(still, 0.0, fire))
        share = np.where(falling, left, np.where(rising, risen, 1.0))
        power = np.where(still, IDLE_POWER, 0.04 + (power - 0.04) * share)
        air = np.where(still, IDLE_AIR, 0.12 + (air - 0.12) * share)
        treated &= (hours <= begin + 0.25) | (hours > end - 0.25)
    return Course(state, load, power, air, fire, treated)


def _load(chance: Chance, line: str, habit: Habit, hours: Floats, draining: Floats) -> Floats:
    moves = chance.layers(f"{line}/load", hours, ((40.0, 0.03), (7.0, 0.018), (1.2, 0.012), (0.15, 0.006)))
    share = habit.load * (1.0 - SUNDAY.get(habit.shape, 0.0) * around(ONLY_SUNDAY, week_place(hours)))
    if habit.shape in SHAPES:
        share = share * around(SHAPES[habit.shape], day_place(hours))
    if habit.shape in ("town", "shift"):
        share = share * (1.0 + 1.5 * moves)
        if habit.shape == "town":
            share = share + 0.06 * np.minimum(draining, 3.0)
        return np.minimum(np.maximum(share, 0.2), 1.08)
    if habit.beat_min:
        beat = hours * 60.0 / habit.beat_min
        moves = moves + habit.beat * (4.0 * np.abs(beat - np.rint(beat)) - 1.0)  # a triangle from -1 to 1
    low = smooth((chance.noise(f"{line}/low", hours, 36.0) - 1.25) / 0.6)
    return np.minimum(np.maximum(share + moves - 0.2 * low, 0.5), 1.02)


def _stops(
    chance: Chance, line: str, habit: Habit, rests: Sequence[tuple[float, float]], hours: Floats
) -> list[tuple[float, float]]:
    """Standstills that touch the times, with their stops and starts: first and last hour of each."""
    found = list(rests)
    if habit.every_d:
        every = habit.every_d * 24.0
        for number in range(int(hours[0] // every) - 1, int(hours[-1] // every) + 2):
            begin = (number + chance.between(f"{line}/stop", 0.2, 0.8, number)) * every
            end = begin + chance.between(f"{line}/down", *habit.down_h, number)
            if all(end + 48.0 < first or last + 48.0 < begin for first, last in rests):
                found.append((begin, end))
    return [
        (begin, end)
        for begin, end in found
        if begin - habit.stop_h < hours[-1] and end + max(habit.start_h, 1.0) > hours[0]
    ]


def _rests(industry: str, head: str, hour: float) -> Sequence[tuple[float, float]]:
    """Standstills by the calendar: kilns of cement rest in deep winter, heating boilers from spring to autumn."""
    year = dt.date.fromordinal(int(hour // 24.0)).year
    if head == "cement_kiln_tail":
        return [_span(dt.date(y, 12, 20), dt.date(y + 1, 2, 25)) for y in (year - 1, year)]
    if industry == "boiler":
        return [_span(dt.date(y, 4, 5), dt.date(y, 10, 28)) for y in (year - 1, year, year + 1)]
    return []


def _span(first: dt.date, last: dt.date) -> tuple[float, float]:
    return first.toordinal() * 24.0 + 8.0, last.toordinal() * 24.0 + 6.0
