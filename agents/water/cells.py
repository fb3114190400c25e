"""Hour cells and the real-time class of sections."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.water.columns import FACTORS, KNOWN
from agents.water.grades import REAL_TIME, SPRING, sample_of, target_of
from agents.water.hours import OK, Day, Hours
from agents.water.when import hour_label
from schemas import blocks, times, topics
from schemas.messages import key
from schemas.messages_water import CELL, HOUR, RESULT_CARRIED, RESULT_NEW, RESULT_NONE, WaterCell, WaterVerdict
from schemas.registry import Section
from standards import fixed
from standards.fixed import MISSING
from standards.water.editions import choose
from standards.water.items import item_set, items
from standards.water.ladders import groundwater, source_limits
from standards.water.section import class_words
from standards.water.targets import Target
from standards.water.verdicts import judge_sample
from streams.state.columns import flag_of
from streams.state.judge import digest_of

if TYPE_CHECKING:
    from agents.water.judge import WaterJudge

LATE, DECIDED = "late or corrected readings", "a decision"


class Cells:
    """Says what hours are."""

    def __init__(self, judge: WaterJudge, hours: Hours) -> None:
        self._judge, self._hours = judge, hours

    def say(self, section: str, end: int, *, changed: bool = True) -> None:
        """Publish the cell of an hour, and its class, unless both were said.

        Args:
            section: whose.
            end: of the hour.
            changed: something was said of the hour itself; else only what is new of it may be another, not its class.
        """
        day = self._hours.day(section, times.day_of(end))
        h = times.hour_index(end)
        if not day.spoken[h] and not any(at == h for at, _ in day.audits):
            return
        at = day.section
        group = at.group if at is not None else ""
        columns = day.columns
        packets = self._hours.packets(section, end)
        reasons = [day.reasons.get((h, c), OK if day.judged[h, c] != MISSING else "missing") for c in columns]
        results = "".join(self._result(day, h, c) for c in columns)
        drawn = [int(day.drawn[h, c]) if day.judged[h, c] != MISSING and FACTORS[c] in KNOWN else None for c in columns]
        checks = self._hours.plausibility(section, day, h)
        content = hashlib.blake2b(digest_size=8)
        content.update(np.stack([day.raw[h, columns], day.meta[h, columns].astype(np.int64)]).tobytes())
        content.update(repr((columns, reasons, results, drawn, checks)).encode())
        content.update(repr(sorted((c, a.id) for (hour, c), a in day.audits.items() if hour == h)).encode())
        revision = content.hexdigest()[:12]
        label = hour_label(end)

        def make() -> WaterCell:
            return WaterCell(
                group=group,
                source=section,
                period=label,
                time=end,
                factors=[FACTORS[c] for c in columns],
                values=[self._hours.value_text(day, h, c) for c in columns],
                flags="".join(flag_of(int(day.meta[h, c])) if day.said[h, c] else blocks.NO_FLAG for c in columns),
                reasons=reasons,
                packets=packets,
                received=self.newest(day, h),
                revision=revision,
                results=results,
                drawn=drawn,
                valid=reasons.count(OK),
                expected=len(columns),
                below=[FACTORS[c] for c in columns if day.below[h, c]],
                checks=checks,
                sent={FACTORS[c]: self._hours.sent_text(day, h, c) for hour, c in day.audits if hour == h},
                ruleset=ruleset(at, day),
                registry=self._judge.digest,
            )

        self._judge.say(topics.CELLS, key(group, section, CELL, label), f"{revision}{digest_of(*packets)}", make)
        if changed and at is not None and day.in_time[h]:
            self._say_class(at, day, h, self.newest(day, h))

    def _result(self, day: Day, h: int, c: int) -> str:
        if day.judged[h, c] == MISSING or FACTORS[c] not in KNOWN:
            return RESULT_NONE
        return RESULT_NEW if day.new[h, c] else RESULT_CARRIED

    def newest(self, day: Day, h: int) -> int:
        """When the newest of what counts of an hour was received, epoch ms."""
        audits = [action.received for (hour, _), action in day.audits.items() if hour == h]
        return max([int(day.received[h].max()), *audits])

    def _say_class(self, section: Section, day: Day, h: int, received: int) -> None:
        """The real-time class: values as sent, the platform's five (of a spring: all that groundwater limits)."""
        readings = {
            FACTORS[c]: (int(day.judged[h, c]), bool(day.below[h, c]))
            for c in np.flatnonzero(day.judged[h] != MISSING).tolist()
            if FACTORS[c] in KNOWN
        }
        _, target = target_of(self._judge.the_registry, section.id, day.date)
        verdict = judged(section, day.date, readings, target, rounding=None, set_name=REAL_TIME)
        say_verdict(
            self._judge, HOUR, section, hour_label(int(day.ends[h])), int(day.ends[h]), verdict,
            received=received,
        )  # fmt: skip


