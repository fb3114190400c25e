"""The closed lists of words that the data of actions may use.

Rooms of the house know each other one way: what ``standards`` knows of marks and water items stands here again as
words, and a test holds the two lists equal.
"""

from __future__ import annotations

from typing import Final

MARKS: Final = (
    *("NORMAL", "STANDBY_STOP", "START", "SHUTDOWN", "BANKED", "FAULT", "ACCIDENT"),
    *("MAINT", "CALIB", "CHECK", "DEV_FAULT", "COMM_LOST", "MISSING"),
)
"""Marks of an outlet's hours (emission.md §4.2)."""

MARK_NAMES: Final = (
    *("正常", "停运", "启动", "停机", "闷炉", "故障", "事故"),
    *("设备维护", "设备校准", "设备核查", "设备故障", "通讯中断", "数据缺失"),
    *("烘炉", "启炉", "停炉", "停炉降温", "CEMS维护", "炉温异常", "热电偶故障"),  # waste incineration
    *("并网", "供能", "解列"),  # thermal power
    *("点火", "停窑"),  # cement kilns
)
"""What enterprises call them; which mark a name means depends on the plant, and the law says it."""

LAB_ITEMS: Final = (
    *("T", "pH", "DO", "EC", "turbidity", "CODMn", "COD", "BOD5", "NH3N", "TP", "TN"),
    *("Cu", "Zn", "F", "Se", "As", "Hg", "Cd", "Cr6", "Pb", "CN", "VP", "oil", "LAS", "S2", "FC"),
    *("SD", "chla", "algae", "SO4", "Cl", "NO3N", "Fe", "Mn", "NO2N", "colour", "hardness", "TDS", "Al", "Na"),
    *("coliforms", "colonies", "I", "alpha", "beta", "odour", "visible"),
    *("chloroform", "carbon_tetrachloride", "dichloromethane", "1,2-dichloroethane", "trichloroethylene"),
    *("tetrachloroethylene", "benzene", "toluene", "ethylbenzene", "xylenes", "styrene", "formaldehyde"),
    *("nitrobenzene", "atrazine", "benzo(a)pyrene", "microcystin-LR"),
    *("Mo", "Co", "Be", "B", "Sb", "Ni", "Ba", "V", "Ti", "Tl"),
)
"""Items of a water sample, in the spelling of ``standards/tables/water_items.toml`` and its units."""

CATEGORIES: Final = ("优", "良", "轻度污染", "中度污染", "重度污染", "严重污染")
"""Air quality of a day (HJ 633), from level 1 to 6."""
