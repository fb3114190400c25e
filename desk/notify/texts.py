"""What is said: one notice, or a digest of several; and cutting it to what a provider takes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alerts import LEVEL_ZH, LEVELS, REASON_ZH, Notice

MOST_LINES = 40
"""Of a digest; the rest is a number, and stands on the desk."""
RED = LEVELS[-1]
CUT = "…"


@dataclass(frozen=True)
class Message:
    """What one request says. ``phones`` are numbers to mention, ``loud``: everybody is to look up (red)."""

    title: str
    text: str
    short: str
    notices: tuple[Notice, ...]
    digest: str = ""
    phones: tuple[str, ...] = ()
    loud: bool = False

    @property
    def whole(self) -> str:
        """Title and text."""
        return f"{self.title}\n{self.text}"


def rank(level: str) -> int:
    """Blue 0 … red 3; an unknown level counts as red, so that it is not held back."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS) - 1


def one(notice: Notice, phones: Sequence[str] = ()) -> Message:
    """A notice by itself."""
    text = notice.text if not notice.text_en else f"{notice.text}\n{notice.text_en}"
    return Message(
        notice.title, text, notice.short, (notice,), "", tuple(phones), rank(notice.level) == len(LEVELS) - 1
    )


def digest(notices: Sequence[Notice], phones: Sequence[str] = ()) -> Message:
    """Several notices as one: how many of each level, then their titles, the worst and newest first."""
    ordered = sorted(notices, key=lambda n: (-rank(n.level), -n.at, n.id))
    counts = Counter(n.level for n in ordered)
    of_levels = " ".join(f"{LEVEL_ZH.get(level, level)}{counts[level]}" for level in reversed(LEVELS) if counts[level])
    title = f"告警摘要：共{len(ordered)}条（{of_levels}）"
    lines = [
        f"{LEVEL_ZH.get(n.level, n.level)} {REASON_ZH.get(n.reason, n.reason)} {n.title}" for n in ordered[:MOST_LINES]
    ]
    if len(ordered) > MOST_LINES:
        lines.append(f"另有{len(ordered) - MOST_LINES}条见值班台 · {len(ordered) - MOST_LINES} more on the desk")
    lines.append(f"Digest of {len(ordered)} alerts: " + ", ".join(f"{n} {level}" for level, n in counts.items()))
    name = hashlib.sha256("\n".join(n.id for n in ordered).encode()).hexdigest()[:16]
    loud = rank(ordered[0].level) == len(LEVELS) - 1
    return Message(
        title, "\n".join(lines), f"{len(ordered)}条告警：{of_levels}", tuple(ordered), name, tuple(phones), loud
    )


def cut_bytes(text: str, most: int) -> str:
    """At most ``most`` bytes of UTF-8, never half a character; a cut is shown."""
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: max(most - len(CUT.encode()), 0)].decode(errors="ignore") + CUT


def cut_chars(text: str, most: int) -> str:
    """At most ``most`` characters; a cut is shown."""
    return text if len(text) <= most else text[: most - 1] + CUT
