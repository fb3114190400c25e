"""The requests of each kind of channel, without sending them, and what their answers mean.

Own senders for the three robots, because the answer code must be checked and the signature encoded exactly once
(emission.md 6.2, decision 0016). A builder is a pure function of the secret's words, the message and the time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import msgspec

from desk.notify.limits import KindLimits
from desk.notify.texts import CUT, Message, cut_bytes

DINGTALK = "https://oapi.dingtalk.com/robot/send"
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/"
_ENVELOPE_BYTES = 500
"""Of a request beside its text: field names, signature, mentions by number come on top."""


@dataclass(frozen=True)
class Request:
    """A POST. Its address holds the token: never shown."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


class Unusable(ValueError):
    """A secret of the wrong form; the text does not repeat it."""


Builder = Callable[[Sequence[str], Message, int, KindLimits], Request]


def _json(content: dict[str, Any], url: str) -> Request:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Request(url, body, {"Content-Type": "application/json; charset=utf-8"})


def dingtalk_sign(secret: str, timestamp_ms: int) -> str:
    """Base64 of HMAC-SHA256 with the secret as key; not yet encoded for an address."""
    said = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), said, "sha256")).decode()


def feishu_sign(secret: str, timestamp_s: int) -> str:
    """Base64 of HMAC-SHA256 of nothing; time and secret are the key."""
    return base64.b64encode(hmac.digest(f"{timestamp_s}\n{secret}".encode(), b"", "sha256")).decode()


def dingtalk(words: Sequence[str], message: Message, now_ms: int, limits: KindLimits) -> Request:
    """Words: token or address of the robot, and its signing secret (加签) if it has one."""
    base, token = _address(words[0], DINGTALK, "access_token")
    url = f"{base}?access_token={quote(token, safe='')}"
    if len(words) > 1:
        url += f"&timestamp={now_ms}&sign={quote(dingtalk_sign(words[1], now_ms), safe='')}"
    mentions = "".join(f" @{phone}" for phone in message.phones)  # a mention counts only if it stands in the text too
    room = limits.body_bytes - _ENVELOPE_BYTES - 20 * len(message.phones)
    text = _fitting(message.whole, room) + mentions
    at = {"atMobiles": list(message.phones), "isAtAll": message.loud and not message.phones}
    return _json({"msgtype": "text", "text": {"content": text}, "at": at}, url)


def wecom(words: Sequence[str], message: Message, now_ms: int, limits: KindLimits) -> Request:
    """Words: key or address of the robot."""
    base, key = _address(words[0], WECOM, "key")
    text: dict[str, Any] = {"content": cut_bytes(message.whole, limits.body_bytes)}
    if message.phones:
        text["mentioned_mobile_list"] = list(message.phones)
    elif message.loud:
        text["mentioned_list"] = ["@all"]
    return _json({"msgtype": "text", "text": text}, f"{base}?key={quote(key, safe='')}")


def feishu(words: Sequence[str], message: Message, now_ms: int, limits: KindLimits) -> Request:
    """Words: token or address of the bot, and its signing secret if it has one. It knows nobody's number."""
    at = urlsplit(words[0])
    url = words[0] if at.scheme else FEISHU + quote(words[0], safe="")
    said = message.whole.replace("<", "＜")  # else a name could mention everybody
    text = _fitting(said, limits.body_bytes - _ENVELOPE_BYTES)
    if message.loud:
        text += '\n<at user_id="all">所有人</at>'
    content: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if len(words) > 1:
        content |= {"timestamp": str(now_ms // 1000), "sign": feishu_sign(words[1], now_ms // 1000)}
    return _json(content, url)


def webhook(words: Sequence[str], message: Message, now_ms: int, limits: KindLimits) -> Request:
    """Words: address, and the key of the HMAC header. The body is the notice, or the notices of a digest."""
    if urlsplit(words[0]).scheme not in ("http", "https"):
        raise Unusable("webhook: the secret begins with an address, http:// or https://")
    if message.digest:
        body = msgspec.json.encode({"digest": message.digest, "title": message.title, "notices": message.notices})
    else:
        body = msgspec.json.encode(message.notices[0])
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Envstream-Timestamp": str(now_ms)}
    if len(words) > 1:
        signed = hmac.new(words[1].encode(), f"{now_ms}.".encode() + body, hashlib.sha256).hexdigest()
        headers["X-Envstream-Signature"] = f"sha256={signed}"
    return Request(words[0], body, headers)


BUILDERS: dict[str, Builder] = {"dingtalk": dingtalk, "wecom": wecom, "feishu": feishu, "webhook": webhook}


def _address(word: str, base: str, parameter: str) -> tuple[str, str]:
    """Address without its query, and the token; of an address as the provider shows it, or of the token alone."""
    at = urlsplit(word)
    if not at.scheme:
        return base, word
    token = parse_qs(at.query).get(parameter, [""])[0]
    if at.scheme not in ("http", "https") or not token:
        raise Unusable(f"the secret is the robot's address with its {parameter}, or the {parameter} alone")
    return urlunsplit((at.scheme, at.netloc, at.path, "", "")), token


def _fitting(text: str, most: int) -> str:
    """Cut so that it takes at most that many bytes as a JSON text, where a line break takes two."""

    def size(said: str) -> int:
        return len(json.dumps(said, ensure_ascii=False).encode()) - 2

    if size(text) <= most:
        return text
    kept = bisect_right(range(len(text)), most, key=lambda count: size(text[:count] + CUT)) - 1
    return text[: max(kept, 0)] + CUT


def redirected(request: Request, base: str) -> Request:
    """The same request to another host: a drill, where nobody real is told."""
    at, to = urlsplit(request.url), urlsplit(base)
    return Request(urlunsplit((to.scheme, to.netloc, at.path, at.query, "")), request.body, request.headers)


# ---- answers


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    ``again``: worth another attempt on this channel. ``unsure``: it may have arrived, nobody knows.
    """

    ok: bool
    status: int = 0
    code: str = ""
    words: str = ""
    again: bool = False
    unsure: bool = False
    body: str = ""  # SHA-256 of what was sent


_AGAIN_STATUS = (408, 425, 429)
_CODES = ("errcode", "code", "StatusCode", "Code")
_WORDS = ("errmsg", "msg", "StatusMessage", "Message", "message")
_GOOD = ("0", "OK", "ok")


def judged(status: int, answer: bytes, limits: KindLimits, *, needs_code: bool) -> Outcome:
    """What an answer means: HTTP 200 with a code other than 0 is a failure (emission.md 6.2).

    Args:
        status: of HTTP.
        answer: its body.
        limits: codes of that kind of channel.
        needs_code: whether an answer without a code is a failure (robots), or HTTP's status says it all.
    """
    try:
        said = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        said = None
    said = said if isinstance(said, dict) else {}
    code = next((str(said[key]) for key in _CODES if key in said), "")
    words = next((str(said[key]) for key in _WORDS if said.get(key)), "")
    if not 200 <= status < 300:
        again = (status >= 500 or status in _AGAIN_STATUS) and code not in limits.never
        return Outcome(False, status, code or f"http-{status}", words, again)
    if code in _GOOD or (not code and not needs_code):
        return Outcome(True, status, code or "0", words)
    if not code:
        return Outcome(False, status, "no-code", "the answer has no code: is something between us and the robot?", True)
    return Outcome(False, status, code, words, code not in limits.never)
