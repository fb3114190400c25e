"""The daily and hourly report in the layout of HJ 633-2026, and the differences to the province's values."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest

from agents.export_air import BOM, ExportError, as_csv, columns, differences, month_of, report
from agents.verdict_log import VerdictLog
from schemas import blocks, topics
from streams import journal
from tests.agents.test_air_actions import CLOSED, REGISTRY, Log, day_of
from tests.e2e.system import run

DATE = dt.date(2026, 4, 6)


def verdicts(log: Log) -> VerdictLog:
    return VerdictLog({key.encode(): v for (topic, key), v in log.last.items() if topic == topics.VERDICTS}, REGISTRY)


def test_columns_are_in_the_order_of_the_norm() -> None:
    names = columns(hourly=False)
    assert names[:2] == ["时间 time", "名称 name"]
    order = [name.split(" ")[0] for name in names[3:14:2]]
    assert order == ["SO2", "NO2", "CO", "O3", "PM10", "PM2.5"]
    assert [name.split(" ")[0].removesuffix("日最大8小时") for name in names[2:13:2]] == order
    assert [name.split(" ")[0] for name in names[14:19]] == ["AQI", "首要污染物", "级别", "类别", "颜色"]
    assert "日最大8小时" in names[8] and "日最大8小时" not in columns(hourly=True)[8]
    assert "mg/m³" in names[6] and "µg/m³" in names[2]


def test_a_day_of_district_and_stations() -> None:
    log = Log()
    log.day(PM25="61", PM10="80")
    log.tick(CLOSED)
    rows = report(verdicts(log), DATE)
    assert [(row["名称 name"], row["类型 type"]) for row in rows] == [
        ("县", "区县 district"), ("one", "站点 station"), ("two", "站点 station"), ("three", "站点 station"),
    ]  # fmt: skip
    first = list(rows[0].values())
    # HJ 633-2026 table 3: NO2 20 → 25, CO 0.5 → 13, O3 60 → 30, PM10 80 → 50 + 50·30/70 → 72, PM2.5 61 → 101
    assert first[:14] == ["2026-04-06", "县", "10", "10", "20", "25", "0.5", "13", "60", "30", "80", "72", "61", "101"]
    assert first[14:19] == ["101", "PM2.5", "三级", "轻度污染", "橙色"]
    assert "监测指标 monitored: SO2、NO2、CO、O3、PM10、PM2.5；缺测 missing: 无 none" in first[20]


def test_an_hour_has_its_label_and_a_clean_one_no_primary_pollutant() -> None:
    log = Log()
    log.day()
    (row, *_) = report(verdicts(log), DATE, 8)
    assert row["时间 time"] == "2026-04-06 08:00"
    assert (row["AQI"], row["首要污染物 primary"], row["类别 category"]) == ("43", "—", "优")


def test_missing_is_na_and_outside_the_plan_is_a_stroke() -> None:
    log = Log()
    log.day(CO=None)
    log.tick(CLOSED)
    row = report(verdicts(log), DATE)[0]
    assert (row["CO 浓度 mg/m³"], row["CO IAQI"]) == ("NA", "NA")
    assert [row[name] for name in ("AQI", "首要污染物 primary", "级别 level", "类别 category", "颜色 colour")] == [
        "NA"
    ] * 5
    assert row["SO2 IAQI"] == "10", "single concentrations are published all the same (5.3)"
    assert row["说明 text"].endswith("缺测 missing: CO")
    log.act("plan-exception", "county", *day_of(), CLOSED, not_monitored="CO", clean="yes")
    for hour in (None, 8):
        row = report(verdicts(log), DATE, hour)[0]
        assert (row["CO 浓度 mg/m³"], row["CO IAQI"], row["AQI"]) == ("/", "/", "43")
        assert "CO" not in row["说明 text"]


def test_who_said_nothing_has_a_row_of_na() -> None:
    log = Log()
    log.day(skip={"two": set(range(1, 25))})
    log.tick(CLOSED)
    rows = report(verdicts(log), DATE)
    assert set(list(rows[2].values())[2:19]) == {"NA"}
    assert rows[2]["名称 name"] == "two"
    with pytest.raises(ExportError, match="2026-04-09: nothing is judged"):
        report(verdicts(log), dt.date(2026, 4, 9))


def test_csv_opens_in_a_spreadsheet() -> None:
    log = Log()
    log.day()
    log.tick(CLOSED)
    text = as_csv(report(verdicts(log), DATE))
    assert text.startswith(BOM) and text.encode().startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(text.removeprefix(BOM))))
    assert lines[0] == columns(hourly=False) and {len(line) for line in lines} == {21}


def test_differences_of_a_month() -> None:
    log = Log()
    log.day(PM25="40")
    log.tick(CLOSED)
    with pytest.raises(ExportError, match="2026-04: no published value"):
        differences(verdicts(log), "2026-04")
    said = {"aqi": "64", "primary": "PM2.5", "PM2.5": "42"}
    log.act("published", "county", *day_of(), CLOSED, **said)
    (row,) = differences(verdicts(log), "2026-04")
    assert row["日期 date"] == "2026-04-06" and row["区域 area"] == "县"
    assert (row["本系统AQI ours"], row["公布AQI published"]) == ("60", "64")
    assert row["原因 cause"] == "数据审核 audit" and row["浓度差异 concentrations"] == "PM2.5 40 → 42"
    with pytest.raises(ExportError):
        differences(verdicts(log), "2026-03")


def test_months() -> None:
    assert month_of("2026-04") == "2026-04"
    for wrong in ("2026-13", "April", "2026-4-1"):
        with pytest.raises(ValueError):
            month_of(wrong)


# ---- the command


class Kept(Log):
    """A log that keeps what it took."""

    def __init__(self) -> None:
        self.records: list[journal.Record] = []
        super().__init__()

    def put(self, message: Any) -> Any:
        data = blocks.encode(message)
        partition = topics.partition_of("g", topics.EMBEDDED_PARTITIONS)
        self.records.append(journal.Record(topics.READINGS_AIR, partition, None, data))
        if isinstance(message, blocks.RegistryVersion):
            self.records.append(journal.Record(topics.REGISTRY, 0, b"registry", data))
        return super().put(message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = Kept()
    log.day(PM25="40")
    log.tick(CLOSED)
    log.act("published", "county", *day_of(), CLOSED, aqi="60", primary="PM2.5")
    found = tmp_path_factory.mktemp("data")
    book = journal.Journal(found / "journal")
    book.append(log.records, sync=False)
    book.close()
    return found


def test_the_command_judges_a_journal(folder: Path, tmp_path: Path) -> None:
    done = run("export", "air", "2026-04-06", "--data", folder, "--json")
    rows = json.loads(done.stdout)
    assert rows[0]["AQI"] == "60" and len(rows) == 4
    file = tmp_path / "day.csv"
    assert run("export", "air", "2026-04-06", "--hour", "08", "--data", folder, "--to", file).stdout == ""
    assert file.read_bytes().startswith("\ufeff时间 time,名称 name,SO2".encode())
    done = run("export", "differences", "2026-04", "--data", folder)
    assert "一致 none" in done.stdout


def test_what_is_wrong_is_one_line(folder: Path, tmp_path: Path) -> None:
    for words, said in (
        (("air", "2026-04-09", "--data", folder), "nothing is judged"),
        (("air", "2026-04-06", "--data", tmp_path), "no journal of envstream up"),
        (("air", "2026-04-06", "--data", folder, "--bootstrap", "127.0.0.1:1"), "give one of them"),
        (("differences", "2026-13", "--data", folder), "2026-13: no month"),
        (("differences", "2026-05", "--data", folder), "no published value"),
    ):
        done = run("export", *words, code=2)
        assert said in done.stderr and len(done.stderr.splitlines()) == 1
