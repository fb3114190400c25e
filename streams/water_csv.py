"""Reads CSV files of surface-water sections, as columns of texts, chunk by chunk.

Columns by name, in any order: ``section``, ``time`` (YYYY-MM-DD HH:MM, Beijing time), the nine parameters of
``COLUMNS``, optional ``body`` and ``published_class``. Plain or ``.gz``, UTF-8 with or without a byte-order mark.

What a file does not say, the kind of water body and the target class of a section, is configured: ``bodies_from``.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import re
import tomllib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

COLUMNS: Final = {
    "T": "water_temp_c",
    "pH": "ph",
    "DO": "do_mg_l",
    "EC": "conductivity_us_cm",
    "turbidity": "turbidity_ntu",
    "CODMn": "codmn_mg_l",
    "NH3N": "nh3n_mg_l",
    "TP": "tp_mg_l",
    "TN": "tn_mg_l",
}
"""Column of each item; the unit is part of the name, so a file in another unit is refused, not misread."""

BODIES: Final = ("river", "lake")
TARGETS: Final = range(1, 7)
"""Classes a section may owe; 6 is 劣Ⅴ."""
BEIJING: Final = datetime.timezone(datetime.timedelta(hours=8))
CHUNK: Final = 20_000
_PIECE: Final = 1_000


class _Reader(Protocol):
    """What ``csv.reader`` returns; its type has no public name."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class WaterFileError(ValueError):
    """A file that can't be used; the text is one line: which file, what is wrong, what to do."""


class BodiesError(WaterFileError):
    """A configuration of sections that can't be used: ``problems`` holds every ``file:line: reason and cure``."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Configured:
    """What is configured of a section: ``body`` ``river`` or ``lake``; ``target`` its class 1 … 6, None without."""

    body: str
    target: int | None = None


class Ids(dict[str, int]):
    """Numbers texts in the order they come."""

    def __missing__(self, text: str) -> int:
        self[text] = found = len(self)
        return found


class Days(dict[str, int]):
    """Time text to the number of its Beijing day (``date.toordinal``); 0 where it is no time."""

    def __missing__(self, text: str) -> int:
        try:
            time = datetime.datetime.fromisoformat(text.strip())
            found = (time.astimezone(BEIJING) if time.tzinfo else time).toordinal()
        except (ValueError, OverflowError):
            found = 0
        self[text] = found
        return found


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a file, as columns of texts; ``sections`` without spaces around them.

    ``lines``: line of every row in the file. ``items``: texts by item id. ``bodies``, ``published``: None without that
    column.
    """

    lines: Sequence[int]
    sections: Sequence[str]
    times: Sequence[str]
    items: dict[str, Sequence[str]]
    bodies: Sequence[str] | None
    published: Sequence[str] | None


def read_water_csv(path: Path, wanted: Sequence[str]) -> Iterator[Rows]:
    """Read a file in chunks of about ``CHUNK`` rows.

    Args:
        path: the file.
        wanted: ids of the items whose columns are needed; the others may be absent and are not returned.

    Raises:
        WaterFileError: no such file, not readable, not UTF-8, no header, a missing column, a row that does not fit.
    """
    with _opened(path) as text:
        reader = csv.reader(text, strict=True)
        header = _header(path, reader, wanted)
        names = [name for name in ("section", "time", "body", "published_class") if name in header]
        needed = [*names, *(COLUMNS[item] for item in wanted)]
        places = [header.index(name) for name in needed]
        ended = False
        while not ended:
            lines: list[int] = []
            columns: list[list[str]] = [[] for _ in needed]
            while len(lines) < CHUNK and not ended:
                ended = not _take(path, reader, len(header), places, lines, columns)
            if not lines:
                return
            by_name = dict(zip(needed, columns, strict=True))
            yield Rows(
                lines=lines,
                sections=[name.strip() for name in by_name["section"]],
                times=by_name["time"],
                items={item: by_name[COLUMNS[item]] for item in wanted},
                bodies=by_name.get("body"),
                published=by_name.get("published_class"),
            )


