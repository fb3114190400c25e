"""Months and years of sections, shares of the sections of a group, and the border: what rests on closed days.

A month is the mean of its valid days; where the station has too few, and for the items it does not measure, the
laboratory's result of the month stands (water.md §3.2). A year is the mean of its months.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agents.water.cells import edition_of, judged, say_verdict
from agents.water.columns import KNOWN
from agents.water.days import Days, Mean, is_enough, valid_means
from agents.water.grades import ASSESSED, SPRING, target_of
from agents.water.when import last_closed, month_label, month_of, month_span
from schemas import times, topics
from schemas.messages import key
from schemas.messages_water import BORDER, MONTH, YEAR, WaterBorder, WaterSections
from schemas.registry import Section
from standards.fixed import MISSING
from standards.water import border as border_law
from standards.water.items import item_set, items
from standards.water.ladders import NO_CLASS
from standards.water.means import enough, mean, mean_of_means
from standards.water.readings import ReadingError, parse
from standards.water.rivers import rate_river, river_indicators
from standards.water.targets import percent_text, shares
from streams.state.judge import digest_of

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

AUTOMATIC, LABORATORY = "A", "L"
PREFERRED: Final = ("pH", "DO", "CODMn", "NH3N", "TP", "TN")
"""Of these the station's own values go before the laboratory's (water.md §3.2 [B])."""

Readings = dict[str, tuple[int, bool]]


class Periods:
    """Derives what rests on closed days and on laboratory results."""

    def __init__(self, judge: WaterJudge, days: Days) -> None:
        self._judge, self._days = judge, days
        self._changed: dict[tuple[str, int], int] = {}  # section, month: newest received
        self._changed_days: dict[tuple[str, int], int] = {}  # group, day
        self._verdicts: dict[tuple[str, int], tuple[dict[str, Any], Readings] | None] = {}  # section, month

        self._through: dict[tuple[str, str], str] = {}

    def day_changed(self, section: Section, day: int, received: int) -> None:
        """A closed day of a section is new or another."""
        self.month_changed(section.id, month_of(day), received)
        about = section.group, day
        self._changed_days[about] = max(received, self._changed_days.get(about, 0))

    def month_changed(self, section: str, month: int, received: int) -> None:
        """What a month rests on is another."""
        self._changed[section, month] = max(received, self._changed.get((section, month), 0))
        self._verdicts.pop((section, month), None)

    def forget_all(self) -> None:
        """Another registry: derive again what is asked for."""
        self._verdicts = {}

    def months_of_lab(self, begin: int, end: int) -> range:
        """Months a laboratory result speaks of."""
        return range(month_of(times.day_of(begin + 1)), month_of(times.day_of(end)) + 1)

    # ---- deriving

    def derive(self) -> None:
        """Months, years, shares and the border whose days changed."""
        if not self._changed and not self._changed_days:
            return
        changed, self._changed = self._changed, {}
        by_day, self._changed_days = self._changed_days, {}
        years: dict[tuple[str, int], int] = {}
        groups: dict[tuple[str, int], int] = {}
        for (section, month), received in sorted(changed.items()):
            at = self._section(section, month)
            if at is None:
                continue
            self._say_month(at, month, received)
            years[section, month // 12] = max(received, years.get((section, month // 12), 0))
            groups[at.group, month] = max(received, groups.get((at.group, month), 0))
        for (section, year), received in sorted(years.items()):
            self._say_year(section, year, received)
        for (group, month), received in sorted(groups.items()):
            first, label = month_span(month)[0], month_label(month)
            self._say_shares(group, label, first, "month", self._classes(group, month), received)
            self._say_border(group, month, received)
        for (group, day), received in sorted(by_day.items()):
            label = times.date_of(day).isoformat()
            self._say_shares(group, label, day, "day", self._classes_of_day(group, day), received)

    def _section(self, section: str, month: int) -> Section | None:
        """The section as it is on the last closed day of a month, or on its first."""
        registry = self._judge.the_registry
        first, last = month_span(month)
        return registry.section_at(section, times.date_of(min(last, max(first, self._last())))) or registry.section_at(
            section, times.date_of(first)
        )

    def _last(self) -> int:
        now = self._judge.now_ms
        assert now is not None
        return last_closed(now // 1000)

    # ---- months

    def _month(self, section: Section, month: int) -> tuple[dict[str, Any], Readings] | None:
        """What the law says of a month, and the readings it stands on; None without any."""
        if (section.id, month) not in self._verdicts:
            self._verdicts[section.id, month] = self._judge_month(section, month)
        return self._verdicts[section.id, month]

    def _judge_month(self, section: Section, month: int) -> tuple[dict[str, Any], Readings] | None:
        first, last = month_span(month)
        closed = self._days.of(section.id)
        through = max((day for day in closed if first <= day <= last), default=None)
        lab = self._lab(section.id, month)
        if through is None and not lab:
            return None
        whole = last - first + 1
        passed = min(whole, max(1, self._last() - first + 1))
        date = times.date_of(last if through is None else through)
        rows = [row for day in range(first, last + 1) if day in closed and (row := self._days.get(section.id, day))]
        readings: Readings = {}
        origins: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name in KNOWN:
            days = [row.items[name] for row in rows if name in row.items and is_enough(name, row.items[name], date)]
            counts[name] = len(days)
            if days and enough(np.array([len(days)]), np.array([passed]), "month", date=date)[0]:
                readings[name], origins[name] = month_mean(name, days, date), AUTOMATIC
        for name, result in lab.items():
            if name not in readings or name not in PREFERRED:
                readings[name], origins[name] = result, LABORATORY
        _, target = target_of(self._judge.the_registry, section.id, date)
        verdict = judged(section, date, readings, target, rounding="assessment", set_name=ASSESSED)
        spoken = {item for a in self._judge.ever_decided("lab") if a.subject == section.id for item in a.data}
        verdict["factors"] = list(dict.fromkeys((*verdict["factors"], *sorted(spoken))))
        few = {name: n for name, n in counts.items() if n and name not in readings and name in section.factors}
        for name, n in sorted(few.items()):
            verdict.setdefault("not_judged", {})[name] = f"有效天数不足 too few days: {n} of {passed}"
        verdict["more"] = {
            "origins": {name: origins[name] for name in verdict["conc"]},
            "results": {name: n for name, n in counts.items() if n},
            "expected": {name: passed for name, n in counts.items() if n},
            "through": "" if through is None else times.date_of(through).isoformat(),
            "complete": passed == whole,
        }
        return verdict, readings

    def _lab(self, section: str, month: int) -> Readings:
        """Laboratory results of a month; of several that span it the one of the shortest period, then the latest."""
        first, last = month_span(month)
        begin, end = times.day_start(first), times.day_end(last)
        held: dict[str, tuple[tuple[int, int, str], str]] = {}
        for about, action in self._judge.decisions("lab"):
            if about.subject != section or not (about.begin <= begin and about.end >= end):
                continue
            rank = (about.begin - about.end, action.received, action.id)
            name = about.part[0]
            if name not in held or rank > held[name][0]:
                held[name] = (rank, action.data[name])
        found: Readings = {}
        for name, (_, text) in sorted(held.items()):
            if name in items():
                try:
                    value, below = parse(items()[name], text)
                except ReadingError:
                    continue  # refused where it is written; what no law can read is no result
                if value != MISSING:
                    found[name] = (value, below)
        return found

    def _say_month(self, section: Section, month: int, received: int) -> None:
        found = self._month(section, month)
        if found is None:
            return
        verdict = dict(found[0])
        more = verdict.pop("more")
        start = times.day_start(month_span(month)[0])
        say_verdict(
            self._judge, MONTH, section, month_label(month), start, verdict, received=received,
            cause="days or laboratory results",
            grown=self._grown(section.id, month_label(month), more["through"]), **more,
        )  # fmt: skip

    # ---- years

    def _say_year(self, section: str, year: int, received: int) -> None:
        """Mean of the month values, item by item, then the class (water.md §3.1)."""
        months = [(m, at) for m in range(year * 12, year * 12 + 12) if (at := self._section(section, m)) is not None]
        said = [(m, at, found) for m, at in months if (found := self._month(at, m)) is not None]
        if not said:
            return
        at, date = said[-1][1], said[-1][2][0]["date"]
        by_item: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        for _, _, (_, readings) in said:
            for name, held in readings.items():
                by_item[name].append(held)
        readings = {name: year_mean(name, values, date) for name, values in by_item.items()}
        _, target = target_of(self._judge.the_registry, section, date)
        verdict = judged(at, date, readings, target, rounding="assessment", set_name=ASSESSED)
        counts = {name: len(values) for name, values in by_item.items()}
        through = said[-1][2][0]["more"]["through"]
        whole = all(
            bool(enough(np.array([counts.get(n, 0)]), np.array([12]), "year", date=date)[0]) for n in verdict["items"]
        )
        say_verdict(
            self._judge, YEAR, at, f"{year:04d}", times.day_start(month_span(year * 12)[0]), verdict,
            received=received, cause="months", grown=self._grown(section, f"{year:04d}", through), results=counts,
            expected=dict.fromkeys(counts, 12), through=through, complete=whole,
        )  # fmt: skip

    def _grown(self, section: str, label: str, through: str) -> bool:
        """Whether a period has more days than when it was last said."""
        before, self._through[section, label] = self._through.get((section, label)), through
        return before is not None and before != through

    # ---- groups

    def _classes(self, group: str, month: int) -> dict[str, dict[str, Any] | None]:
        found: dict[str, dict[str, Any] | None] = {}
        for section in self._judge.sections_of(group):
            at = self._section(section, month)
            if at is not None and at.body != SPRING:
                held = self._month(at, month)
                found[section] = None if held is None else held[0]
        return found

    def _classes_of_day(self, group: str, day: int) -> dict[str, dict[str, Any] | None]:
        found: dict[str, dict[str, Any] | None] = {}
        date = times.date_of(day)
        for section in self._judge.sections_of(group):
            at = self._judge.the_registry.section_at(section, date)
            if at is None or at.body == SPRING:
                continue
            row = self._days.get(section, day)
            readings = valid_means(row, date) if row is not None else {}
            _, target = target_of(self._judge.the_registry, section, date)
            found[section] = (
                judged(at, date, readings, target, rounding="assessment", set_name=ASSESSED) if readings else None
            )
        return found

    def _say_shares(
        self, group: str, label: str, first: int, kind: str, said: dict[str, dict[str, Any] | None], received: int
    ) -> None:
        if not said:
            return
        date = times.date_of(first)
        codes = {name: NO_CLASS if each is None else int(each["class"]) for name, each in said.items()}
        of_all = np.array(list(codes.values()), dtype=np.int8)
        n, good, worse = shares(of_all, date)
        with_target = [each["meets"] for each in said.values() if each is not None and each["meets"] is not None]
        meeting = sum(with_target)
        river = rate_river(of_all, date=date)
        wanted = item_set(ASSESSED, date)
        of_items = [{} if each is None else each["items"] for each in said.values()]
        by_item = np.array([[each.get(name, NO_CLASS) for each in of_items] for name in wanted], dtype=np.int8)
        indicators = river_indicators(wanted, by_item, date) if river is not None else []
        edition = edition_of(None, date)
        message = WaterSections(
            group=group, period=label, time=times.day_start(first), edition=edition, sections=len(said), judged=n,
            good=good, worse=worse, with_target=len(with_target), meeting=meeting,
            good_percent=percent_text(good, n, date), worse_percent=percent_text(worse, n, date),
            meeting_percent=percent_text(meeting, len(with_target), date),
            rating=river.rating if river is not None else None,
            indicators=[(name, round(float(share), 1)) for name, share in indicators],
            classes={name: code if code > 0 else None for name, code in codes.items()},
            ruleset=f"water-{edition}", registry=self._judge.digest, revision="", kind=f"water-sections-{kind}",
        )  # fmt: skip
        digest = digest_of(repr((codes, with_target, indicators, edition)))
        message.revision = digest
        message_key = key(group, "", message.kind, label, edition)
        before = self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)
        self._judge.revise(message_key, before, digest, "classes of sections", received)

    def _say_border(self, group: str, month: int, received: int) -> None:
        """The class where the river leaves against the worst where it enters (water.md §5.5)."""
        first = month_span(month)[0]
        date = times.date_of(first)
        here = [at for s in self._judge.sections_of(group) if (at := self._section(s, month)) is not None]
        inflows = [at for at in here if at.border == "in"]
        for out in (at for at in here if at.border == "out"):
            upstream = [at for at in inflows if out.id in self._judge.below(at.id, date)]
            held_out = self._month(out, month)
            held_in = [(at, held) for at in upstream if (held := self._month(at, month)) is not None]
            if held_out is None or not held_in:
                continue
            at, into = max(held_in, key=lambda pair: (pair[1][0]["class"], pair[0].id))
            self._say_balance(group, month, at, out, into[0], held_out[0], received)

    def _say_balance(
        self, group: str, month: int, inflow: Section, outflow: Section, into: dict[str, Any], out: dict[str, Any],
        received: int,
    ) -> None:  # fmt: skip
        first = month_span(month)[0]
        found = border_law.balance(int(into["class"]), int(out["class"]))
        names = [name for name in into["items"] if name in out["items"]]
        edition = edition_of(None, times.date_of(first))
        message = WaterBorder(
            group=group, inflow=inflow.id, outflow=outflow.id, period=month_label(month), time=times.day_start(first),
            edition=edition, class_in=_or_none(into["class"]), class_out=_or_none(out["class"]), balance=found,
            balance_zh=border_law.WORDS[found],
            items={name: border_law.balance(into["items"][name], out["items"][name]) for name in names},
            values={name: (into["conc"].get(name), out["conc"].get(name)) for name in names},
            ruleset=f"water-{edition}", registry=self._judge.digest, revision="",
        )  # fmt: skip
        digest = digest_of(repr((message.class_in, message.class_out, message.items, message.values)))
        message.revision = digest
        message_key = key(group, f"{inflow.id}>{outflow.id}", BORDER, message.period, edition)
        before = self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)
        self._judge.revise(message_key, before, digest, "months of sections", received)


def month_mean(name: str, days: list[Mean], date: dt.date) -> tuple[int, bool]:
    """Mean of the valid days of an item, exactly; of pH over hydrogen ions, as everywhere."""
    item = items()[name]
    if all(day.below for day in days):
        return max(day.most for day in days), True
    if name in item_set("hydrogen_mean", date):
        return int(mean(item, np.array([[day.num for day in days]], np.int64), date=date)[0]), False
    sums, counts = (np.array([[getattr(day, part) for day in days]], np.int64) for part in ("num", "den"))
    return int(mean_of_means(item, sums, counts, date=date)[0]), False


def year_mean(name: str, values: list[tuple[int, bool]], date: dt.date) -> tuple[int, bool]:
    """Mean of month values of an item; half the detection limit of a month in which nothing was detected."""
    item = items()[name]
    if all(below for _, below in values):
        return max(value for value, _ in values), True
    column = np.array([[value for value, _ in values]], np.int64)
    below = np.array([[each for _, each in values]], np.bool_)
    return int(mean(item, column, below, date=date)[0]), False


def _or_none(code: int) -> int | None:
    return code if code > 0 else None
