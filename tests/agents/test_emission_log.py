"""Whatever a log does to its packets, the emission agent concludes the same: order, repetition, blocks, crashes."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import blocks, topics
from tests.agents.emission_log import (
    START,
    Packet,
    action,
    block,
    crashed,
    hour,
    judged,
    minutes,
    registry,
    replace,
    tick,
    water,
)

DAYS = 2
END = START + DAYS * 86_400
CALM = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def packets(seed: int) -> list[Packet]:
    """Two days of a boiler and a sewage plant: levels around the limit, flags, holes, minutes of some hours."""
    chance = random.Random(seed)
    found: list[Packet] = []
    for n in range(24 * DAYS):
        end = START + (n + 1) * 3600
        flags = {"NOx": chance.choice("NNNNNND"), "": chance.choice("NNNNNNNNF")}
        nox = f"{chance.uniform(30, 60):.1f}"
        zs = chance.choice([f"{chance.uniform(30, 70):.1f}", nox, None])
        if n % 12 == 5:
            found += minutes(end, chance.choice((60, 50, 44)), "D", NOx=nox, O2="6.0", flow="100")
        if n % 12 != 5 or chance.random() < 0.5:
            also = {"HCl": "1.0"} if chance.random() < 0.05 else {}
            o2 = f"{chance.uniform(5, 9):.2f}"
            found.append(hour(end, nox, zs=zs, o2=o2, flags=flags, also=also))
        if chance.random() < 0.9:
            found.append(water(end, f"{chance.uniform(20, 70):.1f}", f"{chance.uniform(0, 60):.1f}"))
    return found


def decisions(seed: int) -> list[tuple[int, bytes]]:
    """Marks, an order and a maintenance, some of them taken back."""
    chance = random.Random(seed)
    found = []
    for n in range(4):
        begin = START + chance.randrange(0, DAYS * 24) * 3600 + chance.choice((0, 0, 600))
        at = END + 3600 * (3 + n)
        mark = chance.choice(("START", "停运", "CALIB", "SHUTDOWN"))
        length = chance.randrange(1, 7) * 3600
        found.append((at, action("mark", "boiler", begin, begin + length, at * 1000, mark=mark)))
        if chance.random() < 0.3:
            at += 600
            found.append((at, action("mark", "boiler", begin, begin + length, at * 1000, withdrawn="yes")))
    order = {"factor": "NOx", "limit": "40", "unit": "mg/m3", "averaging": "hour"}
    found.append((END + 9 * 3600, action("order", "boiler", START, START + 86_400, (END + 9 * 3600) * 1000, **order)))
    return found


def numbered(sent: list[Packet], chance: random.Random, most: int = 40) -> list[bytes]:
    """Blocks of some packets each."""
    messages, at = [], 0
    while at < len(sent):
        size = chance.choice([s for s in (1, 2, 7, 40) if s <= most])
        messages.append(block(sent[at : at + size], at))
        at += size
    return messages


def verdicts(found: dict[str, dict[bytes, bytes]]) -> dict[bytes, Any]:
    """Verdicts without the instants at which they were received, and on-line minutes, which follow from those."""
    said = {}
    for key, value in found[topics.VERDICTS].items():
        message = json.loads(value)
        for name in ("received", "revision", "online_minutes"):
            message.pop(name, None)
        said[key] = message
    return said


@CALM
@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_repetition_and_blocks_change_nothing(seed: int, data: st.DataObject) -> None:
    calm_packets = packets(seed % 5)
    chance = random.Random(seed)
    after = [message for _, message in decisions(seed % 5)]
    ends = tick(END + 10 * 86_400)
    calm = judged([registry(), *numbered(calm_packets, chance), tick(END + 2 * 3600), *after, ends])
    sent = [
        replace(
            p, received=p.received + (chance.randrange(144_000_000) if p.period == blocks.HOUR else 0), qn=p.said_by
        )
        for p in calm_packets
        for _ in range(chance.choice((1, 1, 1, 2, 3)))
    ]
    if data.draw(st.booleans(), label="also in any order of arrival"):
        chance.shuffle(sent)
    else:
        sent.sort(key=lambda p: p.received)
    messages = [registry()]
    for message in numbered(sent, chance):
        messages.append(message)
        if chance.random() < 0.3:
            messages.append(tick(START + chance.randrange(0, DAYS * 86_400)))
    wild = judged([*messages, tick(END + 2 * 86_400), *after, ends])
    assert verdicts(wild) == verdicts(calm)
    cells = {k: json.loads(v) for k, v in wild[topics.CELLS].items()}
    for key, cell in cells.items():
        other = json.loads(calm[topics.CELLS][key])
        for name in ("values", "zs", "reasons", "flags", "units", "origins"):
            assert cell[name] == other[name], (key, name)
    hours = [p for p in sent if p.period == blocks.HOUR]
    assert sum(len(cell["packets"]) for cell in cells.values()) == len(hours), "every packet is one hour's"


@CALM
@given(seed=st.integers(0, 10_000))
def test_a_crash_at_any_point_changes_nothing(seed: int) -> None:
    """Rows of a later moment than the position are what a crash between the two leaves behind."""
    chance = random.Random(seed)
    sent = [
        replace(p, received=p.received + chance.choice((0, 0, 0, 90_000_000)), qn=p.said_by)
        for p in packets(seed % 5)
        if p.period == blocks.HOUR or chance.random() < 0.4
    ]
    timed = [(p.received, block([p], n)) for n, p in enumerate(sorted(sent, key=lambda p: p.received))]
    timed += [(at * 1000, message) for at, message in decisions(seed % 7)]
    timed += [(at * 1000, tick(at)) for at in range(START, END + 4 * 86_400, 5 * 3600)]
    messages = [registry(), *(message for _, message in sorted(timed, key=lambda pair: pair[0]))]
    assert crashed(messages, chance) == judged(messages)


def test_a_log_cut_into_other_blocks_gives_the_same_conditions() -> None:
    for seed in range(3):
        chance = random.Random(seed)
        sent = packets(seed)
        whole = judged([registry(), *numbered(sent, chance, 1), tick(END + 7200)])
        other = judged([registry(), *numbered(sent, chance), tick(END + 7200)])
        assert whole[topics.VERDICTS] == other[topics.VERDICTS]
        ids = [
            {json.loads(v)["id"]: json.loads(v)["level"] for v in each[topics.CONDITIONS].values()}
            for each in (whole, other)
        ]
        assert ids[0] == ids[1]
