"""Quality checks as people write them: drift and references of outlets, numbers of sections; what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import blocks, registry
from schemas.action_files import read_file
from schemas.actions import Action, check, complete, draft, holding
from tests.schemas.registries import FULL

DISTRICT = registry.parse(FULL, "test")
BEGIN = 1_773_277_200  # 2026-03-12 09:00 Beijing


def qc(subject: str, *, withdrawn: bool = False, **data: str) -> Action:
    return draft("qc", subject, BEGIN, BEGIN + 3600, by="运维班", why="周检", data=data, withdrawn=withdrawn)


@pytest.mark.parametrize(
    ("subject", "data"),
    [
        ("stack", {"result": "failed", "factor": "NOx", "zero_drift": "-6.2", "span_drift": "0.4"}),
        ("stack", {"result": "passed", "factor": "O2", "reference": "8.1", "unit": "%"}),
        ("stack", {"result": "failed", "factor": "PM", "reference": "4", "unit": "mg/m³", "span_drift": "1"}),
        ("stack", {"result": "failed"}),
        ("drain", {"result": "failed", "factor": "COD", "reference": "38", "unit": "mg/L"}),
        ("drain", {"result": "failed", "factor": "flow", "reference": "126", "unit": "m3/h"}),
        ("up", {"check": "zero_drift", "factor": "NH3N", "found": "-0.01", "before": "0.02", "span": "2.0"}),
        ("up", {"check": "span", "factor": "NH3N", "found": "1.83", "standard": "2.0", "result": "passed"}),
        ("up", {"check": "recovery", "factor": "TP", "found": "0.92", "unspiked": "0.41", "added": "0.50"}),
    ],
)
def test_what_may_enter_the_log(subject: str, data: dict[str, str]) -> None:
    one = qc(subject, **data)
    assert check(one, DISTRICT) == []
    whole = complete(one, DISTRICT, "gw", BEGIN * 1000 + 7_200_000)
    assert blocks.decode(blocks.encode(whole)) == whole


@pytest.mark.parametrize(
    ("subject", "data", "said"),
    [
        ("stack", {"factor": "NOx", "zero_drift": "6"}, "result is missing"),
        ("stack", {"result": "failed", "zero_drift": "6"}, "factor is missing: write of which analyser zero_drift is"),
        ("stack", {"result": "failed", "factor": "NOx", "zero_drift": "6 %"}, "zero_drift = 6 %: must be a plain"),
        ("stack", {"result": "failed", "factor": "NOx", "reference": "40"}, "reference and unit stand together"),
        ("stack", {"result": "failed", "factor": "NOx", "unit": "mg/m3"}, "reference and unit stand together"),
        ("stack", {"result": "failed", "factor": "NOx", "reference": "0", "unit": "mg/m3"}, "must be above 0"),
        (
            "stack", {"result": "failed", "factor": "NOx", "reference": "20", "unit": "ppm"},
            "unit = ppm: 'ppm' is a unit of share, 'mg/m3' of mass per volume: nothing converts them",
        ),
        ("stack", {"result": "failed", "factor": "NOx", "reference": "20", "unit": "mg/m4"}, "is no unit known here"),
        ("stack", {"check": "span", "factor": "NOx", "found": "1", "standard": "2"}, "only checks of sections have it"),
        ("school", {"result": "failed", "factor": "O3", "span_drift": "6"}, "only checks of outlets have it"),
        ("up", {"result": "failed", "factor": "TP", "reference": "1", "unit": "%"}, "only checks of outlets have it"),
        ("up", {"check": "spam", "factor": "NH3N"}, "check = spam: one of zero_drift, span_drift, span, recovery"),
        ("up", {"check": "span", "factor": "NH3N", "found": "1"}, "standard is missing: check = span has found"),
        ("up", {"check": "span", "found": "1", "standard": "2"}, "factor is missing: write of which analyser span is"),
        ("up", {"check": "span", "factor": "NH3N", "found": "1", "standard": "0"}, "standard = 0: must be above 0"),
        (
            "up", {"check": "span", "factor": "NH3N", "found": "1", "standard": "2", "added": "3"},
            "added: check = span has found, standard",
        ),
        ("up", {"result": "failed", "factor": "NH3N", "found": "1"}, "found: name the check: zero_drift, span_drift"),
    ],
)  # fmt: skip
def test_what_is_refused(subject: str, data: dict[str, str], said: str) -> None:
    errors = check(qc(subject, **data), DISTRICT)
    assert any(said in error for error in errors), errors


def test_a_file_of_quality_checks(tmp_path: Path) -> None:
    toml = tmp_path / "qc.toml"
    toml.write_text(
        "format = 1\n"
        '[[action]]\nwhat = "qc"\nsubject = "stack"\nfrom = 2026-03-12T09:00:00\nto = 2026-03-12T09:30:00\n'
        'result = "failed"\nfactor = "SO2"\nzero_drift = -6.20\nspan_drift = 1\nby = "运维班"\nwhy = "周检"\n'
        '[[action]]\nwhat = "qc"\nsubject = "stack"\nfrom = 2026-03-12T10:00:00\nto = 2026-03-12T11:00:00\n'
        'result = "failed"\nfactor = "SO2"\nreference = 100\nunit = "mg/m³"\nby = "监测站"\nwhy = "比对"\n',
        encoding="utf-8",
    )
    csv = tmp_path / "qc.csv"
    csv.write_text(
        "what,subject,from,to,by,why,result,factor,zero_drift,span_drift,reference,unit\n"
        "qc,stack,2026-03-12T09:00,2026-03-12T09:30,运维班,周检,failed,SO2,-6.20,1,,\n"
        "qc,stack,2026-03-12T10:00,2026-03-12T11:00,监测站,比对,failed,SO2,,,100,mg/m³\n",
        encoding="utf-8",
    )
    by_toml, by_csv = ([placed.action for placed in read_file(path)] for path in (toml, csv))
    assert by_toml == by_csv
    assert by_toml[0].data == {"result": "failed", "factor": "SO2", "zero_drift": "-6.20", "span_drift": "1"}
    assert by_toml[1].data == {"result": "failed", "factor": "SO2", "reference": "100", "unit": "mg/m3"}
    assert [check(action, DISTRICT) for action in by_toml] == [[], []]


def test_checks_of_one_period_stand_side_by_side_and_end_together() -> None:
    span = qc("up", check="span", factor="NH3N", found="1", standard="2")
    zero = qc("up", check="zero_drift", factor="NH3N", found="0", before="0", span="2")
    other = qc("up", result="passed", factor="TP")
    assert list(holding([span, zero, other]).values()) == [span, zero, other]
    gone = qc("up", withdrawn=True, factor="NH3N", check="span")
    assert check(gone, DISTRICT) == []
    assert list(holding([span, zero, other, gone]).values()) == [zero, other]
    assert list(holding([span, zero, other, qc("up", withdrawn=True, factor="NH3N")]).values()) == [other]
