"""The kinds of actions: what each is about and what it must have. One table, :data:`KINDS`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas import alerts, hj212_codes, times, units
from schemas.action_words import CATEGORIES, LAB_ITEMS, MARK_NAMES, MARKS
from schemas.blocks import Action, number
from schemas.registry import AIR_FACTORS
from schemas.registry.words import AVERAGING

NA: Final = "NA"
NOT_IN_PLAN: Final = "/"
"""As HJ 633 writes them: missing or invalid; outside the monitoring plan."""
INVALID: Final = "invalid"
VALID: Final = "valid"
"""Of a correction: judged invalid (RM); what was sent stands although it was flagged."""

DRIFTS: Final = ("zero_drift", "span_drift")
"""Of a quality check at an outlet: drift found, in % of the span."""
SECTION_CHECKS: Final[Mapping[str, tuple[str, ...]]] = {
    "zero_drift": ("found", "before", "span"),
    "span_drift": ("found", "before", "span"),
    "span": ("found", "standard"),
    "recovery": ("found", "unspiked", "added"),
}
"""Of a quality check at a section: the numbers of each, in the item's unit; the last is what it is a share of."""
_SECTION_NUMBERS: Final = tuple(dict.fromkeys(name for each in SECTION_CHECKS.values() for name in each))

MOST_NAMED: Final = 12
"""Words an error lists."""
_DECIMAL: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Subject:
    """What an action speaks of, found in a registry.

    Attributes:
        word: area, station, section, outlet, enterprise or district.
        id: of the registry, "" for the whole district.
        group: whose partition has it, "" for all of them.
        enters: kinds of source, "air", "water", "emission", in whose readings the action stands.
        factors: what is measured there; empty when nothing is known of it.
    """

    word: str
    id: str
    group: str
    enters: tuple[str, ...]
    factors: tuple[str, ...] = ()


Check = Callable[[str, Subject], str]
"""Why a value of ``data`` cannot be used, or ""."""


@dataclass(frozen=True)
class Kind:
    """A kind of action.

    Attributes:
        name: as it stands in ``what``.
        zh: its Chinese name.
        en: its English name.
        subjects: what the subject may be, and in the readings of which kinds of source the action then stands;
            "district": the subject is "".
        grain: of which whole units the period is.
        data: the keys of ``data`` and their checks.
        required: keys that must be there, unless the action withdraws.
        factors: if the keys of ``data`` are factors: which of them the subject may have.
        value: check of the value of a factor.
        part: keys whose values tell two actions on one subject and period apart.
        single: the period is one unit of the grain.
        past: it cannot speak of what has not begun.
        together: what is wrong with the action as a whole.
    """

    name: str
    zh: str
    en: str
    subjects: Mapping[str, tuple[str, ...]]
    grain: Literal["hour", "day", "month", "any"]
    data: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    factors: Callable[[Subject], tuple[str, ...]] | None = None
    value: Check | None = None
    part: tuple[str, ...] = ()
    single: bool = False
    past: bool = True
    together: Callable[[Action], Iterator[str]] | None = None


# ---- checks of values


def names(text: str) -> tuple[str, ...]:
    """The names of a list joined by commas, such as ``primary``: ``PM10,PM2.5``, also with 、 or ，."""
    return tuple(name for part in re.split("[,，、]", text) if (name := part.strip()))


def _text(value: str, subject: Subject) -> str:
    return "" if value.isprintable() else "must be one line"


def _word(*words: str) -> Check:
    def check(value: str, subject: Subject) -> str:
        return "" if value in words else not_one_of(value, words)

    return check


def _decimal(value: str, subject: Subject) -> str:
    try:
        return "" if _DECIMAL.fullmatch(value) and number(value) else "must be a plain decimal number such as 23 or 0.7"
    except ValueError as error:
        return str(error)


def _signed(value: str, subject: Subject) -> str:
    return _decimal(value.removeprefix("-"), subject)


def _only_of(word: str, check: Check) -> Check:
    def only(value: str, subject: Subject) -> str:
        return check(value, subject) if subject.word in ("", word) else f"only checks of {word}s have it"

    return only


def _of_outlet(check: Check) -> Check:
    return _only_of("outlet", check)


def _of_section(check: Check) -> Check:
    return _only_of("section", check)


def _above_zero(value: str, subject: Subject) -> str:
    return _decimal(value, subject) or ("" if value.strip("0.") else "must be above 0")


def _or(check: Check, *words: str) -> Check:
    def either(value: str, subject: Subject) -> str:
        complaint = "" if value in words else check(value, subject)
        return f"{complaint}, or {' or '.join(words)}" if complaint else ""

    return either


