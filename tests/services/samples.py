"""Messages as the agents publish them, for tests of what stands behind the log."""

from __future__ import annotations

import datetime as dt

from schemas import measurements, messages, times, topics
from schemas.messages import (
    AirBudget,
    AirChange,
    AirChecks,
    AirDifference,
    AirPeriod,
    AirRanking,
    AirVerdict,
    Cell,
    Condition,
)
from schemas.registry import AIR_FACTORS
from tests.services import samples_emission, samples_told, samples_water

AREA, GROUP = "luhua", "air-luhua"
DAY = times.day_number(dt.date(2015, 12, 1))
PROFILES = ("ci_2018", "ci_2026_u")
CATEGORIES = ("优", "良", "轻度污染", "中度污染", "重度污染", "严重污染")
COLOURS = ("#00E400", "#FFFF00", "#FF7E00", "#FF0000", "#99004C", "#7E0023")
STEPS = (50, 100, 150, 200, 300, 500)


def concentration(factor: str, n: int) -> str:
    """A plausible concentration that differs from hour to hour."""
    base = {"SO2": 12, "NO2": 48, "CO": 0, "O3": 66, "PM10": 95, "PM2.5": 61}[factor]
    return f"{(7 + n * 3 % 19) / 10}" if factor == "CO" else str(base + n * 7 % 41)


def cell(end: int, source: str = "s1", n: int = 0, **changes: object) -> Cell:
    """An hour of a station."""
    fields: dict[str, object] = {
        "group": GROUP,
        "area": AREA,
        "source": source,
        "period": times.civil(end - 1).strftime("%Y-%m-%dT%H"),
        "time": end,
        "factors": list(AIR_FACTORS),
        "values": [concentration(f, n) for f in AIR_FACTORS],
        "flags": "NNNNNN",
        "reasons": ["ok"] * 6,
        "packets": [f"gw:{n}"],
        "received": end * 1000,
        "revision": f"r{n}",
        "origins": "LLLLLL",
        "means": [concentration(f, n + 1) for f in AIR_FACTORS],
        "minutes": [60, 59, 58, 57, 56, 55],
    }
    return Cell(**(fields | changes))  # type: ignore[arg-type]


def verdict(kind: str, time: int, n: int = 0, **changes: object) -> AirVerdict:
    """An hour or a day of the area, or of a station."""
    aqi = 40 + n * 37 % 200
    at = next(i for i, step in enumerate(STEPS) if aqi <= step)
    fields: dict[str, object] = {
        "kind": kind,
        "group": GROUP,
        "area": "s1" if kind.startswith("station-") else AREA,
        "time": time,
        "period": times.text(time),
        "edition": "2012",
        "dust": "keep",
        "conc": {f: concentration(f, n) for f in AIR_FACTORS},
        "iaqi": {f: min(aqi, 20 + i * 30) for i, f in enumerate(AIR_FACTORS)},
        "aqi": aqi,
        "level": at + 1,
        "category": CATEGORIES[at],
        "colour": COLOURS[at],
        "primary": [] if aqi <= 50 else ["PM2.5"],
        "good": aqi <= 100,
        "valid": True,
        "reason": "ok",
        "stations_valid": dict.fromkeys(AIR_FACTORS, 2),
        "stations": 2,
        "ruleset": "HJ633-2012",
        "registry": "0" * 16,
        "revision": f"r{n}",
    }
    return AirVerdict(**(fields | changes))  # type: ignore[arg-type]


def period(label: str, time: int, **changes: object) -> AirPeriod:
    """The tally of a month, quarter or year."""
    kind = "air-quarter" if "Q" in label else "air-month" if "-" in label else "air-year"
    fields: dict[str, object] = {
        "kind": kind,
        "group": GROUP,
        "area": AREA,
        "period": label,
        "time": time,
        "through": "2015-12-31",
        "edition": measurements.BY_DATE,
        "dust": "keep",
        "good": 180,
        "polluted": 172,
        "invalid": 13,
        "valid": 352,
        "days": 365,
        "expected": 365,
        "ratio": 51.1,
        "by_category": dict(zip(CATEGORIES, (60, 120, 100, 40, 25, 7), strict=True)),
        "primary": {**dict.fromkeys(AIR_FACTORS, 0), "PM2.5": 100},
        "index": dict(zip(PROFILES, (8.21, None), strict=True)),
        "provisional": {PROFILES[1]: 8.765},
        "statistics": {
            f: {
                "days": 352, "mean": concentration(f, 0), "percentile": concentration(f, 1), "rank": 95,
                "enough": True, "attains": f != "PM2.5",
            }
            for f in AIR_FACTORS
        },
        "attains": False,
        "ruleset": "air-auto",
        "registry": "0" * 16,
        "revision": "r",
    }  # fmt: skip
    return AirPeriod(**(fields | changes))  # type: ignore[arg-type]


