"""Messages that are told apart by their topic: alerts, deliveries, readings, dead letters, health."""

from __future__ import annotations

from pathlib import Path

from schemas import alerts, blocks, registry, times, topics
from schemas.alerts import Delivery, Episode, Member
from schemas.blocks import Block
from schemas.health import Health, Sample
from schemas.messages import Dead, encode

GROUP, SUBJECT = "lanfeng-steel", "lanfeng-sinter-head"
DISTRICT = Path(__file__).parents[2] / "districts/example/district.toml"
"""Has the names of what the samples are about."""


def episode(opened_ms: int, number: int = 1, **changes: object) -> Episode:
    """An alert nobody has acknowledged yet, of a limit that was exceeded."""
    fields: dict[str, object] = {
        "id": f"e{number:04d}", "group": GROUP, "kind": "emission", "subject": SUBJECT, "name": "一号烧结机头",
        "about": "NOx", "began": opened_ms // 1000 - 300, "level": "orange", "state": alerts.OPEN,
        "opened": opened_ms, "updated": opened_ms, "rules": ["over-limit", "R9"],
        "members": [
            Member("c1", "over-limit", SUBJECT, "一号烧结机头", "NOx", "orange", opened_ms // 1000 - 300, 0, True)
        ],
        "told": ["li-duty"],
    }  # fmt: skip
    return Episode(**(fields | changes))  # type: ignore[arg-type]


def delivery(at_ms: int, state: str = alerts.SENT, **changes: object) -> Delivery:
    """An attempt to tell one person."""
    fields: dict[str, object] = {
        "id": f"n1|li-duty|dingtalk|1|{state}", "notice": "n1", "episode": "e0001", "group": GROUP,
        "person": "li-duty", "channel": "dingtalk", "attempt": 1, "state": state, "at": at_ms, "status": 200,
        "code": "0", "words": 'ok "sent"', "final": state == alerts.SENT,
    }  # fmt: skip
    return Delivery(**(fields | changes))  # type: ignore[arg-type]


def block(end: int, **changes: object) -> Block:
    """Two packets of an outlet: a minute with a flag, a unit and a missing value, and one that came later."""
    fields: dict[str, object] = {
        "writer": "gw", "first": 7, "sources": [SUBJECT, "lanfeng-power"], "factors": ["NOx", "flow", "O2"],
        "source": [0, 1], "times": [end, end - 60], "periods": "mr", "received": [end * 1000, end * 1000],
        "qn": ["", ""], "counts": [3, 1], "factor": [0, 1, 2, 0], "values": [-1250, 316800, 0, 7], "places": "20-0",
        "flags": "_N_D", "codes": ["a21002", "a00000", "a19001"], "units": ["", "m3/h", ""], "marks": "_R",
    }  # fmt: skip
    return Block(**(fields | changes))  # type: ignore[arg-type]


def letter(received_ms: int, **changes: object) -> Dead:
    """What could not be used."""
    fields: dict[str, object] = {
        "id": "cells/2/1", "place": "cells/2/1", "reason": "not a message of format 1", "text": '{"kind":"hour"',
        "received": received_ms,
    }  # fmt: skip
    return Dead(**(fields | changes))  # type: ignore[arg-type]


def health(at_ms: int, **changes: object) -> Health:
    """Numbers of a worker."""
    fields: dict[str, object] = {
        "part": "worker", "instance": "w1", "at": at_ms,
        "samples": [Sample("lag", "readings-air", 17.0), Sample("memory", "-", 123456789.0)],
    }  # fmt: skip
    return Health(**(fields | changes))  # type: ignore[arg-type]


def version(received_ms: int, text: str = "") -> blocks.RegistryVersion:
    """A registry in force, that of the example district."""
    found = registry.parse(text or DISTRICT.read_text(encoding="utf-8"), DISTRICT.name)
    return blocks.RegistryVersion("gw", found.digest, found.text, received_ms)


def every_message(day: int) -> list[tuple[str, bytes, bytes]]:
    """``(topic, key, value)`` of one message of each topic, of a day."""
    at = times.day_start(day) + 30_600
    alert, told, dead, said = episode(at * 1000), delivery(at * 1000), letter(at * 1000), health(at * 1000)
    return [
        (topics.EPISODES, alert.id.encode(), encode(alert)),
        (topics.DELIVERIES, told.notice.encode(), encode(told)),
        (topics.READINGS_EMISSION, b"", encode(block(at))),
        (topics.DEAD, dead.id.encode(), encode(dead)),
        (topics.HEALTH, b"worker|w1", encode(said)),
        (topics.REGISTRY, topics.REGISTRY_KEY, blocks.encode(version(at * 1000))),
    ]
