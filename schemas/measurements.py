"""Measurements, tags and fields in InfluxDB, with types and units: written down once.

Rules (design §8). One point per factor with its own ``valid``. Every rewrite writes every field, because
InfluxDB merges fields of the same series and time: what is unknown or withdrawn is written as
:data:`NOTHING` with ``valid=false``, and every panel filters on ``valid``. What may change is a field;
edition, dust caliber and index profile are tags. Hours are stamped at their end, days, months, quarters and years at
their start (+08:00); since the first day of a year begins all four, what exists of several has the tag ``span``.
What the log compacts under one key is one point: a budget, said again each hour, stands at the start of its day.
A field has one type for ever: InfluxDB 2.7 takes a conflicting type into another shard with a 204
(measured), and Flux then silently omits it.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = -1
"""Written where nothing is known: no concentration, index or level is negative, so nobody takes it for one."""

NO_CHANGE = -999
"""Written where no change is known, which may well be -1: nothing shrinks by more than 100 percent."""

NO_FACTOR = "-"
"""Tag ``factor`` of a condition that is about none: InfluxDB has no empty tags."""

SPANS = ("month", "quarter", "year")
"""Values of the tag ``span``."""

CHECKS = ("Q05", "Q06", "Q07", "Q08", "Q09", "Q10", "Q11", "Q12", "Q13")
"""Automatic checks for people to look at (air.md §6.3)."""

LIMIT_KINDS = ("legal", "permit", "ultra_low", "temporary")
"""Values of the tag ``limit``: all are written of every hour and day, so that a limit that is gone is withdrawn."""

BY_DATE = "auto"
"""Tag ``edition`` of a tally whose days each stand under the edition of their own date."""

FLOAT, INTEGER, BOOLEAN, STRING = "float", "integer", "boolean", "string"

MAIN, RECENT = "main", "recent"
"""Which bucket: what is judged stays for ever; readings, letters and health of the pipeline stay for weeks."""

BY_ITEM = "by item"
"""Unit of a water concentration: that of the tag ``factor`` in ``standards/tables/water_items.toml``."""

AS_SENT = "as sent"
"""Unit of a reading before it is judged."""

BY_NAME = "by name"
"""Unit of a number of the pipeline: ``schemas.health.HEALTH`` of the tag ``name``."""

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

    ``guards`` names, for each field that can be unknown, the boolean field a query must filter on. What many messages
    may say in one millisecond has a stamp with a number of its id in the nanoseconds, so that none hides another.
    """

    name: str
    stamp: str  # "hour end", "day start", "year start"
    tags: tuple[str, ...]
    fields: dict[str, Field]
    guards: dict[str, str]
    bucket: str = MAIN

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
_PERIOD = Field(STRING, None, "2026-03-01, 2026-03, 2026-Q1 or 2026")
_THROUGH = Field(STRING, None, "last day judged")


def _known(what: str) -> Field:
    return Field(BOOLEAN, None, f"whether {what} is known")


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
_HOUR = Field(STRING, None, "label of the hour, 01 to 24: an hour of the day can be filtered, a time cannot")
_HOUR_FIELDS = {
    **_VERDICT_FIELDS,
    "hour": _HOUR,
    "weekday": Field(STRING, None, "of the day the hour belongs to, 1 (Monday) to 7"),
}
_DAY_FIELDS = {
    **_VERDICT_FIELDS,
    "good": Field(BOOLEAN, None, "good-air day (优 or 良)"),
    "good_n": Field(INTEGER, "days", "1 on a good-air day, else 0: for sums"),
    "month": Field(STRING, None, "2026-03, for a calendar"),
    "day": Field(STRING, None, "01 to 31, for a calendar"),
}
_DAY_GUARDS = {**_VERDICT_GUARDS, "good": "valid", "good_n": "valid"}
_FACTOR_FIELDS = {
    "value": _VALUE,
    "iaqi": _IAQI,
    "iaqi_valid": _IAQI_VALID,
    "stations_valid": _STATIONS_VALID,
    "planned": Field(BOOLEAN, None, "false: outside the monitoring plan, shown as /"),
    "valid": _VALID,
}
_FACTOR_GUARDS = {"value": "valid", "iaqi": "iaqi_valid"}
_HOUR_FACTOR_FIELDS = {**_FACTOR_FIELDS, "hour": _HOUR}
_DAY_FACTOR_FIELDS = {
    **_FACTOR_FIELDS,
    "hours": Field(INTEGER, "hours", "valid hours of all stations"),
    "hours_due": Field(INTEGER, "hours", "hours they should have"),
}

_OF_AREA, _OF_AREA_FACTOR = ("area", "dust", "edition"), ("area", "dust", "edition", "factor")
_OF_STATION, _OF_STATION_FACTOR = ("dust", "edition", "source"), ("dust", "edition", "factor", "source")

