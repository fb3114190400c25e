"""Quiet simulated days: how often each rule of facility supervision speaks, beside how often it should.

Hard rules must give no alarm. Statistical rules speak by chance; what is counted stands beside the rate that
``standards.facility.noise`` expects of a plant that does nothing wrong. Another table says which scenario makes which
rule speak.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from agents.documents import put_between
from agents.emission import EmissionJudge
from agents.emission.facility import SUSPECT
from agents.rejudge import Rejudged
from agents.scenario_check import Span, spans
from agents.scenario_run import Run, simulate
from agents.scenario_sweep import enterprises_of
from schemas import times, topics
from schemas.registry import Registry
from standards.facility import noise
from standards.facility.engine import Review
from standards.facility.inputs import DAY
from standards.facility.table import LEVELS, Check, settings
from streams.journal import Record
from streams.simulator.planning import plan_of
from streams.simulator.scenarios import load
from streams.simulator.simulate import folder_of

DAYS: Final = 30
SEEDS: Final = (1, 2, 3, 4, 5)
FULL_DAYS: Final = 3
"""A day with minutes takes four times as long as one with hours alone. The last ones have the history rules ask for."""
REVIEW_EVERY_H: Final = 6
"""The record of an outlet is the same however the log is cut into reviews; one every hour takes twice as long."""
SCENARIOS: Final = ("treatment-off", "diluted-o2", "clipped", "flat-line")
SCENARIO_DAYS: Final = 7
SCENARIO_FULL_DAYS: Final = 3
"""With minutes on the last of them: the scenarios of meters and instants happen on it."""
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"
_MADE_OF: Final = ("agents", "schemas", "standards", "streams")
_SOURCES: Final = (".py", ".toml")
"""Code and tables that decide what is counted."""
_KINDS: Final = frozenset({"emission"})
_ALARMS: Final = frozenset({"yellow", "orange", "red"})

Progress = Callable[[int, int], None]


class RatesError(Exception):
    """Nothing can be counted or written; the text is one line."""


class Spoke(NamedTuple):
    """A suspicion of a quiet day: where and when it began (epoch seconds), its highest level, and why in English."""

    seed: int
    check: str
    outlet: str
    subject: str
    since: int
    level: str
    reason: str


@dataclass
class Tally:
    """What was asked and said on quiet days.

    Attributes:
        days: outlets times days on which a check was asked, by check.
        series: the same, times its factors or lines: what a rate is of.
        spoke: suspicions that began.
        lacking: by check what it was not asked for want of, with the number of outlets.
        runs: seed, days, those of them with minutes, and enterprises (none: all) of what was run.
    """

    days: dict[str, int] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    spoke: list[Spoke] = field(default_factory=list)
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)
    runs: list[tuple[int, int, int, tuple[str, ...]]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another one's runs too."""
        for mine, theirs in ((self.days, other.days), (self.series, other.series)):
            for check, count in theirs.items():
                mine[check] = mine.get(check, 0) + count
        for check, reasons in other.lacking.items():
            known = self.lacking.setdefault(check, {})
            known.update({reason: max(count, known.get(reason, 0)) for reason, count in reasons.items()})
        self.spoke += other.spoke
        self.runs += other.runs

    def said(self, check: str) -> int:
        """Suspicions of a check."""
        return sum(each.check == check for each in self.spoke)

    def alarms(self, check: str) -> int:
        """Its suspicions above blue."""
        return sum(each.check == check and each.level in _ALARMS for each in self.spoke)


@dataclass(frozen=True)
class Rates:
    """Everything that was counted: quiet days, and the scenarios that make a check speak.

    Attributes:
        quiet: quiet days.
        scenarios: by check the scenarios, each with the highest level it came to.
    """

    quiet: Tally
    scenarios: Mapping[str, Mapping[str, str]]

    @property
    def ok(self) -> bool:
        """No alarm by a hard rule."""
        return not any(self.quiet.alarms(check.name) for check in checks(hard=True))


