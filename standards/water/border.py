"""Inflow against outflow at the district's border: what was imported, what was added (water.md §5.5 [E])."""

from __future__ import annotations

from typing import Final

from standards.water.items import constant
from standards.water.ladders import NO_CLASS

IMPORTED, ADDED, IMPROVED, CLEAN, UNKNOWN = "imported", "added", "improved", "clean", "unknown"
WORDS: Final = {
    IMPORTED: "入境带来",
    ADDED: "境内新增",
    IMPROVED: "境内改善",
    CLEAN: "进出均好",
    UNKNOWN: "无法比较",
}


def balance(inflow: int, outflow: int) -> str:
    """What the district did to the water, by the classes of one period at its border.

    Args:
        inflow: class of the section where the river enters, the worst of several, NO_CLASS without one.
        outflow: class of the section where it leaves.

    Returns:
        ``added``: worse out than in. ``imported``: the same class, worse than III. ``improved``: better out than in.
        ``clean``: the same class, I to III. ``unknown``: one of them has no class.
    """
    if NO_CLASS in (inflow, outflow):
        return UNKNOWN
    if outflow > inflow:
        return ADDED
    if outflow < inflow:
        return IMPROVED
    return IMPORTED if outflow > constant("worse_than_class") else CLEAN
