"""Properties that hold for any numbers: the reference agrees, nothing rounds across a limit, order does not matter."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from standards.emission import flags, gas, marks, rates, substitution, totals, water
from standards.emission.exact import (
    Exact,
    aligned,
    constant,
    decimal,
    from_numbers,
    greater,
    of,
    product,
    rounded,
    text,
)
from standards.emission.hours import OK, VERDICTS, Hours, judge, measure
from standards.fixed import MISSING
from tests.standards import emission_reference as reference

Sent = tuple[int, int]
"""A whole number and its decimals, as a block carries them."""


def sent(largest: int = 10**5) -> st.SearchStrategy[Sent]:
    return st.tuples(st.integers(-1, largest), st.integers(0, 4))


HUGE = st.tuples(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(0, 18))
OXYGEN = st.one_of(
    st.tuples(st.integers(-5, 230), st.just(1)),
    st.tuples(st.integers(19_990, 21_010), st.just(3)),
    st.tuples(st.integers(0, 21), st.just(0)),
)
MARKS = ["START", "SHUTDOWN", "FAULT", "CALIB", "STANDBY_STOP"]
REFERENCE = st.sampled_from([(6, 0), (9, 0), (35, 1), (16, 0), (18, 0), (0, 0), (209, 1)])


def fraction(value: Sent | None) -> Fraction | None:
    return None if value is None else Fraction(value[0], 10 ** value[1])


def exact(values: Sequence[Sent | None]) -> Exact:
    pairs = [(MISSING, 0) if each is None else each for each in values]
    return of(*(np.array([pair[at] for pair in pairs], dtype=np.int64) for at in (0, 1)))


@st.composite
def hours(draw: st.DrawFn, values: Any = None) -> dict[str, Any]:
    value = sent() if values is None else values
    ref, o2, limit = draw(st.none() | REFERENCE), draw(st.none() | OXYGEN), draw(sent(10**4))
    avg = draw(st.none() | value)
    if avg is not None and ref is not None and o2 is not None and o2[0] >= 0 and draw(st.booleans()):
        # a limit that the converted value equals, or misses by little
        there = reference.converted(*(Fraction(n, 10**p) for n, p in (avg, o2, ref)))
        if there is not None and (there * 10**9).denominator == 1 and there < 10**8:
            limit = (int(there * 10**9) + draw(st.integers(-1, 1)), 9)
    return {
        "minutes": draw(st.none() | st.integers(0, 60)),
        "flag": draw(st.sampled_from("NNNNNNFMSDCTBX")),
        "marks": draw(st.frozensets(st.sampled_from(MARKS), max_size=2)),
        "avg": avg,
        "zs": draw(st.none() | value),
        "o2": o2,
        "ref": ref,
        "limit": (abs(limit[0]), limit[1]),
        "exempt": draw(st.booleans()),
    }  # fmt: skip


def judged(rows: list[dict[str, Any]]) -> list[str]:
    given_hours = Hours(
        avg=exact([row["avg"] for row in rows]),
        zs=exact([row["zs"] for row in rows]),
        oxygen=exact([row["o2"] for row in rows]),
        use=flags.uses([row["flag"] for row in rows]),
        minutes=np.array([MISSING if row["minutes"] is None else row["minutes"] for row in rows], dtype=np.int64),
        marked=np.array([marks.bits(row["marks"]) for row in rows], dtype=np.int64),
    )
    condition = given_hours.marked & marks.bits_of("condition") != 0
    exempt = np.array([row["exempt"] for row in rows]) & condition
    measured = measure(given_hours, exact([row["ref"] for row in rows]))
    return [VERDICTS[code] for code in judge(measured, exact([row["limit"] for row in rows]), exempt)]


def wanted(row: dict[str, Any]) -> str:
    numbers = {name: fraction(row[name]) for name in ("avg", "zs", "o2", "ref", "limit")}
    return reference.judge(
        minutes=row["minutes"], flag=row["flag"], marks=set(row["marks"]), exempt=row["exempt"], **numbers
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(hours(), min_size=1, max_size=6))
def test_hours_agree_with_the_reference(rows: list[dict[str, Any]]) -> None:
    assert judged(rows) == [wanted(row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(hours(values=HUGE), min_size=1, max_size=4))
def test_numbers_that_leave_int64_agree_too(rows: list[dict[str, Any]]) -> None:
    assert judged(rows) == [wanted(row) for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.lists(hours(), min_size=2, max_size=5))
def test_an_hour_is_judged_the_same_alone_and_among_others(rows: list[dict[str, Any]]) -> None:
    assert judged(rows) == [judged([row])[0] for row in rows]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 10**6),
    st.integers(0, 199),
    REFERENCE,
    st.integers(6, 18),
)
def test_conversion_never_rounds_across_the_limit(c: int, o2: int, ref: Sent, places: int) -> None:
    """The limit is the converted value itself, and the two decimals of ``places`` around it."""
    values = exact([(c, 3)]), exact([(o2, 1)]), exact([ref])
    there = reference.converted(Fraction(c, 1000), Fraction(o2, 10), Fraction(ref[0], 10 ** ref[1]))
    assert there is not None
    below = Fraction(there.numerator * 10**places // there.denominator, 10**places)
    above = below + Fraction(1, 10**places)
    found = gas.converted(*values)
    assert found.fractions() == [there]
    assert greater(found, from_numbers([below])).tolist() == [there > below]
    assert not greater(found, from_numbers([there, above])).any()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2099), st.integers(0, 2099), REFERENCE)
def test_conversion_rises_with_concentration_and_oxygen(c: int, more: int, o2: int, higher: int, ref: Sent) -> None:
    low, high = sorted((o2, higher))
    found = gas.converted(
        exact([(c, 2), (c + more, 2), (c, 2)]), exact([(low, 2), (low, 2), (high, 2)]), exact([ref] * 3)
    ).fractions()
    assert None not in found
    assert found[0] <= found[1] and found[0] <= found[2]
    at_reference = gas.converted(exact([(c, 2)]), exact([ref]), exact([ref])).fractions()
    assert at_reference == [Fraction(c, 100)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HUGE, st.integers(1, 60)), min_size=1, max_size=6), st.integers(0, 6))
def test_rounding_is_half_to_even_of_the_exact_number(rows: list[tuple[Sent, int]], places: int) -> None:
    values = [Fraction(n, 10**p) / by for (n, p), by in rows]
    kept = [value for value in values if abs(value) * 10**places < 10**18]
    if not kept:
        return
    with localcontext(prec=80):
        quantised = [
            (Decimal(v.numerator * 10**60 // v.denominator) + (0 if (v * 10**60).denominator == 1 else Decimal("0.5")))
            .scaleb(-60)
            .quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
            for v in kept
        ]
    assert rounded(from_numbers(kept), places).tolist() == [int(each.scaleb(places)) for each in quantised]
    assert [text(each, places) for each in kept] == [f"{each if each else abs(each):f}" for each in quantised]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.none() | sent(), st.booleans()), min_size=1, max_size=70), st.integers(0, 60))
def test_means_are_exact_and_order_does_not_matter(rows: list[tuple[Sent | None, bool]], least: int) -> None:
    kept = [fraction(value) for value, valid in rows if valid and value is not None]
    expected = sum(kept, Fraction()) / len(kept) if kept and len(kept) >= least else None
    for order in (rows, rows[::-1]):
        found = gas.mean(exact([value for value, _ in order]), np.array([valid for _, valid in order]), least)
        assert found.fractions() == [expected]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.none() | sent(), st.none() | sent()), min_size=1, max_size=24), st.integers(0, 24))
def test_water_days_agree_with_the_reference(pairs: list[tuple[Sent | None, Sent | None]], due: int) -> None:
    c, d = (exact([pair[at] for pair in pairs]) for at in (0, 1))
    numbers = [(fraction(x), fraction(y)) for x, y in pairs]
    expected = reference.flow_weighted(numbers)
    assert water.flow_weighted(c, d).fractions() == [expected]
    found = water.days(c[None, :], d[None, :], due)
    count = sum(x is not None and y is not None and x >= 0 and y > 0 for x, y in numbers)
    owed = max(0, due - sum(y == 0 for _, y in numbers))
    assert (int(found.count[0]), int(found.due[0])) == (count, owed)
    enough = owed > 0 and count > 0 and Fraction(count, owed) >= Fraction(3, 4)
    assert bool(found.valid[0]) is enough
    assert found.mean.fractions() == [expected if enough else None]
    if enough and expected is not None:
        everything = sum((y for _, y in numbers if y is not None and y > 0), Fraction())
        assert abs(int(found.mass_ug()[0]) - expected * everything * 10**6) <= Fraction(1, 2)


@settings(max_examples=200, deadline=None)
@given(sent(), sent())
def test_amounts_are_rounded_once(c: Sent, flow: Sent) -> None:
    found = int(gas.mass_ug(exact([c]), exact([flow]))[0])
    exactly = Fraction(c[0] * flow[0] * 3_600_000, 10 ** (c[1] + flow[1]))
    if min(c[0], flow[0]) < 0 or exactly > 10**15:
        assert found == MISSING
        return
    assert abs(found - exactly) <= Fraction(1, 2)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("mmmmmg-s")), min_size=1, max_size=40),
    st.sampled_from(["1", "0.9", "0.8999", "0.75", "0.7499"]),
    st.sampled_from([1, 9, 60]),
)
def test_filling_agrees_with_the_reference(rows: list[tuple[int, str]], rate: str, repeat: int) -> None:
    """``m`` measured, ``g`` a missing hour, ``-`` thirty of them, ``s`` standstill; histories up to 2 400 hours."""
    hours_of: list[tuple[int, str]] = []
    for value, kind in rows:
        hours_of += [(value, "g")] * 30 if kind == "-" else [(value + at % 3, kind) for at in range(repeat)]
    amounts = [value if kind == "m" else None for value, kind in hours_of]
    still = [kind == "s" for _, kind in hours_of]
    array = np.array([MISSING if value is None else value for value in amounts], dtype=np.int64)
    found = substitution.fill(array, np.array(still), Fraction(rate))
    expected = reference.fill(amounts, still, Fraction(rate))
    assert [None if value == MISSING else value for value in found.amounts.tolist()] == [value for value, _ in expected]
    assert found.rule.tolist() == [rule for _, rule in expected]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=60), st.sampled_from(["power", "boiler", "sintering"])
)
def test_budgets_agree_with_counting_hour_by_hour(kinds: list[int], plant: str) -> None:
    allowed = {"power": {"START": 4, "SHUTDOWN": 1}, "boiler": {"START": 4, "SHUTDOWN": 1}, "sintering": {"START": 8}}
    names = {1: {"START"}, 2: {"SHUTDOWN"}, 3: {"START", "SHUTDOWN"}, 0: set()}
    hours_at = np.arange(len(kinds), dtype=np.int64) + 500_000
    marked = np.array([marks.bits(names[kind]) for kind in kinds], dtype=np.int64)
    running = {"START": 0, "SHUTDOWN": 0}
    expected = []
    for kind in kinds:
        for name in running:
            running[name] = running[name] + 1 if name in names[kind] else 0
        expected.append(any(0 < running[name] <= most for name, most in allowed[plant].items()))
    assert marks.within_budget(plant, "NOx", hours_at, marked).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 744))
def test_one_twentieth_of_the_hours_may_be_over(valid: int) -> None:
    most = max(over for over in range(valid + 1) if 20 * over <= valid)
    assert rates.ultra_low(valid, most).passes is True
    assert rates.ultra_low(valid, most + 1).passes is False


@settings(max_examples=200, deadline=None)
@given(
    st.fractions(min_value=1, max_value=200, max_denominator=100),
    st.fractions(min_value=0, max_value=200, max_denominator=100),
    st.fractions(min_value=Fraction(1, 10), max_value=5, max_denominator=100),
    st.dates(datetime.date(2024, 1, 1), datetime.date(2027, 12, 31)),
)
def test_the_projection_agrees_with_counting_day_by_day(
    permit: Fraction, used: Fraction, daily: Fraction, start: datetime.date
) -> None:
    found = totals.project(permit, used, daily, start)
    amount, day, year_end = used, start, used
    exceeds_on = None
    while exceeds_on is None and used <= permit:
        amount += daily
        if amount > permit:
            exceeds_on = day
        day += datetime.timedelta(days=1)
    day = start
    while day.year == start.year:
        year_end += daily
        day += datetime.timedelta(days=1)
    assert found.exceeds_on == exceeds_on
    assert found.already is (used > permit)
    assert found.year_end == year_end
    # "this year" is nothing else than a year-end above the permit
    assert found.this_year is (year_end > permit)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-600, 7200), max_size=40), st.sampled_from([30, 60, 600]), st.integers(1, 60))
def test_online_minutes_agree_with_looking_at_each(packets: list[int], interval: int, minutes: int) -> None:
    ends = range(60, 60 * minutes + 60, 60)
    expected = sum(any(end - 3 * interval <= packet <= end for packet in packets) for end in ends)
    found = rates.online_minutes(np.array(packets, dtype=np.int64), interval, 0, 60 * minutes)
    assert found == (expected, minutes)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 6))
def test_a_value_equal_to_its_limit_complies_however_it_is_written(number: int, places: int) -> None:
    avg = exact([(number, places), (number * 10**3, places + 3)])
    hour = Hours(avg, constant(None), constant(None), np.zeros(2, np.uint8), np.full(2, MISSING), np.zeros(2, np.int64))
    found = measure(hour, constant(None))
    assert judge(found, constant(Fraction(number, 10**places))).tolist() == [OK, OK]
    assert not (judge(found, constant(Fraction(number, 10**places) - Fraction(1, 10**9))) == OK).any()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4), st.integers(-(2**70), 2**70))
def test_products_of_any_size(numbers: list[int], by: int) -> None:
    assert product(np.array(numbers, dtype=np.int64), by).tolist() == [number * by for number in numbers]
    assert greater(of(np.array(numbers)), constant(by)).tolist() == [number > by for number in numbers]
    nums, common = aligned(from_numbers([Fraction(number, 7 + at) for at, number in enumerate(numbers)]))
    assert [Fraction(n, common) for n in nums.tolist()] == [Fraction(x, 7 + at) for at, x in enumerate(numbers)]


@settings(max_examples=100, deadline=None)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_texts_are_read_as_written(number: Decimal) -> None:
    assert decimal(f" {number} ") == number
    assert decimal(f"{number:e}") == number
