"""One AQI per JSON line: what ``envstream rules aqi`` answers (HJ 633; shapes of design §11)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import numpy as np

from standards.air.rules import (
    DEFAULT,
    OZONE,
    POLLUTANTS,
    UNITS,
    Ints,
    LookUp,
    Rules,
    Switches,
    categories,
    rules_for,
)
from standards.air.screen import thresholds
from standards.air.verdict import planned, publish, required, steps_of
from standards.fixed import MISSING, NotANumber, parse, text_of

NOT_PLANNED: Final = "/"
OZONE_HOUR: Final = "O3_1h"
"""An extra key of ``conc`` for days of 2012: above 800 µg/m³ ozone has no 8-hour index there and goes by its hour."""


class _Wrong(ValueError):
    """What is wrong with a line."""


def rules_aqi(
    lines: Iterable[str], edition: str, period: Literal["daily", "hourly"], *, switches: Switches = DEFAULT
) -> Iterator[dict[str, Any]]:
    """The AQI of each JSON line, one answer per line that is not blank, in order.

    Args:
        lines: ``{"id", "conc": {"SO2", "NO2", "CO", "O3", "PM10", "PM2.5"}}``: texts or numbers in µg/m³ (CO mg/m³),
            null, ``"NA"`` or absent for missing, ``"/"`` for not in the monitoring plan; whether such a one blocks
            publication says ``switches.unmonitored_clean``. Daily O3 is the daily maximum 8-hour mean. A key given
            twice is refused.
        edition: ``2012``, ``2026`` or ``2031``.
        period: ``daily`` or ``hourly``.
        switches: see Switches.

    Yields:
        ``{"id", "iaqi", "aqi", "level", "category", "colour", "primary"}`` with null where the norm says NA and ``"/"``
        for what is not planned; also ``level_number``, ``hex`` and, where something deserves a look, ``flags``.
        ``{"id", "error"}`` for a line that cannot be judged, naming the item, the value and the rule.

    Raises:
        LookupError: an unknown edition.
        ValueError: an unknown period.
    """
    if period not in ("daily", "hourly"):
        raise ValueError(f"period is {period!r}, not daily or hourly")
    rules = rules_for(edition, switches)
    look_up = rules.daily if period == "daily" else rules.hourly
    names = categories(edition)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _answer(line, number, rules, look_up, names)


def _answer(
    line: str, number: int, rules: Rules, look_up: LookUp, names: dict[int, tuple[str, str, str, str]]
) -> dict[str, Any]:
    name: Any = None
    try:
        asked = _decode(line, number)
        name = asked.get("id")
        name = name.number if isinstance(name, _Number) else name
        conc = asked.get("conc")
        if not isinstance(conc, dict):
            raise _Wrong("there is no object conc with the concentrations")
        values, plan_not_monitored, flags = _concentrations(conc)
        return {"id": name, **_judge(values, plan_not_monitored, flags, conc, rules, look_up, names)}
    except _Wrong as error:
        return {"id": name, "error": str(error)}


class _Number(str):
    """A JSON number in its own digits, so that 60.5 is not first made a binary float."""

    __slots__ = ()

    @property
    def number(self) -> int | float | str:
        if self.lstrip("-").isdigit():
            return int(self)
        return float(self) if math.isfinite(float(self)) else str(self)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that is there twice nobody can say which value is meant."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Wrong(f"the key {json.dumps(key, ensure_ascii=False)} is there twice")
        found[key] = value
    return found


def _decode(line: str, number: int) -> dict[str, Any]:
    try:
        asked = json.loads(
            line, parse_float=_Number, parse_int=_Number, parse_constant=_Number, object_pairs_hook=_once
        )
    except _Wrong as error:
        raise _Wrong(f"line {number}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"line {number} is not JSON: {error}") from None
    if not isinstance(asked, dict):
        raise _Wrong(f"line {number} is not a JSON object")
    return asked


def _concentrations(conc: dict[str, Any]) -> tuple[Ints, tuple[str, ...], list[str]]:
    values = np.full((1, len(POLLUTANTS)), MISSING, np.int64)
    unplanned, flags = [], []
    for position, pollutant in enumerate(POLLUTANTS):
        given = conc.get(pollutant)
        if given == NOT_PLANNED:
            unplanned.append(pollutant)
        elif given not in (None, "NA"):
            values[0, position] = value = _concentration(pollutant, given, position)
            if value > thresholds("hard_above")[position]:
                flags.append(f"{pollutant}: {given} {UNITS[position]} is beyond the hard range (Q04)")
            elif value > thresholds("unit_above")[position]:
                flags.append(f"{pollutant}: {given} {UNITS[position]}: is this µg/m³? (Q03)")
    flags += [f"{key} is no pollutant and was ignored" for key in conc if key not in (*POLLUTANTS, OZONE_HOUR)]
    return values, tuple(unplanned), flags


def _concentration(pollutant: str, given: object, position: int) -> int:
    unit = UNITS[position]
    if isinstance(given, bool) or not isinstance(given, str):
        raise _Wrong(f"{pollutant}: {json.dumps(given)} is neither a number, a text, null nor {NOT_PLANNED!r}")
    try:
        value = parse(given, excess="sticky")
    except NotANumber as error:
        raise _Wrong(f"{pollutant}: {error}; a finite concentration in {unit} is needed") from None
    if value < 0:
        raise _Wrong(f"{pollutant}: {given} {unit} is negative; a concentration is at least 0")
    most = int(thresholds("absurd_above")[position])
    if value > most:
        hint = "; is it in µg/m³?" if unit == "mg/m³" else ""
        raise _Wrong(f"{pollutant}: {given} {unit} is above {text_of(most)}, which no site measures{hint} (Q03, Q04)")
    return value


def _judge(
    values: Ints, plan_not_monitored: tuple[str, ...], flags: list[str], conc: dict[str, Any], rules: Rules,
    look_up: LookUp, names: dict[int, tuple[str, str, str, str]],
) -> dict[str, Any]:  # fmt: skip
    in_plan = planned(plan_not_monitored)
    measured = values != MISSING
    iaqi = look_up.index(steps_of(np.where(measured, values, 0), 1, rules), measured)
    if look_up is rules.daily and rules.edition == "2012" and conc.get(OZONE_HOUR) is not None:
        hour = np.where(np.arange(len(POLLUTANTS)) == OZONE, _concentration("O3", conc[OZONE_HOUR], OZONE), MISSING)
        there = (hour != MISSING) & ((iaqi[0, OZONE] < 0) | rules.switches.o3_daily_uses_1h)
        by_hour = rules.daily_1h.index(steps_of(np.where(there, hour, 0), 1, rules), there)
        iaqi = np.maximum(iaqi, by_hour[None, :])
    flags += [
        f"{p}: {rules.edition} has no index for {conc[p]} {unit}; the AQI is that of the others"
        for p, unit, index, there in zip(POLLUTANTS, UNITS, iaqi[0], measured[0], strict=True)
        if there and index < 0
    ]
    said = publish(iaqi, measured, required(in_plan, rules), rules)
    level = int(said.level[0])
    name, category, colour, code = names.get(level, (None, None, None, None))
    answer: dict[str, Any] = {
        "iaqi": {
            p: NOT_PLANNED if not wanted else int(index) if index >= 0 else None
            for p, wanted, index in zip(POLLUTANTS, in_plan, iaqi[0], strict=True)
        },
        "aqi": int(said.aqi[0]) if said.valid[0] else None,
        "level": name,
        "category": category,
        "colour": colour,
        "primary": [p for p, yes in zip(POLLUTANTS, said.primary[0], strict=True) if yes],
        "level_number": level or None,
        "hex": code,
    }
    return answer | {"flags": flags} if flags else answer
