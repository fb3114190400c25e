"""Ozone: sliding 8-hour means and the daily maximum of a station (GB 3095 ch. 3, HJ 663 6.1.2; §1.4, §5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from standards.air.rules import OZONE, Bools, Ints, Rules
from standards.fixed import MISSING, half_even


def eight_hour_means(ozone: Ints, rules: Rules) -> tuple[Ints, Ints]:
    """The sliding 8-hour means of a natural day (GB 3095 ch. 3): labels t-7 … t, none from the day before.

    Args:
        ozone: int64[..., 24] thousandths by label 01 … 24, MISSING where absent.
        rules: the edition.

    Returns:
        int64[..., 17] numerators over ``rules.denominator`` for labels 08 … 24, MISSING with fewer than six hours; and
        the number of hours of each.
    """
    present = np.moveaxis(ozone != MISSING, -1, 0)
    means, hours = _windows(np.moveaxis(np.maximum(ozone, 0), -1, 0), present, rules)
    return np.moveaxis(np.where(means < 0, MISSING, means), 0, -1), np.moveaxis(hours, 0, -1).astype(np.int64)


def _windows(values: Ints, present: Bools, rules: Rules) -> tuple[Ints, npt.NDArray[np.int8]]:
    """Means and hours of the windows, hours first: [24, ...] -> [17, ...]; -1 where a window has too few hours."""
    first = rules.validity["first_label_mda8"] - 8
    hours = _sums_of_8(np.ascontiguousarray(present).view(np.int8))[first:]
    share = rules.window_share.take(hours)
    means = _sums_of_8(np.ascontiguousarray(values))[first:] * share
    means[share == 0] = -1
    return means, hours


def _sums_of_8(values: Any) -> Any:
    """Sums of eight neighbours along the first axis: [24, ...] -> [17, ...], by doubling."""
    two = values[:-1] + values[1:]
    four = two[:-2] + two[2:]
    return four[:-4] + four[4:]


def daily_maximum(values: Ints, present: Bools, rules: Rules) -> tuple[Ints, Bools, Ints]:
    """The daily maximum 8-hour mean: of at least 14 of the 17 windows, or of fewer if it exceeds the limit.

    "Exceeds" is decided as every comparison with a limit: rounded first, then strictly greater (§4.3). A day of few
    windows at 160.4 therefore stays invalid rather than becoming a good day.

    Args:
        values: int64[24, ...] thousandths by label 01 … 24; 0 where absent.
        present: bool[24, ...].
        rules: the edition; its class decides the limit.

    Returns:
        int64[...] numerators over ``rules.denominator`` (0 where invalid); bool[...] valid; int64[...] windows.
    """
    means, _ = _windows(values, present, rules)
    windows = (means >= 0).sum(axis=0)
    highest = np.maximum(means.max(axis=0), 0)
    step = int(rules.step[OZONE])
    exceeds = half_even(highest, rules.denominator * step) * step > rules.o3_8h_limit
    valid = (windows >= rules.validity["min_windows_mda8"]) | exceeds
    return np.where(valid, highest, 0), valid, windows
