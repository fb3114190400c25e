"""A year of the simulated district for looking at dashboards: judged by the agents, never drawn.

Hours of every source go through a real gateway and the judges into a store, as the sink would write them; the last days
have instants and minutes too, and their readings are stored. Officers answer as in ``check week``. The scenarios of the
year stand in ``demo-year.toml`` beside the district. The log breaks off on the day after the last, in the middle of
everything: so there is something open to look at.

Parts of the district are simulated and judged in processes of their own. Of each key the last message wins, as it does
in InfluxDB; what is said again soon after is stored once.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import multiprocessing
import resource
import threading
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from agents.emission import EmissionJudge
from agents.officers import OnDuty
from agents.rejudge import JUDGES, MakeJudge, Rejudged
from agents.scenario_run import simulate, with_only
from schemas import blocks, times, topics
from schemas import registry as registries
from schemas.alerts import Notice
from schemas.registry import Registry
from streams.influx import Influx, InfluxSettings
from streams.journal import Record
from streams.line_protocol import LineError, lines
from streams.simulator import fitting, scenarios
from streams.simulator.planning import plan_of
from streams.simulator.scenarios import DAY_MIN, Scenario
from streams.simulator.simulate import folder_of
from streams.simulator.timeline import Plan
from streams.spool import Spool
from streams.target import Batch, Busy, Origin, Target

log = logging.getLogger("envstream.demo-data")

FULL_DAYS: Final = 7
BREAKS_OFF_H: Final = 4
"""The log ends so many hours after the last day, at least: the day of rivers is closed after three."""
_PATIENCE_S: Final = 600
"""After that moment the last packets of the hour are still taken."""
CALENDAR: Final = "demo-year.toml"
STEP_MS: Final = 60_000
_TICK: Final = b'{"kind":"tick"'
_BLOCK: Final = b'{"kind":"block"'
_PENDING: Final = 20_000
_LINES_AT_ONCE: Final = 20_000
_EPOCH: Final = "demo"
_LAST_HOUR: Final = 23
_ALL: Final = tuple(range(topics.EMBEDDED_PARTITIONS))
PROCESSES: Final = 2


class DemoError(Exception):
    """There can be no such data; the text says what, where, and the cure."""


@dataclass(frozen=True)
class Demo:
    """What is wanted.

    Attributes:
        district: where its registry is, and beside it scenarios and their calendar.
        until: last whole day, Beijing date.
        days: how many, up to it.
        full_days: how many of them, the last, have instants and minutes.
        seed: of chance.
        breaks_off_h: hours of the day after it that are in the log, up to 23.
        to: an InfluxDB, or a folder for files of line protocol.
    """

    district: Path
    until: dt.date
    days: int
    to: InfluxSettings | Path
    full_days: int = FULL_DAYS
    seed: int = 1
    breaks_off_h: int = BREAKS_OFF_H

    @property
    def start(self) -> dt.date:
        """The first day."""
        return self.until - dt.timedelta(days=self.days - 1)

    @property
    def stop_ms(self) -> int:
        """When the log breaks off, epoch ms."""
        return (times.day_end(times.day_number(self.until)) + self.breaks_off_h * times.HOUR_S + _PATIENCE_S) * 1000


@dataclass
class Made:
    """What became of one part, or of all.

    Attributes:
        lines: stored.
        messages: published by the judges.
        notices: what somebody was told of, in the order of the log.
        peak_mib: resident memory of its process, of several the largest.
    """

    lines: int = 0
    messages: int = 0
    notices: list[Notice] = field(default_factory=list)
    peak_mib: float = 0.0


class Part(NamedTuple):
    """Sources that are simulated and judged in one process: of kinds, and of enterprises, all when none is named.

    Only the judges of these partitions are there: others would take those who do not speak here for silent.
    """

    name: str
    kinds: tuple[str, ...]
    partitions: tuple[int, ...] = _ALL
    enterprises: tuple[str, ...] = ()


def parts(registry: Registry) -> list[Part]:
    """What is made side by side, the longest first: enterprises by their partition, water, air."""
    outlets = Counter(outlet.enterprise for outlet in registry.outlets)
    shares: dict[int, list[str]] = defaultdict(list)
    for enterprise in outlets:
        shares[topics.partition_of(enterprise, topics.EMBEDDED_PARTITIONS)].append(enterprise)
    by_size = sorted(shares.items(), key=lambda share: sum(-outlets[each] for each in share[1]))
    found = [Part(f"emission-{p}", ("emission",), (p,), tuple(share)) for p, share in by_size]
    kinds = {source.kind for source in registry.sources}
    return found + [Part(kind, (kind,)) for kind in ("water", "air") if kind in kinds]


# ---- what happens


def plan(demo: Demo, registry: Registry) -> Plan:
    """The days and scenarios; one day more than asked for is begun, and broken off.

    Raises:
        DemoError: the calendar of scenarios cannot be read, or one does not fit; with every reason.
        PlanError: the days are none.
    """
    days = demo.days + 1
    full = f"{max(1, days - demo.full_days)}-{days}" if demo.full_days else ""
    made = plan_of(registry, demo.district, days=days, start=demo.start, seed=demo.seed, full=[full] if full else [])
    chosen = _scenarios(demo)
    try:
        fitting.check(chosen, registry, demo.start, days)
    except scenarios.ScenarioError as error:
        raise DemoError(str(error)) from None
    return dataclasses.replace(made, scenarios=chosen)


def _scenarios(demo: Demo) -> tuple[Scenario, ...]:
    """Those of the calendar whose window lies within the run, moved to where it says."""
    folder = folder_of(demo.district)
    path = folder.parent / CALENDAR
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]
        found = []
        for entry in entries:
            (scenario,) = scenarios.load([entry["name"]], folder)
            found += [_moved(scenario, start, demo) for start in _starts(entry, scenario, demo)]
    except scenarios.ScenarioError as error:
        raise DemoError(str(error)) from None
    except (OSError, ValueError, KeyError) as error:
        raise DemoError(f'{path}: {error}: write [[scenario]] with name, and on = "01-31" or before = "4 h"') from None
    return tuple(s for s in found if s.start_min >= 0)


def _starts(entry: Mapping[str, str], scenario: Scenario, demo: Demo) -> Iterable[int]:
    """Minutes since the run begins at which its window begins."""
    if "before" in entry:
        ends = demo.days * DAY_MIN + demo.breaks_off_h * 60
        whole = {"day": DAY_MIN, "hour": 60}.get(scenarios.KINDS[scenario.kind].whole, 1)
        return [(ends - round(scenarios.seconds_of(entry["before"]) / 60)) // whole * whole]
    month, day = (int(part) for part in entry["on"].split("-"))
    dates = (dt.date(year, month, day) for year in range(demo.start.year, demo.until.year + 1))
    quiet = demo.days - demo.full_days if demo.full_days else demo.days  # the last days have their own
    numbers = [(date - demo.start).days for date in dates]
    length = -(-scenario.end_min // DAY_MIN) - scenario.start_min // DAY_MIN
    return [n * DAY_MIN + scenario.start_min % DAY_MIN for n in numbers if 0 <= n <= quiet - length - 2]


def _moved(scenario: Scenario, start_min: int, demo: Demo) -> Scenario:
    """The same beginning elsewhere, and over with the run. What must be concluded is written for where it was."""
    end_min = min(scenario.end_min + start_min - scenario.start_min, (demo.days + 1) * DAY_MIN)
    return dataclasses.replace(scenario, start_min=start_min, end_min=end_min, rows=())


def _sources_of(scenario: Scenario, registry: Registry) -> set[str]:
    """The sources a scenario is about; an area's are its air stations."""
    areas = {area.id for area in registry.areas}
    if areas & set(scenario.where):
        return {source.id for source in registry.sources if source.kind == "air"}
    return set(scenario.where)


