"""``envstream assess water``: the class of every row of CSV files, and how far it agrees with a published class.

A row is classified by the five items of the national real-time platform, values as sent. What counts as a credible row
is written in docs/law-water.md §1 (K1 … K4), and was written before the first comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from standards.water.by_date import RowLaw
from standards.water.credibility import RULES
from standards.water.editions import choose
from standards.water.items import item, item_set
from standards.water.ladders import BODIES, NO_CLASS, Classes
from standards.water.means import assessment_decimals
from standards.water.published import NOT_GIVEN, UNREADABLE, PublishedClasses
from standards.water.readings import Bools, Reader
from standards.water.section import class_words, deciding, section_class
from standards.water.verdicts import ROUNDINGS
from streams.water_csv import Days, Ids, Rows, WaterFileError, read_water_csv

OTHER_BODY = (
    "另一类水体限值与发布类别一致，核对断面配置 the other body's limits give the published class: check the section"
)
NO_PUBLISHED = "平台无类别 the platform shows no class"
NO_OWN = "五项均缺 no item to judge by"
UNEXPLAINED = "原因不明 unexplained"

_BODY_WORDS = {"river": "河流", "lake": "湖库"}
_EXAMPLES = 100
_COLUMNS = 8 + 2 + 2  # of a section: classes -1 … 6 at 0 … 7, agree, disagree, meets its target, fails it


def assess_water(
    files: Iterable[str | Path],
    *,
    bodies: Mapping[str, str] | None = None,
    default_body: str = "river",
    targets: Mapping[str, int] | None = None,
    rounding: str | None = None,
    edition: str | None = None,
    ph_decimals: str = "",
    listed: int = 1_000,
) -> dict[str, Any]:
    """Classify every row of CSV files of sections (``streams.water_csv``).

    Args:
        files: paths, plain or ``.gz``.
        bodies: section to ``river`` or ``lake``; for rows whose file has no ``body`` column or leaves it empty.
        default_body: of sections that neither names: an assumption, so each of them is named in the result. A section
            that comes out as both bodies stops the assessment.
        targets: section to the class it owes: its rows are judged against it one by one (water.md §3.1). That is no
            monthly compliance, which judges the mean of a month.
        rounding: None judges values as sent, ``assessment`` rounds them first.
        edition: forces a GB 3838 edition; None takes the one in force at each row's date.
        ph_decimals: profile of assessment rounding for pH.
        listed: disagreements listed at most; all are counted.

    Returns:
        ``rows``, ``classified``, ``agree``, ``disagree``, ``by_class`` {"1" … "6": rows}, ``sections`` {name: the same,
        ``body``, ``body_assumed`` and, with a target, ``target``, ``meets``, ``fails``}; beyond design §11:
        ``unclassified``, ``credible`` {agree, disagree, excluded, excluded_by}, ``reasons`` {reason: disagreements},
        ``disagreements`` [rows], ``refused`` {rows, by_reason, examples}, ``default_body``, ``body_assumed`` (how many
        sections), ``bodies_assumed`` and ``bodies_unused`` [names], ``repeated`` (rows of a section and time that was
        there before), ``editions``, ``rounding``. Rows without a readable time, section or published class are refused
        and not compared; those with a value that can't be read are compared, and excluded by K1.

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
    for name, target in (targets or {}).items():
        if target not in class_words():
            raise WaterFileError(f"目标配置 targets: {name} = {target!r}: must be 1 … {max(class_words())}")
    assessment = _Assessment(
        dict(bodies or {}), default_body, dict(targets or {}), rounding, edition, ph_decimals, listed
    )
    for file in files:
        path, unread, dated = Path(file), None, False
        for rows in read_water_csv(path, assessment.items):
            dated |= assessment.add(path, rows)
            unread = unread or rows.times[0]
        if unread is not None and not dated:
            raise WaterFileError(
                f"{path}: 时间无法识别 no time can be read, the first is {unread!r:.40}: write it as 2026-07-09 21:00"
            )
    return assessment.result()


def _numbers(known: dict[str, int], texts: Iterable[str], count: int) -> npt.NDArray[np.int64]:
    return np.fromiter(map(known.__getitem__, texts), dtype=np.int64, count=count)


