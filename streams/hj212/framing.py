"""Cut a stream of bytes into HJ 212 packets, and find the next packet after anything that is none.

TCP gives no packet borders, devices glue packets, pad them, miscount LEN. The rules that gave the right
verdict for every packet of the corpus (emission.md §1.2):

1. A packet begins with ``##`` and four digits; anything else is skipped, ``##`` included.
2. LEN counts bytes. Where that checksum fits, it is a packet.
3. Where its structure says that it is enciphered (:mod:`streams.hj212.envelope`), the device's key decides; without
   the key it comes out as :class:`Sealed`, evidence whose borders are known and whose content is not.
4. Where the segment is not ASCII, LEN is tried as the number of characters, because peers differ.
5. Where no checksum fits, only the two bytes ``##`` are given up, so a wrong LEN cannot swallow the good
   packet behind it.

What comes out depends on the bytes alone, never on how they were cut into chunks. No clock is read here:
who owns the connection calls :meth:`Framer.flush` when it has been silent for long or is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from streams.hj212 import sm4
from streams.hj212.characters import Characters
from streams.hj212.crc import crc_fits, crc_text, modbus_text
from streams.hj212.envelope import Printed, envelope, mn_of, raw_content

LEN_LIMIT = 9999
"""The largest LEN that four digits can say. The standard says 1024; a public packet has 1045."""
JUNK_LIMIT = 8192
"""Rejected bytes come out in pieces of at most this, so that junk without a line end stays bounded."""

WORK_PER_BYTE = 8
"""Bytes that failed second readings may go over for each byte of input, and"""
WORK_LIMIT = 16 * LEN_LIMIT
"""how many they may be ahead. Junk made of nested headers would otherwise hold the gateway for a minute per 300 kB
(measured); a device whose packets fail now and then never comes near."""

NO_HEADER = "header: no ## and length"

_LINE_END = b"\r\n"

CrcMode = Literal["hj212", "modbus", "either"]
Crc = Literal["hj212", "modbus"]


class Device(msgspec.Struct, frozen=True):
    """What must be known of a device to read its packets: which checksum it computes, and its SM4 key.

    Raises:
        ValueError: the key is not of 16 bytes.
    """

    crc_mode: CrcMode = "hj212"
    sm4_key: bytes | None = None

    def __post_init__(self) -> None:
        if self.sm4_key is not None and len(self.sm4_key) != sm4.KEY_BYTES:
            raise ValueError(f"an SM4 key has {sm4.KEY_BYTES} bytes, this one {len(self.sm4_key)}")


_USUAL = Device()


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A packet whose checksum fits, from ``##`` to the checksum, without the line end.

    Attributes:
        raw: The packet as received.
        segment: What LEN counts; deciphered where the packet was ``sealed``.
        length_in: ``bytes``, or the encoding whose characters the sender counted.
        crc: Which checksum it was.
        sealed: The content came enciphered.
    """

    raw: bytes
    segment: bytes
    length_in: str = "bytes"
    crc: Crc = "hj212"
    sealed: bool = False


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no packet, without line ends around them, and why."""

    raw: bytes
    reason: str


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """An enciphered packet of the device ``mn`` that could not be opened, and why: evidence until there is a key."""

    raw: bytes
    mn: str
    reason: str


Piece = Frame | Rejected | Sealed


class Framer:
    """The bytes of one connection. Never raises; keeps less than 60 kB whatever it is fed.

    Attributes:
        handled: Count of bytes fed that are no longer buffered: they came out in a piece, or were line
            ends between packets.
    """

    def __init__(self, device: Callable[[str], Device | None] | None = None) -> None:
        """Begin with the first byte of a connection.

        Args:
            device: What is known of the device of an MN; None of one that computes HJ 212 checksums and has no key.
        """
        self.handled = 0
        self._device = device
        self._buffer = bytearray()
        self._junk = 0  # the first bytes of the buffer that are known to belong to no packet
        self._reason = NO_HEADER
        self._need = 0  # nothing can be decided before the buffer holds as many bytes
        self._closing = False
        self._pending: Characters | Printed | None = None  # of the header that is waited for
        self._work = 0  # see WORK_PER_BYTE
        self._worked_at = 0

    @property
    def buffered(self) -> int:
        """Count of bytes fed that are not handled."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the connection and give what they complete, in order."""
        if self._buffer:
            self._buffer += chunk
            if len(self._buffer) < self._need:
                return []
            chunk = bytes(self._buffer)
        return self._scan(chunk)

    def flush(self) -> list[Piece]:
        """Nothing more will come: give what is left, packets hidden behind a wrong LEN included.

        The framer may be fed again afterwards.
        """
        self._closing = True
        out = self._scan(bytes(self._buffer))
        self._closing = False
        return out

    def _scan(self, data: bytes) -> list[Piece]:
        out: list[Piece] = []
        start = 0  # of the piece of junk that ends at ``at``
        at = self._junk
        self._need = 0
        while True:
            begin = data.find(b"##", at)
            if begin < 0:
                # a last "#" may be the first half of the next header
                at = len(data) - (not self._closing and len(data) > at and data.endswith(b"#"))
                break
            at = begin
            found = self._packet(data, at)
            if found is None:
                break
            self._pending = None
            if isinstance(found, str):
                start = self._give_junk(data, start, at, out, last=False)
                if self._reason == NO_HEADER:  # of several mistakes in one piece the first is told
                    self._reason = found
                # In "###0123" the packet begins at the second "#": two bytes at once would lose it.
                at += 1 if data[at + 2 : at + 3] == b"#" else 2
                continue
            if start < at:
                self._give_junk(data, start, at, out, last=True)
            out.append(found)
            at += len(found.raw)
            start = at = at + 2 if data.startswith(_LINE_END, at) else at
        start = self._give_junk(data, start, at, out, last=self._closing)
        self.handled += start
        self._buffer = bytearray(data[start:])
        self._junk = at - start
        self._need -= start
        return out

    def _packet(self, data: bytes, at: int) -> Frame | Sealed | str | None:
        """What begins with the ``##`` at ``at``: a packet, why it is none, or None until more bytes come.

        Before None, how many bytes are needed has been noted.
        """
        begin = at + 6
        digits = data[at + 2 : begin]
        if len(digits) < 4 and not self._closing:
            self._need = begin
            return None
        if len(digits) < 4 or not digits.isdigit():
            return f"length: {digits.decode('latin-1')!r} is not four digits"
        if isinstance(self._pending, Characters):
            return self._by_characters(data, at, self._pending)
        end = begin + int(digits)
        if len(data) < end + 4:
            if not self._closing:
                self._need = end + 4
                return None
            return f"cut off: LEN is {int(digits)}, {max(0, len(data) - begin)} bytes came"
        segment, field = data[begin:end], data[end : end + 4]
        device = (self._device and self._device(mn_of(segment))) or _USUAL
        fits = device.crc_mode != "modbus" and crc_fits(segment, field)
        if fits and segment.isascii():
            return Frame(data[at : end + 4], segment)
        return self._second_reading(data, at, segment, field, device, fits)

    def _second_reading(
        self, data: bytes, at: int, segment: bytes, field: bytes, device: Device, fits: bool
    ) -> Frame | Sealed | str | None:
        """What the packet at ``at`` is that is not plain ASCII with a checksum of HJ 212 over LEN bytes."""
        raw = data[at : at + 10 + len(segment)]
        if not fits and not self._may_work(at):
            return f"crc: {field.decode('latin-1')!r} does not fit"
        # One sum in 256 fits a cipher's noise: what is not ASCII may be enciphered all the same.
        sealed = self._sealed(data, at, segment, field, device)
        if sealed != "":
            return sealed
        if fits:
            return Frame(raw, segment)
        if device.crc_mode != "hj212" and modbus_text(segment) == field.upper():
            return Frame(raw, segment, crc="modbus")
        if not segment.isascii():
            return self._by_characters(data, at, Characters(segment))
        return self._refuse(segment, field)

    def _sealed(
        self, data: bytes, at: int, segment: bytes, field: bytes, device: Device
    ) -> Frame | Sealed | Literal[""] | None:
        """The packet at ``at`` as an enciphered one; "" when it is none."""
        found = envelope(segment)
        if found is None:
            return ""
        begin = at + 6
        if segment.startswith(b"{0x", len(found.header)):
            printed = self._pending if isinstance(self._pending, Printed) else Printed(found)
            whole = printed.follow(data, begin)
            if whole is None and not self._closing:
                self._pending = printed
                self._need = len(data) + 1
                return None
            if not whole:
                return ""
            content, end, noise = printed.content(data, begin), begin + printed.length, True
        else:
            raw = raw_content(segment, field, found)
            if raw is None:
                return ""
            content, end = raw, begin + len(segment)
            noise = found.says_2025 and not sm4.is_text(content)
        reason = f"there is no key of {found.mn}"
        if device.sm4_key is not None:
            plain = sm4.decipher(content, device.sm4_key)
            opened = found.header + plain + b"&&"
            crc = _which(opened, data[end : end + 4], device.crc_mode)
            # Of wrong keys one in 256 makes a sum that fits; none makes a text.
            if crc is not None and sm4.is_text(plain):
                return Frame(data[at : end + 4], opened, crc=crc, sealed=True)
            reason = f"the key of {found.mn} does not open it"
        return Sealed(data[at : end + 4], found.mn, f"sealed: {reason}") if noise else ""

    def _by_characters(self, data: bytes, at: int, counter: Characters) -> Frame | str | None:
        """The packet at ``at`` where LEN counts characters."""
        begin = at + 6
        length = int(data[at + 2 : begin])
        end = counter.end(data, begin)
        # A text holds no line end before a header: never wait for what belongs to the next packet.
        if data.find(b"\n##", begin + length, begin + counter.reached + 4) < 0:
            if (end is None or len(data) < end + 4) and not self._closing:
                self._pending = counter
                self._need = len(data) + 1
                return None
            if end is not None:
                segment = data[begin:end]
                device = (self._device and self._device(mn_of(segment))) or _USUAL
                crc = _which(segment, data[end : end + 4], device.crc_mode)
                if crc is not None:
                    return Frame(data[at : end + 4], segment, counter.encoding, crc)
        return self._refuse(data[begin : begin + length], data[begin + length : begin + length + 4])

    def _refuse(self, segment: bytes, field: bytes) -> str:
        self._work += len(segment)
        told, computed = field.upper(), crc_text(segment)
        hint = f"computed {computed.decode()} over {len(segment)} bytes"
        if told == computed:
            hint = "it is that of HJ 212 and crc_mode of this device is modbus"
        elif told == modbus_text(segment):
            hint += ", it is that of Modbus: set crc_mode of this device"
        return f"crc: {field.decode('latin-1')!r}, {hint}"

    def _may_work(self, at: int) -> bool:
        """Whether failed second readings have gone over so little that another is affordable.

        Only the place in the stream counts, so that chunks do not matter.
        """
        place = self.handled + at
        self._work = max(0, self._work - WORK_PER_BYTE * (place - self._worked_at))
        self._worked_at = place
        return self._work < WORK_LIMIT

    def _give_junk(self, data: bytes, start: int, end: int, out: list[Piece], last: bool) -> int:
        """Give the finished pieces of ``data[start:end]`` and say where the unfinished one begins.

        A piece ends with its line, at JUNK_LIMIT, or (``last``) where a packet or nothing follows.
        """
        while start < end:
            if data[start] in _LINE_END:
                start += 1
                continue
            newline = data.find(b"\n", start, min(end, start + JUNK_LIMIT))
            if newline >= 0:
                stop = newline + 1
            elif end - start >= JUNK_LIMIT:
                stop = start + JUNK_LIMIT
            elif last:
                stop = end
            else:
                break
            out.append(Rejected(data[start:stop].rstrip(_LINE_END), self._reason))
            self._reason = NO_HEADER
            start = stop
        return start


def _which(segment: bytes, field: bytes, mode: CrcMode) -> Crc | None:
    """Which of the allowed checksums of the segment the field is."""
    if mode != "modbus" and crc_fits(segment, field):
        return "hj212"
    return "modbus" if mode != "hj212" and modbus_text(segment) == field.upper() else None
