"""What people decide: the kinds of actions, what each must have, and which of two holds.

An action is a :class:`schemas.blocks.Action` of the log. It stands in the topic ``actions``, the record of who decided
what, when and why, and in every ``readings-*`` partition whose agent has to know (``streams/actions.py``). How it is
written in files is in :mod:`schemas.action_files`; ``docs/actions.md`` describes both for people.

**Which one holds.** Two actions are about the same thing when they have the same :class:`Key`: kind, subject, begin,
end and, where a period may have several side by side, a part: each factor of a correction, each item of a laboratory
result, the mark, the factor (and averaging) of an order or a quality check, the dust caliber of published values. Of
one key the later ``received`` holds, of equal ones the later in the log. A withdrawal ends what has its kind, subject
and period, all of it or the parts its data name. :func:`holding` is this rule.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas import times, units
from schemas.action_kinds import INVALID, KINDS, NA, NOT_IN_PLAN, VALID, Kind, Subject, names, not_one_of
from schemas.alerts import ALERT_ACTIONS
from schemas.blocks import Action
from schemas.registry import AIR_FACTORS, Area, Enterprise, Outlet, Registry, Section, Station
from schemas.registry.tables import FIRST_YEAR, LAST_YEAR, shown
from schemas.topics import READINGS_OF

__all__ = [
    "INVALID", "KINDS", "NA", "NOT_IN_PLAN", "VALID", "Action", "Key", "Kind", "Subject",
    "check", "complete", "days", "draft", "ends", "find", "holding", "identity", "keys", "names",
]  # fmt: skip

MOST_BY, MOST_TEXT = 64, 500
"""Characters of a name, and of a reason or a value."""
_LISTS: Final = ("not_monitored", "primary")


# ---- making


def draft(
    what: str,
    subject: str,
    begin: int,
    end: int,
    *,
    by: str,
    why: str,
    data: Mapping[str, str] | None = None,
    withdrawn: bool = False,
) -> Action:
    """An action as a person gives it: without group, id, writer and time, in one spelling.

    Args:
        what: a name of ``KINDS``.
        subject: an id of the registry, "" for the whole district.
        begin: epoch seconds.
        end: epoch seconds.
        by: who decided it.
        why: why.
        data: what the kind asks for; empty texts are left out.
        withdrawn: it ends what was decided before.
    """
    said = {key.strip(): value.strip() for key, value in (data or {}).items() if value.strip()}
    for key in _LISTS:
        if key in said:
            said[key] = ",".join(names(said[key]))
    if "unit" in said:
        with contextlib.suppress(units.UnitError):  # left as it is for check() to name
            said["unit"] = units.canonical(said["unit"])
    return Action(
        writer="",
        id="",
        what=what.strip(),
        group="",
        subject=subject.strip(),
        begin=begin,
        end=end,
        by=by.strip(),
        why=" ".join(why.split()),
        data=said,
        received=0,
        withdrawn=withdrawn,
    )


def complete(action: Action, registry: Registry, writer: str, received: int) -> Action:
    """A checked action as it goes into the log, with its group and id.

    Args:
        action: without errors by :func:`check` under this registry.
        registry: in force.
        writer: who writes it into the log.
        received: epoch ms by that writer's clock.
    """
    found = find(action, registry)
    assert isinstance(found, Subject), "checked before"
    whole = msgspec.structs.replace(action, writer=writer, group=found.group, received=received)
    return msgspec.structs.replace(whole, id=identity(whole))


def identity(action: Action) -> str:
    """The id of an action: a digest of what it says, whoever writes it into the log and whenever."""
    said = [
        action.what, action.group, action.subject, action.begin, action.end, action.by, action.why,
        sorted(action.data.items()), action.withdrawn,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


# ---- checking


def check(action: Action, registry: Registry, now_ms: int | None = None) -> list[str]:
    """Everything that is wrong with an action, a line each, without its place; empty: it may enter the log.

    Args:
        action: as :func:`draft` or the log gives it; writer, group, id and ``received`` are not looked at.
        registry: in force.
        now_ms: epoch ms; given, an action on what was measured may not speak of what has not begun by then.
    """
    kind = KINDS.get(action.what)
    if kind is None:
        return [f"what = {action.what!r}: {not_one_of(action.what, list(KINDS))}"]
    errors = [*_people(action), *_period(action, kind, now_ms)]
    found = find(action, registry)
    if isinstance(found, str):
        errors.append(found)
        found = Subject("", action.subject, "", ())
    errors += _data(action, kind, found)
    return [f"{action.what}: {error}" for error in errors]


def find(action: Action, registry: Registry) -> Subject | str:
    """What a registry knows of the subject of an action of a known kind; a text: why it cannot be the subject."""
    kind = KINDS[action.what]
    if (alert := _of_alert(action, registry)) is not None:
        return alert
    known: dict[str, str] = {}
    for word in kind.subjects:
        for each in _ids(registry, word):
            known.setdefault(each, word)
    word = known.get(action.subject, "")
    if not word:
        near = difflib.get_close_matches(action.subject, [each for each in known if each], 1)
        cure = f"did you mean {near[0]}?" if near else "look into the registry"
        return f"subject {action.subject!r} is no {' or '.join(kind.subjects)} of this registry: {cure}"
    groups = _groups(registry, word, action)
    if isinstance(groups, str):
        return groups
    enters = tuple(k for k in kind.subjects[word] if not groups or groups & {g.id for g in registry.groups_of(k)})
    if not enters:
        return f"subject {action.subject!r}: its group has no {' or '.join(kind.subjects[word])} source to judge by it"
    return Subject(word, action.subject, next(iter(groups), ""), enters, _factors(registry, word, action))


def _of_alert(action: Action, registry: Registry) -> Subject | None:
    """What an action on an alert is about: it goes where the alert is judged, wherever its subject is by now."""
    group, bar, _ = action.data.get("episode", "").partition("|")
    if action.what not in ALERT_ACTIONS or not bar:
        return None
    enters = tuple(k for k in READINGS_OF if group in {g.id for g in registry.groups_of(k)})
    return Subject("alert", action.subject, group, enters) if enters else None


def _ids(registry: Registry, word: str) -> Iterator[str]:
    if word == "district":
        yield ""
        return
    rows: dict[str, tuple[Area | Station | Section | Outlet | Enterprise, ...]] = {
        "area": registry.areas,
        "station": registry.stations,
        "section": registry.sections,
        "outlet": registry.outlets,
        "enterprise": registry.enterprises,
    }
    yield from (row.id for row in rows[word])


def _groups(registry: Registry, word: str, action: Action) -> set[str] | str:
    """The group in one, or none for the district; a text: why there is none."""
    if word == "district":
        return set()
    if word == "area":
        return {registry.area(action.subject).group}
    if word == "enterprise":
        return {registry.enterprise(action.subject).group}
    spans = [s for s in registry.sources if s.id == action.subject]
    if not _is_period(action):  # said elsewhere
        return {spans[-1].group}
    first, last = days(action)
    there = [s for s in spans if s.valid_from <= last and (s.valid_to is None or first <= s.valid_to)]
    if not there:
        return f"subject {action.subject!r} does not exist in that period: look at its valid_from and valid_to"
    groups = {s.group for s in there}
    if len(groups) > 1:
        moved = max(s.valid_from for s in there)
        return f"subject {action.subject!r} moved to another group on {moved}: give two actions, before and from then"
    return groups


def _factors(registry: Registry, word: str, action: Action) -> tuple[str, ...]:
    if word in ("area", "station"):
        return AIR_FACTORS
    rows = registry.sections if word == "section" else registry.outlets if word == "outlet" else ()
    return tuple(dict.fromkeys(f for row in rows if row.id == action.subject for f in row.factors))


def days(action: Action) -> tuple[dt.date, dt.date]:
    """The first and the last Beijing day of an action's period."""
    return times.date_of(times.day_of(action.begin + 1)), times.date_of(times.day_of(action.end))


