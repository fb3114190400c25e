"""Good-air days of recorded hours, without a broker: files in, the years out (``envstream assess air``, design §11)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from standards import air
from standards.air.lines import NOT_PLANNED
from standards.fixed import text_of
from streams.air_csv import BEIJING_S, AirFileError, AirRows, Label, concatenate, read_air_csv

Ints = npt.NDArray[np.int64]
EditionChoice = Literal["auto", "2012", "2026", "2031"]

SHOWN: Final = 100
"""So many rejected lines and flagged values are listed one by one; all are counted."""
DAY_S: Final = 86400
_MOST_YEARS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class AirArea:
    """The hours of one area as read from files: screened, one value per station and hour."""

    stations: tuple[str, ...]
    rows: int
    """Usable lines of those stations."""
    first: int
    """The first labelled day, days since 1970-01-01 Beijing time."""
    years: tuple[Ints, ...]
    """int64[S, D, 24, 6] per calendar year, from the first to the last labelled day; MISSING where not valid."""
    duplicates: int
    """Lines replaced by a later one of the same station and hour."""
    rejected: tuple[dict[str, Any], ...]
    flagged: dict[str, int]
    """Values taken out by the hard screen or refused by the reader, by reason; missing ones are not among them."""
    missing: dict[str, int]
    """Blank fields and marks of absence (NA, —, -99 …) in the usable lines, by pollutant."""
    finer: dict[str, int]
    """Values that were used without their digits beyond a thousandth, by pollutant; only pollutants that have some."""
    flags: tuple[dict[str, Any], ...]
    """The first values that were taken out, then the first finer ones: file, line, station, pollutant, value, reason,
    rule and limit."""


def read_area(
    files: Sequence[str | Path], *, label: Label | None = None, stations: Sequence[str] | None = None
) -> AirArea:
    """Read the hours of an area: every station of the files, or those named.

    Args:
        files: hourly CSV, plain or gzip; where a station and hour repeats, the later line wins.
        label: how the time column is read; by default as its name says.
        stations: the stations that form the area; one without a line still counts for the share rule.

    Returns:
        AirArea.

    Raises:
        AirFileError: a file cannot be used, or none of the stations is in it, or the days span over a century.
    """
    if not files:
        raise AirFileError("no file was named")
    parts = [read_air_csv(path, label=label) for path in files]
    names, station = concatenate(parts)
    rejected = tuple(
        {"file": str(part.path), "line": each.line, "reason": each.reason, "raw": each.raw}
        for part in parts
        for each in part.rejected
    )
    end = np.concatenate([part.end for part in parts])
    values = np.concatenate([part.values for part in parts])
    origin = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    line = np.concatenate([part.line for part in parts])
    starts = np.cumsum([0, *(len(part.notes) for part in parts)]).tolist()
    noted = np.concatenate(
        [np.where(part.note < 0, -1, part.note + start) for part, start in zip(parts, starts, strict=False)]
    )
    if stations is not None:
        wanted = tuple(dict.fromkeys(stations))
        if not set(wanted) & set(names):
            raise AirFileError(f"{parts[0].path}: no station {', '.join(wanted)}; there are {', '.join(names)}")
        place = np.array([wanted.index(name) if name in wanted else -1 for name in names], np.int64)
        keep = place[station] >= 0
        station, end, values = place[station[keep]], end[keep], values[keep]
        origin, line, noted, names = origin[keep], line[keep], noted[keep], wanted
    valid, reason = air.screen_hours(values)
    lines = _Lines(parts, names, station, origin, line, values, reason, noted)
    # The end of label 24 belongs to the day before (§5): the instant just before the end decides the day.
    day = (end + BEIJING_S - 1) // DAY_S
    hour = (end + BEIJING_S - 1) // 3600 % 24
    years, duplicates = _grid(parts, len(names), station, day, hour, np.where(valid, values, air.MISSING))
    first = int(day.min()) if len(day) else 0
    counts = lines.flagged(), lines.missing(), lines.finer()
    return AirArea(names, len(end), first, years, duplicates, rejected, *counts, lines.flags())


class _Lines:
    """The usable lines of an area, to say what became of each value that was not simply used."""

    def __init__(
        self, parts: Sequence[AirRows], names: tuple[str, ...], station: Ints, origin: Ints, line: Ints, values: Ints,
        reason: npt.NDArray[np.uint8], noted: npt.NDArray[np.int64],
    ) -> None:  # fmt: skip
        self.parts, self.names, self.station, self.origin, self.line = parts, names, station, origin, line
        self.values, self.reason, self.noted = values, reason, noted
        self.notes = [note for part in parts for note in part.notes]
        kinds = np.array([*(note.kind for note in self.notes), ""])  # -1 is the last: no note
        self.is_finer = kinds[noted] == "finer" if self.notes else np.zeros(noted.shape, np.bool_)
        self.refused = (noted >= 0) & ~self.is_finer
        self.kinds = kinds

    def flagged(self) -> dict[str, int]:
        """Values taken out, by reason."""
        counts = np.bincount(self.reason.ravel(), minlength=len(air.REASONS))
        by_screen = {name: int(n) for name, n in zip(air.REASONS, counts, strict=True) if n}
        refused, n_refused = np.unique(self.kinds[self.noted[self.refused]], return_counts=True)
        by_reader = {str(kind): int(n) for kind, n in zip(refused, n_refused, strict=True)}
        return {name: n for name, n in (by_screen | by_reader).items() if name not in ("ok", "missing")}

    def missing(self) -> dict[str, int]:
        """Values that are not there, by pollutant."""
        return _by_pollutant((self.values == air.MISSING) & ~self.refused)

    def finer(self) -> dict[str, int]:
        """Values that lost digits, by pollutant."""
        return {pollutant: n for pollutant, n in _by_pollutant(self.is_finer).items() if n}

    def flags(self) -> tuple[dict[str, Any], ...]:
        """The first values taken out, then the first that lost digits, with their rule."""
        taken = np.argwhere((self.reason != 0) & ((self.reason != air.REASONS.index("missing")) | self.refused))
        finer = np.argwhere(self.is_finer)
        places = [*taken[:SHOWN].tolist(), *finer[: max(0, SHOWN - len(taken))].tolist()]
        return tuple(self._flag(row, column, at >= len(taken)) for at, (row, column) in enumerate(places))

    def _flag(self, row: int, column: int, finer: bool) -> dict[str, Any]:
        pollutant = air.POLLUTANTS[column]
        value, reason = text_of(int(self.values[row, column])), air.REASONS[self.reason[row, column]]
        if finer or self.refused[row, column]:
            note = self.notes[self.noted[row, column]]
            value, reason, rule, limit = note.text, note.kind, "reader", note.rule
        else:
            rule, limit = air.rule_of(reason, pollutant)
        return {
            "file": str(self.parts[self.origin[row]].path),
            "line": int(self.line[row]),
            "station": self.names[self.station[row]],
            "pollutant": pollutant,
            "value": value,
            "reason": reason,
            "rule": rule,
            "limit": limit,
        }


def _by_pollutant(marks: npt.NDArray[np.bool_]) -> dict[str, int]:
    return dict(zip(air.POLLUTANTS, marks.sum(axis=0).tolist(), strict=True))


def _grid(
    parts: Sequence[AirRows], n_stations: int, station: Ints, day: Ints, hour: Ints, values: Ints
) -> tuple[tuple[Ints, ...], int]:
    """Hours in place, year by year, and how many lines a later one replaced."""
    if not len(day):
        return (), 0
    dates = np.arange(day.min(), day.max() + 1).astype("datetime64[D]")
    bounds = np.flatnonzero(np.diff(dates.astype("datetime64[Y]").astype(np.int64))) + 1
    if len(bounds) >= _MOST_YEARS:
        raise AirFileError(f"{parts[0].path}: the days run from {dates[0]} to {dates[-1]}; is a year mistyped?")
    years, used = [], 0
    for start, stop in zip([0, *bounds.tolist()], [*bounds.tolist(), len(dates)], strict=True):
        here = (day - day.min() >= start) & (day - day.min() < stop)
        slots = np.full((n_stations * (stop - start) * 24, len(air.POLLUTANTS)), air.MISSING, np.int64)
        at = (station[here] * (stop - start) + day[here] - day.min() - start) * 24 + hour[here]
        slots[at] = values[here]  # of equal positions numpy keeps the last: the later line
        taken = np.zeros(len(slots), np.bool_)
        taken[at] = True
        used += int(taken.sum())
        years.append(slots.reshape(n_stations, stop - start, 24, len(air.POLLUTANTS)))
    return tuple(years), len(day) - used


def judge_area(
    area: AirArea,
    edition: EditionChoice = "auto",
    *,
    switches: air.Switches = air.DEFAULT,
    plan_not_monitored: tuple[str, ...] = (),
) -> list[air.DayVerdicts]:
    """The day verdicts of an area, one DayVerdicts per calendar year; ``auto`` takes each day's own edition."""
    judged, first = [], area.first
    for hours in area.years:
        dates = np.arange(first, first + hours.shape[1]).astype("datetime64[D]")
        forced = None if edition == "auto" else edition
        judged.append(
            air.judge_days(hours, forced, dates=dates, switches=switches, plan_not_monitored=plan_not_monitored)
        )
        first += hours.shape[1]
    return judged


