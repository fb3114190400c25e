"""What a logger's packets are checked and opened with: passwords and SM4 keys, never in the repository.

``ENVSTREAM_SM4_<MN>`` (32 hex digits) and ``ENVSTREAM_PW_<MN>`` in the environment, or a TOML file named by
``ENVSTREAM_SECRETS`` with tables ``[sm4]`` and ``[password]`` of MN to text. The environment wins. No value of
these enters a log, a message or an error.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path

from schemas.registry import Registry
from streams import private_file

FILE, SM4, PASSWORD = "ENVSTREAM_SECRETS", "ENVSTREAM_SM4_", "ENVSTREAM_PW_"
_KEY = re.compile(r"[0-9A-Fa-f]{32}")


class SecretsError(ValueError):
    """Secrets that are missing or cannot be used; the text lists all of them, and none of their values."""


class DeviceSecrets:
    """Keys and passwords by MN. Shows nothing of itself."""

    def __init__(self, sm4: Mapping[str, bytes] | None = None, passwords: Mapping[str, str] | None = None) -> None:
        self._sm4 = dict(sm4 or {})
        self._passwords = dict(passwords or {})

    def __repr__(self) -> str:
        """Only how many there are."""
        return f"DeviceSecrets({len(self._sm4)} keys, {len(self._passwords)} passwords)"

    def sm4_key(self, mn: str) -> bytes | None:
        """The key of a logger, 16 bytes."""
        return self._sm4.get(mn)

    def password(self, mn: str) -> str | None:
        """The password of a logger, for whoever speaks as it: the simulator."""
        return self._passwords.get(mn)

    def password_fits(self, mn: str, said: str) -> bool:
        """Whether the password is right, compared in constant time; False when none is known."""
        known = self._passwords.get(mn)
        return known is not None and hmac.compare_digest(known.encode(), said.encode())

    def check(self, registry: Registry) -> list[str]:
        """Refuse a registry that wants passwords checked which nobody gave; what else a person should know.

        Raises:
            SecretsError: with every MN whose password is missing.
        """
        missing = sorted({g.mn for g in registry.loggers if g.password and g.mn not in self._passwords})
        if missing:
            raise SecretsError(
                f"no password for {', '.join(missing)}: set {PASSWORD}<MN>, or write it under [password] in the file"
                f" {FILE} names; or take `password = true` from the registry"
            )
        unopened = sorted({g.mn for g in registry.loggers if g.sm4 and g.mn not in self._sm4})
        return [f"no SM4 key for {mn}: its encrypted packets are kept and not judged" for mn in unopened]


def load(environment: Mapping[str, str] = os.environ) -> DeviceSecrets:
    """Read the environment and the file it names.

    Raises:
        SecretsError: with everything that is wrong.
    """
    errors: list[str] = []
    found: dict[str, dict[str, str]] = {"sm4": {}, "password": {}}
    if path := environment.get(FILE):
        _read_file(Path(path), found, errors)
    for name, value in environment.items():
        for prefix, table in ((SM4, "sm4"), (PASSWORD, "password")):
            if name.startswith(prefix):
                found[table][name.removeprefix(prefix)] = value
    errors += [f"password of {mn}: empty" for mn, text in found["password"].items() if not text]
    keys: dict[str, bytes] = {}
    for mn, text in found["sm4"].items():
        if _KEY.fullmatch(text.strip()):
            keys[mn] = bytes.fromhex(text.strip())
        else:
            errors.append(f"SM4 key of {mn}: not 32 hex digits")
    if errors:
        raise SecretsError("; ".join(errors))
    return DeviceSecrets(keys, found["password"])


def _read_file(path: Path, found: dict[str, dict[str, str]], errors: list[str]) -> None:
    document = private_file.read(path, f"{FILE} must name a file with tables [sm4] and [password]", errors)
    for table, entries in (document or {}).items():
        if table not in found or not isinstance(entries, dict):
            errors.append(f"{path}: {table} is not known here: write tables [sm4] and [password]")
            continue
        for mn, value in entries.items():
            if isinstance(value, str):
                found[table][mn] = value
            else:
                errors.append(f"{path}: {table}.{mn} must be a text in quotes")
