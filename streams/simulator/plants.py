"""What the analysers and meters of stacks and waste-water outlets show.

A pollutant is drawn as the converted concentration, well inside the strictest limit of the outlet, and then diluted to
the oxygen that is there: a start-up at 20.9 % O2 has thin flue gas and no exceedance. Once a night the analysers
calibrate; every other week somebody maintains them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.hj212_codes import factor_of_name
from schemas.registry import Meter, Outlet, Registry
from schemas.units import UnitError, ratio
from streams.simulator.chance import Chance, Floats, Ints, around, at_least, at_most, grow
from streams.simulator.lines import CALIBRATING, MAINTAINING, RUNNING, STANDSTILL, Course, course, lines_of
from streams.simulator.processes import EXTRACTED, HABITS, USUAL_GAS, USUAL_INLET, USUAL_WATER, WET
from streams.simulator.weather import month_place

MINUTES: Final = 1440
CALIBRATION_MIN: Final = 12
"""Zero gas, span gas, flushing: inside one hour, which keeps 48 good minutes."""
RESULT_MIN: Final = 30
"""The wet analysers of waste water give a result every half hour and hold it."""
NO_OF_NO2: Final = 30.006 / 46.005
SEWAGE_TEMPERATURE: Final = (11.5, 11.8, 13.5, 16.5, 19.5, 22.5, 24.5, 25.0, 23.0, 20.0, 16.5, 13.0)

States = npt.NDArray[np.uint8]


class Plants:
    """All outlets of one seed and registry."""

    def __init__(self, chance: Chance, registry: Registry) -> None:
        self.chance = chance
        self.registry = registry
        self.lines = lines_of(registry)

    def day(
        self, date: dt.date, weather: Mapping[str, Floats], draining: Floats, reading: int = 0
    ) -> tuple[dict[str, dict[str, Floats]], dict[str, States]]:
        """Every outlet's factors and meters, and its state; see ``world.Day``.

        Args:
            date: the day.
            weather: of its minutes.
            draining: float64[1440], rain that runs into the sewers, mm/h.
            reading: which of a minute's readings: each has noise of single minutes of its own.
        """
        hours = date.toordinal() * 24.0 + (np.arange(float(MINUTES)) + 0.5) / 60.0
        values: dict[str, dict[str, Floats]] = {}
        states: dict[str, States] = {}
        courses: dict[str, Course] = {}
        for outlet_id, line in self.lines.items():
            outlet = self.registry.outlet_at(outlet_id, date)
            if outlet is None:
                continue
            if line not in courses:
                industry = self.registry.enterprise(outlet.enterprise).industry
                courses[line] = course(self.chance, line, outlet, industry, hours, draining)
            here = _Outlet(self.chance, outlet, self._levels(outlet, date), courses[line], date, hours, reading)
            found = here.stack(weather) if outlet.medium == "gas" else here.water()
            here.look_after(found)
            for meter in self.registry.meters_at(outlet_id, date):
                found[meter.factor] = here.meter(meter)
            values[outlet_id], states[outlet_id] = found, here.state
        return values, states

    def _levels(self, outlet: Outlet, date: dt.date) -> dict[str, float]:
        """The strictest limit of each factor on a date, in its published unit."""
        found: dict[str, float] = {}
        for limit in self.registry.limits_at(outlet.id, date):
            known = factor_of_name(limit.factor, outlet.medium)
            if limit.side == "most" and known is not None:
                level = float(Fraction(limit.limit) * ratio(limit.unit, known.unit))
                found[limit.factor] = min(level, found.get(limit.factor, level))
        return found


class _Outlet:
    """One outlet on one day."""

    def __init__(
        self,
        chance: Chance,
        outlet: Outlet,
        levels: dict[str, float],
        run: Course,
        date: dt.date,
        hours: Floats,
        reading: int,
    ) -> None:
        self.chance = chance
        self.outlet = outlet
        self.levels = levels
        self.run = run
        self.ordinal = date.toordinal()
        self.workday = date.weekday() < 5
        self.hours = hours
        self.minutes: Ints = self.ordinal * MINUTES + np.arange(MINUTES)
        self.single = f"minute/{reading}" if reading else "minute"
        self.state = run.state.copy()
        self.habit = HABITS[outlet.process]
        usual = self.habit.flow * chance.between(f"{outlet.id}/full", 0.8, 1.25)
        self.full_flow = float(outlet.normal_flow) if outlet.normal_flow else usual

    def bell(self, name: str) -> Floats:
        """Noise of single minutes."""
        return self.chance.bell(f"{self.outlet.id}/{name}/{self.single}", self.minutes)

    def slow(self, name: str, *layers: tuple[float, float]) -> Floats:
        """Noise of hours and days."""
        return self.chance.layers(f"{self.outlet.id}/{name}", self.hours, layers)

    def level(self, factor: str) -> float:
        """The strictest limit; where there is none, twice what is usual."""
        usual = USUAL_GAS if self.outlet.medium == "gas" else USUAL_WATER
        if self.outlet.process == "sewage_inlet":
            usual = USUAL_INLET
        return self.levels.get(factor) or 2.0 * usual.get(factor, 1.0)

    # ---- gas

    def stack(self, weather: Mapping[str, Floats]) -> dict[str, Floats]:
        """Every factor of a stack."""
        found = self._flue(weather)
        fire, o2 = self.run.fire, found["O2"]
        standing = self.run.state == STANDSTILL
        thin, cold = fire, 1.0 - fire
        if self.outlet.ref_o2_pct is not None:
            # converted back with the oxygen of the minute it is what was drawn; nothing may be added to it
            thin = (21.0 - o2) / (21.0 - float(self.outlet.ref_o2_pct))
            thin, cold = np.where(standing, 0.0, thin), np.where(standing, 1.0, 0.0)
        for factor in self.outlet.factors:
            if factor not in found and not (factor in ("NO", "NO2") and "NOx" in self.outlet.factors):
                level = self.level(factor)
                idle = level * 0.02 * (0.5 + np.abs(self.bell(f"{factor}/idle")))
                found[factor] = self._emission(factor, level) * thin + idle * cold
        if "NOx" in self.outlet.factors:
            share = 0.05 * (1.0 + self.slow("NO2", (10.0, 0.15), (1.0, 0.1)))
            found["NO2"] = found["NOx"] * share
            found["NO"] = found["NOx"] * (1.0 - share) * NO_OF_NO2
        return {factor: found[factor] for factor in self.outlet.factors}

    def _flue(self, weather: Mapping[str, Floats]) -> dict[str, Floats]:
        """Oxygen, heat, flow: what is not a pollutant."""
        habit, run = self.habit, self.run
        fire = run.fire
        usual, reference = habit.o2, float(self.outlet.ref_o2_pct or habit.o2)
        if abs(usual - reference) > 2.5:  # a boiler of another kind than most: grates have 9 %
            usual = reference
        base = usual + self.chance.between(f"{self.outlet.id}/O2", -0.25, 0.25)
        room = 20.75 - base
        breath = self.slow("O2", (20.0, 0.45), (4.0, 0.4), (0.8, 0.35), (0.12, 0.25))
        burning = base + min(2.6, 0.3 * room) * (habit.load - run.load) + min(0.55, 0.09 * room) * breath
        o2 = 20.9 - (20.9 - np.minimum(burning, 20.7)) * fire
        o2 = np.minimum(o2 + 0.012 * self.bell("O2") * (0.6 + fire), 20.96)
        swing = self.slow("heat", (24.0, 0.02), (3.0, 0.012), (0.2, 0.006))
        cold = weather["air_temperature"] + 6.0
        heat = cold + np.maximum(habit.heat - cold, 4.0) * (0.9 + 0.1 * run.load + swing) * (0.08 + 0.92 * fire)
        heat = heat + 0.25 * self.bell("heat")
        damp = 1.2 + habit.damp * (0.1 + 0.9 * fire) * (1.0 + 2.0 * swing) + 0.05 * self.bell("damp")
        flutter = self.slow("flow", (9.0, 0.012), (0.7, 0.01))
        flow = self.full_flow * run.air * (1.0 + flutter + 0.012 * self.bell("flow"))
        draught = habit.draught * (0.25 + 0.75 * run.air) + 0.02 * flutter + 0.012 * self.bell("draught")
        wet = flow * (273.0 + heat) / 273.0 * 101.325 / (weather["pressure"] + draught) / (1.0 - damp / 100.0)
        area = float(self.outlet.duct_area_m2) if self.outlet.duct_area_m2 else self.full_flow * 1.75 / 14.0
        speed = wet / area
        furnace = 12.0 + 0.3 * weather["air_temperature"] + (950.0 + 18.0 * breath) * fire
        return {
            "O2": o2,
            "CO2": habit.co2 * (20.9 - np.minimum(o2, 20.88)) / 20.9 * (1.0 + 0.006 * self.bell("CO2")) + 0.04,
            "flow": flow,
            "velocity": speed,
            "temperature": heat,
            "humidity": damp,
            "pressure": draught,
            "dynamic_pressure": 0.00045 * speed * speed,
            "duct_area": np.full(MINUTES, area),
            "cooler_temperature": 4.0 + 0.25 * breath,
            "furnace_temperature": furnace,
            "furnace_temperature_dcs": furnace + 1.5 * self.bell("dcs"),
        }

    def _emission(self, factor: str, level: float) -> Floats:
        """A converted concentration: about half of ``level``, never above 0.785 of it, seldom far below its usual."""
        usual = self.chance.between(f"{self.outlet.id}/{factor}/usual", 0.46, 0.56)
        moves = self.slow(factor, (36.0, 0.1), (7.0, 0.1), (1.4, 0.08), (0.25, 0.07), (0.06, 0.05))
        moves = moves + 0.25 * (self.run.load - 0.85)
        share = usual * at_least(grow(moves), 0.74, 0.12) * (1.0 + 0.02 * self.bell(factor))
        return level * at_most(share, 0.785, 0.05)

    # ---- water

    def water(self) -> dict[str, Floats]:
        """Every factor of a waste-water outlet or the inlet of a sewage plant."""
        found: dict[str, Floats] = {}
        for factor in self.outlet.factors:
            if factor in WET:
                found[factor] = self._results(factor)
                continue
            moves = self.slow(factor, (40.0, 0.5), (9.0, 0.5), (2.0, 0.4), (0.3, 0.25))
            speck = self.bell(factor)
            if factor == "flow":
                found[factor] = self.full_flow * self.run.load * (1.0 + 0.012 * moves + 0.012 * speck)
            elif factor == "pH":
                found[factor] = 7.35 + 0.13 * moves + 0.012 * speck
            elif factor == "T":
                found[factor] = around(SEWAGE_TEMPERATURE, month_place(self.hours)) + 0.3 * moves + 0.03 * speck
            else:
                found[factor] = USUAL_WATER.get(factor, 1.0) * grow(0.12 * moves + 0.01 * speck)
        if "TN" in found and "NH3N" in found:
            found["TN"] = np.maximum(found["TN"], 1.3 * found["NH3N"])
        return found

    def _results(self, factor: str) -> Floats:
        """Results of a wet analyser, each held until the next."""
        name = f"{self.outlet.id}/{factor}"
        number = self.minutes // RESULT_MIN
        held = number.astype(np.float64) * (RESULT_MIN / 60.0)
        moves = self.chance.layers(name, held, ((40.0, 0.1), (9.0, 0.09), (2.0, 0.06)))
        moves = moves + 0.05 * self.chance.bell(f"{name}/result", number)
        usual = self.chance.between(f"{name}/usual", 0.47, 0.56)
        return self.level(factor) * at_most(usual * at_least(grow(moves), 0.74, 0.12), 0.78, 0.05)

    # ---- what is done to the analysers

    def look_after(self, found: dict[str, Floats]) -> None:
        """Calibrations and maintenance, where the plant runs; changes ``found`` and the state."""
        if self.outlet.medium == "water":
            self._calibrate_water(found)
            return
        self._calibrate_gas(found)
        self._maintain(found)

    def _full_scale(self, factor: str) -> float:
        said = self.outlet.ranges.get(factor)
        if said:
            return float(said)
        if factor in ("NO", "NO2") and "NOx" in self.outlet.factors:
            return self._full_scale("NOx") * (NO_OF_NO2 if factor == "NO" else 0.2)
        return 25.0 if factor in ("O2", "CO2") else 3.0 * self.level(factor)

    def _enter(self, begin: int, end: int, state: int) -> bool:
        """Take the minutes for a state, if the plant runs in all of them and a minute to either side."""
        if (self.state[max(begin - 1, 0) : end + 1] != RUNNING).any():
            return False
        self.state[begin:end] = state
        return True

    def _calibrate_gas(self, found: dict[str, Floats]) -> None:
        """Once a night: four minutes of zero gas, five of span gas, three of flushing."""
        name = f"{self.outlet.id}/calibration"
        begin = 60 * int(self.chance.between(name, 0.0, 5.0))
        begin += 4 + int(self.chance.between(f"{name}/minute", 0.0, 40.0, self.ordinal))
        end = begin + CALIBRATION_MIN
        drawn = EXTRACTED.intersection(found)
        if not drawn or not self._enter(begin, end, CALIBRATING):
            return
        for factor in drawn:
            own = f"{name}/{factor}"
            full = self._full_scale(factor)
            # since the last adjustment the analyser has drifted, by less than 0.6 % of its full scale
            drift = 0.0016 * float(self.chance.bell(f"{own}/drift", self.ordinal)[0])
            flicker = 0.0004 * self.chance.bell(own, self.minutes[begin:end])
            values = found[factor]
            values[begin : begin + 4] = full * np.maximum(0.002 + drift + flicker[:4], 0.0002)
            values[begin + 4 : begin + 9] = full * (0.8 + 0.8 * drift + flicker[4:9])
            values[begin + 9 : end] += (full * 0.8 - values[begin + 9 : end]) * np.array([0.35, 0.12, 0.03])

    def _maintain(self, found: dict[str, Floats]) -> None:
        """About every twelve days, in working hours: the probe sees purge air."""
        name = f"{self.outlet.id}/maintenance"
        if not self.workday or self.chance.one(name, self.ordinal) > 0.115:
            return
        begin = 560 + int(self.chance.between(f"{name}/minute", 0.0, 300.0, self.ordinal))
        end = begin + 50 + int(self.chance.between(f"{name}/length", 0.0, 50.0, self.ordinal))
        if not self._enter(begin, end, MAINTAINING):
            return
        for factor in (EXTRACTED | {"PM"}).intersection(found):
            flicker = self.chance.bell(f"{name}/{factor}", self.minutes[begin:end])
            purged = self._full_scale(factor) * (0.002 + 0.0004 * np.abs(flicker))
            found[factor][begin:end] = 20.88 + 0.015 * flicker if factor == "O2" else purged

    def _calibrate_water(self, found: dict[str, Floats]) -> None:
        """Every second night one result of the wet analysers is that of a standard."""
        name = f"{self.outlet.id}/calibration"
        wet = WET.intersection(found)
        if not wet or (self.ordinal + int(self.chance.between(name, 0.0, 2.0))) % 2:
            return
        begin = 60 + RESULT_MIN * int(self.chance.between(f"{name}/slot", 0.0, 6.0))
        if self._enter(begin, begin + RESULT_MIN, CALIBRATING):
            for factor in wet:
                drift = 0.012 * float(self.chance.bell(f"{name}/{factor}", self.ordinal)[0])
                found[factor][begin : begin + RESULT_MIN] = self._full_scale(factor) * 0.5 * (1.0 + drift)

    # ---- meters

    def meter(self, meter: Meter) -> Floats:
        """What a meter shows, in its unit."""
        slow = self.slow(f"meter/{meter.factor}", (12.0, 0.5), (1.0, 0.5))
        speck = self.bell(f"meter/{meter.factor}")
        if meter.measures == "slurry_ph":  # it is regulated and hunts
            return np.where(self.run.treated, 5.62 + 0.08 * slow + 0.15 * speck, 6.4 + 0.1 * slow + 0.05 * speck)
        if meter.measures == "pressure_drop":
            pascal = np.where(self.run.treated, 620.0 + 620.0 * self.run.air, 40.0) * (1.0 + 0.05 * slow + 0.02 * speck)
            return pascal * _from_pascal(meter.unit)
        rated = float(meter.rated or "100")
        if meter.measures == "valve":
            return rated * (0.006 + 0.002 * np.abs(slow) + 0.0008 * np.abs(speck))
        share = {
            "treatment": np.where(self.run.treated, 0.56 + 0.26 * self.run.power, 0.012),
            "reagent": np.where(self.run.fire > 0.0, 0.3 + 0.45 * self.run.power, 0.01),
        }.get(meter.measures, self.run.power)
        return rated * share * (1.0 + 0.015 * slow + 0.008 * speck)


def _from_pascal(unit: str) -> float:
    try:
        return float(ratio("Pa", unit))
    except UnitError:
        return 1.0
