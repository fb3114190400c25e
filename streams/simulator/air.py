"""The six pollutants at air stations: one district's air, seen by each station in its own way.

Particles, SO2, NO2 and CO fill the air while it stagnates and leave with the fronts; ozone is made in the afternoon
by sun and warmth and is eaten by fresh NO at night. PM10 is PM2.5 and the coarse part, so it is never below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from streams.simulator.chance import Chance, Floats, around, at_least, at_most, grow
from streams.simulator.weather import MEAN_RH, MEAN_TEMPERATURE, day_place, month_place, week_place

# medians by month, January first, µg/m3 (CO mg/m3): a northern industrial district of the 2020s
FINE: Final = (56.0, 48.0, 39.0, 32.0, 25.0, 24.0, 25.0, 23.0, 24.0, 33.0, 45.0, 54.0)
COARSE: Final = (31.0, 32.0, 43.0, 45.0, 37.0, 27.0, 20.0, 18.0, 22.0, 30.0, 35.0, 32.0)
SO2: Final = (21.0, 17.5, 13.5, 11.0, 10.0, 9.0, 7.5, 7.5, 8.5, 10.5, 14.5, 19.5)
NO2: Final = (42.0, 34.0, 33.0, 29.0, 25.0, 22.0, 19.0, 20.0, 27.0, 34.0, 40.0, 43.0)
CO: Final = (1.15, 1.0, 0.8, 0.65, 0.6, 0.6, 0.62, 0.62, 0.65, 0.75, 0.95, 1.1)
NIGHT_OZONE: Final = (37.0, 49.0, 66.0, 80.0, 87.0, 88.0, 82.0, 73.0, 57.0, 42.0, 33.0, 30.0)
NOON_OZONE: Final = (22.0, 29.0, 38.0, 55.0, 70.0, 84.0, 78.0, 73.0, 61.0, 43.0, 26.0, 18.0)
HEATING: Final = (1.0, 1.0, 0.6, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.8, 1.0)
WEEKEND: Final = (1.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.6)  # Sunday first
# by hour, 0:00 first
TRAFFIC: Final = (0.86, 0.78, 0.72, 0.69, 0.7, 0.76, 0.9, 1.08, 1.2, 1.2, 1.12, 1.05,
                  1.0, 0.96, 0.95, 0.98, 1.05, 1.16, 1.24, 1.24, 1.18, 1.1, 1.02, 0.94)  # fmt: skip
FINE_DAY: Final = (0.03, 0.01, 0.0, -0.02, -0.04, -0.06, -0.06, -0.03, 0.02, 0.07, 0.09, 0.08,
                   0.06, 0.02, -0.02, -0.05, -0.05, -0.02, 0.02, 0.06, 0.08, 0.08, 0.07, 0.05)  # fmt: skip
COARSE_DAY: Final = (0.05, 0.0, -0.06, -0.1, -0.12, -0.12, -0.08, 0.0, 0.07, 0.1, 0.08, 0.02,
                     -0.05, -0.1, -0.12, -0.1, -0.05, 0.02, 0.1, 0.15, 0.16, 0.14, 0.12, 0.09)  # fmt: skip
FUMIGATION: Final = (0.86, 0.83, 0.81, 0.8, 0.8, 0.82, 0.87, 0.96, 1.08, 1.2, 1.28, 1.28,
                     1.22, 1.14, 1.07, 1.01, 0.98, 0.97, 0.98, 1.0, 1.0, 0.98, 0.94, 0.9)  # fmt: skip
OZONE_DAY: Final = (0.36, 0.29, 0.22, 0.16, 0.11, 0.07, 0.03, 0.01, 0.0, 0.06, 0.17, 0.31,
                    0.47, 0.63, 0.78, 0.9, 0.98, 1.0, 0.97, 0.9, 0.79, 0.67, 0.56, 0.46)  # fmt: skip
EATEN: Final = (0.56, 0.58, 0.6, 0.62, 0.64, 0.67, 0.7, 0.74, 0.74, 0.64, 0.46, 0.27,
                0.12, 0.04, 0.0, 0.0, 0.0, 0.05, 0.13, 0.24, 0.35, 0.44, 0.5, 0.53)  # fmt: skip
# what a place adds: fine, coarse, SO2, NO2, CO as factors, and how much of the night's ozone is eaten there
KINDS: Final = {
    "city": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "township": (0.96, 1.02, 0.95, 0.82, 0.95, 0.95),
    "regional": (0.86, 0.85, 0.8, 0.68, 0.85, 0.85),
    "background": (0.66, 0.62, 0.55, 0.4, 0.65, 0.7),
    "traffic": (1.08, 1.22, 1.05, 1.35, 1.25, 1.12),
    "pollution": (1.12, 1.18, 1.45, 1.2, 1.2, 1.05),
}


@dataclass(frozen=True)
class Place:
    """What is constant of a station."""

    name: str
    fine: float
    coarse: float
    so2: float
    no2: float
    co: float
    eaten: float


def place(chance: Chance, station: str, kind: str) -> Place:
    """The constants of a station of one of the registry's kinds."""
    factors = KINDS.get(kind, KINDS["city"])
    own = [factor * chance.between(f"{station}/level", 0.93, 1.07, nth) for nth, factor in enumerate(factors)]
    return Place(station, *own)


