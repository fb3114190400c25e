"""One question to a gateway's control connection, for commands of a person."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

PATIENCE_S = 60.0


class AskError(RuntimeError):
    """The gateway could not be asked, or refused; the text is one line with the cure."""


def ask(host: str, port: int, operation: dict[str, Any]) -> dict[str, Any]:
    """Send one operation of :mod:`streams.control` and give the reply.

    Raises:
        AskError: nobody there, no reply in a minute, or refused.
    """
    where = f"control port {host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
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
