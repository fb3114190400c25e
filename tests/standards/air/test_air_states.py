"""Conversions of gas states and volume shares, marks of values, and units of the tables."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from standards import air, dated
from standards.air import index, rules, screen


@pytest.mark.parametrize(("kelvin", "hectopascal"), [("298.15", "1013.25"), ("273.15", "1013.25"), ("310.4", "905.7")])
def test_to_the_reference_state(kelvin: str, hectopascal: str) -> None:
    found = air.to_reference(Fraction(80), "O3", Fraction(kelvin), Fraction(hectopascal))
    with localcontext(prec=50):
        wanted = Decimal(80) * Decimal(kelvin) / Decimal("298.15") * Decimal("1013.25") / Decimal(hectopascal)
    assert abs(Fraction(wanted) - found) < Fraction(1, 10**40)


def test_from_the_state_before_2018() -> None:
    assert air.from_standard(Fraction(1), "SO2") == Fraction(27315, 29815)
    assert round(float(air.from_standard(Fraction(1), "CO")), 5) == 0.91615
    for item in ("PM10", "PM2.5", "TSP", "Pb"):
        with pytest.raises(ValueError, match="actual state"):
            air.from_standard(Fraction(1), item)
    with pytest.raises(ValueError, match="no state"):
        air.to_reference(Fraction(1), "SO2", Fraction(0), Fraction(1000))


def test_volume_shares() -> None:
    printed = {"SO2": "2.619", "NO2": "1.880", "NO": "1.227", "O3": "1.962", "CO": "1.145"}
    molar = {"SO2": "64.066", "NO2": "46.0055", "NO": "30.0061", "O3": "47.998", "CO": "28.010"}
    for gas, factor in printed.items():
        assert air.from_volume_share(Fraction(500), gas) == 500 * Fraction(factor)
        assert abs(Fraction(molar[gas]) / Fraction("24.465") - Fraction(factor)) < Fraction(1, 1000), gas
    for item in ("NOx", "PM10"):
        with pytest.raises(ValueError, match="no conversion"):
            air.from_volume_share(Fraction(1), item)


def test_marks() -> None:
    assert air.mark_of("") == air.mark_of("  ") == (True, "normal")
    platform = ["H", "BB", "B", "W", "HSp", "LSp", "PZ", "PS", "AS", "CZ", "CS", "RM"]
    assert not any(air.mark_of(mark)[0] for mark in platform)
    assert [air.mark_of(mark, "hj212_2017")[0] for mark in "NFMSDCTB"] == [True] + [False] * 7
    assert [air.mark_of(mark, "hjt212_2005")[0] for mark in "0123"] == [False, False, False, True]
    assert air.mark_of("RM ")[1] == "judged invalid by audit"
    for unknown in ("N", "h", "H,RM", "?"):
        assert air.mark_of(unknown) == (False, f"unknown mark {unknown!r}")
    with pytest.raises(LookupError, match="no scheme"):
        air.mark_of("", "other")


# --- units of the tables ---------------------------------------------------------------------------------------------

CACHES = (dated.load, rules.rules_for, rules.validity_of, screen.thresholds, index.profile)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tables"
    shutil.copytree(dated.TABLES, folder)
    monkeypatch.setattr(dated, "TABLES", folder)
    for cache in CACHES:
        cache.cache_clear()
    yield folder
    for cache in CACHES:
        cache.cache_clear()


def change(folder: Path, name: str, old: str, new: str) -> int:
    """Change the first place; its line."""
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


CO_DAY = '{item = "CO", averaging = "day", grade1 = 4, grade2 = 4, unit = "mg/m³"}'


def test_a_limit_in_another_unit_of_mass_is_converted(tables: Path) -> None:
    change(tables, "air_limits.toml", CO_DAY, CO_DAY.replace("= 4", "= 4000").replace("mg/m³", "µg/m³"))
    assert air.limit_of("2012", "CO", "day") == 4_000
    points = 'unit = "mg/m³", at = [0, 2, 4, 14, 24, 36, 48, 60]'
    change(
        tables, "air_breakpoints.toml", points,
        'unit = "µg/m³", at = [0, 2000, 4000, 14000, 24000, 36000, 48000, 60000]',
    )  # fmt: skip
    old, new = air.rules_for("2012").daily, air.rules_for("2026").daily
    first, last = int(old.start[2]), int(old.last[2])
    assert last == int(new.last[2])
    assert old.flat[first : first + last].tolist() == new.flat[new.start[2] : new.start[2] + last].tolist()


OLD_RULES = partial(air.rules_for, "2012")
CO_LIMIT = partial(air.limit_of, "2012", "CO", "day")
UNIT_CHECK = partial(screen.thresholds, "unit_above")
ZERO_CHECK = partial(screen.thresholds, "zero_hours")
PROFILE = partial(index.profile, "ci_2018")


@pytest.mark.parametrize(
    ("name", "old", "new", "ask"),
    [
        ("air_limits.toml", CO_DAY, CO_DAY.replace("mg/m³", "ppm"), CO_LIMIT),
        ("air_limits.toml", 'grade2 = 160, unit = "µg/m³"', 'grade2 = 160, unit = "%"', OLD_RULES),
        ("air_breakpoints.toml", "115, 150, 250, 350, 500]", "150, 115, 250, 350, 500]", OLD_RULES),
        ("air_breakpoints.toml", "at = [0, 35,", "at = [5, 35,", OLD_RULES),
        ("air_breakpoints.toml", "150, 200, 300, 400, 500], above", "150, 200, 300, 400], above", OLD_RULES),
        ("air_breakpoints.toml", "iaqi = [0, 50, 100, 150", "iaqi = [0, 100, 50, 150", OLD_RULES),
        ("air_validity.toml", 'value = 20, unit = "h"', 'value = 20, unit = "min"', OLD_RULES),
        ("air_checks.toml", 'value = 100, unit = "mg/m³"', 'value = 100, unit = "h"', UNIT_CHECK),
        ("air_checks.toml", 'value = 3, unit = "h"', 'value = 3, unit = "day"', ZERO_CHECK),
        ("air_index.toml", 'limit = 60, unit = "µg/m³"', 'limit = 60, unit = "t"', PROFILE),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tables: Path, name: str, old: str, new: str, ask: object) -> None:
    line = change(tables, name, old, new)
    with pytest.raises(dated.TableError) as caught:
        ask()  # type: ignore[operator]
    assert str(caught.value).startswith(f"{name}:{line}: ")


def test_check_values_may_be_in_another_unit_of_mass(tables: Path) -> None:
    change(tables, "air_checks.toml", 'value = 100, unit = "mg/m³"', 'value = 100000, unit = "µg/m³"')
    assert screen.thresholds("unit_above")[2] == 100_000