# ---- storing


class Store:
    """Messages become lines and are stored; of a key that is said again soon, the last.

    Attributes:
        lines: stored so far.
    """

    def __init__(self, target: Target, sunk: Collection[str]) -> None:
        """Take a target of the sink, and the topics it stores."""
        self.lines = 0
        self._target, self._sunk = target, frozenset(sunk)
        self._pending: dict[tuple[str, bytes], bytes] = {}
        self._offsets = 0
        self._batch = Batch()

    def say(self, topic: str, key: bytes, value: bytes) -> None:
        """A message whose key holds."""
        if topic in self._sunk:
            self._pending[topic, key] = value
            if len(self._pending) >= _PENDING:
                self.flush()

    def add(self, topic: str, value: bytes) -> None:
        """A message that stands beside all others.

        Raises:
            DemoError: it is none that can be stored.
        """
        if topic not in self._sunk:
            return
        try:
            made = lines(value, topic)
        except LineError as error:
            raise DemoError(f"{topic}: {error}: this is a defect of the program") from None
        self._offsets += 1
        self._batch.add(Origin(topic, 0, self._offsets, 0), made)
        if self._batch.lines >= _LINES_AT_ONCE:
            self._write()

    def flush(self) -> None:
        """Store what is at hand."""
        pending, self._pending = self._pending, {}
        for (topic, _), value in pending.items():
            self.add(topic, value)
        self._write()

    def _write(self) -> None:
        batch, self._batch = self._batch, Batch()
        if not batch.lines:
            return
        stop = threading.Event()
        while True:
            try:
                bad = self._target.write(batch, stop)
                break
            except Busy as busy:
                time.sleep(busy.delay)
        if bad:
            raise DemoError(f"{bad[0].origin.topic}: the store refuses {bad[0].line}: {bad[0].reason}")
        self.lines += batch.lines - batch.left_out

    def close(self) -> None:
        """Store what is at hand and let go of the target."""
        try:
            self.flush()
        finally:
            self._target.close()


def open_target(to: InfluxSettings | Path, part: str) -> Target:
    """The store of a part; parts have folders of their own.

    Raises:
        SinkError: it cannot be used.
    """
    return Influx(to) if isinstance(to, InfluxSettings) else Spool(to / part, epoch=_EPOCH)


# ---- doing it