def judged(
    section: Section,
    date: dt.date,
    readings: dict[str, tuple[int, bool]],
    target: Target | None,
    *,
    rounding: str | None,
    set_name: str,
) -> dict[str, Any]:
    """What the law says of a sample, with the concentrations it stands on; a spring's excluded items are left out."""
    excluded = target.excluded if target is not None and section.body == SPRING else frozenset()
    part = taking_part(section, date, target, set_name)
    kept = {name: held for name, held in readings.items() if name not in excluded and name in part}
    found = judge_sample(sample_of(section, date, kept, target), rounding=rounding, item_set_name=set_name)
    if excluded & set(readings):
        # natural background: shown and not judged (water.md §3.1)
        found.setdefault("not_judged", {}).update(dict.fromkeys(sorted(excluded & set(readings)), "本底 background"))
    found["conc"] = {
        name: ("<" if below else "") + fixed.text_of(value, items()[name].places)
        for name, (value, below) in readings.items()
        if value != MISSING and name in part
    }
    found["date"] = date
    found["factors"] = [name for name in FACTORS if name in part and (name in section.factors or name in readings)]
    return found


def taking_part(section: Section, date: dt.date, target: Target | None, wanted: str) -> frozenset[str]:
    """Items that are judged of a section at all: in its class, beside it, or against a limit of its own."""
    if section.body == SPRING:
        return frozenset(groundwater(date).items)
    beside = item_set("separate_lake" if section.body == "lake" else "separate_river", date)
    source = source_limits(date).items if section.drinking_source else ()
    return frozenset((*item_set(wanted, date), *beside, *source, *(target.limits if target is not None else ())))


def ruleset(section: Section | None, day: Day) -> str:
    """Names the editions a day is judged by."""
    return ruleset_of(section, day.date)


def ruleset_of(section: Section | None, date: dt.date) -> str:
    """``water-GB 3838-2002``."""
    return f"water-{edition_of(section, date)}"


def edition_of(section: Section | None, date: dt.date) -> str:
    """Edition of the limits a section is judged by on a date."""
    spring = section is not None and section.body == SPRING
    return choose("water_groundwater" if spring else "water_surface", date).name


def say_verdict(
    judge: WaterJudge,
    kind: str,
    section: Section,
    period: str,
    time: int,
    said: dict[str, Any],
    *,
    received: int,
    cause: str = LATE,
    grown: bool = False,
    **more: Any,
) -> None:
    """Publish a class unless it was said; when it replaces another, the revision too.

    Args:
        judge: who says it.
        kind: water-hour, water-day, water-month, water-year.
        section: whose.
        period: its label.
        time: end of the hour, or 00:00 of the first day.
        said: of :func:`judged`.
        received: when the newest of what it rests on was received, epoch ms.
        cause: why it may differ from what was said before.
        grown: it has a day more than before, which revises nothing.
        more: further fields of the message.
    """
    edition = edition_of(section, said["date"])
    content = {name: value for name, value in said.items() if name != "date"}
    digest = digest_of(repr(sorted(content.items())), repr(sorted(more.items())), edition)
    message_key = key(section.group, section.id, kind, period, edition)

    def make() -> WaterVerdict:
        found = said["class"]
        words = class_words(said["date"]).get(found) if section.body != SPRING else None
        return WaterVerdict(
            kind=kind,
            group=section.group,
            section=section.id,
            period=period,
            time=time,
            edition=edition,
            body=section.body,
            class_=found if found > 0 else None,
            roman=said.get("roman") or (words.roman if words else ("ⅠⅡⅢⅣⅤ"[found - 1] if found > 0 else None)),
            rating=said["rating"],
            colour=said.get("colour"),
            conc=said["conc"],
            items={name: each for name, each in said["items"].items() if each > 0},
            deciding=said.get("deciding", []),
            main=[(name, each, multiple) for name, each, multiple in said["main"]],
            main_text=said.get("main_text", ""),
            target=more_target(judge, section, said["date"]),
            meets=said["meets"],
            over_target=said["over_target"],
            valid=found > 0,
            ruleset=f"water-{edition}",
            registry=judge.digest,
            revision=digest,
            beside=said.get("separate", {}),
            source_over=said.get("source_over", said.get("over_3", {}) if section.drinking_source else {}),
            not_judged=said.get("not_judged", {}),
            factors=list(dict.fromkeys((*said["factors"], *said["conc"]))),
            **more,
        )

    before = judge.say(topics.VERDICTS, message_key, digest, make)
    if not grown:
        judge.revise(message_key, before, digest, cause, received)


def more_target(judge: WaterJudge, section: Section, date: dt.date) -> int | None:
    """The class a section owes on a date."""
    owed = judge.the_registry.target(section.id, date)
    return None if owed is None else owed.target_class
