r"""Messages of ``cells`` and ``verdicts`` to lines of InfluxDB line protocol.

Built by hand: ``influxdb_client.Point`` made 90 000 lines/s where hand-built strings made 717 000
(engineering §1.2). Times are nanoseconds, which is what ``influx write`` and ``/api/v2/write`` take when
nothing else is said, so a spool file can be loaded without knowing anything about it.

Escaping (tested against a real InfluxDB): in tags, comma, equals sign and blank get a backslash; a
backslash itself cannot be escaped there, so a tag that ends in one is refused. In strings, quote and
backslash get one. Control characters are refused in tags and become blanks in strings: a line is a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from schemas import measurements as m
from schemas.messages import VERSION, AirPeriod, AirVerdict, Cell
from schemas.registry import AIR_FACTORS

_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,36})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\"})
_LAST_SECOND = 9_223_372_036  # int64 nanoseconds end in 2262
_PREFIXES_KEPT = 100_000  # some hundred thousand series would be a province; a bound, so that memory has one


class LineError(ValueError):
    """A message that cannot become lines; the text says why."""


class _Head(msgspec.Struct):
    kind: str
    v: int = VERSION


_head = msgspec.json.Decoder(_Head)
_cell = msgspec.json.Decoder(Cell)
_verdict = msgspec.json.Decoder(AirVerdict)
_year = msgspec.json.Decoder(AirPeriod)


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
_air_aqi_hour = _Builder(m.AIR_AQI_HOUR)
_air_area_hour = _Builder(m.AIR_AREA_HOUR)
_air_day = _Builder(m.AIR_DAY)
_air_day_factor = _Builder(m.AIR_DAY_FACTOR)
_air_year = _Builder(m.AIR_YEAR)

_NO_NUMBER = str(m.NOTHING)


def _cell_lines(message: Cell) -> list[str]:
    n = len(message.factors)
    if not (n == len(message.values) == len(message.flags) == len(message.reasons)):
        raise LineError("columns differ in length")
    time, area, source = message.time, message.area, message.source
    return [
        _air_hour.line(
            time,
            (area, factor, source),
            _NO_NUMBER if value is None else value,
            flag,
            reason,
            value is not None and reason == "ok",
        )
        for factor, value, flag, reason in zip(
            message.factors, message.values, message.flags, message.reasons, strict=True
        )
    ]


def _verdict_lines(message: AirVerdict) -> list[str]:
    time, tags = message.time, (message.area, message.dust, message.edition)
    aqi, level = message.aqi, message.level
    valid = message.valid and aqi is not None
    verdict = (
        m.NOTHING if aqi is None else aqi,
        m.NOTHING if level is None else level,
        message.category or "",
        "、".join(message.primary),
        message.stations,
        message.reason,
        valid,
    )
    if message.kind == "air-hour":
        factor_line = _air_area_hour.line
        lines = [_air_aqi_hour.line(time, tags, *verdict)]
    else:
        factor_line = _air_day_factor.line
        good = bool(message.good)
        lines = [_air_day.line(time, tags, *verdict, good, int(good))]
    # The six always, so that a verdict that no longer names a factor withdraws what an older one wrote.
    for factor in dict.fromkeys((*AIR_FACTORS, *message.conc, *message.iaqi)):
        conc, iaqi = message.conc.get(factor), message.iaqi.get(factor)
        lines.append(
            factor_line(
                time,
                (*tags, factor),
                _NO_NUMBER if conc is None else conc,
                m.NOTHING if iaqi is None else iaqi,
                iaqi is not None,
                message.stations_valid.get(factor, 0),
                conc is not None,
            )
        )
    return lines


def _year_lines(message: AirPeriod) -> list[str]:
    ratio = message.ratio
    return [
        _air_year.line(
            message.time,
            (message.area, message.dust, message.edition),
            message.good,
            message.polluted,
            message.invalid,
            message.valid,
            _NO_NUMBER if ratio is None else f"{ratio:.1f}",
            ratio is not None,
            message.through,
            True,
        )
    ]


_READERS: dict[str, tuple[msgspec.json.Decoder[Any], Callable[[Any], list[str]]]] = {
    "hour": (_cell, _cell_lines),
    "air-hour": (_verdict, _verdict_lines),
    "air-day": (_verdict, _verdict_lines),
    "air-year": (_year, _year_lines),
}


def lines(data: bytes) -> list[str]:
    """The lines of one message of ``cells`` or ``verdicts``.

    Raises:
        LineError: not such a message, of a newer version, or with something in it that no line can carry.
    """
    try:
        head = _head.decode(data)
        if head.v != VERSION:
            raise LineError(f"format {head.v}, this program reads {VERSION}: upgrade the sink before the writers")
        if head.kind not in _READERS:
            raise LineError(f"kind {head.kind!r} has no measurement")
        decoder, build = _READERS[head.kind]
        message = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineError(f"not a message of format {VERSION}: {error}") from None
    if not -_LAST_SECOND < message.time < _LAST_SECOND:
        raise LineError(f"time {message.time} is outside what InfluxDB can hold")
    return build(message)