def checks(hard: bool | None = None) -> list[Check]:
    """The checks of the newest tables, in their order; only hard or only statistical ones if said so."""
    return [check for check in settings().checks if hard is None or check.hard == hard]


def quiet(
    district: Path, registry: Registry, *, days: int, seed: int, full_days: int = 0, enterprises: Sequence[str] = ()
) -> Tally:
    """Simulate days in which nothing happens, and count.

    Args:
        district: where the registry is.
        registry: of it.
        days: how many.
        seed: of chance.
        full_days: how many of them, the last, have instants and minutes.
        enterprises: that speak; all unless given.
    """
    full = [f"{days - full_days + 1}-{days}"] if full_days else []
    plan = plan_of(registry, district, days=days, seed=seed, full=full)
    watch = Watch()
    judged = Rejudged(topics.EMBEDDED_PARTITIONS, judges={topics.READINGS_EMISSION: watch.judge})

    def judge(records: list[Record]) -> None:
        for record in records:
            judged.take(record)

    run = simulate(registry, plan, kinds=_KINDS, enterprises=enterprises, keep=judge)
    run.__dict__["judged"] = judged
    first = times.day_number(plan.start)
    kept = {each for each in watch.asked if first <= each[3] < first + days}
    spoke = [
        Spoke(seed, _check(span), span.first.subject, span.first.factor, span.first.since, _highest(span),
              span.first.detail["reason_en"])
        for span in spans(run, SUSPECT) if span.first.since < plan.end_s
    ]  # fmt: skip
    return Tally(
        days=dict(Counter(check for check, _, _ in {(check, outlet, day) for check, outlet, _, day in kept})),
        series=dict(Counter(check for check, _, _, _ in kept)),
        spoke=spoke,
        lacking=watch.told_lacking(),
        runs=[(seed, days, full_days, tuple(enterprises))],
    )


