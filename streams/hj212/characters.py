"""Find the end of a segment whose sender counted LEN in characters: UTF-8, or GBK of older devices."""

from __future__ import annotations

import codecs
import re

_UTF8_CONTINUATION = bytes(range(0x80, 0xC0))
_GBK_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
_GBK_WHOLE = re.compile(rb"(?:[^\x81-\xfe]++|(?:[\x81-\xfe][\x40-\xfe])++)*+")


class Characters:
    """Counts the characters of a segment through bytes that are still coming, each byte once.

    Attributes:
        encoding: ``utf-8`` or ``gbk``, by the first bytes.
        reached: Bytes of the segment counted so far; it ends here or later.
    """

    def __init__(self, segment: bytes) -> None:
        """``segment`` is what LEN would be in bytes; as many characters are looked for."""
        self.encoding = "utf-8" if _may_be_utf8(segment) else "gbk"
        self.reached = 0
        self._missing = len(segment)

    def end(self, data: bytes, begin: int) -> int | None:
        """Where the segment that begins at ``begin`` ends; None when more must come to know."""
        while self._missing and begin + self.reached < len(data):
            at = begin + self.reached
            size, count = (_utf8 if self.encoding == "utf-8" else _gbk)(data, at, self._missing)
            if size == 0:
                return None
            self.reached += size
            self._missing -= count
        if self._missing:
            return None
        if self.encoding == "utf-8":
            while 0x80 <= (data[begin + self.reached] if begin + self.reached < len(data) else 0) < 0xC0:
                self.reached += 1
        return begin + self.reached


def _utf8(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Of the next bytes: how many, and how many characters begin in them."""
    chunk = data[at : at + most]
    return len(chunk), len(chunk.translate(None, _UTF8_CONTINUATION))


def _gbk(data: bytes, at: int, most: int) -> tuple[int, int]:
    """The same; 0 bytes where a character's second byte is still to come."""
    whole = _GBK_WHOLE.match(data, at, at + most)
    end = whole.end() if whole else at
    if end > at:
        return end - at, end - at - len(_GBK_PAIR.findall(data, at, end))
    if at + 1 == len(data):
        return 0, 0
    return (2, 1) if _GBK_PAIR.match(data, at) else (1, 1)


def _may_be_utf8(data: bytes) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", False)  # False: a last character may be cut
    except UnicodeDecodeError:
        return False
    return True
