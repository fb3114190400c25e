"""Reads tables of a TOML document and collects every error with its line, its table and the cure."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from schemas import units
from schemas.registry.words import ALWAYS

# Identifiers become parts of message keys and tags of points: no blank, comma, equals sign or "|".
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MN: Final = re.compile(r"[0-9A-Za-z_]{1,24}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_SECRET: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)

_HEADER: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")

_WHOLE: Final = {"min": 4_320, "h": 744, "days": 62, "day": 1_440, "month": 44_640, "samples": 1_440}
"""A number of a rule whose name ends so is a count: it is whole, at most this; further back nothing is kept."""
_DIVIDES: Final = ("air_o2_pct", "class_pct")
_MAY_BE_NONE: Final = ("hold_", "gap_", "grace_", "late_", "early_", "most_")
"""Counts of rules that may be 0; a window of nothing has no mean."""

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Outside of these a date is a misprint."""
FIRST_DATE = dt.date(FIRST_YEAR, 1, 1)

MOST_NAMED = 12
"""Words an error lists."""

_Word = TypeVar("_Word", str, int)

REQUIRED: Final[Any] = object()
"""Default of a field that must be given."""

_TYPE_NAMES: Final = {
    str: "text in quotes",
    int: "whole number",
    bool: "true or false",
    dt.date: "date such as 2026-01-01",
    dict: "table such as {PM = 10}",
    list: "list such as [...]",
}


class Page:
    """A document's place, its lines, and the errors found in it."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        self._errors: list[tuple[int, str]] = []
        self._headers: dict[str, list[tuple[int, dict[str, int]]]] = {"": [(1, {})]}
        keys = self._headers[""][0][1]
        quoted = False
        for number, line in enumerate(text.split("\n"), 1):
            if not quoted:
                if header := _HEADER.match(line):
                    keys = {}
                    self._headers.setdefault(header[1], []).append((number, keys))
                elif key := _KEY.match(line):
                    keys.setdefault(key[1], number)
            if (line.count('"""') + line.count("'''")) % 2:
                quoted = not quoted

    def error(self, line: int | None, where: str, what: str) -> None:
        """Note an error at a line (None: unknown) of a table."""
        at = f"line {line}: " if line is not None else ""
        self._errors.append((line or 0, f"{self.place}: {at}{where}: {what}"))

    def errors(self) -> list[str]:
        """Every error once, by line."""
        return list(dict.fromkeys(text for _, text in sorted(self._errors, key=lambda e: e[0])))

    def lines_of(self, name: str, at: int, count: int) -> tuple[int | None, dict[str, int]]:
        """Line of the header of the ``at``-th of ``count`` tables of a name, and the lines of its keys.

        Unknown where the headers that were found are not as many: some are written in another way.
        """
        found = self._headers.get(name, [])
        return found[at] if len(found) == count else (None, {})


