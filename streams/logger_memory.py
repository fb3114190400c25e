"""What a logger said: the packets, remembered for a while, and how it says them again.

Said again at the platform's request a packet carries the QN of that request, by itself the mark RF=1 (2025 only;
emission.md §1.7). An enciphered packet whose key is not given is said as it was.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from schemas import times
from streams import hj212


class Outgoing(NamedTuple):
    """A packet to send, and whether it will be answered."""

    qn: str
    data: bytes
    answered: bool


History = Callable[[str, int, int], Iterable[Outgoing]]
"""What a logger has: ``(CN, begin, end)`` to packets of that CN whose period starts in between, both included (epoch
seconds)."""

_QN = re.compile(rb"\AQN=[^;]*;")
_TIMES = re.compile(rb"((?:\A|;)QN=|[;&]DataTime=)(\d{14})")
_FLAG = re.compile(rb";Flag=(\d{1,3})\b")


class Memory:
    """The last packets of a logger. An instance is a :data:`History`."""

    def __init__(self, most: int, device: hj212.Device | None = None) -> None:
        """Remember so many packets at most; ``device`` says how to read them."""
        self._device = device
        self._packets: deque[Outgoing] = deque(maxlen=most)

    def add(self, packet: Outgoing) -> None:
        """Remember a packet."""
        self._packets.append(packet)

    def __call__(self, cn: str, begin_s: int, end_s: int) -> Iterator[Outgoing]:
        """Packets of that CN whose period starts in between, in the order they were said."""
        for packet in self._packets:
            if f"CN={cn};".encode() not in packet.data:
                continue
            frame = _frame(packet.data, self._device)
            if frame is not None and begin_s <= _starts(frame) <= end_s:
                yield packet


def _starts(frame: hj212.Frame) -> int:
    try:
        return times.parse_stamp(hj212.parse(frame).data_time or "")
    except ValueError:  # a packet without DataTime belongs to no range
        return -1


def with_qn(packet: Outgoing, qn: str, device: hj212.Device | None = None) -> Outgoing:
    """The packet as part of what the platform asked for under that QN."""
    data = _reworded(packet.data, lambda segment: b"QN=%b;%b" % (qn.encode(), _QN.sub(b"", segment)), device)
    return packet if data is None else packet._replace(qn=qn, data=data)


def for_backfill(packet: Outgoing, device: hj212.Device | None = None) -> Outgoing | None:
    """The packet as a logger of 2025 sends it later by itself; None when it is of another edition."""
    flag = _FLAG.search(packet.data)
    if flag is None or int(flag[1]) >> 2 != 2:
        return None
    if b";RF=1;" in packet.data:
        return packet
    data = _reworded(packet.data, lambda segment: segment.replace(b";CP=", b";RF=1;CP=", 1), device)
    return packet if data is None else packet._replace(data=data)


def with_hours_off(packet: Outgoing, hours: int, device: hj212.Device | None = None) -> Outgoing:
    """The packet of a logger whose clock is so many hours ahead: QN and DataTime are moved."""

    def moved(found: re.Match[bytes]) -> bytes:
        at = times.parse_stamp(found[2].decode()) + hours * times.HOUR_S
        return found[1] + times.stamp(at).encode()

    data = _reworded(packet.data, lambda segment: _TIMES.sub(moved, segment), device)
    if data is None:
        return packet
    qn = _TIMES.sub(moved, b"QN=" + packet.qn.encode())[3:].decode()
    return packet._replace(qn=qn, data=data)


def _frame(data: bytes, device: hj212.Device | None) -> hj212.Frame | None:
    """The packet in these bytes; None when they are not exactly one that can be read."""
    pieces = hj212.Framer(lambda mn: device).feed(data)
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], hj212.Frame) else None


def _reworded(data: bytes, edit: Callable[[bytes], bytes], device: hj212.Device | None) -> bytes | None:
    """The packet around its edited segment; None when it cannot be read."""
    frame = _frame(data, device)
    if frame is None:
        return None
    key = device.sm4_key if device is not None and frame.sealed else None
    return hj212.frame(edit(frame.segment), frame.crc, key)
