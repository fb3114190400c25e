"""Questions to a gateway's control connection, for commands of a person."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from schemas.action_files import Placed
from streams.actions import MOST_AT_ONCE

PATIENCE_S = 60.0


class AskError(RuntimeError):
    """The gateway could not be asked, or refused; the text is one line with the cure."""


def ask(host: str, port: int, operation: dict[str, Any], *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """Send one operation of :mod:`streams.control` and give the reply.

    Raises:
        AskError: nobody there, no reply in ``patience_s`` seconds, or refused.
    """
    where = f"control port {host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=patience_s) as connection:
            connection.sendall(msgspec.json.encode(operation) + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except ConnectionRefusedError:
        raise AskError(
            f"{where}: nobody listens there: start the gateway on this machine, or give its control port with --control"
        ) from None
    except OSError as error:
        raise AskError(f"{where}: {error.strerror or 'no reply'}: look at the gateway's log") from None
    try:
        reply: dict[str, Any] = msgspec.json.decode(line, type=dict)
    except msgspec.MsgspecError:
        raise AskError(f"{where}: that is no control port of envstream, look at --control") from None
    if not reply.get("ok"):
        raise AskError(str(reply.get("error", f"{where}: refused")))
    return reply


def ask_actions(host: str, port: int, placed: list[Placed]) -> list[str]:
    """Have a gateway write actions into its log; their ids.

    More than it takes at once are all checked before the first is written.

    Raises:
        AskError: nobody there, or refused, with every error; nothing was written then.
    """
    items = [
        {
            "place": place, "what": action.what, "subject": action.subject, "begin": action.begin, "end": action.end,
            "by": action.by, "why": action.why, "data": action.data, "withdrawn": action.withdrawn,
        }
        for place, action in placed
    ]  # fmt: skip
    parts = [items[at : at + MOST_AT_ONCE] for at in range(0, len(items), MOST_AT_ONCE)]
    errors = []
    for part in parts if len(parts) > 1 else ():
        try:
            ask(host, port, {"op": "actions", "items": part, "check": True})
        except AskError as error:
            errors.append(str(error))
    if errors:
        raise AskError("\n".join(dict.fromkeys(errors)))
    return [name for part in parts for name in ask(host, port, {"op": "actions", "items": part})["ids"]]
