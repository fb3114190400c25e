"""Runs ``envstream notify``: the reader, the notifier and the watch over the pipeline in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge

from desk.notify import limits as table
from desk.notify.channel_secrets import Secrets, SecretsError, load
from desk.notify.clock import WallClock
from desk.notify.ledgers import ControlLedger, KafkaLedger
from desk.notify.notifier import DRILL, VIRTUAL, Ledger, Notifier
from desk.notify.notifier import LIVE as TELL
from desk.notify.pipeline import PipelineWatch
from desk.notify.reader import Begun, Reader
from desk.notify.senders import Senders, quiet_libraries
from schemas.alerts import Delivery, Notice
from schemas.registry import Registry
from streams.ask import AskError, ask
from streams.clock import LIVE
from streams.health import telling
from streams.offsets import Offsets
from streams.part_metrics import Lag, new_registry
from streams.ports import PortBusy

log = logging.getLogger("envstream.notify")

_LOOK_S = 5.0
_ASK_AGAIN_S = 1.0
_DAY_MS = 86_400_000


class NotifyError(RuntimeError):
    """It cannot start or go on; the text is one line with the cure."""


@dataclass(frozen=True)
class NotifyPlan:
    """What it is told at its start.

    Attributes:
        bootstrap: the broker.
        control: of the gateway beside the embedded broker, which writes for it; None on Kafka.
        secrets_file: of the channels; None for the environment alone.
        robots: address of fakes that get every request instead of the providers (a drill); "" for none.
        metrics: address and port for Prometheus; None for none.
    """

    bootstrap: str
    control: tuple[str, int] | None = None
    secrets_file: Path | None = None
    robots: str = ""
    metrics: tuple[str, int] | None = None


class _Metrics:
    def __init__(self) -> None:
        self.registry = new_registry()
        self.rows = Counter(
            "envstream_deliveries",
            "Rows of deliveries, by what came of it",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.waiting = Gauge("envstream_notify_waiting", "Notices and persons not done yet", registry=self.registry)
        self.tick_age = Gauge(
            "envstream_notify_tick_age_seconds", "Since a tick of the log was heard", registry=self.registry
        )

    def told(self, row: Delivery) -> None:
        self.rows.labels(row.channel or "none", row.state).inc()


async def serve(plan: NotifyPlan, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told when what there was has been read.

    Raises:
        NotifyError: with one line for a person.
    """
    quiet_libraries()
    try:
        secrets = load(plan.secrets_file)
    except SecretsError as error:
        raise NotifyError(str(error)) from None
    metrics = _Metrics()
    told: dict[str, Any] = {}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = _Service(plan, secrets, metrics, lambda: ready(told))
    kafka = plan.bootstrap if plan.control is None else None
    if kafka is not None:
        metrics.registry.register(Lag(Offsets(kafka), service.taken))
    try:
        with telling("notify", metrics.registry, metrics=plan.metrics, bootstrap=kafka) as port:
            if port is not None:
                told["metrics_port"] = port
            await service.run(stop)
    except (RuntimeError, PortBusy) as error:
        raise NotifyError(str(error)) from None
    finally:
        await service.close()