AIR_HOUR = Measurement(
    "air_hour",
    "hour end",
    ("area", "factor", "source"),
    {
        "value": _VALUE,
        "own": Field(FLOAT, BY_FACTOR, "the hour as its logger sent it"),
        "own_valid": _known("what the logger sent"),
        "mean": Field(FLOAT, BY_FACTOR, "mean of the valid minutes"),
        "mean_valid": Field(BOOLEAN, None, "whether there is a valid minute"),
        "minutes": Field(INTEGER, "minutes", "valid minutes"),
        "expected": Field(INTEGER, "minutes", "minutes there should be"),
        "origin": Field(STRING, None, "where the value is from: L logger, M minutes, A audit, - nowhere"),
        "flag": Field(STRING, None, "flag of the logger (HJ 212)"),
        "reason": _REASON,
        "valid": _VALID,
    },
    {"value": "valid", "own": "own_valid", "mean": "mean_valid"},
)
"""An hour of one factor at one station. An invalid hour keeps the value it was sent with, if it had one."""

AIR_AQI_HOUR = Measurement("air_aqi_hour", "hour end", _OF_AREA, _HOUR_FIELDS, _VERDICT_GUARDS)
"""Hourly AQI of an area: a district, or a township."""

AIR_AREA_HOUR = Measurement("air_area_hour", "hour end", _OF_AREA_FACTOR, _HOUR_FACTOR_FIELDS, _FACTOR_GUARDS)
"""An hour of one factor in an area: the rounded concentration the index was taken from."""

AIR_DAY = Measurement("air_day", "day start", _OF_AREA, _DAY_FIELDS, _DAY_GUARDS)
"""Verdict of a day of an area."""

AIR_DAY_FACTOR = Measurement("air_day_factor", "day start", _OF_AREA_FACTOR, _DAY_FACTOR_FIELDS, _FACTOR_GUARDS)
"""A day of one factor in an area."""

AIR_STATION_HOUR = Measurement("air_station_hour", "hour end", _OF_STATION, _HOUR_FIELDS, _VERDICT_GUARDS)
"""Hourly AQI of a station. The message does not name its area: the tags of ``air_hour`` do."""

AIR_STATION_HOUR_FACTOR = Measurement(
    "air_station_hour_factor", "hour end", _OF_STATION_FACTOR, _HOUR_FACTOR_FIELDS, _FACTOR_GUARDS
)
"""An hour of one factor at a station, rounded, with its index; ``air_hour`` has what it came from."""

AIR_STATION_DAY = Measurement("air_station_day", "day start", _OF_STATION, _DAY_FIELDS, _DAY_GUARDS)
"""Verdict of a day of a station (daily report, HJ 633 Table 4)."""

AIR_STATION_DAY_FACTOR = Measurement(
    "air_station_day_factor", "day start", _OF_STATION_FACTOR, _DAY_FACTOR_FIELDS, _FACTOR_GUARDS
)
"""A day of one factor at a station."""


def _tally(name: str, stamp: str) -> Measurement:
    return Measurement(
        name,
        stamp,
        _OF_AREA,
        {
            "good_days": Field(INTEGER, "days", "good-air days so far"),
            "polluted_days": Field(INTEGER, "days", "valid days that are not good"),
            "invalid_days": Field(INTEGER, "days", "days without a valid verdict"),
            "valid_days": Field(INTEGER, "days", "good + polluted"),
            "days": Field(INTEGER, "days", "days so far"),
            "expected_days": Field(INTEGER, "days", "days of the whole period"),
            **{f"level{n}_days": Field(INTEGER, "days", f"days of level {n}") for n in range(1, 7)},
            "ratio": Field(FLOAT, "percent", "good of valid days, one decimal"),
            "ratio_valid": Field(BOOLEAN, None, "whether there is a valid day to divide by"),
            "attains": Field(BOOLEAN, None, "whether all six factors attain the limits of the period (GB 3095)"),
            "attains_valid": Field(BOOLEAN, None, "whether there are enough days to say"),
            "through": _THROUGH,
            "period": _PERIOD,
            "valid": _VALID,
        },
        {"ratio": "ratio_valid", "attains": "attains_valid"},
    )


AIR_MONTH = _tally("air_month", "month start")
AIR_QUARTER = _tally("air_quarter", "quarter start")
AIR_YEAR = _tally("air_year", "year start")
"""Good-air days of a period so far. ``*_days`` are counts; ``valid`` is the filter every measurement has."""

