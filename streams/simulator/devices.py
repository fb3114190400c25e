"""The loggers of a district: what each says of a day, in the dialect and the units of its registry row.

An air station says its minutes and hours, a river section its hours (wet chemistry carried forward until the next
result) and its checks at night, an outlet its instants, 10-minute means, hours and days, with values converted to
reference oxygen by the device itself, amounts and flags (:mod:`streams.simulator.instruments`).
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas import hj212_codes, times, units
from schemas.hj212_codes import (
    CN_DAY,
    CN_HOUR,
    CN_MINUTE,
    CN_REALTIME,
    ST_AIR,
    ST_FLUE_GAS,
    ST_SURFACE_WATER,
    ST_WASTE_WATER,
    Factor,
)
from schemas.registry import AIR_FACTORS, Logger, Meter, Outlet, Registry, Section, Source
from streams.simulator.instruments import (
    AIR_PLACES,
    CALIBRATES,
    FAULT,
    LEAST_SHARE_GAS,
    NORMAL,
    PLACES,
    Channel,
    Readings,
    flags_of,
    rounded,
    texts,
)
from streams.simulator.world import CYCLE_H, HOURLY, MINUTES, Day

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.uint8]

CN_STANDARD_CHECK, CN_ZERO_CHECK, CN_SPAN_CHECK = "2062", "2065", "2066"
"""Of a water station (water.md §4.2): quality control, which is no water."""

AIR_LEAST_MINUTES: Final = 45
"""An hour of an air station needs so many normal minutes (air.md §6.3)."""

MINUTE_AFTER_S, TEN_AFTER_S, HOUR_AFTER_S, DAY_AFTER_S = 4, 10, 60, 600
"""How long after a period its packet is sent, before the logger's own delay."""
CHECK_AT_MIN: Final = 90
"""When a water station begins its nightly checks."""


class Said(NamedTuple):
    """A packet before it is written down.

    Attributes:
        at_ms: when the logger makes it, epoch ms.
        st, cn: system type and command.
        time_s: DataTime, epoch seconds: start of the period, or the instant.
        groups: the readings, one text per factor.
    """

    at_ms: int
    st: str
    cn: str
    time_s: int
    groups: tuple[str, ...]


class Device:
    """What all loggers have: an MN, a dialect, delays of their own."""

    def __init__(self, source: Source, logger: Logger, medium: str) -> None:
        self.source, self.logger, self.medium = source, logger, medium
        self.mn = logger.mn
        self.own_s = zlib.crc32(logger.mn.encode()) % 60
        """Seconds by which this logger is later than the punctual one."""

    def channel(self, name: str, medium: str = "", places: int | None = None, unit: str = "") -> Channel:
        """How this logger sends a factor; ``unit`` is that of the true values where it is not the published one."""
        factor = hj212_codes.factor_of_name(name, medium or self.medium)
        if factor is None:
            raise LookupError(f"{self.source.id}: factor {name!r} has no HJ 212 code: leave it out of its factors")
        published = unit or factor.unit
        sent = self.logger.units.get(name, factor.sent_unit)
        ratio = units.ratio(published, sent) / Fraction(self.logger.scale.get(name, "1"))
        code = factor.old_code or factor.code if self.logger.edition == 2005 else factor.code
        if name in self.logger.scale:  # whole numbers, which is why there is a scale
            return Channel(name, code, factor, ratio, 0, 0)
        exact = PLACES.get(name, 2) if places is None else places
        return Channel(name, code, factor, ratio, max(0, exact - _magnitude(ratio)))

    def said(self, day: Day, full: bool) -> list[Said]:
        """Everything said of a day, in no order; ``full`` with instants and minutes."""
        raise NotImplementedError

    def _times(self, day: Day, cn: str, minutes: int, after_s: int, ms: int) -> Iterator[tuple[int, int]]:
        """When the packets of a day's periods are made (epoch ms) and when the periods begin (epoch s)."""
        start = times.day_start(times.day_number(day.date))
        own_s = self.own_s % 20 if cn == CN_MINUTE else self.own_s
        for begin in range(start, start + times.DAY_S, 60 * minutes):
            yield (begin + 60 * minutes + after_s + own_s) * 1000 + ms, begin


def _magnitude(ratio: Fraction) -> int:
    """Digits a number grows by under a ratio: 3 for 1000 or 3600, -3 for 1/1000."""
    size = 0
    while ratio >= 10:
        ratio, size = ratio / 10, size + 1
    while ratio < 1:
        ratio, size = ratio * 10, size - 1
    return size


