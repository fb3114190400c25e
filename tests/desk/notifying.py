"""What the tests of the notifier share: a clock that leaps, a ledger in memory, a registry of few, a harness."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from desk.notify import limits as table
from desk.notify.channel_secrets import Secrets
from desk.notify.limits import Limits
from desk.notify.notifier import LIVE, Notifier
from desk.notify.requests import Outcome
from desk.notify.senders import Senders
from desk.notify.texts import Message
from schemas import registry
from schemas.alerts import Delivery, Notice, Recipient
from schemas.registry import Channel, Registry

BEGIN_MS = 1_767_580_200_000  # 2026-01-05 10:30 Beijing time, a Monday

TEXTS = {
    "DUTY": "ding-token-4711 SECding-secret-0815",
    "SMS_GUO": "13800001111",
    "SMS_SHEN": "13800002222",
    "CHIEF": "wecom-key-31337",
    "SMS_WANG": "13800003333",
    "BOSS": "feishu-token-2718 feishu-secret-3141",
    "HOOK": "http://hooks.invalid/webhook/hook-token-1618 hook-secret-1414",
    "MAIL": "json://user:mail-password-9876@mail.invalid/x",
}

REGISTRY = """
format = 1
name = "县"
name_en = "County"
[receive]
port = 9212
[[group]]
id = "air"
[[area]]
id = "county"
name = "县"
group = "air"
[[station]]
id = "school"
name = "一中"
area = "county"
mn = "A1"
valid_from = 2020-01-01
[[person]]
id = "guo"
name = "郭启明"
role = "officer"
channels = [{ kind = "dingtalk", secret = "DUTY" }, { kind = "sms", secret = "SMS_GUO" }]
[[person]]
id = "shen"
name = "申雨桐"
role = "officer"
channels = [{ kind = "dingtalk", secret = "DUTY" }, { kind = "sms", secret = "SMS_SHEN" }]
[[person]]
id = "wang"
name = "王海生"
role = "chief"
channels = [{ kind = "wecom", secret = "CHIEF" }, { kind = "sms", secret = "SMS_WANG" }]
[[person]]
id = "zhao"
name = "赵立新"
role = "director"
channels = [{ kind = "feishu", secret = "BOSS" }]
[[person]]
id = "tech"
name = "信息中心"
role = "director"
channels = [{ kind = "webhook", secret = "HOOK" }, { kind = "mail", secret = "MAIL" }]
[[person]]
id = "mute"
name = "无渠道"
role = "director"
channels = [{ kind = "sms", secret = "NOT_SET" }]
"""


def people() -> Registry:
    return registry.parse(REGISTRY, "people.toml")


def notice(
    name: str, *to: str, level: str = "orange", at: int = BEGIN_MS, title: str = "", text: str = "正文", **more: Any
) -> Notice:
    title = title or f"一中 PM2.5 超标 {name}"
    return Notice(
        id=name, episode=f"e-{name}", group="air", kind="air", reason=more.get("reason", "first"), level=level, at=at,
        to=[Recipient(person, "duty") for person in to], title=title, text=text, text_en="text", short=f"超标 {name}",
    )  # fmt: skip


class LeapClock:
    """Stands still until everybody waits, then leaps to the next time somebody waits for."""

    def __init__(self, now_ms: int = BEGIN_MS) -> None:
        self.now = now_ms
        self.sleepers: dict[asyncio.Future[None], int | None] = {}

    def now_ms(self) -> int:
        return self.now

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers[woken] = until_ms
        hearing = asyncio.create_task(event.wait())
        try:
            await asyncio.wait([woken, hearing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hearing.cancel()
            del self.sleepers[woken]

    def next(self) -> int | None:
        return min((at for at in self.sleepers.values() if at is not None), default=None)

    def leap(self, to_ms: int) -> None:
        self.now = max(self.now, to_ms)
        for woken, at in self.sleepers.items():
            if at is not None and at <= self.now and not woken.done():
                woken.set_result(None)


class Killed(BaseException):
    """The process died here."""


@dataclass
class MemoryLedger:
    """What Kafka has. ``die_before`` and ``die_after`` say at which append the process ends, and of which state."""

    rows: list[Delivery] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    hook: Callable[[str, Sequence[Delivery]], Awaitable[None]] | None = None
    away: asyncio.Event | None = None  # set: Kafka is there again

    async def append(self, deliveries: Sequence[Delivery], notices: Sequence[Notice] = ()) -> None:
        if self.away is not None:
            await self.away.wait()
        if self.hook is not None:
            await self.hook("before", deliveries)
        self.rows += deliveries
        self.notices += notices
        await asyncio.sleep(0)
        if self.hook is not None:
            await self.hook("after", deliveries)

    def of(self, name: str, person: str) -> list[str]:
        return [f"{r.channel} {r.state}".strip() for r in self.rows if (r.notice, r.person) == (name, person)]

    def finals(self) -> Counter[tuple[str, str]]:
        return Counter((r.notice, r.person) for r in self.rows if r.final)


class MemoryWay:
    """Sends nowhere and keeps what was sent, and when."""

    def __init__(self, clock: LeapClock) -> None:
        self.clock = clock
        self.sent: list[tuple[int, Channel, Message]] = []
        self.outcomes: dict[str, list[Outcome]] = {}
        self.hook: Callable[[str], Awaitable[None]] | None = None

    async def send(self, channel: Channel, message: Message, now_ms: int) -> Outcome:
        if self.hook is not None:
            await self.hook("before")
        waiting = self.outcomes.get(channel.kind, [])
        outcome = waiting.pop(0) if waiting else Outcome(True, 200, "0")
        if outcome.ok or outcome.unsure:
            self.sent.append((self.clock.now, channel, message))
        if self.hook is not None:
            await self.hook("after")
        return outcome


def limits(**changes: Any) -> Limits:
    return replace(table.read(), **{"answer_s": 0.4, "connect_s": 0.3, **changes})


class Desk:
    """A notifier with its clock, ledger and way."""

    def __init__(
        self, *, rows: Sequence[Delivery] = (), known: Sequence[Notice] = (), clock: LeapClock | None = None,
        way: Any = None, robots: str = "", mode: str = LIVE, secrets: dict[str, str] | None = None,
        ledger: MemoryLedger | None = None, **changes: Any,
    ) -> None:  # fmt: skip
        self.clock = clock or LeapClock()
        self.ledger = ledger or MemoryLedger()
        self.secrets = Secrets(
            TEXTS if secrets is None else secrets, {"url": "http://sms.invalid/sms", "token": "sms-token-5555"}
        )
        self.limits = limits(**changes)
        self.way = way or (Senders(self.secrets, self.limits, robots) if robots else MemoryWay(self.clock))
        self.notifier = Notifier(self.way, self.ledger, self.secrets, self.limits, self.clock, people(), mode=mode)
        self.notifier.begin(rows, known)

    async def settle(self) -> None:
        """Until nothing happens any more without time passing."""
        quiet = 0
        lanes = self.notifier._lanes
        while quiet < (20 if len(self.clock.sleepers) == len(lanes) else 300):  # 300: somebody waits for Kafka
            await asyncio.sleep(0.002 if self.notifier.requests_in_flight else 0)
            busy = self.notifier.requests_in_flight or any(lane.changed.is_set() for lane in lanes.values())
            quiet = 0 if busy else quiet + 1
            if self.notifier.failure.done():
                self.notifier.failure.result()

    async def run(self, until_ms: int | None = None, most_leaps: int = 10_000) -> None:
        """Let time pass until everything is done, or up to then."""
        for _ in range(most_leaps):
            await self.settle()
            at = self.clock.next()
            if at is None or (until_ms is not None and at > until_ms):
                if until_ms is not None:
                    self.clock.leap(until_ms)
                    await self.settle()
                return
            self.clock.leap(at)
        raise AssertionError("it never ends")

    async def close(self) -> None:
        await self.notifier.close()
        if isinstance(self.way, Senders):
            await self.way.close()
