"""Time scripts: what happens at which minute, whom it is told, and how the alert stands then.

A line is ``minute | what happens | who is told since the line before | state and level``::

    0  | SO2 yellow          | first yellow: guo han  | open yellow
    30 |                     | escalated yellow: guo wang
    42 | guo acknowledges    |                        | acknowledged

What happens: ``FACTOR LEVEL`` (a condition of a factor began or goes on), ``FACTOR ends``, ``FACTOR never was``,
``PERSON acknowledges | hands back | handles | notes | closes | calls it false | takes over``, ``maintenance for N``,
``maintenance withdrawn``. A word ``@place`` names the subject (``stack``), ``#n`` tells conditions of a factor apart,
``!rule`` names the rule (``over-limit``), ``<n`` the condition upstream of a carried one, ``late`` that it was over
two days ago. Several things of one minute are joined by ``;``. Nobody else may be told anything: the third column is
complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from agents.alerts.book import Book
from agents.alerts.step import Alert
from schemas import alerts, blocks, times
from schemas.alerts import Episode, Notice, Recipient
from schemas.messages import BEGAN, ENDED, Condition
from streams.state.timers import Timers

START = times.parse_stamp("20260406080000") * 1000
MINUTE = 60_000
PEOPLE = {"duty": "guo", "chief": "wang", "director": "zhao", "enterprise": "han"}
_DOES = {
    "acknowledges": alerts.ACKNOWLEDGE,
    "hands back": alerts.HAND_BACK,
    "handles": alerts.HANDLE,
    "notes": alerts.NOTE,
    "closes": alerts.CLOSE,
    "calls it false": alerts.FALSE,
    "takes over": alerts.TAKE_OVER,
}


class Rows:
    """Alerts in a dictionary, as bytes: nothing survives in an object that is not in its row."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def get(self, name: str) -> Alert | None:
        row = self.held.get(name)
        return msgspec.msgpack.decode(row, type=Alert) if row is not None else None

    def put(self, name: str, value: Alert) -> None:
        self.held[name] = msgspec.msgpack.encode(value)

    def drop(self, name: str) -> None:
        self.held.pop(name, None)

    def names(self) -> list[str]:
        return sorted(self.held)


class Place:
    """A plant with three people of the bureau; ``plant`` owns every subject whose name begins with ``stack``."""

    def __init__(self) -> None:
        self.people = dict(PEOPLE)
        self.quiet: dict[str, tuple[str, int]] = {}  # person: levels up to, until
        self.maintenance: dict[str, int] = {}

    def recipients(self, roles: Iterable[str], episode: Episode, now: int) -> list[Recipient]:
        found = {self.people[role]: Recipient(self.people[role], role) for role in reversed(list(roles))}
        return list(reversed(found.values()))

    def reachable(self, person: str, level: str, now: int) -> int | None:
        up_to, until = self.quiet.get(person, ("", 0))
        waits = level in alerts.LEVELS[: alerts.LEVELS.index(up_to) + 1] if up_to else False
        return until if waits and until > now else now

    def person(self, person: str) -> str:
        return person

    def maintained_until(self, subjects: Iterable[str], now: int) -> int:
        ends = [self.maintenance.get(subject, 0) for subject in subjects]
        return min(ends) if ends and min(ends) > now else 0

    def owner(self, subject: str) -> str:
        return "plant" if subject.startswith("stack") else ""

    def name(self, subject: str) -> str:
        return f"名{subject}"

    def whole(self, group: str, subject: str) -> tuple[str, str]:
        return "whole", "全部"


