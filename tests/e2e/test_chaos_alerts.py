"""A week of alerts with agents, notifier and desk killed at random moments: everybody is told once.

On a real Kafka: a simulated week is pumped into ``readings-*`` in about a minute; a worker judges it, ``envstream
notify`` tells people through fake robots, an officer acknowledges, handles and closes through ``envstream desk``, whose
actions a gateway writes into the same (virtual) log. All three are killed with SIGKILL again and again and started
anew, the notifier once while a request is at the robot, and the robots are away for some seconds.

What must come out has three witnesses that know nothing of each other: the log itself, judged again by nobody who was
disturbed (:mod:`agents.rejudge`); what the robots took; and what the desk shows after its last start.

``ENVSTREAM_CHAOS_SEEDS`` says how many seeds (one unless given); ``make chaos`` takes twenty. ``-s`` shows the counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from aiohttp import web
from confluent_kafka import Producer

from agents.rejudge import Rejudged, rejudge
from agents.scenario_run import simulate
from desk.notify.book import NO_ANSWER
from schemas import alerts, blocks, topics
from schemas.alerts import Delivery, Episode, Notice
from schemas.registry import Registry, load
from streams.ask import ask
from streams.journal import Record
from streams.simulator import scenarios
from streams.simulator.planning import DEFAULT_START
from streams.simulator.scenarios import Scenario
from streams.simulator.simulate import folder_of
from streams.simulator.timeline import Plan
from tests.desk.robots import Robots
from tests.e2e import system, workers
from tests.e2e.test_chaos_all import Account, differences, last_said
from tests.e2e.workers import Worker
from tests.services.fixtures import free_port
from tests.services.test_desk_kafka import Page

pytestmark = [pytest.mark.whole, pytest.mark.needs_kafka]

SEEDS = int(os.environ.get("ENVSTREAM_CHAOS_SEEDS", "1"))
KILLS = 3
"""Of each of the three."""
DAYS = 7
PUMP_S = 45.0
AWAY_S = 3.0
"""So long the robots are gone once."""
EXAMPLE = system.ROOT / "districts" / "example"
ENTERPRISES = ("lanfeng-steel", "weilan-sewage", "jingyuan-energy")
TOKEN = "token-of-guo-0123456789"
"""Of the officer Guo at the desk."""
PATIENCE_S = 300


# ---- the district and its week


def make_district(folder: Path) -> Path:
    """The example district with three enterprises, and for each person one webhook of their own.

    What a webhook gets names the notices it carries, so that what the robots took can be counted without believing
    anybody else.
    """
    whole = load(EXAMPLE)
    others = {e.id for e in whole.enterprises if e.id not in ENTERPRISES}
    places = [place for place in (*whole.outlets, *whole.meters) if place.enterprise in others]
    gone = others | {place.id for place in places} | {place.mn for place in places}
    text = re.sub(r"(?m)^#.*$|  +#.*$", "", (EXAMPLE / "district.toml").read_text(encoding="utf-8"))
    tables = [table for table in re.split(r"(?m)^(?=\[)", text) if not gone & set(re.findall(r'"([^"]*)"', table))]
    for n, table in enumerate(tables):
        if table.startswith("[[person]]"):
            person = re.search(r'id = "([^"]+)"', table)
            assert person is not None
            channel = f'channels = [{{ kind = "webhook", secret = "{secret_of(person[1])}" }}]'
            tables[n] = re.sub(r"(?m)^channels = .*$", channel, table)
    path = folder / "district.toml"
    path.write_text("".join(tables), encoding="utf-8")
    return path


def secret_of(person: str) -> str:
    """NAME of the secret of somebody's webhook, in a drill also the token in its address."""
    return person.upper().replace("-", "_")


