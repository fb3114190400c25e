"""The dashboards as files: built by the generator, complete, in Chinese, coloured by the standard, loadable by 9.4."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from grafana import boards
from grafana.boards import air, levels, panels, queries
from schemas import measurements as m
from schemas.actions import NA, NOT_IN_PLAN
from schemas.registry import AIR_FACTORS
from tests.grafana.reading import declared_unit, read, unit_of

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


BOARDS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['id']}") for name, board in BOARDS.items() for panel in board["panels"]
]
DATASOURCES = yaml.safe_load((GRAFANA / "provisioning/datasources/influxdb.yaml").read_text(encoding="utf-8"))


TYPES = {
    "stat", "gauge", "bargauge", "timeseries", "table", "barchart", "state-timeline", "status-history", "piechart",
    "heatmap", "histogram", "text", "geomap",
}  # fmt: skip
"""What Grafana 9.4 has."""
CODES = {
    "dust": {"keep", "deduct"}, "profile": {"ci_2018", "ci_2026_u", "ci_2026_w", "ci_2031_w"},
    "kind": {"air", "water", "emission", "pipeline"},
}  # fmt: skip
"""Tags whose values are words of the program's own."""
UIDS = {board["uid"] for board in BOARDS.values()}


def test_every_file_is_what_the_generator_writes() -> None:
    assert {p.name for p in FILES} == set(boards.BOARDS)
    for path in FILES:
        assert path.read_text(encoding="utf-8") == boards.text_of(boards.BOARDS[path.name]()), (
            f"{path.name} differs: run `python -m grafana.boards`"
        )
    assert len(UIDS) == len(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_classic_json_with_a_fixed_uid(name: str) -> None:
    board = BOARDS[name]
    assert board["schemaVersion"] == 37 and board["uid"] == f"envstream-{name.removesuffix('.json')}"
    assert "id" not in board and "__inputs" not in board and "__requires" not in board
    assert board["timezone"] == "Asia/Shanghai"
    assert CHINESE.search(board["title"]) and CHINESE.search(board["description"])
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_are_tags_and_each_is_used(name: str) -> None:
    board = BOARDS[name]
    text = json.dumps(board["panels"]) + json.dumps([v.get("query") for v in board["templating"]["list"]])
    for variable in board["templating"]["list"]:
        assert CHINESE.search(variable["label"]) and CHINESE.search(variable["description"])
        assert re.search(rf"\$\{{?{variable['name']}\b", text), f"nothing follows {variable['name']}"
        if variable["type"] == "query" and variable["regex"]:
            assert read(variable["query"])[0].measurement is m.PLACE and variable["sort"] == 0
            assert variable["query"].endswith("ORDER BY time DESC"), "in the order of the registry"
            assert variable["regex"] == m.PLACE_LABEL
            assert variable["datasource"] == queries.DATASOURCES[m.PLACE.bucket]
        elif variable["type"] == "query":
            measurement, tag = re.search(r'FROM "(\w+)" WITH KEY = "(\w+)"', variable["query"]).groups()  # type: ignore[union-attr]
            assert tag in m.MEASUREMENTS[measurement].tags and tag == variable["name"]
            assert tag not in PLACES or variable["hide"], "people choose by names"
            assert variable["datasource"] == queries.DATASOURCES[m.MEASUREMENTS[measurement].bucket]
        elif variable["type"] == "custom":
            offered = dict(one.split(" : ")[::-1] for one in variable["query"].split(","))
            assert set(offered) == CODES[variable["name"]], "every code has a name to choose it by"
            assert all(CHINESE.search(text) for text in offered.values())
            written = {o["value"]: o["text"] for o in variable["options"]}
            assert written == offered | ({"$__all": "All"} if variable["includeAll"] else {})
            (chosen,) = [o for o in variable["options"] if o["selected"]]
            assert chosen == variable["current"]


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_to_boards_that_exist(name: str) -> None:
    text = json.dumps(BOARDS[name])
    assert set(re.findall(r"/d/([\w-]+)", text)) <= UIDS
    for uid, asked in re.findall(r"/d/([\w-]+)[^\"]*?\?([^\"]*)", text):
        there = next(b for b in BOARDS.values() if b["uid"] == uid)["templating"]["list"]
        assert set(re.findall(r"var-(\w+)=", asked)) <= {v["name"] for v in there}, f"{uid} has no such variable"


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
    assert panel["type"] in TYPES
    assert re.search(r"[\u4e00-\u9fff]|PM", panel["title"])
    assert len(CHINESE.findall(panel["description"])) >= 8
    if panel["type"] == "text":
        return
    defaults = panel["fieldConfig"]["defaults"]
    assert known(defaults["unit"]) and (CHINESE.search(defaults["noValue"]) or defaults["noValue"] in ("", "0"))
    assert panel["targets"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_query_names_what_is_in_schemas_and_filters_valid(name: str, panel: dict[str, Any]) -> None:
    variables = {v["name"] for v in BOARDS[name]["templating"]["list"]}
    for target in panel.get("targets", ()):
        query = target["query"]
        assert target["rawQuery"] is True
        select, shown = read(query)
        measurement, where = select.measurement, select.where
        assert target["datasource"] == queries.DATASOURCES[measurement.bucket]
        assert panel["datasource"]["uid"] in (target["datasource"]["uid"], "-- Mixed --")
        assert select.fields and select.asked <= set(measurement.fields)
        for field in select.asked:
            assert f'"{measurement.guards.get(field, "valid")}" = true' in where
        assert '"valid" = true' in where
        assert set(re.findall(r"\$(?!__|timeFilter)\{?(?!__)(\w+)", query)) <= variables
        followed, pinned = select.followed, select.pinned
        if measurement in queries.TALLIES:
            assert pinned.get("edition") == m.BY_DATE
        else:
            assert pinned.get("edition") != m.BY_DATE
        told_apart = set(followed) | set(pinned) | select.apart
        assert told_apart == set(measurement.tags) or (
            measurement in queries.EVENTS and all(c.said.startswith(queries.AGGREGATES) for c in select.columns)
        ), "two series would be shown as one"
        assert measurement is m.PLACE or re.search(r"\$timeFilter|\$\{__to\}ms", where), "that reads everything"
        between = query[query.find("/") : query.rfind("/")]
        assert not re.search(r"\$\{?__|\$timeFilter", between), "Grafana 11.3 escapes what is between two slashes"
        for shown_as, column in shown.items():
            if (unit := declared_unit(select, column)) is not None:
                unit = "hours" if "$" in column.said else unit  # ($__to - field) / 3600000: the age of an instant
                assert shown_in(unit, unit_of(panel, shown_as)), f"{shown_as} is declared in {unit}"


def known(unit: str) -> bool:
    """Whether it is a unit the generator knows, or a way to write an instant."""
    return unit in {*panels.UNITS.values(), "string"} or unit.startswith("time:")


def shown_in(unit: str, shown: str) -> bool:
    """Whether a unit of ``schemas`` may be shown so: an epoch is an instant."""
    return shown.startswith("time:") if unit == "ms" else shown == panels.UNITS[unit]


@pytest.mark.parametrize(("name", "panel"), [p for p in PANELS if p.values[1]["type"] == "table"])
def test_a_table_knows_its_columns(name: str, panel: dict[str, Any]) -> None:
    assert all(t["resultFormat"] == "table" for t in panel["targets"])
    columns = {name for t in panel["targets"] for name in (*read(t["query"])[1], *read(t["query"])[0].apart)}
    steps = {t["id"]: t["options"] for t in panel.get("transformations", ())}
    made = set(steps.get("organize", {}).get("renameByName", {}).values())
    if "groupBy" in steps:
        made |= {f"{c} ({how})" for c, o in steps["groupBy"]["fields"].items() for how in o.get("aggregations", ())}
    if matrix := steps.get("groupingToMatrix"):
        assert list(steps).index("groupBy") < list(steps).index("groupingToMatrix"), "columns would all have one name"
        assert {matrix["columnField"], matrix["rowField"], matrix["valueField"]} <= columns | made
        made.add(f"{matrix['rowField']}\\{matrix['columnField']}")
    else:
        assert all(CHINESE.search(column) for column in (c for t in panel["targets"] for c in read(t["query"])[1]))
        named = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"] if o["matcher"]["id"] == "byName"}
        assert named <= columns | made | {"Time"}
    renamed = {
        p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "displayName"
    }
    assert {s["displayName"] for s in panel["options"].get("sortBy", ())} <= columns | made | renamed | {"Time"}
    judged = [t for t in panel["targets"] if read(t["query"])[0].measurement is not m.PLACE]
    assert len(judged) == 1 or "merge" in steps
    assert len(panel["targets"]) == len(judged) or {"merge", "configFromData"} & set(steps)


PLACES = {
    "section", "outlet", "enterprise", "source", "township", "inflow", "outflow", "subject", "area", "group", "person",
    "holder",
}  # fmt: skip
"""Tags and fields that are ids of the registry."""


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_an_id_has_its_name_beside_it(name: str, panel: dict[str, Any]) -> None:
    """Shown in place of it, in the same row, or chosen above; no series has an id, beside which nothing could stand."""
    targets = panel.get("targets", ())
    for target in targets:
        if target["resultFormat"] == "time_series":
            assert not set(re.findall(r"\$tag_(\w+)", target["alias"])) & PLACES
    steps = {step["id"]: step["options"] for step in panel.get("transformations", ())}
    hidden = {
        o["matcher"]["options"]
        for o in panel["fieldConfig"]["overrides"] if {"id": "custom.hidden", "value": True} in o["properties"]
    }  # fmt: skip
    mapped: set[str] = set()
    called: tuple[str, ...] = ()
    if "configFromData" in steps:
        options = steps["configFromData"]
        (names,) = [t for t in targets if t["refId"] == options["configRefId"]]
        columns = {column.of: as_ for as_, column in read(names["query"])[1].items()}
        called = columns["id",], columns["name",]
        assert len(columns) == 2
        assert {one["fieldName"]: one["handlerKey"] for one in options["mappings"]} == {
            called[0]: "mappings.value", called[1]: "mappings.text",
        }  # fmt: skip
        assert steps["filterByValue"]["filters"][0]["fieldName"] == called[0]
        assert set(steps["filterFieldsByName"]["exclude"]["names"]) == set(called)
        mapped = set(re.fullmatch(r"/\^\((.*)\)\$/", options["applyTo"]["options"])[1].split("|"))  # type: ignore[index]
        ids = [step["id"] for step in panel["transformations"]]
        assert ids[:3] == ["configFromData", "filterByValue", "filterFieldsByName"]
        assert ids.count("configFromData") == 1, "what comes out of it has forgotten its query"
    for target in targets:
        select, shown = read(target["query"])
        if select.measurement is m.PLACE or target["resultFormat"] == "time_series":
            continue
        columns = {shown_as: column.of[0] for shown_as, column in shown.items() if set(column.of) & PLACES}
        if " FROM (" not in target["query"]:
            columns |= {tag: tag for tag in PLACES & set(re.findall(r'"(\w+)"', select.group))}
        named = "merge" in steps and any(read(t["query"])[0].measurement is m.PLACE for t in targets) and not mapped
        beside = {"编号"} if named else set()
        told = any(column.of == ("name",) for column in shown.values())
        assert mapped <= set(shown), "a name for a column that is not there"
        assert told or set(columns) <= mapped | hidden | beside, f"{set(columns) - mapped - hidden} have no name"
        assert not set(called) & set(shown), "they are taken away with the names"


@pytest.mark.parametrize("name", BOARDS)
def test_steps_rise_and_colours_are_colours(name: str) -> None:
    for panel in BOARDS[name]["panels"]:
        if panel["type"] == "text":
            continue
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        values = [step["value"] for step in steps]
        assert values[0] is None and values[1:] == sorted(set(values[1:])), panel["title"]
        assert all(re.fullmatch(r"#[0-9A-Fa-f]{6}|transparent", step["color"]) for step in steps), panel["title"]


def test_words_for_states_causes_and_profiles_are_complete() -> None:
    states = get_args(importlib.import_module("standards.air.budget").State)
    assert set(air.STATES) == set(states)
    published = importlib.import_module("agents.air.published")
    causes = {v for k, v in vars(published).items() if k.isupper() and isinstance(v, str)} - {NA, NOT_IN_PLAN}
    assert {word for cause in air.CAUSES for word in cause.split(",")} == causes
    assert tuple(air.PROFILE_NAMES) == importlib.import_module("standards.air").PROFILES
    assert air.DEFAULT_PROFILE in air.PROFILE_NAMES


def test_the_area_is_a_district_unless_somebody_chooses() -> None:
    """Townships are areas too, and the first of the alphabet would be shown."""
    areas = [v for board in BOARDS.values() for v in board["templating"]["list"] if v["name"] == "area"]
    assert areas
    for area in areas:
        assert "\"kind\" = 'district'" in area["query"] and not area["includeAll"]


def test_the_six_pollutants_in_the_order_of_the_standard() -> None:
    queries = " ".join(p["targets"][0]["query"] for p in BOARDS["air.json"]["panels"])
    assert tuple(re.findall(r"\"factor\" = '([^']+)'", queries)) == AIR_FACTORS


def test_levels_and_colours_are_those_of_every_edition_of_hj_633() -> None:
    table = tomllib.loads((ROOT / "standards/tables/air_levels.toml").read_text(encoding="utf-8"))
    for edition in table["edition"]:
        assert edition["rows"] == levels.air_levels(), f"{edition['name']}: colours must follow the edition chosen"
    rows = levels.air_levels()
    steps = [p["fieldConfig"]["defaults"]["thresholds"]["steps"] for p in BOARDS["air.json"]["panels"]]
    coloured = [s for s in steps if len(s) >= len(rows)]
    assert len(coloured) >= 8, "AQI and IAQI panels"
    for s in coloured:
        *blank, _, _, _, _, _, _ = [(x["color"], x["value"]) for x in s]
        assert blank in ([], [("transparent", None)]), "what has no number has no colour"
        assert [x["color"] for x in s[-6:]] == [r["hex"] for r in rows]
        assert [x["value"] for x in s[-6:]] == [0 if blank else None, 51, 101, 151, 201, 301]
    mapped = [p["fieldConfig"]["defaults"]["mappings"] for p in BOARDS["air.json"]["panels"]]
    (categories,) = [x[0]["options"] for x in mapped if x and "优" in x[0]["options"]]
    assert {name: o["color"] for name, o in categories.items()} == {r["category"]: r["hex"] for r in rows}


def test_the_limits_that_are_drawn_are_those_of_gb_3095() -> None:
    table = tomllib.loads((ROOT / "standards/tables/air_limits.toml").read_text(encoding="utf-8"))
    drawn = {}
    for panel in BOARDS["air.json"]["panels"]:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if panel["fieldConfig"]["defaults"].get("custom", {}).get("thresholdsStyle"):
            (factor,) = re.findall(r"\"factor\" = '([^']+)'", panel["targets"][0]["query"])
            drawn[factor] = steps[1]["value"]
            assert f" {steps[1]['value']:g}（" in panel["description"]
    assert set(drawn) == {"SO2", "NO2", "CO", "O3"}, "PM has no hourly limit"
    for edition in table["edition"]:
        if edition["name"] in ("2012", levels.AIR_LIMITS):
            rows = {(r["item"], r["averaging"]): r["grade2"] for r in edition["rows"]}
            assert all(rows[factor, "1h"] == limit for factor, limit in drawn.items()), edition["name"]


def test_the_year_is_asked_for_as_the_agent_writes_it() -> None:
    periods = importlib.import_module("agents.air.periods")
    assert periods.BY_DATE == m.BY_DATE and set(periods.PERIODS) == set(m.SPANS)


def test_dust_calibers_are_those_of_the_agent() -> None:
    periods = importlib.import_module("agents.air.periods")
    pinned = {p for b in BOARDS.values() for p in re.findall(r"\\\"dust\\\" = '(\w+)'", json.dumps(b))}
    assert pinned == {periods.KEEP, periods.DEDUCT}, "stations keep dust, rankings deduct it"


def test_a_field_that_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError, match="air_day has no field aqj"):
        queries.ask(m.AIR_DAY, {"x": "last(aqj)"})
    with pytest.raises(KeyError, match="air_day has no tag span"):
        queries.ask(m.AIR_DAY, {"x": "last(aqi)"}, fixed={"span": "month"})


def test_a_query_that_would_mix_series_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="air_area_hour: factor is neither filtered nor told apart"):
        queries.ask(m.AIR_AREA_HOUR, {"x": "last(value)"})


def test_provisioning() -> None:
    sources = DATASOURCES["datasources"]
    assert [{"type": s["type"], "uid": s["uid"]} for s in sources] == list(queries.DATASOURCES.values())
    assert [s.get("isDefault", False) for s in sources] == [True, False]
    buckets = ["$ENVSTREAM_INFLUX_BUCKET", "${ENVSTREAM_INFLUX_BUCKET}_recent"]
    assert [s["database"] for s in sources] == [s["jsonData"]["dbName"] for s in sources] == buckets
    for source in sources:
        assert source["secureJsonData"] == {"httpHeaderValue1": "Token $__file{/run/envstream/grafana.token}"}
        assert source["jsonData"]["httpHeaderName1"] == "Authorization" and "oken" not in json.dumps(source["jsonData"])
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/envstream.yaml").read_text(encoding="utf-8"))
    (provider,) = providers["providers"]
    assert provider["allowUiUpdates"] is False and provider["options"]["path"] == "/var/lib/grafana/dashboards"