def _people(action: Action) -> Iterator[str]:
    for name, value, most in (("by", action.by, MOST_BY), ("why", action.why, MOST_TEXT)):
        if not value:
            yield f"{name} is missing: " + ("write who decides it" if name == "by" else "write why, or the document")
        elif len(value) > most or not value.isprintable():
            yield f"{name}: one line of at most {most} characters"


_EARLIEST: Final = times.day_start(times.day_number(dt.date(FIRST_YEAR, 1, 1)))
_LATEST: Final = times.day_end(times.day_number(dt.date(LAST_YEAR, 12, 31)))


def _is_period(action: Action) -> bool:
    return _EARLIEST <= action.begin < action.end <= _LATEST


def _period(action: Action, kind: Kind, now_ms: int | None) -> Iterator[str]:
    if not (_EARLIEST <= action.begin <= _LATEST and _EARLIEST <= action.end <= _LATEST):
        yield f"period: from {FIRST_YEAR} to {LAST_YEAR}"
        return
    said = f"{times.text(action.begin)} to {times.text(action.end)}"
    if action.end <= action.begin:
        yield f"period {said}: the end must be later than the begin"
    elif kind.grain != "any" and not (_whole(action.begin, kind.grain) and _whole(action.end, kind.grain)):
        yield f"period {said}: must be whole {kind.grain}s"
    elif kind.single and days(action)[0] != days(action)[1]:
        yield f"period {said}: must be one {kind.grain}"
    elif kind.past and now_ms is not None and action.begin * 1000 >= now_ms:
        yield f"period {said} has not begun: it is {times.text(now_ms // 1000)} in this log"


