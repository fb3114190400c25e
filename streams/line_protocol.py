r"""Messages of ``cells``, ``verdicts`` and ``conditions`` to lines of InfluxDB line protocol.

Built by hand: ``influxdb_client.Point`` made 90 000 lines/s where hand-built strings made 717 000
(engineering §1.2). Times are nanoseconds, which is what ``influx write`` and ``/api/v2/write`` take when
nothing else is said, so a spool file can be loaded without knowing anything about it.

Escaping (tested against a real InfluxDB): in tags, comma, equals sign and blank get a backslash; a
backslash itself cannot be escaped there, so a tag that ends in one is refused. In strings, quote and
backslash get one. Control characters are refused in tags and become blanks in strings: a line is a line.

A message says all there is under its key, so its lines must also overwrite what it no longer names: the six factors
are always written, whichever of them a verdict has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas import measurements as m
from schemas import times
from schemas.action_words import CATEGORIES
from schemas.messages import (
    ENDED,
    VERSION,
    AirBudget,
    AirChange,
    AirChecks,
    AirDifference,
    AirPeriod,
    AirRanking,
    AirVerdict,
    Cell,
    Condition,
)
from schemas.registry import AIR_FACTORS
from streams import emission_lines, water_lines

_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,36})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\"})
_LAST_SECOND = 9_223_372_036  # int64 nanoseconds end in 2262
_PREFIXES_KEPT = 100_000  # some hundred thousand series would be a province; a bound, so that memory has one


class LineError(ValueError):
    """A message that cannot become lines; the text says why."""


class _Head(msgspec.Struct):
    kind: str = ""
    rule: str = ""  # a condition has this and no kind
    v: int = VERSION


class _Statistic(msgspec.Struct):
    """A value of ``AirPeriod.statistics``."""

    days: int = 0
    mean: str | None = None
    percentile: str | None = None
    rank: int | None = None
    enough: bool = False
    attains: bool | None = None


class _Year(msgspec.Struct):
    """``AirBudget.year``."""

    task: str
    good: int
    polluted: int
    days_left: int
    state: str
    polluted_left: int | None
    needed: str | None


_head = msgspec.json.Decoder(_Head)


def _text(value: str) -> str:
    if _CONTROL.search(value):
        value = _CONTROL.sub(" ", value)
    return f'"{value.translate(_STRING_ESCAPES)}"'


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise LineError(f"{value!r} is not a plain decimal number")
    return value


def _tag(name: str, value: str) -> str:
    if not value:
        raise LineError(f"tag {name} is empty: a point needs all its tags")
    if _CONTROL.search(value) or value[-1] == "\\":
        raise LineError(f"tag {name} = {value!r}: a control character or a backslash at the end cannot be written")
    return f"{name}={value.translate(_TAG_ESCAPES)}"


_FORMAT = {m.FLOAT: "{}", m.INTEGER: "{}i", m.BOOLEAN: "{}", m.STRING: "{}"}
_ENCODE: dict[str, Callable[[Any], str]] = {
    m.FLOAT: _number,
    m.INTEGER: str,
    m.BOOLEAN: lambda value: "true" if value else "false",
    m.STRING: _text,
}


class _Builder:
    """Lines of one measurement: all its tags and all its fields, each in its declared type."""

    def __init__(self, measurement: m.Measurement) -> None:
        self.name = measurement.name
        self.tags = measurement.tags
        self.fields = ",".join(f"{n}={_FORMAT[f.type]}" for n, f in measurement.fields.items()).format
        self.encoders = tuple(_ENCODE[f.type] for f in measurement.fields.values())
        self.prefixes: dict[tuple[str, ...], str] = {}

    def line(self, time: int, tags: tuple[str, ...], *values: Any) -> str:
        """A line; ``tags`` and ``values`` in the order of the measurement's declaration."""
        prefix = self.prefixes.get(tags)
        if prefix is None:
            if len(self.prefixes) >= _PREFIXES_KEPT:
                self.prefixes.clear()
            prefix = ",".join((self.name, *(_tag(n, v) for n, v in zip(self.tags, tags, strict=True))))
            self.prefixes[tags] = prefix
        body = self.fields(*[encode(value) for encode, value in zip(self.encoders, values, strict=True)])
        return f"{prefix} {body} {time}000000000"


