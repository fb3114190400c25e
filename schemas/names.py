"""Chinese names of what alerts speak of: factors, and what meters measure (``treatment:dust``, ``SO2@other``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from schemas import hj212_codes
from schemas.registry.words import MEASURES_ZH

MEDIA: Final = (hj212_codes.AIR, hj212_codes.GAS, hj212_codes.WATER, hj212_codes.PROCESS)
_LINE: Final = re.compile(r"([^:@]+)(.*)", re.DOTALL)


def name_zh(said: str, media: Iterable[str] = MEDIA) -> str:
    """The Chinese name of a factor or measure, with the line or other outlet behind it; what was said if it has none.

    Args:
        said: ``SO2``, ``treatment``, ``treatment:dust``, ``SO2@other-outlet``.
        media: in which a factor is looked for, in this order.
    """
    found = _LINE.fullmatch(said)
    if found is None:
        return said
    word, rest = found.groups()
    if word in MEASURES_ZH:
        return MEASURES_ZH[word] + rest
    known = next((factor for medium in media if (factor := hj212_codes.factor_of_name(word, medium)) is not None), None)
    return known.name_zh + rest if known is not None else said
