"""What the registry and people's decisions say around an alert: who is told, whose it is, what is maintained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.alerts import Episode, Recipient
from schemas.registry import Registry
from schemas.registry.roster import reachable_at
from streams.state.judge import Judge

DUTY, ENTERPRISE = "duty", "enterprise"
_ROSTER_ROLE: Final = {DUTY: "officer", "chief": "chief", "director": "director"}
_MAINTENANCE: Final = "maintenance"


class People:
    """Looks things up in the registry in force and among the decisions that hold."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._of_registry: Registry | None = None
        self._owner: dict[str, str] = {}
        self._names: dict[str, str] = {}

    @property
    def _registry(self) -> Registry:
        registry = self._judge.registry
        assert registry is not None
        if registry is not self._of_registry:
            self._of_registry = registry
            self._owner = {o.id: o.enterprise for o in registry.outlets}
            self._names = _names(registry)
        return registry

    # ---- who is told

    def recipients(self, roles: Iterable[str], episode: Episode, now: int) -> list[Recipient]:
        """Who has these roles at an instant (epoch ms); each person once, as the first of its roles."""
        found: dict[str, Recipient] = {}
        for role in roles:
            for each in self._of_role(role, episode, now):
                found.setdefault(each.person, each)
        return list(found.values())

    def _of_role(self, role: str, episode: Episode, now: int) -> list[Recipient]:
        registry = self._registry
        if role == ENTERPRISE:
            enterprise = self._owner.get(episode.subject, episode.subject)
            known = next((e for e in registry.enterprises if e.id == enterprise), None)
            return [Recipient(known.contact, ENTERPRISE)] if known is not None and known.contact else []
        held = registry.roster.on_duty(_ROSTER_ROLE[role], now // 1000)
        return [Recipient(person, role, held.hole) for person in held.persons]

    def reachable(self, person: str, level: str, now: int) -> int | None:
        """From when on a person may be told of a level, epoch ms; None: never. Who left the registry is not asked."""
        known = self._registry.person(person)
        if known is None:
            return now
        at = reachable_at(known, level, now // 1000)
        return None if at is None else now if at <= now // 1000 else at * 1000

    def person(self, person: str) -> str:
        """Name of a person; the id of one who left the registry."""
        known = self._registry.person(person)
        return known.name if known is not None else person

    # ---- what is maintained

    def maintained_until(self, subjects: Iterable[str], now: int) -> int:
        """Until when all of some subjects, or their enterprises, are under approved maintenance; epoch ms, 0: not."""
        periods = [
            (key.subject, action.begin, action.end)
            for key, action in self._judge.decisions(_MAINTENANCE)
            if action.begin * 1000 <= now < action.end * 1000
        ]
        if not periods:
            return 0
        self._registry  # noqa: B018 - the owners are those of the registry in force
        ends = [
            max((end for whose, _, end in periods if whose in (subject, self._owner.get(subject))), default=0)
            for subject in subjects
        ]
        return min(ends, default=0) * 1000

    # ---- whose it is

    def owner(self, subject: str) -> str:
        """The enterprise of an outlet, "" of anything else; meters have the id of their enterprise."""
        self._registry  # noqa: B018 - as above
        return self._owner.get(subject, "")

    def name(self, subject: str) -> str:
        """Name of a subject, with that of its enterprise; "" when the registry does not know it."""
        self._registry  # noqa: B018 - as above
        return self._names.get(subject, "")

    def whole(self, group: str, subject: str) -> tuple[str, str]:
        """What stands for a group: the enterprise or the area of a subject, else the subject; and the group's name."""
        registry = self._registry
        name = next((g.name for g in registry.groups if g.id == group), "")
        if subject in self._owner:
            return self._owner[subject], name or self.name(self._owner[subject])
        area = next((s.area for s in registry.stations if s.id == subject), "")
        return area or subject, name or self.name(area or subject)


def _names(registry: Registry) -> dict[str, str]:
    """Names by id, of the newest row of each."""
    enterprises = {e.id: e.name for e in registry.enterprises}
    found = {area.id: area.name for area in registry.areas}
    found |= {station.id: station.name for station in registry.stations}
    found |= {section.id: section.name for section in registry.sections}
    found |= enterprises
    for outlet in sorted(registry.outlets, key=lambda o: o.valid_from):
        whose = enterprises.get(outlet.enterprise, "")
        found[outlet.id] = outlet.name if not whose or outlet.name.startswith(whose) else f"{whose} {outlet.name}"
    return found