AIR_INDEX = Measurement(
    "air_index",
    "period start",
    ("area", "dust", "edition", "profile", "span"),
    {
        "value": Field(FLOAT, "index", "composite index"),
        "provisional": Field(BOOLEAN, None, "the validity minima are not met: shown, not evaluated"),
        "through": _THROUGH,
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"value": "valid"},
)
"""Composite index of an area in a period, under one profile. Two profiles are never mixed in one series."""

AIR_STATISTIC = Measurement(
    "air_statistic",
    "period start",
    ("area", "dust", "edition", "factor", "span"),
    {
        "days": Field(INTEGER, "days", "days with a value"),
        "mean": Field(FLOAT, BY_FACTOR, "mean of the daily values, as reported"),
        "mean_valid": _known("the mean"),
        "percentile": Field(FLOAT, BY_FACTOR, "percentile of the daily values, as reported"),
        "percentile_valid": _known("the percentile"),
        "rank": Field(INTEGER, "percent", "which percentile"),
        "enough": Field(BOOLEAN, None, "the validity minima are met; else it is shown, not evaluated"),
        "attains": Field(BOOLEAN, None, "whether the factor attains the limits of the period"),
        "attains_valid": Field(BOOLEAN, None, "whether there are enough days to say"),
        "primary_days": Field(INTEGER, "days", "days it was a primary pollutant"),
        "valid": _VALID,
    },
    {"mean": "mean_valid", "percentile": "percentile_valid", "rank": "percentile_valid", "attains": "attains_valid"},
)
"""One factor of an area over a period."""

AIR_BUDGET = Measurement(
    "air_budget",
    "day start",
    ("area", "edition"),
    {
        "state": Field(STRING, None, "open, safe, lost, lost_if_complete, incomplete, uncertain"),
        "hours_left": Field(INTEGER, "hours", "hours of the day still to come"),
        "hour": Field(STRING, None, "the last hour it knows, 2026-03-01T08"),
        "task_days": Field(FLOAT, "days", "good-air days owed this year"),
        "good_days": Field(INTEGER, "days", "good-air days so far"),
        "polluted_days": Field(INTEGER, "days", "valid days that are not good, so far"),
        "days_left": Field(INTEGER, "days", "days of the year still to be judged"),
        "year_state": Field(STRING, None, "open, safe, lost"),
        "polluted_left": Field(INTEGER, "days", "remaining days that may be not good"),
        "polluted_left_valid": Field(BOOLEAN, None, "false: the task is lost"),
        "needed": Field(FLOAT, "percent", "of the remaining days that must be good"),
        "needed_valid": Field(BOOLEAN, None, "false: the task is lost, or no day is left"),
        "valid": _VALID,
    },
    {"polluted_left": "polluted_left_valid", "needed": "needed_valid"},
)
"""What the rest of a day, and of its year, may still bring an area that owes good-air days; as of the last hour."""

AIR_BUDGET_FACTOR = Measurement(
    "air_budget_factor",
    "day start",
    ("area", "edition", "factor"),
    {
        "state": Field(STRING, None, "open, safe, lost, lost_if_complete, incomplete, uncertain"),
        "at_most": Field(FLOAT, BY_FACTOR, "highest value of all remaining hours that keeps the day good"),
        "at_most_valid": Field(BOOLEAN, None, "whether the state is open, so that there is one"),
        "ceiling": Field(FLOAT, BY_FACTOR, "highest value of the day that is still good"),
        "valid": Field(BOOLEAN, None, "false: outside the monitoring plan"),
    },
    {"at_most": "at_most_valid", "ceiling": "valid", "state": "valid"},
)
"""One factor's part of the budget of a day."""

_CHANGE = Field(FLOAT, "percent", "against the same days of last year; below 0 is better")

AIR_CHANGE = Measurement(
    "air_change",
    "period start",
    ("area", "dust", "span"),
    {
        "ratio_points": Field(FLOAT, "points", "change of the ratio of good days, percentage points"),
        "ratio_points_valid": _known("the change"),
        "good_days": Field(INTEGER, "days", "good-air days"),
        "good_days_before": Field(INTEGER, "days", "good-air days of last year's same days, judged again"),
        "valid_days": Field(INTEGER, "days", "valid days"),
        "valid_days_before": Field(INTEGER, "days", "valid days of last year's same days"),
        "edition": Field(STRING, None, "both years are judged under it: that of the last day, so it may change"),
        "against": Field(STRING, None, "the period it is compared with"),
        "through": _THROUGH,
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"ratio_points": "ratio_points_valid"},
)
"""A period of an area against last year. The edition is a field here: it changes while a year grows."""

AIR_CHANGE_INDEX = Measurement(
    "air_change_index",
    "period start",
    ("area", "dust", "profile", "span"),
    {"change": _CHANGE, "through": _THROUGH, "period": _PERIOD, "valid": _VALID},
    {"change": "valid"},
)
"""Change of the composite index under one profile."""

