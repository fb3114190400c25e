"""Minutes to an hour: the mean of the valid ones, when there are enough (GB 3095 Table 4; HJ 817 practice)."""

from __future__ import annotations

import numpy as np

from standards.air.rules import POLLUTANTS, Bools, Ints, validity_of
from standards.fixed import MISSING, half_even


def hour_of_minutes(minutes: Ints, covers: Ints, edition: str = "2026") -> tuple[Ints, Ints, Bools]:
    """The hour that its minutes give.

    Args:
        minutes: int64[n, 60, 6] thousandths by minute of the hour, MISSING where not valid. A mean of k minutes stands
            at its last minute.
        covers: int64[n], minutes that a value stands for (1 for minute values).
        edition: whose minimum of 45 minutes.

    Returns:
        the mean of the values, int64[n, 6] thousandths rounded half to even once, MISSING without any; the valid
        minutes, int64[n, 6], at most 60; and whether they are enough, bool[n, 6].

    Raises:
        ValueError: wrong shape.
    """
    if minutes.ndim != 3 or minutes.shape[1:] != (60, len(POLLUTANTS)) or covers.shape != minutes.shape[:1]:
        raise ValueError(
            f"minutes have the shape {minutes.shape}, covers {covers.shape}; needed are [n, 60, 6] and [n]"
        )
    present = minutes != MISSING
    count = present.sum(axis=1, dtype=np.int64)
    total = np.where(present, minutes, 0).sum(axis=1)
    mean = np.where(count > 0, half_even(total, np.maximum(count, 1)), MISSING)
    valid = np.minimum(count * covers[:, None], 60)
    return mean, valid, valid >= validity_of(edition)["min_minutes_hour"]
