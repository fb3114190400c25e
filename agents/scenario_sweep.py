"""Scenarios of a district, each at its strength and just inside every edge of its truths, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from agents import scenario_air, scenario_emission, scenario_truths, scenario_water
from agents.documents import put_between
from agents.rejudge import JUDGES
from agents.scenario_check import NOTHING, Case, Checker, Result, judge
from agents.scenario_run import Run, simulate
from schemas import times, topics
from schemas.registry import Registry, parse
from streams.simulator.planning import plan_of
from streams.simulator.scenarios import KINDS, Scenario, load
from streams.simulator.simulate import folder_of

CHECKERS: Final[Mapping[str, Checker]] = {
    **scenario_truths.CHECKERS,
    **scenario_air.CHECKERS,
    **scenario_water.CHECKERS,
    **scenario_emission.CHECKERS,
}
"""By kind of truth."""
DAYS: Final = 7
SEED: Final = 5
"""Of a week without dust from afar, which the weather of other seeds has (``streams/simulator/weather.py``)."""
NEAR: Final = Decimal("0.001")
"""How near to an edge its inside is tried, as a share of it."""
BEGIN, END = "<!-- scenarios: begin -->", "<!-- scenarios: end -->"
_EXPECTS_MINUTES: Final = ("[receive]\n", '[receive]\nexpects = "minute"\n')


class SweepError(Exception):
    """Nothing can be swept; the text is one line."""


def kinds_of(scenario: Scenario, registry: Registry) -> frozenset[str]:
    """Kinds of the sources that a scenario and its truths speak of."""
    areas = {area.id for area in registry.areas}
    kind = {source.id: source.kind for source in registry.sources}
    ids = {*scenario.where, *(row.subject for row in scenario.rows)}
    return frozenset("air" if each in areas else kind.get(each, "") for each in ids)


def enterprises_of(scenario: Scenario, registry: Registry) -> frozenset[str]:
    """Enterprises that a scenario and its truths speak of: the others need not speak, they are judged apart anyway."""
    of = {outlet.id: outlet.enterprise for outlet in registry.outlets} | {e.id: e.id for e in registry.enterprises}
    ids = (*scenario.where, *(row.subject for row in scenario.rows))
    return frozenset(of[each] for each in ids if each in of)


def judged_scenarios(registry: Registry, district: Path, kinds: Sequence[str] = ()) -> list[str]:
    """Names of the district's scenarios that agents of these kinds (all there are unless given) can judge."""
    wanted = {kind for kind, topic in topics.READINGS_OF.items() if topic in JUDGES and (not kinds or kind in kinds)}
    folder = folder_of(district)
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return [name for name in names if kinds_of(load([name], folder)[0], registry) <= wanted]


def strengths(scenario: Scenario, full: bool) -> list[Decimal]:
    """Its own strength, and those just inside the edges of the truths that hold at a cadence; in order."""
    found = {scenario.strength}
    whole = KINDS[scenario.kind].counts
    for row in scenario.rows:
        if full and not row.full_only:  # its edges are tried at the cadence of hours
            continue
        if not full and row.full_only:
            continue
        for edge, sign in ((row.above, 1), (row.below, -1)):
            if edge is None:
                continue
            inside = edge + sign if whole else edge * (1 + sign * NEAR)
            if row.holds(inside, full) and inside > 0:
                found.add(inside.normalize())
    return sorted(found)


