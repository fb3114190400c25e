"""Write HJ 212 packets: ASCII or UTF-8, LEN in bytes, checksum in upper case, CR LF at the end.

That is the form every peer tried could read (emission.md §1.11).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from schemas import hj212_codes, times
from streams.hj212.crc import crc_text
from streams.hj212.framing import LEN_LIMIT
from streams.hj212.packet import Packet

FLAG_2017, FLAG_2025 = 4, 8
ANSWER_WANTED = 1
COMMUNICATION_FAULT = "B"
_DELIMITERS = frozenset(";,&=\r\n#")


def frame(segment: bytes) -> bytes:
    """The packet around a segment.

    Raises:
        ValueError: longer than four digits can say.
    """
    if len(segment) > LEN_LIMIT:
        raise ValueError(f"segment of {len(segment)} bytes: HJ 212 can say {LEN_LIMIT} at most, split it (PNUM, PNO)")
    return b"##%04d%b%b\r\n" % (len(segment), segment, crc_text(segment))


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
) -> bytes:
    """A whole packet with its line end; ``content`` stands between ``CP=&&`` and ``&&``."""
    fields = (
        ("QN", qn), ("ST", st), ("CN", cn), ("PW", pw), ("MN", mn), ("Flag", flag), ("PNUM", pnum), ("PNO", pno),
        ("RF", 1 if rf else None),
    )  # fmt: skip
    header = ";".join([f"{name}={value}" for name, value in fields if value is not None])
    return frame(f"{header};CP=&&{content}&&".encode())


def answer_9014(packet: Packet) -> bytes:
    """The answer to uploaded data: the same QN, in the dialect of the packet.

    A packet of 2005 is answered without Flag, which that edition does not need, and what the packet did not
    have (QN, PW) the answer does not have either.
    """
    flag = {"2005": None, "2017": FLAG_2017, "2025": FLAG_2025}[packet.version]
    return build(
        qn=packet.qn or None,
        st=hj212_codes.ST_ANSWER,
        cn=hj212_codes.CN_DATA_ANSWER,
        pw=packet.header.get("PW"),
        mn=packet.mn,
        flag=flag,
    )


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
        elif _DELIMITERS.isdisjoint(value):
            parts.append(f"{code}-Avg={value},{code}-Flag=N")
        else:
            raise ValueError(f"{factor} = {value!r}: HJ 212 uses ; , & = # itself")
    segment = (
        f"QN={qn};ST={hj212_codes.ST_AIR};CN={hj212_codes.CN_HOUR};PW={pw};MN={mn};Flag={flag};CP=&&{';'.join(parts)}&&"
    )
    return frame(segment.encode())


@functools.lru_cache(maxsize=256)
def _data_time(start_s: int) -> str:
    return f"DataTime={times.stamp(start_s)}"
