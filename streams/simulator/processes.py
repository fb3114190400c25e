"""How each process of the registry usually runs and what its flue gas is like. Figures of a model, not of any rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Habit:
    """How a process runs.

    Attributes:
        o2: oxygen at full load, %.
        heat: flue temperature, °C; damp: humidity, %; draught: static pressure, kPa.
        flow: m3/s dry standard, of water L/s, where the registry has none.
        load: usual share of the full load; shape: steady, or the day of ``lines.SHAPES``.
        every_d: days between two stops, 0: never; down_h: shortest and longest standstill; start_h, stop_h: how long
            it takes to full load and from it.
        beat_min, beat: period and height of a swing of its own (reversal of a coke oven, heats of a converter).
        co2: CO2 without excess air, %.
    """

    o2: float
    heat: float = 90.0
    damp: float = 8.0
    draught: float = -0.25
    flow: float = 60.0
    load: float = 0.86
    shape: str = "steady"
    every_d: float = 45.0
    down_h: tuple[float, float] = (9.0, 40.0)
    start_h: float = 4.0
    stop_h: float = 1.5
    beat_min: float = 0.0
    beat: float = 0.0
    co2: float = 19.5


HABITS: Final[Mapping[str, Habit]] = {
    "sinter_head": Habit(16.1, 115.0, 9.5, -0.4, 190.0, 0.88, every_d=24.0, down_h=(7.0, 22.0), start_h=3.0),
    "sinter_tail": Habit(20.3, 70.0, 2.0, -0.3, 90.0, 0.88),
    "pellet_kiln": Habit(17.2, 105.0, 7.0, -0.3, 95.0, 0.88, every_d=40.0, start_h=5.0),
    "hot_stove": Habit(4.6, 150.0, 8.0, -0.2, 42.0, 0.9, every_d=90.0, beat_min=45.0, beat=0.03),
    "cast_house": Habit(20.6, 52.0, 2.0, -0.3, 110.0, 0.84, every_d=90.0, beat_min=110.0, beat=0.06),
    "converter": Habit(20.5, 58.0, 2.5, -0.3, 120.0, 0.84, every_d=30.0, beat_min=38.0, beat=0.07),
    "rolling_furnace": Habit(8.4, 160.0, 9.0, -0.15, 26.0, 0.82, every_d=21.0, start_h=3.0),
    "lime_kiln": Habit(9.5, 110.0, 6.0, -0.25, 20.0, 0.88, every_d=60.0, start_h=6.0),
    "coke_stack": Habit(8.6, 170.0, 9.0, -0.3, 55.0, 0.93, every_d=0.0, beat_min=20.0, beat=0.02),
    "coke_charging": Habit(20.4, 60.0, 3.0, -0.3, 25.0, 0.85),
    "coke_pushing": Habit(20.4, 62.0, 3.0, -0.3, 60.0, 0.85),
    "coke_quenching": Habit(20.0, 90.0, 3.0, -0.2, 18.0, 0.9),
    "cement_kiln_tail": Habit(9.2, 98.0, 11.0, -0.35, 125.0, 0.9, every_d=36.0, down_h=(20.0, 60.0), start_h=12.0),
    "cement_kiln_head": Habit(20.6, 95.0, 1.8, -0.25, 95.0, 0.9),
    "cement_mill": Habit(20.7, 72.0, 2.5, -0.3, 35.0, 0.86, "night", every_d=12.0, down_h=(6.0, 20.0), start_h=1.6),
    "coal_boiler": Habit(6.4, 52.0, 11.5, 0.15, 130.0, 0.82, "grid", every_d=75.0, down_h=(12.0, 60.0), start_h=6.0),
    "gas_boiler": Habit(4.2, 75.0, 13.0, 0.05, 12.0, 0.76, "grid", every_d=50.0, start_h=2.0, co2=11.8),
    "gas_turbine": Habit(14.3, 98.0, 8.0, 0.05, 240.0, 0.82, "grid", every_d=30.0, start_h=2.0, co2=11.8),
    "process_heater": Habit(4.1, 135.0, 14.0, -0.1, 16.0, 0.88, every_d=120.0, down_h=(20.0, 70.0), start_h=8.0),
    "chemical_tail_gas": Habit(17.5, 45.0, 4.0, 0.1, 14.0, 0.85, every_d=60.0, start_h=3.0),
    "incinerator": Habit(8.6, 140.0, 18.0, -0.3, 22.0, 0.92, every_d=70.0, down_h=(24.0, 70.0), start_h=8.0),
    "brick_kiln": Habit(17.0, 70.0, 7.0, -0.2, 40.0, 0.86, "night", every_d=60.0, start_h=4.0),
    "sewage_inlet": Habit(0.0, flow=300.0, load=0.72, shape="town", every_d=0.0),
    "sewage_outlet": Habit(0.0, flow=300.0, load=0.72, shape="town", every_d=0.0),
    "wastewater": Habit(0.0, flow=18.0, load=0.75, shape="shift", every_d=0.0),
}

LINE_HEAD: Final[Mapping[str, str]] = {
    **{"sinter_tail": "sinter_head", "cement_kiln_head": "cement_kiln_tail", "sewage_outlet": "sewage_inlet"},
    **{"coke_charging": "coke_stack", "coke_pushing": "coke_stack", "coke_quenching": "coke_stack"},
}
"""Processes that run as another one of their line does: the tail of a sinter machine as its head."""

# mg/m3 of a stack and mg/L of waste water where no limit says what is usual
USUAL_GAS: Final[Mapping[str, float]] = {
    **{"PM": 4.0, "SO2": 14.0, "NOx": 28.0, "NH3": 1.1, "CO": 60.0, "HCl": 8.0, "HF": 0.6, "NMHC": 9.0, "THC": 12.0},
    **{"H2S": 0.5, "CH4": 3.0, "Hg": 0.004, "Cl2": 0.6, "benzene": 0.3, "toluene": 0.5, "xylene": 0.6},
}
USUAL_WATER: Final[Mapping[str, float]] = {
    **{"COD": 22.0, "NH3N": 0.9, "TN": 8.0, "TP": 0.2, "SS": 5.0, "CODMn": 5.0, "BOD5": 4.0, "TOC": 8.0},
    **{"oil": 0.4, "VP": 0.05, "CN": 0.04, "S2": 0.1, "F": 1.2, "EC": 1150.0, "turbidity": 2.2, "DO": 6.5},
}
USUAL_INLET: Final[Mapping[str, float]] = {
    **{"COD": 235.0, "NH3N": 29.0, "TN": 39.0, "TP": 3.9, "SS": 150.0, "BOD5": 115.0},
}

EXTRACTED: Final = frozenset(
    {
        *("SO2", "NOx", "NO", "NO2", "O2", "CO", "CO2", "NH3", "HCl", "HF", "H2S", "Hg", "Cl2", "CH4"),
        *("NMHC", "THC", "benzene", "toluene", "xylene"),
    }
)
"""Gases an analyser draws: it reads zero and span gas while it calibrates, purge air while it is maintained."""

WET: Final = frozenset(
    {
        *("COD", "NH3N", "TN", "TP", "CODMn", "BOD5", "TOC", "SS", "colour", "F", "CN", "S2", "oil", "VP", "LAS"),
        *("Cu", "Zn", "Ni", "Cr", "Cr6", "As", "Pb", "Cd", "Hg", "Fe", "Mn", "Cl", "SO4", "NO3N"),
    }
)
"""Of waste water, measured result by result; the other factors (flow, pH, T, EC) without a pause."""