def assess_air(
    files: Sequence[str | Path],
    *,
    edition: EditionChoice = "auto",
    label: Label | None = None,
    stations: Sequence[str] | None = None,
    switches: air.Switches = air.DEFAULT,
    plan_not_monitored: tuple[str, ...] = (),
    dust_days: Sequence[datetime.date] = (),
    ratio_dust: Literal["keep", "deduct"] = "keep",
    profiles: tuple[str, ...] = air.PROFILES,
) -> dict[str, Any]:
    """What the hours of a file make of each year (design §11).

    Args:
        files: hourly CSV, plain or gzip.
        edition: ``auto`` judges each day by the edition of its date.
        label: how the time column is read; by default as its name says.
        stations: the stations of the area; all of the files by default.
        switches: see ``standards.air.Switches``.
        plan_not_monitored: pollutants outside the monitoring plan; ``switches.unmonitored_clean`` says whether they
            have the clean record without which they block publication.
        dust_days: confirmed dust days; their PM stays out of the index.
        ratio_dust: whether the counts keep or deduct dust.
        profiles: index profiles wanted.

    Returns:
        A JSON-safe dict: ``years`` (year -> the counts of ``standards.air.tally_year``), ``edition``, ``editions``
        (those used), ``stations``, ``rows``, ``duplicates``, ``rejected`` and ``flagged`` (counts), ``missing`` (values
        that are not there, by pollutant), ``finer`` (values used without their digits beyond a thousandth, by
        pollutant), ``rejected_lines`` and ``flagged_values`` (the first of them, with rule and limit).

    Raises:
        AirFileError: a file cannot be used.
        LookupError: an unknown edition or profile.
    """
    area = read_area(files, label=label, stations=stations)
    judged = judge_area(area, edition, switches=switches, plan_not_monitored=plan_not_monitored)
    dust = np.array(list(dust_days), "datetime64[D]")
    years = {
        str(days.date[0].astype("datetime64[Y]")): air.tally_year(
            days, dust=np.isin(days.date, dust), ratio_dust=ratio_dust, profiles=profiles, switches=switches
        )
        for days in judged
    }
    return {
        "years": years,
        "edition": edition,
        "editions": sorted({str(name) for days in judged for name in np.unique(days.edition)}),
        "stations": list(area.stations),
        "rows": area.rows,
        "duplicates": area.duplicates,
        "rejected": len(area.rejected),
        "rejected_lines": list(area.rejected[:SHOWN]),
        "flagged": area.flagged,
        "missing": area.missing,
        "finer": area.finer,
        "flagged_values": list(area.flags),
    }


