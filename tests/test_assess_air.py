"""``assess air``: the reader of hourly CSV, and the year 2015 of Beijing against a plain second implementation."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import time
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from agents.assess_air import SHOWN, assess_air, day_table, edition_table, judge_area, read_area
from standards import air
from streams.air_csv import AirFileError, read_air_csv
from tests.standards.air import reference
from tests.standards.air.reference import POLLUTANTS

BEIJING = Path(__file__).resolve().parents[2] / "shared" / "data" / "air" / "beijing_2015_hourly.csv.gz"
HEADER = "station,hour_end,so2_ug_m3,no2_ug_m3,co_mg_m3,o3_ug_m3,pm10_ug_m3,pm25_ug_m3"
needs_beijing = pytest.mark.skipif(not BEIJING.exists(), reason="the recorded year is not on this machine")


def write(tmp_path: Path, text: str | bytes, name: str = "air.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def one_day(date: str = "2026-05-01", values: str = "6,20,0.5,80,35,17", stations: tuple[str, ...] = ("A",)) -> str:
    lines = [HEADER]
    for station in stations:
        lines += [f"{station},{date} {hour:02d}:00,{values}" for hour in range(1, 24)]
        following = datetime.date.fromisoformat(date) + datetime.timedelta(days=1)
        lines.append(f"{station},{following} 00:00,{values}")
    return "\n".join(lines) + "\n"


# --- the reader ------------------------------------------------------------------------------------------------------


def test_reads_columns_by_name_in_any_order(tmp_path: Path) -> None:
    text = (
        "\ufeffpm25_ug_m3,remark,station,pm10_ug_m3,o3_ug_m3,co_ug_m3,no2_ug_m3,so2_ug_m3,hour_start\r\n"
        "17.5,x,潞华,35,80,850,20,6,2026-05-01T23:00:00\r\n"
    )
    for path in (write(tmp_path, text), write(tmp_path, gzip.compress(text.encode()), "air.bin")):
        rows = read_air_csv(path)
        assert rows.stations == ("潞华",)
        assert rows.label == "start"
        assert rows.values.tolist() == [[6_000, 20_000, 850, 80_000, 35_000, 17_500]]
        assert [column[0] for column in rows.texts] == ["6", "20", "0.850", "80", "35", "17.5"]
        midnight = datetime.datetime(2026, 5, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
        assert rows.end.tolist() == [int(midnight.timestamp())]
        assert rows.line.tolist() == [2]
        assert rows.rejected == ()


def test_the_label_can_be_forced(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEADER}\nA,2026-05-01 01:00,6,20,0.5,80,35,17\n")
    assert read_air_csv(path, label="start").end[0] - read_air_csv(path).end[0] == 3600
    assert read_air_csv(path, label="end").end[0] == read_air_csv(path).end[0]


def test_24_hours_is_the_last_label(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEADER}\nA,2026-05-01 24:00,6,20,0.5,80,35,17\nA,2026-05-02 00:00,6,20,0.5,80,35,17\n")
    rows = read_air_csv(path)
    assert rows.end[0] == rows.end[1]
    area = read_area([path])
    assert (area.duplicates, [hours.shape for hours in area.years]) == (1, [(1, 1, 24, 6)])


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", "-99", "-999", "-9999", "-9999.0", "—", "-", " na ", "/"])
def test_marks_of_absence_are_missing(tmp_path: Path, text: str) -> None:
    rows = read_air_csv(write(tmp_path, f"{HEADER}\nA,2026-05-01 01:00,{text},20,0.5,80,35,17\n"))
    assert rows.values[0, 0] == air.MISSING
    assert rows.texts[0] == [""]
    assert rows.rejected == ()


def test_negative_values_are_kept(tmp_path: Path) -> None:
    rows = read_air_csv(write(tmp_path, f"{HEADER}\nA,2026-05-01 01:00,-1.5,20,0.5,80,35,-98\n"))
    assert rows.values[0, [0, 5]].tolist() == [-1_500, -98_000]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,2026-05-01 01:00,6,20,0.5,80,35", "7 fields, the header has 8"),
        ("A,2026-05-01 01:00,6,20,0.5,80,35,17,9", "9 fields"),
        ("A,2026-05-01 01:30,6,20,0.5,80,35,17", "not on a full hour"),
        ("A,2026-05-01 01:00:07,6,20,0.5,80,35,17", "not on a full hour"),
        ("A,2026-02-30 01:00,6,20,0.5,80,35,17", "no such day"),
        ("A,2026-05-01 25:00,6,20,0.5,80,35,17", "no such hour"),
        ("A,01.05.2026 01:00,6,20,0.5,80,35,17", "bad time"),
        ("A,2026-05-01 01:00Z,6,20,0.5,80,35,17", "bad time"),
        ("A,,6,20,0.5,80,35,17", "bad time"),
        (" ,2026-05-01 01:00,6,20,0.5,80,35,17", "station is empty"),
        ("A,2026-05-01 01:00,6,20,0.5,80,35,many", "pm25_ug_m3: 'many' is not a number"),
        ("A,2026-05-01 01:00,6,20,0.5,infty,35,17", "o3_ug_m3: 'infty' is not a number"),
        ("A,2026-05-01 01:00,6,20,three hundred,80,35,17", "co_mg_m3: 'three hundred' is not a number"),
        ('"A,2026-05-01 01:00,6,20,0.5,80,35,17', "quote"),
    ],
)
def test_lines_that_cannot_be_used_are_kept_with_their_reason(tmp_path: Path, line: str, reason: str) -> None:
    good = "B,2026-05-01 01:00,6,20,0.5,80,35,17"
    rows = read_air_csv(write(tmp_path, f"{HEADER}\n{good}\n\n{line}\n{good}\n"))
    (rejected,) = rows.rejected
    assert (rejected.line, rejected.raw) == (4, line)
    assert reason in rejected.reason
    assert rows.line.tolist() == [2, 5]
    assert rows.stations == ("B",)


@pytest.mark.parametrize(
    ("text", "kind", "rule"),
    [
        ("inf", "not_finite", "o3_ug_m3: a finite number is needed"),
        ("-Infinity", "not_finite", "o3_ug_m3: a finite number is needed"),
        ("NaN", "not_finite", "o3_ug_m3: a finite number is needed"),
        ("1.#QNAN", "not_finite", "o3_ug_m3: a finite number is needed"),
        ("1e40", "absurd", "o3_ug_m3: magnitudes end at 1e12"),
        ("9" * 61, "absurd", "o3_ug_m3: a number has at most 60 characters"),
    ],
)
def test_a_value_that_cannot_be_costs_only_itself(tmp_path: Path, text: str, kind: str, rule: str) -> None:
    path = write(tmp_path, one_day().replace("05-01 05:00,6,20,0.5,80", f"05-01 05:00,6,20,0.5,{text}"))
    rows = read_air_csv(path)
    assert (len(rows), rows.rejected) == (24, ())
    assert rows.values[4].tolist() == [6_000, 20_000, 500, air.MISSING, 35_000, 17_000]
    assert rows.texts[3][4] == ""
    (note,) = rows.notes
    assert (note.kind, note.text, note.rule) == (kind, text[:60], rule)
    assert np.argwhere(rows.note >= 0).tolist() == [[4, 3]]
    result = assess_air([path])
    assert (result["flagged"], result["rejected"], result["missing"]["O3"]) == ({kind: 1}, 0, 0)
    (flag,) = result["flagged_values"]
    assert {key: flag[key] for key in ("line", "station", "pollutant", "value", "reason", "limit")} == {
        "line": 6, "station": "A", "pollutant": "O3", "value": text[:60], "reason": kind, "limit": rule,
    }  # fmt: skip
    assert result["years"]["2026"]["good"] == 1


def test_missing_values_are_counted_by_pollutant(tmp_path: Path) -> None:
    text = one_day().replace("05-01 05:00,6,20", "05-01 05:00,-99,NA").replace("05-01 06:00,6", "05-01 06:00,")
    result = assess_air([write(tmp_path, text), write(tmp_path, one_day("2026-05-02"), "b.csv")])
    assert result["missing"] == {"SO2": 2, "NO2": 1, "CO": 0, "O3": 0, "PM10": 0, "PM2.5": 0}
    assert (result["flagged"], result["finer"]) == ({}, {})


def test_digits_beyond_a_thousandth_are_counted(tmp_path: Path) -> None:
    """The mean of 12 hours of 4.0499 and 12 of 4.0502 mg/m³ is 4.05005: 4.1. Cut to thousandths it is 4.05: 4.0."""
    text = one_day().replace("co_mg_m3", "co_ug_m3")
    lines = text.replace(",0.5,", ",4049.9,").splitlines()
    lines[1:13] = [line.replace("4049.9", "4050.2") for line in lines[1:13]]
    path = write(tmp_path, "\n".join(lines) + "\n")
    result = assess_air([path])
    assert result["finer"] == {"CO": 24}
    assert (result["flagged"], result["rejected"]) == ({}, 0)
    assert len(result["flagged_values"]) == 24
    flag = result["flagged_values"][0]
    assert (flag["pollutant"], flag["value"], flag["reason"]) == ("CO", "4050.2", "finer")
    assert flag["limit"] == "co_ug_m3: digits beyond a thousandth of a mg/m³ are cut off"
    alone = read_air_csv(write(tmp_path, f"{HEADER}\nA,2026-05-01 01:00,6,20,0.5,80,35,60.{'0' * 40}1\n", "long.csv"))
    assert (alone.values[0, 5], alone.notes[0].kind) == (60_001, "finer"), "not even the fortieth digit is silent"
    text = one_day().replace(",17\n", ",17.000\n").replace(",0.5,", ",5e-1,")
    assert assess_air([write(tmp_path, text, "exact.csv")])["finer"] == {}


def test_values_taken_out_come_before_finer_ones(tmp_path: Path) -> None:
    text = one_day(stations=tuple("ABCDEF"), values="6,20,0.5,80,35,17.0001").replace(
        "F,2026-05-01 07:00,6", "F,2026-05-01 07:00,-6"
    )
    result = assess_air([write(tmp_path, text)])
    assert result["finer"] == {"PM2.5": 144}
    assert [flag["reason"] for flag in result["flagged_values"]] == ["negative", *["finer"] * (SHOWN - 1)]


def test_bytes_that_are_not_utf8_cost_one_line(tmp_path: Path) -> None:
    good = "B,2026-05-01 01:00,6,20,0.5,80,35,17\n"
    rows = read_air_csv(write(tmp_path, f"{HEADER}\n{good}".encode() + b"\xc2\xba\xbb," + good.encode()[2:]))
    assert len(rows) == 1
    assert "UTF-8" in rows.rejected[0].reason
    json.dumps(rows.rejected[0].raw).encode("utf-8")


def test_quoted_fields(tmp_path: Path) -> None:
    rows = read_air_csv(write(tmp_path, f'{HEADER}\n"A, north","2026-05-01 01:00",6,20,"0.5",80,35,17\n'))
    assert rows.stations == ("A, north",)
    assert rows.values[0, 2] == 500


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        ((HEADER + "\n").encode(), "no line of data"),
        (b"a,b,c\n1,2,3\n", "no column station"),
        (HEADER.replace("hour_end", "time").encode() + b"\n1\n", "no column hour_start or hour_end"),
        (HEADER.replace("co_mg_m3", "co").encode() + b"\n1\n", "no column co_mg_m3 or co_ug_m3"),
        (HEADER.replace("station,", "station,station,").encode() + b"\n1\n", "station appears twice"),
        ((HEADER + ",co_ug_m3\n1\n").encode(), "both co_mg_m3 and co_ug_m3"),
        (gzip.compress(one_day().encode())[:-20], "not a whole gzip file"),
        (b"\x1f\x8bnonsense", "not a whole gzip file"),
    ],
)
def test_a_file_that_cannot_be_used_says_so_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(AirFileError) as caught:
        read_air_csv(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(AirFileError, match="cannot be read"):
            assess_air([path])
    with pytest.raises(AirFileError, match="no file"):
        assess_air([])


# --- the assessment --------------------------------------------------------------------------------------------------


def test_one_clean_day(tmp_path: Path) -> None:
    result = assess_air([write(tmp_path, one_day())])
    assert list(result["years"]) == ["2026"]
    year = result["years"]["2026"]
    assert {key: year[key] for key in ("good", "polluted", "invalid", "valid", "ratio")} == {
        "good": 1, "polluted": 0, "invalid": 0, "valid": 1, "ratio": 100.0,
    }  # fmt: skip
    assert result["editions"] == ["2026"]
    assert (result["stations"], result["rows"], result["duplicates"], result["rejected"]) == (["A"], 24, 0, 0)
    assert json.loads(json.dumps(result)) == result


def test_the_edition_follows_the_date_or_the_order(tmp_path: Path) -> None:
    values = "6,20,0.5,80,130,17"
    files = [
        write(tmp_path, one_day("2026-02-28", values), "a.csv"),
        write(tmp_path, one_day("2026-03-01", values), "b.csv"),
    ]
    auto = assess_air(files)
    assert (auto["years"]["2026"]["good"], auto["years"]["2026"]["polluted"]) == (1, 1)
    assert auto["editions"] == ["2012", "2026"]
    assert assess_air(files, edition="2012")["years"]["2026"]["good"] == 2
    assert assess_air(files, edition="2026")["years"]["2026"]["polluted"] == 2
    assert assess_air(files, edition="2031")["edition"] == "2031"


def test_the_later_line_of_an_hour_wins(tmp_path: Path) -> None:
    first = one_day(values="6,20,0.5,80,35,400")
    again = one_day()
    both = write(tmp_path, first + again.split("\n", 1)[1])
    result = assess_air([both])
    assert (result["duplicates"], result["years"]["2026"]["good"]) == (24, 1)
    other_way = assess_air([write(tmp_path, again, "a.csv"), write(tmp_path, first, "b.csv")])
    assert (other_way["duplicates"], other_way["years"]["2026"]["polluted"]) == (24, 1)


def test_days_between_without_data_are_invalid(tmp_path: Path) -> None:
    files = [write(tmp_path, one_day("2026-12-30"), "a.csv"), write(tmp_path, one_day("2027-01-02"), "b.csv")]
    years = assess_air(files)["years"]
    assert (years["2026"]["valid"], years["2026"]["invalid"]) == (1, 1)
    assert (years["2027"]["valid"], years["2027"]["invalid"]) == (1, 1)
    table = day_table(judge_area(read_area(files)))
    assert [row["date"] for row in table] == ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"]
    assert [row["reason"] for row in table] == ["ok", "no_data", "no_data", "ok"]
    assert [row["aqi"] for row in table] == [40, None, None, 40]
    assert table[0]["value"] == {"SO2": "6", "NO2": "20", "CO": "0.5", "O3": "80", "PM10": "35", "PM2.5": "17"}


def test_stations_can_be_chosen(tmp_path: Path) -> None:
    path = write(
        tmp_path, one_day(stations=("A", "B")) + one_day(values="6,20,0.5,80,35,400", stations=("C",)).split("\n", 1)[1]
    )
    assert assess_air([path])["years"]["2026"]["polluted"] == 1
    some = assess_air([path], stations=["B", "A"])
    assert (some["years"]["2026"]["good"], some["stations"], some["rows"]) == (1, ["B", "A"], 48)
    dead = assess_air([path], stations=["A", "D", "E"])
    assert dead["years"]["2026"]["invalid"] == 1, "one of three points is not enough"
    with pytest.raises(AirFileError, match=r"no station X; there are A, B, C"):
        assess_air([path], stations=["X"])


def test_bad_values_are_flagged_and_never_used(tmp_path: Path) -> None:
    text = (
        one_day()
        .replace("05-01 05:00,6,20,0.5", "05-01 05:00,-6,20,500")
        .replace("05-01 06:00,6,20,0.5,80", "05-01 06:00,6,20,0.5,1300")
    )
    result = assess_air([write(tmp_path, text + "broken line\n")])
    assert result["flagged"] == {"negative": 1, "unit": 1, "hard_range": 1}
    named = [
        (flag["line"], flag["station"], flag["pollutant"], flag["value"], flag["reason"])
        for flag in result["flagged_values"]
    ]
    assert named == [
        (6, "A", "SO2", "-6", "negative"),
        (6, "A", "CO", "500", "unit"),
        (7, "A", "O3", "1300", "hard_range"),
    ]
    assert [(flag["rule"], flag["limit"]) for flag in result["flagged_values"]] == [
        ("Q06", "below 0; no substitute is put for it"),
        ("Q03", "above 100 mg/m³ (µg/m³ sent as mg/m³?)"),
        ("Q04", "above 1200 µg/m³"),
    ]
    assert result["rejected"] == 1
    assert result["rejected_lines"][0]["line"] == 26
    assert result["years"]["2026"]["good"] == 1
    many = assess_air([write(tmp_path, one_day() + "x\n" * 500)])
    assert (many["rejected"], len(many["rejected_lines"])) == (500, SHOWN)


def test_a_mistyped_year_is_not_a_century_of_days(tmp_path: Path) -> None:
    text = one_day() + "A,2196-05-01 01:00,6,20,0.5,80,35,17\n"
    with pytest.raises(AirFileError, match="is a year mistyped"):
        assess_air([write(tmp_path, text)])


@pytest.mark.parametrize("year", ["1026", "0001", "9999"])
def test_a_year_without_monitoring_is_a_rejected_line(year: str, tmp_path: Path) -> None:
    result = assess_air([write(tmp_path, one_day() + f"A,{year}-05-01 01:00,6,20,0.5,80,35,17\n")])
    assert list(result["years"]) == ["2026"] and result["rejected"] == 1
    assert "no monitoring data are of that year" in result["rejected_lines"][0]["reason"]


def test_dust_days_by_date(tmp_path: Path) -> None:
    path = write(tmp_path, one_day(values="6,20,0.5,80,900,100"))
    dust = [datetime.date(2026, 5, 1)]
    assert assess_air([path], dust_days=dust)["years"]["2026"]["polluted"] == 1
    assert assess_air([path], dust_days=dust, ratio_dust="deduct")["years"]["2026"]["good"] == 1


def test_outside_the_plan(tmp_path: Path) -> None:
    path = write(tmp_path, one_day())
    result = assess_air([path], plan_not_monitored=("CO",))
    assert result["years"]["2026"]["good"] == 1
    blocking = air.Switches(unmonitored_clean=False)
    assert assess_air([path], plan_not_monitored=("CO",), switches=blocking)["years"]["2026"]["invalid"] == 1
    (row,) = day_table(judge_area(read_area([path]), switches=blocking, plan_not_monitored=("CO",)))
    assert (row["value"]["CO"], row["iaqi"]["CO"], row["aqi"], row["reason"]) == ("/", "/", None, "incomplete")


def test_only_rejected_lines_make_no_years(tmp_path: Path) -> None:
    result = assess_air([write(tmp_path, HEADER + "\nx\ny\n")])
    assert (result["years"], result["rows"], result["rejected"]) == ({}, 0, 2)


# --- the recorded year -----------------------------------------------------------------------------------------------


@cache
def beijing_by_day() -> dict[str, dict[str, dict[str, list[Decimal | None]]]]:
    """date -> station -> pollutant -> 24 hours, read the plain way: hour_start + 1 h is the label."""
    columns = dict(
        zip(POLLUTANTS, ("so2_ug_m3", "no2_ug_m3", "co_ug_m3", "o3_ug_m3", "pm10_ug_m3", "pm25_ug_m3"), strict=True)
    )
    days: dict[str, dict[str, dict[str, list[Decimal | None]]]] = {}
    with io.TextIOWrapper(gzip.open(BEIJING), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            date, clock = row["hour_start"].split(" ")
            station = days.setdefault(date, {}).setdefault(row["station"], {p: [None] * 24 for p in POLLUTANTS})
            for pollutant, column in columns.items():
                if row[column]:
                    value = Decimal(row[column])
                    station[pollutant][int(clock[:2])] = value / 1000 if pollutant == "CO" else value
    return days


@needs_beijing
@pytest.mark.parametrize("edition", ["2012", "2026"])
def test_beijing_2015_day_by_day(edition: str) -> None:
    ours = {row["date"]: row for row in day_table(judge_area(read_area([BEIJING]), edition))}  # type: ignore[arg-type]
    days = beijing_by_day()
    assert set(ours) == set(days)
    for date in [*sorted(days)[:: 5 if edition == "2012" else 9], "2015-03-31", "2015-11-01", "2015-12-25"]:
        wanted = reference.day(edition, list(days[date].values()))
        row = ours[date]
        assert (row["aqi"], row["level"], row["primary"]) == (wanted["aqi"], wanted["level"], wanted["primary"]), date
        assert row["iaqi"] == wanted["iaqi"], date
        for pollutant, exact in wanted["values"].items():
            printed = row["value"][pollutant]
            assert (printed is None) is (exact is None)
            if exact is not None:
                assert Decimal(printed) == reference.half_even(exact, 3)


@needs_beijing
def test_beijing_2015_year() -> None:
    result = assess_air([BEIJING], edition="2026")
    table = day_table(judge_area(read_area([BEIJING]), "2026"))
    year = result["years"]["2015"]
    rows = [row for row in table if row["date"].startswith("2015")]
    assert len(rows) == 365
    assert year["good"] == sum(row["valid"] and row["aqi"] <= 100 for row in rows)
    assert year["polluted"] == sum(row["valid"] and row["aqi"] > 100 for row in rows)
    assert year["invalid"] == sum(not row["valid"] for row in rows)
    assert year["valid"] == year["good"] + year["polluted"]
    assert Decimal(str(year["ratio"])) == reference.half_even(reference.Fraction(100 * year["good"], year["valid"]), 1)
    counted = Counter(name for row in rows for name in row["primary"])
    assert year["primary"] == {pollutant: counted[pollutant] for pollutant in POLLUTANTS}
    assert {k: v for k, v in year["by_category"].items() if v} == Counter(
        row["category"] for row in rows if row["valid"]
    )
    assert set(year["index"]) == set(air.PROFILES)
    assert all(isinstance(value, float) for value in year["index"].values())
    assert result["rows"] == 105_696
    assert len(result["stations"]) == 12
    assert (result["duplicates"], result["rejected"], result["flagged"]) == (0, 0, {})


@needs_beijing
def test_beijing_2015_index_of_exact_means() -> None:
    (days,) = [each for each in judge_area(read_area([BEIJING]), "2026") if len(each) == 365]
    values = {p: [reference.Fraction(int(n), int(d) * 1000) for n, d, r in zip(
        days.num[:, at], days.den[:, at], days.rounded[:, at], strict=True) if r != air.MISSING
    ] for at, p in enumerate(POLLUTANTS)}  # fmt: skip
    single = {
        p: sum(values[p]) / len(values[p]) / limit
        for p, limit in (("SO2", 60), ("NO2", 40), ("PM10", 60), ("PM2.5", 30))
    }
    single["CO"] = reference.percentile(values["CO"], 95) / 4
    single["O3"] = reference.percentile(values["O3"], 90) / 160
    total = sum(reference.half_even(value, 3) for value in single.values())
    assert Decimal(str(assess_air([BEIJING], edition="2026")["years"]["2015"]["index"]["ci_2026_u"])) == total


@needs_beijing
def test_beijing_2015_is_quick() -> None:
    assess_air([BEIJING])
    best = min(_seconds() for _ in range(3))
    assert best < 3, f"{best:.2f} s; alone on a machine it takes well under one"


def _seconds() -> float:
    start = time.perf_counter()
    assess_air([BEIJING])
    return time.perf_counter() - start


@needs_beijing
def test_the_file_can_be_replayed_as_it_was_written() -> None:
    rows = read_air_csv(BEIJING)
    assert rows.texts[2][1] == "0.300"
    assert len(rows.texts[0]) == len(rows) == 105_696
    assert (np.diff(rows.line) == 1).all()


@needs_beijing
def test_the_table_in_the_document_is_what_the_code_makes() -> None:
    text = (Path(__file__).parents[1] / "docs" / "law-air.md").read_text(encoding="utf-8")
    written = text.split("<!-- edition_table: begin -->\n")[1].split("<!-- edition_table: end -->")[0]
    assert edition_table([BEIJING]) == written
