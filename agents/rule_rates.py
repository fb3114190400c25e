"""Quiet simulated days: how often each rule of facility supervision speaks, beside how often it should.

Hard rules must give no alarm. Statistical rules speak by chance; what is counted stands beside the rate that
``standards.facility.noise`` expects of a plant that does nothing wrong. Another table says which scenario makes which
rule speak.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agents.emission import EmissionJudge
from agents.emission.facility import SUSPECT
from agents.rejudge import rejudge
from agents.scenario_check import Span, spans
from agents.scenario_run import Run, simulate
from agents.scenario_sweep import enterprises_of
from schemas import times, topics
from schemas.registry import Registry, parse
from standards.facility import noise
from standards.facility.engine import Review
from standards.facility.inputs import DAY
from standards.facility.table import LEVELS, Check, settings
from streams.simulator.planning import plan_of
from streams.simulator.scenarios import load
from streams.simulator.simulate import folder_of

DAYS: Final = 30
SEEDS: Final = (1, 2, 3, 4, 5)
FULL_DAYS: Final = 2
"""Days with minutes take ten times as long as days with hours alone."""
SCENARIOS: Final = ("treatment-off", "diluted-o2", "clipped", "flat-line")
SCENARIO_DAYS: Final = 7
SCENARIO_FULL_DAYS: Final = 3
"""With minutes on the last of them: the scenarios of meters and instants happen on it."""
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"
_KINDS: Final = frozenset({"emission"})
_ALARMS: Final = frozenset({"yellow", "orange", "red"})

Progress = Callable[[int, int], None]


class RatesError(Exception):
    """Nothing can be counted or written; the text is one line."""


@dataclass
class Tally:
    """What was asked and said on quiet days.

    Attributes:
        days: outlets times days on which a check was asked, by check.
        series: the same, times its factors or lines: what a rate is of.
        said: suspicions that began.
        alarms: of them, those above blue.
        runs: seed, days and enterprises (none: all) of what was run.
    """

    days: Counter[str] = field(default_factory=Counter)
    series: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    runs: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another one's runs too."""
        for name in ("days", "series", "said", "alarms"):
            getattr(self, name).update(getattr(other, name))
        self.runs += other.runs


@dataclass(frozen=True)
class Rates:
    """Everything that was counted: at the cadence of hours, with minutes, and the scenarios that make a check speak.

    Attributes:
        hours, minutes: quiet days at either cadence.
        scenarios: by check the scenarios, each with the highest level it came to.
    """

    hours: Tally
    minutes: Tally
    scenarios: Mapping[str, Mapping[str, str]]

    @property
    def ok(self) -> bool:
        """No alarm by a hard rule."""
        return not any(tally.alarms[check.name] for tally in (self.hours, self.minutes) for check in checks(hard=True))


def checks(hard: bool | None = None) -> list[Check]:
    """The checks of the newest tables, in their order; only hard or only statistical ones if said so."""
    return [check for check in settings().checks if hard is None or check.hard == hard]


def quiet(
    district: Path, registry: Registry, *, days: int, seed: int, full: bool, enterprises: Sequence[str] = ()
) -> Tally:
    """Simulate days in which nothing happens, and count.

    Args:
        district: where the registry is.
        registry: of it.
        days: how many.
        seed: of chance.
        full: with instants and minutes.
        enterprises: that speak; all unless given.
    """
    whole = _expecting_minutes(registry, district) if full else registry
    plan = plan_of(whole, district, days=days, seed=seed, full=["all"] if full else [])
    run = simulate(whole, plan, kinds=_KINDS, enterprises=enterprises)
    asked: set[tuple[str, str, str, int]] = set()
    first = times.day_number(plan.start)
    judged = rejudge(run.records, judges={topics.READINGS_EMISSION: functools.partial(_watched, asked)})
    run.__dict__["judged"] = judged
    found = Tally(runs=[(seed, days, tuple(enterprises))])
    kept = {each for each in asked if first <= each[3] < first + days}
    found.series.update(check for check, _, _, _ in kept)
    found.days.update(check for check, _, _ in {(check, outlet, day) for check, outlet, _, day in kept})
    for span in spans(run, SUSPECT):
        if span.first.since < plan.end_s:
            found.said[_check(span)] += 1
            found.alarms[_check(span)] += bool(_ALARMS.intersection(span.levels))
    return found


def _watched(asked: set[tuple[str, str, str, int]], partition: int, partitions: int) -> EmissionJudge:
    judge = EmissionJudge(partition, partitions)

    def told(outlet: str, review: Review) -> None:
        day = (review.end - 1) // DAY
        asked.update((check, outlet, subject, day) for check, subject in review.asked)

    judge.facility.told = told
    return judge


def _check(span: Span) -> str:
    return span.first.detail["check"]


