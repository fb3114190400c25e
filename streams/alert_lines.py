"""Messages that are told apart by their topic, not by a kind, to lines: alerts, deliveries, dead letters, health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas import alerts, health, topics
from schemas import measurements as m
from schemas.alerts import Delivery, Episode
from schemas.health import Health
from schemas.messages import VERSION, Dead
from streams.line_builder import Builder, stamp_of

_NO_NUMBER = str(m.NOTHING)
_MS_PER_MINUTE = 60_000
_NO_TAG = m.NO_FACTOR
_TOPICS = frozenset(topic.name for topic in topics.TOPICS)


class ByTopic(NamedTuple):
    """How the messages of a topic become lines.

    ``times`` gives the instants of a message that are written, in epoch seconds.
    """

    type: type[msgspec.Struct]
    version: int
    times: Callable[[Any], tuple[int, ...]]
    build: Callable[[Any], list[str]]


def readers() -> dict[str, ByTopic]:
    """By topic."""
    alert, delivery = Builder(m.ALERT), Builder(m.DELIVERY)
    letter, number = Builder(m.DEAD_LETTER), Builder(m.PIPELINE)
    return {
        topics.EPISODES: ByTopic(
            Episode, alerts.VERSION, lambda e: (e.opened // 1000, e.began), lambda e: [_alert(alert, e)]
        ),
        topics.DELIVERIES: ByTopic(
            Delivery, alerts.VERSION, lambda d: (d.at // 1000,), lambda d: [_delivery(delivery, d)]
        ),
        topics.DEAD: ByTopic(Dead, VERSION, lambda d: (d.received // 1000,), lambda d: [_letter(letter, d)]),
        topics.HEALTH: ByTopic(Health, health.VERSION, lambda h: (h.at // 1000,), lambda h: _numbers(number, h)),
    }


def _minutes(since_ms: int, until_ms: int) -> tuple[str, bool]:
    """Minutes with three decimals from one instant to another, which is 0 where it was not yet."""
    return (f"{(until_ms - since_ms) / _MS_PER_MINUTE:.3f}", True) if until_ms else (_NO_NUMBER, False)


def _alert(builder: Builder, e: Episode) -> str:
    return builder.line_at(
        stamp_of(e.opened, e.id),
        (e.about or _NO_TAG, e.group or _NO_TAG, e.kind or _NO_TAG, e.subject or _NO_TAG),
        e.id,
        e.name,
        e.level,
        e.state,
        ",".join(e.rules),
        int(e.state in alerts.ACTIVE),
        int(e.state == alerts.OPEN),
        int(not e.parent and not e.muted),
        len(e.told),
        len(e.members),
        e.holder,
        e.cause,
        e.muted,
        e.parent,
        e.began * 1000,
        e.updated,
        *_minutes(e.opened, e.acknowledged),
        *_minutes(e.opened, e.resolved or e.closed),
        True,
    )


def _delivery(builder: Builder, d: Delivery) -> str:
    return builder.line_at(
        stamp_of(d.at, d.id),
        (d.channel or _NO_TAG, d.group or _NO_TAG, d.person or _NO_TAG),
        d.state,
        int(d.state == alerts.SENT),
        int(d.state == alerts.FAILED),
        int(d.state == alerts.GAVE_UP),
        d.attempt,
        d.status,
        d.code,
        d.words,
        d.notice,
        d.episode,
        d.final,
        True,
    )


def _letter(builder: Builder, letter: Dead) -> str:
    topic = letter.place.partition("/")[0]
    return builder.line_at(
        stamp_of(letter.received, letter.id),
        (topic if topic in _TOPICS else _NO_TAG,),
        letter.id,
        letter.reason,
        int(not letter.retried),  # it is none any more where another try succeeded
        not letter.retried,
    )


def _numbers(builder: Builder, said: Health) -> list[str]:
    stamp = f"{said.at}000000"
    return [
        builder.line_at(
            stamp,
            (one.about or health.NOTHING_IN_PARTICULAR, said.instance or _NO_TAG, one.name or _NO_TAG, said.part),
            f"{one.value:.6f}",
            True,
        )
        for one in said.samples
    ]
