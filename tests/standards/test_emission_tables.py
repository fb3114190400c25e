"""The emission tables: every row of the document's list, dated, in words that the rest of the house knows."""

from __future__ import annotations

import csv
import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from schemas import hj212_codes
from schemas.registry.words import INDUSTRIES, LIMIT_KINDS, PROCESSES
from standards import dated
from standards.emission import flags, marks
from standards.emission.limits import AVERAGING, KINDS, Limit, catalogue, in_force, strictest

DATA = Path(__file__).parent / "data"
NAMES = {
    "NH3-N": "NH3N", "fluoride": "HF", "fecal coliform": "FC", "petroleum": "oil", "volatile phenol": "VP",
    "sulfide": "S2", "cyanide": "CN",
}  # fmt: skip
UNITS = {"mg/m3": "mg/m³", "-": "pH", "times": "1", "per L": "个/L"}
GRADES = {"H": "+", "M": "", "L": "-"}
DAY = datetime.date(2026, 11, 22)


def document() -> list[dict[str, str]]:
    with (DATA / "emission_limits.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_is_the_documents_row_by_row() -> None:
    wanted = []
    for row in document():
        pollutant, _, when = row["pollutant"].partition(" (")
        low, _, high = row["limit"].rpartition("-")
        if row["pollutant"] == "fecal coliform":
            pollutant = "fecal coliform"
        wanted.append(
            (
                row["industry"],
                row["process"],
                NAMES.get(pollutant, pollutant),
                bool(when),
                Decimal(high) if high else None,
                Decimal(low) if low else None,
                UNITS.get(row["unit"], row["unit"]),
                Decimal(row["ref_o2_pct"]) if row["ref_o2_pct"] else None,
                row["averaging"],
                row["standard"],
                row["effective"],
                GRADES[row["confidence"][0]],
            )
        )
    found = [
        (
            row.text("industry"),
            row.text("process"),
            row.text("pollutant"),
            "when" in row,
            row.number("limit") if "limit" in row else None,
            row.number("least") if "least" in row else None,
            row.text("unit"),
            row.number("ref_o2") if "ref_o2" in row else None,
            row.text("averaging"),
            edition.source,
            str(edition.valid_from),
            (row.text("confidence") if "confidence" in row else edition.confidence)[1:],
        )
        for edition in dated.load("emission_limits")
        for row in edition.rows
    ]
    assert len(wanted) == len(found) == 281

    def full_date(row: tuple[object, ...]) -> tuple[object, ...]:
        return (*row[:10], "-".join([*str(row[10]).split("-"), "01", "01"][:3]), row[11])

    assert sorted(map(str, map(full_date, wanted))) == sorted(map(str, found))


def test_the_words_are_those_of_the_registry() -> None:
    assert KINDS == LIMIT_KINDS
    gas = {factor.name for factor in hj212_codes.FACTORS if factor.medium == "gas"}
    water = {factor.name for factor in hj212_codes.FACTORS if factor.medium == "water"}
    for listed in catalogue():
        limit = listed.limit
        assert limit.pollutant in (gas if listed.unit == "mg/m³" else water), listed
        assert limit.averaging in AVERAGING and limit.kind in KINDS
        assert limit.reference is None or 0 < limit.reference < 21
    for row in dated.load("emission_plants")[0].rows:
        assert set(row.texts("processes")) <= set(PROCESSES), row.where
        assert "industries" not in row or set(row.texts("industries")) <= set(INDUSTRIES), row.where


def test_ammonia_is_one_limit_with_its_value_in_cold_water() -> None:
    (found,) = (
        each
        for each in catalogue(DAY)
        if (each.process, each.limit.pollutant, each.limit.averaging) == ("class 1A", "NH3N", "day")
    )
    assert (found.limit.most, found.limit.cold, found.condition) == (Decimal(5), Decimal(8), "")
    assert len(list(catalogue())) == 281 - 3  # classes 1A, 1B and 2


def test_dates_of_the_list() -> None:
    def sources(date: datetime.date) -> set[str]:
        return {each.limit.basis for each in catalogue(date)}

    assert "GB 18918-2002 amendment" not in sources(datetime.date(2026, 2, 28))
    assert "GB 18918-2002 amendment" in sources(datetime.date(2026, 3, 1))
    # an order whose end nobody knows must not bind for ever
    assert "Jincheng notice 2022-05" in sources(datetime.date(2022, 5, 17))
    assert "Jincheng notice 2022-05" not in sources(datetime.date(2022, 5, 18))
    unknown = [each for each in catalogue(DAY) if each.limit.most is None and each.limit.least is None]
    assert {each.limit.averaging for each in unknown} == {"instant"} and len(unknown) == 4


def limit(kind: str, most: int, first: str | None = None, last: str | None = None, **more: object) -> Limit:
    dates = [None if each is None else datetime.date.fromisoformat(each) for each in (first, last)]
    return Limit("NOx", kind, Decimal(most), valid_from=dates[0], valid_to=dates[1], **more)  # type: ignore[arg-type]


def test_limits_of_an_outlet_by_date() -> None:
    owed = [
        limit("legal", 300, last="2026-10-31"),
        limit("legal", 100, first="2026-11-01"),
        limit("permit", 150),
        limit("ultra_low", 50),
        limit("temporary", 35, first="2026-11-20", last="2026-11-22"),
        limit("legal", 80, averaging="day"),
    ]

    def deciding(day: str) -> Decimal | None:
        found = strictest(in_force(owed, "NOx", "hour", datetime.date.fromisoformat(day)))
        return None if found is None else found.most

    assert [deciding(f"2026-{day}") for day in ("10-31", "11-01", "11-19", "11-20", "11-22", "11-23")] == [
        150, 100, 100, 35, 35, 100,
    ]  # fmt: skip
    assert strictest(owed[3:4]) is None  # a target alone binds nobody
    assert strictest([owed[3]], kinds=("ultra_low",)) == owed[3]
    in_winter = [limit("legal", 5, cold=Decimal(8)), limit("permit", 6)]
    assert [strictest(in_winter, cold=cold) for cold in (False, True)] == in_winter
    ranges = [limit("legal", 9, least=Decimal(6)), limit("permit", 10, least=Decimal("6.5"))]
    assert [strictest(ranges), strictest(ranges, side="least")] == ranges
    with pytest.raises(ValueError, match="different"):
        strictest([owed[0], owed[5]])


def test_marks_budgets_and_names_hang_together() -> None:
    known = marks.marks()
    bits = [bit for bit in known.values() if bit]
    assert len(set(bits)) == len(bits) == 12 and known["NORMAL"] == 0
    kinds = ("standstill", "condition", "device")
    assert sum(marks.bits_of(kind) for kind in kinds) == sum(bits)
    for table in ("emission_budgets", "emission_mark_names"):
        for row in dated.load(table)[0].rows:
            assert row.text("mark") in known, row.where
            assert row.cells.get("plant") in (None, *marks.plants()), row.where
    for row in dated.load("emission_flags")[0].rows:
        assert row.cells.get("mark", "NORMAL") in known, row.where


def test_names_of_marks() -> None:
    assert marks.bits(["START"]) == marks.bits(["启动"]) == marks.bits(["点火"], "cement_kiln") == 4
    assert marks.bits(["START", "CALIB"]) == 4 | 256
    assert marks.bits(["NORMAL"]) == marks.bits([]) == 0
    assert marks.mark_of("热电偶故障", "incinerator") == "NORMAL"  # says nothing of the pollutants' data
    for name, plant in (("点火", "power"), ("点火", None), ("start", None)):
        with pytest.raises(LookupError, match=name):
            marks.bits([name], plant)


@pytest.mark.parametrize(
    ("industry", "process", "plant"),
    [
        ("power", "coal_boiler", "power"),
        ("chemical", "coal_boiler", "boiler"),
        ("steel", "sinter_head", "sintering"),
        ("cement", "cement_kiln_tail", "cement_kiln"),
        ("coking", "coke_stack", None),
        ("waste_incineration", "incinerator", "incinerator"),
        ("ceramics", "brick_kiln", "ceramic_kiln"),
    ],
)
def test_plants(industry: str, process: str, plant: str | None) -> None:
    assert marks.plant_of(industry, process) == plant


def test_flags() -> None:
    assert flags.uses("NFMSDCTBX_").tolist() == [0, 1, 2, 2, 2, 2, 2, 2, 2, 2]
    assert flags.use_of("S", manual=True) == flags.VALID
    assert flags.use_of("") == flags.VALID
    assert flags.uses(["N", "", "F"]).tolist() == [0, 0, 1]
    # the same letter: no communication in one scheme, a banked fire in the other
    assert (flags.use_of("B"), flags.use_of("B", scheme="hj75")) == (flags.INVALID, flags.VALID)
    assert flags.mark_of_flag("B") == "BANKED" and flags.mark_of_flag("T") == "NORMAL"
    with pytest.raises(LookupError, match="nobody"):
        flags.use_of("N", scheme="nobody")


@pytest.mark.parametrize(
    ("minutes", "flag"),
    [
        ({"N": 60}, "N"),
        ({"N": 45, "C": 15}, "N"),
        ({"N": 44, "C": 16}, "C"),
        ({"N": 44, "C": 15}, "Md"),
        ({"F": 45, "N": 15}, "F"),
        ({"F": 44, "N": 16}, "Md"),
        ({"St": 60}, "St"),
        ({"Sd": 45, "T": 15}, "Sd"),
        ({"B": 50, "D": 10}, "B"),
        ({"T": 16, "M": 44}, "T"),
        ({"M": 16, "D": 17, "N": 27}, "M"),
        ({"D": 60}, "D"),
        ({}, "Md"),
    ],
)
def test_hour_flags(minutes: dict[str, int], flag: str) -> None:
    order = flags.minute_flags()
    counts = np.array([[minutes.get(name, 0) for name in order]], dtype=np.int64)
    assert order[flags.hour_flags(counts)[0]] == flag
