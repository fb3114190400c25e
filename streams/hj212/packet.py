"""Read a segment as the tolerant receiver of emission.md §1.4: what devices send, not what the norm prints.

Nothing a device says is dropped: unknown codes are readings like any other, values stay the texts that were
sent, pieces that are no ``name=value`` are kept in ``unread``.
"""

from __future__ import annotations

import re

import msgspec

from streams.hj212.framing import Frame

_HEADER_NAMES = {name.upper(): name for name in ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")}
_CP = re.compile(r"[;,\s]*CP\s*=\s*\Z", re.IGNORECASE)
_CODE_SINCE_2017 = re.compile(r"[a-z]\d{5}\Z")
_NUMBER = re.compile(r"\d{1,3}\Z", re.ASCII)
_EDITIONS = {0: "2005", 1: "2017", 2: "2025"}


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
        readings: Per factor its raw code and ``{suffix: text}``, in the order sent.
        meta: Items without a factor: DataTime, BeginTime, SystemTime, …
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
    readings: list[tuple[str, dict[str, str]]]
    meta: dict[str, str]
    header: dict[str, str]
    unread: list[str]


def parse(frame: Frame) -> Packet:
    """Read a framed packet.

    Raises:
        PacketError: it has no ``CP=&&…&&``, no MN or no CN.
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
    readings, meta = _content(segment[begin + 2 : end], unread)
    digits = header.get("Flag", "")
    flag = int(digits) if _NUMBER.match(digits) and int(digits) <= 255 else None
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


def _header(text: str, unread: list[str]) -> dict[str, str]:
    """Header fields. Seen: ``QN=..,ST=..``, ``PW=123456;,MN=``, ``Flag=5CP=``, ``FLAG=0``, blanks."""
    header: dict[str, str] = {}
    text = text[:-4] if text.endswith(";CP=") else _CP.sub("", text)
    for item in text.replace(",", ";").split(";"):
        name, equals, value = item.partition("=")
        name = name.strip()
        if equals:
            header[_HEADER_NAMES.get(name.upper(), name)] = value.strip()
        elif name:
            unread.append(name)
    return header


def _content(text: str, unread: list[str]) -> tuple[list[tuple[str, dict[str, str]]], dict[str, str]]:
    """Readings and other items of the data part.

    Items of one code belong together wherever they stand (some devices write ``;`` between all of them),
    until a suffix comes a second time: that is a second reading of the same factor.
    """
    readings: list[tuple[str, dict[str, str]]] = []
    open_readings: dict[str, dict[str, str]] = {}
    meta: dict[str, str] = {}
    for item in text.replace(",", ";").split(";"):
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals:
            if name:
                unread.append(name)
            continue
        code, dash, suffix = name.rpartition("-")
        if not dash:
            meta[name] = value.strip()
            continue
        values = open_readings.get(code)
        if values is None or suffix in values:
            values = open_readings[code] = {}
            readings.append((code, values))
        values[suffix] = value.strip()
    return readings, meta


def _version(flag: int | None, readings: list[tuple[str, dict[str, str]]]) -> str:
    if flag is not None:
        return _EDITIONS.get(flag >> 2, "2025")
    return "2017" if any(_CODE_SINCE_2017.match(code) for code, _ in readings) else "2005"
