"""One verdict per JSON line: what ``envstream rules emission`` prints."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from standards.emission import flags, marks, water
from standards.emission.exact import Bools, Exact, constant, from_numbers, of, pack, places_of, quotient, text
from standards.emission.gas import mean
from standards.emission.hours import (
    EXCEED,
    NO_LIMIT,
    NOT_APPLICABLE,
    REASONS,
    SOURCES,
    UNUSABLE,
    VERDICTS,
    Hours,
    Measured,
    judge,
    measure,
    together,
)
from standards.emission.limits import BINDING, Limit
from standards.emission.lines import Question, question
from standards.emission.rules import constant_of, minimum
from standards.fixed import MISSING
from standards.water.samples import LineError, identity, record

WORDS: Final = {
    "OK": "达标",
    "EXCEED": "超标",
    "EXEMPT": "豁免",
    "INVALID": "无效",
    "NOT_APPLICABLE": "不适用",
    "NO_LIMIT": "无限值",
}
_ORDER: Final = ("EXCEED", "EXEMPT", "OK", "NO_LIMIT", "INVALID", "NOT_APPLICABLE")
_RATIO_DECIMALS: Final = 3
_DECIMALS_WITHOUT_LIMIT: Final = 3

_ASSUMED = "未带标识，按正常 no flag, taken as normal (rule: flag)"
_DIFFERS = "折算值与实测值、含氧量不符，采用设备值 zs contradicts avg and o2, zs is used (rule: zs)"
_UNCHECKED = "无有效含氧量，折算值未复核 no valid o2: zs is not checked (rule: zs)"
_BUDGET = "未给豁免剩余时间，按未超 budget_left_h is not given: taken as not used up (rule: budget)"
_NO_READING = "有限值而无读数 a limit but no reading"
_COLD_UNKNOWN = "无水温，按较严限值 no water temperature: the stricter limit applies (rule: cold)"


def rules_emission(lines: Iterable[str | bytes], *, date: datetime.date | None = None) -> Iterator[dict[str, Any]]:
    """Judge hours and days of outlets, one JSON object per line; the shapes are in docs/law-emission.md §2.

    Args:
        lines: texts or UTF-8 bytes; blank ones are skipped.
        date: of lines that have none; None takes the newest editions.

    Yields:
        ``{"id", "verdict", "items": {pollutant: {"verdict", "value", "ratio", "limit", …}}, …}``; for a line that can't
        be judged ``{"id", "error"}``.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name: Any = None
        try:
            found = record(number, line)
            name = identity(found.get("id"))
            yield {"id": name, **_answer(question(found, date))}
        except (ValueError, LookupError) as error:  # LineError, an unknown mark, no edition on the date
            yield {"id": name, "error": _one_line(error)}


def _one_line(error: Exception) -> str:
    return str(error.args[0] if isinstance(error, KeyError) else error).replace("\n", " ")


def _answer(asked: Question) -> dict[str, Any]:
    judged: dict[str, dict[str, Any]]
    if asked.period == "hour":
        judged = {name: _hour(asked, name) for name in asked.items}
    elif asked.medium == "gas":
        judged = {name: _gas_day(asked, name) for name in asked.series}
    else:
        judged = {name: _water_day(asked, name) for name in asked.series}
    verdict = min((each["verdict"] for each in judged.values()), key=_ORDER.index)
    found: dict[str, Any] = {"verdict": verdict, "verdict_zh": WORDS[verdict], "items": judged}
    if unread := {name: _NO_READING for name in asked.limits if name not in judged}:
        found["not_judged"] = unread
    return found


