"""A simulated district as one sequence of events: every packet of every logger, scenarios included, in order of time.

One day is in memory at a time, and what is late. Everything is a function of registry, start, seed and scenarios:
the same plan gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from schemas import times
from schemas.hj212_codes import CN_HOUR
from schemas.registry import Registry
from streams import hj212
from streams.hj212 import sm4
from streams.simulator.changes import Run
from streams.simulator.deliveries import Corrected, Delivery, Garbage, Sent
from streams.simulator.devices import Device, OutletDevice, SectionDevice, devices
from streams.simulator.events import END, Event, Mark
from streams.simulator.scenarios import Scenario
from streams.simulator.world import Day, World

AFTER_LAST_DAY_S: Final = 2 * times.HOUR_S
"""The clock goes on so long after the last day, which is closed by then."""
PASSWORD: Final = "123456"  # noqa: S105
"""HJ 212's own example, of loggers nobody gave another."""
MOST_SEGMENT: Final = 1024
"""Bytes of a segment by the standard; what is longer goes in parts."""
_FLAG_OF_EDITION: Final = {2005: 0, 2017: 4, 2025: 8}
_ANSWER, _SPLIT = 1, 2


@dataclass(frozen=True)
class Plan:
    """What to simulate.

    Attributes:
        start: first day, Beijing date.
        days: how many.
        seed: of everything that is not in the registry.
        scenarios: checked ones.
        full: numbers of the days, from 1, that have instants and minutes; the others have hours and days alone.
        keys: SM4 key by MN; a logger without one speaks in the clear.
        passwords: PW by MN.
    """

    start: dt.date
    days: int
    seed: int = 1
    scenarios: tuple[Scenario, ...] = ()
    full: frozenset[int] = frozenset()
    keys: Mapping[str, bytes] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict)

    @property
    def start_s(self) -> int:
        """When the run begins, epoch seconds."""
        return times.day_start(times.day_number(self.start))

    @property
    def end_s(self) -> int:
        """When the last day ends, epoch seconds."""
        return self.start_s + self.days * times.DAY_S


def events(world: World, registry: Registry, plan: Plan) -> Iterator[Event | Mark]:
    """Everything that happens, in order of time; the last is the mark ``end``."""
    return Timeline(world, registry, plan).events()