class _Assessment:
    """Adds up chunks of rows."""

    def __init__(
        self,
        bodies: dict[str, str],
        default_body: str,
        targets: dict[str, int],
        rounding: str | None,
        edition: str | None,
        ph_decimals: str,
        listed: int,
    ) -> None:
        self.items = item_set("five")
        self.bodies = bodies
        self.default_body = default_body
        self.targets = targets
        self.law = RowLaw(self.items, rounding, edition, ph_decimals)
        self.listed = listed
        self.readers = [Reader(item(name)) for name in self.items]
        self.sections = Ids()
        self.body_of: dict[str, str] = {}
        self.assumed: set[str] = set()
        self.times = Ids()
        self.days = Days()
        self.published = PublishedClasses()
        self.words = {row.text("text"): row.text("meaning") for row in choose("water_forms").where(place="body")}
        self.seen: list[npt.NDArray[np.int64]] = []
        self.counts: Counter[str] = Counter()
        self.by_section = np.zeros((0, _COLUMNS), dtype=np.int64)
        self.excluded_by: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.disagreements: list[dict[str, Any]] = []
        self.refused_by: Counter[str] = Counter()
        self.refused: list[dict[str, Any]] = []

    def add(self, path: Path, rows: Rows) -> bool:
        """Add a chunk; whether a time of it can be read."""
        count = len(rows.lines)
        section = _numbers(self.sections, rows.sections, count)
        days = _numbers(self.days, rows.times, count)
        lake = self.lakes(path, rows)
        values, below, refused = self.read(rows)
        published = (
            np.full(count, NOT_GIVEN) if rows.published is None else _numbers(self.published, rows.published, count)
        )
        refusals = {
            "value": refused.any(axis=0),
            "time": days == 0,
            "section": np.array([not name for name in self.sections], dtype=np.bool_)[section],
            "published_class": published == UNREADABLE,
        }
        nowhere = refusals["time"] | refusals["section"]
        unusable = nowhere | refusals["value"]
        try:
            groups = self.law.groups(days)
        except LookupError as error:  # no edition in force on a row's date
            raise WaterFileError(f"{path}: {error}: name one with edition") from None
        judged = self.law.assessed(values, below, groups)
        by_item = self.law.classify(judged, below, lake, groups)
        by_item[:, unusable] = NO_CLASS
        classes = section_class(by_item)
        compared = (published >= NO_CLASS) & ((published > 0) | (classes > 0)) & ~nowhere
        agree, disagree = compared & (published == classes), compared & (published != classes)
        broken = self.law.broken(rows.items, values, below, refused, groups)
        excluded = np.any(list(broken.values()), axis=0) & compared
        self.counts.update(
            rows=count,
            classified=int((classes > 0).sum()),
            agree=int(agree.sum()),
            disagree=int(disagree.sum()),
            credible_agree=int((agree & ~excluded).sum()),
            credible_disagree=int((disagree & ~excluded).sum()),
            excluded=int(excluded.sum()),
            refused=int(np.any(list(refusals.values()), axis=0).sum()),
        )
        self.excluded_by.update({rule: int((mask & compared).sum()) for rule, mask in broken.items()})
        self.refused_by.update({reason: int(mask.sum()) for reason, mask in refusals.items()})
        self.seen.append(section << 32 | _numbers(self.times, rows.times, count))
        owed = np.array([self.targets.get(name, 0) for name in self.sections])[section]
        met = self.law.meets(np.where(unusable, 0, owed), judged, below, lake, groups)
        self.add_sections(section, classes, {8: agree, 9: disagree, 10: met == 1, 11: met == 0})
        self.note_refused(path, rows, refusals, refused)
        where = np.flatnonzero(disagree)
        if len(where):
            other = self.law.classify(judged[:, where], below[:, where], ~lake[where], self.law.groups(days[where]))
            self.note_disagreements(path, rows, where, classes, section_class(other), deciding(by_item), broken)
        return bool(days.any())

    def lakes(self, path: Path, rows: Rows) -> Bools:
        """Which rows are judged by the lake ladder: the file's column, else the configuration, else the default."""
        pairs = list(zip(rows.sections, rows.bodies or [""] * len(rows.lines), strict=True))
        found = {}
        for name, text in sorted(set(pairs)):
            configured = self.bodies.get(name)
            body = self.words.get(text.strip()) if text.strip() else configured or self.default_body
            if body is None:
                raise WaterFileError(f"{path}: 断面 section {name}: body {text!r:.40}: write river or lake")
            if configured and body != configured:
                raise WaterFileError(
                    f"{path}: 断面 section {name}: body {text} in the file, but configured as {configured}: correct one"
                )
            found[name, text] = body == "lake"
            if not name:  # refused
                continue
            if not text.strip() and configured is None:
                self.assumed.add(name)
            if self.body_of.setdefault(name, body) != body:
                raise WaterFileError(
                    f"{path}: 断面 section {name}: 既是河流又是湖库 both river and lake"
                    f"{', once assumed' if name in self.assumed else ''}: correct its body in the file, or configure it"
                )
        if not any(found.values()):
            return np.zeros(len(rows.lines), dtype=np.bool_)
        return np.array([found[pair] for pair in pairs], dtype=np.bool_)

    def read(self, rows: Rows) -> tuple[npt.NDArray[np.int64], Bools, Bools]:
        columns = [reader.read(rows.items[name]) for name, reader in zip(self.items, self.readers, strict=True)]
        values, below, refused = (
            np.stack([getattr(each, name) for each in columns]) for name in ("values", "below", "refused")
        )
        return values, below, refused

    def add_sections(self, section: npt.NDArray[np.int64], classes: Classes, columns: Mapping[int, Bools]) -> None:
        if len(self.sections) > len(self.by_section):
            more = np.zeros((len(self.sections) - len(self.by_section), _COLUMNS), dtype=np.int64)
            self.by_section = np.concatenate([self.by_section, more])
        np.add.at(self.by_section, (section, classes.astype(np.int64) + 1), 1)
        for column, mask in columns.items():
            self.by_section[:, column] += np.bincount(section[mask], minlength=len(self.by_section))

    def note_refused(self, path: Path, rows: Rows, refusals: Mapping[str, Bools], refused: Bools) -> None:
        for at in np.flatnonzero(np.any(list(refusals.values()), axis=0)).tolist():
            if len(self.refused) >= _EXAMPLES:
                return
            reasons = [
                reader.reasons[rows.items[name][at]]
                for row, (name, reader) in enumerate(zip(self.items, self.readers, strict=True))
                if refused[row, at]
            ]
            if refusals["time"][at]:
                reasons.append(f"时间无法识别 time {rows.times[at]!r:.40} can't be read")
            if refusals["section"][at]:
                reasons.append("断面为空 the section is empty")
            if refusals["published_class"][at] and rows.published is not None:
                reasons.append(f"发布类别无法识别 published_class {rows.published[at]!r:.40} can't be read")
            self.refused.append({"file": str(path), "line": rows.lines[at], "reasons": reasons})

    def note_disagreements(
        self,
        path: Path,
        rows: Rows,
        where: npt.NDArray[np.intp],
        classes: Classes,
        others: Classes,
        decided: Bools,
        broken: Mapping[str, Bools],
    ) -> None:
        if rows.published is None:
            return
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
                by = {n: rows.items[n][at] for n, d in zip(self.items, decided[:, at], strict=True) if d}
                self.disagreements.append(
                    {
                        "file": str(path),
                        "line": rows.lines[at],
                        "section": rows.sections[at],
                        "time": rows.times[at],
                        "published": shown,
                        "class": int(classes[at]),
                        "deciding": by,
                        "reason": reason,
                    }
                )

    def result(self) -> dict[str, Any]:
        seen = np.concatenate(self.seen) if self.seen else np.zeros(0, dtype=np.int64)
        total = self.by_section.sum(axis=0)
        count = self.counts
        sections = {}
        for name, at in self.sections.items():
            if not name:  # refused
                continue
            row = self.by_section[at]
            sections[name] = {
                "body": self.body_of[name],
                "body_assumed": name in self.assumed,
                "rows": int(row[:8].sum()),
                "classified": int(row[2:8].sum()),
                "agree": int(row[8]),
                "disagree": int(row[9]),
                "by_class": _by_class(row),
            }
            if name in self.targets:
                sections[name] |= {"target": self.targets[name], "meets": int(row[10]), "fails": int(row[11])}
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
            "refused": {"rows": count["refused"], "by_reason": dict(self.refused_by), "examples": self.refused},
            "default_body": self.default_body,
            "body_assumed": len(self.assumed),
            "bodies_assumed": sorted(self.assumed),
            "bodies_unused": sorted(set(self.bodies) - set(self.sections)),
            "targets_unused": sorted(set(self.targets) - set(self.sections)),
            "repeated": int((np.diff(np.sort(seen)) == 0).sum()),
            "editions": sorted(self.law.editions),
            "rounding": self.law.rounding,
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
        lines.append(
            f"未说明水体类型、按{_BODY_WORDS[result['default_body']]}判定的断面 sections without a body, judged as "
            f"{result['default_body']}: {result['body_assumed']}: {'、'.join(result['bodies_assumed'])}"
        )
    if absent := sorted({*result["bodies_unused"], *result["targets_unused"]}):
        lines.append(f"配置了但未出现的断面 configured but absent: {'、'.join(absent)}")
    for name, each in result["sections"].items():
        if "target" in each:
            rows = f"达标行 rows that meet {each['meets']}，不达标 that fail {each['fails']}"
            lines.append(f"断面 section {name}: 目标 target {words[each['target']].roman}，{rows}")
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
