"""The verdicts of a log as they stand, and the registry that names their subjects: what reports are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from agents.air import AirJudge
from agents.rejudge import Rejudged
from schemas import blocks, topics
from schemas.registry import Registry, RegistryError, parse
from streams import journal
from streams.gateway_service import messages_of, registry_of
from streams.simulator.recording import journal_of
from streams.writer import Writer, WriterError


class VerdictLogError(Exception):
    """There is no log to read verdicts from; the text is one line with the cure."""


@dataclass(frozen=True)
class VerdictLog:
    """The last verdict of every key, and the newest registry of the log."""

    verdicts: Mapping[bytes, bytes]
    registry: Registry


def of_journal(folder: Path) -> VerdictLog:
    """Judge the air of the journal of an ``envstream up`` again; it may be running.

    Raises:
        VerdictLogError: there is none, or nobody's registry is in it.
    """
    found = journal_of(folder)
    if found is None:
        raise VerdictLogError(f"{folder}: no journal of envstream up: give its folder with --data, or Kafka")
    judged = Rejudged(topics.EMBEDDED_PARTITIONS, judges={topics.READINGS_AIR: AirJudge}, keep=())
    text = ""
    for record in journal.read(found):
        if record.topic == topics.REGISTRY and record.key == b"registry":
            text = msgspec.json.decode(record.value, type=blocks.RegistryVersion).text
        judged.take(record)
    return VerdictLog(judged.last(topics.VERDICTS), _registry(text, str(folder)))


def of_kafka(bootstrap: str) -> VerdictLog:
    """Read the compacted topic ``verdicts`` from its beginning.

    Raises:
        VerdictLogError: no broker answers, or it is none of envstream's.
    """
    try:
        writer = Writer(bootstrap, name="report", journal=None)  # it counts the partitions, and says what is missing
        writer.close()
        places = [TopicPartition(topics.VERDICTS, p, OFFSET_BEGINNING) for p in range(writer.partitions)]
        verdicts = {key: value for key, value in messages_of(bootstrap, places) if key is not None and value}
        return VerdictLog(verdicts, registry_of(bootstrap))
    except (WriterError, RegistryError) as error:
        raise VerdictLogError(str(error)) from None
    except KafkaException as error:
        raise VerdictLogError(f"broker {bootstrap}: {error.args[0].str()}: is Kafka up?") from None


def _registry(text: str, place: str) -> Registry:
    try:
        return parse(text, f"registry in the log of {place}")
    except RegistryError as error:
        raise VerdictLogError(str(error)) from None
