"""The replay player against a small gateway that answers, forgets, hangs up and dies on demand."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from schemas import registry, times
from streams import hj212
from streams.player import Address, ReplayError, ReplayPlan, ReplayReport, Timing, replay

HOUR_MS = 3_600_000
FIRST_END = 1_420_045_200  # 2015-01-01 01:00 Beijing time
HEADER = "hour_start,station,so2_ug_m3,no2_ug_m3,co_ug_m3,o3_ug_m3,pm10_ug_m3,pm25_ug_m3\n"
DISTRICT = """
format = 1
name = "试验"
[[group]]
id = "g"
name = "g"
[[area]]
id = "a"
name = "a"
group = "g"
[[station]]
id = "north"
name = "北站"
area = "a"
mn = "MN1"
valid_from = 2015-01-01
[[station]]
id = "south"
name = "南站"
area = "a"
mn = "MN2"
valid_from = 2015-01-01
"""
LISTED = {"MN1", "MN2"}
QUICK = Timing(over_time_s=0.05, re_count=2, patience_s=20.0)
Result = TypeVar("Result")
ANSWER, DROP, HANG_UP = "answer", "drop", "hang up"


class FakeGateway:
    """A gateway of one process: keeps what it got, forgets its clock when it dies."""

    def __init__(self, behave: Callable[[hj212.Packet, int], str] = lambda packet, times_seen: ANSWER) -> None:
        self.behave = behave
        self.packets: list[tuple[hj212.Packet, int | None]] = []  # with the clock at arrival
        self.seen: Counter[bytes] = Counter()
        self.operations: list[dict[str, Any]] = []
        self.dead: dict[str, dict[str, str]] = {}
        self.clock: int | None = None
        self.live = False
        self.hellos = 0
        self.connections = 0
        self.most_unanswered = 0
        self.ports = (0, 0)
        self.deaths = 0
        self._transports: dict[int, asyncio.Transport] = {}
        self._bytes: dict[int, int] = {}
        self._control: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []

    @property
    def to(self) -> Address:
        return Address("127.0.0.1", self.ports[0])

    @property
    def control(self) -> Address:
        return Address("127.0.0.1", self.ports[1])

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        data = await loop.create_server(lambda: _FakeConnection(self), "127.0.0.1", self.ports[0])
        control = await asyncio.start_server(self._serve, "127.0.0.1", self.ports[1])
        self._servers = [data, control]
        self.ports = (data.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1])

    def die(self) -> None:
        """As after SIGKILL: every socket is gone, and so is the clock."""
        self.deaths += 1
        for server in self._servers:
            server.close()
        for transport in list(self._transports.values()):
            transport.abort()
        for writer in list(self._control):
            writer.transport.abort()
        self._transports.clear()
        self._bytes.clear()
        self.clock = None

    def die_and_come_back(self, after_s: float = 0.2) -> None:
        self.die()
        loop = asyncio.get_running_loop()
        self._reviving = loop.create_task(self._revive(after_s))

    async def _revive(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._control.add(writer)
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                reply = await self._operation(asked)
                if reply is None:
                    return
                writer.write(json.dumps(reply).encode() + b"\n")
        except ConnectionError:
            pass
        finally:
            self._control.discard(writer)
            writer.close()

    async def _operation(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if asked["op"] == "hello":
            assert (asked["v"], asked["role"]) == (1, "player")
            self.hellos += 1
            if self.live:
                return {"ok": False, "error": "this log is live"}
            return {"ok": True, "log": "virtual" if self.clock else "empty", "now": self.clock}
        deaths = self.deaths
        if asked["op"] == "clock":
            for port, count in asked["sent"].items():
                while int(port) in self._bytes and self._bytes[int(port)] < count:
                    await asyncio.sleep(0)
            if deaths != self.deaths:
                return None
            self.clock = max(self.clock or 0, asked["to"])
            self.operations.append(asked)
            return {"ok": True, "now": self.clock}
        assert asked["op"] == "dead"
        self.operations.append(asked)
        self.dead |= {item["id"]: item for item in asked["items"]}
        return {"ok": True}

    # ---- what tests ask

    def arrived(self) -> dict[bytes, tuple[hj212.Packet, int | None]]:
        """Different packets in the order of their first arrival."""
        first: dict[bytes, tuple[hj212.Packet, int | None]] = {}
        for packet, clock in self.packets:
            first.setdefault(packet.raw, (packet, clock))
        return first

    def hours(self, mn: str) -> list[str]:
        """DataTime of the different packets of a logger."""
        return [packet.data_time or "" for packet, _ in self.arrived().values() if packet.mn == mn]


class _FakeConnection(asyncio.Protocol):
    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.framer = hj212.Framer()
        self.unanswered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.port = transport.get_extra_info("peername")[1]
        self.gateway.connections += 1
        self.gateway._transports[self.port] = transport
        self.gateway._bytes[self.port] = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.gateway._transports.pop(self.port, None)
        self.gateway._bytes.pop(self.port, None)

    def data_received(self, data: bytes) -> None:
        gateway = self.gateway
        pieces = self.framer.feed(data)
        if any(b"MN=MN" in piece.raw for piece in pieces):
            gateway.most_unanswered = max(gateway.most_unanswered, len(pieces))
        for piece in pieces:
            assert isinstance(piece, hj212.Frame)
            packet = hj212.parse(piece)
            gateway.seen[piece.raw] += 1
            behaviour = gateway.behave(packet, gateway.seen[piece.raw])
            if behaviour == HANG_UP or self.transport.is_closing():
                self.transport.abort()
                return
            gateway.packets.append((packet, gateway.clock))
            if behaviour == ANSWER and packet.mn in LISTED:
                self.transport.write(hj212.answer_9014(packet))
        if self.port in gateway._bytes:
            gateway._bytes[self.port] = self.framer.handled


def row(hour: int, station: str, values: str = "1,2,300,4,5,6") -> str:
    """A line whose hour starts that many hours after 2015-01-01 00:00."""
    return f"{times.text(FIRST_END + (hour - 1) * 3600)[:16]},{station},{values}\n"


def table(hours: int, stations: tuple[str, ...] = ("north", "south")) -> str:
    """Hours of these stations in order."""
    return HEADER + "".join(row(hour, station) for hour in range(hours) for station in stations)


def play(
    gateway: FakeGateway,
    path: Path,
    text: str,
    *,
    again: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **more: Any,
) -> ReplayReport:
    """Replay a file of that text into the gateway; the report of the last time."""
    file = path / "air.csv"
    file.write_text(text, encoding="utf-8")
    plan: dict[str, Any] = {"files": [file], "registry": registry.parse(DISTRICT, "test"), "timing": QUICK} | more

    async def run() -> ReplayReport:
        await gateway.start()
        addresses = {"to": gateway.to, "control": gateway.control} | plan
        for _ in range(1 + again):
            report = await replay(ReplayPlan(**addresses), progress)
        return report

    return within(run())


def within(work: Coroutine[Any, Any, Result], seconds: float = 60) -> Result:
    """Run, but not for ever."""

    async def limited() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(limited())


def end_ms(packet: hj212.Packet) -> int:
    """When the packet's hour ended."""
    return times.parse_stamp(packet.data_time or "") * 1000 + HOUR_MS


