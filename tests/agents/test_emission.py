"""The emission agent: hours, marks, budgets, bad input, amounts, and whatever the log does to them."""

from __future__ import annotations

import json

import pytest

from schemas import blocks, topics
from tests.agents.emission_log import (
    START,
    Log,
    Packet,
    action,
    block,
    hour,
    last,
    minutes,
    replace,
    tick,
    water,
)

H1 = START + 10 * 3600
HOUR_S, DAY_S = 3600, 86_400


def verdict(log: Log, end: int = H1) -> tuple[str, str]:
    """Verdict and ratio of NOx in an hour."""
    item = log.hour(end)["items"]["NOx"]
    return item["verdict"], item["ratio"] or ""


# ---- vectors of emission.md §7.6 (limit 50, reference 6 %)


@pytest.mark.parametrize(
    ("normal", "flag", "mark", "avg", "zs", "o2", "wanted"),
    [
        (60, "N", "", "50", "61.0", "8.7", ("EXCEED", "1.220")),
        (60, "N", "", "45", "50.0", "7.5", ("OK", "1.000")),
        (44, "N", "", "50", "61.0", "8.7", ("INVALID", "")),
        (45, "N", "", "50", "61.0", "8.7", ("EXCEED", "1.220")),
        (60, "C", "", "450", "548.8", "8.7", ("INVALID", "")),
        (60, "F", "", "5", "90.0", "20.9", ("NOT_APPLICABLE", "")),
        (60, "N", "START", "50", "61.0", "8.7", ("EXEMPT", "1.220")),
        (60, "N", "START, used up", "50", "61.0", "8.7", ("EXCEED", "1.220")),
        (60, "N", "CALIB", "50", "61.0", "8.7", ("INVALID", "")),
        (60, "N", "", "50", None, "8.7", ("EXCEED", "1.220")),
        (60, "N", "", "50", None, "20.5", ("INVALID", "")),
        (60, "N", "", "50", None, None, ("INVALID", "")),
        (60, "T", "", "50", "61.0", "8.7", ("INVALID", "")),
    ],
)
def test_vectors_of_hours(
    normal: int, flag: str, mark: str, avg: str, zs: str | None, o2: str | None, wanted: tuple[str, str]
) -> None:
    log = Log(block([hour(H1 - HOUR_S)]))
    if mark:
        begin = H1 - HOUR_S - (4 * HOUR_S if "used up" in mark else 0)
        log.take(action("mark", "boiler", begin, H1, (H1 - 60) * 1000, mark=mark.partition(",")[0]))
    oxygen = {"O2": o2} if o2 is not None else {}
    log.packets(minutes(H1, normal, "D", NOx=avg, flow="100", **oxygen))
    log.packets([hour(H1, avg, zs=zs, o2=o2, flags={"NOx": flag} if flag != "F" else {"": "F"})])
    assert verdict(log) == wanted


def test_a_red_hour_of_the_corpus_and_one_that_calibrates() -> None:
    """emission.md §9.7: 61.0 over 50 is one event of level orange; an hour of calibration is none."""
    log = Log(block([hour(H1, "50.0", zs="61.0", o2="8.7")]))
    (began,) = log.conditions("over-limit")
    assert (began["state"], began["level"], began["factor"]) == ("began", "orange", "NOx")
    log = Log(block([hour(H1, "450", zs="548.8", o2="8.7", flags={"NOx": "C"})]))
    assert not log.conditions("over-limit")


