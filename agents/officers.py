"""Simulated duty officers: they hear notices, answer some minutes later, and close what is over with a cause.

What they do enters the log as actions, as from the desk. Everything is drawn from a digest of the notice, so that the
same log has the same people in it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas import actions, alerts, blocks, times, topics
from schemas.alerts import Episode, Notice
from schemas.registry import Registry
from streams.journal import Record
from streams.state.kernel import Output

MINUTE_MS: Final = 60_000
_ROLES: Final = ("duty", "chief")
_CALLS: Final = (alerts.FIRST, alerts.RAISED, alerts.ESCALATED, alerts.REMINDER, alerts.UNACKNOWLEDGED, alerts.REOPENED)
_NEEDED: Final = {
    alerts.ACKNOWLEDGE: (alerts.OPEN,), alerts.CLOSE: (alerts.RESOLVED,), alerts.NOTE: alerts.ACTIVE,
}  # fmt: skip


@dataclass(frozen=True)
class Officers:
    """How the simulated people answer; times are minutes. Drawn from a digest of the notice: the same on every run."""

    ack_from: int = 2
    ack_to: int = 25
    night_from: int = 5
    night_to: int = 45
    deaf_percent: int = 10
    note_after: int = 20
    close_after: int = 30

    def delay_min(self, notice: Notice) -> int | None:
        """Minutes until somebody acknowledges because of this notice; None: it was not heard."""
        drawn = hashlib.sha256(notice.id.encode()).digest()
        if drawn[0] * 100 // 256 < self.deaf_percent:
            return None
        night = not 7 <= times.civil(notice.at // 1000).hour < 22
        low, high = (self.night_from, self.night_to) if night else (self.ack_from, self.ack_to)
        return low + int.from_bytes(drawn[1:3], "big") % (high - low + 1)


class OnDuty:
    """The officers beside a log that is being judged.

    Attributes:
        episodes: as they stand, by id.
        notices: everything somebody was told, in the order of the log.
        actions: how many things the officers did.
    """

    def __init__(self, registry: Registry, officers: Officers | None = None) -> None:
        """Nobody has heard anything yet."""
        self.episodes: dict[str, Episode] = {}
        self.notices: list[Notice] = []
        self.actions = 0
        self._registry, self._officers = registry, officers or Officers()
        self._todo: list[tuple[int, int, str, str, str]] = []  # due, order, episode, what, who
        self._order = 0

    def hear(self, output: Output) -> None:
        """What a judge published; other topics than those of alerts are passed over."""
        if output.topic == topics.EPISODES:
            episode = msgspec.json.decode(output.value, type=Episode)
            before = self.episodes.get(episode.id)
            self.episodes[episode.id] = episode
            if episode.state == alerts.RESOLVED and (before is None or before.state != alerts.RESOLVED):
                who = episode.holder or next(iter(episode.told), "")
                if who:
                    self._plan(episode.resolved, self._officers.close_after, episode.id, alerts.CLOSE, who)
        elif output.topic == topics.NOTICES:
            notice = msgspec.json.decode(output.value, type=Notice)
            self.notices.append(notice)
            if notice.reason not in _CALLS:
                return
            who = next((r.person for r in notice.to if r.role in _ROLES), "")
            delay = self._officers.delay_min(notice)
            if who and delay is not None:
                self._plan(notice.at, delay, notice.episode, alerts.ACKNOWLEDGE, who)
                self._plan(notice.at, delay + self._officers.note_after, notice.episode, alerts.NOTE, who)

    def done_until(self, now_ms: int) -> Iterator[Record]:
        """What they did until now, for the log; to be judged one by one, in front of the tick that says it is now."""
        while self._todo and self._todo[0][0] <= now_ms:
            due, _, name, what, who = heapq.heappop(self._todo)
            episode = self.episodes[name]
            if episode.state in _NEEDED[what]:
                yield from self._written(episode, what, who, due)
                self.actions += 1

    def _plan(self, at_ms: int, minutes: int, episode: str, what: str, who: str) -> None:
        self._order += 1
        heapq.heappush(self._todo, (at_ms + minutes * MINUTE_MS, self._order, episode, what, who))

    def _written(self, episode: Episode, what: str, who: str, at_ms: int) -> Iterator[Record]:
        data = {"episode": episode.id} | ({"cause": _cause_of(episode)} if what == alerts.CLOSE else {})
        drafted = actions.draft(
            what, episode.subject, episode.began, max(at_ms // 1000, episode.began + 1), by=who, why="模拟 simulated",
            data=data,
        )  # fmt: skip
        if errors := actions.check(drafted, self._registry):
            raise ValueError(f"a simulated officer made an action that the log refuses: {errors}")
        action = actions.complete(drafted, self._registry, "desk", at_ms)
        partition = topics.partition_of(action.group, topics.EMBEDDED_PARTITIONS)
        found = actions.find(action, self._registry)
        assert isinstance(found, actions.Subject)
        for kind in found.enters:
            yield Record(topics.READINGS_OF[kind], partition, action.group.encode(), blocks.encode(action))


def _cause_of(episode: Episode) -> str:
    """What a simulated officer takes for the cause."""
    return "transmission" if episode.about == "silence" else "weather" if episode.kind == "air" else "treatment"
