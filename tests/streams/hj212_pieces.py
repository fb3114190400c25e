"""What the tests of the wire share: the corpus, feeding in chunks, and that no byte is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.hj212 import Device, Frame, Framer, Packet, Piece, build, parse

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "domain" / "hj212_packets.tsv"
DOMAIN = ROOT.parent / "shared" / "domain" / "emission.md"

needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason=f"{CORPUS} is absent: the corpus is not here")
LINE_END = b"\r\n"
GOOD = build(st="31", cn="2011", mn="M1", qn="20261122100000123", pw="123456", flag=5, content="a21026-Rtd=12.3")
KEY = b"0" * 16
"""Of the vectors of HJ 212-2025 Annex A.2."""


def corpus() -> list[tuple[str, str, str, bytes]]:
    """Source, edition, verdict and bytes of each packet."""
    if not CORPUS.exists():
        return []
    rows = (line.split("\t") for line in CORPUS.read_text(encoding="utf-8").splitlines())
    return [(source, edition, verdict, packet.encode()) for source, edition, verdict, packet in rows]


def row(number: int) -> bytes:
    """Packet of that line of the corpus."""
    return corpus()[number - 1][3]


def textbook_crc(data: bytes) -> int:
    """Annex A bit by bit."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            odd = register & 1
            register >>= 1
            if odd:
                register ^= 0xA001
    return register


def textbook_modbus(data: bytes) -> int:
    """Modbus bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            odd = register & 1
            register >>= 1
            if odd:
                register ^= 0xA001
    return register


def feed(data: bytes, size: int | None = None, *, device: Device | None = None, flush: bool = True) -> list[Piece]:
    """What a framer makes of the data in chunks of that size, every MN being such a device."""
    framer = Framer(None if device is None else lambda mn: device)
    out: list[Piece] = []
    size = size or max(1, len(data))
    for i in range(0, len(data), size):
        out += framer.feed(data[i : i + size])
        assert framer.handled + framer.buffered == min(len(data), i + size)
    if flush:
        out += framer.flush()
        assert (framer.handled, framer.buffered) == (len(data), 0)
    return out


def only(data: bytes, device: Device | None = None) -> Packet:
    """The one packet in the data."""
    (piece,) = feed(data, device=device)
    assert isinstance(piece, Frame), piece
    return parse(piece)


def assert_adds_up(data: bytes, pieces: list[Piece]) -> None:
    """The pieces are the data, in order, but for line ends between them."""
    at = 0
    for piece in pieces:
        assert piece.raw
        while data[at : at + 1] in (b"\r", b"\n") and not data.startswith(piece.raw, at):
            at += 1
        assert data.startswith(piece.raw, at)
        at += len(piece.raw)
    assert not data[at:].strip(LINE_END)