def day_table(judged: Sequence[air.DayVerdicts]) -> list[dict[str, Any]]:
    """The verdicts day by day: date, edition, values, IAQI, AQI, level, category, primary, valid, reason.

    What is outside the monitoring plan shows ``/``.
    """
    table = []
    for days in judged:
        for at in range(len(days)):
            level = int(days.level[at])
            names = air.categories(str(days.edition[at])).get(level)
            table.append(
                {
                    "date": str(days.date[at]),
                    "edition": str(days.edition[at]),
                    "value": {
                        pollutant: text_of(int(value)) or None if there else NOT_PLANNED
                        for pollutant, value, there in zip(
                            air.POLLUTANTS, days.value[at], days.planned[at], strict=True
                        )
                    },
                    "iaqi": {
                        pollutant: NOT_PLANNED if not there else int(index) if index >= 0 else None
                        for pollutant, index, there in zip(air.POLLUTANTS, days.iaqi[at], days.planned[at], strict=True)
                    },
                    "aqi": int(days.aqi[at]) if days.valid[at] else None,
                    "level": level or None,
                    "category": names[1] if names else None,
                    "primary": [p for p, yes in zip(air.POLLUTANTS, days.primary[at], strict=True) if yes],
                    "valid": bool(days.valid[at]),
                    "good": bool(days.good[at]),
                    "reason": air.DAY_REASONS[days.reason[at]],
                }
            )
    return table


