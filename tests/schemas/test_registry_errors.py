# ruff: noqa: E501  the table of errors is one error a line
"""A wrong file is refused with every error, each with its line, its table and the cure."""

from __future__ import annotations

import re

import pytest

from schemas import registry
from tests.schemas.registries import FULL, changed, errors_if_any, errors_of, line_of

WRONG = [
    # what is changed, into what, a line the error stands at, what it says
    ("format = 1", "format = 2", "format = 2", "this program reads format = 1"),
    ('name_en = "County"', 'name_en = "County"\nstatoin = 3', "statoin", "statoin is not known here"),
    ("port = 9212", 'port = "9212"', "port =", "must be a whole number"),
    ("port = 9212", "port = 9212\nidle_s = 0", "idle_s", "idle_s = 0: 1 to 86400"),
    ("port = 9443", "port = 9212", "", "port 9212 is taken by port or control_port"),
    ('cert = "server.pem"\n', "", "[receive.tls]", "cert is missing"),
    ('[[area]]\nid = "county"\nname = "县"', '[[area]]\nid = "cöunty"\nname = "县"', "cöunty", "letters, digits"),
    ('within = "county"', 'within = "country"', "country", "did you mean county?"),
    ("lat = 36.3\n", "lat = 136.3\n", "136.3", "degrees, -90 to 90"),
    ("lat = 36.3\n", "", "lon =", "belong together"),
    ('mn = "A3"', 'mn = "A 3"', "A 3", "1 to 24 letters or digits"),
    ('mn = "A3"', 'mn = "W2"', 'mn = "W2"', "has the MN W2 of 'village'"),
    ('mn = "D1"', 'mn = "A2"', 'mn = "A2"', "has the MN A2 of 'school'"),
    ('kind = "township"\nvalid_from', 'kind = "rural"\nvalid_from', "rural", "one of city, township"),
    ('units = { CO = "ug/m3" }', 'units = { CO = "m3/h" }', "units", "units.CO = 'm3/h': one of"),
    ('units = { CO = "ug/m3" }', 'units = { CO = "ppb" }', "units", "no unit known here"),
    ("valid_from = 2026-03-01", "valid_from = 2020-01-01", "", "given twice from 2020-01-01"),
    ("valid_from = 2026-03-01", 'valid_from = "2026-03-01"', '"2026-03-01"', "must be a date"),
    ("valid_from = 2026-03-01", "valid_from = 1026-03-01", "1026", "a date from 1900 to 2200"),
    ('mn = "W3"', 'mn = "W3"\nvalid_to = 2019-12-31', "valid_to", "a date not before valid_from"),
    ('id = "well"', 'id = "stack"', "", "is that of a [[section]] too"),
    ('group = "spring"\nbody', 'group = "air"\nbody', 'id = "air"', "has sources of air and of water"),
    ('mn = "W3"\n', 'mn = "W3"\nfactors = ["pH", "NH3-N"]\n', "factors", "did you mean NH3N?"),
    ("class = 4", "class = 6", "class = 6", "1 to 5"),
    ("limits = { TP = 0.25", "limits = { TP = 0.25, phosphate = 1", "limits", "'phosphate' is no factor of water"),
    ('excluded = ["TN"]', "excluded = [7]", "excluded", "texts in quotes only"),
    ("length_km = 8.4", "length_km = 0", "length_km", "must be above 0"),
    ("v_mid = 0.35", "v_mid = 0.95", "v_low", "must not fall from low to high"),
    ("v_mid = 0.35", "v_mid = nan", "v_mid", "plain decimal number"),
    ('industry = "steel"', 'industry = "iron"', "iron", "one of steel, coking"),
    ('contact = "han"', 'contact = "guo"', "contact", "is not of the role enterprise"),
    ("year = [2025, 2026]", "year = [2025, 2025]", "year =", "a list of different ones"),
    ('COD = "4.60"', 'CODCr = "4.60"', "tonnes", "did you mean COD?"),
    ('enterprise = "works"\nname = "机头"', 'enterprise = "work"\nname = "机头"', 'enterprise = "work"', "did you mean works?"),
    ('process = "sinter_head"', 'process = "sinter"', 'process = "sinter"', "did you mean sinter_"),
    ('medium = "water"', 'medium = "gas"', "medium", "wastewater (工业废水排口) is water"),
    ('"NOx", "O2", "flow"]', '"NOx", "oxygen", "flow"]', "factors", "'oxygen' is no factor of gas"),
    ('"NOx", "O2", "flow"]', '"NOx", "flow"]', "ref_o2_pct", "needs O2 among the factors"),
    ("ref_o2_pct = 16", "ref_o2_pct = 21", "ref_o2_pct", "20 at most"),
    ("ranges = { SO2 = 200 }", "ranges = { CO = 200 }", "ranges", "not among the factors of this outlet"),
    ("most = { NOx = 150 }", "most = { NO = 150 }", "NO = 150", "'stack' does not measure it"),
    ("most = { NOx = 150 }", "", "[[limit]]", "has no limit"),
    ("most = { NOx = 35 }", 'most = { NOx = "35-50" }', "35-50", "must be a plain decimal number"),
    ("valid_to = 2026-06-30\n", "", "", "a temporary limit ends"),
    ("cold = { NH3N = 8 }", "cold = { TP = 8 }", "cold", "has no most.TP"),
    ('unit = "pH"', 'unit = "mg/L"', "", "pH in mg/L can't be turned into pH"),
    ('basis = "管控令"\nunit = "mg/m3"', 'basis = "管控令"\nunit = "ppm"', "ppm", "NOx in ppm can't be turned into mg/m3"),
    ('factor = "production_power_01"', 'factor = "power"', 'factor = "power"', "no factor of meter or process"),
    ("rated = 5200\n", "", "[[meter]]", "rated is missing"),
    ('unit = "A"', 'unit = "kW"', 'unit = "kW"', "can't be turned into A"),
    ("on_share = 0.1", "on_share = 1.1", "on_share", "1 at most"),
    ('mn = "W2"\nover_time_s = 20', 'mn = "W9"\nover_time_s = 20', 'mn = "W9"', "no station, section, outlet or meter"),
    ("over_time_s = 20", "over_time_s = 100", "over_time_s", "1 to 99"),
    ("over_time_s = 20", "minute_interval = 7", "minute_interval", "one of 1, 2, 3, 4, 5, 6, 10"),
    ('crc_mode = "modbus"', 'crc_mode = "arc"', "arc", "one of hj212, modbus, either"),
    ("commands = [1012, 3011]", "commands = [1012, 2061]", "commands", "commands has 2061"),
    ("sm4 = true", "sm4 = 1", "sm4", "must be a true or false"),
    ("edition = 2025\nsm4", "edition = 2017\nsm4", "sm4", "belongs to HJ 212-2025"),
    ("scale = { SO2 = 0.1", "scale = { SO2 = 0.2", "scale", "a power of ten"),
    ('units = { flow = "m3/h" }', 'units = { flow = "mg/m3" }', "units = { flow", "can't be turned into m3/s"),
    ('mn = "A1"\ncommands', 'mn = "A1"\nunits = { CO = "ug/m3" }\ncommands', "units = { CO", "write it at the [[station]]"),
    ('secret = "CHIEF"', 'secret = "https://example.invalid/send?key=1"', "channels", "never the secret itself"),
    ('kind = "wecom", secret = "CHIEF"', 'kind = "wechat", secret = "CHIEF"', "wechat", "one of dingtalk, wecom"),
    ('channels = [{ kind = "wecom", secret = "CHIEF" }]', "channels = []", "channels = []", "has no channel"),
    ('from = "22:00"', 'from = "22:60"', "22:60", "a time of day such as '08:30'"),
    ('up_to = "yellow"', 'up_to = "red"', "quiet", "one of blue, yellow, orange"),
    ('role = "enterprise"\nenterprise = "works"', 'role = "enterprise"', "[[person]]", "enterprise is missing"),
    ('persons = ["wang"]', 'persons = ["wnag"]', "wnag", "did you mean wang?"),
    ('persons = ["wang"]', 'persons = ["han"]', 'persons = ["han"]', "belongs to an enterprise"),
    ("until = 2026-01-03", "until = 2025-12-30", "until", "within a year from date"),
    ("until = 2026-01-03", "until = 2026-01-04", "", "2026-01-04 is in two [[holiday]]"),
    ('substitute = "wang"', 'substitute = "guo"', "substitute", "are both 'guo'"),
    ('person = "guo"\nsub', 'person = "han"\nsub', "date = 2026-01-05", "'han' has no turn on shift 'day' then: guo, shen has"),
    ("value = 292", "value = 400", "value", "whole days of a year"),
    ('subject = "river"', 'subject = "air"', "", "no [[group]] with sections"),
    ('subject = "all"\nfactor = "SO2"', 'subject = "all"', "[[task]]", "factor is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "says"), WRONG, ids=[w[3] for w in WRONG])
def test_each_error_with_its_place(old: str, new: str, at: str, says: str) -> None:
    text = changed(old, new)
    found = [line for line in errors_of(text) if says in line]
    assert len(found) == 1, errors_of(text)
    place = re.match(r"x\.toml: line (\d+): (\[|the file)", found[0])
    assert place is not None, found[0]
    lines, line = text.split("\n"), int(place[1])
    assert at in lines[line - 1], found[0]
    if at.startswith("[["):  # the table that was changed, not another of its name
        change = FULL[: FULL.index(old)].count("\n") + 1
        assert line <= change and not any(one.startswith("[") for one in lines[line : change - 1])


def test_all_of_them_at_once_in_the_order_of_the_file() -> None:
    text, chosen = FULL, []
    for old, new, _, says in WRONG:
        if text.count(old) == 1 and says in ("this program reads format = 1", "statoin is not known here",
                "letters, digits", "one of city, township", "plain decimal number", "one of hj212, modbus, either",
                "never the secret itself", "whole days of a year"):  # fmt: skip
            text = text.replace(old, new)
            chosen.append(says)
    assert len(chosen) == 8
    found = errors_of(text)
    for says in chosen:
        assert sum(says in line for line in found) == 1, says
    lines = [int(m[1]) for line in found if (m := re.match(r"x\.toml: line (\d+): ", line))]
    assert len(lines) == len(found) and lines == sorted(lines)


def test_overlapping_rows_of_one_outlet() -> None:
    text = changed(
        "most = { NOx = 150 }\nvalid_from = 2020-01-01",
        "most = { NOx = 150 }\nvalid_from = 2020-01-01\nvalid_to = 2026-03-31",
    )
    (error,) = errors_of(text)
    assert f"line {line_of(text, 'most = { NOx = 50 }') + 1}:" in error
    assert "(NOx): the row before ends on 2026-03-31" in error


def test_an_outlet_without_limits() -> None:
    text = FULL.replace('outlet = "stack"\nkind = "legal"', 'outlet = "stack"\nkind = "ultra_low"')
    text = text.replace('outlet = "stack"\nkind = "permit"', 'outlet = "stack"\nkind = "ultra_low"')
    found = [line for line in errors_of(text) if "no legal or permit limit" in line]
    line = line_of(text, 'id = "stack"')
    assert found == [
        f"x.toml: line {line}: [[outlet]] stack: has no legal or permit limit from 2020-01-01 on: "
        "write a [[limit]] for outlet = 'stack'"
    ]


def test_an_outlet_whose_limits_end() -> None:
    text = changed("most = { COD = 50, NH3N = 5 }", "most = { COD = 50, NH3N = 5 }\nvalid_to = 2025-12-31")
    text = changed("least = { pH = 6 }\n", "least = { pH = 6 }\nvalid_to = 2026-03-31\n", text)
    (error,) = errors_of(text)
    assert "[[outlet]] drain: has no legal or permit limit from 2026-04-01 on" in error


def test_an_inlet_needs_no_limits() -> None:
    text = changed(
        '[[limit]]\noutlet = "stack"\nkind = "legal"',
        '[[outlet]]\nid = "in"\nenterprise = "works"\nname = "进口"\nprocess = "sewage_inlet"\nmn = "E3"\n'
        'factors = ["COD"]\nvalid_from = 2020-01-01\n\n[[limit]]\noutlet = "stack"\nkind = "legal"',
    )
    assert registry.parse(text, "x.toml").outlet_at("in", registry.parse(text, "x").outlets[0].valid_from) is not None


SECTION = '\n[[section]]\nid = "mid"\nname = "中"\nmn = "W4"\ngroup = "river"\nvalid_from = 2020-01-01\n'


def test_a_river_section_without_a_reach() -> None:
    text = FULL + SECTION
    (error,) = errors_of(text)
    line = line_of(text, 'id = "mid"')
    assert f"line {line}: [[section]] mid: is a river section without a reach" in error


def test_a_river_that_flows_in_a_circle() -> None:
    reach = '\n[[reach]]\nfrom = "{}"\nto = "{}"\nlength_km = 1\nv_low = 1\nv_mid = 1\nv_high = 1\n'
    (error,) = errors_of(FULL + SECTION + reach.format("down", "mid") + reach.format("mid", "up"))
    assert "flows in a circle: " in error
    circle = error.split("circle: ")[1].split(": turn")[0].split(" → ")
    assert circle[0] == circle[-1] and set(circle) == {"up", "down", "mid"} and len(circle) == 4
    # two ways from up to down are no circle
    registry.parse(FULL + SECTION + reach.format("up", "mid") + reach.format("mid", "down"), "x.toml")


def test_reaches_do_not_join_groups() -> None:
    text = FULL + '\n[[reach]]\nfrom = "well"\nto = "down"\nlength_km = 1\nv_low = 1\nv_mid = 1\nv_high = 1\n'
    (error,) = errors_of(text)
    assert "joins group 'spring' and 'river'" in error


def test_nothing_watched() -> None:
    assert any("nothing is watched" in line for line in errors_of('format = 1\n[[group]]\nid = "g"\n'))


def test_two_meters_under_one_name() -> None:
    text = FULL + (
        '\n[[meter]]\nid = "other"\noutlet = "drain"\nfactor = "production_power_01"\nmeasures = "production"\nrated = 1\nmn = "D1"\n'
    )
    (error,) = errors_of(text)
    assert "factor production_power_01 of 'works' is meter 'stack.production_power_01' already" in error


def test_ids_twice_and_tasks_twice() -> None:
    text = FULL + (
        '\n[[group]]\nid = "air"\n'
        + FULL[FULL.index("[[task]]") : FULL.index('[[task]]\nyear = 2026\nkind = "section')]
    )
    first, second = errors_of(text)
    assert "group id 'air' is given twice" in first and "[[task]] 2026 good_days: is given twice" in second


def test_places_where_tables_are_written_in_another_way() -> None:
    # an inline list has no headers: the error names the row by its number instead of a line
    text = 'group = [{ id = "g" }, { id = "h", nmae = "x" }]\n' + FULL.replace('[[group]]\nid = "air"\n', "").replace(
        '[[group]]\nid = "river"\n', ""
    ).replace('[[group]]\nid = "spring"\n', "")
    assert any(
        line.startswith("x.toml: [[group]] 2 h: nmae is not known here: did you mean name?") for line in errors_of(text)
    )


@pytest.mark.parametrize("text", ["a" * 10, "x = " + "[" * 5000, "\x00", "format = 1\nformat = 1"])
def test_no_toml_is_one_line(text: str) -> None:
    (error,) = errors_of(text)
    assert error.startswith("x.toml: not TOML")


JUNK = (
    *("3", '"x"', '""', "[]", "{}", "true", "1979-05-27T07:32:00", "-1", "nan", "1e400", '[1, "a", {}]', "[{}]"),
    *("{ a = {} }", "07:30:00", '"\\u0000"', "99999999999999999999999", "[[]]"),
)


def test_whatever_stands_in_a_field_is_refused_or_read() -> None:
    lines = FULL.split("\n")
    for n, line in enumerate(lines):
        if found := re.match(r"(\w+) = ", line):
            text = "\n".join([*lines[:n], f"{found[1]} = {JUNK[n % len(JUNK)]}", *lines[n + 1 :]])
            assert all(one.startswith("x.toml: ") and len(one) < 300 for one in errors_if_any(text)), text