def run(demo: Demo, *, processes: int = PROCESSES) -> Made:
    """Make all of it.

    Args:
        demo: what is wanted.
        processes: that work side by side.

    Raises:
        DemoError: it cannot be made.
        PlanError: the days are none.
        SinkError: a store that needs a person.
    """
    if isinstance(demo.to, Path) and any(demo.to.rglob("*.lp")):
        raise DemoError(f"--spool {demo.to}: has data already: give an empty folder")
    registry = registries.load(demo.district)
    plan(demo, registry)  # what is wrong is told before anything begins
    wanted = parts(registry)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        made = list(pool.map(make_part, [demo] * len(wanted), wanted))
    notices = sorted((n for each in made for n in each.notices), key=lambda n: (n.at, n.id))
    version = blocks.RegistryVersion(_EPOCH, registry.digest, registry.text, demo.stop_ms)
    named = store_messages(demo, topics.REGISTRY, [blocks.encode(version)])
    return Made(
        named + sum(each.lines for each in made),
        sum(each.messages for each in made),
        notices,
        max(each.peak_mib for each in made),
    )


def make_part(demo: Demo, part: Part) -> Made:
    """Simulate, judge and store the sources of a part; minutes for a year."""
    logging.basicConfig(level=logging.WARNING)
    log.setLevel(logging.INFO)
    registry = registries.load(demo.district)
    making = _Making(registry, demo, part)
    simulate(
        registry, making.plan, kinds=part.kinds, enterprises=part.enterprises, step_ms=STEP_MS, keep=making.take,
        stop_ms=demo.stop_ms,
    )  # fmt: skip
    making.store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Made(making.store.lines, making.messages, making.on_duty.notices, peak)


def store_messages(demo: Demo, topic: str, messages: Iterable[bytes]) -> int:
    """Store messages of a topic beside what was made; the number of lines.

    Raises:
        DemoError: one of them cannot be stored.
        SinkError: a store that needs a person.
    """
    store = Store(open_target(demo.to, topic), topics.SUNK)
    try:
        for message in messages:
            store.add(topic, message)
    finally:
        store.close()
    return store.lines


class DailyReviews(EmissionJudge):
    """Asks the supervising rules once a day, and in the last days every hour as the worker does.

    What they find is the same, up to a day later: a review is a function of a period, and most of its cost is to read
    what lies before it. Hourly, a year of them takes longer than everything else together.
    """

    def __init__(self, partition: int, partitions: int = 1, *, hourly_from_s: int) -> None:
        super().__init__(partition, partitions)
        self._hourly_from_s = hourly_from_s

    def review(self, now_s: int) -> None:
        """As the judge, at midnight, or later than that instant."""
        if now_s > self._hourly_from_s or times.hour_index(now_s) == _LAST_HOUR:
            super().review(now_s)


class _Making:
    """Judges a part's log as it is written, with its officers, into the store."""

    def __init__(self, registry: Registry, demo: Demo, part: Part) -> None:
        whole = plan(demo, registry)
        speaking = {source.id for source in with_only(registry, part.kinds, part.enterprises).sources}
        here = tuple(s for s in whole.scenarios if speaking & _sources_of(s, registry))
        self.plan = dataclasses.replace(whole, scenarios=here)
        self.on_duty = OnDuty(registry)
        recent = topics.SUNK_RECENT if isinstance(demo.to, InfluxSettings) else ()
        self.store = Store(open_target(demo.to, part.name), (*topics.SUNK, *recent))
        self.messages = 0
        self._name, self._partitions = part.name, part.partitions
        judges: dict[str, MakeJudge] = {
            topics.READINGS_OF[kind]: JUDGES[topics.READINGS_OF[kind]] for kind in part.kinds
        }
        first_full = min(self.plan.full, default=self.plan.days + 1)
        full_s = self.plan.start_s + (first_full - 1) * times.DAY_S
        self._full_ms = full_s * 1000
        if "emission" in part.kinds:
            judges[topics.READINGS_EMISSION] = partial(DailyReviews, hourly_from_s=full_s)
        self._judged = Rejudged(topics.EMBEDDED_PARTITIONS, judges=judges, keep=(), lasts=False)
        self._now_ms = 0
        self._month = ""

    def take(self, records: list[Record]) -> None:
        """What the gateway writes at once."""
        for record in records:
            if record.value.startswith(_TICK):
                self._now_ms = msgspec.json.decode(record.value, type=blocks.Tick).now
                for done in self.on_duty.done_until(self._now_ms):
                    self._judge(done)
                self._tell_month()
            elif self._now_ms >= self._full_ms and (
                record.topic == topics.DEAD or (record.topic in topics.READINGS and record.value.startswith(_BLOCK))
            ):
                self.store.add(record.topic, record.value)
            self._judge(record)

    def _judge(self, record: Record) -> None:
        if record.partition not in self._partitions:
            return
        for output in self._judged.take(record):
            self.messages += 1
            self.on_duty.hear(output)
            self.store.say(output.topic, output.key, output.value)

    def _tell_month(self) -> None:
        month = times.text(self._now_ms // 1000)[:7]
        if month != self._month:
            self._month = month
            log.info("%s: %s", self._name, month)
