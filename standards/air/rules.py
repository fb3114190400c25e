"""The air rule set of a date: the dated tables read once into what the judging functions need.

An edition is named after its limits: ``2012`` until 2026-02-28, ``2026`` (transition) until 2030-12-31, ``2031`` after
that (domain/air.md §0). The rules of the AQI in 2031 are those of 2026; every other table follows the same dates.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from standards import dated
from standards.air.units import exact, exact_list, published_unit, thousandths

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]

POLLUTANTS: Final = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")
"""The six basic items in the order of HJ 633 (Tables 4 and 5); every axis of length 6 has this order."""

UNITS: Final = ("µg/m³", "µg/m³", "mg/m³", "µg/m³", "µg/m³", "µg/m³")
"""The published units, in the order of POLLUTANTS. Values are int64 thousandths of them."""

HOURS: Final = 24
SCALE: Final = 1000
"""Thousandths in a unit."""

OZONE: Final = POLLUTANTS.index("O3")
PARTICLES: Final = (POLLUTANTS.index("PM10"), POLLUTANTS.index("PM2.5"))


@dataclass(frozen=True, slots=True)
class Switches:
    """Where the rules are silent, doubtful, or differ from practice; the defaults are argued in docs/law-air.md."""

    grade: Literal[1, 2] = 2
    """Class of the area, for every comparison with a limit."""
    pm_realtime: Literal["1h", "24h_sliding"] = "1h"
    """Hourly PM before 2026-03-01: the practice, or the text of HJ 633-2012. Later editions know only ``1h``."""
    o3_daily_uses_1h: bool = False
    """Before 2026-03-01: whether the largest hour of ozone is a seventh daily indicator (text of HJ 633-2012)."""
    round_station_daily: bool = False
    """Whether station days are rounded before the area mean; GB/T 8170 forbids rounding twice (§4.3)."""
    incomplete: Literal["above_100", "from_the_rest", "all_six"] = "above_100"
    """A day or hour without all planned pollutants: only above 100 (HJ 633-2026 5.3), or always (a reading of 2012).
    ``all_six``: never, and all six are needed, planned or not (valid days of some local assessments, §11.6)."""
    unmonitored_clean: bool = True
    """Whether pollutants outside the plan have three consecutive years of record without being the primary pollutant of
    a lightly-polluted-or-worse day (HJ 633-2026 5.3 rule 4); if not, their absence blocks as any other (rule 3)."""
    dust_days_count: bool = True
    """Whether days whose dust was deducted count for the validity minima: they were measured (E)."""
    attainment: Literal["mean_and_percentile", "publicised"] = "mean_and_percentile"
    """When a pollutant attains the year: mean and percentile (HJ 663, D+), or as cities are publicised (D): the mean
    alone where there is a yearly limit for it, else the percentile."""


DEFAULT: Final = Switches()


@dataclass(frozen=True, slots=True, eq=False)
class LookUp:
    """IAQI of every rounded concentration, one table per pollutant laid end to end.

    ``flat[start[p] + min(steps, last[p])]``; the last entry of each table is the index above the breakpoints (-1: the
    edition gives none).
    """

    flat: Shorts
    start: Ints
    last: Ints

    def index(self, steps: Ints, present: Bools) -> Shorts:
        """IAQI of concentrations in steps (1 µg/m³; CO 0.1 mg/m³): int64[..., 6] -> int16[..., 6], -1 where absent."""
        at = np.minimum(steps, self.last)
        at += self.start
        found = self.flat.take(at)
        found[~present] = -1
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Everything an edition says about hours and days, as integers (thousandths where it is a concentration)."""

    edition: str
    switches: Switches
    daily: LookUp
    hourly: LookUp
    step: Ints
    """int64[6]: the unit concentrations are rounded to before the index (1 µg/m³; CO 0.1 mg/m³), in thousandths."""
    steps_per_unit: Ints
    """int64[6]: 1, CO 10."""
    o3_8h_limit: int
    level_tops: Ints
    """int64[6]: the last AQI of each level."""
    validity: Mapping[str, int]
    """The table air_validity by rule name."""
    denominator: int
    """A common multiple of every valid count of hours, so that means add exactly."""
    day_share: Ints
    """int64[25]: denominator / n for n valid hours of a day, 0 where n is too few."""
    window_share: Ints
    """int64[9]: the same for the hours of an 8-hour mean."""
    daily_1h: LookUp = field(repr=False)
    """The hourly table again, for ozone's largest hour of a day in the 2012 edition."""


def edition_for(date: datetime.date) -> str:
    """The edition in force on a Beijing date: ``"2012"``, ``"2026"`` or ``"2031"``."""
    return dated.for_date("air_limits", date).name


def editions() -> tuple[str, ...]:
    """The names of all editions, oldest first."""
    return tuple(edition.name for edition in dated.load("air_limits"))


def table(subject: str, edition: str) -> dated.Edition:
    """The edition of another air table that goes with an edition of the limits.

    Raises:
        LookupError: no such edition.
    """
    return dated.for_date(subject, dated.by_name("air_limits", edition).anchor())


