"""HJ 212 codes that envstream gives a meaning: commands, system types and factors.

Sources: HJ 212-2017 §6.6 and Annex B; the table of factors is ``hj212_codes.toml``. A code that is not in it keeps
its own text as its name everywhere: nothing a device says is dropped.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

ST_SURFACE_WATER = "21"
ST_AIR = "22"
ST_FLUE_GAS = "31"
ST_WASTE_WATER = "32"
ST_METER = "44"
ST_PRODUCTION = "45"
ST_GAS_PROCESS = "51"
ST_WATER_PROCESS = "52"
ST_ANSWER = "91"

CN_REGISTER = "1001"
CN_SET_TIME = "1012"
CN_ASK_TIME = "1013"
CN_REALTIME = "2011"
CN_STATE = "2021"
CN_DAY = "2031"
CN_MINUTE = "2051"
CN_HOUR = "2061"
CN_REQUEST_ANSWER = "9011"
CN_RESULT = "9012"
CN_NOTICE_ANSWER = "9013"
CN_DATA_ANSWER = "9014"
CN_HEARTBEAT = "9015"

PERIOD_OF_CN = {CN_HOUR: "h", CN_MINUTE: "m", CN_REALTIME: "r", CN_DAY: "d", CN_STATE: "s"}

GAS, AIR, WATER, PROCESS, METER = "gas", "air", "water", "process", "meter"
MEDIUM_OF_ST = {
    ST_SURFACE_WATER: WATER,
    ST_WASTE_WATER: WATER,
    ST_AIR: AIR,
    ST_FLUE_GAS: GAS,
    ST_GAS_PROCESS: PROCESS,
    ST_WATER_PROCESS: PROCESS,
    ST_PRODUCTION: PROCESS,
    ST_METER: METER,
}

AIR_CODES = {
    "SO2": "a21026",
    "NO2": "a21004",
    "CO": "a21005",
    "O3": "a05024",
    "PM10": "a34002",
    "PM2.5": "a34004",
}


class Factor(NamedTuple):
    """What a code means.

    Attributes:
        name: Its name everywhere here; one name per quantity and medium, ``flow`` is of gas or of water.
        code: Of 2017 and 2025.
        old_code: Of 2005, "" where there was none.
        medium: ``gas`` of a stack, ``air`` of a station, ``water``, ``process`` or ``meter``.
        unit: Published unit, a name of :mod:`schemas.units`.
        sent_unit: Unit of a plain number on the wire, where the registry says nothing of the device.
        amount_unit: Unit of ``-Cou``, "" where there is no amount.
        name_zh: Chinese name.
    """

    name: str
    code: str
    old_code: str
    medium: str
    unit: str
    sent_unit: str
    amount_unit: str
    name_zh: str


_COLUMN_OF_SUFFIX = {"Avg": "", "Rtd": "", "ZsAvg": "-Zs", "ZsRtd": "-Zs"}
_NUMBERED = re.compile(r"([a-z]\d{3})(\d\d)\Z", re.ASCII)  # g10401: g104 of unit 01
_NUMBERED_NAME = re.compile(r"(.+)_(\d\d)\Z", re.ASCII)


def _factors() -> tuple[Factor, ...]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return tuple(
        Factor(
            name=row["name"],
            code=row["code"],
            old_code=row.get("old", ""),
            medium=medium,
            unit=row["unit"],
            sent_unit=row.get("sent", row["unit"]),
            amount_unit=row.get("amount", ""),
            name_zh=row["zh"],
        )
        for medium, rows in tomllib.loads(text).items()
        for row in rows
    )


FACTORS = _factors()
"""Every factor, in the order of the table; of process and meter codes with a number, without it (``g104``)."""

_BY_CODE: dict[str, Factor] = {}
_BY_CODE_AND_MEDIUM: dict[tuple[str, str], Factor] = {}
_BY_NAME: dict[tuple[str, str], Factor] = {}
for _factor in FACTORS:
    for _code in filter(None, (_factor.code, _factor.old_code)):
        _BY_CODE.setdefault(_code, _factor)
        _BY_CODE_AND_MEDIUM[_code, _factor.medium] = _factor
    _BY_NAME.setdefault((_factor.name, _factor.medium), _factor)


@functools.lru_cache(maxsize=10_000)
def factor_of_code(code: str, medium: str = "") -> Factor | None:
    """What a code of 2005, 2017 or 2025 means, or None.

    ``medium`` (see ``MEDIUM_OF_ST``) decides where one code has a meaning in two: a21026 is published in ug/m3 of a
    station and in mg/m3 of a stack. Without it, or where it has no such code, the stack's is given.
    """
    found = _BY_CODE_AND_MEDIUM.get((code, medium)) or _BY_CODE.get(code)
    if found is None and (numbered := _NUMBERED.match(code)):
        found = _BY_CODE.get(numbered[1])
        if found is not None:
            found = found._replace(name=f"{found.name}_{numbered[2]}", code=code)
    return found if found is not None and len(found.code) == 6 else None


def factor_of_name(name: str, medium: str) -> Factor | None:
    """The factor of that name in that medium, ``circulation_pump_current_01`` included, or None."""
    found = _BY_NAME.get((name, medium))
    if found is not None:
        return found if len(found.code) == 6 else None
    numbered = _NUMBERED_NAME.match(name)
    found = _BY_NAME.get((numbered[1], medium)) if numbered else None
    if numbered is None or found is None or len(found.code) != 4:
        return None
    return found._replace(name=name, code=found.code + numbered[2])


@functools.lru_cache(maxsize=10_000)
def column_name(code: str, suffix: str) -> str:
    """Name of a value in a block: ``SO2`` for Avg and Rtd, ``SO2-Zs`` converted to reference oxygen, ``SO2-Max``.

    A code without a meaning keeps its text: ``SB1-RS``, ``a99999-Min``.
    """
    factor = factor_of_code(code)
    return (code if factor is None else factor.name) + _COLUMN_OF_SUFFIX.get(suffix, f"-{suffix}")
