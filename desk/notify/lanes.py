"""The queue of one robot or address: what goes out by itself, what waits, what becomes one digest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from desk.notify.rates import Window
from desk.notify.texts import RED, rank
from schemas.alerts import Notice
from schemas.registry import Channel

_DIGESTED_FROM_MS = 10_000
"""A window at least this long is kept by digesting; a shorter one by waiting."""


@dataclass
class Job:
    """One notice and one person, with the channels of this person that can be used.

    ``place`` and ``tries`` are where it is in its channels, ``attempt`` counts over all of them and over restarts.
    ``soft`` are channels whose failure may pass, ``again`` says that an earlier request may have gone out. ``over``:
    told, or given up. ``logged``: nothing is sent before Kafka has the row of it.
    """

    notice: Notice
    person: str
    channels: tuple[Channel, ...]
    place: int = 0
    tries: int = 0
    attempt: int = 0
    unsure: int = 0
    soft: list[Channel] = field(default_factory=list)
    last_round: bool = False
    at_ms: int = 0
    again: str = ""
    over: bool = False
    logged: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Notice and person."""
        return self.notice.id, self.person

    @property
    def channel(self) -> Channel:
        """The channel it is at."""
        return self.channels[self.place]


@dataclass(frozen=True)
class Bundle:
    """What goes into one request: jobs of one notice, or several notices as a digest."""

    jobs: tuple[Job, ...]

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Each notice once."""
        return tuple({job.notice.id: job.notice for job in self.jobs}.values())


class Lane:
    """Jobs that wait for one robot or address; one request at a time."""

    def __init__(self, channel: Channel, windows: Iterable[Window]) -> None:
        self.channel = channel
        self.windows = tuple(windows)
        self.jobs: list[Job] = []
        self.changed = asyncio.Event()

    def put(self, job: Job) -> None:
        """A job for this channel, due at ``job.at_ms``."""
        self.jobs.append(job)
        self.changed.set()

    def note(self, at_ms: int) -> None:
        """A request was made."""
        for window in self.windows:
            window.note(at_ms)

    def next(self, now_ms: int, cap: Callable[[str], Window]) -> tuple[Bundle | None, int | None]:
        """What to send now, taken out of the queue; or nothing and when to look again (None: when there is a new one).

        The worst comes first. The last place of a window, the robot's or a person's, is for all that is left: one
        digest. Red does not mind the persons' windows.

        Args:
            now_ms: epoch ms.
            cap: the window of a person.
        """
        due = sorted((j for j in self.jobs if j.at_ms <= now_ms), key=lambda j: (-rank(j.notice.level), j.notice.at))
        later = [j.at_ms for j in self.jobs if j.at_ms > now_ms]
        free = max((w.free_at(now_ms) for w in self.windows), default=now_ms)
        allowed = [j for j in due if j.notice.level == RED or cap(j.person).room(now_ms) > 0]
        if not allowed:
            blocked = [cap(j.person).free_at(now_ms) for j in due]
            return None, min(later + blocked, default=None)
        if free > now_ms:
            return None, free
        bundle = self._bundle(allowed, now_ms, cap)
        taken = {id(job) for job in bundle.jobs}
        self.jobs = [job for job in self.jobs if id(job) not in taken]
        return bundle, None

    def _bundle(self, allowed: list[Job], now_ms: int, cap: Callable[[str], Window]) -> Bundle:
        rooms = [w.room(now_ms) for w in self.windows if w.span_ms >= _DIGESTED_FROM_MS]
        if rooms and min(rooms) == 1:
            return Bundle(tuple(allowed))
        first = [j for j in allowed if j.notice.id == allowed[0].notice.id]  # to several people on one robot
        if first[0].notice.level == RED:
            return Bundle(tuple(first))
        waiting = Counter(j.person for j in allowed if j.notice.level != RED)
        full = {p for p in {j.person for j in first} if waiting[p] > 1 and cap(p).room(now_ms) == 1}
        more = [j for j in allowed if j.person in full and j.notice.level != RED and j not in first]
        return Bundle((*first, *more))
