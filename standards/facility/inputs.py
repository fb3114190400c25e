"""What a review is asked about: minute and hour series of one outlet, what the registry says of it, events beside them.

Times are whole minutes since 1970-01-01 00:00 Beijing time (UTC + 8 h, in minutes), so that hours and days divide
evenly. A slot is named by its first minute. Names of series are generic; the caller maps codes and meters to them:

========================  ==========================================================================================
name                      what
========================  ==========================================================================================
``SO2`` ``NOx`` ``O2`` …  a measured factor in its published unit (mg/m³, %, °C, m/s; flow m³/s of gas, L/s of water)
``SO2-Zs``                the converted value (折算)
``inlet_COD`` …           a factor before treatment
``production``            生产: power or current of what emits; several machines: on when one is
``treatment``             治理: off when all machines of the name are; lines that must run each: ``treatment:dust``
``circulation_pump``      脱硫循环泵
``reagent``               药剂: ammonia, limestone
``valve``                 旁路挡板 opening
``lift_pump``             提升泵
``slurry_ph``             浆液 pH
``pressure_drop``         压差, Pa
``load``                  生产负荷, % (else the production meters against their rating)
``production-Min`` …      in hours: the least and greatest value within each
========================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from standards.emission.exact import MOST_PLACES, Bools
from standards.fixed import MISSING, Ints

HOUR: Final = 60
DAY: Final = 1440
METERS: Final = frozenset(
    {
        *("production", "treatment", "valve", "reagent", "lift_pump", "slurry_ph", "pressure_drop"),
        *("circulation_pump", "load"),
    }
)
"""Signals of machines. All other names are of the analysers, whose values do not count while they are calibrated."""

_LARGEST: Final = 10**12


class InputError(ValueError):
    """A call that cannot be answered; the text names the thing and the cure."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One series: int64 (n,) counts of 10**-places of its unit, MISSING where nothing is known.

    A value stands in every minute it speaks for: a mean of ten minutes in ten of them, an instant of a logger that
    reports each five minutes in five. What is invalid by its own flag is MISSING. Values beyond ±10¹² are taken as
    missing: no instrument shows them, and they must stop nothing.

    Attributes:
        values: int64 (n,).
        places: decimals, 0 … 18.
        cadence: minutes one value speaks for; counts of samples are of minutes divided by it.
        step: the instrument's last digit, in counts of 10**-places; R15 looks at ``values // step``.
        rated: rating of a machine, in the unit of the values.
        on_share: share of the rating above which it is on, where the registry says so in place of the rule.
    """

    values: Ints
    places: int = 0
    cadence: int = 1
    step: int = 1
    rated: Fraction | None = None
    on_share: Fraction | None = None

    def __post_init__(self) -> None:
        if self.values.dtype != np.int64 or self.values.ndim != 1:
            raise InputError(f"values 序列: int64 (n,) is needed, not {self.values.dtype} {self.values.shape}")
        if not 0 <= self.places <= MOST_PLACES or self.cadence < 1 or self.step < 1:
            raise InputError(
                f"places {self.places}, cadence {self.cadence}, step {self.step}: 0 … 18, at least 1, at least 1"
            )
        if self.rated is not None and self.rated <= 0:
            raise InputError(f"rated 额定值 {self.rated}: must be above 0")
        beyond = (self.values > _LARGEST) | (self.values < -_LARGEST)
        if (beyond & (self.values != MISSING)).any():
            object.__setattr__(self, "values", np.where(beyond, MISSING, self.values))


Tracks = Mapping[str, Track | Sequence[Track]]
STATES: Final = ("standstill", "condition", "excused", "device", "calibrating", "backfilled", "over")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Tracks on one grid, with the states of its slots. Each state is bool (n,) or None: nowhere.

    Attributes:
        start: first minute.
        tracks: by name; all of one length.
        step: minutes of a slot, 1 or 60.
        standstill: plant at a standstill by mark or flag F.
        condition: a condition mark of the plant (start, stop, fault …) or such a state.
        excused: treatment under maintenance that the bureau has approved (检修计划).
        device: device marks and flags: what the analysers say does not count.
        calibrating: the analysers are being calibrated.
        backfilled: arrived as a backfill (RF=1): evidence, but no live alarm (emission.md §1.7, §6).
        over: hours above a binding limit, exempt or not (hours only).
    """

    start: int
    tracks: Tracks
    step: int = 1
    standstill: Bools | None = None
    condition: Bools | None = None
    excused: Bools | None = None
    device: Bools | None = None
    calibrating: Bools | None = None
    backfilled: Bools | None = None
    over: Bools | None = None
    length: int = field(init=False)

    def __post_init__(self) -> None:
        if self.step not in (1, HOUR) or self.start % self.step:
            raise InputError(f"start {self.start}, step {self.step}: step is 1 or 60, start a multiple of it")
        lengths = {len(each.values) for name in self.tracks for each in self.all_of(name)}
        lengths |= {len(state) for name in STATES if (state := getattr(self, name)) is not None}
        if len(lengths) > 1:
            raise InputError(f"series 序列 of {sorted(lengths)} slots: all tracks and states need the same length")
        for name, track in self.tracks.items():
            if not isinstance(track, Track) and not len(track):
                raise InputError(f"{name}: no track; leave the name out where there is none")
        object.__setattr__(self, "length", lengths.pop() if lengths else 0)

    def all_of(self, name: str) -> tuple[Track, ...]:
        """The tracks of a name, none where there is no such name."""
        found = self.tracks.get(name, ())
        return (found,) if isinstance(found, Track) else tuple(found)

    @property
    def end(self) -> int:
        """The first minute after it."""
        return self.start + self.step * self.length


