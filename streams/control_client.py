"""The player's end of the control connection: one JSON object per line each way (design §5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from streams.logger_client import Address, Backoff, ReplayError, why

VERSION = 1
_LINE_LIMIT = 1 << 20


class ControlLost(Exception):
    """The connection ended before the reply; operations may be repeated."""


class ControlClient:
    """Sets the clock of a virtual log. Connects again by itself; a gateway that forgot the clock is told again."""

    def __init__(self, address: Address, patience_s: float) -> None:
        """Make a client; it connects with :meth:`open`."""
        self.address = address
        self.log = ""
        self.now_ms: int | None = None
        self._patience_s = patience_s
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._clock_ms: int | None = None

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            ReplayError: nobody listens there, or the log is live.
        """
        try:
            async with self._lock:
                await self._connect()
        except ControlLost as error:
            raise ReplayError(
                f"control port {error}: start the gateway with `envstream up`, give its control port with --control"
                " HOST:PORT, or go by the wall clock (replay --live, simulate --speed 1)"
            ) from None

    async def clock(self, to_ms: int, sent: dict[int, int]) -> None:
        """Set the clock, once the gateway has handled that many bytes per local port of a logger.

        Raises:
            ControlLost: not known whether it was done.
            ReplayError: refused, or no reply while patience lasted.
        """
        reply = await self._ask({"op": "clock", "to": to_ms, "sent": {str(port): n for port, n in sent.items()}})
        self._clock_ms = max(to_ms, self._clock_ms or 0)  # a logger's verify may come after a later one
        self.now_ms = int(reply["now"])

    async def verify(self) -> None:
        """Return when a gateway is there that has the clock.

        Raises:
            ReplayError: refused, or patience ended.
        """

        async def set_again() -> None:
            if self._clock_ms is not None:
                await self.clock(self._clock_ms, {})

        await self._persist(set_again)

    async def dead(self, items: list[dict[str, str]]) -> None:
        """Have lines stored that cannot become packets.

        Raises:
            ReplayError: refused, or patience ended.
        """

        async def store() -> None:
            await self._ask({"op": "dead", "items": items})

        await self._persist(store)

    def close(self) -> None:
        """End the connection."""
        self._drop()

    async def _persist(self, operation: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(self._patience_s)
        while True:
            try:
                await operation()
                return
            except ControlLost as error:
                await backoff.pause(f"control port {error}")

    async def _ask(self, operation: dict[str, Any]) -> dict[str, Any]:
        async with self._lock:
            if self._writer is None:
                await self._connect()
                if self._clock_ms is not None:  # a gateway that was restarted may have lost the last one
                    await self._exchange({"op": "clock", "to": self._clock_ms, "sent": {}})
            return await self._exchange(operation)

    async def _connect(self) -> None:
        try:
            self._reader, self._writer = await asyncio.open_connection(*self.address, limit=_LINE_LIMIT)
        except OSError as error:
            raise ControlLost(f"{self.address}: {why(error)}") from None
        reply = await self._exchange({"op": "hello", "v": VERSION, "role": "player"})
        self.log = str(reply.get("log", ""))
        self.now_ms = reply.get("now")

    async def _exchange(self, operation: dict[str, Any]) -> dict[str, Any]:
        assert self._reader is not None
        assert self._writer is not None
        try:
            async with asyncio.timeout(self._patience_s):
                self._writer.write(msgspec.json.encode(operation) + b"\n")
                line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("closed by the gateway")
            reply: dict[str, Any] = msgspec.json.decode(line, type=dict)
        except TimeoutError:
            self._drop()
            raise ReplayError(
                f"control port {self.address}: no reply to {operation['op']} in {self._patience_s:g} s:"
                " look at the gateway's log; is the broker up?"
            ) from None
        except (msgspec.MsgspecError, ValueError) as error:
            self._drop()
            raise ReplayError(
                f"control port {self.address}: {error}: that is no control port of envstream, look at --control"
            ) from None
        except OSError as error:
            self._drop()
            raise ControlLost(f"{self.address}: {why(error)}") from None
        except asyncio.CancelledError:
            self._drop()  # its reply would be taken for that of the next operation
            raise
        if not reply.get("ok"):
            raise ReplayError(f"control port {self.address}: {reply.get('error', 'refused')}")
        return reply

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
