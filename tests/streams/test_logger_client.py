"""The logger against a small platform of the test's own: requests, giving up, backfill, misbehaviour."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas import times
from streams import hj212
from streams.logger_client import Address, Counts, Logger, Misbehaviour, Outgoing, ReplayError, Timing
from streams.logger_memory import Memory, for_backfill, with_hours_off, with_qn

MN = "010000A8900016F000169DC0"
HOUR = times.parse_stamp("20160801060000")  # start of the first hour that is said
QUICK = Timing(over_time_s=0.05, re_count=2, patience_s=20.0)

# Bytes of HJ 212-2017 Annex C, tables C.1, C.3, C.4 and C.21, and of HJ 212-2025 Annex A.1.
REQUEST_HOURS = (
    b"##0134QN=20160801085857223;ST=32;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&BeginTime=20160801080000;EndTime=20160801080000&&7EC0\r\n"
)
READY = b"##0094QN=20160801085857223;ST=91;CN=9011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&QnRtn=1&&1B00\r\n"
DONE = b"##0095QN=20160801085857223;ST=91;CN=9012;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&ExeRtn=1&&6240\r\n"
SET_CLOCK = (
    b"##0125QN=20160801085857223;ST=32;CN=1012;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&PolId=w01018;SystemTime=20160801085857&&0880\r\n"
)
GET_CLOCK_2025 = (
    b"##0087QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&2200\r\n"
)


def hour(number: int, *, flag: int = 5, cn: str = "2061") -> Outgoing:
    """The hour that many hours after the first, said ten minutes after its end."""
    start = HOUR + number * 3600
    qn = f"{times.stamp(start + 4200)}{number:03d}"
    content = f"DataTime={times.stamp(start)};a21026-Avg={number}.5,a21026-Flag=N"
    data = hj212.build(st="31", cn=cn, mn=MN, qn=qn, pw="123456", flag=flag, content=content)
    return Outgoing(qn, data, flag & 1 == 1)


def request(cn: str, content: str = "", *, qn: str = "20160801120000000", flag: int = 5, mn: str = MN) -> bytes:
    return hj212.build(st="31", cn=cn, mn=mn, qn=qn, pw="123456", flag=flag, content=content)


@dataclass
class Platform:
    """Keeps what loggers send; answers as ``behave`` says: 9014 or 9013, nothing, or the end of the connection."""

    behave: Callable[[hj212.Packet], str] = lambda packet: "answer"
    raw: list[bytes] = field(default_factory=list)  # bytes per connection
    connection: list[int] = field(default_factory=list)  # connection of each packet
    packets: list[hj212.Packet] = field(default_factory=list)
    rejected: list[hj212.Rejected] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    address: Address = field(default_factory=lambda: Address("127.0.0.1", 0))
    server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.address.port)
        self.address = Address("127.0.0.1", self.server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """No connection is left and none is taken."""
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.raw)
        self.raw.append(b"")
        self.writers.append(writer)
        framer = hj212.Framer()
        try:
            while data := await reader.read(65_536):
                self.raw[number] += data
                self.heard(framer.feed(data), number, writer)
            self.heard(framer.flush(), number, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def heard(self, pieces: Iterable[Any], number: int, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            if isinstance(piece, hj212.Rejected):
                self.rejected.append(piece)
                continue
            packet = hj212.parse(piece)
            self.packets.append(packet)
            self.connection.append(number)
            behaviour = self.behave(packet)
            if behaviour == "hang up":
                writer.transport.abort()
            elif behaviour == "answer" and packet.answer_wanted:
                notice = packet.cn in ("1013", "9015")
                flag = packet.flag - 1 if packet.flag is not None else None
                cn = "9013" if notice else "9014"
                writer.write(hj212.build(st="91", cn=cn, mn=packet.mn, qn=packet.qn, pw=packet.pw, flag=flag))

    def say(self, data: bytes) -> None:
        """On the newest connection."""
        self.writers[-1].write(data)

    def of(self, *cns: str) -> list[hj212.Packet]:
        return [packet for packet in self.packets if packet.cn in cns]

    def hours(self) -> list[int]:
        """Numbers of the hours in the order they came."""
        return [(times.parse_stamp(packet.data_time or "") - HOUR) // 3600 for packet in self.of("2061")]


@dataclass
class Case:
    """A logger, and what its owner was told."""

    logger: Logger
    platform: Platform
    counts: Counts
    resolved: int = 0
    answered: list[Outgoing] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look after the logger until something is so."""
        async with asyncio.timeout(20):
            while not condition():
                assert not self.errors, self.errors
                self.logger.check(asyncio.get_running_loop().time())
                await asyncio.sleep(0.005)

    async def say(self, *packets: Outgoing) -> None:
        """Say them and wait until each is answered."""
        wanted = self.resolved + len(packets)
        self.logger.say(list(packets))
        await self.until(lambda: self.resolved == wanted)


