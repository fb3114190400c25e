"""HJ 212 codes that envstream gives a meaning: commands, system types and air factors.

Source: HJ 212-2017 §6.6 and Annex B; a05024 for ozone is practice, not in the 2017 table.
"""

from __future__ import annotations

ST_AIR = "22"
ST_ANSWER = "91"
CN_HOUR = "2061"
CN_MINUTE = "2051"
CN_REALTIME = "2011"
CN_DAY = "2031"
CN_DATA_ANSWER = "9014"

PERIOD_OF_CN = {CN_HOUR: "h", CN_MINUTE: "m", CN_REALTIME: "r", CN_DAY: "d"}

AIR_CODES = {
    "SO2": "a21026",
    "NO2": "a21004",
    "CO": "a21005",
    "O3": "a05024",
    "PM10": "a34002",
    "PM2.5": "a34004",
}
AIR_FACTOR_OF_CODE = {code: factor for factor, code in AIR_CODES.items()}