def _hour(asked: Question, name: str) -> dict[str, Any]:
    item = asked.items[name]
    oxygen_valid = asked.oxygen_flag is None or flags.use_of(asked.oxygen_flag, date=asked.date) == flags.VALID
    oxygen = asked.oxygen if oxygen_valid else None
    hours = Hours(
        avg=_one(item.avg),
        zs=_one(item.zs),
        oxygen=_one(oxygen),
        use=flags.uses([item.flag or ""], date=asked.date),
        minutes=np.array([MISSING if item.minutes is None else item.minutes], dtype=np.int64),
        marked=np.array([asked.marked], dtype=np.int64),
    )
    ceiling = None if asked.ceiling is None else Fraction(asked.ceiling)
    measured = measure(hours, _one(item.reference), ceiling=ceiling, date=asked.date)
    suspect = _oxygen_flags(asked, oxygen_valid)
    if item.flag is None:
        suspect.append(_ASSUMED)
    if measured.zs_differs[0]:
        suspect.append(_DIFFERS)
    if measured.source[0] == SOURCES.index("zs") and oxygen is None:
        suspect.append(_UNCHECKED)
    found = _against(asked, name, measured, exempt=_exempt(asked, name))
    if found["verdict"] == "EXEMPT" and asked.budget_left is None:
        suspect.append(_BUDGET)
    if measured.source[0]:
        found["from"] = SOURCES[measured.source[0]]
    return {**found, "flags": suspect} if suspect else found


def _one(value: Decimal | None) -> Exact:
    """An array of one number, with the decimals it was written with."""
    if value is None:
        return of(np.array([MISSING]))
    places = places_of(value)
    return of(np.array([int(Fraction(value) * 10**places)]), places)


def _oxygen_flags(asked: Question, valid: bool) -> list[str]:
    air = constant_of("air_oxygen", asked.date)
    if asked.oxygen is not None and valid and not 0 <= asked.oxygen < air:
        return [f"含氧量 o2 = {asked.oxygen} %: 应在0至{air}之间 outside 0 … {air} (rule: o2)"]
    return []


def _exempt(asked: Question, name: str) -> bool:
    if not asked.marked & marks.bits_of("condition", asked.date):
        return False
    if asked.plant is not None and not marks.exempts(asked.plant, name, asked.marked, asked.date):
        return False
    return asked.budget_left is None or asked.budget_left > 0


def _against(
    asked: Question, name: str, measured: Measured, exempt: bool = False, temperature: Exact | None = None
) -> dict[str, Any]:
    """The verdict against every limit of a pollutant, and against the binding ones together."""
    limits = asked.limits.get(name, ())
    at = {each: _at(each, temperature, asked.date) for each in limits}
    each_verdict = {
        limit.kind: judge(measured, most, exempt, least=_one(limit.least) if limit.least is not None else None)
        for limit, most in at.items()
    }
    nothing = judge(measured, constant(None))
    binding = [each_verdict[limit.kind] for limit in limits if limit.kind in BINDING]
    code = int(together(nothing, *binding)[0])
    value = measured.value.fractions()[0]
    shown = _deciding(limits, at)
    found: dict[str, Any] = {"verdict": VERDICTS[code], "verdict_zh": WORDS[VERDICTS[code]], "value": None}
    if shown is None:
        found |= {"value": text(value, _DECIMALS_WITHOUT_LIMIT), "ratio": None, "limit": None}
    else:
        limit, most = shown
        ratio = quotient(measured.value, most).fractions()[0] if limit.least is None else None
        found |= {
            "value": text(value, places_of(limit.most or Decimal(0)) + 1),
            "ratio": text(ratio, _RATIO_DECIMALS),
            "limit": _limit_text(limit, most),
            "limits": {kind: VERDICTS[verdict[0]] for kind, verdict in each_verdict.items()},
        }
    if measured.reason[0]:
        found["reason"] = REASONS[measured.reason[0]]
    return found


def _at(limit: Limit, temperature: Exact | None, date: datetime.date | None) -> Exact:
    most = _one(limit.most)
    if limit.cold is None:
        return most
    unknown = of(np.array([MISSING]))
    return water.limit_at(most, _one(limit.cold), unknown if temperature is None else temperature, date)


