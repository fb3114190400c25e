"""What alerts speak of, in Chinese."""

from __future__ import annotations

import pytest

from schemas import hj212_codes
from schemas.names import name_zh
from schemas.registry.words import MEASURES, MEASURES_ZH


@pytest.mark.parametrize(
    ("said", "zh"),
    [
        ("NOx", "氮氧化物"),
        ("SO2@two", "二氧化硫@two"),  # of another outlet
        ("treatment", "治理设施"),
        ("treatment:dust", "治理设施:dust"),
        ("no-such-thing", "no-such-thing"),
        ("", ""),
    ],
)
def test_names(said: str, zh: str) -> None:
    assert name_zh(said) == zh


def test_a_factor_is_looked_for_in_the_media_that_are_given() -> None:
    assert name_zh("COD", (hj212_codes.AIR,)) == "COD"
    assert name_zh("COD", (hj212_codes.WATER,)) != "COD"


def test_every_measure_has_a_name() -> None:
    assert set(MEASURES) == set(MEASURES_ZH) and all(MEASURES_ZH.values())