LEVELS = (
    ("lanfeng-sinter-head", "NOx", 50), ("lanfeng-sinter-head", "SO2", 35), ("lanfeng-sinter-head", "PM", 10),
    ("lanfeng-hot-stove", "NOx", 300), ("lanfeng-hot-stove", "SO2", 100), ("lanfeng-gas-boiler", "NOx", 100),
    ("lanfeng-gas-boiler", "SO2", 35), ("lanfeng-converter", "PM", 20), ("jingyuan-furnace", "CO", 100),
    ("jingyuan-furnace", "NOx", 300), ("jingyuan-furnace", "SO2", 100), ("jingyuan-furnace", "HCl", 60),
)  # fmt: skip
"""Outlets, factors and their hourly limits, mg/m3."""
STATIONS = ("air-luhua", "air-dianshang", "air-shihui", "air-weizi", "air-xinanquan")
SECTIONS = ("weizi-mouth", "huangniuti-ferry", "xinan-out")


def make_scenarios(chance: random.Random) -> tuple[Scenario, ...]:
    """What happens in the week: a wave down the river, hours over a limit, silence, foul water."""
    found = list(scenarios.load(("upstream-wave@2",), folder_of(EXAMPLE)))

    def add(kind: str, where: str, hours: int, strength: str, **settings: Any) -> None:
        begin = 60 * chance.randint(2, (DAYS - 1) * 24 - hours)
        name = f"{len(found)}-{where}"
        found.append(Scenario(name, kind, (where,), begin, begin + 60 * hours, Decimal(strength), settings, ()))

    for outlet, factor, limit in LEVELS:
        strength = chance.choice(("1.1", "1.3", "2.2", "3.5"))
        add("outlet_level", outlet, chance.randint(1, 5), strength, factor=factor, threshold=Decimal(limit))
    for station in STATIONS:
        add("silent", station, chance.randint(3, 9), "1")
    for section in SECTIONS:
        levels = {"NH3N": Decimal(1)}
        add("water_level", section, chance.randint(9, 20), "2.5", thresholds=levels, travels=False, left=Decimal(1))
    return tuple(found)


def make_records(seed: int, registry: Registry) -> list[Record]:
    """``readings-*`` of the week, without anybody's actions."""
    plan = Plan(DEFAULT_START, DAYS, seed, make_scenarios(random.Random(f"week-{seed}")))
    run = simulate(registry, plan, kinds=("air", "water", "emission"))
    return [record for record in run.records if record.topic in topics.READINGS]


class Pump:
    """Puts the records into Kafka hour by hour, and keeps the gateway's clock beside them."""

    def __init__(self, bootstrap: str, control: int, records: Sequence[Record]) -> None:
        self._bootstrap, self._control, self._records = bootstrap, control, records

    def run(self) -> None:
        settings = {"bootstrap.servers": self._bootstrap, "linger.ms": 2, "enable.idempotence": True, "log_level": 0}
        producer = Producer(settings)
        begin, now = time.monotonic(), 0
        for n, record in enumerate(self._records, 1):
            producer.produce(record.topic, record.value, record.key, record.partition)
            if not record.value.startswith(b'{"kind":"tick"'):
                continue
            tick = blocks.decode(record.value)
            assert isinstance(tick, blocks.Tick)
            if tick.now > now:
                now = tick.now
                assert producer.flush(30) == 0
                ask("127.0.0.1", self._control, {"op": "clock", "to": now})
                time.sleep(max(0.0, begin + PUMP_S * n / len(self._records) - time.monotonic()))
        assert producer.flush(30) == 0


# ---- the robots


@dataclass(frozen=True)
class Carried:
    """A request that a robot took: to whom, with which notices, and the SHA-256 of its body."""

    token: str
    notices: tuple[str, ...]
    body: str


