"""The automatic quality checks Q01 … Q14 (domain/air.md §6.3): each a function from hours to flags, with a reason.

They flag for people to review; only the hard ones (``screen_hours``, Q14) take a value out of the statistics. All
thresholds are in the table air_checks. Hours are int64[S, H, 6] thousandths by station and consecutive hour, MISSING
where there is no value; flags are bool of the same shape unless said otherwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from standards.air.rules import POLLUTANTS, Bools, Ints, validity_of
from standards.air.screen import threshold, thresholds
from standards.fixed import MISSING

CHECKS: Final = {
    "Q01": "缺测: no hourly record an hour after its end",
    "Q02": "time: from the future, or too old to be judged",
    "Q03": "unit: CO above 100 mg/m³, sent in µg/m³?",
    "Q04": "hard range",
    "Q05": "above the instrument's range",
    "Q06": "zero or slightly negative: corrected by a substitute",
    "Q07": "zero for hours",
    "Q08": "恒值: the same value for hours",
    "Q09": "倒挂: PM2.5 above PM10",
    "Q10": "NO, NO2 and NOx do not agree",
    "Q11": "突变: a jump the neighbours do not make",
    "Q12": "apart from the other stations",
    "Q13": "a spike at the same clock hour on several days (calibration?)",
    "Q14": "H: too few valid minutes",
}
"""Every check with its reason, as shown to people."""

TIME_CODES: Final = ("ok", "future", "too_old")
_NO2: Final = POLLUTANTS.index("NO2")
_PM10: Final = POLLUTANTS.index("PM10")
_PM25: Final = POLLUTANTS.index("PM2.5")
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution: mathematics, not a threshold
_NONE: Final = np.iinfo(np.int64).max


def q01_overdue(present: Bools, end: Ints, now: int) -> Bools:
    """Hours without a record although their end is more than 60 minutes ago.

    Args:
        present: bool[S, H], a record exists.
        end: int64[H], ends of the hours, epoch seconds.
        now: epoch seconds of the log's time.

    Returns:
        bool[S, H].
    """
    return ~present & (end + _scalar("alarm_after") * 60 < now)


def q02_time(end: Ints, received: Ints) -> npt.NDArray[np.uint8]:
    """Whether records come from the future or are too old; such are kept and flagged, not judged.

    Args:
        end: int64[n], event times, epoch seconds.
        received: int64[n], when they came.

    Returns:
        uint8[n], an index into TIME_CODES.
    """
    future = end > received + _scalar("future_after") * 60
    old = end < received - _scalar("too_old_after") * 86400
    return np.where(future, np.uint8(1), np.where(old, np.uint8(2), np.uint8(0)))


def q02_repeated(keys: Ints) -> Bools:
    """bool[n]: the records that a later one with the same key (int64[n]) replaces."""
    _, last = np.unique(keys[::-1], return_index=True)
    replaced = np.ones(len(keys), np.bool_)
    replaced[len(keys) - 1 - last] = False
    return replaced


def q05_soft_range(hours: Ints) -> Bools:
    """Above the instrument's range (500 ppb, CO 50 ppm)."""
    return hours > thresholds("soft_above")


def q07_long_zero(hours: Ints) -> Bools:
    """Runs of exactly 0 of at least 3 hours."""
    long: Bools = (hours == 0) & (_runs(hours) * 1000 >= thresholds("zero_hours"))
    return long


def q08_constant(hours: Ints) -> tuple[Bools, Bools]:
    """Runs of one value: suspect (by pollutant, 4 to 12 h), and so long (24 h) that invalidity is proposed."""
    length = _runs(hours) * 1000
    return length >= thresholds("constant_hours"), length >= thresholds("constant_invalid_hours")


