"""A block's columns as arrays: what slots are offered. Knows no domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas import blocks
from schemas.blocks import Block
from streams.state.slots import Codes, Ints

NO_VALUE: Final = 63
"""In the lower six bits of ``meta``: the packet named the factor and gave no value. Else the count of decimals."""
_PLACE_BITS: Final = 6
_PLACE_OF: Final = np.full(128, NO_VALUE, np.uint32)
_PLACE_OF[np.frombuffer(blocks.PLACES.encode(), np.uint8)] = np.arange(len(blocks.PLACES), dtype=np.uint32)

FUTURE_MS: Final = 10 * 60 * 1000
PAST_MS: Final = 60 * 86_400_000
MINUTE_PAST_MS: Final = 3 * 86_400_000
"""Lateness against the packet's own ``received`` (design §5; air.md §6.3 Q02)."""
TIMELY, LATE, FUTURE = "", "late", "future"


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of a block: packet i has readings ``start[i]`` to ``start[i + 1]``.

    Attributes:
        start: int64[packets + 1].
        factor: int64[readings], index into the block's ``factors``.
        value: int64[readings], whole numbers as sent.
        meta: uint32[readings], decimals (or NO_VALUE) in the lower six bits, the flag's code point above.
    """

    start: Ints
    factor: Ints
    value: Ints
    meta: Codes


def columns(block: Block) -> Columns:
    """The readings of a block as arrays."""
    start = np.zeros(len(block.counts) + 1, np.int64)
    np.cumsum(block.counts, out=start[1:])
    return Columns(
        start, np.array(block.factor, np.int64), np.array(block.values, np.int64), meta_of(block.places, block.flags)
    )


def meta_of(places: str, flags: str) -> Codes:
    """Decimals and flags of readings in one number each."""
    place: Codes = _PLACE_OF[np.minimum(_code_points(places), 127)]
    found: Codes = place | (_code_points(flags) << np.uint32(_PLACE_BITS))
    return found


def decimals_of(meta: Codes) -> Codes:
    """Count of decimals, NO_VALUE where there is no value."""
    return meta & np.uint32(NO_VALUE)


def flag_codes(meta: Codes) -> Codes:
    """Code points of the flags."""
    return meta >> np.uint32(_PLACE_BITS)


def flag_of(meta: int) -> str:
    """The flag of one reading."""
    return chr(meta >> _PLACE_BITS)


def text_of(value: int, meta: int) -> str | None:
    """The decimal text as it was sent, None where there was no value."""
    places = meta & NO_VALUE
    return None if places == NO_VALUE else blocks.decimal_text(value, places)


def readings_of(start: Ints, packets: npt.NDArray[np.intp]) -> tuple[Ints, Ints]:
    """Indices of all readings of some packets, and for each the place of its packet in ``packets``."""
    counts = start[packets + 1] - start[packets]
    whose = np.repeat(np.arange(len(packets)), counts)
    first = np.cumsum(counts) - counts
    return np.arange(len(whose)) - first[whose] + start[packets][whose], whose


def timeliness(end_s: int, received_ms: int) -> str:
    """``""``, ``"future"`` or ``"late"``: how a period's end lies to when it was received."""
    if end_s * 1000 > received_ms + FUTURE_MS:
        return FUTURE
    if end_s * 1000 < received_ms - PAST_MS:
        return LATE
    return TIMELY


def _code_points(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
