"""The registry's vocabulary: every closed list of words a district's file may use."""

from __future__ import annotations

import datetime as dt
from typing import Final, NamedTuple

AIR_FACTORS = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")
"""The six of HJ 633, in its order."""

AIR_UNITS: dict[str, dict[str, int]] = {
    # decimal places to move the point left to reach the published unit
    **{factor: {"ug/m3": 0, "mg/m3": -3} for factor in AIR_FACTORS if factor != "CO"},
    "CO": {"mg/m3": 0, "ug/m3": 3},
}
PUBLISHED_UNIT = {factor: "mg/m3" if factor == "CO" else "ug/m3" for factor in AIR_FACTORS}

KINDS: Final = ("air", "water", "emission")
"""What a source is; the same words as the topics ``readings-*``."""

ALWAYS: Final = dt.date.min
"""``valid_from`` of what holds since ever."""

AREA_KINDS: Final = ("district", "township")
STATION_KINDS: Final = ("city", "township", "regional", "background", "traffic", "pollution")
"""``city`` counts for its area and its township, ``township`` for its township alone, the others for none."""

BODIES: Final = ("river", "lake", "spring")
"""River and lake: the two ladders of GB 3838; spring: groundwater, GB/T 14848."""
BORDERS: Final = ("in", "out", "")
CONTROLS: Final = ("national", "provincial", "city", "district")

MEDIA: Final = ("gas", "water")
INDUSTRIES: Final = (
    "steel",
    "coking",
    "cement",
    "power",
    "boiler",
    "chemical",
    "waste_incineration",
    "ceramics",
    "sewage",
)


class Process(NamedTuple):
    """What an outlet comes from. An inlet is measured and has no limits."""

    medium: str
    name: str
    limited: bool = True


PROCESSES: Final[dict[str, Process]] = {
    "sinter_head": Process("gas", "烧结机头"),
    "sinter_tail": Process("gas", "烧结机尾"),
    "pellet_kiln": Process("gas", "球团焙烧"),
    "hot_stove": Process("gas", "高炉热风炉"),
    "cast_house": Process("gas", "高炉出铁场"),
    "converter": Process("gas", "转炉二次烟气"),
    "rolling_furnace": Process("gas", "轧钢热处理炉"),
    "lime_kiln": Process("gas", "石灰窑"),
    "coke_stack": Process("gas", "焦炉烟囱"),
    "coke_charging": Process("gas", "装煤"),
    "coke_pushing": Process("gas", "推焦"),
    "coke_quenching": Process("gas", "干熄焦"),
    "cement_kiln_tail": Process("gas", "水泥窑尾"),
    "cement_kiln_head": Process("gas", "水泥窑头"),
    "cement_mill": Process("gas", "水泥磨"),
    "coal_boiler": Process("gas", "燃煤锅炉"),
    "gas_boiler": Process("gas", "燃气锅炉"),
    "gas_turbine": Process("gas", "燃气轮机"),
    "process_heater": Process("gas", "工艺加热炉"),
    "chemical_tail_gas": Process("gas", "化工工艺尾气"),
    "incinerator": Process("gas", "垃圾焚烧炉"),
    "brick_kiln": Process("gas", "砖瓦陶瓷窑"),
    "sewage_inlet": Process("water", "污水处理厂进口", limited=False),
    "sewage_outlet": Process("water", "污水处理厂出口"),
    "wastewater": Process("water", "工业废水排口"),
}

LIMIT_KINDS: Final = ("legal", "permit", "ultra_low", "temporary")
BINDING_LIMITS: Final = ("legal", "permit")
"""A hour or day above one of these is an exceedance; every outlet needs one at any time."""
SIDES: Final = ("most", "least")
AVERAGING: Final = ("hour", "day", "instant")

MEASURES: Final = ("production", "treatment", "valve", "reagent", "lift_pump", "slurry_ph", "pressure_drop")
WITHOUT_RATING: Final = ("slurry_ph", "pressure_drop")
"""Judged against a range, not against a share of the rated value."""

CRC_MODES: Final = ("hj212", "modbus", "either")
EDITIONS: Final = (2005, 2017, 2025)
MINUTE_INTERVALS: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
COMMANDS: Final = (
    *(1000, 1002, 1011, 1012, 1014, 1061, 1062, 1063, 1064, 1072),
    *(2011, 2012, 2021, 2022),
    *range(3011, 3025),
)
"""What may be enabled per logger. Asking for past data (2031, 2041, 2051, 2061) changes nothing: always."""

MINUTE_INTERVAL_OF_KIND: Final = {"air": 1, "water": 10, "emission": 10}
HOUR_WITHIN_S_OF_KIND: Final = {"air": 1_800, "water": 10_800, "emission": 1_800}
"""Wet chemistry of a river station comes one to two hours after its sample."""

EXPECTS: Final = ("hour", "minute", "realtime")
"""What a source must send for silence to be measured by: everybody sends hours."""

ROLES: Final = ("officer", "chief", "director", "enterprise")
CHANNELS: Final = ("dingtalk", "wecom", "feishu", "mail", "sms", "webhook")
LEVELS: Final = ("blue", "yellow", "orange", "red")
SHIFT_DAYS: Final = ("all", "workdays", "restdays")
ROTATIONS: Final = ("day", "week")
TASK_KINDS: Final = ("good_days", "composite_index", "section_share", "tonnes")
