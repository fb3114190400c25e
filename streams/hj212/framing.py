"""Cut a stream of bytes into HJ 212 packets, and find the next packet after anything that is none.

TCP gives no packet borders, devices glue packets, pad them, miscount LEN. The rules that gave the right
verdict for every packet of the corpus (emission.md §1.2):

1. A packet begins with ``##`` and four digits; anything else is skipped, ``##`` included.
2. LEN counts bytes. Where that checksum fails and the segment is not ASCII, LEN is tried as the number of
   characters, in UTF-8 or else GBK, because peers differ.
3. Where no checksum fits, only the two bytes ``##`` are given up, so a wrong LEN cannot swallow the good
   packet behind it.

What comes out depends on the bytes alone, never on how they were cut into chunks. No clock is read here:
who owns the connection calls :meth:`Framer.flush` when it has been silent for long or is closed.
"""

from __future__ import annotations

import codecs
import re

import msgspec

from streams.hj212.crc import crc_text

LEN_LIMIT = 9999
"""The largest LEN that four digits can say. The standard says 1024; a public packet has 1045."""
JUNK_LIMIT = 8192
"""Rejected bytes come out in pieces of at most this, so that junk without a line end stays bounded."""

WIDE_TRIES = 64
"""Failed readings of LEN as characters before the next good packet. Each costs a millisecond, and junk made of
headers and Chinese bytes would otherwise hold the gateway for a minute per 300 kB (measured)."""

NO_HEADER = "header: no ## and length"

_LINE_END = b"\r\n"
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_UTF8_CONTINUATION = bytes(range(0x80, 0xC0))
_GBK_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
_WAIT = -1
_NONE = -2


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A packet whose checksum fits. ``raw`` runs from ``##`` to the checksum, without the line end.

    ``length_in`` is ``bytes``, or the encoding whose characters the sender counted.
    """

    raw: bytes
    segment: bytes
    length_in: str = "bytes"


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no packet, without line ends around them, and why."""

    raw: bytes
    reason: str


class Framer:
    """The bytes of one connection. Never raises; keeps less than 60 kB whatever it is fed.

    Attributes:
        handled: Count of bytes fed that are no longer buffered: they came out in a :class:`Frame` or a
            :class:`Rejected`, or were line ends between packets.
    """

    def __init__(self) -> None:
        """Begin with the first byte of a connection."""
        self.handled = 0
        self._buffer = bytearray()
        self._junk = 0  # the first bytes of the buffer that are known to belong to no packet
        self._reason = NO_HEADER
        self._need = 0  # nothing can be decided before the buffer holds as many bytes
        self._closing = False
        self._wide_tries = WIDE_TRIES

    @property
    def buffered(self) -> int:
        """Count of bytes fed that are not handled."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame | Rejected]:
        """Take the next bytes of the connection and give what they complete, in order."""
        self._buffer += chunk
        if len(self._buffer) < self._need:
            return []
        out: list[Frame | Rejected] = []
        self._scan(bytes(self._buffer), out)
        return out

    def flush(self) -> list[Frame | Rejected]:
        """Nothing more will come: give what is left, packets hidden behind a wrong LEN included.

        The framer may be fed again afterwards.
        """
        out: list[Frame | Rejected] = []
        self._closing = True
        self._scan(bytes(self._buffer), out)
        self._closing = False
        return out

    def _scan(self, data: bytes, out: list[Frame | Rejected]) -> None:
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
            end, reading = self._segment_end(data, at)
            if end == _WAIT:
                break
            if end == _NONE:
                start = self._give_junk(data, start, at, out, last=False)
                if self._reason == NO_HEADER:  # of several mistakes in one piece the first is told
                    self._reason = reading
                # In "###0123" the packet begins at the second "#": two bytes at once would lose it.
                at += 1 if data[at + 2 : at + 3] == b"#" else 2
                continue
            self._give_junk(data, start, at, out, last=True)
            out.append(Frame(data[at : end + 4], data[at + 6 : end], reading))
            self._wide_tries = WIDE_TRIES
            start = at = end + 4
        start = self._give_junk(data, start, at, out, last=self._closing)
        self.handled += start
        del self._buffer[:start]
        self._junk = at - start
        self._need -= start

    def _segment_end(self, data: bytes, at: int) -> tuple[int, str]:
        """End of the segment of the header at ``at``, and the reading of LEN whose checksum fits.

        Or ``_WAIT``, having noted how many bytes are needed; or ``_NONE`` and why.
        """
        digits = data[at + 2 : at + 6]
        if len(digits) < 4 and not self._closing:
            return self._wait(at + 6)
        if len(digits) < 4 or not digits.isdigit():
            return _NONE, f"length: {digits.decode('latin-1')!r} is not four digits"
        begin, length = at + 6, int(digits)
        end = begin + length
        if len(data) < end + 4:
            if not self._closing:
                return self._wait(end + 4)
            return _NONE, f"cut off: LEN is {length}, {max(0, len(data) - begin)} bytes came"
        if _fits(data, begin, end):
            return end, "bytes"
        if self._wide_tries and not data[begin:end].isascii():
            reading, count = ("utf-8", _utf8_end) if _may_be_utf8(data[begin:end]) else ("gbk", _gbk_end)
            wide = count(data, begin, length)
            # A text holds no line end before a header: never wait for what belongs to the next packet.
            if data.find(b"\n##", end, wide + 4) < 0:
                if len(data) < wide + 4 and not self._closing:
                    return self._wait(len(data) + 1)
                if _fits(data, begin, wide):
                    return wide, reading
            self._wide_tries -= 1
        got = data[end : end + 4].decode("latin-1")
        return _NONE, f"crc: {got!r}, computed {crc_text(data[begin:end]).decode()} over {length} bytes"

    def _wait(self, need: int) -> tuple[int, str]:
        self._need = need
        return _WAIT, ""

    def _give_junk(self, data: bytes, start: int, end: int, out: list[Frame | Rejected], last: bool) -> int:
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


def _fits(data: bytes, begin: int, end: int) -> bool:
    # Looking for hex digits first makes most wrong readings cheap.
    got = data[end : end + 4]
    return _HEX.fullmatch(got) is not None and crc_text(data[begin:end]) == got.upper()


def _may_be_utf8(data: bytes) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", False)  # False: a last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def _utf8_end(data: bytes, begin: int, characters: int) -> int:
    """End of that many characters; beyond the data when they are not all there yet."""
    end = begin + characters
    while end <= len(data):
        missing = characters - len(data[begin:end].translate(None, _UTF8_CONTINUATION))
        if missing == 0:
            while 0x80 <= (data[end] if end < len(data) else 0) < 0xC0:
                end += 1
            return end
        end += missing
    return end


def _gbk_end(data: bytes, begin: int, characters: int) -> int:
    end = begin + characters
    while end <= len(data):
        pairs = len(_GBK_PAIR.findall(data[begin:end]))
        missing = characters - (end - begin - pairs)
        if missing <= 0:
            return end
        end += missing
    return end
