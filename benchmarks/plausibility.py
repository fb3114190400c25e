"""Simulated air and water beside real ones, as Markdown tables: ``python -m benchmarks.plausibility [DISTRICT]``.

Air: a year at the city stations of the district beside the twelve stations of Beijing in 2015. Water: the river and
reservoir sections beside the Shanxi sections of the Hai basin, 9 July to 23 August 2026. It judges nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import sys
from pathlib import Path

import numpy as np

from benchmarks import report
from schemas.registry import Registry, load
from streams.air_csv import MISSING, read_air_csv
from streams.simulator.world import World
from streams.water_csv import read_water_csv

EXAMPLE = report.ROOT / "districts" / "example"
SHANXI = report.ROOT.parent / "shared" / "data" / "water" / "shanxi_haihe_2026_07_08.csv.gz"
SEEDS = (1, 2)
YEAR = 2026
NAMES = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")  # the order of read_air_csv
LAGS_H = (1, 6, 24)
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
WATER = {"pH": 2, "DO": 2, "CODMn": 2}
STEPS = (0.5, 0.9, 0.95, 0.99)


def table(head: list[str], rows: list[list[str]]) -> None:
    for cells in (head, ["---", *["--:"] * (len(head) - 1)], *rows):
        print(f"| {' | '.join(cells)} |")


def beijing() -> dict[str, np.ndarray]:
    """By pollutant float64[station, hour], NaN where missing; hours of 2015 from label 1 January 01:00."""
    rows = read_air_csv(report.YEAR)
    first = int(dt.datetime(2015, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=8))).timestamp()) // 3600
    hour = rows.end // 3600 - first - 1
    inside = (hour >= 0) & (hour < 8760)
    values = np.where(rows.values == MISSING, np.nan, rows.values / 1000)
    found = {}
    for nth, name in enumerate(NAMES):
        found[name] = np.full((len(rows.stations), 8760), np.nan)
        found[name][rows.station[inside], hour[inside]] = values[inside, nth]
    return found


def simulated_air(registry: Registry, seed: int) -> dict[str, np.ndarray]:
    """The same of a simulated year: hour means of the minutes at the stations of kind city."""
    world = World(dataclasses.replace(registry, outlets=(), meters=(), sections=()), seed)
    days = [world.day(dt.date(YEAR, 1, 1) + dt.timedelta(days=n)) for n in range(365)]
    stations = [s for s in registry.station_ids() if registry.station_at(s, dt.date(YEAR, 1, 1)).kind == "city"]
    return {
        name: np.stack([np.concatenate([d.air[s][name].reshape(24, 60).mean(axis=1) for d in days]) for s in stations])
        for name in NAMES
    }


def shanxi() -> list[dict[str, np.ndarray]]:
    """Per section and item float64[hour], NaN where missing."""
    first = dt.date(2026, 7, 9).toordinal()
    found: dict[str, dict[str, np.ndarray]] = {}
    for rows in read_water_csv(SHANXI, tuple(WATER)):
        for nth, (section, when) in enumerate(zip(rows.sections, rows.times, strict=True)):
            here = found.setdefault(section, {item: np.full(46 * 24, np.nan) for item in WATER})
            hour = (dt.date.fromisoformat(when[:10]).toordinal() - first) * 24 + int(when[11:13])
            for item in WATER:
                here[item][hour] = float(rows.items[item][nth] or "nan")
    return list(found.values())


def simulated_water(registry: Registry, seed: int) -> list[dict[str, np.ndarray]]:
    """The same of the simulated rivers and reservoirs, with the decimals that are published."""
    world = World(dataclasses.replace(registry, outlets=(), meters=(), stations=()), seed)
    days = [world.day(dt.date(2026, 7, 9) + dt.timedelta(days=n)) for n in range(46)]
    sections = [s.id for s in registry.sections if s.body != "spring"]
    return [
        {item: np.round(np.concatenate([d.water[s][item] for d in days]), places) for item, places in WATER.items()}
        for s in sections
    ]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    both = ~(np.isnan(a) | np.isnan(b))
    return float(np.corrcoef(a[both], b[both])[0, 1])


def lagged(values: np.ndarray, hours: int) -> float:
    """Autocorrelation, the mean over the stations."""
    return float(np.mean([correlation(row[:-hours], row[hours:]) for row in values]))


def mean_of_stations(values: np.ndarray) -> np.ndarray:
    """float64[day, 24]; an hour without any station is NaN."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan).reshape(-1, 24)


