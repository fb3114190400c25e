"""What scenarios do to how packets are sent: when, how often, in which order, with which clock; and what is no packet.

One object per scenario and run. Windows are of the instant at which a packet is made; what is sent later than the day
it was made on is carried over by the timeline.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.hj212_codes import CN_DAY, CN_HOUR, CN_MINUTE
from streams import hj212
from streams.simulator.chance import Chance
from streams.simulator.devices import Device, Said
from streams.simulator.events import CUT, Mark
from streams.simulator.world import MINUTES, Day

if TYPE_CHECKING:
    from streams.simulator.scenarios import Scenario

RECONNECTS_AFTER_S: Final = 20
BACKFILL_EVERY_MS: Final = 200
"""Between two packets of a backfill, which shares its line with what is measured now."""
AGAIN_AFTER_S: Final = 5
BACKFILLED: Final = (CN_MINUTE, CN_HOUR, CN_DAY)
"""What a logger keeps; instants that were not sent are lost."""
EDITION_WITH_RF: Final = 2025


class Sent(NamedTuple):
    """A packet as it is sent.

    Attributes:
        at_ms: when.
        said: what.
        qn_ms: the instant its QN names.
        rf: backfilled, with RF=1.
        ahead_s: how far the logger's clock is ahead.
    """

    at_ms: int
    said: Said
    qn_ms: int
    rf: bool = False
    ahead_s: int = 0


class Delivery:
    """How the packets of some sources are sent while a scenario lasts; by itself, as they are made."""

    def __init__(self, scenario: Scenario, start_s: int, seed: int) -> None:
        """Begin a run that starts then (epoch seconds)."""
        self.scenario = scenario
        self.begin_ms = (start_s + 60 * scenario.start_min) * 1000
        self.end_ms = (start_s + 60 * scenario.end_min) * 1000
        self.chance = Chance(seed)

    def inside(self, at_ms: int) -> bool:
        """Whether an instant is in the window."""
        return self.begin_ms <= at_ms < self.end_ms

    def send(self, device: Device, sent: list[Sent], day_end_ms: int) -> list[Sent]:
        """What becomes of a device's packets of one day."""
        return [out for each in sent for out in (self.one(each) if self.inside(each.said.at_ms) else (each,))]

    def one(self, sent: Sent) -> tuple[Sent, ...]:
        """What becomes of a packet in the window."""
        return (sent,)

    def marks(self, mn: str, day_start_ms: int, day_end_ms: int) -> Iterator[Mark]:
        """What is done to the connection on a day."""
        return iter(())


class Silent(Delivery):
    """Nothing, without goodbye; then a new connection and what was kept: 2025 newest first with RF=1, else in order."""

    def __init__(self, scenario: Scenario, start_s: int, seed: int) -> None:
        super().__init__(scenario, start_s, seed)
        self.kept: dict[str, list[Said]] = {}

    def send(self, device: Device, sent: list[Sent], day_end_ms: int) -> list[Sent]:
        """Keep what is made in the window, and send it afterwards."""
        kept = self.kept.setdefault(device.mn, [])
        out = []
        for each in sent:
            if not self.inside(each.said.at_ms):
                out.append(each)
            elif each.said.cn in BACKFILLED:
                kept.append(each.said)
        if self.end_ms <= day_end_ms and kept:
            newest_first = device.logger.edition >= EDITION_WITH_RF
            at_ms = self.end_ms + RECONNECTS_AFTER_S * 1000 + device.own_s * 10
            for said in sorted(kept, key=lambda s: (s.at_ms, s.st), reverse=newest_first):
                out.append(Sent(at_ms, said, at_ms, rf=newest_first))
                at_ms += BACKFILL_EVERY_MS
            kept.clear()
        return out

    def marks(self, mn: str, day_start_ms: int, day_end_ms: int) -> Iterator[Mark]:
        """The power goes when the window begins."""
        if day_start_ms <= self.begin_ms < day_end_ms:
            yield Mark(self.begin_ms, CUT, mn)


class Late(Delivery):
    """A line that holds packets back."""

    def one(self, sent: Sent) -> tuple[Sent, ...]:
        """The same packet, later."""
        by_ms = round(self.scenario.seconds("by") * self.scenario.strength * 1000)
        return (sent._replace(at_ms=sent.at_ms + by_ms),)


class Duplicated(Delivery):
    """Packets that come again: the same bytes, then the same content under a new QN, and so on."""

    def one(self, sent: Sent) -> tuple[Sent, ...]:
        """The packet and its copies."""
        copies = []
        for nth in range(1, int(self.scenario.strength) + 1):
            at_ms = sent.at_ms + nth * AGAIN_AFTER_S * 1000
            copies.append(sent._replace(at_ms=at_ms, qn_ms=sent.qn_ms if nth % 2 else at_ms + 7))
        return (sent, *copies)