def q09_inversion(hours: Ints) -> tuple[Bools, Bools]:
    """PM2.5 above PM10 by more than 5 µg/m³ and more than 10 %: suspect (both of them), alarm from the third hour on.

    Returns:
        suspect bool[S, H, 6] and alarm bool[S, H].
    """
    there = (hours[..., _PM10] != MISSING) & (hours[..., _PM25] != MISSING)
    coarse, fine = np.where(there, hours[..., _PM10], 0), np.where(there, hours[..., _PM25], 0)
    margin = np.maximum(
        thresholds("inversion_floor")[_PM25], coarse * thresholds("inversion_percent")[_PM25] // 100_000
    )
    inverted = there & (fine > coarse + margin)
    suspect = np.zeros(hours.shape, np.bool_)
    suspect[..., _PM10] = suspect[..., _PM25] = inverted
    least = int(thresholds("inversion_alarm_hours")[_PM25]) // 1000
    so_far = np.zeros(inverted.shape[0], np.int64)
    alarm = np.zeros(inverted.shape, np.bool_)
    for hour in range(inverted.shape[1]):
        so_far = np.where(inverted[:, hour], so_far + 1, 0)
        alarm[:, hour] = so_far >= least
    return suspect, alarm


def q10_nox(no: Ints, no2: Ints, nox: Ints) -> Bools:
    """NO2 above NOx + 5, or NO (as NO2) + NO2 far from NOx; int64 thousandths of µg/m³, any shape.

    Returns:
        bool of that shape; False where one of them is missing for its comparison.
    """
    margin = int(thresholds("nox_margin")[_NO2])
    share = int(thresholds("nox_percent")[_NO2])
    above = (
        (no2 != MISSING)
        & (nox != MISSING)
        & (np.where(no2 == MISSING, 0, no2) > np.where(nox == MISSING, 0, nox) + margin)
    )
    whole = (no != MISSING) & (no2 != MISSING) & (nox != MISSING)
    total = np.where(whole, no, 0) * threshold("no_as_no2_ratio", "NO") // 1000 + np.where(whole, no2, 0)
    apart = np.abs(total - np.where(whole, nox, 0))
    disagree: Bools = above | (whole & (apart > np.maximum(margin, np.where(whole, nox, 0) * share // 100_000)))
    return disagree


def q11_jump(hours: Ints) -> Bools:
    """A change within an hour beyond the threshold and three times the hour before, that the others do not make.

    No value can fall by more than it was, so by the second condition only rises are ever flagged: the note's rule has
    it so, and the hour after a spike is not flagged again. The others move too when their median change has the same
    sign and at least the share ``jump_together`` of its size; alone, a station is judged by itself.
    """
    change, both = _changes(hours)
    before = np.where(both, np.roll(hours, 1, axis=1), 0)
    jump = both & (np.abs(change) > thresholds("jump"))
    jump &= np.abs(change) * 1000 > before * thresholds("jump_factor")
    others = _others(np.where(both, change, np.nan))
    with np.errstate(invalid="ignore"):
        share = threshold("jump_together", "any")  # thousandths of a percent
        together = (np.sign(others) == np.sign(change)) & (np.abs(others) * 100_000 >= np.abs(change) * share)
    alone: Bools = jump & ~together
    return alone


def q12_peers(hours: Ints) -> Bools:
    """Far from at least three other stations of the same hour: robust z above 5 and beyond the floor."""
    values = np.where(hours == MISSING, np.nan, hours)
    flags = np.zeros(hours.shape, np.bool_)
    for station in range(len(hours)):
        peers = np.delete(values, station, axis=0)
        enough = (~np.isnan(peers)).sum(axis=0) * 1000 >= thresholds("peer_stations")
        middle = _median(peers)
        spread = _median(np.abs(peers - middle)) * _MAD_TO_SIGMA
        apart = np.abs(values[station] - middle)
        with np.errstate(invalid="ignore"):
            far = (apart * 1000 > thresholds("peer_z") * spread) & (apart > thresholds("peer_floor"))
        flags[station] = enough & far
    return flags


def q13_periodic(hours: Ints) -> Bools:
    """Spikes or dips against both neighbours at the same clock hour on at least three days of a window.

    The window (``periodic_window`` days in a row, ours) slides: a spike is flagged when some window it lies in has
    enough. The hours must start at label 01.
    """
    change, both = _changes(hours)
    after, next_both = np.roll(change, -1, axis=1), np.roll(both, -1, axis=1)
    next_both[:, -1] = False
    least, window = thresholds("periodic_jump"), _scalar("periodic_window")
    spike = both & next_both & (np.sign(change) == -np.sign(after))
    spike &= (np.abs(change) > least) & (np.abs(after) > least)
    flags = np.zeros(hours.shape, np.bool_)
    for clock in range(24):
        here = spike[:, clock::24]
        flags[:, clock::24] = here & (_most_in_window(here, window) * 1000 >= thresholds("periodic_days"))
    return flags


def _most_in_window(here: Bools, window: int) -> Ints:
    """int64[S, D, 6]: the most marks of any ``window`` days in a row that hold the day."""
    n_days = here.shape[1]
    sums: Ints = np.cumsum(np.pad(here, ((0, 0), (1, 0), (0, 0))), axis=1, dtype=np.int64)
    width = min(window, n_days)
    starts = sums[:, width:] - sums[:, : n_days - width + 1]  # by first day of the window
    most: Ints = np.zeros(here.shape, np.int64)
    for back in range(width):  # the window that began so many days before
        first, last = back, min(n_days, starts.shape[1] + back)
        most[:, first:last] = np.maximum(most[:, first:last], starts[:, : last - first])
    return most


def q14_minutes(minutes: Ints, edition: str = "2026") -> Bools:
    """Hours with fewer than 45 valid minutes are invalid, mark H (GB 3095 Table 4); any shape."""
    return minutes < validity_of(edition)["min_minutes_hour"]


def review(hours: Ints) -> dict[str, Bools]:
    """All checks that need nothing but the hours: by id, bool[S, H, 6]."""
    return {
        "Q05": q05_soft_range(hours),
        "Q07": q07_long_zero(hours),
        "Q08": q08_constant(hours)[0],
        "Q09": q09_inversion(hours)[0],
        "Q11": q11_jump(hours),
        "Q12": q12_peers(hours),
        "Q13": q13_periodic(hours),
    }


def _scalar(check: str) -> int:
    return threshold(check, "any") // 1000


def _runs(hours: Ints) -> Ints:
    """int64[S, H, 6]: length of the run of equal values each value is part of; 0 where missing."""
    along = np.moveaxis(hours, 1, -1)
    starts = np.ones(along.shape, np.bool_)
    starts[..., 1:] = along[..., 1:] != along[..., :-1]
    run = np.cumsum(starts.ravel()) - 1
    length = np.bincount(run)[run].reshape(along.shape)
    return np.moveaxis(np.where(along == MISSING, 0, length), -1, 1)


def _changes(hours: Ints) -> tuple[Ints, Bools]:
    """Change against the hour before, and where both exist."""
    both = np.zeros(hours.shape, np.bool_)
    both[:, 1:] = (hours[:, 1:] != MISSING) & (hours[:, :-1] != MISSING)
    change = np.zeros(hours.shape, np.int64)
    change[:, 1:] = np.where(both[:, 1:], hours[:, 1:] - np.where(both[:, 1:], hours[:, :-1], 0), 0)
    return change, both


def _others(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median over the other stations, for each station; NaN without others."""
    return np.stack([_median(np.delete(values, station, axis=0)) for station in range(len(values))])


def _median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median over the first axis without NaN; NaN where nothing is left. Review marks need no exact arithmetic."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)  # NaN last
    count = (~np.isnan(ordered)).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, 0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], 0)[0]
    middle: npt.NDArray[np.float64] = np.where(count > 0, (low + high) / 2, np.nan)
    return middle