def assert_all_on_time(gateway: FakeGateway) -> None:
    """Whenever a packet arrived, the clock stood at the end of its hour.

    One that nobody answers may come again an instant later: the gateway died while it confirmed it.
    """
    for packet, clock in gateway.packets:
        late = 0 if packet.mn in LISTED or gateway.seen[packet.raw] == 1 else HOUR_MS
        assert end_ms(packet) <= (clock or 0) <= end_ms(packet) + late, packet


def stamps(hours: int) -> list[str]:
    """DataTime of the first hours."""
    return [times.stamp(FIRST_END + (hour - 1) * 3600) for hour in range(hours)]


# --- the plain replay ----------------------------------------------------------------------------


def test_rows_become_packets_at_their_instants(tmp_path: Path) -> None:
    gateway = FakeGateway()
    seen: list[tuple[int, int]] = []
    text = HEADER + row(0, "north", "3,,300,NA,-1,6.50") + row(0, "南站") + row(1, "north")
    report = play(gateway, tmp_path, text, progress=lambda done, total: seen.append((done, total)))

    packets = [packet for packet, _ in gateway.packets]
    assert [(p.mn, p.qn, p.data_time) for p in packets] == [
        ("MN1", "20150101010000000", "20150101000000"),
        ("MN2", "20150101010000000", "20150101000000"),
        ("MN1", "20150101020000000", "20150101010000"),
    ]
    assert (packets[0].cn, packets[0].st, packets[0].flag) == ("2061", "22", 5)
    assert dict(packets[0].readings) == {
        "a21026": {"Avg": "3", "Flag": "N"},
        "a21004": {"Flag": "B"},
        "a21005": {"Avg": "0.300", "Flag": "N"},
        "a05024": {"Flag": "B"},
        "a34002": {"Avg": "-1", "Flag": "N"},
        "a34004": {"Avg": "6.50", "Flag": "N"},
    }
    assert_all_on_time(gateway)
    assert seen == [(2, 3), (3, 3)]
    close = times.day_end(times.day_of(FIRST_END)) + 2 * 3600
    clocks = [operation["to"] for operation in gateway.operations if operation["sent"]]
    assert clocks == [(FIRST_END + 3600) * 1000, close * 1000]
    assert gateway.clock == close * 1000
    assert report.as_dict() | {"seconds": 0} == {
        "rows": 3, "packets": 3, "answered": 3, "unlisted": 0, "resent": 0, "reconnects": 0, "rejected": 0,
        "seconds": 0, "first_instant": "2015-01-01 01:00:00", "last_instant": "2015-01-01 02:00:00",
        "instants": 2, "loggers": 2,
    }  # fmt: skip
    json.dumps(report.as_dict())