class Shuffled(Delivery):
    """Packets of a while that come in another order, at the end of that while."""

    def send(self, device: Device, sent: list[Sent], day_end_ms: int) -> list[Sent]:
        """The same packets with the instants of others."""
        within_ms = round(self.scenario.seconds("within") * 1000)
        out = [each for each in sent if not self.inside(each.at_ms)]
        blocks: dict[int, list[Sent]] = {}
        for each in sorted(each for each in sent if self.inside(each.at_ms)):
            blocks.setdefault((each.at_ms - self.begin_ms) // within_ms, []).append(each)
        for nth, block in blocks.items():
            last_ms = min(self.begin_ms + (nth + 1) * within_ms, self.end_ms) - 1
            drawn = self.chance.uniform(f"{self.scenario.name}/{device.mn}/{nth}", range(len(block)))
            order = sorted(range(len(block)), key=lambda i: drawn[i])
            out += [block[i]._replace(at_ms=last_ms - (len(block) - k) * 10) for k, i in enumerate(order)]
        return out


class Corrected(Delivery):
    """Values of a while that were wrong at first: instants, minutes, hours; the hours are said again, right."""

    def spoilt(self, device: Device, day: Day, run_start: dt.date) -> Day:
        """The day as the instrument saw it at first: one factor of the device times the strength."""
        first = (day.date - run_start).days * MINUTES
        low, high = (min(max(m - first, 0), MINUTES) for m in (self.scenario.start_min, self.scenario.end_min))
        name = "outlets" if device.source.kind == "emission" else device.source.kind
        arrays = dict(getattr(day, name))
        mine = arrays[device.source.id] = dict(arrays[device.source.id])
        factor = self.scenario.text("factor")
        values = mine[factor] = mine[factor].copy()
        per = MINUTES // len(values)
        values[low // per : high // per] *= float(self.scenario.strength)
        again = tuple(self.spoilt(device, each, run_start) for each in day.again)
        changed: dict[str, Any] = {name: arrays, "again": again}
        return dataclasses.replace(day, **changed)

    def correct(self, wrong: list[Said], right: list[Said]) -> list[Sent]:
        """Wrong packets for the periods of the window, each hour's right one afterwards."""
        out = []
        after_ms = round(self.scenario.seconds("after") * 1000)
        for first, second in zip(wrong, right, strict=True):
            if not self.inside(first.time_s * 1000) or first.cn == CN_DAY:
                out.append(Sent(second.at_ms, second, second.at_ms))
                continue
            out.append(Sent(first.at_ms, first, first.at_ms))
            if first.cn == CN_HOUR and first.groups != second.groups:
                at_ms = first.at_ms + after_ms
                out.append(Sent(at_ms, second, at_ms))
        return out


class ClockOff(Delivery):
    """A logger whose clock is wrong: QN and DataTime are, not the moment of sending."""

    def one(self, sent: Sent) -> tuple[Sent, ...]:
        """The same content at another time."""
        return (sent._replace(ahead_s=round(self.scenario.seconds("by") * self.scenario.strength)),)


JUNK: Final = (
    "crc", "length", "cut_off", "header", "noise", "no_mn", "no_cp", "data_time", "number",
)  # fmt: skip
"""Kinds of bytes that are no usable packet, in the order in which they are sent."""


class Garbage(Delivery):
    """Broken packets of every kind before the first hour packet of every hour, as often as the strength says."""

    def __init__(self, scenario: Scenario, start_s: int, seed: int) -> None:
        super().__init__(scenario, start_s, seed)
        self.done: set[tuple[str, int]] = set()
        """Loggers and hours that have had theirs."""

    def junk(self, data: bytes, nth: int) -> list[bytes]:
        """Each kind, made of the good packet that follows."""
        seed = zlib.crc32(data) + nth
        return [make(data, seed + again) for again in range(int(self.scenario.strength)) for make in _MAKERS]


def _segment(data: bytes) -> bytes:
    return data[6:-6]


def _wrong_crc(data: bytes, seed: int) -> bytes:
    good = int(data[-6:-2], 16)
    return data[:-6] + b"%04X" % (good ^ (1 + seed % 0xFFFF)) + b"\r\n"


def _wrong_length(data: bytes, seed: int) -> bytes:
    return b"##%04d" % (len(data) - 12 + 3 + seed % 7) + data[6:]


def _cut_off(data: bytes, seed: int) -> bytes:
    return data[: len(data) // 2 + seed % 20]


def _no_header(data: bytes, seed: int) -> bytes:
    return b"+CSQ: %d,99\r\n" % (seed % 32)


def _noise(data: bytes, seed: int) -> bytes:
    numbers = Chance(seed).uniform("noise", range(48))
    return bytes(int(n * 256) for n in numbers).replace(b"##", b"#!").replace(b"\n", b".") + b"\r\n"


def _no_mn(data: bytes, seed: int) -> bytes:
    head, _, rest = _segment(data).partition(b";MN=")
    return hj212.frame(head + rest[rest.find(b";") :])


def _no_cp(data: bytes, seed: int) -> bytes:
    return hj212.frame(_segment(data).replace(b"&&", b"&"))


def _bad_time(data: bytes, seed: int) -> bytes:
    segment = _segment(data)
    at = segment.find(b"DataTime=") + 9
    return hj212.frame(segment[:at] + b"%04d1332250000" % (2000 + seed % 100) + segment[at + 14 :])


def _bad_number(data: bytes, seed: int) -> bytes:
    segment = b"QN=%b000%b" % (data[9:23], _segment(data)[20:])  # older than the good one, which therefore counts
    at = segment.find(b"-Avg=") + 5
    end = segment.find(b",", at)
    return hj212.frame(segment[:at] + b"--.-" + segment[end:])


_MAKERS: Final[tuple[Callable[[bytes, int], bytes], ...]] = (
    _wrong_crc, _wrong_length, _cut_off, _no_header, _noise, _no_mn, _no_cp, _bad_time, _bad_number,
)  # fmt: skip
assert len(_MAKERS) == len(JUNK)

DELIVERIES: Final[dict[str, type[Delivery]]] = {
    "silent": Silent,
    "late": Late,
    "duplicated": Duplicated,
    "shuffled": Shuffled,
    "corrected": Corrected,
    "clock_off": ClockOff,
    "garbage": Garbage,
}
