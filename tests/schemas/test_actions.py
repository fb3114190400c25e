"""Actions: what each kind must have, what is refused and why, how files are read, and which of two holds."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import action_words, blocks, registry, times
from schemas.action_files import ActionsError, of_row, period, read_file, written
from schemas.actions import KINDS, Action, check, complete, draft, find, holding, identity, names
from standards.emission import marks
from standards.water.editions import choose
from tests.schemas.registries import FULL

DISTRICT = registry.parse(FULL, "test")
DAY, HOUR = ("2026-03-12", ""), ("2026-03-12T09:00", "2026-03-12T10:00")


def action(what: str, subject: str, when: tuple[str, str] = DAY, withdrawn: bool = False, **data: str) -> Action:
    begin, end = period(*when)
    return draft(
        what, subject, begin, end, by="张三", why="总站 2026-03-13 通报",
        data={key.replace("PM25", "PM2.5"): value for key, value in data.items()}, withdrawn=withdrawn,
    )  # fmt: skip


def beijing(*numbers: int) -> int:
    return int(dt.datetime(*numbers, tzinfo=dt.timezone(dt.timedelta(hours=8))).timestamp())  # type: ignore[arg-type,misc]


GOOD = {
    "dust-day": action("dust-day", "county", source="总站通报"),
    "plan-exception": action("plan-exception", "county", not_monitored="SO2,CO", clean="yes"),
    "correction": action("correction", "school", HOUR, PM25="23", SO2="invalid", CO="valid"),
    "published": action("published", "county", aqi="85", primary="PM2.5", level="2", category="良", PM25="63", CO="NA"),
    "mark": action("mark", "stack", ("2026-03-12T09:15", "2026-03-12T11:45"), mark="启炉"),
    "maintenance": action("maintenance", "works", ("2026-03-01", "2026-03-10")),
    "order": action("order", "stack", factor="NOx", limit="35", unit="mg/m³", averaging="hour"),
    "lab": action("lab", "up", ("2026-03", ""), TP="0.12", Hg="<0.00004"),
    "qc": action("qc", "school", result="failed", factor="O3"),
    "acknowledge": action("acknowledge", "stack", episode="works|stack|NOx|1"),
    "hand-back": action("hand-back", "works", episode="works|works|silence|1"),
    "handle": action("handle", "down", episode="river|down|COD|1"),
    "note": action("note", "school", episode="air|school|silence|1"),
    "close": action("close", "stack", episode="works|stack|NOx|1", cause="treatment", measure="更换喷淋泵"),
    "false-alarm": action("false-alarm", "stack", episode="works|stack|NOx|1", cause="instrument"),
    "take-over": action("take-over", "", **{"from": "guo"}),
}


def test_every_kind_has_an_example_that_may_enter_the_log() -> None:
    assert list(GOOD) == list(KINDS)
    for one in GOOD.values():
        assert check(one, DISTRICT) == []
        whole = complete(one, DISTRICT, "gw", 1_800_000_000_000)
        assert blocks.decode(blocks.encode(whole)) == whole
        assert whole.group in ({""} if one.what == "take-over" else {"air", "river", "works"})


@pytest.mark.parametrize(
    ("what", "subject", "group", "enters"),
    [
        ("dust-day", "county", "air", ("air",)),
        ("dust-day", "east", "air", ("air",)),  # a township: its district's group
        ("plan-exception", "village", "air", ("air",)),
        ("maintenance", "school", "air", ("air",)),
        ("maintenance", "down", "river", ("water",)),
        ("maintenance", "well", "spring", ("water",)),
        ("maintenance", "stack", "works", ("emission",)),
        ("maintenance", "works", "works", ("emission",)),
        ("qc", "drain", "works", ("emission",)),
    ],
)
def test_the_group_and_the_readings_are_those_of_the_subject(
    what: str, subject: str, group: str, enters: tuple[str, ...]
) -> None:
    found = find(action(what, subject), DISTRICT)
    assert not isinstance(found, str)
    assert (found.group, found.enters) == (group, enters)


def changed(what: str, /, **changes: Any) -> Action:
    data = changes.pop("data", {})
    one = msgspec.structs.replace(GOOD[what], **changes)
    merged = {k: v for k, v in {**one.data, **data}.items() if v is not None}
    return msgspec.structs.replace(one, data=merged)


def test_an_action_on_an_alert_goes_where_the_alert_is_though_its_subject_has_left_or_moved() -> None:
    gone = action("acknowledge", "a-stack-that-is-gone", episode="works|a-stack-that-is-gone|NOx|1")
    moved = action("note", "school", episode="works|school|silence|1")
    for one in (gone, moved):
        assert check(one, DISTRICT) == []
        assert complete(one, DISTRICT, "gw", 1_800_000_000_000).group == "works"
    assert check(action("acknowledge", "nowhere", episode="nogroup|nowhere|NOx|1"), DISTRICT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (changed("dust-day", what="dustday"), "what = 'dustday': did you mean dust-day?"),
        (changed("dust-day", subject="conty"), "subject 'conty' is no area of this registry: did you mean county?"),
        (changed("dust-day", subject="school"), "subject 'school' is no area of this registry"),
        (changed("dust-day", subject=""), "subject '' is no area"),
        (changed("dust-day", by=""), "by is missing"),
        (changed("dust-day", why=""), "why is missing"),
        (changed("dust-day", by="两\n行"), "by: one line"),
        (changed("dust-day", why="长" * 501), "why: one line of at most 500"),
        (changed("dust-day", end=GOOD["dust-day"].begin), "the end must be later than the begin"),
        (changed("dust-day", end=GOOD["dust-day"].begin + 3600), "must be whole days"),
        (changed("dust-day", begin=-(10**15)), "period: from 1900 to 2200"),
        (changed("dust-day", end=10**15), "period: from 1900 to 2200"),
        (changed("dust-day", data={"sorce": "x"}), "sorce is not known here: one of source"),
        (changed("dust-day", data={"source": "a\nb"}), "must be one line"),
        (changed("plan-exception", data={"clean": None}), "clean is missing"),
        (changed("plan-exception", data={"clean": "maybe"}), "clean = maybe: one of yes, no"),
        (changed("plan-exception", data={"not_monitored": "SO2,SO3"}), "not_monitored = SO2,SO3: one of SO2, NO2, CO"),
        (changed("plan-exception", data={"not_monitored": "SO2,SO2"}), "names one twice"),
        (changed("correction", data=dict.fromkeys(("PM2.5", "SO2", "CO"))), "name at least one factor"),
        (changed("correction", data={"PM2.5": "-1"}), "PM2.5 = -1: must be a plain decimal number"),
        (changed("correction", data={"PM2.5": "1e3"}), "must be a plain decimal number"),
        (changed("correction", data={"PM2.5": "9" * 19}), "more digits"),
        (changed("correction", data={"pm25": "1"}), "pm25 is not known here"),
        (changed("correction", end=GOOD["correction"].end + 3600), "PM2.5 = 23: a value is of one hour"),
        (changed("correction", begin=GOOD["correction"].begin + 1), "must be whole hours"),
        (changed("correction", begin=beijing(2019, 1, 1), end=beijing(2019, 1, 1, 1)), "does not exist in that period"),
        (changed("published", data={"aqi": None}), "aqi is missing"),
        (changed("published", data={"aqi": "501"}), "aqi = 501: must be a whole number from 0 to 500, or NA"),
        (changed("published", data={"aqi": "NA"}), "level = 2: a day whose AQI is NA has none"),
        (changed("published", data={"category": "优"}), "category = 优: level 2 is 良"),
        (changed("published", data={"PM2.5": "x"}), "or NA or /"),
        (changed("published", end=GOOD["published"].end + 86_400), "must be one day"),
        (changed("mark", data={"mark": "启动炉"}), "mark = 启动炉: did you mean 启炉?"),
        (changed("mark", subject="works"), "subject 'works' is no outlet"),
        (changed("order", data={"limit": "0"}), "limit = 0: must be above 0"),
        (changed("order", data={"unit": "mg"}), ""),
        (changed("order", data={"unit": "furlong"}), "unit = furlong: is no unit known here"),
        (changed("order", data={"averaging": "week"}), "one of hour, day, instant"),
        (changed("order", data={"factor": "NOX"}), "factor = NOX: one of PM, SO2, NOx, O2, flow"),
        (changed("lab", end=GOOD["lab"].end - 86_400), "must be whole months"),
        (changed("lab", data={"TP": "<0"}), "TP = <0: must be above 0"),
        (changed("lab", data={"TP": "low"}), "or < and a detection limit"),
        (changed("lab", data={"Tp": "1"}), "Tp is not known here: did you mean TP?"),
        (changed("qc", data={"result": "ok"}), "one of passed, failed"),
        (changed("qc", data={"factor": "COD"}), "factor = COD: one of SO2, NO2, CO, O3, PM10, PM2.5"),
    ],
)
def test_what_is_wrong_is_named(wrong: Action, said: str) -> None:
    errors = check(wrong, DISTRICT)
    if not said:
        assert errors == []
        return
    assert any(said in error for error in errors), errors
    assert all("\n" not in error for error in errors)


def test_all_errors_are_told_at_once() -> None:
    wrong = draft("order", "stak", 0, 0, by="", why="", data={"factor": "x", "limit": "-"})
    assert len(check(wrong, DISTRICT)) == 7


def test_what_was_measured_cannot_be_decided_before_it_begins() -> None:
    before = beijing(2026, 3, 12) * 1000
    for what, one in GOOD.items():
        late = [error for error in check(one, DISTRICT, before - 86_400_000 * 20) if "has not begun" in error]
        assert bool(late) == KINDS[what].past
    assert check(GOOD["dust-day"], DISTRICT, before + 1) == []


def test_a_subject_that_moved_within_the_period_is_two_actions() -> None:
    more = FULL + '[[area]]\nid = "far"\nname = "远"\ngroup = "far"\n[[group]]\nid = "far"\n'
    moved = more.replace('name = "一中新址"\narea = "county"\ntownship = "east"', 'name = "一中新址"\narea = "far"')
    district = registry.parse(moved, "test")
    (error,) = check(action("maintenance", "school", ("2026-02-27", "2026-03-02")), district)
    assert "moved to another group on 2026-03-01: give two actions" in error
    for when, group in ((("2026-02-27", "2026-02-28"), "air"), (("2026-03-01", ""), "far")):
        one = action("maintenance", "school", when)
        assert check(one, district) == []
        assert complete(one, district, "gw", 1).group == group


def test_a_withdrawal_needs_no_data() -> None:
    for what, one in GOOD.items():
        withdrawal = msgspec.structs.replace(one, data={}, withdrawn=True)
        assert check(withdrawal, DISTRICT) == [], what


def test_the_id_is_derived_from_what_is_said_alone() -> None:
    one = GOOD["correction"]
    first, again = complete(one, DISTRICT, "gw", 1), complete(one, DISTRICT, "act-2", 99)
    assert first.id == again.id == identity(one) or first.id == again.id
    turned = msgspec.structs.replace(first, data=dict(reversed(first.data.items())))
    assert identity(turned) == first.id
    others = [
        {"what": "qc"}, {"group": "b"}, {"subject": "b"}, {"begin": 0}, {"end": 0}, {"by": "b"}, {"why": "b"},
        {"data": {"SO2": "1"}}, {"withdrawn": True},
    ]  # fmt: skip
    ids = {identity(msgspec.structs.replace(first, **change)) for change in others}
    assert len(ids | {first.id}) == len(others) + 1


# ---- which one holds


def at(received: int, one: Action) -> Action:
    return msgspec.structs.replace(one, received=received)


def said_of(actions: list[Action]) -> dict[tuple[Any, ...], str]:
    return {(key.what, *key.part): held.data.get(key.part[0], "") for key, held in holding(actions).items() if key.part}


def test_of_one_matter_the_later_holds_in_any_order_of_reading() -> None:
    one = at(1, action("correction", "school", HOUR, PM25="23", SO2="invalid"))
    two = at(2, action("correction", "school", HOUR, PM25="25"))
    three = at(3, action("correction", "school", HOUR, withdrawn=True, SO2="invalid"))
    for order in itertools.permutations((one, two, three)):
        assert said_of(list(order)) == {("correction", "PM2.5"): "25"}
    assert said_of([one, two]) == {("correction", "PM2.5"): "25", ("correction", "SO2"): "invalid"}


def test_a_withdrawal_ends_what_was_before_it_and_nothing_after() -> None:
    day, other = action("dust-day", "county"), action("dust-day", "county", ("2026-03-13", ""))
    gone = msgspec.structs.replace(day, withdrawn=True)
    assert list(holding([at(1, day), at(1, other), at(2, gone)]).values()) == [at(1, other)]
    assert list(holding([at(1, day), at(2, gone), at(3, day)]).values()) == [at(3, day)]
    assert holding([at(5, day), at(5, gone)]) == {}  # at one instant the order of the log decides
    assert len(holding([at(5, gone), at(5, day)])) == 1


def test_several_stand_side_by_side_on_one_period() -> None:
    orders = [
        action("order", "stack", factor=factor, limit="35", unit="mg/m3", averaging=averaging)
        for factor in ("NOx", "SO2")
        for averaging in ("hour", "day")
    ]
    assert len(holding(orders)) == 4
    gone = action("order", "stack", withdrawn=True, factor="NOx")
    assert len(holding([*orders, gone])) == 2
    assert holding([*orders, action("order", "stack", withdrawn=True)]) == {}
    calibers = [action("published", "county", aqi="85", dust=dust) for dust in ("keep", "deduct")]
    assert len(holding(calibers)) == 2
    marked = [action("mark", "stack", HOUR, mark=mark) for mark in ("START", "CALIB")]
    assert len(holding(marked)) == 2


def test_a_kind_nobody_knows_yet_is_left_alone() -> None:
    assert holding([msgspec.structs.replace(GOOD["dust-day"], what="from-the-future")]) == {}


# ---- words


def test_marks_and_items_are_those_of_the_law() -> None:
    assert set(action_words.MARKS) == set(marks.marks())
    called = {
        row.text("name") for table in ("emission_mark_names", "emission_marks") for row in choose(table, None).rows
    }
    assert set(action_words.MARK_NAMES) == called
    assert set(action_words.LAB_ITEMS) == {row.text("item") for row in choose("water_items", None).rows}
    assert tuple(row.text("category") for row in choose("air_levels", None).rows) == action_words.CATEGORIES


def test_lists_are_read_however_they_are_joined() -> None:
    assert names("PM2.5、O3，CO, NO2") == ("PM2.5", "O3", "CO", "NO2")
    assert action("published", "county", aqi="120", primary="PM2.5、 O3").data["primary"] == "PM2.5,O3"


# ---- as people write them


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        ("2026-03-12", "", beijing(2026, 3, 12), beijing(2026, 3, 13)),
        ("2026-03-12", "2026-03-14", beijing(2026, 3, 12), beijing(2026, 3, 15)),
        ("2026-02", "", beijing(2026, 2, 1), beijing(2026, 3, 1)),
        ("2025-12", "2026-01", beijing(2025, 12, 1), beijing(2026, 2, 1)),
        ("2026-03-12T09:00", "2026-03-12T10:00", beijing(2026, 3, 12, 9), beijing(2026, 3, 12, 10)),
        ("2026-03-12 23:00", "2026-03-12 24:00", beijing(2026, 3, 12, 23), beijing(2026, 3, 13)),
        ("2026-03-12T01:00:00Z", "2026-03-12T10:00", beijing(2026, 3, 12, 9), beijing(2026, 3, 12, 10)),
    ],
)
def test_periods_are_read_as_people_write_them(begin: str, end: str, first: int, last: int) -> None:
    assert period(begin, end) == (first, last)


@pytest.mark.parametrize("begin", ["", "2026-02-30", "2026-13", "12.03.2026", "2026-03-12T25:00", "9999-12-31", "昨天"])
def test_what_is_no_time_is_refused(begin: str) -> None:
    with pytest.raises(ActionsError, match="from"):
        period(begin)


def test_an_instant_needs_an_end() -> None:
    with pytest.raises(ActionsError, match="to is missing"):
        period("2026-03-12T09:00")


def test_periods_are_written_for_people() -> None:
    said = {what: written(one) for what, one in GOOD.items()}
    assert said["dust-day"] == "2026-03-12"
    assert said["correction"] == "2026-03-12 09:00 … 10:00"
    assert said["lab"] == "2026-03-01 … 2026-03-31"


def test_a_row_keeps_what_was_written() -> None:
    row = {
        "what": "correction", "subject": "school", "to": "2026-03-12T10:00",
        "from": dt.datetime(2026, 3, 12, 9, tzinfo=times.BEIJING),
        "by": "张三", "why": "审核", "PM2.5": Decimal("23.50"), "SO2": "", "withdrawn": False,
    }  # fmt: skip
    one = of_row(row)
    assert (one.data, one.begin, one.withdrawn) == ({"PM2.5": "23.50"}, beijing(2026, 3, 12, 9), False)


TOML = """\
format = 1

