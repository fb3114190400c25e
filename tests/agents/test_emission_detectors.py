"""The detector samples of emission.md §7.8 as packets in a log: what is suspected, its figures, or that nothing is."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas import blocks
from tests.agents.emission_log import START, Log, Packet, replace, tick

VECTORS: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parents[1] / "standards" / "data" / "facility_vectors.toml").read_text(encoding="utf-8")
)
HOUR_S, DAY_S = 3600, 86_400

STACK = """
format = 1
[[group]]
id = "plant"
[[enterprise]]
id = "plant"
name = "厂"
industry = "coking"
[[outlet]]
id = "stack"
name = "焦炉烟囱"
enterprise = "plant"
process = "coke_stack"
mn = "E1"
factors = ["SO2", "NOx", "O2", "CO2"]
ref_o2_pct = 8
rules = {{ {rules} }}
valid_from = 2020-01-01
[[logger]]
mn = "E1"
minute_interval = 1
[[limit]]
outlet = "stack"
kind = "legal"
basis = "GB 16171-2012"
unit = "mg/m3"
most = {{ NOx = 100 }}
valid_from = 2020-01-01
[[meter]]
outlet = "stack"
factor = "production_power_01"
measures = "production"
rated = 1000
"""


def log_of(**rules: str) -> Log:
    """A log of the stack; by check what is other than in the tables, ``R6_line="off_pct = 0.1"``."""
    said = ", ".join(f'"{name.replace("_", ".")}" = {{ {numbers} }}' for name, numbers in rules.items())
    return Log(text=STACK.format(rules=said))


def hours(**columns: list[str]) -> list[Packet]:
    """Hours from the log's first on."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    ends = [START + (n + 1) * HOUR_S for n in range(len(rows))]
    return [Packet("stack", end, dict(row), (end + 60) * 1000) for end, row in zip(ends, rows, strict=True)]


