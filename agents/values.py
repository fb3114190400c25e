"""What was sent as exact fixed-point numbers of the law."""

from __future__ import annotations

import numpy as np

from standards import fixed
from streams.state.columns import NO_VALUE, decimals_of
from streams.state.slots import Codes, Ints


def scaled(value: Ints, meta: Codes, places: int = 3) -> Ints:
    """Values in 10**-places of their unit, MISSING where there is none.

    Finer digits are cut in the way that any later rounding of this value still sees they were there (as
    ``fixed.parse(excess="sticky")``). What is absurdly large stays absurdly large, but inside 64 bits: the law's hard
    range takes it out.

    Args:
        value: int64[n], as sent.
        meta: uint32[n], with the count of decimals.
        places: of the result.
    """
    decimals = decimals_of(meta)
    found = np.full(value.shape, fixed.MISSING, np.int64)
    for sent in np.unique(decimals).tolist():
        if sent == NO_VALUE:
            continue
        at = decimals == sent
        these = value[at]
        if sent <= places:
            shift = 10 ** (places - sent)
            most = fixed.LARGEST // shift
            found[at] = np.clip(these, -most, most) * shift
        else:
            by = 10 ** (sent - places)
            size = np.abs(these)
            whole = size // by if by <= 10**18 else np.zeros_like(size)
            lost = (size - whole * by) != 0 if by <= 10**18 else size != 0
            whole += lost & (whole % 5 == 0)
            found[at] = np.clip(np.where(these < 0, -whole, whole), -fixed.LARGEST, fixed.LARGEST)
    return found
