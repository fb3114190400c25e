"""Values in their slots: what unit, flag and decimals a slot carries, and the exact numbers they stand for."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas import blocks, times, units
from standards.emission import flags
from standards.emission.exact import Exact, of, product
from standards.fixed import MISSING
from streams.state.columns import NO_VALUE, text_of
from streams.state.slots import EMPTY, Codes, Ints

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

UNITS: Final = ("", *(u for u in ("m3/s", "m3/min", "m3/h", "m3/d", "L/s", "L/min", "L/h", "m/s", "km/h", "cm/s")))
"""Units that a slot can name beside its value; the first: the published one."""
OTHER_UNIT: Final = 15
"""A unit that no ratio leads from to the published one: the value is kept and does not count."""
BACKFILLED_BIT: Final = 1 << 31
"""In a slot's meta: it was sent later than measured (RF=1)."""
_UNIT_SHIFT: Final = 27
_UNIT_MASK: Final = 15
_FLAG_SHIFT: Final = 6
_FLAG_MASK: Final = (1 << (_UNIT_SHIFT - _FLAG_SHIFT)) - 1

TIMELY: Final = 1 << 60
"""Added to the version of what was sent when it says it was. A reading whose request number lies minutes away from its
receipt may come from a wrong clock: it fills a slot, and never takes the place of a timely one."""

_USE: Final[Bytes] = flags.uses("".join(map(chr, range(256))))
_USE[ord(blocks.NO_FLAG)] = _USE[ord(blocks.UNREADABLE)] = _USE[0] = flags.VALID  # what is unreadable has no value


def unit_codes(names: list[str]) -> Codes:
    """The bits of units as blocks name them, to be put on the metas."""
    known = {name: code for code, name in enumerate(UNITS)}
    return np.array([known.get(name, OTHER_UNIT) for name in names], np.uint32) << np.uint32(_UNIT_SHIFT)


def unit_of(meta: int) -> str | None:
    """The unit a slot names, "" for the published one; None: one that leads nowhere."""
    code = (meta >> _UNIT_SHIFT) & _UNIT_MASK
    return UNITS[code] if code < len(UNITS) else None


def flag_of(meta: int) -> str:
    """The flag of a slot."""
    return chr((meta >> _FLAG_SHIFT) & _FLAG_MASK)


def uses_of(meta: Codes) -> Bytes:
    """What the flags make of values: codes of :mod:`standards.emission.flags`."""
    letters = (meta >> np.uint32(_FLAG_SHIFT)) & np.uint32(_FLAG_MASK)
    return np.where(letters < 256, _USE[np.minimum(letters, 255)], np.uint8(flags.INVALID))


def has_value(meta: Codes, version: Ints) -> Bools:
    """Where a number was sent."""
    found: Bools = (version != EMPTY) & ((meta & np.uint32(NO_VALUE)) != NO_VALUE)
    return found


def exact(value: Ints, meta: Codes, known: Bools, published: list[str]) -> tuple[Exact, Bools]:
    """Numbers in the published units, and where the unit leads nowhere.

    Args:
        value: of slots.
        meta: of slots.
        known: which of them have a number that may be read.
        published: unit of each.

    Returns:
        Exact, missing where not known or without a ratio; bool, the latter.
    """
    places = (meta & np.uint32(NO_VALUE)).astype(np.int64)
    # whoever sends more decimals than can be kept exactly means nothing by them
    readable = known & (places <= 18)
    found = of(np.where(readable, value, MISSING), np.where(readable, places, 0))
    odd = np.flatnonzero(known & ((meta >> np.uint32(_UNIT_SHIFT)) & np.uint32(_UNIT_MASK) != 0))
    lost = np.zeros(value.shape, np.bool_)
    if not len(odd):
        return found, lost
    up, down = np.ones(value.shape, np.int64), np.ones(value.shape, np.int64)
    for at in odd.tolist():
        ratio = ratio_of(int(meta[at]), published[at])
        if ratio is None:
            lost[at] = True
        else:
            up[at], down[at] = ratio.numerator, ratio.denominator
    missing = found.missing | lost
    num = np.where(missing, 0, found.num)
    num, den = product(num, up), product(found.den, down)
    return Exact(np.where(missing, MISSING, num), den), lost


def ratio_of(meta: int, published: str) -> Fraction | None:
    """What a slot's value is multiplied by to stand in the published unit; None: nothing leads there."""
    unit = unit_of(meta)
    if unit is None:
        return None
    try:
        return units.ratio(unit, published) if unit else Fraction(1)
    except units.UnitError:
        return None


def sent_text(value: int, meta: int, version: int) -> str | None:
    """The decimal text as it was sent, None where nothing was."""
    plain = meta & ((1 << _UNIT_SHIFT) - 1)
    return None if version == EMPTY else text_of(value, plain)


def shown_flag(meta: int, version: int) -> str:
    """The flag as a cell shows it."""
    return blocks.NO_FLAG if version == EMPTY else flag_of(meta)


def qn_ms(qn: str) -> int | None:
    """The instant a request number names, epoch ms; None where it is none."""
    if len(qn) != 17:
        return None
    try:
        return times.parse_stamp(qn) * 1000 + int(qn[14:])
    except (ValueError, OverflowError):
        return None
