"""What each page shows, out of the view and the registry of the log. Pure: the same view, the same page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from desk.view import View
from desk.web import drawing, words
from desk.web.words import GREY, Say, colour, ink_on
from schemas import alerts, times
from schemas.action_files import written
from schemas.action_words import CATEGORIES
from schemas.actions import holding
from schemas.alerts import Delivery, Entry, Episode, Member, Notice
from schemas.blocks import Action
from schemas.registry import Registry

ON_A_PAGE: Final = 50
"""Alerts a page lists; ten thousand of them are two hundred pages, not one."""
_ACTIVE_AIR_H: Final = 3
"""Hours after which an hour of a station is no longer called the present one."""

MAY: Final[dict[str, tuple[str, ...]]] = {
    alerts.OPEN: (alerts.ACKNOWLEDGE, alerts.HANDLE, alerts.NOTE, alerts.CLOSE, alerts.FALSE),
    alerts.ACKNOWLEDGED: (alerts.HANDLE, alerts.HAND_BACK, alerts.NOTE, alerts.CLOSE, alerts.FALSE),
    alerts.HANDLING: (alerts.HAND_BACK, alerts.NOTE, alerts.CLOSE, alerts.FALSE),
    alerts.RESOLVED: (alerts.NOTE, alerts.CLOSE, alerts.FALSE),
}
"""What may be done with an episode in a state; only who has it hands it back."""


def may(episode: Episode, person: str) -> list[str]:
    """What a person may do with an episode as it stands."""
    return [what for what in MAY.get(episode.state, ()) if what != alerts.HAND_BACK or episode.holder == person]


@dataclass(frozen=True)
class Told:
    """Who was told and what became of it, in words."""

    person: str
    channel: str
    state: str
    how: str  # good, bad, or "" of what is neither
    at_ms: int
    words: str


class People:
    """Names of persons; of one who is no longer in the registry the id."""

    def __init__(self, registry: Registry | None) -> None:
        self._names = {p.id: p.name for p in registry.persons} if registry is not None else {}

    def __call__(self, person: str) -> str:
        """The name."""
        return self._names.get(person, person)


def title_of(episode: Episode, say: Say) -> str:
    """What is wrong, in a line: the subject's name, the factor, and what its worst rule says."""
    rule = next(filter(None, map(words.rule, episode.rules)), None)
    what, _, date = episode.about.partition(":")  # a daily thing names its day
    if what not in words.RULES:
        what, date = episode.about, ""
    said = [episode.name or episode.subject, say(*(words.RULES.get(what) or words.factor(what))), date]
    if rule is not None and what not in (*words.SAYS_IT_ALL, *words.RULES):
        said.append(say(*rule))
    return " ".join(part for part in said if part)


def facts_of(member: Member, say: Say) -> list[tuple[str, str]]:
    """What a condition says of itself: its title, value and limit, hours, reason."""
    said = member.words
    en = say("", "_en")
    found = []
    if title := said.get(f"title{en}", said.get("title", "")):
        found.append((say("疑似", "suspected"), title))
    if value := said.get("value", ""):
        limit = f" / {said['limit']}" if said.get("limit") else ""
        found.append((say("数值", "value"), f"{value}{limit} {words.unit(said.get('unit', ''))}".strip()))
    if hours := said.get("hours", ""):
        found.append((say("连续", "for"), say(f"{hours} 小时", f"{hours} h")))
    if reason := said.get(f"reason{en}", said.get("reason", "")):
        found.append((say("依据", "because"), reason))
    return found


def text_of(entry: Entry, names: People) -> str:
    """What an entry of a history says; where somebody was told, their names."""
    if entry.by or entry.what not in alerts.REASON_ZH:
        return entry.text
    return "、".join(names(person) for person in entry.text.split(",") if person)


def told_of(deliveries: list[Delivery], names: People, say: Say) -> list[Told]:
    """Deliveries in words, the newest first."""
    how = {alerts.SENT: "good", alerts.DIGESTED: "good", alerts.FAILED: "bad", alerts.GAVE_UP: "bad"}
    return [
        Told(
            names(d.person),
            say(*words.CHANNELS.get(d.channel, (d.channel, d.channel))),
            say(*words.DELIVERED.get(d.state, (d.state, d.state))),
            how.get(d.state, ""),
            d.at,
            " ".join(part for part in (f"HTTP {d.status}" if d.status else "", d.code, d.words) if part),
        )
        for d in deliveries
    ]


