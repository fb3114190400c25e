"""Quality checks Q01 … Q14: each with what it must flag and what it must leave alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from standards import air
from standards.air import checks

SO2, NO2, CO, O3, PM10, PM25 = range(6)


def hours(n_stations: int = 1, n_hours: int = 48) -> Any:
    """Values that move a little every hour, so that nothing is constant and nothing jumps."""
    base = np.array([6_000, 20_000, 500, 80_000, 60_000, 30_000], np.int64)
    wave = (np.arange(n_hours) % 5 - 2)[None, :, None] * np.array([300, 900, 30, 900, 900, 700])
    shift = np.arange(n_stations)[:, None, None] * np.array([100, 300, 10, 400, 500, 200])
    return base + wave + shift


def test_ordinary_hours_are_not_flagged() -> None:
    for name, flags in air.review(hours(4)).items():
        assert name in air.CHECKS
        assert not flags.any(), name


def test_every_check_has_its_words() -> None:
    assert list(air.CHECKS) == [f"Q{number:02d}" for number in range(1, 15)]


def test_q01_overdue() -> None:
    end = np.array([0, 3600, 7200])
    present = np.array([[True, False, False]])
    assert checks.q01_overdue(present, end, 3600 + 3600).tolist() == [[False, False, False]]
    assert checks.q01_overdue(present, end, 3600 + 3601).tolist() == [[False, True, False]]


def test_q02_time_and_repeats() -> None:
    received = np.full(4, 10**9)
    end = received + np.array([600, 601, -60 * 86400, -60 * 86400 - 1])
    assert [checks.TIME_CODES[code] for code in checks.q02_time(end, received)] == ["ok", "future", "ok", "too_old"]
    assert checks.q02_repeated(np.array([1, 2, 1, 3, 1])).tolist() == [True, False, True, False, False]


def test_q05_soft_range() -> None:
    made = hours()
    made[0, 3] = [1_309_001, 940_001, 57_301, 981_001, 10**7, 10**7]
    flags = checks.q05_soft_range(made)
    assert flags[0, 3].tolist() == [True] * 4 + [False] * 2
    assert flags.sum() == 4


def test_q07_zero_for_hours() -> None:
    made = hours()
    made[0, 5:7, SO2] = 0
    made[0, 10:13, O3] = 0
    flags = checks.q07_long_zero(made)
    assert np.argwhere(flags).tolist() == [[0, 10, O3], [0, 11, O3], [0, 12, O3]]


def test_q08_constant() -> None:
    made = hours()
    made[0, 4:8, PM25] = 31_000
    made[0, 12:19, SO2] = 6_123
    made[0, 20:28, SO2] = 6_124
    made[0, 0:24, CO] = 511
    made[0, 30:40, NO2] = air.MISSING
    suspect, proposed = checks.q08_constant(made)
    assert suspect[0, :, PM25].sum() == 4
    assert suspect[0, 12:19, SO2].sum() == 0
    assert suspect[0, 20:28, SO2].sum() == 8
    assert suspect[0, :, NO2].sum() == 0, "a gap is not constant"
    assert proposed[0, :24, CO].all()
    assert proposed.sum() == 24


def test_q09_inversion() -> None:
    made = hours()
    made[0, 2:6, PM10] = [40_000, 100_000, 100_000, 100_000]
    made[0, 2:6, PM25] = [45_000, 110_001, 120_000, 130_000]
    suspect, alarm = checks.q09_inversion(made)
    assert suspect[0, 2:6, PM25].tolist() == [False, True, True, True]
    assert (suspect[..., PM10] == suspect[..., PM25]).all()
    assert not suspect[..., :PM10].any()
    assert np.flatnonzero(alarm[0]).tolist() == [5]


def test_q10_nox() -> None:
    def flag(no: int, no2: int, nox: int) -> bool:
        return bool(checks.q10_nox(np.array(no), np.array(no2), np.array(nox)))

    assert not flag(10_000, 30_000, 45_330)
    assert flag(10_000, 50_001, 45_000)
    assert flag(10_000, 30_000, 90_000)
    assert not flag(air.MISSING, 30_000, 34_000)
    assert not flag(10_000, air.MISSING, 34_000)


def test_q11_jump_alone_and_together() -> None:
    made = hours(4)
    made[1, 20, PM25] = 300_000
    flags = checks.q11_jump(made)
    assert np.argwhere(flags).tolist() == [[1, 20, PM25]]
    made[:, 20, PM25] = 300_000
    assert not checks.q11_jump(made).any(), "the neighbours move too"
    high = hours()
    high[0, 19:21, PM25] = [150_000, 310_000]
    assert not checks.q11_jump(high)[0, 20, PM25], "not three times the hour before"
    gap = hours()
    gap[0, 19, PM25] = air.MISSING
    gap[0, 20, PM25] = 500_000
    assert not checks.q11_jump(gap)[0, 20, PM25]


def test_q12_peers() -> None:
    made = hours(5)
    made[2, 7, O3] = 300_000
    made[3, 9, O3] = air.MISSING
    assert np.argwhere(checks.q12_peers(made)).tolist() == [[2, 7, O3]]
    assert not checks.q12_peers(made[:3]).any(), "two peers are too few"
    made[:, 7, O3] = 300_000
    assert not checks.q12_peers(made).any()


def test_q13_periodic() -> None:
    made = hours(2, 96)
    made[0, [2, 26], NO2] = 200_000
    assert not checks.q13_periodic(made).any(), "on two days only"
    made[0, 50, NO2] = 200_000
    assert np.argwhere(checks.q13_periodic(made)).tolist() == [[0, 2, NO2], [0, 26, NO2], [0, 50, NO2]]
    made[0, 50, NO2] = 21_000
    made[0, 51, NO2] = 200_000
    assert not checks.q13_periodic(made).any(), "at another hour"


def test_q14_minutes() -> None:
    assert checks.q14_minutes(np.array([60, 45, 44, 0])).tolist() == [False, False, True, True]


def test_q11_never_flags_a_fall() -> None:
    made = hours()
    made[0, :20, PM25] = 900_000
    assert not checks.q11_jump(made).any(), "no value falls by three times what it was"


def test_q13_counts_within_its_window() -> None:
    days = 80
    made = hours(1, days * 24)
    for day in (0, 20, 40, 60):
        made[0, day * 24 + 2, NO2] = 200_000
    assert not checks.q13_periodic(made).any(), "no 30 days hold three"
    made[0, 45 * 24 + 2, NO2] = 200_000
    assert np.argwhere(checks.q13_periodic(made)).tolist() == [[0, day * 24 + 2, NO2] for day in (20, 40, 45, 60)]
    rng = np.random.default_rng(5)
    marks = rng.random((2, days, 6)) < 0.1
    wanted = [
        [
            [max(marks[s, max(0, a) : a + 30, p].sum() for a in range(d - 29, d + 1)) for p in range(6)]
            for d in range(days)
        ]
        for s in range(2)
    ]
    inside = checks._most_in_window(marks, 30)
    ends = [d for d in range(days) if 29 <= d < days - 29]
    assert (inside[:, ends] == np.array(wanted)[:, ends]).all()
