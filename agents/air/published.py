"""Our verdict of a day beside the one the province published, and why they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.air.cells import FACTOR_INDEX, FACTORS, Cells
from agents.air.days import Days
from schemas import blocks, times, topics
from schemas.actions import NA, NOT_IN_PLAN, names
from schemas.messages import AirDifference, encode, key
from standards import air as law
from standards import fixed
from streams.state.judge import digest_of

if TYPE_CHECKING:
    from agents.air.judge import AirJudge

NONE, DUST, ROUNDING, MISSING_HOURS, AUDIT = "none", "dust", "rounding", "missing", "audit"
UNEXPLAINED, WITHDRAWN = "unexplained", "withdrawn"


_NO_VALUE = (None, "", NA, NOT_IN_PLAN)


class Published:
    """Compares days the province published with ours, again whenever either changes."""

    def __init__(self, judge: AirJudge, cells: Cells, days: Days) -> None:
        self._judge, self._cells, self._days = judge, cells, days
        self._changed: set[tuple[str, int]] = set()

    def told(self, action: blocks.Action) -> None:
        """The province published a day, or took it back."""
        self._changed.add((action.subject, times.day_of(action.end)))

    def day_changed(self, area: str, day: int) -> None:
        """A closed day of ours is new or another."""
        if self._judge.decisions("published"):
            self._changed.add((area, day))

    def derive(self) -> None:
        """Compare again what has changed."""
        changed, self._changed = self._changed, set()
        for area, day in sorted(changed):
            ours = self._days.get(area, day)
            for dust in ("keep", "deduct"):
                action = self._of(area, day, dust)
                if ours is None:
                    continue
                if action is None:
                    self._withdraw(area, day, dust, ours)
                    continue
                if dust == "deduct" and self._judge.areas.dust(area, day)[1]:
                    self._compare(area, day, action, law.without_dust(ours, np.array([True])), dust)
                else:
                    self._compare(area, day, action, ours, dust)

    def _withdraw(self, area: str, day: int, dust: str, ours: law.DayVerdicts) -> None:
        """What the province published was taken back: nothing is compared any more, and the message says so."""
        told = any(
            action.subject == area and times.day_of(action.end) == day and action.data.get("dust", "keep") == dust
            for action in self._judge.ever_decided("published")
        )
        if told:
            self._say(area, day, dust, ours, causes=[WITHDRAWN])

    def _of(self, area: str, day: int, dust: str) -> blocks.Action | None:
        held: blocks.Action | None = None
        for about, action in self._judge.decisions("published"):
            of_it = about.subject == area and times.day_of(about.end) == day
            of_it = of_it and action.data.get("dust", "keep") == dust
            if of_it and (held is None or (action.received, action.id) > (held.received, held.id)):
                held = action
        return held

    def _compare(self, area: str, day: int, action: blocks.Action, ours: law.DayVerdicts, dust: str) -> None:
        theirs = _number(action.data.get("aqi", "NA"))
        words = action.data.get("primary")
        primary = None if words is None else [w for w in names(words) if w != NA]
        factors = {
            f: (fixed.text_of(int(ours.rounded[0, i])) or None, action.data.get(f))
            for f, i in FACTOR_INDEX.items()
            if f in action.data
        }
        hours, registered, _ = self._judge.areas.hours_of(area, day, day)
        missing = int((hours == fixed.MISSING).any(axis=3)[registered].sum()) if registered.any() else 24
        causes = self._causes(area, day, theirs, primary, factors, ours, missing)
        self._say(
            area, day, dust, ours, theirs, primary, causes=causes, factors=factors, missing=missing, by=action.by
        )  # fmt: skip

    def _say(
        self,
        area: str,
        day: int,
        dust: str,
        ours: law.DayVerdicts,
        theirs: int | None = None,
        primary: list[str] | None = None,
        *,
        causes: list[str],
        factors: dict[str, tuple[str | None, str | None]] | None = None,
        missing: int = 0,
        by: str = "",
    ) -> None:
        registry = self._judge.registry
        assert registry is not None
        aqi, our_primary = _said(ours)
        date, edition = times.date_of(day), str(ours.edition[0])
        message = AirDifference(
            group=registry.area(area).group, area=area, period=date.isoformat(), time=times.day_start(day),
            edition=edition, dust=dust, aqi=aqi, published_aqi=theirs, primary=our_primary, published_primary=primary,
            causes=causes, factors=factors or {}, hours_missing=missing, by=by, ruleset=f"air-{edition}",
            registry="", revision="",
        )  # fmt: skip
        digest = digest_of(encode(message).hex())
        message.revision, message.registry = digest, registry.digest
        message_key = key(message.group, area, "air-difference", message.period, edition, dust)
        self._judge.say(topics.VERDICTS, message_key, digest, lambda: message)

    def _causes(
        self,
        area: str,
        day: int,
        theirs: int | None,
        primary: list[str] | None,
        factors: dict[str, tuple[str | None, str | None]],
        ours: law.DayVerdicts,
        missing: int,
    ) -> list[str]:
        """Whatever would by itself give what they published; else what is known to differ."""

        def gives(days: law.DayVerdicts) -> bool:
            aqi, first = _said(days)
            return aqi == theirs and (primary is None or sorted(first) == sorted(primary))

        if gives(ours) and all(_same(*pair) for pair in factors.values()):
            return [NONE]
        causes = []
        if not gives(ours):
            if gives(law.without_dust(ours, np.array([True]))):
                causes.append(DUST)
            hours, registered, _ = self._judge.areas.hours_of(area, day, day)
            plan, clean = self._judge.areas.plan(area, day)
            rounding = law.Switches(round_station_daily=True, unmonitored_clean=clean)
            said = law.judge_days(
                hours, dates=[times.date_of(day)], registered=registered, plan_not_monitored=plan, switches=rounding
            )
            if gives(said):
                causes.append(ROUNDING)
        if causes:
            return causes
        if missing:
            causes.append(MISSING_HOURS)
        if any(not _same(*pair) for pair in factors.values()):
            causes.append(AUDIT)
        return causes or [UNEXPLAINED]


def _said(days: law.DayVerdicts) -> tuple[int | None, list[str]]:
    aqi = int(days.aqi[0])
    return None if aqi < 0 else aqi, [f for f, first in zip(FACTORS, days.primary[0].tolist(), strict=True) if first]


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _same(ours: str | None, theirs: str | None) -> bool:
    """Whether two concentrations are the same number, as far as theirs has decimals."""
    if ours is None or theirs in _NO_VALUE:
        return ours is None and theirs in _NO_VALUE
    assert theirs is not None
    return fixed.parse(ours) == fixed.parse(theirs, excess="sticky")
