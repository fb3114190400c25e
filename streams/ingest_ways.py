"""The ways in that a process opens: HTTP, the topic ``ingest``, a folder. For ``envstream ingest`` and the gateway."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.ingest import Ingest
from streams.ingest_tokens import Tokens
from streams.ports import PortBusy, listen_on

if TYPE_CHECKING:
    from streams.ingest_http import IngestHttp
    from streams.ingest_topic import IngestTopic

log = logging.getLogger("envstream.ingest")


class WaysError(RuntimeError):
    """A way in that cannot be opened; the text is one line with the cure."""


@dataclass(frozen=True)
class WaysPlan:
    """Which ways in.

    Attributes:
        http: address and port; None for none, port 0 for any.
        tokens: of those who may post by HTTP.
        tls: files of certificate and key for HTTP; None for plain HTTP.
        topic: whether the topic ``ingest`` is read; on Kafka only.
        folder: that is watched; None for none.
        option: what a person gives another address with.
    """

    http: tuple[str, int] | None = None
    tokens: Tokens = field(default_factory=lambda: Tokens({}))
    tls: tuple[Path, Path] | None = None
    topic: bool = False
    folder: Path | None = None
    option: str = "--http"


class Ways:
    """The ways of a plan, open from :meth:`start` to :meth:`close`."""

    def __init__(self, plan: WaysPlan) -> None:
        """Take the port, before anything else is started.

        Raises:
            WaysError: no port, or a certificate that cannot be used.
        """
        self._plan = plan
        self._socket: socket.socket | None = None
        self._context: ssl.SSLContext | None = None
        self._http: IngestHttp | None = None
        self._topic: IngestTopic | None = None
        self._tasks: list[asyncio.Task[None]] = []
        if plan.http is None:
            return
        host, port = plan.http
        if plan.tls is not None:
            self._context = _context(*plan.tls)
        elif not host.startswith("127.") and host != "localhost":
            log.warning("http on %s without TLS: tokens can be read on the way: give --cert and --key", host)
        try:
            self._socket = listen_on(host, port, plan.option)
        except PortBusy as error:
            raise WaysError(str(error)) from None

    async def start(self, ingest: Ingest, bootstrap: str) -> dict[str, Any]:
        """Open all of them; the ports, for a supervising parent.

        Raises:
            WaysError: the folder cannot be used.
        """
        work: list[Coroutine[Any, Any, None]] = []
        told: dict[str, Any] = {}
        # A gateway without further ways does not pay for their libraries.
        if self._plan.folder is not None:
            from streams.ingest_folder import IngestFolder, IngestFolderError

            try:
                work.append(IngestFolder(ingest, self._plan.folder).run())
            except IngestFolderError as error:
                raise WaysError(str(error)) from None
        if self._plan.topic:
            from streams.ingest_topic import IngestTopic

            self._topic = IngestTopic(ingest, bootstrap)
            work.append(self._topic.run())
        if self._socket is not None:
            from streams.ingest_http import IngestHttp

            self._http = IngestHttp(ingest, self._plan.tokens)
            await self._http.start(self._socket, self._context)
            told["http_port"] = self._socket.getsockname()[1]
        self._tasks = [asyncio.create_task(each) for each in work]
        return told

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs for ever; one that ends has failed."""
        return self._tasks

    def assigned(self) -> frozenset[tuple[str, int]]:
        """The partitions of the topic that are read here."""
        return self._topic.assigned if self._topic is not None else frozenset()

    async def close(self) -> None:
        """Answer what is at hand; the intake must still write."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or error
        raise WaysError(
            f"--cert {cert}, --key {key}: {why}: name PEM files that can be read and belong together"
        ) from None
    return context
