"""What totals stand on: a day of the ledger in the shape they need, and a year of amounts with what was filled."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from agents.emission.ledger import BINDING_BIT, HOURS, NOTHING, Day
from agents.emission.plan import Plan
from standards.emission import hours as law
from standards.emission.limits import KINDS
from standards.fixed import MISSING, Ints

Bools = npt.NDArray[np.bool_]
_STANDS: Final = law.REASONS.index("standstill")
_NO_VALUE: Final = law.REASONS.index("no_value")
_ULTRA: Final = 1 << KINDS.index("ultra_low")


@dataclass(eq=False)
class Filled:
    """A year of an outlet, or what of it is closed: days × the factors that have amounts.

    ``rules``: per rule how many hours (days, under rule 0) were filled by it; ``captured``: capture rate by the first
    day of each quarter.
    """

    first: int
    through: int
    factors: tuple[str, ...]
    total: Ints
    measured: Ints
    gaps: Ints
    rules: dict[int, Ints]
    captured: dict[int, list[Fraction | None]] = field(default_factory=dict)

    def same_day(self, other: Filled, day: int) -> bool:
        """Whether two derivations give a day the same amounts."""
        if self.factors != other.factors or not self.first <= day <= self.through:
            return False
        a, b = day - self.first, day - other.first
        pairs = [(self.total, other.total), (self.measured, other.measured), (self.gaps, other.gaps)]
        nothing = np.zeros_like(self.total)
        more = np.zeros_like(other.total)
        pairs += [
            (self.rules.get(rule, nothing), other.rules.get(rule, more))
            for rule in self.rules.keys() | other.rules.keys()
        ]
        return all(bool((one[a] == two[b]).all()) for one, two in pairs)


@dataclass(eq=False)
class DayFacts:
    """A day of an outlet.

    Attributes:
        amount: int64[24, factors with amounts]; still: their standstill.
        due: (hours, standstill, received, valid) of the required factors together (§4.4).
        ultra: valid hours with an ultra-low limit, and those over it and not exempt, by factor.
        verdicts: hours by verdict against the binding limits, by factor.
    """

    amount: Ints
    still: Bools
    due: tuple[int, int, int, int]
    ultra: dict[str, tuple[int, int]]
    verdicts: dict[str, dict[str, int]]


def amount_factors(plan: Plan) -> tuple[str, ...]:
    """Factors of which amounts are made."""
    return tuple(c.name for c in plan.channels if c.amount or c.name == "flow")


def facts_of(plan: Plan, factors: tuple[str, ...], row: Day | None) -> DayFacts:
    """A day as totals need it; without a row nothing came of it."""
    amount = np.full((HOURS, len(factors)), MISSING, np.int64)
    still = np.zeros((HOURS, len(factors)), np.bool_)
    hours = HOURS * len(plan.required)
    if row is None:
        return DayFacts(amount, still, (hours, 0, 0, 0), {}, {n: {"MISSING": HOURS} for n in plan.bounds})
    for f, name in enumerate(factors):
        if name in row.factors:
            at = row.factors.index(name)
            amount[:, f] = row.amount[:, at]
            still[:, f] = row.reason[:, at] == _STANDS
    standstill = received = valid = 0
    ultra: dict[str, tuple[int, int]] = {}
    for name in plan.required:
        if name not in row.factors:
            continue
        f = row.factors.index(name)
        reason = row.reason[:, f]
        stands, good = reason == _STANDS, reason == 0
        standstill += int(stands.sum())
        received += int(((reason != NOTHING) & (reason != _NO_VALUE) & ~stands).sum())
        valid += int(good.sum())
        has = good & (row.has[:, f] & _ULTRA != 0)
        if has.any():
            over = has & (row.over[:, f] & _ULTRA != 0) & (row.exempt[:, f] == 0)
            ultra[name] = int(has.sum()), int(over.sum())
    verdicts = {name: _verdicts(row, row.factors.index(name)) for name in plan.bounds if name in row.factors}
    return DayFacts(amount, still, (hours, standstill, received, valid), ultra, verdicts)


def _verdicts(row: Day, f: int) -> dict[str, int]:
    reason, over, exempt = row.reason[:, f], row.over[:, f] & BINDING_BIT != 0, row.exempt[:, f] != 0
    good, stands, nothing = reason == 0, reason == _STANDS, reason == NOTHING
    masks = {
        "OK": good & ~over,
        "EXCEED": good & over & ~exempt,
        "EXEMPT": good & over & exempt,
        "NOT_APPLICABLE": stands,
        "INVALID": ~(good | stands | nothing),
        "MISSING": nothing,
    }
    return {word: n for word, mask in masks.items() if (n := int(mask.sum()))}