AIR_CHANGE_FACTOR = Measurement(
    "air_change_factor",
    "period start",
    ("area", "dust", "factor", "span"),
    {"change": _CHANGE, "through": _THROUGH, "period": _PERIOD, "valid": _VALID},
    {"change": "valid"},
)
"""Change of one factor's mean (CO and O3: percentile)."""

AIR_RANKING = Measurement(
    "air_ranking",
    "period start",
    ("area", "dust", "profile", "span", "township"),
    {
        "rank": Field(INTEGER, "place", "1 is the cleanest; equal values share a place"),
        "value": Field(FLOAT, "index", "composite index of the township"),
        "provisional": Field(BOOLEAN, None, "the validity minima are not met: shown, not evaluated"),
        "through": _THROUGH,
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"rank": "valid", "value": "valid"},
)
"""Place of a township among those of the district ``area``."""

AIR_DIFFERENCE = Measurement(
    "air_difference",
    "day start",
    _OF_AREA,
    {
        "aqi": Field(INTEGER, "index", "our AQI"),
        "aqi_valid": _known("our AQI"),
        "published_aqi": Field(INTEGER, "index", "AQI the province published"),
        "published_aqi_valid": _known("the published AQI"),
        "ours": Field(STRING, None, "our AQI and primary pollutants as text, NA where there is none"),
        "published": Field(STRING, None, "published AQI and primary pollutants as text, NA where there is none"),
        "cause": Field(STRING, None, "none, dust, rounding, missing, audit, unexplained; several joined by commas"),
        "differs_n": Field(INTEGER, "days", "1 where they differ, else 0: for sums"),
        "hours_missing": Field(INTEGER, "hours", "station hours we do not have"),
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"aqi": "aqi_valid", "published_aqi": "published_aqi_valid"},
)
"""Our day of an area beside the one the province published, and why they differ."""

AIR_DIFFERENCE_FACTOR = Measurement(
    "air_difference_factor",
    "day start",
    _OF_AREA_FACTOR,
    {
        "ours": Field(FLOAT, BY_FACTOR, "our value of the day"),
        "ours_valid": _known("our value"),
        "published": Field(FLOAT, BY_FACTOR, "the published value"),
        "published_valid": _known("the published value"),
        "valid": Field(BOOLEAN, None, "whether a value was published, or said to be missing"),
    },
    {"ours": "ours_valid", "published": "published_valid"},
)
"""One factor of it."""

AIR_CHECKS = Measurement(
    "air_checks",
    "day start",
    ("area", "factor", "source"),
    {
        **{check.lower(): Field(INTEGER, "hours", f"hours that {check} found") for check in CHECKS},
        "other": Field(INTEGER, "hours", "hours that other checks found"),
        "found": Field(INTEGER, "hours", "hours that any check found"),
        "hours": Field(STRING, None, "labels of the hours by check: Q09 03 04, Q11 17"),
        "valid": _VALID,
    },
    {},
)
"""What the automatic checks found in a station's day. A field per check: what is no longer found becomes 0."""

CONDITION = Measurement(
    "condition",
    "when it first began",
    ("factor", "group", "rule", "subject"),
    {
        "state": Field(STRING, None, "began, continues, ended"),
        "open": Field(INTEGER, "conditions", "1 while it lasts, 0 when it has ended: for sums"),
        "level": Field(STRING, None, "colour of its level; empty where the rule has none"),
        "since": Field(INTEGER, "ms", "begin of what it is about now, epoch ms"),
        "until": Field(INTEGER, "ms", "end of what it is about, epoch ms"),
        "until_valid": _known("the end"),
        "changed": Field(INTEGER, "ms", "when it became so, epoch ms"),
        "name": Field(STRING, None, "name of its subject"),
        "check": Field(STRING, None, "of a suspicion its check, such as R9.hours; else empty"),
        "title": Field(STRING, None, "of a suspicion what it suspects, in Chinese; else empty"),
        "reason": Field(STRING, None, "of a suspicion what was found, in Chinese; else empty"),
        "measured": Field(STRING, None, "newest value with its unit; empty where it is about none"),
        "detail": Field(STRING, None, "for people: key=value joined by ；"),
        "counted": Field(INTEGER, "count", "how many of them are fine"),
        "expected": Field(INTEGER, "count", "how many there should be"),
        "valid": _VALID,
    },
    {"until": "until_valid"},
)
"""A condition as it stands now. Its stamp never moves while it lasts, so that its end overwrites its beginning."""

WATER_SPANS = ("hour", "day", *SPANS)
"""Values of the tag ``span`` of a section's class."""

