"""The two ends of the wire together: the logger and the gateway, through sockets, journal and broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import registry, times, topics
from streams import hj212
from streams.clock import LIVE, WriterClock
from streams.device_secrets import DeviceSecrets
from streams.logger_client import Address, Counts, Logger, Misbehaviour, Outgoing, Timing
from tests.streams.served import Served, found, rows, serve
from tests.streams.test_logger_client import BAD_BUT_HONEST

MN = "010000A8900016F000169DC0"
KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
START = times.parse_stamp("20261122080000")
HOURS = 12
TEXT = f"""format = 1
[[group]]
id = "plant"
[[enterprise]]
id = "works"
name = "w"
industry = "power"
group = "plant"
[[outlet]]
id = "stack"
enterprise = "works"
name = "o"
mn = "{MN}"
medium = "gas"
process = "coal_boiler"
ref_o2_pct = "6"
factors = ["NOx", "O2"]
valid_from = 2020-01-01
[[limit]]
outlet = "stack"
kind = "legal"
basis = "test"
averaging = "hour"
unit = "mg/m3"
most = {{ NOx = "50" }}
valid_from = 2020-01-01
[[logger]]
mn = "{MN}"
"""


class Case:
    """A logger at a gateway."""

    def __init__(self, served: Served, **options: Any) -> None:
        self.served = served
        self.counts = Counts()
        self.answered: list[str] = []
        self.errors: list[BaseException] = []
        self.logger = Logger(
            MN, Address("127.0.0.1", served.port), Timing(0.3, 3, 30.0), self.counts, failed=self.errors.append,
            answered=lambda packet, seconds: self.answered.append(packet.qn), **options,
        )  # fmt: skip

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look after the logger until something is so."""
        async with asyncio.timeout(30):
            while not condition():
                assert not self.errors, self.errors
                self.logger.check(asyncio.get_running_loop().time())
                await asyncio.sleep(0.01)


def hour(number: int, **more: Any) -> Outgoing:
    """NOx of the hour that many hours after the start is that number and a half."""
    start = START + number * 3600
    qn = f"{times.stamp(start + 3700)}000"
    options: dict[str, Any] = {"edition": "2017", "sm4_key": None, **more}
    (data,) = hj212.data_packet(
        st="31", cn="2061", mn=MN, qn=qn, pw="123456", data_time=times.stamp(start),
        readings=[("a21002", {"Avg": f"{number}.5", "Flag": "N"})], **options,
    )  # fmt: skip
    return Outgoing(qn, data, True)


def clock() -> WriterClock:
    """A live clock that stands an hour after the last packet."""
    return WriterClock(LIVE, wall_ms=lambda: (START + (HOURS + 1) * 3600) * 1000, since_boot_ms=lambda: 0)


