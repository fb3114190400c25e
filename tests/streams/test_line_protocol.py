"""Messages to lines: read back by a parser of its own, which follows InfluxDB's scanner, not our builder."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import measurements as m
from schemas import messages
from schemas.registry import AIR_FACTORS
from streams.line_protocol import LineError, lines
from tests.services import samples

END = 1_448_899_200 + 3600


def parse(line: str) -> tuple[str, dict[str, str], dict[str, Any], int]:
    """Measurement, tags, fields and time of a line, character by character."""
    at = 0

    def until(stops: str) -> str:
        nonlocal at
        begin = at
        while line[at] not in stops or (at and line[at - 1] == "\\"):
            at += 1
        return re.sub(r"\\([,= ])", r"\1", line[begin:at])

    name = until(", ")
    tags = {}
    while line[at] == ",":
        at += 1
        key = until("=")
        at += 1
        assert key not in tags
        tags[key] = until(", ")
    fields: dict[str, Any] = {}
    while line[at] in " ," and not (fields and line[at] == " "):
        at += 1
        key = until("=")
        at += 1
        if line[at] == '"':
            text = ""
            at += 1
            while line[at] != '"':
                if line[at] == "\\" and line[at + 1] in '"\\':
                    at += 1
                text += line[at]
                at += 1
            at += 1
            fields[key] = text
        else:
            raw = until(", ")
            if raw in ("true", "false"):
                fields[key] = raw == "true"
            else:
                fields[key] = int(raw[:-1]) if raw[-1] == "i" else float(raw)
    return name, tags, fields, int(line[at + 1 :])


TYPES = {m.FLOAT: float, m.INTEGER: int, m.BOOLEAN: bool, m.STRING: str}


def check_declared(made: list[str]) -> list[tuple[str, dict[str, str], dict[str, Any], int]]:
    """Every line has all tags and all fields of its measurement, each in its declared type."""
    points = [parse(line) for line in made]
    for name, tags, fields, _ in points:
        declared = m.MEASUREMENTS[name]
        assert tuple(tags) == declared.tags
        assert {k: type(v) for k, v in fields.items()} == {k: TYPES[f.type] for k, f in declared.fields.items()}
    assert len({(name, *tags.items(), time) for name, tags, _, time in points}) == len(points), "a point twice"
    return points


def of(message: msgspec.Struct) -> list[tuple[str, dict[str, str], dict[str, Any], int]]:
    """The points of a message."""
    return check_declared(lines(messages.encode(message)))


def test_hour_cell_is_one_point_per_factor_with_its_own_valid() -> None:
    cell = samples.cell(
        END,
        values=["12", "48", None, "-3", "95", "61.5"],
        flags="NN_DNN",
        reasons=["ok", "ok", "missing", "flag D", "ok", "ok"],
    )
    points = of(cell)
    assert [p[1]["factor"] for p in points] == list(AIR_FACTORS)
    assert [p[2]["value"] for p in points] == [12.0, 48.0, m.NOTHING, -3.0, 95.0, 61.5]
    assert [p[2]["valid"] for p in points] == [True, True, False, False, True, True]
    assert points[3][2]["reason"] == "flag D" and points[3][2]["flag"] == "D"
    assert {p[3] for p in points} == {END * 10**9}


def test_a_verdict_that_is_withdrawn_overwrites_every_point_it_had() -> None:
    before = samples.verdict("air-day", samples.DAY * 86_400, 3)
    after = samples.verdict(
        "air-day", samples.DAY * 86_400, aqi=None, level=None, category=None, colour=None, primary=[], good=None,
        valid=False, reason="PM2.5: 19 hours", conc={}, iaqi={}, stations_valid={},
    )  # fmt: skip
    old, new = of(before), of(after)
    series = [(p[0], p[1], p[3]) for p in old]
    assert [(p[0], p[1], p[3]) for p in new] == series, "a point would stay as it was"
    assert all(p[2]["valid"] is False for p in new)
    day = new[0][2]
    assert (day["aqi"], day["good"], day["good_n"], day["primary"]) == (m.NOTHING, False, 0, "")


def test_a_concentration_without_index_keeps_its_value() -> None:
    hour = samples.verdict("air-hour", END, iaqi={**dict.fromkeys(AIR_FACTORS, 10), "PM10": None})
    pm10 = next(p for p in of(hour) if p[1].get("factor") == "PM10")[2]
    assert pm10["valid"] is True and pm10["iaqi_valid"] is False and pm10["iaqi"] == m.NOTHING


def test_a_valid_verdict_without_an_index_is_not_written_as_valid() -> None:
    assert of(samples.verdict("air-hour", END, aqi=None))[0][2]["valid"] is False


def test_factors_beyond_the_six_are_written_too() -> None:
    day = samples.verdict("air-day", 0)
    day.conc["O3-1h"] = "180"
    assert [p[1]["factor"] for p in of(day)[1:]] == [*AIR_FACTORS, "O3-1h"]


def test_year_tally() -> None:
    (point,) = of(samples.year(1_420_041_600))
    assert point[2]["good_days"] == 180 and point[2]["ratio"] == 51.1 and point[2]["ratio_valid"] is True
    (empty,) = of(samples.year(1_420_041_600, ratio=None, valid=0, good=0))
    assert empty[2]["ratio"] == m.NOTHING and empty[2]["ratio_valid"] is False


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a message"),
        (b"[1,2]", "not a message"),
        (b"\xff\xfe", "not a message"),
        (b'{"kind":"hour"}', "not a message"),
        (b'{"kind":"air-month"}', "kind 'air-month' has no measurement"),
        (b'{"kind":"hour","v":2}', "format 2, this program reads 1"),
        (messages.encode(samples.cell(END, flags="N")), "columns differ in length"),
        (messages.encode(samples.cell(END, area="")), "tag area is empty"),
        (messages.encode(samples.cell(END, area="a\\")), "backslash at the end"),
        (messages.encode(samples.cell(END, source="a\nb")), "control character"),
        (messages.encode(samples.cell(10**10)), "outside what InfluxDB can hold"),
        *(
            (messages.encode(samples.cell(END, values=[bad, *["1"] * 5])), "not a plain decimal")
            for bad in ("NaN", "inf", "1e5", "", " 1", "1_0", "0x1", "1,2", "１２", "1\n")
        ),
    ],
)
def test_what_cannot_become_lines_says_why(data: bytes, why: str) -> None:
    with pytest.raises(LineError, match=re.escape(why)):
        lines(data)


_tags = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20).filter(
    lambda s: s[-1] != "\\"
)
_texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
_numbers = st.decimals(-(10**9), 10**9, places=3, allow_nan=False).map(lambda d: f"{d:f}")


@given(
    area=_tags,
    source=_tags,
    factor=_tags,
    reason=_texts,
    flag=st.characters(blacklist_categories=("Cs",)),
    value=_numbers,
)
def test_any_text_and_number_survives(area: str, source: str, factor: str, reason: str, flag: str, value: str) -> None:
    cell = samples.cell(END, source=source, area=area, factors=[factor], values=[value], flags=flag, reasons=[reason])
    (made,) = lines(messages.encode(cell))
    assert "\n" not in made and not made.startswith("#"), "a line is a line, for InfluxDB and for the spool"
    name, tags, fields, time = parse(made)
    assert (name, time) == ("air_hour", END * 10**9)
    assert tags == {"area": area, "factor": factor, "source": source}
    blank = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
    assert fields == {
        "value": float(value),
        "flag": blank.sub(" ", flag),
        "reason": blank.sub(" ", reason),
        "valid": reason == "ok",
    }


@given(st.binary(max_size=200))
def test_any_bytes_become_lines_or_a_reason(data: bytes) -> None:
    with contextlib.suppress(LineError):
        check_declared(lines(data))


def test_every_measurement_names_units_and_guards() -> None:
    for measurement in m.MEASUREMENTS.values():
        assert "valid" in measurement.fields
        for name, field in measurement.fields.items():
            assert field.text, f"{measurement.name}.{name} says nothing"
            if field.type in (m.FLOAT, m.INTEGER):
                assert field.unit or name == "level", f"{measurement.name}.{name} has no unit"


@pytest.mark.parametrize(
    ("tags", "fields"),
    [
        (("b", "a"), {"valid": m.Field(m.BOOLEAN, None, "")}),
        (("valid",), {"valid": m.Field(m.BOOLEAN, None, "")}),
        (("a",), {"valid": m.Field(m.BOOLEAN, None, ""), "time": m.Field(m.FLOAT, None, "")}),
        (("a",), {"valid": m.Field(m.INTEGER, None, "")}),
        (("a",), {}),
    ],
)
def test_a_declaration_influxdb_would_spoil_is_refused(tags: tuple[str, ...], fields: dict[str, m.Field]) -> None:
    with pytest.raises(ValueError, match="measurement x"):
        m.Measurement("x", "hour end", tags, fields, {})