class Timeline:
    """The making of :func:`events`, with an account.

    Attributes:
        packets: by CN.
        sources: packets by kind of source: air, water, outlet, meters.
        broken: pieces of bytes that are no packet.
    """

    def __init__(self, world: World, registry: Registry, plan: Plan) -> None:
        self.world, self.registry, self.plan = world, registry, plan
        self.packets: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.broken = 0
        self._run = Run(registry, world, plan.start)
        self._changes = [(s, change) for s in plan.scenarios if (change := s.change) is not None]
        self._deliveries: list[Delivery] = [
            s.delivery(s, plan.start_s, plan.seed) for s in plan.scenarios if s.delivery is not None
        ]
        quickest_s = min((logger.realtime_s for logger in registry.loggers), default=60)
        self._readings = max(1, -(-60 // quickest_s))
        self._results: dict[str, dict[str, float]] = {}

    def events(self) -> Iterator[Event | Mark]:
        """As :func:`events`."""
        self._first_results()
        later: list[Event | Mark] = []
        last_ms = 0
        for number in range(1, self.plan.days + 1):
            full = number in self.plan.full
            day = self.world.day(self.plan.start + dt.timedelta(days=number - 1), self._readings if full else 1)
            for scenario, change in self._changes:
                for reading in (day, *day.again):
                    change(scenario, reading, self._run)
            end_ms = times.day_end(times.day_number(day.date)) * 1000
            items = later
            for device in devices(self.registry, day.date):
                items += self._of(device, day, full, end_ms)
            items.sort(key=attrgetter("at_ms"))
            cut = next((i for i, item in enumerate(items) if item.at_ms >= end_ms), len(items))
            later = items[cut:]
            del items[cut:], day
            yield from items
            del items
        for item in later:
            yield item
            last_ms = item.at_ms
        yield Mark(max((self.plan.end_s + AFTER_LAST_DAY_S) * 1000, last_ms), END)

    def _first_results(self) -> None:
        """What the wet chemistry of the rivers had found before the run."""
        before = self.world.day(self.plan.start - dt.timedelta(days=1))
        for device in devices(self.registry, before.date):
            if isinstance(device, SectionDevice):
                self._results[device.source.id] = device.results(before)

    def _of(self, device: Device, day: Day, full: bool, end_ms: int) -> list[Event | Mark]:
        """What one logger does because of a day."""
        if isinstance(device, SectionDevice):
            device.last = self._results.get(device.source.id, {})
            self._results[device.source.id] = device.results(day)
        mine = [each for each in self._deliveries if device.source.id in each.scenario.where]
        said = device.said(day, full)
        sent = [Sent(each.at_ms, each, each.at_ms) for each in said]
        out: list[Event | Mark] = []
        for delivery in mine:
            if isinstance(delivery, Corrected):
                sent = delivery.correct(device.said(delivery.spoilt(device, day, self.plan.start), full), said)
            else:
                sent = delivery.send(device, sent, end_ms)
            out += delivery.marks(device.mn, end_ms - times.DAY_S * 1000, end_ms)
        garbage = [each for each in mine if isinstance(each, Garbage)]
        writing = _Writing(device, self.plan)
        kind = device.source.kind
        if isinstance(device, OutletDevice):
            kind = "outlet" if device.outlet is not None else "meters"
        for each in sent:
            packets = writing.packets(each)
            self.packets[each.said.cn] += len(packets)
            self.sources[kind] += len(packets)
            if each.said.cn == CN_HOUR:
                out += self._junk(garbage, device.mn, each, packets[0].data)
            out += packets
        return out

    def _junk(self, garbage: list[Garbage], mn: str, sent: Sent, data: bytes) -> Iterator[Event]:
        """Bytes that are no packet, sent just before the first packet of an hour."""
        hour = sent.at_ms // (times.HOUR_S * 1000)
        for each in garbage:
            if each.inside(sent.at_ms) and (mn, hour) not in each.done:
                each.done.add((mn, hour))
                for piece in each.junk(data, hour):
                    self.broken += 1
                    yield Event(sent.at_ms, mn, piece, "", False)


class _Writing:
    """Writes down what a logger says, in its dialect."""

    def __init__(self, device: Device, plan: Plan) -> None:
        logger = device.logger
        self.mn = logger.mn
        self.flag = _FLAG_OF_EDITION[logger.edition] | _ANSWER
        self.password = plan.passwords.get(logger.mn, PASSWORD)
        self.key = plan.keys.get(logger.mn) if logger.sm4 else None
        self.crc: hj212.Crc = "modbus" if logger.crc_mode == "modbus" else "hj212"

    def packets(self, sent: Sent) -> list[Event]:
        """The packet, or its parts, a millisecond apart."""
        said = sent.said
        when = f"DataTime={_stamp(said.time_s + sent.ahead_s)}"
        content = ";".join((when, *said.groups))
        tail = f"PW={self.password};MN={self.mn};Flag="
        rf = ";RF=1" if sent.rf else ""
        head = f"ST={said.st};CN={said.cn};{tail}{self.flag}{rf};CP=&&"
        key = self.key if sm4.applies(said.cn) else None
        # 21: QN and its semicolon; 2: the closing &&
        room = MOST_SEGMENT - 21 - len(head) - 2
        if len(content) <= room:
            qn = _qn(sent.qn_ms + 1000 * sent.ahead_s)
            data = hj212.frame(f"QN={qn};{head}{content}&&".encode(), self.crc, key)
            return [Event(sent.at_ms, self.mn, data, qn, True)]
        parts = _parts(when, said.groups, room - len("PNUM=99;PNO=99;") - 1)
        events = []
        for number, part in enumerate(parts):
            qn = _qn(sent.qn_ms + 1000 * sent.ahead_s + number)
            head = (
                f"QN={qn};ST={said.st};CN={said.cn};{tail}{self.flag | _SPLIT};PNUM={len(parts)};PNO={number + 1}{rf}"
                f";CP=&&"
            )
            data = hj212.frame(f"{head}{part}&&".encode(), self.crc, key)
            events.append(Event(sent.at_ms + number, self.mn, data, qn, True))
        return events


def _parts(when: str, groups: tuple[str, ...], room: int) -> list[str]:
    """The groups in order, in contents of at most that length; each says when."""
    parts = [when]
    for group in groups:
        if len(parts[-1]) + 1 + len(group) > room and parts[-1] != when:
            parts.append(when)
        parts[-1] += ";" + group
    return parts


_stamp = functools.lru_cache(maxsize=4096)(times.stamp)


def _qn(at_ms: int) -> str:
    return f"{_stamp(at_ms // 1000)}{at_ms % 1000:03d}"
