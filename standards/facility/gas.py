"""R5 to R8: oxygen, carbon dioxide, flow and velocity of flue gas (emission.md §5)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from standards.emission.exact import product
from standards.facility.scope import Found, Lacks, Scope, pct, rows, shown, shown_float
from standards.facility.signals import Signal, combined, correlation, correlation_above, moments, range_in, tri


def process_number(at: Scope, param: str, name: str, zh: str) -> Fraction:
    """A number of the outlet: as it set it, else as its process has it.

    Raises:
        Lacks: neither.
    """
    own = at.p(param)
    if own > 0:
        return own
    found = at.settings.processes.get(at.plant.process, {}).get(name)
    if found is None:
        raise Lacks(
            "process",
            f"工序 {at.plant.process or '未知'} 无{zh}，可设参数 {param}",
            f"process {at.plant.process or 'unknown'} has no {name}; set {param}",
        )
    return found


def o2_above_ceiling(at: Scope, _subject: str) -> Found:
    """R5: hourly O2 above what the process can have."""
    ceiling = process_number(at, "ceiling_pct", "o2_ceiling", "氧含量上限")
    o2 = at.signal("hours", "O2")
    state = o2.above(ceiling) & at.running("hours", at.share("production_pct"))
    return Found(state, lambda slot: {"o2_pct": shown(o2.at(slot)), "ceiling": shown(ceiling)})


def o2_step(at: Scope, _subject: str) -> Found:
    """R5: O2 moved by more than allowed within minutes, up or down, and the load did not."""
    back = at.i("within_min")
    o2, load = at.signal("minutes", "O2", back), at.load("minutes", back)
    now, then = o2[back:], o2[:-back]
    moved = np.abs(now.num - then.num)
    most, calm = at.p("step_pct") * o2.den, at.share("load_change_pct") * load.den
    low, high, _some = range_in(load, back + 1)
    step = np.asarray(moved * most.denominator > most.numerator, dtype=np.bool_)
    still = np.asarray(product(high - low, calm.denominator) <= calm.numerator, dtype=np.bool_)
    loads = load.known[back:] & load.known[:-back]
    state = tri(step & still, now.known & then.known & loads) & at.running("minutes", at.share("production_pct"))
    return Found(
        state,
        lambda slot: {
            "from_pct": shown(then.at(slot)), "to_pct": shown(now.at(slot)),
            "load_change_found_pct": pct(Fraction(int(high[slot] - low[slot]), load.den)),
        },
    )  # fmt: skip


def o2_of_air(at: Scope, _subject: str) -> Found:
    """R5: as much oxygen as in air while production is on; only of processes that burn something."""
    if "combustion" not in at.settings.processes.get(at.plant.process, {}):
        name = at.plant.process or "unknown"
        raise Lacks(
            "process", f"工序 {name} 的烟气可以是空气", f"the gas of process {name} may be air: not asked of it"
        )
    o2 = at.signal("minutes", "O2")
    state = ~o2.below(at.p("o2_pct")) & at.on("minutes", "production", at.share("production_pct"))
    return Found(state, lambda slot: {"o2_found_pct": shown(o2.at(slot))})


def o2_co2_apart(at: Scope, _subject: str) -> Found:
    """R6: hourly O2 and CO2 of a day do not mirror each other."""
    width = at.i("window_h")
    back = (width - 1) * 60
    still = at.flag("hours", "standstill", back) | at.flag("hours", "condition", back)
    o2, co2 = (at.signal("hours", name, back).only(~still) for name in ("O2", "CO2"))
    x, y = rows(o2, width), rows(co2, width)
    both = x.known & y.known
    sums = moments(x.num, y.num, both)
    n = both.sum(axis=-1)
    low = np.where(both, x.num, np.iinfo(np.int64).max // 4).min(axis=-1)
    high = np.where(both, x.num, -(np.iinfo(np.int64).max // 4)).max(axis=-1)
    least = at.p("least_move_pct") * o2.den
    moves = (n > 0) & np.asarray((high - low) * least.denominator > least.numerator, dtype=np.bool_)
    enough = (n >= at.i("least_h")) & moves & np.asarray(sums.spread_y > 0, dtype=np.bool_)
    state = tri(correlation_above(sums, at.p("above")), enough & both[:, -1])
    return Found(state, lambda slot: {"r": shown_float(correlation(sums, slot)), "hours": str(int(n[slot]))})


def co2_off_line(at: Scope, _subject: str) -> Found:
    """R6: CO2 off ``CO2max · (20.9 - O2) / 20.9`` by more than a share of it."""
    most = process_number(at, "co2_max_pct", "co2_max", "理论 CO2")
    air, off = at.p("air_o2_pct"), at.share("off_pct")
    o2, co2 = at.signal("hours", "O2"), at.signal("hours", "CO2")
    slope = most / air
    # above: co2 > (1 + t)·line, below: co2 < (1 - t)·line, line = CO2max - slope·O2
    above, known = combined((co2, Fraction(1)), (o2, slope * (1 + off)), -most * (1 + off))
    below, _ = combined((co2, Fraction(-1)), (o2, -slope * (1 - off)), most * (1 - off))
    line, _ = combined((o2, -slope), most - at.p("least_co2_pct"))
    means = np.asarray(line >= 0, dtype=np.bool_)
    state = tri(np.asarray((above > 0) | (below > 0), dtype=np.bool_) & means, known)

    def figures(slot: int) -> dict[str, str]:
        o2_here = o2.at(slot)
        expected = None if o2_here is None else most * (air - o2_here) / air
        return {"o2_pct": shown(o2_here), "co2_pct": shown(co2.at(slot)), "expected_pct": shown(expected, 2)}

    return Found(state, figures)


def flow_off_load(at: Scope, _subject: str) -> Found:
    """R7: hourly flow beside ``normal flow · load``."""
    normal = at.plant.normal_flow
    if normal is None:
        raise Lacks("normal_flow", "注册表缺满负荷流量 normal_flow", "the registry has no normal_flow")
    off = at.share("off_pct")
    flow, load = at.signal("hours", "flow"), at.load("hours")
    above, known = combined((flow, Fraction(1)), (load, -normal * (1 + off)))
    below, _ = combined((flow, Fraction(-1)), (load, normal * (1 - off)))
    apart = np.asarray((above > 0) | (below > 0), dtype=np.bool_)
    state = tri(apart, known) & at.running("hours", at.share("production_pct"))

    def figures(slot: int) -> dict[str, str]:
        share = load.at(slot)
        expected = None if share is None else share * normal
        return {"flow": shown(flow.at(slot)), "expected": shown(expected), "load_pct": pct(share)}

    return Found(state, figures)


def velocity_outside(at: Scope, _subject: str) -> Found:
    """R8: velocity outside what the particulate value can be trusted in."""
    speed: Signal = at.signal("minutes", "velocity")
    outside = speed.below(at.p("low_m_s")) | speed.above(at.p("high_m_s"))
    state = outside & at.running("minutes", at.share("production_pct"))
    return Found(state, lambda slot: {"velocity": shown(speed.at(slot))})
