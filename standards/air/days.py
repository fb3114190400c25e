"""Days: station day values, the area's day, and its daily report (GB 3095 Table 4; HJ 633-2026; HJ 663 6.1, A.2)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from standards.air.ozone import daily_maximum
from standards.air.rules import (
    DEFAULT,
    HOURS,
    OZONE,
    PARTICLES,
    POLLUTANTS,
    Bools,
    Ints,
    Rules,
    Shorts,
    Switches,
    edition_for,
    rules_for,
)
from standards.air.screen import check_shape, check_values
from standards.air.verdict import Bytes, count_points, enough_stations, planned, publish, required, steps_of
from standards.fixed import MISSING, half_even

_CACHED: Final = 1 << 16
"""Values worked on at once."""

Texts = npt.NDArray[np.str_]
Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class StationDays:
    """Station days: S stations, D days. Exact values are ``num / denominator`` in thousandths."""

    hours: Ints
    """int64[S, D, 6]: valid hours of the 24."""
    windows: Ints
    """int64[S, D]: valid 8-hour means of ozone among labels 08 … 24."""
    num: Ints
    """int64[S, D, 6]: 24-hour means; for O3 the largest 8-hour mean. 0 where invalid."""
    denominator: int
    valid: Bools
    """bool[S, D, 6]"""

    def value(self) -> Ints:
        """int64[S, D, 6]: the values to the thousandth, MISSING where invalid."""
        return np.where(self.valid, half_even(self.num, self.denominator), MISSING)


@dataclass(frozen=True, slots=True, eq=False)
class DayVerdicts:
    """The area's daily report of D days. Concentrations are int64 thousandths; ozone is the largest 8-hour mean."""

    edition: Texts
    """U4[D]: the edition each day was judged under."""
    date: Dates
    """datetime64[D, D]: the calendar days; NaT where not given."""
    n_hours: Ints
    """int64[D, 6]: valid station hours."""
    n_stations: Ints
    """int64[D, 6]: stations with a valid day."""
    num: Ints
    """int64[D, 6]: numerator of the exact area value; 0 where there is none."""
    den: Ints
    """int64[D, 6]: its denominator, at least 1."""
    value: Ints
    """int64[D, 6]: the area value to the thousandth, for people and charts; MISSING where there is none."""
    rounded: Ints
    """int64[D, 6]: the area value as it enters the index; MISSING where there is none."""
    iaqi: Shorts
    """int16[D, 6]; -1 is NA."""
    aqi: Shorts
    """int16[D]; -1 is NA."""
    level: Bytes
    """uint8[D]; 1 … 6, 0 is NA."""
    primary: Bools
    """bool[D, 6]: 首要污染物."""
    valid: Bools
    """bool[D]: the AQI can be published (§2.4); other days count neither as good nor as polluted."""
    good: Bools
    """bool[D]: valid, AQI at most 100."""
    polluted: Bools
    """bool[D]: valid, AQI above 100."""
    reason: Bytes
    """uint8[D]: index into verdict.REASONS."""
    missing: Bools
    """bool[D, 6]: planned, but without a valid area value."""
    planned: Bools
    """bool[D, 6]: in the monitoring plan of that day."""

    def __len__(self) -> int:
        return len(self.aqi)

    def take(self, days: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> DayVerdicts:
        """Some of the days."""
        return DayVerdicts(**{field.name: getattr(self, field.name)[days] for field in fields(self)})


def stack(parts: Sequence[DayVerdicts]) -> DayVerdicts:
    """Day verdicts one after the other, as one.

    Raises:
        ValueError: no parts.
    """
    if not parts:
        raise ValueError("no days to stack")
    return DayVerdicts(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(DayVerdicts)}
    )


