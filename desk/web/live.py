"""What goes on, as it happens: server-sent events to every open page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from desk.view import View
from schemas import times

GATHER_S: Final = 0.5
"""Changes within it are one event: a storm of alerts redraws a page twice a second at most."""
BEAT_S: Final = 5.0
"""Without a change: the time of the log, and that the line still stands."""
MOST_PAGES: Final = 500
SLOW: Final = 20
"""Events a page may be behind before its line is cut; it comes again by itself."""


class Live:
    """Tells open pages what has changed."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._pages: set[asyncio.Queue[bytes | None]] = set()
        self._waiting: set[asyncio.Future[None]] = set()

    def heard(self, changed: set[str]) -> None:
        """From the thread that follows the log."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._heard, changed)

    def _heard(self, changed: set[str]) -> None:
        self._changed |= changed
        self._wake.set()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def change(self, patience_s: float) -> None:
        """Return when the view has changed, or patience ends."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(patience_s):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(future)

    async def run(self) -> None:
        """Send events until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()
            changed, self._changed = sorted(self._changed), set()
            self._wake.clear()
            if self._pages:
                self._send(self.event(changed))
            await asyncio.sleep(GATHER_S)

    def event(self, changed: list[str]) -> bytes:
        """How it stands, and which pages to draw again."""
        return b"data: " + msgspec.json.encode({**self.state(), "changed": changed}) + b"\n\n"

    def state(self) -> dict[str, Any]:
        """How it stands."""
        health, counts = self._view.health(), self._view.counts()
        return {
            "now": times.text(health.now_ms // 1000) if health.now_ms else "",
            "age": None if health.age_s is None else int(health.age_s),
            "broker": health.broker,
            "gateway": health.gateway,
            "stale": health.stale,
            "bad": health.bad,
            "reading": not health.caught_up,
            "counts": counts,
            "open": sum(counts.values()),
            "red": self._view.unanswered("red"),
        }

    def _send(self, event: bytes) -> None:
        for queue in list(self._pages):
            if queue.qsize() >= SLOW:
                self._pages.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    async def serve(self, request: web.Request, until: float, may: Callable[[], bool]) -> web.StreamResponse:
        """One page's line, until the session ends (loop time), ``may`` says no before an event, or the page goes."""
        if len(self._pages) >= MOST_PAGES:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "30"}, text="too many open pages")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._pages.add(queue)
        try:
            await response.write(b"retry: 2000\n\n" + self.event([]))
            while True:
                async with asyncio.timeout_at(until):
                    event = await queue.get()
                if event is None or not may():
                    break
                await response.write(event)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._pages.discard(queue)
        return response

    def close(self) -> None:
        """End every line."""
        for queue in self._pages:
            queue.put_nowait(None)
        self._pages.clear()
