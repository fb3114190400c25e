"""When each row of recorded files is sent: the clock of a replay follows the file, not single rows.

The rule:

1. The hours of a file's rows in file order have a backbone: their longest non-decreasing subsequence (of equally
   long ones, the one that stays lowest). The clock at a row is the end of the backbone hour reached at its place.
   A row outside the backbone, late or from the future, is sent at that instant and does not move the clock.
2. A file with more than a quarter of its rows outside its backbone is not in order of time (it is sorted by
   station): then the rows of each station are taken as a file of their own.
3. Several files are recordings of the same world and play together: rows of one instant are sent in the order the
   files were given, within a file in file order.
4. A forward jump of the clock of more than 31 days is followed only if at least 24 backbone hours lie beyond it;
   otherwise what lies beyond counts as from the future and is sent at the instant before the jump.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.times import DAY_S

Hours = npt.NDArray[np.int64]

JUMP_S: Final = 31 * DAY_S
HOURS_BEYOND_JUMP: Final = 24
LEAST_IN_ORDER: Final = 0.75


def instants(files: Sequence[tuple[Hours, Hours]]) -> Hours:
    """The instant (epoch seconds) at which each row is sent.

    Args:
        files: per file the ends of its rows' hours in file order, and per row its station's number.

    Returns:
        int64[N] over the rows of all files, one file after the other.
    """
    clock = np.concatenate([_clock_of_file(hours, stations) for hours, stations in files] or [np.zeros(0, np.int64)])
    reached = np.unique(clock)
    for i in np.flatnonzero(np.diff(reached) > JUMP_S):
        if len(reached) - (i + 1) < HOURS_BEYOND_JUMP:
            clock = np.minimum(clock, reached[i])
            break
    return clock


def _clock_of_file(hours: Hours, stations: Hours) -> Hours:
    on = backbone(hours)
    if on.sum() >= LEAST_IN_ORDER * len(hours):
        return _clock(hours, on)
    clock = np.empty_like(hours)
    for station in np.unique(stations):
        rows = stations == station
        clock[rows] = _clock(hours[rows], backbone(hours[rows]))
    return clock


def _clock(hours: Hours, on: npt.NDArray[np.bool_]) -> Hours:
    if not len(hours):
        return hours
    last = np.maximum.accumulate(np.where(on, np.arange(len(hours)), -1))
    last[last < 0] = np.argmax(on)  # before the backbone begins its first hour is as good as now
    return hours[last]


def backbone(hours: Hours) -> npt.NDArray[np.bool_]:
    """Which rows form the longest non-decreasing subsequence; of equally long ones, the one that stays lowest."""
    ends: list[int] = []  # lowest last hour of a subsequence of length k + 1 ...
    row_of_end: list[int] = []  # ... and its row
    before: list[int] = []
    for row, hour in enumerate(hours.tolist()):
        k = bisect_right(ends, hour)
        before.append(row_of_end[k - 1] if k else -1)
        if k == len(ends):
            ends.append(hour)
            row_of_end.append(row)
        else:
            ends[k], row_of_end[k] = hour, row
    on = np.zeros(len(hours), np.bool_)
    row = row_of_end[-1] if row_of_end else -1
    while row >= 0:
        on[row] = True
        row = before[row]
    return on