def station_days(hours: Ints, rules: Rules, *, registered: Bools | None = None) -> StationDays:
    """The day values of every station: 24-hour means of at least 20 hours, and the largest 8-hour mean of ozone.

    Args:
        hours: int64[S, D, 24, 6] thousandths by label 01 … 24, MISSING where not valid.
        rules: the edition.
        registered: bool[S, D], the stations that count that day; all by default.

    Returns:
        StationDays.

    Raises:
        ValueError: wrong shape, a negative or absurdly large value.
    """
    if hours.ndim == 4 and hours.shape[2] != HOURS:
        raise ValueError(f"a day has {hours.shape[2]} hours; needed are {HOURS}")
    check_shape(hours, 4, registered)
    n_stations, n_days = hours.shape[:2]
    at_once = max(1, _CACHED // (n_stations * HOURS * len(POLLUTANTS)))
    parts = [
        _station_days(
            hours[:, start : start + at_once],
            rules,
            None if registered is None else registered[:, start : start + at_once],
        )
        for start in range(0, n_days, at_once)
    ]
    if len(parts) == 1:
        return parts[0]
    count, windows, num, valid = (
        np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("hours", "windows", "num", "valid")
    )
    return StationDays(count, windows, num, rules.denominator, valid)


def _station_days(hours: Ints, rules: Rules, registered: Bools | None) -> StationDays:
    """As ``station_days``, of few enough days to stay in the cache; the hours go first, for long inner loops."""
    by_hour = np.ascontiguousarray(np.moveaxis(hours, 2, 0))
    values, present = check_values(by_hour, hours.shape[0], rules.denominator)
    if registered is not None:
        present &= registered[..., None]
        values = np.where(present, values, 0)
    count: Ints = np.add.reduce(present.view(np.int8), axis=0, dtype=np.int8).astype(np.int64)
    share = rules.day_share.take(count)
    num = values.sum(axis=0) * share
    valid = share > 0
    ozone = daily_maximum(values[..., OZONE], present[..., OZONE], rules)
    num[..., OZONE], valid[..., OZONE], windows = ozone
    return StationDays(count, windows, num, rules.denominator, valid)


def judge_days(
    hours: Ints,
    edition: str | Sequence[str] | None = None,
    *,
    dates: Sequence[datetime.date] | Dates | None = None,
    switches: Switches = DEFAULT,
    plan_not_monitored: tuple[str, ...] = (),
    registered: Bools | None = None,
) -> DayVerdicts:
    """Judge the days of an area from its stations' hours.

    Args:
        hours: int64[S, D, 24, 6] thousandths by station, day, label 01 … 24 and pollutant, MISSING where not valid.
        edition: one for all days, one per day, or None: the edition in force on each of ``dates``.
        dates: the D calendar days; only needed without ``edition``, but kept for ``tally_year``.
        switches: see Switches.
        plan_not_monitored: pollutants outside the monitoring plan (``/``); their values are ignored. Whether they
            block publication says ``switches.unmonitored_clean``.
        registered: bool[S, D], the stations that count that day; all by default.

    Returns:
        DayVerdicts of D days.

    Raises:
        ValueError: wrong shapes, a negative or absurdly large value, an unknown pollutant, neither edition nor dates.
        LookupError: an unknown edition.
    """
    n_days = hours.shape[1] if hours.ndim == 4 else 0
    when = np.full(n_days, "NaT", "datetime64[D]") if dates is None else np.asarray(dates, "datetime64[D]")
    if when.shape != (n_days,):
        raise ValueError(f"{when.size} dates for {n_days} days")
    if edition is None:
        if dates is None:
            raise ValueError("neither an edition nor dates")
        edition = [edition_for(day) for day in when.tolist()]
    if isinstance(edition, str):
        return _judge(hours, when, rules_for(edition, switches), plan_not_monitored, registered)
    names = np.asarray(edition)
    if names.shape != (n_days,):
        raise ValueError(f"{names.size} editions for {n_days} days")
    if not n_days:
        raise ValueError(f"hours have the shape {hours.shape}: no days to judge")
    cuts = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), n_days]
    return stack([
        _judge(
            hours[:, start:end], when[start:end], rules_for(str(names[start]), switches), plan_not_monitored,
            None if registered is None else registered[:, start:end],
        )
        for start, end in pairwise(cuts)
    ])  # fmt: skip


def _judge(
    hours: Ints, dates: Dates, rules: Rules, plan_not_monitored: tuple[str, ...], registered: Bools | None
) -> DayVerdicts:
    in_plan = planned(plan_not_monitored)
    stations = station_days(hours, rules, registered=registered)
    n_points = count_points(hours, registered)
    n_stations = stations.valid.sum(axis=0)
    measured = enough_stations(n_stations, n_points, rules) & in_plan
    num, den = _area_mean(stations.num, stations.valid, n_stations, measured, rules)
    steps = steps_of(num, den, rules)
    iaqi = rules.daily.index(steps, measured)
    if rules.edition == "2012":
        iaqi[:, OZONE] = _ozone_2012(iaqi[:, OZONE], measured[:, OZONE], hours, stations, n_points, rules)
    said = publish(iaqi, measured, required(in_plan, rules), rules)
    good = said.valid & (said.aqi <= rules.validity["good_at_most"])
    return DayVerdicts(
        edition=np.full(len(dates), rules.edition),
        date=dates,
        n_hours=stations.hours.sum(axis=0),
        n_stations=n_stations,
        num=num,
        den=den,
        value=np.where(measured, half_even(num, den), MISSING),
        rounded=np.where(measured, steps * rules.step, MISSING),
        iaqi=said.iaqi,
        aqi=said.aqi,
        level=said.level,
        primary=said.primary,
        valid=said.valid,
        good=good,
        polluted=said.valid & ~good,
        reason=said.reason,
        missing=~measured & in_plan,
        planned=np.broadcast_to(in_plan, measured.shape),
    )


