"""How often the statistical rules suspect a plant that does nothing wrong: rates by chance, for setting thresholds.

These are statements about noise, not judgements: the only floats of the package. Each rate has its model in words; what
a real plant adds (values that follow each other, coarse instruments, tight control) makes some of them larger.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from standards.facility.table import Check, Settings, settings

_TAIL: Final = 6.0
"""Deviations beyond which nothing lies."""
_GRID: Final = 150
"""Steps of an integral over them."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The plant that the rates are of.

    Attributes:
        variation: coefficient of variation of values about their mean, within a day.
        level: mean as a share of the limit.
        r: true correlation of O2 and CO2 as measured.
        ph_deviation: standard deviation of slurry pH from minute to minute.
        hour_memory: correlation of an hour's mean with the hour before, 0 to 0.99.
    """

    variation: float = 0.05
    level: float = 0.85
    r: float = -0.95
    ph_deviation: float = 0.15
    hour_memory: float = 0.8


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one check and factor: chance per slot, slots that are asked in a day, begins of suspicions per day."""

    check: str
    chance: float
    slots_a_day: float
    per_day: float
    model: str
    model_en: str


def above_normal(z: float) -> float:
    """The share of a normal distribution above ``z``."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def above_chi_square_9(square: float) -> float:
    """The share of chi-square with 9 degrees of freedom above a value, in closed form."""
    if square <= 0:
        return 1.0
    terms = (square**place / math.prod(range(1, 2 * place + 2, 2)) for place in range(4))
    return math.erfc(math.sqrt(square / 2.0)) + math.sqrt(2.0 * square / math.pi) * math.exp(-square / 2.0) * sum(terms)


def at_least_of(count: int, least: int, chance: float) -> float:
    """The chance of at least ``least`` of ``count`` independent trials."""
    if not 0.0 < chance < 1.0:
        return float(chance >= 1.0 or least <= 0)
    logs = (
        math.lgamma(count + 1) - math.lgamma(n + 1) - math.lgamma(count - n + 1)
        + n * math.log(chance) + (count - n) * math.log1p(-chance)
        for n in range(max(0, least), count + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def _low_variance(ratio: float, n: int) -> float:
    """By how many deviations a share of the true variance is below what a sample of ``n`` has (Wilson and Hilferty)."""
    spread = 2.0 / (9.0 * (n - 1))
    return (1.0 - spread - math.cbrt(ratio)) / math.sqrt(spread)


def _below_variance(ratio: float, n: int) -> float:
    """The chance that a sample variance of ``n`` is below a share of the true one."""
    return above_normal(_low_variance(ratio, n))


def _begins(chance: float, slots: float) -> float:
    """Runs of independent trials that begin in so many slots."""
    return slots * (1.0 - chance) * chance


def low_run(sigmas: float, count: int, memory: float) -> float:
    """The chance of ``count`` hours in a row below the mean less ``sigmas`` deviations.

    Hours are normal and each remembers the one before (an autoregression of first order): low hours come together.
    Integrated over all values of the hours by the trapezoidal rule.
    """
    step = _TAIL / _GRID
    low = [-sigmas - _TAIL + nth * step for nth in range(_GRID + 1)]
    weight = [step / 2.0 if nth in (0, _GRID) else step for nth in range(_GRID + 1)]
    own = math.sqrt(1.0 - memory * memory)
    follows = [[_normal((then - memory * now) / own) / own for now in low] for then in low]
    density = [_normal(value) for value in low]
    for _ in range(count - 1):
        held = [share * of for share, of in zip(density, weight, strict=True)]
        density = [math.fsum(map(operator.mul, row, held)) for row in follows]
    return math.fsum(map(operator.mul, density, weight))


def _normal(value: float) -> float:
    """The density of the standard normal distribution."""
    return math.exp(-value * value / 2.0) / math.sqrt(2.0 * math.pi)


def _correlated(limit: float, true: float, n: int) -> float:
    """The chance of Pearson's r above a limit (Fisher's z)."""
    return above_normal((math.atanh(limit) - math.atanh(true)) * math.sqrt(n - 3))


def _p(check: Check, name: str) -> float:
    return float(check.params[name])


def _digits(check: Check, _noise: Noise) -> tuple[float, float]:
    return above_chi_square_9(_p(check, "chi_square")), 1.0


def _load(check: Check, _noise: Noise) -> tuple[float, float]:
    return above_normal(_p(check, "sigmas")), 24.0


def _load_begins(check: Check, noise: Noise) -> float:
    """Runs of low hours that are long enough: so many begin, less those that only go on."""
    long, longer = (low_run(_p(check, "sigmas"), count, noise.hour_memory) for count in (check.hold, check.hold + 1))
    return 24.0 * (long - longer)


def _twins(check: Check, noise: Noise) -> tuple[float, float]:
    near = 1.0 - 2.0 * above_normal(_p(check, "equal_pct") / 100.0 / (noise.variation * math.sqrt(2.0)))
    return min(1.0, check.whole("window_days") * at_least_of(24, check.whole("least_h"), near)), 1.0


def _lag(check: Check, _noise: Noise) -> tuple[float, float]:
    return _correlated(_p(check, "above"), 0.0, 24 * check.whole("window_days")), 1.0


def _outlets(check: Check, _noise: Noise) -> tuple[float, float]:
    return _correlated(_p(check, "above"), 0.0, check.whole("window_h")), 24.0


def _mirror(check: Check, noise: Noise) -> tuple[float, float]:
    return _correlated(_p(check, "above"), noise.r, check.whole("window_h")), 24.0


def _spread(check: Check, noise: Noise) -> tuple[float, float]:
    ratio = (_p(check, "variation_pct") / 100.0 / noise.variation) ** 2
    return _below_variance(ratio, 60 * check.whole("window_h")), 24.0


def _top(check: Check, noise: Noise) -> tuple[float, float]:
    deviation = noise.level * noise.variation
    near, over = (above_normal((edge - noise.level) / deviation) for edge in (_p(check, "from_share"), 1.0))
    hours = 24 * check.whole("window_days")
    least = math.ceil(hours * _p(check, "share_pct") / 100.0)
    # none above, and of the others so many near: one after the other
    return (1.0 - over) ** hours * at_least_of(hours, least, (near - over) / (1.0 - over)), 1.0


def _flat_at(check: Check, noise: Noise) -> tuple[float, int]:
    """By how many deviations the window's variance must be low, and its width, minutes."""
    width = check.whole("window_min")
    return _low_variance(_p(check, "variance") / noise.ph_deviation**2, width), width


