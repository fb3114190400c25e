"""A server that sends a byte now and then, for ever: whoever waits for it gets an error all the same."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3
import urllib3.exceptions

from streams.deadline import answer_within


@contextlib.contextmanager
def server(whole: bytes, trickled: bytes = b"") -> Iterator[str]:
    """Answers with the first part at once, then with the other a byte at a time, again and again until nobody reads."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.recv(65_536)
                    peer.sendall(whole)
                    while trickled and not over.is_set():
                        for byte in trickled:
                            peer.sendall(bytes([byte]))
                            time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def ask(url: str) -> urllib3.BaseHTTPResponse:
    manager = urllib3.PoolManager()
    answer_within(manager, 0.5)
    return manager.request("POST", url, body=b"x", retries=False, timeout=10)


@pytest.mark.parametrize(
    ("whole", "trickled"),
    [
        (b"", b"HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_a_trickle_ends_in_an_error(whole: bytes, trickled: bytes) -> None:
    with server(whole, trickled) as url, pytest.raises((urllib3.exceptions.HTTPError, OSError)):
        ask(url)


def test_an_answer_in_time_is_an_answer() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine") as url:
        assert ask(url).data == b"fine"
