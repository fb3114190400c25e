"""Numbers of the emission tables by name, under the edition of a date."""

from __future__ import annotations

import datetime
from fractions import Fraction
from functools import cache

from standards.water.editions import choose


@cache
def constant_of(name: str, date: datetime.date | None = None) -> Fraction:
    """A number of ``emission_constants``, in its unit.

    Raises:
        LookupError: no such name, or no edition in force on the date.
    """
    return Fraction(choose("emission_constants", date).row(name=name).number("value"))


@cache
def minimum(rule: str, date: datetime.date | None = None) -> int:
    """A whole number of ``emission_validity``: minutes, hours, counts or percent, as its name says."""
    return choose("emission_validity", date).row(rule=rule).integer("value")


@cache
def owed_percent(share: str, date: datetime.date | None = None) -> int:
    """A share of ``emission_shares`` in percent."""
    return choose("emission_shares", date).row(share=share).integer("percent")


@cache
def of_totals(name: str, date: datetime.date | None = None) -> int:
    """A whole number of ``emission_totals``: days or percent."""
    return choose("emission_totals", date).row(name=name).integer("value")
