"""Messages of the log to lines of InfluxDB line protocol; how a line is written: :mod:`streams.line_builder`.

A message says all there is under its key, so its lines must also overwrite what it no longer names: the six factors
are always written, whichever of them a verdict has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from schemas import measurements as m
from schemas import times, topics
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
from streams import alert_lines, emission_lines, place_lines, reading_lines, water_lines
from streams.line_builder import LAST_SECOND, Builder, LineError, is_number, stamp_of

__all__ = ["LineError", "lines"]


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


_air_hour = Builder(m.AIR_HOUR)
_tallies = {
    f"air-{span}": Builder(made) for span, made in zip(m.SPANS, (m.AIR_MONTH, m.AIR_QUARTER, m.AIR_YEAR), strict=True)
}
_air_index = Builder(m.AIR_INDEX)
_air_statistic = Builder(m.AIR_STATISTIC)
_air_budget, _air_budget_factor = Builder(m.AIR_BUDGET), Builder(m.AIR_BUDGET_FACTOR)
_air_change = Builder(m.AIR_CHANGE)
_air_change_index, _air_change_factor = Builder(m.AIR_CHANGE_INDEX), Builder(m.AIR_CHANGE_FACTOR)
_air_ranking = Builder(m.AIR_RANKING)
_air_difference, _air_difference_factor = Builder(m.AIR_DIFFERENCE), Builder(m.AIR_DIFFERENCE_FACTOR)
_air_checks = Builder(m.AIR_CHECKS)
_condition = Builder(m.CONDITION)

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
    line, factor_line = Builder(whole).line, Builder(by_factor).line
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
        hour = f"{times.hour_index(time) + 1:02d}"
        date = times.date_of(times.day_of(time + 1 if is_day else time))  # a day is stamped at its start
        if is_day:
            good = bool(message.good)
            verdict = (*verdict, good, int(good), f"{date:%Y-%m}", f"{date:%d}")
        else:
            verdict = (*verdict, hour, str(date.isoweekday()))
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
            said = (*said, message.hours.get(factor, 0), due) if is_day else (*said, hour)
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
        ours, theirs = (None if text is None or not is_number(text) else text for text in pair)
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
        _condition.line_at(
            stamp_of(_began(message) * 1000, message.id),  # suspicions of one subject may begin in the same minute
            (message.factor or m.NO_FACTOR, message.group, message.rule, message.subject),
            message.state,
            int(message.state != ENDED),
            message.level,
            message.since * 1000,
            message.until * 1000 if message.until else m.NOTHING,
            message.until > 0,
            message.now,
            detail.get("name", ""),
            detail.get("check", ""),
            detail.get("title", ""),
            detail.get("reason", "") if "check" in detail else "",
            f"{detail['value']} {detail.get('unit', '')}".rstrip() if "value" in detail else "",
            "；".join(f"{key}={text}" for key, text in detail.items() if key != "name"),
            message.valid,
            message.expected,
            True,
        )
    ]


def _began(message: Condition) -> int:
    """When it first began, epoch seconds, for its end must overwrite its beginning. Its id ends in that.

    ``since`` will not do: of missing hours it is the first that is missing now. Where the id ends in the number of a
    day, ``since`` is the start of that day for good.
    """
    began = message.id.rpartition("|")[2]
    return int(began) if began.isdecimal() and _LAST_DAY < int(began) < LAST_SECOND else message.since


class _Reader(NamedTuple):
    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any], list[str]]
    times: Callable[[Any], tuple[int, ...]]  # what is written as time, epoch seconds
    version: int = VERSION


def _reader(kind: type[msgspec.Struct], build: Callable[[Any], list[str]]) -> _Reader:
    return _Reader(msgspec.json.Decoder(kind), build, lambda message: (message.time,))


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
    **{kind: _reader(*made) for kind, made in water_lines.readers(Builder).items()},
    **{kind: _reader(*made) for kind, made in emission_lines.readers(Builder).items()},
}
_conditions = _Reader(msgspec.json.Decoder(Condition), _condition_lines, lambda message: (message.since, message.until))
_BY_TOPIC = {
    topic: _Reader(msgspec.json.Decoder(one.type), one.build, one.times, one.version)
    for topic, one in alert_lines.readers().items()
}
_NO_POINTS = ("tick", "action")
"""What agents pass on to ``conditions`` beside conditions (design §3)."""


def lines(data: bytes, topic: str = "") -> list[str]:
    """The lines of one message.

    Args:
        data: the message.
        topic: where it stood; messages of ``cells``, ``verdicts`` and ``conditions`` say themselves what they are.

    Raises:
        LineError: not such a message, of a newer version, or with something in it that no line can carry.
    """
    if topic in reading_lines.KIND_OF_TOPIC:
        return reading_lines.reading_lines(data, reading_lines.KIND_OF_TOPIC[topic])
    if topic == topics.REGISTRY:
        return place_lines.place_lines(data)
    try:
        head = _head.decode(data)
        reader = _BY_TOPIC.get(topic)
        if reader is None and head.kind in _NO_POINTS:
            return []
        if reader is None:
            reader = _conditions if head.rule and not head.kind else _READERS.get(head.kind)
        if head.v != (version := VERSION if reader is None else reader.version):
            raise LineError(f"format {head.v}, this program reads {version}: upgrade the sink before the writers")
        if reader is None:
            raise LineError(f"kind {head.kind!r} has no measurement")
        message = reader.decoder.decode(data)
        for time in reader.times(message):
            if not -LAST_SECOND < time < LAST_SECOND:
                raise LineError(f"time {time} is outside what InfluxDB can hold")
        return reader.build(message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineError(f"not a message of format {VERSION}: {error}") from None