def test_without_finish_the_clock_stays(tmp_path: Path) -> None:
    gateway = FakeGateway()
    play(gateway, tmp_path, table(3), finish=False)
    assert gateway.clock == (FIRST_END + 2 * 3600) * 1000


def test_one_packet_at_a_time_and_stale_answers_are_no_answers(tmp_path: Path) -> None:
    gateway = FakeGateway()
    first = hj212.build(st="91", cn="9014", mn="MN1", qn="20150101010000000", pw="123456", flag=4)
    other = hj212.build(st="91", cn="9013", mn="MN1", qn="20150101010000001", pw="123456", flag=4)

    def behave(packet: hj212.Packet, times_seen: int) -> str:
        if packet.qn == "20150101010000001" and times_seen == 1:
            next(iter(gateway._transports.values())).write(first + b"garbage\r\n" + other)
            return DROP
        return ANSWER

    gateway.behave = behave
    text = HEADER + "".join(row(0, "north", f"{i},2,300,4,5,6") for i in range(5))
    report = play(gateway, tmp_path, text)
    assert gateway.most_unanswered == 1
    assert report.answered == 5
    assert report.resent >= 1
    qns = [packet.qn for packet, _ in gateway.arrived().values()]
    assert qns == [f"2015010101000000{i}" for i in range(5)]
    assert gateway.seen[next(p.raw for p, _ in gateway.packets if p.qn.endswith("1"))] >= 2


def test_the_same_file_again_says_the_same(tmp_path: Path) -> None:
    gateway = FakeGateway()
    text = table(3) + row(2, "north", "9,9,9,9,9,9")
    report = play(gateway, tmp_path, text, again=1)
    assert report.packets == report.answered == 7
    assert set(gateway.seen.values()) == {2}
    assert gateway.clock == max(operation["to"] for operation in gateway.operations)