def with_logger(
    use: Callable[[Case], Awaitable[None]], *, platform: Platform | None = None, timing: Timing = QUICK, **options: Any
) -> Case:
    """Run ``use`` with a logger that is connected to a platform."""
    cases: list[Case] = []

    async def main() -> None:
        served = platform or Platform()
        await served.start()
        counts = Counts()

        def resolved() -> None:
            case.resolved += 1

        logger = Logger(
            MN, served.address, timing, counts, failed=lambda error: case.errors.append(error), resolved=resolved,
            answered=lambda packet, seconds: case.answered.append(packet), **options,
        )  # fmt: skip
        case = Case(logger, served, counts)
        cases.append(case)
        try:
            await logger.open()
            await use(case)
        finally:
            logger.close()
            served.stop()
            await asyncio.sleep(0.01)

    asyncio.run(main())
    return cases[0]


# ---- what the platform asks for


def test_hours_are_given_as_in_the_annex_of_the_standard() -> None:
    """C.21 asks for 08:00; the logger says C.1, the hour under the QN of the request, C.1."""

    async def use(case: Case) -> None:
        await case.say(*(hour(n) for n in range(4)))
        before = len(case.platform.raw[0])
        case.platform.say(REQUEST_HOURS)
        await case.until(lambda: bool(case.platform.of("9012")))
        expected = hj212.build(
            st="31", cn="2061", mn=MN, qn="20160801085857223", pw="123456", flag=5,
            content="DataTime=20160801080000;a21026-Avg=2.5,a21026-Flag=N",
        )  # fmt: skip
        assert case.platform.raw[0][before:] == READY + expected + DONE

    case = with_logger(use, remember=10)
    assert (case.counts.requests, case.counts.answered, case.resolved) == (1, 4, 4)


def test_both_ends_of_a_range_belong_to_it_and_each_packet_waits_for_its_answer() -> None:
    most = 0

    def behave(packet: hj212.Packet) -> str:
        nonlocal most
        most = max(most, len(case.logger._waiting))
        return "answer"

    async def use(c: Case) -> None:
        nonlocal case
        case = c
        await case.say(*(hour(n) for n in range(6)), hour(2, cn="2051"))
        case.platform.packets.clear()
        content = f"BeginTime={times.stamp(HOUR + 3600)},EndTime={times.stamp(HOUR + 4 * 3600)}"  # the comma is seen
        case.platform.say(request("2061", content))
        await case.until(lambda: bool(case.platform.of("9012")))
        assert case.platform.hours() == [1, 2, 3, 4]
        assert {packet.qn for packet in case.platform.packets} == {"20160801120000000"}
        assert [packet.cn for packet in case.platform.packets] == ["9011", *["2061"] * 4, "9012"]

    case: Case
    with_logger(use, platform=Platform(behave), remember=10)
    assert most == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request("2061", "BeginTime=20200101000000;EndTime=20200102000000"), ["QnRtn=1", "ExeRtn=100"]),
        (request("2031", "BeginTime=20160801000000;EndTime=20160802000000"), ["QnRtn=1", "ExeRtn=100"]),
        (request("2061", "BeginTime=yesterday;EndTime=20160801090000"), ["QnRtn=1", "ExeRtn=3"]),
        (request("2061"), ["QnRtn=1", "ExeRtn=3"]),
        (request("1012", "SystemTime=noon"), ["QnRtn=1", "ExeRtn=3"]),
        (request("3011", "PolId=a21026"), ["QnRtn=8"]),
        (request("2061", "BeginTime=20160801080000;EndTime=20160801080000", mn="ANOTHER"), ["QnRtn=4"]),
        (request("2061", "BeginTime=20200101000000;EndTime=20200102000000", flag=4), ["ExeRtn=100"]),
        (GET_CLOCK_2025, ["QnRtn=8"]),
        (REQUEST_HOURS.replace(b"7EC0", b"7EC1"), []),  # a wrong checksum is discarded
        (request("9014"), []),  # answers to nothing are no requests
        (request("9011", "QnRtn=1"), []),
    ],
)
def test_other_requests(asked: bytes, said: list[str]) -> None:
    async def use(case: Case) -> None:
        await case.say(hour(0))
        case.platform.packets.clear()
        case.platform.say(asked)
        case.platform.say(request("3019", qn="20160801130000000"))  # what came before is done when this is refused
        await case.until(lambda: any(p.qn == "20160801130000000" for p in case.platform.packets))
        answers = [p for p in case.platform.packets if p.qn != "20160801130000000"]
        assert ["".join(f"{k}={v}" for k, v in p.meta.items()) for p in answers] == said
        assert {p.flag for p in answers} <= {8 if asked == GET_CLOCK_2025 else 4}
        assert {p.st for p in answers} <= {"91"}

    with_logger(use, remember=10)