def nothing(step: int) -> Series:
    """A series without tracks."""
    return Series(0, {}, step)


@dataclass(frozen=True, slots=True)
class Plant:
    """What the registry says of an outlet.

    Attributes:
        process: 工序 of the registry: gives O2 ceiling and CO2 without excess air.
        medium: ``gas`` or ``water``.
        normal_flow: 满负荷流量, in the unit of ``flow``.
        limits: strictest binding hourly limit by factor, in its published unit; of converted values where the outlet
            has a reference O2 (and ``-Zs`` tracks).
        ranges: full scale by factor.
        detection: detection limit by factor.
        denitration: ``SCR``, ``SNCR`` or nothing.
    """

    process: str = ""
    medium: str = "gas"
    normal_flow: Fraction | None = None
    limits: Mapping[str, Fraction] = field(default_factory=dict)
    ranges: Mapping[str, Fraction] = field(default_factory=dict)
    detection: Mapping[str, Fraction] = field(default_factory=dict)
    denitration: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A check of zero or span.

    Attributes:
        at: the minute it was over.
        factor: what was checked.
        zero_pct, span_pct: drift found, in % of full scale; None: not checked.
        passed: what the check says where it names neither number.
    """

    at: int
    factor: str
    zero_pct: Fraction | None = None
    span_pct: Fraction | None = None
    passed: bool = True


@dataclass(frozen=True, slots=True)
class Manual:
    """A reference measurement by hand over [begin, end): its mean, in the factor's published unit."""

    begin: int
    end: int
    factor: str
    value: Fraction


@dataclass(frozen=True, slots=True)
class Events:
    """What happened beside the series. None: nobody records it; empty: recorded, and nothing happened.

    Attributes:
        drifts: zero and span checks.
        manuals: reference measurements.
        marks: minutes at which a condition mark begins.
        neighbours: hour series of other outlets of the enterprise or line, by id.
    """

    drifts: tuple[Drift, ...] | None = None
    manuals: tuple[Manual, ...] | None = None
    marks: tuple[int, ...] | None = None
    neighbours: Mapping[str, Series] = field(default_factory=dict)