def test_all_limits_at_once() -> None:
    log = Log(block([hour(H1, "47", zs="47.0")]))
    item = log.hour(H1)["items"]["NOx"]
    assert item["limits"] == {"legal": "OK", "permit": "OK", "ultra_low": "EXCEED"}
    assert item["numbers"] == {"legal": "100", "permit": "50", "ultra_low": "45"}
    assert (item["verdict"], item["limit"], item["level"]) == ("OK", "50", "blue")
    assert [c["level"] for c in log.conditions("over-ultra-low")] == ["blue"]
    order = {"factor": "NOx", "limit": "46", "unit": "mg/m3", "averaging": "hour"}
    log.take(action("order", "boiler", START, START + DAY_S, (H1 + 600) * 1000, **order))
    item = log.hour(H1)["items"]["NOx"]
    assert (item["verdict"], item["limit"], item["limits"]["temporary"]) == ("EXCEED", "46", "EXCEED")
    assert log.revisions("outlet-hour")[-1]["cause"] == "order NOx"
    log.take(action("order", "boiler", START, START + DAY_S, (H1 + 700) * 1000, withdrawn="yes"))
    assert log.hour(H1)["items"]["NOx"]["verdict"] == "OK"
    assert [c["state"] for c in log.conditions("over-limit")] == ["began", "ended"]


# ---- levels, runs


def test_levels_rise_with_hours_in_a_row_and_end_with_a_good_one() -> None:
    log = Log()
    for n, zs in enumerate(("51.0", "52.0", "53.0", "40.0")):
        log.packets([hour(H1 + n * HOUR_S, "45", zs=zs)])
    said = [(c["state"], c["level"], c["valid"]) for c in log.conditions("over-limit")]
    assert said == [("began", "yellow", 1), ("continues", "orange", 2), ("continues", "red", 3), ("ended", "red", 3)]
    assert len({c["id"] for c in log.conditions("over-limit")}) == 1


def test_two_hours_close_to_the_limit_are_blue() -> None:
    log = Log(block([hour(H1, "40", zs="40.0")]))
    assert not log.conditions("near-limit")
    log.packets([hour(H1 + HOUR_S, "41", zs="41.0")])
    assert [(c["state"], c["level"]) for c in log.conditions("near-limit")] == [("began", "blue")]
    log.packets([hour(H1 + 2 * HOUR_S, "30", zs="30.0")])
    assert log.conditions("near-limit")[-1]["state"] == "ended"


def test_an_invalid_hour_neither_ends_nor_prolongs_a_run_and_a_standstill_ends_it() -> None:
    log = Log(block([hour(H1, "45", zs="55.0")]))
    log.packets([hour(H1 + HOUR_S, "45", zs="55.0", flags={"NOx": "D"})])
    assert len(log.conditions("over-limit")) == 1
    log.packets([hour(H1 + 2 * HOUR_S, "45", zs="55.0")])
    assert log.conditions("over-limit")[-1]["valid"] == 2
    log.packets([hour(H1 + 3 * HOUR_S, "1", zs="1", flags={"": "F"})])
    assert log.conditions("over-limit")[-1]["state"] == "ended"


def test_backfilled_and_maintained_hours_raise_no_alarm_and_are_judged() -> None:
    log = Log(block([hour(H1, "45", zs="80.0", mark=blocks.BACKFILLED)]))
    assert verdict(log)[0] == "EXCEED" and log.hour(H1)["backfilled"]
    log.take(action("maintenance", "plant", H1, H1 + HOUR_S, (H1 + 100) * 1000))
    log.packets([hour(H1 + HOUR_S, "45", zs="80.0")])
    assert verdict(log, H1 + HOUR_S)[0] == "EXCEED" and log.hour(H1 + HOUR_S)["maintained"]
    assert not log.conditions("over-limit")


# ---- marks that come late, budgets


