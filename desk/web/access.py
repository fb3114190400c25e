"""Signing in and what it allows: sessions, their cross-site guard, the pace of attempts, and rights."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from desk.web.tokens import Tokens
from schemas.alerts import ALERT_ACTIONS
from schemas.registry import Person, Registry

COOKIE: Final = "envstream_desk"
LASTS_S: Final = 16 * 3600
"""A session: the longest shift, 15 hours, and its hand-over."""
MOST_FAILED, WINDOW_S = 5, 60.0
"""Failed attempts to sign in from one address within a minute. Not of all: then anybody could keep everybody out."""

READ, ACT, MARK, CORRECT = "read", "act", "mark", "correct"
RIGHT_OF: Final[dict[str, str]] = {
    **dict.fromkeys(ALERT_ACTIONS, ACT),
    **dict.fromkeys(("mark", "maintenance", "order"), MARK),
    **dict.fromkeys(("dust-day", "correction", "published", "plan-exception", "lab", "qc"), CORRECT),
}
"""The right each kind of action (:data:`schemas.actions.KINDS`) needs."""


class Session(msgspec.Struct):
    """Who is signed in: a person of the registry, since when (epoch seconds), and the word every form must repeat."""

    person: str
    since: int
    csrf: str
    mark: str


class Sessions:
    """Makes and reads cookies. They are signed and sealed (Fernet); nothing is kept here."""

    def __init__(self, tokens: Tokens, now: Callable[[], float] = time.time) -> None:
        self._tokens, self._now = tokens, now

    def make(self, person: str) -> str:
        """The cookie of a new session."""
        session = Session(person, int(self._now()), secrets.token_urlsafe(24), self._tokens.mark(person))
        sealed = Fernet(self._tokens.session_key).encrypt_at_time(msgspec.json.encode(session), session.since)
        return sealed.decode()

    def of(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None when it is not ours, too old, or its token has been taken back."""
        if not cookie:
            return None
        try:
            said = Fernet(self._tokens.session_key).decrypt_at_time(cookie.encode(), LASTS_S, int(self._now()))
            session = msgspec.json.decode(said, type=Session)
        except (InvalidToken, msgspec.MsgspecError, UnicodeEncodeError):
            return None
        mark = self._tokens.mark(session.person)
        return session if mark and hmac.compare_digest(mark, session.mark) else None


def same_csrf(session: Session, said: str) -> bool:
    """Whether a form came from a page of this session."""
    return hmac.compare_digest(session.csrf.encode(), said.encode(errors="surrogateescape"))


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a request that changes something comes from a page of this host. Every browser says where from."""
    if not origin:
        return False
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def rights_of(person: str, registry: Registry) -> frozenset[str]:
    """What the registry in force lets a person do; nothing for who is not in it."""
    return next((frozenset(p.rights) for p in registry.persons if p.id == person), frozenset())


def readers(registry: Registry) -> list[Person]:
    """Who may sign in."""
    return [person for person in registry.persons if READ in person.rights]


class Pace:
    """Failed attempts of the last minute, by address; bounded."""

    MOST_ADDRESSES: Final = 10_000

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until an address may try again; 0: now."""
        failed, now = self._failed.get(address, deque()), self._now()
        while failed and now - failed[0] >= WINDOW_S:
            failed.popleft()
        return int(WINDOW_S - (now - failed[0])) + 1 if len(failed) >= MOST_FAILED else 0

    def failed(self, address: str) -> None:
        """One more that failed."""
        self._failed.setdefault(address, deque(maxlen=MOST_FAILED)).append(self._now())
        self._failed.move_to_end(address)
        while len(self._failed) > self.MOST_ADDRESSES:
            self._failed.popitem(last=False)
