"""HJ 212, the wire between loggers and the district: checksum, framing, reading, writing.

Rules and traps are in emission.md §1; no clock is read and no socket touched here.
"""

from streams.hj212.crc import crc, crc_text
from streams.hj212.framing import Frame, Framer, Rejected
from streams.hj212.packet import Packet, PacketError, parse
from streams.hj212.writing import answer_9014, build, frame, hour_packet

__all__ = [
    "Frame",
    "Framer",
    "Packet",
    "PacketError",
    "Rejected",
    "answer_9014",
    "build",
    "crc",
    "crc_text",
    "frame",
    "hour_packet",
    "parse",
]