@cache
def rules_for(edition: str, switches: Switches = DEFAULT) -> Rules:
    """The rules of an edition under the given switches.

    Raises:
        LookupError: no such edition; the message lists those there are.
    """
    limits = dated.by_name("air_limits", edition)
    validity = validity_of(edition)
    rounding = table("air_rounding", edition)
    step = np.array([10 ** (3 - rounding.row(stage="iaqi", item=p).integer("places")) for p in POLLUTANTS], np.int64)
    day_counts = range(validity["min_hours_day"], HOURS + 1)
    window_counts = range(validity["min_hours_8h"], 9)
    denominator = math.lcm(*day_counts, *window_counts)
    hourly = _look_up(edition, "1h", step)
    return Rules(
        edition=edition,
        switches=switches,
        daily=_look_up(edition, "day", step),
        hourly=hourly,
        step=step,
        steps_per_unit=SCALE // step,
        o3_8h_limit=thousandths(limits.row(item="O3", averaging="mda8"), f"grade{switches.grade}", UNITS[OZONE]),
        level_tops=np.array([row.integer("aqi_to") for row in table("air_levels", edition).rows], np.int64),
        validity=validity,
        denominator=denominator,
        day_share=np.array([denominator // n if n in day_counts else 0 for n in range(HOURS + 1)], np.int64),
        window_share=np.array([denominator // n if n in window_counts else 0 for n in range(9)], np.int64),
        daily_1h=hourly,
    )


@cache
def validity_of(edition: str) -> Mapping[str, int]:
    """The table air_validity by rule name; hours and minutes, days, shares, counts as their names say."""
    return {
        row.text("rule"): int(exact(row, "value", _unit_of_rule(row.text("rule"))))
        for row in table("air_validity", edition).rows
    }


def _unit_of_rule(rule: str) -> str:
    for part, unit in (("min_minutes", "min"), ("min_hours", "h"), ("min_days", "day"), ("share", "%")):
        if rule.startswith(part) or rule.endswith(part):
            return unit
    return "1" if not rule.startswith("first_label") else "h"


def limit_of(edition: str, item: str, averaging: str, grade: int = 2) -> int | None:
    """A limit in thousandths of its unit; None where the edition has none (PM 1h; CO and O3 year)."""
    for row in dated.by_name("air_limits", edition).where(item=item, averaging=averaging):
        return thousandths(row, f"grade{grade}", published_unit(item))
    return None


def exact_limit(edition: str, item: str, averaging: str, grade: int = 2) -> Fraction | None:
    """As ``limit_of``, exact in the published unit: the daily limit of BaP is finer than a thousandth of it."""
    for row in dated.by_name("air_limits", edition).where(item=item, averaging=averaging):
        return exact(row, f"grade{grade}", published_unit(item))
    return None


def places_of(edition: str, stage: str, item: str) -> int:
    """Decimals kept at a stage (``iaqi``, ``statistics``, ``attainment``, ``report``) for an item."""
    return table("air_rounding", edition).row(stage=stage, item=item).integer("places")


def categories(edition: str) -> dict[int, tuple[str, str, str, str]]:
    """Level -> (level name, category, colour name, hex), as ``{3: ("三级", "轻度污染", "橙色", "#FF7E00")}``."""
    return {
        row.integer("level"): (row.text("name"), row.text("category"), row.text("colour"), row.text("hex"))
        for row in table("air_levels", edition).rows
    }


def _look_up(edition: str, averaging: str, step: Ints) -> LookUp:
    """Compute the tables of one averaging time with Fraction; ozone's day is its largest 8-hour mean."""
    breakpoints = table("air_breakpoints", edition)
    columns = []
    for position, pollutant in enumerate(POLLUTANTS):
        kind = "mda8" if averaging == "day" and pollutant == "O3" else averaging
        columns.append(_column(breakpoints.row(pollutant=pollutant, averaging=kind), int(step[position])))
    lengths = [len(column) for column in columns]
    starts = np.cumsum([0, *lengths[:-1]])
    flat = np.array([entry for column in columns for entry in column], np.int16)
    return LookUp(flat, starts.astype(np.int64), np.array(lengths, np.int64) - 1)


def _column(row: dated.Row, step: int) -> list[int]:
    """IAQI at 0, step, 2 step, … up to the last breakpoint, then the one above it (HJ 633-2026 4.2.6: rounded up).

    Raises:
        TableError: as many concentrations as indices are needed, both rising from 0.
    """
    at = [number * SCALE / step for number in exact_list(row, "at", published_unit(row.text("pollutant")))]
    index = [Fraction(number) for number in row.numbers("iaqi")]
    if len(at) != len(index) or len(at) < 2:
        raise dated.TableError([f"{row.where}: {len(at)} concentrations in at, {len(index)} indices in iaqi"])
    for name, values in (("at", at), ("iaqi", index)):
        if values[0] != 0 or any(low >= high for low, high in pairwise(values)):
            raise dated.TableError([f"{row.where}: {name} does not rise from 0, each larger than the one before"])
    column, segment = [], 0
    for tick in range(int(at[-1]) + 1):
        while tick > at[segment + 1]:
            segment += 1
        slope = (index[segment + 1] - index[segment]) / (at[segment + 1] - at[segment])
        column.append(math.ceil(index[segment] + slope * (tick - at[segment])))
    return [*column, row.integer("above") if "above" in row else -1]
