"""Columns of the water slots: whatever a water station can send, in one order for ever."""

from __future__ import annotations

from typing import Final

import numpy as np

from standards.water.items import items

FACTORS: Final[tuple[str, ...]] = (
    *("T", "pH", "DO", "EC", "turbidity", "CODMn", "NH3N", "TP", "TN"),  # the nine of every automatic station
    *("chla", "algae", "SD", "NO3N", "SO4", "Cl", "F", "flow", "TOC", "SS", "TDS", "colour"),
    *("COD", "BOD5", "Cu", "Zn", "Se", "As", "Hg", "Cd", "Cr6", "Cr", "Pb", "Ni", "Fe", "Mn"),
    *("CN", "VP", "oil", "LAS", "S2", "FC"),
)
"""Names of ``schemas.hj212_codes`` (water). The order is part of the state: add at the end, and raise the version."""

WIDTH: Final = len(FACTORS)
COLUMN: Final[dict[str, int]] = {factor: at for at, factor in enumerate(FACTORS)}
_PLACES: Final = 8
PLACES: Final = np.array([items()[f].places if f in items() else _PLACES for f in FACTORS], np.int64)
"""Scale of each column; that of the law's item, or eight decimals for what no law judges (flow, TOC, SS)."""
KNOWN: Final[tuple[str, ...]] = tuple(f for f in FACTORS if f in items())
"""Those the water law has an item for."""
MOST: Final = np.array([items()[f].impossible_above if f in items() else 10**15 for f in FACTORS], np.int64)
SIGNED: Final = np.array([f in items() and items()[f].signed for f in FACTORS], np.bool_)
