"""What the desk knows: the last message of every key it shows, read from the log from its beginning, in memory.

Holds no state of its own: a new log is a new view. What grows for ever (closed episodes, deliveries, actions, days)
is bounded, so a year is some megabytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from schemas import blocks, topics
from schemas.alerts import ACTIVE, FINAL, LEVELS, SENDING, Delivery, Episode, Notice
from schemas.messages import AirBudget, AirPeriod, AirVerdict
from schemas.messages_emission import OutletHour
from schemas.messages_water import WaterVerdict
from schemas.registry import Registry, RegistryError, parse
from streams import by_hand
from streams.clock import LIVE

log = logging.getLogger("envstream.desk")

GROUP: Final = "envstream-desk"
VIEWED: Final = (topics.EPISODES, topics.NOTICES, topics.DELIVERIES, topics.VERDICTS, topics.ACTIONS, topics.REGISTRY)
READER: Final = (GROUP, VIEWED)
"""On the embedded broker one of those that pacing waits for (``streams.writer.Writer``, ``extra_readers``)."""

MOST_CLOSED, MOST_ACTIONS, MOST_TOLD, MOST_DAYS = 2_000, 2_000, 20_000, 1_200
"""Closed episodes, actions, episodes with deliveries, and days of an area that are kept."""
STALE_S = 120
"""A live log says something every second; after so long of nothing its pipeline is dead."""
PROBE_S = 10.0
_RANK: Final = {level: n for n, level in enumerate(LEVELS)}

ALERTS, AIR, WATER, OUTLETS, ENTERED, DISTRICT = "alerts", "air", "water", "outlets", "entered", "district"
"""What has changed, as pages are told."""


class DayOf(msgspec.Struct):
    """A day of an area, for the calendar."""

    aqi: int | None
    category: str | None
    colour: str | None
    primary: list[str]
    good: bool | None
    valid: bool
    reason: str


class Health(msgspec.Struct):
    """Whether what is shown is of now.

    ``now_ms`` by the log, 0 when it has said nothing yet; ``age_s`` how far the wall clock is past it, None unless the
    log is live; ``broker`` answers, and so does the ``gateway`` that writes actions; ``caught_up``: everything that was
    there at the start has been read; ``fault``: what the desk cannot read.
    """

    now_ms: int
    age_s: float | None
    broker: bool
    caught_up: bool
    clock: str | None
    fault: str = ""
    gateway: bool = True

    @property
    def stale(self) -> bool:
        """Nothing new for two minutes in a live log."""
        return self.age_s is not None and self.age_s > STALE_S

    @property
    def bad(self) -> bool:
        """The pages may be wrong."""
        return self.stale or not self.broker or not self.gateway or bool(self.fault)


class _Time(msgspec.Struct):
    """What time a message of ``readings-*`` says it is."""

    now: int = 0
    received: int | list[int] = 0


class View:
    """The state of the desk. Messages go in with :meth:`see`, from one thread; everything else may be asked by any."""

    def __init__(self, heard: Callable[[set[str]], None] = lambda _: None) -> None:
        """Make an empty one; ``heard`` is told what has changed, from the thread that follows."""
        self.heard = heard
        self.registry: Registry | None = None
        self.clock: str | None = None
        self.broker = True
        self.gateway = True
        self.caught_up = False
        self.fault = ""
        self.now_ms = 0
        self._lock = threading.RLock()
        self._open: dict[str, Episode] = {}
        self._sorted: list[Episode] | None = None  # of _open, until one of them changes
        self._closed: OrderedDict[str, Episode] = OrderedDict()
        self._notices: OrderedDict[str, dict[str, Notice]] = OrderedDict()
        self._deliveries: OrderedDict[str, dict[str, Delivery]] = OrderedDict()
        self._actions: OrderedDict[str, blocks.Action] = OrderedDict()
        self._days: dict[str, OrderedDict[str, DayOf]] = {}
        self._years: dict[tuple[str, str], AirPeriod] = {}
        self._latest: dict[tuple[str, str], Any] = {}

    # ---- in

    def see(self, topic: str, key: bytes, value: bytes) -> str | None:
        """Take one message; what it changed, or None.

        Raises:
            msgspec.MsgspecError: not a message this version can read.
            RegistryError: a registry this version cannot read.
        """
        take = self._takers.get(topic)
        if take is None:
            self._passing(value)
            return None
        with self._lock:
            return take(self, key, value) if value else None

    def _passing(self, value: bytes) -> None:
        said = msgspec.json.decode(value, type=_Time)
        received = said.received if isinstance(said.received, int) else max(said.received, default=0)
        self.now_ms = max(self.now_ms, said.now, received)

    def _episode(self, key: bytes, value: bytes) -> str:
        episode = msgspec.json.decode(value, type=Episode)
        self.now_ms = max(self.now_ms, episode.updated)
        self._sorted = None
        self._open.pop(episode.id, None)
        self._closed.pop(episode.id, None)
        if episode.state in FINAL:
            self._closed[episode.id] = episode
            while len(self._closed) > MOST_CLOSED:
                gone, _ = self._closed.popitem(last=False)
                self._notices.pop(gone, None)
                self._deliveries.pop(gone, None)
        else:
            self._open[episode.id] = episode
        return ALERTS

    def _notice(self, key: bytes, value: bytes) -> str:
        notice = msgspec.json.decode(value, type=Notice)
        self._notices.setdefault(notice.episode, {})[notice.id] = notice
        _bound(self._notices, MOST_TOLD)
        return ALERTS

    def _delivery(self, key: bytes, value: bytes) -> str:
        delivery = msgspec.json.decode(value, type=Delivery)
        attempts = self._deliveries.setdefault(delivery.episode, {})
        attempt = f"{delivery.notice}|{delivery.person}|{delivery.channel}|{delivery.attempt}"
        before = attempts.get(attempt)
        if before is None or delivery.state != SENDING or before.state == SENDING:
            attempts[attempt] = delivery
        _bound(self._deliveries, MOST_TOLD)
        return ALERTS

    def _verdict(self, key: bytes, value: bytes) -> str | None:
        _, subject, kind, period = key.decode().split("|")[:4]
        if kind == "air-day" and key.endswith(b"|keep"):
            day = msgspec.json.decode(value, type=AirVerdict)
            days = self._days.setdefault(subject, OrderedDict())
            days[period] = DayOf(day.aqi, day.category, day.colour, day.primary, day.good, day.valid, day.reason)
            _bound(days, MOST_DAYS)
            return AIR
        if kind == "air-year" and key.endswith(b"|keep"):
            self._years[subject, period] = msgspec.json.decode(value, type=AirPeriod)
            return AIR
        found = _LATEST.get(kind)
        if found is None or (key.endswith(b"|deduct") and kind in ("air-hour", "station-hour")):
            return None
        shape, page = found
        message: Any = msgspec.json.decode(value, type=shape)
        before = self._latest.get((kind, subject))
        if before is not None and before.time > message.time:
            return None
        self._latest[kind, subject] = message
        return page

    def _action(self, key: bytes, value: bytes) -> str | None:
        action = blocks.decode(value)
        if isinstance(action, blocks.Action):
            self.now_ms = max(self.now_ms, action.received)
            self._actions.setdefault(action.id, action)
            _bound(self._actions, MOST_ACTIONS)
        return ENTERED

    def _registered(self, key: bytes, value: bytes) -> str | None:
        if key == topics.CLOCK_KEY:
            self.clock = value.decode()
            return DISTRICT
        if key != topics.REGISTRY_KEY:
            return None
        version = msgspec.json.decode(value, type=blocks.RegistryVersion)
        if self.registry is None or self.registry.digest != version.digest:
            self.registry = parse(version.text, "registry of the log")
        return DISTRICT

    _takers: Final = {
        topics.EPISODES: _episode,
        topics.NOTICES: _notice,
        topics.DELIVERIES: _delivery,
        topics.VERDICTS: _verdict,
        topics.ACTIONS: _action,
        topics.REGISTRY: _registered,
    }

    # ---- out

    def health(self) -> Health:
        """Whether what is shown is of now."""
        live = self.clock == LIVE and self.now_ms
        age = max(0.0, time.time() - self.now_ms / 1000) if live else None
        return Health(self.now_ms, age, self.broker, self.caught_up, self.clock, self.fault, self.gateway)

    def now_s(self) -> int:
        """Now by the log, epoch seconds; by the wall clock while the log has said nothing."""
        return (self.now_ms or time.time_ns() // 1_000_000) // 1000

    def open_episodes(self) -> list[Episode]:
        """What is not finished: what goes on before what has recovered, the highest level first, then the oldest."""
        with self._lock:
            if self._sorted is None:
                self._sorted = sorted(self._open.values(), key=_urgency)
            return self._sorted

    def closed_episodes(self, most: int = 50) -> list[Episode]:
        """The last that somebody finished, the newest first."""
        with self._lock:
            found = list(self._closed.values())
        return sorted(found, key=lambda e: (-e.closed, e.id))[:most]

    def episode(self, episode_id: str) -> Episode | None:
        """The episode of that id."""
        with self._lock:
            return self._open.get(episode_id) or self._closed.get(episode_id)

    def notices(self, episode_id: str) -> list[Notice]:
        """What had to be told of an episode, the newest first."""
        with self._lock:
            found = list(self._notices.get(episode_id, {}).values())
        return sorted(found, key=lambda n: -n.at)

    def deliveries(self, episode_id: str) -> list[Delivery]:
        """What became of it, the last state of every attempt, the newest first."""
        with self._lock:
            found = list(self._deliveries.get(episode_id, {}).values())
        return sorted(found, key=lambda d: -d.at)

    def stands_alone(self, episode: Episode) -> bool:
        """Whether an open episode is shown by itself: a part is, unless its whole is open, told and at least as bad."""
        with self._lock:
            whole = self._open.get(episode.parent) if episode.parent else None
        return whole is None or bool(whole.muted) or _RANK.get(whole.level, 0) < _RANK.get(episode.level, 0)

    def counts(self) -> dict[str, int]:
        """Active episodes by level, those that are shown within another left out."""
        found = dict.fromkeys(LEVELS, 0)
        with self._lock:
            for episode in self._open.values():
                if episode.state in ACTIVE and self.stands_alone(episode):
                    found[episode.level] = found.get(episode.level, 0) + 1
        return found

    def unanswered(self, level: str) -> list[str]:
        """Ids of episodes of a level that nobody has acknowledged."""
        with self._lock:
            return sorted(
                e.id for e in self._open.values() if e.level == level and e.state == ACTIVE[0] and self.stands_alone(e)
            )

    def actions(self, most: int = MOST_ACTIONS) -> list[blocks.Action]:
        """What people decided, the newest last."""
        with self._lock:
            found = list(self._actions.values())
        return sorted(found, key=lambda a: a.received)[-most:]

    def days(self, area: str) -> dict[str, DayOf]:
        """The days of an area, by date."""
        with self._lock:
            return dict(self._days.get(area, {}))

    def year(self, area: str, year: int) -> AirPeriod | None:
        """The year so far of an area."""
        with self._lock:
            return self._years.get((area, str(year)))

    def latest(self, kind: str, subject: str) -> Any:
        """The newest message of a kind on a subject, or None."""
        with self._lock:
            return self._latest.get((kind, subject))

    def worst_levels(self) -> dict[str, str]:
        """The highest level that goes on, by subject."""
        found: dict[str, str] = {}
        with self._lock:
            for episode in self._open.values():
                if episode.state in ACTIVE:
                    before = found.get(episode.subject)
                    if before is None or _RANK.get(episode.level, 0) > _RANK.get(before, 0):
                        found[episode.subject] = episode.level
        return found


_LATEST: Final[dict[str, tuple[type, str]]] = {
    "air-hour": (AirVerdict, AIR),
    "station-hour": (AirVerdict, AIR),
    "air-budget": (AirBudget, AIR),
    "water-hour": (WaterVerdict, WATER),
    "water-day": (WaterVerdict, WATER),
    "water-month": (WaterVerdict, WATER),
    "outlet-hour": (OutletHour, OUTLETS),
}
"""Kinds of verdicts of which the newest is shown."""


def _urgency(episode: Episode) -> tuple[bool, int, int, str]:
    return (episode.state not in ACTIVE, -_RANK.get(episode.level, 0), episode.opened, episode.id)


def _bound(kept: OrderedDict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


class Follower:
    """Feeds a view from a log, in a thread, assigned by hand: nothing to share, no rebalance to wait for."""

    def __init__(self, bootstrap: str, view: View, *, embedded: bool = False) -> None:
        """Begin to read.

        Args:
            bootstrap: the broker.
            view: what is fed.
            embedded: the broker waits for who commits, and drops what nobody does: commit, and notice what is missing.
        """
        self._bootstrap, self._view, self._embedded = bootstrap, view, embedded
        self._gaps = by_hand.Gaps()
        self._ends: set[tuple[str, int]] = set()
        self._heard = self._probed = 0.0
        self.taken: dict[tuple[str, int], int] = {}  # offset to take next of what is shown, by topic and partition
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk-view", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        consumer = by_hand.consumer(
            self._bootstrap, GROUP, embedded=self._embedded, more={"enable.partition.eof": True}
        )
        try:
            places = self._places(consumer)
            while not self._stop.is_set():
                self._take(consumer, places)
        finally:
            consumer.close()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        """Assigned: everything that is shown from the beginning, of the readings the last message alone, for its time.

        Waits for a broker that is not there yet.
        """
        while not self._stop.is_set():
            try:
                places = [TopicPartition(t, p, OFFSET_BEGINNING) for t in VIEWED for p in self._parts(consumer, t)]
                tails = []
                for place in (TopicPartition(t, p) for t in topics.READINGS for p in self._parts(consumer, t)):
                    low, high = consumer.get_watermark_offsets(place, timeout=5)
                    tails.append(TopicPartition(place.topic, place.partition, max(low, high - 1)))
                consumer.assign([*places, *tails])
                self._due = {(place.topic, place.partition) for place in places}
                self.taken = dict.fromkeys(self._due, 0)
                self._view.broker, self._view.fault = True, ""
                return places
            except KafkaException as error:
                self._view.broker = False
                log.info("broker %s: %s", self._bootstrap, error)
                self._stop.wait(1.0)
            except LookupError as error:
                self._view.fault = str(error)
                self._stop.wait(5.0)
        return []

    def _parts(self, consumer: Consumer, topic: str) -> list[int]:
        found = consumer.list_topics(topic, timeout=5).topics[topic]
        if found.error is not None or not found.partitions:
            raise LookupError(f"{self._bootstrap}: no topic {topic}: envstream init")
        return sorted(found.partitions)

    def _take(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        changed: set[str] = set()
        view = self._view
        found = consumer.consume(1_000, timeout=0.2)
        for message in found:
            error = message.error()
            place = (message.topic() or "", message.partition() or 0)
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._ends.add(place)
                continue
            if place in self.taken:
                self.taken[place] = (message.offset() or 0) + 1
            if self._embedded and place[0] in VIEWED:
                view.fault = self._gaps.dropped(*place, message.offset() or 0) or view.fault
            try:
                what = view.see(place[0], message.key() or b"", message.value() or b"")
            except (msgspec.MsgspecError, RegistryError, blocks.BlockError, ValueError) as error:
                view.fault = f"{place[0]}/{place[1]}/{message.offset()}: {str(error)[:200]}"
                log.error("%s", view.fault)
                continue
            if what is not None:
                changed.add(what)
        if not view.caught_up and self._due <= self._ends:
            view.caught_up = True
            changed |= {ALERTS, AIR, WATER, OUTLETS, ENTERED, DISTRICT}
        if changed:
            view.heard(changed)
        self._probe(consumer, bool(found))
        if self._embedded and found:
            try:
                consumer.commit(offsets=[p for p in consumer.position(places) if p.offset >= 0], asynchronous=False)
            except KafkaException as error:
                log.debug("commit: %s", error)

    def _probe(self, consumer: Consumer, heard: bool) -> None:
        """A broker that says nothing is asked whether it is there."""
        now = time.monotonic()
        if heard:
            self._heard, self._view.broker = now, True
        elif now - max(self._heard, self._probed) > PROBE_S:
            self._probed = now
            try:
                consumer.list_topics(topics.REGISTRY, timeout=5)
                self._view.broker = True
            except KafkaException:
                self._view.broker = False
