"""Warnings, sampling, travel, spring guard, border and failed checks, against plain re-statements of the rules."""

from __future__ import annotations

import random

import numpy as np
import pytest

from standards.fixed import MISSING
from standards.water import border, instruments, sampling, spring, warnings
from standards.water.warnings import Results

HOUR = 3600
MIDNIGHT = 1_775_404_800  # 2026-04-06 00:00 Beijing time


def of(*texts: str) -> np.ndarray:
    return np.array([MISSING if not t else round(float(t) * 100) * 10**6 for t in texts], dtype=np.int64)


def bools(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text], dtype=np.bool_)


def held(over: str, every_h: int = 4, hourly: bool = False, **more: str) -> dict[str, np.ndarray]:
    n = len(over)
    times = MIDNIGHT + np.arange(n, dtype=np.int64) * every_h * HOUR
    none = "0" * n
    results = Results(
        times, np.arange(n, dtype=np.int64), bools(over), bools(more.get("worst", none)),
        bools(more.get("doubled", none)), bools(more.get("near", none)), bools(more.get("jump", none)),
    )  # fmt: skip
    return warnings.levels(results, hourly=hourly, gap_s=9 * HOUR, toxic="toxic" in more)


@pytest.mark.parametrize("hourly", [False, True])
def test_consecutive_results_are_counted_and_a_gap_breaks_them(hourly: bool) -> None:
    found = held("0110111", hourly=hourly)[warnings.OVER_AGAIN]
    assert found.tolist() == bools("0000001" if hourly else "0010011").tolist()
    assert not held("11", every_h=12)[warnings.OVER_AGAIN].any()


def test_three_near_and_rising() -> None:
    assert held("00000", near="01111")[warnings.RISING].tolist() == [False, False, False, True, True]
    assert not held("0011", near="1111")[warnings.RISING][2:].any(), "worse than the target is a rule of its own"


