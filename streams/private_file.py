"""A TOML file of secrets: only its owner may read it, and nothing of it is ever said."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def read(path: Path, cure: str, errors: list[str]) -> dict[str, Any] | None:
    """The document of a file of secrets; None when it cannot be read.

    Args:
        path: of the file.
        cure: what it must be, for the error.
        errors: gets what is wrong with the file, none of its values.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mode & 0o077:
            errors.append(f"{path}: others may read it: chmod 600 {path}")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # never the parser's words: they may quote a line of the file
        reason = error.strerror if isinstance(error, OSError) else "not a TOML text"
        errors.append(f"{path}: {reason}: {cure}")
        return None
    return document
