"""Ten thousand open alerts on the desk: its start, its page, how soon a page hears of one more."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from confluent_kafka import Producer

from benchmarks.agents.kafka import PATIENCE_S, Broker
from benchmarks.alerts import county
from benchmarks.report import ROOT, cpu_seconds, peak_mib
from schemas import blocks, topics
from schemas.alerts import SENT, Delivery, Entry, Episode, Member, Notice, Recipient
from schemas.messages import encode
from schemas.registry import parse
from schemas.topics import CLOCK_KEY
from tests.services.fixtures import free_port

ENTERPRISES: Final = 50
PAGES: Final = 30
UPDATES: Final = 50
BETWEEN_S: Final = (0.6, 1.6)
"""Between two changes: more than the desk gathers, and not in step with it."""
START_S: Final = 120.0
TOKEN: Final = "token-of-the-benchmark-of-alerts"
LEVELS: Final = ("red", *("orange",) * 3, *("yellow",) * 8, *("blue",) * 8)
STATES: Final = ("open", "open", "acknowledged", "handling")
FRAGMENT: Final = {"X-Desk-Fragment": "1"}


@dataclass
class Shown:
    """What was measured.

    Attributes:
        open: alerts.
        messages: on the broker, and their bytes.
        ready_s: from the start of the desk to its first page with all alerts.
        page_s, fragment_s: of a whole page, and of its changing part, as seen by a browser.
        page_bytes, fragment_bytes: their size.
        event_s: from giving an alert to Kafka to the event at a page.
        drawn_s: to the changing part with it.
        event_bytes: the largest event.
        memory_mib: the most the desk took.
        cpu_s: of the desk, by change.
    """

    open: int
    messages: int = 0
    megabytes: float = 0.0
    ready_s: float = 0.0
    page_s: list[float] = field(default_factory=list)
    fragment_s: list[float] = field(default_factory=list)
    page_bytes: int = 0
    fragment_bytes: int = 0
    event_s: list[float] = field(default_factory=list)
    drawn_s: list[float] = field(default_factory=list)
    event_bytes: int = 0
    memory_mib: float = 0.0
    read_cpu_s: float = 0.0
    cpu_s: float = 0.0


def episode(number: int, now_ms: int) -> Episode:
    """An open alert; no two of a subject and factor."""
    e = number % ENTERPRISES
    outlet, factor = f"{county.outlet_of(e, number)}", county.FACTORS[number % 3][1]
    opened = now_ms - number * 1_000
    level, state = LEVELS[number % len(LEVELS)], STATES[number // 7 % len(STATES)]
    held = "guo" if state != "open" else ""
    history = [Entry(opened, "opened"), Entry(opened, "first", "", f"guo, han{e}", level)]
    history += [Entry(opened + 60_000, "acknowledge", "guo", "确认收到，开始核实")] if held else []
    member = Member(
        id=f"k{e}|{outlet}|over-limit|{factor}|{opened}", rule="over-limit", subject=outlet,
        name=county.name_of(e, number), factor=factor, level=level, since=opened // 1000 - 3600, until=opened // 1000,
        open=True, words={"value": "42.0", "limit": "35", "unit": "mg/m3", "times": "1.200", "hours": "1"},
    )  # fmt: skip
    return Episode(
        id=f"k{e}|{outlet}|{factor}|{opened}", group=f"k{e}", kind="emission", subject=outlet,
        name=county.name_of(e, number), about=factor, began=opened // 1000 - 3600, level=level, state=state,
        opened=opened, updated=opened, rules=["over-limit"], members=[member], history=history, holder=held,
        acknowledged=opened + 60_000 if held else 0, acknowledged_by=held, told=["guo", f"han{e}"], registry="0" * 16,
    )  # fmt: skip


def messages(count: int, now_ms: int) -> Iterator[tuple[str, str, str, bytes]]:
    """Topic, group, key and value of so many open alerts, and of what was told of those that are not blue."""
    for number in range(count):
        e = episode(number, now_ms)
        yield topics.EPISODES, e.group, e.id, encode(e)
        if e.level == "blue":
            continue
        title = f"{e.name} {e.about} 超标"
        to = [Recipient("guo", "duty"), Recipient(e.told[1], "enterprise")]
        name = f"{e.id}|first|{e.level}|{e.opened}"
        said = Notice(name, e.id, e.group, e.kind, "first", e.level, e.opened, to, title, title, title, title[:35])
        yield topics.NOTICES, e.group, e.id, encode(said)
        for person in e.told:
            row = Delivery(
                f"{name}|{person}|dingtalk|1|{SENT}", name, e.id, e.group, person, "dingtalk", 1, SENT, e.opened + 300,
                200, "0", final=True,
            )  # fmt: skip
            yield topics.DELIVERIES, e.group, name, encode(row)


def fill(broker: Broker, count: int, found: Shown) -> None:
    """Put everything on the broker."""
    text = county.HEAD + "[receive]\nport = 9212\n" + county.enterprises(ENTERPRISES, 1)
    version = blocks.RegistryVersion("gw", parse(text, "county.toml").digest, text, 0)
    producer = broker.producer()
    producer.produce(topics.REGISTRY, b"live", CLOCK_KEY, 0)
    producer.produce(topics.REGISTRY, blocks.encode(version), b"registry", 0)
    for topic, group, key, value in messages(count, time.time_ns() // 1_000_000):
        append(producer, topic, group, key, value)
        found.messages, found.megabytes = found.messages + 1, found.megabytes + len(value) / 1e6
    if producer.flush(PATIENCE_S):
        raise RuntimeError("Kafka did not take everything in time")


def append(producer: Producer, topic: str, group: str, key: str, value: bytes) -> None:
    """Append to the partition of a group, waiting when the buffer is full."""
    while True:
        try:
            producer.produce(topic, value, key, topics.partition_of(group, 4))
            return
        except BufferError:
            producer.poll(0.05)


class _Ticks:
    """Time passes in the log, as a gateway says it."""

    def __init__(self, producer: Producer) -> None:
        self._producer, self._over = producer, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1.0):
            tick = blocks.encode(blocks.Tick("gw", time.time_ns() // 1_000_000))
            for topic in topics.READINGS:
                for p in range(4):
                    self._producer.produce(topic, tick, None, p)
            self._producer.poll(0)

    def close(self) -> None:
        self._over.set()
        self._thread.join(5)


async def look(url: str, pid: int, begun: float, producer: Producer, found: Shown) -> None:
    """Sign in as a browser does, draw pages, follow the events."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, cookie_jar=jar, timeout=timeout) as browser:
        async with asyncio.timeout(START_S):
            while not await _signed_in(browser, url) or await _open(browser) < found.open:
                await asyncio.sleep(0.02)
        found.ready_s, found.read_cpu_s = time.monotonic() - begun, cpu_seconds(pid)
        for _ in range(PAGES):
            seconds, found.page_bytes = await _get(browser, {})
            found.page_s.append(seconds)
            seconds, found.fragment_bytes = await _get(browser, FRAGMENT)
            found.fragment_s.append(seconds)
        async with browser.get("/live") as line:
            await _follow(browser, line, pid, producer, found)