def year(time: int, **changes: object) -> AirPeriod:
    """The tally of a year."""
    return period(times.civil(time).strftime("%Y"), time, **changes)


def budget(end: int, **changes: object) -> AirBudget:
    """What the rest of the day may bring after an hour."""
    pollutants: dict[str, dict[str, str | None]] = {
        f: {"state": "open", "at_most": concentration(f, i), "ceiling": concentration(f, i + 1)}
        for i, f in enumerate(AIR_FACTORS)
    }
    pollutants["SO2"] |= {"state": "safe", "at_most": None}
    fields: dict[str, object] = {
        "group": GROUP, "area": AREA, "time": end, "period": times.civil(end - 1).strftime("%Y-%m-%dT%H"),
        "edition": "2012", "state": "open", "hours_left": 23 - times.hour_index(end), "pollutants": pollutants,
        "year": {
            "task": "285", "good": 180, "polluted": 140, "days_left": 110, "state": "open", "polluted_left": 5,
            "needed": "95.45",
        },
        "ruleset": "air-2012", "registry": "0" * 16, "revision": "r",
    }  # fmt: skip
    return AirBudget(**(fields | changes))  # type: ignore[arg-type]


def change(label: str, time: int, **changes: object) -> AirChange:
    """A period against last year."""
    fields: dict[str, object] = {
        "group": GROUP, "area": AREA, "period": label, "time": time, "through": "2015-12-01", "against": "2014-12",
        "edition": "2012", "dust": "keep", "index": dict(zip(PROFILES, (-1.0, None), strict=True)),
        "ratio_points": -1.0, "concentrations": {**dict.fromkeys(AIR_FACTORS, -3.25), "O3": None},
        "good": 10, "good_before": 12, "valid": 30, "valid_before": 31,
        "ruleset": "air-2012", "registry": "0" * 16, "revision": "r",
    }  # fmt: skip
    return AirChange(**(fields | changes))  # type: ignore[arg-type]


def ranking(label: str, time: int, **changes: object) -> AirRanking:
    """Three townships, one without data."""
    fields: dict[str, object] = {
        "group": GROUP, "area": AREA, "period": label, "time": time, "through": "2015-12-01", "profile": PROFILES[1],
        "dust": "deduct", "provisional": True, "places": [(1, "east", 5.2), (2, "west", 6.125), (None, "north", None)],
        "ruleset": "air-ci", "registry": "0" * 16, "revision": "r",
    }  # fmt: skip
    return AirRanking(**(fields | changes))  # type: ignore[arg-type]


def difference(day: int, **changes: object) -> AirDifference:
    """Our day beside the one the province published."""
    fields: dict[str, object] = {
        "group": GROUP, "area": AREA, "period": times.date_of(day).isoformat(), "time": times.day_start(day),
        "edition": "2012", "dust": "keep", "aqi": 152, "published_aqi": 148, "primary": ["PM2.5"],
        "published_primary": ["PM2.5", "PM10"], "causes": ["missing", "audit"],
        "factors": {"PM2.5": ("116", "112"), "O3": (None, "NA")}, "hours_missing": 3, "by": "somebody",
        "ruleset": "air-2012", "registry": "0" * 16, "revision": "r",
    }  # fmt: skip
    return AirDifference(**(fields | changes))  # type: ignore[arg-type]


def checks(day: int, **changes: object) -> AirChecks:
    """What the checks found in a station's day."""
    fields: dict[str, object] = {
        "group": GROUP, "area": AREA, "source": "s1", "period": times.date_of(day).isoformat(),
        "time": times.day_start(day),
        "found": [(3, "PM2.5", "Q09"), (4, "PM2.5", "Q09"), (4, "PM2.5", "Q11"), (17, "O3", "Q08")],
        "ruleset": "air-checks", "registry": "0" * 16, "revision": "r",
    }  # fmt: skip
    return AirChecks(**(fields | changes))  # type: ignore[arg-type]


