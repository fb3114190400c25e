"""Waves down the river (water.md §5): a warning upstream is expected downstream, and what comes is linked to it.

All of it is derived from the warnings of the last days, the reaches and now, group by group and from the head of the
river down; what was said is remembered, nothing else. A warning that was carried from upstream announces itself only
where the one it came from does not reach: a wave has one origin.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from agents.water.cells import ruleset_of
from agents.water.warnings import WATER_LEVEL, Found, Warnings, condition_id
from agents.water.when import LOOK_BACK_DAYS, hour_label
from schemas import times, topics
from schemas.messages import key
from schemas.messages_water import ARRIVAL, WaterArrival
from schemas.registry import Registry
from standards import fixed
from standards.water import travel as law
from standards.water.items import items
from standards.water.travel import Travel, Way
from streams.state.judge import digest_of
from streams.state.timers import Key

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

EXPECTED, CARRIED, ATTENUATED, WITHDRAWN = "expected", "carried", "attenuated", "withdrawn"
TIMER: Final = "water-arrival"


class _Wave(NamedTuple):
    """A warning that is expected at a section downstream."""

    section: str
    item: str
    source: str
    since: int
    way: Way
    found: Found


class Arrivals:
    """Derives and says what is expected where."""

    def __init__(self, judge: WaterJudge, warnings: Warnings) -> None:
        self._judge, self._warnings = judge, warnings
        self._said: dict[str, dict[bytes, WaterArrival]] = {}  # group: key of the message: as it was said
        self._ways: dict[tuple[str, dt.date], dict[str, Way]] = {}

    def on_registry(self) -> None:
        """Other reaches, perhaps."""
        self._ways = {}

    def derive(self, group: str, at_ms: int) -> set[str]:
        """What is expected in a group; sections whose warnings are linked otherwise than before."""
        waves, links = self._waves(group)
        changed = self._link(group, links)
        said = self._said.setdefault(group, {})
        now: dict[bytes, WaterArrival] = {}
        for wave in waves:
            message = self._message(group, wave)
            if message is None:
                continue
            message_key = key(group, wave.section, ARRIVAL, wave.item, wave.source, str(wave.since))
            now[message_key] = message
            self._say(message_key, message, at_ms, said.get(message_key))
            due = self._due(wave)
            if message.state == EXPECTED:
                self._judge.timers.set((TIMER, group, message_key.decode()), due * 1000)
            else:
                self._judge.timers.cancel((TIMER, group, message_key.decode()))
        for message_key, old in sorted(said.items()):
            if message_key not in now and old.state != WITHDRAWN:
                self._judge.timers.cancel((TIMER, group, message_key.decode()))
                newest = self._judge.newest_day(old.source)
                if newest is not None and old.since >= times.day_start(newest - LOOK_BACK_DAYS + 1):
                    gone = msgspec.structs.replace(old, state=WITHDRAWN, linked="")
                    self._say(message_key, gone, at_ms, old)
                    now[message_key] = gone
        self._said[group] = now
        return changed

    def on_timer(self, key_: Key) -> str | None:
        """A window has passed; the group to derive."""
        return key_[1] if key_[0] == TIMER else None

    # ---- the waves

    def _waves(self, group: str) -> tuple[list[_Wave], dict[tuple[str, str, int], _Wave]]:
        """Every wave of a group, and for each warning that was carried the wave it belongs to."""
        registry = self._judge.the_registry
        waves: list[_Wave] = []
        links: dict[tuple[str, str, int], _Wave] = {}
        for section in _downwards(registry, self._judge.sections_of(group)):
            for one in self._warnings.found.get(section, []):
                episode = one.episode
                if not self._counts(one, one.factor):
                    continue
                coming = [
                    wave
                    for wave in waves
                    if (wave.section, wave.item) == (section, one.factor)
                    and law.belongs(episode.begin, wave.since, wave.way.travel)
                ]
                origin = min(coming, key=lambda wave: (wave.since, wave.source)) if coming else None
                covered: set[str] = set()
                if origin is not None:
                    links[section, one.factor, episode.begin] = origin
                    covered = {w.section for w in waves if _same_origin(w, origin)}
                for below, way in self._ways_of(section, times.date_of(times.day_of(episode.begin))).items():
                    if below not in covered:
                        waves.append(_Wave(below, one.factor, section, episode.begin, way, one))
        return waves, links

    def _counts(self, one: Found, item: str) -> bool:
        """Whether an episode is a warning of an item that takes part in this."""
        of_item = one.rule == WATER_LEVEL and one.factor == item
        return of_item and one.episode.level >= law.level_at_least()

    def _ways_of(self, section: str, date: dt.date) -> dict[str, Way]:
        found = self._ways.get((section, date))
        if found is None:
            if len(self._ways) > 10_000:
                self._ways.clear()
            reaches = [(r.upper, r.lower, Travel(*r.travel_s())) for r in self._judge.the_registry.reaches_at(date)]
            found = self._ways[section, date] = law.ways(section, reaches, date)
        return found

    def _link(self, group: str, links: dict[tuple[str, str, int], _Wave]) -> set[str]:
        """Tell the warnings whether they were carried or are local; those for which that is new."""
        changed: set[str] = set()
        counted: set[tuple[str, str, int]] = set()
        for section in self._judge.sections_of(group):
            for one in self._warnings.found.get(section, []):
                if not self._counts(one, one.factor):
                    continue
                about = (section, one.factor, one.episode.begin)
                counted.add(about)
                wave = links.get(about)
                link = ("", "")
                if wave is not None:
                    at = self._judge.the_registry.section_at(wave.source, times.date_of(times.day_of(wave.since)))
                    link = (condition_id(at, WATER_LEVEL, wave.item, wave.since) if at else "", wave.source)
                if self._warnings.links.get(about) != link:
                    self._warnings.links[about] = link
                    changed.add(section)
        here = set(self._judge.sections_of(group))
        for about in [about for about in self._warnings.links if about[0] in here and about not in counted]:
            del self._warnings.links[about]  # no warning any more, or long ago
            changed.add(about[0])
        return changed

    # ---- saying

    def _due(self, wave: _Wave) -> int:
        """When the window is closed: with the last sample that may show it, its publication, and late rows."""
        return wave.since + wave.way.travel.latest + law.late_s() + law.lateness_s()

    def _state(self, wave: _Wave, linked: str) -> str:
        if linked:
            return CARRIED
        now = self._judge.now_ms
        return ATTENUATED if now is not None and now >= self._due(wave) * 1000 else EXPECTED

    def _message(self, group: str, wave: _Wave) -> WaterArrival | None:
        date = times.date_of(times.day_of(wave.since))
        source = self._judge.the_registry.section_at(wave.source, date)
        here = self._judge.the_registry.section_at(wave.section, date)
        if source is None or here is None:
            return None
        linked = next(
            (
                condition_id(here, WATER_LEVEL, one.factor, one.episode.begin)
                for one in self._warnings.found.get(wave.section, [])
                if self._counts(one, wave.item) and law.belongs(one.episode.begin, wave.since, wave.way.travel)
            ),
            "",
        )
        takes, since = wave.way.travel, wave.since
        return WaterArrival(
            group=group,
            section=wave.section,
            item=wave.item,
            source=wave.source,
            period=hour_label(-(-since // times.HOUR_S) * times.HOUR_S),
            time=since,
            state=self._state(wave, linked),
            since=since,
            eta_from=since + takes.earliest,
            eta_probable=since + takes.probable,
            eta_to=since + takes.latest,
            earliest_s=takes.earliest,
            probable_s=takes.probable,
            latest_s=takes.latest,
            through=list(wave.way.through),
            condition=condition_id(source, WATER_LEVEL, wave.item, since),
            linked=linked,
            value=fixed.text_of(wave.found.values[1], items()[wave.item].places),
            ruleset=ruleset_of(source, date),
            registry=self._judge.digest,
            revision="",
        )

    def _say(self, message_key: bytes, message: WaterArrival, at_ms: int, old: WaterArrival | None) -> None:
        message.revision = ""
        content = msgspec.structs.replace(message, registry="")
        digest = digest_of(repr(msgspec.structs.astuple(content)))
        message.revision = digest
        before = self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)
        if old is not None and old.state != EXPECTED:  # that it came, or that nothing came, is no revision
            self._judge.revise(message_key, before, digest, message.state, at_ms)

    def text(self, section: str, item: str, since: int) -> str:
        """Where a warning is expected and when, for people."""
        date = times.date_of(times.day_of(since))
        return "; ".join(
            f"{below} {times.text(since + way.travel.earliest)[5:16]}–{times.text(since + way.travel.latest)[5:16]}"
            for below, way in self._ways_of(section, date).items()
        )


def _same_origin(one: _Wave, other: _Wave) -> bool:
    return (one.source, one.since, one.item) == (other.source, other.since, other.item)


def _downwards(registry: Registry, sections: list[str]) -> list[str]:
    """Sections of a group, none before one whose water comes to it."""
    upper: dict[str, set[str]] = {section: set() for section in sections}
    for reach in registry.reaches:
        if reach.lower in upper and reach.upper in upper:
            upper[reach.lower].add(reach.upper)
    done: list[str] = []
    while len(done) < len(sections):
        ready = [s for s in sections if s not in done and upper[s] <= set(done)]
        done += ready or [s for s in sections if s not in done]
    return done
