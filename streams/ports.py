"""Ports: take one, or say who has it."""

from __future__ import annotations

import socket

import psutil


class PortBusy(OSError):
    """A port that cannot be listened on; the text names it, who has it, and the cure."""

    def __init__(self, text: str) -> None:
        """``text`` is the whole message."""
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


def listen_on(host: str, port: int, option: str = "--port") -> socket.socket:
    """A bound TCP socket; ``option`` is where a person would give another.

    Raises:
        PortBusy: in use, not allowed, or no such address.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(1024)
    except OSError as error:
        found.close()
        who = owner(port)
        if who:
            cure = f"stop it, or give another with {option}"
            raise PortBusy(f"port {port} on {host} is in use by {who}: {cure}") from None
        raise PortBusy(f"port {port} on {host}: {error.strerror}: give another with {option}") from None
    found.setblocking(False)
    return found


def owner(port: int) -> str | None:
    """Who listens on a TCP port, as ``envstream gateway (pid 4711)``; None when nobody or not to be seen."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return _name(connection.pid)
    except psutil.AccessDenied:
        return "another program (run as root to see which)"
    return None


def _name(pid: int | None) -> str:
    if pid is None:
        return "a program of another user"
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        words = []
    short = " ".join(word.rsplit("/", 1)[-1] for word in words[:4])
    return f"{short or 'a program'} (pid {pid})"
