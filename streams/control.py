"""The loopback control connection: a replay sets the clock of the writer (design §5), a person asks and commands.

One JSON object a line each way, answered in order. Every operation may be repeated: a player that lost the
connection says hello again and repeats its last one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from schemas import topics
from schemas.action_files import Placed
from schemas.actions import draft
from schemas.alerts import Delivery, Notice
from schemas.messages import Dead, encode
from schemas.registry import parse
from streams import outbox
from streams.clock import VIRTUAL, ClockError
from streams.gateway import Gateway
from streams.journal import JournalError, Record
from streams.writer import WriterError

log = logging.getLogger("envstream.control")

VERSION = 1
MOST_LINE_BYTES = 4 * 1024 * 1024
"""Of an operation: a registry, or MOST_AT_ONCE actions."""
DEAD_TEXT = 200
"""Characters of a line in its dead letter; the file has all of them."""
LIVE_LOG = "this log is live: a replay needs a virtual one; give `envstream up` a fresh folder with --data"


class SentAction(msgspec.Struct, forbid_unknown_fields=True):
    """An action on the control connection; fields as in :class:`schemas.blocks.Action`.

    ``place`` is where it was written, for errors.
    """

    what: str
    subject: str
    begin: int
    end: int
    by: str
    why: str
    data: dict[str, str] = {}
    withdrawn: bool = False
    place: str = ""

    def placed(self) -> Placed:
        """As the intake takes it."""
        action = draft(
            self.what, self.subject, self.begin, self.end,
            by=self.by, why=self.why, data=self.data, withdrawn=self.withdrawn,
        )  # fmt: skip
        return Placed(self.place, action)


class Control:
    """Serves players beside a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._one_at_a_time = asyncio.Lock()
        self._operations: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "hello": self._hello,
            "clock": self._clock,
            "dead": self._dead,
            "deliveries": self._deliveries,
            "registry": self._registry,
            "actions": self._actions,
            "loggers": self._loggers,
            "backfill": self._backfill,
            "command": self._command,
            "confirm": self._confirm,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        peer = writer.get_extra_info("peername")[0]
        try:
            if not ipaddress.ip_address(peer).is_loopback:
                return  # the clock of a log is not for the network
            while line := await reader.readline():
                reply = await self._answer(line)
                writer.write(msgspec.json.encode(reply) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            log.info("control connection: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = msgspec.json.decode(line)
            operation = self._operations[asked["op"]]
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            return {"ok": False, "error": f"not an operation of the control connection: {error}"}
        async with self._one_at_a_time:
            try:
                return await operation(asked)
            except (WriterError, JournalError) as error:
                self.gateway.fail(error)
                return {"ok": False, "error": str(error)}
            except msgspec.ValidationError as error:
                return {"ok": False, "error": f"{asked['op']}: {error}"}
            except (ClockError, KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
                return {"ok": False, "error": str(error)}

    async def _hello(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("v") != VERSION:
            return {"ok": False, "error": f"control format {asked.get('v')}, this gateway speaks {VERSION}"}
        clock = self.gateway.clock
        if clock.kind not in (None, VIRTUAL):
            return {"ok": False, "error": LIVE_LOG}
        return {"ok": True, "log": clock.kind or "empty", "now": clock.virtual_ms}

    async def _clock(self, asked: dict[str, Any]) -> dict[str, Any]:
        await self.gateway.settled({int(port): int(count) for port, count in asked.get("sent", {}).items()})
        now = await self.gateway.intake.set_clock(int(asked["to"]), tick=bool(asked.get("tick")))
        return {"ok": True, "now": now}

    async def _registry(self, asked: dict[str, Any]) -> dict[str, Any]:
        registry = parse(asked["text"], str(asked.get("place", "registry")))
        self.gateway.secrets.check(registry)
        changed = registry.digest != self.gateway.registry.digest
        if changed:
            await self.gateway.intake.apply(registry)
        return {"ok": True, "digest": registry.digest, "changed": changed}

    async def _actions(self, asked: dict[str, Any]) -> dict[str, Any]:
        items = msgspec.convert(asked["items"], list[SentAction])
        placed = [item.placed() for item in items]
        written = await self.gateway.intake.act(placed, dry=bool(asked.get("check")))
        return {"ok": True, "ids": [action.id for action in written]}

    async def _loggers(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "loggers": self.gateway.loggers()}

    async def _backfill(self, asked: dict[str, Any]) -> dict[str, Any]:
        hours = self.gateway.want(asked["source"], asked["cn"], int(asked["begin_s"]), int(asked["end_s"]))
        return {"ok": True, "hours": hours}

    async def _command(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.gateway.command(asked["source"], asked["cn"])
        return {"ok": True}

    async def _confirm(self, asked: dict[str, Any]) -> dict[str, Any]:
        clock = self.gateway.clock
        held = clock.held
        jump_ms = clock.confirm() if held and asked.get("confirm") else clock.jump_ms
        return {"ok": True, "log": clock.kind, "now": clock.now_ms(), "held": held, "jump_ms": jump_ms}

    async def _deliveries(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What ``notify`` has to write down; beside the embedded broker only this process writes."""
        told = msgspec.convert(asked["items"], list[Delivery])
        notices = msgspec.convert(asked.get("notices", []), list[Notice])
        if records := outbox.records(told, notices, self.gateway.writer.partitions):
            await self.gateway.writer.append(records)
        return {"ok": True}

    async def _dead(self, asked: dict[str, Any]) -> dict[str, Any]:
        received = self.gateway.clock.now_ms()
        records = []
        for item in asked["items"]:
            dead = Dead(
                id=item["id"], place=item["id"], reason=item["reason"], text=item["text"][:DEAD_TEXT], received=received
            )
            records.append(Record(topics.DEAD, 0, item["id"].encode(), encode(dead)))
        if records:
            await self.gateway.writer.append(records)
        return {"ok": True}