def instants(values: list[str], loads: tuple[str, ...] = ("500",)) -> list[Packet]:
    """An instant a minute; the load changes every ten minutes from one of these to the next."""
    found = []
    for n, value in enumerate(values):
        at = START + 60 * (n + 1)
        row: dict[str, str | None] = {"SO2": value, "production_power_01": loads[n // 10 % len(loads)]}
        found.append(Packet("stack", at, row, (at + 5) * 1000, blocks.REALTIME))
    return found


def said(log: Log, packets: list[Packet], until: int) -> list[dict[str, Any]]:
    """What is suspected once the log has come to an instant."""
    log.packets(packets)
    log.take(tick(until))
    return log.conditions("suspect")


def of(found: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    return [c for c in found if c["detail"]["check"] == check]


# ---- R6


@pytest.mark.parametrize("vector", VECTORS["correlation"])
def test_oxygen_and_carbon_dioxide_are_normal(vector: dict[str, Any]) -> None:
    """A day of the sample; r itself shows where the threshold is drawn just below it."""
    packets = hours(O2=vector["o2"] * 4, CO2=vector["co2"] * 4)
    co2_max = f"co2_max_pct = {vector['co2_max']}"
    found = said(log_of(R6_line=co2_max), packets, START + DAY_S + HOUR_S)
    assert not of(found, "R6.correlation") and not of(found, "R6.line")
    just = Decimal("0.0001")
    for above, suspicious in ((Decimal(vector["r"]) + just, False), (Decimal(vector["r"]) - just, True)):
        log = log_of(R6_correlation=f"above = {above}, least_h = 24")
        found = of(said(log, packets, START + DAY_S + HOUR_S), "R6.correlation")
        assert bool(found) is suspicious
    (began,) = found
    assert (began["detail"]["figure_r"], began["detail"]["score"], began["level"]) == (vector["r"], "35", "blue")


@pytest.mark.parametrize("vector", VECTORS["correlation"])
def test_the_line_of_carbon_dioxide(vector: dict[str, Any]) -> None:
    co2_max = f"co2_max_pct = {vector['co2_max']}"
    for o2, co2, line in zip(vector["o2"], vector["co2"], vector["line"], strict=True):
        (began,) = of(
            said(log_of(R6_line=f"{co2_max}, off_pct = 0.1"), hours(O2=[o2] * 2, CO2=[co2] * 2), START + 3 * HOUR_S),
            "R6.line",
        )
        figures = [began["detail"][f"figure_{name}"] for name in ("o2_pct", "co2_pct", "expected_pct")]
        assert list(map(Decimal, figures)) == list(map(Decimal, (o2, co2, line)))


# ---- R9


@pytest.mark.parametrize("vector", VECTORS["constant"])
def test_a_run_of_equal_values(vector: dict[str, Any]) -> None:
    values = [vector["values"]["value"]] * vector["values"]["times"] + vector["values"]["then"]
    packets = instants(values, ("400", "500"))
    assert not of(said(log_of(), packets, START + 2 * HOUR_S), "R9.minutes"), "the rule wants 60 minutes"
    need = vector["alarm_at"]
    log = log_of(R9_minutes=f"window_min = {need}, least_samples = {need}")
    began, ended = of(said(log, packets, START + 2 * HOUR_S), "R9.minutes")
    assert (began["state"], began["since"], began["detail"]["figure_samples"]) == ("began", START, str(need))
    assert (began["detail"]["figure_value"], began["detail"]["score"]) == (vector["values"]["value"], "50")
    assert (ended["state"], ended["until"]) == ("ended", START + vector["run"] * 60)


@pytest.mark.parametrize("vector", VECTORS["variation"])
def test_coefficients_of_variation(vector: dict[str, Any]) -> None:
    """The sample's own 24 values, then a day of them by the rule's own numbers."""
    few = instants(vector["cycle"] * vector["times"])
    found = of(said(log_of(R9_spread="least_min = 24"), few, START + 2 * HOUR_S), "R9.spread")
    assert bool(found) is vector["alarm"]
    percent = Decimal(vector["percent"])
    wide = log_of(R9_spread=f"least_min = 24, variation_pct = {percent + Decimal('0.01')}")
    (began, *_) = of(said(wide, few, START + 2 * HOUR_S), "R9.spread")
    assert round(Decimal(began["detail"]["figure_variation_found_pct"]), 2) == percent
    assert began["detail"]["figure_minutes"] == str(len(few))
    day = instants((vector["cycle"] * 1440)[:1440])
    found = of(said(log_of(), day, START + DAY_S + HOUR_S), "R9.spread")
    assert bool(found) is vector["alarm"]
    if "run" in vector:
        swinging = instants((vector["cycle"] * 60)[:180], ("400", "500"))
        assert not of(said(log_of(), swinging, START + 4 * HOUR_S), "R9.minutes"), "no value stays"


# ---- R15


@pytest.mark.parametrize("vector", VECTORS["digits"])
def test_digits(vector: dict[str, Any]) -> None:
    digits = np.repeat(np.arange(10), np.array(vector["counts"])).tolist()
    packets = instants([f"{20 + 2 * (n % 2) + digit / 10:.1f}" for n, digit in enumerate(digits)])
    packets += [replace(packets[0], end=START + DAY_S + 60, received=(START + DAY_S + 65) * 1000)]  # the day is over
    end = START + DAY_S + 2 * HOUR_S
    assert not of(said(log_of(), packets, end), "R15"), "150 values; in production at least 200"
    (began,) = of(said(log_of(R15="least_samples = 150"), packets, end), "R15")
    assert Decimal(began["detail"]["figure_chi_square_found"]) == Decimal(vector["chi_square"])
    assert Decimal(vector["chi_square"]) > Decimal(vector["suspect_above"])
    assert (began["detail"]["figure_values"], began["detail"]["score"], began["level"]) == ("150", "25", "blue")
    assert not of(said(log_of(R15="least_samples = 150, chi_square = 246"), packets, end), "R15")


# ---- R5


@pytest.mark.parametrize("vector", VECTORS["dilution"])
def test_dilution_shows_after_conversion(vector: dict[str, Any]) -> None:
    """100 mg/m3 against a limit of 100: the ratio is the factor of the conversion, and oxygen itself is suspected.

    From 20 % on (emission.md §3) a converted value raises no alarm, and R5 alone speaks.
    """
    log = log_of()
    count = len(vector["o2"])
    found = said(log, hours(NOx=["100"] * count, O2=vector["o2"]), START + (count + 1) * HOUR_S)
    items = [log.hour(START + (n + 1) * HOUR_S, "stack")["items"]["NOx"] for n in range(count)]
    convertible = [n for n, o2 in enumerate(vector["o2"]) if Decimal(o2) < 20]
    assert [items[n]["ratio"] for n in convertible] == [vector["factor"][n] for n in convertible]
    assert [items[n]["verdict"] for n in convertible] == ["OK", "EXCEED", "EXCEED", "EXCEED"], "a false 8 % hides it"
    assert (items[-1]["verdict"], items[-1]["reason"]) == ("INVALID", "oxygen-ceiling")
    (began,) = of(found, "R5.ceiling")
    above = [n for n, o2 in enumerate(vector["o2"]) if Decimal(o2) > 14]  # coke oven
    assert began["since"] == START + above[0] * HOUR_S
    assert (began["detail"]["figure_o2_pct"], began["detail"]["figure_ceiling"]) == (vector["o2"][above[1]], "14")
    assert (began["detail"]["score"], began["level"]) == ("45", "red"), "with exceedances in the period"


@pytest.mark.parametrize(("o2", "suspicious"), [("14", False), ("14.01", True)])
def test_the_ceiling_of_a_coke_oven(o2: str, suspicious: bool) -> None:
    packets = hours(NOx=["20"] * 3, O2=[o2] * 3)
    assert bool(of(said(log_of(), packets, START + 4 * HOUR_S), "R5.ceiling")) is suspicious
