"""Every vector of domain/emission.md §7.2 to §7.6, from files, to the printed precision."""

from __future__ import annotations

import csv
import datetime
import json
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from standards.emission import gas, rates, substitution, totals, water
from standards.emission.exact import constant, from_numbers, greater, text
from standards.emission.verdicts import rules_emission
from standards.fixed import MISSING

DATA = Path(__file__).parent / "data"
VECTORS: dict[str, Any] = tomllib.loads((DATA / "emission_vectors.toml").read_text(encoding="utf-8"))


def printed(value: Fraction | None, wanted: str) -> bool:
    """Whether a value is what the document prints, half to even in its last digit."""
    return text(value, len(wanted.partition(".")[2])) == wanted


@pytest.mark.parametrize("case", VECTORS["converted"], ids=lambda case: case["name"])
def test_conversion(case: dict[str, Any]) -> None:
    found = gas.converted(*(from_numbers([Fraction(each)]) for each in case["values"])).fractions()[0]
    assert found is None if "zs" not in case else printed(found, case["zs"])


def test_units_and_states() -> None:
    wanted, flow = VECTORS["units"], VECTORS["flow"]
    state = [Fraction(flow[key]) for key in ("celsius", "air_pa", "static_pa")]
    assert printed(gas.from_ppm(Fraction(20), "SO2"), wanted["so2_20_ppm"])
    assert printed(gas.nox_from_ppm(Fraction(40), Fraction(2)), wanted["nox_of_40_ppm_no_2_ppm_no2"])
    assert printed(gas.nox_from_mass(Fraction(50), Fraction(5)), wanted["nox_of_50_mg_no_5_mg_no2"])
    assert printed(gas.to_dry(Fraction(100), Fraction(8, 100)), wanted["dry_of_100_wet_8_percent"])
    assert printed(gas.to_standard(Fraction(30), *state), wanted["standard_of_30_actual"])
    assert gas.velocity(Fraction("0.95"), Fraction(10)) == Fraction("9.5")


def test_flow_and_mass() -> None:
    given = VECTORS["flow"]
    numbers = {key: Fraction(each) for key, each in given.items() if isinstance(each, str)}
    actual = gas.actual_flow(numbers["duct_m2"], numbers["velocity_m_s"])
    assert printed(actual, given["actual_m3_h"])
    standard = gas.standard_flow(
        actual, numbers["celsius"], numbers["air_pa"], numbers["static_pa"], numbers["moisture"]
    )
    assert printed(standard, given["standard_m3_h"])
    assert printed(standard / 3600, given["standard_m3_s"])
    for concentration, wanted in given["rates"]:
        assert printed(gas.mass_rate(Fraction(concentration), standard), wanted)
        # the same by the array of µg per hour
        hour = gas.mass_ug(from_numbers([Fraction(concentration)]), from_numbers([standard / 3600]))
        assert printed(Fraction(int(hour[0]), 10**9), wanted)
    day = gas.mass_ug(from_numbers([25] * 24), constant(standard / 3600))
    assert printed(Fraction(int(day.sum()), 10**9), given["day_kg_at_25"])
    month = gas.mass_ug(from_numbers([42] * 720), constant(standard / 3600))
    assert printed(totals.tonnes(int(month.sum())), given["month_t_at_42"])


def test_gas_mean_is_arithmetic_and_mass_is_not() -> None:
    given = VECTORS["two_hours"]
    values = from_numbers([Fraction(each) for each in given["values"]])
    assert printed(gas.mean(values, np.array([True, True]), 2).fractions()[0], given["mean"])
    seconds = from_numbers([Fraction(each) / 3600 for each in given["flows_m3_h"]])
    assert printed(Fraction(int(gas.mass_ug(values, seconds).sum()), 10**9), given["mass_kg"])


def test_water() -> None:
    given = VECTORS["water"]
    flow = Fraction(given["flow_l_s"])
    for seconds, wanted in given["volumes"]:
        assert printed(water.volume_m3(flow, seconds), wanted)
        assert water.mean_flow_l_s(Fraction(wanted), seconds) == flow
    concentration, volume, wanted = given["mass"]
    assert printed(water.mass_kg(Fraction(concentration), Fraction(volume)), wanted)
    d, c = (from_numbers([Fraction(each[at]) for each in given["hours"]]) for at in (0, 1))
    assert printed(water.flow_weighted(c, d).fractions()[0], given["flow_weighted"])
    assert not any(printed(water.flow_weighted(c, d).fractions()[0], each) for each in given["wrong"])
    found = water.days(c[None, :], d[None, :], 4)
    assert printed(found.volume.fractions()[0], given["volume"])
    assert printed(Fraction(int(found.mass_ug()[0]), 10**9), given["mass_kg"])
    assert (int(found.count[0]), int(found.due[0]), bool(found.valid[0])) == (3, 3, True)


