"""Drives events into a gateway: loggers side by side over TCP, and the gateway's clock (design §5).

At the start of each step the driver sets the gateway's clock to the end of that step, which the gateway confirms once
everything sent before is in the log; then the packets of the step go out, each logger waiting for the answer to one
packet before it sends its next. Without a control connection the gateway's own clock decides when they were received.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from schemas import times
from streams import hj212
from streams.control_client import ControlClient, ControlLost
from streams.logger_client import Address, Backoff, Counts, Logger, Outgoing, Timing
from streams.simulator.events import CUT, PAUSE, Event, Mark

log = logging.getLogger("envstream.replay")

_CHECK_S = 0.25
_EITHER = hj212.Device(crc_mode="either")  # the gateway answers with the checksum it was spoken to in
_DEAD_BYTES = 48 * 1024  # a line that a reader with default limits takes (64 KiB)


class _Device(Logger):
    """A logger that can lose its power."""

    def lose_power(self) -> None:
        """No goodbye: the connection stays as it is, and nobody notices what becomes of it."""
        self._closed = True


class Driver:
    """One run into one gateway.

    Attributes:
        counts: what the loggers did.
        mns: of the loggers that have spoken.
    """

    def __init__(
        self,
        to: Address,
        *,
        control: Address | None,
        timing: Timing,
        speed: float | None = None,
        wall: bool = False,
        remember: int = 0,
    ) -> None:
        """Make a driver; nothing is connected yet.

        Args:
            to: the gateway.
            control: its control port; None: whatever time it is there is when packets were received.
            timing: patience of loggers and control connection.
            speed: virtual seconds per second; None for as fast as it goes.
            wall: instants are those of the wall clock, and nobody waits for the answers of others.
            remember: so many packets each logger keeps, for a platform that asks for the past.
        """
        self.to = to
        self.counts = Counts()
        self.mns: set[str] = set()
        self._timing = timing
        self._speed = 1.0 if wall else speed
        self._wall = wall
        self._remember = remember
        self._loop = asyncio.get_running_loop()
        self._control = ControlClient(control, timing.patience_s) if control is not None else None
        self._loggers: dict[str, _Device] = {}
        self._began: tuple[float, int] | None = None  # the loop's time and the instant of the first step
        self._left = 0  # packets said that are not resolved
        self._all_resolved: asyncio.Future[None] = self._loop.create_future()
        self._error: BaseException | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._settled: dict[_Device, tuple[int, int]] = {}  # generation and bytes known to be handled
        self._silent: list[_Device] = []
        self._told_of_the_past = False

    async def open(self) -> None:
        """Connect the control connection, if there is one.

        Raises:
            ReplayError: nobody listens there, or the log is live.
        """
        if self._control is not None:
            await self._control.open()
        self._watchdog = self._loop.create_task(self._watch())

    def close(self) -> None:
        """Let go of every connection."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._all_resolved.done() and not self._all_resolved.cancelled():
            self._all_resolved.exception()  # it was raised, or something else was
        for logger in (*self._loggers.values(), *self._silent):
            logger.close()
        if self._control is not None:
            self._control.close()

    async def step(self, end_ms: int, items: Sequence[Event | Mark]) -> None:
        """Send what happens in a step that ends at that instant, and return when each packet is answered.

        Raises:
            ReplayError: the gateway cannot be reached, refuses, or did not answer while patience lasted.
        """
        await self._pace(end_ms)
        if not self._told_of_the_past and self._control is not None and end_ms < (self._control.now_ms or 0):
            self._told_of_the_past = True
            log.warning(
                "this log is at %s already: what is older is received at that time; a fresh log has none",
                times.text((self._control.now_ms or 0) // 1000),
            )
        await self.settle(end_ms)
        said: dict[str, list[Outgoing]] = defaultdict(list)
        for item in items:
            if isinstance(item, Event):
                said[item.mn].append(Outgoing(item.qn, item.data, item.answered))
                continue
            await self._say(said)
            said.clear()
            if item.what == CUT:
                await self._cut(item.mn, end_ms)
            elif item.what == PAUSE:
                await self.settle(end_ms)
                await asyncio.sleep(item.seconds)
        await self._say(said)

    async def settle(self, to_ms: int) -> None:
        """Have everything sent so far confirmed, and set the clock.

        Raises:
            ReplayError: refused, or not confirmed while patience lasted.
        """
        if self._control is None:
            for logger in self._loggers.values():
                logger.confirm()
            return
        backoff = Backoff(self._timing.patience_s)
        while True:
            self._raise_error()
            owing = [logger for logger in self._loggers.values() if logger.has_unconfirmed]
            trouble = next((f"gateway {self.to}, logger {each.mn}: lost" for each in owing if not each.ready), "")
            if not trouble:
                sent = {each: (each.generation, each.sent) for each in self._loggers.values() if each.ready}
                news = {each.port: state[1] for each, state in sent.items() if self._settled.get(each) != state}
                try:
                    await self._control.clock(to_ms, news)
                except ControlLost as error:
                    trouble = f"control port {error}"
                else:
                    # Whose connection ended meanwhile may not have arrived whole: it is sent again first.
                    if all(each.ready and each.generation == sent[each][0] for each in owing):
                        break
                    trouble = f"gateway {self.to}: a connection was lost"
            await backoff.pause(trouble)
        for each in owing:
            each.confirm()
        self._settled.update(sent)

    async def dead(self, items: Iterable[dict[str, str]]) -> None:
        """Have lines stored that cannot become packets; without a control connection nobody could.

        Raises:
            ReplayError: refused, or not stored while patience lasted.
        """
        if self._control is None:
            return
        batch: list[dict[str, str]] = []
        size = 0
        for item in items:
            size += len(msgspec.json.encode(item))
            if batch and size > _DEAD_BYTES:
                await self._control.dead(batch)
                batch, size = [], 0
            batch.append(item)
        if batch:
            await self._control.dead(batch)

    async def drain(self) -> None:
        """Return when everything said is answered, or sent if nobody will answer.

        Raises:
            ReplayError: as of :meth:`step`.
        """
        self._raise_error()
        if self._left:
            await self._all_resolved

    # ---- sending

    async def _pace(self, end_ms: int) -> None:
        if self._speed is None:
            return
        if self._began is None:
            ahead_s = end_ms / 1000 - time.time() if self._wall else 0.0
            self._began = self._loop.time() + ahead_s, end_ms
        began, first = self._began
        await asyncio.sleep(max(0.0, began + (end_ms - first) / 1000 / self._speed - self._loop.time()))

    async def _say(self, said: dict[str, list[Outgoing]]) -> None:
        if not said:
            return
        if not self._left:
            self._all_resolved = self._loop.create_future()
        self._left += sum(map(len, said.values()))
        for mn in said:
            if mn not in self._loggers:
                await self._open(mn)
        for mn, packets in said.items():
            self._loggers[mn].say(packets)
        if not self._wall:
            await self.drain()
        self._raise_error()

    async def _open(self, mn: str) -> None:
        logger = self._loggers[mn] = _Device(
            mn,
            self.to,
            self._timing,
            self.counts,
            verify=self._verify,
            resolved=self._one_resolved,
            failed=self._failed,
            remember=self._remember,
            device=_EITHER,
        )
        first = not self.mns
        self.mns.add(mn)
        if first:  # a wrong port is told at once; later the gateway may be away for a moment
            await logger.open()

    async def _cut(self, mn: str, end_ms: int) -> None:
        await self.settle(end_ms)
        if mn in self._loggers:
            logger = self._loggers.pop(mn)
            logger.lose_power()
            self._silent.append(logger)

    def _one_resolved(self) -> None:
        self._left -= 1
        if not self._left and not self._all_resolved.done():
            self._all_resolved.set_result(None)

    def _failed(self, error: BaseException) -> None:
        self._error = self._error or error
        if not self._all_resolved.done():
            self._all_resolved.set_exception(self._error)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    async def _watch(self) -> None:
        pause = min(_CHECK_S, self._timing.over_time_s / 4)
        while True:
            await asyncio.sleep(pause)
            now = self._loop.time()
            for logger in self._loggers.values():
                logger.check(now)

    async def _verify(self) -> None:
        if self._control is not None:
            await self._control.verify()
