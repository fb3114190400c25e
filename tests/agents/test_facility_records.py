"""R12, R14 and R23 from the log to what is said: packets and quality checks in, suspicions out, late and withdrawn."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from schemas import blocks, topics
from standards.facility.engine import Review
from tests.agents.emission_log import START, Log, Packet, action, block, crashed, judged, registry, tick

HOUR_S, DAY_S = 3600, 86_400

STACK = """
[[outlet]]
id = "{id}"
name = "{id}号锅炉"
enterprise = "{enterprise}"
process = "coal_boiler"
mn = "{mn}"
factors = ["SO2", "NOx"]
ranges = {{ SO2 = 1000 }}
valid_from = 2020-01-01
{rules}
[[logger]]
mn = "{mn}"
minute_interval = 1
[[limit]]
outlet = "{id}"
kind = "legal"
basis = "GB 13223-2011"
unit = "mg/m3"
most = {{ NOx = 100 }}
valid_from = 2020-01-01
[[meter]]
outlet = "{id}"
factor = "production_power_01"
measures = "production"
rated = 1000
"""
ENTERPRISE = """
[[enterprise]]
id = "{id}"
name = "{id}热电"
industry = "power"
group = "plant"
"""
HEAD = 'format = 1\n[[group]]\nid = "plant"\n'
OFF = "rules = { R14 = { enabled = false } }"


def district(*stacks: tuple[str, str, str]) -> str:
    """A registry of stacks: id, enterprise, and its rules."""
    whose = dict.fromkeys(enterprise for _, enterprise, _ in stacks)
    made = [
        STACK.format(id=id_, enterprise=enterprise, mn=f"E{n}", rules=rules)
        for n, (id_, enterprise, rules) in enumerate(stacks)
    ]
    return HEAD + "".join(ENTERPRISE.format(id=each) for each in whose) + "".join(made)


ONE = district(("one", "plant", ""))
TWO = district(("one", "plant", ""), ("two", "plant", ""))


def hours(
    values: Sequence[str | None], *, source: str = "one", load: str = "500", factor: str = "SO2", first: int = 0,
    **more: Any,
) -> list[Packet]:  # fmt: skip
    """Hours from ``first`` on, each received a minute after its end; None: an hour without a packet."""
    ends = [(START + (first + n + 1) * HOUR_S, value) for n, value in enumerate(values)]
    return [
        Packet(source, end, {factor: value, "production_power_01": load}, (end + 60) * 1000, **more)
        for end, value in ends
        if value is not None
    ]


def qc(begin_h: float, end_h: float, received_h: float, subject: str = "one", **data: str) -> bytes:
    """A quality check between two hours of the log."""
    begin, end, received = (START + round(h * HOUR_S) for h in (begin_h, end_h, received_h))
    return action("qc", subject, begin, end, received * 1000, **data)


def at(hour: float) -> bytes:
    """The log comes to so many hours."""
    return tick(START + round(hour * HOUR_S))


def watched(log: Log) -> list[tuple[str, Review]]:
    """Every review from now on."""
    found: list[tuple[str, Review]] = []
    log.judge.facility.told = lambda outlet, review: found.append((outlet, review))
    return found


def suspected(log: Log, check: str) -> list[dict[str, Any]]:
    """What was said of a check, in order."""
    return [c for c in log.conditions("suspect") if c["detail"]["check"] == check]


def standing(log: Log, check: str) -> dict[str, tuple[Any, ...]]:
    """What the log says of a check in the end, by id; nothing of what was taken back."""
    last = {c["id"]: c for c in suspected(log, check)}
    return {
        id_: (c["state"], c["since"], c["until"] if c["state"] == "ended" else 0, c["level"], c["detail"])
        for id_, c in last.items()
        if c["detail"].get("why") != "revised"
    }


# ---- R12: drift not corrected, data used on


def drifted(*checks: bytes, flags: dict[str, str] | None = None, until: int = 30) -> Log:
    log = Log(text=ONE)
    log.packets(hours(["20"] * 6))
    log.take(*checks)
    log.packets(hours(["20"] * (until - 6), first=6, flags=flags or {}))
    log.take(at(until + 0.1))
    return log


@pytest.mark.parametrize(
    ("result", "found", "suspicious"),
    [
        ("failed", {"zero_drift": "5.001"}, True), ("failed", {"zero_drift": "5"}, False),
        ("failed", {"zero_drift": "-5.001"}, True), ("failed", {"zero_drift": "-5"}, False),
        ("failed", {"span_drift": "5.001"}, True), ("failed", {"span_drift": "5.000"}, False),
        ("failed", {"zero_drift": "0.3", "span_drift": "-7.2"}, True),
        # numbers go before the word; the word alone counts, too
        ("passed", {"zero_drift": "5.001"}, True), ("passed", {"zero_drift": "2", "span_drift": "2"}, False),
        ("failed", {}, True), ("passed", {}, False),
    ],
)  # fmt: skip
def test_drift_used_on(result: str, found: dict[str, str], suspicious: bool) -> None:
    log = drifted(qc(5, 6, 6.5, result=result, factor="SO2", **found))
    said = suspected(log, "R12")
    assert bool(said) is suspicious
    if said:
        (began,) = said
        assert (began["state"], began["subject"], began["factor"], began["level"]) == ("began", "one", "SO2", "yellow")
        assert began["since"] == START + 6 * HOUR_S, "from the hour after the check on"
        detail = began["detail"]
        assert (detail["rule"], detail["score"]) == ("R12", "45")
        assert Fraction(detail.get("figure_zero_pct").replace("—", "0")) == Fraction(found.get("zero_drift", "0"))
        assert Fraction(detail.get("figure_span_pct").replace("—", "0")) == Fraction(found.get("span_drift", "0"))
        assert "不合格" in detail["reason"] and "not passed" in detail["reason_en"]
        assert detail["evidence_from"] == str(START + 5 * HOUR_S), "an hour to either side"


def test_a_check_without_a_factor_is_of_every_analyser() -> None:
    log = Log(text=ONE)
    packets = hours(["20"] * 20)
    log.packets(Packet(p.source, p.end, {**p.values, "NOx": "30"}, p.received) for p in packets)
    log.take(qc(5, 6, 20.5, result="failed"), at(21.1))
    assert {c["factor"] for c in suspected(log, "R12")} == {"SO2", "NOx"}


def test_drift_ends_with_the_next_good_check_of_the_same_part() -> None:
    bad = qc(5, 6, 6.2, result="failed", factor="SO2", zero_drift="8")
    span = qc(9, 10, 10.2, result="passed", factor="SO2", span_drift="1")
    good = qc(13, 14, 14.2, result="passed", factor="SO2", zero_drift="1")
    assert [c["state"] for c in suspected(drifted(bad, span), "R12")] == ["began"], "a good span says nothing of zero"
    began, ended = suspected(drifted(bad, span, good), "R12")
    assert (began["id"], ended["state"], ended["until"]) == (ended["id"], "ended", START + 14 * HOUR_S)
    other = qc(13, 14, 14.2, result="passed", factor="NOx", zero_drift="1")
    assert [c["state"] for c in suspected(drifted(bad, other), "R12")] == ["began"]
    assert [c["state"] for c in suspected(drifted(bad, qc(13, 14, 14.2, result="passed")), "R12")] == ["began", "ended"]


def test_data_that_are_marked_are_not_used() -> None:
    bad = qc(5, 6, 6.2, result="failed", factor="SO2", zero_drift="8")
    assert not suspected(drifted(bad, flags={"SO2": "M"}), "R12")
    mark = action("mark", "one", START + 6 * HOUR_S, START + 30 * HOUR_S, (START + 7 * HOUR_S) * 1000, mark="CALIB")
    assert not standing(drifted(bad, mark), "R12")


def test_a_check_that_is_told_a_day_late_and_withdrawn() -> None:
    bad = {"result": "failed", "factor": "SO2", "span_drift": "-6.5"}
    good = {"result": "passed", "factor": "SO2", "span_drift": "0.5"}
    in_time = drifted(qc(5, 6, 6.5, **bad), qc(11, 12, 12.5, **good))
    late = Log(text=ONE)
    late.packets(hours(["20"] * 30))
    late.take(qc(5, 6, 30.2, **bad), at(31.1))
    assert [c["state"] for c in suspected(late, "R12")] == ["began"]
    late.take(qc(11, 12, 31.2, **good), at(32.1))
    assert [c["state"] for c in suspected(late, "R12")] == ["began", "ended"]
    assert list(standing(late, "R12").values()) == list(standing(in_time, "R12").values())
    # it was another analyser: what was said of this one is taken back
    late.take(qc(5, 6, 32.2, withdrawn="yes", factor="SO2"), at(33.1))
    assert suspected(late, "R12")[-1]["detail"]["why"] == "revised"
    assert not standing(late, "R12")
    # the one record that is left is withdrawn, too: there are none, and the rule says so
    reviews = watched(late)
    late.take(qc(11, 12, 33.2, withdrawn="yes", factor="SO2"), at(34.1))
    lacks = [i for _, review in reviews for i in review.inapplicable if i.check == "R12"]
    assert [(i.subject, i.code) for i in lacks] == [("SO2", "drifts")]


def test_an_open_suspicion_ends_when_its_only_check_is_withdrawn() -> None:
    log = drifted(qc(5, 6, 6.5, result="failed", factor="SO2", zero_drift="6"))
    log.take(qc(5, 6, 30.5, withdrawn="yes"), at(31.1))
    assert [(c["state"], c["detail"].get("why")) for c in suspected(log, "R12")] == [
        ("began", None), ("ended", "revised"),
    ]  # fmt: skip


# ---- R23: reference measurements


def minutes(first: int, values: Iterable[str | None], source: str = "one") -> list[Packet]:
    """Instants of consecutive minutes from a minute of the log on."""
    ends = [(START + (first + n + 1) * 60, value) for n, value in enumerate(values)]
    return [
        Packet(source, end, {"SO2": value, "production_power_01": "500"}, (end + 5) * 1000, blocks.REALTIME)
        for end, value in ends
        if value is not None
    ]


@pytest.mark.parametrize(
    ("reference", "online", "suspicious"),
    [
        # 30 % of 100 mg/m3; HJ 75 allows as much from 57 to 143 mg/m3
        ({"reference": "100", "unit": "mg/m3"}, "130", False), ({"reference": "100", "unit": "mg/m3"}, "130.1", True),
        ({"reference": "100", "unit": "mg/m3"}, "70", False), ({"reference": "100", "unit": "mg/m3"}, "69.9", True),
        # 20 mg/m3: 30 % would be 6, HJ 75 allows 17; 200: 30 % are 60, HJ 75 would allow 57
        ({"reference": "20", "unit": "mg/m3"}, "37", False), ({"reference": "20", "unit": "mg/m3"}, "37.1", True),
        ({"reference": "200", "unit": "mg/m3"}, "260", False), ({"reference": "200", "unit": "mg/m3"}, "260.1", True),
        # in its own unit
        ({"reference": "100000", "unit": "ug/m3"}, "130", False),
        ({"reference": "100000", "unit": "ug/m3"}, "130.1", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_hours", [False, True])
def test_reference_and_online(reference: dict[str, str], online: str, suspicious: bool, by_hours: bool) -> None:
    """From 02:00 to 03:00, once with minutes, once with hours alone."""
    log = Log(text=ONE)
    log.packets(hours(["20", "20", online, "20"]) if by_hours else minutes(120, [online] * 60))
    log.take(qc(2, 3, 4, result="failed", factor="SO2", **reference), at(5.1))
    said = suspected(log, "R23")
    assert [c["state"] for c in said] == (["began", "ended"] if suspicious else [])
    if said:
        detail = said[0]["detail"]
        assert (detail["rule"], detail["score"], said[0]["level"], said[0]["factor"]) == ("R23", "50", "yellow", "SO2")
        mg = Fraction(reference["reference"]) / (1000 if reference["unit"] == "ug/m3" else 1)
        assert (Fraction(detail["figure_online"]), Fraction(detail["figure_manual"])) == (Fraction(online), mg)
        assert Fraction(detail["figure_difference"]) == abs(Fraction(online) - mg)
        assert said[1]["until"] == START + 3 * HOUR_S
        assert int(detail["evidence_from"]) <= START + 2 * HOUR_S, "the whole measurement is evidence"


@pytest.mark.parametrize(("known", "suspicious"), [(45, True), (44, False)])
def test_three_quarters_of_the_minutes_must_be_known(known: int, suspicious: bool) -> None:
    log = Log(text=ONE)
    log.packets(minutes(150, ["150"] * known))
    log.take(qc(2.5, 3.5, 4, result="failed", factor="SO2", reference="100", unit="mg/m3"), at(5.1))
    assert bool(suspected(log, "R23")) is suspicious


@pytest.mark.parametrize(("length_h", "suspicious"), [(4, True), (4 + 1 / 60, False)])
def test_the_longest_measurement(length_h: float, suspicious: bool) -> None:
    log = Log(text=ONE)
    log.packets(hours(["150"] * 6))
    log.take(qc(1, 1 + length_h, 6.5, result="failed", factor="SO2", reference="100", unit="mg/m3"), at(8.1))
    assert bool(suspected(log, "R23")) is suspicious


@pytest.mark.parametrize("later_h", [24, 24 * 20])
def test_a_reference_that_comes_late_and_is_withdrawn(later_h: int) -> None:
    """A day: minutes are still kept. Twenty days, the report of a laboratory: they are gone, hours are not."""
    log = Log(text=ONE)
    log.packets(minutes(120, ["150"] * 60))
    log.packets(hours(["20", "20", "150", "20"]))
    log.take(*(at(5.1 + n) for n in range(0, later_h, 12)))
    log.take(qc(2, 3, 5 + later_h, result="failed", factor="SO2", reference="100", unit="mg/m3"), at(6.1 + later_h))
    assert [c["state"] for c in suspected(log, "R23")] == ["began", "ended"]
    log.take(qc(2, 3, 7 + later_h, result="passed", factor="SO2", reference="149", unit="mg/m3"), at(8.1 + later_h))
    assert suspected(log, "R23")[-1]["detail"]["why"] == "revised" and not standing(log, "R23")
    log.take(qc(2, 3, 9 + later_h, result="failed", factor="SO2", reference="100", unit="mg/m3"), at(10.1 + later_h))
    assert standing(log, "R23")
    log.take(qc(2, 3, 11 + later_h, withdrawn="yes"), at(12.1 + later_h))
    assert not standing(log, "R23")


def test_a_reference_is_no_check_of_drift_and_a_drift_no_reference() -> None:
    log = Log(text=ONE)
    reviews = watched(log)
    log.packets(hours(["20"] * 6))
    log.take(qc(2, 3, 6.5, result="failed", factor="SO2", reference="20", unit="mg/m3"), at(8.1))
    lacks = {(i.check, i.code) for i in reviews[-1][1].inapplicable}
    assert ("R12", "drifts") in lacks and "R23" not in {check for check, _ in lacks}
    assert not suspected(log, "R12")


# ---- R14: two outlets alike


def pair(noise: float, *, load: str = "500", other_load: str = "700", text: str = TWO, count: int = 24) -> Log:
    """Two stacks; the other one's values are seven tenths of the first one's, and some noise."""
    mine, theirs = values_of(noise, count)
    log = Log(text=text)
    both = hours(mine, load=load) + hours(theirs, source="two", load=other_load)
    log.packets(sorted(both, key=lambda p: p.received))
    log.take(at(count + 0.1))
    return log


def values_of(noise: float, count: int = 24) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(9)
    mine = [f"{each:.2f}" for each in 20 + 3 * rng.standard_normal(count)]
    return mine, [f"{0.7 * float(each) + noise * rng.standard_normal():.2f}" for each in mine]


def test_r_of_two_outlets_just_below_and_just_above() -> None:
    by_r = {}
    for noise in np.linspace(0.1, 0.7, 61).tolist():
        one, two = (list(map(float, values)) for values in values_of(noise))
        by_r[statistics.correlation(one, two)] = noise
    below, above = max(r for r in by_r if r < 0.99), min(r for r in by_r if r > 0.99)
    assert above - below < 0.002
    assert not suspected(pair(by_r[below]), "R14")
    said = suspected(pair(by_r[above]), "R14")
    assert [(c["subject"], c["factor"], c["state"]) for c in said] == [
        ("one", "SO2@two", "began"), ("two", "SO2@one", "began"),
    ]  # fmt: skip
    detail = said[0]["detail"]
    assert (detail["rule"], detail["score"], said[0]["level"]) == ("R14", "50", "yellow")
    assert detail["figure_r"] == f"{above:.4f}" and detail["figure_load_apart_found_pct"] == "20"
    assert detail["figure_other"] == "two"
    assert "共用烟道" in detail["reason"] and "shared duct" in detail["reason_en"]


@pytest.mark.parametrize(("other", "suspicious"), [("600.1", True), ("600", False), ("399.9", True), ("400", False)])
def test_the_load_must_differ(other: str, suspicious: bool) -> None:
    assert bool(suspected(pair(0.0, other_load=other), "R14")) is suspicious


@pytest.mark.parametrize(("count", "suspicious"), [(20, True), (19, False)])
def test_the_hours_there_must_be(count: int, suspicious: bool) -> None:
    assert bool(suspected(pair(0.0, count=count), "R14")) is suspicious


@pytest.mark.parametrize(
    "text",
    [
        district(("one", "plant", OFF), ("two", "plant", "")),
        district(("one", "plant", ""), ("two", "plant", OFF)),
        district(("one", "plant", ""), ("two", "another", "")),
    ],
    ids=["off here", "off there", "another enterprise"],
)
def test_who_is_nobodys_neighbour(text: str) -> None:
    """A shared duct is named in the registry by switching the rule off at one of the two."""
    assert not suspected(pair(0.0, text=text), "R14")


def test_a_suspicion_ends_when_the_registry_names_the_shared_duct() -> None:
    log = pair(0.0)
    log.take(registry(district(("one", "plant", OFF), ("two", "plant", ""))), at(26.1))
    log.packets(hours(["20"], first=26, source="two"))
    log.packets(hours(["20"], first=26))
    log.take(at(28.1))
    assert [(c["subject"], c["state"]) for c in suspected(log, "R14")] == [
        ("one", "began"), ("two", "began"), ("one", "ended"), ("two", "ended"),
    ]  # fmt: skip


def test_hours_of_the_neighbour_that_come_late() -> None:
    mine, theirs = values_of(0.0)
    log = Log(text=TWO)
    log.packets(hours(mine))
    log.take(at(40))
    assert not suspected(log, "R14")
    late = hours(theirs, source="two", load="700")
    log.packets(Packet(p.source, p.end, p.values, (START + 40 * HOUR_S) * 1000) for p in late)
    log.take(at(41.1))
    assert set(standing(log, "R14")) == set(standing(pair(0.0), "R14"))


def test_outlets_that_lack_what_the_rule_needs_say_so() -> None:
    alone = Log(text=ONE)
    reviews = watched(alone)
    alone.packets(hours(["20"] * 3))
    alone.take(at(3.1))
    (lack,) = [i for i in reviews[-1][1].inapplicable if i.check == "R14"]
    assert (lack.subject, lack.code, lack.reason, lack.reason_en) == (
        "", "neighbours", "缺其他排口的小时序列", "needs hours of other outlets",
    )  # fmt: skip
    # the other one has no meter that says a word
    log = Log(text=TWO)
    reviews = watched(log)
    silent = [Packet("two", p.end, {"SO2": "20"}, p.received) for p in hours(["20"] * 3)]
    log.packets(hours(["20"] * 3) + silent)
    log.take(at(4.1))
    lacks = {(outlet, i.subject): i for outlet, review in reviews for i in review.inapplicable if i.check == "R14"}
    assert lacks["one", "SO2@two"].reason_en == "two: needs hours of load or production"
    assert lacks["two", ""].reason_en == "needs hours of load or production"


def test_what_is_lacking_is_told_once_a_review() -> None:
    log = Log(text=ONE)
    reviews = watched(log)
    log.packets(hours(["20"] * 3))
    log.take(at(3.1))
    for _, review in reviews:
        lacks = [(i.check, i.subject) for i in review.inapplicable]
        assert len(set(lacks)) == len(lacks)
        assert {"R12", "R14", "R23"} <= {check for check, _ in lacks}


# ---- what is late leaves what rests on minutes alone


@pytest.mark.parametrize("late", ["check", "hour"])
def test_a_suspicion_of_minutes_outlives_them(late: str) -> None:
    """A value at the end of its range for five days: what comes late from before does not take it back."""
    log = Log(text=ONE)
    log.packets(hours(["20"] * 2))
    for n in range(5 * 24):
        log.packets(minutes(240 + 60 * n, ["1000"] * 60))
    (began,) = suspected(log, "R10.range")
    if late == "check":
        log.take(qc(1, 2, 125, result="passed", factor="SO2"), at(126.1))
    else:
        received = (START + 125 * HOUR_S) * 1000
        log.packets([Packet("one", START + 3 * HOUR_S, {"SO2": "20", "production_power_01": "500"}, received)])
        log.take(at(126.1))
    assert {c["id"] for c in suspected(log, "R10.range")} == {began["id"]}
    assert suspected(log, "R10.range")[-1]["detail"].get("why") is None


# ---- whatever happens to the judge


def wild(seed: int) -> list[bytes]:
    """Two days of two stacks, much alike, some packets late, quality checks in and out of time and withdrawn."""
    chance = random.Random(seed)
    mine, theirs = values_of(0.15, 48)
    packets = hours(mine) + hours(theirs, source="two", load=chance.choice(("500", "700")))
    timed: list[tuple[int, bytes]] = []
    for n, p in enumerate(sorted(packets, key=lambda p: p.received)):
        received = p.received + chance.choice((0, 0, 0, 0, 5 * HOUR_S * 1000, 30 * HOUR_S * 1000))
        timed.append((received, block([Packet(p.source, p.end, p.values, received)], n)))
    for _ in range(8):
        begin = chance.randrange(40)
        told = begin + chance.choice((1.5, 3, 26))
        subject, factor = chance.choice(("one", "two")), chance.choice(("SO2", "SO2", ""))
        data = {"result": chance.choice(("passed", "failed")), "factor": factor}
        if factor:
            data |= chance.choice(
                (
                    {"zero_drift": chance.choice(("1", "-7"))},
                    {"reference": "1", "unit": "mg/m3"},
                    {},
                    {"span_drift": "6"},
                )
            )
        timed.append((round((START + told * HOUR_S) * 1000), qc(begin, begin + 1, told, subject, **data)))
        if chance.random() < 0.4:
            told += 10
            timed.append((round((START + told * HOUR_S) * 1000), qc(begin, begin + 1, told, subject, withdrawn="yes")))
    timed += [((START + h * HOUR_S) * 1000, at(h)) for h in range(0, 90, 3)]
    return [registry(TWO), *(message for _, message in sorted(timed, key=lambda pair: pair[0]))]


def test_the_wild_log_has_all_three() -> None:
    said = [judged(wild(seed))[topics.CONDITIONS] for seed in range(4)]
    found = {json.loads(value)["detail"].get("rule") for each_ in said for value in each_.values()}
    assert {"R12", "R14", "R23"} <= found


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_at_any_point_changes_nothing(seed: int) -> None:
    messages = wild(seed)
    assert crashed(messages, random.Random(seed)) == judged(messages)


def test_a_check_that_lacks_its_series_says_so_once_in_the_log_file(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "envstream.emission")
    log = Log(text=ONE)
    log.packets(hours(["20"] * 3))
    log.take(at(3.1))
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("outlet one: R12") and "is not asked: needs" in line for line in said), said
    log.packets(hours(["20"] * 2, first=3))
    log.take(at(5.1))
    assert len(caplog.records) == len({record.getMessage() for record in caplog.records})
