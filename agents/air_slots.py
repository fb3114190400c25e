"""Slots of the air agent: what every packet said of every hour of every station, and nothing derived.

Writing a slot twice, or in another order, changes nothing: the later version wins, by QN, then by
``received``, then by the value itself (design §6). Means, counts and verdicts are derived when asked for.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.blocks import NO_FLAG, NO_VALUE, PLACES, UNREADABLE
from schemas.registry import AIR_FACTORS
from standards import fixed

STATE_VERSION = 1
FACTORS = AIR_FACTORS
SIX = len(FACTORS)
FACTOR_INDEX = {factor: i for i, factor in enumerate(FACTORS)}

FUTURE_MS = 10 * 60 * 1000
PAST_MS = 60 * 86_400_000
"""Lateness against the packet's own ``received`` (design §5; air.md §6.3 Q02)."""

MOST_PACKETS = 1_000
"""Packets remembered by name for an hour. A logger that repeats itself more often than this is counted no further;
its readings still compete for the slot."""

_SHIFT = (1000, 100, 10, 1)  # to thousandths, by decimals sent

TIMELY, LATE, FUTURE = "", "late", "future"


class Reading(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """What one packet said of one factor. The order of the fields is the order of versions."""

    judged: bool  # False: from the future or too old; never takes the place of one that is judged
    qn: str
    received: int
    value: int
    places: str
    flag: str

    @property
    def thousandths(self) -> int:
        """The value in thousandths of the published unit, or MISSING.

        Finer digits are cut in the way that any later rounding still sees they were there. What is absurdly large
        stays absurdly large, but inside 64 bits; the law's hard range takes it out.
        """
        if self.places == NO_VALUE:
            return fixed.MISSING
        places = PLACES.index(self.places)
        if places <= 3:
            return min(max(self.value * _SHIFT[places], -fixed.LARGEST), fixed.LARGEST)
        whole, lost = divmod(abs(self.value), int(10 ** (places - 3)))
        if lost and whole % 5 == 0:
            whole += 1
        return -whole if self.value < 0 else whole

    def reason(self, end_s: int) -> str:
        """Why time or flag keep it from being judged, or an empty text; ``end_s`` is the end of its hour."""
        if not self.judged:
            return timeliness(end_s, self.received)
        if self.flag == UNREADABLE:
            return "unreadable"
        if self.places != NO_VALUE and self.flag not in ("N", NO_FLAG):
            return f"flag-{self.flag}"
        return ""


@dataclass(slots=True)
class HourSlot:
    """One hour of one station: the winning reading of each factor, and the packets that spoke of it."""

    readings: list[Reading | None] = field(default_factory=lambda: [None] * SIX)
    packets: list[str] = field(default_factory=list)
    judged: bool = False  # whether a packet spoke of it in time

    def offer(self, factor: int, reading: Reading) -> None:
        """Let a reading compete for its slot."""
        held = self.readings[factor]
        self.judged = self.judged or reading.judged
        if held is None or reading > held:
            self.readings[factor] = reading

    def spoke(self, packet: str) -> bool:
        """Remember a packet; whether it was new."""
        if packet in self.packets or len(self.packets) >= MOST_PACKETS:
            return False
        bisect.insort(self.packets, packet)
        return True


class StationDay:
    """Twenty-four hour slots of a station, and what of them may be judged."""

    __slots__ = ("hours", "judged")

    def __init__(self) -> None:
        self.hours: list[HourSlot | None] = [None] * 24
        #: thousandths, MISSING where absent or invalid; written by the judge after the law's hard checks
        self.judged: npt.NDArray[np.int64] = np.full((24, SIX), fixed.MISSING, np.int64)

    def slot(self, hour: int) -> HourSlot:
        """The slot of an hour, made when it is first spoken of."""
        found = self.hours[hour]
        if found is None:
            found = self.hours[hour] = HourSlot()
        return found

    def row(self) -> bytes:
        """The checkpoint row."""
        return msgspec.json.encode(
            {
                "v": STATE_VERSION,
                "hours": [
                    [h, slot.packets, [[f, r] for f, r in enumerate(slot.readings) if r is not None]]
                    for h, slot in enumerate(self.hours)
                    if slot is not None
                ],
            }
        )

    @classmethod
    def of_row(cls, row: bytes) -> StationDay:
        """Take back a checkpoint row.

        Raises:
            ValueError: a row of another format.
        """
        found = msgspec.json.decode(row, type=_Row)
        if found.v != STATE_VERSION:
            raise ValueError(f"an air state row of format {found.v}, this program reads {STATE_VERSION}")
        day = cls()
        for hour, packets, readings in found.hours:
            slot = day.slot(hour)
            slot.packets = packets
            for factor, reading in readings:
                slot.offer(factor, reading)
        return day


class _Row(msgspec.Struct):
    v: int
    hours: list[tuple[int, list[str], list[tuple[int, Reading]]]]


def timeliness(end_s: int, received_ms: int) -> str:
    """``""``, ``"future"`` or ``"late"``: how a period's end lies to when it was received."""
    if end_s * 1000 > received_ms + FUTURE_MS:
        return FUTURE
    if end_s * 1000 < received_ms - PAST_MS:
        return LATE
    return TIMELY
