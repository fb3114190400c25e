"""HJ 212, the wire between loggers and the district: checksum, framing, reading, writing.

Rules and traps are in emission.md §1; no clock is read and no socket touched here.
"""

from streams.hj212.crc import crc, crc_text, modbus_text
from streams.hj212.framing import Crc, CrcMode, Device, Frame, Framer, Piece, Rejected, Sealed
from streams.hj212.packet import Packet, PacketError, parse
from streams.hj212.writing import (
    answer_9011,
    answer_9012,
    answer_9013,
    answer_9014,
    build,
    data_packet,
    frame,
    hour_packet,
    request,
    set_clock,
)

__all__ = [
    "Crc",
    "CrcMode",
    "Device",
    "Frame",
    "Framer",
    "Packet",
    "PacketError",
    "Piece",
    "Rejected",
    "Sealed",
    "answer_9011",
    "answer_9012",
    "answer_9013",
    "answer_9014",
    "build",
    "crc",
    "crc_text",
    "data_packet",
    "frame",
    "hour_packet",
    "modbus_text",
    "parse",
    "request",
    "set_clock",
]