WATER_HOUR = Measurement(
    "water_hour",
    "hour end",
    ("factor", "section"),
    {
        "value": Field(FLOAT, BY_ITEM, "as it was sent, or as an audit put it"),
        "flag": Field(STRING, None, "flag of the station"),
        "reason": _REASON,
        "result": Field(STRING, None, "N a new result, C the last one carried forward, - none"),
        "below": Field(BOOLEAN, None, "the value is a detection limit that was not reached"),
        "checks": Field(STRING, None, "what plausibility finds in it, joined by ,"),
        "valid": _VALID,
    },
    {"value": "valid"},
)
"""An hour of one item at a section. An invalid hour keeps the value it was sent with, if it had one."""

WATER_CLASS = Measurement(
    "water_class",
    "hour end; day, month or year start",
    ("edition", "section", "span"),
    {
        "class": Field(INTEGER, "class", "1 to 6, 6 worse than V; of a spring 1 to 5"),
        "rating": Field(STRING, None, "优, 良好, 轻度污染, 中度污染, 重度污染; empty for a spring"),
        "main": Field(STRING, None, "main pollution indicators, such as 氨氮(1.2)、总磷(0.6)"),
        "target": Field(INTEGER, "class", "class it owes"),
        "target_valid": _known("the class it owes"),
        "meets": Field(INTEGER, "sections", "1 where it meets its target, else 0: for sums"),
        "meets_valid": _known("whether it meets its target"),
        "period": _PERIOD,
        "through": _THROUGH,
        "complete": Field(BOOLEAN, None, "the period is over"),
        "valid": _VALID,
    },
    {"class": "valid", "rating": "valid", "main": "valid", "target": "target_valid", "meets": "meets_valid"},
)
"""Class of a section: the real-time one of an hour, those of means over days, months and years."""

WATER_FACTOR = Measurement(
    "water_factor",
    "hour end; day, month or year start",
    ("body", "edition", "factor", "section", "span"),
    {
        "value": Field(FLOAT, BY_ITEM, "what was classified, unrounded; a detection limit where below"),
        "below": Field(BOOLEAN, None, "below detection"),
        "class": Field(INTEGER, "class", "of the item"),
        "class_valid": _known("a class of the item"),
        "over": Field(INTEGER, "items", "1 where it is worse than the target, else 0: for sums"),
        "multiple": Field(FLOAT, "1", "exceed multiple of the target limit"),
        "multiple_valid": _known("an exceed multiple"),
        "results": Field(INTEGER, "count", "valid results, days or months"),
        "expected": Field(INTEGER, "count", "how many there should be"),
        "origin": Field(STRING, None, "A automatic station, L laboratory; empty where it goes without saying"),
        "valid": _VALID,
    },
    {"value": "valid", "class": "class_valid", "multiple": "multiple_valid"},
)
"""An item of a section in an hour, on a day, in a month or a year. ``body`` says whose limits: river, lake, spring."""

WATER_SECTIONS = Measurement(
    "water_sections",
    "day or month start",
    ("edition", "group", "span"),
    {
        "sections": Field(INTEGER, "sections", "surface sections of the group"),
        "judged": Field(INTEGER, "sections", "those with a class"),
        "good": Field(INTEGER, "sections", "class I to III"),
        "worse": Field(INTEGER, "sections", "worse than V"),
        "with_target": Field(INTEGER, "sections", "judged against a target"),
        "meeting": Field(INTEGER, "sections", "that meet it"),
        "good_percent": Field(FLOAT, "percent", "优良比例"),
        "worse_percent": Field(FLOAT, "percent", "劣Ⅴ比例"),
        "meeting_percent": Field(FLOAT, "percent", "达标率"),
        "meeting_valid": _known("a share of those that meet"),
        "rating": Field(STRING, None, "of the river, from five sections on; else empty"),
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"good_percent": "valid", "worse_percent": "valid", "meeting_percent": "meeting_valid"},
)
"""Shares of sections of a group."""

WATER_ARRIVAL = Measurement(
    "water_arrival",
    "when the sample was drawn that began the warning upstream",
    ("factor", "group", "section", "source"),
    {
        "state": Field(STRING, None, "expected, carried, attenuated, withdrawn"),
        "open": Field(INTEGER, "arrivals", "1 while it is expected, else 0: for sums"),
        "eta_from": Field(INTEGER, "ms", "earliest, epoch ms"),
        "eta_probable": Field(INTEGER, "ms", "probable, epoch ms"),
        "eta_to": Field(INTEGER, "ms", "latest, epoch ms"),
        "linked": Field(STRING, None, "the condition it became; empty where none"),
        "value": Field(FLOAT, BY_ITEM, "worst value upstream"),
        "valid": _VALID,
    },
    {},
)
"""What a warning upstream means for a section downstream."""

