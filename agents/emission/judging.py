"""The judgement of hours: every limit at once, marks and budgets, the ledger, the cell and verdict of each hour."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from agents.emission.cells import CHECKS, REASONS, STANDSTILL, Hour
from agents.emission.ledger import BACKFILLED, BINDING_BIT, CAME, CAPPED, MAINTAINED, NOTHING, STANDS, Day
from agents.emission.plan import Bound
from agents.emission.when import hour_label
from schemas import times, topics
from schemas.messages import key
from schemas.messages_emission import EmissionCell, Judged, OutletHour
from standards.emission import alerts, gas, marks
from standards.emission import hours as law
from standards.emission.exact import from_numbers, text
from standards.emission.limits import BINDING, KINDS
from standards.emission.rules import constant_of
from standards.fixed import MISSING
from streams.state.judge import digest_of

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

RULESET: Final = "emission-2022"
LATE: Final = "late or corrected readings"
_PRECEDENCE: Final = (law.NOT_APPLICABLE, law.UNUSABLE, law.EXCEED, law.EXEMPT, law.OK, law.NO_LIMIT)
_LINE: Final = (law.EXCEED, law.EXEMPT, law.OK, law.NO_LIMIT, law.UNUSABLE, law.NOT_APPLICABLE)
"""Of several factors the verdict of the hour: the first that one of them has."""
LITRES_OF: Final = {"m3/s": 3_600_000, "L/s": 3_600}
"""Litres that a mean flow of one unit carries in an hour."""
_DAY_ONLY: Final = ("pH",)
"""Factors whose hours are looked at against limits on days: an hour outside warns (emission.md §4.3)."""


@dataclass(eq=False)
class _Entry:
    """One factor of one hour against one limit."""

    hour: int
    factor: int
    bound: Bound
    most: Fraction | None
    warns: bool = False  # a limit on days: it gives a grade and no verdict


class Judging:
    """Judges derived hours and writes them into the ledger."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge

    def judge(self, hours: list[Hour], causes: dict[tuple[str, int], tuple[str, int]]) -> set[tuple[str, int]]:
        """Publish what hours come to; those of outlets whose ledger changed.

        Args:
            hours: derived.
            causes: why an hour may differ from what was said, and when that was received (epoch ms); else its readings.
        """
        for hour in hours:
            self._say_cell(hour)
        outlets = [hour for hour in hours if hour.plan.outlet is not None]
        if not outlets:
            return set()
        entries = self._entries(outlets)
        verdicts = self._against(outlets, entries)
        changed: set[tuple[str, int]] = set()
        rows: dict[tuple[str, int], Day] = {}
        for n, hour in enumerate(outlets):
            day = times.day_of(hour.end)
            row = rows.get((hour.source, day))
            if row is None:
                names = tuple(c.name for c in hour.plan.channels)
                row = rows[hour.source, day] = self._judge.ledger.make(hour.source, day, names)
            capped = bool(row.state[times.hour_index(hour.end)] & CAPPED)
            self._write(row, hour, verdicts[n])
            if capped != bool(row.state[times.hour_index(hour.end)] & CAPPED):
                self._judge.budget_changed(hour.source, times.date_of(day).year)
        self._amounts(outlets, rows)
        for n, hour in enumerate(outlets):
            row = rows[hour.source, times.day_of(hour.end)]
            cause, at_ms = causes.get((hour.source, hour.end), (LATE, hour.received))
            self._exempt(row, hour)
            self._say_hour(row, hour, verdicts[n], cause, at_ms)
            self._judge.ledger.touch(hour.source, times.day_of(hour.end))
            changed.add((hour.source, hour.end))
        return changed

    # ---- limits

    def bounds(self, hour: Hour, factor: str, averaging: str = "hour") -> list[Bound]:
        """Limits of a factor in an hour, orders included."""
        found = [b for b in hour.plan.bounds.get(factor, ()) if b.averaging == averaging]
        orders = self._judge.marks.orders(hour.plan, hour.end).get(factor, ())
        return found + [b for b in orders if b.averaging == averaging]

    def _entries(self, hours: list[Hour]) -> list[_Entry]:
        entries = []
        cold_at = constant_of("cold_water_at_most")
        for n, hour in enumerate(hours):
            water = hour.value_of("T") if hour.plan.medium == "water" else None
            for f, channel in enumerate(hour.plan.channels):
                for bound in self.bounds(hour, channel.name):
                    cold = bound.cold is not None and water is not None and water <= cold_at
                    entries.append(_Entry(n, f, bound, bound.cold if cold else bound.most))
                if channel.name in _DAY_ONLY:
                    days = self.bounds(hour, channel.name, "day")
                    entries += [_Entry(n, f, bound, bound.most, warns=True) for bound in days]
        return entries

    def _against(self, hours: list[Hour], entries: list[_Entry]) -> list[_Verdicts]:
        """Codes of every entry before exemption, and the grades of the binding ones."""
        found = [_Verdicts({}, {}) for _ in hours]
        if not entries:
            return found
        values = from_numbers([hours[e.hour].value[e.factor] for e in entries])
        reason = np.array([min(hours[e.hour].reason[e.factor], len(law.REASONS) - 1) for e in entries], np.uint8)
        nothing = np.zeros(len(entries), np.uint8)
        measured = law.Measured(values, reason, nothing, nothing.astype(np.bool_))
        most, least = from_numbers([e.most for e in entries]), from_numbers([e.bound.least for e in entries])
        codes = law.judge(measured, most, least=least)
        grades = alerts.grades(measured, most, least=least)
        for entry, code, grade in zip(entries, codes.tolist(), grades.tolist(), strict=True):
            kind = entry.bound.kind
            if entry.warns:
                found[entry.hour].grades[entry.factor] = max(grade, found[entry.hour].grades.get(entry.factor, 0))
                continue
            said = found[entry.hour].kinds.setdefault(entry.factor, {})
            if _PRECEDENCE.index(code) <= _PRECEDENCE.index(said.get(kind, (law.NO_LIMIT, None))[0]):
                said[kind] = (code, entry)
            if kind in BINDING:
                grades_of = found[entry.hour].grades
                grades_of[entry.factor] = max(grade, grades_of.get(entry.factor, 0))
        return found

    # ---- the ledger

    def _write(self, row: Day, hour: Hour, verdicts: _Verdicts) -> None:
        h, count = times.hour_index(hour.end), len(hour.plan.channels)
        said = hour.came or bool(hour.packets)
        reason = np.array(hour.reason[:count], np.uint8)
        row.reason[h] = reason
        if not said:
            row.reason[h][reason == REASONS.index("missing")] = NOTHING
        row.checks[h] = hour.checks[:count]
        counts = np.minimum(np.array(hour.minutes, np.int64).reshape(count, 3), 60).astype(np.uint8)
        row.normal[h], row.abnormal[h], row.still[h] = counts.T if count else (0, 0, 0)
        if hour.means is not None:
            row.means[h] = hour.means
        else:
            row.means.pop(h, None)
        row.marks[h] = hour.marked
        row.grade[h] = row.over[h] = row.has[h] = 0
        for f, grade in verdicts.grades.items():
            row.grade[h, f] = grade
        for f, kinds in verdicts.kinds.items():
            over = has = 0
            for kind, (code, _) in kinds.items():
                bit = 1 << KINDS.index(kind)
                bits = bit | (BINDING_BIT if kind in BINDING else 0)
                has |= bits
                over |= bits if code == law.EXCEED else 0
            row.over[h, f], row.has[h, f] = over, has
        state = (CAME if hour.came else 0) | (BACKFILLED if hour.backfilled else 0)
        state |= MAINTAINED if self._judge.marks.maintained(hour.plan, hour.end) else 0
        state |= STANDS if count and all(r == STANDSTILL for r in hour.reason[:count]) else 0
        state |= CAPPED if self._capped(hour) else 0
        row.state[h] = state

    def _capped(self, hour: Hour) -> bool:
        """Whether a marked hour is above the concentration that marked hours may have at all (PM of incineration)."""
        plan = hour.plan
        if plan.plant is None or not hour.marked:
            return False
        for f, channel in enumerate(plan.channels):
            cap = marks.cap_of(plan.plant, channel.name)
            value = hour.value[f]
            if cap is not None and value is not None and value > Fraction(cap.number("limit")):
                return True
        return False

    def _amounts(self, hours: list[Hour], rows: dict[tuple[str, int], Day]) -> None:
        """What each hour emitted: µg of pollutants (F9, F13), litres of the flow; 0 at a standstill."""
        at: list[tuple[Day, int, int]] = []
        concentration: list[Fraction | None] = []
        flow: list[Fraction | None] = []
        for hour in hours:
            row, h = rows[hour.source, times.day_of(hour.end)], times.hour_index(hour.end)
            row.amount[h] = MISSING
            own = hour.measured_of("flow")
            unit = next((c.unit for c in hour.plan.channels if c.name == "flow"), "")
            for f, channel in enumerate(hour.plan.channels):
                if channel.name == "flow" or channel.amount:
                    if hour.reason[f] == STANDSTILL:
                        row.amount[h, f] = 0
                    elif channel.name == "flow":
                        if own is not None and own >= 0:
                            row.amount[h, f] = min(round(own * LITRES_OF.get(unit, 0)), 10**15)
                    elif own is not None and hour.measured[f] is not None:
                        at.append((row, h, f))
                        concentration.append(hour.measured[f])
                        flow.append(own)
        if at:  # mg/m³ times m³/s and mg/L times L/s are mg/s alike
            found = gas.mass_ug(from_numbers(concentration), from_numbers(flow)).tolist()
            for (row, h, f), amount in zip(at, found, strict=True):
                row.amount[h, f] = amount

    # ---- exemption

    def _exempt(self, row: Day, hour: Hour) -> None:
        h = times.hour_index(hour.end)
        row.exempt[h] = 0
        if hour.marked:
            for f, channel in enumerate(hour.plan.channels):
                row.exempt[h, f] = self._judge.marks.exempt(hour.plan, hour.end, channel.name)

    # ---- saying

    def _say_cell(self, hour: Hour) -> None:
        if not hour.came and not hour.packets and not any(p >= 0 for p in hour.possible):
            return
        plan, registry = hour.plan, self._judge.registry
        assert registry is not None
        extra = hour.extra
        content = [
            *hour.sent, *hour.sent_zs, *hour.sent_amount, *hour.units, hour.flags, *map(str, hour.reason),
            *map(str, hour.checks), *map(str, hour.possible), "".join(hour.origin), str(hour.backfilled), str(extra),
        ]  # fmt: skip
        revision = digest_of(*content)
        digest = digest_of(revision, hour.received, *hour.packets)
        label = hour_label(hour.end)

        def make() -> EmissionCell:
            more = len(extra)
            meters = len(plan.factors) - len(plan.channels)
            return EmissionCell(
                group=plan.group,
                enterprise=plan.enterprise,
                source=hour.source,
                period=label,
                time=hour.end,
                medium=plan.medium,
                factors=[*plan.factors, *(name for name, _, _, _ in extra)],
                values=[*hour.sent, *(value for _, value, _, _ in extra)],
                units=[*hour.units, *(unit for _, _, _, unit in extra)],
                zs=hour.sent_zs + [None] * more,
                amounts=hour.sent_amount + [None] * more,
                flags=hour.flags + "".join(flag for _, _, flag, _ in extra),
                origins="".join(hour.origin) + "L" * more,
                reasons=[REASONS[code] or "ok" for code in hour.reason] + ["unregistered"] * more,
                minutes=hour.possible[: len(plan.channels)] + [-1] * (meters + more),
                checks=[[name for n, name in enumerate(CHECKS) if bits >> n & 1] for bits in hour.checks] + [[]] * more,
                packets=hour.packets,
                parts=hour.parts,
                backfilled=hour.backfilled,
                received=hour.received,
                ruleset=RULESET,
                registry=registry.digest,
                revision=revision,
            )

        self._judge.say(topics.CELLS, key(plan.group, hour.source, "hour", label), digest, make)

    def _say_hour(self, row: Day, hour: Hour, verdicts: _Verdicts, cause: str, at_ms: int) -> None:
        h, plan = times.hour_index(hour.end), hour.plan
        if not plan.bounds and not self._judge.marks.orders(plan, hour.end):
            return
        before = row.said.get(str(h))
        if before is None and not hour.came and not hour.packets:
            return
        exempt = [c.name for f, c in enumerate(plan.channels) if row.exempt[h, f]]
        items = {
            channel.name: self._item(hour, f, verdicts, bool(row.exempt[h, f]))
            for f, channel in enumerate(plan.channels)
            if f in verdicts.kinds or channel.name in plan.bounds
        }
        codes = {law.VERDICTS.index(item.verdict) for item in items.values()}
        line = next((code for code in _LINE if code in codes), law.NO_LIMIT)
        names = self._judge.marks.names_of(plan, hour.end)
        state = int(row.state[h])
        registry = self._judge.registry
        assert registry is not None
        label = hour_label(hour.end)
        message = OutletHour(
            group=plan.group, enterprise=plan.enterprise, outlet=hour.source, period=label, time=hour.end,
            verdict=law.VERDICTS[line], items=items, marks=names, exempt=exempt, backfilled=bool(state & BACKFILLED),
            maintained=bool(state & MAINTAINED), received=0, ruleset=RULESET, registry="", revision="",
        )  # fmt: skip
        digest = digest_of(repr(message))
        if digest == before:
            return
        message.received, message.registry, message.revision = max(hour.received, 0), registry.digest, digest
        row.said[str(h)] = digest
        message_key = key(plan.group, hour.source, message.kind, label)
        self._judge.publish(topics.VERDICTS, message_key, message)
        self._judge.revise(message_key, before, digest, cause, at_ms)

    def _item(self, hour: Hour, f: int, verdicts: _Verdicts, exempt: bool) -> Judged:
        kinds = verdicts.kinds.get(f, {})
        codes = {kind: law.EXEMPT if code == law.EXCEED and exempt else code for kind, (code, _) in kinds.items()}
        reason = hour.reason[f]
        binding = [code for kind, code in codes.items() if kind in BINDING]
        if binding:
            code = next(code for code in _PRECEDENCE if code in binding)
        elif reason:
            code = law.NOT_APPLICABLE if reason == STANDSTILL else law.UNUSABLE
        else:
            code = law.NO_LIMIT
        entries = [entry for kind, (_, entry) in kinds.items() if kind in BINDING and entry is not None]
        decisive = min(entries, key=_tightness) if entries else None
        value = hour.value[f]
        places = decisive.bound.places + 1 if decisive is not None else 4
        limit = None if decisive is None else decisive.most if decisive.most is not None else decisive.bound.least
        ratio = None if value is None or not limit else value / limit
        return Judged(
            verdict=law.VERDICTS[code],
            value=text(value, places),
            limit=decisive.bound.text if decisive is not None else None,
            ratio=text(ratio, 3),
            origin=hour.source_of[f],
            reason=REASONS[reason],
            limits={kind: law.VERDICTS[code] for kind, code in sorted(codes.items())},
            numbers={kind: e.bound.text for kind, (_, e) in sorted(kinds.items()) if e is not None},
            level=alerts.GRADES[verdicts.grades.get(f, 0)],
        )


@dataclass(eq=False)
class _Verdicts:
    """Of an hour: per channel and kind of limit the code and the entry it is of; per channel the grade."""

    kinds: dict[int, dict[str, tuple[int, _Entry | None]]]
    grades: dict[int, int]


def _tightness(entry: _Entry) -> tuple[Fraction, int]:
    return (entry.most if entry.most is not None else Fraction(10**12), KINDS.index(entry.bound.kind))