def _whole(instant: int, grain: str) -> bool:
    if grain == "hour":
        return instant % times.HOUR_S == 0
    midnight = (instant + times.OFFSET_S) % times.DAY_S == 0
    return midnight and (grain == "day" or times.civil(instant).day == 1)


def _data(action: Action, kind: Kind, subject: Subject) -> Iterator[str]:
    factors = kind.factors(subject) if kind.factors is not None else ()
    checks = {**kind.data, **(dict.fromkeys(factors, kind.value) if kind.value is not None else {})}
    for key, value in action.data.items():
        complain = checks.get(key)
        if complain is None:
            if checks:  # of an unknown subject nobody knows the factors
                yield f"{_said(key)} is not known here: {not_one_of(key, list(checks))}"
        elif len(value) > MOST_TEXT:
            yield f"{key}: at most {MOST_TEXT} characters"
        elif complaint := complain(value, subject):
            yield f"{key} = {_said(value)}: {complaint}"
    for key in kind.required:
        if key not in action.data and not action.withdrawn:
            yield f"{key} is missing"
    if kind.together is not None:
        yield from kind.together(action)


def _said(text: str) -> str:
    return text if text.isprintable() and len(text) <= MOST_BY else shown(text)


# ---- which one holds


class Key(NamedTuple):
    """What an action is about; of one key one action holds."""

    what: str
    subject: str
    begin: int
    end: int
    part: tuple[str, ...]


def keys(action: Action) -> tuple[Key, ...]:
    """What an action of a known kind is about: one key, or one for each of its factors."""
    kind = KINDS[action.what]
    about = (action.what, action.subject, action.begin, action.end)
    if kind.factors is not None:
        return tuple(Key(*about, (factor,)) for factor in action.data)
    return (Key(*about, tuple(action.data.get(name, "") for name in kind.part)),)


def ends(withdrawal: Action, key: Key) -> bool:
    """Whether a withdrawal ends what was decided under a key."""
    if key[:4] != (withdrawal.what, withdrawal.subject, withdrawal.begin, withdrawal.end):
        return False
    kind = KINDS[withdrawal.what]
    if kind.factors is not None:
        return not withdrawal.data or key.part[0] in withdrawal.data
    return all(withdrawal.data.get(name, value) == value for name, value in zip(kind.part, key.part, strict=True))


def holding(actions: Iterable[Action]) -> dict[Key, Action]:
    """Of actions in the order of the log, those that hold, by what they are about; of unknown kinds none."""
    found: dict[Key, Action] = {}
    for action in sorted((a for a in actions if a.what in KINDS), key=lambda a: a.received):
        if action.withdrawn:
            found = {key: held for key, held in found.items() if not ends(action, key)}
        else:
            found |= dict.fromkeys(keys(action), action)
    return found
