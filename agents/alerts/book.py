"""All alerts of a partition: which of them an event is for, which belong together, and when a new one begins.

What becomes of one alert is :func:`agents.alerts.step.step`; the book finds it, opens it, and carries what happens to
a part on to the whole. It is a function of its rows: every index is made from them.

* **Key.** An alert is of a subject and a factor (or the rule where there is none); of one key at most one is active.
* **Again.** What begins within an hour after it was over opens the same alert again; what goes on although somebody
  closed it is told only above the level it was closed with, as a new alert that ``follows``.
* **Waves.** A warning that was carried down a river is a part of the alert of the section it comes from.
* **Crowds.** When several alerts of a group were told within some minutes, the next ones are parts of one alert of the
  group, so that a storm is told in a bounded number of notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from agents.alerts import step as steps
from agents.alerts.step import Acted, Adopted, Alert, Child, ChildOver, Due, Event, Heard, MaintenanceChanged, Over
from agents.alerts.step import date_of as _date_of
from agents.alerts.words import CROWD, CROWDS, SILENCE, SILENT_CROWD
from schemas import alerts, blocks
from schemas.alerts import Episode, Member, Notice, Recipient
from schemas.messages import ENDED, Condition
from standards import alerting

_SUSPECT: Final = "suspect"
_NOT_WORDS: Final = frozenset({"name", "mn", "evidence_from", "evidence_to"})
_UNDER_WAY: Final = (*alerts.ACTIVE, alerts.RESOLVED)
_ALSO_OF_PARTS: Final = {alerts.ACKNOWLEDGE: alerts.OPEN, alerts.CLOSE: alerts.RESOLVED}
"""What is done to a whole is done to its parts that are in this state: who has it has them, its cause is theirs."""


class Rows(Protocol):
    """Where alerts are kept, by the id of their episode."""

    def get(self, name: str) -> Alert | None:
        """The alert, or None."""
        ...

    def put(self, name: str, value: Alert) -> None:
        """Keep an alert."""
        ...

    def drop(self, name: str) -> None:
        """Forget an alert."""
        ...

    def names(self) -> list[str]:
        """Every id, in order."""
        ...


class Around(Protocol):
    """What the registry and people's decisions say."""

    def recipients(self, roles: Iterable[str], episode: Episode, now: int) -> list[Recipient]:
        """Who has these roles now."""
        ...

    def reachable(self, person: str, level: str, now: int) -> int | None:
        """From when on a person may be told of a level, epoch ms; None: never."""
        ...

    def person(self, person: str) -> str:
        """Name of a person."""
        ...

    def maintained_until(self, subjects: Iterable[str], now: int) -> int:
        """Until when all of some subjects are under approved maintenance, epoch ms; 0: they are not."""
        ...

    def owner(self, subject: str) -> str:
        """The enterprise of an outlet or of meters, or ""."""
        ...

    def name(self, subject: str) -> str:
        """Name of a subject, with that of its enterprise."""
        ...

    def whole(self, group: str, subject: str) -> tuple[str, str]:
        """Id and name of what stands for a group, for an alert of many of its subjects, one of which is given."""
        ...


Told = Callable[[Alert | None, Alert | None, list[Notice]], None]
"""Who is told of every change: the alert before and after (None: there is none), and the notices."""


