"""Forms in which actions are entered, made from the table of their kinds (:data:`schemas.action_kinds.KINDS`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from desk.web.access import RIGHT_OF
from desk.web.words import CHOICES, FIELDS, Say, factor
from schemas.action_files import ActionsError, of_row
from schemas.action_kinds import KINDS, SECTION_CHECKS, Kind, Subject
from schemas.action_words import CATEGORIES, MARK_NAMES
from schemas.actions import Action, draft
from schemas.alerts import ALERT_ACTIONS
from schemas.registry import AIR_FACTORS, Registry
from schemas.registry.words import AVERAGING

ENTERED: Final = tuple(name for name in KINDS if name not in ALERT_ACTIONS)
"""Kinds with a form of their own; those on alerts stand beside the alert."""

OF_KEY: Final[Mapping[str, tuple[str, ...]]] = {
    "mark": MARK_NAMES,
    "averaging": AVERAGING,
    "result": ("passed", "failed"),
    "check": tuple(SECTION_CHECKS),
    "clean": ("yes", "no"),
    "dust": ("keep", "deduct"),
    "category": CATEGORIES,
    "level": ("1", "2", "3", "4", "5", "6"),
}
"""What may be chosen where a kind asks for one of a closed list."""
_OFTEN: Final = ("T", "pH", "DO", "CODMn", "COD", "BOD5", "NH3N", "TP", "TN", "F", "VP", "oil", "LAS", "S2", "FC")
"""Laboratory items that are shown at once."""
_INPUT_OF: Final = {"day": "date", "month": "month", "hour": "datetime-local", "any": "datetime-local"}
_FIRST_WORD: Final = re.compile(r"([\w.,()+-]+)( = | is missing|: | of )")


@dataclass(frozen=True)
class Choice:
    """An entry of a list to choose from."""

    value: str
    text: str
    group: str = ""


@dataclass
class Field:
    """A line of a form."""

    name: str
    label: str
    kind: str  # text, select, date, month, datetime-local, textarea
    required: bool = False
    value: str = ""
    choices: list[Choice] = field(default_factory=list)
    error: str = ""
    seldom: bool = False


@dataclass
class Form:
    """A form of one kind of action; ``errors`` are those that belong to no field."""

    kind: Kind
    right: str
    fields: list[Field]
    errors: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether anything is to be mended."""
        return bool(self.errors) or any(f.error for f in self.fields)


def subjects_of(kind: Kind, registry: Registry, say: Say) -> list[Choice]:
    """What an action of a kind may be about."""
    found: list[Choice] = []
    for word in kind.subjects:
        if word == "area":
            found += [Choice(a.id, a.name, say("区域", "areas")) for a in registry.areas]
        elif word == "station":
            rows = {s.id: s.name for s in registry.stations}
            found += [Choice(i, n, say("空气站", "air stations")) for i, n in rows.items()]
        elif word == "section":
            rows = {s.id: s.name for s in registry.sections}
            found += [Choice(i, n, say("断面", "sections")) for i, n in rows.items()]
        elif word == "outlet":
            of = {e.id: e.name for e in registry.enterprises}
            outlets = {o.id: (o.name, of.get(o.enterprise, "")) for o in registry.outlets}
            found += [Choice(i, f"{e} {n}", e) for i, (n, e) in outlets.items()]
        elif word == "enterprise":
            found += [Choice(e.id, e.name, say("企业", "enterprises")) for e in registry.enterprises]
    return found


def form_of(name: str, said: Mapping[str, str], registry: Registry, say: Say) -> Form:
    """The form of a kind, with what has been typed so far.

    Raises:
        KeyError: there is no such form.
    """
    if name not in ENTERED:
        raise KeyError(name)
    kind = KINDS[name]

    def line(key: str, what: str, required: bool = False, choices: list[Choice] | None = None) -> Field:
        label = say(*(FIELDS.get(key) or factor(key)))
        if key not in FIELDS and label != key:
            label = f"{label} {key}"
        return Field(key, label, what, required, said.get(key, ""), choices or [])

    span = _INPUT_OF[kind.grain]
    fields = [
        line("subject", "select", True, subjects_of(kind, registry, say)),
        line("from", span, True),
        *([] if kind.single else [line("to", span, span == "datetime-local")]),
    ]
    keys = list(kind.data)
    if kind.factors is not None:
        keys += kind.factors(_subject(kind, said.get("subject", ""), registry))
    for key in keys:
        choices = [Choice(v, say(*CHOICES.get(v, (v, v)))) for v in OF_KEY.get(key, ())]
        one = line(key, "select" if choices else "text", key in kind.required, choices)
        one.seldom = kind.name == "lab" and key not in _OFTEN and not one.value
        fields.append(one)
    return Form(kind, RIGHT_OF[name], [*fields, line("why", "textarea", True)])


def _subject(kind: Kind, subject: str, registry: Registry) -> Subject:
    """A subject with its factors; none while nothing is chosen."""
    factors: Iterable[str] = (f for row in registry.sections if row.id == subject for f in row.factors)
    if any(station.id == subject for station in registry.stations):
        factors = AIR_FACTORS
    return Subject("", subject, "", (), tuple(dict.fromkeys(factors)))


def action_of(form: Form, said: Mapping[str, str], by: str) -> Action | None:
    """The action of a filled form, to be checked; None when it cannot be read, and why then stands in the form."""
    row = {f.name: said.get(f.name, "") for f in form.fields}
    try:
        return of_row({**row, "what": form.kind.name, "by": by})
    except ActionsError as error:
        place_errors(form, str(error).splitlines())
        return None


def place_errors(form: Form, errors: list[str]) -> None:
    """Put each error beside the field it speaks of."""
    fields = {f.name: f for f in form.fields}
    for error in errors:
        found = _FIRST_WORD.match(error)
        word = found[1] if found else error.split(" ")[0]
        name = "from" if word == "period" else word
        if name in fields and not fields[name].error:
            fields[name].error = error
        else:
            form.errors.append(error)


def withdrawal_of(action: Action, by: str, why: str) -> Action:
    """What ends an action."""
    return draft(
        action.what, action.subject, action.begin, action.end, by=by, why=why, data=action.data, withdrawn=True
    )


def on_episode(
    what: str, subject: str, episode: str, began: int, at_s: int, *, by: str, why: str, data: Mapping[str, str]
) -> Action:
    """An action on an alert. ``at_s`` is when the page was made, so that a second click says the same."""
    return draft(what, subject, began, max(at_s, began + 1), by=by, why=why, data={"episode": episode, **data})


def take_over(at_s: int, *, by: str, why: str, before: str) -> Action:
    """That the shift is taken over, of the whole district."""
    return draft("take-over", "", at_s - 1, at_s, by=by, why=why, data={"from": before})
