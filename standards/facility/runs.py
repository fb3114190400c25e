"""From a condition per slot to periods: hold time, gaps, begin and end (emission.md §5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from standards.facility.signals import Tri


@dataclass(frozen=True, slots=True)
class Run:
    """Slots in which a condition held: ``first``, ``last``, ``raised`` (hold time complete), and whether it goes on."""

    first: int
    last: int
    raised: int
    open: bool


def runs(state: Tri, hold: int, gap: int) -> list[Run]:
    """Periods in which a condition held long enough.

    A period is of slots that are yes, with at most ``gap`` unknown ones in a row between them; a no ends it, and so do
    more unknown ones. It counts from its first slot on: at its ``hold``-th slot or later, the first that is yes raises
    it. It is open while nothing has ended it.

    Args:
        state: (n,).
        hold: slots, at least 1.
        gap: slots.
    """
    at = np.flatnonzero(state.yes)
    if not len(at):
        return []
    noes = np.cumsum(state.no)
    split = (np.diff(at) - 1 > gap) | (np.diff(noes[at]) > 0)
    firsts = at[np.concatenate([[True], split])]
    lasts = at[np.concatenate([split, [True]])]
    n = len(state.yes)
    found = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        if last - first + 1 < hold:
            continue
        raised = int(at[np.searchsorted(at, first + hold - 1)])
        ended = noes[-1] > noes[last] or n - 1 - last > gap
        found.append(Run(first, last, raised, not ended))
    return found
