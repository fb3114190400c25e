"""One alert, one step: ``(state, event, now) -> (state, notices with a reason)``, in the style of a notification log.

A pure function. ``now`` comes from the log; whom to tell, what is maintained and what stands around an alert is asked
of a :class:`World`, which answers from the same log. What an alert has to remember beside its episode is in
:class:`Alert`: it is a row of the judge's state, so a crash changes nothing. Numbers and roles: ``standards.alerting``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from agents.alerts import words
from schemas import alerts, times
from schemas.alerts import Entry, Episode, Member, Notice, Recipient
from standards import alerting

STATE_VERSION: Final = 1
MAINTENANCE, LATE = "maintenance", "late"
"""Why nobody is told of an alert: approved maintenance; all of it was long over when it became known."""
TELL, ESCALATE, REMIND, IDLE, HOLD, SPREAD, AUTO_CLOSE, FORGET = (
    "tell", "escalate", "remind", "idle", "hold", "spread", "auto-close", "forget",
)  # fmt: skip
QUIET: Final = "quiet|"
"""Timers of an alert; of the last kind one per person whose quiet time is waited for."""
OPENED, JOINED, RESOLVED, MUTED, UNMUTED, WITHDRAWN, ADOPTED, WAITING = (
    "opened", "joined", "resolved", "muted", "unmuted", "withdrawn", "adopted", "waiting",
)  # fmt: skip
"""What happens to an alert beside reasons of notices and actions of people, as history has it."""
REVISED: Final = ("revised", "withdrawn")
"""What a condition says of its end when it never was (emission: ``why``; water: ``reason``)."""
_URGENT: Final = (TELL, ESCALATE, REMIND, IDLE)
_ACTIONS_KEPT: Final = 50


class Alert(msgspec.Struct, omit_defaults=True):
    """An episode, and what else the machine remembers of it.

    Attributes:
        episode: as it is published.
        due: timers, epoch ms by name.
        said: the highest level somebody was told; "" nobody was told yet.
        stage: whether the level has escalated since it was opened, raised or handed back.
        first: when somebody was told first, epoch ms; 0 never.
        since: since when there is something to tell.
        last: when the last notice was sent that repeats are merged with.
        spread: when it was last told that it has grown.
        roles: as what each person was told.
        done: ids of the newest actions, so that an action which is written twice counts once.
        crowd: it stands for many alerts of its group and has no condition of its own.
    """

    episode: Episode
    due: dict[str, int] = msgspec.field(default_factory=dict)
    said: str = ""
    stage: int = 0
    first: int = 0
    since: int = 0
    last: int = 0
    spread: int = 0
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    done: list[str] = msgspec.field(default_factory=list)
    crowd: bool = False
    v: int = STATE_VERSION


# ---- events


@dataclass(frozen=True)
class Heard:
    """A condition of the alert began or goes on."""

    member: Member


@dataclass(frozen=True)
class Over:
    """A condition of the alert ended; ``revised``: it never was."""

    id: str
    until: int
    revised: bool
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Acted:
    """A person did something: a kind of ``schemas.alerts.ALERT_ACTIONS``."""

    id: str
    what: str
    by: str
    text: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False  # it names another subject than the alert has


@dataclass(frozen=True)
class Due:
    """A timer fires."""

    name: str


@dataclass(frozen=True)
class Child:
    """Another alert became a part of this one, or is more than it was."""

    id: str
    name: str
    level: str


@dataclass(frozen=True)
class ChildOver:
    """A part of this alert is over; ``gone``: it is none of its parts any more."""

    id: str
    gone: bool = False


@dataclass(frozen=True)
class Adopted:
    """The alert is a part of another one from now on, or, "", of none any more."""

    parent: str


@dataclass(frozen=True)
class MaintenanceChanged:
    """Maintenance was approved or taken back somewhere around the subject."""


Event = Heard | Over | Acted | Due | Child | ChildOver | Adopted | MaintenanceChanged


class World(Protocol):
    """What a step asks. Answers are functions of the log up to now."""

    def recipients(self, roles: Iterable[str], episode: Episode, now: int) -> list[Recipient]:
        """Who has these roles now, of this episode; each person once."""
        ...

    def reachable(self, person: str, level: str, now: int) -> int | None:
        """From when on a person may be told of a level, epoch ms; None: never."""
        ...

    def maintained_until(self, episode: Episode, now: int) -> int:
        """Until when all of an episode is under approved maintenance, epoch ms; 0: it is not."""
        ...

    def person(self, person: str) -> str:
        """Name of a person."""
        ...

    def level_of(self, episode: str) -> str:
        """Level of another episode; "" when nobody is told of it, or it is not known any more."""
        ...

    def parts(self, episode: str) -> tuple[int, int]:
        """How many episodes are part of one, and how many of them are active."""
        ...


def step(alert: Alert, event: Event, now: int, world: World) -> tuple[Alert, list[Notice]]:
    """What becomes of an alert.

    Args:
        alert: as it stands; it is not changed.
        event: what happened.
        now: when, epoch ms by the log; never before what happened to the alert already.
        world: who has the duty, what is maintained, what is around it.

    Returns:
        The alert afterwards, an equal one when nothing happened, and whom to tell what.
    """
    work = _Step(alert, max(now, alert.episode.updated), world)
    work.take(event)
    if work.episode != alert.episode:
        work.episode.updated = work.now
    return work.alert, work.notices


class _Step:
    """One step: a copy of the alert that may be written."""

    def __init__(self, alert: Alert, now: int, world: World) -> None:
        e = alert.episode
        self.episode = msgspec.structs.replace(
            e, members=list(e.members), history=list(e.history), rules=list(e.rules), children=list(e.children),
            told=list(e.told),
        )  # fmt: skip
        self.alert = msgspec.structs.replace(
            alert, episode=self.episode, due=dict(alert.due), roles=dict(alert.roles), done=list(alert.done)
        )
        self.now, self.world = now, world
        self.notices: list[Notice] = []
        self.date = date_of(now)

    def take(self, event: Event) -> None:
        """Do what the event asks for."""
        match event:
            case Heard():
                self._heard(event.member)
            case Over():
                self._over(event)
            case Acted():
                self._acted(event)
            case Due():
                self._due(event.name)
            case Child():
                self._child(event)
            case ChildOver():
                if event.gone and event.id in self.episode.children:
                    self.episode.children.remove(event.id)
                if HOLD not in self.alert.due:
                    self._perhaps_over()
            case Adopted():
                self._adopted(event.parent)
            case MaintenanceChanged():
                self._maintenance()

    # ---- what is known

    @property
    def level(self) -> alerting.Level:
        """The level as it is today."""
        return alerting.level(self.episode.level, self.date)

    def _span(self, what: str) -> int:
        return alerting.span(what, self.date)

    def _goes_on(self) -> bool:
        """Whether it is not over: what is for the screen alone does not keep open what people were told of."""
        e = self.episode
        quiet = not self.level.first
        mine = any(m.open and (quiet or self._is_loud_at(m.level)) for m in e.members)
        return mine or self.world.parts(e.id)[1] > 0

    def _is_loud_at(self, level: str) -> bool:
        return bool(alerting.level(level, self.date).first)

    # ---- conditions

    def _heard(self, member: Member) -> None:
        e = self.episode
        at = next((n for n, m in enumerate(e.members) if m.id == member.id), None)
        if e.state in alerts.FINAL:  # it goes on although somebody closed it
            if at is None:
                e.members.append(member)
            return
        if at is not None and e.members[at] == member:
            return  # it was said before
        new_subject = all(m.subject != member.subject for m in e.members)
        if at is None:
            if e.members:
                self._say_so(JOINED, text=_title_of(member), level=member.level)
            e.members.append(member)
        else:
            before = e.members[at]
            if before.open:  # what it gave rise to it stays
                member = msgspec.structs.replace(member, level=max(before.level, member.level, key=alerting.rank))
            e.members[at] = member
        self._trim_members()
        if member.rule not in e.rules:
            e.rules.append(member.rule)
        if self.level.first and not self._is_loud_at(member.level):
            return  # for the screen
        e.began = min(e.began, member.since)
        self.alert.due.pop(HOLD, None)
        self._raise(member.level, grown=new_subject)

    def _raise(self, level: str, *, grown: bool) -> None:
        """The alert goes on with at least a level; ``grown``: somewhere else, too."""
        e = self.episode
        higher = alerting.rank(level) > alerting.rank(e.level)
        if higher:
            e.level = level
        if e.state == alerts.RESOLVED:
            self._reopen()
            return
        told_less = alerting.rank(e.level) > alerting.rank(self.alert.said)
        if not self.alert.said:
            self._tell_first()
        elif told_less:
            self._speak(alerts.RAISED, self.level.first)
            self._arm()
        elif grown:
            self._grown()
        elif e.state == alerts.OPEN:
            if ESCALATE not in self.alert.due and REMIND not in self.alert.due:
                self._arm(again=False)
            if self.now - self.alert.last >= self.level.repeat_ms:
                self._speak(alerts.REMINDER, self._so_far())

    def _reopen(self) -> None:
        e = self.episode
        holder = e.holder
        self._nobody_has_it()
        if self.alert.said:
            self._speak(alerts.REOPENED, self.level.first, holder)
            self._arm()
        else:
            self._say_so(OPENED, level=e.level)
            self._tell_first()

    def _over(self, event: Over) -> None:
        e = self.episode
        at = next((n for n, m in enumerate(e.members) if m.id == event.id), None)
        if at is None or not e.members[at].open:
            return
        member = e.members[at]
        e.members[at] = msgspec.structs.replace(
            member, open=False, until=event.until or member.until, words={**member.words, **event.words}
        )
        if e.state in alerts.FINAL:
            self._forget_later()
        elif all(_is_revised(m) for m in e.members) and not self._goes_on():
            self._withdrawn()
        else:
            self._perhaps_over(alerting.rule(member.rule, self.date).hold_ms)

    def _perhaps_over(self, hold_ms: int = 0) -> None:
        """All of it may be over: at once, or when it has not come back for a while."""
        if self.episode.state not in alerts.ACTIVE or self._goes_on():
            return
        self._cancel(TELL, ESCALATE, REMIND, SPREAD)  # who has it still has to do something if it comes back
        if hold_ms:
            self.alert.due[HOLD] = self.now + hold_ms
        else:
            self._resolve()

    def _resolve(self) -> None:
        e = self.episode
        e.state, e.resolved, self.alert.since = alerts.RESOLVED, self.now, 0
        self.alert.due = {AUTO_CLOSE: self.now + self._span("auto_close")}
        self._say_so(RESOLVED, level=e.level)
        self._recovered()

    def _withdrawn(self) -> None:
        """Every condition of it turned out never to have been."""
        e = self.episode
        e.state, e.closed = alerts.EXEMPT, self.now
        self.alert.due = {}
        self._forget_later()
        self._say_so(WITHDRAWN, level=e.level)
        self._recovered()

    def _recovered(self) -> None:
        to = [Recipient(person, self.alert.roles.get(person, "duty")) for person in self.episode.told]
        now_there = [r for r in to if self.world.reachable(r.person, self.episode.level, self.now) == self.now]
        if now_there:
            self._send(alerts.RECOVERED, now_there)

    # ---- parts of a larger alert

    def _child(self, event: Child) -> None:
        e = self.episode
        new = event.id not in e.children
        if new and len(e.children) < self._span("children"):
            e.children.append(event.id)
        if e.state in alerts.FINAL:
            return
        higher = self.alert.crowd and alerting.rank(event.level) > alerting.rank(e.level)
        self.alert.due.pop(HOLD, None)
        if e.state == alerts.RESOLVED:
            self._nobody_has_it()
            self._say_so(OPENED, text=event.name, level=e.level)
            if self.alert.said:
                self._grown()
                self._arm()
            else:
                self._gather()
        elif self.alert.crowd and not self.alert.said:
            e.level = max(e.level, event.level, key=alerting.rank)
            self._gather()
        elif higher:
            self._raise(event.level, grown=False)
        elif new:
            self._grown()

    def _gather(self) -> None:
        """Told for the first time: an alert of many waits, so that the notice says of how many."""
        if self.alert.crowd:
            self.alert.due.setdefault(TELL, self.now + self._span("crowd_wait"))
        else:
            self._tell_first()

    def _adopted(self, parent: str) -> None:
        e = self.episode
        e.parent = parent
        if parent:
            self._say_so(ADOPTED, text=parent)
            if self._is_part():
                self._cancel(TELL, ESCALATE, REMIND)
        elif e.state == alerts.OPEN and HOLD not in self.alert.due:
            if self.alert.said:
                self._arm()
            else:
                self._tell_first()

    def _is_part(self) -> bool:
        """Whether it is a part of another alert that was told of at least its level."""
        level = self.world.level_of(self.episode.parent) if self.episode.parent else ""
        return bool(level) and alerting.rank(level) >= alerting.rank(self.episode.level)

    # ---- people

    def _acted(self, event: Acted) -> None:
        e = self.episode
        if event.id in self.alert.done:
            return
        self.alert.done = [*self.alert.done, event.id][-_ACTIONS_KEPT:]
        text = event.text
        if e.state in alerts.FINAL:
            text = _joined("告警已结束，未生效 too late", text)
        elif event.foreign:
            text = _joined("对象不符，未生效 of another subject", text)
        elif event.what in (alerts.ACKNOWLEDGE, alerts.TAKE_OVER):
            self._acknowledged(event)
        elif event.what == alerts.HANDLE:
            self._handled(event)
        elif event.what == alerts.NOTE:
            self._cancel(IDLE)
        elif event.what == alerts.HAND_BACK:
            if not self._handed_back(event, text):
                text = _joined("未持有，未生效 not the holder", text)
            else:
                return
        elif event.what in (alerts.CLOSE, alerts.FALSE):
            e.state = alerts.CLOSED if event.what == alerts.CLOSE else alerts.FALSE_ALARM
            e.closed, e.cause = self.now, event.data.get("cause", "")
            e.holder = e.holder or event.by
            self.alert.due = {}
            self._forget_later()
            text = _joined(text, event.data.get("measure", ""))
        self._say_so(event.what, by=event.by, text=text)

    def _acknowledged(self, event: Acted) -> None:
        e = self.episode
        if e.state == alerts.OPEN:
            e.state, e.holder = alerts.ACKNOWLEDGED, event.by
            e.acknowledged, e.acknowledged_by = self.now, event.by
            self._cancel(ESCALATE, REMIND, *self._quiet_timers())  # who is not told yet (TELL) still hears of it
            if self.level.idle_ms:
                self.alert.due[IDLE] = self.now + self.level.idle_ms
        elif event.what == alerts.TAKE_OVER or not e.holder:
            e.holder = event.by

    def _handled(self, event: Acted) -> None:
        e = self.episode
        if e.state == alerts.OPEN:
            e.acknowledged, e.acknowledged_by = self.now, event.by
        if e.state in (alerts.OPEN, alerts.ACKNOWLEDGED):
            e.state = alerts.HANDLING
        e.holder = event.by if e.state != alerts.RESOLVED or not e.holder else e.holder
        self._cancel(ESCALATE, REMIND, IDLE, *self._quiet_timers())

    def _handed_back(self, event: Acted, text: str) -> bool:
        e = self.episode
        if e.holder != event.by:
            return False
        self._say_so(alerts.HAND_BACK, by=event.by, text=text)
        if e.state == alerts.RESOLVED:
            e.holder = ""
        else:
            self._open_again(alerts.REMINDER, "")
        return True

    def _nobody_has_it(self) -> None:
        e = self.episode
        e.state, e.resolved, e.holder, e.acknowledged, e.acknowledged_by = alerts.OPEN, 0, "", 0, ""
        self._cancel(AUTO_CLOSE)

    def _open_again(self, reason: str, holder: str) -> None:
        """Who had it has it no more, while it goes on."""
        self._nobody_has_it()
        self._cancel(*_URGENT)
        if HOLD in self.alert.due:
            return
        if self.alert.said:
            self._speak(reason, self.level.first, holder)
            self._arm()
        else:
            self._tell_first()

    # ---- time

    def _due(self, name: str) -> None:
        due = self.alert.due.pop(name, None)
        if due is None:
            return
        if name == TELL:
            self._tell_now()
        elif name == ESCALATE:
            self.alert.stage = 1
            self._speak(alerts.ESCALATED, ("duty", *self.level.escalate))
        elif name == REMIND:
            self._speak(alerts.REMINDER, self._so_far())
            self._arm(again=False)
        elif name == IDLE:
            if HOLD in self.alert.due:
                self.alert.due[IDLE] = self.alert.due[HOLD]
            elif self.episode.state == alerts.ACKNOWLEDGED and self._goes_on():
                self._open_again(alerts.UNACKNOWLEDGED, self.episode.holder)
        elif name == HOLD:
            if not self._goes_on():
                self._resolve()
        elif name == SPREAD:
            self._grown()
        elif name == AUTO_CLOSE:
            self.episode.state, self.episode.closed = alerts.CLOSED, self.now
            self._say_so(alerts.CLOSED, text="逾期未填写原因，自动关闭 nobody wrote a cause")
            self._forget_later()
        elif name.startswith(QUIET):
            self._after_quiet(name, due)

    def _after_quiet(self, name: str, due: int) -> None:
        """Quiet time is over for everybody for whom it is over now."""
        names = [name, *(n for n, at in self.alert.due.items() if n.startswith(QUIET) and at <= due)]
        for each in names:
            self.alert.due.pop(each, None)
        e = self.episode
        if e.state != alerts.OPEN or e.muted or not self._goes_on() or self._is_part():
            return
        people = sorted(n.removeprefix(QUIET) for n in names)
        roles = self.alert.roles
        to = [Recipient(p, roles.get(p, "duty")) for p in people if self._reach(p)]
        if to:
            self._send(alerts.AFTER_QUIET, to)

    def _forget_later(self) -> None:
        """A final alert stays in the state for a while, longer while its condition goes on."""
        since = self.episode.closed or self.now
        goes_on = any(m.open for m in self.episode.members)
        keep = self._span("keep_open" if goes_on else "keep")
        self.alert.due[FORGET] = max(self.now, since) + keep

    # ---- maintenance, and what was long over

    def _maintenance(self) -> None:
        e = self.episode
        if e.state not in alerts.ACTIVE:
            return
        if e.muted == MAINTENANCE:
            self._tell_now()
        elif not self._is_loud():
            self._cancel(ESCALATE, REMIND)

    def _tell_now(self) -> None:
        """A wait or a mute is over: who was not told, or was told of less, is told now."""
        e = self.episode
        if not self._is_loud() or e.state not in alerts.ACTIVE or not self._goes_on():
            return
        if not self.alert.said:
            self._speak(alerts.FIRST, self.level.first)
            self._arm()
        elif alerting.rank(e.level) > alerting.rank(self.alert.said):
            self._speak(alerts.RAISED, self.level.first)
            self._arm()
        elif e.state == alerts.OPEN:
            self._speak(alerts.REMINDER, self.level.first)
            self._arm()

    def _is_loud(self) -> bool:
        """Whether people may be told; if not, why is written down, and when to ask again."""
        e = self.episode
        until = self.world.maintained_until(e, self.now)
        late = self._span("late")
        why = ""
        if until > self.now:
            why = MAINTENANCE
            self.alert.due[TELL] = until
        elif not self.alert.said and e.members and all(m.until * 1000 <= self.now - late for m in e.members if m.open):
            why = LATE
        if why != e.muted:
            if e.muted == MAINTENANCE:
                self.alert.due.pop(TELL, None)
            e.muted = why
            self._say_so(MUTED if why else UNMUTED, text=why)
        return not why

    # ---- telling

    def _tell_first(self) -> None:
        """Somebody is told for the first time, when one of its conditions has gone on for long enough."""
        e = self.episode
        if not self.level.first or (TELL in self.alert.due and e.muted):
            return
        loud = [m for m in e.members if m.open and self._is_loud_at(m.level)]
        self.alert.since = self.alert.since or self.now
        tell = self.alert.since + min((alerting.rule(m.rule, self.date).wait_ms for m in loud), default=0)
        if tell > self.now:
            self.alert.due[TELL] = tell
            return
        self.alert.due.pop(TELL, None)
        if self._speak(alerts.FIRST, self.level.first):
            self._arm()

    def _arm(self, *, again: bool = True) -> None:
        """The timers of an alert that nobody has; ``again``: from the beginning."""
        if again:
            self.alert.stage = 0
            self._cancel(ESCALATE, REMIND)
        if self.episode.state != alerts.OPEN or self.episode.muted or not self.alert.said or self._is_part():
            return
        level = self.level
        if level.escalate_ms and not self.alert.stage:
            self.alert.due[ESCALATE] = self.now + level.escalate_ms
        if level.remind_ms:
            self.alert.due[REMIND] = self.now + level.remind_ms

    def _so_far(self) -> tuple[str, ...]:
        level = self.level
        return (*level.first, *level.escalate) if self.alert.stage else level.first

    def _grown(self) -> None:
        """At most one notice in a while says that the alert has grown."""
        if not self.alert.said or SPREAD in self.alert.due:
            return
        last = max(self.alert.spread, self.alert.first)
        ready = last + self._span("spread")
        if self.now < ready:
            self.alert.due[SPREAD] = ready
        elif self._speak(alerts.SPREAD, self.level.first):
            self.alert.spread = self.now

    def _speak(self, reason: str, roles: Iterable[str], holder: str = "") -> bool:
        """Tell whoever has these roles, and who has the alert; whether anybody may be told at all."""
        e = self.episode
        if not self.level.first or self._is_part() or not self._is_loud():
            return False
        to = self.world.recipients(roles, e, self.now)
        for person in (holder, e.holder):
            if person and all(r.person != person for r in to):
                to.append(Recipient(person, "holder"))
        first = not self.alert.said
        self.alert.said = e.level
        self.alert.first = self.alert.first or self.now
        self.alert.last = self.now
        for each in to:
            self.alert.roles.setdefault(each.person, each.role)
        there = [each for each in to if self._reach(each.person)]
        if there:
            self._send(reason, there)
        elif to:
            self._say_so(WAITING, text="免打扰 quiet time: " + ",".join(r.person for r in to), level=e.level)
        elif first:
            self._say_so(WAITING, text="值班表无人可通知 the registry names nobody to tell", level=e.level)
        return True

    def _reach(self, person: str) -> bool:
        """Whether a person may be told now; if not, the end of the quiet time is waited for."""
        at = self.world.reachable(person, self.episode.level, self.now)
        if at is not None and at > self.now:
            self.alert.due[QUIET + person] = at
        elif at is not None:
            self.alert.due.pop(QUIET + person, None)
        return at == self.now

    def _send(self, reason: str, to: list[Recipient]) -> None:
        e = self.episode
        holder = self.world.person(e.holder) if e.holder else ""
        if any((h.at, h.what, h.level) == (self.now, reason, e.level) for h in reversed(e.history[-20:])):
            return  # said in this very instant
        said = words.of(e, reason, self.now, self.world.parts(e.id)[0], holder)
        self.notices.append(
            Notice(
                id=f"{e.id}|{reason}|{e.level}|{self.now}",
                episode=e.id,
                group=e.group,
                kind=e.kind,
                reason=reason,
                level=e.level,
                at=self.now,
                to=to,
                title=said.title,
                text=said.text,
                text_en=said.text_en,
                short=said.short,
            )
        )
        e.told += [r.person for r in to if r.person not in e.told]
        self._say_so(reason, text=",".join(r.person for r in to), level=e.level)

    # ---- small things

    def _quiet_timers(self) -> list[str]:
        return [name for name in self.alert.due if name.startswith(QUIET)]

    def _cancel(self, *names: str) -> None:
        for name in names:
            self.alert.due.pop(name, None)

    def _say_so(self, what: str, *, by: str = "", text: str = "", level: str = "") -> None:
        history = self.episode.history
        history.append(Entry(self.now, what, by, text, level))
        most = self._span("history")
        if len(history) > most:
            # A reminder that another reminder follows says nothing the later one does not.
            at = next((n for n in range(1, len(history) - 1) if history[n].what == alerts.REMINDER), 1)
            del history[at]

    def _trim_members(self) -> None:
        members, most = self.episode.members, self._span("members")
        while len(members) > most:
            at = next((n for n, m in enumerate(members) if not m.open), None)
            if at is None:
                return  # all of them go on: none can be forgotten
            del members[at]


def date_of(now_ms: int) -> dt.date:
    """Beijing date of an instant."""
    return times.civil(now_ms // 1000).date()


def _is_revised(member: Member) -> bool:
    return not member.open and bool({member.words.get("why"), member.words.get("reason")} & set(REVISED))


def _title_of(member: Member) -> str:
    return _joined(member.name, member.words.get("title", member.rule))


def _joined(*parts: str) -> str:
    return "；".join(part for part in parts if part)
