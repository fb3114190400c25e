"""The dashboards as files: built by the generator, complete, in Chinese, coloured by the standard, loadable by 9.4."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from schemas import measurements as m
from schemas.actions import NA, NOT_IN_PLAN
from schemas.registry import AIR_FACTORS

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def load_build() -> Any:
    spec = importlib.util.spec_from_file_location("grafana_build", GRAFANA / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()
BOARDS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['id']}") for name, board in BOARDS.items() for panel in board["panels"]
]
DATASOURCES = yaml.safe_load((GRAFANA / "provisioning/datasources/influxdb.yaml").read_text(encoding="utf-8"))


def test_every_file_is_what_the_generator_writes() -> None:
    assert {p.name for p in FILES} == set(build.BOARDS)
    for path in FILES:
        assert path.read_text(encoding="utf-8") == build.text_of(build.BOARDS[path.name]()), (
            f"{path.name} differs: run `python grafana/build.py`"
        )


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_classic_json_with_a_fixed_uid(name: str) -> None:
    board = BOARDS[name]
    assert board["schemaVersion"] == 37 and re.fullmatch(r"envstream-[a-z-]+", board["uid"])
    assert "id" not in board and "__inputs" not in board and "__requires" not in board
    assert board["timezone"] == "Asia/Shanghai"
    assert CHINESE.search(board["title"]) and CHINESE.search(board["description"])
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for variable in board["templating"]["list"]:
        assert variable["datasource"] == build.DATASOURCE and CHINESE.search(variable["label"])
        measurement, tag = re.search(r'FROM "(\w+)" WITH KEY = "(\w+)"', variable["query"]).groups()  # type: ignore[union-attr]
        assert tag in m.MEASUREMENTS[measurement].tags and tag == variable["name"]


@pytest.mark.parametrize("name", BOARDS)
def test_the_grid_has_no_overlap_and_no_hole_to_the_left(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies over {taken[x, y]}"
                taken[x, y] = panel["title"]
    bottom = max(y for _, y in taken) + 1
    assert len(taken) == 24 * bottom, "a hole in the wall"


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_says_what_it_shows(name: str, panel: dict[str, Any]) -> None:
    assert panel["type"] in {"stat", "bargauge", "timeseries", "table"}, "types that Grafana 9.4 has"
    assert re.search(r"[\u4e00-\u9fff]|PM", panel["title"])
    assert len(CHINESE.findall(panel["description"])) >= 8
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in {*build.UNITS.values(), "string"} and defaults["noValue"] == "无数据"
    assert panel["datasource"] == build.DATASOURCE and panel["targets"]
    assert all(t["datasource"] == build.DATASOURCE for t in panel["targets"])


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_query_names_what_is_in_schemas_and_filters_valid(name: str, panel: dict[str, Any]) -> None:
    variables = {v["name"] for v in BOARDS[name]["templating"]["list"]}
    for target in panel["targets"]:
        query = target["query"]
        assert target["rawQuery"] is True and query.endswith("tz('Asia/Shanghai')")
        measurement = m.MEASUREMENTS[re.search(r'FROM "(\w+)"', query)[1]]  # type: ignore[index]
        head, where = query.split(" WHERE ")
        where, *rest = re.split(r" (?=GROUP BY|ORDER BY|tz\()", where)
        grouped = " ".join(part for part in rest if part.startswith("GROUP BY"))
        named = re.findall(r'"([\w.]+)"\)? AS', head)
        fields = [name for name in named if name not in measurement.tags]
        assert fields and set(fields) <= set(measurement.fields)
        for field in fields:
            assert f'"{measurement.guards.get(field, "valid")}" = true' in where
            declared = measurement.fields[field].unit
            if declared is not None and declared != m.BY_FACTOR:
                assert build.UNITS[declared] in units_of(panel)
        assert '"valid" = true' in where
        followed = set(re.findall(r"\"(\w+)\" =~? ['/^]+\$\w+", where))
        assert followed <= variables and all(f"${tag}" in where for tag in followed)
        pinned = dict(re.findall(r"\"(\w+)\" = '([^$']+)'", where))
        assert (pinned.get("edition") == m.BY_DATE) == (measurement in build.TALLIES)
        assert followed | set(pinned) <= set(measurement.tags)
        apart = {name for name in named if name in measurement.tags} | set(re.findall(r'"(\w+)"', grouped))
        assert followed | set(pinned) | apart == set(measurement.tags), "two series would be shown as one"
        assert {"area", "source"} & followed, "a wall of one district shows no other"
        assert re.search(r"\$timeFilter|\$\{__to\}ms", where), "a query without a time reads everything"
        for factor in re.findall(r"\"factor\" = '([^']+)'", where):
            assert panel["fieldConfig"]["defaults"]["unit"] == ("conmgm3" if factor == "CO" else "conμgm3")


def units_of(panel: dict[str, Any]) -> set[str]:
    """Units of a panel and of its columns."""
    config = panel["fieldConfig"]
    columns = [p["value"] for o in config["overrides"] for p in o["properties"] if p["id"] == "unit"]
    return {config["defaults"]["unit"], *columns}


@pytest.mark.parametrize(("name", "panel"), [p for p in PANELS if p.values[1]["type"] == "table"])
def test_a_table_knows_its_columns(name: str, panel: dict[str, Any]) -> None:
    columns = set(re.findall(r'AS "([^"]+)"', " ".join(t["query"] for t in panel["targets"])))
    assert all(CHINESE.search(column) for column in columns)
    assert all(t["resultFormat"] == "table" for t in panel["targets"])
    assert {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]} <= columns | {"Time"}
    assert {s["displayName"] for s in panel["options"]["sortBy"]} <= columns
    assert len(panel["targets"]) == 1 or [t["id"] for t in panel["transformations"]] == ["merge"]


def test_words_for_states_causes_and_profiles_are_complete() -> None:
    states = get_args(importlib.import_module("standards.air.budget").State)
    assert set(build.STATES) == set(states)
    published = importlib.import_module("agents.air.published")
    causes = {v for k, v in vars(published).items() if k.isupper() and isinstance(v, str)} - {NA, NOT_IN_PLAN}
    assert {word for cause in build.CAUSES for word in cause.split(",")} == causes
    assert tuple(build.PROFILE_NAMES) == importlib.import_module("standards.air").PROFILES
    assert build.DEFAULT_PROFILE in build.PROFILE_NAMES


def test_the_area_is_a_district_unless_somebody_chooses() -> None:
    """Townships are areas too, but no station stands in one: the list of areas comes from the stations' own."""
    for board in BOARDS.values():
        area = next(v for v in board["templating"]["list"] if v["name"] == "area")
        assert f'FROM "{m.AIR_HOUR.name}"' in area["query"] and not area["includeAll"]