def _deciding(limits: tuple[Limit, ...], at: dict[Limit, Exact]) -> tuple[Limit, Exact] | None:
    """The strictest binding limit, else the strictest there is."""
    found = [each for each in limits if each.kind in BINDING] or list(limits)
    numbers = [(number, each) for each in found if (number := at[each].fractions()[0]) is not None]
    strictest = min(numbers, key=lambda pair: pair[0])[1] if numbers else found[0] if found else None
    return None if strictest is None else (strictest, at[strictest])


def _limit_text(limit: Limit, most: Exact) -> str:
    if limit.least is not None:
        return f"{limit.least}-{limit.most}" if limit.most is not None else f">={limit.least}"
    return str(limit.cold if most.fractions()[0] != limit.most and limit.cold is not None else limit.most)


def _measured(value: Exact) -> Measured:
    """Values that are judged as they are."""
    shape = value.missing.shape
    return Measured(value, np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.zeros(shape, np.bool_))


def _gas_day(asked: Question, name: str) -> dict[str, Any]:
    series = from_numbers(asked.series[name])[None, :]
    needed = minimum("min_hours_day", asked.date)
    there = ~series.missing
    counts = {"valid": int(there.sum()), "due": needed}
    if counts["valid"] < needed:
        return {**_bare(UNUSABLE, "values"), **counts}
    return {**_against(asked, name, _measured(mean(series, there, needed))), **counts}


def _water_day(asked: Question, name: str) -> dict[str, Any]:
    values = asked.series[name]
    if len(asked.volumes) != len(values):
        raise LineError(f"{name}: {len(values)} values beside {len(asked.volumes)} of volume_m3: one each is needed")
    concentration, volume = from_numbers(values)[None, :], from_numbers(asked.volumes)[None, :]
    day = water.days(concentration, volume, len(values) if asked.due is None else asked.due, asked.date)
    temperature = water.day_temperature(from_numbers(asked.temperature)[None, :])
    limits = asked.limits.get(name, ())
    counts = {"valid": int(day.count[0]), "due": int(day.due[0]), "volume_m3": text(day.volume.fractions()[0], 3)}
    if not day.discharged[0]:
        return {**_bare(NOT_APPLICABLE, "no_discharge"), **counts}
    if not day.valid[0]:
        return {**_bare(UNUSABLE, "values"), **counts}
    if any(each.least is not None for each in limits):
        return {**_range_day(asked, name, concentration, water.usable(concentration, volume)), **counts}
    found = {**_against(asked, name, _measured(day.mean), temperature=temperature), **counts}
    found["mass_kg"] = text(water.mass_kg(*(each.fractions()[0] or Fraction(0) for each in (day.mean, day.volume))), 6)
    if temperature.missing[0] and any(each.cold is not None for each in limits):
        found["flags"] = [_COLD_UNKNOWN]
    return found


def _range_day(asked: Question, name: str, values: Exact, there: Bools) -> dict[str, Any]:
    """A day of an item with a range (pH): by the share of its values that are outside."""
    data = _measured(pack(values.num, values.den, ~there))
    outside = {
        limit.kind: int((judge(data, _one(limit.most), least=_one(limit.least)) == EXCEED).sum())
        for limit in asked.limits[name]
    }
    count = int(there.sum())
    kinds = {kind: "EXCEED" if water.share_exceeds(n, count, asked.date) else "OK" for kind, n in outside.items()}
    binding = [kinds[kind] for kind in kinds if kind in BINDING]
    verdict = "EXCEED" if "EXCEED" in binding else "OK" if binding else VERDICTS[NO_LIMIT]
    return {"verdict": verdict, "verdict_zh": WORDS[verdict], "outside": max(outside.values()), "limits": kinds}


def _bare(code: int, reason: str) -> dict[str, Any]:
    verdict = VERDICTS[code]
    return {"verdict": verdict, "verdict_zh": WORDS[verdict], "value": None, "ratio": None, "reason": reason}