def _expecting_minutes(registry: Registry, district: Path) -> Registry:
    """Its loggers must say minutes, as those of a run in full do."""
    return parse(registry.text.replace("[receive]\n", '[receive]\nexpects = "minute"\n', 1), str(district))


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
                levels = [*span.levels, found.get(_check(span), LEVELS[0])]
                found[_check(span)] = max((level for level in levels if level), key=LEVELS.index)
        return found

    def _spans(self, name: str, full: bool, enterprises: tuple[str, ...]) -> list[Span]:
        whole = _expecting_minutes(self.registry, self.district) if full else self.registry
        plan = plan_of(
            whole,
            self.district,
            days=SCENARIO_FULL_DAYS if full else SCENARIO_DAYS,
            seed=self.seed,
            scenarios=[name] if name else [],
            full=[str(SCENARIO_FULL_DAYS)] if full else [],
        )
        run: Run = simulate(whole, plan, kinds=_KINDS, enterprises=enterprises)
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
    progress: Progress | None = None,
) -> Rates:
    """Run everything.

    Args:
        district: where the registry is.
        registry: of it.
        days: quiet days of every seed, at the cadence of hours.
        seeds: of chance.
        full_days: quiet days with minutes, of the first seed; 0: none.
        enterprises: that speak on quiet days; all unless given.
        scenarios: that are tried at their strength.
        progress: told runs done and in all.
    """
    if not seeds or days < 1 or full_days < 0:
        raise RatesError(f"days {days}, seeds {list(seeds)}, full days {full_days}: at least one day and one seed")
    if not registry.outlets:
        raise RatesError("the district has no outlet: nothing to supervise")
    known = [enterprise.id for enterprise in registry.enterprises]
    if unknown := [each for each in enterprises if each not in known]:
        raise RatesError(f"{', '.join(unknown)}: no enterprise of the district; there are {', '.join(known)}")
    hours, minutes = Tally(), Tally()
    spoken: dict[str, dict[str, str]] = {}
    total = len(seeds) + bool(full_days) + len(scenarios)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for seed in seeds:
        hours.add(quiet(district, registry, days=days, seed=seed, full=False, enterprises=enterprises))
        step()
    if full_days:
        minutes.add(quiet(district, registry, days=full_days, seed=seeds[0], full=True, enterprises=enterprises))
        step()
    tried = Scenarios(district, registry, seed=seeds[0])
    for name in scenarios:
        for check, level in tried.spoken(name).items():
            spoken.setdefault(check, {})[name] = level
        step()
    return Rates(hours, minutes, spoken)


# ---- for people


def _expected() -> dict[str, float]:
    return {rate.check: rate.per_day for rate in noise.rates()}


def as_dict(rates: Rates) -> dict[str, Any]:
    """For JSON."""
    expected = _expected()

    def of(tally: Tally) -> dict[str, Any]:
        return {
            "runs": [{"seed": seed, "days": days, "enterprises": list(who)} for seed, days, who in tally.runs],
            "checks": {
                check.name: {
                    "hard": check.hard,
                    "outlet_days": tally.days[check.name],
                    "series_days": tally.series[check.name],
                    "suspicions": tally.said[check.name],
                    "alarms": tally.alarms[check.name],
                    "expected_per_series_day": 0.0 if check.hard else expected[check.name],
                }
                for check in checks()
            },
        }

    return {"hours": of(rates.hours), "minutes": of(rates.minutes), "scenarios": rates.scenarios, "ok": rates.ok}


_HEAD: Final = (
    "| check | 类 kind | 排口日 outlet-days | 序列日 series-days | 疑似 suspicions | 其中告警 alarms "
    "| 率 per outlet-day | 率 per series-day | 预期 expected |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def table(rates: Rates) -> str:
    """What was counted, as Markdown."""
    parts = []
    for title, tally in (("小时数据 hours alone", rates.hours), ("分钟与实时数据 with minutes", rates.minutes)):
        if tally.runs:
            parts += [f"### {title}", f"{_ran(tally)}", _counted(tally)]
    parts += ["### 规则 × 情景 rules × scenarios", _spoken(rates.scenarios)]
    return "\n\n".join(parts) + "\n"


def _ran(tally: Tally) -> str:
    seeds: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    for seed, days, who in tally.runs:
        seeds.setdefault((days, who), []).append(str(seed))
    each = "；".join(
        f"{'、'.join(who) or '全部企业 all enterprises'}: {days} 日 days × 种子 seeds {', '.join(some)}"
        for (days, who), some in seeds.items()
    )
    return f"实际运行 what was run: {each}."


def _counted(tally: Tally) -> str:
    expected = _expected()
    lines = [_HEAD]
    for check in checks():
        said, days, series = tally.said[check.name], tally.days[check.name], tally.series[check.name]
        kind, chance = ("硬 hard", "0") if check.hard else ("统计 statistical", _short(expected[check.name]))
        lines.append(
            f"| {check.name} | {kind} | {days} | {series} | {said} | {tally.alarms[check.name]} "
            f"| {_rate(said, days)} | {_rate(said, series)} | {chance} |"
        )
    return "\n".join(lines)


def _rate(said: int, days: int) -> str:
    return _short(said / days) if days else "未问 not asked"


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
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RatesError(f"no place for the tables: write {BEGIN} and {END} on lines of their own")
    return f"{before}{BEGIN}\n{text}{END}{after}"
