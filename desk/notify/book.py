"""What ``deliveries`` says: which notice is done for whom, and which may have gone out unanswered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.alerts import GAVE_UP, SENDING, Delivery

NO_ANSWER = "no-answer"
"""Code of an outcome nobody knows: it may have gone out."""


@dataclass
class Told:
    """One person and one notice.

    ``attempts`` is the highest number there is; ``unsure`` are those whose end nobody knows: written as ``sending``
    without an outcome (a crash in between), or without an answer.
    """

    attempts: int = 0
    unsure: set[int] = field(default_factory=set)
    final: bool = False
    gave_up: bool = False
    at_ms: int = 0


class Book:
    """The last word about every notice and person. Rows may come in any number and repeat themselves."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, Told]] = {}

    def see(self, row: Delivery) -> None:
        """Take note of one row; of one attempt ``sending`` comes first."""
        told = self._told.setdefault(row.notice, {}).setdefault(row.person, Told())
        told.at_ms = max(told.at_ms, row.at)
        told.attempts = max(told.attempts, row.attempt)
        if row.state == SENDING or row.code == NO_ANSWER:
            told.unsure.add(row.attempt)
        else:
            told.unsure.discard(row.attempt)
        told.final = told.final or row.final
        told.gave_up = told.gave_up or row.state == GAVE_UP

    def of(self, notice: str, person: str) -> Told:
        """What is known; an empty one when nothing is."""
        return self._told.get(notice, {}).get(person) or Told()

    def done(self, notice: str) -> bool:
        """Whether any person had the last word of a notice."""
        return any(told.final for told in self._told.get(notice, {}).values())

    def forget(self, before_ms: int) -> None:
        """Drop notices whose last row is older than that: they are not read again."""
        old = [n for n, persons in self._told.items() if all(t.at_ms < before_ms for t in persons.values())]
        for notice in old:
            del self._told[notice]

    def __iter__(self) -> Iterator[str]:
        """Ids of notices."""
        return iter(self._told)