WATER_BORDER = Measurement(
    "water_border",
    "month start",
    ("edition", "group", "inflow", "outflow"),
    {
        "class_in": Field(INTEGER, "class", "where the river enters"),
        "class_in_valid": _known("the class where it enters"),
        "class_out": Field(INTEGER, "class", "where it leaves"),
        "class_out_valid": _known("the class where it leaves"),
        "balance": Field(STRING, None, "added, imported, improved, clean, unknown"),
        "balance_zh": Field(STRING, None, "the same in Chinese"),
        "items": Field(STRING, None, "by item: NH3N=added, joined by ,"),
        "period": _PERIOD,
        "valid": _VALID,
    },
    {"class_in": "class_in_valid", "class_out": "class_out_valid"},
)
"""Inflow against outflow of the district."""

EMISSION_HOUR = Measurement(
    "emission_hour",
    "hour end",
    ("factor", "source"),
    {
        "value": Field(FLOAT, AS_SENT, "as it was sent, in the unit of the field unit"),
        "zs": Field(FLOAT, "mg/m3", "the device's own mean at reference oxygen (折算)"),
        "zs_valid": _known("the device's own conversion"),
        "unit": Field(STRING, None, "unit it was sent in; empty where it is the published one"),
        "flag": Field(STRING, None, "flag of the logger (HJ 212)"),
        "reason": _REASON,
        "checks": Field(STRING, None, "what deserves a look, joined by ,"),
        "valid": _VALID,
    },
    {"value": "valid", "zs": "zs_valid"},
)
"""An hour of one factor or meter of a source. An invalid hour keeps the value it was sent with, if it had one."""

OUTLET_JUDGED = Measurement(
    "outlet_judged",
    "hour end; day start",
    ("enterprise", "factor", "outlet", "span"),
    {
        "value": Field(FLOAT, "mg/m3 or mg/L", "what was compared with the limits"),
        "ratio": Field(FLOAT, "1", "to the strictest binding limit"),
        "ratio_valid": _known("a ratio"),
        "verdict": Field(STRING, None, "OK, EXCEED, EXEMPT, INVALID, NOT_APPLICABLE, NO_LIMIT"),
        "limit": Field(STRING, None, "the strictest binding limit; empty without one"),
        "level": Field(STRING, None, "blue, yellow, orange, red of this hour alone; empty below"),
        "reason": _REASON,
        "over": Field(INTEGER, "count", "1 where it exceeds, else 0: for sums"),
        "exempt": Field(INTEGER, "count", "1 where it is exempt, else 0: for sums"),
        "valid": _VALID,
    },
    {"value": "valid", "ratio": "ratio_valid"},
)
"""An hour or day of one factor of an outlet against its limits."""

OUTLET_LIMIT = Measurement(
    "outlet_limit",
    "hour end; day start",
    ("factor", "limit", "outlet", "span"),
    {
        "value": Field(FLOAT, "mg/m3 or mg/L", "the limit of this kind in force: legal, permit, ultra_low, temporary"),
        "verdict": Field(STRING, None, "against this limit alone"),
        "valid": _VALID,
    },
    {"value": "valid"},
)
"""The limits an hour or day of a factor of an outlet was compared with, kind by kind."""

EMISSION_AMOUNT = Measurement(
    "emission_amount",
    "day, month or year start",
    ("factor", "span", "subject"),
    {
        "total": Field(FLOAT, "kg; of flow m3", "with what was put for missing hours"),
        "measured": Field(FLOAT, "kg; of flow m3", "without it"),
        "filled": Field(INTEGER, "hours", "hours filled; of waste water days"),
        "gaps": Field(INTEGER, "hours", "hours (days) for which nothing could be put"),
        "valid": _VALID,
    },
    {},
)
"""What an outlet or enterprise emitted."""

OUTLET_RATES = Measurement(
    "outlet_rates",
    "month or year start",
    ("enterprise", "outlet", "span"),
    {
        "transmission": Field(FLOAT, "percent", "传输率"),
        "effective": Field(FLOAT, "percent", "有效率"),
        "effective_valid": _known("an effective rate"),
        "product": Field(FLOAT, "percent", "传输有效率"),
        "hours": Field(INTEGER, "hours", "of all required factors"),
        "standstill": Field(INTEGER, "hours", "at a standstill"),
        "received": Field(INTEGER, "hours", "that came"),
        "valid_hours": Field(INTEGER, "hours", "that are valid"),
        "online_minutes": Field(INTEGER, "min", "在线分钟"),
        "minutes": Field(INTEGER, "min", "all minutes"),
        "through": _THROUGH,
        "valid": _VALID,
    },
    {"transmission": "valid", "effective": "effective_valid", "product": "valid"},
)
"""Shares of time of an outlet."""

