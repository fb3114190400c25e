"""Reads the JSON lines of ``envstream rules emission``: hours and days of one outlet, exactly; refuses what is none."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from standards.emission import marks
from standards.emission.exact import decimal
from standards.emission.limits import KINDS, Limit
from standards.fixed import NotANumber
from standards.water.samples import LineError, Number

PERIODS: Final = ("hour", "day")
MEDIA: Final = ("gas", "water")


@dataclass(frozen=True, slots=True)
class Item:
    """An hour of one pollutant; ``flag`` None where none was sent, ``minutes`` None where they are not known."""

    avg: Decimal | None
    zs: Decimal | None
    flag: str | None
    minutes: int | None
    reference: Decimal | None


@dataclass(frozen=True, slots=True)
class Question:
    """A line: ``items`` of an hour, ``series`` of a day. ``budget_left`` None: not given."""

    period: str
    medium: str
    date: datetime.date | None
    items: dict[str, Item]
    series: dict[str, tuple[Decimal | None, ...]]
    limits: dict[str, tuple[Limit, ...]]
    oxygen: Decimal | None
    oxygen_flag: str | None
    ceiling: Decimal | None
    names: tuple[str, ...]
    marked: int
    plant: str | None
    budget_left: Decimal | None
    volumes: tuple[Decimal | None, ...]
    temperature: tuple[Decimal | None, ...]
    due: int | None


def question(given: dict[str, Any], default: datetime.date | None = None) -> Question:
    """The question in a JSON object (``standards.water.samples.record``).

    Args:
        given: the object.
        default: date of a line that has none.

    Raises:
        LineError: naming what is wrong.
        LookupError: an unknown mark or plant.
    """
    period = _word(given, "period", PERIODS)
    medium = _word(given, "medium", MEDIA)
    date = _date(given.get("date")) or default
    plant = given.get("plant")
    if plant is not None and plant not in marks.plants(date):
        raise LineError(f"plant {plant!r}: one of {', '.join(marks.plants(date))}")
    names = _names(given.get("mark"))
    items = given.get("items")
    if not isinstance(items, dict) or not items:
        raise LineError(f"items {items!r:.40}: must be an object of pollutants")
    hourly = period == "hour"
    flag, reference = _text(given, "flag"), _number(given, "ref_o2")
    minutes = _minutes(given, "minutes")
    return Question(
        period=period,
        medium=medium,
        date=date,
        items={name: _item(name, each, flag, minutes, reference) for name, each in items.items()} if hourly else {},
        series={} if hourly else {name: _numbers(name, each) for name, each in items.items()},
        limits=_limits(given.get("limits"), reference),
        oxygen=_number(given, "o2"),
        oxygen_flag=_text(given, "o2_flag"),
        ceiling=_number(given, "o2_ceiling"),
        names=names,
        marked=marks.bits(names, plant, date),
        plant=plant,
        budget_left=_number(given, "budget_left_h"),
        volumes=_numbers("volume_m3", given.get("volume_m3", [])),
        temperature=_one_or_more("temperature", given.get("temperature")),
        due=_count(given, "due"),
    )


def _word(given: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
    found = given.get(key, words[0])
    if found not in words:
        raise LineError(f"{key} {found!r:.40}: must be {' or '.join(words)}")
    return str(found)


def _text(given: dict[str, Any], key: str) -> str | None:
    found = given.get(key)
    if found is not None and (not isinstance(found, str) or isinstance(found, Number)):
        raise LineError(f"{key} {found!r:.40}: must be a text")
    return found


def _names(found: Any) -> tuple[str, ...]:
    names = [found] if isinstance(found, str) else found or []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise LineError(f"mark {found!r:.40}: must be a mark or a list of marks")
    return tuple(names)


def _decimal(what: str, found: Any) -> Decimal | None:
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise LineError(f"{what} = {found!r:.40}: 不是数 not a number (rule: number)")
    try:
        return decimal(found)
    except NotANumber as error:
        raise LineError(f"{what}: 不是数 {error} (rule: number)") from None


def _number(given: dict[str, Any], key: str) -> Decimal | None:
    return _decimal(key, given.get(key))


def _numbers(what: str, found: Any) -> tuple[Decimal | None, ...]:
    if not isinstance(found, list):
        raise LineError(f"{what} {found!r:.40}: must be a list of numbers, null where there is none")
    return tuple(_decimal(what, each) for each in found)


def _one_or_more(what: str, found: Any) -> tuple[Decimal | None, ...]:
    return _numbers(what, found if isinstance(found, list) else [found])


def _count(given: dict[str, Any], key: str) -> int | None:
    found = _number(given, key)
    if found is not None and (found != int(found) or found < 0):
        raise LineError(f"{key} = {found}: must be a whole number")
    return None if found is None else int(found)


def _minutes(given: dict[str, Any], key: str) -> int | None:
    found = _count(given, key)
    if found is not None and found > 60:
        raise LineError(f"{key} = {found}: an hour has 60")
    return found


def _item(name: str, given: Any, flag: str | None, minutes: int | None, reference: Decimal | None) -> Item:
    if not isinstance(given, dict):
        return Item(_decimal(name, given), None, flag, minutes, reference)
    own = given if "flag" in given else {"flag": flag}
    counted = _minutes(given, "minutes")
    return Item(
        avg=_decimal(f"{name} avg", given.get("avg")),
        zs=_decimal(f"{name} zs", given.get("zs")),
        flag=_text(own, "flag"),
        minutes=minutes if counted is None else counted,
        reference=_number(given, "ref_o2") if "ref_o2" in given else reference,
    )


def _limits(given: Any, reference: Decimal | None) -> dict[str, tuple[Limit, ...]]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise LineError(f"limits {given!r:.40}: must be an object of pollutants")
    found = {}
    for name, each in given.items():
        kinds = each if isinstance(each, dict) and set(each) & set(KINDS) else {"legal": each}
        unknown = set(kinds) - set(KINDS)
        if unknown:
            raise LineError(f"limits of {name}: {min(unknown)!r} is none of {', '.join(KINDS)}")
        found[name] = tuple(_limit(name, kind, limit, reference) for kind, limit in kinds.items())
    return found


def _limit(name: str, kind: str, given: Any, reference: Decimal | None) -> Limit:
    what = f"限值 limit of {name} ({kind})"
    if isinstance(given, dict):
        most, least, cold = (_decimal(what, given.get(key)) for key in ("most", "least", "cold"))
    else:
        most, least, cold = _decimal(what, given), None, None
    if (most is None and least is None) or (cold is not None and most is None):
        raise LineError(f"{what}: a number is needed")
    if any(each is not None and each < 0 for each in (most, least, cold)):
        raise LineError(f"{what}: must not be negative")
    return Limit(name, kind, most, least, cold, reference=reference)


def _date(text: Any) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(str(text)[:10])
    except ValueError:
        raise LineError(f"日期 date {text!r:.40}: must begin with YYYY-MM-DD") from None
