"""What is physically true in a district, day by day, for every station, section and outlet.

A day is a function of the registry, the seed and the date: any day can be made without the days before, and nothing
of it is kept. Loggers, scenarios and faults are not here: they take the arrays of a day and change them.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.registry import Registry
from streams.simulator import air
from streams.simulator.chance import Chance, Floats
from streams.simulator.lines import CALIBRATING, MAINTAINING, RUNNING, STANDSTILL, STARTING, STOPPING
from streams.simulator.plants import MINUTES, Plants
from streams.simulator.processes import EXTRACTED, WET
from streams.simulator.river import CYCLE_H, HOURLY, Rivers, Spot, ways
from streams.simulator.weather import Weather

__all__ = [
    "CALIBRATING",
    "CYCLE_H",
    "EXTRACTED",
    "HOURLY",
    "MAINTAINING",
    "MINUTES",
    "RUNNING",
    "STANDSTILL",
    "STARTING",
    "STOPPING",
    "WET",
    "Day",
    "World",
]


@dataclass
class Day:
    """One day; every array is its own and may be changed.

    Attributes:
        date: Beijing date.
        air: by station and factor (SO2 NO2 CO O3 PM10 PM2.5) float64[1440]; minute m is (00:00+m, m+1]; µg/m3, CO
            mg/m3.
        weather: of the district, float64[1440]: ``air_temperature`` °C, ``RH`` %, ``wind_speed`` m/s,
            ``wind_direction`` °, ``pressure`` kPa, ``rain`` mm/h, ``radiation`` W/m2 and those of ``Weather.at``.
        water: by section and item float64[24]: hour h is the value at h:00; wet chemistry stays for a cycle of four
            hours, sampled at 00, 04, 08 ….
        outlets: by outlet and factor float64[1440]: of gas as the analyser measures, dry and standard, before any
            conversion to reference oxygen; with flow, O2, temperature … and every meter of the outlet by its factor,
            in the units of the code table (meters: of the registry).
        state: by outlet uint8[1440]: RUNNING, STARTING, STOPPING, STANDSTILL, CALIBRATING (those of ``EXTRACTED`` and
            ``WET`` read zero, span or standard), MAINTAINING (those of ``EXTRACTED`` and PM read purge air).
        again: the day as it is read a second, a third … time in each minute: noise of single minutes is another, all
            else the same; what changes a day changes these too. Only for loggers that tell several instants a minute.
    """

    date: dt.date
    air: dict[str, dict[str, Floats]]
    weather: dict[str, Floats]
    water: dict[str, dict[str, Floats]]
    outlets: dict[str, dict[str, Floats]]
    state: dict[str, npt.NDArray[np.uint8]]
    again: tuple[Day, ...] = ()


class World:
    """A district under one seed.

    Args:
        registry: who is watched.
        seed: any integer; another seed is another, equally plausible history.
    """

    def __init__(self, registry: Registry, seed: int) -> None:
        self.registry = registry
        self.seed = seed
        self._chance = Chance(seed)
        self._sky = Weather(self._chance)
        self._rivers = Rivers(self._chance, self._sky)
        self._plants = Plants(self._chance, registry)

    def day(self, date: dt.date, readings: int = 1) -> Day:
        """The truth of a day: everything that exists in the registry on it.

        Args:
            date: the day.
            readings: how often a minute of an outlet is read: once, and ``again`` for the others.
        """
        hours = date.toordinal() * 24.0 + (np.arange(float(MINUTES)) + 0.5) / 60.0
        weather = self._sky.at(hours)
        basin = air.basin(self._chance, hours, weather)
        stations = (self.registry.station_at(station, date) for station in self.registry.station_ids())
        draining = self._sky.draining(hours)
        outlets, state = self._plants.day(date, weather, draining)
        found = Day(
            date=date,
            air={
                here.id: air.at_station(self._chance, basin, air.place(self._chance, here.id, here.kind))
                for here in stations
                if here is not None
            },
            weather=weather,
            water=self._rivers.day(date.toordinal(), self._spots(date)),
            outlets=outlets,
            state=state,
        )
        later = (self._plants.day(date, weather, draining, nth) for nth in range(1, readings))
        found.again = tuple(
            dataclasses.replace(copy.deepcopy(found), outlets=outlets, state=state) for outlets, state in later
        )
        return found

    def _spots(self, date: dt.date) -> list[Spot]:
        sections = {}
        for row in self.registry.sections:
            here = self.registry.section_at(row.id, date)
            if here is not None:
                sections[row.id] = here
        edges = [
            (reach.upper, reach.lower, reach.travel_s()[1] / 3600.0)
            for reach in self.registry.reaches_at(date)
            if reach.upper in sections and reach.lower in sections
        ]
        bodies: Mapping[str, str] = {name: here.body for name, here in sections.items()}
        above = ways(sections, bodies, edges)
        spots = []
        for name, here in sections.items():
            target = self.registry.target(name, date)
            owed = target.target_class if target is not None else 3
            spots.append(Spot(name, here.body, owed, here.factors, above[name]))
        return spots
