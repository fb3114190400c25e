"""Random traffic for the toy judge, drawn by Hypothesis: late, repeated, corrected, with silence between."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tests.streams.state import toy


def messages(seed: int, length: int = 60) -> list[bytes]:
    """A log: registry, blocks, ticks and corrections in the order of ``received``, which now and then leaps."""
    chance = random.Random(seed)
    now, number, found = 1_000_000_000_000, 0, [toy.registry_message()]
    for n in range(length):
        now += chance.choice((0, 500, 2_000, 10_000, 30_000, 200_000) if chance.random() < 0.9 else (900_000,))
        kind = chance.random()
        if kind < 0.65:
            packets = []
            for _ in range(chance.choice((1, 1, 2, 5))):
                received = now + chance.choice((0, 0, 1_000))
                at = received // 1000 - chance.choice((0, 5, 30, 70, 250, 400))
                packets.append((at, received, chance.randrange(100), f"{chance.randrange(10**6):017d}"))
                now = max(now, received)
            found.append(toy.block(number, *packets))
            number += len(packets)
            if chance.random() < 0.1:
                found.append(found[-1])  # the same block twice
        elif kind < 0.9:
            found.append(toy.tick(now - chance.choice((0, 0, 0, 5_000))))
        elif kind < 0.97:
            begin = now // 1000 - chance.choice((60, 600))
            taken_back = chance.random() < 0.4
            found.append(toy.correction(n, begin, begin + 300, chance.randrange(50), now, withdrawn=taken_back))
        else:
            found.append(chance.choice((b"{", b"\xff\xfe", b'{"kind":"block","v":9}', b'{"kind":"new"}', b"")))
    return [*found, toy.tick(now + chance.choice((1_000, 3_600_000)))]


SEEDS = st.integers(0, 2**32)