def test_late_rows_and_rows_from_the_future_are_sent_where_they_stand(tmp_path: Path) -> None:
    gateway = FakeGateway()
    text = table(4, ("north",)) + row(1, "north", "9,9,9,9,9,9") + row(90_000, "north") + row(4, "north")
    play(gateway, tmp_path, text)
    at = [(packet.qn, ((clock or 0) // 1000 - FIRST_END) // 3600) for packet, clock in gateway.packets]
    assert at[3:] == [
        ("20150101040000000", 3),
        ("20150101040000001", 3),
        ("20150101040000002", 3),
        ("20150101050000000", 4),
    ]


def test_more_rows_of_a_logger_in_an_instant_than_milliseconds_in_a_second(tmp_path: Path) -> None:
    gateway = FakeGateway()
    play(gateway, tmp_path, HEADER + row(0, "north") * 1002)
    qns = [packet.qn for packet, _ in gateway.packets]
    assert qns == sorted(set(qns))
    assert qns[-1] == "20150101010001001"


def test_several_files(tmp_path: Path) -> None:
    gateway = FakeGateway()
    files = []
    for station in ("north", "south"):
        files.append(tmp_path / f"{station}.csv")
        files[-1].write_text(table(3, (station,)), encoding="utf-8")
    report = play(gateway, tmp_path, "", files=files)
    assert report.rows == report.answered == 6
    assert_all_on_time(gateway)


def test_speed_paces_the_hours(tmp_path: Path) -> None:
    report = play(FakeGateway(), tmp_path, table(6), speed=3600 * 100)
    assert report.seconds >= 0.05


# --- who is not in the registry, what is no row ----------------------------------------------------


def test_an_unlisted_station_is_sent_and_not_waited_for(tmp_path: Path) -> None:
    gateway = FakeGateway()
    report = play(gateway, tmp_path, table(3, ("north", "nowhere", "elsewhere")))
    assert (report.packets, report.answered, report.unlisted, report.loggers) == (9, 3, 6, 3)
    made_up = {packet.mn for packet, _ in gateway.packets} - LISTED
    assert len(made_up) == 2
    for mn in made_up:
        assert gateway.hours(mn) == stamps(3)
    assert_all_on_time(gateway)


def test_the_last_unlisted_packet_is_confirmed(tmp_path: Path) -> None:
    gateway = FakeGateway()
    play(gateway, tmp_path, table(1, ("nowhere",)))
    assert len(gateway.packets) == 1
    assert list(gateway.operations[-1]["sent"].values()) == [len(gateway.packets[0][0].raw) + 2]


def test_lines_that_are_no_rows_are_stored(tmp_path: Path) -> None:
    gateway = FakeGateway()
    text = table(2, ("north",)) + "2015-01-01 02:00,north,x,2,3,4,5,6\nbroken\n"
    report = play(gateway, tmp_path, text, again=1)
    assert report.rejected == 2
    assert report.rows == report.packets == 2
    assert list(gateway.dead) == ["air.csv:4", "air.csv:5"]
    assert gateway.dead["air.csv:5"]["text"] == "broken"
    assert all(item["reason"] for item in gateway.dead.values())
    kinds = [operation["op"] for operation in gateway.operations]
    assert kinds.index("dead") > kinds.index("clock")  # a dead letter, too, needs a time


def test_many_bad_lines_go_in_pieces(tmp_path: Path) -> None:
    gateway = FakeGateway()
    text = table(1, ("north",)) + ("清" * 9_000 + "\n") * 60
    report = play(gateway, tmp_path, text)
    assert report.rejected == len(gateway.dead) == 60
    assert sum(operation["op"] == "dead" for operation in gateway.operations) > 1


def test_a_file_without_a_usable_line(tmp_path: Path) -> None:
    gateway = FakeGateway()
    report = play(gateway, tmp_path, HEADER + "broken\n")
    assert (report.rows, report.rejected, report.first_instant) == (0, 1, None)
    assert list(gateway.dead) == ["air.csv:2"]


# --- trouble ---------------------------------------------------------------------------------------


def test_a_lost_answer_is_followed_by_the_same_bytes(tmp_path: Path) -> None:
    gateway = FakeGateway(lambda packet, times_seen: DROP if times_seen <= 2 else ANSWER)
    report = play(gateway, tmp_path, table(2))
    assert report.answered == report.packets == len(gateway.arrived()) == 4
    assert report.resent >= 8
    assert min(gateway.seen.values()) >= 3
    assert_all_on_time(gateway)


def test_after_recount_the_logger_connects_again(tmp_path: Path) -> None:
    gateway = FakeGateway(lambda packet, times_seen: DROP if times_seen <= 4 else ANSWER)
    report = play(gateway, tmp_path, table(1, ("north",)))
    assert report.answered == 1
    assert report.reconnects >= 1
    assert gateway.connections >= 2


def test_a_gateway_that_hangs_up(tmp_path: Path) -> None:
    gateway = FakeGateway(lambda packet, times_seen: HANG_UP if times_seen == 1 else ANSWER)
    report = play(gateway, tmp_path, table(3, ("north", "nowhere")))
    assert report.answered == report.unlisted == 3
    assert gateway.hours("MN1") == stamps(3)
    assert len(gateway.arrived()) == 6
    assert_all_on_time(gateway)


@pytest.mark.parametrize("stations", [("north", "south"), ("north", "nowhere"), ("nowhere",)])
@pytest.mark.parametrize("answered_before", [True, False])
def test_a_gateway_that_dies_and_comes_back(tmp_path: Path, stations: tuple[str, ...], answered_before: bool) -> None:
    gateway = FakeGateway()

    def behave(packet: hj212.Packet, times_seen: int) -> str:
        if packet.data_time in stamps(8)[2::3] and times_seen == 1 and packet.mn == gateway.packets[0][0].mn:
            gateway.packets.append((packet, gateway.clock))
            loop = asyncio.get_running_loop()
            loop.call_soon(gateway.die_and_come_back) if answered_before else gateway.die_and_come_back()
        return ANSWER

    gateway.behave = behave
    report = play(gateway, tmp_path, table(8, stations))
    assert gateway.deaths == 2
    assert gateway.hellos >= 3
    assert report.packets == report.rows == 8 * len(stations)
    assert report.answered + report.unlisted == report.packets
    mns = {packet.mn for packet, _ in gateway.packets}
    assert len(mns) == len(stations)
    for mn in mns:
        assert gateway.hours(mn) == stamps(8)
    assert_all_on_time(gateway)


def test_a_gateway_that_dies_while_setting_the_clock(tmp_path: Path) -> None:
    gateway = FakeGateway()
    original = gateway._operation

    async def operation(asked: dict[str, Any]) -> dict[str, Any] | None:
        if asked["op"] == "clock" and asked["to"] == (FIRST_END + 3600) * 1000 and not gateway.deaths:
            gateway.die_and_come_back()
            return None
        return await original(asked)

    gateway._operation = operation  # type: ignore[method-assign]
    report = play(gateway, tmp_path, table(3, ("north", "nowhere")))
    assert gateway.deaths == 1
    assert report.answered == report.unlisted == 3
    assert_all_on_time(gateway)


def test_a_lost_control_connection_alone(tmp_path: Path) -> None:
    gateway = FakeGateway()

    def behave(packet: hj212.Packet, times_seen: int) -> str:
        for writer in list(gateway._control):
            writer.transport.abort()
        return ANSWER

    gateway.behave = behave
    report = play(gateway, tmp_path, table(3))
    assert report.answered == 6
    assert report.reconnects == 0
    assert_all_on_time(gateway)


def test_patience_ends_with_an_error_that_says_where(tmp_path: Path) -> None:
    gateway = FakeGateway(lambda packet, times_seen: DROP)
    with pytest.raises(ReplayError) as caught:
        play(gateway, tmp_path, table(2), timing=Timing(over_time_s=0.02, re_count=1, patience_s=0.5))
    text = str(caught.value)
    assert str(gateway.to) in text
    assert "logger MN" in text
    assert "20150101010000000" in text
    assert "\n" not in text


def test_a_gateway_that_never_comes_back(tmp_path: Path) -> None:
    gateway = FakeGateway()

    def behave(packet: hj212.Packet, times_seen: int) -> str:
        gateway.die()
        return DROP

    gateway.behave = behave
    with pytest.raises(ReplayError, match=r"nobody listens there; .* 0\.5 s: "):
        play(gateway, tmp_path, table(2), timing=Timing(over_time_s=0.05, re_count=1, patience_s=0.5))


# --- the control connection ------------------------------------------------------------------------


def test_a_live_log_is_refused(tmp_path: Path) -> None:
    gateway = FakeGateway()
    gateway.live = True
    with pytest.raises(ReplayError, match="this log is live"):
        play(gateway, tmp_path, table(1))
    assert gateway.connections == 0


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_no_control_port(tmp_path: Path) -> None:
    gateway, port = FakeGateway(), closed_port()
    with pytest.raises(ReplayError) as caught:
        play(gateway, tmp_path, table(1), control=Address("127.0.0.1", port))
    assert f"127.0.0.1:{port}: nobody listens there" in str(caught.value)
    assert "--control" in str(caught.value)
    assert "--live" in str(caught.value)
    assert gateway.connections == 0


def test_a_port_that_is_no_control_port(tmp_path: Path) -> None:
    file = tmp_path / "air.csv"
    file.write_text(table(1), encoding="utf-8")

    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0\r\n")
        await reader.read()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(talkative, "127.0.0.1", 0) as server:
            there = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            await replay(ReplayPlan([file], registry.parse(DISTRICT, "test"), there, there, timing=QUICK))

    with pytest.raises(ReplayError, match="no control port of envstream"):
        within(run())


def test_no_gateway_port(tmp_path: Path) -> None:
    port = closed_port()
    with pytest.raises(ReplayError, match=f"gateway 127.0.0.1:{port}: nobody listens there.*--to"):
        play(FakeGateway(), tmp_path, table(1), to=Address("127.0.0.1", port))


def test_live_needs_no_control(tmp_path: Path) -> None:
    gateway = FakeGateway()
    report = play(gateway, tmp_path, table(2, ("north", "nowhere")), live=True, control=None)
    assert report.answered == report.unlisted == 2
    assert gateway.hellos == 0
    assert gateway.operations == []
