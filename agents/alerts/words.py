"""What a notice says: title, text and an SMS parameter, Chinese first."""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas import hj212_codes, times
from schemas.alerts import LEVEL_ZH, REASON_ZH, RECOVERED, Episode, Member
from schemas.names import name_zh
from standards import alerting

MOST_SHORT: Final = 35
"""Characters of a parameter of an SMS template (emission.md §6.1)."""
SILENCE, CROWD, SILENT_CROWD = "silence", "crowd", "silence-crowd"
"""``about`` of alerts that are of several sources, or of many alerts."""
CROWDS: Final = (CROWD, SILENT_CROWD)
_LISTED: Final = 5
_MEDIA: Final = {"air": (hj212_codes.AIR,), "water": (hj212_codes.WATER,)}
_OF_PLANTS: Final = (hj212_codes.GAS, hj212_codes.WATER, hj212_codes.PROCESS)
_LEVEL_EN: Final = {"blue": "Blue", "yellow": "Yellow", "orange": "Orange", "red": "Red"}
_REASON_EN: Final = {
    "first": "new", "level-raised": "level raised", "escalated": "not acknowledged in time", "reminder": "reminder",
    "unacknowledged": "acknowledged, but nothing was done", "after-quiet": "after quiet time",
    "spread": "it has spread", "recovered": "recovered", "reopened": "again",
}  # fmt: skip


class Words(NamedTuple):
    """Texts of a notice."""

    title: str
    text: str
    text_en: str
    short: str


def of(episode: Episode, reason: str, now_ms: int, parts: int, holder: str = "") -> Words:
    """What is said of an episode.

    Args:
        episode: as it stands.
        reason: one of ``schemas.alerts.REASONS``.
        now_ms: epoch ms by the log.
        parts: how many episodes are part of it.
        holder: name of the person who has it.
    """
    level = "" if reason == RECOVERED else LEVEL_ZH.get(episode.level, "")
    zh, en = _what(episode, now_ms, parts)
    title = f"【{level or '恢复'}】{episode.name} {zh}"
    since = times.civil(episode.began).strftime("%m-%d %H:%M")
    lines = [f"{REASON_ZH[reason]}：{episode.name} {zh}", f"级别 {LEVEL_ZH.get(episode.level, '')}，始于 {since}"]
    lines_en = [
        f"{_REASON_EN[reason]}: {episode.name}, {en}",
        f"{_LEVEL_EN.get(episode.level, '')}, since {times.civil(episode.began).strftime('%Y-%m-%d %H:%M')}",
    ]
    told = [m for m in episode.members if m.open] or episode.members[-1:]
    for member in told[:_LISTED]:
        lines.append(_line(member, now_ms))
        lines_en.append(_line_en(member, now_ms))
    if len(told) > _LISTED:
        lines.append(f"等共 {len(told)} 项")
        lines_en.append(f"and more, {len(told)} in all")
    if parts and episode.about not in CROWDS:
        lines.append(f"另有 {parts} 处属同一事件")
        lines_en.append(f"{parts} more are part of it")
    if holder:
        lines.append(f"处理人 {holder}")
        lines_en.append(f"held by {holder}")
    stamp = times.civil(now_ms // 1000).strftime("%H:%M")
    sign = level[:1] or "恢复"
    return Words(title, "\n".join(lines), "\n".join(lines_en), shortened(f"{sign} {episode.name} {zh}", f" {stamp}"))


def shortened(text: str, end: str) -> str:
    """A text of at most :data:`MOST_SHORT` characters with its end."""
    room = MOST_SHORT - len(end)
    return (text if len(text) <= room else text[: room - 1] + "…") + end


def factor_zh(kind: str, factor: str) -> str:
    """Chinese name of a factor or measure; the word itself where it has none."""
    return name_zh(factor, _MEDIA.get(kind, _OF_PLANTS))


def _what(episode: Episode, now_ms: int, parts: int) -> tuple[str, str]:
    """What is wrong, in a few words."""
    if episode.about == SILENT_CROWD:
        return f"{parts} 处先后无数据", f"{parts} places are silent"
    if episode.about == CROWD or not episode.members:
        return f"短时间内 {parts} 起告警", f"{parts} alerts within a short time"
    if episode.about == SILENCE:
        silent = len({m.subject for m in episode.members if m.open}) or len({m.subject for m in episode.members})
        return (f"{silent} 个数据源无数据", f"{silent} sources are silent") if silent > 1 else ("无数据", "silent")
    worst = max(episode.members, key=lambda m: (m.open, alerting.rank(m.level), m.since))
    zh, en = rule_words(worst, now_ms)
    if worst.factor and episode.about == worst.factor:
        return f"{factor_zh(episode.kind, worst.factor)} {zh}", f"{worst.factor} {en}"
    return zh, en


def rule_words(member: Member, now_ms: int) -> tuple[str, str]:
    """A condition's own title, else the name of its rule."""
    rule = alerting.rule(member.rule, times.civil(now_ms // 1000).date())
    return (
        f"疑似{title}" if (title := member.words.get("title")) else rule.zh,
        f"suspected: {title}" if (title := member.words.get("title_en")) else rule.en,
    )


def _line(member: Member, now_ms: int) -> str:
    zh, _ = rule_words(member, now_ms)
    parts = [member.name, factor_zh("", member.factor) if member.factor else "", zh]
    why = member.words.get("reason", "") if "title" in member.words else ""
    about = "，".join(part for part in (_value(member), _hours(member), why) if part)
    return " ".join(part for part in parts if part) + (f"：{about}" if about else "")


def _line_en(member: Member, now_ms: int) -> str:
    _, en = rule_words(member, now_ms)
    hours = member.words.get("hours")
    parts = [_value(member), f"{hours} h" if hours else "", member.words.get("reason_en", "")]
    about = ", ".join(part for part in parts if part)
    return " ".join(part for part in (member.name, member.factor, en) if part) + (f": {about}" if about else "")


def _value(member: Member) -> str:
    words = member.words
    if "value" not in words:
        return ""
    unit = f" {words['unit']}" if words.get("unit") else ""
    return f"{words['value']}/{words['limit']}{unit}" if words.get("limit") else f"{words['value']}{unit}"


def _hours(member: Member) -> str:
    hours = member.words.get("hours")
    return f"{hours} 小时" if hours else ""
