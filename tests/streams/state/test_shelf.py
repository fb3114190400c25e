"""A shelf against a dictionary, with restarts, cooling and dropping in any order."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.state.shelf import Shelf

NAMES = st.sampled_from(["a", "b", "c|1", "", "路"])
VALUES = st.lists(st.integers(0, 9), max_size=3)


def shelf() -> Shelf[list[int]]:
    return Shelf("p", json.loads, lambda value: json.dumps(value).encode())


class ShelfMachine(RuleBasedStateMachine):
    """``model`` is what the shelf must hold, ``topic`` what a restart would find."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf = shelf()
        self.model: dict[str, list[int]] = {}
        self.topic: dict[str, list[int]] = {}
        self.rows: dict[bytes, bytes] = {}

    @rule(name=NAMES, value=VALUES)
    def put(self, name: str, value: list[int]) -> None:
        self.shelf.put(name, list(value))
        self.model[name] = value

    @rule(name=NAMES, number=st.integers(0, 9))
    def change_in_place(self, name: str, number: int) -> None:
        found = self.shelf.get(name)
        assert (found is None) == (name not in self.model)
        if found is not None:
            found.append(number)
            self.shelf.touch(name)
            self.model[name] = [*self.model[name], number]

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        self.shelf.drop(name)
        self.model.pop(name, None)

    @rule(name=NAMES)
    def cool(self, name: str) -> None:
        self.shelf.cool(name)

    @rule()
    def checkpoint(self) -> None:
        for key, row in self.shelf.changes():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self.topic = dict(self.model)
        assert self.shelf.changes() == []
        assert {key: json.loads(row) for key, row in self.rows.items()} == {
            f"p|{name}".encode(): value for name, value in self.model.items()
        }

    @rule()
    def restart(self) -> None:
        self.shelf = shelf()
        for key, row in self.rows.items():
            self.shelf.restore(key.decode().partition("|")[2], row)
        self.model = dict(self.topic)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert self.shelf.names() == sorted(self.model) and len(self.shelf) == len(self.model)
        assert all(name in self.shelf for name in self.model)

    def teardown(self) -> None:
        assert dict(self.shelf.items()) == self.model
        self.checkpoint()


TestShelf = ShelfMachine.TestCase
TestShelf.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
