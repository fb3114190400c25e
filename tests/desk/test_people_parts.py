"""Which parts for people ``envstream up`` starts, by who stands in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from envstream import parts_for_people
from schemas import registry
from tests.desk.notifying import REGISTRY


def only(*roles: str) -> registry.Registry:
    """The registry with the persons of these roles alone."""
    head, *persons = REGISTRY.split("[[person]]")
    kept = [text for text in persons if any(f'role = "{role}"' in text for role in roles)]
    return registry.parse("[[person]]".join([head, *kept]), "people.toml")


@pytest.mark.parametrize(
    ("roles", "signs_in", "parts"),
    [
        (("officer", "chief", "director"), "王海生", ["desk", "notify"]),  # who may do most
        (("officer",), "郭启明", ["desk", "notify"]),
        ((), "", []),
    ],
)
def test_whoever_is_there_is_told_and_may_sign_in(
    roles: tuple[str, ...], signs_in: str, parts: list[str], tmp_path: Path
) -> None:
    found, welcome = parts_for_people(tmp_path, only(*roles), "127.0.0.1:8088")
    assert sorted(found) == parts
    said = "\n".join(welcome())
    assert f"sign in as {signs_in} with" in said if signs_in else "no desk" in said
    _, again = parts_for_people(tmp_path, only(*roles), "127.0.0.1:8088")
    assert "sign in as" not in "\n".join(again())  # shown once


def test_people_who_may_not_use_a_desk_are_told_all_the_same(tmp_path: Path) -> None:
    text = REGISTRY.replace('role = "', 'rights = []\nrole = "')
    found, _ = parts_for_people(tmp_path, registry.parse(text, "people.toml"), "127.0.0.1:8088")
    assert sorted(found) == ["notify"]
