"""Fake robots: DingTalk, WeCom, Feishu, an SMS gateway and a webhook, as strict as emission.md 6.1 says, and as nasty.

Each refuses what the real one refuses (a stale timestamp, a wrong or twice encoded signature, an oversize body, too
many a minute) and keeps what it accepted in :attr:`Robots.taken`. A script says how the next requests to a path are
answered instead. Also a program: ``python -m tests.desk.robots PORT``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

ONE_HOUR_MS = 3_600_000
MANY = 10**9


@dataclass
class Taken:
    """A request that came in: whether it was accepted, and what it said."""

    kind: str
    token: str
    accepted: bool
    text: str
    content: dict[str, Any]
    headers: dict[str, str]
    raw_query: str
    at: float


def ding_sign(secret: str, timestamp: str) -> str:
    code = hmac.new(secret.encode("utf-8"), f"{timestamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()
    return base64.b64encode(code).decode("utf-8")


def feishu_sign(secret: str, timestamp: str) -> str:
    code = hmac.new(f"{timestamp}\n{secret}".encode(), b"", digestmod=hashlib.sha256).digest()
    return base64.b64encode(code).decode("utf-8")


class Robots:
    """A server on a free port of the loopback."""

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.now_ms = now_ms
        self.url = ""
        self.taken: list[Taken] = []
        self.secrets: dict[str, str] = {}  # token to signing secret, where it signs
        self.unknown: set[str] = set()  # tokens nobody knows
        self.scripts: dict[str, deque[str]] = {}
        self.per_minute = {"dingtalk": 20, "wecom": 20, "feishu": 100}
        self._times: dict[tuple[str, str], deque[int]] = {}
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def script(self, kind: str, *steps: str) -> None:
        """How the next requests of a kind are answered, one step each: "ok", "500", "busy", "slow", "never", "cut",
        "html", "drop", or a provider code. "drop-after" takes it and closes without an answer; "!x" is x for ever."""
        self.scripts[kind] = deque(steps)

    def accepted(self, kind: str = "") -> list[Taken]:
        return [t for t in self.taken if t.accepted and (not kind or t.kind == kind)]

    async def start(self, port: int = 0) -> Robots:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/robot/send", self._dingtalk)
        app.router.add_post("/cgi-bin/webhook/send", self._wecom)
        app.router.add_post("/open-apis/bot/v2/hook/{token}", self._feishu)
        app.router.add_post("/sms", self._sms)
        app.router.add_post("/webhook/{token}", self._webhook)
        app.router.add_post("/apprise", self._apprise)
        app.router.add_post("/apprise/", self._apprise)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, number = site._server.sockets[0].getsockname()[:2]  # type: ignore[union-attr]
        self.url = f"http://{host}:{number}"
        return self

    async def stop(self) -> None:
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()

    # ---- the five

    async def _dingtalk(self, request: web.Request) -> web.StreamResponse:
        content = await self._json(request)
        token = request.query.get("access_token", "")

        def judge() -> tuple[int, str]:
            if token in self.unknown or not token:
                return 300005, "token is not exist"
            if secret := self.secrets.get(token):
                stamp, sign = request.query.get("timestamp", ""), _once(request.raw_path, "sign")
                if not stamp.isdigit() or len(stamp) != 13 or abs(self.now_ms() - int(stamp)) > ONE_HOUR_MS:
                    return 310000, "invalid timestamp"
                if sign != ding_sign(secret, stamp):
                    return 310000, "sign not match"
            if len(json.dumps(content, ensure_ascii=False).encode()) > 20_000:
                return 460101, "message too long"
            if content.get("msgtype") != "text" or not content["text"]["content"]:
                return 40035, "bad content"
            if any(f"@{phone}" not in content["text"]["content"] for phone in content["at"]["atMobiles"]):
                return 40035, "a mention must stand in the text"
            return (130101, "send too fast") if self._too_many("dingtalk", token) else (0, "ok")

        text = str(content.get("text", {}).get("content", ""))
        return await self._answer(request, "dingtalk", token, content, text, judge, "errcode", "errmsg")

    async def _wecom(self, request: web.Request) -> web.StreamResponse:
        content = await self._json(request)
        token = request.query.get("key", "")
        text = str(content.get("text", {}).get("content", ""))

        def judge() -> tuple[int, str]:
            if token in self.unknown or not token:
                return 93000, "invalid webhook url"
            if content.get("msgtype") != "text" or not text:
                return 40058, "text is empty"
            if len(text.encode()) > 2048:
                return 40058, "text exceeds max length 2048"
            return (45009, "api freq out of limit") if self._too_many("wecom", token) else (0, "ok")

        return await self._answer(request, "wecom", token, content, text, judge, "errcode", "errmsg")

    async def _feishu(self, request: web.Request) -> web.StreamResponse:
        content = await self._json(request)
        token = request.match_info["token"]
        text = str(content.get("content", {}).get("text", ""))

        def judge() -> tuple[int, str]:
            if token in self.unknown:
                return 19001, "param invalid: incoming webhook access token invalid"
            if secret := self.secrets.get(token):
                stamp = str(content.get("timestamp", ""))
                if not stamp.isdigit() or abs(self.now_ms() - int(stamp) * 1000) > ONE_HOUR_MS:
                    return 19021, "timestamp is not within one hour from current time"
                if content.get("sign") != feishu_sign(secret, stamp):
                    return 19021, "sign match fail"
            if len(json.dumps(content, ensure_ascii=False).encode()) > 20 * 1024:
                return 11247, "content too long"
            if content.get("msg_type") != "text" or not text:
                return 9499, "Bad Request"
            return (11232, "frequency limited") if self._too_many("feishu", token) else (0, "success")

        return await self._answer(request, "feishu", token, content, text, judge, "code", "msg")

    async def _sms(self, request: web.Request) -> web.StreamResponse:
        content = await self._json(request)

        def judge() -> tuple[int, str]:
            long = [v for v in content.get("params", {}).values() if len(v) > 35]
            return (1, "bad-template") if long or not content.get("phones") else (0, "OK")

        token = ",".join(content.get("phones", []))
        text = str(content.get("params", {}).get("text", ""))
        return await self._answer(request, "sms", token, content, text, judge, "code", "message")

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        content, token = json.loads(raw), request.match_info["token"]

        def judge() -> tuple[int, str]:
            if secret := self.secrets.get(token):
                stamp = request.headers.get("X-Envstream-Timestamp", "")
                code = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
                if request.headers.get("X-Envstream-Signature") != f"sha256={code}":
                    return 401, "bad signature"
            return 0, "ok"

        return await self._answer(
            request, "webhook", token, content, str(content.get("title", "")), judge, "code", "message"
        )

    async def _apprise(self, request: web.Request) -> web.StreamResponse:
        content = await self._json(request)
        text = f"{content.get('title', '')}\n{content.get('message', '')}"
        return await self._answer(request, "apprise", "", content, text, lambda: (0, "ok"), "code", "message")

    # ---- how they answer

    async def _json(self, request: web.Request) -> dict[str, Any]:
        assert request.headers["Content-Type"].startswith("application/json"), request.headers
        found = json.loads(await request.read())
        assert isinstance(found, dict)
        return found

    def _too_many(self, kind: str, token: str) -> bool:
        times = self._times.setdefault((kind, token), deque())
        now = self.now_ms()
        while times and times[0] <= now - 60_000:
            times.popleft()
        if len(times) >= self.per_minute[kind]:
            return True
        times.append(now)
        return False

    async def _answer(
        self, request: web.Request, kind: str, token: str, content: dict[str, Any], text: str,
        judge: Callable[[], tuple[int, str]], code_key: str, words_key: str,
    ) -> web.StreamResponse:  # fmt: skip
        steps = self.scripts.get(kind)
        step = "ok"
        if steps:
            step = steps[0][1:] if steps[0].startswith("!") else steps.popleft()
        code, words = judge() if step in ("ok", "slow", "never", "drop-after") else (0, "")
        if step in ("ok", "slow", "never", "drop-after"):
            self.taken.append(
                Taken(kind, token, code == 0, text, content, dict(request.headers), request.raw_path, time.monotonic())
            )
        if step == "500":
            return web.Response(status=500, text="<html>Internal Server Error</html>")
        if step == "busy":
            return web.Response(status=429, text="slow down", headers={"Retry-After": "1"})
        if step == "html":
            return web.Response(text="<html>please log in to the network</html>", content_type="text/html")
        if step == "redirect":
            return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere"})
        if step in ("drop", "drop-after"):
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if step == "never":
            await self._over.wait()
            return web.Response(status=503)
        if step == "slow":
            return await self._drip(request, {code_key: code, words_key: words})
        if step != "ok":  # a code of the provider; it repeats the token, as some do
            code, words = int(step), f"refused {token} {request.raw_path}"
        if code == 401:
            return web.json_response({words_key: words}, status=401)
        return web.json_response({code_key: code, words_key: words})

    async def _drip(self, request: web.Request, content: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for byte in json.dumps(content).encode():
            await response.write(bytes([byte]))
            await asyncio.sleep(0.002)
        return response


def _once(raw_path: str, name: str) -> str:
    """A query parameter decoded exactly once, whatever a framework would make of it."""
    _, _, query = raw_path.partition("?")
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return unquote(value)
    return ""


@contextlib.contextmanager
def in_a_thread() -> Iterator[Robots]:
    """The fakes beside a test that drives processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def make() -> Robots:
        return await Robots().start()

    robots = asyncio.run_coroutine_threadsafe(make(), loop).result(10)
    try:
        yield robots
    finally:
        loop.call_soon_threadsafe(robots._over.set)
        asyncio.run_coroutine_threadsafe(robots.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _main(port: int) -> None:
    robots = await Robots().start(port)
    print(json.dumps({"ready": "robots", "url": robots.url}), flush=True)
    seen = 0
    while True:
        await asyncio.sleep(0.05)
        for taken in robots.taken[seen:]:
            print(json.dumps({"kind": taken.kind, "accepted": taken.accepted, "text": taken.text}), flush=True)
        seen = len(robots.taken)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
