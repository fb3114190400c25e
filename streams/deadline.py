"""An answer within a time, or none: for urllib3, whose time-outs hold for each piece of an answer by itself.

A server (or what stands before it) that sends a byte now and then would hold its caller for ever. Here the socket is
shut down when the time is over, and the caller gets what a lost connection gives: an ``HTTPError`` or ``OSError``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class _InTime:
    """Ends a connection whose answer is not complete in time."""

    seconds: float
    sock: Any

    def getresponse(self) -> Any:
        """The answer with its body, which urllib3 reads here unless it is told otherwise."""
        watch = threading.Timer(self.seconds, _shut, (self.sock,))
        watch.daemon = True
        watch.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            watch.cancel()


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def answer_within(manager: urllib3.PoolManager, seconds: float) -> None:
    """Every answer through this pool manager is there in ``seconds`` from when its request was sent, or fails.

    It holds for pools made after this call.
    """
    plain = type("PlainInTime", (_InTime, HTTPConnection), {"seconds": seconds})
    encrypted = type("EncryptedInTime", (_InTime, HTTPSConnection), {"seconds": seconds})
    pools = {
        "http": type("PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("EncryptedPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
    }
    manager.pool_classes_by_scheme = pools  # what urllib3 documents for pools of one's own
