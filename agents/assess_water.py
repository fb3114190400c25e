"""``envstream assess water``: the class of every row of CSV files, and how far it agrees with a published class.

A row is classified by the five items of the national real-time platform, values as sent. What counts as a credible row
is written in docs/law-water.md §1 (K1 … K4), and was written before the first comparison.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from standards.dated import for_date
from standards.water.credibility import RULES, broken_rules
from standards.water.editions import choose
from standards.water.items import item, item_set
from standards.water.ladders import BODIES, NO_CLASS, Classes
from standards.water.means import assessed, assessment_decimals
from standards.water.readings import Bools, Reader
from standards.water.section import class_words, deciding, item_classes, section_class
from standards.water.verdicts import ROUNDINGS
from streams.water_csv import Days, Ids, Rows, WaterFileError, read_water_csv

OTHER_BODY = (
    "另一类水体限值与发布类别一致，核对断面配置 the other body's limits give the published class: check the section"
)
NO_PUBLISHED = "平台无类别 the platform shows no class"
NO_OWN = "五项均缺 no item to judge by"
UNEXPLAINED = "原因不明 unexplained"

_UNREADABLE = -3
_NOT_GIVEN = -2
_EXAMPLES = 100


def assess_water(
    files: Iterable[str | Path],
    *,
    bodies: Mapping[str, str] | None = None,
    default_body: str = "river",
    rounding: str | None = None,
    edition: str | None = None,
    ph_decimals: str = "",
    listed: int = 1_000,
) -> dict[str, Any]:
    """Classify every row of CSV files of sections (``streams.water_csv``).

    Args:
        files: paths, plain or ``.gz``.
        bodies: section to ``river`` or ``lake``; for rows whose file has no ``body`` column or leaves it empty.
        default_body: of sections that neither names; how many there are is reported as ``body_assumed``.
        rounding: None judges values as sent, ``assessment`` rounds them first.
        edition: forces a GB 3838 edition; None takes the one in force at each row's date.
        ph_decimals: profile of assessment rounding for pH.
        listed: disagreements listed at most; all are counted.

    Returns:
        ``rows``, ``classified``, ``agree``, ``disagree``, ``by_class`` {"1" … "6": rows}, ``sections`` {name: the same
        and ``body``}; beyond design §11: ``unclassified``, ``credible`` {agree, disagree, excluded, excluded_by},
        ``reasons`` {reason: disagreements}, ``disagreements`` [rows], ``refused`` {rows, examples}, ``body_assumed``,
        ``bodies_unused``, ``repeated`` (rows of a section and time that was there before), ``editions``, ``rounding``.

    Raises:
        WaterFileError: a file that can't be used, or a body that is unknown or contradicts the configuration.
        LookupError: unknown edition or profile.
        ValueError: unknown rounding.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding {rounding!r}: assessment or None")
    assessment_decimals("pH", ph=ph_decimals)
    if edition is not None:
        choose("water_surface", name=edition)
    for name, body in {**(bodies or {}), "default": default_body}.items():
        if body not in BODIES:
            raise WaterFileError(f"水体配置 bodies: {name} = {body!r}: must be river or lake")
    assessment = _Assessment(dict(bodies or {}), default_body, rounding, edition, ph_decimals, listed)
    for file in files:
        path = Path(file)
        for rows in read_water_csv(path, assessment.items):
            assessment.add(path, rows)
    return assessment.result()


class _Published(dict[str, int]):
    """Published class text to class: digits, -1 or the class's Roman figure."""

    def __init__(self) -> None:
        words = class_words()
        names = {"": _NOT_GIVEN, "-1": NO_CLASS}
        names |= {str(code): code for code in words} | {word.roman: code for code, word in words.items()}
        super().__init__(names)

    def __missing__(self, text: str) -> int:
        self[text] = found = self.get(text.strip().removesuffix("类"), _UNREADABLE)
        return found


def _numbers(known: dict[str, int], texts: Iterable[str], count: int) -> npt.NDArray[np.int64]:
    return np.fromiter(map(known.__getitem__, texts), dtype=np.int64, count=count)


