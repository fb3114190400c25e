"""Who may sign in: hashes of tokens by person, in a private file; tokens in the environment for those who have none.

The file (TOML, mode 600) has ``session_key`` and a table ``[token]`` of persons and SHA-256 hashes. A token has 256
random bits, so a plain hash gives nothing away. ``ENVSTREAM_DESK_TOKEN_<PERSON>`` (``-`` written as ``_``, upper case)
names a token itself. No token enters a log, a message, an error or the file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet

from streams import private_file

TOKEN: Final = "ENVSTREAM_DESK_TOKEN_"  # noqa: S105 - the beginning of a name
LEAST: Final = 16
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PERSON: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class TokensError(ValueError):
    """Tokens that cannot be used; the text lists what is wrong, none of their values."""


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def variable_of(person: str) -> str:
    """The variable of the environment that may name a person's token."""
    return TOKEN + re.sub(r"[^A-Za-z0-9]", "_", person).upper()


class Tokens:
    """Hashes by person, read again when the file changes: a new token needs no restart, a removed one ends sessions.

    Shows nothing of itself.
    """

    def __init__(self, file: Path | None, environment: Mapping[str, str] = os.environ) -> None:
        """Read them.

        Raises:
            TokensError: with everything that is wrong.
        """
        self._file, self._seen = file, (0, 0)
        self._said = {name: value for name, value in environment.items() if name.startswith(TOKEN)}
        short = [name for name, value in self._said.items() if len(value) < LEAST]
        if short:
            raise TokensError("; ".join(f"{n}: at least {LEAST} characters: openssl rand -hex 32" for n in short))
        self._hashes: dict[str, str] = {}
        self._key = Fernet.generate_key()
        self._read()

    def __repr__(self) -> str:
        """Only how many there are."""
        return f"Tokens({len(self._hashes) + len(self._said)})"

    def __len__(self) -> int:
        return len(self._hashes) + len(self._said)

    @property
    def session_key(self) -> bytes:
        """Of the cookies: of the file, so that two desks agree and a restart signs nobody out; else of this process."""
        return self._key

    def owner(self, said: str, persons: Iterable[str]) -> str | None:
        """Whose token that is, of these persons; always compared with all, each in constant time.

        Nobody's, if it is the token of two: what is done is done by one.
        """
        self._read()
        given, found = hash_of(said), []
        for person in persons:
            same = [hmac.compare_digest(known, given) for known in self._of(person)]
            if any(same):
                found.append(person)
        return found[0] if len(found) == 1 else None

    def mark(self, person: str) -> str:
        """Changes when a person's token does, "" for who has none; a session carries it."""
        self._read()
        return hashlib.sha256("|".join(self._of(person)).encode()).hexdigest()[:16] if self._of(person) else ""

    def _of(self, person: str) -> list[str]:
        said = self._said.get(variable_of(person))
        return [h for h in (self._hashes.get(person), said and hash_of(said)) if h]

    def _read(self) -> None:
        if self._file is None:
            return
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._hashes = {}
            return
        if (stat.st_mtime_ns, stat.st_size) == self._seen:
            return
        document = _document(self._file)
        self._seen = (stat.st_mtime_ns, stat.st_size)
        self._hashes = document["token"]
        self._key = document["session_key"].encode()


def issue(file: Path, person: str) -> str:
    """Make a token for a person and keep its hash; an earlier one no longer signs in.

    Returns:
        The token. It is nowhere but here.

    Raises:
        TokensError: the file cannot be read or written.
    """
    if not _PERSON.fullmatch(person):
        raise TokensError(f"{person!r}: no id of a person")
    fresh: dict[str, Any] = {"session_key": Fernet.generate_key().decode(), "token": {}}
    document = _document(file) if file.exists() else fresh
    token = secrets.token_urlsafe(32)
    document["token"][person] = hash_of(token)
    _write(file, document)
    return token


def revoke(file: Path, person: str) -> bool:
    """Forget a person's token, which also ends their sessions; whether there was one.

    Raises:
        TokensError: the file cannot be read or written.
    """
    document = _document(file)
    there = document["token"].pop(person, None) is not None
    if there:
        _write(file, document)
    return there


def _document(file: Path) -> dict[str, Any]:
    errors: list[str] = []
    found = private_file.read(file, "make it with: envstream desk token PERSON", errors)
    if found is not None and not errors:
        table, key = found.get("token", {}), found.get("session_key", "")
        if set(found) - {"token", "session_key"} or not isinstance(table, dict):
            errors.append(f"{file}: holds session_key and one table [token] of persons and hashes, and nothing else")
        else:
            errors += [f"{file}: token.{p} is no hash" for p, h in table.items() if not _HASH.fullmatch(str(h))]
        try:
            Fernet(key)
        except (ValueError, TypeError):
            errors.append(f"{file}: session_key is none: make the file anew")
    if errors or found is None:
        raise TokensError("; ".join(errors))
    return {"session_key": found["session_key"], "token": dict(found.get("token", {}))}


def _write(file: Path, document: dict[str, Any]) -> None:
    lines = [
        "# 值班台登录令牌的散列值 · hashes of the desk's tokens; written by: envstream desk token PERSON",
        f'session_key = "{document["session_key"]}"',
        "",
        "[token]",
        *(f'"{person}" = "{hashed}"' for person, hashed in sorted(document["token"].items())),
    ]
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 600 from its beginning
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    except OSError as error:
        raise TokensError(f"{file}: {error.strerror}: give a folder that can be written with --tokens") from None