def _take(
    path: Path, reader: _Reader, width: int, places: list[int], lines: list[int], columns: list[list[str]]
) -> bool:
    """Append a piece of the file to the columns; False at its end. Small pieces: many live lists slow Python down."""
    rows = list(islice(reader, _PIECE))
    if not rows:
        return False
    numbers: Sequence[int] = range(reader.line_num - len(rows) + 1, reader.line_num + 1)
    if set(map(len, rows)) != {width}:
        numbers, rows = _without_blanks(path, width, numbers, rows)
    lines.extend(numbers)
    taken = list(zip(*rows, strict=True))
    for column, place in zip(columns, places, strict=True):
        if taken:
            column.extend(taken[place])
    return True


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The file as text; whatever goes wrong while it is read becomes one line that names it."""
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as raw:
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError:
        raise WaterFileError(f"{path}: 不是UTF-8 not UTF-8: save it as UTF-8 CSV") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise WaterFileError(f"{path}: gzip文件损坏 broken gzip ({error}): copy the file again") from None
    except csv.Error as error:
        raise WaterFileError(f"{path}: 不是CSV not CSV ({error}): export it again as comma-separated text") from None
    except OSError as error:
        raise WaterFileError(f"{path}: 无法读取 cannot be read ({error.strerror}): check the name and rights") from None


def _header(path: Path, reader: Iterator[list[str]], wanted: Sequence[str]) -> list[str]:
    first = next(reader, None)
    if first is None:
        raise WaterFileError(f"{path}: 空文件 empty: the first line must name the columns")
    header = [name.strip() for name in first]
    needed = ["section", "time", *(COLUMNS[item] for item in wanted)]
    if missing := [name for name in needed if name not in header]:
        given = ", ".join(header)
        raise WaterFileError(
            f"{path}: 缺列 missing column {', '.join(missing)}: name it so (the file has {given:.200})"
        )
    if twice := [name for name in (*needed, "body", "published_class") if header.count(name) > 1]:
        raise WaterFileError(f"{path}: 列重复 column {twice[0]} stands twice: remove one")
    return header


def _without_blanks(
    path: Path, width: int, numbers: Sequence[int], rows: list[list[str]]
) -> tuple[list[int], list[list[str]]]:
    kept = [(number, row) for number, row in zip(numbers, rows, strict=True) if row]
    for number, row in kept:
        if len(row) != width:
            raise WaterFileError(
                f"{path}: 第{number}行 line {number} 有{len(row)}格 has {len(row)} cells, the header {width}: repair it"
            )
    return [number for number, _ in kept], [row for _, row in kept]


def bodies_from(path: Path) -> dict[str, Configured]:
    """Read a configuration of sections: a TOML file with one table per section, named as in the CSV files.

    It looks like this::

        [[section]]
        name = "拖山"
        body = "lake"       # river or lake: which ladder of total phosphorus applies
        target = 3          # optional: the class it owes, 1 … 5, or 6 for 劣Ⅴ

    Returns:
        What is configured, by section.

    Raises:
        BodiesError: the file can't be used; every problem at once, each with file, line and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise BodiesError([f"{path}: 无法读取 cannot be read ({error.strerror}): check the name and rights"]) from None
    except UnicodeDecodeError:
        raise BodiesError([f"{path}: 不是UTF-8 not UTF-8: save it as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        at = int(line[1]) if line else len(text.splitlines())
        raise BodiesError([f"{path}:{at}: 不是TOML not TOML ({error}): correct the line"]) from None
    return _Configuration(path, text, document).sections()


class _Configuration:
    """Checks a parsed configuration; collects problems instead of stopping at the first."""

    def __init__(self, path: Path, text: str, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self.problems: list[tuple[int, str]] = []
        self.heads: dict[str, int] = {}
        self.tables: list[tuple[int, dict[str, int]]] = []
        for number, line in enumerate(text.splitlines(), start=1):  # tomllib does not say where things stand
            if re.match(r"\s*\[\[\s*section\s*\]\]", line):
                self.tables.append((number, {}))
            elif key := re.match(r"""\s*\[*\s*["']?([^"'=\]]+?)["']?\s*(?:=|\])""", line):
                (self.tables[-1][1] if self.tables else self.heads).setdefault(key[1], number)

    def sections(self) -> dict[str, Configured]:
        for key in self.document:
            if key != "section":
                cure = f'write [[section]], name = "{key}", body = "river" or "lake", or remove it'
                self.complain(self.heads.get(key, 1), f"{key} 不认识 is not known here: {cure}")
        entries = self.document.get("section")
        if not isinstance(entries, list) or not entries or not all(isinstance(each, dict) for each in entries):
            self.complain(self.heads.get("section", 1), "没有断面 no section: write [[section]] with name and body")
            entries = []
        found: dict[str, Configured] = {}
        first: dict[str, int] = {}
        for number, entry in enumerate(entries):
            name, configured = self.section(number, entry)
            if name in first:
                self.complain(
                    self.line(number, "name"), f"断面 section {name}: 重复 already in line {first[name]}: remove one"
                )
            elif name:
                first[name] = self.line(number, "name")
                found[name] = configured
        if self.problems:
            raise BodiesError([f"{self.path}:{line}: {reason}" for line, reason in sorted(self.problems)])
        return found

    def section(self, number: int, entry: dict[str, Any]) -> tuple[str, Configured]:
        name, body, target = (entry.get(key) for key in ("name", "body", "target"))
        shown = (
            f"断面 section {name}"
            if isinstance(name, str) and name.strip()
            else f"第{number + 1}个 section {number + 1}"
        )
        for key in entry:
            if key not in ("name", "body", "target"):
                self.complain(
                    self.line(number, key),
                    f"{shown}: {key} 不认识 is not known here: name, body or target, or remove it",
                )
        if not isinstance(name, str) or not name.strip():
            wrong = "name 缺失 is missing" if name is None else f"name = {name!r:.40}"
            self.complain(self.line(number, "name"), f"{shown}: {wrong}: write the section's name as in the CSV file")
            name = ""
        if body not in BODIES:
            wrong = "body 缺失 is missing" if body is None else f"body = {body!r:.40}"
            self.complain(self.line(number, "body"), f"{shown}: {wrong}: write river or lake")
        if target is not None and (type(target) is not int or target not in TARGETS):
            wrong = f"{shown}: target = {target!r:.40}"
            self.complain(
                self.line(number, "target"), f"{wrong}: write a class {TARGETS[0]} … {TARGETS[-1]} without quotes"
            )
        return name.strip(), Configured(str(body), target)

    def line(self, number: int, key: str) -> int:
        """Where a key of the nth section stands; its header where the key is missing."""
        if number < len(self.tables):
            head, keys = self.tables[number]
            return keys.get(key, head)
        return self.heads.get("section", 1)

    def complain(self, line: int, reason: str) -> None:
        self.problems.append((line, reason))
