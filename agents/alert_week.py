"""A week of the simulated district with its people: what the officers were told, when they answered, and what it was.

The district, gateway, judges and alerts are the real ones; only the officers are simulated (:mod:`agents.officers`):
each answers some minutes after the notice, by night later, now and then not at all, writes a note, and closes what is
over with a cause. What they do enters the log as actions, as from the desk. Beside it stands what a message per reading
above its limit would have been (:mod:`agents.naive_alarms`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import msgspec

from agents.documents import put_between
from agents.naive_alarms import NaiveAlarms
from agents.officers import MINUTE_MS, Officers, OnDuty
from agents.rejudge import Rejudged
from agents.scenario_run import simulate
from schemas import alerts, blocks, times, topics
from schemas.alerts import Episode, Notice
from schemas.registry import Registry
from streams.journal import Record
from streams.simulator.timeline import Plan

_TICK: Final = b'{"kind":"tick"'


@dataclass
class Week:
    """What came of it.

    Attributes:
        episodes: as they stand at the end, in order of opening.
        notices: everything somebody was told, in the order of the log.
        actions: what the officers did.
        naive: messages per source of an alarm per reading.
    """

    registry: Registry
    plan: Plan
    episodes: list[Episode] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    actions: int = 0
    naive: Counter[str] = field(default_factory=Counter)

    def told(self) -> Counter[str]:
        """Notices per person."""
        return Counter(r.person for n in self.notices for r in n.to)

    def minutes_to_acknowledge(self) -> list[float]:
        """Of the episodes somebody was told of and acknowledged."""
        return sorted(
            (e.acknowledged - first) / MINUTE_MS
            for e in self.episodes
            if e.acknowledged and (first := min((n.at for n in self.notices if n.episode == e.id), default=0))
        )


def run_week(registry: Registry, plan: Plan, *, officers: Officers | None = None) -> Week:
    """Simulate a plan with everybody in it; some minutes for a week at full cadence."""
    week = Week(registry, plan)
    desk = _Desk(registry, officers or Officers(), week)
    simulate(registry, plan, kinds=("air", "water", "emission"), keep=desk.take)
    desk.finish()
    return week


class _Desk:
    """Judges the log as it is written, and writes what the officers do into it."""

    def __init__(self, registry: Registry, officers: Officers, week: Week) -> None:
        self._week = week
        self._judged = Rejudged(topics.EMBEDDED_PARTITIONS, keep=())
        self._naive = NaiveAlarms(registry)
        self._on_duty = OnDuty(registry, officers)

    def take(self, records: list[Record]) -> None:
        """What the gateway writes at once."""
        for record in records:
            if record.value.startswith(_TICK):
                for done in self._on_duty.done_until(msgspec.json.decode(record.value, type=blocks.Tick).now):
                    self._judge(done)
            else:
                self._naive.take(record)
            self._judge(record)

    def finish(self) -> None:
        """The week is over: that everybody falls silent then is no alert of it."""
        within = (e for e in self._on_duty.episodes.values() if e.began < self._week.plan.end_s)
        self._week.episodes = sorted(within, key=lambda e: (e.opened, e.id))
        self._week.notices, self._week.actions = self._on_duty.notices, self._on_duty.actions
        self._week.naive = self._naive.messages

    def _judge(self, record: Record) -> None:
        for output in self._judged.take(record):
            self._on_duty.hear(output)


# ---- the printed table

BEGIN, END = "<!-- week: begin -->", "<!-- week: end -->"


class WeekError(ValueError):
    """The week cannot be written down; the text is one line with the cure."""


def put_into(document: str, text: str) -> str:
    """A document with other tables between its markers.

    Raises:
        WeekError: it has no markers.
    """
    return put_between(document, BEGIN, END, text, WeekError)


def table(week: Week) -> str:
    """The week for people, as Markdown."""
    zh = {"air": "空气", "water": "水", "emission": "企业", "pipeline": "系统"}
    names = {p.id: f"{p.name} {p.id}" for p in week.registry.persons}
    out = [
        "| 类 kind | 对象 subject | 因子或规则 about | 级别 level | 状态 state | 开始 began "
        "| 确认用时 min to ack | 通知 notices |",
        "|---|---|---|---|---|---|---|---|",
    ]
    first: dict[str, int] = {}
    for notice in week.notices:
        first.setdefault(notice.episode, notice.at)
    count = Counter(n.episode for n in week.notices)
    for e in week.episodes:
        waited = f"{(e.acknowledged - first[e.id]) / MINUTE_MS:.0f}" if e.acknowledged and e.id in first else "–"
        if e.level == "blue" and not count[e.id]:
            continue
        out.append(
            f"| {zh[e.kind]} {e.kind} | {e.name} | {e.about} | {alerts.LEVEL_ZH[e.level]} {e.level} "
            f"| {alerts.STATE_ZH[e.state]} {e.state} | {times.text(e.began)} | {waited} | {count[e.id]} |"
        )
    screen = sum(1 for e in week.episodes if e.level == "blue" and not count[e.id])
    out += [
        "",
        f"另有 {screen} 个仅在屏幕显示的蓝色告警。Besides {screen} blue alerts that are for the screen alone.",
        "",
        "| 人员 person | 通知 notices |",
        "|---|---|",
        *(f"| {names.get(person, person)} | {n} |" for person, n in week.told().most_common()),
    ]
    waited_min = week.minutes_to_acknowledge()
    officers = {p.id for p in week.registry.persons if p.role == "officer"}
    ours = sum(n for person, n in week.told().items() if person in officers)
    naive = sum(week.naive.values())
    if waited_min:
        out += [
            "",
            f"确认用时：中位数 {median(waited_min):.0f} 分钟，最长 {waited_min[-1]:.0f} 分钟（{len(waited_min)} 次）。"
            f" Time to acknowledge: median {median(waited_min):.0f} min, longest {waited_min[-1]:.0f} min.",
        ]
    out += [
        "",
        f"值班员共收到 {ours} 条；若每个超标读数各发一条，同一周为 {naive} 条。"
        f" Duty officers got {ours} notices; with a message per reading above its limit the same week has {naive}.",
    ]
    return "\n".join(out)
