"""Messages as the agents publish them, for tests of what stands behind the log."""

from __future__ import annotations

import datetime as dt

from schemas import measurements, messages, times
from schemas.messages import AirVerdict, AirYear, Cell
from schemas.registry import AIR_FACTORS

AREA, GROUP = "luhua", "air-luhua"
DAY = times.day_number(dt.date(2015, 12, 1))
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
    }
    return Cell(**(fields | changes))  # type: ignore[arg-type]


def verdict(kind: str, time: int, n: int = 0, **changes: object) -> AirVerdict:
    """An hour or a day of the area."""
    aqi = 40 + n * 37 % 200
    at = next(i for i, step in enumerate(STEPS) if aqi <= step)
    fields: dict[str, object] = {
        "kind": kind,
        "group": GROUP,
        "area": AREA,
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


def year(time: int, **changes: object) -> AirYear:
    """The tally of a year."""
    fields: dict[str, object] = {
        "group": GROUP,
        "area": AREA,
        "year": times.civil(time).strftime("%Y"),
        "time": time,
        "through": "2015-12-31",
        "edition": measurements.BY_DATE,
        "dust": "keep",
        "good": 180,
        "polluted": 172,
        "invalid": 13,
        "valid": 352,
        "ratio": 51.1,
        "by_category": {"优": 60, "良": 120},
        "primary": {"PM2.5": 100},
        "index": {},
        "provisional": {},
        "ruleset": "HJ633-2012",
        "registry": "0" * 16,
        "revision": "r",
    }
    return AirYear(**(fields | changes))  # type: ignore[arg-type]


def key_of(message: Cell | AirVerdict | AirYear) -> bytes:
    """The compaction key."""
    subject = message.source if isinstance(message, Cell) else message.area
    return messages.key(message.group, subject, message.kind, str(message.time))


def days(count: int, last_day: int = DAY, stations: tuple[str, ...] = ("s1", "s2")) -> list[tuple[str, bytes, bytes]]:
    """``(topic, key, value)`` of whole days up to and including ``last_day``, with the year's tally at the end."""
    out: list[tuple[str, bytes, bytes]] = []

    def say(topic: str, message: Cell | AirVerdict | AirYear) -> None:
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
