"""A day that the boards of water, outlets and the pipeline are looked at with, as messages of the agents and parts.

One section is worse than its target and a wave is on its way; one outlet is over its permit, its neighbour is not; one
part was started again, one is silent. What belongs to another enterprise is 498 everywhere, so that it is noticed.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas import messages, times, topics
from schemas.blocks import Block
from schemas.health import Health, Sample
from schemas.messages import Condition
from schemas.messages_emission import Judged
from schemas.messages_water import SECTIONS_MONTH
from tests.services import samples_emission, samples_told, samples_water

GROUP, SECTION, SPRING = samples_water.GROUP, samples_water.SECTION, "xinan-spring-1"
ENTERPRISE, OUTLET, NEIGHBOUR = samples_emission.GROUP, samples_emission.OUTLET, "lanfeng-sinter-tail"
OTHER = {"group": "other", "enterprise": "other-plant"}
HOUR_S = 3600
NINE = {
    "T": "8.5", "pH": "7.8", "DO": "8.1", "EC": "612", "turbidity": "21", "CODMn": "4.1", "NH3N": "1.2", "TP": "0.15",
    "TN": "3.4",
}  # fmt: skip
FIVE = {item: NINE[item] for item in ("pH", "DO", "CODMn", "NH3N", "TP")}
LIMITS = {"legal": "100", "permit": "50", "ultra_low": "35"}

Said = list[tuple[str, bytes]]


def made(day: int) -> Said:
    """``(topic, message)`` of the day and what came before it."""
    return [*_water(day), *_warnings(day), *_outlets(day), *_suspicions(day), *_minutes(day), *_parts(day)]


def _hours(day: int) -> range:
    end = times.day_end(day)
    return range(end - 11 * HOUR_S, end + 1, HOUR_S)


def _water(day: int) -> Said:
    said: Said = []
    for end in _hours(day):
        label = times.text(end)
        n = len(NINE)
        cell = replace(
            samples_water.cell(end), period=label, factors=list(NINE), values=list(NINE.values()), flags="N" * n,
            reasons=["ok"] * n, results="N" * n, drawn=[end] * n, below=[], checks=[],
        )  # fmt: skip
        river = replace(
            samples_water.verdict("water-hour", end, label), conc=FIVE, items=dict.fromkeys(FIVE, 2) | {"NH3N": 4},
            factors=list(FIVE),
        )  # fmt: skip
        spring = replace(
            river, section=SPRING, body="spring", edition="GB/T 14848-2017", class_=2, rating=None, main=[],
            main_text="", meets=True, over_target={}, items=dict.fromkeys(FIVE, 2),
        )  # fmt: skip
        said.append((topics.CELLS, messages.encode(cell)))
        said += [(topics.VERDICTS, messages.encode(one)) for one in (river, spring)]
    for month, found in (("2015-10", 2), ("2015-11", 3), ("2015-12", 4)):
        start = times.day_start(times.day_number(times.date_of(day).replace(month=int(month[-2:]), day=1)))
        verdict = replace(samples_water.verdict("water-month", start, month), class_=found)
        shares = replace(
            samples_water.sections(SECTIONS_MONTH, start, month), good_percent=f"{60 + 5 * found}.0",
            worse_percent="0.0",
        )  # fmt: skip
        border = replace(samples_water.border(start, month), class_in=3, class_out=found, balance_zh="区内增加")
        said += [(topics.VERDICTS, messages.encode(one)) for one in (verdict, shares, border)]
    return said


def condition(
    rule: str, subject: str, since: int, factor: str = "", state: str = "began", **changes: object
) -> Condition:
    """Something that is wrong."""
    fields: dict[str, object] = {
        "id": f"g|{subject}|{rule}|{factor}|{since}", "state": state, "rule": rule, "group": "g", "subject": subject,
        "factor": factor, "since": since, "until": since + HOUR_S, "now": (since + HOUR_S) * 1000,
        "origin": "", "level": "yellow", "detail": {"name": "名称"}, "ruleset": "r", "registry": "0" * 16,
    }  # fmt: skip
    return Condition(**(fields | changes))  # type: ignore[arg-type]


def _warnings(day: int) -> Said:
    end = times.day_end(day)
    water = {"name": "石梁", "level": "warning", "item": "氨氮", "value": "1.2", "worst": "1.3", "unit": "mg/L"}
    found = [
        condition("water-level", SECTION, end - 9 * HOUR_S, "NH3N", level="orange", detail=water),
        condition("water-level", SECTION, end - 5 * HOUR_S, "TP", state="ended"),
        condition("spring-guard", SPRING, end - 4 * HOUR_S, "turbidity", detail={"name": "辛安泉"}),
    ]
    waves = [
        samples_water.arrival(end - 4 * HOUR_S),
        replace(samples_water.arrival(end - 30 * HOUR_S), state="attenuated", period="2015-11-30T18"),
    ]
    return [
        *((topics.CONDITIONS, messages.encode(one)) for one in found),
        *((topics.VERDICTS, messages.encode(one)) for one in waves),
    ]


def _outlets(day: int) -> Said:
    said: Said = []
    over = Judged("EXCEED", "61.0", "50", "1.220", "zs", "", {"permit": "EXCEED"}, LIMITS, "orange")
    fine = Judged("OK", "20.0", "50", "0.400", "zs", "", {"permit": "OK"}, LIMITS)
    exempt = Judged("EXEMPT", "80.0", "50", "1.600", "zs", "", {"permit": "EXCEED"}, LIMITS)
    elsewhere = Judged("EXCEED", "498", "50", "9.960", "zs", "", {"permit": "EXCEED"}, LIMITS, "red")
    for end in _hours(day):
        cell = replace(
            samples_emission.cell(end), period=times.text(end), values=["50.0", "12", "88.0", "16.2", "4100", "1500"],
            factors=["NOx", "SO2", "flow", "O2", "production_power_01", "treatment_power_01"], flags="N" * 6,
            units=[""] * 6, zs=[None] * 6, amounts=[None] * 6, origins="L" * 6, reasons=["ok"] * 6, minutes=[60] * 6,
            checks=[[]] * 6,
        )  # fmt: skip
        hour = replace(samples_emission.hour(end), period=times.text(end))
        hours = [
            replace(hour, items={"NOx": over, "PM": fine, "SO2": exempt}),
            replace(hour, outlet=NEIGHBOUR, items={"PM": fine}),
            replace(hour, outlet="other-stack", items={"NOx": elsewhere}, **OTHER),
        ]
        said.append((topics.CELLS, messages.encode(cell)))
        said += [(topics.VERDICTS, messages.encode(one)) for one in hours]
    for n in range(3):
        daily = replace(
            samples_emission.day(times.day_start(day - n)), period=str(times.date_of(day - n)),
            items={"PM": Judged("OK", "12.0", "50", "0.240", limits={"legal": "OK"}, numbers={"legal": "50"})},
        )  # fmt: skip
        said.append((topics.VERDICTS, messages.encode(daily)))
    month = samples_emission.period("outlet-month", times.day_start(day), "2015-12")
    said += [
        (topics.VERDICTS, messages.encode(month)),
        (topics.VERDICTS, messages.encode(replace(month, outlet=NEIGHBOUR, product="99.000"))),
        (topics.VERDICTS, messages.encode(replace(month, outlet="other-stack", product="498.0", **OTHER))),
    ]
    return said


def _suspicions(day: int) -> Said:
    end = times.day_end(day)
    words = {
        "R9.hours": {"title": "小时均值恒定", "reason": "连续 4 个小时均值均为 50"},
        "R10.top": {"title": "数据卡在限值之下", "reason": "7 天 168 个小时值中 60 个在限值之下"},
        "R5.air": {"title": "生产期间氧含量接近空气", "reason": "生产运行而氧含量 20.6 %"},
    }  # fmt: skip
    found = [
        condition(
            "suspect", OUTLET, end - (3 + n) * HOUR_S, "NOx", state="ended" if check == "R5.air" else "began",
            level="orange", detail={"name": "1号烧结机头", "rule": check.split(".")[0], "check": check, **said},
        )
        for n, (check, said) in enumerate(words.items())
    ] + [
        condition(
            "over-limit", OUTLET, end - 6 * HOUR_S, "NOx", detail={"name": "机头", "value": "61", "unit": "mg/m3"}
        ),
        condition("offline", OUTLET, end - 40 * HOUR_S, state="ended"),
        condition("suspect", "other-stack", end - 3 * HOUR_S, "NOx", detail={"check": "R1", "title": "别处"}),
    ]  # fmt: skip
    return [(topics.CONDITIONS, messages.encode(one)) for one in found]


def _minutes(day: int) -> Said:
    end = times.day_end(day)
    block = Block(
        writer="gw", first=7, sources=[OUTLET], factors=["NOx"], source=[0, 0], times=[end - 60, end], periods="mm",
        received=[end * 1000] * 2, qn=[""] * 2, counts=[1, 1], factor=[0, 0], values=[4800, 5200], places="22",
        flags="NN", codes=["a21002"], units=[""], marks="__",
    )  # fmt: skip
    return [(topics.READINGS_EMISSION, messages.encode(block))]


def _parts(day: int) -> Said:
    """Three hours until ten past midnight: the sink is started again in the last, notify is silent at the end."""
    end = times.day_end(day) * 1000 + 600_000
    said: Said = []
    for n, at in enumerate([*range(end - 3 * 3_600_000, end - 600_000, 600_000), *range(end - 600_000, end, 30_000)]):
        for part in ("gateway", "worker", "sink", "notify"):
            if part == "notify" and at > end - 300_000:
                continue
            since = (end - 86_400_000) / 1000 if part != "sink" or at < end - 310_000 else end / 1000 - 310
            numbers = {("up_since", "-"): since, ("memory", "-"): 1e8, ("cpu", "-"): 3.0 * n}
            if part == "gateway":
                numbers |= {("received", "-"): 600.0 * n, ("waiting", "-"): 3.0}
            elif part == "worker":
                numbers |= {
                    ("lag", "readings-air"): 17.0, ("lag", "readings-water"): 5.0, ("tick_age", "readings-air"): 42.0,
                    ("judged", "readings-air"): 300.0 * n, ("checkpoint", "readings-air"): 0.2,
                }  # fmt: skip
            elif part == "sink":
                numbers |= {("stored", "-"): 9000.0 * n, ("store_waits", "-"): float(n), ("lag", "cells"): 2.0}
            else:
                numbers |= {("told", "sent"): float(n)}
            samples = [Sample(name, about, value) for (name, about), value in numbers.items()]
            said.append((topics.HEALTH, messages.encode(Health(part, f"{part}-1", at, samples))))
    letter = samples_told.letter(end - 7_200_000, id="readings-air/1/9", place="readings-air/1/9", reason="乱码")
    return [*said, (topics.DEAD, messages.encode(letter))]