class Book:
    """The alerts of the groups of one partition."""

    def __init__(self, kind: str, rows: Rows, around: Around, told: Told) -> None:
        self.kind, self.rows, self.around, self.told = kind, rows, around, told
        self._latest: dict[tuple[str, str], str] = {}
        self._of_condition: dict[str, str] = {}
        self._under_way: dict[str, None] = {}
        self._parts: dict[str, dict[str, bool]] = {}  # of an alert: its parts, and whether they are active
        self._active_parts: dict[str, int] = {}
        self._firsts: dict[tuple[str, bool], list[int]] = {}  # of a group, of silence or else: when alerts were told
        self._crowds: dict[tuple[str, str], str] = {}

    def begin(self) -> None:
        """All rows are back."""
        found = [alert for name in self.rows.names() if (alert := self.rows.get(name)) is not None]
        for alert in sorted(found, key=_order):
            self._index(None, alert)
        for firsts in self._firsts.values():
            firsts.sort()

    # ---- what happens

    def condition(self, condition: Condition, now: int) -> None:
        """A condition was said. The same one, said again, changes nothing."""
        rule = alerting.rule(condition.rule, _date_of(now))
        held = self._alert(self._of_condition.get(condition.id, ""))
        known = _member(held, condition.id)
        if condition.state == ENDED:
            if held is not None and known is not None and known.open:
                said = {k: v for k, v in condition.detail.items() if k in ("why", "reason") and _is_end(v)}
                self._apply(held, Over(condition.id, condition.until, bool(said), said), now)
            return
        member = self._member_of(condition, rule)
        if held is None or known is None or not known.open:
            self._begun(condition, rule, member, now)
            return
        date = _date_of(now)
        louder = bool(alerting.level(member.level, date).first) and not alerting.level(known.level, date).first
        if held.episode.state == alerts.RESOLVED and louder and not _is_again(held, now):
            self._begun(condition, rule, member, now)
        elif held.episode.state not in alerts.FINAL:
            self._heard(held, member, now)
        elif louder or alerting.rank(member.level) > alerting.rank(held.episode.level):
            self._apply(held, Over(member.id, member.until, revised=False), now)  # it goes on in the one that follows
            latest = self._alert(self._latest.get(self._key(condition, rule), ""))
            if latest is not None and (latest.episode.state in alerts.ACTIVE or _is_again(latest, now)):
                self._heard(latest, member, now)
            else:
                self._open(condition, rule, member, now, follows=held.episode.id)

    def action(self, action: blocks.Action) -> None:
        """A person did something. An action on an alert that is not here changes nothing."""
        if action.withdrawn:
            return
        text = action.why
        if action.what == alerts.TAKE_OVER:
            event = Acted(action.id, action.what, action.by, text, action.data)
            for name in sorted(self._under_way):
                self._act(name, event, action.received)
            return
        alert = self._alert(action.data.get("episode", ""))
        if alert is None:
            return
        foreign = action.subject != alert.episode.subject
        event = Acted(action.id, action.what, action.by, text, action.data, foreign)
        parts = sorted(self._parts.get(alert.episode.id, {})) if not foreign else []
        self._act(alert.episode.id, event, action.received)
        also = _ALSO_OF_PARTS.get(action.what, "")
        for part in parts if also else ():
            self._act(part, event, action.received, only=also)

    def due(self, name: str, timer: str, now: int) -> None:
        """A timer of an alert fires."""
        alert = self._alert(name)
        if alert is None or timer not in alert.due:
            return
        if timer == steps.FORGET:
            self.rows.drop(name)
            self._index(alert, None)
            self.told(alert, None, [])
        else:
            self._apply(alert, Due(timer), now)

    def maintenance(self, group: str, now: int) -> None:
        """Maintenance was approved or taken back in a group."""
        for name in sorted(self._under_way):
            alert = self._alert(name)
            if alert is not None and alert.episode.group == group:
                self._apply(alert, MaintenanceChanged(), now)

    # ---- which alert

    def _begun(self, condition: Condition, rule: alerting.Rule, member: Member, now: int) -> None:
        """A condition that no alert has as going on."""
        before = self._alert(self._latest.get(self._key(condition, rule), ""))
        follows = ""
        if before is not None:
            e = before.episode
            if e.state in alerts.ACTIVE or _is_again(before, now):
                self._heard(before, member, now)
                return
            if e.state in alerts.FINAL:
                going = [m for m in e.members if m.open]
                follows = e.id if going else ""
                same = any(_is_same(m, member) for m in going)
                if same and alerting.rank(member.level) <= alerting.rank(e.level):
                    self._apply(before, Heard(member), now)  # only its beginning is another one
                    return
        self._open(condition, rule, member, now, follows=follows)

    def _key(self, condition: Condition, rule: alerting.Rule) -> tuple[str, str]:
        subject = (self.around.owner(condition.subject) if rule.of == "enterprise" else "") or condition.subject
        about = rule.about or condition.factor or condition.rule
        if rule.each:
            about = f"{about}:{condition.detail.get('date', condition.since)}"
        return subject, about

    def _open(self, condition: Condition, rule: alerting.Rule, member: Member, now: int, follows: str) -> None:
        subject, about = self._key(condition, rule)
        name = self.around.name(subject) or member.name
        fresh = self._blank(condition.group, subject, name, about, member.since, now, follows)
        self._heard(fresh, member, now)

    def _blank(self, group: str, subject: str, name: str, about: str, began: int, now: int, follows: str = "") -> Alert:
        """A new alert; nobody knows of it before its first step."""
        plain = f"{group}|{subject}|{about}|{now}"
        name_id, n = plain, 2
        while self._alert(name_id) is not None:
            name_id, n = f"{plain}.{n}", n + 1
        return Alert(
            Episode(
                id=name_id, group=group, kind=self.kind, subject=subject, name=name, about=about, began=began,
                level=alerting.LEVELS[0], state=alerts.OPEN, opened=now, updated=now, follows=follows,
                history=[alerts.Entry(now, steps.OPENED)],
            )
        )  # fmt: skip

    def _member_of(self, condition: Condition, rule: alerting.Rule) -> Member:
        level = min(condition.level or alerting.LEVELS[0], rule.most, key=alerting.rank)
        detail = condition.detail
        return Member(
            id=condition.id,
            rule=detail.get("rule", condition.rule) if condition.rule == _SUSPECT else condition.rule,
            subject=condition.subject,
            name=detail.get("name") or self.around.name(condition.subject),
            factor=condition.factor,
            level=level,
            since=condition.since,
            until=condition.until,
            open=True,
            words={key: value for key, value in detail.items() if key not in _NOT_WORDS},
        )

    # ---- what belongs together

    def _heard(self, alert: Alert, member: Member, now: int) -> None:
        alert = self._placed(alert, member, now)
        parent = self._alert(alert.episode.parent)
        if parent is not None and parent.crowd:
            if parent.episode.state in alerts.FINAL:
                alert = self._beyond(parent, alert, member.level)
            else:
                self._lift(parent, alert, member.level, now)
        self._apply(alert, Heard(member), now)

    def _beyond(self, crowd: Alert, part: Alert, level: str) -> Alert:
        """Whoever closed a crowd closed what its parts were then: what is worse, or begins again, is told by itself."""
        e = part.episode
        if e.state != alerts.RESOLVED and alerting.rank(level) <= alerting.rank(e.level):
            return part
        self._part(crowd.episode.id, e.id, None)
        return msgspec.structs.replace(part, episode=msgspec.structs.replace(e, parent=""))

    def _placed(self, alert: Alert, member: Member, now: int) -> Alert:
        """The alert as a part of that of the section its water comes from, or of none when it is its own."""
        e, origin = alert.episode, member.words.get("origin")
        parent = self._alert(e.parent)
        if origin is None or (parent is not None and parent.crowd):
            return alert
        root = self._root(member.words.get("linked", "")) if origin == "carried" else ""
        if root in (e.parent, e.id) or (root and self._parts.get(e.id)):  # who has parts is a part of nothing
            return alert
        if parent is not None:
            self._forsake(parent, e.id, now)
        if root:
            return steps.step(alert, Adopted(root), now, self)[0]
        self._apply(alert, Adopted(""), now)
        return self._alert(e.id) or alert

    def _root(self, condition: str) -> str:
        """The alert that one of a condition is or would be a part of, unless it is final."""
        alert = self._alert(self._of_condition.get(condition, ""))
        if alert is None:
            return ""
        parent = self._alert(alert.episode.parent)
        if parent is not None and not parent.crowd:
            alert = parent
        return "" if alert.episode.state in alerts.FINAL else alert.episode.id

    def _forsake(self, parent: Alert, part: str, now: int) -> None:
        self._part(parent.episode.id, part, None)
        self._apply(parent, ChildOver(part, gone=True), now)

    def _lift(self, crowd: Alert, part: Alert, level: str, now: int) -> None:
        """A crowd has at least the level of its parts, before they are asked whether they are told by themselves."""
        higher = alerting.rank(level) > alerting.rank(crowd.episode.level)
        if higher:
            self._apply(crowd, Child(part.episode.id, part.episode.name, level), now)

    def _crowd(self, alert: Alert, now: int) -> Alert | None:
        """The alert of many that one is to be a part of, instead of being told by itself; None: it is told."""
        e = alert.episode
        silent = e.about == SILENCE
        what, date = ("silence" if silent else "crowd"), _date_of(now)
        within = now - alerting.span(f"{what}_within", date)
        firsts = [at for at in self._firsts.get((e.group, silent), ()) if at > within]
        self._firsts[e.group, silent] = firsts
        if len(firsts) < alerting.span(f"{what}_most", date):
            return None
        about = SILENT_CROWD if silent else CROWD
        held = self._alert(self._crowds.get((e.group, about), ""))
        if held is not None and (held.episode.state in alerts.ACTIVE or _is_again(held, now)):
            return held
        subject, name = self.around.whole(e.group, e.subject)
        fresh = self._blank(e.group, subject, name, about, e.began, now)
        fresh.crowd = True
        return fresh

    # ---- applying

    def _act(self, name: str, event: Acted, now: int, only: str = "") -> None:
        alert = self._alert(name)
        if alert is not None and only in ("", alert.episode.state):
            self._apply(alert, event, now)

    def _apply(self, alert: Alert, event: Event, now: int) -> None:
        """Take a step, and what it means for the whole that the alert is a part of."""
        after, notices = steps.step(alert, event, now, self)
        if any(n.reason == alerts.FIRST for n in notices) and not alert.crowd and not alert.episode.parent:
            crowd = self._crowd(alert, now)
            if crowd is not None:
                self._join(crowd, alert, event, after.episode.level, now)
                return
        self._commit(alert, after, notices, now)

    def _join(self, crowd: Alert, alert: Alert, event: Event, level: str, now: int) -> None:
        e = alert.episode
        self._part(crowd.episode.id, e.id, True)
        self._apply(crowd, Child(e.id, e.name, level), now)
        adopted, _ = steps.step(alert, Adopted(crowd.episode.id), now, self)
        after, notices = steps.step(adopted, event, now, self)
        self._commit(alert, after, notices, now)

    def _commit(self, before: Alert, after: Alert, notices: list[Notice], now: int) -> None:
        e = after.episode
        known = self.rows.get(e.id)
        if known is not None and known == after:
            return
        self.rows.put(e.id, after)
        self._index(known, after)
        self.told(known, after, notices)
        parent = self._alert(e.parent)
        if parent is None or parent.episode.state in alerts.FINAL:
            return
        was = known is not None and known.episode.state in alerts.ACTIVE and known.episode.parent == e.parent
        is_ = e.state in alerts.ACTIVE
        if is_ and not was:
            self._apply(parent, Child(e.id, e.name, e.level), now)
        elif was and not is_:
            self._apply(parent, ChildOver(e.id), now)

    # ---- what a step asks

    def recipients(self, roles: Iterable[str], episode: Episode, now: int) -> list[Recipient]:
        """Who has these roles now."""
        return self.around.recipients(roles, episode, now)

    def reachable(self, person: str, level: str, now: int) -> int | None:
        """From when on a person may be told of a level."""
        return self.around.reachable(person, level, now)

    def person(self, person: str) -> str:
        """Name of a person."""
        return self.around.person(person)

    def maintained_until(self, episode: Episode, now: int) -> int:
        """Until when the subject, or all that is wrong of it, is under maintenance; of a crowd, all of its parts."""
        if episode.about in CROWDS:
            return self._all_maintained_until(episode.id, now)
        whole = self.around.maintained_until([episode.subject], now)
        parts = {m.subject for m in episode.members if m.open} - {episode.subject}
        return max(whole, self.around.maintained_until(sorted(parts), now) if parts else 0)

    def _all_maintained_until(self, crowd: str, now: int) -> int:
        ends = []
        for part in (self._alert(name) for name, active in self._parts.get(crowd, {}).items() if active):
            end = self.maintained_until(part.episode, now) if part is not None else 0
            if not end:
                return 0
            ends.append(end)
        return min(ends, default=0)

    def level_of(self, episode: str) -> str:
        """Level of another episode, "" when nobody is told of it, or it is not known any more."""
        alert = self._alert(episode)
        return alert.episode.level if alert is not None and not alert.episode.muted else ""

    def parts(self, episode: str) -> tuple[int, int]:
        """How many episodes are part of one, and how many of them are active."""
        return len(self._parts.get(episode, ())), self._active_parts.get(episode, 0)

    # ---- indices

    def _alert(self, name: str) -> Alert | None:
        return self.rows.get(name) if name else None

    def _index(self, before: Alert | None, after: Alert | None) -> None:
        if after is None:
            if before is not None:
                self._leave(before)
            return
        e = after.episode
        key = (e.subject, e.about)
        held = self._alert(self._latest.get(key, ""))
        if held is None or _order(held) <= _order(after):
            self._latest[key] = e.id
        if before is None or before.episode.members != e.members:
            for member in e.members:
                held = self._alert(self._of_condition.get(member.id, ""))
                if held is None or _order(held) <= _order(after):
                    self._of_condition[member.id] = e.id
        if e.state in _UNDER_WAY:
            self._under_way[e.id] = None
        else:
            self._under_way.pop(e.id, None)
        if e.parent:
            self._part(e.parent, e.id, e.state in alerts.ACTIVE)
        if after.crowd:
            self._crowds[e.group, e.about] = e.id
        elif after.first and (before is None or not before.first):
            self._firsts.setdefault((e.group, e.about == SILENCE), []).append(after.first)

    def _part(self, whole: str, part: str, active: bool | None) -> None:
        """A part of an alert is active or not, or (None) no part of it."""
        parts = self._parts.setdefault(whole, {}) if active is not None else self._parts.get(whole, {})
        was = parts.pop(part, False)
        if active is not None:
            parts[part] = active
        self._active_parts[whole] = self._active_parts.get(whole, 0) - was + bool(active)

    def _leave(self, alert: Alert) -> None:
        e = alert.episode
        if self._latest.get((e.subject, e.about)) == e.id:
            del self._latest[e.subject, e.about]
        for member in e.members:
            if self._of_condition.get(member.id) == e.id:
                del self._of_condition[member.id]
        self._under_way.pop(e.id, None)
        self._parts.pop(e.id, None)
        self._active_parts.pop(e.id, None)
        self._part(e.parent, e.id, None)
        if self._crowds.get((e.group, e.about)) == e.id:
            del self._crowds[e.group, e.about]


def _member(alert: Alert | None, condition: str) -> Member | None:
    return next((m for m in alert.episode.members if m.id == condition), None) if alert is not None else None


def _order(alert: Alert) -> tuple[int, int, str]:
    """Which alert is the newer one, also of those that were opened in one instant."""
    e = alert.episode
    return e.opened, len(e.id), e.id


def _is_again(alert: Alert, now: int) -> bool:
    """Whether it is over since so short a time that what begins now is the same."""
    e = alert.episode
    return e.state == alerts.RESOLVED and now - e.resolved <= alerting.span("reopen", _date_of(now))


def _is_same(one: Member, other: Member) -> bool:
    """Whether two conditions are one whose beginning was revised."""
    alike = (one.rule, one.subject, one.factor) == (other.rule, other.subject, other.factor)
    return alike and one.since <= other.until and other.since <= one.until


def _is_end(word: str) -> bool:
    return word in steps.REVISED
