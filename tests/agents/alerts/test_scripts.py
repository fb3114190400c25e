"""Every path of an alert as a time script (tests/agents/alerts/script.py says how to read one)."""

from __future__ import annotations

import pytest

from schemas import alerts, blocks
from tests.agents.alerts.script import MINUTE, START, Story

SCRIPTS = {
    "yellow: nobody acknowledges, the chief is told, then it is acknowledged": """
        0   | SO2 yellow       | first yellow: guo han      | open yellow
        29  |
        30  |                  | escalated yellow: guo wang | open
        42  | guo acknowledges |                            | acknowledged yellow
        100 | guo notes
        900 |                  |                            | acknowledged
    """,
    "orange: the director after fifteen minutes": """
        0  | SO2 orange | first orange: guo han wang
        14 |
        15 |            | escalated orange: guo zhao
        44 |
    """,
    "red: everybody at once, a reminder every ten minutes until somebody acknowledges": """
        0  | SO2 red           | first red: guo han wang zhao | open red
        10 |                   | reminder red: guo han wang zhao
        20 |                   | reminder red: guo han wang zhao
        25 | wang acknowledges |                              | acknowledged red
        60 |
    """,
    "blue is for the screen": """
        0    | SO2 blue !near-limit | | open blue
        600  | SO2 ends !near-limit | | open blue
        675  |                      | | resolved blue
        5000 |
    """,
    "a level that rises is always told, one that falls is not a level": """
        0  | SO2 yellow       | first yellow: guo han
        5  | guo acknowledges
        10 | SO2 orange       | level-raised orange: guo han wang      | acknowledged orange
        11 | SO2 yellow       |                                        | acknowledged orange
        12 | SO2 red          | level-raised red: guo han wang zhao    | acknowledged red
        13 | guo notes
        90 |
    """,
    "a level that rises starts the escalation anew": """
        0  | SO2 yellow | first yellow: guo han
        20 | SO2 orange | level-raised orange: guo han wang
        34 |
        35 |            | escalated orange: guo zhao
    """,
    "blue becomes yellow: told for the first time": """
        0  | SO2 blue   |                       | open blue
        60 | SO2 yellow | first yellow: guo han | open yellow
    """,
    "repeats within half an hour merge, later ones remind whoever was told while nobody has it": """
        0   | SO2 yellow       | first yellow: guo han
        10  | SO2 yellow
        29  | SO2 yellow
        30  |                  | escalated yellow: guo wang
        45  | SO2 yellow
        65  | SO2 yellow       | reminder yellow: guo han wang
        80  | SO2 yellow
        95  | SO2 yellow       | reminder yellow: guo han wang
        96  | guo acknowledges
        130 | SO2 yellow
    """,
    "it is over when it has not come back for a while: two valid hours": """
        0   | SO2 yellow       | first yellow: guo han
        10  | guo handles      |                           | handling
        60  | SO2 ends         |                           | handling
        134 |
        135 |                  | recovered yellow: guo han | resolved yellow
        140 | guo closes       |                           | closed
        141 | SO2 yellow #2    | first yellow: guo han     | open
    """,
    "it comes back before that: nothing was over": """
        0   | SO2 yellow       | first yellow: guo han
        10  | guo handles
        60  | SO2 ends
        120 | SO2 yellow #2    |                           | handling yellow
        180 | SO2 ends #2
        254 |                  |                           | handling
        255 |                  | recovered yellow: guo han | resolved
    """,
    "nobody is asked to acknowledge while it seems to be over": """
        0   | SO2 yellow    | first yellow: guo han
        20  | SO2 ends
        94  |               |                            | open
        95  |               | recovered yellow: guo han  | resolved
    """,
    "again within an hour after it was over: the same alert": """
        0   | SO2 yellow       | first yellow: guo han
        5   | guo handles
        60  | SO2 ends
        135 |                  | recovered yellow: guo han    | resolved
        195 | SO2 yellow #2    | reopened yellow: guo han     | open yellow
        225 |                  | escalated yellow: guo wang
    """,
    "again, later: another alert": """
        0   | SO2 yellow    | first yellow: guo han
        5   | guo handles
        60  | SO2 ends
        135 |               | recovered yellow: guo han  | resolved
        196 | SO2 yellow #2 | first yellow: guo han      | open yellow
    """,
    "it never was": """
        0  | SO2 yellow    | first yellow: guo han
        5  | SO2 never was | recovered yellow: guo han  | exempt
        99 |
    """,
    "one of two conditions never was: the other goes on": """
        0   | SO2 yellow            | first yellow: guo han
        5   | SO2 orange !suspect   | level-raised orange: guo han wang | open orange
        6   | SO2 never was         |                                   | open orange
        7   | guo handles
        90  | SO2 ends !suspect     | recovered orange: guo han wang    | resolved
    """,
    "its beginning is revised: the new condition comes before the old one is gone": """
        0   | SO2 yellow                     | first yellow: guo han
        5   | SO2 yellow #2 ; SO2 never was  |                        | open yellow
        6   | guo handles
        60  | SO2 ends #2
        135 |                                | recovered yellow: guo han | resolved
    """,
    "acknowledged, and nothing was done: it is open again": """
        0   | SO2 yellow       | first yellow: guo han
        10  | guo acknowledges |                                | acknowledged
        249 |
        250 |                  | unacknowledged yellow: guo han | open
        280 |                  | escalated yellow: guo wang
    """,
    "whoever hands it back leaves it open": """
        0   | SO2 yellow        | first yellow: guo han
        10  | niu acknowledges  |                          | acknowledged
        20  | guo hands back    |                          | acknowledged
        30  | niu hands back    | reminder yellow: guo han | open
        60  |                   | escalated yellow: guo wang
    """,
    "the first who acknowledges has it": """
        0  | SO2 yellow        | first yellow: guo han
        5  | guo acknowledges
        6  | niu acknowledges  |                       | acknowledged
    """,
    "no page after somebody closed it, but for a higher level": """
        0   | SO2 yellow  | first yellow: guo han
        5   | guo closes  |                                 | closed
        60  | SO2 yellow
        120 | SO2 yellow
        180 | SO2 orange  | first orange: guo han wang      | open orange
        181 | guo handles
        240 | SO2 ends
        315 |             | recovered orange: guo han wang  | resolved
    """,
    "closed, over, and again: another alert": """
        0   | SO2 yellow     | first yellow: guo han
        5   | guo closes     |                         | closed
        60  | SO2 ends
        100 | SO2 yellow #2  | first yellow: guo han   | open
    """,
    "no page after a false alarm": """
        0   | SO2 orange         | first orange: guo han wang
        5   | guo calls it false |                            | false-alarm
        60  | SO2 orange
        200 | SO2 ends
        400 |
    """,
    "the next officer takes the shift over": """
        0  | SO2 yellow ; NOx yellow | first yellow: guo han ; first yellow: guo han | open
        5  | niu takes over          |                                               | acknowledged
        60 |
    """,
    "maintenance: nobody is told; when it ends and the alert goes on, it is told": """
        0   | maintenance for 120 @stack ; SO2 orange |                            | open orange
        60  | SO2 orange
        119 |
        120 |                                         | first orange: guo han wang
        135 |                                         | escalated orange: guo zhao
    """,
    "maintenance: over before it ends, nobody ever hears": """
        0   | maintenance for 300 @stack ; SO2 orange | | open orange
        60  | SO2 ends
        135 |                                         | | resolved
        500 |
    """,
    "maintenance of the enterprise is approved while the alert is open, and taken back": """
        0   | SO2 yellow                    | first yellow: guo han
        10  | maintenance for 600 @stack
        60  | SO2 orange                    |                                    | open orange
        90  | maintenance withdrawn         | level-raised orange: guo han wang
        105 |                               | escalated orange: guo zhao
    """,
    "what was long over when it became known is for the screen, until it proves to go on": """
        0   | SO2 orange late  |                            | open orange
        10  | SO2 orange       | first orange: guo han wang | open
    """,
    "missing hours are told when they do not come, silence at once": """
        0   | - yellow !hour-missing |                       | open yellow
        59  |
        60  |                        | first yellow: guo han
    """,
    "missing hours that come in time": """
        0   | - yellow !hour-missing |                       | open yellow
        59  | - ends !hour-missing   |                       | resolved
        90  |
    """,
    "a silent plant is one alert; that it spreads is told at most every half hour": """
        0   | - blue !offline ; - blue @stack2 !offline          |                           | open blue
        20  | - yellow !offline ; - yellow @stack2 !offline      | first yellow: guo han     | open yellow
        25  | - yellow @stack3 !offline
        26  | - yellow @stack4 !offline ; guo acknowledges
        50  |                                                    | spread yellow: guo han
        60  | - yellow @stack5 !offline
        80  |                                                    | spread yellow: guo han
        90  | - ends !offline ; - ends @stack2 !offline
        91  | - ends @stack3 !offline ; - ends @stack4 !offline  |                           | acknowledged
        92  | - ends @stack5 !offline                            | recovered yellow: guo han | resolved
    """,
    "what is for the screen alone does not keep an exceedance open, and does not open it again": """
        0   | SO2 orange              | first orange: guo han wang    | open orange
        5   | guo handles ; SO2 blue !suspect                         |  | handling orange
        60  | SO2 ends
        135 |                         | recovered orange: guo han wang | resolved
        150 | SO2 blue !suspect       |                               | resolved
        160 | SO2 yellow !suspect     | reopened orange: guo han wang | open orange
    """,
    "it becomes more than something for the screen long after the alert was over": """
        0   | SO2 orange              | first orange: guo han wang    | open orange
        5   | guo handles ; SO2 blue !suspect
        60  | SO2 ends
        135 |                         | recovered orange: guo han wang | resolved
        300 | SO2 yellow !suspect     | first yellow: guo han         | open yellow
    """,
    "it becomes more than something for the screen after somebody closed the alert": """
        0   | SO2 orange              | first orange: guo han wang    | open orange
        5   | SO2 blue !suspect ; guo closes
        60  | SO2 yellow !suspect     | first yellow: guo han         | open yellow
    """,
    "over and closed by itself after a week without a cause": """
        0     | SO2 yellow  | first yellow: guo han
        1     | guo handles
        10    | SO2 ends
        85    |             | recovered yellow: guo han | resolved
        10164 |             |                           | resolved
        10165 |             |                           | closed
    """,
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("restarts", [False, True], ids=["calm", "restarts"])
def test_script(name: str, restarts: bool) -> None:
    story = Story()
    if restarts:
        do = story.do

        def and_restart(words: str) -> None:
            do(words)
            story.restart()

        story.do = and_restart  # type: ignore[method-assign]
    story.play(SCRIPTS[name])


# ---- quiet time


def quiet(person: str, up_to: str, minutes: int) -> Story:
    story = Story()
    story.place.quiet[person] = (up_to, START + minutes * MINUTE)
    return story


def test_in_quiet_time_a_notice_waits_for_its_end() -> None:
    quiet("guo", "yellow", 120).play("""
        0   | SO2 yellow       | first yellow: han
        30  |                  | escalated yellow: wang
        119 |
        120 |                  | after-quiet yellow: guo
        121 | guo acknowledges
        300 |
    """)


def test_red_gets_through_quiet_time_and_nothing_waits_then() -> None:
    story = quiet("guo", "orange", 50)
    story.play("""
        0   | SO2 orange          | first orange: han wang
        5   | SO2 red             | level-raised red: guo han wang zhao
        6   | zhao acknowledges
        60  |
    """)


def test_what_somebody_acknowledged_meanwhile_waits_for_nobody() -> None:
    quiet("wang", "orange", 100).play("""
        0   | SO2 orange       | first orange: guo han
        5   | guo acknowledges
        110 |
    """)


def test_what_is_over_by_then_waits_for_nobody_and_who_was_not_told_hears_of_no_recovery() -> None:
    quiet("wang", "orange", 600).play("""
        0   | SO2 orange  | first orange: guo han
        1   | guo handles
        60  | SO2 ends
        135 |             | recovered orange: guo han | resolved
        700 |
    """)


def test_when_everybody_sleeps_nothing_is_sent_and_it_stands_in_the_history() -> None:
    story = Story()
    story.place.quiet = dict.fromkeys(("guo", "han", "wang", "zhao"), ("orange", START + 60 * MINUTE))
    story.play("""
        0   | SO2 orange |
        60  |            | after-quiet orange: guo han wang zhao
    """)
    assert "waiting" in [entry.what for entry in story.newest.history]


# ---- parts of a whole


def test_a_wave_down_the_river_is_one_alert_with_its_sections() -> None:
    story = Story("water")
    name = "g|upper|water-level|COD|"
    carried = {"origin": "carried", "linked": name}

    def water(subject: str, level: str, state: str = "began", **detail: str) -> list[str]:
        heard = len(story.notices)
        story.condition("COD", level, state, subject=subject, rule="water-level", **detail)
        return [f"{n.episode.split('|')[1]} {n.reason}" for n in story.notices[heard:]]

    def passed(minute: int) -> list[str]:
        heard = len(story.notices)
        story.to(minute)
        return [f"{n.episode.split('|')[1]} {n.reason}" for n in story.notices[heard:]]

    assert water("upper", "orange", origin="local") == ["upper first"]
    story.act("guo", alerts.HANDLE)
    upper = story.newest.id
    assert passed(600) == []
    assert water("middle", "orange", **carried) == ["upper spread"]
    assert passed(610) == []
    assert water("lower", "yellow", **carried) == []
    assert passed(631) == ["upper spread"]
    assert {e.subject: e.parent for e in story.alerts} == {"upper": "", "middle": upper, "lower": upper}
    assert story.published[upper].children == [e.id for e in story.alerts if e.parent]
    story.restart()
    assert water("lower", "red", **carried) == ["lower first"]  # worse than where it comes from: told by itself
    assert water("upper", "", "ended") == []
    assert story.published[upper].state == "handling"  # its wave still travels
    assert water("middle", "", "ended") == []
    assert water("lower", "", "ended") == ["lower recovered", "upper recovered"]
    assert {e.state for e in story.alerts} == {"resolved"}
    story.act("guo", alerts.CLOSE, upper, cause="weather")
    assert {(e.state, e.cause) for e in story.alerts} == {("closed", "weather")}  # one cause


def test_a_wave_that_arrives_when_it_is_over_above_opens_the_alert_above_again() -> None:
    story = Story("water")
    story.condition("COD", "orange", subject="upper", rule="water-level", origin="local")
    upper = story.newest.id
    story.to(300)
    story.condition("COD", "", "ended", subject="upper", rule="water-level")
    assert story.published[upper].state == "resolved"
    story.to(900)
    carried = {"origin": "carried", "linked": "g|upper|water-level|COD|"}
    story.condition("COD", "orange", subject="lower", rule="water-level", **carried)
    assert (story.published[upper].state, story.notices[-1].reason, story.notices[-1].episode) == (
        "open", "spread", upper,
    )  # fmt: skip
    story.act("guo", alerts.ACKNOWLEDGE, upper)
    assert story.newest.acknowledged_by == "guo"  # who has the whole has its parts


def test_what_turns_out_not_to_be_carried_is_told_by_itself() -> None:
    story = Story("water")
    story.condition("COD", "orange", subject="upper", rule="water-level", origin="local")
    upper = story.newest.id
    story.to(60)
    story.condition(
        "COD", "yellow", subject="lower", rule="water-level", origin="carried", linked="g|upper|water-level|COD|"
    )
    assert story.newest.parent == upper
    story.to(61)
    story.condition("COD", "yellow", subject="lower", rule="water-level", origin="local")
    assert (story.newest.parent, story.notices[-1].reason, story.notices[-1].episode) == ("", "first", story.newest.id)
    assert story.published[upper].children == []


# ---- storms


@pytest.mark.parametrize("restarts", [False, True])
def test_five_thousand_conditions_in_a_minute_are_told_in_few_notices(restarts: bool) -> None:
    story = Story()
    for n in range(5_000):
        story.now = START + n * 12
        story.condition("SO2", "orange" if n % 3 else "yellow", subject=f"stack{n}")
        if restarts and n % 500 == 0:
            story.restart()
    story.to(10)
    assert len(story.alerts) == 5_001  # every one is there, and the one that stands for them
    assert [n.reason for n in story.notices] == ["first"] * 6
    crowd = next(e for e in story.alerts if e.about == "crowd")
    assert "4995 起告警" in story.notices[-1].text
    assert (story.notices[-1].episode, crowd.subject, crowd.level, len(crowd.children)) == (
        crowd.id, "whole", "orange", 100,
    )  # fmt: skip
    story.to(60)
    assert len(story.notices) < 30  # the five told by themselves and the crowd escalate
    story.act("guo", alerts.TAKE_OVER)
    assert {e.state for e in story.alerts} == {"acknowledged"}
    before = len(story.notices)
    for n in range(5_000):
        story.condition("SO2", "", "ended", subject=f"stack{n}")
    story.to(200)
    assert {e.state for e in story.alerts} == {"resolved"}
    assert len(story.notices) - before == 6


def test_a_red_part_of_a_storm_makes_the_storm_red() -> None:
    story = Story()
    for n in range(20):
        story.condition("SO2", "yellow", subject=f"stack{n}")
    story.to(5)
    heard = len(story.notices)
    story.condition("SO2", "red", subject="stack19")
    assert [(n.reason, n.level, n.episode.split("|")[2]) for n in story.notices[heard:]] == [
        ("level-raised", "red", "crowd")
    ]


def test_after_the_storm_an_alert_is_told_by_itself_again() -> None:
    story = Story()
    for n in range(20):
        story.condition("SO2", "yellow", subject=f"stack{n}")
    story.act("guo", alerts.TAKE_OVER)
    story.to(30)
    heard = len(story.notices)
    story.condition("SO2", "yellow", subject="stack99")
    assert [(n.reason, n.episode.split("|")[1]) for n in story.notices[heard:]] == [("first", "stack99")]


def test_the_third_silent_station_makes_the_network_silent() -> None:
    story = Story("air")
    for n, subject in enumerate(("north", "south", "east", "west")):
        story.to(n)
        story.condition("-", "yellow", subject=subject, rule="offline")
    story.to(20)
    assert [(n.reason, n.episode.split("|")[1]) for n in story.notices] == [
        ("first", "north"), ("first", "south"), ("first", "whole"),
    ]  # fmt: skip
    assert "2 处先后无数据" in story.notices[-1].title


# ---- people who are late, elsewhere, or twice


def test_actions_that_come_too_late_change_nothing_and_are_written_down() -> None:
    story = Story()
    story.play("""
        0 | SO2 yellow                          | first yellow: guo han
        5 | guo closes                          |                        | closed
        6 | wang acknowledges ; wang closes     |                        | closed
        7 | wang takes over
    """)
    assert (story.newest.cause, story.newest.holder) == ("production", "guo")
    late = [(e.what, e.by) for e in story.newest.history if "未生效" in e.text]
    assert late == [("acknowledge", "wang"), ("close", "wang")]


def test_actions_on_what_is_not_here_change_nothing() -> None:
    story = Story()
    story.condition("SO2", "yellow")
    before = story.newest
    story.act("guo", alerts.ACKNOWLEDGE, "g|elsewhere|SO2|1")
    assert story.newest == before


def test_an_action_of_another_subject_is_written_down_only() -> None:
    story = Story()
    story.condition("SO2", "yellow")
    episode = story.newest.id
    story.book.action(
        blocks.Action(
            writer="desk", id="x", what=alerts.ACKNOWLEDGE, group="g", subject="drain", begin=0, end=1, by="guo",
            why="确认", data={"episode": episode}, received=story.now,
        )
    )  # fmt: skip
    assert story.newest.state == "open"
    assert "对象不符" in story.newest.history[-1].text


def test_an_action_that_is_written_twice_counts_once() -> None:
    story = Story()
    story.condition("SO2", "yellow")
    for _ in range(2):
        story._acts = 7
        story.act("guo", alerts.NOTE)
    assert [e.what for e in story.newest.history].count("note") == 1


def test_closing_writes_down_cause_and_measure() -> None:
    story = Story()
    story.condition("SO2", "yellow")
    story.act("guo", alerts.CLOSE, cause="treatment", measure="更换喷淋泵")
    e = story.newest
    assert (e.cause, e.closed, e.history[-1].text) == ("treatment", story.now, "说明；更换喷淋泵")


# ---- what is kept


def test_final_alerts_leave_the_state_after_a_week_and_those_that_go_on_later() -> None:
    story = Story()
    for subject in ("stack1", "stack2"):
        story.condition("SO2", "yellow", subject=subject)
        story.act("guo", alerts.CLOSE)
    story.condition("SO2", "", "ended", subject="stack1")
    story.to(7 * 1440 - 1)
    assert len(story.alerts) == 2
    story.to(8 * 1440)
    assert [e.subject for e in story.alerts] == ["stack2"]
    assert {e.state for e in story.published.values()} == {"closed"}
    assert story.book._of_condition == {"g|stack2|over-limit|SO2|": story.alerts[0].id}


def test_the_history_is_bounded_and_keeps_what_people_wrote() -> None:
    story = Story()
    story.play("0 | SO2 red | first red: guo han wang zhao")
    story.to(5)
    story.act("guo", alerts.NOTE)
    story.to(5_000)
    what = [entry.what for entry in story.newest.history]
    assert len(what) == 200
    assert (what[0], what[-1], what.count("note")) == ("opened", "reminder", 1)


def test_texts_name_what_where_and_since_when_and_a_short_one_fits() -> None:
    story = Story()
    story.condition(
        "NOx", "orange", subject="stack", value="61.0", limit="50", unit="mg/m³", hours="3"
    )  # fmt: skip
    (notice,) = story.notices
    assert notice.title == "【橙色】名stack 氮氧化物 超标"
    assert "61.0/50 mg/m³" in notice.text
    assert "04-06 07:00" in notice.text
    assert "since 2026-04-06 07:00" in notice.text_en
    assert notice.short == "橙 名stack 氮氧化物 超标 08:00"
    assert all(len(n.short) <= 35 for n in story.notices)


# ---- nothing red goes unsaid


def said(story: Story, heard: int = 0) -> list[str]:
    return [f"{n.reason} {n.level} {n.episode.split('|')[1]}" for n in story.notices[heard:]]


def test_that_it_was_over_for_a_while_does_not_free_who_acknowledged_it_of_doing_something() -> None:
    Story().play("""
        0   | SO2 red          | first red: guo han wang zhao          | open red
        5   | guo acknowledges |                                       | acknowledged
        10  | SO2 ends
        60  | SO2 red #2
        65  |                  | unacknowledged red: guo han wang zhao | open red
        66  | guo acknowledges
        70  | SO2 ends #2
        126 |                  |                                       | acknowledged
        140 | SO2 red #3
        144 |
        145 |                  | unacknowledged red: guo han wang zhao | open red
    """)
    Story().play("""
        0   | SO2 red             | first red: guo han wang zhao          | open red
        5   | SO2 ends
        6   | guo acknowledges
        60  | SO2 red #2
        66  |                     | unacknowledged red: guo han wang zhao | open red
    """)


def test_a_part_of_what_nobody_is_told_of_is_told_by_itself() -> None:
    story = Story("water")
    story.place.maintenance = {"upper": START + 60 * MINUTE}
    story.condition("COD", "red", subject="upper", rule="water-level", origin="local")
    linked = "g|upper|water-level|COD|"
    story.condition("COD", "red", subject="lower", rule="water-level", origin="carried", linked=linked)
    assert said(story) == ["first red lower"]
    story.to(5)
    story.act("guo", alerts.TAKE_OVER)
    story.to(60)
    assert said(story) == ["first red lower", "first red upper"]


def test_a_crowd_is_under_maintenance_only_if_all_of_it_is() -> None:
    story = Story()
    story.place.maintenance = {"whole": START + 600 * MINUTE}
    for n in range(6):
        story.condition("SO2", "red" if n == 5 else "yellow", subject=f"stack{n}")
    heard = len(story.notices)
    story.to(2)
    assert said(story, heard) == ["first red whole"]


def test_a_crowd_that_somebody_takes_before_it_was_told_is_told_all_the_same() -> None:
    story = Story()
    for n in range(6):
        story.condition("SO2", "red" if n == 5 else "yellow", subject=f"stack{n}")
    heard = len(story.notices)
    story.to(1)
    story.act("guo", alerts.TAKE_OVER)
    story.to(50)
    assert said(story, heard) == ["first red whole"]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("over", [False, True])
def test_what_gets_worse_or_begins_again_after_its_crowd_was_closed_is_told_by_itself(
    over: bool, restarts: bool
) -> None:
    story = Story()
    for n in range(7):
        story.condition("SO2", "red" if n == 5 else "yellow", subject=f"stack{n}")
    story.to(3)
    story.act("guo", alerts.TAKE_OVER)
    story.to(20)
    (crowd,) = [e for e in story.alerts if e.about == "crowd"]
    story.act("guo", alerts.CLOSE, crowd.id)
    if restarts:
        story.restart()
    heard = len(story.notices)
    if over:
        story.condition("SO2", "", "ended", subject="stack6")
        story.to(100)
        story.condition("SO2", "yellow", subject="stack6", number="2")
    else:
        story.condition("SO2", "yellow", subject="stack6", until=story.now // 1000 + 3600)
        assert said(story, heard) == []  # it was so when somebody closed it
        story.condition("SO2", "red", subject="stack6")
    assert said(story, heard) == ["first yellow stack6" if over else "first red stack6"]


# ---- one at a time


def test_what_gets_worse_after_somebody_closed_it_joins_the_alert_that_followed() -> None:
    """Two conditions of one factor: the second has an alert of its own already when the first gets worse."""
    story = Story()
    story.play("""
        0  | SO2 yellow          | first yellow: guo han             | open yellow
        5  | guo closes
        10 | SO2 yellow !suspect | first yellow: guo han             | open yellow
        20 | SO2 orange          | level-raised orange: guo han wang | open orange
    """)
    assert [e.state for e in story.alerts] == ["closed", "open"]
    assert {m.rule for m in story.newest.members} == {"suspect", "over-limit"}


@pytest.mark.parametrize("restarts", [False, True])
def test_of_two_alerts_opened_in_one_instant_the_later_one_is_the_newest_also_after_a_restart(restarts: bool) -> None:
    story = Story()
    story.condition("SO2", "yellow", number="1")
    first = story.newest.id
    story.act("guo", alerts.CLOSE, first)
    story.condition("SO2", "orange", number="2")
    story.condition("SO2", "", "ended", number="1")  # something changes of the first, which is no news of the second
    if restarts:
        story.restart()
    story.to(10)
    heard = len(story.notices)
    story.condition("SO2", "red", number="3")
    assert [(n.reason, n.level) for n in story.notices[heard:]] == [("level-raised", "red")]
    assert [e.state for e in story.alerts if e.id != first] == ["open"]