OUTLET_ULTRA_LOW = Measurement(
    "outlet_ultra_low",
    "month or year start",
    ("factor", "outlet", "span"),
    {
        "valid_hours": Field(INTEGER, "hours", "valid hours"),
        "over": Field(INTEGER, "hours", "of them above the ultra-low limit and not exempt"),
        "percent": Field(FLOAT, "percent", "超低排放达标率"),
        "passes": Field(BOOLEAN, None, "enough of them comply"),
        "valid": _VALID,
    },
    {"percent": "valid", "passes": "valid"},
)
"""Valid hours against the ultra-low limit."""

ENTERPRISE_PERMIT = Measurement(
    "enterprise_permit",
    "year start",
    ("enterprise", "factor"),
    {
        "permit": Field(FLOAT, "t", "许可排放量"),
        "used": Field(FLOAT, "t", "used so far, what was filled included"),
        "used_percent": Field(FLOAT, "percent", "of the permit"),
        "of_year_percent": Field(FLOAT, "percent", "of the year gone"),
        "daily": Field(FLOAT, "t", "mean of the last full days"),
        "year_end": Field(FLOAT, "t", "projected to 31 December"),
        "exceeds_on": Field(STRING, None, "day of this year above the permit if it goes on like this; or empty"),
        "level": Field(STRING, None, "yellow, orange, red; empty below"),
        "through": _THROUGH,
        "valid": _VALID,
    },
    {},
)
"""A permit and its projection."""

ALERT = Measurement(
    "alert",
    "when it was opened, by the log",
    ("about", "group", "kind", "subject"),
    {
        "id": Field(STRING, None, "id of the episode"),
        "name": Field(STRING, None, "name of its subject"),
        "level": Field(STRING, None, "blue, yellow, orange, red"),
        "state": Field(STRING, None, "a state of schemas.alerts.STATES"),
        "rules": Field(STRING, None, "rules it rests on, joined by ,"),
        "active": Field(INTEGER, "episodes", "1 while somebody owes it something, else 0: for sums"),
        "unacknowledged": Field(INTEGER, "episodes", "1 while nobody has it, else 0: for sums"),
        "loud": Field(INTEGER, "episodes", "1 where people are told of it by itself: no part of another, not muted"),
        "told": Field(INTEGER, "people", "people a notice went to"),
        "members": Field(INTEGER, "conditions", "conditions it gathers"),
        "holder": Field(STRING, None, "who has it; empty where nobody"),
        "cause": Field(STRING, None, "a cause of schemas.alerts.CAUSES; empty while none is given"),
        "muted": Field(STRING, None, "why nobody is told; empty where they are"),
        "parent": Field(STRING, None, "id of the episode it is a part of; empty where none"),
        "began": Field(INTEGER, "ms", "when it began in event time, epoch ms"),
        "updated": Field(INTEGER, "ms", "when this was said last, epoch ms"),
        "to_acknowledge": Field(FLOAT, "min", "from opening to acknowledgement"),
        "to_acknowledge_valid": _known("when it was acknowledged"),
        "to_resolve": Field(FLOAT, "min", "from opening to recovery or close"),
        "to_resolve_valid": _known("when it was over"),
        "valid": _VALID,
    },
    {"to_acknowledge": "to_acknowledge_valid", "to_resolve": "to_resolve_valid"},
)
"""An alert as it stands. Its stamp never moves, so that its end overwrites its beginning."""

DELIVERY = Measurement(
    "delivery",
    "when it was tried, by the wall clock",
    ("channel", "group", "person"),
    {
        "state": Field(STRING, None, "sending, sent, failed, digested, gave-up, kept"),
        "sent": Field(INTEGER, "deliveries", "1 where the channel really answered, else 0: for sums"),
        "failed": Field(INTEGER, "deliveries", "1 where it did not, else 0: for sums"),
        "gave_up": Field(INTEGER, "deliveries", "1 where no channel was left, else 0: for sums"),
        "attempt": Field(INTEGER, "count", "which try it was"),
        "status": Field(INTEGER, None, "HTTP status; 0 where there was none"),
        "code": Field(STRING, None, "the provider's own code"),
        "words": Field(STRING, None, "its words, without anything secret"),
        "notice": Field(STRING, None, "id of the notice"),
        "episode": Field(STRING, None, "id of the episode"),
        "final": Field(BOOLEAN, None, "nothing more is tried for this person"),
        "valid": _VALID,
    },
    {},
)
"""One attempt to tell one person by one channel."""

