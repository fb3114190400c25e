"""Whatever happens in whatever order: what must hold of alerts at any moment."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from schemas import alerts
from schemas.messages import BEGAN, CONTINUES, ENDED
from tests.agents.alerts.script import MINUTE, Story

SUBJECTS, FACTORS, LEVELS = ("stack1", "stack2", "drain"), ("SO2", "NOx"), alerts.LEVELS
RULES = ("over-limit", "suspect", "offline", "hour-missing", "water-level")
PEOPLE = ("guo", "wang", "niu")
ON_ONE = tuple(what for what in alerts.ALERT_ACTIONS if what != alerts.TAKE_OVER)


class Alerts(RuleBasedStateMachine):
    """Conditions, people, time, quiet, maintenance and crashes in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.levels: dict[str, str] = {}  # of active alerts
        self.silent: dict[str, int] = {}  # closed by a person: how many notices there had been
        self.checked = 0

    # ---- what happens

    @rule(
        subject=st.sampled_from(SUBJECTS), factor=st.sampled_from(FACTORS), level=st.sampled_from(LEVELS),
        state=st.sampled_from((BEGAN, CONTINUES, ENDED)), kind=st.sampled_from(RULES), number=st.sampled_from("ab"),
        detail=st.sampled_from(({}, {"why": "revised"}, {"origin": "local"}, {"origin": "carried"})),
        late=st.integers(0, 9),
    )  # fmt: skip
    def condition(
        self, subject: str, factor: str, level: str, state: str, kind: str, number: str, detail: dict[str, str],
        late: int,
    ) -> None:  # fmt: skip
        more: dict[str, Any] = dict(detail) if state == ENDED or "origin" in detail else {}
        if more.get("origin") == "carried":
            more["linked"] = f"g|stack1|{kind}|{factor}|a"
        if not late:
            more["until"] = self.story.now // 1000 - 48 * 3600
        if kind in ("offline", "hour-missing"):
            factor = "-"
        self._quietly_at_once(
            lambda: self.story.condition(factor, level, state, subject=subject, rule=kind, number=number, **more)
        )

    @rule(by=st.sampled_from(PEOPLE), what=st.sampled_from(ON_ONE), which=st.integers(0, 20))
    def act(self, by: str, what: str, which: int) -> None:
        if not self.story.alerts:
            return
        episode = self.story.alerts[which % len(self.story.alerts)]
        was = episode.state
        self._quietly_at_once(lambda: self.story.act(by, what, episode.id))
        if what in (alerts.CLOSE, alerts.FALSE) and was not in alerts.FINAL:
            self.silent[episode.id] = self._said_of(episode.id)

    @rule(by=st.sampled_from(PEOPLE))
    def take_over(self, by: str) -> None:
        self._quietly_at_once(lambda: self.story.act(by, alerts.TAKE_OVER, "-"))
        assert {e.holder for e in self.story.alerts if e.state in alerts.ACTIVE} <= {by}
        assert not [e for e in self.story.alerts if e.state == alerts.OPEN]

    @rule(minutes=st.sampled_from((1, 7, 15, 31, 61, 90, 300, 1500, 12_000)))
    def time(self, minutes: int) -> None:
        heard = len(self.story.notices)
        self.story.to((self.story.now - START_MS) / MINUTE + minutes)
        by_time = Counter(n.episode for n in self.story.notices[heard:])
        assert all(count <= minutes // 10 + 4 for count in by_time.values()), by_time

    @rule(
        person=st.sampled_from(("guo", "wang", "han")), up_to=st.sampled_from(LEVELS[:-1]), minutes=st.integers(0, 600)
    )
    def quiet(self, person: str, up_to: str, minutes: int) -> None:
        self.story.place.quiet[person] = (up_to, self.story.now + minutes * MINUTE)

    @rule(subject=st.sampled_from((*SUBJECTS, "plant")), minutes=st.integers(0, 600))
    def maintenance(self, subject: str, minutes: int) -> None:
        self.story.place.maintenance = {subject: self.story.now + minutes * MINUTE}
        self.story.book.maintenance("g", self.story.now)

    @rule()
    def crash(self) -> None:
        self.story.restart()

    def _quietly_at_once(self, do: Any) -> None:
        """One thing that happens: at most two notices of an alert, its own and as a part of something."""
        heard = len(self.story.notices)
        do()
        assert all(n <= 2 for n in Counter(n.episode for n in self.story.notices[heard:]).values())

    # ---- what holds

    @invariant()
    def at_most_one_is_active_of_a_subject_and_what_it_is_about(self) -> None:
        active = Counter((e.subject, e.about) for e in self.story.alerts if e.state in alerts.ACTIVE)
        assert all(n == 1 for n in active.values()), active

    @invariant()
    def the_level_never_falls_while_active(self) -> None:
        for e in self.story.alerts:
            before = self.levels.pop(e.id, LEVELS[0])
            if e.state in alerts.ACTIVE:
                assert LEVELS.index(e.level) >= LEVELS.index(before)
                self.levels[e.id] = e.level

    @invariant()
    def nobody_is_told_after_somebody_closed_it(self) -> None:
        assert all(self._said_of(name) == said for name, said in self.silent.items())

    @invariant()
    def every_notice_stands_in_the_history_once(self) -> None:
        notices = self.story.notices[self.checked :]
        self.checked = len(self.story.notices)
        for n in notices:
            assert n.to
            assert n.level != "blue"
            e = self.story.published[n.episode]
            entries = [x for x in e.history if (x.at, x.what, x.level) == (n.at, n.reason, n.level)]
            assert len(entries) == 1 or (len(e.history) == 200 and n.reason == alerts.REMINDER)
            assert {r.person for r in n.to} <= set(e.told)
            assert len(n.short) <= 35
        assert len({n.id for n in self.story.notices}) == len(self.story.notices)

    @invariant()
    def whatever_goes_on_was_told_or_says_why_not(self) -> None:
        for name in self.story.rows.names():
            alert = self.story.rows.get(name)
            assert alert is not None
            e = alert.episode
            goes_on = any(m.open and m.level != "blue" for m in e.members) or alert.crowd
            if e.state != alerts.OPEN or not goes_on or e.level == "blue" or e.muted or self._is_part(e):
                continue
            assert alert.said == e.level or "tell" in alert.due, alert
            reminded = {"escalate", "remind", "tell"} & set(alert.due) or alert.stage
            assert reminded, alert

    @invariant()
    def times_and_states_agree(self) -> None:
        for e in self.story.alerts:
            assert bool(e.closed) == (e.state in alerts.FINAL), e
            assert bool(e.resolved) >= (e.state == alerts.RESOLVED)
            assert bool(e.acknowledged_by) == bool(e.acknowledged)
            assert [x.at for x in e.history] == sorted(x.at for x in e.history)
            assert e.state not in (alerts.ACKNOWLEDGED, alerts.HANDLING) or e.holder
            if e.state == alerts.OPEN:
                assert not e.holder

    def _is_part(self, e: alerts.Episode) -> bool:
        parent = self.story.rows.get(e.parent) if e.parent else None
        return parent is not None and LEVELS.index(parent.episode.level) >= LEVELS.index(e.level)

    def _said_of(self, name: str) -> int:
        return sum(n.episode == name for n in self.story.notices)


START_MS = Story().now
Alerts.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAlerts = Alerts.TestCase
