"""Readings by HTTP: ``POST /v1/readings`` with a token, answered when Kafka has acknowledged (docs/ingest.md)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

import msgspec
from aiohttp import web

from streams.ingest import Ingest, Refused, reason, split, split_lines
from streams.ingest_tokens import Tokens
from streams.intake import OK, Arrival

log = logging.getLogger("envstream.ingest.http")

WAY = "http"
MOST_BODY_BYTES = 1024 * 1024
MOST_AT_ONCE = 32
"""Requests read or waited for at the same time; with the body's limit this bounds the memory."""
READ_S = 30.0
"""A body that is not there by then, or a connection that says nothing for so long, is given up."""
ACKNOWLEDGE_S = 30.0
RETRY_S = 5
STOP_S = 5.0
MOST_LISTED = 100
"""Rejected readings that an answer lists; the dead letters have all of them."""

JSON, LINES = "application/json", ("application/x-ndjson", "application/ndjson", "application/jsonl")
_encode = msgspec.json.encode


class IngestHttp:
    """Serves HTTP on one socket."""

    def __init__(self, ingest: Ingest, tokens: Tokens) -> None:
        self._ingest = ingest
        self._tokens = tokens
        self._at_once = 0
        self._runner: web.AppRunner | None = None

    async def start(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Begin to serve on a bound socket."""
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.add_routes([web.post("/v1/readings", self._readings), web.get("/health", self._health)])
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=READ_S, shutdown_timeout=STOP_S)
        await self._runner.setup()
        await web.SockSite(self._runner, sock, ssl_context=context).start()

    async def close(self) -> None:
        """Answer what is at hand and stop."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        busy = self._ingest.busy()
        return _answer(503 if busy else 200, {"status": busy or "ok"})

    async def _readings(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        owner = self._tokens.owner(token.strip()) if scheme.lower() == "bearer" else None
        if owner is None:
            return _no(401, "say Authorization: Bearer and a token of this ingest", {"WWW-Authenticate": "Bearer"})
        if request.content_type != JSON and request.content_type not in LINES:
            return _no(415, f"Content-Type {request.content_type}: send {JSON}, or {LINES[0]} for one reading a line")
        busy = "too many requests at once" if self._at_once >= MOST_AT_ONCE else self._ingest.busy()
        if busy:
            return _later(busy)
        self._at_once += 1
        try:
            return await self._take(request, f"http {owner} {request.remote}")
        finally:
            self._at_once -= 1

    async def _take(self, request: web.Request, peer: str) -> web.Response:
        try:
            async with asyncio.timeout(READ_S):
                body = (await request.read()).removeprefix(b"\xef\xbb\xbf")
        except TimeoutError:
            return _no(408, f"the body was not there after {READ_S:.0f} s")
        except web.RequestPayloadError as error:
            return _no(400, f"the body cannot be read: {error}")
        except web.HTTPRequestEntityTooLarge:
            return _no(413, f"a body has at most {MOST_BODY_BYTES} bytes: send several")
        if busy := self._ingest.busy():  # it may have changed while the body came
            return _later(busy)
        try:
            whole = split(body) if request.content_type == JSON else split_lines(body)
        except Refused as error:
            return _no(413, str(error))
        if whole is None:
            # kept like anything that was said by somebody we know
            arrivals = self._ingest.refused(body, peer, "not JSON: no object and no list")
            answered = await self._put(arrivals)
            return answered or _no(400, f"not JSON: send one object or a list, or {LINES[0]} for one reading a line")
        taken = await self._ingest.messages(whole, peer)
        answered = await self._put([arrival for arrivals in taken for arrival in arrivals])
        if answered is not None:
            return answered
        bad = [(i, arrivals[0]) for i, arrivals in enumerate(taken) if arrivals[0].verdict != OK]
        listed = [{"index": i, "reason": reason(arrival)} for i, arrival in bad[:MOST_LISTED]]
        return _answer(200, {"accepted": len(taken) - len(bad), "rejected_total": len(bad), "rejected": listed})

    async def _put(self, arrivals: list[Arrival]) -> web.Response | None:
        """None when Kafka has acknowledged."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_S):
                await self._ingest.put(WAY, arrivals)
        except TimeoutError:  # they still wait to be written: what comes twice is judged once
            return _later("not acknowledged yet, send it again")
        return None


def _answer(status: int, said: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=_encode(said), content_type=JSON, headers=headers)


def _no(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    return _answer(status, {"error": why}, headers)


def _later(why: str) -> web.Response:
    return _no(503, why, {"Retry-After": str(RETRY_S)})
