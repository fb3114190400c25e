"""Messages of the emission agent to lines of InfluxDB line protocol; part of :mod:`streams.line_protocol`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from schemas import measurements as m
from schemas.messages_emission import (
    CELL,
    DAY,
    ENTERPRISE_DAY,
    ENTERPRISE_YEAR,
    HOUR,
    MONTH,
    YEAR,
    Amount,
    EmissionCell,
    EnterpriseDay,
    EnterpriseYear,
    OutletDay,
    OutletHour,
    OutletPeriod,
)
from streams.line_builder import is_number

_NO_NUMBER = str(m.NOTHING)
_UG_OF_KG = 10**9
_LITRES_OF_M3 = 1_000
_EXCEED, _EXEMPT = "EXCEED", "EXEMPT"
_UNJUDGED = ("INVALID", "NOT_APPLICABLE", "NO_LIMIT")


class Builder(Protocol):
    """Lines of one measurement."""

    def line(self, time: int, tags: tuple[str, ...], *values: Any) -> str:
        """A line; ``tags`` and ``values`` in the order of the measurement's declaration."""


Build = Callable[[Any], list[str]]


def readers(make: Callable[[m.Measurement], Builder]) -> dict[str, tuple[type[msgspec.Struct], Build]]:
    """By kind of message its type, and what makes lines of it."""
    hour, judged, amount = make(m.EMISSION_HOUR), make(m.OUTLET_JUDGED), make(m.EMISSION_AMOUNT)
    limit = make(m.OUTLET_LIMIT)
    rates, ultra, permit = make(m.OUTLET_RATES), make(m.OUTLET_ULTRA_LOW), make(m.ENTERPRISE_PERMIT)

    def day(message: OutletDay) -> list[str]:
        items = _judged(judged, limit, message, "day")
        return [*items, *_amounts(amount, message.time, message.outlet, "day", message.amounts)]

    def period(message: OutletPeriod) -> list[str]:
        span = message.kind.rpartition("-")[2]
        lines = list(_amounts(amount, message.time, message.outlet, span, message.amounts))
        lines.append(_rates(rates, message, span))
        for factor, (valid, over, percent, passes) in message.ultra_low.items():
            lines.append(
                ultra.line(
                    message.time,
                    (factor, message.outlet, span),
                    valid,
                    over,
                    percent or _NO_NUMBER,
                    bool(passes),
                    percent is not None,
                )
            )
        return lines

    def year(message: EnterpriseYear) -> list[str]:
        lines = list(_amounts(amount, message.time, message.enterprise, "year", message.amounts))
        for factor, one in message.permits.items():
            lines.append(
                permit.line(
                    message.time,
                    (message.enterprise, factor),
                    one.permit_t,
                    one.used_t,
                    one.used_percent,
                    one.of_year_percent,
                    one.daily_t,
                    one.year_end_t,
                    (one.exceeds_on or "") if one.this_year else "",  # next year has a permit of its own
                    one.level,
                    message.through,
                    True,
                )
            )
        return lines

    return {
        CELL: (EmissionCell, lambda message: _cell(hour, message)),
        HOUR: (OutletHour, lambda one: list(_judged(judged, limit, one, "hour"))),
        DAY: (OutletDay, day),
        **dict.fromkeys((MONTH, YEAR), (OutletPeriod, period)),
        ENTERPRISE_DAY: (
            EnterpriseDay,
            lambda one: list(_amounts(amount, one.time, one.enterprise, "day", one.amounts)),
        ),
        ENTERPRISE_YEAR: (EnterpriseYear, year),
    }


def _cell(hour: Builder, message: EmissionCell) -> list[str]:
    columns = zip(
        message.factors,
        message.values,
        message.units,
        message.zs,
        message.flags,
        message.reasons,
        message.checks,
        strict=True,
    )
    return [
        hour.line(
            message.time,
            (name, message.source),
            value or _NO_NUMBER,
            zs or _NO_NUMBER,
            zs is not None,
            unit,
            flag,
            reason,
            ",".join(checks),
            value is not None and reason == "ok",
        )
        for name, value, unit, zs, flag, reason, checks in columns
    ]


def _judged(builder: Builder, limit: Builder, message: OutletHour | OutletDay, span: str) -> Iterator[str]:
    time, outlet = message.time, message.outlet
    for factor, one in message.items.items():
        for kind in m.LIMIT_KINDS:
            number = one.numbers.get(kind, "")
            known = is_number(number)  # a range, as pH has one, is no single number
            yield limit.line(
                time,
                (factor, kind, outlet, span),
                number if known else _NO_NUMBER,
                one.limits.get(kind, ""),
                known,
            )
        yield builder.line(
            time,
            (message.enterprise, factor, outlet, span),
            one.value or _NO_NUMBER,
            one.ratio or _NO_NUMBER,
            one.ratio is not None,
            one.verdict,
            one.limit or "",
            one.level,
            one.reason,
            int(one.verdict == _EXCEED),
            int(one.verdict == _EXEMPT),
            one.value is not None and one.verdict not in _UNJUDGED,
        )


def _amounts(builder: Builder, time: int, subject: str, span: str, amounts: dict[str, Amount]) -> Iterator[str]:
    for factor, one in amounts.items():
        unit = _LITRES_OF_M3 if factor == "flow" else _UG_OF_KG
        yield builder.line(
            time,
            (factor, span, subject),
            _decimal(one.total, unit),
            _decimal(one.measured, unit),
            sum(one.filled.values()),
            one.gaps,
            True,
        )


def _rates(builder: Builder, message: OutletPeriod, span: str) -> str:
    known = message.product is not None
    return builder.line(
        message.time,
        (message.enterprise, message.outlet, span),
        message.transmission or _NO_NUMBER,
        message.effective or _NO_NUMBER,
        message.effective is not None,
        message.product or _NO_NUMBER,
        message.hours,
        message.standstill,
        message.received,
        message.valid,
        message.online_minutes,
        message.minutes,
        message.through,
        known,
    )


def _decimal(count: int, of: int) -> str:
    """A count of so many parts of a unit as a decimal text."""
    return f"{count // of}.{count % of:0{len(str(of)) - 1}d}"