def last_told(deliveries: list[Delivery], names: People, say: Say) -> list[Told]:
    """Of each person the last."""
    seen: dict[str, Delivery] = {}
    for delivery in deliveries:
        seen.setdefault(delivery.person, delivery)
    return told_of(list(seen.values()), names, say)


def alerts_page(view: View, say: Say, query: dict[str, str]) -> dict[str, Any]:
    """Open alerts; what is part of one that is at least as bad stands there."""
    level, kind = query.get("level", ""), query.get("kind", "")
    every = [e for e in view.open_episodes() if view.stands_alone(e)]
    found = [e for e in every if (not level or e.level == level) and (not kind or e.kind == kind)]
    pages = max(1, -(-len(found) // ON_A_PAGE))
    page = min(max(1, _number(query.get("page", ""))), pages)
    names = People(view.registry)
    shown = found[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    return {
        "counts": view.counts(),
        "waiting": sum(e.state == alerts.OPEN for e in every),
        "total": len(found),
        "level": level,
        "kind": kind,
        "page": page,
        "pages": pages,
        "going": [one(view, e, names, say) for e in shown if e.state in alerts.ACTIVE],
        "recovered": [one(view, e, names, say) for e in shown if e.state not in alerts.ACTIVE],
        "closed": [one(view, e, names, say) for e in view.closed_episodes(10)] if page == pages else [],
    }


def _number(said: str) -> int:
    """A whole number of a query, 0 for anything else."""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else 0


def one(view: View, episode: Episode, names: People, say: Say) -> dict[str, Any]:
    """An alert in a list."""
    now_s = view.now_s()
    return {
        "e": episode,
        "title": title_of(episode, say),
        "age": words.age(now_s - episode.opened // 1000, say),
        "holder": names(episode.holder),
        "told": last_told(view.deliveries(episode.id), names, say),
        "facts": next((f for m in reversed(episode.members) if m.open and (f := facts_of(m, say))), []),
    }


def episode_page(view: View, episode: Episode, say: Say) -> dict[str, Any]:
    """An alert with all that is known of it."""
    names = People(view.registry)
    deliveries = view.deliveries(episode.id)
    told: list[tuple[Notice, list[Told]]] = [
        (n, told_of([d for d in deliveries if d.notice == n.id], names, say)) for n in view.notices(episode.id)
    ]
    children = [c for c in map(view.episode, episode.children) if c is not None]
    return {
        **one(view, episode, names, say),
        "names": names,
        "notices": told,
        "text_of": lambda entry: text_of(entry, names),
        "facts_of": lambda member: facts_of(member, say),
        "children": [one(view, c, names, say) for c in children],
        "parent_title": title_of(parent, say) if (parent := view.episode(episode.parent)) else episode.parent,
    }


def handover_page(view: View, say: Say) -> dict[str, Any]:
    """What the next officer takes over, from whom, and who did so before."""
    names, now_s = People(view.registry), view.now_s()
    registry = view.registry
    before = registry.roster.duty_at("officer", now_s) if registry is not None else None
    taken = [a for a in view.actions() if a.what == alerts.TAKE_OVER][-10:]
    return {
        "list": [one(view, e, names, say) for e in view.open_episodes() if view.stands_alone(e)][:200],
        "open": sum(view.counts().values()),
        "counts": view.counts(),
        "on_duty": before,
        "names": names,
        "taken": list(reversed(taken)),
    }


def air_page(view: View, registry: Registry, say: Say, query: dict[str, str]) -> dict[str, Any]:
    """The calendar of a year of an area, its budget of today, and the year against its task."""
    areas = {a.id: a for a in registry.areas}
    area = query.get("area", "")
    if area not in areas:
        area = next((a.id for a in registry.areas if a.kind == "district"), next(iter(areas), ""))
    today = times.date_of(times.day_of(view.now_s()))
    year = _number(query.get("year", ""))
    year = year if 2000 <= year <= 2100 else today.year
    days = view.days(area)
    budget = view.latest("air-budget", area)
    if budget is not None and times.date_of(times.day_of(budget.time)).year != year:
        budget = None
    return {
        "areas": list(areas.values()),
        "area": areas.get(area),
        "year": year,
        "years": sorted({int(date[:4]) for date in days} | {today.year}, reverse=True),
        "months": drawing.months_of(year, days),
        "days": {date: day for date, day in days.items() if date.startswith(f"{year}-")},
        "legend": _legend(days),
        "tally": view.year(area, year),
        "budget": budget,
        "task": next((t.value for t in registry.tasks_of(year) if t.kind == "good_days" and t.subject == area), None),
        "hour": view.latest("air-hour", area),
    }


def _legend(days: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Categories and their colours, as the verdicts carry them; cleanest first."""
    found = {d.category: colour(d.colour) for d in days.values() if d.category}
    return [(name, found[name], ink_on(found[name])) for name in CATEGORIES if name in found]


def map_page(view: View, registry: Registry, say: Say) -> dict[str, Any]:
    """The district drawn from its registry."""
    date = times.civil(view.now_s()).date()
    stations = {s.id: s for s in registry.stations if _there(s, date) and s.lat is not None}
    sections = {s.id: s for s in registry.sections if _there(s, date) and s.lat is not None}
    enterprises = [e for e in registry.enterprises if e.lat is not None]
    areas = [a for a in registry.areas if a.lat is not None and a.kind == "township"]
    rows: list[Any] = [*stations.values(), *sections.values(), *enterprises, *areas]
    projection = drawing.Projection((r.lat, r.lon) for r in rows)
    levels = view.worst_levels()
    of_enterprise: dict[str, str] = {}
    for enterprise in enterprises:
        mine = [enterprise.id, *(o.id for o in registry.outlets if o.enterprise == enterprise.id)]
        worst = max((levels[m] for m in mine if m in levels), key=alerts.LEVELS.index, default="")
        of_enterprise[enterprise.id] = worst
    named: list[Any] = [*stations.values(), *sections.values(), *enterprises]
    spots = [(row.id, projection.spot(row.lat, row.lon), row.name) for row in named]
    return {
        "labels": drawing.labels(spots),
        "height": projection.height,
        "ten_km": round(projection.km * 5, 1),
        "areas": [(a, projection.spot(a.lat or 0, a.lon or 0)) for a in areas if not _near(a, stations.values())],
        "stations": [
            (s, projection.spot(s.lat or 0, s.lon or 0), *_station_now(view, s.id)) for s in stations.values()
        ],
        "sections": [(s, projection.spot(s.lat or 0, s.lon or 0), *_class_now(view, s.id)) for s in sections.values()],
        "rivers": [
            (projection.spot(a.lat or 0, a.lon or 0), projection.spot(b.lat or 0, b.lon or 0))
            for r in registry.reaches_at(date)
            if (a := sections.get(r.upper)) is not None and (b := sections.get(r.lower)) is not None
        ],
        "enterprises": [(e, projection.spot(e.lat or 0, e.lon or 0), of_enterprise[e.id]) for e in enterprises],
        "legend": _legend({d: day for a in registry.areas for d, day in view.days(a.id).items()}),
        "classes": [(words.ROMAN[n], words.WATER_COLOURS[n]) for n in words.ROMAN],
    }


def _near(area: Any, stations: Iterable[Any]) -> bool:
    """Whether a station's own name already says where that is: within about 3 km."""
    return any(abs(s.lat - area.lat) < 0.03 and abs(s.lon - area.lon) < 0.03 for s in stations)


def _there(row: Any, date: dt.date) -> bool:
    return bool(row.valid_from <= date and (row.valid_to is None or date <= row.valid_to))


def _station_now(view: View, station: str) -> tuple[str, str, str]:
    """AQI, colour and ink of a station's hour; of one that has long been silent nothing."""
    hour = view.latest("station-hour", station)
    if hour is None or hour.aqi is None or view.now_s() - hour.time > _ACTIVE_AIR_H * times.HOUR_S:
        return "—", GREY, ink_on(GREY)
    fill = colour(hour.colour)
    return str(hour.aqi), fill, ink_on(fill)


def _class_now(view: View, section: str) -> tuple[str, str, str]:
    """Class, colour and ink of a section's last hour."""
    hour = view.latest("water-hour", section)
    if hour is None or hour.class_ is None:
        return "—", GREY, ink_on(GREY)
    fill = words.WATER_COLOURS.get(hour.class_, GREY)
    return words.ROMAN.get(hour.class_, "—"), fill, ink_on(fill)


def rivers_page(view: View, registry: Registry, say: Say) -> dict[str, Any]:
    """Sections in the order of the water, with class and target."""
    date = times.civil(view.now_s()).date()
    sections = {s.id: s for s in registry.sections if _there(s, date)}
    names = {s.id: s.name for s in sections.values()}
    rows = []
    for step in drawing.along(sections.values(), registry.reaches_at(date)):
        target = registry.target(step.section.id, date)
        rows.append(
            {
                "step": step,
                "section": step.section,
                "lower": names.get(step.onward.lower, "") if step.onward is not None else "",
                "probable": words.age(step.onward.travel_s()[1], say) if step.onward is not None else "",
                "target": target.target_class if target is not None else None,
                "now": _class_now(view, step.section.id),
                "hour": view.latest("water-hour", step.section.id),
                "day": view.latest("water-day", step.section.id),
                "month": view.latest("water-month", step.section.id),
            }
        )
    return {"rows": rows, "roman": words.ROMAN, "colours": words.WATER_COLOURS, "ink_on": ink_on}


def outlets_page(view: View, registry: Registry, say: Say) -> dict[str, Any]:
    """Outlets by enterprise, with their last hour against its limits; what is over the limit first."""
    date, levels = times.civil(view.now_s()).date(), view.worst_levels()
    outlets = {o.id: o for o in registry.outlets if _there(o, date)}
    found = []
    for enterprise in registry.enterprises:
        rows = []
        for outlet in (o for o in outlets.values() if o.enterprise == enterprise.id):
            hour = view.latest("outlet-hour", outlet.id)
            limits: dict[str, str] = {}
            for limit in registry.limits_at(outlet.id, date):
                if limit.averaging == "hour" and limit.side == "most":
                    limits[limit.factor] = min(limits.get(limit.factor, limit.limit), limit.limit, key=float)
            items = [
                (f, hour.items.get(f) if hour is not None else None, limits.get(f, ""), _unit(registry, outlet.id, f))
                for f in dict.fromkeys((*limits, *(hour.items if hour is not None else ())))
                if f in limits or (hour is not None and hour.items[f].limit)
            ]
            rows.append({"outlet": outlet, "hour": hour, "items": items, "level": levels.get(outlet.id, "")})
        if rows:
            over = any(row["hour"] is not None and row["hour"].verdict == "EXCEED" for row in rows)
            found.append({"enterprise": enterprise, "rows": rows, "over": over})
    return {"enterprises": sorted(found, key=lambda f: not f["over"])}


def _unit(registry: Registry, outlet: str, factor: str) -> str:
    return next((m.unit for m in registry.limits if m.outlet == outlet and m.factor == factor), "")


def duty_page(view: View, registry: Registry, say: Say) -> dict[str, Any]:
    """Who has the duty now and in the next two weeks."""
    now_s = view.now_s()
    today = times.civil(now_s).date()
    roster = registry.roster
    holidays = {h.date: h for h in registry.holidays}
    return {
        "now": {role: roster.on_duty(role, now_s) for role in ("officer", "chief", "director")},
        "until": {role: roster.next_change(role, now_s) for role in ("officer", "chief", "director")},
        "week": [
            (date, holidays.get(date), roster.is_workday(date), roster.turns_of(date))
            for date in (today + dt.timedelta(days=n) for n in range(14))
        ],
        "shifts": {s.id: s.name for s in registry.shifts},
        "names": People(registry),
        "persons": [p for p in registry.persons if p.role != "enterprise"],
        "today": today,
    }


def entered_page(view: View, say: Say, query: dict[str, str]) -> dict[str, Any]:
    """What people decided, the newest first."""
    what = query.get("what", "")
    every = view.actions()
    held = {id(action) for action in holding(every).values()}
    shown = [a for a in reversed(every) if not what or a.what == what][:200]
    return {
        "what": what,
        "names": People(view.registry),
        "places": place_names(view.registry),
        "rows": [(a, written(a), id(a) in held and a.what not in alerts.ALERT_ACTIONS) for a in shown],
    }


def place_names(registry: Registry | None) -> dict[str, str]:
    """Names of whatever an action may be about, by id."""
    if registry is None:
        return {}
    rows: list[Any] = [
        *registry.areas, *registry.stations, *registry.sections, *registry.enterprises, *registry.outlets,
    ]  # fmt: skip
    return {row.id: row.name for row in rows}


def recent(actions: list[Action], name: str) -> Action | None:
    """The action of an id."""
    return next((a for a in actions if a.id == name), None)