class AirDevice(Device):
    """The logger of an air station: minutes and hours of the six pollutants.

    Every night the four gas analysers see zero gas for some minutes and flag them C; an hour is their mean over its
    normal minutes, and faulty with fewer than 45 of them.
    """

    def __init__(self, source: Source, logger: Logger) -> None:
        super().__init__(source, logger, hj212_codes.AIR)
        self.channels = [self.channel(name, places=AIR_PLACES.get(name, 1)) for name in AIR_FACTORS]
        begin = 60 + 3 * self.own_s  # between 01:00 and 04:00
        self.checking = np.zeros(MINUTES, np.bool_)
        self.checking[begin - begin % 60 + 20 : begin - begin % 60 + 32] = True

    def said(self, day: Day, full: bool) -> list[Said]:
        """Everything said of a day."""
        truth = day.air[self.source.id]
        minute_groups, hour_groups = [], []
        for channel in self.channels:
            code, places = channel.code, channel.places
            bad = self.checking if channel.name not in ("PM10", "PM2.5") else np.zeros(MINUTES, np.bool_)
            values = np.where(bad, 0, channel.read(np.maximum(truth[channel.name], 0.0)))
            if full:
                minute_groups.append(
                    [
                        f"{code}-Avg={text},{code}-Flag={CALIBRATES if wrong else NORMAL}"
                        for text, wrong in zip(texts(values, places), bad.tolist(), strict=True)
                    ]
                )
            normal = ~bad.reshape(24, 60)
            count = normal.sum(axis=1)
            means = texts(rounded((values.reshape(24, 60) * normal).sum(axis=1), np.maximum(count, 1)), places)
            hour_groups.append(
                [
                    f"{code}-Avg={text},{code}-Flag={NORMAL if enough else FAULT}"
                    for text, enough in zip(means, (count >= AIR_LEAST_MINUTES).tolist(), strict=True)
                ]
            )
        said = self._packets(day, CN_HOUR, 60, HOUR_AFTER_S, hour_groups)
        if full and self.logger.minute_interval == 1:
            said += self._packets(day, CN_MINUTE, 1, MINUTE_AFTER_S, minute_groups)
        elif full:
            rtd = [[text.replace("-Avg=", "-Rtd=") for text in group] for group in minute_groups]
            said += [
                each._replace(cn=CN_REALTIME, time_s=each.time_s + 60)
                for each in self._packets(day, CN_MINUTE, 1, MINUTE_AFTER_S, rtd)
            ]
        return said

    def _packets(self, day: Day, cn: str, minutes: int, after_s: int, groups: list[list[str]]) -> list[Said]:
        moments = self._times(day, cn, minutes, after_s, 300 if cn == CN_HOUR else 200)
        return [
            Said(at_ms, ST_AIR, cn, begin, row)
            for (at_ms, begin), row in zip(moments, zip(*groups, strict=True), strict=True)
        ]


class SectionDevice(Device):
    """The logger of a water station.

    Each hour: the hourly parameters of that hour and the newest finished results of the wet chemistry, whose sample
    was drawn one or two hours before the first hour that shows it; until the next they are said again. Each night
    zero, span and standard of every wet analyser, in commands of their own.
    """

    def __init__(self, source: Source, logger: Logger, section: Section) -> None:
        super().__init__(source, logger, hj212_codes.WATER)
        self.section = section
        self.channels = [self.channel(name) for name in section.factors]
        self.delay_h = 1 + self.own_s % 2
        self.last: dict[str, float] = {}
        """Last result of the day before, by wet item; the owner carries it over."""

    def is_wet(self, name: str) -> bool:
        """Whether an item is measured in cycles."""
        return name not in HOURLY and not (self.section.body == "spring" and name == "NO3N")

    def results(self, day: Day) -> dict[str, float]:
        """The last results of a day, with which the next begins."""
        water = day.water[self.source.id]
        return {c.name: float(water[c.name][-1]) for c in self.channels if self.is_wet(c.name)}

    def said(self, day: Day, full: bool) -> list[Said]:
        """Everything said of a day."""
        truth = day.water[self.source.id]
        groups = []
        for channel in self.channels:
            shown = truth[channel.name]
            if self.is_wet(channel.name):
                # hour h is published at h+1; its newest result is of the cycle that began before h+1-delay
                newest = np.arange(24) + 1 - self.delay_h
                sample = newest // CYCLE_H * CYCLE_H
                before = self.last.get(channel.name, float(truth[channel.name][0]))
                shown = np.where(sample < 0, before, truth[channel.name][np.maximum(sample, 0)])
            values = channel.read(np.maximum(shown, 0.0) if channel.name != "T" else shown)
            groups.append(
                [f"{channel.code}-Avg={text},{channel.code}-Flag=N" for text in texts(values, channel.places)]
            )
        moments = self._times(day, CN_HOUR, 60, HOUR_AFTER_S, 300)
        said = [
            Said(at_ms, ST_SURFACE_WATER, CN_HOUR, begin, row)
            for (at_ms, begin), row in zip(moments, zip(*groups, strict=True), strict=True)
        ]
        return said + self._checks(day)

    def _checks(self, day: Day) -> list[Said]:
        """Zero, span and standard: what the analyser showed, what it should have shown, and a flag that says so."""
        start = times.day_start(times.day_number(day.date)) + 60 * CHECK_AT_MIN + self.own_s
        said = []
        wet = [c for c in self.channels if self.is_wet(c.name)]
        for nth, (cn, flag, share) in enumerate(
            ((CN_ZERO_CHECK, "dz", 0), (CN_SPAN_CHECK, "lc", 4), (CN_STANDARD_CHECK, "sc", 2))
        ):
            groups = []
            for channel in wet:
                standard = share * 10**channel.places
                # within a hundredth of the standard, another way every night
                off = (zlib.crc32(f"{self.mn}{day.date}{channel.name}{cn}".encode()) % 21 - 10) * standard // 1000
                shown = standard + off
                text, should = (texts(np.array([v], np.int64), channel.places)[0] for v in (shown, standard))
                groups.append(
                    f"{channel.code}-SampleRd={text},{channel.code}-StandardValue={should},{channel.code}-ResultType=1,"
                    f"{channel.code}-Flag={flag}"
                )
            if groups:
                at = start + 1200 * nth
                said.append(Said(at * 1000 + 500, ST_SURFACE_WATER, cn, at, tuple(groups)))
        return said


