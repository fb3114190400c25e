"""A registry's file to a checked :class:`~schemas.registry.district.Registry`, or all its errors."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from schemas.registry import checks, reading
from schemas.registry.checks import Entry, Tables
from schemas.registry.district import Registry
from schemas.registry.tables import Page, Table

FORMAT = 1
FILE = "district.toml"
"""The registry's file in a district's folder."""

_Row = TypeVar("_Row")


class RegistryError(ValueError):
    """A registry file with errors; the text lists all of them, one a line."""


def load(path: Path) -> Registry:
    """Read and check a registry: a file, or a folder that holds ``district.toml``.

    Raises:
        RegistryError: not readable, not TOML, or with errors; all of them are listed.
    """
    path = path / FILE if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RegistryError(f"{path}: {reason}: give the district's registry with --district") from None
    return parse(text, str(path))


def parse(text: str, place: str) -> Registry:
    """Check a registry's text; ``place`` names it in errors.

    Raises:
        RegistryError: with every error, one a line, in the order of the file.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(f"{place}: not TOML: {error}") from None
    except RecursionError:
        raise RegistryError(f"{place}: not TOML: nested too deeply") from None
    page = Page(place, text)
    registry = _registry(page, text, document)
    if errors := page.errors():
        raise RegistryError("\n".join(errors))
    return registry


def _registry(page: Page, text: str, document: dict[str, Any]) -> Registry:
    top = Table(page, document, "")
    version = document.get("format")
    if version != FORMAT or isinstance(version, bool):
        top.error(f"format is {version!r}, this program reads format = {FORMAT}", "format")

    def entries(name: str, read: Callable[[Table], _Row]) -> list[Entry[_Row]]:
        return many(name, lambda t: (read(t),))

    def many(name: str, read: Callable[[Table], Iterable[_Row]]) -> list[Entry[_Row]]:
        found: list[Entry[_Row]] = []
        tables = _tables_of(top, name, document)
        for n, values in enumerate(tables):
            table = Table(page, values, name, n, len(tables))
            found += [Entry(row, table) for row in read(table)]
            table.finish()
        return found

    receive = document.get("receive", {})
    tables = Tables(
        groups=entries("group", reading.group),
        areas=entries("area", reading.area),
        stations=entries("station", reading.station),
        loggers=entries("logger", reading.logger),
        sections=entries("section", reading.section),
        targets=many("target", reading.targets),
        reaches=entries("reach", reading.reach),
        enterprises=entries("enterprise", reading.enterprise),
        permits=many("permit", reading.permits),
        outlets=entries("outlet", reading.outlet),
        limits=many("limit", reading.limits),
        meters=entries("meter", reading.meter),
        persons=entries("person", reading.person),
        shifts=entries("shift", reading.shift),
        holidays=many("holiday", reading.holidays),
        swaps=entries("swap", reading.swap),
        tasks=entries("task", reading.task),
    )
    checks.fill_in(tables)
    checks.check(tables)
    found = Registry(
        name=top.text("name", ""),
        name_en=top.text("name_en", ""),
        receive=reading.receive(page, receive if isinstance(receive, dict) else {}),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        text=text,
        **tables.rows(),
    )
    if not isinstance(receive, dict):
        top.error("must be written as [receive]", "receive")
    if not (found.stations or found.sections or found.outlets):
        top.error("nothing is watched: write at least one [[station]], [[section]] or [[outlet]]")
    top.know("format", "receive")
    top.finish()
    return found


def _tables_of(top: Table, name: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document.get(name, [])
    top.know(name)
    if isinstance(found, list) and all(isinstance(t, dict) for t in found):
        return found
    top.error(f"must be written as [[{name}]]", name)
    return []
