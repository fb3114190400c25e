"""The way of actions into the log: the record of who decided what, and a message for each agent that has to know.

An action that is written becomes the same message twice (design §3): in ``actions``, kept for ever, and in the
``readings-*`` partition of its group, where it stands in one order with the readings it changes.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas import blocks, topics
from schemas.action_files import Placed
from schemas.actions import Action, Subject, check, complete, find
from schemas.messages import key
from schemas.registry import Registry
from streams.clock import VIRTUAL, WriterClock
from streams.journal import Record

MOST_AT_ONCE = 500
"""Actions in one append: some hundred kilobytes, which the embedded broker's pacing has room for."""


class ActionsRefused(ValueError):
    """Actions that do not enter the log, none of them; the text is a line for each error, with its place and cure."""


class Written(NamedTuple):
    """Actions as they went into the log, and their records."""

    actions: list[Action]
    records: list[Record]


def action_records(action: Action, registry: Registry, partitions: int) -> list[Record]:
    """The records of a complete action, the one in ``actions`` first.

    Args:
        action: as :func:`schemas.actions.complete` gives it, without errors under this registry.
        registry: in force.
        partitions: of every topic.

    Returns:
        One record in ``actions``, and one in each ``readings-*`` that it enters: in the partition of its group, or in
        every partition when it is about the whole district.
    """
    subject = find(action, registry)
    assert isinstance(subject, Subject), "checked before"
    message = blocks.encode(action)
    name = key(action.group, action.subject, action.what, str(action.begin), str(action.end))
    home = topics.partition_of(action.group, partitions)
    own = [home] if action.group else range(partitions)
    readings = [Record(topics.READINGS_OF[kind], p, None, message) for kind in subject.enters for p in own]
    return [Record(topics.ACTIONS, home, name, message), *readings]


def prepare(placed: list[Placed], registry: Registry, writer: str, partitions: int, now_ms: int) -> Written:
    """Check actions and make them ready for the log: all of them or none.

    Args:
        placed: drafts with their places, for errors; "" for none.
        registry: in force.
        writer: who writes them.
        partitions: of every topic.
        now_ms: epoch ms, their ``received``.

    Raises:
        ActionsRefused: with every error of every action, or because they are too many.
    """
    if len(placed) > MOST_AT_ONCE:
        raise ActionsRefused(f"{len(placed)} actions at once: at most {MOST_AT_ONCE}, send the others after them")
    errors = [
        f"{place}: {error}" if place else error for place, action in placed for error in check(action, registry, now_ms)
    ]
    if errors:
        raise ActionsRefused("\n".join(errors))
    actions = [complete(action, registry, writer, now_ms) for _, action in placed]
    return Written(actions, [record for action in actions for record in action_records(action, registry, partitions)])


def time_of(clock: WriterClock) -> int:
    """What time it is for an action, in epoch ms by a log's clock.

    Raises:
        ActionsRefused: the log has no time now.
    """
    if clock.kind is None or (clock.kind == VIRTUAL and not clock.now_ms()):
        raise ActionsRefused(
            "this log has no time yet: nobody has spoken in it; wait for the first logger, or begin the replay"
        )
    if clock.held:
        raise ActionsRefused(
            "the wall clock leapt ahead, and nothing is taken before somebody confirms it: see envstream clock"
        )
    return clock.now_ms()