def test_a_start_mark_a_day_late_exempts_and_everything_follows() -> None:
    log = Log()
    ends = [H1 + n * HOUR_S for n in range(3)]
    log.packets(hour(START + (h + 1) * HOUR_S, "30", zs="30.0") for h in range(9))
    log.packets(hour(end, "45", zs="61.0") for end in ends)
    log.packets(hour(START + (h + 1) * HOUR_S, "30", zs="30.0") for h in range(12, 24))
    log.take(tick(START + DAY_S + 2 * HOUR_S))
    assert [verdict(log, end)[0] for end in ends] == ["EXCEED"] * 3
    assert log.of("outlet-day", "boiler", "2026-03-09")["hours"]["NOx"] == {"OK": 21, "EXCEED": 3}
    before = log.of("outlet-month", "boiler", "2026-03")["ultra_low"]["NOx"]
    assert before[:2] == [24, 3]
    late = (START + DAY_S + 12 * HOUR_S) * 1000
    said = log.take(action("mark", "boiler", ends[0] - HOUR_S, ends[-1], late, mark="启动"))
    assert [verdict(log, end)[0] for end in ends] == ["EXEMPT"] * 3
    revised = [json.loads(o.value) for o in said if o.topic == topics.REVISIONS]
    assert {r["key"].split("|")[2] for r in revised} == {"outlet-hour", "outlet-day"}
    assert {r["cause"] for r in revised} == {"mark 启动"} and {r["now"] for r in revised} == {late}
    assert log.of("outlet-day", "boiler", "2026-03-09")["hours"]["NOx"] == {"OK": 21, "EXEMPT": 3}
    assert log.of("outlet-month", "boiler", "2026-03")["ultra_low"]["NOx"][:2] == [24, 0]
    ended = log.conditions("over-limit")[-1]
    assert ended["state"] == "ended"


def test_a_budget_used_up_turns_an_exempt_hour_back() -> None:
    """A cold start of thermal power exempts NOx for four hours of one event (emission.md §4.2)."""
    log = Log()
    log.packets(hour(H1 + n * HOUR_S, "45", zs="61.0") for n in range(4))
    log.take(action("mark", "boiler", H1 - HOUR_S, H1 + 3 * HOUR_S, (H1 + 4 * HOUR_S) * 1000, mark="START"))
    assert [verdict(log, H1 + n * HOUR_S)[0] for n in range(4)] == ["EXEMPT"] * 4
    assert log.hour(H1)["items"]["SO2"]["verdict"] == "OK", "other pollutants have no exemption to need"
    # the event began two hours earlier than was told: the last two hours are beyond it
    log.take(action("mark", "boiler", H1 - 3 * HOUR_S, H1 - HOUR_S, (H1 + 5 * HOUR_S) * 1000, mark="START"))
    assert [verdict(log, H1 + n * HOUR_S)[0] for n in range(4)] == ["EXEMPT", "EXEMPT", "EXCEED", "EXCEED"]
    assert log.conditions("over-limit")[-1]["state"] in ("began", "continues")


def test_marks_cover_hours_as_hj75_says() -> None:
    log = Log(block([hour(H1, "45", zs="61.0")]))
    log.take(action("mark", "boiler", H1 - 15 * 60, H1, (H1 + 100) * 1000, mark="CALIB"))
    assert verdict(log)[0] == "EXCEED", "fifteen minutes of a device mark leave a valid hour"
    log.take(action("mark", "boiler", H1 - 16 * 60, H1, (H1 + 200) * 1000, mark="MAINT"))
    assert verdict(log)[0] == "INVALID"
    log.take(action("mark", "boiler", H1 - 45 * 60, H1, (H1 + 300) * 1000, mark="停运"))
    assert verdict(log)[0] == "NOT_APPLICABLE"


def test_states_of_devices_are_marks() -> None:
    log = Log()
    begin = H1 - HOUR_S
    log.packets(
        Packet("boiler", at, {"SB1-RS": state}, at * 1000, blocks.STATE)
        for at, state in ((begin + 600, "2"), (begin + 1800, "1"))
    )
    log.packets([hour(H1, "45", zs="61.0")])
    assert verdict(log)[0] == "INVALID" and log.hour(H1)["marks"] == ["CALIB"]


# ---- bad input (emission.md §3 edge rules)


