"""Rules of facility supervision that an outlet switches off or tunes."""

from __future__ import annotations

import pytest

from schemas import registry
from schemas.registry import words
from standards.facility.table import settings
from tests.schemas.registries import FULL


def with_rules(text: str) -> str:
    """The registry with a row ``rules`` at its first outlet of gas."""
    before, outlet, after = FULL.partition("[[outlet]]\n")
    return f"{before}{outlet}rules = {text}\n{after}"


def test_the_words_are_those_of_the_law() -> None:
    assert {check.name: tuple(sorted(check.params)) for check in settings().checks} == words.FACILITY_CHECKS


def test_switched_and_tuned() -> None:
    found = registry.parse(
        with_rules('{ R8 = false, "R5.ceiling" = { ceiling_pct = "11.5", hold_min = 180 }, R15 = { enabled = true } }'),
        "x.toml",
    )
    rules = found.outlets[0].rules
    assert rules == {
        "R8": {"enabled": False},
        "R5.ceiling": {"ceiling_pct": "11.5", "hold_min": "180"},
        "R15": {"enabled": True},
    }
    checks = {check.name: check for check in settings(None, rules).checks}
    assert not checks["R8"].enabled
    assert checks["R5.ceiling"].whole("hold_min") == 180
    assert not registry.parse(FULL, "x.toml").outlets[0].rules


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{ R26 = false }", "rules.R26 is no rule and no check: did you mean R"),
        ('{ "R5.step" = { ceiling_pct = 11 } }', "rules.R5.step.ceiling_pct is not known: enabled, "),
        ('{ R8 = "off" }', "rules.R8 = 'off': false, true, or a table"),
        ("{ R8 = { enabled = 0 } }", "rules.R8.enabled = 0 must be true or false"),
        ('{ R8 = { hold_min = "ten" } }', "rules.R8.hold_min = 'ten' must be a plain decimal number"),
        ("{ R8 = { hold_min = 1.5 } }", "rules.R8.hold_min = 1.5: a whole number from 0 to 4320"),
        ("{ R15 = { least_samples = 200.5 } }", "rules.R15.least_samples = 200.5: a whole number from 1 to 1440"),
        ('{ "R6.line" = { air_o2_pct = 0 } }', "rules.R6.line.air_o2_pct = 0: must be above 0"),
        ('{ "R5.ceiling" = { ceiling_pct = -1 } }', "rules.R5.ceiling.ceiling_pct = -1: 0 at least"),
        ("{ R14 = { window_h = 0 } }", "rules.R14.window_h = 0: a whole number from 1 to 744"),
        ("{ R14 = { window_h = 9999 } }", "rules.R14.window_h = 9999: a whole number from 1 to 744"),
        ("[]", "rules = [] must be a table"),
    ],
)
def test_what_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(registry.RegistryError) as error:
        registry.parse(with_rules(text), "x.toml")
    assert says in str(error.value)


def test_whatever_the_registry_lets_pass_the_law_can_use() -> None:
    for name, numbers in words.FACILITY_CHECKS.items():
        rules = ", ".join(f"{number} = 7" for number in numbers)
        found = registry.parse(with_rules(f'{{ "{name}" = {{ {rules} }} }}'), "x.toml").outlets[0].rules
        assert all(settings(None, found).check(name).params[number] == 7 for number in numbers)
