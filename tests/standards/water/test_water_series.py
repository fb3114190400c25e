"""Means, rounding, validity, rhythm, plausibility, flags and instrument checks."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from standards import fixed
from standards.fixed import MISSING
from standards.water import cwqi, instruments, rhythm, rivers, trophic
from standards.water.flags import flag, flag_columns
from standards.water.items import item
from standards.water.means import (
    assessed,
    assessment_decimals,
    enough,
    mean,
    mean_of_means,
    mean_parts,
    ph_mean,
    rounded,
)
from standards.water.plausibility import cross_checks, outside_range, suspect_zero
from standards.water.targets import percent_text, shares

HOUR = 3600


def counts(*texts: str) -> np.ndarray:
    return np.array([MISSING if text == "" else fixed.parse(text, 8) for text in texts])


def half_even(value: Fraction, decimals: int) -> Decimal:
    """Independent half-even of an exact fraction; one significant digit where it would be zero."""
    rounded_value = round(value * 10**decimals)  # Fraction rounds half to even
    if rounded_value == 0 and value > 0:
        while value * 10**decimals < 1:
            decimals += 1
        rounded_value = round(value * 10**decimals)
    return Decimal(rounded_value).scaleb(-decimals)


values = st.lists(st.integers(0, 20_000), min_size=1, max_size=24)


@given(values, st.lists(st.booleans(), min_size=24, max_size=24), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_a_mean_rounds_and_compares_like_its_fraction(ten_thousandths: list[int], flags: list[bool], d: int) -> None:
    below = np.array([flags[: len(ten_thousandths)]]) & (np.array([ten_thousandths]) > 0)
    found = mean(item("NH3N"), np.array([ten_thousandths]) * 10**4, below)
    exact = sum(
        Fraction(each, 10**4) / (2 if half else 1) for each, half in zip(ten_thousandths, below[0], strict=True)
    ) / len(ten_thousandths)
    assert Decimal(int(rounded(found, d)[0])).scaleb(-8) == half_even(exact, d)
    for limit in (Fraction("0.15"), Fraction("0.5"), Fraction(1), Fraction("1.5"), Fraction(2)):
        assert (int(found[0]) > int(limit * 10**8)) == (exact > limit)
        assert (int(found[0]) < int(limit * 10**8)) == (exact < limit)


def test_half_even_of_every_count_and_residue() -> None:
    """Means of 1 … 24 hourly values, every residue modulo twice the count times the unit."""
    for count in range(1, 25):
        for residue in range(2 * count * 10):
            total = residue + 40 * count * 10  # thousandths
            series = np.full((1, count), MISSING)
            series[0, :] = (total // count) * 10**5
            series[0, : total % count] += 10**5
            found = int(rounded(mean(item("NH3N"), series), 2)[0])
            exact = Decimal(total) / Decimal(count * 1000)
            assert Decimal(found).scaleb(-8) == exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def test_half_even_where_the_quotient_does_not_terminate() -> None:
    # Decimal(total)/count is cut at 28 digits, far from any half; this one has exact halves: 0.125, 0.375
    assert rounded(mean(item("TP"), counts("0.12", "0.13")[None, :]), 2).tolist() == [12_000_000]
    assert rounded(mean(item("TP"), counts("0.37", "0.38")[None, :]), 2).tolist() == [38_000_000]


@given(st.lists(st.integers(0, 1400), min_size=1, max_size=24), st.integers(0, 4))
@settings(max_examples=200, deadline=None)
@example([850] * 3, 0)
@example([950] * 7, 0)
@example([750] + [950] * 10, 0)  # 10·10**-1 + 10**1 = 11: the mean is exactly 8.5
@example([50] + [250] * 10, 0)
def test_ph_means_equal_sixty_digits(hundredths: list[int], decimals: int) -> None:
    found = ph_mean(np.array([hundredths]) * 10**6)
    with localcontext(prec=60):
        total = sum(Decimal(10) ** (-Decimal(each) / 100) for each in hundredths)
        exact = -(total / len(hundredths)).log10()
        # 10**-50: an exact half is not missed by the last digit of sixty
        snapped = exact.quantize(Decimal("1e-50"))
        expected = snapped.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    if expected > 0:
        assert Decimal(int(rounded(found, decimals)[0])).scaleb(-8) == expected
    assert abs(Decimal(int(found[0])).scaleb(-8) - exact) <= Decimal("1e-8")


def test_the_mean_of_ph_8_5_is_exact() -> None:
    assert ph_mean(counts("7.5", *["9.5"] * 10)[None, :]).tolist() == [850_000_000]
    assert assessed("pH", ph_mean(counts("9.5", "9.5")[None, :])).tolist() == [10 * 10**8]
    assert ph_mean(np.array([[MISSING, MISSING]])).tolist() == [MISSING]


@given(st.lists(values, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_month_from_its_days_is_exact(days: list[list[int]]) -> None:
    parts = [mean_parts(np.array([day]) * 10**5) for day in days]
    sums = np.array([[int(num[0]) for num, _ in parts] + [0]])
    dens = np.array([[int(den[0]) for _, den in parts] + [0]])  # and a day without data
    exact = sum(Fraction(sum(day), 1000 * len(day)) for day in days) / len(days)
    found = mean_of_means(item("NH3N"), sums, dens)
    assert Decimal(int(rounded(found, 2)[0])).scaleb(-8) == half_even(exact, 2)


def test_means_refuse_what_they_cannot_take() -> None:
    with pytest.raises(ValueError, match="detection limit"):
        mean(item("NH3N"), np.array([[0, 5]]), np.array([[True, False]]))
    with pytest.raises(ValueError, match="4001 samples"):
        mean(item("NH3N"), np.zeros((1, 4001), dtype=np.int64))
    with pytest.raises(ValueError, match="hydrogen"):
        mean_of_means(item("pH"), np.array([[1]]), np.array([[1]]))
    assert mean(item("NH3N"), np.array([[MISSING]])).tolist() == [MISSING]


def test_ph_profiles() -> None:
    assert [assessment_decimals("pH", ph=each) for each in ("", "ph_1", "ph_2")] == [0, 1, 2]
    assert assessment_decimals("TP", ph="ph_2") == 3
    assert assessed("pH", counts("9.44"), ph="ph_1").tolist() == [940_000_000]
    assert assessed("EC", counts("680.065")).tolist() == [68_010_000_000]
    assert assessed("chla", counts("1.23456")).tolist() == counts("1.23456").tolist()  # no rule


def test_validity() -> None:
    def day(valid: int, planned: int) -> bool:
        return bool(enough(np.array([valid]), np.array([planned]), "day")[0])

    assert [day(14, 24), day(15, 24), day(3, 6), day(4, 6), day(0, 0)] == [False, True, False, True, False]
    months, twelve = np.array([7, 8, 11, 12]), np.full(4, 12)
    assert enough(months, twelve, "year").tolist() == [False, False, False, True]
    assert enough(months, twelve, "year", frozen=True).tolist() == [False, True, True, True]
    assert enough(np.array([1, 2]), np.array([3, 3]), "season").tolist() == [False, True]


def test_carried_forward_results_count_once() -> None:
    hours = np.arange(12) * HOUR
    series = counts("0.1", "0.1", "0.1", "0.1", "0.2", "0.2", "0.2", "", "0.2", "0.2", "0.3", "0.3")
    assert np.flatnonzero(rhythm.new_results("NH3N", hours, series)).tolist() == [0, 4, 8, 10]
    assert rhythm.new_results("pH", hours, series).tolist() == (series != MISSING).tolist()
    with pytest.raises(ValueError, match="increase"):
        rhythm.new_results("NH3N", hours[::-1], series)


def test_jumps() -> None:
    hours = np.array([0, 1, 2, 4, 5]) * HOUR
    assert rhythm.jumps("pH", hours, counts("7", "7.5", "8.6", "6", "6.4")).tolist() == [0, 1, 2, 0, 0]
    assert rhythm.jumps("EC", hours, counts("100", "120", "119", "500", "1000")).tolist() == [0, 1, 0, 0, 2]
    cycles = np.arange(4) * 4 * HOUR
    assert rhythm.jumps("NH3N", cycles, counts("0.01", "0.2", "0.6", "6")).tolist() == [0, 0, 1, 2]
    assert rhythm.jumps("TN", cycles, counts("1", "1.49", "2.24", "0.2")).tolist() == [0, 0, 1, 2]
    assert rhythm.jumps("turbidity", cycles, counts("1", "900", "1", "900")).tolist() == [0, 0, 0, 0]


def test_values_that_stand_still() -> None:
    hours = np.arange(30) * HOUR
    still = np.full(30, fixed.parse("7.1", 8))
    assert np.flatnonzero(rhythm.standing_still("DO", hours, still))[0] == 7  # the eighth
    assert np.flatnonzero(rhythm.standing_still("pH", hours, still))[0] == 9
    assert np.flatnonzero(rhythm.standing_still("TP", hours, still))[0] == 28
    drawn = hours // (4 * HOUR)
    assert np.flatnonzero(rhythm.standing_still("TP", hours, still, sample_times=drawn))[0] == 20  # the sixth result
    broken = np.concatenate([hours[:6], hours[6:12] + 4 * HOUR])
    assert not rhythm.standing_still("DO", broken, still[:12]).any()


def test_gaps() -> None:
    hours = np.array([0, 1, 4, 8, 9, 20]) * HOUR
    heard = counts("1", "1", "1", "1", "", "1")
    assert (rhythm.gaps("DO", hours, heard) // HOUR).tolist() == [[4, 8], [8, 20]]
    assert (rhythm.gaps("TP", hours, heard) // HOUR).tolist() == [[8, 20]]


def test_ranges_and_cross_checks() -> None:
    assert outside_range("pH", counts("1.99", "2", "14", "")).tolist() == [True, False, False, False]
    assert outside_range("COD", counts("1000")).tolist() == [False]
    assert suspect_zero("TP", counts("0", "0.001", "")).tolist() == [True, False, False]
    assert suspect_zero("DO", counts("0")).tolist() == [False]
    found = cross_checks(
        {
            "TN": counts("1", "1", ""),
            "NH3N": counts("1.1", "1.10000001", "5"),
            "COD": counts("4", "4.1", "3"),
            "CODMn": counts("4", "4", ""),
            "DO": counts("20", "20", "16.2"),
            "T": counts("15.2", "15.20000001", ""),
        }
    )
    assert {name: each.tolist() for name, each in found.items()} == {
        "X1": [False, True, False],
        "X3": [True, False, False],
        "X5": [False, True, False],  # 468/(31.6 + 15.2) = 10 mg/L: 20 is exactly 200 %
    }


def test_flags() -> None:
    found = flag_columns(["N", "L", "T", "S", "dz", "D", "n", "??"])
    assert found.valid.tolist() == [True, True] + [False] * 6
    assert found.below.tolist() == [False, True] + [False] * 6
    assert found.high.tolist() == [False, False, True] + [False] * 5
    assert found.review.tolist() == [False] * 3 + [True] + [False] * 4
    assert found.qc.tolist() == [False] * 4 + [True] + [False] * 3
    assert found.unknown.tolist() == [False] * 6 + [True] * 2  # letter case matters
    assert flag("lr").name == "缺试剂"
    assert flag("x").use == "invalid"


def test_instrument_checks_at_their_limits() -> None:
    at = counts("0.1", "0.10000001")
    assert instruments.zero_drift("NH3N", at, counts("0", "0"), counts("2", "2")).passed.tolist() == [True, False]
    zero = counts("0", "0")
    assert instruments.zero_check("NH3N", counts("0.05", "0.06"), zero).passed.tolist() == [True, False]
    assert instruments.zero_check("NH3N", counts("0.2", "0.21"), zero, profile="wide_zero").passed.tolist() == [
        True,
        False,
    ]
    with pytest.raises(ValueError, match="above zero"):
        instruments.span_check("NH3N", at, zero)
    with pytest.raises(LookupError):
        instruments.zero_check("DO", at, zero)


def test_a_failed_check_reaches_back_and_forward() -> None:
    checks, passed = np.array([10, 20, 30]), np.array([True, False, True])
    times = np.array([5, 10, 11, 19, 20, 25, 30, 99])
    assert instruments.invalidated(times, checks, passed).tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    assert not instruments.invalidated(times, np.array([], dtype=np.int64), np.array([], dtype=bool)).any()


def test_shares() -> None:
    assert shares(np.array([1, 2, 3, 4, 6, -1], dtype=np.int8)) == (5, 3, 1)
    assert [percent_text(3, 5), percent_text(1, 3), percent_text(1, 16), percent_text(0, 0)] == [
        "60.0",
        "33.3",
        "6.2",
        "",
    ]


def test_river_indicators_by_section_exceed_rate() -> None:
    classes = np.array([[4, 4, 1, 1, 1], [6, 5, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 4, 4]], dtype=np.int8)
    found = rivers.river_indicators(("pH", "DO", "CODMn", "NH3N"), classes)
    assert found == [("DO", 60), ("pH", 40), ("NH3N", 40)]


def test_profiles_of_doubtful_rules() -> None:
    five = np.array([3, 3, 3, 6, 6], dtype=np.int8)
    assert rivers.rate_river(five) is not None
    assert rivers.rate_river(five, profile="more_than_5") is None
    assert rivers.rate_river(np.append(five, np.int8(-1)), profile="more_than_5") is None  # no data does not count
    assert rivers.level_trend(1, 2, profile="one_level_marked").words == "明显下降"
    with pytest.raises(LookupError, match="one_level_marked"):
        rivers.level_trend(1, 2, profile="unknown")
    with pytest.raises(ValueError, match="1 … 5"):
        rivers.level_trend(0, 2)


def test_spearman() -> None:
    up = [Decimal(each) for each in (1, 2, 3, 4, 5)]
    assert rivers.spearman(up) == 1
    assert rivers.spearman(up[::-1]) == -1
    assert rivers.spearman([Decimal(each) for each in (2, 1, 4, 3, 5)]) == 1 - Fraction(6 * 4, 120)
    tied = rivers.spearman([Decimal(each) for each in (1, 1, 2)])
    assert abs(tied - 0.8660254037844387) < 1e-12  # Pearson of ranks 1.5, 1.5, 3 with 1, 2, 3
    assert rivers.significant(Fraction(9, 10), 5) is True
    assert rivers.significant(Fraction(8, 10), 5) is False
    assert rivers.significant(1.0, 40) is None
    with pytest.raises(ValueError, match="two different"):
        rivers.spearman([Decimal(1)] * 4)


def test_trophic_refuses_and_misses() -> None:
    good = np.array([[12.0], [0.045], [0.9], [1.1], [3.8]])
    in_mg = good.copy()
    in_mg[0] /= 1000
    assert np.allclose(trophic.trophic_index(in_mg, chla_unit="mg/L").index, trophic.trophic_index(good).index)
    gone = good.copy()
    gone[2] = np.nan
    found = trophic.trophic_index(gone)
    assert np.isnan(found.index[0])
    assert found.state.tolist() == [-1]
    for bad in (0.0, -1.0, np.inf):
        wrong = good.copy()
        wrong[3] = bad
        with pytest.raises(ValueError, match="SD"):
            trophic.trophic_index(wrong)


def test_ranking() -> None:
    shown = [Decimal("5.1"), Decimal("4.9"), Decimal("5.1"), Decimal("6")]
    assert cwqi.ranks(shown) == [2, 1, 2, 4]
    assert cwqi.ranks(shown, [False, True, False, False]) == [1, None, 1, 3]
    assert [str(cwqi.shown(each)) for each in (0.00005, 0.00015, 0.1 + 0.2)] == ["0.0000", "0.0002", "0.3000"]
    with pytest.raises(ValueError, match="neither"):
        cwqi.city_index(0.0, 0, 0.0, 0)
