"""Logs of outlets for the tests of the emission agent: packets as a logger says them, in blocks."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.emission import EmissionJudge
from schemas import blocks, times, topics
from schemas.actions import draft, identity
from tests.agents import crashes

REGISTRY = """
format = 1
[[group]]
id = "plant"
[[enterprise]]
id = "plant"
name = "热电"
industry = "power"
[[permit]]
enterprise = "plant"
year = 2026
tonnes = { NOx = 120, SO2 = 50 }
[[outlet]]
id = "boiler"
name = "锅炉"
enterprise = "plant"
process = "coal_boiler"
mn = "E1"
factors = ["NOx", "SO2", "O2", "flow", "temperature"]
ref_o2_pct = 6
normal_flow = 100
ranges = { NOx = 1000, SO2 = 500, O2 = 25 }
valid_from = 2020-01-01
[[logger]]
mn = "E1"
minute_interval = 1
[[limit]]
outlet = "boiler"
kind = "permit"
basis = "许可证"
unit = "mg/m3"
most = { NOx = 50, SO2 = 35 }
valid_from = 2020-01-01
[[limit]]
outlet = "boiler"
kind = "legal"
basis = "GB 13223-2011"
unit = "mg/m3"
most = { NOx = 100, SO2 = 100 }
valid_from = 2020-01-01
[[limit]]
outlet = "boiler"
kind = "ultra_low"
basis = "环发〔2015〕164号"
unit = "mg/m3"
most = { NOx = 45 }
valid_from = 2020-01-01
[[outlet]]
id = "sewage"
name = "污水"
enterprise = "plant"
process = "sewage_outlet"
mn = "E2"
factors = ["flow", "pH", "COD", "NH3N", "T"]
valid_from = 2020-01-01
[[limit]]
outlet = "sewage"
kind = "legal"
basis = "GB 18918-2002 一级A"
averaging = "day"
unit = "mg/L"
most = { COD = 50, NH3N = 5 }
cold = { NH3N = 8 }
valid_from = 2020-01-01
[[limit]]
outlet = "sewage"
kind = "legal"
basis = "GB 18918-2002 一级A"
averaging = "day"
unit = "pH"
most = { pH = 9 }
least = { pH = 6 }
valid_from = 2020-01-01
[[meter]]
outlet = "boiler"
factor = "production_power_01"
measures = "production"
rated = 1000
"""
START = times.parse_stamp("20260309000000")
TOPIC = topics.READINGS_EMISSION
COMPARED = (topics.CELLS, topics.VERDICTS, topics.CONDITIONS, topics.EPISODES)


@dataclass(frozen=True)
class Packet:
    """What a logger says of a period: text and flag by column; "" for no value."""

    source: str
    end: int
    values: dict[str, str | None]
    received: int
    period: str = blocks.HOUR
    qn: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    mark: str = blocks.PLAIN

    @property
    def said_by(self) -> str:
        """The request number, by default of the instant it was received."""
        return self.qn or times.stamp(self.received // 1000) + f"{self.received % 1000:03d}"


def block(packets: Sequence[Packet], first: int = 0) -> bytes:
    """A block of consecutive packets."""
    columns: dict[tuple[str, str], int] = {}
    sources = sorted({p.source for p in packets})
    factor, values, counts = [], [], []
    places = flags = ""
    for p in packets:
        counts.append(len(p.values))
        for name, text in p.values.items():
            factor.append(columns.setdefault((name, p.units.get(name, "")), len(columns)))
            base = name.partition("-")[0]
            flag = p.flags.get(base, p.flags.get("", "N"))
            if text is None:
                values.append(0)
                places, flags = places + blocks.NO_VALUE, flags + flag
            else:
                value, n = blocks.number(text)
                values.append(value)
                places, flags = places + blocks.PLACES[n], flags + flag
    return blocks.encode(
        blocks.Block(
            writer="gw", first=first, sources=sources, factors=[name for name, _ in columns],
            source=[sources.index(p.source) for p in packets], times=[p.end for p in packets],
            periods="".join(p.period for p in packets), received=[p.received for p in packets],
            qn=[p.said_by for p in packets], counts=counts, factor=factor, values=values, places=places, flags=flags,
            codes=[""] * len(columns), units=[unit for _, unit in columns], marks="".join(p.mark for p in packets),
        )
    )  # fmt: skip


def hour(end: int, nox: str | None = "40", *, source: str = "boiler", after_s: int = 60, **more: Any) -> Packet:
    """An hour of the boiler; ``zs``, ``o2``, ``flow``, ``so2`` and whatever a packet has."""
    values: dict[str, str | None] = {"NOx": nox}
    for name, key, usual in (
        ("NOx-Zs", "zs", None),
        ("SO2", "so2", "10"),
        ("O2", "o2", "6.0"),
        ("flow", "flow", "100"),
    ):
        value = more.pop(key, usual)
        if value is not None:
            values[name] = value
    values |= more.pop("also", {})
    return Packet(source, end, values, (end + after_s) * 1000, **more)


def water(end: int, cod: str | None, flow: str | None, **more: Any) -> Packet:
    """An hour of the sewage plant; ``nh3n``, ``t``, ``ph``."""
    values = {
        "COD": cod, "flow": flow, "NH3N": more.pop("nh3n", "2"), "T": more.pop("t", "20"), "pH": more.pop("ph", "7.2"),
    }  # fmt: skip
    return Packet("sewage", end, values, (end + 60) * 1000, **more)


def minutes(end: int, normal: int, other: str = "", **values: str) -> list[Packet]:
    """Sixty means of a minute, the first ``normal`` of them normal, the others with another flag."""
    found = []
    for n in range(60):
        at = end - 3600 + 60 * (n + 1)
        flag = "N" if n < normal else other
        if flag:
            named: dict[str, str | None] = {k.replace("_", "-"): v for k, v in values.items()}
            found.append(Packet("boiler", at, named, (at + 5) * 1000, blocks.MINUTE, flags={"": flag}))
    return found


def action(what: str, subject: str, begin: int, end: int, received: int, **data: str) -> bytes:
    """An action in the log; ``withdrawn="yes"`` takes it back."""
    withdrawn = data.pop("withdrawn", "") == "yes"
    found = draft(what, subject, begin, end, by="甲", why="乙", data=data, withdrawn=withdrawn)
    found.group, found.writer, found.received = "plant", "gw", received
    found.id = identity(found)
    return blocks.encode(found)


def registry(text: str = REGISTRY) -> bytes:
    """The registry in the log."""
    return blocks.encode(blocks.RegistryVersion("gw", "digest", text, 0))


def tick(now_s: int) -> bytes:
    """Time passes."""
    return blocks.encode(blocks.Tick("gw", now_s * 1000))


def each(packets: Iterable[Packet]) -> list[bytes]:
    """A block for each packet."""
    return [block([p], n) for n, p in enumerate(packets)]


class Log:
    """A judge and everything it said."""

    def __init__(self, *messages: bytes, text: str = REGISTRY) -> None:
        self.judge = EmissionJudge(0)
        self.outputs: list[Any] = []
        self.taken = 0
        self.take(registry(text), *messages)
        assert self.judge.registry is not None, "the registry has errors"

    def take(self, *messages: bytes) -> list[Any]:
        """Take messages; what was said because of them."""
        said = []
        for message in messages:
            said += self.judge.take(message, f"{TOPIC}/0/{self.taken}")
            self.taken += 1
        self.outputs += said
        return said

    def packets(self, packets: Iterable[Packet]) -> list[Any]:
        """Take packets, each in a block of its own."""
        return [said for p in packets for said in self.take(block([p], self.taken))]

    def hour(self, end: int, subject: str = "boiler") -> dict[str, Any]:
        """The last verdict of an hour."""
        return self.of("outlet-hour", subject, times_label(end))

    def cell(self, end: int, subject: str = "boiler") -> dict[str, Any]:
        """The last cell of an hour."""
        return json.loads(last(self.outputs, topics.CELLS)[f"plant|{subject}|hour|{times_label(end)}".encode()])

    def of(self, kind: str, subject: str, period: str) -> dict[str, Any]:
        """The last message of a key of the verdicts."""
        return json.loads(last(self.outputs)[f"plant|{subject}|{kind}|{period}".encode()])

    def conditions(self, rule: str = "") -> list[dict[str, Any]]:
        """Every condition said, of one rule."""
        found = [json.loads(o.value) for o in self.outputs if o.topic == topics.CONDITIONS]
        return [c for c in found if rule in ("", c["rule"])]

    def revisions(self, kind: str = "") -> list[dict[str, Any]]:
        """Every revision said, of one kind of verdict."""
        found = [json.loads(o.value) for o in self.outputs if o.topic == topics.REVISIONS]
        return [r for r in found if not kind or r["key"].split("|")[2] == kind]


def times_label(end: int) -> str:
    """Label of an hour by its end."""
    day = times.day_of(end)
    return f"{times.date_of(day).isoformat()}T{times.hour_index(end) + 1:02d}"


def last(outputs: Iterable[Any], topic: str = topics.VERDICTS) -> dict[bytes, bytes]:
    """The last message per key of a topic."""
    return {o.key: o.value for o in outputs if o.topic == topic}


def judged(messages: Sequence[bytes]) -> dict[str, dict[bytes, bytes]]:
    """The last messages per key of a judge over these messages."""
    judge = EmissionJudge(0)
    outputs = [o for n, m in enumerate(messages) for o in judge.take(m, f"{TOPIC}/0/{n}")]
    return {topic: last(outputs, topic) for topic in COMPARED}


def crashed(messages: Sequence[bytes], chance: random.Random) -> dict[str, dict[bytes, bytes]]:
    """As :func:`judged`, of a judge that is killed again and again, also half-way through a checkpoint."""
    return crashes.crashed(EmissionJudge, TOPIC, messages, chance, COMPARED)


__all__ = [
    "START",
    "Log",
    "Packet",
    "action",
    "block",
    "crashed",
    "each",
    "hour",
    "judged",
    "minutes",
    "replace",
    "water",
]