class Watch:
    """Sees every review of every judge: what was asked on which day, and what was wanting."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str, str, int]] = set()
        """Check, outlet, subject, day."""
        self._lacking: dict[tuple[str, str], set[str]] = {}

    def judge(self, partition: int, partitions: int) -> EmissionJudge:
        """A judge that is watched."""
        judge = EmissionJudge(partition, partitions)
        judge.facility.told = self._told
        review = judge.facility.review

        def seldom(now_s: int) -> None:
            if (now_s + times.OFFSET_S) % (REVIEW_EVERY_H * times.HOUR_S) == 0:
                review(now_s)

        setattr(judge.facility, "review", seldom)  # noqa: B010 - the judge's own, called less often
        return judge

    def _told(self, outlet: str, review: Review) -> None:
        day = (review.end - 1) // DAY
        self.asked.update((check, outlet, subject, day) for check, subject in review.asked)
        for each in review.inapplicable:
            if each.code != "history":  # it comes with the days
                self._lacking.setdefault((each.check, f"{each.reason} {each.reason_en}"), set()).add(outlet)

    def told_lacking(self) -> dict[str, dict[str, int]]:
        """By check and reason the number of outlets."""
        found: dict[str, dict[str, int]] = {}
        for (check, reason), outlets in sorted(self._lacking.items()):
            found.setdefault(check, {})[reason] = len(outlets)
        return found


def _check(span: Span) -> str:
    return span.first.detail["check"]


def _highest(span: Span) -> str:
    return max((level for level in (LEVELS[0], *span.levels) if level), key=LEVELS.index)


class Scenarios:
    """Which check a scenario makes speak that does not speak on the same days without it."""

    def __init__(self, district: Path, registry: Registry, *, seed: int = SEEDS[0]) -> None:
        self.district, self.registry, self.seed = district, registry, seed
        self._calm = functools.cache(self._spans)

    def spoken(self, name: str) -> dict[str, str]:
        """Checks that speak because of a scenario at its strength, each with its highest level."""
        (scenario,) = load([name], folder_of(self.district))
        enterprises = tuple(sorted(enterprises_of(scenario, self.registry)))
        full = any(row.full_only for row in scenario.rows)
        calm = {span.first.id for span in self._calm("", full, enterprises)}
        found: dict[str, str] = {}
        for span in self._spans(name, full, enterprises):
            if span.first.id not in calm and span.first.subject in scenario.where:
                found[_check(span)] = max(_highest(span), found.get(_check(span), LEVELS[0]), key=LEVELS.index)
        return found

    def _spans(self, name: str, full: bool, enterprises: tuple[str, ...]) -> list[Span]:
        plan = plan_of(
            self.registry,
            self.district,
            days=SCENARIO_FULL_DAYS if full else SCENARIO_DAYS,
            seed=self.seed,
            scenarios=[name] if name else [],
            full=[str(SCENARIO_FULL_DAYS)] if full else [],
        )
        run: Run = simulate(self.registry, plan, kinds=_KINDS, enterprises=enterprises)
        return [span for span in spans(run, SUSPECT) if span.first.since < plan.end_s]


def count(
    district: Path,
    registry: Registry,
    *,
    days: int = DAYS,
    seeds: Sequence[int] = SEEDS,
    full_days: int = FULL_DAYS,
    enterprises: Sequence[str] = (),
    scenarios: Sequence[str] = SCENARIOS,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Rates:
    """Run everything.

    Args:
        district: where the registry is.
        registry: of it.
        days: quiet days of every seed.
        seeds: of chance.
        full_days: how many of them, the last, have minutes.
        enterprises: that speak on quiet days; all unless given.
        scenarios: that are tried at their strength.
        keep: a folder where finished runs are kept, and taken from if neither code, tables nor registry changed since.
        progress: told runs done and in all.
    """
    if not seeds or not 0 <= full_days <= days or not days:
        raise RatesError(
            f"days {days}, of them {full_days} with minutes, seeds {list(seeds)}: at least one seed and one day, and "
            "no more days with minutes than days"
        )
    if not registry.outlets:
        raise RatesError("the district has no outlet: nothing to supervise")
    known = [enterprise.id for enterprise in registry.enterprises]
    if unknown := [each for each in enterprises if each not in known]:
        raise RatesError(f"{', '.join(unknown)}: no enterprise of the district; there are {', '.join(known)}")
    found = Tally()
    spoken: dict[str, dict[str, str]] = {}
    total = len(seeds) + len(scenarios)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    made_of = _made_of(registry) if keep is not None else ""
    for seed in seeds:
        run = functools.partial(
            quiet, district, registry, days=days, seed=seed, full_days=full_days, enterprises=enterprises
        )
        if keep is None:
            found.add(run())
        else:
            name = hashlib.sha256(repr((made_of, tuple(enterprises))).encode()).hexdigest()[:16]
            found.add(_kept(keep / f"seed-{seed}-days-{days}-full-{full_days}-{name}.json", run))
        step()
    tried = Scenarios(district, registry, seed=seeds[0])
    for name in scenarios:
        for check, level in tried.spoken(name).items():
            spoken.setdefault(check, {})[name] = level
        step()
    return Rates(found, spoken)


def _made_of(registry: Registry) -> str:
    """What a count depends on: the registry, our code and our tables."""
    found = hashlib.sha256(registry.text.encode())
    root = Path(__file__).resolve().parents[1]
    for path in sorted(path for room in _MADE_OF for path in (root / room).rglob("*") if path.suffix in _SOURCES):
        found.update(path.read_bytes())
    return found.hexdigest()


def _kept(path: Path, make: Callable[[], Tally]) -> Tally:
    """What a finished run left, or the run."""
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Tally)
    found = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(found))
    part.replace(path)
    return found


# ---- for people


def _expected() -> dict[str, float]:
    return {rate.check: rate.per_day for rate in noise.rates()}


def as_dict(rates: Rates) -> dict[str, Any]:
    """For JSON."""
    expected = _expected()

    tally = rates.quiet
    return {
        "runs": [
            {"seed": seed, "days": days, "full_days": full, "enterprises": list(who)}
            for seed, days, full, who in tally.runs
        ],
        "checks": {
            check.name: {
                "hard": check.hard,
                "outlet_days": tally.days.get(check.name, 0),
                "series_days": tally.series.get(check.name, 0),
                "suspicions": tally.said(check.name),
                "alarms": tally.alarms(check.name),
                "expected_per_series_day": 0.0 if check.hard else expected[check.name],
                "lacking": tally.lacking.get(check.name, {}),
            }
            for check in checks()
        },
        "spoke": [each._asdict() for each in tally.spoke],
        "scenarios": rates.scenarios,
        "ok": rates.ok,
    }


_HEAD: Final = (
    "| check | 类 kind | 排口日 outlet-days | 序列日 series-days | 疑似 suspicions | 其中告警 alarms "
    "| 率 per outlet-day | 率 per series-day | 预期 expected | 未问之由 why not asked |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|---|"
)


def table(rates: Rates) -> str:
    """What was counted, as Markdown."""
    parts = ["### 平静日 quiet days", _ran(rates.quiet), _counted(rates.quiet)]
    parts += ["### 规则 × 情景 rules × scenarios", _spoken(rates.scenarios)]
    return "\n\n".join(parts) + "\n"


def _ran(tally: Tally) -> str:
    seeds: dict[tuple[int, int, tuple[str, ...]], list[str]] = {}
    for seed, days, full, who in tally.runs:
        seeds.setdefault((days, full, who), []).append(str(seed))
    each = "；".join(
        f"{'、'.join(who) or '全部企业 all enterprises'}: 种子 seeds {', '.join(some)}，{days} 日 days，"
        f"其中最后 {full} 日有分钟与实时数据 the last {full} with minutes and instants"
        for (days, full, who), some in seeds.items()
    )
    return f"实际运行 what was run: {each}."


def _counted(tally: Tally) -> str:
    expected = _expected()
    lines = [_HEAD]
    for check in checks():
        said, alarms = tally.said(check.name), tally.alarms(check.name)
        days, series = tally.days.get(check.name, 0), tally.series.get(check.name, 0)
        kind, chance = ("硬 hard", "0") if check.hard else ("统计 statistical", _short(expected[check.name]))
        lines.append(
            f"| {check.name} | {kind} | {days} | {series} | {said} | {alarms} "
            f"| {_rate(said, days)} | {_rate(said, series)} | {chance} | {'' if days else _why(check, tally)} |"
        )
    return "\n".join(lines)


def _why(check: Check, tally: Tally) -> str:
    """What most outlets lack of a check that was not asked of any."""
    reasons = tally.lacking.get(check.name, {})
    if not reasons:
        return "历史不足 not enough history" if check.enabled else "已关闭 switched off"
    return max(reasons, key=lambda reason: (reasons[reason], reason))


def _rate(said: int, days: int) -> str:
    return _short(said / days) if days else "–"


def _short(value: float) -> str:
    return "0" if value == 0 else "< 1e-6" if value < 1e-6 else f"{value:.2g}"


def _spoken(found: Mapping[str, Mapping[str, str]]) -> str:
    lines = ["| check | " + " | ".join(SCENARIOS) + " |", "|---" * (1 + len(SCENARIOS)) + "|"]
    for check in checks():
        mine = found.get(check.name, {})
        lines.append(f"| {check.name} | " + " | ".join(mine.get(name, "–") for name in SCENARIOS) + " |")
    return "\n".join(lines)


def put_into(document: str, text: str) -> str:
    """A document with other tables between its markers.

    Raises:
        RatesError: it has no markers.
    """
    return put_between(document, BEGIN, END, text, RatesError)