class Story:
    """A book of alerts, driven by minutes."""

    def __init__(self, kind: str = "emission") -> None:
        self.place = Place()
        self.rows = Rows()
        self.kind = kind
        self.notices: list[Notice] = []
        self.published: dict[str, Episode] = {}
        self.timers = Timers()
        self.now = START
        self._said = 0
        self._acts = 0
        self._born: dict[str, int] = {}
        self.book = Book(kind, self.rows, self.place, self._told)

    def _told(self, before: Alert | None, after: Alert | None, notices: list[Notice]) -> None:
        self.notices += notices
        old, new = before.due if before is not None else {}, after.due if after is not None else {}
        name = (after or before).episode.id  # type: ignore[union-attr]
        for timer in old.keys() | new.keys():
            if timer in new:
                self.timers.set((name, timer), new[timer])
            else:
                self.timers.cancel((name, timer))
        if after is not None:
            self.published[name] = after.episode

    def restart(self) -> None:
        """As after a crash: nothing is left but the rows."""
        self.book = Book(self.kind, self.rows, self.place, self._told)
        self.timers = Timers()
        for name in self.rows.names():
            for timer, due in self.rows.get(name).due.items():  # type: ignore[union-attr]
                self.timers.set((name, timer), due)
        self.book.begin()

    def to(self, minute: float) -> None:
        """Let time pass; timers fire in the order of their due times."""
        now = START + round(minute * MINUTE)
        while (fired := self.timers.pop(now)) is not None:
            self.now = max(self.now, fired[0])
            self.book.due(fired[1][0], fired[1][1], fired[0])
        self.now = now

    @property
    def alerts(self) -> list[Episode]:
        """Every alert, the earliest first."""
        found = [alert.episode for name in self.rows.names() if (alert := self.rows.get(name)) is not None]
        return sorted(found, key=lambda e: (e.opened, e.id))

    @property
    def newest(self) -> Episode:
        """The alert that was opened last."""
        return self.alerts[-1]

    def condition(
        self, factor: str, level: str, state: str = BEGAN, *, subject: str = "stack", number: str = "",
        rule: str = "over-limit", group: str = "g", until: int | None = None, **detail: str,
    ) -> None:  # fmt: skip
        """A condition is said now."""
        name = f"{group}|{subject}|{rule}|{factor}|{number}"
        since = self._born.setdefault(name, self.now // 1000 - 3600)
        self._said += 1
        at = self.now // 1000 if until is None else until
        said = Condition(
            id=name, state=state, rule=rule, group=group, subject=subject,
            factor="" if factor == "-" else factor, since=since, now=self.now, origin=f"t/0/{self._said}", until=at,
            level=level, detail={"name": f"名{subject}", **detail},
        )  # fmt: skip
        self.book.condition(said, self.now)

    def act(self, by: str, what: str, episode: str = "", **data: str) -> None:
        """A person does something, on the newest alert unless another is named."""
        self._acts += 1
        whole = what == alerts.TAKE_OVER
        named = episode or self.newest.id
        about = next((e for e in self.alerts if e.id == named), None)
        if what == alerts.CLOSE:
            data = {"cause": "production", **data}
        self.book.action(
            blocks.Action(
                writer="desk", id=f"act-{self._acts}", what=what, group="g",
                subject="" if whole or about is None else about.subject, begin=0, end=1, by=by, why="说明",
                data=data if whole else {"episode": named, **data}, received=self.now,
            )
        )  # fmt: skip

    def do(self, words: str) -> None:
        """What a cell of the second column says."""
        marks = dict(re.findall(r"([@#!<])(\S+)", words))
        plain = re.sub(r"\s*[@#!<]\S+", "", words).strip()
        subject, number, rule = marks.get("@", "stack"), marks.get("#", ""), marks.get("!", "over-limit")
        detail = {"origin": "carried", "linked": f"g|{marks['<']}|{rule}|{plain.split()[0]}|"} if "<" in marks else {}
        if plain.startswith("maintenance"):
            length = int(plain.split()[-1]) if "for" in plain else 0
            self.place.maintenance = {subject: self.now + length * MINUTE} if length else {}
            self.book.maintenance("g", self.now)
            return
        first, _, rest = plain.partition(" ")
        if rest in _DOES:
            self.act(first, _DOES[rest])
        elif rest == "ends":
            self.condition(first, "", ENDED, subject=subject, number=number, rule=rule)
        elif rest == "never was":
            self.condition(first, "", ENDED, subject=subject, number=number, rule=rule, why="revised")
        else:
            level, _, late = rest.partition(" ")
            until = self.now // 1000 - 48 * 3600 if late == "late" else None
            self.condition(first, level, subject=subject, number=number, rule=rule, until=until, **detail)

    def play(self, script: str) -> None:
        """Play a script, and compare."""
        for line in script.strip().splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            minute, happens, told, stands = (*cells, "", "", "")[:4]
            heard = len(self.notices)
            self.to(float(minute))
            for one in filter(None, (part.strip() for part in happens.split(";"))):
                self.do(one)
            said = [f"{n.reason} {n.level}: {' '.join(r.person for r in n.to)}" for n in self.notices[heard:]]
            assert said == [part.strip() for part in told.split(";") if part.strip()], line
            if stands:
                assert f"{self.newest.state} {self.newest.level}".startswith(stands), (line, self.newest)
