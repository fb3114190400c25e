"""Sends a message by a channel: HTTP for robots and webhooks, an interface for SMS, apprise for the rest.

No exception of a library leaves this module: their texts show addresses with tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from desk.notify.channel_secrets import Secrets, is_phone
from desk.notify.limits import KindLimits, Limits
from desk.notify.requests import BUILDERS, Outcome, Request, Unusable, judged, redirected
from desk.notify.texts import Message, cut_bytes, cut_chars
from schemas.alerts import LEVEL_ZH
from schemas.registry import Channel

_MOST_ANSWER_BYTES = 64 * 1024
_NO_ADDRESS = "the secret is no address that can be used"
_TELLTALES = ("apprise", "urllib3", "requests", "requests_oauthlib")
"""Libraries whose log has addresses with tokens, at any level."""


def quiet_libraries() -> None:
    """Keep the log of libraries that would show a token out of ours."""
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class Poster:
    """POST with time-outs; gives outcomes, raises nothing."""

    def __init__(self, limits: Limits, robots: str = "") -> None:
        """``robots``: the address of fakes for a drill, in place of every host."""
        self._timeout = aiohttp.ClientTimeout(total=limits.answer_s, connect=limits.connect_s)
        self._robots = robots
        self._session: aiohttp.ClientSession | None = None

    async def post(self, request: Request, limits: KindLimits, *, needs_code: bool) -> Outcome:
        """Send it and judge the answer."""
        if self._session is None:  # a bureau's proxy stands in the environment; a drill stays on this machine
            # A connection each: of one kept open and closed at the other end nobody knows whether it took a request.
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                trust_env=not self._robots,
                connector=aiohttp.TCPConnector(force_close=True),
            )
        if self._robots:
            request = redirected(request, self._robots)
        try:
            async with self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            ) as answer:
                return judged(answer.status, await _body(answer), limits, needs_code=needs_code)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):  # never came to sending
            return Outcome(False, code="no-connection", words="cannot be reached", again=True)
        except (aiohttp.InvalidURL, ValueError):
            return Outcome(False, code="address", words=_NO_ADDRESS)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return Outcome(False, code="no-answer", words="no answer: it may have gone out", again=True, unsure=True)

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    found = b""
    while len(found) < _MOST_ANSWER_BYTES and (piece := await answer.content.read(_MOST_ANSWER_BYTES - len(found))):
        found += piece
    return found


# ---- SMS


class SmsGateway(Protocol):
    """What an SMS provider must be able to do. There is no common one (emission.md 6.1)."""

    async def send(self, phones: Sequence[str], template: str, params: dict[str, str]) -> Outcome:
        """Send an approved template with its parameters, each at most 35 characters."""
        ...


class SmsFolder:
    """Drops a JSON file for each SMS into a folder, from where the bureau's own program takes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def send(self, phones: Sequence[str], template: str, params: dict[str, str]) -> Outcome:
        """Write it aside, sync it and rename it: a file that is there is whole."""
        body = json.dumps({"phones": list(phones), "template": template, "params": params}, ensure_ascii=False)
        name = uuid.uuid4().hex
        aside = self.folder / f".{name}.new"
        try:
            with open(os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self.folder / f"{name}.json")
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            return Outcome(False, code="folder", words=f"the folder of SMS: {error.strerror}", again=True)
        return Outcome(True, code="0")


class SmsHttp:
    """POST of ``{"phones": […], "template": …, "params": {…}}`` with a bearer token; answers 2xx, ``code`` 0 or OK."""

    def __init__(self, url: str, token: str, poster: Poster, limits: KindLimits) -> None:
        self._url, self._token, self._poster, self._limits = url, token, poster, limits

    async def send(self, phones: Sequence[str], template: str, params: dict[str, str]) -> Outcome:
        """Send and judge the answer."""
        body = json.dumps({"phones": list(phones), "template": template, "params": params}, ensure_ascii=False)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return await self._poster.post(Request(self._url, body.encode(), headers), self._limits, needs_code=False)


# ---- all of them


class Senders:
    """Every kind of channel."""

    def __init__(self, secrets: Secrets, limits: Limits, robots: str = "") -> None:
        """``robots``: the address of fakes that get everything instead (a drill)."""
        self._secrets, self._limits, self._robots = secrets, limits, robots
        self._poster = Poster(limits, robots)
        self._sms: SmsGateway | None = None
        if "folder" in secrets.sms and not robots:
            self._sms = SmsFolder(Path(secrets.sms["folder"]))
        elif secrets.sms or robots:
            url, token = secrets.sms.get("url", f"{robots}/sms"), secrets.sms.get("token", "")
            self._sms = SmsHttp(url, token, self._poster, limits.kinds["sms"])

    async def send(self, channel: Channel, message: Message, now_ms: int) -> Outcome:
        """Send; the outcome's words have no secret in them."""
        words, limits = self._secrets.words(channel.secret), self._limits.kinds[channel.kind]
        if channel.kind in BUILDERS:
            try:
                request = BUILDERS[channel.kind](words, message, now_ms, limits)
            except Unusable as error:
                return Outcome(False, code="secret", words=str(error))
            except ValueError:  # of a library: its words may show the address
                return Outcome(False, code="address", words=_NO_ADDRESS)
            outcome = await self._poster.post(request, limits, needs_code=channel.kind != "webhook")
            body = request.body
        elif channel.kind == "sms":
            params = {
                "level": LEVEL_ZH.get(message.notices[0].level, ""),
                "text": cut_chars(message.short, limits.body_chars),
            }
            body = json.dumps([words, params], ensure_ascii=False).encode()
            outcome = await self._by_sms(words, params)
        else:
            text = cut_bytes(message.text, limits.body_bytes)
            body = f"{message.title}\n{text}".encode()
            outcome = await self._by_apprise(words, message.title, text)
        scrub = self._secrets.scrub
        return replace(
            outcome, code=scrub(outcome.code, 40), words=scrub(outcome.words), body=hashlib.sha256(body).hexdigest()
        )

    async def _by_sms(self, phones: Sequence[str], params: dict[str, str]) -> Outcome:
        if self._sms is None:
            return Outcome(False, code="secret", words="no SMS gateway: see docs/notify.md")
        if not all(map(is_phone, phones)):
            return Outcome(False, code="secret", words="the secret of an sms channel is a telephone number")
        return await self._sms.send(phones, self._secrets.sms.get("template", ""), params)

    async def _by_apprise(self, words: Sequence[str], title: str, text: str) -> Outcome:
        quiet_libraries()
        url = words[0]
        if self._robots:
            url = f"json://{urlsplit(self._robots).netloc}/apprise"
        try:
            async with asyncio.timeout(self._limits.answer_s + self._limits.connect_s):
                sent = await asyncio.to_thread(_apprise, url, title, text)
        except TimeoutError:
            return Outcome(False, code="no-answer", words="no answer: it may have gone out", again=True, unsure=True)
        except Exception as error:  # noqa: BLE001 - a hundred plugins; their words may show the address
            return Outcome(False, code="apprise", words=type(error).__name__, again=True)
        if sent is None:
            return Outcome(False, code="secret", words="the secret is no address apprise knows")
        return Outcome(True, code="0") if sent else Outcome(False, code="apprise", words="not taken", again=True)

    async def close(self) -> None:
        """End the connections."""
        await self._poster.close()


def _apprise(url: str, title: str, text: str) -> bool | None:
    import apprise

    service: Any = apprise.Apprise()
    if not service.add(url):
        return None
    return bool(service.notify(title=title, body=text))
