"""What the desk lets a person of the registry do."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.registry import Person, RegistryError, load, parse

EXAMPLE = load(Path(__file__).resolve().parents[2] / "districts" / "example")


def person(who: str, rights: str = "") -> Person:
    text = EXAMPLE.text.replace(f'id = "{who}"\n', f'id = "{who}"\n{rights}\n', 1)
    return parse(text, "x").person(who)


def test_rights_follow_the_role_unless_they_are_written() -> None:
    assert person("guo").rights == person("zhao-director").rights == ("read", "act")
    assert person("wang-chief").rights == ("read", "act", "mark", "correct")
    assert person("lanfeng-contact").rights == ()
    assert person("guo", 'rights = ["read", "correct"]').rights == ("read", "correct")
    assert person("wang-chief", "rights = []").rights == ()


@pytest.mark.parametrize(
    ("who", "rights", "error"),
    [
        ("guo", '["read", "delete"]', "rights has 'delete': of read, act, mark, correct"),
        ("guo", '["act"]', "rights without 'read'"),
        ("lanfeng-contact", '["read"]', "a person of an enterprise has none"),
        ("guo", '"read"', "rights"),
    ],
)
def test_rights_that_cannot_be_are_refused(who: str, rights: str, error: str) -> None:
    with pytest.raises(RegistryError, match="rights") as found:
        person(who, f"rights = {rights}")
    assert error in str(found.value)
