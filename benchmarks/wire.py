"""Framing, checksum and parsing of a 500-byte flue-gas packet on one core, against what one would write first.

Run: ``python -m benchmarks.wire``; ``--profile`` prints where the time goes instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.report import heading, line, median_seconds, profile
from streams.hj212 import Device, Frame, Framer, Packet, answer_9014, crc_text, data_packet, modbus_text, parse

PACKETS = 5_000
RUNS = 9
CHUNKS = (1, 50)  # packets that arrive at once
MN = "010000A8900016F000169DC0"
KEY = bytes(range(16))

READINGS = [
    ("a00000", {"Rtd": "98.52", "Flag": "N"}),
    ("a34013", {"Rtd": "3.2", "ZsRtd": "3.9", "Flag": "N"}),
    ("a21026", {"Rtd": "14.60", "ZsRtd": "17.80", "Flag": "N"}),
    ("a21002", {"Rtd": "31.2", "ZsRtd": "38.0", "Flag": "N"}),
    ("a21005", {"Rtd": "12.1", "ZsRtd": "14.8", "Flag": "N"}),
    ("a19001", {"Rtd": "8.7", "Flag": "N"}),
    ("a01011", {"Rtd": "11.20", "Flag": "N"}),
    ("a01012", {"Rtd": "52.1", "Flag": "N"}),
    ("a01013", {"Rtd": "-0.150", "Flag": "N"}),
    ("a01014", {"Rtd": "11.8", "Flag": "N"}),
]
"""What a stack tells every half minute (ST 31, CN 2011)."""


def packets_of_a_stack(count: int, edition: str = "2017", key: bytes | None = None) -> list[bytes]:
    """That many packets of 500 bytes, half a minute apart."""
    return [
        data_packet(
            st="31", cn="2011", mn=MN, qn=f"20261122{n // 3600 % 24:02d}{n // 60 % 60:02d}{n % 60:02d}{n % 1000:03d}",
            pw="123456", data_time=f"20261122{n // 3600 % 24:02d}{n // 60 % 60:02d}{n % 60:02d}",
            readings=READINGS, edition=edition, sm4_key=key,
        )[0]
        for n in range(count)
    ]  # fmt: skip


def textbook(packet: bytes) -> dict[str, dict[str, str]]:
    """Checksum bit by bit as Annex A prints it, then split at every delimiter."""
    length = int(packet[2:6])
    segment = packet[6 : 6 + length]
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    assert b"%04X" % register == packet[6 + length : 10 + length]
    head, _, content = segment.decode().partition("CP=&&")
    found = {"head": dict(item.split("=") for item in head.split(";") if item)}
    for part in content.removesuffix("&&").split(";"):
        items = dict(item.split("=") for item in part.split(","))
        found[part.partition("=")[0].partition("-")[0]] = items
    return found


def ours(packets: list[bytes], at_once: int, device: Device | None = None) -> Packet | None:
    """Through the framer and the parser as the gateway does it."""
    framer = Framer(lambda mn: device)
    last = None
    for at in range(0, len(packets), at_once):
        for piece in framer.feed(b"".join(packets[at : at + at_once])):
            assert isinstance(piece, Frame)
            last = parse(piece)
    return last


def main(words: list[str]) -> None:
    """Measure and print."""
    packets = packets_of_a_stack(PACKETS)
    if "--profile" in words:
        profile(lambda: ours(packets, 1))
        return
    heading("framing, checksum, parsing; one core")
    line("packets, bytes of one", f"{len(packets):,}", f"{len(packets[0])}")
    few = packets[: PACKETS // 20]
    by_hand = median_seconds(lambda: [textbook(packet) for packet in few], 3) / len(few)
    line(
        "textbook: checksum by bits, naive split", f"{1 / by_hand:9,.0f} packets/s", f"{by_hand * 1e6:6.1f} µs a packet"
    )

    def tell(what: str, work: Callable[[], object]) -> None:
        runs = [median_seconds(work, 1) / PACKETS for _ in range(RUNS)]
        median, best = sorted(runs)[RUNS // 2], min(runs)
        line(
            what,
            f"{1 / median:9,.0f} packets/s",
            f"{median * 1e6:6.1f} µs a packet",
            f"{by_hand / median:5.1f} x textbook",
            f"best of {RUNS} runs {1 / best:,.0f}",
        )

    for at_once in CHUNKS:
        tell(f"ours, {at_once} at once", lambda n=at_once: ours(packets, n))
    sealed = packets_of_a_stack(PACKETS, "2025", KEY)
    opener = Device(sm4_key=KEY)
    tell("ours, enciphered with SM4 (2025)", lambda: ours(sealed, 1, opener))

    segment = packets[0][6:-6]
    line("checksum alone", f"{median_seconds(lambda: [crc_text(segment) for _ in packets], 5) / PACKETS * 1e6:6.2f} µs")
    line("Modbus alone", f"{median_seconds(lambda: [modbus_text(segment) for _ in few], 5) / len(few) * 1e6:6.2f} µs")
    packet = ours(packets[:1], 1)
    assert packet is not None
    line(
        "a 9014 written", f"{median_seconds(lambda: [answer_9014(packet) for _ in packets], 5) / PACKETS * 1e6:6.2f} µs"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
