"""Messages of the water agent to lines of InfluxDB line protocol; part of :mod:`streams.line_protocol`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from schemas import measurements as m
from schemas.messages_water import (
    ARRIVAL,
    BORDER,
    CELL,
    DAY,
    HOUR,
    MONTH,
    SECTIONS_DAY,
    SECTIONS_MONTH,
    YEAR,
    WaterArrival,
    WaterBorder,
    WaterCell,
    WaterSections,
    WaterVerdict,
)

_NO_NUMBER = str(m.NOTHING)


class Builder(Protocol):
    """Lines of one measurement."""

    def line(self, time: int, tags: tuple[str, ...], *values: Any) -> str:
        """A line; ``tags`` and ``values`` in the order of the measurement's declaration."""


Build = Callable[[Any], list[str]]


def readers(make: Callable[[m.Measurement], Builder]) -> dict[str, tuple[type[msgspec.Struct], Build]]:
    """By kind of message its type, and what makes lines of it."""
    hour, of_class, factor = make(m.WATER_HOUR), make(m.WATER_CLASS), make(m.WATER_FACTOR)
    sections, arrival, border = make(m.WATER_SECTIONS), make(m.WATER_ARRIVAL), make(m.WATER_BORDER)
    verdict = (WaterVerdict, lambda message: _verdict(of_class, factor, message))
    shares = (WaterSections, lambda message: _sections(sections, message))
    return {
        CELL: (WaterCell, lambda message: _cell(hour, message)),
        **dict.fromkeys((HOUR, DAY, MONTH, YEAR), verdict),
        **dict.fromkeys((SECTIONS_DAY, SECTIONS_MONTH), shares),
        ARRIVAL: (WaterArrival, lambda message: _arrival(arrival, message)),
        BORDER: (WaterBorder, lambda message: _border(border, message)),
    }


def _span(kind: str) -> str:
    return kind.rpartition("-")[2]


def _known(value: int | None) -> tuple[int, bool]:
    return (m.NOTHING, False) if value is None else (value, True)


def _cell(hour: Builder, message: WaterCell) -> list[str]:
    columns = zip(message.factors, message.values, message.flags, message.reasons, message.results, strict=True)
    return [
        hour.line(
            message.time,
            (name, message.source),
            _NO_NUMBER if value is None else value,
            flag,
            reason,
            result,
            name in message.below,
            ",".join(check for of, check in message.checks if of == name),
            value is not None and reason == "ok",
        )
        for name, value, flag, reason, result in columns
    ]


def _verdict(of_class: Builder, factor: Builder, message: WaterVerdict) -> list[str]:
    span = _span(message.kind)
    lines = [
        of_class.line(
            message.time,
            (message.edition, message.section, span),
            _known(message.class_)[0],
            message.rating or "",
            message.main_text,
            *_known(message.target),
            int(bool(message.meets)),
            message.meets is not None,
            message.period,
            message.through,
            message.complete,
            message.valid,
        )
    ]
    for name in dict.fromkeys((*message.factors, *message.conc)):
        text = message.conc.get(name)
        multiple = message.over_target.get(name)
        lines.append(
            factor.line(
                message.time,
                (message.body, message.edition, name, message.section, span),
                _NO_NUMBER if text is None else text.removeprefix("<"),
                text is not None and text.startswith("<"),
                *_known(message.items.get(name)),
                int(name in message.over_target),
                _NO_NUMBER if multiple is None else f"{multiple:.6f}",
                multiple is not None,
                message.results.get(name, 0),
                message.expected.get(name, 0),
                message.origins.get(name, ""),
                text is not None,
            )
        )
    return lines


def _sections(sections: Builder, message: WaterSections) -> list[str]:
    return [
        sections.line(
            message.time,
            (message.edition, message.group, _span(message.kind)),
            message.sections,
            message.judged,
            message.good,
            message.worse,
            message.with_target,
            message.meeting,
            message.good_percent or _NO_NUMBER,
            message.worse_percent or _NO_NUMBER,
            message.meeting_percent or _NO_NUMBER,
            bool(message.meeting_percent),
            message.rating or "",
            message.period,
            message.judged > 0,
        )
    ]


def _arrival(arrival: Builder, message: WaterArrival) -> list[str]:
    return [
        arrival.line(
            message.time,
            (message.item, message.group, message.section, message.source),
            message.state,
            int(message.state == "expected"),
            message.eta_from * 1000,
            message.eta_probable * 1000,
            message.eta_to * 1000,
            message.linked,
            message.value,
            True,
        )
    ]


def _border(border: Builder, message: WaterBorder) -> list[str]:
    return [
        border.line(
            message.time,
            (message.edition, message.group, message.inflow, message.outflow),
            *_known(message.class_in),
            *_known(message.class_out),
            message.balance,
            message.balance_zh,
            ",".join(f"{name}={word}" for name, word in message.items.items()),
            message.period,
            True,
        )
    ]