def test_a_wrong_password_is_refused_when_one_is_set() -> None:
    async def use(case: Case) -> None:
        await case.say(hour(0))
        case.platform.say(REQUEST_HOURS.replace(b"PW=123456", b"PW=654321").replace(b"7EC0", b"") + b"\r\n")
        case.platform.say(hj212.build(st="31", cn="2061", mn=MN, qn="20160801120000000", pw="654321", flag=5))
        await case.until(lambda: bool(case.platform.of("9011")))
        assert case.platform.of("9011")[0].meta == {"QnRtn": "3"}

    with_logger(use, password="123456")


def test_the_owner_may_have_the_history() -> None:
    asked: list[tuple[str, int, int]] = []

    def history(cn: str, begin_s: int, end_s: int) -> list[Outgoing]:
        asked.append((cn, begin_s, end_s))
        return [hour(n, flag=4) for n in range(3)]

    async def use(case: Case) -> None:
        await case.say(hour(9))
        case.platform.packets.clear()
        case.platform.say(REQUEST_HOURS)
        await case.until(lambda: bool(case.platform.of("9012")))
        assert case.platform.hours() == [0, 1, 2]
        assert {packet.qn for packet in case.platform.packets} == {"20160801085857223"}

    case = with_logger(use, history=history)
    assert asked == [("2061", HOUR + 2 * 3600, HOUR + 2 * 3600)]
    assert not case.logger.has_unconfirmed


def test_a_request_that_comes_again_is_confirmed_again_and_done_once() -> None:
    held: list[hj212.Packet] = []

    def behave(packet: hj212.Packet) -> str:
        if packet.cn == "2061" and packet.qn == "20160801085857223" and not held:
            held.append(packet)
            return "nothing"
        return "answer"

    async def use(case: Case) -> None:
        await case.say(*(hour(n) for n in range(4)))
        case.platform.say(REQUEST_HOURS)
        await case.until(lambda: bool(held))
        case.platform.say(REQUEST_HOURS)  # the first 9011 was lost
        await case.until(lambda: bool(case.platform.of("9012")))
        assert len(case.platform.of("9011")) == 2
        sent = [p.raw for p in case.platform.of("2061") if p.qn == "20160801085857223"]
        assert len(set(sent)) == 1 and len(sent) >= 2  # one hour, sent again because it was not answered
        case.platform.packets.clear()
        case.platform.say(REQUEST_HOURS)  # the 9012 was lost
        await case.until(lambda: bool(case.platform.of("9012")))
        assert len(case.platform.of("2061")) == 1

    with_logger(use, platform=Platform(behave), remember=10)


