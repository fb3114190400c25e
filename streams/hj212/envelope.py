"""Tell by structure alone whether a packet is enciphered, and where it ends, before anybody has a key.

A packet that is merely damaged must not be taken for an enciphered one, or the search for the next packet would
jump over what it hides. So everything that stays plain must be there: a readable header with MN and a command to
which SM4 applies, ``CP=&&`` at its end, the closing ``&&`` exactly where LEN puts it, four hex digits behind it.

On the wire an enciphered content is raw bytes. The norm's own examples print it as ``{0xE4,0x3E,…}``, LEN still that
of the plain segment, and somebody will send what is printed: both are read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from streams.hj212 import sm4

HEADER_LIMIT = 400
"""The longest header looked at; that of the norm has 116 bytes."""

_MN = re.compile(rb"(?:^|[;,\s])[Mm][Nn]\s*=\s*([^;,\s&]+)")
_CN = re.compile(rb"(?:^|[;,\s])CN\s*=\s*(\d{4})(?=[;,\s])")
_FLAG = re.compile(rb"(?:^|[;,\s])Flag\s*=\s*(\d{1,3})(?=[;,\s])", re.IGNORECASE)
_CP = re.compile(rb"CP\s*=\s*&&\Z")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_HIDDEN_HEADER = re.compile(rb"##\d{4}")
_PRINTED_BYTES = re.compile(rb"(?:[{,]0x[0-9A-Fa-f]{2})*+")
PRINTED_BYTE = len("0xE4,")


def mn_of(segment: bytes) -> str:
    """MN in the header of a segment, "" when there is none to be read."""
    at = segment.find(b";MN=", 0, HEADER_LIMIT) + 4
    usual = segment[at : segment.find(b";", at, HEADER_LIMIT)]
    if at > 3 and usual.isalnum():  # asked for every packet: a fifth of the time of the expression
        return usual.decode("latin-1")
    found = _MN.search(segment, 0, HEADER_LIMIT)
    return found[1].decode("latin-1") if found else ""


class Envelope(NamedTuple):
    """What stays readable of a packet whose content may be enciphered.

    Attributes:
        mn: Whose it is.
        says_2025: Flag has the version bits of the edition that knows SM4.
        header: Bytes up to and with ``CP=&&``.
        content: Length of the content.
    """

    mn: str
    says_2025: bool
    header: bytes
    content: int


def envelope(segment: bytes) -> Envelope | None:
    """The envelope of the first LEN bytes of a packet, or None where its content cannot be enciphered."""
    end = segment.find(b"&&", 0, HEADER_LIMIT) + 2
    header = segment[:end]
    content = len(segment) - end - 2
    if content < sm4.BLOCK or not header.isascii() or not _CP.search(header):
        return None
    mn, cn, flag = mn_of(header), _CN.search(header), _FLAG.search(header)
    if not mn or cn is None or not sm4.applies(cn[1].decode()):
        return None
    return Envelope(mn, flag is not None and int(flag[1]) >> 2 == 2, header, content)


def raw_content(segment: bytes, field: bytes, found: Envelope) -> bytes | None:
    """The content as raw bytes where that form fits, ``field`` being the four bytes behind the segment."""
    content = segment[len(found.header) : -2]
    if segment[-2:] != b"&&" or not _HEX4.fullmatch(field) or _HIDDEN_HEADER.search(content):
        return None
    return content


class Printed:
    """Follows a printed content through bytes that are still coming.

    Attributes:
        found: The envelope.
        length: Bytes from the end of ``##LEN`` to the checksum.
    """

    def __init__(self, found: Envelope) -> None:
        self.found = found
        self._whole = sm4.whole_blocks(found.content)
        self._begin = len(found.header)
        self._end = self._begin + self._whole * PRINTED_BYTE  # of the bytes, where "}" is
        self.length = self._end + 1 + (found.content - self._whole) + 2
        self._read_to = self._begin

    def follow(self, data: bytes, begin: int) -> bool | None:
        """Whether the packet whose segment begins at ``begin`` is printed; None when more must come to know."""
        there = _PRINTED_BYTES.match(data, begin + self._read_to, begin + self._end)
        self._read_to = there.end() - begin if there else self._read_to
        if self._read_to < self._end:
            return None if len(data) - begin - self._read_to < PRINTED_BYTE else False
        end = begin + self.length
        if data[begin + self._end : begin + self._end + 1] not in (b"}", b""):
            return False
        if len(data) < end + 4:
            return None
        return data[end - 2 : end] == b"&&" and _HEX4.fullmatch(data, end, end + 4) is not None

    def content(self, data: bytes, begin: int) -> bytes:
        """The bytes that were printed, and the plain tail."""
        printed = data[begin + self._begin : begin + self._end]
        tail = data[begin + self._end + 1 : begin + self.length - 2]
        return bytes.fromhex(printed.replace(b"0x", b"").translate(None, b"{,").decode()) + tail
