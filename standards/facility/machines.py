"""R1 to R4, R16 to R20, R24: production, treatment and what belongs to them (emission.md §5)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce

import numpy as np

from standards.emission.exact import product
from standards.facility.inputs import DAY
from standards.facility.scope import Found, Lacks, Scope, pct, shown
from standards.facility.signals import (
    Signal,
    Tri,
    certain,
    count_in,
    last_true,
    median,
    range_in,
    sum_in,
    tri,
)


def flow_above(at: Scope, share: Fraction) -> Tri:
    """Whether the flow is above a share of the normal flow.

    Raises:
        Lacks: the registry has no normal flow.
    """
    if at.plant.normal_flow is None:
        raise Lacks("normal_flow", "注册表缺满负荷流量 normal_flow", "the registry has no normal_flow")
    return at.signal("minutes", "flow").above(at.plant.normal_flow * share)


def share_figure(at: Scope, name: str, back: int = 0) -> Callable[[int], str]:
    """The share of the rating of a slot as a percentage; of machines without one of them, nothing."""
    signal = at.share_of("minutes", name, back)
    return lambda slot: pct(signal.at(slot + back))


def treatment_off(at: Scope, line: str) -> Found:
    """R1: production on, treatment off; not in the grace time after production came on."""
    grace = at.i("grace_min")
    production = at.on("minutes", "production", at.share("production_pct"), grace)
    off = at.off("minutes", line, at.share("treatment_pct"))
    fresh = count_in(production.no[:-1], grace) > 0 if grace else np.zeros(at.count, dtype=np.bool_)
    here = production[grace:] if grace else production
    state = here & off & certain(~fresh)
    power, cure = share_figure(at, "production"), share_figure(at, line)
    return Found(state, lambda slot: {"production_found_pct": power(slot), "treatment_found_pct": cure(slot)})


def _running_edges(at: Scope, line: str, back: int) -> tuple[Tri, Tri]:
    production = at.on("minutes", "production", at.share("production_pct"), back)
    cure = ~at.off("minutes", line, at.share("treatment_pct"), back)
    return production, cure


def treatment_late(at: Scope, line: str) -> Found:
    """R2: treatment has not been on since production came on, longer ago than allowed."""
    back = at.i("search_min") + 1
    production, cure = _running_edges(at, line, back)
    slots = np.arange(back, back + at.count)
    start = last_true(production.no)[back:] + 1
    cured = last_true(cure.yes)[back:]
    since = slots - start
    began = (start > 0) & (since < back)
    late = production.yes[back:] & cure.no[back:] & began & (cured < start) & (since >= at.i("late_min"))
    known = production.no[back:] | cure.yes[back:] | (production.yes[back:] & cure.no[back:])
    return Found(tri(late, known), lambda slot: {"minutes": str(int(since[slot]) + 1)})


def treatment_early(at: Scope, line: str) -> Found:
    """R2: treatment went off in this run of production, longer before production did than allowed."""
    back = at.i("search_min") + 1
    production, cure = _running_edges(at, line, back)
    slots = np.arange(back, back + at.count)
    stopped = production.no[back:] & production.yes[back - 1 : -1]
    start = last_true(production.no)[back - 1 : -1] + 1
    cured = last_true(cure.yes)[back - 1 : -1]
    before = slots - 1 - cured
    early = stopped & cure.no[back - 1 : -1] & (cured >= 0) & (cured >= start) & (before < back)
    early &= before > at.i("early_min")
    known = production.known[back:] & production.known[back - 1 : -1]
    return Found(tri(early, known), lambda slot: {"minutes": str(int(before[slot]))})


def treatment_short(at: Scope, line: str) -> Found:
    """R2: run time of treatment in a calendar day beside that of production."""
    production = at.on("minutes", "production", at.share("production_pct"))
    cure = ~at.off("minutes", line, at.share("treatment_pct"))
    both = production.known & cure.known
    ran = (production.yes & both).reshape(-1, DAY).sum(axis=1)
    cured = (cure.yes & both).reshape(-1, DAY).sum(axis=1)
    known = both.reshape(-1, DAY).sum(axis=1) >= at.i("least_min")
    short = ran - cured > at.i("short_min")
    return Found(
        tri(np.asarray(short), np.asarray(known)),
        lambda slot: {"production_min": str(int(ran[slot])), "treatment_min": str(int(cured[slot]))},
    )


def _usual_ratio(at: Scope, line: str, day: int) -> Fraction | None:
    """The median of treatment over production of the hours of the days before, or None of too few days."""
    key = ("ratio", line, day, at.p("production_pct"), at.p("history_days"))
    if key not in at.cache.others:
        days = at.i("history_days")
        power, cure = (_hours_of(at, name, day, days) for name in ("production", line))
        fit = power.above(at.share("production_pct")).yes & cure.known
        enough = int(fit.reshape(-1, 24).any(axis=1).sum()) >= at.i("least_days")
        ratio = median(product(cure.num[fit], power.den), product(power.num[fit], cure.den)) if enough else None
        at.cache.others[key] = ratio
        at.cache.others[(*key, "days")] = int(fit.reshape(-1, 24).any(axis=1).sum())
    found = at.cache.others[key]
    assert found is None or isinstance(found, Fraction)
    return found


def _hours_of(at: Scope, name: str, day: int, days: int) -> Signal:
    """The shares of the hours of so many days before a day; standstill and excused hours are not known."""
    past = at.between(day - days * DAY, days * DAY)
    signal = past.share_of("hours", name)
    return signal.only(~(past.flag("hours", "standstill") | past.flag("hours", "excused")))


def treatment_weak(at: Scope, line: str) -> Found:
    """R3: treatment in proportion to production far below its usual."""
    if not at.has("hours", line):
        raise Lacks("series", f"缺小时序列 {line}", f"needs hours of {line}")
    power = at.share_of("minutes", "production")
    cure = at.share_of("minutes", line)
    high = power.above(at.share("production_pct"))
    factor = at.p("share_of_median")
    yes, no = np.zeros(at.count, dtype=np.bool_), high.no.copy()
    usual: dict[int, Fraction] = {}
    judged = False
    for day, part in at.by_day():
        ratio = _usual_ratio(at, line, day)
        if ratio is None:
            continue
        judged = True
        level = ratio * factor
        left = product(cure.num[part], power.den * level.denominator)
        right = product(power.num[part], cure.den * level.numerator)
        known = cure.known[part] & high.known[part]
        weak = np.asarray(left < right, dtype=np.bool_) & high.yes[part] & known
        yes[part] = weak
        no[part] |= known & ~weak
        usual.update(dict.fromkeys(range(part.start, part.stop), ratio))
    if not judged and at.count:
        day = at.by_day()[-1][0]
        has = at.cache.others[("ratio", line, day, at.p("production_pct"), at.p("history_days"), "days")]
        raise Lacks.history(at.i("least_days"), at.i("history_days"), int(str(has)))

    def figures(slot: int) -> dict[str, str]:
        p, t = power.at(slot), cure.at(slot)
        ratio = t / p if p and t is not None else None
        return {
            "production_found_pct": pct(p),
            "treatment_found_pct": pct(t),
            "ratio": shown(ratio),
            "median": shown(usual[slot]),
        }

    return Found(Tri(yes, no & ~yes), figures)


def _any_concentration(at: Scope) -> tuple[Tri, list[tuple[str, Signal]]]:
    there = [(factor, at.signal("minutes", factor)) for factor in ("SO2", "NOx") if at.has("minutes", factor)]
    if not there:
        raise Lacks("series", "缺 SO2 或 NOx 分钟序列", "needs minutes of SO2 or NOx")
    return reduce(lambda a, b: a | b, (signal.above(at.p("concentration")) for _, signal in there)), there


def emission_without_power(at: Scope, _subject: str) -> Found:
    """R4: no power of production, yet flow and a concentration."""
    off = at.off("minutes", "production", at.share("production_pct"), own=False)
    above, there = _any_concentration(at)
    state = off & flow_above(at, at.share("flow_pct")) & above
    power, flow = share_figure(at, "production"), at.signal("minutes", "flow")

    def figures(slot: int) -> dict[str, str]:
        found = {"production_found_pct": power(slot), "flow": shown(flow.at(slot))}
        return found | {name: value for name, signal in there if (value := shown(signal.at(slot)))}

    return Found(state, figures)


def emission_at_standstill(at: Scope, _subject: str) -> Found:
    """R4: the mark says standstill, yet flow with less oxygen than air."""
    o2, flow = at.signal("minutes", "O2"), at.signal("minutes", "flow")
    state = certain(at.flag("minutes", "standstill")) & o2.below(at.p("o2_pct")) & flow_above(at, at.share("flow_pct"))
    return Found(state, lambda slot: {"o2_found_pct": shown(o2.at(slot)), "flow": shown(flow.at(slot))})


def _ph(at: Scope, back: int = 0) -> tuple[Signal, Tri]:
    return at.signal("minutes", "slurry_ph", back), at.running("minutes", at.share("production_pct"))


def slurry_outside(at: Scope, _subject: str) -> Found:
    """R16: slurry pH outside its range."""
    ph, on = _ph(at)
    state = (ph.below(at.p("low")) | ph.above(at.p("high"))) & on
    return Found(state, lambda slot: {"ph": shown(ph.at(slot))})


def slurry_flat(at: Scope, _subject: str) -> Found:
    """R16: the variance (of a sample) of slurry pH over a window is smaller than any regulated slurry has."""
    width = at.i("window_min")
    ph, on = _ph(at, width - 1)
    n = count_in(ph.known, width)
    x = product(ph.num, 1)
    if x.size and int(np.abs(x).max()) ** 2 * width * width >= 2**62:
        x = x.astype(object)
    s, q = sum_in(x, width), sum_in(x * x, width)
    limit = at.p("variance") * ph.den * ph.den
    spread = n * q - s * s  # n · (n - 1) · variance, in counts
    flat = np.asarray(spread * limit.denominator < limit.numerator * n * (n - 1), dtype=np.bool_)
    state = tri(flat, (n >= at.i("least_min")) & ph.known[width - 1 :]) & on

    def figures(slot: int) -> dict[str, str]:
        many = int(n[slot])
        return (
            {"variance_found": shown(Fraction(int(spread[slot]), many * (many - 1) * ph.den**2), 5)} if many > 1 else {}
        )

    return Found(state, figures)


def slurry_jump(at: Scope, _subject: str) -> Found:
    """R16: slurry pH moved by more than allowed within a window."""
    width = at.i("window_min") + 1  # values an hour apart are 61 minutes
    ph, on = _ph(at, width - 1)
    low, high, there = range_in(ph, width)
    most = at.p("most") * ph.den
    moved = np.asarray((high - low) * most.denominator > most.numerator, dtype=np.bool_)
    state = tri(moved, there & ph.known[width - 1 :]) & on
    return Found(state, lambda slot: {"change": shown(Fraction(int(high[slot] - low[slot]), ph.den))})


def pumps_off(at: Scope, _subject: str) -> Found:
    """R17: all circulation pumps low while the boiler has load."""
    low = at.off("minutes", "circulation_pump", at.share("pump_pct"), own=False)
    load = at.load("minutes")
    state = low & load.above(at.share("load_pct"))
    pump = share_figure(at, "circulation_pump")
    return Found(state, lambda slot: {"load_found_pct": pct(load.at(slot)), "pump_found_pct": pump(slot)})


def pumps_off_so2_unchanged(at: Scope, _subject: str) -> Found:
    """R17: the pumps have been low for a while, were not before, and SO2 at the outlet is as it was: a hint."""
    beside, least = at.i("beside_min"), at.i("least_min")
    back = 2 * beside - 1
    low = at.off("minutes", "circulation_pump", at.share("pump_pct"), back, own=False)
    so2 = at.counts("SO2", at.signal("minutes", "SO2", back))
    load = at.load("minutes")
    sums, counts = sum_in(so2.num, beside), count_in(so2.known, beside)
    after_s, after_n = sums[beside:], counts[beside:]
    before_s, before_n = sums[:-beside], counts[:-beside]
    since = count_in(low.yes, beside)[beside:] == beside
    ran = count_in(low.no, beside)[:-beside] >= least
    # |a - b| ≤ t · b with means a = S/n
    a, b = product(after_s, before_n), product(before_s, after_n)
    share = at.share("unchanged_pct")
    same = np.asarray(product(np.abs(a - b), share.denominator) <= product(b, share.numerator), dtype=np.bool_)
    known = (after_n >= least) & (before_n >= least)
    state = tri(since & ran & same, low.known[back:] & (known | ~since | ~ran)) & load.above(at.share("load_pct"))

    def figures(slot: int) -> dict[str, str]:
        one, other = (
            Fraction(int(s[slot]), int(n[slot]) * so2.den) for s, n in ((before_s, before_n), (after_s, after_n))
        )
        return {"so2_before": shown(one), "so2_after": shown(other), "load_found_pct": pct(load.at(slot))}

    return Found(state, figures)


def pressure_low(at: Scope, line: str) -> Found:
    """R18: pressure drop of the bag filter too low: broken bags or a by-pass."""
    drop = at.signal("minutes", line)
    state = drop.below(at.p("pressure_pa")) & at.running("minutes", at.share("production_pct"))
    return Found(state, lambda slot: {"pressure": shown(drop.at(slot))})


def pressure_high(at: Scope, line: str) -> Found:
    """R18: pressure drop of the bag filter too high: blocked."""
    drop = at.signal("minutes", line)
    state = drop.above(at.p("pressure_pa")) & at.running("minutes", at.share("production_pct"))
    return Found(state, lambda slot: {"pressure": shown(drop.at(slot))})


def no_reagent(at: Scope, line: str) -> Found:
    """R19: no ammonia under load, and NOx at the outlet below its limit all the same."""
    limit = at.plant.limits.get("NOx")
    if limit is None:
        raise Lacks("limit", "NOx 无限值", "NOx has no limit")
    name = at.shown_name("minutes", "NOx")
    nox, load = at.signal("minutes", name), at.load("minutes")
    none = ~at.on("minutes", line, at.share("reagent_pct"))
    state = none & nox.below(limit) & load.above(at.share("load_pct"))
    dose = share_figure(at, line)
    return Found(
        state,
        lambda slot: {
            "reagent_found_pct": dose(slot), "load_found_pct": pct(load.at(slot)),
            "nox": shown(nox.at(slot)), "limit": shown(limit),
        },
    )  # fmt: skip


def slip(at: Scope, _subject: str) -> Found:
    """R19: ammonia slip above what the kind of denitration may have."""
    kind = at.plant.denitration
    if kind not in ("SCR", "SNCR"):
        raise Lacks("denitration", "未说明脱硝方式（SCR 或 SNCR）", "the kind of denitration (SCR or SNCR) is not told")
    most = at.p(f"{kind.lower()}_mg_m3")
    ammonia = at.signal("minutes", "NH3")
    return Found(ammonia.above(most), lambda slot: {"nh3": shown(ammonia.at(slot)), "limit": shown(most)})


def bypass_open(at: Scope, line: str) -> Found:
    """R20: the by-pass damper is open while production is on."""
    opened = at.on("minutes", line, at.share("opening_pct"))
    state = opened & at.on("minutes", "production", at.share("production_pct"))
    opening, power = share_figure(at, line), share_figure(at, "production")
    return Found(state, lambda slot: {"opening_found_pct": opening(slot), "production_found_pct": power(slot)})


def pumps_without_flow(at: Scope, _subject: str) -> Found:
    """R24: the lift pumps run and no water flows."""
    on = at.on("minutes", "lift_pump", at.share("pump_pct"))
    flow = at.signal("minutes", "flow")
    state = on & ~flow.above(Fraction(0))
    pump = share_figure(at, "lift_pump")
    return Found(state, lambda slot: {"pump_found_pct": pump(slot), "flow": shown(flow.at(slot))})