@dataclass(frozen=True)
class Basin:
    """What all stations of the district share at the same times; exponents and µg/m3."""

    hours: Floats
    fine: Floats
    coarse: Floats
    so2: Floats
    no2: Floats
    co: Floats
    ozone: Floats
    titration: Floats
    dust: Floats
    own: Floats
    """How much of its own a station has: still air is the same air everywhere."""


def basin(chance: Chance, hours: Floats, weather: dict[str, Floats]) -> Basin:
    """The air of the district.

    Args:
        chance: whose numbers.
        hours: float64[N] as of ``Weather.at``.
        weather: what that returned for them.
    """
    month, day = month_place(hours), day_place(hours)
    still = weather["stagnation"] - 0.36
    shallow = 0.38 - weather["mixing"]
    washed = np.minimum(weather["rain"], 3.0) / 3.0
    breeze = np.minimum(weather["wind_speed"], 7.0) - 2.2
    quiet = around(WEEKEND, week_place(hours))
    heat = around(HEATING, month)
    long = chance.layers("air/long", hours, ((60.0, 0.12), (16.0, 0.30)))
    damp = np.minimum(weather["RH"], 92.0) - around(MEAN_RH, month)
    fine = (
        1.55 * still
        + 0.05 * shallow * (0.4 + heat)
        + 0.004 * damp
        - 0.045 * breeze
        - 0.45 * washed
        + around(FINE_DAY, day)
        + long
        + chance.layers("air/fine", hours, ((8.0, 0.2), (3.0, 0.07)))
        - 0.02 * quiet
    )
    coarse = (
        0.55 * still
        - 0.011 * damp
        + 0.1 * breeze
        - 0.8 * washed
        + around(COARSE_DAY, day)
        + 0.4 * long
        + chance.layers("air/coarse", hours, ((26.0, 0.22), (8.0, 0.2), (2.5, 0.14)))
        - 0.06 * quiet
    )
    so2 = 0.75 * still + chance.layers("air/SO2", hours, ((26.0, 0.25), (9.0, 0.18), (3.0, 0.12)))
    no2 = (
        0.85 * still
        + 0.42 * shallow
        - 0.05 * breeze
        + 0.45 * long
        + chance.layers("air/NO2", hours, ((20.0, 0.2), (6.0, 0.14)))
        - 0.08 * quiet
    )
    co = 0.95 * still + 0.12 * shallow + 0.6 * long + chance.layers("air/CO", hours, ((18.0, 0.18), (5.0, 0.1)))
    warm = (weather["air_temperature"] - around(MEAN_TEMPERATURE, month)) / 10.0
    mood = grow(chance.layers("air/O3", hours, ((48.0, 0.14), (15.0, 0.24))))
    sun = 1.15 - 0.7 * weather["cloud"]
    made = around(NOON_OZONE, month) * around(OZONE_DAY, day) * sun * np.maximum(1.0 + 0.5 * warm, 0.2)
    ozone = (around(NIGHT_OZONE, month) + made) * mood
    ozone = ozone + chance.layers("air/O3 short", hours, ((6.0, 5.0), (2.0, 2.5)))
    titration = around(NIGHT_OZONE, month) * around(EATEN, day) * (0.35 + 1.3 * weather["stagnation"])
    return Basin(
        hours, fine, coarse, so2, no2, co, ozone, titration, weather["dust"], 1.12 - 0.75 * weather["stagnation"]
    )


