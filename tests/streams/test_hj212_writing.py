"""What is written: the norm's own packets byte for byte, every edition read back as the same record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import hj212_codes, times
from streams.hj212 import (
    Crc,
    Device,
    Frame,
    Packet,
    answer_9011,
    answer_9012,
    answer_9013,
    answer_9014,
    data_packet,
    frame,
    parse,
    request,
    set_clock,
)
from tests.streams.hj212_pieces import KEY, LINE_END, corpus, feed, needs_corpus, only, row, textbook_modbus

MN = "010000A8900016F000169DC0"
OPEN = Device("either", KEY)


def rows_of(words: str) -> list[bytes]:
    """Corpus packets whose source has the words."""
    return [packet for source, *_, packet in corpus() if words in source]


# --- the norm's own ------------------------------------------------------------------------------


@needs_corpus
def test_dialogue_of_annex_c() -> None:
    asked, ready, done = rows_of("Table C.1 ")
    assert answer_9011(only(asked)) == ready + LINE_END
    assert answer_9012(only(asked)) == done + LINE_END


@needs_corpus
@pytest.mark.parametrize(
    ("table", "cn", "time"), [("C.20", "2051", "084000"), ("C.21", "2061", "080000"), ("C.22", "2031", "000000")]
)
def test_requests_of_annex_c(table: str, cn: str, time: str) -> None:
    at = times.parse_stamp(f"20160801{time}")
    (expected,) = rows_of(f"Table {table} ")
    made = request(st="32", cn=cn, mn=MN, qn="20160801085857223", pw="123456", begin_s=at, end_s=at)
    assert made == expected + LINE_END


@needs_corpus
def test_clock_of_annex_c() -> None:
    # the norm's example names the instrument (PolId); without it the logger is meant
    (expected,) = rows_of("Table C.3 ")[:1]
    made = only(
        set_clock(st="32", mn=MN, qn="20160801085857223", pw="123456", system_s=times.parse_stamp("20160801085857"))
    )
    told = only(expected)
    assert made.header == told.header
    assert made.meta == {"SystemTime": told.meta["SystemTime"]}


def test_backfill_request_vector() -> None:
    made = request(
        st="31", cn="2061", mn=MN, qn="20261122130000000", pw="123456",
        begin_s=times.parse_stamp("20261122080000"), end_s=times.parse_stamp("20261122120000"),
    )  # fmt: skip
    assert made == (
        b"##0134QN=20261122130000000;ST=31;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
        b"CP=&&BeginTime=20261122080000;EndTime=20261122120000&&09C0\r\n"
    )


@needs_corpus
def test_answers_of_2025() -> None:
    (beat,), (answer,) = rows_of("2025 heartbeat 9015"), rows_of("2025 heartbeat answer 9013")
    assert answer_9013(only(beat)) == answer + LINE_END
    (uploaded,), (answer,) = rows_of("2025 realtime Flag=9"), rows_of("2025 data answer 9014")
    assert answer_9014(only(uploaded)) == answer + LINE_END


@needs_corpus
def test_notice_of_2017() -> None:
    asked, answer = rows_of("Table C.4 ")
    assert only(answer_9013(only(asked))).header == only(answer).header


@needs_corpus
@pytest.mark.parametrize("edition", ["2005", "2017", "2025"])
def test_answers_have_the_dialect_of_the_packet(edition: str) -> None:
    packets = [only(packet) for _, e, verdict, packet in corpus() if verdict.startswith("valid") and e == edition]
    assert packets
    for packet in packets:
        answer = only(answer_9014(packet))
        assert (answer.qn, answer.mn, answer.pw) == (packet.qn, packet.mn, packet.pw)
        assert answer.flag == {"2005": None, "2017": 4, "2025": 8}[packet.version]
        assert not answer.answer_wanted


def test_answer_has_the_checksum_of_the_packet() -> None:
    segment = b"QN=1;ST=31;CN=2011;PW=1;MN=M1;Flag=5;CP=&&&&"
    packet = only(frame(segment, "modbus"), Device("modbus"))
    for answer in (answer_9014(packet), answer_9013(packet), answer_9011(packet), answer_9012(packet)):
        assert int(answer[-6:-2], 16) == textbook_modbus(answer[6:-6])


@pytest.mark.parametrize(("edition", "flag", "between"), [("2005", 1, b","), ("2017", 5, b";"), ("2025", 9, b";")])
def test_request_in_every_edition(edition: str, flag: int, between: bytes) -> None:
    made = request(
        st="32",
        cn="2061",
        mn="M1",
        qn="20261122130000000",
        pw="1",
        begin_s=0,
        end_s=3600,
        edition=edition,
        crc="modbus",
    )
    packet = only(made, Device("modbus"))
    assert (packet.flag, packet.version) == (flag, edition)
    assert packet.meta == {"BeginTime": "19700101080000", "EndTime": "19700101090000"}
    assert b"BeginTime=19700101080000" + between + b"EndTime" in made


def test_request_is_sealed_for_a_device_with_a_key() -> None:
    made = request(st="31", cn="2061", mn="M1", qn="1", pw="1", begin_s=0, end_s=3600, edition="2025", sm4_key=KEY)
    assert b"BeginTime" not in made
    packet = only(made, OPEN)
    assert packet.sealed
    assert set(packet.meta) == {"BeginTime", "EndTime"}
    plain = set_clock(st="31", mn="M1", qn="1", pw="1", system_s=0, edition="2025", sm4_key=KEY)
    assert b"SystemTime=19700101080000" in plain  # SM4 does not apply to 1012


# --- data of every edition -----------------------------------------------------------------------

READINGS = [
    ("a21026", {"Rtd": "14.60", "ZsRtd": "17.80", "Flag": "N"}),
    ("a19001", {"Rtd": "8.7", "Flag": "N"}),
    ("a24088", {"Rtd": "1.5", "Flag": "N"}),
]


@needs_corpus
def test_realtime_of_the_corpus_is_written_as_it_is() -> None:
    for words in (
        "synthetic: CEMS realtime", "CEMS hour, NOx", "waste water minute", "facility states", "run time 2041",
        "2025 realtime", "2025 backfill RF=1", "2025 production power", "flue process",
    ):  # fmt: skip
        (expected,) = rows_of(words)
        packet = only(expected)
        made = data_packet(
            st=packet.st, cn=packet.cn, mn=packet.mn, qn=packet.qn, pw=packet.pw, data_time=packet.data_time,
            readings=packet.readings, edition=packet.version, rf=packet.rf,
        )  # fmt: skip
        assert made == [expected + LINE_END], words


def record(packet: Packet) -> list[tuple[str, str]]:
    """Names and values, whatever the codes were."""
    return [(hj212_codes.column_name(code, s), v) for code, values in packet.readings for s, v in values.items()]


@pytest.mark.parametrize("crc", ["hj212", "modbus"])
def test_the_same_reading_in_every_edition_is_the_same_record(crc: Crc) -> None:
    records = []
    for edition, key in (("2005", None), ("2017", None), ("2025", None), ("2025", KEY)):
        (made,) = data_packet(
            st="31", cn="2011", mn="M1", qn="20261122100030456", pw="1", data_time="20261122100030", readings=READINGS,
            edition=edition, crc=crc, sm4_key=key,
        )  # fmt: skip
        packet = only(made, OPEN)
        assert (packet.version, packet.crc, packet.sealed) == (edition, crc, key is not None)
        records.append(record(packet))
    assert records == [records[0]] * 4
    assert records[0][:2] == [("SO2", "14.60"), ("SO2-Zs", "17.80")]


@needs_corpus
def test_old_and_new_rows_of_real_loggers_name_the_same_factors() -> None:
    # waste water of one maker's two loggers, 2005 and 2017
    new = {name for p in rows_of("waste water with SampleTime") for name, _ in record(only(p)) if "-" not in name}
    old = {
        name
        for name, _ in record(only(next(packet for *_, packet in corpus() if b"MN=81733553216204" in packet)))
        if "-" not in name
    }
    assert old == {"pH", "flow", "COD", "NH3N", "TP", "TN"}
    assert old <= new


def test_old_codes_go_out_and_unknown_ones_stay() -> None:
    (made,) = data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=READINGS, edition="2005", answer=False)
    assert made[6:-6] == (
        b"ST=31;CN=2011;MN=M1;CP=&&02-Rtd=14.60,02-ZsRtd=17.80,02-Flag=N;S01-Rtd=8.7,S01-Flag=N;"
        b"a24088-Rtd=1.5,a24088-Flag=N&&"
    )
    packet = only(made)
    assert (packet.version, packet.flag, packet.answer_wanted, packet.qn) == ("2005", None, False, "")


@pytest.mark.parametrize(
    ("edition", "answer", "flag"),
    [
        ("2005", True, 1),
        ("2005", False, None),
        ("2017", True, 5),
        ("2017", False, 4),
        ("2025", True, 9),
        ("2025", False, 8),
    ],
)
def test_flag(edition: str, answer: bool, flag: int | None) -> None:
    (made,) = data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=[], edition=edition, answer=answer)
    assert only(made).flag == flag


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 99999), st.text("0123456789.", min_size=1, max_size=300)), min_size=1, max_size=40
    ),
    st.integers(120, 1024),
    st.sampled_from(["2005", "2017", "2025"]),
    st.booleans(),
)
def test_parts_hold_everything_in_order(values: list[tuple[int, str]], limit: int, edition: str, sealed: bool) -> None:
    readings = [(f"x{code:05d}", {"Rtd": text, "Flag": "N"}) for code, text in values]
    made = data_packet(
        st="31", cn="2051", mn="M1", qn="20261231235959998", pw="123456", data_time="20261122100030", readings=readings,
        edition=edition, limit=limit, sm4_key=KEY if sealed and edition == "2025" else None,
    )  # fmt: skip
    pieces = feed(b"".join(made), device=OPEN)
    packets = [parse(piece) for piece in pieces if isinstance(piece, Frame)]
    assert len(packets) == len(made) == len(pieces)
    assert [reading for packet in packets for reading in packet.readings] == readings
    for number, (piece, packet) in enumerate(zip(pieces, packets, strict=True), 1):
        assert len(packet.readings) == 1 or len(piece.raw) <= limit + 10
        assert packet.data_time == "20261122100030"
        assert packet.answer_wanted
        if len(made) > 1:
            assert (packet.pnum, packet.pno) == (len(made), number)
            assert packet.flag == {"2005": 3, "2017": 7, "2025": 11}[edition]
    qns = [packet.qn for packet in packets]
    assert len(set(qns)) == len(qns)
    assert qns[:3] == ["20261231235959998", "20261231235959999", "20270101000000000"][: len(qns)]


def test_what_no_edition_can_say() -> None:
    with pytest.raises(ValueError, match="2017: RF and SM4"):
        data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=[], rf=True)
    with pytest.raises(ValueError, match="RF and SM4"):
        data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=[], edition="2005", sm4_key=KEY)
    for readings in ([("a", {"Rtd": "1;2"})], [("a&", {"Rtd": "1"})], [("a", {"R,d": "1"})]):
        with pytest.raises(ValueError, match="HJ 212 uses"):
            data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=readings)
    with pytest.raises(ValueError, match="split it"):
        data_packet(st="31", cn="2011", mn="M1", data_time=None, readings=[("a", {"Rtd": "1" * 10_000})])


# --- fields that are read ------------------------------------------------------------------------


@needs_corpus
def test_parts_and_backfill_of_the_corpus() -> None:
    first, second = (only(packet) for packet in rows_of("synthetic: split"))
    assert [(p.pnum, p.pno) for p in (first, second)] == [(2, 1), (2, 2)]
    (late,) = rows_of("2025 backfill RF=1")
    assert only(late).rf
    assert not only(row(1)).rf
    assert (only(row(1)).pnum, only(row(1)).pno) == (None, None)


@pytest.mark.parametrize("digits", ["", "x", "-1", "٣", "1.0", "12345"])
def test_unreadable_part_numbers(digits: str) -> None:
    packet = only(frame(f"CN=2011;MN=M1;PNUM={digits};PNO=0002;RF={digits};CP=&&&&".encode()))
    assert (packet.pnum, packet.pno, packet.rf) == (None, 2, False)


@needs_corpus
def test_results_and_ranges_are_items_without_a_factor() -> None:
    _, ready, done = (only(packet) for packet in rows_of("Table C.1 "))
    assert (ready.meta["QnRtn"], done.meta["ExeRtn"]) == ("1", "1")
    packet = only(rows_of("Table C.23 ")[0])
    assert packet.meta == {"BeginTime": "20160801000000", "EndTime": "20160801000000"}