class CountingRobots(Robots):
    """Fake robots in a thread of their own, which write down what they take, and can go away."""

    def __init__(self) -> None:
        super().__init__()
        self.carried: list[Carried] = []
        self.at_hand: Callable[[], None] | None = None
        """Called once, while the next request is taken and not yet answered."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _answer(self, request: web.Request, *words: Any) -> web.StreamResponse:
        raw = await request.read()
        response = await super()._answer(request, *words)
        if (taken := self.taken[-1]).accepted:
            notices = taken.content["notices"] if "digest" in taken.content else [taken.content]
            sha = hashlib.sha256(raw).hexdigest()
            self.carried.append(Carried(taken.token, tuple(n["id"] for n in notices), sha))
            if self.at_hand is not None:
                hook, self.at_hand = self.at_hand, None
                await asyncio.to_thread(hook)
        return response

    def come(self, port: int = 0) -> None:
        """Open the doors."""
        asyncio.run_coroutine_threadsafe(self.start(port), self._loop).result(30)

    def go(self) -> None:
        """Away, with what is being asked."""
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(30)

    def be_away(self, seconds: float) -> None:
        """Gone, and back at the same address."""
        self.go()
        time.sleep(seconds)
        self.come(int(self.url.rpartition(":")[2]))

    def close(self) -> None:
        """The end of it."""
        self.go()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


# ---- what is killed


class Hand(Protocol):
    """Somebody who calls ``at_hand`` once, in the middle of dealing with a part."""

    at_hand: Callable[[], None] | None


@dataclass
class Part:
    """A command of envstream as a process that is killed and started again."""

    name: str
    folder: Path
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, Any]:
        """Start; what it says when it is ready."""
        with open(self.folder / f"{self.name}.err", "a") as errors:
            self.process = subprocess.Popen(
                self.command, cwd=system.ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / f"{self.name}.err").read_text()[-3_000:]
        told: dict[str, Any] = json.loads(line)
        return told

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def end(self) -> None:
        """SIGTERM; it must end cleanly."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, (self.folder / f"{self.name}.err").read_text()[-3_000:]

    def away(self) -> None:
        """Whatever happened: it is not left behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)


def kill_again_and_again(
    part: Part | Worker, moments: Sequence[float], at_hand: int = -1, hand: Hand | None = None
) -> None:
    """SIGKILL at these seconds from now, and start again at once.

    The kill of number ``at_hand`` comes a little later: in the middle of what ``hand`` has of it next.
    """
    begin = time.monotonic()
    for n, moment in enumerate(moments):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        if n == at_hand and hand is not None:
            dead = threading.Event()

            def kill(dead: threading.Event = dead) -> None:
                part.kill()
                dead.set()

            hand.at_hand = kill
            assert dead.wait(PATIENCE_S), "it had nothing to do any more"
        else:
            part.kill()
        part.start()


# ---- the officer

AWAY = (OSError, http.client.HTTPException)
"""What a browser sees of a desk that is not there, or goes while it answers."""


class Officer:
    """Sits before the desk: acknowledges, handles, closes what is over; presses again when there is no answer."""

    def __init__(self, port: int, seed: int) -> None:
        self._page = Page(port)
        self._seed = seed
        self.answered: list[tuple[str, str]] = []
        """Episode and action of every click that the desk said was in the log."""
        self.failures = 0
        self.at_hand: Callable[[], None] | None = None
        """Called once, some milliseconds after the next click."""
        self._chance = random.Random(f"clicks-{seed}")
        self._stop = threading.Event()

    def stop(self) -> None:
        """Enough."""
        self._stop.set()

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self._stop.is_set():
            with contextlib.suppress(*AWAY):
                for episode, _ in self.open_list():
                    self._look_at(episode)
            self._stop.wait(0.2)

    def open_list(self) -> list[tuple[str, str]]:
        """Ids and levels of what the pages of the desk show as open, in their order."""
        found: list[tuple[str, str]] = []
        for page in count(1):
            text = self._get(f"/?page={page}")
            found += [
                (html.unescape(name), level)
                for level, name in re.findall(r'<article class="alert lv-(\w+) [^"]*" id="a-([^"]+)"', text)
            ]
            if not re.search(rf'href="/\?[^"]*page={page + 1}"', text):
                return found
        raise AssertionError

    def _get(self, path: str) -> str:
        status, text = self._page.get(path)
        if status == 200 and 'name="token"' in text:
            self._page.post("/sign-in", token=TOKEN)
            status, text = self._page.get(path)
        if status != 200:
            raise OSError(f"{path}: {status}")
        return text

    def _look_at(self, episode: str) -> None:
        path = "/alert?id=" + urllib.parse.quote(episode)
        text = self._get(path)
        drawn = hashlib.sha256(f"{self._seed}|{episode}".encode()).digest()
        buttons = re.findall(r'name="what" value="([a-z-]+)"', text)
        if alerts.ACKNOWLEDGE in buttons and drawn[0] % 5:  # one in five is left alone
            self._click(episode, path, text, alerts.ACKNOWLEDGE)
        elif alerts.HANDLE in buttons and alerts.ACKNOWLEDGE not in buttons and drawn[1] % 2:
            self._click(episode, path, text, alerts.HANDLE)
        elif buttons and "st-resolved" in text and drawn[2] % 2:
            self._click(episode, path, text, alerts.CLOSE, cause="other", why="已核实", measure="")

    def _click(self, episode: str, path: str, text: str, what: str, **said: str) -> None:
        """Press until there is an answer; always the same click, by the time of its page."""
        at = _hidden(text, "at")
        while not self._stop.is_set():
            try:
                csrf = _hidden(self._get(path), "csrf")
                if self.at_hand is not None:
                    hook, self.at_hand = self.at_hand, None
                    threading.Timer(self._chance.uniform(0.0, 0.03), hook).start()
                status, _ = self._page.post("/alert", what=what, episode=episode, csrf=csrf, at=at, **said)
            except AWAY:
                status = 0
            if status == 200:
                self.answered.append((episode, what))
                return
            self.failures += 1
            if status == 422:  # meanwhile it is another state
                return
            self._stop.wait(0.3)


def _hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', text)
    if found is None:
        raise OSError(f"no {name} on the page")
    return found[1]


# ---- the whole


@pytest.fixture
def robots() -> Iterator[CountingRobots]:
    one = CountingRobots()
    one.come()
    yield one
    one.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_everybody_is_told_once(seed: int, kafka: str, tmp_path: Path, robots: CountingRobots) -> None:
    chance = random.Random(f"alerts-{seed}")
    district = make_district(tmp_path)
    registry = load(district)
    robots.secrets = {secret_of(p.id): f"SEC-{secret_of(p.id)}" for p in registry.persons}
    records = make_records(seed, registry)
    workers.fresh_topics(kafka)
    with contextlib.ExitStack() as left_behind:

        def part(name: str, *words: str, command: Sequence[str] = system.ENVSTREAM, **environment: str) -> Part:
            one = Part(name, tmp_path, [*command, *words, "--bootstrap", kafka], environment)
            left_behind.callback(one.away)
            return one

        words = ("--district", str(district), "--clock", "virtual", "--port", "0", "--control-port", "0")
        gateway = part("gateway", "gateway", *words)
        control = int(gateway.start()["control_port"])
        notify = part("notify", "--robots", robots.url, command=[sys.executable, "-m", "tests.e2e.hurried_notify"])
        port = free_port()
        words = ("--control", f"127.0.0.1:{control}", "--listen", f"127.0.0.1:{port}", "--tokens", "none.toml")
        desk = part("desk", "desk", *words, ENVSTREAM_DESK_TOKEN_GUO=TOKEN)
        worker = Worker(kafka, tmp_path, "alerts")
        left_behind.callback(worker.away)
        for one in (notify, desk, worker):
            one.start()
        officer = Officer(port, seed)

        # one in each third of the week, the one at hand not in the last: something must still happen after it
        when = {
            name: [(n + chance.uniform(0.1, 0.9)) * PUMP_S / KILLS for n in range(KILLS)] for name in ("notify", "desk")
        }
        when["worker"] = sorted(chance.uniform(0.05, 0.95) * PUMP_S for _ in range(KILLS))
        gone = chance.uniform(0.2, 0.8) * PUMP_S
        with ThreadPoolExecutor(6) as threads:
            acting = threads.submit(officer.run)
            try:
                work = [
                    threads.submit(Pump(kafka, control, records).run),
                    threads.submit(kill_again_and_again, worker, when["worker"]),
                    threads.submit(kill_again_and_again, notify, when["notify"], chance.randrange(KILLS - 1), robots),
                    threads.submit(kill_again_and_again, desk, when["desk"], chance.randrange(KILLS - 1), officer),
                    threads.submit(lambda: (time.sleep(gone), robots.be_away(AWAY_S))),
                ]
                for each in work:
                    each.result(PATIENCE_S)
                time.sleep(5.0)  # the officer sees how it ended
            finally:
                officer.stop()
                acting.result(PATIENCE_S)
        account = Account(kafka)
        account.wait(sum(workers.written(kafka, topic) for topic in topics.READINGS), worker, PATIENCE_S)
        account.close()
        worker.end()
        log = read_log(kafka)
        truth = rejudge(log, partitions=workers.PARTITIONS, keep=(topics.NOTICES,))
        notices = decoded(Notice, [output.value for output in truth.all_of(topics.NOTICES)])
        due = {(n.id, r.person) for n in notices for r in n.to}
        workers.wait_until(lambda: due <= finals(deliveries(kafka)), PATIENCE_S, every=1.0)
        notify.end()

        the_log_says_the_same(kafka, truth)
        told = everybody_was_told(notices, deliveries(kafka), robots.carried, registry)
        acted = nothing_answered_is_lost(officer, log)
        the_desk_shows_what_is_open(officer, decoded(Episode, truth.last(topics.EPISODES).values()))
        desk.end()
        gateway.end()
    seconds = {name: [round(moment, 1) for moment in moments] for name, moments in when.items()}
    print(f"seed {seed}: {len(log)} messages, killed at {seconds} s, robots away at {gone:.1f}\n  {told}\n  {acted}")


def decoded(kind: type[Any], values: Any) -> list[Any]:
    """Messages."""
    return [msgspec.json.decode(value, type=kind) for value in values]


def read_log(bootstrap: str) -> list[Record]:
    """``readings-*`` as they stand in Kafka, by whomever they were written."""
    return [
        Record(topic, partition, key, value or b"")
        for topic in topics.READINGS
        for partition, key, value in workers.everything(bootstrap, topic)
    ]


def deliveries(bootstrap: str) -> list[Delivery]:
    """Every row."""
    return decoded(Delivery, [value for _, _, value in workers.everything(bootstrap, topics.DELIVERIES)])


def finals(rows: Sequence[Delivery]) -> set[tuple[str, str]]:
    """Notices and persons that are done."""
    return {(row.notice, row.person) for row in rows if row.final}


def the_log_says_the_same(bootstrap: str, truth: Rejudged) -> None:
    """Every key's last message, and every notice there ever was, are those of judges nobody disturbed."""
    assert differences(last_said(bootstrap), truth) == []
    said = {value for _, _, value in workers.everything(bootstrap, topics.NOTICES)}
    assert said == {output.value for output in truth.all_of(topics.NOTICES)}


