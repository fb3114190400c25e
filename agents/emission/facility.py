"""Supervision of treatment facilities (R1 … R25): feeds the law of ``standards.facility``, publishes what it suspects.

An outlet is reviewed three minutes after each hour in which anything was heard of it, its meters or its neighbours, or
a quality check came (:mod:`agents.emission.records`), from the first minute that changed: checks of minutes as far back
as those are kept, checks of hours sixty days. The record of suspicions is a row of the state; what differs in it is a
condition ``suspect``, begun, raised or ended. A suspicion that a backfill completed is kept and raises no alarm.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from agents.emission.judging import RULESET
from agents.emission.ledger import BACKFILLED, BINDING_BIT, HOURS, STANDS
from agents.emission.plan import ZS, Plan, strictest
from agents.emission.readings import flag_of, has_value, ratio_of, uses_of
from agents.emission.records import Records
from agents.emission.store import Place, Store
from agents.emission.when import MINUTE_DAYS, instant_of, minute_of
from agents.values import scaled
from schemas import blocks, times
from schemas.hj212_codes import GAS
from schemas.messages import BEGAN, CONTINUES, ENDED, Condition
from schemas.registry import Meter
from standards.emission import flags, marks
from standards.facility.engine import Review, Suspicion, needed, review, stitch
from standards.facility.inputs import DAY, HOUR, Events, Plant, Series, Track
from standards.facility.table import Settings, settings
from standards.fixed import MISSING
from streams.state.columns import NO_VALUE
from streams.state.shelf import Shelf
from streams.state.slots import Codes, Ints

if TYPE_CHECKING:
    from agents.emission.judge import EmissionJudge

log = logging.getLogger("envstream.emission")

STATE_VERSION: Final = 1
SUSPECT: Final = "suspect"
REVIEW_AFTER_S: Final = 180
"""Hour packets come within some minutes after their hour (emission.md §1.7)."""
PLACES: Final = 4
"""Decimals of a track; what instruments show has fewer."""
_PUMPS: Final = "circulation_pump_current"
_KEPT_MIN: Final = 40 * DAY
_LEAST, _MOST = "-Min", "-Max"
_ALIKE: Final = "R14"
"""The check that looks at other outlets."""
Bools = npt.NDArray[np.bool_]


class _Record(msgspec.Struct, array_like=True):
    """What is known of an outlet: reviewed up to a minute, the first minute that changed since, suspicions."""

    v: int
    until: int
    since: int
    suspicions: list[Suspicion]


def _decode(row: bytes) -> _Record:
    found = msgspec.msgpack.decode(row, type=_Record)
    if found.v != STATE_VERSION:
        raise ValueError(f"a record of suspicions of format {found.v}, this program reads {STATE_VERSION}")
    return found


@dataclass(eq=False)
class _Part:
    """An hour of minutes or a day of hours of a source: counts and decimals by column, and what flags say."""

    counts: dict[str, Ints]
    decimals: dict[str, int]
    standstill: Bools
    calibrating: Bools


class Facility:
    """Reviews outlets."""

    def __init__(self, judge: EmissionJudge) -> None:
        self._judge = judge
        self.told: Callable[[str, Review], None] | None = None
        """Who is shown every review of an outlet: to count what was asked, never to judge."""
        self._rows: Shelf[_Record] = judge.keep(Shelf("f", _decode, msgspec.msgpack.encode))
        self._settings: dict[int, tuple[Plan, Settings]] = {}
        self._parts: dict[tuple[str, str, int], _Part] = {}
        self._outlets_of: dict[str, tuple[str, ...]] = {}
        self._records = Records(judge)
        self._beside: dict[str, tuple[str, ...]] = {}  # outlets of the same enterprise
        self._theirs: dict[tuple[str, int], Series] = {}  # hours of neighbours, while a round of reviews goes on
        self._lacking: set[tuple[str, str, str, str]] = set()

    def on_registry(self) -> None:
        """Meters, limits and settings may be others."""
        registry = self._judge.registry
        assert registry is not None
        found: dict[str, dict[str, None]] = {}
        for meter in registry.meters:
            found.setdefault(meter.source, {})[meter.outlet] = None
        for outlet in registry.outlets:
            found.setdefault(outlet.id, {})[outlet.id] = None
        self._outlets_of = {source: tuple(outlets) for source, outlets in found.items()}
        whose: dict[str, dict[str, None]] = {}
        for outlet in registry.outlets:
            whose.setdefault(outlet.enterprise, {})[outlet.id] = None
        beside: dict[str, dict[str, None]] = {}
        for ids in whose.values():
            for each in ids:
                beside.setdefault(each, {}).update((other, None) for other in ids if other != each)
        self._beside = {outlet: tuple(others) for outlet, others in beside.items()}
        self._settings, self._parts = {}, {}

    def heard(self, source: str, begin_s: int, store: Store, number: int) -> None:
        """Something was said of a source's slot that begins then; what was read of its row no longer holds."""
        self._parts.pop((store.prefix, source, number), None)
        self.changed(source, begin_s, hour=store is self._judge.hours)

    def changed(self, source: str, begin_s: int, *, hour: bool = True) -> None:
        """A slot of a source, or the marks of it, are other ones; an hour's matter to its neighbours too."""
        minute = minute_of(begin_s)
        for outlet in self._outlets_of.get(source, ()):
            if self._rows.get(outlet) is None:
                self._rows.put(outlet, _Record(STATE_VERSION, minute, minute, []))
            self._since(outlet, minute)
            for other in self._beside.get(outlet, ()) if hour else ():
                self._since(other, minute)

    def decided(self, action: blocks.Action) -> None:
        """A quality check was recorded or withdrawn: what rests on it is asked again from its begin on."""
        self._records.decided()
        self._since(action.subject, minute_of(action.begin))

    def _since(self, outlet: str, minute: int) -> None:
        """Review an outlet from a minute on, if it was heard of at all."""
        row = self._rows.get(outlet)
        if row is not None:
            since = min(minute, row.until) if row.since < 0 else min(minute, row.since)
            if since != row.since:
                row.since = since
                self._rows.touch(outlet)

    # ---- reviewing

    def review(self, now_s: int) -> None:
        """Review whatever changed, up to an instant on a full hour."""
        for outlet in self._rows.names():
            row = self._rows.get(outlet)
            assert row is not None
            waits = any(each.end is None for each in row.suspicions) and minute_of(now_s) - row.until < DAY
            if row.since >= 0 or waits:
                self._review(outlet, row, now_s)
        self._theirs = {}

    def _review(self, outlet: str, row: _Record, now_s: int) -> None:
        end = minute_of(now_s)
        plan = self._judge.plans.at(outlet, times.day_of(now_s))
        start = min(end, max(row.since if row.since >= 0 else row.until, end - 60 * DAY))
        row.until, row.since = end, -1
        self._rows.touch(outlet)
        if plan.outlet is None or start >= end:
            return
        date = times.date_of(times.day_of(now_s))
        asked = self._asked(plan, date)
        from_minutes, from_hours = needed(asked, start)
        minutes = self._minutes(plan, max(from_minutes, end - 4 * DAY) // HOUR * HOUR, end)
        hours = self._hours(plan, from_hours // DAY * DAY, end)
        events = Events(
            drifts=self._records.drifts(plan, from_hours), manuals=self._records.manuals(plan, from_hours),
            marks=self._marks(plan, from_hours, end), neighbours=self._neighbours(plan, asked, date, start, end),
        )  # fmt: skip
        off = {check.name for check in asked.checks if not check.enabled}
        record = [s for s in row.suspicions if s.end is not None or _goes_on(s, off, events)]
        for part, begin in _parts_of(asked, start, end):
            found = review(minutes, hours, part, begin, end, events)
            record = stitch(record, found)
            self._say_lacking(plan, found)
            if self.told is not None:
                self.told(outlet, found)
        after = [s for s in record if s.end is None or s.end > end - _KEPT_MIN]
        self._publish(plan, row.suspicions, after, end)
        row.suspicions = after

    def _say_lacking(self, plan: Plan, found: Review) -> None:
        """A check that lacks its series or its history says so in the worker's log, once for each thing it lacks.

        It is no message: what lacks now may have come when the same log is judged in another order.
        """
        for each in found.inapplicable:
            lack = (plan.source, each.check, each.subject, each.code)
            if lack not in self._lacking:
                self._lacking.add(lack)
                about = f" {each.subject}" if each.subject else ""
                log.info("outlet %s: %s%s is not asked: %s", plan.source, each.check, about, each.reason_en)

    def _asked(self, plan: Plan, date: dt.date) -> Settings:
        held = self._settings.get(id(plan))
        if held is None or held[0] is not plan:
            assert plan.outlet is not None
            limits = {name: b.most for name, rows in plan.bounds.items() if (b := strictest(rows, "hour")) and b.most}
            plant = Plant(
                process=plan.outlet.process,
                medium=plan.medium,
                normal_flow=Fraction(plan.outlet.normal_flow) if plan.outlet.normal_flow else None,
                limits=limits,
                ranges={name: Fraction(text) for name, text in plan.outlet.ranges.items()},
                detection={name: Fraction(text) for name, text in plan.outlet.detection.items()},
            )
            held = self._settings[id(plan)] = plan, settings(plant, plan.outlet.rules, date)
        return held[1]

    def _neighbours(self, plan: Plan, asked: Settings, date: dt.date, start: int, end: int) -> dict[str, Series]:
        """Hours of the other stacks of the enterprise, but of those that share a duct: R14 is off at one of the two."""
        check = asked.check(_ALIKE)
        if plan.medium != GAS or not check.enabled:
            return {}
        begin = (start - check.settle_min - check.hours_back) // DAY * DAY
        found = {}
        for other in self._beside.get(plan.source, ()):
            theirs = self._judge.plans.at(other, times.day_number(date))
            if theirs.outlet is None or (theirs.enterprise, theirs.medium) != (plan.enterprise, plan.medium):
                continue
            if self._asked(theirs, date).check(_ALIKE).enabled:
                if (other, begin) not in self._theirs:
                    self._theirs[other, begin] = self._hours(theirs, begin, end)
                found[other] = self._theirs[other, begin]
        return found

    def _marks(self, plan: Plan, begin: int, end: int) -> tuple[int, ...]:
        found = [minute_of(action.begin) for action in self._judge.marks.of("mark", plan.source)]
        return tuple(sorted(minute for minute in found if begin <= minute < end))

    # ---- series

    def _minutes(self, plan: Plan, begin: int, end: int) -> Series:
        """Instants of every minute, or means where a source sends none; and what marks and flags say."""
        self._judge.flush()
        count = end - begin
        tracks: dict[str, list[Track]] = {}
        still, calibrating = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        for source, wanted in self._wanted(plan):
            parts = self._over(source, begin, end, self._judge.instants, 1)
            cadence = 1
            if not parts:
                length = self._judge.plans.at(source, times.day_of(instant_of(end))).minutes
                parts, cadence = self._over(source, begin, end, self._judge.means, length), length
            for at, part in parts:
                if source == plan.source:
                    still[at : at + HOUR] |= part.standstill
                    calibrating[at : at + HOUR] |= part.calibrating
            for column, (name, meter) in wanted.items():
                track = _track(parts, column, count, HOUR, cadence, meter)
                if track is not None:
                    tracks.setdefault(name, []).append(track)
        states = self._states(plan, begin, end, 1)
        still |= states["standstill"]
        return Series(
            begin, _named(tracks), 1, standstill=still, condition=states["condition"], excused=states["excused"],
            device=states["device"], calibrating=calibrating,
        )  # fmt: skip

    def _hours(self, plan: Plan, begin: int, end: int) -> Series:
        """Hour packets, and what the ledger says of their hours."""
        days = -(-(end - begin) // DAY)
        count = days * HOURS
        tracks: dict[str, list[Track]] = {}
        for source, wanted in self._wanted(plan):
            parts = self._over(source, begin, begin + days * DAY, self._judge.hours, 1)
            for column, (name, meter) in wanted.items():
                for suffix in ("", _LEAST, _MOST) if name == "production" else ("",):
                    track = _track(parts, column + suffix, count, HOURS, 1, meter)
                    if track is not None:
                        tracks.setdefault(name + suffix, []).append(track)
        states = {
            name: np.zeros(count, np.bool_) for name in ("standstill", "condition", "device", "backfilled", "over")
        }
        condition, device = (marks.bits_of(kind) for kind in ("condition", "device"))
        first = times.day_of(instant_of(begin) + 1)
        for n in range(days):
            row = self._judge.ledger.get(plan.source, first + n)
            if row is not None:
                part = slice(n * HOURS, (n + 1) * HOURS)
                states["standstill"][part] = row.bit(STANDS)
                states["backfilled"][part] = row.bit(BACKFILLED)
                states["condition"][part] = row.marks & condition != 0
                states["device"][part] = row.marks & device != 0
                states["over"][part] = (row.over & BINDING_BIT != 0).any(axis=1)
        kept = max(0, (end - begin) // HOUR)
        cut = {name: [_cut(track, kept) for track in each] for name, each in tracks.items()}
        return Series(begin, _named(cut), HOUR, **{name: state[:kept] for name, state in states.items()})

    def _states(self, plan: Plan, begin: int, end: int, step: int) -> dict[str, Bools]:
        """What people marked, minute by minute; treatment under approved maintenance is excused."""
        count = (end - begin) // step
        found = {name: np.zeros(count, np.bool_) for name in ("standstill", "condition", "device", "excused")}
        for action in self._judge.marks.of("mark", plan.source):
            low, high = max(0, minute_of(action.begin) - begin), min(count, -(-action.end // 60) + 480 - begin)
            if low < high:
                date = times.date_of(times.day_of(action.end))
                kind = self._judge.marks.kind_of(action, plan, date)
                if kind in found:
                    found[kind][low:high] = True
        for subject in (plan.source, plan.enterprise):
            for action in self._judge.marks.of("maintenance", subject):
                low, high = max(0, minute_of(action.begin) - begin), min(count, minute_of(action.end) - begin)
                found["excused"][low : max(low, high)] = True
        return found

    def _wanted(self, plan: Plan) -> list[tuple[str, dict[str, tuple[str, Meter | None]]]]:
        """Per source the columns that matter: name of the series, and the meter it is of."""
        registry = self._judge.registry
        assert registry is not None
        assert plan.outlet is not None
        found: dict[str, dict[str, tuple[str, Meter | None]]] = {plan.source: {}}
        for channel in plan.channels:
            found[plan.source][channel.name] = channel.name, None
            if channel.converts:
                found[plan.source][channel.name + ZS] = channel.name + ZS, None
        for meter in registry.meters:
            if meter.outlet == plan.source:
                name = "circulation_pump" if meter.factor.startswith(_PUMPS) else meter.measures
                found.setdefault(meter.source, {})[meter.factor] = name, meter
        return list(found.items())

    def _over(self, source: str, begin: int, end: int, store: Store, length: int) -> list[tuple[int, _Part]]:
        """Rows of a source between two minutes, by the place of their first slot."""
        found = []
        days = store is self._judge.hours
        step = DAY if days else HOUR
        known = store.numbers(source)
        for at in range(begin, end, step):
            number = times.day_of(instant_of(at) + 1) if days else instant_of(at + HOUR)
            if number in known:
                part = self._parts.get((store.prefix, source, number))
                if part is None:
                    place = store.find(source, number)
                    assert place is not None
                    part = self._parts[store.prefix, source, number] = _read(place, self._judge, source, length)
                    if len(self._parts) > 20_000:
                        self._parts.clear()
                found.append(((at - begin) // (HOUR if days else 1), part))
        return found

    # ---- publishing

    def _publish(self, plan: Plan, before: list[Suspicion], after: list[Suspicion], end: int) -> None:
        known = {(s.check, s.subject, s.begin): s for s in before}
        for each in after:
            if not each.live:
                continue
            old = known.pop((each.check, each.subject, each.begin), None)
            if old is None:
                self._say(plan, each, BEGAN, end)
            elif each.end is None and (old.level != each.level or old.end is not None):
                self._say(plan, each, CONTINUES, end)
            if each.end is not None and (old is None or old.end is None):
                self._say(plan, each, ENDED, end)
        for gone in known.values():
            if gone.live and (gone.end is None or gone.end > end - _KEPT_MIN):
                self._say(plan, gone, ENDED, end, why="revised")

    def _say(self, plan: Plan, each: Suspicion, state: str, now: int, why: str = "") -> None:
        registry = self._judge.registry
        assert registry is not None
        assert plan.outlet is not None
        begin = instant_of(each.begin)
        detail = {
            "name": plan.outlet.name, "rule": each.rule, "check": each.check, "score": str(each.score),
            "title": each.title, "title_en": each.title_en, "reason": each.reason, "reason_en": each.reason_en,
            "evidence_from": str(instant_of(each.evidence_from)), "evidence_to": str(instant_of(each.evidence_to)),
            **{f"figure_{name}": text for name, text in sorted(each.figures.items())},
        }  # fmt: skip
        if why:
            detail["why"] = why
        self._judge.condition(
            Condition(
                id=f"{plan.group}|{plan.source}|{each.check}|{each.subject}|{begin}",
                state=state,
                rule=SUSPECT,
                group=plan.group,
                subject=plan.source,
                factor=each.subject,
                since=begin,
                until=instant_of(each.end if each.end is not None else now),
                now=(instant_of(now) + REVIEW_AFTER_S) * 1000,
                origin="",
                level=each.level,
                detail=detail,
                ruleset=RULESET,
                registry=registry.digest,
            )
        )


def _parts_of(asked: Settings, start: int, end: int) -> list[tuple[Settings, int]]:
    """Checks and the minute they are asked from: those of minutes no further back than minutes may still come.

    Minutes that are no longer kept would count as never measured, and what was suspected of them be taken back.
    """
    late = end - MINUTE_DAYS * DAY
    if start >= late:
        return [(asked, start)]
    recent = tuple(check for check in asked.checks if check.reads == "minutes")
    others = tuple(check for check in asked.checks if check.reads != "minutes")
    return [(replace(asked, checks=others), start), (replace(asked, checks=recent), late)]


def _goes_on(open_one: Suspicion, off: set[str], events: Events) -> bool:
    """Whether an open suspicion may go on: not of a check that is off, nor beside an outlet that is no neighbour."""
    _, at, other = open_one.subject.partition("@")
    return open_one.check not in off and (not at or other in events.neighbours)


def _read(place: Place, judge: EmissionJudge, source: str, length: int) -> _Part:
    """A row as counts of ten-thousandths; a mean of several minutes stands in each of them."""
    slots, row = place.slots, place.row
    value, meta, version = slots.values(row), slots.metas(row), slots.versions(row)
    use = uses_of(meta)
    known = has_value(meta, version) & (version >= 0) & (use == flags.VALID)
    plan = judge.plans.at(source, times.day_of(judge.now_ms // 1000 if judge.now_ms else 0))
    published = {c.name: c.unit for c in plan.channels} | {m.factor: m.unit for m in plan.meters}
    counts, decimals = {}, {}
    for n, column in enumerate(place.columns):
        held = scaled(value[:, n], meta[:, n] & np.uint32(NO_VALUE), PLACES)
        held = _converted(held, meta[:, n], published.get(column.removesuffix(ZS), ""))
        held = np.where(known[:, n], held, MISSING)
        counts[column] = _spread(held, length)
        places = (meta[:, n] & np.uint32(NO_VALUE))[known[:, n]]
        decimals[column] = min(int(places.max(initial=0)), PLACES)
    spoken = (version >= 0) & (meta != 0)
    standing = (spoken & (use == flags.STANDSTILL)).any(axis=1)
    letters = {flag_of(int(m)) for m in np.unique(meta)}
    checking = np.zeros(len(value), np.bool_)
    if "C" in letters:
        checking = np.array([any(flag_of(int(m)) == "C" for m in line) for line in meta], np.bool_)
    return _Part(counts, decimals, _spread_bits(standing, length), _spread_bits(checking, length))


def _converted(held: Ints, meta: Codes, published: str) -> Ints:
    """Counts in the published unit, where a slot names another."""
    for code in np.unique(meta >> np.uint32(27)).tolist():
        if code & 15:
            ratio = ratio_of(code << 27, published)
            at = (meta >> np.uint32(27)) == code
            if ratio is None:
                held = np.where(at, MISSING, held)
            else:
                exact = [MISSING if v == MISSING else round(v * ratio) for v in held.tolist()]
                held = np.where(at, np.array(exact, np.int64), held)
    return held


def _spread(held: Ints, length: int) -> Ints:
    """A mean that ends in a minute stands in the ``length`` minutes up to it."""
    if length == 1:
        return held
    found = np.full(len(held), MISSING, np.int64)
    for at in np.flatnonzero(held != MISSING).tolist():
        found[max(0, at - length + 1) : at + 1] = held[at]
    return found


def _spread_bits(held: Bools, length: int) -> Bools:
    if length == 1:
        return held
    found = np.zeros(len(held), np.bool_)
    for at in np.flatnonzero(held).tolist():
        found[max(0, at - length + 1) : at + 1] = True
    return found


def _track(
    parts: list[tuple[int, _Part]], column: str, count: int, size: int, cadence: int, meter: Meter | None
) -> Track | None:
    """One series over the window; None where nothing of it is known."""
    values = np.full(count, MISSING, np.int64)
    decimals = 0
    for at, part in parts:
        held = part.counts.get(column)
        if held is not None:
            values[at : at + size] = held[: max(0, count - at)]
            decimals = max(decimals, part.decimals[column])
    if not (values != MISSING).any():
        return None
    return Track(
        values,
        PLACES,
        cadence,
        10 ** (PLACES - decimals),
        rated=Fraction(meter.rated) if meter is not None and meter.rated else None,
        on_share=Fraction(meter.on_share) if meter is not None and meter.on_share else None,
    )


def _cut(track: Track, count: int) -> Track:
    return Track(track.values[:count], track.places, track.cadence, track.step, track.rated, track.on_share)


def _named(tracks: dict[str, list[Track]]) -> dict[str, Track | list[Track]]:
    return {name: each[0] if len(each) == 1 else each for name, each in tracks.items()}
