"""Measurements, tags and fields in InfluxDB, with types and units: written down once.

Rules (design §8). One point per factor with its own ``valid``. Every rewrite writes every field, because
InfluxDB merges fields of the same series and time: what is unknown or withdrawn is written as
:data:`NOTHING` with ``valid=false``, and every panel filters on ``valid``. What may change is a field;
edition and dust caliber are tags. Hours are stamped at their end, days and years at their start (+08:00).
A field has one type for ever: InfluxDB 2.7 takes a conflicting type into another shard with a 204
(measured), and Flux then silently omits it.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = -1
"""Written where nothing is known: no concentration, index or level is negative, so nobody takes it for one."""

BY_DATE = "auto"
"""Tag ``edition`` of a tally whose days each stand under the edition of their own date."""

FLOAT, INTEGER, BOOLEAN, STRING = "float", "integer", "boolean", "string"
BY_FACTOR = "by factor"
"""Unit of a concentration: ``schemas.registry.PUBLISHED_UNIT`` of the tag ``factor``."""


@dataclass(frozen=True)
class Field:
    """A field: its one type, its unit (None where it has none) and what it says."""

    type: str
    unit: str | None
    text: str


@dataclass(frozen=True)
class Measurement:
    """A measurement: its tags, sorted as InfluxDB stores them, and its fields. Every point has all of them.

    ``guards`` names, for each field that can be unknown, the boolean field a query must filter on.
    """

    name: str
    stamp: str  # "hour end", "day start", "year start"
    tags: tuple[str, ...]
    fields: dict[str, Field]
    guards: dict[str, str]

    def __post_init__(self) -> None:
        """Hold what InfluxDB does not tell.

        Raises:
            ValueError: unsorted tags, a tag that is also a field, a field ``time`` (accepted and lost), no guard.
        """
        if list(self.tags) != sorted(self.tags):
            raise ValueError(f"measurement {self.name}: tags must be sorted, InfluxDB sorts them on each write")
        if set(self.tags) & set(self.fields) or "time" in self.fields or "time" in self.tags:
            raise ValueError(f"measurement {self.name}: a name is both tag and field, or is 'time'")
        for guard in ("valid", *self.guards.values()):
            if guard not in self.fields or self.fields[guard].type != BOOLEAN:
                raise ValueError(f"measurement {self.name}: needs a boolean field {guard!r}")


_VALID = Field(BOOLEAN, None, "whether the point counts; every query filters on it")
_VALUE = Field(FLOAT, BY_FACTOR, "concentration in the published unit")
_REASON = Field(STRING, None, "ok, or why it does not count")
_STATIONS_VALID = Field(INTEGER, "stations", "stations whose value counted")
_IAQI = Field(INTEGER, "index", "individual index of the factor")
_IAQI_VALID = Field(BOOLEAN, None, "whether the norm gives this factor an index here")

_VERDICT_FIELDS = {
    "aqi": Field(INTEGER, "index", "air quality index, 0 to 500"),
    "level": Field(INTEGER, None, "level 1 to 6 (一级 to 六级)"),
    "category": Field(STRING, None, "优, 良, 轻度污染, 中度污染, 重度污染, 严重污染"),
    "primary": Field(STRING, None, "primary pollutants joined by 、; empty when there is none"),
    "stations": Field(INTEGER, "stations", "stations that should count"),
    "reason": _REASON,
    "valid": _VALID,
}
_VERDICT_GUARDS = {"aqi": "valid", "level": "valid", "category": "valid", "primary": "valid"}
_FACTOR_FIELDS = {
    "value": _VALUE,
    "iaqi": _IAQI,
    "iaqi_valid": _IAQI_VALID,
    "stations_valid": _STATIONS_VALID,
    "valid": _VALID,
}
_FACTOR_GUARDS = {"value": "valid", "iaqi": "iaqi_valid"}

AIR_HOUR = Measurement(
    "air_hour",
    "hour end",
    ("area", "factor", "source"),
    {
        "value": _VALUE,
        "flag": Field(STRING, None, "flag of the logger (HJ 212)"),
        "reason": _REASON,
        "valid": _VALID,
    },
    {"value": "valid"},
)
"""An hour of one factor at one station. An invalid hour keeps the value it was sent with, if it had one."""

AIR_AQI_HOUR = Measurement("air_aqi_hour", "hour end", ("area", "dust", "edition"), _VERDICT_FIELDS, _VERDICT_GUARDS)
"""Hourly AQI of an area."""

AIR_AREA_HOUR = Measurement(
    "air_area_hour", "hour end", ("area", "dust", "edition", "factor"), _FACTOR_FIELDS, _FACTOR_GUARDS
)
"""An hour of one factor in an area: the rounded concentration the index was taken from."""

AIR_DAY = Measurement(
    "air_day",
    "day start",
    ("area", "dust", "edition"),
    {
        **_VERDICT_FIELDS,
        "good": Field(BOOLEAN, None, "good-air day (优 or 良)"),
        "good_n": Field(INTEGER, "days", "1 on a good-air day, else 0: for sums"),
    },
    {**_VERDICT_GUARDS, "good": "valid", "good_n": "valid"},
)
"""Verdict of a day of an area."""

AIR_DAY_FACTOR = Measurement(
    "air_day_factor", "day start", ("area", "dust", "edition", "factor"), _FACTOR_FIELDS, _FACTOR_GUARDS
)
"""A day of one factor in an area."""

AIR_YEAR = Measurement(
    "air_year",
    "year start",
    ("area", "dust", "edition"),
    {
        "good_days": Field(INTEGER, "days", "good-air days so far"),
        "polluted_days": Field(INTEGER, "days", "valid days that are not good"),
        "invalid_days": Field(INTEGER, "days", "days without a valid verdict"),
        "valid_days": Field(INTEGER, "days", "good + polluted"),
        "ratio": Field(FLOAT, "percent", "good of valid days, one decimal"),
        "ratio_valid": Field(BOOLEAN, None, "whether there is a valid day to divide by"),
        "through": Field(STRING, None, "last day judged"),
        "valid": _VALID,
    },
    {"ratio": "ratio_valid"},
)
"""Good-air days of a year so far. ``*_days`` are counts; ``valid`` is the filter every measurement has."""

SINK_PROBE = Measurement("sink_probe", "when written", (), {"valid": _VALID}, {})
"""Written without a time stamp when a batch is refused with 5xx again and again: does the server take any write?"""

MEASUREMENTS: dict[str, Measurement] = {
    m.name: m for m in (AIR_HOUR, AIR_AQI_HOUR, AIR_AREA_HOUR, AIR_DAY, AIR_DAY_FACTOR, AIR_YEAR, SINK_PROBE)
}
