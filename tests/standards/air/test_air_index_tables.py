"""IAQI look-ups against the norm's tables, read from the text of air.md, computed with Fraction."""

from __future__ import annotations

import csv
import datetime
import json
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from standards import air
from standards.fixed import parse
from tests.standards.air import reference
from tests.standards.air.reference import DATA, POLLUTANTS

EDITIONS = ("2012", "2026", "2031")
PERIODS = ("daily", "hourly")


def index_of(edition: str, period: str, pollutant: str, thousandths: list[int]) -> list[int]:
    """Our index of unrounded concentrations of one pollutant."""
    position = POLLUTANTS.index(pollutant)
    rules = air.rules_for(edition)
    values = np.full((len(thousandths), 6), air.MISSING, np.int64)
    values[:, position] = thousandths
    found = air.judge_means(values, rules, period).iaqi
    assert (found[values == air.MISSING] == -1).all()
    return found[:, position].tolist()


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("pollutant", POLLUTANTS)
def test_every_representable_concentration(edition: str, period: str, pollutant: str) -> None:
    step = 100 if pollutant == "CO" else 1000
    top = reference.table_of(edition, period, pollutant)[-1][0] * 1000 + 20 * step
    values = list(range(0, top, step))
    ours = index_of(edition, period, pollutant, values)
    for value, index in zip(values, ours, strict=True):
        wanted = reference.iaqi(edition, period, pollutant, Fraction(value, 1000))
        assert index == (-1 if wanted is None else wanted), value
    assert ours == sorted(ours) or ours[-1] == -1


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("pollutant", POLLUTANTS)
def test_thousandths_around_every_breakpoint(edition: str, period: str, pollutant: str) -> None:
    for at, index in reference.table_of(edition, period, pollutant):
        values = [value for value in range(at * 1000 - 1600, at * 1000 + 1601) if value >= 0]
        ours = index_of(edition, period, pollutant, values)
        places = 1 if pollutant == "CO" else 0
        for value, found in zip(values, ours, strict=True):
            rounded = reference.half_even(Fraction(value, 1000), places)
            wanted = reference.iaqi(edition, period, pollutant, rounded)
            assert found == (-1 if wanted is None else wanted), value
        assert index_of(edition, period, pollutant, [at * 1000]) == [index], "a breakpoint has exactly its index"


def test_far_above_the_tables() -> None:
    far = [10**9]
    assert index_of("2026", "hourly", "SO2", [801_000]) == [200]
    assert index_of("2026", "daily", "O3", [801_000]) == [300]
    assert index_of("2012", "hourly", "SO2", [801_000]) == [-1]
    assert index_of("2012", "daily", "O3", [801_000]) == [-1]
    assert all(index_of("2026", "daily", p, far) == [500] for p in POLLUTANTS if p != "O3")


def test_first_values_above_the_breakpoints_as_printed() -> None:
    text = (DATA / "air_first_above.txt").read_text(encoding="utf-8").split("(C → IAQI): ")[1]
    period = {"PM2.5": "daily", "PM10": "daily", "O3-8h": "daily", "O3-1h": "hourly", "SO2-1h": "hourly"}
    checked = 0
    for part in text.rstrip(".\n").split("; "):
        name, pairs = part.split(" ", 1)
        for concentration, index in re.findall(r"([\d.]+)→(\d+)", pairs):
            found = index_of("2026", period.get(name, "daily"), name.split("-")[0], [parse(concentration)])
            assert found == [int(index)], (name, concentration)
            checked += 1
    assert checked == 35


def test_values_binary_floats_get_wrong() -> None:
    for period, concentration, index in json.loads((DATA / "air_traps.json").read_text("utf-8"))["co"]:
        assert index_of("2026", period, "CO", [parse(concentration)]) == [index]


def test_rounding_before_the_index() -> None:
    for concentration, index in json.loads((DATA / "air_traps.json").read_text("utf-8"))["pm25_before_index"]:
        assert index_of("2026", "daily", "PM2.5", [parse(concentration)]) == [index]


def test_limits_as_printed() -> None:
    averaging = {"1 h": "1h", "daily max 8 h": "mda8"}
    with (DATA / "air_limits.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    for pollutant, kind, *limits in rows:
        for at, limit in enumerate(limits):
            ours = air.limit_of(EDITIONS[at // 2], pollutant, averaging.get(kind, kind), 1 + at % 2)
            assert ours == Decimal(limit) * 1000, (pollutant, kind, at)
    assert len(rows) == 14
    assert air.limit_of("2026", "PM2.5", "1h") is None
    assert air.limit_of("2026", "CO", "year") is None


def test_editions_change_at_midnight_in_beijing() -> None:
    beijing = datetime.timezone(datetime.timedelta(hours=8))
    for change, before, after in (((2026, 3, 1), "2012", "2026"), ((2031, 1, 1), "2026", "2031")):
        midnight = datetime.datetime(*change, tzinfo=beijing)
        # The hour that ends at midnight is label 24 of the day before (§5).
        assert air.edition_for((midnight - datetime.timedelta(microseconds=1)).date()) == before
        assert air.edition_for((midnight + datetime.timedelta(hours=1, microseconds=-1)).date()) == after
    assert air.edition_for(datetime.date(1999, 1, 1)) == "2012"
    assert air.edition_for(datetime.date(2099, 1, 1)) == "2031"
    assert air.editions() == EDITIONS
    with pytest.raises(LookupError, match="2012, 2026, 2031"):
        air.rules_for("2025")


def test_levels_and_colours() -> None:
    colours = ["#00E400", "#FFFF00", "#FF7E00", "#FF0000", "#99004C", "#7E0023"]
    names = ["优", "良", "轻度污染", "中度污染", "重度污染", "严重污染"]
    for edition in EDITIONS:
        found = air.categories(edition)
        assert [found[level][3] for level in range(1, 7)] == colours
        assert [found[level][1] for level in range(1, 7)] == names
        assert [found[level][0] for level in range(1, 7)] == ["一级", "二级", "三级", "四级", "五级", "六级"]
    assert found[6][2] == "褐红色"
