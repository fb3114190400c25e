"""Coverage-guided fuzzing of the framer and the parser.

``pip install atheris`` (no dependency of envstream), then ``python -m tests.fuzz.hj212_framer -max_total_time=60``;
arguments are those of libFuzzer. Begins with the corpus where it is there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from streams.hj212 import Device, Frame, PacketError, parse
from tests.streams.hj212_pieces import CORPUS, KEY, assert_adds_up, corpus, feed

WITH_KEY = Device("either", KEY)


def one_input(data: bytes) -> None:
    """The first byte chooses the device and the chunks, the rest is the stream."""
    if not data:
        return
    choice, stream = data[0], data[1:]
    device = WITH_KEY if choice & 1 else None
    pieces = feed(stream, device=device)
    assert_adds_up(stream, pieces)
    assert feed(stream, 1 + choice // 2, device=device) == pieces
    for piece in pieces:
        if isinstance(piece, Frame):
            try:
                parse(piece)
            except PacketError:
                continue


def main() -> None:
    """Fuzz until a failure, or as long as libFuzzer is told."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not here: pip install atheris")
    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder)
        for number, (*_, packet) in enumerate(corpus() if CORPUS.exists() else []):
            (seeds / str(number)).write_bytes(b"\x01" + packet + b"\r\n")
        atheris.Setup([sys.argv[0], *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