@pytest.mark.parametrize("case", VECTORS["substitution"]["cases"], ids=str)
def test_substitution(case: list[Any]) -> None:
    given = VECTORS["substitution"]
    rate, length, wanted = Fraction(case[0]), case[1], case[2]
    history = np.array([10 + i % 7 for i in range(1, given["hours"] + 1)], dtype=np.int64)
    for before, value in given["spikes"]:
        history[-before] = value
    amounts = np.concatenate([history, np.full(length, MISSING, dtype=np.int64)])
    found = substitution.fill(amounts, np.zeros(len(amounts), dtype=np.bool_), rate, start=len(history))
    assert found.amounts.tolist() == [int(wanted) if wanted else MISSING] * length
    with_filled, without, missing = found.totals()
    assert (with_filled, without, missing) == ((int(wanted) * length, 0, 0) if wanted else (0, 0, length))
    assert set(found.rule.tolist()) == ({substitution.look_back(rate, length)} if wanted else {substitution.FAILED})


@pytest.mark.parametrize("case", VECTORS["substitution"]["capture"], ids=str)
def test_capture_rate(case: list[Any]) -> None:
    found = substitution.capture_rate(*case[:3])
    assert found is None if case[3] == "" else printed(found, case[3])


@pytest.mark.parametrize("case", VECTORS["transmission"]["cases"], ids=str)
def test_transmission(case: list[Any]) -> None:
    found = rates.transmission(*case[:4])
    assert found is not None
    assert [text(each, 5) for each in (found.transmission, found.effective, found.product)] == case[4:]
    assert found.meets


@pytest.mark.parametrize("case", VECTORS["ultra_low"]["cases"], ids=str)
def test_ultra_low(case: list[Any]) -> None:
    found = rates.ultra_low(case[0], case[1])
    assert printed(found.share, case[2])
    assert found.passes is case[3]


@pytest.mark.parametrize("case", VECTORS["projection"]["cases"], ids=lambda case: case[0])
def test_projection(case: list[Any]) -> None:
    given = VECTORS["projection"]
    daily, exceeds_on, this_year, year_end = case
    found = totals.project(Fraction(given["permit"]), Fraction(given["used"]), Fraction(daily), given["start"])
    assert found.exceeds_on == (datetime.date.fromisoformat(exceeds_on) if exceeds_on else None)
    assert found.this_year is this_year
    assert printed(found.year_end, year_end)
    assert not found.already
    assert found.level == ("yellow" if this_year else "")


def hour_rows() -> list[dict[str, str]]:
    with (DATA / "emission_hours.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_there_are_thirteen_hours() -> None:
    assert len(hour_rows()) == 13


@pytest.mark.parametrize("row", hour_rows(), ids=lambda row: ",".join(row.values()))
def test_hours(row: dict[str, str]) -> None:
    line = {
        "id": 7,
        "minutes": int(row["minutes"]),
        "flag": row["flag"],
        "mark": row["mark"] or None,
        "budget_left_h": row["budget_left_h"] or None,
        "o2": row["o2"] or None,
        "ref_o2": 6,
        "items": {"NOx": {"avg": row["avg"], "zs": row["zs"] or None}},
        "limits": {"NOx": 50},
    }
    (found,) = rules_emission([json.dumps(line)])
    assert (found["id"], found["verdict"]) == (7, row["verdict"])
    item = found["items"]["NOx"]
    assert item["verdict"] == row["verdict"]
    if row["ratio"]:
        assert item["ratio"] == row["ratio"]
        assert item["value"] == "61.0"
    if row["verdict"] in ("INVALID", "NOT_APPLICABLE"):
        assert item["value"] is None
        assert item["reason"]


def test_a_converted_value_at_the_ceiling_is_not_believed() -> None:
    nearly_air = gas.converted(constant(10), constant(Decimal("20.95")), constant(16))
    assert greater(nearly_air, constant(999)).all()
    line = '{"o2":"20.95","ref_o2":16,"flag":"N","items":{"PM":10},"limits":{"PM":10}}'
    (found,) = rules_emission([line])
    assert (found["items"]["PM"]["verdict"], found["items"]["PM"]["reason"]) == ("INVALID", "oxygen_ceiling")
