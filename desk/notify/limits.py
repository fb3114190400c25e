"""What providers allow and how often somebody is told: the table ``limits.toml`` beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

_KINDS = ("dingtalk", "wecom", "feishu", "webhook", "sms", "mail", "apprise")


@dataclass(frozen=True)
class KindLimits:
    """Limits of one kind of channel.

    ``windows``: messages and seconds of each robot or address. ``body_bytes``: what :mod:`desk.notify.texts` cuts to,
    0 none. ``again``: provider codes worth another attempt, ``never``: those that go at once to the next channel; a
    code in neither is tried again.
    """

    windows: tuple[tuple[int, int], ...] = ()
    body_bytes: int = 0
    body_chars: int = 0
    again: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Limits:
    """The whole table. Times in seconds unless the name says another unit."""

    attempts: int
    back_off_s: tuple[float, ...]
    connect_s: float
    answer_s: float
    unsure_most: int
    person_per_hour: int
    stale_h: float
    reread_days: int
    silent_s: float
    pipeline_level: str
    kinds: dict[str, KindLimits] = field(default_factory=dict)

    @property
    def forget_ms(self) -> int:
        """What is older is neither read again nor remembered, in milliseconds."""
        return (self.reread_days + 2) * 86_400_000


def read(document: dict[str, Any] | None = None) -> Limits:
    """The table of the package, or a document of its form.

    Raises:
        KeyError: a part of it is missing.
    """
    if document is None:
        document = tomllib.loads((resources.files("desk.notify") / "limits.toml").read_text(encoding="utf-8"))
    tried = document["attempts"]
    return Limits(
        attempts=tried["most"],
        back_off_s=tuple(tried["back_off_s"]),
        connect_s=tried["connect_s"],
        answer_s=tried["answer_s"],
        unsure_most=tried["unsure_most"],
        person_per_hour=document["person"]["per_hour"],
        stale_h=document["age"]["stale_h"],
        reread_days=document["age"]["reread_days"],
        silent_s=document["pipeline"]["silent_s"],
        pipeline_level=document["pipeline"]["level"],
        kinds={kind: _kind(document[kind]) for kind in _KINDS},
    )


def _kind(table: dict[str, Any]) -> KindLimits:
    return KindLimits(
        windows=tuple((most, span) for most, span in table.get("windows", ())),
        body_bytes=table.get("body_bytes", 0),
        body_chars=table.get("body_chars", 0),
        again=frozenset(table.get("codes_again", ())),
        never=frozenset(table.get("codes_never", ())),
    )