@pytest.mark.parametrize(
    ("packet", "factor", "reason"),
    [
        (hour(H1, flow="-3"), "flow", "negative"),
        (hour(H1, "-1", zs="-1"), "NOx", "negative"),
        (hour(H1, o2="21.3"), "O2", "oxygen-21"),
        (hour(H1, o2="21.3"), "NOx", "oxygen-ceiling"),
        (hour(H1, flow="100000"), "flow", "unit-1000"),
        (hour(H1, flow="432000"), "flow", "unit-3600"),
        (hour(H1, flow="360000", units={"flow": "m3/h"}), "flow", "ok"),
        (hour(H1, flow="100", units={"flow": "ppm"}), "flow", "unit"),
        (hour(H1, "30000", zs="30000"), "NOx", "unit-1000"),
        (hour(H1, after_s=-700, qn="20260309100000000"), "NOx", "future"),
        (hour(H1, after_s=61 * DAY_S), "NOx", "late"),
        (hour(H1, None, also={}, flags={"NOx": "?"}), "NOx", "unreadable"),
        (hour(H1, also={"a99999": "4.2"}), "a99999", "unregistered"),
    ],
)
def test_what_cannot_be_is_named_and_kept(packet: Packet, factor: str, reason: str) -> None:
    before = [block([hour(H1 - 5 * HOUR_S)])] if reason != "late" else []
    log = Log(*before, block([packet], 1))
    cell = log.cell(H1)
    at = cell["factors"].index(factor)
    assert cell["reasons"][at] == reason
    assert cell["values"][at] == packet.values[factor], "what was sent is kept"
    if reason not in ("ok", "unregistered", "oxygen-ceiling", "unreadable"):
        day = log.judge.ledger.get("boiler", (H1 + 8 * 3600) // DAY_S)
        assert day is not None
        nox = day.amount[9, 0]
        assert nox < 0 or reason == "oxygen-21", "an hour with a value that cannot be is a gap"


def test_hours_that_do_not_fit_their_minutes_or_their_conversion_are_told() -> None:
    log = Log()
    log.packets(minutes(H1, 60, NOx="40.0", O2="6.0", flow="100"))
    log.packets([hour(H1, "43", zs="30.0")])
    cell = log.cell(H1)
    assert set(cell["checks"][0]) == {"zs-differs", "minutes-differ"}
    assert cell["minutes"][0] == 60
    assert log.hour(H1)["items"]["NOx"]["value"] == "30.0", "the device's own conversion is used, and told"
    log.packets(minutes(H1 + HOUR_S, 60, NOx="40.0", O2="6.0", flow="100"))
    log.packets([hour(H1 + HOUR_S, "41.9", zs="41.9")])
    assert log.cell(H1 + HOUR_S)["checks"][0] == [], "half a digit and five percent are granted"


def test_a_factor_that_nobody_registered_is_a_condition_until_it_stays_away() -> None:
    log = Log(block([hour(H1, also={"HCl": "3"})]))
    (began,) = log.conditions("unregistered-factor")
    assert (began["factor"], began["level"]) == ("HCl", "blue")
    log.packets([hour(H1 + HOUR_S)])
    assert log.conditions("unregistered-factor")[-1]["state"] == "ended"


def test_a_clock_that_jumped_overwrites_nothing_and_is_told() -> None:
    log = Log()
    ends = [START + (n + 1) * HOUR_S for n in range(24)]
    log.packets(hour(end, "30", zs="30.0") for end in ends[:16])
    # from 16:00 on the logger's clock stands eight hours back: DataTime and QN alike
    wrong = []
    for end in ends[16:20]:
        packet = hour(end, "90", zs="90.0")
        said = (packet.received // 1000) - 8 * HOUR_S
        for part, more in ((packet, 0), (replace(packet, values={"SO2-Cou": "1"}), 20)):
            stamp = blocks_stamp(said + more)
            wrong.append(replace(part, end=end - 8 * HOUR_S, qn=stamp, received=packet.received + more * 1000))
    log.packets(wrong)
    log.take(tick(ends[21]))
    assert [verdict(log, end)[0] for end in ends[:16]] == ["OK"] * 16
    fifth = log.cell(ends[12])
    assert fifth["values"][0] == "30" and "off-clock" not in fifth["checks"][0]
    (began,) = log.conditions("clock-off")
    assert began["state"] == "began" and began["detail"]["slow_s"] == str(8 * HOUR_S)
    log.packets(hour(end, "30", zs="30.0") for end in ends[20:])
    log.take(tick(ends[23] + HOUR_S))
    assert log.conditions("clock-off")[-1]["state"] == "ended"


def blocks_stamp(instant: int) -> str:
    from schemas import times

    return times.stamp(instant) + "000"


def test_a_reading_from_the_future_never_takes_the_place_of_a_timely_one() -> None:
    good = hour(H1, "30", zs="30.0")
    early = replace(good, received=good.received - DAY_S * 1000, values={"NOx": "1"}, qn="9" * 17)
    for order in ((early, good), (good, early)):
        log = Log()
        log.packets(order)
        assert log.cell(H1)["values"][0] == "30"
        assert len(log.cell(H1)["packets"]) == 2


# ---- hours of minutes alone


def test_an_hour_of_minutes_alone_comes_after_its_grace() -> None:
    log = Log()
    log.packets(minutes(H1, 60, NOx="50", NOx_Zs="61.0", O2="8.7", flow="100"))
    assert not last(log.outputs)
    log.take(tick(H1 + 300))
    assert verdict(log) == ("EXCEED", "1.220")
    assert log.cell(H1)["origins"][0] == "M" and log.cell(H1)["packets"] == []
    log.packets([hour(H1, "40", zs="45.0", after_s=600)])
    assert verdict(log)[0] == "OK" and log.revisions("outlet-hour")


def test_what_minutes_said_outlives_them() -> None:
    log = Log()
    log.packets(minutes(H1, 44, "D", NOx="50", NOx_Zs="61.0", O2="8.7", flow="100"))
    log.packets([hour(H1, "50", zs="61.0", o2="8.7")])
    assert verdict(log)[0] == "INVALID"
    log.take(tick(H1 + 6 * DAY_S))
    assert not list(log.judge.means)
    log.take(action("maintenance", "boiler", H1 - HOUR_S, H1, (H1 + 6 * DAY_S + 60) * 1000))
    assert log.hour(H1)["maintained"] and verdict(log)[0] == "INVALID"


# ---- water (emission.md §7.3)


def day_of_water(hours: list[tuple[str, str]], **more: str) -> Log:
    log = Log()
    log.packets(water(START + (n + 1) * HOUR_S, cod, flow, **more) for n, (flow, cod) in enumerate(hours))
    log.take(tick(START + DAY_S + HOUR_S))
    return log


def test_flow_weighted_days() -> None:
    """(m³, mg/L): 120 at 38, 60 at 52, none, 180 at 41 give 15.06 kg in 360 m³: 41.8333 mg/L."""
    litres = {120: "33.33333333333333", 60: "16.66666666666667", 0: "0", 180: "50"}
    hours = [(litres[120], "38"), (litres[60], "52"), (litres[0], "0"), (litres[180], "41")] * 6
    day = day_of_water(hours).of("outlet-day", "sewage", "2026-03-09")
    assert day["items"]["COD"]["value"] == "41.8"
    assert day["amounts"]["COD"]["total"] == 6 * 15_060_000_000
    assert day["amounts"]["flow"]["total"] == 6 * 360_000


def test_constant_flow_and_mass() -> None:
    """35 L/s are 3 024 m³ a day; at 40 mg/L they carry 120.96 kg."""
    day = day_of_water([("35", "40")] * 24).of("outlet-day", "sewage", "2026-03-09")
    assert day["amounts"]["flow"]["total"] == 3_024_000
    assert day["amounts"]["COD"]["total"] == 120_960_000_000


@pytest.mark.parametrize(("t", "verdict"), [("12.0", "OK"), ("12.1", "EXCEED"), (None, "EXCEED")])
def test_ammonia_by_temperature(t: str | None, verdict: str) -> None:
    day = day_of_water([("35", "40")] * 24, nh3n="6.5", t=t).of("outlet-day", "sewage", "2026-03-09")  # type: ignore[arg-type]
    assert day["items"]["NH3N"]["verdict"] == verdict


def test_a_day_without_enough_values_and_the_one_that_stands_for_it() -> None:
    log = Log()
    for day in range(2):
        for n in range(24):
            end = START + day * DAY_S + (n + 1) * HOUR_S
            bad = day == 1 and n >= 17
            log.packets([water(end, "40", "35", flags={"COD": "D"} if bad else {})])
    log.take(tick(START + 2 * DAY_S + HOUR_S))
    day = log.of("outlet-day", "sewage", "2026-03-10")
    assert day["items"]["COD"]["verdict"] == "INVALID"
    assert day["amounts"]["COD"] == {"total": 120_960_000_000, "measured": 0, "filled": {"day": 1}, "gaps": 0}


def test_ph_warns_by_the_hour_and_exceeds_by_the_share_of_the_day() -> None:
    log = Log()
    log.packets(water(START + (n + 1) * HOUR_S, "40", "35", ph="9.3" if n < 2 else "7") for n in range(24))
    log.take(tick(START + DAY_S + HOUR_S))
    assert log.of("outlet-day", "sewage", "2026-03-09")["items"]["pH"]["verdict"] == "OK"
    assert [c["state"] for c in log.conditions("outside-range")] == ["began", "continues", "ended"]
    assert not log.conditions("over-limit")


# ---- amounts, substitution, permits


def test_amounts_and_what_stands_for_missing_hours() -> None:
    """C·Q: 40 mg/m³ at 100 m³/s are 14.4 kg/h; a gap takes the largest of the last 180 valid hours (§3.1)."""
    log = Log()
    for n in range(48):
        end = START + (n + 1) * HOUR_S
        nox = "60" if n == 3 else "40"
        if n not in (30, 31):
            log.packets([hour(end, nox, zs="40.0")])
    log.take(tick(START + 2 * DAY_S + HOUR_S))
    first, second = (log.of("outlet-day", "boiler", d)["amounts"]["NOx"] for d in ("2026-03-09", "2026-03-10"))
    kg = 10**9
    assert first == {"total": 23 * 14_400_000_000 + 21_600_000_000, "measured": first["total"], "filled": {}, "gaps": 0}
    assert second["measured"] == 22 * 14.4 * kg and second["total"] == 22 * 14.4 * kg + 2 * 21.6 * kg
    assert second["filled"] == {"180": 2}
    year = log.of("enterprise-year", "plant", "2026")
    assert year["amounts"]["NOx"]["total"] == first["total"] + second["total"]
    assert year["permits"]["NOx"]["used_percent"] == "0.594"
    # the missing hours come five days late: exactly their day and what stands on it changes
    late = [
        replace(hour(START + (n + 1) * HOUR_S, "40", zs="40.0"), received=(START + 7 * DAY_S) * 1000) for n in (30, 31)
    ]
    log.take(tick(START + 6 * DAY_S + 2 * HOUR_S))
    before = last(log.outputs)
    log.packets(late)
    days = [k.split(b"|")[3] for k, v in last(log.outputs).items() if before.get(k) != v and b"|outlet-day|" in k]
    assert b"2026-03-10" in days and b"2026-03-09" not in days
    assert log.of("outlet-day", "boiler", "2026-03-10")["amounts"]["NOx"]["filled"] == {}
    # days of silence after it: quarters with less than 75 % fail, and say so
    assert log.of("outlet-day", "boiler", "2026-03-14")["amounts"]["NOx"]["gaps"] == 24


def test_a_late_large_hour_raises_what_was_filled_after_it() -> None:
    log = Log()
    for n in range(72):
        if n not in (10, 40):
            log.packets([hour(START + (n + 1) * HOUR_S, "40", zs="40.0")])
    log.take(tick(START + 3 * DAY_S + 2 * HOUR_S))
    assert log.of("outlet-day", "boiler", "2026-03-10")["amounts"]["NOx"]["total"] == 24 * 14_400_000_000
    late = replace(hour(START + 11 * HOUR_S, "80", zs="44.0"), received=(START + 3 * DAY_S + 3 * HOUR_S) * 1000)
    log.packets([late])
    assert (
        log.of("outlet-day", "boiler", "2026-03-10")["amounts"]["NOx"]["total"] == 23 * 14_400_000_000 + 28_800_000_000
    )
    revised = {r["key"].split("|")[3] for r in log.revisions("outlet-day")}
    assert revised == {"2026-03-09", "2026-03-10"}


def test_the_permit_is_a_condition() -> None:
    log = Log()
    # 5 g/m³ at 1 000 m³/s are 18 t an hour: the 120 t of the year are gone within a day
    text = START + DAY_S + HOUR_S
    log.packets(hour(START + (n + 1) * HOUR_S, "900", zs="900", flow="140") for n in range(24))
    log.take(tick(text))
    permits = log.of("enterprise-year", "plant", "2026")["permits"]["NOx"]
    assert permits["level"] == "yellow" and permits["this_year"] and not permits["already"]
    (began,) = [c for c in log.conditions("permit") if c["factor"] == "NOx"]
    assert (began["state"], began["level"], began["subject"]) == ("began", "yellow", "plant")


def test_rates_of_a_month() -> None:
    log = Log()
    for n in range(48):
        end = START + (n + 1) * HOUR_S
        flags = {"": "F"} if n < 6 else {"": "D"} if n in (20, 21) else {}
        if n not in (40, 41, 42):
            log.packets([hour(end, "30", zs="30.0", flags=flags)])
    log.take(tick(START + 2 * DAY_S + HOUR_S))
    month = log.of("outlet-month", "boiler", "2026-03")
    assert (month["hours"], month["standstill"], month["received"], month["valid"]) == (96, 12, 78, 74)
    assert (month["transmission"], month["effective"], month["product"]) == ("92.857", "94.872", "88.095")
    assert month["meets"] is False


# ---- silence


def test_hours_that_do_not_come_and_loggers_that_say_nothing() -> None:
    log = Log(block([hour(H1)]))
    log.take(tick(H1 + HOUR_S + 1801))
    owed = [c for c in log.conditions("hour-missing") if c["subject"] == "boiler"]
    assert [c["state"] for c in owed] == ["began"]
    log.packets([hour(H1 + HOUR_S, after_s=2000)])
    assert [c for c in log.conditions("hour-missing") if c["subject"] == "boiler"][-1]["state"] == "ended"
    log.take(tick(H1 + 8 * HOUR_S))
    assert {c["level"] for c in log.conditions("offline") if c["subject"] == "boiler"} == {"orange", "red"}


# ---- numbers nobody measures


@pytest.mark.parametrize("text", ["9" * 18, "-" + "9" * 18, "999999999999999.999", "0." + "0" * 16 + "1"])
def test_no_value_that_a_block_can_carry_stops_the_judge(text: str) -> None:
    for name in ("NOx", "NOx-Zs", "O2", "flow", "NOx-Cou", "production_power_01"):
        packet = hour(H1)
        log = Log(block([replace(packet, values={**packet.values, name: text})]))
        log.take(tick(H1 + 2 * DAY_S))
        assert log.cell(H1)


def test_a_registry_that_takes_a_factor_away_and_gives_another() -> None:
    from tests.agents.emission_log import REGISTRY, registry

    log = Log(block([hour(H1)]))
    other = REGISTRY.replace('"NOx", "SO2", "O2", "flow", "temperature"', '"NOx", "SO2", "NH3", "O2", "flow"')
    log.take(registry(other))
    log.packets([hour(H1, "60", zs="60", after_s=120), hour(H1 + HOUR_S, also={"NH3": "1.0"})])
    log.take(tick(H1 + DAY_S))
    assert log.hour(H1)["items"]["NOx"]["verdict"] == "EXCEED"
