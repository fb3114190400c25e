"""The way of actions into the log: straight into a live log on Kafka, or through its gateway's control connection.

Both answer when the broker (on the embedded default the journal too) has acknowledged, never before.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from typing import Final, Protocol

from confluent_kafka import KafkaException

from desk.view import View
from schemas.action_files import Placed
from schemas.actions import Action, Subject, check, find, identity
from schemas.registry import Registry
from streams.actions import ActionsRefused, prepare
from streams.ask import AskError, ask, ask_actions
from streams.clock import JUMP_MS, LIVE, VIRTUAL
from streams.writer import Writer, WriterError

ACKNOWLEDGE_S: Final = 15.0
MOST_KNOWN: Final = 2_000

NOT_YET: Final = (
    "15 秒内未得到确认：系统可能稍后写入；请再点一次，同一操作不会重复 · not acknowledged in 15 s: press again, it"
    " stays the same action"
)


class NotWritten(RuntimeError):
    """An action that is not known to be in the log; the text says what to do."""


class Way(Protocol):
    """A way into the log."""

    async def put(self, action: Action) -> None:
        """Have it written.

        Raises:
            NotWritten: refused, or not known to be in the log.
        """

    async def close(self) -> None:
        """Let go."""


class Desk:
    """Writes what signed-in persons decide. An action that is in the log already is not written again."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._known: OrderedDict[str, asyncio.Task[None]] = OrderedDict()

    async def write(self, action: Action, registry: Registry) -> str:
        """Write a checked action; its id.

        Raises:
            NotWritten: not known to be in the log.
        """
        found = find(action, registry)
        assert isinstance(found, Subject), "checked before"
        action.group = found.group
        name = identity(action)
        task = self._known.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._known[name] = asyncio.create_task(self._way.put(action))
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        # the person's connection may end: the writing does not
        await asyncio.shield(task)
        return name

    async def close(self) -> None:
        """Wait for what is on its way, and let go."""
        waiting = [task for task in self._known.values() if not task.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=ACKNOWLEDGE_S)
        await self._way.close()


class ByKafka:
    """Into a live log on Kafka; the writer is kept open."""

    def __init__(self, bootstrap: str, view: View) -> None:
        self._bootstrap, self._view = bootstrap, view
        self._writer: Writer | None = None
        self._opening = asyncio.Lock()

    async def put(self, action: Action) -> None:
        """Have it written."""
        registry, now_ms = self._view.registry, self._now_ms()
        if not self._view.broker:
            raise NotWritten(
                "Kafka 无应答：尚未写入，稍后再点一次 Kafka does not answer: nothing is written, try again"
            )
        if registry is None:
            raise NotWritten("日志中还没有登记表 the log has no registry yet: start its gateway")
        writer = await self._open()
        try:
            written = prepare([Placed("", action)], registry, writer.name, writer.partitions, now_ms)
            await asyncio.wait_for(writer.append(written.records), ACKNOWLEDGE_S)
        except TimeoutError:
            raise NotWritten(NOT_YET) from None
        except ActionsRefused as error:
            raise NotWritten(str(error)) from None
        except WriterError as error:
            await self.close()
            raise NotWritten(f"未写入，请再试 not written, try again: {error}") from None

    def _now_ms(self) -> int:
        """The wall clock, not behind the log; a clock far from it is refused, because now of a log never goes back."""
        if self._view.clock is None:
            raise NotWritten("Kafka 上的日志还没有时钟 this log has no clock of a gateway yet: start its gateway")
        if self._view.clock != LIVE:
            raise NotWritten(f"日志为{self._view.clock} this log's clock is its gateway's: envstream desk --control")
        wall, newest = time.time_ns() // 1_000_000, self._view.now_ms
        if newest and abs(wall - newest) > JUMP_MS:
            raise NotWritten("本机时钟与日志相差过大 this clock and the log's are apart: is the gateway up?")
        return max(wall, newest)

    async def _open(self) -> Writer:
        async with self._opening:
            if self._writer is None:
                name = f"desk-{socket.gethostname()}-{time.time_ns() // 1_000_000:x}"
                loop = asyncio.get_running_loop()
                try:
                    self._writer = await loop.run_in_executor(
                        None, lambda: Writer(self._bootstrap, name=name, journal=None)
                    )
                except (WriterError, KafkaException) as error:
                    raise NotWritten(f"连不上 Kafka，请稍后再试 cannot write: {error}") from None
            return self._writer

    async def close(self) -> None:
        """Deliver what is in flight and stop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.get_running_loop().run_in_executor(None, writer.close)


class ByControl:
    """Through the control connection of the gateway: the embedded default, and virtual logs."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def put(self, action: Action) -> None:
        """Have it written."""
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(None, ask_actions, self._host, self._port, [Placed("", action)])
            await asyncio.wait_for(asyncio.shield(work), ACKNOWLEDGE_S)
        except TimeoutError:
            raise NotWritten(NOT_YET) from None
        except AskError as error:
            raise NotWritten(f"网关未写入 the gateway has not written it: {error}") from None

    async def follow_clock(self, view: View, every_s: float = 20.0, again_s: float = 2.0) -> None:
        """Tell a view what clock the log has, again and again: the embedded broker's log does not say it.

        A gateway that does not answer, or builds its log up again, is told too: nothing can be written meanwhile.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                reply = await loop.run_in_executor(None, ask, self._host, self._port, {"op": "confirm"})
                view.clock, view.gateway = reply["log"], True
                if view.clock == VIRTUAL:  # of a live log its ticks say it; an empty one has no time
                    view.now_ms = max(view.now_ms, int(reply["now"]))
            except AskError:
                view.gateway = False
            await asyncio.sleep(every_s if view.gateway else again_s)

    async def close(self) -> None:
        """Nothing is kept."""


def errors_of(action: Action, registry: Registry, now_ms: int) -> list[str]:
    """What is wrong with an action, without the name of its kind."""
    return [error.removeprefix(f"{action.what}: ") for error in check(action, registry, now_ms)]