def edition_table(files: Sequence[str | Path], *, label: Label | None = None) -> str:
    """What every edition and index profile makes of the years of a file, as Markdown; partial years are left out.

    Args:
        files: hourly CSV, plain or gzip.
        label: how the time column is read.

    Returns:
        Two tables per year: days by edition, and the composite index by profile.
    """
    area = read_area(files, label=label)
    by_edition = {edition: judge_area(area, edition) for edition in _EDITIONS}
    blocks = []
    for at, days in enumerate(by_edition["2012"]):
        if len(days) < _WHOLE_YEAR:
            continue
        year = days.date[0].astype("datetime64[Y]")
        tallies = {edition: air.tally_year(judged[at]) for edition, judged in by_edition.items()}
        blocks += [_day_lines(str(year), by_edition, tallies, at), _index_lines(days, tallies["2012"])]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


_EDITIONS: Final[tuple[EditionChoice, ...]] = ("2012", "2026", "2031")
_WHOLE_YEAR: Final = 365


def _day_lines(
    year: str, by_edition: dict[EditionChoice, list[air.DayVerdicts]], tallies: dict[EditionChoice, Any], at: int
) -> list[str]:
    names = [name[1] for name in air.categories("2026").values()]
    lines = [
        f"| {year} | good | polluted | invalid | good % | {' | '.join(names)} | primary pollutant (days) "
        "| days above the daily limit | items that attain the year |",
        "|---" * (8 + len(names)) + "|",
    ]
    for edition, judged in by_edition.items():
        tally = tallies[edition]
        primary = sorted(((n, p) for p, n in tally["primary"].items() if n), reverse=True)
        above = air.exceeding_days(judged[at]).sum(axis=0)
        attained = [p for p, each in air.statistics(judged[at], "year").items() if each.attains]
        lines.append(
            f"| **{edition}** | {tally['good']} | {tally['polluted']} | {tally['invalid']} | {tally['ratio']} | "
            + " | ".join(str(tally["by_category"][name]) for name in names)
            + f" | {', '.join(f'{p} {n}' for n, p in primary)}"
            + f" | {', '.join(f'{p} {n}' for p, n in zip(air.POLLUTANTS, above.tolist(), strict=True) if n)}"
            + f" | {', '.join(attained) or 'none'} |"
        )
    return lines


def _index_lines(days: air.DayVerdicts, tally: dict[str, Any]) -> list[str]:
    """The index does not depend on the edition: it is computed from concentrations, under the profile's own limits."""
    lines = ["| profile | index | from reported concentrations | largest part |", "|---|---|---|---|"]
    for name in air.PROFILES:
        exact = air.period_index(days, "year", name)
        reported = air.period_index(days, "year", name, reported=True)
        shown = "–" if reported is None or reported.total is None else str(float(reported.total))
        lines.append(f"| `{name}` | {tally['index'][name]} | {shown} | {', '.join(exact.highest) if exact else '–'} |")
    return lines
