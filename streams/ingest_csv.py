"""CSV files of hourly air values and of river sections, as ingest takes them: the layouts that ``assess`` reads.

Which layout it is, the columns say: ``station`` of air, ``section`` of water. Whole lines are used or refused.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas import blocks, ingest, times
from schemas.registry import AIR_FACTORS, PUBLISHED_UNIT
from streams import water_csv
from streams.air_csv import AirFileError, AirRows, read_air_csv
from streams.ingest import Measured, Refused, time_of
from streams.voices import sent_text
from streams.water_csv import WaterFileError, read_water_csv

MOST_BYTES = 32 * 1024 * 1024
"""Of a file, unpacked: a year of 80 stations."""
WATER_UNITS = {"T": "degC", "pH": "pH", "EC": "uS/cm", "turbidity": "NTU"} | dict.fromkeys(
    ("DO", "CODMn", "NH3N", "TP", "TN"), "mg/L"
)
BELOW_DETECTION = "L"
"""HJ 212's flag of a value below the detection limit."""
_BELOW = re.compile(r"[<＜]\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*L", re.ASCII)
_ABSENT = re.compile(r"|na|n/a|null|none|-+|—+|–|/|\*", re.IGNORECASE)
_NOT_A_NUMBER = "?"


class FileRefused(ValueError):
    """A file of which nothing can be used; the text is one line: the file, what is wrong, the cure."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of data: its number in the file (the first is 1), its bytes, and what it says or why it says nothing."""

    number: int
    raw: bytes
    said: Measured | str


class CsvFile:
    """A file that can be used, at least in parts."""

    def __init__(self, raw: list[bytes], tables: list[AirRows] | list[water_csv.Rows], version: str) -> None:
        self._raw = raw
        self._tables = tables
        self._version = version

    def lines(self) -> Iterator[Line]:
        """Every line with data, those of air that cannot be read last."""
        for table in self._tables:
            yield from self._air(table) if isinstance(table, AirRows) else self._water(table)

    def _line(self, number: int, said: Measured | str) -> Line:
        raw = self._raw[number - 1] if number <= len(self._raw) else b""
        if not raw:  # without its bytes a line would leave no evidence
            raise FileRefused(f"第{number}行 line {number} 读取时变化 changed while it was read: drop the file again")
        return Line(number, raw, said)

    def _air(self, table: AirRows) -> Iterator[Line]:
        bad = {n for n, note in enumerate(table.notes) if note.kind != "finer"}
        ends, stations, numbers = table.end.tolist(), table.station.tolist(), table.line.tolist()
        for i, number in enumerate(numbers):
            noted = table.note[i].tolist() if len(table.note) else [-1] * len(AIR_FACTORS)
            texts = [_NOT_A_NUMBER if n in bad else t[i] for n, t in zip(noted, table.texts, strict=True)]
            measured = Measured(
                source=table.stations[stations[i]],
                period=blocks.HOUR,
                said=f"end {times.text(ends[i])}",
                start_s=None,
                end_s=ends[i],
                values={f: _air_text(text) for f, text in zip(AIR_FACTORS, texts, strict=True)},
                units=PUBLISHED_UNIT,
                version=self._version,
                lenient=True,
            )
            yield self._line(number, measured)
        for refused in table.rejected:
            yield self._line(refused.line, refused.reason)

    def _water(self, table: water_csv.Rows) -> Iterator[Line]:
        for i, number in enumerate(table.lines):
            try:
                yield self._line(number, self._section(table, i))
            except Refused as error:
                yield self._line(number, str(error))

    def _section(self, table: water_csv.Rows, i: int) -> Measured:
        said = table.times[i].strip()
        at = time_of(said)
        values, flags = {}, {}
        for item, texts in table.items.items():
            values[item], flag = _water_text(item, texts[i].strip())
            if flag:
                flags[item] = flag
        if not table.sections[i]:
            raise Refused("field: the section is empty")
        return Measured(
            source=table.sections[i],
            # The platforms stamp an hour with its end; a time between two hours is of a sample drawn by hand.
            period=blocks.REALTIME if at % times.HOUR_S else blocks.HOUR,
            said=f"time {said}",
            start_s=None,
            end_s=at,
            values=values,
            flags=flags,
            units={item: WATER_UNITS[item] for item in values},
            version=self._version,
        )