def _area_mean(num: Ints, valid: Bools, n_stations: Ints, measured: Bools, rules: Rules) -> tuple[Ints, Ints]:
    """The mean of the stations' day values, exact: never the day of the area's hours (HJ 663 A.2, §3.2)."""
    if rules.switches.round_station_daily:
        num = half_even(num, rules.denominator * rules.step) * rules.step * rules.denominator
    total = np.where(valid, num, 0).sum(axis=0)
    return np.where(measured, total, 0), np.where(measured, n_stations, 1) * rules.denominator


def _ozone_2012(
    by_8h: Shorts, measured: Bools, hours: Ints, stations: StationDays, n_points: Ints, rules: Rules
) -> Shorts:
    """HJ 633-2012: ozone above the 8-hour table goes by its largest hour; by switch the hour always counts too."""
    by_rule = measured & (by_8h < 0)
    wanted = by_rule | rules.switches.o3_daily_uses_1h
    if not wanted.any():
        return by_8h
    enough = stations.hours[..., OZONE] >= rules.validity["min_hours_day"]
    highest = np.where(enough, hours[..., OZONE].max(axis=2), 0)
    count = enough.sum(axis=0)
    there = enough_stations(count[:, None], n_points, rules)[:, 0] & wanted
    mean = np.zeros((len(by_8h), len(POLLUTANTS)), np.int64)
    present = np.zeros(mean.shape, np.bool_)
    step = int(rules.step[OZONE])
    mean[:, OZONE] = half_even(highest.sum(axis=0), np.maximum(count, 1) * step)
    present[:, OZONE] = there
    return np.maximum(by_8h, rules.daily_1h.index(mean, present)[:, OZONE])


def without_dust(days: DayVerdicts, dust: Bools, switches: Switches = DEFAULT) -> DayVerdicts:
    """The other caliber: on confirmed dust days PM10 and PM2.5 are taken out and the AQI is that of the gases (§4.2).

    Args:
        days: the verdicts with dust kept.
        dust: bool[D], the days people confirmed.
        switches: as the days were judged.

    Returns:
        The verdicts with dust deducted; days without dust are unchanged.
    """
    if dust.shape != (len(days),):
        raise ValueError(f"{dust.size} dust marks for {len(days)} days")
    gone = np.zeros((len(days), len(POLLUTANTS)), np.bool_)
    gone[:, PARTICLES] = dust[:, None]
    in_plan = days.planned & ~gone
    measured = (days.rounded != MISSING) & in_plan
    if len(names := np.unique(days.edition)) > 1:
        order = [np.flatnonzero(days.edition == name) for name in names]
        parts = stack([without_dust(days.take(at), dust[at], switches) for at in order])
        return parts.take(np.argsort(np.concatenate(order)))
    rules = rules_for(str(names[0]) if len(days) else "2026", switches)
    needed = required(days.planned, rules) & ~gone
    said = publish(np.where(gone, np.int16(-1), days.iaqi), measured, needed, rules)
    good = said.valid & (said.aqi <= rules.validity["good_at_most"])
    return replace(
        days,
        num=np.where(gone, 0, days.num),
        den=np.where(gone, 1, days.den),
        value=np.where(gone, MISSING, days.value),
        rounded=np.where(gone, MISSING, days.rounded),
        iaqi=said.iaqi, aqi=said.aqi, level=said.level, primary=said.primary, valid=said.valid, reason=said.reason,
        good=good, polluted=said.valid & ~good, missing=~measured & in_plan, planned=in_plan,
    )  # fmt: skip


def under(days: DayVerdicts, edition: str, switches: Switches = DEFAULT) -> DayVerdicts:
    """The same days judged under another edition, from their exact area values: last year beside this one (§3.5).

    What is valid stays so: the minima of hours and stations are those the days were judged with (all editions have the
    same). Ozone's hour of the edition of 2012 is not looked at.

    Args:
        days: of any editions.
        edition: ``2012``, ``2026`` or ``2031``.
        switches: see Switches.

    Raises:
        LookupError: an unknown edition.
    """
    rules = rules_for(edition, switches)
    measured = days.rounded != MISSING
    steps = steps_of(days.num, days.den, rules)
    iaqi = rules.daily.index(steps, measured)
    said = publish(iaqi, measured, required(days.planned, rules), rules)
    good = said.valid & (said.aqi <= rules.validity["good_at_most"])
    return replace(
        days,
        edition=np.full(len(days), rules.edition),
        rounded=np.where(measured, steps * rules.step, MISSING),
        iaqi=said.iaqi, aqi=said.aqi, level=said.level, primary=said.primary, valid=said.valid, reason=said.reason,
        good=good, polluted=said.valid & ~good,
    )  # fmt: skip
