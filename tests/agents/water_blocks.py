"""Blocks of water stations, and what a water judge makes of them: shared by the tests of the water agent."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.water import WaterJudge
from schemas import blocks, times, topics
from schemas.actions import identity
from tests.agents import crashes

START = times.parse_stamp("20260401000000")
HOUR_S, DAY_S = 3600, 86_400
COMPARED = (topics.CELLS, topics.VERDICTS, topics.CONDITIONS, topics.EPISODES)

REGISTRY = """
format = 1
[[group]]
id = "river"
[[section]]
id = "upper"
name = "上"
mn = "W1"
group = "river"
river = "河"
border = "in"
valid_from = 2023-01-01
[[section]]
id = "lower"
name = "下"
mn = "W2"
group = "river"
river = "河"
border = "out"
valid_from = 2023-01-01
[[target]]
section = ["upper", "lower"]
class = 3
valid_from = 2023-01-01
[[reach]]
from = "upper"
to = "lower"
length_km = 8.4
v_low = 0.15
v_mid = 0.35
v_high = 0.80
"""
CALM = {
    "T": "12.0", "pH": "7.80", "DO": "8.20", "EC": "600.0", "turbidity": "5.0",
    "CODMn": "3.10", "NH3N": "0.320", "TP": "0.080", "TN": "2.40",
}  # fmt: skip


@dataclass(frozen=True)
class Packet:
    """One hour of one section as a logger says it; ``flags`` by item where they are not N."""

    section: str
    end: int
    values: Mapping[str, str | None]
    qn: str
    received: int
    flags: Mapping[str, str] = field(default_factory=dict)
    period: str = blocks.HOUR


def said(section: str, end: int, values: Mapping[str, str | None], after_s: int = 60, **more: Any) -> Packet:
    """A packet that comes so long after its hour."""
    return Packet(section, end, values, times.stamp(end) + "000", (end + after_s) * 1000, **more)


def block(packets: Sequence[Packet], first: int) -> bytes:
    """A block of consecutive packets."""
    sources = sorted({p.section for p in packets})
    factors = sorted({name for p in packets for name in p.values})
    found = blocks.Block("gw", first, sources, factors, [], [], "", [], [], [], [], [], "", "")
    for p in packets:
        found.source.append(sources.index(p.section))
        found.times.append(p.end)
        found.periods += p.period
        found.received.append(p.received)
        found.qn.append(p.qn)
        found.counts.append(len(p.values))
        for name, text in p.values.items():
            value, places = (0, blocks.NO_VALUE) if text is None else _number(text)
            found.factor.append(factors.index(name))
            found.values.append(value)
            found.places += places
            found.flags += p.flags.get(name, "N")
    return blocks.encode(found)


def _number(text: str) -> tuple[int, str]:
    value, places = blocks.number(text)
    return value, blocks.PLACES[places]


def registry_message(text: str = REGISTRY) -> bytes:
    return blocks.encode(blocks.RegistryVersion("gw", "digest", text, 0))


def tick(now_s: int) -> bytes:
    return blocks.encode(blocks.Tick("gw", now_s * 1000))


def action(what: str, subject: str, begin: int, end: int, data: dict[str, str], received: int, **more: Any) -> bytes:
    """What a person decided."""
    made = blocks.Action("gw", "", what, "river", subject, begin, end, "张三", "审核", data, received, **more)
    made.id = identity(made)
    return blocks.encode(made)


def judge(messages: Sequence[bytes], judge_: WaterJudge | None = None, first: int = 0) -> list[Any]:
    """Every output of a judge over these messages."""
    judge_ = judge_ or WaterJudge(0)
    return [out for n, m in enumerate(messages, first) for out in judge_.take(m, f"readings-water/0/{n}")]


def last(outputs: Sequence[Any], topic: str = topics.VERDICTS) -> dict[bytes, bytes]:
    """The last message per key of a topic."""
    return {o.key: o.value for o in outputs if o.topic == topic}


def of_kind(outputs: Sequence[Any], kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The last verdicts of a kind, by subject and period."""
    found = {}
    for key, value in last(outputs).items():
        _, subject, named, period, *_ = key.decode().split("|")
        if named == kind:
            found[subject, period] = json.loads(value)
    return found


def cells(outputs: Sequence[Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """The last cells, by section and end."""
    found = (json.loads(value) for value in last(outputs, topics.CELLS).values())
    return {(cell["source"], cell["time"]): cell for cell in found}


def conditions(outputs: Sequence[Any], rule: str = "water-level") -> list[dict[str, Any]]:
    """Conditions of a rule, in the order they were published."""
    found = (json.loads(o.value) for o in outputs if o.topic == topics.CONDITIONS)
    return [c for c in found if c["rule"] == rule]


def replay(packets: Sequence[Packet], until_s: int, registry: str = REGISTRY) -> list[Any]:
    """One block per packet, and then the clock goes on."""
    return judge([registry_message(registry), *(block([p], n) for n, p in enumerate(packets)), tick(until_s)])


def results(
    section: str, item: str, values: Sequence[str], start: int = START, calm: Mapping[str, str] = CALM, delay_h: int = 1
) -> list[Packet]:
    """Hours of a section whose wet chemistry has these results, every four hours from midnight on.

    A sample is shown ``delay_h`` hours after it was drawn and said again until the next; before the first, calm.
    """
    found = []
    for h in range(4 * len(values)):
        at = (h + 1 - delay_h) // 4
        shown = values[at] if at >= 0 and h + 1 - delay_h >= 0 else calm[item]
        found.append(said(section, start + (h + 1) * HOUR_S, {**calm, item: shown}))
    return found


def wild(seed: int, days: int = 2, holes: float = 0.1) -> list[Packet]:
    """Two sections, dirty enough that classes, warnings and days differ, with holes and flags; carried chemistry."""
    chance = random.Random(seed)
    packets: list[Packet] = []
    for section in ("upper", "lower"):
        wet: dict[str, str | None] = {}
        for h in range(24 * days):
            end = START + (h + 1) * HOUR_S
            if h % 4 == 1 or not wet:
                wet = {
                    name: None if chance.random() < holes else f"{chance.uniform(0.001, top):.{d}f}"
                    for name, top, d in (("CODMn", 9, 2), ("NH3N", 2.2, 3), ("TP", 0.4, 3), ("TN", 6, 2))
                }
            hourly = {
                name: None if chance.random() < holes else f"{chance.uniform(low, top):.{d}f}"
                for name, low, top, d in (("T", 5, 15, 1), ("pH", 7, 9.05, 2), ("DO", 3, 11, 2), ("EC", 500, 700, 1))
            }
            flags = {name: chance.choice("DLTZ") for name in (*hourly, *wet) if chance.random() < 0.03}
            if chance.random() >= holes / 2:
                packets.append(said(section, end, {**hourly, **wet}, flags=flags))
    return sorted(packets, key=lambda p: (p.received, p.section))


def crashed(messages: list[bytes], chance: random.Random) -> dict[str, dict[bytes, bytes]]:
    """The last messages per key of a judge that is killed again and again, also half-way through a checkpoint."""
    return crashes.crashed(WaterJudge, "readings-water", messages, chance, COMPARED)