_air_hour = _Builder(m.AIR_HOUR)
_tallies = {
    f"air-{span}": _Builder(made) for span, made in zip(m.SPANS, (m.AIR_MONTH, m.AIR_QUARTER, m.AIR_YEAR), strict=True)
}
_air_index = _Builder(m.AIR_INDEX)
_air_statistic = _Builder(m.AIR_STATISTIC)
_air_budget, _air_budget_factor = _Builder(m.AIR_BUDGET), _Builder(m.AIR_BUDGET_FACTOR)
_air_change = _Builder(m.AIR_CHANGE)
_air_change_index, _air_change_factor = _Builder(m.AIR_CHANGE_INDEX), _Builder(m.AIR_CHANGE_FACTOR)
_air_ranking = _Builder(m.AIR_RANKING)
_air_difference, _air_difference_factor = _Builder(m.AIR_DIFFERENCE), _Builder(m.AIR_DIFFERENCE_FACTOR)
_air_checks = _Builder(m.AIR_CHECKS)
_condition = _Builder(m.CONDITION)

_NO_NUMBER, _NO_CHANGE = str(m.NOTHING), str(m.NO_CHANGE)
_LOGGER, _AUDIT, _NOWHERE = "LA-"
_LAST_DAY = 100_000  # 2243: a number up to this at the end of a condition's id counts days, a larger one seconds


def _or_nothing(value: str | None) -> str:
    return _NO_NUMBER if value is None else value


def _count(value: int | None) -> int:
    return m.NOTHING if value is None else value


def _decimal(value: float | None, places: int, nothing: str = _NO_NUMBER) -> str:
    """A number of a rule that rounds to at most ``places``: their text is exact."""
    return nothing if value is None else f"{value:.{places}f}"


def _six(*more: Iterable[str]) -> dict[str, None]:
    """The six factors, and whatever else a message names."""
    return dict.fromkeys((*AIR_FACTORS, *(name for names in more for name in names)))


def _span_of(period: str) -> str:
    return "quarter" if "Q" in period else "month" if "-" in period else "year"


# ---- hours


def _cell_lines(message: Cell) -> list[str]:
    n = len(message.factors)
    origins = message.origins or _NOWHERE * n
    means: list[str | None] = message.means or [None] * n
    minutes = message.minutes or [0] * n
    columns = (message.values, message.flags, message.reasons, origins, means, minutes)
    if any(len(column) != n for column in columns):
        raise LineError("columns differ in length")
    time, area, source, expected = message.time, message.area, message.source, message.expected
    lines = []
    for factor, value, flag, reason, origin, mean, valid_minutes in zip(message.factors, *columns, strict=True):
        own = value if origin == _LOGGER else message.sent.get(factor) if origin == _AUDIT else None
        lines.append(
            _air_hour.line(
                time,
                (area, factor, source),
                _NO_NUMBER if value is None else value,
                _NO_NUMBER if own is None else own,
                own is not None,
                _NO_NUMBER if mean is None else mean,
                mean is not None,
                valid_minutes,
                expected,
                origin,
                flag,
                reason,
                value is not None and reason == "ok",
            )
        )
    return lines


# ---- verdicts of hours and days


def _verdict_lines(whole: m.Measurement, by_factor: m.Measurement) -> Callable[[AirVerdict], list[str]]:
    """Lines of the verdicts of one kind: of areas or stations, hours or days."""
    line, factor_line = _Builder(whole).line, _Builder(by_factor).line
    is_day, of_station = "good" in whole.fields, "source" in whole.tags

    def build(message: AirVerdict) -> list[str]:
        time, subject, dust, edition = message.time, message.area, message.dust, message.edition
        tags = (dust, edition, subject) if of_station else (subject, dust, edition)
        verdict: tuple[Any, ...] = (
            _count(message.aqi),
            _count(message.level),
            message.category or "",
            "、".join(message.primary),
            message.stations,
            message.reason,
            message.valid and message.aqi is not None,
        )
        if is_day:
            good = bool(message.good)
            verdict = (*verdict, good, int(good))
        lines = [line(time, tags, *verdict)]
        due = message.expected * message.stations
        for factor in _six(message.conc, message.iaqi):
            conc, iaqi = message.conc.get(factor), message.iaqi.get(factor)
            said: tuple[Any, ...] = (
                _NO_NUMBER if conc is None else conc,
                _count(iaqi),
                iaqi is not None,
                message.stations_valid.get(factor, 0),
                factor not in message.not_monitored,
                conc is not None,
            )
            if is_day:
                said = (*said, message.hours.get(factor, 0), due)
            lines.append(factor_line(time, (dust, edition, factor, subject) if of_station else (*tags, factor), *said))
        return lines

    return build


# ---- months, quarters and years


