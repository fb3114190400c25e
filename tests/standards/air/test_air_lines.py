"""``rules aqi``: every vector of air.md §9, the 2012 variants, missing data, and input that must be refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from standards import air
from tests.standards.air.reference import DATA

VECTORS = [json.loads(line) for line in (DATA / "air_vectors.jsonl").read_text("utf-8").splitlines()]


def one(conc: dict[str, Any] | str, edition: str = "2026", period: Any = "daily") -> dict[str, Any]:
    line = conc if isinstance(conc, str) else json.dumps({"id": "x", "conc": conc})
    (answer,) = air.rules_aqi([line], edition, period)
    return answer


def vector(name: str) -> dict[str, Any]:
    return next(each for each in VECTORS if each["id"] == name)


@pytest.mark.parametrize("each", VECTORS, ids=lambda each: each["id"])
@pytest.mark.parametrize("as_numbers", [False, True])
def test_vectors(each: dict[str, Any], as_numbers: bool) -> None:
    line = json.dumps(each)
    if as_numbers:
        line = re.sub(r'"(\d+(?:\.\d+)?)"', r"\1", line)
    answer = one(line, each["std"][-4:], each["kind"])
    assert answer["id"] == each["id"]
    assert answer["iaqi"] == each["iaqi"]
    assert (answer["aqi"], answer["level"], answer["category"]) == (each["aqi"], each["level"], each["cat"])
    assert answer["primary"] == each["primary"]
    assert list(answer["iaqi"]) == list(air.POLLUTANTS)
    again = one(line, "2031" if each["std"].endswith("2026") else "2012", each["kind"])
    assert again == answer, "the AQI rules of 2031 are those of 2026"


def test_vectors_cover_every_family() -> None:
    assert {each["id"][0] for each in VECTORS} == set("DHMP")
    assert len(VECTORS) == 35


def test_vectors_under_the_edition_of_2012() -> None:
    text = (DATA / "air_2012_differs.txt").read_text("utf-8")
    listed = dict(re.findall(r"(D\d+) (\d+|AQI \d+)", text))
    for each in VECTORS:
        if each["id"][0] != "D":
            continue
        answer = one(json.dumps(each), "2012")
        if each["id"] == "D13":  # ozone above 800 has no 8-hour index; the others alone give 70, PM10
            assert (answer["aqi"], answer["primary"], answer["iaqi"]["O3"]) == (70, ["PM10"], None)
            assert "O3" in answer["flags"][0]
        elif each["id"] in listed:
            assert answer["aqi"] == int(listed[each["id"]].removeprefix("AQI "))
        else:
            assert answer["aqi"] == each["aqi"]
            assert answer["primary"] == each["primary"]
    particles = {"D4": (68, 67), "D5": (85, 82), "D6": (74, 63), "D7": (86, 83), "D8": (109, 150), "D9": (130, 152)}
    particles |= {"D16": (68, 67), "D17": (55, 82)}
    for name, wanted in particles.items():
        found = one(json.dumps(vector(name)), "2012")["iaqi"]
        assert (found["PM10"], found["PM2.5"]) == wanted
    assert one(json.dumps(vector("D14")), "2012")["primary"] == ["NO2", "CO", "O3"]
    assert one(json.dumps(vector("D5")), "2012")["primary"] == ["O3"]


def test_published_days_show_that_the_index_is_rounded_up() -> None:
    text = (DATA / "air_published_round_up.txt").read_text("utf-8")
    rows = re.findall(r"(\d+), (\d+), ([\d.]+), (\d+) → (\d+)", text)
    assert len(rows) == 9
    for so2, no2, co, o3, aqi in rows:
        conc = {"SO2": so2, "NO2": no2, "CO": co, "O3": o3, "PM10": "/", "PM2.5": "/"}
        assert one(conc, "2012")["aqi"] == int(aqi)


def test_a_pollutant_outside_the_plan_does_not_block() -> None:
    conc = {**vector("M4")["conc"], "CO": "/"}
    answer = one(conc)
    assert answer["iaqi"]["CO"] == "/"
    assert (answer["aqi"], answer["level"], answer["category"], answer["primary"]) == (90, "二级", "良", ["PM2.5"])


def test_incomplete_can_be_published_by_switch() -> None:
    line = json.dumps(vector("M4"))
    (answer,) = air.rules_aqi([line], "2026", "daily", switches=air.Switches(incomplete="from_the_rest"))
    assert (answer["aqi"], answer["primary"]) == (90, ["PM2.5"])


@pytest.mark.parametrize(
    ("conc", "words"),
    [
        ({"SO2": "NaN"}, ("SO2", "'NaN' is not a number")),
        ('{"id":"x","conc":{"NO2":NaN}}', ("NO2", "'NaN'")),
        ('{"id":"x","conc":{"NO2":-Infinity}}', ("NO2", "'-Infinity'")),
        ({"O3": "inf"}, ("O3", "'inf'")),
        ({"PM10": -1}, ("PM10", "-1 µg/m³ is negative")),
        ({"PM2.5": "high"}, ("PM2.5", "'high' is not a number")),
        ({"PM2.5": ""}, ("PM2.5", "not a number")),
        ({"PM2.5": True}, ("PM2.5", "true")),
        ({"PM2.5": [35]}, ("PM2.5", "neither")),
        ({"PM2.5": 1e300}, ("PM2.5", "absurdly large")),
        ({"PM10": 10000.5}, ("PM10", "10000.5", "above 10000", "Q04")),
        ({"CO": 800}, ("CO", "800 mg/m³", "µg/m³?", "Q03")),
        ("{", ("not JSON",)),
        ("[]", ("not a JSON object",)),
        ('{"id":"x"}', ("conc",)),
        ('{"id":"x","conc":[1]}', ("conc",)),
        ("[" * 100_000, ("not JSON",)),
    ],
)
def test_bad_input_is_named(conc: Any, words: tuple[str, ...]) -> None:
    answer = one(conc)
    assert set(answer) == {"id", "error"}
    for word in words:
        assert word in answer["error"]
    assert "\n" not in answer["error"]


def test_one_bad_line_does_not_stop_the_others() -> None:
    good = json.dumps({"id": 7, "conc": {"PM2.5": 300}})
    answers = list(air.rules_aqi([good, "", "x\n", good], "2026", "daily"))
    assert [answer.get("aqi") for answer in answers] == [350, None, 350]
    assert answers[0]["id"] == 7
    assert "line 3" in answers[1]["error"]


def test_what_deserves_a_look_is_flagged() -> None:
    assert one({"CO": 120}, period="hourly")["flags"] == ["CO: 120 mg/m³: is this µg/m³? (Q03)"]
    assert "hard range" in one({"O3": 1250}, period="hourly")["flags"][0]
    assert one({"PM25": 3})["flags"] == ["PM25 is no pollutant and was ignored"]
    assert "flags" not in one({"PM2.5": 3})


def test_digits_of_a_json_number_are_exact() -> None:
    assert one('{"conc":{"PM2.5":60.5}}')["iaqi"]["PM2.5"] == 100
    assert one('{"conc":{"PM2.5":60.5000000000000000001}}')["iaqi"]["PM2.5"] == 101
    assert one('{"conc":{"PM2.5":6.05e1}}')["iaqi"]["PM2.5"] == 100


def test_nothing_measured_and_nothing_but_zero() -> None:
    answer = one({})
    assert (answer["aqi"], answer["level"], answer["colour"], answer["primary"]) == (None, None, None, [])
    zero = one(dict.fromkeys(air.POLLUTANTS, 0))
    assert (zero["aqi"], zero["level"], zero["primary"]) == (0, "一级", [])


def test_ozone_of_2012_goes_by_its_hour_above_the_table() -> None:
    conc = {**vector("D13")["conc"], "O3_1h": 900}
    assert one(conc, "2012")["iaqi"]["O3"] == 350
    assert one(conc, "2012")["primary"] == ["O3"]
    assert one({**vector("D5")["conc"], "O3_1h": 500}, "2012")["aqi"] == 100, "by default not a seventh indicator"
    (seven,) = air.rules_aqi(
        [json.dumps({"conc": {**vector("D5")["conc"], "O3_1h": 500}})], "2012", "daily",
        switches=air.Switches(o3_daily_uses_1h=True),
    )  # fmt: skip
    assert seven["iaqi"]["O3"] == 225


def test_refuses_an_unknown_edition_or_period() -> None:
    with pytest.raises(LookupError, match="2012, 2026, 2031"):
        one({}, "2020")
    with pytest.raises(ValueError, match="daily or hourly"):
        one({}, "2026", "weekly")


@pytest.mark.parametrize("clean", [True, False])
def test_outside_the_plan_shows_a_stroke_but_only_a_clean_record_unblocks(clean: bool) -> None:
    conc = {**vector("M4")["conc"], "CO": "/"}
    switches = air.Switches(unmonitored_clean=clean)
    (answer,) = air.rules_aqi([json.dumps({"conc": conc})], "2026", "daily", switches=switches)
    assert answer["iaqi"]["CO"] == "/"
    assert (answer["aqi"], answer["primary"]) == ((90, ["PM2.5"]) if clean else (None, []))
    (above,) = air.rules_aqi([json.dumps({"conc": conc | {"O3": "175"}})], "2026", "daily", switches=switches)
    assert (above["aqi"], above["primary"]) == (114, ["O3"]), "rule 2 comes first"


def test_valid_only_with_all_six() -> None:
    six = air.Switches(incomplete="all_six")
    for conc, aqi in (
        (vector("M2")["conc"], None),
        (vector("D7")["conc"], 111),
        ({**vector("D7")["conc"], "CO": "/"}, None),
    ):
        (answer,) = air.rules_aqi([json.dumps({"conc": conc})], "2026", "daily", switches=six)
        assert answer["aqi"] == aqi


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id":"x","conc":{"PM2.5":35,"PM2.5":300}}', 'line 1: the key "PM2.5" is there twice'),
        ('{"id":"x","conc":{"PM2.5":35,"PM2\\u002e5":300}}', '"PM2.5" is there twice'),
        ('{"id":"x","id":"y","conc":{}}', 'the key "id" is there twice'),
    ],
)
def test_a_key_given_twice_is_refused(line: str, words: str) -> None:
    answer = one(line)
    assert set(answer) == {"id", "error"}
    assert words in answer["error"]
