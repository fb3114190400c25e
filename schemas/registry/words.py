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

MEASURES_ZH: Final = {
    "production": "生产设施",
    "treatment": "治理设施",
    "valve": "旁路阀",
    "reagent": "药剂",
    "lift_pump": "提升泵",
    "slurry_ph": "浆液pH",
    "pressure_drop": "压差",
}
MEASURES: Final = tuple(MEASURES_ZH)
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
RIGHTS: Final = ("read", "act", "mark", "correct")
"""At the desk: read its pages; act on alerts; enter marks, maintenance and orders; correct what was measured."""
RIGHTS_OF_ROLE: Final = {
    "officer": ("read", "act"),
    "chief": RIGHTS,
    "director": ("read", "act"),
    "enterprise": (),
}
"""Of a person whose row names none."""
CHANNELS: Final = ("dingtalk", "wecom", "feishu", "mail", "sms", "webhook", "apprise")
LEVELS: Final = ("blue", "yellow", "orange", "red")
SHIFT_DAYS: Final = ("all", "workdays", "restdays")
ROTATIONS: Final = ("day", "week")
TASK_KINDS: Final = ("good_days", "composite_index", "section_share", "tonnes")

FACILITY_CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "R1": ("gap_min", "grace_min", "hold_min", "production_pct", "treatment_pct"),
    "R2.late": ("gap_min", "hold_min", "late_min", "production_pct", "search_min", "treatment_pct"),
    "R2.early": ("early_min", "gap_min", "hold_min", "production_pct", "search_min", "treatment_pct"),
    "R2.day": ("gap_min", "hold_min", "least_min", "production_pct", "short_min", "treatment_pct"),
    "R3": ("gap_min", "history_days", "hold_min", "least_days", "production_pct", "share_of_median"),
    "R4.power": ("concentration", "flow_pct", "gap_min", "hold_min", "production_pct"),
    "R4.mark": ("flow_pct", "gap_min", "hold_min", "o2_pct"),
    "R5.ceiling": ("ceiling_pct", "gap_min", "hold_min", "production_pct"),
    "R5.step": ("gap_min", "hold_min", "load_change_pct", "production_pct", "step_pct", "within_min"),
    "R5.air": ("gap_min", "hold_min", "o2_pct", "production_pct"),
    "R6.correlation": ("above", "gap_min", "hold_min", "least_h", "least_move_pct", "window_h"),
    "R6.line": ("air_o2_pct", "co2_max_pct", "gap_min", "hold_min", "least_co2_pct", "off_pct"),
    "R7": ("gap_min", "hold_min", "off_pct", "production_pct"),
    "R8": ("gap_min", "high_m_s", "hold_min", "low_m_s", "production_pct"),
    "R9.minutes": (
        "detection_times",
        "edge_min",
        "gap_min",
        "hold_min",
        "least_samples",
        "production_move_pct",
        "window_min",
    ),
    "R9.hours": ("detection_times", "gap_min", "hold_min", "production_move_pct", "window_h"),
    "R9.spread": ("detection_times", "gap_min", "hold_min", "least_min", "variation_pct", "window_h"),
    "R10.top": ("from_share", "gap_min", "hold_min", "least_h", "share_pct", "window_days"),
    "R10.range": ("gap_min", "hold_min", "range_pct"),
    "R11.drop": (
        "beside_min",
        "detection_times",
        "gap_min",
        "hold_min",
        "least_min",
        "load_change_pct",
        "longest_min",
        "ratio",
    ),
    "R11.count": ("apart_min", "gap_min", "hold_min", "most_a_day"),
    "R12": ("drift_pct", "gap_min", "hold_min", "window_days"),
    "R13.profile": ("detection_times", "equal_pct", "gap_min", "hold_min", "least_h", "least_move_pct", "window_days"),
    "R13.lag": ("above", "detection_times", "gap_min", "hold_min", "least_h", "least_move_pct", "window_days"),
    "R14": ("above", "detection_times", "gap_min", "hold_min", "least_h", "load_apart_pct", "window_h"),
    "R15": ("chi_square", "gap_min", "hold_min", "least_move_steps", "least_samples"),
    "R16.range": ("gap_min", "high", "hold_min", "low", "production_pct"),
    "R16.flat": ("gap_min", "hold_min", "least_min", "production_pct", "variance", "window_min"),
    "R16.change": ("gap_min", "hold_min", "most", "production_pct", "window_min"),
    "R17": ("gap_min", "hold_min", "load_pct", "pump_pct"),
    "R17.hint": (
        "beside_min",
        "detection_times",
        "gap_min",
        "hold_min",
        "least_min",
        "load_pct",
        "pump_pct",
        "unchanged_pct",
    ),
    "R18.low": ("gap_min", "hold_min", "pressure_pa", "production_pct"),
    "R18.high": ("gap_min", "hold_min", "pressure_pa", "production_pct"),
    "R19.reagent": ("gap_min", "hold_min", "load_pct", "reagent_pct"),
    "R19.slip": ("gap_min", "hold_min", "scr_mg_m3", "sncr_mg_m3"),
    "R20": ("gap_min", "hold_min", "opening_pct", "production_pct"),
    "R21": ("class_pct", "gap_min", "history_days", "hold_min", "least_h", "load_pct", "sigmas"),
    "R22.removal": ("gap_min", "hold_min", "least_h", "removal_pct"),
    "R22.low": ("gap_min", "history_days", "hold_min", "inlet_change_pct", "least_days", "least_h", "norm_divisor"),
    "R23": ("gap_min", "hold_min", "least_pct", "longest_min", "off_pct"),
    "R24": ("gap_min", "hold_min", "pump_pct"),
    "R25.share": ("gap_min", "hold_min", "share_pct", "window_days"),
    "R25.count": ("beside_min", "gap_min", "hold_min", "most_a_month", "window_days"),
}
"""Checks of facility supervision (docs/law-facility.md) and the numbers of each, as the tables of the law have them."""