def _period_lines(message: AirPeriod) -> list[str]:
    time, span, tags = message.time, message.kind.removeprefix("air-"), (message.area, message.dust, message.edition)
    ends = (message.through, message.period)
    lines = [
        _tallies[message.kind].line(
            time,
            tags,
            message.good,
            message.polluted,
            message.invalid,
            message.valid,
            message.days,
            message.expected,
            *(message.by_category.get(name, 0) for name in CATEGORIES),
            _decimal(message.ratio, 1),
            message.ratio is not None,
            bool(message.attains),
            message.attains is not None,
            *ends,
            True,
        )
    ]
    for profile in dict.fromkeys((*message.index, *message.provisional)):
        value = message.index.get(profile)
        provisional = value is None
        if provisional:
            value = message.provisional.get(profile)
        lines.append(
            _air_index.line(time, (*tags, profile, span), _decimal(value, 3), provisional, *ends, value is not None)
        )
    statistics = msgspec.convert(message.statistics, dict[str, _Statistic])
    for factor in _six(statistics):
        one = statistics.get(factor) or _Statistic()
        lines.append(
            _air_statistic.line(
                time,
                (*tags, factor, span),
                one.days,
                _or_nothing(one.mean),
                one.mean is not None,
                _or_nothing(one.percentile),
                one.percentile is not None,
                _count(one.rank),
                one.enough,
                bool(one.attains),
                one.attains is not None,
                message.primary.get(factor, 0),
                one.days > 0,
            )
        )
    return lines


def _change_lines(message: AirChange) -> list[str]:
    time, span, tags = message.time, _span_of(message.period), (message.area, message.dust)
    ends = (message.through, message.period)
    points = message.ratio_points
    lines = [
        _air_change.line(
            time,
            (*tags, span),
            _decimal(points, 1, _NO_CHANGE),
            points is not None,
            message.good,
            message.good_before,
            message.valid,
            message.valid_before,
            message.edition,
            message.against,
            *ends,
            True,
        )
    ]
    for profile, change in message.index.items():
        said = (_decimal(change, 2, _NO_CHANGE), *ends, change is not None)
        lines.append(_air_change_index.line(time, (*tags, profile, span), *said))
    for factor in _six(message.concentrations):
        change = message.concentrations.get(factor)
        said = (_decimal(change, 2, _NO_CHANGE), *ends, change is not None)
        lines.append(_air_change_factor.line(time, (*tags, factor, span), *said))
    return lines


def _ranking_lines(message: AirRanking) -> list[str]:
    tags = (message.area, message.dust, message.profile, _span_of(message.period))
    return [
        _air_ranking.line(
            message.time,
            (*tags, township),
            _count(rank),
            _decimal(value, 3),
            message.provisional,
            message.through,
            message.period,
            rank is not None and value is not None,
        )
        for rank, township, value in message.places
    ]


# ---- what rests on days


def _budget_lines(message: AirBudget) -> list[str]:
    year = msgspec.convert(message.year, _Year)
    time = times.day_start(times.day_of(message.time))
    tags = (message.area, message.edition)
    lines = [
        _air_budget.line(
            time,
            tags,
            message.state,
            message.hours_left,
            message.period,
            year.task,
            year.good,
            year.polluted,
            year.days_left,
            year.state,
            _count(year.polluted_left),
            year.polluted_left is not None,
            _or_nothing(year.needed),
            year.needed is not None,
            True,
        )
    ]
    for factor in _six(message.pollutants):
        one = message.pollutants.get(factor, {})
        at_most, ceiling = one.get("at_most"), one.get("ceiling")
        lines.append(
            _air_budget_factor.line(
                time,
                (*tags, factor),
                one.get("state") or "",
                _or_nothing(at_most),
                at_most is not None,
                _or_nothing(ceiling),
                ceiling is not None,
            )
        )
    return lines


def _difference_lines(message: AirDifference) -> list[str]:
    time, tags = message.time, (message.area, message.dust, message.edition)
    lines = [
        _air_difference.line(
            time,
            tags,
            _count(message.aqi),
            message.aqi is not None,
            _count(message.published_aqi),
            message.published_aqi is not None,
            _day_text(message.aqi, message.primary),
            _day_text(message.published_aqi, message.published_primary or []),
            ",".join(message.causes),
            int(message.causes != ["none"]),
            message.hours_missing,
            message.period,
            True,
        )
    ]
    for factor in _six(message.factors):
        pair = message.factors.get(factor, (None, None))
        ours, theirs = (None if text is None or not _NUMBER.fullmatch(text) else text for text in pair)
        lines.append(
            _air_difference_factor.line(
                time,
                (*tags, factor),
                _or_nothing(ours),
                ours is not None,
                _or_nothing(theirs),
                theirs is not None,
                factor in message.factors,
            )
        )
    return lines


