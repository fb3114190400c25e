"""Class texts as platforms and bulletins print them: ``2``, ``Ⅱ``, ``II类``, ``劣V``, ``inferior V`` … to class codes.

The names stand in ``water_classes`` (Roman figure and ``aliases``), the marks for "nothing" in ``water_forms``. Width
(``Ⅴ`` or ``V``), case, spaces, ``类`` and ``class`` do not matter.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from standards import dated
from standards.water.editions import choose
from standards.water.ladders import NO_CLASS

NOT_GIVEN: Final = -2
"""Nothing is published for the row (an empty cell, a dash)."""

UNREADABLE: Final = -3
"""A text that names no class."""


def _plain(text: str) -> str:
    """The text without what does not matter; compatibility forms (Ⅴ, full width) become plain letters."""
    plain = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return plain.removeprefix("class").removesuffix("水质").removesuffix("类")


class PublishedClasses(dict[str, int]):
    """Text to class 1 … 6, NO_CLASS (the platform's -1), NOT_GIVEN or UNREADABLE; remembers the texts it has seen.

    Raises:
        TableError: a name in ``water_classes`` that stands for two classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names = {str(NO_CLASS): NO_CLASS, f"{NO_CLASS}.0": NO_CLASS}  # ".0": a spreadsheet's column with gaps
        for row in choose("water_forms").where(place="whole", meaning="missing"):
            self.names[_plain(row.text("text"))] = NOT_GIVEN
        for row in choose("water_classes").rows:
            code = row.integer("class")
            for name in (
                str(code),
                f"{code}.0",
                row.text("roman"),
                *(row.texts("aliases") if "aliases" in row else ()),
            ):
                if self.names.setdefault(_plain(name), code) != code:
                    raise dated.TableError([f"{row.where}: {name!r} already names another class"])

    def __missing__(self, text: str) -> int:
        self[text] = found = self.names.get(_plain(text), UNREADABLE) if text.strip() else NOT_GIVEN
        return found
