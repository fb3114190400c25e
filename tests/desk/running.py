"""A desk over the real path: embedded broker, journal, gateway with its control connection, follower, pages.

The alert machine is not part of it: :class:`Machine` stands in for what it does with the actions of people.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web
from confluent_kafka import Consumer, Producer, TopicPartition

from desk.view import Follower, View
from desk.web.app import make_app
from desk.web.tokens import Tokens, variable_of
from desk.web.writing import ByControl
from schemas import blocks, topics
from schemas.alerts import Entry, Episode
from schemas.messages import encode
from streams.clock import VIRTUAL, WriterClock
from tests.desk import scene
from tests.services.embedded import wait_for
from tests.streams.served import Served, serve

PEOPLE = ("guo", "shen", "wang-chief", "zhao-director")


def token_of(person: str) -> str:
    """What a person signs in with."""
    return f"token-of-{person}-0123456789"


def tokens() -> Tokens:
    """Of all who are in these tests."""
    return Tokens(None, {variable_of(person): token_of(person) for person in PEOPLE})


class Machine:
    """Does with the actions of people what the alert machine does, as far as a page shows it."""

    STATE: Final = {
        "acknowledge": "acknowledged",
        "handle": "handling",
        "close": "closed",
        "false-alarm": "false-alarm",
    }

    def __init__(self, bootstrap: str, episodes: list[Episode]) -> None:
        self.episodes = {e.id: e for e in episodes}
        self.done: set[str] = set()
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "linger.ms": 0})
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "machine", "log_level": 0})
        self._consumer.assign([TopicPartition(topics.ACTIONS, p, 0) for p in range(topics.EMBEDDED_PARTITIONS)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def say(self, episode: Episode) -> None:
        """Publish an alert."""
        self.episodes[episode.id] = episode
        self._producer.produce(topics.EPISODES, encode(episode), episode.id.encode(), partition=0)
        self._producer.flush(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(100, 0.05):
                if message.error() is None:
                    action = blocks.decode(message.value())
                    assert isinstance(action, blocks.Action)
                    if action.id not in self.done:
                        self.done.add(action.id)
                        self._act(action)
        self._consumer.close()

    def _act(self, action: blocks.Action) -> None:
        if action.what == "take-over":
            for episode in [e for e in self.episodes.values() if e.state in ("open", "acknowledged", "handling")]:
                self._change(episode, action, state="acknowledged", holder=action.by)
        elif (episode := self.episodes.get(action.data.get("episode", ""))) is not None:
            holder = "" if action.what == "hand-back" else episode.holder or action.by
            self._change(episode, action, state=self.STATE.get(action.what, episode.state), holder=holder)

    def _change(self, episode: Episode, action: blocks.Action, state: str, holder: str) -> None:
        changed = msgspec.structs.replace(episode, state=state, holder=holder, cause=action.data.get("cause", ""))
        if state == "acknowledged" and not episode.acknowledged:
            changed.acknowledged, changed.acknowledged_by = action.received, action.by
        changed.history = [*episode.history, Entry(action.received, action.what, action.by, action.why)]
        changed.closed = action.received if state in ("closed", "false-alarm") else 0
        self.say(changed)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)


class Running:
    """What a test can reach."""

    def __init__(self) -> None:
        self.url = self.bootstrap = ""
        self.machine: Machine
        self.view: View
        self.control: ByControl
        self.loop: asyncio.AbstractEventLoop
        self.served: Served


@contextlib.contextmanager
def running(folder: Path, *, filled: bool = True) -> Iterator[Running]:
    """A desk in a thread, its log filled with the scene; the time of the log is the scene's."""
    found, up, down = Running(), threading.Event(), threading.Event()
    problems: list[BaseException] = []

    async def use(served: Served) -> None:
        found.served, found.loop = served, asyncio.get_running_loop()
        found.bootstrap = served.gateway.writer.bootstrap
        await served.gateway.intake.set_clock(scene.NOW_S * 1000, tick=True)
        await served.gateway.writer.append(served.gateway.intake.registry_records())
        found.view, found.control = View(), ByControl("127.0.0.1", served.control_port)
        runner = web.AppRunner(make_app(found.view, found.control, tokens()), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        follower = Follower(found.bootstrap, found.view, embedded=True)
        up.set()
        try:
            while not down.is_set():
                await asyncio.sleep(0.05)
        finally:
            await runner.cleanup()
            await found.loop.run_in_executor(None, follower.close)

    def run() -> None:
        try:
            serve(folder, scene.registry(), use, clock=WriterClock(VIRTUAL, scene.NOW_S * 1000))
        except BaseException as error:
            problems.append(error)
            up.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert up.wait(30)
    assert not problems, problems
    episodes = [msgspec.json.decode(v, type=Episode) for t, _, v in scene.alerts() if t == topics.EPISODES]
    found.machine = Machine(found.bootstrap, episodes if filled else [])
    try:
        if filled:
            producer = Producer({"bootstrap.servers": found.bootstrap, "log_level": 0, "linger.ms": 5})
            for topic, key, value in scene.everything():
                if topic not in (topics.REGISTRY, topics.ACTIONS, *topics.READINGS):
                    producer.produce(topic, value, key, partition=0)
                    producer.poll(0)
            producer.flush(10)
            wait_for(lambda: len(found.view.open_episodes()) == 7 and found.view.year("example", 2026) is not None, 20)
        wait_for(lambda: found.view.registry is not None and found.view.caught_up, 20)
        yield found
    finally:
        found.machine.close()
        down.set()
        thread.join(20)
    assert not problems, problems
