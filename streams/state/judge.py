"""The frame of a judge: time, registry, actions, rows, what was said. Fills in the kernel's ``Judge``; knows no law.

A judge is a pure function of the messages of one partition. It keeps slots, derives everything else from them when
they change, and publishes what differs from what it said before. Time is what the messages say:

* *now* is the highest ``received`` so far. When it moves from a to b, what has changed is derived first, then the
  timers due in (a, b] fire, in the order (due, key), each at its own due time; after each of them what it changed is
  derived, as if a tick had come between it and the next.
* Whatever is published carries instants of the data (an end, a due time, a ``received``), never the partition's now:
  so a result depends neither on how far apart ticks are nor on which groups share a partition.
* What was said is not stored. It is derived again from the slots the first time somebody asks, before they change.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec

from schemas import blocks, topics
from schemas import registry as registries
from schemas.actions import Key as Decided
from schemas.actions import holding
from schemas.alerts import ALERT_ACTIONS
from schemas.messages import DEAD_TEXT, Condition, Dead, Revision, encode
from schemas.registry import Registry
from streams.state.kernel import Output
from streams.state.shelf import Row, Shelf
from streams.state.slots import Slots
from streams.state.timers import Key, Timers

REGISTRY_PREFIX = "registry"
ACTION_PREFIX = "a"
_SAID_MOST = 200_000
"""Digests of what was said, remembered; beyond it the oldest are derived again when they are asked for."""


class Judge(ABC):
    """One partition's judge. Subclasses keep shelves and slots, and answer the hooks below.

    Attributes:
        registry: in force at this offset of the log; None before the first.
        now_ms: the log's now, epoch ms.
        due_ms: due time of the timer that fires, epoch ms; None while none does.
        timers: keys and due times; derived, never stored.
        quiet: what is derived now was said before: publish nothing.
        place: topic/partition/offset of the message at hand.
    """

    def __init__(self, partition: int, partitions: int = 1) -> None:
        self.partition, self.partitions = partition, partitions
        self.registry: Registry | None = None
        self.now_ms: int | None = None
        self.due_ms: int | None = None
        self.timers = Timers()
        self.quiet = False
        self.place = ""
        self.actions: Shelf[blocks.Action] = Shelf(ACTION_PREFIX, _action_of, blocks.encode)
        self._decisions: dict[str, list[tuple[Decided, blocks.Action]]] = {}
        self._ever: dict[str, list[blocks.Action]] = {}
        self._shelves: dict[str, Shelf[Any] | Slots] = {ACTION_PREFIX: self.actions}
        self._registry_changed = False
        self._begun = False
        self._said: dict[bytes, str] = {}
        self._out: list[Output] = []
        self._index = 0
        self._unknown: list[tuple[bytes, bytes]] = []

    # ---- what subclasses fill in

    @abstractmethod
    def on_registry(self) -> None:
        """Another registry is in force: ``self.registry``."""

    @abstractmethod
    def on_block(self, block: blocks.Block) -> None:
        """Take a block; move time with :meth:`advance` as its packets were received."""

    def before_action(self, action: blocks.Action) -> None:  # noqa: B027 - a judge without corrections needs none
        """An action is about to count: derive again, quietly, what was said of its periods and may be forgotten."""

    @abstractmethod
    def on_action(self, action: blocks.Action) -> None:
        """A person decided something, or took it back; it is on the shelf ``actions`` already."""

    @abstractmethod
    def on_timer(self, key: Key, due_ms: int) -> None:
        """A timer fires; ``now_ms`` is its due time."""

    @abstractmethod
    def derive(self) -> None:
        """Derive and publish what rests on what has changed since the last call."""

    @abstractmethod
    def begin(self) -> None:
        """All rows are back, or the log begins: set the timers that are due after ``now_ms``. Publish nothing."""

    # ---- what they use

    def keep(self, shelf: Any) -> Any:
        """Register a shelf or slots: their rows become part of the state."""
        self._shelves[shelf.prefix] = shelf
        return shelf

    def advance(self, to_ms: int) -> None:
        """Move now forward; what is due on the way fires first. An earlier instant changes nothing."""
        for _ in self._advancing(to_ms):
            pass

    def _advancing(self, to_ms: int) -> Iterator[None]:
        """As :meth:`advance`, with a pause after every timer: a long way may take longer than a session."""
        if self.now_ms is None:
            self.now_ms = to_ms
            return
        if to_ms <= self.now_ms:
            return
        due = self.timers.next_due
        if due is not None and due <= to_ms:
            self.derive()
            while (fired := self.timers.pop(to_ms)) is not None:
                self.now_ms = max(self.now_ms, fired[0])
                self.due_ms = fired[0]
                self.on_timer(fired[1], fired[0])
                self.derive()
                self.due_ms = None
                yield
        self.now_ms = max(self.now_ms, to_ms)

    def publish(self, topic: str, key: bytes, message: msgspec.Struct) -> None:
        """Publish a message, unless everything derived now was said before."""
        if not self.quiet:
            self._out.append(Output(topic, key, encode(message)))

    def say(self, topic: str, key: bytes, digest: str, make: Callable[[], msgspec.Struct]) -> str | None:
        """Publish what a key stands for, unless it was said with this digest; what was said before, or None.

        Args:
            topic: compacted.
            key: of the message.
            digest: names its content (not who made it, nor when): the same digest is the same verdict.
            make: builds the message; called only when it is published.
        """
        before = self._said.get(key)
        if before == digest:
            return before
        self._remember(key, digest)
        if not self.quiet:
            self._out.append(Output(topic, key, encode(make())))
        return before

    def said(self, key: bytes) -> str | None:
        """Digest last said under a key, as far as it is remembered."""
        return self._said.get(key)

    def forget(self, key: bytes) -> None:
        """What was said under a key is closed for good."""
        self._said.pop(key, None)

    def _remember(self, key: bytes, digest: str) -> None:
        self._said.pop(key, None)
        self._said[key] = digest
        if len(self._said) > _SAID_MOST:
            del self._said[next(iter(self._said))]

    def revise(self, key: bytes, old: str | None, new: str, cause: str, at_ms: int) -> None:
        """A verdict replaced another: say so. ``at_ms``: when what caused it was received."""
        if old is not None and old != new and not self.quiet:
            change = Revision(key=key.decode(), old=old, new=new, cause=cause, now=at_ms)
            self._out.append(Output(topics.REVISIONS, key, encode(change)))

    def condition(self, condition: Condition) -> None:
        """Publish a condition, with the place of what caused it."""
        if self.quiet:
            return
        condition.origin = f"{self.place}/{self._index}"
        self._index += 1
        self._out.append(Output(topics.CONDITIONS, condition.id.encode(), encode(condition)))

    def dead(self, reason: str, text: str) -> None:
        """What could not be used."""
        letter = Dead(
            id=self.place,
            place=self.place,
            reason=reason[:DEAD_TEXT],
            text=text[:DEAD_TEXT],
            received=self.now_ms or 0,
        )
        self._out.append(Output(topics.DEAD, self.place.encode(), encode(letter)))

    def decisions(self, what: str) -> list[tuple[Decided, blocks.Action]]:
        """The actions of a kind that hold, and what each of them is about; not to be written."""
        found = self._decisions.get(what)
        if found is None:
            found = self._decisions[what] = sorted(holding(self.ever_decided(what)).items())
        return found

    def ever_decided(self, what: str) -> list[blocks.Action]:
        """All actions of a kind in the order of the log, also withdrawn or replaced ones; not to be written."""
        found = self._ever.get(what)
        if found is None:
            found = self._ever[what] = [a for name, a in self.actions.items() if name.startswith(f"{what}|")]
        return found

    def is_mine(self, group: str) -> bool:
        """Whether a group is judged in this partition."""
        return topics.partition_of(group, self.partitions) == self.partition

    # ---- for the kernel

    def restore(self, key: bytes, row: bytes) -> None:
        """Take back one row of the last checkpoint."""
        prefix, _, name = key.decode().partition("|")
        if prefix == REGISTRY_PREFIX:
            self.registry = registries.parse(row.decode(), "registry in the state")
        elif prefix in self._shelves:
            self._shelves[prefix].restore(name, row)
        else:
            raise ValueError(f"state row {key.decode()!r} is of no kind this program knows: upgrade it")

    def restored(self, now_ms: int | None) -> None:
        """All rows are back."""
        self.now_ms = now_ms
        self.quiet = True
        if self.registry is not None:
            self.on_registry()
        self._begin_once()
        self.quiet = False
        self._out = []

    def take(self, message: bytes, place: str) -> list[Output]:
        """Take one message of ``readings-*``; what is to be published because of it."""
        for _ in (steps := _Steps(self.steps(message, place))):
            pass
        return steps.outputs

    def steps(self, message: bytes, place: str) -> Generator[None, None, list[Output]]:
        """As :meth:`take`, with pauses in which whoever drives it may do something else, but not ask for rows."""
        self._out, self._index, self.place = [], 0, place
        try:
            found = blocks.decode(message)
        except blocks.BlockError as error:
            self.dead(str(error), message.decode("latin-1"))
            return self._out
        if isinstance(found, blocks.Tick):
            yield from self._advancing(found.now)
        elif isinstance(found, blocks.RegistryVersion):
            if found.received:  # 0: written before the clock of a virtual log was set
                yield from self._advancing(found.received)
            self._take_registry(found, message)
        elif self.registry is None:
            self.dead(
                "readings before any registry: the gateway must write the registry first", message.decode("latin-1")
            )
            return self._out
        elif isinstance(found, blocks.Action):
            yield from self._advancing(found.received)
            self._begin_once()
            self.derive()
            was, self.quiet = self.quiet, True
            self.before_action(found)
            self.derive()
            self.quiet = was
            if found.what not in ALERT_ACTIONS:  # they are events: none of them holds
                self._shelve(found)
            self.on_action(found)
        elif found.received:
            yield from self._advancing(found.received[0])
            self._begin_once()
            self.on_block(found)
        self._begin_once()
        self.derive()
        return self._out

    def _begin_once(self) -> None:
        if not self._begun and self.now_ms is not None and self.registry is not None:
            self._begun = True
            self.begin()

    def _take_registry(self, found: blocks.RegistryVersion, message: bytes) -> None:
        try:
            registry = registries.parse(found.text, "registry in the log")
        except registries.RegistryError as error:
            self.dead(str(error), message.decode("latin-1"))
            return
        self.derive()
        self.registry = registry
        self._registry_changed = True
        self.on_registry()

    def _shelve(self, action: blocks.Action) -> None:
        """Put an action on the shelf, in the order of the log; which of several holds says ``schemas.actions``."""
        offset = self.place.rpartition("/")[2]
        self.actions.put(f"{action.what}|{offset:0>16}|{action.id}", action)
        self._decisions.pop(action.what, None)
        self._ever.pop(action.what, None)

    def changed_rows(self) -> list[Row]:
        """Rows changed since the last call."""
        rows: list[Row] = []
        for prefix in sorted(self._shelves):
            rows += self._shelves[prefix].changes()
        if self._registry_changed and self.registry is not None:
            rows.append((f"{REGISTRY_PREFIX}|".encode(), self.registry.text.encode()))
        self._registry_changed = False
        return rows


class _Steps:
    """Runs steps, and keeps what they return."""

    def __init__(self, steps: Generator[None, None, list[Output]]) -> None:
        self._steps = steps
        self.outputs: list[Output] = []

    def __iter__(self) -> Iterator[None]:
        self.outputs = yield from self._steps


def digest_of(*parts: str | int | None) -> str:
    """A short name for content."""
    return hashlib.sha256("|".join("" if p is None else str(p) for p in parts).encode()).hexdigest()[:12]


def _action_of(row: bytes) -> blocks.Action:
    found = blocks.decode(row)
    if not isinstance(found, blocks.Action):
        raise ValueError(f"a state row of an action holds {type(found).__name__}")
    return found