[[action]]
what = "dust-day"
subject = "county"
from = 2026-03-12
to = 2026-03-13
by = "张三"
why = "通报"

[[action]]
what = "correction"
subject = "school"
from = 2026-03-12T09:00:00
to = "2026-03-12T10:00"
by = "李四"
why = "审核"
"PM2.5" = 23.0
SO2 = "invalid"
withdrawn = true
"""
CSV = """\
what,subject,from,to,by,why,withdrawn,source,PM2.5,SO2
dust-day,county,2026-03-12,2026-03-13,张三,通报,,,,

correction,school,2026-03-12T09:00,2026-03-12T10:00,李四,审核,yes,,23.0,invalid
"""


def test_a_toml_and_a_csv_file_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8-sig")
    one, other = read_file(tmp_path / "a.toml"), read_file(tmp_path / "a.csv")
    assert [p.action for p in one] == [p.action for p in other]
    assert [p.place.rpartition(":")[2] for p in one] == ["3", "11"]
    assert [p.place.rpartition(":")[2] for p in other] == ["2", "4"]
    assert all(check(p.action, DISTRICT) == [] for p in one)
    assert one[1].action.data == {"PM2.5": "23.0", "SO2": "invalid"} and one[1].action.withdrawn


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "x", ["a.toml: not TOML"]),
        ("a.toml", "format = 2", ["a.toml: format is 2, this program reads format = 1"]),
        ("a.toml", "action = 1", ["a.toml: must be written as [[action]]"]),
        ("a.toml", "[[actions]]", ["a.toml: actions is not known here"]),
        ("a.toml", "", ["holds no action"]),
        ("a.toml", "[[action]]\nfrom = 1\n[[action]]\nx = []\nfrom = 2026-03-01\n", ["toml:1: from", "toml:3: x = []"]),
        ("a.csv", "", ["a.csv:1: no column what, subject, from, by, why"]),
        ("a.csv", "what,subject,from,by,why\n", ["holds no action"]),
        ("a.csv", "what,subject,from,by,why,by\n", ["a.csv:1: column by stands twice"]),
        ("a.csv", "what,subject,from,by,why\na,b,c,d,e,f\n", ["a.csv:2: more values than columns"]),
        ("a.csv", 'what,subject,from,by,why\n"a\nb",b,morgen,,\nx,y,,,\n', ["csv:2: from = 'mor", "csv:4: from"]),
        ("a.csv", "what,subject,from,by,why,withdrawn\na,b,2026-03-01,d,e,perhaps\n", ["a.csv:2: withdrawn = perhaps"]),
        ("a.csv", 'what,subject,from,by,why\n"a"b,b,c,d,e\n', ["a.csv:2: 不是CSV"]),
        ("a.txt", "", ["neither .toml nor .csv"]),
    ],
)  # fmt: skip
def test_files_are_refused_with_every_error_and_its_line(tmp_path: Path, name: str, text: str, said: list[str]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ActionsError) as refused:
        read_file(tmp_path / name)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "gbk.csv").write_bytes("种类".encode("gb18030"))
    with pytest.raises(ActionsError, match="not UTF-8"):
        read_file(tmp_path / "gbk.csv")
    with pytest.raises(ActionsError, match=r"none\.csv: No such file"):
        read_file(tmp_path / "none.csv")