class Sweep:
    """Runs scenarios of one district; runs without any are made once."""

    def __init__(self, district: Path, registry: Registry, *, seed: int = SEED, days: int = DAYS) -> None:
        self.district, self.registry, self.seed, self.days = district, registry, seed, days
        self._by_minutes: Registry | None = None
        self._calm = cache(self.run)

    def scenario(self, name: str) -> Iterator[Result]:
        """Every result of a scenario; ``name`` may have ``@STRENGTH``, then only that one."""
        (scenario,) = load([name], folder_of(self.district))
        fixed = "@" in name
        for full in (False, True):
            rows = [row for row in scenario.rows if row.full_only] if full else scenario.rows
            if not rows:
                continue
            for strength in [scenario.strength] if fixed else strengths(scenario, full):
                result = self.at(f"{name.rpartition('@')[0] if fixed else name}@{strength:f}", full)
                if result.lines:
                    yield result

    def at(self, name: str, full: bool) -> Result:
        """A scenario with its strength, at one cadence."""
        (scenario,) = load([name], folder_of(self.district))
        kinds, enterprises = kinds_of(scenario, self.registry), enterprises_of(scenario, self.registry)
        run = self.run(kinds, full, name, enterprises=enterprises)
        return judge(Case(run, self.calm(kinds, full, enterprises)), CHECKERS)

    def calm(self, kinds: frozenset[str], full: bool, enterprises: frozenset[str] = frozenset()) -> Run:
        """The week in which nothing happens."""
        return self._calm(kinds, full, enterprises=enterprises)

    def run(self, kinds: frozenset[str], full: bool, *names: str, enterprises: frozenset[str] = frozenset()) -> Run:
        """The week with scenarios, at one cadence, of sources of these kinds (and enterprises, if any is named)."""
        registry = self._expecting_minutes() if full else self.registry
        plan = plan_of(
            registry, self.district, days=self.days, seed=self.seed, scenarios=names, full=["all"] if full else []
        )
        return simulate(registry, plan, kinds=kinds, enterprises=enterprises)

    def _expecting_minutes(self) -> Registry:
        """The district whose loggers must say minutes, as those of a run in full do."""
        if self._by_minutes is None:
            text = self.registry.text.replace(*_EXPECTS_MINUTES, 1)
            self._by_minutes = parse(text, str(self.district))
        return self._by_minutes


# ---- for people


def as_dicts(results: Sequence[Result]) -> list[dict[str, Any]]:
    """For JSON."""
    return [
        {
            "scenario": result.scenario,
            "strength": result.strength,
            "full": result.full,
            "ok": result.ok,
            "truths": [
                {**line.truth.as_dict(), "concluded": line.finding.concluded, "ok": line.finding.ok}
                for line in result.lines
            ],
            "false_alarms": [str(span) for span in result.false_alarms],
        }
        for result in results
    ]


_HEAD: Final = (
    "| 情景 scenario | 强度 × | 分钟 minutes | 真值 truth | 对象 subject | 期间 period "
    "| 应得 expected | 得出 concluded | | 误报 false alarms |"
)


def table(results: Sequence[Result]) -> str:
    """Results as Markdown, a line for each truth row; false alarms stand beside the first."""
    lines = [_HEAD, "|---" * 10 + "|"]
    for result in results:
        alarms = "; ".join(map(str, result.false_alarms)) or NOTHING
        for line in result.lines:
            truth = line.truth
            expected = ", ".join(f"{name} {_word(value)}" for name, value in truth.expected.items())
            period = f"{_at(truth.start_s - result.start_s)} – {_at(truth.end_s - result.start_s)}"
            lines.append(
                f"| {result.scenario} | {result.strength} | {'是 yes' if result.full else NOTHING} | {truth.kind} "
                f"| {truth.subject} | {period} | {expected} | {line.finding.concluded} "
                f"| {'✓' if line.finding.ok else '✗'} | {alarms} |"
            )
            alarms = ""
    return "\n".join(lines) + "\n"


def _at(seconds: int) -> str:
    day, rest = divmod(seconds, times.DAY_S)
    return f"{day + 1}日 {rest // 3600:02d}:{rest % 3600 // 60:02d}"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)


def put_into(document: str, table_text: str) -> str:
    """A document with another table between its markers.

    Raises:
        SweepError: it has no markers.
    """
    return put_between(document, BEGIN, END, table_text, SweepError)


Progress = Callable[[int, int], None]


def sweep(
    district: Path,
    registry: Registry,
    names: Sequence[str],
    *,
    seed: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Every result of scenarios by name.

    Args:
        district: where they are.
        registry: of it.
        names: with ``@STRENGTH`` or without.
        seed: of chance; ``SEED`` unless given.
        progress: told scenarios done and in all.
    """
    runs = Sweep(district, registry, seed=SEED if seed is None else seed)
    found: list[Result] = []
    for n, name in enumerate(names, 1):
        found += runs.scenario(name)
        if progress is not None:
            progress(n, len(names))
    return found
