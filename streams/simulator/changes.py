"""What scenarios do to what is measured: they change the arrays of a day in place, before packets are made.

Every change that somebody must conclude something from *sets* a level, whatever the models had there: the mean of the
day, the converted hour, the share of the rated power. So the conclusion can be written down by hand for every seed.
Sums are exactly rounded (``math.fsum``), so that they are the same on every processor.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from schemas import hj212_codes, times
from schemas.registry import Outlet, Registry
from streams.simulator.world import CYCLE_H, HOURLY, MINUTES, RUNNING, Day, World

if TYPE_CHECKING:
    from streams.simulator.scenarios import Scenario

Floats = npt.NDArray[np.float64]

RAMP_MIN: Final = 180
"""An air level rises and falls within this at both ends of its window."""
WOBBLE: Final = 0.002
"""Hours of a set level differ by this, or they would look like a stuck analyser; always away from the threshold."""
MOST_DAYS_BACK: Final = 400


@dataclass
class Run:
    """What changes may look at, and what they remember from one day to the next."""

    registry: Registry
    world: World
    start: dt.date
    memory: dict[str, Any] = field(default_factory=dict)

    def minutes(self, scenario: Scenario, day: Day) -> tuple[int, int]:
        """The minutes of the day inside the scenario's window; equal when there are none."""
        first = (day.date - self.start).days * MINUTES
        return (min(max(scenario.start_min - first, 0), MINUTES), min(max(scenario.end_min - first, 0), MINUTES))


Change = Callable[["Scenario", Day, Run], None]


# ---- air


def air_level(scenario: Scenario, day: Day, run: Run) -> None:
    """The day's value of a pollutant at every station: the mean, or of O3 the greatest 8-hour mean."""
    low, high = run.minutes(scenario, day)
    if low == high:
        return
    target = float(scenario.level())
    factor = scenario.text("factor")
    ramp = np.ones(MINUTES)
    if (day.date - run.start).days * MINUTES == scenario.start_min:
        ramp = np.minimum(ramp, (np.arange(MINUTES) + 1.0) / RAMP_MIN)
    if (day.date - run.start).days * MINUTES + MINUTES == scenario.end_min:
        ramp = np.minimum(ramp, (MINUTES - np.arange(MINUTES)) / RAMP_MIN)
    for station in stations_of(scenario, run.registry, day.date):
        air = day.air[station]
        for name, share in scenario.decimals("companions").items():
            air[name] = _with_mean(air[name], target * float(share), ramp)
        if factor == "O3":
            air[factor] *= target / _best_8h(air[factor])
        else:
            air[factor] = _with_mean(air[factor], target, ramp)
        for name, most in scenario.decimals("cap").items():
            air[name] = np.minimum(air[name], float(most))
        if factor == "PM10":
            air["PM2.5"] = np.minimum(air["PM2.5"], 0.95 * air["PM10"])
        elif factor == "PM2.5":
            air["PM10"] = np.maximum(air["PM10"], 1.05 * air["PM2.5"])


def stations_of(scenario: Scenario, registry: Registry, date: dt.date) -> Iterator[str]:
    """The stations a scenario names, by themselves or by their area."""
    areas = {a.id for a in registry.areas}
    found = dict.fromkeys(
        station
        for place in scenario.where
        for station in (registry.city_stations(place, date) if place in areas else (place,))
    )
    return iter(found)


def _with_mean(values: Floats, mean: float, ramp: Floats) -> Floats:
    """The shape of the values with another mean, grown most where ``ramp`` is 1."""
    now = math.fsum(values.tolist()) / len(values)
    weight = math.fsum((values * ramp).tolist()) / len(values)
    share = (mean - now) / weight
    return values * (mean / now) if share < -1.0 else values + share * ramp * values


def _best_8h(values: Floats) -> float:
    hours = [math.fsum(hour) / 60 for hour in values.reshape(24, 60).tolist()]
    return max(math.fsum(hours[end - 8 : end]) / 8 for end in range(8, 25))


# ---- outlets


