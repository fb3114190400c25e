"""Which rows of a published file are credible: docs/law-water.md §1, written before the first comparison."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from standards.fixed import MISSING, Ints
from standards.water.items import item, item_set
from standards.water.plausibility import outside_range, suspect_zero
from standards.water.readings import Bools

RULES: Final = {
    "K1": "数值不可读 a value can't be read",
    "K2": "超出常见范围 a value is outside the hard range",
    "K3": "化学项目为零 wet chemistry is exactly zero",
    "K4": "氨氮或总磷无小数点 NH3-N or TP without a decimal point",
}
"""Why a row is not credible."""


def broken_rules(
    wanted: tuple[str, ...],
    texts: Mapping[str, Sequence[str]],
    values: Ints,
    below: Bools,
    refused: Bools,
    date: datetime.date | None = None,
) -> dict[str, Bools]:
    """Rows that break each rule.

    Args:
        wanted: ids of the rows of the matrices.
        texts: the n texts of every item as published.
        values: int64 (items, n) in each item's scale, MISSING allowed: a missing item is not incredible.
        below: bool (items, n), below detection.
        refused: bool (items, n), could not be read.
        date: of the data; None for the newest editions.

    Returns:
        bool (n,) by rule id.
    """
    rows = dict(enumerate(wanted))
    outside = np.any([outside_range(name, values[row], date) for row, name in rows.items()], axis=0)
    zero = np.any([suspect_zero(name, values[row], date) & ~below[row] for row, name in rows.items()], axis=0)
    bare = np.zeros(values.shape[1], dtype=np.bool_)
    for row, name in rows.items():
        if name in item_set("lost_decimals", date):
            whole = (values[row] % 10 ** item(name).places == 0) & (values[row] != MISSING)
            for at in np.flatnonzero(whole).tolist():
                bare[at] |= "." not in texts[name][at]
    return {"K1": refused.any(axis=0), "K2": outside, "K3": zero, "K4": bare}