def everybody_was_told(
    notices: Sequence[Notice], rows: Sequence[Delivery], carried: Sequence[Carried], registry: Registry
) -> str:
    """Once each, or twice where nobody can know; the counts as a text.

    Nobody can know: a row ``sending`` without an outcome (the process was killed), or whose answer never came (the
    robots went away), and a later attempt. Twice of that in one notice is the last word of the notifier: it gives up,
    and the chief must have been told instead.
    """
    got = Counter((c.token, name) for c in carried for name in set(c.notices))
    bodies = {(c.token, c.body) for c in carried}
    of_pair: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for row in rows:
        of_pair[row.notice, row.person].append(row)
        if row.state in (alerts.SENT, alerts.DIGESTED):
            assert (secret_of(row.person), row.body) in bodies, f"{row}: no robot took this body"
    counts: dict[str, Counter[str]] = {"first": Counter(), "all": Counter()}
    wrong = []
    for notice in notices:
        for person in {recipient.person for recipient in notice.to}:
            mine, taken = of_pair[notice.id, person], got[secret_of(person), notice.id]
            ended = {row.attempt for row in mine if row.state in (alerts.SENT, alerts.DIGESTED, alerts.FAILED)}
            unknown = {row.attempt for row in mine if row.state == alerts.SENDING} - ended
            unknown |= {row.attempt for row in mine if row.code == NO_ANSWER}
            gave_up = any(row.state == alerts.GAVE_UP for row in mine)
            if taken == 1 and not gave_up:
                what = "once" if not unknown else "once, after an attempt without a known end"
            elif taken in (0, 1, 2) and gave_up and len(unknown) == 2 and _instead(notice, person, got, registry):
                what = "the chief instead, after two attempts without a known end"
            elif taken == 2 and unknown and max(row.attempt for row in mine) > min(unknown):
                what = "twice, the first without a known end"
            else:
                what = "WRONG"
                wrong.append(f"{notice.id} to {person}: taken {taken} times: {mine}")
            counts["all"][what] += 1
            if notice.reason == alerts.FIRST:
                counts["first"][what] += 1
    assert wrong == []
    # nothing but what had to be told; what is told instead is of a notice that had to be
    due = {(secret_of(r.person), n.id) for n in notices for r in n.to}
    assert {(token, name) for token, name in got if "|unreached|" not in name} <= due
    failed = sum(row.state == alerts.FAILED for row in rows)
    digests = sum(len(c.notices) > 1 for c in carried)
    assert counts["first"], "nothing happened"
    assert counts["all"]["twice, the first without a known end"], "the one killed while a robot had it"
    told = "\n  ".join(f"{name}: {dict(found)}" for name, found in counts.items())
    return f"{len(notices)} notices in {len(carried)} requests, {digests} digests, {failed} rows failed\n  {told}"