class Table:
    """One table of the document. Every field that is asked for is known; :meth:`finish` refuses the others."""

    def __init__(self, page: Page, values: Mapping[str, Any], name: str, at: int = 0, count: int = 0) -> None:
        """``count``: how many tables of a list ``[[name]]`` there are; 0 for a single one, ``[name]``."""
        self.name = name
        self._page = page
        self._values = values
        self._line, self._key_lines = page.lines_of(name, at, count or 1)
        self._title = f"[[{name}]]" if count else f"[{name}]" if name else "the file"
        if count and self._line is None:
            self._title += f" {at + 1}"
        self.asked: dict[str, None] = {}
        self.label = ""
        """Which row it is, for a person: its id or what it is about."""

    def error(self, what: str, key: str = "") -> None:
        """Note an error at a key's line, else the table's."""
        where = f"{self._title} {self.label}" if self.label else self._title
        self._page.error(self._key_lines.get(key, self._line), where, what)

    def know(self, *keys: str) -> None:
        """These fields are read elsewhere."""
        self.asked |= dict.fromkeys(keys)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._values:
            if key not in self.asked:
                near = difflib.get_close_matches(key, self.asked, 1)
                cure = f"did you mean {near[0]}?" if near else "remove it, or look for a misspelling"
                self.error(f"{key} is not known here: {cure}", key)

    def _get(self, key: str, kind: type, default: Any, empty: Any) -> Any:
        self.asked[key] = None
        if key not in self._values:
            if default is REQUIRED:
                self.error(f"{key} is missing: write it as a {_TYPE_NAMES[kind]}")
                return empty
            return default
        value = self._values[key]
        if type(value) is not kind:
            self.error(f"{key} = {shown(value)} must be a {_TYPE_NAMES[kind]}", key)
            return empty if default is REQUIRED else default
        return value

    # ---- single values

    def text(self, key: str, default: Any = REQUIRED) -> str:
        """A text; a required one is not empty."""
        value: str = self._get(key, str, default, "")
        if default is REQUIRED and key in self._values and value == "" and self._values[key] == "":
            self.error(f"{key} is empty", key)
        return value

    def identifier(self, key: str, default: Any = REQUIRED) -> str:
        """An id, "" where it is wrong."""
        value = self.text(key, default)
        return value if value == "" else self._identifier(key, value)

    def _identifier(self, key: str, value: str) -> str:
        if _ID.fullmatch(value):
            return value
        self.error(f"{key} = {value!r}: letters, digits, '.', '_' and '-' only, 64 at most", key)
        return ""

    def mn(self, key: str = "mn", default: Any = REQUIRED) -> str:
        """A logger's number, "" where it is wrong."""
        value = self.text(key, default)
        if value and not _MN.fullmatch(value):
            self.error(f"{key} = {value!r}: 1 to 24 letters or digits (HJ 212)", key)
            return ""
        return value

    def secret(self, key: str = "secret") -> str:
        """The name of a secret; never the secret, which has no place in a registry."""
        value = self.text(key)
        if value and not _SECRET.fullmatch(value):  # not repeated in the error: it may be one
            self.error(
                f"{key} must be the NAME under which it is kept outside, such as DUTY_ROBOT (A-Z, 0-9, _), "
                "never the secret itself",
                key,
            )
        return value

    def choice(self, key: str, words: Iterable[_Word], default: Any = REQUIRED) -> _Word:
        """One of some words (or whole numbers)."""
        known = tuple(words)
        value: _Word = self._get(key, type(known[0]), default, known[0])
        if value not in known:
            names = [str(w) or repr(w) for w in known]
            near = difflib.get_close_matches(str(value), names, 1)
            cure = f"did you mean {near[0]}? see docs/registry.md" if near else "see docs/registry.md for all"
            all_of = f"one of {', '.join(names)}"
            self.error(f"{key} = {shown(value)}: {all_of if len(names) <= MOST_NAMED else cure}", key)
            return known[0]
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value: bool = self._get(key, bool, default, default)
        return value

    def whole(self, key: str, least: int, most: int, default: Any = REQUIRED) -> int:
        """A whole number from least to most."""
        value: int = self._get(key, int, default, least)
        if not least <= value <= most:
            self.error(f"{key} = {value}: {least} to {most}", key)
            return least
        return value

    def decimal(self, key: str, default: Any = REQUIRED, *, above: str = "", most: str = "") -> str:
        """A decimal number, as its text; written with quotes or without. "0" where it is wrong."""
        self.asked[key] = None
        if key not in self._values:
            if default is REQUIRED:
                self.error(f"{key} is missing: write it as a number")
                return "0"
            return default  # type: ignore[no-any-return]
        return self._decimal(key, self._values[key], above, most)

    def _decimal(self, key: str, value: object, above: str, most: str, name: str = "") -> str:
        text = decimal_text(value)
        if text is None:
            self.error(f"{name or key} = {shown(value)} must be a plain decimal number", key)
        elif above and not Decimal(text) > Decimal(above):
            self.error(f"{name or key} = {text}: must be above {above}", key)
        elif most and Decimal(text) > Decimal(most):
            self.error(f"{name or key} = {text}: {most} at most", key)
        else:
            return text
        return "0"

    def date(self, key: str, default: Any = REQUIRED) -> dt.date:
        """A Beijing date."""
        value: dt.date = self._get(key, dt.date, default, ALWAYS)
        if key in self and value != default and not FIRST_YEAR <= value.year <= LAST_YEAR:
            self.error(f"{key} = {value}: a date from {FIRST_YEAR} to {LAST_YEAR}", key)
            value = FIRST_DATE if default is REQUIRED else default
        return value

    def span(self, *, required: bool = True) -> tuple[dt.date, dt.date | None]:
        """``valid_from`` and ``valid_to``."""
        first = self.date("valid_from", REQUIRED if required else ALWAYS)
        last: dt.date | None = self.date("valid_to", None)
        if last is not None and last < first:
            self.error(f"valid_to = {last}: a date not before valid_from, {first}", "valid_to")
            last = None
        return first, last

    def coordinates(self) -> tuple[float | None, float | None]:
        """``lat`` and ``lon``, degrees; both or none."""
        found: list[float | None] = []
        for key, most in (("lat", 90), ("lon", 180)):
            self.asked[key] = None
            value = self._values.get(key)
            number = float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
            if value is not None and (number is None or not -most <= number <= most):
                self.error(f"{key} = {shown(value)}: degrees, -{most} to {most}", key)
            found.append(number)
        if ("lat" in self) != ("lon" in self):
            self.error("lat and lon belong together: write both or none", "lat" if "lat" in self else "lon")
        lat, lon = found
        return lat, lon

    def clock(self, key: str) -> int:
        """``"08:30"`` as minutes of the day."""
        value = self.text(key)
        found = _CLOCK.fullmatch(value)
        if found is None:
            if value:
                self.error(f"{key} = {shown(value)} must be a time of day such as '08:30'", key)
            return 0
        return int(found[1]) * 60 + int(found[2])

    # ---- several values

    def texts(self, key: str, default: Any = REQUIRED) -> tuple[str, ...]:
        """A list of texts, each once."""
        found = self._get(key, list, default, ())
        for value in found:
            if type(value) is not str or not value:
                self.error(f"{key} has {shown(value)}: texts in quotes only", key)
        good = [v for v in found if type(v) is str and v]
        for value in {v for v in good if good.count(v) > 1}:
            self.error(f"{key} names {value!r} twice", key)
        if default is REQUIRED and key in self._values and found == []:
            self.error(f"{key} is empty: name at least one", key)
        return tuple(dict.fromkeys(good))

    def identifiers(self, key: str) -> tuple[str, ...]:
        """One id, or a list of ids."""
        if isinstance(self._values.get(key), str):
            found: tuple[str, ...] = (self.identifier(key),)
        else:
            found = tuple(self._identifier(key, value) for value in self.texts(key))
        return tuple(f for f in found if f)

    def years(self, key: str) -> tuple[int, ...]:
        """One year, or a list of years."""
        self.asked[key] = None
        value = self._values.get(key)
        found = value if isinstance(value, list) else [value]
        if key not in self._values:
            self.error(f"{key} is missing: write a year such as 2026, or a list of years")
            return ()
        good = [y for y in found if type(y) is int and 2000 <= y <= 2100]
        if not good or len(good) != len(found) or len(set(good)) != len(good):
            self.error(f"{key} = {shown(value)}: a year from 2000 to 2100, or a list of different ones", key)
        return tuple(dict.fromkeys(good))

    def decimals(self, key: str, default: Any = REQUIRED, *, above: str = "", most: str = "") -> dict[str, str]:
        """A table of decimal numbers by name."""
        found = self._get(key, dict, default, {})
        if default is REQUIRED and key in self and found == {}:
            self.error(f"{key} is empty: write at least one", key)
        return {name: self._decimal(key, value, above, most, f"{key}.{name}") for name, value in found.items()}

    def rules(self, key: str, known: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, str | bool]]:
        """A table of settings by rule or check: true, false, or a table of decimal numbers and ``enabled``.

        Args:
            key: of the table.
            known: the numbers of each check.
        """
        found: dict[str, dict[str, str | bool]] = {}
        for name, value in self._get(key, dict, {}, {}).items():
            mine = {check: numbers for check, numbers in known.items() if name in (check, check.partition(".")[0])}
            if not mine:
                near = difflib.get_close_matches(name, sorted({*known, *(c.partition(".")[0] for c in known)}), 1)
                cure = f"did you mean {near[0]}?" if near else "see docs/law-facility.md for all"
                self.error(f"{key}.{name} is no rule and no check: {cure}", key)
            elif isinstance(value, bool):
                found[name] = {"enabled": value}
            elif isinstance(value, dict):
                names = sorted({each for numbers in mine.values() for each in numbers})
                found[name] = self._rule(key, name, value, names)
            else:
                self.error(f"{key}.{name} = {shown(value)}: false, true, or a table such as {{ hold_min = 15 }}", key)
        return found

    def _rule(self, key: str, rule: str, given: Mapping[str, Any], known: list[str]) -> dict[str, str | bool]:
        found: dict[str, str | bool] = {}
        for name, value in given.items():
            where = f"{key}.{rule}.{name}"
            if name == "enabled":
                if isinstance(value, bool):
                    found[name] = value
                else:
                    self.error(f"{where} = {shown(value)} must be true or false", key)
            elif name not in known:
                self.error(f"{where} is not known: {', '.join(['enabled', *known])}", key)
            else:
                text = self._decimal(key, value, "", "", where)
                most = _WHOLE.get(name.rsplit("_", 1)[-1])
                least = 0 if most is None or name.startswith(_MAY_BE_NONE) else 1
                if most is not None and (not least <= Decimal(text) <= most or Decimal(text) % 1):
                    self.error(f"{where} = {text}: a whole number from {least} to {most}", key)
                elif name in _DIVIDES and not Decimal(text) > 0:
                    self.error(f"{where} = {text}: must be above 0", key)
                elif Decimal(text) < 0 and name != "above":  # a correlation may be negative
                    self.error(f"{where} = {text}: 0 at least", key)
                found[name] = text
        return found

    def units(self, key: str) -> dict[str, str]:
        """A table of units by factor, in the spelling of :mod:`schemas.units`; wrong ones are left out."""
        given = self._get(key, dict, {}, {})
        found = {name: self._unit(value, f"{key}.{name}", key) for name, value in given.items()}
        return {name: unit for name, unit in found.items() if unit}

    def unit(self, key: str = "unit") -> str:
        """A unit, in the spelling of :mod:`schemas.units`; "" where it is wrong."""
        value = self.text(key)
        return self._unit(value, key, key) if value else ""

    def _unit(self, value: object, name: str, key: str) -> str:
        try:
            return units.canonical(value if isinstance(value, str) else str(value))
        except units.UnitError:
            self.error(f"{name} = {shown(value)} is no unit known here: see docs/registry.md", key)
            return ""

    def wholes(self, key: str, known: Iterable[int]) -> tuple[int, ...]:
        """A list of whole numbers out of some."""
        found = self._get(key, list, [], [])
        allowed = tuple(known)
        for value in found:
            if type(value) is not int or value not in allowed:
                self.error(f"{key} has {shown(value)}: of {', '.join(map(str, allowed))}", key)
        return tuple(dict.fromkeys(v for v in found if type(v) is int and v in allowed))

    def tables(self, key: str) -> Iterator[Table]:
        """A list of inline tables, each to be finished too."""
        for value in self._get(key, list, [], []):
            if isinstance(value, dict):
                yield self._inner(key, value)
            else:
                self.error(f"{key} has {shown(value)}: tables such as {{...}} only", key)

    def table(self, key: str, name: str) -> Table | None:
        """A table in this one, written inline or under a header of its own; None where there is none."""
        values = self._get(key, dict, None, None)
        if values is None:
            return None
        own = self._page.lines_of(name, 0, 1)[0] is not None
        return Table(self._page, values, name) if own else self._inner(key, values)

    def _inner(self, key: str, values: Mapping[str, Any]) -> Table:
        inner = Table(self._page, values, f"{self.name}.{key}")
        inner._title, inner._line, inner._key_lines = self._title, self._key_lines.get(key, self._line), {}
        inner.label = f"{self.label} {key}".strip()
        return inner


def decimal_text(value: object) -> str | None:
    """The plain decimal text of a number or of a text that is one, else None."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    text = f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)
    return text if _DECIMAL.fullmatch(text) else None


def shown(value: object) -> str:
    """A value as a person wrote it, cut to a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
