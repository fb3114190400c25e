"""The secrets of channels: from the environment or a private file, never in the repository, a log or a message.

``ENVSTREAM_SECRET_<NAME>`` in the environment, or the TOML file given with ``--secrets`` (or named by
``ENVSTREAM_SECRETS_NOTIFY``) with a table ``[secret]`` of names to texts. NAME is what stands as ``secret`` of a
channel in the registry. The environment wins. What a text is depends on the kind of channel (docs/notify.md): words
separated by blanks, the address or token first, a signing secret second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from schemas.registry import Channel, Person
from streams import private_file

VARIABLE, FILE = "ENVSTREAM_SECRET_", "ENVSTREAM_SECRETS_NOTIFY"
SMS = ("url", "token", "folder", "template")
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9]{5,15}", re.ASCII)
_LEAST_SCRUBBED = 4
_CURE = "name a file with a table [secret] of names and texts, and [sms] if there is an SMS gateway"


class SecretsError(ValueError):
    """Secrets that cannot be used; the text lists all of them, and none of their values."""


class Secrets:
    """Texts by name. Shows nothing of itself."""

    def __init__(self, texts: Mapping[str, str], sms: Mapping[str, str] | None = None) -> None:
        """``sms`` has ``url`` and ``token``, or ``folder``, and ``template`` of the SMS gateway."""
        self._texts = dict(texts)
        self._words = {name: tuple(text.split()) for name, text in texts.items()}
        self.sms = dict(sms or {})
        parts = {word for words in self._words.values() for word in words} | {self.sms.get("token", "")}
        for bounds in ("[?=&]", "[/?=&@:]"):  # the token of an address, and what it is made of
            parts |= {piece for word in parts for piece in re.split(bounds, word)}
        parts = {part for part in parts if len(part) >= _LEAST_SCRUBBED} - _COMMON
        self._hidden = sorted({f(p) for p in parts for f in (str, quote, quote_plus)}, key=len, reverse=True)

    def __repr__(self) -> str:
        """Only how many there are."""
        return f"Secrets({len(self._words)})"

    def __bool__(self) -> bool:
        return bool(self._words)

    def over(self, texts: Mapping[str, str]) -> Secrets:
        """These, over others that stand where none is set."""
        return Secrets({**texts, **self._texts}, self.sms or {"url": "http://127.0.0.1/sms"})

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a secret, none when it is not set."""
        return self._words.get(name, ())

    def can(self, channel: Channel) -> bool:
        """Whether that channel can be used."""
        return bool(self.words(channel.secret)) and (channel.kind != "sms" or bool(self.sms))

    def phone(self, person: Person) -> str:
        """The number of somebody who has an SMS channel, for mentions; ""."""
        for channel in person.channels:
            if channel.kind == "sms" and self.words(channel.secret):
                return self.words(channel.secret)[0]
        return ""

    def scrub(self, text: str, most: int = 200) -> str:
        """One line of a provider's words without any secret, cut to ``most`` characters."""
        line = "".join(c if c.isprintable() else " " for c in text)
        for part in self._hidden:
            line = line.replace(part, "***")
        return line[:most]

    def missing(self, persons: Iterable[Person]) -> list[str]:
        """A line for each channel of these persons that cannot be used."""
        return [
            f"{person.id} ({person.name}): {channel.kind} {channel.secret} is not set: {VARIABLE}{channel.secret}"
            for person in persons
            for channel in person.channels
            if not self.can(channel)
        ]


_COMMON = frozenset(
    (
        *("http", "https", "robot", "send", "access_token", "webhook", "cgi-bin", "open-apis", "hook", "json", "jsons"),
        *("oapi.dingtalk.com", "qyapi.weixin.qq.com", "open.feishu.cn", "open.larksuite.com", "mailto", "mailtos"),
        *("127.0.0.1", "localhost"),
    )
)
"""Parts of addresses that are no secret, and would only make words unreadable."""


def load(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Secrets:
    """Read the file and the environment.

    Raises:
        SecretsError: with everything that is wrong.
    """
    errors: list[str] = []
    texts: dict[str, str] = {}
    sms: dict[str, str] = {}
    if file is None and environment.get(FILE):
        file = Path(environment[FILE])
    if file is not None:
        texts, sms = _read_file(file, errors)
    for variable, value in environment.items():
        if variable.startswith(VARIABLE):
            texts[variable.removeprefix(VARIABLE)] = value
    for key in SMS:
        if value := environment.get(f"ENVSTREAM_SMS_{key.upper()}", ""):
            sms[key] = value
    for name, text in texts.items():
        if not _NAME.fullmatch(name):
            errors.append(f"secret {name!r}: a name has A-Z, 0-9 and _, as in the registry")
        if not text.split() or not text.isprintable():
            errors.append(f"secret {name}: write one line that is not empty")
    if sms and bool(sms.get("url")) == bool(sms.get("folder")):
        errors.append("sms: give a url (and its token) or a folder, one of them")
    if errors:
        raise SecretsError("; ".join(errors))
    return Secrets(texts, sms)


def _read_file(path: Path, errors: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    document = private_file.read(path, _CURE, errors)
    if document is None:
        return {}, {}
    texts, sms = document.get("secret", {}), document.get("sms", {})
    if set(document) - {"secret", "sms"} or not isinstance(texts, dict) or not isinstance(sms, dict):
        errors.append(f"{path}: {_CURE}")
        return {}, {}
    for table, values in (("secret", texts), ("sms", sms)):
        errors += [f"{path}: {table}.{n} must be a text in quotes" for n, v in values.items() if not isinstance(v, str)]
    errors += [f"{path}: sms.{name}: one of {', '.join(SMS)}" for name in sms if name not in SMS]
    return ({n: v for n, v in t.items() if isinstance(v, str)} for t in (texts, sms))  # type: ignore[return-value]


def is_phone(text: str) -> bool:
    """Whether it is a telephone number."""
    return _PHONE.fullmatch(text) is not None