class _Assessment:
    """Adds up chunks of rows."""

    def __init__(
        self,
        bodies: dict[str, str],
        default_body: str,
        rounding: str | None,
        edition: str | None,
        ph_decimals: str,
        listed: int,
    ) -> None:
        self.items = item_set("five")
        self.bodies = bodies
        self.default_body = default_body
        self.rounding = rounding
        self.edition = edition
        self.ph_decimals = ph_decimals
        self.listed = listed
        self.readers = [Reader(item(name)) for name in self.items]
        self.sections = Ids()
        self.section_lake: dict[str, set[str]] = {}
        self.assumed: set[str] = set()
        self.times = Ids()
        self.days = Days()
        self.published = _Published()
        self.words = {row.text("text"): row.text("meaning") for row in choose("water_forms").where(place="body")}
        self.editions: set[str] = set()
        self.seen: list[npt.NDArray[np.int64]] = []
        self.counts: Counter[str] = Counter()
        self.by_section = np.zeros((0, 8 + 2), dtype=np.int64)  # classes -1 … 6 at 0 … 7, agree, disagree
        self.excluded_by: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.disagreements: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    def add(self, path: Path, rows: Rows) -> None:
        count = len(rows.lines)
        section = _numbers(self.sections, rows.sections, count)
        time = _numbers(self.times, rows.times, count)
        days = _numbers(self.days, rows.times, count)
        if not days.any():
            raise WaterFileError(
                f"{path}: 时间无法识别 time {rows.times[0]!r:.40} can't be read: write it as 2026-07-09 21:00"
            )
        lake = self.lakes(path, rows)
        values, below, refused = self.read(rows)
        unusable = refused.any(axis=0) | (days == 0) | np.array([not name for name in self.sections])[section]
        try:
            classes, by_item = self.classify(values, below, lake, days, unusable)
        except LookupError as error:  # no edition in force on a row's date
            raise WaterFileError(f"{path}: {error}: name one with edition") from None
        published = (
            np.full(count, _NOT_GIVEN) if rows.published is None else _numbers(self.published, rows.published, count)
        )
        compared = (published >= NO_CLASS) & ((published > 0) | (classes > 0))
        agree, disagree = compared & (published == classes), compared & (published != classes)
        broken = broken_rules(self.items, rows.items, values, below, refused)
        excluded = np.any(list(broken.values()), axis=0) & compared
        self.counts.update(
            rows=count,
            classified=int((classes > 0).sum()),
            agree=int(agree.sum()),
            disagree=int(disagree.sum()),
            credible_agree=int((agree & ~excluded).sum()),
            credible_disagree=int((disagree & ~excluded).sum()),
            excluded=int(excluded.sum()),
            refused=int((unusable | (published == _UNREADABLE)).sum()),
        )
        self.excluded_by.update({rule: int((mask & compared).sum()) for rule, mask in broken.items()})
        self.seen.append(section << 32 | time)
        self.add_sections(section, classes, agree, disagree)
        self.note_refused(path, rows, unusable, refused, days, published)
        self.note_disagreements(path, rows, np.flatnonzero(disagree), values, below, lake, classes, by_item, broken)

    def lakes(self, path: Path, rows: Rows) -> Bools:
        """Which rows are judged by the lake ladder: the file's column, else the configuration, else the default."""
        pairs = set(zip(rows.sections, rows.bodies or [""] * len(rows.lines), strict=True))
        found = {}
        for name, text in pairs:
            configured = self.bodies.get(name)
            body = self.words.get(text.strip()) if text.strip() else configured or self.default_body
            if body is None:
                raise WaterFileError(f"{path}: 断面 section {name}: body {text!r:.40}: write river or lake")
            if configured and body != configured:
                raise WaterFileError(
                    f"{path}: 断面 section {name}: body {text} in the file, but configured as {configured}: correct one"
                )
            if not text.strip() and configured is None:
                self.assumed.add(name)
            self.section_lake.setdefault(name, set()).add(body)
            found[name, text] = body == "lake"
        if not any(found.values()):
            return np.zeros(len(rows.lines), dtype=np.bool_)
        return np.array(
            [found[pair] for pair in zip(rows.sections, rows.bodies or [""] * len(rows.lines), strict=True)],
            dtype=np.bool_,
        )

    def read(self, rows: Rows) -> tuple[npt.NDArray[np.int64], Bools, Bools]:
        columns = [reader.read(rows.items[name]) for name, reader in zip(self.items, self.readers, strict=True)]
        values, below, refused = (
            np.stack([getattr(each, name) for each in columns]) for name in ("values", "below", "refused")
        )
        return values, below, refused

    def classify(
        self, values: npt.NDArray[np.int64], below: Bools, lake: Bools, days: npt.NDArray[np.int64], unusable: Bools
    ) -> tuple[Classes, Classes]:
        by_item = np.full(values.shape, NO_CLASS, dtype=np.int8)
        if self.rounding == "assessment":
            rounded = [assessed(name, values[row], ph=self.ph_decimals) for row, name in enumerate(self.items)]
            values = np.where(below, values, np.stack(rounded))
        masked = below if below.any() else None
        editions = {self.edition_of(int(day)) for day in np.unique(days[days > 0])}
        self.editions |= editions
        for name in editions:
            if len(editions) == 1:
                by_item = item_classes(self.items, values, lake, below=masked, edition=name)
                continue
            at = np.flatnonzero([day > 0 and self.edition_of(int(day)) == name for day in days])
            by_item[:, at] = item_classes(self.items, values[:, at], lake[at], below=below[:, at], edition=name)
        by_item[:, unusable] = NO_CLASS
        return section_class(by_item), by_item

    def edition_of(self, day: int) -> str:
        return self.edition or for_date("water_surface", datetime.date.fromordinal(day)).name

    def add_sections(self, section: npt.NDArray[np.int64], classes: Classes, agree: Bools, disagree: Bools) -> None:
        if len(self.sections) > len(self.by_section):
            more = np.zeros((len(self.sections) - len(self.by_section), 10), dtype=np.int64)
            self.by_section = np.concatenate([self.by_section, more])
        np.add.at(self.by_section, (section, classes.astype(np.int64) + 1), 1)
        for column, mask in ((8, agree), (9, disagree)):
            self.by_section[:, column] += np.bincount(section[mask], minlength=len(self.by_section))

    def note_refused(
        self,
        path: Path,
        rows: Rows,
        unusable: Bools,
        refused: Bools,
        days: npt.NDArray[np.int64],
        published: npt.NDArray[np.int64],
    ) -> None:
        for at in np.flatnonzero(unusable | (published == _UNREADABLE)).tolist():
            if len(self.refused) >= _EXAMPLES:
                return
            reasons = [
                reader.reasons[rows.items[name][at]]
                for row, (name, reader) in enumerate(zip(self.items, self.readers, strict=True))
                if refused[row, at]
            ]
            if days[at] == 0:
                reasons.append(f"时间无法识别 time {rows.times[at]!r:.40} can't be read")
            if not rows.sections[at]:
                reasons.append("断面为空 the section is empty")
            if published[at] == _UNREADABLE and rows.published is not None:
                reasons.append(f"发布类别无法识别 published_class {rows.published[at]!r:.40} can't be read")
            self.refused.append({"file": str(path), "line": rows.lines[at], "reasons": reasons})

    def note_disagreements(
        self,
        path: Path,
        rows: Rows,
        where: npt.NDArray[np.intp],
        values: npt.NDArray[np.int64],
        below: Bools,
        lake: Bools,
        classes: Classes,
        by_item: Classes,
        broken: dict[str, Bools],
    ) -> None:
        if not len(where) or rows.published is None:
            return
        other = item_classes(self.items, values[:, where], ~lake[where], below=below[:, where], edition=self.edition)
        others = section_class(other)
        decided = deciding(by_item[:, where])
        for nth, at in enumerate(where.tolist()):
            shown = self.published[rows.published[at]]
            reason = next((f"{rule} {RULES[rule]}" for rule, mask in broken.items() if mask[at]), None)
            if reason is None:
                if shown == NO_CLASS:
                    reason = NO_PUBLISHED
                elif classes[at] == NO_CLASS:
                    reason = NO_OWN
                else:
                    reason = OTHER_BODY if others[nth] == shown else UNEXPLAINED
            self.reasons[reason] += 1
            if len(self.disagreements) < self.listed:
                self.disagreements.append(
                    {
                        "file": str(path),
                        "line": rows.lines[at],
                        "section": rows.sections[at],
                        "time": rows.times[at],
                        "published": shown,
                        "class": int(classes[at]),
                        "deciding": {
                            n: rows.items[n][at] for n, d in zip(self.items, decided[:, nth], strict=True) if d
                        },
                        "reason": reason,
                    }
                )

    def result(self) -> dict[str, Any]:
        seen = np.concatenate(self.seen) if self.seen else np.zeros(0, dtype=np.int64)
        total = self.by_section.sum(axis=0)
        count = self.counts
        sections = {}
        for name, at in self.sections.items():
            row = self.by_section[at]
            sections[name] = {
                "body": "/".join(sorted(self.section_lake[name])),
                "rows": int(row[:8].sum()),
                "classified": int(row[2:8].sum()),
                "agree": int(row[8]),
                "disagree": int(row[9]),
                "by_class": _by_class(row),
            }
        return {
            "rows": count["rows"],
            "classified": count["classified"],
            "agree": count["agree"],
            "disagree": count["disagree"],
            "by_class": _by_class(total),
            "sections": sections,
            "unclassified": count["rows"] - count["classified"],
            "credible": {
                "agree": count["credible_agree"],
                "disagree": count["credible_disagree"],
                "excluded": count["excluded"],
                "excluded_by": {rule: self.excluded_by[rule] for rule in RULES},
            },
            "reasons": dict(self.reasons.most_common()),
            "disagreements": self.disagreements,
            "refused": {"rows": count["refused"], "examples": self.refused},
            "body_assumed": len(self.assumed),
            "bodies_unused": sorted(set(self.bodies) - set(self.sections)),
            "repeated": int((np.diff(np.sort(seen)) == 0).sum()),
            "editions": sorted(self.editions),
            "rounding": self.rounding,
        }


