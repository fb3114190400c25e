"""A short week of the example district: the officers' own actions are in the log, and what they did shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import alert_week
from schemas import alerts, registry
from streams.simulator.planning import plan_of

DISTRICT = Path(__file__).parents[2] / "districts" / "example"


@pytest.fixture(scope="module")
def week() -> alert_week.Week:
    district = registry.load(DISTRICT)
    plan = plan_of(district, DISTRICT, days=2, scenarios=("exceedance",))
    return alert_week.run_week(district, plan)


def test_the_exceedance_is_one_alert_that_somebody_took_and_closed(week: alert_week.Week) -> None:
    (nox,) = [e for e in week.episodes if e.about == "NOx"]
    assert (nox.state, nox.level) == (alerts.CLOSED, "red")
    assert nox.acknowledged_by == nox.holder != ""
    said = [entry.what for entry in nox.history]
    assert said.index(alerts.FIRST) < said.index(alerts.ACKNOWLEDGE) < said.index(alerts.CLOSE)
    assert week.actions >= 3  # acknowledged, noted, closed


def test_an_alarm_per_reading_would_be_many_more(week: alert_week.Week) -> None:
    told = week.told()
    officers = {p.id for p in week.registry.persons if p.role == "officer"}
    ours = sum(n for person, n in told.items() if person in officers)
    assert 0 < ours < sum(week.naive.values())
    assert set(week.naive) <= {s.id for s in week.registry.sources}


def test_nobody_is_told_of_what_is_for_the_screen(week: alert_week.Week) -> None:
    told = {notice.episode for notice in week.notices}
    assert not told & {e.id for e in week.episodes if e.level == "blue"}


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(alert_week.WeekError, match="no place for the table"):
        alert_week.put_into("# 周", "x\n")
    text = f"a\n{alert_week.BEGIN}\nold\n{alert_week.END}\nb\n"
    assert alert_week.put_into(text, "new\n") == text.replace("old", "new")
