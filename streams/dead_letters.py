"""Dead letters of the sink: what could not become a point, with its reason, on topic ``dead``.

A letter is delivered before the offset of its message is committed, so none is lost; its id is derived
from topic, partition, offset and line, so one written twice is the same letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from schemas import topics
from schemas.messages import DEAD_TEXT, Dead, encode
from streams.target import Busy, Origin

_WORDS = 500  # of a reason; a server may answer with the whole batch


class DeadLetters:
    """Letters at hand, until Kafka has acknowledged them."""

    def __init__(self, bootstrap: str, config: Mapping[str, Any]) -> None:
        """The producer is made with the first letter: most sinks never write one."""
        self._config = {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 0,
            "log_level": 2,
            **{k: v for k, v in config.items() if not k.startswith(("group.", "auto.", "fetch.", "session."))},
        }
        self._producer: Producer | None = None
        self._letters: dict[str, tuple[int, bytes, bool]] = {}
        self._delivered: set[str] = set()

    def put(self, origin: Origin, reason: str, data: bytes, *, line: int | None = None) -> None:
        """A message (``line`` None) or one of its lines that cannot be used."""
        place = origin.place()
        letter_id = place if line is None else f"{place}/{line}"
        letter = Dead(
            id=letter_id,
            place=place,
            reason=reason[:_WORDS],
            text=data[:DEAD_TEXT].decode("latin-1"),
            received=origin.received,
            key=(origin.key or b"").decode("latin-1"),
        )
        self._letters[letter_id] = (origin.partition, encode(letter), line is not None)

    def forget_lines(self) -> None:
        """Drop letters about lines that were not sent yet: the batch comes again and finds them again."""
        for letter_id in [i for i, (_, _, is_line) in self._letters.items() if is_line]:
            del self._letters[letter_id]

    def deliver(self, timeout: float) -> None:
        """Send what is at hand and wait for Kafka's acknowledgement.

        Raises:
            Busy: not all was acknowledged in time; call again.
        """
        waiting = [i for i in self._letters if i not in self._delivered]
        if not waiting:
            return
        if self._producer is None:
            self._producer = Producer(self._config)
        for letter_id in waiting:
            partition, data, _ = self._letters[letter_id]
            self._producer.produce(
                topics.DEAD, data, letter_id.encode(), partition=partition, on_delivery=self._on_delivery
            )
        self._producer.flush(timeout)
        if any(i not in self._delivered for i in self._letters):
            self._producer.purge()
            raise Busy(0.5, f"Kafka has not acknowledged letters on {topics.DEAD!r}")

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        key = message.key()
        if error is None and key is not None:
            self._delivered.add(key.decode())

    def settle(self) -> int:
        """Forget what was delivered; returns how many letters that were."""
        count = len(self._letters)
        self._letters.clear()
        self._delivered.clear()
        return count
