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
from schemas import messages, times, topics
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


def shown(*said: msgspec.Struct) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a database holds after these messages: by measurement, tags' values and time the fields that came last."""
    return {(p[0], *p[1].values(), p[3]): p[2] for message in said for p in of(message)}


@pytest.mark.parametrize("message", samples.every_kind(), ids=lambda s: getattr(s, "kind", "condition"))
def test_every_kind_becomes_points(message: msgspec.Struct) -> None:
    assert of(message)


def test_the_samples_fill_every_measurement_but_the_probe() -> None:
    made = {p[0] for topic, _, value in samples.every_message() for p in check_declared(lines(value, topic))}
    assert made == set(m.MEASUREMENTS) - {m.SINK_PROBE.name}


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


def test_hour_cell_shows_where_its_value_is_from_and_what_minutes_and_logger_say() -> None:
    cell = samples.cell(
        END, values=["12", "48", "1.1", None, "95", "61.5"], flags="NNN_NN", origins="LMA-AL",
        reasons=["ok", "ok", "ok", "missing", "audit", "ok"], means=["13", "48", None, None, None, "60"],
        minutes=[60, 45, 0, 0, 0, 7], expected=60, sent={"CO": "9.9", "PM10": None},
    )  # fmt: skip
    points = [p[2] for p in of(cell)]
    assert [p["origin"] for p in points] == list("LMA-AL")
    assert [p["own"] if p["own_valid"] else None for p in points] == [12.0, None, 9.9, None, None, 61.5]
    assert [p["mean"] if p["mean_valid"] else None for p in points] == [13.0, 48.0, None, None, None, 60.0]
    assert [p["minutes"] for p in points] == [60, 45, 0, 0, 0, 7] and {p["expected"] for p in points} == {60}
    assert all(p["own"] == m.NOTHING for p in points if not p["own_valid"])


def test_hour_cell_without_minutes_takes_back_the_minutes_it_had() -> None:
    before, after = samples.cell(END), samples.cell(END, origins="", means=[], minutes=[])
    assert shown(before, after) == shown(after)
    assert {(p[2]["minutes"], p[2]["mean"], p[2]["mean_valid"], p[2]["origin"]) for p in of(after)} == {
        (0, float(m.NOTHING), False, "-")
    }