def _air_text(text: str) -> str:
    return text if text in ("", _NOT_A_NUMBER) else sent_text(text, 0)


def _water_text(item: str, text: str) -> tuple[str, str]:
    """Plain decimal text and flag of a cell."""
    if _ABSENT.fullmatch(text):
        return "", ""
    if below := _BELOW.fullmatch(text):
        return below[1] or below[2], BELOW_DETECTION
    try:
        return ingest.plain(text), ""
    except ValueError as error:
        raise Refused(f"value: {water_csv.COLUMNS[item]}: {error}") from None


def shown(path: Path) -> str:
    """A file's name in one line that can be written anywhere.

    Linux takes any bytes for a name. Those of a Windows in GBK are not UTF-8; they, and line ends, become escapes.
    """
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def read(path: Path, version: str) -> CsvFile:
    """Read a file, once: whatever happens to it afterwards, its lines and its evidence are of the same bytes.

    Args:
        path: plain or gzip, told apart by the first bytes.
        version: of all its values.

    Raises:
        FileRefused: not readable, too large, neither layout, or without a line of data.
    """
    name, data = shown(path), _bytes(path)
    # The readers of CSV take files. This one is nobody else's.
    with tempfile.NamedTemporaryFile(prefix="envstream-", suffix=".csv") as copy:
        copy.write(data)
        copy.flush()
        return _parse(name, data, Path(copy.name), version)


def _parse(name: str, data: bytes, path: Path, version: str) -> CsvFile:
    raw = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    header = _header(name, raw)
    try:
        if "station" in header:
            return CsvFile(raw, [read_air_csv(path)], version)
        if "section" in header:
            wanted = [item for item, column in water_csv.COLUMNS.items() if column in header]
            if not wanted:
                names = ", ".join(water_csv.COLUMNS.values())
                raise FileRefused(f"{name}: 没有数据列 no column of values: name at least one of {names}")
            tables = list(read_water_csv(path, wanted))
            rows = sum(len(table.lines) for table in tables)
            if not rows:
                raise FileRefused(f"{name}: 没有数据 no line of data after the column names")
            if rows != sum(bool(line) for line in raw) - 1:
                raise FileRefused(f"{name}: 单元格内有换行 a cell holds a line break: remove it")
            return CsvFile(raw, tables, version)
    except (AirFileError, WaterFileError) as error:
        raise FileRefused(str(error).replace(str(path), name)) from None
    raise FileRefused(
        f"{name}: 列名不认识 neither air (station, hour_start or hour_end, so2_ug_m3 …) nor water (section, time,"
        " codmn_mg_l …): name the columns as docs/ingest.md has them"
    )


def _bytes(path: Path) -> bytes:
    """What a file holds, unpacked."""
    name = shown(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(MOST_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileRefused(f"{name}: gzip文件损坏 broken gzip ({error}): copy the file again") from None
    except OSError as error:
        raise FileRefused(f"{name}: 无法读取 cannot be read ({error.strerror}): look at its rights") from None
    if len(data) > MOST_BYTES:
        raise FileRefused(f"{name}: 太大 more than {MOST_BYTES // 2**20} MiB unpacked: split it")
    return data


def _header(name: str, raw: list[bytes]) -> list[str]:
    try:
        first = raw[0].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(f"{name}: 不是UTF-8 not UTF-8: save it as UTF-8 CSV") from None
    try:
        return [name.strip().lower() for name in next(csv.reader([first], strict=True), [])]
    except csv.Error as error:
        raise FileRefused(f"{name}: 不是CSV not CSV ({error}): export it again") from None