def values(records: list[Any]) -> set[tuple[int, int]]:
    """Number of the hour and ten times its NOx, of everything that is judged; a value has one decimal."""
    found_rows = rows(records, topics.READINGS_EMISSION)
    assert {(row[0], row[2], row[3], row[7]) for row in found_rows} <= {("stack", "h", "NOx", "1")}
    return {((row[1] - START) // 3600 - 1, row[6]) for row in found_rows}


@pytest.mark.parametrize("name", BAD_BUT_HONEST)
def test_whatever_a_logger_does_wrong_the_log_has_each_of_its_hours(name: str, tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        case = Case(served, misbehaviour=BAD_BUT_HONEST[name])
        case.logger.say([hour(n) for n in range(HOURS)])
        await case.until(lambda: len(case.answered) == HOURS)
        assert sorted(case.answered) == [hour(n).qn for n in range(HOURS)]
        case.logger.close()

    records = serve(tmp_path, registry.parse(TEXT, "test"), use, clock=clock())
    assert values(records) == {(n, 10 * n + 5) for n in range(HOURS)}
    evidence = [
        raw.upper()
        for e in found(records, topics.PACKETS)
        for raw, v in zip(e["raw"], e["verdict"], strict=True)
        if v == "ok"
    ]
    assert set(evidence) == {hour(n).data.decode().rstrip().upper() for n in range(HOURS)}


def test_a_deaf_logger_is_taken_and_never_hears_of_it(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        case = Case(served, misbehaviour=Misbehaviour(deaf=True), gives_up=True)
        case.logger.say([hour(0), hour(1)])
        await case.until(lambda: case.counts.given_up == 2)
        assert case.answered == [] and case.counts.reconnects >= 1
        case.logger.close()

    assert values(serve(tmp_path, registry.parse(TEXT, "test"), use, clock=clock())) == {(0, 5), (1, 15)}


@pytest.mark.parametrize("edition", ["2005", "2017", "2025", "2025 sealed"])
def test_hours_the_gateway_asks_for_come_from_the_loggers_memory(edition: str, tmp_path: Path) -> None:
    """Hours 0 to 5 were never sent. The gateway wants 1 to 4; the logger has them, and the log then too."""
    key = KEY if edition.endswith("sealed") else None
    edition = edition[:4]
    text = TEXT + (f"edition = {edition}\nsm4 = true\n" if key else f"edition = {edition}\n")

    def history(cn: str, begin_s: int, end_s: int) -> list[Outgoing]:
        assert cn == "2061"
        return [hour(n, edition=edition, sm4_key=key) for n in range(6) if begin_s <= START + n * 3600 <= end_s]

    async def use(served: Served) -> None:
        case = Case(served, history=history, device=hj212.Device(sm4_key=key), password="123456")
        case.logger.say([hour(6, edition=edition, sm4_key=key)])
        await case.until(lambda: len(case.answered) == 1)
        asked = await served.ask(op="backfill", source="stack", cn="2061", begin_s=START + 3600, end_s=START + 4 * 3600)
        assert asked == {"ok": True, "hours": 4}
        await case.until(lambda: bool(served.gateway.requests.outcomes))
        assert dict(served.gateway.requests.outcomes) == {"done": 1}
        asked = await served.ask(op="backfill", source="stack", cn="2061", begin_s=START - 3600, end_s=START - 3600)
        await case.until(lambda: served.gateway.requests.outcomes.total() == 2)
        assert dict(served.gateway.requests.outcomes) == {"done": 1, "no data": 1}
        assert case.counts.requests == 2
        case.logger.close()

    records = serve(
        tmp_path, registry.parse(text, "test"), use, clock=clock(), secrets=DeviceSecrets({MN: key} if key else None)
    )
    assert values(records) == {(n, 10 * n + 5) for n in (1, 2, 3, 4, 6)}
    sealed = [
        raw for e in found(records, topics.PACKETS) for raw in e["raw"] if "CN=2061" in raw and "-Avg=" not in raw
    ]
    assert len(sealed) == (5 if key else 0)


def test_a_logger_asks_for_the_time_and_gets_it(tmp_path: Path) -> None:
    """Its clock is eight hours ahead; the hours it says before are wrong, those after are right."""

    async def use(served: Served) -> None:
        case = Case(
            served, misbehaviour=Misbehaviour(clock_off_hours=8), clock_ms=served.gateway.clock.now_ms, heartbeat_s=60
        )
        case.logger.say([hour(0)])
        await case.until(lambda: len(case.answered) == 1)
        case.logger.check(asyncio.get_running_loop().time())
        case.logger.ask_time()  # also when a heartbeat was said just now and is not answered yet
        await case.until(lambda: case.logger.clock_off_hours == 0)
        case.logger.say([hour(1)])
        await case.until(lambda: len(case.answered) == 2)
        assert case.counts.notices == 2  # a heartbeat and the question
        case.logger.close()

    records = serve(tmp_path, registry.parse(TEXT + "commands = [1012]\n", "test"), use, clock=clock())
    assert values(records) == {(8, 5), (1, 15)}


def test_what_a_logger_of_2025_sends_later_is_marked_as_backfill(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        gate = asyncio.Event()
        append = served.gateway.writer.append

        async def slow(records: list[Any], **options: Any) -> None:
            await gate.wait()
            await append(records, **options)

        served.gateway.writer.append = slow  # type: ignore[method-assign]
        case = Case(served, gives_up=True)
        case.logger.say([hour(n, edition="2025") for n in range(3)])
        await case.until(lambda: case.counts.given_up == 3)
        gate.set()
        await case.until(lambda: len(case.answered) == 3)
        case.logger.close()

    records = serve(tmp_path, registry.parse(TEXT, "test"), use, clock=clock())
    assert values(records) == {(n, 10 * n + 5) for n in range(3)}
    late = {(row[1] - START) // 3600 - 1 for row in rows(records, topics.READINGS_EMISSION) if row[9] == "R"}
    assert late == {0, 1, 2}