def _day_text(aqi: int | None, primary: list[str]) -> str:
    """``152 PM2.5、O3`` as a report has it."""
    return "NA" if aqi is None else f"{aqi} {'、'.join(primary)}".rstrip()


def _check_lines(message: AirChecks) -> list[str]:
    found: dict[str, dict[str, list[int]]] = {}
    for label, factor, check in message.found:
        found.setdefault(factor, {}).setdefault(check, []).append(label)
    lines = []
    for factor in _six(found):
        labels = found.get(factor, {})
        counts = {check: len(hours) for check, hours in labels.items()}
        words = (" ".join((check, *(f"{h:02d}" for h in sorted(hours)))) for check, hours in sorted(labels.items()))
        lines.append(
            _air_checks.line(
                message.time,
                (message.area, factor, message.source),
                *(counts.get(check, 0) for check in m.CHECKS),
                sum(n for check, n in counts.items() if check not in m.CHECKS),
                len({hour for hours in labels.values() for hour in hours}),
                ", ".join(words),
                True,
            )
        )
    return lines


# ---- conditions


def _condition_lines(message: Condition) -> list[str]:
    detail = message.detail
    return [
        _condition.line(
            _stamp_of(message),
            (message.factor or m.NO_FACTOR, message.group, message.rule, message.subject),
            message.state,
            int(message.state != ENDED),
            message.level,
            message.since * 1000,
            message.until * 1000 if message.until else m.NOTHING,
            message.until > 0,
            message.now,
            detail.get("name", ""),
            "；".join(f"{key}={text}" for key, text in detail.items() if key != "name"),
            message.valid,
            message.expected,
            True,
        )
    ]


def _stamp_of(message: Condition) -> int:
    """When it first began, for its end must overwrite its beginning. Its id ends in that.

    ``since`` will not do: of missing hours it is the first that is missing now. Where the id ends in the number of a
    day, ``since`` is the start of that day for good.
    """
    began = message.id.rpartition("|")[2]
    return int(began) if began.isdecimal() and _LAST_DAY < int(began) < _LAST_SECOND else message.since


_Reader = tuple[msgspec.json.Decoder[Any], Callable[[Any], list[str]]]


def _reader(kind: type[msgspec.Struct], build: Callable[[Any], list[str]]) -> _Reader:
    return msgspec.json.Decoder(kind), build


_READERS: dict[str, _Reader] = {
    "hour": _reader(Cell, _cell_lines),
    "air-hour": _reader(AirVerdict, _verdict_lines(m.AIR_AQI_HOUR, m.AIR_AREA_HOUR)),
    "air-day": _reader(AirVerdict, _verdict_lines(m.AIR_DAY, m.AIR_DAY_FACTOR)),
    "station-hour": _reader(AirVerdict, _verdict_lines(m.AIR_STATION_HOUR, m.AIR_STATION_HOUR_FACTOR)),
    "station-day": _reader(AirVerdict, _verdict_lines(m.AIR_STATION_DAY, m.AIR_STATION_DAY_FACTOR)),
    **dict.fromkeys(_tallies, _reader(AirPeriod, _period_lines)),
    "air-budget": _reader(AirBudget, _budget_lines),
    "air-change": _reader(AirChange, _change_lines),
    "air-ranking": _reader(AirRanking, _ranking_lines),
    "air-difference": _reader(AirDifference, _difference_lines),
    "air-checks": _reader(AirChecks, _check_lines),
    **{kind: _reader(*made) for kind, made in water_lines.readers(_Builder).items()},
    **{kind: _reader(*made) for kind, made in emission_lines.readers(_Builder).items()},
}
_conditions = _reader(Condition, _condition_lines)
_NO_POINTS = ("tick", "action")
"""What agents pass on to ``conditions`` beside conditions (design §3)."""


def lines(data: bytes) -> list[str]:
    """The lines of one message of ``cells``, ``verdicts`` or ``conditions``.

    Raises:
        LineError: not such a message, of a newer version, or with something in it that no line can carry.
    """
    try:
        head = _head.decode(data)
        if head.v != VERSION:
            raise LineError(f"format {head.v}, this program reads {VERSION}: upgrade the sink before the writers")
        if head.kind in _NO_POINTS:
            return []
        reader = _conditions if head.rule and not head.kind else _READERS.get(head.kind)
        if reader is None:
            raise LineError(f"kind {head.kind!r} has no measurement")
        decoder, build = reader
        message = decoder.decode(data)
        for time in (message.time,) if hasattr(message, "time") else (message.since, message.until):
            if not -_LAST_SECOND < time < _LAST_SECOND:
                raise LineError(f"time {time} is outside what InfluxDB can hold")
        return build(message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineError(f"not a message of format {VERSION}: {error}") from None