def at_station(chance: Chance, air: Basin, here: Place) -> dict[str, Floats]:
    """The six at one station; float64[N], µg/m3, CO mg/m3, as its instruments see them."""
    hours, month, day = air.hours, month_place(air.hours), day_place(air.hours)
    name = here.name
    near = chance.layers(name, hours, ((12.0, 0.1), (4.0, 0.1), (1.2, 0.09), (0.5, 0.06))) * air.own
    speck = chance.bell(f"{name}/minute", np.rint(hours * 60.0 - 0.5).astype(np.int64))
    fine = at_most(around(FINE, month) * here.fine * grow(air.fine + near), 340.0, 20.0)
    fine = fine * (1.0 + 0.025 * speck) + 0.8
    own = chance.layers(f"{name}/coarse", hours, ((8.0, 0.14), (2.0, 0.14), (0.6, 0.09)))
    coarse = around(COARSE, month) * here.coarse * grow(air.coarse + 0.4 * near + own) + air.dust * grow(0.35 * own)
    traffic = around(TRAFFIC, day)
    own = chance.layers(f"{name}/NO2", hours, ((10.0, 0.14), (3.0, 0.13), (0.8, 0.09)))
    no2 = at_most(around(NO2, month) * here.no2 * traffic * grow(air.no2 + 0.5 * near + own * air.own), 170.0, 20.0)
    own = chance.layers(f"{name}/SO2", hours, ((12.0, 0.14), (3.0, 0.17), (0.7, 0.13)))
    so2 = around(SO2, month) * here.so2 * around(FUMIGATION, day) * grow(air.so2 + 0.4 * near + own * air.own)
    own = chance.layers(f"{name}/CO", hours, ((10.0, 0.1), (2.0, 0.1), (0.6, 0.07)))
    co = around(CO, month) * here.co * (0.5 + 0.5 * traffic) * grow(air.co + 0.6 * near + own)
    eaten = air.titration * here.eaten * (0.35 + 0.65 * no2 / (around(NO2, month) * here.no2))
    own = chance.layers(f"{name}/O3", hours, ((8.0, 4.5), (2.0, 3.0), (0.6, 1.8)))
    # by day too: where more NO2 is made, less ozone is left
    eaten = eaten + 0.22 * (no2 - around(NO2, month) * here.no2)
    ozone = at_least(air.ozone * (1.06 - 0.06 * here.eaten) - eaten + own, 4.0 * grow(0.08 * own), 8.0)
    ozone = at_most(ozone, 360.0, 20.0)
    flutter = chance.bell(f"{name}/flutter", np.rint(hours * 60.0 - 0.5).astype(np.int64))
    return {
        "SO2": at_least(so2 + 0.35 * flutter, 2.0, 0.8),
        "NO2": at_least(no2 * (1.0 + 0.015 * flutter), 2.0, 1.0),
        "CO": np.maximum(co * (1.0 + 0.01 * speck), 0.1),
        "O3": ozone * (1.0 - 0.012 * flutter),
        "PM10": fine + coarse * (1.0 + 0.02 * flutter),
        "PM2.5": fine,
    }
