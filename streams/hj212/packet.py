"""Read a segment as the tolerant receiver of emission.md §1.4: what devices send, not what the norm prints.

Nothing a device says is dropped: unknown codes are readings like any other, values stay the texts that were
sent, pieces that are no ``name=value`` are kept in ``unread``.
"""

from __future__ import annotations

import functools
import re

import msgspec

from streams.hj212.framing import Crc, Frame

HEADER_NAMES = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
_HEADER_NAMES = {name.upper(): name for name in HEADER_NAMES}
_FLAGS = {f"{flag:0{width}}": flag for flag in range(256) for width in (1, 2, 3)}
_CP = re.compile(r"[;,\s]*CP\s*=\s*\Z", re.IGNORECASE)
_CODE_SINCE_2017 = re.compile(r"[a-z]\d{5}\Z", re.ASCII)
_CODE_OF_2005 = re.compile(r"(?:\d{2,3}|[BS]\d\d)\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,4}\Z", re.ASCII)
_EDITIONS = {0: "2005", 1: "2017", 2: "2025"}


LONGEST_FIELD = 64
"""Characters of a header field or a factor's name; the longest of the norm has 24."""
_ECHOED = ("QN", "ST", "CN", "PW", "MN")


class PacketError(ValueError):
    """A segment whose checksum fits and that is no HJ 212 packet all the same; the text says why."""


class Packet(msgspec.Struct):
    """What a packet says, as texts.

    Attributes:
        raw: The packet as received, without its line end.
        qn: Request number (Beijing time to the millisecond), "" when the packet has none, as in 2005.
        flag: Flag as a number, None when absent or no number up to 255.
        version: ``2005``, ``2017`` or ``2025`` by the version bits of Flag, else by the style of the codes. A
            hint: devices of 2021 were seen that say 2025.
        answer_wanted: Bit 0 of Flag.
        data_time: DataTime as sent (14 or 17 digits, or anything), None when absent.
        pnum: How many packets this one is a part of, None when absent or no number.
        pno: Which of them it is, from 1, None likewise.
        rf: RF=1, data that are sent later than they were measured (2025).
        crc: Which checksum fitted; it is answered with the same.
        sealed: The content came enciphered.
        readings: Per factor its raw code and ``{suffix: text}``, in the order sent.
        meta: Items without a factor: DataTime, BeginTime, EndTime, SystemTime, QnRtn, ExeRtn, …
        header: Every header field as sent.
        unread: Pieces that are no ``name=value``.
    """

    raw: bytes
    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int | None
    version: str
    answer_wanted: bool
    data_time: str | None
    pnum: int | None
    pno: int | None
    rf: bool
    crc: Crc
    sealed: bool
    readings: list[tuple[str, dict[str, str]]]
    meta: dict[str, str]
    header: dict[str, str]
    unread: list[str]


def parse(frame: Frame) -> Packet:
    """Read a framed packet.

    Raises:
        PacketError: it has no ``CP=&&…&&``, no MN or no CN, or a header field that no device sends.
    """
    segment = _text(frame.segment)
    begin, end = segment.find("&&"), segment.rfind("&&")
    if end < begin + 2:
        raise PacketError("no CP=&&…&& in the segment")
    unread: list[str] = []
    header = _header(segment[:begin], unread)
    if tail := segment[end + 2 :].strip():
        unread.append(tail)
    for name in ("MN", "CN"):
        if not header.get(name):
            raise PacketError(f"no {name} in the header")
    for name in _ECHOED:  # an answer says them again, and must fit into a packet itself
        if len(header.get(name, "")) > LONGEST_FIELD:
            raise PacketError(f"{name} of {len(header[name])} characters, at most {LONGEST_FIELD} are read")
    readings, meta = _content(segment[begin + 2 : end], unread)
    flag = _FLAGS.get(header.get("Flag", ""))
    return Packet(
        raw=frame.raw,
        qn=header.get("QN", ""),
        st=header.get("ST", ""),
        cn=header["CN"],
        pw=header.get("PW", ""),
        mn=header["MN"],
        flag=flag,
        version=_version(flag, readings),
        answer_wanted=flag is not None and flag & 1 == 1,
        data_time=meta.get("DataTime"),
        pnum=_number(header["PNUM"]) if "PNUM" in header else None,
        pno=_number(header["PNO"]) if "PNO" in header else None,
        rf=header.get("RF") == "1",
        crc=frame.crc,
        sealed=frame.sealed,
        readings=readings,
        meta=meta,
        header=header,
        unread=unread,
    )


def _text(segment: bytes) -> str:
    """Text of a segment: UTF-8 by the standard, GBK by older devices, else byte for byte."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return segment.decode(encoding)
        except UnicodeDecodeError:
            continue
    return segment.decode("latin-1")


def _number(digits: str) -> int | None:
    return int(digits) if _NUMBER.match(digits) else None


def _header(text: str, unread: list[str]) -> dict[str, str]:
    """Header fields. Seen: ``QN=..,ST=..``, ``PW=123456;,MN=``, ``Flag=5CP=``, ``FLAG=0``, blanks."""
    header: dict[str, str] = {}
    text = text[:-4] if text.endswith(";CP=") else _CP.sub("", text)
    for item in text.replace(",", ";").split(";"):
        name, equals, value = item.partition("=")
        if equals:
            header[_header_name(name) if len(name) <= LONGEST_FIELD else name] = value.strip()
        elif name := name.strip():
            unread.append(name)
    return header


@functools.lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    name = name.strip()
    return _HEADER_NAMES.get(name.upper(), name)


def _content(text: str, unread: list[str]) -> tuple[list[tuple[str, dict[str, str]]], dict[str, str]]:
    """Readings and other items of the data part.

    Items of one code belong together wherever they stand (some devices write ``;`` between all of them),
    until a suffix comes a second time: that is a second reading of the same factor.
    """
    readings: list[tuple[str, dict[str, str]]] = []
    open_readings: dict[str, dict[str, str]] = {}
    meta: dict[str, str] = {}
    blanks = text.split(None, 1) != [text]  # hardly ever, and asking once is cheaper than stripping every value
    for item in text.replace(",", ";").split(";"):
        name, equals, value = item.partition("=")
        if blanks:
            value = value.strip()
        if not equals:
            if name := name.strip():
                unread.append(name)
            continue
        # what is remembered must be short: strangers send names of ten thousand letters
        code, suffix = (_code_and_suffix if len(name) <= LONGEST_FIELD else _split_name)(name)
        if code is None:
            meta[suffix] = value
            continue
        values = open_readings.get(code)
        if values is None or suffix in values:
            values = open_readings[code] = {}
            readings.append((code, values))
        values[suffix] = value
    return readings, meta


def _split_name(name: str) -> tuple[str | None, str]:
    """``("a21026", "Rtd")`` of ``a21026-Rtd``; None where there is no code."""
    code, dash, suffix = name.strip().rpartition("-")
    return (code, suffix) if dash else (None, suffix)


_code_and_suffix = functools.lru_cache(maxsize=20_000)(_split_name)


def _version(flag: int | None, readings: list[tuple[str, dict[str, str]]]) -> str:
    if flag is not None:
        return _EDITIONS.get(flag >> 2, "2025")
    # a logger of 2005 sends what came later, NMHC for one, by its new code among old ones
    old, new = (any(style.match(code) for code, _ in readings) for style in (_CODE_OF_2005, _CODE_SINCE_2017))
    return "2017" if new and not old else "2005"