def _aqi(value: str, subject: Subject) -> str:
    whole = value.isascii() and value.isdigit() and len(value) < 4
    return "" if whole and int(value) <= 500 else "must be a whole number from 0 to 500"


def _pollutants(value: str, subject: Subject) -> str:
    named = names(value)
    for name in named:
        if name not in AIR_FACTORS:
            return not_one_of(name, AIR_FACTORS)
    return "names one twice" if len(set(named)) < len(named) else ""


def _measured(value: str, subject: Subject) -> str:
    return "" if not subject.factors or value in subject.factors else not_one_of(value, subject.factors)


def _unit(value: str, subject: Subject) -> str:
    try:
        return "" if units.canonical(value) == value else f"write it as {units.canonical(value)}"
    except units.UnitError:
        return "is no unit known here: see docs/registry.md"


def _below_detection(value: str, subject: Subject) -> str:
    complaint = _above_zero(value[1:], subject) if value[:1] == "<" else _decimal(value, subject)
    return f"{complaint}, or < and a detection limit" if complaint and value[:1] != "<" else complaint


def not_one_of(value: str, words: Sequence[str]) -> str:
    """What to write instead of a word that is none of these."""
    if len(words) <= MOST_NAMED:
        return f"one of {', '.join(words)}"
    near = [word for word in words if word.lower() == value.lower()] or difflib.get_close_matches(value, words, 1)
    return f"did you mean {near[0]}?" if near else "see docs/actions.md for all"


def _corrected(action: Action) -> Iterator[str]:
    if not action.data and not action.withdrawn:
        yield "data: name at least one factor, such as PM2.5=23, SO2=invalid or CO=valid"
    if action.end - action.begin > times.HOUR_S and not action.withdrawn:
        for factor, value in action.data.items():
            if value not in (INVALID, VALID):
                yield f"{factor} = {value}: a value is of one hour; for more hours at once only invalid or valid"


def _published(action: Action) -> Iterator[str]:
    if action.data.get("aqi") == NA:
        for key in ("level", "category", "primary"):
            if action.data.get(key, NA) != NA:
                yield f"{key} = {action.data[key]}: a day whose AQI is NA has none"
    level, category = action.data.get("level"), action.data.get("category")
    if level in _LEVELS and category in CATEGORIES and CATEGORIES[int(level) - 1] != category:
        yield f"category = {category}: level {level} is {CATEGORIES[int(level) - 1]}"


def _checked(action: Action) -> Iterator[str]:
    if action.withdrawn:
        return
    yield from _of_outlets(action)
    check = action.data.get("check")
    if check is None:
        if "result" not in action.data:
            yield "result is missing"
    elif "factor" not in action.data:
        yield f"factor is missing: write of which analyser {check} is"
    numbers = () if check is None else SECTION_CHECKS.get(check)
    if numbers is None:  # said elsewhere
        return
    if missing := [name for name in numbers if name not in action.data]:
        yield f"{', '.join(missing)} is missing: check = {check} has {', '.join(numbers)}"
    if strange := [name for name in _SECTION_NUMBERS if name in action.data and name not in numbers]:
        cure = f"check = {check} has {', '.join(numbers)}" if check else f"name the check: {', '.join(SECTION_CHECKS)}"
        yield f"{', '.join(strange)}: {cure}"


def _of_outlets(action: Action) -> Iterator[str]:
    factor, unit = action.data.get("factor"), action.data.get("unit")
    if factor is None and (said := [name for name in (*DRIFTS, "reference") if name in action.data]):
        yield f"factor is missing: write of which analyser {said[0]} is"
    if ("reference" in action.data) != (unit is not None):
        yield "reference and unit stand together: reference = 42, unit = mg/m3"
    elif factor is not None and unit is not None and (complaint := _leads_nowhere(factor, unit)):
        yield f"unit = {unit}: {complaint}"


def _leads_nowhere(factor: str, unit: str) -> str:
    """Why a value in this unit is none of a factor of an outlet, or "": also where nobody publishes that factor."""
    complaint = ""
    for medium in (hj212_codes.GAS, hj212_codes.WATER):
        known = hj212_codes.factor_of_name(factor, medium)
        if known is not None:
            try:
                units.ratio(unit, known.unit)
            except units.UnitError as error:
                complaint = str(error)
            else:
                return ""
    return complaint


def _some(action: Action) -> Iterator[str]:
    if not action.data and not action.withdrawn:
        yield "data: name at least one item, such as TP=0.12 or Hg=<0.00004"


# ---- the table

_LEVELS: Final = ("1", "2", "3", "4", "5", "6")
_SOURCE: Final[Mapping[str, Check]] = {"source": _text}
"""The document it stands on (通报, 文号)."""
_AIR: Final = ("air",)