def test_episodes_equal_a_plain_fold() -> None:
    chance = random.Random(7)
    for _ in range(300):
        over = "".join(chance.choice("0001") for _ in range(chance.randrange(1, 30)))
        hourly = chance.random() < 0.5
        times = MIDNIGHT + np.arange(len(over), dtype=np.int64) * HOUR
        rules = held(over, every_h=1, hourly=hourly)
        said = warnings.episodes(times, rules, bools(over), hourly=hourly)
        needed, plain, begin, calm = 3 if hourly else 2, [], -1, 0
        for at, one in enumerate(over):
            if one == "1":
                begin, calm = (at if begin < 0 else begin), 0
            elif begin >= 0:
                calm += 1
                if calm == needed:
                    plain.append((begin, at))
                    begin, calm = -1, 0
        if begin >= 0:
            plain.append((begin, -1))
        assert [((e.begin - MIDNIGHT) // HOUR, (e.ended - MIDNIGHT) // HOUR if e.ended else -1) for e in said] == plain


def test_class_drops_against_the_median_before() -> None:
    chance = random.Random(3)
    classes = np.array([chance.choice((-1, 1, 2, 2, 2, 3, 4, 5)) for _ in range(400)], dtype=np.int8)
    found = warnings.class_drops(classes)
    for at in range(len(classes)):
        before = sorted(c for c in classes[max(0, at - 168) : at].tolist() if c > 0)
        median = before[(len(before) - 1) // 2] if len(before) >= 24 else None
        assert found[at] == (median is not None and classes[at] > 0 and classes[at] >= median + 2), at


@pytest.mark.parametrize(("hour", "sample"), [(1, 0), (2, 0), (4, 0), (5, 4), (6, 4), (21, 20), (24, 20), (25, 24)])
def test_when_the_water_was_drawn(hour: int, sample: int) -> None:
    end = np.array([MIDNIGHT + hour * HOUR], dtype=np.int64)
    assert sampling.drawn("NH3N", end).tolist() == [MIDNIGHT + sample * HOUR]
    assert sampling.drawn("DO", end).tolist() == end.tolist()


def test_planned_results() -> None:
    assert [sampling.planned(name) for name in ("pH", "DO", "NH3N", "TP", "NO3N", "Hg")] == [24, 24, 6, 6, 24, 6]


def test_checks_in_any_order_and_without_one_before() -> None:
    times = np.arange(0, 100, 4, dtype=np.int64) * HOUR
    checks = [(70 * HOUR, True), (50 * HOUR, False)]
    found = np.flatnonzero(instruments.invalidated_by_checks(times, checks)) * 4
    assert found.tolist() == [h for h in range(0, 100, 4) if 26 <= h < 70]
    assert not instruments.invalidated_by_checks(times, [(50 * HOUR, True)]).any()
    both = [(50 * HOUR, True), (50 * HOUR, False), (10 * HOUR, True), (60 * HOUR, True)]
    assert (np.flatnonzero(instruments.invalidated_by_checks(times, both)) * 4).tolist() == list(range(12, 60, 4))


def test_medians_equal_a_plain_sort() -> None:
    chance = random.Random(5)
    series = np.array([MISSING if chance.random() < 0.3 else chance.randrange(100) for _ in range(300)], dtype=np.int64)
    found = spring.medians_before(series, 168)
    for at in range(len(series)):
        before = sorted(v for v in series[max(0, at - 168) : at].tolist() if v != MISSING)
        assert found[at] == (before[(len(before) - 1) // 2] if len(before) >= 24 else MISSING)


def test_the_spring_guard() -> None:
    calm = {"turbidity": ["0.40"] * 48, "EC": ["600.00"] * 48, "NO3N": ["6.60"] * 48, "SO4": ["90.00"] * 48}
    both = {"times-median", "near-class-3"}
    cases: list[tuple[str, str, set[str]]] = [
        ("turbidity", "2.00", set()),
        ("turbidity", "2.01", {"times-median"}),
        ("turbidity", "3.00", both),
        ("turbidity", "3.01", {"above", *both}),
        ("EC", "690.00", set()),
        ("EC", "690.01", {"off-median"}),
        ("EC", "509.99", {"off-median"}),
        ("NO3N", "7.92", set()),
        ("NO3N", "7.93", {"rise"}),
        ("SO4", "108.01", {"rise"}),
    ]
    for name, last, rules in cases:
        values = {item: of(*texts) for item, texts in calm.items()}
        values[name] = of(*calm[name], last)
        for item in values:
            if item != name:
                values[item] = of(*calm[item], calm[item][0])
        assert {rule for (rule, item), mask in spring.guard(values).items() if mask[-1] and item == name} == rules, last
    near = spring.guard({"NH3N": of("0.40", "0.41"), "SO4": of("240", "240")}, frozenset({"SO4"}))
    assert {key: mask.tolist() for key, mask in near.items()} == {("near-class-3", "NH3N"): [False, True]}


def test_what_rises_together_points_to_its_source() -> None:
    measured = frozenset(("SO4", "NH3N", "CODMn", "EC"))
    sewage = {("near-class-3", "NH3N"): True, ("near-class-3", "CODMn"): True}
    assert spring.fingerprint(sewage, measured) == "sewage"
    assert spring.fingerprint({("rise", "SO4"): True}, measured) == "", "one item alone points to nothing"
    assert spring.fingerprint({("rise", "SO4"): True, ("rise", "Fe"): True}, frozenset(("SO4", "Fe"))) == "mine-water"


@pytest.mark.parametrize(
    ("inflow", "outflow", "word"),
    [(4, 4, "imported"), (3, 3, "clean"), (3, 4, "added"), (2, 3, "added"), (5, 4, "improved"), (-1, 3, "unknown")],
)
def test_the_border(inflow: int, outflow: int, word: str) -> None:
    assert border.balance(inflow, outflow) == word