def test_live_packets_pass_what_was_asked_for() -> None:
    def behave(packet: hj212.Packet) -> str:
        if packet.qn == "20160801120000000" and len(platform.packets) == 3:
            cases[0].logger.say([hour(20)])
        return "answer"

    async def use(case: Case) -> None:
        cases.append(case)
        await case.say(*(hour(n) for n in range(20)))
        case.platform.packets.clear()
        case.platform.say(request("2061", f"BeginTime={hour_time(0)};EndTime={hour_time(19)}"))
        await case.until(lambda: bool(case.platform.of("9012")))
        assert case.platform.hours() == [0, 1, 20, *range(2, 20)]  # after the one that was on its way

    cases: list[Case] = []
    platform = Platform(behave)
    with_logger(use, platform=platform, remember=30)


def test_a_request_ends_with_its_connection() -> None:
    def behave(packet: hj212.Packet) -> str:
        return "hang up" if packet.qn == "20160801120000000" and packet.cn == "2061" else "answer"

    async def use(case: Case) -> None:
        await case.say(*(hour(n) for n in range(20)))
        case.platform.packets.clear()
        case.platform.say(request("2061", f"BeginTime={hour_time(0)};EndTime={hour_time(19)}"))
        await case.until(lambda: len(case.platform.raw) == 2)
        await case.say(hour(21))
        assert case.platform.hours() == [0, 21]
        assert not case.platform.of("9012")

    with_logger(use, platform=Platform(behave), remember=30)


def test_memory_is_bounded_and_a_packet_without_a_time_belongs_to_no_range() -> None:
    memory = Memory(3)
    for n in range(5):
        memory.add(hour(n))
    memory.add(Outgoing("", hj212.build(st="31", cn="2061", mn=MN, content="a21026-Avg=1"), False))
    assert [packet.qn for packet in memory("2061", 0, 2**33)] == [hour(3).qn, hour(4).qn]
    assert [*memory("2051", 0, 2**33)] == []


# ---- notices


def test_heartbeats_and_the_question_for_the_time() -> None:
    async def use(case: Case) -> None:
        await case.until(lambda: len(case.platform.of("9015")) >= 3)
        await case.until(lambda: case.counts.notices >= 3)
        (beat, *more) = case.platform.of("9015")
        assert (beat.st, beat.pw, beat.mn, beat.flag) == ("31", "123456", MN, 9)
        assert beat.raw.endswith(b";CP=&&&&" + hj212.crc_text(beat.raw[6:-4]))
        case.logger.ask_time()
        await case.until(lambda: bool(case.platform.of("1013")))
        asked = case.platform.of("1013")[0]
        assert (asked.st, asked.flag, asked.qn) == ("31", 5, "20160801085857223")
        assert more

    clock = times.parse_stamp("20160801085857") * 1000 + 223
    case = with_logger(use, heartbeat_s=0.01, st="31", password="123456", clock_ms=lambda: clock)
    assert case.resolved == case.counts.answered == 0


def test_one_notice_at_a_time_and_it_is_no_packet_of_the_owner() -> None:
    async def use(case: Case) -> None:
        await case.until(lambda: len(case.platform.raw) == 3)  # nobody answers 9015: the link counts as down
        assert len({p.raw for p in case.platform.packets}) <= 3
        assert case.logger.unanswered == 0

    with_logger(use, platform=Platform(lambda packet: "nothing"), heartbeat_s=0.01)


def test_a_notice_answer_does_not_answer_data() -> None:
    def behave(packet: hj212.Packet) -> str:
        if len(platform.packets) == 1:
            platform.say(hj212.build(st="91", cn="9013", mn=MN, qn=packet.qn, pw="123456", flag=4))
            return "nothing"
        return "answer"

    async def use(case: Case) -> None:
        await case.say(hour(0))
        assert case.platform.hours() == [0, 0]

    platform = Platform(behave)
    with_logger(use, platform=platform)


# ---- no answer


