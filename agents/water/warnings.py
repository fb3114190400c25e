"""Warnings of sections (water.md §4.7) and the spring guard (§6): conditions that begin, go on and end.

The episodes of a section are derived from its last eight days each time they change, and what differs from what was
said is published: so a late value that makes or unmakes one says so. An episode that began before those days keeps its
beginning in a row of its own; nothing else is remembered.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from agents.water.columns import COLUMN, FACTORS, KNOWN
from agents.water.grades import SPRING, Grading
from agents.water.hours import Bools, Day, Hours, gap_s
from agents.water.when import LOOK_BACK_DAYS
from schemas import times
from schemas.messages import BEGAN, CONTINUES, ENDED, Condition
from schemas.registry import Section
from standards import fixed
from standards.fixed import MISSING, Ints
from standards.water import spring as guard_law
from standards.water import warnings as law
from standards.water.items import item_set, items
from standards.water.sampling import is_wet
from standards.water.targets import limited_side
from standards.water.warnings import Episode
from streams.state.judge import digest_of
from streams.state.shelf import Shelf

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

WATER_LEVEL, SPRING_GUARD = "water-level", "spring-guard"
"""Rules of the conditions; the factor is the item."""
WITHDRAWN, NO_DATA = "withdrawn", "no-data"
STATE_VERSION = 1
_COLOURS: Final = ("", "blue", "yellow", "orange", "red")


class Found(NamedTuple):
    """An episode of a section."""

    rule: str
    factor: str
    episode: Episode
    colour: str
    values: tuple[int, int]  # newest and worst, in the item's scale


class _Open(msgspec.Struct, array_like=True):
    """Beginnings of open episodes by ``rule|factor``: when, level, since when, rules."""

    v: int
    began: dict[str, tuple[int, int, int, list[str]]]


def _decode(row: bytes) -> _Open:
    found = msgspec.msgpack.decode(row, type=_Open)
    if found.v != STATE_VERSION:
        raise ValueError(f"a warnings row of format {found.v}, this program reads {STATE_VERSION}")
    return found


class Warnings:
    """Derives and says what a section warns of."""

    def __init__(self, judge: WaterJudge, hours: Hours, grading: Grading) -> None:
        self._judge, self._hours, self._grading = judge, hours, grading
        self._rows: Shelf[_Open] = judge.keep(Shelf("w", _decode, msgspec.msgpack.encode))
        self._said: dict[str, dict[str, tuple[str, Condition]]] = {}  # section: id of condition: digest, as it was
        self.found: dict[str, list[Found]] = {}
        self.links: dict[tuple[str, str, int], tuple[str, str]] = {}  # section, item, begin: condition, section above

    # ---- deriving

    def derive(self, section: str) -> bool:
        """Find the episodes of a section again; whether they are others now."""
        before = self.found.get(section, [])
        self.found[section] = found = self._find(section)
        return found != before

    def _find(self, section: str) -> list[Found]:
        newest = self._judge.newest_day(section)
        if newest is None:
            return []
        days = [self._hours.day(section, day) for day in range(newest - LOOK_BACK_DAYS, newest + 1)]
        at = days[-1].section
        if at is None:
            return []
        found = self._levels(section, days)
        if at.body == SPRING:
            found += self._guard(section, days)
        return self._with_beginnings(section, days, found)

    def _levels(self, section: str, days: list[Day]) -> list[Found]:
        """Episodes of every item."""
        grades = [self._grading.of(section, day) for day in days]
        date = days[-1].date
        classes = np.concatenate([g.classes for g in grades])
        dropped = law.class_drops(classes, date=date)
        stirred = np.any([g.stirred for g in grades], axis=0)
        for day in days:
            stirred[list(day.steps)] = True
        if dropped.any():
            stirred |= np.any([(g.by_item > 0).any(axis=0) for g in grades], axis=0)
        found: list[Found] = []
        for c in np.flatnonzero(stirred).tolist():
            name = FACTORS[c]
            alarm = np.concatenate([day.alarm[:, c] for day in days])
            usable = np.concatenate([day.new[:, c] & ~day.doubted[:, c] for day in days])
            at = np.flatnonzero(usable & (alarm != MISSING))
            jumped = self._jumps(days, c)[at]
            over_now, near, worst, doubled = (
                np.concatenate([getattr(g, what)[:, c] for g in grades])[at]
                for what in ("over", "near", "worst", "doubled")
            )
            fell = dropped[at]
            if fell.any():  # by the items that decide the class
                fell &= np.concatenate([g.by_item[:, c] for g in grades])[at] == classes[at]
            if not (over_now.any() or jumped.any() or near.any() or worst.any() or fell.any()):
                continue
            results = law.Results(
                times=np.concatenate([day.drawn[:, c] for day in days])[at],
                values=alarm[at],
                over=over_now,
                worst=worst,
                doubled=doubled,
                near=near,
                jump=jumped,
            )
            hourly = not is_wet(name, date)
            held = law.levels(
                results, hourly=hourly, gap_s=gap_s(name, date), toxic=name in item_set("toxic_first", date), date=date
            )
            held[law.CLASS_DROP] = fell
            found += self._episodes(WATER_LEVEL, name, results.times, held, over_now, results.values, hourly, date)
        return found

    def _episodes(
        self, rule: str, factor: str, when: Ints, held: dict[str, Bools], over: Bools, values: Ints, hourly: bool,
        date: dt.date,
    ) -> list[Found]:  # fmt: skip
        found = []
        for one in law.episodes(when, held, over, hourly=hourly, date=date):
            inside = (when >= one.begin) & (when <= one.until)
            side = limited_side(factor)
            worst = int(values[inside].min() if side == "low" else values[inside].max())
            newest = int(values[inside][-1])
            found.append(Found(rule, factor, one, law.colour(one, date), (newest, worst)))
        return found

    def _jumps(self, days: list[Day], c: int) -> Bools:
        """Steps to the worse side; of a band, or what no standard limits, to either."""
        name = FACTORS[c]
        if not any(c in day.steps for day in days):
            return np.zeros(24 * len(days), np.bool_)
        grade = np.concatenate([day.steps.get(c, _NONE) for day in days])
        series = np.concatenate([day.judged[:, c] for day in days])
        known = np.flatnonzero(series != MISSING)
        up = np.zeros(len(series), np.bool_)
        up[known[1:]] = series[known[1:]] > series[known[:-1]]
        side = limited_side(name)
        worse = up if side == "high" else ~up if side == "low" else np.ones(len(up), np.bool_)
        found: Bools = (grade > 0) & worse
        return found

    # ---- the spring guard

    def _guard(self, section: str, days: list[Day]) -> list[Found]:
        date = days[-1].date
        values = {
            name: np.concatenate([np.where(day.doubted[:, c], MISSING, day.judged[:, c]) for day in days])
            for name, c in COLUMN.items()
            if name in KNOWN and any((day.judged[:, c] != MISSING).any() for day in days)
        }
        owed = self._judge.the_registry.target(section, date)
        excluded = frozenset(owed.excluded) if owed is not None else frozenset()
        held = guard_law.guard(values, excluded, date)
        by_item: dict[str, dict[str, Bools]] = {}
        for (rule, name), mask in held.items():
            by_item.setdefault(name, {})[rule] = mask
        colours = {(r.rule, r.item): r.colour for r in guard_law.guard_rules(date)}
        found = []
        for name, masks in sorted(by_item.items()):
            c = COLUMN[name]
            new = np.concatenate([day.new[:, c] for day in days])
            at = np.flatnonzero(new & (values[name] != MISSING))
            any_of = np.any(list(masks.values()), axis=0)[at]
            times_at, series = np.concatenate([day.drawn[:, c] for day in days])[at], values[name][at]
            one_rule = {law.OVER: any_of}  # folds like any level 1; its own rules are named below
            for one in law.episodes(times_at, one_rule, any_of, hourly=not is_wet(name, date), date=date):
                inside = (times_at >= one.begin) & (times_at <= one.until)
                rules = tuple(rule for rule, mask in masks.items() if mask[at][inside].any())
                colour = max((colours.get((r, name), colours.get((r, "any"), "")) for r in rules), key=_COLOURS.index)
                during = series[inside]
                episode = Episode(one.begin, one.until, one.ended, one.level, one.since_level, rules, one.count)
                found.append(Found(SPRING_GUARD, name, episode, colour, (int(during[-1]), int(during.max()))))
        return found

    # ---- what began long ago

    def _with_beginnings(self, section: str, days: list[Day], found: list[Found]) -> list[Found]:
        """An episode at the edge of what is looked at keeps the beginning it had; those that go on are remembered."""
        row = self._rows.get(section) or _Open(STATE_VERSION, {})
        edge = times.day_start(days[1].number)
        whole: list[Found] = []
        began: dict[str, tuple[int, int, int, list[str]]] = {}
        for one in found:
            name, episode = f"{one.rule}|{one.factor}", one.episode
            known = row.began.get(name)
            if known is not None and known[0] < episode.begin < edge:
                rules = tuple(r for r in (*law.RULES, *_guard_rules()) if r in known[3] or r in episode.rules)
                level, since = max((known[1], -known[2]), (episode.level, -episode.since_level))
                episode = Episode(known[0], episode.until, episode.ended, level, -since, rules, episode.count)
                one = one._replace(episode=episode)
            if episode.ended and episode.ended < edge:
                continue  # over before the days that are looked at
            whole.append(one)
            if episode.is_open:
                began[name] = (episode.begin, episode.level, episode.since_level, list(episode.rules))
        if began != row.began:
            self._rows.put(section, _Open(STATE_VERSION, began))
        return whole

    # ---- saying

    def say(self, section: str, at_ms: int) -> None:
        """Publish what differs from what was said of a section."""
        said = self._said.setdefault(section, {})
        newest = self._judge.newest_day(section)
        at = self._hours.place(section, newest) if newest is not None else None
        now: dict[str, tuple[str, Condition]] = {}
        pattern = self._pattern(section, at)
        for one in self.found.get(section, []):
            assert at is not None
            assert newest is not None
            name = condition_id(at, one.rule, one.factor, one.episode.begin)
            condition = self._condition(at, one, name, times.date_of(newest))
            if one.rule == SPRING_GUARD and one.episode.is_open and pattern:
                condition.detail["pattern"] = pattern
            digest = digest_of(repr(msgspec.structs.astuple(condition)))
            known = said.get(name)
            now[name] = (digest, condition)
            if known is None or known[0] != digest:
                state = ENDED if not one.episode.is_open else BEGAN if known is None else CONTINUES
                self._publish(condition, state, at_ms)
        edge = times.day_start(newest - LOOK_BACK_DAYS + 1) if newest is not None else 0
        for name in sorted(set(said) - set(now)):
            condition = said[name][1]
            if condition.state == ENDED and condition.until < edge:
                continue  # it has left the days that are looked at
            if condition.state != ENDED or condition.since >= edge:
                condition.detail = {**condition.detail, "reason": WITHDRAWN if condition.since >= edge else NO_DATA}
                self._publish(condition, ENDED, at_ms)
        self._said[section] = now

    def _pattern(self, section: str, at: Section | None) -> str:
        """Where the water of a spring may come from, by what rises together (water.md §6)."""
        if at is None or at.body != SPRING:
            return ""
        risen = {("", one.factor): True for one in self.found.get(section, []) if one.episode.is_open}
        return guard_law.fingerprint(risen, frozenset(at.factors))

    def _publish(self, condition: Condition, state: str, at_ms: int) -> None:
        self._judge.condition(msgspec.structs.replace(condition, state=state, now=at_ms, registry=self._judge.digest))

    def _condition(self, section: Section, one: Found, name: str, date: dt.date) -> Condition:
        episode = one.episode
        detail = {
            "name": section.name,
            "level": law.level_word(episode.level, date),
            "rules": ",".join(episode.rules),
        }
        of = items()[one.factor]
        newest, worst = (fixed.text_of(v, of.places) for v in one.values)
        detail |= {"item": of.name, "value": newest, "worst": worst, "unit": of.unit}
        link = self.links.get((section.id, one.factor, episode.begin))
        if link is not None:
            detail["origin"] = "carried" if link[1] else "local"
            if link[1]:
                detail |= {"from": link[1], "linked": link[0]}
        return Condition(
            id=name,
            state=CONTINUES if episode.is_open else ENDED,
            rule=one.rule,
            group=section.group,
            subject=section.id,
            factor=one.factor,
            since=episode.begin,
            until=episode.ended or episode.until,
            now=0,
            origin="",
            level=one.colour,
            detail=detail,
            valid=episode.count,
            ruleset=f"water-warnings-{date.year}",
            registry="",
        )

    # ---- a section that is gone

    def leave(self, section: str, at_ms: int) -> None:
        """A section is no longer in the registry: what it warned of is over."""
        for _, condition in self._said.pop(section, {}).values():
            if condition.state != ENDED:
                condition.detail = {**condition.detail, "reason": WITHDRAWN}
                self._publish(condition, ENDED, at_ms)
        self.found.pop(section, None)
        self._rows.drop(section)

    def known(self) -> list[str]:
        """Sections of which something was said."""
        return sorted(self._said)


_NONE = np.zeros(24, np.int64)


def _guard_rules() -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.rule for rule in guard_law.guard_rules()))


def condition_id(section: Section, rule: str, factor: str, begin: int) -> str:
    """Derived from what it is about: group, section, rule, item, and when the water of its first result was drawn."""
    return f"{section.group}|{section.id}|{rule}|{factor}|{begin}"
