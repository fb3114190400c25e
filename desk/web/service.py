"""Starts the desk: follows the log, serves its pages."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from desk.view import Follower, View
from desk.web.app import make_app, tls_of
from desk.web.tokens import Tokens, TokensError
from desk.web.writing import ByControl, ByKafka
from streams.health import telling
from streams.offsets import Offsets
from streams.part_metrics import Lag, new_registry
from streams.ports import PortBusy, listen_on

KEEPALIVE_S: Final = 75.0
STOP_S: Final = 5.0


class DeskError(RuntimeError):
    """The desk cannot start; the text is one line with the cure."""


@dataclass(frozen=True)
class DeskPlan:
    """What a desk is told at its start.

    Attributes:
        bootstrap: the broker whose log is read.
        listen: address and port of the pages.
        tokens: the file of hashes; None: of the environment alone.
        control: of the gateway, through which actions are written; None: straight into a live log on Kafka.
        tls: PEM certificate and key; None: plain HTTP, for this machine or behind a reverse proxy.
        proxy: a reverse proxy stands before it, and its ``X-Forwarded-*`` headers are believed.
        embedded: the broker is the embedded one, which waits for this reader.
        metrics: address and port for Prometheus, apart from the pages; None for none.
    """

    bootstrap: str
    listen: tuple[str, int]
    tokens: Path | None
    control: tuple[str, int] | None = None
    tls: tuple[Path, Path] | None = None
    proxy: bool = False
    embedded: bool = False
    metrics: tuple[str, int] | None = None


async def serve(plan: DeskPlan, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the port when pages are there.

    Raises:
        DeskError: with one line for a person.
    """
    try:
        tokens = Tokens(plan.tokens)
        context = tls_of(*plan.tls) if plan.tls is not None else None
        sock = listen_on(*plan.listen, "--listen")
    except (TokensError, PortBusy) as error:
        raise DeskError(str(error)) from None
    except (OSError, ssl.SSLError) as error:
        raise DeskError(f"--cert, --key: {error.strerror or error}: name PEM files that can be read") from None
    if not tokens:
        raise DeskError("nobody can sign in: make a token with: envstream desk token PERSON")
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    view = View()
    by_control = ByControl(*plan.control) if plan.control is not None else None
    app = make_app(view, by_control or ByKafka(plan.bootstrap, view), tokens, proxy=plan.proxy)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=STOP_S)
    await runner.setup()
    follower = Follower(plan.bootstrap, view, embedded=plan.embedded)
    clock = asyncio.create_task(by_control.follow_clock(view)) if by_control is not None else None
    registry = new_registry()
    if not plan.embedded:
        registry.register(Lag(Offsets(plan.bootstrap), lambda: dict(follower.taken)))
    try:
        kafka = None if plan.embedded else plan.bootstrap
        with telling("desk", registry, metrics=plan.metrics, bootstrap=kafka) as port:
            await web.SockSite(runner, sock, ssl_context=context).start()
            ready({"port": sock.getsockname()[1], **({} if port is None else {"metrics_port": port})})
            await stop.wait()
    except PortBusy as error:
        raise DeskError(str(error)) from None
    finally:
        if clock is not None:
            clock.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await clock
        await runner.cleanup()
        await loop.run_in_executor(None, follower.close)