class _Service:
    def __init__(self, plan: NotifyPlan, secrets: Secrets, metrics: _Metrics, ready: Callable[[], None]) -> None:
        self.plan, self.secrets, self.metrics, self.ready = plan, secrets, metrics, ready
        self.limits, self.clock = table.read(), WallClock()
        self.watch = PipelineWatch(self.limits, self.clock.now_ms())
        self.kind = ""
        self.reader: Reader | None = None
        self.notifier: Notifier | None = None
        self.senders: Senders | None = None
        self.ledger: Ledger = KafkaLedger(plan.bootstrap) if plan.control is None else ControlLedger(*plan.control)
        self.early: Begun | None = None  # what was read, while there is no registry

    async def run(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        if self.plan.control is not None:
            await self._until_rebuilt(stopped)
        self.reader = Reader(
            self.plan.bootstrap,
            asyncio.get_running_loop(),
            since_ms=self.clock.now_ms() - (self.limits.reread_days + 1) * _DAY_MS,
            embedded=self.plan.control is not None,
            begun=self._begin,
            heard=self._hear,
        )
        while not stopped.done():
            waited: list[asyncio.Future[Any]] = [stopped]
            if self.notifier is not None:
                waited.append(self.notifier.failure)
            await asyncio.wait(waited, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if self.notifier is not None and self.notifier.failure.done():
                self.notifier.failure.result()
            await self._look()

    def taken(self) -> dict[tuple[str, int], int]:
        """The notice to take next of each partition."""
        return dict(self.reader.taken) if self.reader is not None else {}

    async def _until_rebuilt(self, stopped: asyncio.Task[Any]) -> None:
        """The gateway answers when the whole journal is in the broker."""
        while not stopped.done() and not await self._ask_kind():
            await asyncio.wait([stopped], timeout=_ASK_AGAIN_S)

    async def _ask_kind(self) -> bool:
        assert self.plan.control is not None
        try:
            reply = await asyncio.to_thread(ask, *self.plan.control, {"op": "confirm"})
        except AskError as error:
            log.info("%s", error)
            return False
        self.kind = str(reply.get("log") or "")
        return True

    def _begin(self, begun: Begun) -> None:
        if begun.kind:
            self._is(begun.kind)
        if self.notifier is None:
            first, self.early = self.early is None, begun
            self._start()
            if first:
                self.ready()
        else:  # Kafka was away, and all of it was read again; what was taken is not taken twice
            self.notifier.registry = begun.registry or self.notifier.registry
            self._catch_up(begun.notices)

    def _start(self) -> None:
        """As soon as there is a registry, and the log's clock is known: of a virtual log nobody is told, for ever."""
        if self.early is None or self.early.registry is None or not (self.kind or self.plan.robots):
            return
        begun, registry = self.early, self.early.registry
        mode = TELL if self.kind == LIVE else VIRTUAL
        if self.plan.robots:
            mode = DRILL
            self.secrets = with_stand_ins(self.secrets, registry)
        for line in self.secrets.missing(registry.persons):
            log.warning("%s", line)
        self.senders = Senders(self.secrets, self.limits, self.plan.robots)
        self.notifier = Notifier(
            self.senders,
            self.ledger,
            self.secrets,
            self.limits,
            self.clock,
            registry,
            mode=mode,
            told=self.metrics.told,
        )
        self.notifier.begin(begun.rows, begun.notices)
        self._catch_up(begun.notices)

    def _catch_up(self, notices: list[Notice]) -> None:
        assert self.notifier is not None
        for notice in sorted(notices, key=lambda n: n.at):
            self.watch.see(notice)
            self.notifier.take(notice)

    def _hear(self, heard: Notice | Registry | str | None) -> None:
        if heard is None:
            self.watch.tick(self.clock.now_ms())
        elif isinstance(heard, str):
            self._is(heard)
        elif self.notifier is not None:
            if isinstance(heard, Notice):
                self.notifier.take(heard)
            else:
                self.notifier.registry = heard
        elif self.early is not None:
            if isinstance(heard, Notice):
                self.early.notices.append(heard)
            else:
                self.early.registry = heard
                self._start()

    def _is(self, kind: str) -> None:
        """The log's clock was decided."""
        self.kind = kind
        if self.notifier is None:
            self._start()

    async def _look(self) -> None:
        now = self.clock.now_ms()
        self.metrics.tick_age.set((now - self.watch.heard_ms) / 1000)
        if not self.kind and self.plan.control is not None and await self._ask_kind():
            self._is(self.kind)
        if self.notifier is None or self.reader is None:
            return
        self.metrics.waiting.set(self.notifier.waiting)
        self.notifier.forget()
        kafka = self.reader.kafka_silent_s() < self.limits.silent_s / 2
        notice = self.watch.look(now, self.notifier.registry, live=self.kind == LIVE, kafka=kafka)
        if notice is not None:
            log.error("%s: %s", notice.title, notice.text_en)
            self.notifier.raise_own(notice)

    async def close(self) -> None:
        if self.reader is not None:
            await asyncio.to_thread(self.reader.close)
        if self.notifier is not None:
            await self.notifier.close(self.limits.answer_s + 1.0)
        if self.senders is not None:
            with contextlib.suppress(Exception):
                await self.senders.close()


def with_stand_ins(secrets: Secrets, registry: Registry | None) -> Secrets:
    """For a drill: what is set, and made-up secrets for the rest, so that every channel can be tried.

    A robot has its secret's NAME as token and SEC-NAME as signing secret, a number is made of the NAME.
    """
    texts = {}
    for person in registry.persons if registry is not None else ():
        for channel in person.channels:
            name = channel.secret
            texts[name] = {
                "wecom": name,
                "webhook": f"http://127.0.0.1/webhook/{name} SEC-{name}",
                "sms": f"199{zlib.crc32(name.encode()) % 10**8:08d}",
                "mail": "json://127.0.0.1",
                "apprise": "json://127.0.0.1",
            }.get(channel.kind, f"{name} SEC-{name}")
    return secrets.over(texts)
