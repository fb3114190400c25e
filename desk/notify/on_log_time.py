"""What the notifier makes of notices on the time of the log, with providers that are simulated: for demonstrations.

The notifier is the real one with its table of limits; its clock leaps from one thing to the next. A simulated provider
answers at once and takes what it gets, but now and then it is out of order, so that there are failures to look at.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final

from desk.notify import limits as table
from desk.notify.channel_secrets import Secrets
from desk.notify.notifier import LIVE, Notifier
from desk.notify.requests import Outcome
from desk.notify.service import with_stand_ins
from desk.notify.texts import Message
from schemas.alerts import Delivery, Notice
from schemas.registry import Channel, Registry

_ONE_IN: Final = 50
_AFTER_MS: Final = 4 * 3_600_000
"""So long after the last notice digests may still go out."""
_TURNS: Final = 30
"""Turns of the event loop without anything to do after which everybody waits for time to pass."""


def deliveries(notices: Sequence[Notice], registry: Registry) -> list[Delivery]:
    """Every attempt to tell somebody of these notices.

    Args:
        notices: in order of time.
        registry: whose people are told.
    """
    return asyncio.run(_tell(notices, registry))


async def _tell(notices: Sequence[Notice], registry: Registry) -> list[Delivery]:
    if not notices:
        return []
    clock, ledger = _Clock(notices[0].at), _Ledger()
    secrets = with_stand_ins(Secrets({}), registry)
    notifier = Notifier(_Providers(), ledger, secrets, table.read(), clock, registry, mode=LIVE)
    notifier.begin([])
    try:
        for notice in notices:
            await clock.go_on(notice.at, ledger)
            notifier.take(notice)
        await clock.go_on(notices[-1].at + _AFTER_MS, ledger)
    finally:
        await notifier.close()
    return ledger.rows


class _Clock:
    """Stands still until everybody waits, then leaps to the next time somebody waits for."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._sleepers: dict[asyncio.Event, int | None] = {}

    def now_ms(self) -> int:
        return self._now_ms

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        self._sleepers[event] = until_ms
        try:
            await event.wait()  # which is set when that time has come, too
        finally:
            del self._sleepers[event]

    async def go_on(self, to_ms: int, ledger: _Ledger) -> None:
        """Let time pass up to then."""
        await ledger.quiet()
        while True:
            next_ms = min((at for at in self._sleepers.values() if at is not None), default=to_ms)
            if next_ms > to_ms or not self._sleepers:
                break
            self._now_ms = max(self._now_ms, next_ms)
            for event, at in self._sleepers.items():
                if at is not None and at <= self._now_ms:
                    event.set()
            await ledger.quiet()
            if next_ms == to_ms:
                break
        self._now_ms = max(self._now_ms, to_ms)


class _Ledger:
    """Keeps the rows in memory."""

    def __init__(self) -> None:
        self.rows: list[Delivery] = []

    async def append(self, deliveries: Sequence[Delivery], notices: Sequence[Notice] = ()) -> None:
        self.rows += deliveries
        await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Return when nothing was written for a while of turns."""
        known, turns = len(self.rows), 0
        while turns < _TURNS:
            await asyncio.sleep(0)
            turns = turns + 1 if len(self.rows) == known else 0
            known = len(self.rows)


class _Providers:
    """Take what they get; one request in some is met by a provider that is out of order."""

    async def send(self, channel: Channel, message: Message, now_ms: int) -> Outcome:
        if zlib.crc32(f"{channel.kind} {channel.secret} {now_ms}".encode()) % _ONE_IN == 0:
            return Outcome(False, 503, "", "模拟服务故障 simulated: out of order", again=True)
        return Outcome(True, 200, "0")
