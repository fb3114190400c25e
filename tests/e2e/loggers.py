"""Many loggers in one event loop, what they said, and whether a log has it.

The registry is made for them: air stations in several districts and stacks of several enterprises, so that every
partition and two of the readings' topics are used.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from schemas import blocks, times, topics
from schemas.messages import Packets
from streams import hj212
from streams.logger_client import Address, Counts, Logger, Outgoing, Timing

AREAS = 6
OUTLETS_SHARE = 5  # every fifth logger stands at a stack
CHECK_S = 0.25

AIR = (
    ("a21026", "SO2"),
    ("a21004", "NO2"),
    ("a21005", "CO"),
    ("a05024", "O3"),
    ("a34002", "PM10"),
    ("a34004", "PM2.5"),
)
GAS = (("a21026", "SO2"), ("a21002", "NOx"), ("a34013", "PM"), ("a19001", "O2"))

Key = tuple[str, str, int, str]
"""Source, period, end (epoch s), factor."""


def mn_of(number: int) -> str:
    """MN of a logger."""
    return f"WIRE{number:020d}"


def at_stack(number: int) -> bool:
    """Whether that logger stands at a stack."""
    return number % OUTLETS_SHARE == 0


def district(count: int) -> str:
    """A registry with so many loggers."""
    parts = [
        'format = 1\nname = "试验"\n[receive]\nhost = "127.0.0.1"\nport = 9212\ncontrol_port = 9213\n'
        f"most_connections = {count + 1_000}\nmost_per_address = {count + 1_000}\n"
    ]
    for area in range(AREAS):
        parts.append(
            f'[[group]]\nid = "air-{area}"\nname = "空气{area}"\n'
            f'[[group]]\nid = "plant-{area}"\nname = "企业{area}"\n'
            f'[[area]]\nid = "area-{area}"\nname = "第{area}区"\ngroup = "air-{area}"\n'
            f'[[enterprise]]\nid = "plant-{area}"\nname = "第{area}厂"\nindustry = "steel"\ngroup = "plant-{area}"\n'
        )
    for number in range(count):
        mn, area = mn_of(number), number % AREAS
        if at_stack(number):
            parts.append(
                f'[[outlet]]\nid = "s{number}"\nenterprise = "plant-{area}"\nname = "{number}号烟囱"\nmn = "{mn}"\n'
                'medium = "gas"\nprocess = "sinter_head"\nfactors = ["SO2", "NOx", "PM", "O2"]\nref_o2_pct = 16\n'
                "valid_from = 2020-01-01\n"
                f'[[limit]]\noutlet = "s{number}"\nkind = "permit"\nbasis = "试验"\nunit = "mg/m3"\n'
                "most = { SO2 = 35 }\n"
                "valid_from = 2020-01-01\n"
            )
        else:
            parts.append(
                f'[[station]]\nid = "s{number}"\nname = "{number}站"\narea = "area-{area}"\nmn = "{mn}"\n'
                "valid_from = 2020-01-01\n"
            )
    return "".join(parts)


@dataclass(frozen=True)
class Said:
    """One realtime packet: its bytes without the line end, and the readings in it."""

    raw: bytes
    readings: dict[Key, tuple[int, str]]
    topic: str


def realtime(number: int, at_s: int) -> tuple[str, Said]:
    """What that logger says at that second, and its QN; every value tells logger and second."""
    mn, stack = mn_of(number), at_stack(number)
    qn = f"{times.stamp(at_s)}{number % 1000:03d}"
    value = number * 100_000 + at_s % 100_000
    parts, readings = [f"DataTime={times.stamp(at_s)}"], {}
    for decimals, (code, factor) in enumerate(GAS if stack else AIR):
        text = blocks.decimal_text(value, decimals)
        parts.append(f"{code}-Rtd={text},{code}-Flag=N")
        readings[f"s{number}", blocks.REALTIME, at_s, factor] = (value, str(decimals))
    data = hj212.build(
        st="31" if stack else "22", cn="2011", mn=mn, qn=qn, pw="123456", flag=5, content=";".join(parts)
    )
    return qn, Said(data.removesuffix(b"\r\n"), readings, topics.READINGS_EMISSION if stack else topics.READINGS_AIR)


class Crowd:
    """Loggers side by side, each saying one packet at a time.

    Attributes:
        said: by MN and QN.
        answered: MN and QN of what had a 9014.
        waits: seconds from packet to 9014.
        next_s: second (epoch) of the next packets.
        worst_lag_s: how late a packet was said at most, because the loggers were not quick enough.
    """

    def __init__(self, count: int, to: Address, timing: Timing) -> None:
        self.counts = Counts()
        self.said: dict[tuple[str, str], Said] = {}
        self.answered: set[tuple[str, str]] = set()
        self.waits: list[float] = []
        self.worst_lag_s = 0.0
        self.cpu_share = 0.0
        self._errors: list[BaseException] = []
        self._loggers = [self._logger(mn_of(number), to, timing) for number in range(count)]
        self.next_s = int(time.time())
        self._watch = asyncio.create_task(self._check())

    def _logger(self, mn: str, to: Address, timing: Timing) -> Logger:
        def answered(packet: Outgoing, seconds: float) -> None:
            self.answered.add((mn, packet.qn))
            self.waits.append(seconds)

        return Logger(mn, to, timing, self.counts, failed=self._errors.append, answered=answered)

    async def open(self, first: int = 0, last: int | None = None) -> None:
        """Connect all, or some."""
        for logger in self._loggers[first:last]:
            await logger.open()

    async def talk(self, seconds: float, packets_per_s: float) -> None:
        """Say packets evenly, one logger after the other."""
        loop = asyncio.get_running_loop()
        begun, cpu = loop.time(), time.process_time()
        count = len(self._loggers)
        for number in range(int(seconds * packets_per_s)):
            due = begun + number / packets_per_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.worst_lag_s = max(self.worst_lag_s, loop.time() - due)
            self.say(number % count, self.next_s + number // count)
        self.next_s += int(seconds * packets_per_s) // count + 1
        self.cpu_share = (time.process_time() - cpu) / (loop.time() - begun)

    def say(self, number: int, at_s: int) -> None:
        """One packet of one logger."""
        qn, said = realtime(number, at_s)
        self.said[mn_of(number), qn] = said
        self._loggers[number].say([Outgoing(qn, said.raw + b"\r\n", True)])

    async def finish(self, seconds: float = 120.0) -> None:
        """Wait until everything said is answered."""
        async with asyncio.timeout(seconds):
            while len(self.answered) < len(self.said):
                if self._errors:
                    raise self._errors[0]
                await asyncio.sleep(0.05)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            now = asyncio.get_running_loop().time()
            for logger in self._loggers:
                logger.check(now)

    def close(self) -> None:
        """End all connections."""
        self._watch.cancel()
        for logger in self._loggers:
            logger.close()


def look_through(log: Iterable[tuple[str, bytes]], crowd: Crowd) -> None:
    """Assert that a log has what was answered for, and of what was said nothing false.

    Args:
        log: topic and value of its messages.
        crowd: who spoke.
    """
    evidence: dict[tuple[str, int], tuple[str, str, str]] = {}
    found: dict[str, list[blocks.Block]] = defaultdict(list)
    for topic, value in log:
        if topic == topics.PACKETS:
            packets = msgspec.json.decode(value, type=Packets)
            for i, row in enumerate(zip(packets.mn, packets.raw, packets.verdict, strict=True)):
                assert evidence.setdefault((packets.writer, packets.first + i), row) == row, (
                    "two packets with one number"
                )
        elif topic in topics.READINGS:
            message = blocks.decode(value)
            if isinstance(message, blocks.Block):
                found[topic].append(message)

    raw = {raw for _, raw, verdict in evidence.values() if verdict == "ok"}
    answered = {key: crowd.said[key] for key in crowd.answered}
    missing = [key for key, said in answered.items() if said.raw.decode() not in raw]
    assert not missing, f"{len(missing)} answered packets are not in packets, such as {missing[:3]}"

    readings: dict[tuple[str, Key], set[tuple[int, str]]] = defaultdict(set)
    for topic, some in found.items():
        for block in some:
            at = 0
            for i, count in enumerate(block.counts):
                source = block.sources[block.source[i]]
                # A reading names the packet that carried it. A crash on Kafka may leave one without, of a packet
                # that was not answered for.
                if carried := evidence.get((block.writer, block.first + i)):
                    assert carried[0] == mn_of(int(source[1:])) and f"QN={block.qn[i]};" in carried[1]
                for r in range(at, at + count):
                    key = (source, block.periods[i], block.times[i], block.factors[block.factor[r]])
                    readings[topic, key].add((block.values[r], block.places[r]))
                at += count
    expected = {(said.topic, key): value for said in answered.values() for key, value in said.readings.items()}
    lost = [key for key in expected if key not in readings]
    assert not lost, f"{len(lost)} readings of answered packets are not on their topic, such as {lost[:3]}"
    possible = {(said.topic, key): value for said in crowd.said.values() for key, value in said.readings.items()}
    wrong = [key for key, values in readings.items() if values != {possible.get(key)}]
    assert not wrong, f"{len(wrong)} readings nobody said, or two values of one: {wrong[:3]}"
