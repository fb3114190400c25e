"""Actions straight into Kafka, without a gateway's control connection: live logs only."""

from __future__ import annotations

import asyncio
import socket
import time

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from schemas import times, topics
from schemas.action_files import Placed
from schemas.actions import Action
from schemas.registry import Registry, RegistryError
from streams.actions import MOST_AT_ONCE, ActionsRefused, Written, prepare
from streams.clock import JUMP_MS, LIVE
from streams.gateway_service import messages_of, newest_ms, read_log, registry_of
from streams.journal import Record
from streams.writer import Writer, WriterError

PATIENCE_S = 60.0
"""For Kafka's acknowledgement."""
CONTROL = "use the control connection of its gateway: envstream action … --control HOST:PORT"


class ActionWriterError(RuntimeError):
    """Nothing, or not everything, is known to be in the log; the text says why, a line each, with the cure."""


def write(bootstrap: str, placed: list[Placed]) -> list[Action]:
    """Check actions under the log's registry and append them; returns when Kafka has acknowledged all.

    Args:
        bootstrap: Kafka.
        placed: drafts with their places, for errors.

    Returns:
        The actions as they stand in the log.

    Raises:
        ActionWriterError: refused, before anything was written, or not acknowledged in a minute.
    """
    try:
        name = f"act-{socket.gethostname()}-{time.time_ns() // 1_000_000:x}"
        writer = Writer(bootstrap, name=name, journal=None)
        try:
            return _write(writer, placed)
        finally:
            writer.close()
    except (ActionsRefused, RegistryError, WriterError) as error:
        raise ActionWriterError(str(error)) from None
    except KafkaException as error:
        raise ActionWriterError(f"broker {bootstrap}: {error.args[0].str()}: is Kafka up?") from None


def _write(writer: Writer, placed: list[Placed]) -> list[Action]:
    registry = _registry(writer)
    now_ms = _now_ms(writer)
    parts = [placed[at : at + MOST_AT_ONCE] for at in range(0, len(placed), MOST_AT_ONCE)]
    ready = _prepare_all(parts, registry, writer, now_ms)
    try:
        asyncio.run(_append(writer, ready))
    except TimeoutError:
        raise ActionWriterError(
            f"broker {writer.bootstrap}: no acknowledgement in {PATIENCE_S:.0f} s: say it again later, an action that"
            " is in the log already stays the same one"
        ) from None
    return [action for written in ready for action in written.actions]


def _prepare_all(parts: list[list[Placed]], registry: Registry, writer: Writer, now_ms: int) -> list[Written]:
    ready: list[Written] = []
    errors: list[str] = []
    for part in parts:
        try:
            ready.append(prepare(part, registry, writer.name, writer.partitions, now_ms))
        except ActionsRefused as error:
            errors.append(str(error))
    if errors:
        raise ActionsRefused("\n".join(errors))
    return ready


async def _append(writer: Writer, ready: list[Written]) -> None:
    for written in ready:
        await asyncio.wait_for(writer.append(written.records), PATIENCE_S)


def _registry(writer: Writer) -> Registry:
    found, kind = read_log(writer.bootstrap, writer.partitions)
    if kind is None or found.registry is None:
        raise ActionWriterError(
            f"the log of {writer.bootstrap} has no clock of a gateway on Kafka: start the gateway first; beside"
            f" envstream up {CONTROL}"
        )
    if kind != LIVE:
        raise ActionWriterError(f"the log of {writer.bootstrap} is {kind}, its clock is its gateway's: {CONTROL}")
    return registry_of(writer.bootstrap)


def _now_ms(writer: Writer) -> int:
    """The wall clock, not behind the log; a clock far from it is refused, because now of a log never goes back."""
    wall, newest = time.time_ns() // 1_000_000, newest_ms(writer.bootstrap, writer.partitions)
    if newest is None or abs(wall - newest) <= JUMP_MS:
        return max(wall, newest or 0)
    raise ActionWriterError(
        f"it is {times.text(wall // 1000)} here and {times.text(newest // 1000)} in the log of {writer.bootstrap}:"
        f" is its gateway up, are the clocks right? or {CONTROL}"
    )


def read(bootstrap: str) -> list[Record]:
    """The records of the topic ``actions``, oldest first within a partition.

    Raises:
        ActionWriterError: Kafka does not answer, or has no such topic.
    """
    try:
        writer = Writer(bootstrap, name="act", journal=None)  # it counts the partitions, and says what is missing
        writer.close()
        places = [TopicPartition(topics.ACTIONS, p, OFFSET_BEGINNING) for p in range(writer.partitions)]
        return [Record(topics.ACTIONS, 0, key, value) for key, value in messages_of(bootstrap, places)]
    except WriterError as error:
        raise ActionWriterError(str(error)) from None
    except KafkaException as error:
        raise ActionWriterError(f"broker {bootstrap}: {error.args[0].str()}: is Kafka up?") from None
