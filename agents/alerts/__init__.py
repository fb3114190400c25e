"""Alerts of a judge: conditions become episodes and notices (emission.md §6, docs/alerts.md).

:class:`Alerts` is a part of every judge. Every condition that the judge says goes through it at once, under the same
now; its timers are among the judge's timers, its alerts among the judge's rows. What becomes of one alert is a pure
function (:mod:`agents.alerts.step`), which alert it is, too (:mod:`agents.alerts.book`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from agents.alerts.book import Book
from agents.alerts.people import People
from agents.alerts.step import FORGET, STATE_VERSION, Alert
from schemas import alerts, blocks, topics
from schemas.messages import Condition
from streams.state.judge import Judge
from streams.state.shelf import Shelf
from streams.state.timers import Key

__all__ = ["AlertingJudge", "Alerts"]

_TIMER: Final = "alert"
_MAINTENANCE: Final = "maintenance"


def _decode(row: bytes) -> Alert:
    found = msgspec.msgpack.decode(row, type=Alert)
    if found.v != STATE_VERSION:
        raise ValueError(f"an alert's row of format {found.v}, this program reads {STATE_VERSION}: upgrade it")
    return found


class Alerts:
    """The alerts of one judge."""

    def __init__(self, judge: Judge, kind: str) -> None:
        """Watch the conditions of a judge of a kind: air, water or emission."""
        self.judge = judge
        self.rows: Shelf[Alert] = judge.keep(Shelf("episode", _decode, msgspec.msgpack.encode))
        self.book = Book(kind, self.rows, People(judge), self._changed)
        self._stirred: dict[str, None] = {}

    def begin(self) -> None:
        """All rows are back: set the timers."""
        self.book.begin()
        for name, alert in self.rows.items():
            for timer, due in alert.due.items():
                self.judge.timers.set((_TIMER, name, timer), due)

    def said(self, condition: Condition) -> None:
        """The judge said a condition.

        It is taken at the instant it says, or at that of the timer that fires: what a timer finds out about minutes
        that stopped long ago is known since then only.
        """
        if not self.judge.quiet:
            self.book.condition(condition, max(condition.now, self.judge.due_ms or 0))
            self._catch_up()

    def on_action(self, action: blocks.Action) -> bool:
        """A person did something; whether it was about alerts alone."""
        if action.what in alerts.ALERT_ACTIONS:
            self.book.action(action)
        elif action.what == _MAINTENANCE:
            self.book.maintenance(action.group, action.received)
        self._catch_up()
        return action.what in alerts.ALERT_ACTIONS

    def on_timer(self, key: Key, due_ms: int) -> bool:
        """A timer fires; whether it was one of these."""
        if key[0] != _TIMER:
            return False
        self.book.due(key[1], key[2], due_ms)
        self._catch_up()
        return True

    def _catch_up(self) -> None:
        """What is due already, because the judge takes several packets at once, fires at its own due time."""
        while self._stirred:
            now = self.judge.now_ms or 0
            due = [
                (at, name, timer)
                for name in self._stirred
                if (alert := self.rows.get(name)) is not None
                for timer, at in alert.due.items()
                if at <= now
            ]
            self._stirred = {}
            if due:
                at, name, timer = min(due)
                self._stirred = {each: None for _, each, _ in due}
                self.book.due(name, timer, at)

    def _changed(self, before: Alert | None, after: Alert | None, notices: list[alerts.Notice]) -> None:
        """An alert is another one: its timers, and what is published of it."""
        old, new = before.due if before is not None else {}, after.due if after is not None else {}
        whose = after if after is not None else before
        assert whose is not None
        name = whose.episode.id
        for timer in old.keys() - new.keys():
            self.judge.timers.cancel((_TIMER, name, timer))
        for timer, due in new.items():
            if old.get(timer) != due:
                self.judge.timers.set((_TIMER, name, timer), due)
        if after is None:
            return  # the last message of a final episode stays the truth about it
        self._stirred[name] = None
        if before is None or before.episode != after.episode:
            self.judge.publish(topics.EPISODES, name.encode(), after.episode)
        for notice in notices:
            self.judge.publish(topics.NOTICES, name.encode(), notice)
        if after.episode.state in alerts.FINAL and FORGET in new and not any(m.open for m in after.episode.members):
            self.rows.cool(name)


class AlertingJudge(Judge):
    """A judge whose conditions are alerts. Its hooks hand on to them: ``begin``, ``on_action`` and ``on_timer``."""

    alerts: Alerts

    def condition(self, condition: Condition) -> None:
        """Publish a condition, and take it as an alert."""
        super().condition(condition)
        self.alerts.said(condition)