@pytest.mark.parametrize("kind", ["air-day", "station-day"])
def test_a_verdict_that_is_withdrawn_overwrites_every_point_it_had(kind: str) -> None:
    before = samples.verdict(kind, samples.DAY * 86_400, 3)
    after = samples.verdict(
        kind, samples.DAY * 86_400, aqi=None, level=None, category=None, colour=None, primary=[], good=None,
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


def test_stations_and_areas_never_share_a_series() -> None:
    """A station and a township may have the same id."""
    area = of(samples.verdict("air-day", END, area="s1")) + of(samples.verdict("air-hour", END, area="s1"))
    station = of(samples.verdict("station-day", END)) + of(samples.verdict("station-hour", END))
    assert not {p[0] for p in area} & {p[0] for p in station}
    assert {p[1]["source"] for p in station} == {"s1"} and all("area" not in p[1] for p in station)


def test_a_day_says_how_many_hours_it_has_and_what_is_outside_the_plan() -> None:
    day = samples.verdict("air-day", 0, hours={"SO2": 47}, expected=24, not_monitored=["CO"])
    factors = {p[1]["factor"]: p[2] for p in of(day)[1:]}
    assert (factors["SO2"]["hours"], factors["SO2"]["hours_due"], factors["NO2"]["hours"]) == (47, 48, 0)
    assert [f for f, p in factors.items() if not p["planned"]] == ["CO"]


def test_year_tally() -> None:
    point = of(samples.year(1_420_041_600))[0]
    assert point[2]["good_days"] == 180 and point[2]["ratio"] == 51.1 and point[2]["ratio_valid"] is True
    assert [point[2][f"level{n}_days"] for n in range(1, 7)] == [60, 120, 100, 40, 25, 7]
    assert point[2]["attains"] is False and point[2]["attains_valid"] is True
    empty = of(samples.year(1_420_041_600, ratio=None, valid=0, good=0, attains=None))[0]
    assert empty[2]["ratio"] == m.NOTHING and empty[2]["ratio_valid"] is False and empty[2]["attains_valid"] is False


def test_month_quarter_and_year_that_begin_on_one_day_do_not_overwrite_each_other() -> None:
    first = 1_420_041_600
    periods = [samples.period(label, first) for label in ("2015-01", "2015-Q1", "2015")]
    assert len(shown(*periods)) == sum(len(of(p)) for p in periods)
    assert [of(p)[0][0] for p in periods] == ["air_month", "air_quarter", "air_year"]
    both = [samples.period("2015", first, dust=dust) for dust in ("keep", "deduct")]
    assert len(shown(*both)) == 2 * len(of(both[0]))


def test_an_index_is_one_point_per_profile_that_says_whether_it_is_provisional() -> None:
    first = 1_420_041_600
    by_profile = {p[1]["profile"]: p[2] for p in of(samples.period("2015", first)) if p[0] == "air_index"}
    evaluated, provisional = (by_profile[p] for p in samples.PROFILES)
    assert (evaluated["value"], evaluated["provisional"], evaluated["valid"]) == (8.21, False, True)
    assert (provisional["value"], provisional["provisional"], provisional["valid"]) == (8.765, True, True)
    none = samples.period("2015", first, index=dict.fromkeys(samples.PROFILES), provisional={})
    assert {p[2]["valid"] for p in of(none) if p[0] == "air_index"} == {False}


def test_statistics_of_a_period() -> None:
    said: dict[str, Any] = {
        "SO2": {"days": 9, "mean": "20", "percentile": None, "rank": None, "enough": False, "attains": None}
    }
    points = {
        p[1]["factor"]: p[2] for p in of(samples.period("2015-Q1", 0, statistics=said)) if p[0] == "air_statistic"
    }
    so2, pm25 = points["SO2"], points["PM2.5"]
    assert (so2["mean"], so2["mean_valid"], so2["percentile_valid"], so2["attains_valid"]) == (20.0, True, False, False)
    assert pm25["valid"] is False and set(points) == set(AIR_FACTORS), "a factor that is not named is withdrawn"


def test_the_budget_of_a_day_is_one_point_as_it_is_one_key() -> None:
    start = times.day_start(samples.DAY)
    hours = [samples.budget(start + h * 3600) for h in range(1, 25)]
    assert {p[3] for h in hours for p in of(h)} == {start * 10**9}
    lost = {"task": "285", "good": 1, "polluted": 2, "days_left": 3, "state": "lost", "polluted_left": None}
    last = samples.budget(start + 86_400, pollutants={}, year={**lost, "needed": None})
    held = shown(*hours, last)
    assert held == shown(last), "the last hour says all there is"
    whole, *factors = of(last)
    assert (whole[2]["hours_left"], whole[2]["task_days"], whole[2]["year_state"]) == (0, 285.0, "lost")
    assert not whole[2]["polluted_left_valid"] and not whole[2]["needed_valid"]
    assert len(factors) == 6 and not any(p[2]["valid"] for p in factors)
    so2, no2 = of(hours[0])[1:3]
    assert (so2[2]["state"], so2[2]["at_most_valid"]) == ("safe", False)
    assert no2[2]["at_most_valid"] and no2[2]["at_most"] < no2[2]["ceiling"]


def test_a_change_that_is_not_known_cannot_be_taken_for_one_percent_less() -> None:
    points = of(samples.change("2015-12", 0))
    known = {p[2]["change"]: p[2]["valid"] for p in points[1:]}
    assert known == {-1.0: True, -3.25: True, float(m.NO_CHANGE): False}
    assert points[0][2]["ratio_points"] == -1.0 and points[0][2]["edition"] == "2012"
    later = samples.change("2015-12", 0, edition="2026")
    assert shown(samples.change("2015-12", 0), later) == shown(later), "the edition of the last day may change"


def test_ranking_is_a_point_per_township() -> None:
    points = {p[1]["township"]: p[2] for p in of(samples.ranking("2015", 0))}
    assert {t: (p["rank"], p["value"], p["valid"]) for t, p in points.items()} == {
        "east": (1, 5.2, True), "west": (2, 6.125, True), "north": (m.NOTHING, float(m.NOTHING), False),
    }  # fmt: skip
    assert {p[1]["span"] for p in of(samples.ranking("2015", 0))} == {"year"}


def test_difference() -> None:
    whole, *factors = of(samples.difference(samples.DAY))
    assert (whole[2]["ours"], whole[2]["published"]) == ("152 PM2.5", "148 PM2.5、PM10")
    assert (whole[2]["cause"], whole[2]["differs_n"], whole[2]["hours_missing"]) == ("missing,audit", 1, 3)
    by_factor = {p[1]["factor"]: p[2] for p in factors}
    assert (by_factor["PM2.5"]["ours"], by_factor["PM2.5"]["published"]) == (116.0, 112.0)
    assert by_factor["O3"]["valid"] and not by_factor["O3"]["published_valid"], "NA was published: no number"
    assert not by_factor["CO"]["valid"]
    same = samples.difference(samples.DAY, aqi=None, published_aqi=None, primary=[], causes=["none"])
    point = of(same)[0][2]
    assert (point["ours"], point["published"], point["differs_n"], point["aqi_valid"]) == ("NA", "NA", 0, False)


def test_what_the_checks_no_longer_find_becomes_zero() -> None:
    found = samples.checks(samples.DAY)
    points = {p[1]["factor"]: p[2] for p in of(found)}
    assert (points["PM2.5"]["q09"], points["PM2.5"]["q11"], points["O3"]["q08"]) == (2, 1, 1)
    assert (points["PM2.5"]["found"], points["PM2.5"]["hours"]) == (2, "Q09 03 04, Q11 04"), "hour 4 counts once"
    nothing = samples.checks(samples.DAY, found=[])
    assert shown(found, nothing) == shown(nothing)
    assert all(p[2][name] == 0 for p in of(nothing) for name in ("found", *(c.lower() for c in m.CHECKS)))
    newer = of(samples.checks(samples.DAY, found=[(1, "NO", "Q99")]))[-1]
    assert newer[1]["factor"] == "NO" and newer[2]["other"] == newer[2]["found"] == 1


def test_a_condition_is_one_point_from_its_beginning_to_its_end() -> None:
    """The hours a station owes: two more, the first comes after all, then the rest."""
    h = 3600
    story = [
        samples.condition("began", END, END, END),
        samples.condition("continues", END, END + h, END),
        samples.condition("continues", END + 2 * h, END + 2 * h, END),
        samples.condition("ended", END + h, END + 2 * h, END),
    ]
    for n, said in enumerate(story):
        ((at, point),) = shown(*story[: n + 1]).items()
        assert at[:-1] == ("condition", "-", samples.GROUP, "hour-missing", "s1")
        assert at[-1] // 10**6 == END * 1000, "its id is below the millisecond"
        assert point["open"] == (said.state != "ended") and point["since"] == said.since * 1000
    again = samples.condition("began", END + 9 * h, END + 9 * h, END + 9 * h)
    assert sum(p["open"] for p in shown(*story, again).values()) == 1 and len(shown(*story, again)) == 2


def test_days_that_are_incomplete_at_once_are_counted_each() -> None:
    """Their id ends in the number of the day."""
    start = times.day_start(samples.DAY)
    days = [
        samples.condition(
            "began", start + d * 86_400, start + (d + 1) * 86_400, 0, id=f"g|a|air-day-incomplete||{samples.DAY + d}",
            rule="air-day-incomplete", subject=samples.AREA,
        )
        for d in range(3)
    ]  # fmt: skip
    assert [at[-1] // 10**9 for at in shown(*days)] == [start + d * 86_400 for d in range(3)]


def test_two_suspicions_of_one_subject_that_begin_together_are_two_points() -> None:
    """The check is in their ids only; the end of one is not the end of the other."""
    jump, flat = (
        [
            samples.condition(
                state, END, END, END, rule="suspect", factor="", id=f"g|s1|{check}||{END}", detail={"check": check}
            )
            for state in ("began", "ended")
        ]
        for check in ("R12.jump", "R12.flat")
    )
    points = shown(jump[0], flat[0], jump[1]).values()
    assert sorted((p["check"], p["open"]) for p in points) == [("R12.flat", 1), ("R12.jump", 0)]


@pytest.mark.parametrize("data", [b'{"kind":"tick","now":1}', b'{"kind":"action","id":"x"}'])
def test_what_passes_on_conditions_beside_them_makes_no_points(data: bytes) -> None:
    assert topics.CONDITIONS in topics.SUNK
    assert lines(data) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a message"),
        (b"[1,2]", "not a message"),
        (b"\xff\xfe", "not a message"),
        (b'{"kind":"hour"}', "not a message"),
        (b'{"kind":"air-month"}', "not a message"),
        (b'{"kind":"air-decade"}', "kind 'air-decade' has no measurement"),
        (b"{}", "kind '' has no measurement"),
        (b'{"rule":"offline"}', "not a message"),
        (b'{"rule":"offline","v":2}', "format 2, this program reads 1"),
        (messages.encode(samples.budget(END, year={"task": "285"})), "not a message"),
        (messages.encode(samples.period("2015", 0, statistics={"CO": {"mean": 1}})), "not a message"),
        (messages.encode(samples.condition("began", 10**10, 0, 0)), "outside what InfluxDB can hold"),
        (messages.encode(samples.cell(END, minutes=[1])), "columns differ in length"),
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
    cell = samples.cell(
        END, source=source, area=area, factors=[factor], values=[value], flags=flag, reasons=[reason], origins="L",
        means=[], minutes=[],
    )  # fmt: skip
    (made,) = lines(messages.encode(cell))
    assert "\n" not in made and not made.startswith("#"), "a line is a line, for InfluxDB and for the spool"
    name, tags, fields, time = parse(made)
    assert (name, time) == ("air_hour", END * 10**9)
    assert tags == {"area": area, "factor": factor, "source": source}
    blank = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
    assert fields == {
        "value": float(value),
        "own": float(value),
        "own_valid": True,
        "mean": m.NOTHING,
        "mean_valid": False,
        "minutes": 0,
        "expected": 60,
        "origin": "L",
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
                assert field.unit or name in ("level", "status"), f"{measurement.name}.{name} has no unit"


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


def test_a_suspicion_says_its_check_and_a_warning_what_was_measured() -> None:
    suspected = samples.condition(
        "began", END, END, END, rule="suspect", factor="NOx",
        detail={"name": "机头", "rule": "R9", "check": "R9.hours", "title": "小时均值恒定", "reason": "均为 50"},
    )  # fmt: skip
    warned = samples.condition(
        "ended", END, END, END, rule="water-level", factor="NH3N",
        detail={"name": "石梁", "value": "1.2", "unit": "mg/L", "reason": "withdrawn"},
    )  # fmt: skip
    said = [
        tuple(p[2][name] for name in ("check", "title", "reason", "measured"))
        for c in (suspected, warned, samples.condition("began", END, END, END))
        for p in of(c)
    ]
    assert said == [("R9.hours", "小时均值恒定", "均为 50", ""), ("", "", "", "1.2 mg/L"), ("", "", "", "")]


def test_points_name_whose_limits_and_whose_outlet() -> None:
    day = samples.DAY
    points = [p for message in samples.every_kind(day) for p in of(message)]
    assert {p[1]["body"] for p in points if p[0] == "water_factor"} == {"river"}
    of_outlets = {(p[1]["enterprise"], p[1]["outlet"]) for p in points if p[0] in ("outlet_judged", "outlet_rates")}
    assert of_outlets == {("lanfeng-steel", "lanfeng-sinter-head")}