def _instead(notice: Notice, person: str, got: Counter[tuple[str, str]], registry: Registry) -> bool:
    chiefs = [p.id for p in registry.persons if p.role == "chief"]
    return person in chiefs or any(got[secret_of(c), f"{notice.id}|unreached|{person}"] for c in chiefs)


def nothing_answered_is_lost(officer: Officer, log: Sequence[Record]) -> str:
    """What the desk said was written is in the log that was judged."""
    found = [blocks.decode(record.value) for record in log if b'"kind":"action"' in record.value[:40]]
    acts = [action for action in found if isinstance(action, blocks.Action)]
    written = Counter((action.data["episode"], action.what) for action in acts)
    assert officer.answered, "the officer did nothing"
    assert [click for click in officer.answered if not written[click]] == []
    twice = len(acts) - len({action.id for action in acts})
    return (
        f"{len(officer.answered)} clicks answered, {officer.failures} pressed again, {len(acts)} actions in the log,"
        f" {twice} of them a second time"
    )


def the_desk_shows_what_is_open(officer: Officer, episodes: Sequence[Episode]) -> None:
    """The list of the desk that was started last: what is not finished and no part of another, with its level."""
    due = sorted((e.id, e.level) for e in episodes if e.state not in alerts.FINAL and not e.parent)
    workers.wait_until(lambda: sorted(officer.open_list()) == due, PATIENCE_S, every=0.5)
    assert due