def test_the_six_pollutants_in_the_order_of_the_standard() -> None:
    queries = " ".join(p["targets"][0]["query"] for p in BOARDS["air.json"]["panels"])
    assert tuple(re.findall(r"\"factor\" = '([^']+)'", queries)) == AIR_FACTORS


def test_levels_and_colours_are_those_of_every_edition_of_hj_633() -> None:
    table = tomllib.loads((ROOT / "standards/tables/air_levels.toml").read_text(encoding="utf-8"))
    for edition in table["edition"]:
        assert edition["rows"] == build.levels(), f"{edition['name']} differs: colours must follow the edition chosen"
    rows = build.levels()
    steps = [p["fieldConfig"]["defaults"]["thresholds"]["steps"] for p in BOARDS["air.json"]["panels"]]
    coloured = [s for s in steps if len(s) > 1]
    assert len(coloured) >= 4, "AQI and IAQI panels"
    for s in coloured:
        assert [x["color"] for x in s] == [r["hex"] for r in rows]
        assert [x["value"] for x in s] == [None, 51, 101, 151, 201, 301]
    mapped = [p["fieldConfig"]["defaults"]["mappings"] for p in BOARDS["air.json"]["panels"]]
    (categories,) = [x[0]["options"] for x in mapped if x and "优" in x[0]["options"]]
    assert {name: o["color"] for name, o in categories.items()} == {r["category"]: r["hex"] for r in rows}


def test_the_year_is_asked_for_as_the_agent_writes_it() -> None:
    periods = importlib.import_module("agents.air.periods")
    assert periods.BY_DATE == m.BY_DATE and set(periods.PERIODS) == set(m.SPANS)


def test_dust_calibers_are_those_of_the_agent() -> None:
    periods = importlib.import_module("agents.air.periods")
    pinned = {p for b in BOARDS.values() for p in re.findall(r"\\\"dust\\\" = '(\w+)'", json.dumps(b))}
    assert pinned == {periods.KEEP, periods.DEDUCT}, "stations keep dust, rankings deduct it"


def test_a_field_that_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError, match="air_day has no field aqj"):
        build.select(m.AIR_DAY, {"x": "last(aqj)"})
    with pytest.raises(KeyError, match="air_day has no tag span"):
        build.select(m.AIR_DAY, {"x": "last(aqi)"}, fixed={"span": "month"})


def test_a_query_that_would_mix_series_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="air_area_hour: factor is neither filtered nor told apart"):
        build.select(m.AIR_AREA_HOUR, {"x": "last(value)"})


def test_provisioning() -> None:
    (source,) = DATASOURCES["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == build.DATASOURCE
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $ENVSTREAM_INFLUX_TOKEN"}
    assert "TOKEN" not in json.dumps(source["jsonData"])
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/envstream.yaml").read_text(encoding="utf-8"))
    (provider,) = providers["providers"]
    assert provider["allowUiUpdates"] is False and provider["options"]["path"] == "/var/lib/grafana/dashboards"
