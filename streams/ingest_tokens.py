"""Who may post readings: tokens by name, never in the repository.

``ENVSTREAM_INGEST_TOKEN_<NAME>`` in the environment, or a TOML file named by ``ENVSTREAM_INGEST_TOKENS`` with a table
``[token]`` of names to texts. The environment wins. No token enters a log, a message or an error.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path

from streams import private_file

FILE, TOKEN = "ENVSTREAM_INGEST_TOKENS", "ENVSTREAM_INGEST_TOKEN_"
LEAST = 16
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_TOKEN = re.compile(rf"[!-~]{{{LEAST},512}}", re.ASCII)


class TokensError(ValueError):
    """Tokens that are missing or cannot be used; the text lists all of them, and none of their values."""


class Tokens:
    """Tokens by the name of who has them. Shows nothing of itself."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = {name: token.encode() for name, token in tokens.items()}

    def __repr__(self) -> str:
        """Only how many there are."""
        return f"Tokens({len(self._tokens)})"

    def __len__(self) -> int:
        return len(self._tokens)

    def owner(self, said: str) -> str | None:
        """Whose token that is; always compared with all of them, each in constant time."""
        given, found = said.encode(errors="surrogateescape"), None
        for name, token in self._tokens.items():
            if hmac.compare_digest(token, given):
                found = name
        return found


def load(environment: Mapping[str, str] = os.environ) -> Tokens:
    """Read the environment and the file it names.

    Raises:
        TokensError: with everything that is wrong.
    """
    errors: list[str] = []
    found: dict[str, str] = {}
    if path := environment.get(FILE):
        found = _read_file(Path(path), errors)
    for variable, value in environment.items():
        if variable.startswith(TOKEN):
            found[variable.removeprefix(TOKEN)] = value
    for name, token in found.items():
        if not _NAME.fullmatch(name):
            errors.append(f"token {name!r}: a name has up to 32 letters, digits, '.', '_' and '-'")
        if not _TOKEN.fullmatch(token):
            errors.append(f"token of {name}: write at least {LEAST} characters without blanks: openssl rand -hex 32")
    names = {token: name for name, token in found.items()}
    errors += [f"{name}, {names[token]}: one token for both" for name, token in found.items() if names[token] != name]
    if not found and not errors:
        errors.append(f"nobody has a token: set {TOKEN}<NAME>, or name a file with {FILE}")
    if errors:
        raise TokensError("; ".join(errors))
    return Tokens(found)


def _read_file(path: Path, errors: list[str]) -> dict[str, str]:
    document = private_file.read(path, f"{FILE} must name a file with a table [token]", errors)
    if document is None:
        return {}
    table = document.get("token")
    if set(document) != {"token"} or not isinstance(table, dict):
        errors.append(f"{path}: write one table [token] of names and tokens, and nothing else")
        return {}
    wrong = [name for name, value in table.items() if not isinstance(value, str)]
    errors += [f"{path}: token.{name} must be a text in quotes" for name in wrong]
    return {name: value for name, value in table.items() if isinstance(value, str)}
