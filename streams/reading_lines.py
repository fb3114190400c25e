"""Blocks of ``readings-*`` to lines: by far the most of what the sink writes, so the columns are walked once.

The same few series, units and flags come again and again: what stands before and behind a value is kept as text.
"""

from __future__ import annotations

from schemas import blocks, topics
from schemas import measurements as m
from schemas.blocks import Block
from streams.line_builder import LAST_SECOND, PREFIXES_KEPT, Builder, LineError, text

KIND_OF_TOPIC = {topic: kind for kind, topic in topics.READINGS_OF.items()}
"""Kind of source (``schemas.registry``) by topic of its readings."""

_PERIODS = frozenset((blocks.REALTIME, blocks.MINUTE, blocks.HOUR, blocks.DAY))
_NORMAL = frozenset(("N", blocks.NO_FLAG))
_PLACES = {letter: count for count, letter in enumerate(blocks.PLACES)}
_NO_NUMBER = str(m.NOTHING)

_builder = Builder(m.READING)


class _Heads(dict[int, str]):
    """Series and name of the first field, by the index of the factor in a block; "" where no line can carry it."""

    def __init__(self, factors: list[str], kind: str, period: str, source: str) -> None:
        super().__init__()
        self._of = factors, kind, period, source

    def __missing__(self, factor: int) -> str:
        factors, kind, period, source = self._of
        try:
            made = f"{_builder.prefix((factors[factor], kind, period, source))} value="
        except LineError:
            made = ""
        self[factor] = made
        return made


class _Tails(dict[tuple[str, str, str, bool], str]):
    """The other fields, by unit, flag, mark of the packet, and whether there is a value."""

    def __missing__(self, key: tuple[str, str, str, bool]) -> str:
        unit, flag, mark, known = key
        if len(self) >= PREFIXES_KEPT:
            self.clear()
        said = ("" if flag == blocks.NO_FLAG else flag, mark == blocks.BACKFILLED, known and flag in _NORMAL)
        made = self[key] = ",unit={},flag={},backfilled={},valid={} ".format(
            text(unit), text(said[0]), *(str(yes).lower() for yes in said[1:])
        )
        return made


_tails = _Tails()


def reading_lines(data: bytes, kind: str) -> list[str]:
    """The lines of a message of ``readings-*``: none of a tick, a registry or an action.

    A reading whose factor no line can carry is left out, and so are states of devices, which are codes.

    Args:
        data: the message.
        kind: of its sources: air, water, emission.

    Raises:
        LineError: a message this version cannot use.
    """
    try:
        message = blocks.decode(data)
    except blocks.BlockError as error:
        raise LineError(str(error)) from None
    return _of_block(message, kind) if isinstance(message, Block) else []


def _of_block(block: Block, kind: str) -> list[str]:
    if not _PLACES.keys() >= set(block.places) - {blocks.NO_VALUE}:
        raise LineError("places that are no count of decimals")
    factors, which, flags = block.factors, block.factor, block.flags
    units = block.units or [""] * len(factors)
    values = [
        blocks.decimal_text(value, _PLACES[place]) if place != blocks.NO_VALUE else ""
        for value, place in zip(block.values, block.places, strict=True)
    ]
    heads: dict[tuple[int, str], _Heads] = {}
    made: list[str] = []
    end = 0
    for source, time, period, count, mark in zip(
        block.source,
        block.times,
        block.periods,
        block.counts,
        block.marks or blocks.PLAIN * len(block.source),
        strict=True,
    ):
        begin, end = end, end + count
        if period not in _PERIODS or not -LAST_SECOND < time < LAST_SECOND:
            continue
        head = heads.get((source, period))
        if head is None:
            head = heads[source, period] = _Heads(factors, kind, period, block.sources[source])
        made += [
            f"{head[f]}{value or _NO_NUMBER}{_tails[units[f], flag, mark, value != '']}{time}000000000"
            for f, value, flag in zip(which[begin:end], values[begin:end], flags[begin:end], strict=True)
            if head[f]
        ]
    return made
