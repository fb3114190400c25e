"""Silence: hours that did not come, and sources that say nothing (emission.md §4.4, §6). Serves every kind of source.

Both are conditions, at the right moment also when nothing arrives at all, because ticks move time:

* ``hour-missing``: an hour packet has not come so long after its hour as the registry allows. The condition names the
  hours of the source that were missing when it was published; the gateway asks the logger for them. It ends when the
  last of them has come, or is too old to be judged.
* ``offline``: no word at all for three intervals, at least ten minutes; its level rises with the length of silence.

State is what was heard last and which hours are owed, per source; whether a condition is open follows from that and
now, so a crash can neither lose one nor begin it twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial

import msgspec

from schemas import times
from schemas.messages import BEGAN, CONTINUES, ENDED, HOUR_MISSING, OFFLINE, Condition
from schemas.registry import Logger, Source
from standards import silence as law
from streams.state.columns import PAST_MS
from streams.state.judge import Judge
from streams.state.shelf import Shelf
from streams.state.timers import Key

STATE_VERSION = 1
_OFFLINE_TIMER = "silence-offline"
_HOUR_TIMER = "silence-hour"


class Heard(msgspec.Struct, array_like=True):
    """What is remembered of a source.

    Attributes:
        last_ms: when its newest packet was received, or since when it is expected.
        missing: ends of the hours it owes, in order.
        began: end of the first hour of the condition that is open; 0 without one.
        since_ms: since when it is expected; an hour that was over by then is not owed.
    """

    v: int
    last_ms: int
    missing: list[int]
    began: int = 0
    since_ms: int = 0


def _decode(row: bytes) -> Heard:
    found = msgspec.msgpack.decode(row, type=Heard)
    if found.v != STATE_VERSION:
        raise ValueError(f"a silence row of format {found.v}, this program reads {STATE_VERSION}")
    return found


class Silence:
    """Watches the sources of one kind that are judged in a partition."""

    def __init__(self, judge: Judge, kind: str, present: Callable[[str, int], bool]) -> None:
        """Watch.

        Args:
            judge: whose sources.
            kind: air, water or emission.
            present: whether the hour of a source that ends at an instant has come, by its own packet or otherwise.
        """
        self.judge, self.kind, self.present = judge, kind, present
        self.heard: Shelf[Heard] = judge.keep(Shelf("s", _decode, msgspec.msgpack.encode))
        self._sources: dict[str, Source] = {}
        self._day = -1
        self._offline: dict[str, str] = {}  # level of the open condition, derived

    # ---- sources

    def begin(self) -> None:
        """The registry and now are known: expect the sources of today, and set the timers after now."""
        self._day = -1
        self._sources_of_now()
        self._set_hour_timers()
        now = self._now()
        for name in self._sources:
            row = self.heard.get(name)
            assert row is not None
            level = self._level(name, now - row.last_ms)
            if level:
                self._offline[name] = level
            self._arm(name, row)

    def on_registry(self) -> None:
        """Another registry: who left it owes nothing and is not off-line any more."""
        if self.judge.now_ms is None:
            return
        before = dict(self._sources)
        self._day = -1
        self._sources_of_now()
        self._set_hour_timers()
        for name in sorted(set(before) - set(self._sources)):
            self._leave(name, before[name])
        for name in sorted(set(self._sources)):
            row = self.heard.get(name)
            assert row is not None
            self._arm(name, row)

    def _leave(self, name: str, source: Source) -> None:
        row = self.heard.get(name)
        if row is not None and row.began:
            self._owe(source, row, ENDED, row.missing, self._now())
        if name in self._offline:
            self._say_offline(source, ENDED, self._offline.pop(name), row.last_ms if row else 0, self._now())
        self.judge.timers.cancel((_OFFLINE_TIMER, name))
        self.heard.drop(name)

    def _sources_of_now(self) -> dict[str, Source]:
        """The sources that exist today (Beijing), by id; a source that is new is expected from now on."""
        day = times.day_of(self._now() // 1000 + 1)
        if day != self._day:
            registry = self.judge.registry
            assert registry is not None
            self._day = day
            self._sources = {
                s.id: s
                for s in registry.sources_at(times.date_of(day))
                if s.kind == self.kind and self.judge.is_mine(s.group)
            }
            for name in self._sources:
                if name not in self.heard:
                    self.heard.put(name, Heard(STATE_VERSION, self._now(), [], since_ms=self._now()))
        return self._sources

    def _logger(self, source: Source) -> Logger:
        assert self.judge.registry is not None
        return self.judge.registry.logger(source.mn, times.date_of(self._day))

    def _now(self) -> int:
        assert self.judge.now_ms is not None
        return self.judge.now_ms

    # ---- a word

    def word(self, name: str, received_ms: int) -> None:
        """A source said something; also what is not judged is a sign of life."""
        source = self._sources.get(name)
        row = self.heard.get(name) if source is not None else None
        if source is None or row is None:
            return
        if received_ms > row.last_ms:
            last, row.last_ms = row.last_ms, received_ms
            self.heard.touch(name)
            level = self._offline.pop(name, None)
            if level is not None:
                self._say_offline(source, ENDED, level, last, received_ms)
                self._arm(name, row)

    def came(self, name: str, end_s: int, received_ms: int) -> None:
        """An hour of a source has come."""
        row = self.heard.get(name)
        if row is None or end_s not in row.missing:
            return
        hours = list(row.missing)
        row.missing.remove(end_s)
        self.heard.touch(name)
        if not row.missing and name in self._sources:
            self._owe(self._sources[name], row, ENDED, hours, received_ms)

    # ---- time

    def on_timer(self, key: Key, due_ms: int) -> bool:
        """A timer fires; whether it was one of these."""
        if key[0] == _OFFLINE_TIMER:
            self._check_offline(key[1], due_ms)
        elif key[0] == _HOUR_TIMER:
            self._check_hours(int(key[1]), due_ms)
        else:
            return False
        return True

    def _arm(self, name: str, row: Heard) -> None:
        """Set the timer of the next step of silence after what is said already."""
        silent = self._now() - row.last_ms
        for after, _ in law.steps(self._logger(self._sources[name]).interval_s):
            if after * 1000 > silent:
                self.judge.timers.set((_OFFLINE_TIMER, name), row.last_ms + after * 1000)
                return
        self.judge.timers.cancel((_OFFLINE_TIMER, name))

    def _level(self, name: str, silent_ms: int) -> str:
        level = ""
        for after, said in law.steps(self._logger(self._sources[name]).interval_s):
            if silent_ms >= after * 1000:
                level = said
        return level

    def _check_offline(self, name: str, due_ms: int) -> None:
        source = self._sources_of_now().get(name)
        row = self.heard.get(name)
        if source is None or row is None:
            return
        level = self._level(name, due_ms - row.last_ms)  # it may have spoken since the timer was set
        if level and level != self._offline.get(name):
            self._say_offline(source, CONTINUES if name in self._offline else BEGAN, level, row.last_ms, due_ms)
            self._offline[name] = level
        self._arm(name, row)

    def _set_hour_timers(self) -> None:
        """One timer per length of patience: its next hour that is due after now."""
        for within in sorted({self._logger(s).hour_within_s for s in self._sources.values()}):
            key = (_HOUR_TIMER, str(within))
            if self.judge.timers.due_of(key) is None:
                hours = (self._now() // 1000 - within) // times.HOUR_S + 1
                self.judge.timers.set(key, (hours * times.HOUR_S + within) * 1000)

    def _check_hours(self, within: int, due_ms: int) -> None:
        end = due_ms // 1000 - within
        day_before = self._day
        for name, source in sorted(self._sources_of_now().items()):
            row = self.heard.get(name)
            assert row is not None
            if self._logger(source).hour_within_s == within and source.valid_from <= times.date_of(times.day_of(end)):
                self._check_hour(source, row, end, due_ms)
        self.judge.timers.set((_HOUR_TIMER, str(within)), due_ms + times.HOUR_S * 1000)
        if self._day != day_before:
            self._set_hour_timers()

    def _check_hour(self, source: Source, row: Heard, end: int, due_ms: int) -> None:
        old = row.missing[: bisect_left(row.missing, -(-(due_ms - PAST_MS) // 1000))]
        if old:
            row.missing = row.missing[len(old) :]
            self.heard.touch(source.id)
        at = bisect_left(row.missing, end)
        owed = at < len(row.missing) and row.missing[at] == end
        if end * 1000 > row.since_ms and not owed and not self.present(source.id, end):
            row.missing.insert(at, end)
            self.heard.touch(source.id)
            state = CONTINUES if row.began else BEGAN
            row.began = row.began or end
            first = end
            while at and row.missing[at - 1] == first - times.HOUR_S:  # of a range with holes only the part that grew
                at, first = at - 1, first - times.HOUR_S
            self._owe(source, row, state, [first, end], due_ms)
        elif old and not row.missing:
            self._owe(source, row, ENDED, old, due_ms)

    # ---- saying

    def _owe(self, source: Source, row: Heard, state: str, hours: list[int], at_ms: int) -> None:
        say = partial(self._condition, source, HOUR_MISSING, state, row.began, at_ms)
        say(until=hours[-1], since=hours[0], level="yellow", hours=len(row.missing))
        if state == ENDED:
            row.began = 0
            self.heard.touch(source.id)

    def _say_offline(self, source: Source, state: str, level: str, last_ms: int, at_ms: int) -> None:
        last = last_ms // 1000
        self._condition(source, OFFLINE, state, last, at_ms, since=last, until=at_ms // 1000, level=level, hours=0)

    def _condition(
        self, source: Source, rule: str, state: str, begun: int, at_ms: int, *, since: int, until: int, level: str,
        hours: int,
    ) -> None:  # fmt: skip
        registry = self.judge.registry
        assert registry is not None
        detail = {"name": source.name, "mn": source.mn}
        if rule == HOUR_MISSING:
            detail["hours"] = str(hours)
        self.judge.condition(
            Condition(
                id=f"{source.group}|{source.id}|{rule}||{begun}",
                state=state,
                rule=rule,
                group=source.group,
                subject=source.id,
                factor="",
                since=since,
                until=until,
                now=at_ms,
                origin="",
                level=level,
                detail=detail,
                ruleset=f"silence-{times.date_of(self._day).year}",
                registry=registry.digest,
            )
        )
