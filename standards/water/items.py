"""The items that are measured: one spelling, unit and scale each; found by id, code, Chinese name or alias."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache

from standards import dated
from standards.water.editions import choose


class UnknownItem(LookupError):
    """A name that is no item of the water law."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item. ``places``: values are counts of 10**-places of ``unit``; ``impossible_above`` is such a count."""

    id: str
    code: str
    name: str
    name_en: str
    unit: str
    places: int
    signed: bool
    impossible_above: int

    @property
    def label(self) -> str:
        """Chinese name with the id beside it, for errors and reports."""
        return self.name if self.name == self.id else f"{self.name} {self.id}"


@cache
def items() -> dict[str, Item]:
    """Every item by its id, in the order of the table."""
    return {row.text("item"): _item(row) for row in choose("water_items").rows}


def _item(row: dated.Row) -> Item:
    places = row.integer("places")
    return Item(
        id=row.text("item"),
        code=row.text("code") if "code" in row else "",
        name=row.text("name"),
        name_en=row.text("name_en"),
        unit=row.text("unit"),
        places=places,
        signed="signed" in row and row.flag("signed"),
        impossible_above=row.fixed("impossible_above", places),
    )


@cache
def _names() -> dict[str, Item]:
    found: dict[str, Item] = {}
    for row in choose("water_items").rows:
        item = items()[row.text("item")]
        for name in (item.id, item.code, item.name, *(row.texts("aliases") if "aliases" in row else ())):
            if name and found.setdefault(name, item) is not item:
                raise dated.TableError([f"{row.where}: {name!r} already names {found[name].id}"])
    return found


def item(name: str) -> Item:
    """The item of that id (``NH3N``), code (``w21003``), Chinese name (``氨氮``) or alias (``NH3-N``).

    Raises:
        UnknownItem: no item has that name.
    """
    try:
        return _names()[name]
    except KeyError:
        raise UnknownItem(f"未知项目 unknown item {name!r}") from None


@cache
def item_set(name: str, date: datetime.date | None = None) -> tuple[str, ...]:
    """Ids of a named set of items (``basic_21``, ``five``, ``toxic_first`` …) of ``water_sets``.

    Raises:
        LookupError: no such set.
    """
    return choose("water_sets", date).row(set=name).texts("items")


@cache
def constant(name: str, date: datetime.date | None = None) -> int:
    """A whole number of ``water_indicators``.

    Raises:
        LookupError: no such name.
    """
    return choose("water_indicators", date).row(name=name).integer("value")