READING = Measurement(
    "reading",
    "end of its period",
    ("factor", "kind", "period", "source"),
    {
        "value": Field(FLOAT, AS_SENT, "as it was sent; the unit is in the field unit"),
        "unit": Field(STRING, None, "unit it was sent in; empty where it is the published one"),
        "flag": Field(STRING, None, "flag of the logger (HJ 212); empty where it gave none"),
        "backfilled": Field(BOOLEAN, None, "sent later by a logger that had lost its line"),
        "valid": Field(BOOLEAN, None, "it has a value, and its flag is normal; every query filters on it"),
    },
    {"value": "valid"},
    RECENT,
)
"""A reading as it came, before anybody judged it. ``period`` is r (realtime), m, h or d; ``kind`` air, water, emission.

An invalid reading keeps the value it was sent with.
"""

DEAD_LETTER = Measurement(
    "dead_letter",
    "when it was received",
    ("topic",),
    {
        "id": Field(STRING, None, "id of the letter, for `envstream dead list`"),
        "reason": Field(STRING, None, "why it could not be used"),
        "letters": Field(INTEGER, "letters", "1: for sums"),
        "valid": _VALID,
    },
    {},
    RECENT,
)
"""What could not be used. ``topic`` is where it came from; - where it came from none."""

PIPELINE = Measurement(
    "pipeline",
    "when it was sampled, by the wall clock",
    ("about", "instance", "name", "part"),
    {
        "value": Field(FLOAT, BY_NAME, "what schemas.health.HEALTH says of the tag name"),
        "valid": _VALID,
    },
    {"value": "valid"},
    RECENT,
)
"""Health of the parts: a number of one name of one running part. ``about`` is a topic or channel; - where neither."""

PLACE = Measurement(
    "place",
    "when its registry entered the log, by the log",
    ("id", "kind"),
    {
        "name": Field(STRING, None, "店上桥"),
        "label": Field(STRING, None, "店上桥 (dianshang-bridge): for a list to choose from, split by PLACE_LABEL"),
        "of": Field(STRING, None, "id of what it belongs to: district, enterprise or group; empty where none"),
        "body": Field(STRING, None, "river, lake, spring; of a group those of its sections, joined by ,; else empty"),
        "order": Field(INTEGER, "place", "in lists: as the registry has it, sections along the river"),
        "valid": _VALID,
    },
    {},
)
"""What the registry calls an id, as of each version of it: the last of a series holds.

``kind`` is one of PLACE_KINDS. The stamp falls with ``order``: newest first, a version is in its own order, and what
only an older version has comes after all others and keeps its name. No name is a tag, here or elsewhere: they change.
"""

PLACE_KINDS = ("group", "district", "township", "station", "section", "enterprise", "outlet", "person")
"""Values of the tag ``kind`` of a place; a person is none, and is called by a name all the same."""

PLACE_LABEL = r"/^(?<text>.*) \((?<value>[A-Za-z0-9._-]+)\)$/"
"""Name and id of a label, as Grafana splits it (a regular expression of JavaScript)."""

SINK_PROBE = Measurement("sink_probe", "when written", (), {"valid": _VALID}, {})
"""Written without a time stamp when a batch is refused with 5xx again and again: does the server take any write?"""

MEASUREMENTS: dict[str, Measurement] = {
    m.name: m
    for m in (
        AIR_HOUR,
        AIR_AQI_HOUR,
        AIR_AREA_HOUR,
        AIR_DAY,
        AIR_DAY_FACTOR,
        AIR_STATION_HOUR,
        AIR_STATION_HOUR_FACTOR,
        AIR_STATION_DAY,
        AIR_STATION_DAY_FACTOR,
        AIR_MONTH,
        AIR_QUARTER,
        AIR_YEAR,
        AIR_INDEX,
        AIR_STATISTIC,
        AIR_BUDGET,
        AIR_BUDGET_FACTOR,
        AIR_CHANGE,
        AIR_CHANGE_INDEX,
        AIR_CHANGE_FACTOR,
        AIR_RANKING,
        AIR_DIFFERENCE,
        AIR_DIFFERENCE_FACTOR,
        AIR_CHECKS,
        CONDITION,
        WATER_HOUR,
        WATER_CLASS,
        WATER_FACTOR,
        WATER_SECTIONS,
        WATER_ARRIVAL,
        WATER_BORDER,
        EMISSION_HOUR,
        OUTLET_JUDGED,
        OUTLET_LIMIT,
        EMISSION_AMOUNT,
        OUTLET_RATES,
        OUTLET_ULTRA_LOW,
        ENTERPRISE_PERMIT,
        ALERT,
        DELIVERY,
        READING,
        DEAD_LETTER,
        PIPELINE,
        PLACE,
        SINK_PROBE,
    )
}
