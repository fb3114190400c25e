"""What people decide, through the air agent: what stands on it changes, is revised with its cause, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.air import AirJudge
from schemas import blocks, times, topics
from schemas.actions import check, complete, draft
from schemas.registry import AIR_FACTORS, parse

TEXT = """
format = 1
[[group]]
id = "g"
[[area]]
id = "county"
name = "县"
group = "g"
""" + "".join(
    f"""
[[station]]
id = "{name}"
name = "{name}"
area = "county"
mn = "A{name}"
valid_from = 2025-01-01
"""
    for name in ("one", "two", "three")
)
REGISTRY = parse(TEXT, "county")
STATIONS = ("one", "two", "three")
START = times.parse_stamp("20260406000000")
DATE = "2026-04-06"
CLEAN: dict[str, str | None] = {"SO2": "10", "NO2": "20", "CO": "0.5", "O3": "60", "PM10": "40", "PM2.5": "30"}
PERIODS = {"air-month", "air-quarter", "air-year"}


class Log:
    """A log that a judge takes as it is written."""

    def __init__(self) -> None:
        self.judge = AirJudge(0)
        self.offset = self.packets = 0
        self.last: dict[tuple[str, str], bytes] = {}
        self.put(blocks.RegistryVersion("gw", REGISTRY.digest, TEXT, 0))

    def put(self, message: blocks.Reading) -> list[tuple[str, str, dict[str, Any]]]:
        """Topic, key and message of what is published, of compacted topics only what differs from before."""
        found = []
        for output in self.judge.take(blocks.encode(message), f"readings-air/0/{self.offset}"):
            at = (output.topic, output.key.decode())
            if output.topic in (topics.CONDITIONS, topics.REVISIONS) or self.last.get(at) != output.value:
                found.append((*at, json.loads(output.value)))
            self.last[at] = output.value
        self.offset += 1
        return found

    def tick(self, now_s: int) -> list[tuple[str, str, dict[str, Any]]]:
        return self.put(blocks.Tick("gw", now_s * 1000))

    def hour(self, station: str, end: int, received_s: int) -> Any:
        """An hour packet of clean air, received then."""
        return self.hours(end, {station: CLEAN}, received_s)

    def hours(self, end: int, said: dict[str, dict[str, str | None]], received_s: int) -> Any:
        """A block of one hour packet each."""
        numbers = [
            (0, -1) if (text := values[f]) is None else blocks.number(text)
            for values in said.values()
            for f in AIR_FACTORS
        ]
        count = len(said)
        self.packets += count
        return self.put(
            blocks.Block(
                "gw", self.packets, list(said), list(AIR_FACTORS), list(range(count)), [end] * count, "h" * count,
                [received_s * 1000] * count, [f"{times.stamp(received_s)}000"] * count, [6] * count,
                list(range(6)) * count, [value for value, _ in numbers],
                "".join(blocks.NO_VALUE if n < 0 else blocks.PLACES[n] for _, n in numbers), "N" * 6 * count,
            )
        )  # fmt: skip

    def day(self, day: int = 0, skip: dict[str, set[int]] | None = None, **values: Any) -> None:
        """All hours of a day; a value may be a text, or texts by station or by label; the rest is clean air."""
        for label in range(1, 25):
            end = START + day * times.DAY_S + label * times.HOUR_S
            said = {
                station: CLEAN | {
                    name.replace("PM25", "PM2.5"): _value(value, n, label, CLEAN[name.replace("PM25", "PM2.5")])
                    for name, value in values.items()
                }
                for n, station in enumerate(STATIONS)
                if label not in (skip or {}).get(station, ())
            }  # fmt: skip
            self.hours(end, said, end + 60)

    def act(
        self, what: str, subject: str, begin: int, end: int, at_s: int, withdrawn: bool = False, **data: str
    ) -> Any:
        """An action as the gateway writes it."""
        action = draft(what, subject, begin, end, by="张三", why="测试", data=data, withdrawn=withdrawn)
        assert check(action, REGISTRY) == []
        return self.put(complete(action, REGISTRY, "gw", at_s * 1000))

    def get(self, kind: str, subject: str = "county", period: str = DATE, *more: str) -> dict[str, Any]:
        """The verdict as it stands."""
        said = "|".join(("g", subject, kind, period, "2026", *(more or ("keep",))))
        return json.loads(self.last[topics.VERDICTS, said])

    def get_period(self, label: str, dust: str) -> dict[str, Any]:
        """The tally of a month."""
        return json.loads(self.last[topics.VERDICTS, f"g|county|air-month|{label}|auto|{dust}"])


def _value(value: Any, station: int, label: int, usual: str | None) -> str | None:
    if isinstance(value, dict):
        return value.get(label, usual)
    return value[station] if isinstance(value, list) else value


def of(outputs: list[tuple[str, str, dict[str, Any]]], topic: str = topics.VERDICTS) -> dict[str, dict[str, Any]]:
    """Messages of a topic by key."""
    return {key: message for at, key, message in outputs if at == topic}


def kinds(keys: Any) -> set[str]:
    return {key.split("|")[2] for key in keys}


CLOSED = START + times.DAY_S + 2 * times.HOUR_S  # 02:00 of the next day


def day_of(n: int = 0) -> tuple[int, int]:
    return START + n * times.DAY_S, START + (n + 1) * times.DAY_S


# ---- dust


def dusty() -> Log:
    log = Log()
    log.day(PM10="360", PM25="30")
    log.tick(CLOSED)
    return log


def test_a_dust_day_deducts_in_its_caliber_and_leaves_the_other() -> None:
    log = dusty()
    kept = log.get("air-day")
    assert (kept["aqi"], kept["primary"], kept["good"]) == (215, ["PM10"], False)
    outputs = log.act("dust-day", "county", *day_of(), CLOSED)
    changed = of(outputs)
    assert kinds(changed) == {"air-day", *PERIODS}
    # the days of a period keep their dust, its concentrations and index do not (air.md §4.2)
    assert {key for key in changed if key.endswith("|keep")} == {key for key in changed if "|auto|keep" in key}
    assert log.get_period("2026-04", "keep")["polluted"] == 1 and log.get_period("2026-04", "deduct")["polluted"] == 0
    assert log.get_period("2026-04", "keep")["statistics"]["PM10"]["days"] == 0
    deducted = log.get("air-day", "county", DATE, "deduct")
    assert deducted["conc"]["PM10"] is None and deducted["conc"]["PM2.5"] is None
    assert deducted["aqi"] != kept["aqi"] and log.get("air-day") == kept


def test_a_dust_day_withdrawn_is_a_revision_and_gives_back_what_was() -> None:
    log = dusty()
    log.act("dust-day", "county", *day_of(), CLOSED)
    deducted = log.get("air-day", "county", DATE, "deduct")
    outputs = log.act("dust-day", "county", *day_of(), CLOSED + 60, withdrawn=True)
    (revision,) = of(outputs, topics.REVISIONS).values()
    assert revision["key"] == f"g|county|air-day|{DATE}|2026|deduct"
    assert (revision["old"], revision["cause"], revision["now"]) == (
        deducted["revision"], "dust confirmed withdrawn", (CLOSED + 60) * 1000,
    )  # fmt: skip
    again = log.get("air-day", "county", DATE, "deduct")
    assert again["conc"] == log.get("air-day")["conc"] and again["aqi"] == 215
    assert log.get_period("2026-04", "deduct")["polluted"] == 1
    assert kinds(of(outputs)) == {"air-day", *PERIODS}


def test_a_proposed_dust_day_is_asked_about_until_somebody_decides() -> None:
    log = Log()
    log.day(PM10=dict.fromkeys(range(10, 20), "500"), PM25="20")
    began = of(log.tick(CLOSED), topics.CONDITIONS)
    (proposed,) = [c for c in began.values() if c["rule"] == "dust-proposed"]
    assert (proposed["state"], proposed["now"]) == ("began", (day_of()[1] + 3600) * 1000)
    outputs = log.act("dust-day", "county", *day_of(), CLOSED)
    (ended,) = of(outputs, topics.CONDITIONS).values()
    assert (ended["id"], ended["state"]) == (proposed["id"], "ended")


# ---- the monitoring plan


def test_a_plan_exception_makes_the_day_and_its_hours_valid() -> None:
    log = Log()
    log.day(CO=None)
    log.day(1)
    log.tick(CLOSED + times.DAY_S)
    assert log.get("air-day")["aqi"] is None
    assert log.get("air-hour", "county", f"{DATE}T08")["aqi"] is None
    other = log.get("air-day", "county", "2026-04-07")
    outputs = log.act(
        "plan-exception", "county", *day_of(), CLOSED + times.DAY_S, not_monitored="CO", clean="yes"
    )  # fmt: skip
    day, hour = log.get("air-day"), log.get("air-hour", "county", f"{DATE}T08")
    assert day["aqi"] is not None and day["not_monitored"] == ["CO"]
    assert hour["aqi"] is not None and hour["not_monitored"] == ["CO"]
    assert log.get("air-day", "county", "2026-04-07") == other
    revised = of(outputs, topics.REVISIONS)
    assert kinds(revised) == {"air-day", "air-hour"} and len(revised) == 25
    assert {each["cause"] for each in revised.values()} == {"monitoring plan"}
    assert all(key.split("|")[3].startswith(DATE) or key.split("|")[2] in PERIODS for key in of(outputs))
    withdrawn = log.act("plan-exception", "county", *day_of(), CLOSED + times.DAY_S + 60, withdrawn=True)
    assert log.get("air-day")["aqi"] is None and len(of(withdrawn, topics.REVISIONS)) == 25


# ---- audited corrections


def test_an_hour_a_hundred_days_old_is_corrected() -> None:
    log = Log()
    log.day(PM25="40")
    now = START + 100 * times.DAY_S
    log.tick(now)
    before = log.get("air-day")
    assert (before["conc"]["PM2.5"], before["primary"]) == ("40", ["PM2.5"])
    end = START + 9 * times.HOUR_S
    outputs = log.put(_corrected(end, now, **{"PM2.5": "112"}))
    # one station of three, one hour of 24: the day's mean is 40 + 72/72 = 41
    assert log.get("air-day")["conc"]["PM2.5"] == "41"
    changed = of(outputs)
    of_the_day = {key for key in changed if kinds([key]) - PERIODS - {"air-change", "air-ranking"}}
    assert {key.split("|")[1:4:2][1] for key in of_the_day} <= {DATE, f"{DATE}T09"}
    assert kinds(of_the_day) >= {"air-day", "air-hour", "station-day", "station-hour"}
    assert {key.split("|")[1] for key in of_the_day if "station-" in key} == {"one"}
    assert {key.split("|")[3] for key in changed if kinds([key]) <= PERIODS} <= {"2026-04", "2026-Q2", "2026"}
    revised = of(outputs, topics.REVISIONS)  # April and the second quarter are over, the year is not
    assert kinds(revised) == {"air-day", "air-hour", "station-day", "station-hour", "air-month", "air-quarter"}
    assert {each["now"] for each in revised.values()} == {now * 1000}
    (cell,) = of(outputs, topics.CELLS).values()
    assert (cell["values"][5], cell["origins"][5], cell["sent"]) == ("112", "A", {"PM2.5": "40"})


def test_a_withdrawn_correction_gives_back_what_was_sent() -> None:
    log = Log()
    log.day(PM25="40")
    log.tick(CLOSED)
    before = {at: value for at, value in log.last.items() if at[0] in (topics.CELLS, topics.VERDICTS)}
    end = START + 9 * times.HOUR_S
    log.put(_corrected(end, CLOSED, **{"PM2.5": "invalid"}))
    assert log.get("air-day")["hours"]["PM2.5"] == 71
    outputs = log.put(_corrected(end, CLOSED + 60, True))
    assert log.get("air-day")["hours"]["PM2.5"] == 72
    after = {at: value for at, value in log.last.items() if at[0] in (topics.CELLS, topics.VERDICTS)}
    assert after == before
    assert kinds(of(outputs, topics.REVISIONS)) >= {"air-day", "station-day"}


def _corrected(end: int, at_s: int, withdrawn: bool = False, **data: str) -> blocks.Action:
    action = draft(
        "correction", "one", end - times.HOUR_S, end, by="李四", why="审核", data=data, withdrawn=withdrawn
    )  # fmt: skip
    assert check(action, REGISTRY) == []
    return complete(action, REGISTRY, "gw", at_s * 1000)


# ---- what the province published


def difference(log: Log, dust: str = "keep") -> dict[str, Any]:
    return log.get("air-difference", "county", DATE, dust)


@pytest.mark.parametrize(
    ("values", "skip", "said", "causes"),
    [
        ({"PM25": "40"}, {}, {"aqi": "60", "primary": "PM2.5"}, ["none"]),
        # without PM the rest is O3 60 → 30
        ({"PM10": "360"}, {}, {"aqi": "30"}, ["dust"]),
        # 60.533 → 61 → 101; stations rounded first: 60, 60, 61 → 60.333 → 60 → 100 (air.md §4.3)
        ({"PM25": ["60.5", "60.5", "60.6"], "PM10": "80"}, {}, {"aqi": "100", "primary": "PM2.5"}, ["rounding"]),
        ({"PM25": "40"}, {"two": {5}}, {"aqi": "61", "primary": "PM2.5"}, ["missing"]),
        ({"PM25": "40"}, {}, {"aqi": "64", "primary": "PM2.5", "PM2.5": "42"}, ["audit"]),
        ({"PM25": "40"}, {"two": {5}}, {"aqi": "64", "primary": "PM2.5", "PM2.5": "42"}, ["missing", "audit"]),
        ({"PM25": "40"}, {}, {"aqi": "64"}, ["unexplained"]),
    ],
)  # fmt: skip
def test_each_cause_of_a_difference(
    values: dict[str, Any], skip: dict[str, set[int]], said: dict[str, str], causes: list[str]
) -> None:
    log = Log()
    log.day(skip=skip, **values)
    log.tick(CLOSED)
    verdict = log.get("air-day")
    outputs = log.act("published", "county", *day_of(), CLOSED, **said)
    assert kinds(of(outputs)) == {"air-difference"} and not of(outputs, topics.REVISIONS)
    found = difference(log)
    assert found["causes"] == causes, found
    assert (found["aqi"], found["hours_missing"]) == (verdict["aqi"], sum(map(len, skip.values())))
    assert log.get("air-day") == verdict


def test_a_difference_is_looked_at_again_when_an_hour_is_corrected() -> None:
    log = Log()
    log.day(PM25="40")
    log.tick(CLOSED)
    log.act("published", "county", *day_of(), CLOSED, **{"aqi": "62", "primary": "PM2.5", "PM2.5": "41"})
    assert difference(log)["causes"] == ["audit"]
    log.put(_corrected(START + 9 * times.HOUR_S, CLOSED + 60, **{"PM2.5": "112"}))
    assert difference(log)["causes"] == ["none"]


def test_a_published_value_before_its_day_is_closed_waits_for_it() -> None:
    log = Log()
    log.day(PM25="40")
    log.act("published", "county", *day_of(), START + times.DAY_S + 120, aqi="60", primary="PM2.5")
    assert not any("air-difference" in key for _, key in log.last)
    log.tick(CLOSED)
    assert difference(log)["causes"] == ["none"]


# ---- the day's report must be complete by 11:30 of the next day

HALF_PAST_ELEVEN = START + times.DAY_S + 11 * times.HOUR_S + 1800


def incomplete(outputs: list[tuple[str, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [c for _, _, c in outputs if c.get("rule") == "air-day-incomplete"]


@pytest.mark.parametrize("ticks", [[HALF_PAST_ELEVEN], [HALF_PAST_ELEVEN + 40_000], None])
def test_an_incomplete_day_is_an_alarm_at_half_past_eleven(ticks: list[int] | None) -> None:
    log = Log()
    log.day(skip={"two": {1, 2, 3, 4, 5}})
    steps = ticks or list(range(START + times.DAY_S + 60, HALF_PAST_ELEVEN + 7200, 60))
    said = [c for now in steps for c in incomplete(log.tick(now))]
    (began,) = said
    assert (began["state"], began["now"]) == ("began", HALF_PAST_ELEVEN * 1000)
    assert set(began["detail"]) == {"name", "date", "two"} and began["subject"] == "county"
    assert (began["since"], began["until"], began["expected"], began["valid"]) == (*day_of(), 3, 2)


def test_it_is_not_said_a_second_before() -> None:
    log = Log()
    log.day(skip={"two": {1, 2, 3, 4, 5}})
    assert not incomplete(log.tick(HALF_PAST_ELEVEN - 1))
    assert incomplete(log.tick(HALF_PAST_ELEVEN))


def test_it_goes_on_and_ends_when_the_hours_come() -> None:
    log = Log()
    log.day(skip={"two": {1, 2, 3, 4, 5}, "three": {1, 2, 3, 4, 5}})
    (began,) = incomplete(log.tick(HALF_PAST_ELEVEN))
    now = HALF_PAST_ELEVEN + 600
    (goes_on,) = incomplete(log.hour("two", START + 5 * times.HOUR_S, now))
    assert (goes_on["id"], goes_on["state"]) == (began["id"], "continues")
    assert set(goes_on["detail"]) == {"name", "date", "three"}
    (ended,) = incomplete(log.hour("three", START + 5 * times.HOUR_S, now + 60))
    assert (ended["id"], ended["state"], ended["now"]) == (began["id"], "ended", (now + 60) * 1000)
    assert not incomplete(log.hour("three", START + 4 * times.HOUR_S, now + 120))


def test_a_complete_day_is_no_alarm_and_a_plan_exception_completes_one() -> None:
    log = Log()
    log.day(CO=None)
    assert incomplete(log.tick(HALF_PAST_ELEVEN))
    (ended,) = incomplete(
        log.act("plan-exception", "county", *day_of(), HALF_PAST_ELEVEN + 60, not_monitored="CO", clean="yes")
    )
    assert ended["state"] == "ended"
    whole = Log()
    whole.day()
    assert not incomplete(whole.tick(HALF_PAST_ELEVEN))
