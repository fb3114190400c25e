"""The weather of the district: seasons, days, and fronts that pass every few days.

Between two fronts the air stagnates and fills up; a front brings wind, often rain, in spring now and then dust, and
empties it. Figures are those of a basin of south-eastern Shanxi at 900 m.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from streams.simulator.chance import Chance, Floats, Ints, around, at_most, grow, smooth

FRONT_EVERY_H: Final = 104.0
FRONT_SPREAD: Final = 0.45  # of the interval, to either side: intervals of 10 to 198 hours
YEAR_DAYS: Final = 365.2425
DRAIN_H: Final = 5

# by month, January first
MEAN_TEMPERATURE: Final = (-5.0, -1.5, 5.0, 12.2, 17.6, 21.5, 23.2, 21.6, 16.8, 10.8, 3.4, -3.0)
DAY_SWING: Final = (5.6, 5.6, 5.8, 6.2, 6.2, 5.6, 4.4, 4.3, 4.8, 5.4, 5.4, 5.4)
MEAN_RH: Final = (52.0, 50.0, 48.0, 46.0, 51.0, 60.0, 75.0, 79.0, 74.0, 65.0, 59.0, 54.0)
MEAN_WIND: Final = (1.9, 2.2, 2.5, 2.6, 2.4, 2.1, 1.7, 1.6, 1.6, 1.7, 1.9, 1.9)
NOON_RADIATION: Final = (480.0, 600.0, 740.0, 850.0, 920.0, 940.0, 880.0, 810.0, 720.0, 620.0, 510.0, 440.0)
HALF_DAY_H: Final = (4.9, 5.4, 6.0, 6.6, 7.1, 7.3, 7.2, 6.8, 6.2, 5.6, 5.1, 4.8)
FRONT_RAINS: Final = (0.16, 0.22, 0.3, 0.36, 0.42, 0.5, 0.68, 0.66, 0.58, 0.42, 0.26, 0.15)
FRONT_RAIN_MM_H: Final = (0.2, 0.3, 0.45, 0.6, 0.75, 1.0, 1.5, 1.45, 1.05, 0.7, 0.45, 0.25)
STORM_A_DAY: Final = (0.0, 0.0, 0.0, 0.01, 0.04, 0.09, 0.13, 0.11, 0.04, 0.01, 0.0, 0.0)
DUST_A_FRONT: Final = (0.0, 0.06, 0.22, 0.28, 0.14, 0.0, 0.0, 0.0, 0.0, 0.03, 0.05, 0.0)
# by hour, 0:00 first
WARMTH: Final = (-0.62, -0.7, -0.78, -0.86, -0.94, -1.0, -0.98, -0.8, -0.45, -0.05, 0.32, 0.62,
                 0.82, 0.95, 1.0, 0.98, 0.88, 0.66, 0.38, 0.12, -0.1, -0.27, -0.41, -0.52)  # fmt: skip
BREEZE: Final = (0.78, 0.76, 0.74, 0.73, 0.72, 0.72, 0.73, 0.78, 0.86, 0.97, 1.08, 1.18,
                 1.27, 1.34, 1.38, 1.38, 1.33, 1.22, 1.08, 0.97, 0.9, 0.86, 0.82, 0.8)  # fmt: skip
MIXING: Final = (0.05, 0.04, 0.03, 0.02, 0.01, 0.0, 0.0, 0.04, 0.16, 0.34, 0.54, 0.73,
                 0.87, 0.96, 1.0, 0.99, 0.92, 0.74, 0.5, 0.32, 0.21, 0.14, 0.1, 0.07)  # fmt: skip


def month_place(hours: Floats) -> Floats:
    """Where in the tables of months the times stand."""
    return (hours / (24.0 * YEAR_DAYS) * 12.0) - 0.5


def day_place(hours: Floats) -> Floats:
    """Where in the tables of hours the times stand."""
    day: Floats = hours - np.floor(hours / 24.0) * 24.0
    return day


def week_place(hours: Floats) -> Floats:
    """Where in a table of seven days the times stand, whose entries hold at noon; Sunday first."""
    return hours / 24.0 - 0.5  # the days of ordinal 0, 7, 14 … are Sundays


class Weather:
    """The weather of one seed at any time."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def _fronts(self, hours: Floats) -> tuple[Ints, Floats]:
        """Numbers and times of the fronts from before the first time to after the last."""
        first, last = int(hours[0] // FRONT_EVERY_H) - 2, int(hours[-1] // FRONT_EVERY_H) + 2
        number = np.arange(first, last + 1)
        jitter = (2.0 * self.chance.uniform("front/time", number) - 1.0) * FRONT_SPREAD
        return number, (number + 0.5 + jitter) * FRONT_EVERY_H

    def at(self, hours: Floats) -> dict[str, Floats]:
        """The weather at times.

        Args:
            hours: float64[N], hours since the day of ordinal 0, Beijing time; ascending.

        Returns:
            float64[N] each: ``air_temperature`` °C, ``RH`` %, ``wind_speed`` m/s, ``wind_direction`` °, ``pressure``
            kPa, ``rain`` mm/h, ``radiation`` W/m2, ``cloud`` 0..1, ``mixing`` 0..1 (depth of the mixed layer),
            ``stagnation`` 0..1, ``dust`` µg/m3 of coarse dust from afar.
        """
        chance, month, day = self.chance, month_place(hours), day_place(hours)
        number, times = self._fronts(hours)
        last = np.searchsorted(times, hours, side="right") - 1
        since, until = hours - times[last], times[last + 1] - hours
        strength = 0.35 + 0.65 * chance.uniform("front/strength", number)
        # how still the air becomes before the next front differs from one to the next
        still = 0.15 + 0.85 * chance.uniform("front/still", number)
        built = still[last] * (1.0 - grow(-since / 40.0))
        length = times[last] - times[last - 1]
        before = still[last - 1] * (1.0 - grow(-length / 40.0))
        swept = smooth(since / (14.0 - 7.0 * strength[last]))
        stagnation = built * swept + before * (1.0 - swept)
        gust = strength[last] * swept * grow(-since / 11.0)
        rain = self._rain(hours, number, times)
        cloud = np.minimum(
            np.maximum(
                0.38
                + 0.2 * chance.layers("cloud", hours, ((22.0, 1.0), (5.0, 0.5)))
                + 0.3 * grow(-until / 10.0)
                - 0.15 * gust
                + 0.4 * np.minimum(rain, 1.0),
                0.0,
            ),
            1.0,
        )
        clear = 1.0 - 0.7 * cloud
        warmth = around(WARMTH, day) * around(DAY_SWING, month) * (0.45 + 0.55 * clear / 0.73)
        temperature = (
            around(MEAN_TEMPERATURE, month)
            + warmth
            + 3.0 * (stagnation - 0.4)
            - 4.5 * strength[last] * swept * grow(-since / 45.0)
            + chance.layers("temperature", hours, ((60.0, 1.6), (9.0, 0.5), (0.5, 0.12)))
            - 1.2 * np.minimum(rain, 1.5)
        )
        humidity = at_most(
            around(MEAN_RH, month)
            - 2.2 * warmth
            + 14.0 * (stagnation - 0.35)
            - 16.0 * gust
            + 16.0 * np.minimum(rain, 1.0)
            + chance.layers("RH", hours, ((30.0, 7.0), (4.0, 2.0), (0.4, 0.5))),
            99.0,
            4.0,
        )
        wind = (
            around(MEAN_WIND, month)
            * around(BREEZE, day)
            * (1.15 - 0.5 * stagnation + 1.5 * gust)
            * grow(chance.layers("wind", hours, ((8.0, 0.22), (1.5, 0.14), (0.1, 0.1))))
        )
        half = around(HALF_DAY_H, month)
        height = (day - 12.4) / half
        radiation = np.maximum(1.0 - height * height, 0.0) * around(NOON_RADIATION, month) * clear
        mixing = around(MIXING, day) * (0.35 + 0.65 * clear) + 0.3 * gust + 0.045 * chance.noise("mixing", hours, 6.0)
        direction = 360.0 * (0.6 + 0.35 * gust + 0.14 * chance.layers("direction", hours, ((14.0, 1.0), (1.0, 0.35))))
        pressure = 91.2 - 0.03 * (temperature - 10.0) + 0.35 * chance.noise("pressure", hours, 50.0) + 0.4 * gust
        dust_here = chance.uniform("front/dust", number) < around(DUST_A_FRONT, month_place(times))
        size = np.where(dust_here, 110.0 + 330.0 * chance.uniform("front/dust size", number), 0.0)
        dust = size[last] * smooth(since / 5.0) * grow(-since / 13.0) * 1.6
        return {
            "air_temperature": temperature,
            "RH": np.maximum(humidity, 9.0),
            "wind_speed": wind + 0.2,
            "wind_direction": direction - np.floor(direction / 360.0) * 360.0,
            "pressure": pressure,
            "rain": rain,
            "radiation": radiation,
            "cloud": cloud,
            "mixing": np.minimum(np.maximum(mixing, 0.0), 1.3),
            "stagnation": stagnation,
            "dust": dust,
        }

    def rain(self, hours: Floats) -> Floats:
        """Rain alone at times, mm/h."""
        return self._rain(hours, *self._fronts(hours))

    def draining(self, hours: Floats) -> Floats:
        """Rain of the last five hours that runs into the sewers at times, mm/h."""
        total = np.zeros(len(hours))
        for ago_h in range(DRAIN_H):
            total = total + self.rain(hours - ago_h) * (DRAIN_H - ago_h)
        return total * (2.0 / (DRAIN_H * (DRAIN_H + 1)))

    def _rain(self, hours: Floats, number: Ints, times: Floats) -> Floats:
        chance = self.chance
        month = month_place(times)
        falls = chance.uniform("rain/falls", number) < around(FRONT_RAINS, month)
        length = 5.0 + 17.0 * chance.uniform("rain/length", number)
        begin = times - 0.6 * length * chance.uniform("rain/begin", number)
        amount = around(FRONT_RAIN_MM_H, month) * (0.3 + 1.4 * chance.uniform("rain/amount", number))
        rain = _showers(hours, begin, length, np.where(falls, amount, 0.0))
        days: Ints = np.arange(int(hours[0] // 24.0) - 1, int(hours[-1] // 24.0) + 1)
        midnight = days.astype(np.float64) * 24.0
        falls = chance.uniform("storm/falls", days) < around(STORM_A_DAY, month_place(midnight))
        begin = midnight + 13.5 + 6.0 * chance.uniform("storm/begin", days)
        length = 0.8 + 1.9 * chance.uniform("storm/length", days)
        amount = np.where(falls, 3.0 + 13.0 * chance.uniform("storm/amount", days), 0.0)
        rain = rain + _showers(hours, begin, length, amount)
        return rain * np.maximum(1.0 + 0.6 * chance.noise("rain/gusts", hours, 0.4), 0.05)


def _showers(hours: Floats, begin: Floats, length: Floats, amount: Floats) -> Floats:
    """Rain of several showers, each swelling and ebbing; mm/h with the mean ``amount``."""
    rain = np.zeros(len(hours))
    for nth in np.flatnonzero(amount > 0.0):
        low, high = np.searchsorted(hours, (begin[nth], begin[nth] + length[nth]))
        share = (hours[low:high] - begin[nth]) / length[nth]
        rain[low:high] += amount[nth] * 6.0 * share * (1.0 - share)
    return rain