def outlet_level(scenario: Scenario, day: Day, run: Run) -> None:
    """The hourly mean of a factor at an outlet, converted to reference oxygen where the outlet has one."""
    for outlet, low, high in _running(scenario, day, run):
        values = day.outlets[outlet.id][scenario.text("factor")]
        per_c = _converted_share(outlet, day, scenario.text("factor"))
        for nth, begin in enumerate(range(low, high, 60)):
            hour = slice(begin, begin + 60)
            _set_mean(values, hour, per_c[hour], float(scenario.level()) * _away(scenario, nth + low // 60))


def _away(scenario: Scenario, hour: int) -> float:
    """A little further from the threshold, another step every hour."""
    step = WOBBLE * (hour % 4)
    return 1.0 + step if scenario.strength > 1 else 1.0 - step


def _set_mean(values: Floats, part: slice, per_c: Floats, mean: float) -> None:
    now = math.fsum((values[part] * per_c).tolist()) / len(per_c)
    if now > 0.0:
        values[part] *= mean / now
    else:
        values[part] = mean / per_c


def _converted_share(outlet: Outlet, day: Day, factor: str) -> Floats:
    """What a measured value is multiplied by to become the one that is judged."""
    of = hj212_codes.factor_of_name(factor, outlet.medium)
    if outlet.medium != "gas" or outlet.ref_o2_pct is None or of is None or of.unit != "mg/m3":
        return np.ones(MINUTES)
    found: Floats = (21.0 - float(outlet.ref_o2_pct)) / (21.0 - np.minimum(day.outlets[outlet.id]["O2"], 20.9))
    return found


def treatment_off(scenario: Scenario, day: Day, run: Run) -> None:
    """The treatment's power at a share of the rated one, production running at half of its own or more."""
    for outlet, low, high in _running(scenario, day, run):
        share = float(scenario.level())
        for meter in run.registry.meters_at(outlet.id, day.date):
            values = day.outlets[outlet.id][meter.factor]
            if meter.rated is None:
                continue
            if meter.measures == "treatment":
                ripple = 1.0 - WOBBLE * (np.arange(low, high) % 3)  # never above the share
                values[low:high] = float(meter.rated) * share * (ripple if share > 0.0 else 1.0)
            elif meter.measures == "production":
                values[low:high] = np.maximum(values[low:high], 0.5 * float(meter.rated))


def flat_line(scenario: Scenario, day: Day, run: Run) -> None:
    """An analyser that repeats its last value while production goes up and down."""
    for outlet, low, high in _running(scenario, day, run):
        values = day.outlets[outlet.id][scenario.text("factor")]
        key = f"{scenario.name}/{outlet.id}"
        held = run.memory.setdefault(key, float(values[low]))
        values[low:high] = held
        swing = np.abs((np.arange(low, high) % 90) / 45.0 - 1.0)  # 0 to 1 and back in an hour and a half
        for meter in run.registry.meters_at(outlet.id, day.date):
            if meter.measures == "production":
                day.outlets[outlet.id][meter.factor][low:high] *= 0.8 + 0.3 * swing


def clipped(scenario: Scenario, day: Day, run: Run) -> None:
    """Hourly values cut off just under a limit: a share of the hours in [0.95, 1.0) of it, and none above."""
    limit = float(scenario.decimal("limit"))
    share = scenario.level()
    for outlet, low, high in _running(scenario, day, run):
        values = day.outlets[outlet.id][scenario.text("factor")]
        per_c = _converted_share(outlet, day, scenario.text("factor"))
        first = (day.date - run.start).days * 24 - scenario.start_min // 60
        for begin in range(low, high, 60):
            nth = first + begin // 60
            touches = math.ceil((nth + 1) * share) > math.ceil(nth * share)  # the share of any count, or a bit more
            part = (nth * 37 % 24) / 24.0  # neither constant nor rising
            level = limit * ((0.957 + 0.036 * part) if touches else (0.5 + 0.36 * part))
            tremble = 1.0 + 0.004 * np.abs((np.arange(60) % 14) / 7.0 - 1.0) - 0.002
            values[begin : begin + 60] = level * tremble / per_c[begin : begin + 60]


def diluted_o2(scenario: Scenario, day: Day, run: Run) -> None:
    """Air is let in before the analyser: O2 at a level, and concentrations thinned so that converted ones stay.

    It is let in slowly, within an hour at both ends of the window: no step gives it away.
    """
    first = (day.date - run.start).days * MINUTES
    for outlet, low, high in _running(scenario, day, run):
        factors = day.outlets[outlet.id]
        before = factors["O2"][low:high].copy()
        minute = first + np.arange(low, high)
        part = np.minimum(1.0, np.minimum(minute + 1.0 - scenario.start_min, scenario.end_min - minute) / 60.0)
        # O2 never below the level for a strength above 1, never above it for one below
        ripple = WOBBLE * (minute % 5) / 4.0
        level = np.minimum(float(scenario.level()) * (1.0 + ripple if scenario.strength > 1 else 1.0 - ripple), 20.9)
        after = before + part * (level - before)
        factors["O2"][low:high] = after
        for name in outlet.factors:
            of = hj212_codes.factor_of_name(name, outlet.medium)
            if of is not None and of.unit == "mg/m3":
                factors[name][low:high] *= (21.0 - after) / (21.0 - np.minimum(before, 20.9))


def _running(scenario: Scenario, day: Day, run: Run) -> Iterator[tuple[Outlet, int, int]]:
    """The outlets of a scenario with its minutes of the day, which are made minutes of a running plant."""
    low, high = run.minutes(scenario, day)
    if low == high:
        return
    for place in scenario.where:
        outlet = run.registry.outlet_at(place, day.date)
        assert outlet is not None
        _keep_running(day, place, low, high, run.world)
        yield outlet, low, high


def _keep_running(day: Day, outlet: str, low: int, high: int, world: World) -> None:
    """Put running minutes, of this day or the nearest before, where the plant stood or was calibrated."""
    idle = np.flatnonzero(day.state[outlet][low:high] != RUNNING) + low
    if not len(idle):
        return
    donor = day
    for back in range(1, MOST_DAYS_BACK):
        if (donor.state[outlet] == RUNNING).sum() >= 60:
            break
        donor = world.day(day.date - dt.timedelta(days=back))
        if outlet not in donor.state:
            return
    minutes = np.flatnonzero(donor.state[outlet] == RUNNING)
    taken = minutes[np.arange(len(idle)) % len(minutes)]
    for factor, values in day.outlets[outlet].items():
        values[idle] = donor.outlets[outlet][factor][taken]
    day.state[outlet][idle] = RUNNING


# ---- water


def water_level(scenario: Scenario, day: Day, run: Run) -> None:
    """Items of a section at a level, rising at the beginning and falling at the end; downstream after their travel.

    A result of the wet chemistry is of its sample at 00, 04, 08 …: the wave is what it is at that hour.
    """
    start_s = times.day_start(times.day_number(run.start))
    begin_s, end_s = start_s + 60 * scenario.start_min, start_s + 60 * scenario.end_min
    rise_s = min(4 * times.HOUR_S, (end_s - begin_s) // 4)
    first_s = times.day_start(times.day_number(day.date))
    left = float(scenario.decimal("left"))
    for section, lag_s, reaches in downstream(scenario, run.registry, day.date):
        here = run.registry.section_at(section, day.date)
        assert here is not None
        for item, limit in scenario.decimals("thresholds").items():
            if item not in day.water[section]:
                continue
            level = float(limit * scenario.strength) * left**reaches
            wet = item not in HOURLY and not (here.body == "spring" and item == "NO3N")
            values = day.water[section][item]
            for hour in range(24):
                sampled = hour // CYCLE_H * CYCLE_H if wet else hour
                at = first_s + sampled * times.HOUR_S - lag_s
                share = min(1.0, (at - begin_s) / rise_s, (end_s - at) / rise_s)
                if share > 0.0:
                    values[hour] += share * (level - values[hour])


def downstream(scenario: Scenario, registry: Registry, date: dt.date) -> Iterator[tuple[str, int, int]]:
    """Every section a scenario reaches: its id, the probable travel in seconds, and the count of reaches."""
    found = dict.fromkeys(scenario.where, (0, 0))
    queue = list(found)
    while queue:
        upper = queue.pop(0)
        if scenario.flag("travels"):
            for reach in registry.reaches_at(date):
                if reach.upper == upper and reach.lower not in found:
                    lag, count = found[upper]
                    found[reach.lower] = (lag + reach.travel_s()[1], count + 1)
                    queue.append(reach.lower)
    return ((section, lag, count) for section, (lag, count) in found.items())
