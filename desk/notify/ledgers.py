"""Where deliveries are written: Kafka, or the journal of the embedded default by the gateway's control connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaException, Producer

from schemas import topics
from schemas.alerts import Delivery, Notice
from streams import outbox
from streams.ask import AskError, ask

log = logging.getLogger("envstream.notify")

_AGAIN_S = 1.0
_AT_ONCE = 500


class KafkaLedger:
    """Own producer; waits for Kafka as long as it takes."""

    def __init__(self, bootstrap: str, config: dict[str, Any] | None = None) -> None:
        """``config`` goes to librdkafka unchanged."""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "message.timeout.ms": 0,
                "log_level": 0,
                **(config or {}),
            }
        )
        self._partitions = 0

    async def append(self, deliveries: Sequence[Delivery], notices: Sequence[Notice] = ()) -> None:
        """Return when Kafka has acknowledged all of them."""
        while not self._partitions:
            self._partitions = await asyncio.to_thread(self._count)
            if not self._partitions:
                await asyncio.sleep(_AGAIN_S)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        left = len(deliveries) + len(notices)
        refused = ""

        def delivered(error: Any, message: Any) -> None:
            nonlocal left, refused
            left -= 1
            refused = refused or (error.str() if error is not None else "")
            if left == 0:
                loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(None))

        for record in outbox.records(deliveries, notices, self._partitions):
            place = record.topic, record.value, record.key, record.partition
            self._producer.produce(*place, on_delivery=delivered)
        while left:
            self._producer.poll(0)
            await asyncio.wait([done], timeout=0.005)
        if refused:
            raise RuntimeError(f"deliveries: Kafka refuses them: {refused}: run envstream init, look at its rights")

    def _count(self) -> int:
        try:
            found = self._producer.list_topics(topics.DELIVERIES, timeout=5).topics[topics.DELIVERIES]
        except KafkaException:
            return 0
        return len(found.partitions)


class ControlLedger:
    """Asks the gateway, which is the one writer there: synced in its journal, then in the broker."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._said = ""

    async def append(self, deliveries: Sequence[Delivery], notices: Sequence[Notice] = ()) -> None:
        """Return when the gateway has appended all of them."""
        for at in range(0, max(len(deliveries), 1), _AT_ONCE):
            part = deliveries[at : at + _AT_ONCE]
            operation = {
                "op": "deliveries",
                "items": msgspec.to_builtins(part),
                "notices": msgspec.to_builtins(notices if at == 0 else ()),
            }
            while True:
                try:
                    await asyncio.to_thread(ask, self._host, self._port, operation)
                    break
                except AskError as error:
                    if str(error) != self._said:
                        self._said = str(error)
                        log.warning("deliveries wait: %s", error)
                    await asyncio.sleep(_AGAIN_S)
