"""The table of factors against the domain's lists, the water law's items and itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas import hj212_codes as codes
from schemas.units import canonical, decimal_shift
from standards.water import items

DOMAIN = Path(__file__).parents[3] / "shared" / "domain" / "emission.md"
AMBIENT_ONLY = {"a34001", "a34002", "a34004", "a34005", "a05024"}


def domain_rows() -> list[tuple[str, str]]:
    """New and old code of each line of the two tables of emission.md §1.9."""
    text = DOMAIN.read_text(encoding="utf-8").partition("### 1.9")[2].partition("### 1.10")[0]
    found = []
    for line in re.findall(r"^\| ([aw]\d{5}.*)$", text, re.MULTILINE):
        new, old, *_ = [cell.strip() for cell in line.split("|")]
        new_codes, old_codes = new.split(" / "), old.split(" / ")
        old_codes += ["–"] * (len(new_codes) - len(old_codes))
        found += list(zip(new_codes, old_codes, strict=True))
    return found


@pytest.mark.skipif(not DOMAIN.exists(), reason=f"{DOMAIN} is absent")
def test_every_code_of_the_domain_is_known_new_and_old() -> None:
    rows = domain_rows()
    assert len(rows) > 50
    for new, old in rows:
        factor = codes.factor_of_code(new)
        assert factor is not None, new
        assert factor.code == new
        assert factor.old_code == ("" if old == "–" else old), new
        if old != "–":
            assert codes.factor_of_code(old) == factor


def test_water_is_spelt_as_in_the_law() -> None:
    law = {item.code: item for item in items.items().values() if item.code}
    assert len(law) > 30
    for code, item in law.items():
        factor = codes.factor_of_code(code)
        assert factor is not None, code
        assert (factor.name, factor.medium, factor.unit) == (item.id, codes.WATER, canonical(item.unit))


def test_units_are_units_and_lead_to_each_other() -> None:
    for factor in codes.FACTORS:
        assert canonical(factor.unit) == factor.unit
        assert decimal_shift(factor.sent_unit, factor.unit) is not None
        assert not factor.amount_unit or canonical(factor.amount_unit) == factor.amount_unit
        assert re.fullmatch(r"[A-Za-z0-9._]+", factor.name), factor
        assert factor.name_zh


def test_one_name_per_code_and_one_code_per_name() -> None:
    names: dict[str, set[str]] = {}
    for factor in codes.FACTORS:
        names.setdefault(factor.code, set()).add(factor.name)
    assert all(len(of_code) == 1 for of_code in names.values())
    per_medium = [(f.name, f.medium) for f in codes.FACTORS]
    assert {pair for pair in per_medium if per_medium.count(pair) > 1} == {("As", codes.WATER)}  # total and dissolved


def test_the_six_of_air() -> None:
    assert list(codes.AIR_CODES) == ["SO2", "NO2", "CO", "O3", "PM10", "PM2.5"]
    for name, code in codes.AIR_CODES.items():
        factor = codes.factor_of_code(code, codes.AIR)
        assert factor is not None
        assert (factor.name, factor.unit) == (name, "mg/m3" if name == "CO" else "ug/m3")
        assert codes.factor_of_name(name, codes.AIR) == factor
        if code not in AMBIENT_ONLY:
            of_stack = codes.factor_of_code(code)
            assert of_stack is not None
            assert (of_stack.name, of_stack.medium, of_stack.unit) == (name, codes.GAS, "mg/m3")


@pytest.mark.parametrize(
    ("code", "name", "unit"),
    [
        ("g10401", "circulation_pump_current_01", "A"),
        ("g11112", "slurry_pH_12", "pH"),
        ("d20405", "production_power_05", "kW"),
        ("d30406", "treatment_power_06", "kW"),
        ("e30103", "lift_pump_current_03", "A"),
        ("p99101", "production_state_01", "1"),
        ("i33201", "plant_energy", "kWh"),
    ],
)
def test_numbered_codes_keep_their_number(code: str, name: str, unit: str) -> None:
    factor = codes.factor_of_code(code)
    assert factor is not None
    assert (factor.name, factor.code, factor.unit) == (name, code, unit)
    assert codes.factor_of_name(name, factor.medium) == factor


@pytest.mark.parametrize("code", ["", "g104", "g1040", "g10499x", "a99999", "x10401", "SB1", "999", "g104٠١"])
def test_unknown_codes(code: str) -> None:
    assert codes.factor_of_code(code) is None
    assert codes.column_name(code, "Rtd") == code


def test_unknown_names() -> None:
    for name in ("", "circulation_pump_current", "circulation_pump_current_1", "SO2_01"):
        assert codes.factor_of_name(name, codes.PROCESS) is None
    assert codes.factor_of_name("SO2", codes.WATER) is None


@pytest.mark.parametrize(
    ("code", "suffix", "column"),
    [
        ("a21026", "Avg", "SO2"), ("a21026", "Rtd", "SO2"), ("02", "Rtd", "SO2"),
        ("a21026", "ZsAvg", "SO2-Zs"), ("a21026", "ZsRtd", "SO2-Zs"),
        ("a21026", "Min", "SO2-Min"), ("a21026", "Max", "SO2-Max"),
        ("a21026", "ZsMin", "SO2-ZsMin"), ("a21026", "ZsMax", "SO2-ZsMax"),
        ("w01018", "Cou", "COD-Cou"), ("011", "Cou", "COD-Cou"), ("a21026", "RawAvg", "SO2-RawAvg"),
        ("SB1", "RS", "SB1-RS"), ("a34004", "Avg", "PM2.5"), ("B02", "Cou", "flow-Cou"),
    ],
)  # fmt: skip
def test_columns(code: str, suffix: str, column: str) -> None:
    assert codes.column_name(code, suffix) == column
