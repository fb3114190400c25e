"""Dead letters for people: what waits on topic ``dead``, each letter once, with what can be done about it."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from schemas import times, topics
from schemas.messages import VERSION, Dead
from streams import by_hand

STATES = (topics.CELLS, topics.VERDICTS, topics.CONDITIONS, topics.EPISODES)
"""Topics whose last message under a key says all there is: what a store refused of it can be tried again."""
GATEWAY, INGEST, FILE = "gateway", "ingest", "file"
"""Where a letter is from when it is not about a message of a topic."""

_MESSAGE = re.compile(r"(?P<topic>[a-z][a-z-]*)/(?P<partition>\d+)/(?P<offset>\d+)")
_STATUS = re.compile(r"[45]\d\d ")
_DIFFERS = re.compile(r"\"[^\"]*\"|'[^']*'|\d+")
_TEXT, _REASON, _GROUPS = 60, 60, 20


class DeadListError(Exception):
    """Letters cannot be read or written; the text is one line: what, where, cure."""


@dataclass(frozen=True)
class Letter:
    """The last record of a letter, and the partition of ``dead`` it is in."""

    dead: Dead
    partition: int

    @property
    def message(self) -> tuple[str, int, int] | None:
        """Topic, partition and offset of the message it is about; None for what never was in a topic."""
        found = _MESSAGE.fullmatch(self.dead.place)
        return (found["topic"], int(found["partition"]), int(found["offset"])) if found else None

    @property
    def source(self) -> str:
        """The topic it is from, or ``gateway``, ``ingest``, ``file``."""
        if self.message is not None:
            return self.message[0]
        post = self.dead.place.split(" ", 1)[0]
        return post if post in (GATEWAY, INGEST) and self.dead.id != self.dead.place else FILE

    @property
    def is_of_line(self) -> bool:
        """Whether it is about one line of its message."""
        return self.message is not None and self.dead.id != self.dead.place


def read(bootstrap: str) -> list[Letter]:
    """The letters that wait, by when they were received, newest last.

    Raises:
        DeadListError: no broker answers, it has no topic ``dead``, or a letter is of a newer version.
    """
    letters: dict[str, Letter] = {}
    try:
        partitions = by_hand.partitions_of(bootstrap, topics.DEAD)
        if not partitions:
            raise DeadListError(f"broker {bootstrap} has no topic {topics.DEAD}: run envstream init first")
        places = [TopicPartition(topics.DEAD, p, OFFSET_BEGINNING) for p in partitions]
        for message in by_hand.to_the_end(bootstrap, places):
            letter = Letter(_decode(message.value() or b"", message.offset()), message.partition())
            letters[letter.dead.id] = letter
    except KafkaException as error:
        raise DeadListError(f"broker {bootstrap}: {error.args[0].str()}: is Kafka up?") from None
    return sorted((x for x in letters.values() if not x.dead.retried), key=lambda x: x.dead.received)


def _decode(value: bytes, offset: int) -> Dead:
    try:
        dead = msgspec.json.decode(value, type=Dead)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeadListError(f"{topics.DEAD}, offset {offset}: {error}: who writes there?") from None
    if dead.v != VERSION:
        raise DeadListError(
            f"{topics.DEAD}, offset {offset}: format {dead.v}: upgrade this program, it reads {VERSION}"
        )
    return dead


def chosen(
    letters: Iterable[Letter], *, since_ms: int | None = None, source: str | None = None, reason: str | None = None
) -> list[Letter]:
    """Those received since then (epoch ms), from there, with these words in their reason."""
    return [
        letter
        for letter in letters
        if (since_ms is None or letter.dead.received >= since_ms)
        and (source is None or letter.source == source)
        and (reason is None or reason.casefold() in letter.dead.reason.casefold())
    ]


def reason_in_short(reason: str) -> str:
    """What letters are counted by: the reason without what differs from letter to letter."""
    if _STATUS.match(reason):
        return _DIFFERS.sub("…", reason[4:])
    return reason.partition(":")[0]


def summary(letters: Iterable[Letter]) -> list[dict[str, Any]]:
    """How many from where and why, most first."""
    counted = Counter((letter.source, reason_in_short(letter.dead.reason)) for letter in letters)
    return [{"from": source, "reason": reason, "letters": n} for (source, reason), n in counted.most_common()]


def as_json(letter: Letter) -> dict[str, Any]:
    """A letter with everything known of it, and its Beijing time."""
    told = {**msgspec.to_builtins(letter.dead), "from": letter.source, "time": when(letter)}
    return {name: value for name, value in told.items() if name not in ("retried", "v")}


def when(letter: Letter) -> str:
    """Beijing time."""
    return times.text(letter.dead.received // 1000)


def table(letters: list[Letter], most: int) -> str:
    """The newest ``most`` letters as rows, newest last, and the summary of all."""
    rows = [("时间 when", "来自 from", "编号 id", "原因 reason", "内容 text")]
    rows += [
        (when(x), x.source, x.dead.id, _short(x.dead.reason, _REASON), _short(readable(x.dead.text), _TEXT))
        for x in letters[len(letters) - most if most < len(letters) else 0 :]
    ]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_padded(text, width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    shown = "" if len(letters) <= most else f", 显示最新 the newest {most} above"
    lines += ["", f"合计 {len(letters)} 条死信 dead letters{shown}"]
    groups = summary(letters)
    lines += [f"{one['letters']:>8}  {one['from']}: {one['reason']}" for one in groups[:_GROUPS]]
    if len(groups) > _GROUPS:
        lines.append(f"{sum(one['letters'] for one in groups[_GROUPS:]):>8}  其他 others")
    return "\n".join(lines)


def readable(text: str) -> str:
    """The text of a letter for people: UTF-8 where it is, one line, nothing a terminal obeys."""
    with contextlib.suppress(UnicodeEncodeError):  # else it was text before
        text = text.encode("latin-1").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)


def _short(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