def condition(state: str, since: int, until: int, began: int, **changes: object) -> Condition:
    """Hours that a station owes."""
    fields: dict[str, object] = {
        "id": f"{GROUP}|s1|hour-missing||{began}", "state": state, "rule": "hour-missing", "group": GROUP,
        "subject": "s1", "factor": "", "since": since, "until": until, "now": until * 1000 + 900_000,
        "origin": "readings-air/0/1/0", "level": "yellow", "detail": {"name": "一站", "mn": "A1", "hours": "2"},
        "ruleset": "silence-2015", "registry": "0" * 16,
    }  # fmt: skip
    return Condition(**(fields | changes))  # type: ignore[arg-type]


AirSample = Cell | AirVerdict | AirPeriod | AirBudget | AirChange | AirRanking | AirDifference | AirChecks | Condition
Sample = AirSample | samples_water.Sample | samples_emission.Sample


def key_of(message: Sample) -> bytes:
    """The compaction key."""
    if isinstance(message, Condition):
        return message.id.encode()
    if isinstance(message, samples_water.KINDS):
        return samples_water.key_of(message)
    if isinstance(message, samples_emission.KINDS):
        return samples_emission.key_of(message)
    subject = message.source if isinstance(message, Cell | AirChecks) else message.area
    return messages.key(message.group, subject, message.kind, str(message.time))


def every_kind(day: int = DAY) -> list[Sample]:
    """One of each kind of message on ``cells``, ``verdicts`` and ``conditions``, of the day or the periods it is in."""
    date, start = times.date_of(day), times.day_start(day)
    month = times.day_start(times.day_number(date.replace(day=1)))
    quarter = times.day_start(times.day_number(date.replace(month=(date.month - 1) // 3 * 3 + 1, day=1)))
    year_start = times.day_start(times.day_number(date.replace(month=1, day=1)))
    last_hour = times.day_end(day)
    return [
        cell(last_hour, n=day * 24 + 24),
        *(verdict(kind, last_hour, day * 24 + 24) for kind in ("air-hour", "station-hour")),
        *(verdict(kind, start, day) for kind in ("air-day", "station-day")),
        period(f"{date:%Y-%m}", month),
        period(f"{date:%Y}-Q{(date.month + 2) // 3}", quarter),
        year(year_start),
        budget(last_hour - 3600 * 4),
        change(f"{date:%Y-%m}", month),
        ranking(f"{date:%Y-%m}", month),
        difference(day),
        checks(day),
        condition("began", last_hour - 7200, last_hour - 3600, last_hour - 7200),
        *samples_water.every_kind(day),
        *samples_emission.every_kind(day),
    ]


def every_message(day: int = DAY) -> list[tuple[str, bytes, bytes]]:
    """``(topic, key, value)`` of every kind of message that becomes points."""
    topic = {"hour": topics.CELLS, "condition": topics.CONDITIONS}
    said = [
        (topic.get(getattr(s, "kind", "condition"), topics.VERDICTS), key_of(s), messages.encode(s))
        for s in every_kind(day)
    ]
    return [*said, *samples_told.every_message(day)]


def conditions(count: int) -> list[tuple[str, bytes, bytes]]:
    """``(topic, key, value)`` of conditions that each began and ended on a day of their own."""
    out = []
    for day in range(DAY - count + 1, DAY + 1):
        at = times.day_start(day)
        for state, until in (("began", at), ("ended", at + 3600)):
            said = condition(state, at, until, at)
            out.append((topics.CONDITIONS, key_of(said), messages.encode(said)))
    return out


def days(count: int, last_day: int = DAY, stations: tuple[str, ...] = ("s1", "s2")) -> list[tuple[str, bytes, bytes]]:
    """``(topic, key, value)`` of whole days up to and including ``last_day``, with the year's tally at the end."""
    out: list[tuple[str, bytes, bytes]] = []

    def say(topic: str, message: Sample) -> None:
        out.append((topic, key_of(message), messages.encode(message)))

    for day in range(last_day - count + 1, last_day + 1):
        start = times.day_start(day)
        for hour in range(1, 25):
            for i, station in enumerate(stations):
                say("cells", cell(start + hour * 3600, station, day * 24 + hour + i))
            say("verdicts", verdict("air-hour", start + hour * 3600, day * 24 + hour))
        say("verdicts", verdict("air-day", start, day))
    first = times.civil(times.day_start(last_day)).replace(month=1, day=1)
    say("verdicts", year(int(first.timestamp())))
    return out
