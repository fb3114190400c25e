"""Groundwater and springs: GB/T 14848-2017 classes I … V (water.md §6 [B])."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from standards.fixed import Ints
from standards.water.indicators import Floats, has, multiples
from standards.water.items import constant, item_set
from standards.water.ladders import Classes, groundwater
from standards.water.readings import Bools
from standards.water.section import section_class


@dataclass(frozen=True, slots=True)
class GroundwaterVerdicts:
    """Classes of groundwater samples.

    ``item_classes``: int8 (items, n), 1 … 5. ``classes``: int8 (n,), the worst decides. ``over_3``: bool (items, n),
    worse than class III. ``multiples``: float64 (items, n) of the class III limit, NaN where there is none.
    """

    item_classes: Classes
    classes: Classes
    over_3: Bools
    multiples: Floats


def classify(
    wanted: tuple[str, ...],
    values: Ints,
    *,
    below: Bools | None = None,
    date: datetime.date | None = None,
    edition: str | None = None,
) -> GroundwaterVerdicts:
    """Classify groundwater samples. A drinking-water source complies at class III or better (background excepted).

    Args:
        wanted: ids of the rows.
        values: int64 (items, n), MISSING allowed: ignored.
        below: bool (items, n), below detection.
        date: of the data; None for the newest edition.
        edition: forces an edition by name.

    Raises:
        LookupError: an item without limits here.
    """
    ladders = groundwater(date, edition=edition).select(wanted)
    classes = ladders.classes(values, below)
    threshold = constant("groundwater_worse_than_class", date)
    over = classes > threshold
    found = multiples(values, np.broadcast_to(ladders.high[:, threshold - 1 : threshold], values.shape))
    found[~over] = np.nan
    found[has(wanted, item_set("groundwater_no_multiple", date))] = np.nan
    return GroundwaterVerdicts(classes, section_class(classes), over, found)
