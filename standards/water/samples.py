"""Reads the JSON lines of ``envstream rules water`` into samples, exactly, and refuses what is none (design §11)."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from standards.fixed import MISSING
from standards.water.items import Item, UnknownItem, constant
from standards.water.items import item as find_item
from standards.water.ladders import BODIES
from standards.water.readings import parse

GROUNDWATER = "groundwater"
_BEIJING = datetime.timezone(datetime.timedelta(hours=8))  # a date of the law is a Beijing calendar date


class LineError(ValueError):
    """A line that can't be judged; the text says what is wrong with it."""


class Number(str):
    """A JSON number as the text it was sent as: it keeps its decimals, and NaN reaches the check that names it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample to judge.

    ``readings``: value in the item's scale (MISSING for null) and whether it is below detection. ``unknown``: names
    that are no item. The rest as in ``verdicts.rules_water``; ``target`` None where none is given.
    """

    body: str
    date: datetime.date | None
    readings: dict[Item, tuple[int, bool]]
    unknown: tuple[str, ...]
    target: int | None
    limits: dict[str, int]
    excluded: frozenset[str]
    background: frozenset[str]
    source: bool


def record(number: int, line: str | bytes) -> dict[str, Any]:
    """The JSON object of a line, numbers as ``Number``.

    Raises:
        LineError: not a JSON object, or a key given twice in one object.
    """
    try:
        found = json.loads(
            line, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_without_duplicates
        )
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineError(f"第{number}行 line {number}: 不是JSON not JSON: {error}") from None
    if not isinstance(found, dict):
        raise LineError(f"第{number}行 line {number}: 不是JSON对象 not a JSON object")
    return found


def identity(given: Any) -> Any:
    """The ``id`` of a line as it was sent: a number is a number again."""
    return json.loads(given) if isinstance(given, Number) else given


def sample(found: dict[str, Any], read: Callable[[Item, str], tuple[int, bool]] = parse) -> Sample:
    """The sample in a JSON object.

    Args:
        found: of ``record``.
        read: how one text is read; ``readings.parse``, or with its switches set.

    Raises:
        LineError, ReadingError, UnknownItem: naming what is wrong.
    """
    body = found.get("body")
    if body not in (*BODIES, GROUNDWATER):
        raise LineError(f"水体类型 body {body!r}: must be river, lake or groundwater; it is configured, never guessed")
    readings, unknown = _readings(found.get("items"), read)
    for key in ("limits", "exclude", "background", "source"):
        if found.get(key) and body == GROUNDWATER:
            raise LineError(f"{key}: 不适用于地下水 is for surface water only")
        if found.get(key) and key in ("limits", "exclude") and found.get("target") is None:
            raise LineError(f"{key}: 需要目标类别 needs a target")
    return Sample(
        body=body,
        date=_date(found.get("date")),
        readings=readings,
        unknown=unknown,
        target=_target(
            found.get("target"), constant("groundwater_worst_class" if body == GROUNDWATER else "worst_class")
        ),
        limits=_limits(found.get("limits"), read),
        excluded=_names(found, "exclude"),
        background=_names(found, "background"),
        source=found.get("source") is True,
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise LineError(f"{next(n for n in names if names.count(n) > 1)!r}: 重复 given twice in one object")
    return found


def _readings(
    given: Any, read: Callable[[Item, str], tuple[int, bool]]
) -> tuple[dict[Item, tuple[int, bool]], tuple[str, ...]]:
    if not isinstance(given, dict):
        raise LineError(f"items {given!r:.40}: must be an object of readings")
    found: dict[Item, tuple[int, bool]] = {}
    unknown = []
    for name, text in given.items():
        try:
            item = find_item(name)
        except UnknownItem:
            unknown.append(name)
            continue
        if item in found:
            raise LineError(f"{item.label}: 重复 given twice, as {name!r} and under another name")
        found[item] = _reading(item, text, read)
    return found, tuple(unknown)


def _reading(item: Item, text: Any, read: Callable[[Item, str], tuple[int, bool]]) -> tuple[int, bool]:
    if text is None:
        return MISSING, False
    if not isinstance(text, str):
        raise LineError(
            f"{item.label} = {json.dumps(text, ensure_ascii=False):.40}: 不是数 not a number (rule: number)"
        )
    return read(item, text)


def _target(given: Any, worst: int) -> int | None:
    if given is None:
        return None
    if not isinstance(given, str) or given not in [str(each) for each in range(1, worst + 1)]:
        raise LineError(f"目标类别 target {given!r}: must be 1 … {worst}")
    return int(given)


def _limits(given: Any, read: Callable[[Item, str], tuple[int, bool]]) -> dict[str, int]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise LineError(f"limits {given!r:.40}: must be an object of item and limit")
    found = {}
    for name, text in given.items():
        item = find_item(name)
        value, below = _reading(item, text, read)
        if value == MISSING or below:
            raise LineError(f"目标限值 limit of {item.label} = {text!r}: a number is needed")
        found[item.id] = value
    return found


def _names(found: dict[str, Any], key: str) -> frozenset[str]:
    given = found.get(key) or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise LineError(f"{key} {given!r:.40}: must be a list of items")
    return frozenset(find_item(name).id for name in given)


def _date(text: Any) -> datetime.date | None:
    if text is None:
        return None
    try:
        try:
            time = datetime.datetime.fromisoformat(str(text))
            return (time.astimezone(_BEIJING) if time.tzinfo else time).date()
        except (ValueError, OverflowError):
            return datetime.date.fromisoformat(str(text)[:10])
    except ValueError:
        raise LineError(f"日期 date {text!r:.40}: must begin with YYYY-MM-DD") from None