def _flat(check: Check, noise: Noise) -> tuple[float, float]:
    return above_normal(_flat_at(check, noise)[0]), 1440.0


def _flat_begins(check: Check, noise: Noise) -> float:
    """How often a window that slides by a minute becomes flat: one value of ``width`` is another (Rice's crossings)."""
    low, width = _flat_at(check, noise)
    return 1440.0 * _normal(low) * math.sqrt(2.0 / width) / math.sqrt(2.0 * math.pi)


_MODELS: Final[dict[str, tuple[Callable[[Check, Noise], tuple[float, float]], str, str]]] = {
    "R6.correlation": (_mirror, "真实相关系数 {r}，小时独立", "true r {r}, independent hours"),
    "R9.spread": (_spread, "分钟变异系数 {variation}，独立", "variation {variation} of independent minutes"),
    "R10.top": (
        _top,
        "均值为限值 {level} 倍，变异系数 {variation}",
        "mean {level} of the limit, variation {variation}",
    ),
    "R13.profile": (_twins, "小时变异系数 {variation}，独立", "variation {variation} of independent hours"),
    "R13.lag": (_lag, "小时值独立", "independent hours"),
    "R14": (_outlets, "两排口小时值独立", "hours of two outlets independent"),
    "R15": (_digits, "末位数字均匀独立", "last digits uniform and independent"),
    "R16.flat": (
        _flat,
        "pH 独立，标准差 {ph_deviation}，滑动窗口",
        "independent pH of deviation {ph_deviation}, a sliding window",
    ),
    "R21": (
        _load,
        "全天高负荷，相邻小时相关系数 {hour_memory}",
        "high load all day, r {hour_memory} from hour to hour",
    ),
}
"""The chance per slot and the slots of a day, under a model in words; values are normally distributed."""

_BEGINS: Final[dict[str, Callable[[Check, Noise], float]]] = {"R16.flat": _flat_begins, "R21": _load_begins}
"""Begins of suspicions a day, where slots do not stand alone."""


def rates(asked: Settings | None = None, noise: Noise | None = None) -> list[Rate]:
    """The rates of every statistical check that is switched on.

    Args:
        asked: of an outlet; None: as the newest tables have it.
        noise: the plant; None: 5 % of variation at 0.85 of the limit.
    """
    model = noise or Noise()
    words = {name: getattr(model, name) for name in ("variation", "level", "r", "ph_deviation", "hour_memory")}
    found = []
    for check in (asked or settings()).checks:
        if check.hard or not check.enabled:
            continue
        ask, zh, en = _MODELS[check.name]
        chance, slots = ask(check, model)
        other = _BEGINS.get(check.name)
        begins = other(check, model) if other is not None else _begins(chance, slots)
        found.append(Rate(check.name, chance, slots, begins, zh.format_map(words), en.format_map(words)))
    return found


def table(asked: Settings | None = None, noise: Noise | None = None) -> str:
    """The rates as rows of a table in Markdown, for docs/law-facility.md."""
    lines = ["| check | per slot | slots/day | suspicions/day | 模型 model |", "|---|--:|--:|--:|---|"]
    for rate in rates(asked, noise):
        numbers = " | ".join(_short(value) for value in (rate.chance, rate.slots_a_day, rate.per_day))
        lines.append(f"| {rate.check} | {numbers} | {rate.model} {rate.model_en} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return "< 1e-12" if 0.0 <= value < 1e-12 else f"{value:.0f}" if value >= 100 else f"{value:.2g}"
