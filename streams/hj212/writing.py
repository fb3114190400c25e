"""Write HJ 212 packets: ASCII or UTF-8, LEN in bytes, checksum in upper case, CR LF at the end.

That is the form every peer tried could read (emission.md §1.11).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from schemas import hj212_codes, times
from streams.hj212 import sm4
from streams.hj212.crc import crc_text, modbus_text
from streams.hj212.framing import LEN_LIMIT, Crc
from streams.hj212.packet import Packet

FLAG_2017, FLAG_2025 = 4, 8
ANSWER_WANTED = 1
SPLIT = 2
COMMUNICATION_FAULT = "B"
SEGMENT_LIMIT = 1024
"""What the standard allows; longer data are split."""

_FLAG_OF_EDITION = {"2005": 0, "2017": FLAG_2017, "2025": FLAG_2025}
_DELIMITERS = frozenset(";,&=\r\n#")


def frame(segment: bytes, crc: Crc = "hj212", sm4_key: bytes | None = None) -> bytes:
    """The packet around a segment; with a key, what stands between its ``&&`` is enciphered.

    Raises:
        ValueError: longer than four digits can say.
    """
    if len(segment) > LEN_LIMIT:
        raise ValueError(f"segment of {len(segment)} bytes: HJ 212 can say {LEN_LIMIT} at most, split it (PNUM, PNO)")
    checksum = crc_text(segment) if crc == "hj212" else modbus_text(segment)
    length = len(segment)
    if sm4_key is not None:
        begin, end = segment.index(b"&&") + 2, segment.rindex(b"&&")
        segment = segment[:begin] + sm4.encipher(segment[begin:end], sm4_key) + segment[end:]
    return b"##%04d%b%b\r\n" % (length, segment, checksum)


def build(
    *,
    st: str,
    cn: str,
    mn: str,
    qn: str | None = None,
    pw: str | None = None,
    flag: int | None = None,
    pnum: int | None = None,
    pno: int | None = None,
    rf: bool = False,
    content: str = "",
    crc: Crc = "hj212",
    sm4_key: bytes | None = None,
) -> bytes:
    """A whole packet with its line end; ``content`` stands between ``CP=&&`` and ``&&``.

    A key is used where SM4 applies to the command.
    """
    fields = (
        ("QN", qn), ("ST", st), ("CN", cn), ("PW", pw), ("MN", mn), ("Flag", flag), ("PNUM", pnum), ("PNO", pno),
        ("RF", 1 if rf else None),
    )  # fmt: skip
    header = ";".join([f"{name}={value}" for name, value in fields if value is not None])
    return frame(f"{header};CP=&&{content}&&".encode(), crc, sm4_key if sm4.applies(cn) else None)


# ---- answers


def answer_9014(packet: Packet) -> bytes:
    """The answer to uploaded data: the same QN, in the dialect of the packet, with the checksum it had.

    A packet of 2005 is answered without Flag, which that edition does not need, and what the packet did not
    have (QN, PW) the answer does not have either.
    """
    return _answer(packet, hj212_codes.CN_DATA_ANSWER)


def answer_9013(packet: Packet) -> bytes:
    """The answer to a notice: a heartbeat, the wish for the time, a boot."""
    return _answer(packet, hj212_codes.CN_NOTICE_ANSWER)


def answer_9011(request: Packet, qn_rtn: int = 1) -> bytes:
    """What a device says to a request: ``QnRtn`` 1 is ready (emission.md §1.6)."""
    return _answer(request, hj212_codes.CN_REQUEST_ANSWER, f"QnRtn={qn_rtn}")


def answer_9012(request: Packet, exe_rtn: int = 1) -> bytes:
    """What a device says when a request is done: ``ExeRtn`` 1 is success, 100 no data."""
    return _answer(request, hj212_codes.CN_RESULT, f"ExeRtn={exe_rtn}")


def _answer(packet: Packet, cn: str, content: str = "") -> bytes:
    return build(
        qn=packet.qn or None,
        st=hj212_codes.ST_ANSWER,
        cn=cn,
        pw=packet.header.get("PW"),
        mn=packet.mn,
        flag=_FLAG_OF_EDITION[packet.version] or None,
        content=content,
        crc=packet.crc,
    )


# ---- requests of the platform


def request(
    *,
    st: str,
    cn: str,
    mn: str,
    qn: str,
    pw: str,
    begin_s: int,
    end_s: int,
    edition: str = "2017",
    crc: Crc = "hj212",
    sm4_key: bytes | None = None,
) -> bytes:
    """Ask a device for what it has: minutes (2051), hours (2061), days (2031) whose starts lie in a range.

    Args:
        st: System type of the device.
        cn: Which.
        mn: Number of the device.
        qn: Request number, 17 digits; the device answers with it.
        pw: Its password.
        begin_s: Start of the first period, epoch seconds.
        end_s: Start of the last period, inclusive.
        edition: ``2005``, ``2017`` or ``2025``.
        crc: Which checksum the device computes.
        sm4_key: Its key, where it enciphers (2025).
    """
    comma_or_semicolon = "," if edition == "2005" else ";"
    content = f"BeginTime={times.stamp(begin_s)}{comma_or_semicolon}EndTime={times.stamp(end_s)}"
    return _asked(st, cn, mn, qn, pw, edition, content, crc, sm4_key)


def set_clock(
    *,
    st: str,
    mn: str,
    qn: str,
    pw: str,
    system_s: int,
    edition: str = "2017",
    crc: Crc = "hj212",
    sm4_key: bytes | None = None,
) -> bytes:
    """Set the clock of a device (1012) to an instant in epoch seconds; the rest as in :func:`request`."""
    content = f"SystemTime={times.stamp(system_s)}"
    return _asked(st, hj212_codes.CN_SET_TIME, mn, qn, pw, edition, content, crc, sm4_key)


def _asked(
    st: str, cn: str, mn: str, qn: str, pw: str, edition: str, content: str, crc: Crc, sm4_key: bytes | None
) -> bytes:
    flag = _FLAG_OF_EDITION[edition] | ANSWER_WANTED
    return build(qn=qn, st=st, cn=cn, pw=pw, mn=mn, flag=flag, content=content, crc=crc, sm4_key=sm4_key)


# ---- data


def data_packet(
    *,
    st: str,
    cn: str,
    mn: str,
    data_time: str | None,
    readings: Iterable[tuple[str, Mapping[str, str]]],
    qn: str | None = None,
    pw: str | None = None,
    edition: str = "2017",
    answer: bool = True,
    rf: bool = False,
    crc: Crc = "hj212",
    sm4_key: bytes | None = None,
    limit: int = SEGMENT_LIMIT,
) -> list[bytes]:
    """Data as a device of that edition uploads them: one packet, or its parts where it would be too long.

    Args:
        st: System type.
        cn: 2011, 2021, 2031, 2041, 2051, 2061 …
        mn: Number of the device.
        data_time: Start of the period, or the instant, 14 or 17 digits.
        readings: Per factor its code of 2017 and ``{suffix: text}``; in 2005 it is sent by its old code if it had one.
        qn: Request number; each further part has one a millisecond later. 2005 did without.
        pw: Password.
        edition: ``2005``, ``2017`` or ``2025``.
        answer: Whether a 9014 is wanted. A packet of 2005 that wants none, and is no part, has no Flag.
        rf: Data measured earlier that come only now (2025).
        crc: Which checksum.
        sm4_key: Enciphers the content (2025).
        limit: Longest segment in bytes.

    Raises:
        ValueError: a text that would break the packet, RF or a key before 2025, a factor longer than a packet.
    """
    if edition != "2025" and (rf or sm4_key is not None):
        raise ValueError(f"edition {edition}: RF and SM4 came with HJ 212-2025")
    fields: dict[str, Any] = {"st": st, "cn": cn, "pw": pw, "mn": mn, "rf": rf, "crc": crc, "sm4_key": sm4_key}
    flag = _FLAG_OF_EDITION[edition] | (ANSWER_WANTED if answer else 0)
    time_item = "" if data_time is None else f"DataTime={_checked('DataTime', data_time)}"
    groups = [_group(_sent_code(code, st, edition), items) for code, items in readings]
    content = ";".join(filter(None, [time_item, *groups]))
    overhead = len(build(**fields, qn=qn, flag=flag or None)) - len("##0000FFFF\r\n")
    if overhead + len(content.encode()) <= limit or len(groups) < 2:
        return [build(**fields, qn=qn, flag=flag or None, content=content)]
    room = limit - overhead - len(f"Flag={flag};PNUM=99;PNO=99;")
    parts = _parts(time_item, groups, room)
    return [
        build(**fields, qn=_later(qn, n), flag=flag | SPLIT, pnum=len(parts), pno=n + 1, content=part)
        for n, part in enumerate(parts)
    ]


def _parts(time_item: str, groups: list[str], room: int) -> list[str]:
    """Contents of at most that many bytes that hold the groups in order; each says when."""
    parts: list[list[str]] = []
    size = room + 1
    for group in groups:
        added = len(group.encode()) + 1
        if size + added > room or not parts:
            parts.append(list(filter(None, [time_item])))
            size = len(time_item)
        parts[-1].append(group)
        size += added
    return [";".join(part) for part in parts]


def _sent_code(code: str, st: str, edition: str) -> str:
    if edition != "2005":
        return code
    factor = hj212_codes.factor_of_code(code, hj212_codes.MEDIUM_OF_ST.get(st, ""))
    return (factor.old_code if factor is not None else "") or code


def _group(code: str, items: Mapping[str, str]) -> str:
    return ",".join(
        [f"{_checked(code, code)}-{_checked(code, s)}={_checked(f'{code}-{s}', v)}" for s, v in items.items()]
    )


def _checked(name: str, text: str) -> str:
    if _DELIMITERS.isdisjoint(text):
        return text
    raise ValueError(f"{name} = {text!r}: HJ 212 uses ; , & = # itself")


def _later(qn: str | None, milliseconds: int) -> str | None:
    if qn is None or milliseconds == 0:
        return qn
    moment = dt.datetime.strptime(qn[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007 - only a count of milliseconds
    moment += dt.timedelta(milliseconds=int(qn[14:] or 0) + milliseconds)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}"


def hour_packet(
    qn: str,
    mn: str,
    pw: str,
    start_s: int,
    readings: Mapping[str, str | None],
    *,
    flag: int = FLAG_2017 | ANSWER_WANTED,
) -> bytes:
    """An hour of an air station (CN 2061, ST 22) as its logger sends it.

    Args:
        qn: Request number, 17 digits.
        mn: Number of the logger.
        pw: Its password.
        start_s: Start of the hour (HJ 212 names the start of a period).
        readings: Text per factor of the registry in the unit the logger sends; None where the instrument gave
            nothing, which is sent as the flag B alone, communication fault between instrument and logger.
        flag: Edition and wish for an answer.

    Raises:
        ValueError: a factor that has no code, or a text that would break the packet.
    """
    parts = [_data_time(start_s)]
    for factor, value in readings.items():
        code = hj212_codes.AIR_CODES.get(factor)
        if code is None:
            raise ValueError(f"factor {factor!r} has no HJ 212 code: one of {', '.join(hj212_codes.AIR_CODES)}")
        if value is None:
            parts.append(f"{code}-Flag={COMMUNICATION_FAULT}")
        else:
            parts.append(f"{code}-Avg={_checked(factor, value)},{code}-Flag=N")
    segment = (
        f"QN={qn};ST={hj212_codes.ST_AIR};CN={hj212_codes.CN_HOUR};PW={pw};MN={mn};Flag={flag};CP=&&{';'.join(parts)}&&"
    )
    return frame(segment.encode())


@functools.lru_cache(maxsize=256)
def _data_time(start_s: int) -> str:
    return f"DataTime={times.stamp(start_s)}"