async def _signed_in(browser: aiohttp.ClientSession, url: str) -> bool:
    data, headers = {"token": TOKEN}, {"Origin": url}
    async with browser.post("/sign-in", data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status == 303


async def _open(browser: aiohttp.ClientSession) -> int:
    async with browser.get("/") as answer:
        found = re.search(r"<title>\((\d+)\)", await answer.text())
        return int(found[1]) if found else 0


async def _get(browser: aiohttp.ClientSession, headers: dict[str, str]) -> tuple[float, int]:
    begun = time.monotonic()
    async with browser.get("/", headers=headers) as answer:
        size = len(await answer.read())
        if answer.status != 200:
            raise RuntimeError(f"the page answered {answer.status}")
    return time.monotonic() - begun, size


async def _follow(
    browser: aiohttp.ClientSession, line: aiohttp.ClientResponse, pid: int, producer: Producer, found: Shown
) -> None:
    """New alerts, one at a time: the worst there is, so that it stands on the first page."""
    chance = random.Random(9)
    await _event(line, 0, found)
    spent = cpu_seconds(pid)
    for n in range(UPDATES):
        await asyncio.sleep(chance.uniform(*BETWEEN_S))
        number = found.open + n
        number += -number % len(LEVELS) + n * len(LEVELS)
        new = episode(number, time.time_ns() // 1_000_000 + number * 1_000)
        begun = time.monotonic()
        append(producer, topics.EPISODES, new.group, new.id, encode(new))
        producer.poll(0)
        await _event(line, found.open + n + 1, found)
        found.event_s.append(time.monotonic() - begun)
        await _get(browser, FRAGMENT)
        found.drawn_s.append(time.monotonic() - begun)
    found.cpu_s = (cpu_seconds(pid) - spent) / UPDATES


async def _event(line: aiohttp.ClientResponse, least: int, found: Shown) -> dict[str, Any]:
    """The next event that says of so many open alerts."""
    while True:
        said = await line.content.readuntil(b"\n\n")
        for row in said.splitlines():
            if row.startswith(b"data: "):
                state: dict[str, Any] = json.loads(row[6:])
                if state["open"] >= least:
                    found.event_bytes = max(found.event_bytes, len(said))
                    return state


def measure(broker: Broker, folder: Path, count: int) -> Shown:
    """The whole of it."""
    broker.make_ours()
    found = Shown(count)
    fill(broker, count, found)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0, "log_level": 0})
    ticks = _Ticks(producer)
    environment = {**os.environ, "ENVSTREAM_DESK_TOKEN_GUO": TOKEN}
    words = (
        "--bootstrap",
        broker.bootstrap,
        "--listen",
        f"127.0.0.1:{free_port()}",
        "--tokens",
        str(folder / "none.toml"),
    )
    begun = time.monotonic()
    with (
        open(folder / "desk.err", "w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "envstream", "desk", *words, "--log-level", "warning"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
        ) as process,
    ):  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the desk did not start: {(folder / 'desk.err').read_text()[-2000:]}")
            url = f"http://127.0.0.1:{json.loads(line)['port']}"
            asyncio.run(look(url, process.pid, begun, producer, found))
            found.memory_mib = peak_mib(process.pid)
        finally:
            ticks.close()
            process.terminate()
            process.wait(30)
    return found