def test_the_same_bytes_again_then_a_new_connection() -> None:
    async def use(case: Case) -> None:
        case.logger.say([hour(0)])
        await case.until(lambda: len(case.platform.raw) == 3)
        assert set(case.platform.raw[:2]) == {hour(0).data * 3}  # once, and ReCount times again
        case.platform.behave = lambda packet: "answer"
        await case.until(lambda: case.resolved == 1)

    case = with_logger(use, platform=Platform(lambda packet: "nothing"))
    assert case.counts.given_up == 0 and case.counts.reconnects >= 2


def test_patience_ends_with_one_line() -> None:
    async def use(case: Case) -> None:
        case.logger.say([hour(0), hour(1)])
        with pytest.raises(AssertionError):
            await case.until(lambda: False)
        (error,) = case.errors
        assert isinstance(error, ReplayError)
        assert hour(0).qn in str(error) and MN in str(error) and "\n" not in str(error)
        case.errors.clear()

    with_logger(use, platform=Platform(lambda packet: "nothing"), timing=Timing(0.02, 1, 0.2))


def test_a_logger_of_2025_sends_later_what_it_gave_up_the_newest_first() -> None:
    mute = True

    async def use(case: Case) -> None:
        nonlocal mute
        case.logger.say([hour(n, flag=9) for n in range(4)])
        await case.until(lambda: case.counts.given_up == 4)
        assert case.resolved == 0 and case.logger.unanswered == 4
        mute = False
        case.platform.packets.clear()
        case.logger.say([hour(n, flag=9) for n in (4, 5)])
        await case.until(lambda: case.resolved == 6)

    platform = Platform(lambda packet: "nothing" if mute else "answer")
    case = with_logger(use, platform=platform, gives_up=True, timing=dataclasses.replace(QUICK, patience_s=math.inf))
    assert (case.counts.given_up, case.counts.backfilled, case.counts.answered) == (4, 4, 6)
    late = [packet for packet in platform.packets if "RF" in packet.header]
    hours = [(times.parse_stamp(packet.data_time or "") - HOUR) // 3600 for packet in late]
    assert hours[-3:] == sorted(hours[-3:], reverse=True)  # the first may have been on its way before the silence ended
    assert set(hours) == {0, 1, 2, 3}
    assert {number for number in platform.hours() if number > 3} == {4, 5}
    assert not any("RF" in packet.header for packet in platform.packets if packet.data_time == hour_time(5))


def hour_time(number: int) -> str:
    return times.stamp(HOUR + number * 3600)


def test_a_logger_of_2017_gives_up_and_waits_to_be_asked() -> None:
    mute = True

    async def use(case: Case) -> None:
        nonlocal mute
        case.logger.say([hour(0)])
        await case.until(lambda: case.resolved == 1)
        assert case.answered == []
        mute = False
        await case.say(hour(1))
        case.platform.packets.clear()
        content = f"BeginTime={hour_time(0)};EndTime={hour_time(0)}"
        case.platform.say(request("2061", content))
        await case.until(lambda: bool(case.platform.of("9012")))
        assert case.platform.hours() == [0]

    platform = Platform(lambda packet: "nothing" if mute else "answer")
    case = with_logger(use, platform=platform, gives_up=True, remember=10)
    assert (case.counts.given_up, case.counts.backfilled, case.counts.answered) == (1, 0, 1)


def test_without_a_connection_it_gives_up_too() -> None:
    async def use(case: Case) -> None:
        await case.say(hour(0, flag=9))
        case.platform.stop()
        await case.until(lambda: not case.logger.ready)
        case.logger.say([hour(n, flag=9) for n in (1, 2, 3)])
        await case.until(lambda: case.counts.given_up == 3)
        await case.platform.start()
        await case.until(lambda: case.resolved == 4)
        assert case.platform.hours() == [0, 3, 2, 1]

    timing = dataclasses.replace(QUICK, patience_s=math.inf)
    case = with_logger(use, gives_up=True, timing=timing)
    assert case.counts.backfilled == 3


def test_the_gateway_hears_what_was_given_up_as_backfill_in_the_place_of_the_standard() -> None:
    late = for_backfill(hour(0, flag=9))
    assert late is not None
    assert b";Flag=9;RF=1;CP=&&DataTime=" in late.data  # after Flag, PNUM and PNO, before CP
    (frame,) = hj212.Framer().feed(late.data)
    assert isinstance(frame, hj212.Frame)
    assert hj212.parse(frame).readings == [("a21026", {"Avg": "0.5", "Flag": "N"})]
    assert for_backfill(late) == late
    assert for_backfill(hour(0, flag=5)) is None
    assert for_backfill(Outgoing("", hj212.build(st="31", cn="2061", mn=MN), True)) is None
    sealed = hour(0, flag=9)._replace(data=hour(0, flag=9).data.replace(b"a21026", b"\x01\x02\x03\x04\x05\x06"))
    assert for_backfill(sealed) == sealed  # encrypted: nobody can compute its checksum without the key


def test_a_packet_without_qn_gets_that_of_the_request() -> None:
    bare = Outgoing("", hj212.build(st="31", cn="2061", mn=MN, content="DataTime=20160801080000"), False)
    asked = with_qn(bare, "20160801085857223")
    assert asked.qn == "20160801085857223"
    (frame,) = hj212.Framer().feed(asked.data)
    assert isinstance(frame, hj212.Frame)
    assert hj212.parse(frame).qn == "20160801085857223"


# ---- misbehaviour


BAD_BUT_HONEST = {
    "byte by byte": Misbehaviour(chunk_bytes=1),
    "seven bytes": Misbehaviour(chunk_bytes=7),
    "slow": Misbehaviour(chunk_bytes=40, chunk_pause_s=0.001),
    "glued": Misbehaviour(glued=5),
    "stars": Misbehaviour(stars=True),
    "lower case": Misbehaviour(lower_case_crc=True),
    "wrong checksums": Misbehaviour(wrong_crc=0.5),
    "wrong lengths": Misbehaviour(wrong_len=0.5),
    "garbage": Misbehaviour(garbage=0.7),
    "cut": Misbehaviour(cut=0.5),
    "impatient": Misbehaviour(impatient=2),
    "second connection": Misbehaviour(second_connection=0.5),
    "silent": Misbehaviour(silent_after=3, silent_s=0.1),
    "everything": Misbehaviour(
        chunk_bytes=7, glued=3, stars=True, lower_case_crc=True, wrong_crc=0.2, wrong_len=0.2, garbage=0.3, cut=0.1,
        impatient=1, second_connection=0.2, silent_after=5, silent_s=0.1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BUT_HONEST)
def test_whatever_it_does_wrong_every_packet_arrives(name: str) -> None:
    bad = BAD_BUT_HONEST[name]
    packets = [hour(n) for n in range(12)]

    async def use(case: Case) -> None:
        await case.say(*packets)

    case = with_logger(use, misbehaviour=bad, timing=Timing(0.1, 2, 20.0))
    platform = case.platform
    heard = {packet.raw.upper() for packet in platform.packets}  # the checksum may be in lower case
    assert heard == {packet.data.rstrip(b"\r\n").upper() for packet in packets}
    assert sorted(set(platform.hours())) == list(range(12))
    assert sorted(packet.qn for packet in case.answered) == [packet.qn for packet in packets]
    if bad.wrong_crc or bad.wrong_len or bad.garbage:
        assert platform.rejected
    if bad.cut or bad.second_connection:
        assert len(platform.raw) > 1
    if bad.glued:
        assert b"\r\n" not in platform.raw[0]
    if bad.stars:
        assert platform.raw[0].count(b"**") >= platform.raw[0].count(b"\r\n") > 0 or bad.glued
    if bad.lower_case_crc:
        assert any(packet.raw != packet.raw[:-4] + packet.raw[-4:].upper() for packet in platform.packets)
    if bad.impatient:
        assert len(platform.packets) >= 12 * (1 + bad.impatient) * (0.3 if name == "everything" else 1)
    if name == "second connection":
        assert {platform.connection[n] for n in range(len(platform.packets))} != {0}
        assert len(platform.packets) > 12


def test_a_deaf_logger_resends_although_it_was_answered() -> None:
    async def use(case: Case) -> None:
        case.logger.say([hour(0)])
        await case.until(lambda: len(case.platform.packets) >= 5)
        assert case.resolved == 0
        assert {packet.raw for packet in case.platform.packets} == {hour(0).data[:-2]}

    case = with_logger(use, misbehaviour=Misbehaviour(deaf=True))
    assert case.counts.resent >= 4 and case.counts.reconnects >= 1


def test_a_silent_logger_keeps_its_connection_and_says_nothing_of_its_own() -> None:
    async def use(case: Case) -> None:
        case.logger.say([hour(n) for n in range(4)])
        await case.until(lambda: case.resolved == 2)
        case.platform.say(request("3019"))  # it still answers, and all it said before came before
        await case.until(lambda: bool(case.platform.of("9011")))
        assert case.platform.hours() == [0, 1]
        assert len(case.platform.raw) == 1

    with_logger(use, misbehaviour=Misbehaviour(silent_after=2, silent_s=3_600))


def test_a_wrong_clock_until_the_platform_sets_it() -> None:
    """C.3 sets 08:58:57; the logger's own clock thinks that it is 16:58:57."""
    clock = times.parse_stamp("20160801085857") * 1000

    async def use(case: Case) -> None:
        await case.say(hour(0))
        (wrong,) = case.platform.packets
        assert (wrong.data_time, wrong.qn) == ("20160801140000", "20160801151000000")
        assert case.answered[0].qn == wrong.qn
        case.logger.ask_time()
        await case.until(lambda: bool(case.platform.of("1013")))
        assert case.platform.of("1013")[0].qn == "20160801165857000"
        case.platform.say(SET_CLOCK)
        await case.until(lambda: bool(case.platform.of("9012")))
        assert case.platform.raw[0].endswith(READY + DONE)
        await case.say(hour(1))
        assert case.platform.packets[-1].data_time == "20160801070000"

    case = with_logger(use, clock_ms=lambda: clock, misbehaviour=Misbehaviour(clock_off_hours=8))
    assert case.logger.clock_off_hours == 0


def test_a_moved_packet_is_moved_in_both_places_and_nowhere_else() -> None:
    content = "DataTime=20160801230000;a21026-Avg=20160801230000"
    packet = Outgoing(
        "20160801230000123", hj212.build(st="31", cn="2061", mn=MN, qn="20160801230000123", content=content), True
    )
    moved = with_hours_off(packet, 2)
    assert moved.qn == "20160802010000123"
    assert moved.data == hj212.build(
        st="31", cn="2061", mn=MN, qn=moved.qn, content="DataTime=20160802010000;a21026-Avg=20160801230000"
    )


def test_the_same_seed_says_the_same_whatever_the_timing() -> None:
    bad = BAD_BUT_HONEST["everything"]

    def said(bad: Misbehaviour) -> list[bytes]:
        return [bad.utter(hour(n).data, bad.chance(MN, hour(n).qn, sending)) for n in range(9) for sending in (1, 2)]

    assert said(bad) == said(bad)
    assert said(bad) != said(dataclasses.replace(bad, seed=1))
    assert said(Misbehaviour()) == [hour(n).data for n in range(9) for _ in (1, 2)]


def test_shares_are_shares() -> None:
    bad = Misbehaviour(wrong_crc=0.25)
    right = sum(bad.utter(hour(0).data, bad.chance(MN, str(n), 1)) == hour(0).data for n in range(2_000))
    assert 1_400 < right < 1_600
    bad = Misbehaviour(wrong_len=1.0)
    for n in range(200):
        (piece,) = bad.chunks(bad.utter(hour(0).data, bad.chance(MN, str(n), 1)))
        assert piece[6:] == hour(0).data[6:] and piece[2:6] != hour(0).data[2:6] and piece[2:6].isdigit()
    assert Misbehaviour(chunk_bytes=7).chunks(b"x" * 15) == [b"x" * 7, b"x" * 7, b"x"]


def test_the_wall_clock_is_the_default() -> None:
    async def use(case: Case) -> None:
        before = time.time()
        case.logger.ask_time()
        await case.until(lambda: bool(case.platform.of("1013")))
        said = times.parse_stamp(case.platform.of("1013")[0].qn[:14])
        assert int(before) <= said <= time.time()

    with_logger(use)