def _on_episode(
    name: str, zh: str, en: str, data: Mapping[str, Check] | None = None, required: tuple[str, ...] = ()
) -> Kind:
    """A kind of action on an episode; its subject is the episode's, its period from the episode's begin on."""
    return Kind(
        name,
        zh,
        en,
        {"area": _AIR, "station": _AIR, "section": ("water",), "outlet": ("emission",), "enterprise": ("emission",)},
        "any",
        {"episode": _text, **(data or {})},
        ("episode", *required),
        part=("episode",),
    )


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("dust-day", "沙尘日", "dust day", {"area": _AIR}, "day", _SOURCE),
        Kind(
            "plan-exception",
            "监测计划例外",
            "exception of the monitoring plan",
            {"area": _AIR, "station": _AIR},
            "day",
            # clean: in three years of measurements never primary on a polluted day (HJ 633-2026 cl. 5.3)
            {"not_monitored": _pollutants, "clean": _word("yes", "no"), **_SOURCE},
            ("not_monitored", "clean"),
            past=False,
        ),
        Kind(
            "correction",
            "数据审核更正",
            "correction by data audit",
            {"station": _AIR, "section": ("water",)},
            "hour",
            factors=lambda subject: subject.factors,
            value=_or(_decimal, INVALID, VALID),
            together=_corrected,
        ),
        Kind(
            "published",
            "省级公布值",
            "values the province published",
            {"area": _AIR},
            "day",
            {
                "aqi": _or(_aqi, NA),
                "primary": _or(_pollutants, NA),
                "level": _or(_word(*_LEVELS), NA),
                "category": _or(_word(*CATEGORIES), NA),
                **{factor: _or(_decimal, NA, NOT_IN_PLAN) for factor in AIR_FACTORS},
                "dust": _word("keep", "deduct"),
                **_SOURCE,
            },
            ("aqi",),
            part=("dust",),
            single=True,
            together=_published,
        ),
        Kind(
            "mark",
            "企业标记",
            "mark of an enterprise",
            {"outlet": ("emission",)},
            "any",
            {"mark": _word(*MARKS, *MARK_NAMES), **_SOURCE},
            ("mark",),
            part=("mark",),
            past=False,
        ),
        Kind(
            "maintenance",
            "检修计划",
            "maintenance",
            {"station": _AIR, "section": ("water",), "outlet": ("emission",), "enterprise": ("emission",)},
            "any",
            _SOURCE,
            past=False,
        ),
        Kind(
            "order",
            "临时限值",
            "temporary limit",
            {"outlet": ("emission",)},
            "any",
            {"factor": _measured, "limit": _above_zero, "unit": _unit, "averaging": _word(*AVERAGING), **_SOURCE},
            ("factor", "limit", "unit", "averaging"),
            part=("factor", "averaging"),
            past=False,
        ),
        Kind(
            "lab",
            "实验室结果",
            "laboratory result",
            {"section": ("water",)},
            "month",
            factors=lambda subject: LAB_ITEMS,
            value=_below_detection,
            together=_some,
        ),
        Kind(
            "qc",
            "质控结果",
            "result of a quality check",
            {"section": ("water",), "station": _AIR, "outlet": ("emission",)},
            "any",
            {
                "result": _word("passed", "failed"),
                "factor": _measured,
                **dict.fromkeys(DRIFTS, _of_outlet(_signed)),
                "reference": _of_outlet(_above_zero),
                "unit": _of_outlet(_unit),
                "check": _of_section(_word(*SECTION_CHECKS)),
                **dict.fromkeys(_SECTION_NUMBERS, _of_section(_signed)),
                **{names_[-1]: _of_section(_above_zero) for names_ in SECTION_CHECKS.values()},
                **_SOURCE,
            },
            part=("factor", "check"),
            together=_checked,
        ),
        _on_episode(alerts.ACKNOWLEDGE, "确认告警", "acknowledge an alert"),
        _on_episode(alerts.HAND_BACK, "退回告警", "hand an alert back"),
        _on_episode(alerts.HANDLE, "开始处置", "handle an alert"),
        _on_episode(alerts.NOTE, "处置记录", "note on an alert"),
        _on_episode(
            alerts.CLOSE, "关闭告警", "close an alert", {"cause": _word(*alerts.CAUSES), "measure": _text}, ("cause",)
        ),
        _on_episode(alerts.FALSE, "判为误报", "false alarm", {"cause": _word(*alerts.CAUSES)}),
        Kind(
            alerts.TAKE_OVER,
            "交接班",
            "take over the shift",
            {"district": ("air", "water", "emission")},
            "any",
            {"from": _text},
        ),
    )
}
"""Every kind of action. A new one is a row here, and an agent that heeds it."""
