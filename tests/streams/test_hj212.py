"""The wire: every packet of the corpus, every chunking, every byte accounted for."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.hj212 import (
    Frame,
    Framer,
    Packet,
    PacketError,
    Rejected,
    Sealed,
    answer_9014,
    build,
    crc,
    crc_text,
    frame,
    hour_packet,
    modbus_text,
    parse,
)
from streams.hj212.crc import crc_fits, text_of_chunks
from tests.streams.hj212_pieces import (
    DOMAIN,
    GOOD,
    LINE_END,
    assert_adds_up,
    corpus,
    feed,
    needs_corpus,
    only,
    textbook_crc,
    textbook_modbus,
)

# --- checksum ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "FFFF"),
        (b"\x00", "4040"),
        (b"A", "7080"),
        (b"##", "B381"),
        (b"&&", "B101"),
        (b"123456789", "2F80"),
        (
            b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&",
            "1C80",
        ),
    ],
)
def test_crc_vectors(data: bytes, expected: str) -> None:
    assert crc_text(data).decode() == expected
    assert f"{crc(data):04X}" == expected


@given(st.binary(max_size=1200))
def test_crc_is_the_textbook_one(data: bytes) -> None:
    assert crc(data) == textbook_crc(data)


@pytest.mark.parametrize("length", [*range(1, 33), 63, 64, 65, 511, 512, 513, 1045, 9999])
def test_crc_at_borders_of_the_fold(length: int) -> None:
    data = bytes((i * 37 + length) % 256 for i in range(length))
    assert crc(data) == textbook_crc(data)


@given(st.binary(max_size=1200))
def test_modbus_is_the_textbook_one(data: bytes) -> None:
    assert int(modbus_text(data), 16) == textbook_modbus(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", "FFFF"), (b"\x00", "40BF"), (b"A", "707F"), (b"##", "5959"), (b"&&", "0A9A"), (b"123456789", "4B37")],
)
def test_modbus_vectors(data: bytes, expected: str) -> None:
    assert modbus_text(data).decode() == expected


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_checksum_of_chunks(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    assert int(text_of_chunks(chunks), 16) == textbook_crc(data)
    assert int(text_of_chunks(chunks, modbus=True), 16) == textbook_modbus(data)


@given(st.binary(max_size=40), st.binary(min_size=4, max_size=4))
def test_a_field_fits_when_it_is_the_sum(data: bytes, other: bytes) -> None:
    right = b"%04X" % textbook_crc(data)
    for field in (right, right.lower(), other, b"%04X" % (textbook_crc(data) ^ 1), b"FFFF"):
        assert crc_fits(data, field) == (field.upper() == right)


# --- framing -------------------------------------------------------------------------------------


@needs_corpus
@pytest.mark.parametrize("size", [1, 7, None])
def test_corpus_verdicts(size: int | None) -> None:
    rows = corpus()
    assert len(rows) == 137
    for number, (_, _, verdict, packet) in enumerate(rows, 1):
        pieces = feed(packet + LINE_END, size)
        kinds = [type(piece) for piece in pieces]
        if verdict.startswith("valid"):
            assert kinds == [Frame], number
            assert pieces[0].raw == packet, number
            assert isinstance(parse(pieces[0]), Packet), number  # type: ignore[arg-type]
        elif "glued" in verdict:
            assert kinds == [Frame, Frame], number
        else:
            assert kinds == [Sealed if "sm4" in verdict else Rejected], number
            assert pieces[0].raw == packet, number
            assert pieces[0].reason, number  # type: ignore[union-attr]


@needs_corpus
def test_valid_packets_need_no_flush() -> None:
    for _, _, verdict, packet in corpus():
        if verdict.startswith("valid"):
            assert len(feed(packet, flush=False)) == 1


@needs_corpus
@pytest.mark.parametrize("size", [1, 7, None])
@pytest.mark.parametrize("between", [b"", LINE_END, b"**\r\n", b"#"])
def test_good_packet_after_a_bad_one_survives(size: int | None, between: bytes) -> None:
    for number, (_, _, verdict, packet) in enumerate(corpus(), 1):
        if not verdict.startswith("valid"):
            pieces = feed(packet + between + GOOD, size)
            assert pieces[-1] == Frame(GOOD[:-2], GOOD[6:-6]), number
            assert_adds_up(packet + between + GOOD, pieces)


@needs_corpus
def test_corpus_as_one_stream() -> None:
    rows = corpus()
    stream = b"".join(packet + LINE_END for *_, packet in rows)
    frames = [piece.raw for piece in feed(stream, 1000) if isinstance(piece, Frame)]
    valid = [packet for _, _, verdict, packet in rows if verdict.startswith("valid")]
    assert [raw for raw in frames if raw in valid] == valid
    assert len(frames) == len(valid) + 2


def test_bad_crc_is_one_piece_with_its_reason() -> None:
    bad = GOOD[:-6] + b"0000"
    (piece,) = feed(bad + LINE_END, flush=False)
    assert isinstance(piece, Rejected)
    assert piece.raw == bad
    assert piece.reason.startswith("crc: '0000', computed ")


def test_wrong_length_hides_the_next_packet_only_until_flush() -> None:
    wrong = b"##9999" + GOOD[6:]
    framer = Framer()
    assert framer.feed(wrong + GOOD) == []
    rejected, good = framer.flush()
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith("cut off: LEN is 9999")
    assert good == Frame(GOOD[:-2], GOOD[6:-6])
    assert framer.feed(GOOD) == [good]


def test_junk_between_lines_is_told_line_by_line() -> None:
    pieces = feed(b"hello\r\n\r\n##x\r\n" + GOOD + b"**\r\n" + GOOD)
    assert [piece.raw for piece in pieces] == [b"hello", b"##x", GOOD[:-2], b"**", GOOD[:-2]]
    assert [piece.reason[:7] for piece in pieces if isinstance(piece, Rejected)] == ["header:", "length:", "header:"]


def test_line_ends_are_handled_without_a_piece() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n\r\n\n") == []
    assert (framer.handled, framer.buffered) == (5, 0)
    assert len(framer.feed(GOOD[:-2])) == 1
    assert framer.feed(LINE_END) == []
    assert (framer.handled, framer.buffered) == (5 + len(GOOD), 0)


def test_handled_excludes_what_may_become_a_packet() -> None:
    framer = Framer()
    framer.feed(GOOD + GOOD[:50])
    assert (framer.handled, framer.buffered) == (len(GOOD), 50)


def test_memory_stays_bounded() -> None:
    for flood in (b"x" * 1000, b"##9999" * 200, b"##9999" + "清".encode() * 300, b"#" * 999, b"\r\n" * 500):
        framer = Framer()
        given_out = 0
        for _ in range(200):
            given_out += sum(len(piece.raw) for piece in framer.feed(flood))
            assert framer.buffered < 60_000
        given_out += sum(len(piece.raw) for piece in framer.flush())
        assert given_out == len(flood.strip(LINE_END)) * 200


def with_length(segment: bytes, length: int) -> bytes:
    """A packet that says another LEN than its bytes."""
    return b"##%04d%b%b\r\n" % (length, segment, crc_text(segment))


@pytest.mark.parametrize("size", [1, 7, None])
@pytest.mark.parametrize(("encoding", "said"), [("utf-8", "utf-8"), ("gbk", "gbk")])
def test_chinese_with_len_in_characters_or_bytes(encoding: str, said: str, size: int | None) -> None:
    text = "ST=32;CN=3020;PW=123456;MN=M1;Flag=4;CP=&&i11001-Info=//清洗管路在店上水站//;a21026-Rtd=1&&"
    segment = text.encode(encoding)
    by_bytes, by_characters = with_length(segment, len(segment)), with_length(segment, len(text))
    pieces = feed(by_bytes + by_characters + GOOD, size)
    assert [getattr(piece, "length_in", piece) for piece in pieces] == ["bytes", said, "bytes"]
    for piece in pieces[:2]:
        assert isinstance(piece, Frame)
        assert parse(piece).readings[0] == ("i11001", {"Info": "//清洗管路在店上水站//"})


def test_broken_chinese_packet_does_not_wait_for_the_next() -> None:
    broken = with_length("CP=&&清洗清洗清洗清洗&&".encode(), 14).replace("洗".encode(), "浇".encode())
    pieces = feed(broken + GOOD, flush=False)
    assert [type(piece) for piece in pieces] == [Rejected, Frame]


def test_segment_longer_than_the_standard() -> None:
    content = ";".join(f"a{i:05d}-Rtd=1.25,a{i:05d}-Flag=N" for i in range(35))
    packet = build(st="31", cn="2011", mn="M1", flag=4, content=content)
    assert 1024 < len(packet) < 1200
    assert len(only(packet).readings) == 35


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([GOOD, GOOD[:-2], GOOD[:30], GOOD[:-6] + b"0000", b"##", b"#", b"\r\n", b"\n##", b"##0050", b"&&"]),
    st.text(alphabet="清洗a;#&\r\n", max_size=20).map(lambda text: frame(text.encode())),
    st.text(alphabet="清洗a;#&", max_size=20).map(lambda text: with_length(text.encode(), len(text))),
    st.text(alphabet="清洗a;#&", max_size=20).map(lambda text: with_length(text.encode("gbk"), len(text))),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12), st.integers(1, 60))
def test_any_bytes_add_up_and_chunking_is_nothing(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole = feed(data)
    assert_adds_up(data, whole)
    assert feed(data, size) == whole
    assert feed(data, 1) == whole
    for piece in whole:
        if isinstance(piece, Frame):
            try:
                parse(piece)
            except PacketError as error:
                assert str(error)  # noqa: PT017 - raised or not, both are right


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_parse_never_raises_anything_else(segment: bytes) -> None:
    for framed in (segment, b"MN=1;CN=2;CP=&&" + segment + b"&&", b"MN=1;" + segment + b";CN=2;CP=&&&&"):
        try:
            packet = parse(Frame(b"", framed))
        except PacketError:
            continue
        answer_9014(packet)


# --- reading -------------------------------------------------------------------------------------


@needs_corpus
def test_expected_parse_of_the_hour_above_the_limit() -> None:
    expected = json.loads(re.findall(r"```json\n(.*?)```", DOMAIN.read_text(encoding="utf-8"), re.DOTALL)[0])
    (packet,) = (only(packet) for source, _, _, packet in corpus() if "CEMS hour, NOx above ultra-low limit" in source)
    head = expected["head"]
    assert packet.header == {name: head[name] for name in ("QN", "ST", "CN", "PW", "MN", "Flag")}
    assert packet.flag == head["flag"]
    assert packet.data_time == expected["meta"]["DataTime"]
    assert packet.meta == expected["meta"]
    assert dict(packet.readings) == expected["data"]
    assert packet.answer_wanted
    assert packet.version == "2017"


@needs_corpus
def test_no_corpus_packet_has_unread_pieces() -> None:
    for number, (_, edition, verdict, packet) in enumerate(corpus(), 1):
        if verdict.startswith("valid"):
            parsed = only(packet)
            assert parsed.unread == [], number
            assert set(parsed.header) <= {"QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF"}, number
            if number != 7:  # a device of 2021 that says 2025
                assert parsed.version == edition, number


def packet_of(segment: str) -> Packet:
    """A segment, framed and parsed."""
    return only(frame(segment.encode()))


@pytest.mark.parametrize(
    "header",
    [
        "QN=1;ST=22;CN=2011;PW=123456;MN=M1;Flag=5;CP=",
        "QN=1,ST=22;CN=2011;PW=123456;MN=M1;Flag=5;CP=",
        "QN=1;ST=22;CN=2011;PW=123456;MN=M1; Flag=5CP=",
        "QN=1;ST=22;CN=2011;PW=123456;,MN=M1;FLAG=5;CP=",
        "QN =1; ST= 22;CN=2011 ;PW=123456;MN=M1;;Flag=5; CP =",
    ],
)
def test_headers_seen_in_the_wild(header: str) -> None:
    packet = packet_of(header + "&&DataTime=20261122100000&&")
    assert packet.header == {"QN": "1", "ST": "22", "CN": "2011", "PW": "123456", "MN": "M1", "Flag": "5"}
    assert (packet.mn, packet.flag, packet.answer_wanted) == ("M1", 5, True)
    assert packet.unread == []


@pytest.mark.parametrize(
    ("content", "readings"),
    [
        ("", []),
        (" ", []),
        (";;a21026-Rtd=1,,;", [("a21026", {"Rtd": "1"})]),
        (" a21026-Rtd =-1.5 , a21026-Flag = N", [("a21026", {"Rtd": "-1.5", "Flag": "N"})]),
        ("a21026-Flag=B", [("a21026", {"Flag": "B"})]),
        ("a21026-Rtd=1;a21026-Flag=N", [("a21026", {"Rtd": "1", "Flag": "N"})]),
        ("a21-Rtd=1;a21-Rtd=2", [("a21", {"Rtd": "1"}), ("a21", {"Rtd": "2"})]),
        ("x-y-z-Rtd=1", [("x-y-z", {"Rtd": "1"})]),
        ("新码-Rtd=1", [("新码", {"Rtd": "1"})]),
        ("a21026-Rtd=", [("a21026", {"Rtd": ""})]),
    ],
)
def test_contents_seen_in_the_wild(content: str, readings: list[tuple[str, dict[str, str]]]) -> None:
    assert packet_of(f"ST=22;CN=2011;MN=M1;Flag=4;CP=&&{content}&&").readings == readings


def test_pieces_without_a_name_are_kept() -> None:
    packet = packet_of("CN=2011;MN=M1;what;CP=&&DataTime=20261122100000123;nonsense&&tail&&end")
    assert sorted(packet.unread) == ["end", "nonsense&&tail", "what"]
    assert packet.data_time == "20261122100000123"


def test_begin_and_end_time_joined_by_a_comma() -> None:
    packet = packet_of("CN=2061;MN=M1;CP=&&BeginTime=20261122080000,EndTime=20261122120000&&")
    assert packet.meta == {"BeginTime": "20261122080000", "EndTime": "20261122120000"}
    assert packet.data_time is None


@pytest.mark.parametrize(
    ("flag", "version", "answer"),
    [("0", "2005", False), ("1", "2005", True), ("3", "2005", True), ("4", "2017", False), ("5", "2017", True),
     ("6", "2017", False), ("7", "2017", True), ("8", "2025", False), ("9", "2025", True), ("11", "2025", True)],
)  # fmt: skip
def test_flag_bits(flag: str, version: str, answer: bool) -> None:
    packet = packet_of(f"QN=1;CN=2011;MN=M1;Flag={flag};CP=&&&&")
    assert (packet.version, packet.answer_wanted) == (version, answer)


@pytest.mark.parametrize("flag", ["", "x", "256", "-1", "٣", "5.0"])
def test_unusable_flag_wants_no_answer(flag: str) -> None:
    packet = packet_of(f"CN=2011;MN=M1;Flag={flag};CP=&&011-Rtd=1&&")
    assert (packet.flag, packet.answer_wanted, packet.version) == (None, False, "2005")
    assert packet.header["Flag"] == flag


def test_codes_tell_the_edition_where_flag_is_missing() -> None:
    assert packet_of("CN=2011;MN=M1;CP=&&a21026-Rtd=1&&").version == "2017"
    assert packet_of("CN=2011;MN=M1;CP=&&011-Rtd=1&&").version == "2005"


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        ("CN=2011;MN=M1", "no CP"),
        ("CN=2011;MN=M1;CP=&&DataTime=1", "no CP"),
        ("CN=2011;CP=&&&&", "no MN"),
        ("MN=M1;CP=&&&&", "no CN"),
        ("", "no CP"),
    ],
)
def test_what_is_no_packet(segment: str, reason: str) -> None:
    with pytest.raises(PacketError, match=reason):
        packet_of(segment)


# --- writing -------------------------------------------------------------------------------------

UPLOAD = "QN=20261122100030456;ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag={};CP=&&&&"


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        (
            5,
            b"##0087QN=20261122100030456;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&BDC1\r\n",
        ),
        (
            9,
            b"##0087QN=20261122100030456;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=8;CP=&&&&B8C1\r\n",
        ),
    ],
)
def test_answer_vectors(flag: int, expected: bytes) -> None:
    assert answer_9014(packet_of(UPLOAD.format(flag))) == expected


def test_answer_in_the_dialect_of_2005() -> None:
    answer = only(answer_9014(packet_of("QN=1;ST=31;CN=2011;PW=123456;MN=M1;Flag=1;CP=&&&&")))
    assert answer.header == {"QN": "1", "ST": "91", "CN": "9014", "PW": "123456", "MN": "M1"}
    answer = only(answer_9014(packet_of("ST=31;CN=2011;MN=M1;CP=&&&&")))
    assert answer.header == {"ST": "91", "CN": "9014", "MN": "M1"}


def test_backfill_request_vector() -> None:
    request = build(
        qn="20261122130000000",
        st="31",
        cn="2061",
        pw="123456",
        mn="010000A8900016F000169DC0",
        flag=5,
        content="BeginTime=20261122080000;EndTime=20261122120000",
    )
    assert request == (
        b"##0134QN=20261122130000000;ST=31;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
        b"CP=&&BeginTime=20261122080000;EndTime=20261122120000&&09C0\r\n"
    )


def test_hour_packet() -> None:
    start = 1_448_899_200  # 2015-12-01 00:00 Beijing time
    readings = {"SO2": "3", "NO2": None, "CO": "0.300", "O3": "-1", "PM10": "121", "PM2.5": None}
    packet = only(hour_packet("20151201010000000", "M1", "123456", start, readings))
    assert packet.header == {
        "QN": "20151201010000000", "ST": "22", "CN": "2061", "PW": "123456", "MN": "M1", "Flag": "5",
    }  # fmt: skip
    assert packet.data_time == "20151201000000"
    assert packet.readings == [
        ("a21026", {"Avg": "3", "Flag": "N"}),
        ("a21004", {"Flag": "B"}),
        ("a21005", {"Avg": "0.300", "Flag": "N"}),
        ("a05024", {"Avg": "-1", "Flag": "N"}),
        ("a34002", {"Avg": "121", "Flag": "N"}),
        ("a34004", {"Flag": "B"}),
    ]


def test_what_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="NOx"):
        hour_packet("1", "M1", "123456", 0, {"NOx": "1"})
    with pytest.raises(ValueError, match="SO2"):
        hour_packet("1", "M1", "123456", 0, {"SO2": "1;2"})
    with pytest.raises(ValueError, match="split it"):
        build(st="22", cn="2011", mn="M1", content="x" * 10_000)