def air_tables(sources: dict[str, dict[str, np.ndarray]]) -> None:
    print("### Hourly values, µg/m³\n")
    rows = []
    for name in ("PM2.5", "O3", "PM10", "NO2", "SO2"):
        for source, data in sources.items():
            figures = [f"{q:.0f}" for q in np.nanquantile(data[name], QUANTILES)]
            rows.append([f"{name}, {source}", *figures, f"{np.nanmean(data[name]):.0f}"])
    table(["", *(f"{q:.0%}" for q in QUANTILES), "mean"], rows)

    print("\n### Autocorrelation of hourly values\n")
    rows = [
        [f"{name}, {source}", *(f"{lagged(data[name], h):.2f}" for h in LAGS_H)]
        for name in ("PM2.5", "O3")
        for source, data in sources.items()
    ]
    table(["", *(f"{h} h" for h in LAGS_H)], rows)

    print("\n### Shape of the day: mean of the hour beginning at, divided by the mean of all hours\n")
    rows = []
    for name in ("PM2.5", "O3"):
        for source, data in sources.items():
            by_hour = np.array([np.nanmean(data[name][:, h::24]) for h in range(24)]) / np.nanmean(data[name])
            rows.append([f"{name}, {source}", *(f"{by_hour[h]:.2f}" for h in range(0, 24, 2))])
    table(["", *(f"{h}" for h in range(0, 24, 2))], rows)

    print("\n### Shape of the year: median of the month, µg/m³\n")
    starts = [(dt.date(2015, m, 1) - dt.date(2015, 1, 1)).days * 24 for m in range(1, 13)] + [8760]
    rows = []
    for name in ("PM2.5", "O3"):
        for source, data in sources.items():
            months = [np.nanmedian(data[name][:, a:b]) for a, b in itertools.pairwise(starts)]
            rows.append([f"{name}, {source}", *(f"{m:.0f}" for m in months)])
    table(["", *(str(m) for m in range(1, 13))], rows)

    print("\n### How they go together\n")
    rows = []
    for source, data in sources.items():
        pairs = [correlation(data["PM2.5"][0], row) for row in data["PM2.5"][1:]]
        day = mean_of_stations(data["PM2.5"]).mean(axis=1)
        running = mean_of_stations(data["O3"])
        eight = np.max([running[:, h : h + 8].mean(axis=1) for h in range(17)], axis=0)
        ratio = np.nanmedian(data["PM2.5"] / np.maximum(data["PM10"], 1))
        steps = np.abs(np.diff(data["PM2.5"], axis=1))
        rows.append(
            [
                source,
                f"{correlation(data['O3'].ravel(), data['NO2'].ravel()):.2f}",
                f"{correlation(data['PM2.5'].ravel(), data['PM10'].ravel()):.2f}",
                f"{ratio:.2f}",
                f"{np.median(pairs):.2f}",
                f"{np.nanquantile(steps, 0.5):.0f} / {np.nanquantile(steps, 0.99):.0f}",
                f"{(day > 75).sum()}",
                f"{(eight > 160).sum()}",
            ]
        )
    table(
        [
            "",
            "r(O3, NO2)",
            "r(PM2.5, PM10)",
            "median PM2.5/PM10",
            "r(PM2.5) of neighbours",
            "step of PM2.5 in an hour, 50 % / 99 %",
            "days PM2.5 > 75",
            "days O3-8h > 160",
        ],
        rows,
    )


def water_tables(sources: dict[str, list[dict[str, np.ndarray]]]) -> None:
    print("\n### Steps from hour to hour (pH; DO, CODMn mg/L)\n")
    rows = []
    for item in WATER:
        for source, sections in sources.items():
            steps = np.concatenate([np.abs(np.diff(section[item])) for section in sections])
            steps = np.round(steps[~np.isnan(steps)], WATER[item])
            moved = steps[steps > 0]
            rows.append(
                [
                    f"{item}, {source}",
                    f"{(steps == 0).mean():.2f}",
                    *(f"{q:.2f}" for q in np.quantile(steps, STEPS)),
                    f"{np.median(moved):.2f}",
                ]
            )
    table(["", "share of 0", *(f"{q:.0%}" for q in STEPS), "median of the others"], rows)

    print("\n### Levels and the swing of a day\n")
    rows = []
    for item in WATER:
        for source, sections in sources.items():
            values = np.concatenate([section[item] for section in sections])
            swings = []
            for section in sections:
                by_day = section[item].reshape(-1, 24)
                whole = by_day[(~np.isnan(by_day)).sum(axis=1) >= 18]
                swings += list(np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1))
            rows.append(
                [
                    f"{item}, {source}",
                    *(f"{q:.2f}" for q in np.nanquantile(values, (0.05, 0.5, 0.95))),
                    *(f"{q:.2f}" for q in np.quantile(swings, (0.1, 0.5, 0.9))),
                ]
            )
    table(["", "5%", "50%", "95%", "swing 10%", "50%", "90%"], rows)

    print("\n### Autocorrelation of hourly values\n")
    rows = []
    for item in WATER:
        for source, sections in sources.items():
            found = [
                [correlation(s[item][:-h], s[item][h:]) for s in sections if (~np.isnan(s[item])).sum() > 300]
                for h in (*LAGS_H, 72)
            ]
            rows.append([f"{item}, {source}", *(f"{np.mean(lag):.2f}" for lag in found)])
    table(["", *(f"{h} h" for h in (*LAGS_H, 72))], rows)


def main(words: list[str]) -> int:
    missing = [path for path in (report.YEAR, SHANXI) if not path.exists()]
    if missing:
        print(f"plausibility: {missing[0].name} is not beside the checkout (shared/data)", file=sys.stderr)
        return 2
    registry = load(Path(words[0]) if words else EXAMPLE)
    print(f"## Air: {registry.name_en or registry.name} {YEAR}, beside Beijing 2015\n")
    air_tables({"Beijing": beijing(), **{f"seed {seed}": simulated_air(registry, seed) for seed in SEEDS}})
    print("\n## Water: beside 18 Shanxi sections, 9 July to 23 August 2026")
    water_tables({"Shanxi": shanxi(), **{f"seed {seed}": simulated_water(registry, seed) for seed in SEEDS}})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