class OutletDevice(Device):
    """The logger of an outlet, with the meters that report through it; or, without an outlet, the meters alone."""

    def __init__(self, source: Source, logger: Logger, outlet: Outlet | None, meters: Sequence[Meter]) -> None:
        super().__init__(source, logger, outlet.medium if outlet is not None else hj212_codes.METER)
        self.outlet = outlet
        self.channels = [self.channel(name) for name in outlet.factors] if outlet is not None else []
        self.meters = [(meter, self._of_meter(meter)) for meter in meters]
        ref = outlet.ref_o2_pct if outlet is not None and self.medium == hj212_codes.GAS else None
        self.reference = Fraction(ref) if ref is not None else None
        if self.reference is not None and not any(c.name == "O2" for c in self.channels):
            self.reference = None  # nothing to convert with
        self.by_name = {c.name: c for c in self.channels}
        self.moment_s = np.arange(self.own_s % logger.realtime_s, times.DAY_S, logger.realtime_s)

    def _of_meter(self, meter: Meter) -> tuple[str, Channel]:
        """System type and channel of a meter."""
        for medium in (hj212_codes.METER, hj212_codes.PROCESS, self.medium):
            factor = hj212_codes.factor_of_name(meter.factor, medium)
            if factor is not None:
                places = 1 if meter.unit in ("kW", "A", "V", "%", "t/h", "kg/h", "m3/h") else 2
                st = {"d": "44", "i": "44", "g": "51", "e": "52", "p": "45"}.get(factor.code[0], "")
                st = st or (ST_FLUE_GAS if self.medium == hj212_codes.GAS else ST_WASTE_WATER)
                return st, self.channel(meter.factor, medium, places, meter.unit if _fits(meter.unit, factor) else "")
        raise LookupError(f"meter {meter.id}: factor {meter.factor!r} has no HJ 212 code")

    def said(self, day: Day, full: bool) -> list[Said]:
        """Everything said of a day."""
        said: list[Said] = []
        if self.outlet is not None:
            said += self._of_outlet(day, full)
        for st in dict.fromkeys(st for _, (st, _) in self.meters):
            said += self._of_meters(day, full, st)
        return said

    # ---- the outlet

    def _of_outlet(self, day: Day, full: bool) -> list[Said]:
        assert self.outlet is not None
        st = ST_FLUE_GAS if self.medium == hj212_codes.GAS else ST_WASTE_WATER
        truth, state = day.outlets[self.outlet.id], day.state[self.outlet.id]
        minutes = self._readings(truth, state)
        said = self._periods(day, st, CN_HOUR, 60, HOUR_AFTER_S, 300, minutes)
        said += self._periods(day, st, CN_DAY, MINUTES, DAY_AFTER_S, 400, minutes)
        if full:
            interval = self.logger.minute_interval
            said += self._periods(day, st, CN_MINUTE, interval, TEN_AFTER_S, 200, minutes)
            seen = {c.name: self._seen(day, self.outlet.id, c.name) for c in self.channels}
            said += self._instants(day, st, self._readings(seen, state[self.moment_s // 60]))
        return said

    def _readings(self, truth: Mapping[str, Floats], state: States) -> list[Readings]:
        """What the logger has of every factor, of minutes or at moments."""
        assert self.outlet is not None
        read = {c.name: c.read(truth[c.name]) for c in self.channels}
        found = {
            c.name: Readings(
                c, read[c.name], flags_of(c, self.medium, state, read[c.name], self.outlet.ranges.get(c.name))
            )
            for c in self.channels
        }
        if self.reference is not None:
            for each in found.values():
                if each.channel.factor.unit == "mg/m3":
                    each.convert(self.reference, found["O2"])
        return list(found.values())

    def _seen(self, day: Day, outlet: str, factor: str) -> Floats:
        """What an instrument shows at the logger's moments: within a minute one reading after the other."""
        readings = np.stack([each.outlets[outlet][factor] for each in (day, *day.again)])
        nth = self.moment_s % 60 // self.logger.realtime_s
        seen: Floats = readings[np.minimum(nth, len(readings) - 1), self.moment_s // 60]
        return seen

    def _instants(self, day: Day, st: str, readings: list[Readings]) -> list[Said]:
        """Packets of the readings at the logger's moments."""
        start = times.day_start(times.day_number(day.date))
        rows = zip(*(each.instants() for each in readings), strict=True)
        return [
            Said((start + at + 1) * 1000 + 100, st, CN_REALTIME, start + at, row)
            for at, row in zip(self.moment_s.tolist(), rows, strict=True)
        ]

    def _periods(
        self, day: Day, st: str, cn: str, length: int, after_s: int, ms: int, minutes: list[Readings]
    ) -> list[Said]:
        """Packets of periods of so many minutes."""
        flow = next((each for each in minutes if each.channel.name == "flow"), None)
        share = LEAST_SHARE_GAS if self.medium == hj212_codes.GAS else Fraction(1)
        weighed = self.medium == hj212_codes.WATER
        moments = self._times(day, cn, length, after_s, ms)
        rows = zip(*(each.periods(length, share, flow, weighed) for each in minutes), strict=True)
        return [Said(at_ms, st, cn, begin, row) for (at_ms, begin), row in zip(moments, rows, strict=True)]

    # ---- the meters

    def _of_meters(self, day: Day, full: bool, st: str) -> list[Said]:
        mine = [(meter, channel) for meter, (its_st, channel) in self.meters if its_st == st]
        minutes = [_normal(channel, day.outlets[m.outlet][m.factor]) for m, channel in mine]
        ms = int(st)  # so that packets of one logger never share a millisecond
        said = self._periods(day, st, CN_HOUR, 60, HOUR_AFTER_S, 300 + ms, minutes)
        if full:
            interval = self.logger.minute_interval
            said += self._periods(day, st, CN_MINUTE, interval, TEN_AFTER_S, 200 + ms, minutes)
            seen = [_normal(channel, self._seen(day, m.outlet, m.factor)) for m, channel in mine]
            said += [each._replace(at_ms=each.at_ms + ms) for each in self._instants(day, st, seen)]
        return said


def _normal(channel: Channel, truth: Floats) -> Readings:
    """What a meter shows: nobody flags it."""
    return Readings(channel, channel.read(truth), np.zeros(len(truth), np.uint8))


def _fits(unit: str, factor: Factor) -> bool:
    try:
        units.ratio(unit, factor.unit)
    except units.UnitError:
        return False
    return True


def devices(registry: Registry, date: dt.date) -> Iterator[Device]:
    """The loggers that speak on a date, in the order of the registry's sources."""
    for source in registry.sources_at(date):
        logger = registry.logger(source.mn, date)
        if source.kind == "air":
            yield AirDevice(source, logger)
        elif source.kind == "water":
            section = registry.section_at(source.id, date)
            assert section is not None
            yield SectionDevice(source, logger, section)
        else:
            outlet, meters = registry.outlet_at(source.id, date), _meters_of(registry, source, date)
            if outlet is not None or meters:
                yield OutletDevice(source, logger, outlet, meters)


def _meters_of(registry: Registry, source: Source, date: dt.date) -> list[Meter]:
    """The meters whose readings come under a source, through this logger."""
    found: Iterable[Meter] = (m for m in registry.meters if m.source == source.id)
    return [
        m
        for m in found
        if registry.outlet_at(m.outlet, date) is not None
        and m.valid_from <= date
        and (m.valid_to is None or date <= m.valid_to)
        and m in registry.meters_at(m.outlet, date)
        and (not m.mn or m.mn == source.mn)
    ]
