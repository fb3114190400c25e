"""What the wire looks like depends on the device: its checksum, its SM4 key."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.hj212 import Device, Frame, Framer, Packet, PacketError, Piece, Rejected, Sealed, frame, parse, sm4
from tests.streams.hj212_pieces import (
    GOOD,
    KEY,
    LINE_END,
    assert_adds_up,
    corpus,
    feed,
    needs_corpus,
    only,
    row,
    textbook_crc,
    textbook_modbus,
)

SIZES = [1, 7, None]
OPEN = Device(sm4_key=KEY)
OTHER_KEY = Device(sm4_key=b"1" * 16)
EITHER = Device("either", KEY)
MN = "010000A8900016F000169DC0"


def segment(content: str, *, cn: str = "2051", flag: int = 9, mn: str = MN) -> bytes:
    """A segment of a device of 2025."""
    return f"QN=20240520210700000;ST=31;CN={cn};PW=123456;MN={mn};Flag={flag};CP=&&{content}&&".encode()


def printed(packet: bytes) -> bytes:
    """The packet with its whole blocks as the norm prints them, built apart from the code under test."""
    header, _, rest = packet.partition(b"CP=&&")
    content, end = rest[:-6], rest[-6:]
    whole = len(content) // 16 * 16
    return header + b"CP=&&{" + b",".join(b"0x%02X" % byte for byte in content[:whole]) + b"}" + content[whole:] + end


PLAIN = segment("DataTime=20240520210600;a21026-Min=10.0,a21026-Avg=12.0,a21026-Max=13.5,a21026-Flag=N")
SEALED = frame(PLAIN, sm4_key=KEY)[:-2]

# --- which checksum ------------------------------------------------------------------------------


def modbus_row() -> bytes:
    """The corpus row with the checksum of Modbus."""
    return next(packet for source, *_, packet in corpus() if "Modbus" in source)


@needs_corpus
@pytest.mark.parametrize("size", SIZES)
def test_modbus_is_taken_of_devices_that_are_known_for_it(size: int | None) -> None:
    packet = modbus_row() + LINE_END
    for mode in ("modbus", "either"):
        (piece,) = feed(packet, size, device=Device(mode))
        assert isinstance(piece, Frame)
        assert piece.crc == "modbus"
        assert parse(piece).crc == "modbus"
    for device in (None, Device(), OPEN):
        (piece,) = feed(packet, size, device=device)
        assert isinstance(piece, Rejected)
        assert "crc_mode" in piece.reason


def test_the_mode_is_asked_for_the_mn_in_the_packet() -> None:
    asked: list[str] = []

    def device(mn: str) -> Device | None:
        asked.append(mn)
        return Device("modbus") if mn == "M2" else None

    first, second = (f"CN=2011;PW=1; MN = {mn};CP=&&i-Info=;MN=M9&&".encode() for mn in ("M1", "M2"))
    stream = b"".join(b"##%04d%b%04X\r\n" % (len(s), s, textbook_modbus(s)) for s in (first, second))
    refused, taken = Framer(device).feed(stream)
    assert (type(refused), type(taken)) == (Rejected, Frame)
    assert set(asked) == {"M1", "M2"}


def test_hj_212_is_refused_of_a_device_that_computes_modbus() -> None:
    (piece,) = feed(GOOD, device=Device("modbus"))
    assert isinstance(piece, Rejected)
    assert "crc_mode" in piece.reason
    (piece,) = feed(GOOD, device=Device("either"))
    assert isinstance(piece, Frame)
    assert piece.crc == "hj212"


@pytest.mark.parametrize("size", SIZES)
def test_modbus_over_characters(size: int | None) -> None:
    text = "ST=32;CN=3020;MN=M1;Flag=4;CP=&&i11001-Info=//清洗管路//&&"
    body = text.encode()
    packet = b"##%04d%b%04X\r\n" % (len(text), body, textbook_modbus(body))
    (piece,) = feed(packet, size, device=Device("either"))
    assert isinstance(piece, Frame)
    assert (piece.crc, piece.length_in) == ("modbus", "utf-8")


# --- SM4 -----------------------------------------------------------------------------------------


def test_sm4_of_the_standard() -> None:
    text = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert sm4.encipher(text, text).hex() == "681edf34d206965e86b3e94f536e4246"
    assert sm4.decipher(sm4.encipher(text + b"tail", text), text) == text + b"tail"


@pytest.mark.parametrize("key", [b"", b"0" * 15, b"0" * 17])
def test_a_key_of_another_length_is_no_key(key: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        sm4.encipher(b"x" * 16, key)
    with pytest.raises(ValueError, match="16 bytes"):
        Device(sm4_key=key)


@needs_corpus
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("plain", "sealed"), [(3, 5), (4, 6)])
@pytest.mark.parametrize("form", ["printed", "raw"])
def test_annex_a2(plain: int, sealed: int, form: str, size: int | None) -> None:
    expected = row(plain)[6:-4]
    packet = row(sealed) if form == "printed" else frame(expected, sm4_key=KEY)[:-2]
    assert printed(frame(expected, sm4_key=KEY)[:-2]) == row(sealed)
    (piece,) = feed(packet + LINE_END, size, device=OPEN)
    assert piece == Frame(packet, expected, sealed=True)
    assert parse(piece).sealed  # type: ignore[arg-type]
    assert parse(piece).readings == only(row(plain)).readings  # type: ignore[arg-type]


@needs_corpus
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [5, 6])
@pytest.mark.parametrize(("device", "why"), [(None, "no key"), (OTHER_KEY, "does not open")])
def test_without_the_key_it_is_evidence(number: int, device: Device | None, why: str, size: int | None) -> None:
    raw = frame(row(number - 2)[6:-4], sm4_key=KEY)[:-2]
    for packet in (row(number), raw):
        sealed, good = feed(packet + LINE_END + GOOD, size, device=device)
        assert isinstance(sealed, Sealed)
        assert (sealed.raw, sealed.mn) == (packet, MN)
        assert why in sealed.reason
        assert good == Frame(GOOD[:-2], GOOD[6:-6])


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_block_of_plain_text_is_taken_of_a_device_with_a_key(size: int | None) -> None:
    (piece,) = feed(frame(PLAIN), size, device=OPEN)
    assert piece == Frame(frame(PLAIN)[:-2], PLAIN)


def test_sealed_with_the_checksum_of_modbus() -> None:
    (piece,) = feed(frame(PLAIN, "modbus", KEY), device=EITHER)
    assert piece == Frame(frame(PLAIN, "modbus", KEY)[:-2], PLAIN, crc="modbus", sealed=True)


def noise_whose_sum_fits(seed: int) -> bytes:
    """An enciphered packet whose ciphertext happens to have the checksum of the plain text: one in 256 has."""
    rng = random.Random(seed)
    while True:
        plain = segment(f"DataTime=20240520210600;a21026-Avg={rng.randrange(10**9)},a21026-Flag=N")
        packet = frame(plain, sm4_key=KEY)[:-2]
        if textbook_crc(packet[6:-4]) == int(packet[-4:], 16):
            return packet


@pytest.mark.parametrize("seed", range(5))
def test_noise_whose_sum_fits_is_still_noise(seed: int) -> None:
    packet = noise_whose_sum_fits(seed)
    (piece,) = feed(packet)
    assert isinstance(piece, Sealed)
    (piece,) = feed(packet, device=OPEN)
    assert isinstance(piece, Frame)
    assert piece.sealed
    (piece,) = feed(packet, device=OTHER_KEY)
    assert isinstance(piece, Sealed)


@pytest.mark.parametrize("seed", range(300))
def test_a_wrong_key_never_opens(seed: int) -> None:
    key = random.Random(seed).randbytes(16)
    (piece,) = feed(SEALED, device=Device(sm4_key=key))
    assert isinstance(piece, Sealed)


@pytest.mark.parametrize(
    "damaged",
    [
        frame(PLAIN)[:-6] + b"0000",
        frame(PLAIN).replace(b"12.0", b"12.\x8d")[:-2],
        frame(PLAIN).replace(b"a21026-Avg", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09")[:-2],
        frame(segment("i11001-Info=//清洗管路清洗管路清洗管路清洗管路//", cn="3020"))[:-6] + b"0000",
        SEALED.replace(b"Flag=9", b"Flag=5"),  # no edition that knows SM4, and no key to try
        SEALED.replace(b"CN=2051", b"CN=9014"),  # is never enciphered
        SEALED.replace(b"MN=", b"NM="),
        SEALED[:-6] + b"&" + SEALED[-4:],  # LEN is one too many
        SEALED[:-4] + b"22G0",
        SEALED[:-6] + b"x&" + SEALED[-4:],
        SEALED[:120] + b"##0012" + SEALED[126:],  # something may be hidden in it
    ],
)
@pytest.mark.parametrize("device", [None, OPEN])
def test_a_damaged_packet_is_not_taken_for_a_sealed_one(damaged: bytes, device: Device | None) -> None:
    pieces = feed(damaged + LINE_END + GOOD, device=device)
    assert pieces[-1] == Frame(GOOD[:-2], GOOD[6:-6])
    assert {type(piece) for piece in pieces[:-1]} == {Rejected}
    assert_adds_up(damaged + LINE_END + GOOD, pieces)


def test_with_a_key_the_edition_in_flag_does_not_matter() -> None:
    plain = PLAIN.replace(b"Flag=9", b"Flag=5")
    (piece,) = feed(frame(plain, sm4_key=KEY), device=OPEN)
    assert isinstance(piece, Frame)
    assert piece.segment == plain


def test_a_good_packet_inside_what_looks_sealed_survives() -> None:
    noise = random.Random(1).randbytes(64).replace(b"#", b"x")
    body = noise + GOOD[:-2] + noise
    header = segment("")[:-2]
    packet = b"##%04d%b%b&&0000" % (len(header) + len(body) + 2, header, body)
    assert Frame(GOOD[:-2], GOOD[6:-6]) in feed(packet)


@pytest.mark.parametrize("cut", [40, 130, 300, 600, 1100])
@pytest.mark.parametrize("size", SIZES)
def test_half_a_printed_packet_does_not_swallow_the_next(cut: int, size: int | None) -> None:
    half = printed(SEALED)[:cut]
    pieces = feed(half + GOOD + GOOD, size, device=OPEN)
    good = Frame(GOOD[:-2], GOOD[6:-6])
    assert pieces[-2:] == [good, good]


@pytest.mark.parametrize("size", [1, 7])
def test_a_printed_packet_that_breaks_off_is_given_up_before_the_next_ends(size: int) -> None:
    whole = printed(SEALED)
    stream = whole[: len(whole) // 2] + GOOD * 12
    out = feed(stream, size, device=OPEN, flush=False)
    assert sum(isinstance(piece, Frame) for piece in out) >= 11


@pytest.mark.parametrize("length", range(0, 40))
def test_every_length_of_content(length: int) -> None:
    plain = segment("a" * length)
    packet = frame(plain, sm4_key=KEY)
    if length < 16:
        assert packet == frame(plain)
    for form in [packet[:-2]] + [printed(packet[:-2])] * (length >= 16):
        (piece,) = feed(form, device=OPEN)
        assert piece == Frame(form, plain, sealed=length >= 16)


# --- anything ------------------------------------------------------------------------------------


def damaged(packet: bytes, seed: int) -> bytes:
    """The packet with a few bytes changed, lost or added."""
    rng, data = random.Random(seed), bytearray(packet)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at : at + rng.randrange(1, 6)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        else:
            data[at:at] = rng.choice([b"##", b"#", b"&&", b"##0030", b"{0x", b"\r\n##", "清".encode()])
    return bytes(data)


ROWS = [packet for *_, packet in corpus()] + [SEALED, printed(SEALED), frame(PLAIN, "modbus")[:-2], GOOD[:-2]]
STREAMS = st.lists(
    st.one_of(
        st.builds(damaged, st.sampled_from(ROWS), st.integers(0, 10**6)),
        st.sampled_from(ROWS),
        st.binary(max_size=60),
        st.binary(min_size=16, max_size=48).map(
            lambda noise: b"##%04d%b%b&&2200" % (len(segment("")) + len(noise), segment("")[:-2], noise)
        ),
        st.sampled_from([LINE_END, b"**\r\n", b"#"]),
    ),
    max_size=6,
)
DEVICES = st.sampled_from([None, OPEN, OTHER_KEY, EITHER, Device("modbus")])


@settings(max_examples=300, deadline=None)
@given(STREAMS, DEVICES, st.integers(1, 80))
def test_any_stream_adds_up_and_chunking_is_nothing(parts: list[bytes], device: Device | None, size: int) -> None:
    data = b"".join(parts)
    whole = feed(data, device=device)
    assert_adds_up(data, whole)
    assert feed(data, size, device=device) == whole
    assert feed(data, 1, device=device) == whole
    for piece in whole:
        if isinstance(piece, Frame):
            try:
                assert isinstance(parse(piece), Packet)
            except PacketError as error:
                assert str(error)  # noqa: PT017 - raised or not, both are right


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ROWS), st.integers(0, 10**6), DEVICES, st.sampled_from([LINE_END, b"", b"**\r\n"]))
def test_a_good_packet_survives_any_damage_before_it(bad: bytes, seed: int, device: Device | None, end: bytes) -> None:
    good = frame(GOOD[6:-6], "modbus" if device == Device("modbus") else "hj212")
    pieces: list[Piece] = feed(damaged(bad, seed) + end + good, device=device)
    assert [piece.raw for piece in pieces if isinstance(piece, Frame)][-1:] == [good[:-2]]


def test_memory_and_time_stay_bounded_whatever_is_nested() -> None:
    header = segment("")[:-2]
    floods = [
        b"##9999" + header + b"\x90" * 10,
        b"##9999" + header + b"{0xE4" + b",0xE4" * 30,
        b"##9999" + b"\xc7\xe5" * 20,
        b"##99902200",
    ]
    for flood in floods:
        framer, handed_out = Framer(lambda mn: EITHER), 0
        for _ in range(200):
            handed_out += sum(len(piece.raw) for piece in framer.feed(flood * 4))
            assert framer.buffered < 60_000
        handed_out += sum(len(piece.raw) for piece in framer.flush())
        assert handed_out == len(flood) * 800


def test_after_a_flood_the_device_is_heard_again() -> None:
    flood = b"##9999\xc7\xe5\xc7\xe5" * 4000
    good = frame(GOOD[6:-6], "modbus")
    pieces = feed(flood + b"\r\n" + good * 400, 4096, device=Device("either"))
    assert isinstance(pieces[-1], Frame)
    assert sum(isinstance(piece, Frame) for piece in pieces) > 100