def _by_class(row: npt.NDArray[np.int64]) -> dict[str, int]:
    return {str(code): int(row[code + 1]) for code in range(1, 7)}


def report(result: Mapping[str, Any]) -> str:
    """The result of ``assess_water`` as text for a bureau, Chinese first."""
    words = class_words()
    credible, refused = result["credible"], result["refused"]
    compared = result["agree"] + result["disagree"]
    share = f"{100 * result['agree'] / compared:.3f}%" if compared else "-"
    lines = [
        f"标准 edition: {', '.join(result['editions'])}",
        f"行数 rows {result['rows']}，定类 classified {result['classified']}，未定类 no class {result['unclassified']}",
        "类别 classes: " + "  ".join(f"{words[int(c)].roman} {n}" for c, n in result["by_class"].items()),
        f"与发布类别一致 agree {result['agree']}，不一致 disagree {result['disagree']} ({share})",
        f"可信行 credible rows: 一致 agree {credible['agree']}，不一致 disagree {credible['disagree']}；"
        f"剔除 excluded {credible['excluded']}",
        *(f"  {rule} {RULES[rule]}: {n}" for rule, n in credible["excluded_by"].items() if n),
    ]
    if result["body_assumed"]:
        lines.append(f"未配置水体类型的断面按默认 sections without a configured body: {result['body_assumed']}")
    if result["bodies_unused"]:
        lines.append(f"配置了但未出现的断面 configured but absent: {', '.join(result['bodies_unused'])}")
    if refused["rows"]:
        lines.append(f"拒绝的行 refused rows: {refused['rows']}")
        lines += [f"  {e['file']}:{e['line']}: {'; '.join(e['reasons'])}" for e in refused["examples"][:10]]
    if result["repeated"]:
        lines.append(f"断面与时间重复的行 repeated rows: {result['repeated']}")
    lines += [f"不一致原因 reason: {reason}: {n}" for reason, n in result["reasons"].items()]
    for each in result["disagreements"][:20]:
        by = "、".join(f"{item(name).name} {text}" for name, text in each["deciding"].items())
        lines.append(
            f"  {each['section']} {each['time']}: 发布 published {each['published']}，判定 class {each['class']} ({by})"
        )
    return "\n".join(lines)
